// SPDX-License-Identifier: MIT
// Maps whose keys and values have every kind of type, for the specs of the Lua module.
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { RED = 1, GREEN, BLUE = 70 };

struct key {
	__u32 address;
	__u16 port, protocol;
};
struct pair {
	__u32 low;
	__s32 high;
};
struct value {
	__u64 big;
	__s64 small;
	enum color color;
	__u8 mac[6];
	bool flag;
	char name[9];
	struct pair pair;
	struct pair pairs[2];
	__u32 three : 3, twenty : 20;
	__s32 five : 5;
	union {
		__u32 word;
		__u8 bytes[4];
	};
	union {
		__u64 whole;
		struct pair halves;
	} choice;
	__u16 grid[2][3];
	__s8 tiny;
	__s16 little;
	void *pointer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct key);
	__type(value, struct value);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, char[16]);
	__type(value, __u32);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct pair);
} cpus SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

const volatile __u32 limit = 7;
const volatile char label[8] = "start";
__u64 hits = 0;
struct pair state = { 1, -2 };
enum color favourite = GREEN;
static volatile __s32 hidden = -5;

SEC("socket")
int count(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&hits, 1);
	state.low += limit;
	return hidden + label[0];
}

SEC("socket")
int jump(struct __sk_buff *skb)
{
	struct key key = { 1, 2, 3 };
	struct value *value = bpf_map_lookup_elem(&table, &key);
	__u32 zero = 0;
	char name[16] = "x";

	if (value && favourite != RED)
		value->big++;
	bpf_map_lookup_elem(&names, name);
	bpf_map_lookup_elem(&cpus, &zero);
	bpf_map_lookup_elem(&outer, &zero);
	bpf_tail_call(skb, &jumps, 0);
	return 99;
}

SEC("?socket")
int optional(struct __sk_buff *skb)
{
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
