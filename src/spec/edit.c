/* Changing a Spec: maps made by hand, sections, sizes, variables. Programs made by hand: block.c. */
#include <stdlib.h>

#include "spec/spec.h"

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

int ebpf_map_spec_set_value_type(struct ebpf_map_spec *map, uint32_t type_id, struct ebpf_error *err)
{
	bool is_stream = map->type == BPF_MAP_TYPE_RINGBUF || map->type == BPF_MAP_TYPE_USER_RINGBUF ||
	                 map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	struct ebpf_btf *btf = map_impl(map)->spec->public.btf;
	int64_t size = btf && type_id ? ebpf_btf_sizeof(btf, type_id) : -EINVAL;

	if (map->data)
		return ebpf_fail(err, EINVAL, "map '%s': its type is that of its section's variables", map->name);
	if (size < 0)
		return ebpf_fail(err, EINVAL, "map '%s': type %u of the object has no size", map->name, type_id);
	if (!is_stream && size != map->value_size)
		return ebpf_fail(err, EINVAL, "map '%s': its values have %u bytes, but that type %lld", map->name, map->value_size,
		                 (long long)size);
	map->value_type_id = type_id;
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
