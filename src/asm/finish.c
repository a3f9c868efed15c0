/* finish.c -- the end of a block's construction: labels become distances, and every jump and call goes where it may. */
#include <stdlib.h>

#include "asm/asm.h"

static int unknown_label(const struct ebpf_block *block, const struct ebpf_block_jump *jump, struct ebpf_error *err)
{
	size_t count = block->label_count + block->function_count;
	const char **names = calloc(count + 1, sizeof(*names)), *near;

	ebpf_fail(err, ENOENT, "instruction %u: label '%s' is not defined", jump->insn, jump->label);
	if (names) {
		for (size_t i = 0; i < block->label_count; i++)
			names[i] = block->labels[i].name;
		for (size_t i = 0; i < block->function_count; i++)
			names[block->label_count + i] = block->functions[i].name;
		near = ebpf_nearest(jump->label, names, count);
		if (near)
			ebpf_hint(err, "did you mean '%s'?", near);
	}
	free(names);
	return -ENOENT;
}

static int resolve_jump(struct ebpf_block *block, const struct ebpf_block_jump *jump, struct ebpf_error *err)
{
	struct ebpf_insn *insn = &block->insns[jump->insn];
	uint64_t target;
	int64_t distance;

	if (!ebpf_table_get(&block->label_index, jump->label, &target))
		return unknown_label(block, jump, err);
	distance = (int64_t)target - (int64_t)jump->insn - 1;
	if (insn->code == EBPF_GOTOL) {
		insn->imm = (int32_t)distance; /* a block has fewer than 2^31 slots */
		return 0;
	}
	if (distance < INT16_MIN || distance > INT16_MAX) {
		ebpf_fail(err, ERANGE, "instruction %u: label '%s' is %lld instructions away, and a jump reaches 32767",
			  jump->insn, jump->label, (long long)distance);
		ebpf_hint(err, "jump over a `gotol` (Linux 6.6), which reaches any distance");
		return -ERANGE;
	}
	insn->off = (int16_t)distance;
	return 0;
}

/* A call, or load of the address, of a function that stands in this very block. Returns false when it does not. */
static bool resolve_local(struct ebpf_block *block, const struct ebpf_block_reference *reference)
{
	struct ebpf_insn *insn = &block->insns[reference->insn];
	uint64_t target;

	if (reference->kind != EBPF_REF_CALL && reference->kind != EBPF_REF_FUNCTION)
		return false;
	if (!ebpf_table_get(&block->label_index, reference->name, &target))
		return false;
	/* Relative to the next slot, which for a wide load is its own second one. */
	insn->imm = (int32_t)((int64_t)target - (int64_t)reference->insn - 1);
	return true;
}

static int check_target(const struct ebpf_block *block, size_t at, const char *what, struct ebpf_error *err)
{
	const struct ebpf_insn *insn = &block->insns[at];
	bool far = insn->code == EBPF_GOTOL || !ebpf_insn_is_jump(insn);
	int64_t target = (int64_t)at + 1 + (far ? insn->imm : insn->off);

	if (target < 0 || (uint64_t)target >= block->count)
		return ebpf_fail(err, EINVAL, "instruction %zu: %s %lld, outside of the block, which has %zu", at, what,
				 (long long)target, block->count);
	if (target > 0 && ebpf_insn_is_wide(&block->insns[target - 1]))
		return ebpf_fail(err, EINVAL, "instruction %zu: %s %lld, the second slot of a wide load", at, what,
				 (long long)target);
	return 0;
}

/* The function that a slot belongs to: 0 = what stands before the first, else 1 and up. */
static size_t function_of(const struct ebpf_block *block, size_t slot)
{
	size_t low = 0, high = block->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (block->functions[middle].insn <= slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The verifier refuses it as well, but cannot say which function it is about. */
static int check_crossing(const struct ebpf_block *block, size_t at, struct ebpf_error *err)
{
	const struct ebpf_insn *insn = &block->insns[at];
	size_t target = (size_t)((int64_t)at + 1 + (insn->code == EBPF_GOTOL ? insn->imm : insn->off));
	size_t there = function_of(block, target);
	const char *name = there ? block->functions[there - 1].name : "";

	if (function_of(block, at) == there)
		return 0;
	return ebpf_fail(err, EINVAL, "instruction %zu: jump to %zu, which is in another function%s%s%s", at, target,
			 there ? " ('" : "", name, there ? "')" : "");
}

static int check_functions(const struct ebpf_block *block, struct ebpf_error *err)
{
	for (size_t i = 0; i < block->function_count; i++) {
		size_t end = i + 1 < block->function_count ? block->functions[i + 1].insn : block->count;

		if (block->functions[i].insn == end)
			return ebpf_fail(err, EINVAL, "function '%s' has no instructions", block->functions[i].name);
	}
	return 0;
}

static bool is_reference(const struct ebpf_block *block, size_t *next, size_t at)
{
	while (*next < block->reference_count && block->references[*next].insn < at)
		++*next;
	return *next < block->reference_count && block->references[*next].insn == at;
}

/* Every jump, and every call within the block, must go to an instruction of it. References are in the order of their
 * instructions. */
static int check_targets(const struct ebpf_block *block, struct ebpf_error *err)
{
	size_t reference = 0;
	int code = 0;

	for (size_t at = 0; at < block->count && code == 0; at++) {
		const struct ebpf_insn *insn = &block->insns[at];

		if (ebpf_insn_is_jump(insn)) {
			code = check_target(block, at, "jump to", err);
			if (code == 0 && block->function_count)
				code = check_crossing(block, at, err);
		} else if (insn->code == EBPF_CALL && insn->src == EBPF_PSEUDO_CALL &&
			   !is_reference(block, &reference, at)) {
			code = check_target(block, at, "call of", err);
		} else if (ebpf_insn_is_wide(insn) && insn->src == EBPF_PSEUDO_FUNC &&
			   !is_reference(block, &reference, at)) {
			code = check_target(block, at, "address of", err);
		}
		if (ebpf_insn_is_wide(insn))
			at++;
	}
	return code;
}

int ebpf_block_finish(struct ebpf_block *block, struct ebpf_error *err)
{
	size_t kept = 0;
	int code;

	for (size_t i = 0; i < block->jump_count; i++) {
		code = resolve_jump(block, &block->jumps[i], err);
		if (code < 0)
			return code;
	}
	for (size_t i = 0; i < block->reference_count; i++) {
		if (resolve_local(block, &block->references[i]))
			free(block->references[i].name);
		else
			block->references[kept++] = block->references[i];
	}
	block->reference_count = kept;
	code = check_functions(block, err);
	if (code == 0)
		code = check_targets(block, err);
	if (code < 0)
		return code;
	block->finished = true;
	return 0;
}
