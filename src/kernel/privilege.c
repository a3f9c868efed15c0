/* privilege.c -- why this process may not do it: capabilities, user namespace, sysctls, lockdown, locked memory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "kernel/context.h"

enum { CAP_BIT_NET_ADMIN = 12, CAP_BIT_SYS_ADMIN = 21, CAP_BIT_PERFMON = 38, CAP_BIT_BPF = 39 };

/* Parts joined by "; ", cut at the end of the caller's text. */
static void add_part(char *text, size_t size, const char *part)
{
	size_t length = strlen(text);

	if (length + 1 < size)
		snprintf(text + length, size - length, "%s%s", length ? "; " : "", part);
}

static bool effective_capabilities(const struct ebpf_sys *sys, uint64_t *out)
{
	char status[4096];
	const char *line;

	if (ebpf_kernel_read_text(sys, AT_FDCWD, "/proc/self/status", status, sizeof status))
		return false;
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

static void explain_capabilities(const struct ebpf_sys *sys, char *text, size_t size)
{
	static const struct { int bit; const char *name; } wanted[] = {
		{ CAP_BIT_BPF, "CAP_BPF" }, { CAP_BIT_PERFMON, "CAP_PERFMON" }, { CAP_BIT_NET_ADMIN, "CAP_NET_ADMIN" },
	};
	char part[160] = "this process lacks CAP_SYS_ADMIN";
	uint64_t caps;

	if (!effective_capabilities(sys, &caps) || caps >> CAP_BIT_SYS_ADMIN & 1)
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
	char value[16], part[96];

	if (ebpf_kernel_read_text(sys, AT_FDCWD, "/proc/sys/kernel/unprivileged_bpf_disabled", value, sizeof value) ||
	    !strcmp(value, "0"))
		return;
	snprintf(part, sizeof part, "kernel.unprivileged_bpf_disabled is %s", value);
	add_part(text, size, part);
}

/* "none [integrity] confidentiality" */
static void explain_lockdown(const struct ebpf_sys *sys, char *text, size_t size)
{
	char value[96], part[96];
	char *from, *to;

	if (ebpf_kernel_read_text(sys, AT_FDCWD, "/sys/kernel/security/lockdown", value, sizeof value))
		return;
	from = strchr(value, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to || !strncmp(from, "[none]", 6))
		return;
	snprintf(part, sizeof part, "the kernel is locked down (%.*s)", (int)(to - from - 1), from + 1);
	add_part(text, size, part);
}

/* Linux before 5.11 answers EPERM as well when RLIMIT_MEMLOCK is used up. */
static void explain_memlock(struct ebpf_kernel *kernel, char *text, size_t size)
{
	uint64_t soft, hard;
	char part[96];

	if (ebpf_kernel_has(kernel, "memcg_account", NULL) != 0 ||
	    kernel->sys->getrlimit(RLIMIT_MEMLOCK, &soft, &hard) || soft == RLIM_INFINITY)
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
	privileged = effective_capabilities(kernel->sys, &caps) && caps >> CAP_BIT_SYS_ADMIN & 1;
	explain_capabilities(kernel->sys, text, size);
	if (in_user_namespace(kernel->sys))
		add_part(text, size, "it runs in a user namespace, whose capabilities do not count here");
	if (!privileged)
		explain_sysctl(kernel->sys, text, size);
	explain_lockdown(kernel->sys, text, size);
	explain_memlock(kernel, text, size);
	if (!text[0])
		snprintf(text, size, "this process has the capabilities; a security module, seccomp or the kernel's "
			 "configuration refuses it");
}
