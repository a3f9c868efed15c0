// SPDX-License-Identifier: MIT
// A program that the verifier refuses, for the specs of the command.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int bad(struct __sk_buff *skb)
{
	return *(volatile int *)0;
}

char LICENSE[] SEC("license") = "GPL";
