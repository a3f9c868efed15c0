/* linker.c -- the code of a program: its own function, then every function that it reaches, once each; all references
 * resolved.
 *
 * What is the same for every program (relocations, descriptors of maps, addresses, kernel functions) is resolved once
 * per function, in a copy that load keeps; only calls between functions depend on where a program has them.
 */
#include <stdlib.h>

#include "load/load.h"

static void poison(struct ebpf_insn *insn, size_t count, int32_t number)
{
	while (count--)
		*insn++ = (struct ebpf_insn){ .code = EBPF_CALL, .imm = number };
}

static void set_wide(struct ebpf_insn *insn, uint8_t src, uint32_t low, uint32_t high)
{
	insn[0].src = src;
	insn[0].off = 0;
	insn[0].imm = (int32_t)low;
	insn[1].imm = (int32_t)high;
}

/* The number of slots that a reference's instruction must have; 0 when it is not an instruction that can carry it. */
static size_t reference_slots(const struct ebpf_function *function, const struct ebpf_spec_reference *reference)
{
	const struct ebpf_insn *insn;

	if (reference->insn >= function->insn_count)
		return 0;
	insn = &function->insns[reference->insn];
	if (insn->code == EBPF_CALL)
		return reference->kind == EBPF_REF_CALL || reference->kind == EBPF_REF_EXTERN ? 1 : 0;
	if (!ebpf_insn_is_wide(insn) || reference->kind == EBPF_REF_CALL || function->insn_count - reference->insn < 2)
		return 0;
	return 2;
}

static const char *reference_name(const struct ebpf_spec_reference *reference)
{
	return reference->name ? reference->name : "?";
}

static int refer_map(struct ebpf_load *load, const struct ebpf_spec_reference *reference, struct ebpf_insn *insn,
		     struct ebpf_error *err)
{
	size_t index = ebpf_load_map_index(load, reference->map);
	const struct ebpf_load_map *map;

	if (index >= load->spec->map_count)
		return ebpf_fail(err, EINVAL, "refers to a map '%s', which this object does not have",
				 reference_name(reference));
	map = &load->maps[index];
	if (map->no_global_data && map->constants) { /* it is not read any more */
		set_wide(insn, 0, 0, 0);
		return 0;
	}
	if (map->no_global_data) {
		ebpf_fail(err, ENOTSUP, "uses global variables (%s), which this kernel does not have",
			  reference->map->name);
		ebpf_hint(err, "global variables need Linux 5.2; on older kernels keep state in maps");
		return -ENOTSUP;
	}
	if (!map->map)
		poison(insn, 2, EBPF_POISON_MAP + (int32_t)index);
	else if (reference->kind == EBPF_REF_MAP)
		set_wide(insn, EBPF_PSEUDO_MAP_FD, (uint32_t)ebpf_map_fd(map->map), 0);
	else
		set_wide(insn, EBPF_PSEUDO_MAP_VALUE, (uint32_t)ebpf_map_fd(map->map), map->arena_offset + (uint32_t)reference->addend);
	return 0;
}

static int refer_kconfig(struct ebpf_load *load, const struct ebpf_spec_reference *reference, struct ebpf_insn *insn,
			 struct ebpf_error *err)
{
	struct ebpf_spec_reference variable = {
		.insn = reference->insn,
		.kind = EBPF_REF_MAP_VALUE,
		.map = spec_impl(load->spec)->kconfig,
		.addend = reference->external->offset + reference->addend,
	};

	return refer_map(load, &variable, insn, err);
}

static int refer_extern(struct ebpf_load *load, const struct ebpf_spec_reference *reference, struct ebpf_insn *insn,
			struct ebpf_error *err)
{
	size_t index = ebpf_load_extern_index(load, reference->external);
	const struct ebpf_load_extern *external;
	bool call = insn->code == EBPF_CALL;
	uint64_t address;

	if (index >= spec_impl(load->spec)->extern_count)
		return ebpf_fail(err, EINVAL, "refers to an extern '%s', which this object does not have",
				 reference_name(reference));
	external = &load->externs[index];
	if (call != (reference->external->kind == EBPF_EXTERN_KFUNC) && call)
		return ebpf_fail(err, EINVAL, "calls '%s', which is not a kernel function", reference->external->name);
	if (!external->found && !external->required && !reference->external->weak && reference->external->kind != EBPF_EXTERN_KCONFIG)
		return ebpf_fail(err, ESRCH, "kernel symbol '%s': not found%s", reference->external->name,
				 external->other_type ? ": the kernel's has another type" : "");
	switch (reference->external->kind) {
	case EBPF_EXTERN_KCONFIG:
		return refer_kconfig(load, reference, insn, err);
	case EBPF_EXTERN_KSYM:
		address = external->found ? external->address + (uint64_t)reference->addend : 0;
		set_wide(insn, 0, (uint32_t)address, (uint32_t)(address >> 32));
		return 0;
	case EBPF_EXTERN_KSYM_TYPED:
	case EBPF_EXTERN_KFUNC:
		if (call && external->found) {
			insn->src = EBPF_PSEUDO_KFUNC_CALL;
			insn->off = external->fd_index;
			insn->imm = (int32_t)external->btf_id;
		} else if (call) {
			poison(insn, 1, EBPF_POISON_KFUNC + (int32_t)index);
		} else if (external->found) {
			set_wide(insn, EBPF_PSEUDO_BTF_ID, external->btf_id, (uint32_t)external->btf_fd);
		} else {
			set_wide(insn, 0, 0, 0); /* weak: the program tests the address */
		}
		return 0;
	}
	return ebpf_fail(err, EINVAL, "extern '%s' is of an unknown kind", reference->external->name);
}

static int resolve_references(struct ebpf_load *load, const struct ebpf_function *function, struct ebpf_insn *insns,
			      struct ebpf_error *err)
{
	for (size_t i = 0; i < function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &function->references[i];
		int result = 0;

		load->insn = reference->insn;
		if (!reference_slots(function, reference))
			return ebpf_fail(err, EINVAL, "function '%s': instruction %u cannot carry its reference",
					 function->name, reference->insn);
		if (reference->kind == EBPF_REF_MAP || reference->kind == EBPF_REF_MAP_VALUE)
			result = refer_map(load, reference, &insns[reference->insn], err);
		else if (reference->kind == EBPF_REF_EXTERN)
			result = refer_extern(load, reference, &insns[reference->insn], err);
		if (result < 0)
			return result;
	}
	return 0;
}

int ebpf_load_core(struct ebpf_load *load, struct ebpf_error *err)
{
	int result;

	if (load->core)
		return 0;
	if (!load->spec->btf)
		return ebpf_fail(err, EINVAL, "object '%s' has no types to relocate by", load->spec->name);
	if (load->options.btf_path && !load->custom_btf) {
		result = ebpf_policy_read_file(load->options.btf_path, err);
		if (!result)
			result = ebpf_btf_read_file(load->options.btf_path, NULL, &load->custom_btf, err);
		if (result < 0)
			return result;
	}
	result = ebpf_core_new(load->kernel, load->spec->btf, load->custom_btf, &load->core, err);
	if (result == 0 && load->btf_fd > 0)
		ebpf_core_set_local_ids(load->core, ebpf_load_local_type, load);
	return result;
}

/* Fills lf->insns: the function with everything resolved but its calls into other functions. */
static int prepare(struct ebpf_load *load, struct ebpf_load_function *lf, struct ebpf_error *err)
{
	const struct ebpf_function *function = lf->function;
	struct ebpf_insn *insns;
	int result = 0;

	if (lf->insns)
		return 0;
	load->function = function;
	load->insn = UINT32_MAX;
	insns = malloc((function->insn_count ? function->insn_count : 1) * sizeof(*insns));
	if (!insns)
		return ebpf_fail_memory(err);
	if (function->insn_count)
		memcpy(insns, function->insns, function->insn_count * sizeof(*insns));
	if (function->relo_count) {
		result = ebpf_load_core(load, err);
		if (result == 0)
			result = ebpf_core_relocate(load->core, function, insns, err);
	}
	if (result == 0)
		result = ebpf_load_constants(load, function, insns, err);
	if (result == 0)
		result = resolve_references(load, function, insns, err);
	if (result < 0) {
		free(insns);
		return result;
	}
	lf->insns = insns;
	load->function = NULL;
	return 0;
}

/* Kernel: all records in order, none on the second slot of a wide load, and one on the first instruction of every
 * function. */
static void append_lines(struct ebpf_linked *out, const struct ebpf_load_function *lf)
{
	struct bpf_line_info line = { .insn_off = lf->start, .line_off = lf->head };

	if (!lf->line_count || lf->lines[0].insn_off > 0)
		out->lines[out->line_count++] = line;
	for (size_t i = 0; i < lf->line_count; i++) {
		line = lf->lines[i];
		line.insn_off += lf->start;
		if (out->line_count && out->lines[out->line_count - 1].insn_off >= line.insn_off)
			continue;
		out->lines[out->line_count++] = line;
	}
}

static int join_info(struct ebpf_load *load, uint32_t program_type, struct ebpf_linked *out, struct ebpf_error *err)
{
	bool typed = load->has_func_info;
	size_t lines = 0;

	for (size_t i = 0; i < load->order_count; i++) {
		const struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

		typed = typed && lf->type_id;
		lines += lf->line_count;
	}
	if (typed) {
		out->funcs = calloc(load->order_count + 1, sizeof(*out->funcs));
		if (!out->funcs)
			return ebpf_fail_memory(err);
		for (size_t i = 0; i < load->order_count; i++) {
			const struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

			out->funcs[out->func_count++] = (struct bpf_func_info){ lf->start, ebpf_load_function_type(lf, program_type) };
		}
	}
	if (!lines || !load->has_func_info)
		return 0;
	out->lines = calloc(lines + load->order_count, sizeof(*out->lines));
	if (!out->lines)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < load->order_count; i++)
		append_lines(out, &load->functions[load->order[i]->mark]);
	return 0;
}

static void patch_calls(const struct ebpf_load *load, const struct ebpf_load_function *lf, struct ebpf_insn *insns)
{
	for (size_t i = 0; i < lf->function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &lf->function->references[i];
		uint32_t here = lf->start + reference->insn;

		if (reference->kind != EBPF_REF_CALL && reference->kind != EBPF_REF_FUNCTION)
			continue;
		insns[here].src = reference->kind == EBPF_REF_CALL ? EBPF_PSEUDO_CALL : EBPF_PSEUDO_FUNC;
		insns[here].imm = (int32_t)(load->functions[reference->function->mark].start - here - 1);
		if (reference->kind == EBPF_REF_FUNCTION)
			insns[here + 1].imm = 0;
	}
}

static int join_code(struct ebpf_load *load, struct ebpf_linked *out, struct ebpf_error *err)
{
	size_t total = 0;

	for (size_t i = 0; i < load->order_count; i++) {
		struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

		lf->start = (uint32_t)total;
		total += lf->function->insn_count;
		if (total > INT32_MAX)
			return ebpf_fail(err, E2BIG, "more than 2^31 instructions");
	}
	out->insns = calloc(total ? total : 1, sizeof(*out->insns));
	if (!out->insns)
		return ebpf_fail_memory(err);
	out->insn_count = total;
	for (size_t i = 0; i < load->order_count; i++) {
		const struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

		memcpy(out->insns + lf->start, lf->insns, lf->function->insn_count * sizeof(*out->insns));
		patch_calls(load, lf, out->insns);
	}
	return 0;
}

int ebpf_load_link(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_linked *out,
		   struct ebpf_error *err)
{
	int result;

	*out = (struct ebpf_linked){ 0 };
	load->function = NULL;
	result = ebpf_load_walk(load, program, err);
	for (size_t i = 0; result == 0 && i < load->order_count; i++)
		result = prepare(load, &load->functions[load->order[i]->mark], err);
	if (result == 0)
		result = join_code(load, out, err);
	for (size_t i = 0; result == 0 && i < load->order_count; i++)
		result = ebpf_load_jumps(load, &load->functions[load->order[i]->mark], out, err);
	if (result == 0)
		result = join_info(load, program->type, out, err);
	if (result < 0)
		ebpf_linked_free(out);
	return result;
}

void ebpf_linked_free(struct ebpf_linked *linked)
{
	free(linked->insns);
	free(linked->funcs);
	free(linked->lines);
	for (size_t i = 0; i < linked->jump_count; i++)
		ebpf_map_close(linked->jumps[i].map);
	free(linked->jumps);
	*linked = (struct ebpf_linked){ 0 };
}

size_t ebpf_linked_old_probe_read(struct ebpf_linked *linked, bool replace)
{
	enum {
		PROBE_READ = 4,
		PROBE_READ_STR = 45,
		PROBE_READ_USER = 112,
		PROBE_READ_KERNEL = 113,
		PROBE_READ_USER_STR = 114,
		PROBE_READ_KERNEL_STR = 115
	};
	size_t found = 0;

	for (size_t i = 0; i < linked->insn_count; i++) {
		struct ebpf_insn *insn = &linked->insns[i];

		if (ebpf_insn_is_wide(insn)) {
			i++;
			continue;
		}
		if (insn->code != EBPF_CALL || insn->src || insn->imm < PROBE_READ_USER ||
		    insn->imm > PROBE_READ_KERNEL_STR)
			continue;
		found++;
		if (replace)
			insn->imm = insn->imm <= PROBE_READ_KERNEL ? PROBE_READ : PROBE_READ_STR;
	}
	return found;
}
