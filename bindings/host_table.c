/* host_table.c -- table.insert, remove, move, concat, unpack and sort of a sandbox: loops of C that count as the loops that they are.
 *
 * A table may say itself how long it is (__len), and what is in it (__index): it is asked once, and each turn is paid for. Sorting merges: it takes
 * n log n comparisons whatever the order function says. */
#include <limits.h>

#include "host.h"

/* Tables, and what has a metatable to act as one. */
static void check_list(lua_State *L, int index)
{
	if (lua_type(L, index) == LUA_TTABLE || !luaL_getmetafield(L, index, "__index"))
		luaL_checktype(L, index, LUA_TTABLE);
	else
		lua_pop(L, 1);
}

static lua_Integer check_size(lua_State *L)
{
	check_list(L, 1);
	return luaL_len(L, 1);
}

static void copy(lua_State *L, int from, lua_Integer i, int to, lua_Integer j)
{
	host_charge(L, 1, 1);
	lua_geti(L, from, i);
	lua_seti(L, to, j);
}

static int sandbox_insert(lua_State *L)
{
	lua_Integer size = (lua_Integer)((lua_Unsigned)check_size(L) + 1), position = size;

	switch (lua_gettop(L)) {
	case 2: break;
	case 3:
		position = luaL_checkinteger(L, 2);
		luaL_argcheck(L, (lua_Unsigned)position - 1 < (lua_Unsigned)size, 2, "position out of bounds");
		for (lua_Integer i = size; i > position; i--)
			copy(L, 1, i - 1, 1, i);
		break;
	default: return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	lua_seti(L, 1, position);
	return 0;
}

static int sandbox_remove(lua_State *L)
{
	lua_Integer size = check_size(L), position = luaL_optinteger(L, 2, size);

	if (position != size)
		luaL_argcheck(L, (lua_Unsigned)position - 1 <= (lua_Unsigned)size, 2, "position out of bounds");
	lua_geti(L, 1, position);
	for (; position < size; position++)
		copy(L, 1, position + 1, 1, position);
	lua_pushnil(L);
	lua_seti(L, 1, position);
	return 1;
}

static int sandbox_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
	int target = lua_isnoneornil(L, 5) ? 1 : 5;

	check_list(L, 1);
	check_list(L, target);
	if (last >= first) {
		lua_Integer more = last - first; /* wraps around only where the next line refuses it */

		luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
		luaL_argcheck(L, to <= LUA_MAXINTEGER - more, 4, "destination wrap around");
		if (to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ))) {
			for (lua_Integer i = 0; i <= more; i++)
				copy(L, 1, first + i, target, to + i);
		} else {
			for (lua_Integer i = more; i >= 0; i--)
				copy(L, 1, first + i, target, to + i);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

static int sandbox_concat(lua_State *L)
{
	lua_Integer size = check_size(L), first = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, size);
	size_t separator_size;
	const char *separator = luaL_optlstring(L, 2, "", &separator_size);
	luaL_Buffer buffer;

	luaL_buffinit(L, &buffer);
	for (lua_Integer i = first; i <= last; i++) {
		host_charge(L, 1, 1);
		lua_geti(L, 1, i);
		if (!lua_isstring(L, -1))
			return luaL_error(L, "invalid value (at index %I) in table for 'concat'", (LUAI_UACINT)i);
		luaL_addvalue(&buffer);
		if (i == last) /* which may be the largest integer */
			break;
		luaL_addlstring(&buffer, separator, separator_size);
	}
	luaL_pushresult(&buffer);
	return 1;
}

static int sandbox_unpack(lua_State *L)
{
	lua_Integer first = luaL_optinteger(L, 2, 1), last = luaL_opt(L, luaL_checkinteger, 3, luaL_len(L, 1));
	lua_Unsigned count;

	if (first > last)
		return 0;
	count = (lua_Unsigned)last - (lua_Unsigned)first;
	if (count >= (unsigned)INT_MAX || !lua_checkstack(L, (int)++count))
		return luaL_error(L, "too many results to unpack");
	host_charge(L, count, 1);
	for (lua_Unsigned i = 0; i < count; i++)
		lua_geti(L, 1, (lua_Integer)((lua_Unsigned)first + i));
	return (int)count;
}

/* -- sort -- */

enum { FIRST = 3, SECOND }; /* tables that the lists are merged from and to; 1 is what is sorted, 2 its order */

/* Whether the value on top comes before the one below; takes both. */
static bool is_less(lua_State *L)
{
	bool is;

	host_charge(L, 1, 1);
	if (lua_isnil(L, 2)) {
		if (lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING) {
			size_t one = (size_t)lua_rawlen(L, -1), other = (size_t)lua_rawlen(L, -2);

			host_charge(L, (one < other ? one : other) / 16, 1);
		}
		is = lua_compare(L, -1, -2, LUA_OPLT);
		lua_pop(L, 2);
		return is;
	}
	lua_pushvalue(L, 2);
	lua_insert(L, -3);
	lua_insert(L, -2); /* the order, the top one, the one below */
	lua_call(L, 2, 1);
	is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

/* The sorted runs [from, middle) and [middle, end) of one table become one run of the other. */
static void merge(lua_State *L, int source, int target, lua_Integer from, lua_Integer middle, lua_Integer end)
{
	lua_Integer left = from, right = middle;

	for (lua_Integer i = from; i < end; i++) {
		bool of_right = left == middle;

		host_charge(L, 1, 1);
		if (left < middle && right < end) {
			lua_rawgeti(L, source, left);
			lua_rawgeti(L, source, right);
			of_right = is_less(L);
		}
		lua_rawgeti(L, source, of_right ? right++ : left++);
		lua_rawseti(L, target, i);
	}
}

static lua_Integer at_most(lua_Integer value, lua_Integer most)
{
	return value < most ? value : most;
}

static int sandbox_sort(lua_State *L)
{
	lua_Integer size = check_size(L);
	int source = FIRST, target = SECOND;

	if (size < 2)
		return 0;
	luaL_argcheck(L, size < INT_MAX, 1, "array too big");
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_newtable(L);
	lua_newtable(L);
	luaL_checkstack(L, 10, NULL);
	for (lua_Integer i = 1; i <= size; i++) {
		host_charge(L, 1, 1);
		lua_geti(L, 1, i);
		lua_rawseti(L, FIRST, i);
	}
	for (lua_Integer width = 1; width < size; width *= 2) {
		for (lua_Integer from = 1; from <= size; from += 2 * width)
			merge(L, source, target, from, at_most(from + width, size + 1), at_most(from + 2 * width, size + 1));
		source = target;
		target = source == FIRST ? SECOND : FIRST;
	}
	for (lua_Integer i = 1; i <= size; i++) {
		host_charge(L, 1, 1);
		lua_rawgeti(L, source, i);
		lua_seti(L, 1, i);
	}
	return 0;
}

void host_guard_tables(lua_State *L, int library)
{
	static const luaL_Reg functions[] = {
		{ "insert", sandbox_insert }, { "remove", sandbox_remove }, { "move", sandbox_move },
		{ "concat", sandbox_concat }, { "unpack", sandbox_unpack }, { "sort", sandbox_sort },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_pushcfunction(L, functions[i].func);
		lua_setfield(L, library, functions[i].name);
	}
}
