/* The probes of spec/support/usdt.c by libbpf's header, for which the loader fills the same maps. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __s64);
} seen SEC(".maps");

static __always_inline void keep(__u32 index, __s64 value)
{
	bpf_map_update_elem(&seen, &index, &value, BPF_ANY);
}

SEC("usdt/build/spec/support/usdt:demo:operands")
int BPF_USDT(operands, char a, int b, long c, unsigned char d, short e, int f, long g)
{
	keep(0, a);
	keep(1, b);
	keep(2, c);
	keep(3, d);
	keep(4, e);
	keep(5, f);
	keep(6, g);
	keep(8, bpf_usdt_arg_cnt(ctx));
	keep(9, bpf_usdt_cookie(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
