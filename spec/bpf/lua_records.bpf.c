// SPDX-License-Identifier: MIT
// Programs that put records into a ring when they are run, for the specs and the benchmark of the Lua module.
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 number;
	__u32 pid;
	__s16 delta;
	__u8 kind;
	bool last;
};
struct sample { // four fields, 16 bytes
	__u32 pid, cpu, kind, number;
};
struct nested {
	__u32 id;
	struct sample sample;
	char text[12];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
	__type(value, struct event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} plain SEC(".maps");

__u32 wanted = 1;   // records of a run, at most 512
__u32 written = 0;  // of all runs
struct nested nested_for_types;

#define RUN_MAX 512

SEC("socket")
int fill(struct __sk_buff *skb)
{
	for (int i = 0; i < RUN_MAX; i++) {
		if (i >= wanted)
			break;
		struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
		if (!event)
			return i;
		event->number = written++;
		event->pid = 1000 + i;
		event->delta = -i;
		event->kind = i;
		event->last = i + 1 == wanted;
		bpf_ringbuf_submit(event, 0);
	}
	return wanted;
}

SEC("socket")
int fill_plain(struct __sk_buff *skb)
{
	for (int i = 0; i < RUN_MAX; i++) {
		if (i >= wanted)
			break;
		struct sample *sample = bpf_ringbuf_reserve(&plain, sizeof(*sample), 0);
		if (!sample)
			return i;
		sample->pid = 1000 + i;
		sample->cpu = i & 1;
		sample->kind = 7;
		sample->number = written++;
		bpf_ringbuf_submit(sample, 0);
	}
	return wanted;
}

SEC("socket")
int fill_short(struct __sk_buff *skb) // shorter than the type of the map
{
	__u64 half = 1;
	return bpf_ringbuf_output(&events, &half, sizeof(half), 0);
}

SEC("socket")
int fill_long(struct __sk_buff *skb) // longer
{
	struct {
		struct event event;
		__u64 tail;
	} longer = { .event = { .number = 77, .pid = 5, .delta = -1, .kind = 3, .last = true }, .tail = 9 };
	return bpf_ringbuf_output(&events, &longer, sizeof(longer), 0);
}

SEC("socket")
int fill_nested(struct __sk_buff *skb)
{
	struct nested nested = { .id = 4, .sample = { 1, 2, 3, 4 }, .text = "text" };
	nested_for_types.id++;
	return bpf_ringbuf_output(&plain, &nested, sizeof(nested), 0);
}

char LICENSE[] SEC("license") = "GPL";
