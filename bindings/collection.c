/* collection.c -- what was loaded: maps, programs, variables by name, and the links of coll:attach().
 *
 * Children are handles of their own that keep the collection alive; it remembers them, so that each has one identity and
 * coll:close() closes all. */
#include <string.h>

#include "binding.h"

/* handles by address; list of links */
enum { CHILDREN = 1, LINKS, USER_VALUES = LINKS };

static struct ebpf_collection *check_collection(lua_State *L, int index)
{
	return *(struct ebpf_collection **)binding_check(L, index, CLASS_COLLECTION);
}

/* -- options of load -- */

/* The list of names on top: borrowed strings in an array that a userdata owns, left on the stack. */
static struct ebpf_strings get_names(lua_State *L, const char *what)
{
	luaL_checktype(L, -1, LUA_TTABLE);
	int list = lua_gettop(L);
	size_t count = lua_rawlen(L, list);
	const char **names = lua_newuserdatauv(L, (count + 1) * sizeof(*names), 0);

	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		names[i] = binding_to_string(L, -1, what);
		lua_pop(L, 1);
	}
	return (struct ebpf_strings){ names, count };
}

static void get_programs(lua_State *L, int options, struct ebpf_load_options *load)
{
	if (lua_getfield(L, options, "programs") == LUA_TNIL)
		return;
	struct ebpf_strings names = get_names(L, "programs");

	load->programs = names.items;
	load->program_count = names.count;
}

/* optional = true, or a list of names */
static void get_optional(lua_State *L, int options, struct ebpf_load_options *load)
{
	lua_getfield(L, options, "optional");
	if (lua_isboolean(L, -1))
		load->all_optional = lua_toboolean(L, -1);
	else if (!lua_isnil(L, -1))
		load->optional = get_names(L, "optional");
}

/* alternatives = { { "name", ... }, ... } */
static void get_alternatives(lua_State *L, int options, struct ebpf_load_options *load)
{
	if (lua_getfield(L, options, "alternatives") == LUA_TNIL)
		return;
	luaL_checktype(L, -1, LUA_TTABLE);
	int list = lua_gettop(L);
	size_t count = lua_rawlen(L, list);
	struct ebpf_strings *groups = lua_newuserdatauv(L, (count + 1) * sizeof(*groups), 0);

	for (size_t i = 0; i < count; i++) {
		luaL_checkstack(L, 4, "too many alternatives");
		if (lua_rawgeti(L, list, (lua_Integer)i + 1) != LUA_TTABLE)
			luaL_error(L, "alternatives: list of names expected, got %s", luaL_typename(L, -1));
		groups[i] = get_names(L, "alternatives");
	}
	load->alternatives = groups;
	load->alternative_count = count;
}

static size_t count_pairs(lua_State *L, int table)
{
	size_t count = 0;

	lua_pushnil(L);
	for (; lua_next(L, table); count++)
		lua_pop(L, 1);
	return count;
}

/* The table under `options`.maps, name -> map, likewise. */
static void get_replacements(lua_State *L, int options, struct ebpf_load_options *load)
{
	if (lua_getfield(L, options, "maps") == LUA_TNIL)
		return;
	luaL_checktype(L, -1, LUA_TTABLE);
	int table = lua_gettop(L);
	struct ebpf_map_replacement *list = lua_newuserdatauv(L, (count_pairs(L, table) + 1) * sizeof(*list), 0);

	load->replacements = list;
	lua_pushnil(L);
	while (lua_next(L, table)) {
		list[load->replacement_count].name = binding_to_string(L, -2, "maps");
		if (!luaL_testudata(L, -1, CLASS_MAP))
			luaL_error(L, "maps.%s: map expected, got %s", list[load->replacement_count].name, luaL_typename(L, -1));
		list[load->replacement_count++].map = binding_check_map(L, -1);
		lua_pop(L, 1);
	}
}

/* The Spec is at stack index 1. */
static void set_variables(lua_State *L, int options)
{
	if (lua_getfield(L, options, "variables") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		int table = lua_gettop(L);

		lua_pushnil(L);
		while (lua_next(L, table)) {
			binding_set_variable(L, 1, binding_to_string(L, -2, "variables"), -1);
			lua_pop(L, 1);
		}
	}
	lua_pop(L, 1);
}

/* Leaves on the stack what its pointers need. Negative with binding_error() filled for a token that cannot be had. */
static int get_load_options(lua_State *L, int options, struct ebpf_load_options *load)
{
	static const char *const names[] = { "pin_dir", "btf", "log_level", "programs", "maps", "variables", "kconfig", "log", "log_size",
					     "token", "optional", "alternatives", NULL };

	*load = (struct ebpf_load_options){ .size = sizeof(*load) };
	if (!binding_check_options(L, options, names))
		return 0;
	load->pin_dir = binding_option_string(L, options, "pin_dir", NULL);
	load->btf_path = binding_option_string(L, options, "btf", NULL);
	load->kconfig = binding_option_string(L, options, "kconfig", NULL);
	lua_getfield(L, options, "log_level");
	load->log_level = lua_isnil(L, -1) ? 0 : binding_to_flags(L, -1, ebpf_log_level, "log_level");
	lua_pop(L, 1);
	load->log_disabled = !binding_option_boolean(L, options, "log", true);
	load->log_size = (uint32_t)binding_option_integer(L, options, "log_size", UINT32_MAX, 0);
	set_variables(L, options);
	get_programs(L, options, load);
	get_replacements(L, options, load);
	get_optional(L, options, load);
	get_alternatives(L, options, load);
	lua_getfield(L, options, "token");
	return binding_to_token(L, -1, &load->token);
}

/* -- loading -- */

/* For the Spec at stack index 1. */
static struct ebpf_collection **push_collection(lua_State *L)
{
	struct ebpf_collection **handle = binding_new(L, sizeof(*handle), USER_VALUES, CLASS_COLLECTION);

	lua_newtable(L);
	lua_setiuservalue(L, -2, CHILDREN);
	lua_newtable(L);
	lua_setiuservalue(L, -2, LINKS);
	return handle;
}

int binding_spec_load(lua_State *L)
{
	struct ebpf_load_options options;

	lua_settop(L, 2);
	struct ebpf_collection **handle = push_collection(L);

	if (get_load_options(L, 2, &options) < 0)
		return binding_fail(L);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	lua_pushvalue(L, 3);
	return ebpf_collection_load(binding_check_spec(L, 1), kernel, &options, handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* -- children -- */

/* Pushes the handle that is remembered for an object; false and nothing when there is none that is open. */
static bool push_child(lua_State *L, int collection, const void *object)
{
	lua_getiuservalue(L, collection, CHILDREN);
	lua_rawgetp(L, -1, object);
	lua_remove(L, -2);
	void **handle = lua_touserdata(L, -1);

	if (handle && *handle)
		return true;
	lua_pop(L, 1);
	return false;
}

/* The handle is on top. */
static void remember_child(lua_State *L, int collection, const void *object)
{
	lua_getiuservalue(L, collection, CHILDREN);
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, object);
	lua_pop(L, 1);
}

static void push_map(lua_State *L, int collection, size_t index)
{
	struct ebpf_map *map = check_collection(L, collection)->maps[index];

	if (push_child(L, collection, map))
		return;
	struct ebpf_map **handle = binding_new_map(L, collection);

	check_collection(L, collection);
	*handle = ebpf_map_ref(map);
	remember_child(L, collection, map);
}

static void push_program(lua_State *L, int collection, size_t index)
{
	struct ebpf_program *program = check_collection(L, collection)->programs[index];

	if (push_child(L, collection, program))
		return;
	struct ebpf_program **handle = binding_new_program(L, collection);

	check_collection(L, collection);
	*handle = ebpf_program_ref(program);
	remember_child(L, collection, program);
}

/* Calls value:close(), whatever it raises: the others are to be closed as well. */
static void close_top(lua_State *L)
{
	lua_getfield(L, -1, "close");
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_pop(L, 1);
}

static int l_collection_close(lua_State *L)
{
	struct ebpf_collection **handle = luaL_checkudata(L, 1, CLASS_COLLECTION);
	struct ebpf_collection *collection = *handle;

	if (!collection)
		return 0;
	*handle = NULL;
	lua_settop(L, 1);
	lua_getiuservalue(L, 1, LINKS); /* the last made goes first */
	for (lua_Integer i = (lua_Integer)lua_rawlen(L, 2); i >= 1; i--) {
		lua_rawgeti(L, 2, i);
		close_top(L);
	}
	lua_getiuservalue(L, 1, CHILDREN);
	lua_pushnil(L);
	while (lua_next(L, 3))
		close_top(L);
	ebpf_collection_free(collection);
	return 0;
}

/* -- variables -- */

#define CLASS_VARIABLE "ebpf.variable"

struct variable {
	const struct ebpf_variable *variable;
	struct ebpf_collection **collection; /* in the collection's userdata, user value 1 */
};

static const struct ebpf_variable *check_variable(lua_State *L, int index)
{
	struct variable *handle = luaL_checkudata(L, index, CLASS_VARIABLE);

	if (!*handle->collection)
		luaL_error(L, "collection is closed");
	return handle->variable;
}

static void push_variable(lua_State *L, int collection, size_t index)
{
	const struct ebpf_variable *variable = &check_collection(L, collection)->variables[index];
	struct variable *handle = binding_new(L, sizeof(*handle), 2, CLASS_VARIABLE);

	*handle = (struct variable){ variable, lua_touserdata(L, collection) };
	lua_pushvalue(L, collection);
	lua_setiuservalue(L, -2, 1);
}

/* Pushes the codec, kept from the first use on, and its names. */
static const struct binding_codec *push_variable_codec(lua_State *L, const struct ebpf_variable *variable)
{
	struct variable *handle = lua_touserdata(L, 1);
	const struct ebpf_btf *btf = (*handle->collection)->btf;

	lua_getiuservalue(L, 1, 2);
	const struct binding_codec *codec = lua_touserdata(L, -1);

	if (!codec) {
		codec = binding_codec_push_id(L, btf, variable->type_id, variable->size);
		if (!codec || !binding_codec_takes(codec, variable->size))
			codec = binding_codec_push(L, NULL, variable->size);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, 1, 2);
	}
	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec) + 4, "value nested too deeply");
	return codec;
}

/* variable:get() -> value; or nil, err */
static int l_variable_get(lua_State *L)
{
	const struct ebpf_variable *variable = check_variable(L, 1);
	const struct binding_codec *codec = push_variable_codec(L, variable);
	int names = lua_gettop(L);
	void *data = lua_newuserdatauv(L, variable->size + 1, 0);

	if (ebpf_variable_get(check_variable(L, 1), data, binding_error(L)) < 0)
		return binding_fail(L);
	binding_decode_record(L, codec, names, data, variable->size);
	return 1;
}

/* variable:set(value) -> true; or nil, err */
static int l_variable_set(lua_State *L)
{
	const struct ebpf_variable *variable = check_variable(L, 1);

	luaL_checkany(L, 2);
	lua_settop(L, 2);
	const struct binding_codec *codec = push_variable_codec(L, variable);
	int names = lua_gettop(L);
	void *data = lua_newuserdatauv(L, variable->size + 1, 0);

	binding_encode_record(L, codec, names, 2, data, variable->size, variable->name);
	return binding_result(L, ebpf_variable_set(check_variable(L, 1), data, binding_error(L)));
}

static int l_variable_name(lua_State *L)
{
	lua_pushstring(L, check_variable(L, 1)->name);
	return 1;
}

static int l_variable_size(lua_State *L)
{
	lua_pushinteger(L, check_variable(L, 1)->size);
	return 1;
}

static int l_variable_read_only(lua_State *L)
{
	lua_pushboolean(L, check_variable(L, 1)->read_only);
	return 1;
}

static int l_variable_type(lua_State *L)
{
	lua_pushstring(L, binding_codec_name(push_variable_codec(L, check_variable(L, 1))));
	return 1;
}

static int l_variable_tostring(lua_State *L)
{
	struct variable *handle = luaL_checkudata(L, 1, CLASS_VARIABLE);

	lua_pushfstring(L, CLASS_VARIABLE ": %s", *handle->collection ? handle->variable->name : "(closed)");
	return 1;
}

/* -- attaching -- */

/* Where the arguments of attach() and what becomes of them are on the stack. */
enum { PROGRAMS = 3, MAPS, OPTIONAL, ATTACHED, FAILED };

/* Whether the table at `wanted` has the name: in its list, or as a key with options of its own. */
static bool is_named(lua_State *L, const char *what, const char *name, int wanted)
{
	for (size_t i = 1; i <= lua_rawlen(L, wanted); i++) {
		lua_rawgeti(L, wanted, (lua_Integer)i);
		bool same = strcmp(binding_to_string(L, -1, what), name) == 0;

		lua_pop(L, 1);
		if (same)
			return true;
	}
	bool is_key = lua_getfield(L, wanted, name) != LUA_TNIL;

	lua_pop(L, 1);
	return is_key;
}

/* Without names, what is attached by itself is wanted, unless there are names of the other kind. */
static bool is_wanted(lua_State *L, const char *what, const char *name, bool automatic, int wanted, int other)
{
	return lua_isnil(L, wanted) ? automatic && lua_isnil(L, other) : is_named(L, what, name, wanted);
}

static bool has_program(const struct ebpf_collection *collection, const char *name)
{
	return ebpf_collection_program(collection, name) != NULL;
}

static bool has_map(const struct ebpf_collection *collection, const char *name)
{
	return ebpf_collection_map(collection, name) != NULL;
}

static bool has_failed(const struct ebpf_collection *collection, const char *name)
{
	for (size_t i = 0; i < collection->failure_count; i++)
		if (strcmp(collection->failures[i].program, name) == 0)
			return true;
	return has_program(collection, name);
}

static void check_name(lua_State *L, const char *what, bool (*has)(const struct ebpf_collection *, const char *), int index)
{
	const char *name = binding_to_string(L, index, what);

	if (!has(check_collection(L, 1), name))
		luaL_error(L, "%ss: no %s '%s' was loaded", what, what, name);
}

/* A list of names, and names with options: { "a", b = { pid = 1 } }. */
static void check_wanted(lua_State *L, const char *what, bool (*has)(const struct ebpf_collection *, const char *), int wanted)
{
	if (lua_isnil(L, wanted))
		return;
	luaL_checktype(L, wanted, LUA_TTABLE);
	lua_pushnil(L);
	while (lua_next(L, wanted)) {
		bool by_name = lua_type(L, -2) == LUA_TSTRING;

		if (by_name && !lua_istable(L, -1))
			luaL_error(L, "%ss: %s: table of options expected, got %s", what, lua_tostring(L, -2), luaL_typename(L, -1));
		check_name(L, what, has, by_name ? -2 : -1);
		lua_pop(L, 1);
	}
}

static bool is_optional(lua_State *L, const struct ebpf_program *program)
{
	if (ebpf_program_optional(program))
		return true;
	return lua_istable(L, OPTIONAL) ? is_named(L, "program", ebpf_program_name(program), OPTIONAL) : lua_toboolean(L, OPTIONAL);
}

/* Appends { program = or map =, error =, optional = true } to the list of failures. */
static void add_failure(lua_State *L, const char *what, const char *name, bool optional)
{
	lua_createtable(L, 0, 3);
	binding_push_error(L);
	lua_setfield(L, -2, "error");
	binding_set_string(L, what, name);
	if (optional) {
		lua_pushboolean(L, 1);
		lua_setfield(L, -2, "optional");
	}
	lua_rawseti(L, FAILED, (lua_Integer)lua_rawlen(L, FAILED) + 1);
}

/* The link on top goes to the lists. */
static void keep_link(lua_State *L)
{
	lua_getiuservalue(L, 1, LINKS);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
	lua_rawseti(L, ATTACHED, (lua_Integer)lua_rawlen(L, ATTACHED) + 1);
}

/* With the options of all, and its own over them. */
static bool attach_program(lua_State *L, size_t index, const struct ebpf_link_options *common)
{
	struct ebpf_link_options options = *common;
	int top = lua_gettop(L);

	push_program(L, 1, index);
	struct ebpf_link **link = binding_new_link(L, -1);
	struct ebpf_program *program = binding_check_program(L, top + 1);

	if (!lua_isnil(L, PROGRAMS) && lua_getfield(L, PROGRAMS, ebpf_program_name(program)) != LUA_TNIL)
		binding_link_options(L, &options, lua_gettop(L), NULL);
	bool attached = ebpf_link_attach_auto(program, &options, link, binding_error(L)) > 0;

	lua_settop(L, top + 2);
	if (attached)
		keep_link(L);
	else
		add_failure(L, "program", ebpf_program_name(program), is_optional(L, program));
	lua_settop(L, top);
	return attached;
}

static void attach_map(lua_State *L, size_t index)
{
	int top = lua_gettop(L);

	push_map(L, 1, index);
	struct ebpf_link **link = binding_new_link(L, -1);

	if (ebpf_link_attach_map("struct_ops", binding_check_map(L, top + 1), NULL, link, binding_error(L)) >= 0)
		keep_link(L);
	else
		add_failure(L, "map", check_collection(L, 1)->map_names[index], false);
	lua_settop(L, top);
}

/* Sets `instead` in the failures after the first `before`: the alternative that was attached. */
static void set_instead(lua_State *L, size_t before, const char *name)
{
	for (size_t i = before + 1; i <= lua_rawlen(L, FAILED); i++) {
		lua_rawgeti(L, FAILED, (lua_Integer)i);
		binding_set_string(L, "instead", name);
		lua_pop(L, 1);
	}
}

/* Alternatives stand together: after the first of them that is attached, the others are passed over. */
static void attach_programs(lua_State *L, const struct ebpf_link_options *options)
{
	uint32_t current = 0, served = 0;
	size_t before = 0;

	for (size_t i = 0; i < check_collection(L, 1)->program_count; i++) {
		const struct ebpf_program *program = check_collection(L, 1)->programs[i];
		const char *name = ebpf_program_name(program);
		uint32_t group = ebpf_program_group(program);

		if (group != current)
			before = lua_rawlen(L, FAILED);
		current = group;
		if (!is_wanted(L, "programs", name, ebpf_program_autoattach(program), PROGRAMS, MAPS) || (group && group == served))
			continue;
		if (attach_program(L, i, options) && group) {
			served = group;
			set_instead(L, before, name);
		}
	}
}

/* When nothing is attached: nil, the first error that is not of an optional program, its errno, and the list of all; 0 when there is none. */
static int nothing_attached(lua_State *L)
{
	for (lua_Integer i = 1; lua_rawlen(L, ATTACHED) == 0 && i <= (lua_Integer)lua_rawlen(L, FAILED); i++) {
		lua_rawgeti(L, FAILED, i);
		if (lua_getfield(L, -1, "optional") == LUA_TNIL) {
			lua_pushnil(L);
			lua_getfield(L, -3, "error");
			lua_getfield(L, -1, "errno");
			lua_pushvalue(L, FAILED);
			return 4;
		}
		lua_pop(L, 2);
	}
	return 0;
}

/* The table at 2, if there is one: pushes the names of programs and maps, and which may fail. */
static void get_wanted(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_settop(L, OPTIONAL);
		return;
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_getfield(L, 2, "programs");
	lua_getfield(L, 2, "maps");
	lua_getfield(L, 2, "optional");
	check_wanted(L, "program", has_program, PROGRAMS);
	check_wanted(L, "map", has_map, MAPS);
	if (!lua_isboolean(L, OPTIONAL))
		check_wanted(L, "program", has_failed, OPTIONAL);
}

/* coll:attach { programs = { "name", name = { <options of its link> }, ... }, maps = { "name", ... }, optional = true or { "name", ... },
 * <options of links> } -> links, failed. Everything by its section: programs, then struct_ops maps, which are nothing without them. What fails or cannot be
 * attached by its section alone is in `failed`, the others stay attached. When nothing could be, and not all is optional: nil, err, errno, failed. */
static int l_collection_attach(lua_State *L)
{
	static const char *const lists[] = { "programs", "maps", "optional", NULL };
	struct ebpf_link_options options = { .size = sizeof(options) };

	check_collection(L, 1);
	get_wanted(L);
	lua_newtable(L);
	lua_newtable(L);
	if (!lua_isnil(L, 2))
		binding_link_options(L, &options, 2, lists);
	attach_programs(L, &options);
	for (size_t i = 0; i < check_collection(L, 1)->map_count; i++)
		if (is_wanted(L, "maps", check_collection(L, 1)->map_names[i], ebpf_map_autoattach(check_collection(L, 1)->maps[i]), MAPS,
			      PROGRAMS))
			attach_map(L, i);
	int results = nothing_attached(L);

	if (results)
		return results;
	lua_settop(L, FAILED);
	return 2;
}

/* coll.failed -> { { program =, error =, optional = true }, ... }: what could not be loaded and did not have to be */
static int l_collection_failed(lua_State *L)
{
	const struct ebpf_collection *collection = check_collection(L, 1);

	lua_createtable(L, (int)collection->failure_count, 0);
	for (size_t i = 0; i < collection->failure_count; i++) {
		const struct ebpf_load_failure *failure = &collection->failures[i];

		lua_createtable(L, 0, 3);
		binding_set_string(L, "program", failure->program);
		binding_push_this_error(L, &failure->error);
		lua_setfield(L, -2, "error");
		if (failure->optional) {
			lua_pushboolean(L, 1);
			lua_setfield(L, -2, "optional");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* coll.links -> the list of what attach() attached */
static int l_collection_links(lua_State *L)
{
	check_collection(L, 1);
	lua_getiuservalue(L, 1, LINKS);
	return 1;
}

/* -- lists -- */

#define COLLECTION(owner) ((const struct ebpf_collection *)(owner))

static size_t map_count(const void *owner) { return COLLECTION(owner)->map_count; }
static size_t program_count(const void *owner) { return COLLECTION(owner)->program_count; }
static size_t variable_count(const void *owner) { return COLLECTION(owner)->variable_count; }
static const char *map_name(const void *owner, size_t i) { return COLLECTION(owner)->map_names[i]; }
static const char *program_name(const void *owner, size_t i) { return ebpf_program_name(COLLECTION(owner)->programs[i]); }
static const char *program_section(const void *owner, size_t i) { return ebpf_program_section(COLLECTION(owner)->programs[i]); }
static const char *variable_name(const void *owner, size_t i) { return COLLECTION(owner)->variables[i].name; }

/* Data sections are named after the object, "execsnoo.rodata": ".rodata" will do. */
static const char *map_section(const void *owner, size_t i)
{
	return strchr(map_name(owner, i), '.');
}

static int push_list(lua_State *L, const struct binding_list *list)
{
	check_collection(L, 1);
	binding_push_list(L, 1, list);
	return 1;
}

static int l_collection_maps(lua_State *L)
{
	static const struct binding_list list = { CLASS_COLLECTION, map_count, map_name, map_section, push_map };

	return push_list(L, &list);
}

static int l_collection_programs(lua_State *L)
{
	static const struct binding_list list = { CLASS_COLLECTION, program_count, program_name, program_section, push_program };

	return push_list(L, &list);
}

static int l_collection_variables(lua_State *L)
{
	static const struct binding_list list = { CLASS_COLLECTION, variable_count, variable_name, NULL, push_variable };

	return push_list(L, &list);
}

static int l_collection_btf(lua_State *L)
{
	struct ebpf_collection **handle = binding_check(L, 1, CLASS_COLLECTION);

	binding_push_btf(L, (*handle)->btf);
	return 1;
}

static int l_collection_tostring(lua_State *L)
{
	struct ebpf_collection **handle = luaL_checkudata(L, 1, CLASS_COLLECTION);

	if (*handle)
		lua_pushfstring(L, "%d maps, %d programs", (int)(*handle)->map_count, (int)(*handle)->program_count);
	else
		lua_pushliteral(L, "");
	return binding_tostring(L, CLASS_COLLECTION, lua_tostring(L, -1));
}

/* coll:take(name) -> the program by a handle of its own, which does not need the collection */
static int l_collection_take(lua_State *L)
{
	struct ebpf_collection *collection = *(struct ebpf_collection **)binding_check(L, 1, CLASS_COLLECTION);
	const char *name = binding_to_string(L, 2, "name");
	struct ebpf_program *program = ebpf_collection_program(collection, name);

	if (!program)
		return luaL_error(L, "no program '%s' was loaded", name);
	*binding_new_program(L, 0) = ebpf_program_ref(program);
	return 1;
}

static const luaL_Reg methods[] = { { "attach", l_collection_attach }, { "take", l_collection_take }, { "close", l_collection_close }, { NULL, NULL } };
static const luaL_Reg properties[] = {
	{ "maps", l_collection_maps }, { "programs", l_collection_programs }, { "variables", l_collection_variables },
	{ "links", l_collection_links }, { "failed", l_collection_failed }, { "btf", l_collection_btf }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_collection_tostring }, { "__close", l_collection_close }, { "__gc", l_collection_close },
	{ NULL, NULL }
};
static const luaL_Reg variable_methods[] = { { "get", l_variable_get }, { "set", l_variable_set }, { NULL, NULL } };
static const luaL_Reg variable_properties[] = {
	{ "name", l_variable_name }, { "size", l_variable_size }, { "type", l_variable_type },
	{ "read_only", l_variable_read_only }, { NULL, NULL }
};
static const luaL_Reg variable_metamethods[] = { { "__tostring", l_variable_tostring }, { NULL, NULL } };

void binding_open_collection(lua_State *L)
{
	static const struct binding_class collection = { CLASS_COLLECTION, methods, properties, NULL, metamethods, NULL };
	static const struct binding_class variable = {
		CLASS_VARIABLE, variable_methods, variable_properties, NULL, variable_metamethods, NULL
	};

	binding_class_register(L, &collection);
	binding_class_register(L, &variable);
}
