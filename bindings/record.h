/* record.h -- how the records of one map become Lua values: a table for each, some fields, one view for all, a string.
 *
 * A shape is a userdata, made once from the type of the records and a reader's options. What it needs for each record is put on the stack by
 * binding_shape_enter before the first: the keys of its tables are interned once, and no registry is looked into. A record is bytes of the ring, which the
 * values are copied from; the view alone looks at them later, until it is expired.
 *
 * The view is a table that is empty at first: a field that is asked for is read then, by __index. Fields that are asked for again and again are put into it
 * before the callback from then on, since a call of __index costs more than reading does (about 40 ns against 10). */
#ifndef EBPF_BINDING_RECORD_H
#define EBPF_BINDING_RECORD_H

#include "binding.h"

struct binding_shape;
/* Where on the stack is what records are made with. */
struct binding_place {
	struct binding_shape *shape;
	int (*push)(lua_State *L, const struct binding_place *place, const void *data, size_t size);
	int names, view;
	int first_key;        /* of those that are on the stack */
	size_t least;         /* bytes that a record must have */
};

#define BINDING_SHAPE_OPTIONS "type", "fields", "view", "raw", "enums", "network"
/* Pushes the shape of the map's records, of the type that the option table at `options` names, or the map's value type. Raises. The map must stay meanwhile. */
struct binding_shape *binding_shape_push(lua_State *L, const struct ebpf_map *map, int options);
/* NULL: their type is not known, they are strings. */
const struct ebpf_layout *binding_shape_layout(const struct binding_shape *shape);
/* Stack slots that entering and a record need. */
int binding_shape_slots(const struct binding_shape *shape);
/* Pushes what records of the shape at `index` are made with. */
void binding_shape_enter(lua_State *L, int index, struct binding_place *place);
/* Raises for a record of fewer bytes than place->least. */
int binding_shape_refuse(lua_State *L, const struct binding_place *place, const struct ebpf_map *map, size_t size);
/* Pushes a record that has as many; returns how many values. */
static inline int binding_shape_record(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	return place->push(L, place, data, size);
}
/* The view, if there is one, shows nothing any more. Raises nothing. */
void binding_shape_expire(lua_State *L, struct binding_shape *shape, int index);

#endif
