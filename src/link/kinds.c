/* kinds.c -- the table of kinds, and attaching by kind or by section.
 *
 * A program's kind follows from its type, its expected attach type, and, for the one type that kprobes and uprobes
 * share, its section.
 */
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"
#include "sys/policy.h"

extern const struct ebpf_link_kind ebpf_kind_tracepoint, ebpf_kind_raw_tracepoint, ebpf_kind_tracing, ebpf_kind_tracing_multi, ebpf_kind_iter,
	ebpf_kind_kprobe, ebpf_kind_kprobe_multi, ebpf_kind_uprobe, ebpf_kind_uprobe_multi, ebpf_kind_usdt, ebpf_kind_perf_event, ebpf_kind_xdp,
	ebpf_kind_tc, ebpf_kind_netkit, ebpf_kind_cgroup, ebpf_kind_netns, ebpf_kind_netfilter, ebpf_kind_sockmap,
	ebpf_kind_socket_filter, ebpf_kind_reuseport, ebpf_kind_lirc, ebpf_kind_lwt, ebpf_kind_struct_ops;

const struct ebpf_link_kind *const ebpf_link_kinds[] = {
	&ebpf_kind_tracepoint,
	&ebpf_kind_raw_tracepoint,
	&ebpf_kind_tracing,
	&ebpf_kind_tracing_multi,
	&ebpf_kind_iter,
	&ebpf_kind_kprobe,
	&ebpf_kind_kprobe_multi,
	&ebpf_kind_uprobe,
	&ebpf_kind_uprobe_multi,
	&ebpf_kind_usdt,
	&ebpf_kind_perf_event,
	&ebpf_kind_xdp,
	&ebpf_kind_tc,
	&ebpf_kind_netkit,
	&ebpf_kind_cgroup,
	&ebpf_kind_struct_ops,
	&ebpf_kind_netns,
	&ebpf_kind_netfilter,
	&ebpf_kind_sockmap,
	&ebpf_kind_socket_filter,
	&ebpf_kind_reuseport,
	&ebpf_kind_lirc,
	&ebpf_kind_lwt,
	NULL,
};

#define SECTION_MAX 4608 /* a path and a symbol */

/* -- the table, from outside -- */

static bool answers_to(const struct ebpf_link_kind *kind, const char *name)
{
	if (!strcmp(kind->name, name))
		return true;
	for (const char *const *alias = kind->aliases; alias && *alias; alias++)
		if (!strcmp(*alias, name))
			return true;
	return false;
}

static const struct ebpf_link_kind *find_kind(const char *name)
{
	for (const struct ebpf_link_kind *const *kind = ebpf_link_kinds; *kind; kind++)
		if (answers_to(*kind, name))
			return *kind;
	return NULL;
}

int ebpf_link_kind(size_t index, const char **name, const char **since)
{
	if (index >= EBPF_COUNT(ebpf_link_kinds) - 1)
		return -ENOENT;
	*name = ebpf_link_kinds[index]->name;
	*since = ebpf_link_kinds[index]->since;
	return 0;
}

const struct ebpf_option *ebpf_link_kind_options(const char *name)
{
	const struct ebpf_link_kind *kind = find_kind(name);

	return kind ? kind->options : NULL;
}

/* -- options -- */

static size_t size_of(enum ebpf_option_type type)
{
	switch (type) {
	case EBPF_OPTION_STRING: return sizeof(const char *);
	case EBPF_OPTION_U64: return sizeof(uint64_t);
	case EBPF_OPTION_U32: case EBPF_OPTION_S32: return sizeof(uint32_t);
	case EBPF_OPTION_BOOL: return sizeof(bool);
	case EBPF_OPTION_STRINGS: return sizeof(struct ebpf_strings);
	case EBPF_OPTION_NUMBERS: return sizeof(struct ebpf_numbers);
	}
	return 0;
}

static bool is_zero(const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)data)[i])
			return false;
	return true;
}

struct cursor {
	size_t kind, option;
};

static bool takes(const struct ebpf_link_kind *kind, const struct ebpf_option *option)
{
	for (const struct ebpf_option *known = kind->options; known->name; known++)
		if (known->offset == option->offset)
			return true;
	return false;
}

/* The caller's struct may be of an older or a newer version than ours: what is beyond either must be zero. */
static int copy_options(const struct ebpf_link_options *given, struct ebpf_link_options *out, struct ebpf_error *err)
{
	size_t size;

	memset(out, 0, sizeof *out);
	out->size = sizeof *out;
	if (!given)
		return 0;
	if (given->size < sizeof given->size)
		return ebpf_fail(err, EINVAL, "options: size is %zu: set it to sizeof(struct ebpf_link_options)",
				 given->size);
	size = given->size < sizeof *out ? given->size : sizeof *out;
	if (given->size > size && !is_zero((const uint8_t *)given + size, given->size - size))
		return ebpf_fail(err, E2BIG, "options: they have members that this version does not know");
	memcpy(out, given, size);
	out->size = sizeof *out;
	return 0;
}

static int refuse_option(const struct ebpf_link_kind *kind, const struct ebpf_option *option, struct ebpf_error *err)
{
	struct ebpf_buffer list = { 0 };

	for (const struct ebpf_option *known = kind->options; known->name; known++)
		ebpf_buffer_printf(&list, "%s%s", known == kind->options ? "" : ", ", known->member);
	ebpf_fail(err, EINVAL, "%s: it has no option '%s'", kind->name, option->member);
	if (!list.failed)
		ebpf_hint(err, "its options are %s", list.data);
	ebpf_buffer_free(&list);
	return -EINVAL;
}

/* The first option of another kind (every member is one's), from *at on, that this kind does not take. */
static const struct ebpf_option *next_foreign(const struct ebpf_link_kind *kind, struct cursor *at)
{
	for (; ebpf_link_kinds[at->kind]; at->kind++, at->option = 0)
		while (ebpf_link_kinds[at->kind]->options[at->option].name) {
			const struct ebpf_option *option = &ebpf_link_kinds[at->kind]->options[at->option++];

			if (!takes(kind, option))
				return option;
		}
	return NULL;
}

static int check_options(const struct ebpf_link_kind *kind, const struct ebpf_link_options *options,
			 struct ebpf_error *err)
{
	const struct ebpf_option *option;

	for (struct cursor at = { 0 }; (option = next_foreign(kind, &at)) != NULL;)
		if (!is_zero((const uint8_t *)options + option->offset, size_of(option->type)))
			return refuse_option(kind, option, err);
	return 0;
}

/* Options for many programs at once: each takes what is its own. */
static void drop_other_options(const struct ebpf_link_kind *kind, struct ebpf_link_options *options)
{
	const struct ebpf_option *option;

	for (struct cursor at = { 0 }; (option = next_foreign(kind, &at)) != NULL;)
		memset((uint8_t *)options + option->offset, 0, size_of(option->type));
}

/* -- attaching -- */

static const char *name_of(const struct ebpf_program *program)
{
	return program->name ? program->name : "";
}

/* What a policy is told: "kprobe do_unlinkat", "tracepoint syscalls:sys_enter_openat", "xdp lo". */
static void intend(const struct ebpf_link_kind *kind, const struct ebpf_link_options *options, char *text, size_t size)
{
	const char *parts[] = { options->path, options->tracepoint.category, options->symbol, options->multi.pattern, options->tracepoint.name,
				options->usdt.name, options->interface, options->netfilter.hook, options->perf_event.type, options->perf_event.event };
	size_t at = (size_t)snprintf(text, size, "%s", kind->name);

	for (size_t i = 0; i < EBPF_COUNT(parts); i++)
		if (parts[i] && at < size)
			at += (size_t)snprintf(text + at, size - at, "%c%s", strchr(text, ' ') ? ':' : ' ', parts[i]);
	ebpf_policy_intend(text);
}

/* The path that is of this kind alone. */
static void use_own_path(struct ebpf_link_options *options)
{
	if (options->cgroup.path)
		options->path = options->cgroup.path;
	if (options->netns.path)
		options->path = options->netns.path;
}

static int attach(const struct ebpf_link_kind *kind, const char *alias, struct ebpf_program *program,
		  struct ebpf_link_options *options, struct ebpf_link **out, struct ebpf_error *err)
{
	struct ebpf_link *link = ebpf_link_new(program->kernel, kind);
	char intent[256];
	int result;

	if (!link)
		return ebpf_fail_memory(err);
	use_own_path(options);
	intend(kind, options, intent, sizeof(intent));
	result = kind->attach(program, alias, options, link, err);
	ebpf_policy_intend(NULL);
	if (result) {
		ebpf_link_close(link);
		return ebpf_wrap(err, result, "program '%s': attach", name_of(program));
	}
	*out = link;
	return 0;
}

/* The kind of that name, and its options; `map`: it is to be one that attaches maps. */
static int prepare(const char *name, bool map, const struct ebpf_link_options *given, const struct ebpf_link_kind **kind,
		   struct ebpf_link_options *options, struct ebpf_error *err)
{
	const char *names[EBPF_COUNT(ebpf_link_kinds)], *nearest;
	size_t count = 0;
	int result;

	*kind = find_kind(name);
	if (!*kind) {
		for (; ebpf_link_kinds[count]; count++)
			names[count] = ebpf_link_kinds[count]->name;
		ebpf_fail(err, EINVAL, "'%s' is no kind of link", name);
		nearest = ebpf_nearest(name, names, count);
		if (nearest)
			ebpf_hint(err, "the nearest is '%s'", nearest);
		return -EINVAL;
	}
	if (map != ((*kind)->attach_map != NULL))
		return ebpf_fail(err, EINVAL, map ? "a link of kind %s takes a program, not a map" : "a link of kind %s takes a map, not a program",
				 (*kind)->name);
	result = copy_options(given, options, err);
	return result ? result : check_options(*kind, options, err);
}

int ebpf_link_attach(const char *name, struct ebpf_program *program, const struct ebpf_link_options *given,
		     struct ebpf_link **out, struct ebpf_error *err)
{
	const struct ebpf_link_kind *kind;
	struct ebpf_link_options options;
	int result = prepare(name, false, given, &kind, &options, err);

	if (result)
		return ebpf_wrap(err, result, "program '%s': attach", name_of(program));
	return attach(kind, name, program, &options, out, err);
}

int ebpf_link_attach_map(const char *name, struct ebpf_map *map, const struct ebpf_link_options *given, struct ebpf_link **out,
			 struct ebpf_error *err)
{
	const struct ebpf_link_kind *kind;
	struct ebpf_link_options options;
	struct ebpf_link *link = NULL;
	char intent[256];
	int result = prepare(name, true, given, &kind, &options, err);

	if (!result) {
		link = ebpf_link_new(map->kernel, kind);
		intend(kind, &options, intent, sizeof(intent));
		result = link ? kind->attach_map(map, &options, link, err) : ebpf_fail_memory(err);
		ebpf_policy_intend(NULL);
	}
	if (result) {
		ebpf_link_close(link);
		return ebpf_wrap(err, result, "map '%s': attach", map->name);
	}
	*out = link;
	return 0;
}

/* -- by section -- */

/* "kretprobe" of "kretprobe/func"; without the ".s" of sleepable programs. */
static void section_word(const struct ebpf_program *program, char *word, size_t size)
{
	const char *section = program->section ? program->section : "";
	size_t length = strcspn(section, "/");

	snprintf(word, size, "%.*s", (int)(length < size ? length : size - 1), section);
	length = strlen(word);
	if (length > 2 && !strcmp(word + length - 2, ".s"))
		word[length - 2] = '\0';
}

static const struct ebpf_link_kind *kind_of_probe(uint32_t attach_type, const char *word)
{
	static const struct {
		const char *word;
		const struct ebpf_link_kind *kind;
	} words[] = {
		{ "kprobe", &ebpf_kind_kprobe },   { "kretprobe", &ebpf_kind_kprobe },
		{ "ksyscall", &ebpf_kind_kprobe }, { "kretsyscall", &ebpf_kind_kprobe },
		{ "uprobe", &ebpf_kind_uprobe },   { "uretprobe", &ebpf_kind_uprobe },
		{ "usdt", &ebpf_kind_usdt },
		/* loaded without their attach type, where the kernel has no such links */
		{ "kprobe.multi", &ebpf_kind_kprobe_multi }, { "kretprobe.multi", &ebpf_kind_kprobe_multi },
		{ "uprobe.multi", &ebpf_kind_uprobe_multi }, { "uretprobe.multi", &ebpf_kind_uprobe_multi },
	};

	switch (attach_type) {
	case BPF_TRACE_KPROBE_MULTI: case BPF_TRACE_KPROBE_SESSION:
		return &ebpf_kind_kprobe_multi;
	case BPF_TRACE_UPROBE_MULTI: case BPF_TRACE_UPROBE_SESSION:
		return !strcmp(word, "usdt") ? &ebpf_kind_usdt : &ebpf_kind_uprobe_multi;
	}
	for (size_t i = 0; i < EBPF_COUNT(words); i++)
		if (!strcmp(words[i].word, word))
			return words[i].kind;
	return NULL;
}

static const struct ebpf_link_kind *kind_of_tracing(uint32_t attach_type)
{
	switch (attach_type) {
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT:
	case BPF_MODIFY_RETURN:
	case BPF_TRACE_FSESSION:
	case BPF_TRACE_RAW_TP:
		return &ebpf_kind_tracing;
	case BPF_TRACE_FENTRY_MULTI:
	case BPF_TRACE_FEXIT_MULTI:
	case BPF_TRACE_FSESSION_MULTI:
		return &ebpf_kind_tracing_multi;
	case BPF_TRACE_ITER:
		return &ebpf_kind_iter;
	default:
		return NULL;
	}
}

static const struct ebpf_link_kind *kind_of(const struct ebpf_program *program, const char *word)
{
	switch (program->type) {
	case BPF_PROG_TYPE_TRACEPOINT:
		return &ebpf_kind_tracepoint;
	case BPF_PROG_TYPE_RAW_TRACEPOINT: case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return &ebpf_kind_raw_tracepoint;
	case BPF_PROG_TYPE_KPROBE:
		return kind_of_probe(program->attach_type, word);
	case BPF_PROG_TYPE_TRACING:
		return kind_of_tracing(program->attach_type);
	case BPF_PROG_TYPE_LSM:
		return program->attach_type == BPF_LSM_CGROUP ? &ebpf_kind_cgroup : &ebpf_kind_tracing;
	case BPF_PROG_TYPE_EXT:
		return &ebpf_kind_tracing;
	case BPF_PROG_TYPE_PERF_EVENT:
		return &ebpf_kind_perf_event;
	case BPF_PROG_TYPE_XDP:
		return &ebpf_kind_xdp;
	case BPF_PROG_TYPE_SCHED_CLS:
		return program->attach_type == BPF_NETKIT_PRIMARY || program->attach_type == BPF_NETKIT_PEER ? &ebpf_kind_netkit
													   : &ebpf_kind_tc;
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_CGROUP_DEVICE:
	case BPF_PROG_TYPE_CGROUP_SYSCTL: case BPF_PROG_TYPE_CGROUP_SOCKOPT: case BPF_PROG_TYPE_SOCK_OPS:
		return &ebpf_kind_cgroup;
	case BPF_PROG_TYPE_SK_LOOKUP: case BPF_PROG_TYPE_FLOW_DISSECTOR:
		return &ebpf_kind_netns;
	case BPF_PROG_TYPE_NETFILTER:
		return &ebpf_kind_netfilter;
	case BPF_PROG_TYPE_SK_MSG: case BPF_PROG_TYPE_SK_SKB:
		return &ebpf_kind_sockmap;
	case BPF_PROG_TYPE_SOCKET_FILTER:
		return &ebpf_kind_socket_filter;
	case BPF_PROG_TYPE_SK_REUSEPORT:
		return &ebpf_kind_reuseport;
	case BPF_PROG_TYPE_LIRC_MODE2:
		return &ebpf_kind_lirc;
	case BPF_PROG_TYPE_LWT_IN: case BPF_PROG_TYPE_LWT_OUT: case BPF_PROG_TYPE_LWT_XMIT: case BPF_PROG_TYPE_LWT_SEG6LOCAL:
		return &ebpf_kind_lwt;
	default:
		return NULL;
	}
}

/* Why nothing attaches it by its section. */
static void explain_none(const struct ebpf_program *program, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type);

	type = type ? type : "unknown";
	if (!program->section && program->type == BPF_PROG_TYPE_KPROBE)
		ebpf_fail(err, ENOTSUP,
			  "it has no section to say whether it is a kprobe or a uprobe: attach it by kind");
	else if (!program->section)
		ebpf_fail(err, ENOTSUP, "programs of type %s are not attached by themselves", type);
	else
		ebpf_fail(err, ENOTSUP, "section '%s' (type %s) attaches nothing by itself", program->section, type);
	switch (program->type) {
	case BPF_PROG_TYPE_STRUCT_OPS:
		ebpf_hint(err, "it is attached through its struct_ops map");
		break;
	case BPF_PROG_TYPE_SYSCALL:
		ebpf_hint(err, "such a program is run, not attached");
		break;
	}
}

int ebpf_link_attach_auto(struct ebpf_program *program, const struct ebpf_link_options *given, struct ebpf_link **out,
			  struct ebpf_error *err)
{
	const struct ebpf_link_kind *kind;
	const char *extra = program->attach_to && program->attach_to[0] ? program->attach_to : NULL;
	struct ebpf_link_options options;
	char word[32], storage[SECTION_MAX];
	int result = copy_options(given, &options, err);

	if (result)
		return ebpf_wrap(err, result, "program '%s': attach", name_of(program));
	section_word(program, word, sizeof word);
	kind = kind_of(program, word);
	if (!kind) {
		explain_none(program, err);
		ebpf_wrap(err, ENOTSUP, "program '%s': not attached", name_of(program));
		return 0;
	}
	drop_other_options(kind, &options);
	result = kind->parse(program, extra, &options, storage, sizeof storage, err);
	if (result < 0)
		return ebpf_wrap(err, result, "program '%s': attach", name_of(program));
	if (result == 0) {
		ebpf_wrap(err, EINVAL, "program '%s': not attached", name_of(program));
		return 0;
	}
	result = attach(kind, answers_to(kind, word) ? word : kind->name, program, &options, out, err);
	return result ? result : 1;
}

int ebpf_programs_attach(struct ebpf_program *const *programs, size_t count, const struct ebpf_link_options *options,
			 struct ebpf_link **links, struct ebpf_error *errors)
{
	int attached = 0;

	uint32_t served = 0; /* the group of which one is attached; those of a group stand together */

	for (size_t i = 0; i < count; i++) {
		uint32_t group = ebpf_program_group(programs[i]);

		links[i] = NULL;
		if (!ebpf_program_autoattach(programs[i]) || (group && group == served))
			continue;
		if (ebpf_link_attach_auto(programs[i], options, &links[i], errors ? &errors[i] : NULL) == 1) {
			attached++;
			served = group;
		}
	}
	return attached;
}
