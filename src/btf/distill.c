/* distill.c -- split BTF on a base that says just enough to be found again in another one, and back.
 *
 * A distilled base has what has a name: integers and floats, forward declarations, and structs, unions and enums without their
 * parts. What only refers to others, and what has no name, goes into the split BTF itself. That is the form of a module's
 * .BTF.base (Linux 6.11).
 */
#include <stdlib.h>

#include "btf/build.h"

static bool is_composite(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

static bool is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

/* Word `word` of a type's record. */
static uint32_t word_at(const struct ebpf_type *type, uint32_t word)
{
	return btf_word(type->btf->types + type->extra - BTF_TYPE_SIZE + 4 * (size_t)word, type->btf->swapped);
}

static int check_order(const struct ebpf_btf *btf, struct ebpf_error *err)
{
	if (!btf->base)
		return ebpf_fail(err, EINVAL, "BTF: it is not split: it has no base");
	if (btf->swapped)
		return ebpf_fail(err, ENOTSUP, "BTF: split BTF of the other byte order cannot be put on another base");
	return 0;
}

/* -- distilling -- */

struct distill {
	const struct ebpf_btf *btf;
	bool *needed; /* by id of the base */
	uint32_t *todo;
	size_t todo_count, todo_capacity;
	struct ebpf_error *err;
};

/* Whether it can stand in a distilled base: the rest is copied into the split BTF. */
static bool in_base(const struct ebpf_type *type)
{
	switch (type->kind) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
		return true;
	default:
		return (is_composite(type->kind) || is_enum(type->kind)) && *type->name;
	}
}

static int need(struct distill *distill, uint32_t id)
{
	if (!id || id >= distill->btf->first_id || distill->needed[id])
		return 0;
	struct ebpf_type type;
	ebpf_btf_type(distill->btf, id, &type);
	if (type.kind >= BTF_KIND_COUNT || type.kind == BTF_KIND_FUNC || type.kind == BTF_KIND_VAR ||
	    type.kind == BTF_KIND_DATASEC || type.kind == BTF_KIND_DECL_TAG)
		return ebpf_fail(distill->err, EINVAL, "BTF: refers to type %u '%.100s' of the base, which is no type", id,
		                 type.name);
	uint32_t *todo = ebpf_grow(distill->todo, &distill->todo_capacity, distill->todo_count, sizeof(*todo));
	if (!todo)
		return ebpf_fail_memory(distill->err);
	distill->todo = todo;
	distill->needed[id] = true;
	if (!in_base(&type))
		todo[distill->todo_count++] = id;
	return 0;
}

static int need_references(struct distill *distill, uint32_t id)
{
	struct ebpf_type type;
	uint32_t word;
	int result = 0;
	ebpf_btf_type(distill->btf, id, &type);
	for (uint32_t i = 0; !result && btf_reference(word_at(&type, 1), i, &word); i++)
		result = need(distill, word_at(&type, word));
	return result;
}

static int find_needed(struct distill *distill)
{
	int result = 0;
	for (uint32_t id = distill->btf->first_id; !result && id < distill->btf->count; id++)
		result = need_references(distill, id);
	while (!result && distill->todo_count)
		result = need_references(distill, distill->todo[--distill->todo_count]);
	return result;
}

static int make_base(struct distill *distill, uint32_t *ids, struct ebpf_btf **out)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, 0);
	if (!builder)
		return ebpf_fail_memory(distill->err);
	for (uint32_t id = 1; id < distill->btf->first_id; id++) {
		struct ebpf_type type;
		ebpf_btf_type(distill->btf, id, &type);
		if (!distill->needed[id] || !in_base(&type))
			continue;
		ids[id] = (uint32_t)btf_next_id(builder);
		const bool bare = is_composite(type.kind) || is_enum(type.kind);
		btf_put_type(builder, type.name, is_enum(type.kind) ? BTF_KIND_ENUM : type.kind, !bare && type.kind_flag, 0,
		             type.size);
		if (type.kind == BTF_KIND_INT)
			btf_put(builder, btf_extra(&type, 0));
	}
	int result = ebpf_btf_builder_read(builder, out, distill->err);
	ebpf_btf_builder_free(builder);
	return result;
}

/* Says that type `id` of `btf` is type `new_id` of the builder's base. */
static void substitute(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id, uint32_t new_id)
{
	uint32_t *slot = btf_new_id(builder, btf, id);
	if (slot)
		*slot = new_id;
	else
		btf_builder_fail(builder, -ENOMEM);
}

static int finish(struct ebpf_btf_builder *builder, struct ebpf_btf **out, struct ebpf_error *err)
{
	btf_drain(builder);
	return builder->code ? btf_builder_error(builder, err) : ebpf_btf_builder_read(builder, out, err);
}

static int make_split(struct distill *distill, const uint32_t *ids, struct ebpf_btf *base, struct ebpf_btf **out)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(base, 0);
	if (!builder)
		return ebpf_fail_memory(distill->err);
	builder->closed = true;
	for (uint32_t id = 1; id < distill->btf->first_id; id++)
		if (ids[id])
			substitute(builder, distill->btf, id, ids[id]);
	for (uint32_t id = distill->btf->first_id; id < distill->btf->count; id++)
		btf_enqueue(builder, distill->btf, id);
	for (uint32_t id = 1; id < distill->btf->first_id; id++)
		if (distill->needed[id] && !ids[id])
			btf_enqueue(builder, distill->btf, id);
	int result = finish(builder, out, distill->err);
	ebpf_btf_builder_free(builder);
	return result;
}

int ebpf_btf_distill(const struct ebpf_btf *split, struct ebpf_btf **base, struct ebpf_btf **distilled, struct ebpf_error *err)
{
	struct distill distill = {.btf = split, .err = err};
	struct ebpf_btf *small = NULL;
	int result = check_order(split, err);
	if (result)
		return result;
	uint32_t *ids = calloc(split->first_id, sizeof(*ids));
	distill.needed = calloc(split->first_id, sizeof(*distill.needed));
	result = ids && distill.needed ? find_needed(&distill) : ebpf_fail_memory(err);
	if (!result)
		result = make_base(&distill, ids, &small);
	if (!result)
		result = make_split(&distill, ids, small, distilled);
	if (result)
		ebpf_btf_free(small);
	else
		*base = small;
	free(ids);
	free(distill.needed);
	free(distill.todo);
	return result;
}

/* -- relocating -- */

/* Marks the structs of the distilled base that lie within a struct of the split BTF: their size matters. */
static void mark_embedded(const struct ebpf_btf *btf, bool *embedded)
{
	for (uint32_t id = btf->first_id; id < btf->count; id++) {
		struct ebpf_type type;
		ebpf_btf_type(btf, id, &type);
		for (uint32_t i = 0; is_composite(type.kind) && i < type.vlen; i++) {
			struct ebpf_type behind = {0};
			uint32_t member = ebpf_type_member(&type, i).type;
			for (int depth = 0; depth < BTF_MAX_DEPTH; depth++) {
				member = ebpf_btf_resolve(btf, member);
				ebpf_btf_type(btf, member, &behind);
				if (behind.kind != BTF_KIND_ARRAY)
					break;
				member = ebpf_type_array(&behind).element;
			}
			if (is_composite(behind.kind) && member < btf->first_id)
				embedded[member] = true;
		}
	}
}

static bool is_found(const struct ebpf_type *distilled, const struct ebpf_type *type, bool needs_size)
{
	switch (distilled->kind) {
	case BTF_KIND_INT:
		return type->kind == BTF_KIND_INT && type->size == distilled->size && btf_extra(type, 0) == btf_extra(distilled, 0);
	case BTF_KIND_FLOAT:
		return type->kind == BTF_KIND_FLOAT && type->size == distilled->size;
	case BTF_KIND_ENUM:
		return is_enum(type->kind) && type->size == distilled->size;
	case BTF_KIND_FWD:
		if (type->kind == BTF_KIND_FWD)
			return type->kind_flag == distilled->kind_flag;
		return type->kind == (distilled->kind_flag ? BTF_KIND_UNION : BTF_KIND_STRUCT);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return type->kind == distilled->kind && (!needs_size || type->size == distilled->size);
	default:
		return false;
	}
}

/* How many structs and unions the base has of this name: with several, the size has to tell them apart. */
static uint32_t count_composites(const struct ebpf_btf *base, const char *name)
{
	uint32_t count = 0;
	for (; base; base = base->base)
		for (uint32_t kind = BTF_KIND_STRUCT; kind <= BTF_KIND_UNION; kind++)
			for (uint32_t id = 0; count < 2 && (id = ebpf_btf_next_named(base, name, kind, id));)
				count++;
	return count;
}

/* `work` is what may still be looked at: thousands of types of one name are made by nobody but to keep us busy. */
static int64_t find_in_base(const struct ebpf_type *distilled, const struct ebpf_btf *base, bool embedded, uint64_t *work,
                            struct ebpf_error *err)
{
	const char *kind = ebpf_enum_name(EBPF_BTF_KIND, distilled->kind);
	const bool needs_size = is_composite(distilled->kind) && (embedded || count_composites(base, distilled->name) > 1);
	uint32_t found = 0, declared = 0;
	for (const struct ebpf_btf *at = base; at; at = at->base) {
		for (uint32_t id = 0; (id = ebpf_btf_next_named(at, distilled->name, 0, id));) {
			struct ebpf_type type;
			ebpf_btf_type(base, id, &type);
			if (!--*work)
				return ebpf_fail(err, E2BIG, "BTF: %s '%.100s': too many types of that name", kind,
				                 distilled->name);
			if (!is_found(distilled, &type, needs_size))
				continue;
			/* A declaration is as good as the struct where both are there, but no more than a second one. */
			if (type.kind == BTF_KIND_FWD) {
				declared = declared ? declared : id;
				continue;
			}
			if (found)
				return ebpf_fail(err, EEXIST,
				                 "BTF: %s '%.100s' (%u bytes): the base has it twice, as types %u and %u", kind,
				                 distilled->name, distilled->size, found, id);
			found = id;
		}
	}
	if (found || declared)
		return found ? found : declared;
	if (needs_size)
		return ebpf_fail(err, ENOENT, "BTF: %s '%.100s': the base has none of %u bytes", kind, distilled->name,
		                 distilled->size);
	return ebpf_fail(err, ENOENT, "BTF: %s '%.100s': the base does not have it", kind, distilled->name);
}

static int relocate(const struct ebpf_btf *btf, struct ebpf_btf *base, const bool *embedded, struct ebpf_btf_builder *builder,
                    struct ebpf_btf **out, struct ebpf_error *err)
{
	uint64_t work = ((uint64_t)1 << 22) + 64 * (uint64_t)base->count;
	for (uint32_t id = 1; id < btf->first_id; id++) {
		struct ebpf_type type;
		ebpf_btf_type(btf, id, &type);
		if (!*type.name || !in_base(&type) || type.kind == BTF_KIND_ENUM64)
			return ebpf_fail(err, EINVAL, "BTF: type %u '%.100s' cannot be in a distilled base", id, type.name);
		int64_t found = find_in_base(&type, base, embedded[id], &work, err);
		if (found < 0)
			return (int)found;
		substitute(builder, btf, id, (uint32_t)found);
	}
	for (uint32_t id = btf->first_id; id < btf->count; id++)
		btf_enqueue(builder, btf, id);
	return finish(builder, out, err);
}

int ebpf_btf_relocate(const struct ebpf_btf *distilled, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	int result = check_order(distilled, err);
	if (result)
		return result;
	if (base->swapped)
		return ebpf_fail(err, ENOTSUP, "BTF: the base is of the other byte order");
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(base, 0);
	bool *embedded = calloc(distilled->first_id, sizeof(*embedded));
	if (!builder || !embedded) {
		result = ebpf_fail_memory(err);
	} else {
		builder->closed = true;
		mark_embedded(distilled, embedded);
		result = relocate(distilled, base, embedded, builder, out, err);
	}
	ebpf_btf_builder_free(builder);
	free(embedded);
	return result;
}
