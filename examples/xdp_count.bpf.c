// SPDX-License-Identifier: MIT
// Counts packets and bytes by IP protocol as they come in, before the network stack. Linux 5.9 (XDP link), older by netlink.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32); // IP protocol
	__type(value, struct traffic);
} traffic SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	__u32 protocol = 255; // not IP, or cut
	if ((void *)(ethernet + 1) <= end) {
		if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
			struct iphdr *ip = (void *)(ethernet + 1);
			if ((void *)(ip + 1) <= end)
				protocol = ip->protocol;
		} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
			struct ipv6hdr *ip = (void *)(ethernet + 1);
			if ((void *)(ip + 1) <= end)
				protocol = ip->nexthdr;
		}
	}
	struct traffic *sum = bpf_map_lookup_elem(&traffic, &protocol);
	if (sum) {
		sum->packets++;
		sum->bytes += end - data;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
