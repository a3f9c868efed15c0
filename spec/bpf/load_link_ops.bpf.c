/* Two congestion controls of one name, attached by a link: one takes the other's place. */
#include "bpf.h"

struct sock;
struct tcp_congestion_ops {
	u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	u32 flags;
	char name[16];
};

u32 first_count, second_count;

SEC("struct_ops") u32 ssthresh(u64 *context)
{
	return 2;
}

SEC("struct_ops") void cong_avoid(u64 *context)
{
}

SEC("struct_ops") u32 undo_cwnd(u64 *context)
{
	return 10;
}

SEC("struct_ops") void init_first(u64 *context)
{
	__sync_fetch_and_add(&first_count, 1);
}

SEC("struct_ops") void init_second(u64 *context)
{
	__sync_fetch_and_add(&second_count, 1);
}

SEC(".struct_ops.link") struct tcp_congestion_ops first = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.init = (void *)init_first,
	.name = "ebpf_link",
};

SEC(".struct_ops.link") struct tcp_congestion_ops second = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.init = (void *)init_second,
	.name = "ebpf_link",
};

char _license[] SEC("license") = "GPL";
