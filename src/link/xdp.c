/* xdp.c -- XDP programs on network interfaces.
 *
 * Chain: BPF_LINK_CREATE (5.9) -> rtnetlink IFLA_XDP (4.8). By netlink the program would outlive its owner, so it is
 * taken off again by the link, and only if it is still there (XDP_FLAGS_REPLACE with the expected program, 5.7; before,
 * by asking for its id).
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "link/link.h"

/* IFLA_XDP and what is nested in it; the numbers, since headers may be older than the last of them. */
enum {
	LINK_XDP = 43,
	XDP_FD = 1,
	XDP_FLAGS = 3,
	XDP_PROG_ID = 4,
	XDP_DRV_PROG_ID = 5,
	XDP_SKB_PROG_ID = 6,
	XDP_HW_PROG_ID = 7,
	XDP_EXPECTED_FD = 8
};

#define MODES (XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE)
#define ANSWER_SIZE (64U << 10)

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION(interface, EBPF_OPTION_STRING, 1),
	EBPF_LINK_OPTION(ifindex, EBPF_OPTION_S32, 0),
	EBPF_LINK_OPTION(mode, EBPF_OPTION_STRING, 0),
	EBPF_LINK_OPTION(flags, EBPF_OPTION_U32, 0),
	EBPF_LINK_OPTION(attach_mode, EBPF_OPTION_STRING, 0),
	{ 0 },
};

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)extra, (void)storage, (void)size;
	if (program->attach_type == BPF_XDP_DEVMAP || program->attach_type == BPF_XDP_CPUMAP) {
		ebpf_fail(err, ENOTSUP, "it runs for the entries of a %s, not on an interface",
			  program->attach_type == BPF_XDP_DEVMAP ? "devmap" : "cpumap");
		ebpf_hint(err, "write its descriptor into the entry of the map");
		return 0;
	}
	if (out->interface || out->ifindex)
		return 1;
	ebpf_fail(err, EINVAL, "an XDP program needs to know its interface");
	ebpf_hint(err, "give the option interface");
	return 0;
}

/* -- netlink: one request, one answer -- */

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	uint8_t attributes[64];
};

static void add_attribute(struct request *request, unsigned short type, uint32_t value)
{
	uint8_t *at = (uint8_t *)request + request->head.nlmsg_len;
	struct rtattr head = { .rta_len = RTA_LENGTH(sizeof value), .rta_type = type };

	memcpy(at, &head, sizeof head);
	memcpy(at + sizeof head, &value, sizeof value);
	request->head.nlmsg_len += head.rta_len;
}

static struct request make_request(unsigned short type, unsigned short flags, int ifindex)
{
	return (struct request){
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			  .nlmsg_type = type,
			  .nlmsg_flags = NLM_F_REQUEST | flags },
		.info = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex },
	};
}

/* Waits for the answer to the one request that is under way: a message into `answer` (from `*size` bytes of room), or
 * the kernel's error. *size becomes 0 when no answer could be had, so that it is not known what the kernel did. */
static int receive(struct ebpf_link *link, uint8_t *answer, size_t *size)
{
	size_t room = *size;

	*size = 0;
	for (;;) {
		struct ebpf_span bytes = { .data = answer };
		ssize_t got = ebpf_kernel_sys(link->kernel)->recv(link->socket_fd, answer, room, 0);
		uint32_t length, sequence, code;
		uint16_t type;

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		bytes.size = (size_t)got;
		if (!ebpf_span_u32(bytes, 0, &length) || !ebpf_span_u16(bytes, 4, &type) ||
		    !ebpf_span_u32(bytes, 8, &sequence) || length > bytes.size)
			return -EBADMSG;
		if (sequence != link->socket_sequence)
			continue; /* of a request whose answer was lost before */
		if (type == NLMSG_ERROR && !ebpf_span_u32(bytes, 16, &code))
			return -EBADMSG;
		*size = length;
		return type == NLMSG_ERROR ? (int)code : 0;
	}
}

static int exchange(struct ebpf_link *link, struct request *request, uint8_t *answer, size_t *size)
{
	ssize_t sent;

	request->head.nlmsg_seq = ++link->socket_sequence;
	sent = ebpf_kernel_sys(link->kernel)->send(link->socket_fd, request, request->head.nlmsg_len, 0);
	return sent < 0 ? (int)sent : receive(link, answer, size);
}

/* Sets the program of the interface (-1 = none), on condition that it is `expected` where flags have XDP_FLAGS_REPLACE.
 * *unknown: the request went out but its answer was lost. */
static int set_program(struct ebpf_link *link, int program_fd, int expected_fd, uint32_t flags, bool *unknown)
{
	struct request request = make_request(RTM_SETLINK, NLM_F_ACK, link->ifindex);
	uint8_t answer[4096];
	size_t start = request.head.nlmsg_len, size = sizeof answer;
	int result;
	struct rtattr nest = { .rta_type = LINK_XDP | NLA_F_NESTED };

	request.head.nlmsg_len += sizeof nest;
	add_attribute(&request, XDP_FD, (uint32_t)program_fd);
	add_attribute(&request, XDP_FLAGS, flags);
	if (flags & XDP_FLAGS_REPLACE)
		add_attribute(&request, XDP_EXPECTED_FD, (uint32_t)expected_fd);
	nest.rta_len = (unsigned short)(request.head.nlmsg_len - start);
	memcpy((uint8_t *)&request + start, &nest, sizeof nest);
	result = exchange(link, &request, answer, &size);
	*unknown = size == 0;
	return result;
}

/* The attribute `type` of a list; false when there is none. */
static bool find_attribute(struct ebpf_span list, uint16_t type, struct ebpf_span *value)
{
	uint16_t length, found;

	for (uint64_t at = 0; ebpf_span_u16(list, at, &length) && ebpf_span_u16(list, at + 2, &found) && length >= 4;
	     at += (length + 3U) & ~3U)
		if ((found & NLA_TYPE_MASK) == type)
			return ebpf_span_sub(list, at + 4, length - 4U, value);
	return false;
}

/* The id of the interface's program in the mode of `flags`; 0 = none. */
static int query_program(struct ebpf_link *link, uint32_t flags, uint32_t *id)
{
	struct request request = make_request(RTM_GETLINK, 0, link->ifindex);
	struct ebpf_span list, nest, value;
	size_t size = ANSWER_SIZE, head = NLMSG_LENGTH(sizeof(struct ifinfomsg));
	uint16_t wanted = flags & XDP_FLAGS_SKB_MODE ? XDP_SKB_PROG_ID : flags & XDP_FLAGS_DRV_MODE ? XDP_DRV_PROG_ID :
			  flags & XDP_FLAGS_HW_MODE ? XDP_HW_PROG_ID : XDP_PROG_ID;
	uint8_t *answer = malloc(size);
	int result = answer ? exchange(link, &request, answer, &size) : -ENOMEM;

	*id = 0;
	if (!result && size > head) {
		list = (struct ebpf_span){ .data = answer + head, .size = size - head };
		if (find_attribute(list, LINK_XDP, &nest) &&
		    (find_attribute(nest, wanted, &value) || find_attribute(nest, XDP_PROG_ID, &value)))
			ebpf_span_u32(value, 0, id);
	}
	free(answer);
	return result;
}

static uint32_t program_id(struct ebpf_link *link, int fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof info;
	attr.info.info = ebpf_ptr(&info);
	return ebpf_kernel_sys(link->kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info)) ? 0 : info.id;
}

/* Replaces our program by another or by none (-1). -EEXIST when it is not ours any more. */
static int replace_ours(struct ebpf_link *link, int program_fd)
{
	uint32_t there, modes = link->attach_flags & MODES;
	bool unknown;
	int result = set_program(link, program_fd, link->program_fd_kept, modes | XDP_FLAGS_REPLACE, &unknown);

	if (result != -EINVAL)
		return result;
	/* Linux before 5.7 */
	result = query_program(link, modes, &there);
	if (result)
		return result;
	return there && there == program_id(link, link->program_fd_kept)
		       ? set_program(link, program_fd, -1, modes, &unknown)
		       : -EEXIST;
}

static int take_off(struct ebpf_link *link, struct ebpf_error *err)
{
	int result = replace_ours(link, -1);

	if (!result || result == -EEXIST || result == -ENODEV)
		return 0; /* it is off, or another's took its place, or the interface is gone */
	return ebpf_link_fail(link, result, err);
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, replace_ours, err);
}

static int attach_by_netlink(struct ebpf_link *link, const struct ebpf_program *program, uint32_t flags)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(link->kernel);
	bool unknown;
	int result;

	link->socket_fd = sys->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (link->socket_fd < 0)
		return link->socket_fd;
	link->program_fd_kept = ebpf_link_keep_fd(link, program->fd);
	if (link->program_fd_kept < 0)
		return link->program_fd_kept;
	link->attach_flags = flags;
	link->interface = "netlink";
	result = set_program(link, program->fd, -1, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, &unknown);
	/* Not after a refusal: the program that is there may be the same one, of another link. */
	if (!result || unknown)
		link->undo = take_off;
	return result;
}

/* -- the kind -- */

/* By ioctl on a socket of any kind; the index is that of the network namespace of this thread. */
static int find_interface(struct ebpf_link *link, const char *name)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(link->kernel);
	struct ifreq request = { 0 };
	int result, fd;

	if (strlen(name) >= sizeof request.ifr_name)
		return -ENODEV;
	memcpy(request.ifr_name, name, strlen(name));
	fd = sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	result = sys->ioctl(fd, SIOCGIFINDEX, (unsigned long)(uintptr_t)&request);
	sys->close(fd);
	return result < 0 ? result : request.ifr_ifindex;
}

static int mode_flags(const char *mode, uint32_t *flags, struct ebpf_error *err)
{
	static const struct { const char *word; uint32_t flag; } words[] = {
		{ "generic", XDP_FLAGS_SKB_MODE }, { "driver", XDP_FLAGS_DRV_MODE }, { "offload", XDP_FLAGS_HW_MODE },
	};

	for (size_t i = 0; mode && i < EBPF_COUNT(words); i++) {
		if (strcmp(mode, words[i].word) != 0)
			continue;
		*flags |= words[i].flag;
		return 0;
	}
	return mode ? ebpf_fail(err, EINVAL, "xdp: mode '%s': not one of \"generic\", \"driver\", \"offload\"", mode)
		    : 0;
}

static int explain(struct ebpf_link *link, uint32_t flags, int code, struct ebpf_error *err)
{
	uint32_t there = 0;

	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EBUSY: case -EEXIST:
		if (link->socket_fd >= 0 && !query_program(link, flags, &there) && there)
			ebpf_fail(err, code, "%s: the interface has an XDP program already (id %u)", link->target,
				  there);
		else
			ebpf_fail(err, code, "%s: the interface (or one above it) has an XDP program already",
				  link->target);
		ebpf_hint(err, "only one XDP program fits an interface: detach the other first (ip link set dev ... "
			  "xdp off, unless a link holds it)");
		break;
	case -EOPNOTSUPP:
		if (flags & (XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE))
			ebpf_hint(err, "the driver of this interface does not know this mode; mode \"generic\" works "
				  "on every interface");
		break;
	case -EINVAL: case -ERANGE:
		ebpf_hint(err, "the interface may have settings that exclude XDP (a large MTU, LRO), or the program "
			  "may be of another mode or for a device");
		break;
	case -EPERM:
		ebpf_hint(err, "attaching to an interface needs CAP_NET_ADMIN in its network namespace");
		break;
	}
	return code;
}

static int choose_interface(struct ebpf_link *link, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	int index = given->ifindex;

	if (!given->interface && given->ifindex <= 0)
		return ebpf_fail(err, EINVAL, "xdp: an interface is needed");
	if (given->interface && given->ifindex)
		return ebpf_fail(err, EINVAL, "xdp: either interface or ifindex, not both");
	if (given->interface) {
		index = find_interface(link, given->interface);
		if (index == -ENODEV)
			return ebpf_fail(err, ENODEV, "xdp: there is no interface '%s' in this network namespace",
					 given->interface);
		if (index < 0)
			return ebpf_fail_errno(err, index, "xdp: interface '%s'", given->interface);
	}
	link->ifindex = index;
	if (given->interface)
		return ebpf_link_set_target(link, err, "xdp %s", given->interface);
	return ebpf_link_set_target(link, err, "xdp interface %d", index);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	uint32_t flags = given->flags;
	enum ebpf_attach_mode mode;
	union bpf_attr attr;
	int result;

	(void)alias;
	if (program->type != BPF_PROG_TYPE_XDP || program->attach_type == BPF_XDP_DEVMAP ||
	    program->attach_type == BPF_XDP_CPUMAP)
		return ebpf_fail(err, EINVAL, "xdp: the program is not one for interfaces");
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = mode_flags(given->mode, &flags, err);
	if (!result)
		result = choose_interface(link, given, err);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_PERF)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'perf': XDP has \"link\" and \"legacy\"", link->target);
	link->attach_type = BPF_XDP;
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.target_ifindex = (uint32_t)link->ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = flags;
	if (mode != EBPF_ATTACH_LEGACY && !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_XDP_LINK)) {
		result = ebpf_link_create(link, &attr);
		if (!result)
			return 0;
		if (ebpf_kernel_supports(link->kernel, EBPF_FEATURE_XDP_LINK))
			return explain(link, flags, result, err);
	}
	if (mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'link': XDP links need Linux %s", link->target,
				 ebpf_feature_since(EBPF_FEATURE_XDP_LINK));
	result = attach_by_netlink(link, program, flags);
	return result ? explain(link, flags, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_xdp = {
	.name = "xdp", .since = "4.8", .options = options, .parse = parse, .attach = attach, .update = update,
};
