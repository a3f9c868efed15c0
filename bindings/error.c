/* error.c -- how failures reach Lua: nil, err, errno with an error object; and calls into Lua with a traceback.
 *
 * The object is a plain table { code, errno, message, hint, log, traceback } whose metatable prints it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "binding.h"

void binding_push_this_error(lua_State *L, const struct ebpf_error *err)
{
	luaL_checkstack(L, 4, NULL);
	lua_createtable(L, 0, 5);
	luaL_setmetatable(L, CLASS_ERROR);
	lua_pushstring(L, ebpf_errno_name(err->code));
	lua_setfield(L, -2, "code");
	lua_pushinteger(L, err->code);
	lua_setfield(L, -2, "errno");
	lua_pushstring(L, err->message);
	lua_setfield(L, -2, "message");
	if (err->hint[0]) {
		lua_pushstring(L, err->hint);
		lua_setfield(L, -2, "hint");
	}
	if (err->log) {
		lua_pushstring(L, err->log);
		lua_setfield(L, -2, "log");
	}
}

void binding_push_error(lua_State *L)
{
	struct ebpf_error *err = binding_error(L);
	struct ebpf_policy *policy = binding_host(L)->policy;

	if (policy && policy->refused[0] && err->code == EPERM) {
		snprintf(err->hint, sizeof(err->hint), "the program that runs this script refuses to %s", policy->refused);
		policy->refused[0] = '\0';
	}
	binding_push_this_error(L, err);
	ebpf_error_clear(err);
}

int binding_fail(lua_State *L)
{
	int code = binding_error(L)->code;

	lua_pushnil(L);
	binding_push_error(L);
	lua_pushinteger(L, code);
	return 3;
}

int binding_raise(lua_State *L)
{
	binding_push_error(L);
	return lua_error(L);
}

int binding_result(lua_State *L, int result)
{
	if (result < 0)
		return binding_fail(L);
	lua_pushboolean(L, 1);
	return 1;
}

/* -- the object -- */

/* The summary: the message, and what to do about it. A message of several lines has its hint on a line of its own. */
static int error_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_getfield(L, 1, "message");
	const char *message = luaL_tolstring(L, -1, NULL);

	lua_getfield(L, 1, "hint");
	const char *hint = lua_tostring(L, -1);

	if (hint)
		lua_pushfstring(L, strchr(message, '\n') ? "%s\n%s" : "%s (%s)", message, hint);
	else
		lua_pushstring(L, message);
	return 1;
}

static int error_concat(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	luaL_tolstring(L, 2, NULL);
	lua_concat(L, 2);
	return 1;
}

/* -- protected calls -- */

static bool is_error(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, CLASS_ERROR);
	bool same = lua_rawequal(L, -1, -2);

	lua_pop(L, 2);
	return same;
}

void binding_add_traceback(lua_State *L, lua_State *thread)
{
	int level = L == thread;

	luaL_checkstack(L, 6, NULL);
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_traceback(L, thread, lua_tostring(L, -1), level);
		lua_replace(L, -2);
	} else if (is_error(L, -1)) { /* keeps its identity: callers look at .code */
		luaL_traceback(L, thread, NULL, level);
		lua_setfield(L, -2, "traceback");
	}
}

static int traceback(lua_State *L)
{
	lua_settop(L, 1);
	binding_add_traceback(L, L);
	return 1;
}

const char *binding_push_text(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	luaL_tolstring(L, index, NULL);
	int text = lua_gettop(L);

	if (is_error(L, index) && lua_getfield(L, index, "traceback") == LUA_TSTRING) {
		lua_pushfstring(L, "%s\n%s", lua_tostring(L, -2), lua_tostring(L, -1));
		lua_replace(L, text);
	}
	lua_settop(L, text);
	return lua_tostring(L, -1);
}

int binding_pcall(lua_State *L, int arguments, int results)
{
	int handler = lua_gettop(L) - arguments;

	lua_pushcfunction(L, traceback);
	lua_insert(L, handler);
	int status = lua_pcall(L, arguments, results, handler);

	lua_remove(L, handler);
	return status;
}

static int nothing(lua_State *L)
{
	(void)L;
	return 0;
}

void binding_interrupted(lua_State *L)
{
	lua_pushcfunction(L, nothing);
	lua_call(L, 0, 0);
}

/* core.fail(errno, message [, hint [, log]]) -> nil, err, errno: what the core's own functions return, for failures that Lua code finds */
static int l_fail(lua_State *L)
{
	lua_Integer code = luaL_checkinteger(L, 1);

	luaL_checkstring(L, 2);
	lua_settop(L, 4);
	lua_pushnil(L);
	lua_createtable(L, 0, 5);
	luaL_setmetatable(L, CLASS_ERROR);
	lua_pushstring(L, ebpf_errno_name((int)code));
	lua_setfield(L, -2, "code");
	lua_pushinteger(L, code);
	lua_setfield(L, -2, "errno");
	for (int i = 2; i <= 4; i++) {
		lua_pushvalue(L, i);
		lua_setfield(L, -2, i == 2 ? "message" : i == 3 ? "hint" : "log");
	}
	lua_pushinteger(L, code);
	return 3;
}

static const luaL_Reg functions[] = { { "fail", l_fail }, { NULL, NULL } };
static const luaL_Reg metamethods[] = { { "__tostring", error_tostring }, { "__concat", error_concat }, { NULL, NULL } };

void binding_open_error(lua_State *L)
{
	luaL_newmetatable(L, CLASS_ERROR);
	luaL_setfuncs(L, metamethods, 0);
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
}
