/* Maps of many kinds, written in all the ways that a definition can be written. */
#include "bpf.h"

struct key { u32 a; u16 b; };
struct value { u64 count; char name[16]; };
struct event { u32 pid; char comm[16]; };

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 1024);
	TYPE(key, struct key);
	TYPE(value, struct value);
} hash SEC(".maps");

/* sizes instead of types */
struct {
	UINT(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	UINT(key_size, 16);
	UINT(value_size, 24);
	UINT(max_entries, 7);
	UINT(map_flags, 2);
} sized SEC(".maps");

/* both, in agreement */
struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(key_size, 4);
	TYPE(key, u32);
	TYPE(value, u64);
	UINT(value_size, 8);
	UINT(max_entries, 3);
	UINT(numa_node, 1);
	UINT(map_flags, 4);
} both SEC(".maps");

typedef struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 2);
	TYPE(key, u32);
	TYPE(value, u32[4]);
} counters_t;
counters_t counters SEC(".maps");
volatile counters_t more_counters SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 1);
	TYPE(key, int);
	TYPE(value, int);
	UINT(pinning, PIN_BY_NAME);
} pinned SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_BLOOM_FILTER);
	UINT(max_entries, 100);
	TYPE(value, u32);
	ULONG(map_extra, 5);
} bloom SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 5000);
} plain_ring SEC(".maps");

/* a type for what passes through, which is no size of the map's */
struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096);
	TYPE(value, struct event);
} ring SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	TYPE(key, u32);
	TYPE(value, struct event);
} perf SEC(".maps");

struct inner {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 4);
	TYPE(key, u32);
	TYPE(value, u64);
};
struct inner inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	UINT(max_entries, 8);
	TYPE(key, u32);
	ARRAY(values, struct inner);
} outer_array SEC(".maps") = {
	.values = { (void *)&inner_a, [3] = (void *)&inner_b, [5] = (void *)&inner_a },
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	UINT(max_entries, 2);
	UINT(key_size, 4);
	UINT(value_size, 4);
	ARRAY(values, struct {
		UINT(type, BPF_MAP_TYPE_LRU_HASH);
		UINT(max_entries, 9);
		TYPE(key, struct key);
		UINT(value_size, 12);
	});
} outer_hash SEC(".maps");

int tail_one(struct __sk_buff *skb);
int tail_two(struct __sk_buff *skb);

struct {
	UINT(type, BPF_MAP_TYPE_PROG_ARRAY);
	UINT(max_entries, 4);
	UINT(key_size, 4);
	ARRAY(values, int(void *));
} programs SEC(".maps") = {
	.values = { [1] = (void *)&tail_one, [2] = (void *)&tail_two },
};

WEAK struct {
	UINT(type, BPF_MAP_TYPE_QUEUE);
	UINT(max_entries, 16);
	TYPE(value, u32);
} weak_queue SEC(".maps");

SEC("socket") int tail_one(struct __sk_buff *skb)
{
	return 1;
}

SEC("socket") int tail_two(struct __sk_buff *skb)
{
	u32 key = 1;

	map_lookup_elem(&counters, &key);
	tail_call(skb, &programs, 1);
	return 2;
}

SEC("socket") int uses_maps(struct __sk_buff *skb)
{
	struct key key = { 1, 2 };
	struct event event = { 1, "x" };
	u32 index = 0;
	struct value *value = map_lookup_elem(&hash, &key);
	void *inner = map_lookup_elem(&outer_array, &index);

	if (inner)
		map_lookup_elem(inner, &index);
	ringbuf_output(&ring, &event, sizeof(event), 0);
	return value ? (int)value->count : 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
u32 _version SEC("version") = 0x00060102;
