/* print.h -- what the files that print types as C share.
 *
 * Printing goes in two steps for each type asked for: print_order() walks what it needs and queues the definitions so that each
 * comes after those whose size it needs; print_emit() writes them, with forward declarations for what pointers alone refer to.
 * The text is that of bpftool (`btf dump format c`) for the same types, but where that would not have the types' layout.
 *
 * The types are as hostile as they like: cycles, and types that unfold without end when written out. Depth, steps and the length
 * of the text are bounded, which real types come nowhere near.
 */
#ifndef EBPF_BTF_PRINT_H
#define EBPF_BTF_PRINT_H

#include "btf/private.h"
#include "btf/text.h"

#define PRINT_MAX_DEPTH 200 /* of definitions within definitions, functions and typedefs on the way included */
#define PRINT_MAX_CHAIN 128 /* pointers, arrays and qualifiers in one declaration */

enum print_order { PRINT_NOT_ORDERED, PRINT_ORDERING, PRINT_ORDERED };
enum print_emit { PRINT_NOT_EMITTED, PRINT_EMITTING, PRINT_EMITTED };

struct print_state {
	uint8_t order : 2, emit : 2;
	uint8_t forward : 1;    /* it was declared ahead: a struct by name, a typedef in whole */
	uint8_t referenced : 1; /* by another type: an anonymous enum that is not declares constants */
	uint8_t aligned : 1;    /* `alignment` is known */
	uint8_t aligning : 1;   /* is being found: a type that contains itself */
	uint8_t fast : 1;       /* a function with the attribute bpf_fastcall */
	uint8_t alignment;      /* of a struct or union: 1 to 16, 0 = unknown */
};

struct printer {
	const struct ebpf_btf *btf;
	struct btf_text *text;
	struct print_state *states; /* of each type */
	uint32_t *versions; /* of each type's name: 0 = not yet chosen, 1 = as it is, n = name___n; NULL = all are as they are */
	struct ebpf_table tags;   /* names of structs, unions and enums: how often each was taken */
	struct ebpf_table idents; /* names of typedefs and enumerators */
	uint32_t *queue;          /* definitions in the order in which to write them */
	size_t queue_count, queue_capacity;
	uint32_t chain[PRINT_MAX_CHAIN]; /* the declarations at work, innermost last */
	size_t chain_count;
	int depth; /* of declarations within declarations */
	int pointer_size;
	bool plain;     /* for casts: without qualifiers, and without the bodies of anonymous types */
	uint64_t steps; /* that may still be made */
	struct ebpf_error *err;
	int code; /* of the first failure */
};

/* For declarations alone: without `states`, which are made when a struct is written out, and with names as they are. */
void print_start(struct printer *printer, const struct ebpf_btf *btf, struct btf_text *text, struct ebpf_error *err);

/* -- print_order.c -- */
int print_order(struct printer *printer, uint32_t id);

/* -- print_emit.c: definitions, and what has to stand before them -- */
void print_emit(struct printer *printer, uint32_t id);

/* -- print_declare.c -- */
void print_struct(struct printer *printer, const struct ebpf_type *type, int level);
void print_struct_forward(struct printer *printer, const struct ebpf_type *type);
void print_enum(struct printer *printer, const struct ebpf_type *type, int level);
void print_forward(struct printer *printer, const struct ebpf_type *type);
void print_typedef(struct printer *printer, const struct ebpf_type *type);
/* Any type, around a name: "int (*name)(void)". */
void print_declaration(struct printer *printer, uint32_t id, const char *name, int level);

/* -- print_layout.c: what a compiler would do, and what keeps it from it -- */
int print_alignment(struct printer *printer, uint32_t id); /* bytes; 0 when there is none */
bool print_is_packed(struct printer *printer, const struct ebpf_type *type);
/* Bit fields without a name from bit `from` to `to` of a struct, where the compiler would not leave that gap by itself. */
void print_padding(struct printer *printer, int64_t from, int64_t to, int next_alignment, bool in_bit_field, int level);

/* -- print_sort.c -- */
/* All ids in an order that does not depend on how they are numbered, malloc'ed; NULL without memory. */
uint32_t *print_sorted(const struct ebpf_btf *btf);
int print_functions(struct printer *printer);

static inline bool print_failed(const struct printer *printer)
{
	return printer->code || printer->text->code;
}
int print_fail(struct printer *printer, int code, uint32_t id, const char *why);
/* Counts a step; false when it was one too many. */
bool print_step(struct printer *printer, uint32_t id, int depth);
void print_newline(struct printer *printer, int level);

#endif
