/* Global variables, constants that the verifier sees, and what may be missing where it cannot be reached. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile bool use_absent;
const volatile __u32 factor = 3;
const volatile char greeting[16] = "hello";
__u32 start = 40;
__u64 runs;
static volatile __u32 hidden = 7;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} absent SEC(".maps");

SEC("socket")
int multiply(struct __sk_buff *skb)
{
	runs++;
	hidden++;
	return (int)(start * factor + (__u32)greeting[0]);
}

SEC("socket")
int maybe(struct __sk_buff *skb)
{
	__u32 key = 1, *value;

	if (!use_absent)
		return 1;
	value = bpf_map_lookup_elem(&absent, &key);
	return value ? (int)*value : 2;
}

char LICENSE[] SEC("license") = "GPL";
