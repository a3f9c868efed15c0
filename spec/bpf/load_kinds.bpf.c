/* Every kind of type that kernels came to know one by one, in maps, variables and functions. */
#include "bpf.h"

#define TAG(text) __attribute__((btf_decl_tag(text)))

enum wide { SMALL = 1, LARGE = 0x123456789abcULL };

struct all {
	float ratio;
	double precise;
	enum wide wide;
	int number TAG("a member");
#if __has_attribute(btf_type_tag)
	int __attribute__((btf_type_tag("user"))) *tagged;
#else
	int *tagged;
#endif
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	TYPE(key, enum wide);
	TYPE(value, struct all);
	UINT(max_entries, 8);
} table SEC(".maps") TAG("a map");

const volatile u32 factor = 3;
u64 result;
static struct all last;

NOINLINE int global(int number TAG("a parameter"))
{
	struct all value = { .number = number };
	enum wide key = SMALL;

	map_update_elem(&table, &key, &value, 0);
	last.number = number;
	return number * (int)factor;
}

static NOINLINE int local(int number)
{
	result += (u64)number;
	return number + last.number;
}

SEC("socket") int filter(struct __sk_buff *skb)
{
	return global(5) + local(7);
}

SEC("socket") int nothing(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
