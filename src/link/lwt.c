/* lwt.c -- programs on a route (lightweight tunnels): on what is received for it (lwt_in), sent on it (lwt_out), or sent on with room for
 * more headers (lwt_xmit), 4.10; and as an action of IPv6 segment routing (lwt_seg6local, 4.18).
 *
 * There are no BPF links for them: the route is made by rtnetlink, and taken away again. The encapsulation has a name of its own, by
 * which an IPv4 route that somebody else has put there since is told from ours. (Of IPv6 routes the kernel does not compare it.)
 */
#include <arpa/inet.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <linux/seg6_local.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "link/netlink.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("destination", lwt.destination, 1),
	EBPF_LINK_OPTION("interface", interface, 2),
	EBPF_LINK_OPTION("ifindex", ifindex, 0),
	EBPF_LINK_OPTION("gateway", lwt.gateway, 0),
	EBPF_LINK_OPTION("table", lwt.table, 0),
	{ 0 },
};
static const char *const aliases[] = { "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local", NULL };

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage, size_t size,
		 struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->lwt.destination && (out->interface || out->ifindex || out->lwt.gateway))
		return 1;
	ebpf_fail(err, EINVAL, "such a program needs a route: no section says which");
	ebpf_hint(err, "give the options destination (\"10.0.0.0/8\") and interface");
	return 0;
}

/* Of a program type: its name, and what nests it in the encapsulation. */
static const struct form {
	const char *word;
	uint32_t program_type;
	uint16_t hook, tunnel;
} forms[] = {
	{ "lwt_in", BPF_PROG_TYPE_LWT_IN, LWT_BPF_IN, LWTUNNEL_ENCAP_BPF },
	{ "lwt_out", BPF_PROG_TYPE_LWT_OUT, LWT_BPF_OUT, LWTUNNEL_ENCAP_BPF },
	{ "lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, LWT_BPF_XMIT, LWTUNNEL_ENCAP_BPF },
	{ "lwt_seg6local", BPF_PROG_TYPE_LWT_SEG6LOCAL, SEG6_LOCAL_BPF, LWTUNNEL_ENCAP_SEG6_LOCAL },
};

static const struct form *form_of(const struct ebpf_program *program)
{
	for (size_t i = 0; i < EBPF_COUNT(forms); i++)
		if (forms[i].program_type == program->type)
			return &forms[i];
	return NULL;
}

/* -- the route -- */

struct route {
	const struct form *form;
	uint8_t family, prefix;
	uint8_t destination[16], gateway[16];
	size_t size;              /* of both: 4 or 16 */
	bool has_gateway;
	uint32_t table;           /* 0 = main */
	unsigned generation;      /* of the program on it: a part of the name, by which alone the kernel tells two programs apart */
};

static bool parse_address(const char *text, uint8_t *family, uint8_t *out)
{
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, out) == 1;
}

/* "10.0.0.0/8", "fc00::1" (that one alone) */
static bool parse_destination(const char *text, struct route *route)
{
	char address[64], *slash, *end;
	unsigned long prefix;

	if ((size_t)snprintf(address, sizeof address, "%s", text) >= sizeof address)
		return false;
	slash = strchr(address, '/');
	if (slash)
		*slash = '\0';
	if (!parse_address(address, &route->family, route->destination))
		return false;
	route->size = route->family == AF_INET ? 4 : 16;
	prefix = slash ? strtoul(slash + 1, &end, 10) : route->size * 8;
	if (prefix > route->size * 8 || (slash && (!slash[1] || *end)))
		return false;
	route->prefix = (uint8_t)prefix;
	return true;
}

static int choose_route(struct ebpf_link *link, const struct form *form, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	struct route *route = link->detail = calloc(1, sizeof *route);
	uint8_t family = 0;

	if (!route)
		return ebpf_fail_memory(err);
	route->form = form;
	route->table = given->lwt.table;
	if (!parse_destination(given->lwt.destination, route))
		return ebpf_fail(err, EINVAL, "%s: destination '%s' is no address and no prefix", form->word, given->lwt.destination);
	if (form->tunnel == LWTUNNEL_ENCAP_SEG6_LOCAL && route->family != AF_INET6)
		return ebpf_fail(err, EINVAL, "%s: '%s': segment routing is IPv6 alone", form->word, given->lwt.destination);
	route->has_gateway = given->lwt.gateway != NULL;
	if (given->lwt.gateway && (!parse_address(given->lwt.gateway, &family, route->gateway) || family != route->family))
		return ebpf_fail(err, EINVAL, "%s: gateway '%s' is no address of the kind of '%s'", form->word, given->lwt.gateway, given->lwt.destination);
	return 0;
}

/* What makes a program part of a route. Its name is unlike any other in the system: the process, and where the link is in memory. */
static void add_encapsulation(struct ebpf_netlink_request *request, const struct ebpf_link *link, int program_fd)
{
	const struct route *route = link->detail;
	const struct form *form = route->form;
	bool segments = form->tunnel == LWTUNNEL_ENCAP_SEG6_LOCAL;
	struct nlattr *nest, *inner;
	char name[64];

	snprintf(name, sizeof name, "ebpf_%d_%llx_%u", (int)getpid(), (unsigned long long)(uintptr_t)link, route->generation);
	ebpf_netlink_add(request, RTA_ENCAP_TYPE, &form->tunnel, sizeof form->tunnel);
	nest = ebpf_netlink_nest(request, RTA_ENCAP);
	if (segments)
		ebpf_netlink_add_u32(request, SEG6_LOCAL_ACTION, SEG6_LOCAL_ACTION_END_BPF);
	inner = ebpf_netlink_nest(request, form->hook);
	ebpf_netlink_add_u32(request, segments ? SEG6_LOCAL_BPF_PROG : LWT_BPF_PROG_FD, (uint32_t)program_fd);
	ebpf_netlink_add(request, segments ? SEG6_LOCAL_BPF_PROG_NAME : LWT_BPF_PROG_NAME, name, strlen(name) + 1);
	ebpf_netlink_nest_end(request, inner);
	ebpf_netlink_nest_end(request, nest);
}

static int change_route(struct ebpf_link *link, int program_fd, uint16_t type, uint16_t flags)
{
	const struct route *route = link->detail;
	struct rtmsg message = { .rtm_family = route->family,
				 .rtm_dst_len = route->prefix,
				 .rtm_table = RT_TABLE_UNSPEC,
				 .rtm_protocol = RTPROT_STATIC,
				 .rtm_type = RTN_UNICAST,
				 .rtm_scope = route->has_gateway || route->family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;

	ebpf_netlink_begin(&request, type, flags, &message, sizeof message);
	ebpf_netlink_add(&request, RTA_DST, route->destination, route->size);
	ebpf_netlink_add_u32(&request, RTA_TABLE, route->table ? route->table : RT_TABLE_MAIN);
	if (link->ifindex)
		ebpf_netlink_add_u32(&request, RTA_OIF, (uint32_t)link->ifindex);
	if (route->has_gateway)
		ebpf_netlink_add(&request, RTA_GATEWAY, route->gateway, route->size);
	add_encapsulation(&request, link, program_fd);
	return ebpf_netlink_exchange(link, &request, &answer);
}

static int take_off(struct ebpf_link *link, struct ebpf_error *err)
{
	int result = change_route(link, link->program_fd_kept, RTM_DELROUTE, 0);

	if (!result || result == -ESRCH || result == -ENODEV || result == -ENETDOWN)
		return 0; /* it is gone, or another's is there, or the interface is gone */
	return ebpf_link_fail(link, result, err);
}

static int replace_ours(struct ebpf_link *link, int program_fd)
{
	struct route *route = link->detail;
	int result;

	route->generation++;
	result = change_route(link, program_fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	if (result)
		route->generation--;
	return result;
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	const struct form *form = form_of(program);

	if (form != ((const struct route *)link->detail)->form)
		return ebpf_fail(err, EINVAL, "link '%s': update: the program is of another type", link->target);
	return ebpf_link_replace_kept(link, program, replace_ours, err);
}

/* -- the kind -- */

static int explain(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EEXIST:
		ebpf_hint(err, "there is a route for it already: remove it (ip route del), or choose a more specific destination");
		break;
	case -EOPNOTSUPP: case -EAFNOSUPPORT:
		ebpf_hint(err, "this kernel has no routes with programs (CONFIG_LWTUNNEL_BPF; of segments CONFIG_IPV6_SEG6_BPF, CONFIG_IPV6_SEG6_LWTUNNEL)");
		break;
	case -ENETUNREACH: case -EHOSTUNREACH:
		ebpf_hint(err, "the gateway cannot be reached by the interface");
		break;
	case -ENETDOWN:
		ebpf_hint(err, "the interface is down: ip link set DEVICE up");
		break;
	}
	return code;
}

static int choose_target(struct ebpf_link *link, const struct form *form, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	int result = 0;

	if (given->interface || given->ifindex)
		result = ebpf_link_choose_interface(link, given, form->word, err);
	return result ? result : ebpf_link_set_target(link, err, "%s %s", form->word, given->lwt.destination);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given, struct ebpf_link *link,
		  struct ebpf_error *err)
{
	const struct form *form = form_of(program);
	int result;

	if (!form)
		return ebpf_fail(err, EINVAL, "lwt: the program is none for routes (type lwt_in, lwt_out, lwt_xmit or lwt_seg6local)");
	if (strcmp(alias, "lwt") != 0 && strcmp(alias, form->word) != 0)
		return ebpf_fail(err, EINVAL, "%s: the program was loaded for %s", alias, form->word);
	if (!given->lwt.destination || (!given->interface && !given->ifindex && !given->lwt.gateway))
		return ebpf_fail(err, EINVAL, "%s: a destination, and an interface or a gateway are needed", form->word);
	result = choose_route(link, form, given, err);
	if (!result)
		result = choose_target(link, form, given, err);
	if (result)
		return result;
	result = ebpf_netlink_open(link);
	if (!result)
		result = ebpf_link_keep_program(link, program);
	if (result)
		return ebpf_link_fail(link, result, err);
	link->interface = "netlink";
	result = change_route(link, program->fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	if (result)
		return explain(link, result, err);
	link->undo = take_off;
	return 0;
}

const struct ebpf_link_kind ebpf_kind_lwt = {
	.name = "lwt", .since = "4.10", .aliases = aliases, .options = options, .parse = parse, .attach = attach, .update = update,
};
