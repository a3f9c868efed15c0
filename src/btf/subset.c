/* subset.c -- some types of a BTF, and of their members, as a BTF of their own. */
#include <stdlib.h>

#include "btf/build.h"

struct ebpf_btf_subset {
	struct ebpf_btf *btf;
	bool *types;        /* by id */
	uint32_t **members; /* by id: bits, made with the first; NULL = none */
};

struct ebpf_btf_subset *ebpf_btf_subset_new(struct ebpf_btf *btf)
{
	struct ebpf_btf_subset *subset = calloc(1, sizeof(*subset));
	if (!subset)
		return NULL;
	subset->btf = ebpf_btf_ref(btf);
	subset->types = calloc(btf->count, sizeof(*subset->types));
	subset->members = calloc(btf->count, sizeof(*subset->members));
	if (subset->types && subset->members)
		return subset;
	ebpf_btf_subset_free(subset);
	return NULL;
}

void ebpf_btf_subset_free(struct ebpf_btf_subset *subset)
{
	if (!subset)
		return;
	for (uint32_t id = 0; subset->members && id < subset->btf->count; id++)
		free(subset->members[id]);
	free(subset->members);
	free(subset->types);
	ebpf_btf_free(subset->btf);
	free(subset);
}

void ebpf_btf_subset_add(struct ebpf_btf_subset *subset, uint32_t id)
{
	if (id < subset->btf->count)
		subset->types[id] = true;
}

bool ebpf_btf_subset_has(const struct ebpf_btf_subset *subset, uint32_t id)
{
	return id < subset->btf->count && subset->types[id];
}

int ebpf_btf_subset_add_member(struct ebpf_btf_subset *subset, uint32_t id, uint32_t index)
{
	struct ebpf_type type;
	if (!ebpf_btf_type(subset->btf, id, &type) || index >= type.vlen)
		return 0;
	if (!subset->members[id])
		subset->members[id] = calloc(type.vlen / 32 + 1, sizeof(uint32_t));
	if (!subset->members[id])
		return -ENOMEM;
	subset->members[id][index / 32] |= 1u << index % 32;
	subset->types[id] = true;
	return 0;
}

bool btf_subset_has_member(const struct ebpf_btf_subset *subset, const struct ebpf_type *type, uint32_t index)
{
	const uint32_t *bits = subset->members[type->id];
	return bits && (bits[index / 32] >> index % 32 & 1);
}

int ebpf_btf_subset_read(struct ebpf_btf_subset *subset, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, 0);
	struct ebpf_btf *made = NULL;
	if (!builder)
		return ebpf_fail_memory(err);
	builder->closed = true;
	builder->subset = subset;
	for (uint32_t id = 1; id < subset->btf->count; id++)
		if (subset->types[id])
			btf_enqueue(builder, subset->btf, id);
	btf_drain(builder);
	int result = ebpf_btf_builder_read(builder, &made, err);
	ebpf_btf_builder_free(builder);
	if (!result && subset->btf->swapped)
		result = btf_swap_order(&made, err);
	if (!result)
		*out = made;
	return result;
}
