/* ring.c -- readers of ring and perf buffers, and how their records become Lua values.
 *
 * The way of a record is one straight line: ebpf_ring_next gives it in place, the reader's shape says what is pushed (a table, some
 * fields, the reused view, a string), the function is called; space is given back to the kernel every few KiB. All that this needs
 * is on the stack before the first record: the keys of its tables are interned once, and no registry is looked into.
 *
 * A sink takes the place of the function: then the core reads, and nothing comes to Lua.
 *
 * A reader is `busy` while a record of it is being used: then close() waits, so that the memory under the record stays. */
#include <errno.h>
#include <string.h>

#include "binding.h"

enum { PARENT = 1, CODEC, NAMES, VIEW, FIELDS, LOST, USER_VALUES = LOST };
enum shape { RAW, TABLE, SOME_FIELDS, REUSED_VIEW };
enum { RELEASE_BYTES = 4096 }; /* read before space is given back */

/* One userdata for all records, good until the callback returns. */
struct view {
	const void *data;     /* NULL = expired */
	size_t size;
	const struct binding_codec *codec;
	int depth;            /* stack slots that reading needs */
};

struct binding_ring {
	struct ebpf_ring *ring;
	const struct binding_codec *codec;
	enum shape shape;
	size_t record_size;   /* the least of the type: a shorter record is an error; 0 when they are strings */
	size_t whole_size;    /* from which on a record is read without a look at where it ends */
	struct ebpf_filter *filter; /* records that do not pass are stepped over; or NULL */
	uint64_t interval;    /* of draining in a loop */
	uint32_t *fields;     /* SOME_FIELDS: their numbers */
	int field_count;
	struct view *view;    /* or NULL */
	bool tells_lost;      /* there is a function for lost records */
	unsigned busy;
	bool close_later;
	void (*closing)(void *context); /* the loop's source */
	void *closing_context;
};

struct binding_ring *binding_check_ring(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_RING);
}

struct ebpf_ring *binding_ring_core(struct binding_ring *ring)
{
	return ring->ring;
}

bool binding_ring_is_busy(const struct binding_ring *ring)
{
	return ring->busy > 0;
}

bool binding_ring_watch(struct binding_ring *ring, void (*closing)(void *context), void *context)
{
	if (ring->closing && closing)
		return false;
	ring->closing = closing;
	ring->closing_context = context;
	return true;
}

/* -- closing -- */

static void close_now(struct binding_ring *ring)
{
	struct ebpf_ring *core = ring->ring;

	if (ring->closing)
		ring->closing(ring->closing_context);
	ring->closing = NULL;
	ring->ring = NULL;
	if (ring->view)
		ring->view->data = NULL;
	ebpf_filter_free(ring->filter);
	ring->filter = NULL;
	ebpf_ring_close(core);
}

static int l_ring_close(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	if (ring->busy)
		ring->close_later = true;
	else
		close_now(ring);
	return 0;
}

/* Nobody can be reading any more, whatever an error left behind. */
static int l_ring_gc(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	ring->busy = 0;
	return l_ring_close(L);
}

static void leave(struct binding_ring *ring)
{
	if (--ring->busy == 0 && ring->close_later)
		close_now(ring);
}

/* -- the view -- */

/* Upvalues: field name -> number + 1, names by number, the view. The view is taken from there, whatever it is called with. */
static int view_index(lua_State *L)
{
	struct view *view = lua_touserdata(L, lua_upvalueindex(3));

	luaL_argcheck(L, lua_gettop(L) == 2, 2, "a field's name expected");
	if (!view->data)
		return luaL_error(L, "the view has expired: a record may be looked at until the callback returns");
	if (view->depth > LUA_MINSTACK / 2)
		luaL_checkstack(L, view->depth, NULL);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	lua_Integer field = lua_tointeger(L, -1);

	if (!field)
		return luaL_error(L, "%s has no field '%s'", binding_codec_name(view->codec), luaL_tolstring(L, 2, NULL));
	binding_decode_field(L, view->codec, lua_upvalueindex(2), (uint32_t)field - 1, view->data, view->size);
	return 1;
}

/* pairs(view): of a table with all fields. Upvalues as above. */
static int view_pairs(lua_State *L)
{
	struct view *view = lua_touserdata(L, lua_upvalueindex(3));

	if (!view->data)
		return luaL_error(L, "the view has expired: a record may be looked at until the callback returns");
	luaL_checkstack(L, view->depth + 2, NULL);
	lua_getglobal(L, "next");
	binding_decode_record(L, view->codec, lua_upvalueindex(2), view->data, view->size);
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

static void set_view_function(lua_State *L, const char *name, lua_CFunction function, int numbers, int names, int view)
{
	lua_pushvalue(L, numbers);
	lua_pushvalue(L, names);
	lua_pushvalue(L, view);
	lua_pushcclosure(L, function, 3);
	lua_setfield(L, -2, name);
}

static void make_view(lua_State *L, struct binding_ring *ring, int index, int names)
{
	struct view *view = lua_newuserdatauv(L, sizeof(*view), 1);
	int view_at = lua_gettop(L);

	*view = (struct view){ NULL, 0, ring->codec, binding_codec_depth(ring->codec) };
	lua_getiuservalue(L, index, CODEC);
	lua_setiuservalue(L, view_at, 1);
	push_numbers(L, ring->codec, names);
	lua_createtable(L, 0, 4);
	set_view_function(L, "__index", view_index, view_at + 1, names, view_at);
	set_view_function(L, "__pairs", view_pairs, view_at + 1, names, view_at);
	lua_pushliteral(L, "ebpf.record");
	lua_setfield(L, -2, "__name");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, view_at);
	lua_settop(L, view_at);
	lua_setiuservalue(L, index, VIEW);
	ring->view = view;
}

/* -- shapes -- */

/* options.fields: a list of names. */
static void choose_fields(lua_State *L, struct binding_ring *ring, int index, int list, int names)
{
	luaL_checktype(L, list, LUA_TTABLE);
	ring->field_count = (int)lua_rawlen(L, list);
	luaL_checkstack(L, ring->field_count, "too many fields");
	uint32_t *fields = lua_newuserdatauv(L, ((size_t)ring->field_count + 1) * sizeof(*fields), 0);

	lua_setiuservalue(L, index, FIELDS);
	push_numbers(L, ring->codec, names);
	for (int i = 0; i < ring->field_count; i++) {
		lua_rawgeti(L, list, i + 1);
		lua_rawget(L, -2);
		if (lua_isnil(L, -1)) {
			lua_rawgeti(L, list, i + 1);
			luaL_error(L, "fields: %s has no field '%s'", binding_codec_name(ring->codec), luaL_tolstring(L, -1, NULL));
		}
		fields[i] = (uint32_t)lua_tointeger(L, -1) - 1;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	ring->fields = fields;
	ring->shape = SOME_FIELDS;
}

/* options.enums: "numbers" or "names". */
static bool enum_names(lua_State *L, int options)
{
	const char *enums = binding_option_string(L, options, "enums", "numbers");

	if (strcmp(enums, "numbers") != 0 && strcmp(enums, "names") != 0)
		luaL_error(L, "enums: \"numbers\" or \"names\" expected, got \"%s\"", enums);
	return enums[1] == 'a';
}

/* The codec of the records: the type that the options name, or the map's value type; without either they are strings. */
static void choose_codec(lua_State *L, struct binding_ring *ring, int index, int options)
{
	struct ebpf_map *map = ebpf_ring_map(ring->ring);
	const char *type = binding_option_string(L, options, "type", NULL);

	if (type) {
		ring->codec = binding_codec_push_name(L, type, ebpf_map_btf(map));
		if (!ring->codec)
			binding_raise(L);
	} else {
		ring->codec = binding_codec_push(L, ebpf_map_value_layout(map), 0);
	}
	if (binding_option_boolean(L, options, "network", false) && binding_codec_layout(ring->codec)) {
		ring->codec = binding_codec_push_ordered(L, binding_codec_layout(ring->codec));
		if (!ring->codec)
			binding_raise(L);
	}
	if (enum_names(L, options))
		binding_codec_name_enums(L, -1);
	lua_getiuservalue(L, -1, 1);
	lua_setiuservalue(L, index, NAMES);
	lua_setiuservalue(L, index, CODEC);
	ring->shape = type || ebpf_map_value_layout(map) ? TABLE : RAW;
}

static void choose_shape(lua_State *L, struct binding_ring *ring, int index, int options)
{
	bool raw = binding_option_boolean(L, options, "raw", false), view = binding_option_boolean(L, options, "view", false);

	choose_codec(L, ring, index, options);
	lua_getiuservalue(L, index, NAMES);
	int names = lua_gettop(L);

	if (lua_istable(L, options))
		lua_getfield(L, options, "fields");
	else
		lua_pushnil(L);
	bool fields = !lua_isnil(L, -1);

	if (raw + view + fields > 1)
		luaL_error(L, "raw, view and fields exclude each other");
	if ((view || fields) && !binding_codec_is_struct(ring->codec))
		luaL_error(L, "%s: the records' type is not known to be a struct; name it: { type = \"struct event\" }",
			   view ? "view" : "fields");
	if (raw)
		ring->shape = RAW;
	else if (fields)
		choose_fields(L, ring, index, names + 1, names);
	else if (view) {
		make_view(L, ring, index, names);
		ring->shape = REUSED_VIEW;
	}
	ring->record_size = ring->shape == RAW ? 0 : binding_codec_least(ring->codec);
	ring->whole_size = binding_codec_whole(ring->codec);
}

/* options.where, by the fields of the records' type. false with the error filled. */
static bool choose_filter(lua_State *L, struct binding_ring *ring, int options)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "where") == LUA_TNIL)
		return true;
	const struct ebpf_layout *layout = binding_codec_layout(ring->codec);

	if (!layout)
		luaL_error(L, "where: the records' type is not known to be a struct; name it: { type = \"struct event\" }");
	ring->filter = binding_to_filter(L, layout, lua_gettop(L));
	return ring->filter != NULL;
}

/* The map that counts what is lost: options.lost_map, or the one of the ring's collection that is called so by convention. */
static int choose_lost(lua_State *L, struct binding_ring *ring, int index, int options)
{
	struct ebpf_map *lost = NULL;

	if (lua_istable(L, options) && lua_getfield(L, options, "lost_map") != LUA_TNIL)
		return ebpf_ring_set_lost(ring->ring, binding_check_map(L, -1), binding_error(L));
	if (ebpf_map_type(ebpf_ring_map(ring->ring)) != (uint32_t)ebpf_enum_value(EBPF_MAP_TYPE, "ringbuf"))
		return 0; /* the kernel counts */
	lua_getiuservalue(L, index, PARENT);
	if (lua_getiuservalue(L, -1, 1) == LUA_TUSERDATA && luaL_testudata(L, -1, CLASS_COLLECTION)) {
		struct ebpf_collection **collection = lua_touserdata(L, -1);
		const char *name = lua_pushfstring(L, "%s_lost", ebpf_map_name(ebpf_ring_map(ring->ring)));

		lost = *collection ? ebpf_collection_map(*collection, name) : NULL;
	}
	return lost ? ebpf_ring_set_lost(ring->ring, lost, binding_error(L)) : 0;
}

/* -- opening -- */

static int open_ring(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err)
{
	(void)options;
	return ebpf_ring_open(map, out, err);
}

static uint32_t option_u32(lua_State *L, int options, const char *name)
{
	return (uint32_t)binding_option_integer(L, options, name, UINT32_MAX, 0);
}

static void keep_lost(lua_State *L, struct binding_ring *ring, int index, int options)
{
	if (!lua_istable(L, options))
		return;
	if (lua_getfield(L, options, "lost") != LUA_TNIL) {
		luaL_argexpected(L, lua_isfunction(L, -1), options, "a function as the option 'lost'");
		ring->tells_lost = true;
	}
	lua_setiuservalue(L, index, LOST);
}

/* options.cpus: a list of numbers; pushes it as userdata. NULL when there is none. */
static const uint32_t *to_cpus(lua_State *L, int options, size_t *count)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "cpus") == LUA_TNIL)
		return NULL;
	luaL_argexpected(L, lua_istable(L, -1), options, "a list as the option 'cpus'");
	*count = lua_rawlen(L, -1);
	uint32_t *cpus = lua_newuserdatauv(L, (*count + 1) * sizeof(*cpus), 0);

	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		cpus[i] = (uint32_t)binding_to_integer(L, -1, UINT32_MAX, "cpus");
		lua_pop(L, 1);
	}
	return cpus;
}

static int open_reader(lua_State *L, int map, int options, const char *const *names,
		       int (*open)(struct ebpf_map *, const struct ebpf_perf_options *, struct ebpf_ring **, struct ebpf_error *))
{
	options = lua_absindex(L, options);
	binding_check_map(L, map);
	binding_check_options(L, options, names);
	struct ebpf_perf_options perf = {
		.size = sizeof(perf),
		.buffer_size = option_u32(L, options, "buffer_size"),
		.wakeup_events = option_u32(L, options, "wakeup_events"),
		.wakeup_bytes = option_u32(L, options, "wakeup_bytes"),
		.overwrite = binding_option_boolean(L, options, "overwrite", false),
		.ordered = binding_option_boolean(L, options, "ordered", false),
	};
	size_t cpu_count = 0;
	const uint32_t *cpus = to_cpus(L, options, &cpu_count);
	struct binding_ring *ring = binding_new(L, sizeof(*ring), USER_VALUES, CLASS_RING);
	int index = lua_gettop(L);

	lua_pushvalue(L, map);
	lua_setiuservalue(L, index, PARENT);
	keep_lost(L, ring, index, options);
	perf.cpus = cpus;
	perf.cpu_count = cpu_count;
	if (open(binding_check_map(L, map), &perf, &ring->ring, binding_error(L)) < 0)
		return binding_fail(L);
	ring->busy++; /* its layouts stay while the plan is made */
	choose_shape(L, ring, index, options);
	bool good = choose_filter(L, ring, options) && choose_lost(L, ring, index, options) >= 0;

	if (lua_istable(L, options) && lua_getfield(L, options, "every") != LUA_TNIL)
		ring->interval = binding_to_seconds(L, -1, "every");
	leave(ring);
	if (!good)
		return binding_fail(L);
	lua_settop(L, index);
	return 1;
}

#define RECORD_OPTIONS "type", "fields", "view", "raw", "enums", "network", "where", "lost", "lost_map", "every"
static const char *const ring_options[] = { RECORD_OPTIONS, NULL };
static const char *const perf_options[] = {
	RECORD_OPTIONS, "buffer_size", "wakeup_events", "wakeup_bytes", "overwrite", "ordered", "cpus", NULL
};

int binding_ring_open(lua_State *L, int map, int options)
{
	return open_reader(L, map, options, perf_options, ebpf_ring_open_any);
}

/* core.ringbuf(map [, options]) -> reader */
static int l_ringbuf(lua_State *L)
{
	lua_settop(L, 2);
	return open_reader(L, 1, 2, ring_options, open_ring);
}

/* core.perf(map [, options]) -> reader */
static int l_perf(lua_State *L)
{
	lua_settop(L, 2);
	return open_reader(L, 1, 2, perf_options, ebpf_ring_open_perf);
}

/* core.events(map [, options]) -> reader of either kind */
static int l_events(lua_State *L)
{
	lua_settop(L, 2);
	return binding_ring_open(L, 1, 2);
}

/* -- records -- */

static int refuse_size(lua_State *L, const struct binding_ring *ring, size_t size)
{
	return luaL_error(L, "ring buffer '%s': a record has %d bytes, but %s has %s%d", ebpf_map_name(ebpf_ring_map(ring->ring)),
			  (int)size, binding_codec_name(ring->codec),
			  ring->record_size < ring->whole_size ? "at least " : "", (int)ring->record_size);
}

/* Where on the stack is what records are made with. */
struct place {
	int names, view;
	int first_key; /* of a flat struct; else 0 */
};

static struct place push_place(lua_State *L, const struct binding_ring *ring, int index)
{
	struct place place = { 0 };

	lua_getiuservalue(L, index, NAMES);
	lua_getiuservalue(L, index, VIEW);
	place.view = lua_gettop(L);
	place.names = place.view - 1;
	if (ring->shape == TABLE && binding_codec_is_flat(ring->codec)) {
		place.first_key = place.view + 1;
		for (uint32_t i = 1; i <= binding_codec_fields(ring->codec); i++)
			lua_rawgeti(L, place.names, i);
	}
	return place;
}

/* Pushes a record in the reader's shape; returns how many values. */
static inline int push_record(lua_State *L, const struct binding_ring *ring, const struct place *place, const void *data,
			      size_t size)
{
	if (place->first_key && size >= ring->whole_size) {
		binding_decode_flat(L, ring->codec, place->first_key, data);
		return 1;
	}
	if (ring->shape == RAW) {
		lua_pushlstring(L, data, size);
		return 1;
	}
	if (ring->shape == TABLE) {
		binding_decode_record(L, ring->codec, place->names, data, size);
		return 1;
	}
	if (ring->shape == REUSED_VIEW) {
		ring->view->data = data;
		ring->view->size = size;
		lua_pushvalue(L, place->view);
		return 1;
	}
	for (int i = 0; i < ring->field_count; i++)
		binding_decode_field(L, ring->codec, place->names, ring->fields[i], data, size);
	return ring->field_count;
}

static int refuse_ring(lua_State *L, const struct binding_ring *ring, int code)
{
	return luaL_error(L, "ring buffer '%s': %s", ebpf_map_name(ebpf_ring_map(ring->ring)),
			  code == -EBADMSG ? "its records are not in order: somebody else reads it too"
					   : "it is being read already");
}

static int slots_needed(const struct binding_ring *ring)
{
	return binding_codec_depth(ring->codec) + ring->field_count + (int)binding_codec_fields(ring->codec) + 8;
}

/* Tells of records that the kernel had no room for. */
static void tell_lost(lua_State *L, struct binding_ring *ring, int index)
{
	uint64_t lost;
	int cpu;

	while (ring->tells_lost && ring->ring && (lost = ebpf_ring_take_lost(ring->ring, &cpu)) > 0) {
		lua_getiuservalue(L, index, LOST);
		lua_pushinteger(L, (lua_Integer)lost);
		lua_pushinteger(L, cpu);
		lua_call(L, 2, 0);
	}
}

/* All in C: no record comes to Lua. */
static lua_Integer feed_sink(lua_State *L, struct binding_ring *ring, int index, struct ebpf_sink *sink, lua_Integer limit)
{
	int64_t count;

	ring->busy++;
	count = ebpf_sink_consume(sink, ring->ring, ring->filter, (uint64_t)limit);
	if (count < 0)
		refuse_ring(L, ring, (int)count);
	tell_lost(L, ring, index);
	return count;
}

lua_Integer binding_ring_drain(lua_State *L, int index, int function, lua_Integer limit, const bool *stop)
{
	struct binding_ring *ring = binding_check_ring(L, index);

	if (lua_type(L, function) == LUA_TUSERDATA)
		return feed_sink(L, ring, index, binding_check_sink(L, function), limit);
	uint64_t lap = ebpf_ring_size(ring->ring), read = 0, released = 0;
	lua_Integer count = 0;
	const void *data;
	size_t size;
	int result = 0;

	luaL_checkstack(L, slots_needed(ring), NULL);
	struct place place = push_place(L, ring, index);

	ring->busy++;
	while (!*stop && !ring->close_later && (limit ? count < limit : read < lap) &&
	       (result = ebpf_ring_next(ring->ring, &data, &size)) > 0) {
		count++;
		read += size + 8;
		if (!ring->filter || ebpf_filter_holds(ring->filter, data, size)) {
			if (size < ring->record_size)
				refuse_size(L, ring, size);
			lua_pushvalue(L, function);
			lua_call(L, push_record(L, ring, &place, data, size), 0);
		}
		if (read - released >= RELEASE_BYTES) {
			ebpf_ring_release(ring->ring);
			released = read;
		}
	}
	if (result < 0)
		refuse_ring(L, ring, result);
	tell_lost(L, ring, index);
	return count;
}

/* After binding_ring_drain, whether it returned or raised. */
void binding_ring_release(struct binding_ring *ring)
{
	if (ring->view)
		ring->view->data = NULL;
	if (!ring->ring)
		return;
	ebpf_ring_release(ring->ring);
	if (ring->busy)
		leave(ring);
}

/* -- ring:consume(fn [, limit]) -- */

static int consume_protected(lua_State *L)
{
	static const bool never;

	lua_pushinteger(L, binding_ring_drain(L, 1, 2, lua_tointeger(L, 3), &never));
	return 1;
}

/* ring:consume(fn or sink [, limit]) -> how many records there were, those that `where` leaves out among them */
static int l_ring_consume(lua_State *L)
{
	struct binding_ring *ring = binding_check_ring(L, 1);

	if (lua_type(L, 2) != LUA_TUSERDATA)
		luaL_checktype(L, 2, LUA_TFUNCTION);
	else
		binding_check_sink(L, 2);
	lua_Integer limit = luaL_optinteger(L, 3, 0);

	luaL_argcheck(L, limit >= 0, 3, "negative limit");
	if (ring->busy)
		return luaL_error(L, "the ring is being read already");
	lua_settop(L, 2);
	lua_pushinteger(L, limit);
	lua_pushcfunction(L, consume_protected);
	lua_insert(L, 1);
	lua_pushvalue(L, 2); /* the ring, which must stay */
	lua_insert(L, 1);
	int status = lua_pcall(L, 3, 1, 0);

	binding_ring_release(ring);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* -- ring:records { timeout = s } -- */

enum { YIELDS = 2 }; /* of next_record: the task is to yield, and to try again */

/* 1 and a record; 0 when none came in time; negative = failed. The ring is at 1. In a task nothing blocks. */
static int next_record(lua_State *L, struct binding_ring *ring, int timeout_ms, const void **data, size_t *size)
{
	for (;;) {
		int result;

		while ((result = ebpf_ring_next(ring->ring, data, size)) > 0)
			if (!ring->filter || ebpf_filter_holds(ring->filter, *data, *size))
				return 1;
		if (result)
			return result;
		bool task = timeout_ms && binding_in_task(L);

		/* also before a task waits: the space is given back, and who commits a record after that wakes the loop */
		result = ebpf_ring_wait(ring->ring, task ? 0 : timeout_ms, binding_error(L));
		if (result == 0 && task && binding_task_wait_ring(L, 1, timeout_ms))
			return YIELDS;
		if (result == -EINTR) {
			ebpf_error_clear(binding_error(L));
			binding_interrupted(L);
		} else if (result <= 0) {
			return result;
		}
		if (!ring->ring)
			luaL_error(L, "ring is closed");
	}
}

static int records_resumed(lua_State *L, int status, lua_KContext context);

/* Upvalues: the ring, the timeout in ms, its names, its view. The last record is given back when the next is asked for. */
static int records_next(lua_State *L, int timeout)
{
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	struct binding_ring *ring = binding_check_ring(L, 1);
	const void *data;
	size_t size;

	if (ring->busy)
		return luaL_error(L, "the ring is being read already");
	luaL_checkstack(L, slots_needed(ring), NULL);
	binding_ring_release(ring);
	int result = next_record(L, ring, timeout, &data, &size);

	if (result == YIELDS)
		return lua_yieldk(L, 0, 0, records_resumed);
	ring->busy++;
	tell_lost(L, ring, 1);
	leave(ring);
	if (!ring->ring)
		return 0; /* closed meanwhile */
	if (result == -EBADMSG || result == -EBUSY)
		return refuse_ring(L, ring, result);
	if (result < 0)
		return binding_raise(L);
	if (result == 0)
		return 0;
	if (size < ring->record_size)
		return refuse_size(L, ring, size);
	ring->busy++;
	const struct place place = { .names = lua_upvalueindex(3), .view = lua_upvalueindex(4) };
	int count = push_record(L, ring, &place, data, size);

	leave(ring);
	return count;
}

static int l_records_next(lua_State *L)
{
	return records_next(L, (int)lua_tointeger(L, lua_upvalueindex(2)));
}

/* On top is whether there are records; else the time was over: what has come at the last moment is looked for without waiting. */
static int records_resumed(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return records_next(L, lua_toboolean(L, -1) ? (int)lua_tointeger(L, lua_upvalueindex(2)) : 0);
}

/* for record in ring:records { timeout = seconds } do ... end: ends when none has come for so long; no timeout = never */
static int l_ring_records(lua_State *L)
{
	static const char *const names[] = { "timeout", NULL };
	int timeout = -1;

	binding_check_ring(L, 1);
	lua_settop(L, 2);
	if (binding_check_options(L, 2, names)) {
		lua_getfield(L, 2, "timeout");
		timeout = binding_to_timeout(L, -1, "timeout");
	}
	lua_pushvalue(L, 1);
	lua_pushinteger(L, timeout);
	lua_getiuservalue(L, 1, NAMES);
	lua_getiuservalue(L, 1, VIEW);
	lua_pushcclosure(L, l_records_next, 4);
	return 1;
}

/* -- the rest -- */

int binding_ring_sink(lua_State *L, int index, int declaration)
{
	struct binding_ring *ring = binding_check_ring(L, index);
	const struct ebpf_layout *layout = binding_codec_layout(ring->codec);

	if (!layout)
		luaL_error(L, "sink: the records' type is not known to be a struct; name it: { type = \"struct event\" }");
	declaration = lua_absindex(L, declaration);
	return binding_sink_new(L, binding_layout_keep(L, layout), declaration);
}

/* ring:sink { by = ..., count = true, ... } -> sink */
static int l_ring_sink(lua_State *L)
{
	lua_settop(L, 2);
	return binding_ring_sink(L, 1, 2);
}

uint64_t binding_ring_interval(const struct binding_ring *ring)
{
	return ring->interval;
}

static int poll_resumed(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	lua_pushboolean(L, lua_toboolean(L, -1));
	return 1;
}

/* ring:poll([timeout]) -> true when a record is there, false when none came in time */
static int l_ring_poll(lua_State *L)
{
	int timeout = binding_to_timeout(L, 2, "timeout");
	bool task = timeout && binding_in_task(L);
	struct binding_ring *ring = binding_check_ring(L, 1);
	int result = ebpf_ring_wait(ring->ring, task ? 0 : timeout, binding_error(L));

	if (result == 0 && task && binding_task_wait_ring(L, 1, timeout))
		return lua_yieldk(L, 0, 0, poll_resumed);
	if (result == -EINTR) {
		ebpf_error_clear(binding_error(L));
		binding_interrupted(L);
	} else if (result < 0) {
		return binding_fail(L);
	}
	lua_pushboolean(L, result > 0);
	return 1;
}

static int l_ring_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_ring_fd(binding_check_ring(L, 1)->ring));
	return 1;
}

static int l_ring_events(lua_State *L)
{
	binding_check_ring(L, 1);
	lua_pushliteral(L, "r");
	return 1;
}

static int l_ring_timeout(lua_State *L)
{
	binding_check_ring(L, 1);
	lua_pushnil(L);
	return 1;
}

/* ring:available() -> bytes that wait, headers included */
static int l_ring_available(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_ring_available(binding_check_ring(L, 1)->ring));
	return 1;
}

/* -- perf buffers -- */

/* reader:lost() -> how many records the kernel had no room for, as far as the rings have been read */
static int l_ring_lost(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_ring_lost(binding_check_ring(L, 1)->ring));
	return 1;
}

/* reader:overwritten() -> bytes of a ring with rb_overwrite that were gone before they were read */
static int l_ring_overwritten(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_ring_overwritten(binding_check_ring(L, 1)->ring));
	return 1;
}

/* reader:cpu() -> the CPU that wrote the last record, or nil */
static int l_ring_cpu(lua_State *L)
{
	int cpu = ebpf_ring_cpu(binding_check_ring(L, 1)->ring);

	if (cpu < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, cpu);
	return 1;
}

/* reader:time() -> when that was, ns of the monotonic clock; of a reader with `ordered` */
static int l_ring_time(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_ring_time(binding_check_ring(L, 1)->ring));
	return 1;
}

static int l_ring_pause(lua_State *L)
{
	return binding_result(L, ebpf_ring_pause(binding_check_ring(L, 1)->ring, binding_error(L)));
}

static int l_ring_resume(lua_State *L)
{
	return binding_result(L, ebpf_ring_resume(binding_check_ring(L, 1)->ring, binding_error(L)));
}

/* reader:refresh() -> how many CPUs that have come online were taken in */
static int l_ring_refresh(lua_State *L)
{
	int added = ebpf_ring_refresh(binding_check_ring(L, 1)->ring, binding_error(L));

	if (added < 0)
		return binding_fail(L);
	lua_pushinteger(L, added);
	return 1;
}

static int l_ring_map(lua_State *L)
{
	binding_check_ring(L, 1);
	lua_getiuservalue(L, 1, PARENT);
	return 1;
}

static int l_ring_tostring(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	return binding_tostring(L, CLASS_RING, ring->ring ? ebpf_map_name(ebpf_ring_map(ring->ring)) : "");
}

static const luaL_Reg methods[] = {
	{ "records", l_ring_records }, { "sink", l_ring_sink }, { "consume", l_ring_consume }, { "poll", l_ring_poll }, { "fd", l_ring_fd },
	{ "pollfd", l_ring_fd }, { "events", l_ring_events }, { "timeout", l_ring_timeout },
	{ "available", l_ring_available }, { "lost", l_ring_lost }, { "overwritten", l_ring_overwritten },
	 { "cpu", l_ring_cpu }, { "time", l_ring_time },
	{ "pause", l_ring_pause }, { "resume", l_ring_resume }, { "refresh", l_ring_refresh }, { "close", l_ring_close },
	{ NULL, NULL }
};
static const luaL_Reg properties[] = { { "map", l_ring_map }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_ring_tostring }, { "__close", l_ring_close }, { "__gc", l_ring_gc }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "ringbuf", l_ringbuf }, { "perf", l_perf }, { "events", l_events }, { NULL, NULL } };

void binding_open_ring(lua_State *L)
{
	static const struct binding_class class = { CLASS_RING, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
