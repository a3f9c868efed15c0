/* Maps as tc of iproute2 defines them, and its tail calls. */
#include "bpf.h"

struct bpf_elf_map { u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx; };

struct bpf_elf_map SEC("maps") calls = { .type = BPF_MAP_TYPE_PROG_ARRAY, .size_key = 4, .size_value = 4, .max_elem = 2, .id = 1 };
struct bpf_elf_map SEC("maps") inner = { .type = BPF_MAP_TYPE_ARRAY, .size_key = 4, .size_value = 8, .max_elem = 1, .id = 42, .inner_idx = 1 };
struct bpf_elf_map SEC("maps") outer = {
	.type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .size_key = 4, .size_value = 4, .max_elem = 3, .inner_id = 42,
};
struct bpf_elf_map SEC("maps") shared = {
	.type = BPF_MAP_TYPE_ARRAY, .size_key = 4, .size_value = 8, .max_elem = 1, .id = 43, .pinning = 2,
};

/* as it was before maps of maps */
struct old_elf_map { u32 type, size_key, size_value, max_elem, flags, id, pinning; };

struct old_elf_map SEC("maps/old") old = { .type = BPF_MAP_TYPE_HASH, .size_key = 4, .size_value = 8, .max_elem = 7, .id = 44, .pinning = 1 };

SEC("1/1") int second(struct __sk_buff *skb)
{
	return 22;
}

SEC("1/0") int first(struct __sk_buff *skb)
{
	u32 index = 1, zero = 0;
	void *map = map_lookup_elem(&outer, &index);
	u64 *value = map ? map_lookup_elem(map, &zero) : 0;

	if (value)
		*value += 1;
	tail_call(skb, &calls, 1);
	return 11;
}

SEC("classifier") int start(struct __sk_buff *skb)
{
	tail_call(skb, &calls, 0);
	return 1;
}

char _license[] SEC("license") = "GPL";
