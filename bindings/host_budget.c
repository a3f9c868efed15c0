/* host_budget.c -- what a script may use of the processor, and how it is stopped from outside.
 *
 * With a budget, each thread of the script (a coroutine is one) has a hook that counts; what C does at length counts by itself (host_charge): steps of
 * patterns, turns of loops over tables, bytes that are allocated. What is left over, single instructions that compare or copy much, is seen by
 * the clock: instructions that are slower than any should be are paid for by the processor time that they have taken.
 *
 * Without a budget nothing is counted, for a hook costs every instruction. To interrupt is then to give the thread that runs a hook, from a signal handler or
 * from another thread of the program. Lua allows that at any time as long as the lua_State and its list of calls stay where they are; hence `running`
 * says which one it is, and whoever is about to make another one run, or to free memory, waits until no hook is being set. */
#include <string.h>
#include <time.h>

#include "host.h"

enum { NS_PER_INSTRUCTION = 1000 };
#define FREE_NS UINT64_C(1000000000) /* for require, the kernel's verifier, ... */

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* -- stopping -- */

static void arm(lua_State *thread)
{
	lua_sethook(thread, host_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void count_or_not(lua_State *thread, const ebpf_host *host)
{
	if (host->options.instruction_limit)
		lua_sethook(thread, host_hook, LUA_MASKCOUNT, HOST_COUNT);
	else
		lua_sethook(thread, NULL, 0, 0);
}

/* From here on no instruction of this script is executed without coming here: the error cannot be lived through. */
static void stop(lua_State *L, const ebpf_host *host, bool interrupted, int level)
{
	binding_host(L)->doomed = true;
	lua_sethook(L, host_hook, LUA_MASKCOUNT, 1);
	luaL_where(L, level);
	if (interrupted)
		lua_pushliteral(L, "interrupted!");
	else
		lua_pushfstring(L, "the script is over its budget of %I instructions", (LUAI_UACINT)host->options.instruction_limit);
	lua_concat(L, 2);
	lua_error(L);
}

static void check_interrupt(lua_State *L, ebpf_host *host, int level)
{
	if (!host->interrupted)
		return;
	if (!host->options.standalone)
		stop(L, host, true, level);
	host->interrupted = false;
	count_or_not(L, host);
	luaL_where(L, level);
	lua_pushliteral(L, "interrupted!");
	lua_concat(L, 2);
	lua_error(L);
}

void host_charge(lua_State *L, uint64_t instructions, int level)
{
	struct script *script = host_script_of(L);
	ebpf_host *host = script->host;

	check_interrupt(L, host, level);
	if (!host->options.instruction_limit || !host->running) /* while it is being made or closed nothing counts */
		return;
	if (script->left <= instructions) {
		script->left = 0;
		stop(L, host, false, level);
	}
	script->left -= instructions;
}

void host_charge_quietly(struct script *script, uint64_t instructions)
{
	script->left -= instructions < script->left ? instructions : script->left;
}

/* -- the hook -- */

/* What has taken longer than so many instructions can: is it the processor's time, and more than was counted? */
static void look_at_clock(struct script *script)
{
	const uint64_t time = now(CLOCK_MONOTONIC), slice = time - script->slice, limit = script->host->options.instruction_limit;
	uint64_t used;

	script->slice = time;
	if (slice < (uint64_t)HOST_COUNT * NS_PER_INSTRUCTION)
		return;
	used = now(CLOCK_THREAD_CPUTIME_ID) - script->entered;
	used = used > FREE_NS ? (used - FREE_NS) / NS_PER_INSTRUCTION : 0;
	if (limit - script->left < used)
		script->left = used < limit ? limit - used : 0;
}

void host_hook(lua_State *L, lua_Debug *event)
{
	struct script *script = host_script_of(L);
	ebpf_host *host = script->host;

	(void)event;
	check_interrupt(L, host, 0);
	if (binding_host(L)->doomed)
		stop(L, host, false, 0);
	if (!host->options.instruction_limit) { /* left over from an interrupt that came too late */
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	look_at_clock(script);
	host_charge(L, HOST_COUNT, 0);
}

/* -- which thread runs -- */

static void set_running(ebpf_host *host, lua_State *thread)
{
	host->running = thread;
	host_wait_for_hooks(host);
	if (thread && host->interrupted && !host->options.instruction_limit)
		arm(thread);
}

void host_enter(struct script *script)
{
	ebpf_host *host = script->host;

	script->left = host->options.instruction_limit;
	if (script->left) {
		script->slice = now(CLOCK_MONOTONIC);
		script->entered = now(CLOCK_THREAD_CPUTIME_ID);
	}
	host->interrupted = false;
	count_or_not(script->L, host); /* new threads inherit it */
	set_running(host, script->L);
}

void host_leave(struct script *script)
{
	set_running(script->host, NULL);
	lua_sethook(script->L, NULL, 0, 0);
}

void host_runs(lua_State *thread, unsigned instructions)
{
	struct script *script = host_script_of(thread);

	if (!script->host->running) /* nobody has entered it: it is being closed */
		return;
	host_charge_quietly(script, instructions);
	set_running(script->host, thread);
}

/* In a signal handler, or in another thread: nothing but atomic variables, and what Lua says can be done at any time. */
void ebpf_host_interrupt(ebpf_host *host)
{
	lua_State *thread;

	host->interrupted = true;
	if (host->options.instruction_limit) /* then there is a hook, which looks */
		return;
	host->arming++;
	thread = host->running;
	if (thread)
		arm(thread);
	host->arming--;
}
