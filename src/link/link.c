/* link.c -- an attachment once it is there: sharing, detaching, asking, pinning, updating. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "link/link.h"

/* -- what kinds share -- */

int ebpf_link_set_target(struct ebpf_link *link, struct ebpf_error *err, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return ebpf_fail_memory(err);
	free(link->target);
	link->target = text;
	return 0;
}

int ebpf_link_create(struct ebpf_link *link, union bpf_attr *attr)
{
	int fd = ebpf_kernel_sys(link->kernel)->bpf(BPF_LINK_CREATE, attr, EBPF_ATTR_SIZE(link_create));

	if (fd < 0)
		return fd;
	link->fd = fd;
	link->interface = "link";
	return 0;
}

int ebpf_link_keep_fd(struct ebpf_link *link, int fd)
{
	return ebpf_kernel_sys(link->kernel)->fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int ebpf_link_prog_attach(struct ebpf_link *link, int program_fd, uint32_t flags, int replaced_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.target_fd = link->target_fd < 0 ? 0 : (uint32_t)link->target_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = link->attach_type;
	attr.attach_flags = flags;
	if (flags & BPF_F_REPLACE)
		attr.replace_bpf_fd = (uint32_t)replaced_fd;
	return ebpf_kernel_sys(link->kernel)->bpf(BPF_PROG_ATTACH, &attr, EBPF_ATTR_SIZE(replace_bpf_fd));
}

int ebpf_link_prog_detach(struct ebpf_link *link, int program_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.target_fd = link->target_fd < 0 ? 0 : (uint32_t)link->target_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = link->attach_type;
	return ebpf_kernel_sys(link->kernel)->bpf(BPF_PROG_DETACH, &attr, EBPF_ATTR_SIZE(replace_bpf_fd));
}

int ebpf_link_undo_prog_attach(struct ebpf_link *link, struct ebpf_error *err)
{
	int result = ebpf_link_prog_detach(link, link->program_fd_kept);

	return result && result != -ENOENT ? ebpf_link_fail(link, result, err) : 0;
}

int ebpf_link_replace_kept(struct ebpf_link *link, struct ebpf_program *program,
			   int (*replace)(struct ebpf_link *link, int program_fd), struct ebpf_error *err)
{
	int kept = ebpf_link_keep_fd(link, program->fd), result;

	if (kept < 0)
		return ebpf_fail_errno(err, kept, "link '%s': update", link->target);
	result = replace(link, program->fd);
	if (result) {
		ebpf_kernel_sys(link->kernel)->close(kept);
		return ebpf_fail_errno(err, result, "link '%s': update", link->target);
	}
	ebpf_kernel_sys(link->kernel)->close(link->program_fd_kept);
	link->program_fd_kept = kept;
	return 0;
}

int ebpf_link_fail(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	char why[256];

	ebpf_fail_errno(err, code, "%s", link->target ? link->target : link->kind->name);
	if (err && (err->code == EPERM || err->code == EACCES)) {
		ebpf_kernel_explain_eperm(link->kernel, why, sizeof why);
		ebpf_hint(err, "%s", why);
	}
	return code < 0 ? code : -code;
}

int ebpf_attach_mode(const char *text, enum ebpf_attach_mode *mode, struct ebpf_error *err)
{
	static const char *const words[] = { "link", "perf", "legacy" };

	*mode = EBPF_ATTACH_ANY;
	for (size_t i = 0; text && i < EBPF_COUNT(words); i++)
		if (!strcmp(text, words[i]))
			*mode = (enum ebpf_attach_mode)(i + 1);
	if (text && *mode == EBPF_ATTACH_ANY)
		return ebpf_fail(err, EINVAL, "attach_mode '%s': not one of \"link\", \"perf\", \"legacy\"", text);
	return 0;
}

/* -- life -- */

struct ebpf_link *ebpf_link_new(struct ebpf_kernel *kernel, const struct ebpf_link_kind *kind)
{
	struct ebpf_link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->refs = 1;
	link->fd = link->perf_fd = link->program_fd_kept = link->target_fd = link->socket_fd = -1;
	link->kernel = ebpf_kernel_ref(kernel);
	link->kind = kind;
	return link;
}

struct ebpf_link *ebpf_link_add_part(struct ebpf_link *link, struct ebpf_error *err)
{
	struct ebpf_link **grown, *part;

	grown = ebpf_grow(link->parts, &link->part_capacity, link->part_count, sizeof(struct ebpf_link *));
	if (grown)
		link->parts = grown;
	part = grown ? ebpf_link_new(link->kernel, link->kind) : NULL;
	if (!part) {
		ebpf_fail_memory(err);
		return NULL;
	}
	link->parts[link->part_count++] = part;
	return ebpf_link_set_target(part, err, "%s", link->target) ? NULL : part;
}

void ebpf_link_drop_part(struct ebpf_link *link)
{
	ebpf_link_close(link->parts[--link->part_count]);
}

struct ebpf_link *ebpf_link_ref(struct ebpf_link *link)
{
	link->refs++;
	return link;
}

static void close_fd(struct ebpf_link *link, int *fd)
{
	if (*fd >= 0)
		ebpf_kernel_sys(link->kernel)->close(*fd);
	*fd = -1;
}

/* The event must be closed before its definition can go, and the program's descriptor is needed to undo. */
static int release(struct ebpf_link *link, struct ebpf_error *err)
{
	int result = 0;

	for (; link->part_count; ebpf_link_drop_part(link)) {
		int released = release(link->parts[link->part_count - 1], result ? NULL : err);

		result = result ? result : released;
	}
	free(link->parts);
	link->parts = NULL;
	link->part_capacity = 0;
	close_fd(link, &link->fd);
	close_fd(link, &link->perf_fd);
	if (link->undo) {
		int undone = link->undo(link, result ? NULL : err);

		result = result ? result : undone;
	}
	link->undo = NULL;
	close_fd(link, &link->program_fd_kept);
	close_fd(link, &link->target_fd);
	close_fd(link, &link->socket_fd);
	link->detached = true;
	return result;
}

void ebpf_link_close(struct ebpf_link *link)
{
	if (!link || --link->refs)
		return;
	if (link->pin_path)
		link->undo = NULL; /* it goes on without us */
	release(link, NULL);
	ebpf_map_close(link->map);
	ebpf_map_close(link->specs);
	ebpf_kernel_free(link->kernel);
	free(link->legacy_event);
	free(link->detail);
	free(link->target);
	free(link->pin_path);
	free(link);
}

static int fail_to_detach(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_fail_errno(err, code, "link '%s': detach", link->target);
	if (code == -EOPNOTSUPP)
		ebpf_hint(err, "links of this type end when nobody holds them any more: their process, and their pins");
	return code;
}

/* A pinned link lives on when its descriptors are closed, and one that was opened as long as others hold it:
 * BPF_LINK_DETACH (5.9) takes those apart that know it. The others go with their last descriptor and pin, which for one
 * that was opened may be somebody else's. */
int ebpf_link_detach(struct ebpf_link *link, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result = 0, released, detached;

	if (link->detached)
		return 0;
	if (link->pin_path || link->opened) {
		memset(&attr, 0, sizeof attr);
		attr.link_detach.link_fd = (uint32_t)link->fd;
		detached = ebpf_kernel_sys(link->kernel)->bpf(BPF_LINK_DETACH, &attr, EBPF_ATTR_SIZE(link_detach));
		if (link->pin_path)
			result = ebpf_link_unpin(link, err);
		else if (detached)
			return fail_to_detach(link, detached, err);
	}
	released = release(link, result ? NULL : err);
	return result ? result : released;
}

int ebpf_link_fd(const struct ebpf_link *link)
{
	return link->fd;
}

const char *ebpf_link_kind_name(const struct ebpf_link *link)
{
	return link->kind->name;
}

const char *ebpf_link_interface(const struct ebpf_link *link)
{
	return link->interface;
}

const char *ebpf_link_target(const struct ebpf_link *link)
{
	return link->target;
}

/* -- asking -- */

static int fail_detached(struct ebpf_link *link, const char *verb, struct ebpf_error *err)
{
	return ebpf_fail(err, EBADF, "link '%s': %s: it is detached", link->target, verb);
}

static int object_info(const struct ebpf_kernel *kernel, int fd, void *info, uint32_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = ebpf_ptr(info);
	return ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

uint32_t ebpf_link_program_id(struct ebpf_link *link, int fd)
{
	struct bpf_prog_info info = { 0 };

	return object_info(link->kernel, fd, &info, sizeof info) ? 0 : info.id;
}

/* The program of an attachment without a BPF link: by the descriptor that was kept, or by the perf event (Linux
 * 4.18). */
static int program_of(struct ebpf_link *link, uint32_t *id)
{
	struct bpf_prog_info info = { 0 };
	struct ebpf_task_fd event;
	int result;

	if (link->program_fd_kept >= 0) {
		result = object_info(link->kernel, link->program_fd_kept, &info, sizeof info);
		*id = info.id;
		return result;
	}
	result = ebpf_kernel_task_fd(link->kernel, getpid(), link->perf_fd, &event, NULL);
	if (!result)
		*id = event.program_id;
	return result;
}

static int map_of(struct ebpf_link *link, uint32_t *id)
{
	struct bpf_map_info info = { 0 };
	int result = object_info(link->kernel, link->map->fd, &info, sizeof info);

	*id = info.id;
	return result;
}

static uint32_t attach_type_of(const struct bpf_link_info *info, uint32_t otherwise)
{
	switch (info->type) {
	case BPF_LINK_TYPE_TRACING: return info->tracing.attach_type;
	case BPF_LINK_TYPE_CGROUP: return info->cgroup.attach_type;
	case BPF_LINK_TYPE_NETNS: return info->netns.attach_type;
	case BPF_LINK_TYPE_TCX: return info->tcx.attach_type;
	case BPF_LINK_TYPE_NETKIT: return info->netkit.attach_type;
	case BPF_LINK_TYPE_SOCKMAP: return info->sockmap.attach_type;
	case BPF_LINK_TYPE_XDP: return BPF_XDP;
	case BPF_LINK_TYPE_PERF_EVENT: return BPF_PERF_EVENT;
	default: return otherwise;
	}
}

/* enum bpf_perf_event_type: which member of the union it is */
static void take_perf_event(const struct bpf_link_info *raw, struct ebpf_link_info *info)
{
	switch (raw->perf_event.type) {
	case 1: case 2:
		info->cookie = raw->perf_event.uprobe.cookie;
		break;
	case 3: case 4:
		info->cookie = raw->perf_event.kprobe.cookie;
		info->missed = raw->perf_event.kprobe.missed;
		break;
	case 5:
		info->cookie = raw->perf_event.tracepoint.cookie;
		break;
	case 6:
		info->cookie = raw->perf_event.event.cookie;
		break;
	}
}

/* The kernel writes names where it is told to, in a second call: only then it is known that there is one. */
static void take_name(struct ebpf_kernel *kernel, int fd, struct ebpf_link_info *info)
{
	struct bpf_link_info raw;

	memset(&raw, 0, sizeof raw);
	raw.iter.target_name = ebpf_ptr(info->name); /* tp_name and its length are at the same place */
	raw.iter.target_name_len = sizeof info->name;
	if (object_info(kernel, fd, &raw, sizeof raw))
		info->name[0] = '\0';
	info->name[sizeof info->name - 1] = '\0';
}

static void take_details(struct ebpf_kernel *kernel, int fd, const struct bpf_link_info *raw, struct ebpf_link_info *info)
{
	switch (raw->type) {
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		info->cookie = raw->raw_tracepoint.cookie;
		take_name(kernel, fd, info);
		break;
	case BPF_LINK_TYPE_TRACING:
		info->target_object_id = raw->tracing.target_obj_id;
		info->target_btf_id = raw->tracing.target_btf_id;
		info->cookie = raw->tracing.cookie;
		break;
	case BPF_LINK_TYPE_CGROUP:
		info->cgroup_id = raw->cgroup.cgroup_id;
		break;
	case BPF_LINK_TYPE_ITER:
		take_name(kernel, fd, info);
		info->map_id = raw->iter.map.map_id;
		if (!strcmp(info->name, "cgroup"))
			info->cgroup_id = raw->iter.cgroup.cgroup_id;
		if (ebpf_starts_with(info->name, "task")) {
			info->tid = raw->iter.task.tid;
			info->pid = raw->iter.task.pid;
		}
		break;
	case BPF_LINK_TYPE_NETNS:
		info->netns_ino = raw->netns.netns_ino;
		break;
	case BPF_LINK_TYPE_XDP:
		info->ifindex = raw->xdp.ifindex;
		break;
	case BPF_LINK_TYPE_TCX: case BPF_LINK_TYPE_NETKIT:
		info->ifindex = raw->tcx.ifindex;
		break;
	case BPF_LINK_TYPE_STRUCT_OPS:
		info->map_id = raw->struct_ops.map_id;
		break;
	case BPF_LINK_TYPE_SOCKMAP:
		info->map_id = raw->sockmap.map_id;
		break;
	case BPF_LINK_TYPE_NETFILTER:
		info->family = raw->netfilter.pf;
		info->hook = raw->netfilter.hooknum;
		info->priority = raw->netfilter.priority;
		break;
	case BPF_LINK_TYPE_KPROBE_MULTI:
		info->count = raw->kprobe_multi.count;
		info->missed = raw->kprobe_multi.missed;
		break;
	case BPF_LINK_TYPE_TRACING_MULTI:
		info->count = raw->tracing_multi.count;
		break;
	case BPF_LINK_TYPE_UPROBE_MULTI:
		info->count = raw->uprobe_multi.count;
		info->pid = raw->uprobe_multi.pid;
		break;
	case BPF_LINK_TYPE_PERF_EVENT:
		take_perf_event(raw, info);
		break;
	}
}

/* What all of them have in common, and how many places they are. */
static int info_of_parts(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err)
{
	struct ebpf_link_info part, found = { 0 };
	uint32_t total = 0;

	for (size_t i = link->part_count; i-- > 0;) {
		int result = ebpf_link_info(link->parts[i], &part, err);

		if (result)
			return result;
		total += part.count ? part.count : 1;
		found = part;
	}
	found.id = 0;
	found.count = total;
	*info = found;
	return 0;
}

int ebpf_link_info(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err)
{
	struct ebpf_link_info found = { .attach_type = link->attach_type };
	struct bpf_link_info raw;
	int result = 0;

	if (link->detached)
		return fail_detached(link, "info", err);
	if (link->part_count)
		return info_of_parts(link, info, err);
	memset(&raw, 0, sizeof raw);
	if (link->fd >= 0) {
		result = object_info(link->kernel, link->fd, &raw, sizeof raw);
		found.type = raw.type;
		found.id = raw.id;
		found.program_id = raw.prog_id;
		found.attach_type = attach_type_of(&raw, link->attach_type);
		if (!result)
			take_details(link->kernel, link->fd, &raw, &found);
	} else if (!link->map) {
		result = program_of(link, &found.program_id);
	}
	if (!result && link->map)
		result = map_of(link, &found.map_id);
	if (result) {
		ebpf_fail_errno(err, result, "link '%s': info", link->target);
		if (result == -EINVAL)
			ebpf_hint(err, "the info of links needs Linux 5.8");
		return result;
	}
	*info = found;
	return 0;
}

/* The types by the program's id: the program itself need not be ours any more. */
int ebpf_link_btf(struct ebpf_link *link, struct ebpf_btf **out, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(link->kernel);
	struct bpf_prog_info program = { 0 };
	struct ebpf_link_info info;
	union bpf_attr attr;
	int fd, result = ebpf_link_info(link, &info, err);

	if (result)
		return result;
	memset(&attr, 0, sizeof attr);
	attr.prog_id = info.program_id;
	fd = sys->bpf(BPF_PROG_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (fd < 0)
		return ebpf_fail_errno(err, fd, "link '%s': open its program", link->target);
	result = object_info(link->kernel, fd, &program, sizeof program);
	sys->close(fd);
	if (result)
		return ebpf_fail_errno(err, result, "link '%s': ask about its program", link->target);
	if (!program.btf_id)
		return ebpf_fail(err, ENOENT, "link '%s': its program was loaded without types", link->target);
	return ebpf_kernel_btf_by_id(link->kernel, program.btf_id, out, err);
}

/* -- pinning -- */

int ebpf_link_pin(struct ebpf_link *link, const char *path, struct ebpf_error *err)
{
	int result;

	if (link->detached)
		return fail_detached(link, "pin", err);
	if (link->part_count) {
		ebpf_fail(err, ENOTSUP, "link '%s': pin: it is made of %zu attachments, and a pin is of one", link->target,
			  link->part_count);
		ebpf_hint(err, "attach one by one, and pin each");
		return -ENOTSUP;
	}
	if (link->fd < 0) {
		ebpf_fail(err, ENOTSUP, "link '%s': pin: it was attached without a BPF link (interface '%s')",
			  link->target, link->interface);
		ebpf_hint(err, link->map ? "it lasts until it is detached; a variable in SEC(\".struct_ops.link\") makes a link that can be pinned" :
					   "such an attachment goes with this process; BPF links came with Linux 5.7 to 5.15, "
					   "according to the kind");
		return -ENOTSUP;
	}
	result = ebpf_kernel_pin(link->kernel, link->fd, &link->pin_path, path);
	if (result == -ENOMEM)
		return ebpf_fail_memory(err);
	if (result) {
		ebpf_fail_errno(err, result, "link '%s': pin at %s", link->target, path);
		if (result == -ENOENT || result == -EPERM)
			ebpf_hint(err,
				  "the folder must be there and of a BPF file system: mount -t bpf bpf /sys/fs/bpf");
		else if (result == -EINVAL && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_CGROUP_LINK))
			ebpf_hint(err, "pinning attachments needs Linux 5.7");
		return result;
	}
	return 0;
}

int ebpf_link_unpin(struct ebpf_link *link, struct ebpf_error *err)
{
	int result;

	if (!link->pin_path)
		return ebpf_fail(err, ENOENT, "link '%s': unpin: it is not pinned", link->target);
	result = ebpf_kernel_sys(link->kernel)->unlinkat(AT_FDCWD, link->pin_path, 0);
	if (result && result != -ENOENT)
		return ebpf_fail_errno(err, result, "link '%s': unpin %s", link->target, link->pin_path);
	free(link->pin_path);
	link->pin_path = NULL;
	return 0;
}

/* -- updating -- */

static int explain_update(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_fail_errno(err, code, "link '%s': update", link->target);
	if (code == -EINVAL || code == -EOPNOTSUPP || code == -ENOTSUP)
		ebpf_hint(err, "links of kind cgroup, xdp, tc, netkit, netns, iter and sockmap take another program, and only "
			  "one of the same type; others are detached and made again");
	return code;
}

int ebpf_link_update_map(struct ebpf_link *link, struct ebpf_map *map, struct ebpf_error *err)
{
	if (link->detached)
		return fail_detached(link, "update", err);
	if (!link->kind->update_map)
		return ebpf_fail(err, EINVAL, "link '%s': update: it takes a program, not a map", link->target);
	return link->kind->update_map(link, map, err);
}

static int update_link(struct ebpf_link *link, const struct ebpf_program *program, const struct ebpf_program *old)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_update.link_fd = (uint32_t)link->fd;
	attr.link_update.new_prog_fd = (uint32_t)program->fd;
	if (old) {
		attr.link_update.flags = BPF_F_REPLACE;
		attr.link_update.old_prog_fd = (uint32_t)old->fd;
	}
	return ebpf_kernel_sys(link->kernel)->bpf(BPF_LINK_UPDATE, &attr, EBPF_ATTR_SIZE(link_update));
}

int ebpf_link_update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	int result;

	if (link->detached)
		return fail_detached(link, "update", err);
	if (link->kind->update_map)
		return ebpf_fail(err, EINVAL, "link '%s': update: it takes a map, not a program", link->target);
	if (link->fd < 0 && link->kind->update)
		return link->kind->update(link, program, err);
	if (link->fd < 0) {
		ebpf_fail(err, ENOTSUP, "link '%s': update: interface '%s' cannot change the program", link->target,
			  link->interface);
		ebpf_hint(err, "detach it and attach the other program");
		return -ENOTSUP;
	}
	result = update_link(link, program, NULL);
	return result ? explain_update(link, result, err) : 0;
}

int ebpf_link_exchange(struct ebpf_link *link, struct ebpf_program *old, struct ebpf_program *program, struct ebpf_error *err)
{
	int result;

	if (link->detached)
		return fail_detached(link, "update", err);
	if (link->fd < 0 || link->kind->update_map)
		return ebpf_fail(err, ENOTSUP, "link '%s': update: interface '%s' cannot tell which program it replaces", link->target,
				 link->interface);
	result = update_link(link, program, old);
	if (result == -EPERM)
		return ebpf_fail(err, EPERM, "link '%s': update: its program is not the one that was to be replaced", link->target);
	return result ? explain_update(link, result, err) : 0;
}
