/* host_decode_fuzz.c -- libFuzzer: any record by any type of either byte order as a Lua value, and that value as bytes again.
 *
 * The input is: flags, a 16-bit number of bytes of a record, those, and BTF. 1 in the flags takes integers like __be32 by their names, 2 gives enumerators by
 * theirs. What was written is read again and written again: the same. Lua has little memory, so that it also ends in the middle of any of this. */
#include <lauxlib.h>

#include "binding.h"
#include "fuzz.h"

int luaopen_ebpf_core(lua_State *L);

enum { LUA_MEMORY = 4 << 20, TYPES_MAX = 100, VALUE_MAX = 4096 };

static size_t used;

static void *allocate(void *context, void *block, size_t old, size_t new)
{
	(void)context;
	old = block ? old : 0;
	if (new > old && used + (new - old) > LUA_MEMORY)
		return NULL;
	void *result = new ? realloc(block, new) : NULL;

	if (!new)
		free(block);
	if (result || !new)
		used = used + new - old;
	return result;
}

struct turn {
	const struct ebpf_btf *btf;
	uint32_t id;
	uint8_t flags;
	const uint8_t *record;
	size_t size;
};

/* Pushes the codec and its names. */
static const struct binding_codec *push_codec(lua_State *L, const struct turn *turn)
{
	const struct binding_codec *codec = binding_codec_push_id(L, turn->btf, turn->id, 0);

	if (codec && turn->flags & 1)
		codec = binding_codec_push_ordered(L, binding_codec_layout(codec));
	if (!codec || binding_codec_size(codec) > VALUE_MAX)
		return NULL;
	if (turn->flags & 2)
		binding_codec_name_enums(L, -1);
	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec), "deep");
	return codec;
}

/* Each step from a block of just its size. */
static void *copy_of(lua_State *L, const void *data, size_t size)
{
	void *copy = lua_newuserdatauv(L, size, 0);

	return size ? memcpy(copy, data, size) : copy;
}

static void read_fields(lua_State *L, const struct binding_codec *codec, int names, const void *data, size_t size)
{
	for (uint32_t i = 0; i < binding_codec_fields(codec); i++) {
		binding_decode_field(L, codec, names, i, data, size);
		lua_pop(L, 1);
	}
}

static int try_type(lua_State *L)
{
	const struct turn *turn = lua_touserdata(L, 1);
	const struct binding_codec *codec = push_codec(L, turn);
	int names = lua_gettop(L);

	if (!codec || turn->size < binding_codec_least(codec))
		return 0;
	void *data = copy_of(L, turn->record, turn->size);

	read_fields(L, codec, names, data, turn->size);
	binding_decode_record(L, codec, names, data, turn->size);
	size_t size = binding_encode_size(L, codec, names, -1);
	uint8_t *once = lua_newuserdatauv(L, size, 0);

	binding_encode_record(L, codec, names, -2, once, size, "value"); /* may refuse, where members share bytes */
	binding_decode_record(L, codec, names, once, size);
	if (binding_encode_size(L, codec, names, -1) != size)
		abort();
	uint8_t *twice = lua_newuserdatauv(L, size, 0);

	binding_encode_record(L, codec, names, -2, twice, size, "value");
	if (memcmp(once, twice, size) != 0)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	struct ebpf_btf *btf;

	if (size < 3)
		return 0;
	struct turn turn = { .flags = data[0], .record = data + 3, .size = data[1] | data[2] << 8 };

	if (turn.size > size - 3 || ebpf_btf_read(data + 3 + turn.size, size - 3 - turn.size, NULL, &btf, NULL) < 0)
		return 0;
	if (!L) {
		if (!(L = lua_newstate(allocate, NULL)))
			abort();
		luaL_requiref(L, "ebpf.core", luaopen_ebpf_core, 0);
	}
	turn.btf = btf;
	for (turn.id = 1; turn.id < ebpf_btf_count(btf) && turn.id <= TYPES_MAX; turn.id++) {
		lua_settop(L, 0);
		lua_pushcfunction(L, try_type);
		lua_pushlightuserdata(L, &turn);
		lua_pcall(L, 1, 0, 0);
	}
	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT);
	ebpf_btf_free(btf);
	return 0;
}
