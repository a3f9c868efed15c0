/* Programs from blocks: code that was not compiled. A block is cut into functions, each a function of the Spec: at the
 * prototypes in it, and wherever a call goes to or an address is taken. What its references name may come to be known only later.
 */
#include <stdio.h>
#include <stdlib.h>

#include "spec/spec.h"

/* -- references -- */

static int add_extern(struct ebpf_spec_impl *spec, struct ebpf_spec_reference *reference, const struct ebpf_insn *insn)
{
	reference->external = ebpf_spec_find_extern(&spec->public, reference->name);
	if (!reference->external)
		reference->external =
		        ebpf_spec_new_extern(spec, reference->name, insn->code == EBPF_CALL ? EBPF_EXTERN_KFUNC : EBPF_EXTERN_KSYM);
	return reference->external ? 0 : -ENOMEM;
}

/* A variable lies in a map, at an offset: from then on that is what is referred to. */
static bool resolve_variable(struct ebpf_spec_impl *spec, struct ebpf_spec_reference *reference)
{
	const struct ebpf_variable_spec *variable = ebpf_spec_find_variable(&spec->public, reference->name);

	if (!variable)
		return false;
	reference->kind = EBPF_REF_MAP_VALUE;
	reference->map = variable->map;
	reference->name = variable->map->name;
	reference->addend += variable->offset;
	return true;
}

static bool resolved(struct ebpf_spec_impl *spec, struct ebpf_spec_reference *reference)
{
	switch (reference->kind) {
	case EBPF_REF_MAP:
	case EBPF_REF_MAP_VALUE:
		if (!reference->map)
			reference->map = ebpf_spec_find_map(&spec->public, reference->name);
		return reference->map;
	case EBPF_REF_CALL:
	case EBPF_REF_FUNCTION:
		if (!reference->function)
			reference->function = ebpf_spec_find_function(&spec->public, reference->name);
		return reference->function;
	case EBPF_REF_VARIABLE:
		return resolve_variable(spec, reference);
	case EBPF_REF_JUMPS:
	case EBPF_REF_EXTERN:
		break;
	}
	return reference->external;
}

static int fail_unresolved(const struct ebpf_function *function, const struct ebpf_spec_reference *reference,
                           struct ebpf_error *err)
{
	static const char *const kinds[] = {
	        [EBPF_REF_MAP] = "map",           [EBPF_REF_MAP_VALUE] = "map", [EBPF_REF_CALL] = "function",
	        [EBPF_REF_FUNCTION] = "function", [EBPF_REF_EXTERN] = "extern", [EBPF_REF_VARIABLE] = "variable"};
	const char *what = kinds[reference->kind];

	ebpf_fail(err, ENOENT, "program '%s': instruction %u refers to %s '%s', which the Spec does not have", function->name,
	          reference->insn, what, reference->name);
	ebpf_hint(err, "add a %s of that name before loading", what);
	return -ENOENT;
}

int ebpf_spec_resolve(struct ebpf_spec *public, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = spec_impl(public);
	int result = 0;

	for (size_t i = 0; i < spec->function_count; i++) {
		struct ebpf_function *function = spec->functions[i];

		for (size_t r = 0; r < function->reference_count; r++)
			if (!resolved(spec, &function->references[r]) && !result)
				result = fail_unresolved(function, &function->references[r], err);
	}
	return result;
}

/* The form that a reference's slot has in a Spec, see the head of spec.h. */
static void mark_slot(struct ebpf_function *function, const struct ebpf_spec_reference *reference)
{
	static const uint8_t sources[] = {[EBPF_REF_MAP] = EBPF_PSEUDO_MAP_FD,
	                                  [EBPF_REF_MAP_VALUE] = EBPF_PSEUDO_MAP_VALUE,
	                                  [EBPF_REF_VARIABLE] = EBPF_PSEUDO_MAP_VALUE,
	                                  [EBPF_REF_CALL] = EBPF_PSEUDO_CALL,
	                                  [EBPF_REF_FUNCTION] = EBPF_PSEUDO_FUNC};
	struct ebpf_insn *insn = &function->insns[reference->insn];

	insn->imm = insn->code == EBPF_CALL ? -1 : 0;
	if (reference->kind == EBPF_REF_EXTERN)
		insn->src = insn->code == EBPF_CALL ? EBPF_PSEUDO_KFUNC_CALL : 0;
	else
		insn->src = sources[reference->kind] & 0xf;
	if (insn->code == EBPF_LD_IMM64)
		insn[1].imm = 0;
}

static int compare_references(const void *a, const void *b)
{
	const struct ebpf_spec_reference *left = a, *right = b;

	return left->insn < right->insn ? -1 : left->insn > right->insn;
}

/* -- pieces: the functions of a block -- */

struct piece {
	uint32_t start, end;
	const char *prototype, *name; /* or NULL */
	struct ebpf_function *function;
};
struct cut {
	struct ebpf_spec_impl *spec;
	const struct ebpf_block *block;
	const char *program; /* its name */
	struct piece *pieces;
	size_t count;
	struct ebpf_error *err;
};

/* Where a call within the block goes, or the function is whose address is loaded: -1 for any other instruction, and for one that
 * a reference belongs to. ebpf_block_finish has made sure that it is inside. */
static int64_t local_target(const struct ebpf_block *block, size_t at, size_t *reference)
{
	const struct ebpf_insn *insn = &block->insns[at];
	bool call = insn->code == EBPF_CALL && insn->src == EBPF_PSEUDO_CALL;
	bool address = ebpf_insn_is_wide(insn) && insn->src == EBPF_PSEUDO_FUNC;

	while (*reference < block->reference_count && block->references[*reference].insn < at)
		++*reference;
	if ((!call && !address) || (*reference < block->reference_count && block->references[*reference].insn == at))
		return -1;
	return (int64_t)at + 1 + insn->imm;
}

static int compare_starts(const void *a, const void *b)
{
	const struct piece *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return !left->prototype - !right->prototype; /* the one with a prototype first */
}

/* Sorted, each start once. */
static int find_pieces(struct cut *cut)
{
	const struct ebpf_block *block = cut->block;
	size_t capacity = block->function_count + 1, kept = 0, reference = 0;

	for (size_t i = 0; i < block->count; i++)
		capacity += block->insns[i].code == EBPF_CALL || ebpf_insn_is_wide(&block->insns[i]);
	cut->pieces = calloc(capacity, sizeof(*cut->pieces));
	if (!cut->pieces)
		return ebpf_fail_memory(cut->err);
	cut->count = 1; /* the first is the program's own, at 0 */
	for (size_t i = 0; i < block->function_count; i++)
		cut->pieces[cut->count++] =
		        (struct piece){block->functions[i].insn, 0, block->functions[i].prototype, block->functions[i].name, NULL};
	for (size_t at = 0; at < block->count; at++) {
		int64_t target = local_target(block, at, &reference);

		if (target >= 0)
			cut->pieces[cut->count++].start = (uint32_t)target;
		at += ebpf_insn_is_wide(&block->insns[at]);
	}
	qsort(cut->pieces, cut->count, sizeof(*cut->pieces), compare_starts);
	for (size_t i = 0; i < cut->count; i++)
		if (!kept || cut->pieces[kept - 1].start != cut->pieces[i].start)
			cut->pieces[kept++] = cut->pieces[i];
	cut->count = kept;
	for (size_t i = 0; i < kept; i++)
		cut->pieces[i].end = i + 1 < kept ? cut->pieces[i + 1].start : (uint32_t)block->count;
	return 0;
}

static struct piece *piece_at(const struct cut *cut, uint32_t insn)
{
	size_t low = 0, high = cut->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (cut->pieces[middle].start <= insn)
			low = middle;
		else
			high = middle;
	}
	return &cut->pieces[low];
}

/* By its prototype, else its label, else by its place. */
static char *piece_name(const struct cut *cut, const struct piece *piece)
{
	const char *name = piece->start ? piece->name : cut->program;
	char made[256];

	for (size_t i = 0; !name && i < cut->block->label_count; i++)
		if (cut->block->labels[i].insn == piece->start)
			name = cut->block->labels[i].name;
	if (!name) {
		snprintf(made, sizeof(made), "%.200s_%u", cut->program, piece->start);
		name = made;
	}
	return ebpf_spec_string(cut->spec, name, strlen(name));
}

/* Says of the types in a prototype now what load would say of them later, and which functions are static. */
static int check_prototypes(const struct cut *cut)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
	struct ebpf_btf_declarations *declarations = builder ? ebpf_btf_declarations_new(builder, cut->spec->public.btf) : NULL;
	int64_t result = declarations ? 0 : ebpf_fail_memory(cut->err);

	for (size_t i = 0; result >= 0 && i < cut->count; i++)
		if (cut->pieces[i].prototype)
			result = ebpf_btf_declarations_add(declarations, cut->pieces[i].prototype, &cut->pieces[i].function->global,
			                                   cut->err);
	ebpf_btf_declarations_free(declarations);
	ebpf_btf_builder_free(builder);
	return result < 0 ? ebpf_wrap(cut->err, (int)result, "program '%s'", cut->program) : 0;
}

/* -- filling them -- */

static int copy_reference(const struct cut *cut, struct ebpf_function *function, uint32_t start,
                          const struct ebpf_block_reference *from)
{
	struct ebpf_spec_reference *to = &function->references[function->reference_count];
	const struct ebpf_insn *insn;
	bool call, wide;

	if (from->kind == EBPF_REF_JUMPS)
		return ebpf_fail(cut->err, ENOTSUP, "program '%s': instruction %u: the jump table '%s' lies in its object and cannot be taken along",
		                 cut->program, from->insn, from->name);
	to->insn = from->insn - start;
	insn = &function->insns[to->insn];
	call = insn->code == EBPF_CALL;
	wide = insn->code == EBPF_LD_IMM64 && to->insn + 1 < function->insn_count;
	if (!(from->kind == EBPF_REF_EXTERN ? call || wide : from->kind == EBPF_REF_CALL ? call : wide))
		return ebpf_fail(cut->err, EINVAL, "program '%s': instruction %u (code 0x%02x) cannot refer to '%s'", cut->program,
		                 from->insn, insn->code, from->name);
	to->kind = from->kind;
	to->addend = from->addend;
	to->name = ebpf_spec_string(cut->spec, from->name, strlen(from->name));
	if (!to->name)
		return ebpf_fail_memory(cut->err);
	mark_slot(function, to);
	if (to->kind == EBPF_REF_EXTERN && add_extern(cut->spec, to, insn))
		return ebpf_fail_memory(cut->err);
	function->reference_count++;
	return 0;
}

/* What names a thing, and what stays within the block, which refers to its piece from then on. */
static int copy_references(const struct cut *cut, const struct piece *piece)
{
	const struct ebpf_block *block = cut->block;
	struct ebpf_function *function = piece->function;
	size_t count = 0, reference = 0;
	int result = 0;

	for (uint32_t at = piece->start; at < piece->end; at++)
		count += block->insns[at].code == EBPF_CALL || ebpf_insn_is_wide(&block->insns[at]);
	function->references = ebpf_spec_alloc(cut->spec, count + 1, sizeof(*function->references));
	if (!function->references)
		return ebpf_fail_memory(cut->err);
	for (size_t i = 0; !result && i < block->reference_count; i++)
		if (block->references[i].insn >= piece->start && block->references[i].insn < piece->end)
			result = copy_reference(cut, function, piece->start, &block->references[i]);
	for (uint32_t at = piece->start; !result && at < piece->end; at++) {
		int64_t target = local_target(block, at, &reference);
		bool wide = ebpf_insn_is_wide(&block->insns[at]);

		if (target >= 0) {
			struct ebpf_spec_reference *to = &function->references[function->reference_count++];

			*to = (struct ebpf_spec_reference){.insn = at - piece->start,
			                                   .kind = wide ? EBPF_REF_FUNCTION : EBPF_REF_CALL,
			                                   .function = piece_at(cut, (uint32_t)target)->function};
			to->name = to->function->name;
			mark_slot(function, to);
		}
		at += wide;
	}
	if (function->reference_count)
		qsort(function->references, function->reference_count, sizeof(*function->references), compare_references);
	return result;
}

static int copy_lines(const struct cut *cut, const struct piece *piece)
{
	struct ebpf_function *function = piece->function;
	size_t count = 0;

	for (size_t i = 0; i < cut->block->line_count; i++)
		count += cut->block->lines[i].insn >= piece->start && cut->block->lines[i].insn < piece->end;
	if (!count)
		return 0;
	function->lines = ebpf_spec_alloc(cut->spec, count, sizeof(*function->lines));
	if (!function->lines)
		return ebpf_fail_memory(cut->err);
	for (size_t i = 0; i < cut->block->line_count; i++) {
		const struct ebpf_source_line *from = &cut->block->lines[i];
		struct ebpf_spec_line *to = &function->lines[function->line_count];

		if (from->insn < piece->start || from->insn >= piece->end)
			continue;
		*to = (struct ebpf_spec_line){.insn = from->insn - piece->start, .number = from->number, .column = from->column};
		to->file = ebpf_spec_string(cut->spec, from->file, strlen(from->file));
		to->line = ebpf_spec_string(cut->spec, from->text, strlen(from->text));
		if (!to->file || !to->line)
			return ebpf_fail_memory(cut->err);
		function->line_count++;
	}
	return 0;
}

/* A type by its name, or by "#12" its number: in the Spec's types, where it must be. */
static int copy_core(const struct cut *cut, const struct ebpf_block_core *from, struct ebpf_spec_relo *to)
{
	const struct ebpf_btf *btf = cut->spec->public.btf;
	int64_t id = -ENOENT;

	if (btf && *from->type == '#')
		id = strtoll(from->type + 1, NULL, 10);
	else if (btf)
		id = ebpf_btf_find(btf, from->type);
	if (id <= 0 || id >= ebpf_btf_count(btf))
		return ebpf_fail(cut->err, ENOENT, "program '%s': instruction %u: CO-RE: the Spec has no type '%s'", cut->program,
		                 from->insn, from->type);
	to->kind = from->kind;
	to->type_id = (uint32_t)id;
	to->access = ebpf_spec_string(cut->spec, from->access, strlen(from->access));
	return to->access ? 0 : ebpf_fail_memory(cut->err);
}

static int copy_cores(const struct cut *cut, const struct piece *piece)
{
	struct ebpf_function *function = piece->function;
	size_t count = 0;
	int result = 0;

	for (size_t i = 0; i < cut->block->core_count; i++)
		count += cut->block->cores[i].insn >= piece->start && cut->block->cores[i].insn < piece->end;
	if (!count)
		return 0;
	function->relos = ebpf_spec_alloc(cut->spec, count, sizeof(*function->relos));
	if (!function->relos)
		return ebpf_fail_memory(cut->err);
	for (size_t i = 0; !result && i < cut->block->core_count; i++) {
		const struct ebpf_block_core *from = &cut->block->cores[i];

		if (from->insn < piece->start || from->insn >= piece->end)
			continue;
		function->relos[function->relo_count].insn = from->insn - piece->start;
		result = copy_core(cut, from, &function->relos[function->relo_count++]);
		cut->spec->core_relo_count++;
	}
	return result;
}

static int make_function(const struct cut *cut, struct piece *piece)
{
	struct ebpf_spec_impl *spec = cut->spec;
	char *name = piece_name(cut, piece);
	struct ebpf_function *function, *other;
	size_t count = piece->end - piece->start;

	if (!name)
		return ebpf_fail_memory(cut->err);
	other = piece->start && piece->prototype ? ebpf_spec_find_function(&spec->public, name) : NULL;
	if (other && other->global)
		return ebpf_fail(cut->err, EEXIST, "program '%s': function '%s': the Spec has one of that name already",
		                 cut->program, name);
	function = ebpf_spec_new_function(spec, name);
	if (!function)
		return ebpf_fail_memory(cut->err);
	piece->function = function;
	function->insns = ebpf_spec_alloc(spec, count, sizeof(*function->insns));
	if (!function->insns)
		return ebpf_fail_memory(cut->err);
	memcpy(function->insns, &cut->block->insns[piece->start], count * sizeof(*function->insns));
	function->insn_count = count;
	if (!piece->prototype)
		return 0;
	function->prototype = ebpf_spec_string(spec, piece->prototype, strlen(piece->prototype));
	return function->prototype ? 0 : ebpf_fail_memory(cut->err);
}

/* Makes the functions of the block; the first is the program's own. */
static int make_functions(struct cut *cut)
{
	int result = find_pieces(cut);

	for (size_t i = 0; !result && i < cut->count; i++)
		result = make_function(cut, &cut->pieces[i]);
	if (!result)
		result = check_prototypes(cut);
	for (size_t i = 0; !result && i < cut->count; i++) {
		result = copy_references(cut, &cut->pieces[i]);
		if (!result)
			result = copy_lines(cut, &cut->pieces[i]);
		if (!result)
			result = copy_cores(cut, &cut->pieces[i]);
	}
	if (!result)
		cut->pieces[0].function->global = true;
	return result;
}

/* -- the program -- */

static int check_block(const struct ebpf_block *block, const char *name, struct ebpf_error *err)
{
	if (!block->finished)
		return ebpf_fail(err, EINVAL, "program '%s': its block is not finished", name);
	if (!block->count)
		return ebpf_fail(err, EINVAL, "program '%s': its block has no instructions", name);
	return 0;
}

int ebpf_spec_add_program(struct ebpf_spec *public, const char *name, uint32_t type, struct ebpf_block *block,
                          struct ebpf_program_spec **out, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = spec_impl(public);
	size_t functions = spec->function_count, externs = spec->extern_count;
	struct cut cut = {.spec = spec, .block = block, .err = err};
	struct ebpf_program_spec *program = NULL;
	int result;

	cut.program = name ? name : block->function_count && !block->functions[0].insn ? block->functions[0].name : public->name;
	if (!*cut.program)
		return ebpf_fail(err, EINVAL, "a program needs a name");
	if (ebpf_spec_find_program(public, cut.program))
		return ebpf_fail(err, EEXIST, "program '%s': the Spec has one of that name already", cut.program);
	result = check_block(block, cut.program, err);
	if (!result)
		result = make_functions(&cut);
	if (!result) {
		program = ebpf_spec_new_program(spec, cut.pieces[0].function);
		result = program ? 0 : ebpf_fail_memory(err);
	}
	free(cut.pieces);
	if (result || !program) { /* what was begun is out of the lists again, and is freed with the Spec */
		spec->function_count = functions;
		spec->extern_count = externs;
		return result;
	}
	program->type = type;
	ebpf_block_free(block);
	ebpf_spec_resolve(public, NULL);
	if (out)
		*out = program;
	return 0;
}
