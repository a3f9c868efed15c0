/* map.h -- a map in the kernel: its descriptor, what is known of its types, and its operations.
 *
 * A struct ebpf_map owns its descriptor, keeps its context (and the BTF it came with) alive, and owns its layouts. Counted references.
 * Values of per-CPU maps are cpu_count pieces of value_size rounded up to 8.
 */
#ifndef EBPF_MAP_H
#define EBPF_MAP_H

#include "kernel/kernel.h"

struct ebpf_map {
	unsigned refs;
	int fd;
	struct ebpf_kernel *kernel;
	char *name;                   /* as in the object, not cut to the kernel's 15 characters */
	uint32_t type, key_size, value_size, max_entries, flags, numa_node;
	uint64_t map_extra;
	uint32_t cpu_count;           /* per-CPU types: possible CPUs; else 0 */
	struct ebpf_layout *key_layout, *value_layout; /* or NULL */
	struct ebpf_btf *btf;         /* of the object, or NULL */
	uint32_t key_type_id, value_type_id; /* in btf */
	void *memory; size_t memory_size; bool memory_writable; /* mapped data section or array, made on demand */
	char *pin_path;               /* where we pinned it, or NULL */
	bool frozen, reused;          /* reused: an existing pinned or given map; contents are left alone */
};
/* What only the loader knows at creation. */
struct ebpf_map_extra {
	int inner_fd;                 /* map-in-map: an open map of the inner kind; else 0 */
	int btf_fd;                   /* BTF that describes key and value, loaded by the loader; else 0 */
	uint32_t btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	struct ebpf_btf *btf;         /* the Spec's, for layouts and record types */
};
int ebpf_map_create_with(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_extra *extra,
			 struct ebpf_map **out, struct ebpf_error *err);
/* Maps an array of BPF_F_MMAPABLE into memory once; ENOTSUP where that cannot be. Read-only when the map is frozen or .rodata. */
int ebpf_map_memory(struct ebpf_map *map, void **memory, size_t *size, bool *writable, struct ebpf_error *err);
/* 0 when an existing map may stand for the spec; EEXIST names the first field that differs, with both values. */
int ebpf_map_compatible(struct ebpf_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err);

#endif
