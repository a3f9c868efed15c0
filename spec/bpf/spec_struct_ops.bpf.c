/* struct_ops: structs of functions, attached by a link or not, required or optional. */
#include "bpf.h"

struct tcp_congestion_ops {
	u32 flags;
	void (*init)(void *sk);
	u32 (*ssthresh)(void *sk);
	char name[16];
};

SEC("struct_ops/init") void init_one(void *context)
{
}

SEC("struct_ops.s") u32 ssthresh_one(void *context)
{
	return 2;
}

SEC(".struct_ops") struct tcp_congestion_ops plain = {
	.flags = 5,
	.init = (void *)init_one,
	.ssthresh = (void *)ssthresh_one,
	.name = "plain",
};

SEC(".struct_ops.link") struct tcp_congestion_ops linked = {
	.ssthresh = (void *)ssthresh_one,
	.name = "linked",
};

SEC("?.struct_ops") struct tcp_congestion_ops optional = {
	.init = (void *)init_one,
	.name = "optional",
};

char _license[] SEC("license") = "GPL";
