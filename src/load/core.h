/* core.h -- CO-RE: makes code that was compiled against one kernel's types right for another's.
 *
 * A struct ebpf_core lives for one load. It knows the types that the object was compiled against ("local"), the
 * target's (vmlinux and modules of the running kernel, or a BTF file instead of both), and keeps the list of candidates
 * of each local type. Nothing of the kernel is read before a relocation needs it; modules are read only for a type that
 * vmlinux does not have. Semantics are libbpf's, in all 13 kinds: what libbpf patches is patched alike, what it poisons
 * is poisoned, what it refuses is refused. Local types and access strings may be hostile: every walk is bounded, every
 * value checked.
 * Not here: finding .BTF.ext (spec), building the program's own BTF, names in the verifier's log (the rest of load).
 *
 * Files: core.c (the context and the way of one relocation), core_candidates.c (target types by name), core_spec.c
 * (access strings, and finding the same field in a target), core_types.c (may one type stand for another), core_value.c
 * (the number that a relocation stands for), core_patch.c (that number into an instruction, or poison), core_impl.h
 * (what these share).
 */
#ifndef EBPF_LOAD_CORE_H
#define EBPF_LOAD_CORE_H

#include "kernel/kernel.h"
#include "spec/spec.h"

/* The helper that a poisoned instruction calls: 0xbad2310, "bad relo", as libbpf writes it, so that the verifier's
 * message is the known one. */
#define EBPF_CORE_POISON 195896080

struct ebpf_core;

/* `local` and `custom` are referenced; `custom` stands for the types of kernel and modules when not NULL (then `kernel`
 * is not asked for types, and may be NULL). ENOTSUP from ebpf_core_relocate, not from here, says that the kernel has no
 * types. */
int ebpf_core_new(struct ebpf_kernel *kernel, const struct ebpf_btf *local, struct ebpf_btf *custom, struct ebpf_core **out,
		  struct ebpf_error *err);
void ebpf_core_free(struct ebpf_core *core);
/* TYPE_ID_LOCAL relocations get map_id(context, local id): the type's number in the BTF that is loaded with the
 * program, or a negative errno, which ends the relocation. Without a map the local id stays as it is. */
void ebpf_core_set_local_ids(struct ebpf_core *core, int64_t (*map_id)(void *context, uint32_t local_id), void *context);
/* Patches `insns`, the function's own function->insn_count slots (a copy: the Spec stays as it is), for all of
 * function->relos. A relocation that nothing in the target satisfies poisons its instruction (a call of helper
 * EBPF_CORE_POISON; both slots of a wide load) and is remembered: code that is never reached may keep it. Errors
 * (ambiguous target, an instruction that is not what the compiler said, malformed access string) end the load: EINVAL,
 * ERANGE, E2BIG, ENOTSUP; they name function, instruction, type and field. */
int ebpf_core_relocate(struct ebpf_core *core, const struct ebpf_function *function, struct ebpf_insn *insns,
		       struct ebpf_error *err);
/* May a kernel's type stand for a local one, for variables and functions that programs name (as BPF_CORE_TYPE_EXISTS
 * compares, names of the roots left aside)? 1 = yes, 0 = no, -errno when it cannot be told. */
int ebpf_core_compatible(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id);
/* Why the instruction at `insn` of `function` is poison: "field 'struct task_struct'.foo (byte_off): no such field in
 * the target"; NULL when it is not. Belongs to `core`. */
const char *ebpf_core_explain(struct ebpf_core *core, const struct ebpf_function *function, uint32_t insn);

#endif
