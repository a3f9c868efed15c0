/* xdp.c -- XDP programs on network interfaces.
 *
 * Chain: BPF_LINK_CREATE (5.9) -> rtnetlink IFLA_XDP (4.8). By netlink the program would outlive its owner, so it is
 * taken off again by the link, and only if it is still there (XDP_FLAGS_REPLACE with the expected program, 5.7; before,
 * by asking for its id).
 */
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "link/netlink.h"

/* IFLA_XDP and what is nested in it; the numbers, since headers may be older than the last of them. */
enum {
	LINK_XDP = 43,
	XDP_FD = 1,
	XDP_ATTACHED = 2,
	XDP_FLAGS = 3,
	XDP_PROG_ID = 4,
	XDP_DRV_PROG_ID = 5,
	XDP_SKB_PROG_ID = 6,
	XDP_HW_PROG_ID = 7,
	XDP_EXPECTED_FD = 8
};

#define MODES (XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE)

static const struct ebpf_option options[] = {
	EBPF_LINK_DEVICE_OPTIONS,
	EBPF_LINK_OPTION("mode", xdp.mode, 0),
	EBPF_LINK_OPTION("flags", flags, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
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

/* -- by netlink -- */

/* Sets the program of the interface (-1 = none), on condition that it is `expected` where flags have XDP_FLAGS_REPLACE.
 * *unknown: the request went out but its answer was lost. */
static int set_program(struct ebpf_link *link, int program_fd, int expected_fd, uint32_t flags, bool *unknown)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->ifindex };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;
	struct nlattr *nest;
	int result;

	ebpf_netlink_begin(&request, RTM_SETLINK, 0, &info, sizeof info);
	nest = ebpf_netlink_nest(&request, LINK_XDP);
	ebpf_netlink_add_u32(&request, XDP_FD, (uint32_t)program_fd);
	ebpf_netlink_add_u32(&request, XDP_FLAGS, flags);
	if (flags & XDP_FLAGS_REPLACE)
		ebpf_netlink_add_u32(&request, XDP_EXPECTED_FD, (uint32_t)expected_fd);
	ebpf_netlink_nest_end(&request, nest);
	result = ebpf_netlink_exchange(link, &request, &answer);
	*unknown = answer.lost;
	return result;
}

/* What the kernel tells of the interface's XDP, in `answer`; false: nothing. */
static bool ask(struct ebpf_link *link, struct ebpf_netlink_answer *answer, struct ebpf_span *nest, int *result)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->ifindex };
	struct ebpf_netlink_request request;
	struct ebpf_span list;

	ebpf_netlink_begin(&request, RTM_GETLINK, 0, &info, sizeof info);
	*result = ebpf_netlink_exchange(link, &request, answer);
	return !*result && ebpf_netlink_attributes(answer, sizeof info, &list) && ebpf_netlink_find(list, LINK_XDP, nest);
}

/* The id of the interface's program in the mode of `flags`; 0 = none. */
static int query_program(struct ebpf_link *link, uint32_t flags, uint32_t *id)
{
	uint16_t wanted = flags & XDP_FLAGS_SKB_MODE ? XDP_SKB_PROG_ID : flags & XDP_FLAGS_DRV_MODE ? XDP_DRV_PROG_ID :
			  flags & XDP_FLAGS_HW_MODE ? XDP_HW_PROG_ID : XDP_PROG_ID;
	struct ebpf_netlink_answer answer;
	struct ebpf_span nest, value;
	int result;

	*id = 0;
	if (ask(link, &answer, &nest, &result) &&
	    (ebpf_netlink_find(nest, wanted, &value) || ebpf_netlink_find(nest, XDP_PROG_ID, &value)))
		ebpf_span_u32(value, 0, id);
	return result;
}

/* One program, or one for each mode. The id of each mode is told since Linux 4.19; before, that of the only one. */
int ebpf_xdp_query(struct ebpf_link *link, struct ebpf_link_query *query)
{
	static const struct { uint16_t attribute; uint8_t attached; const char *mode; } modes[] = { /* XDP_ATTACHED_... */
		{ XDP_DRV_PROG_ID, 1, "driver" }, { XDP_SKB_PROG_ID, 2, "generic" }, { XDP_HW_PROG_ID, 3, "offload" },
	};
	struct ebpf_netlink_answer answer;
	struct ebpf_span nest, value;
	uint8_t attached = 0;
	int result;

	if (!ask(link, &answer, &nest, &result))
		return result;
	if (ebpf_netlink_find(nest, XDP_ATTACHED, &value))
		ebpf_span_u8(value, 0, &attached);
	for (size_t i = 0; i < EBPF_COUNT(modes) && !result; i++) {
		struct ebpf_attached item = { .mode = modes[i].mode };

		if ((ebpf_netlink_find(nest, modes[i].attribute, &value) ||
		     (attached == modes[i].attached && ebpf_netlink_find(nest, XDP_PROG_ID, &value))) &&
		    ebpf_span_u32(value, 0, &item.program_id) && item.program_id)
			result = ebpf_link_query_add(query, &item);
	}
	return result;
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
	return there && there == ebpf_link_program_id(link, link->program_fd_kept)
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
	bool unknown;
	int result = ebpf_netlink_open(link);

	if (!result)
		result = ebpf_link_keep_program(link, program);
	if (result)
		return result;
	link->attach_flags = flags;
	link->interface = "netlink";
	result = set_program(link, program->fd, -1, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, &unknown);
	/* Not after a refusal: the program that is there may be the same one, of another link. */
	if (!result || unknown)
		link->undo = take_off;
	return result;
}

/* -- the kind -- */

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
		result = mode_flags(given->xdp.mode, &flags, err);
	if (!result)
		result = ebpf_link_choose_interface(link, given, "xdp", err);
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
