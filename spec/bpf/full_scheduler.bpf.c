/* A scheduler (sched_ext) that leaves every decision to the kernel and counts. */
#include "bpf.h"

struct task_struct;
struct scx_exit_info { s32 unused; } CORE;
struct sched_ext_ops {
	void (*running)(struct task_struct *task);
	s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	u64 flags;
	u32 timeout_ms;
	char name[128];
};

u64 runs, starts, ends;

SEC("struct_ops") void running(u64 *context)
{
	__sync_fetch_and_add(&runs, 1);
}

SEC("struct_ops") s32 init(u64 *context)
{
	starts++;
	return 0;
}

SEC("struct_ops") void leave(u64 *context)
{
	ends++;
}

SEC(".struct_ops.link") struct sched_ext_ops scheduler = {
	.running = (void *)running,
	.init = (void *)init,
	.exit = (void *)leave,
	.timeout_ms = 10000,
	.name = "ebpf_counts",
};

char _license[] SEC("license") = "GPL";
