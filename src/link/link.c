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

int ebpf_link_create_at_target(struct ebpf_link *link, const struct ebpf_program *program, union bpf_attr *attr)
{
	int result;

	attr->link_create.prog_fd = (uint32_t)program->fd;
	attr->link_create.target_fd = (uint32_t)link->target_fd;
	attr->link_create.attach_type = link->attach_type;
	result = ebpf_link_create(link, attr);
	if (result)
		return result;
	ebpf_kernel_sys(link->kernel)->close(link->target_fd);
	link->target_fd = -1;
	return 0;
}

int ebpf_link_keep_fd(struct ebpf_link *link, int fd)
{
	return ebpf_kernel_sys(link->kernel)->fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int ebpf_link_keep_program(struct ebpf_link *link, const struct ebpf_program *program)
{
	link->program_fd_kept = ebpf_link_keep_fd(link, program->fd);
	return link->program_fd_kept < 0 ? link->program_fd_kept : 0;
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

int ebpf_link_attach_kept(struct ebpf_link *link, const struct ebpf_program *program, uint32_t flags)
{
	int result = link->program_fd_kept < 0 ? ebpf_link_keep_program(link, program) : 0;

	if (!result)
		result = ebpf_link_prog_attach(link, program->fd, flags, -1);
	if (result)
		return result;
	link->interface = "attach";
	link->undo = ebpf_link_undo_prog_attach;
	return 0;
}

int ebpf_link_reattach(struct ebpf_link *link, int program_fd)
{
	return ebpf_link_prog_attach(link, program_fd, 0, -1);
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

/* -- asking (the rest of it: info.c) -- */

int ebpf_link_fail_detached(struct ebpf_link *link, const char *verb, struct ebpf_error *err)
{
	return ebpf_fail(err, EBADF, "link '%s': %s: it is detached", link->target, verb);
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
	result = ebpf_link_object_info(link->kernel, fd, &program, sizeof program);
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
		return ebpf_link_fail_detached(link, "pin", err);
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
		return ebpf_link_fail_detached(link, "update", err);
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
		return ebpf_link_fail_detached(link, "update", err);
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
		return ebpf_link_fail_detached(link, "update", err);
	if (link->fd < 0 || link->kind->update_map)
		return ebpf_fail(err, ENOTSUP, "link '%s': update: interface '%s' cannot tell which program it replaces", link->target,
				 link->interface);
	result = update_link(link, program, old);
	if (result == -EPERM)
		return ebpf_fail(err, EPERM, "link '%s': update: its program is not the one that was to be replaced", link->target);
	return result ? explain_update(link, result, err) : 0;
}
