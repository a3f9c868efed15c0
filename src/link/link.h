/* link.h -- attachments: one file per kind, one row in the table of kinds (kinds.c).
 *
 * To add a kind: (1) write link/<kind>.c with a const struct ebpf_link_kind; (2) add its row in kinds.c; (3) add its spec, example and
 * reference entry. Nothing else changes: options are checked, bound to Lua and documented from the descriptor.
 * A kind tries the newest interface first and falls back along the chain written above its attach function; which one was used is kept
 * in link->interface. A failed attach explains itself by probing, after it failed.
 */
#ifndef EBPF_LINK_H
#define EBPF_LINK_H

#include "kernel/kernel.h"
#include "program/program.h"
#include "symbol/symbol.h"

struct ebpf_link {
	unsigned refs;
	int fd;                       /* BPF link, or -1 */
	int perf_fd;                  /* perf event that carries the program, or -1 */
	int program_fd_kept;          /* duplicate for detaching by program (cgroup before 5.7), or -1 */
	struct ebpf_kernel *kernel;
	const struct ebpf_link_kind *kind;
	const char *interface;        /* "link", "perf", "legacy", "raw", "netlink", "attach" */
	char *target;
	char *pin_path;
	/* undoes what closing the descriptors does not (tracefs event, netlink, BPF_PROG_DETACH); NULL = nothing. Called once. */
	int (*undo)(struct ebpf_link *link, struct ebpf_error *err);
	char *legacy_event;           /* "kprobes/name": to be removed from tracefs */
	int cgroup_fd, ifindex;       /* of undo */
	uint32_t attach_type, attach_flags;
	bool detached;
};
struct ebpf_link_kind {
	const char *name;
	const char *since;            /* oldest kernel on which the kind works at all */
	const char *const *aliases;   /* other names ("kretprobe"), NULL-terminated; or NULL */
	const struct ebpf_option *options; /* ends with a NULL name */
	/* Fills options from what follows the slash of a section, e.g. "syscalls/sys_enter_openat". Strings may point into `storage`.
	 * NULL: the kind has no section of its own form. Returns 1 = complete, 0 = something is missing (err says what), -errno = malformed. */
	int (*parse)(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *options, char *storage, size_t size,
		     struct ebpf_error *err);
	/* `alias` is the name that was asked for. */
	int (*attach)(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *options, struct ebpf_link *link,
		      struct ebpf_error *err);
};
extern const struct ebpf_link_kind *const ebpf_link_kinds[]; /* ends with NULL */

#endif
