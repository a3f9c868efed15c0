/* Data sections: each is an array map with one element, and its global variables have names. */
#include <stdlib.h>

#include "spec/object.h"

/* libbpf's name for the map of a data section, by which other tools know it: what fits into 15 characters of the object's name and
 * the section's, where a section's name counts as at least 7 long; a section with a name of its own (.data.foo) does not take the
 * object's. */
static char *data_map_name(struct ebpf_object *object, const char *section)
{
	size_t suffix = strlen(section) < 7 ? 7 : strlen(section), prefix = 0, length;
	char name[BPF_OBJ_NAME_LEN];

	if (suffix > BPF_OBJ_NAME_LEN - 1)
		suffix = BPF_OBJ_NAME_LEN - 1;
	if (!strchr(section + 1, '.'))
		prefix = strnlen(object->prefix, BPF_OBJ_NAME_LEN - 1 - suffix);
	memcpy(name, object->prefix, prefix);
	length = prefix + strnlen(section, suffix);
	memcpy(name + prefix, section, length - prefix);
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.'))
			name[i] = '_';
	}
	return ebpf_spec_string(object->spec, name, length);
}

bool ebpf_object_find_datasec(struct ebpf_object *object, const char *section, struct ebpf_type *out)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	int64_t id = btf ? ebpf_btf_find_kind(btf, section, BTF_KIND_DATASEC) : -ENOENT;

	return id > 0 && ebpf_btf_type(btf, (uint32_t)id, out);
}

static struct ebpf_map_spec *new_data_map(struct ebpf_object *object, const char *section, uint64_t size, bool read_only,
                                          const char *name, struct ebpf_error *err)
{
	struct ebpf_map_spec *map;

	if (!name)
		name = data_map_name(object, section);
	map = name ? ebpf_spec_new_map(object->spec, name) : NULL;
	if (!map) {
		ebpf_spec_fail_memory(object->spec, err);
		return NULL;
	}
	map->section = section;
	map->type = BPF_MAP_TYPE_ARRAY;
	map->key_size = 4;
	map->value_size = (uint32_t)size;
	map->max_entries = 1;
	map->flags = read_only ? BPF_F_RDONLY_PROG : 0;
	map->frozen = read_only;
	return map;
}

static int copy_contents(struct ebpf_object *object, const struct ebpf_object_section *section, struct ebpf_error *err)
{
	struct ebpf_map_impl *map = map_impl(section->map);

	if (section->role == EBPF_ROLE_BSS) /* zeros, which need no memory before somebody looks at them */
		return 0;
	if (!ebpf_memory_charge(&object->spec->memory, section->bytes.size))
		return ebpf_spec_fail_memory(object->spec, err);
	map->public.data = ebpf_object_copy(section->bytes, 0, section->bytes.size);
	if (!map->public.data)
		return ebpf_fail_memory(err);
	map->data_size = section->bytes.size;
	return 0;
}

/* -- variables -- */

static int compare_variables(const void *a, const void *b)
{
	const struct ebpf_variable_spec *left = *(struct ebpf_variable_spec *const *)a,
	                                *right = *(struct ebpf_variable_spec *const *)b;
	int order = strcmp(left->section, right->section);

	if (!order && left->offset != right->offset)
		order = left->offset < right->offset ? -1 : 1;
	return order ? order : strcmp(left->name, right->name);
}

/* Sorts the variables from `first` on by section and offset; a variable that is listed twice is a mistake. */
static int sort_variables(struct ebpf_object *object, size_t first, struct ebpf_error *err)
{
	struct ebpf_variable_spec **variables = object->spec->public.variables;
	size_t count = object->spec->public.variable_count;

	if (count > first)
		qsort(variables + first, count - first, sizeof(*variables), compare_variables);
	for (size_t i = first + 1; i < count; i++)
		if (!compare_variables(&variables[i], &variables[i - 1]))
			return ebpf_fail(err, EINVAL, "section '%s': variable '%s' is there twice", variables[i]->section,
			                 variables[i]->name);
	return 0;
}

/* `type`: its VAR, or NULL. */
static int add_variable(struct ebpf_object *object, const struct ebpf_object_section *section,
                        const struct ebpf_object_symbol *symbol, uint32_t size, const struct ebpf_type *type,
                        struct ebpf_error *err)
{
	struct ebpf_variable_spec *variable = ebpf_spec_new_variable(object->spec, symbol->name);

	if (!variable)
		return ebpf_spec_fail_memory(object->spec, err);
	variable->section = (char *)(uintptr_t)section->name;
	variable->map = section->map;
	variable->offset = (uint32_t)symbol->value;
	variable->size = size;
	variable->type_id = type ? type->type : 0;
	variable->read_only = section->role == EBPF_ROLE_RODATA;
	return type ? ebpf_object_tags(object, type->id, &variable->tags, &variable->tag_count, err) : 0;
}

static int fail_outside(const struct ebpf_object_section *section, const char *name, struct ebpf_error *err)
{
	return ebpf_fail(err, EINVAL, "section '%s': variable '%s' is not within its %llu bytes", section->name, name,
	                 (unsigned long long)section->size);
}

/* One entry of a DATASEC. Compilers write offsets of static variables only and leave zeros for global ones, whose symbols tell. */
static int read_entry(struct ebpf_object *object, uint32_t index, const struct ebpf_secinfo *info, uint32_t *offset,
                      struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[index];
	const struct ebpf_object_symbol *symbol;
	struct ebpf_type variable;
	uint64_t place = info->offset;

	if (!ebpf_btf_type(object->spec->public.btf, info->type, &variable) || variable.kind != BTF_KIND_VAR)
		return ebpf_fail(err, EINVAL, "section '%s': type %u of its DATASEC is not a variable", section->name, info->type);
	symbol = NULL;
	if (ebpf_type_linkage(&variable) == BTF_VAR_GLOBAL) {
		symbol = ebpf_object_variable(object, variable.name, index);
		if (!symbol)
			return ebpf_fail(err, ENOENT, "section '%s': variable '%s' has no symbol", section->name, variable.name);
		place = symbol->value;
	}
	if (place > section->size || info->size > section->size - place)
		return fail_outside(section, variable.name, err);
	*offset = (uint32_t)place;
	if (!symbol || !ebpf_object_symbol_is_visible(symbol))
		return 0;
	section->map->flags |=
	        BPF_F_MMAPABLE; /* there is something to be seen from outside; load drops it where the kernel cannot do it */
	return add_variable(object, section, symbol, info->size, &variable, err);
}

static int read_datasec(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_object_section *section = &object->sections[index];
	struct ebpf_map_impl *map = map_impl(section->map);
	size_t first = object->spec->public.variable_count;
	struct ebpf_type datasec;
	uint32_t *offsets;
	int result = 0;

	/* strings and constants of the compiler's own (.rodata.str1.1) have none */
	if (!ebpf_object_find_datasec(object, section->name, &datasec))
		return 0;
	offsets = ebpf_spec_alloc(object->spec, datasec.vlen, sizeof(*offsets));
	if (!offsets)
		return ebpf_spec_fail_memory(object->spec, err);
	for (uint32_t i = 0; !result && i < datasec.vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&datasec, i);

		result = read_entry(object, index, &info, &offsets[i], err);
	}
	section->datasec = map->public.value_type_id = datasec.id;
	map->offsets = offsets;
	map->offset_count = datasec.vlen;
	return result ? result : sort_variables(object, first, err);
}

/* Without BTF the symbols are all there is. */
static int read_untyped_variables(struct ebpf_object *object, struct ebpf_error *err)
{
	size_t first = object->spec->public.variable_count;
	int result = 0;

	for (uint32_t i = 0; !result && i < object->symbol_count; i++) {
		const struct ebpf_object_symbol *symbol = &object->symbols[i];
		const struct ebpf_object_section *section;

		if (symbol->type != STT_OBJECT || !ebpf_object_symbol_is_visible(symbol) || !*symbol->name ||
		    symbol->section >= object->section_count)
			continue;
		section = &object->sections[symbol->section];
		if (!section->map || section->datasec || section->role == EBPF_ROLE_ARENA)
			continue;
		if (symbol->value > section->size || symbol->size > section->size - symbol->value)
			return fail_outside(section, symbol->name, err);
		result = add_variable(object, section, symbol, (uint32_t)symbol->size, NULL, err);
	}
	return result ? result : sort_variables(object, first, err);
}

/* -- the sections -- */

static int read_data_section(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_object_section *section = &object->sections[index];
	bool own_name =
	        strcmp(section->name, ".data") != 0 && strcmp(section->name, ".rodata") != 0 && section->role != EBPF_ROLE_BSS;
	int result;

	if (section->size > INT32_MAX)
		return ebpf_fail(err, E2BIG, "section '%s': %llu bytes are more than a map's value can have", section->name,
		                 (unsigned long long)section->size);
	section->map = new_data_map(object, section->name, section->size, section->role == EBPF_ROLE_RODATA,
	                            own_name ? section->name : NULL, err);
	if (!section->map)
		return -ENOMEM;
	result = copy_contents(object, section, err);
	return result ? result : read_datasec(object, index, err);
}

int ebpf_object_read_data(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < object->section_count; i++) {
		enum ebpf_section_role role = object->sections[i].role;

		if (role == EBPF_ROLE_DATA || role == EBPF_ROLE_RODATA || role == EBPF_ROLE_BSS)
			result = read_data_section(object, i, err);
	}
	return result ? result : read_untyped_variables(object, err);
}

/* -- .kconfig: a section that exists in the BTF alone -- */

static int place_kconfig(struct ebpf_object *object, struct ebpf_map_spec *map, struct ebpf_error *err)
{
	struct ebpf_table offsets = {0};
	struct ebpf_type datasec, variable;
	uint32_t *places;
	uint64_t offset;
	int result = 0;

	if (!ebpf_object_find_datasec(object, ".kconfig", &datasec))
		return 0;
	places = ebpf_spec_alloc(object->spec, datasec.vlen, sizeof(*places));
	if (!places)
		return ebpf_spec_fail_memory(object->spec, err);
	for (size_t i = 0; !result && i < object->spec->extern_count; i++)
		if (object->spec->externs[i]->kind == EBPF_EXTERN_KCONFIG &&
		    ebpf_table_set(&offsets, object->spec->externs[i]->name, object->spec->externs[i]->offset))
			result = ebpf_fail_memory(err);
	for (uint32_t i = 0; !result && i < datasec.vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&datasec, i);

		if (!ebpf_btf_type(object->spec->public.btf, info.type, &variable) ||
		    !ebpf_table_get(&offsets, variable.name, &offset))
			result = ebpf_fail(err, ENOENT, "section '.kconfig': type %u of its DATASEC has no symbol", info.type);
		else
			places[i] = (uint32_t)offset;
	}
	ebpf_table_free(&offsets);
	map->value_type_id = datasec.id;
	map_impl(map)->offsets = places;
	map_impl(map)->offset_count = datasec.vlen;
	return result;
}

int ebpf_object_read_kconfig_map(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_map_spec *map;

	if (!object->spec->kconfig_size)
		return 0;
	map = new_data_map(object, ".kconfig", object->spec->kconfig_size, true, NULL, err);
	if (!map)
		return -ENOMEM;
	map->flags |= BPF_F_MMAPABLE;
	object->spec->kconfig = map;
	return place_kconfig(object, map, err);
}

/* -- arenas: variables in .addr_space.1 live in the one arena that the object defines -- */

static int read_arena_variables(struct ebpf_object *object, struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[object->arena_section];
	size_t first = object->spec->public.variable_count;
	struct ebpf_type datasec, variable;
	int result = 0;

	if (!ebpf_object_find_datasec(object, section->name, &datasec))
		return 0;
	for (uint32_t i = 0; !result && i < datasec.vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&datasec, i);
		const struct ebpf_object_symbol *symbol;

		if (!ebpf_btf_type(object->spec->public.btf, info.type, &variable) || variable.kind != BTF_KIND_VAR)
			return ebpf_fail(err, EINVAL, "section '%s': type %u of its DATASEC is not a variable", section->name, info.type);
		symbol = ebpf_object_variable(object, variable.name, object->arena_section);
		if (!symbol || !ebpf_object_symbol_is_visible(symbol))
			continue;
		if (symbol->value > section->size || info.size > section->size - symbol->value)
			return fail_outside(section, variable.name, err);
		result = add_variable(object, section, symbol, info.size, &variable, err);
	}
	return result ? result : sort_variables(object, first, err);
}

int ebpf_object_read_arena(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_object_section *section = &object->sections[object->arena_section];
	struct ebpf_map_spec *arena = NULL;
	struct ebpf_map_impl *map;

	for (size_t i = 0; i < object->map_count; i++) {
		if (object->maps[i].map->type != BPF_MAP_TYPE_ARENA)
			continue;
		if (arena)
			return ebpf_fail(err, EINVAL, "map '%s': an object can have one arena only, and '%s' is one already",
			                 object->maps[i].map->name, arena->name);
		arena = object->maps[i].map;
	}
	if (!object->arena_section)
		return 0;
	if (!arena)
		return ebpf_fail(err, ENOENT, "section '%s': it has variables of an arena, but no map of that type is defined",
		                 section->name);
	if (section->size > INT32_MAX)
		return ebpf_fail(err, E2BIG, "section '%s': %llu bytes of variables are more than an arena can have", section->name,
		                 (unsigned long long)section->size);
	section->map = arena;
	map = map_impl(arena);
	map->arena = ebpf_spec_alloc(object->spec, section->size, 1);
	if (!map->arena)
		return ebpf_spec_fail_memory(object->spec, err);
	if (section->bytes.size)
		memcpy(map->arena, section->bytes.data, section->bytes.size);
	map->arena_size = section->size;
	return read_arena_variables(object, err);
}
