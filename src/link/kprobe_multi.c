/* kprobe_multi.c -- one program on many kernel functions, chosen by a pattern or named: at their entry, at their return, or
 * (session) at both.
 *
 * Chain: BPF_LINK_CREATE by fprobe (5.18; session 6.10) -> a kprobe for each function (4.1; not for sessions). Loading by
 * section leaves the attach type out where there are no such links, since only then the program fits a kprobe.
 */
#include <stdio.h>
#include <stdlib.h>

#include "link/multi.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("pattern", multi.pattern, 1),
	EBPF_LINK_OPTION("symbols", multi.symbols, 0),
	EBPF_LINK_OPTION("addresses", multi.addresses, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("cookies", multi.cookies, 0),
	EBPF_LINK_OPTION("ret", ret, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "kretprobe_multi", "kprobe_session", "kprobe.multi", "kretprobe.multi", "kprobe.session",
				       NULL };

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)storage, (void)size;
	if (extra)
		out->multi.pattern = extra;
	if (out->multi.pattern || out->multi.symbols.count || out->multi.addresses.count)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no functions");
	ebpf_hint(err, "write SEC(\"%s/pattern*\"), or give the option pattern",
		  program->section ? program->section : "kprobe.multi");
	return 0;
}

struct choice {
	struct ebpf_program *program;
	enum ebpf_attach_mode mode;
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
	attr.link_create.kprobe_multi.flags = choice->ret ? BPF_F_KPROBE_MULTI_RETURN : 0;
	attr.link_create.kprobe_multi.cnt = (uint32_t)count;
	if (multi->places)
		attr.link_create.kprobe_multi.addrs = ebpf_ptr(multi->places + from);
	else
		attr.link_create.kprobe_multi.syms = ebpf_ptr(multi->names + from);
	attr.link_create.kprobe_multi.cookies = multi->cookies ? ebpf_ptr(multi->cookies + from) : 0;
	result = ebpf_link_create(link, &attr);
	link->attach_type = choice->program->attach_type;
	return result ? ebpf_link_fail(link, result, err) : 0;
}

/* -- by a kprobe each -- */

static int attach_by_kprobe(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count,
			    struct ebpf_error *err)
{
	const struct choice *choice = multi->context;
	const char *name = multi->names ? multi->names[from] : NULL;
	struct ebpf_probe probe = { .name = name, .ret = choice->ret, .pid = -1 };
	uint64_t cookie = multi->cookies ? multi->cookies[from] : multi->cookie;
	int result;

	(void)count;
	if (!name)
		probe.offset = multi->places[from];
	result = name ? ebpf_link_set_target(link, err, "%s %s", choice->ret ? "kretprobe" : "kprobe", name) : 0;
	if (!result)
		result = ebpf_probe_open(link, &probe, choice->mode, err);
	return result ? result : ebpf_perf_attach(link, choice->program, cookie, choice->mode, err);
}

/* -- the kind -- */

static int explain(struct ebpf_link *link, const struct ebpf_multi *multi, int code, struct ebpf_error *err)
{
	switch (code) {
	case -ESRCH: case -ENOENT:
		if (multi->count == 1 && multi->names)
			ebpf_fail(err, ENOENT, "%s: there is no such function in this kernel that may be traced", link->target);
		else
			ebpf_fail(err, ENOENT, "%s: not all of the %zu functions are in this kernel and may be traced",
				  link->target, multi->count);
		ebpf_hint(err, "available_filter_functions in tracefs lists them");
		return -ENOENT;
	case -EINVAL:
		ebpf_hint(err, "a function that may not be traced, or one that is named twice, spoils all");
		break;
	case -E2BIG:
		ebpf_hint(err, "one link takes 1048576 functions");
		break;
	case -EMFILE:
		ebpf_hint(err, "each function needs a descriptor or two here: ulimit -n");
		break;
	}
	return code;
}

static int check(const struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given, bool ret,
		 struct ebpf_error *err)
{
	bool session = program->attach_type == BPF_TRACE_KPROBE_SESSION;

	if (program->type != BPF_PROG_TYPE_KPROBE ||
	    (program->attach_type && program->attach_type != BPF_TRACE_KPROBE_MULTI && !session))
		return ebpf_fail(err, EINVAL, "kprobe_multi: the program is not one for kernel functions");
	if (strstr(alias, "session") && !session) {
		ebpf_fail(err, EINVAL, "kprobe_session: the program was not loaded for it");
		ebpf_hint(err, "its attach type must be trace_kprobe_session, as of SEC(\"kprobe.session\")");
		return -EINVAL;
	}
	if (session && ret)
		return ebpf_fail(err, EINVAL, "kprobe_session: it runs at entry and return alike");
	if ((given->multi.pattern != NULL) + (given->multi.symbols.count != 0) + (given->multi.addresses.count != 0) != 1)
		return ebpf_fail(err, EINVAL, "kprobe_multi: a pattern, or symbols, or addresses are needed, one of the three");
	if (given->multi.pattern && given->multi.cookies.count)
		return ebpf_fail(err, EINVAL, "kprobe_multi: cookies go with symbols or addresses; for a pattern there is one "
				 "cookie");
	return 0;
}

static int attach_chain(struct ebpf_link *link, struct ebpf_multi *multi, struct choice *choice, struct ebpf_error *err)
{
	bool session = choice->program->attach_type == BPF_TRACE_KPROBE_SESSION;
	enum ebpf_feature feature = session ? EBPF_FEATURE_KPROBE_SESSION : EBPF_FEATURE_KPROBE_MULTI;
	bool linkable = choice->program->attach_type != 0 && choice->mode != EBPF_ATTACH_PERF && choice->mode != EBPF_ATTACH_LEGACY;
	bool may_skip = multi->may_skip;
	int result;

	if (linkable && !ebpf_kernel_masked(link->kernel, feature)) {
		multi->attach = attach_by_link;
		/* where such links are unknown, nothing is to be found out by halves */
		multi->may_skip = may_skip && ebpf_kernel_supports(link->kernel, feature);
		result = ebpf_multi_attach(link, multi, err);
		if (!result)
			return 0;
		if (ebpf_kernel_supports(link->kernel, feature))
			return explain(link, multi, result, err);
	}
	if (session)
		return ebpf_fail(err, ENOTSUP, "%s: sessions need Linux %s, with CONFIG_FPROBE", link->target,
				 ebpf_feature_since(feature));
	if (choice->mode == EBPF_ATTACH_LINK && !choice->program->attach_type && ebpf_kernel_supports(link->kernel, feature))
		return ebpf_fail(err, EINVAL, "%s: attach_mode 'link': the program was not loaded with attach type "
				 "trace_kprobe_multi", link->target);
	if (choice->mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'link': such links need Linux %s, with CONFIG_FPROBE", link->target,
				 ebpf_feature_since(feature));
	/* Its helpers would look for a context that a kprobe does not make. */
	if (choice->program->attach_type) {
		ebpf_fail(err, EINVAL, "%s: the program was loaded for links on many functions, and fits no kprobe", link->target);
		ebpf_hint(err, "load it with attach type 0");
		return -EINVAL;
	}
	if (!ebpf_kernel_supports(link->kernel, EBPF_FEATURE_KPROBE))
		return ebpf_fail(err, ENOTSUP, "%s: kprobes are not in this kernel (CONFIG_KPROBE_EVENTS)", link->target);
	multi->attach = attach_by_kprobe;
	multi->may_skip = may_skip;
	return explain(link, multi, ebpf_multi_attach_each(link, multi, err), err);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct choice choice = { .program = program, .ret = given->ret || ebpf_multi_is_return(alias) };
	struct ebpf_multi multi = { .cookie = given->cookie, .cookies = given->multi.cookies.items, .context = &choice };
	const char *word = program->attach_type == BPF_TRACE_KPROBE_SESSION ? "kprobe_session" : choice.ret ? "kretprobe_multi" :
											       "kprobe_multi";
	struct ebpf_functions functions = { 0 };
	int result = check(program, alias, given, choice.ret, err);

	if (!result)
		result = ebpf_attach_mode(given->attach_mode, &choice.mode, err);
	if (result)
		return result;
	if (given->multi.symbols.count) {
		multi.names = given->multi.symbols.items;
		multi.count = given->multi.symbols.count;
		result = ebpf_link_set_target(link, err, "%s %s (%zu functions)", word, multi.names[0], multi.count);
	} else if (given->multi.addresses.count) {
		multi.places = given->multi.addresses.items;
		multi.count = given->multi.addresses.count;
		result = ebpf_link_set_target(link, err, "%s (%zu addresses)", word, multi.count);
	} else {
		result = ebpf_link_set_target(link, err, "%s %s", word, given->multi.pattern);
		if (!result && !strpbrk(given->multi.pattern, "*?[:")) {
			multi.names = &given->multi.pattern;
			multi.count = 1;
		} else if (!result) {
			/* The kernel finds the cookie by the address of the symbol, which where it is traced need not be (IBT). */
			result = ebpf_kernel_functions(link->kernel, given->multi.pattern, !given->cookie, &functions, err);
			if (result)
				ebpf_wrap(err, result, "%s", word);
			multi.names = (const char *const *)functions.names;
			multi.places = functions.addressed ? functions.addresses : NULL;
			multi.count = functions.count;
			multi.may_skip = true;
		}
	}
	if (!result)
		result = ebpf_multi_check(given, multi.count, word, err);
	if (!result)
		result = attach_chain(link, &multi, &choice, err);
	ebpf_functions_free(&functions);
	return result;
}

const struct ebpf_link_kind ebpf_kind_kprobe_multi = {
	.name = "kprobe_multi", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
