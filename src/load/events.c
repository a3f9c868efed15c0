/* events.c -- which kind of buffer the records of a program that can use both go through: a ring buffer, or where the kernel has
 * none (before 5.8), perf buffers.
 *
 * The convention (src/bpf/records.bpf.h, EBPF_EVENTS): beside the ring buffer NAME there is a constant NAME_perf, by which the
 * program chooses the helper. It is 0; who sets it before loading wants perf buffers in any case, and so does who has made the map
 * of the Spec a perf event array, or gives one to be used. NAME_scratch, where the program makes records for perf buffers, is not
 * created without need.
 *
 * The Spec stays as it is: what is created instead is kept beside it, so that it can be loaded for another kernel afterwards. The
 * type of the records goes with the map of either kind.
 */
#include <stdlib.h>

#include "load/load.h"

/* Name and what follows it. */
static bool is_named(const char *name, const char *base, const char *end)
{
	size_t length = strlen(base);

	return !strncmp(name, base, length) && !strcmp(name + length, end);
}

static const struct ebpf_variable_spec *find_marker(const struct ebpf_spec *spec, const struct ebpf_map_spec *map)
{
	bool holds_records = map->type == BPF_MAP_TYPE_RINGBUF || map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;

	for (size_t i = 0; holds_records && i < spec->variable_count; i++) {
		const struct ebpf_variable_spec *variable = spec->variables[i];

		if (variable->read_only && variable->map && variable->map->frozen && variable->size <= sizeof(uint64_t) &&
		    is_named(variable->name, map->name, "_perf"))
			return variable;
	}
	return NULL;
}

static bool is_set(const struct ebpf_variable_spec *marker)
{
	const struct ebpf_map_spec *section = marker->map;

	for (uint64_t i = marker->offset; section->data && i < (uint64_t)marker->offset + marker->size && i < section->value_size;
	     i++)
		if (section->data[i])
			return true;
	return false;
}

static bool wants_perf(struct ebpf_load *load, size_t index, const struct ebpf_variable_spec *marker)
{
	const struct ebpf_map *given = ebpf_load_given(load, index);

	if (given)
		return given->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	return load->spec->maps[index]->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY || is_set(marker) ||
	       !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_RINGBUF);
}

/* A copy of a map of the Spec, to be changed. */
static struct ebpf_map_spec *stand_in(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	struct ebpf_load_map *map = &load->maps[index];

	if (!map->instead) {
		map->instead = malloc(sizeof(*map->instead));
		if (map->instead)
			*map->instead = *load->spec->maps[index];
		else
			ebpf_fail_memory(err);
	}
	return map->instead;
}

/* The constant of this load: its reads become immediates. */
static int set_marker(struct ebpf_load *load, const struct ebpf_variable_spec *marker, bool perf, struct ebpf_error *err)
{
	size_t index = ebpf_load_map_index(load, marker->map);
	struct ebpf_load_map *map = &load->maps[index];
	struct ebpf_map_spec *instead = index < load->spec->map_count ? stand_in(load, index, err) : NULL;
	int result;

	if (!instead)
		return -ENOMEM;
	result = map->constants ? 0 : ebpf_load_keep_constants(map, instead, err);
	if (result < 0)
		return result;
	instead->data = map->constants;
	if (marker->offset > map->constants_size || marker->size > map->constants_size - marker->offset)
		return ebpf_fail(err, EINVAL, "variable '%s': lies outside its section", marker->name);
	memset(map->constants + marker->offset, 0, marker->size);
	map->constants[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? marker->offset + marker->size - 1 : marker->offset] = perf;
	return 0;
}

static int make_perf(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	struct ebpf_map_spec *instead = stand_in(load, index, err);

	if (!instead)
		return -ENOMEM;
	if (instead->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		return 0;
	instead->type = BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	instead->key_size = instead->value_size = sizeof(uint32_t);
	instead->max_entries = 0; /* as many as there are CPUs */
	instead->flags &= BPF_F_NUMA_NODE;
	instead->map_extra = 0;
	return 0;
}

static int leave_out_scratch(struct ebpf_load *load, const struct ebpf_map_spec *map, struct ebpf_error *err)
{
	for (size_t i = 0; i < load->spec->map_count; i++) {
		struct ebpf_map_spec *instead;

		if (!is_named(load->spec->maps[i]->name, map->name, "_scratch"))
			continue;
		instead = stand_in(load, i, err);
		if (!instead)
			return -ENOMEM;
		instead->autocreate = false;
	}
	return 0;
}

bool ebpf_load_is_events(const struct ebpf_load *load, const struct ebpf_map_spec *map)
{
	return find_marker(load->spec, map) != NULL;
}

static int choose(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	const struct ebpf_map_spec *map = load->spec->maps[index];
	const struct ebpf_variable_spec *marker = find_marker(load->spec, map);
	int result;
	bool perf;

	if (!marker)
		return 0;
	perf = wants_perf(load, index, marker);
	result = perf ? make_perf(load, index, err) : leave_out_scratch(load, map, err);
	return result < 0 ? result : set_marker(load, marker, perf, err);
}

int ebpf_load_events(struct ebpf_load *load, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < load->spec->map_count; i++)
		result = choose(load, i, err);
	return result;
}
