/* rules.h -- what the kernel wants of each type of map: one row per type (rules.c).
 *
 * Nothing is refused by these rules. They fill in what a spec may leave out, and they explain a refusal of the kernel's: first the row is
 * compared with what was asked; where it finds nothing, smaller and smaller maps are tried until one is taken, and the member that had to give way
 * is the one that was wrong.
 */
#ifndef EBPF_MAP_RULES_H
#define EBPF_MAP_RULES_H

#include "map/map.h"

enum ebpf_map_entries {
	EBPF_ENTRIES_SOME,   /* at least 1 */
	EBPF_ENTRIES_NONE,   /* 0 */
	EBPF_ENTRIES_RING,   /* bytes: a power of two, whole pages */
	EBPF_ENTRIES_ONE,
};
struct ebpf_map_rule {
	uint32_t type;
	const char *since;
	uint32_t key_min, key_max, value_min, value_max; /* 0, 0: must be 0 */
	uint32_t value_unit;                             /* must be a multiple of this; 0 = any */
	enum ebpf_map_entries entries;
	uint32_t flags;                                  /* must be set */
	enum { EBPF_MAP_NEEDS_NOTHING, EBPF_MAP_NEEDS_BTF, EBPF_MAP_NEEDS_INNER } needs;
};
/* NULL for a type without a row. */
const struct ebpf_map_rule *ebpf_map_rule(uint32_t type);
/* Fills err for a BPF_MAP_CREATE that ended with `code`, and returns it. */
int ebpf_map_explain(struct ebpf_kernel *kernel, const char *name, const union bpf_attr *attr, int code, struct ebpf_error *err);

#endif
