/* tracing_multi.c -- one program of type tracing on many kernel functions, chosen by a pattern or named: at their entry (fentry.multi), at
 * their return (fexit.multi), or at both (fsession.multi).
 *
 * BPF_LINK_CREATE with the functions' BTF ids (7.2). There is nothing to fall back on: such a program is verified for no function, and
 * is loaded for links of this kind alone. The kernel refuses the whole list for one function that it cannot trace, so those whose
 * prototype tells are left out beforehand, and the rest is tried by halves.
 */
#include <stdio.h>
#include <stdlib.h>

#include "link/multi.h"

#define ARGUMENTS_MAX 12     /* MAX_BPF_FUNC_ARGS */
#define ARGUMENT_SIZE_MAX 16 /* of a struct: two registers */

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("pattern", multi.pattern, 1),
	EBPF_LINK_OPTION("symbols", multi.symbols, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("cookies", multi.cookies, 0),
	{ 0 },
};
static const char *const aliases[] = { "fentry_multi", "fexit_multi", "fsession_multi", "fentry.multi", "fexit.multi", "fsession.multi",
				       NULL };

static const char *word_of(const struct ebpf_program *program)
{
	switch (program->type == BPF_PROG_TYPE_TRACING ? program->attach_type : 0) {
	case BPF_TRACE_FENTRY_MULTI: return "fentry_multi";
	case BPF_TRACE_FEXIT_MULTI: return "fexit_multi";
	case BPF_TRACE_FSESSION_MULTI: return "fsession_multi";
	default: return NULL;
	}
}

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage, size_t size,
		 struct ebpf_error *err)
{
	(void)storage, (void)size;
	return ebpf_multi_parse(program, extra, "fentry.multi", out, err);
}

/* -- functions by the ids of their types -- */

struct choice {
	struct ebpf_btf *btf;     /* vmlinux's, or the module's */
	char module[64];          /* "name:" before each function, or "" */
	struct ebpf_functions functions;
	const char **names;
	uint32_t *ids;
};

/* A prototype that a trampoline can call through. */
static bool can_be_traced(const struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_type function, prototype, type;

	if (!ebpf_btf_type(btf, id, &function) || function.kind != BTF_KIND_FUNC || !ebpf_btf_type(btf, function.type, &prototype) ||
	    prototype.kind != BTF_KIND_FUNC_PROTO || prototype.vlen > ARGUMENTS_MAX)
		return false;
	if (ebpf_btf_type(btf, ebpf_btf_resolve(btf, prototype.type), &type) && (type.kind == BTF_KIND_STRUCT || type.kind == BTF_KIND_UNION))
		return false;
	for (uint32_t i = 0; i < prototype.vlen; i++) {
		int64_t size = ebpf_btf_sizeof(btf, ebpf_type_param(&prototype, i).type); /* type 0: "...", which has none */

		if (size <= 0 || size > ARGUMENT_SIZE_MAX)
			return false;
	}
	return true;
}

static int64_t find_function(const struct choice *choice, const char *name)
{
	const char *colon = strchr(name, ':');

	return ebpf_btf_find_kind(choice->btf, colon ? colon + 1 : name, BTF_KIND_FUNC);
}

/* "module:" before the first name says where all of them are. */
static int choose_types(struct ebpf_link *link, struct choice *choice, const char *first, struct ebpf_error *err)
{
	const char *colon = strchr(first, ':');

	if (!colon) {
		choice->btf = ebpf_kernel_btf(link->kernel, err);
		return choice->btf ? 0 : -ENOTSUP;
	}
	if ((size_t)(colon - first) >= sizeof choice->module)
		return ebpf_fail(err, EINVAL, "%s: the name of the module is too long", link->target);
	snprintf(choice->module, sizeof choice->module, "%.*s", (int)(colon - first), first);
	choice->btf = ebpf_kernel_btf_of_module(link->kernel, choice->module, err);
	return choice->btf ? 0 : err && err->code ? -err->code : -ENOENT;
}

static int find_by_pattern(struct ebpf_link *link, const char *pattern, struct choice *choice, struct ebpf_multi *multi,
			   struct ebpf_error *err)
{
	int result = ebpf_kernel_functions(link->kernel, pattern, false, &choice->functions, err);
	size_t count = choice->functions.count;

	if (result)
		return result;
	choice->names = calloc(count, sizeof *choice->names);
	choice->ids = calloc(count, sizeof *choice->ids);
	if (!choice->names || !choice->ids)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		int64_t id = find_function(choice, choice->functions.names[i]);

		if (id <= 0 || !can_be_traced(choice->btf, (uint32_t)id))
			continue;
		choice->names[multi->count] = choice->functions.names[i];
		choice->ids[multi->count++] = (uint32_t)id;
	}
	multi->names = choice->names;
	if (!multi->count)
		return ebpf_fail(err, ENOENT, "none of the functions that match '%s' has a prototype that can be traced so", pattern);
	return 0;
}

static int find_by_name(struct choice *choice, const struct ebpf_multi *multi, struct ebpf_error *err)
{
	choice->ids = calloc(multi->count, sizeof *choice->ids);
	if (!choice->ids)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < multi->count; i++) {
		int64_t id = find_function(choice, multi->names[i]);

		if (id <= 0)
			return ebpf_fail(err, ENOENT, "there is no function '%s' with types in %s", multi->names[i],
					 *choice->module ? choice->module : "this kernel");
		if (!can_be_traced(choice->btf, (uint32_t)id))
			return ebpf_fail(err, EINVAL, "function '%s': it has more than %d arguments, or a struct that is too large for registers",
					 multi->names[i], ARGUMENTS_MAX);
		choice->ids[i] = (uint32_t)id;
	}
	return 0;
}

static int by_ids(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	const struct choice *choice = multi->context;
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.tracing_multi.ids = ebpf_ptr(choice->ids + from);
	attr.link_create.tracing_multi.cookies = multi->cookies ? ebpf_ptr(multi->cookies + from) : 0;
	attr.link_create.tracing_multi.cnt = (uint32_t)count;
	return ebpf_multi_create(link, multi, &attr, err);
}

static int explain(struct ebpf_link *link, const struct ebpf_multi *multi, int code, struct ebpf_error *err)
{
	(void)link;
	switch (code) {
	case -EINVAL: case -ENOENT:
		ebpf_hint(err, multi->count > 1 ? "a function that may not be traced, or one that is named twice, spoils all"
						: "the function may not be traced");
		break;
	case -EOPNOTSUPP: case -524:
		ebpf_hint(err, "such links need ftrace with direct calls, which this kernel has not on this architecture");
		break;
	}
	return code;
}

static const struct ebpf_multi_form form = {
	.choices = "a pattern or symbols are needed, one of the two", .wildcards = "*?[", .by_link = by_ids, .explain = explain,
};

/* -- the kind -- */

static int check(const char *word, const char *alias, struct ebpf_error *err)
{
	if (!word)
		return ebpf_fail(err, EINVAL, "tracing_multi: the program was not loaded for many functions (attach type trace_fentry_multi, "
				 "trace_fexit_multi or trace_fsession_multi)");
	/* "fentry_multi" and "fentry.multi" alike */
	if (strcmp(alias, "tracing_multi") != 0 && strncmp(alias, word, strcspn(word, "_")) != 0)
		return ebpf_fail(err, EINVAL, "%s: the program was loaded for %s", alias, word);
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given, struct ebpf_link *link,
		  struct ebpf_error *err)
{
	struct choice choice = { 0 };
	struct ebpf_multi multi = { .form = &form, .program = program, .context = &choice };
	const char *word = word_of(program);
	int result = check(word, alias, err);

	if (result)
		return result;
	snprintf(multi.word, sizeof multi.word, "%s", word);
	result = ebpf_multi_take_lists(&multi, given, err);
	if (!result)
		result = ebpf_multi_set_target(link, &multi, given, NULL, err);
	if (result)
		return result;
	result = choose_types(link, &choice, multi.names ? multi.names[0] : given->multi.pattern, err);
	if (!result)
		result = multi.names ? find_by_name(&choice, &multi, err) : find_by_pattern(link, given->multi.pattern, &choice, &multi, err);
	if (result)
		ebpf_wrap(err, result, "%s", word);
	else
		result = ebpf_multi_attach(link, &multi, err);
	ebpf_functions_free(&choice.functions);
	free(choice.names);
	free(choice.ids);
	return result;
}

const struct ebpf_link_kind ebpf_kind_tracing_multi = {
	.name = "tracing_multi", .since = "7.2", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
