/* tracepoint.c -- programs of type tracepoint on the kernel's static trace events, by category and name.
 *
 * Chain: perf event + BPF_LINK_CREATE (5.15) -> perf event + PERF_EVENT_IOC_SET_BPF (4.7).
 */
#include <linux/perf_event.h>
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("category", tracepoint.category, 1),
	EBPF_LINK_OPTION("name", tracepoint.name, 2),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "tp", NULL };

/* "category/name" */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	char *slash;

	(void)program;
	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size || !(slash = strchr(storage, '/')) ||
		    slash == storage || !slash[1])
			return ebpf_fail(err, EINVAL, "section '%s': a tracepoint is written tracepoint/category/name",
					 program->section);
		*slash = '\0';
		out->tracepoint.category = storage;
		out->tracepoint.name = slash + 1;
	}
	if (out->tracepoint.category && out->tracepoint.name)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no tracepoint");
	ebpf_hint(err, "write SEC(\"tracepoint/category/name\"), or give the options category and name");
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct perf_event_attr attr;
	enum ebpf_attach_mode mode;
	int64_t id;
	int result;

	(void)alias;
	if (!given->tracepoint.category || !given->tracepoint.name)
		return ebpf_fail(err, EINVAL,
				 "tracepoint: category and name are needed (\"syscalls\", \"sys_enter_openat\")");
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = ebpf_link_set_target(link, err, "tracepoint %s:%s", given->tracepoint.category, given->tracepoint.name);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_LEGACY)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'legacy': a tracepoint has \"link\" and \"perf\"",
				 link->target);
	id = ebpf_kernel_tracepoint(link->kernel, given->tracepoint.category, given->tracepoint.name, err);
	if (id < 0)
		return (int)id;
	memset(&attr, 0, sizeof attr);
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)id;
	result = ebpf_perf_open(link, &attr, -1);
	return result ? ebpf_link_fail(link, result, err) : ebpf_perf_attach(link, program, given->cookie, mode, err);
}

const struct ebpf_link_kind ebpf_kind_tracepoint = {
	.name = "tracepoint", .since = "4.7", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
