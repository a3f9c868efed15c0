/* explain.c -- a load that the kernel refused: in the verifier's words where it had any, else by what a probe finds out
 * afterwards. */
#include <stdio.h>
#include <stdlib.h>

#include "program/program.h"

/* "type 'xdp', attach type 'xdp_devmap', flags 0x10": what the kernel was asked for. */
static void describe(const struct ebpf_program_load *load, char *text, size_t size)
{
	const char *type = ebpf_enum_name(EBPF_PROGRAM_TYPE, load->type),
		   *attach_type = ebpf_enum_name(EBPF_ATTACH_TYPE, load->attach_type);
	size_t used = (size_t)(type ? snprintf(text, size, "type '%s'", type) : snprintf(text, size, "type %u", load->type));

	if (load->attach_type && attach_type)
		used += (size_t)snprintf(text + used, size - used, ", attach type '%s'", attach_type);
	else if (load->attach_type)
		used += (size_t)snprintf(text + used, size - used, ", attach type %u", load->attach_type);
	if (load->flags)
		snprintf(text + used, size - used, ", flags 0x%x", load->flags);
}

/* Attached by replacing the call at a function's entry. */
static bool needs_trampoline(const struct ebpf_program_load *load)
{
	if (load->type == BPF_PROG_TYPE_LSM)
		return true;
	return load->type == BPF_PROG_TYPE_TRACING && load->attach_type != BPF_TRACE_RAW_TP && load->attach_type != BPF_TRACE_ITER;
}

/* Refused with EPERM, or, where programs are only interpreted, with ENOMEM. */
static bool explain_trampoline(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, struct ebpf_error *err)
{
	if (!needs_trampoline(load) || ebpf_kernel_supports(kernel, EBPF_FEATURE_TRAMPOLINE))
		return false;
	ebpf_fail(err, code, "program '%s': load: this kernel refuses programs that need a trampoline "
		  "(fentry, fexit, fmod_ret, lsm)", load->name ? load->name : "");
	ebpf_hint(err, "a kprobe, a tracepoint or a raw tracepoint at the same place needs none");
	return true;
}

static void explain_permission(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, struct ebpf_error *err)
{
	char why[256];

	if (explain_trampoline(kernel, load, code, err))
		return;
	ebpf_kernel_explain_token(kernel, BPF_PROG_LOAD, load->type, load->attach_type, why, sizeof why);
	if (!why[0])
		ebpf_kernel_explain_eperm(kernel, why, sizeof why);
	ebpf_fail_errno(err, code, "program '%s': load", load->name ? load->name : "");
	ebpf_hint(err, "%s", why);
}

/* The first flag that this kernel does not know; NULL when it knows them all. */
static const char *unknown_flag(struct ebpf_kernel *kernel, uint32_t flags, const char **since)
{
	const char *group, *name;

	for (size_t at = 0; ebpf_kernel_group(at, &group) == 0; at++) {
		if (strcmp(group, "program_flag") != 0)
			continue;
		for (size_t i = 0; ebpf_kernel_group_feature(at, i, &name, since) == 0; i++) {
			char feature[64];

			snprintf(feature, sizeof feature, "program_flag.%s", name);
			if (flags & (uint32_t)ebpf_program_flag(name) && ebpf_kernel_has(kernel, feature, NULL) == 0)
				return name;
		}
	}
	return NULL;
}

static void explain_invalid(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, struct ebpf_error *err)
{
	const char *name = load->name ? load->name : "", *since, *flag = unknown_flag(kernel, load->flags, &since);
	char what[160];

	describe(load, what, sizeof what);
	if (flag) {
		ebpf_fail(err, code, "program '%s': load: this kernel (before %s) does not know the flag '%s'", name, since, flag);
	} else if (!load->insn_count) {
		ebpf_fail(err, code, "program '%s': load: it has no instructions", name);
	} else if (load->attach_type && !load->attach_type_optional &&
		   !ebpf_kernel_supports(kernel, EBPF_FEATURE_EXPECTED_ATTACH_TYPE)) {
		ebpf_fail(err, code, "program '%s': load: this kernel (before 4.17) does not know attach types (%s)", name, what);
	} else {
		ebpf_fail_errno(err, code, "program '%s': load: %s", name, what);
		ebpf_hint(err, "the kernel does not know this type, attach type or flag, or not together%s",
			  needs_trampoline(load) && !load->attach_btf_id ? "; the program has no target to attach to" : "");
	}
}

static void explain_silent(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, struct ebpf_error *err)
{
	const char *name = load->name ? load->name : "";
	char what[160];

	switch (code) {
	case -EPERM:
	case -EACCES:
		explain_permission(kernel, load, code, err);
		break;
	case -EINVAL:
		explain_invalid(kernel, load, code, err);
		break;
	case -E2BIG:
		ebpf_fail(err, code, "program '%s': load: %zu instructions are more than the kernel takes", name, load->insn_count);
		ebpf_hint(err, "1 million since Linux 5.2 with CAP_BPF, else 4096; split the program with tail calls");
		break;
	case -ENOTSUP:
		describe(load, what, sizeof what);
		ebpf_fail(err, code, "program '%s': load: this kernel does not support it: %s", name, what);
		break;
	case -EAGAIN:
		ebpf_fail(err, code, "program '%s': load: interrupted by signals again and again", name);
		break;
	default:
		ebpf_fail_errno(err, code, "program '%s': load", name);
	}
}

static void explain_log(const struct ebpf_program_load *load, int code, const char *log, struct ebpf_error *err)
{
	const char *name = load->name ? load->name : "";
	char reason[640], source[256], hint[512];

	ebpf_verifier_summary(log, reason, sizeof reason, source, sizeof source);
	if (reason[0])
		ebpf_fail(err, code, "program '%s': load: refused by the verifier: %s%s%s%s", name, reason,
			  source[0] ? " (at " : "", source, source[0] ? ")" : "");
	else
		ebpf_fail_errno(err, code, "program '%s': load: refused by the verifier", name);
	ebpf_verifier_hint(log, hint, sizeof hint);
	if (code == -EFAULT)
		ebpf_hint(err, "the verifier stumbled over a bug of its own: the kernel's log (dmesg) tells more");
	else if (hint[0])
		ebpf_hint(err, "%s", hint);
}

int ebpf_program_explain(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, char *log,
			 struct ebpf_error *err)
{
	if (code == -524) /* ENOTSUPP, which libc does not know */
		code = -ENOTSUP;
	if (log && log[0] && load->annotate)
		load->annotate(load->annotate_context, &log);
	if (code == -ENOMEM && explain_trampoline(kernel, load, code, err)) {
		free(log); /* it has nothing but the count of instructions */
		return code;
	}
	if (log && log[0]) {
		explain_log(load, code, log, err);
		ebpf_error_set_log(err, log);
		return code;
	}
	free(log);
	explain_silent(kernel, load, code, err);
	return code;
}
