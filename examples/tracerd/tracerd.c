/* tracerd -- a small daemon that traces by the Lua scripts of a folder, and serves what they count to Prometheus.
 *
 *	tracerd [-p PORT] FOLDER          http://127.0.0.1:PORT/metrics (9435)
 *	cc -o tracerd tracerd.c $(pkg-config --cflags --libs ebpf-host ebpf lua5.4 libmicrohttpd)
 *
 * One thread and one poll(2) for everything: the host's scripts, HTTP, changes in the folder, signals. README.md beside this file goes through
 * it line by line.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <lauxlib.h>
#include <lua.h>
#include <microhttpd.h>

#include <ebpf_host.h>

/* -- 1. what the scripts are given, and what not -- */

struct daemon {
	ebpf_host *host;
	const char *folder;
	unsigned long script_errors, refused;
};

/* A map's memory is the kernel's: the limit for the memory of scripts knows nothing of it. */
static bool is_small(const struct ebpf_step *step)
{
	return ((uint64_t)step->key_size + step->value_size + 64) * step->max_entries <= 16 << 20;
}

/* Objects that lie beside the scripts. */
static bool is_ours(const struct daemon *daemon, const char *path)
{
	size_t length = strlen(daemon->folder);

	return !strncmp(path, daemon->folder, length) && path[length] == '/' && !strstr(path, "/../");
}

/* Scripts may trace: load programs, make maps and write to them, attach. They may neither leave anything behind (pins, files) nor touch what others have. */
static int allow(void *context, const char *script, const struct ebpf_step *step)
{
	struct daemon *daemon = context;

	switch (step->kind) {
	case EBPF_STEP_LOAD:
	case EBPF_STEP_ATTACH:
	case EBPF_STEP_WRITE_MAP:
	case EBPF_STEP_PROBE:
		return 0;
	case EBPF_STEP_CREATE_MAP:
		if (is_small(step))
			return 0;
		break;
	case EBPF_STEP_READ_FILE:
		if (is_ours(daemon, step->target))
			return 0;
		break;
	default: break;
	}
	daemon->refused++;
	fprintf(stderr, "tracerd: %s: refused to %s\n", script, step->what);
	return 1;
}

static void on_error(void *context, const char *script, const char *message)
{
	struct daemon *daemon = context;

	daemon->script_errors++;
	fprintf(stderr, "tracerd: %s: %s\n", script, message);
}

static void on_print(void *context, const char *script, const char *line)
{
	(void)context;
	printf("%s: %s\n", script, line);
	fflush(stdout);
}

static ebpf_host *new_host(struct daemon *daemon, struct ebpf_error *err)
{
	const ebpf_host_options options = {
		.size = sizeof(options),
		.sandbox = true,
		.memory_limit = 64 << 20,
		.instruction_limit = 20 * 1000 * 1000, /* about a quarter of a second, each time */
		.policy = allow,
		.on_error = on_error,
		.print = on_print,
		.context = daemon,
	};

	return ebpf_host_new(&options, err);
}

/* -- 2. scripts come and go with their files -- */

static bool is_script(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && strcmp(dot, ".lua") == 0;
}

/* The file has appeared or changed, or it is gone. */
static void refresh(struct daemon *daemon, const char *name, bool exists)
{
	struct ebpf_error err = { 0 };
	char path[PATH_MAX];
	int result;

	if (!is_script(name))
		return;
	snprintf(path, sizeof(path), "%s/%s", daemon->folder, name);
	result = exists ? ebpf_host_load_file(daemon->host, path, &err) : ebpf_host_unload(daemon->host, path, &err);
	if (result < 0 && !(result == -ENOENT && !exists))
		on_error(daemon, path, err.log ? err.log : err.message);
	else
		fprintf(stderr, "tracerd: %s %s\n", exists ? "loaded" : "ended", path);
	ebpf_error_clear(&err);
}

static int load_all(struct daemon *daemon)
{
	DIR *dir = opendir(daemon->folder);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		refresh(daemon, entry->d_name, true);
	closedir(dir);
	return 0;
}

static void read_changes(struct daemon *daemon, int inotify_fd)
{
	_Alignas(struct inotify_event) char buffer[16384];
	ssize_t size = read(inotify_fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *event = (const void *)(buffer + at);

		if (event->mask & IN_Q_OVERFLOW)
			load_all(daemon);
		else if (event->len > 0)
			refresh(daemon, event->name, (event->mask & (IN_DELETE | IN_MOVED_FROM)) == 0);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* -- 3. metrics: each script's function `metrics` is called with a function that writes a sample -- */

/* A family is what has one name: its samples stand together, whichever script and call they come from. */
struct family {
	struct family *next;
	char *name, *samples;
	size_t size;
	FILE *out;
};

struct page {
	struct family *families;
};

static bool is_metric_name(const char *name, bool colon)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && !(colon && *name == ':'))
			return false;
	return true;
}

/* Text as the exposition format has it in labels (with quotes escaped) and in HELP lines. Bytes that are no ASCII become '?': comm may have any. */
static void write_escaped(FILE *out, const char *text, bool quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || (*text == '"' && quotes))
			fprintf(out, "\\%c", *text);
		else
			fputc((unsigned char)*text < 0x80 ? *text : '?', out);
	}
}

static struct family *find_family(struct page *page, const char *name, const char *type, const char *help)
{
	struct family *family = page->families;

	while (family && strcmp(family->name, name) != 0)
		family = family->next;
	if (family)
		return family;
	family = calloc(1, sizeof(*family));
	if (!family)
		return NULL;
	family->name = strdup(name);
	family->out = open_memstream(&family->samples, &family->size);
	if (!family->name || !family->out) {
		free(family->name);
		free(family);
		return NULL;
	}
	fprintf(family->out, "# HELP %s ", name);
	write_escaped(family->out, help, false);
	fprintf(family->out, "\n# TYPE %s %s\n", name, type);
	family->next = page->families;
	page->families = family;
	return family;
}

/* metric(name, "counter" | "gauge", help, labels, value): a lua_CFunction, whose upvalue is the page. */
static int add_sample(lua_State *L)
{
	static const char *const types[] = { "counter", "gauge", NULL };
	struct page *page = lua_touserdata(L, lua_upvalueindex(1));
	const char *name = luaL_checkstring(L, 1), *type = types[luaL_checkoption(L, 2, NULL, types)], *help = luaL_checkstring(L, 3);
	lua_Number value = luaL_checknumber(L, 5);
	bool first = true;

	luaL_argcheck(L, is_metric_name(name, true), 1, "no name of a metric");
	luaL_checktype(L, 4, LUA_TTABLE);
	/* first everything that can raise, then what is written */
	for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
		luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && is_metric_name(lua_tostring(L, -2), false), 4, "no name of a label");
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 4, "labels are strings");
	}
	struct family *family = find_family(page, name, type, help);

	if (!family)
		return luaL_error(L, "out of memory");
	fputs(name, family->out);
	for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
		fprintf(family->out, "%c%s=\"", first ? '{' : ',', lua_tostring(L, -2));
		write_escaped(family->out, lua_tostring(L, -1), true);
		fputc('"', family->out);
		first = false;
	}
	fputs(first ? "" : "}", family->out);
	if (lua_isinteger(L, 5))
		fprintf(family->out, " %lld\n", (long long)lua_tointeger(L, 5));
	else
		fprintf(family->out, " %.17g\n", value);
	return 0;
}

/* Runs in a script's state, by ebpf_host_call. */
static int ask_for_metrics(lua_State *L)
{
	if (lua_getglobal(L, "metrics") != LUA_TFUNCTION)
		return 0;
	lua_pushvalue(L, 1); /* the page */
	lua_pushcclosure(L, add_sample, 1);
	lua_call(L, 1, 0);
	return 0;
}

/* The whole page, malloc'ed. */
static char *collect(struct daemon *daemon, size_t *size)
{
	struct page page = { NULL };
	char *text = NULL, **names;
	size_t count = ebpf_host_count(daemon->host);
	FILE *out;

	/* by name, since a script that exceeds its budget here is ended, and the others move up */
	names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; names && i < count; i++)
		names[i] = strdup(ebpf_host_script(daemon->host, i));
	for (size_t i = 0; names && i < count; i++) {
		struct ebpf_error err = { 0 };

		if (names[i] && ebpf_host_call(daemon->host, names[i], ask_for_metrics, &page, &err) < 0)
			on_error(daemon, names[i], err.log ? err.log : err.message);
		ebpf_error_clear(&err);
		free(names[i]);
	}
	free(names);
	out = open_memstream(&text, size);
	while (page.families) {
		struct family *family = page.families;

		page.families = family->next;
		fclose(family->out);
		if (out)
			fwrite(family->samples, 1, family->size, out);
		free(family->samples);
		free(family->name);
		free(family);
	}
	if (!out)
		return NULL;
	fprintf(out, "# HELP tracerd_scripts Scripts that are running.\n# TYPE tracerd_scripts gauge\ntracerd_scripts %zu\n",
		ebpf_host_count(daemon->host));
	fprintf(out, "# HELP tracerd_lua_memory_bytes Memory that all scripts have.\n# TYPE tracerd_lua_memory_bytes gauge\n"
		     "tracerd_lua_memory_bytes %zu\n", ebpf_host_memory(daemon->host));
	fprintf(out, "# HELP tracerd_script_errors_total Errors of scripts.\n# TYPE tracerd_script_errors_total counter\n"
		     "tracerd_script_errors_total %lu\n", daemon->script_errors);
	fprintf(out, "# HELP tracerd_refused_steps_total Steps of scripts that the policy refused.\n# TYPE tracerd_refused_steps_total counter\n"
		     "tracerd_refused_steps_total %lu\n", daemon->refused);
	fclose(out);
	return text;
}

/* -- 4. HTTP -- */

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
			      const char *upload, size_t *upload_size, void **state)
{
	struct daemon *daemon = context;
	struct MHD_Response *response;
	unsigned int status = MHD_HTTP_OK;
	enum MHD_Result result;
	char *text = NULL;
	size_t size = 0;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (strcmp(method, "GET") != 0)
		return MHD_NO;
	if (strcmp(url, "/metrics") == 0)
		text = collect(daemon, &size);
	else
		status = MHD_HTTP_NOT_FOUND;
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* On this machine alone; `port` 0 = any, which is then told. */
static struct MHD_Daemon *listen_on(struct daemon *daemon, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *http = MHD_start_daemon(MHD_USE_EPOLL, *port, NULL, NULL, answer, daemon, MHD_OPTION_SOCK_ADDR, &address,
						   MHD_OPTION_CONNECTION_TIMEOUT, 10U, MHD_OPTION_END);
	const union MHD_DaemonInfo *info = http ? MHD_get_daemon_info(http, MHD_DAEMON_INFO_BIND_PORT) : NULL;

	if (info)
		*port = info->port;
	return http;
}

/* -- 5. one poll for all -- */

static int serve(struct daemon *daemon, struct MHD_Daemon *http, int inotify_fd, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = ebpf_host_fd(daemon->host), .events = POLLIN },
		{ .fd = inotify_fd, .events = POLLIN },
		{ .fd = MHD_get_daemon_info(http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN },
	};
	struct ebpf_error err = { 0 };

	for (;;) {
		MHD_UNSIGNED_LONG_LONG http_timeout;
		int timeout = MHD_get_timeout(http, &http_timeout) == MHD_YES ? (int)(http_timeout > 10000 ? 10000 : http_timeout) : -1;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return 0;
		if (fds[1].revents && ebpf_host_dispatch(daemon->host, 0, &err) < 0) {
			fprintf(stderr, "tracerd: %s\n", err.message);
			ebpf_error_clear(&err);
		}
		if (fds[2].revents)
			read_changes(daemon, inotify_fd);
		MHD_run(http);
	}
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .host = NULL };
	struct ebpf_error err = { 0 };
	struct MHD_Daemon *http = NULL;
	int option, inotify_fd, signal_fd, status = 1;
	uint16_t port = 9435;
	sigset_t signals;

	while ((option = getopt(argc, argv, "p:")) != -1) {
		if (option != 'p')
			break;
		port = (uint16_t)atoi(optarg);
	}
	if (option != -1 || optind != argc - 1) {
		fprintf(stderr, "Usage: %s [-p PORT] FOLDER\n", argv[0]);
		return 2;
	}
	daemon.folder = argv[optind];

	/* The daemon's own signals: the host touches none. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);

	/* The folder is watched before it is read, so that no change falls in between. */
	inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (inotify_add_watch(inotify_fd, daemon.folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) < 0) {
		fprintf(stderr, "tracerd: %s: %s\n", daemon.folder, strerror(errno));
		return 1;
	}
	daemon.host = new_host(&daemon, &err);
	if (!daemon.host) {
		fprintf(stderr, "tracerd: %s\n", err.message);
		return 1;
	}
	load_all(&daemon);
	http = listen_on(&daemon, &port);
	if (!http) {
		fprintf(stderr, "tracerd: cannot listen on port %u\n", port);
	} else {
		printf("tracerd: http://127.0.0.1:%u/metrics\n", port);
		fflush(stdout);
		status = serve(&daemon, http, inotify_fd, signal_fd) < 0;
		MHD_stop_daemon(http);
	}
	ebpf_host_free(daemon.host); /* detaches everything */
	close(inotify_fd);
	close(signal_fd);
	return status;
}
