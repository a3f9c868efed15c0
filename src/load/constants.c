/* constants.c -- reads of constants as immediates: `const volatile` variables (.rodata) and __kconfig ones, of which the loader
 * knows the value.
 *
 * Needed where the kernel has no global data (before 5.2), and wanted where a constant decides between helpers: kernels up to 5.4
 * do not look into a read-only map while they verify, and so would verify, and refuse, the branch that is never taken.
 *
 * What is found are loads through the address of a constant that has come to them in registers, whichever way control went. An
 * address in memory, or one that is calculated with, is not followed. The code keeps its length: the load becomes a move, the
 * address stays where it is (the linker makes it that of the map, or 0 where there is none).
 */
#include <stdlib.h>

#include "load/load.h"

enum {
	UNREACHED,      /* no way to the instruction is known yet */
	OTHER,          /* anything but the address of a constant */
	FIRST,          /* from here on: the address that reference number `value - FIRST` gives */
	REGISTERS = 10, /* the eleventh is the frame's */
};
struct constant { /* of a reference */
	const uint8_t *bytes;
	size_t left;   /* of the section, from there */
	uint32_t same; /* the first reference to this place */
	bool loaded;
	bool required; /* there is no map to read it from */
	const char *section;
};
struct fold {
	const struct ebpf_function *function;
	struct ebpf_insn *insns;
	size_t count;
	struct constant *constants; /* one per reference; those without bytes are none */
	uint32_t *states;           /* REGISTERS for each slot */
	uint32_t *todo;
	size_t todo_count;
	uint8_t *queued; /* by slot */
};

static bool find_place(const struct ebpf_load *load, const struct ebpf_spec_reference *reference, const struct ebpf_map_spec **map,
                       int64_t *offset)
{
	if (reference->kind == EBPF_REF_MAP_VALUE) {
		*map = reference->map;
		*offset = reference->addend;
		return true;
	}
	if (reference->kind != EBPF_REF_EXTERN || !reference->external || reference->external->kind != EBPF_EXTERN_KCONFIG)
		return false;
	*map = spec_impl(load->spec)->kconfig;
	*offset = reference->external->offset + reference->addend;
	return true;
}

/* Whether there is anything to do. */
static bool find_constants(const struct ebpf_load *load, struct fold *fold)
{
	const struct ebpf_function *function = fold->function;
	bool found = false;

	for (size_t i = 0; i < function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &function->references[i];
		struct constant *constant = &fold->constants[i];
		const struct ebpf_map_spec *map;
		size_t index, size;
		int64_t offset;

		if (reference->insn >= fold->count || !ebpf_insn_is_wide(&fold->insns[reference->insn]) ||
		    !find_place(load, reference, &map, &offset))
			continue;
		index = map ? ebpf_load_map_index(load, map) : load->spec->map_count;
		if (index >= load->spec->map_count || !load->maps[index].constants)
			continue;
		size = load->maps[index].constants_size;
		if (offset < 0 || (uint64_t)offset >= size)
			continue;
		constant->bytes = load->maps[index].constants + offset;
		constant->left = size - (size_t)offset;
		constant->required = load->maps[index].no_global_data;
		constant->section = map->name;
		found = true;
	}
	return found;
}

struct place {
	const uint8_t *bytes;
	uint32_t index;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* References to one place give the same address, whichever of them a register has it from. */
static int join_places(struct fold *fold, struct ebpf_error *err)
{
	size_t count = fold->function->reference_count;
	struct place *places = calloc(count + 1, sizeof(*places));

	if (!places)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){fold->constants[i].bytes, (uint32_t)i};
	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = 0; i < count; i++) {
		bool again = i && places[i].bytes == places[i - 1].bytes;

		fold->constants[places[i].index].same = again ? fold->constants[places[i - 1].index].same : places[i].index;
	}
	free(places);
	return 0;
}

/* -- what registers hold: forward along control, until nothing changes. A register's value goes up at most twice. -- */

static void arrive(struct fold *fold, int64_t slot, const uint32_t *state)
{
	uint32_t *known;
	bool changed = false;

	if (slot < 0 || (uint64_t)slot >= fold->count)
		return; /* the verifier will say so */
	known = &fold->states[(size_t)slot * REGISTERS];
	for (int i = 0; i < REGISTERS; i++) {
		uint32_t merged = known[i] == UNREACHED || known[i] == state[i] ? state[i] : OTHER;

		changed = changed || merged != known[i];
		known[i] = merged;
	}
	if (changed && !fold->queued[slot]) {
		fold->queued[slot] = 1;
		fold->todo[fold->todo_count++] = (uint32_t)slot;
	}
}

static const struct ebpf_spec_reference *reference_at(const struct ebpf_function *function, uint32_t insn)
{
	size_t low = 0, high = function->reference_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (function->references[middle].insn < insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low < function->reference_count && function->references[low].insn == insn ? &function->references[low] : NULL;
}

static uint32_t address_at(const struct fold *fold, uint32_t slot)
{
	const struct ebpf_spec_reference *reference = reference_at(fold->function, slot);
	size_t index = reference ? (size_t)(reference - fold->function->references) : 0;

	return reference && fold->constants[index].bytes ? FIRST + fold->constants[index].same : OTHER;
}

static bool is_copy(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_ALU64 | EBPF_MOV | EBPF_X) && insn->off == 0;
}

/* What the instruction leaves in registers. */
static void change(const struct fold *fold, uint32_t slot, uint32_t *state)
{
	const struct ebpf_insn *insn = &fold->insns[slot];
	uint32_t value = OTHER;

	if (insn->code == EBPF_CALL) {
		for (int i = 0; i <= 5; i++)
			state[i] = OTHER;
		return;
	}
	switch (ebpf_insn_class(insn)) {
	case EBPF_LD:
		if (ebpf_insn_is_wide(insn)) {
			value = address_at(fold, slot);
			break;
		}
		for (int i = 0; i <= 5; i++) /* a load from a packet is a call */
			state[i] = OTHER;
		return;
	case EBPF_STX: /* an atomic operation may bring something back, in either */
		if (ebpf_insn_mode(insn) == EBPF_ATOMIC) {
			state[0] = OTHER;
			if (insn->src < REGISTERS)
				state[insn->src] = OTHER;
			if (insn->dst < REGISTERS)
				state[insn->dst] = OTHER;
		}
		return;
	case EBPF_LDX:
		break;
	case EBPF_ALU:
	case EBPF_ALU64:
		if (is_copy(insn) && insn->src < REGISTERS)
			value = state[insn->src];
		break;
	default:
		return;
	}
	if (insn->dst < REGISTERS)
		state[insn->dst] = value;
}

static void follow(struct fold *fold, uint32_t slot)
{
	const struct ebpf_insn *insn = &fold->insns[slot];
	uint32_t state[REGISTERS];
	bool always = insn->code == EBPF_JA || insn->code == EBPF_GOTOL;

	memcpy(state, &fold->states[(size_t)slot * REGISTERS], sizeof(state));
	change(fold, slot, state);
	if (ebpf_insn_is_jump(insn))
		arrive(fold, (int64_t)slot + 1 + (insn->code == EBPF_GOTOL ? insn->imm : insn->off), state);
	if (!always && insn->code != EBPF_EXIT && insn->code != EBPF_GOTOX)
		arrive(fold, (int64_t)slot + (ebpf_insn_is_wide(insn) ? 2 : 1), state);
}

/* Where a jump table may lead nothing is known. */
static void begin(struct fold *fold)
{
	uint32_t state[REGISTERS];

	for (int i = 0; i < REGISTERS; i++)
		state[i] = OTHER;
	arrive(fold, 0, state);
	for (size_t i = 0; i < fold->function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &fold->function->references[i];

		for (uint32_t k = 0; reference->kind == EBPF_REF_JUMPS && reference->jumps && k < reference->jumps->count; k++)
			arrive(fold, reference->jumps->targets[k], state);
	}
	while (fold->todo_count) {
		uint32_t slot = fold->todo[--fold->todo_count];

		fold->queued[slot] = 0;
		follow(fold, slot);
	}
}

/* -- the loads -- */

static size_t load_size(const struct ebpf_insn *load)
{
	return ebpf_insn_size(load) == EBPF_DW ? 8 : ebpf_insn_size(load) == EBPF_W ? 4 : ebpf_insn_size(load) == EBPF_H ? 2 : 1;
}

/* The value as a move's immediate; false when none has it. */
static bool as_move(const struct ebpf_insn *load, const uint8_t *bytes, struct ebpf_insn *move)
{
	bool extended = ebpf_insn_mode(load) == EBPF_MEMSX;
	int64_t value = 0;
	uint16_t half;
	uint32_t word;

	switch (load_size(load)) {
	case 8:
		memcpy(&value, bytes, 8);
		break;
	case 4:
		memcpy(&word, bytes, 4);
		value = extended ? (int64_t)(int32_t)word : (int64_t)word;
		break;
	case 2:
		memcpy(&half, bytes, 2);
		value = extended ? (int64_t)(int16_t)half : (int64_t)half;
		break;
	default:
		value = extended ? (int64_t)(int8_t)*bytes : (int64_t)*bytes;
	}
	if (value != (int32_t)value && value != (uint32_t)value)
		return false;
	/* a move of 32 bits leaves zeros above */
	*move = (struct ebpf_insn){.code = (value == (int32_t)value ? EBPF_ALU64 : EBPF_ALU) | EBPF_MOV | EBPF_K,
	                           .dst = load->dst,
	                           .imm = (int32_t)(uint32_t)value};
	return true;
}

static int missing(struct ebpf_load *load, uint32_t slot, const struct constant *constant, const char *why, struct ebpf_error *err)
{
	load->insn = slot;
	ebpf_fail(err, ENOTSUP, "uses global variables (%s), which this kernel does not have: %s", constant->section, why);
	ebpf_hint(err, "global variables need Linux 5.2; on older kernels constants can be read, and state be kept in maps");
	return -ENOTSUP;
}

/* Replaces a load, if it is one of a constant. */
static int replace(struct ebpf_load *load, struct fold *fold, uint32_t slot, struct ebpf_error *err)
{
	struct ebpf_insn *insn = &fold->insns[slot];
	uint32_t address;
	struct constant *constant;
	struct ebpf_insn move;

	if (ebpf_insn_class(insn) != EBPF_LDX || insn->src >= REGISTERS ||
	    (ebpf_insn_mode(insn) != EBPF_MEM && ebpf_insn_mode(insn) != EBPF_MEMSX))
		return 0;
	address = fold->states[(size_t)slot * REGISTERS + insn->src];
	if (address < FIRST)
		return 0;
	constant = &fold->constants[address - FIRST];
	constant->loaded = true;
	if (insn->off < 0 || (size_t)insn->off > constant->left || load_size(insn) > constant->left - (size_t)insn->off)
		return constant->required ? missing(load, slot, constant, "a read beyond its constants", err) : 0;
	if (!as_move(insn, constant->bytes + insn->off, &move))
		return constant->required ? missing(load, slot, constant, "a constant does not fit an instruction of 32 bits", err) : 0;
	*insn = move;
	return 0;
}

static int replace_all(struct ebpf_load *load, struct fold *fold, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t slot = 0; result == 0 && slot < fold->count; slot++) {
		result = replace(load, fold, slot, err);
		if (ebpf_insn_is_wide(&fold->insns[slot]))
			slot++;
	}
	/* what is never read has its address taken: text for a helper, an array at a variable index */
	for (size_t i = 0; result == 0 && i < fold->function->reference_count; i++) {
		const struct constant *constant = &fold->constants[i];
		uint32_t slot = fold->function->references[i].insn;

		if (constant->bytes && constant->required && !fold->constants[constant->same].loaded &&
		    fold->states[(size_t)slot * REGISTERS] != UNREACHED)
			result = missing(load, slot, constant, "it needs the address of a constant", err);
	}
	return result;
}

int ebpf_load_constants(struct ebpf_load *load, const struct ebpf_function *function, struct ebpf_insn *insns,
                        struct ebpf_error *err)
{
	struct fold fold = {.function = function, .insns = insns, .count = function->insn_count};
	int result = 0;

	fold.constants = calloc(function->reference_count + 1, sizeof(*fold.constants));
	if (!fold.constants)
		return ebpf_fail_memory(err);
	if (find_constants(load, &fold)) {
		fold.states = calloc(fold.count, REGISTERS * sizeof(*fold.states));
		fold.todo = calloc(fold.count, sizeof(*fold.todo));
		fold.queued = calloc(fold.count, 1);
		result = fold.states && fold.todo && fold.queued ? join_places(&fold, err) : ebpf_fail_memory(err);
		if (result == 0) {
			begin(&fold);
			result = replace_all(load, &fold, err);
		}
	}
	free(fold.constants);
	free(fold.states);
	free(fold.todo);
	free(fold.queued);
	return result;
}
