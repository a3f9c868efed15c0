// SPDX-License-Identifier: MIT
// A program that sends records through a ring buffer or perf buffers, as the loader decides.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define EBPF_WAKE_BYTES 64 // wake the reader when so many wait: two records with their headers are not enough, three are
#include "../../src/bpf/records.bpf.h"

struct event {
	__u64 number;
	__u32 pid, kind;
};

EBPF_EVENTS(events, 4096, struct event);

__u32 written = 0;

SEC("tc")
int send(struct __sk_buff *skb)
{
	struct event event = { .number = written++, .pid = 7, .kind = 3 };

	EBPF_SEND(skb, events, &event, sizeof(event));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
