/* call.h -- which calls a type of program may make: what the probes of helpers and kfuncs share; for the files of this
 * room alone.
 *
 * There is no question that the kernel answers with a list. But since 6.15 the verifier writes into a log of level 2,
 * before it judges anything, which registers each instruction reads: for a call that the program may make these are the
 * call's parameters, for any other all five. So one load tells of hundreds of calls; only a call of five parameters has
 * to be loaded by itself, as all have on older kernels. */
#ifndef EBPF_KERNEL_CALL_H
#define EBPF_KERNEL_CALL_H

#include "kernel/probe.h"

#define ONE_HELPER(number, name) +1
enum { HELPER_COUNT = 0 BPF_HELPERS(ONE_HELPER) }; /* number 0, which is none, included */

enum call_answer { CALL_UNKNOWN, CALL_ABSENT, CALL_PRESENT };

struct call {
	struct ebpf_insn insn;
	int btf_fd; /* of the module that has the function; 0 = a helper, or a function of vmlinux */
};

/* A type of program may be loaded in several forms (attach types, sleepable or not), each with calls of its own: a call
 * is present when any form may make it. Kfuncs are the same for all attach types, but not for all tables of operations
 * (struct_ops). */

/* One load for each form, of calls without a btf_fd. An answer that is PRESENT stays so, the others become PRESENT, or
 * ABSENT; which is right for calls of fewer than five parameters alone. 1, or 0 when this kernel does not tell so, or
 * -errno when no form could be loaded. */
int ebpf_call_batch(struct ebpf_kernel *kernel, uint32_t program_type, const struct ebpf_insn *calls, size_t count,
                    uint8_t *answers);
/* Whether this kernel does: the probe of EBPF_FEATURE_VERIFIER_REGISTERS. */
int ebpf_call_probe_registers(struct ebpf_kernel *kernel);
/* Loads one call by itself: 1, 0 or -errno. */
int ebpf_call_alone(struct ebpf_kernel *kernel, uint32_t program_type, struct call call);

/* What is remembered of calls. */
struct kernel_calls {
	uint8_t helpers[__MAX_BPF_PROG_TYPE][HELPER_COUNT]; /* helper.c: enum call_answer */
	bool helpers_batched[__MAX_BPF_PROG_TYPE];
	struct kernel_kfunc *kfuncs; /* kfunc.c */
	size_t kfunc_count, kfunc_capacity;
	bool kfuncs_listed, kfuncs_batched[__MAX_BPF_PROG_TYPE];
	char log[64 << 10];
};
/* NULL when out of memory. */
struct kernel_calls *ebpf_kernel_calls(struct ebpf_kernel *kernel);

/* kfunc.c's part. */
void ebpf_kernel_kfuncs_free(struct kernel_calls *known);

#endif
