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

int ebpf_link_replace_kept(struct ebpf_link *link, struct ebpf_program *program, int (*replace)(struct ebpf_link *link, int program_fd),
			   struct ebpf_error *err)
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

	close_fd(link, &link->fd);
	close_fd(link, &link->perf_fd);
	if (link->undo)
		result = link->undo(link, err);
	link->undo = NULL;
	close_fd(link, &link->program_fd_kept);
	close_fd(link, &link->cgroup_fd);
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
	ebpf_kernel_free(link->kernel);
	free(link->legacy_event);
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

/* The program of an attachment without a BPF link: by the descriptor that was kept, or by the perf event (Linux
 * 4.18). */
static int program_of(struct ebpf_link *link, uint32_t *id)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr;
	int result;

	if (link->program_fd_kept >= 0) {
		result = object_info(link->kernel, link->program_fd_kept, &info, sizeof info);
		*id = info.id;
		return result;
	}
	memset(&attr, 0, sizeof attr);
	attr.task_fd_query.pid = (uint32_t)getpid();
	attr.task_fd_query.fd = (uint32_t)link->perf_fd;
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_TASK_FD_QUERY, &attr, EBPF_ATTR_SIZE(task_fd_query));
	*id = attr.task_fd_query.prog_id;
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
	case BPF_LINK_TYPE_XDP: return BPF_XDP;
	case BPF_LINK_TYPE_PERF_EVENT: return BPF_PERF_EVENT;
	default: return otherwise;
	}
}

int ebpf_link_info(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err)
{
	struct ebpf_link_info found = { .attach_type = link->attach_type };
	struct bpf_link_info raw;
	int result;

	if (link->detached)
		return fail_detached(link, "info", err);
	memset(&raw, 0, sizeof raw);
	if (link->fd >= 0) {
		result = object_info(link->kernel, link->fd, &raw, sizeof raw);
		found.type = raw.type;
		found.id = raw.id;
		found.program_id = raw.prog_id;
		found.attach_type = attach_type_of(&raw, link->attach_type);
	} else {
		result = program_of(link, &found.program_id);
	}
	if (result) {
		ebpf_fail_errno(err, result, "link '%s': info", link->target);
		if (result == -EINVAL)
			ebpf_hint(err, "the info of links needs Linux 5.8");
		return result;
	}
	*info = found;
	return 0;
}

/* -- pinning -- */

int ebpf_link_pin(struct ebpf_link *link, const char *path, struct ebpf_error *err)
{
	union bpf_attr attr;
	char *kept;
	int result;

	if (link->detached)
		return fail_detached(link, "pin", err);
	if (link->fd < 0) {
		ebpf_fail(err, ENOTSUP, "link '%s': pin: it was attached without a BPF link (interface '%s')",
			  link->target, link->interface);
		ebpf_hint(err, "such an attachment goes with this process; BPF links came with Linux 5.7 to 5.15, "
			  "according to the kind");
		return -ENOTSUP;
	}
	if (link->pin_path)
		return ebpf_fail(err, EEXIST, "link '%s': pin: it is pinned at %s already", link->target,
				 link->pin_path);
	kept = ebpf_strdup(path);
	if (!kept)
		return ebpf_fail_memory(err);
	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	attr.bpf_fd = (uint32_t)link->fd;
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_OBJ_PIN, &attr, EBPF_ATTR_SIZE(file_flags));
	if (result) {
		free(kept);
		ebpf_fail_errno(err, result, "link '%s': pin at %s", link->target, path);
		if (result == -ENOENT || result == -EPERM)
			ebpf_hint(err,
				  "the folder must be there and of a BPF file system: mount -t bpf bpf /sys/fs/bpf");
		else if (result == -EINVAL && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_CGROUP_LINK))
			ebpf_hint(err, "pinning attachments needs Linux 5.7");
		return result;
	}
	link->pin_path = kept;
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
		ebpf_hint(err, "only links of kind cgroup and xdp take another program, and only one of the same type; "
			  "others are detached and made again");
	return code;
}

int ebpf_link_update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result;

	if (link->detached)
		return fail_detached(link, "update", err);
	if (link->fd < 0 && link->kind->update)
		return link->kind->update(link, program, err);
	if (link->fd < 0) {
		ebpf_fail(err, ENOTSUP, "link '%s': update: interface '%s' cannot change the program", link->target,
			  link->interface);
		ebpf_hint(err, "detach it and attach the other program");
		return -ENOTSUP;
	}
	memset(&attr, 0, sizeof attr);
	attr.link_update.link_fd = (uint32_t)link->fd;
	attr.link_update.new_prog_fd = (uint32_t)program->fd;
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_LINK_UPDATE, &attr, EBPF_ATTR_SIZE(link_update));
	return result ? explain_update(link, result, err) : 0;
}
