/* uprobe.c -- programs of type kprobe on instructions of programs and libraries, and on the return of their functions.
 *
 * Chain: uprobe PMU + BPF_LINK_CREATE (5.15) -> uprobe PMU + PERF_EVENT_IOC_SET_BPF (4.17) -> an event in tracefs
 * (4.1).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("symbol", symbol, 2),
	EBPF_LINK_OPTION("offset", offset, 0),
	EBPF_LINK_OPTION("ret", ret, 0),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("ref_counter_offset", uprobe.ref_counter_offset, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "uretprobe", NULL };

static bool parse_number(const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	*out = strtoull(text, &end, 0);
	return !*end;
}

/* "path:func", "path:func+0x10", "path:0x1234"; the path goes up to the first colon */
static int parse_extra(const struct ebpf_program *program, struct ebpf_link_options *out, char *storage,
		       struct ebpf_error *err)
{
	char *colon = strchr(storage, ':'), *symbol, *plus;

	if (!colon || colon == storage || !colon[1]) {
		ebpf_fail(err, EINVAL, "section '%s': no function after a colon", program->section);
		ebpf_hint(err, "a uprobe is written uprobe/path:function[+offset]");
		return -EINVAL;
	}
	*colon = '\0';
	symbol = colon + 1;
	out->path = storage;
	out->symbol = NULL;
	if (parse_number(symbol, &out->offset))
		return 0;
	plus = strrchr(symbol, '+');
	if (plus) {
		*plus = '\0';
		if (plus == symbol || !parse_number(plus + 1, &out->offset))
			return ebpf_fail(err, EINVAL, "section '%s': '%s' is no offset", program->section, plus + 1);
	}
	out->symbol = symbol;
	return 0;
}

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	int result;

	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size)
			return ebpf_fail(err, ENAMETOOLONG, "section '%s': the name is too long", program->section);
		result = parse_extra(program, out, storage, err);
		if (result)
			return result;
	}
	if (out->path && (out->symbol || out->offset))
		return 1;
	ebpf_fail(err, EINVAL, "its section names no function of a program or library");
	ebpf_hint(err, "write SEC(\"uprobe/path:function\"), or give the options path and symbol");
	return 0;
}

static int explain(struct ebpf_link *link, const struct ebpf_probe *probe, int code, struct ebpf_error *err)
{
	switch (code) {
	case -ENOENT:
		ebpf_fail(err, code, "%s: there is no such file", link->target);
		break;
	case -ESRCH:
		ebpf_fail(err, code, "%s: there is no process %d", link->target, (int)probe->pid);
		break;
	case -ENOTSUP: case -524:
		if (err && !strstr(err->message, "attach_mode"))
			ebpf_hint(err, "the instruction there cannot be probed, or the kernel has no uprobes "
				  "(CONFIG_UPROBE_EVENTS)");
		break;
	case -EINVAL:
		if (probe->ref_counter && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_UPROBE_REF_CTR))
			ebpf_hint(err, "a reference counter needs Linux %s",
				  ebpf_feature_since(EBPF_FEATURE_UPROBE_REF_CTR));
		else
			ebpf_hint(err, "the offset must be that of an instruction within a regular file");
		break;
	}
	return code == -524 ? -ENOTSUP : code;
}

/* Finds the place in the file: the symbol's, and so many bytes on. */
static int locate(const char *path, const struct ebpf_link_options *given, uint64_t *offset, struct ebpf_error *err)
{
	uint64_t start = 0, size = 0;
	int result;

	if (given->symbol) {
		result = ebpf_binary_symbol(path, given->symbol, &start, &size, err);
		if (result)
			return result;
		if (size && given->offset >= size)
			return ebpf_fail(err, ERANGE,
					 "'%s': offset 0x%llx is beyond the end of '%s', which has %llu bytes", path,
					 (unsigned long long)given->offset, given->symbol, (unsigned long long)size);
	}
	*offset = start + given->offset;
	return 0;
}

static int set_target(struct ebpf_link *link, const struct ebpf_link_options *given, const struct ebpf_probe *probe,
		      struct ebpf_error *err)
{
	const char *word = probe->ret ? "uretprobe" : "uprobe";
	unsigned long long offset = given->offset;

	if (!given->symbol)
		return ebpf_link_set_target(link, err, "%s %s:0x%llx", word, probe->name, offset);
	if (offset)
		return ebpf_link_set_target(link, err, "%s %s:%s+0x%llx", word, probe->name, given->symbol, offset);
	return ebpf_link_set_target(link, err, "%s %s:%s", word, probe->name, given->symbol);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct ebpf_probe probe = { .user = true, .ref_counter = given->uprobe.ref_counter_offset };
	enum ebpf_attach_mode mode;
	char *path = NULL;
	int result;

	probe.ret = given->ret || ebpf_starts_with(alias, "uret");
	probe.pid = ebpf_link_pid(given->pid);
	if (!given->path || (!given->symbol && !given->offset))
		return ebpf_fail(err, EINVAL, "uprobe: a path, and a symbol or an offset in the file are needed");
	if (given->pid < -1)
		return ebpf_fail(err, EINVAL, "uprobe: %d is no process", given->pid);
	if (probe.ret && given->symbol && given->offset)
		return ebpf_fail(err, EINVAL, "uretprobe %s: a return probe takes no offset", given->symbol);
	result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = ebpf_binary_find_for(given->path, given->pid, &path, err);
	if (!result)
		result = locate(path, given, &probe.offset, err);
	if (!result) {
		probe.name = path;
		result = set_target(link, given, &probe, err);
	}
	if (!result) {
		result = ebpf_probe_open(link, &probe, mode, err);
		if (result)
			result = explain(link, &probe, result, err);
	}
	if (!result)
		result = ebpf_perf_attach(link, program, given->cookie, mode, err);
	free(path);
	return result;
}

const struct ebpf_link_kind ebpf_kind_uprobe = {
	.name = "uprobe", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
