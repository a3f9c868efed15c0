// SPDX-License-Identifier: MIT
// Programs that write more records than anybody reads, and count what finds no room.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../../src/bpf/records.bpf.h"

struct flood {
	__u32 cpu, kind;
	__u64 time;
};
enum mood { CALM = 1, WILD };
struct packet { // its end is where the record ends
	__u32 id;
	enum mood mood;
	__u16 length, words_sent;
	char text[];
};
struct sized { // the same with a bound
	__u32 id;
	float half;
	__u32 list[8];
};

EBPF_RECORDS(floods, 64 * 1024, struct flood);
EBPF_RECORDS(packets, 64 * 1024, struct packet);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} produced SEC(".maps");

__u32 wanted = 1; // records of a run, at most 512
struct sized sized_for_types;
unsigned __int128 wide_for_types;

// A global function: verified once, not once for each round of a loop.
__attribute__((noinline)) int produce(__u64 flags)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&produced, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	struct flood *flood = EBPF_RESERVE(floods, sizeof(*flood));
	if (!flood)
		return 0;
	flood->cpu = bpf_get_smp_processor_id();
	flood->kind = 7;
	flood->time = bpf_ktime_get_ns();
	bpf_ringbuf_submit(flood, flags & BPF_RB_NO_WAKEUP);
	return 1;
}

SEC("socket")
int pour(struct __sk_buff *skb)
{
	for (int i = 0; i < 512 && i < wanted; i++)
		produce(0);
	return 0;
}

SEC("socket")
int pour_quietly(struct __sk_buff *skb) // whoever reads comes by himself
{
	for (int i = 0; i < 512 && i < wanted; i++)
		produce(BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("socket")
int send(struct __sk_buff *skb)
{
	struct { // as struct packet begins
		__u32 id;
		enum mood mood;
		__u16 length, words_sent;
		char text[12];
	} whole = { .id = 1, .mood = WILD, .length = 5, .text = "hello" };

	EBPF_OUTPUT(packets, &whole, sizeof(struct packet) + 5);
	whole.id = 2;
	whole.mood = 9; // which has no name
	EBPF_OUTPUT(packets, &whole, sizeof(struct packet));
	whole.id = 3;
	return EBPF_OUTPUT(packets, &whole, sizeof(struct packet) + 12);
}

SEC("socket")
int send_sized(struct __sk_buff *skb)
{
	struct sized sized = { .id = sized_for_types.id + (wide_for_types ? 1 : 0), .half = 0.5, .list = { 1, 2, 3 } };

	EBPF_OUTPUT(packets, &sized, 8 + 3 * 4);
	EBPF_OUTPUT(packets, &sized, 8);
	return EBPF_OUTPUT(packets, &sized, sizeof(sized));
}

char LICENSE[] SEC("license") = "GPL";
