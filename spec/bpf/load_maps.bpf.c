/* Maps: sizes that the loader chooses, maps in maps, prog arrays, pins. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};
struct inner first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &first, [3] = &second } };

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer_hash SEC(".maps") = { .values = { &second } };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} kept SEC(".maps");

int target(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jumps SEC(".maps") = { .values = { [2] = (void *)&target } };

SEC("socket")
int target(struct __sk_buff *skb)
{
	return 77;
}

SEC("socket")
int jump(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &jumps, 2);
	return 1;
}

SEC("socket")
int nested(struct __sk_buff *skb)
{
	__u32 at = 3, zero = 0;
	void *map = bpf_map_lookup_elem(&outer, &at);
	__u64 *value = map ? bpf_map_lookup_elem(map, &zero) : 0;

	return value ? (int)*value : -1;
}

SEC("socket")
int remember(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 one = 1, *value = bpf_map_lookup_elem(&kept, &key);

	if (value)
		return (int)++*value;
	bpf_map_update_elem(&kept, &key, &one, BPF_ANY);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
