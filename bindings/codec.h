/* codec.h -- the plan of a type, shared by reading (codec.c), records (record.c) and writing (encode.c); everyone else sees binding.h.
 *
 * A step is one value of an enclosing struct or array; a node is a struct, union or array: a run of steps. The plan only points
 * into the layout for what is not needed while reading plain values: bit fields, enumerators, names. */
#ifndef EBPF_BINDING_CODEC_H
#define EBPF_BINDING_CODEC_H

#include <string.h>

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

bool codec_any_bit(const uint8_t *data, size_t size);
/* The name of the value of an enum, or the number if it has none. */
void codec_push_enumerator(lua_State *L, const struct step *step, const uint8_t *base);

/* Pushes a value of OP_SWAPPED. */
void codec_push_swapped(lua_State *L, const struct step *step, const uint8_t *data);

static inline bool codec_is_scalar(const struct step *step)
{
	return step->op < OP_STRUCT;
}

#define CODEC_LOAD(type) ({ type value_; memcpy(&value_, data, sizeof(value_)); value_; })

/* Pushes a value that is neither struct, union nor array. This is the inner loop of every record. */
static inline __attribute__((always_inline)) void codec_push_scalar(lua_State *L, const struct step *step, const uint8_t *base)
{
	const uint8_t *data = base + step->offset;

	switch (step->op) {
	case OP_U8: lua_pushinteger(L, *data); break;
	case OP_S8: lua_pushinteger(L, (int8_t)*data); break;
	case OP_U16: lua_pushinteger(L, CODEC_LOAD(uint16_t)); break;
	case OP_S16: lua_pushinteger(L, CODEC_LOAD(int16_t)); break;
	case OP_U32: lua_pushinteger(L, CODEC_LOAD(uint32_t)); break;
	case OP_S32: lua_pushinteger(L, CODEC_LOAD(int32_t)); break;
	case OP_64: lua_pushinteger(L, CODEC_LOAD(int64_t)); break;
	case OP_F32: lua_pushnumber(L, (lua_Number)CODEC_LOAD(float)); break;
	case OP_F64: lua_pushnumber(L, CODEC_LOAD(double)); break;
	case OP_BOOL: lua_pushboolean(L, codec_any_bit(data, step->size)); break;
	case OP_ENUM: codec_push_enumerator(L, step, base); break;
	case OP_BITS: lua_pushinteger(L, ebpf_layout_get_int(step->layout, step->field, base)); break;
	case OP_BIT_BOOL: lua_pushboolean(L, ebpf_layout_get_int(step->layout, step->field, base) != 0); break;
	case OP_STRING: lua_pushlstring(L, (const char *)data, strnlen((const char *)data, step->size)); break;
	case OP_SWAPPED: codec_push_swapped(L, step, data); break;
	default: lua_pushlstring(L, (const char *)data, step->size); break;
	}
}

#endif
