/* value.c -- integers into and out of bytes of either order, bit fields included. */
#include "btf/btf.h"

/* A bit field lies within at most nine bytes. Counted from its least significant end, byte `k` of it holds the bits
 * from 8k - shift on: the same for both byte orders, if the bytes are taken from the other end and the shift is what
 * is left over there. */
struct bits {
	unsigned bytes, shift;
	bool backwards;
};

static struct bits place_bits(unsigned offset, unsigned size, bool big_endian)
{
	unsigned bytes = (offset + size + 7) / 8;
	return (struct bits){.bytes = bytes, .shift = big_endian ? 8 * bytes - offset - size : offset, .backwards = big_endian};
}

static uint64_t low_bits(unsigned size)
{
	return size < 64 ? ((uint64_t)1 << size) - 1 : UINT64_MAX;
}

uint64_t ebpf_bits_get(const void *data, unsigned offset, unsigned size, bool big_endian)
{
	struct bits at = place_bits(offset, size, big_endian);
	const uint8_t *bytes = data;
	uint64_t value = 0;
	for (unsigned k = 0; k < at.bytes; k++) {
		uint64_t byte = bytes[at.backwards ? at.bytes - 1 - k : k];
		value |= k ? byte << (8 * k - at.shift) : byte >> at.shift;
	}
	return value & low_bits(size);
}

void ebpf_bits_set(void *data, unsigned offset, unsigned size, bool big_endian, uint64_t value)
{
	struct bits at = place_bits(offset, size, big_endian);
	uint64_t mask = low_bits(size);
	uint8_t *bytes = data;
	value &= mask;
	for (unsigned k = 0; k < at.bytes; k++) {
		uint8_t *byte = &bytes[at.backwards ? at.bytes - 1 - k : k];
		uint8_t part = k ? value >> (8 * k - at.shift) : value << at.shift;
		uint8_t covered = k ? mask >> (8 * k - at.shift) : mask << at.shift;
		*byte = (*byte & ~covered) | part;
	}
}

static bool is_big(const struct ebpf_layout *layout)
{
	return layout->is_swapped != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

int64_t ebpf_load_ordered(const void *data, uint32_t size, bool is_signed, bool is_swapped)
{
	uint8_t bytes[8];
	if (!is_swapped || size > sizeof(bytes))
		return ebpf_load_int(data, size, is_signed);
	ebpf_reverse(bytes, data, size);
	return ebpf_load_int(bytes, size, is_signed);
}

void ebpf_store_ordered(void *data, uint32_t size, int64_t value, bool is_swapped)
{
	uint8_t bytes[8];
	if (!is_swapped || size > sizeof(bytes)) {
		ebpf_store_int(data, size, value);
		return;
	}
	ebpf_store_int(bytes, size, value);
	ebpf_reverse(data, bytes, size);
}

void ebpf_layout_reorder(const struct ebpf_layout *layout, const void *from, void *to)
{
	bool has_order = layout->kind != EBPF_VALUE_STRING && layout->kind != EBPF_VALUE_BYTES;
	if (layout->is_swapped && has_order)
		ebpf_reverse(to, from, layout->size);
	else
		memcpy(to, from, layout->size);
}

static bool is_integer(enum ebpf_value_kind kind)
{
	return kind <= EBPF_VALUE_POINTER && kind != EBPF_VALUE_FLOAT;
}

int64_t ebpf_layout_get_int(const struct ebpf_layout *layout, const struct ebpf_field *field, const void *data)
{
	int64_t value;
	if (field) {
		data = (const uint8_t *)data + field->offset;
		if (__builtin_expect(field->bit_size, 0)) {
			value = ebpf_bits_get(data, field->bit_offset, field->bit_size, is_big(layout));
			if (layout->is_signed)
				value = (int64_t)((uint64_t)value << (64 - field->bit_size)) >> (64 - field->bit_size);
			return layout->kind == EBPF_VALUE_BOOL ? value != 0 : value;
		}
	}
	if (__builtin_expect(layout->is_swapped, 0))
		value = ebpf_load_ordered(data, layout->size, layout->is_signed, true);
	else
		value = ebpf_load_int(data, layout->size, layout->is_signed);
	return layout->kind == EBPF_VALUE_BOOL ? value != 0 : value;
}

static bool fits(int64_t value, unsigned bits, bool is_signed)
{
	if (bits >= 64)
		return true;
	if (is_signed)
		return value >= -((int64_t)1 << (bits - 1)) && value < (int64_t)1 << (bits - 1);
	return (uint64_t)value <= low_bits(bits);
}

int ebpf_layout_set_int(const struct ebpf_layout *layout, const struct ebpf_field *field, void *data, int64_t value)
{
	if (!is_integer(layout->kind))
		return -EINVAL;
	unsigned bits = layout->kind == EBPF_VALUE_BOOL ? 1 : field && field->bit_size ? field->bit_size : layout->size * 8;
	if (!fits(value, bits, layout->is_signed))
		return -ERANGE;
	if (field)
		data = (uint8_t *)data + field->offset;
	if (field && field->bit_size)
		ebpf_bits_set(data, field->bit_offset, field->bit_size, is_big(layout), value);
	else
		ebpf_store_ordered(data, layout->size, value, layout->is_swapped);
	return 0;
}

static bool is_list(const struct ebpf_field *field)
{
	return field->layout->kind == EBPF_VALUE_STRING || field->layout->kind == EBPF_VALUE_ARRAY;
}

uint32_t ebpf_layout_least(const struct ebpf_layout *layout)
{
	const struct ebpf_field *last = NULL;

	if (layout->kind != EBPF_VALUE_STRUCT)
		return layout->size;
	for (uint32_t i = 0; i < layout->count; i++)
		if (!last || layout->fields[i].offset >= last->offset)
			last = &layout->fields[i];
	if (!last || !is_list(last))
		return layout->size;
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct ebpf_field *field = &layout->fields[i];
		bool is_other = field->offset < last->offset || !is_list(field); /* than the same bytes as another list */
		if (is_other && field->offset + field->layout->size > last->offset)
			return layout->size;
	}
	return last->offset;
}
