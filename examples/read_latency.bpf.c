// SPDX-License-Identifier: MIT
// How long vfs_read takes, by powers of two of nanoseconds: a kprobe notes the time, a kretprobe takes the difference.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64); // pid_tgid
	__type(value, __u64);
} started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32); // power of two of nanoseconds
	__type(value, __u64);
} latency SEC(".maps");

SEC("kprobe/vfs_read")
int BPF_KPROBE(enter_read)
{
	__u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();
	bpf_map_update_elem(&started, &id, &now, BPF_ANY);
	return 0;
}

SEC("kretprobe/vfs_read")
int BPF_KRETPROBE(leave_read, long ret)
{
	__u64 id = bpf_get_current_pid_tgid(), *start = bpf_map_lookup_elem(&started, &id);
	if (!start)
		return 0;
	__u64 delta = bpf_ktime_get_ns() - *start;
	__u32 power = 0;
	for (int shift = 32; shift > 0; shift /= 2) {
		if (delta >> shift) {
			delta >>= shift;
			power += shift;
		}
	}
	__u64 *count = bpf_map_lookup_elem(&latency, &power);
	if (count)
		__sync_fetch_and_add(count, 1);
	bpf_map_delete_elem(&started, &id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
