/* sockmap.c -- programs of types sk_msg and sk_skb on the sockets of a sockmap or sockhash.
 *
 * Chain: BPF_LINK_CREATE (6.10) -> BPF_PROG_ATTACH to the map (4.14), which takes the place of the program that is there.
 */
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("map", map, 1),
	EBPF_LINK_OPTION("attach_type", attach_type, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "sk_msg", "sk_skb", NULL };

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)extra, (void)storage, (void)size;
	if (!out->map) {
		ebpf_fail(err, EINVAL, "it needs to know the map whose sockets it is for");
		ebpf_hint(err, "give the option map");
		return 0;
	}
	if (program->attach_type || out->attach_type)
		return 1;
	ebpf_fail(err, EINVAL, "its section does not say whether it is a parser or a verdict");
	ebpf_hint(err, "write SEC(\"sk_skb/stream_verdict\"), or give the option attach_type");
	return 0;
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, ebpf_link_reattach, err);
}

static int explain(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EBUSY:
		ebpf_hint(err, "the map has such a program already, and a link of another kind of verdict excludes this one");
		break;
	case -EINVAL: case -EOPNOTSUPP:
		ebpf_hint(err, "the map must be a sockmap or sockhash, and the program loaded for this attach type");
		break;
	}
	return code;
}

static int choose_attach_type(struct ebpf_link *link, const struct ebpf_program *program, const char *text,
			      struct ebpf_error *err)
{
	int value = text ? ebpf_enum_value(EBPF_ATTACH_TYPE, text) : (int)program->attach_type;

	if (program->type != BPF_PROG_TYPE_SK_MSG && program->type != BPF_PROG_TYPE_SK_SKB)
		return ebpf_fail(err, EINVAL, "sockmap: a program of type %s is not for the sockets of a map",
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
	if (value < 0)
		return ebpf_fail(err, EINVAL, "sockmap: '%s' is no attach type (as \"sk_skb_stream_verdict\")", text);
	if (!value && program->type == BPF_PROG_TYPE_SK_MSG)
		value = BPF_SK_MSG_VERDICT;
	if (!value)
		return ebpf_fail(err, EINVAL, "sockmap: an attach_type is needed (\"sk_skb_stream_verdict\", ...)");
	link->attach_type = (uint32_t)value;
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	enum ebpf_attach_mode mode;
	union bpf_attr attr;
	int result;

	(void)alias;
	if (given->map <= 0)
		return ebpf_fail(err, EINVAL, "sockmap: a map is needed");
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = choose_attach_type(link, program, given->attach_type, err);
	if (!result)
		result = ebpf_link_set_target(link, err, "sockmap %s of descriptor %d",
					      ebpf_enum_name(EBPF_ATTACH_TYPE, link->attach_type), given->map);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_PERF)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'perf': sockmaps have \"link\" and \"legacy\"", link->target);
	link->target_fd = ebpf_link_keep_fd(link, given->map);
	if (link->target_fd < 0)
		return explain(link, link->target_fd, err);
	if (mode != EBPF_ATTACH_LEGACY && !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_SOCKMAP_LINK)) {
		memset(&attr, 0, sizeof attr);
		result = ebpf_link_create_at_target(link, program, &attr);
		if (!result)
			return 0;
		if (ebpf_kernel_supports(link->kernel, EBPF_FEATURE_SOCKMAP_LINK))
			return explain(link, result, err);
	}
	if (mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'link': links of sockmaps need Linux %s", link->target,
				 ebpf_feature_since(EBPF_FEATURE_SOCKMAP_LINK));
	result = ebpf_link_attach_kept(link, program, 0);
	return result ? explain(link, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_sockmap = {
	.name = "sockmap",
	.since = "4.14",
	.aliases = aliases,
	.options = options,
	.parse = parse,
	.attach = attach,
	.update = update,
};
