/* loop.c -- ebpf.loop(): waits for rings, timers, signals, descriptors and processes, and calls Lua back.
 *
 * A source is a handle that its loop keeps alive, so that nobody needs to hold it. Callbacks come through one door, loop_deliver():
 * protected, with a traceback; an error stops the loop and is raised by run() or step(), unless the loop has another policy for errors.
 * run() is made of steps, so that a signal handler of the host's (the lua program's for Ctrl-C) gets its turn. A callback may close its
 * source, its ring, or the loop: what is in use is closed when it is not any more. Coroutines that wait are in task.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <lualib.h>

#include "loop.h"

/* Records of one ring before the others get their turn: what is left is delivered by the next one. */
#define RECORDS_PER_TURN 1024

static struct loop *check_loop(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_LOOP);
}

/* -- closing -- */

/* Out of the core's loop and of the list; the handle stays in SOURCES until the next sweep. */
void loop_source_close(void *context)
{
	struct source *source = context;

	source->stop = true;
	if (!source->source)
		return;
	ebpf_source_remove(source->source);
	source->source = NULL;
	if (source->slot)
		*source->slot = NULL;
	source->slot = NULL;
	if (source->ring)
		binding_ring_watch(source->ring, NULL, NULL);
	*source->link = source->next;
	if (source->next)
		source->next->link = source->link;
	source->loop->stale = true;
}

static int l_source_close(lua_State *L)
{
	loop_source_close(luaL_checkudata(L, 1, CLASS_SOURCE));
	return 0;
}

static void close_now(struct loop *loop)
{
	struct ebpf_loop *core = loop->loop;

	while (loop->sources)
		loop_source_close(loop->sources);
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
	if (loop->hosted) { /* the program's: a script can take out what it has put in */
		while (loop->sources)
			loop_source_close(loop->sources);
		return 0;
	}
	if (!loop->depth) {
		close_now(loop);
		return 0;
	}
	stop(loop);
	loop->close_later = true;
	return 0;
}

/* `local loop <close>` at the end of a script that a program has loaded: that is when its loop begins. */
static int l_loop_leave(lua_State *L)
{
	const struct loop *loop = luaL_checkudata(L, 1, CLASS_LOOP);

	return loop->hosted ? 0 : l_loop_close(L);
}

static int l_loop_gc(lua_State *L)
{
	struct loop *loop = luaL_checkudata(L, 1, CLASS_LOOP);

	loop->hosted = false;
	return l_loop_close(L);
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

/* How a process ended, as of os.execute: "exit", code or "signal", number; of one that is no child of ours "gone". */
static int push_status(lua_State *L, uint32_t status)
{
	if (status == EBPF_STATUS_UNKNOWN) {
		lua_pushliteral(L, "gone");
		return 1;
	}
	lua_pushstring(L, WIFEXITED(status) ? "exit" : "signal");
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return 2;
}

/* Pushes what a source tells its callback; returns how many values. */
static int push_arguments(lua_State *L, const struct source *source, uint32_t events)
{
	switch (source->kind) {
	case EVERY:
	case SIGNAL:
		lua_pushinteger(L, events);
		return 1;
	case FILE_DESCRIPTOR:
		push_events(L, events);
		return 1;
	case PROCESS:
		return push_status(L, events);
	case RING:
		lua_pushboolean(L, 1); /* of a task: there are records */
		return 1;
	case AFTER:
		break;
	}
	if (!source->task)
		return 0;
	lua_pushboolean(L, 0); /* the time is over */
	return 1;
}

/* Arguments: source, events. */
static int call_protected(lua_State *L)
{
	struct source *source = lua_touserdata(L, 1);
	uint32_t events = (uint32_t)lua_tointeger(L, 2);

	lua_settop(L, 1);
	lua_getiuservalue(L, 1, OBJECT);
	lua_getiuservalue(L, 1, FUNCTION);
	if (source->task) {
		task_resume(L, 3, push_arguments(L, source, events));
		return 0;
	}
	if (source->kind == RING) {
		binding_ring_drain(L, 2, 3, RECORDS_PER_TURN, &source->stop);
		return 0;
	}
	if (source->kind == AFTER || source->kind == PROCESS)
		loop_source_close(source);
	lua_call(L, push_arguments(L, source, events), 0);
	return 0;
}

static int fail(struct loop *loop, lua_State *L)
{
	lua_setiuservalue(L, 1, FAILURE);
	loop->failed = true;
	return -ECANCELED;
}

/* -- errors: what the loop's policy says -- */

#define LOGGED_PER_SECOND 5

/* Writes an error to where the state's log goes; at most a few each second, and then how many there were besides. */
static int log_protected(lua_State *L)
{
	struct loop *loop = lua_touserdata(L, lua_upvalueindex(1));
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != loop->logged_second) {
		loop->logged_second = now.tv_sec;
		loop->logged = 0;
	}
	if (loop->logged++ >= LOGGED_PER_SECOND) {
		loop->unlogged++;
		return 0;
	}
	binding_push_text(L, 1);
	if (loop->unlogged) {
		lua_pushfstring(L, "%I more errors were left out\n%s", (LUAI_UACINT)loop->unlogged, lua_tostring(L, -1));
		loop->unlogged = 0;
	}
	binding_log(L, lua_tostring(L, -1));
	return 0;
}

/* Does what the loop is to do about the error on top: takes it away and returns 0; or leaves it, or the one that came of it. */
static int handle(struct loop *loop, lua_State *L)
{
	if (loop->on_error == RAISE || binding_host(L)->doomed)
		return LUA_ERRRUN;
	if (loop->on_error == LOG) {
		lua_pushlightuserdata(L, loop);
		lua_pushcclosure(L, log_protected, 1);
	} else {
		lua_getiuservalue(L, 1, ON_ERROR);
	}
	lua_insert(L, -2);
	return binding_pcall(L, 1, 0);
}

/* Called by the core. Raises nothing: run() and step() have made room on the stack. */
int loop_deliver(void *context, uint32_t events)
{
	struct source *source = context;
	struct loop *loop = source->loop;
	lua_State *L = loop->L;
	int top = lua_gettop(L), result = 0;

	if (source->ring && !source->task && binding_ring_is_busy(source->ring))
		return 0; /* a step within its own callback */
	lua_getiuservalue(L, 1, SOURCES);
	lua_rawgetp(L, -1, source);
	lua_pushcfunction(L, call_protected);
	lua_pushvalue(L, -2);
	lua_pushinteger(L, events);
	int status = binding_pcall(L, 2, 0);

	if (source->ring && !source->task) {
		lua_getiuservalue(L, top + 2, OBJECT); /* the source, still on the stack, keeps it */
		binding_ring_release(L, source->ring, -1);
		lua_pop(L, 1);
	}
	if (status != LUA_OK && handle(loop, L) != LUA_OK)
		result = fail(loop, L);
	lua_settop(L, top);
	return result;
}

/* -- running -- */

static lua_State *enter(lua_State *L, struct loop *loop)
{
	lua_State *outer = loop->L;

	if (loop->hosted && !loop->dispatched)
		luaL_error(L, "the program that this script runs in runs the loop: let the script end, and it calls back");
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

static void sweep(lua_State *L, int at, struct loop *loop)
{
	if (!loop->stale)
		return;
	loop->stale = false;
	lua_getiuservalue(L, at, SOURCES);
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
	if (kind != RING || !luaL_testudata(L, function, CLASS_SINK))
		luaL_checktype(L, function, LUA_TFUNCTION);
	return loop_push_source(L, 1, kind, function, object);
}

struct source *loop_push_source(lua_State *L, int at, enum kind kind, int function, int object)
{
	struct loop *loop = check_loop(L, at);

	sweep(L, at, loop);
	struct source *source = binding_new(L, sizeof(*source), SOURCE_USER_VALUES, CLASS_SOURCE);

	source->loop = loop;
	source->kind = kind;
	lua_pushvalue(L, at);
	lua_setiuservalue(L, -2, LOOP);
	lua_pushvalue(L, function);
	lua_setiuservalue(L, -2, FUNCTION);
	if (object) {
		lua_pushvalue(L, object);
		lua_setiuservalue(L, -2, OBJECT);
	}
	lua_getiuservalue(L, at, SOURCES); /* before it is open: this may run out of memory */
	lua_pushvalue(L, -2);
	lua_rawsetp(L, -2, source);
	lua_pop(L, 1);
	check_loop(L, at);
	return source;
}

int loop_finish_source(struct source *source, int result)
{
	struct loop *loop = source->loop;

	if (result < 0) {
		loop->stale = true;
		return result;
	}
	source->next = loop->sources;
	source->link = &loop->sources;
	if (source->next)
		source->next->link = &source->next;
	loop->sources = source;
	return 0;
}

/* Ends the making of the source on top. */
static int finish_source(lua_State *L, struct source *source, int result)
{
	return loop_finish_source(source, result) < 0 ? binding_fail(L) : 1;
}

/* The ring goes into the loop: when it is woken, or every so often. */
int loop_add_ring(lua_State *L, struct source *source, struct binding_ring *ring)
{
	uint64_t interval = binding_ring_interval(ring);
	struct ebpf_loop *loop = source->loop->loop;

	if (interval)
		return ebpf_loop_add_ring_every(loop, binding_ring_core(ring), interval, loop_deliver, source, &source->source, binding_error(L));
	return ebpf_loop_add_ring(loop, binding_ring_core(ring), loop_deliver, source, &source->source, binding_error(L));
}

/* loop:on(ring, fn), loop:on(map or maps, fn [, options as of ebpf.events]) -> source; with a sink for the function, or with a table that declares
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

	if (!binding_ring_watch(ring, loop_source_close, source)) {
		source->loop->stale = true;
		return luaL_error(L, "the ring is in a loop already");
	}
	int result = loop_add_ring(L, source, ring);

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

	int result = ebpf_loop_add_timer(source->loop->loop, interval, interval, loop_deliver, source, &source->source,
					 binding_error(L));

	return finish_source(L, source, result);
}

/* loop:after(seconds, fn) -> source */
static int l_loop_after(lua_State *L)
{
	uint64_t delay = binding_to_seconds(L, 2, "delay");
	struct source *source = push_source(L, AFTER, 3, 0);

	int result = ebpf_loop_add_timer(source->loop->loop, delay, 0, loop_deliver, source, &source->source, binding_error(L));

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

	if (check_loop(L, 1)->hosted)
		return luaL_error(L, "signals are the affair of the program that this script runs in");
	struct source *source = push_source(L, SIGNAL, 3, 0);

	int result = ebpf_loop_add_signal(source->loop->loop, signal, loop_deliver, source, &source->source, binding_error(L));

	return finish_source(L, source, result);
}

/* The descriptor of an integer, a Lua file, or an object with a method for it. */
int loop_check_fd(lua_State *L, int index)
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

uint32_t loop_check_events(lua_State *L, int index)
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
	int fd = loop_check_fd(L, 2);
	uint32_t events = loop_check_events(L, 3);
	struct source *source = push_source(L, FILE_DESCRIPTOR, 4, 2);

	int result = ebpf_loop_add_fd(source->loop->loop, fd, events, loop_deliver, source, &source->source, binding_error(L));

	return finish_source(L, source, result);
}

/* loop:child(pid, fn) -> source; fn("exit", code), fn("signal", number), or fn("gone") for a process that is not our child. In a task
 * loop:child(pid) waits, and returns that. */
static int l_loop_child(lua_State *L)
{
	int pid = (int)binding_to_integer(L, 2, INT32_MAX, "process");

	if (lua_isnoneornil(L, 3))
		return task_wait_child(L, pid);
	struct source *source = push_source(L, PROCESS, 3, 0);

	int result = ebpf_loop_add_process(source->loop->loop, pid, loop_deliver, source, &source->source, binding_error(L));

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
	static const char *const names[] = { "ring", "every", "after", "signal", "fd", "process" };
	struct source *source = luaL_checkudata(L, 1, CLASS_SOURCE);

	return binding_tostring(L, CLASS_SOURCE, names[source->kind]);
}

/* options.on_error = "raise", "log" or a function. The loop is on top. */
static void choose_policy(lua_State *L, struct loop *loop, int options)
{
	static const char *const names[] = { "raise", "log", NULL };

	switch (lua_getfield(L, options, "on_error")) {
	case LUA_TFUNCTION:
		loop->on_error = CALL;
		lua_setiuservalue(L, -2, ON_ERROR);
		return;
	case LUA_TNIL:
		break;
	default:
		loop->on_error = (enum on_error)luaL_checkoption(L, -1, NULL, names);
	}
	lua_pop(L, 1);
}

int loop_push(lua_State *L, int options)
{
	struct loop *loop = binding_new(L, sizeof(*loop), LOOP_USER_VALUES, CLASS_LOOP);

	lua_newtable(L);
	lua_setiuservalue(L, -2, SOURCES);
	if (options)
		choose_policy(L, loop, options);
	return ebpf_loop_new(&loop->loop, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.loop { on_error = "raise" | "log" | fn } -> loop; or nil, err. In a program that runs the loop itself it is that loop, always the
 * same. */
static int l_loop(lua_State *L)
{
	static const char *const names[] = { "on_error", NULL };
	bool options = binding_check_options(L, 1, names);

	if (!binding_push_hosted_loop(L))
		return loop_push(L, options ? 1 : 0);
	struct loop *loop = binding_check(L, -1, CLASS_LOOP);

	if (options)
		choose_policy(L, loop, 1);
	return 1;
}

/* -- for the host (host_script.c) -- */

int binding_loop_new_hosted(lua_State *L)
{
	int count = loop_push(L, 0);

	if (count == 1) {
		struct loop *loop = lua_touserdata(L, -1);

		loop->hosted = true;
		loop->on_error = LOG;
		ebpf_loop_leave_children(loop->loop); /* they are the program's */
	}
	return count;
}

int binding_loop_fd(lua_State *L, int index)
{
	struct loop *loop = lua_touserdata(L, index);

	return loop->loop ? ebpf_loop_fd(loop->loop) : -1;
}

/* Arguments: the loop, the timeout in seconds or nil. */
int binding_loop_dispatch(lua_State *L)
{
	struct loop *loop = lua_touserdata(L, 1);

	if (!loop->loop)
		return 0;
	loop->dispatched = true;
	lua_pushcfunction(L, l_loop_step);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	int status = lua_pcall(L, 2, LUA_MULTRET, 0);

	loop->dispatched = false;
	return status == LUA_OK ? lua_gettop(L) - 2 : lua_error(L);
}

size_t binding_loop_count(lua_State *L, int index)
{
	struct loop *loop = lua_touserdata(L, index);

	return loop->loop ? ebpf_loop_count(loop->loop) : 0;
}

static const luaL_Reg methods[] = {
	{ "on", l_loop_on }, { "every", l_loop_every }, { "after", l_loop_after }, { "signal", l_loop_signal },
	{ "fd", l_loop_fd }, { "child", l_loop_child }, { "spawn", l_loop_spawn }, { "sleep", l_loop_sleep }, { "wait", l_loop_wait },
	{ "run", l_loop_run }, { "step", l_loop_step }, { "stop", l_loop_stop },
	{ "pollfd", l_loop_pollfd }, { "events", l_loop_events }, { "timeout", l_loop_timeout }, { "close", l_loop_close },
	{ NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_loop_tostring }, { "__close", l_loop_leave }, { "__gc", l_loop_gc }, { NULL, NULL }
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
	task_open(L);
	luaL_setfuncs(L, functions, 0);
}
