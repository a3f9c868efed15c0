/* program.h -- a program in the kernel: loading finished instructions, running, asking.
 *
 * A struct ebpf_program owns its descriptor and keeps its context alive. Counted references. Loading here is the last
 * step: the instructions are final. The verifier's log: first try without; on failure again with a log that grows until
 * it fits (log_true_size of 6.4, else four times as much). A failed load says why in words: the verifier's own last
 * ones, or, where it said none, what a probe finds out after the fact.
 * Not here: which instructions, BTF and attach target (load); attaching (link).
 *
 * Files: program.c (the handle: opening, asking, pinning), load.c (BPF_PROG_LOAD), explain.c (a load that failed),
 * log.c (reading a verifier log), run.c (BPF_PROG_RUN), stream.c (what it wrote), bind.c (maps that
 * belong to it), code.c (what the kernel made of a program).
 */
#ifndef EBPF_PROGRAM_H
#define EBPF_PROGRAM_H

#include "kernel/kernel.h"

struct ebpf_program {
	unsigned refs;
	int fd;
	struct ebpf_kernel *kernel;
	char *name, *section, *attach_to;  /* section, attach_to: NULL when unknown */
	uint32_t type, attach_type, flags;
	uint32_t attach_btf_id;
	bool autoattach;
	bool optional;                     /* it may fail to be attached */
	uint32_t group;                    /* of alternatives in its collection, of which one is attached; 0 = none */
	char *log;
	char *pin_path;
	/* Maps of its collection by which a USDT probe tells it of arguments; NULL = it has none. References, which close_map lets go of:
	 * this room knows nothing of maps. */
	struct ebpf_map *usdt_specs, *usdt_ids;
	void (*close_map)(struct ebpf_map *map);
};
struct ebpf_program_load {
	const char *name, *section, *attach_to, *license;
	uint32_t type, attach_type, flags;
	bool attach_type_optional;         /* leave it out where the kernel lacks the field */
	bool autoattach;
	const struct ebpf_insn *insns; size_t insn_count;
	uint32_t log_level;
	uint32_t log_size;                 /* of the first buffer; 0 = 1 MiB */
	bool log_disabled;                 /* one try without */
	uint32_t ifindex;
	uint32_t kernel_version; /* what a kprobe says that it is for; 0 = the running kernel. Looked at before 5.0 only */
	int btf_fd;                        /* 0 = none */
	const void *func_info; uint32_t func_info_count; /* struct bpf_func_info {u32 insn_off, type_id} */
	const void *line_info;
	uint32_t line_info_count; /* struct bpf_line_info {u32 insn_off, file_name_off, line_off, line_col} */
	uint32_t attach_btf_id; int attach_btf_fd, attach_program_fd;
	const int *fd_array; uint32_t fd_array_count; /* BTF of modules, by the `off` of kfunc calls; [0] stands for vmlinux */
	/* Called on a failed load with the log, before it is summarised: puts names in place of poison. May replace
	 * *log (malloc'ed). NULL = leave it. */
	void (*annotate)(void *context, char **log);
	void *annotate_context;
};
/* On failure `err` has the verifier's log, and in the message its cause and the source line. EPERM, EACCES, EINVAL,
 * E2BIG, ENOTSUP, ... as the kernel said it; 524 (ENOTSUPP) becomes ENOTSUP. */
int ebpf_program_load(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, struct ebpf_program **out,
		      struct ebpf_error *err);

/* -- verifier logs (log.c): pure text -- */

/* The line or lines (joined by ": ") of a log that say why, without "processed ..." and state dumps, and the source
 * line that the verifier was at ("x = y @ f.c:3", without its leading "; "). Either may come out "". */
void ebpf_verifier_summary(const char *log, char *reason, size_t reason_size, char *source, size_t source_size);
/* What to try against the cause of a log: our advice for the common ones, else what the kernel itself suggests (7.3);
 * "" when there is neither. */
void ebpf_verifier_hint(const char *log, char *text, size_t size);

/* -- what the files of this room share -- */

/* BPF_OBJ_GET_INFO_BY_FD, with what `info` asks for. */
int ebpf_program_raw_info(const struct ebpf_program *program, struct bpf_prog_info *info, struct ebpf_error *err);
/* A handle without strings around a descriptor, which it takes over even when it fails. */
struct ebpf_program *ebpf_program_new(struct ebpf_kernel *kernel, int fd, struct ebpf_error *err);
/* explain.c: fills `err` for a load that the kernel refused with `code` (negative); `log` (malloc'ed or NULL) is taken
 * over. Returns the code. */
int ebpf_program_explain(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, int code, char *log,
			 struct ebpf_error *err);

#endif
