/* map_make.c -- ebpf.map { ... }: new maps, and those that exist. */
#include "map.h"

/* A description is built in a Spec of its own, which frees it. */
static uint32_t option_u32(lua_State *L, int options, const char *name, uint32_t otherwise)
{
	return (uint32_t)binding_option_integer(L, options, name, UINT32_MAX, otherwise);
}

/* A type's name, or NULL; it has been looked up in `btf`, and raises if it is not known. */
static const char *type_name(lua_State *L, int options, const char *name, const struct ebpf_btf *btf)
{
	const char *type = binding_option_string(L, options, name, NULL);

	if (type && !binding_codec_push_name(L, type, btf))
		binding_raise(L);
	return type;
}

static struct ebpf_btf *option_btf(lua_State *L, int options)
{
	struct ebpf_btf *btf = NULL;

	if (lua_getfield(L, options, "btf") != LUA_TNIL)
		btf = binding_check_btf(L, -1);
	lua_pop(L, 1);
	return btf;
}

static void fill_spec(lua_State *L, int options, struct ebpf_map_spec *spec, struct ebpf_map_types *types)
{
	int top = lua_gettop(L);

	lua_getfield(L, options, "type");
	spec->type = binding_to_enum(L, -1, EBPF_MAP_TYPE, "type");
	types->btf = option_btf(L, options);
	types->key = type_name(L, options, "key", types->btf);
	types->value = type_name(L, options, "value", types->btf);
	spec->key_size = option_u32(L, options, "key_size", 0);
	spec->value_size = option_u32(L, options, "value_size", 0);
	spec->max_entries = option_u32(L, options, "max_entries", 0);
	lua_getfield(L, options, "flags");
	spec->flags = lua_isnil(L, -1) ? 0 : binding_to_map_flags(L, -1);
	spec->numa_node = option_u32(L, options, "numa_node", 0);
	spec->map_extra = binding_option_integer(L, options, "map_extra", UINT64_MAX, 0);
	spec->autocreate = true;
	lua_settop(L, top);
}

static const char *const map_options[] = {
	"type", "name", "key", "value", "key_size", "value_size", "max_entries", "flags", "numa_node", "map_extra", "inner", "btf", "token",
	NULL
};

static struct ebpf_map_spec *add_spec(lua_State *L, int options, struct ebpf_spec *owner, const char *name, struct ebpf_map_types *types)
{
	struct ebpf_map_spec *spec;

	binding_check_options(L, options, map_options);
	if (ebpf_spec_add_map(owner, name, &spec, binding_error(L)) < 0)
		binding_raise(L);
	fill_spec(L, options, spec, types);
	return spec;
}

/* Gives an open map the types that its options name. */
static int set_types(lua_State *L, struct ebpf_map *map, int options)
{
	const char *key = binding_option_string(L, options, "key", NULL), *value = binding_option_string(L, options, "value", NULL);
	struct ebpf_btf *given = option_btf(L, options), *btf = given ? given : ebpf_map_btf(map);
	struct ebpf_error *err = binding_error(L);
	struct ebpf_layout *key_layout = NULL, *value_layout = NULL;

	if (key && !(key_layout = ebpf_layout_from_name(key, btf, err)))
		return -err->code;
	if (value && !(value_layout = ebpf_layout_from_name(value, btf, err))) {
		ebpf_layout_free(key_layout);
		return -err->code;
	}
	return ebpf_map_set_layouts(map, key_layout, value_layout, err);
}

/* By the token of the options at stack index 1, if they have one. */
static int create(lua_State *L, struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_types *types,
		  struct ebpf_map **out)
{
	struct ebpf_token *token, *before = ebpf_kernel_token(kernel);
	int result;

	lua_getfield(L, 1, "token");
	result = binding_to_token(L, -1, &token);
	if (result < 0)
		return result;
	if (!token)
		return ebpf_map_create_typed(kernel, spec, types, out, binding_error(L));
	before = before ? ebpf_token_ref(before) : NULL;
	ebpf_kernel_use_token(kernel, token);
	result = ebpf_map_create_typed(kernel, spec, types, out, binding_error(L));
	ebpf_kernel_use_token(kernel, before);
	ebpf_token_close(before);
	return result;
}

/* core.map(options) -> map */
static int l_map_create(lua_State *L)
{
	struct ebpf_map_types types = { .size = sizeof(types) }, inner_types = { .size = sizeof(inner_types) };
	struct ebpf_map_spec *inner = NULL;

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_map **map = binding_new_map(L, 0);
	struct ebpf_spec **owner = binding_new(L, sizeof(*owner), 0, CLASS_SPEC);

	*owner = ebpf_spec_new("", binding_error(L));
	if (!*owner)
		return binding_fail(L);
	if (lua_getfield(L, 1, "inner") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		inner = add_spec(L, lua_gettop(L), *owner, "inner", &inner_types);
		types.inner = &inner_types;
	}
	struct ebpf_map_spec *spec = add_spec(L, 1, *owner, binding_option_string(L, 1, "name", "map"), &types);

	spec->inner = inner; /* borrowed: the Spec owns it as a map of its own */
	int result = create(L, kernel, spec, &types, map);

	spec->inner = NULL;
	ebpf_spec_free(*owner);
	*owner = NULL;
	if (result < 0)
		return binding_fail(L);
	lua_settop(L, 2);
	return 1;
}

/* core.map_open({ pinned = path | id = n, key =, value =, btf = }) -> map */
static int l_map_open(lua_State *L)
{
	static const char *const names[] = { "pinned", "id", "key", "value", "btf", NULL };

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	binding_check_options(L, 1, names);
	const char *path = binding_option_string(L, 1, "pinned", NULL);
	uint32_t id = option_u32(L, 1, "id", 0);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_map **map = binding_new_map(L, 0);
	int result = path ? ebpf_map_open_pinned(kernel, path, map, binding_error(L))
			  : ebpf_map_open_id(kernel, id, map, binding_error(L));

	if (result == 0)
		result = set_types(L, *map, 1);
	return result < 0 ? binding_fail(L) : 1;
}

static const luaL_Reg functions[] = { { "map", l_map_create }, { "map_open", l_map_open }, { NULL, NULL } };

void binding_open_map_make(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
}
