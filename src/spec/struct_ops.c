/* struct_ops: each variable of a .struct_ops section is a map whose value is the struct; members that are functions name programs.
 */
#include "spec/object.h"

static int read_variable(struct ebpf_object *object, uint32_t index, const struct ebpf_secinfo *info, struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[index];
	struct ebpf_btf *btf = object->spec->public.btf;
	const struct ebpf_object_symbol *symbol;
	struct ebpf_type variable, type;
	struct ebpf_map_spec *map;

	if (!ebpf_btf_type(btf, info->type, &variable) || variable.kind != BTF_KIND_VAR || !*variable.name)
		return ebpf_fail(err, EINVAL, "section '%s': type %u of its DATASEC is not a variable", section->name, info->type);
	symbol = ebpf_object_variable(object, variable.name, index);
	if (!symbol) {
		ebpf_fail(err, ENOENT, "struct_ops '%s': no global symbol of that name in section '%s'", variable.name,
		          section->name);
		ebpf_hint(err, "remove 'static' from its definition");
		return -ENOENT;
	}
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, variable.type), &type) || type.kind != BTF_KIND_STRUCT || !*type.name)
		return ebpf_fail(err, EINVAL, "struct_ops '%s': its type is not a struct with a name", variable.name);
	if (symbol->value > section->size || type.size > section->size - symbol->value)
		return ebpf_fail(err, EINVAL, "struct_ops '%s': it crosses the end of section '%s'", variable.name, section->name);
	map = ebpf_spec_new_map(object->spec, symbol->name);
	if (!map || !ebpf_memory_charge(&object->spec->memory, type.size))
		return ebpf_spec_fail_memory(object->spec, err);
	if (ebpf_object_tags(object, variable.id, &map->tags, &map->tag_count, err))
		return -ENOMEM;
	map->section = section->name + (*section->name == '?');
	map->autocreate = *section->name != '?';
	map->autoattach = true;
	map->type = BPF_MAP_TYPE_STRUCT_OPS;
	map->key_size = 4;
	map->value_size = type.size;
	map->max_entries = 1;
	map->flags = strcmp(map->section, ".struct_ops.link") ? 0 : BPF_F_LINK;
	map->value_type_id = type.id;
	map->data = ebpf_object_copy(section->bytes, symbol->value, type.size);
	if (!map->data)
		return ebpf_fail_memory(err);
	map_impl(map)->data_size = type.size;
	return ebpf_object_place_map(object, map, index, symbol->value, type.size, type.id, err);
}

static int read_section(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_type datasec;
	int result = 0;

	if (!ebpf_object_find_datasec(object, object->sections[index].name, &datasec)) {
		ebpf_fail(err, ENOENT, "section '%s': the object has no types (BTF) that describe it",
		          object->sections[index].name);
		ebpf_hint(err, "compile with -g");
		return -ENOENT;
	}
	for (uint32_t i = 0; !result && i < datasec.vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&datasec, i);

		result = read_variable(object, index, &info, err);
	}
	return result;
}

int ebpf_object_read_struct_ops(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < object->section_count; i++)
		if (object->sections[i].role == EBPF_ROLE_STRUCT_OPS)
			result = read_section(object, i, err);
	return result;
}

/* -- members -- */

static bool is_function_pointer(const struct ebpf_btf *btf, uint32_t type_id)
{
	struct ebpf_type type;

	return ebpf_btf_type(btf, ebpf_btf_resolve(btf, type_id), &type) && type.kind == BTF_KIND_PTR &&
	       ebpf_btf_type(btf, ebpf_btf_resolve(btf, type.type), &type) && type.kind == BTF_KIND_FUNC_PROTO;
}

/* Members are in the order of their offsets, except that members of a union would share one. */
static int64_t find_member(const struct ebpf_type *type, uint64_t offset)
{
	uint32_t low = 0, high = type->vlen;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ebpf_type_member(type, middle).bit_offset < offset * 8)
			low = middle + 1;
		else
			high = middle;
	}
	return low < type->vlen && ebpf_type_member(type, low).bit_offset == offset * 8 ? (int64_t)low : -1;
}

static int read_member(struct ebpf_object *object, const struct ebpf_relocation *relocation, const struct ebpf_object_map *map,
                       uint32_t *capacity, struct ebpf_error *err)
{
	struct ebpf_span bytes = object->sections[map->section].bytes;
	const struct ebpf_object_symbol *symbol = relocation->symbol;
	struct ebpf_btf *btf = object->spec->public.btf;
	const struct ebpf_object_piece *piece;
	struct ebpf_type type;
	uint64_t addend = 0;
	int64_t member = -1;

	if (ebpf_btf_type(btf, map->type_id, &type))
		member = find_member(&type, relocation->offset - map->offset);
	if (member < 0)
		return ebpf_fail(err, EINVAL, "struct_ops '%s': no member at offset %llu, where '%s' is assigned", map->map->name,
		                 (unsigned long long)(relocation->offset - map->offset), ebpf_object_symbol_name(object, symbol));
	if (!is_function_pointer(btf, ebpf_type_member(&type, (uint32_t)member).type))
		return ebpf_fail(
		        err, EINVAL, "struct_ops '%s': member '%s' is not a pointer to a function, yet '%s' is assigned to it",
		        map->map->name, ebpf_type_member(&type, (uint32_t)member).name, ebpf_object_symbol_name(object, symbol));
	if (symbol->type == STT_SECTION) /* a static function: the place is in the data */
		ebpf_span_u64(bytes, relocation->offset, &addend);
	piece = ebpf_object_find_piece(object, symbol->section, symbol->value + addend);
	if (!piece || !piece->program || piece->program->type != BPF_PROG_TYPE_STRUCT_OPS)
		return ebpf_fail(err, EINVAL, "struct_ops '%s': '%s', assigned to member '%s', is not a struct_ops program",
		                 map->map->name, ebpf_object_symbol_name(object, symbol),
		                 ebpf_type_member(&type, (uint32_t)member).name);
	return ebpf_object_add_value(object, map->map, capacity, (uint32_t)member, piece->program->name, err);
}

static int read_members(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_relocation *relocations;
	struct ebpf_object_map *map, *previous = NULL;
	uint32_t capacity = 0;
	size_t count;
	int result = ebpf_object_relocations(object, index, &relocations, &count, err);

	for (size_t i = 0; !result && i < count; i++) {
		map = ebpf_object_find_map(object, index, relocations[i].offset);
		if (!map)
			return ebpf_fail(err, EINVAL, "section '%s': a relocation against '%s' is in no variable",
			                 object->sections[index].name, ebpf_object_symbol_name(object, relocations[i].symbol));
		if (map != previous) {
			previous = map;
			capacity = 0;
		}
		result = read_member(object, &relocations[i], map, &capacity, err);
	}
	return result;
}

int ebpf_object_read_struct_ops_members(struct ebpf_object *object, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < object->section_count; i++)
		if (object->sections[i].role == EBPF_ROLE_STRUCT_OPS)
			result = read_members(object, i, err);
	return result;
}

/* -- editing: which programs stand for a map's functions -- */

/* The number of a member that is a pointer to a function, or -1. */
static int64_t find_function(const struct ebpf_map_spec *map, const char *name)
{
	const struct ebpf_map_impl *impl = map_impl((struct ebpf_map_spec *)(uintptr_t)map);
	struct ebpf_btf *btf = impl->spec->public.btf;
	struct ebpf_type type;

	if (map->type != BPF_MAP_TYPE_STRUCT_OPS || !btf || !ebpf_btf_type(btf, map->value_type_id, &type) ||
	    type.kind != BTF_KIND_STRUCT)
		return -1;
	for (uint32_t i = 0; i < type.vlen; i++) {
		struct ebpf_member member = ebpf_type_member(&type, i);

		if (!strcmp(member.name, name))
			return is_function_pointer(btf, member.type) ? (int64_t)i : -1;
	}
	return -1;
}

bool ebpf_map_spec_get_function(const struct ebpf_map_spec *map, const char *member, const char **program)
{
	int64_t index = find_function(map, member);

	*program = NULL;
	for (size_t i = 0; index >= 0 && i < map->value_count; i++)
		if (map->values[i].index == index)
			*program = map->values[i].name;
	return index >= 0;
}

static bool is_assigned(const struct ebpf_spec *spec, const char *program)
{
	for (size_t i = 0; i < spec->map_count; i++)
		for (size_t k = 0; spec->maps[i]->type == BPF_MAP_TYPE_STRUCT_OPS && k < spec->maps[i]->value_count; k++)
			if (!strcmp(spec->maps[i]->values[k].name, program))
				return true;
	return false;
}

static void remove_value(struct ebpf_map_spec *map, uint32_t index)
{
	struct ebpf_spec *spec = &map_impl(map)->spec->public;
	struct ebpf_program_spec *program;
	size_t at = 0;

	while (at < map->value_count && map->values[at].index != index)
		at++;
	if (at == map->value_count)
		return;
	program = ebpf_spec_find_program(spec, map->values[at].name);
	memmove(&map->values[at], &map->values[at + 1], (map->value_count - at - 1) * sizeof(*map->values));
	map->value_count--;
	/* the kernel takes no struct_ops program that is no member of anything */
	if (program && !is_assigned(spec, program->name))
		program->autoload = false;
}

/* Values are sorted by their index, and may lie in memory that is exactly as large as they need. */
static int insert_value(struct ebpf_map_spec *map, uint32_t index, char *program, struct ebpf_error *err)
{
	struct ebpf_map_value *values = ebpf_spec_alloc(map_impl(map)->spec, map->value_count + 1, sizeof(*values));
	size_t at = 0;

	if (!values)
		return ebpf_spec_fail_memory(map_impl(map)->spec, err);
	while (at < map->value_count && map->values[at].index < index)
		at++;
	for (size_t i = 0; i < map->value_count; i++)
		values[i + (i >= at)] = map->values[i];
	values[at] = (struct ebpf_map_value){ index, program };
	map->values = values;
	map->value_count++;
	return 0;
}

int ebpf_map_spec_set_function(struct ebpf_map_spec *map, const char *member, const char *name, struct ebpf_error *err)
{
	struct ebpf_program_spec *program = NULL;
	int64_t index = find_function(map, member);

	if (index < 0)
		return ebpf_fail(err, ENOENT, "map '%s': its struct has no function '%s'", map->name, member);
	if (name) {
		program = ebpf_spec_find_program(&map_impl(map)->spec->public, name);
		if (!program)
			return ebpf_fail(err, ENOENT, "map '%s': member '%s': there is no program '%s'", map->name, member, name);
		if (program->type != BPF_PROG_TYPE_STRUCT_OPS) {
			ebpf_fail(err, EINVAL, "map '%s': member '%s': program '%s' is not a struct_ops program", map->name, member, name);
			ebpf_hint(err, "put it in SEC(\"struct_ops\")");
			return -EINVAL;
		}
	}
	remove_value(map, (uint32_t)index);
	if (!program)
		return 0;
	program->autoload = true;
	return insert_value(map, (uint32_t)index, program->name, err);
}
