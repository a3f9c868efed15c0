// SPDX-License-Identifier: MIT
// Counts calls of Python functions by name, from the probes that the interpreter was built with: as they return, since at their entry
// some versions (3.11) tell of few. Linux 5.15 (cookies), older for one process.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include "../src/bpf/usdt.bpf.h" // once installed: <ebpf/usdt.bpf.h>

struct function {
	char file[80];
	char name[48];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct function);
	__type(value, __u64);
} calls SEC(".maps");

SEC("usdt/python3:python:function__return")
int BPF_USDT(function_returns, const char *file, const char *name, int line)
{
	struct function key = {};
	__u64 one = 1, *count;

	bpf_probe_read_user_str(key.file, sizeof(key.file), file);
	bpf_probe_read_user_str(key.name, sizeof(key.name), name);
	count = bpf_map_lookup_elem(&calls, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&calls, &key, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
