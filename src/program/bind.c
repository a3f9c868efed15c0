/* bind.c -- maps that belong to a program: kept alive as long as it is (5.10), and the struct_ops map whose functions
 * it works for (7.0). */
#include "program/program.h"

static int explain(const struct ebpf_program *program, const char *what, enum ebpf_feature feature, int code, struct ebpf_error *err)
{
	if (code == -EINVAL && !ebpf_kernel_supports(program->kernel, feature)) {
		ebpf_fail(err, ENOTSUP, "program '%s': %s: this kernel (before %s) cannot do it", program->name, what,
			  ebpf_feature_since(feature));
		return -ENOTSUP;
	}
	return ebpf_fail_errno(err, code, "program '%s': %s", program->name, what);
}

int ebpf_program_bind_map(struct ebpf_program *program, int map_fd, struct ebpf_error *err)
{
	union bpf_attr attr;
	int code = -EINVAL;

	memset(&attr, 0, sizeof attr);
	attr.prog_bind_map.prog_fd = (uint32_t)program->fd;
	attr.prog_bind_map.map_fd = (uint32_t)map_fd;
	if (!ebpf_kernel_masked(program->kernel, EBPF_FEATURE_PROG_BIND_MAP))
		code = ebpf_kernel_sys(program->kernel)->bpf(BPF_PROG_BIND_MAP, &attr, EBPF_ATTR_SIZE(prog_bind_map));
	return code < 0 ? explain(program, "bind a map", EBPF_FEATURE_PROG_BIND_MAP, code, err) : 0;
}

int ebpf_program_associate(struct ebpf_program *program, int map_fd, struct ebpf_error *err)
{
	union bpf_attr attr;
	int code = -EINVAL;

	memset(&attr, 0, sizeof attr);
	attr.prog_assoc_struct_ops.map_fd = (uint32_t)map_fd;
	attr.prog_assoc_struct_ops.prog_fd = (uint32_t)program->fd;
	if (!ebpf_kernel_masked(program->kernel, EBPF_FEATURE_PROG_ASSOC_STRUCT_OPS))
		code = ebpf_kernel_sys(program->kernel)->bpf(BPF_PROG_ASSOC_STRUCT_OPS, &attr, EBPF_ATTR_SIZE(prog_assoc_struct_ops));
	if (code >= 0)
		return 0;
	code = explain(program, "associate with a struct_ops map", EBPF_FEATURE_PROG_ASSOC_STRUCT_OPS, code, err);
	if (code == -EBUSY)
		ebpf_hint(err, "it is associated with another one already");
	else if (code == -EINVAL)
		ebpf_hint(err, "the map must be a struct_ops map, and the program of another type (one of struct_ops belongs to its map)");
	return code;
}
