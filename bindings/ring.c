/* ring.c -- readers of ring and perf buffers.
 *
 * The way of a record is one straight line: ebpf_ring_next gives it in place, the shape of its map (record.c) says what is pushed, the function is called;
 * space is given back to the kernel every few KiB. A sink takes the place of the function: then the core reads, and nothing comes to Lua. How readers are
 * opened is in ring_open.c.
 *
 * A reader is `busy` while a record of it is being used: then close() waits, so that the memory under the record stays. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ring.h"

enum { RELEASE_BYTES = 4096 }; /* read before space is given back */

void binding_ring_push_map(lua_State *L, const struct binding_ring *ring, int index, size_t number)
{
	lua_getiuservalue(L, index, RING_MAPS);
	if (ring->count == 1)
		return;
	lua_rawgeti(L, -1, (lua_Integer)number + 1);
	lua_replace(L, -2);
}

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

/* Pushes the shape of map `number` of the reader at `index`. */
static void push_shape(lua_State *L, const struct binding_ring *ring, int index, size_t number)
{
	lua_getiuservalue(L, index, RING_SHAPES);
	if (ring->count == 1)
		return;
	lua_rawgeti(L, -1, (lua_Integer)number + 1);
	lua_replace(L, -2);
}

/* The reader is at `index`. */
static void expire(lua_State *L, struct binding_ring *ring, int index)
{
	for (size_t i = 0; i < ring->count; i++) {
		struct binding_shape *shape = ring->parts[i].shape;

		if (!shape || !lua_checkstack(L, 2))
			continue;
		push_shape(L, ring, index, i);
		binding_shape_expire(L, shape, -1);
		lua_pop(L, 1);
	}
}

static void close_now(lua_State *L, struct binding_ring *ring, int index)
{
	struct ebpf_ring *core = ring->ring;

	if (ring->closing)
		ring->closing(ring->closing_context);
	ring->closing = NULL;
	ring->ring = NULL;
	expire(L, ring, index);
	for (size_t i = 0; i < ring->count; i++) {
		ebpf_filter_free(ring->parts[i].filter);
		ring->parts[i].filter = NULL;
	}
	ebpf_ring_close(core);
}

static int l_ring_close(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	if (ring->busy)
		ring->close_later = true;
	else
		close_now(L, ring, 1);
	return 0;
}

/* Nobody can be reading any more, whatever an error left behind. */
static int l_ring_gc(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	ring->busy = 0;
	return l_ring_close(L);
}

void binding_ring_leave(lua_State *L, struct binding_ring *ring, int index)
{
	if (--ring->busy == 0 && ring->close_later)
		close_now(L, ring, index);
}

/* -- records -- */

static int refuse_ring(lua_State *L, const struct binding_ring *ring, int code)
{
	return luaL_error(L, "ring buffer '%s': %s", ebpf_map_name(ebpf_ring_map(ring->ring)),
			  code == -EBADMSG ? "its records are not in order: somebody else reads it too"
					   : "it is being read already");
}

/* Tells of records that there was no room for. */
static void tell_lost(lua_State *L, struct binding_ring *ring, int index)
{
	for (size_t i = 0; ring->tells_lost && i < ring->count; i++) {
		uint64_t lost;
		int cpu;

		while (ring->ring && (lost = ebpf_ring_take_lost(ebpf_ring_part(ring->ring, i), &cpu)) > 0) {
			lua_getiuservalue(L, index, RING_LOST);
			lua_pushinteger(L, (lua_Integer)lost);
			lua_pushinteger(L, cpu);
			binding_ring_push_map(L, ring, index, i);
			lua_call(L, 3, 0);
		}
	}
}

/* -- records of other kinds: the core calls in the middle of its reading, so nothing may be raised until it returns -- */

/* Arguments: the reader, a struct other. */
static int tell_other(lua_State *L)
{
	const struct binding_other *other = lua_touserdata(L, 2);

	lua_getiuservalue(L, 1, RING_OTHER);
	if (other->name)
		lua_pushstring(L, other->name);
	else
		lua_pushinteger(L, other->type);
	lua_pushlstring(L, other->record, other->size);
	lua_pushinteger(L, other->cpu);
	lua_call(L, 3, 0);
	return 0;
}

void binding_ring_on_other(void *context, int cpu, const void *record, size_t size)
{
	struct binding_ring *ring = context;
	struct binding_other other = { .cpu = cpu, .record = record, .size = size };
	lua_State *L = ring->L;

	if (ring->other_failed || !lua_checkstack(L, LUA_MINSTACK))
		return;
	memcpy(&other.type, record, sizeof(other.type)); /* the first member of struct perf_event_header */
	other.name = ebpf_perf_record_name(other.type);
	lua_pushcfunction(L, tell_other);
	lua_pushvalue(L, ring->at);
	lua_pushlightuserdata(L, &other);
	if (binding_pcall(L, 2, 0) != LUA_OK) {
		lua_setiuservalue(L, ring->at, RING_FAILURE);
		ring->other_failed = true;
	}
}

/* The reader, at `index` of this thread's stack, is about to read. */
static void enter(lua_State *L, struct binding_ring *ring, int index)
{
	ring->L = L;
	ring->at = index;
	ring->busy++;
}

/* Raises what the function for other records has raised. */
static void check_other(lua_State *L, struct binding_ring *ring, int index)
{
	if (!ring->other_failed)
		return;
	ring->other_failed = false;
	lua_getiuservalue(L, index, RING_FAILURE);
	lua_pushnil(L);
	lua_setiuservalue(L, index, RING_FAILURE);
	lua_error(L);
}

/* -- draining -- */

/* All in C: no record comes to Lua. */
static lua_Integer feed_sink(lua_State *L, struct binding_ring *ring, int index, struct ebpf_sink *sink, lua_Integer limit)
{
	int64_t count;

	if (!ring->one_type)
		luaL_error(L, "a sink takes records of one type: those of the reader's maps are of several");
	enter(L, ring, index);
	count = ebpf_sink_consume(sink, ring->ring, ring->parts[0].filter, (uint64_t)limit);
	if (count < 0)
		refuse_ring(L, ring, (int)count);
	check_other(L, ring, index);
	tell_lost(L, ring, index);
	return count;
}

/* Pushes what the records of all maps are made with. */
static void enter_shapes(lua_State *L, struct binding_ring *ring, int index)
{
	for (size_t i = 0; i < ring->count; i++) {
		luaL_checkstack(L, binding_shape_slots(ring->parts[i].shape), NULL);
		push_shape(L, ring, index, i);
		binding_shape_enter(L, -1, &ring->parts[i].place);
	}
}

lua_Integer binding_ring_drain(lua_State *L, int index, int function, lua_Integer limit, const bool *stop)
{
	struct binding_ring *ring = binding_check_ring(L, index);

	if (lua_type(L, function) == LUA_TUSERDATA)
		return feed_sink(L, ring, index, binding_check_sink(L, function), limit);
	uint64_t lap = limit ? UINT64_MAX : ebpf_ring_size(ring->ring), read = 0, release_at = RELEASE_BYTES;
	lua_Integer count = 0, most = limit ? limit : LUA_MAXINTEGER;
	const struct binding_part *part = ring->parts;
	const void *data;
	size_t size;
	int result = 0;

	enter_shapes(L, ring, index);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	enter(L, ring, index);
	while (!*stop && !ring->close_later && !ring->other_failed && count < most && read < lap &&
	       (result = ebpf_ring_next(ring->ring, &data, &size)) > 0) {
		count++;
		read += size + 8;
		if (ring->count > 1)
			part = &ring->parts[ebpf_ring_index(ring->ring)];
		if (!part->filter || ebpf_filter_holds(part->filter, data, size)) {
			if (size < part->place.least)
				binding_shape_refuse(L, &part->place, ebpf_ring_map(ring->ring), size);
			lua_pushvalue(L, function);
			lua_call(L, binding_shape_record(L, &part->place, data, size), 0);
		}
		if (read >= release_at) {
			ebpf_ring_release(ring->ring);
			release_at = read + RELEASE_BYTES;
		}
	}
	if (result < 0)
		refuse_ring(L, ring, result);
	check_other(L, ring, index);
	tell_lost(L, ring, index);
	return count;
}

/* After binding_ring_drain, whether it returned or raised. */
void binding_ring_release(lua_State *L, struct binding_ring *ring, int index)
{
	expire(L, ring, index);
	if (!ring->ring)
		return;
	ebpf_ring_release(ring->ring);
	if (ring->busy)
		binding_ring_leave(L, ring, index);
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

	binding_ring_release(L, ring, 1);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* -- ring:records { timeout = s } -- */

enum { YIELDS = 2 }; /* of next_record: the task is to yield, and to try again */

static lua_Integer now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (lua_Integer)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a task that waits remembers: when its time is over; -1 = never. */
static lua_KContext to_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : (lua_KContext)(now_ms() + timeout_ms);
}

/* On top is what the loop says: false = the time is over. Without it, how much of the time is left. */
static int time_left(lua_State *L, lua_KContext deadline)
{
	if (!lua_toboolean(L, -1))
		return 0;
	if (deadline < 0)
		return -1;
	lua_Integer left = (lua_Integer)deadline - now_ms();

	return left > 0 ? (int)left : 0;
}

static bool passes(const struct binding_ring *ring, const void *data, size_t size)
{
	const struct ebpf_filter *filter = ring->parts[ebpf_ring_index(ring->ring)].filter;

	return !filter || ebpf_filter_holds(filter, data, size);
}

/* 1 when a record is there, 0 when none came in time; negative = failed. The ring is at 1. In a task nothing blocks. A flush ends a task's wait too. */
static int wait(lua_State *L, struct binding_ring *ring, int timeout_ms)
{
	bool task = timeout_ms && binding_in_task(L);
	int result = ebpf_ring_wait(ring->ring, task ? 0 : timeout_ms, binding_error(L));

	if (result == 0 && task && !ebpf_ring_flushed(ring->ring) && binding_task_wait_ring(L, 1, timeout_ms))
		return YIELDS;
	return result;
}

/* As wait(), and the record. */
static int next_record(lua_State *L, struct binding_ring *ring, int timeout_ms, const void **data, size_t *size)
{
	for (;;) {
		int result;

		enter(L, ring, 1);
		while ((result = ebpf_ring_next(ring->ring, data, size)) > 0 && !passes(ring, *data, *size))
			;
		binding_ring_leave(L, ring, 1);
		if (result || ring->other_failed || !ring->ring)
			return result;
		/* also before a task waits: the space is given back, and who commits a record after that wakes the loop */
		result = wait(L, ring, timeout_ms);
		if (result == YIELDS)
			return result;
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

static int records_resumed(lua_State *L, int status, lua_KContext deadline);

/* Upvalues: the ring, the timeout in ms. The last record is given back when the next is asked for. What the function for other records
 * raised is raised when there is no record at hand that would get lost with it. */
static int records_next(lua_State *L, int timeout)
{
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	struct binding_ring *ring = binding_check_ring(L, 1);
	struct binding_place place;
	const void *data;
	size_t size;

	if (ring->busy)
		return luaL_error(L, "the ring is being read already");
	binding_ring_release(L, ring, 1);
	check_other(L, ring, 1);
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	int result = next_record(L, ring, timeout, &data, &size);

	if (result == YIELDS)
		return lua_yieldk(L, 0, to_deadline(timeout), records_resumed);
	ring->busy++;
	tell_lost(L, ring, 1);
	binding_ring_leave(L, ring, 1);
	if (!ring->ring)
		return 0; /* closed meanwhile */
	if (result == -EBADMSG || result == -EBUSY)
		return refuse_ring(L, ring, result);
	if (result < 0)
		return binding_raise(L);
	if (result == 0) {
		check_other(L, ring, 1);
		return 0;
	}
	size_t number = ebpf_ring_index(ring->ring);

	luaL_checkstack(L, binding_shape_slots(ring->parts[number].shape), NULL);
	push_shape(L, ring, 1, number);
	binding_shape_enter(L, -1, &place);
	if (size < place.least)
		return binding_shape_refuse(L, &place, ebpf_ring_map(ring->ring), size);
	ring->busy++;
	int count = binding_shape_record(L, &place, data, size);

	binding_ring_leave(L, ring, 1);
	return count;
}

static int l_records_next(lua_State *L)
{
	return records_next(L, (int)lua_tointeger(L, lua_upvalueindex(2)));
}

/* What has come at the last moment is looked for without waiting. */
static int records_resumed(lua_State *L, int status, lua_KContext deadline)
{
	(void)status;
	return records_next(L, time_left(L, deadline));
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
	lua_pushcclosure(L, l_records_next, 2);
	return 1;
}

/* -- the rest -- */

int binding_ring_sink(lua_State *L, int index, int declaration)
{
	struct binding_ring *ring = binding_check_ring(L, index);
	const struct ebpf_layout *layout = binding_shape_layout(ring->parts[0].shape);

	if (!ring->one_type)
		luaL_error(L, "a sink takes records of one type: those of the reader's maps are of several");
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

static int poll_resumed(lua_State *L, int status, lua_KContext deadline);

static int poll_ring(lua_State *L, int timeout)
{
	struct binding_ring *ring = binding_check_ring(L, 1);
	int result = wait(L, ring, timeout);

	if (result == YIELDS)
		return lua_yieldk(L, 0, to_deadline(timeout), poll_resumed);
	if (result == -EINTR) {
		ebpf_error_clear(binding_error(L));
		binding_interrupted(L);
	} else if (result < 0) {
		return binding_fail(L);
	}
	lua_pushboolean(L, result > 0);
	return 1;
}

static int poll_resumed(lua_State *L, int status, lua_KContext deadline)
{
	const struct binding_ring *ring = lua_touserdata(L, 1);
	int left = time_left(L, deadline);

	(void)status;
	lua_settop(L, 1);
	if (ring->ring)
		return poll_ring(L, left);
	lua_pushboolean(L, 0);
	return 1;
}

/* ring:poll([timeout]) -> true when a record is there, false when none came in time, or the reader was flushed */
static int l_ring_poll(lua_State *L)
{
	int timeout = binding_to_timeout(L, 2, "timeout");

	binding_check_ring(L, 1);
	lua_settop(L, 1);
	return poll_ring(L, timeout);
}

/* reader:flush(): who waits gets what is there, and stops waiting; in a loop the function is called for it at once */
static int l_ring_flush(lua_State *L)
{
	ebpf_ring_flush(binding_check_ring(L, 1)->ring);
	return 0;
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

/* reader:others() -> how many records of other kinds there were, as far as the rings have been read */
static int l_ring_others(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_ring_others(binding_check_ring(L, 1)->ring));
	return 1;
}

static void set_chain(lua_State *L, const struct ebpf_sample *sample)
{
	lua_createtable(L, (int)sample->callchain_count, 0); /* a record has 64 KiB at most */
	for (uint64_t i = 0; i < sample->callchain_count; i++) {
		lua_pushinteger(L, (lua_Integer)sample->callchain[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "callchain");
}

/* reader:sample() -> what the last record carries beside its bytes, as its attr asked for; nil when its space has been given back */
static int l_ring_sample(lua_State *L)
{
	struct ebpf_sample sample = { .size = sizeof(sample) };

	if (!ebpf_ring_sample(binding_check_ring(L, 1)->ring, &sample)) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, 0, 12);
	for (int i = 0; binding_sample_words[i].name; i++) {
		const char *at = (const char *)&sample + binding_sample_words[i].offset;
		bool wide = binding_sample_words[i].wide;

		if (!(sample.parts & binding_sample_words[i].part))
			continue;
		lua_pushinteger(L, wide ? (lua_Integer)*(const uint64_t *)(const void *)at : (lua_Integer)*(const uint32_t *)(const void *)at);
		lua_setfield(L, -2, binding_sample_words[i].name);
	}
	if (sample.callchain)
		set_chain(L, &sample);
	if (sample.rest_size) {
		lua_pushlstring(L, sample.rest, sample.rest_size);
		lua_setfield(L, -2, "rest");
	}
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

/* reader.map: of several, that of the last record */
static int l_ring_map(lua_State *L)
{
	const struct binding_ring *ring = binding_check_ring(L, 1);

	binding_ring_push_map(L, ring, 1, ebpf_ring_index(ring->ring));
	return 1;
}

/* reader.maps: all, in a list */
static int l_ring_maps(lua_State *L)
{
	const struct binding_ring *ring = binding_check_ring(L, 1);

	lua_createtable(L, (int)ring->count, 0);
	for (size_t i = 0; i < ring->count; i++) {
		binding_ring_push_map(L, ring, 1, i);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int l_ring_tostring(lua_State *L)
{
	struct binding_ring *ring = luaL_checkudata(L, 1, CLASS_RING);

	luaL_Buffer names;

	luaL_buffinit(L, &names);
	for (size_t i = 0; ring->ring && i < ring->count; i++) {
		if (i)
			luaL_addstring(&names, ", ");
		luaL_addstring(&names, ebpf_map_name(ebpf_ring_map(ebpf_ring_part(ring->ring, i))));
	}
	luaL_pushresult(&names);
	return binding_tostring(L, CLASS_RING, lua_tostring(L, -1));
}

static const luaL_Reg methods[] = {
	{ "records", l_ring_records }, { "sink", l_ring_sink }, { "consume", l_ring_consume }, { "poll", l_ring_poll }, { "fd", l_ring_fd },
	{ "pollfd", l_ring_fd }, { "events", l_ring_events }, { "timeout", l_ring_timeout },
	{ "available", l_ring_available }, { "lost", l_ring_lost }, { "overwritten", l_ring_overwritten },
	{ "cpu", l_ring_cpu }, { "time", l_ring_time }, { "sample", l_ring_sample }, { "others", l_ring_others }, { "flush", l_ring_flush },
	{ "pause", l_ring_pause }, { "resume", l_ring_resume }, { "refresh", l_ring_refresh }, { "close", l_ring_close },
	{ NULL, NULL }
};
static const luaL_Reg properties[] = { { "map", l_ring_map }, { "maps", l_ring_maps }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_ring_tostring }, { "__close", l_ring_close }, { "__gc", l_ring_gc }, { NULL, NULL }
};
void binding_open_ring(lua_State *L)
{
	static const struct binding_class class = { CLASS_RING, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	binding_open_readers(L);
}
