/* format.c -- core.format: what numbers in records mean to a person. A value that means nothing comes back as text all the same, so that a line can be
 * printed without a look at it. */
#include <arpa/inet.h>
#include <string.h>

#include "binding.h"

enum { TEXT_SIZE = 128, ADDRESS_MAX = 16 };

/* Bytes of a string, of a list of bytes (u8[4]) or of 32-bit words as they lie in memory (u32[4] of an in6_addr), or of an integer: an IPv4 address as it lies
 * in memory, unless "number" follows: then 0x0a000001 is 10.0.0.1, and words are such numbers. Returns how many. */
static size_t to_address(lua_State *L, int index, uint8_t *bytes)
{
	bool is_number = lua_type(L, index + 1) == LUA_TSTRING, is_words = !is_number && lua_toboolean(L, index + 1);
	size_t size = 0;

	if (is_number)
		luaL_argcheck(L, strcmp(lua_tostring(L, index + 1), "number") == 0, index + 1, "\"number\" or a boolean expected");
	if (lua_type(L, index) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, index, &size);

		if (size <= ADDRESS_MAX)
			memcpy(bytes, text, size);
		return size;
	}
	if (lua_isinteger(L, index)) {
		uint32_t word = (uint32_t)lua_tointeger(L, index);

		if (is_number)
			word = htonl(word);
		memcpy(bytes, &word, sizeof(word));
		return sizeof(word);
	}
	luaL_checktype(L, index, LUA_TTABLE);
	size_t count = lua_rawlen(L, index), width = count == 4 ? 4 : 1;

	for (size_t i = 0; i < count && width == 4; i++) { /* four bytes, or four words? */
		lua_rawgeti(L, index, (lua_Integer)i + 1);
		size += lua_tointeger(L, -1) > 255;
		lua_pop(L, 1);
	}
	if (width == 4 && !size && !is_words)
		width = 1;
	luaL_argcheck(L, count * width <= ADDRESS_MAX, index, "an address has at most 16 bytes");
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, index, (lua_Integer)i + 1);
		uint32_t word = (uint32_t)luaL_checkinteger(L, -1);

		lua_pop(L, 1);
		if (is_number && width == 4)
			word = htonl(word);
		luaL_argcheck(L, width == 4 || word <= 255, index, "bytes are at most 255");
		if (width == 4)
			memcpy(bytes + 4 * i, &word, 4);
		else
			bytes[i] = (uint8_t)word;
	}
	return count * width;
}

/* format.ip(v [, true | "number"]) -> "10.0.0.1"; true: a list of four small numbers is one of words; "number": an integer that was in network order */
static int l_ip(lua_State *L)
{
	uint8_t bytes[ADDRESS_MAX];
	char text[TEXT_SIZE];
	size_t size = to_address(L, 1, bytes);

	if (ebpf_format_ip(bytes, size, text, sizeof(text)) < 0)
		return luaL_argerror(L, 1, "4 or 16 bytes expected");
	lua_pushstring(L, text);
	return 1;
}

/* format.mac(v) -> "02:00:00:00:00:01" */
static int l_mac(lua_State *L)
{
	uint8_t bytes[ADDRESS_MAX];
	char text[TEXT_SIZE];
	size_t size = to_address(L, 1, bytes);

	if (ebpf_format_mac(bytes, size, text, sizeof(text)) < 0)
		return luaL_argerror(L, 1, "6 bytes expected");
	lua_pushstring(L, text);
	return 1;
}

/* format.sockaddr(bytes) -> "10.0.0.1:80"; nil for another family */
static int l_sockaddr(lua_State *L)
{
	char text[TEXT_SIZE];
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);

	if (ebpf_format_sockaddr(bytes, size, text, sizeof(text)) < 0)
		lua_pushnil(L);
	else
		lua_pushstring(L, text);
	return 1;
}

/* format.errno(2), format.errno(-2) -> "ENOENT"; a number that is none as it is */
static int l_errno(lua_State *L)
{
	lua_Integer number = luaL_checkinteger(L, 1);
	lua_Integer code = number < 0 && number > -4096 ? -number : number;

	if (code > 0 && code < 4096 && strcmp(ebpf_errno_name((int)code), "UNKNOWN") != 0)
		lua_pushstring(L, ebpf_errno_name((int)code));
	else
		lua_pushfstring(L, "%I", number);
	return 1;
}

/* format.signal(9) -> "SIGKILL" */
static int l_signal(lua_State *L)
{
	lua_Integer number = luaL_checkinteger(L, 1);
	char text[TEXT_SIZE];

	if (number == (int)number && ebpf_format_signal((int)number, text, sizeof(text)) >= 0)
		lua_pushstring(L, text);
	else
		lua_pushfstring(L, "%I", number);
	return 1;
}

/* format.syscall(0) -> "read"; format.syscall "read" -> 0, nil for an unknown name */
static int l_syscall(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TSTRING) {
		int number = ebpf_syscall_number(lua_tostring(L, 1));

		if (number < 0)
			lua_pushnil(L);
		else
			lua_pushinteger(L, number);
		return 1;
	}
	lua_Integer number = luaL_checkinteger(L, 1);
	const char *name = number == (int)number ? ebpf_syscall_name((int)number) : NULL;

	if (name)
		lua_pushstring(L, name);
	else
		lua_pushfstring(L, "%I", number);
	return 1;
}

/* format.wall(ns [, "monotonic" | "boot"]) -> nanoseconds since 1970 */
static int l_wall(lua_State *L)
{
	static const char *const clocks[] = { "monotonic", "boot", NULL };
	lua_Integer ns = luaL_checkinteger(L, 1);

	lua_pushinteger(L, ebpf_wall_time((uint64_t)ns, luaL_checkoption(L, 2, "monotonic", clocks) == 1));
	return 1;
}

/* format.int128(bytes [, true = signed]) -> decimal digits, of the 16 bytes that an __int128 is read as */
static int l_int128(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	uint32_t words[4]; /* from the least significant */
	char text[48], *at = text + sizeof(text);
	bool negative = false;

	luaL_argcheck(L, size == 16, 1, "16 bytes expected");
	for (int i = 0; i < 4; i++)
		memcpy(&words[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 3 - i : i], bytes + 4 * i, 4);
	if (lua_toboolean(L, 2) && words[3] >> 31) {
		uint64_t carry = 1;

		negative = true;
		for (int i = 0; i < 4; i++, carry >>= 32) {
			carry += (uint32_t)~words[i];
			words[i] = (uint32_t)carry;
		}
	}
	*--at = '\0';
	do {
		uint64_t rest = 0;

		for (int i = 3; i >= 0; i--) {
			rest = rest << 32 | words[i];
			words[i] = (uint32_t)(rest / 10);
			rest %= 10;
		}
		*--at = (char)('0' + rest);
	} while (words[0] | words[1] | words[2] | words[3]);
	if (negative)
		*--at = '-';
	lua_pushstring(L, at);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "ip", l_ip }, { "mac", l_mac }, { "sockaddr", l_sockaddr }, { "errno", l_errno }, { "signal", l_signal }, { "syscall", l_syscall },
	{ "wall", l_wall }, { "int128", l_int128 }, { NULL, NULL }
};

void binding_open_format(lua_State *L)
{
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "format");
}
