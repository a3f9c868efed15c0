/* codec.h -- the plan of a type, shared by reading (codec.c) and writing (encode.c); everyone else sees binding.h.
 *
 * A step is one value of an enclosing struct or array; a node is a struct, union or array: a run of steps. The plan only points
 * into the layout for what is not needed while reading plain values: bit fields, enumerators, names. */
#ifndef EBPF_BINDING_CODEC_H
#define EBPF_BINDING_CODEC_H

#include "binding.h"

enum op {
	OP_U8, OP_S8, OP_U16, OP_S16, OP_U32, OP_S32, OP_64, OP_F32, OP_F64, OP_BOOL,
	OP_ENUM, /* as its enumerator's name, where it has one */
	OP_BITS, OP_BIT_BOOL, /* bit fields, read by the core from the start of the enclosing struct */
	OP_STRING, OP_BYTES,
	OP_SWAPPED, /* a float or 128-bit integer of the other byte order; other integers of it are OP_BITS */
	OP_STRUCT, OP_ARRAY
};
struct step {
	uint8_t op;
	bool is_tail;                     /* ends where the record does: a string or array, or a struct that ends in a flexible one */
	uint32_t offset;                  /* from the start of the enclosing struct or element */
	uint32_t size;
	uint32_t node;                    /* OP_STRUCT, OP_ARRAY */
	const struct ebpf_field *field;   /* NULL for an element of an array and for the root */
	const struct ebpf_layout *layout; /* NULL: raw bytes, only as the root */
};
struct node {
	const struct ebpf_layout *layout;
	uint32_t first, count;            /* steps: the named fields; of an array one, its element (count 0) */
	bool overlaps;                    /* fields share bytes: a union, or an anonymous one lifted in */
};
struct binding_codec {
	size_t size;
	int depth;                        /* stack slots that reading needs */
	struct step root;
	struct step *steps;
	struct node *nodes;
	uint32_t step_count, node_count;
	bool is_swapped;                  /* of raw bytes: whose integers are in the other byte order */
	size_t least;                     /* bytes that a record must have */
	size_t whole;                     /* and has when nothing is cut off its end; SIZE_MAX when that is open */
};

/* Pushes a value of OP_SWAPPED. */
void codec_push_swapped(lua_State *L, const struct step *step, const uint8_t *data);

#endif
