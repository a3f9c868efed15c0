/* core.c -- the module ebpf.core: what belongs to a lua_State, and how classes and handles are made. */
#include <string.h>

#include "binding.h"

/* -- what belongs to a lua_State: the error that calls fill, and the default context -- */

struct state {
	struct ebpf_error error;
	struct ebpf_kernel *kernel;
	struct binding_host host;
};
static const char state_key, hosted_loop_key;

static int state_gc(lua_State *L)
{
	struct state *state = lua_touserdata(L, 1);

	ebpf_error_clear(&state->error);
	ebpf_kernel_free(state->kernel);
	state->kernel = NULL;
	return 0;
}

static struct state *get_state(lua_State *L)
{
	luaL_checkstack(L, 1, NULL);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
	struct state *state = lua_touserdata(L, -1);

	lua_pop(L, 1);
	return state;
}

static void new_state(lua_State *L)
{
	struct state *state = lua_newuserdatauv(L, sizeof(*state), 0);

	memset(state, 0, sizeof(*state));
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, state_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
}

struct ebpf_error *binding_error(lua_State *L)
{
	return &get_state(L)->error;
}

struct ebpf_kernel *binding_kernel(lua_State *L)
{
	struct state *state = get_state(L);

	if (!state->kernel)
		state->kernel = ebpf_kernel_new(&state->error);
	return state->kernel;
}

/* -- what a host has set -- */

struct binding_host *binding_host(lua_State *L)
{
	return &get_state(L)->host;
}

void binding_log(lua_State *L, const char *text)
{
	struct binding_host *host = binding_host(L);

	if (host->log)
		host->log(host->context, text);
	else
		lua_writestringerror("%s\n", text);
}

void binding_set_hosted_loop(lua_State *L)
{
	binding_host(L)->owns_loop = true;
	lua_rawsetp(L, LUA_REGISTRYINDEX, &hosted_loop_key);
}

bool binding_push_hosted_loop(lua_State *L)
{
	if (!binding_host(L)->owns_loop)
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_loop_key);
	return true;
}

/* -- classes -- */

/* object.name: a method, or the value of a property. Upvalues: methods, properties, the metatable. */
static int class_index(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL)
		return 1;
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* The keys of a table, sorted, as "a, b, c": for messages that name what is known. */
static void push_names(lua_State *L, int table)
{
	luaL_Buffer text;
	int count = 0;

	table = lua_absindex(L, table);
	lua_newtable(L);
	int names = lua_gettop(L);

	lua_pushnil(L);
	while (lua_next(L, table)) { /* insertion sort: a dozen names */
		lua_pop(L, 1);
		int at = ++count;

		for (; at > 1; at--) {
			lua_rawgeti(L, names, at - 1);
			if (strcmp(lua_tostring(L, -1), lua_tostring(L, -2)) < 0) {
				lua_pop(L, 1);
				break;
			}
			lua_rawseti(L, names, at);
		}
		lua_pushvalue(L, -1);
		lua_rawseti(L, names, at);
	}
	luaL_buffinit(L, &text);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addstring(&text, ", ");
		lua_rawgeti(L, names, i);
		luaL_addvalue(&text);
	}
	luaL_pushresult(&text);
	lua_remove(L, names);
}

/* object.name = value. Upvalues: setters, the class's name. */
static int class_newindex(lua_State *L)
{
	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL) {
		push_names(L, lua_upvalueindex(1));
		return luaL_error(L, "%s: no field '%s' can be set (known: %s)", lua_tostring(L, lua_upvalueindex(2)),
				  luaL_tolstring(L, 2, NULL), lua_tostring(L, -2));
	}
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 3);
	lua_call(L, 2, 0);
	return 0;
}

static void push_functions(lua_State *L, const luaL_Reg *functions)
{
	lua_newtable(L);
	if (functions)
		luaL_setfuncs(L, functions, 0);
}

void binding_class_register(lua_State *L, const struct binding_class *class)
{
	luaL_newmetatable(L, class->name);
	push_functions(L, class->methods);
	push_functions(L, class->properties);
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, class->index ? class->index : class_index, 3);
	lua_setfield(L, -2, "__index");
	push_functions(L, class->setters);
	lua_pushstring(L, class->name);
	lua_pushcclosure(L, class_newindex, 2);
	lua_setfield(L, -2, "__newindex");
	if (class->metamethods)
		luaL_setfuncs(L, class->metamethods, 0);
	lua_pop(L, 1);
}

/* -- handles -- */

void *binding_new(lua_State *L, size_t size, int user_values, const char *class_name)
{
	void *handle = lua_newuserdatauv(L, size, user_values);

	memset(handle, 0, size);
	luaL_setmetatable(L, class_name);
	return handle;
}

void *binding_check(lua_State *L, int index, const char *class_name)
{
	void **handle = luaL_checkudata(L, index, class_name);

	if (!*handle)
		luaL_error(L, "%s is closed", class_name + strlen("ebpf."));
	return handle;
}

int binding_tostring(lua_State *L, const char *class_name, const char *text)
{
	void **handle = luaL_checkudata(L, 1, class_name);

	if (!*handle)
		lua_pushfstring(L, "%s (closed)", class_name);
	else
		lua_pushfstring(L, "%s: %s", class_name, text);
	return 1;
}

int binding_object_fd(lua_State *L, int index)
{
	if (luaL_testudata(L, index, CLASS_MAP))
		return ebpf_map_fd(binding_check_map(L, index));
	if (luaL_testudata(L, index, CLASS_PROGRAM))
		return ebpf_program_fd(binding_check_program(L, index));
	if (luaL_testudata(L, index, CLASS_LINK))
		return ebpf_link_fd(*(struct ebpf_link **)binding_check(L, index, CLASS_LINK));
	return -1;
}

/* -- the module -- */

EBPF_API int luaopen_ebpf_core(lua_State *L);

int luaopen_ebpf_core(lua_State *L)
{
	luaL_checkversion(L);
	new_state(L);
	lua_newtable(L);
	lua_pushstring(L, ebpf_version());
	lua_setfield(L, -2, "version");
	binding_open_error(L);
	binding_open_list(L);
	binding_open_kernel(L);
	binding_open_features(L);
	binding_open_pin(L);
	binding_open_token(L);
	binding_open_spec(L);
	binding_open_fields(L);
	binding_open_collection(L);
	binding_open_map(L);
	binding_open_program(L);
	binding_open_code(L);
	binding_open_link(L);
	binding_open_iterator(L);
	binding_open_ring(L);
	binding_open_user_ring(L);
	binding_open_sink(L);
	binding_open_format(L);
	binding_open_loop(L);
	binding_open_asm(L);
	binding_open_btf(L);
	binding_open_btf_text(L);
	binding_open_btf_build(L);
	binding_open_btf_object(L);
	binding_open_usdt(L);
	return 1;
}
