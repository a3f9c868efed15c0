/* host_string.c -- string.find, match, gmatch, gsub and rep of a sandbox: Lua's, but their steps count as instructions (host_match.c). */
#include <stdint.h>
#include <string.h>

#include "host.h"
#include "host_match.h"

enum { SMALL = 62, MOST_REPETITIONS = 1 << 24 }; /* patterns up to this size need no memory */

struct small {
	struct host_match match;
	struct host_node nodes[HOST_NODES(SMALL)];
	uint8_t sets[HOST_SETS(SMALL)][32];
};

static void pay(void *context, unsigned steps)
{
	host_charge(context, steps, 1);
}

static void start(lua_State *L, struct host_match *match, const char *pattern, size_t size, bool anchors)
{
	match->steps = 0;
	match->pay = pay;
	match->context = L;
	host_match_compile(match, pattern, size, anchors);
}

/* A userdata with all that a pattern of a size needs. */
static struct host_match *new_match(lua_State *L, size_t size)
{
	struct host_match *match;

	if (size > (SIZE_MAX - sizeof(*match)) / (sizeof(struct host_node) + 32) - 2)
		luaL_error(L, "pattern too long");
	match = lua_newuserdatauv(L, sizeof(*match) + HOST_NODES(size) * sizeof(struct host_node) + HOST_SETS(size) * 32, 0);
	match->nodes = (struct host_node *)(match + 1);
	match->sets = (uint8_t (*)[32])(match->nodes + HOST_NODES(size));
	return match;
}

/* The pattern at 2, in `small` where that is enough, else in a userdata that is pushed. */
static struct host_match *compile(lua_State *L, struct small *small, bool anchors)
{
	size_t size;
	const char *pattern = luaL_checklstring(L, 2, &size);
	struct host_match *match;

	if (size <= SMALL) {
		match = &small->match;
		match->nodes = small->nodes;
		match->sets = small->sets;
	} else {
		match = new_match(L, size);
	}
	start(L, match, pattern, size, anchors);
	return match;
}

/* What came out of the matcher, when that is a mistake in the pattern. */
static size_t check(lua_State *L, const struct host_match *match, size_t end)
{
	if (end == HOST_MISTAKE)
		luaL_error(L, match->mistake, match->mistaken_index);
	return end;
}

/* -- captures -- */

static void push_capture(lua_State *L, const struct host_match *match, unsigned index)
{
	size_t first = match->capture[index].start;

	if (match->capture[index].is_open)
		luaL_error(L, "unfinished capture");
	if (match->capture[index].is_position)
		lua_pushinteger(L, (lua_Integer)first + 1);
	else
		lua_pushlstring(L, (const char *)match->text + first, match->capture[index].end - first);
}

static void push_text(lua_State *L, const struct host_match *match, size_t from, size_t end)
{
	lua_pushlstring(L, (const char *)match->text + from, end - from);
}

/* All captures; with none the whole match, if `whole`. */
static int push_captures(lua_State *L, const struct host_match *match, size_t from, size_t end, bool whole)
{
	luaL_checkstack(L, HOST_CAPTURES, "too many captures");
	for (unsigned i = 0; i < match->captures; i++)
		push_capture(L, match, i);
	if (match->captures || !whole)
		return (int)match->captures;
	push_text(L, match, from, end);
	return 1;
}

/* -- find, match -- */

/* The position at `index` (1 when there is none), counted from 0: not before the text, but perhaps behind it. */
static size_t check_position(lua_State *L, int index, size_t size)
{
	lua_Integer position = luaL_optinteger(L, index, 1);

	if (position > 0)
		return (size_t)position - 1;
	if (position == 0 || position < -(lua_Integer)size)
		return 0;
	return size - (size_t)-position;
}

static bool is_plain(const char *pattern, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
			return false;
	return true;
}

static int find_plain(lua_State *L, const char *text, size_t text_size, size_t from)
{
	size_t size;
	const char *wanted = lua_tolstring(L, 2, &size), *found = memmem(text + from, text_size - from, wanted, size);

	host_charge(L, (text_size - from + size) / 16, 1);
	if (!found) {
		luaL_pushfail(L);
		return 1;
	}
	lua_pushinteger(L, found - text + 1);
	lua_pushinteger(L, found - text + (lua_Integer)size);
	return 2;
}

static int find(lua_State *L, bool positions)
{
	struct small small;
	size_t text_size, pattern_size, from, end;
	const char *text = luaL_checklstring(L, 1, &text_size), *pattern = luaL_checklstring(L, 2, &pattern_size);

	from = check_position(L, 3, text_size);
	if (from > text_size) {
		luaL_pushfail(L);
		return 1;
	}
	if (positions && (lua_toboolean(L, 4) || is_plain(pattern, pattern_size)))
		return find_plain(L, text, text_size, from);
	struct host_match *match = compile(L, &small, true);

	match->text = (const uint8_t *)text;
	match->size = text_size;
	end = check(L, match, host_match_find(match, &from));
	host_match_pay(match);
	if (end == HOST_NOT_FOUND) {
		luaL_pushfail(L);
		return 1;
	}
	if (!positions)
		return push_captures(L, match, from, end, true);
	lua_pushinteger(L, (lua_Integer)from + 1);
	lua_pushinteger(L, (lua_Integer)end);
	return push_captures(L, match, from, end, false) + 2;
}

static int sandbox_find(lua_State *L)
{
	return find(L, true);
}

static int sandbox_match(lua_State *L)
{
	return find(L, false);
}

/* -- gmatch -- */

struct search {
	size_t next, last_end; /* where it goes on; SIZE_MAX: no match yet */
};

/* The next match from *from on that does not end where the last one did: an empty one there is a part of that. */
static size_t next_match(lua_State *L, struct host_match *match, size_t *from, size_t last_end)
{
	for (;; ++*from) {
		size_t end = check(L, match, host_match_find(match, from));

		if (end == HOST_NOT_FOUND || end != last_end)
			return end;
		if (match->anchored)
			return HOST_NOT_FOUND;
	}
}

/* Upvalues: the text, the pattern, the match, the search. */
static int next_of_gmatch(lua_State *L)
{
	struct host_match *match = lua_touserdata(L, lua_upvalueindex(3));
	struct search *search = lua_touserdata(L, lua_upvalueindex(4));
	size_t from = search->next, end;

	match->context = L; /* another coroutine may go on with it */
	if (from > match->size)
		return 0;
	end = next_match(L, match, &from, search->last_end);
	host_match_pay(match);
	if (end == HOST_NOT_FOUND)
		return 0;
	search->next = search->last_end = end;
	return push_captures(L, match, from, end, true);
}

static int sandbox_gmatch(lua_State *L)
{
	size_t text_size, pattern_size;
	const char *text = luaL_checklstring(L, 1, &text_size), *pattern = luaL_checklstring(L, 2, &pattern_size);
	size_t from = check_position(L, 3, text_size);
	struct host_match *match;
	struct search *search;

	lua_settop(L, 2);
	match = new_match(L, pattern_size);
	start(L, match, pattern, pattern_size, false);
	host_match_pay(match);
	match->text = (const uint8_t *)text;
	match->size = text_size;
	search = lua_newuserdatauv(L, sizeof(*search), 0);
	search->next = from;
	search->last_end = SIZE_MAX;
	lua_pushcclosure(L, next_of_gmatch, 4);
	return 1;
}

/* -- gsub -- */

static void add_text(luaL_Buffer *buffer, const struct host_match *match, size_t from, size_t end)
{
	luaL_addlstring(buffer, (const char *)match->text + from, end - from);
}

/* A replacement that is a text, with its %0 to %9. */
static void add_template(lua_State *L, luaL_Buffer *buffer, const struct host_match *match, size_t from, size_t end)
{
	size_t size, done = 0;
	const char *text = lua_tolstring(L, 3, &size), *escape;

	while ((escape = memchr(text + done, '%', size - done)) != NULL) {
		luaL_addlstring(buffer, text + done, (size_t)(escape - text) - done);
		done = (size_t)(escape - text) + 2;
		if (escape[1] == '%') {
			luaL_addchar(buffer, '%');
		} else if (escape[1] == '0' || (escape[1] == '1' && !match->captures)) {
			add_text(buffer, match, from, end);
		} else if (escape[1] >= '1' && escape[1] <= '9') {
			unsigned index = (unsigned)(escape[1] - '1');

			if (index >= match->captures)
				luaL_error(L, "invalid capture index %%%d in replacement string", (int)index + 1);
			push_capture(L, match, index);
			luaL_addvalue(buffer);
		} else {
			luaL_error(L, "invalid use of '%c' in replacement string", '%');
		}
	}
	luaL_addlstring(buffer, text + done, size - done);
}

/* What takes the place of a match; false when that stays. */
static bool add_replacement(lua_State *L, luaL_Buffer *buffer, const struct host_match *match, size_t from, size_t end)
{
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(L, match, from, end, true), 1);
		break;
	case LUA_TTABLE:
		if (match->captures)
			push_capture(L, match, 0);
		else
			push_text(L, match, from, end);
		lua_gettable(L, 3);
		break;
	default: add_template(L, buffer, match, from, end); return true;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		add_text(buffer, match, from, end);
		return false;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(buffer);
	return true;
}

static int sandbox_gsub(lua_State *L)
{
	struct small small;
	size_t size, done = 0, from = 0, last_end = SIZE_MAX, end;
	const char *text = luaL_checklstring(L, 1, &size);
	int type = lua_type(L, 3);
	lua_Integer most, count = 0;
	bool changed = false;
	luaL_Buffer buffer;

	luaL_checkstring(L, 2);
	if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TFUNCTION && type != LUA_TTABLE)
		return luaL_typeerror(L, 3, "string/function/table");
	most = luaL_optinteger(L, 4, (lua_Integer)size + 1);
	if (type == LUA_TNUMBER)
		lua_tostring(L, 3); /* once, not at each match */
	lua_settop(L, 3);
	struct host_match *match = compile(L, &small, true);

	match->text = (const uint8_t *)text;
	match->size = size;
	luaL_buffinit(L, &buffer);
	while (count < most && from <= size) {
		end = next_match(L, match, &from, last_end);
		if (end == HOST_NOT_FOUND)
			break;
		add_text(&buffer, match, done, from);
		count++;
		changed |= add_replacement(L, &buffer, match, from, end);
		done = from = last_end = end;
		if (match->anchored)
			break;
	}
	host_match_pay(match);
	if (changed) {
		add_text(&buffer, match, done, size);
		luaL_pushresult(&buffer);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_pushinteger(L, count);
	return 2;
}

/* -- rep -- */

/* Nothing, very often: Lua would count to the number. And without a limit for memory a number may be as good as none. */
static int sandbox_rep(lua_State *L)
{
	size_t text, separator;

	luaL_checklstring(L, 1, &text);
	luaL_optlstring(L, 3, "", &separator);
	if (luaL_checkinteger(L, 2) > MOST_REPETITIONS) {
		if (text || separator)
			return luaL_error(L, "more than %d repetitions in a sandbox", MOST_REPETITIONS);
		lua_settop(L, 1);
		return 1;
	}
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void host_guard_strings(lua_State *L, int library)
{
	static const luaL_Reg functions[] = {
		{ "find", sandbox_find }, { "match", sandbox_match }, { "gmatch", sandbox_gmatch }, { "gsub", sandbox_gsub },
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		lua_pushcfunction(L, functions[i].func);
		lua_setfield(L, library, functions[i].name);
	}
	host_replace(L, library, "rep", sandbox_rep);
	lua_pushnil(L);
	lua_setfield(L, library, "dump");
}
