/* Maps that are defined in C: a variable in .maps whose struct type says everything, and what its `values` point to. */
#include <stdlib.h>

#include "spec/object.h"

/* -- where maps lie -- */

int ebpf_object_place_map(struct ebpf_object *object, struct ebpf_map_spec *map, uint32_t section, uint64_t offset, uint64_t size,
                          uint32_t type_id, struct ebpf_error *err)
{
	struct ebpf_object_map *maps = ebpf_grow(object->maps, &object->map_capacity, object->map_count, sizeof(*maps));

	if (!maps)
		return ebpf_fail_memory(err);
	object->maps = maps;
	maps[object->map_count++] = (struct ebpf_object_map){
	        .section = section, .offset = offset, .size = size, .map = map, .type_id = type_id};
	return 0;
}

static int compare_maps(const void *a, const void *b)
{
	const struct ebpf_object_map *left = a, *right = b;

	if (left->section != right->section)
		return left->section < right->section ? -1 : 1;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

int ebpf_object_sort_maps(struct ebpf_object *object, struct ebpf_error *err)
{
	const struct ebpf_object_map *maps = object->maps;

	if (object->map_count)
		qsort(object->maps, object->map_count, sizeof(*maps), compare_maps);
	for (size_t i = 1; i < object->map_count; i++)
		if (maps[i].section == maps[i - 1].section && maps[i].offset < maps[i - 1].offset + maps[i - 1].size)
			return ebpf_fail(err, EINVAL, "section '%s': maps '%s' and '%s' overlap",
			                 object->sections[maps[i].section].name, maps[i - 1].map->name, maps[i].map->name);
	return 0;
}

struct ebpf_object_map *ebpf_object_find_map(struct ebpf_object *object, uint32_t section, uint64_t offset)
{
	size_t low = 0, high = object->map_count;
	struct ebpf_object_map *map;

	/* the last that begins at or before the offset */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		map = &object->maps[middle];
		if (map->section < section || (map->section == section && map->offset <= offset))
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	map = &object->maps[low - 1];
	return map->section == section && offset - map->offset < map->size ? map : NULL;
}

/* -- the definition -- */

enum { pin_none, pin_by_name };

/* A definition while its members are read. */
struct definition {
	struct ebpf_object *object;
	struct ebpf_btf *btf;
	struct ebpf_map_spec *map;
	const char *member;
	bool inner; /* the template of a map-in-map */
	bool has_key_size, has_value_size, last;
	uint32_t seen; /* members, by their place in `known` */
	struct ebpf_error *err;
};

static int fail(const struct definition *definition, int code, const char *what)
{
	return ebpf_fail(definition->err, code, "map '%s': member '%s': %s", definition->map->name, definition->member, what);
}

/* __uint(name, value): a pointer to an array of `value` elements. */
static int read_uint(struct definition *definition, uint32_t type_id, uint32_t *out)
{
	struct ebpf_type type;

	if (!ebpf_btf_type(definition->btf, ebpf_btf_resolve(definition->btf, type_id), &type) || type.kind != BTF_KIND_PTR)
		return fail(definition, EINVAL, "it is not a pointer, as __uint() makes it");
	if (!ebpf_btf_type(definition->btf, ebpf_btf_resolve(definition->btf, type.type), &type) || type.kind != BTF_KIND_ARRAY)
		return fail(definition, EINVAL, "it does not point to an array, as __uint() makes it");
	*out = ebpf_type_array(&type).count;
	return 0;
}

/* __ulong(name, value): an enum with one enumerator; __uint() is fine as well. */
static int read_ulong(struct definition *definition, uint32_t type_id, uint64_t *out)
{
	struct ebpf_type type;
	uint32_t small;
	int result;

	if (!ebpf_btf_type(definition->btf, ebpf_btf_resolve(definition->btf, type_id), &type))
		return fail(definition, EINVAL, "its type does not exist");
	if (type.kind == BTF_KIND_ENUM || type.kind == BTF_KIND_ENUM64) {
		if (type.vlen != 1)
			return fail(definition, EINVAL, "its enum does not have exactly one enumerator, as __ulong() makes it");
		*out = (uint64_t)ebpf_type_enumerator(&type, 0).value;
		return 0;
	}
	result = read_uint(definition, type_id, &small);
	if (!result)
		*out = small;
	return result;
}

/* Two members may say the same size, but not two different ones. */
static int set_size(struct definition *definition, uint32_t *field, bool *known, int64_t size)
{
	if (size < 0 || size > UINT32_MAX)
		return fail(definition, EINVAL, "it points to a type without a size");
	if (*known && *field != size)
		return ebpf_fail(definition->err, EINVAL, "map '%s': member '%s' says %lld bytes, but an earlier one said %u",
		                 definition->map->name, definition->member, (long long)size, *field);
	*field = (uint32_t)size;
	*known = true;
	return 0;
}

static int read_size(struct definition *definition, uint32_t type_id, uint32_t *field, bool *known)
{
	uint32_t size = 0;
	int result = read_uint(definition, type_id, &size);

	return result ? result : set_size(definition, field, known, size);
}

/* __type(key, T): a pointer to T. */
static int read_type(struct definition *definition, uint32_t type_id, uint32_t *field, bool *known, uint32_t *field_type)
{
	struct ebpf_type type;
	int result;

	if (!ebpf_btf_type(definition->btf, ebpf_btf_resolve(definition->btf, type_id), &type) || type.kind != BTF_KIND_PTR)
		return fail(definition, EINVAL, "it is not a pointer, as __type() makes it");
	result = set_size(definition, field, known, ebpf_btf_sizeof(definition->btf, type.type));
	if (!result)
		*field_type = type.type;
	return result;
}

static int read_pinning(struct definition *definition, uint32_t type_id)
{
	uint32_t pinning;
	int result;

	if (definition->inner)
		return fail(definition, EINVAL, "an inner map cannot be pinned");
	result = read_uint(definition, type_id, &pinning);
	if (result)
		return result;
	if (pinning > pin_by_name)
		return ebpf_fail(definition->err, EINVAL, "map '%s': pinning %u is neither LIBBPF_PIN_NONE nor LIBBPF_PIN_BY_NAME",
		                 definition->map->name, pinning);
	definition->map->pin_by_name = pinning == pin_by_name;
	return 0;
}

static bool is_map_in_map(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

static int read_definition(struct definition *definition, const struct ebpf_type *type);

static int read_inner(struct definition *outer, const struct ebpf_type *type)
{
	struct ebpf_spec_impl *spec = outer->object->spec;
	struct ebpf_map_impl *inner = ebpf_spec_alloc(spec, 1, sizeof(*inner));
	size_t length = strlen(outer->map->name);
	struct definition definition = {
	        .object = outer->object, .btf = outer->btf, .map = &inner->public, .inner = true, .err = outer->err};

	if (!inner)
		return ebpf_spec_fail_memory(spec, outer->err);
	inner->spec = spec;
	inner->public.autocreate = true;
	inner->public.section = outer->map->section;
	inner->public.name = ebpf_spec_alloc(spec, length + sizeof(".inner"), 1);
	if (!inner->public.name)
		return ebpf_spec_fail_memory(spec, outer->err);
	memcpy(inner->public.name, outer->map->name, length);
	memcpy(inner->public.name + length, ".inner", sizeof(".inner"));
	outer->map->inner = &inner->public;
	return read_definition(&definition, type);
}

/* __array(values, T): an array of no length of pointers to T, the struct that defines the inner maps or a program's prototype. */
static int read_values(struct definition *definition, uint32_t type_id)
{
	bool programs = definition->map->type == BPF_MAP_TYPE_PROG_ARRAY;
	struct ebpf_btf *btf = definition->btf;
	struct ebpf_type type;
	int result;

	if (definition->inner)
		return fail(definition, ENOTSUP, "inner maps cannot be maps of maps themselves");
	if (!definition->last)
		return fail(definition, EINVAL, "it must be the last member");
	if (!programs && !is_map_in_map(definition->map->type))
		return fail(definition, ENOTSUP, "only maps of maps and program arrays have values (and `type` must come before)");
	result = set_size(definition, &definition->map->value_size, &definition->has_value_size, 4);
	if (result)
		return result;
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, type_id), &type) || type.kind != BTF_KIND_ARRAY ||
	    ebpf_type_array(&type).count)
		return fail(definition, EINVAL, "it is not an array of no length, as __array() makes it");
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, ebpf_type_array(&type).element), &type) || type.kind != BTF_KIND_PTR ||
	    !ebpf_btf_type(btf, ebpf_btf_resolve(btf, type.type), &type))
		return fail(definition, EINVAL, "its elements are not pointers");
	if (type.kind != (programs ? BTF_KIND_FUNC_PROTO : BTF_KIND_STRUCT))
		return fail(definition, EINVAL,
		            programs ? "its elements do not point to functions"
		                     : "its elements do not point to a map's definition");
	return programs ? 0 : read_inner(definition, &type);
}

enum {
	MEMBER_TYPE,
	MEMBER_KEY,
	MEMBER_VALUE,
	MEMBER_KEY_SIZE,
	MEMBER_VALUE_SIZE,
	MEMBER_MAX_ENTRIES,
	MEMBER_MAP_FLAGS,
	MEMBER_NUMA_NODE,
	MEMBER_MAP_EXTRA,
	MEMBER_PINNING,
	MEMBER_VALUES,
	MEMBER_COUNT
};
static const char *const members[MEMBER_COUNT] = {"type",      "key",       "value",     "key_size", "value_size", "max_entries",
                                                  "map_flags", "numa_node", "map_extra", "pinning",  "values"};

/* C has no two members of one name; telling so bounds what a definition can cost. */
static int find_member(struct definition *definition)
{
	const char *nearest;
	int i = 0;

	while (i < MEMBER_COUNT && strcmp(definition->member, members[i]) != 0)
		i++;
	if (i == MEMBER_COUNT) {
		nearest = ebpf_nearest(definition->member, members, MEMBER_COUNT);
		fail(definition, ENOTSUP, "unknown");
		if (nearest)
			ebpf_hint(definition->err, "did you mean '%s'?", nearest);
		return -ENOTSUP;
	}
	if (definition->seen & 1U << i)
		return fail(definition, EINVAL, "it is there twice");
	definition->seen |= 1U << i;
	return i;
}

static int read_member(struct definition *definition, const struct ebpf_member *member)
{
	struct ebpf_map_spec *map = definition->map;
	uint32_t type = member->type;
	int which;

	definition->member = member->name;
	which = find_member(definition);
	switch (which) {
	case MEMBER_TYPE:
		return read_uint(definition, type, &map->type);
	case MEMBER_KEY:
		return read_type(definition, type, &map->key_size, &definition->has_key_size, &map->key_type_id);
	case MEMBER_VALUE:
		return read_type(definition, type, &map->value_size, &definition->has_value_size, &map->value_type_id);
	case MEMBER_KEY_SIZE:
		return read_size(definition, type, &map->key_size, &definition->has_key_size);
	case MEMBER_VALUE_SIZE:
		return read_size(definition, type, &map->value_size, &definition->has_value_size);
	case MEMBER_MAX_ENTRIES:
		return read_uint(definition, type, &map->max_entries);
	case MEMBER_MAP_FLAGS:
		return read_uint(definition, type, &map->flags);
	case MEMBER_NUMA_NODE:
		return read_uint(definition, type, &map->numa_node);
	case MEMBER_MAP_EXTRA:
		return read_ulong(definition, type, &map->map_extra);
	case MEMBER_PINNING:
		return read_pinning(definition, type);
	case MEMBER_VALUES:
		return read_values(definition, type);
	default:
		return which;
	}
}

/* Maps without values of their own may say a type for what passes through them: __type(value, struct event). The kernel wants no
 * size for a ring buffer and an arena, and 4 for a perf event array. */
static void keep_type_alone(struct ebpf_map_spec *map)
{
	if (!map->value_type_id)
		return;
	if (map->type == BPF_MAP_TYPE_RINGBUF || map->type == BPF_MAP_TYPE_USER_RINGBUF || map->type == BPF_MAP_TYPE_ARENA)
		map->value_size = 0;
	else if (map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		map->value_size = 4;
}

static int read_definition(struct definition *definition, const struct ebpf_type *type)
{
	int result;

	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_member member = ebpf_type_member(type, i);

		definition->last = i + 1 == type->vlen;
		result = read_member(definition, &member);
		if (result)
			return result;
	}
	if (definition->map->type == BPF_MAP_TYPE_UNSPEC)
		return ebpf_fail(definition->err, EINVAL, "map '%s': its definition does not say its type", definition->map->name);
	keep_type_alone(definition->map);
	return 0;
}

/* -- the section -- */

static int read_variable(struct ebpf_object *object, uint32_t type_id, const struct ebpf_secinfo *info, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	const struct ebpf_object_symbol *symbol;
	struct ebpf_map_spec *map;
	struct ebpf_type variable, type;

	if (!ebpf_btf_type(btf, info->type, &variable) || variable.kind != BTF_KIND_VAR || !*variable.name)
		return ebpf_fail(err, EINVAL, "section '.maps': type %u of its DATASEC %u is not a variable", info->type, type_id);
	if (ebpf_type_linkage(&variable) != BTF_VAR_GLOBAL) {
		ebpf_fail(err, ENOTSUP, "map '%s': its variable is %s", variable.name,
		          ebpf_type_linkage(&variable) == BTF_VAR_STATIC ? "static" : "declared but not defined");
		ebpf_hint(err, "a map must be a global variable: remove 'static' or 'extern' from its definition");
		return -ENOTSUP;
	}
	symbol = ebpf_object_variable(object, variable.name, object->maps_section);
	if (!symbol)
		return ebpf_fail(err, ENOENT, "map '%s': no symbol of that name in section '.maps'", variable.name);
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, variable.type), &type) || type.kind != BTF_KIND_STRUCT)
		return ebpf_fail(err, EINVAL, "map '%s': its type is not a struct", variable.name);
	if (type.size > info->size || symbol->value > object->sections[object->maps_section].size ||
	    info->size > object->sections[object->maps_section].size - symbol->value)
		return ebpf_fail(err, EINVAL, "map '%s': its variable (%u bytes) crosses the end of its section", variable.name,
		                 info->size);
	map = ebpf_spec_new_map(object->spec, symbol->name);
	if (!map)
		return ebpf_spec_fail_memory(object->spec, err);
	map->section = object->sections[object->maps_section].name;
	if (ebpf_object_tags(object, variable.id, &map->tags, &map->tag_count, err))
		return -ENOMEM;
	struct definition definition = {.object = object, .btf = btf, .map = map, .err = err};
	int result = read_definition(&definition, &type);
	return result ? result : ebpf_object_place_map(object, map, object->maps_section, symbol->value, info->size, type.id, err);
}

int ebpf_object_read_maps(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	struct ebpf_type datasec;
	int64_t id;
	int result = 0;

	if (!object->maps_section)
		return 0;
	id = btf ? ebpf_btf_find_kind(btf, ".maps", BTF_KIND_DATASEC) : -ENOENT;
	if (id < 0 || !ebpf_btf_type(btf, (uint32_t)id, &datasec)) {
		ebpf_fail(err, ENOENT, "section '.maps': the object has no types (BTF) that describe its maps");
		ebpf_hint(err, "compile with -g");
		return -ENOENT;
	}
	for (uint32_t i = 0; !result && i < datasec.vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&datasec, i);

		result = read_variable(object, datasec.id, &info, err);
	}
	return result;
}

/* -- values: relocations of the section, one for each slot that is filled -- */

int ebpf_object_add_value(struct ebpf_object *object, struct ebpf_map_spec *map, uint32_t *capacity, uint32_t index,
                          const char *name, struct ebpf_error *err)
{
	struct ebpf_map_value *values = map->values;

	if (map->value_count == *capacity) {
		uint32_t more = *capacity ? *capacity * 2 : 4;

		values = ebpf_spec_alloc(object->spec, more, sizeof(*values));
		if (!values)
			return ebpf_spec_fail_memory(object->spec, err);
		if (map->value_count)
			memcpy(values, map->values, map->value_count * sizeof(*values));
		map->values = values;
		*capacity = more;
	}
	values[map->value_count++] = (struct ebpf_map_value){index, (char *)(uintptr_t)name};
	return 0;
}

/* Offset of `values` within the definition's struct, or -1. */
static int64_t values_offset(struct ebpf_object *object, const struct ebpf_object_map *map)
{
	struct ebpf_member member;
	struct ebpf_type type;

	if (!ebpf_btf_type(object->spec->public.btf, map->type_id, &type) || !type.vlen)
		return -1;
	member = ebpf_type_member(&type, type.vlen - 1U);
	return strcmp(member.name, "values") ? -1 : (int64_t)(member.bit_offset / 8);
}

static const char *value_name(struct ebpf_object *object, const struct ebpf_object_map *map,
                              const struct ebpf_relocation *relocation, struct ebpf_error *err)
{
	const struct ebpf_object_symbol *symbol = relocation->symbol;
	const struct ebpf_object_piece *piece;
	const struct ebpf_object_map *target;

	if (map->map->type == BPF_MAP_TYPE_PROG_ARRAY) {
		piece = ebpf_object_find_piece(object, symbol->section, symbol->value);
		for (; piece && piece->alias && &object->symbols[piece->symbol] != symbol; piece--)
			;
		if (piece && piece->program)
			return piece->program->name;
		ebpf_fail(err, EINVAL, "map '%s': its value '%s' is not a program", map->map->name,
		          ebpf_object_symbol_name(object, symbol));
		return NULL;
	}
	target = ebpf_object_find_map(object, symbol->section, symbol->value);
	if (symbol->section == object->maps_section && symbol->type != STT_SECTION && target && target->offset == symbol->value)
		return target->map->name;
	ebpf_fail(err, EINVAL, "map '%s': its value '%s' is not a map in section '.maps'", map->map->name,
	          ebpf_object_symbol_name(object, symbol));
	return NULL;
}

static int read_value(struct ebpf_object *object, const struct ebpf_relocation *relocation, struct ebpf_map_spec **previous,
                      uint32_t *capacity, struct ebpf_error *err)
{
	struct ebpf_object_map *map = ebpf_object_find_map(object, object->maps_section, relocation->offset);
	const char *name = ebpf_object_symbol_name(object, relocation->symbol);
	int64_t start = map ? values_offset(object, map) : -1;
	uint64_t offset = map ? relocation->offset - map->offset : 0;

	if (!map)
		return ebpf_fail(err, EINVAL, "section '.maps': a relocation against '%s' at %llu is in no map", name,
		                 (unsigned long long)relocation->offset);
	if (start < 0 || offset < (uint64_t)start || (offset - (uint64_t)start) % 8 || offset + 8 > map->size)
		return ebpf_fail(err, EINVAL, "map '%s': '%s' is assigned to something other than an element of `values`",
		                 map->map->name, name);
	if (map->map->type == BPF_MAP_TYPE_HASH_OF_MAPS && map->map->key_size != 4)
		return ebpf_fail(err, EINVAL, "map '%s': a hash of maps with `values` needs keys of 4 bytes, not %u",
		                 map->map->name, map->map->key_size);
	name = value_name(object, map, relocation, err);
	if (!name)
		return -EINVAL;
	if (*previous != map->map) { /* relocations are sorted, so a map's come together */
		*previous = map->map;
		*capacity = 0;
	}
	return ebpf_object_add_value(object, map->map, capacity, (uint32_t)((offset - (uint64_t)start) / 8), name, err);
}

/* What a definition says is in its type; bytes that are not zero would be ignored. */
static int check_zero(struct ebpf_object *object, const struct ebpf_relocation *relocations, size_t count, struct ebpf_error *err)
{
	struct ebpf_span bytes = object->sections[object->maps_section].bytes;
	const struct ebpf_object_map *map;
	size_t next = 0;

	for (size_t i = 0; i < bytes.size; i++) {
		while (next < count && relocations[next].offset + 8 <= i)
			next++;
		if (!bytes.data[i] || (next < count && relocations[next].offset <= i))
			continue;
		map = ebpf_object_find_map(object, object->maps_section, i);
		return ebpf_fail(err, ENOTSUP,
		                 "map '%s': its definition is initialised with bytes that are not zero, which has no meaning",
		                 map ? map->map->name : "?");
	}
	return 0;
}

int ebpf_object_read_map_values(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_relocation *relocations;
	struct ebpf_map_spec *previous = NULL;
	uint32_t capacity = 0;
	size_t count;
	int result;

	if (!object->maps_section)
		return 0;
	result = ebpf_object_relocations(object, object->maps_section, &relocations, &count, err);
	if (!result)
		result = check_zero(object, relocations, count, err);
	for (size_t i = 0; !result && i < count; i++)
		result = i && relocations[i].offset == relocations[i - 1].offset
		                 ? ebpf_fail(err, EINVAL, "section '.maps': two relocations at %llu",
		                             (unsigned long long)relocations[i].offset)
		                 : read_value(object, &relocations[i], &previous, &capacity, err);
	return result;
}
