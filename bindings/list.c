/* list.c -- children by name: spec.maps.events, pairs(coll.programs), #spec.variables. */
#include <string.h>

#include "binding.h"

#define CLASS_LIST "ebpf.list"

struct handle {
	const struct binding_list *list;
};

void binding_push_list(lua_State *L, int owner_index, const struct binding_list *list)
{
	owner_index = lua_absindex(L, owner_index);
	struct handle *handle = binding_new(L, sizeof(*handle), 1, CLASS_LIST);

	handle->list = list;
	lua_pushvalue(L, owner_index);
	lua_setiuservalue(L, -2, 1);
}

/* The list at stack index 1; pushes its owner, which must be open. */
static const struct binding_list *push_owner(lua_State *L, const void **owner)
{
	struct handle *handle = luaL_checkudata(L, 1, CLASS_LIST);

	lua_getiuservalue(L, 1, 1);
	*owner = *(void **)binding_check(L, -1, handle->list->owner_class);
	return handle->list;
}

static bool find(const struct binding_list *list, const void *owner, const char *name, size_t *found)
{
	size_t count = list->count(owner), matches = 0;

	for (*found = 0; *found < count; ++*found)
		if (strcmp(list->name(owner, *found), name) == 0)
			return true;
	for (size_t i = 0; list->alias && i < count; i++) {
		const char *alias = list->alias(owner, i);

		if (alias && strcmp(alias, name) == 0 && matches++ == 0)
			*found = i;
	}
	return matches == 1;
}

static int l_list_index(lua_State *L)
{
	const void *owner;
	const struct binding_list *list = push_owner(L, &owner);
	size_t found;

	if (find(list, owner, luaL_checkstring(L, 2), &found))
		list->push(L, lua_gettop(L), found);
	else
		lua_pushnil(L);
	return 1;
}

/* Upvalue: how many have been given. */
static int list_next(lua_State *L)
{
	const void *owner;
	const struct binding_list *list = push_owner(L, &owner);
	size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(1));
	int owner_index = lua_gettop(L);

	if (at >= list->count(owner))
		return 0;
	lua_pushinteger(L, (lua_Integer)at + 1);
	lua_replace(L, lua_upvalueindex(1));
	lua_pushstring(L, list->name(owner, at));
	list->push(L, owner_index, at);
	return 2;
}

static int l_list_pairs(lua_State *L)
{
	luaL_checkudata(L, 1, CLASS_LIST);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, list_next, 1);
	lua_pushvalue(L, 1);
	return 2;
}

static int l_list_len(lua_State *L)
{
	const void *owner;
	const struct binding_list *list = push_owner(L, &owner);

	lua_pushinteger(L, (lua_Integer)list->count(owner));
	return 1;
}

static const luaL_Reg metamethods[] = { { "__pairs", l_list_pairs }, { "__len", l_list_len }, { NULL, NULL } };

void binding_open_list(lua_State *L)
{
	static const struct binding_class class = { CLASS_LIST, NULL, NULL, NULL, metamethods, l_list_index };

	binding_class_register(L, &class);
}
