/* Kernel functions that may be a module's (connection tracking), called twice by two programs. */
#include "bpf.h"

struct bpf_sock_tuple { u32 saddr, daddr; u16 sport, dport; };
struct bpf_ct_opts___local { s32 netns_id, error; u8 l4proto, dir, reserved[2]; } CORE;
struct nf_conn { unsigned long status; } CORE;

struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *, struct bpf_sock_tuple *, u32, struct bpf_ct_opts___local *, u32) KSYM WEAK;
struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, u32, struct bpf_ct_opts___local *, u32) KSYM WEAK;
void bpf_ct_release(struct nf_conn *) KSYM WEAK;

/* 1 = the functions are there and know nothing of such a connection, 2 = they know it, 0 = there are no such functions */
SEC("xdp") int frame(struct xdp_md *context)
{
	struct bpf_sock_tuple tuple = { 1, 2, 3, 4 };
	struct bpf_ct_opts___local options = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *connection;

	if (!bpf_xdp_ct_lookup || !bpf_ct_release)
		return 0;
	connection = bpf_xdp_ct_lookup(context, &tuple, sizeof(tuple), &options, 12);
	if (connection)
		bpf_ct_release(connection);
	return connection ? 2 : 1;
}

SEC("tc") int packet(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { 1, 2, 3, 4 };
	struct bpf_ct_opts___local options = { .netns_id = -1, .l4proto = 17 };
	struct nf_conn *connection;

	if (!bpf_skb_ct_lookup || !bpf_ct_release)
		return 0;
	connection = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple), &options, 12);
	if (connection)
		bpf_ct_release(connection);
	return connection ? 2 : 1;
}

char _license[] SEC("license") = "GPL";
