/* core.c -- the context, and the way of one relocation from its record to the patched instruction. */
#include <stdio.h>
#include <stdlib.h>

#include "load/core_impl.h"

/* Half a second of comparing, for the whole load. The largest objects known need a hundredth of it. */
#define WORK ((uint64_t)1 << 24)

int ebpf_core_new(struct ebpf_kernel *kernel, const struct ebpf_btf *local, struct ebpf_btf *custom, struct ebpf_core **out,
		  struct ebpf_error *err)
{
	struct ebpf_core *core;

	if (!local)
		return ebpf_fail(err, EINVAL, "CO-RE: the object has no BTF");
	if (custom && ebpf_btf_swapped(custom) != ebpf_btf_swapped(local))
		return ebpf_fail(err, EINVAL, "CO-RE: the target's types are in the other byte order than the object");
	core = calloc(1, sizeof *core);
	if (!core)
		return ebpf_fail_memory(err);
	core->kernel = kernel ? ebpf_kernel_ref(kernel) : NULL;
	core->local = ebpf_btf_ref((struct ebpf_btf *)(uintptr_t)local); /* counting references changes nothing that is read */
	core->custom = custom ? ebpf_btf_ref(custom) : NULL;
	core->work_left = WORK;
	*out = core;
	return 0;
}

void ebpf_core_free(struct ebpf_core *core)
{
	if (!core)
		return;
	for (uint32_t i = 0; core->by_local && i < ebpf_btf_count(core->local); i++)
		core_candidates_free(core->by_local[i]);
	free(core->by_local);
	for (size_t i = 0; i < core->poison_count; i++)
		free(core->poisons[i].text);
	free(core->poisons);
	ebpf_btf_free(core->local);
	ebpf_btf_free(core->custom);
	ebpf_kernel_free(core->kernel);
	free(core);
}

void ebpf_core_set_local_ids(struct ebpf_core *core, int64_t (*map_id)(void *context, uint32_t local_id), void *context)
{
	core->map_id = map_id;
	core->map_context = context;
}

/* -- one relocation -- */

static int local_id(struct ebpf_core *core, uint32_t id, struct core_result *result, struct ebpf_error *err)
{
	int64_t mapped = core->map_id ? core->map_id(core->map_context, id) : id;

	if (mapped < 0)
		return ebpf_fail(err, (int)-mapped, "type %u is not among those that are loaded with the program", id);
	/* the number in the instruction may be that of before a link of objects */
	*result = (struct core_result){ .old_value = id, .new_value = (uint64_t)mapped };
	return 0;
}

/* All candidates that match must lead to the same place and number: which of them the program will meet is not known. */
static int check_agreement(const struct core_spec *a, const struct core_result *a_result, const struct core_spec *b,
			   const struct core_result *b_result, struct ebpf_error *err)
{
	if (a->bit_offset == b->bit_offset && a_result->poison == b_result->poison && a_result->new_value == b_result->new_value)
		return 0;
	ebpf_fail(err, EINVAL, "ambiguous: target type %u says %lld (bit %llu), type %u says %lld (bit %llu)", a->root,
		  (long long)a_result->new_value, (unsigned long long)a->bit_offset, b->root, (long long)b_result->new_value,
		  (unsigned long long)b->bit_offset);
	ebpf_hint(err, "the target has several types of this name: a test for a field that only one of them has, before this "
		       "access, decides");
	return -EINVAL;
}

static int match_error(int code, const struct core_candidate *candidate, struct ebpf_error *err)
{
	if (code == -E2BIG)
		return ebpf_fail(err, E2BIG, "target type %u is nested too deeply or too widely", candidate->id);
	return ebpf_fail(err, code, "cannot be compared with target type %u", candidate->id);
}

/* Tries every candidate. Those that match stay in the list for later relocations of the same type, the others leave it,
 * unless none matches: then a check for existence has been answered, and the list stays as it was. */
static int try_candidates(struct ebpf_core *core, struct core_candidates *list, struct core_result *result, struct ebpf_error *err)
{
	const struct core_spec *local = &core->local_spec;
	struct core_result candidate_result;
	size_t matching = 0;
	int code;

	for (size_t i = 0; i < list->count; i++) {
		code = core_spec_match(core, local, &list->items[i], &core->candidate_spec);
		if (code < 0)
			return match_error(code, &list->items[i], err);
		if (code == 0)
			continue;
		code = core_value(local, &core->candidate_spec, &candidate_result, err);
		if (!code && matching)
			code = check_agreement(&core->target_spec, result, &core->candidate_spec, &candidate_result, err);
		if (!code && core->found && core->found(core->found_context, &core->candidate_spec) < 0)
			code = ebpf_fail_memory(err);
		if (code)
			return code;
		if (!matching) {
			*result = candidate_result;
			core->target_spec = core->candidate_spec;
		}
		list->items[matching++] = list->items[i];
	}
	if (matching) {
		list->count = matching;
		return 0;
	}
	code = core_value(local, NULL, result, err);
	result->reason = list->count ? CORE_NO_MATCH : CORE_NO_TYPE;
	return code;
}

static const struct core_memo *find_memo(const struct core_candidates *list, const struct ebpf_spec_relo *relo)
{
	const struct core_memo *memo = list->memos;

	while (memo && (memo->kind != relo->kind || strcmp(memo->access, relo->access) != 0))
		memo = memo->next;
	return memo;
}

static int add_memo(struct core_candidates *list, const struct ebpf_spec_relo *relo, const struct core_result *result,
		    struct ebpf_error *err)
{
	struct core_memo *memo = malloc(sizeof *memo);

	if (!memo)
		return ebpf_fail_memory(err);
	*memo = (struct core_memo){ list->memos, relo->access, relo->kind, *result };
	list->memos = memo;
	return 0;
}

static int parse(struct ebpf_core *core, const struct ebpf_spec_relo *relo, struct ebpf_error *err)
{
	int code = core_spec_parse(core->local, relo, &core->local_spec);

	if (code)
		return ebpf_fail(err, code, "access string '%.64s' does not fit the type", relo->access ? relo->access : "");
	return 0;
}

static int resolve(struct ebpf_core *core, const struct ebpf_spec_relo *relo, struct core_result *result, struct ebpf_error *err)
{
	struct core_candidates *list;
	const struct core_memo *memo;
	struct ebpf_type type;
	int code;

	if (relo->kind >= CORE_KIND_COUNT)
		return ebpf_fail(err, ENOTSUP, "relocation kind %u is not known", relo->kind);
	if (!ebpf_btf_type(core->local, relo->type_id, &type))
		return ebpf_fail(err, EINVAL, "type %u is not in the object's BTF", relo->type_id);
	if (relo->kind == CORE_TYPE_ID_LOCAL) {
		code = parse(core, relo, err);
		return code ? code : local_id(core, relo->type_id, result, err);
	}
	if (!*type.name)
		return ebpf_fail(err, EINVAL, "an anonymous type cannot be found in the target");
	code = core_candidates_get(core, relo->type_id, &list, err);
	if (code)
		return code;
	memo = relo->access ? find_memo(list, relo) : NULL;
	if (memo) {
		*result = memo->result;
		return 0;
	}
	code = parse(core, relo, err);
	if (!code)
		code = try_candidates(core, list, result, err);
	return code ? code : add_memo(list, relo, result, err);
}

/* -- poison, and what to say of it -- */

static const char *reason_text(enum core_reason reason, uint32_t kind)
{
	switch (reason) {
	case CORE_NO_TYPE:
		return "the target has no such type";
	case CORE_NO_MATCH:
		return core_kind_is_enum(kind) ? "the target's enum has no such value"
					       : "the target's type has no such field, or one of another kind";
	case CORE_RESIZE:
		return "the field has another size in the target, and only unsigned integers and pointers can be resized";
	default:
		return "cannot be resolved";
	}
}

static int remember(struct ebpf_core *core, const struct ebpf_function *function, const struct ebpf_spec_relo *relo,
		    const struct core_result *result, struct ebpf_error *err)
{
	struct core_poison *poisons = ebpf_grow(core->poisons, &core->poison_capacity, core->poison_count, sizeof *poisons);
	char place[512], sizes[64] = "", *text;

	if (!poisons)
		return ebpf_fail_memory(err);
	core->poisons = poisons;
	core_spec_parse(core->local, relo, &core->local_spec); /* once more: the result may have come from a memo */
	core_spec_print(&core->local_spec, relo->access, place, sizeof place);
	if (result->reason == CORE_RESIZE)
		snprintf(sizes, sizeof sizes, " (%u bytes, here %u)", result->new_size, result->old_size);
	text = ebpf_sprintf("CO-RE relocation %s: %s%s", place, reason_text(result->reason, relo->kind), sizes);
	if (!text)
		return ebpf_fail_memory(err);
	poisons[core->poison_count++] = (struct core_poison){ function, relo->insn, text };
	return 0;
}

static bool is_second_half(const struct ebpf_function *function, uint32_t first, uint32_t insn)
{
	return insn == first + 1 && insn < function->insn_count && ebpf_insn_is_wide(&function->insns[first]);
}

const char *ebpf_core_explain(struct ebpf_core *core, const struct ebpf_function *function, uint32_t insn)
{
	for (size_t i = 0; i < core->poison_count; i++) {
		const struct core_poison *poison = &core->poisons[i];

		if (poison->function == function && (poison->insn == insn || is_second_half(function, poison->insn, insn)))
			return poison->text;
	}
	return NULL;
}

/* -- all of a function's -- */

static int explain_failure(struct ebpf_core *core, const struct ebpf_function *function, const struct ebpf_spec_relo *relo,
			   int code, struct ebpf_error *err)
{
	char place[512];

	if (code == -ENOMEM)
		return code;
	core->local_spec.count = 0;
	if (relo->kind < CORE_KIND_COUNT && !core_spec_parse(core->local, relo, &core->local_spec))
		core_spec_print(&core->local_spec, relo->access, place, sizeof place);
	else
		snprintf(place, sizeof place, "<%s> of type %u", core_kind_name(relo->kind), relo->type_id);
	return ebpf_wrap(err, code, "function '%.128s': instruction %u: CO-RE relocation %s",
			 function->name ? function->name : "", relo->insn, place);
}

static int apply(struct ebpf_core *core, const struct ebpf_function *function, const struct ebpf_spec_relo *relo,
		 struct ebpf_insn *insns, struct ebpf_error *err)
{
	struct core_result result = { 0 };
	int code = relo->insn < function->insn_count ? 0 : ebpf_fail(err, EINVAL, "lies behind the function's end");

	if (!code)
		code = resolve(core, relo, &result, err);
	if (!code)
		code = core_patch(&insns[relo->insn], function->insn_count - relo->insn, &result, err);
	return code == 1 ? remember(core, function, relo, &result, err) : code;
}

int ebpf_core_relocate(struct ebpf_core *core, const struct ebpf_function *function, struct ebpf_insn *insns,
		       struct ebpf_error *err)
{
	for (size_t i = 0; i < function->relo_count; i++) {
		int code = apply(core, function, &function->relos[i], insns, err);

		if (code < 0)
			return explain_failure(core, function, &function->relos[i], code, err);
	}
	return 0;
}

int core_visit(struct ebpf_core *core, const struct ebpf_function *function,
	       int (*found)(void *context, const struct core_spec *target), void *context, struct ebpf_error *err)
{
	int code = 0;

	core->found = found;
	core->found_context = context;
	for (size_t i = 0; !code && i < function->relo_count; i++) {
		struct core_result result = { 0 };

		code = resolve(core, &function->relos[i], &result, err);
		if (code < 0)
			code = explain_failure(core, function, &function->relos[i], code, err);
	}
	core->found = NULL;
	return code;
}
