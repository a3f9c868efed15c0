/* map_many.c -- many elements: pairs(m), m:drain(), batches, m:clear(), m:stack(). */
#include <errno.h>
#include <stdio.h>

#include "map.h"

/* -- walks: the userdata of one keeps the core's map alive; the loop's own closing value frees it early. -- */

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
	struct binding_map_operation op = binding_map_begin(L, 1);

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
	binding_map_enter(op.handle);
	binding_map_read_key(L, &op, key);
	binding_map_read_value(L, &op, value);
	binding_map_leave(op.handle);
	return 2;
}

static int walk(lua_State *L, struct ebpf_map_walk *(*start)(struct ebpf_map *map, struct ebpf_error *err))
{
	binding_check_map(L, 1);
	lua_settop(L, 1);
	struct walk *walk = binding_new(L, sizeof(*walk), 0, CLASS_WALK);

	walk->map = ebpf_map_ref(binding_check_map(L, 1));
	walk->walk = start(walk->map, binding_error(L));
	if (!walk->walk)
		return binding_raise(L);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, walk_next, 1);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	lua_rotate(L, 2, -1);
	return 4;
}

/* pairs(m), and m:entries(), which gives the for loop a closing value too */
int binding_map_entries(lua_State *L)
{
	return walk(L, ebpf_map_walk_new);
}

/* for k, v in m:drain() do: takes the elements out as it reads them */
int binding_map_drain(lua_State *L)
{
	return walk(L, ebpf_map_drain_new);
}

/* -- batches -- */

static lua_Integer list_length(lua_State *L, int index)
{
	luaL_checktype(L, index, LUA_TTABLE);
	lua_Integer length = luaL_len(L, index);

	luaL_argcheck(L, length <= INT32_MAX, index, "too many");
	return length;
}

static size_t buffer_size(lua_State *L, lua_Integer count, size_t size)
{
	if (size && (size_t)count > SIZE_MAX / 2 / size)
		luaL_error(L, "too many elements for the memory of this machine");
	return (size_t)count * size + 1;
}

/* m:set_batch(keys, values [, flags]) -> how many were written; nil, err, errno, how many, when the kernel refused the next one. For
 * queues and stacks keys are not looked at. */
int binding_map_set_batch(lua_State *L)
{
	lua_settop(L, 4);
	uint64_t flags = binding_map_flags(L, 4);
	struct binding_map_operation op = binding_map_begin(L, 1);
	size_t key_size = op.handle->key_size, value_size = op.handle->value_size;
	lua_Integer length = list_length(L, 3);

	if (key_size && list_length(L, 2) != length)
		luaL_error(L, "as many keys as values expected, got %I and %I", (LUAI_UACINT)list_length(L, 2), (LUAI_UACINT)length);
	uint8_t *keys = lua_newuserdatauv(L, buffer_size(L, length, key_size), 0);
	uint8_t *values = lua_newuserdatauv(L, buffer_size(L, length, value_size), 0);

	for (lua_Integer i = 0; i < length; i++) {
		op.key = keys + (size_t)i * key_size;
		op.value = values + (size_t)i * value_size;
		if (key_size) {
			lua_geti(L, 2, i + 1);
			binding_map_write_key(L, &op, -1);
			lua_pop(L, 1);
		}
		lua_geti(L, 3, i + 1);
		binding_map_write_value(L, &op, -1);
		lua_pop(L, 1);
	}
	uint32_t count = (uint32_t)length;
	int result = ebpf_map_update_batch(binding_map_ready(L, &op), keys, values, &count, flags, binding_error(L));

	if (result < 0) {
		binding_fail(L);
		lua_pushinteger(L, count);
		return 4;
	}
	lua_pushinteger(L, count);
	return 1;
}

/* m:delete_batch(keys) -> how many of them were there */
int binding_map_delete_batch(lua_State *L)
{
	lua_settop(L, 2);
	struct binding_map_operation op = binding_map_begin(L, 1);
	size_t key_size = op.handle->key_size;
	lua_Integer length = list_length(L, 2);
	uint8_t *keys = lua_newuserdatauv(L, buffer_size(L, length, key_size), 0);

	for (lua_Integer i = 0; i < length; i++) {
		op.key = keys + (size_t)i * key_size;
		lua_geti(L, 2, i + 1);
		binding_map_write_key(L, &op, -1);
		lua_pop(L, 1);
	}
	uint32_t count = (uint32_t)length;

	if (ebpf_map_delete_batch(binding_map_ready(L, &op), keys, &count, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushinteger(L, count);
	return 1;
}

/* m:stack(id) -> { address, ... } of a stack_trace, the innermost first, or nil; with build ids { build_id = hex, offset = n }
 * where there is one */
int binding_map_stack(lua_State *L)
{
	struct ebpf_map *map = binding_check_map(L, 1);
	uint32_t id = (uint32_t)binding_to_integer(L, 2, UINT32_MAX, "id");
	size_t capacity = ebpf_map_value_size(map) / sizeof(uint64_t);
	struct ebpf_stack_frame *frames = lua_newuserdatauv(L, buffer_size(L, (lua_Integer)capacity, sizeof(*frames)), 0);
	int count = ebpf_map_stack(binding_check_map(L, 1), id, frames, capacity, binding_error(L));

	if (count == -ENOENT) {
		lua_pushnil(L);
		return 1;
	}
	if (count < 0)
		return binding_fail(L);
	lua_createtable(L, count, 0);
	for (int i = 0; i < count; i++) {
		if (frames[i].has_build_id) {
			char hex[2 * sizeof(frames[i].build_id) + 1];

			for (size_t k = 0; k < sizeof(frames[i].build_id); k++)
				snprintf(hex + 2 * k, 3, "%02x", frames[i].build_id[k]);
			lua_createtable(L, 0, 2);
			lua_pushstring(L, hex);
			lua_setfield(L, -2, "build_id");
			binding_set_integer(L, "offset", frames[i].offset);
		} else {
			lua_pushinteger(L, (lua_Integer)frames[i].address);
		}
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* m:clear() -> true: deletes everything; zeros in an array */
int binding_map_clear(lua_State *L)
{
	return binding_result(L, ebpf_map_clear(binding_check_map(L, 1), binding_error(L)));
}

static const luaL_Reg walk_metamethods[] = { { "__gc", l_walk_close }, { "__close", l_walk_close }, { NULL, NULL } };

void binding_open_map_many(lua_State *L)
{
	static const struct binding_class walk = { CLASS_WALK, NULL, NULL, NULL, walk_metamethods, NULL };

	binding_class_register(L, &walk);
}
