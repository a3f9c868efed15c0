/* btf_build.c -- BTF in the making. A type comes as a table with the fields of struct ebpf_btf_description; names of types,
 * natural layouts and what else is convenient are lua/ebpf/btf_builder.lua's. */
#include <string.h>

#include "binding.h"

static struct ebpf_btf_builder *check_builder(lua_State *L, int index)
{
	return *(struct ebpf_btf_builder **)binding_check(L, index, CLASS_BTF_BUILDER);
}

/* core.btf_builder([base]) */
static int l_builder_new(lua_State *L)
{
	lua_settop(L, 1);
	struct ebpf_btf_builder **handle = binding_new(L, sizeof(*handle), 0, CLASS_BTF_BUILDER);
	struct ebpf_btf *base = lua_isnil(L, 1) ? NULL : binding_check_btf(L, 1);

	*handle = ebpf_btf_builder_new(base, 0);
	return *handle ? 1 : luaL_error(L, "out of memory");
}

static int l_builder_close(lua_State *L)
{
	struct ebpf_btf_builder **handle = luaL_checkudata(L, 1, CLASS_BTF_BUILDER);
	struct ebpf_btf_builder *builder = *handle;

	*handle = NULL;
	ebpf_btf_builder_free(builder);
	return 0;
}

/* Fields are read raw: no Lua code runs in between, so that the tables keep the names that are borrowed from them. */
static int get_field(lua_State *L, int index, const char *name)
{
	lua_pushstring(L, name);
	return lua_rawget(L, index);
}

static const char *get_name(lua_State *L, int index)
{
	const char *name = get_field(L, index, "name") == LUA_TNIL ? NULL : binding_to_string(L, -1, "name");

	lua_pop(L, 1);
	return name;
}

/* An integer field of the table at `index`, any sign. */
static int64_t get_value(lua_State *L, int index, const char *name, int64_t lowest, int64_t highest)
{
	int64_t value = 0;

	if (get_field(L, index, name) != LUA_TNIL) {
		int exact;

		value = lua_tointegerx(L, -1, &exact);
		if (!exact || lua_type(L, -1) != LUA_TNUMBER)
			luaL_error(L, "%s: integer expected, got %s", name, luaL_typename(L, -1));
		if (value < lowest || value > highest)
			luaL_error(L, "%s: %I is out of range", name, (lua_Integer)value);
	}
	lua_pop(L, 1);
	return value;
}

static uint32_t get_u32(lua_State *L, int index, const char *name)
{
	return (uint32_t)get_value(L, index, name, 0, UINT32_MAX);
}

/* Fills description.parts from the list `parts` of the table at `index`: memory of a userdata, left on the stack, as are the
 * names. */
static void get_parts(lua_State *L, int index, struct ebpf_btf_description *type)
{
	if (get_field(L, index, "parts") == LUA_TNIL)
		return;
	luaL_checktype(L, -1, LUA_TTABLE);
	int list = lua_gettop(L);
	lua_Unsigned count = lua_rawlen(L, list);

	luaL_argcheck(L, count <= 1 << 20, 2, "too many parts");
	struct ebpf_btf_part *parts = lua_newuserdatauv(L, (count + 1) * sizeof(*parts), 0);

	for (lua_Unsigned i = 0; i < count; i++) {
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		luaL_checktype(L, -1, LUA_TTABLE);
		int part = lua_gettop(L);

		parts[i] = (struct ebpf_btf_part){
			.name = get_name(L, part),
			.type = get_u32(L, part, "type"),
			.offset = get_u32(L, part, "offset"),
			.size = get_u32(L, part, "size"),
			.value = get_value(L, part, "value", INT64_MIN, INT64_MAX),
		};
		lua_pop(L, 1);
	}
	type->parts = parts;
	type->part_count = (uint32_t)count;
}

/* builder:add_type(description) -> id */
static int l_builder_add_type(lua_State *L)
{
	struct ebpf_btf_description type = { .size_of = sizeof(type) };

	check_builder(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	get_field(L, 2, "kind");
	type.kind = binding_to_enum(L, -1, EBPF_BTF_KIND, "kind");
	type.name = get_name(L, 2);
	type.id = get_u32(L, 2, "id");
	type.size = get_u32(L, 2, "size");
	type.type = get_u32(L, 2, "type");
	type.index = get_u32(L, 2, "index");
	type.count = get_u32(L, 2, "count");
	type.encoding = get_u32(L, 2, "encoding");
	type.bits = get_u32(L, 2, "bits");
	type.bit_offset = get_u32(L, 2, "bit_offset");
	type.linkage = get_u32(L, 2, "linkage");
	type.component = (int32_t)get_value(L, 2, "component", INT32_MIN, INT32_MAX);
	get_field(L, 2, "flag");
	type.flag = lua_toboolean(L, -1);
	get_parts(L, 2, &type);
	int64_t id = ebpf_btf_builder_add_type(check_builder(L, 1), &type, binding_error(L));

	if (id < 0)
		return binding_fail(L);
	lua_pushinteger(L, id);
	return 1;
}

/* builder:reserve() -> id */
static int l_builder_reserve(lua_State *L)
{
	int64_t id = ebpf_btf_builder_reserve(check_builder(L, 1), binding_error(L));

	if (id < 0)
		return binding_fail(L);
	lua_pushinteger(L, id);
	return 1;
}

/* builder:copy(btf, type) -> id: the type with all that it needs */
static int l_builder_copy(lua_State *L)
{
	struct ebpf_btf_builder *builder = check_builder(L, 1);
	struct ebpf_btf *btf = binding_check_btf(L, 2);
	int64_t id = binding_to_type_id(L, btf, 3);

	if (id >= 0)
		id = ebpf_btf_builder_add(builder, btf, (uint32_t)id, binding_error(L));
	if (id < 0)
		return binding_fail(L);
	lua_pushinteger(L, id);
	return 1;
}

/* builder:copy_all(btf) -> the first new id */
static int l_builder_copy_all(lua_State *L)
{
	int64_t id = ebpf_btf_builder_add_all(check_builder(L, 1), binding_check_btf(L, 2), binding_error(L));

	if (id < 0)
		return binding_fail(L);
	lua_pushinteger(L, id);
	return 1;
}

/* builder:read() -> btf: what has been built so far */
static int l_builder_read(lua_State *L)
{
	check_builder(L, 1);
	struct ebpf_btf **handle = binding_new_btf(L);

	return ebpf_btf_builder_read(check_builder(L, 1), handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

static int l_builder_tostring(lua_State *L)
{
	return binding_tostring(L, CLASS_BTF_BUILDER, "in the making");
}

static const luaL_Reg methods[] = {
	{ "add_type", l_builder_add_type }, { "reserve", l_builder_reserve }, { "copy", l_builder_copy },
	{ "copy_all", l_builder_copy_all }, { "read", l_builder_read }, { "close", l_builder_close }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_builder_tostring }, { "__close", l_builder_close }, { "__gc", l_builder_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "btf_builder", l_builder_new }, { NULL, NULL } };

void binding_open_btf_build(lua_State *L)
{
	static const struct binding_class class = { CLASS_BTF_BUILDER, methods, NULL, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
