/* arena.c -- an arena (6.9): memory that programs and user space share at the same addresses, and the variables of section
 * .addr_space.1, which live in it.
 */
#include <unistd.h>

#include "load/load.h"

/* The last pages hold the variables, so that address 0 of the arena is no variable's; where the kernel cannot address them there,
 * the first. */
static uint64_t place_of(struct ebpf_load *load, const struct ebpf_map_impl *spec, size_t memory_size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size = (spec->arena_size + page - 1) / page * page;

	return ebpf_kernel_supports(load->kernel, EBPF_FEATURE_WIDE_OFFSETS) ? memory_size - size : 0;
}

int ebpf_load_arena(struct ebpf_load *load, struct ebpf_map_spec *public, struct ebpf_load_map *map, struct ebpf_error *err)
{
	const struct ebpf_map_impl *spec = map_impl(public);
	bool writable;
	void *memory;
	size_t size;
	int result = ebpf_map_memory(map->map, &memory, &size, &writable, err);

	if (result < 0) {
		if (result == -EINVAL && map->map->reused)
			ebpf_hint(err, "it lies at the addresses of the process that made it; give it addresses of its own (map_extra)");
		return result;
	}
	if (!spec->arena_size)
		return 0;
	if (spec->arena_size > size) {
		ebpf_fail(err, E2BIG, "map '%s': its %zu bytes are too few for the %zu of its variables", public->name, size, spec->arena_size);
		ebpf_hint(err, "max_entries is its size in pages");
		return -E2BIG;
	}
	map->arena_offset = (uint32_t)place_of(load, spec, size);
	if (map->map->reused || map->given)
		return 0;
	if (public->flags & BPF_F_SEGV_ON_FAULT) {
		ebpf_fail(err, ENOTSUP, "map '%s': an arena with BPF_F_SEGV_ON_FAULT cannot have variables: only programs make its pages",
			  public->name);
		return -ENOTSUP;
	}
	memcpy((uint8_t *)memory + map->arena_offset, spec->arena, spec->arena_size);
	return 0;
}
