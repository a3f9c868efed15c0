/* uprobe_multi.c -- one program on many functions of a program or library, chosen by a pattern or named: at their entry, at
 * their return, or (session) at both.
 *
 * Chain: BPF_LINK_CREATE (6.6; session 6.13) -> a uprobe for each place (4.1; not for sessions). Loading by section leaves
 * the attach type out where there are no such links, since only then the program fits a uprobe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "link/multi.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("pattern", multi.pattern, 2),
	EBPF_LINK_OPTION("symbols", multi.symbols, 0),
	EBPF_LINK_OPTION("offsets", multi.offsets, 0),
	EBPF_LINK_OPTION("ref_counter_offsets", multi.ref_counter_offsets, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("cookies", multi.cookies, 0),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("ret", ret, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "uretprobe_multi", "uprobe_session", "uprobe.multi", "uretprobe.multi", "uprobe.session",
				       NULL };

/* "path:pattern"; the path goes up to the first colon */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	char *colon;

	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size)
			return ebpf_fail(err, ENAMETOOLONG, "section '%s': the name is too long", program->section);
		colon = strchr(storage, ':');
		if (!colon || colon == storage || !colon[1]) {
			ebpf_fail(err, EINVAL, "section '%s': no functions after a colon", program->section);
			ebpf_hint(err, "it is written uprobe.multi/path:pattern");
			return -EINVAL;
		}
		*colon = '\0';
		out->path = storage;
		out->multi.pattern = colon + 1;
	}
	if (out->path && (out->multi.pattern || out->multi.symbols.count || out->multi.offsets.count))
		return 1;
	ebpf_fail(err, EINVAL, "its section names no functions of a program or library");
	ebpf_hint(err, "write SEC(\"uprobe.multi/path:pattern*\"), or give the options path and pattern");
	return 0;
}

struct target {
	const char *path;
	int32_t pid;
};

static int by_link(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	const struct target *target = multi->context;
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.uprobe_multi.path = ebpf_ptr(target->path);
	attr.link_create.uprobe_multi.offsets = ebpf_ptr(multi->places + from);
	attr.link_create.uprobe_multi.ref_ctr_offsets = multi->ref_counters ? ebpf_ptr(multi->ref_counters + from) : 0;
	attr.link_create.uprobe_multi.cookies = multi->cookies ? ebpf_ptr(multi->cookies + from) : 0;
	attr.link_create.uprobe_multi.cnt = (uint32_t)count;
	attr.link_create.uprobe_multi.flags = multi->ret ? BPF_F_UPROBE_MULTI_RETURN : 0;
	attr.link_create.uprobe_multi.pid = target->pid == -1 ? (uint32_t)getpid() : (uint32_t)target->pid;
	return ebpf_multi_create(link, multi, &attr, err);
}

static int by_uprobe(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	const struct target *target = multi->context;
	const char *word = multi->ret ? "uretprobe" : "uprobe";
	struct ebpf_probe probe = { .user = true, .ret = multi->ret, .name = target->path, .offset = multi->places[from] };
	uint64_t cookie = multi->cookies ? multi->cookies[from] : multi->cookie;
	int result;

	(void)count;
	probe.pid = ebpf_link_pid(target->pid);
	if (multi->ref_counters)
		probe.ref_counter = multi->ref_counters[from];
	if (multi->names)
		result = ebpf_link_set_target(link, err, "%s %s:%s", word, target->path, multi->names[from]);
	else
		result = ebpf_link_set_target(link, err, "%s %s:0x%llx", word, target->path, (unsigned long long)probe.offset);
	if (!result)
		result = ebpf_probe_open(link, &probe, multi->mode, err);
	return result ? result : ebpf_perf_attach(link, multi->program, cookie, multi->mode, err);
}

static int explain(struct ebpf_link *link, const struct ebpf_multi *multi, int code, struct ebpf_error *err)
{
	const struct target *target = multi->context;

	switch (code) {
	case -ESRCH:
		ebpf_fail(err, code, "%s: there is no process %d", link->target, (int)target->pid);
		break;
	case -EINVAL:
		ebpf_hint(err, "each offset must be that of an instruction, and each reference counter's that of a short in the "
			  "data");
		break;
	case -EOPNOTSUPP: case -524:
		ebpf_hint(err, "an instruction there cannot be probed");
		break;
	}
	return code;
}

static const struct ebpf_multi_form form = {
	.choices = "a path, and a pattern, symbols or offsets are needed, one of the three",
	.wildcards = "*?[",
	.by_link = by_link,
	.explain = explain,
	.by_probe = by_uprobe,
	.probe = "uprobe",
	.subject = "functions of programs and libraries",
	.needs = "",
	.many = BPF_TRACE_UPROBE_MULTI,
	.session = BPF_TRACE_UPROBE_SESSION,
	.many_feature = EBPF_FEATURE_UPROBE_MULTI,
	.session_feature = EBPF_FEATURE_UPROBE_SESSION,
	.probe_feature = EBPF_FEATURE_COUNT,
};

/* -- the places -- */

struct places {
	struct ebpf_binary_functions functions;
	const char **names;
	uint64_t *offsets;
};

static int find_by_pattern(const char *path, const char *pattern, struct places *places, struct ebpf_error *err)
{
	int result = ebpf_binary_functions(path, pattern, &places->functions, err);
	size_t count = places->functions.count;

	if (result)
		return result;
	places->names = calloc(count, sizeof *places->names);
	places->offsets = calloc(count, sizeof *places->offsets);
	if (!places->names || !places->offsets)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		places->names[i] = places->functions.items[i].name;
		places->offsets[i] = places->functions.items[i].offset;
	}
	return 0;
}

static int find_by_name(const char *path, const struct ebpf_multi *multi, struct places *places, struct ebpf_error *err)
{
	int result = 0;

	places->offsets = calloc(multi->count, sizeof *places->offsets);
	if (!places->offsets)
		return ebpf_fail_memory(err);
	for (size_t i = 0; result == 0 && i < multi->count; i++)
		result = ebpf_binary_symbol(path, multi->names[i], &places->offsets[i], NULL, err);
	return result;
}

static int find_places(struct ebpf_multi *multi, const char *path, const char *pattern, struct places *places, struct ebpf_error *err)
{
	int result = 0;

	if (multi->may_skip) {
		result = find_by_pattern(path, pattern, places, err);
		multi->names = places->names;
		multi->count = places->functions.count;
	} else if (multi->names) {
		result = find_by_name(path, multi, places, err);
	}
	if (places->offsets)
		multi->places = places->offsets;
	return result;
}

/* -- the kind -- */

/* Linux 6.6 to 6.9 take the process for a thread. */
static int check_process(struct ebpf_link *link, const struct ebpf_multi *multi, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	bool linkable = multi->program->attach_type && multi->mode != EBPF_ATTACH_PERF && multi->mode != EBPF_ATTACH_LEGACY;

	if (!given->pid || !linkable || ebpf_kernel_supports(link->kernel, EBPF_FEATURE_UPROBE_MULTI_PID) ||
	    !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_UPROBE_MULTI))
		return 0;
	ebpf_fail(err, ENOTSUP, "%s: one process alone needs Linux %s here", link->target,
		  ebpf_feature_since(EBPF_FEATURE_UPROBE_MULTI_PID));
	ebpf_hint(err, "load the program with attach type 0: then each function gets a uprobe of its own");
	return -ENOTSUP;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct target target = { .pid = given->pid };
	struct ebpf_multi multi = { .form = &form, .context = &target };
	struct places places = { 0 };
	char *path = NULL;
	int result = ebpf_multi_take_program(&multi, program, alias, given, err);

	if (!result && !given->path)
		result = ebpf_fail(err, EINVAL, "%s: %s", multi.word, form.choices);
	if (!result)
		result = ebpf_multi_take_lists(&multi, given, err);
	if (!result && given->pid < -1)
		result = ebpf_fail(err, EINVAL, "%s: %d is no process", multi.word, given->pid);
	if (!result)
		result = ebpf_binary_find_for(given->path, given->pid, &path, err);
	target.path = path;
	if (!result)
		result = find_places(&multi, path, given->multi.pattern, &places, err);
	if (!result)
		result = ebpf_multi_set_target(link, &multi, given, path, err);
	if (!result)
		result = check_process(link, &multi, given, err);
	if (!result)
		result = ebpf_multi_attach(link, &multi, err);
	ebpf_binary_functions_free(&places.functions);
	free(places.names);
	free(places.offsets);
	free(path);
	return result;
}

const struct ebpf_link_kind ebpf_kind_uprobe_multi = {
	.name = "uprobe_multi", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
