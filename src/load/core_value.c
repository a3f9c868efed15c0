/* core_value.c -- the number that a relocation stands for, in the object's types and in the target's. */
#include "load/core_impl.h"

/* Where the bits of a field are, and of what type it is. */
struct place {
	uint64_t bit_offset, bit_size;
	uint64_t byte_offset, byte_size; /* of the load that reads it */
	bool bitfield;
	uint32_t type_id;                /* behind typedefs and qualifiers */
	struct ebpf_type type;
};

/* The compiler's offset of a bit field is that of the whole integer; where a field crosses its integer's end, the next
 * larger one is loaded. */
static int place_bitfield(struct place *place, struct ebpf_error *err)
{
	uint64_t size = place->type.size, offset;

	if ((place->type.kind != BTF_KIND_INT && !core_is_enum(&place->type)) || !size || size > 8 || (size & (size - 1)))
		return ebpf_fail(err, EINVAL, "bit field of an impossible type");
	for (;; size *= 2) {
		if (size > 8)
			return ebpf_fail(err, E2BIG, "bit field cannot be read with one load");
		offset = place->bit_offset / 8 / size * size;
		if (place->bit_offset + place->bit_size - offset * 8 <= size * 8)
			break;
	}
	place->byte_offset = offset;
	place->byte_size = size;
	return 0;
}

static int place_of(const struct core_spec *spec, struct place *place, struct ebpf_error *err)
{
	const struct core_step *step = &spec->steps[spec->count - 1];
	struct ebpf_member member = { 0 };
	struct ebpf_type owner;
	int64_t size;

	*place = (struct place){ .bit_offset = spec->bit_offset, .type_id = step->type_id };
	if (step->name) {
		if (!ebpf_btf_type(spec->btf, step->type_id, &owner))
			return ebpf_fail(err, EINVAL, "type %u is missing", step->type_id);
		member = ebpf_type_member(&owner, step->index);
		place->type_id = member.type;
	}
	if (!core_resolve(spec->btf, &place->type_id, &place->type))
		return ebpf_fail(err, EINVAL, "type %u is missing", place->type_id);
	if (member.bit_size) {
		place->bitfield = true;
		place->bit_size = member.bit_size;
		return place_bitfield(place, err);
	}
	size = ebpf_btf_sizeof(spec->btf, place->type_id);
	if (size < 0)
		return ebpf_fail(err, EINVAL, "type %u ('%s') has no size", place->type_id, place->type.name);
	place->byte_size = (uint64_t)size;
	place->bit_size = place->byte_size * 8;
	place->byte_offset = spec->bit_offset / 8;
	return 0;
}

/* What a load or store of the field touches: of arrays one element. */
static int access_size(const struct core_spec *spec, const struct place *place, uint32_t *out, struct ebpf_error *err)
{
	uint32_t id = place->type_id;
	struct ebpf_type type = place->type;
	int64_t size;

	for (int depth = 0; type.kind == BTF_KIND_ARRAY && depth < CORE_DEPTH; depth++) {
		id = ebpf_type_array(&type).element;
		if (!core_resolve(spec->btf, &id, &type))
			break;
	}
	size = ebpf_btf_sizeof(spec->btf, id);
	if (size < 0 || size > UINT32_MAX)
		return ebpf_fail(err, EINVAL, "elements of type %u have no size", id);
	*out = (uint32_t)size;
	return 0;
}

static bool is_signed(const struct ebpf_type *type)
{
	uint32_t encoding, offset, bits;

	if (core_is_enum(type))
		return type->kind_flag;
	if (type->kind != BTF_KIND_INT)
		return false;
	ebpf_type_int(type, &encoding, &offset, &bits);
	return encoding & BTF_INT_SIGNED;
}

static uint64_t left_shift(const struct place *place)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (uint32_t)(64 - (place->bit_offset + place->bit_size - place->byte_offset * 8));
#else
	return (uint32_t)((8 - place->byte_size) * 8 + place->bit_offset - place->byte_offset * 8);
#endif
}

/* One side of a field relocation. `size` stays 0 where the width of an access does not matter. */
static int field_value(const struct core_spec *spec, uint64_t *value, uint32_t *size, struct place *place, bool *validate,
		       struct ebpf_error *err)
{
	bool element = !spec->steps[spec->count - 1].name;
	int result = place_of(spec, place, err);

	if (result)
		return result;
	/* which integer a bit field is loaded with is the compiler's choice; its right shift and its sign are not */
	*validate = !place->bitfield || spec->kind == CORE_FIELD_SIGNED || spec->kind == CORE_FIELD_RSHIFT;
	if (element && spec->kind != CORE_FIELD_BYTE_OFFSET && spec->kind != CORE_FIELD_BYTE_SIZE)
		return ebpf_fail(err, EINVAL, "does not apply to an array's element");
	switch (spec->kind) {
	case CORE_FIELD_BYTE_OFFSET:
		*value = place->byte_offset;
		return place->bitfield ? 0 : access_size(spec, place, size, err);
	case CORE_FIELD_BYTE_SIZE:
		*value = place->byte_size;
		return 0;
	case CORE_FIELD_SIGNED:
		*value = is_signed(&place->type);
		return 0;
	case CORE_FIELD_LSHIFT:
		*value = left_shift(place);
		return 0;
	default: /* CORE_FIELD_RSHIFT */
		*value = (uint32_t)(64 - place->bit_size);
		return 0;
	}
}

/* Zero extension by a narrower or wider load keeps an unsigned value and a pointer right; a signed one would come out wrong. */
static bool may_resize(const struct ebpf_type *a, const struct ebpf_type *b)
{
	uint32_t a_encoding, b_encoding, offset, bits;

	if (a->kind == BTF_KIND_PTR && b->kind == BTF_KIND_PTR)
		return true;
	if (a->kind != BTF_KIND_INT || b->kind != BTF_KIND_INT)
		return false;
	ebpf_type_int(a, &a_encoding, &offset, &bits);
	ebpf_type_int(b, &b_encoding, &offset, &bits);
	return a_encoding != BTF_INT_SIGNED && b_encoding != BTF_INT_SIGNED;
}

static int field_values(const struct core_spec *local, const struct core_spec *target, struct core_result *result,
			struct ebpf_error *err)
{
	struct place old_place, new_place;
	bool ignored;
	int code;

	if (local->kind == CORE_FIELD_EXISTS) {
		result->old_value = 1;
		result->new_value = target != NULL;
		return 0;
	}
	code = field_value(local, &result->old_value, &result->old_size, &old_place, &result->validate, err);
	if (code)
		return code;
	if (!target) {
		result->poison = true;
		return 0;
	}
	code = field_value(target, &result->new_value, &result->new_size, &new_place, &ignored, err);
	if (code)
		return ebpf_wrap(err, code, "in the target");
	result->wrong_resize = result->old_size != result->new_size && !may_resize(&old_place.type, &new_place.type);
	return 0;
}

static int type_value(const struct core_spec *spec, uint64_t *value, struct ebpf_error *err)
{
	int64_t size;

	switch (spec->kind) {
	case CORE_TYPE_ID_TARGET: /* of a module's type: the number counts on after vmlinux, as for libbpf */
		*value = spec->root;
		return 0;
	case CORE_TYPE_SIZE:
		size = ebpf_btf_sizeof(spec->btf, spec->root);
		if (size < 0)
			return ebpf_fail(err, EINVAL, "type %u has no size", spec->root);
		*value = (uint64_t)size;
		return 0;
	default: /* exists, matches */
		*value = 1;
		return 0;
	}
}

static int type_values(const struct core_spec *local, const struct core_spec *target, struct core_result *result,
		       struct ebpf_error *err)
{
	int code = type_value(local, &result->old_value, err);

	/* linkers of objects renumber types and leave the instruction behind */
	result->validate = local->kind != CORE_TYPE_ID_TARGET;
	if (code || !target)
		return code;
	code = type_value(target, &result->new_value, err);
	return code ? ebpf_wrap(err, code, "in the target") : 0;
}

/* 32-bit enumerators are extended by their sign whether the enum is signed or not: compilers before clang 15 do not say
 * which. Where the instruction shows that the compiler took it for unsigned, core_patch does the same. */
static uint64_t enumerator(const struct core_spec *spec, bool *narrow)
{
	struct ebpf_type type;
	int64_t value;

	if (!ebpf_btf_type(spec->btf, spec->steps[0].type_id, &type))
		return 0;
	value = ebpf_type_enumerator(&type, spec->steps[0].index).value;
	*narrow = type.kind == BTF_KIND_ENUM;
	return *narrow ? (uint64_t)(int64_t)(int32_t)value : (uint64_t)value;
}

static void enum_values(const struct core_spec *local, const struct core_spec *target, struct core_result *result)
{
	if (local->kind == CORE_ENUM_EXISTS) {
		result->old_value = 1;
		result->new_value = target != NULL;
		return;
	}
	result->old_value = enumerator(local, &result->narrow_old);
	if (target)
		result->new_value = enumerator(target, &result->narrow_new);
	else
		result->poison = true;
}

int core_value(const struct core_spec *local, const struct core_spec *target, struct core_result *result, struct ebpf_error *err)
{
	*result = (struct core_result){ .validate = true };
	if (core_kind_is_field(local->kind))
		return field_values(local, target, result, err);
	if (core_kind_is_type(local->kind))
		return type_values(local, target, result, err);
	enum_values(local, target, result);
	return 0;
}
