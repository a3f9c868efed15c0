// SPDX-License-Identifier: MIT
// Bytes to and from each IPv4 address, behind the network stack of an interface. Linux 6.6 (tcx link), older by clsact.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 sent, received;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, __u8[4]);
	__type(value, struct traffic);
} talkers SEC(".maps");

static __always_inline void add(struct __sk_buff *skb, __u32 address, __u64 sent, __u64 received)
{
	struct traffic none = {}, *traffic = bpf_map_lookup_elem(&talkers, &address);

	if (!traffic) {
		bpf_map_update_elem(&talkers, &address, &none, BPF_NOEXIST);
		traffic = bpf_map_lookup_elem(&talkers, &address);
	}
	if (traffic) {
		__sync_fetch_and_add(&traffic->sent, sent);
		__sync_fetch_and_add(&traffic->received, received);
	}
}

static __always_inline int read_header(struct __sk_buff *skb, struct iphdr *ip)
{
	return skb->protocol == bpf_htons(ETH_P_IP) && !bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(*ip));
}

SEC("tc/egress")
int sends(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (read_header(skb, &ip))
		add(skb, ip.daddr, skb->len, 0);
	return TC_ACT_UNSPEC; // the next program, or the kernel, decides
}

SEC("tc/ingress")
int receives(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (read_header(skb, &ip))
		add(skb, ip.saddr, 0, skb->len);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
