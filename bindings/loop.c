/* loop.c -- ebpf.loop(): waits for rings, timers, signals and descriptors, and calls Lua back.
 *
 * A source is a handle that its loop keeps alive, so that nobody needs to hold it. Callbacks come through one door, deliver():
 * protected, with a traceback; an error stops the loop and is raised by run() or step(). run() is made of steps, so that a signal
 * handler of the host's (the lua program's for Ctrl-C) gets its turn. A callback may close its source, its ring, or the loop: what
 * is in use is closed when it is not any more. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <lualib.h>

#include "binding.h"

enum { SOURCES = 1, FAILURE, LOOP_USER_VALUES = FAILURE };        /* of a loop: sources by address; what a callback raised */
enum { LOOP = 1, FUNCTION, OBJECT, SOURCE_USER_VALUES = OBJECT }; /* of a source: ring or file, which it keeps alive */

struct loop {
	struct ebpf_loop *loop;
	lua_State *L;           /* that runs it, while it runs; the loop is at stack index 1 then */
	unsigned depth;         /* of run and step: a callback may step its loop */
	bool stop, failed, close_later;
	struct source *sources; /* open ones */
	bool stale;             /* SOURCES has closed ones */
};
enum kind { RING, EVERY, AFTER, SIGNAL, FILE_DESCRIPTOR };
struct source {
	struct ebpf_source *source;
	struct loop *loop;
	struct source *next, **link;
	enum kind kind;
	struct binding_ring *ring;
	bool stop;              /* ends the draining of its ring */
};

static struct loop *check_loop(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_LOOP);
}

/* -- closing -- */

/* Out of the core's loop and of the list; the handle stays in SOURCES until the next sweep. */
static void source_close(void *context)
{
	struct source *source = context;

	source->stop = true;
	if (!source->source)
		return;
	ebpf_source_remove(source->source);
	source->source = NULL;
	if (source->ring)
		binding_ring_watch(source->ring, NULL, NULL);
	*source->link = source->next;
	if (source->next)
		source->next->link = source->link;
	source->loop->stale = true;
}

static int l_source_close(lua_State *L)
{
	source_close(luaL_checkudata(L, 1, CLASS_SOURCE));
	return 0;
}

static void close_now(struct loop *loop)
{
	struct ebpf_loop *core = loop->loop;

	while (loop->sources)
		source_close(loop->sources);
	loop->loop = NULL;
	ebpf_loop_free(core);
}

static void stop(struct loop *loop)
{
	loop->stop = true;
	for (struct source *source = loop->sources; source; source = source->next)
		source->stop = true;
	ebpf_loop_stop(loop->loop);
}

/* From a callback the loop stops, and is closed when run() is about to return. */
static int l_loop_close(lua_State *L)
{
	struct loop *loop = luaL_checkudata(L, 1, CLASS_LOOP);

	if (!loop->loop)
		return 0;
	if (!loop->depth) {
		close_now(loop);
		return 0;
	}
	stop(loop);
	loop->close_later = true;
	return 0;
}

/* -- callbacks -- */

static void push_events(lua_State *L, uint32_t events)
{
	char text[5];
	size_t size = 0;

	if (events & EBPF_READ)
		text[size++] = 'r';
	if (events & EBPF_WRITE)
		text[size++] = 'w';
	if (events & EBPF_ERROR)
		text[size++] = 'e';
	if (events & EBPF_HANGUP)
		text[size++] = 'h';
	lua_pushlstring(L, text, size);
}

/* Arguments: source, events. */
static int call_protected(lua_State *L)
{
	struct source *source = lua_touserdata(L, 1);
	uint32_t events = (uint32_t)lua_tointeger(L, 2);

	lua_settop(L, 1);
	lua_getiuservalue(L, 1, OBJECT);
	lua_getiuservalue(L, 1, FUNCTION);
	switch (source->kind) {
	case RING:
		binding_ring_drain(L, 2, 3, 0, &source->stop);
		return 0;
	case AFTER:
		source_close(source);
		lua_call(L, 0, 0);
		return 0;
	case EVERY:
	case SIGNAL:
		lua_pushinteger(L, events);
		break;
	case FILE_DESCRIPTOR:
		push_events(L, events);
		break;
	}
	lua_call(L, 1, 0);
	return 0;
}

static int fail(struct loop *loop, lua_State *L)
{
	lua_setiuservalue(L, 1, FAILURE);
	loop->failed = true;
	return -ECANCELED;
}

/* Called by the core. Raises nothing: run() and step() have made room on the stack. */
static int deliver(void *context, uint32_t events)
{
	struct source *source = context;
	struct loop *loop = source->loop;
	lua_State *L = loop->L;
	int top = lua_gettop(L), result = 0;

	if (source->ring && binding_ring_is_busy(source->ring))
		return 0; /* a step within its own callback */
	lua_getiuservalue(L, 1, SOURCES);
	lua_rawgetp(L, -1, source);
	lua_pushcfunction(L, call_protected);
	lua_pushvalue(L, -2);
	lua_pushinteger(L, events);
	int status = binding_pcall(L, 2, 0);

	if (source->ring)
		binding_ring_release(source->ring); /* the source, still on the stack, keeps it */
	if (status != LUA_OK)
		result = fail(loop, L);
	lua_settop(L, top);
	return result;
}

/* -- running -- */

static lua_State *enter(lua_State *L, struct loop *loop)
{
	lua_State *outer = loop->L;

	lua_settop(L, 2);
	luaL_checkstack(L, 20, NULL);
	if (loop->depth++ == 0) {
		loop->stop = false;
		for (struct source *source = loop->sources; source; source = source->next)
			source->stop = false;
	}
	loop->failed = false;
	loop->L = L;
	return outer;
}

/* Returns what run() and step() return after `result`; raises what a callback has raised. */
static int leave(lua_State *L, struct loop *loop, lua_State *outer, int result)
{
	bool failed = loop->failed;

	loop->L = outer;
	loop->failed = false;
	if (--loop->depth == 0 && loop->close_later)
		close_now(loop);
	if (failed) {
		lua_getiuservalue(L, 1, FAILURE);
		lua_pushnil(L);
		lua_setiuservalue(L, 1, FAILURE);
		return lua_error(L);
	}
	return result < 0 ? binding_fail(L) : 0;
}

static int interrupted(lua_State *L)
{
	binding_interrupted(L);
	return 0;
}

/* loop:run() -> true; or nil, err. Until stop(), or until there is nothing left to wait for. */
static int l_loop_run(lua_State *L)
{
	struct loop *loop = check_loop(L, 1);
	lua_State *outer = enter(L, loop);
	int result = 0;

	while (result >= 0 && !loop->stop && ebpf_loop_count(loop->loop) > 0) {
		result = ebpf_loop_step(loop->loop, -1, binding_error(L));
		if (result != 0)
			continue;
		lua_pushcfunction(L, interrupted);
		if (lua_pcall(L, 0, 0, 0) != LUA_OK)
			result = fail(loop, L);
	}
	int count = leave(L, loop, outer, result);

	if (count)
		return count;
	lua_pushboolean(L, 1);
	return 1;
}

/* loop:step([timeout]) -> how many callbacks were called; no timeout = waits until one is */
static int l_loop_step(lua_State *L)
{
	int timeout = binding_to_timeout(L, 2, "timeout");
	struct loop *loop = check_loop(L, 1);
	lua_State *outer = enter(L, loop);
	int result = ebpf_loop_step(loop->loop, timeout, binding_error(L));
	int count = leave(L, loop, outer, result);

	if (count)
		return count;
	if (result == 0)
		binding_interrupted(L);
	lua_pushinteger(L, result);
	return 1;
}

static int l_loop_stop(lua_State *L)
{
	stop(check_loop(L, 1));
	return 0;
}

/* -- sources -- */

static void sweep(lua_State *L, struct loop *loop)
{
	if (!loop->stale)
		return;
	loop->stale = false;
	lua_getiuservalue(L, 1, SOURCES);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		struct source *source = lua_touserdata(L, -1);

		lua_pop(L, 1);
		if (!source->source) { /* clearing a field is allowed during a traversal */
			lua_pushvalue(L, -1);
			lua_pushnil(L);
			lua_rawset(L, -4);
		}
	}
	lua_pop(L, 1);
}

/* Pushes a closed source of the loop at 1 that calls the function at `function` and keeps the value at `object` (or 0) alive. */
static struct source *push_source(lua_State *L, enum kind kind, int function, int object)
{
	struct loop *loop = check_loop(L, 1);

	if (kind != RING || !luaL_testudata(L, function, CLASS_SINK))
		luaL_checktype(L, function, LUA_TFUNCTION);
	sweep(L, loop);
	struct source *source = binding_new(L, sizeof(*source), SOURCE_USER_VALUES, CLASS_SOURCE);

	source->loop = loop;
	source->kind = kind;
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, LOOP);
	lua_pushvalue(L, function);
	lua_setiuservalue(L, -2, FUNCTION);
	if (object) {
		lua_pushvalue(L, object);
		lua_setiuservalue(L, -2, OBJECT);
	}
	lua_getiuservalue(L, 1, SOURCES); /* before it is open: this may run out of memory */
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, source);
	lua_pop(L, 1);
	check_loop(L, 1);
	return source;
}

/* Ends the making of the source on top. */
static int finish_source(lua_State *L, struct source *source, int result)
{
	struct loop *loop = source->loop;

	if (result < 0) {
		loop->stale = true;
		return binding_fail(L);
	}
	source->next = loop->sources;
	source->link = &loop->sources;
	if (source->next)
		source->next->link = &source->next;
	loop->sources = source;
	return 1;
}

/* The ring at 2 goes into the loop: when it is woken, or every so often. */
static int add_ring(lua_State *L, struct source *source, struct binding_ring *ring)
{
	uint64_t interval = binding_ring_interval(ring);
	struct ebpf_loop *loop = source->loop->loop;

	if (interval)
		return ebpf_loop_add_timer(loop, interval, interval, deliver, source, &source->source, binding_error(L));
	return ebpf_loop_add_ring(loop, binding_ring_core(ring), deliver, source, &source->source, binding_error(L));
}

/* loop:on(ring, fn), loop:on(map, fn [, options as of ebpf.events]) -> source; with a sink for the function, or with a table that declares
 * one: -> source, sink */
static int l_loop_on(lua_State *L)
{
	check_loop(L, 1);
	lua_settop(L, 4);
	if (!lua_istable(L, 3) && !luaL_testudata(L, 3, CLASS_SINK))
		luaL_checktype(L, 3, LUA_TFUNCTION);
	if (luaL_testudata(L, 2, CLASS_RING)) {
		luaL_argcheck(L, lua_isnil(L, 4), 4, "a ring has had its options already");
	} else {
		int count = binding_ring_open(L, 2, 4);

		if (count != 1)
			return count;
		lua_replace(L, 2);
	}
	if (lua_istable(L, 3)) {
		int count = binding_ring_sink(L, 2, 3);

		if (count != 1)
			return count;
		lua_replace(L, 3);
	}
	struct source *source = push_source(L, RING, 3, 2);
	struct binding_ring *ring = binding_check_ring(L, 2);

	if (!binding_ring_watch(ring, source_close, source)) {
		source->loop->stale = true;
		return luaL_error(L, "the ring is in a loop already");
	}
	int result = add_ring(L, source, ring);

	if (result < 0)
		binding_ring_watch(ring, NULL, NULL);
	else
		source->ring = ring;
	int count = finish_source(L, source, result);

	if (count != 1 || lua_isfunction(L, 3))
		return count;
	lua_pushvalue(L, 3);
	return 2;
}

/* loop:every(seconds, fn) -> source; fn(how many times it fell due) */
static int l_loop_every(lua_State *L)
{
	uint64_t interval = binding_to_seconds(L, 2, "interval");

	luaL_argcheck(L, interval > 0, 2, "the interval must be above zero");
	struct source *source = push_source(L, EVERY, 3, 0);

	int result = ebpf_loop_add_timer(source->loop->loop, interval, interval, deliver, source, &source->source,
					 binding_error(L));

	return finish_source(L, source, result);
}

/* loop:after(seconds, fn) -> source */
static int l_loop_after(lua_State *L)
{
	uint64_t delay = binding_to_seconds(L, 2, "delay");
	struct source *source = push_source(L, AFTER, 3, 0);

	int result = ebpf_loop_add_timer(source->loop->loop, delay, 0, deliver, source, &source->source, binding_error(L));

	return finish_source(L, source, result);
}

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ABRT", SIGABRT }, { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "PIPE", SIGPIPE }, { "ALRM", SIGALRM }, { "TERM", SIGTERM }, { "CHLD", SIGCHLD },
	{ "CONT", SIGCONT }, { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG },
	{ "WINCH", SIGWINCH }, { "IO", SIGIO }, { "PWR", SIGPWR }, { "KILL", SIGKILL }, { "STOP", SIGSTOP },
};

static int check_signal(lua_State *L, int index)
{
	if (lua_isinteger(L, index))
		return (int)binding_to_integer(L, index, INT32_MAX, "signal");
	const char *name = luaL_checkstring(L, index);
	const char *bare = strncmp(name, "SIG", 3) == 0 ? name + 3 : name;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(signals[i].name, bare) == 0)
			return signals[i].number;
	return luaL_error(L, "unknown signal '%s'", name);
}

/* loop:signal("INT", fn) -> source; fn(number). The signal does nothing else while the source is open. */
static int l_loop_signal(lua_State *L)
{
	int signal = check_signal(L, 2);
	struct source *source = push_source(L, SIGNAL, 3, 0);

	int result = ebpf_loop_add_signal(source->loop->loop, signal, deliver, source, &source->source, binding_error(L));

	return finish_source(L, source, result);
}

/* The descriptor of an integer, a Lua file, or an object with a method for it. */
static int check_fd(lua_State *L, int index)
{
	static const char *const names[] = { "pollfd", "fd", "getfd", "fileno" };

	if (lua_isinteger(L, index))
		return (int)binding_to_integer(L, index, INT32_MAX, "descriptor");
	luaL_Stream *file = luaL_testudata(L, index, LUA_FILEHANDLE);

	if (file)
		return file->closef ? fileno(file->f) : luaL_error(L, "file is closed");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && (lua_isuserdata(L, index) || lua_istable(L, index)); i++) {
		int top = lua_gettop(L);

		if (lua_getfield(L, index, names[i]) == LUA_TFUNCTION) {
			lua_pushvalue(L, index);
			lua_call(L, 1, 1);
		}
		if (lua_isinteger(L, -1)) {
			int fd = (int)binding_to_integer(L, -1, INT32_MAX, "descriptor");

			lua_settop(L, top);
			return fd;
		}
		lua_settop(L, top);
	}
	return luaL_argerror(L, index, "descriptor, file, or object with a descriptor expected");
}

static uint32_t check_events(lua_State *L, int index)
{
	const char *text = luaL_checkstring(L, index);
	uint32_t events = 0;

	for (; *text; text++) {
		if (*text != 'r' && *text != 'w')
			luaL_argerror(L, index, "\"r\", \"w\" or \"rw\" expected");
		events |= *text == 'r' ? EBPF_READ : EBPF_WRITE;
	}
	luaL_argcheck(L, events, index, "\"r\", \"w\" or \"rw\" expected");
	return events;
}

/* loop:fd() -> the loop's own descriptor; loop:fd(file, "r" | "w" | "rw", fn) -> source; fn("r", "w", "rh", ...) */
static int l_loop_fd(lua_State *L)
{
	struct loop *loop = check_loop(L, 1);

	if (lua_gettop(L) == 1) {
		lua_pushinteger(L, ebpf_loop_fd(loop->loop));
		return 1;
	}
	int fd = check_fd(L, 2);
	uint32_t events = check_events(L, 3);
	struct source *source = push_source(L, FILE_DESCRIPTOR, 4, 2);

	int result = ebpf_loop_add_fd(source->loop->loop, fd, events, deliver, source, &source->source, binding_error(L));

	return finish_source(L, source, result);
}

/* -- the rest: what another loop needs to wait for this one -- */

static int l_loop_pollfd(lua_State *L)
{
	lua_pushinteger(L, ebpf_loop_fd(check_loop(L, 1)->loop));
	return 1;
}

static int l_loop_events(lua_State *L)
{
	check_loop(L, 1);
	lua_pushliteral(L, "r");
	return 1;
}

/* Timers are descriptors too: nobody needs to wake up without one being ready. */
static int l_loop_timeout(lua_State *L)
{
	check_loop(L, 1);
	lua_pushnil(L);
	return 1;
}

static int l_loop_tostring(lua_State *L)
{
	struct loop *loop = luaL_checkudata(L, 1, CLASS_LOOP);

	lua_pushfstring(L, "%d sources", loop->loop ? (int)ebpf_loop_count(loop->loop) : 0);
	return binding_tostring(L, CLASS_LOOP, lua_tostring(L, -1));
}

static int l_source_tostring(lua_State *L)
{
	static const char *const names[] = { "ring", "every", "after", "signal", "fd" };
	struct source *source = luaL_checkudata(L, 1, CLASS_SOURCE);

	return binding_tostring(L, CLASS_SOURCE, names[source->kind]);
}

/* core.loop() -> loop; or nil, err */
static int l_loop(lua_State *L)
{
	struct loop *loop = binding_new(L, sizeof(*loop), LOOP_USER_VALUES, CLASS_LOOP);

	lua_newtable(L);
	lua_setiuservalue(L, -2, SOURCES);
	return ebpf_loop_new(&loop->loop, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

static const luaL_Reg methods[] = {
	{ "on", l_loop_on }, { "every", l_loop_every }, { "after", l_loop_after }, { "signal", l_loop_signal },
	{ "fd", l_loop_fd }, { "run", l_loop_run }, { "step", l_loop_step }, { "stop", l_loop_stop },
	{ "pollfd", l_loop_pollfd }, { "events", l_loop_events }, { "timeout", l_loop_timeout }, { "close", l_loop_close },
	{ NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_loop_tostring }, { "__close", l_loop_close }, { "__gc", l_loop_close }, { NULL, NULL }
};
static const luaL_Reg source_methods[] = { { "close", l_source_close }, { "remove", l_source_close }, { NULL, NULL } };
static const luaL_Reg source_metamethods[] = {
	{ "__tostring", l_source_tostring }, { "__close", l_source_close }, { "__gc", l_source_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "loop", l_loop }, { NULL, NULL } };

void binding_open_loop(lua_State *L)
{
	static const struct binding_class loop = { CLASS_LOOP, methods, NULL, NULL, metamethods, NULL };
	static const struct binding_class source = { CLASS_SOURCE, source_methods, NULL, NULL, source_metamethods, NULL };

	binding_class_register(L, &loop);
	binding_class_register(L, &source);
	luaL_setfuncs(L, functions, 0);
}
