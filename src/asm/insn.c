/* insn.c -- bytes to slots and back, and which slots are instructions. */
#include "asm/asm.h"

#define HOST_IS_BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* The byte of the registers: a big-endian file has dst in the upper half. */
static void set_registers(struct ebpf_insn *insn, uint8_t byte, bool big)
{
	insn->dst = big ? byte >> 4 : byte & 0xf;
	insn->src = big ? byte & 0xf : byte >> 4;
}

int ebpf_insns_decode(struct ebpf_span bytes, struct ebpf_insn *out, struct ebpf_error *err)
{
	bool big = HOST_IS_BIG != bytes.swapped;
	size_t count = bytes.size / 8;

	if (bytes.size % 8)
		return ebpf_fail(err, EINVAL, "code of %zu bytes: not a multiple of 8", bytes.size);
	if (!bytes.swapped && count) /* a slot in host byte order is laid out as struct ebpf_insn is */
		memcpy(out, bytes.data, count * 8);
	for (size_t i = 0; bytes.swapped && i < count; i++) {
		struct ebpf_insn *insn = &out[i];
		uint8_t registers = 0;
		uint16_t off = 0;
		uint32_t imm = 0;

		ebpf_span_u8(bytes, i * 8, &insn->code);
		ebpf_span_u8(bytes, i * 8 + 1, &registers);
		ebpf_span_u16(bytes, i * 8 + 2, &off);
		ebpf_span_u32(bytes, i * 8 + 4, &imm);
		set_registers(insn, registers, big);
		insn->off = (int16_t)off;
		insn->imm = (int32_t)imm;
	}
	for (size_t i = 0; i < count; i++) {
		const struct ebpf_insn *next = &out[i + 1];

		if (!ebpf_insn_is_wide(&out[i]))
			continue;
		if (i + 1 == count)
			return ebpf_fail(err, EINVAL, "instruction %zu: wide load without its second slot", i);
		if (next->code || next->dst || next->src || next->off)
			return ebpf_fail(err, EINVAL,
					 "instruction %zu: second slot of a wide load is not zero (code 0x%02x)", i,
					 next->code);
		i++;
	}
	return 0;
}

void ebpf_insns_encode(const struct ebpf_insn *insns, size_t count, bool swapped, uint8_t *out)
{
	bool big = HOST_IS_BIG != swapped;

	for (size_t i = 0; i < count; i++, out += 8) {
		const struct ebpf_insn *insn = &insns[i];
		uint16_t off = (uint16_t)insn->off;
		uint32_t imm = (uint32_t)insn->imm;

		if (swapped) {
			off = __builtin_bswap16(off);
			imm = __builtin_bswap32(imm);
		}
		out[0] = insn->code;
		out[1] = big ? (uint8_t)(insn->dst << 4 | insn->src) : (uint8_t)(insn->src << 4 | insn->dst);
		memcpy(out + 2, &off, sizeof(off));
		memcpy(out + 4, &imm, sizeof(imm));
	}
}

/* -- which slots are instructions: each function knows one class -- */

static const char unknown[] = "unknown opcode";
static const char unused_src[] = "source register of an instruction that has none";
static const char unused_dst[] = "destination register of an instruction that has none";
static const char unused_off[] = "offset of an instruction that has none";
static const char unused_imm[] = "immediate of an instruction that has none";

static const char *check_swap(const struct ebpf_insn *insn)
{
	if (ebpf_insn_class(insn) == EBPF_ALU64 && (insn->code & EBPF_X))
		return unknown;
	if (insn->imm != 16 && insn->imm != 32 && insn->imm != 64)
		return "byte order of other than 16, 32 or 64 bits";
	if (insn->src)
		return unused_src;
	return insn->off ? unused_off : NULL;
}

static const char *check_move(const struct ebpf_insn *insn)
{
	bool wide = ebpf_insn_class(insn) == EBPF_ALU64;

	switch (insn->off) {
	case 0:
	case 8:
	case 16:
		break;
	case 32:
		if (!wide)
			return "sign extension of 32 bits into 32 bits";
		break;
	case 1: /* Linux 6.9: between the address spaces of an arena */
		if (!wide)
			return unused_off;
		return insn->imm == 1 || insn->imm == 1 << 16 ? NULL
							      : "address space cast of other than spaces 0 and 1";
	case -1:
		return wide ? "per-CPU address, which the kernel alone may ask for" : unused_off;
	default:
		return "move with an offset of other than 0, 8, 16 or 32";
	}
	return insn->imm ? unused_imm : NULL;
}

static const char *check_alu(const struct ebpf_insn *insn)
{
	uint8_t op = ebpf_insn_op(insn);
	bool from_register = insn->code & EBPF_X;

	if (op == EBPF_END)
		return check_swap(insn);
	if (op > EBPF_END || (op == EBPF_NEG && from_register))
		return unknown;
	if (op == EBPF_MOV && from_register)
		return check_move(insn);
	if (op == EBPF_DIV || op == EBPF_MOD) {
		if (insn->off != 0 && insn->off != 1)
			return "division with an offset of other than 0 or 1 (signed)";
	} else if (insn->off) {
		return unused_off;
	}
	if (!from_register && insn->src)
		return unused_src;
	return insn->imm && (from_register || op == EBPF_NEG) ? unused_imm : NULL;
}

static const char *check_call(const struct ebpf_insn *insn)
{
	if (insn->dst)
		return unused_dst;
	if (insn->src > EBPF_PSEUDO_KFUNC_CALL)
		return "call of an unknown kind (source register is not 0, 1 or 2)";
	return insn->off && insn->src != EBPF_PSEUDO_KFUNC_CALL ? unused_off : NULL;
}

/* A jump that compares nothing: of its fields but `off` (or `imm`, of gotol) all are unused. */
static const char *check_goto(const struct ebpf_insn *insn)
{
	if (insn->src)
		return insn->code == EBPF_MAY_GOTO ? "conditional jump of an unknown kind (source register is not 0)"
						   : unused_src;
	if (insn->dst)
		return unused_dst;
	if (insn->code == EBPF_GOTOL || insn->code == EBPF_EXIT) {
		if (insn->off)
			return unused_off;
	}
	return insn->imm && insn->code != EBPF_GOTOL ? unused_imm : NULL;
}

static const char *check_jump(const struct ebpf_insn *insn)
{
	switch (insn->code) {
	case EBPF_CALL:
		return check_call(insn);
	case EBPF_EXIT:
	case EBPF_JA:
	case EBPF_GOTOL:
	case EBPF_MAY_GOTO:
		return check_goto(insn);
	case EBPF_GOTOX:
		if (insn->src)
			return unused_src;
		return insn->off ? unused_off : insn->imm ? unused_imm : NULL;
	}
	switch (ebpf_insn_op(insn)) {
	case 0x00: /* JA */
	case 0x80: /* CALL */
	case 0x90: /* EXIT */
	case EBPF_JCOND:
	case 0xf0:
		return unknown;
	}
	if (insn->code & EBPF_X)
		return insn->imm ? unused_imm : NULL;
	return insn->src ? unused_src : NULL;
}

static const char *check_wide(const struct ebpf_insn *insn, const struct ebpf_insn *next)
{
	if (!next)
		return "wide load without its second slot";
	if (next->code || next->dst || next->src || next->off)
		return "second slot of a wide load is not zero";
	if (insn->off)
		return unused_off;
	switch (insn->src) {
	case 0:
	case EBPF_PSEUDO_MAP_VALUE:
	case EBPF_PSEUDO_BTF_ID:
	case EBPF_PSEUDO_MAP_IDX_VALUE:
		return NULL;
	case EBPF_PSEUDO_MAP_FD:
	case EBPF_PSEUDO_MAP_IDX:
	case EBPF_PSEUDO_FUNC:
		return next->imm ? "upper half of a wide load that has none" : NULL;
	}
	return "wide load of an unknown kind (source register is above 6)";
}

/* The loads of packet bytes that BPF has from its classic ancestor. */
static const char *check_packet_load(const struct ebpf_insn *insn)
{
	if (ebpf_insn_size(insn) == EBPF_DW)
		return unknown;
	if (insn->dst)
		return unused_dst;
	if (insn->off)
		return unused_off;
	return insn->src && ebpf_insn_mode(insn) == EBPF_ABS ? unused_src : NULL;
}

static const char *check_atomic(const struct ebpf_insn *insn)
{
	uint8_t size = ebpf_insn_size(insn);

	switch (insn->imm) {
	case EBPF_LOAD_ACQ: /* Linux 6.15 */
	case EBPF_STORE_REL:
		return NULL;
	case EBPF_ADD:
	case EBPF_ADD | EBPF_FETCH: /* Linux 5.12, as all below */
	case EBPF_OR:
	case EBPF_OR | EBPF_FETCH:
	case EBPF_AND:
	case EBPF_AND | EBPF_FETCH:
	case EBPF_XOR:
	case EBPF_XOR | EBPF_FETCH:
	case EBPF_XCHG:
	case EBPF_CMPXCHG:
		return size == EBPF_W || size == EBPF_DW ? NULL : "atomic operation on other than 32 or 64 bits";
	}
	return "unknown atomic operation";
}

static const char *check_memory(const struct ebpf_insn *insn)
{
	uint8_t mode = ebpf_insn_mode(insn);

	switch (ebpf_insn_class(insn)) {
	case EBPF_LDX:
		if (mode != EBPF_MEM && (mode != EBPF_MEMSX || ebpf_insn_size(insn) == EBPF_DW))
			return unknown;
		break;
	case EBPF_ST:
		if (mode != EBPF_MEM)
			return unknown;
		return insn->src ? unused_src : NULL;
	case EBPF_STX:
		if (mode == EBPF_ATOMIC)
			return check_atomic(insn);
		if (mode != EBPF_MEM)
			return unknown;
		break;
	}
	return insn->imm ? unused_imm : NULL;
}

const char *ebpf_insn_check(const struct ebpf_insn *insn, const struct ebpf_insn *next)
{
	if (insn->dst > 10 || (insn->src > 10))
		return "register above r10";
	switch (ebpf_insn_class(insn)) {
	case EBPF_ALU:
	case EBPF_ALU64:
		return check_alu(insn);
	case EBPF_JMP:
	case EBPF_JMP32:
		return check_jump(insn);
	case EBPF_LD:
		if (insn->code == EBPF_LD_IMM64)
			return check_wide(insn, next);
		if (ebpf_insn_mode(insn) != EBPF_ABS && ebpf_insn_mode(insn) != EBPF_IND)
			return unknown;
		return check_packet_load(insn);
	}
	return check_memory(insn);
}

bool ebpf_insn_is_jump(const struct ebpf_insn *insn)
{
	uint8_t class = ebpf_insn_class(insn);

	if (class != EBPF_JMP && class != EBPF_JMP32)
		return false;
	switch (ebpf_insn_op(insn)) {
	case 0x00:
		return insn->code == EBPF_JA || insn->code == EBPF_GOTOL;
	case EBPF_JCOND:
		return insn->code == EBPF_MAY_GOTO;
	case 0x80: /* CALL */
	case 0x90: /* EXIT */
	case 0xf0:
		return false;
	}
	return true;
}
