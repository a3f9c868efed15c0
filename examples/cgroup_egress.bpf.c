// SPDX-License-Identifier: MIT
// Counts what the processes of a cgroup send. Linux 5.7 (cgroup link), older by BPF_PROG_ATTACH.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 packets = 0, bytes = 0;

SEC("cgroup_skb/egress")
int count_egress(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&packets, 1);
	__sync_fetch_and_add(&bytes, skb->len);
	return 1; // let it pass
}

char LICENSE[] SEC("license") = "GPL";
