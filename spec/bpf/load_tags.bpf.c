/* Tags on the parameters of global functions: the context, whatever its type says, for programs of two types. */
#include "bpf.h"

#define TAG(text) __attribute__((btf_decl_tag(text)))

static long (*const skb_load_bytes)(const void *context, u32 offset, void *to, u32 size) = (void *)26;

NOINLINE int first_byte(int add, void *context TAG("arg:ctx"))
{
	u8 byte = 0;

	skb_load_bytes(context, 0, &byte, 1);
	return byte + add;
}

NOINLINE int value_of(u64 *number TAG("arg:nonnull"))
{
	return (int)*number;
}

SEC("socket") int filter(struct __sk_buff *skb)
{
	return first_byte(1, skb);
}

SEC("tc") int classify(struct __sk_buff *skb)
{
	return first_byte(2, skb);
}

SEC("?tc") int nonnull(struct __sk_buff *skb)
{
	u64 number = 40;

	return value_of(&number);
}

char _license[] SEC("license") = "GPL";
