/* Maps in the old form, of libbpf before 1.0. */
#include "bpf.h"

struct bpf_map_def { u32 type, key_size, value_size, max_entries, map_flags; };
struct value { u32 hits, bytes; };

struct bpf_map_def SEC("maps") counts = { BPF_MAP_TYPE_HASH, 4, sizeof(struct value), 16, 1 /* BPF_F_NO_PREALLOC */ };
struct ____btf_map_counts { u32 key; struct value value; };
struct ____btf_map_counts SEC(".maps.counts") ____btf_map_counts = {};

struct bpf_map_def SEC("maps/second") total = { BPF_MAP_TYPE_ARRAY, 4, 8, 1 };

SEC("socket") int count(struct __sk_buff *skb)
{
	struct value one = { 1, skb->len };
	u32 key = 5, zero = 0;
	u64 *sum = map_lookup_elem(&total, &zero);

	if (sum)
		*sum += skb->len;
	map_update_elem(&counts, &key, &one, 0);
	return sum ? (int)*sum : -1;
}

char _license[] SEC("license") = "GPL";
