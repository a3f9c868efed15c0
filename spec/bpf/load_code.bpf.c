/* Functions: calls across sections, shared subprograms, callbacks by address. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

static __attribute__((noinline)) int twice(int value)
{
	return value * 2 + (value & 0x100 ? 1 : 0);
}

static __attribute__((noinline)) int thrice(int value)
{
	return twice(value) + value;
}

__attribute__((noinline)) int shared_global(int value)
{
	return thrice(value) + 1000;
}

/* a program, and a function of another */
SEC("xdp")
int answer(struct xdp_md *ctx)
{
	return 42;
}

SEC("socket")
int calls(struct __sk_buff *skb)
{
	return shared_global((int)skb->len) + twice(5);
}

SEC("socket")
int calls_too(struct __sk_buff *skb)
{
	return twice((int)skb->len) * 100 + thrice(1);
}

SEC("xdp")
int across(struct xdp_md *ctx)
{
	return answer(ctx) + thrice(1);
}

SEC("?socket")
int optional(struct __sk_buff *skb)
{
	return 7;
}

struct bpf_map;
static long add_up(struct bpf_map *map, const void *key, void *value, void *context)
{
	*(__u64 *)context += *(__u64 *)value;
	return 0;
}

static int count_up(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

SEC("?socket")
int callbacks(struct __sk_buff *skb)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&numbers, add_up, &sum, 0);
	bpf_loop(10, count_up, &sum, 0);
	return (int)sum;
}

SEC("nonsense/section")
int untyped(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
