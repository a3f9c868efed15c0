/* print_layout.c -- where a compiler would put members, and how to make it put them where they are. */
#include <stdlib.h>

#include "btf/print.h"

/* -- alignment -- */

static int find_alignment(struct printer *printer, uint32_t id, int depth);

/* As the members ask for, unless they, or the size, are not at multiples of it: then the struct is packed. */
static int struct_alignment(struct printer *printer, const struct ebpf_type *type, int depth)
{
	int most = 1;
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		int alignment = find_alignment(printer, member.type, depth + 1);
		if (!alignment)
			return 0;
		if (!member.bit_size && member.bit_offset % (8 * alignment))
			return 1;
		most = alignment > most ? alignment : most;
	}
	return type->size % most ? 1 : most;
}

static int remember_alignment(struct printer *printer, const struct ebpf_type *type, int depth)
{
	if (!printer->states && !(printer->states = calloc(printer->btf->count, sizeof(*printer->states)))) {
		printer->code = ebpf_fail_memory(printer->err);
		return 0;
	}
	struct print_state *state = &printer->states[type->id];
	if (state->aligned || state->aligning)
		return state->alignment;
	state->aligning = 1;
	state->alignment = struct_alignment(printer, type, depth);
	state->aligning = 0;
	state->aligned = 1;
	return state->alignment;
}

static int find_alignment(struct printer *printer, uint32_t id, int depth)
{
	struct ebpf_type type;
	for (; depth <= PRINT_MAX_DEPTH; depth++) {
		if (!ebpf_btf_type(printer->btf, ebpf_btf_resolve(printer->btf, id), &type))
			return 0;
		switch (type.kind) {
		case BTF_KIND_INT:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
			return type.size < (uint32_t)printer->pointer_size ? (int)type.size : printer->pointer_size;
		case BTF_KIND_PTR:
			return printer->pointer_size;
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			return remember_alignment(printer, &type, depth);
		case BTF_KIND_ARRAY:
			id = ebpf_type_array(&type).element;
			continue;
		default:
			return 0;
		}
	}
	return 0;
}

int print_alignment(struct printer *printer, uint32_t id)
{
	return find_alignment(printer, id, 0);
}

bool print_is_packed(struct printer *printer, const struct ebpf_type *type)
{
	int most = 1;
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		int alignment = print_alignment(printer, member.type);
		if (alignment && !member.bit_size && member.bit_offset % (8 * alignment))
			return true;
		most = alignment > most ? alignment : most;
	}
	return type->size % most;
}

/* -- padding -- */

static int64_t round_up(int64_t value, int64_t multiple)
{
	return multiple ? (value + multiple - 1) / multiple * multiple : value;
}

static void write_pad(struct printer *printer, const char *type, int64_t bits, int level)
{
	print_newline(printer, level);
	btf_text_string(printer->text, type);
	btf_text_add(printer->text, ": ", 2);
	btf_text_unsigned(printer->text, bits);
	btf_text_char(printer->text, ';');
}

void print_padding(struct printer *printer, int64_t from, int64_t to, int next_alignment, bool in_bit_field, int level)
{
	const struct {
		const char *type;
		int bits;
	} pads[] = {{"long", 8 * printer->pointer_size}, {"int", 32}, {"short", 16}, {"char", 8}};
	size_t pad = 0;
	int64_t start = 0;

	if (from >= to)
		return;
	/* The widest type that has a boundary within the gap: up to there alignment does it, by itself when the next member or the
	 * padding behind asks for it, else by a bit field of no bits. */
	for (pad = 0; pad < EBPF_COUNT(pads) - 1; pad++)
		if (round_up(from, pads[pad].bits) <= to)
			break;
	start = round_up(from, pads[pad].bits);
	if (start > from && start <= to) {
		bool by_next = start == to && round_up(from, 8 * (int64_t)next_alignment) == start;
		bool by_padding = start != to && to - start > start - from;
		if (in_bit_field || !(by_next || by_padding))
			write_pad(printer, pads[pad].type, in_bit_field ? start - from : 0, level);
		from = start;
	}
	for (; to - from >= pads[pad].bits && !print_failed(printer); from += pads[pad].bits)
		write_pad(printer, pads[pad].type, pads[pad].bits, level);
	if (from == to)
		return;
	for (pad = EBPF_COUNT(pads) - 1; pad && pads[pad].bits < to - from;)
		pad--;
	write_pad(printer, pads[pad].type, to - from, level);
}
