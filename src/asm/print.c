/* print.c -- instructions as text. */
#include <stdio.h>

#include "asm/syntax.h"
#include "base/uapi.h"

const char *const ebpf_alu_operators[16] = {
	[EBPF_ADD >> 4] = "+=", [EBPF_SUB >> 4] = "-=", [EBPF_MUL >> 4] = "*=", [EBPF_DIV >> 4] = "/=",
	[EBPF_OR >> 4] = "|=", [EBPF_AND >> 4] = "&=", [EBPF_LSH >> 4] = "<<=", [EBPF_RSH >> 4] = ">>=",
	[EBPF_MOD >> 4] = "%=", [EBPF_XOR >> 4] = "^=", [EBPF_MOV >> 4] = "=", [EBPF_ARSH >> 4] = "s>>=",
};
const char *const ebpf_jump_operators[16] = {
	[EBPF_JEQ >> 4] = "==", [EBPF_JGT >> 4] = ">", [EBPF_JGE >> 4] = ">=", [EBPF_JSET >> 4] = "&",
	[EBPF_JNE >> 4] = "!=", [EBPF_JSGT >> 4] = "s>", [EBPF_JSGE >> 4] = "s>=", [EBPF_JLT >> 4] = "<",
	[EBPF_JLE >> 4] = "<=", [EBPF_JSLT >> 4] = "s<", [EBPF_JSLE >> 4] = "s<=",
};
const char *const ebpf_atomic_names[16] = {
	[EBPF_ADD >> 4] = "add", [EBPF_OR >> 4] = "or", [EBPF_AND >> 4] = "and", [EBPF_XOR >> 4] = "xor",
};
const char *const ebpf_size_names[4] = { "u32", "u16", "u8", "u64" };
const char *const ebpf_signed_size_names[4] = { "s32", "s16", "s8", NULL };

/* What is no instruction prints as such; the parser refuses it. */
static int print_invalid(const struct ebpf_insn *insn, char *text, size_t size)
{
	return snprintf(text, size, "invalid(code 0x%02x, r%d, r%d, %d, %d)", insn->code, insn->dst, insn->src,
			insn->off, insn->imm);
}

static const char *size_name(const struct ebpf_insn *insn)
{
	return ebpf_size_names[ebpf_insn_size(insn) >> 3];
}

static int print_swap(const struct ebpf_insn *insn, char *text, size_t size)
{
	const char *name = ebpf_insn_class(insn) == EBPF_ALU64 ? "bswap" : insn->code & EBPF_X ? "be" : "le";

	return snprintf(text, size, "r%d = %s%d r%d", insn->dst, name, insn->imm, insn->dst);
}

/* The forms of the 64- and 32-bit move between registers that its offset selects. */
static int print_move(const struct ebpf_insn *insn, char letter, char *text, size_t size)
{
	switch (insn->off) {
	case 1:
		return snprintf(text, size, "r%d = addr_space_cast(r%d, %u, %u)", insn->dst, insn->src,
				(uint32_t)insn->imm >> 16, (uint32_t)insn->imm & 0xffff);
	case -1: /* in code that the kernel has rewritten */
		return snprintf(text, size, "r%d = &(void __percpu *)(r%d)", insn->dst, insn->src);
	case 8:
	case 16:
	case 32:
		return snprintf(text, size, "%c%d = (s%d)%c%d", letter, insn->dst, insn->off, letter, insn->src);
	}
	return snprintf(text, size, "%c%d = %c%d", letter, insn->dst, letter, insn->src);
}

static int print_alu(const struct ebpf_insn *insn, char *text, size_t size)
{
	char letter = ebpf_insn_class(insn) == EBPF_ALU ? 'w' : 'r';
	uint8_t op = ebpf_insn_op(insn);
	const char *sign = (op == EBPF_DIV || op == EBPF_MOD) && insn->off == 1 ? "s" : "";

	if (op == EBPF_END)
		return print_swap(insn, text, size);
	if (op == EBPF_NEG)
		return snprintf(text, size, "%c%d = -%c%d", letter, insn->dst, letter, insn->dst);
	if (op == EBPF_MOV && (insn->code & EBPF_X))
		return print_move(insn, letter, text, size);
	if (insn->code & EBPF_X)
		return snprintf(text, size, "%c%d %s%s %c%d", letter, insn->dst, sign, ebpf_alu_operators[op >> 4],
				letter, insn->src);
	return snprintf(text, size, "%c%d %s%s %d", letter, insn->dst, sign, ebpf_alu_operators[op >> 4], insn->imm);
}

static int print_atomic(const struct ebpf_insn *insn, char *text, size_t size)
{
	const char *width = ebpf_insn_size(insn) == EBPF_DW ? "64" : "", *type = size_name(insn);

	switch (insn->imm) {
	case EBPF_XCHG:
		return snprintf(text, size, "r%d = atomic%s_xchg((%s *)(r%d %+d), r%d)", insn->src, width, type,
				insn->dst, insn->off, insn->src);
	case EBPF_CMPXCHG:
		return snprintf(text, size, "r0 = atomic%s_cmpxchg((%s *)(r%d %+d), r0, r%d)", width, type, insn->dst,
				insn->off, insn->src);
	case EBPF_LOAD_ACQ:
		return snprintf(text, size, "r%d = load_acquire((%s *)(r%d %+d))", insn->dst, type, insn->src,
				insn->off);
	case EBPF_STORE_REL:
		return snprintf(text, size, "store_release((%s *)(r%d %+d), r%d)", type, insn->dst, insn->off,
				insn->src);
	}
	if (insn->imm & EBPF_FETCH)
		return snprintf(text, size, "r%d = atomic%s_fetch_%s((%s *)(r%d %+d), r%d)", insn->src, width,
				ebpf_atomic_names[insn->imm >> 4], type, insn->dst, insn->off, insn->src);
	return snprintf(text, size, "lock *(%s *)(r%d %+d) %s r%d", type, insn->dst, insn->off,
			ebpf_alu_operators[insn->imm >> 4], insn->src);
}

static int print_memory(const struct ebpf_insn *insn, char *text, size_t size)
{
	const char *type = size_name(insn);

	switch (ebpf_insn_class(insn)) {
	case EBPF_LDX:
		if (ebpf_insn_mode(insn) == EBPF_MEMSX)
			type = ebpf_signed_size_names[ebpf_insn_size(insn) >> 3];
		return snprintf(text, size, "r%d = *(%s *)(r%d %+d)", insn->dst, type, insn->src, insn->off);
	case EBPF_ST:
		return snprintf(text, size, "*(%s *)(r%d %+d) = %d", type, insn->dst, insn->off, insn->imm);
	}
	if (ebpf_insn_mode(insn) == EBPF_ATOMIC)
		return print_atomic(insn, text, size);
	return snprintf(text, size, "*(%s *)(r%d %+d) = r%d", type, insn->dst, insn->off, insn->src);
}

static int print_wide(const struct ebpf_insn *insn, const struct ebpf_insn *next, char *text, size_t size)
{
	int32_t upper = next ? next->imm : 0;
	uint64_t value = (uint64_t)(uint32_t)upper << 32 | (uint32_t)insn->imm;

	switch (insn->src) {
	case EBPF_PSEUDO_MAP_FD:
		return snprintf(text, size, "r%d = map[fd:%d] ll", insn->dst, insn->imm);
	case EBPF_PSEUDO_MAP_VALUE:
		return snprintf(text, size, "r%d = map[fd:%d][0]+%u ll", insn->dst, insn->imm, (uint32_t)upper);
	case EBPF_PSEUDO_MAP_IDX:
		return snprintf(text, size, "r%d = map[idx:%d] ll", insn->dst, insn->imm);
	case EBPF_PSEUDO_MAP_IDX_VALUE:
		return snprintf(text, size, "r%d = map[idx:%d][0]+%u ll", insn->dst, insn->imm, (uint32_t)upper);
	case EBPF_PSEUDO_BTF_ID:
		if (upper)
			return snprintf(text, size, "r%d = btf[id:%d,fd:%d] ll", insn->dst, insn->imm, upper);
		return snprintf(text, size, "r%d = btf[id:%d] ll", insn->dst, insn->imm);
	case EBPF_PSEUDO_FUNC:
		return snprintf(text, size, "r%d = subprog[%+d] ll", insn->dst, insn->imm);
	}
	return snprintf(text, size, "r%d = 0x%llx ll", insn->dst, (unsigned long long)value);
}

static int print_load(const struct ebpf_insn *insn, const struct ebpf_insn *next, char *text, size_t size)
{
	if (insn->code == EBPF_LD_IMM64)
		return print_wide(insn, next, text, size);
	if (ebpf_insn_mode(insn) == EBPF_ABS)
		return snprintf(text, size, "r0 = *(%s *)skb[%d]", size_name(insn), insn->imm);
	return snprintf(text, size, "r0 = *(%s *)skb[r%d + %d]", size_name(insn), insn->src, insn->imm);
}

static int print_call(const struct ebpf_insn *insn, char *text, size_t size)
{
	const char *name;

	if (insn->src == EBPF_PSEUDO_CALL)
		return snprintf(text, size, "call pc%+d", insn->imm);
	if (insn->src == EBPF_PSEUDO_KFUNC_CALL) {
		if (insn->off) /* which of the BTF objects in fd_array */
			return snprintf(text, size, "call kernel-function#%d,%d", insn->imm, insn->off);
		return snprintf(text, size, "call kernel-function#%d", insn->imm);
	}
	name = insn->imm >= 0 ? ebpf_enum_name(EBPF_HELPER, (uint32_t)insn->imm) : NULL;
	return name ? snprintf(text, size, "call bpf_%s#%d", name, insn->imm)
		    : snprintf(text, size, "call unknown#%d", insn->imm);
}

static int print_jump(const struct ebpf_insn *insn, char *text, size_t size)
{
	char letter = ebpf_insn_class(insn) == EBPF_JMP32 ? 'w' : 'r';
	const char *operation = ebpf_jump_operators[ebpf_insn_op(insn) >> 4];

	switch (insn->code) {
	case EBPF_CALL:
		return print_call(insn, text, size);
	case EBPF_EXIT:
		return snprintf(text, size, "exit");
	case EBPF_JA:
		return snprintf(text, size, "goto pc%+d", insn->off);
	case EBPF_GOTOL:
		return snprintf(text, size, "gotol pc%+d", insn->imm);
	case EBPF_GOTOX:
		return snprintf(text, size, "gotox r%d", insn->dst);
	case EBPF_MAY_GOTO:
		return snprintf(text, size, "may_goto pc%+d", insn->off);
	}
	if (insn->code & EBPF_X)
		return snprintf(text, size, "if %c%d %s %c%d goto pc%+d", letter, insn->dst, operation, letter,
				insn->src, insn->off);
	return snprintf(text, size, "if %c%d %s 0x%x goto pc%+d", letter, insn->dst, operation, (uint32_t)insn->imm,
			insn->off);
}

/* Instructions that no program may have, but that a dump of what the kernel made of one does. */
static bool is_internal(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_ALU64 | EBPF_MOV | EBPF_X) && insn->off == -1 && insn->imm == 0 && insn->dst <= 10 &&
	       insn->src <= 10;
}

int ebpf_insn_print(const struct ebpf_insn *insn, const struct ebpf_insn *next, char *text, size_t size)
{
	const struct ebpf_insn none = { 0 };

	if (ebpf_insn_check(insn, next ? next : &none) && !is_internal(insn))
		return insn->code == (EBPF_ST | EBPF_ATOMIC) ? snprintf(text, size, "nospec")
							     : print_invalid(insn, text, size);
	switch (ebpf_insn_class(insn)) {
	case EBPF_ALU:
	case EBPF_ALU64:
		return print_alu(insn, text, size);
	case EBPF_JMP:
	case EBPF_JMP32:
		return print_jump(insn, text, size);
	case EBPF_LD:
		return print_load(insn, next, text, size);
	}
	return print_memory(insn, text, size);
}

void ebpf_insns_print(const struct ebpf_insn *insns, size_t count, struct ebpf_buffer *buffer)
{
	for (size_t i = 0; i < count; i++) {
		const struct ebpf_insn *insn = &insns[i], *next = i + 1 < count ? &insns[i + 1] : NULL;
		bool wide = ebpf_insn_is_wide(insn);
		char text[128];

		ebpf_insn_print(insn, wide ? next : NULL, text, sizeof(text));
		ebpf_buffer_printf(buffer, "%4zu: (%02x) %s", i, insn->code, text);
		if (ebpf_insn_is_jump(insn))
			ebpf_buffer_printf(buffer, " <%lld>",
					   (long long)i + 1 + (insn->code == EBPF_GOTOL ? insn->imm : insn->off));
		ebpf_buffer_add(buffer, "\n", 1);
		if (wide && next && !ebpf_insn_check(insn, next))
			i++;
	}
}
