/* tracefs.c -- the tracing file system and the probes' PMUs: where tracepoints have their numbers.
 *
 * Nothing is mounted where others would see it. Where tracefs is not mounted, a detached mount gives the same
 * directory.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "kernel/context.h"

#ifndef TRACEFS_MAGIC
#define TRACEFS_MAGIC 0x74726163
#endif
#define EVENTS_LIMIT (4U << 20)
#define EVENTS_MAX 16384

static int open_mounted(const struct ebpf_sys *sys)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int result = -ENOENT;

	for (size_t i = 0; i < EBPF_COUNT(places); i++) {
		struct statfs info;

		if (statfs(places[i], &info) || (unsigned long)info.f_type != TRACEFS_MAGIC)
			continue;
		result = sys->openat(AT_FDCWD, places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (result >= 0)
			break;
	}
	return result;
}

int ebpf_kernel_mount_detached(const struct ebpf_sys *sys, const char *type)
{
	int result, fd = sys->fsopen(type, FSOPEN_CLOEXEC);

	if (fd < 0)
		return fd;
	result = sys->fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (!result)
		result = sys->fsmount(fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	sys->close(fd);
	return result;
}

int ebpf_kernel_tracefs(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	int mounted, detached;

	if (kernel->tracefs_fd >= 0)
		return kernel->tracefs_fd;
	mounted = open_mounted(kernel->sys);
	if (mounted >= 0)
		return kernel->tracefs_fd = mounted;
	detached = ebpf_kernel_mount_detached(kernel->sys, "tracefs");
	if (detached >= 0)
		return kernel->tracefs_fd = detached;
	if (detached == -ENODEV)
		return ebpf_fail(err, ENOTSUP, "tracefs: this kernel was built without it (CONFIG_TRACING)");
	if (mounted != -ENOENT) {
		ebpf_fail_errno(err, mounted, "tracefs: open /sys/kernel/tracing");
		ebpf_hint(err, "tracefs belongs to root: run as root, or give this user the right to read it");
		return mounted;
	}
	if (detached == -EPERM) {
		ebpf_fail(err, EPERM,
			  "tracefs: it is not mounted, and this process may not mount it (needs CAP_SYS_ADMIN)");
		ebpf_hint(err, "run as root, or let root mount it: mount -t tracefs tracefs /sys/kernel/tracing");
		return -EPERM;
	}
	ebpf_fail_errno(err, detached,
			"tracefs: it is not mounted at /sys/kernel/tracing, and a detached mount failed");
	ebpf_hint(err, "mount -t tracefs tracefs /sys/kernel/tracing");
	return detached;
}

void ebpf_kernel_tracefs_free(struct ebpf_kernel *kernel)
{
	if (kernel->tracefs_fd >= 0)
		kernel->sys->close(kernel->tracefs_fd);
	kernel->tracefs_fd = -1;
}

/* -- tracepoints -- */

/* Explains why there is no such tracepoint, with the nearest event of the category, or the nearest category. */
static int explain_missing(struct ebpf_kernel *kernel, int tracefs, const char *category, const char *name,
			   struct ebpf_error *err)
{
	const char **names = NULL, *nearest;
	size_t count = 0, size, length = strlen(category);
	bool in_category = false;
	char *data = NULL;

	ebpf_fail(err, ENOENT, "tracepoint %s:%s: there is no such event in this kernel", category, name);
	if (!err || ebpf_kernel_read_file(kernel->sys, tracefs, "available_events", EVENTS_LIMIT, &data, &size))
		return -ENOENT;
	names = malloc(EVENTS_MAX * sizeof *names);
	/* Lines "category:event"; first pass: is the category there? */
	for (char *line = data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		in_category |= !strncmp(line, category, length) && line[length] == ':';
	for (char *line = data, *next; names && line && *line && count < EVENTS_MAX; line = next) {
		char *colon = line + strcspn(line, ":\n"), *end = colon + strcspn(colon, "\n");

		next = *end ? end + 1 : NULL;
		if (*colon != ':')
			continue;
		*colon = *end = '\0';
		if (!in_category)
			names[count++] = line;
		else if (!strcmp(line, category))
			names[count++] = colon + 1;
	}
	nearest = names ? ebpf_nearest(in_category ? name : category, names, count) : NULL;
	if (in_category && nearest)
		ebpf_hint(err, "the nearest event of '%s' is '%s'", category, nearest);
	else if (in_category)
		ebpf_hint(err, "available_events in tracefs lists the events of '%s'", category);
	else if (nearest)
		ebpf_hint(err, "there is no category '%s'; the nearest is '%s'", category, nearest);
	else
		ebpf_hint(err, "there is no category '%s'; available_events in tracefs lists them", category);
	free(names);
	free(data);
	return -ENOENT;
}

static bool plain_name(const char *name)
{
	return name && name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < 128;
}

int64_t ebpf_kernel_tracepoint(struct ebpf_kernel *kernel, const char *category, const char *name,
			       struct ebpf_error *err)
{
	char path[288], text[32], *end;
	long long id;
	int result, tracefs;

	if (!plain_name(category) || !plain_name(name))
		return ebpf_fail(err, EINVAL, "tracepoint '%s:%s': not the name of an event", category ? category : "",
				 name ? name : "");
	tracefs = ebpf_kernel_tracefs(kernel, err);
	if (tracefs < 0)
		return ebpf_wrap(err, tracefs, "tracepoint %s:%s", category, name);
	snprintf(path, sizeof path, "events/%s/%s/id", category, name);
	result = ebpf_kernel_read_text(kernel->sys, tracefs, path, text, sizeof text);
	if (result == -ENOENT)
		return explain_missing(kernel, tracefs, category, name, err);
	if (result) {
		ebpf_fail_errno(err, result, "tracepoint %s:%s: read its number from tracefs", category, name);
		if (result == -EACCES)
			ebpf_hint(err, "tracefs belongs to root: run as root, or give this user the right to read it");
		return result;
	}
	id = strtoll(text, &end, 10);
	if (end == text || *end || id < 0)
		return ebpf_fail(err, EINVAL, "tracepoint %s:%s: '%s' in tracefs is no number", category, name, text);
	return id;
}

/* -- PMUs -- */

int ebpf_kernel_pmu(struct ebpf_kernel *kernel, const char *name, int *ret_bit, struct ebpf_error *err)
{
	static const char base[] = "/sys/bus/event_source/devices";
	struct kernel_pmu found = { .ret_bit = 0 };
	char path[128], text[32];
	int result;

	for (size_t i = 0; i < EBPF_COUNT(kernel->pmus); i++) {
		if (strcmp(kernel->pmus[i].name, name) != 0)
			continue;
		*ret_bit = kernel->pmus[i].ret_bit;
		return kernel->pmus[i].type;
	}
	snprintf(path, sizeof path, "%s/%s/type", base, name);
	result = ebpf_kernel_read_text(kernel->sys, AT_FDCWD, path, text, sizeof text);
	if (result)
		return ebpf_fail_errno(err, result, "%s events: read %s", name, path);
	if (sscanf(text, "%d", &found.type) != 1 || found.type < 0)
		return ebpf_fail(err, EINVAL, "%s events: '%s' in %s is no number", name, text, path);
	snprintf(path, sizeof path, "%s/%s/format/retprobe", base, name);
	if (!ebpf_kernel_read_text(kernel->sys, AT_FDCWD, path, text, sizeof text) &&
	    (sscanf(text, "config:%d", &found.ret_bit) != 1 || found.ret_bit < 0 || found.ret_bit > 63))
		return ebpf_fail(err, EINVAL, "%s events: '%s' in %s is no bit", name, text, path);
	for (size_t i = 0; i < EBPF_COUNT(kernel->pmus); i++) {
		if (kernel->pmus[i].name[0])
			continue;
		snprintf(found.name, sizeof found.name, "%s", name);
		kernel->pmus[i] = found;
		break;
	}
	*ret_bit = found.ret_bit;
	return found.type;
}
