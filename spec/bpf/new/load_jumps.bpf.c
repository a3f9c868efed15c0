/* A switch that the compiler makes a jump table of (clang 22, Linux 6.19), in a function that two programs have at different places. */
#include "../bpf.h"

u32 seen;

static NOINLINE u64 by_switch(u32 number)
{
	switch (number) {
	case 50: seen += 1; return ktime_get_ns() & 0;
	case 51: seen *= 3; return 17;
	case 52: seen ^= 4; return 5;
	case 53: seen += 4; return 9;
	case 54: seen -= 7; return get_smp_processor_id() * 0 + 100;
	case 55: seen |= 8; return 2;
	case 56: seen &= 3; return 77;
	case 57: seen -= 1; return 8;
	case 58: seen <<= 2; return 1;
	case 59: seen >>= 2; return 3;
	case 60: seen += 50; return 4;
	case 61: seen += 51; return 6;
	case 62: seen += 52; return 7;
	case 63: seen += 53; return 11;
	case 64: seen += 54; return 12;
	case 65: seen += 55; return 13;
	default: return 1000;
	}
}

SEC("tc") int choose(struct __sk_buff *skb)
{
	return (int)(by_switch(skb->len) + by_switch(skb->len + 1));
}

SEC("tc") int choose_later(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		return (int)ktime_get_ns();
	return 1 + (int)by_switch(skb->len);
}

char _license[] SEC("license") = "GPL";
