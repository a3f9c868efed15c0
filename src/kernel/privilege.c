/* privilege.c -- what this process may do: capabilities, user namespace, sysctls, lockdown, locked memory, tokens; and
 * why it may not. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "kernel/context.h"
#include "kernel/privilege.h"
#include "kernel/probe.h"

/* -- the facts -- */

static bool effective_capabilities(const struct ebpf_sys *sys, uint64_t *out, uint32_t *uid)
{
	char status[4096];
	const char *line;

	if (ebpf_kernel_read_text(sys, AT_FDCWD, "/proc/self/status", status, sizeof status))
		return false;
	line = strstr(status, "\nUid:");
	if (line && uid)
		sscanf(line + strlen("\nUid:"), "%*u %u", uid);
	line = strstr(status, "\nCapEff:");
	if (!line)
		return false;
	*out = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	return true;
}

/* In another user namespace than the first, capabilities do not count for bpf(2); there the map of ids is not the whole
 * identity. */
static bool in_user_namespace(const struct ebpf_sys *sys)
{
	unsigned long inside, outside, count;
	char map[256];

	if (ebpf_kernel_read_text(sys, AT_FDCWD, "/proc/self/uid_map", map, sizeof map))
		return false;
	return sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
	       !(inside == 0 && outside == 0 && count == 4294967295UL);
}

static int32_t read_sysctl(const struct ebpf_sys *sys, const char *path)
{
	char value[24], *end;
	long number;

	if (ebpf_kernel_read_text(sys, AT_FDCWD, path, value, sizeof value))
		return EBPF_SYSCTL_UNKNOWN;
	number = strtol(value, &end, 10);
	return end == value || number < -1000 || number > INT32_MAX ? EBPF_SYSCTL_UNKNOWN : (int32_t)number;
}

/* Where securityfs is not mounted, as in a small guest, a mount of our own shows it. */
static int read_lockdown_file(const struct ebpf_sys *sys, char *value, size_t size)
{
	int result = ebpf_kernel_read_text(sys, AT_FDCWD, "/sys/kernel/security/lockdown", value, size), root;

	if (result != -ENOENT)
		return result;
	root = ebpf_kernel_mount_detached(sys, "securityfs");
	if (root < 0)
		return root;
	result = ebpf_kernel_read_text(sys, root, "lockdown", value, size);
	sys->close(root);
	return result;
}

/* "none [integrity] confidentiality"; "" when it cannot be read, or the kernel has no such thing. */
static void read_lockdown(const struct ebpf_sys *sys, char *out, size_t size)
{
	char value[96];
	char *from, *to;

	out[0] = '\0';
	if (read_lockdown_file(sys, value, sizeof value))
		return;
	from = strchr(value, '[');
	to = from ? strchr(from, ']') : NULL;
	if (to)
		snprintf(out, size, "%.*s", (int)(to - from - 1), from + 1);
}

/* -- tokens -- */

/* The next field of a line of /proc/self/mountinfo, its octal escapes left as they are; false at the end of the line. */
static bool next_field(const char **at, const char **field, size_t *length)
{
	*at += strspn(*at, " ");
	*field = *at;
	*length = strcspn(*at, " \n");
	*at += *length;
	return *length > 0;
}

/* "36 35 98:0 / /mnt rw shared:1 - bpf bpf rw,delegate_cmds=any": the place of a BPF file system, and its own options. */
static bool parse_mount(const char *line, char *place, size_t place_size, const char **options)
{
	const char *field;
	size_t length;

	for (int i = 0; i < 5; i++)
		if (!next_field(&line, &field, &length))
			return false;
	snprintf(place, place_size, "%.*s", (int)length, field);
	do {
		if (!next_field(&line, &field, &length))
			return false;
	} while (length != 1 || *field != '-');
	if (!next_field(&line, &field, &length) || length != 3 || memcmp(field, "bpf", 3) != 0)
		return false;
	next_field(&line, &field, &length);
	next_field(&line, options, &length);
	return true;
}

/* Linux 6.9: who mounted it may have delegated some of bpf(2) to processes of a user namespace that are let in. */
static bool gives_token(const struct ebpf_sys *sys, const char *place)
{
	union bpf_attr attr;
	int fd = sys->openat(AT_FDCWD, place, O_RDONLY | O_DIRECTORY, 0), token;

	if (fd < 0)
		return false;
	memset(&attr, 0, sizeof attr);
	attr.token_create.bpffs_fd = (uint32_t)fd;
	token = sys->bpf(BPF_TOKEN_CREATE, &attr, EBPF_ATTR_SIZE(token_create));
	sys->close(fd);
	if (token >= 0)
		sys->close(token);
	return token >= 0;
}

static void find_bpffs(struct ebpf_kernel *kernel, struct ebpf_privileges *out)
{
	char *mounts, place[sizeof out->bpffs];
	size_t size;

	if (ebpf_kernel_read_file(kernel->sys, AT_FDCWD, "/proc/self/mountinfo", 4 << 20, &mounts, &size))
		return;
	for (const char *line = mounts; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *options = NULL;

		if (!parse_mount(line, place, sizeof place, &options))
			continue;
		if (!out->bpffs[0])
			snprintf(out->bpffs, sizeof out->bpffs, "%s", place);
		if (!out->token[0] && strstr(options, "delegate_") && gives_token(kernel->sys, place))
			snprintf(out->token, sizeof out->token, "%s", place);
	}
	free(mounts);
}

/* -- all of it -- */

void ebpf_kernel_privileges(struct ebpf_kernel *kernel, struct ebpf_privileges *out)
{
	const struct ebpf_sys *sys = kernel->sys;
	int accounted;

	memset(out, 0, sizeof *out);
	out->uid = UINT32_MAX;
	out->capabilities_known = effective_capabilities(sys, &out->capabilities, &out->uid);
	out->last_capability = read_sysctl(sys, "/proc/sys/kernel/cap_last_cap");
	out->user_namespace = in_user_namespace(sys);
	out->unprivileged_bpf_disabled = read_sysctl(sys, "/proc/sys/kernel/unprivileged_bpf_disabled");
	out->perf_event_paranoid = read_sysctl(sys, "/proc/sys/kernel/perf_event_paranoid");
	out->kptr_restrict = read_sysctl(sys, "/proc/sys/kernel/kptr_restrict");
	out->jit_enable = read_sysctl(sys, "/proc/sys/net/core/bpf_jit_enable");
	out->jit_harden = read_sysctl(sys, "/proc/sys/net/core/bpf_jit_harden");
	read_lockdown(sys, out->lockdown, sizeof out->lockdown);
	if (sys->getrlimit(RLIMIT_MEMLOCK, &out->memlock_soft, &out->memlock_hard))
		out->memlock_soft = out->memlock_hard = 0;
	accounted = ebpf_kernel_has(kernel, "memcg_account", NULL);
	out->memory_accounting = accounted < 0 ? EBPF_MEMORY_UNKNOWN : accounted ? EBPF_MEMORY_CGROUP : EBPF_MEMORY_RLIMIT;
	find_bpffs(kernel, out);
}

bool ebpf_kernel_is_capable(struct ebpf_kernel *kernel)
{
	const uint64_t enough = 1ULL << CAP_BIT_BPF | 1ULL << CAP_BIT_PERFMON;
	uint64_t capabilities;

	if (!effective_capabilities(kernel->sys, &capabilities, NULL))
		return true;
	return (capabilities >> CAP_BIT_SYS_ADMIN & 1) || (capabilities & enough) == enough;
}

bool ebpf_kernel_has_every_capability(struct ebpf_kernel *kernel)
{
	uint64_t capabilities;

	return effective_capabilities(kernel->sys, &capabilities, NULL) && (capabilities >> CAP_BIT_SYS_ADMIN & 1) &&
	       !in_user_namespace(kernel->sys);
}

/* -- why not -- */

/* Parts joined by "; ", cut at the end of the caller's text. */
static void add_part(char *text, size_t size, const char *part)
{
	size_t length = strlen(text);

	if (length + 1 < size)
		snprintf(text + length, size - length, "%s%s", length ? "; " : "", part);
}

static void explain_capabilities(const struct ebpf_sys *sys, char *text, size_t size)
{
	static const struct {
		int bit;
		const char *name;
	} wanted[] = {
		{ CAP_BIT_BPF, "CAP_BPF" },
		{ CAP_BIT_PERFMON, "CAP_PERFMON" },
		{ CAP_BIT_NET_ADMIN, "CAP_NET_ADMIN" },
	};
	char part[160] = "this process lacks CAP_SYS_ADMIN";
	uint64_t caps;

	if (!effective_capabilities(sys, &caps, NULL) || caps >> CAP_BIT_SYS_ADMIN & 1)
		return;
	for (size_t i = 0; i < EBPF_COUNT(wanted); i++) {
		size_t length = strlen(part);

		if (!(caps >> wanted[i].bit & 1))
			snprintf(part + length, sizeof part - length, ", %s", wanted[i].name);
	}
	add_part(text, size, part);
}

static void explain_sysctl(const struct ebpf_sys *sys, char *text, size_t size)
{
	int32_t value = read_sysctl(sys, "/proc/sys/kernel/unprivileged_bpf_disabled");
	char part[96];

	if (value <= 0)
		return;
	snprintf(part, sizeof part, "kernel.unprivileged_bpf_disabled is %d", value);
	add_part(text, size, part);
}

static void explain_lockdown(const struct ebpf_sys *sys, char *text, size_t size)
{
	char value[32], part[96];

	read_lockdown(sys, value, sizeof value);
	if (!value[0] || !strcmp(value, "none"))
		return;
	snprintf(part, sizeof part, "the kernel is locked down (%s)", value);
	add_part(text, size, part);
}

/* Linux before 5.11 answers EPERM as well when RLIMIT_MEMLOCK is used up. */
static void explain_memlock(struct ebpf_kernel *kernel, char *text, size_t size)
{
	uint64_t soft, hard;
	char part[96];

	if (ebpf_kernel_has(kernel, "memcg_account", NULL) != 0 || kernel->sys->getrlimit(RLIMIT_MEMLOCK, &soft, &hard) ||
	    soft == RLIM_INFINITY)
		return;
	snprintf(part, sizeof part, "RLIMIT_MEMLOCK is %llu KiB (ulimit -l)", (unsigned long long)soft >> 10);
	add_part(text, size, part);
}

void ebpf_kernel_explain_eperm(struct ebpf_kernel *kernel, char *text, size_t size)
{
	uint64_t caps;
	bool privileged;

	if (!size)
		return;
	text[0] = '\0';
	privileged = effective_capabilities(kernel->sys, &caps, NULL) && caps >> CAP_BIT_SYS_ADMIN & 1;
	explain_capabilities(kernel->sys, text, size);
	if (in_user_namespace(kernel->sys))
		add_part(text, size, "it runs in a user namespace, whose capabilities do not count here");
	if (!privileged)
		explain_sysctl(kernel->sys, text, size);
	explain_lockdown(kernel->sys, text, size);
	explain_memlock(kernel, text, size);
	if (!text[0])
		snprintf(text, size,
		         "this process has the capabilities; a security module, seccomp or the kernel's "
		         "configuration refuses it");
}
