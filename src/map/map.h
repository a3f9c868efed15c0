/* map.h -- a map in the kernel: its descriptor, what is known of its types, and its operations.
 *
 * A struct ebpf_map owns its descriptor, keeps its context (and the BTF it came with) alive, and owns its layouts. Counted references.
 * Values of per-CPU maps are cpu_count pieces of value_size rounded up to 8.
 *
 * Layouts are made from the types when they are first asked for. Where a map holds records instead of values (ring buffers and perf event arrays,
 * whose value_size says nothing), the value's type, if one is declared, is that of the records.
 * Creation is tried first; when the kernel refuses, rules.c finds the member of the spec that it minded.
 * Not here: filling a map with what the Spec has for it, and deciding whether a pinned one is used (load).
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
	struct ebpf_layout *key_layout, *value_layout; /* or NULL: read them through the functions */
	bool layouts_made;            /* the types have been looked at, with whatever result */
	struct ebpf_btf *btf;         /* of the object, or NULL */
	uint32_t key_type_id, value_type_id; /* in btf */
	void *memory; size_t memory_size; bool memory_writable; /* mapped data section or array, made on demand */
	bool autoattach;              /* struct_ops: attached with its collection */
	uint8_t *struct_ops_value;    /* struct_ops: what registers it when it is written into it; malloc'ed, or NULL */
	char *pin_path;               /* where it is pinned, as far as we know: by us, or opened from there; else NULL */
	void *detail;                 /* what a kind of link keeps with the map, freed with it */
	bool frozen, reused;          /* reused: an existing pinned or given map; contents are left alone */
};
/* What only the loader knows at creation. */
struct ebpf_map_extra {
	int inner_fd;                 /* map-in-map: an open map of the inner kind; 0 = one is made from spec->inner and thrown away */
	int btf_fd;                   /* BTF that describes key and value, loaded by the loader; else 0 */
	uint32_t btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	int value_type_btf_fd;        /* the module's that btf_vmlinux_value_type_id is in (6.9), with BPF_F_VTYPE_BTF_OBJ_FD; else 0 */
	struct ebpf_btf *btf;         /* the Spec's, for layouts and record types */
};
/* A spec that leaves open what has one right answer gets it: sizes of types that have but one, flags that a type cannot be without, 0 for the sizes
 * of ring buffers with a declared record, the number of CPUs for perf event arrays without max_entries, and at most that for cpumaps; a ring buffer's size is rounded up to what the kernel takes. BTF
 * that the kernel does not want for this map is left away, unless a struct_ops type depends on it. `extra` may be NULL. */
int ebpf_map_create_with(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_extra *extra,
			 struct ebpf_map **out, struct ebpf_error *err);
/* 0 when an existing map may stand for the spec; EEXIST names every field that differs, with both values. */
int ebpf_map_compatible(struct ebpf_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err);
/* The types of key and value (0 = unknown) in `btf`, instead of those that the map had: layouts will be made of them. References btf. */
void ebpf_map_set_types(struct ebpf_map *map, struct ebpf_btf *btf, uint32_t key_type_id, uint32_t value_type_id);

bool ebpf_map_takes_types(uint32_t type); /* the kernel accepts BTF for key and value */

/* -- within the room -- */

/* A handle on `fd`, which it takes over, also on failure. */
int ebpf_map_adopt(struct ebpf_kernel *kernel, int fd, const char *name, struct ebpf_map **out, struct ebpf_error *err);
/* The number of CPUs where the type has a value for each, else 0. */
int ebpf_map_cpus_of(struct ebpf_kernel *kernel, uint32_t type, uint32_t *out, struct ebpf_error *err);
/* The members of BPF_MAP_CREATE that a spec stands for, with the omissions above filled in; name, BTF and inner map are left 0. */
int ebpf_map_attributes(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, union bpf_attr *attr, struct ebpf_error *err);
/* BTF for a type of map that needs it and was given none; 0 and nothing in *out where there is no need. */
int ebpf_map_default_types(struct ebpf_kernel *kernel, const union bpf_attr *attr, struct ebpf_map_extra *extra,
			   struct ebpf_btf_object **out, struct ebpf_error *err);
bool ebpf_map_type_holds_maps(uint32_t type);
bool ebpf_map_is_percpu_type(uint32_t type);
/* Maps of records: ring buffers and perf event arrays. */
bool ebpf_map_type_is_stream(uint32_t type);
const char *ebpf_map_type_name(uint32_t type); /* "type 99" is "unknown" */

#endif
