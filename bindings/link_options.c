/* link_options.c -- what a link is made with, by the schema of options that the core gives for each kind: a new kind needs nothing here. */
#include <stdlib.h>
#include <string.h>

#include "link.h"

static const struct ebpf_option *find_option(const struct ebpf_option *options, const char *name)
{
	for (; options->name; options++)
		if (strcmp(options->name, name) == 0)
			return options;
	return NULL;
}

static const struct ebpf_option *positional(const struct ebpf_option *options, int position)
{
	for (; options->name; options++)
		if (options->position == position)
			return options;
	return NULL;
}

/* How many items the value at `index` has as a list: a table's, or the value alone is one. */
static size_t list_count(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TTABLE ? lua_rawlen(L, index) : 1;
}

/* Pushes the item (from 0) of the list at `index`. */
static void push_item(lua_State *L, int index, size_t item)
{
	if (lua_type(L, index) == LUA_TTABLE)
		lua_rawgeti(L, index, (lua_Integer)item + 1);
	else
		lua_pushvalue(L, index);
}

/* Push an array that holds the items, and stays on the stack as long as it is needed; strings are borrowed from the list. */
static void set_strings(lua_State *L, struct ebpf_strings *strings, const char *name, int index)
{
	size_t count = list_count(L, index);
	const char **items = lua_newuserdatauv(L, (count + 1) * sizeof(*items), 0);

	for (size_t i = 0; i < count; i++, lua_pop(L, 1)) {
		push_item(L, index, i);
		items[i] = binding_to_string(L, -1, name);
	}
	*strings = (struct ebpf_strings){ items, count };
}

static void set_numbers(lua_State *L, struct ebpf_numbers *numbers, const char *name, int index)
{
	size_t count = list_count(L, index);
	uint64_t *items = lua_newuserdatauv(L, (count + 1) * sizeof(*items), 0);

	for (size_t i = 0; i < count; i++, lua_pop(L, 1)) {
		push_item(L, index, i);
		items[i] = binding_to_integer(L, -1, UINT64_MAX, name);
	}
	*numbers = (struct ebpf_numbers){ items, count };
}

/* Stores the value at `index`; a string stays borrowed from the Lua value. A handle stands for its descriptor. A list leaves an
 * array on the stack: true. */
static bool set_option(lua_State *L, struct ebpf_link_options *options, const struct ebpf_option *option, int index)
{
	void *field = (char *)options + option->offset;
	int fd = lua_type(L, index) == LUA_TUSERDATA ? binding_object_fd(L, index) : -1;

	switch (option->type) {
	case EBPF_OPTION_STRING:
		*(const char **)field = binding_to_string(L, index, option->name);
		break;
	case EBPF_OPTION_U64:
		*(uint64_t *)field = binding_to_integer(L, index, UINT64_MAX, option->name);
		break;
	case EBPF_OPTION_U32:
		*(uint32_t *)field = (uint32_t)binding_to_integer(L, index, UINT32_MAX, option->name);
		break;
	case EBPF_OPTION_S32: {
		int64_t value = fd >= 0 ? fd : (int64_t)binding_to_integer(L, index, UINT64_MAX, option->name);

		if (value < INT32_MIN || value > INT32_MAX)
			luaL_error(L, "%s: %I is out of range", option->name, (lua_Integer)value);
		*(int32_t *)field = (int32_t)value;
		break;
	}
	case EBPF_OPTION_BOOL:
		if (!lua_isboolean(L, index))
			luaL_error(L, "%s: boolean expected, got %s", option->name, luaL_typename(L, index));
		*(bool *)field = lua_toboolean(L, index);
		break;
	case EBPF_OPTION_STRINGS:
		set_strings(L, field, option->name, index);
		return true;
	case EBPF_OPTION_NUMBERS:
		set_numbers(L, field, option->name, index);
		return true;
	}
	return false;
}

/* Stores the value on top, whose key is below it; the arrays of lists go below the key. */
static void keep_option(lua_State *L, struct ebpf_link_options *options, const struct ebpf_option *option)
{
	luaL_checkstack(L, 4, "too many options");
	if (set_option(L, options, option, lua_gettop(L)))
		lua_insert(L, -3);
}

static int unknown_option(lua_State *L, const char *kind, const struct ebpf_option *options, const char *name)
{
	luaL_Buffer text;

	luaL_buffinit(L, &text);
	for (const struct ebpf_option *each = options; each->name; each++) {
		if (each != options)
			luaL_addstring(&text, ", ");
		luaL_addstring(&text, each->name);
	}
	luaL_pushresult(&text);
	return luaL_error(L, "%s: unknown option '%s' (known: %s)", kind, name, lua_tostring(L, -1));
}

/* The table at `index`, whose strings stay borrowed; may leave values on the stack that must stay as long. */
static void set_options(lua_State *L, const char *kind, const struct ebpf_option *known, struct ebpf_link_options *options,
			int index)
{
	lua_pushnil(L);
	while (lua_next(L, index)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
		const struct ebpf_option *option = name ? find_option(known, name) : NULL;

		if (option)
			keep_option(L, options, option);
		else
			unknown_option(L, kind, known, name ? name : "(not a string)");
		lua_pop(L, 1);
	}
}

static bool is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

/* Of what is named by a path, its descriptor may be given as well: the option is cgroup_fd then. */
static const struct ebpf_option *option_for(lua_State *L, const struct ebpf_option *known, const char *name)
{
	const struct ebpf_option *option = find_option(known, name), *descriptor = NULL;

	if (option && option->type == EBPF_OPTION_STRING && lua_type(L, -1) == LUA_TNUMBER) {
		descriptor = find_option(known, lua_pushfstring(L, "%s_fd", name));
		lua_pop(L, 1);
	}
	return descriptor ? descriptor : option;
}

/* Options of every kind, for attaching by section, where the kind follows from each program: a name that is several kinds' (mode) is given
 * to each of them. */
void binding_link_options(lua_State *L, struct ebpf_link_options *options, int index, const char *const *except)
{
	lua_pushnil(L);
	for (; lua_next(L, index); lua_pop(L, 1)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a string)", *kind, *since;
		const struct ebpf_option *last = NULL;

		if (except && is_among(name, except))
			continue;
		for (size_t i = 0; ebpf_link_kind(i, &kind, &since) >= 0; i++) {
			const struct ebpf_option *option = option_for(L, ebpf_link_kind_options(kind), name);

			if (!option || (last && last->offset == option->offset))
				continue;
			keep_option(L, options, option);
			last = option;
		}
		if (!last)
			luaL_error(L, "attach: unknown option '%s'", name);
	}
}

/* As the call gives them: by position, then by name in a table. */
void binding_link_arguments(lua_State *L, struct ebpf_link_options *options, const char *kind, int first)
{
	const struct ebpf_option *known = ebpf_link_kind_options(kind);
	int count = lua_gettop(L);

	for (int i = first; i <= count; i++) {
		const struct ebpf_option *option = positional(known, i - first + 1);

		if (lua_isnil(L, i))
			continue;
		if (i == count && lua_type(L, i) == LUA_TTABLE)
			set_options(L, kind, known, options, i);
		else if (option)
			set_option(L, options, option, i);
		else
			luaL_error(L, "%s: too many arguments: the rest are named options, in a table", kind);
	}
}
