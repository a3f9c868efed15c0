/* fields.c -- the struct behind a struct_ops map of a Spec, before it is loaded: spec.maps.ops.fields.name = "mine". A function is
 * the name of the program that stands for it, or nil. */
#include <string.h>

#include "binding.h"

#define CLASS_FIELDS "ebpf.fields"

struct fields {
	struct ebpf_layout *layout; /* of the struct; NULL = closed */
	struct ebpf_map_spec *map;
	struct ebpf_spec **spec;    /* in the Spec's userdata, user value 1 */
};

void binding_push_fields(lua_State *L, int spec, struct ebpf_map_spec *map)
{
	spec = lua_absindex(L, spec);
	struct fields *fields = binding_new(L, sizeof(*fields), 1, CLASS_FIELDS);

	lua_pushvalue(L, spec);
	lua_setiuservalue(L, -2, 1);
	fields->map = map;
	fields->spec = lua_touserdata(L, spec);
	const struct ebpf_btf *btf = binding_check_spec(L, spec)->btf;

	if (btf && map->value_type_id && map->data)
		fields->layout = ebpf_layout_from_btf(btf, map->value_type_id, binding_error(L));
	if (!fields->layout) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
}

static struct fields *check_fields(lua_State *L, int index)
{
	struct fields *fields = luaL_checkudata(L, index, CLASS_FIELDS);

	if (!*fields->spec || !fields->layout)
		luaL_error(L, "spec is closed");
	return fields;
}

static const struct ebpf_field *find_field(lua_State *L, const struct fields *fields, const char *name)
{
	for (uint32_t i = 0; i < fields->layout->count; i++)
		if (strcmp(fields->layout->fields[i].name, name) == 0)
			return &fields->layout->fields[i];
	luaL_error(L, "map '%s': %s has no field '%s'", fields->map->name, fields->layout->name, name);
	return NULL;
}

/* Where a field's bytes are. */
static uint8_t *bytes_of(lua_State *L, const struct fields *fields, const struct ebpf_field *field)
{
	if (field->offset > fields->map->value_size || field->layout->size > fields->map->value_size - field->offset)
		luaL_error(L, "map '%s': its value was made too small for field '%s'", fields->map->name, field->name);
	return fields->map->data + field->offset;
}

static void push_value(lua_State *L, int index, const struct ebpf_field *field)
{
	const char *program;

	if (ebpf_map_spec_get_function(check_fields(L, index)->map, field->name, &program)) {
		lua_pushstring(L, program);
		return;
	}
	if (field->bit_size) {
		const struct fields *fields = check_fields(L, index);

		lua_pushinteger(L, ebpf_layout_get_int(field->layout, field, bytes_of(L, fields, field) - field->offset));
		return;
	}
	const struct binding_codec *codec = binding_codec_push(L, field->layout, field->layout->size);

	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec) + 4, "value nested too deeply");
	int names = lua_gettop(L);
	void *copy = lua_newuserdatauv(L, field->layout->size + 1, 0);

	memcpy(copy, bytes_of(L, check_fields(L, index), field), field->layout->size);
	binding_decode(L, codec, names, copy);
	lua_replace(L, names - 1);
	lua_settop(L, names - 1);
}

static int l_fields_index(lua_State *L)
{
	const struct ebpf_field *field = find_field(L, check_fields(L, 1), luaL_checkstring(L, 2));

	push_value(L, 1, field);
	return 1;
}

/* A name, a program of the Spec, or nil. */
static void set_function(lua_State *L, const struct fields *fields, const char *name)
{
	const char *program = NULL;

	if (lua_type(L, 3) == LUA_TUSERDATA) {
		lua_getfield(L, 3, "name");
		lua_replace(L, 3);
	}
	if (!lua_isnil(L, 3))
		program = binding_to_string(L, 3, name);
	if (ebpf_map_spec_set_function(fields->map, name, program, binding_error(L)) < 0)
		binding_raise(L);
}

static int l_fields_newindex(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2), *program;
	const struct ebpf_field *field = find_field(L, check_fields(L, 1), name);

	lua_settop(L, 3);
	if (ebpf_map_spec_get_function(check_fields(L, 1)->map, name, &program)) {
		set_function(L, check_fields(L, 1), name);
		return 0;
	}
	if (field->bit_size) {
		lua_Integer value = luaL_checkinteger(L, 3);

		if (ebpf_layout_set_int(field->layout, field, bytes_of(L, check_fields(L, 1), field) - field->offset, value) < 0)
			luaL_error(L, "%s: %I does not fit its %d bits", name, value, (int)field->bit_size);
		return 0;
	}
	const struct binding_codec *codec = binding_codec_push(L, field->layout, field->layout->size);

	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec) + 4, "value nested too deeply");
	void *copy = lua_newuserdatauv(L, field->layout->size + 1, 0); /* a refused value must leave the old one whole */

	binding_encode(L, codec, lua_gettop(L) - 1, 3, copy, name);
	memcpy(bytes_of(L, check_fields(L, 1), field), copy, field->layout->size);
	return 0;
}

/* (fields, name) -> the next name and value */
static int l_fields_next(lua_State *L)
{
	const struct fields *fields = check_fields(L, 1);
	uint32_t next = 0;

	if (!lua_isnoneornil(L, 2))
		next = (uint32_t)(find_field(L, fields, luaL_checkstring(L, 2)) - fields->layout->fields) + 1;
	if (next >= fields->layout->count)
		return 0;
	const struct ebpf_field *field = &fields->layout->fields[next];

	lua_pushstring(L, field->name);
	push_value(L, 1, field);
	return 2;
}

static int l_fields_pairs(lua_State *L)
{
	check_fields(L, 1);
	lua_pushcfunction(L, l_fields_next);
	lua_pushvalue(L, 1);
	return 2;
}

static int l_fields_tostring(lua_State *L)
{
	struct fields *fields = luaL_checkudata(L, 1, CLASS_FIELDS);

	return binding_tostring(L, CLASS_FIELDS, *fields->spec && fields->layout ? fields->layout->name : "");
}

static int l_fields_close(lua_State *L)
{
	struct fields *fields = luaL_checkudata(L, 1, CLASS_FIELDS);

	ebpf_layout_free(fields->layout);
	fields->layout = NULL;
	return 0;
}

static const luaL_Reg metamethods[] = { { "__newindex", l_fields_newindex }, { "__pairs", l_fields_pairs },
					{ "__tostring", l_fields_tostring }, { "__close", l_fields_close },
					{ "__gc", l_fields_close }, { NULL, NULL } };

void binding_open_fields(lua_State *L)
{
	static const struct binding_class class = { CLASS_FIELDS, NULL, NULL, NULL, metamethods, l_fields_index };

	binding_class_register(L, &class);
}
