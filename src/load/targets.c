/* targets.c -- what a program that is attached by BTF is for: the id of a kernel function, hook, tracepoint or
 * iterator, or of a function in another BPF program. The kernel wants to know at load, since it verifies the program's
 * arguments by the target's prototype.
 */
#include <stdlib.h>

#include "load/load.h"

/* How the kernel's BTF names what a program of this kind is attached to. */
struct target_kind {
	uint32_t program_type, attach_type;
	const char *prefix;
	uint32_t btf_kind;
	const char *what;
};
static const struct target_kind kinds[] = {
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "", BTF_KIND_FUNC, "kernel function" },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, "", BTF_KIND_FUNC, "kernel function" },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION, "", BTF_KIND_FUNC, "kernel function" },
	{ BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "", BTF_KIND_FUNC, "kernel function" },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "btf_trace_", BTF_KIND_TYPEDEF, "tracepoint" },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "bpf_iter_", BTF_KIND_FUNC, "iterator" },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_", BTF_KIND_FUNC, "security hook" },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, "bpf_lsm_", BTF_KIND_FUNC, "security hook" },
	{ BPF_PROG_TYPE_EXT, 0, "", BTF_KIND_FUNC, "function of a BPF program" },
};

static const struct target_kind *kind_of(const struct ebpf_program_spec *program)
{
	for (size_t i = 0; i < EBPF_COUNT(kinds); i++)
		if (kinds[i].program_type == program->type &&
		    (kinds[i].attach_type == program->attach_type || program->type == BPF_PROG_TYPE_EXT))
			return &kinds[i];
	return NULL;
}

static int object_info(struct ebpf_load *load, int fd, void *info, size_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = (uint32_t)size;
	attr.info.info = ebpf_ptr(info);
	return ebpf_kernel_sys(load->kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

static int read_types_by_fd(struct ebpf_load *load, int fd, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct bpf_btf_info info = { 0 };
	int result = object_info(load, fd, &info, sizeof(info));
	uint32_t size = info.btf_size;
	void *data;

	if (result < 0)
		return ebpf_fail_errno(err, result, "read the target program's types");
	data = malloc(size ? size : 1);
	if (!data)
		return ebpf_fail_memory(err);
	info = (struct bpf_btf_info){ .btf = ebpf_ptr(data), .btf_size = size };
	result = object_info(load, fd, &info, sizeof(info));
	if (result < 0)
		result = ebpf_fail_errno(err, result, "read the target program's types");
	else
		result = ebpf_btf_read(data, size < info.btf_size ? size : info.btf_size, NULL, out, err);
	free(data);
	return result;
}

/* The types that the program of a descriptor was loaded with. */
static int read_program_types(struct ebpf_load *load, int program_fd, struct ebpf_btf **out, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(load->kernel);
	struct bpf_prog_info info = { 0 };
	int fd, result = object_info(load, program_fd, &info, sizeof(info));
	union bpf_attr attr;

	if (result < 0)
		return ebpf_fail_errno(err, result, "attach_target_fd %d: ask about the program", program_fd);
	if (!info.btf_id)
		return ebpf_fail(err, EINVAL, "the target program '%.16s' was loaded without types", info.name);
	memset(&attr, 0, sizeof(attr));
	attr.btf_id = info.btf_id;
	fd = sys->bpf(BPF_BTF_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (fd < 0) {
		ebpf_fail_errno(err, fd, "open the types of the target program '%.16s'", info.name);
		if (fd == -EPERM)
			ebpf_hint(err, "opening by id needs CAP_SYS_ADMIN");
		return fd;
	}
	result = read_types_by_fd(load, fd, out, err);
	sys->close(fd);
	return result;
}

static int find_in_program(struct ebpf_load *load, const struct ebpf_program_spec *program,
			   struct ebpf_program_load *request, struct ebpf_error *err)
{
	struct ebpf_btf *btf = NULL;
	int64_t id;
	int result = read_program_types(load, program->attach_target_fd, &btf, err);

	if (result < 0)
		return result;
	id = ebpf_btf_find_kind(btf, program->attach_to, BTF_KIND_FUNC);
	ebpf_btf_free(btf);
	if (id < 0)
		return ebpf_fail(err, ENOENT, "the target program has no function '%s'", program->attach_to);
	request->attach_btf_id = (uint32_t)id;
	request->attach_program_fd = program->attach_target_fd;
	return 0;
}

/* "func" or "module:func", the prefix going before func. */
static int find_in_kernel(struct ebpf_load *load, const struct ebpf_program_spec *program,
			  const struct target_kind *kind, struct ebpf_program_load *request, struct ebpf_error *err)
{
	const char *colon = strchr(program->attach_to, ':');
	int result, module = colon ? (int)(colon + 1 - program->attach_to) : 0;
	char *name = ebpf_sprintf("%.*s%s%s", module, program->attach_to, kind->prefix, program->attach_to + module);

	if (!name)
		return ebpf_fail_memory(err);
	result = ebpf_kernel_find_type(load->kernel, name, kind->btf_kind, &request->attach_btf_id,
				       &request->attach_btf_fd, err);
	free(name);
	if (result == -ENOENT) {
		ebpf_fail(err, ENOENT, "this kernel has no %s '%s' that it has types for", kind->what,
			  program->attach_to);
		if (kind->btf_kind == BTF_KIND_FUNC && !*kind->prefix)
			ebpf_hint(err, "it may be inlined or not built in; look for it with: ebpf btf dump vmlinux");
		else
			ebpf_hint(err, "look for %s... with: ebpf btf dump vmlinux", kind->prefix);
	}
	return result;
}

/* "module:pattern" of a program for many functions: none of them is chosen yet, but the kernel wants to know whose types theirs are. */
static int find_module(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_program_load *request,
		       struct ebpf_error *err)
{
	const char *colon = program->attach_to ? strchr(program->attach_to, ':') : NULL;
	struct ebpf_functions functions;
	uint32_t type_id;
	char *name;
	int result;

	if (!colon)
		return 0;
	result = ebpf_kernel_functions(load->kernel, program->attach_to, false, &functions, err);
	if (result < 0)
		return result;
	name = ebpf_sprintf("%.*s%s", (int)(colon + 1 - program->attach_to), program->attach_to, functions.names[0]);
	if (!name)
		result = ebpf_fail_memory(err);
	else
		result = ebpf_kernel_find_type(load->kernel, name, BTF_KIND_FUNC, &type_id, &request->attach_btf_fd, err);
	free(name);
	ebpf_functions_free(&functions);
	return result;
}

static bool is_for_many(const struct ebpf_program_spec *program)
{
	return program->type == BPF_PROG_TYPE_TRACING &&
	       (program->attach_type == BPF_TRACE_FENTRY_MULTI || program->attach_type == BPF_TRACE_FEXIT_MULTI ||
		program->attach_type == BPF_TRACE_FSESSION_MULTI);
}

int ebpf_load_target(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_program_load *request,
		     struct ebpf_error *err)
{
	const struct target_kind *kind = kind_of(program);

	if (program->type == BPF_PROG_TYPE_STRUCT_OPS)
		return ebpf_load_struct_ops_target(load, program, request, err);
	if (is_for_many(program))
		return find_module(load, program, request, err);
	if (!kind)
		return 0;
	if (!program->attach_to || !*program->attach_to) {
		ebpf_fail(err, EINVAL, "what it is to be attached to is not known (a %s)", kind->what);
		ebpf_hint(err, "name it in the section, SEC(\"%s/NAME\"), or set attach_to before loading",
			  program->section ? program->section : "fentry");
		return -EINVAL;
	}
	if (program->attach_target_fd > 0)
		return find_in_program(load, program, request, err);
	if (program->type == BPF_PROG_TYPE_EXT) {
		ebpf_fail(err, EINVAL, "the program whose function '%s' it replaces is not known", program->attach_to);
		ebpf_hint(err, "set attach_target (in C attach_target_fd) to that program before loading");
		return -EINVAL;
	}
	return find_in_kernel(load, program, kind, request, err);
}
