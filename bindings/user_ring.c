/* user_ring.c -- user ring buffers: Lua values that become records for a program to read. */
#include <errno.h>
#include <string.h>

#include "binding.h"

#define CLASS_USER_RING "ebpf.user_ring"
#define CLASS_USER_RECORD "ebpf.user_record"

enum { PARENT = 1, CODEC, NAMES, SCRATCH, USER_VALUES = SCRATCH };

struct user_ring {
	struct ebpf_user_ring *ring;
	const struct binding_codec *codec; /* NULL: records are strings of any length */
	uint8_t *scratch;                  /* of the codec's size: a value is encoded before there is room for it, since that may raise */
};
struct record {
	uint8_t *data; /* NULL: submitted or discarded */
	size_t size;
};

static struct user_ring *check_ring(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_USER_RING);
}

/* core.user_ringbuf(map [, { type = name }]) -> writer */
static int l_user_ringbuf(lua_State *L)
{
	static const char *const names[] = { "type", NULL };
	const char *type = NULL;

	lua_settop(L, 2);
	struct ebpf_map *map = binding_check_map(L, 1);

	if (binding_check_options(L, 2, names))
		type = binding_option_string(L, 2, "type", NULL);
	struct user_ring *ring = binding_new(L, sizeof(*ring), USER_VALUES, CLASS_USER_RING);
	const struct ebpf_layout *layout = ebpf_map_value_layout(map);
	int self = lua_gettop(L);

	lua_pushvalue(L, 1);
	lua_setiuservalue(L, self, PARENT);
	if (type)
		ring->codec = binding_codec_push_name(L, type, ebpf_map_btf(map));
	else if (layout)
		ring->codec = binding_codec_push(L, layout, layout->size);
	if (type && !ring->codec)
		return binding_raise(L);
	if (ring->codec) {
		lua_getiuservalue(L, -1, 1);
		lua_setiuservalue(L, self, NAMES);
		lua_setiuservalue(L, self, CODEC);
		ring->scratch = lua_newuserdatauv(L, binding_codec_size(ring->codec) + 1, 0);
		lua_setiuservalue(L, self, SCRATCH);
	}
	if (ebpf_user_ring_open(binding_check_map(L, 1), &ring->ring, binding_error(L)) < 0)
		return binding_fail(L);
	return 1;
}

static int l_ring_close(lua_State *L)
{
	struct user_ring *ring = luaL_checkudata(L, 1, CLASS_USER_RING);
	struct ebpf_user_ring *core = ring->ring;

	ring->ring = NULL;
	ebpf_user_ring_close(core);
	return 0;
}

/* The bytes of the value at `index`. */
static const void *to_bytes(lua_State *L, struct user_ring *ring, int self, int index, size_t *size)
{
	if (!ring->codec || lua_type(L, index) == LUA_TSTRING) {
		const char *text = luaL_checklstring(L, index, size);

		if (!ring->codec || binding_codec_takes(ring->codec, *size)) /* the bytes of a record */
			return text;
	}
	lua_getiuservalue(L, self, NAMES);
	*size = binding_encode_size(L, ring->codec, -1, index);
	void *data = *size == binding_codec_size(ring->codec) ? ring->scratch : lua_newuserdatauv(L, *size, 0);

	binding_encode_record(L, ring->codec, data == ring->scratch ? -1 : -2, index, data, *size, "record");
	return data; /* which may stand on the stack */
}

/* Absent: do not wait. */
static int to_timeout(lua_State *L, int index)
{
	return lua_isnoneornil(L, index) ? 0 : binding_to_timeout(L, index, "timeout");
}

/* 0, or negative. A signal's handler runs in between, and may close the ring. */
static int reserve(lua_State *L, struct user_ring *ring, size_t size, int timeout, void **record)
{
	for (;;) {
		int result = ebpf_user_ring_reserve(ring->ring, size > UINT32_MAX ? UINT32_MAX : (uint32_t)size, timeout, record, binding_error(L));

		if (result != -EINTR)
			return result;
		ebpf_error_clear(binding_error(L));
		binding_interrupted(L);
		if (!ring->ring)
			return luaL_error(L, "user ring buffer is closed");
	}
}

/* u:send(value [, timeout]) -> true; a string of a record's size is its bytes */
static int l_ring_send(lua_State *L)
{
	struct user_ring *ring = check_ring(L, 1);
	int timeout = to_timeout(L, 3);
	void *record;
	size_t size;

	luaL_checkany(L, 2);
	const void *bytes = to_bytes(L, ring, 1, 2, &size);

	if (timeout && ring->codec) /* what runs on a signal while we wait may send as well */
		bytes = memcpy(lua_newuserdatauv(L, size + 1, 0), bytes, size);
	if (reserve(L, ring, size, timeout, &record) < 0)
		return binding_fail(L);
	memcpy(record, bytes, size);
	ebpf_user_ring_submit(ring->ring, record);
	lua_pushboolean(L, true);
	return 1;
}

/* u:reserve([size [, timeout]]) -> record, all zeros, to be submitted */
static int l_ring_reserve(lua_State *L)
{
	struct user_ring *ring = check_ring(L, 1);
	lua_Integer size = ring->codec ? luaL_optinteger(L, 2, (lua_Integer)binding_codec_size(ring->codec)) : luaL_checkinteger(L, 2);
	int timeout = to_timeout(L, 3);
	void *data;

	luaL_argcheck(L, size >= 0, 2, "negative size");
	struct record *record = binding_new(L, sizeof(*record), 1, CLASS_USER_RECORD);

	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	if (reserve(L, ring, (size_t)size, timeout, &data) < 0)
		return binding_fail(L);
	record->data = memset(data, 0, (size_t)size);
	record->size = (size_t)size;
	return 1;
}

static int l_ring_room(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_user_ring_room(check_ring(L, 1)->ring));
	return 1;
}

static int l_ring_map(lua_State *L)
{
	check_ring(L, 1);
	lua_getiuservalue(L, 1, PARENT);
	return 1;
}

static int l_ring_tostring(lua_State *L)
{
	struct user_ring *ring = luaL_checkudata(L, 1, CLASS_USER_RING);

	return binding_tostring(L, CLASS_USER_RING, ring->ring ? ebpf_map_name(ebpf_user_ring_map(ring->ring)) : "");
}

/* -- one record -- */

/* Pushes the ring of the record at stack index 1; NULL when record or ring are done with. */
static struct user_ring *push_ring(lua_State *L, struct record **record)
{
	*record = luaL_checkudata(L, 1, CLASS_USER_RECORD);
	lua_getiuservalue(L, 1, 1);
	struct user_ring *ring = lua_touserdata(L, -1);

	return (*record)->data && ring && ring->ring ? ring : NULL;
}

static struct user_ring *check_record(lua_State *L, struct record **record)
{
	struct user_ring *ring = push_ring(L, record);

	if (!ring)
		luaL_error(L, "the record has been submitted or discarded");
	return ring;
}

/* record:write(offset, bytes) */
static int l_record_write(lua_State *L)
{
	struct record *record;
	lua_Integer offset = luaL_checkinteger(L, 2);
	size_t size;
	const char *bytes = luaL_checklstring(L, 3, &size);

	check_record(L, &record);
	if (offset < 0 || (size_t)offset > record->size || size > record->size - (size_t)offset)
		return luaL_error(L, "%I bytes at %I are outside of the record, which has %I", (LUAI_UACINT)size, (LUAI_UACINT)offset,
				  (LUAI_UACINT)record->size);
	memcpy(record->data + offset, bytes, size);
	return 0;
}

/* record:set(value): the whole of it, by the type of the ring's records */
static int l_record_set(lua_State *L)
{
	struct record *record;
	size_t size;

	lua_settop(L, 2);
	luaL_checkany(L, 2);
	struct user_ring *ring = check_record(L, &record);
	const void *bytes = to_bytes(L, ring, 3, 2, &size);
	bool is_open = ring->codec && size < record->size && binding_codec_takes(ring->codec, record->size);

	if (size != record->size && !is_open)
		return luaL_error(L, "the value has %I bytes, the record %I", (LUAI_UACINT)size, (LUAI_UACINT)record->size);
	memset(record->data, 0, record->size);
	memcpy(record->data, bytes, size);
	return 0;
}

static int l_record_submit(lua_State *L)
{
	struct record *record;
	struct user_ring *ring = check_record(L, &record);

	ebpf_user_ring_submit(ring->ring, record->data);
	record->data = NULL;
	return 0;
}

/* record:discard(), twice is fine; what nobody has submitted is discarded */
static int l_record_discard(lua_State *L)
{
	struct record *record;
	struct user_ring *ring = push_ring(L, &record);

	if (ring)
		ebpf_user_ring_discard(ring->ring, record->data);
	record->data = NULL;
	return 0;
}

static int l_record_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)((struct record *)luaL_checkudata(L, 1, CLASS_USER_RECORD))->size);
	return 1;
}

static const luaL_Reg ring_methods[] = {
	{ "send", l_ring_send }, { "reserve", l_ring_reserve }, { "room", l_ring_room }, { "close", l_ring_close }, { NULL, NULL }
};
static const luaL_Reg ring_properties[] = { { "map", l_ring_map }, { NULL, NULL } };
static const luaL_Reg ring_metamethods[] = {
	{ "__tostring", l_ring_tostring }, { "__close", l_ring_close }, { "__gc", l_ring_close }, { NULL, NULL }
};
static const luaL_Reg record_methods[] = {
	{ "write", l_record_write }, { "set", l_record_set }, { "submit", l_record_submit }, { "discard", l_record_discard }, { NULL, NULL }
};
static const luaL_Reg record_metamethods[] = {
	{ "__len", l_record_len }, { "__close", l_record_discard }, { "__gc", l_record_discard }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "user_ringbuf", l_user_ringbuf }, { NULL, NULL } };

void binding_open_user_ring(lua_State *L)
{
	static const struct binding_class ring = { CLASS_USER_RING, ring_methods, ring_properties, NULL, ring_metamethods, NULL };
	static const struct binding_class record = { CLASS_USER_RECORD, record_methods, NULL, NULL, record_metamethods, NULL };

	binding_class_register(L, &ring);
	binding_class_register(L, &record);
	luaL_setfuncs(L, functions, 0);
}
