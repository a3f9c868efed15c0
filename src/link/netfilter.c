/* netfilter.c -- programs of type netfilter at the hooks of IPv4 and IPv6.
 *
 * Chain: BPF_LINK_CREATE (6.4). There is nothing older.
 */
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("family", netfilter.family, 1),
	EBPF_LINK_OPTION("hook", netfilter.hook, 2),
	EBPF_LINK_OPTION("priority", netfilter.priority, 0),
	EBPF_LINK_OPTION("defrag", netfilter.defrag, 0),
	{ 0 },
};

struct word {
	const char *text;
	uint32_t number;
};
/* enum nf_inet_hooks: the words are those of nft(8), and of iptables(8) */
static const struct word hooks[] = {
	{ "prerouting", 0 }, { "input", 1 }, { "forward", 2 }, { "output", 3 }, { "postrouting", 4 },
};
/* NFPROTO_IPV4, NFPROTO_IPV6 */
static const struct word families[] = { { "ipv4", 2 }, { "ipv6", 10 } };

static int find_word(const struct word *words, size_t count, const char *what, const char *text, uint32_t *number,
		     struct ebpf_error *err)
{
	struct ebpf_buffer list = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (text && !strcmp(words[i].text, text)) {
			*number = words[i].number;
			ebpf_buffer_free(&list);
			return 0;
		}
		ebpf_buffer_printf(&list, "%s\"%s\"", i ? ", " : "", words[i].text);
	}
	if (list.failed)
		ebpf_fail_memory(err);
	else if (text)
		ebpf_fail(err, EINVAL, "netfilter: %s '%s': not one of %s", what, text, list.data);
	else
		ebpf_fail(err, EINVAL, "netfilter: a %s is needed: one of %s", what, list.data);
	ebpf_buffer_free(&list);
	return -EINVAL;
}

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->netfilter.family && out->netfilter.hook)
		return 1;
	ebpf_fail(err, EINVAL, "its section does not say at which hook");
	ebpf_hint(err, "give the options family (\"ipv4\", \"ipv6\") and hook (\"input\")");
	return 0;
}

static int explain(struct ebpf_link *link, const struct ebpf_link_options *given, int code, struct ebpf_error *err)
{
	if (!ebpf_kernel_supports(link->kernel, EBPF_FEATURE_NETFILTER_LINK))
		return ebpf_fail(err, ENOTSUP, "%s: it needs Linux %s, with CONFIG_NETFILTER_BPF_LINK", link->target,
				 ebpf_feature_since(EBPF_FEATURE_NETFILTER_LINK));
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EBUSY: case -EEXIST:
		ebpf_fail(err, code, "%s: priority %d is taken at this hook", link->target, given->netfilter.priority);
		ebpf_hint(err, "give another option priority");
		break;
	case -ERANGE:
		ebpf_hint(err, "the lowest and the highest priority are the kernel's; with defrag it must be above -400");
		break;
	case -EAFNOSUPPORT: case -ENOENT: case -EOPNOTSUPP:
		if (given->netfilter.defrag)
			ebpf_hint(err, "putting fragments together needs Linux 6.6 and the module nf_defrag_%s", given->netfilter.family);
		break;
	case -EPERM:
		ebpf_hint(err, "it needs CAP_NET_ADMIN in this network namespace");
		break;
	}
	return code;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	uint32_t family, hook;
	union bpf_attr attr;
	int result;

	(void)alias;
	if (program->type != BPF_PROG_TYPE_NETFILTER)
		return ebpf_fail(err, EINVAL, "netfilter: a program of type %s is not for its hooks",
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
	result = find_word(families, EBPF_COUNT(families), "family", given->netfilter.family, &family, err);
	if (!result)
		result = find_word(hooks, EBPF_COUNT(hooks), "hook", given->netfilter.hook, &hook, err);
	if (!result)
		result = ebpf_link_set_target(link, err, "netfilter %s %s", given->netfilter.family, given->netfilter.hook);
	if (result)
		return result;
	link->attach_type = BPF_NETFILTER;
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.attach_type = BPF_NETFILTER;
	attr.link_create.netfilter.pf = family;
	attr.link_create.netfilter.hooknum = hook;
	attr.link_create.netfilter.priority = given->netfilter.priority;
	attr.link_create.netfilter.flags = given->netfilter.defrag ? BPF_F_NETFILTER_IP_DEFRAG : 0;
	result = ebpf_kernel_masked(link->kernel, EBPF_FEATURE_NETFILTER_LINK) ? -EINVAL : ebpf_link_create(link, &attr);
	return result ? explain(link, given, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_netfilter = {
	.name = "netfilter", .since = "6.4", .options = options, .parse = parse, .attach = attach,
};
