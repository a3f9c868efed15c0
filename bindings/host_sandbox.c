/* host_sandbox.c -- functions that a sandbox has in place of Lua's own.
 *
 * A script must not outlive its end: the budget's error goes through everything that catches errors (pcall, xpcall and its handler; coroutine.resume and close
 * in host_coroutine.c). Finalizers run without hooks: a script has none. Lua is loaded as text, since bytecode is not checked. Functions that take longer than in
 * proportion to what they are given are made anew, so that they can be counted and interrupted: host_string.c, host_table.c. */
#include <lualib.h>

#include "host.h"

static bool is_doomed(lua_State *L)
{
	return binding_host(L)->doomed;
}

/* -- pcall, xpcall -- */

static int after_pcall(lua_State *L, int status, lua_KContext below)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - (int)below;
	if (is_doomed(L))
		return lua_error(L);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

static int sandbox_pcall(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	return after_pcall(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, after_pcall), 0);
}

/* The hook's error is raised where hooks are off: a script's own handler could then run for ever. */
static int handle(lua_State *L)
{
	if (is_doomed(L))
		return 1;
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int sandbox_xpcall(lua_State *L)
{
	int count = lua_gettop(L);

	luaL_checkany(L, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handle, 1);
	lua_replace(L, 2);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
	return after_pcall(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, after_pcall), 2);
}

/* -- metatables, loading, memory -- */

/* A finalizer runs where no hook is called. The modules of ebpf have this one as well: their tables are in a script's reach, which could put a __gc there.
 * Upvalues: Lua's own; the metatables that the script may see again, or nil for the modules. */
static int sandbox_setmetatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a sandbox has no __gc: nobody could stop what it does");
		lua_pop(L, 1);
		if (lua_istable(L, lua_upvalueindex(2))) {
			lua_pushvalue(L, 2);
			lua_pushboolean(L, 1);
			lua_rawset(L, lua_upvalueindex(2));
		}
	}
	lua_settop(L, 2);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* The script's own alone: those of ebpf's objects, and of strings, are not its to change. */
static int sandbox_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (!lua_getmetatable(L, 1)) {
		if (lua_istable(L, 1))
			lua_pushnil(L);
		else
			lua_pushboolean(L, 0);
		return 1;
	}
	lua_pushvalue(L, -1);
	if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL) {
		lua_pushboolean(L, 0);
		return 1;
	}
	lua_settop(L, 1);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* load(chunk [, name [, mode [, env]]]): the mode is always "t" */
static int sandbox_load(lua_State *L)
{
	bool with_globals = lua_gettop(L) >= 4;

	luaL_checkany(L, 1);
	lua_settop(L, with_globals ? 4 : 3);
	lua_pushliteral(L, "t");
	lua_replace(L, 3);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, with_globals ? 4 : 3, LUA_MULTRET);
	return lua_gettop(L);
}

static int sandbox_collectgarbage(lua_State *L)
{
	static const char *const names[] = { "collect", "count", NULL };

	if (luaL_checkoption(L, 1, "collect", names) == 0) {
		lua_gc(L, LUA_GCCOLLECT);
		lua_pushinteger(L, 0);
	} else {
		lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + lua_gc(L, LUA_GCCOUNTB) / 1024.0);
	}
	return 1;
}

void host_replace(lua_State *L, int library, const char *name, lua_CFunction function)
{
	lua_getfield(L, library, name);
	lua_pushcclosure(L, function, 1);
	lua_setfield(L, library, name);
}

/* Of the base library, with Lua's own as upvalue 1, and the script's metatables as upvalue 2. */
static void guard_base(lua_State *L, int all, int globals)
{
	static const luaL_Reg functions[] = {
		{ "pcall", sandbox_pcall }, { "xpcall", sandbox_xpcall }, { "setmetatable", sandbox_setmetatable },
		{ "getmetatable", sandbox_getmetatable }, { "load", sandbox_load }, { "collectgarbage", sandbox_collectgarbage },
	};
	int seen = lua_gettop(L) + 1;

	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, seen);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_getfield(L, all, functions[i].name);
		lua_pushvalue(L, seen);
		lua_pushcclosure(L, functions[i].func, 2);
		lua_setfield(L, globals, functions[i].name);
	}
	lua_pop(L, 1);
}

void host_guard(lua_State *L, const ebpf_host *host, int all, int globals)
{
	int top = lua_gettop(L);

	if (host_has_library(host, "base"))
		guard_base(L, all, globals);
	host_replace(L, all, "setmetatable", sandbox_setmetatable);
	/* The libraries' own tables: strings have theirs as methods, so that there is no other copy. */
	lua_getfield(L, all, "string");
	host_guard_strings(L, top + 1);
	lua_getfield(L, all, "table");
	host_guard_tables(L, top + 2);
	lua_settop(L, top);
}
