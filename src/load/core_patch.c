/* core_patch.c -- the number of a relocation into its instruction, or poison in its place. */
#include "load/core_impl.h"

static bool is_wide(const struct ebpf_insn *insn, size_t left)
{
	return ebpf_insn_is_wide(insn) && left >= 2;
}

/* Only code that is never reached may keep this: the verifier then drops it, else it says "invalid func
 * unknown#195896080". A wide load becomes two calls, so that jumps over it stay right and its second half is no unknown
 * opcode. */
static void poison(struct ebpf_insn *insn, size_t left)
{
	const struct ebpf_insn call = { .code = EBPF_CALL, .imm = EBPF_CORE_POISON };

	if (is_wide(insn, left))
		insn[1] = call;
	insn[0] = call;
}

static int unexpected(const struct ebpf_insn *insn, uint64_t found, const struct core_result *result, struct ebpf_error *err)
{
	return ebpf_fail(err, EINVAL,
			 "instruction (code 0x%02x) holds %lld where the compiler's types say %lld (new value %lld)",
			 insn->code, (long long)found, (long long)result->old_value, (long long)result->new_value);
}

static int patch_alu(struct ebpf_insn *insn, const struct core_result *result, struct ebpf_error *err)
{
	uint64_t value = result->new_value;

	if (insn->code & EBPF_X)
		return ebpf_fail(err, EINVAL, "instruction (code 0x%02x) has no immediate to patch", insn->code);
	if (result->validate && (uint64_t)(int64_t)insn->imm != result->old_value)
		return unexpected(insn, (uint64_t)(int64_t)insn->imm, result, err);
	/* a 64-bit operation extends its immediate by the sign: cut silently, the program would compute with another number */
	if (value != (uint64_t)(int64_t)(int32_t)value && !((insn->code & 7) == EBPF_ALU && value <= UINT32_MAX))
		return ebpf_fail(err, ERANGE, "value %llu does not fit into the instruction's 32 bits", (unsigned long long)value);
	insn->imm = (int32_t)value;
	return 0;
}

static uint32_t access_bytes(const struct ebpf_insn *insn)
{
	switch (insn->code & 0x18) {
	case EBPF_B: return 1;
	case EBPF_H: return 2;
	case EBPF_W: return 4;
	default: return 8;
	}
}

static int resize_access(struct ebpf_insn *insn, const struct core_result *result, struct ebpf_error *err)
{
	uint8_t size;

	if (access_bytes(insn) != result->old_size)
		return ebpf_fail(err, EINVAL, "instruction accesses %u bytes, but the field has %u", access_bytes(insn),
				 result->old_size);
	switch (result->new_size) {
	case 1: size = EBPF_B; break;
	case 2: size = EBPF_H; break;
	case 4: size = EBPF_W; break;
	case 8: size = EBPF_DW; break;
	default:
		return ebpf_fail(err, EINVAL, "no instruction accesses %u bytes, the size of the field in the target",
				 result->new_size);
	}
	insn->code = (uint8_t)((insn->code & ~0x18) | size);
	return 0;
}

static int patch_memory(struct ebpf_insn *insn, size_t left, struct core_result *result, struct ebpf_error *err)
{
	if (result->validate && (uint64_t)(int64_t)insn->off != result->old_value)
		return unexpected(insn, (uint64_t)(int64_t)insn->off, result, err);
	if (result->new_value > INT16_MAX)
		return ebpf_fail(err, ERANGE, "offset %llu does not fit into the instruction's 16 bits",
				 (unsigned long long)result->new_value);
	if (result->wrong_resize) {
		result->reason = CORE_RESIZE;
		poison(insn, left);
		return 1;
	}
	insn->off = (int16_t)result->new_value;
	return result->new_size != result->old_size ? resize_access(insn, result, err) : 0;
}

static int patch_wide(struct ebpf_insn *insn, size_t left, const struct core_result *result, struct ebpf_error *err)
{
	uint64_t old_value = result->old_value, new_value = result->new_value, value;

	if (!is_wide(insn, left) || insn[0].src || insn[0].off || insn[1].code || insn[1].dst || insn[1].src || insn[1].off)
		return ebpf_fail(err, EINVAL, "instruction (code 0x%02x, src %u) is not a wide load of a number", insn->code,
				 insn->src);
	value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	if (result->narrow_old && value != old_value && value == (uint32_t)old_value) { /* an unsigned enum, which libbpf refuses */
		old_value = value;
		new_value = result->narrow_new ? (uint32_t)new_value : new_value;
	}
	if (result->validate && value != old_value)
		return unexpected(insn, value, result, err);
	insn[0].imm = (int32_t)(uint32_t)new_value;
	insn[1].imm = (int32_t)(uint32_t)(new_value >> 32);
	return 0;
}

int core_patch(struct ebpf_insn *insn, size_t left, struct core_result *result, struct ebpf_error *err)
{
	if (result->poison) {
		poison(insn, left);
		return 1;
	}
	switch (insn->code & 7) {
	case EBPF_ALU:
	case EBPF_ALU64:
		return patch_alu(insn, result, err);
	case EBPF_LDX:
	case EBPF_ST:
	case EBPF_STX:
		return patch_memory(insn, left, result, err);
	case EBPF_LD:
		return patch_wide(insn, left, result, err);
	default:
		return ebpf_fail(err, EINVAL, "instruction (code 0x%02x) is of no kind that can be relocated", insn->code);
	}
}
