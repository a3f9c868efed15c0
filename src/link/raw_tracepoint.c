/* raw_tracepoint.c -- programs of type raw_tracepoint (and its writable form): the arguments of a trace event before
 * they are made into a record.
 *
 * Chain: BPF_RAW_TRACEPOINT_OPEN with a cookie (6.10) -> without (4.17; its descriptor is a BPF link since 5.7).
 */
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("name", tracepoint.name, 1),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	{ 0 },
};
static const char *const aliases[] = { "raw_tp", NULL };

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size || strchr(storage, '/'))
			return ebpf_fail(err, EINVAL, "section '%s': a raw tracepoint is written raw_tracepoint/name",
					 program->section);
		out->tracepoint.name = storage;
	}
	if (out->tracepoint.name)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no raw tracepoint");
	ebpf_hint(err, "write SEC(\"raw_tracepoint/name\"), or give the option name");
	return 0;
}

static int explain(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_link_options *given,
		   int code, struct ebpf_error *err)
{
	const char *nearest;

	if (given->cookie && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_RAW_TP_COOKIE))
		return ebpf_fail(err, ENOTSUP, "%s: a cookie needs Linux %s", link->target,
				 ebpf_feature_since(EBPF_FEATURE_RAW_TP_COOKIE));
	if (code == -ENOENT) {
		ebpf_fail(err, ENOENT, "%s: there is no such raw tracepoint in this kernel", link->target);
		nearest = ebpf_kernel_nearest_type(link->kernel, "btf_trace_", given->tracepoint.name, BTF_KIND_TYPEDEF);
		if (nearest)
			ebpf_hint(err, "the nearest is '%s'", nearest);
		return -ENOENT;
	}
	ebpf_link_fail(link, code, err);
	if (code == -EINVAL && program->flags & BPF_F_SLEEPABLE)
		ebpf_hint(err, "only tracepoints that may fault, as those of system calls since Linux 6.13, take a "
			  "sleepable program");
	else if (code == -EINVAL)
		ebpf_hint(err, "the program reads more arguments than this tracepoint has");
	return code;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result;

	(void)alias;
	if (!given->tracepoint.name)
		return ebpf_fail(err, EINVAL, "raw_tracepoint: a name is needed (\"sys_enter\")");
	result = ebpf_link_set_target(link, err, "raw_tracepoint %s", given->tracepoint.name);
	if (result)
		return result;
	if (given->cookie && ebpf_kernel_masked(link->kernel, EBPF_FEATURE_RAW_TP_COOKIE))
		return explain(link, program, given, -EINVAL, err);
	memset(&attr, 0, sizeof attr);
	attr.raw_tracepoint.name = ebpf_ptr(given->tracepoint.name);
	attr.raw_tracepoint.prog_fd = (uint32_t)program->fd;
	attr.raw_tracepoint.cookie = given->cookie;
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, EBPF_ATTR_SIZE(raw_tracepoint));
	if (result < 0)
		return explain(link, program, given, result, err);
	link->fd = result;
	link->interface = "raw";
	return 0;
}

const struct ebpf_link_kind ebpf_kind_raw_tracepoint = {
	.name = "raw_tracepoint",
	.since = "4.17",
	.aliases = aliases,
	.options = options,
	.parse = parse,
	.attach = attach,
};
