/* multi.h -- one program at many places: by one link, by several where some of the places are refused, or, on older
 * kernels, by an attachment of its own for each.
 *
 * The lists are borrowed from the options or from what a pattern was resolved to; the cookies and counters may be NULL.
 */
#ifndef EBPF_LINK_MULTI_H
#define EBPF_LINK_MULTI_H

#include "link/link.h"

struct ebpf_multi {
	const char *const *names;         /* of functions, or NULL */
	const uint64_t *places;           /* addresses, or offsets in the file; or NULL */
	const uint64_t *cookies, *ref_counters;
	uint64_t cookie;                  /* for all, when there is no list */
	size_t count;
	bool may_skip;                    /* a pattern chose them: those that cannot be probed are left out */
	/* Attaches `count` places from `from` on to the link, which is empty. 0, or -errno with err filled. */
	int (*attach)(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err);
	void *context;                    /* of attach */
};
/* A list of cookies is of the length of the list of places: EINVAL. */
int ebpf_multi_check(const struct ebpf_link_options *given, size_t count, const char *word, struct ebpf_error *err);
/* All at once, with a list of cookies if there is one for all; where that is refused and some may be left out, by halves, as parts of the link. */
int ebpf_multi_attach(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err);
/* Each as a part of its own. */
int ebpf_multi_attach_each(struct ebpf_link *link, const struct ebpf_multi *multi, struct ebpf_error *err);

/* Which word a section or a call used: "kretprobe.multi", "uprobe_session". */
bool ebpf_multi_is_return(const char *alias);

#endif
