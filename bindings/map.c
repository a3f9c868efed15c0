/* map.c -- maps: m[k], methods, pairs.
 *
 * Keys and values go through two codecs and two buffers that are made on the first use of a map's elements and kept in its user
 * values: a lookup of scalars allocates nothing. Reading a struct makes tables, so it may collect garbage and run a finalizer that
 * uses the very same map: therefore a map is `busy` while a value is read out of its buffer; then others take buffers of their own,
 * and close waits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "binding.h"

enum { PARENT = 1, KEY_CODEC, VALUE_CODEC, KEY_NAMES, VALUE_NAMES, SCRATCH, USER_VALUES = SCRATCH };

struct handle {
	struct ebpf_map *map;
	const struct binding_codec *key_codec, *value_codec; /* of one CPU's value */
	uint8_t *scratch;     /* key, then value */
	size_t key_size, value_size; /* of all CPUs' pieces */
	uint32_t cpus, stride; /* of a per-CPU map; else 0 */
	unsigned busy;
	bool close_later;
};

/* -- the handle -- */

struct ebpf_map **binding_new_map(lua_State *L, int parent)
{
	parent = parent ? lua_absindex(L, parent) : 0;
	struct handle *handle = binding_new(L, sizeof(*handle), USER_VALUES, CLASS_MAP);

	if (parent) {
		lua_pushvalue(L, parent);
		lua_setiuservalue(L, -2, PARENT);
	}
	return &handle->map;
}

static struct handle *check_handle(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_MAP);
}

struct ebpf_map *binding_check_map(lua_State *L, int index)
{
	return check_handle(L, index)->map;
}

static void close_now(struct handle *handle)
{
	struct ebpf_map *map = handle->map;

	handle->map = NULL;
	ebpf_map_close(map);
}

static int l_map_close(lua_State *L)
{
	struct handle *handle = luaL_checkudata(L, 1, CLASS_MAP);

	if (handle->busy)
		handle->close_later = true;
	else
		close_now(handle);
	return 0;
}

/* Nobody can be reading any more, whatever an error left behind. */
static int l_map_gc(lua_State *L)
{
	struct handle *handle = luaL_checkudata(L, 1, CLASS_MAP);

	handle->busy = 0;
	return l_map_close(L);
}

static void enter(struct handle *handle)
{
	handle->busy++;
}

static void leave(struct handle *handle)
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

static void prepare(lua_State *L, struct handle *handle, int map)
{
	struct ebpf_map *core = handle->map;

	enter(handle);
	handle->key_size = ebpf_map_key_size(core);
	handle->value_size = ebpf_map_lookup_size(core);
	handle->cpus = ebpf_map_is_percpu(core) ? ebpf_map_cpu_count(core) : 0;
	handle->stride = ebpf_map_cpu_stride(core);
	handle->key_codec = keep_codec(L, map, ebpf_map_key_layout(core), ebpf_map_key_size(core), KEY_CODEC, KEY_NAMES);
	handle->value_codec = keep_codec(L, map, ebpf_map_value_layout(core), ebpf_map_value_size(core), VALUE_CODEC, VALUE_NAMES);
	handle->scratch = lua_newuserdatauv(L, handle->key_size + handle->value_size + 1, 0);
	lua_setiuservalue(L, map, SCRATCH);
	leave(handle);
}

/* What an operation works with. */
struct operation {
	struct handle *handle;
	int index;
	uint8_t *key, *value;
};

/* The map at `index`, open and ready. May push a buffer. */
static struct operation begin(lua_State *L, int index)
{
	struct handle *handle = check_handle(L, index);

	luaL_checkstack(L, 10, NULL);
	if (!handle->scratch)
		prepare(L, handle, index);
	uint8_t *buffer = handle->scratch;

	if (handle->busy)
		buffer = lua_newuserdatauv(L, handle->key_size + handle->value_size + 1, 0);
	return (struct operation){ handle, index, buffer, buffer + handle->key_size };
}

/* The core's map, when everything that may collect garbage has been done. */
static struct ebpf_map *ready(lua_State *L, const struct operation *op)
{
	if (!op->handle->map)
		luaL_error(L, "map is closed");
	return op->handle->map;
}

static void write_key(lua_State *L, const struct operation *op, int index)
{
	if (!op->handle->key_size) /* queues and stacks have no keys */
		return;
	lua_getiuservalue(L, op->index, KEY_NAMES);
	binding_encode(L, op->handle->key_codec, -1, index, op->key, "key");
	lua_pop(L, 1);
}

static void read_value(lua_State *L, const struct operation *op, const struct binding_codec *codec, int names_slot,
		       const void *data)
{
	luaL_checkstack(L, binding_codec_depth(codec) + 2, "value nested too deeply");
	lua_getiuservalue(L, op->index, names_slot);
	enter(op->handle);
	binding_decode(L, codec, lua_gettop(L), data);
	leave(op->handle);
	lua_remove(L, -2);
}

static void read_key(lua_State *L, const struct operation *op, const void *data)
{
	if (binding_codec_is_plain(op->handle->key_codec))
		binding_decode(L, op->handle->key_codec, 0, data);
	else
		read_value(L, op, op->handle->key_codec, KEY_NAMES, data);
}

/* One value; for a per-CPU map the list of all CPUs' values. */
static void read_map_value(lua_State *L, const struct operation *op, const uint8_t *data)
{
	const struct binding_codec *codec = op->handle->value_codec;

	if (op->handle->cpus) {
		uint32_t count = op->handle->cpus, stride = op->handle->stride;

		enter(op->handle);
		lua_createtable(L, (int)count, 0);
		for (uint32_t i = 0; i < count; i++) {
			read_value(L, op, codec, VALUE_NAMES, data + (size_t)i * stride);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
		leave(op->handle);
	} else if (binding_codec_is_plain(codec)) {
		binding_decode(L, codec, 0, data);
	} else {
		read_value(L, op, codec, VALUE_NAMES, data);
	}
}

/* A list has a value for each CPU; anything else is the value of every CPU. */
static void write_cpus(lua_State *L, const struct operation *op, int index, int names)
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

static void write_value(lua_State *L, const struct operation *op, int index)
{
	lua_getiuservalue(L, op->index, VALUE_NAMES);
	if (op->handle->cpus)
		write_cpus(L, op, index, lua_gettop(L));
	else
		binding_encode(L, op->handle->value_codec, -1, index, op->value, "value");
	lua_pop(L, 1);
}

/* -- elements -- */

/* Pushes the value of the key at stack index 2, or nil; negative = failed. */
static int lookup(lua_State *L, uint64_t flags, bool delete)
{
	struct operation op = begin(L, 1);

	write_key(L, &op, 2);
	struct ebpf_map *map = ready(L, &op);
	int result = delete ? ebpf_map_lookup_delete(map, op.key, op.value, flags, binding_error(L))
			    : ebpf_map_lookup(map, op.key, op.value, flags, binding_error(L));

	if (result == -ENOENT)
		lua_pushnil(L);
	else if (result == 0)
		read_map_value(L, &op, op.value);
	return result == -ENOENT ? 0 : result;
}

static int update(lua_State *L, uint64_t flags)
{
	struct operation op = begin(L, 1);

	write_key(L, &op, 2);
	write_value(L, &op, 3);
	return ebpf_map_update(ready(L, &op), op.key, op.value, flags, binding_error(L));
}

/* 1 = deleted, 0 = was not there. */
static int delete(lua_State *L)
{
	struct operation op = begin(L, 1);

	write_key(L, &op, 2);
	int result = ebpf_map_delete(ready(L, &op), op.key, binding_error(L));

	return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

static uint64_t check_flags(lua_State *L, int index)
{
	static const char *const names[] = { "any", "noexist", "exist", "lock", NULL };
	static const uint64_t flags[] = { EBPF_ANY, EBPF_NOEXIST, EBPF_EXIST, EBPF_F_LOCK };

	if (lua_type(L, index) == LUA_TNUMBER)
		return binding_to_integer(L, index, UINT64_MAX, "flags");
	return flags[luaL_checkoption(L, index, "any", names)];
}

/* m:get(key [, flags]) -> value, or nil when there is none */
static int l_map_get(lua_State *L)
{
	uint64_t flags = check_flags(L, 3);

	lua_settop(L, 2);
	return lookup(L, flags, false) < 0 ? binding_fail(L) : 1;
}

/* m:pop(key) -> value, deleted; m:pop() of a queue or stack */
static int l_map_pop(lua_State *L)
{
	uint64_t flags = check_flags(L, 3);

	lua_settop(L, 2);
	return lookup(L, flags, true) < 0 ? binding_fail(L) : 1;
}

/* m:set(key, value [, "any" | "noexist" | "exist" | "lock"]) */
static int l_map_set(lua_State *L)
{
	uint64_t flags = check_flags(L, 4);

	lua_settop(L, 3);
	luaL_argexpected(L, !lua_isnil(L, 3), 3, "value");
	return binding_result(L, update(L, flags));
}

/* m:push(value [, flags]) to a queue or stack */
static int l_map_push(lua_State *L)
{
	uint64_t flags = check_flags(L, 3);

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
	struct operation op = begin(L, 1);
	uint8_t *next = lua_newuserdatauv(L, op.handle->key_size + 1, 0);
	bool first = lua_isnil(L, 2);

	if (!first)
		write_key(L, &op, 2);
	int result = ebpf_map_next_key(ready(L, &op), first ? NULL : op.key, next, binding_error(L));

	if (result == -ENOENT)
		lua_pushnil(L);
	else if (result < 0)
		return binding_fail(L);
	else
		read_key(L, &op, next);
	return 1;
}

/* -- walking: pairs(m). The walk's userdata keeps the core's map alive; the loop's own closing value frees it early. -- */

#define CLASS_WALK "ebpf.map_walk"

struct walk {
	struct ebpf_map_walk *walk;
	struct ebpf_map *map;
};

static int l_walk_close(lua_State *L)
{
	struct walk *walk = luaL_checkudata(L, 1, CLASS_WALK);

	ebpf_map_walk_free(walk->walk);
	ebpf_map_close(walk->map);
	walk->walk = NULL;
	walk->map = NULL;
	return 0;
}

/* Called by the generic for with the map as state. Upvalue: the walk. */
static int walk_next(lua_State *L)
{
	struct walk *walk = lua_touserdata(L, lua_upvalueindex(1));
	const void *key, *value;

	lua_settop(L, 1);
	struct operation op = begin(L, 1);

	if (!walk->walk)
		return 0;
	int result = ebpf_map_walk_next(walk->walk, &key, &value, binding_error(L));

	if (result < 0)
		return binding_raise(L);
	if (result == 0) {
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_replace(L, 1);
		l_walk_close(L);
		return 0;
	}
	enter(op.handle);
	read_key(L, &op, key);
	read_map_value(L, &op, value);
	leave(op.handle);
	return 2;
}

/* pairs(m), and m:entries(), which gives the for loop a closing value too */
static int l_map_entries(lua_State *L)
{
	binding_check_map(L, 1);
	lua_settop(L, 1);
	struct walk *walk = binding_new(L, sizeof(*walk), 0, CLASS_WALK);

	walk->map = ebpf_map_ref(binding_check_map(L, 1));
	walk->walk = ebpf_map_walk_new(walk->map, binding_error(L));
	if (!walk->walk)
		return binding_raise(L);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, walk_next, 1);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	lua_rotate(L, 2, -1);
	return 4;
}

/* -- m[k] -- */

/* Upvalues: methods, properties. A string is the name of a method or property, never a key: m:get(k) and m:view() are for those. */
static int l_map_index(lua_State *L)
{
	lua_settop(L, 2);
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
	return l_map_entries(L);
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
	struct handle *handle = luaL_checkudata(L, 1, CLASS_MAP);

	return binding_tostring(L, CLASS_MAP, handle->map ? ebpf_map_name(handle->map) : "");
}

/* -- making maps -- */

/* A description is built in a Spec of its own, which frees it. */
static uint32_t option_u32(lua_State *L, int options, const char *name, uint32_t otherwise)
{
	return (uint32_t)binding_option_integer(L, options, name, UINT32_MAX, otherwise);
}

/* The size that a type name gives; its codec stays on the stack. Raises for an unknown name. */
static uint32_t push_type(lua_State *L, int options, const char *name, const char *size_name)
{
	const char *type = binding_option_string(L, options, name, NULL);

	if (!type) {
		lua_pushnil(L);
		return option_u32(L, options, size_name, 0);
	}
	const struct binding_codec *codec = binding_codec_push_name(L, type, NULL);

	if (!codec)
		binding_raise(L);
	return (uint32_t)binding_codec_size(codec);
}

static void fill_spec(lua_State *L, int options, struct ebpf_map_spec *spec)
{
	lua_getfield(L, options, "type");
	spec->type = binding_to_enum(L, -1, EBPF_MAP_TYPE, "type");
	spec->key_size = push_type(L, options, "key", "key_size");
	spec->value_size = push_type(L, options, "value", "value_size");
	spec->max_entries = option_u32(L, options, "max_entries", 0);
	spec->flags = option_u32(L, options, "flags", 0);
	spec->numa_node = option_u32(L, options, "numa_node", 0);
	spec->map_extra = binding_option_integer(L, options, "map_extra", UINT64_MAX, 0);
	spec->autocreate = true;
	lua_pop(L, 3);
}

static const char *const map_options[] = {
	"type", "name", "key", "value", "key_size", "value_size", "max_entries", "flags", "numa_node", "map_extra", "inner", NULL
};

static struct ebpf_map_spec *add_spec(lua_State *L, int options, struct ebpf_spec *owner, const char *name)
{
	struct ebpf_map_spec *spec;

	binding_check_options(L, options, map_options);
	if (ebpf_spec_add_map(owner, name, &spec, binding_error(L)) < 0)
		binding_raise(L);
	fill_spec(L, options, spec);
	return spec;
}

/* Gives an open map the types that its options name. */
static int set_types(lua_State *L, struct ebpf_map *map, int options)
{
	const char *key = binding_option_string(L, options, "key", NULL), *value = binding_option_string(L, options, "value", NULL);
	struct ebpf_error *err = binding_error(L);
	struct ebpf_layout *key_layout = NULL, *value_layout = NULL;

	if (key && !(key_layout = ebpf_layout_from_name(key, ebpf_map_btf(map), err)))
		return -err->code;
	if (value && !(value_layout = ebpf_layout_from_name(value, ebpf_map_btf(map), err))) {
		ebpf_layout_free(key_layout);
		return -err->code;
	}
	return ebpf_map_set_layouts(map, key_layout, value_layout, err);
}

/* core.map(options) -> map */
static int l_map_create(lua_State *L)
{
	struct ebpf_map_spec *inner = NULL;

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_map **map = binding_new_map(L, 0);
	struct ebpf_spec **owner = binding_new(L, sizeof(*owner), 0, CLASS_SPEC);

	*owner = ebpf_spec_new("", binding_error(L));
	if (!*owner)
		return binding_fail(L);
	if (lua_getfield(L, 1, "inner") != LUA_TNIL) {
		luaL_checktype(L, -1, LUA_TTABLE);
		inner = add_spec(L, lua_gettop(L), *owner, "inner");
	}
	struct ebpf_map_spec *spec = add_spec(L, 1, *owner, binding_option_string(L, 1, "name", "map"));

	spec->inner = inner; /* borrowed: the Spec owns it as a map of its own */
	int result = ebpf_map_create(kernel, spec, map, binding_error(L));

	spec->inner = NULL;
	ebpf_spec_free(*owner);
	*owner = NULL;
	if (result == 0)
		result = set_types(L, *map, 1);
	if (result < 0)
		return binding_fail(L);
	lua_settop(L, 2);
	return 1;
}

/* core.map_open({ pinned = path | id = n, key =, value = }) -> map */
static int l_map_open(lua_State *L)
{
	static const char *const names[] = { "pinned", "id", "key", "value", NULL };

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	binding_check_options(L, 1, names);
	const char *path = binding_option_string(L, 1, "pinned", NULL);
	uint32_t id = option_u32(L, 1, "id", 0);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_map **map = binding_new_map(L, 0);
	int result = path ? ebpf_map_open_pinned(kernel, path, map, binding_error(L))
			  : ebpf_map_open_id(kernel, id, map, binding_error(L));

	if (result == 0)
		result = set_types(L, *map, 1);
	return result < 0 ? binding_fail(L) : 1;
}

static const luaL_Reg methods[] = {
	{ "get", l_map_get }, { "set", l_map_set }, { "delete", l_map_delete }, { "pop", l_map_pop },
	{ "push", l_map_push }, { "next", l_map_next }, { "entries", l_map_entries }, { "view", l_map_view },
	{ "info", l_map_info }, { "freeze", l_map_freeze }, { "pin", l_map_pin }, { "unpin", l_map_unpin },
	{ "fd", l_map_fd }, { "close", l_map_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "name", l_map_name }, { "type", l_map_type }, { "key_size", l_map_key_size }, { "value_size", l_map_value_size },
	{ "max_entries", l_map_max_entries }, { "key", l_map_key }, { "value", l_map_value }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__newindex", l_map_newindex }, { "__pairs", l_map_entries }, { "__tostring", l_map_tostring },
	{ "__close", l_map_close }, { "__gc", l_map_gc }, { NULL, NULL }
};
static const luaL_Reg view_metamethods[] = {
	{ "__newindex", l_view_newindex }, { "__pairs", l_view_pairs }, { NULL, NULL }
};
static const luaL_Reg walk_metamethods[] = { { "__gc", l_walk_close }, { "__close", l_walk_close }, { NULL, NULL } };
static const luaL_Reg functions[] = { { "map", l_map_create }, { "map_open", l_map_open }, { NULL, NULL } };

void binding_open_map(lua_State *L)
{
	static const struct binding_class map = { CLASS_MAP, methods, properties, NULL, metamethods, l_map_index };
	static const struct binding_class view = { CLASS_VIEW, NULL, NULL, NULL, view_metamethods, l_view_index };
	static const struct binding_class walk = { CLASS_WALK, NULL, NULL, NULL, walk_metamethods, NULL };

	binding_class_register(L, &map);
	binding_class_register(L, &view);
	binding_class_register(L, &walk);
	luaL_setfuncs(L, functions, 0);
}
