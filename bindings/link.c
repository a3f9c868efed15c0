/* link.c -- links of every kind: attaching (link_options.c reads the arguments), what is attached somewhere, and the handle. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define CLASS_PLACES "ebpf.link places" /* a list that is being pushed: freed also when that raises */

enum { ATTACHED = 1, USER_VALUES = ATTACHED };

/* -- attaching -- */

struct ebpf_link **binding_new_link(lua_State *L, int parent)
{
	parent = parent ? lua_absindex(L, parent) : 0;
	struct ebpf_link **link = binding_new(L, sizeof(*link), USER_VALUES, CLASS_LINK);

	if (parent) {
		lua_pushvalue(L, parent);
		lua_setiuservalue(L, -2, ATTACHED);
	}
	return link;
}

/* core.link(kind, program or map, ... [, options]) -> link */
static int l_link(lua_State *L)
{
	const char *kind = luaL_checkstring(L, 1);
	struct ebpf_link_options options = { .size = sizeof(options) };

	luaL_argcheck(L, ebpf_link_kind_options(kind), 1, "unknown kind of link");
	bool is_map = luaL_testudata(L, 2, CLASS_MAP) != NULL;

	if (!is_map)
		binding_check_program(L, 2);
	binding_link_arguments(L, &options, kind, 3);
	struct ebpf_link **link = binding_new_link(L, 2);
	int result = is_map ? ebpf_link_attach_map(kind, binding_check_map(L, 2), &options, link, binding_error(L)) :
			      ebpf_link_attach(kind, binding_check_program(L, 2), &options, link, binding_error(L));

	return result < 0 ? binding_fail(L) : 1;
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

static int push_attached_list(lua_State *L, const struct ebpf_link_query *query)
{
	lua_createtable(L, (int)query->count, 2);
	for (size_t i = 0; i < query->count; i++) {
		const struct ebpf_attached *item = &query->items[i];

		lua_createtable(L, 0, 3);
		binding_set_integer(L, "program_id", item->program_id);
		if (item->link_id)
			binding_set_integer(L, "link_id", item->link_id);
		binding_set_integer(L, "attach_flags", item->attach_flags);
		if (item->handle) {
			binding_set_integer(L, "priority", item->priority);
			binding_set_integer(L, "handle", item->handle);
			binding_set_integer(L, "chain", item->chain);
		}
		if (item->mode)
			binding_set_string(L, "mode", item->mode);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	binding_set_integer(L, "attach_flags", query->attach_flags);
	if (query->revision)
		binding_set_integer(L, "revision", query->revision);
	return 1;
}

static int collect_query(lua_State *L)
{
	struct ebpf_link_query **kept = lua_touserdata(L, 1);

	return push_attached_list(L, *kept);
}

/* core.link_query { attach_type =, interface = | ifindex = | cgroup = | netns = | target_fd = [, effective = true] }
 * -> { { program_id =, link_id =, attach_flags =, priority =, handle =, chain =, mode = }, ..., attach_flags =, revision = } */
static int l_link_query(lua_State *L)
{
	static const char *const names[] = { "attach_type", "interface", "ifindex", "cgroup", "netns", "target_fd", "effective", NULL };
	struct ebpf_link_query query = { .size = sizeof(query) }, *kept = &query;

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	binding_check_options(L, 1, names);
	query.interface = binding_option_string(L, 1, "interface", NULL);
	query.cgroup = binding_option_string(L, 1, "cgroup", NULL);
	query.netns = binding_option_string(L, 1, "netns", NULL);
	query.ifindex = (uint32_t)binding_option_integer(L, 1, "ifindex", INT32_MAX, 0);
	query.target_fd = (int32_t)binding_option_integer(L, 1, "target_fd", INT32_MAX, 0);
	query.effective = binding_option_boolean(L, 1, "effective", false);
	lua_getfield(L, 1, "attach_type");
	query.attach_type = binding_to_enum(L, -1, EBPF_ATTACH_TYPE, "attach_type");
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel || ebpf_link_query(kernel, &query, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushcfunction(L, collect_query); /* protected: the items are to be freed also when there is no memory for the table */
	lua_pushlightuserdata(L, &kept);
	int status = lua_pcall(L, 1, 1, 0);

	ebpf_link_query_free(&query);
	return status == LUA_OK ? 1 : lua_error(L);
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

struct ebpf_link *binding_check_link(lua_State *L, int index)
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
	return binding_result(L, ebpf_link_detach(binding_check_link(L, 1), binding_error(L)));
}

/* The program under `old` of the table at `index`, or NULL. */
static struct ebpf_program *get_old(lua_State *L, int index)
{
	static const char *const names[] = { "old", NULL };

	if (!binding_check_options(L, index, names))
		return NULL;
	return lua_getfield(L, index, "old") == LUA_TNIL ? NULL : binding_check_program(L, -1);
}

/* link:update(program or map [, { old = program }]) -> true; or nil, err */
static int l_link_update(lua_State *L)
{
	struct ebpf_program *old = get_old(L, 3); /* first: it may call back */
	struct ebpf_link *link = binding_check_link(L, 1);
	int result;

	if (luaL_testudata(L, 2, CLASS_MAP) && !old)
		result = ebpf_link_update_map(link, binding_check_map(L, 2), binding_error(L));
	else if (old)
		result = ebpf_link_exchange(link, old, binding_check_program(L, 2), binding_error(L));
	else
		result = ebpf_link_update(link, binding_check_program(L, 2), binding_error(L));
	if (result >= 0) {
		lua_pushvalue(L, 2);
		lua_setiuservalue(L, 1, ATTACHED);
	}
	return binding_result(L, result);
}

static int l_link_pin(lua_State *L)
{
	struct ebpf_link *link = binding_check_link(L, 1);

	return binding_result(L, ebpf_link_pin(link, luaL_checkstring(L, 2), binding_error(L)));
}

static int l_link_unpin(lua_State *L)
{
	return binding_result(L, ebpf_link_unpin(binding_check_link(L, 1), binding_error(L)));
}

/* A field that is there only when the kernel tells it. */
static void set_known(lua_State *L, const char *name, uint64_t value)
{
	if (value)
		binding_set_integer(L, name, value);
}

/* What carries the program of a perf_event link. */
static void push_event(lua_State *L, const struct ebpf_link_info *info)
{
	static const char *const names[] = { NULL, "uprobe", "uretprobe", "kprobe", "kretprobe", "tracepoint", "event" };

	if (!info->event || info->event >= sizeof(names) / sizeof(names[0]))
		return;
	binding_set_string(L, "event", names[info->event]);
	set_known(L, "offset", info->offset);
	set_known(L, "address", info->address);
	if (info->event == EBPF_EVENT_OTHER) { /* the first of both are 0 */
		binding_set_integer(L, "event_type", info->event_type);
		binding_set_integer(L, "config", info->config);
	}
}

static int push_info(lua_State *L, const struct ebpf_link_info *info)
{
#define NUMBER(member) { #member, offsetof(struct ebpf_link_info, member), sizeof(info->member) }
	static const struct { const char *name; size_t offset, size; } numbers[] = { /* told by the types that have them */
		NUMBER(ifindex), NUMBER(map_id), NUMBER(count), NUMBER(pid), NUMBER(tid), NUMBER(target_object_id), NUMBER(target_btf_id),
		NUMBER(cgroup_id), NUMBER(netns_ino), NUMBER(cookie), NUMBER(missed), NUMBER(flags),
	};
#undef NUMBER

	lua_createtable(L, 0, 8);
	binding_push_enum(L, EBPF_LINK_TYPE, info->type);
	lua_setfield(L, -2, "type");
	if (info->attach_type != EBPF_NO_ATTACH_TYPE) {
		binding_push_enum(L, EBPF_ATTACH_TYPE, info->attach_type);
		lua_setfield(L, -2, "attach_type");
	}
	binding_set_integer(L, "id", info->id);
	binding_set_integer(L, "program_id", info->program_id);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const void *member = (const char *)info + numbers[i].offset;

		set_known(L, numbers[i].name, numbers[i].size == sizeof(uint64_t) ? *(const uint64_t *)member : *(const uint32_t *)member);
	}
	if (info->family) { /* the first hook and priority are 0 */
		binding_set_integer(L, "family", info->family);
		binding_set_integer(L, "hook", info->hook);
		binding_set_integer(L, "priority", (uint64_t)(int64_t)info->priority);
	}
	push_event(L, info);
	if (info->name[0]) {
		lua_pushstring(L, info->name);
		lua_setfield(L, -2, "name");
	}
	return 1;
}

/* link:info() -> { type =, id =, program_id =, attach_type =, and what the type has: ifindex =, count =, cookie =, ... } */
static int l_link_info(lua_State *L)
{
	struct ebpf_link_info info;

	if (ebpf_link_info(binding_check_link(L, 1), &info, binding_error(L)) < 0)
		return binding_fail(L);
	return push_info(L, &info);
}

/* link:places() -> { { address = | offset =, ref_counter_offset =, cookie =, type_id = }, ... } of a link on many places */
static int l_link_places(lua_State *L)
{
	struct ebpf_link *link = binding_check_link(L, 1);
	struct ebpf_link_place **places = lua_newuserdatauv(L, sizeof(*places), 0);
	size_t count = 0;

	*places = NULL;
	luaL_setmetatable(L, CLASS_PLACES);
	if (ebpf_link_places(link, places, &count, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		const struct ebpf_link_place *place = *places + i;

		lua_createtable(L, 0, 3);
		set_known(L, "address", place->address);
		set_known(L, "offset", place->offset);
		set_known(L, "ref_counter_offset", place->ref_counter_offset);
		set_known(L, "cookie", place->cookie);
		set_known(L, "type_id", place->type_id);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int l_places_gc(lua_State *L)
{
	struct ebpf_link_place **places = lua_touserdata(L, 1);

	free(*places);
	*places = NULL;
	return 0;
}

static int l_link_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_link_fd(binding_check_link(L, 1)));
	return 1;
}

static int l_link_kind(lua_State *L)
{
	lua_pushstring(L, ebpf_link_kind_name(binding_check_link(L, 1)));
	return 1;
}

static int l_link_interface(lua_State *L)
{
	lua_pushstring(L, ebpf_link_interface(binding_check_link(L, 1)));
	return 1;
}

static int l_link_target(lua_State *L)
{
	lua_pushstring(L, ebpf_link_target(binding_check_link(L, 1)));
	return 1;
}

/* What it was made with, as link.program or as link.map; the other is nil. */
static int push_attached(lua_State *L, const char *class_name)
{
	binding_check_link(L, 1);
	lua_getiuservalue(L, 1, ATTACHED);
	if (!luaL_testudata(L, -1, class_name))
		lua_pushnil(L);
	return 1;
}

static int l_link_program(lua_State *L)
{
	return push_attached(L, CLASS_PROGRAM);
}

static int l_link_map(lua_State *L)
{
	return push_attached(L, CLASS_MAP);
}

static int l_link_tostring(lua_State *L)
{
	struct ebpf_link **handle = luaL_checkudata(L, 1, CLASS_LINK);

	return binding_tostring(L, CLASS_LINK, *handle ? ebpf_link_target(*handle) : "");
}

static const luaL_Reg methods[] = {
	{ "detach", l_link_detach }, { "update", l_link_update }, { "info", l_link_info }, { "places", l_link_places }, { "pin", l_link_pin },
	{ "unpin", l_link_unpin }, { "fd", l_link_fd }, { "open", binding_link_open }, { "lines", binding_link_lines },
	{ "read", binding_link_read },
	{ "records", binding_link_records }, { "close", l_link_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "kind", l_link_kind }, { "interface", l_link_interface }, { "target", l_link_target },
	{ "program", l_link_program }, { "map", l_link_map }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_link_tostring }, { "__close", l_link_close }, { "__gc", l_link_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = {
	{ "link", l_link }, { "link_auto", l_link_auto }, { "link_open", l_link_open }, { "link_query", l_link_query },
	{ "link_kinds", l_link_kinds }, { "link_known", l_link_known }, { NULL, NULL }
};

void binding_open_link(lua_State *L)
{
	static const struct binding_class class = { CLASS_LINK, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_newmetatable(L, CLASS_PLACES);
	lua_pushcfunction(L, l_places_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	luaL_setfuncs(L, functions, 0);
}
