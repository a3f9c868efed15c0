// SPDX-License-Identifier: MIT
// Types of every kind in maps, records and variables, for the generator: what a module and a header tell of them.
#include "bpf.h"

#define doc(text) __attribute__((btf_decl_tag("doc: " text)))

enum kind { OPEN = 1, CLOSE = 2, LAST = 0x7fffffff };

typedef struct {
	u32 low, high;
} range_t; // has no name but the typedef's

struct point {
	s16 x, y;
};

struct event {
	u64 number doc("counts up");
	enum kind kind;
	range_t range;
	struct point points[2];
	struct {
		u8 inside;
	} inner;
	union {
		u32 word;
		u8 bytes[4];
	}; // lifted up
	u32 few : 3, many : 29;
	char name[8];
	bool end; // a keyword of Lua
	struct event *next;
} doc("what a run writes");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096);
	TYPE(value, struct event);
} events SEC(".maps") doc("one for each run");

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 16);
	TYPE(key, range_t);
	TYPE(value, struct { u64 total; });
} totals SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, u64);
} runs SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_QUEUE);
	UINT(max_entries, 4);
	TYPE(value, struct point);
} waiting SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096);
} plain SEC(".maps"); // says nothing of its records

const volatile u32 step doc("how much is added in a run") = 3;
const volatile char label[8] = "start";
typedef u32 pid_t; // the C library has another of this name
const volatile pid_t extra = 0;
u64 sum = 0;
struct point origin = { 1, -2 };
u16 table[4] = { 1, 2, 3, 4 };
enum kind last_kind = CLOSE;

SEC("socket") doc("writes an event")
int run(struct __sk_buff *skb)
{
	u32 zero = 0;
	struct event event = { .number = sum, .kind = last_kind, .points = { { origin.x, origin.y } }, .name = "run" };

	sum += step + extra;
	event.range.high = skb->len;
	event.word = 0x04030201;
	event.few = 5;
	event.end = label[0] == 's';
	table[0]++;
	u64 *count = map_lookup_elem(&runs, &zero);
	if (count)
		++*count;
	ringbuf_output(&events, &event, sizeof(event), 0);
	ringbuf_output(&plain, &event.points[0], sizeof(event.points[0]), 0);
	return sum;
}

SEC("?socket") // for the types alone: the verifier refuses a look-up in a queue
int other(struct __sk_buff *skb)
{
	range_t range = {};

	return map_lookup_elem(&totals, &range) || map_lookup_elem(&waiting, &range);
}

char LICENSE[] SEC("license") = "GPL";
