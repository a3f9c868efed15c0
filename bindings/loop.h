/* loop.h -- what loop.c (sources, callbacks, running) and task.c (coroutines that wait) share. */
#ifndef EBPF_BINDING_LOOP_H
#define EBPF_BINDING_LOOP_H

#include "binding.h"

enum { SOURCES = 1, FAILURE, ON_ERROR, LOOP_USER_VALUES = ON_ERROR }; /* of a loop: sources by address; what a callback raised; a function */
enum { LOOP = 1, FUNCTION, OBJECT, SOURCE_USER_VALUES = OBJECT }; /* of a source: what is called, or the task; the ring or file, kept alive */

enum on_error { RAISE, LOG, CALL };

struct loop {
	struct ebpf_loop *loop;
	lua_State *L;            /* that runs it, while it runs; the loop is at stack index 1 then */
	unsigned depth;          /* of run and step: a callback may step its loop */
	bool stop, failed, close_later;
	bool hosted, dispatched; /* a program runs it, not the script; and is just doing so */
	enum on_error on_error;
	long logged_second;      /* errors logged in this second, and left out since the last one that was logged */
	int logged;
	lua_Integer unlogged;
	struct source *sources;  /* open ones */
	bool stale;              /* SOURCES has closed ones */
};

enum kind { RING, EVERY, AFTER, SIGNAL, FILE_DESCRIPTOR, PROCESS };

struct source {
	struct ebpf_source *source;
	struct loop *loop;
	struct source *next, **link;
	enum kind kind;
	struct binding_ring *ring;
	bool stop;               /* ends the draining of its ring */
	bool task;               /* wakes a task: FUNCTION is one */
	struct source **slot;    /* where the task remembers it; cleared when the source closes */
};

/* Pushes a closed source of the loop at `at`, for the function or task at `function`; keeps the value at `object` (or 0) alive. All are
 * positive indices. */
struct source *loop_push_source(lua_State *L, int at, enum kind kind, int function, int object);
/* Ends its making: `result` is that of ebpf_loop_add_..., and is returned. */
int loop_finish_source(struct source *source, int result);
int loop_add_ring(lua_State *L, struct source *source, struct binding_ring *ring);
void loop_source_close(void *source);
int loop_deliver(void *source, uint32_t events); /* the callback of all sources, an ebpf_source_fn */
/* The descriptor of an integer, a Lua file, or an object with a method for it; the events of "r", "w", "rw". */
int loop_check_fd(lua_State *L, int index);
uint32_t loop_check_events(lua_State *L, int index);
int loop_push(lua_State *L, int options);

/* task.c. Goes on with the task at `task`, which has been woken: the values above are what its wait returns. Raises what the task raised. */
void task_resume(lua_State *L, int task, int count);
int task_wait_child(lua_State *L, int pid);
int l_loop_spawn(lua_State *L);
int l_loop_sleep(lua_State *L);
int l_loop_wait(lua_State *L);
void task_open(lua_State *L);

#endif
