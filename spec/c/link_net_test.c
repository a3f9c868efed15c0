/* link_net_test.c -- links of the network: tc, netkit, netfilter, namespaces, sockmaps and sockets, in a network namespace
 * of the test's own. */
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "link/netlink.h"
#include "link_support.h"

/* What the programs return. */
enum { NEXT = -1, TC_OK = 0, NF_DROP = 0, NF_ACCEPT = 1, PASS = 1 };

#define ATTACH(kind, program, link, ...) CHECK_INT(ebpf_link_attach(kind, program, OPTIONS(__VA_ARGS__), link, &error), 0)

static struct ebpf_program *load_tc(uint32_t attach_type, int result, int add)
{
	return LOAD(.type = BPF_PROG_TYPE_SCHED_CLS, .attach_type = attach_type, .result = result, .add = add);
}

/* -- tc -- */

/* Queueing disciplines of lo: its own, and what filters have made. */
static size_t qdiscs(void)
{
	struct ebpf_link link = { .kernel = kernel, .socket_fd = -1 };
	struct tcmsg message = { .tcm_family = AF_UNSPEC, .tcm_ifindex = 1 };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;

	CHECK_INT(ebpf_netlink_open(&link), 0);
	ebpf_netlink_begin(&request, RTM_GETQDISC, NLM_F_DUMP, &message, sizeof message);
	CHECK_INT(ebpf_netlink_exchange(&link, &request, &answer), 0);
	close(link.socket_fd);
	return answer.count;
}

/* One program after the other takes the place without a gap; then another's takes it, and stays. */
static void check_tc_update(const char *interface, const struct ebpf_link_options *options)
{
	struct ebpf_program *one = load_tc(0, NEXT, 1), *other = load_tc(0, NEXT, 1000);
	struct ebpf_link *link = NULL;
	int fds = open_fds();

	CHECK_INT(ebpf_link_attach("tc", one, options, &link, &error), 0);
	if (!link)
		return;
	CHECK_STR(ebpf_link_interface(link), interface);
	reset();
	send_packet();
	CHECK(count() >= 1 && count() < 1000);
	CHECK_INT(ebpf_link_update(link, other, &error), 0);
	reset();
	send_packet();
	CHECK(count() >= 1000 && count() % 1000 == 0);
	ebpf_link_close(link);
	reset();
	send_packet();
	CHECK_INT(count(), 0);
	CHECK_INT(open_fds(), fds);
	ebpf_program_close(one);
	ebpf_program_close(other);
}

static bool has_cls_bpf(struct ebpf_program *program)
{
	struct ebpf_link *link = NULL;
	int result = ebpf_link_attach("tc", program,
				      OPTIONS(.interface = "lo", .tc.direction = "ingress", .attach_mode = "legacy"), &link, &error);

	ebpf_link_close(link);
	if (result)
		printf("note: filters of tc: not tried: %s [%s]\n", error.message, error.hint);
	ebpf_error_clear(&error);
	return result == 0;
}

static void test_tc_filters(void)
{
	struct ebpf_program *program = load_tc(0, NEXT, 1);
	size_t before = qdiscs();
	struct ebpf_link *link = NULL, *other = NULL;

	if (!has_cls_bpf(program)) {
		ebpf_program_close(program);
		return;
	}
	CHECK_INT(qdiscs(), before);
	mask("tcx", true);
	check_link("tc", program, OPTIONS(.interface = "lo", .tc.direction = "ingress"), "netlink", send_packet);
	check_link("tc", program, OPTIONS(.ifindex = 1, .tc.direction = "egress"), "netlink", send_packet);
	check_fails("tcx", program, OPTIONS(.interface = "lo", .tc.direction = "egress"), ENOTSUP, "need Linux 6.6", "clsact");
	check_fails("tc", program, OPTIONS(.interface = "lo", .tc.direction = "egress", .place.first = true), ENOTSUP, "need Linux 6.6",
		    "");
	mask("tcx", false);
	check_tc_update("netlink", OPTIONS(.interface = "lo", .tc.direction = "egress", .tc.priority = 7, .tc.handle = 3));
	CHECK_INT(qdiscs(), before);
	/* of two links, the one that made the qdisc leaves it to the other; a place that is taken is taken */
	ATTACH("tc", program, &link, .interface = "lo", .tc.direction = "egress", .tc.priority = 7, .tc.handle = 3);
	check_fails("tc", program, OPTIONS(.interface = "lo", .tc.direction = "egress", .tc.priority = 7, .tc.handle = 3), EEXIST,
		    "of this priority and handle", "");
	ATTACH("tc", program, &other, .interface = "lo", .tc.direction = "ingress", .tc.priority = 1);
	CHECK_INT(qdiscs(), before + 1);
	ebpf_link_close(other);
	CHECK_INT(qdiscs(), before + 1);
	/* what somebody else has put into our place stays */
	other = NULL;
	CHECK_INT(link->undo(link, &error), 0);
	CHECK_INT(qdiscs(), before);
	ATTACH("tc", program, &other, .interface = "lo", .tc.direction = "egress", .tc.priority = 7, .tc.handle = 3);
	CHECK_INT(ebpf_link_update(other, program, &error), 0);
	reset();
	send_packet();
	CHECK(count() >= 1);
	ebpf_link_close(link);
	ebpf_link_close(other);
	CHECK_INT(qdiscs(), before);
	check_fails("tc", program, OPTIONS(.interface = "lo", .tc.direction = "ingress", .tc.priority = 1 << 16), EINVAL, "priority", "");
	check_fails("tc", program, OPTIONS(.interface = "lo", .tc.direction = "ingress", .tc.priority = 1, .place.first = true), EINVAL,
		    "priority and handle", "");
	ebpf_program_close(program);
}

/* The second link is placed beside the first; a program that ends the walk hides those behind it. */
static void check_order(struct ebpf_program *first, struct ebpf_program *second, const struct ebpf_link_options *place, bool hidden)
{
	struct ebpf_link *one = NULL, *two = NULL;
	struct ebpf_link_options options = *place;

	ATTACH("tcx", first, &one, .interface = "lo", .tc.direction = "egress");
	if (!one)
		return;
	if (options.place.before == -1)
		options.place.before = one->fd;
	if (options.place.after == -1)
		options.place.after = one->fd;
	options.interface = "lo";
	options.tc.direction = "egress";
	CHECK_INT(ebpf_link_attach("tc", second, &options, &two, &error), 0);
	reset();
	send_packet();
	CHECK(count() >= 1000 && count() % 1000 == (hidden ? 0 : count() / 1000));
	ebpf_link_close(one);
	ebpf_link_close(two);
}

static void test_tcx(void)
{
	struct ebpf_program *program = load_tc(BPF_TCX_INGRESS, NEXT, 1), *ends = load_tc(0, TC_OK, 1000);
	struct ebpf_program *plain = load_tc(0, NEXT, 1);
	struct ebpf_program_info info = { .size = sizeof info };

	if (!has("tcx")) {
		printf("note: tcx: not tried: none here\n");
		goto out;
	}
	CHECK_INT(ebpf_program_info(plain, &info, &error), 0);
	check_link("tc", program, OPTIONS(.interface = "lo"), "link", send_packet);
	check_link("tcx", program, OPTIONS(.interface = "lo", .tc.direction = "ingress"), "link", send_packet);
	check_link("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "egress"), "link", send_packet);
	check_tc_update("link", OPTIONS(.interface = "lo", .tc.direction = "ingress"));
	check_order(plain, ends, OPTIONS(.place.first = true), true);
	check_order(plain, ends, OPTIONS(.place.before = -1), true);
	check_order(plain, ends, OPTIONS(.place.after = -1), false);
	check_order(plain, ends, OPTIONS(.place.before = plain->fd), true);
	check_order(plain, ends, OPTIONS(.place.after = plain->fd), false);
	check_order(plain, ends, OPTIONS(.place.before_id = info.id), true);
	check_order(plain, ends, OPTIONS(.place.after_id = info.id), false);
	check_fails("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "egress", .place.after = ends->fd), ENOENT,
		    "is not attached here", "");
	check_fails("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "egress", .place.after = map_fd), EINVAL,
		    "neither of a program nor of a link", "");
	check_fails("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "egress", .place.first = true, .place.after_id = 1), EINVAL,
		    "not several", "");
	check_fails("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "egress", .place.expected_revision = 12345), ESTALE,
		    "revision 12345", "");
out:
	check_fails("tc", plain, OPTIONS(.interface = "lo"), EINVAL, "a direction is needed", "");
	check_fails("tc", plain, OPTIONS(.interface = "lo", .tc.direction = "up"), EINVAL, "direction 'up'", "");
	check_fails("tc", plain, OPTIONS(.interface = "nope0", .tc.direction = "egress"), ENODEV, "no interface 'nope0'", "");
	check_fails("tc", plain, OPTIONS(.tc.direction = "egress"), EINVAL, "an interface is needed", "");
	ebpf_program_close(program);
	ebpf_program_close(ends);
	ebpf_program_close(plain);
}

/* -- netkit -- */

static void change_device(const char *name, bool add)
{
	struct ebpf_link link = { .kernel = kernel, .socket_fd = -1 };
	struct ifinfomsg message = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;
	struct nlattr *nest;

	CHECK_INT(ebpf_netlink_open(&link), 0);
	ebpf_netlink_begin(&request, RTM_NEWLINK, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &message, sizeof message);
	ebpf_netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	if (add) {
		nest = ebpf_netlink_nest(&request, IFLA_LINKINFO);
		ebpf_netlink_add(&request, IFLA_INFO_KIND, "netkit", sizeof "netkit");
		ebpf_netlink_nest_end(&request, nest);
	}
	CHECK_INT(ebpf_netlink_exchange(&link, &request, &answer), 0);
	close(link.socket_fd);
}

/* A frame by a packet socket: it is dissected on its way. */
static void send_frame(const char *device)
{
	uint8_t frame[60] = { [12] = 8, [14] = 0x45, [17] = 28, [22] = 64, [23] = 17 }; /* Ethernet, IPv4, UDP */
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(device), .sll_halen = 6 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (sendto(fd, frame, sizeof frame, 0, (struct sockaddr *)&to, sizeof to) < 0)
		perror("send_frame");
	close(fd);
}

static void send_over_netkit(void)
{
	send_frame("primary0");
}

/* A device that was brought up sends once a worker of the kernel has taken note of it. */
static void wait_for_netkit(struct ebpf_program *program)
{
	struct ebpf_link *link = NULL;

	ATTACH("netkit", program, &link, .interface = "primary0", .tc.direction = "primary");
	reset();
	for (int i = 0; link && i < 500 && !count(); i++) {
		send_over_netkit();
		usleep(10000);
	}
	CHECK(count());
	ebpf_link_close(link);
}

static void test_netkit(void)
{
	struct ebpf_program *program = load_tc(0, NEXT, 1), *primary;

	if (!has("netkit")) {
		check_fails("netkit", program, OPTIONS(.interface = "lo", .tc.direction = "peer"), ENOTSUP, "Linux 6.7", "");
		printf("note: netkit: only the message was tried: none here\n");
		ebpf_program_close(program);
		return;
	}
	change_device("primary0", true);
	change_device("nk0", false); /* as the kernel calls the peer */
	wait_for_netkit(program);
	primary = load_tc(BPF_NETKIT_PRIMARY, NEXT, 1);
	check_link("netkit", program, OPTIONS(.interface = "primary0", .tc.direction = "primary"), "link", send_over_netkit);
	check_link("netkit", primary, OPTIONS(.interface = "primary0", .place.first = true), "link", send_over_netkit);
	check_fails("netkit", primary, OPTIONS(.interface = "lo"), ENXIO, "netkit primary lo", "must be a netkit device");
	ebpf_program_close(program);
	ebpf_program_close(primary);
}

/* -- netfilter -- */

static void test_netfilter(void)
{
	struct ebpf_program *program, *drops;
	struct ebpf_link *link = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (!has("netfilter_link")) {
		printf("note: netfilter: not tried: none here\n");
		close(fd);
		return;
	}
	program = LOAD(.type = BPF_PROG_TYPE_NETFILTER, .attach_type = BPF_NETFILTER, .result = NF_ACCEPT);
	drops = LOAD(.type = BPF_PROG_TYPE_NETFILTER, .attach_type = BPF_NETFILTER, .result = NF_DROP);
	check_link("netfilter", program, OPTIONS(.netfilter.family = "ipv4", .netfilter.hook = "output", .netfilter.priority = -5), "link", send_packet);
	check_link("netfilter", program, OPTIONS(.netfilter.family = "ipv4", .netfilter.hook = "input"), "link", send_packet);
	ATTACH("netfilter", drops, &link, .netfilter.family = "ipv4", .netfilter.hook = "output", .netfilter.priority = 10);
	CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) < 0);
	check_fails("netfilter", program, OPTIONS(.netfilter.family = "ipv4", .netfilter.hook = "output", .netfilter.priority = 10), EBUSY, "is taken", "");
	ebpf_link_close(link);
	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	close(fd);
	check_fails("netfilter", program, OPTIONS(.netfilter.family = "ipx", .netfilter.hook = "output"), EINVAL, "family 'ipx'", "");
	check_fails("netfilter", program, OPTIONS(.netfilter.family = "ipv6"), EINVAL, "a hook is needed", "");
	mask("netfilter_link", true);
	check_fails("netfilter", program, OPTIONS(.netfilter.family = "ipv6", .netfilter.hook = "input"), ENOTSUP, "Linux 6.4", "");
	mask("netfilter_link", false);
	ebpf_program_close(program);
	ebpf_program_close(drops);
}

/* -- network namespaces -- */

static void send_over_lo(void)
{
	send_frame("lo");
}

static void test_netns(void)
{
	struct ebpf_program *program;
	struct ebpf_link *link = NULL;
	const char *newest = has("netns_link") ? "link" : "attach";
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	program = LOAD(.type = BPF_PROG_TYPE_FLOW_DISSECTOR, .attach_type = BPF_FLOW_DISSECTOR);
	check_link("flow_dissector", program, OPTIONS(.cookie = 0), newest, send_over_lo);
	mask("netns_link", true);
	check_link("netns", program, OPTIONS(.cookie = 0), "attach", send_over_lo);
	check_fails("netns", program, OPTIONS(.target_fd = fd), ENOTSUP, "only a flow dissector of this process's own", "");
	mask("netns_link", false);
	ebpf_program_close(program);
	program = LOAD(.type = BPF_PROG_TYPE_SK_LOOKUP, .attach_type = BPF_SK_LOOKUP, .result = PASS);
	check_link("sk_lookup", program, OPTIONS(.cookie = 0), "link", send_packet);
	check_link("netns", program, OPTIONS(.target_fd = fd), "link", send_packet);
	check_link("netns", program, OPTIONS(.path = "/proc/self/ns/net"), "link", send_packet);
	check_link("netns", program, OPTIONS(.pid = getpid()), "link", send_packet);
	ATTACH("netns", program, &link, .pid = -1);
	CHECK_INT(ebpf_link_update(link, program, &error), 0);
	ebpf_link_close(link);
	check_fails("netns", program, OPTIONS(.path = "no-such-netns"), ENOENT, "/run/netns/no-such-netns", "");
	check_fails("netns", program, OPTIONS(.path = "/dev/null"), EINVAL, "sk_lookup /dev/null", "network namespace");
	check_fails("netns", program, OPTIONS(.path = "x", .pid = 1), EINVAL, "not several", "");
	close(fd);
	ebpf_program_close(program);
}

/* -- sockets -- */

static int receiver = -1, sender = -1, sockets = -1;

/* A TCP connection over lo. */
static void connect_sockets(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_INT(bind(listener, (struct sockaddr *)&address, size), 0);
	CHECK_INT(listen(listener, 1), 0);
	CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(connect(sender, (struct sockaddr *)&address, size), 0);
	receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(receiver >= 0);
	close(listener);
}

/* A socket takes the map's programs when it is put into it; it leaves it when it is closed. */
static void send_through_map(int *fd)
{
	uint32_t key = 0, value;
	struct timeval patience = { .tv_sec = 5 };
	union bpf_attr attr;
	char text[4];

	connect_sockets();
	value = (uint32_t)*fd;
	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)sockets;
	attr.key = ebpf_ptr(&key);
	attr.value = ebpf_ptr(&value);
	CHECK_INT(ebpf_kernel_sys(kernel)->bpf(BPF_MAP_UPDATE_ELEM, &attr, EBPF_ATTR_SIZE(flags)), 0);
	setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	CHECK_INT(send(sender, "x", 1, 0), 1);
	CHECK_INT(recv(receiver, text, sizeof text, 0), 1);
	close(sender);
	close(receiver);
}

static void send_message(void)
{
	send_through_map(&sender);
}

static void receive_message(void)
{
	send_through_map(&receiver);
}

/* Each program is told by how much it adds. */
static void check_sockmap_update(const char *interface)
{
	struct ebpf_program *one = LOAD(.type = BPF_PROG_TYPE_SK_MSG, .attach_type = BPF_SK_MSG_VERDICT, .result = PASS);
	struct ebpf_program *other = LOAD(.type = BPF_PROG_TYPE_SK_MSG, .attach_type = BPF_SK_MSG_VERDICT, .result = PASS, .add = 1000);
	struct ebpf_link *link = NULL;
	bool by_link = !strcmp(interface, "link");

	ATTACH("sockmap", one, &link, .map = sockets);
	CHECK_STR(ebpf_link_interface(link), interface);
	CHECK_INT(ebpf_link_exchange(link, other, other, &error), by_link ? -EPERM : -ENOTSUP);
	CHECK(strstr(error.message, by_link ? "not the one that was to be replaced" : "cannot tell which program it replaces"));
	ebpf_error_clear(&error);
	reset();
	send_message();
	CHECK(count() >= 1 && count() < 1000);
	CHECK_INT(by_link ? ebpf_link_exchange(link, one, other, &error) : ebpf_link_update(link, other, &error), 0);
	reset();
	send_message();
	CHECK(count() >= 1000 && count() % 1000 == 0);
	CHECK_INT(ebpf_link_update(link, one, &error), 0);
	reset();
	send_message();
	CHECK(count() >= 1 && count() < 1000);
	ebpf_link_close(link);
	reset();
	send_message();
	CHECK_INT(count(), 0);
	ebpf_program_close(one);
	ebpf_program_close(other);
}

static void test_sockmap(void)
{
	struct ebpf_program *message = LOAD(.type = BPF_PROG_TYPE_SK_MSG, .attach_type = BPF_SK_MSG_VERDICT, .result = PASS);
	struct ebpf_program *stream = LOAD(.type = BPF_PROG_TYPE_SK_SKB, .attach_type = BPF_SK_SKB_STREAM_VERDICT, .result = PASS);
	struct ebpf_program *bare = LOAD(.type = BPF_PROG_TYPE_SK_SKB, .result = PASS);
	const char *newest = has("sockmap_link") ? "link" : "attach";
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	sockets = ebpf_kernel_sys(kernel)->bpf(BPF_MAP_CREATE, &attr, EBPF_ATTR_SIZE(map_flags));
	CHECK(sockets >= 0);
	check_link("sk_msg", message, OPTIONS(.map = sockets), newest, send_message);
	check_link("sk_skb", stream, OPTIONS(.map = sockets), newest, receive_message);
	check_link("sockmap", bare,
		   OPTIONS(.map = sockets, .attach_type = "sk_skb_stream_verdict", .attach_mode = "legacy"), "attach", receive_message);
	check_sockmap_update(newest);
	mask("sockmap_link", true);
	check_sockmap_update("attach");
	check_link("sockmap", message, OPTIONS(.map = sockets), "attach", send_message);
	check_fails("sockmap", message, OPTIONS(.map = sockets, .attach_mode = "link"), ENOTSUP, "Linux 6.10", "");
	mask("sockmap_link", false);
	check_fails("sockmap", bare, OPTIONS(.map = sockets), EINVAL, "an attach_type is needed", "");
	check_fails("sockmap", message, OPTIONS(.map = map_fd), has("sockmap_link") ? EINVAL : EOPNOTSUPP, "sockmap sk_msg_verdict",
		    "must be a sockmap");
	check_fails("sockmap", message, OPTIONS(.cookie = 0), EINVAL, "a map is needed", "");
	close(sockets);
	ebpf_program_close(message);
	ebpf_program_close(stream);
	ebpf_program_close(bare);
}

static int udp_receiver(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = *port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;
	socklen_t size = sizeof address;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, size), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = address.sin_port;
	return fd;
}

static uint16_t udp_port;

static void send_to_receiver(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = udp_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
	close(fd);
}

static void test_sockets(void)
{
	struct ebpf_program *filter = LOAD(.type = BPF_PROG_TYPE_SOCKET_FILTER, .result = 0xffff);
	struct ebpf_program *first = LOAD(.type = BPF_PROG_TYPE_SOCKET_FILTER, .result = 0);
	struct ebpf_program *choice = LOAD(.type = BPF_PROG_TYPE_SK_REUSEPORT, .result = PASS);
	struct ebpf_link *link = NULL;
	int one, two;
	char text[4];

	udp_port = 0;
	one = udp_receiver(&udp_port);
	check_link("socket_filter", filter, OPTIONS(.socket.fd = one), "socket", send_to_receiver);
	/* a filter that takes nothing: what is sent does not come */
	while (recv(one, text, sizeof text, MSG_DONTWAIT) > 0)
		;
	ATTACH("socket_filter", first, &link, .socket.fd = one);
	send_to_receiver();
	CHECK_INT(recv(one, text, sizeof text, MSG_DONTWAIT), -1);
	CHECK_INT(ebpf_link_update(link, filter, &error), 0);
	send_to_receiver();
	CHECK_INT(recv(one, text, sizeof text, 0), 1);
	ebpf_link_close(link);
	two = udp_receiver(&udp_port);
	check_link("reuseport", choice, OPTIONS(.socket.fd = one), "socket", send_to_receiver);
	check_link("reuseport", first, OPTIONS(.socket.fd = two), "socket", send_to_receiver);
	check_fails("socket_filter", choice, OPTIONS(.socket.fd = one), EINVAL, "socket_filter of socket", "type socket_filter");
	check_fails("socket_filter", filter, OPTIONS(.socket.fd = map_fd), ENOTSOCK, "", "descriptor of a socket");
	check_fails("reuseport", choice, OPTIONS(.socket.fd = 1 << 20), EBADF, "", "descriptor of a socket");
	check_fails("reuseport", choice, OPTIONS(.cookie = 0), EINVAL, "a socket_fd is needed", "");
	close(one);
	close(two);
	ebpf_program_close(filter);
	ebpf_program_close(first);
	ebpf_program_close(choice);
}

/* -- others -- */

static void test_lirc(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_SOCKET_FILTER);

	check_fails("lirc", program, OPTIONS(.path = "/dev/lirc99"), ENOENT, "lirc /dev/lirc99", "");
	check_fails("lirc", program, OPTIONS(.path = "/dev/null"), EINVAL, "lirc /dev/null", "receiver");
	check_fails("lirc", program, OPTIONS(.path = "/dev/null", .target_fd = 3), EINVAL, "a path", "");
	ebpf_program_close(program);
}

int main(void)
{
	int status;

	if (!set_up(&status))
		return status;
	test_tc_filters();
	test_tcx();
	test_netkit();
	test_netfilter();
	test_netns();
	test_sockmap();
	test_sockets();
	test_lirc();
	return clean_up();
}
