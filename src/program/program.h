/* program.h -- a program in the kernel: loading finished instructions, running, asking.
 *
 * A struct ebpf_program owns its descriptor and keeps its context alive. Counted references. Loading here is the last step: the instructions are
 * final. The verifier's log: first try without; on failure again with a log that grows until it fits (log_true_size of 6.4 or doubling).
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
	char *log;
	char *pin_path;
};
struct ebpf_program_load {
	const char *name, *section, *attach_to, *license;
	uint32_t type, attach_type, flags;
	bool attach_type_optional;         /* leave it out where the kernel lacks the field */
	bool autoattach;
	const struct ebpf_insn *insns; size_t insn_count;
	uint32_t log_level;
	int btf_fd;                        /* 0 = none */
	const void *func_info; uint32_t func_info_count; /* struct bpf_func_info {u32 insn_off, type_id} */
	const void *line_info; uint32_t line_info_count; /* struct bpf_line_info {u32 insn_off, file_name_off, line_off, line_col} */
	uint32_t attach_btf_id; int attach_btf_fd, attach_program_fd;
	const int *fd_array; uint32_t fd_array_count;
	/* Called on a failed load with the log, before it is summarised: puts names in place of poison. May replace *log (malloc'ed). NULL = leave it. */
	void (*annotate)(void *context, char **log);
	void *annotate_context;
};
int ebpf_program_load(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, struct ebpf_program **out, struct ebpf_error *err);
/* The line or two of a verifier log that say why, without "processed ..." and state dumps; the source line ("; x = y @ f.c:3") before them
 * in `source`. Either may come out "". */
void ebpf_verifier_summary(const char *log, char *reason, size_t reason_size, char *source, size_t source_size);

#endif
