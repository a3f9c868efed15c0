/* map.h -- what the files about maps share: the handle, and one element's way between Lua and its buffers.
 *
 * map.c: the handle, single elements, m[k]. map_many.c: pairs(m), drain, batches, clear. map_make.c: creating and opening. memory.c: mapped
 * arrays. Keys and values go through two codecs and two buffers that are made on the first use of a map's elements and kept in its user
 * values: a lookup of scalars allocates nothing. Reading a struct makes tables, so it may collect garbage and run a finalizer that
 * uses the very same map: therefore a map is `busy` while a value is read out of its buffer; then others take buffers of their own,
 * and close waits. */
#ifndef EBPF_BINDING_MAP_H
#define EBPF_BINDING_MAP_H

#include "binding.h"

struct binding_map {
	struct ebpf_map *map;
	const struct binding_codec *key_codec, *value_codec; /* of one CPU's value */
	uint8_t *scratch;     /* key, then value */
	size_t key_size, value_size; /* of all CPUs' pieces */
	uint32_t cpus, stride; /* of a per-CPU map; else 0 */
	bool prefixes;        /* keys may be written as "10.0.0.0/8" ... */
	bool text_keys;       /* ... and are read so: nothing else is known of them */
	bool scalars;         /* key and value are each one integer or so, made ready */
	bool owners;          /* keys may be { pid = n } or { path = p } */
	bool owned_values;    /* ... and values */
	int opened;           /* what such a one was opened as, until the element has been dealt with; or -1 */
	unsigned busy;
	bool close_later;
};
/* What an operation works with: `key` and `value` may be pointed elsewhere. */
struct binding_map_operation {
	struct binding_map *handle;
	int index;
	uint8_t *key, *value;
};
/* The map at `index`, open and ready. May push a buffer. */
struct binding_map_operation binding_map_begin(lua_State *L, int index);
/* The core's map, when everything that may collect garbage has been done. */
struct ebpf_map *binding_map_ready(lua_State *L, const struct binding_map_operation *op);
/* The value at `index` to op->key, op->value; raise naming the path. */
void binding_map_write_key(lua_State *L, const struct binding_map_operation *op, int index);
void binding_map_write_value(lua_State *L, const struct binding_map_operation *op, int index);
/* Push what the bytes hold; a per-CPU value is the list of all CPUs' pieces. */
void binding_map_read_key(lua_State *L, const struct binding_map_operation *op, const void *data);
void binding_map_read_value(lua_State *L, const struct binding_map_operation *op, const uint8_t *data);
/* Between these the map is not closed, whatever a finalizer wants. */
void binding_map_enter(struct binding_map *handle);
void binding_map_leave(struct binding_map *handle);
/* "noexist", "exist", "lock", "any", a number, or nothing. */
uint64_t binding_map_flags(lua_State *L, int index);

/* Methods of a map that are in other files. */
int binding_map_entries(lua_State *L);
int binding_map_drain(lua_State *L);
int binding_map_set_batch(lua_State *L);
int binding_map_delete_batch(lua_State *L);
int binding_map_clear(lua_State *L);
int binding_map_stack(lua_State *L);
int binding_map_memory(lua_State *L);
/* Each adds its classes, and its functions to the module's table on top of the stack. */
void binding_open_map_many(lua_State *L);
void binding_open_map_make(lua_State *L);
void binding_open_memory(lua_State *L);

#endif
