/* iter.c -- iterators: programs that the kernel runs for each task, map, map element, cgroup, socket, ... when somebody
 * reads; what they print is the text of a file. A link of them is opened as often as one likes (iterator.c), and pinned
 * it is a file for everybody.
 *
 * Chain: BPF_LINK_CREATE (5.8; of a map 5.9, of some tasks or a cgroup 6.1). There is nothing older.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("map", map, 0),
	EBPF_LINK_OPTION("path", path, 0),
	EBPF_LINK_OPTION("cgroup", cgroup.path, 0),
	EBPF_LINK_OPTION("cgroup_fd", cgroup.fd, 0),
	EBPF_LINK_OPTION("order", iter.order, 0),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("tid", iter.tid, 0),
	EBPF_LINK_OPTION("pid_fd", iter.pid_fd, 0),
	{ 0 },
};

/* Those that walk something which must be named. */
static bool needs_map(const char *target)
{
	static const char *const targets[] = { "bpf_map_elem", "bpf_sk_storage_map", "sockmap" };

	for (size_t i = 0; target && i < EBPF_COUNT(targets); i++)
		if (!strcmp(targets[i], target))
			return true;
	return false;
}

static bool is_cgroup(const char *target)
{
	return target && !strcmp(target, "cgroup");
}

/* The section has been used up when the program was loaded. Options for many programs at once (a process, a cgroup) may be
 * meant for others. */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)storage, (void)size;
	if (extra && !ebpf_starts_with(extra, "task"))
		out->pid = out->iter.tid = out->iter.pid_fd = 0;
	if (extra && !is_cgroup(extra)) {
		out->path = out->cgroup.path = out->iter.order = NULL;
		out->cgroup.fd = 0;
	}
	if (!needs_map(extra))
		out->map = 0;
	else if (!out->map) {
		ebpf_fail(err, EINVAL, "section '%s': the map that it walks must be named", program->section);
		ebpf_hint(err, "attach it by kind, with the option map");
		return 0;
	}
	return 1;
}

static int fill_cgroup(struct ebpf_link *link, const struct ebpf_link_options *given, union bpf_iter_link_info *info,
		       struct ebpf_error *err)
{
	static const struct { const char *word; uint32_t order; } orders[] = {
		{ "self", BPF_CGROUP_ITER_SELF_ONLY },
		{ "preorder", BPF_CGROUP_ITER_DESCENDANTS_PRE },
		{ "postorder", BPF_CGROUP_ITER_DESCENDANTS_POST },
		{ "ancestors", BPF_CGROUP_ITER_ANCESTORS_UP },
		{ "children", BPF_CGROUP_ITER_CHILDREN },
	};

	info->cgroup.order = given->iter.order ? 0 : BPF_CGROUP_ITER_DESCENDANTS_PRE;
	for (size_t i = 0; given->iter.order && i < EBPF_COUNT(orders); i++)
		if (!strcmp(orders[i].word, given->iter.order))
			info->cgroup.order = orders[i].order;
	if (!info->cgroup.order)
		return ebpf_fail(err, EINVAL,
				 "iter: order '%s': not one of \"self\", \"preorder\", \"postorder\", \"ancestors\", "
				 "\"children\"",
				 given->iter.order);
	if (given->path) {
		link->target_fd = ebpf_kernel_sys(link->kernel)->openat(AT_FDCWD, given->path, O_RDONLY | O_DIRECTORY, 0);
		if (link->target_fd < 0)
			return ebpf_fail_errno(err, link->target_fd, "iter: cgroup '%s'", given->path);
	}
	info->cgroup.cgroup_fd = given->path ? (uint32_t)link->target_fd : (uint32_t)given->cgroup.fd;
	return 0;
}

/* Whether there are parameters, and which. */
static int fill(struct ebpf_link *link, const struct ebpf_program *program, const struct ebpf_link_options *given,
		union bpf_iter_link_info *info, bool *any, struct ebpf_error *err)
{
	bool cgroup = is_cgroup(program->attach_to) || given->path || given->cgroup.fd || given->iter.order;
	int tasks = (given->pid != 0) + (given->iter.tid != 0) + (given->iter.pid_fd != 0);

	memset(info, 0, sizeof *info);
	*any = true;
	if (tasks > 1)
		return ebpf_fail(err, EINVAL, "iter: one of pid, tid and pid_fd, not several");
	if ((given->map != 0) + cgroup + tasks > 1)
		return ebpf_fail(err, EINVAL, "iter: parameters of a map, of cgroups or of tasks, not of several");
	if (given->path && given->cgroup.fd)
		return ebpf_fail(err, EINVAL, "iter: either path or cgroup_fd, not both");
	if (given->map)
		info->map.map_fd = (uint32_t)given->map;
	else if (given->pid)
		info->task.pid = given->pid == -1 ? (uint32_t)getpid() : (uint32_t)given->pid;
	else if (given->iter.tid)
		info->task.tid = (uint32_t)given->iter.tid;
	else if (given->iter.pid_fd)
		info->task.pid_fd = (uint32_t)given->iter.pid_fd;
	else if (cgroup)
		return fill_cgroup(link, given, info, err);
	else
		*any = false;
	return 0;
}

static int explain(struct ebpf_link *link, const struct ebpf_program *program, const union bpf_iter_link_info *info,
		   bool any, int code, struct ebpf_error *err)
{
	if (!ebpf_kernel_supports(link->kernel, EBPF_FEATURE_ITER)) {
		ebpf_fail(err, ENOTSUP, "%s: iterators need Linux %s", link->target, ebpf_feature_since(EBPF_FEATURE_ITER));
		return -ENOTSUP;
	}
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EBADF:
		if (!any && needs_map(program->attach_to))
			ebpf_hint(err, "it walks a map: give the option map");
		else if (info->map.map_fd)
			ebpf_hint(err, "a descriptor among the options is not of the kind that this iterator takes");
		break;
	case -EINVAL: case -E2BIG:
		if (any)
			ebpf_hint(err, "this iterator takes no such parameters, or this kernel does not know them: maps need "
				  "Linux 5.9, tasks and cgroups 6.1");
		break;
	case -ESRCH:
		ebpf_hint(err, "there is no such process");
		break;
	}
	return code;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	union bpf_iter_link_info info;
	union bpf_attr attr;
	bool any;
	int result;

	(void)alias;
	if (program->type != BPF_PROG_TYPE_TRACING || program->attach_type != BPF_TRACE_ITER)
		return ebpf_fail(err, EINVAL, "iter: the program is not an iterator");
	result = ebpf_link_set_target(link, err, "iter %s", program->attach_to ? program->attach_to : program->name);
	if (!result)
		result = fill(link, program, given, &info, &any, err);
	if (result)
		return result;
	link->attach_type = BPF_TRACE_ITER;
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	if (any) {
		attr.link_create.iter_info = ebpf_ptr(&info);
		attr.link_create.iter_info_len = sizeof info;
	}
	result = ebpf_kernel_masked(link->kernel, EBPF_FEATURE_ITER) ? -EINVAL : ebpf_link_create(link, &attr);
	if (link->target_fd >= 0)
		ebpf_kernel_sys(link->kernel)->close(link->target_fd);
	link->target_fd = -1;
	return result ? explain(link, program, &info, any, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_iter = {
	.name = "iter", .since = "5.8", .options = options, .parse = parse, .attach = attach,
};
