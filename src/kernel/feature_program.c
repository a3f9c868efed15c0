/* feature_program.c -- what can be loaded: types of programs, instruction sets, limits. */
#include <stdlib.h>

#include "kernel/context.h"
#include "kernel/probe.h"

/* -- types of programs -- */

/* `wrong_target`: the type is for a target among the kernel's types. Type 1 is none (it is an integer), and the
 * verifier says so: without reading any types, and also where trampolines are refused. */
struct program_type {
	const char *name, *since;
	uint32_t attach_type, flags;
	bool wrong_target;
};
#define NAME_ROW(value, text) [value] = text,
static const char *const type_names[] = { BPF_PROG_TYPES(NAME_ROW) };

/* ORDER bpf_prog_type */
static const struct program_type types[] = {
	[BPF_PROG_TYPE_SOCKET_FILTER] = { .since = "3.19" },
	[BPF_PROG_TYPE_KPROBE] = { .since = "4.1" },
	[BPF_PROG_TYPE_SCHED_CLS] = { .since = "4.1" },
	[BPF_PROG_TYPE_SCHED_ACT] = { .since = "4.1" },
	[BPF_PROG_TYPE_TRACEPOINT] = { .since = "4.7" },
	[BPF_PROG_TYPE_XDP] = { .since = "4.8" },
	[BPF_PROG_TYPE_PERF_EVENT] = { .since = "4.9" },
	[BPF_PROG_TYPE_CGROUP_SKB] = { .since = "4.10" },
	[BPF_PROG_TYPE_CGROUP_SOCK] = { .since = "4.10" },
	[BPF_PROG_TYPE_LWT_IN] = { .since = "4.10" },
	[BPF_PROG_TYPE_LWT_OUT] = { .since = "4.10" },
	[BPF_PROG_TYPE_LWT_XMIT] = { .since = "4.10" },
	[BPF_PROG_TYPE_SOCK_OPS] = { .since = "4.13" },
	[BPF_PROG_TYPE_SK_SKB] = { .since = "4.14" },
	[BPF_PROG_TYPE_CGROUP_DEVICE] = { .since = "4.15" },
	[BPF_PROG_TYPE_SK_MSG] = { .since = "4.17" },
	[BPF_PROG_TYPE_RAW_TRACEPOINT] = { .since = "4.17" },
	[BPF_PROG_TYPE_CGROUP_SOCK_ADDR] = { .since = "4.17", .attach_type = BPF_CGROUP_INET4_CONNECT },
	[BPF_PROG_TYPE_LWT_SEG6LOCAL] = { .since = "4.18" },
	[BPF_PROG_TYPE_LIRC_MODE2] = { .since = "4.18", .attach_type = BPF_LIRC_MODE2 },
	[BPF_PROG_TYPE_SK_REUSEPORT] = { .since = "4.19" },
	[BPF_PROG_TYPE_FLOW_DISSECTOR] = { .since = "4.20" },
	[BPF_PROG_TYPE_CGROUP_SYSCTL] = { .since = "5.2" },
	[BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE] = { .since = "5.2" },
	[BPF_PROG_TYPE_CGROUP_SOCKOPT] = { .since = "5.3", .attach_type = BPF_CGROUP_GETSOCKOPT },
	[BPF_PROG_TYPE_TRACING] = { .since = "5.5", .attach_type = BPF_TRACE_RAW_TP, .wrong_target = true },
	[BPF_PROG_TYPE_STRUCT_OPS] = { .since = "5.6", .wrong_target = true },
	[BPF_PROG_TYPE_EXT] = { .since = "5.6", .wrong_target = true },
	[BPF_PROG_TYPE_LSM] = { .since = "5.7", .attach_type = BPF_LSM_MAC, .wrong_target = true },
	[BPF_PROG_TYPE_SK_LOOKUP] = { .since = "5.9", .attach_type = BPF_SK_LOOKUP },
	[BPF_PROG_TYPE_SYSCALL] = { .since = "5.14", .flags = BPF_F_SLEEPABLE },
	[BPF_PROG_TYPE_NETFILTER] = { .since = "6.4", .attach_type = BPF_NETFILTER },
};
_Static_assert(EBPF_COUNT(types) == __MAX_BPF_PROG_TYPE && EBPF_COUNT(type_names) == __MAX_BPF_PROG_TYPE, "one row per type");

bool ebpf_probe_program_form(uint32_t type, struct probe_program *out)
{
	if (!type || type >= EBPF_COUNT(types))
		return false;
	*out = (struct probe_program){ .type = type,
		                       .attach_type = types[type].attach_type,
		                       .flags = types[type].flags,
		                       .attach_btf_id = types[type].wrong_target };
	return true;
}

/* Some kernels refuse whatever runs by a trampoline with EPERM, also for root. Then it is no privilege that is missing:
 * a tracepoint with types, which needs the same ones, gets as far as the verifier. */
bool ebpf_probe_refuses_trampolines(struct ebpf_kernel *kernel)
{
	return ebpf_kernel_has_every_capability(kernel) && ebpf_probe_program_type(kernel, BPF_PROG_TYPE_TRACING) == 1;
}

/* Row 0 is type 1: "unspec" is none. */
static void type_row(size_t index, const char **name, const char **since)
{
	*name = type_names[index + 1];
	*since = types[index + 1].since;
}

/* What the kernel does not know is refused before the verifier, which is the only one to write into the log. What the
 * verifier thinks of the program does not matter. */
static int probe_type(struct ebpf_kernel *kernel, size_t index)
{
	struct probe_program program;
	char log[4096];
	int result;

	ebpf_probe_program_form((uint32_t)index + 1, &program);
	result = ebpf_probe_load(kernel, &program);
	if (result == -EPERM && program.attach_btf_id && program.type != BPF_PROG_TYPE_TRACING &&
	    ebpf_probe_refuses_trampolines(kernel))
		return 0;
	if (result == -EPERM || result >= 0)
		return ebpf_probe_verdict(kernel, result);
	program.log = log;
	program.log_size = sizeof log;
	program.log_level = BPF_LOG_LEVEL1;
	result = ebpf_probe_load(kernel, &program);
	return result < 0 && log[0] ? 1 : ebpf_probe_verdict(kernel, result);
}

const struct probe_group ebpf_program_type_group = { "program_type", EBPF_COUNT(types) - 1, type_row, probe_type };

/* -- instruction sets and limits: whether a program loads -- */

static int probe_code(struct ebpf_kernel *kernel, const struct ebpf_insn *insns, size_t count)
{
	const struct probe_program program = { .type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = insns, .count = count };

	return ebpf_probe_verdict(kernel, ebpf_probe_load(kernel, &program));
}

static const struct ebpf_insn isa_v1[] = { MOV_IMM(0, 0), EXIT };
static const struct ebpf_insn isa_v2[] = { MOV_IMM(0, 0), { .code = 0xa5, .dst = 0, .imm = 1 } /* if r0 < 1 goto +0 */, EXIT };
static const struct ebpf_insn isa_v3[] = { MOV_IMM(0, 0), { .code = 0x16, .dst = 0, .imm = 1 } /* if w0 == 1 goto +0 */, EXIT };
static const struct ebpf_insn isa_v4[] = {
	MOV_IMM(0, 7),
	{ .code = 0xbf, .dst = 0, .src = 0, .off = 8 }, /* r0 = (s8)r0 */
	{ .code = 0xd7, .dst = 0, .imm = 16 },          /* r0 = bswap16 r0 */
	{ .code = 0x37, .dst = 0, .off = 1, .imm = 3 }, /* r0 s/= 3 */
	{ .code = 0x06 },                               /* gotol +0 */
	MOV_IMM(0, 0),
	EXIT,
};
static const struct ebpf_insn isa_atomics[] = {
	MOV_IMM(0, 1),
	{ .code = 0x7a, .dst = 10, .off = -8 },                        /* *(u64 *)(r10 - 8) = 0 */
	{ .code = 0xdb, .dst = 10, .src = 0, .off = -8, .imm = 0x01 }, /* r0 = atomic_fetch_add(r10 - 8, r0) */
	MOV_IMM(0, 0),
	EXIT,
};
static const struct ebpf_insn isa_may_goto[] = { MOV_IMM(0, 0), { .code = 0xe5, .off = 1 } /* may_goto +1 */, MOV_IMM(0, 0), EXIT };
static const struct ebpf_insn isa_load_acquire[] = {
	{ .code = 0x7a, .dst = 10, .off = -8 },
	{ .code = 0xdb, .dst = 0, .src = 10, .off = -8, .imm = 0x100 }, /* r0 = load_acquire(r10 - 8) */
	MOV_IMM(0, 0),
	EXIT,
};
static const struct ebpf_insn bounded_loop[] = {
	MOV_IMM(0, 4),
	ADD_IMM(0, -1),
	{ .code = 0x55, .dst = 0, .off = -2 } /* if r0 != 0 goto -2 */,
	EXIT,
};

static const struct code_row {
	const char *name, *since;
	const struct ebpf_insn *insns;
	size_t count;
} isa_rows[] = {
	{ "v1", "3.19", isa_v1, EBPF_COUNT(isa_v1) },
	{ "v2", "4.14", isa_v2, EBPF_COUNT(isa_v2) },
	{ "v3", "5.1", isa_v3, EBPF_COUNT(isa_v3) },
	{ "v4", "6.6", isa_v4, EBPF_COUNT(isa_v4) },
	{ "atomics", "5.12", isa_atomics, EBPF_COUNT(isa_atomics) },
	{ "may_goto", "6.9", isa_may_goto, EBPF_COUNT(isa_may_goto) },
	{ "load_acquire", "6.15", isa_load_acquire, EBPF_COUNT(isa_load_acquire) },
};

static void isa_row(size_t index, const char **name, const char **since)
{
	*name = isa_rows[index].name;
	*since = isa_rows[index].since;
}

static int probe_isa(struct ebpf_kernel *kernel, size_t index)
{
	return probe_code(kernel, isa_rows[index].insns, isa_rows[index].count);
}

const struct probe_group ebpf_isa_group = { "isa", EBPF_COUNT(isa_rows), isa_row, probe_isa };

/* A flag that the kernel does not know is refused before the verifier says a word; one that it knows, but not for this type, by the
 * verifier. */
static const struct program_flag {
	const char *name, *since;
	uint32_t flag, type;
} program_flags[] = {
	{ "strict_alignment", "4.12", BPF_F_STRICT_ALIGNMENT, BPF_PROG_TYPE_SOCKET_FILTER },
	{ "any_alignment", "5.0", BPF_F_ANY_ALIGNMENT, BPF_PROG_TYPE_SOCKET_FILTER },
	{ "test_rnd_hi32", "5.3", BPF_F_TEST_RND_HI32, BPF_PROG_TYPE_SOCKET_FILTER },
	{ "test_state_freq", "5.4", BPF_F_TEST_STATE_FREQ, BPF_PROG_TYPE_SOCKET_FILTER },
	{ "sleepable", "5.10", BPF_F_SLEEPABLE, BPF_PROG_TYPE_SOCKET_FILTER },
	{ "xdp_has_frags", "5.18", BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE_XDP },
	{ "xdp_dev_bound_only", "6.3", BPF_F_XDP_DEV_BOUND_ONLY, BPF_PROG_TYPE_XDP },
	{ "test_reg_invariants", "6.8", BPF_F_TEST_REG_INVARIANTS, BPF_PROG_TYPE_SOCKET_FILTER },
};

static void program_flag_row(size_t index, const char **name, const char **since)
{
	*name = program_flags[index].name;
	*since = program_flags[index].since;
}

static int probe_program_flag(struct ebpf_kernel *kernel, size_t index)
{
	char log[1024] = "";
	struct probe_program program = {
		.type = program_flags[index].type, .flags = program_flags[index].flag,
		.log = log, .log_size = sizeof log, .log_level = BPF_LOG_LEVEL1,
	};
	int result = ebpf_probe_load(kernel, &program);

	return result < 0 && log[0] ? 1 : ebpf_probe_verdict(kernel, result);
}

const struct probe_group ebpf_program_flag_group = {
	"program_flag", EBPF_COUNT(program_flags), program_flag_row, probe_program_flag
};

/* One instruction more than every kernel takes. Of a process without CAP_BPF it is asked what that may load. */
static int probe_large_programs(struct ebpf_kernel *kernel)
{
	enum { COUNT = EBPF_OLD_INSTRUCTION_LIMIT + 1 };
	static const struct ebpf_insn one = MOV_IMM(0, 0), end = EXIT;
	struct ebpf_insn *insns = malloc(COUNT * sizeof *insns);
	int result;

	if (!insns)
		return -ENOMEM;
	for (size_t i = 0; i < COUNT - 1; i++)
		insns[i] = one;
	insns[COUNT - 1] = end;
	result = probe_code(kernel, insns, COUNT);
	free(insns);
	return result;
}

static int probe_bounded_loops(struct ebpf_kernel *kernel)
{
	return probe_code(kernel, bounded_loop, EBPF_COUNT(bounded_loop));
}

static const struct limit_row {
	const char *name, *since;
	int (*probe)(struct ebpf_kernel *kernel);
} limit_rows[] = {
	{ "large_programs", "5.2", probe_large_programs },
	{ "bounded_loops", "5.3", probe_bounded_loops },
};

static void limit_row(size_t index, const char **name, const char **since)
{
	*name = limit_rows[index].name;
	*since = limit_rows[index].since;
}

static int probe_limit(struct ebpf_kernel *kernel, size_t index)
{
	return limit_rows[index].probe(kernel);
}

const struct probe_group ebpf_limit_group = { "limit", EBPF_COUNT(limit_rows), limit_row, probe_limit };

int ebpf_kernel_instruction_limit(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	int result = ebpf_kernel_has(kernel, "limit.large_programs", err);

	if (result < 0)
		return result;
	return result ? EBPF_INSTRUCTION_LIMIT : EBPF_OLD_INSTRUCTION_LIMIT;
}
