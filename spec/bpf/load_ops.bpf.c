/* A congestion control: a table of functions for the kernel. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;
struct ack_sample;
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*not_in_the_kernel)(struct sock *sk);
	char name[16];
	void *owner;
};

SEC("struct_ops/ssthresh")
__u32 ssthresh(__u64 *ctx)
{
	return 2;
}

SEC("struct_ops/cong_avoid")
void cong_avoid(__u64 *ctx)
{
}

SEC("struct_ops/undo_cwnd")
__u32 undo_cwnd(__u64 *ctx)
{
	return 10;
}

SEC("struct_ops/orphan")
__u32 unused(__u64 *ctx)
{
	return 0;
}

SEC(".struct_ops")
struct tcp_congestion_ops plain = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "ebpf_plain",
};

char LICENSE[] SEC("license") = "GPL";
