/* The patterns of a sandbox (bindings/host_match.c) against Lua's own: the same matches, the same captures, the same mistakes. The first byte is the size
 * of the pattern, the second where the search begins; then come the pattern and the text. What takes too many steps is given up: Lua cannot. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <setjmp.h>

#include "fuzz.h"
#include "host_match.h"

enum { PATTERN_MAX = 60, TEXT_MAX = 300, STEPS_MAX = 20000 };

static jmp_buf given_up;
static unsigned steps;

static void pay(void *context, unsigned count)
{
	(void)context;
	steps += count;
	if (steps > STEPS_MAX)
		longjmp(given_up, 1);
}

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Capture number `i` of `match` is the value on top. */
static void compare(lua_State *L, const struct host_match *match, unsigned i)
{
	size_t size;
	const char *text;

	if (match->capture[i].is_position) {
		if (lua_tointeger(L, -1) != (lua_Integer)match->capture[i].start + 1)
			fail("another position");
		return;
	}
	text = lua_tolstring(L, -1, &size);
	if (!text || size != match->capture[i].end - match->capture[i].start || memcmp(text, match->text + match->capture[i].start, size))
		fail("another capture");
}

static void check(lua_State *L, struct host_match *match, size_t start, size_t end, int status)
{
	bool unfinished = false;

	for (unsigned i = 0; i < match->captures; i++)
		unfinished |= match->capture[i].is_open;
	if (status != LUA_OK) {
		const char *message = lua_tostring(L, -1);

		if (strstr(message, "pattern too complex")) /* for Lua's recursion */
			return;
		if (end != HOST_MISTAKE && !(end != HOST_NOT_FOUND && unfinished))
			fail(message);
		return;
	}
	if (end == HOST_MISTAKE)
		fail(match->mistake);
	if (end == HOST_NOT_FOUND) {
		if (!lua_isnil(L, 1))
			fail("Lua finds it");
		return;
	}
	if (unfinished || lua_tointeger(L, 1) != (lua_Integer)start + 1 || lua_tointeger(L, 2) != (lua_Integer)end || lua_gettop(L) != (int)match->captures + 2)
		fail("another match");
	for (unsigned i = 0; i < match->captures; i++) {
		lua_pushvalue(L, (int)i + 3);
		compare(L, match, i);
		lua_pop(L, 1);
	}
}

/* Then string.find looks for the text that it is, also where that would be a mistake: ")". */
static bool is_plain(const char *pattern, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	static struct host_node nodes[HOST_NODES(PATTERN_MAX)];
	static uint8_t sets[HOST_SETS(PATTERN_MAX)][32];
	char pattern[PATTERN_MAX], text[TEXT_MAX + 1];
	struct host_match match = { .nodes = nodes, .sets = sets, .pay = pay, .text = (const uint8_t *)text };
	size_t pattern_size, start, end, first;

	if (size < 2)
		return 0;
	pattern_size = data[0] % (PATTERN_MAX + 1);
	start = data[1] & 15;
	data += 2;
	size -= 2;
	pattern_size = pattern_size < size ? pattern_size : size;
	if (is_plain((const char *)data, pattern_size))
		return 0;
	memcpy(pattern, data, pattern_size);
	match.size = size - pattern_size < TEXT_MAX ? size - pattern_size : TEXT_MAX;
	memcpy(text, data + pattern_size, match.size);
	text[match.size] = '\0';
	start = start < match.size ? start : match.size;
	steps = 0;
	if (setjmp(given_up))
		return 0;
	host_match_compile(&match, pattern, pattern_size, true);
	first = start;
	end = host_match_find(&match, &first);
	host_match_pay(&match);
	if (!L) {
		L = luaL_newstate();
		luaL_openlibs(L);
	}
	lua_settop(L, 0);
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "find");
	lua_remove(L, 1);
	lua_pushlstring(L, text, match.size);
	lua_pushlstring(L, pattern, pattern_size);
	lua_pushinteger(L, (lua_Integer)start + 1);
	check(L, &match, first, end, lua_pcall(L, 3, LUA_MULTRET, 0));
	return 0;
}
