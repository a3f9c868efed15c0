/* Changing a Spec: programs and maps made by hand, sections, sizes, variables. */
#include <stdlib.h>

#include "spec/spec.h"

/* -- code that was not compiled: a block's references are names, which may mean something only later. -- */

static int add_extern(struct ebpf_spec_impl *spec, struct ebpf_spec_reference *reference, const struct ebpf_insn *insn)
{
	reference->external = ebpf_spec_find_extern(&spec->public, reference->name);
	if (!reference->external)
		reference->external =
		        ebpf_spec_new_extern(spec, reference->name, insn->code == EBPF_CALL ? EBPF_EXTERN_KFUNC : EBPF_EXTERN_KSYM);
	return reference->external ? 0 : -ENOMEM;
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
	case EBPF_REF_JUMPS:
	case EBPF_REF_EXTERN:
		break;
	}
	return reference->external;
}

static int fail_unresolved(const struct ebpf_function *function, const struct ebpf_spec_reference *reference,
                           struct ebpf_error *err)
{
	const char *what = reference->kind == EBPF_REF_MAP || reference->kind == EBPF_REF_MAP_VALUE ? "map" : "function";

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

static int copy_references(struct ebpf_spec_impl *spec, struct ebpf_function *function, const struct ebpf_block *block,
                           struct ebpf_error *err)
{
	function->references = ebpf_spec_alloc(spec, block->reference_count, sizeof(*function->references));
	if (!function->references)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < block->reference_count; i++) {
		const struct ebpf_block_reference *from = &block->references[i];
		struct ebpf_spec_reference *to = &function->references[i];
		const struct ebpf_insn *insn = &function->insns[from->insn];
		bool call = insn->code == EBPF_CALL, wide = insn->code == EBPF_LD_IMM64 && from->insn + 1 < function->insn_count;

		if (!(from->kind == EBPF_REF_EXTERN ? call || wide : from->kind == EBPF_REF_CALL ? call : wide))
			return ebpf_fail(err, EINVAL, "program '%s': instruction %u (code 0x%02x) cannot refer to '%s'",
			                 function->name, from->insn, insn->code, from->name);
		to->insn = from->insn;
		to->kind = from->kind;
		to->addend = from->addend;
		to->name = ebpf_spec_string(spec, from->name, strlen(from->name));
		if (!to->name)
			return ebpf_fail_memory(err);
		mark_slot(function, to);
		if (to->kind == EBPF_REF_EXTERN && add_extern(spec, to, insn))
			return ebpf_fail_memory(err);
	}
	function->reference_count = block->reference_count;
	if (function->reference_count)
		qsort(function->references, function->reference_count, sizeof(*function->references), compare_references);
	return 0;
}

static int fill_function(struct ebpf_spec_impl *spec, struct ebpf_function *function, const struct ebpf_block *block,
                         struct ebpf_error *err)
{
	size_t count;
	const struct ebpf_insn *insns = ebpf_block_insns(block, &count);

	if (!block->finished)
		return ebpf_fail(err, EINVAL, "program '%s': its block is not finished", function->name);
	if (!count)
		return ebpf_fail(err, EINVAL, "program '%s': its block has no instructions", function->name);
	function->insns = ebpf_spec_alloc(spec, count, sizeof(*insns));
	if (!function->insns)
		return ebpf_fail_memory(err);
	memcpy(function->insns, insns, count * sizeof(*insns));
	function->insn_count = count;
	function->global = true;
	return copy_references(spec, function, block, err);
}

int ebpf_spec_add_program(struct ebpf_spec *public, const char *name, uint32_t type, struct ebpf_block *block,
                          struct ebpf_program_spec **out, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = spec_impl(public);
	size_t functions = spec->function_count, externs = spec->extern_count;
	struct ebpf_program_spec *program = NULL;
	struct ebpf_function *function;
	char *copy;
	int result;

	if (!*name)
		return ebpf_fail(err, EINVAL, "a program needs a name");
	if (ebpf_spec_find_program(public, name))
		return ebpf_fail(err, EEXIST, "program '%s': the Spec has one of that name already", name);
	copy = ebpf_spec_string(spec, name, strlen(name));
	function = copy ? ebpf_spec_new_function(spec, copy) : NULL;
	result = function ? fill_function(spec, function, block, err) : ebpf_fail_memory(err);
	if (!result) {
		program = ebpf_spec_new_program(spec, function);
		result = program ? 0 : ebpf_fail_memory(err);
	}
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

int ebpf_spec_add_map(struct ebpf_spec *public, const char *name, struct ebpf_map_spec **out, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = spec_impl(public);
	struct ebpf_map_spec *map;
	char *copy;

	if (!*name)
		return ebpf_fail(err, EINVAL, "a map needs a name");
	for (size_t i = 0; i < public->map_count; i++)
		if (!strcmp(public->maps[i]->name, name))
			return ebpf_fail(err, EEXIST, "map '%s': the Spec has one of that name already", name);
	copy = ebpf_spec_string(spec, name, strlen(name));
	map = copy ? ebpf_spec_new_map(spec, copy) : NULL;
	if (!map)
		return ebpf_fail_memory(err);
	ebpf_spec_resolve(public, NULL);
	if (out)
		*out = map;
	return 0;
}

/* -- programs, maps, variables -- */

int ebpf_program_spec_set_section(struct ebpf_program_spec *program, const char *section, struct ebpf_error *err)
{
	const char *bare = *section == '?' ? section + 1 : section, *known;
	char *copy;

	if (!ebpf_section_find(bare, NULL)) {
		known = ebpf_section_nearest(bare);
		ebpf_fail(err, EINVAL, "program '%s': unknown section '%s'", program->name, section);
		if (known)
			ebpf_hint(err, "did you mean '%s'?", known);
		return -EINVAL;
	}
	copy = ebpf_spec_string(program_impl(program)->spec, bare, strlen(bare));
	if (!copy)
		return ebpf_fail_memory(err);
	if (*section == '?')
		program->autoload = false;
	ebpf_program_spec_apply_section(program, copy);
	return 0;
}

int ebpf_map_spec_set_value_size(struct ebpf_map_spec *map, uint32_t size, struct ebpf_error *err)
{
	struct ebpf_map_impl *impl = map_impl(map);
	struct ebpf_btf *btf = impl->spec->public.btf;

	if (size == map->value_size)
		return 0;
	if (map->data) {
		uint8_t *data = realloc(map->data, size ? size : 1);

		if (!data)
			return ebpf_fail_memory(err);
		if (size > impl->data_size)
			memset(data + impl->data_size, 0, size - impl->data_size);
		map->data = data;
		impl->data_size = size;
	}
	map->value_size = size;
	if (map->value_type_id && (!btf || ebpf_btf_sizeof(btf, map->value_type_id) != size)) {
		/* the type does not describe the value any more; the kernel would refuse the pair */
		map->key_type_id = map->value_type_id = 0;
		impl->offsets = NULL;
		impl->offset_count = 0;
	}
	return 0;
}

void *ebpf_variable_spec_data(struct ebpf_variable_spec *variable)
{
	struct ebpf_map_spec *map = variable->map;
	const struct ebpf_map_impl *impl = map_impl(map);

	if (map->type == BPF_MAP_TYPE_ARENA && impl->arena)
		return variable->offset <= impl->arena_size && variable->size <= impl->arena_size - variable->offset
		               ? impl->arena + variable->offset
		               : NULL;
	if (variable->offset > map->value_size || variable->size > map->value_size - variable->offset)
		return NULL;
	if (!map->data) { /* .bss: zeros that need no memory until somebody looks */
		map->data = calloc(1, map->value_size ? map->value_size : 1);
		map_impl(map)->data_size = map->value_size;
	}
	return map->data ? map->data + variable->offset : NULL;
}

int ebpf_spec_set_license(struct ebpf_spec *public, const char *license, struct ebpf_error *err)
{
	char *copy = ebpf_spec_string(spec_impl(public), license, strlen(license));

	if (!copy)
		return ebpf_fail_memory(err);
	public->license = copy;
	return 0;
}
