/* binding.h -- what the files of the Lua module share: classes, handles, errors, options, and values by layout.
 *
 * The bindings include "ebpf.h" of the core and nothing else of it. Each file binds one kind of object: one Lua value, one core
 * object. A method checks its arguments, calls the core once and pushes the result; what needs an `if` about eBPF
 * belongs in src/, what is sugar belongs in lua/ebpf/.
 *
 * Rules that every file keeps:
 *  - A handle's userdata is made first, closed (NULL inside), with its metatable; only then is the resource acquired. close,
 *    __close and __gc are one function that may be called any number of times, in any order at lua_close().
 *  - No Lua error is raised while C memory or a descriptor is held that no userdata owns. Temporary buffers are userdata.
 *  - A child keeps its parent alive in user value 1; every object of the core holds its own counted references besides.
 *  - Whatever allocates may collect garbage and run a finalizer that closes any handle: a core object is fetched from its handle
 *    (binding_check_...) after the last allocation before it is used.
 *  - Errors of the world: return binding_fail(L) -> nil, err, errno. Mistakes in a call: luaL_error.
 */
#ifndef EBPF_BINDING_H
#define EBPF_BINDING_H

#include <lauxlib.h>
#include <lua.h>

#include "ebpf.h"

/* -- per lua_State (core.c) -- */

/* The one error that all calls of this state fill: owned by a userdata, so that pushing its log may run out of memory without
 * leaking it. A callback may fill it in the middle of a call that is given it too: a callee fills it as the last thing before it
 * returns. */
struct ebpf_error *binding_error(lua_State *L);
/* The state's default context, made on first use; NULL with the error filled. */
struct ebpf_kernel *binding_kernel(lua_State *L);

/* What a program that embeds this state has set (host_script.c); all zero in an interpreter. */
struct binding_host {
	void (*log)(void *context, const char *text); /* NULL: to the standard error output */
	void *context;
	bool doomed; /* over its budget, or interrupted: no error is handled any more, all go up to the host */
	struct ebpf_policy *policy; /* that asks the host: errors say what it has refused */
	/* NULL, or: this thread runs from now on, which is worth so many instructions. Called before and after whatever resumes a thread. */
	void (*runs)(lua_State *thread, unsigned instructions);
	bool owns_loop; /* ebpf.loop() is the host's, which the registry has */
};
struct binding_host *binding_host(lua_State *L);
/* Pushes the loop that the host runs; false and nothing pushed without one. It is made with binding_loop_new_hosted(): pushes it, or nil, err,
 * errno; returns how many. */
bool binding_push_hosted_loop(lua_State *L);
void binding_set_hosted_loop(lua_State *L); /* takes it from the top of the stack */
int binding_loop_new_hosted(lua_State *L);
/* For the loop at `index`: its descriptor, -1 when the script has closed it; how many sources. And as a function to be called protected: (loop [,
 * timeout]) -> as loop:step(). */
int binding_loop_fd(lua_State *L, int index);
size_t binding_loop_count(lua_State *L, int index);
int binding_loop_dispatch(lua_State *L);

/* -- errors (error.c) -- */

/* Pushes nil, the error object, errno out of binding_error() and clears it; returns 3. */
int binding_fail(lua_State *L);
/* Raises the error object instead: for operators, which cannot return nil, err. */
int binding_raise(lua_State *L);
/* Pushes the error object alone; the second, of an error that is the caller's. */
void binding_push_error(lua_State *L);
void binding_push_this_error(lua_State *L, const struct ebpf_error *err);
/* true, or nil, err, errno. */
int binding_result(lua_State *L, int result);
/* Puts the traceback of `thread` behind the string on top, or into the error object there; other values stay as they are. */
void binding_add_traceback(lua_State *L, lua_State *thread);
/* Pushes the error at `index` as a text, with the traceback that it has. */
const char *binding_push_text(lua_State *L, int index);
/* Writes an error that nobody is there to be told to the standard error output, or where the host wants it (host.c). */
void binding_log(lua_State *L, const char *text);
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
	const luaL_Reg *metamethods; /* or NULL; may give an __newindex other than that of the setters */
	lua_CFunction index;         /* __index with upvalues methods, properties, metatable; NULL = look in the one, then in the other */
};
void binding_class_register(lua_State *L, const struct binding_class *class);
/* A handle begins with the pointer to its core object; NULL = closed. Pushes it, closed, all zero, with its metatable. */
void *binding_new(lua_State *L, size_t size, int user_values, const char *class_name);
/* The handle at `index`, which must be open: else raises "map is closed". */
void *binding_check(lua_State *L, int index, const char *class_name);
/* Pushes "ebpf.map: name" for __tostring. */
int binding_tostring(lua_State *L, const char *class_name, const char *text);

#define CLASS_BLOCK "ebpf.block"
#define CLASS_BTF "ebpf.btf"
#define CLASS_BTF_BUILDER "ebpf.btf_builder"
#define CLASS_BTF_OBJECT "ebpf.btf_object"
#define CLASS_COLLECTION "ebpf.collection"
#define CLASS_ERROR "ebpf.error"
#define CLASS_INSTRUCTION "ebpf.instruction"
#define CLASS_INSTRUCTIONS "ebpf.instructions"
#define CLASS_ITERATOR "ebpf.iterator"
#define CLASS_KERNEL "ebpf.kernel"
#define CLASS_LINK "ebpf.link"
#define CLASS_LOOP "ebpf.loop"
#define CLASS_MAP "ebpf.map"
#define CLASS_PIN_WALK "ebpf.pin_walk"
#define CLASS_PROGRAM "ebpf.program"
#define CLASS_RING "ebpf.ring"
#define CLASS_SINK "ebpf.sink"
#define CLASS_SOURCE "ebpf.source"
#define CLASS_SPEC "ebpf.spec"
#define CLASS_STATS "ebpf.stats"
#define CLASS_TASK "ebpf.task"

/* -- lists of children by name (list.c): spec.maps, coll.programs -- */

/* `owner` is what the owner's handle points to. */
struct binding_list {
	const char *owner_class;
	size_t (*count)(const void *owner);
	const char *(*name)(const void *owner, size_t index);
	/* another name ("xdp", ".rodata"), good where it is the only one; may be NULL */
	const char *(*alias)(const void *owner, size_t index);
	void (*push)(lua_State *L, int owner_index, size_t index);
};
/* Pushes list[name], pairs(list) and #list, for the handle at `owner_index`, which it keeps alive. */
void binding_push_list(lua_State *L, int owner_index, const struct binding_list *list);

/* Each file adds its classes, and its functions to the module's table, which is on top of the stack. */
void binding_open_error(lua_State *L);
void binding_open_list(lua_State *L);
void binding_open_kernel(lua_State *L);
void binding_open_features(lua_State *L);
void binding_open_pin(lua_State *L);
void binding_open_token(lua_State *L);
void binding_open_spec(lua_State *L);
void binding_open_fields(lua_State *L);
void binding_open_collection(lua_State *L);
void binding_open_map(lua_State *L);
void binding_open_program(lua_State *L);
void binding_open_link(lua_State *L);
void binding_open_iterator(lua_State *L);
void binding_open_ring(lua_State *L);
void binding_open_user_ring(lua_State *L);
void binding_open_sink(lua_State *L);
void binding_open_format(lua_State *L);
void binding_open_loop(lua_State *L);
void binding_open_asm(lua_State *L);
void binding_open_btf(lua_State *L);
void binding_open_btf_text(lua_State *L);
void binding_open_type(lua_State *L);
void binding_open_btf_build(lua_State *L);
void binding_open_btf_object(lua_State *L);
void binding_open_usdt(lua_State *L);

/* A handle of CLASS_BLOCK (asm.c) holds a finished block; who consumes the block stores NULL in the handle. Pushes a closed one. */
struct ebpf_block **binding_new_block(lua_State *L);
/* Pushes the list of instructions that a block, which a handle holds, consists of. */
void binding_push_instructions(lua_State *L, const struct ebpf_block *block);
/* The same by hand: pushes an empty list; pushes an instruction (`next` is looked at for a wide load alone); and sets what belongs to the
 * instruction on top of the stack. `id` 0: the reference has none. */
void binding_new_instructions(lua_State *L);
void binding_push_instruction(lua_State *L, const struct ebpf_insn *insn, const struct ebpf_insn *next);
void binding_push_source(lua_State *L, const struct ebpf_source_line *line);
void binding_set_source(lua_State *L, const struct ebpf_source_line *line);
void binding_set_reference(lua_State *L, enum ebpf_reference kind, const char *name, int64_t addend, uint32_t id);

struct ebpf_map *binding_check_map(lua_State *L, int index);
struct ebpf_program *binding_check_program(lua_State *L, int index);
struct ebpf_link *binding_check_link(lua_State *L, int index);
/* Methods of links that read an iterator (iterator.c): link:open() -> iterator; link:lines(), for a `for`; link:read() -> all of
 * it. */
int binding_link_open(lua_State *L);
int binding_link_lines(lua_State *L);
int binding_link_read(lua_State *L);
int binding_link_records(lua_State *L); /* link:records(type), for a `for` */
/* Push a closed handle, whose core object is then stored in *object: one reference that it owns. `parent` is the index of what it
 * keeps alive, or 0. */
struct ebpf_map **binding_new_map(lua_State *L, int parent);
struct ebpf_program **binding_new_program(lua_State *L, int parent);
struct ebpf_link **binding_new_link(lua_State *L, int parent);
/* Pushes a handle on types, with a reference of its own; nil for NULL. */
void binding_push_btf(lua_State *L, struct ebpf_btf *btf);
struct ebpf_btf *binding_check_btf(lua_State *L, int index);
/* btf:load() -> an object in the kernel (btf_object.c) */
int binding_btf_load(lua_State *L);
/* Pushes a closed handle, whose types are then stored in *handle: one reference that it owns. */
struct ebpf_btf **binding_new_btf(lua_State *L);
/* The type at `index`: an id, a C name or a type object of these types. -1 with binding_error() filled when there is no such name; raises
 * for an id out of range and for a type of other types. */
int64_t binding_to_type_id(lua_State *L, const struct ebpf_btf *btf, int index);
/* Pushes a type object of the types whose handle is at `handle`. */
void binding_push_type(lua_State *L, int handle, uint32_t id);
/* The Spec's handle at `index`, open. */
struct ebpf_spec *binding_check_spec(lua_State *L, int index);
/* Sets the initial value of a variable of the Spec at stack index `spec` from the value at `index`; raises when there is no such
 * variable, or the value does not fit. */
void binding_set_variable(lua_State *L, int spec, const char *name, int index);
/* prog:code() and prog:instructions() (code.c) */
int binding_program_code(lua_State *L);
int binding_program_instructions(lua_State *L);
void binding_open_code(lua_State *L);
/* Pushes the fields of a struct_ops map of the Spec at stack index `spec`, or nil for a map without (fields.c). */
void binding_push_fields(lua_State *L, int spec, struct ebpf_map_spec *map);
/* The token that the option at `index` names: a handle, the path of a BPF file system, true (any that can be found), or nil (none: *out
 * NULL). Pushes what keeps it alive. Negative with binding_error() filled when it cannot be had. (token.c) */
int binding_to_token(lua_State *L, int index, struct ebpf_token **out);
/* spec:load(options) -> collection (collection.c) */
int binding_spec_load(lua_State *L);
/* Fills link options of any kind from the table at `index` but for the names `except` (NULL-terminated, or NULL); its strings stay borrowed from the
 * table, and what it leaves on the stack must stay there as long as they are used. */
void binding_link_options(lua_State *L, struct ebpf_link_options *options, int index, const char *const *except);
/* The descriptor of a map, program or link, or -1 when the value is none. */
int binding_object_fd(lua_State *L, int index);

/* Methods of a BTF's handle that make text (btf_text.c). */
int binding_btf_dump(lua_State *L);
int binding_btf_declare(lua_State *L);
int binding_btf_format(lua_State *L);
int binding_btf_parse(lua_State *L);

/* -- arguments (option.c) -- */

/* Checks an option table at `index`: every name must be in `names`, which ends with NULL, else raises "unknown option 'x' (known:
 * a, b)". Returns false when there is no table (nil or none). */
bool binding_check_options(lua_State *L, int index, const char *const *names);
/* A field of the option table at `index`, or `otherwise` when it is nil or there is no table. Raise naming the option. */
uint64_t binding_option_integer(lua_State *L, int index, const char *name, uint64_t maximum, uint64_t otherwise);
bool binding_option_boolean(lua_State *L, int index, const char *name, bool otherwise);
/* Borrowed: valid while the table holds the string. */
const char *binding_option_string(lua_State *L, int index, const char *name, const char *otherwise);
/* An integer of 0 to `maximum` (UINT64_MAX: any). Raises naming `what`. */
uint64_t binding_to_integer(lua_State *L, int index, uint64_t maximum, const char *what);
/* A string without embedded NUL. Raises naming `what`. */
const char *binding_to_string(lua_State *L, int index, const char *what);
/* The number of a name of the kernel's, or a number as it is. Raises for an unknown name. */
uint32_t binding_to_enum(lua_State *L, int index, enum ebpf_enum which, const char *what);
/* Flags: a number, a name or a list of names, whose bits `bit_of` tells. Raises for an unknown one. */
uint32_t binding_to_flags(lua_State *L, int index, int64_t (*bit_of)(const char *name), const char *what);
/* Flags of a map: a number, a name ("no_prealloc") or a list of names. Raises for an unknown one. */
uint32_t binding_to_map_flags(lua_State *L, int index);
/* The name, or the number when it has none. */
void binding_push_enum(lua_State *L, enum ebpf_enum which, uint32_t value);
/* The attach type's name, or nil for a program that has none. */
void binding_push_attach_type(lua_State *L, uint32_t program_type, uint32_t attach_type);
/* Set a field of the table on top of the stack. */
void binding_set_integer(lua_State *L, const char *name, uint64_t value);
void binding_set_string(lua_State *L, const char *name, const char *text);
/* Seconds (integer or float) in nanoseconds; raises for negative or absurd ones. */
uint64_t binding_to_seconds(lua_State *L, int index, const char *what);
/* The same in milliseconds for a wait, rounded up; nil = -1 (for ever). */
int binding_to_timeout(lua_State *L, int index, const char *what);

/* -- readers of ring buffers (ring.c), for the loop -- */

struct binding_ring;
/* ebpf.events(map, options) for the values at these indices: pushes the reader that the map calls for, or nil, err, errno (returns how many). */
int binding_ring_open(lua_State *L, int map, int options);
/* The reader at `index`, open. */
struct binding_ring *binding_check_ring(lua_State *L, int index);
struct ebpf_ring *binding_ring_core(struct binding_ring *ring); /* NULL when closed */
/* Pushes a sink of the reader at `ring`, declared by the table at `index`; or nil, err, errno (returns how many). */
int binding_ring_sink(lua_State *L, int ring, int index);
/* How often the reader is to be drained, in nanoseconds; 0 = whenever it is woken. */
uint64_t binding_ring_interval(const struct binding_ring *ring);
/* Calls the function at `function` (or feeds the sink there) with each record that is there, at most `limit` (0 = one lap of the ring), until `*stop` is set
 * or the reader is closed. Returns how many. An error leaves that record and those before it consumed and goes on up: call it
 * protected, and binding_ring_release() afterwards either way. */
lua_Integer binding_ring_drain(lua_State *L, int ring, int function, lua_Integer limit, const bool *stop);
void binding_ring_release(lua_State *L, struct binding_ring *ring, int index);
bool binding_ring_is_busy(const struct binding_ring *ring);
/* Who is to be told, once, before the reader's memory goes; false when somebody is already. A NULL function takes it back. */
bool binding_ring_watch(struct binding_ring *ring, void (*closing)(void *context), void *context);

/* -- sinks (sink.c) -- */

struct ebpf_sink *binding_check_sink(lua_State *L, int index);
/* Makes a sink of the table at `index`, for records of a layout, which stays meanwhile: pushes it, or nil, err, errno (returns how many). */
int binding_sink_new(lua_State *L, const struct ebpf_layout *layout, int index);
/* The conditions at `index`, compiled: NULL with the error filled. Raises for what are none. */
struct ebpf_filter *binding_to_filter(lua_State *L, const struct ebpf_layout *layout, int index);
/* In a task of a loop (task.c): arranges that the reader at the positive index `ring` wakes it, or the time (-1 = never), and returns true: the
 * caller yields, and is resumed with true, or with false when the time was over or the reader is closed. Raises what the loop refuses. */
bool binding_in_task(lua_State *L);
bool binding_task_wait_ring(lua_State *L, int ring, int timeout_ms);

/* -- values by layout (codec.c): Lua values <-> bytes -- */

/* How values of one type are read and written: a plan of flat steps made once from a layout and kept as a userdata. User value 1 is
 * the list of field names that the steps refer to by number, so that reading interns nothing. It borrows the layout, which must
 * outlive it. */
struct binding_codec;
/* Pushes the codec of a layout; NULL = raw strings of `size` bytes. */
const struct binding_codec *binding_codec_push(lua_State *L, const struct ebpf_layout *layout, size_t size);
/* Pushes a codec that owns its layout, of the type `id` of `btf` (id 0 or btf NULL = raw strings), or of the type that is called
 * `name`. NULL with binding_error() filled and nothing pushed. */
const struct binding_codec *binding_codec_push_id(lua_State *L, const struct ebpf_btf *btf, uint32_t id, size_t size);
const struct binding_codec *binding_codec_push_name(lua_State *L, const char *name, const struct ebpf_btf *btf);
/* Pushes a codec that owns its layout: the same, with integers of types like __be32 in the order that their names say. NULL as before. */
const struct binding_codec *binding_codec_push_ordered(lua_State *L, const struct ebpf_layout *layout);
/* Pushes the codec of raw strings that may be written as integers of this order. */
const struct binding_codec *binding_codec_push_bytes(lua_State *L, size_t size, bool big_endian);
/* Pushes the value that `data` holds. `keys` is the stack index of the names (not looked at for plain codecs). The caller has made
 * sure of binding_codec_depth() stack slots. May collect garbage, and so run finalizers. */
void binding_decode(lua_State *L, const struct binding_codec *codec, int keys, const void *data);
/* Writes the value at `index` to `data`, binding_codec_size() bytes, padding and missing fields as zeros. Runs no Lua code. Raises
 * naming the path behind `what`: "value.flags[3]: integer expected, got string". */
void binding_encode(lua_State *L, const struct binding_codec *codec, int keys, int index, void *data, const char *what);
/* The same into `size` bytes, binding_codec_size() or more: a flexible array at the end may go as far. How many the value at `index` takes. */
void binding_encode_record(lua_State *L, const struct binding_codec *codec, int keys, int index, void *data, size_t size, const char *what);
size_t binding_encode_size(lua_State *L, const struct binding_codec *codec, int keys, int index);
/* As binding_encode for an integer, with no look at the stack; false when the type is none that takes it: binding_encode then says why. */
bool binding_encode_integer(const struct binding_codec *codec, lua_Integer value, void *data);
size_t binding_codec_size(const struct binding_codec *codec);
bool binding_codec_takes(const struct binding_codec *codec, size_t size); /* of its size, or longer where its end is open */
int binding_codec_depth(const struct binding_codec *codec);
/* Neither struct, union nor array: needs no keys, and reading it runs no finalizer. */
bool binding_codec_is_plain(const struct binding_codec *codec);
bool binding_codec_is_struct(const struct binding_codec *codec);
bool binding_codec_is_flat(const struct binding_codec *codec);   /* a struct of few fields, all of them plain */
const char *binding_codec_name(const struct binding_codec *codec); /* of the type, as in C; "" for raw strings */
/* The fields of a struct by number, from 0: their names are the keys 1, 2, ... */
uint32_t binding_codec_fields(const struct binding_codec *codec);
/* As binding_decode for a flat struct, with its keys on the stack from `first_key` on: no look-ups at all. */
void binding_decode_flat(lua_State *L, const struct binding_codec *codec, int first_key, const void *data);
/* Records whose last field, a string or an array, ends where the record does: between binding_codec_least() and any size. With `size` of
 * binding_codec_whole() or more there is nothing to be seen to. */
size_t binding_codec_least(const struct binding_codec *codec);
size_t binding_codec_whole(const struct binding_codec *codec);
void binding_decode_record(lua_State *L, const struct binding_codec *codec, int keys, const void *data, size_t size);
void binding_decode_field(lua_State *L, const struct binding_codec *codec, int keys, uint32_t field, const void *data, size_t size);
/* From now on the codec at `index`, which nobody writes with, reads enums as the names of their enumerators. */
void binding_codec_name_enums(lua_State *L, int index);
const struct ebpf_layout *binding_codec_layout(const struct binding_codec *codec); /* NULL: raw strings */
/* Pushes a userdata that has a reference to a root: it stays whatever a finalizer closes. */
const struct ebpf_layout *binding_layout_keep(lua_State *L, const struct ebpf_layout *layout);

#endif
