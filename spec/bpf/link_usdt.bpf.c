/* What the probes of spec/support/usdt.c tell. */
#include "bpf.h"
#include "../../src/bpf/usdt.bpf.h"

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 32);
	TYPE(key, u32);
	TYPE(value, s64);
} seen SEC(".maps");

static ALWAYS_INLINE void keep(u32 index, s64 value)
{
	s64 *to = map_lookup_elem(&seen, &index);

	if (to)
		*to = value;
}

static ALWAYS_INLINE void add(u32 index, s64 value)
{
	s64 *to = map_lookup_elem(&seen, &index);

	if (to)
		__sync_fetch_and_add(to, value);
}

/* each argument, then how many there are, the bytes of the third, what there is of a ninth, and the cookie */
SEC("usdt/build/spec/support/usdt:demo:operands")
int BPF_USDT(operands, char a, int b, long c, u8 d, short e, int f, long g, int h)
{
	long none = 9;

	keep(0, a);
	keep(1, b);
	keep(2, c);
	keep(3, d);
	keep(4, e);
	keep(5, f);
	keep(6, g);
	keep(7, h);
	keep(8, bpf_usdt_arg_cnt(ctx));
	keep(9, bpf_usdt_arg_size(ctx, 4));
	keep(10, bpf_usdt_arg(ctx, 8, &none));
	keep(11, none);
	keep(12, bpf_usdt_cookie(ctx));
	return 0;
}

SEC("usdt/build/spec/support/usdt:demo:twice")
int BPF_USDT(twice, int one, long number)
{
	add(16, one);
	add(17, number);
	return 0;
}

SEC("usdt/build/spec/support/usdt:demo:guarded")
int guarded(struct pt_regs *ctx)
{
	add(18, 1);
	return 0;
}

SEC("?usdt")
int BPF_USDT(anywhere, long first, long second)
{
	add(19, 1);
	keep(20, first);
	keep(21, second);
	keep(22, bpf_usdt_arg_cnt(ctx));
	return 0;
}

SEC("?usdt.s/build/spec/support/usdt:demo:operands")
int BPF_USDT(sleepable, long first)
{
	add(23, first);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
