/* program.c -- the handle: references, opening what exists, asking, pinning. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "program/program.h"

#define BPFFS_MAGIC 0xcafe4a11

static const char *name_of(const struct ebpf_program *program)
{
	return program->name ? program->name : "";
}

static int call(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	return ebpf_kernel_sys(kernel)->bpf(cmd, attr, size);
}

struct ebpf_program *ebpf_program_new(struct ebpf_kernel *kernel, int fd, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(kernel);
	struct ebpf_program *program = calloc(1, sizeof *program);

	if (fd == 0) { /* in a process without stdin: for bpf(2), descriptor 0 often means "none" */
		fd = sys->fcntl(0, F_DUPFD_CLOEXEC, 3);
		sys->close(0);
	}
	if (!program || fd < 0) {
		if (fd > 0)
			sys->close(fd);
		free(program);
		if (fd < 0)
			ebpf_fail_errno(err, fd, "program: descriptor");
		else
			ebpf_fail_memory(err);
		return NULL;
	}
	program->refs = 1;
	program->fd = fd;
	program->kernel = ebpf_kernel_ref(kernel);
	return program;
}

struct ebpf_program *ebpf_program_ref(struct ebpf_program *program)
{
	program->refs++;
	return program;
}

void ebpf_program_close(struct ebpf_program *program)
{
	if (!program || --program->refs)
		return;
	ebpf_kernel_sys(program->kernel)->close(program->fd);
	ebpf_kernel_free(program->kernel);
	free(program->name);
	free(program->section);
	free(program->attach_to);
	free(program->log);
	free(program->pin_path);
	if (program->close_map) {
		program->close_map(program->usdt_specs);
		program->close_map(program->usdt_ids);
	}
	free(program);
}

bool ebpf_program_optional(const struct ebpf_program *program)
{
	return program->optional;
}

uint32_t ebpf_program_group(const struct ebpf_program *program)
{
	return program->group;
}

bool ebpf_program_autoattach(const struct ebpf_program *program)
{
	return program->autoattach && program->type != BPF_PROG_TYPE_STRUCT_OPS;
}

int ebpf_program_fd(const struct ebpf_program *program)
{
	return program->fd;
}

const char *ebpf_program_name(const struct ebpf_program *program)
{
	return name_of(program);
}

uint32_t ebpf_program_type(const struct ebpf_program *program)
{
	return program->type;
}

uint32_t ebpf_program_attach_type(const struct ebpf_program *program)
{
	return program->attach_type;
}

const char *ebpf_program_section(const struct ebpf_program *program)
{
	return program->section;
}

const char *ebpf_program_attach_to(const struct ebpf_program *program)
{
	return program->attach_to;
}

const char *ebpf_program_pin_path(const struct ebpf_program *program)
{
	return program->pin_path;
}

const char *ebpf_program_log(const struct ebpf_program *program)
{
	return program->log;
}

/* -- asking -- */

int ebpf_program_raw_info(const struct ebpf_program *program, struct bpf_prog_info *info, struct ebpf_error *err)
{
	union bpf_attr attr;
	int code;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)program->fd;
	attr.info.info_len = sizeof *info;
	attr.info.info = ebpf_ptr(info);
	code = call(program->kernel, BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
	if (code < 0)
		return ebpf_fail_errno(err, code, "program '%s': info", name_of(program));
	info->name[sizeof info->name - 1] = '\0';
	return 0;
}

static int get_info(const struct ebpf_program *program, struct bpf_prog_info *info, struct ebpf_error *err)
{
	memset(info, 0, sizeof *info);
	return ebpf_program_raw_info(program, info, err);
}

/* What /proc says of a descriptor; "" when it says nothing. */
static void read_fdinfo(const struct ebpf_kernel *kernel, int fd, char text[512])
{
	char path[64];
	ssize_t size;
	int file;

	*text = '\0';
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	file = ebpf_kernel_sys(kernel)->openat(AT_FDCWD, path, O_RDONLY, 0);
	if (file < 0)
		return;
	size = ebpf_kernel_sys(kernel)->read(file, text, 511);
	ebpf_kernel_sys(kernel)->close(file);
	text[size > 0 ? size : 0] = '\0';
}

static uint64_t read_memlock(const struct ebpf_program *program)
{
	char text[512], *line;

	read_fdinfo(program->kernel, program->fd, text);
	line = strstr(text, "memlock:");
	return line ? strtoull(line + strlen("memlock:"), NULL, 10) : 0;
}

/* The kernel keeps 15 characters of a name; the types of a program's functions have all of the first one's. */
static void full_name(const struct ebpf_program *program, const struct bpf_prog_info *raw, char *out, size_t size)
{
	struct bpf_prog_info info = { 0 };
	struct bpf_func_info first;
	struct ebpf_btf *btf = NULL;
	struct ebpf_type type;

	snprintf(out, size, "%s", raw->name);
	if (strlen(raw->name) + 1 < sizeof raw->name)
		return;
	if (program->name && !strncmp(program->name, raw->name, strlen(raw->name))) { /* it was loaded here, or asked before */
		snprintf(out, size, "%s", program->name);
		if (strlen(out) > strlen(raw->name))
			return;
	}
	if (!raw->btf_id || !raw->nr_func_info)
		return;
	info.nr_func_info = 1;
	info.func_info_rec_size = sizeof first;
	info.func_info = ebpf_ptr(&first);
	if (ebpf_program_raw_info(program, &info, NULL) || !info.nr_func_info ||
	    ebpf_kernel_btf_by_id(program->kernel, raw->btf_id, &btf, NULL))
		return;
	if (ebpf_btf_type(btf, first.type_id, &type) && type.kind == BTF_KIND_FUNC && !strncmp(type.name, raw->name, strlen(raw->name)))
		snprintf(out, size, "%s", type.name);
	ebpf_btf_free(btf);
}

int ebpf_program_info(struct ebpf_program *program, struct ebpf_program_info *out, struct ebpf_error *err)
{
	struct ebpf_program_info info;
	struct bpf_prog_info raw;
	int code;

	if (out->size < offsetof(struct ebpf_program_info, type))
		return ebpf_fail(err, EINVAL, "program '%s': info: its size is not set", name_of(program));
	code = get_info(program, &raw, err);
	if (code)
		return code;
	info = (struct ebpf_program_info){
		.size = out->size, .type = raw.type, .id = raw.id, .xlated_size = raw.xlated_prog_len,
		.jited_size = raw.jited_prog_len, .map_count = raw.nr_map_ids, .btf_id = raw.btf_id,
		.verified_insns = raw.verified_insns, .load_time_ns = raw.load_time, .run_time_ns = raw.run_time_ns,
		.run_count = raw.run_cnt, .recursion_misses = raw.recursion_misses, .memlock = read_memlock(program),
		.uid = raw.created_by_uid, .ifindex = raw.ifindex, .attach_btf_obj_id = raw.attach_btf_obj_id,
		.attach_btf_id = raw.attach_btf_id, .function_count = raw.nr_func_info, .line_count = raw.nr_line_info,
		.gpl = raw.gpl_compatible,
	};
	memcpy(info.name, raw.name, sizeof info.name);
	memcpy(info.tag, raw.tag, sizeof info.tag);
	full_name(program, &raw, info.full_name, sizeof info.full_name);
	memcpy(out, &info, out->size < sizeof info ? out->size : sizeof info);
	return 0;
}

/* -- opening -- */

/* What kind of object a descriptor is: the kernel would read a map's info as a program's without a word. True when
 * /proc does not tell. */
static bool is_program(const struct ebpf_kernel *kernel, int fd)
{
	char text[512];

	read_fdinfo(kernel, fd, text);
	return !*text || (strstr(text, "prog_type:") && !strstr(text, "link_type:") && !strstr(text, "map_type:"));
}

/* Takes the descriptor over. */
static int adopt(struct ebpf_kernel *kernel, int fd, struct ebpf_program **out, struct ebpf_error *err)
{
	struct ebpf_program *program;
	struct bpf_prog_info info = { 0 };
	char name[sizeof ((struct ebpf_program_info *)NULL)->full_name];
	int code;

	program = ebpf_program_new(kernel, fd, err);
	if (!program)
		return -ENOMEM;
	code = is_program(kernel, program->fd) ? get_info(program, &info, err) : ebpf_fail(err, EINVAL, "not a program");
	if (code)
		goto fail;
	program->type = info.type;
	program->attach_btf_id = info.attach_btf_id;
	full_name(program, &info, name, sizeof name);
	program->name = ebpf_strdup(name);
	if (!program->name) {
		ebpf_fail_memory(err);
		code = -ENOMEM;
		goto fail;
	}
	*out = program;
	return 0;
fail:
	ebpf_program_close(program);
	return code;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What only the path tells. Kernels before 4.15 know no names: then the file's stands in. */
static int name_pinned(struct ebpf_program *program, const char *path, struct ebpf_error *err)
{
	program->pin_path = ebpf_strdup(path);
	if (program->pin_path && !*program->name) {
		free(program->name);
		program->name = ebpf_strdup(base_name(path));
	}
	return program->pin_path && program->name ? 0 : ebpf_fail_memory(err);
}

int ebpf_program_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_program **out, struct ebpf_error *err)
{
	struct ebpf_program *program = NULL;
	union bpf_attr attr;
	int code;

	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	code = call(kernel, BPF_OBJ_GET, &attr, EBPF_ATTR_SIZE(file_flags));
	if (code < 0) {
		ebpf_fail_errno(err, code, "program: open '%s'", path);
		if (code == -EACCES || code == -EPERM)
			ebpf_hint(err, "'%s' is not a pinned object, or this process may not read it", path);
		return code;
	}
	code = adopt(kernel, code, &program, err);
	if (code)
		return ebpf_wrap(err, code, "program: open '%s'", path);
	code = name_pinned(program, path, err);
	if (code) {
		ebpf_program_close(program);
		return code;
	}
	*out = program;
	return 0;
}

int ebpf_program_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_program **out, struct ebpf_error *err)
{
	union bpf_attr attr;
	int code;

	memset(&attr, 0, sizeof attr);
	attr.prog_id = id;
	code = call(kernel, BPF_PROG_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (code == -ENOENT)
		return ebpf_fail(err, ENOENT, "program: there is none with id %u", id);
	if (code < 0)
		return ebpf_fail_errno(err, code, "program: open id %u", id);
	code = adopt(kernel, code, out, err);
	return code ? ebpf_wrap(err, code, "program: open id %u", id) : 0;
}

int ebpf_program_open_fd(struct ebpf_kernel *kernel, int fd, struct ebpf_program **out, struct ebpf_error *err)
{
	int code = fd < 0 ? ebpf_fail_errno(err, -EBADF, "no descriptor") : adopt(kernel, fd, out, err);

	return code ? ebpf_wrap(err, code, "program: open descriptor %d", fd) : 0;
}

/* -- pinning -- */

/* The folder of a path: "." for a bare name. False when it is too long. */
static bool folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return (size_t)snprintf(folder, size, ".") < size;
	return (size_t)snprintf(folder, size, "%.*s", slash == path ? 1 : (int)(slash - path), path) < size;
}

/* Linux answers EPERM, and some versions EINVAL, for a path outside of a BPF file system. */
static int explain_pin(const struct ebpf_program *program, const char *path, int code, struct ebpf_error *err)
{
	char folder[4096];
	struct statfs info;

	if (code == -EEXIST) {
		ebpf_fail(err, EEXIST, "program '%s': pin: '%s' exists", name_of(program), path);
		ebpf_hint(err, "remove it, or choose another path");
		return code;
	}
	if (code != -ENOENT && folder_of(path, folder, sizeof folder) && !statfs(folder, &info) &&
	    (uint32_t)info.f_type != BPFFS_MAGIC) {
		ebpf_fail(err, code, "program '%s': pin: '%s' is not on a BPF file system", name_of(program), path);
		ebpf_hint(err, "pin below /sys/fs/bpf; where nothing is mounted there: mount -t bpf bpf /sys/fs/bpf");
		return code;
	}
	ebpf_fail_errno(err, code, "program '%s': pin to '%s'", name_of(program), path);
	if (code == -ENOENT)
		ebpf_hint(err, "the folder must exist, below a mounted BPF file system");
	return code;
}

int ebpf_program_pin(struct ebpf_program *program, const char *path, struct ebpf_error *err)
{
	int code = ebpf_kernel_pin(program->kernel, program->fd, &program->pin_path, path);

	if (code == -ENOMEM)
		return ebpf_fail_memory(err);
	return code < 0 ? explain_pin(program, path, code, err) : 0;
}

int ebpf_program_unpin(struct ebpf_program *program, struct ebpf_error *err)
{
	int code;

	if (!program->pin_path)
		return ebpf_fail(err, ENOENT, "program '%s': unpin: it is not pinned", name_of(program));
	code = ebpf_kernel_sys(program->kernel)->unlinkat(AT_FDCWD, program->pin_path, 0);
	if (code < 0 && code != -ENOENT)
		return ebpf_fail_errno(err, code, "program '%s': unpin '%s'", name_of(program), program->pin_path);
	free(program->pin_path);
	program->pin_path = NULL;
	return 0;
}
