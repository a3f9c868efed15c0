/* btf_type.c -- type objects: one type of a BTF, with its parts.
 *
 * A userdata that points to the BTF's handle and keeps it alive; the handle's user value 1 is a weak table of them by id, so
 * that a type has an identity while somebody holds it. */
#include "binding.h"

#define CLASS_TYPE "ebpf.type"

enum { TYPES = 1 }; /* user value of the BTF's handle */

struct type {
	struct ebpf_btf **owner; /* in the BTF's userdata, user value 1 */
	uint32_t id;
};

/* Pushes the table of type objects of the handle at `handle`. */
static void push_types(lua_State *L, int handle)
{
	if (lua_getiuservalue(L, handle, TYPES) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, handle, TYPES);
}

void binding_push_type(lua_State *L, int handle, uint32_t id)
{
	handle = lua_absindex(L, handle);
	luaL_checkstack(L, 6, NULL);
	push_types(L, handle);
	if (lua_rawgeti(L, -1, id) == LUA_TNIL) {
		lua_pop(L, 1);
		struct type *type = lua_newuserdatauv(L, sizeof(*type), 1);

		*type = (struct type){ lua_touserdata(L, handle), id };
		lua_pushvalue(L, handle);
		lua_setiuservalue(L, -2, 1);
		luaL_setmetatable(L, CLASS_TYPE);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, id);
	}
	lua_remove(L, -2);
}

/* The type object at `index`, whose BTF must be open. */
static struct type *check_type(lua_State *L, int index)
{
	struct type *type = luaL_checkudata(L, index, CLASS_TYPE);

	if (!*type->owner)
		luaL_error(L, "btf is closed");
	return type;
}

/* Fills the view of the type object at stack index 1. */
static void get_view(lua_State *L, struct ebpf_type *view)
{
	struct type *type = check_type(L, 1);

	ebpf_btf_type(*type->owner, type->id, view);
}

/* Pushes another type of the BTF to which the object at index 1 belongs. */
static void push_sibling(lua_State *L, uint32_t id)
{
	luaL_checkstack(L, 8, NULL);
	lua_getiuservalue(L, 1, 1);
	binding_push_type(L, -1, id);
	lua_remove(L, -2);
}

int64_t binding_to_type_id(lua_State *L, const struct ebpf_btf *btf, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TNUMBER: {
		uint64_t id = binding_to_integer(L, index, UINT32_MAX, "type");

		if (id >= ebpf_btf_count(btf))
			luaL_error(L, "there is no type %d (0 to %d)", (int)id, (int)ebpf_btf_count(btf) - 1);
		return (int64_t)id;
	}
	case LUA_TSTRING:
		return ebpf_btf_lookup(btf, binding_to_string(L, index, "type"), 0, binding_error(L));
	default: {
		struct type *type = check_type(L, index);

		if (*type->owner != btf)
			luaL_error(L, "the type is one of another BTF");
		return type->id;
	}
	}
}

static bool is_kind(const struct ebpf_type *view, const char *name)
{
	return ebpf_enum_value(EBPF_BTF_KIND, name) == view->kind;
}

static int l_type_id(lua_State *L)
{
	lua_pushinteger(L, check_type(L, 1)->id);
	return 1;
}

static int l_type_btf(lua_State *L)
{
	check_type(L, 1);
	lua_getiuservalue(L, 1, 1);
	return 1;
}

/* type.kind -> "struct"; a number for one from the future */
static int l_type_kind(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	binding_push_enum(L, EBPF_BTF_KIND, view.kind);
	return 1;
}

static int l_type_name(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	lua_pushstring(L, view.name);
	return 1;
}

/* type.size -> bytes, through typedefs, qualifiers and arrays; nil for what has none */
static int l_type_size(lua_State *L)
{
	struct type *type = check_type(L, 1);
	int64_t size = ebpf_btf_sizeof(*type->owner, type->id);

	if (size < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, size);
	return 1;
}

/* type.type -> what it refers to: of a pointer its target, of a prototype what it returns, of an array its elements' */
static int l_type_type(lua_State *L)
{
	static const char *const referring[] = { "ptr",      "typedef", "volatile", "const", "restrict", "func",
						 "func_proto", "var", "decl_tag", "type_tag", NULL };
	struct ebpf_type view;

	get_view(L, &view);
	if (is_kind(&view, "array")) {
		push_sibling(L, ebpf_type_array(&view).element);
		return 1;
	}
	for (size_t i = 0; referring[i]; i++) {
		if (is_kind(&view, referring[i])) {
			push_sibling(L, view.type);
			return 1;
		}
	}
	lua_pushnil(L);
	return 1;
}

/* type.index -> of an array, the type of its indices */
static int l_type_index(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (is_kind(&view, "array"))
		push_sibling(L, ebpf_type_array(&view).index);
	else
		lua_pushnil(L);
	return 1;
}

/* type.count -> of an array, its elements; of a kind with parts, how many it has */
static int l_type_count(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	lua_pushinteger(L, is_kind(&view, "array") ? ebpf_type_array(&view).count : is_kind(&view, "func") ? 0 : view.vlen);
	return 1;
}

/* Pushes what a type consists of, as a list of tables of so many fields, each filled by `fill`; nil of a type that is of neither kind. */
static int push_rows(lua_State *L, const char *kind, const char *other, int fields,
		     void (*fill)(lua_State *L, const struct ebpf_type *view, uint32_t index))
{
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, kind) && !is_kind(&view, other)) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)view.vlen, 0);
	for (uint32_t i = 0; i < view.vlen; i++) {
		lua_createtable(L, 0, fields);
		get_view(L, &view); /* collecting garbage may have run a finalizer that closed the BTF */
		fill(L, &view, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static void set_type(lua_State *L, uint32_t id)
{
	push_sibling(L, id);
	lua_setfield(L, -2, "type");
}

static void fill_member(lua_State *L, const struct ebpf_type *view, uint32_t index)
{
	struct ebpf_member member = ebpf_type_member(view, index);

	binding_set_string(L, "name", member.name);
	binding_set_integer(L, "offset", member.bit_offset / 8);
	binding_set_integer(L, "bit_offset", member.bit_offset);
	if (member.bit_size)
		binding_set_integer(L, "bit_size", member.bit_size);
	set_type(L, member.type);
}

static void fill_param(lua_State *L, const struct ebpf_type *view, uint32_t index)
{
	struct ebpf_param param = ebpf_type_param(view, index);

	binding_set_string(L, "name", param.name);
	set_type(L, param.type);
}

static void fill_enumerator(lua_State *L, const struct ebpf_type *view, uint32_t index)
{
	struct ebpf_btf_enum row = ebpf_type_enumerator(view, index);

	binding_set_string(L, "name", row.name);
	binding_set_integer(L, "value", (uint64_t)row.value);
}

static void fill_variable(lua_State *L, const struct ebpf_type *view, uint32_t index)
{
	struct ebpf_secinfo info = ebpf_type_secinfo(view, index);

	binding_set_integer(L, "offset", info.offset);
	binding_set_integer(L, "size", info.size);
	set_type(L, info.type);
}

/* type.members -> { { name =, type =, offset = bytes, bit_offset = bits, bit_size = bits or nil }, ... } */
static int l_type_members(lua_State *L)
{
	return push_rows(L, "struct", "union", 5, fill_member);
}

/* type.params -> { { name =, type = }, ... } of a prototype; that of a function is its type's */
static int l_type_params(lua_State *L)
{
	return push_rows(L, "func_proto", "func_proto", 2, fill_param);
}

/* type.enumerators -> { { name =, value = }, ... } */
static int l_type_enumerators(lua_State *L)
{
	return push_rows(L, "enum", "enum64", 2, fill_enumerator);
}

/* type.variables -> { { type = the variable, offset =, size = }, ... } of a data section */
static int l_type_variables(lua_State *L)
{
	return push_rows(L, "datasec", "datasec", 3, fill_variable);
}

/* type.linkage -> "static", "global", "extern" */
static int l_type_linkage(lua_State *L)
{
	static const char *const names[] = { "static", "global", "extern" };
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, "func") && !is_kind(&view, "var"))
		lua_pushnil(L);
	else if (ebpf_type_linkage(&view) < 3)
		lua_pushstring(L, names[ebpf_type_linkage(&view)]);
	else
		lua_pushinteger(L, ebpf_type_linkage(&view));
	return 1;
}

/* type.component -> of a decl_tag, the number of the member or parameter that it is about, from 0; -1 = the whole */
static int l_type_component(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (is_kind(&view, "decl_tag"))
		lua_pushinteger(L, ebpf_type_component(&view));
	else
		lua_pushnil(L);
	return 1;
}

/* type.encoding -> of an int "signed", "char", "bool", or "" for an unsigned one */
static int l_type_encoding(lua_State *L)
{
	struct ebpf_type view;
	uint32_t encoding, offset, bits;

	get_view(L, &view);
	if (!is_kind(&view, "int")) {
		lua_pushnil(L);
		return 1;
	}
	ebpf_type_int(&view, &encoding, &offset, &bits);
	lua_pushstring(L, encoding & 4 ? "bool" : encoding & 2 ? "char" : encoding & 1 ? "signed" : "");
	return 1;
}

/* type.signed -> of an int or enum */
static int l_type_signed(lua_State *L)
{
	struct ebpf_type view;
	uint32_t encoding, offset, bits;

	get_view(L, &view);
	ebpf_type_int(&view, &encoding, &offset, &bits);
	if (is_kind(&view, "int"))
		lua_pushboolean(L, encoding & 1);
	else if (is_kind(&view, "enum") || is_kind(&view, "enum64"))
		lua_pushboolean(L, view.kind_flag);
	else
		lua_pushnil(L);
	return 1;
}

/* type.bits -> of an int */
static int l_type_bits(lua_State *L)
{
	struct ebpf_type view;
	uint32_t encoding, offset, bits;

	get_view(L, &view);
	ebpf_type_int(&view, &encoding, &offset, &bits);
	if (is_kind(&view, "int"))
		lua_pushinteger(L, bits);
	else
		lua_pushnil(L);
	return 1;
}

/* type.of -> of a fwd "struct" or "union" */
static int l_type_of(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (is_kind(&view, "fwd"))
		lua_pushstring(L, view.kind_flag ? "union" : "struct");
	else
		lua_pushnil(L);
	return 1;
}

/* type.tags -> the decl_tags about it */
static int l_type_tags(lua_State *L)
{
	struct type *type = check_type(L, 1);
	uint32_t tag = 0;

	lua_newtable(L);
	for (lua_Integer i = 1; *type->owner && (tag = ebpf_btf_next_tag(*type->owner, type->id, tag)); i++) {
		push_sibling(L, tag);
		lua_rawseti(L, -2, i);
	}
	return 1;
}

/* type:resolve() -> through typedefs and qualifiers; type:unqualified() -> through qualifiers alone */
static int l_type_resolve(lua_State *L)
{
	struct type *type = check_type(L, 1);

	push_sibling(L, ebpf_btf_resolve(*type->owner, type->id));
	return 1;
}

static int l_type_unqualified(lua_State *L)
{
	struct type *type = check_type(L, 1);

	push_sibling(L, ebpf_btf_skip_modifiers(*type->owner, type->id));
	return 1;
}

static int l_type_tostring(lua_State *L)
{
	struct type *type = luaL_checkudata(L, 1, CLASS_TYPE);
	char text[256];

	if (!*type->owner)
		lua_pushliteral(L, "ebpf.type (closed)");
	else if (ebpf_btf_print_name(*type->owner, type->id, text, sizeof(text)) < 0)
		return luaL_error(L, "out of memory");
	else
		lua_pushstring(L, text);
	return 1;
}

static int l_type_eq(lua_State *L)
{
	struct type *a = luaL_testudata(L, 1, CLASS_TYPE), *b = luaL_testudata(L, 2, CLASS_TYPE);

	lua_pushboolean(L, a && b && a->id == b->id && *a->owner == *b->owner && *a->owner);
	return 1;
}

static const luaL_Reg methods[] = { { "resolve", l_type_resolve }, { "unqualified", l_type_unqualified }, { NULL, NULL } };
static const luaL_Reg properties[] = {
	{ "id", l_type_id }, { "btf", l_type_btf }, { "kind", l_type_kind }, { "name", l_type_name }, { "size", l_type_size },
	{ "type", l_type_type }, { "index", l_type_index }, { "count", l_type_count }, { "members", l_type_members },
	{ "params", l_type_params }, { "enumerators", l_type_enumerators }, { "variables", l_type_variables },
	{ "linkage", l_type_linkage }, { "component", l_type_component }, { "encoding", l_type_encoding },
	{ "signed", l_type_signed }, { "bits", l_type_bits }, { "of", l_type_of }, { "tags", l_type_tags }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = { { "__tostring", l_type_tostring }, { "__eq", l_type_eq }, { NULL, NULL } };

void binding_open_type(lua_State *L)
{
	static const struct binding_class class = { CLASS_TYPE, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
}
