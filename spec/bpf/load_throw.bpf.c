/* Exceptions (Linux 6.7), and declaration tags on all that can have them. */
#include "bpf.h"

#define TAG(text) __attribute__((btf_decl_tag(text)))

void bpf_throw(u64 cookie) KSYM;

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	TYPE(key, u32);
	TYPE(value, u64);
	UINT(max_entries, 1);
} tagged_map SEC(".maps") TAG("a map") TAG("second");

u32 limit TAG("a variable") = 5;

NOINLINE u64 caught(u64 cookie)
{
	return cookie + 1000;
}

static NOINLINE int check(struct __sk_buff *skb)
{
	if (skb->len > limit)
		bpf_throw(7);
	return 1;
}

SEC("tc") TAG("exception_callback:caught") TAG("a program") int throw(struct __sk_buff *skb)
{
	return check(skb) + check(skb);
}

SEC("tc") int throw_by_default(struct __sk_buff *skb)
{
	bpf_throw(3);
	return 5;
}

SEC("?tc") TAG("exception_callback:nowhere") int lost(struct __sk_buff *skb)
{
	bpf_throw(3);
	return 5;
}

static NOINLINE u64 hidden(u64 cookie)
{
	return cookie + limit;
}

SEC("?tc") TAG("exception_callback:hidden") int secret(struct __sk_buff *skb)
{
	return (int)hidden(skb->len);
}

char _license[] SEC("license") = "GPL";
