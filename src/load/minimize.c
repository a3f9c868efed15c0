/* minimize.c -- the types of a target that the CO-RE relocations of some objects look at, and no others: to be carried along
 * where a kernel has no BTF of its own. Relocated by them, an object is as it would be by the whole.
 *
 * Of a struct only the members on the way to a field stay. Behind a pointer there is nothing for a field. What a relocation asks
 * about a type as such (does it exist, how large is it) needs all that the comparison looks at.
 */
#include <stdlib.h>

#include "load/core_impl.h"

/* How far a type is followed. */
enum mode {
	PLAIN = 1,     /* up to pointers */
	THROUGH = 2,   /* through pointers, up to structs */
	MATCH = 4,     /* with all members, but of structs that are reached through a pointer */
	BEHIND = 8,    /* the same, from behind a pointer */
};
struct todo {
	uint32_t id;
	uint8_t mode;
};
struct marks {
	const struct ebpf_btf *btf;
	struct ebpf_btf_subset *subset;
	uint8_t *seen; /* by id: modes */
	struct todo *todo;
	size_t todo_count, todo_capacity;
};

static int push(struct marks *marks, uint32_t id, uint8_t mode)
{
	struct todo *todo;

	if (!id || marks->seen[id] & mode)
		return 0;
	todo = ebpf_grow(marks->todo, &marks->todo_capacity, marks->todo_count, sizeof(*todo));
	if (!todo)
		return -ENOMEM;
	marks->todo = todo;
	marks->seen[id] |= mode;
	todo[marks->todo_count++] = (struct todo){ id, mode };
	return 0;
}

static int push_members(struct marks *marks, const struct ebpf_type *type)
{
	int code = 0;

	for (uint32_t i = 0; !code && i < type->vlen; i++) {
		code = ebpf_btf_subset_add_member(marks->subset, type->id, i);
		if (!code)
			code = push(marks, ebpf_type_member(type, i).type, MATCH);
	}
	return code;
}

static int mark(struct marks *marks, struct todo todo)
{
	/* What is no pointer's target is a part of its own. */
	const uint8_t inner = todo.mode == BEHIND ? MATCH : todo.mode;
	struct ebpf_btf_array array;
	struct ebpf_type type;
	int code = 0;

	if (!ebpf_btf_type(marks->btf, todo.id, &type))
		return 0;
	ebpf_btf_subset_add(marks->subset, todo.id);
	switch (type.kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return todo.mode == MATCH ? push_members(marks, &type) : 0;
	case BTF_KIND_PTR:
		if (todo.mode == PLAIN)
			return 0;
		return push(marks, type.type, todo.mode == THROUGH ? THROUGH : BEHIND);
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_TYPE_TAG:
		return push(marks, type.type, todo.mode);
	case BTF_KIND_ARRAY:
		array = ebpf_type_array(&type);
		code = push(marks, array.element, inner);
		return code ? code : push(marks, array.index, inner);
	case BTF_KIND_FUNC_PROTO:
		code = push(marks, type.type, inner);
		for (uint32_t i = 0; !code && i < type.vlen; i++)
			code = push(marks, ebpf_type_param(&type, i).type, inner);
		return code;
	default:
		return 0;
	}
}

static int mark_all(struct marks *marks, uint32_t id, uint8_t mode)
{
	int code = push(marks, id, mode);

	while (!code && marks->todo_count)
		code = mark(marks, marks->todo[--marks->todo_count]);
	return code;
}

static int mark_way(struct marks *marks, const struct core_spec *target)
{
	int code = 0;

	for (unsigned i = 0; !code && i < target->depth; i++) {
		uint32_t owner = target->way[i].owner;
		struct ebpf_type type;

		if (!owner || !ebpf_btf_type(marks->btf, owner, &type))
			continue;
		code = ebpf_btf_subset_add_member(marks->subset, owner, target->way[i].index);
		if (!code)
			code = mark_all(marks, ebpf_type_member(&type, target->way[i].index).type, PLAIN);
	}
	return code;
}

static int found(void *context, const struct core_spec *target)
{
	struct marks *marks = context;
	const bool asks_type = core_kind_is_type(target->kind);
	int code = mark_all(marks, target->root, target->kind == CORE_TYPE_MATCHES ? MATCH : asks_type ? THROUGH : PLAIN);

	return code || !core_kind_is_field(target->kind) ? code : mark_way(marks, target);
}

static int mark_object(struct marks *marks, struct ebpf_btf *target, struct ebpf_spec *spec, struct ebpf_error *err)
{
	const struct ebpf_spec_impl *impl = spec_impl(spec);
	struct ebpf_core *core = NULL;
	int code = 0;

	if (!spec->btf)
		return 0;
	code = ebpf_core_new(NULL, spec->btf, target, &core, err);
	for (size_t i = 0; !code && i < impl->function_count; i++)
		code = core_visit(core, impl->functions[i], found, marks, err);
	ebpf_core_free(core);
	return code ? ebpf_wrap(err, code, "object '%.128s'", spec->name) : 0;
}

int ebpf_btf_minimize(struct ebpf_btf *target, struct ebpf_spec *const *specs, size_t count, struct ebpf_btf **out,
		      struct ebpf_error *err)
{
	struct marks marks = { .btf = target, .subset = ebpf_btf_subset_new(target) };
	int code = 0;

	marks.seen = calloc(ebpf_btf_count(target), sizeof(*marks.seen));
	if (!marks.subset || !marks.seen)
		code = ebpf_fail_memory(err);
	for (size_t i = 0; !code && i < count; i++)
		code = mark_object(&marks, target, specs[i], err);
	if (!code)
		code = ebpf_btf_subset_read(marks.subset, out, err);
	ebpf_btf_subset_free(marks.subset);
	free(marks.seen);
	free(marks.todo);
	return code;
}
