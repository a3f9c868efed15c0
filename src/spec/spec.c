/* Making a Spec and its parts, finding them by name. */
#include <stdlib.h>

#include "spec/spec.h"

struct ebpf_spec *ebpf_spec_new(const char *name, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = calloc(1, sizeof(*spec));

	if (!spec) {
		ebpf_fail_memory(err);
		return NULL;
	}
	spec->memory.left = UINT64_MAX;
	spec->public.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	spec->public.name = ebpf_spec_string(spec, name ? name : "", name ? strlen(name) : 0);
	spec->public.license = ebpf_spec_string(spec, "", 0);
	if (!spec->public.name || !spec->public.license) {
		ebpf_spec_free(&spec->public);
		ebpf_fail_memory(err);
		return NULL;
	}
	return &spec->public;
}

void ebpf_spec_free(struct ebpf_spec *public)
{
	struct ebpf_spec_impl *spec = spec_impl(public);

	if (!spec)
		return;
	for (size_t i = 0; i < public->map_count; i++)
		free(public->maps[i]->data);
	free(public->maps);
	free(public->programs);
	free(public->variables);
	free(spec->functions);
	free(spec->externs);
	ebpf_btf_free(public->btf);
	ebpf_memory_free(&spec->memory);
	free(spec);
}

/* Appends a pointer to one of the lists; *items is a pointer to an array of pointers. */
#define APPEND(items, count, capacity, item)                                                                                       \
	({                                                                                                                         \
		void *grown_ = (item) ? ebpf_grow((items), &(capacity), (count), sizeof(*(items))) : NULL;                         \
		if (grown_) {                                                                                                      \
			(items) = grown_;                                                                                          \
			(items)[(count)++] = (item);                                                                               \
		}                                                                                                                  \
		grown_ ? (item) : NULL;                                                                                            \
	})

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

struct ebpf_map_spec *ebpf_spec_new_map(struct ebpf_spec_impl *spec, const char *name)
{
	struct ebpf_map_impl *map = ebpf_spec_alloc(spec, 1, sizeof(*map));

	if (!map)
		return NULL;
	map->spec = spec;
	map->public.name = borrow(name);
	map->public.autocreate = true;
	return APPEND(spec->public.maps, spec->public.map_count, spec->map_capacity, &map->public);
}

struct ebpf_program_spec *ebpf_spec_new_program(struct ebpf_spec_impl *spec, struct ebpf_function *function)
{
	struct ebpf_program_impl *program = ebpf_spec_alloc(spec, 1, sizeof(*program));

	if (!program)
		return NULL;
	program->spec = spec;
	program->public = (struct ebpf_program_spec){.name = function->name,
	                                             .section = function->section,
	                                             .function = function,
	                                             .insn_count = function->insn_count,
	                                             .autoload = true,
	                                             .autoattach = true};
	return APPEND(spec->public.programs, spec->public.program_count, spec->program_capacity, &program->public);
}

struct ebpf_variable_spec *ebpf_spec_new_variable(struct ebpf_spec_impl *spec, const char *name)
{
	struct ebpf_variable_spec *variable = ebpf_spec_alloc(spec, 1, sizeof(*variable));

	if (!variable)
		return NULL;
	variable->name = borrow(name);
	return APPEND(spec->public.variables, spec->public.variable_count, spec->variable_capacity, variable);
}

struct ebpf_function *ebpf_spec_new_function(struct ebpf_spec_impl *spec, const char *name)
{
	struct ebpf_function *function = ebpf_spec_alloc(spec, 1, sizeof(*function));

	if (!function)
		return NULL;
	function->name = borrow(name);
	return APPEND(spec->functions, spec->function_count, spec->function_capacity, function);
}

struct ebpf_extern *ebpf_spec_new_extern(struct ebpf_spec_impl *spec, const char *name, enum ebpf_extern_kind kind)
{
	struct ebpf_extern *external = ebpf_spec_alloc(spec, 1, sizeof(*external));

	if (!external)
		return NULL;
	external->name = borrow(name);
	external->kind = kind;
	return APPEND(spec->externs, spec->extern_count, spec->extern_capacity, external);
}

struct ebpf_map_spec *ebpf_spec_find_map(const struct ebpf_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->map_count; i++)
		if (!strcmp(spec->maps[i]->name, name))
			return spec->maps[i];
	/* a data section by its own name: the map's begins with the object's */
	for (size_t i = 0; *name == '.' && i < spec->map_count; i++) {
		const struct ebpf_map_spec *map = spec->maps[i];

		if (map->type == BPF_MAP_TYPE_ARRAY && map->section && strcmp(map->section, ".maps") != 0 && !strcmp(map->section, name))
			return spec->maps[i];
	}
	return NULL;
}

struct ebpf_program_spec *ebpf_spec_find_program(const struct ebpf_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->program_count; i++)
		if (!strcmp(spec->programs[i]->name, name))
			return spec->programs[i];
	return NULL;
}

struct ebpf_variable_spec *ebpf_spec_find_variable(const struct ebpf_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->variable_count; i++)
		if (!strcmp(spec->variables[i]->name, name))
			return spec->variables[i];
	return NULL;
}

struct ebpf_function *ebpf_spec_find_function(struct ebpf_spec *public, const char *name)
{
	struct ebpf_spec_impl *spec = spec_impl(public);
	struct ebpf_function *found = NULL;

	for (size_t i = 0; i < spec->function_count; i++) {
		if (strcmp(spec->functions[i]->name, name) != 0)
			continue;
		if (spec->functions[i]->global)
			return spec->functions[i];
		if (!found)
			found = spec->functions[i];
	}
	return found;
}

struct ebpf_extern *ebpf_spec_find_extern(struct ebpf_spec *public, const char *name)
{
	struct ebpf_spec_impl *spec = spec_impl(public);

	for (size_t i = 0; i < spec->extern_count; i++)
		if (!strcmp(spec->externs[i]->name, name))
			return spec->externs[i];
	return NULL;
}

const struct ebpf_spec_line *ebpf_function_line(const struct ebpf_function *function, uint32_t insn)
{
	size_t low = 0, high = function->line_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (function->lines[middle].insn <= insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &function->lines[low - 1] : NULL;
}

const char *ebpf_spec_line_file(const struct ebpf_spec_line *line)
{
	return strrchr(line->file, '/') ? strrchr(line->file, '/') + 1 : line->file;
}
