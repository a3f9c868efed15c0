#include <stdlib.h>

#include "link/multi.h"

#define REFUSED_MAX 256 /* so many one after the other: it is not the single place */

int ebpf_multi_check(const struct ebpf_link_options *given, size_t count, const char *word, struct ebpf_error *err)
{
	if (given->multi.cookies.count && given->multi.cookies.count != count)
		return ebpf_fail(err, EINVAL, "%s: %zu cookies for %zu places", word, given->multi.cookies.count, count);
	if (given->multi.cookies.count && given->cookie)
		return ebpf_fail(err, EINVAL, "%s: either cookie, for all, or cookies, not both", word);
	if (given->multi.ref_counter_offsets.count && given->multi.ref_counter_offsets.count != count)
		return ebpf_fail(err, EINVAL, "%s: %zu reference counters for %zu places", word, given->multi.ref_counter_offsets.count,
				 count);
	return 0;
}

bool ebpf_multi_is_return(const char *alias)
{
	return ebpf_starts_with(alias, "kret") || ebpf_starts_with(alias, "uret");
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

static int attach_part(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err)
{
	struct ebpf_link *part = ebpf_link_add_part(link, err);
	int result = part ? multi->attach(part, multi, from, count, err) : -ENOMEM;

	if (result && part)
		ebpf_link_drop_part(link);
	return result;
}

/* What cannot be attached as a whole is tried by halves; `refused` counts single places one after the other. */
static int attach_halves(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, size_t *refused,
			 struct ebpf_error *err)
{
	int result = attach_part(link, multi, from, count, err);

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

static int attach_all(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err)
{
	int result = multi->attach(link, multi, 0, multi->count, err);
	size_t refused = 0;

	if (!result || !multi->may_skip || multi->count == 1 || !is_about_place(result))
		return result;
	result = attach_halves(link, multi, 0, multi->count / 2, &refused, err);
	if (!result)
		result = attach_halves(link, multi, multi->count / 2, multi->count - multi->count / 2, &refused, err);
	return finish(link, result, err);
}

/* A link takes a cookie for each place. */
int ebpf_multi_attach(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err)
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
	result = attach_all(link, &listed, err);
	free(cookies);
	return result;
}

int ebpf_multi_attach_each(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; i < multi->count; i++) {
		result = attach_part(link, multi, i, 1, err);
		if (result && !(multi->may_skip && is_about_place(result)))
			return result;
	}
	return finish(link, 0, err);
}
