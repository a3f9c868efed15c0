/* A prog array with a program that no kernel loads. */
#include "bpf.h"

extern int no_such_function(int) KSYM;

int callee(struct __sk_buff *skb);
int broken(struct __sk_buff *skb);

struct {
	UINT(type, BPF_MAP_TYPE_PROG_ARRAY);
	UINT(max_entries, 2);
	UINT(key_size, 4);
	ARRAY(values, int(void *));
} calls SEC(".maps") = {
	.values = { (void *)&broken, (void *)&callee },
};

SEC("tc") int caller(struct __sk_buff *skb)
{
	tail_call(skb, &calls, 0);
	tail_call(skb, &calls, 1);
	return 1;
}

SEC("tc") int callee(struct __sk_buff *skb)
{
	return 7;
}

SEC("tc") int broken(struct __sk_buff *skb)
{
	return no_such_function(1);
}

char gpl[] SEC("license") = "GPL";
