/* field.c -- the names of fields as places in a record. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink/sink.h"

static uint8_t int_load(const struct ebpf_layout *layout)
{
	if (layout->is_swapped && layout->size > 1)
		return LOAD_BITS; /* the core does it */
	switch (layout->size) {
	case 1: return layout->is_signed ? LOAD_S8 : LOAD_U8;
	case 2: return layout->is_signed ? LOAD_S16 : LOAD_U16;
	case 4: return layout->is_signed ? LOAD_S32 : LOAD_U32;
	case 8: return LOAD_64;
	default: return LOAD_BYTES;
	}
}

static uint8_t load_of(const struct ebpf_layout *layout)
{
	switch (layout->kind) {
	case EBPF_VALUE_INT:
	case EBPF_VALUE_ENUM:
	case EBPF_VALUE_POINTER: return int_load(layout);
	case EBPF_VALUE_BOOL: return LOAD_BOOL;
	case EBPF_VALUE_FLOAT: return layout->is_swapped ? LOAD_REAL : layout->size == 4 ? LOAD_F32 : LOAD_F64;
	case EBPF_VALUE_STRING: return LOAD_STRING;
	case EBPF_VALUE_STRUCT:
	case EBPF_VALUE_UNION:
	case EBPF_VALUE_ARRAY: return LOAD_NONE;
	default: return LOAD_BYTES;
	}
}

void ebpf_place_set(struct ebpf_place *place, uint32_t base, const struct ebpf_field *field, const struct ebpf_layout *layout)
{
	bool bits = field && field->bit_size;
	uint32_t offset = base + (field ? field->offset : 0);

	*place = (struct ebpf_place){
		.load = bits ? LOAD_BITS : load_of(layout),
		.is_unsigned = layout->size == 8 && !layout->is_signed,
		.offset = bits ? base : offset,
		.size = layout->size,
		.layout = layout,
		.field = bits ? field : NULL,
	};
	place->end = bits ? offset + (field->bit_offset + field->bit_size + 7) / 8
			  : place->load == LOAD_STRING ? offset : offset + layout->size;
}

int64_t ebpf_place_bits(const struct ebpf_place *place, const uint8_t *record)
{
	if (place->field)
		return ebpf_layout_get_int(place->layout, place->field, record + place->offset);
	return ebpf_layout_get_int(place->layout, NULL, record + place->offset);
}

double ebpf_place_swapped_real(const struct ebpf_place *place, const uint8_t *record)
{
	float single;
	double real;

	ebpf_layout_reorder(place->layout, record + place->offset, place->size == sizeof(single) ? (void *)&single : (void *)&real);
	return place->size == sizeof(single) ? (double)single : real;
}

/* Integers of whole bytes: the eight that end with the room, if it would end behind it. */
bool ebpf_window_set(struct ebpf_window *window, const struct ebpf_place *place, uint32_t room)
{
	uint32_t size = place->size, before;

	if (place->load > LOAD_64 || room < 8 || place->end > room)
		return false;
	window->base = place->offset + 8 <= room ? place->offset : room - 8;
	before = place->offset - window->base;
	window->right = (uint8_t)(64 - 8 * size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	window->left = (uint8_t)(8 * before);
#else
	window->left = (uint8_t)(64 - 8 * size - 8 * before);
#endif
	window->is_signed = place->load == LOAD_S8 || place->load == LOAD_S16 || place->load == LOAD_S32;
	return true;
}

const char *ebpf_place_enumerator(const struct ebpf_place *place, int64_t value)
{
	const struct ebpf_layout *layout = place->layout;

	for (uint32_t i = 0; layout->kind == EBPF_VALUE_ENUM && i < layout->count; i++)
		if (layout->enumerators[i].value == value)
			return layout->enumerators[i].name;
	return NULL;
}

/* -- paths -- */

static int fail_path(const char *path, const char *at, const struct ebpf_layout *layout, struct ebpf_error *err)
{
	int length = (int)strcspn(at, ".[");

	ebpf_fail(err, ENOENT, "sink: field '%.200s': %.200s has no field '%.*s'", path, layout->name[0] ? layout->name : "it", length > 100 ? 100 : length, at);
	if (layout->kind == EBPF_VALUE_STRUCT && layout->count && layout->count < 100) {
		const char *names[100], *near;
		char wanted[101];

		snprintf(wanted, sizeof(wanted), "%.*s", length, at);
		for (uint32_t i = 0; i < layout->count; i++)
			names[i] = layout->fields[i].name;
		near = ebpf_nearest(wanted, names, layout->count);
		if (near)
			ebpf_hint(err, "did you mean '%s'?", near);
	}
	return -ENOENT;
}

static const struct ebpf_field *find_field(const struct ebpf_layout *layout, const char *name, size_t length)
{
	if (layout->kind != EBPF_VALUE_STRUCT && layout->kind != EBPF_VALUE_UNION)
		return NULL;
	for (uint32_t i = 0; i < layout->count; i++)
		if (!strncmp(layout->fields[i].name, name, length) && !layout->fields[i].name[length])
			return &layout->fields[i];
	return NULL;
}

/* `*at` stands at '['; elements of a flexible array are there if the record has them. */
static int enter_element(const char *path, const char **at, uint64_t *offset, const struct ebpf_layout **layout, struct ebpf_error *err)
{
	char *end;
	unsigned long long number = isdigit((unsigned char)(*at)[1]) ? strtoull(*at + 1, &end, 10) : 0;

	if ((*layout)->kind != EBPF_VALUE_ARRAY)
		return ebpf_fail(err, EINVAL, "sink: field '%.200s': %.200s is no array", path, (*layout)->name);
	if (!number || *end != ']')
		return ebpf_fail(err, EINVAL, "sink: field '%.200s': a number from 1 must stand within [ ]", path);
	if (((*layout)->count && number > (*layout)->count) || number > UINT32_MAX)
		return ebpf_fail(err, ENOENT, "sink: field '%.200s': there are %u elements, from 1", path, (*layout)->count);
	*layout = (*layout)->element;
	*offset += (number - 1) * (*layout)->size;
	*at = end + 1;
	return 0;
}

int ebpf_place_find(const struct ebpf_layout *layout, const char *path, struct ebpf_place *out, struct ebpf_error *err)
{
	const struct ebpf_field *field = NULL;
	const char *at = path;
	uint64_t base = 0, offset = 0;
	int ret;

	for (;;) {
		if (*at == '[') {
			ret = enter_element(path, &at, &offset, &layout, err);
			if (ret < 0)
				return ret;
			field = NULL;
			base = offset;
		} else {
			size_t length = strcspn(at, ".[");

			field = find_field(layout, at, length);
			if (!field)
				return fail_path(path, at, layout, err);
			base = offset;
			offset += field->offset;
			layout = field->layout;
			at += length;
		}
		if (offset + layout->size > UINT32_MAX)
			return ebpf_fail(err, E2BIG, "sink: field '%.200s': beyond 4 GiB", path);
		if (!*at)
			break;
		if (*at == '.')
			at++;
	}
	ebpf_place_set(out, (uint32_t)base, field, layout);
	return 0;
}
