/* kprobe_multi.c -- one program on many kernel functions, chosen by a pattern or named: at their entry, at their return, or
 * (session) at both.
 *
 * Chain: BPF_LINK_CREATE by fprobe (5.18; session 6.10) -> a kprobe for each function (4.1; not for sessions). Loading by
 * section leaves the attach type out where there are no such links, since only then the program fits a kprobe.
 */
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
	return ebpf_multi_parse(program, extra, "kprobe.multi", out, err);
}

static int by_link(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.kprobe_multi.flags = multi->ret ? BPF_F_KPROBE_MULTI_RETURN : 0;
	attr.link_create.kprobe_multi.cnt = (uint32_t)count;
	if (multi->places)
		attr.link_create.kprobe_multi.addrs = ebpf_ptr(multi->places + from);
	else
		attr.link_create.kprobe_multi.syms = ebpf_ptr(multi->names + from);
	attr.link_create.kprobe_multi.cookies = multi->cookies ? ebpf_ptr(multi->cookies + from) : 0;
	return ebpf_multi_create(link, multi, &attr, err);
}

static int by_kprobe(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	const char *name = multi->names ? multi->names[from] : NULL;
	struct ebpf_probe probe = { .name = name, .ret = multi->ret, .pid = -1 };
	uint64_t cookie = multi->cookies ? multi->cookies[from] : multi->cookie;
	int result;

	(void)count;
	if (!name)
		probe.offset = multi->places[from];
	result = name ? ebpf_link_set_target(link, err, "%s %s", multi->ret ? "kretprobe" : "kprobe", name) : 0;
	if (!result)
		result = ebpf_probe_open(link, &probe, multi->mode, err);
	return result ? result : ebpf_perf_attach(link, multi->program, cookie, multi->mode, err);
}

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
	}
	return code;
}

static const struct ebpf_multi_form form = {
	.choices = "a pattern, or symbols, or addresses are needed, one of the three",
	.wildcards = "*?[:",
	.by_link = by_link,
	.explain = explain,
	.by_probe = by_kprobe,
	.probe = "kprobe",
	.subject = "kernel functions",
	.needs = ", with CONFIG_FPROBE",
	.many = BPF_TRACE_KPROBE_MULTI,
	.session = BPF_TRACE_KPROBE_SESSION,
	.many_feature = EBPF_FEATURE_KPROBE_MULTI,
	.session_feature = EBPF_FEATURE_KPROBE_SESSION,
	.probe_feature = EBPF_FEATURE_KPROBE,
};

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct ebpf_multi multi = { .form = &form };
	struct ebpf_functions functions = { 0 };
	int result = ebpf_multi_take_program(&multi, program, alias, given, err);

	if (!result)
		result = ebpf_multi_take_lists(&multi, given, err);
	if (!result)
		result = ebpf_multi_set_target(link, &multi, given, NULL, err);
	if (result)
		return result;
	if (multi.may_skip) {
		/* The kernel finds the cookie by the address of the symbol, which where it is traced need not be (IBT). */
		result = ebpf_kernel_functions(link->kernel, given->multi.pattern, !given->cookie, &functions, err);
		if (result)
			ebpf_wrap(err, result, "%s", multi.word);
		multi.names = (const char *const *)functions.names;
		multi.places = functions.addressed ? functions.addresses : NULL;
		multi.count = functions.count;
	}
	if (!result)
		result = ebpf_multi_attach(link, &multi, err);
	ebpf_functions_free(&functions);
	return result;
}

const struct ebpf_link_kind ebpf_kind_kprobe_multi = {
	.name = "kprobe_multi", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
