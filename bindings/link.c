/* link.c -- links of every kind, by the schema of options that the core gives for each: a new kind needs nothing here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "binding.h"

enum { PROGRAM = 1, USER_VALUES = PROGRAM };

/* -- options -- */

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

/* Stores the value at `index`; a string stays borrowed from the Lua value. A handle stands for its descriptor. */
static void set_option(lua_State *L, struct ebpf_link_options *options, const struct ebpf_option *option, int index)
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
	}
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

/* The table at `index`, whose strings stay borrowed. */
static void set_options(lua_State *L, const char *kind, const struct ebpf_option *known, struct ebpf_link_options *options,
			int index)
{
	lua_pushnil(L);
	while (lua_next(L, index)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
		const struct ebpf_option *option = name ? find_option(known, name) : NULL;

		if (!option)
			unknown_option(L, kind, known, name ? name : "(not a string)");
		set_option(L, options, option, lua_gettop(L));
		lua_pop(L, 1);
	}
}

/* Options of every kind, for attaching by section, where the kind follows from each program. */
void binding_link_options(lua_State *L, struct ebpf_link_options *options, int index, const char *except)
{
	const char *kind, *since;

	lua_pushnil(L);
	while (lua_next(L, index)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a string)";
		const struct ebpf_option *option = NULL;

		if (except && strcmp(name, except) == 0) {
			lua_pop(L, 1);
			continue;
		}
		for (size_t i = 0; !option && ebpf_link_kind(i, &kind, &since) >= 0; i++)
			option = find_option(ebpf_link_kind_options(kind), name);
		if (!option)
			luaL_error(L, "attach: unknown option '%s'", name);
		set_option(L, options, option, lua_gettop(L));
		lua_pop(L, 1);
	}
}

/* -- attaching -- */

struct ebpf_link **binding_new_link(lua_State *L, int parent)
{
	parent = parent ? lua_absindex(L, parent) : 0;
	struct ebpf_link **link = binding_new(L, sizeof(*link), USER_VALUES, CLASS_LINK);

	if (parent) {
		lua_pushvalue(L, parent);
		lua_setiuservalue(L, -2, PROGRAM);
	}
	return link;
}

/* core.link(kind, program, ... [, options]) -> link */
static int l_link(lua_State *L)
{
	const char *kind = luaL_checkstring(L, 1);
	const struct ebpf_option *known = ebpf_link_kind_options(kind);
	struct ebpf_link_options options = { .size = sizeof(options) };
	int count = lua_gettop(L);

	luaL_argcheck(L, known, 1, "unknown kind of link");
	binding_check_program(L, 2);
	for (int i = 3; i <= count; i++) {
		const struct ebpf_option *option = positional(known, i - 2);

		if (lua_isnil(L, i))
			continue;
		if (i == count && lua_type(L, i) == LUA_TTABLE)
			set_options(L, kind, known, &options, i);
		else if (option)
			set_option(L, &options, option, i);
		else
			return luaL_error(L, "%s: too many arguments: the rest are named options, in a table", kind);
	}
	struct ebpf_link **link = binding_new_link(L, 2);

	return ebpf_link_attach(kind, binding_check_program(L, 2), &options, link, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.link_auto(program [, options]) -> link; or nil, err; or false, err when the section attaches nothing by itself */
static int l_link_auto(lua_State *L)
{
	struct ebpf_link_options options = { .size = sizeof(options) };

	binding_check_program(L, 1);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		binding_link_options(L, &options, 2, NULL);
	}
	struct ebpf_link **link = binding_new_link(L, 1);
	int result = ebpf_link_attach_auto(binding_check_program(L, 1), &options, link, binding_error(L));

	if (result > 0)
		return 1;
	if (result < 0)
		return binding_fail(L);
	lua_pushboolean(L, 0);
	binding_push_error(L);
	return 2;
}

/* core.link_open({ pinned = path | id = n }) -> link */
static int l_link_open(lua_State *L)
{
	static const char *const names[] = { "pinned", "id", NULL };

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	binding_check_options(L, 1, names);
	const char *path = binding_option_string(L, 1, "pinned", NULL);
	uint32_t id = (uint32_t)binding_option_integer(L, 1, "id", UINT32_MAX, 0);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_link **link = binding_new_link(L, 0);
	int result = path ? ebpf_link_open_pinned(kernel, path, link, binding_error(L))
			  : ebpf_link_open_id(kernel, id, link, binding_error(L));

	return result < 0 ? binding_fail(L) : 1;
}

/* core.link_kinds() -> { { name =, since =, options = { "symbol", ... } }, ... } */
static int l_link_kinds(lua_State *L)
{
	const char *name, *since;

	lua_newtable(L);
	for (size_t i = 0; ebpf_link_kind(i, &name, &since) >= 0; i++) {
		const struct ebpf_option *option = ebpf_link_kind_options(name);

		lua_createtable(L, 0, 3);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, since);
		lua_setfield(L, -2, "since");
		lua_newtable(L);
		for (lua_Integer at = 1; option->name; option++, at++) {
			lua_pushstring(L, option->name);
			lua_rawseti(L, -2, at);
		}
		lua_setfield(L, -2, "options");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* core.link_known(kind) -> boolean, aliases included */
static int l_link_known(lua_State *L)
{
	lua_pushboolean(L, ebpf_link_kind_options(luaL_checkstring(L, 1)) != NULL);
	return 1;
}

/* -- the handle -- */

static struct ebpf_link *check_link(lua_State *L, int index)
{
	return *(struct ebpf_link **)binding_check(L, index, CLASS_LINK);
}

static int l_link_close(lua_State *L)
{
	struct ebpf_link **handle = luaL_checkudata(L, 1, CLASS_LINK);
	struct ebpf_link *link = *handle;

	*handle = NULL;
	ebpf_link_close(link);
	return 0;
}

static int l_link_detach(lua_State *L)
{
	return binding_result(L, ebpf_link_detach(check_link(L, 1), binding_error(L)));
}

static int l_link_update(lua_State *L)
{
	struct ebpf_link *link = check_link(L, 1);
	int result = ebpf_link_update(link, binding_check_program(L, 2), binding_error(L));

	if (result >= 0) {
		lua_pushvalue(L, 2);
		lua_setiuservalue(L, 1, PROGRAM);
	}
	return binding_result(L, result);
}

static int l_link_pin(lua_State *L)
{
	struct ebpf_link *link = check_link(L, 1);

	return binding_result(L, ebpf_link_pin(link, luaL_checkstring(L, 2), binding_error(L)));
}

static int l_link_unpin(lua_State *L)
{
	return binding_result(L, ebpf_link_unpin(check_link(L, 1), binding_error(L)));
}

static int push_info(lua_State *L, const struct ebpf_link_info *info)
{
	lua_createtable(L, 0, 4);
	binding_push_enum(L, EBPF_LINK_TYPE, info->type);
	lua_setfield(L, -2, "type");
	lua_pushinteger(L, info->id);
	lua_setfield(L, -2, "id");
	lua_pushinteger(L, info->program_id);
	lua_setfield(L, -2, "program_id");
	if (info->attach_type != EBPF_NO_ATTACH_TYPE) {
		binding_push_enum(L, EBPF_ATTACH_TYPE, info->attach_type);
		lua_setfield(L, -2, "attach_type");
	}
	return 1;
}

static int l_link_info(lua_State *L)
{
	struct ebpf_link_info info;

	if (ebpf_link_info(check_link(L, 1), &info, binding_error(L)) < 0)
		return binding_fail(L);
	return push_info(L, &info);
}

static int l_link_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_link_fd(check_link(L, 1)));
	return 1;
}

static int l_link_kind(lua_State *L)
{
	lua_pushstring(L, ebpf_link_kind_name(check_link(L, 1)));
	return 1;
}

static int l_link_interface(lua_State *L)
{
	lua_pushstring(L, ebpf_link_interface(check_link(L, 1)));
	return 1;
}

static int l_link_target(lua_State *L)
{
	lua_pushstring(L, ebpf_link_target(check_link(L, 1)));
	return 1;
}

/* link.program -> the program that it was made with */
static int l_link_program(lua_State *L)
{
	check_link(L, 1);
	lua_getiuservalue(L, 1, PROGRAM);
	return 1;
}

static int l_link_tostring(lua_State *L)
{
	struct ebpf_link **handle = luaL_checkudata(L, 1, CLASS_LINK);

	return binding_tostring(L, CLASS_LINK, *handle ? ebpf_link_target(*handle) : "");
}

static const luaL_Reg methods[] = {
	{ "detach", l_link_detach }, { "update", l_link_update }, { "info", l_link_info }, { "pin", l_link_pin },
	{ "unpin", l_link_unpin }, { "fd", l_link_fd }, { "close", l_link_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "kind", l_link_kind }, { "interface", l_link_interface }, { "target", l_link_target },
	{ "program", l_link_program }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_link_tostring }, { "__close", l_link_close }, { "__gc", l_link_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = {
	{ "link", l_link }, { "link_auto", l_link_auto }, { "link_open", l_link_open },
	{ "link_kinds", l_link_kinds }, { "link_known", l_link_known },
	{ NULL, NULL }
};

void binding_open_link(lua_State *L)
{
	static const struct binding_class class = { CLASS_LINK, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
