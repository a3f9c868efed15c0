/* asm.h -- instructions of RFC 9669: encode, decode, print, parse, and blocks with labels and references.
 *
 * The rest of the house holds code as arrays of struct ebpf_insn slots in host byte order; the wide load (code 0x18) takes two. A block is
 * such an array under construction, with labels (resolved by ebpf_block_finish) and references by name (resolved by load).
 * No system call, no kernel.
 */
#ifndef EBPF_ASM_H
#define EBPF_ASM_H

#include "base/base.h"

enum { /* instruction classes and fields, RFC 9669 section 3 */
	EBPF_LD = 0, EBPF_LDX = 1, EBPF_ST = 2, EBPF_STX = 3, EBPF_ALU = 4, EBPF_JMP = 5, EBPF_JMP32 = 6, EBPF_ALU64 = 7,
	EBPF_W = 0x00, EBPF_H = 0x08, EBPF_B = 0x10, EBPF_DW = 0x18,
	EBPF_IMM = 0x00, EBPF_ABS = 0x20, EBPF_IND = 0x40, EBPF_MEM = 0x60, EBPF_MEMSX = 0x80, EBPF_ATOMIC = 0xc0,
	EBPF_K = 0, EBPF_X = 8,
	EBPF_LD_IMM64 = 0x18, EBPF_CALL = 0x85, EBPF_EXIT = 0x95, EBPF_JA = 0x05, EBPF_GOTOL = 0x06,
	/* src of a wide load or a call (section 5.4 and linux/bpf.h) */
	EBPF_PSEUDO_MAP_FD = 1, EBPF_PSEUDO_MAP_VALUE = 2, EBPF_PSEUDO_BTF_ID = 3, EBPF_PSEUDO_FUNC = 4,
	EBPF_PSEUDO_CALL = 1, EBPF_PSEUDO_KFUNC_CALL = 2,
};
struct ebpf_block_reference {
	uint32_t insn;          /* index of the (first) slot */
	enum ebpf_reference kind;
	char *name;
	int64_t addend;
};
struct ebpf_block_label {
	char *name;
	uint32_t insn;
};
struct ebpf_block_jump {
	char *label;
	uint32_t insn;
};
struct ebpf_block {
	struct ebpf_insn *insns; size_t count, capacity;
	struct ebpf_block_reference *references; size_t reference_count, reference_capacity;
	struct ebpf_block_label *labels; size_t label_count, label_capacity;
	struct ebpf_block_jump *jumps; size_t jump_count, jump_capacity;
	bool finished;
};
static inline bool ebpf_insn_is_wide(const struct ebpf_insn *insn) { return insn->code == EBPF_LD_IMM64; }
/* Slots from bytes in either byte order. EINVAL when the size is not a multiple of 8, a wide load is cut, or its second slot is not zero. */
int ebpf_insns_decode(struct ebpf_span bytes, struct ebpf_insn *out, struct ebpf_error *err);
/* Slots back to bytes in the given order (8 per slot). */
void ebpf_insns_encode(const struct ebpf_insn *insns, size_t count, bool swapped, uint8_t *out);
/* NULL when the slot is an instruction of RFC 9669 as extended by the kernel; else what is wrong with it. */
const char *ebpf_insn_check(const struct ebpf_insn *insn, const struct ebpf_insn *next);
/* The whole listing, a line each ("   3: (b7) r0 = 0") with labels' targets resolved; appended to `buffer`. */
void ebpf_insns_print(const struct ebpf_insn *insns, size_t count, struct ebpf_buffer *buffer);

#endif
