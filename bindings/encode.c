/* encode.c -- writing: Lua values -> bytes of a type. Every refusal names the path to the value.
 *
 * No Lua code runs here (raw accesses only), so that the buffers of the caller stay as they are. */
#include <string.h>

#include "codec.h"

struct path { /* on the C stack, from a value up to the root */
	const struct path *up;
	const char *name;   /* of a field or the root; NULL: */
	lua_Integer index;  /* an element */
};
struct target {
	const struct binding_codec *codec;
	int keys;
	const uint8_t *end; /* of the data: as far as what is open at its end may go */
};

/* -- refusals -- */

static void add_path(lua_State *L, luaL_Buffer *text, const struct path *path)
{
	if (path->up)
		add_path(L, text, path->up);
	if (!path->name) {
		lua_pushfstring(L, "[%I]", path->index);
		luaL_addvalue(text);
		return;
	}
	if (path->up)
		luaL_addchar(text, '.');
	luaL_addstring(text, path->name);
}

/* Raises "<path>: <message on top of the stack>". */
static int refuse(lua_State *L, const struct path *path)
{
	luaL_Buffer text;
	const char *message = lua_tostring(L, -1);

	luaL_buffinit(L, &text);
	add_path(L, &text, path);
	luaL_addstring(&text, ": ");
	luaL_addstring(&text, message);
	luaL_pushresult(&text);
	return luaL_error(L, "%s", lua_tostring(L, -1));
}

static int refuse_type(lua_State *L, const struct path *path, int index, const char *expected)
{
	lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, index));
	return refuse(L, path);
}

static int refuse_range(lua_State *L, const struct path *path, const struct step *step, lua_Integer value)
{
	unsigned bits = step->field && step->field->bit_size ? step->field->bit_size : step->size * 8;
	lua_Integer top = step->layout->is_signed ? (lua_Integer)(1ULL << (bits - 1)) - 1
						  : (lua_Integer)(bits >= 64 ? UINT64_MAX : (1ULL << bits) - 1);

	if (step->field && step->field->bit_size)
		lua_pushfstring(L, "%I is out of range for %d bits (%I to %I)", value, (int)bits,
				step->layout->is_signed ? -top - 1 : 0, top);
	else
		lua_pushfstring(L, "%I is out of range for %s (%I to %I)", value, step->layout->name,
				step->layout->is_signed ? -top - 1 : 0, top);
	return refuse(L, path);
}

static int refuse_size(lua_State *L, const struct path *path, size_t got, const char *how, size_t size)
{
	lua_pushfstring(L, "the string has %I bytes, not %s%I", (lua_Integer)got, how, (lua_Integer)size);
	return refuse(L, path);
}

/* -- scalars -- */

static lua_Integer to_enumerator(lua_State *L, const struct path *path, const struct step *step, int index)
{
	const char *name = lua_tostring(L, index);
	const struct ebpf_layout *layout = step->layout;

	for (uint32_t i = 0; i < layout->count; i++)
		if (strcmp(layout->enumerators[i].name, name) == 0)
			return layout->enumerators[i].value;
	lua_pushfstring(L, "%s has no enumerator '%s'", layout->name[0] ? layout->name : "the enum", name);
	return refuse(L, path);
}

static lua_Integer to_integer(lua_State *L, const struct path *path, const struct step *step, int index)
{
	int exact = 0;

	switch (lua_type(L, index)) {
	case LUA_TNUMBER: {
		lua_Integer value = lua_tointegerx(L, index, &exact);

		if (exact)
			return value;
		lua_pushfstring(L, "%f is not a 64-bit integer", lua_tonumber(L, index));
		return refuse(L, path);
	}
	case LUA_TSTRING:
		if (step->layout && step->layout->kind == EBPF_VALUE_ENUM)
			return to_enumerator(L, path, step, index);
		break;
	case LUA_TBOOLEAN:
		if (step->layout && step->layout->kind == EBPF_VALUE_BOOL)
			return lua_toboolean(L, index);
		break;
	case LUA_TUSERDATA: { /* a map or program stands for its descriptor: what maps of maps and of programs hold */
		int fd = binding_object_fd(L, index);

		if (fd >= 0)
			return fd;
	}
	}
	return refuse_type(L, path, index, step->layout && step->layout->kind == EBPF_VALUE_ENUM   ? "integer or enumerator's name"
					   : step->layout && step->layout->kind == EBPF_VALUE_BOOL ? "boolean"
												   : "integer");
}

/* `base` is the start of the enclosing struct. */
static void write_integer(lua_State *L, const struct path *path, const struct step *step, int index, uint8_t *base)
{
	lua_Integer value = to_integer(L, path, step, index);
	int result = step->field && step->field->bit_size ? ebpf_layout_set_int(step->layout, step->field, base, value)
							  : ebpf_layout_set_int(step->layout, NULL, base + step->offset, value);

	if (result < 0)
		refuse_range(L, path, step, value);
}

static void write_float(lua_State *L, const struct path *path, const struct step *step, int index, uint8_t *data)
{
	if (lua_type(L, index) != LUA_TNUMBER)
		refuse_type(L, path, index, "number");
	double number = lua_tonumber(L, index);
	float single = (float)number;

	ebpf_layout_reorder(step->layout, step->size == sizeof(single) ? (void *)&single : (void *)&number, data);
}

static void write_string(lua_State *L, const struct path *path, const struct step *step, int index, uint8_t *data)
{
	size_t size;

	if (lua_type(L, index) != LUA_TSTRING)
		refuse_type(L, path, index, "string");
	const char *text = lua_tolstring(L, index, &size);

	if (size > step->size)
		refuse_size(L, path, size, "at most ", step->size);
	memcpy(data, text, size);
	memset(data + size, 0, step->size - size);
}

static void write_bytes(lua_State *L, const struct path *path, const struct step *step, int index, uint8_t *data)
{
	size_t size;

	if (lua_type(L, index) != LUA_TSTRING)
		refuse_type(L, path, index, "string of bytes");
	const char *bytes = lua_tolstring(L, index, &size);

	if (size != step->size)
		refuse_size(L, path, size, "", step->size);
	memcpy(data, bytes, size);
}

/* A 128-bit integer: bytes in the host's order, or an integer. */
static void write_wide(lua_State *L, const struct path *path, const struct step *step, int index, uint8_t *data)
{
	const bool is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	uint8_t bytes[16];

	if (lua_isinteger(L, index)) {
		lua_Integer value = lua_tointeger(L, index);

		if (value < 0 && !step->layout->is_signed) {
			lua_pushfstring(L, "%I is out of range for %s", value, step->layout->name);
			refuse(L, path);
		}
		memset(bytes, value < 0 ? 0xff : 0, sizeof(bytes));
		memcpy(bytes + (is_big ? 8 : 0), &value, sizeof(value));
	} else {
		write_bytes(L, path, step, index, bytes);
	}
	ebpf_layout_reorder(step->layout, bytes, data);
}

/* Values of unknown type: bytes; or an integer where the size is one of an integer's. */
static void write_raw(lua_State *L, const struct target *target, const struct path *path, const struct step *step, int index,
		      uint8_t *data)
{
	struct ebpf_layout integer = { .kind = EBPF_VALUE_INT, .size = step->size, .name = "an unsigned integer of that size",
				       .is_swapped = target->codec->is_swapped };
	struct step as_integer = { .op = OP_64, .size = step->size, .layout = &integer };
	bool fits = step->size == 1 || step->size == 2 || step->size == 4 || step->size == 8;

	if (fits && !step->layout && lua_type(L, index) != LUA_TSTRING)
		write_integer(L, path, &as_integer, index, data);
	else
		write_bytes(L, path, step, index, data);
}

/* -- structs, unions, arrays -- */

static void write_step(lua_State *L, const struct target *target, const struct path *path, const struct step *step, int index,
		       uint8_t *base);

static int refuse_field(lua_State *L, const struct target *target, const struct path *path, const struct node *node, int table)
{
	const char *name = node->layout->name[0] ? node->layout->name : "the struct";

	lua_pushnil(L);
	while (lua_next(L, table)) {
		bool known = false;

		lua_pop(L, 1);
		for (uint32_t i = 0; i < node->count && !known; i++) {
			lua_rawgeti(L, target->keys, (lua_Integer)node->first + i + 1);
			known = lua_rawequal(L, -1, -2);
			lua_pop(L, 1);
		}
		if (known)
			continue;
		lua_pushfstring(L, "%s has no field '%s'", name,
				lua_type(L, -1) == LUA_TTABLE ? "table" : luaL_tolstring(L, -1, NULL));
		return refuse(L, path);
	}
	return 0;
}

static bool is_open(const struct step *step)
{
	return step->is_tail && !step->size && step->op != OP_STRUCT;
}

/* Members that share bytes were all given (a table that was read and is written back has them all): they must agree, since nobody
 * could tell which one was meant. */
static void check_overlaps(lua_State *L, const struct target *target, const struct path *path, const struct node *node, int table,
			   const uint8_t *data)
{
	uint8_t *copy = lua_newuserdatauv(L, node->layout->size, 0);

	for (uint32_t i = 0; i < node->count; i++) {
		const struct step *step = &target->codec->steps[node->first + i];
		struct path here = { .up = path, .name = step->field->name };

		if (is_open(step) || (step->is_tail && step->op == OP_STRUCT)) /* may go beyond the copy */
			continue;
		lua_rawgeti(L, target->keys, (lua_Integer)node->first + i + 1);
		if (lua_rawget(L, table) != LUA_TNIL) {
			memcpy(copy, data, node->layout->size);
			write_step(L, target, &here, step, lua_gettop(L), copy);
			if (memcmp(copy, data, node->layout->size) != 0) {
				lua_pushliteral(L, "shares bytes with another member that was given: give one of them");
				refuse(L, &here);
			}
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void write_struct(lua_State *L, const struct target *target, const struct path *path, const struct node *node, int table,
			 uint8_t *data)
{
	lua_Integer given = 0, pairs = 0;

	for (uint32_t i = 0; i < node->count; i++) {
		const struct step *step = &target->codec->steps[node->first + i];
		struct path here = { .up = path, .name = step->field->name };

		lua_rawgeti(L, target->keys, (lua_Integer)node->first + i + 1);
		if (lua_rawget(L, table) != LUA_TNIL) {
			write_step(L, target, &here, step, lua_gettop(L), data);
			given++;
		}
		lua_pop(L, 1);
	}
	lua_pushnil(L);
	for (; lua_next(L, table); pairs++)
		lua_pop(L, 1);
	if (pairs != given)
		refuse_field(L, target, path, node, table);
	if (node->overlaps && given > 1)
		check_overlaps(L, target, path, node, table, data);
}

static void write_array(lua_State *L, const struct target *target, const struct path *path, const struct node *node, lua_Integer count,
			int table, uint8_t *data)
{
	const struct step *element = &target->codec->steps[node->first];

	lua_pushnil(L);
	while (lua_next(L, table)) {
		lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		struct path here = { .up = path, .index = at };

		if (at < 1 || at > count) {
			lua_pushvalue(L, -2);
			lua_pushfstring(L, "no element [%s]: there are %I, from 1",
					lua_isinteger(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1), count);
			refuse(L, path);
		}
		write_step(L, target, &here, element, lua_gettop(L), data + (size_t)(at - 1) * element->size);
		lua_pop(L, 1);
	}
}

static bool is_byte_array(const struct target *target, const struct step *step)
{
	if (step->op != OP_ARRAY)
		return false;
	const struct step *element = &target->codec->steps[target->codec->nodes[step->node].first];

	return element->op == OP_U8 || element->op == OP_S8;
}

static void write_aggregate(lua_State *L, const struct target *target, const struct path *path, const struct step *step, int index,
			    uint8_t *data)
{
	const struct node *node = &target->codec->nodes[step->node];

	luaL_checkstack(L, 10, "value nested too deeply");
	if (lua_type(L, index) == LUA_TSTRING && is_byte_array(target, step))
		write_string(L, path, step, index, data);
	else if (lua_type(L, index) == LUA_TSTRING)
		write_bytes(L, path, step, index, data);
	else if (lua_type(L, index) != LUA_TTABLE)
		refuse_type(L, path, index, "table");
	else if (step->op == OP_ARRAY)
		write_array(L, target, path, node, node->layout->count, index, data);
	else
		write_struct(L, target, path, node, index, data);
}

/* A flexible array, up to the end of the data. */
static void write_open(lua_State *L, const struct target *target, const struct path *path, const struct step *step, int index,
		       uint8_t *data)
{
	struct step whole = *step;
	size_t left = (size_t)(target->end - data);

	whole.size = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
	luaL_checkstack(L, 10, "value nested too deeply");
	if (step->op == OP_STRING || (lua_type(L, index) == LUA_TSTRING && is_byte_array(target, step))) {
		write_string(L, path, &whole, index, data);
	} else if (lua_type(L, index) != LUA_TTABLE) {
		refuse_type(L, path, index, "table");
	} else {
		const struct node *node = &target->codec->nodes[step->node];
		uint32_t size = target->codec->steps[node->first].size;

		write_array(L, target, path, node, size ? whole.size / size : 0, index, data);
	}
}

static void write_step(lua_State *L, const struct target *target, const struct path *path, const struct step *step, int index,
		       uint8_t *base)
{
	uint8_t *data = base + step->offset;

	if (is_open(step)) {
		write_open(L, target, path, step, index, data);
		return;
	}
	switch (step->op) {
	case OP_F32:
	case OP_F64: write_float(L, path, step, index, data); break;
	case OP_STRING: write_string(L, path, step, index, data); break;
	case OP_SWAPPED:
		if (step->layout->kind == EBPF_VALUE_FLOAT)
			write_float(L, path, step, index, data);
		else
			write_wide(L, path, step, index, data);
		break;
	case OP_BYTES:
		if (step->layout && step->layout->kind == EBPF_VALUE_INT128)
			write_wide(L, path, step, index, data);
		else
			write_raw(L, target, path, step, index, data);
		break;
	case OP_STRUCT:
	case OP_ARRAY: write_aggregate(L, target, path, step, index, data); break;
	default: write_integer(L, path, step, index, base); break;
	}
}

void binding_encode(lua_State *L, const struct binding_codec *codec, int keys, int index, void *data, const char *what)
{
	binding_encode_record(L, codec, keys, index, data, codec->size, what);
}

void binding_encode_record(lua_State *L, const struct binding_codec *codec, int keys, int index, void *data, size_t size, const char *what)
{
	struct target target = { codec, keys ? lua_absindex(L, keys) : 0, (const uint8_t *)data + size };
	struct path path = { .name = what };

	memset(data, 0, size);
	write_step(L, &target, &path, &codec->root, lua_absindex(L, index), data);
}

/* -- how long a record is whose end is open -- */

enum { OPEN_MAX = INT32_MAX }; /* bytes: what is more has no room, and is refused as such */

/* Of the value at the top of the stack. */
static size_t open_size(lua_State *L, const struct binding_codec *codec, const struct step *step)
{
	lua_Integer count = 0;

	if (lua_type(L, -1) == LUA_TSTRING)
		return lua_rawlen(L, -1);
	if (step->op != OP_ARRAY || lua_type(L, -1) != LUA_TTABLE)
		return 0;
	uint32_t size = codec->steps[codec->nodes[step->node].first].size;

	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

		if (at > count && size && at <= OPEN_MAX / (lua_Integer)size)
			count = at;
		lua_pop(L, 1);
	}
	return (size_t)count * size;
}

static size_t record_size(lua_State *L, const struct target *target, const struct step *outer, int table)
{
	const struct node *node = &target->codec->nodes[outer->node];
	size_t most = outer->size;

	if (lua_type(L, table) != LUA_TTABLE)
		return most;
	luaL_checkstack(L, 10, "value nested too deeply");
	for (uint32_t i = 0; i < node->count; i++) {
		const struct step *step = &target->codec->steps[node->first + i];

		if (!step->is_tail)
			continue;
		lua_rawgeti(L, target->keys, (lua_Integer)node->first + i + 1);
		lua_rawget(L, table);
		size_t size = step->offset;

		if (step->op == OP_STRUCT)
			size += record_size(L, target, step, lua_gettop(L));
		else if (!step->size)
			size += open_size(L, target->codec, step);
		most = size > most ? size : most;
		lua_pop(L, 1);
	}
	return most;
}

size_t binding_encode_size(lua_State *L, const struct binding_codec *codec, int keys, int index)
{
	struct target target = { codec, keys ? lua_absindex(L, keys) : 0, NULL };

	if (codec->whole != SIZE_MAX)
		return codec->size;
	return record_size(L, &target, &codec->root, lua_absindex(L, index));
}

bool binding_encode_integer(const struct binding_codec *codec, lua_Integer value, void *data)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		int8_t s8;
		int16_t s16;
		int32_t s32;
	} narrow;

#define STORE(member) (narrow.member = value, memcpy(data, &narrow, sizeof(narrow.member)), narrow.member == value)
	switch (codec->root.op) {
	case OP_U8: return STORE(u8);
	case OP_S8: return STORE(s8);
	case OP_U16: return STORE(u16);
	case OP_S16: return STORE(s16);
	case OP_U32: return STORE(u32);
	case OP_S32: return STORE(s32);
	case OP_64: memcpy(data, &value, sizeof(value)); return true;
	default: return false;
	}
#undef STORE
}
