// SPDX-License-Identifier: MIT
// Programs that send records through a ring buffer or perf buffers, as the loader decides. They keep what they count in a map: before Linux 5.2 there are no
// global variables but constants.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define EBPF_WAKE_BYTES 64 // wake the reader when so many wait: two records with their headers are not enough, three are
#include "../../src/bpf/records.bpf.h"

struct event {
	__u64 number;
	__u32 pid, kind;
};
// Of a size that is no multiple of 8 with the 4 bytes of a sample's length before it: perf adds to it.
struct odd {
	__u64 number;
	char text[5];
};

EBPF_EVENTS(events, 4096, struct event);
EBPF_EVENTS(odds, 4096, struct odd);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} written SEC(".maps");

const volatile __u32 kind = 3;

static __always_inline __u64 count(void)
{
	__u32 key = 0;
	__u64 *number = bpf_map_lookup_elem(&written, &key);

	return number ? (*number)++ : 0;
}

SEC("tc")
int send(struct __sk_buff *skb)
{
	struct event event = { .number = count(), .pid = 7, .kind = kind };

	EBPF_SEND(skb, events, &event, sizeof(event));
	return 0;
}

// In place: every third is thought better of.
SEC("tc")
int make(struct __sk_buff *skb)
{
	struct event *event = EBPF_EVENT_RESERVE(events);

	if (!event)
		return 1;
	event->number = count();
	event->pid = 8;
	event->kind = kind;
	if (event->number % 3 == 2)
		EBPF_EVENT_DISCARD(events, event);
	else
		EBPF_EVENT_SUBMIT(skb, events, event);
	return 0;
}

// As if it had been interrupted: it never gives its room back.
SEC("?tc")
int keep(struct __sk_buff *skb)
{
	struct event *event = EBPF_EVENT_RESERVE(events);

	return !event;
}

SEC("tc")
int send_odd(struct __sk_buff *skb)
{
	struct odd odd = { .number = count(), .text = "five" };

	EBPF_SEND(skb, odds, &odd, 8 + sizeof(odd.text));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
