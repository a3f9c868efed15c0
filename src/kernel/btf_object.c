/* btf_object.c -- BTF objects in the kernel: loaded, listed, opened by id. */
#include <stdlib.h>

#include "kernel/context.h"

/* A line for each type and member. Old kernels take less than 16 MiB. */
#define LOG_SIZE (64U << 10)
#define LOG_SIZE_MAX (4U << 20)

/* -- the calls -- */

int ebpf_kernel_open_btf(struct ebpf_kernel *kernel, uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.btf_id = id;
	return kernel->sys->bpf(BPF_BTF_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
}

int ebpf_kernel_btf_query(struct ebpf_kernel *kernel, int fd, struct bpf_btf_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof *info;
	attr.info.info = ebpf_ptr(info);
	return kernel->sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

int ebpf_kernel_load_btf(struct ebpf_kernel *kernel, const void *data, size_t size, char *log, size_t log_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.btf = ebpf_ptr(data);
	attr.btf_size = (uint32_t)size;
	if (log) {
		attr.btf_log_buf = ebpf_ptr(log);
		attr.btf_log_size = (uint32_t)log_size;
		attr.btf_log_level = BPF_LOG_LEVEL1;
	}
	return ebpf_kernel_create(kernel, BPF_BTF_LOAD, &attr, EBPF_ATTR_SIZE(btf_log_level));
}

uint32_t ebpf_kernel_btf_lacks(struct ebpf_kernel *kernel, bool ask)
{
	static const struct {
		enum ebpf_feature feature;
		uint32_t bit;
	} kinds[] = {
		{ EBPF_FEATURE_BTF_FUNC, EBPF_BTF_NO_FUNC },
		{ EBPF_FEATURE_BTF_DATASEC, EBPF_BTF_NO_DATASEC },
		{ EBPF_FEATURE_BTF_GLOBAL_FUNC, EBPF_BTF_NO_GLOBAL_FUNC },
		{ EBPF_FEATURE_BTF_FLOAT, EBPF_BTF_NO_FLOAT },
		{ EBPF_FEATURE_BTF_DECL_TAG, EBPF_BTF_NO_DECL_TAG },
		{ EBPF_FEATURE_BTF_TYPE_TAG, EBPF_BTF_NO_TYPE_TAG },
		{ EBPF_FEATURE_BTF_ENUM64, EBPF_BTF_NO_ENUM64 },
	};
	uint32_t lacks = 0;

	for (size_t i = 0; i < EBPF_COUNT(kinds); i++)
		if (ask ? !ebpf_kernel_supports(kernel, kinds[i].feature) : ebpf_kernel_lacks(kernel, kinds[i].feature))
			lacks |= kinds[i].bit;
	return lacks;
}

/* -- listing -- */

/* Before 5.11 the kernel knows no names here and refuses to be asked for them. */
static int describe(struct ebpf_kernel *kernel, int fd, struct ebpf_btf_info *out)
{
	struct bpf_btf_info info = { 0 };
	int result;

	memset(out, 0, sizeof *out);
	info.name = ebpf_ptr(out->name);
	info.name_len = sizeof out->name;
	result = ebpf_kernel_btf_query(kernel, fd, &info);
	if (result == -E2BIG || result == -EINVAL) {
		memset(&info, 0, sizeof info);
		result = ebpf_kernel_btf_query(kernel, fd, &info);
	}
	out->name[sizeof out->name - 1] = '\0';
	out->id = info.id;
	out->size = info.btf_size;
	out->is_kernel = info.kernel_btf;
	return result;
}

int ebpf_kernel_btf_next(struct ebpf_kernel *kernel, uint32_t after, struct ebpf_btf_info *info, struct ebpf_error *err)
{
	for (;;) {
		union bpf_attr attr;
		int result, fd;

		memset(&attr, 0, sizeof attr);
		attr.start_id = after;
		result = kernel->sys->bpf(BPF_BTF_GET_NEXT_ID, &attr, EBPF_ATTR_SIZE(open_flags));
		if (result == -ENOENT)
			return 0;
		if (result < 0) {
			ebpf_fail_errno(err, result, "BTF objects: list them");
			if (result == -EPERM)
				ebpf_hint(err, "it takes CAP_SYS_ADMIN");
			return result;
		}
		after = attr.next_id;
		fd = ebpf_kernel_open_btf(kernel, after);
		if (fd == -ENOENT) /* gone meanwhile */
			continue;
		result = fd < 0 ? fd : describe(kernel, fd, info);
		if (fd >= 0)
			kernel->sys->close(fd);
		return result < 0 ? ebpf_fail_errno(err, result, "BTF object %u: read its info", after) : 1;
	}
}

int ebpf_kernel_btf_by_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct bpf_btf_info info = { 0 };
	struct ebpf_btf *base = NULL;
	char name[64] = "";
	int result, fd = ebpf_kernel_open_btf(kernel, id);

	if (fd < 0)
		return ebpf_fail_errno(err, fd, "types with id %u", id);
	info.name = ebpf_ptr(name);
	info.name_len = sizeof name;
	result = ebpf_kernel_btf_query(kernel, fd, &info);
	/* Before 5.11 there are no names, and no modules. */
	if (result == -E2BIG || result == -EINVAL)
		result = 0;
	if (!result && info.kernel_btf && strcmp(name, "vmlinux") != 0)
		base = ebpf_kernel_btf(kernel, NULL);
	if (!result)
		result = ebpf_kernel_read_btf(kernel, fd, base, out);
	kernel->sys->close(fd);
	return result ? ebpf_fail_errno(err, result, "types with id %u: read them", id) : 0;
}

/* -- loading -- */

struct ebpf_btf_object {
	struct ebpf_kernel *kernel;
	int fd;
};

/* The last line that says something. */
static const char *last_line(char *log)
{
	size_t size = strlen(log);
	char *line;

	while (size && log[size - 1] == '\n')
		log[--size] = '\0';
	line = strrchr(log, '\n');
	return line ? line + 1 : log;
}

/* A compiled object's, of which the loader has to say how large they are. */
static bool has_unsized_section(const struct ebpf_btf *btf)
{
	struct ebpf_type type;

	for (uint32_t id = 1; ebpf_btf_type(btf, id, &type); id++)
		if (type.kind == BTF_KIND_DATASEC && !type.size)
			return true;
	return false;
}

/* Once more, with a log. Should it be taken now, so much the better: the descriptor. */
static int explain(struct ebpf_kernel *kernel, const void *data, size_t size, int code, struct ebpf_error *err)
{
	char *log = NULL;
	int fd = -ENOSPC;

	for (size_t room = LOG_SIZE; fd == -ENOSPC && room <= LOG_SIZE_MAX; room *= 4) {
		char *grown = realloc(log, room);

		if (!grown)
			break;
		log = grown;
		log[0] = '\0';
		fd = ebpf_kernel_load_btf(kernel, data, size, log, room);
		log[room - 1] = '\0';
	}
	if (fd >= 0) {
		free(log);
		return fd;
	}
	if (log && log[0]) {
		ebpf_fail_errno(err, code, "BTF: load: %s", last_line(log));
		ebpf_error_set_log(err, log);
		return code;
	}
	free(log);
	ebpf_fail_errno(err, code, "BTF: load");
	if (code == -EPERM)
		ebpf_hint(err, "it takes CAP_BPF");
	return code;
}

static const bool host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

/* With what is known of the kernel first, then, when that was refused, with what it says it takes. */
static int load(struct ebpf_kernel *kernel, const struct ebpf_btf *btf, struct ebpf_error *err)
{
	uint32_t lacks = ebpf_kernel_btf_lacks(kernel, false), asked;
	void *data = NULL;
	size_t size = 0;
	int fd, result = ebpf_btf_write(btf, lacks | EBPF_BTF_FOR_KERNEL, host_is_big, &data, &size, err);

	if (result < 0)
		return result;
	fd = ebpf_kernel_load_btf(kernel, data, size, NULL, 0);
	asked = fd < 0 && fd != -EPERM ? ebpf_kernel_btf_lacks(kernel, true) : lacks;
	if (asked != lacks) {
		free(data);
		data = NULL;
		result = ebpf_btf_write(btf, asked | EBPF_BTF_FOR_KERNEL, host_is_big, &data, &size, err);
		if (result < 0)
			return result;
		fd = ebpf_kernel_load_btf(kernel, data, size, NULL, 0);
	}
	if (fd < 0)
		fd = explain(kernel, data, size, fd, err);
	if (fd == -EINVAL && has_unsized_section(btf))
		ebpf_hint(err, "the data sections of an object get their sizes when the object is loaded: build a BTF without them");
	free(data);
	return fd;
}

int ebpf_btf_load(struct ebpf_kernel *kernel, const struct ebpf_btf *btf, struct ebpf_btf_object **out, struct ebpf_error *err)
{
	struct ebpf_btf_object *object;

	if (ebpf_btf_base(btf)) {
		ebpf_fail(err, ENOTSUP, "BTF: load: the kernel takes no split BTF from outside");
		ebpf_hint(err, "copy what is needed into one of its own, with a builder");
		return -ENOTSUP;
	}
	object = calloc(1, sizeof *object);
	if (!object)
		return ebpf_fail_memory(err);
	object->fd = load(kernel, btf, err);
	if (object->fd < 0) {
		int result = object->fd;

		free(object);
		return result;
	}
	object->kernel = ebpf_kernel_ref(kernel);
	*out = object;
	return 0;
}

void ebpf_btf_object_close(struct ebpf_btf_object *object)
{
	if (!object)
		return;
	object->kernel->sys->close(object->fd);
	ebpf_kernel_free(object->kernel);
	free(object);
}

int ebpf_btf_object_fd(const struct ebpf_btf_object *object)
{
	return object->fd;
}

int ebpf_btf_object_info(const struct ebpf_btf_object *object, struct ebpf_btf_info *info, struct ebpf_error *err)
{
	int result = describe(object->kernel, object->fd, info);

	return result < 0 ? ebpf_fail_errno(err, result, "BTF object: read its info") : 0;
}
