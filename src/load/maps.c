/* maps.c -- the maps of a collection: given by the caller, found pinned, or created; data sections filled and frozen;
 * initial values. */
#include <stdlib.h>

#include "load/load.h"

bool ebpf_load_is_data(const struct ebpf_map_spec *spec)
{
	return spec->type == BPF_MAP_TYPE_ARRAY && spec->section && spec->section[0] == '.' &&
	       !ebpf_starts_with(spec->section, ".maps");
}

size_t ebpf_load_map_index(const struct ebpf_load *load, const struct ebpf_map_spec *map)
{
	size_t index = 0;

	while (index < load->spec->map_count && load->spec->maps[index] != map)
		index++;
	return index;
}

static struct ebpf_map_extra types_of(struct ebpf_load *load, uint32_t map_type, uint32_t key, uint32_t value)
{
	struct ebpf_map_extra extra = { .btf = load->spec->btf };

	if (load->btf_fd > 0 && (key || value) && ebpf_map_takes_types(map_type)) {
		extra.btf_fd = load->btf_fd;
		extra.btf_key_type_id = key;
		extra.btf_value_type_id = value;
	}
	return extra;
}

/* The template of a map-in-map: it shows the kernel how inner maps are, their types included (locks and timers in a
 * value are part of that). */
static int create_inner(struct ebpf_load *load, const struct ebpf_map_spec *outer, const struct ebpf_load_map *map,
			struct ebpf_map **out, struct ebpf_error *err)
{
	struct ebpf_map_extra extra;
	int result;

	if (!outer->inner) {
		ebpf_fail(err, EINVAL, "map '%s': create: nothing says what its inner maps are", outer->name);
		ebpf_hint(err, "declare them: __array(values, struct { ... }), or set `inner`");
		return -EINVAL;
	}
	if (ebpf_map_type_holds_maps(outer->inner->type))
		return ebpf_fail(err, EINVAL, "map '%s': create: the kernel does not allow maps of maps of maps",
				 outer->name);
	extra = types_of(load, outer->inner->type, map->inner_key_type, map->inner_value_type);
	result = ebpf_map_create_with(load->kernel, outer->inner, &extra, out, err);
	return result < 0 ? ebpf_wrap(err, result, "map '%s': template of its inner maps", outer->name) : 0;
}

static int create_plain(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_load_map *map,
			struct ebpf_error *err)
{
	struct ebpf_map_extra extra = types_of(load, spec->type, map->key_type, map->value_type);
	struct ebpf_map *inner = NULL;
	int result;

	if (ebpf_map_type_holds_maps(spec->type)) {
		result = create_inner(load, spec, map, &inner, err);
		if (result < 0)
			return result;
		extra.inner_fd = ebpf_map_fd(inner);
	}
	result = ebpf_map_create_with(load->kernel, spec, &extra, &map->map, err);
	ebpf_map_close(inner);
	return result;
}

static bool all_zero(const uint8_t *data, size_t size)
{
	return !size || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

static int fill_and_freeze(struct ebpf_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	int result = 0;

	/* a new array is zero already */
	if (spec->data && !all_zero(spec->data, spec->value_size))
		result = ebpf_map_update(map, &zero, spec->data, EBPF_ANY, err);
	if (result == 0 && spec->frozen)
		result = ebpf_map_freeze(map, err);
	return result;
}

/* BPF_F_MMAPABLE (5.5) lets user space reach the variables in memory; where the kernel does not know it, they are
 * copied. */
static int create_section(struct ebpf_load *load, const struct ebpf_map_spec *asked, struct ebpf_load_map *map,
			  struct ebpf_error *err)
{
	const struct ebpf_map_extra extra = types_of(load, asked->type, 0, map->value_type);
	struct ebpf_map_spec spec = *asked;
	int result = -EINVAL;

	if (!ebpf_kernel_lacks(load->kernel, EBPF_FEATURE_MMAP)) {
		spec.flags |= BPF_F_MMAPABLE;
		result = ebpf_map_create_with(load->kernel, &spec, &extra, &map->map, err);
	}
	if (result == -EINVAL && !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_MMAP)) {
		ebpf_error_clear(err);
		/* an array of one element any kernel makes; whether programs can have its address is another matter */
		if (!ebpf_kernel_supports(load->kernel, EBPF_FEATURE_GLOBAL_DATA))
			return ebpf_fail(err, ENOTSUP, "map '%s': no global variables", spec.name);
		spec.flags &= ~BPF_F_MMAPABLE;
		result = ebpf_map_create_with(load->kernel, &spec, &extra, &map->map, err);
	}
	if (result == 0)
		result = fill_and_freeze(map->map, &spec, err);
	if (result < 0) {
		ebpf_map_close(map->map);
		map->map = NULL;
	}
	return result;
}

int ebpf_load_keep_constants(struct ebpf_load_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err)
{
	map->constants = calloc(1, spec->value_size ? spec->value_size : 1);
	if (!map->constants)
		return ebpf_fail_memory(err);
	if (spec->data)
		memcpy(map->constants, spec->data, spec->value_size);
	map->constants_size = spec->value_size;
	return 0;
}

/* A kernel without global data (before 5.2) refuses some part of it. That is an error for the programs that refer to
 * the section, not for others: compilers leave sections behind that nothing uses. Constants are known without a map. */
static int create_data(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_load_map *map,
		       struct ebpf_error *err)
{
	struct ebpf_error why = { 0 };
	int result = -ENOTSUP;

	if (!ebpf_kernel_lacks(load->kernel, EBPF_FEATURE_GLOBAL_DATA)) {
		result = create_section(load, spec, map, &why);
		if (result == 0)
			return 0;
	}
	if (!ebpf_kernel_supports(load->kernel, EBPF_FEATURE_GLOBAL_DATA)) {
		ebpf_error_clear(&why);
		map->no_global_data = true;
		return spec->frozen && !map->constants ? ebpf_load_keep_constants(map, spec, err) : 0;
	}
	ebpf_error_move(err, &why);
	return result;
}

static int create_kconfig(struct ebpf_load *load, const struct ebpf_map_spec *asked, struct ebpf_load_map *map,
			  struct ebpf_error *err)
{
	struct ebpf_map_spec spec = *asked;
	int result;

	spec.frozen = true;
	spec.data = calloc(1, spec.value_size ? spec.value_size : 1);
	if (!spec.data)
		return ebpf_fail_memory(err);
	result = ebpf_load_kconfig(load, spec.data, spec.value_size, err);
	if (result == 0)
		result = create_data(load, &spec, map, err);
	free(spec.data);
	return result;
}

static int create(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_load_map *map,
		  struct ebpf_error *err)
{
	if (spec == spec_impl(load->spec)->kconfig)
		return create_kconfig(load, spec, map, err);
	if (spec->type == BPF_MAP_TYPE_STRUCT_OPS)
		return ebpf_load_struct_ops_map(load, spec, map, err);
	return ebpf_load_is_data(spec) ? create_data(load, spec, map, err) : create_plain(load, spec, map, err);
}

/* -- maps that exist already -- */

/* BPF_F_MMAPABLE is ours to add or not: a section that another loader or an older kernel pinned without it will do. */
static int check_compatible(struct ebpf_map *map, const struct ebpf_map_spec *asked, struct ebpf_error *err)
{
	struct ebpf_map_spec spec = *asked;

	if (ebpf_load_is_data(&spec))
		spec.flags = (spec.flags & ~BPF_F_MMAPABLE) | (map->flags & BPF_F_MMAPABLE);
	return ebpf_map_compatible(map, &spec, err);
}

/* Gives a pinned map the name and the types that the object has for it. */
static int adopt(struct ebpf_load *load, struct ebpf_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err)
{
	char *name = ebpf_strdup(spec->name);

	if (!name)
		return ebpf_fail_memory(err);
	free(map->name);
	map->name = name;
	map->reused = true;
	if (load->spec->btf)
		ebpf_map_set_types(map, load->spec->btf, spec->key_type_id, spec->value_type_id);
	return 0;
}

/* 0 and a map, or -ENOENT (err not filled) when nothing is pinned there. */
static int open_pinned(struct ebpf_load *load, const struct ebpf_map_spec *spec, const char *path,
		       struct ebpf_map **out, struct ebpf_error *err)
{
	bool may_be_either = ebpf_load_is_events(load, spec);
	struct ebpf_error why = { 0 };
	struct ebpf_map *map = NULL;
	int result = ebpf_map_open_pinned(load->kernel, path, &map, &why);

	if (result == -ENOENT) {
		ebpf_error_clear(&why);
		return result;
	}
	if (result == 0)
		result = check_compatible(map, spec, &why);
	if (result == 0)
		result = adopt(load, map, spec, &why);
	if (result < 0) {
		ebpf_map_close(map);
		ebpf_error_move(err, &why);
		/* what is pinned may have vanished meanwhile; ENOENT must not read as "nothing is pinned" */
		result = ebpf_wrap(err, result == -ENOENT ? ESTALE : result, "map '%s': use what is pinned at %s",
				   spec->name, path);
		if (result == -EEXIST)
			ebpf_hint(err, "remove %s, or choose another pin directory, or make the declaration agree%s", path,
				  may_be_either ? "; by EBPF_EVENTS it is a ring buffer where the kernel has such, else perf buffers" : "");
		return result;
	}
	*out = map;
	return 0;
}

/* One look, and a new map pinned if there is none; `raced` when another loader pinned one in between. */
static int open_or_create(struct ebpf_load *load, const struct ebpf_map_spec *spec, const char *path,
			  struct ebpf_load_map *map, bool *raced, struct ebpf_error *err)
{
	int result = open_pinned(load, spec, path, &map->map, err);

	if (result != -ENOENT)
		return result;
	result = create(load, spec, map, err);
	if (result < 0 || !map->map)
		return result;
	result = ebpf_map_pin(map->map, path, err);
	if (result == 0) {
		map->pinned_now = true;
	} else {
		ebpf_map_close(map->map);
		map->map = NULL;
		*raced = result == -EEXIST;
	}
	return result;
}

/* A BPF file system has no names with dots, as data sections have them; libbpf pins those so, too. */
static char *pin_path(const struct ebpf_load *load, const struct ebpf_map_spec *spec)
{
	const char *dir = load->options.pin_dir ? load->options.pin_dir : "/sys/fs/bpf";
	char *path = ebpf_sprintf("%s/%s", dir, spec->name);

	for (char *at = path ? path + strlen(dir) : NULL; at && *at; at++)
		if (*at == '.')
			*at = '_';
	return path;
}

static int create_pinned(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_load_map *map,
			 struct ebpf_error *err)
{
	char *path = pin_path(load, spec);
	struct ebpf_error why = { 0 };
	bool raced = true;
	int result = 0;

	if (!path)
		return ebpf_fail_memory(err);
	/* whoever pinned the name first has the map: then a second look finds it */
	for (int attempt = 0; raced && attempt < 3; attempt++) {
		raced = false;
		ebpf_error_clear(&why);
		result = open_or_create(load, spec, path, map, &raced, &why);
	}
	if (result < 0)
		ebpf_error_move(err, &why);
	free(path);
	return result;
}

struct ebpf_map *ebpf_load_given(const struct ebpf_load *load, size_t index)
{
	const struct ebpf_load_options *options = &load->options;

	/* a data section has two names */
	for (size_t i = 0; i < options->replacement_count; i++)
		if (options->replacements[i].name && ebpf_spec_find_map(load->spec, options->replacements[i].name) == load->spec->maps[index])
			return options->replacements[i].map;
	return NULL;
}

static int check_replacements(const struct ebpf_load *load, struct ebpf_error *err)
{
	for (size_t i = 0; i < load->options.replacement_count; i++) {
		const struct ebpf_map_replacement *replacement = &load->options.replacements[i];

		if (!replacement->name || !replacement->map)
			return ebpf_fail(err, EINVAL, "replacement %zu: name or map is missing", i);
		if (!ebpf_spec_find_map(load->spec, replacement->name))
			return ebpf_fail(err, ENOENT, "map '%s': replace: object '%s' has no such map",
					 replacement->name, load->spec->name);
	}
	return 0;
}

static int get_map(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	struct ebpf_load_map *map = &load->maps[index];
	const struct ebpf_map_spec *spec = map->instead ? map->instead : load->spec->maps[index];
	struct ebpf_map *given = ebpf_load_given(load, index);
	int result;

	if (given) {
		result = check_compatible(given, spec, err);
		if (result < 0)
			return ebpf_wrap(err, result, "map '%s': replace", spec->name);
		map->map = ebpf_map_ref(given);
		map->given = true;
		return 0;
	}
	/* who names the programs to load may leave out those of a table, and with them the table */
	if (!spec->autocreate || (load->options.programs && spec->type == BPF_MAP_TYPE_STRUCT_OPS &&
				  !ebpf_load_struct_ops_complete(load, spec)))
		return 0;
	return spec->pin_by_name ? create_pinned(load, spec, map, err) : create(load, spec, map, err);
}

static int make_map(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	struct ebpf_map_spec *spec = load->spec->maps[index];
	struct ebpf_load_map *map = &load->maps[index];
	int result = get_map(load, index, err);

	/* one that was there before has its own */
	if (map->constants && (map->given || (map->map && map->map->reused))) {
		free(map->constants);
		map->constants = NULL;
	}
	return result == 0 && map->map && spec->type == BPF_MAP_TYPE_ARENA ? ebpf_load_arena(load, spec, map, err) : result;
}

int ebpf_load_maps(struct ebpf_load *load, struct ebpf_error *err)
{
	int result = check_replacements(load, err);

	for (size_t i = 0; result == 0 && i < load->spec->map_count; i++)
		result = make_map(load, i, err);
	return result;
}

void ebpf_load_unpin(struct ebpf_load *load)
{
	for (size_t i = 0; i < load->spec->map_count; i++)
		if (load->maps[i].pinned_now)
			ebpf_map_unpin(load->maps[i].map, NULL);
}

/* -- initial elements that are maps and programs -- */

static int value_fd(const struct ebpf_load *load, const struct ebpf_map_spec *spec, const char *name,
		    struct ebpf_error *err)
{
	if (spec->type == BPF_MAP_TYPE_PROG_ARRAY) {
		const struct ebpf_program *program = ebpf_collection_program(load->collection, name);

		if (program)
			return ebpf_program_fd(program);
		ebpf_fail(err, ENOENT, "program '%s' was not loaded", name);
		ebpf_hint(err, "name it among the programs to load, or set its autoload");
		return -ENOENT;
	}
	for (size_t i = 0; i < load->spec->map_count; i++)
		if (load->maps[i].map && !strcmp(load->spec->maps[i]->name, name))
			return ebpf_map_fd(load->maps[i].map);
	return ebpf_fail(err, ENOENT, "map '%s' was not created", name);
}

static int set_value(const struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_map *map,
		     const struct ebpf_map_value *value, struct ebpf_error *err)
{
	uint32_t fd32;
	int fd;

	if (spec->type == BPF_MAP_TYPE_PROG_ARRAY && ebpf_load_is_left_out(load, value->name))
		return 0;
	fd = value_fd(load, spec, value->name, err);
	if (fd >= 0) {
		fd32 = (uint32_t)fd;
		fd = ebpf_map_update(map, &value->index, &fd32, EBPF_ANY, err);
	}
	return fd < 0 ? ebpf_wrap(err, fd, "map '%s': initial element %u ('%s')", spec->name, value->index, value->name)
		      : 0;
}

static int set_values(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_map *map,
		      struct ebpf_error *err)
{
	int result = 0;

	if (map->key_size != sizeof(uint32_t) || map->value_size != sizeof(uint32_t))
		return ebpf_fail(err, EINVAL, "map '%s': initial elements need keys and values of 4 bytes", spec->name);
	for (size_t i = 0; result == 0 && i < spec->value_count; i++)
		result = set_value(load, spec, map, &spec->values[i], err);
	return result;
}

/* What was pinned, or given, keeps its inner maps; a prog array's programs are those of this object in any case. */
int ebpf_load_values(struct ebpf_load *load, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < load->spec->map_count; i++) {
		const struct ebpf_map_spec *spec = load->spec->maps[i];
		struct ebpf_map *map = load->maps[i].map;

		if (!map || !spec->value_count ||
		    (spec->type != BPF_MAP_TYPE_PROG_ARRAY && (map->reused || load->maps[i].given)))
			continue;
		if (spec->type == BPF_MAP_TYPE_STRUCT_OPS)
			result = ebpf_load_struct_ops_value(load, spec, map, err);
		else
			result = set_values(load, spec, map, err);
	}
	return result;
}
