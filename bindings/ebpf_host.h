/* ebpf_host.h -- scripts inside a C program: `require "ebpf"` without files, in a sandbox, in the program's own loop.
 *
 *	#include <ebpf_host.h>                     cc daemon.c $(pkg-config --cflags --libs ebpf-host)
 *
 *	struct ebpf_error err = { 0 };
 *	ebpf_host *host = ebpf_host_new(&(ebpf_host_options){ .size = sizeof(ebpf_host_options), .sandbox = true,
 *							      .memory_limit = 64 << 20 }, &err);
 *	ebpf_host_load_file(host, "probe.lua", &err);
 *	poll(&(struct pollfd){ .fd = ebpf_host_fd(host), .events = POLLIN }, 1, -1);
 *	ebpf_host_dispatch(host, 0, &err);
 *
 * A host has scripts, each in a lua_State of its own with a loop of its own: they see nothing of each other, and ending one closes its state, thus detaches
 * and closes all that it had. In a script ebpf.loop() is that loop; the program runs it, by ebpf_host_dispatch(). The descriptor and the host stay
 * the same whatever scripts come and go.
 *
 * What the library never does: print, exit, install a signal handler, change the signal mask (a script of a host cannot wait for signals), keep
 * state outside of the host. One thread at a time per host; hosts in several threads share nothing. From within a script (from a function
 * that it calls, or a callback of the options) a call of the same host fails with EBUSY, but for ebpf_host_interrupt and ebpf_host_memory.
 *
 * What the sandbox holds, and what not: docs/embedding.md.
 */
#ifndef EBPF_HOST_H
#define EBPF_HOST_H

#include "ebpf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;
typedef struct ebpf_host ebpf_host;

typedef struct ebpf_host_options {
	size_t size;                 /* sizeof(ebpf_host_options); what is not set is 0 */
	/* Only the libraries of the list, source text only, no metamethods that run at collection. */
	bool sandbox;
	/* For a command: scripts make and run loops of their own, and may wait for signals; ebpf_host_fd() never becomes ready. */
	bool standalone;
	/* When a script is loaded again, its old version is ended before the new one runs: for what can be attached only once. Otherwise only after that,
	 * so that nothing is missed, and that the old one stays when the new one fails. */
	bool stop_first;
	size_t memory_limit;         /* bytes of Lua memory that all scripts together may have; 0 = no limit */
	/* Lua instructions that a script may execute each time that the program enters it (load, dispatch, call); 0 = no limit. Steps of patterns, loops over
	 * tables, allocation and processor time count, too (docs/embedding.md). A script that is over it is ended: the error cannot be caught in it. */
	uint64_t instruction_limit;
	/* NULL-terminated: "base", "coroutine", "table", "string", "math", "utf8", "time" (os.clock, date, difftime, time), "os", "io", "debug",
	 * "package", "ebpf". NULL: the first six, "time" and "ebpf" in a sandbox, otherwise all. */
	const char *const *libraries;
	const char *const *arguments; /* NULL-terminated: `arg` of the scripts; borrowed */
	/* Asked before each privileged step of a script (struct ebpf_step in ebpf.h says what); 0 = go on. Not asked: reading maps, what a script has
	 * taken down or closed at its end. NULL: everything is granted, but in a sandbox files and descriptors to write to. */
	int (*policy)(void *context, const char *script, const struct ebpf_step *step);
	/* Errors of callbacks, at most five a second of each script, and of scripts that are ended; with a traceback. Without it ebpf_host_dispatch()
	 * fails with the first. */
	void (*on_error)(void *context, const char *script, const char *message);
	void (*print)(void *context, const char *script, const char *line); /* what print() writes; without it nothing */
	void *context;               /* of these three */
} ebpf_host_options;

/* NULL on failure. EINVAL for a library that does not exist. */
EBPF_API ebpf_host *ebpf_host_new(const ebpf_host_options *options, struct ebpf_error *err);
/* Ends all scripts. Takes NULL. Not from within a script. */
EBPF_API void ebpf_host_free(ebpf_host *host);

/* Offers a function to the scripts that are loaded from now on, as host.NAME. It is a lua_CFunction; its upvalue 1 is `context`, a light userdata. */
EBPF_API int ebpf_host_add_function(ebpf_host *host, const char *name, int (*function)(struct lua_State *L), void *context, struct ebpf_error *err);

/* Loads a script and runs it. One that has this name (the path) already is replaced, see `stop_first`. EINVAL for a syntax error (then nothing has
 * changed), ECANCELED when it raised an error: `err` has the message, its `log` the traceback; ENOENT, EACCES, ... for the file. */
EBPF_API int ebpf_host_load_file(ebpf_host *host, const char *path, struct ebpf_error *err);
EBPF_API int ebpf_host_load_text(ebpf_host *host, const char *name, const char *text, size_t size, struct ebpf_error *err);
/* Ends a script; ENOENT when there is none. */
EBPF_API int ebpf_host_unload(ebpf_host *host, const char *name, struct ebpf_error *err);
/* How many scripts there are, and the name of one: until the next load or unload; NULL past the end. */
EBPF_API size_t ebpf_host_count(const ebpf_host *host);
EBPF_API const char *ebpf_host_script(const ebpf_host *host, size_t index);

/* Calls `function` protected in the state of a script, with the light userdata `context` as its argument, under the limits and the policy: there the
 * program calls a global function of the script, or reads a variable. What it leaves on the stack is dropped. ECANCELED when it raised. */
EBPF_API int ebpf_host_call(ebpf_host *host, const char *name, int (*function)(struct lua_State *L), void *context, struct ebpf_error *err);

/* Readable when a dispatch would find something to do: for the program's own loop. */
EBPF_API int ebpf_host_fd(const ebpf_host *host);
/* Waits at most `timeout_ms` (-1 = for ever, 0 = not at all) and calls the scripts back for what is ready. Returns for how many scripts. ECANCELED
 * when there was an error and no `on_error`. */
EBPF_API int ebpf_host_dispatch(ebpf_host *host, int timeout_ms, struct ebpf_error *err);
/* How many sources (timers, rings, ...) all scripts together wait for: 0 = nothing will be called back any more. */
EBPF_API size_t ebpf_host_sources(const ebpf_host *host);

/* Ends what a script is executing, in whatever coroutine, with the error "interrupted!". The script is ended like one that is over its budget, a standalone one
 * can catch it. When no script is being executed it does nothing. Safe in a signal handler of the thread that runs the host; and in other threads as long as
 * the host is not freed, but for a standalone host. */
EBPF_API void ebpf_host_interrupt(ebpf_host *host);
/* Bytes of Lua memory that are in use. */
EBPF_API size_t ebpf_host_memory(const ebpf_host *host);

#ifdef __cplusplus
}
#endif
#endif
