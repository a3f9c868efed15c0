/* build_type.c -- types by hand: each of the 19 kinds, checked as the kernel checks them, written into a BTF under
 * construction. */
#include <stdlib.h>

#include "btf/build.h"

#define MAX_PARTS 0xffffu /* before Linux 7.1 */

/* -- what a kind has -- */

enum name_rule { NAME_NONE, NAME_ANY, NAME_WORD, NAME_MAY_BE_WORD, NAME_SECTION };
enum {
	HAS_TYPE = 1, /* refers to one type; which may be void with HAS_VOID */
	HAS_VOID = 2,
	HAS_SIZE = 4,
	HAS_PARTS = 8,
	HAS_FLAG = 16, /* kind_flag is the description's */
	HAS_LINKAGE = 32,
};
static const struct {
	uint8_t name, has;
} rules[BTF_KIND_COUNT] = {
        [BTF_KIND_INT] = {NAME_ANY, HAS_SIZE},
        [BTF_KIND_PTR] = {NAME_NONE, HAS_TYPE | HAS_VOID},
        [BTF_KIND_ARRAY] = {NAME_NONE, HAS_TYPE},
        [BTF_KIND_STRUCT] = {NAME_MAY_BE_WORD, HAS_SIZE | HAS_PARTS},
        [BTF_KIND_UNION] = {NAME_MAY_BE_WORD, HAS_SIZE | HAS_PARTS},
        [BTF_KIND_ENUM] = {NAME_MAY_BE_WORD, HAS_SIZE | HAS_PARTS | HAS_FLAG},
        [BTF_KIND_FWD] = {NAME_WORD, HAS_FLAG},
        [BTF_KIND_TYPEDEF] = {NAME_WORD, HAS_TYPE | HAS_VOID},
        [BTF_KIND_VOLATILE] = {NAME_NONE, HAS_TYPE | HAS_VOID},
        [BTF_KIND_CONST] = {NAME_NONE, HAS_TYPE | HAS_VOID},
        [BTF_KIND_RESTRICT] = {NAME_NONE, HAS_TYPE | HAS_VOID},
        [BTF_KIND_FUNC] = {NAME_WORD, HAS_TYPE | HAS_LINKAGE},
        [BTF_KIND_FUNC_PROTO] = {NAME_NONE, HAS_TYPE | HAS_VOID | HAS_PARTS},
        [BTF_KIND_VAR] = {NAME_WORD, HAS_TYPE | HAS_LINKAGE},
        [BTF_KIND_DATASEC] = {NAME_SECTION, HAS_SIZE | HAS_PARTS},
        [BTF_KIND_FLOAT] = {NAME_ANY, HAS_SIZE},
        [BTF_KIND_DECL_TAG] = {NAME_ANY, HAS_TYPE | HAS_FLAG},
        [BTF_KIND_TYPE_TAG] = {NAME_ANY, HAS_TYPE | HAS_VOID | HAS_FLAG},
        [BTF_KIND_ENUM64] = {NAME_MAY_BE_WORD, HAS_SIZE | HAS_PARTS | HAS_FLAG},
};

/* -- checks -- */

struct check {
	const struct ebpf_btf_description *type;
	const char *kind, *name; /* for messages */
	struct ebpf_error *err;
};

static int refuse(const struct check *check, int code, const char *what)
{
	return ebpf_fail(check->err, code, "BTF: %s '%.100s': %s", check->kind, check->name, what);
}

static int refuse_part(const struct check *check, int code, uint32_t index, const char *what)
{
	const char *name = check->type->parts[index].name;
	if (name && *name)
		return ebpf_fail(check->err, code, "BTF: %s '%.100s': '%.100s' %s", check->kind, check->name, name, what);
	return ebpf_fail(check->err, code, "BTF: %s '%.100s': part %u %s", check->kind, check->name, index + 1, what);
}

/* What the kernel takes for an identifier: dots as well, since compilers make such names. */
static bool is_word(const char *name)
{
	for (const char *c = name; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' || *c == '.';
		if (!letter && !(c > name && *c >= '0' && *c <= '9'))
			return false;
	}
	return *name;
}

static bool is_printable(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			return false;
	return *name;
}

static int check_name(const struct check *check, enum name_rule rule)
{
	const char *name = check->name;
	switch (rule) {
	case NAME_NONE:
		return *name ? refuse(check, EINVAL, "this kind has no name") : 0;
	case NAME_ANY:
	case NAME_SECTION:
		if (!is_printable(name))
			return refuse(check, EINVAL, *name ? "a name of printable characters is needed" : "a name is needed");
		return 0;
	case NAME_MAY_BE_WORD:
		if (!*name)
			return 0;
		break;
	case NAME_WORD:
		break;
	}
	return is_word(name) ? 0 : refuse(check, EINVAL, *name ? "the name is no identifier of C" : "a name is needed");
}

static bool is_power_of_two(uint32_t size)
{
	return size && !(size & (size - 1));
}

static int check_size(const struct check *check)
{
	const struct ebpf_btf_description *type = check->type;
	switch (type->kind) {
	case BTF_KIND_INT:
		if (!is_power_of_two(type->size) || type->size > 16)
			return refuse(check, EINVAL, "the size must be 1, 2, 4, 8 or 16");
		if (type->encoding != 0 && type->encoding != 1 && type->encoding != 2 && type->encoding != 4)
			return refuse(check, EINVAL, "the encoding must be one of signed, char and bool");
		if ((uint64_t)type->bits + type->bit_offset > 8 * (uint64_t)type->size || type->bits > 128)
			return refuse(check, EINVAL, "the bits are more than its size has");
		return 0;
	case BTF_KIND_FLOAT:
		if (type->size != 2 && type->size != 4 && type->size != 8 && type->size != 12 && type->size != 16)
			return refuse(check, EINVAL, "the size must be 2, 4, 8, 12 or 16");
		return 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (!is_power_of_two(type->size) || type->size > 8)
			return refuse(check, EINVAL, "the size must be 1, 2, 4 or 8");
		return 0;
	default:
		return 0;
	}
}

/* A bit field's size stands in the upper byte of its offset, when one member is a bit field. */
static bool has_bit_fields(const struct ebpf_btf_description *type)
{
	if (type->kind != BTF_KIND_STRUCT && type->kind != BTF_KIND_UNION)
		return false;
	for (uint32_t i = 0; i < type->part_count; i++)
		if (type->parts[i].size)
			return true;
	return false;
}

static int check_member(const struct check *check, uint32_t index, bool bit_fields)
{
	const struct ebpf_btf_description *type = check->type;
	const struct ebpf_btf_part *part = &type->parts[index];
	if (part->name && *part->name && !is_word(part->name))
		return refuse_part(check, EINVAL, index, "is no identifier of C");
	if (!part->type)
		return refuse_part(check, EINVAL, index, "needs a type");
	if (part->size > 128)
		return refuse_part(check, EINVAL, index, "has more than 128 bits");
	if (bit_fields && part->offset > 0xffffff)
		return refuse_part(check, ERANGE, index, "lies too far for a struct with bit fields (2 MiB)");
	if (type->kind == BTF_KIND_UNION && part->offset)
		return refuse_part(check, EINVAL, index, "of a union must lie at its start");
	if ((uint64_t)part->offset + part->size > 8 * (uint64_t)type->size)
		return refuse_part(check, EINVAL, index, "lies outside");
	if (type->kind == BTF_KIND_STRUCT && index && part->offset < type->parts[index - 1].offset)
		return refuse_part(check, EINVAL, index, "lies before the one before it");
	return 0;
}

static int check_enumerator(const struct check *check, uint32_t index)
{
	const struct ebpf_btf_description *type = check->type;
	const struct ebpf_btf_part *part = &type->parts[index];
	if (!part->name || !is_word(part->name))
		return refuse_part(check, EINVAL, index, "is no identifier of C");
	const int64_t lowest = type->flag ? INT32_MIN : 0, highest = type->flag ? INT32_MAX : UINT32_MAX;
	if (type->kind == BTF_KIND_ENUM && (part->value < lowest || part->value > highest))
		return refuse_part(check, ERANGE, index, "does not fit into 32 bits (signed enums say so; enum64 has more)");
	return 0;
}

static int check_entry(const struct check *check, uint32_t index)
{
	const struct ebpf_btf_description *type = check->type;
	const struct ebpf_btf_part *part = &type->parts[index];
	if (!part->type)
		return refuse_part(check, EINVAL, index, "needs a variable or function");
	/* Compilers leave sizes and offsets to the linker, or the loader. */
	if (type->size && (uint64_t)part->offset + part->size > type->size)
		return refuse_part(check, EINVAL, index, "lies outside");
	return 0;
}

static int check_parts(const struct check *check)
{
	const bool bit_fields = has_bit_fields(check->type);
	int result = 0;
	if (check->type->part_count > MAX_PARTS)
		return refuse(check, E2BIG, "more than 65535 parts");
	for (uint32_t i = 0; i < check->type->part_count && !result; i++) {
		const struct ebpf_btf_part *part = &check->type->parts[i];
		switch (check->type->kind) {
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			result = check_member(check, i, bit_fields);
			break;
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			result = check_enumerator(check, i);
			break;
		case BTF_KIND_DATASEC:
			result = check_entry(check, i);
			break;
		case BTF_KIND_FUNC_PROTO:
			if (part->name && *part->name && !is_word(part->name))
				result = refuse_part(check, EINVAL, i, "is no identifier of C");
			else if (!part->type && i + 1 < check->type->part_count)
				result = refuse_part(check, EINVAL, i, "needs a type (only a last one without is \"...\")");
			break;
		}
	}
	return result;
}

static int check_type(const struct check *check)
{
	const struct ebpf_btf_description *type = check->type;
	const uint8_t has = rules[type->kind].has;
	int result = check_name(check, rules[type->kind].name);
	if (!result && (has & HAS_SIZE))
		result = check_size(check);
	if (!result && (has & HAS_TYPE) && !(has & HAS_VOID) && !type->type)
		result = refuse(check, EINVAL, "needs a type");
	if (!result && (has & HAS_LINKAGE) && type->linkage > BTF_VAR_EXTERN)
		result = refuse(check, EINVAL, "the linkage must be static, global or extern");
	if (!result && type->kind == BTF_KIND_ARRAY && !type->index)
		result = refuse(check, EINVAL, "needs a type for its indices");
	if (!result && type->kind == BTF_KIND_DECL_TAG && type->component < -1)
		result = refuse(check, EINVAL, "the component must be -1 or a number from 0");
	if (!result && (has & HAS_PARTS))
		result = check_parts(check);
	return result;
}

/* -- writing -- */

static void note_reference(struct ebpf_btf_builder *builder, uint32_t from, uint32_t to)
{
	if (to > builder->farthest.to) {
		builder->farthest.from = from;
		builder->farthest.to = to;
	}
}

static void put_reference(struct ebpf_btf_builder *builder, uint32_t from, uint32_t to)
{
	note_reference(builder, from, to);
	btf_put(builder, to);
}

static void put_parts(struct ebpf_btf_builder *builder, uint32_t id, const struct ebpf_btf_description *type)
{
	const bool bit_fields = has_bit_fields(type);
	for (uint32_t i = 0; i < type->part_count; i++) {
		const struct ebpf_btf_part *part = &type->parts[i];
		if (type->kind == BTF_KIND_DATASEC) {
			put_reference(builder, id, part->type);
			btf_put(builder, part->offset);
			btf_put(builder, part->size);
			continue;
		}
		btf_put_name(builder, part->name ? part->name : "");
		switch (type->kind) {
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			put_reference(builder, id, part->type);
			btf_put(builder, bit_fields ? part->offset | part->size << 24 : part->offset);
			break;
		case BTF_KIND_FUNC_PROTO:
			put_reference(builder, id, part->type);
			break;
		case BTF_KIND_ENUM:
			btf_put(builder, (uint32_t)part->value);
			break;
		default:
			btf_put(builder, (uint32_t)part->value);
			btf_put(builder, (uint32_t)((uint64_t)part->value >> 32));
		}
	}
}

static void put_type(struct ebpf_btf_builder *builder, uint32_t id, const struct ebpf_btf_description *type, const char *name)
{
	const uint8_t has = rules[type->kind].has;
	const bool flag = has & HAS_FLAG ? type->flag : has_bit_fields(type);
	const uint32_t vlen = has & HAS_PARTS ? type->part_count : type->kind == BTF_KIND_FUNC ? type->linkage : 0;
	const bool array = type->kind == BTF_KIND_ARRAY;
	const uint32_t third = has & HAS_SIZE ? type->size : (has & HAS_TYPE) && !array ? type->type : 0;

	btf_put_type(builder, name, type->kind, flag, vlen, third);
	if (has & HAS_TYPE)
		note_reference(builder, id, type->type);
	if (type->kind == BTF_KIND_INT)
		btf_put(builder, type->encoding << 24 | type->bit_offset << 16 | (type->bits ? type->bits : 8 * type->size));
	if (array) {
		btf_put(builder, type->type);
		put_reference(builder, id, type->index);
		btf_put(builder, type->count);
	}
	if (type->kind == BTF_KIND_VAR)
		btf_put(builder, type->linkage);
	if (type->kind == BTF_KIND_DECL_TAG)
		btf_put(builder, (uint32_t)type->component);
	if (has & HAS_PARTS)
		put_parts(builder, id, type);
}

/* -- the interface -- */

int64_t ebpf_btf_builder_reserve(struct ebpf_btf_builder *builder, struct ebpf_error *err)
{
	struct reserved *grown = ebpf_grow(builder->reserved, &builder->reserved_capacity, builder->reserved_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	builder->reserved = grown;
	int64_t id = builder->code ? builder->code : btf_next_id(builder);
	if (id < 0) {
		btf_builder_fail(builder, (int)id);
		return btf_builder_error(builder, err);
	}
	grown[builder->reserved_count++] = (struct reserved){.id = (uint32_t)id, .at = builder->types.size};
	return id;
}

static struct reserved *find_reserved(struct ebpf_btf_builder *builder, uint32_t id)
{
	size_t low = 0, high = builder->reserved_count; /* their ids rise */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (builder->reserved[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < builder->reserved_count && builder->reserved[low].id == id ? &builder->reserved[low] : NULL;
}

/* Into the place that is kept for it. */
static void put_late(struct ebpf_btf_builder *builder, struct reserved *reserved, const struct ebpf_btf_description *type,
                     const char *name)
{
	struct ebpf_buffer types = builder->types;
	builder->types = builder->late;
	reserved->start = builder->types.size;
	put_type(builder, reserved->id, type, name);
	reserved->size = builder->types.size - reserved->start;
	builder->late = builder->types;
	builder->types = types;
}

int64_t ebpf_btf_builder_add_type(struct ebpf_btf_builder *builder, const struct ebpf_btf_description *given,
                                  struct ebpf_error *err)
{
	struct ebpf_btf_description type = {0};
	memcpy(&type, given, given->size_of < sizeof(type) ? given->size_of : sizeof(type));
	struct check check = {.type = &type, .name = type.name ? type.name : "", .err = err};
	struct reserved *reserved = NULL;

	if (!type.kind || type.kind >= BTF_KIND_COUNT)
		return ebpf_fail(err, EINVAL, "BTF: kind %u is not known", type.kind);
	check.kind = ebpf_enum_name(EBPF_BTF_KIND, type.kind);
	int result = check_type(&check);
	if (result)
		return result;
	if (type.id) {
		reserved = find_reserved(builder, type.id);
		if (!reserved || reserved->size)
			return ebpf_fail(err, EINVAL, "BTF: %s '%.100s': type %u is not reserved for anything", check.kind,
			                 check.name, type.id);
	}
	int64_t id = builder->code ? builder->code : type.id ? (int64_t)type.id : btf_next_id(builder);
	if (id < 0) {
		btf_builder_fail(builder, (int)id);
		return btf_builder_error(builder, err);
	}
	if (reserved)
		put_late(builder, reserved, &type, check.name);
	else
		put_type(builder, (uint32_t)id, &type, check.name);
	return builder->code ? btf_builder_error(builder, err) : id;
}
