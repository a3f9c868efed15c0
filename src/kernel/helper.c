/* helper.c -- which helpers a type of program may call. */
#include <stdio.h>

#include "kernel/call.h"
#include "kernel/context.h"

/* Asking for these writes a warning into the kernel's log, or switches a trace event on: only when somebody asks for
 * one by name. */
static bool has_side_effects(uint32_t helper)
{
	return helper == BPF_FUNC_trace_printk || helper == BPF_FUNC_trace_vprintk || helper == BPF_FUNC_probe_write_user;
}

#define FIVE(number, name) case number:
static bool has_five_parameters(uint32_t helper)
{
	switch (helper) {
		BPF_HELPERS_OF_FIVE(FIVE)
		return true;
	}
	return false;
}

/* Two types have the very table of operations of another, since there are (4.1, 5.2): what is known of that one is true of them. */
static uint32_t asked_as(uint32_t type)
{
	if (type == BPF_PROG_TYPE_SCHED_ACT)
		return BPF_PROG_TYPE_SCHED_CLS;
	return type == BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE ? BPF_PROG_TYPE_RAW_TRACEPOINT : type;
}

/* All at once, but for those of five parameters. */
static void batch(struct ebpf_kernel *kernel, struct kernel_calls *known, uint32_t type)
{
	struct ebpf_insn calls[HELPER_COUNT];
	uint8_t answers[HELPER_COUNT] = { 0 };
	uint32_t numbers[HELPER_COUNT];
	size_t count = 0;

	if (known->helpers_batched[type])
		return;
	for (uint32_t helper = 1; helper < HELPER_COUNT; helper++) {
		if (has_side_effects(helper) || has_five_parameters(helper) || known->helpers[type][helper] != CALL_UNKNOWN)
			continue;
		calls[count] = (struct ebpf_insn)HELPER((int32_t)helper);
		numbers[count++] = helper;
	}
	if (ebpf_call_batch(kernel, type, calls, count, answers) != 1)
		return;
	known->helpers_batched[type] = true;
	for (size_t i = 0; i < count; i++)
		known->helpers[type][numbers[i]] = answers[i];
}

/* 1, 0 or -errno, of a type that there is. */
static int ask(struct ebpf_kernel *kernel, struct kernel_calls *known, uint32_t type, uint32_t helper)
{
	uint8_t *answer = &known->helpers[type][helper];
	int result;

	if (*answer == CALL_UNKNOWN) {
		result = ebpf_call_alone(kernel, type, (struct call){ .insn = HELPER((int32_t)helper) });
		if (result < 0)
			return result;
		*answer = result ? CALL_PRESENT : CALL_ABSENT;
	}
	return *answer == CALL_PRESENT;
}

/* The type's own answer, or -EINVAL for a number that is none. Then what is remembered of calls is there. */
static int check(struct ebpf_kernel *kernel, uint32_t type, struct kernel_calls **known, struct ebpf_error *err)
{
	const char *name = ebpf_enum_name(EBPF_PROGRAM_TYPE, type);
	char feature[64];

	if (!type || !name)
		return ebpf_fail(err, EINVAL, "helpers: program type %u: there is no such type", type);
	*known = ebpf_kernel_calls(kernel);
	if (!*known)
		return ebpf_fail_memory(err);
	snprintf(feature, sizeof feature, "program_type.%s", name);
	return ebpf_kernel_has(kernel, feature, err);
}

/* Without the capabilities the kernel hides helpers that it has. */
static int conclude(struct ebpf_kernel *kernel, uint32_t type, uint32_t helper, int result, struct ebpf_error *err)
{
	const char *name = ebpf_enum_name(EBPF_HELPER, helper);
	char text[96];

	if (result == 0 && !ebpf_kernel_is_capable(kernel))
		result = -EPERM;
	if (result >= 0)
		return result;
	snprintf(text, sizeof text, "helper.%s of %s", name ? name : "?", ebpf_enum_name(EBPF_PROGRAM_TYPE, type));
	if (result == -ENOTSUP) {
		ebpf_fail(err, ENOTSUP, "feature '%s': could not find out: no program of this type could be loaded to try", text);
		if (type == BPF_PROG_TYPE_EXT)
			ebpf_hint(err, "an extension may call what the program that it replaces may call");
		return result;
	}
	return ebpf_feature_fail(kernel, text, result, err);
}

int ebpf_kernel_helper(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t helper, struct ebpf_error *err)
{
	const char *name = ebpf_enum_name(EBPF_HELPER, helper);
	struct kernel_calls *known;
	int result = check(kernel, program_type, &known, err);

	if (result != 1)
		return result;
	if (!helper || !name)
		return ebpf_fail(err, EINVAL, "helper %u: there is no such helper", helper);
	if (ebpf_mask_has(kernel, "helper", name))
		return 0;
	return conclude(kernel, program_type, helper, ask(kernel, known, asked_as(program_type), helper), err);
}

int ebpf_kernel_helpers(struct ebpf_kernel *kernel, uint32_t program_type, bool all, uint32_t *helpers, size_t capacity,
                        struct ebpf_error *err)
{
	struct kernel_calls *known;
	int result = check(kernel, program_type, &known, err), count = 0;

	if (result != 1)
		return result;
	batch(kernel, known, asked_as(program_type));
	for (uint32_t helper = 1; helper < HELPER_COUNT; helper++) {
		if ((has_side_effects(helper) && !all) || ebpf_mask_has(kernel, "helper", ebpf_enum_name(EBPF_HELPER, helper)))
			continue;
		result = ask(kernel, known, asked_as(program_type), helper);
		if (result < 0)
			return conclude(kernel, program_type, helper, result, err);
		if (result && (size_t)count < capacity)
			helpers[count] = helper;
		count += result;
	}
	return count;
}
