/* jumps.c -- jump tables (6.19): an array of instructions for each table that a program's code reads addresses from. The kernel
 * keeps the numbers right while it changes the code; they count from the program's first instruction, so every program has arrays
 * of its own. */
#include <stdlib.h>

#include "load/load.h"

/* The kernel's struct bpf_insn_array_value. */
struct target {
	uint32_t original, translated, jitted, reserved;
};

static int fill(struct ebpf_map *map, const struct ebpf_jump_table *table, uint32_t start, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < table->count; i++) {
		const struct target target = { .original = start + table->targets[i] };

		result = ebpf_map_update(map, &i, &target, EBPF_ANY, err);
	}
	return result == 0 ? ebpf_map_freeze(map, err) : result;
}

static int make_array(struct ebpf_load *load, const struct ebpf_jump_table *table, uint32_t start, struct ebpf_linked *out,
		      struct ebpf_error *err)
{
	struct ebpf_map_spec spec = {
		.name = (char[]){ ".jumptables" },
		.type = BPF_MAP_TYPE_INSN_ARRAY,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(struct target),
		.max_entries = table->count,
	};
	struct ebpf_linked_jumps *jumps = ebpf_grow(out->jumps, &out->jump_capacity, out->jump_count, sizeof(*jumps));
	int result;

	if (!jumps)
		return ebpf_fail_memory(err);
	out->jumps = jumps;
	jumps += out->jump_count;
	*jumps = (struct ebpf_linked_jumps){ .table = table };
	result = ebpf_map_create_with(load->kernel, &spec, NULL, &jumps->map, err);
	if (result < 0)
		return result;
	out->jump_count++;
	return fill(jumps->map, table, start, err);
}

static const struct ebpf_linked_jumps *find(const struct ebpf_linked *linked, const struct ebpf_jump_table *table)
{
	for (size_t i = 0; i < linked->jump_count; i++)
		if (linked->jumps[i].table == table)
			return &linked->jumps[i];
	return NULL;
}

int ebpf_load_jumps(struct ebpf_load *load, const struct ebpf_load_function *lf, struct ebpf_linked *out, struct ebpf_error *err)
{
	for (size_t i = 0; i < lf->function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &lf->function->references[i];
		struct ebpf_insn *insn = &out->insns[lf->start + reference->insn];
		const struct ebpf_linked_jumps *jumps;
		int result = 0;

		if (reference->kind != EBPF_REF_JUMPS)
			continue;
		if (!find(out, reference->jumps))
			result = make_array(load, reference->jumps, lf->start, out, err);
		if (result < 0)
			return ebpf_wrap(err, result, "function '%s': instruction %u: jump table '%s'", lf->function->name, reference->insn,
					 reference->name);
		jumps = find(out, reference->jumps);
		insn[0].src = EBPF_PSEUDO_MAP_VALUE;
		insn[0].imm = ebpf_map_fd(jumps->map);
		insn[1].imm = 0;
	}
	return 0;
}
