/* cgroup.c -- programs of all cgroup types on a cgroup (version 2) and what is below it.
 *
 * Chain: BPF_LINK_CREATE (5.7; at a place among others 6.17) -> BPF_PROG_ATTACH beside others (BPF_F_ALLOW_MULTI, 4.15)
 * -> BPF_PROG_ATTACH that a lower cgroup may override (4.10).
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "link/link.h"

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("cgroup", cgroup.path, 0),
	EBPF_LINK_OPTION("cgroup_fd", cgroup.fd, 0),
	EBPF_LINK_OPTION("attach_type", attach_type, 0),
	EBPF_LINK_OPTION("flags", flags, 0),
	EBPF_LINK_PLACE_OPTIONS,
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->path || out->cgroup.path || out->cgroup.fd)
		return 1;
	ebpf_fail(err, EINVAL, "a cgroup program needs to know its cgroup");
	ebpf_hint(err, "give the option cgroup, a folder of cgroup v2");
	return 0;
}

/* -- the folder -- */

static bool is_cgroup2(const char *path)
{
	struct statfs info;

	return statfs(path, &info) == 0 && (unsigned long)info.f_type == CGROUP2_SUPER_MAGIC;
}

/* Where cgroup v2 is mounted: alone, beside version 1 (hybrid), or wherever /proc/self/mounts says. malloc'ed; NULL =
 * nowhere. */
static char *find_mount(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct mntent *entry, space;
	char text[4096], *found = NULL;
	FILE *mounts;

	for (size_t i = 0; i < EBPF_COUNT(places); i++)
		if (is_cgroup2(places[i]))
			return ebpf_strdup(places[i]);
	mounts = setmntent("/proc/self/mounts", "re");
	while (mounts && !found && (entry = getmntent_r(mounts, &space, text, sizeof text)) != NULL)
		if (!strcmp(entry->mnt_type, "cgroup2"))
			found = ebpf_strdup(entry->mnt_dir);
	if (mounts)
		endmntent(mounts);
	return found;
}

static bool is_below_here(const char *path)
{
	return !strcmp(path, ".") || !strcmp(path, "..") || ebpf_starts_with(path, "./") ||
	       ebpf_starts_with(path, "../");
}

/* "/sys/fs/cgroup/x" and "./x" as they are, "x" below the mount of cgroup v2. */
static int open_folder(struct ebpf_link *link, const char *path, struct ebpf_error *err)
{
	char *mount = NULL, *full;
	int fd;

	if (path[0] != '/' && !is_below_here(path)) {
		mount = find_mount();
		if (!mount) {
			ebpf_fail(err, ENOENT, "cgroup '%s': cgroup v2 is not mounted", path);
			ebpf_hint(err, "mount -t cgroup2 none /sys/fs/cgroup");
			return -ENOENT;
		}
	}
	full = mount ? ebpf_sprintf("%s/%s", mount, path) : ebpf_strdup(path);
	free(mount);
	if (!full || ebpf_link_set_target(link, err, "cgroup %s", full)) {
		free(full);
		return ebpf_fail_memory(err);
	}
	fd = ebpf_kernel_sys(link->kernel)->openat(AT_FDCWD, full, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0) {
		ebpf_link_fail(link, fd, err);
	} else if (!is_cgroup2(full)) {
		ebpf_kernel_sys(link->kernel)->close(fd);
		fd = ebpf_fail(err, EINVAL, "%s: not a folder of cgroup v2", link->target);
		ebpf_hint(err, "version 2 is mounted at /sys/fs/cgroup, or beside version 1 at /sys/fs/cgroup/unified; "
			  "programs attach to it alone");
	}
	free(full);
	return fd;
}

/* -- BPF_PROG_ATTACH and _DETACH -- */

/* In place since 5.6; before, the new one is put beside the old one, which then goes. Where programs override each
 * other, attaching replaces. */
static int replace_ours(struct ebpf_link *link, int program_fd)
{
	int result;

	if (!(link->attach_flags & BPF_F_ALLOW_MULTI))
		return ebpf_link_prog_attach(link, program_fd, link->attach_flags, -1);
	result = ebpf_link_prog_attach(link, program_fd, link->attach_flags | BPF_F_REPLACE, link->program_fd_kept);
	if (result != -EINVAL && result != -E2BIG)
		return result;
	result = ebpf_link_prog_attach(link, program_fd, link->attach_flags, -1);
	if (!result)
		ebpf_link_prog_detach(link, link->program_fd_kept);
	return result;
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, replace_ours, err);
}

static int attach_by_program(struct ebpf_link *link, const struct ebpf_program *program, uint32_t flags)
{
	bool chosen = flags & (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE);
	int result = -EINVAL;

	link->attach_flags = chosen ? flags : flags | BPF_F_ALLOW_MULTI;
	if (chosen || !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_CGROUP_MULTI))
		result = ebpf_link_attach_kept(link, program, link->attach_flags);
	if (result != -EINVAL || chosen || ebpf_kernel_supports(link->kernel, EBPF_FEATURE_CGROUP_MULTI))
		return result;
	link->attach_flags = flags | BPF_F_ALLOW_OVERRIDE;
	return ebpf_link_attach_kept(link, program, link->attach_flags);
}

/* -- the kind -- */

static int explain(struct ebpf_link *link, const struct ebpf_program *program, int code, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_ATTACH_TYPE, link->attach_type);

	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EINVAL:
		ebpf_fail(err, code, "%s: a program of type %s does not go with attach type %s here", link->target,
			  ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type), type ? type : "unknown");
		ebpf_hint(err, "the program must have been loaded for this attach type, and the kernel have "
			  "CONFIG_CGROUP_BPF");
		break;
	case -EBADF:
		ebpf_fail(err, code, "%s: the descriptor is not that of a folder of cgroup v2", link->target);
		break;
	case -EPERM:
		if (err && strstr(err->hint, "security module"))
			ebpf_hint(err, "a cgroup above or below has a program that allows no other (attached without "
				  "\"multi\")");
		break;
	case -E2BIG:
		ebpf_hint(err, "the cgroup has as many programs of this attach type as it can take (64)");
		break;
	}
	return code;
}

/* The program's own, unless the option says otherwise; types that have only one need none. */
static int choose_attach_type(struct ebpf_link *link, const struct ebpf_program *program,
			      const struct ebpf_link_options *given, struct ebpf_error *err)
{
	int value;

	link->attach_type = program->attach_type;
	if (given->attach_type) {
		value = ebpf_enum_value(EBPF_ATTACH_TYPE, given->attach_type);
		if (value < 0)
			return ebpf_fail(err, EINVAL, "cgroup: '%s' is no attach type (as \"cgroup_inet_egress\")",
					 given->attach_type);
		link->attach_type = (uint32_t)value;
	} else if (!link->attach_type && program->type == BPF_PROG_TYPE_SOCK_OPS) {
		link->attach_type = BPF_CGROUP_SOCK_OPS;
	} else if (!link->attach_type && program->type == BPF_PROG_TYPE_CGROUP_DEVICE) {
		link->attach_type = BPF_CGROUP_DEVICE;
	} else if (!link->attach_type && program->type == BPF_PROG_TYPE_CGROUP_SYSCTL) {
		link->attach_type = BPF_CGROUP_SYSCTL;
	} else if (!link->attach_type && program->type == BPF_PROG_TYPE_CGROUP_SOCK) {
		link->attach_type = BPF_CGROUP_INET_SOCK_CREATE;
	}
	return 0;
}

static int choose_folder(struct ebpf_link *link, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	int fd, result;

	if (!given->path && given->cgroup.fd <= 0)
		return ebpf_fail(err, EINVAL, "cgroup: a path is needed");
	if (given->path && given->cgroup.fd)
		return ebpf_fail(err, EINVAL, "cgroup: either path or cgroup_fd, not both");
	if (given->path) {
		fd = open_folder(link, given->path, err);
	} else {
		result = ebpf_link_set_target(link, err, "cgroup descriptor %d", given->cgroup.fd);
		if (result)
			return result;
		fd = ebpf_link_keep_fd(link, given->cgroup.fd);
		if (fd < 0)
			ebpf_link_fail(link, fd, err);
	}
	link->target_fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int attach_by_link(struct ebpf_link *link, const struct ebpf_program *program, uint32_t flags, uint32_t relative,
			  uint64_t expected_revision)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.flags = flags;
	attr.link_create.cgroup.relative_fd = relative;
	attr.link_create.cgroup.expected_revision = expected_revision;
	return ebpf_link_create_at_target(link, program, &attr);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	bool by_program =
		given->flags & (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE); /* flags that a link does not know */
	enum ebpf_attach_mode mode;
	uint32_t flags, relative;
	int result;

	(void)alias;
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = ebpf_link_anchor(given, "cgroup", &flags, &relative, err);
	if (!result)
		result = choose_attach_type(link, program, given, err);
	if (!result)
		result = choose_folder(link, given, err);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_PERF)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'perf': cgroups have \"link\" and \"legacy\"",
				 link->target);
	if (ebpf_link_has_anchor(given) && (mode == EBPF_ATTACH_LEGACY || by_program))
		return ebpf_fail(err, ENOTSUP, "%s: a place among others is of links alone", link->target);
	if (mode == EBPF_ATTACH_LINK || (mode == EBPF_ATTACH_ANY && !by_program)) {
		result = ebpf_kernel_masked(link->kernel, EBPF_FEATURE_CGROUP_LINK)
				 ? -EOPNOTSUPP
				 : attach_by_link(link, program, flags, relative, given->place.expected_revision);
		if (!result)
			return 0;
		if (ebpf_link_has_anchor(given) && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_CGROUP_ORDER))
			return ebpf_fail(err, ENOTSUP, "%s: a place among others needs Linux %s", link->target,
					 ebpf_feature_since(EBPF_FEATURE_CGROUP_ORDER));
		if (ebpf_link_has_anchor(given))
			return ebpf_link_explain_anchor(link, given, ebpf_link_fail(link, result, err), err);
		if (ebpf_kernel_supports(link->kernel, EBPF_FEATURE_CGROUP_LINK))
			return explain(link, program, result, err);
		if (mode == EBPF_ATTACH_LINK)
			return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'link': cgroup links need Linux %s",
					 link->target, ebpf_feature_since(EBPF_FEATURE_CGROUP_LINK));
	}
	result = attach_by_program(link, program, given->flags);
	return result ? explain(link, program, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_cgroup = {
	.name = "cgroup", .since = "4.10", .options = options, .parse = parse, .attach = attach, .update = update,
};
