/* btf_walk.h -- touches everything that BTF can be asked for: with hostile bytes, under a sanitizer. */
#ifndef EBPF_SPEC_BTF_WALK_H
#define EBPF_SPEC_BTF_WALK_H

#include <stdlib.h>
#include <string.h>

#include "btf/btf.h"

static uint64_t walk_sum; /* so that nothing is optimised away */

static void walk_string(const char *text)
{
	walk_sum += strlen(text);
}

static void walk_type(const struct ebpf_btf *btf, const struct ebpf_type *type)
{
	uint32_t encoding, offset, bits;
	walk_string(type->name);
	ebpf_type_int(type, &encoding, &offset, &bits);
	walk_sum += encoding + offset + bits + ebpf_type_array(type).count + ebpf_type_linkage(type) + ebpf_type_component(type);
	for (uint32_t i = 0; i <= type->vlen && i < 100000; i++) {
		walk_string(ebpf_type_member(type, i).name);
		walk_string(ebpf_type_param(type, i).name);
		walk_string(ebpf_type_enumerator(type, i).name);
		walk_sum += ebpf_type_secinfo(type, i).size;
	}
	walk_sum += ebpf_btf_resolve(btf, type->id) + ebpf_btf_skip_modifiers(btf, type->id) + ebpf_btf_sizeof(btf, type->id);
	struct ebpf_buffer name = {0};
	ebpf_btf_write_name(btf, type->id, &name);
	ebpf_buffer_free(&name);
}

static void walk_layout(const struct ebpf_layout *layout, uint8_t *seen)
{
	if (seen[layout->id])
		return;
	seen[layout->id] = 1;
	walk_string(layout->name);
	if (layout->kind == EBPF_VALUE_ARRAY) {
		walk_layout(layout->element, seen);
	} else if (layout->kind == EBPF_VALUE_STRUCT || layout->kind == EBPF_VALUE_UNION) {
		for (uint32_t i = 0; i < layout->count; i++) {
			const struct ebpf_field *field = &layout->fields[i];
			walk_string(field->name);
			/* The promise that decoders stand on. */
			if (field->bit_size
			            ? (uint64_t)field->offset * 8 + field->bit_offset + field->bit_size > (uint64_t)layout->size * 8
			            : (uint64_t)field->offset + field->layout->size > layout->size)
				abort();
			walk_layout(field->layout, seen);
		}
	} else if (layout->kind == EBPF_VALUE_ENUM) {
		for (uint32_t i = 0; i < layout->count; i++)
			walk_string(layout->enumerators[i].name);
	}
}

/* Gets and sets every integer in a value of random bytes; a walk, not counting, may meet what the contract says and
 * no more. */
static void walk_value(const struct ebpf_layout *layout, uint8_t *data, uint64_t *budget)
{
	if (!(*budget)--)
		abort();
	if (layout->kind == EBPF_VALUE_ARRAY) {
		for (uint32_t i = 0; i < layout->count; i++)
			walk_value(layout->element, data + (size_t)i * layout->element->size, budget);
	} else if (layout->kind == EBPF_VALUE_STRUCT || layout->kind == EBPF_VALUE_UNION) {
		for (uint32_t i = 0; i < layout->count; i++) {
			const struct ebpf_field *field = &layout->fields[i];
			if (!field->bit_size) {
				walk_value(field->layout, data + field->offset, budget);
				continue;
			}
			int64_t value = ebpf_layout_get_int(field->layout, field, data);
			if (ebpf_layout_set_int(field->layout, field, data, value) ||
			    ebpf_layout_get_int(field->layout, field, data) != value)
				abort();
		}
	} else {
		int64_t value = ebpf_layout_get_int(layout, NULL, data);
		ebpf_layout_set_int(layout, NULL, data, value);
	}
}

static void walk_layouts(const struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, id, NULL);
	if (!layout)
		return;
	uint8_t *seen = calloc(layout->node_count, 1);
	walk_layout(layout, seen);
	free(seen);
	if (layout->size <= 1 << 16) {
		uint8_t *data = malloc(layout->size + 1);
		uint64_t budget = (1 << 20) + 16 * (uint64_t)layout->size + 1;
		memset(data, 0x5a, layout->size);
		walk_value(layout, data, &budget);
		free(data);
	}
	ebpf_layout_free(layout);
}

static void walk_build(const struct ebpf_btf *btf, uint32_t lacks)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, lacks | EBPF_BTF_FOR_KERNEL);
	void *data;
	size_t size;
	bool good = true;
	for (uint32_t id = 0; id < ebpf_btf_count(btf); id++)
		good &= ebpf_btf_builder_add(builder, btf, id, NULL) >= 0;
	if (!ebpf_btf_builder_finish(builder, &data, &size, NULL)) {
		struct ebpf_btf *copy;
		if (ebpf_btf_read(data, size, NULL, &copy, NULL))
			abort(); /* what the builder writes can be read */
		if (good && !lacks && ebpf_btf_count(copy) < ebpf_btf_count(btf))
			abort();
		ebpf_btf_free(copy);
		free(data);
	}
	ebpf_btf_builder_free(builder);
}

static void walk_names(const struct ebpf_btf *btf, const struct ebpf_type *type)
{
	if (!*type->name || type->kind == BTF_KIND_DECL_TAG || type->kind == BTF_KIND_TYPE_TAG)
		return;
	if (ebpf_btf_find_kind(btf, type->name, type->kind <= BTF_KIND_ENUM64 ? type->kind : 0) <= 0)
		abort(); /* what is there is found */
	bool found = type->id < ebpf_btf_first_id(btf) || type->kind == BTF_KIND_FUNC || type->kind == BTF_KIND_VAR ||
	             type->kind == BTF_KIND_DATASEC; /* none of these is a candidate */
	uint32_t steps = 0;
	for (uint32_t id = 0; steps < 100 && (id = ebpf_btf_next_essential(btf, type->name, ebpf_essential_length(type->name), id));
	     steps++)
		found |= id == type->id;
	if (!found && steps < 100)
		abort();
}

static inline void walk_btf(const struct ebpf_btf *btf)
{
	struct ebpf_type type;
	for (uint32_t id = 0; ebpf_btf_type(btf, id, &type) && id < 5000; id++) {
		walk_type(btf, &type);
		walk_names(btf, &type);
		walk_layouts(btf, id);
	}
	walk_sum += ebpf_btf_pointer_size(btf);
	walk_build(btf, 0);
	walk_build(btf, UINT32_MAX);
}

static inline void walk_ext(const struct ebpf_btf *btf, const void *data, size_t size)
{
	struct ebpf_btf_ext ext;
	if (ebpf_btf_ext_read((struct ebpf_span){.data = data, .size = size}, btf, &ext, NULL))
		return;
	for (size_t i = 0; i < ext.count; i++) {
		const struct ebpf_ext_section *section = &ext.sections[i];
		walk_sum += ebpf_btf_ext_find(&ext, section->name) == section;
		for (size_t k = 0; k < section->func_count; k++)
			walk_sum += section->funcs[k].type_id;
		for (size_t k = 0; k < section->line_count; k++)
			walk_string(ebpf_btf_string(btf, section->lines[k].line));
		for (size_t k = 0; k < section->relo_count; k++)
			walk_string(ebpf_btf_string(btf, section->relos[k].access));
	}
	ebpf_btf_ext_free(&ext);
}

#endif
