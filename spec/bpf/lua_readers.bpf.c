// SPDX-License-Identifier: MIT
// Programs that put records into several maps, for readers of more than one.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct apple {
	__u32 number, weight;
};
struct pear {
	__u64 number;
	char name[16];
};

#define RING(name_, type_, size_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, size_); \
		__type(value, struct type_); \
	} name_ SEC(".maps")
RING(apples, apple, 4096);
RING(windfalls, apple, 65536);
RING(pears, pear, 65536);

#define PERF(name_, flags_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); \
		__uint(key_size, 4); \
		__uint(value_size, 4); \
		__uint(map_flags, flags_); \
	} name_ SEC(".maps")
PERF(plums, 0);
PERF(quinces, 0);
PERF(kept, BPF_F_PRESERVE_ELEMS);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} apples_lost SEC(".maps");

__u32 wanted = 1;  // records of a run, at most 64
__u64 flags = 0;   // BPF_RB_NO_WAKEUP
__u32 number = 0;  // of the next record, whatever the map
__s64 result = 0;  // of the last bpf_perf_event_output
struct apple apple_for_types;
struct pear pear_for_types;

static int ripe(void *map)
{
	for (int i = 0; i < 64; i++) {
		if (i >= wanted)
			break;
		struct apple apple = { .number = number, .weight = 100 + i };

		number++;
		if (bpf_ringbuf_output(map, &apple, sizeof(apple), flags) && map == &apples) {
			__u32 key = 0;
			__u64 *lost = bpf_map_lookup_elem(&apples_lost, &key);

			if (lost)
				(*lost)++;
		}
	}
	return 0;
}

SEC("tc")
int fill_apples(struct __sk_buff *skb)
{
	return ripe(&apples);
}

SEC("tc")
int fill_windfalls(struct __sk_buff *skb)
{
	return ripe(&windfalls);
}

SEC("tc")
int fill_pears(struct __sk_buff *skb)
{
	for (int i = 0; i < 64; i++) {
		if (i >= wanted)
			break;
		struct pear pear = { .number = number, .name = "williams" };

		number++;
		bpf_ringbuf_output(&pears, &pear, sizeof(pear), flags);
	}
	return 0;
}

static int juicy(struct __sk_buff *skb, void *map)
{
	for (int i = 0; i < 64; i++) {
		if (i >= wanted)
			break;
		struct apple apple = { .number = number, .weight = bpf_get_smp_processor_id() };

		number++;
		result = bpf_perf_event_output(skb, map, BPF_F_CURRENT_CPU, &apple, sizeof(apple));
	}
	return 0;
}

SEC("tc")
int fill_plums(struct __sk_buff *skb)
{
	return juicy(skb, &plums);
}

SEC("tc")
int fill_quinces(struct __sk_buff *skb)
{
	return juicy(skb, &quinces);
}

SEC("tc")
int fill_kept(struct __sk_buff *skb)
{
	return juicy(skb, &kept);
}

char LICENSE[] SEC("license") = "GPL";
