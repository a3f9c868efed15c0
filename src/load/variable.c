/* variable.c -- global variables of a running collection: in mapped memory, or by copies of the whole section where it cannot be mapped. */
#include <stdlib.h>

#include "load/load.h"

static int check(const struct ebpf_variable *variable, size_t size, struct ebpf_error *err)
{
	if (variable->offset <= size && variable->size <= size - variable->offset)
		return 0;
	return ebpf_fail(err, EINVAL, "variable '%s': lies outside its map '%s'", variable->name, ebpf_map_name(variable->map));
}

/* 0 and memory, or -ENOTSUP (err not filled) when the map has none. */
static int mapped(const struct ebpf_variable *variable, uint8_t **bytes, bool *writable, struct ebpf_error *err)
{
	struct ebpf_error why = { 0 };
	void *memory;
	size_t size;
	int result = ebpf_map_memory(variable->map, &memory, &size, writable, &why);

	/* any failure to map (no BPF_F_MMAPABLE, a section with locks or timers, no address space) leaves the way by copies */
	ebpf_error_clear(&why);
	if (result < 0)
		return -ENOTSUP;
	result = check(variable, size, err);
	if (result == 0)
		*bytes = (uint8_t *)memory + variable->offset;
	return result;
}

/* The whole section, malloc'ed. */
static int copy_section(const struct ebpf_variable *variable, uint8_t **out, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	uint8_t *section;
	int result = check(variable, ebpf_map_value_size(variable->map), err);

	if (result < 0)
		return result;
	section = malloc(ebpf_map_lookup_size(variable->map));
	if (!section)
		return ebpf_fail_memory(err);
	result = ebpf_map_lookup(variable->map, &zero, section, 0, err);
	if (result < 0) {
		free(section);
		return ebpf_wrap(err, result, "variable '%s'", variable->name);
	}
	*out = section;
	return 0;
}

int ebpf_variable_get(const struct ebpf_variable *variable, void *data, struct ebpf_error *err)
{
	uint8_t *bytes, *section;
	bool writable;
	int result = mapped(variable, &bytes, &writable, err);

	if (result == 0)
		memcpy(data, bytes, variable->size);
	if (result != -ENOTSUP)
		return result;
	result = copy_section(variable, &section, err);
	if (result < 0)
		return result;
	memcpy(data, section + variable->offset, variable->size);
	free(section);
	return 0;
}

/* What programs write to other variables of the section between our reading and writing it is lost; there is no finer access. */
static int set_by_copy(const struct ebpf_variable *variable, const void *data, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	uint8_t *section;
	int result = copy_section(variable, &section, err);

	if (result < 0)
		return result;
	memcpy(section + variable->offset, data, variable->size);
	result = ebpf_map_update(variable->map, &zero, section, EBPF_EXIST, err);
	free(section);
	return result < 0 ? ebpf_wrap(err, result, "variable '%s'", variable->name) : 0;
}

int ebpf_variable_set(const struct ebpf_variable *variable, const void *data, struct ebpf_error *err)
{
	uint8_t *bytes;
	bool writable = false;
	int result;

	if (!variable->read_only) {
		result = mapped(variable, &bytes, &writable, err);
		if (result == -ENOTSUP)
			return set_by_copy(variable, data, err);
		if (result < 0)
			return result;
		if (writable) {
			memcpy(bytes, data, variable->size);
			return 0;
		}
	}
	ebpf_fail(err, EPERM, "variable '%s': it is constant since the programs were loaded", variable->name);
	ebpf_hint(err, "set it in the Spec, before loading");
	return -EPERM;
}
