/* core_types.c -- may one type stand for another? Three questions: for a field's access, for "exists" and "size", and
 * for "matches". */
#include "load/core_impl.h"

enum { CHAIN = 32, LEVELS = 32 }; /* pointers and arrays in a row; nested structs and signatures */

bool core_resolve(const struct ebpf_btf *btf, uint32_t *id, struct ebpf_type *type)
{
	uint32_t behind;

	if (!ebpf_btf_type(btf, *id, type))
		return false;
	behind = ebpf_btf_resolve(btf, *id);
	if (!behind && *id && type->kind != BTF_KIND_UNKN) { /* void itself, or a chain without end */
		*id = 0;
		return ebpf_btf_type(btf, 0, type);
	}
	*id = behind;
	return ebpf_btf_type(btf, behind, type);
}

/* Names without flavour are equal; an anonymous one equals only an anonymous one. `length` is that of `local`. */
static bool same_essence(const char *local, size_t length, const char *target)
{
	return !strncmp(local, target, length) && ebpf_essential_length(target) == length;
}

/* A bit field of the encoding before kind_flag, with its place in the integer instead of in the struct: no compiler
 * makes it any more. */
static bool has_offset(const struct ebpf_type *type)
{
	uint32_t encoding, offset, bits;

	ebpf_type_int(type, &encoding, &offset, &bits);
	return offset != 0;
}

/* Structs and unions may stand for each other, pointers, floats and integers for their like of whatever size; enums and
 * forward declarations want the same name or none; arrays look at their elements, not at their number. */
int core_fields_agree(const struct ebpf_btf *local, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id)
{
	struct ebpf_type a, b;

	for (int depth = 0; depth < CORE_DEPTH; depth++) {
		if (!core_resolve(local, &local_id, &a) || !core_resolve(target, &target_id, &b))
			return -EINVAL;
		if (core_is_composite(&a) && core_is_composite(&b))
			return 1;
		if (!core_kinds_agree(&a, &b))
			return 0;
		switch (a.kind) {
		case BTF_KIND_PTR:
		case BTF_KIND_FLOAT:
			return 1;
		case BTF_KIND_FWD:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return !*a.name || !*b.name || same_essence(a.name, ebpf_essential_length(a.name), b.name);
		case BTF_KIND_INT:
			return !has_offset(&a) && !has_offset(&b);
		case BTF_KIND_ARRAY:
			local_id = ebpf_type_array(&a).element;
			target_id = ebpf_type_array(&b).element;
			break;
		default:
			return 0;
		}
	}
	return -E2BIG;
}

/* -- "exists", "size", "id": kinds along pointers, arrays and signatures -- */

static int types_agree(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id, int levels);

/* The parameters of two signatures; their results are the caller's. */
static int params_agree(struct ebpf_core *core, const struct ebpf_type *a, const struct ebpf_type *b, int levels)
{
	if (a->vlen != b->vlen)
		return 0;
	for (uint32_t i = 0; i < a->vlen; i++) {
		struct ebpf_type type;
		uint32_t local_id = ebpf_type_param(a, i).type, target_id = ebpf_type_param(b, i).type;
		int result;

		if (levels <= 0 || !core_resolve(core->local, &local_id, &type) || !core_resolve(b->btf, &target_id, &type))
			return -EINVAL;
		result = types_agree(core, local_id, b->btf, target_id, levels - 1);
		if (result <= 0)
			return result;
	}
	return 1;
}

static int types_agree(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id, int levels)
{
	struct ebpf_type a, b;

	if (!ebpf_btf_type(core->local, local_id, &a) || !ebpf_btf_type(target, target_id, &b))
		return -EINVAL;
	if (!core_kinds_agree(&a, &b)) /* of the roots as they are: a typedef does not stand for a struct */
		return 0;
	for (int depth = 0; depth < CHAIN; depth++) {
		int result;

		if (!core_work(core, 1))
			return -E2BIG;
		if (!core_resolve(core->local, &local_id, &a) || !core_resolve(target, &target_id, &b))
			return -EINVAL;
		if (!core_kinds_agree(&a, &b))
			return 0;
		switch (a.kind) {
		case BTF_KIND_UNKN:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FWD:
			return 1;
		case BTF_KIND_INT:
			return !has_offset(&a) && !has_offset(&b);
		case BTF_KIND_ARRAY:
			local_id = ebpf_type_array(&a).element;
			target_id = ebpf_type_array(&b).element;
			break;
		case BTF_KIND_FUNC_PROTO:
			result = params_agree(core, &a, &b, levels);
			if (result <= 0)
				return result;
			/* fall through */
		case BTF_KIND_PTR:
			local_id = a.type;
			target_id = b.type;
			break;
		default:
			return 0;
		}
	}
	return -EINVAL;
}

int core_types_agree(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id)
{
	return types_agree(core, local_id, target, target_id, LEVELS);
}

int ebpf_core_compatible(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id)
{
	return core_types_agree(core, local_id, target, target_id);
}

/* -- "matches": everything that the local type has, the target has too, by name and kind -- */

struct match {
	struct ebpf_core *core;
	const struct ebpf_btf *target;
};

static int types_match(const struct match *match, uint32_t local_id, uint32_t target_id, bool behind_pointer, int levels);

static int enums_match(const struct match *match, const struct ebpf_type *a, const struct ebpf_type *b)
{
	if (a->size != b->size || a->vlen > b->vlen)
		return 0;
	for (uint32_t i = 0; i < a->vlen; i++) {
		const char *name = ebpf_type_enumerator(a, i).name;
		size_t length = ebpf_essential_length(name);
		uint32_t j = 0;

		while (j < b->vlen && !same_essence(name, length, ebpf_type_enumerator(b, j).name))
			j++;
		if (!core_work(match->core, (j + 1) * (1 + (uint64_t)length / 64)))
			return -E2BIG;
		if (j == b->vlen)
			return 0;
	}
	return 1;
}

/* 1 when some member of `b` has the name and matches in type. */
static int member_matches(const struct match *match, const struct ebpf_member *member, const struct ebpf_type *b, int levels)
{
	size_t length = ebpf_essential_length(member->name);

	for (uint32_t i = 0; i < b->vlen; i++) {
		struct ebpf_member other = ebpf_type_member(b, i);
		int result;

		if (!core_work(match->core, 1 + (uint64_t)length / 64))
			return -E2BIG;
		if (!same_essence(member->name, length, other.name))
			continue;
		result = types_match(match, member->type, other.type, false, levels - 1);
		if (result)
			return result;
	}
	return 0;
}

static int composites_match(const struct match *match, const struct ebpf_type *a, const struct ebpf_type *b, int levels)
{
	if (a->vlen > b->vlen)
		return 0;
	for (uint32_t i = 0; i < a->vlen; i++) {
		struct ebpf_member member = ebpf_type_member(a, i);
		int result = member_matches(match, &member, b, levels);

		if (result <= 0)
			return result;
	}
	return 1;
}

static int signatures_match(const struct match *match, const struct ebpf_type *a, const struct ebpf_type *b,
			    bool behind_pointer, int levels)
{
	if (a->vlen != b->vlen)
		return 0;
	for (uint32_t i = 0; i < a->vlen; i++) {
		int result = types_match(match, ebpf_type_param(a, i).type, ebpf_type_param(b, i).type, behind_pointer, levels - 1);

		if (result <= 0)
			return result;
	}
	return 1;
}

/* A forward declaration's kind_flag says that it is of a union. */
static bool declares(const struct ebpf_type *forward, const struct ebpf_type *type)
{
	return type->kind == (forward->kind_flag ? BTF_KIND_UNION : BTF_KIND_STRUCT);
}

static int forwards_match(const struct ebpf_type *a, const struct ebpf_type *b, bool behind_pointer)
{
	if (b->kind == BTF_KIND_FWD)
		return a->kind_flag == b->kind_flag;
	return behind_pointer && declares(a, b);
}

static bool integers_match(const struct ebpf_type *a, const struct ebpf_type *b)
{
	uint32_t a_encoding, b_encoding, offset, bits;

	if (b->kind != BTF_KIND_INT || a->size != b->size)
		return false;
	ebpf_type_int(a, &a_encoding, &offset, &bits);
	ebpf_type_int(b, &b_encoding, &offset, &bits);
	return (a_encoding & BTF_INT_SIGNED) == (b_encoding & BTF_INT_SIGNED);
}

/* The kinds that end the walk; -EAGAIN when it goes on behind a and b. */
static int leaves_match(const struct match *match, const struct ebpf_type *a, const struct ebpf_type *b, bool behind_pointer,
			int levels)
{
	int result;

	switch (a->kind) {
	case BTF_KIND_UNKN:
		return b->kind == BTF_KIND_UNKN;
	case BTF_KIND_FWD:
		return forwards_match(a, b, behind_pointer);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return core_is_enum(b) ? enums_match(match, a, b) : 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (behind_pointer)
			return a->kind == b->kind || (b->kind == BTF_KIND_FWD && declares(b, a));
		return a->kind == b->kind ? composites_match(match, a, b, levels) : 0;
	case BTF_KIND_INT:
		return integers_match(a, b);
	case BTF_KIND_PTR:
		return b->kind == BTF_KIND_PTR ? -EAGAIN : 0;
	case BTF_KIND_ARRAY:
		return b->kind == BTF_KIND_ARRAY && ebpf_type_array(a).count == ebpf_type_array(b).count ? -EAGAIN : 0;
	case BTF_KIND_FUNC_PROTO:
		result = b->kind == BTF_KIND_FUNC_PROTO ? signatures_match(match, a, b, behind_pointer, levels) : 0;
		return result == 1 ? -EAGAIN : result;
	default:
		return 0;
	}
}

static int types_match(const struct match *match, uint32_t local_id, uint32_t target_id, bool behind_pointer, int levels)
{
	struct ebpf_type a, b;

	if (levels <= 0)
		return -EINVAL;
	for (int depth = 0; depth < CHAIN; depth++) {
		int result;

		if (!core_work(match->core, 1))
			return -E2BIG;
		if (!core_resolve(match->core->local, &local_id, &a) || !core_resolve(match->target, &target_id, &b))
			return -EINVAL;
		if (!same_essence(a.name, ebpf_essential_length(a.name), b.name))
			return 0;
		result = leaves_match(match, &a, &b, behind_pointer, levels);
		if (result != -EAGAIN)
			return result;
		behind_pointer |= a.kind == BTF_KIND_PTR;
		local_id = a.kind == BTF_KIND_ARRAY ? ebpf_type_array(&a).element : a.type;
		target_id = b.kind == BTF_KIND_ARRAY ? ebpf_type_array(&b).element : b.type;
	}
	return -EINVAL;
}

int core_types_match(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id)
{
	const struct match match = { core, target };

	return types_match(&match, local_id, target_id, false, LEVELS);
}
