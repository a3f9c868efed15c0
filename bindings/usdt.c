/* usdt.c -- the USDT probes of a program or library, as a list. */
#include "binding.h"

#define CLASS_USDT "ebpf.usdt" /* holds what was read until the list is made, which may raise */

static void push_probe(lua_State *L, const struct ebpf_usdt_probe *probe)
{
	lua_createtable(L, 0, 6);
	lua_pushstring(L, probe->provider);
	lua_setfield(L, -2, "provider");
	lua_pushstring(L, probe->name);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, probe->arguments);
	lua_setfield(L, -2, "arguments");
	lua_pushinteger(L, (lua_Integer)probe->address);
	lua_setfield(L, -2, "address");
	lua_pushinteger(L, (lua_Integer)probe->offset);
	lua_setfield(L, -2, "offset");
	if (probe->semaphore) {
		lua_pushinteger(L, (lua_Integer)probe->semaphore);
		lua_setfield(L, -2, "semaphore");
	}
}

static int l_usdt_free(lua_State *L)
{
	struct ebpf_usdt **handle = luaL_checkudata(L, 1, CLASS_USDT);

	ebpf_usdt_free(*handle);
	*handle = NULL;
	return 0;
}

/* core.usdt(path [, { provider =, name = }]) -> { { provider =, name =, arguments =, address =, offset =, semaphore = }, ... } */
static int l_usdt(lua_State *L)
{
	static const char *const names[] = { "provider", "name", NULL };
	const char *path = binding_to_string(L, 1, "path");

	binding_check_options(L, 2, names);
	const char *provider = binding_option_string(L, 2, "provider", NULL), *name = binding_option_string(L, 2, "name", NULL);
	struct ebpf_usdt **handle = binding_new(L, sizeof(struct ebpf_usdt *), 0, CLASS_USDT);

	if (ebpf_usdt_read(path, provider, name, handle, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, (int)(*handle)->count, 0);
	for (size_t i = 0; i < (*handle)->count; i++) {
		push_probe(L, &(*handle)->probes[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	ebpf_usdt_free(*handle);
	*handle = NULL;
	return 1;
}

void binding_open_usdt(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } }, metamethods[] = { { "__gc", l_usdt_free }, { NULL, NULL } };
	static const struct binding_class class = { CLASS_USDT, none, none, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	lua_pushcfunction(L, l_usdt);
	lua_setfield(L, -2, "usdt");
}
