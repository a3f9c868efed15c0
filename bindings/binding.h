/* binding.h -- what the files of the Lua module share: classes, handles, errors, options, and values by layout.
 *
 * The bindings include "ebpf.h" of the core and nothing else of it. Each file binds one kind of object: one Lua value, one core
 * object. A method checks its arguments, calls the core once and pushes the result; what needs an `if` about eBPF
 * belongs in src/, what is sugar belongs in lua/ebpf/.
 *
 * Rules that every file keeps:
 *  - A handle's userdata is made first, closed (NULL inside), with its metatable; only then is the resource acquired. close, __close and
 *    __gc are one function that may be called any number of times, in any order at lua_close().
 *  - No Lua error is raised while C memory or a descriptor is held that no userdata owns. Temporary buffers are userdata.
 *  - A child keeps its parent alive in user value 1; every object of the core holds its own counted references besides.
 *  - Errors of the world: return binding_fail(L) -> nil, err, errno. Mistakes in a call: luaL_error.
 */
#ifndef EBPF_BINDING_H
#define EBPF_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "ebpf.h"

/* -- per lua_State (core.c) -- */

/* The one error that all calls of this state fill: owned by a userdata, so that pushing its log may run out of memory without leaking it.
 * A callback may fill it in the middle of a call that is given it too: a callee fills it as the last thing before it returns. */
struct ebpf_error *binding_error(lua_State *L);
/* The state's default context, made on first use; NULL with the error filled. */
struct ebpf_kernel *binding_kernel(lua_State *L);

/* -- errors (error.c) -- */

/* Pushes nil, the error object, errno out of binding_error() and clears it; returns 3. */
int binding_fail(lua_State *L);
/* Raises the error object instead: for operators, which cannot return nil, err. */
int binding_raise(lua_State *L);
/* Pushes the error object alone. */
void binding_push_error(lua_State *L);
/* true, or nil, err, errno. */
int binding_result(lua_State *L, int result);
/* Calls as lua_pcall does, with a traceback put behind string errors and into error objects' .traceback. */
int binding_pcall(lua_State *L, int arguments, int results);
/* Gives hooks a chance to run: the `lua` program's Ctrl-C handler sets one, and a system call came back with EINTR. May raise. */
void binding_interrupted(lua_State *L);

/* -- classes and handles (core.c) -- */

struct binding_class {
	const char *name;            /* "ebpf.map": its metatable is the registry's field of this name */
	const luaL_Reg *methods;     /* called as object:name(...); or NULL */
	const luaL_Reg *properties;  /* read as object.name: called with the object, push one value; or NULL */
	const luaL_Reg *setters;     /* written as object.name = v: called with the object and the value; or NULL */
	const luaL_Reg *metamethods; /* or NULL; __index (methods, then properties) and __newindex (setters) are made unless given here */
};
void binding_class_register(lua_State *L, const struct binding_class *class);
/* A handle begins with the pointer to its core object; NULL = closed. Pushes it, closed, all zero, with its metatable. */
void *binding_new(lua_State *L, size_t size, int user_values, const char *class_name);
/* The handle at `index`, which must be open: else raises "map is closed". */
void *binding_check(lua_State *L, int index, const char *class_name);
/* Pushes "ebpf.map: name" for __tostring. */
int binding_tostring(lua_State *L, const char *class_name, const char *text);

#define CLASS_BLOCK "ebpf.block"
#define CLASS_COLLECTION "ebpf.collection"
#define CLASS_ERROR "ebpf.error"
#define CLASS_KERNEL "ebpf.kernel"
#define CLASS_LINK "ebpf.link"
#define CLASS_LOOP "ebpf.loop"
#define CLASS_MAP "ebpf.map"
#define CLASS_PROGRAM "ebpf.program"
#define CLASS_RING "ebpf.ring"
#define CLASS_SOURCE "ebpf.source"
#define CLASS_SPEC "ebpf.spec"

/* Each file adds its classes, and its functions to the module's table, which is on top of the stack. */
void binding_open_error(lua_State *L);
void binding_open_kernel(lua_State *L);
void binding_open_spec(lua_State *L);
void binding_open_collection(lua_State *L);
void binding_open_map(lua_State *L);
void binding_open_program(lua_State *L);
void binding_open_link(lua_State *L);
void binding_open_ring(lua_State *L);
void binding_open_loop(lua_State *L);
void binding_open_asm(lua_State *L);

/* A finished block of instructions, which now belongs to the caller: its handle is closed. Raises when there is none (asm.c). */
struct ebpf_block *binding_take_block(lua_State *L, int index);

struct ebpf_map *binding_check_map(lua_State *L, int index);
struct ebpf_program *binding_check_program(lua_State *L, int index);
/* Push a closed handle, whose core object is then stored in *object: one reference that it owns. `parent` is the index of what it keeps alive, or 0. */
struct ebpf_map **binding_new_map(lua_State *L, int parent);
struct ebpf_program **binding_new_program(lua_State *L, int parent);
struct ebpf_link **binding_new_link(lua_State *L, int parent);
/* The descriptor of a map, program or link, or -1 when the value is none. */
int binding_object_fd(lua_State *L, int index);

/* -- arguments (option.c) -- */

/* Calls `each` for the pairs of an option table (nil or none = no options); raises "unknown option 'x' (known: a, b)" for names that are not in
 * `names`, which ends with NULL. Returns false when there is no table. */
bool binding_check_options(lua_State *L, int index, const char *const *names);
/* A field of an option table; the default when it is nil. Raise naming the option. `index` 0 or no table = the default. */
uint64_t binding_option_integer(lua_State *L, int index, const char *name, uint64_t maximum, uint64_t otherwise);
bool binding_option_boolean(lua_State *L, int index, const char *name, bool otherwise);
/* Borrowed from the table: valid while it holds the string. */
const char *binding_option_string(lua_State *L, int index, const char *name, const char *otherwise);
/* A name of an enum, or its number. Raises naming the nearest. */
uint32_t binding_check_enum(lua_State *L, int index, enum ebpf_enum which);
void binding_push_enum(lua_State *L, enum ebpf_enum which, uint32_t value);
/* Seconds (integer or float) in nanoseconds; raises for negative or absurd ones. */
uint64_t binding_check_seconds(lua_State *L, int index);
/* Milliseconds for a wait: nil = -1 (for ever). Rounds up. */
int binding_check_timeout(lua_State *L, int index);

/* -- values by layout (codec.c): Lua values <-> bytes -- */

/* A plan made once per layout and kept as a userdata; its user value 1 is the table of the field names that the plan refers to by index. */
struct binding_codec;
/* Pushes the codec of a layout (NULL: raw strings of `size` bytes). It borrows the layout unless `own`, then its userdata frees it, also when this raises. */
struct binding_codec *binding_codec_push(lua_State *L, struct ebpf_layout *layout, size_t size, bool own);
/* Reads: pushes one value. `keys` is the stack index of the codec's user value 1 (scalars do not look at it). Needs
 * binding_codec_depth() free stack slots. */
void binding_decode(lua_State *L, const struct binding_codec *codec, int keys, const uint8_t *data);
/* Writes the value at `index` to `data`, which is binding_codec_size() long. Raises naming the path ("value.flags[3]"). */
void binding_encode(lua_State *L, const struct binding_codec *codec, int keys, int index, uint8_t *data, const char *what);
size_t binding_codec_size(const struct binding_codec *codec);
int binding_codec_depth(const struct binding_codec *codec);
bool binding_codec_is_plain(const struct binding_codec *codec); /* a scalar or string: decodes without keys */
const char *binding_codec_name(const struct binding_codec *codec); /* the C name of the type */
/* One field of a struct by itself: its number (raises for an unknown one), and its value. */
int binding_codec_field(lua_State *L, const struct binding_codec *codec, const char *name);
void binding_decode_field(lua_State *L, const struct binding_codec *codec, int keys, int field, const uint8_t *data);

/* -- records (record.c): how a ring's records become Lua values -- */

#endif
