/* read.c -- bytes to struct ebpf_btf: the header, and one pass that checks every type and notes where it starts. */
#include <stdlib.h>

#include "btf/private.h"

struct header {
	uint32_t size, type_offset, type_size, string_offset, string_size, kinds_offset, kinds_size;
};

/* -- the header -- */

static int read_header(struct ebpf_span *bytes, struct header *out, struct ebpf_error *err)
{
	uint16_t magic;
	uint8_t version;
	if (!ebpf_span_u16(*bytes, 0, &magic) || !ebpf_span_u8(*bytes, 2, &version))
		return ebpf_fail(err, EINVAL, "BTF: %zu bytes are too few for a header", bytes->size);
	if (magic != BTF_MAGIC && magic != __builtin_bswap16(BTF_MAGIC))
		return ebpf_fail(err, EINVAL, "BTF: the bytes do not begin with the BTF magic number");
	bytes->swapped = magic != BTF_MAGIC;
	if (version != 1)
		return ebpf_fail(err, ENOTSUP, "BTF: version %u is not known", version);
	*out = (struct header){0};
	if (!ebpf_span_u32(*bytes, 4, &out->size) || !ebpf_span_u32(*bytes, 8, &out->type_offset) ||
	    !ebpf_span_u32(*bytes, 12, &out->type_size) || !ebpf_span_u32(*bytes, 16, &out->string_offset) ||
	    !ebpf_span_u32(*bytes, 20, &out->string_size) || out->size < BTF_HEADER_SIZE || out->size > bytes->size)
		return ebpf_fail(err, EINVAL, "BTF: the header is cut off");
	/* Linux 7.1: a table of the sizes of all kinds, so that kinds from the future can be stepped over. */
	if (out->size >= 32 && (!ebpf_span_u32(*bytes, 24, &out->kinds_offset) || !ebpf_span_u32(*bytes, 28, &out->kinds_size)))
		return ebpf_fail(err, EINVAL, "BTF: the header is cut off");
	return 0;
}

static int find_sections(struct ebpf_btf *btf, const struct header *header, struct ebpf_error *err)
{
	struct ebpf_span body, types, strings, kinds;
	if (!ebpf_span_sub(btf->bytes, header->size, btf->bytes.size - header->size, &body) ||
	    !ebpf_span_sub(body, header->type_offset, header->type_size, &types))
		return ebpf_fail(err, EINVAL, "BTF: the types (%u bytes) reach past the end", header->type_size);
	if (!ebpf_span_sub(body, header->string_offset, header->string_size, &strings))
		return ebpf_fail(err, EINVAL, "BTF: the strings (%u bytes) reach past the end", header->string_size);
	if (header->kinds_size % 4 || !ebpf_span_sub(body, header->kinds_offset, header->kinds_size, &kinds))
		return ebpf_fail(err, EINVAL, "BTF: the table of kinds is malformed");
	if (strings.size ? strings.data[strings.size - 1] != 0 : !btf->base)
		return ebpf_fail(err, EINVAL, "BTF: the strings do not end in NUL");
	if (!btf->base && strings.data[0]) {
		ebpf_fail(err, EINVAL, "BTF: the first string is not the empty one");
		ebpf_hint(err, "split BTF, such as a kernel module's, is read together with its base (vmlinux)");
		return -EINVAL;
	}
	if (strings.size > UINT32_MAX - btf->strings_first)
		return ebpf_fail(err, E2BIG, "BTF: more strings than 32 bits can address");
	btf->types = types.data;
	btf->types_size = types.size;
	btf->strings = (const char *)strings.data;
	btf->strings_size = strings.size;
	btf->kind_sizes = kinds.data;
	btf->kind_sizes_count = kinds.size / 4;
	return 0;
}

/* -- the types -- */

static int fail_type(const struct ebpf_btf *btf, uint32_t index, struct ebpf_error *err, const char *why)
{
	return ebpf_fail(err, EINVAL, "BTF: type %u: %s", btf->first_id + index, why);
}

/* Bytes that follow the common part of a type of a kind from the future; -1 when the BTF does not say. */
static int64_t unknown_kind_size(const struct ebpf_btf *btf, uint32_t kind, uint32_t vlen)
{
	while (btf && !btf->kind_sizes_count)
		btf = btf->base;
	if (!btf || kind == BTF_KIND_UNKN || kind >= btf->kind_sizes_count)
		return -1;
	const uint8_t *row = btf->kind_sizes + 4 * (size_t)kind;
	return row[0] % 4 || row[1] % 4 ? -1 : row[0] + (int64_t)row[1] * vlen;
}

struct maxima {
	uint32_t name, id;
};

static inline uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* The greatest name and type id in `count` entries of `stride` words that begin with a name and, where `ids`, go on
 * with a type. */
__attribute__((always_inline)) static inline struct maxima scan_entries(const uint8_t *entry, uint32_t count, uint32_t stride,
                                                                        bool ids, bool swapped, struct maxima max)
{
	for (uint32_t i = 0; i < count; i++, entry += 4 * stride) {
		max.name = max_u32(max.name, btf_word(entry, swapped));
		if (ids)
			max.id = max_u32(max.id, btf_word(entry + 4, swapped));
	}
	return max;
}

__attribute__((always_inline)) static inline uint32_t scan_section(const uint8_t *entry, uint32_t count, bool swapped)
{
	uint32_t max = 0;
	for (uint32_t i = 0; i < count; i++, entry += 12)
		max = max_u32(max, btf_word(entry, swapped));
	return max;
}

/* Words per entry of the kinds whose vlen counts entries. */
static const uint8_t entry_words[BTF_KIND_COUNT] = {
        [BTF_KIND_STRUCT] = 3,     [BTF_KIND_UNION] = 3,   [BTF_KIND_ENUM] = 2,
        [BTF_KIND_FUNC_PROTO] = 2, [BTF_KIND_DATASEC] = 3, [BTF_KIND_ENUM64] = 3,
};
static const uint8_t fixed_words[BTF_KIND_COUNT] = {
        [BTF_KIND_INT] = 1,
        [BTF_KIND_ARRAY] = 3,
        [BTF_KIND_VAR] = 1,
        [BTF_KIND_DECL_TAG] = 1,
};

/* Bytes that follow the common part of a type, or -1 when the kind is not known. */
__attribute__((always_inline)) static inline int64_t data_size(const struct ebpf_btf *btf, uint32_t kind, uint32_t vlen)
{
	if (kind - 1 < BTF_KIND_COUNT - 1)
		return 4 * (int64_t)(fixed_words[kind] + entry_words[kind] * vlen);
	return unknown_kind_size(btf, kind, vlen);
}

/* The greatest name and type id in a type whose own data stands at `at`. */
__attribute__((always_inline)) static inline struct maxima scan_type(struct ebpf_btf *btf, const uint8_t *at, uint32_t kind,
                                                                     uint32_t vlen, uint32_t third, struct maxima max,
                                                                     const bool swapped)
{
	switch (kind) {
	case BTF_KIND_FUNC_PROTO:
		max.id = third;
		return scan_entries(at, vlen, 2, true, swapped, max);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return scan_entries(at, vlen, 3, true, swapped, max);
	case BTF_KIND_ENUM:
		return scan_entries(at, vlen, 2, false, swapped, max);
	case BTF_KIND_ENUM64:
		return scan_entries(at, vlen, 3, false, swapped, max);
	case BTF_KIND_DATASEC:
		max.id = scan_section(at, vlen, swapped);
		return max;
	case BTF_KIND_ARRAY:
		max.id = max_u32(btf_word(at, swapped), btf_word(at + 4, swapped));
		return max;
	case BTF_KIND_INT: {
		uint32_t word = btf_word(at, swapped);
		btf->has_old_bit_fields |= (word >> 16 & 0xff) || (word & 0xff) != (uint64_t)third * 8;
		return max;
	}
	case BTF_KIND_DECL_TAG:
		btf->has_tags = true;
		max.id = third;
		return max;
	case BTF_KIND_FWD:
	case BTF_KIND_FLOAT:
		return max;
	default: /* those whose third word is a type, and those from the future */
		max.id = kind < BTF_KIND_COUNT ? third : 0;
		return max;
	}
}

/* Checks all types and fills offsets[]. Type ids may refer forward, and the count is known at the end alone: so the
 * greatest id that occurs comes back in *max_id, and the caller who finds it too great calls again with `id_limit`
 * to learn which type it was. Returns the number of types or -EINVAL. */
__attribute__((always_inline)) static inline int64_t scan_types(struct ebpf_btf *btf, const bool swapped, uint64_t id_limit,
                                                                uint32_t *max_id, struct ebpf_error *err)
{
	const uint8_t *at = btf->types, *end = at + btf->types_size;
	uint32_t name_limit = btf->strings_first + btf->strings_size, total_max = 0, index = 0;
	uint32_t *offsets = btf->offsets, *named = btf->named, named_count = 0, code_count = 0;

	for (; at < end; index++) {
		if ((size_t)(end - at) < BTF_TYPE_SIZE)
			return fail_type(btf, index, err, "cut off");
		uint32_t info = btf_word(at + 4, swapped), third = btf_word(at + 8, swapped);
		uint32_t kind = btf_info_kind(info), vlen = btf_info_vlen(info);
		uint32_t name = btf_word(at, swapped);
		int64_t size = data_size(btf, kind, vlen);
		offsets[index] = at - btf->types;
		at += BTF_TYPE_SIZE;
		if (size < 0)
			return ebpf_fail(err, EINVAL, "BTF: type %u: kind %u is not known", btf->first_id + index, kind);
		if (size > end - at)
			return fail_type(btf, index, err, "reaches past the end of the types");
		struct maxima max = scan_type(btf, at, kind, vlen, third, (struct maxima){.name = name}, swapped);
		if (__builtin_expect(max.name >= name_limit && max.name, 0))
			return fail_type(btf, index, err, "a name lies outside of the strings");
		if (__builtin_expect(max.id >= id_limit, 0))
			return ebpf_fail(err, EINVAL, "BTF: type %u: refers to type %u, but there are %u", btf->first_id + index,
			                 max.id, (uint32_t)id_limit);
		total_max = max_u32(total_max, max.id);
		at += size;
		/* For the name index, which need not look at all types again then. Without branches: written always,
		 * kept when it counts. */
		named[named_count] = index;
		uint32_t has_name = (kind < BTF_KIND_COUNT) & (name != 0);
		named_count += has_name & btf_type_names >> kind % 64;
		code_count += has_name & btf_code_names >> kind % 64;
	}
	*max_id = total_max;
	btf->named_count = named_count;
	btf->code_count = code_count;
	return index;
}

static int64_t scan_either(struct ebpf_btf *btf, uint64_t id_limit, uint32_t *max_id, struct ebpf_error *err)
{
	return btf->swapped ? scan_types(btf, true, id_limit, max_id, err) : scan_types(btf, false, id_limit, max_id, err);
}

static int index_types(struct ebpf_btf *btf, struct ebpf_error *err)
{
	/* Room for as many types as the bytes can hold (a third of their size); pages that no offset touches cost
	 * nothing, and the rest is given back below. */
	size_t most = btf->types_size / BTF_TYPE_SIZE + 1;
	uint32_t max_id = 0;
	btf->offsets = malloc(most * sizeof(*btf->offsets));
	btf->named = malloc(most * sizeof(*btf->named));
	if (!btf->offsets || !btf->named)
		return ebpf_fail_memory(err);
	int64_t count = scan_either(btf, UINT64_MAX, &max_id, err);
	if (count < 0)
		return count;
	if (count >= UINT32_MAX - btf->first_id)
		return ebpf_fail(err, E2BIG, "BTF: too many types");
	btf->count = btf->first_id + count;
	if (max_id >= btf->count) {
		count = scan_either(btf, btf->count, &max_id, err);
		return count < 0 ? count : ebpf_fail(err, EINVAL, "BTF: refers to type %u, but there are %u", max_id, btf->count);
	}
	uint32_t *fitting = realloc(btf->offsets, (count + 1) * sizeof(*fitting));
	if (fitting)
		btf->offsets = fitting;
	fitting = realloc(btf->named, (btf->named_count + (size_t)1) * sizeof(*fitting));
	if (fitting)
		btf->named = fitting;
	return 0;
}

/* -- life -- */

static void btf_destroy(struct ebpf_btf *btf)
{
	btf_index_free(btf);
	free(btf->offsets);
	ebpf_btf_free(btf->base);
	free(btf);
}

int ebpf_btf_adopt(const void *data, size_t size, struct ebpf_btf *base,
                   void (*release)(void *context, const void *data, size_t size), void *context, struct ebpf_btf **out,
                   struct ebpf_error *err)
{
	struct header header;
	struct ebpf_span bytes = {.data = data, .size = size};
	int result = read_header(&bytes, &header, err);
	if (result)
		return result;
	if (base && base->swapped != bytes.swapped)
		return ebpf_fail(err, EINVAL, "BTF: the byte order is not that of the base");
	struct ebpf_btf *btf = calloc(1, sizeof(*btf));
	if (!btf)
		return ebpf_fail_memory(err);
	btf->references = 1;
	btf->bytes = bytes;
	btf->swapped = bytes.swapped;
	btf->base = base ? ebpf_btf_ref(base) : NULL;
	btf->first_id = base ? base->count : 1;
	btf->strings_first = base ? base->strings_first + base->strings_size : 0;
	result = find_sections(btf, &header, err);
	if (!result)
		result = index_types(btf, err);
	if (result) {
		btf_destroy(btf);
		return result;
	}
	btf->has_old_bit_fields |= base && base->has_old_bit_fields;
	btf->release = release;
	btf->context = context;
	*out = btf;
	return 0;
}

static void release_copy(void *context, const void *data, size_t size)
{
	(void)context;
	(void)size;
	free((void *)data);
}

int ebpf_btf_read(const void *data, size_t size, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	void *copy = malloc(size ? size : 1);
	if (!copy)
		return ebpf_fail_memory(err);
	if (size)
		memcpy(copy, data, size);
	int result = ebpf_btf_adopt(copy, size, base, release_copy, NULL, out, err);
	if (result)
		free(copy);
	return result;
}

struct ebpf_btf *ebpf_btf_ref(struct ebpf_btf *btf)
{
	if (btf)
		btf->references++;
	return btf;
}

void ebpf_btf_free(struct ebpf_btf *btf)
{
	/* Not recursive along the bases' chain but for its depth, which is the caller's: a base is made before what
	 * stands on it. */
	if (!btf || --btf->references)
		return;
	if (btf->release)
		btf->release(btf->context, btf->bytes.data, btf->bytes.size);
	btf_destroy(btf);
}
