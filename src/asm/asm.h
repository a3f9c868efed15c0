/* asm.h -- instructions of RFC 9669: encode, decode, print, parse, and blocks with labels and references.
 *
 * The rest of the house holds code as arrays of struct ebpf_insn slots in host byte order; the wide load (code 0x18)
 * takes two. A block is such an array under construction, with labels (resolved by ebpf_block_finish) and references
 * by name (resolved by load). No system call, no kernel.
 */
#ifndef EBPF_ASM_H
#define EBPF_ASM_H

#include "base/base.h"

enum { /* instruction classes and fields, RFC 9669 section 3 */
	EBPF_LD = 0, EBPF_LDX = 1, EBPF_ST = 2, EBPF_STX = 3, EBPF_ALU = 4, EBPF_JMP = 5, EBPF_JMP32 = 6, EBPF_ALU64 = 7,
	EBPF_W = 0x00, EBPF_H = 0x08, EBPF_B = 0x10, EBPF_DW = 0x18,
	EBPF_IMM = 0x00, EBPF_ABS = 0x20, EBPF_IND = 0x40, EBPF_MEM = 0x60, EBPF_MEMSX = 0x80, EBPF_ATOMIC = 0xc0,
	EBPF_K = 0, EBPF_X = 8,
	EBPF_ADD = 0x00, EBPF_SUB = 0x10, EBPF_MUL = 0x20, EBPF_DIV = 0x30, EBPF_OR = 0x40, EBPF_AND = 0x50, EBPF_LSH = 0x60,
	EBPF_RSH = 0x70, EBPF_NEG = 0x80, EBPF_MOD = 0x90, EBPF_XOR = 0xa0, EBPF_MOV = 0xb0, EBPF_ARSH = 0xc0, EBPF_END = 0xd0,
	EBPF_JEQ = 0x10, EBPF_JGT = 0x20, EBPF_JGE = 0x30, EBPF_JSET = 0x40, EBPF_JNE = 0x50, EBPF_JSGT = 0x60, EBPF_JSGE = 0x70,
	EBPF_JLT = 0xa0, EBPF_JLE = 0xb0, EBPF_JSLT = 0xc0, EBPF_JSLE = 0xd0, EBPF_JCOND = 0xe0,
	/* imm of EBPF_ATOMIC, beside the ALU operations */
	EBPF_FETCH = 0x01, EBPF_XCHG = 0xe1, EBPF_CMPXCHG = 0xf1, EBPF_LOAD_ACQ = 0x100, EBPF_STORE_REL = 0x110,
	EBPF_LD_IMM64 = 0x18, EBPF_CALL = 0x85, EBPF_EXIT = 0x95, EBPF_JA = 0x05, EBPF_GOTOL = 0x06,
	EBPF_GOTOX = 0x0d,    /* to the address in a register, 6.19 */
	EBPF_MAY_GOTO = 0xe5, /* a loop that the kernel may break, 6.9 */
	/* src of a wide load or a call (section 5.4 and linux/bpf.h) */
	EBPF_PSEUDO_MAP_FD = 1, EBPF_PSEUDO_MAP_VALUE = 2, EBPF_PSEUDO_BTF_ID = 3, EBPF_PSEUDO_FUNC = 4,
	EBPF_PSEUDO_MAP_IDX = 5, EBPF_PSEUDO_MAP_IDX_VALUE = 6,
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
struct ebpf_block_function {
	char *prototype, *name;
	uint32_t insn;
};
struct ebpf_block_core {
	char *type, *access;
	uint32_t kind, insn;
};
struct ebpf_block {
	struct ebpf_insn *insns; size_t count, capacity;
	struct ebpf_block_reference *references; size_t reference_count, reference_capacity; /* ascending by insn */
	struct ebpf_block_label *labels; size_t label_count, label_capacity;
	struct ebpf_table label_index; /* functions' names as well */
	struct ebpf_block_jump *jumps; size_t jump_count, jump_capacity;
	struct ebpf_block_function *functions; size_t function_count, function_capacity; /* these three ascending by insn */
	struct ebpf_source_line *lines; size_t line_count, line_capacity;                /* strings are the block's */
	struct ebpf_block_core *cores; size_t core_count, core_capacity;
	bool finished;
};
static inline bool ebpf_insn_is_wide(const struct ebpf_insn *insn) { return insn->code == EBPF_LD_IMM64; }
static inline uint8_t ebpf_insn_class(const struct ebpf_insn *insn) { return insn->code & 0x07; }
static inline uint8_t ebpf_insn_op(const struct ebpf_insn *insn) { return insn->code & 0xf0; }    /* ALU and jump classes */
static inline uint8_t ebpf_insn_mode(const struct ebpf_insn *insn) { return insn->code & 0xe0; }  /* load and store classes */
static inline uint8_t ebpf_insn_size(const struct ebpf_insn *insn) { return insn->code & 0x18; }
/* A jump within the function: its distance is in `off`, but in `imm` for EBPF_GOTOL. Calls and EBPF_GOTOX are none. */
bool ebpf_insn_is_jump(const struct ebpf_insn *insn);
/* Appends a slot as it is, instruction or not: of an object's code, which is to be looked at whatever it is. */
int ebpf_block_append(struct ebpf_block *block, struct ebpf_insn insn, struct ebpf_error *err);
/* Slots from bytes in either byte order. EINVAL when the size is not a multiple of 8, a wide load is cut, or its
 * second slot is not zero. */
int ebpf_insns_decode(struct ebpf_span bytes, struct ebpf_insn *out, struct ebpf_error *err);
/* Slots back to bytes in the given order (8 per slot). */
void ebpf_insns_encode(const struct ebpf_insn *insns, size_t count, bool swapped, uint8_t *out);
/* NULL when the slot is an instruction of RFC 9669 as extended by the kernel (7.0), with unused fields zero; else
 * what is wrong with it, in static memory. `next` is the second slot of a wide load, NULL when there is none. What
 * the verifier decides is not looked at. */
const char *ebpf_insn_check(const struct ebpf_insn *insn, const struct ebpf_insn *next);
/* The whole listing, appended to `buffer`: a line each, numbered by slot, with where a jump goes: "   3: (05) goto
 * pc+2 <6>". It can be parsed. */
void ebpf_insns_print(const struct ebpf_insn *insns, size_t count, struct ebpf_buffer *buffer);

#endif
