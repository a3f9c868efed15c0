/* netns.c -- programs of a network namespace: sk_lookup, which chooses the socket that a packet is for, and the flow
 * dissector.
 *
 * Chain: BPF_LINK_CREATE (flow dissector 5.8, sk_lookup 5.9) -> BPF_PROG_ATTACH to this process's own namespace (flow
 * dissector, 4.20).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("netns", netns.path, 0),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("target_fd", target_fd, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "sk_lookup", "flow_dissector", NULL };

/* Whose namespace is meant is not said by sections: it is that of this process, unless the option netns names another. The
 * others may be meant for other programs. */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size, (void)err;
	out->path = NULL;
	out->pid = out->target_fd = 0;
	return 1;
}

/* "/proc/1/ns/net", or "blue", which ip-netns(8) keeps in /run/netns; a process's; or our own. */
static int open_namespace(struct ebpf_link *link, const char *word, const struct ebpf_link_options *given,
			  struct ebpf_error *err)
{
	char *path;
	int fd, result;

	if ((given->path != NULL) + (given->pid != 0) + (given->target_fd != 0) > 1)
		return ebpf_fail(err, EINVAL, "%s: one of path, pid and target_fd, not several", word);
	if (given->target_fd) {
		result = ebpf_link_set_target(link, err, "%s namespace of descriptor %d", word, given->target_fd);
		fd = result ? result : ebpf_link_keep_fd(link, given->target_fd);
		return fd < 0 && !result ? ebpf_link_fail(link, fd, err) : fd;
	}
	if (given->path)
		path = ebpf_sprintf("%s%s", strchr(given->path, '/') ? "" : "/run/netns/", given->path);
	else if (given->pid > 0)
		path = ebpf_sprintf("/proc/%d/ns/net", given->pid);
	else
		path = ebpf_strdup("/proc/self/ns/net");
	result = path ? ebpf_link_set_target(link, err, "%s %s", word, path) : ebpf_fail_memory(err);
	fd = result ? result : ebpf_kernel_sys(link->kernel)->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	free(path);
	return fd < 0 && !result ? ebpf_link_fail(link, fd, err) : fd;
}

/* The kernel takes no descriptor for it but 0, which stands for the namespace of this process. */
static int attach_by_program(struct ebpf_link *link, const struct ebpf_program *program)
{
	ebpf_kernel_sys(link->kernel)->close(link->target_fd);
	link->target_fd = -1;
	return ebpf_link_attach_kept(link, program, 0);
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, ebpf_link_reattach, err);
}

static int explain(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EBUSY: case -EEXIST: case -E2BIG:
		ebpf_hint(err, "the namespace (or the first one, for flow dissectors) has a program already; a namespace takes "
			  "one flow dissector and 64 sk_lookup programs");
		break;
	case -EPERM:
		ebpf_hint(err, "it needs CAP_NET_ADMIN in that network namespace");
		break;
	case -EBADF: case -EINVAL:
		ebpf_hint(err, "the descriptor or path must be of a network namespace");
		break;
	}
	return code;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	bool dissector = program->type == BPF_PROG_TYPE_FLOW_DISSECTOR, own;
	const char *word = dissector ? "flow_dissector" : "sk_lookup";
	enum ebpf_attach_mode mode;
	union bpf_attr attr;
	int result;

	(void)alias;
	if (!dissector && program->type != BPF_PROG_TYPE_SK_LOOKUP)
		return ebpf_fail(err, EINVAL, "netns: a program of type %s is not of a network namespace",
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_PERF)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'perf': there is \"link\" and \"legacy\"", word);
	own = !given->path && !given->target_fd && given->pid <= 0;
	link->target_fd = open_namespace(link, word, given, err);
	if (link->target_fd < 0)
		return link->target_fd;
	link->attach_type = dissector ? BPF_FLOW_DISSECTOR : BPF_SK_LOOKUP;
	if (mode != EBPF_ATTACH_LEGACY && !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_NETNS_LINK)) {
		memset(&attr, 0, sizeof attr);
		result = ebpf_link_create_at_target(link, program, &attr);
		if (!result)
			return 0;
		if (ebpf_kernel_supports(link->kernel, EBPF_FEATURE_NETNS_LINK))
			return explain(link, result, err);
	}
	if (mode == EBPF_ATTACH_LINK || !dissector || !own)
		return ebpf_fail(err, ENOTSUP, "%s: without links (Linux %s) only a flow dissector of this process's own namespace "
				 "can be attached", link->target, ebpf_feature_since(EBPF_FEATURE_NETNS_LINK));
	result = attach_by_program(link, program);
	return result ? explain(link, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_netns = {
	.name = "netns",
	.since = "4.20",
	.aliases = aliases,
	.options = options,
	.parse = parse,
	.attach = attach,
	.update = update,
};
