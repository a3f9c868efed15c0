/* command.c -- the command `ebpf`: a host whose one script is the command's Lua part (lua/ebpf/cli), which all is in this file.
 *
 * `ebpf run --sandbox SCRIPT` is the other use of a host: the script runs in a sandbox, and this program is its loop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf_host.h"

static ebpf_host *host;
static volatile sig_atomic_t stopped;

/* As the interpreter does: the script gets an error, and a second Ctrl-C ends the process. */
static void on_interrupt(int number)
{
	signal(number, SIG_DFL);
	stopped = 1;
	ebpf_host_interrupt(host);
}

static void catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt }; /* without SA_RESTART: a wait ends */

	sigaction(SIGINT, &action, NULL);
}

static int complain(const struct ebpf_error *err)
{
	fflush(stdout);
	fprintf(stderr, "ebpf: %s%s%s%s\n", err->log ? err->log : err->message, err->hint[0] ? " (" : "", err->hint, err->hint[0] ? ")" : "");
	return 1;
}

static void print(void *context, const char *script, const char *line)
{
	(void)context;
	(void)script;
	puts(line);
}

static void show_error(void *context, const char *script, const char *message)
{
	(void)context;
	fprintf(stderr, "ebpf: %s: %s\n", script, message);
}

/* "64M" in bytes; 0 for what is none. */
static size_t size_of(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	const char *units = "kMG", *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;

	if (*end && (!unit || end[1]))
		return 0;
	for (const char *each = units; unit && each <= unit; each++)
		value *= 1024;
	return (size_t)value;
}

/* ebpf run --sandbox [--memory SIZE] [--instructions N] SCRIPT [ARG...] */
static int run_in_sandbox(int count, const char *const *words)
{
	ebpf_host_options options = { .size = sizeof(options), .sandbox = true, .memory_limit = 256 << 20, .instruction_limit = 1000 * 1000 * 1000,
				      .on_error = show_error, .print = print };
	struct ebpf_error err = { 0 };
	int at = 0;

	while (at < count && words[at][0] == '-' && words[at][1]) {
		const char *name = words[at++], *value = at < count ? words[at] : "";

		if (!strcmp(name, "--sandbox"))
			continue;
		at++;
		if (!strcmp(name, "--memory"))
			options.memory_limit = size_of(value);
		else if (!strcmp(name, "--instructions"))
			options.instruction_limit = strtoull(value, NULL, 10);
		else
			options.size = 0;
		if (!options.size || !options.memory_limit || !options.instruction_limit) {
			fprintf(stderr, "Usage: ebpf run --sandbox [--memory SIZE] [--instructions N] SCRIPT [ARG...]\n\nebpf: '%s %s' is no limit\n",
				name, value);
			return 1;
		}
	}
	if (at == count) {
		fprintf(stderr, "ebpf: run --sandbox: a script is missing\n");
		return 1;
	}
	options.arguments = words + at;
	host = ebpf_host_new(&options, &err);
	if (!host)
		return complain(&err);
	catch_interrupt();
	if (ebpf_host_load_file(host, words[at], &err) < 0) {
		ebpf_host_free(host);
		return complain(&err);
	}
	while (!stopped && ebpf_host_sources(host) > 0) {
		fflush(stdout); /* whoever reads it should not wait for what we wait for */
		if (ebpf_host_dispatch(host, -1, &err) < 0)
			complain(&err);
	}
	at = ebpf_host_count(host) == 0 && !stopped; /* it was ended by force */
	ebpf_host_free(host);
	return at;
}

int main(int argc, char **argv)
{
	static const char script[] = "require \"ebpf.cli.main\"";
	const char *const *words = (const char *const *)argv;
	ebpf_host_options options = { .size = sizeof(options), .standalone = true, .arguments = words };
	struct ebpf_error err = { 0 };

	for (int i = 2; argc > 2 && !strcmp(argv[1], "run") && i < argc && argv[i][0] == '-'; i++)
		if (!strcmp(argv[i], "--sandbox"))
			return run_in_sandbox(argc - 2, words + 2);
	host = ebpf_host_new(&options, &err);
	if (!host)
		return complain(&err);
	catch_interrupt();
	if (ebpf_host_load_text(host, "ebpf", script, sizeof(script) - 1, &err) < 0)
		complain(&err);
	ebpf_host_free(host);
	return 1; /* the script ends the process with a status of its own */
}
