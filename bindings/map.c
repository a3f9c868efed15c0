/* map.c -- maps: the handle, single elements, m[k], m:view(), and what a map tells of itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "map.h"

enum { PARENT = 1, KEY_CODEC, VALUE_CODEC, KEY_NAMES, VALUE_NAMES, SCRATCH, USER_VALUES = SCRATCH };

/* -- the handle -- */

struct ebpf_map **binding_new_map(lua_State *L, int parent)
{
	parent = parent ? lua_absindex(L, parent) : 0;
	struct binding_map *handle = binding_new(L, sizeof(*handle), USER_VALUES, CLASS_MAP);

	handle->opened = -1;
	if (parent) {
		lua_pushvalue(L, parent);
		lua_setiuservalue(L, -2, PARENT);
	}
	return &handle->map;
}

static struct binding_map *check_handle(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_MAP);
}

struct ebpf_map *binding_check_map(lua_State *L, int index)
{
	return check_handle(L, index)->map;
}

static void close_now(struct binding_map *handle)
{
	struct ebpf_map *map = handle->map;

	if (map)
		ebpf_map_close_owner(map, handle->opened);
	handle->map = NULL;
	ebpf_map_close(map);
}

static int l_map_close(lua_State *L)
{
	struct binding_map *handle = luaL_checkudata(L, 1, CLASS_MAP);

	if (handle->busy)
		handle->close_later = true;
	else
		close_now(handle);
	return 0;
}

/* Nobody can be reading any more, whatever an error left behind. */
static int l_map_gc(lua_State *L)
{
	struct binding_map *handle = luaL_checkudata(L, 1, CLASS_MAP);

	handle->busy = 0;
	return l_map_close(L);
}

void binding_map_enter(struct binding_map *handle)
{
	handle->busy++;
}

void binding_map_leave(struct binding_map *handle)
{
	if (--handle->busy == 0 && handle->close_later)
		close_now(handle);
}

/* -- codecs and buffers -- */

static const struct binding_codec *keep_codec(lua_State *L, int map, const struct ebpf_layout *layout, size_t size, int codec_slot,
					      int names_slot)
{
	/* the value type of a ring buffer is its record's: as a map it has none */
	const struct binding_codec *codec = binding_codec_push(L, layout && layout->size == size ? layout : NULL, size);

	lua_getiuservalue(L, -1, 1);
	lua_setiuservalue(L, map, names_slot);
	lua_setiuservalue(L, map, codec_slot);
	return codec;
}

static void prepare(lua_State *L, struct binding_map *handle, int map)
{
	struct ebpf_map *core = handle->map;

	binding_map_enter(handle);
	handle->key_size = ebpf_map_key_size(core);
	handle->value_size = ebpf_map_lookup_size(core);
	handle->cpus = ebpf_map_is_percpu(core) ? ebpf_map_cpu_count(core) : 0;
	handle->stride = ebpf_map_cpu_stride(core);
	handle->key_codec = keep_codec(L, map, ebpf_map_key_layout(core), ebpf_map_key_size(core), KEY_CODEC, KEY_NAMES);
	handle->value_codec = keep_codec(L, map, ebpf_map_value_layout(core), ebpf_map_value_size(core), VALUE_CODEC, VALUE_NAMES);
	handle->prefixes = ebpf_map_has_prefix_keys(core);
	handle->owners = ebpf_map_has_owners(core);
	handle->owned_values = ebpf_map_holds_owners(core);
	handle->text_keys = handle->prefixes && !ebpf_map_key_layout(core);
	handle->scalars = !handle->cpus && binding_codec_is_plain(handle->key_codec) && binding_codec_is_plain(handle->value_codec);
	handle->scratch = lua_newuserdatauv(L, handle->key_size + handle->value_size + 1, 0);
	lua_setiuservalue(L, map, SCRATCH);
	binding_map_leave(handle);
}

/* The map at `index`, open and ready. May push a buffer. */
struct binding_map_operation binding_map_begin(lua_State *L, int index)
{
	struct binding_map *handle = check_handle(L, index);

	luaL_checkstack(L, 10, NULL);
	if (!handle->scratch)
		prepare(L, handle, index);
	uint8_t *buffer = handle->scratch;

	if (handle->busy)
		buffer = lua_newuserdatauv(L, handle->key_size + handle->value_size + 1, 0);
	return (struct binding_map_operation){ handle, index, buffer, buffer + handle->key_size };
}

/* The core's map, when everything that may collect garbage has been done. */
struct ebpf_map *binding_map_ready(lua_State *L, const struct binding_map_operation *op)
{
	if (!op->handle->map)
		luaL_error(L, "map is closed");
	return op->handle->map;
}

/* Text that is no prefix may still be the bytes of a key. */
static bool write_prefix(lua_State *L, const struct binding_map_operation *op, int index)
{
	struct ebpf_error *err = binding_error(L);
	size_t size;

	if (!op->handle->prefixes || lua_type(L, index) != LUA_TSTRING)
		return false;
	const char *text = lua_tolstring(L, index, &size);

	if (ebpf_map_parse_prefix(binding_map_ready(L, op), text, op->key, err) < 0) {
		if (size != op->handle->key_size)
			luaL_error(L, "%s", err->message);
		ebpf_error_clear(err);
		return false;
	}
	return true;
}

void binding_map_write_key(lua_State *L, const struct binding_map_operation *op, int index)
{
	if (!op->handle->key_size) /* queues and stacks have no keys */
		return;
	index = lua_absindex(L, index);
	if (write_prefix(L, op, index))
		return;
	lua_getiuservalue(L, op->index, KEY_NAMES);
	binding_encode(L, op->handle->key_codec, -1, index, op->key, "key");
	lua_pop(L, 1);
}

static void read_value(lua_State *L, const struct binding_map_operation *op, const struct binding_codec *codec, int names_slot,
		       const void *data)
{
	luaL_checkstack(L, binding_codec_depth(codec) + 2, "value nested too deeply");
	lua_getiuservalue(L, op->index, names_slot);
	binding_map_enter(op->handle);
	binding_decode(L, codec, lua_gettop(L), data);
	binding_map_leave(op->handle);
	lua_remove(L, -2);
}

void binding_map_read_key(lua_State *L, const struct binding_map_operation *op, const void *data)
{
	char text[64];

	if (op->handle->text_keys && op->handle->map && ebpf_map_format_prefix(op->handle->map, data, text, sizeof(text)) == 0)
		lua_pushstring(L, text);
	else if (binding_codec_is_plain(op->handle->key_codec))
		binding_decode(L, op->handle->key_codec, 0, data);
	else
		read_value(L, op, op->handle->key_codec, KEY_NAMES, data);
}

/* One value; for a per-CPU map the list of all CPUs' values. */
void binding_map_read_value(lua_State *L, const struct binding_map_operation *op, const uint8_t *data)
{
	const struct binding_codec *codec = op->handle->value_codec;

	if (op->handle->cpus) {
		uint32_t count = op->handle->cpus, stride = op->handle->stride;

		binding_map_enter(op->handle);
		lua_createtable(L, (int)count, 0);
		for (uint32_t i = 0; i < count; i++) {
			read_value(L, op, codec, VALUE_NAMES, data + (size_t)i * stride);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		binding_map_leave(op->handle);
	} else if (binding_codec_is_plain(codec)) {
		binding_decode(L, codec, 0, data);
	} else {
		read_value(L, op, codec, VALUE_NAMES, data);
	}
}

/* A list has a value for each CPU; anything else is the value of every CPU. */
static void write_cpus(lua_State *L, const struct binding_map_operation *op, int index, int names)
{
	uint32_t count = op->handle->cpus, stride = op->handle->stride;
	bool list = lua_type(L, index) == LUA_TTABLE &&
		    (!binding_codec_is_struct(op->handle->value_codec) || lua_rawlen(L, index) > 0);
	char what[32];

	if (list && lua_rawlen(L, index) > count)
		luaL_error(L, "value: %d CPUs, but the list has %d values", (int)count, (int)lua_rawlen(L, index));
	memset(op->value, 0, op->handle->value_size);
	for (uint32_t i = 0; i < count; i++) {
		if (list)
			lua_rawgeti(L, index, (lua_Integer)i + 1);
		else
			lua_pushvalue(L, index);
		snprintf(what, sizeof(what), list ? "value[%u]" : "value", i + 1);
		if (!lua_isnil(L, -1))
			binding_encode(L, op->handle->value_codec, names, -1, op->value + (size_t)i * stride, what);
		lua_pop(L, 1);
	}
}

void binding_map_write_value(lua_State *L, const struct binding_map_operation *op, int index)
{
	index = lua_absindex(L, index);
	lua_getiuservalue(L, op->index, VALUE_NAMES);
	if (op->handle->cpus)
		write_cpus(L, op, index, lua_gettop(L));
	else
		binding_encode(L, op->handle->value_codec, -1, index, op->value, "value");
	lua_pop(L, 1);
}

/* -- elements -- */

/* { pid = n } or { path = p } at `index`, opened: its descriptor to `out`. It is closed when the element has been dealt with, at
 * the latest with the next. Negative: it cannot be opened, or is not there. */
static int write_owner(lua_State *L, const struct binding_map_operation *op, int index, uint8_t *out)
{
	static const char *const names[] = { "pid", "path", NULL };
	struct binding_map *handle = op->handle;
	uint32_t pid = (uint32_t)binding_option_integer(L, index, "pid", INT32_MAX, 0);
	const char *path = binding_option_string(L, index, "path", NULL);

	binding_check_options(L, index, names);
	ebpf_map_close_owner(binding_map_ready(L, op), handle->opened);
	handle->opened = ebpf_map_open_owner(handle->map, pid, path, binding_error(L));
	memcpy(out, &handle->opened, sizeof(handle->opened));
	return handle->opened < 0 ? -binding_error(L)->code : 0;
}

static int write_key(lua_State *L, const struct binding_map_operation *op, int index)
{
	if (op->handle->owners && lua_type(L, index) == LUA_TTABLE)
		return write_owner(L, op, index, op->key);
	binding_map_write_key(L, op, index);
	return 0;
}

static int write_value(lua_State *L, const struct binding_map_operation *op, int index)
{
	if (op->handle->owned_values && lua_type(L, index) == LUA_TTABLE)
		return write_owner(L, op, index, op->value);
	binding_map_write_value(L, op, index);
	return 0;
}

/* After the core has dealt with the element. */
static int done(const struct binding_map_operation *op, int result)
{
	struct binding_map *handle = op->handle;

	if (handle->opened >= 0 && handle->map)
		ebpf_map_close_owner(handle->map, handle->opened);
	handle->opened = -1;
	return result;
}

/* Pushes the value of the key at stack index 2, or nil; negative = failed. */
static int lookup(lua_State *L, uint64_t flags, bool delete)
{
	struct binding_map_operation op = binding_map_begin(L, 1);

	int result = write_key(L, &op, 2);

	if (result < 0)
		return result;
	struct ebpf_map *map = binding_map_ready(L, &op);

	result = done(&op, delete ? ebpf_map_lookup_delete(map, op.key, op.value, flags, binding_error(L))
				  : ebpf_map_lookup(map, op.key, op.value, flags, binding_error(L)));

	if (result == -ENOENT)
		lua_pushnil(L);
	else if (result == 0)
		binding_map_read_value(L, &op, op.value);
	return result == -ENOENT ? 0 : result;
}

static int update(lua_State *L, uint64_t flags)
{
	struct binding_map_operation op = binding_map_begin(L, 1);

	bool value_last = op.handle->owned_values; /* what is opened is opened last: nothing that may raise comes after it */
	int result = value_last ? write_key(L, &op, 2) : write_value(L, &op, 3);

	if (result == 0)
		result = value_last ? write_value(L, &op, 3) : write_key(L, &op, 2);
	if (result < 0)
		return result;
	return done(&op, ebpf_map_update(binding_map_ready(L, &op), op.key, op.value, flags, binding_error(L)));
}

/* 1 = deleted, 0 = was not there. */
static int delete(lua_State *L)
{
	struct binding_map_operation op = binding_map_begin(L, 1);

	int result = write_key(L, &op, 2);

	if (result < 0)
		return result;
	result = done(&op, ebpf_map_delete(binding_map_ready(L, &op), op.key, binding_error(L)));

	return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

uint64_t binding_map_flags(lua_State *L, int index)
{
	static const char *const names[] = { "any", "noexist", "exist", "lock", NULL };
	static const uint64_t flags[] = { EBPF_ANY, EBPF_NOEXIST, EBPF_EXIST, EBPF_F_LOCK };

	if (lua_type(L, index) == LUA_TNUMBER)
		return binding_to_integer(L, index, UINT64_MAX, "flags");
	return flags[luaL_checkoption(L, index, "any", names)];
}

/* The option `cpu` of the table at `index`; false when there is no table. */
static bool one_cpu(lua_State *L, int index, uint32_t *cpu)
{
	static const char *const names[] = { "cpu", NULL };

	if (lua_type(L, index) != LUA_TTABLE)
		return false;
	binding_check_options(L, index, names);
	lua_getfield(L, index, "cpu");
	*cpu = (uint32_t)binding_to_integer(L, -1, UINT32_MAX, "cpu");
	lua_pop(L, 1);
	return true;
}

/* Pushes one CPU's piece of the value of the key at stack index 2, or nil. */
static int lookup_cpu(lua_State *L, uint32_t cpu)
{
	struct binding_map_operation op = binding_map_begin(L, 1);

	binding_map_write_key(L, &op, 2);
	int result = ebpf_map_lookup_cpu(binding_map_ready(L, &op), op.key, cpu, op.value, binding_error(L));

	if (result == -ENOENT)
		lua_pushnil(L);
	else if (result == 0)
		read_value(L, &op, op.handle->value_codec, VALUE_NAMES, op.value);
	return result == -ENOENT ? 0 : result;
}

/* m:get(key [, flags or { cpu = n }]) -> value, or nil when there is none */
static int l_map_get(lua_State *L)
{
	uint32_t cpu;

	lua_settop(L, 3);
	if (one_cpu(L, 3, &cpu))
		return lookup_cpu(L, cpu) < 0 ? binding_fail(L) : 1;
	uint64_t flags = binding_map_flags(L, 3);

	lua_settop(L, 2);
	return lookup(L, flags, false) < 0 ? binding_fail(L) : 1;
}

/* m:peek() -> the value that pop would take, or nil */
static int l_map_peek(lua_State *L)
{
	lua_settop(L, 1);
	lua_pushnil(L);
	return lookup(L, 0, false) < 0 ? binding_fail(L) : 1;
}

/* m:contains(key) -> boolean; of a bloom filter m:contains(value), where true means perhaps */
static int l_map_contains(lua_State *L)
{
	lua_settop(L, 2);
	struct binding_map_operation op = binding_map_begin(L, 1);

	int result = op.handle->key_size ? write_key(L, &op, 2) : write_value(L, &op, 2);

	if (result < 0)
		return binding_fail(L);
	result = done(&op, ebpf_map_lookup(binding_map_ready(L, &op), op.key, op.value, 0, binding_error(L)));
	if (result < 0 && result != -ENOENT)
		return binding_fail(L);
	lua_pushboolean(L, result == 0);
	return 1;
}

/* m:open(key) -> the map that is an element of a map of maps, or nil when there is none */
static int l_map_open_inner(lua_State *L)
{
	lua_settop(L, 2);
	struct ebpf_map **inner = binding_new_map(L, 0);
	struct binding_map_operation op = binding_map_begin(L, 1);

	binding_map_write_key(L, &op, 2);
	int result = ebpf_map_open_inner(binding_map_ready(L, &op), op.key, inner, binding_error(L));

	if (result == -ENOENT && !binding_error(L)->code) {
		lua_pushnil(L);
		return 1;
	}
	if (result < 0)
		return binding_fail(L);
	lua_settop(L, 3);
	return 1;
}

/* m:pop(key) -> value, deleted; m:pop() of a queue or stack */
static int l_map_pop(lua_State *L)
{
	uint64_t flags = binding_map_flags(L, 3);

	lua_settop(L, 2);
	return lookup(L, flags, true) < 0 ? binding_fail(L) : 1;
}

static int update_cpu(lua_State *L, uint32_t cpu)
{
	struct binding_map_operation op = binding_map_begin(L, 1);

	binding_map_write_key(L, &op, 2);
	lua_getiuservalue(L, 1, VALUE_NAMES);
	binding_encode(L, op.handle->value_codec, -1, 3, op.value, "value");
	return ebpf_map_update_cpu(binding_map_ready(L, &op), op.key, cpu, op.value, binding_error(L));
}

/* m:set(key, value [, "any" | "noexist" | "exist" | "lock" or { cpu = n }]) */
static int l_map_set(lua_State *L)
{
	uint32_t cpu;

	lua_settop(L, 4);
	luaL_argexpected(L, !lua_isnil(L, 3), 3, "value");
	if (one_cpu(L, 4, &cpu))
		return binding_result(L, update_cpu(L, cpu));
	uint64_t flags = binding_map_flags(L, 4);

	lua_settop(L, 3);
	return binding_result(L, update(L, flags));
}

/* m:push(value [, flags]) to a queue or stack */
static int l_map_push(lua_State *L)
{
	uint64_t flags = binding_map_flags(L, 3);

	lua_settop(L, 2);
	lua_pushnil(L);
	lua_insert(L, 2);
	return binding_result(L, update(L, flags));
}

/* m:delete(key) -> true, or false when there was none */
static int l_map_delete(lua_State *L)
{
	lua_settop(L, 2);
	int result = delete(L);

	if (result < 0)
		return binding_fail(L);
	lua_pushboolean(L, result);
	return 1;
}

/* m:next([key]) -> the key after it, or nil */
static int l_map_next(lua_State *L)
{
	lua_settop(L, 2);
	struct binding_map_operation op = binding_map_begin(L, 1);
	uint8_t *next = lua_newuserdatauv(L, op.handle->key_size + 1, 0);
	bool first = lua_isnil(L, 2);

	if (!first)
		binding_map_write_key(L, &op, 2);
	int result = ebpf_map_next_key(binding_map_ready(L, &op), first ? NULL : op.key, next, binding_error(L));

	if (result == -ENOENT)
		lua_pushnil(L);
	else if (result < 0)
		return binding_fail(L);
	else
		binding_map_read_key(L, &op, next);
	return 1;
}

/* -- m[k] -- */

/* The short way of m[k] and m[k] = v for scalars, which most maps are for: nothing is pushed, looked up by name or put into words. Who gets false goes the
 * long way, which also says what is wrong. */
static bool short_key(lua_State *L, const struct binding_map *handle)
{
	return handle->scratch && handle->scalars && !handle->busy && handle->map && lua_isinteger(L, 2) &&
	       binding_encode_integer(handle->key_codec, lua_tointeger(L, 2), handle->scratch);
}

static bool short_lookup(lua_State *L)
{
	struct binding_map *handle = lua_touserdata(L, 1);

	if (!lua_getmetatable(L, 1))
		return false;
	bool is_map = lua_rawequal(L, -1, lua_upvalueindex(3));

	lua_pop(L, 1);
	if (!is_map || !short_key(L, handle))
		return false;
	uint8_t *value = handle->scratch + handle->key_size;
	int result = ebpf_map_lookup(handle->map, handle->scratch, value, 0, NULL);

	if (result == 0)
		binding_decode(L, handle->value_codec, 0, value);
	else if (result == -ENOENT)
		lua_pushnil(L);
	return result == 0 || result == -ENOENT;
}

static bool short_update(lua_State *L)
{
	struct binding_map *handle = luaL_testudata(L, 1, CLASS_MAP);

	return handle && lua_isinteger(L, 3) && short_key(L, handle) &&
	       binding_encode_integer(handle->value_codec, lua_tointeger(L, 3), handle->scratch + handle->key_size) &&
	       ebpf_map_update(handle->map, handle->scratch, handle->scratch + handle->key_size, EBPF_ANY, NULL) == 0;
}

/* Upvalues: methods, properties, the metatable. A string is the name of a method or property, never a key: m:get(k) and m:view() are for those. */
static int l_map_index(lua_State *L)
{
	lua_settop(L, 2);
	if (short_lookup(L))
		return 1;
	if (lua_type(L, 2) != LUA_TSTRING)
		return lookup(L, 0, false) < 0 ? binding_raise(L) : 1;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL)
		return luaL_error(L, "a map has no method or property '%s'; string keys are read by m:get(k) or m:view()[k]",
				  lua_tostring(L, 2));
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int set_element(lua_State *L)
{
	int result = lua_isnil(L, 3) ? delete(L) : update(L, EBPF_ANY);

	return result < 0 ? binding_raise(L) : 0;
}

static int l_map_newindex(lua_State *L)
{
	if (short_update(L))
		return 0;
	if (lua_type(L, 2) == LUA_TSTRING)
		return luaL_error(L, "string keys are written by m:set(k, v) or m:view()[k] = v, not m.%s", lua_tostring(L, 2));
	return set_element(L);
}

/* -- m:view(): the map as a table without methods. Its user value 1 is the map. -- */

#define CLASS_VIEW "ebpf.map_view"

static void view_to_map(lua_State *L)
{
	luaL_checkudata(L, 1, CLASS_VIEW);
	lua_getiuservalue(L, 1, 1);
	lua_replace(L, 1);
}

static int l_view_index(lua_State *L)
{
	lua_settop(L, 2);
	view_to_map(L);
	return lookup(L, 0, false) < 0 ? binding_raise(L) : 1;
}

static int l_view_newindex(lua_State *L)
{
	view_to_map(L);
	return set_element(L);
}

static int l_view_pairs(lua_State *L)
{
	view_to_map(L);
	return binding_map_entries(L);
}

static int l_map_view(lua_State *L)
{
	check_handle(L, 1);
	lua_newuserdatauv(L, 0, 1);
	luaL_setmetatable(L, CLASS_VIEW);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

/* -- the rest -- */

static int l_map_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_map_fd(binding_check_map(L, 1)));
	return 1;
}

static int l_map_freeze(lua_State *L)
{
	return binding_result(L, ebpf_map_freeze(binding_check_map(L, 1), binding_error(L)));
}

static int l_map_pin(lua_State *L)
{
	return binding_result(L, ebpf_map_pin(binding_check_map(L, 1), luaL_checkstring(L, 2), binding_error(L)));
}

static int l_map_unpin(lua_State *L)
{
	return binding_result(L, ebpf_map_unpin(binding_check_map(L, 1), binding_error(L)));
}

static int l_map_info(lua_State *L)
{
	struct ebpf_map_info info;

	if (ebpf_map_info(binding_check_map(L, 1), &info, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, 0, 12);
	lua_pushstring(L, info.name);
	lua_setfield(L, -2, "name");
	binding_push_enum(L, EBPF_MAP_TYPE, info.type);
	lua_setfield(L, -2, "type");
	binding_set_integer(L, "id", info.id);
	binding_set_integer(L, "key_size", info.key_size);
	binding_set_integer(L, "value_size", info.value_size);
	binding_set_integer(L, "max_entries", info.max_entries);
	binding_set_integer(L, "flags", info.flags);
	binding_set_integer(L, "map_extra", info.map_extra);
	binding_set_integer(L, "btf_id", info.btf_id);
	binding_set_integer(L, "key_type_id", info.key_type_id);
	binding_set_integer(L, "value_type_id", info.value_type_id);
	lua_pushboolean(L, info.frozen);
	lua_setfield(L, -2, "frozen");
	return 1;
}

static int l_map_name(lua_State *L)
{
	lua_pushstring(L, ebpf_map_name(binding_check_map(L, 1)));
	return 1;
}

static int l_map_type(lua_State *L)
{
	binding_push_enum(L, EBPF_MAP_TYPE, ebpf_map_type(binding_check_map(L, 1)));
	return 1;
}

static int l_map_key_size(lua_State *L)
{
	lua_pushinteger(L, ebpf_map_key_size(binding_check_map(L, 1)));
	return 1;
}

static int l_map_value_size(lua_State *L)
{
	lua_pushinteger(L, ebpf_map_value_size(binding_check_map(L, 1)));
	return 1;
}

static int l_map_max_entries(lua_State *L)
{
	lua_pushinteger(L, ebpf_map_max_entries(binding_check_map(L, 1)));
	return 1;
}

static int l_map_flags(lua_State *L)
{
	lua_pushinteger(L, ebpf_map_flags(binding_check_map(L, 1)));
	return 1;
}

static int l_map_extra(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_map_extra(binding_check_map(L, 1)));
	return 1;
}

static int push_layout_name(lua_State *L, const struct ebpf_layout *layout)
{
	if (layout)
		lua_pushstring(L, layout->name);
	else
		lua_pushnil(L);
	return 1;
}

static int l_map_key(lua_State *L)
{
	return push_layout_name(L, ebpf_map_key_layout(binding_check_map(L, 1)));
}

static int l_map_value(lua_State *L)
{
	return push_layout_name(L, ebpf_map_value_layout(binding_check_map(L, 1)));
}

static int l_map_tostring(lua_State *L)
{
	struct binding_map *handle = luaL_checkudata(L, 1, CLASS_MAP);

	return binding_tostring(L, CLASS_MAP, handle->map ? ebpf_map_name(handle->map) : "");
}

static const luaL_Reg methods[] = {
	{ "get", l_map_get }, { "set", l_map_set }, { "delete", l_map_delete }, { "pop", l_map_pop }, { "push", l_map_push },
	{ "peek", l_map_peek }, { "contains", l_map_contains }, { "next", l_map_next }, { "open", l_map_open_inner },
	{ "entries", binding_map_entries }, { "drain", binding_map_drain }, { "set_batch", binding_map_set_batch },
	{ "delete_batch", binding_map_delete_batch }, { "clear", binding_map_clear }, { "stack", binding_map_stack }, { "view", l_map_view },
	{ "memory", binding_map_memory }, { "info", l_map_info }, { "freeze", l_map_freeze }, { "pin", l_map_pin },
	{ "unpin", l_map_unpin }, { "fd", l_map_fd }, { "close", l_map_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "name", l_map_name }, { "type", l_map_type }, { "key_size", l_map_key_size }, { "value_size", l_map_value_size },
	{ "max_entries", l_map_max_entries }, { "flags", l_map_flags }, { "map_extra", l_map_extra }, { "key", l_map_key }, { "value", l_map_value }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__newindex", l_map_newindex }, { "__pairs", binding_map_entries }, { "__tostring", l_map_tostring },
	{ "__close", l_map_close }, { "__gc", l_map_gc }, { NULL, NULL }
};
static const luaL_Reg view_metamethods[] = {
	{ "__newindex", l_view_newindex }, { "__pairs", l_view_pairs }, { NULL, NULL }
};

void binding_open_map(lua_State *L)
{
	static const struct binding_class map = { CLASS_MAP, methods, properties, NULL, metamethods, l_map_index };
	static const struct binding_class view = { CLASS_VIEW, NULL, NULL, NULL, view_metamethods, l_view_index };

	binding_class_register(L, &map);
	binding_class_register(L, &view);
	binding_open_map_many(L);
	binding_open_map_make(L);
	binding_open_memory(L);
}
