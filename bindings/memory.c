/* memory.c -- m:memory(): the elements of a mapped array as memory, read and written without a system call. Every access is checked against its
 * bounds. Offsets count bytes from 0, as in C; unpack and pack take positions from 1, as string.unpack does. User value 1 is the map, which is asked for
 * its memory at each access: freezing it moves that. */
#include <lualib.h>
#include <string.h>

#include "map.h"

#define CLASS_MEMORY "ebpf.memory"

struct area {
	uint8_t *bytes;
	size_t size;
};

int binding_map_memory(lua_State *L)
{
	void *memory;
	size_t size;
	bool writable;

	if (ebpf_map_memory(binding_check_map(L, 1), &memory, &size, &writable, binding_error(L)) < 0)
		return binding_fail(L);
	lua_newuserdatauv(L, 0, 1);
	luaL_setmetatable(L, CLASS_MEMORY);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

/* Pushes the map of the memory at stack index 1. */
static struct ebpf_map *push_map(lua_State *L)
{
	luaL_checkudata(L, 1, CLASS_MEMORY);
	lua_getiuservalue(L, 1, 1);
	return binding_check_map(L, -1);
}

static struct area area_of(lua_State *L, struct ebpf_map *map, bool write)
{
	void *memory;
	size_t size;
	bool writable;

	if (ebpf_map_memory(map, &memory, &size, &writable, binding_error(L)) < 0)
		binding_raise(L);
	if (write && !writable)
		luaL_error(L, "map '%s' can only be read", ebpf_map_name(map));
	return (struct area){ memory, size };
}

/* The `count` bytes at `offset` of the memory at stack index 1. Nothing may be allocated until they have been used. */
static uint8_t *bytes_at(lua_State *L, lua_Integer offset, size_t count, bool write)
{
	struct ebpf_map *map = push_map(L);
	struct area area = area_of(L, map, write);

	lua_pop(L, 1);
	if (offset < 0 || (size_t)offset > area.size || count > area.size - (size_t)offset)
		luaL_error(L, "%I bytes at %I are outside of the memory, which has %I", (LUAI_UACINT)count, (LUAI_UACINT)offset,
			   (LUAI_UACINT)area.size);
	return area.bytes + offset;
}

/* A program may be looking: what fits in one aligned access is one. */
static void copy(uint8_t *to, const uint8_t *from, size_t size)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if (size == 8 && both % 8 == 0)
		*(volatile uint64_t *)(void *)to = *(const volatile uint64_t *)(const void *)from;
	else if (size == 4 && both % 4 == 0)
		*(volatile uint32_t *)(void *)to = *(const volatile uint32_t *)(const void *)from;
	else
		memcpy(to, from, size);
}

/* mem:read(offset, size) -> bytes */
static int l_memory_read(lua_State *L)
{
	lua_Integer offset = luaL_checkinteger(L, 2), size = luaL_checkinteger(L, 3);
	luaL_Buffer buffer;

	luaL_argcheck(L, size >= 0, 3, "negative size");
	bytes_at(L, offset, (size_t)size, false);
	char *text = luaL_buffinitsize(L, &buffer, (size_t)size);

	memcpy(text, bytes_at(L, offset, (size_t)size, false), (size_t)size);
	luaL_pushresultsize(&buffer, (size_t)size);
	return 1;
}

/* mem:write(offset, bytes) */
static int l_memory_write(lua_State *L)
{
	size_t size;
	lua_Integer offset = luaL_checkinteger(L, 2);
	const char *text = luaL_checklstring(L, 3, &size);

	copy(bytes_at(L, offset, size, true), (const uint8_t *)text, size);
	return 0;
}

/* -- values by type -- */

static struct binding_codec const *push_codec(lua_State *L)
{
	const char *type = luaL_checkstring(L, 2);
	struct ebpf_map *map = push_map(L);
	const struct binding_codec *codec = binding_codec_push_name(L, type, ebpf_map_btf(map));

	if (!codec)
		binding_raise(L);
	lua_getiuservalue(L, -1, 1);
	return codec;
}

/* mem:get(type, offset) -> value */
static int l_memory_get(lua_State *L)
{
	lua_Integer offset = luaL_checkinteger(L, 3);
	const struct binding_codec *codec = push_codec(L);
	int keys = lua_gettop(L);
	size_t size = binding_codec_size(codec);
	uint8_t *value = lua_newuserdatauv(L, size + 1, 0);

	copy(value, bytes_at(L, offset, size, false), size);
	luaL_checkstack(L, binding_codec_depth(codec) + 2, "value nested too deeply");
	binding_decode(L, codec, keys, value);
	return 1;
}

/* mem:set(type, offset, value) */
static int l_memory_set(lua_State *L)
{
	lua_Integer offset = luaL_checkinteger(L, 3);

	luaL_checkany(L, 4);
	const struct binding_codec *codec = push_codec(L);
	int keys = lua_gettop(L);
	size_t size = binding_codec_size(codec);
	uint8_t *value = lua_newuserdatauv(L, size + 1, 0);

	binding_encode(L, codec, keys, 4, value, "value");
	copy(bytes_at(L, offset, size, true), value, size);
	return 0;
}

/* -- as string.unpack and string.pack do -- */

static void push_string_function(lua_State *L, const char *name)
{
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	lua_getfield(L, -1, name);
	lua_remove(L, -2);
}

/* mem:unpack(format [, position]) -> values, and the position behind them */
static int l_memory_unpack(lua_State *L)
{
	lua_Integer position = luaL_optinteger(L, 3, 1), size;
	luaL_Buffer buffer;

	luaL_checkstring(L, 2);
	lua_settop(L, 3);
	push_string_function(L, "packsize");
	lua_pushvalue(L, 2);
	if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
		size = lua_tointeger(L, -1);
		bytes_at(L, position - 1, (size_t)size, false);
	} else { /* 's' and 'z' say themselves how long they are */
		bytes_at(L, position - 1, 0, false);
		size = (lua_Integer)area_of(L, push_map(L), false).size - (position - 1);
	}
	lua_settop(L, 3);
	push_string_function(L, "unpack");
	lua_pushvalue(L, 2);
	char *text = luaL_buffinitsize(L, &buffer, (size_t)size);

	memcpy(text, bytes_at(L, position - 1, (size_t)size, false), (size_t)size);
	luaL_pushresultsize(&buffer, (size_t)size);
	lua_call(L, 2, LUA_MULTRET);
	lua_pushinteger(L, lua_tointeger(L, -1) + position - 1);
	lua_replace(L, -2);
	return lua_gettop(L) - 3;
}

/* mem:pack(format, position, values...) -> the position behind them */
static int l_memory_pack(lua_State *L)
{
	lua_Integer position = luaL_checkinteger(L, 3);
	size_t size;

	luaL_checkstring(L, 2);
	lua_remove(L, 3);
	push_string_function(L, "pack");
	lua_insert(L, 2);
	lua_call(L, lua_gettop(L) - 2, 1);
	const char *text = lua_tolstring(L, 2, &size);

	copy(bytes_at(L, position - 1, size, true), (const uint8_t *)text, size);
	lua_pushinteger(L, position + (lua_Integer)size);
	return 1;
}

/* -- mem[i]: the elements, numbered as in the map -- */

static lua_Integer check_index(lua_State *L, const struct ebpf_map *map)
{
	lua_Integer index = luaL_checkinteger(L, 2);

	if (!ebpf_map_value_size(map))
		luaL_error(L, "an arena has no elements: use get and set, with an offset");
	if (index < 0 || index >= (lua_Integer)ebpf_map_max_entries(map))
		luaL_error(L, "there is no element %I: they are numbered from 0 to %I", (LUAI_UACINT)index,
			   (LUAI_UACINT)ebpf_map_max_entries(map) - 1);
	return index * (lua_Integer)ebpf_map_cpu_stride(map);
}

static int l_memory_index(lua_State *L)
{
	luaL_checkudata(L, 1, CLASS_MEMORY);
	lua_settop(L, 2);
	if (lua_type(L, 2) == LUA_TSTRING) {
		lua_rawget(L, lua_upvalueindex(1));
		return 1;
	}
	lua_Integer offset = check_index(L, push_map(L));
	struct binding_map_operation op = binding_map_begin(L, 3);
	size_t size = op.handle->value_size;

	copy(op.value, bytes_at(L, offset, size, false), size);
	binding_map_read_value(L, &op, op.value);
	return 1;
}

static int l_memory_newindex(lua_State *L)
{
	luaL_checkudata(L, 1, CLASS_MEMORY);
	lua_settop(L, 3);
	lua_Integer offset = check_index(L, push_map(L));
	struct binding_map_operation op = binding_map_begin(L, 4);

	binding_map_write_value(L, &op, 3);
	copy(bytes_at(L, offset, op.handle->value_size, true), op.value, op.handle->value_size);
	return 0;
}

static int l_memory_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)area_of(L, push_map(L), false).size);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "read", l_memory_read }, { "write", l_memory_write }, { "get", l_memory_get }, { "set", l_memory_set },
	{ "unpack", l_memory_unpack }, { "pack", l_memory_pack }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = { { "__newindex", l_memory_newindex }, { "__len", l_memory_len }, { NULL, NULL } };

void binding_open_memory(lua_State *L)
{
	static const struct binding_class memory = { CLASS_MEMORY, methods, NULL, NULL, metamethods, l_memory_index };

	binding_class_register(L, &memory);
}
