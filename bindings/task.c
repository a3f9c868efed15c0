/* task.c -- loop:spawn(fn): coroutines that wait in the loop as if they blocked.
 *
 * A task is a coroutine of a loop. loop:sleep(), loop:wait(), loop:child() and a reader's records() and poll(), called in it, add a source
 * (with a timeout: two) that wakes the task, and yield. Whichever comes first closes both, and what the source has to say is what the wait
 * returns. A plain coroutine.yield() lets all others have their turn. An error in a task is one of the callback that went on with it:
 * the loop's policy decides.
 *
 * Which task a thread is, is known by a table in the registry with weak keys; a waiting task is kept by its source, thus by the loop. Called
 * outside of a task, or where Lua cannot yield (in a metamethod, in the middle of table.sort), readers block as they always did. */
#include <errno.h>

#include "loop.h"

enum { TASK_LOOP = 1, THREAD, TASK_USER_VALUES = THREAD };
enum { WAITS = 2 };

struct task {
	struct loop *loop;            /* NULL = over */
	struct source *waits[WAITS];
	bool running;
};

static const char tasks_key;

/* Pushes the task that the running thread is, or nothing. */
static struct task *push_running(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
	lua_pushthread(L);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	struct task *task = lua_touserdata(L, -1);

	if (!task || !task->loop || !lua_isyieldable(L)) {
		lua_pop(L, 1);
		return NULL;
	}
	return task;
}

/* The task of the loop at 1 that runs. Leaves it on top. */
static struct task *check_running(lua_State *L, const char *what)
{
	struct loop *loop = binding_check(L, 1, CLASS_LOOP);
	struct task *task = push_running(L);

	if (!task || task->loop != loop)
		luaL_error(L, "loop:%s waits, which only a task of this loop can: loop:spawn(function() ... end)", what);
	return task;
}

static void stop_waiting(struct task *task)
{
	for (int i = 0; i < WAITS; i++)
		if (task->waits[i])
			loop_source_close(task->waits[i]);
}

/* Pushes a source of the loop at `loop` that will wake the task at `index`. */
static struct source *push_wait(lua_State *L, int loop, int index, enum kind kind, int object)
{
	struct source *source = loop_push_source(L, loop, kind, index, object);

	source->task = true;
	return source;
}

/* The source, added with `result`, is number `slot` of what the task waits for. Raises on failure, all waits taken back. */
static void waits_for(lua_State *L, struct task *task, struct source *source, int slot, int result)
{
	if (loop_finish_source(source, result) < 0) {
		stop_waiting(task);
		binding_raise(L);
	}
	task->waits[slot] = source;
	source->slot = &task->waits[slot];
}

static void wait_time(lua_State *L, struct task *task, int loop, int index, uint64_t ns, int slot)
{
	struct source *source = push_wait(L, loop, index, AFTER, 0);

	waits_for(L, task, source, slot,
		  ebpf_loop_add_timer(source->loop->loop, ns, 0, loop_deliver, source, &source->source, binding_error(L)));
}

static int resumed(lua_State *L, int status, lua_KContext bottom)
{
	(void)status;
	return lua_gettop(L) - (int)bottom;
}

/* What the resuming call hands over is returned. */
static int yield(lua_State *L)
{
	lua_settop(L, 0);
	return lua_yieldk(L, 0, 0, resumed);
}

/* loop:sleep(seconds) */
int l_loop_sleep(lua_State *L)
{
	uint64_t ns = binding_to_seconds(L, 2, "time");
	struct task *task = check_running(L, "sleep");

	wait_time(L, task, 1, lua_gettop(L), ns, 0);
	return yield(L);
}

/* loop:wait(file, "r" | "w" | "rw" [, timeout]) -> "r", "w", "rh", ...; false when the time was over before */
int l_loop_wait(lua_State *L)
{
	int fd = loop_check_fd(L, 2);
	uint32_t events = loop_check_events(L, 3);
	uint64_t timeout = lua_isnoneornil(L, 4) ? 0 : binding_to_seconds(L, 4, "timeout");
	bool limited = !lua_isnoneornil(L, 4);

	lua_settop(L, 3);
	struct task *task = check_running(L, "wait");
	struct source *source = push_wait(L, 1, 4, FILE_DESCRIPTOR, 2);

	waits_for(L, task, source, 0,
		  ebpf_loop_add_fd(source->loop->loop, fd, events, loop_deliver, source, &source->source, binding_error(L)));
	if (limited)
		wait_time(L, task, 1, 4, timeout, 1);
	return yield(L);
}

int task_wait_child(lua_State *L, int pid)
{
	lua_settop(L, 2);
	struct task *task = check_running(L, "child without a function");
	struct source *source = push_wait(L, 1, 3, PROCESS, 0);

	waits_for(L, task, source, 0,
		  ebpf_loop_add_process(source->loop->loop, pid, loop_deliver, source, &source->source, binding_error(L)));
	return yield(L);
}

/* -- readers -- */

/* The reader that a task waits for is closed: nothing will wake it any more. It goes on at once, and finds its reader closed. */
static void reader_closed(void *context)
{
	struct source *source = context;
	struct loop *loop = source->loop;
	struct source **slot = source->slot;

	source->ring = NULL;
	loop_source_close(source);
	source->kind = AFTER;
	if (loop_finish_source(source, ebpf_loop_add_timer(loop->loop, 0, 0, loop_deliver, source, &source->source, NULL)) == 0) {
		source->slot = slot;
		*slot = source;
	}
}

bool binding_in_task(lua_State *L)
{
	luaL_checkstack(L, 3, NULL);
	bool is = push_running(L) != NULL;

	if (is)
		lua_pop(L, 1);
	return is;
}

bool binding_task_wait_ring(lua_State *L, int ring, int timeout_ms)
{
	int top = lua_gettop(L);

	luaL_checkstack(L, 12, NULL);
	struct task *task = push_running(L);

	if (!task)
		return false;
	lua_getiuservalue(L, top + 1, TASK_LOOP);
	struct source *source = push_wait(L, top + 2, top + 1, RING, ring);
	struct binding_ring *reader = binding_check_ring(L, ring);

	if (!binding_ring_watch(reader, reader_closed, source)) {
		source->loop->stale = true;
		luaL_error(L, "the ring is in a loop already");
	}
	int result = loop_add_ring(L, source, reader);

	if (result < 0)
		binding_ring_watch(reader, NULL, NULL);
	else
		source->ring = reader;
	waits_for(L, task, source, 0, result);
	if (timeout_ms >= 0)
		wait_time(L, task, top + 2, top + 1, (uint64_t)timeout_ms * 1000000, 1);
	lua_settop(L, top);
	return true;
}

/* -- running -- */

enum { TURN = 100 }; /* what it is worth, in instructions: its timer or ring, and those that are too few to be counted */

static void runs(lua_State *L, lua_State *thread, unsigned instructions)
{
	const struct binding_host *host = binding_host(L);

	if (host->runs)
		host->runs(thread, instructions);
}

/* Runs what is to be closed. */
static int reset(lua_State *L, lua_State *thread)
{
	runs(L, thread, 0);
	int status = lua_resetthread(thread);

	runs(L, L, 0);
	return status;
}

static void end(lua_State *L, struct task *task, int index)
{
	task->loop = NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
	lua_getiuservalue(L, index, THREAD);
	lua_pushnil(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void task_resume(lua_State *L, int index, int count)
{
	struct task *task = lua_touserdata(L, index);
	int results = 0;

	stop_waiting(task);
	if (!task->loop)
		return;
	lua_getiuservalue(L, index, THREAD);
	lua_State *thread = lua_tothread(L, -1);

	lua_insert(L, -count - 1);
	if (!lua_checkstack(thread, count))
		luaL_error(L, "stack overflow");
	if (lua_status(thread) == LUA_OK) /* its first turn: what is on its stack are the function and its arguments */
		count = lua_gettop(thread) - 1;
	else
		lua_xmove(L, thread, count);
	task->running = true;
	runs(L, thread, TURN);
	int status = lua_resume(thread, L, count, &results);

	runs(L, L, 0);
	task->running = false;
	if (status == LUA_YIELD) {
		lua_pop(thread, results);
		if (task->loop && !task->waits[0]) { /* a plain yield: after all others */
			lua_getiuservalue(L, index, TASK_LOOP);
			wait_time(L, task, lua_gettop(L), index, 0, 0);
		}
		return;
	}
	end(L, task, index);
	if (status == LUA_OK)
		return;
	lua_xmove(thread, L, 1);
	binding_add_traceback(L, thread);
	reset(L, thread);
	lua_error(L);
}

/* loop:spawn(fn, ...) -> task: fn(...) runs in a coroutine as soon as the loop gets to it */
int l_loop_spawn(lua_State *L)
{
	struct loop *loop = binding_check(L, 1, CLASS_LOOP);
	int count = lua_gettop(L) - 1;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	struct task *task = binding_new(L, sizeof(*task), TASK_USER_VALUES, CLASS_TASK);
	int index = lua_gettop(L);

	lua_pushvalue(L, 1);
	lua_setiuservalue(L, index, TASK_LOOP);
	lua_State *thread = lua_newthread(L);

	lua_pushvalue(L, -1);
	lua_setiuservalue(L, index, THREAD);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
	lua_pushvalue(L, -2);
	lua_pushvalue(L, index);
	lua_rawset(L, -3);
	lua_pop(L, 2);
	if (!lua_checkstack(thread, count))
		return luaL_error(L, "too many arguments");
	luaL_checkstack(L, count, "too many arguments");
	for (int i = 2; i < count + 2; i++)
		lua_pushvalue(L, i);
	lua_xmove(L, thread, count);
	task->loop = loop;
	wait_time(L, task, 1, index, 0, 0);
	lua_pushvalue(L, index);
	return 1;
}

/* task:close(): it is never resumed; what it has to be closed is closed. */
static int l_task_close(lua_State *L)
{
	struct task *task = luaL_checkudata(L, 1, CLASS_TASK);

	if (!task->loop)
		return 0;
	if (task->running)
		return luaL_error(L, "a task cannot be closed while it runs: return from its function");
	stop_waiting(task);
	end(L, task, 1);
	lua_getiuservalue(L, 1, THREAD);
	lua_State *thread = lua_tothread(L, -1);

	if (reset(L, thread) == LUA_OK)
		return 0;
	lua_xmove(thread, L, 1);
	return lua_error(L);
}

static int l_task_tostring(lua_State *L)
{
	struct task *task = luaL_checkudata(L, 1, CLASS_TASK);

	return binding_tostring(L, CLASS_TASK, task->running ? "running" : "waiting");
}

static const luaL_Reg methods[] = { { "close", l_task_close }, { NULL, NULL } };
static const luaL_Reg metamethods[] = { { "__tostring", l_task_tostring }, { "__close", l_task_close }, { NULL, NULL } };

void task_open(lua_State *L)
{
	static const struct binding_class class = { CLASS_TASK, methods, NULL, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
}
