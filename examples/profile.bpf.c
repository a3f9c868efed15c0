// SPDX-License-Identifier: MIT
// Which processes a CPU is at work for, sampled by a clock. Linux 4.9.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

struct process {
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, struct process);
	__type(value, __u64);
} samples SEC(".maps");

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	struct process process = { .pid = bpf_get_current_pid_tgid() >> 32 };
	__u64 one = 1;

	if (!process.pid) // idle
		return 0;
	bpf_get_current_comm(process.comm, sizeof(process.comm));
	__u64 *count = bpf_map_lookup_elem(&samples, &process);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&samples, &process, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
