/* layout_equal.c -- whether two layouts, which may be of different BTF, are of the same type and order of bytes: records of one can then be read by the other. */
#include <string.h>

#include "btf/btf.h"

static bool equal_fields(const struct ebpf_layout *layout, const struct ebpf_layout *other)
{
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct ebpf_field *a = &layout->fields[i], *b = &other->fields[i];

		if (strcmp(a->name, b->name) != 0 || a->offset != b->offset || a->bit_offset != b->bit_offset || a->bit_size != b->bit_size ||
		    !ebpf_layout_equal(a->layout, b->layout))
			return false;
	}
	return true;
}

static bool equal_enumerators(const struct ebpf_layout *layout, const struct ebpf_layout *other)
{
	for (uint32_t i = 0; i < layout->count; i++)
		if (layout->enumerators[i].value != other->enumerators[i].value ||
		    strcmp(layout->enumerators[i].name, other->enumerators[i].name) != 0)
			return false;
	return true;
}

bool ebpf_layout_equal(const struct ebpf_layout *layout, const struct ebpf_layout *other)
{
	if (layout == other)
		return true;
	if (layout->kind != other->kind || layout->size != other->size || layout->is_signed != other->is_signed || layout->is_swapped != other->is_swapped ||
	    layout->count != other->count || strcmp(layout->name, other->name) != 0)
		return false;
	switch (layout->kind) {
	case EBPF_VALUE_STRUCT:
	case EBPF_VALUE_UNION:
		return equal_fields(layout, other);
	case EBPF_VALUE_ENUM:
		return equal_enumerators(layout, other);
	case EBPF_VALUE_ARRAY:
		return ebpf_layout_equal(layout->element, other->element);
	default:
		return true;
	}
}
