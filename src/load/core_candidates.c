/* core_candidates.c -- the target's types that a local type may mean: those with the same name but for flavours
 * ("task_struct___old"). */
#include <stdlib.h>

#include "load/core_impl.h"

static int add(struct core_candidates *list, const struct ebpf_btf *btf, uint32_t id, struct ebpf_error *err)
{
	struct core_candidate *items = ebpf_grow(list->items, &list->capacity, list->count, sizeof *items);
	size_t at = list->count;

	if (!items)
		return ebpf_fail_memory(err);
	list->items = items;
	for (; at && items[at - 1].btf == btf && items[at - 1].id > id; at--)
		items[at] = items[at - 1];
	items[at] = (struct core_candidate){ btf, id };
	list->count++;
	return 0;
}

/* Own types of `btf` alone. */
static int add_all(struct core_candidates *list, const struct ebpf_btf *btf, const struct ebpf_type *local, struct ebpf_error *err)
{
	size_t length = ebpf_essential_length(local->name);
	uint32_t id = 0;

	while ((id = ebpf_btf_next_essential(btf, local->name, length, id)) != 0) {
		struct ebpf_type type;

		if (ebpf_btf_type(btf, id, &type) && core_kinds_agree(&type, local)) {
			int result = add(list, btf, id, err);

			if (result)
				return result;
		}
	}
	return 0;
}

static int add_from_modules(struct ebpf_core *core, struct core_candidates *list, const struct ebpf_type *local,
			    struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	struct ebpf_error reason = { 0 };
	size_t count;
	int result = ebpf_kernel_modules(core->kernel, &modules, &count, &reason);

	/* who may not list them, or has a kernel that does not tell (before 5.11), does without */
	for (size_t i = 0; !result && i < count; i++) {
		const struct ebpf_btf *btf = ebpf_kernel_module_btf(core->kernel, i, &reason);

		if (btf)
			result = add_all(list, btf, local, &reason);
		else if (reason.code == ENOMEM)
			result = -ENOMEM;
	}
	if (result == -ENOMEM) {
		ebpf_error_move(err, &reason);
		return result;
	}
	ebpf_error_clear(&reason);
	return 0;
}

static int no_target(int code, struct ebpf_error *reason, struct ebpf_error *err)
{
	ebpf_error_move(err, reason);
	code = ebpf_wrap(err, code ? code : ENOTSUP, "CO-RE needs the types of the target kernel");
	ebpf_hint(err, "the kernel must be built with CONFIG_DEBUG_INFO_BTF, or give the types as a BTF file (btf_path)");
	return code;
}

static int find(struct ebpf_core *core, const struct ebpf_type *local, struct core_candidates *list, struct ebpf_error *err)
{
	struct ebpf_error reason = { 0 };
	const struct ebpf_btf *btf = core->custom;
	int result;

	if (!btf)
		btf = core->kernel ? ebpf_kernel_btf(core->kernel, &reason) : NULL;
	if (!btf)
		return no_target(reason.code, &reason, err);
	for (; btf; btf = ebpf_btf_base(btf)) {
		result = add_all(list, btf, local, err);
		if (result)
			return result;
	}
	return list->count || core->custom ? 0 : add_from_modules(core, list, local, err);
}

int core_candidates_get(struct ebpf_core *core, uint32_t local_id, struct core_candidates **out, struct ebpf_error *err)
{
	struct core_candidates *list;
	struct ebpf_type local;
	int result;

	if (!ebpf_btf_type(core->local, local_id, &local))
		return ebpf_fail(err, EINVAL, "type %u is not in the object's BTF", local_id);
	if (!core->by_local)
		core->by_local = calloc(ebpf_btf_count(core->local), sizeof(struct core_candidates *));
	if (!core->by_local)
		return ebpf_fail_memory(err);
	if (core->by_local[local_id]) {
		*out = core->by_local[local_id];
		return 0;
	}
	list = calloc(1, sizeof *list);
	if (!list)
		return ebpf_fail_memory(err);
	result = find(core, &local, list, err);
	if (result) {
		core_candidates_free(list);
		return result;
	}
	*out = core->by_local[local_id] = list;
	return 0;
}

void core_candidates_free(struct core_candidates *candidates)
{
	if (!candidates)
		return;
	while (candidates->memos) {
		struct core_memo *memo = candidates->memos;

		candidates->memos = memo->next;
		free(memo);
	}
	free(candidates->items);
	free(candidates);
}
