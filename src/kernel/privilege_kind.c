/* privilege_kind.c -- what the privileges mean for each kind of work: may this process do it, and if not, what is to be done. */
#include <stdio.h>
#include <sys/resource.h>

#include "kernel/context.h"
#include "kernel/privilege.h"

#define BIT(number) (1ULL << (number))

enum { UNPRIVILEGED = 1, SHOWS_ADDRESSES = 2, READS_KERNEL = 4, WRITES_USER = 8, USES_MEMORY = 16, OPENS_EVENTS = 32 };

/* `capabilities`: all of these, or CAP_SYS_ADMIN (before 5.8, which has no CAP_BPF, that alone). */
static const struct kind {
	const char *name, *what;
	uint64_t capabilities;
	unsigned flags;
} kinds[] = {
	{ "maps", "maps", BIT(CAP_BIT_BPF), UNPRIVILEGED | USES_MEMORY },
	{ "socket_filter", "socket_filter", BIT(CAP_BIT_BPF), UNPRIVILEGED | USES_MEMORY },
	{ "general", "sk_reuseport, sk_lookup, syscall", BIT(CAP_BIT_BPF), USES_MEMORY },
	{ "network", "xdp, sched_cls, sched_act, cgroup_*, sock_ops, sk_skb, sk_msg, lwt_*, flow_dissector, lirc_mode2, netfilter",
	  BIT(CAP_BIT_BPF) | BIT(CAP_BIT_NET_ADMIN), USES_MEMORY },
	{ "tracing", "kprobe, tracepoint, perf_event, raw_tracepoint, tracing, lsm, struct_ops",
	  BIT(CAP_BIT_BPF) | BIT(CAP_BIT_PERFMON), USES_MEMORY },
	{ "extension", "ext", BIT(CAP_BIT_BPF) | BIT(CAP_BIT_PERFMON) | BIT(CAP_BIT_NET_ADMIN), USES_MEMORY },
	{ "perf_events", "attaching to kprobes, uprobes, tracepoints and perf events", BIT(CAP_BIT_PERFMON), OPENS_EVENTS },
	{ "read_kernel_memory", "probe_read_kernel, perf events with kernel samples", BIT(CAP_BIT_BPF) | BIT(CAP_BIT_PERFMON),
	  READS_KERNEL },
	{ "write_user_memory", "probe_write_user", BIT(CAP_BIT_SYS_ADMIN), WRITES_USER },
	{ "kernel_symbols", "addresses in /proc/kallsyms", BIT(CAP_BIT_SYSLOG), SHOWS_ADDRESSES },
	{ "inspect", "objects of others: by id, listing all", BIT(CAP_BIT_SYS_ADMIN), 0 },
};

static void say(struct ebpf_privilege *out, const char *why, const char *advice)
{
	out->allowed = false;
	snprintf(out->why, sizeof out->why, "%s", why);
	snprintf(out->advice, sizeof out->advice, "%s", advice);
}

/* "CAP_BPF, CAP_PERFMON": what is missing; in the form of a file capability too: "cap_bpf,cap_perfmon". */
static void name_missing(uint64_t missing, char *plain, size_t plain_size, char *file, size_t file_size)
{
	static const struct {
		int bit;
		const char *upper, *lower;
	} names[] = {
		{ CAP_BIT_BPF, "CAP_BPF", "cap_bpf" },
		{ CAP_BIT_PERFMON, "CAP_PERFMON", "cap_perfmon" },
		{ CAP_BIT_NET_ADMIN, "CAP_NET_ADMIN", "cap_net_admin" },
		{ CAP_BIT_SYSLOG, "CAP_SYSLOG", "cap_syslog" },
		{ CAP_BIT_SYS_ADMIN, "CAP_SYS_ADMIN", "cap_sys_admin" },
	};
	size_t plain_at = 0, file_at = 0;

	plain[0] = file[0] = '\0';
	for (size_t i = 0; i < EBPF_COUNT(names); i++) {
		if (!(missing >> names[i].bit & 1))
			continue;
		plain_at += (size_t)snprintf(plain + plain_at, plain_size - plain_at, "%s%s", plain_at ? ", " : "", names[i].upper);
		file_at += (size_t)snprintf(file + file_at, file_size - file_at, "%s%s", file_at ? "," : "", names[i].lower);
	}
}

static void judge_capabilities(const struct ebpf_privileges *have, const struct kind *kind, struct ebpf_privilege *out)
{
	uint64_t wanted = kind->capabilities, missing;
	char plain[128], file[128], why[160], advice[256];

	if (have->last_capability < CAP_BIT_BPF && have->last_capability >= 0 && wanted >> CAP_BIT_PERFMON)
		wanted = BIT(CAP_BIT_SYS_ADMIN);
	missing = wanted & ~have->capabilities;
	if (!have->capabilities_known || !missing ||
	    (have->capabilities >> CAP_BIT_SYS_ADMIN & 1 && !(kind->flags & SHOWS_ADDRESSES)))
		return;
	name_missing(missing, plain, sizeof plain, file, sizeof file);
	out->missing = missing;
	snprintf(why, sizeof why, "this process lacks %s", plain);
	snprintf(advice, sizeof advice,
	         "run as root, or give the program what it lacks: setcap %s=ep FILE, or in a unit of systemd AmbientCapabilities=",
	         file);
	name_missing(missing, plain, sizeof plain, file, sizeof file);
	for (char *c = plain; *c; c++)
		if (*c == ',')
			memmove(c, c + 1, strlen(c));
	snprintf(advice + strlen(advice), sizeof advice - strlen(advice), "%s", plain);
	say(out, why, advice);
}

static void judge(const struct ebpf_privileges *have, const struct kind *kind, struct ebpf_privilege *out)
{
	out->allowed = true;
	judge_capabilities(have, kind, out);
	if (kind->flags & UNPRIVILEGED && !out->allowed && have->unprivileged_bpf_disabled == 0) {
		out->allowed = true; /* with bounds: no pointer arithmetic, 4096 instructions, not all types of maps */
		out->missing = 0;
		out->why[0] = out->advice[0] = '\0';
	}
	if (kind->flags & OPENS_EVENTS && !out->allowed && have->perf_event_paranoid != EBPF_SYSCTL_UNKNOWN &&
	    have->perf_event_paranoid < 0) {
		out->allowed = true;
		out->missing = 0;
		out->why[0] = out->advice[0] = '\0';
	}
	if (have->user_namespace && kind->capabilities != BIT(CAP_BIT_SYSLOG))
		say(out, "this process is in a user namespace, whose capabilities do not count here",
		    have->token[0] ? "a BPF file system gives it a token: load by that (option token, or use_token), as far as it goes"
		                   : "run it outside, or let who made the namespace mount a BPF file system with "
		                     "delegate_cmds=any,... (6.9)");
	if (kind->flags & READS_KERNEL && !strcmp(have->lockdown, "confidentiality"))
		say(out, "the kernel is locked down (confidentiality)",
		    "boot with lockdown=integrity or less, or without secure boot");
	if (kind->flags & WRITES_USER && have->lockdown[0] && strcmp(have->lockdown, "none") != 0)
		say(out, "the kernel is locked down", "boot without lockdown= on the command line, or without secure boot");
	if (kind->flags & SHOWS_ADDRESSES && have->kptr_restrict >= 2)
		say(out, "kernel.kptr_restrict is 2: addresses are hidden from all", "sysctl kernel.kptr_restrict=1");
	if (kind->flags & USES_MEMORY && out->allowed && have->memory_accounting == EBPF_MEMORY_RLIMIT &&
	    have->memlock_soft != RLIM_INFINITY && have->memlock_hard != RLIM_INFINITY &&
	    !(have->capabilities >> CAP_BIT_SYS_RESOURCE & 1))
		snprintf(out->advice, sizeof out->advice,
		         "memory counts against RLIMIT_MEMLOCK, %llu KiB: raise it (ulimit -l unlimited), or run with "
		         "CAP_SYS_RESOURCE",
		         (unsigned long long)have->memlock_hard >> 10);
}

int ebpf_kernel_privilege(const struct ebpf_privileges *have, size_t index, struct ebpf_privilege *out)
{
	if (index >= EBPF_COUNT(kinds))
		return -ENOENT;
	memset(out, 0, sizeof *out);
	out->name = kinds[index].name;
	out->what = kinds[index].what;
	judge(have, &kinds[index], out);
	return 0;
}

const char *ebpf_capability_name(unsigned number)
{
	/* ORDER capability.h of the kernel */
	static const char *const names[] = {
		"chown",
		"dac_override",
		"dac_read_search",
		"fowner",
		"fsetid",
		"kill",
		"setgid",
		"setuid",
		"setpcap",
		"linux_immutable",
		"net_bind_service",
		"net_broadcast",
		"net_admin",
		"net_raw",
		"ipc_lock",
		"ipc_owner",
		"sys_module",
		"sys_rawio",
		"sys_chroot",
		"sys_ptrace",
		"sys_pacct",
		"sys_admin",
		"sys_boot",
		"sys_nice",
		"sys_resource",
		"sys_time",
		"sys_tty_config",
		"mknod",
		"lease",
		"audit_write",
		"audit_control",
		"setfcap",
		"mac_override",
		"mac_admin",
		"syslog",
		"wake_alarm",
		"block_suspend",
		"audit_read",
		"perfmon",
		"bpf",
		"checkpoint_restore",
	};

	return number < EBPF_COUNT(names) ? names[number] : NULL;
}
