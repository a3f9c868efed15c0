/* option.c -- arguments and option tables: checked by name, refused by name. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "binding.h"

static bool known(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static int unknown_option(lua_State *L, int key, const char *const *names)
{
	luaL_Buffer text;
	const char *name = luaL_tolstring(L, key, NULL);

	luaL_buffinit(L, &text);
	for (const char *const *each = names; *each; each++) {
		if (each != names)
			luaL_addstring(&text, ", ");
		luaL_addstring(&text, *each);
	}
	luaL_pushresult(&text);
	return luaL_error(L, "unknown option '%s' (known: %s)", name, names[0] ? lua_tostring(L, -1) : "none");
}

bool binding_check_options(lua_State *L, int index, const char *const *names)
{
	if (lua_isnoneornil(L, index))
		return false;
	luaL_checktype(L, index, LUA_TTABLE);
	index = lua_absindex(L, index);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING || !known(lua_tostring(L, -1), names))
			unknown_option(L, -1, names);
	}
	return true;
}

static int wrong_type(lua_State *L, int index, const char *what, const char *expected)
{
	return luaL_error(L, "%s: %s expected, got %s", what, expected, luaL_typename(L, index));
}

uint64_t binding_to_integer(lua_State *L, int index, uint64_t maximum, const char *what)
{
	int exact;
	lua_Integer value = lua_tointegerx(L, index, &exact);

	if (lua_type(L, index) != LUA_TNUMBER || !exact)
		wrong_type(L, index, what, "integer");
	if ((uint64_t)value > maximum) /* a negative number is above every maximum but UINT64_MAX */
		luaL_error(L, "%s: %I is out of range (0 to %I)", what, value, (lua_Integer)maximum);
	return (uint64_t)value;
}

const char *binding_to_string(lua_State *L, int index, const char *what)
{
	size_t size;

	if (lua_type(L, index) != LUA_TSTRING)
		wrong_type(L, index, what, "string");
	const char *text = lua_tolstring(L, index, &size);

	if (strlen(text) != size)
		luaL_error(L, "%s: the string has a NUL in it", what);
	return text;
}

static uint32_t one_flag(lua_State *L, int index, int64_t (*bit_of)(const char *name), const char *what)
{
	int64_t flag = bit_of(binding_to_string(L, index, what));

	if (flag < 0)
		luaL_error(L, "%s: there is none of the name '%s'", what, lua_tostring(L, index));
	return (uint32_t)flag;
}

uint32_t binding_to_flags(lua_State *L, int index, int64_t (*bit_of)(const char *name), const char *what)
{
	uint32_t flags = 0;

	index = lua_absindex(L, index);
	if (lua_type(L, index) == LUA_TSTRING)
		return one_flag(L, index, bit_of, what);
	if (lua_type(L, index) != LUA_TTABLE)
		return (uint32_t)binding_to_integer(L, index, UINT32_MAX, what);
	for (lua_Integer i = 1; lua_geti(L, index, i) != LUA_TNIL; i++) {
		flags |= one_flag(L, -1, bit_of, what);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return flags;
}

uint32_t binding_to_map_flags(lua_State *L, int index)
{
	return binding_to_flags(L, index, ebpf_map_flag, "flags");
}

void binding_set_integer(lua_State *L, const char *name, uint64_t value)
{
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, name);
}

void binding_set_string(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

/* Pushes the option; false (and nothing pushed) when it is not given. */
static bool push_option(lua_State *L, int index, const char *name)
{
	if (!index || lua_type(L, index) != LUA_TTABLE)
		return false;
	if (lua_getfield(L, index, name) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	return false;
}

uint64_t binding_option_integer(lua_State *L, int index, const char *name, uint64_t maximum, uint64_t otherwise)
{
	if (!push_option(L, index, name))
		return otherwise;
	uint64_t value = binding_to_integer(L, -1, maximum, name);

	lua_pop(L, 1);
	return value;
}

bool binding_option_boolean(lua_State *L, int index, const char *name, bool otherwise)
{
	if (!push_option(L, index, name))
		return otherwise;
	if (!lua_isboolean(L, -1))
		wrong_type(L, -1, name, "boolean");
	bool value = lua_toboolean(L, -1);

	lua_pop(L, 1);
	return value;
}

const char *binding_option_string(lua_State *L, int index, const char *name, const char *otherwise)
{
	if (!push_option(L, index, name))
		return otherwise;
	const char *text = binding_to_string(L, -1, name);

	lua_pop(L, 1);
	return text;
}

uint32_t binding_to_enum(lua_State *L, int index, enum ebpf_enum which, const char *what)
{
	if (lua_type(L, index) == LUA_TNUMBER)
		return (uint32_t)binding_to_integer(L, index, UINT32_MAX, what);
	const char *name = binding_to_string(L, index, what);
	int value = ebpf_enum_value(which, name);

	if (value < 0) {
		static const char *const kinds[] = { /* ORDER ebpf_enum */
			"program type", "map type", "attach type", "link type", "helper", "kind of type"
		};

		luaL_error(L, "%s: the kernel has no %s of the name '%s'", what, kinds[which], name);
	}
	return (uint32_t)value;
}

void binding_push_enum(lua_State *L, enum ebpf_enum which, uint32_t value)
{
	const char *name = ebpf_enum_name(which, value);

	if (name)
		lua_pushstring(L, name);
	else
		lua_pushinteger(L, value);
}

/* 0 is an attach type of one kind of program, and "none" for all others. */
void binding_push_attach_type(lua_State *L, uint32_t program_type, uint32_t attach_type)
{
	if (!attach_type && (int)program_type != ebpf_enum_value(EBPF_PROGRAM_TYPE, "cgroup_skb"))
		lua_pushnil(L);
	else
		binding_push_enum(L, EBPF_ATTACH_TYPE, attach_type);
}

uint64_t binding_to_seconds(lua_State *L, int index, const char *what)
{
	if (lua_type(L, index) != LUA_TNUMBER)
		wrong_type(L, index, what, "number of seconds");
	lua_Number seconds = lua_tonumber(L, index);

	if (!(seconds >= 0 && seconds < 4e9)) /* not a number is refused as well */
		luaL_error(L, "%s: %f seconds are out of range", what, seconds);
	return (uint64_t)(seconds * 1e9);
}

int binding_to_timeout(lua_State *L, int index, const char *what)
{
	if (lua_isnoneornil(L, index) || (lua_type(L, index) == LUA_TNUMBER && lua_tonumber(L, index) == HUGE_VAL))
		return -1;
	uint64_t milliseconds = (binding_to_seconds(L, index, what) + 999999) / 1000000;

	return milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
}
