/* iterator.c -- what a link of an iterator gives to read: link:open(), link:lines(), link:read(). */
#include <string.h>

#include "binding.h"

enum { LINK = 1, USER_VALUES = LINK, CHUNK = 64 << 10 };

static struct ebpf_iterator *check_iterator(lua_State *L, int index)
{
	return *(struct ebpf_iterator **)binding_check(L, index, CLASS_ITERATOR);
}

/* Pushes a new run of the link at `link`; false with binding_error() filled, and a closed handle pushed. */
static bool push_iterator(lua_State *L, int link)
{
	struct ebpf_iterator **iterator = binding_new(L, sizeof(*iterator), USER_VALUES, CLASS_ITERATOR);

	lua_pushvalue(L, link);
	lua_setiuservalue(L, -2, LINK);
	return ebpf_iterator_open(binding_check_link(L, link), iterator, binding_error(L)) >= 0;
}

static int l_iterator_close(lua_State *L)
{
	struct ebpf_iterator **handle = luaL_checkudata(L, 1, CLASS_ITERATOR);
	struct ebpf_iterator *iterator = *handle;

	*handle = NULL;
	ebpf_iterator_close(iterator);
	return 0;
}

/* All that is left of the iterator at `index`, as one string; false with binding_error() filled. */
static bool push_rest(lua_State *L, int index)
{
	luaL_Buffer text;
	int64_t got;

	luaL_buffinit(L, &text);
	do {
		char *space = luaL_prepbuffsize(&text, CHUNK);

		got = ebpf_iterator_read(check_iterator(L, index), space, CHUNK, binding_error(L));
		if (got > 0)
			luaL_addsize(&text, (size_t)got);
	} while (got > 0);
	luaL_pushresult(&text);
	return got == 0;
}

/* iterator:read() -> all that is left; iterator:read(n) -> up to n bytes, nil at the end; or nil, err */
static int l_iterator_read(lua_State *L)
{
	check_iterator(L, 1);
	if (lua_isnoneornil(L, 2)) {
		lua_settop(L, 1);
		return push_rest(L, 1) ? 1 : binding_fail(L);
	}
	size_t size = binding_to_integer(L, 2, 1 << 30, "size");
	luaL_Buffer text;
	char *space = luaL_buffinitsize(L, &text, size);
	int64_t got = size ? ebpf_iterator_read(check_iterator(L, 1), space, size, binding_error(L)) : 0;

	if (got < 0)
		return binding_fail(L);
	if (got == 0 && size) {
		lua_pushnil(L);
		return 1;
	}
	luaL_pushresultsize(&text, (size_t)got);
	return 1;
}

/* The next line without its end, or nil; raises what the kernel refuses, since a `for` could not see it. */
static int next_line(lua_State *L)
{
	const char *line;
	size_t size;
	int result = ebpf_iterator_line(check_iterator(L, lua_upvalueindex(1)), &line, &size, binding_error(L));

	if (result < 0)
		return binding_raise(L);
	if (result > 0)
		lua_pushlstring(L, line, size);
	else
		lua_pushnil(L);
	return 1;
}

/* The four values of a generic `for` over the lines of the iterator on top, which it closes at its end. */
static int push_lines(lua_State *L)
{
	int iterator = lua_gettop(L);

	lua_pushvalue(L, iterator);
	lua_pushcclosure(L, next_line, 1);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushvalue(L, iterator);
	return 4;
}

static int l_iterator_lines(lua_State *L)
{
	check_iterator(L, 1);
	lua_settop(L, 1);
	return push_lines(L);
}

/* -- records -- */

enum { UPVALUE_ITERATOR = 1, UPVALUE_CODEC, UPVALUE_KEYS };

/* The next record decoded, or nil; raises what the kernel refuses. */
static int next_record(lua_State *L)
{
	const struct binding_codec *codec = lua_touserdata(L, lua_upvalueindex(UPVALUE_CODEC));
	const void *data;
	int result = ebpf_iterator_record(check_iterator(L, lua_upvalueindex(UPVALUE_ITERATOR)), binding_codec_size(codec), &data,
					  binding_error(L));

	if (result < 0)
		return binding_raise(L);
	if (result == 0)
		return 0;
	/* A finalizer may run while it is decoded, and close the iterator: so from a copy. */
	void *copy = lua_newuserdatauv(L, binding_codec_size(codec), 0);

	memcpy(copy, data, binding_codec_size(codec));
	luaL_checkstack(L, binding_codec_depth(codec) + 4, "record nested too deeply");
	binding_decode(L, codec, lua_upvalueindex(UPVALUE_KEYS), copy);
	return 1;
}

/* Pushes the codec of a type of the program, or of one that needs no types ("u32", "char[16]"); false with binding_error()
 * filled. */
static bool push_record_codec(lua_State *L, int iterator, const char *name)
{
	if (binding_codec_push_name(L, name, NULL))
		return true;
	const struct ebpf_btf *btf = ebpf_iterator_btf(check_iterator(L, iterator), binding_error(L));

	return btf && binding_codec_push_name(L, name, btf);
}

/* link:records(type) -> what a `for` takes: each record that the program writes, as a Lua value */
int binding_link_records(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2);

	binding_check_link(L, 1);
	lua_settop(L, 2);
	if (!push_iterator(L, 1) || !push_record_codec(L, 3, name))
		return binding_raise(L);
	luaL_argcheck(L, binding_codec_size(lua_touserdata(L, 4)) > 0, 2, "a type without a size");
	lua_pushvalue(L, 3);
	lua_pushvalue(L, 4);
	lua_getiuservalue(L, 4, 1);
	lua_pushcclosure(L, next_record, UPVALUE_KEYS);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushvalue(L, 3);
	return 4;
}

/* -- the rest -- */

static int l_iterator_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_iterator_fd(check_iterator(L, 1)));
	return 1;
}

static int l_iterator_tostring(lua_State *L)
{
	struct ebpf_iterator **handle = luaL_checkudata(L, 1, CLASS_ITERATOR);

	lua_getiuservalue(L, 1, LINK);
	struct ebpf_link **link = lua_touserdata(L, -1);

	return binding_tostring(L, CLASS_ITERATOR, *handle && *link ? ebpf_link_target(*link) : "");
}

int binding_link_open(lua_State *L)
{
	binding_check_link(L, 1);
	lua_settop(L, 1);
	return push_iterator(L, 1) ? 1 : binding_fail(L);
}

int binding_link_lines(lua_State *L)
{
	binding_check_link(L, 1);
	lua_settop(L, 1);
	return push_iterator(L, 1) ? push_lines(L) : binding_raise(L);
}

int binding_link_read(lua_State *L)
{
	binding_check_link(L, 1);
	lua_settop(L, 1);
	if (!push_iterator(L, 1))
		return binding_fail(L);
	bool whole = push_rest(L, 2);

	ebpf_iterator_close(check_iterator(L, 2));
	*(struct ebpf_iterator **)lua_touserdata(L, 2) = NULL;
	return whole ? 1 : binding_fail(L);
}

static const luaL_Reg methods[] = {
	{ "read", l_iterator_read }, { "lines", l_iterator_lines }, { "fd", l_iterator_fd }, { "close", l_iterator_close },
	{ NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_iterator_tostring }, { "__close", l_iterator_close }, { "__gc", l_iterator_close }, { NULL, NULL }
};

void binding_open_iterator(lua_State *L)
{
	static const struct binding_class class = { CLASS_ITERATOR, methods, NULL, NULL, metamethods, NULL };

	binding_class_register(L, &class);
}
