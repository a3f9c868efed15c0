/* types.c -- the BTF of the running kernel: vmlinux and its modules. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "kernel/context.h"

#define SYSFS_BTF "/sys/kernel/btf"
#define BTF_MAGIC 0xeb9f
#define BTF_LIMIT (256U << 20)

static void release_memory(void *context, const void *data, size_t size)
{
	(void)context, (void)size;
	free((void *)(uintptr_t)data);
}

static void release_mapping(void *context, const void *data, size_t size)
{
	const struct ebpf_sys *sys = context;

	sys->munmap((void *)(uintptr_t)data, size);
}

/* What the header says: there is no need to ask for the size of the file. 0 = no header. */
static size_t size_in_header(const uint8_t header[24])
{
	uint32_t word[6];
	uint64_t size;
	uint16_t magic;

	memcpy(&magic, header, sizeof magic);
	if (magic != BTF_MAGIC)
		return 0;
	/* magic, version, flags | hdr_len | type_off | type_len | str_off | str_len */
	memcpy(word, header, sizeof word);
	size = (uint64_t)word[4] + word[5];
	if ((uint64_t)word[2] + word[3] > size)
		size = (uint64_t)word[2] + word[3];
	size += word[1];
	return size <= BTF_LIMIT ? (size_t)size : 0;
}

/* Linux 6.16 lets the file be mapped, private and read-only: the kernel's own pages instead of a copy of 5 MB. Older
 * ones refuse (ENODEV). */
static int map_vmlinux(struct ebpf_kernel *kernel)
{
	const struct ebpf_sys *sys = kernel->sys;
	uint8_t header[24];
	void *data = NULL;
	size_t size = 0;
	int result, fd = sys->openat(AT_FDCWD, SYSFS_BTF "/vmlinux", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	if (sys->pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header)
		size = size_in_header(header);
	result = size ? sys->mmap(size, PROT_READ, MAP_PRIVATE, fd, 0, &data) : -EINVAL;
	sys->close(fd);
	if (result < 0)
		return result;
	result = ebpf_btf_adopt(data, size, NULL, release_mapping, (void *)(uintptr_t)sys, &kernel->vmlinux, NULL);
	if (result)
		sys->munmap(data, size);
	return result;
}

static int read_sysfs(struct ebpf_kernel *kernel, const char *name, struct ebpf_btf *base, struct ebpf_btf **out,
		      struct ebpf_error *err)
{
	char path[128];
	char *data;
	size_t size;
	int result;

	snprintf(path, sizeof path, SYSFS_BTF "/%s", name);
	result = ebpf_kernel_read_file(kernel->sys, AT_FDCWD, path, BTF_LIMIT, &data, &size);
	if (result)
		return ebpf_fail_errno(err, result, "types of %s: read %s", name, path);
	result = ebpf_btf_adopt(data, size, base, release_memory, NULL, out, err);
	if (result) {
		free(data);
		return ebpf_wrap(err, result, "types of %s: %s", name, path);
	}
	return 0;
}

/* Where distributions put a vmlinux with its .BTF, for kernels that were built without BTF in sysfs. */
static int read_elf(struct ebpf_kernel *kernel)
{
	static const char *const places[] = {
		"/boot/vmlinux-%s",
		"/lib/modules/%s/vmlinux-%s",
		"/lib/modules/%s/build/vmlinux",
		"/usr/lib/modules/%s/kernel/vmlinux",
		"/usr/lib/debug/boot/vmlinux-%s",
		"/usr/lib/debug/boot/vmlinux-%s.debug",
		"/usr/lib/debug/lib/modules/%s/vmlinux",
	};
	char release[128];

	ebpf_kernel_release(release, sizeof release);
	for (size_t i = 0; i < EBPF_COUNT(places); i++) {
		struct ebpf_buffer path = { 0 };
		int result;

		for (const char *at = places[i]; *at; at++) {
			bool mark = at[0] == '%' && at[1] == 's';

			ebpf_buffer_add(&path, mark ? release : at, mark ? strlen(release) : 1);
			at += mark;
		}
		result = path.failed ? -ENOMEM : ebpf_btf_read_file(path.data, NULL, &kernel->vmlinux, NULL);
		ebpf_buffer_free(&path);
		if (!result)
			return 0;
	}
	return -ENOENT;
}

struct ebpf_btf *ebpf_kernel_btf(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	struct ebpf_error why = { 0 };
	int result;

	if (kernel->vmlinux)
		return kernel->vmlinux;
	if (map_vmlinux(kernel) == 0)
		return kernel->vmlinux;
	result = read_sysfs(kernel, "vmlinux", NULL, &kernel->vmlinux, &why);
	if (result && read_elf(kernel) == 0)
		result = 0;
	if (result == -ENOENT) {
		ebpf_fail(err, ENOTSUP, "kernel types: this kernel has no BTF (" SYSFS_BTF "/vmlinux is not there)");
		ebpf_hint(err, "use a kernel built with CONFIG_DEBUG_INFO_BTF (5.4 or newer), or give the types of "
			  "this kernel as a file");
	} else if (result) {
		ebpf_error_move(err, &why);
	}
	ebpf_error_clear(&why);
	return kernel->vmlinux;
}

/* -- modules -- */

static int add_module(struct ebpf_kernel *kernel, const char *name, uint32_t id, int fd)
{
	struct ebpf_module *modules;
	struct module_types *types;

	modules = reallocarray(kernel->modules, kernel->module_count + 1, sizeof *modules);
	if (!modules)
		return -ENOMEM;
	kernel->modules = modules;
	types = reallocarray(kernel->module_types, kernel->module_count + 1, sizeof *types);
	if (!types)
		return -ENOMEM;
	kernel->module_types = types;
	snprintf(modules[kernel->module_count].name, sizeof modules->name, "%s", name);
	modules[kernel->module_count].btf_id = id;
	types[kernel->module_count] = (struct module_types){ .fd = fd };
	kernel->module_count++;
	return 0;
}

/* Keeps the object when it is a module's; the ids of programs' BTF lie between them. */
static int consider_btf(struct ebpf_kernel *kernel, uint32_t id)
{
	struct bpf_btf_info info = { 0 };
	char name[64] = "";
	int result, fd = ebpf_kernel_open_btf(kernel, id);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* gone meanwhile */
	info.name = ebpf_ptr(name);
	info.name_len = sizeof name;
	result = ebpf_kernel_btf_query(kernel, fd, &info);
	if (!result && info.kernel_btf && name[0] && strcmp(name, "vmlinux") != 0) {
		result = add_module(kernel, name, id, fd);
		if (!result)
			return 0;
	}
	kernel->sys->close(fd);
	return result;
}

static int modules_by_id(struct ebpf_kernel *kernel)
{
	uint32_t id = 0;

	for (;;) {
		union bpf_attr attr;
		int result;

		memset(&attr, 0, sizeof attr);
		attr.start_id = id;
		result = kernel->sys->bpf(BPF_BTF_GET_NEXT_ID, &attr, EBPF_ATTR_SIZE(open_flags));
		if (result == -ENOENT)
			return 0;
		if (!result)
			result = consider_btf(kernel, attr.next_id);
		if (result)
			return result;
		id = attr.next_id;
	}
}

/* Ids take CAP_SYS_ADMIN; the types themselves can be read by all. Such modules have id 0 and no descriptor. */
static int modules_by_name(struct ebpf_kernel *kernel)
{
	DIR *dir = opendir(SYSFS_BTF);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!result && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "vmlinux") != 0)
			result = add_module(kernel, entry->d_name, 0, -1);
	closedir(dir);
	return result;
}

static void forget_modules(struct ebpf_kernel *kernel)
{
	for (size_t i = 0; i < kernel->module_count; i++) {
		ebpf_btf_free(kernel->module_types[i].btf);
		if (kernel->module_types[i].fd >= 0)
			kernel->sys->close(kernel->module_types[i].fd);
	}
	free(kernel->modules);
	free(kernel->module_types);
	kernel->modules = NULL;
	kernel->module_types = NULL;
	kernel->module_count = 0;
	kernel->modules_known = false;
}

int ebpf_kernel_modules(struct ebpf_kernel *kernel, const struct ebpf_module **out, size_t *count,
			struct ebpf_error *err)
{
	if (!kernel->modules_known) {
		/* Linux before 5.11 knows no types of modules: nothing of kernel_btf in the info, so none is found. */
		int result = modules_by_id(kernel);

		if (result == -EPERM || result == -EINVAL || result == -E2BIG) {
			forget_modules(kernel);
			result = modules_by_name(kernel);
		}
		if (result) {
			forget_modules(kernel);
			return ebpf_fail_errno(err, result, "types of kernel modules: list them");
		}
		kernel->modules_known = true;
	}
	*out = kernel->modules;
	*count = kernel->module_count;
	return 0;
}

/* Where sysfs is not mounted, the kernel still hands out the bytes by descriptor. */
int ebpf_kernel_read_btf(struct ebpf_kernel *kernel, int fd, struct ebpf_btf *base, struct ebpf_btf **out)
{
	struct bpf_btf_info info = { 0 };
	int result = fd < 0 ? -ENOENT : ebpf_kernel_btf_query(kernel, fd, &info);
	uint32_t size = info.btf_size;
	void *data;

	if (result)
		return result;
	if (!size || size > BTF_LIMIT)
		return -EINVAL;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	memset(&info, 0, sizeof info);
	info.btf = ebpf_ptr(data);
	info.btf_size = size;
	result = ebpf_kernel_btf_query(kernel, fd, &info);
	if (!result)
		result = ebpf_btf_adopt(data, size, base, release_memory, NULL, out, NULL);
	if (result)
		free(data);
	return result;
}

struct ebpf_btf *ebpf_kernel_module_btf(struct ebpf_kernel *kernel, size_t index, struct ebpf_error *err)
{
	struct ebpf_error why = { 0 };
	struct module_types *types;
	struct ebpf_btf *base;

	if (!kernel->modules_known || index >= kernel->module_count) {
		ebpf_fail(err, EINVAL, "types of kernel modules: no module %zu", index);
		return NULL;
	}
	types = &kernel->module_types[index];
	if (types->btf)
		return types->btf;
	base = ebpf_kernel_btf(kernel, err);
	if (!base)
		return NULL;
	if (read_sysfs(kernel, kernel->modules[index].name, base, &types->btf, &why) &&
	    ebpf_kernel_read_btf(kernel, types->fd, base, &types->btf))
		ebpf_error_move(err, &why);
	ebpf_error_clear(&why);
	return types->btf;
}

struct ebpf_btf *ebpf_kernel_btf_of_module(struct ebpf_kernel *kernel, const char *module, struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	size_t count = 0;

	if (ebpf_kernel_modules(kernel, &modules, &count, err))
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strcmp(modules[i].name, module) == 0)
			return ebpf_kernel_module_btf(kernel, i, err);
	ebpf_fail(err, ENOENT, "kernel types: no module '%.100s' with types is loaded", module);
	ebpf_hint(err, "load the module first (modprobe %.100s); one that is built in belongs to vmlinux", module);
	return NULL;
}

int ebpf_kernel_module_btf_fd(struct ebpf_kernel *kernel, size_t index, struct ebpf_error *err)
{
	if (!kernel->modules_known || index >= kernel->module_count)
		return ebpf_fail(err, EINVAL, "types of kernel modules: no module %zu", index);
	if (kernel->module_types[index].fd < 0) {
		ebpf_fail(err, EPERM, "types of module '%s': their descriptor cannot be had",
			  kernel->modules[index].name);
		ebpf_hint(err, "descriptors by id need CAP_SYS_ADMIN");
		return -EPERM;
	}
	return kernel->module_types[index].fd;
}

/* -- finding -- */

/* True when found among the module's own types. */
static bool find_in_module(struct ebpf_kernel *kernel, size_t index, const char *name, uint32_t kind, uint32_t *type_id,
			   struct ebpf_error *err)
{
	struct ebpf_btf *btf = ebpf_kernel_module_btf(kernel, index, err);
	int64_t id = btf ? ebpf_btf_find_kind(btf, name, kind) : -1;

	if (id < 0 || (uint32_t)id < ebpf_btf_first_id(btf))
		return false;
	*type_id = (uint32_t)id;
	return true;
}

static int find_in_named_module(struct ebpf_kernel *kernel, const char *name, const char *colon, uint32_t kind,
				uint32_t *type_id, int *btf_fd, struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	struct ebpf_error why = { 0 };
	size_t count = 0, length = (size_t)(colon - name);
	int result = ebpf_kernel_modules(kernel, &modules, &count, err);

	if (result)
		return result;
	for (size_t i = 0; i < count; i++) {
		if (strlen(modules[i].name) != length || memcmp(modules[i].name, name, length) != 0)
			continue;
		if (find_in_module(kernel, i, colon + 1, kind, type_id, &why)) {
			result = ebpf_kernel_module_btf_fd(kernel, i, err);
			if (result < 0)
				return result;
			*btf_fd = result;
			return 0;
		}
		if (!why.code)
			return ebpf_fail(err, ENOENT, "kernel types: no '%s' in module '%s'", colon + 1,
					 modules[i].name);
		result = -why.code;
		ebpf_error_move(err, &why);
		ebpf_error_clear(&why);
		return result;
	}
	ebpf_fail(err, ENOENT, "kernel types: '%s': no module '%.*s' with types is loaded", name, (int)length, name);
	ebpf_hint(err,
		  "load the module first (modprobe %.*s); one that is built in belongs to vmlinux and needs no prefix",
		  (int)length, name);
	return -ENOENT;
}

int ebpf_kernel_find_type(struct ebpf_kernel *kernel, const char *name, uint32_t kind, uint32_t *type_id, int *btf_fd,
			  struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	const char *colon = strchr(name, ':');
	struct ebpf_btf *btf = ebpf_kernel_btf(kernel, err);
	size_t count = 0;
	int64_t id;

	if (!btf)
		return err && err->code ? -err->code : -ENOTSUP;
	if (colon && strncmp(name, "vmlinux:", 8) != 0)
		return find_in_named_module(kernel, name, colon, kind, type_id, btf_fd, err);
	id = ebpf_btf_find_kind(btf, colon ? colon + 1 : name, kind);
	if (id >= 0) {
		*type_id = (uint32_t)id;
		*btf_fd = 0;
		return 0;
	}
	/* A module whose types cannot be read must not hide the others. */
	if (!colon && ebpf_kernel_modules(kernel, &modules, &count, NULL))
		count = 0;
	for (size_t i = 0; i < count; i++) {
		int fd;

		if (!find_in_module(kernel, i, name, kind, type_id, NULL))
			continue;
		fd = ebpf_kernel_module_btf_fd(kernel, i, err);
		if (fd < 0)
			return fd;
		*btf_fd = fd;
		return 0;
	}
	return ebpf_fail(err, ENOENT, "kernel types: no '%s' in vmlinux%s", name, colon ? "" : " or its modules");
}

const char *ebpf_kernel_nearest_type(struct ebpf_kernel *kernel, const char *prefix, const char *name, uint32_t kind)
{
	struct ebpf_btf *btf = ebpf_kernel_btf(kernel, NULL);
	uint32_t total = btf ? ebpf_btf_count(btf) : 0;
	const char **names = malloc(((size_t)total + 1) * sizeof *names), *nearest;
	size_t count = 0;

	for (uint32_t id = 1; names && id < total; id++) {
		struct ebpf_type type;

		if (ebpf_btf_type(btf, id, &type) && type.kind == kind && ebpf_starts_with(type.name, prefix))
			names[count++] = type.name + strlen(prefix);
	}
	nearest = names ? ebpf_nearest(name, names, count) : NULL;
	free(names);
	return nearest;
}

void ebpf_kernel_types_free(struct ebpf_kernel *kernel)
{
	forget_modules(kernel);
	ebpf_btf_free(kernel->vmlinux);
	kernel->vmlinux = NULL;
}
