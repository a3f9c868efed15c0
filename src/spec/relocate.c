/* What instructions refer to: relocations, and calls within a section that have none, become references by name. */
#include <stdio.h>

#include "spec/object.h"

enum { insn_size = 8 };

/* One function's relocations while its instructions are walked. */
struct walk {
	struct ebpf_object *object;
	const struct ebpf_object_piece *piece;
	struct ebpf_function *function;
	const struct ebpf_relocation *next, *end;
	struct ebpf_error *err;
};

static int fail(const struct walk *walk, uint32_t insn, int code, const char *what, const struct ebpf_object_symbol *symbol)
{
	const char *section = walk->object->sections[walk->piece->section].name;
	const struct ebpf_spec_line *line = ebpf_function_line(walk->function, insn);
	char place[128] = "";

	if (line && *line->file)
		snprintf(place, sizeof(place), " (%.100s:%u)", ebpf_spec_line_file(line), line->number);
	if (!symbol)
		return ebpf_fail(walk->err, code, "section '%s': function '%s': instruction %u%s: %s", section, walk->function->name,
		                 insn, place, what);
	return ebpf_fail(walk->err, code, "section '%s': function '%s': instruction %u%s: relocation against '%s': %s", section,
	                 walk->function->name, insn, place, ebpf_object_symbol_name(walk->object, symbol), what);
}

static void set_source(struct ebpf_insn *insn, uint8_t source, int32_t imm)
{
	insn->src = source & 0xf;
	insn->imm = imm;
	if (insn->code == EBPF_LD_IMM64)
		insn[1].imm = 0;
}

static int refer_function(struct walk *walk, uint32_t index, enum ebpf_reference kind, uint32_t section, int64_t offset,
                          const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	struct ebpf_object_piece *target = offset < 0 ? NULL : ebpf_object_find_piece(walk->object, section, (uint64_t)offset);

	if (!target)
		return fail(walk, index, EINVAL,
		            kind == EBPF_REF_CALL ? "it calls where no function begins" : "no function begins at that address",
		            symbol);
	out->kind = kind;
	out->function = target->function;
	out->name = target->function->name;
	set_source(&walk->function->insns[index], kind == EBPF_REF_CALL ? EBPF_PSEUDO_CALL : EBPF_PSEUDO_FUNC,
	           kind == EBPF_REF_CALL ? -1 : 0);
	return 0;
}

static int refer_extern(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	struct ebpf_insn *insn = &walk->function->insns[index];
	bool call = insn->code == EBPF_CALL;

	if (!symbol->external)
		return fail(walk, index, EINVAL, "it is not defined anywhere", symbol);
	if (call && symbol->external->kind != EBPF_EXTERN_KFUNC)
		return fail(walk, index, EINVAL, "it is called but it is not a function", symbol);
	out->kind = EBPF_REF_EXTERN;
	out->external = symbol->external;
	out->name = symbol->external->name;
	out->addend = call ? 0 : insn->imm;
	set_source(insn, call ? EBPF_PSEUDO_KFUNC_CALL : 0, call ? -1 : 0);
	return 0;
}

static int refer_data(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	const struct ebpf_object_section *section = &walk->object->sections[symbol->section];
	struct ebpf_insn *insn = &walk->function->insns[index];

	if (!section->map)
		return fail(walk, index, EINVAL, "its section holds nothing that a program can refer to", symbol);
	if (symbol->value > section->size)
		return fail(walk, index, EINVAL, "it lies outside of its section", symbol);
	out->kind = EBPF_REF_MAP_VALUE;
	out->map = section->map;
	out->name = section->map->name;
	out->addend =
	        (int64_t)symbol->value + insn->imm; /* a static variable is the section's symbol and an offset in the instruction */
	set_source(insn, EBPF_PSEUDO_MAP_VALUE, 0);
	return 0;
}

static int refer_map(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	struct ebpf_object_map *map = ebpf_object_find_map(walk->object, symbol->section, symbol->value);

	if (symbol->type == STT_SECTION || !map || map->offset != symbol->value) {
		fail(walk, index, EINVAL, "no map is defined there", symbol);
		ebpf_hint(walk->err, "a map must be a global variable: remove 'static' from its definition");
		return -EINVAL;
	}
	out->kind = EBPF_REF_MAP;
	out->map = map->map;
	out->name = map->map->name;
	set_source(&walk->function->insns[index], EBPF_PSEUDO_MAP_FD, 0);
	return 0;
}

/* A table of this function that has been read already, or NULL. */
static struct ebpf_jump_table *find_jumps(const struct ebpf_function *function, uint64_t offset)
{
	for (size_t i = 0; i < function->reference_count; i++)
		if (function->references[i].kind == EBPF_REF_JUMPS && function->references[i].jumps->offset == offset)
			return function->references[i].jumps;
	return NULL;
}

/* A table has the places to go to as offsets in the section of the code, 8 bytes each. */
static int read_jumps(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_jump_table **out)
{
	const struct ebpf_object_section *section = &walk->object->sections[symbol->section];
	const struct ebpf_object_piece *piece = walk->piece;
	struct ebpf_jump_table *table;
	uint64_t target = 0;

	if (symbol->value % 8 || symbol->size % 8 || !symbol->size || symbol->value > section->bytes.size ||
	    symbol->size > section->bytes.size - symbol->value || symbol->value > UINT32_MAX)
		return fail(walk, index, EINVAL, "it is not made of whole entries of section '.jumptables'", symbol);
	table = ebpf_spec_alloc(walk->object->spec, 1, sizeof(*table) + symbol->size / 8 * sizeof(*table->targets));
	if (!table)
		return ebpf_spec_fail_memory(walk->object->spec, walk->err);
	table->offset = (uint32_t)symbol->value;
	table->count = (uint32_t)(symbol->size / 8);
	for (uint32_t i = 0; i < table->count; i++) {
		ebpf_span_u64(section->bytes, symbol->value + (uint64_t)i * 8, &target);
		if (target % insn_size || target < piece->offset || target - piece->offset >= piece->size)
			return fail(walk, index, EINVAL, "one of its jumps leads out of the function", symbol);
		table->targets[i] = (uint32_t)((target - piece->offset) / insn_size);
	}
	*out = table;
	return 0;
}

static int refer_jumps(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	struct ebpf_insn *insn = &walk->function->insns[index];
	int result = 0;

	if (symbol->type == STT_SECTION)
		return fail(walk, index, EINVAL, "a jump table must have a symbol of its own", symbol);
	out->jumps = find_jumps(walk->function, symbol->value);
	if (!out->jumps)
		result = read_jumps(walk, index, symbol, &out->jumps);
	out->kind = EBPF_REF_JUMPS;
	out->name = symbol->name;
	set_source(insn, EBPF_PSEUDO_MAP_VALUE, 0);
	return result;
}

/* Bytes from the symbol to what is called. A function's own symbol says all; beside it clang writes -1 into the instruction, and
 * binutils up to 2.40 the symbol's place. With the section's symbol it counts from the instruction behind. */
static int64_t call_addend(const struct ebpf_insn *insn, const struct ebpf_object_symbol *symbol)
{
	return symbol->type == STT_FUNC ? 0 : ((int64_t)insn->imm + 1) * insn_size;
}

static int refer_defined(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol,
                         struct ebpf_spec_reference *out)
{
	struct ebpf_insn *insn = &walk->function->insns[index];
	enum ebpf_section_role role = walk->object->sections[symbol->section].role;

	if (insn->code == EBPF_CALL) {
		if (role != EBPF_ROLE_CODE)
			return fail(walk, index, EINVAL, "it calls something that is not code", symbol);
		if (insn->src != EBPF_PSEUDO_CALL)
			return fail(walk, index, EINVAL, "it calls a helper, yet has a relocation", symbol);
		if (symbol->value > INT64_MAX / 2)
			return fail(walk, index, EINVAL, "it lies outside of its section", symbol);
		return refer_function(walk, index, EBPF_REF_CALL, symbol->section,
		                      (int64_t)symbol->value + call_addend(insn, symbol), symbol, out);
	}
	switch (role) {
	case EBPF_ROLE_CODE:
		if (symbol->value > INT64_MAX / 2)
			return fail(walk, index, EINVAL, "it lies outside of its section", symbol);
		return refer_function(walk, index, EBPF_REF_FUNCTION, symbol->section, (int64_t)symbol->value + insn->imm, symbol,
		                      out);
	case EBPF_ROLE_MAPS:
	case EBPF_ROLE_LEGACY_MAPS:
		return refer_map(walk, index, symbol, out);
	case EBPF_ROLE_DATA:
	case EBPF_ROLE_RODATA:
	case EBPF_ROLE_BSS:
	case EBPF_ROLE_ARENA:
		return refer_data(walk, index, symbol, out);
	case EBPF_ROLE_JUMPTABLES:
		return refer_jumps(walk, index, symbol, out);
	case EBPF_ROLE_STRUCT_OPS:
	case EBPF_ROLE_OTHER:
		break;
	}
	return fail(walk, index, EINVAL, "its section holds nothing that a program can refer to", symbol);
}

/* The kind of a relocation follows from the instruction and the symbol, as in libbpf: compilers have numbered them differently over
 * time. */
static int refer(struct walk *walk, uint32_t index, const struct ebpf_object_symbol *symbol, struct ebpf_spec_reference *out)
{
	const struct ebpf_insn *insn = &walk->function->insns[index];

	if (insn->code != EBPF_CALL && insn->code != EBPF_LD_IMM64)
		return fail(walk, index, EINVAL, "only calls and wide loads can be relocated", symbol);
	if (symbol->section == SHN_UNDEF)
		return refer_extern(walk, index, symbol, out);
	if (symbol->section >= SHN_LORESERVE || symbol->section >= walk->object->section_count)
		return fail(walk, index, EINVAL,
		            symbol->section == SHN_COMMON ? "it is in no section; compile without -fcommon" : "it is in no section",
		            symbol);
	return refer_defined(walk, index, symbol, out);
}

/* Within a section compilers may leave a call without relocation, its immediate relative (LLVM up to 9 always, later ones for
 * static functions). */
static bool calls_own_section(const struct ebpf_insn *insn)
{
	return insn->code == EBPF_CALL && insn->src == EBPF_PSEUDO_CALL;
}

static int reference_at(struct walk *walk, uint32_t index, bool *found, struct ebpf_spec_reference *out)
{
	const struct ebpf_insn *insn = &walk->function->insns[index];
	uint64_t offset = walk->piece->offset + (uint64_t)index * insn_size;

	*out = (struct ebpf_spec_reference){.insn = index};
	*found = true;
	if (walk->next < walk->end && walk->next->offset == offset)
		return refer(walk, index, (walk->next++)->symbol, out);
	if (calls_own_section(insn))
		return refer_function(walk, index, EBPF_REF_CALL, walk->piece->section,
		                      (int64_t)offset + ((int64_t)insn->imm + 1) * insn_size, NULL, out);
	if (insn->code == EBPF_LD_IMM64 && insn->src == EBPF_PSEUDO_FUNC)
		return fail(walk, index, EINVAL, "it loads a function's address but has no relocation", NULL);
	*found = false;
	return 0;
}

static int count_references(struct walk *walk)
{
	size_t calls = 0, relocations = 0;

	for (uint32_t i = 0; i < walk->function->insn_count; i++) {
		if (ebpf_insn_is_wide(&walk->function->insns[i]))
			i++;
		else
			calls += calls_own_section(&walk->function->insns[i]);
	}
	for (const struct ebpf_relocation *r = walk->next; r < walk->end && r->offset < walk->piece->offset + walk->piece->size;
	     r++)
		relocations++;
	if (!calls && !relocations)
		return 0;
	walk->function->references = ebpf_spec_alloc(walk->object->spec, calls + relocations, sizeof(*walk->function->references));
	return walk->function->references ? 0 : ebpf_spec_fail_memory(walk->object->spec, walk->err);
}

static int relocate_function(struct walk *walk)
{
	struct ebpf_function *function = walk->function;
	int result = count_references(walk);
	bool found;

	for (uint32_t i = 0; !result && i < function->insn_count; i++) {
		struct ebpf_spec_reference reference;
		uint64_t offset = walk->piece->offset + (uint64_t)i * insn_size;
		uint8_t code = function->insns[i].code;

		if (code != EBPF_CALL && code != EBPF_LD_IMM64 &&
		    (walk->next >= walk->end || walk->next->offset >= offset + insn_size))
			continue; /* nearly all */
		result = reference_at(walk, i, &found, &reference);
		if (result)
			break;
		if (found)
			function->references[function->reference_count++] = reference;
		if (ebpf_insn_is_wide(&function->insns[i]))
			i++, offset += insn_size;
		if (walk->next < walk->end && walk->next->offset < offset + insn_size)
			result = fail(walk, i, EINVAL, "it has two relocations, or one that is not at its start",
			              walk->next->symbol);
	}
	return result;
}

/* Functions that share their bytes share what is known about them. */
static void copy_to_alias(struct ebpf_function *alias, const struct ebpf_function *from)
{
	alias->references = from->references;
	alias->reference_count = from->reference_count;
	alias->lines = from->lines;
	alias->line_count = from->line_count;
	alias->relos = from->relos;
	alias->relo_count = from->relo_count;
	alias->type_id = from->type_id;
	alias->context_params = from->context_params;
}

static int relocate_section(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[index];
	struct walk walk = {.object = object, .err = err};
	struct ebpf_relocation *relocations;
	size_t count;
	int result = ebpf_object_relocations(object, index, &relocations, &count, err);

	walk.next = relocations;
	walk.end = count ? relocations + count : NULL;
	for (size_t i = section->first_piece; !result && i < section->first_piece + section->piece_count; i++) {
		walk.piece = &object->pieces[i];
		walk.function = object->pieces[i].function;
		if (walk.piece->alias) {
			copy_to_alias(walk.function, object->pieces[i - 1].function);
			continue;
		}
		/* in a gap there is the code of a weak function that lost */
		while (walk.next < walk.end && walk.next->offset < walk.piece->offset)
			walk.next++;
		result = relocate_function(&walk);
	}
	return result;
}

int ebpf_object_relocate(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < object->section_count; i++)
		if (object->sections[i].piece_count)
			result = relocate_section(object, i, err);
	return result;
}
