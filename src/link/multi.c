#include <stdio.h>
#include <stdlib.h>

#include "link/multi.h"

#define REFUSED_MAX 256 /* so many one after the other: it is not the single place */

/* -- what is asked for -- */

int ebpf_multi_parse(const struct ebpf_program *program, const char *extra, const char *word, struct ebpf_link_options *out, struct ebpf_error *err)
{
	if (extra)
		out->multi.pattern = extra;
	if (out->multi.pattern || out->multi.symbols.count || out->multi.addresses.count)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no functions");
	ebpf_hint(err, "write SEC(\"%s/pattern*\"), or give the option pattern", program->section ? program->section : word);
	return 0;
}

static bool is_session(const struct ebpf_multi *multi)
{
	return multi->form->session && multi->program->attach_type == multi->form->session;
}

int ebpf_multi_take_program(struct ebpf_multi *multi, struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
			    struct ebpf_error *err)
{
	const struct ebpf_multi_form *form = multi->form;

	multi->program = program;
	/* a section or a call used it: "kretprobe.multi" */
	multi->ret = given->ret || ebpf_starts_with(alias, "kret") || ebpf_starts_with(alias, "uret");
	if (program->type != BPF_PROG_TYPE_KPROBE ||
	    (program->attach_type && program->attach_type != form->many && !is_session(multi)))
		return ebpf_fail(err, EINVAL, "%s_multi: the program is not one for %s", form->probe, form->subject);
	if (strstr(alias, "session") && !is_session(multi)) {
		ebpf_fail(err, EINVAL, "%s_session: the program was not loaded for it", form->probe);
		ebpf_hint(err, "its attach type must be trace_%s_session, as of SEC(\"%s.session\")", form->probe, form->probe);
		return -EINVAL;
	}
	if (is_session(multi) && multi->ret)
		return ebpf_fail(err, EINVAL, "%s_session: it runs at entry and return alike", form->probe);
	if (is_session(multi))
		snprintf(multi->word, sizeof multi->word, "%s_session", form->probe);
	else /* "kprobe", "kretprobe" */
		snprintf(multi->word, sizeof multi->word, "%c%s%s_multi", form->probe[0], multi->ret ? "ret" : "", form->probe + 1);
	return 0;
}

static int check_lists(const struct ebpf_multi *multi, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	const struct ebpf_numbers *cookies = &given->multi.cookies, *counters = &given->multi.ref_counter_offsets;

	if (multi->may_skip && (cookies->count || counters->count))
		return ebpf_fail(err, EINVAL, "%s: cookies go with symbols, addresses or offsets, and so do reference counters; for a pattern there is one cookie",
				 multi->word);
	if (cookies->count && given->cookie)
		return ebpf_fail(err, EINVAL, "%s: either cookie, for all, or cookies, not both", multi->word);
	if (cookies->count && cookies->count != multi->count)
		return ebpf_fail(err, EINVAL, "%s: %zu cookies for %zu places", multi->word, cookies->count, multi->count);
	if (counters->count && counters->count != multi->count)
		return ebpf_fail(err, EINVAL, "%s: %zu reference counters for %zu places", multi->word, counters->count, multi->count);
	return 0;
}

int ebpf_multi_take_lists(struct ebpf_multi *multi, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	const char *const *pattern = &given->multi.pattern;
	const struct ebpf_strings *symbols = &given->multi.symbols;
	const struct ebpf_numbers *places = given->multi.addresses.count ? &given->multi.addresses : &given->multi.offsets;
	int result = ebpf_attach_mode(given->attach_mode, &multi->mode, err);

	if (result)
		return result;
	if ((*pattern != NULL) + (symbols->count != 0) + (places->count != 0) != 1)
		return ebpf_fail(err, EINVAL, "%s: %s", multi->word, multi->form->choices);
	multi->cookie = given->cookie;
	multi->cookies = given->multi.cookies.items;
	multi->ref_counters = given->multi.ref_counter_offsets.items;
	multi->may_skip = *pattern && strpbrk(*pattern, multi->form->wildcards);
	if (places->count) {
		multi->places = places->items;
		multi->count = places->count;
	} else if (!multi->may_skip) {
		multi->names = *pattern ? pattern : symbols->items;
		multi->count = *pattern ? 1 : symbols->count;
	}
	return check_lists(multi, given, err);
}

int ebpf_multi_set_target(struct ebpf_link *link, const struct ebpf_multi *multi, const struct ebpf_link_options *given, const char *file,
			  struct ebpf_error *err)
{
	const char *colon = file ? ":" : "", *word = multi->word;

	if (given->multi.addresses.count)
		return ebpf_link_set_target(link, err, "%s (%zu addresses)", word, multi->count);
	if (given->multi.offsets.count)
		return ebpf_link_set_target(link, err, "%s %s (%zu offsets)", word, file, multi->count);
	file = file ? file : "";
	if (given->multi.pattern)
		return ebpf_link_set_target(link, err, "%s %s%s%s", word, file, colon, given->multi.pattern);
	return ebpf_link_set_target(link, err, "%s %s%s%s (%zu functions)", word, file, colon, multi->names[0], multi->count);
}

/* -- attaching -- */

int ebpf_multi_create(struct ebpf_link *link, const struct ebpf_multi *multi, union bpf_attr *attr, struct ebpf_error *err)
{
	int result;

	attr->link_create.prog_fd = (uint32_t)multi->program->fd;
	attr->link_create.attach_type = multi->program->attach_type;
	result = ebpf_link_create(link, attr);
	link->attach_type = multi->program->attach_type;
	return result ? ebpf_link_fail(link, result, err) : 0;
}

/* What the kernel says of a single function or instruction that it does not let us probe. */
static bool is_about_place(int code)
{
	switch (code) {
	case -ENOENT: case -ESRCH: case -EINVAL: case -EADDRNOTAVAIL: case -EILSEQ: case -ERANGE: case -EOPNOTSUPP: case -524:
		return true;
	default:
		return false;
	}
}

/* Some of the places, by a link or a probe, as a part of `link`. */
static int attach_part(struct ebpf_link *link, const struct ebpf_multi *multi, ebpf_multi_attach_function *attach, size_t from, size_t count,
		       struct ebpf_error *err)
{
	struct ebpf_link *part = ebpf_link_add_part(link, err);
	int result = part ? attach(part, multi, from, count, err) : -ENOMEM;

	if (result && part)
		ebpf_link_drop_part(link);
	return result;
}

/* What cannot be attached as a whole is tried by halves; `refused` counts single places one after the other. */
static int attach_halves(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, size_t *refused,
			 struct ebpf_error *err)
{
	int result = attach_part(link, multi, multi->form->by_link, from, count, err);

	if (!result)
		*refused = 0;
	if (!result || !is_about_place(result))
		return result;
	if (count == 1)
		return ++*refused < REFUSED_MAX ? 0 : result;
	result = attach_halves(link, multi, from, count / 2, refused, err);
	return result ? result : attach_halves(link, multi, from + count / 2, count - count / 2, refused, err);
}

/* Attached, or not at all: with the error of the last place that was tried. */
static int finish(struct ebpf_link *link, int result, struct ebpf_error *err)
{
	if (!result && !link->part_count)
		result = err && err->code ? -err->code : -EINVAL;
	if (result)
		return result;
	link->interface = link->parts[0]->interface;
	link->attach_type = link->parts[0]->attach_type;
	ebpf_error_clear(err);
	return 0;
}

static int attach_all(struct ebpf_link *link, const struct ebpf_multi *multi, bool may_skip, struct ebpf_error *err)
{
	int result = multi->form->by_link(link, multi, 0, multi->count, err);
	size_t refused = 0;

	if (!result || !may_skip || multi->count == 1 || !is_about_place(result))
		return result;
	result = attach_halves(link, multi, 0, multi->count / 2, &refused, err);
	if (!result)
		result = attach_halves(link, multi, multi->count / 2, multi->count - multi->count / 2, &refused, err);
	return finish(link, result, err);
}

/* A link takes a cookie for each place. */
static int attach_by_link(struct ebpf_link *link, const struct ebpf_multi *multi, bool may_skip, struct ebpf_error *err)
{
	struct ebpf_multi listed = *multi;
	uint64_t *cookies = NULL;
	int result;

	if (multi->cookie && !multi->cookies) {
		listed.cookies = cookies = malloc(multi->count * sizeof *cookies);
		if (!cookies)
			return ebpf_fail_memory(err);
		for (size_t i = 0; i < multi->count; i++)
			cookies[i] = multi->cookie;
	}
	result = attach_all(link, &listed, may_skip, err);
	free(cookies);
	return result;
}

static int attach_each(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; i < multi->count; i++) {
		result = attach_part(link, multi, multi->form->by_probe, i, 1, err);
		if (result && !(multi->may_skip && is_about_place(result)))
			return result;
	}
	return finish(link, 0, err);
}

static int explain(struct ebpf_link *link, const struct ebpf_multi *multi, int code, struct ebpf_error *err)
{
	if (code == -E2BIG)
		ebpf_hint(err, "one link takes 1048576 places");
	if (code == -EMFILE)
		ebpf_hint(err, "each place needs a descriptor or two here: ulimit -n");
	code = code ? multi->form->explain(link, multi, code, err) : 0;
	return code == -524 ? -ENOTSUP : code;
}

/* Why there is no way but a link, which there is not; 0 = there is. */
static int explain_no_link(struct ebpf_link *link, const struct ebpf_multi *multi, enum ebpf_feature feature, struct ebpf_error *err)
{
	const struct ebpf_multi_form *form = multi->form;
	const struct ebpf_program *program = multi->program;

	if (multi->mode == EBPF_ATTACH_LINK && !program->attach_type && ebpf_kernel_supports(link->kernel, feature))
		return ebpf_fail(err, EINVAL, "%s: attach_mode 'link': the program was not loaded with attach type trace_%s_multi", link->target,
				 form->probe);
	if (is_session(multi) || multi->mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: %s need Linux %s%s", link->target,
				 is_session(multi) ? "sessions" : "attach_mode 'link': such links", ebpf_feature_since(feature), form->needs);
	/* Its helpers would look for a context that a probe does not make. */
	if (program->attach_type) {
		ebpf_fail(err, EINVAL, "%s: the program was loaded for links on many places, and fits no %s", link->target, form->probe);
		ebpf_hint(err, "load it with attach type 0");
		return -EINVAL;
	}
	if (form->probe_feature < EBPF_FEATURE_COUNT && !ebpf_kernel_supports(link->kernel, form->probe_feature))
		return ebpf_fail(err, ENOTSUP, "%s: %ss are not in this kernel (CONFIG_KPROBE_EVENTS)", link->target, form->probe);
	return 0;
}

int ebpf_multi_attach(struct ebpf_link *link, struct ebpf_multi *multi, struct ebpf_error *err)
{
	const struct ebpf_multi_form *form = multi->form;
	enum ebpf_feature feature = is_session(multi) ? form->session_feature : form->many_feature;
	bool supported;
	int result;

	if (!form->by_probe)
		return explain(link, multi, attach_by_link(link, multi, multi->may_skip, err), err);
	if (multi->program->attach_type && multi->mode != EBPF_ATTACH_PERF && multi->mode != EBPF_ATTACH_LEGACY &&
	    !ebpf_kernel_masked(link->kernel, feature)) {
		/* where such links are unknown, nothing is to be found out by halves */
		supported = ebpf_kernel_supports(link->kernel, feature);
		result = attach_by_link(link, multi, multi->may_skip && supported, err);
		if (!result || supported)
			return explain(link, multi, result, err);
	}
	result = explain_no_link(link, multi, feature, err);
	return result ? result : explain(link, multi, attach_each(link, multi, err), err);
}
