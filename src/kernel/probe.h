/* probe.h -- what probes are made of; for the files of this room that ask the kernel what it can do.
 *
 * A probe does the thing on a small scale, or on a descriptor that does not exist, where the error tells, and undoes it
 * at once. It returns 1 (present), 0 (absent), or -errno when it could not tell, as without privileges.
 */
#ifndef EBPF_KERNEL_PROBE_H
#define EBPF_KERNEL_PROBE_H

#include "kernel/kernel.h"

/* The few instructions by number: this room stands beside asm, not on it. */
#define MOV_IMM(reg, value) { .code = 0xb7, .dst = (reg), .imm = (value) }
#define MOV_REG(to, from) { .code = 0xbf, .dst = (to), .src = (from) }
#define ADD_IMM(reg, value) { .code = 0x07, .dst = (reg), .imm = (value) }
#define STORE_IMM64(to, value) { .code = 0x7a, .dst = (to), .imm = (value) }
#define LOAD_WIDE(reg, from, value) { .code = 0x18, .dst = (reg), .src = (from), .imm = (value) }
#define HELPER(number) { .code = 0x85, .imm = (number) }
#define EXIT { .code = 0x95 }

/* ENOTSUPP: the kernel's own number, which bpf(2) lets out. */
enum { KERNEL_ENOTSUPP = 524 };

struct probe_program {
	uint32_t type, attach_type, flags, attach_btf_id;
	const struct ebpf_insn *insns; /* NULL: r0 = 0; exit */
	size_t count;
	const int *fd_array;
	char *log; /* or NULL; becomes "" where the verifier says nothing */
	uint32_t log_size, log_level;
};
/* BPF_PROG_LOAD: the descriptor, or -errno. */
int ebpf_probe_load(struct ebpf_kernel *kernel, const struct probe_program *program);
/* Closes what came out. An error of the process or of the moment is passed on, any other means that it is absent. */
int ebpf_probe_verdict(struct ebpf_kernel *kernel, int result);
/* Fills `err` for what could not be found out, and returns the code (negative). */
int ebpf_feature_fail(struct ebpf_kernel *kernel, const char *feature, int code, struct ebpf_error *err);
/* True for those errors: they say nothing of the feature. */
bool ebpf_probe_is_inconclusive(int code);

/* Commands (feature_command.c). */
int ebpf_probe_token(struct ebpf_kernel *kernel);
int ebpf_probe_prog_stream(struct ebpf_kernel *kernel);
int ebpf_probe_prog_assoc_struct_ops(struct ebpf_kernel *kernel);
int ebpf_probe_common_attrs(struct ebpf_kernel *kernel);

/* -- groups of features (feature_group.c): one table of rows each, asked for as "group.name" -- */

struct probe_group {
	const char *name; /* "map_type" */
	size_t count;
	void (*row)(size_t index, const char **name, const char **since);
	int (*probe)(struct ebpf_kernel *kernel, size_t index);
};
extern const struct probe_group ebpf_program_type_group, ebpf_program_flag_group, ebpf_isa_group,
	ebpf_limit_group;                                                                 /* feature_program.c */
extern const struct probe_group ebpf_map_type_group, ebpf_map_flag_group;                  /* feature_map.c */
extern const struct probe_group ebpf_attach_type_group;                                    /* feature_attach.c */

/* The answer for "group.name" (no probe of another room's feature): 1, 0 or -errno; -ENOENT and `err` filled for an
 * unknown name. */
int ebpf_group_answer(struct ebpf_kernel *kernel, const char *feature, struct ebpf_error *err);
/* -ENOENT as above. */
int ebpf_group_check(const char *feature, struct ebpf_error *err);
/* Whether a type of program can be loaded: the cached answer of its row. */
int ebpf_probe_program_type(struct ebpf_kernel *kernel, uint32_t type);
/* Whether EPERM for a program of tracing, LSM or extension means that the kernel wants none of them. */
bool ebpf_probe_refuses_trampolines(struct ebpf_kernel *kernel);
/* What a program of a type needs besides its instructions so that the verifier looks at them; an attach_btf_id of 1 stands for any
 * type that is wrong. False for a type that is not known. */
bool ebpf_probe_program_form(uint32_t type, struct probe_program *out);
/* Whether this process has what it takes to be shown all that the kernel can do: CAP_BPF and CAP_PERFMON, or
 * CAP_SYS_ADMIN. True when that is not known. (privilege.c) */
bool ebpf_kernel_is_capable(struct ebpf_kernel *kernel);
/* CAP_SYS_ADMIN in the first user namespace, which stands for all that bpf(2) asks for. False when that is not known. */
bool ebpf_kernel_has_every_capability(struct ebpf_kernel *kernel);
/* Masks by name ("map_type.arena", "helper.redirect", "kfunc.bpf_rbtree_add"); those of the plain table are bits beside it. */
bool ebpf_mask_has(const struct ebpf_kernel *kernel, const char *group, const char *name);
int ebpf_mask_set(struct ebpf_kernel *kernel, const char *feature, bool masked, struct ebpf_error *err);

#endif
