/* btf.c -- handles on BTF: reading, looking up, where things lie in memory, values by type, and other BTF made of one. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

struct ebpf_btf *binding_check_btf(lua_State *L, int index)
{
	return *(struct ebpf_btf **)binding_check(L, index, CLASS_BTF);
}

struct ebpf_btf **binding_new_btf(lua_State *L)
{
	return binding_new(L, sizeof(struct ebpf_btf *), 1, CLASS_BTF);
}

/* The handle of the reference that is given as a light userdata. */
static int make_handle(lua_State *L)
{
	struct ebpf_btf **handle = binding_new_btf(L);

	*handle = lua_touserdata(L, 1);
	return 1;
}

/* Who has the types may be closed by a finalizer, so they are referenced before there is a handle to own the reference: hence
 * the protected call. */
void binding_push_btf(lua_State *L, struct ebpf_btf *btf)
{
	luaL_checkstack(L, 4, NULL);
	if (!btf) {
		lua_pushnil(L);
		return;
	}
	lua_pushcfunction(L, make_handle);
	lua_pushlightuserdata(L, ebpf_btf_ref(btf));
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		ebpf_btf_free(btf);
		lua_error(L);
	}
}

/* -- handles -- */

/* core.btf_file(path [, base]) */
static int l_btf_file(lua_State *L)
{
	const char *path = binding_to_string(L, 1, "path");

	lua_settop(L, 2);
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_btf *base = lua_isnil(L, 2) ? NULL : binding_check_btf(L, 2);

	if (ebpf_policy_read_file(path, binding_error(L)) < 0)
		return binding_fail(L);
	return ebpf_btf_read_file(path, base, handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.btf_bytes(bytes [, base]) */
static int l_btf_bytes(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);

	lua_settop(L, 2);
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_btf *base = lua_isnil(L, 2) ? NULL : binding_check_btf(L, 2);

	return ebpf_btf_read(bytes, size, base, handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.btf_vmlinux() */
static int l_btf_vmlinux(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	struct ebpf_btf *btf = kernel ? ebpf_kernel_btf(kernel, binding_error(L)) : NULL;

	if (!btf)
		return binding_fail(L);
	binding_push_btf(L, btf);
	return 1;
}

/* core.btf_module(name) */
static int l_btf_module(lua_State *L)
{
	const char *name = binding_to_string(L, 1, "module");
	struct ebpf_kernel *kernel = binding_kernel(L);
	struct ebpf_btf *btf = kernel ? ebpf_kernel_btf_of_module(kernel, name, binding_error(L)) : NULL;

	if (!btf)
		return binding_fail(L);
	binding_push_btf(L, btf);
	return 1;
}

static int l_btf_close(lua_State *L)
{
	struct ebpf_btf **handle = luaL_checkudata(L, 1, CLASS_BTF);
	struct ebpf_btf *btf = *handle;

	*handle = NULL;
	ebpf_btf_free(btf);
	return 0;
}

/* btf:find(name [, kind]) -> type, or nil, err: "struct task_struct", or a bare name; with a kind, the exact name of one of that
 * kind */
static int l_btf_find(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	const char *name = binding_to_string(L, 2, "name");
	uint32_t kind = lua_isnoneornil(L, 3) ? 0 : binding_to_enum(L, 3, EBPF_BTF_KIND, "kind");
	int64_t id = ebpf_btf_lookup(btf, name, kind, binding_error(L));

	if (id < 0)
		return binding_fail(L);
	binding_push_type(L, 1, (uint32_t)id);
	return 1;
}

/* btf:all(name [, kind]) -> all of this exact name, the base's too, own ones first */
static int l_btf_all(lua_State *L)
{
	const char *name = binding_to_string(L, 2, "name");
	uint32_t kind = lua_isnoneornil(L, 3) ? 0 : binding_to_enum(L, 3, EBPF_BTF_KIND, "kind");
	lua_Integer count = 0;

	lua_settop(L, 2);
	lua_newtable(L);
	for (unsigned depth = 0;; depth++) {
		for (uint32_t id = 0;;) {
			const struct ebpf_btf *btf = binding_check_btf(L, 1); /* collecting garbage may have closed it */
			for (unsigned i = 0; i < depth && btf; i++)
				btf = ebpf_btf_base(btf);
			if (!btf)
				return 1;
			id = ebpf_btf_next_named(btf, name, kind, id);
			if (!id)
				break;
			binding_push_type(L, 1, id);
			lua_rawseti(L, 3, ++count);
		}
	}
}

/* btf:type(id) -> type; nil past the end */
static int l_btf_type(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	uint64_t id = binding_to_integer(L, 2, UINT64_MAX, "id");

	if (id < ebpf_btf_count(btf))
		binding_push_type(L, 1, (uint32_t)id);
	else
		lua_pushnil(L);
	return 1;
}

static int btf_next(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	lua_Integer id = lua_isnil(L, 2) ? (lua_Integer)ebpf_btf_first_id(btf) : luaL_checkinteger(L, 2) + 1;

	if (id < 0 || id >= ebpf_btf_count(btf))
		return 0;
	lua_pushinteger(L, id);
	binding_push_type(L, 1, (uint32_t)id);
	return 2;
}

/* for id, type in pairs(btf): its own types, in the order of their ids */
static int l_btf_pairs(lua_State *L)
{
	binding_check_btf(L, 1);
	lua_pushcfunction(L, btf_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

/* #btf -> the last id: the number of types, the base's included */
static int l_btf_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_btf_count(binding_check_btf(L, 1)) - 1);
	return 1;
}

/* btf:sizeof(type) -> bytes */
static int l_btf_sizeof(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	int64_t id = binding_to_type_id(L, btf, 2);
	int64_t size = id < 0 ? id : ebpf_btf_size(btf, (uint32_t)id, binding_error(L));

	if (size < 0)
		return binding_fail(L);
	lua_pushinteger(L, size);
	return 1;
}

/* btf:offsetof(type, "a.b[2].c") -> bytes, the member's type, and of a bit field the bit from there, and its bits */
static int l_btf_offsetof(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	int64_t id = binding_to_type_id(L, btf, 2);
	uint64_t bits;
	uint32_t bit_size, type;

	const char *path = binding_to_string(L, 3, "member");

	if (id < 0 || ebpf_btf_offsetof(btf, (uint32_t)id, path, &bits, &bit_size, &type, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushinteger(L, (lua_Integer)(bits / 8));
	binding_push_type(L, 1, type);
	if (!bit_size)
		return 2;
	lua_pushinteger(L, (lua_Integer)(bits % 8));
	lua_pushinteger(L, bit_size);
	return 4;
}

/* -- layouts as tables -- */

static const char *const value_kinds[] = { "int",    "bool",  "float",  "enum",  "pointer", /* ORDER ebpf_value_kind */
					   "string", "array", "struct", "union", "bytes", "bytes" };

/* `made` is the stack index of the tables by node: a type that occurs twice is one table. */
static void push_layout(lua_State *L, const struct ebpf_layout *layout, int made)
{
	luaL_checkstack(L, 6, "type nested too deeply");
	if (lua_rawgeti(L, made, (lua_Integer)layout->id + 1) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 5);
	lua_pushvalue(L, -1);
	lua_rawseti(L, made, (lua_Integer)layout->id + 1);
	binding_set_string(L, "kind", value_kinds[layout->kind]);
	binding_set_string(L, "name", layout->name);
	binding_set_integer(L, "size", layout->size);
	switch (layout->kind) {
	case EBPF_VALUE_INT:
	case EBPF_VALUE_ENUM:
		lua_pushboolean(L, layout->is_signed);
		lua_setfield(L, -2, "signed");
		if (layout->order)
			binding_set_string(L, "byteorder", layout->order == EBPF_ORDER_BIG ? "big" : "little");
		if (layout->kind == EBPF_VALUE_INT)
			break;
		lua_createtable(L, (int)layout->count, 0);
		for (uint32_t i = 0; i < layout->count; i++) {
			lua_createtable(L, 0, 2);
			binding_set_string(L, "name", layout->enumerators[i].name);
			binding_set_integer(L, "value", (uint64_t)layout->enumerators[i].value);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		lua_setfield(L, -2, "enumerators");
		break;
	case EBPF_VALUE_ARRAY:
		binding_set_integer(L, "count", layout->count);
		push_layout(L, layout->element, made);
		lua_setfield(L, -2, "element");
		break;
	case EBPF_VALUE_STRUCT:
	case EBPF_VALUE_UNION:
		lua_createtable(L, (int)layout->count, 0);
		for (uint32_t i = 0; i < layout->count; i++) {
			const struct ebpf_field *field = &layout->fields[i];

			lua_createtable(L, 0, 5);
			binding_set_string(L, "name", field->name);
			binding_set_integer(L, "offset", field->offset);
			if (field->bit_size) {
				binding_set_integer(L, "bit_offset", field->bit_offset);
				binding_set_integer(L, "bit_size", field->bit_size);
			}
			push_layout(L, field->layout, made);
			lua_setfield(L, -2, "layout");
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		lua_setfield(L, -2, "fields");
		break;
	default: break;
	}
}

#define CLASS_LAYOUT "ebpf.layout"

static int layout_gc(lua_State *L)
{
	struct ebpf_layout **layout = luaL_checkudata(L, 1, CLASS_LAYOUT);

	ebpf_layout_free(*layout);
	*layout = NULL;
	return 0;
}

/* btf:layout(type) -> { kind =, name =, size =, fields = { { name =, offset =, layout = }, ... } }: how its bytes are laid out,
 * typedefs and qualifiers looked through, members of anonymous structs lifted up. A name may be "struct event[4]" or "u32" as
 * well. */
static int l_btf_layout(lua_State *L)
{
	struct ebpf_layout **layout = binding_new(L, sizeof(*layout), 0, CLASS_LAYOUT);
	const struct ebpf_btf *btf = binding_check_btf(L, 1);

	if (lua_type(L, 2) == LUA_TSTRING) {
		*layout = ebpf_layout_from_name(binding_to_string(L, 2, "type"), btf, binding_error(L));
	} else {
		int64_t id = binding_to_type_id(L, btf, 2);

		*layout = ebpf_layout_from_btf(btf, (uint32_t)id, binding_error(L));
	}
	if (!*layout)
		return binding_fail(L);
	lua_newtable(L);
	push_layout(L, *layout, lua_gettop(L));
	return 1;
}

/* -- values -- */

/* Pushes the codec of the type at stack index 2, and its names; NULL with binding_error() filled. */
static const struct binding_codec *push_codec(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	const struct binding_codec *codec;

	if (lua_type(L, 2) == LUA_TSTRING)
		codec = binding_codec_push_name(L, binding_to_string(L, 2, "type"), btf);
	else
		codec = binding_codec_push_id(L, btf, (uint32_t)binding_to_type_id(L, btf, 2), 0);
	if (!codec)
		return NULL;
	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec), "value nested too deeply");
	return codec;
}

/* btf:decode(type, bytes) -> the value, as maps and records give it. The bytes are in the byte order of the BTF. */
static int l_btf_decode(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);
	const struct binding_codec *codec = push_codec(L);

	if (!codec)
		return binding_fail(L);
	size_t least = binding_codec_least(codec);

	if (size < least)
		return luaL_error(L, "%s: %s%d bytes expected, got %d", binding_codec_name(codec), binding_codec_whole(codec) > least ? "at least " : "",
				  (int)least, (int)size);
	binding_decode_record(L, codec, lua_gettop(L), bytes, size);
	return 1;
}

/* btf:encode(type, value) -> bytes, in the byte order of the BTF */
static int l_btf_encode(lua_State *L)
{
	luaL_checkany(L, 3);
	const struct binding_codec *codec = push_codec(L);

	if (!codec)
		return binding_fail(L);
	int names = lua_gettop(L);
	size_t size = binding_encode_size(L, codec, names, 3);
	void *data = lua_newuserdatauv(L, size + 1, 0);

	binding_encode_record(L, codec, names, 3, data, size, "value");
	lua_pushlstring(L, data, size);
	return 1;
}

/* -- strings -- */

/* btf:string(offset) -> the string there */
static int l_btf_string(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);

	lua_pushstring(L, ebpf_btf_string(btf, (uint32_t)binding_to_integer(L, 2, UINT32_MAX, "offset")));
	return 1;
}

static int strings_next(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	uint32_t first, end;

	ebpf_btf_string_range(btf, &first, &end);
	lua_Integer at = lua_isnil(L, 2) ? first : luaL_checkinteger(L, 2);

	if (at < first || at >= end)
		return 0;
	if (!lua_isnil(L, 2))
		at += (lua_Integer)strlen(ebpf_btf_string(btf, (uint32_t)at)) + 1;
	if (at >= end)
		return 0;
	lua_pushinteger(L, at);
	lua_pushstring(L, ebpf_btf_string(btf, (uint32_t)at));
	return 2;
}

/* for offset, text in btf:strings(): its own string table */
static int l_btf_strings(lua_State *L)
{
	binding_check_btf(L, 1);
	lua_pushcfunction(L, strings_next);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

#define CLASS_BYTES "ebpf.bytes" /* what C allocated, until Lua has it */

static int bytes_gc(lua_State *L)
{
	void **bytes = luaL_checkudata(L, 1, CLASS_BYTES);

	free(*bytes);
	*bytes = NULL;
	return 0;
}

/* A list of names at `index`: what the reader lacks. */
static uint32_t to_lacks(lua_State *L, int index)
{
	uint32_t lacks = 0;

	luaL_checktype(L, index, LUA_TTABLE);
	for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
		const char *name = binding_to_string(L, -1, "without");
		uint32_t bit = ebpf_btf_lacks(name);

		if (!bit)
			luaL_error(L, "without: unknown kind '%s' (known: func, datasec, global_func, float, decl_tag, type_tag, enum64)",
				   name);
		lacks |= bit;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return lacks;
}

/* btf:bytes { byteorder = "big", without = { "enum64", ... } } -> the raw bytes, without the base's */
static int l_btf_get_bytes(lua_State *L)
{
	static const char *const names[] = { "byteorder", "without", NULL };
	struct ebpf_btf *btf = binding_check_btf(L, 1);
	bool big = ebpf_btf_big_endian(btf);
	uint32_t lacks = 0;
	size_t size;

	if (binding_check_options(L, 2, names)) {
		const char *order = binding_option_string(L, 2, "byteorder", big ? "big" : "little");

		big = strcmp(order, "big") == 0;
		if (!big && strcmp(order, "little") != 0)
			return luaL_error(L, "byteorder: 'little' or 'big' expected, got '%s'", order);
		if (lua_getfield(L, 2, "without") != LUA_TNIL)
			lacks = to_lacks(L, lua_gettop(L));
	}
	void **bytes = binding_new(L, sizeof(*bytes), 0, CLASS_BYTES);

	btf = binding_check_btf(L, 1);
	if (ebpf_btf_write(btf, lacks, big, bytes, &size, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushlstring(L, *bytes, size);
	return 1;
}

/* btf:dedup() -> a BTF that has each type once */
static int l_btf_dedup(lua_State *L)
{
	binding_check_btf(L, 1);
	struct ebpf_btf **handle = binding_new_btf(L);

	return ebpf_btf_dedup(binding_check_btf(L, 1), handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* btf:distill() -> a base with names and sizes alone, and split BTF on it */
static int l_btf_distill(lua_State *L)
{
	binding_check_btf(L, 1);
	struct ebpf_btf **base = binding_new_btf(L), **split = binding_new_btf(L);

	return ebpf_btf_distill(binding_check_btf(L, 1), base, split, binding_error(L)) < 0 ? binding_fail(L) : 2;
}

/* btf:relocate(base) -> what stood on a distilled base, on this one */
static int l_btf_relocate(lua_State *L)
{
	binding_check_btf(L, 1);
	binding_check_btf(L, 2);
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_btf *btf = binding_check_btf(L, 1);

	return ebpf_btf_relocate(btf, binding_check_btf(L, 2), handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.btf_minimize(target, { spec, ... }) -> the types of the target that these objects' relocations need */
static int l_btf_minimize(lua_State *L)
{
	binding_check_btf(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	size_t count = lua_rawlen(L, 2);

	luaL_argcheck(L, count <= INT16_MAX, 2, "too many");
	luaL_checkstack(L, (int)count + 8, "too many specs");
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_spec **specs = lua_newuserdatauv(L, (count + 1) * sizeof(*specs), 0);

	for (size_t i = 0; i < count; i++) { /* the stack keeps them */
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		luaL_argcheck(L, luaL_testudata(L, -1, CLASS_SPEC), 2, "a list of specs expected");
		specs[i] = binding_check_spec(L, -1);
	}
	if (ebpf_btf_minimize(binding_check_btf(L, 1), specs, count, handle, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushvalue(L, 3);
	return 1;
}

/* -- what the handle tells -- */

static int l_btf_base(lua_State *L)
{
	binding_push_btf(L, ebpf_btf_base(binding_check_btf(L, 1)));
	return 1;
}

static int l_btf_first_id(lua_State *L)
{
	lua_pushinteger(L, ebpf_btf_first_id(binding_check_btf(L, 1)));
	return 1;
}

static int l_btf_byteorder(lua_State *L)
{
	lua_pushstring(L, ebpf_btf_big_endian(binding_check_btf(L, 1)) ? "big" : "little");
	return 1;
}

static int l_btf_pointer_size(lua_State *L)
{
	lua_pushinteger(L, ebpf_btf_pointer_size(binding_check_btf(L, 1)));
	return 1;
}

static int l_btf_tostring(lua_State *L)
{
	struct ebpf_btf **handle = luaL_checkudata(L, 1, CLASS_BTF);

	lua_pushfstring(L, "%d types", *handle ? (int)ebpf_btf_count(*handle) - (int)ebpf_btf_first_id(*handle) : 0);
	return binding_tostring(L, CLASS_BTF, lua_tostring(L, -1));
}

static int l_btf_eq(lua_State *L)
{
	struct ebpf_btf **a = luaL_testudata(L, 1, CLASS_BTF), **b = luaL_testudata(L, 2, CLASS_BTF);

	lua_pushboolean(L, a && b && *a && *a == *b);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "find", l_btf_find }, { "all", l_btf_all }, { "type", l_btf_type }, { "sizeof", l_btf_sizeof },
	{ "offsetof", l_btf_offsetof }, { "layout", l_btf_layout }, { "decode", l_btf_decode }, { "encode", l_btf_encode },
	{ "string", l_btf_string }, { "strings", l_btf_strings }, { "bytes", l_btf_get_bytes }, { "dedup", l_btf_dedup },
	{ "dump", binding_btf_dump }, { "declare", binding_btf_declare }, { "format", binding_btf_format }, { "parse", binding_btf_parse },
	{ "distill", l_btf_distill }, { "relocate", l_btf_relocate }, { "load", binding_btf_load }, { "close", l_btf_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "base", l_btf_base }, { "first_id", l_btf_first_id }, { "byteorder", l_btf_byteorder },
	{ "pointer_size", l_btf_pointer_size }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_btf_tostring }, { "__pairs", l_btf_pairs }, { "__len", l_btf_len }, { "__eq", l_btf_eq },
	{ "__close", l_btf_close }, { "__gc", l_btf_close }, { NULL, NULL }
};
static const luaL_Reg bytes_metamethods[] = { { "__gc", bytes_gc }, { NULL, NULL } };
static const luaL_Reg layout_metamethods[] = { { "__gc", layout_gc }, { NULL, NULL } };
static const luaL_Reg functions[] = {
	{ "btf_file", l_btf_file }, { "btf_bytes", l_btf_bytes }, { "btf_vmlinux", l_btf_vmlinux },
	{ "btf_module", l_btf_module }, { "btf_minimize", l_btf_minimize }, { NULL, NULL }
};

void binding_open_btf(lua_State *L)
{
	static const struct binding_class classes[] = {
		{ CLASS_BTF, methods, properties, NULL, metamethods, NULL },
		{ CLASS_BYTES, NULL, NULL, NULL, bytes_metamethods, NULL },
		{ CLASS_LAYOUT, NULL, NULL, NULL, layout_metamethods, NULL },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		binding_class_register(L, &classes[i]);
	luaL_setfuncs(L, functions, 0);
	binding_open_type(L);
}
