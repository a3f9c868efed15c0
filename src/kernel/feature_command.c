/* feature_command.c -- probes of commands of bpf(2) that came late: whether the kernel knows one at all is told by its complaint
 * of a descriptor or an address that is none, where an older one complains of the command (EINVAL). */
#include "kernel/context.h"
#include "kernel/probe.h"

static int complains(struct ebpf_kernel *kernel, int result, int complaint)
{
	return result == -complaint ? 1 : ebpf_probe_verdict(kernel, result);
}

int ebpf_probe_prog_stream(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;
	char byte;

	memset(&attr, 0, sizeof attr);
	attr.prog_stream_read.stream_buf = ebpf_ptr(&byte);
	attr.prog_stream_read.stream_buf_len = 1;
	attr.prog_stream_read.stream_id = BPF_STREAM_STDOUT;
	attr.prog_stream_read.prog_fd = (uint32_t)-1;
	return complains(kernel, kernel->sys->bpf(BPF_PROG_STREAM_READ_BY_FD, &attr, EBPF_ATTR_SIZE(prog_stream_read)), EBADF);
}

int ebpf_probe_prog_assoc_struct_ops(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.prog_assoc_struct_ops.map_fd = (uint32_t)-1;
	attr.prog_assoc_struct_ops.prog_fd = (uint32_t)-1;
	return complains(kernel, kernel->sys->bpf(BPF_PROG_ASSOC_STRUCT_OPS, &attr, EBPF_ATTR_SIZE(prog_assoc_struct_ops)), EBADF);
}

int ebpf_probe_token(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.token_create.bpffs_fd = (uint32_t)-1;
	return complains(kernel, kernel->sys->bpf(BPF_TOKEN_CREATE, &attr, EBPF_ATTR_SIZE(token_create)), EBADF);
}

/* The attributes are read before the command is looked at. */
int ebpf_probe_common_attrs(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	return complains(kernel, kernel->sys->bpf_common(BPF_MAP_CREATE, &attr, EBPF_ATTR_SIZE(map_extra), NULL), EFAULT);
}
