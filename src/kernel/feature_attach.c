/* feature_attach.c -- where programs can be attached: the kernel's attach types.
 *
 * Each row says which type of program goes there, and how the kernel lets on that it knows the place: what is asked
 * names a descriptor, device, file or type that does not exist, and the kernel complains of that only when it knows
 * what was asked for. */
#include <limits.h>

#include "kernel/context.h"
#include "kernel/probe.h"

enum ask {
	ATTACH,    /* BPF_PROG_ATTACH without a program: EBADF */
	LOAD,      /* BPF_PROG_LOAD for it: the verifier has its say, as it has not for a place that there is not */
	LOAD_FREE, /* the same, of programs that are told only later what they are attached to: it loads */
	DEVICE,    /* BPF_LINK_CREATE on a device that does not exist: ENODEV */
	SYMBOLS,   /* BPF_LINK_CREATE with names that cannot be read: EFAULT */
	FILE_PATH, /* the same with the path of a file */
	FEATURE,   /* another feature tells */
};
struct attach_type {
	const char *since;
	uint32_t program_type;
	enum ask ask;
	const char *feature; /* of FEATURE */
};
#define NAME_ROW(value, text) [value] = text,
static const char *const names[] = { BPF_ATTACH_TYPES(NAME_ROW) };

#define CGROUP_SKB(version) { version, BPF_PROG_TYPE_CGROUP_SKB, ATTACH, NULL }
#define CGROUP_SOCK(version) { version, BPF_PROG_TYPE_CGROUP_SOCK, ATTACH, NULL }
#define CGROUP_ADDR(version) { version, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, ATTACH, NULL }
#define SK_SKB(version) { version, BPF_PROG_TYPE_SK_SKB, ATTACH, NULL }
#define TRACING(version) { version, BPF_PROG_TYPE_TRACING, LOAD, NULL }

/* ORDER bpf_attach_type */
static const struct attach_type types[] = {
	[BPF_CGROUP_INET_INGRESS] = CGROUP_SKB("4.10"),
	[BPF_CGROUP_INET_EGRESS] = CGROUP_SKB("4.10"),
	[BPF_CGROUP_INET_SOCK_CREATE] = CGROUP_SOCK("4.10"),
	[BPF_CGROUP_SOCK_OPS] = { "4.13", BPF_PROG_TYPE_SOCK_OPS, ATTACH, NULL },
	[BPF_SK_SKB_STREAM_PARSER] = SK_SKB("4.14"),
	[BPF_SK_SKB_STREAM_VERDICT] = SK_SKB("4.14"),
	[BPF_CGROUP_DEVICE] = { "4.15", BPF_PROG_TYPE_CGROUP_DEVICE, ATTACH, NULL },
	[BPF_SK_MSG_VERDICT] = { "4.17", BPF_PROG_TYPE_SK_MSG, ATTACH, NULL },
	[BPF_CGROUP_INET4_BIND] = CGROUP_ADDR("4.17"),
	[BPF_CGROUP_INET6_BIND] = CGROUP_ADDR("4.17"),
	[BPF_CGROUP_INET4_CONNECT] = CGROUP_ADDR("4.17"),
	[BPF_CGROUP_INET6_CONNECT] = CGROUP_ADDR("4.17"),
	[BPF_CGROUP_INET4_POST_BIND] = CGROUP_SOCK("4.17"),
	[BPF_CGROUP_INET6_POST_BIND] = CGROUP_SOCK("4.17"),
	[BPF_CGROUP_UDP4_SENDMSG] = CGROUP_ADDR("4.18"),
	[BPF_CGROUP_UDP6_SENDMSG] = CGROUP_ADDR("4.18"),
	[BPF_LIRC_MODE2] = { "4.18", BPF_PROG_TYPE_LIRC_MODE2, ATTACH, NULL },
	[BPF_FLOW_DISSECTOR] = { "4.20", BPF_PROG_TYPE_FLOW_DISSECTOR, ATTACH, NULL },
	[BPF_CGROUP_SYSCTL] = { "5.2", BPF_PROG_TYPE_CGROUP_SYSCTL, ATTACH, NULL },
	[BPF_CGROUP_UDP4_RECVMSG] = CGROUP_ADDR("5.2"),
	[BPF_CGROUP_UDP6_RECVMSG] = CGROUP_ADDR("5.2"),
	[BPF_CGROUP_GETSOCKOPT] = { "5.3", BPF_PROG_TYPE_CGROUP_SOCKOPT, ATTACH, NULL },
	[BPF_CGROUP_SETSOCKOPT] = { "5.3", BPF_PROG_TYPE_CGROUP_SOCKOPT, ATTACH, NULL },
	[BPF_TRACE_RAW_TP] = TRACING("5.5"),
	[BPF_TRACE_FENTRY] = { "5.5", BPF_PROG_TYPE_TRACING, FEATURE, "trampoline" },
	[BPF_TRACE_FEXIT] = { "5.5", BPF_PROG_TYPE_TRACING, FEATURE, "trampoline" },
	[BPF_MODIFY_RETURN] = TRACING("5.7"),
	[BPF_LSM_MAC] = { "5.7", BPF_PROG_TYPE_LSM, LOAD, NULL },
	[BPF_TRACE_ITER] = TRACING("5.8"),
	[BPF_CGROUP_INET4_GETPEERNAME] = CGROUP_ADDR("5.8"),
	[BPF_CGROUP_INET6_GETPEERNAME] = CGROUP_ADDR("5.8"),
	[BPF_CGROUP_INET4_GETSOCKNAME] = CGROUP_ADDR("5.8"),
	[BPF_CGROUP_INET6_GETSOCKNAME] = CGROUP_ADDR("5.8"),
	[BPF_XDP_DEVMAP] = { "5.8", BPF_PROG_TYPE_XDP, FEATURE, "map_flag.devmap_program" },
	[BPF_CGROUP_INET_SOCK_RELEASE] = CGROUP_SOCK("5.9"),
	[BPF_XDP_CPUMAP] = { "5.9", BPF_PROG_TYPE_XDP, FEATURE, "map_flag.cpumap_program" },
	[BPF_SK_LOOKUP] = { "5.9", BPF_PROG_TYPE_SK_LOOKUP, ATTACH, NULL },
	[BPF_XDP] = { "5.9", BPF_PROG_TYPE_XDP, ATTACH, NULL },
	[BPF_SK_SKB_VERDICT] = SK_SKB("5.13"),
	[BPF_SK_REUSEPORT_SELECT] = { "5.14", BPF_PROG_TYPE_SK_REUSEPORT, LOAD, NULL },
	[BPF_SK_REUSEPORT_SELECT_OR_MIGRATE] = { "5.14", BPF_PROG_TYPE_SK_REUSEPORT, LOAD, NULL },
	[BPF_PERF_EVENT] = { "5.15", BPF_PROG_TYPE_PERF_EVENT, FEATURE, "perf_link" },
	[BPF_TRACE_KPROBE_MULTI] = { "5.18", BPF_PROG_TYPE_KPROBE, SYMBOLS, NULL },
	[BPF_LSM_CGROUP] = { "6.0", BPF_PROG_TYPE_LSM, LOAD, NULL },
	[BPF_STRUCT_OPS] = { "6.4", BPF_PROG_TYPE_STRUCT_OPS, FEATURE, "map_flag.link" },
	[BPF_NETFILTER] = { "6.4", BPF_PROG_TYPE_NETFILTER, LOAD, NULL },
	[BPF_TCX_INGRESS] = { "6.6", BPF_PROG_TYPE_SCHED_CLS, DEVICE, NULL },
	[BPF_TCX_EGRESS] = { "6.6", BPF_PROG_TYPE_SCHED_CLS, DEVICE, NULL },
	[BPF_TRACE_UPROBE_MULTI] = { "6.6", BPF_PROG_TYPE_KPROBE, FILE_PATH, NULL },
	[BPF_CGROUP_UNIX_CONNECT] = CGROUP_ADDR("6.7"),
	[BPF_CGROUP_UNIX_SENDMSG] = CGROUP_ADDR("6.7"),
	[BPF_CGROUP_UNIX_RECVMSG] = CGROUP_ADDR("6.7"),
	[BPF_CGROUP_UNIX_GETPEERNAME] = CGROUP_ADDR("6.7"),
	[BPF_CGROUP_UNIX_GETSOCKNAME] = CGROUP_ADDR("6.7"),
	[BPF_NETKIT_PRIMARY] = { "6.7", BPF_PROG_TYPE_SCHED_CLS, DEVICE, NULL },
	[BPF_NETKIT_PEER] = { "6.7", BPF_PROG_TYPE_SCHED_CLS, DEVICE, NULL },
	[BPF_TRACE_KPROBE_SESSION] = { "6.10", BPF_PROG_TYPE_KPROBE, SYMBOLS, NULL },
	[BPF_TRACE_UPROBE_SESSION] = { "6.13", BPF_PROG_TYPE_KPROBE, FILE_PATH, NULL },
	[BPF_TRACE_FSESSION] = TRACING("7.0"),
	[BPF_TRACE_FENTRY_MULTI] = { "7.2", BPF_PROG_TYPE_TRACING, LOAD_FREE, NULL },
	[BPF_TRACE_FEXIT_MULTI] = { "7.2", BPF_PROG_TYPE_TRACING, LOAD_FREE, NULL },
	[BPF_TRACE_FSESSION_MULTI] = { "7.2", BPF_PROG_TYPE_TRACING, LOAD_FREE, NULL },
};
_Static_assert(EBPF_COUNT(types) == __MAX_BPF_ATTACH_TYPE && EBPF_COUNT(names) == __MAX_BPF_ATTACH_TYPE, "one row per attach type");

static void row(size_t index, const char **name, const char **since)
{
	*name = names[index];
	*since = types[index].since;
}

static int ask_attach(struct ebpf_kernel *kernel, uint32_t attach_type)
{
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.target_fd = (uint32_t)-1;
	attr.attach_bpf_fd = (uint32_t)-1;
	attr.attach_type = attach_type;
	result = kernel->sys->bpf(BPF_PROG_ATTACH, &attr, EBPF_ATTR_SIZE(replace_bpf_fd));
	return result == -EBADF ? 1 : ebpf_probe_verdict(kernel, result);
}

/* 1 when the program is loaded or the verifier minds nothing but its target. */
static int load_for(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t attach_type)
{
	struct probe_program program;
	char log[4096];
	int result;

	ebpf_probe_program_form(program_type, &program);
	program.attach_type = attach_type;
	program.log = log;
	program.log_size = sizeof log;
	program.log_level = BPF_LOG_LEVEL1;
	result = ebpf_probe_load(kernel, &program);
	if (result < 0 && strstr(log, program.attach_btf_id ? "attach_btf_id 1 is not a " : "processed "))
		return 1;
	if (result == -EPERM && program.attach_btf_id && ebpf_probe_refuses_trampolines(kernel))
		return 0;
	return ebpf_probe_verdict(kernel, result);
}

/* A kernel that does not look at the attach type of such programs at all takes any. */
static int ask_load(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t attach_type)
{
	int result = load_for(kernel, program_type, attach_type), absurd;

	if (result != 1)
		return result;
	absurd = load_for(kernel, program_type, 1U << 20);
	return absurd < 0 ? absurd : !absurd;
}

static int ask_load_free(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t attach_type)
{
	const struct probe_program program = { .type = program_type, .attach_type = attach_type };
	int result = ebpf_probe_load(kernel, &program);

	return result == -EPERM && ebpf_probe_refuses_trampolines(kernel) ? 0 : ebpf_probe_verdict(kernel, result);
}

/* BPF_LINK_CREATE of a program that does nothing. */
static int ask_link(struct ebpf_kernel *kernel, uint32_t attach_type, const struct attach_type *type)
{
	const uint64_t nowhere = 1; /* an address that no process has */
	struct probe_program program;
	int expected = -EFAULT, result, fd;
	union bpf_attr attr;

	ebpf_probe_program_form(type->program_type, &program);
	program.attach_type = attach_type;
	fd = ebpf_probe_load(kernel, &program);
	if (fd < 0)
		return ebpf_probe_verdict(kernel, fd);
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)fd;
	attr.link_create.attach_type = attach_type;
	switch (type->ask) {
	case DEVICE:
		attr.link_create.target_ifindex = INT_MAX;
		expected = -ENODEV;
		break;
	case SYMBOLS:
		attr.link_create.kprobe_multi.cnt = 1;
		attr.link_create.kprobe_multi.addrs = nowhere;
		break;
	default:
		attr.link_create.uprobe_multi.cnt = 1;
		attr.link_create.uprobe_multi.path = nowhere;
		attr.link_create.uprobe_multi.offsets = nowhere;
		break;
	}
	result = kernel->sys->bpf(BPF_LINK_CREATE, &attr, EBPF_ATTR_SIZE(link_create));
	kernel->sys->close(fd);
	return result == expected ? 1 : ebpf_probe_verdict(kernel, result);
}

static int probe(struct ebpf_kernel *kernel, size_t index)
{
	const struct attach_type *type = &types[index];
	uint32_t attach_type = (uint32_t)index;
	int result = ebpf_probe_program_type(kernel, type->program_type);

	if (result != 1)
		return result;
	switch (type->ask) {
	case ATTACH:
		return ask_attach(kernel, attach_type);
	case LOAD:
		return ask_load(kernel, type->program_type, attach_type);
	case LOAD_FREE:
		return ask_load_free(kernel, type->program_type, attach_type);
	case FEATURE:
		return ebpf_kernel_has(kernel, type->feature, NULL);
	default:
		return ask_link(kernel, attach_type, type);
	}
}

const struct probe_group ebpf_attach_type_group = { "attach_type", EBPF_COUNT(types), row, probe };
