/* core_spec.c -- places in types: an access string ("0:2:1") becomes names and indices, and these are looked for in
 * another type.
 *
 * The first number is pointer arithmetic (&p[0]), the others are member and element numbers as the compiler saw them;
 * for enumerators the one number is theirs; for questions about whole types it is 0.
 */
#include <stdio.h>

#include "load/core_impl.h"

/* An array without bounds: the last member of its struct, of no elements. `step` is the last one that was taken. */
static bool is_flexible(const struct ebpf_btf *btf, const struct core_step *step, const struct ebpf_btf_array *array)
{
	struct ebpf_type owner;

	return step->name && !array->count && ebpf_btf_type(btf, step->type_id, &owner) && step->index + 1 == owner.vlen;
}

static int add_bits(struct core_spec *spec, uint64_t bits)
{
	spec->bit_offset += bits;
	return spec->bit_offset > UINT32_MAX ? -E2BIG : 0;
}

static int add_elements(struct core_spec *spec, uint32_t type_id, uint32_t index)
{
	int64_t size = ebpf_btf_sizeof(spec->btf, type_id);

	if (size < 0)
		return -EINVAL;
	if (size > UINT32_MAX) /* then the product below has at most 31 + 32 + 3 bits too many: keep it in range */
		return index ? -E2BIG : 0;
	if (size && index > UINT32_MAX / 8 / (uint64_t)size)
		return -E2BIG;
	return add_bits(spec, (uint64_t)size * index * 8);
}

static void take_step(struct core_spec *spec, const char *name, uint32_t type_id, uint32_t index)
{
	spec->steps[spec->count++] = (struct core_step){ name, type_id, index };
}

/* Digits up to ':' or the end; INT32_MAX is the compiler's limit. */
static const char *parse_number(const char *text, uint32_t *out)
{
	uint64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		number = number * 10 + (uint64_t)(*at - '0');
		if (number > INT32_MAX)
			return NULL;
	}
	if (at == text || (*at && *at != ':') || (*at && !at[1]))
		return NULL;
	*out = (uint32_t)number;
	return *at ? at + 1 : at;
}

static int parse_numbers(const char *access, uint32_t *numbers, unsigned *count)
{
	for (*count = 0; *access; ++*count) {
		if (*count == CORE_DEPTH)
			return -E2BIG;
		access = parse_number(access, &numbers[*count]);
		if (!access)
			return -EINVAL;
	}
	return *count ? 0 : -EINVAL;
}

static int enter_member(struct core_spec *spec, const struct ebpf_type *type, uint32_t index, uint32_t *id)
{
	struct ebpf_member member;

	if (index >= type->vlen)
		return -EINVAL;
	member = ebpf_type_member(type, index);
	if (*member.name)
		take_step(spec, member.name, *id, index);
	*id = member.type;
	return add_bits(spec, member.bit_offset);
}

static int enter_element(struct core_spec *spec, const struct ebpf_type *type, uint32_t index, uint32_t *id)
{
	struct ebpf_btf_array array = ebpf_type_array(type);
	struct ebpf_type element;

	if (index >= array.count && !is_flexible(spec->btf, &spec->steps[spec->count - 1], &array))
		return -EINVAL;
	*id = array.element;
	if (!core_resolve(spec->btf, id, &element))
		return -EINVAL;
	take_step(spec, NULL, *id, index);
	return add_elements(spec, *id, index);
}

static int parse_field(struct core_spec *spec, const uint32_t *numbers, unsigned count, uint32_t id)
{
	int result = add_elements(spec, id, numbers[0]);

	take_step(spec, NULL, id, numbers[0]);
	for (unsigned i = 1; !result && i < count; i++) {
		struct ebpf_type type;

		if (!core_resolve(spec->btf, &id, &type))
			return -EINVAL;
		if (core_is_composite(&type))
			result = enter_member(spec, &type, numbers[i], &id);
		else
			result = type.kind == BTF_KIND_ARRAY ? enter_element(spec, &type, numbers[i], &id) : -EINVAL;
	}
	spec->depth = count;
	return result;
}

static int parse_enumerator(struct core_spec *spec, const struct ebpf_type *type, uint32_t id, uint32_t index, unsigned count)
{
	if (!core_is_enum(type) || count > 1 || index >= type->vlen)
		return -EINVAL;
	take_step(spec, ebpf_type_enumerator(type, index).name, id, index);
	return 0;
}

static void start(struct core_spec *spec, const struct ebpf_btf *btf, uint32_t root, uint32_t kind)
{
	spec->btf = btf;
	spec->root = root;
	spec->kind = kind;
	spec->count = spec->depth = 0;
	spec->bit_offset = 0;
}

int core_spec_parse(const struct ebpf_btf *btf, const struct ebpf_spec_relo *relo, struct core_spec *spec)
{
	uint32_t numbers[CORE_DEPTH], id = relo->type_id;
	struct ebpf_type type;
	unsigned count;
	int result;

	start(spec, btf, relo->type_id, relo->kind);
	if (core_kind_is_type(relo->kind))
		return relo->access && !strcmp(relo->access, "0") ? 0 : -EINVAL;
	result = relo->access ? parse_numbers(relo->access, numbers, &count) : -EINVAL;
	if (result)
		return result;
	if (!core_resolve(btf, &id, &type))
		return -EINVAL;
	if (core_kind_is_enum(relo->kind))
		return parse_enumerator(spec, &type, id, numbers[0], count);
	return core_kind_is_field(relo->kind) ? parse_field(spec, numbers, count, id) : -EINVAL;
}

/* -- the same place in a target -- */

struct search {
	struct ebpf_core *core;
	const char *name;
	struct ebpf_member local;        /* the member as the object knows it */
	const struct ebpf_btf *local_btf;
	struct core_spec *spec;
	uint32_t found;                  /* type of the target's member */
};

static int search_member(struct search *search, uint32_t id);

/* A member that is what we look for, or an anonymous one that may hold it: 1, 0 or -errno. */
static int try_member(struct search *search, uint32_t owner, const struct ebpf_member *member, uint32_t index)
{
	struct core_spec *spec = search->spec;
	int result;

	if (!*member->name)
		return search_member(search, member->type);
	if (strcmp(member->name, search->name) != 0)
		return 0;
	result = core_fields_agree(search->local_btf, search->local.type, spec->btf, member->type);
	if (result <= 0)
		return result;
	take_step(spec, member->name, owner, index);
	search->found = member->type;
	return 1;
}

/* Looks through the members of a struct or union, and through those of its anonymous members. C forbids two of one
 * name, so the first is it. */
static int search_member(struct search *search, uint32_t id)
{
	struct core_spec *spec = search->spec;
	struct ebpf_type type;

	if (!core_resolve(spec->btf, &id, &type))
		return -EINVAL;
	if (!core_is_composite(&type))
		return 0;
	if (spec->depth == CORE_DEPTH)
		return type.vlen ? -E2BIG : 0;
	for (uint32_t i = 0; i < type.vlen; i++) {
		struct ebpf_member member = ebpf_type_member(&type, i);
		int result;

		if (!core_work(search->core, 1))
			return -E2BIG;
		spec->way[spec->depth].owner = id;
		spec->way[spec->depth].index = i;
		spec->depth++;
		spec->bit_offset += member.bit_offset;
		result = try_member(search, id, &member, i);
		if (result)
			return result;
		spec->bit_offset -= member.bit_offset;
		spec->depth--;
	}
	return 0;
}

static int match_member(struct ebpf_core *core, const struct core_spec *local, const struct core_step *step,
			struct core_spec *spec, uint32_t *id)
{
	struct search search = { .core = core, .name = step->name, .local_btf = local->btf, .spec = spec };
	struct ebpf_type owner;
	int result;

	if (!ebpf_btf_type(local->btf, step->type_id, &owner))
		return -EINVAL;
	search.local = ebpf_type_member(&owner, step->index);
	result = search_member(&search, *id);
	*id = search.found;
	return result == 1 && spec->bit_offset > UINT32_MAX ? -E2BIG : result;
}

/* An index: into the array that the last step led to, or, as the first step, pointer arithmetic on the root itself. */
static int match_index(const struct core_step *step, struct core_spec *spec, uint32_t *id)
{
	struct ebpf_type type;
	int result;

	if (!core_resolve(spec->btf, id, &type))
		return -EINVAL;
	if (spec->count) {
		struct ebpf_btf_array array;

		if (type.kind != BTF_KIND_ARRAY)
			return 0;
		array = ebpf_type_array(&type);
		if (step->index >= array.count && !is_flexible(spec->btf, &spec->steps[spec->count - 1], &array))
			return 0;
		*id = array.element;
		if (!core_resolve(spec->btf, id, &type))
			return -EINVAL;
	}
	if (spec->depth == CORE_DEPTH)
		return -E2BIG;
	spec->way[spec->depth].owner = 0;
	spec->depth++;
	take_step(spec, NULL, *id, step->index);
	result = add_elements(spec, *id, step->index);
	return result ? result : 1;
}

static int match_field(struct ebpf_core *core, const struct core_spec *local, struct core_spec *spec)
{
	uint32_t id = spec->root;

	for (unsigned i = 0; i < local->count; i++) {
		const struct core_step *step = &local->steps[i];
		int result = step->name ? match_member(core, local, step, spec, &id) : match_index(step, spec, &id);

		if (result <= 0)
			return result;
	}
	return 1;
}

/* By name without flavour, whatever the number. */
static int match_enumerator(struct ebpf_core *core, const struct core_spec *local, struct core_spec *spec)
{
	const char *name = local->steps[0].name;
	size_t length = ebpf_essential_length(name);
	uint32_t id = spec->root;
	struct ebpf_type type;

	if (!core_resolve(spec->btf, &id, &type))
		return -EINVAL;
	if (!core_is_enum(&type))
		return 0;
	for (uint32_t i = 0; i < type.vlen; i++) {
		const char *other = ebpf_type_enumerator(&type, i).name;

		if (!core_work(core, 1))
			return -E2BIG;
		if (!strncmp(name, other, length) && ebpf_essential_length(other) == length) {
			take_step(spec, other, id, i);
			return 1;
		}
	}
	return 0;
}

int core_spec_match(struct ebpf_core *core, const struct core_spec *local, const struct core_candidate *candidate,
		    struct core_spec *spec)
{
	start(spec, candidate->btf, candidate->id, local->kind);
	if (local->kind == CORE_TYPE_MATCHES)
		return core_types_match(core, local->root, candidate->btf, candidate->id);
	if (core_kind_is_type(local->kind))
		return core_types_agree(core, local->root, candidate->btf, candidate->id);
	return core_kind_is_enum(local->kind) ? match_enumerator(core, local, spec) : match_field(core, local, spec);
}

/* -- for people -- */

const char *core_kind_name(uint32_t kind)
{
	static const char *const names[CORE_KIND_COUNT] = {
		"byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64", "local_type_id", "target_type_id",
		"type_exists", "type_size", "enumval_exists", "enumval_value", "type_matches",
	};

	return kind < CORE_KIND_COUNT ? names[kind] : "unknown kind";
}

static const char *keyword(const struct ebpf_type *type)
{
	switch (type->kind) {
	case BTF_KIND_STRUCT: return "struct ";
	case BTF_KIND_UNION: return "union ";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: return "enum ";
	default: return "";
	}
}

void core_spec_print(const struct core_spec *spec, const char *access, char *text, size_t size)
{
	struct ebpf_type root;
	size_t used;

	if (!ebpf_btf_type(spec->btf, spec->root, &root))
		root = (struct ebpf_type){ .name = "" };
	snprintf(text, size, "<%s> %s%.128s", core_kind_name(spec->kind), keyword(&root), *root.name ? root.name : "<anonymous>");
	for (unsigned i = 0; i < spec->count; i++) {
		const struct core_step *step = &spec->steps[i];

		used = strlen(text);
		if (step->name)
			snprintf(text + used, size - used, "%s%.128s", core_kind_is_enum(spec->kind) ? "::" : ".", step->name);
		else if (i || step->index)
			snprintf(text + used, size - used, "[%u]", step->index);
	}
	used = strlen(text);
	if (core_kind_is_field(spec->kind))
		snprintf(text + used, size - used, " (%.64s)", access ? access : "");
}
