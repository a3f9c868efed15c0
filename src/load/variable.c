/* variable.c -- global variables of a running collection: in mapped memory, or by copies of the whole section where it
 * cannot be mapped. */
#include <stdlib.h>

#include "load/load.h"

static bool lies_within(const struct ebpf_variable *variable, size_t size)
{
	return variable->offset <= size && variable->size <= size - variable->offset;
}

/* Where the variable is in memory, or NULL: a map without BPF_F_MMAPABLE, a section with locks or timers, no address
 * space. Then the way by copies is left. */
static uint8_t *mapped(const struct ebpf_variable *variable, bool *writable)
{
	void *memory;
	size_t size;

	if (ebpf_map_memory(variable->map, &memory, &size, writable, NULL) < 0 || !lies_within(variable, size))
		return NULL;
	return (uint8_t *)memory + variable->offset;
}

/* The whole section, malloc'ed. */
static uint8_t *copy_section(const struct ebpf_variable *variable, int *code, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	uint8_t *section;

	if (!lies_within(variable, ebpf_map_value_size(variable->map))) {
		*code = ebpf_fail(err, EINVAL, "variable '%s': lies outside its map '%s'", variable->name,
				  ebpf_map_name(variable->map));
		return NULL;
	}
	section = malloc(ebpf_map_lookup_size(variable->map));
	if (!section) {
		*code = ebpf_fail_memory(err);
		return NULL;
	}
	*code = ebpf_map_lookup(variable->map, &zero, section, 0, err);
	if (*code < 0) {
		ebpf_wrap(err, *code, "variable '%s'", variable->name);
		free(section);
		return NULL;
	}
	return section;
}

int ebpf_variable_get(const struct ebpf_variable *variable, void *data, struct ebpf_error *err)
{
	bool writable;
	uint8_t *bytes = mapped(variable, &writable), *section;
	int code = 0;

	if (bytes) {
		memcpy(data, bytes, variable->size);
		return 0;
	}
	section = copy_section(variable, &code, err);
	if (!section)
		return code;
	memcpy(data, section + variable->offset, variable->size);
	free(section);
	return 0;
}

/* What programs write to other variables of the section between our reading and writing it is lost; there is no finer
 * access. */
static int set_by_copy(const struct ebpf_variable *variable, const void *data, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	int code = 0;
	uint8_t *section = copy_section(variable, &code, err);

	if (!section)
		return code;
	memcpy(section + variable->offset, data, variable->size);
	code = ebpf_map_update(variable->map, &zero, section, EBPF_EXIST, err);
	free(section);
	return code < 0 ? ebpf_wrap(err, code, "variable '%s'", variable->name) : 0;
}

int ebpf_variable_set(const struct ebpf_variable *variable, const void *data, struct ebpf_error *err)
{
	bool writable = false;
	uint8_t *bytes = variable->read_only ? NULL : mapped(variable, &writable);

	if (!variable->read_only && !bytes)
		return set_by_copy(variable, data, err);
	if (bytes && writable) {
		memcpy(bytes, data, variable->size);
		return 0;
	}
	ebpf_fail(err, EPERM, "variable '%s': it is constant since the programs were loaded", variable->name);
	ebpf_hint(err, "set it in the Spec, before loading");
	return -EPERM;
}
