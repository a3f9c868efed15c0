/* multi.h -- one program at many places: by one link, by several where some of the places are refused, or, on older
 * kernels, by an attachment of its own for each. Which places, what goes with each, and what is tried, is the same for all kinds of them; a kind says
 * how a name or pattern becomes a place, and what the kernel is given.
 *
 * The lists are borrowed from the options or from what a pattern was resolved to; the cookies and counters may be NULL.
 */
#ifndef EBPF_LINK_MULTI_H
#define EBPF_LINK_MULTI_H

#include "link/link.h"

struct ebpf_multi;
/* Attaches `count` places from `from` on to the link, which is empty. 0, or -errno with err filled. */
typedef int ebpf_multi_attach_function(struct ebpf_link *link, const struct ebpf_multi *multi, size_t from, size_t count, struct ebpf_error *err);

/* What a kind of such links has of its own. */
struct ebpf_multi_form {
	const char *choices;              /* "a pattern or symbols are needed, one of the two" */
	const char *wildcards;            /* characters that make a pattern of a name */
	ebpf_multi_attach_function *by_link;
	/* What the kernel says of a list, in better words; returns the code. */
	int (*explain)(struct ebpf_link *link, const struct ebpf_multi *multi, int code, struct ebpf_error *err);
	/* Of programs that on older kernels get a probe for each place; NULL = there is nothing older, and the rest is not used. */
	ebpf_multi_attach_function *by_probe;
	const char *probe;                /* "kprobe": also the first word of the kind's names */
	const char *subject;              /* "kernel functions": what its programs are for */
	const char *needs;                /* ", with CONFIG_FPROBE": beside a kernel that is new enough */
	uint32_t many, session;           /* attach types */
	enum ebpf_feature many_feature, session_feature, probe_feature; /* the last: or EBPF_FEATURE_COUNT */
};

struct ebpf_multi {
	const struct ebpf_multi_form *form;
	struct ebpf_program *program;
	char word[24];                    /* "kretprobe_multi": begins messages and the target */
	enum ebpf_attach_mode mode;
	bool ret;
	const char *const *names;         /* of functions, or NULL */
	const uint64_t *places;           /* addresses, or offsets in the file; or NULL */
	const uint64_t *cookies, *ref_counters;
	uint64_t cookie;                  /* for all, when there is no list */
	size_t count;
	bool may_skip;                    /* a pattern chose them: those that cannot be probed are left out */
	void *context;                    /* of the kind */
};

/* parse() of a kind whose sections are "word/pattern"; `word` is named where a program has no section. */
int ebpf_multi_parse(const struct ebpf_program *program, const char *extra, const char *word, struct ebpf_link_options *out, struct ebpf_error *err);
/* Is the program one of the form's, and was it loaded for what the alias asks? Fills in program, word and ret. */
int ebpf_multi_take_program(struct ebpf_multi *multi, struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
			    struct ebpf_error *err);
/* The lists, of which there must be one, and what goes with them; those of the caller become the places: symbols, a pattern that is a plain name, addresses
 * or offsets. What else is a pattern (may_skip) the kind resolves. `word` is set before. */
int ebpf_multi_take_lists(struct ebpf_multi *multi, const struct ebpf_link_options *given, struct ebpf_error *err);
/* link->target: "word pattern", "word name (3 functions)", with "file:" before it unless it is NULL. */
int ebpf_multi_set_target(struct ebpf_link *link, const struct ebpf_multi *multi, const struct ebpf_link_options *given, const char *file,
			  struct ebpf_error *err);
/* BPF_LINK_CREATE for the form's by_link, which has filled in its own members. */
int ebpf_multi_create(struct ebpf_link *link, const struct ebpf_multi *multi, union bpf_attr *attr, struct ebpf_error *err);
/* By a link, with a list of cookies if there is one for all; where that is refused and some may be left out, by halves, as parts of the link.
 * Where there are no such links, by a probe for each. */
int ebpf_multi_attach(struct ebpf_link *link, struct ebpf_multi *multi, struct ebpf_error *err);

#endif
