/* Maps in the old form: a variable in section maps (or maps/...) whose bytes are the definition, a row of 32-bit numbers. libbpf
 * read them until its 1.0; tc of iproute2 has a longer row of its own, and finds tail calls in sections "ID/INDEX". */
#include <stdio.h>
#include <stdlib.h>

#include "spec/object.h"

enum { TYPE, KEY_SIZE, VALUE_SIZE, MAX_ENTRIES, FLAGS, KNOWN, ID = KNOWN, PINNING, INNER_ID, INNER_INDEX, NUMBERS };
/* iproute2's row ended with the pinning once. PIN_NONE, PIN_OBJECT_NS, PIN_GLOBAL_NS */
enum { shortest = KNOWN * 4, iproute2_short = (PINNING + 1) * 4, iproute2_long = NUMBERS * 4, largest_pinning = 2 };

bool ebpf_object_is_legacy_maps(const char *section)
{
	return !strncmp(section, "maps", 4) && (!section[4] || section[4] == '/');
}

/* Types of key and value, as BPF_ANNOTATE_KV_PAIR(name, key, value) told them: the members of struct ____btf_map_<name>. */
static int read_types(struct ebpf_object *object, struct ebpf_map_spec *map, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	struct ebpf_type type;
	char *name;
	int64_t id;

	if (!btf)
		return 0;
	id = ebpf_btf_find_kind(btf, map->name, BTF_KIND_VAR);
	if (id > 0 && ebpf_object_tags(object, (uint32_t)id, &map->tags, &map->tag_count, err))
		return -ENOMEM;
	name = ebpf_sprintf("____btf_map_%s", map->name);
	if (!name)
		return ebpf_fail_memory(err);
	id = ebpf_btf_find_kind(btf, name, BTF_KIND_STRUCT);
	free(name);
	if (id < 0 || !ebpf_btf_type(btf, (uint32_t)id, &type) || type.vlen != 2)
		return 0;
	if (ebpf_btf_sizeof(btf, ebpf_type_member(&type, 0).type) != map->key_size ||
	    ebpf_btf_sizeof(btf, ebpf_type_member(&type, 1).type) != map->value_size)
		return 0;
	map->key_type_id = ebpf_type_member(&type, 0).type;
	map->value_type_id = ebpf_type_member(&type, 1).type;
	return 0;
}

/* What is behind the flags: iproute2's numbers, or nothing that means anything. */
static int read_rest(const struct ebpf_object_section *section, const struct ebpf_object_symbol *symbol, uint64_t size,
                     struct ebpf_map_spec *map, uint32_t numbers[NUMBERS], struct ebpf_error *err)
{
	uint8_t byte = 0;

	if (size == iproute2_short || size == iproute2_long) {
		for (int i = KNOWN; i < (int)(size / 4); i++)
			ebpf_span_u32(section->bytes, symbol->value + (uint64_t)i * 4, &numbers[i]);
		if (numbers[PINNING] > largest_pinning)
			return ebpf_fail(err, ENOTSUP, "map '%s': pinning %u is none of iproute2's", map->name, numbers[PINNING]);
		map->pin_by_name = numbers[PINNING] != 0;
		return 0;
	}
	for (uint64_t at = shortest; at < size; at++) {
		ebpf_span_u8(section->bytes, symbol->value + at, &byte);
		if (byte)
			return ebpf_fail(err, ENOTSUP, "map '%s': its definition has %llu bytes, and what they mean beyond the first %d is not known",
			                 map->name, (unsigned long long)size, shortest);
	}
	return 0;
}

static int read_definition(struct ebpf_object *object, uint32_t index, const struct ebpf_object_symbol *symbol, uint64_t size,
                           struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[index];
	struct ebpf_map_spec *map;
	uint32_t numbers[NUMBERS] = {[INNER_INDEX] = UINT32_MAX};
	int result;

	if (size < shortest || symbol->value > section->bytes.size || size > section->bytes.size - symbol->value)
		return ebpf_fail(err, EINVAL, "map '%s': its definition in section '%s' is cut: %llu bytes at %llu of %zu, %d are needed",
		                 symbol->name, section->name, (unsigned long long)size, (unsigned long long)symbol->value,
		                 section->bytes.size, shortest);
	map = ebpf_spec_new_map(object->spec, symbol->name);
	if (!map)
		return ebpf_spec_fail_memory(object->spec, err);
	for (int i = 0; i < KNOWN; i++)
		ebpf_span_u32(section->bytes, symbol->value + (uint64_t)i * 4, &numbers[i]);
	map->section = section->name;
	map->type = numbers[TYPE];
	map->key_size = numbers[KEY_SIZE];
	map->value_size = numbers[VALUE_SIZE];
	map->max_entries = numbers[MAX_ENTRIES];
	map->flags = numbers[FLAGS];
	if (map->type == BPF_MAP_TYPE_UNSPEC)
		return ebpf_fail(err, EINVAL, "map '%s': its definition in section '%s' does not say its type", map->name, section->name);
	result = read_rest(section, symbol, size, map, numbers, err);
	if (!result)
		result = read_types(object, map, err);
	if (!result)
		result = ebpf_object_place_map(object, map, index, symbol->value, size, 0, err);
	if (!result && (size == iproute2_short || size == iproute2_long)) {
		object->maps[object->map_count - 1].id = numbers[ID];
		object->maps[object->map_count - 1].inner_id = numbers[INNER_ID];
		object->maps[object->map_count - 1].inner_index = numbers[INNER_INDEX];
	}
	return result;
}

/* Old compilers give a map's symbol no size: then the maps share the section. */
static int read_section(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[index];
	uint64_t share = 0, count = 0;
	int result = 0;

	for (uint32_t i = 1; i < object->symbol_count; i++)
		count += object->symbols[i].section == index && *object->symbols[i].name && object->symbols[i].type <= STT_OBJECT;
	if (count && section->size % count == 0)
		share = section->size / count;
	for (uint32_t i = 1; !result && i < object->symbol_count; i++) {
		const struct ebpf_object_symbol *symbol = &object->symbols[i];

		if (symbol->section == index && *symbol->name && symbol->type <= STT_OBJECT) /* NOTYPE or OBJECT */
			result = read_definition(object, index, symbol, symbol->size ? symbol->size : share, err);
	}
	return result;
}

int ebpf_object_read_legacy_maps(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < object->section_count; i++)
		if (object->sections[i].role == EBPF_ROLE_LEGACY_MAPS)
			result = read_section(object, i, err);
	return result;
}

/* -- what iproute2's ids connect -- */

static struct ebpf_object_map *find_id(struct ebpf_object *object, uint32_t id)
{
	for (size_t i = 0; id && i < object->map_count; i++)
		if (object->maps[i].id == id)
			return &object->maps[i];
	return NULL;
}

static int connect_inner(struct ebpf_object *object, const struct ebpf_object_map *outer, struct ebpf_error *err)
{
	const struct ebpf_object_map *inner = find_id(object, outer->inner_id);
	uint32_t capacity = 0;

	if (!inner || inner == outer)
		return ebpf_fail(err, EINVAL, "map '%s': there is no map with the id %u, of its inner maps", outer->map->name,
		                 outer->inner_id);
	outer->map->inner = inner->map;
	if (inner->inner_index == UINT32_MAX)
		return 0;
	return ebpf_object_add_value(object, outer->map, &capacity, inner->inner_index, inner->map->name, err);
}

static int compare_values(const void *a, const void *b)
{
	const struct ebpf_map_value *left = a, *right = b;

	return left->index < right->index ? -1 : left->index > right->index;
}

/* "1/2": the program belongs at index 2 of the program array with the id 1, and is of tc's usual type. */
static int connect_tail_call(struct ebpf_object *object, struct ebpf_program_spec *program, struct ebpf_error *err)
{
	const struct ebpf_object_map *map;
	struct ebpf_map_spec *array;
	uint32_t capacity, id, index;
	char end;

	if (program->type || sscanf(program->section, "%u/%u%c", &id, &index, &end) != 2)
		return 0;
	map = find_id(object, id);
	array = map ? map->map : NULL;
	if (!array || array->type != BPF_MAP_TYPE_PROG_ARRAY)
		return 0;
	program->type = BPF_PROG_TYPE_SCHED_CLS;
	program->autoattach = false;
	capacity = (uint32_t)array->value_count; /* grows by one each time: there are few */
	return ebpf_object_add_value(object, array, &capacity, index, program->name, err);
}

int ebpf_object_connect_legacy_maps(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; !result && i < object->map_count; i++)
		if (object->maps[i].inner_id)
			result = connect_inner(object, &object->maps[i], err);
	for (size_t i = 0; !result && i < object->spec->public.program_count; i++)
		result = connect_tail_call(object, object->spec->public.programs[i], err);
	for (size_t i = 0; !result && i < object->map_count; i++)
		if (object->maps[i].id && object->maps[i].map->value_count > 1)
			qsort(object->maps[i].map->values, object->maps[i].map->value_count, sizeof(struct ebpf_map_value), compare_values);
	return result;
}
