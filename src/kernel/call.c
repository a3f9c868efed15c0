/* call.c -- loads calls to see which of them a type of program may make. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/call.h"
#include "kernel/context.h"
#include "sys/policy.h"

/* -- the forms of a type of program -- */

/* Where the type needs a target among the kernel's types: the first of these that there is. */
struct target {
	uint32_t kind;
	const char *const *names;
	const char *member; /* struct_ops: the function pointer that is implemented */
};
struct form {
	uint32_t type, attach_type, flags;
	const struct target *target;
};

#define NAMES(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define TARGET(...) (&(const struct target){ __VA_ARGS__ })

/* Functions and tracepoints that hardly anything calls; nothing is attached, however. */
#define RAW_TRACEPOINT TARGET(BTF_KIND_TYPEDEF, NAMES("btf_trace_task_rename", "btf_trace_sched_process_exit"), NULL)
#define FUNCTION       TARGET(BTF_KIND_FUNC, NAMES("bpf_fentry_test1"), NULL)
#define SLEEPING_FUNCTION                                                                                                          \
	TARGET(BTF_KIND_FUNC, NAMES("__x64_sys_nanosleep", "__arm64_sys_nanosleep", "__s390x_sys_nanosleep", "bpf_fentry_test1"),  \
	       NULL)
#define MODIFIED_FUNCTION           TARGET(BTF_KIND_FUNC, NAMES("bpf_modify_return_test"), NULL)
#define ITERATOR                    TARGET(BTF_KIND_FUNC, NAMES("bpf_iter_task"), NULL)
#define LSM_HOOK                    TARGET(BTF_KIND_FUNC, NAMES("bpf_lsm_file_open"), NULL)
#define LSM_SOCKET_HOOK             TARGET(BTF_KIND_FUNC, NAMES("bpf_lsm_socket_bind"), NULL)
#define OPERATIONS(table, function) TARGET(BTF_KIND_STRUCT, NAMES(table), function)

/* Only types for which more than the form of their probe is worth a look: the other forms may call the same. */
static const struct form forms[] = {
	{ BPF_PROG_TYPE_KPROBE, 0, 0, NULL },
	{ BPF_PROG_TYPE_KPROBE, 0, BPF_F_SLEEPABLE, NULL }, /* a uprobe, 6.0 */
	{ BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT, 0, NULL },
	{ BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, 0, NULL },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0, RAW_TRACEPOINT },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, 0, ITERATOR },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, BPF_F_SLEEPABLE, ITERATOR }, /* 6.0 */
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0, FUNCTION },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, 0, FUNCTION },
	{ BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, 0, MODIFIED_FUNCTION },
	{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, BPF_F_SLEEPABLE, SLEEPING_FUNCTION },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, 0, LSM_HOOK },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, BPF_F_SLEEPABLE, LSM_HOOK },
	{ BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, 0, LSM_SOCKET_HOOK },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, 0, OPERATIONS("tcp_congestion_ops", "ssthresh") },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, 0, OPERATIONS("sched_ext_ops", "select_cpu") },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, BPF_F_SLEEPABLE, OPERATIONS("sched_ext_ops", "init") },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, 0, OPERATIONS("Qdisc_ops", "enqueue") },
	{ BPF_PROG_TYPE_STRUCT_OPS, 0, BPF_F_SLEEPABLE, OPERATIONS("hid_bpf_ops", "hid_hw_request") },
};

/* A struct_ops program says with its attach type which member it is. */
static int find_member(const struct ebpf_btf *btf, uint32_t id, const char *member, uint32_t *index)
{
	struct ebpf_type type;

	if (!ebpf_btf_type(btf, id, &type))
		return -ENOENT;
	for (*index = 0; *index < type.vlen; ++*index)
		if (!strcmp(ebpf_type_member(&type, *index).name, member))
			return 0;
	return -ENOENT;
}

/* -ENOENT when this kernel has no such target. */
static int resolve(struct ebpf_kernel *kernel, const struct form *form, struct probe_program *program)
{
	struct ebpf_btf *btf;
	int64_t id = -ENOENT;

	ebpf_probe_program_form(form->type, program);
	program->attach_type = form->attach_type;
	program->flags = form->flags;
	if (!form->target)
		return 0;
	btf = ebpf_kernel_btf(kernel, NULL);
	if (!btf)
		return -ENOTSUP;
	for (const char *const *name = form->target->names; *name && id < 0; name++)
		id = ebpf_btf_find_kind(btf, *name, form->target->kind);
	if (id < 0)
		return -ENOENT;
	program->attach_btf_id = (uint32_t)id;
	return form->target->member ? find_member(btf, (uint32_t)id, form->target->member, &program->attach_type) : 0;
}

/* The index-th form of a type; false past the last. A type without a row has the form of its probe, unless that is for a target. */
static bool next_form(uint32_t type, size_t *at, struct form *out)
{
	struct probe_program program;
	bool has_rows = false;

	for (size_t i = 0; i < EBPF_COUNT(forms); i++) {
		if (forms[i].type != type)
			continue;
		has_rows = true;
		if (i < *at)
			continue;
		*out = forms[i];
		*at = i + 1;
		return true;
	}
	if (has_rows || *at || !ebpf_probe_program_form(type, &program) || program.attach_btf_id)
		return false;
	*out = (struct form){ .type = type, .attach_type = program.attach_type, .flags = program.flags };
	*at = EBPF_COUNT(forms);
	return true;
}

/* -- many calls in one load -- */

static const char registers_follow[] = "Live regs before insn:\n";

/* Two calls whose answers are known stand before the others: a helper that every type may call, and one that there is not. */
enum { CONTROLS = 2, NO_HELPER = 0x7ffffff0 };

/* The next line's five registers: "  3: .12....... (85) call ..." -> ".12..." from r1 on. NULL when the line is none of these. */
static const char *registers_in(const char **line)
{
	const char *end = strchr(*line, '\n'), *colon = strchr(*line, ':'), *text;

	if (!end || !colon || colon + 12 > end)
		return NULL;
	*line = end + 1;
	text = colon + 2;
	return strspn(text, ".0123456789") == 10 ? text + 1 : NULL;
}

/* 1, or 0 when the log does not have it. */
static int read_registers(const char *log, size_t count, uint8_t *answers)
{
	const char *line = strstr(log, registers_follow);

	if (!line)
		return 0;
	line += strlen(registers_follow);
	for (size_t i = 0; i < count + CONTROLS; i++) {
		const char *registers = registers_in(&line);
		bool all;

		if (!registers)
			return 0;
		all = !memcmp(registers, "12345", 5);
		if (i < CONTROLS) {
			if (all != (i == 1))
				return 0;
		} else if (!all) {
			answers[i - CONTROLS] = CALL_PRESENT;
		} else if (answers[i - CONTROLS] != CALL_PRESENT) {
			answers[i - CONTROLS] = CALL_ABSENT;
		}
	}
	return 1;
}

static int batch_form(struct ebpf_kernel *kernel, struct kernel_calls *known, struct probe_program *program,
                      const struct ebpf_insn *calls, size_t count, uint8_t *answers)
{
	static const struct ebpf_insn controls[CONTROLS] = { HELPER(BPF_FUNC_map_lookup_elem), HELPER(NO_HELPER) };
	static const struct ebpf_insn end[] = { MOV_IMM(0, 0), EXIT };
	struct ebpf_insn *insns = malloc((CONTROLS + count + EBPF_COUNT(end)) * sizeof *insns);
	int result;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, controls, sizeof controls);
	if (count)
		memcpy(insns + CONTROLS, calls, count * sizeof *calls);
	memcpy(insns + CONTROLS + count, end, sizeof end);
	program->insns = insns;
	program->count = CONTROLS + count + EBPF_COUNT(end);
	program->log = known->log;
	program->log_size = sizeof known->log;
	program->log_level = BPF_LOG_LEVEL2;
	result = ebpf_probe_load(kernel, program);
	free(insns);
	if (result >= 0)
		kernel->sys->close(result); /* there is a helper of that number after all: the registers will not agree */
	if (read_registers(known->log, count, answers))
		return 1;
	return result < 0 ? result : 0;
}

/* Asked of the type that every kernel has. */
int ebpf_call_probe_registers(struct ebpf_kernel *kernel)
{
	struct probe_program program = { .type = BPF_PROG_TYPE_SOCKET_FILTER };
	struct kernel_calls *known = ebpf_kernel_calls(kernel);
	int result = known ? batch_form(kernel, known, &program, NULL, 0, NULL) : -ENOMEM;

	return result == 1 || ebpf_probe_is_inconclusive(result) ? result : 0;
}

/* The kernel refuses a whole program for one kfunc that it cannot link: then the half that has it is divided again. */
static int batch_halves(struct ebpf_kernel *kernel, struct kernel_calls *known, struct probe_program *program,
                        const struct ebpf_insn *calls, size_t count, uint8_t *answers)
{
	int result = batch_form(kernel, known, program, calls, count, answers), first, second;

	if (result == 1 || ebpf_probe_is_inconclusive(result))
		return result;
	if (count <= 1) {
		if (count && answers[0] != CALL_PRESENT)
			answers[0] = CALL_ABSENT;
		return result;
	}
	first = batch_halves(kernel, known, program, calls, count / 2, answers);
	second = batch_halves(kernel, known, program, calls + count / 2, count - count / 2, answers + count / 2);
	return first == 1 || second == 1 ? 1 : first;
}

static bool are_kfuncs(const struct ebpf_insn *calls)
{
	return calls->src == BPF_PSEUDO_KFUNC_CALL;
}

static bool one_is_enough(const struct form *form, const struct ebpf_insn *calls)
{
	return are_kfuncs(calls) && form->type != BPF_PROG_TYPE_STRUCT_OPS;
}

static int batch(struct ebpf_kernel *kernel, struct kernel_calls *known, struct probe_program *program,
                 const struct ebpf_insn *calls, size_t count, uint8_t *answers)
{
	int result;

	if (!are_kfuncs(calls))
		return batch_form(kernel, known, program, calls, count, answers);
	/* Does the form load at all? Else its calls would be divided to the last for nothing. */
	result = batch_form(kernel, known, program, NULL, 0, NULL);
	return result == 1 ? batch_halves(kernel, known, program, calls, count, answers) : result;
}

/* Of those that another form may not make already: each call is a line of the log, and the log is what takes the time. */
static int batch_rest(struct ebpf_kernel *kernel, struct kernel_calls *known, struct probe_program *program,
                      const struct ebpf_insn *calls, size_t count, uint8_t *answers)
{
	struct ebpf_insn *rest = malloc((count + 1) * sizeof *rest);
	uint8_t *found = calloc(count + 1, 1);
	size_t left = 0, next = 0;
	int result = -ENOMEM;

	for (size_t i = 0; rest && found && i < count; i++)
		if (answers[i] != CALL_PRESENT)
			rest[left++] = calls[i];
	if (rest && found)
		result = left ? batch(kernel, known, program, rest, left, found) : 1;
	for (size_t i = 0; result == 1 && i < count; i++) {
		if (answers[i] == CALL_PRESENT)
			continue;
		if (found[next] != CALL_UNKNOWN)
			answers[i] = found[next];
		next++;
	}
	free(rest);
	free(found);
	return result;
}

/* The host of this thread hears of all of it at once. */
static int ask(uint32_t program_type, struct ebpf_policy **policy)
{
	const char *name = ebpf_enum_name(EBPF_PROGRAM_TYPE, program_type);
	char text[64];

	snprintf(text, sizeof text, "helpers and kfuncs for %s", name ? name : "programs");
	return ebpf_policy_probe(text, policy);
}

int ebpf_call_batch(struct ebpf_kernel *kernel, uint32_t program_type, const struct ebpf_insn *calls, size_t count,
                    uint8_t *answers)
{
	struct kernel_calls *known = ebpf_kernel_calls(kernel);
	int outcome = -ENOTSUP, refused;
	struct ebpf_policy *policy;
	struct form form;
	size_t at = 0;

	if (!known)
		return -ENOMEM;
	if (!ebpf_kernel_supports(kernel, EBPF_FEATURE_VERIFIER_REGISTERS))
		return 0;
	refused = ask(program_type, &policy);
	if (refused)
		return refused;
	while (next_form(program_type, &at, &form)) {
		struct probe_program program;
		int result;

		if (resolve(kernel, &form, &program))
			continue;
		result = batch_rest(kernel, known, &program, calls, count, answers);
		if (result == 1 || outcome != 1)
			outcome = result == 0 ? -ENOTSUP : result;
		if (result == 1 && one_is_enough(&form, calls))
			break;
	}
	ebpf_policy_set(policy);
	return outcome;
}

/* -- one call in one load -- */

/* What the verifier says of a call that the program may not make. Whatever else it says, it has looked at the call, if
 * it got there: the log of level 1 shows the instruction, that of 4 (which is shorter, 5.2) that it was processed. */
static int judge(const char *log)
{
	static const char *const refusals[] = {
		"cannot use helper",       /* "program of this type cannot use helper bpf_x#1", 6.9 */
		"unknown func",            /* before */
		"invalid func",            /* a number that this kernel does not have */
		"calling kernel function", /* "... x is not allowed". (Of a helper, "not allowed in probe" is said for want of the
		                              right target.) */
	};
	const char *processed = strstr(log, "processed ");

	for (size_t i = 0; i < EBPF_COUNT(refusals); i++)
		if (strstr(log, refusals[i]))
			return 0;
	if (strstr(log, "(85) call"))
		return 1;
	return processed && !ebpf_starts_with(processed, "processed 0 ") ? 1 : -ENOTSUP;
}

static int load_alone(struct ebpf_kernel *kernel, struct kernel_calls *known, struct probe_program *program, struct call call)
{
	const struct ebpf_insn insns[] = { call.insn, MOV_IMM(0, 0), EXIT };
	const int fd_array[] = { 0, call.btf_fd };
	int result;

	program->insns = insns;
	program->count = EBPF_COUNT(insns);
	program->fd_array = call.btf_fd ? fd_array : NULL;
	program->log = known->log;
	program->log_size = sizeof known->log;
	program->log_level = ebpf_kernel_supports(kernel, EBPF_FEATURE_VERIFIER_REGISTERS) ? BPF_LOG_STATS : BPF_LOG_LEVEL1;
	result = ebpf_probe_load(kernel, program);
	if (result >= 0) {
		kernel->sys->close(result);
		return 1;
	}
	return known->log[0] ? judge(known->log) : result;
}

int ebpf_call_alone(struct ebpf_kernel *kernel, uint32_t program_type, struct call call)
{
	struct kernel_calls *known = ebpf_kernel_calls(kernel);
	int outcome = -ENOTSUP, refused;
	struct ebpf_policy *policy;
	struct form form;
	size_t at = 0;

	if (!known)
		return -ENOMEM;
	refused = ask(program_type, &policy);
	if (refused)
		return refused;
	while (next_form(program_type, &at, &form)) {
		struct probe_program program;
		int result;

		if (resolve(kernel, &form, &program))
			continue;
		result = load_alone(kernel, known, &program, call);
		if (result == 1) {
			outcome = 1;
			break;
		}
		if (result == 0 || outcome != 0)
			outcome = result;
		if (result == 0 && one_is_enough(&form, &call.insn))
			break;
	}
	ebpf_policy_set(policy);
	return outcome;
}

/* -- what is remembered -- */

struct kernel_calls *ebpf_kernel_calls(struct ebpf_kernel *kernel)
{
	if (!kernel->calls)
		kernel->calls = calloc(1, sizeof *kernel->calls);
	return kernel->calls;
}

void ebpf_kernel_calls_free(struct ebpf_kernel *kernel)
{
	struct kernel_calls *calls = kernel->calls;

	if (!calls)
		return;
	ebpf_kernel_kfuncs_free(calls);
	free(calls);
}
