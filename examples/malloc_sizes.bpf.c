// SPDX-License-Identifier: MIT
// A histogram of the sizes that programs ask malloc(3) for, by powers of two. Linux 4.17 (uprobes through perf), older by tracefs.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32); // power of two
	__type(value, __u64);
} sizes SEC(".maps");

static __always_inline __u32 log2(__u64 value)
{
	__u32 power = 0;
	for (int shift = 32; shift > 0; shift /= 2) {
		if (value >> shift) {
			value >>= shift;
			power += shift;
		}
	}
	return power;
}

SEC("uprobe/libc.so.6:malloc")
int BPF_KPROBE(enter_malloc, unsigned long size)
{
	__u32 power = log2(size);
	__u64 *count = bpf_map_lookup_elem(&sizes, &power);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
