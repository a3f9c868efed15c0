/* host.c -- the scripts of a host, and the one door by which the program enters them.
 *
 * enter() is that door: it sets the thread's policy, gives the script its budget, calls a C function protected, and makes an error of what comes
 * out. A script that has exceeded its budget (or was interrupted) is ended as soon as the door is closed behind it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { LARGEST_SCRIPT = 64 << 20 };

/* -- errors of the world that the host finds itself -- */

static int fail(struct ebpf_error *err, int code, const char *format, ...) EBPF_PRINTF(3, 4);

static int fail(struct ebpf_error *err, int code, const char *format, ...)
{
	va_list arguments;

	if (err) {
		ebpf_error_clear(err);
		err->code = code;
		va_start(arguments, format);
		vsnprintf(err->message, sizeof(err->message), format, arguments);
		va_end(arguments);
	}
	return -code;
}

/* -- making and freeing -- */

static int ask(void *context, const struct ebpf_step *step)
{
	const ebpf_host *host = context;

	if (!host->options.policy) /* then there are no kinds but what a sandbox has no business with */
		return 1;
	return host->options.policy(host->options.context, host->current ? host->current->name : "", step);
}

static bool has_policy(const ebpf_host *host)
{
	return host->options.policy || host->options.sandbox;
}

static int check_libraries(const ebpf_host *host, struct ebpf_error *err)
{
	for (const char *const *each = host->options.libraries; each && *each; each++) {
		size_t i = 0;

		while (host_libraries[i] && strcmp(host_libraries[i], *each) != 0)
			i++;
		if (!host_libraries[i])
			return fail(err, EINVAL, "host: there is no library '%s'", *each);
	}
	return 0;
}

ebpf_host *ebpf_host_new(const ebpf_host_options *options, struct ebpf_error *err)
{
	ebpf_host *host = calloc(1, sizeof(*host));

	if (!host) {
		fail(err, ENOMEM, "host: out of memory");
		return NULL;
	}
	if (options)
		memcpy(&host->options, options, options->size < sizeof(*options) ? options->size : sizeof(*options));
	host->policy = (struct ebpf_policy){ .size = sizeof(host->policy), .ask = ask, .context = host,
					     .kinds = host->options.policy ? 0 : 1U << EBPF_STEP_WRITE_FILE };
	if (check_libraries(host, err) < 0 || ebpf_loop_new(&host->loop, err) < 0) {
		free(host);
		return NULL;
	}
	return host;
}

/* Out of the list; its state is closed, and with it whatever it had. Nobody is asked about that. */
static void end(struct script *script)
{
	ebpf_host *host = script->host;
	struct script **link = &host->scripts, *outer = host->current;

	while (*link && *link != script)
		link = &(*link)->next;
	if (*link)
		*link = script->next;
	ebpf_source_remove(script->source);
	if (script->L) {
		struct ebpf_policy *policy = ebpf_policy_set(NULL);

		host->current = script;
		lua_close(script->L);
		host->current = outer;
		ebpf_policy_set(policy);
	}
	free(script);
}

void ebpf_host_free(ebpf_host *host)
{
	if (!host)
		return;
	while (host->scripts)
		end(host->scripts);
	while (host->functions) {
		struct host_function *function = host->functions;

		host->functions = function->next;
		free(function);
	}
	ebpf_loop_free(host->loop);
	ebpf_error_clear(&host->error);
	free(host);
}

int ebpf_host_add_function(ebpf_host *host, const char *name, lua_CFunction function, void *context, struct ebpf_error *err)
{
	size_t size = strlen(name) + 1;
	struct host_function *added = malloc(sizeof(*added) + size);

	if (!added)
		return fail(err, ENOMEM, "host: out of memory");
	added->function = function;
	added->context = context;
	added->next = host->functions;
	memcpy(added->name, name, size);
	host->functions = added;
	return 0;
}

static struct script *find(const ebpf_host *host, const char *name)
{
	for (struct script *each = host->scripts; each; each = each->next)
		if (!strcmp(each->name, name))
			return each;
	return NULL;
}

static int check_outside(const ebpf_host *host, struct ebpf_error *err)
{
	return host->current ? fail(err, EBUSY, "host: script '%s' is running: calls from within it are refused", host->current->name) : 0;
}

/* -- the door -- */

/* The error on top, as an error of the host's: the first line is the message, all of it the log. */
static int caught(struct script *script, struct ebpf_error *err)
{
	lua_State *L = script->L;
	const char *text = lua_gettop(L) > 0 ? lua_tostring(L, -1) : NULL;
	size_t line;

	if (!text)
		text = "an error that is no text";
	line = strcspn(text, "\n");
	fail(err, ECANCELED, "script '%s': %.*s", script->name, (int)line, text);
	if (err && text[line])
		err->log = strdup(text);
	return -ECANCELED;
}

/* Arguments: a function, what it is called with. The error that comes out is a text. */
static int to_text(lua_State *L)
{
	binding_push_text(L, 1);
	return 1;
}

/* Calls the function on the stack, below `arguments`; leaves the results, or the error's text. */
static int enter(struct script *script, int arguments, int results)
{
	ebpf_host *host = script->host;
	lua_State *L = script->L;
	struct ebpf_policy *outside = NULL;
	int status;

	host->current = script;
	if (has_policy(host)) {
		host->policy.refused[0] = '\0';
		outside = ebpf_policy_set(&host->policy);
	}
	host_enter(script);
	status = binding_pcall(L, arguments, results);
	if (status != LUA_OK) {
		lua_pushcfunction(L, to_text);
		lua_insert(L, -2);
		lua_pcall(L, 1, 1, 0); /* __tostring may fail, or not end: then with that error's text */
	}
	host_leave(script);
	if (has_policy(host))
		ebpf_policy_set(outside);
	host->current = NULL;
	return status;
}

static bool is_doomed(const struct script *script)
{
	return binding_host(script->L)->doomed;
}

/* An error that nobody waits for. */
static void report(struct script *script, const char *text)
{
	ebpf_host *host = script->host;

	if (host->options.on_error)
		host->options.on_error(host->options.context, script->name, text);
	else if (!host->error.code) {
		size_t line = strcspn(text, "\n");

		fail(&host->error, ECANCELED, "script '%s': %.*s", script->name, (int)line, text);
		host->error.log = text[line] ? strdup(text) : NULL;
	}
}

static void log_error(void *context, const char *text)
{
	report(context, text);
}

/* -- loading -- */

/* The script's loop is in the host's from now on. */
static int connect_loop(struct script *script, struct ebpf_error *err);

static struct script *new_script(ebpf_host *host, const char *name, struct ebpf_error *err)
{
	size_t size = strlen(name) + 1;
	struct script *script = calloc(1, sizeof(*script) + size);

	if (!script) {
		fail(err, ENOMEM, "script '%s': out of memory", name);
		return NULL;
	}
	script->host = host;
	memcpy(script->name, name, size);
	script->L = host_new_state(script);
	if (!script->L) {
		fail(err, ENOMEM, "script '%s': out of memory", name);
		end(script);
		return NULL;
	}
	/* Lua's own libraries and ours, under no budget: a script has not begun. */
	lua_pushcfunction(script->L, host_fill_state);
	host->current = script;
	int status = lua_pcall(script->L, 0, 0, 0);

	host->current = NULL;
	if (status != LUA_OK) {
		fail(err, status == LUA_ERRMEM ? ENOMEM : ECANCELED, "script '%s': %s", name,
		     status == LUA_ERRMEM || lua_type(script->L, -1) != LUA_TSTRING ? "out of memory" : lua_tostring(script->L, -1));
		end(script);
		return NULL;
	}
	struct binding_host *state = binding_host(script->L);

	state->log = log_error;
	state->context = script;
	state->runs = host_runs;
	state->policy = has_policy(host) ? &host->policy : NULL;
	return script;
}

static int run(struct script *script, const char *chunk_name, const char *text, size_t size, struct ebpf_error *err)
{
	int status = luaL_loadbufferx(script->L, text, size, chunk_name, "t");

	if (status != LUA_OK) {
		fail(err, status == LUA_ERRMEM ? ENOMEM : EINVAL, "script '%s': %s", script->name, lua_tostring(script->L, -1));
		return status == LUA_ERRMEM ? -ENOMEM : -EINVAL;
	}
	if (script->host->options.stop_first) {
		struct script *old = find(script->host, script->name);

		if (old)
			end(old);
	}
	if (enter(script, 0, 0) != LUA_OK)
		return caught(script, err);
	return script->host->options.standalone ? 0 : connect_loop(script, err);
}

static int load(ebpf_host *host, const char *name, const char *chunk_name, const char *text, size_t size, struct ebpf_error *err)
{
	struct script *script, *old;
	int result = check_outside(host, err);

	if (result < 0)
		return result;
	script = new_script(host, name, err);
	if (!script)
		return err && err->code ? -err->code : -ENOMEM;
	result = run(script, chunk_name, text, size, err);
	if (result < 0) {
		end(script);
		return result;
	}
	old = find(host, name);
	if (old)
		end(old);
	script->next = host->scripts;
	host->scripts = script;
	return 0;
}

int ebpf_host_load_text(ebpf_host *host, const char *name, const char *text, size_t size, struct ebpf_error *err)
{
	char chunk_name[256];

	snprintf(chunk_name, sizeof(chunk_name), "=%s", name);
	return load(host, name, chunk_name, text, size, err);
}

/* The whole of a file, without the kernel's line of a script. */
static int read_file(const char *path, char **text, size_t *size, struct ebpf_error *err)
{
	FILE *file = fopen(path, "rbe");
	size_t room = 0, used = 0, got = 0;
	char *data = NULL;
	int result = 0;

	if (!file)
		return fail(err, errno, "script '%s': %s", path, strerror(errno));
	do {
		if (used == room) {
			char *larger = room >= LARGEST_SCRIPT ? NULL : realloc(data, room ? room * 2 : 16384);

			if (!larger) {
				result = fail(err, room ? EFBIG : ENOMEM, "script '%s': too large", path);
				break;
			}
			data = larger;
			room = room ? room * 2 : 16384;
		}
		got = fread(data + used, 1, room - used, file);
		used += got;
	} while (got > 0);
	if (!result && ferror(file))
		result = fail(err, errno ? errno : EIO, "script '%s': %s", path, strerror(errno ? errno : EIO));
	fclose(file);
	if (result) {
		free(data);
		return result;
	}
	if (used && data[0] == '#') {
		char *end_of_line = memchr(data, '\n', used);
		size_t line = end_of_line ? (size_t)(end_of_line - data) : used;

		memset(data, ' ', line);
	}
	*text = data;
	*size = used;
	return 0;
}

int ebpf_host_load_file(ebpf_host *host, const char *path, struct ebpf_error *err)
{
	char *text = NULL, chunk_name[4096];
	size_t size = 0;
	int result = read_file(path, &text, &size, err);

	if (result < 0)
		return result;
	snprintf(chunk_name, sizeof(chunk_name), "@%s", path);
	result = load(host, path, chunk_name, text, size, err);
	free(text);
	return result;
}

int ebpf_host_unload(ebpf_host *host, const char *name, struct ebpf_error *err)
{
	struct script *script = find(host, name);
	int result = check_outside(host, err);

	if (result < 0)
		return result;
	if (!script)
		return fail(err, ENOENT, "host: there is no script '%s'", name);
	end(script);
	return 0;
}

size_t ebpf_host_count(const ebpf_host *host)
{
	size_t count = 0;

	for (const struct script *each = host->scripts; each; each = each->next)
		count++;
	return count;
}

const char *ebpf_host_script(const ebpf_host *host, size_t index)
{
	const struct script *script = host->scripts;

	for (; script && index > 0; index--)
		script = script->next;
	return script ? script->name : NULL;
}

/* -- calling, dispatching -- */

/* After the door was closed. A script that could not be stopped but by force is ended. */
static int leave(struct script *script, int status, struct ebpf_error *err)
{
	int result = status == LUA_OK ? 0 : caught(script, err);

	lua_settop(script->L, 0);
	if (is_doomed(script))
		end(script);
	return result;
}

int ebpf_host_call(ebpf_host *host, const char *name, lua_CFunction function, void *context, struct ebpf_error *err)
{
	struct script *script = find(host, name);
	int result = check_outside(host, err);

	if (result < 0)
		return result;
	if (!script)
		return fail(err, ENOENT, "host: there is no script '%s'", name);
	lua_settop(script->L, 0);
	lua_pushcfunction(script->L, function);
	lua_pushlightuserdata(script->L, context);
	return leave(script, enter(script, 1, 0), err);
}

int ebpf_host_fd(const ebpf_host *host)
{
	return ebpf_loop_fd(host->loop);
}

/* The host's loop says that the script's has something to do. */
static int ready(void *context, uint32_t events)
{
	struct script *script = context;
	lua_State *L = script->L;

	(void)events;
	lua_settop(L, 0);
	lua_pushcfunction(L, binding_loop_dispatch);
	binding_push_hosted_loop(L);
	lua_pushinteger(L, 0);
	if (enter(script, 2, 0) == LUA_OK && !is_doomed(script)) {
		lua_settop(L, 0);
		return 0;
	}
	const char *text = lua_gettop(L) > 0 ? lua_tostring(L, -1) : NULL;

	report(script, text ? text : "an error that is no text");
	if (is_doomed(script))
		end(script);
	else
		lua_settop(L, 0);
	return 0;
}

static int connect_loop(struct script *script, struct ebpf_error *err)
{
	binding_push_hosted_loop(script->L);
	int fd = binding_loop_fd(script->L, -1);

	lua_pop(script->L, 1);
	return ebpf_loop_add_fd(script->host->loop, fd, EBPF_READ, ready, script, &script->source, err);
}

int ebpf_host_dispatch(ebpf_host *host, int timeout_ms, struct ebpf_error *err)
{
	int result = check_outside(host, err);

	if (result < 0)
		return result;
	result = ebpf_loop_step(host->loop, timeout_ms, err);
	if (result < 0 || !host->error.code)
		return result;
	if (err) {
		ebpf_error_clear(err);
		*err = host->error;
		host->error = (struct ebpf_error){ 0 };
	} else {
		ebpf_error_clear(&host->error);
	}
	return -ECANCELED;
}

size_t ebpf_host_sources(const ebpf_host *host)
{
	size_t count = 0;

	for (const struct script *each = host->scripts; each; each = each->next) {
		if (host->options.standalone)
			continue;
		binding_push_hosted_loop(each->L);
		count += binding_loop_count(each->L, -1);
		lua_pop(each->L, 1);
	}
	return count;
}

size_t ebpf_host_memory(const ebpf_host *host)
{
	return host->memory;
}
