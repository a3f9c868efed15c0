// SPDX-License-Identifier: MIT
// The bytes that each process reads: fexit sees both the arguments and the result of vfs_read. Linux 5.5.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct file;

struct reads {
	__u64 calls, bytes;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32); // pid
	__type(value, struct reads);
} reads SEC(".maps");

SEC("fexit/vfs_read")
int BPF_PROG(leave_read, struct file *file, char *buffer, unsigned long size, long long *position, long ret)
{
	if (ret < 0)
		return 0;
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct reads *sum = bpf_map_lookup_elem(&reads, &pid);
	if (!sum) {
		struct reads fresh = {};
		bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
		bpf_map_update_elem(&reads, &pid, &fresh, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&reads, &pid);
		if (!sum)
			return 0;
	}
	__sync_fetch_and_add(&sum->calls, 1);
	__sync_fetch_and_add(&sum->bytes, ret);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
