/* struct_ops.c -- tables of functions that the kernel calls (a congestion control, a scheduler): a map whose value is
 * the kernel's struct, with programs in the place of functions.
 *
 * The object's struct is matched to the kernel's member by member, by name, so that an object made for another kernel
 * version loads. Here the map is made, its programs are told which member they are (they are verified by its
 * prototype), and the value is put together. Writing the value into the map is what registers the table, so only a map
 * that is attached by a link (BPF_F_LINK, 6.4) gets it here; for the others it is kept in the map's handle for whoever
 * attaches it.
 */
#include <stdlib.h>

#include "load/load.h"

/* The kernel's types of one table: struct bpf_struct_ops_NAME { ...; struct NAME data; }. */
struct kernel_table {
	struct ebpf_btf *btf;
	int btf_fd;           /* of the module whose table it is; 0 = vmlinux */
	struct ebpf_type value, ops;
	uint32_t data_offset; /* of `data` in the value */
};

static int find_data(struct kernel_table *table, const char *name, struct ebpf_error *err)
{
	int64_t id = ebpf_btf_find_kind(table->btf, name, BTF_KIND_STRUCT);

	if (id > 0 && ebpf_btf_type(table->btf, (uint32_t)id, &table->ops)) {
		for (uint32_t i = 0; i < table->value.vlen; i++) {
			struct ebpf_member member = ebpf_type_member(&table->value, i);

			table->data_offset = member.bit_offset / 8;
			if (member.type == table->ops.id && table->data_offset <= table->value.size &&
			    table->ops.size <= table->value.size - table->data_offset)
				return 0;
		}
	}
	return ebpf_fail(err, EINVAL, "the kernel's struct bpf_struct_ops_%s does not hold a struct %s", name, name);
}

static int find_kernel_table(struct ebpf_load *load, const char *type_name, struct kernel_table *table,
			     struct ebpf_error *err)
{
	char *value_name, *name = ebpf_strndup(type_name, ebpf_essential_length(type_name));
	uint32_t id = 0;
	int result;

	value_name = name ? ebpf_sprintf("bpf_struct_ops_%s", name) : NULL;
	if (!value_name) {
		free(name);
		return ebpf_fail_memory(err);
	}
	result = ebpf_kernel_find_type(load->kernel, value_name, BTF_KIND_STRUCT, &id, &table->btf_fd, err);
	if (result == -ENOENT) {
		ebpf_fail(err, ENOENT, "this kernel has no struct_ops '%s'", name);
		ebpf_hint(err, "it may be of a newer kernel, not built in, or in a module that is not loaded");
	}
	if (result == 0) {
		table->btf = ebpf_load_types_behind(load, table->btf_fd, err);
		result = table->btf && ebpf_btf_type(table->btf, id, &table->value) ? find_data(table, name, err)
										    : -ENOTSUP;
	}
	free(name);
	free(value_name);
	return result;
}

static bool find_member(const struct ebpf_type *type, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < type->vlen; i++)
		if (!strcmp(ebpf_type_member(type, i).name, name)) {
			*index = i;
			return true;
		}
	return false;
}

static int local_table(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_type *out,
		       struct ebpf_error *err)
{
	if (load->spec->btf && spec->value_type_id && ebpf_btf_type(load->spec->btf, spec->value_type_id, out) &&
	    out->kind == BTF_KIND_STRUCT && spec->data && out->size <= spec->value_size)
		return 0;
	return ebpf_fail(err, EINVAL, "its type is not a struct of the object");
}

static const char *program_at(const struct ebpf_map_spec *spec, uint32_t member)
{
	for (size_t i = 0; i < spec->value_count; i++)
		if (spec->values[i].index == member)
			return spec->values[i].name;
	return NULL;
}

static bool all_zero(const uint8_t *data, size_t size)
{
	while (size && !data[size - 1])
		size--;
	return !size;
}

/* -- the value, without its programs -- */

static int copy_member(struct ebpf_load *load, const struct ebpf_map_spec *spec, const struct ebpf_type *local,
		       uint32_t index, const struct kernel_table *table, uint8_t *value, struct ebpf_error *err)
{
	struct ebpf_member member = ebpf_type_member(local, index), target;
	int64_t size = ebpf_btf_sizeof(load->spec->btf, member.type);
	uint32_t from = member.bit_offset / 8, to, which;
	bool is_program = program_at(spec, index) != NULL;
	struct ebpf_type mine, theirs;

	if (size < 0 || from > local->size || (uint64_t)size > local->size - from)
		return ebpf_fail(err, EINVAL, "member '%s' has no size", member.name);
	if (!find_member(&table->ops, member.name, &which)) {
		if (!is_program && all_zero(spec->data + from, (size_t)size))
			return 0;
		ebpf_fail(err, ENOTSUP, "this kernel's struct %s has no member '%s'", table->ops.name, member.name);
		ebpf_hint(err, is_program ? "take the function out before loading: spec.maps.%s.fields.%s = nil" :
					    "set it to zero before loading: spec.maps.%s.fields.%s",
			  spec->name, member.name);
		return -ENOTSUP;
	}
	target = ebpf_type_member(&table->ops, which);
	if (member.bit_size || target.bit_size)
		return ebpf_fail(err, ENOTSUP, "member '%s' is a bit field", member.name);
	if (!ebpf_btf_type(load->spec->btf, ebpf_btf_resolve(load->spec->btf, member.type), &mine) ||
	    !ebpf_btf_type(table->btf, ebpf_btf_resolve(table->btf, target.type), &theirs) ||
	    mine.kind != theirs.kind || (mine.kind != BTF_KIND_PTR && ebpf_btf_sizeof(table->btf, target.type) != size))
		return ebpf_fail(err, ENOTSUP, "this kernel's member '%s' of struct %s is of another type", member.name,
				 table->ops.name);
	to = table->data_offset + target.bit_offset / 8;
	if (mine.kind == BTF_KIND_PTR) /* a program, or nothing: addresses of the object mean nothing to the kernel */
		return 0;
	if ((uint64_t)to + (uint64_t)size > table->value.size)
		return ebpf_fail(err, EINVAL, "the kernel's member '%s' lies outside its struct", member.name);
	memcpy(value + to, spec->data + from, (size_t)size);
	return 0;
}

static int make_value(struct ebpf_load *load, const struct ebpf_map_spec *spec, const struct kernel_table *table,
		      uint8_t **out, struct ebpf_error *err)
{
	struct ebpf_type local = { 0 };
	uint8_t *value;
	int result = local_table(load, spec, &local, err);

	if (result < 0)
		return result;
	value = calloc(1, table->value.size);
	if (!value)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; result == 0 && i < local.vlen; i++)
		result = copy_member(load, spec, &local, i, table, value, err);
	if (result < 0)
		free(value);
	else
		*out = value;
	return result;
}

/* -- the map -- */

bool ebpf_load_struct_ops_complete(const struct ebpf_load *load, const struct ebpf_map_spec *spec)
{
	for (size_t i = 0; i < spec->value_count; i++) {
		size_t k = 0;

		while (k < load->program_count && strcmp(load->programs[k]->name, spec->values[i].name) != 0)
			k++;
		if (k == load->program_count)
			return false;
	}
	return true;
}

int ebpf_load_struct_ops_map(struct ebpf_load *load, const struct ebpf_map_spec *asked, struct ebpf_load_map *map,
			     struct ebpf_error *err)
{
	struct ebpf_map_extra extra = { .btf_fd = load->btf_fd };
	struct ebpf_map_spec spec = *asked;
	bool linked = asked->flags & BPF_F_LINK;
	struct kernel_table table = { 0 };
	struct ebpf_type local = { 0 };
	uint8_t *value = NULL;
	int result = local_table(load, asked, &local, err);

	if (result == 0 && load->btf_fd <= 0)
		result = ebpf_fail(err, ENOTSUP, "the kernel did not take the object's types, which it needs: %s",
				   load->btf_problem[0] ? load->btf_problem : "it has no BTF");
	if (result == 0)
		result = find_kernel_table(load, local.name, &table, err);
	if (result == 0)
		result = make_value(load, asked, &table, &value, err);
	if (result < 0)
		return ebpf_wrap(err, result, "map '%s': create", asked->name);
	spec.value_size = table.value.size;
	extra.btf_vmlinux_value_type_id = table.value.id;
	extra.value_type_btf_fd = table.btf_fd;
	if (table.btf_fd)
		spec.flags |= BPF_F_VTYPE_BTF_OBJ_FD;
	if (!linked || !ebpf_kernel_lacks(load->kernel, EBPF_FEATURE_STRUCT_OPS_LINK))
		result = ebpf_map_create_with(load->kernel, &spec, &extra, &map->map, err);
	else
		result = -EINVAL;
	/* before 6.4 a table is attached without a link, by its element alone */
	if (result == -EINVAL && linked && !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_STRUCT_OPS_LINK)) {
		ebpf_error_clear(err);
		spec.flags &= ~BPF_F_LINK;
		result = ebpf_map_create_with(load->kernel, &spec, &extra, &map->map, err);
	}
	if (result < 0) {
		free(value);
		return result;
	}
	map->map->struct_ops_value = value;
	map->map->autoattach = asked->autoattach;
	return 0;
}

/* -- its programs -- */

/* The member of `spec` that the program is; false when it is none. One program may stand for the same member of several tables. */
static bool member_of(const struct ebpf_map_spec *spec, const struct ebpf_program_spec *program, uint32_t *member)
{
	for (size_t i = 0; spec->type == BPF_MAP_TYPE_STRUCT_OPS && i < spec->value_count; i++)
		if (!strcmp(spec->values[i].name, program->name)) {
			*member = spec->values[i].index;
			return true;
		}
	return false;
}

bool ebpf_load_struct_ops_wanted(const struct ebpf_spec *spec, const struct ebpf_program_spec *program)
{
	bool used = false;
	uint32_t member;

	for (size_t i = 0; i < spec->map_count; i++) {
		if (!member_of(spec->maps[i], program, &member))
			continue;
		if (spec->maps[i]->autocreate)
			return true;
		used = true;
	}
	return !used && program->autoload;
}

static int target_in(struct ebpf_load *load, const struct ebpf_map_spec *spec, uint32_t member, struct kernel_table *table,
		     uint32_t *index, struct ebpf_error *err)
{
	struct ebpf_type local = { 0 };
	int result = local_table(load, spec, &local, err);

	if (result == 0)
		result = find_kernel_table(load, local.name, table, err);
	if (result < 0)
		return result;
	if (member >= local.vlen || !find_member(&table->ops, ebpf_type_member(&local, member).name, index))
		return ebpf_fail(err, ENOTSUP, "this kernel's struct %s has no such member", local.name);
	return 0;
}

int ebpf_load_struct_ops_target(struct ebpf_load *load, const struct ebpf_program_spec *program,
				struct ebpf_program_load *request, struct ebpf_error *err)
{
	for (size_t i = 0; i < load->spec->map_count; i++) {
		const struct ebpf_map_spec *spec = load->spec->maps[i];
		struct kernel_table table = { 0 };
		uint32_t member, index = 0;
		int result;

		if (!load->maps[i].map || !member_of(spec, program, &member))
			continue;
		result = target_in(load, spec, member, &table, &index, err);
		if (result < 0)
			return ebpf_wrap(err, result, "struct_ops map '%s'", spec->name);
		if (request->attach_btf_id && (request->attach_btf_id != table.ops.id || request->attach_btf_fd != table.btf_fd ||
					       request->attach_type != index))
			return ebpf_fail(err, EINVAL, "it is assigned to different members of struct_ops");
		request->attach_btf_id = table.ops.id;
		request->attach_btf_fd = table.btf_fd;
		request->attach_type = index;
	}
	if (request->attach_btf_id)
		return 0;
	ebpf_fail(err, EINVAL, "no struct_ops map that is created refers to it");
	ebpf_hint(err, "assign it to a member of a variable in SEC(\".struct_ops.link\") or SEC(\".struct_ops\"), or "
		       "set its autoload to false");
	return -EINVAL;
}

/* Puts the descriptors of the programs into the value. */
int ebpf_load_struct_ops_value(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_map *map,
			       struct ebpf_error *err)
{
	struct kernel_table table = { 0 };
	struct ebpf_type local = { 0 };
	const uint32_t zero = 0;
	int result = local_table(load, spec, &local, err);

	if (result == 0)
		result = find_kernel_table(load, local.name, &table, err);
	for (size_t i = 0; result == 0 && i < spec->value_count; i++) {
		const struct ebpf_program *program = ebpf_collection_program(load->collection, spec->values[i].name);
		uint32_t index, to;

		if (!program)
			return ebpf_fail(err, ENOENT, "map '%s': program '%s' was not loaded", spec->name,
					 spec->values[i].name);
		if (spec->values[i].index >= local.vlen ||
		    !find_member(&table.ops, ebpf_type_member(&local, spec->values[i].index).name, &index))
			continue;
		to = table.data_offset + ebpf_type_member(&table.ops, index).bit_offset / 8;
		if (to <= map->value_size && sizeof(unsigned long) <= map->value_size - to)
			memcpy(map->struct_ops_value + to, &(unsigned long){ (unsigned long)ebpf_program_fd(program) },
			       sizeof(unsigned long));
	}
	if (result == 0 && (map->flags & BPF_F_LINK))
		result = ebpf_map_update(map, &zero, map->struct_ops_value, EBPF_ANY, err);
	return result < 0 ? ebpf_wrap(err, result, "map '%s'", spec->name) : 0;
}
