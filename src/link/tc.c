/* tc.c -- programs of type sched_cls on what goes in and out of a network interface, and on netkit devices.
 *
 * tc: BPF_LINK_CREATE (tcx, 6.6) -> a filter of the classifier "bpf" under the qdisc "clsact", by rtnetlink (4.5). Such a
 * filter would outlive its owner, so it is taken off again by the link, and only if it is still there and has our
 * program; the qdisc goes too if it was made for it and no other filter is left. Programs on tcx run before all filters.
 * netkit: BPF_LINK_CREATE (6.7).
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/netlink.h"

/* The numbers, since headers may be older: pkt_sched.h of 4.5, pkt_cls.h of 4.15, rtnetlink.h of 4.13. */
enum { CLSACT_PARENT_INGRESS = 0xfffffff2, CLSACT_PARENT_EGRESS = 0xfffffff3, BPF_ATTRIBUTE_ID = 11, CHAIN_ATTRIBUTE = 11, PRIORITY_MAX = 0xffff };

static const struct ebpf_option tc_options[] = {
	EBPF_LINK_DEVICE_OPTIONS,
	EBPF_LINK_OPTION("direction", tc.direction, 2),
	EBPF_LINK_PLACE_OPTIONS,
	EBPF_LINK_OPTION("flags", flags, 0),
	EBPF_LINK_OPTION("priority", tc.priority, 0),
	EBPF_LINK_OPTION("handle", tc.handle, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const struct ebpf_option netkit_options[] = {
	EBPF_LINK_DEVICE_OPTIONS,
	EBPF_LINK_OPTION("direction", tc.direction, 2),
	EBPF_LINK_PLACE_OPTIONS,
	EBPF_LINK_OPTION("flags", flags, 0),
	{ 0 },
};
static const char *const tc_aliases[] = { "tcx", "classifier", NULL };

/* -- where -- */

static const struct place {
	const char *word;
	uint32_t attach_type;
} tc_places[] = { { "ingress", BPF_TCX_INGRESS }, { "egress", BPF_TCX_EGRESS } },
  netkit_places[] = { { "primary", BPF_NETKIT_PRIMARY }, { "peer", BPF_NETKIT_PEER } };

/* By the option, else by what the program was loaded for; NULL when neither says it. */
static const struct place *find_place(const struct place places[2], const char *direction, uint32_t attach_type)
{
	for (size_t i = 0; i < 2; i++)
		if (direction ? !strcmp(places[i].word, direction) : places[i].attach_type == attach_type)
			return &places[i];
	return NULL;
}

static int parse_with(const struct ebpf_program *program, const struct ebpf_link_options *out, const struct place places[2],
		      struct ebpf_error *err)
{
	if (!out->interface && !out->ifindex) {
		ebpf_fail(err, EINVAL, "it needs to know its interface");
		ebpf_hint(err, "give the option interface");
		return 0;
	}
	if (out->tc.direction || find_place(places, NULL, program->attach_type))
		return 1;
	ebpf_fail(err, EINVAL, "its section does not say in which direction");
	ebpf_hint(err, "give the option direction (\"%s\", \"%s\"), or write SEC(\"tc/ingress\")", places[0].word,
		  places[1].word);
	return 0;
}

static int parse_tc(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		    size_t size, struct ebpf_error *err)
{
	(void)extra, (void)storage, (void)size;
	return parse_with(program, out, tc_places, err);
}

static int parse_netkit(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
			size_t size, struct ebpf_error *err)
{
	(void)extra, (void)storage, (void)size;
	return parse_with(program, out, netkit_places, err);
}

/* -- by a filter -- */

struct filter {
	uint32_t parent, handle;
	uint32_t info;       /* priority and protocol */
	bool qdisc_is_ours;
};

static struct tcmsg message_of(const struct ebpf_link *link)
{
	const struct filter *filter = link->detail;

	return (struct tcmsg){ .tcm_family = AF_UNSPEC,
			       .tcm_ifindex = link->ifindex,
			       .tcm_parent = filter->parent,
			       .tcm_handle = filter->handle,
			       .tcm_info = filter->info };
}

static int change_qdisc(struct ebpf_link *link, uint16_t type, uint16_t flags)
{
	struct tcmsg message = { .tcm_family = AF_UNSPEC,
				 .tcm_ifindex = link->ifindex,
				 .tcm_parent = TC_H_INGRESS,
				 .tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0) };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;

	ebpf_netlink_begin(&request, type, flags, &message, sizeof message);
	ebpf_netlink_add(&request, TCA_KIND, "clsact", sizeof "clsact");
	return ebpf_netlink_exchange(link, &request, &answer);
}

/* Takes the place and the handle that the kernel chose out of its echo. */
static int set_filter(struct ebpf_link *link, int program_fd, uint16_t flags, struct ebpf_netlink_answer *answer)
{
	struct filter *filter = link->detail;
	struct tcmsg message = message_of(link);
	struct ebpf_netlink_request request;
	struct nlattr *nest;
	int result;

	ebpf_netlink_begin(&request, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_ECHO | flags, &message, sizeof message);
	ebpf_netlink_add(&request, TCA_KIND, "bpf", sizeof "bpf");
	nest = ebpf_netlink_nest(&request, TCA_OPTIONS);
	ebpf_netlink_add_u32(&request, TCA_BPF_FD, (uint32_t)program_fd);
	ebpf_netlink_add(&request, TCA_BPF_NAME, "ebpf", sizeof "ebpf");
	ebpf_netlink_add_u32(&request, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	ebpf_netlink_nest_end(&request, nest);
	result = ebpf_netlink_exchange(link, &request, answer);
	if (result || answer->size < NLMSG_HDRLEN + sizeof message)
		return result;
	memcpy(&message, answer->data + NLMSG_HDRLEN, sizeof message);
	filter->handle = message.tcm_handle;
	filter->info = message.tcm_info;
	return 0;
}

/* The id of the program of our filter; 0 = there is no such filter, or it is none of a program. */
static uint32_t query_filter(struct ebpf_link *link)
{
	struct tcmsg message = message_of(link);
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;
	struct ebpf_span list, options, value;
	uint32_t id = 0;

	ebpf_netlink_begin(&request, RTM_GETTFILTER, 0, &message, sizeof message);
	ebpf_netlink_add(&request, TCA_KIND, "bpf", sizeof "bpf");
	if (!ebpf_netlink_exchange(link, &request, &answer) && ebpf_netlink_attributes(&answer, sizeof message, &list) &&
	    ebpf_netlink_find(list, TCA_OPTIONS, &options) && ebpf_netlink_find(options, BPF_ATTRIBUTE_ID, &value))
		ebpf_span_u32(value, 0, &id);
	return id;
}

static bool is_still_ours(struct ebpf_link *link)
{
	uint32_t id = query_filter(link);

	return id && id == ebpf_link_program_id(link, link->program_fd_kept);
}

static bool has_filters(struct ebpf_link *link, uint32_t parent)
{
	struct tcmsg message = { .tcm_family = AF_UNSPEC, .tcm_ifindex = link->ifindex, .tcm_parent = parent };
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;

	ebpf_netlink_begin(&request, RTM_GETTFILTER, NLM_F_DUMP, &message, sizeof message);
	return ebpf_netlink_exchange(link, &request, &answer) || answer.count;
}

static void drop_qdisc(struct ebpf_link *link)
{
	const struct filter *filter = link->detail;

	if (filter->qdisc_is_ours && !has_filters(link, CLSACT_PARENT_INGRESS) && !has_filters(link, CLSACT_PARENT_EGRESS))
		change_qdisc(link, RTM_DELQDISC, 0);
}

static int take_off(struct ebpf_link *link, struct ebpf_error *err)
{
	struct tcmsg message = message_of(link);
	struct ebpf_netlink_request request;
	struct ebpf_netlink_answer answer;
	int result = 0;

	if (((const struct filter *)link->detail)->info && is_still_ours(link)) {
		ebpf_netlink_begin(&request, RTM_DELTFILTER, 0, &message, sizeof message);
		ebpf_netlink_add(&request, TCA_KIND, "bpf", sizeof "bpf");
		result = ebpf_netlink_exchange(link, &request, &answer);
	}
	drop_qdisc(link);
	return result && result != -ENOENT && result != -ENODEV ? ebpf_link_fail(link, result, err) : 0;
}

static int replace_ours(struct ebpf_link *link, int program_fd)
{
	struct ebpf_netlink_answer answer;

	return is_still_ours(link) ? set_filter(link, program_fd, NLM_F_REPLACE, &answer) : -ENOENT;
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, replace_ours, err);
}

static int attach_by_filter(struct ebpf_link *link, const struct ebpf_program *program, const struct place *place,
			    const struct ebpf_link_options *given)
{
	struct ebpf_netlink_answer answer;
	struct filter *filter = calloc(1, sizeof *filter);
	int result;

	link->detail = filter;
	result = filter ? ebpf_netlink_open(link) : -ENOMEM;
	if (!result)
		result = ebpf_link_keep_program(link, program);
	if (result)
		return result;
	link->interface = "netlink";
	filter->parent = place->attach_type == BPF_TCX_INGRESS ? CLSACT_PARENT_INGRESS : CLSACT_PARENT_EGRESS;
	filter->handle = given->tc.handle;
	result = change_qdisc(link, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	if (result && result != -EEXIST)
		return result;
	filter->qdisc_is_ours = !result;
	link->undo = take_off; /* of the qdisc as well, when the filter is refused */
	filter->info = (uint32_t)given->tc.priority << 16 | htons(ETH_P_ALL);
	result = set_filter(link, program->fd, NLM_F_EXCL, &answer);
	if (result && !answer.lost)
		filter->info = 0; /* what is at the place may be another's, of the same program */
	return result;
}

/* -- which filters there are -- */

struct search {
	int ifindex;
	bool found;
};

static int find_clsact(const struct ebpf_netlink_answer *message, void *context)
{
	struct search *search = context;
	struct ebpf_span list, kind;
	struct tcmsg head;

	if (!ebpf_netlink_attributes(message, sizeof head, &list) || !ebpf_netlink_find(list, TCA_KIND, &kind))
		return 0;
	memcpy(&head, message->data + NLMSG_HDRLEN, sizeof head);
	if (head.tcm_ifindex == search->ifindex && head.tcm_parent == TC_H_INGRESS)
		search->found = kind.size == sizeof "clsact" && !memcmp(kind.data, "clsact", kind.size);
	return 0;
}

/* Are there filters of egress? The qdisc "ingress" shows its only list for them too. (A single qdisc is not told but to everybody who listens.) */
static int has_clsact(struct ebpf_link *link, bool *found)
{
	struct tcmsg message = { .tcm_family = AF_UNSPEC, .tcm_ifindex = link->ifindex };
	struct search search = { .ifindex = link->ifindex };
	struct ebpf_netlink_request request;
	int result;

	ebpf_netlink_begin(&request, RTM_GETQDISC, NLM_F_DUMP, &message, sizeof message);
	result = ebpf_netlink_dump(link, &request, find_clsact, &search);
	*found = search.found;
	return result;
}

/* A filter that has a program; others, and the heads of each priority's list, are passed over. */
static int add_filter(const struct ebpf_netlink_answer *message, void *context)
{
	struct ebpf_attached item = { 0 };
	struct ebpf_span list, options, value;
	struct tcmsg head;

	if (!ebpf_netlink_attributes(message, sizeof head, &list) || !ebpf_netlink_find(list, TCA_OPTIONS, &options) ||
	    !ebpf_netlink_find(options, BPF_ATTRIBUTE_ID, &value) || !ebpf_span_u32(value, 0, &item.program_id))
		return 0;
	memcpy(&head, message->data + NLMSG_HDRLEN, sizeof head);
	item.handle = head.tcm_handle;
	item.priority = head.tcm_info >> 16;
	if (ebpf_netlink_find(list, CHAIN_ATTRIBUTE, &value))
		ebpf_span_u32(value, 0, &item.chain);
	return ebpf_link_query_add(context, &item);
}

int ebpf_tc_query(struct ebpf_link *link, struct ebpf_link_query *query)
{
	bool ingress = query->attach_type == BPF_TCX_INGRESS, there = true;
	struct tcmsg message = { .tcm_family = AF_UNSPEC,
				 .tcm_ifindex = link->ifindex,
				 .tcm_parent = ingress ? CLSACT_PARENT_INGRESS : CLSACT_PARENT_EGRESS };
	struct ebpf_netlink_request request;
	int result = ingress ? 0 : has_clsact(link, &there);

	if (result || !there)
		return result;
	ebpf_netlink_begin(&request, RTM_GETTFILTER, NLM_F_DUMP, &message, sizeof message);
	return ebpf_netlink_dump(link, &request, add_filter, query);
}

/* -- the kinds -- */

static int explain(struct ebpf_link *link, const struct ebpf_link_options *given, int code, struct ebpf_error *err)
{
	bool by_filter = link->interface && !strcmp(link->interface, "netlink");

	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EPERM:
		ebpf_hint(err, "attaching to an interface needs CAP_NET_ADMIN in its network namespace");
		break;
	case -EEXIST:
		if (by_filter)
			ebpf_fail(err, code, "%s: there is a filter of this priority and handle already", link->target);
		break;
	case -ENOENT: case -EOPNOTSUPP:
		if (by_filter)
			ebpf_hint(err, "the kernel may lack clsact or cls_bpf (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF): "
				  "modprobe sch_ingress cls_bpf");
		break;
	}
	return by_filter ? code : ebpf_link_explain_anchor(link, given, code, err);
}

static int attach_by_link(struct ebpf_link *link, const struct ebpf_program *program, const struct ebpf_link_options *given,
			  const char *word, struct ebpf_error *err)
{
	uint32_t flags, relative;
	union bpf_attr attr;
	int result = ebpf_link_anchor(given, word, &flags, &relative, err);

	if (result)
		return result;
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.target_ifindex = (uint32_t)link->ifindex;
	attr.link_create.attach_type = link->attach_type;
	attr.link_create.flags = flags;
	attr.link_create.tcx.relative_fd = relative; /* netkit's members are at the same place */
	attr.link_create.tcx.expected_revision = given->place.expected_revision;
	result = ebpf_link_create(link, &attr);
	return result ? explain(link, given, result, err) : 0;
}

static int check(const struct ebpf_program *program, const struct place *place, const struct place places[2], const char *word,
		 const char *direction, struct ebpf_error *err)
{
	if (program->type != BPF_PROG_TYPE_SCHED_CLS)
		return ebpf_fail(err, EINVAL, "%s: a program of type %s does not go there, but sched_cls", word,
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
	if (place)
		return 0;
	if (direction)
		return ebpf_fail(err, EINVAL, "%s: direction '%s': not one of \"%s\", \"%s\"", word, direction, places[0].word,
				 places[1].word);
	return ebpf_fail(err, EINVAL, "%s: a direction is needed, \"%s\" or \"%s\"", word, places[0].word, places[1].word);
}

/* What only one of the two ways can do chooses it. */
static int choose_mode(struct ebpf_link *link, const char *alias, const struct ebpf_link_options *given,
		       enum ebpf_attach_mode *mode, struct ebpf_error *err)
{
	uint32_t flags, relative;
	int result = ebpf_attach_mode(given->attach_mode, mode, err);

	if (!result)
		result = ebpf_link_anchor(given, "tc", &flags, &relative, err);
	if (result)
		return result;
	if (given->tc.priority < 0 || given->tc.priority > PRIORITY_MAX)
		return ebpf_fail(err, EINVAL, "tc: priority %d is not of 1 to %d", given->tc.priority, PRIORITY_MAX);
	if (*mode == EBPF_ATTACH_PERF)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'perf': tc has \"link\" and \"legacy\"", link->target);
	if (*mode == EBPF_ATTACH_ANY && (!strcmp(alias, "tcx") || ebpf_link_has_anchor(given)))
		*mode = EBPF_ATTACH_LINK;
	if (*mode == EBPF_ATTACH_ANY && (given->tc.priority || given->tc.handle))
		*mode = EBPF_ATTACH_LEGACY;
	if (*mode == EBPF_ATTACH_LINK && (given->tc.priority || given->tc.handle))
		return ebpf_fail(err, EINVAL, "%s: priority and handle are of filters (attach_mode 'legacy'), not of links",
				 link->target);
	if (*mode == EBPF_ATTACH_LEGACY && (ebpf_link_has_anchor(given) || given->flags))
		return ebpf_fail(err, EINVAL, "%s: a place among others is of links: filters have a priority", link->target);
	return 0;
}

static int attach_tc(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		     struct ebpf_link *link, struct ebpf_error *err)
{
	const struct place *place = find_place(tc_places, given->tc.direction, program->attach_type);
	enum ebpf_attach_mode mode;
	char word[16];
	int result = check(program, place, tc_places, "tc", given->tc.direction, err);

	if (result)
		return result;
	snprintf(word, sizeof word, "tc %s", place->word);
	result = ebpf_link_choose_interface(link, given, word, err);
	if (!result)
		result = choose_mode(link, alias, given, &mode, err);
	if (result)
		return result;
	link->attach_type = place->attach_type;
	if (mode != EBPF_ATTACH_LEGACY && !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_TCX)) {
		result = attach_by_link(link, program, given, "tc", err);
		if (!result || ebpf_kernel_supports(link->kernel, EBPF_FEATURE_TCX))
			return result;
	}
	if (mode == EBPF_ATTACH_LINK) {
		ebpf_fail(err, ENOTSUP, "%s: links of tc (tcx) need Linux %s", link->target,
			  ebpf_feature_since(EBPF_FEATURE_TCX));
		ebpf_hint(err, "as kind \"tc\", without a place among others, a filter of clsact takes its stead");
		return -ENOTSUP;
	}
	result = attach_by_filter(link, program, place, given);
	return result ? explain(link, given, result, err) : 0;
}

static int attach_netkit(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
			 struct ebpf_link *link, struct ebpf_error *err)
{
	const struct place *place = find_place(netkit_places, given->tc.direction, program->attach_type);
	char word[32];
	int result = check(program, place, netkit_places, "netkit", given->tc.direction, err);

	(void)alias;
	if (result)
		return result;
	snprintf(word, sizeof word, "netkit %s", place->word);
	result = ebpf_link_choose_interface(link, given, word, err);
	if (result)
		return result;
	link->attach_type = place->attach_type;
	result = ebpf_kernel_masked(link->kernel, EBPF_FEATURE_NETKIT) ? -EINVAL :
									  attach_by_link(link, program, given, "netkit", err);
	if (!result)
		return 0;
	if (!ebpf_kernel_supports(link->kernel, EBPF_FEATURE_NETKIT))
		return ebpf_fail(err, ENOTSUP, "%s: programs on netkit need Linux %s, with CONFIG_NETKIT", link->target,
				 ebpf_feature_since(EBPF_FEATURE_NETKIT));
	if (result == -ENXIO || result == -EINVAL)
		ebpf_hint(err, "the interface must be a netkit device, seen from the side that made it");
	else if (result == -EACCES)
		ebpf_hint(err, "this is the peer: attach through the primary device, with direction \"peer\"");
	return result;
}

const struct ebpf_link_kind ebpf_kind_tc = {
	.name = "tc",
	.since = "4.5",
	.aliases = tc_aliases,
	.options = tc_options,
	.parse = parse_tc,
	.attach = attach_tc,
	.update = update,
};
const struct ebpf_link_kind ebpf_kind_netkit = {
	.name = "netkit", .since = "6.7", .options = netkit_options, .parse = parse_netkit, .attach = attach_netkit,
};
