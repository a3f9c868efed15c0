/* btf.c -- types: handles on BTF, type objects, where they lie in memory, and values by type.
 *
 * A type object is a userdata that points to the BTF's handle and keeps it alive; the handle's user value 1 is a weak table of them by id, so that a
 * type has an identity while somebody holds it. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

#define CLASS_TYPE "ebpf.type"

enum { TYPES = 1, BTF_USER_VALUES = TYPES };

struct type {
	struct ebpf_btf **owner; /* in the BTF's userdata, user value 1 */
	uint32_t id;
};

struct ebpf_btf *binding_check_btf(lua_State *L, int index)
{
	return *(struct ebpf_btf **)binding_check(L, index, CLASS_BTF);
}

struct ebpf_btf **binding_new_btf(lua_State *L)
{
	return binding_new(L, sizeof(struct ebpf_btf *), BTF_USER_VALUES, CLASS_BTF);
}

void binding_push_btf(lua_State *L, struct ebpf_btf *btf)
{
	if (!btf) {
		lua_pushnil(L);
		return;
	}
	ebpf_btf_ref(btf); /* a finalizer may close the one who has it */
	struct ebpf_btf **handle = lua_newuserdatauv(L, sizeof(*handle), BTF_USER_VALUES);

	*handle = btf;
	luaL_setmetatable(L, CLASS_BTF);
}

/* -- type objects -- */

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

static void set_string(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
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

/* type.members -> { { name =, type =, offset = bytes, bit_offset = bits, bit_size = bits or nil }, ... } */
static int l_type_members(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, "struct") && !is_kind(&view, "union")) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)view.vlen, 0);
	for (uint32_t i = 0; i < view.vlen; i++) {
		get_view(L, &view); /* collecting garbage may have run a finalizer that closed the BTF */
		struct ebpf_member member = ebpf_type_member(&view, i);

		lua_createtable(L, 0, 5);
		set_string(L, "name", member.name);
		binding_set_integer(L, "offset", member.bit_offset / 8);
		binding_set_integer(L, "bit_offset", member.bit_offset);
		if (member.bit_size)
			binding_set_integer(L, "bit_size", member.bit_size);
		push_sibling(L, member.type);
		lua_setfield(L, -2, "type");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* type.params -> { { name =, type = }, ... } of a prototype; that of a function is its type's */
static int l_type_params(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, "func_proto")) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)view.vlen, 0);
	for (uint32_t i = 0; i < view.vlen; i++) {
		get_view(L, &view);
		struct ebpf_param param = ebpf_type_param(&view, i);

		lua_createtable(L, 0, 2);
		set_string(L, "name", param.name);
		push_sibling(L, param.type);
		lua_setfield(L, -2, "type");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* type.enumerators -> { { name =, value = }, ... } */
static int l_type_enumerators(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, "enum") && !is_kind(&view, "enum64")) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)view.vlen, 0);
	for (uint32_t i = 0; i < view.vlen; i++) {
		get_view(L, &view);
		struct ebpf_btf_enum row = ebpf_type_enumerator(&view, i);

		lua_createtable(L, 0, 2);
		set_string(L, "name", row.name);
		binding_set_integer(L, "value", (uint64_t)row.value);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* type.variables -> { { type = the variable, offset =, size = }, ... } of a data section */
static int l_type_variables(lua_State *L)
{
	struct ebpf_type view;

	get_view(L, &view);
	if (!is_kind(&view, "datasec")) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)view.vlen, 0);
	for (uint32_t i = 0; i < view.vlen; i++) {
		get_view(L, &view);
		struct ebpf_secinfo info = ebpf_type_secinfo(&view, i);

		lua_createtable(L, 0, 3);
		binding_set_integer(L, "offset", info.offset);
		binding_set_integer(L, "size", info.size);
		push_sibling(L, info.type);
		lua_setfield(L, -2, "type");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
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

/* -- handles -- */

/* core.btf_file(path [, base]) */
static int l_btf_file(lua_State *L)
{
	const char *path = binding_to_string(L, 1, "path");

	lua_settop(L, 2);
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_btf *base = lua_isnil(L, 2) ? NULL : binding_check_btf(L, 2);

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

/* btf:find(name [, kind]) -> type, or nil, err: "struct task_struct", or a bare name; with a kind, the exact name of one of that kind */
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
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	const char *name = binding_to_string(L, 2, "name");
	uint32_t kind = lua_isnoneornil(L, 3) ? 0 : binding_to_enum(L, 3, EBPF_BTF_KIND, "kind");
	lua_Integer count = 0;

	lua_settop(L, 2);
	lua_newtable(L);
	for (unsigned depth = 0;; depth++) {
		for (uint32_t id = 0;;) {
			btf = binding_check_btf(L, 1); /* collecting garbage may have closed it */
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

	if (id < 0 || ebpf_btf_offsetof(btf, (uint32_t)id, binding_to_string(L, 3, "member"), &bits, &bit_size, &type, binding_error(L)) < 0)
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
					   "string", "array", "struct", "union", "bytes" };

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
	set_string(L, "kind", value_kinds[layout->kind]);
	set_string(L, "name", layout->name);
	binding_set_integer(L, "size", layout->size);
	switch (layout->kind) {
	case EBPF_VALUE_INT:
	case EBPF_VALUE_ENUM:
		lua_pushboolean(L, layout->is_signed);
		lua_setfield(L, -2, "signed");
		if (layout->kind == EBPF_VALUE_INT)
			break;
		lua_createtable(L, (int)layout->count, 0);
		for (uint32_t i = 0; i < layout->count; i++) {
			lua_createtable(L, 0, 2);
			set_string(L, "name", layout->enumerators[i].name);
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
			set_string(L, "name", field->name);
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

/* btf:layout(type) -> { kind =, name =, size =, fields = { { name =, offset =, layout = }, ... } }: how its bytes are laid out, typedefs and
 * qualifiers looked through, members of anonymous structs lifted up. A name may be "struct event[4]" or "u32" as well. */
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

/* btf:decode(type, bytes) -> the value, as maps and records give it (in the host's byte order) */
static int l_btf_decode(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);
	const struct binding_codec *codec = push_codec(L);

	if (!codec)
		return binding_fail(L);
	if (size < binding_codec_size(codec))
		return luaL_error(L, "%s: %d bytes expected, got %d", binding_codec_name(codec), (int)binding_codec_size(codec), (int)size);
	binding_decode(L, codec, lua_gettop(L), bytes);
	return 1;
}

/* btf:encode(type, value) -> bytes */
static int l_btf_encode(lua_State *L)
{
	luaL_checkany(L, 3);
	const struct binding_codec *codec = push_codec(L);

	if (!codec)
		return binding_fail(L);
	int names = lua_gettop(L);
	void *data = lua_newuserdatauv(L, binding_codec_size(codec) + 1, 0);

	binding_encode(L, codec, names, 3, data, "value");
	lua_pushlstring(L, data, binding_codec_size(codec));
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
			luaL_error(L, "without: unknown kind '%s' (known: func, datasec, global_func, float, decl_tag, type_tag, enum64)", name);
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
	{ "string", l_btf_string }, { "strings", l_btf_strings }, { "bytes", l_btf_get_bytes }, { "dedup", l_btf_dedup }, { "close", l_btf_close },
	{ "dump", binding_btf_dump }, { "declare", binding_btf_declare }, { "format", binding_btf_format }, { "parse", binding_btf_parse },
	{ NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "base", l_btf_base }, { "first_id", l_btf_first_id }, { "byteorder", l_btf_byteorder },
	{ "pointer_size", l_btf_pointer_size }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_btf_tostring }, { "__pairs", l_btf_pairs }, { "__len", l_btf_len }, { "__eq", l_btf_eq },
	{ "__close", l_btf_close }, { "__gc", l_btf_close }, { NULL, NULL }
};
static const luaL_Reg type_methods[] = { { "resolve", l_type_resolve }, { "unqualified", l_type_unqualified }, { NULL, NULL } };
static const luaL_Reg type_properties[] = {
	{ "id", l_type_id }, { "btf", l_type_btf }, { "kind", l_type_kind }, { "name", l_type_name }, { "size", l_type_size },
	{ "type", l_type_type }, { "index", l_type_index }, { "count", l_type_count }, { "members", l_type_members },
	{ "params", l_type_params }, { "enumerators", l_type_enumerators }, { "variables", l_type_variables },
	{ "linkage", l_type_linkage }, { "component", l_type_component }, { "encoding", l_type_encoding },
	{ "signed", l_type_signed }, { "bits", l_type_bits }, { "of", l_type_of }, { "tags", l_type_tags }, { NULL, NULL }
};
static const luaL_Reg type_metamethods[] = { { "__tostring", l_type_tostring }, { "__eq", l_type_eq }, { NULL, NULL } };
static const luaL_Reg bytes_metamethods[] = { { "__gc", bytes_gc }, { NULL, NULL } };
static const luaL_Reg layout_metamethods[] = { { "__gc", layout_gc }, { NULL, NULL } };
static const luaL_Reg functions[] = {
	{ "btf_file", l_btf_file }, { "btf_bytes", l_btf_bytes }, { "btf_vmlinux", l_btf_vmlinux },
	{ "btf_module", l_btf_module }, { NULL, NULL }
};

void binding_open_btf(lua_State *L)
{
	static const struct binding_class classes[] = {
		{ CLASS_BTF, methods, properties, NULL, metamethods, NULL },
		{ CLASS_TYPE, type_methods, type_properties, NULL, type_metamethods, NULL },
		{ CLASS_BYTES, NULL, NULL, NULL, bytes_metamethods, NULL },
		{ CLASS_LAYOUT, NULL, NULL, NULL, layout_metamethods, NULL },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		binding_class_register(L, &classes[i]);
	luaL_setfuncs(L, functions, 0);
}
