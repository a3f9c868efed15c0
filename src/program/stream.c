/* stream.c -- what a program has written (6.17): the text that it printed, and the reports that the kernel wrote of its faults.
 *
 * The kernel keeps up to about 100 KiB of each with the program, whoever runs it; what was read is gone.
 */
#include "program/program.h"

static int explain(const struct ebpf_program *program, int code, struct ebpf_error *err)
{
	if (code == -EINVAL && !ebpf_kernel_supports(program->kernel, EBPF_FEATURE_PROG_STREAM)) {
		ebpf_fail(err, ENOTSUP, "program '%s': stream: this kernel (before 6.17) has no streams of programs", program->name);
		return -ENOTSUP;
	}
	return ebpf_fail_errno(err, code, "program '%s': stream", program->name);
}

int64_t ebpf_program_stream_read(struct ebpf_program *program, enum ebpf_stream stream, void *data, size_t size,
				 struct ebpf_error *err)
{
	union bpf_attr attr;
	int result;

	if (!size)
		return 0;
	memset(&attr, 0, sizeof attr);
	attr.prog_stream_read.stream_buf = ebpf_ptr(data);
	attr.prog_stream_read.stream_buf_len = size < INT32_MAX ? (uint32_t)size : INT32_MAX;
	attr.prog_stream_read.stream_id = (uint32_t)stream;
	attr.prog_stream_read.prog_fd = (uint32_t)program->fd;
	result = -EINVAL;
	if (!ebpf_kernel_masked(program->kernel, EBPF_FEATURE_PROG_STREAM))
		result = ebpf_kernel_sys(program->kernel)->bpf(BPF_PROG_STREAM_READ_BY_FD, &attr, EBPF_ATTR_SIZE(prog_stream_read));
	return result < 0 ? explain(program, result, err) : result;
}
