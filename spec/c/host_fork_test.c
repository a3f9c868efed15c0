/* A script's callback forks: the child closes all that it has inherited and ends, and the parent's records go on, each of them once. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "ebpf_host.h"
#include "test.h"

static struct ebpf_error err;
static char failure[4096];

static void on_error(void *context, const char *script, const char *message)
{
	(void)context;
	(void)script;
	snprintf(failure, sizeof(failure), "%s", message);
}

/* fork() -> true in the child */
static int l_fork(lua_State *L)
{
	lua_pushboolean(L, fork() == 0);
	return 1;
}

/* leave(ok): ends the child */
static int l_leave(lua_State *L)
{
	_exit(lua_toboolean(L, 1) ? 0 : 1);
}

/* join() -> whether the child ended well */
static int l_join(lua_State *L)
{
	int status = -1;

	lua_pushboolean(L, wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 1;
}

static int l_done(lua_State *L)
{
	*(lua_Integer *)lua_touserdata(L, lua_upvalueindex(1)) = lua_tointeger(L, 1);
	return 0;
}

static const char script[] =
	"local ebpf = require 'ebpf'\n"
	"local coll = assert(ebpf.load 'build/spec/bpf/lua_readers.bpf.o')\n"
	"local maps, loop = coll.maps, ebpf.loop()\n"
	"local function fill(name) assert(coll.programs['fill_' .. name]:run { data = ('\\0'):rep(14) }) end\n"
	"local readers = { assert(ebpf.ringbuf(maps.apples, { raw = true })),\n"
	"  assert(ebpf.perf(maps.plums, { raw = true })), assert(ebpf.events({ maps.pears, maps.kept }, { raw = true })) }\n"
	"local counts, children = { 0, 0, 0 }, 0\n"
	"for i, reader in ipairs(readers) do\n"
	"  loop:on(reader, function()\n"
	"    counts[i] = counts[i] + 1\n"
	"    if counts[i] ~= 2 then return end\n"
	"    if host.fork() then\n"
	"      local ok = pcall(function()\n"
	"        for _, each in ipairs(readers) do each:close() end\n"
	"        loop:close() coll:close() readers, coll, maps = nil\n"
	"        collectgarbage() collectgarbage()\n"
	"      end)\n"
	"      host.leave(ok)\n"
	"    end\n"
	"    assert(host.join(), 'the child failed')\n"
	"    children = children + 1\n"
	"  end)\n"
	"end\n"
	"local turns = 0\n"
	"loop:every(0.01, function()\n"
	"  turns = turns + 1\n"
	"  if turns <= 5 then for _, name in ipairs { 'apples', 'plums', 'pears', 'kept' } do fill(name) end end\n"
	"  if turns == 30 then host.done(counts[1] == 5 and counts[2] == 5 and counts[3] == 10 and children == 3 and 1\n"
	"                           or error(('%d %d %d, %d children'):format(counts[1], counts[2], counts[3], children))) end\n"
	"end)\n";

int main(void)
{
	ebpf_host_options options = { .size = sizeof(options), .on_error = on_error };
	lua_Integer done = 0;
	ebpf_host *host;
	int ret;

	if (geteuid())
		TEST_SKIP("needs root");
	host = ebpf_host_new(&options, &err);
	ret = host ? 0 : -1;
	ret = ret ? ret : ebpf_host_add_function(host, "fork", l_fork, NULL, &err);
	ret = ret ? ret : ebpf_host_add_function(host, "leave", l_leave, NULL, &err);
	ret = ret ? ret : ebpf_host_add_function(host, "join", l_join, NULL, &err);
	ret = ret ? ret : ebpf_host_add_function(host, "done", l_done, &done, &err);
	ret = ret ? ret : ebpf_host_load_text(host, "forks", script, sizeof(script) - 1, &err);
	if (ret) {
		fprintf(stderr, "not ok: %s\n", err.message);
		return 1;
	}
	for (int i = 0; i < 1000 && !done && !*failure; i++)
		ebpf_host_dispatch(host, 100, &err);
	CHECK_STR(failure, "");
	CHECK_INT(done, 1);
	ebpf_host_free(host);
	return TEST_RESULT();
}
