/* layout_order.c -- a layout whose integers of one order (__be32, __le16) are read in it: a copy, since layouts are shared. */
#include <stdlib.h>

#include "btf/layout.h"

/* Copies by the number of the node. Bit fields are not of these types' order, whose names are about whole integers; what one of them
 * is laid out by is a copy of its own, as it was. */
struct copies {
	struct layout_builder builder;
	struct ebpf_layout **ordered, **plain;
};

static struct ebpf_layout *copy_node(struct copies *copies, const struct ebpf_layout *node, bool is_bit_field);

static int copy_fields(struct copies *copies, const struct ebpf_layout *from, struct ebpf_layout *to)
{
	struct ebpf_field *fields = ebpf_layout_arena(&copies->builder, from->count * sizeof(*fields));

	if (!fields)
		return copies->builder.code;
	to->fields = fields;
	for (uint32_t i = 0; i < from->count; i++) {
		fields[i] = from->fields[i];
		fields[i].name = ebpf_layout_string(&copies->builder, from->fields[i].name);
		fields[i].layout = copy_node(copies, from->fields[i].layout, from->fields[i].bit_size);
		if (!fields[i].name || !fields[i].layout)
			return copies->builder.code;
	}
	return 0;
}

static int copy_enumerators(struct copies *copies, const struct ebpf_layout *from, struct ebpf_layout *to)
{
	struct ebpf_enumerator *enumerators = ebpf_layout_arena(&copies->builder, from->count * sizeof(*enumerators));

	if (!enumerators)
		return copies->builder.code;
	to->enumerators = enumerators;
	for (uint32_t i = 0; i < from->count; i++) {
		enumerators[i].value = from->enumerators[i].value;
		enumerators[i].name = ebpf_layout_string(&copies->builder, from->enumerators[i].name);
		if (!enumerators[i].name)
			return copies->builder.code;
	}
	return 0;
}

static int copy_parts(struct copies *copies, const struct ebpf_layout *from, struct ebpf_layout *to)
{
	switch (from->kind) {
	case EBPF_VALUE_STRUCT:
	case EBPF_VALUE_UNION:
		return copy_fields(copies, from, to);
	case EBPF_VALUE_ENUM:
		return copy_enumerators(copies, from, to);
	case EBPF_VALUE_ARRAY:
		to->element = copy_node(copies, from->element, false);
		return to->element ? 0 : copies->builder.code;
	default:
		return 0;
	}
}

/* As deep as the layout, which is bounded. NULL with builder.code. */
static struct ebpf_layout *copy_node(struct copies *copies, const struct ebpf_layout *node, bool is_bit_field)
{
	bool is_ordered = node->order && !is_bit_field;
	struct ebpf_layout **made = &(is_bit_field ? copies->plain : copies->ordered)[node->id];

	if (*made)
		return *made;
	struct ebpf_layout *copy = ebpf_layout_node(&copies->builder);
	if (!copy)
		return NULL;
	uint32_t id = copy->id;
	*copy = *node;
	copy->id = id;
	if (is_ordered)
		copy->is_swapped = (node->order == EBPF_ORDER_BIG) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	copy->name = ebpf_layout_string(&copies->builder, node->name);
	if (!copy->name || copy_parts(copies, node, copy))
		return NULL;
	*made = copy;
	return copy;
}

struct ebpf_layout *ebpf_layout_with_orders(const struct ebpf_layout *layout, struct ebpf_error *err)
{
	struct copies copies = {.builder = {.err = err}};
	struct ebpf_layout *copy = NULL;

	copies.ordered = calloc(2 * (size_t)layout->node_count, sizeof(struct ebpf_layout *));
	if (!copies.ordered) {
		ebpf_fail_memory(err);
		return NULL;
	}
	copies.plain = copies.ordered + layout->node_count;
	copy = copy_node(&copies, layout, false);
	free(copies.ordered);
	return ebpf_layout_finish(&copies.builder, copy);
}
