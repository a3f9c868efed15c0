/* host_sandbox.c -- functions that a sandbox has in place of Lua's own.
 *
 * A script must not outlive its end: the budget's error, raised by the hook, goes through everything that catches errors (pcall, xpcall and its
 * handler, coroutine.resume and close). Finalizers run without hooks: a script has none. Lua is loaded as text, since bytecode is not checked. C
 * functions that loop for as long as their arguments say are bounded. Not bounded are matching of patterns and sorting, whose work depends on the
 * text and the table: what the memory limit lets them have. */
#include <lualib.h>

#include "host.h"

enum { MOST_ELEMENTS = 1 << 24 }; /* that one call moves: a tenth of a second */

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

/* Upvalue: coroutine.resume or close. */
static int sandbox_resume(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	if (is_doomed(L))
		return luaL_error(L, "the script is ended");
	return lua_gettop(L);
}

/* -- metatables, loading, memory -- */

static int sandbox_setmetatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a sandbox has no __gc: nobody could stop what it does");
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 2, 1);
	return 1;
}

/* Those of ebpf's handles, and of strings, are not the script's to change. */
static int sandbox_getmetatable(lua_State *L)
{
	luaL_checkany(L, 1);
	if (!lua_istable(L, 1)) {
		lua_pushboolean(L, 0);
		return 1;
	}
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
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

/* -- loops of C -- */

static int call_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int sandbox_rep(lua_State *L)
{
	size_t text, separator;

	luaL_checklstring(L, 1, &text);
	luaL_optlstring(L, 3, "", &separator);
	if (!text && !separator)
		lua_settop(L, 1); /* Lua would count to the number */
	else if (luaL_checkinteger(L, 2) > MOST_ELEMENTS)
		return luaL_error(L, "more than %d repetitions in a sandbox", MOST_ELEMENTS);
	else
		return call_original(L);
	return 1;
}

static int sandbox_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);

	if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first >= MOST_ELEMENTS)
		return luaL_error(L, "more than %d elements in a sandbox", MOST_ELEMENTS);
	return call_original(L);
}

/* table.insert, remove, concat, sort, unpack: of tables that say themselves how long they are. */
static int sandbox_list(lua_State *L)
{
	if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
		lua_pop(L, 1);
		if (luaL_len(L, 1) > MOST_ELEMENTS)
			return luaL_error(L, "more than %d elements in a sandbox", MOST_ELEMENTS);
	}
	return call_original(L);
}

/* Replaces a function of the table at `library`, which the replacement has as upvalue 1. */
static void replace(lua_State *L, int library, const char *name, lua_CFunction function)
{
	lua_getfield(L, library, name);
	lua_pushcclosure(L, function, 1);
	lua_setfield(L, library, name);
}

static void guard_base(lua_State *L, int all, int globals)
{
	static const luaL_Reg functions[] = {
		{ "pcall", sandbox_pcall }, { "xpcall", sandbox_xpcall }, { "setmetatable", sandbox_setmetatable },
		{ "getmetatable", sandbox_getmetatable }, { "load", sandbox_load }, { "collectgarbage", sandbox_collectgarbage },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_getfield(L, all, functions[i].name);
		lua_pushcclosure(L, functions[i].func, 1);
		lua_setfield(L, globals, functions[i].name);
	}
}

void host_guard(lua_State *L, const ebpf_host *host, int all, int globals)
{
	static const char *const lists[] = { "insert", "remove", "concat", "sort", "unpack" };
	int top = lua_gettop(L);

	if (host_has_library(host, "base"))
		guard_base(L, all, globals);
	/* The libraries' own tables: strings have theirs as methods, so that there is no other copy. */
	lua_getfield(L, all, "string");
	replace(L, top + 1, "rep", sandbox_rep);
	lua_pushnil(L);
	lua_setfield(L, top + 1, "dump");
	lua_getfield(L, all, "table");
	replace(L, top + 2, "move", sandbox_move);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		replace(L, top + 2, lists[i], sandbox_list);
	lua_getfield(L, all, "coroutine");
	replace(L, top + 3, "resume", sandbox_resume);
	replace(L, top + 3, "close", sandbox_resume);
	lua_settop(L, top);
}
