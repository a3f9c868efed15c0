/* type.c -- views of single types and their parts, straight from the bytes. */
#include "btf/private.h"

/* -- the whole -- */

uint32_t ebpf_btf_count(const struct ebpf_btf *btf)
{
	return btf->count;
}

uint32_t ebpf_btf_first_id(const struct ebpf_btf *btf)
{
	return btf->first_id;
}

struct ebpf_btf *ebpf_btf_base(const struct ebpf_btf *btf)
{
	return btf->base;
}

bool ebpf_btf_swapped(const struct ebpf_btf *btf)
{
	return btf->swapped;
}

bool ebpf_btf_big_endian(const struct ebpf_btf *btf)
{
	return btf->swapped != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

struct ebpf_span ebpf_btf_bytes(const struct ebpf_btf *btf)
{
	return btf->bytes;
}

const void *ebpf_btf_data(const struct ebpf_btf *btf, size_t *size)
{
	*size = btf->bytes.size;
	return btf->bytes.data;
}

void ebpf_btf_string_range(const struct ebpf_btf *btf, uint32_t *first, uint32_t *end)
{
	*first = btf->strings_first;
	*end = btf->strings_first + btf->strings_size;
}

const char *ebpf_btf_string(const struct ebpf_btf *btf, uint32_t offset)
{
	while (offset < btf->strings_first)
		btf = btf->base;
	offset -= btf->strings_first;
	return offset < btf->strings_size ? btf->strings + offset : "";
}

bool ebpf_btf_type(const struct ebpf_btf *btf, uint32_t id, struct ebpf_type *out)
{
	if (id >= btf->count)
		return false;
	if (!id) {
		*out = (struct ebpf_type){.name = "", .btf = btf};
		return true;
	}
	btf = btf_owner(btf, id);
	uint32_t offset = btf->offsets[id - btf->first_id];
	const uint8_t *at = btf->types + offset;
	uint32_t info = btf_word(at + 4, btf->swapped);
	*out = (struct ebpf_type){
	        .id = id,
	        .kind = btf_info_kind(info),
	        .kind_flag = btf_info_flag(info),
	        .vlen = btf_info_vlen(info),
	        .size = btf_word(at + 8, btf->swapped),
	        .name = ebpf_btf_string(btf, btf_word(at, btf->swapped)),
	        .extra = offset + BTF_TYPE_SIZE,
	        .btf = btf,
	};
	return true;
}

/* -- parts: a wrong kind or index gives zeros, so that a mistake of a caller cannot read outside -- */

void ebpf_type_int(const struct ebpf_type *type, uint32_t *encoding, uint32_t *offset, uint32_t *bits)
{
	uint32_t word = type->kind == BTF_KIND_INT ? btf_extra(type, 0) : 0;
	*encoding = word >> 24 & 0xf;
	*offset = word >> 16 & 0xff;
	*bits = word & 0xff;
}

/* Before Linux 5.0 a bit field was a member of an INT type made for it, which is narrower than its size. */
static void apply_old_bit_field(const struct ebpf_btf *btf, struct ebpf_member *member)
{
	struct ebpf_type type;
	uint32_t encoding, offset, bits;
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, member->type), &type) || type.kind != BTF_KIND_INT)
		return;
	ebpf_type_int(&type, &encoding, &offset, &bits);
	if (offset || bits != (uint64_t)type.size * 8) {
		member->bit_offset += offset;
		member->bit_size = bits;
	}
}

struct ebpf_member ebpf_type_member(const struct ebpf_type *type, uint32_t index)
{
	struct ebpf_member member = {.name = ""};
	if ((type->kind != BTF_KIND_STRUCT && type->kind != BTF_KIND_UNION) || index >= type->vlen)
		return member;
	uint32_t offset = btf_extra(type, 3 * index + 2);
	member.name = ebpf_btf_string(type->btf, btf_extra(type, 3 * index));
	member.type = btf_extra(type, 3 * index + 1);
	if (type->kind_flag) {
		member.bit_offset = offset & 0xffffff;
		member.bit_size = offset >> 24;
	} else {
		member.bit_offset = offset;
		if (__builtin_expect(type->btf->has_old_bit_fields, 0))
			apply_old_bit_field(type->btf, &member);
	}
	return member;
}

struct ebpf_btf_array ebpf_type_array(const struct ebpf_type *type)
{
	if (type->kind != BTF_KIND_ARRAY)
		return (struct ebpf_btf_array){0};
	return (struct ebpf_btf_array){.element = btf_extra(type, 0), .index = btf_extra(type, 1), .count = btf_extra(type, 2)};
}

struct ebpf_param ebpf_type_param(const struct ebpf_type *type, uint32_t index)
{
	if (type->kind != BTF_KIND_FUNC_PROTO || index >= type->vlen)
		return (struct ebpf_param){.name = ""};
	return (struct ebpf_param){.name = ebpf_btf_string(type->btf, btf_extra(type, 2 * index)),
	                           .type = btf_extra(type, 2 * index + 1)};
}

struct ebpf_btf_enum ebpf_type_enumerator(const struct ebpf_type *type, uint32_t index)
{
	struct ebpf_btf_enum result = {.name = "", .is_signed = type->kind_flag};
	if (index >= type->vlen)
		return result;
	if (type->kind == BTF_KIND_ENUM) {
		uint32_t value = btf_extra(type, 2 * index + 1);
		result.name = ebpf_btf_string(type->btf, btf_extra(type, 2 * index));
		result.value = type->kind_flag ? (int64_t)(int32_t)value : (int64_t)value;
	} else if (type->kind == BTF_KIND_ENUM64) {
		result.name = ebpf_btf_string(type->btf, btf_extra(type, 3 * index));
		result.value = (int64_t)(btf_extra(type, 3 * index + 1) | (uint64_t)btf_extra(type, 3 * index + 2) << 32);
	}
	return result;
}

struct ebpf_secinfo ebpf_type_secinfo(const struct ebpf_type *type, uint32_t index)
{
	if (type->kind != BTF_KIND_DATASEC || index >= type->vlen)
		return (struct ebpf_secinfo){0};
	return (struct ebpf_secinfo){.type = btf_extra(type, 3 * index),
	                             .offset = btf_extra(type, 3 * index + 1),
	                             .size = btf_extra(type, 3 * index + 2)};
}

uint32_t ebpf_type_linkage(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_VAR ? btf_extra(type, 0) : type->vlen;
}

int32_t ebpf_type_component(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_DECL_TAG ? (int32_t)btf_extra(type, 0) : -1;
}

uint32_t ebpf_btf_next_tag(const struct ebpf_btf *btf, uint32_t id, uint32_t after)
{
	struct ebpf_type type;
	/* A base's tags are about the base's types; those of split BTF may be about either's. */
	if (after < btf->first_id && btf->base && id < btf->first_id) {
		uint32_t tag = ebpf_btf_next_tag(btf->base, id, after);
		if (tag)
			return tag;
	}
	if (!btf->has_tags)
		return 0;
	after = after < btf->first_id ? btf->first_id : after + 1;
	for (; ebpf_btf_type(btf, after, &type); after++)
		if (type.kind == BTF_KIND_DECL_TAG && type.type == id)
			return after;
	return 0;
}

bool btf_reference(uint32_t info, uint32_t index, uint32_t *word)
{
	const uint32_t count = btf_info_vlen(info);
	switch (btf_info_kind(info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
	case BTF_KIND_TYPE_TAG:
		*word = 2;
		return index == 0;
	case BTF_KIND_ARRAY:
		*word = 4 - index; /* the type of indices first, as it is most often known */
		return index < 2;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		*word = 3 + 3 * index + 1;
		return index < count;
	case BTF_KIND_FUNC_PROTO:
		*word = index ? 3 + 2 * (index - 1) + 1 : 2;
		return index <= count;
	case BTF_KIND_DATASEC:
		*word = 3 + 3 * index;
		return index < count;
	default:
		return false;
	}
}

/* -- through chains -- */

static bool is_modifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE || kind == BTF_KIND_RESTRICT || kind == BTF_KIND_TYPE_TAG;
}

static uint32_t skip(const struct ebpf_btf *btf, uint32_t id, bool typedefs)
{
	for (int depth = 0; depth <= BTF_MAX_DEPTH; depth++) {
		if (!id || id >= btf->count)
			return 0;
		const struct ebpf_btf *owner = btf_owner(btf, id);
		const uint8_t *at = owner->types + owner->offsets[id - owner->first_id];
		uint32_t kind = btf_info_kind(btf_word(at + 4, owner->swapped));
		if (!is_modifier(kind) && !(typedefs && kind == BTF_KIND_TYPEDEF))
			return id;
		id = btf_word(at + 8, owner->swapped);
	}
	return 0;
}

uint32_t ebpf_btf_skip_modifiers(const struct ebpf_btf *btf, uint32_t id)
{
	return skip(btf, id, false);
}

uint32_t ebpf_btf_resolve(const struct ebpf_btf *btf, uint32_t id)
{
	return skip(btf, id, true);
}

int64_t ebpf_btf_sizeof(const struct ebpf_btf *btf, uint32_t id)
{
	uint64_t times = 1, size;
	struct ebpf_type type;

	for (int depth = 0; depth <= BTF_MAX_DEPTH; depth++) {
		if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, id), &type))
			return -EINVAL;
		switch (type.kind) {
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_DATASEC:
		case BTF_KIND_FLOAT:
			size = type.size;
			break;
		case BTF_KIND_PTR:
			size = ebpf_btf_pointer_size(btf);
			break;
		case BTF_KIND_VAR:
			id = type.type;
			continue;
		case BTF_KIND_ARRAY: {
			struct ebpf_btf_array array = ebpf_type_array(&type);
			if (__builtin_mul_overflow(times, (uint64_t)array.count, &times) || times > UINT32_MAX)
				return -E2BIG;
			id = array.element;
			continue;
		}
		default:
			return -EINVAL;
		}
		return times * size > UINT32_MAX ? -E2BIG : (int64_t)(times * size);
	}
	return -EINVAL;
}

int64_t ebpf_btf_size(const struct ebpf_btf *btf, uint32_t id, struct ebpf_error *err)
{
	char name[200];
	int64_t size = ebpf_btf_sizeof(btf, id);
	if (size >= 0)
		return size;
	if (ebpf_btf_print_name(btf, id, name, sizeof(name)) < 0)
		return ebpf_fail_memory(err);
	return ebpf_fail(err, (int)size, size == -E2BIG ? "type %u '%s': 4 GiB or more" : "type %u '%s': has no size", id, name);
}

int ebpf_btf_pointer_size(const struct ebpf_btf *btf)
{
	/* "long" is as wide as a pointer on every architecture that Linux runs on; compilers spell it differently. */
	static const char *const names[] = {
	        "long", "long int", "unsigned long", "long unsigned int", "unsigned long int", "long unsigned",
	};
	while (btf->base)
		btf = btf->base;
	if (!btf->pointer_size) {
		uint8_t size = 8;
		for (size_t i = 0; i < EBPF_COUNT(names); i++) {
			struct ebpf_type type;
			int64_t id = ebpf_btf_find_kind(btf, names[i], BTF_KIND_INT);
			if (id > 0 && ebpf_btf_type(btf, id, &type) && (type.size == 4 || type.size == 8)) {
				size = type.size;
				break;
			}
		}
		((struct ebpf_btf *)btf)->pointer_size = size; /* a cache: the object itself is never const */
	}
	return btf->pointer_size;
}
