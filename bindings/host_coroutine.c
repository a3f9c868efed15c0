/* host_coroutine.c -- coroutine.create, wrap, resume and close of a host's scripts, which say which thread runs: an interrupt has to reach it.
 *
 * A script that is ended must not live on in the coroutine that has resumed the one that was: its error goes up through all of them. And since each thread
 * counts for itself, up to HOST_COUNT instructions of it stay uncounted: they are paid for when it is made. */
#include "host.h"

static lua_State *check_thread(lua_State *L)
{
	lua_State *thread = lua_tothread(L, 1);

	luaL_argexpected(L, thread, 1, "coroutine");
	return thread;
}

/* Resumes with the `count` values on top: the results are there then. -1: an error is. */
static int resume(lua_State *L, lua_State *thread, int count)
{
	int results = 0, status;

	if (!lua_checkstack(thread, count)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, thread, count);
	host_runs(thread, 0);
	status = lua_resume(thread, L, count, &results);
	host_runs(L, 0);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(thread, L, 1);
		return binding_host(L)->doomed ? lua_error(L) : -1;
	}
	if (binding_host(L)->doomed) /* it has caught that, but can do nothing any more */
		return luaL_error(L, "the script is ended");
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(thread, results);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(thread, L, results);
	return results;
}

/* Closes what a thread that does not run has to close. */
static int reset(lua_State *L, lua_State *thread)
{
	int status;

	host_runs(thread, 0);
	status = lua_resetthread(thread);
	host_runs(L, 0);
	if (!binding_host(L)->doomed)
		return status;
	if (status == LUA_OK)
		return luaL_error(L, "the script is ended");
	lua_xmove(thread, L, 1);
	return lua_error(L);
}

static int host_create(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	host_charge(L, HOST_COUNT, 1);
	lua_State *thread = lua_newthread(L);

	lua_pushvalue(L, 1);
	lua_xmove(L, thread, 1);
	return 1;
}

static int host_resume(lua_State *L)
{
	lua_State *thread = check_thread(L);
	int results = resume(L, thread, lua_gettop(L) - 1);

	lua_pushboolean(L, results >= 0);
	if (results < 0)
		results = 1;
	lua_insert(L, -results - 1);
	return results + 1;
}

/* Upvalue: the thread. */
static int call_wrapped(lua_State *L)
{
	lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
	int results = resume(L, thread, lua_gettop(L)), status;

	if (results >= 0)
		return results;
	status = lua_status(thread);
	if (status != LUA_OK && status != LUA_YIELD) { /* an error of its own: what it has to close is closed, which may be another error */
		status = reset(L, thread);
		lua_xmove(thread, L, 1);
	}
	if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int host_wrap(lua_State *L)
{
	host_create(L);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

static int host_close(lua_State *L)
{
	lua_State *thread = check_thread(L);
	lua_Debug frame;
	int status = lua_status(thread);

	if (thread == L)
		return luaL_error(L, "cannot close a running coroutine");
	if (status == LUA_OK && lua_getstack(thread, 0, &frame)) /* it has resumed another one */
		return luaL_error(L, "cannot close a normal coroutine");
	status = reset(L, thread);
	lua_pushboolean(L, status == LUA_OK);
	if (status == LUA_OK)
		return 1;
	lua_xmove(thread, L, 1);
	return 2;
}

void host_guard_coroutines(lua_State *L, int library)
{
	static const luaL_Reg functions[] = {
		{ "create", host_create }, { "wrap", host_wrap }, { "resume", host_resume }, { "close", host_close },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_pushcfunction(L, functions[i].func);
		lua_setfield(L, library, functions[i].name);
	}
}
