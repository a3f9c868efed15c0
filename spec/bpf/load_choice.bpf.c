/* Alternatives and optional programs: one thing counted in several ways, and programs that no kernel loads. */
#include "bpf.h"

extern int no_such_function(int) KSYM;

u32 wanted; /* of this process alone */
u64 by_fentry, by_kprobe, by_raw, by_cgroup;

static int is_wanted(void)
{
	return get_current_pid_tgid() >> 32 == wanted;
}

SEC("?fentry/vfs_open") int open_fentry(void *ctx)
{
	by_fentry += is_wanted();
	return 0;
}

SEC("?kprobe/vfs_open") int open_kprobe(void *ctx)
{
	by_kprobe += is_wanted();
	return 0;
}

SEC("?raw_tp/sys_enter") int open_raw(void *ctx)
{
	by_raw += is_wanted();
	return 0;
}

SEC("?fentry/no_such_function_at_all") int missing(void *ctx)
{
	return 0;
}

SEC("?tc") int unresolved(void *ctx)
{
	return no_such_function(1);
}

SEC("?unknown") int untyped(void *ctx)
{
	return 0;
}

SEC("?cgroup/sysctl") int sysctl(void *ctx)
{
	by_cgroup++;
	return 1;
}

char gpl[] SEC("license") = "GPL";
