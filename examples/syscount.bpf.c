// SPDX-License-Identifier: MIT
// Counts system calls by process. Linux 4.17 (raw tracepoints).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct process {
	__u64 count;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32); // pid
	__type(value, struct process);
} processes SEC(".maps");

SEC("raw_tracepoint/sys_enter")
int count_call(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = bpf_map_lookup_elem(&processes, &pid);
	if (!process) {
		struct process fresh = {};
		bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&processes, &pid);
		if (!process)
			return 0;
	}
	__sync_fetch_and_add(&process->count, 1);
	bpf_get_current_comm(process->comm, sizeof(process->comm)); // each time: exec changes it
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
