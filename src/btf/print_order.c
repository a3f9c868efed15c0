/* print_order.c -- in which order C wants types.
 *
 * A struct needs the size of what it embeds, so that must be defined before: a strong link. What it only points to by name may
 * be declared ahead: a weak one, which queues nothing. But what is behind a pointer and has no name is written out in place, and
 * all that it embeds is needed as well.
 */
#include <stdlib.h>

#include "btf/print.h"

static int queue_definition(struct printer *printer, uint32_t id)
{
	uint32_t *queue = ebpf_grow(printer->queue, &printer->queue_capacity, printer->queue_count, sizeof(*queue));
	if (!queue)
		return printer->code = ebpf_fail_memory(printer->err);
	printer->queue = queue;
	queue[printer->queue_count++] = id;
	return 0;
}

/* All of these: 1 = a strong link, 0 = a weak one, -errno. */
static int order(struct printer *printer, uint32_t id, bool through_pointer, int depth);

static int order_struct(struct printer *printer, const struct ebpf_type *type, bool through_pointer, int depth)
{
	struct print_state *state = &printer->states[type->id];
	if (through_pointer && *type->name)
		return 0;
	state->order = PRINT_ORDERING;
	for (uint32_t i = 0; i < type->vlen; i++) {
		int result = order(printer, ebpf_type_member(type, i).type, false, depth + 1);
		if (result < 0)
			return result;
	}
	state->order = PRINT_ORDERED;
	if (*type->name && queue_definition(printer, type->id))
		return printer->code;
	return 1;
}

static int order_function(struct printer *printer, const struct ebpf_type *type, bool through_pointer, int depth)
{
	int strong = order(printer, type->type, through_pointer, depth + 1);
	for (uint32_t i = 0; i < type->vlen && strong >= 0; i++) {
		int result = order(printer, ebpf_type_param(type, i).type, through_pointer, depth + 1);
		strong = result < 0 ? result : strong || result;
	}
	return strong;
}

static int order_typedef(struct printer *printer, const struct ebpf_type *type, bool through_pointer, int depth)
{
	int strong = order(printer, type->type, through_pointer, depth + 1);
	if (strong < 0 || (through_pointer && !strong))
		return strong;
	printer->states[type->id].order = PRINT_ORDERED;
	return queue_definition(printer, type->id) ? printer->code : 1;
}

static int order(struct printer *printer, uint32_t id, bool through_pointer, int depth)
{
	struct print_state *state = &printer->states[id];
	struct ebpf_type type;
	int result;

	if (state->order == PRINT_ORDERED)
		return 1;
	if (!print_step(printer, id, depth))
		return printer->code;
	ebpf_btf_type(printer->btf, id, &type);
	if (state->order == PRINT_ORDERING)
		return through_pointer && *type.name ? 0 : print_fail(printer, ELOOP, id, "contains itself");
	switch (type.kind) {
	case BTF_KIND_PTR:
		result = order(printer, type.type, true, depth + 1);
		state->order = PRINT_ORDERED;
		return result;
	case BTF_KIND_ARRAY:
		return order(printer, ebpf_type_array(&type).element, false, depth + 1);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return order_struct(printer, &type, through_pointer, depth);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FWD:
		state->order = PRINT_ORDERED;
		if ((*type.name || !state->referenced) && queue_definition(printer, id))
			return printer->code;
		return 1;
	case BTF_KIND_TYPEDEF:
		return order_typedef(printer, &type, through_pointer, depth);
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return order(printer, type.type, through_pointer, depth + 1);
	case BTF_KIND_FUNC_PROTO:
		return order_function(printer, &type, through_pointer, depth);
	default: /* nothing to define: numbers, functions, variables, tags */
		state->order = PRINT_ORDERED;
		return 0;
	}
}

int print_order(struct printer *printer, uint32_t id)
{
	printer->queue_count = 0;
	int result = order(printer, id, false, 0);
	return result < 0 ? result : 0;
}
