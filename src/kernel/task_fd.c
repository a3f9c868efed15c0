/* task_fd.c -- what a perf event or raw tracepoint of any process runs (4.18): attachments without a BPF link show themselves nowhere
 * else. */
#include <stdio.h>

#include "kernel/context.h"

int ebpf_kernel_task_fd(struct ebpf_kernel *kernel, int32_t pid, int fd, struct ebpf_task_fd *out, struct ebpf_error *err)
{
	static const char *const kinds[] = { /* enum bpf_task_fd_type */
		"raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe",
	};
	char name[sizeof out->name] = "";
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.task_fd_query.pid = (uint32_t)pid;
	attr.task_fd_query.fd = (uint32_t)fd;
	attr.task_fd_query.buf = ebpf_ptr(name);
	attr.task_fd_query.buf_len = sizeof name;
	result = kernel->sys->bpf(BPF_TASK_FD_QUERY, &attr, EBPF_ATTR_SIZE(task_fd_query));
	if (result == -ENOTSUP || result == -524)
		return ebpf_fail(err, ENOENT, "descriptor %d of process %d: no program runs there", fd, pid);
	if (result < 0 && result != -ENOSPC) /* a longer name was cut */
		return ebpf_fail_errno(err, result, "descriptor %d of process %d", fd, pid);
	name[sizeof name - 1] = '\0';
	*out = (struct ebpf_task_fd){ .program_id = attr.task_fd_query.prog_id, .offset = attr.task_fd_query.probe_offset,
				      .address = attr.task_fd_query.probe_addr };
	out->kind = attr.task_fd_query.fd_type < EBPF_COUNT(kinds) ? kinds[attr.task_fd_query.fd_type] : "";
	memcpy(out->name, name, sizeof name);
	return 0;
}
