/* record.c -- shapes: the plan of a map's records, and what is pushed for each. */
#include "codec.h"
#include "record.h"

enum { CODEC = 1, NAMES, VIEW, FIELDS, USER_VALUES = FIELDS };
enum { HOT_MAX = 16, HOT_READS = 16 };

/* A field of the view that is read from nearly every record. */
struct hot {
	uint32_t field;
	struct step step;
};
struct binding_shape {
	const struct binding_codec *codec;
	int (*push)(lua_State *L, const struct binding_place *place, const void *data, size_t size);
	size_t least;         /* a record must have; 0 of strings */
	size_t whole;         /* from which on a record is read without a look at where it ends */
	size_t filled;        /* what the kernel makes of `whole` in a perf buffer; 0 of a ring buffer */
	/* fields */
	uint32_t *fields;     /* their numbers */
	struct step *steps;   /* of each, where all are scalars; else NULL */
	int field_count;
	/* the view */
	const void *data;     /* NULL = expired */
	size_t size;
	uint32_t shown;       /* records since the view was made */
	uint32_t *reads;      /* of each field, by __index; NULL without a view */
	int hot_count;
	struct hot hot[HOT_MAX];
};

/* -- the view: functions with upvalues field name -> number + 1, names by number, the shape -- */

static struct binding_shape *check_shown(lua_State *L)
{
	struct binding_shape *shape = lua_touserdata(L, lua_upvalueindex(3));

	if (!shape->data)
		luaL_error(L, "the view has expired: a record may be looked at until the callback returns");
	return shape;
}

/* Counts that a field was asked for: one that is, mostly, will be in the table before the next batch of records. Strings stay where they are: to make one
 * costs as much as the call. */
static void note_read(struct binding_shape *shape, uint32_t field)
{
	const struct step *step = &shape->codec->steps[shape->codec->nodes[shape->codec->root.node].first + field];
	uint32_t reads = ++shape->reads[field];

	if (reads < HOT_READS || reads < shape->shown / 2 || step->op > OP_BIT_BOOL || step->op == OP_ENUM || shape->hot_count == HOT_MAX)
		return;
	for (int i = 0; i < shape->hot_count; i++)
		if (shape->hot[i].field == field)
			return;
	shape->hot[shape->hot_count++] = (struct hot){ field, *step };
}

/* Whatever it is called with, the record is that of the shape. */
static int view_index(lua_State *L)
{
	luaL_argcheck(L, lua_gettop(L) == 2, 2, "a field's name expected");
	struct binding_shape *shape = check_shown(L);
	int depth = binding_codec_depth(shape->codec);

	if (depth > LUA_MINSTACK / 2)
		luaL_checkstack(L, depth, NULL);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	uint32_t field = (uint32_t)lua_tointeger(L, -1);

	if (!field)
		return luaL_error(L, "%s has no field '%s'", binding_codec_name(shape->codec), luaL_tolstring(L, 2, NULL));
	note_read(shape, field - 1);
	binding_decode_field(L, shape->codec, lua_upvalueindex(2), field - 1, shape->data, shape->size);
	return 1;
}

static int view_newindex(lua_State *L)
{
	return luaL_error(L, "a record cannot be changed");
}

/* pairs(view): of a table with all fields. */
static int view_pairs(lua_State *L)
{
	struct binding_shape *shape = check_shown(L);

	luaL_checkstack(L, binding_codec_depth(shape->codec) + 2, NULL);
	lua_getglobal(L, "next");
	binding_decode_record(L, shape->codec, lua_upvalueindex(2), shape->data, shape->size);
	return 2;
}

/* Pushes field name -> number + 1. */
static void push_numbers(lua_State *L, const struct binding_codec *codec, int names)
{
	uint32_t count = binding_codec_fields(codec);

	lua_createtable(L, 0, (int)count);
	for (uint32_t i = 1; i <= count; i++) {
		lua_rawgeti(L, names, i);
		lua_pushinteger(L, i);
		lua_rawset(L, -3);
	}
}

static void set_view_function(lua_State *L, const char *name, lua_CFunction function, int numbers, int names, int shape)
{
	lua_pushvalue(L, numbers);
	lua_pushvalue(L, names);
	lua_pushvalue(L, shape);
	lua_pushcclosure(L, function, 3);
	lua_setfield(L, -2, name);
}

static void make_view(lua_State *L, struct binding_shape *shape, int index, int names)
{
	size_t size = (binding_codec_fields(shape->codec) + 1) * sizeof(*shape->reads);

	shape->reads = lua_newuserdatauv(L, size, 0);
	memset(shape->reads, 0, size);
	lua_setiuservalue(L, index, FIELDS);
	lua_createtable(L, 0, HOT_MAX);
	int view = lua_gettop(L);

	push_numbers(L, shape->codec, names);
	lua_createtable(L, 0, 5);
	set_view_function(L, "__index", view_index, view + 1, names, index);
	set_view_function(L, "__pairs", view_pairs, view + 1, names, index);
	lua_pushcfunction(L, view_newindex);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "ebpf.record");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, view);
	lua_settop(L, view);
	lua_setiuservalue(L, index, VIEW);
}

void binding_shape_expire(lua_State *L, struct binding_shape *shape, int index)
{
	if (!shape->data)
		return;
	shape->data = NULL;
	if (!shape->hot_count || !lua_checkstack(L, 5))
		return;
	index = lua_absindex(L, index);
	lua_getiuservalue(L, index, NAMES);
	lua_getiuservalue(L, index, VIEW);
	for (int i = 0; i < shape->hot_count; i++) {
		lua_rawgeti(L, -2, (lua_Integer)shape->hot[i].field + 1);
		lua_pushnil(L);
		lua_rawset(L, -3);
	}
	lua_pop(L, 2);
}

/* -- what is pushed for a record -- */

static int push_string(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	lua_pushlstring(L, data, size == place->shape->filled ? place->shape->whole : size);
	return 1;
}

static int push_table(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	binding_decode_record(L, place->shape->codec, place->names, data, size);
	return 1;
}

static int push_flat(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	if (size < place->shape->whole)
		return push_table(L, place, data, size);
	binding_decode_flat(L, place->shape->codec, place->first_key, data);
	return 1;
}

static int push_fields(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	const struct binding_shape *shape = place->shape;

	for (int i = 0; i < shape->field_count; i++)
		binding_decode_field(L, shape->codec, place->names, shape->fields[i], data, size);
	return shape->field_count;
}

static int push_scalars(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	const struct binding_shape *shape = place->shape;
	const struct step *step = shape->steps, *end = step + shape->field_count;

	if (size < shape->whole)
		return push_fields(L, place, data, size);
	for (; step < end; step++)
		codec_push_scalar(L, step, data);
	return shape->field_count;
}

static int push_view(lua_State *L, const struct binding_place *place, const void *data, size_t size)
{
	struct binding_shape *shape = place->shape;

	shape->data = data;
	shape->size = size;
	shape->shown++;
	/* Numbers lie before what may be cut at the end, so they are there in every record. */
	for (int i = 0, key = place->first_key; key < place->view; i++, key++) {
		lua_pushvalue(L, key);
		codec_push_scalar(L, &shape->hot[i].step, data);
		lua_rawset(L, place->view);
	}
	lua_pushvalue(L, place->view);
	return 1;
}

/* -- making -- */

static uint32_t to_field(lua_State *L, const struct binding_shape *shape, int numbers, int list, int i)
{
	lua_rawgeti(L, list, i + 1);
	lua_rawget(L, numbers);
	uint32_t number = (uint32_t)lua_tointeger(L, -1);

	lua_pop(L, 1);
	if (number)
		return number - 1;
	lua_rawgeti(L, list, i + 1);
	return (uint32_t)luaL_error(L, "fields: %s has no field '%s'", binding_codec_name(shape->codec), luaL_tolstring(L, -1, NULL));
}

/* options.fields: a list of names. */
static void choose_fields(lua_State *L, struct binding_shape *shape, int index, int list, int names)
{
	luaL_checktype(L, list, LUA_TTABLE);
	size_t count = lua_rawlen(L, list);

	luaL_checkstack(L, count < INT16_MAX ? (int)count : INT16_MAX, "too many fields");
	shape->steps = lua_newuserdatauv(L, count * (sizeof(*shape->steps) + sizeof(*shape->fields)) + 1, 0);
	shape->fields = (uint32_t *)(shape->steps + count);
	lua_setiuservalue(L, index, FIELDS);
	push_numbers(L, shape->codec, names);
	bool scalars = true;

	for (size_t i = 0; i < count; i++) {
		shape->fields[i] = to_field(L, shape, lua_gettop(L), list, (int)i);
		shape->steps[i] = shape->codec->steps[shape->codec->nodes[shape->codec->root.node].first + shape->fields[i]];
		scalars &= codec_is_scalar(&shape->steps[i]);
	}
	lua_pop(L, 1);
	shape->field_count = (int)count;
	shape->push = scalars ? push_scalars : push_fields;
}

/* options.enums: "numbers" or "names". */
static bool enum_names(lua_State *L, int options)
{
	const char *enums = binding_option_string(L, options, "enums", "numbers");

	if (strcmp(enums, "numbers") != 0 && strcmp(enums, "names") != 0)
		luaL_error(L, "enums: \"numbers\" or \"names\" expected, got \"%s\"", enums);
	return enums[1] == 'a';
}

/* The codec of the records: the type that the options name, or the map's value type. */
static void choose_codec(lua_State *L, struct binding_shape *shape, int index, const struct ebpf_map *map, int options)
{
	const char *type = binding_option_string(L, options, "type", NULL);

	if (type) {
		shape->codec = binding_codec_push_name(L, type, ebpf_map_btf(map));
		if (!shape->codec)
			binding_raise(L);
	} else {
		shape->codec = binding_codec_push(L, ebpf_map_value_layout(map), 0);
	}
	if (binding_option_boolean(L, options, "network", false) && binding_codec_layout(shape->codec)) {
		shape->codec = binding_codec_push_ordered(L, binding_codec_layout(shape->codec));
		if (!shape->codec)
			binding_raise(L);
	}
	if (enum_names(L, options))
		binding_codec_name_enums(L, -1);
	lua_getiuservalue(L, -1, 1);
	lua_setiuservalue(L, index, NAMES);
	lua_setiuservalue(L, index, CODEC);
}

static void choose_push(lua_State *L, struct binding_shape *shape, int index, const struct ebpf_map *map, int options)
{
	bool raw = binding_option_boolean(L, options, "raw", false), view = binding_option_boolean(L, options, "view", false);

	lua_getiuservalue(L, index, NAMES);
	int names = lua_gettop(L);

	if (!lua_istable(L, options))
		lua_pushnil(L);
	else
		lua_getfield(L, options, "fields");
	bool fields = !lua_isnil(L, -1);

	if (raw + view + fields > 1)
		luaL_error(L, "raw, view and fields exclude each other");
	if ((view || fields) && !binding_codec_is_struct(shape->codec))
		luaL_error(L, "%s: the records' type is not known to be a struct; name it: { type = \"struct event\" }",
			   view ? "view" : "fields");
	if (raw || !binding_codec_layout(shape->codec)) {
		shape->push = push_string;
	} else if (fields) {
		choose_fields(L, shape, index, names + 1, names);
	} else if (view) {
		make_view(L, shape, index, names);
		shape->push = push_view;
	} else {
		shape->push = binding_codec_is_flat(shape->codec) ? push_flat : push_table;
	}
	shape->least = shape->push == push_string ? 0 : binding_codec_least(shape->codec);
	shape->whole = binding_codec_whole(shape->codec);
	/* with the 4 bytes of its length before it a multiple of 8 */
	if (shape->whole && shape->whole < UINT32_MAX && ebpf_map_type(map) != (uint32_t)ebpf_enum_value(EBPF_MAP_TYPE, "ringbuf"))
		shape->filled = (shape->whole + 4 + 7) / 8 * 8 - 4;
}

struct binding_shape *binding_shape_push(lua_State *L, const struct ebpf_map *map, int options)
{
	options = lua_absindex(L, options);
	struct binding_shape *shape = lua_newuserdatauv(L, sizeof(*shape), USER_VALUES);
	int index = lua_gettop(L);

	memset(shape, 0, sizeof(*shape));
	choose_codec(L, shape, index, map, options);
	choose_push(L, shape, index, map, options);
	lua_settop(L, index);
	return shape;
}

/* -- for readers -- */

const struct ebpf_layout *binding_shape_layout(const struct binding_shape *shape)
{
	return binding_codec_layout(shape->codec);
}

int binding_shape_slots(const struct binding_shape *shape)
{
	return binding_codec_depth(shape->codec) + shape->field_count + (int)binding_codec_fields(shape->codec) + HOT_MAX + 8;
}

void binding_shape_enter(lua_State *L, int index, struct binding_place *place)
{
	struct binding_shape *shape = lua_touserdata(L, index);

	index = lua_absindex(L, index);
	*place = (struct binding_place){ .shape = shape, .push = shape->push, .least = shape->least };
	lua_getiuservalue(L, index, NAMES);
	place->names = lua_gettop(L);
	place->first_key = place->names + 1;
	if (shape->push == push_flat)
		for (uint32_t i = 1; i <= binding_codec_fields(shape->codec); i++)
			lua_rawgeti(L, place->names, i);
	for (int i = 0; i < shape->hot_count; i++)
		lua_rawgeti(L, place->names, (lua_Integer)shape->hot[i].field + 1);
	lua_getiuservalue(L, index, VIEW);
	place->view = lua_gettop(L);
}

int binding_shape_refuse(lua_State *L, const struct binding_place *place, const struct ebpf_map *map, size_t size)
{
	const struct binding_shape *shape = place->shape;

	return luaL_error(L, "ring buffer '%s': a record has %d bytes, but %s has %s%d", ebpf_map_name(map), (int)size, binding_codec_name(shape->codec),
			  shape->least < shape->whole ? "at least " : "", (int)shape->least);
}
