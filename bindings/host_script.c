/* host_script.c -- the lua_State of a script: its memory, its libraries, the modules that need no file, its loop.
 *
 * The modules of lua/ebpf see all of Lua's libraries, whatever a script sees: in a sandbox their globals are a table that no script can get at. */
#include <stdlib.h>
#include <string.h>

#include <lualib.h>

#include "host.h"

extern int luaopen_ebpf_core(lua_State *L);

/* -- memory -- */

enum { BYTES_PER_INSTRUCTION = 64 };

/* What is allocated is written to, and counts. What is freed may be what somebody who sets a hook is looking at (host_budget.c): a signal handler of this
 * thread, as a command has it, has ended before we go on. */
static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
	ebpf_host *host = context;
	void *result;

	if (block && new_size < old_size && !host->options.instruction_limit && !host->options.standalone)
		host_wait_for_hooks(host);
	if (host->current && (!block || new_size > old_size))
		host_charge_quietly(host->current, new_size / BYTES_PER_INSTRUCTION);

	if (!block)
		old_size = 0; /* then it says what kind of object it is for */
	if (new_size == 0) {
		free(block);
		host->memory -= old_size;
		return NULL;
	}
	if (new_size > old_size && host->options.memory_limit &&
	    new_size - old_size > host->options.memory_limit - (host->memory < host->options.memory_limit ? host->memory : host->options.memory_limit))
		return NULL;
	result = realloc(block, new_size);
	if (result)
		host->memory += new_size - old_size;
	return result;
}

lua_State *host_new_state(struct script *script)
{
	lua_State *L = lua_newstate(allocate, script->host);

	if (L)
		*(struct script **)lua_getextraspace(L) = script;
	return L;
}

/* -- libraries -- */

const char *const host_libraries[] = { "base",	"coroutine", "table", "string",	 "math", "utf8", "time",
				       "ebpf",	"os",	     "io",    "package", "debug", NULL };

bool host_has_library(const ebpf_host *host, const char *name)
{
	enum { SAFE = 8 }; /* of the list above */

	if (host->options.libraries) {
		for (const char *const *each = host->options.libraries; *each; each++)
			if (!strcmp(*each, name))
				return true;
		return false;
	}
	for (size_t i = 0; host_libraries[i]; i++)
		if (!strcmp(host_libraries[i], name))
			return !host->options.sandbox || i < SAFE;
	return false;
}

/* The library's functions as they are, with all globals on top. */
static void copy_library(lua_State *L, const ebpf_host *host, const char *name, int from, int to)
{
	if (!host_has_library(host, name))
		return;
	lua_getfield(L, from, name);
	lua_setfield(L, to, name);
}

static void copy_time(lua_State *L, int from, int to)
{
	static const char *const names[] = { "clock", "date", "difftime", "time", NULL };

	lua_getfield(L, from, "os");
	lua_newtable(L);
	for (size_t i = 0; names[i]; i++) {
		lua_getfield(L, -2, names[i]);
		lua_setfield(L, -2, names[i]);
	}
	lua_setfield(L, to, "os");
	lua_pop(L, 1);
}

/* -- modules -- */

/* Upvalues: the module's number, its globals. A loader as package.preload has them. */
static int load_module(lua_State *L)
{
	const struct host_module *module = &host_modules[lua_tointeger(L, lua_upvalueindex(1))];
	char name[128];

	snprintf(name, sizeof(name), "=%s", module->name);
	if (luaL_loadbufferx(L, module->text, module->size, name, "t") != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_setupvalue(L, -2, 1);
	lua_pushstring(L, module->name);
	lua_call(L, 1, 1);
	return 1;
}

static bool is_for_sandboxes(const char *name)
{
	return strncmp(name, "ebpf.cli", 8) != 0 && strncmp(name, "ebpf.gen", 8) != 0;
}

/* Fills package.preload, which is on top. `globals`: index of the modules' globals. */
static void preload(lua_State *L, const ebpf_host *host, int globals)
{
	for (size_t i = 0; host_modules[i].name; i++) {
		if (host->options.sandbox && !is_for_sandboxes(host_modules[i].name))
			continue;
		lua_pushinteger(L, (lua_Integer)i);
		lua_pushvalue(L, globals);
		lua_pushcclosure(L, load_module, 2);
		lua_setfield(L, -2, host_modules[i].name);
	}
}

/* require of a sandbox. Upvalues: what is loaded, loaders. */
static int sandbox_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	lua_settop(L, 1);
	if (lua_getfield(L, lua_upvalueindex(1), name) != LUA_TNIL)
		return 1;
	if (lua_getfield(L, lua_upvalueindex(2), name) == LUA_TNIL)
		return luaL_error(L, "module '%s' is not there: scripts in a sandbox have the modules of ebpf alone", name);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, lua_upvalueindex(1), name);
	return 1;
}

/* -- what the host gives -- */

static int sink_print(lua_State *L)
{
	const struct script *script = host_script_of(L);
	int count = lua_gettop(L);
	luaL_Buffer line;

	luaL_buffinit(L, &line);
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			luaL_addchar(&line, '\t');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&line);
	}
	luaL_pushresult(&line);
	if (script->host->options.print)
		script->host->options.print(script->host->options.context, script->name, lua_tostring(L, -1));
	return 0;
}

static void give(lua_State *L, const ebpf_host *host, int globals)
{
	const char *const *arguments = host->options.arguments;

	lua_newtable(L);
	for (const struct host_function *each = host->functions; each; each = each->next) {
		lua_pushlightuserdata(L, each->context);
		lua_pushcclosure(L, each->function, 1);
		lua_setfield(L, -2, each->name);
	}
	lua_setfield(L, globals, "host");
	if (!host->options.standalone && host_has_library(host, "base")) {
		lua_pushcfunction(L, sink_print);
		lua_setfield(L, globals, "print");
	}
	lua_newtable(L);
	for (lua_Integer i = 0; arguments && arguments[i]; i++) {
		lua_pushstring(L, arguments[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, globals, "arg");
}

static void own_loop(lua_State *L)
{
	if (binding_loop_new_hosted(L) != 1) {
		lua_pop(L, 1); /* errno; the error object is what is raised */
		lua_error(L);
	}
	binding_set_hosted_loop(L);
}

/* -- all together -- */

/* Pushes a table of the globals that the list of libraries leaves, in a sandbox with its own functions for some. `all`: Lua's globals. */
static void push_globals(lua_State *L, const ebpf_host *host, int all)
{
	static const char *const of_base[] = { "assert", "collectgarbage", "dofile", "error", "getmetatable", "ipairs", "load", "loadfile", "next",
					       "pairs", "pcall", "print", "rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable",
					       "tonumber", "tostring", "type", "warn", "xpcall", "_VERSION" };
	static const char *const of_sandbox[] = { "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "rawlen", "rawset", "select",
						  "tonumber", "tostring", "type", "_VERSION" };
	static const char *const libraries[] = { "coroutine", "table", "string", "math", "utf8", "os", "io", "debug", "package" };
	const char *const *base = host->options.sandbox ? of_sandbox : of_base;
	size_t count = host->options.sandbox ? sizeof(of_sandbox) / sizeof(of_sandbox[0]) : sizeof(of_base) / sizeof(of_base[0]);

	lua_newtable(L);
	int globals = lua_gettop(L);

	for (size_t i = 0; host_has_library(host, "base") && i < count; i++) {
		lua_getfield(L, all, base[i]);
		lua_setfield(L, globals, base[i]);
	}
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		copy_library(L, host, libraries[i], all, globals);
	if (host_has_library(host, "time") && !host_has_library(host, "os"))
		copy_time(L, all, globals);
	lua_pushvalue(L, globals);
	lua_setfield(L, globals, "_G");
	if (host->options.sandbox)
		host_guard(L, host, all, globals);
}

/* Pushes a `require` for ebpf's modules alone. `loaders`: index of package.preload. */
static void push_require(lua_State *L, int loaders)
{
	lua_newtable(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getfield(L, -1, "ebpf.core");
	lua_setfield(L, -3, "ebpf.core");
	lua_pop(L, 1);
	lua_pushvalue(L, loaders);
	lua_pushcclosure(L, sandbox_require, 2);
}

int host_fill_state(lua_State *L)
{
	struct script *script = host_script_of(L);
	const ebpf_host *host = script->host;

	luaL_openlibs(L);
	lua_pushglobaltable(L);
	int all = lua_gettop(L);

	luaL_requiref(L, "ebpf.core", luaopen_ebpf_core, 0);
	lua_getfield(L, all, "coroutine");
	host_guard_coroutines(L, lua_gettop(L));
	lua_pop(L, 2);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	int loaders = lua_gettop(L);

	if (host_has_library(host, "ebpf"))
		preload(L, host, all);
	if (!host->options.sandbox && !host->options.libraries) {
		give(L, host, all);
	} else {
		push_globals(L, host, all);
		if (host_has_library(host, "package"))
			lua_getfield(L, all, "require");
		else
			push_require(L, loaders);
		lua_pushvalue(L, -1);
		lua_setfield(L, all, "require"); /* the modules find each other as the script finds them */
		lua_setfield(L, -2, "require");
		give(L, host, lua_gettop(L));
		lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	}
	if (!host->options.standalone)
		own_loop(L);
	return 0;
}
