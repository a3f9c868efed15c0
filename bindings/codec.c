/* codec.c -- reading: the plan of a type, and bytes -> Lua values. encode.c is the way back; codec.h is what the two share. */
#include "codec.h"

enum { FLAT_FIELDS = 32 };

/* -- making a plan -- */

static bool is_aggregate(const struct ebpf_layout *layout)
{
	return layout->kind == EBPF_VALUE_STRUCT || layout->kind == EBPF_VALUE_UNION || layout->kind == EBPF_VALUE_ARRAY;
}

struct extent {
	size_t steps, nodes;
	int depth; /* levels of tables */
};

static void measure(const struct ebpf_layout *layout, int depth, struct extent *extent)
{
	if (!is_aggregate(layout))
		return;
	extent->nodes++;
	if (depth + 1 > extent->depth)
		extent->depth = depth + 1;
	if (layout->kind == EBPF_VALUE_ARRAY) {
		extent->steps++;
		measure(layout->element, depth + 1, extent);
		return;
	}
	extent->steps += layout->count;
	for (uint32_t i = 0; i < layout->count; i++)
		measure(layout->fields[i].layout, depth + 1, extent);
}

static uint8_t integer_op(const struct ebpf_layout *layout)
{
	bool is_signed = layout->is_signed && layout->kind != EBPF_VALUE_POINTER;

	if (layout->is_swapped && layout->size > 1)
		return OP_BITS;
	switch (layout->size) {
	case 1: return is_signed ? OP_S8 : OP_U8;
	case 2: return is_signed ? OP_S16 : OP_U16;
	case 4: return is_signed ? OP_S32 : OP_U32;
	case 8: return OP_64;
	default: return OP_BYTES;
	}
}

static uint8_t scalar_op(const struct ebpf_layout *layout)
{
	switch (layout->kind) {
	case EBPF_VALUE_INT:
	case EBPF_VALUE_ENUM:
	case EBPF_VALUE_POINTER: return integer_op(layout);
	case EBPF_VALUE_BOOL: return OP_BOOL;
	case EBPF_VALUE_INT128: return layout->is_swapped ? OP_SWAPPED : OP_BYTES;
	case EBPF_VALUE_FLOAT: return layout->is_swapped ? OP_SWAPPED : layout->size == 4 ? OP_F32 : layout->size == 8 ? OP_F64 : OP_BYTES;
	case EBPF_VALUE_STRING: return OP_STRING;
	default: return OP_BYTES;
	}
}

static void plan_node(struct binding_codec *codec, const struct ebpf_layout *layout, uint32_t number);

static void plan_step(struct binding_codec *codec, struct step *step, const struct ebpf_layout *layout)
{
	step->layout = layout;
	step->size = layout->size;
	if (is_aggregate(layout)) {
		step->op = layout->kind == EBPF_VALUE_ARRAY ? OP_ARRAY : OP_STRUCT;
		step->node = codec->node_count++;
		plan_node(codec, layout, step->node);
	} else if (step->field && step->field->bit_size) {
		step->op = layout->kind == EBPF_VALUE_BOOL ? OP_BIT_BOOL : OP_BITS;
	} else {
		step->op = scalar_op(layout);
	}
}

/* The bits that a field takes, from the start of its struct. */
static void field_bits(const struct ebpf_field *field, uint64_t *start, uint64_t *end)
{
	*start = (uint64_t)field->offset * 8 + field->bit_offset;
	*end = *start + (field->bit_size ? field->bit_size : (uint64_t)field->layout->size * 8);
}

static void plan_node(struct binding_codec *codec, const struct ebpf_layout *layout, uint32_t number)
{
	struct node *node = &codec->nodes[number];
	uint64_t start, end, taken = 0;

	node->layout = layout;
	node->first = codec->step_count;
	if (layout->kind == EBPF_VALUE_ARRAY) {
		codec->step_count++;
		plan_step(codec, &codec->steps[node->first], layout->element);
		return;
	}
	for (uint32_t i = 0; i < layout->count; i++) /* unnamed bit fields are padding */
		if (layout->fields[i].name[0])
			codec->steps[node->first + node->count++].field = &layout->fields[i];
	codec->step_count += node->count;
	for (uint32_t i = 0; i < node->count; i++) {
		struct step *step = &codec->steps[node->first + i];

		step->offset = step->field->offset;
		plan_step(codec, step, step->field->layout);
		field_bits(step->field, &start, &end);
		node->overlaps |= start < taken;
		taken = end > taken ? end : taken;
	}
}

/* Marks what has a flexible array at its end, down to that; whether there is one. Before other fields, or in an array, it stays empty. */
static bool plan_open_end(struct binding_codec *codec, const struct step *outer)
{
	const struct node *node = &codec->nodes[outer->node];
	uint32_t last = 0;
	bool is_open = false;

	for (uint32_t i = 0; i < node->count; i++)
		if (codec->steps[node->first + i].offset > last)
			last = codec->steps[node->first + i].offset;
	for (uint32_t i = 0; i < node->count; i++) {
		struct step *step = &codec->steps[node->first + i];

		if (step->op == OP_STRUCT && step->offset + step->size == outer->size)
			step->is_tail = plan_open_end(codec, step);
		else if (!step->size && (step->op == OP_STRING || step->op == OP_ARRAY))
			step->is_tail = step->offset == last;
		is_open |= step->is_tail;
	}
	return is_open;
}

/* Whether records of this struct may end elsewhere than it does, and in what. */
static void plan_tail(struct binding_codec *codec, const struct ebpf_layout *layout)
{
	codec->least = ebpf_layout_least(layout);
	codec->whole = codec->size;
	if (codec->root.op != OP_STRUCT)
		return;
	const struct node *node = &codec->nodes[codec->root.node];

	if (plan_open_end(codec, &codec->root))
		codec->whole = SIZE_MAX;
	for (uint32_t i = 0; i < node->count; i++) {
		struct step *step = &codec->steps[node->first + i];

		if ((step->op == OP_STRING || step->op == OP_ARRAY) && step->offset == codec->least && codec->least < layout->size)
			step->is_tail = true;
	}
}

/* The names of all fields, by number of the step + 1. */
static void push_keys(lua_State *L, const struct binding_codec *codec)
{
	lua_createtable(L, (int)codec->step_count, 0);
	for (uint32_t i = 0; i < codec->step_count; i++) {
		lua_pushstring(L, codec->steps[i].field ? codec->steps[i].field->name : "");
		lua_rawseti(L, -2, i + 1);
	}
}

const struct binding_codec *binding_codec_push(lua_State *L, const struct ebpf_layout *layout, size_t size)
{
	struct extent extent = { 0 };

	if (layout)
		measure(layout, 0, &extent);
	size_t nodes_size = extent.nodes * sizeof(struct node);
	size_t steps_size = extent.steps * sizeof(struct step);
	struct binding_codec *codec = lua_newuserdatauv(L, sizeof(*codec) + nodes_size + steps_size, 2);

	memset(codec, 0, sizeof(*codec) + nodes_size + steps_size);
	codec->steps = (struct step *)(codec + 1);
	codec->nodes = (struct node *)(codec->steps + extent.steps);
	codec->depth = 3 * extent.depth + 3;
	codec->size = layout ? layout->size : size;
	if (layout) {
		plan_step(codec, &codec->root, layout);
		plan_tail(codec, layout);
	} else {
		codec->root.op = OP_BYTES;
		codec->root.size = (uint32_t)size;
		codec->whole = size;
	}
	push_keys(L, codec);
	lua_setiuservalue(L, -2, 1);
	return codec;
}

/* -- codecs that own their layout: it is in a userdata of its own, user value 2 -- */

#define CLASS_LAYOUT "ebpf.layout"

static int layout_gc(lua_State *L)
{
	struct ebpf_layout **layout = luaL_checkudata(L, 1, CLASS_LAYOUT);

	ebpf_layout_free(*layout);
	*layout = NULL;
	return 0;
}

static struct ebpf_layout **push_owner(lua_State *L)
{
	struct ebpf_layout **owner = lua_newuserdatauv(L, sizeof(*owner), 0);

	*owner = NULL;
	if (luaL_newmetatable(L, CLASS_LAYOUT)) {
		lua_pushcfunction(L, layout_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return owner;
}

const struct ebpf_layout *binding_layout_keep(lua_State *L, const struct ebpf_layout *layout)
{
	struct ebpf_layout **owner = push_owner(L);

	return *owner = ebpf_layout_ref(layout);
}

static const struct binding_codec *push_owning(lua_State *L, struct ebpf_layout *layout)
{
	if (!layout) {
		lua_pop(L, 1);
		return NULL;
	}
	const struct binding_codec *codec = binding_codec_push(L, layout, 0);

	lua_insert(L, -2);
	lua_setiuservalue(L, -2, 2);
	return codec;
}

const struct binding_codec *binding_codec_push_id(lua_State *L, const struct ebpf_btf *btf, uint32_t id, size_t size)
{
	if (!btf || !id)
		return binding_codec_push(L, NULL, size);
	struct ebpf_layout **owner = push_owner(L);

	*owner = ebpf_layout_from_btf(btf, id, binding_error(L));
	return push_owning(L, *owner);
}

const struct binding_codec *binding_codec_push_name(lua_State *L, const char *name, const struct ebpf_btf *btf)
{
	struct ebpf_layout **owner = push_owner(L);

	*owner = ebpf_layout_from_name(name, btf, binding_error(L));
	return push_owning(L, *owner);
}

const struct binding_codec *binding_codec_push_ordered(lua_State *L, const struct ebpf_layout *layout)
{
	struct ebpf_layout **owner = push_owner(L);

	*owner = ebpf_layout_with_orders(layout, binding_error(L));
	return push_owning(L, *owner);
}

const struct binding_codec *binding_codec_push_bytes(lua_State *L, size_t size, bool big_endian)
{
	struct binding_codec *codec = (struct binding_codec *)binding_codec_push(L, NULL, size);

	codec->is_swapped = big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	return codec;
}

/* -- what a codec tells of itself -- */

void binding_codec_name_enums(lua_State *L, int index)
{
	struct binding_codec *codec = lua_touserdata(L, index);

	for (uint32_t i = 0; i < codec->step_count; i++)
		if (codec->steps[i].layout->kind == EBPF_VALUE_ENUM && codec->steps[i].op != OP_BYTES)
			codec->steps[i].op = OP_ENUM;
	if (codec->root.layout && codec->root.layout->kind == EBPF_VALUE_ENUM && codec->root.op != OP_BYTES)
		codec->root.op = OP_ENUM;
}

const struct ebpf_layout *binding_codec_layout(const struct binding_codec *codec)
{
	return codec->root.layout;
}

size_t binding_codec_least(const struct binding_codec *codec)
{
	return codec->least;
}

size_t binding_codec_whole(const struct binding_codec *codec)
{
	return codec->whole;
}

bool binding_codec_takes(const struct binding_codec *codec, size_t size)
{
	return size == codec->size || (size > codec->size && codec->whole == SIZE_MAX);
}

size_t binding_codec_size(const struct binding_codec *codec)
{
	return codec->size;
}

int binding_codec_depth(const struct binding_codec *codec)
{
	return codec->depth;
}

bool binding_codec_is_plain(const struct binding_codec *codec)
{
	return codec->node_count == 0;
}

bool binding_codec_is_struct(const struct binding_codec *codec)
{
	return codec->root.op == OP_STRUCT;
}

const char *binding_codec_name(const struct binding_codec *codec)
{
	return codec->root.layout ? codec->root.layout->name : "";
}

bool binding_codec_is_flat(const struct binding_codec *codec)
{
	return codec->root.op == OP_STRUCT && codec->node_count == 1 && codec->nodes[0].count <= FLAT_FIELDS;
}

uint32_t binding_codec_fields(const struct binding_codec *codec)
{
	return codec->root.op == OP_STRUCT ? codec->nodes[codec->root.node].count : 0;
}

/* -- reading -- */

bool codec_any_bit(const uint8_t *data, size_t size)
{
	while (size--)
		if (data[size])
			return true;
	return false;
}

void codec_push_enumerator(lua_State *L, const struct step *step, const uint8_t *base)
{
	int64_t value = ebpf_layout_get_int(step->layout, step->field, step->field ? base : base + step->offset);

	for (uint32_t i = 0; i < step->layout->count; i++)
		if (step->layout->enumerators[i].value == value) {
			lua_pushstring(L, step->layout->enumerators[i].name);
			return;
		}
	lua_pushinteger(L, value);
}

void codec_push_swapped(lua_State *L, const struct step *step, const uint8_t *data)
{
	union {
		uint8_t bytes[16];
		float single;
		double real;
	} value;

	ebpf_layout_reorder(step->layout, data, &value);
	if (step->layout->kind != EBPF_VALUE_FLOAT)
		lua_pushlstring(L, (const char *)value.bytes, step->size);
	else
		lua_pushnumber(L, step->size == sizeof(value.single) ? (lua_Number)value.single : value.real);
}

static void read_step(lua_State *L, const struct binding_codec *codec, int keys, const struct step *step, const uint8_t *base);

static void read_struct(lua_State *L, const struct binding_codec *codec, int keys, const struct node *node, const uint8_t *data)
{
	const struct step *steps = &codec->steps[node->first];

	lua_createtable(L, 0, (int)node->count);
	for (uint32_t i = 0; i < node->count; i++) {
		lua_rawgeti(L, keys, (lua_Integer)node->first + i + 1);
		read_step(L, codec, keys, &steps[i], data);
		lua_rawset(L, -3);
	}
}

static void read_array(lua_State *L, const struct binding_codec *codec, int keys, const struct node *node, const uint8_t *data)
{
	const struct step *element = &codec->steps[node->first];

	lua_createtable(L, (int)node->layout->count, 0);
	for (uint32_t i = 0; i < node->layout->count; i++) {
		read_step(L, codec, keys, element, data + (size_t)i * element->size);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void read_step(lua_State *L, const struct binding_codec *codec, int keys, const struct step *step, const uint8_t *base)
{
	switch (step->op) {
	case OP_STRUCT: read_struct(L, codec, keys, &codec->nodes[step->node], base + step->offset); break;
	case OP_ARRAY: read_array(L, codec, keys, &codec->nodes[step->node], base + step->offset); break;
	default: codec_push_scalar(L, step, base); break;
	}
}

void binding_decode(lua_State *L, const struct binding_codec *codec, int keys, const void *data)
{
	read_step(L, codec, keys, &codec->root, data);
}

static void read_record(lua_State *L, const struct binding_codec *codec, int keys, const struct node *node, const uint8_t *data, size_t size);

/* What of a string, array or struct at the end lies within the record. */
static void read_tail(lua_State *L, const struct binding_codec *codec, int keys, const struct step *tail, const uint8_t *data, size_t size)
{
	size_t left = size - tail->offset;

	data += tail->offset;
	if (tail->op == OP_STRUCT) {
		read_record(L, codec, keys, &codec->nodes[tail->node], data, left);
		return;
	}
	if (tail->size && tail->size < left)
		left = tail->size;
	if (tail->op == OP_STRING) {
		lua_pushlstring(L, (const char *)data, strnlen((const char *)data, left));
		return;
	}
	const struct step *element = &codec->steps[codec->nodes[tail->node].first];
	size_t count = element->size ? left / element->size : 0;

	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		read_step(L, codec, keys, element, data + i * element->size);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void read_record(lua_State *L, const struct binding_codec *codec, int keys, const struct node *node, const uint8_t *data, size_t size)
{
	const struct step *steps = &codec->steps[node->first];

	lua_createtable(L, 0, (int)node->count);
	for (uint32_t i = 0; i < node->count; i++) {
		lua_rawgeti(L, keys, (lua_Integer)node->first + i + 1);
		if (steps[i].is_tail)
			read_tail(L, codec, keys, &steps[i], data, size);
		else
			read_step(L, codec, keys, &steps[i], data);
		lua_rawset(L, -3);
	}
}

void binding_decode_record(lua_State *L, const struct binding_codec *codec, int keys, const void *data, size_t size)
{
	if (size >= binding_codec_whole(codec)) {
		binding_decode(L, codec, keys, data);
		return;
	}
	read_record(L, codec, keys, &codec->nodes[codec->root.node], data, size);
}

void binding_decode_field(lua_State *L, const struct binding_codec *codec, int keys, uint32_t field, const void *data, size_t size)
{
	const struct step *step = &codec->steps[codec->nodes[codec->root.node].first + field];

	if (step->is_tail && size < codec->whole)
		read_tail(L, codec, keys, step, data, size);
	else
		read_step(L, codec, keys, step, data);
}

void binding_decode_flat(lua_State *L, const struct binding_codec *codec, int first_key, const void *data)
{
	const struct step *steps = codec->steps;
	int count = (int)codec->nodes[0].count;

	lua_createtable(L, 0, count);
	for (int i = 0; i < count; i++) {
		lua_pushvalue(L, first_key + i);
		codec_push_scalar(L, &steps[i], data);
		lua_rawset(L, -3);
	}
}
