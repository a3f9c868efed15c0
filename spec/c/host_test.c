/* The host: scripts in a C program, what they can reach, what ends them, and what the program learns of it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "ebpf_host.h"
#include "descriptors.h"
#include "test.h"

static struct ebpf_error err;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* What comes out of scripts. */
struct sinks {
	char printed[4096], errors[16384], steps[4096];
	int error_count, step_count;
	unsigned refuses; /* bits of kinds of steps */
};

static void print(void *context, const char *script, const char *line)
{
	struct sinks *sinks = context;
	size_t used = strlen(sinks->printed);

	(void)script;
	snprintf(sinks->printed + used, sizeof(sinks->printed) - used, "%s\n", line);
}

static void on_error(void *context, const char *script, const char *message)
{
	struct sinks *sinks = context;
	size_t used = strlen(sinks->errors);

	sinks->error_count++;
	snprintf(sinks->errors + used, sizeof(sinks->errors) - used, "%s: %s\n", script, message);
}

static int policy(void *context, const char *script, const struct ebpf_step *step)
{
	struct sinks *sinks = context;
	size_t used = strlen(sinks->steps);

	sinks->step_count++;
	snprintf(sinks->steps + used, sizeof(sinks->steps) - used, "%s: %s\n", script, step->what);
	return (int)(sinks->refuses >> step->kind & 1);
}

static ebpf_host_options sandbox(struct sinks *sinks)
{
	return (ebpf_host_options){ .size = sizeof(ebpf_host_options), .sandbox = true, .memory_limit = 32 << 20, .instruction_limit = 10 * 1000 * 1000,
				    .print = print, .on_error = on_error, .context = sinks };
}

static ebpf_host *new_host(const ebpf_host_options *options)
{
	ebpf_host *host = ebpf_host_new(options, &err);

	if (!host) {
		fprintf(stderr, "no host: %s\n", err.message);
		exit(1);
	}
	return host;
}

static int load(ebpf_host *host, const char *name, const char *text)
{
	return ebpf_host_load_text(host, name, text, strlen(text), &err);
}

#define LOADED(host, name, text) \
	do { \
		int loaded_ = load(host, name, text); \
		if (loaded_) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: %d %s\n", __FILE__, __LINE__, loaded_, err.log ? err.log : err.message); \
			ebpf_error_clear(&err); \
		} \
	} while (0)

/* The program's own loop, until so many callbacks were called. */
static void serve(ebpf_host *host, double seconds)
{
	double end = now() + seconds;

	while (now() < end && ebpf_host_sources(host) > 0) {
		struct pollfd fd = { .fd = ebpf_host_fd(host), .events = POLLIN };

		if (poll(&fd, 1, 50) > 0)
			CHECK(ebpf_host_dispatch(host, 0, &err) >= 0);
	}
}

/* -- life -- */

static void test_life(void)
{
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);
	int fd = ebpf_host_fd(host);

	LOADED(host, "a", "local ebpf = require 'ebpf'  local n = 0\n"
			  "ebpf.loop():every(0.005, function() n = n + 1 print('a', n) if n == 3 then ebpf.loop():close() end end)");
	LOADED(host, "b", "local loop <close> = require 'ebpf'.loop()  assert(loop == require 'ebpf'.loop())\n"
			  "loop:spawn(function() loop:sleep(0.01) print 'b woke' end)");
	CHECK_INT(ebpf_host_count(host), 2);
	CHECK_INT(ebpf_host_sources(host), 2);
	serve(host, 5);
	CHECK(strstr(sinks.printed, "a\t1\n") && strstr(sinks.printed, "a\t3\n") && !strstr(sinks.printed, "a\t4"));
	CHECK(strstr(sinks.printed, "b woke\n") != NULL);
	CHECK_INT(ebpf_host_fd(host), fd);
	CHECK_INT(ebpf_host_unload(host, "a", &err), 0);
	CHECK_INT(ebpf_host_unload(host, "a", &err), -ENOENT);
	CHECK_STR(ebpf_host_script(host, 0), "b");
	CHECK(ebpf_host_script(host, 1) == NULL);
	/* scripts see nothing of each other */
	LOADED(host, "one", "shared = 1  string.mine = 1");
	LOADED(host, "two", "assert(shared == nil and string.mine == nil)");
	CHECK_STR(sinks.errors, "");
	CHECK(ebpf_host_memory(host) > 10000);
	ebpf_host_free(host);
	ebpf_host_free(NULL);
	options.libraries = (const char *const[]){ "base", "bse", NULL };
	CHECK(ebpf_host_new(&options, &err) == NULL);
	CHECK_STR(err.message, "host: there is no library 'bse'");
	ebpf_error_clear(&err);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	CHECK(file && fputs(text, file) >= 0);
	if (file)
		fclose(file);
}

static void test_reload(void)
{
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);
	char path[] = "/tmp/host-test-XXXXXX";
	int fd = ebpf_host_fd(host);

	close(mkstemp(path));
	write_file(path, "#!/usr/bin/env lua5.4\nrequire 'ebpf'.loop():every(0.005, function() print 'old' end)");
	CHECK_INT(ebpf_host_load_file(host, path, &err), 0);
	serve(host, 0.03);
	CHECK(strstr(sinks.printed, "old") != NULL);
	/* neither a mistake in the text nor one when it runs ends the old one */
	write_file(path, "print 'new'\nthis is no Lua");
	CHECK_INT(ebpf_host_load_file(host, path, &err), -EINVAL);
	CHECK(strstr(err.message, ":2: ") != NULL);
	write_file(path, "\nlocal function guilty() error 'on purpose' end\nguilty()");
	CHECK_INT(ebpf_host_load_file(host, path, &err), -ECANCELED);
	CHECK(strstr(err.message, ":2: on purpose") != NULL);
	CHECK(err.log && strstr(err.log, "stack traceback:\n") && strstr(err.log, "guilty"));
	sinks.printed[0] = '\0';
	serve(host, 0.03);
	CHECK(strstr(sinks.printed, "old") != NULL);
	write_file(path, "require 'ebpf'.loop():every(0.005, function() print 'new' end)");
	CHECK_INT(ebpf_host_load_file(host, path, &err), 0);
	CHECK_INT(ebpf_host_count(host), 1);
	sinks.printed[0] = '\0';
	serve(host, 0.03);
	CHECK(strstr(sinks.printed, "new") && !strstr(sinks.printed, "old"));
	CHECK_INT(ebpf_host_fd(host), fd);
	CHECK_INT(ebpf_host_sources(host), 1);
	unlink(path);
	CHECK_INT(ebpf_host_load_file(host, path, &err), -ENOENT);
	CHECK_INT(ebpf_host_load_file(host, "/tmp", &err), -EISDIR);
	ebpf_host_free(host);
	/* first stopped, then started: then a failure leaves none */
	options.stop_first = true;
	host = new_host(&options);
	LOADED(host, "x", "");
	CHECK_INT(load(host, "x", "error 'no'"), -ECANCELED);
	CHECK_INT(ebpf_host_count(host), 0);
	ebpf_host_free(host);
	ebpf_error_clear(&err);
}

/* -- errors -- */

static void test_errors(void)
{
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);

	LOADED(host, "bad", "local loop, n = require 'ebpf'.loop(), 0\n"
			    "loop:every(0.001, function() n = n + 1 if n == 100 then loop:close() end error('mistake ' .. n) end)");
	serve(host, 5);
	CHECK(sinks.error_count >= 5 && sinks.error_count <= 15);
	CHECK(strstr(sinks.errors, "bad: bad:2: mistake 1\nstack traceback:\n") == sinks.errors);
	CHECK_INT(ebpf_host_count(host), 1);
	ebpf_host_free(host);
	/* without a sink they come out of dispatch */
	options.on_error = NULL;
	host = new_host(&options);
	LOADED(host, "bad", "local loop = require 'ebpf'.loop() loop:after(0, function() error('mistake') end)");
	CHECK_INT(ebpf_host_dispatch(host, 1000, &err), -ECANCELED);
	CHECK_STR(err.message, "script 'bad': bad:1: mistake");
	CHECK(err.log && strstr(err.log, "stack traceback"));
	CHECK_INT(ebpf_host_dispatch(host, 0, &err), 0);
	/* errors that are no strings */
	CHECK_INT(load(host, "table", "error({})"), -ECANCELED);
	CHECK_INT(load(host, "nil", "error()"), -ECANCELED);
	CHECK_INT(load(host, "evil", "error(setmetatable({}, { __tostring = function() error 'again' end }))"), -ECANCELED);
	CHECK_INT(load(host, "object", "error(select(2, require 'ebpf'.spec '/no/such/file'))"), -ECANCELED);
	CHECK(strstr(err.message, "/no/such/file") && err.log && strstr(err.log, "stack traceback"));
	/* the loop is the program's */
	CHECK_INT(load(host, "loop", "require 'ebpf'.loop():run()"), -ECANCELED);
	CHECK(strstr(err.message, "the program that this script runs in runs the loop") != NULL);
	CHECK_INT(load(host, "signal", "require 'ebpf'.loop():signal('INT', print)"), -ECANCELED);
	CHECK(strstr(err.message, "signals are the affair of the program") != NULL);
	ebpf_host_free(host);
	ebpf_error_clear(&err);
}

/* -- the sandbox -- */

static void test_sandbox(void)
{
	/* Each is true in a sandbox. */
	static const char *const facts[] = {
		"return io == nil and debug == nil and package == nil and dofile == nil and loadfile == nil and warn == nil",
		"return os.execute == nil and os.exit == nil and os.remove == nil and os.getenv == nil and os.time() > 0 and os.date 'x'",
		"return _G == _ENV and _G.io == nil and string.dump == nil and ('').dump == nil",
		"return not pcall(require, 'io') and not pcall(require, 'ebpf.cli.main') and not pcall(require, 'ebpf.gen')",
		"return load('\\27Lua') == nil and load(function() return nil end) ~= nil and load('return 1 + 1')() == 2",
		"return load('return x', 'name', 'b') ~= nil and load('return x', 'name', 'bt', { x = 5 })() == 5",
		"return not pcall(setmetatable, {}, { __gc = function() end })",
		"return getmetatable('') == false and getmetatable(require 'ebpf'.loop()) == false",
		"local m = {} return getmetatable(setmetatable({}, m)) == m and getmetatable({}) == nil",
		"local m = { __metatable = 7 } return getmetatable(setmetatable({}, m)) == 7 and not pcall(setmetatable, setmetatable({}, m), {})",
		/* finalizers run where nothing can stop them: no way to one by what ebpf has made */
		"local _, err = require 'ebpf'.spec '/no/such/file' return getmetatable(err) == false",
		"local asm = require 'ebpf'.asm return getmetatable(asm.r0) == false and getmetatable(asm.mov(asm.r0, 0)) == false",
		"local B = require 'ebpf.btf_builder' local m = require 'ebpf'.btf.new() local t = m.__index\n"
		"if type(t) == 'table' then t.__gc = function() while true do end end assert(not pcall(require 'ebpf'.btf.new)) end return true",
		"for name in pairs { ['ebpf.core'] = 1, ['ebpf.asm'] = 1, ['ebpf.btf'] = 1, ['ebpf.link'] = 1, ['ebpf.btf_builder'] = 1, ['ebpf.btf_classes'] = 1 } do\n"
		"local function walk(t, depth) for k, v in next, t do if type(v) == 'table' and depth < 4 and not rawget(v, '__seen') then\n"
		"rawset(v, '__seen', true) rawset(v, '__gc', function() while true do end end) walk(v, depth + 1) end end end walk(require(name), 1) end\n"
		"local ebpf = require 'ebpf' pcall(function() local r = ebpf.asm.list { ebpf.asm.mov(ebpf.asm.r0, 0) } end) pcall(ebpf.asm.parse, 'exit') pcall(ebpf.spec, '/no')\n"
		"pcall(ebpf.btf.new) collectgarbage() collectgarbage() return true",
		"return ('ab'):rep(2) == 'abab' and (''):rep(1 << 60) == '' and not pcall(string.rep, 'x', 1 << 40)",
		"return table.move({ 1, 2 }, 1, 2, 2)[3] == 2 and not pcall(table.unpack, {}, 1, 1 << 60)",
		"return collectgarbage 'count' > 0 and collectgarbage() == 0 and not pcall(collectgarbage, 'stop')",
		"return select('#', pcall(error)) == 2 and select(2, pcall(function() return 1, 2 end)) == 1",
		"return select(2, xpcall(error, function(m) return m .. '!' end, 'x')) == 'x!'",
		"return select(3, xpcall(function(...) return ... end, print, 1, 2)) == 2",
		"local co = coroutine.wrap(function() local ok, v = pcall(coroutine.yield, 1) coroutine.yield(v) end) co() return co(7) == 7",
		"local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)\n"
		"local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 21) return x == 2 and y == 42",
		"local asm = require 'ebpf'.asm return #asm.parse 'r0 = 2\\nexit' == 2",
		"return require 'ebpf'.btf ~= nil and require 'ebpf'.link ~= nil and require 'ebpf' == require 'ebpf'",
	};
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);
	char text[1024];

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		snprintf(text, sizeof(text), "assert((function(...) %s\nend)(...))", facts[i]);
		if (load(host, "fact", text)) {
			test_failures++;
			fprintf(stderr, "not ok: %s: %s\n", facts[i], err.message);
		}
		ebpf_error_clear(&err);
	}
	ebpf_host_free(host);
	/* bytecode is no script */
	host = new_host(&options);
	CHECK_INT(ebpf_host_load_text(host, "binary", "\33Lua\x54", 5, &err), -EINVAL);
	ebpf_host_free(host);
	/* lists of libraries, with and without the sandbox's own functions */
	options.libraries = (const char *const[]){ "base", "string", NULL };
	host = new_host(&options);
	LOADED(host, "few", "assert(math == nil and os == nil and table == nil and string.format and not pcall(require, 'ebpf'))");
	ebpf_host_free(host);
	options.sandbox = false;
	options.libraries = (const char *const[]){ "base", "ebpf", "io", NULL };
	host = new_host(&options);
	LOADED(host, "list", "assert(io.open and not os and dofile and require 'ebpf'.asm.mov and not pcall(require, 'string'))");
	ebpf_host_free(host);
	options.libraries = NULL;
	host = new_host(&options);
	LOADED(host, "all", "assert(io.open and os.getenv and debug.getinfo and package.path and require 'string')");
	ebpf_host_free(host);
	ebpf_error_clear(&err);
}

/* -- budgets -- */

static void test_budgets(void)
{
	/* Each would run for ever. */
	static const char *const endless[] = {
		"while true do end",
		"local function f() return f() end f()",
		"while true do pcall(function() while true do end end) end",
		"while true do pcall(function() for i = 1, 1e6 do end end) end",
		"repeat local ok = xpcall(function() while true do end end, function() while true do end end) until false",
		"while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
		"local function nest(n) local co = coroutine.create(function() while true do pcall(nest, n + 1) pcall(function() for i = 1, 9999 do end end) end end)\n"
		"while true do coroutine.resume(co) end end nest(1)",
		"local w = coroutine.wrap(function() while true do end end) while true do pcall(w) end",
		"local t = setmetatable({}, { __index = function(t, k) while true do end end }) while true do pcall(function() return t.x end) end",
		"do local c <close> = setmetatable({}, { __close = function() while true do end end }) while true do end end",
		"while true do pcall(function() local c <close> = setmetatable({}, { __close = function() while true do end end }) error() end) end",
		"local s = setmetatable({}, { __tostring = function() while true do end end }) error(s)",
		"string.gsub(('x'):rep(1000), '.', function() while true do end end)",
		"table.sort({ 1, 2, 3 }, function() while true do end end)",
		"while true do load(function() while true do end end) end",
		/* one call of C */
		"return ('a'):rep(30000):find(('a*'):rep(20) .. 'b')",
		"return (('a'):rep(30000) .. 'c'):match(('a-'):rep(20) .. 'b')",
		"for _ in ('a'):rep(30000):gmatch(('a?a*'):rep(9) .. 'b') do end",
		"return ('a'):rep(30000):gsub(('(a*)'):rep(9) .. '%9%1b', '')",
		"return ('(('):rep(60000):find '%b()'",
		"return ('a'):rep(3000):find(('.-'):rep(100) .. 'b')",
		"return pcall(string.find, ('a'):rep(30000), ('a*'):rep(20) .. 'b')",
		"return xpcall(string.gsub, print, ('a'):rep(30000), ('a*'):rep(20) .. 'b', '')",
		"local co = coroutine.wrap(string.find) while true do pcall(co, ('a'):rep(30000), ('a*'):rep(20) .. 'b') end",
		"table.move({}, 1, 1 << 60, 2)",
		"pcall(table.move, setmetatable({}, { __newindex = rawequal }), 1, 1 << 60, 2)",
		"table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)",
		"table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)",
		"local n = 0 table.remove(setmetatable({}, { __len = function() n = n + 1 return n < 2 and 9 or 1 << 60 end }), 1) "
		"table.concat(setmetatable({}, { __index = type, __len = function() n = n + 1 return n < 4 and 9 or 1 << 60 end }), '', 1, 1 << 60)",
		"table.sort(setmetatable({}, { __index = rawlen, __len = function() return 1 << 30 end }), rawequal)",
		"local s, t = ('x'):rep(1 << 19), {} for i = 1, 999 do t[i] = s end table.sort(t)",
		"while true do local t = {} for i = 1, 9 do t[i] = 0 end table.sort(t, rawequal) end",
		"while true do local s = ('x'):rep(1 << 20) end",
		/* one instruction of Lua */
		"local a = ('x'):rep(1 << 21) local b = a .. 'b' a = a .. 'a' while true do local c = a < b end",
		"local f = ('b'):rep(1 << 19) while true do string.packsize(f) end",
		/* threads that are too short to be counted */
		"while true do coroutine.wrap(function() for i = 1, 60 do end end)() end",
		"local function nest(depth) while true do if depth < 150 then coroutine.wrap(nest)(depth + 1) else return end end end nest(1)",
		"local co = coroutine.create(function() local c <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end)\n"
		"coroutine.resume(co) while true do coroutine.close(co) end",
		"local ebpf = require 'ebpf' local loop = ebpf.loop() local task task = loop:spawn(function() while true do end end)",
		"local loop = require 'ebpf'.loop { on_error = function() while true do end end } loop:after(0, function() while true do end end)",
		"local loop = require 'ebpf'.loop { on_error = 'log' } loop:every(0.001, function() while true do end end)",
	};
	struct sinks sinks;
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host;

	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		double start = now();
		int result;

		sinks = (struct sinks){ .error_count = 0 };
		options.instruction_limit = 100 * 1000;
		host = new_host(&options);
		result = load(host, "endless", endless[i]);
		if (!result) {
			serve(host, 2);
			CHECK(strstr(sinks.errors, "over its budget of 100000 instructions") != NULL);
		} else {
			CHECK_INT(result, -ECANCELED);
			if (!strstr(err.message, "over its budget of 100000 instructions") && !strstr(err.message, "the script is ended")) {
				test_failures++;
				fprintf(stderr, "not ok: %s: %s\n", endless[i], err.message);
			}
		}
		if (ebpf_host_count(host) || now() - start > 20) {
			test_failures++;
			fprintf(stderr, "not ok: %s: %zu scripts are left after %f s\n", endless[i], ebpf_host_count(host), now() - start);
		}
		ebpf_host_free(host);
		ebpf_error_clear(&err);
	}
	/* each entry has the whole budget; one that is over it does not harm the others */
	sinks = (struct sinks){ .error_count = 0 };
	options.instruction_limit = 100 * 1000;
	host = new_host(&options);
	LOADED(host, "good", "local loop, n = require 'ebpf'.loop(), 0\n"
			     "loop:every(0.001, function() for i = 1, 10000 do end n = n + 1 if n == 30 then print 'done' loop:close() end end)");
	LOADED(host, "greedy", "require 'ebpf'.loop():after(0.005, function() while true do end end)");
	serve(host, 5);
	CHECK(strstr(sinks.printed, "done") != NULL);
	CHECK_INT(sinks.error_count, 1);
	CHECK(strstr(sinks.errors, "greedy: greedy:1: the script is over its budget of 100000 instructions\nstack traceback:") == sinks.errors);
	CHECK_INT(ebpf_host_count(host), 1);
	ebpf_host_free(host);
}

/* -- memory -- */

static void test_memory(void)
{
	static const char text[] = "local ebpf = require 'ebpf' local loop = ebpf.loop() local t = {}\n"
				   "for i = 1, 200 do t[i] = { ('x'):rep(i) } end\n"
				   "loop:spawn(function() loop:sleep(0) for i = 1, 100 do t[i] = { i } end print 'done' end)\n"
				   "loop:on({}, print)";
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);
	int fds = open_fds();
	size_t needed;

	CHECK_INT(load(host, "rep", "local s = ('x'):rep(1 << 20) while true do s = s .. s end"), -ECANCELED);
	CHECK(strstr(err.message, "not enough memory") != NULL);
	CHECK_INT(load(host, "table", "local t = {} while true do t[#t + 1] = {} end"), -ECANCELED);
	CHECK(strstr(err.message, "not enough memory") != NULL);
	/* a script may get over it, and the limit is the host's */
	LOADED(host, "careful", "assert(not pcall(function() return ('x'):rep(1 << 24):rep(2) end))");
	CHECK(ebpf_host_memory(host) < options.memory_limit);
	CHECK_INT(ebpf_host_unload(host, "careful", &err), 0);
	CHECK_INT(ebpf_host_memory(host), 0);
	ebpf_host_free(host);
	/* whatever allocation fails, nothing is left, nothing crashes */
	for (options.memory_limit = 1000;; options.memory_limit += 997) {
		sinks = (struct sinks){ .error_count = 0 };
		host = new_host(&options);
		int result = ebpf_host_load_text(host, "sweep", text, sizeof(text) - 1 - strlen("loop:on({}, print)"), &err);

		if (!result)
			serve(host, 0.2);
		needed = ebpf_host_memory(host);
		CHECK(needed <= options.memory_limit);
		if (result)
			CHECK_INT(needed, 0);
		ebpf_host_free(host);
		CHECK_INT(open_fds(), fds - 1);
		ebpf_error_clear(&err);
		if (!result && strstr(sinks.printed, "done"))
			break;
		if (options.memory_limit > 4 << 20) {
			CHECK(!"ever enough");
			break;
		}
	}
}

/* -- functions of the program -- */

struct counter {
	int total;
	ebpf_host *host;
};

static int count(lua_State *L)
{
	struct counter *counter = lua_touserdata(L, lua_upvalueindex(1));

	counter->total += (int)luaL_checkinteger(L, 1);
	/* what a script calls may not turn on the host */
	if (counter->host) {
		struct ebpf_error inner = { 0 };

		CHECK_INT(ebpf_host_unload(counter->host, "f", &inner), -EBUSY);
		CHECK_INT(ebpf_host_load_text(counter->host, "g", "", 0, &inner), -EBUSY);
		CHECK_INT(ebpf_host_dispatch(counter->host, 0, &inner), -EBUSY);
		CHECK(ebpf_host_memory(counter->host) > 0);
		ebpf_error_clear(&inner);
	}
	lua_pushinteger(L, counter->total);
	return 1;
}

static int ask_script(lua_State *L)
{
	int *answer = lua_touserdata(L, 1);

	lua_getglobal(L, "metrics");
	lua_pushinteger(L, 20);
	lua_call(L, 1, 1);
	*answer = (int)luaL_checkinteger(L, -1);
	return 0;
}

static void test_functions(void)
{
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	ebpf_host *host = new_host(&options);
	struct counter counter = { .host = host };
	int answer = 0;

	options.arguments = (const char *const[]){ "name", "one", NULL };
	CHECK_INT(ebpf_host_add_function(host, "count", count, &counter, &err), 0);
	LOADED(host, "f", "host.count(3) assert(host.count(4) == 7) function metrics(x) return x + 1 end");
	CHECK_INT(counter.total, 7);
	CHECK_INT(ebpf_host_call(host, "f", ask_script, &answer, &err), 0);
	CHECK_INT(answer, 21);
	CHECK_INT(ebpf_host_call(host, "none", ask_script, &answer, &err), -ENOENT);
	LOADED(host, "bad", "function metrics(x) error 'no metrics' end");
	CHECK_INT(ebpf_host_call(host, "bad", ask_script, &answer, &err), -ECANCELED);
	CHECK_STR(err.message, "script 'bad': bad:1: no metrics");
	CHECK_INT(ebpf_host_count(host), 2);
	LOADED(host, "greedy", "function metrics(x) while true do end end");
	CHECK_INT(ebpf_host_call(host, "greedy", ask_script, &answer, &err), -ECANCELED);
	CHECK_INT(ebpf_host_count(host), 2); /* it was ended */
	ebpf_host_free(host);
	host = new_host(&options);
	LOADED(host, "arguments", "assert(arg[0] == 'name' and arg[1] == 'one' and #arg == 1)");
	ebpf_host_free(host);
	ebpf_error_clear(&err);
}

/* -- the policy -- */

#define FILES \
	"local coll = assert(ebpf.load(arg[0] .. '/lua_records.bpf.o')) local ring = assert(ebpf.ringbuf(coll.maps.events))\n" \
	"local sink, err = ring:sink { ndjson = '/tmp/host-test-lines' }\n"

static void test_policy(void)
{
	struct sinks sinks = { .refuses = 1U << EBPF_STEP_WRITE_MAP };
	ebpf_host_options options = sandbox(&sinks);
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	ebpf_host *host;

	options.policy = policy;
	options.arguments = (const char *const[]){ folder ? folder : "build/spec/bpf", NULL };
	host = new_host(&options);
	LOADED(host, "p", "local m = assert(require 'ebpf'.map { type = 'hash', name = 'counts', key = 'u32', value = 'u64', max_entries = 4 })\n"
			  "local ok, err = m:set(1, 2) assert(not ok and err.code == 'EPERM', tostring(err)) print(err)\n"
			  "assert(m:get(1) == nil)");
	CHECK(strstr(sinks.steps, "p: create map 'counts' (hash, 4 entries)\n") != NULL);
	CHECK(strstr(sinks.steps, "p: write to map 'counts' (hash)\n") != NULL);
	CHECK(strstr(sinks.printed, "(the program that runs this script refuses to write to map 'counts' (hash))") != NULL);
	/* files by their names, descriptors by their numbers: a sandbox with no policy has none to write to */
	sinks.refuses = 0;
	LOADED(host, "files", "local ebpf = require 'ebpf' local none, err = ebpf.spec '/etc/passwd' assert(not none) print(err)\n" FILES);
	CHECK(strstr(sinks.steps, "files: read /etc/passwd\n") && strstr(sinks.steps, "files: write to /tmp/host-test-lines\n"));
	ebpf_host_free(host);
	options.policy = NULL;
	host = new_host(&options);
	LOADED(host, "no files", "local ebpf = require 'ebpf'\n" FILES
	       "assert(not sink and err.code == 'EPERM' and tostring(err):find('refuses to write to /tmp/host-test-lines', 1, true), tostring(err))\n"
	       "sink, err = ring:sink { ndjson = 2 } assert(not sink and err.code == 'EPERM' and err.hint:find 'refuses to write to descriptor 2')");
	CHECK(unlink("/tmp/host-test-lines") == 0); /* of the one before */
	ebpf_host_free(host);
	options.policy = policy;
	host = new_host(&options);
	/* it is asked for scripts, not for the program around them */
	int asked = sinks.step_count;
	struct ebpf_map_spec spec = { .name = (char *)"own", .type = 2, .key_size = 4, .value_size = 4, .max_entries = 1 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	struct ebpf_map *map = NULL;

	CHECK_INT(ebpf_map_create(kernel, &spec, &map, &err), 0);
	CHECK_INT(sinks.step_count, asked);
	ebpf_map_close(map);
	ebpf_kernel_free(kernel);
	ebpf_host_free(host);
	ebpf_error_clear(&err);
}

/* -- interrupts, threads, silence -- */

static ebpf_host *interrupted_host;

static void on_alarm(int number)
{
	(void)number;
	ebpf_host_interrupt(interrupted_host);
}

static void test_interrupt(void)
{
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	const struct itimerval soon = { .it_value = { .tv_usec = 50000 } };

	for (int limited = 0; limited < 2; limited++) {
		options.instruction_limit = limited ? UINT64_C(1) << 50 : 0;
		interrupted_host = new_host(&options);
		signal(SIGALRM, on_alarm);
		setitimer(ITIMER_REAL, &soon, NULL);
		CHECK_INT(load(interrupted_host, "endless", "while true do pcall(function() while true do end end) end"), -ECANCELED);
		CHECK(strstr(err.message, "interrupted!") != NULL);
		LOADED(interrupted_host, "next", "print 'alive'");
		ebpf_host_free(interrupted_host);
		ebpf_error_clear(&err);
	}
	signal(SIGALRM, SIG_DFL);
	CHECK_STR(sinks.printed, "alive\nalive\n");
}

struct interrupter {
	ebpf_host *host;
	atomic_bool stop;
};

/* Again and again: on a busy machine the script may not be where it is to be interrupted. */
static void *interrupt_soon(void *context)
{
	struct interrupter *shared = context;

	while (!shared->stop) {
		usleep(50000);
		ebpf_host_interrupt(shared->host);
	}
	return NULL;
}

/* From another thread, wherever the script is: in coroutines within protected calls, in tasks, in one call of C; in a sandbox or not, with a budget or not. */
static void test_interrupt_from_elsewhere(void)
{
	static const char *const endless[] = {
		"while true do end",
		"local function spin() while true do end end\n"
		"pcall(coroutine.wrap(function() pcall(coroutine.wrap(function() while true do pcall(spin) end end)) spin() end)) spin()",
		"local function spin() while true do end end\n"
		"while true do local co = coroutine.create(function() coroutine.resume(coroutine.create(spin)) spin() end) coroutine.resume(co) end",
		"while true do local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) co() co() end",
		"local co = coroutine.create(function() local c <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end)\n"
		"coroutine.resume(co) coroutine.close(co)",
		"local loop = require 'ebpf'.loop() loop:spawn(function() loop:sleep(0) pcall(coroutine.wrap(function() while true do end end)) while true do end end)",
		"local loop = require 'ebpf'.loop() local task = loop:spawn(function() local c <close> = setmetatable({}, { __close = function() while true do end end })\n"
		"loop:sleep(9) end) loop:after(0.01, function() task:close() end)",
		"return ('a'):rep(30000):find(('a*'):rep(20) .. 'b')", /* the last are for a sandbox alone */
		"table.move({}, 1, 1 << 60, 2)",
	};
	const size_t count = sizeof(endless) / sizeof(endless[0]);

	for (int kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < count - (kind & 1 ? 0 : 2); i++) {
			struct sinks sinks = { .error_count = 0 };
			ebpf_host_options options = sandbox(&sinks);
			struct interrupter shared = { 0 };
			double start = now();
			pthread_t thread;
			ebpf_host *host;

			options.sandbox = kind & 1;
			options.instruction_limit = kind & 2 ? UINT64_C(1) << 50 : 0;
			shared.host = host = new_host(&options);
			CHECK_INT(pthread_create(&thread, NULL, interrupt_soon, &shared), 0);
			if (load(host, "endless", endless[i]) == 0) /* it may be interrupted before there is a callback */
				serve(host, 10);
			shared.stop = true;
			pthread_join(thread, NULL);
			if (!strstr(sinks.errors, "interrupted!") && !strstr(err.message, "interrupted!") && !strstr(err.message, "the script is ended")) {
				test_failures++;
				fprintf(stderr, "not ok: %s: kind %d: %s%s\n", endless[i], kind, err.message, sinks.errors);
			}
			CHECK_INT(ebpf_host_count(host), 0);
			CHECK(now() - start < 10);
			LOADED(host, "next", "print 'alive' for i = 1, 1000 do coroutine.wrap(function() end)() end");
			CHECK_STR(sinks.printed, "alive\n");
			ebpf_host_free(host);
			ebpf_error_clear(&err);
		}
	}
}

/* As often as it goes, at all moments: while coroutines come and go, and memory is freed. */
static void *interrupt_often(void *context)
{
	struct interrupter *shared = context;

	while (!shared->stop)
		ebpf_host_interrupt(shared->host);
	return NULL;
}

static void test_many_interrupts(void)
{
	static const char text[] = "local function nest(n) local t = {} for i = 1, 20 do t[i] = { i } end\n"
				   "if n > 0 then coroutine.wrap(nest)(n - 1) nest(n - 1) end end for i = 1, 10 do nest(3) collectgarbage() end";
	struct sinks sinks = { .error_count = 0 };
	ebpf_host_options options = sandbox(&sinks);
	struct interrupter shared = { 0 };
	pthread_t thread;
	int ended = 0;

	options.instruction_limit = 0;
	shared.host = new_host(&options);
	CHECK_INT(pthread_create(&thread, NULL, interrupt_often, &shared), 0);
	for (int i = 0; i < 100; i++)
		ended += load(shared.host, "nested", text) != 0;
	shared.stop = true;
	pthread_join(thread, NULL);
	CHECK(ended > 0);
	LOADED(shared.host, "nested", text);
	ebpf_host_free(shared.host);
	ebpf_error_clear(&err);
}

static void *run_host(void *context)
{
	struct ebpf_error error = { 0 };
	static const char text[] = "local ebpf = require 'ebpf' local loop, n = ebpf.loop(), 0\n"
				   "loop:every(0.001, function() n = n + 1 local t = {} for i = 1, 500 do t[i] = { i } end\n"
				   "if n == 20 then print 'done' loop:close() end end)";
	struct sinks *sinks = context;
	ebpf_host_options options = sandbox(sinks);
	ebpf_host *hosts[2];

	options.policy = policy;
	for (int i = 0; i < 2; i++) {
		hosts[i] = ebpf_host_new(&options, &error);
		CHECK(hosts[i] != NULL);
		for (int j = 0; j < 2; j++)
			CHECK_INT(ebpf_host_load_text(hosts[i], j ? "x" : "y", text, sizeof(text) - 1, &error), 0);
	}
	for (double end = now() + 10; now() < end && ebpf_host_sources(hosts[0]) + ebpf_host_sources(hosts[1]) > 0;)
		for (int i = 0; i < 2; i++)
			CHECK(ebpf_host_dispatch(hosts[i], 1, &error) >= 0);
	for (int i = 0; i < 2; i++)
		ebpf_host_free(hosts[i]);
	CHECK_STR(sinks->printed, "done\ndone\ndone\ndone\n");
	CHECK_STR(sinks->errors, "");
	return NULL;
}

static void test_threads(void)
{
	static struct sinks sinks[4];
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, run_host, &sinks[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* Nothing printed, no handler installed, no signal blocked. */
static void test_silence(void)
{
	ebpf_host_options options = { .size = sizeof(options) };
	struct sigaction actions[2][32];
	sigset_t masks[2];
	char printed[64];
	int pipe_fds[2], saved[2];
	ebpf_host *host;

	CHECK(!pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK));
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		dup2(pipe_fds[1], i + 1);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i < 32; i++)
			sigaction(i, NULL, &actions[round][i]);
		sigprocmask(SIG_SETMASK, NULL, &masks[round]);
		if (round)
			break;
		host = new_host(&options);
		load(host, "prints", "print 'hello' warn('@on') warn('careful') local l = require 'ebpf'.loop() l:after(0, function() error 'x' end)");
		load(host, "fails", "error 'x'");
		load(host, "no Lua", "=");
		ebpf_host_dispatch(host, 1000, &err);
		ebpf_host_free(host);
	}
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	CHECK_INT(read(pipe_fds[0], printed, sizeof(printed)), -1);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	for (int i = 1; i < 32; i++)
		CHECK(actions[0][i].sa_handler == actions[1][i].sa_handler);
	for (int i = 1; i < 32; i++)
		CHECK_INT(sigismember(&masks[0], i), sigismember(&masks[1], i));
	ebpf_error_clear(&err);
}

int main(void)
{
	int before = open_fds();

	test_life();
	test_reload();
	test_errors();
	test_sandbox();
	test_budgets();
	test_memory();
	test_functions();
	if (geteuid() == 0)
		test_policy();
	test_interrupt();
	test_interrupt_from_elsewhere();
	test_many_interrupts();
	test_threads();
	test_silence();
	CHECK_INT(open_fds(), before);
	return TEST_RESULT();
}
