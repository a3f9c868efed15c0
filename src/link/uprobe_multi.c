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

struct choice {
	struct ebpf_program *program;
	enum ebpf_attach_mode mode;
	const char *path;
	int32_t pid;
	bool ret;
};

/* -- by one link -- */

static int attach_by_link(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	const struct choice *choice = multi->context;
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)choice->program->fd;
	attr.link_create.attach_type = choice->program->attach_type;
	attr.link_create.uprobe_multi.path = ebpf_ptr(choice->path);
	attr.link_create.uprobe_multi.offsets = ebpf_ptr(multi->places + from);
	attr.link_create.uprobe_multi.ref_ctr_offsets = multi->ref_counters ? ebpf_ptr(multi->ref_counters + from) : 0;
	attr.link_create.uprobe_multi.cookies = multi->cookies ? ebpf_ptr(multi->cookies + from) : 0;
	attr.link_create.uprobe_multi.cnt = (uint32_t)count;
	attr.link_create.uprobe_multi.flags = choice->ret ? BPF_F_UPROBE_MULTI_RETURN : 0;
	attr.link_create.uprobe_multi.pid = choice->pid == -1 ? (uint32_t)getpid() : (uint32_t)choice->pid;
	result = ebpf_link_create(link, &attr);
	link->attach_type = choice->program->attach_type;
	return result ? ebpf_link_fail(link, result, err) : 0;
}

/* -- by a uprobe each -- */

static int attach_by_uprobe(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count,
			    struct ebpf_error *err)
{
	const struct choice *choice = multi->context;
	const char *word = choice->ret ? "uretprobe" : "uprobe";
	struct ebpf_probe probe = { .user = true, .ret = choice->ret, .name = choice->path, .offset = multi->places[from] };
	uint64_t cookie = multi->cookies ? multi->cookies[from] : multi->cookie;
	int result;

	(void)count;
	probe.pid = ebpf_link_pid(choice->pid);
	if (multi->ref_counters)
		probe.ref_counter = multi->ref_counters[from];
	if (multi->names)
		result = ebpf_link_set_target(link, err, "%s %s:%s", word, choice->path, multi->names[from]);
	else
		result = ebpf_link_set_target(link, err, "%s %s:0x%llx", word, choice->path, (unsigned long long)probe.offset);
	if (!result)
		result = ebpf_probe_open(link, &probe, choice->mode, err);
	return result ? result : ebpf_perf_attach(link, choice->program, cookie, choice->mode, err);
}

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

static int find_by_name(const char *path, const struct ebpf_strings *symbols, struct places *places, struct ebpf_error *err)
{
	int result = 0;

	places->offsets = calloc(symbols->count, sizeof *places->offsets);
	if (!places->offsets)
		return ebpf_fail_memory(err);
	for (size_t i = 0; result == 0 && i < symbols->count; i++)
		result = ebpf_binary_symbol(path, symbols->items[i], &places->offsets[i], NULL, err);
	return result;
}

static int find_places(struct ebpf_link *link, const struct ebpf_link_options *given, const char *path, const char *word,
		       struct places *places, struct ebpf_multi *multi, struct ebpf_error *err)
{
	struct ebpf_strings symbols = given->multi.symbols;
	int result;

	if (given->multi.offsets.count) {
		multi->places = given->multi.offsets.items;
		multi->count = given->multi.offsets.count;
		return ebpf_link_set_target(link, err, "%s %s (%zu offsets)", word, path, multi->count);
	}
	if (given->multi.pattern && !strpbrk(given->multi.pattern, "*?["))
		symbols = (struct ebpf_strings){ &given->multi.pattern, 1 };
	multi->may_skip = !symbols.count;
	result = symbols.count ? find_by_name(path, &symbols, places, err) : find_by_pattern(path, given->multi.pattern, places, err);
	if (result)
		return result;
	multi->names = symbols.count ? symbols.items : places->names;
	multi->places = places->offsets;
	multi->count = symbols.count ? symbols.count : places->functions.count;
	if (given->multi.symbols.count)
		return ebpf_link_set_target(link, err, "%s %s:%s (%zu functions)", word, path, symbols.items[0], multi->count);
	return ebpf_link_set_target(link, err, "%s %s:%s", word, path, given->multi.pattern);
}

/* -- the kind -- */

static int explain(struct ebpf_link *link, const struct choice *choice, int code, struct ebpf_error *err)
{
	switch (code) {
	case -ESRCH:
		ebpf_fail(err, code, "%s: there is no process %d", link->target, (int)choice->pid);
		break;
	case -EINVAL:
		ebpf_hint(err, "each offset must be that of an instruction, and each reference counter's that of a short in the "
			  "data");
		break;
	case -EOPNOTSUPP: case -524:
		ebpf_hint(err, "an instruction there cannot be probed");
		break;
	case -E2BIG:
		ebpf_hint(err, "one link takes 1048576 places");
		break;
	case -EMFILE:
		ebpf_hint(err, "each place needs a descriptor or two here: ulimit -n");
		break;
	}
	return code == -524 ? -ENOTSUP : code;
}

static int check(const struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given, bool ret,
		 struct ebpf_error *err)
{
	bool session = program->attach_type == BPF_TRACE_UPROBE_SESSION;

	if (program->type != BPF_PROG_TYPE_KPROBE ||
	    (program->attach_type && program->attach_type != BPF_TRACE_UPROBE_MULTI && !session))
		return ebpf_fail(err, EINVAL, "uprobe_multi: the program is not one for functions of programs and libraries");
	if (strstr(alias, "session") && !session) {
		ebpf_fail(err, EINVAL, "uprobe_session: the program was not loaded for it");
		ebpf_hint(err, "its attach type must be trace_uprobe_session, as of SEC(\"uprobe.session\")");
		return -EINVAL;
	}
	if (session && ret)
		return ebpf_fail(err, EINVAL, "uprobe_session: it runs at entry and return alike");
	if (!given->path || (given->multi.pattern != NULL) + (given->multi.symbols.count != 0) + (given->multi.offsets.count != 0) != 1)
		return ebpf_fail(err, EINVAL, "uprobe_multi: a path, and a pattern, symbols or offsets are needed, one of the "
				 "three");
	if (given->multi.pattern && strpbrk(given->multi.pattern, "*?[") && (given->multi.cookies.count || given->multi.ref_counter_offsets.count))
		return ebpf_fail(err, EINVAL, "uprobe_multi: cookies and reference counters go with symbols or offsets; for a "
				 "pattern there is one cookie");
	if (given->pid < -1)
		return ebpf_fail(err, EINVAL, "uprobe_multi: %d is no process", given->pid);
	return 0;
}

static int attach_chain(struct ebpf_link *link, struct ebpf_multi *multi, struct choice *choice, struct ebpf_error *err)
{
	bool session = choice->program->attach_type == BPF_TRACE_UPROBE_SESSION;
	enum ebpf_feature feature = session ? EBPF_FEATURE_UPROBE_SESSION : EBPF_FEATURE_UPROBE_MULTI;
	bool linkable = choice->program->attach_type != 0 && choice->mode != EBPF_ATTACH_PERF && choice->mode != EBPF_ATTACH_LEGACY;
	bool may_skip = multi->may_skip;
	int result;

	/* Linux 6.6 to 6.9 take the process for a thread. */
	if (linkable && choice->pid && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_UPROBE_MULTI_PID) &&
	    ebpf_kernel_supports(link->kernel, feature)) {
		ebpf_fail(err, ENOTSUP, "%s: one process alone needs Linux %s here", link->target,
			  ebpf_feature_since(EBPF_FEATURE_UPROBE_MULTI_PID));
		ebpf_hint(err, "load the program with attach type 0: then each function gets a uprobe of its own");
		return -ENOTSUP;
	}
	if (linkable && !ebpf_kernel_masked(link->kernel, feature)) {
		multi->attach = attach_by_link;
		/* where such links are unknown, nothing is to be found out by halves */
		multi->may_skip = may_skip && ebpf_kernel_supports(link->kernel, feature);
		result = ebpf_multi_attach(link, multi, err);
		if (!result)
			return 0;
		if (ebpf_kernel_supports(link->kernel, feature))
			return explain(link, choice, result, err);
	}
	if (choice->mode == EBPF_ATTACH_LINK && !choice->program->attach_type && ebpf_kernel_supports(link->kernel, feature))
		return ebpf_fail(err, EINVAL, "%s: attach_mode 'link': the program was not loaded with attach type "
				 "trace_uprobe_multi", link->target);
	if (session || choice->mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: such links need Linux %s", link->target, ebpf_feature_since(feature));
	/* Its helpers would look for a context that a uprobe does not make. */
	if (choice->program->attach_type) {
		ebpf_fail(err, EINVAL, "%s: the program was loaded for links on many places, and fits no uprobe", link->target);
		ebpf_hint(err, "load it with attach type 0");
		return -EINVAL;
	}
	multi->attach = attach_by_uprobe;
	multi->may_skip = may_skip;
	return explain(link, choice, ebpf_multi_attach_each(link, multi, err), err);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct choice choice = { .program = program, .pid = given->pid, .ret = given->ret || ebpf_multi_is_return(alias) };
	struct ebpf_multi multi = { .cookie = given->cookie,
				    .cookies = given->multi.cookies.items,
				    .ref_counters = given->multi.ref_counter_offsets.items,
				    .context = &choice };
	const char *word = program->attach_type == BPF_TRACE_UPROBE_SESSION ? "uprobe_session" : choice.ret ? "uretprobe_multi" :
											       "uprobe_multi";
	struct places places = { 0 };
	char *path = NULL;
	int result = check(program, alias, given, choice.ret, err);

	if (!result)
		result = ebpf_attach_mode(given->attach_mode, &choice.mode, err);
	if (!result)
		result = ebpf_binary_find_for(given->path, given->pid, &path, err);
	choice.path = path;
	if (!result)
		result = find_places(link, given, path, word, &places, &multi, err);
	if (!result)
		result = ebpf_multi_check(given, multi.count, word, err);
	if (!result)
		result = attach_chain(link, &multi, &choice, err);
	ebpf_binary_functions_free(&places.functions);
	free(places.names);
	free(places.offsets);
	free(path);
	return result;
}

const struct ebpf_link_kind ebpf_kind_uprobe_multi = {
	.name = "uprobe_multi", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
