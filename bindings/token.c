/* token.c -- BPF tokens: what a process in a user namespace was delegated. */
#include "binding.h"

#define CLASS_TOKEN "ebpf.token"

/* Opens the token of a path (NULL = of any) into a new handle, which is pushed. */
static int push_token(lua_State *L, const char *path)
{
	struct ebpf_token **handle = binding_new(L, sizeof(*handle), 0, CLASS_TOKEN);
	struct ebpf_kernel *kernel = binding_kernel(L);

	return kernel ? ebpf_token_open(kernel, path, handle, binding_error(L)) : -binding_error(L)->code;
}

/* core.token([path]) -> token */
static int l_token(lua_State *L)
{
	const char *path = lua_isnoneornil(L, 1) ? NULL : binding_to_string(L, 1, "path");

	return push_token(L, path) < 0 ? binding_fail(L) : 1;
}

int binding_to_token(lua_State *L, int index, struct ebpf_token **out)
{
	*out = NULL;
	switch (lua_type(L, index)) {
	case LUA_TNIL:
		lua_pushnil(L);
		return 0;
	case LUA_TBOOLEAN:
		if (!lua_toboolean(L, index)) {
			lua_pushnil(L);
			return 0;
		}
		break;
	case LUA_TSTRING:
		break;
	default:
		if (!luaL_testudata(L, index, CLASS_TOKEN))
			luaL_error(L, "token: a token, the path of a BPF file system or true expected, got %s", luaL_typename(L, index));
		lua_pushvalue(L, index);
		*out = *(struct ebpf_token **)binding_check(L, -1, CLASS_TOKEN);
		return 0;
	}
	int result = push_token(L, lua_isboolean(L, index) ? NULL : binding_to_string(L, index, "token"));

	*out = result < 0 ? NULL : *(struct ebpf_token **)lua_touserdata(L, -1);
	return result;
}

/* core.use_token(token | path | true | nil) -> true: for all that is made from now on */
static int l_use_token(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	struct ebpf_token *token;

	lua_settop(L, 1);
	if (!kernel || binding_to_token(L, 1, &token) < 0)
		return binding_fail(L);
	ebpf_kernel_use_token(kernel, token);
	lua_pushboolean(L, true);
	return 1;
}

static int l_token_close(lua_State *L)
{
	struct ebpf_token **handle = luaL_checkudata(L, 1, CLASS_TOKEN);
	struct ebpf_token *token = *handle;

	*handle = NULL;
	ebpf_token_close(token);
	return 0;
}

/* Commands that a token can be for. */
static const char *command_name(uint32_t number)
{
	switch (number) {
	case 0: return "map_create";
	case 5: return "prog_load";
	case 18: return "btf_load";
	case 19: return "btf_get_fd_by_id";
	default: return NULL;
	}
}

static const char *attach_type_name(uint32_t number) { return ebpf_enum_name(EBPF_ATTACH_TYPE, number); }
static const char *map_type_name(uint32_t number) { return ebpf_enum_name(EBPF_MAP_TYPE, number); }
static const char *program_type_name(uint32_t number) { return ebpf_enum_name(EBPF_PROGRAM_TYPE, number); }

/* Of the bits, those that have a name. */
static void set_names(lua_State *L, const char *field, uint64_t bits, const char *(*name_of)(uint32_t number))
{
	lua_Integer count = 0;

	lua_newtable(L);
	for (uint32_t i = 0; i < 64; i++) {
		const char *name = bits >> i & 1 ? name_of(i) : NULL;

		if (!name)
			continue;
		lua_pushstring(L, name);
		lua_rawseti(L, -2, ++count);
	}
	lua_setfield(L, -2, field);
}

/* token:info() -> { commands = { "map_create", ... }, map_types =, program_types =, attach_types = } */
static int l_token_info(lua_State *L)
{
	const struct ebpf_token *token = *(struct ebpf_token **)binding_check(L, 1, CLASS_TOKEN);
	struct ebpf_token_info info;

	if (ebpf_token_info(token, &info, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, 0, 4);
	set_names(L, "commands", info.commands, command_name);
	set_names(L, "map_types", info.map_types, map_type_name);
	set_names(L, "program_types", info.program_types, program_type_name);
	set_names(L, "attach_types", info.attach_types, attach_type_name);
	return 1;
}

static int l_token_path(lua_State *L)
{
	lua_pushstring(L, ebpf_token_path(*(struct ebpf_token **)binding_check(L, 1, CLASS_TOKEN)));
	return 1;
}

static int l_token_tostring(lua_State *L)
{
	struct ebpf_token **handle = luaL_checkudata(L, 1, CLASS_TOKEN);

	return binding_tostring(L, CLASS_TOKEN, *handle ? ebpf_token_path(*handle) : "");
}

static const luaL_Reg methods[] = { { "info", l_token_info }, { "close", l_token_close }, { NULL, NULL } };
static const luaL_Reg properties[] = { { "path", l_token_path }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_token_tostring }, { "__close", l_token_close }, { "__gc", l_token_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "token", l_token }, { "use_token", l_use_token }, { NULL, NULL } };

void binding_open_token(lua_State *L)
{
	static const struct binding_class class = { CLASS_TOKEN, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
