/* link.h -- attachments: one file per kind, one row in the table of kinds (kinds.c).
 *
 * To add a kind: (1) write link/<kind>.c with a const struct ebpf_link_kind; (2) add its row in kinds.c; (3) add its
 * spec, example and reference entry. Nothing else changes: options are checked, bound to Lua and documented from the
 * descriptor. A kind tries the newest interface first and falls back along the chain written above its attach function;
 * which one was used is kept in link->interface. A failed attach explains itself by probing, after it failed.
 */
#ifndef EBPF_LINK_H
#define EBPF_LINK_H

#include <stddef.h>

#include "kernel/kernel.h"
#include "map/map.h"
#include "program/program.h"
#include "symbol/symbol.h"

struct ebpf_link {
	unsigned refs;
	int fd;                       /* BPF link, or -1 */
	int perf_fd;                  /* perf event that carries the program, or -1 */
	int program_fd_kept; /* duplicate for detaching by program (cgroup before 5.7, XDP before 5.9), or -1 */
	int socket_fd;                /* netlink: of the network namespace in which it was attached, or -1 */
	uint32_t socket_sequence;     /* of the last request */
	struct ebpf_kernel *kernel;
	const struct ebpf_link_kind *kind;
	const char *interface;        /* "link", "perf", "legacy", "raw", "netlink", "attach", "socket" */
	char *target;
	char *pin_path;
	/* undoes what closing the descriptors does not (tracefs event, netlink, BPF_PROG_DETACH); NULL = nothing.
	 * Called once. */
	int (*undo)(struct ebpf_link *link, struct ebpf_error *err);
	char *legacy_event;           /* "kprobes/name": to be removed from tracefs */
	int target_fd, ifindex;       /* what it is attached to, where that is needed later: cgroup, map, device, interface */
	struct ebpf_map *map;         /* struct_ops: what is attached, referenced; else NULL */
	struct ebpf_map *specs;       /* usdt: where its arguments are described, referenced; else NULL */
	uint32_t attach_type, attach_flags;
	bool detached;
	void *detail;                 /* of the kind, freed with the link */
	/* An attachment that is made of several, one for each CPU or function: they are closed and detached with it, and its
	 * own descriptors are -1. */
	struct ebpf_link **parts;
	size_t part_count, part_capacity;
	bool opened;                  /* from a pin or by id: others may hold it too */
};
struct ebpf_link_kind {
	const char *name;
	const char *since;            /* oldest kernel on which the kind works at all */
	const char *const *aliases;   /* other names ("kretprobe"), NULL-terminated; or NULL */
	const struct ebpf_option *options; /* ends with a NULL name */
	/* Fills options from what follows the slash of a section, e.g. "syscalls/sys_enter_openat". Strings may point
	 * into `storage`. NULL: the kind has no section of its own form. Returns 1 = complete, 0 = something is missing
	 * (err says what), -errno = malformed. */
	int (*parse)(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *options,
		     char *storage, size_t size, struct ebpf_error *err);
	/* `alias` is the name that was asked for. */
	int (*attach)(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *options,
		      struct ebpf_link *link, struct ebpf_error *err);
	/* Puts another program in the place of the present one where there is no BPF link (those are updated by
	 * link.c); NULL = it cannot be. */
	int (*update)(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err);
	/* Instead of the three above, for a kind that attaches a map. */
	int (*attach_map)(struct ebpf_map *map, const struct ebpf_link_options *options, struct ebpf_link *link, struct ebpf_error *err);
	int (*update_map)(struct ebpf_link *link, struct ebpf_map *map, struct ebpf_error *err);
};
extern const struct ebpf_link_kind *const ebpf_link_kinds[]; /* ends with NULL */

/* A row of a kind's options: the name, and the member of struct ebpf_link_options, whose type says what is taken. */
#define EBPF_LINK_OPTION(text, place, nth)                                                                            \
	{ .name = text, .member = #place, .type = EBPF_OPTION_TYPE(((struct ebpf_link_options *)NULL)->place),         \
	  .offset = offsetof(struct ebpf_link_options, place), .position = nth }
#define EBPF_OPTION_TYPE(value)                                                                                       \
	_Generic((value), const char *: EBPF_OPTION_STRING, uint64_t: EBPF_OPTION_U64, uint32_t: EBPF_OPTION_U32,      \
		 int32_t: EBPF_OPTION_S32, bool: EBPF_OPTION_BOOL, struct ebpf_strings: EBPF_OPTION_STRINGS,           \
		 struct ebpf_numbers: EBPF_OPTION_NUMBERS)
/* The rows that kinds have in common: those of network interfaces (device.c reads both groups), */
#define EBPF_LINK_DEVICE_OPTIONS EBPF_LINK_OPTION("interface", interface, 1), EBPF_LINK_OPTION("ifindex", ifindex, 0)
/* and those with a place among others. */
#define EBPF_LINK_PLACE_OPTIONS                                                                                       \
	EBPF_LINK_OPTION("first", place.first, 0), EBPF_LINK_OPTION("before", place.before, 0),                        \
	EBPF_LINK_OPTION("after", place.after, 0), EBPF_LINK_OPTION("before_id", place.before_id, 0),                  \
	EBPF_LINK_OPTION("after_id", place.after_id, 0), EBPF_LINK_OPTION("expected_revision", place.expected_revision, 0)

/* An attach function fills the link it is given, whose descriptors are -1, and returns 0 or -errno with `err` filled
 * ("xdp lo: another ..."); the caller puts "program 'x': attach" before it. On failure it may leave the link half done:
 * the caller releases what is in it. */

/* -- what kinds share (link.c, info.c) -- */

/* A link with nothing in it; NULL when out of memory. */
struct ebpf_link *ebpf_link_new(struct ebpf_kernel *kernel, const struct ebpf_link_kind *kind);
/* The same as a part of `link`, which owns it, with its target. */
struct ebpf_link *ebpf_link_add_part(struct ebpf_link *link, struct ebpf_error *err);
/* Lets go of the part that was added last. */
void ebpf_link_drop_part(struct ebpf_link *link);
/* Sets link->target; -ENOMEM. */
int ebpf_link_set_target(struct ebpf_link *link, struct ebpf_error *err, const char *format, ...) EBPF_PRINTF(3, 4);
/* BPF_LINK_CREATE; the descriptor goes to link->fd and `interface` becomes "link". -errno, err not filled. */
int ebpf_link_create(struct ebpf_link *link, union bpf_attr *attr);
/* The same at link->target_fd, which is closed once it is done; `attr` has the kind's own members. */
int ebpf_link_create_at_target(struct ebpf_link *link, const struct ebpf_program *program, union bpf_attr *attr);
/* EBADF: what was asked (`verb`) needs a link that is attached. */
int ebpf_link_fail_detached(struct ebpf_link *link, const char *verb, struct ebpf_error *err);
/* BPF_OBJ_GET_INFO_BY_FD; -errno (info.c). */
int ebpf_link_object_info(const struct ebpf_kernel *kernel, int fd, void *info, uint32_t size);
/* The id of a program by its descriptor; 0 when the kernel does not tell. */
uint32_t ebpf_link_program_id(struct ebpf_link *link, int fd);
/* BPF_PROG_ATTACH and _DETACH of link->attach_type at link->target_fd (0 when there is none); `replaced_fd` with
 * BPF_F_REPLACE alone. -errno. */
int ebpf_link_prog_attach(struct ebpf_link *link, int program_fd, uint32_t flags, int replaced_fd);
int ebpf_link_prog_detach(struct ebpf_link *link, int program_fd);
/* BPF_PROG_ATTACH of a program that is kept, with its undo(); and replace() for the one below, where attaching another replaces. */
int ebpf_link_attach_kept(struct ebpf_link *link, const struct ebpf_program *program, uint32_t flags);
int ebpf_link_reattach(struct ebpf_link *link, int program_fd);
/* undo() of such an attachment, of the program in link->program_fd_kept; none is there any more is fine. */
int ebpf_link_undo_prog_attach(struct ebpf_link *link, struct ebpf_error *err);
/* The types that the link's program was loaded with: a new reference. */
int ebpf_link_btf(struct ebpf_link *link, struct ebpf_btf **out, struct ebpf_error *err);
/* A close-on-exec duplicate of a descriptor; -errno. */
int ebpf_link_keep_fd(struct ebpf_link *link, int fd);
/* One of the program, for detaching by it, to link->program_fd_kept: 0 or -errno. */
int ebpf_link_keep_program(struct ebpf_link *link, const struct ebpf_program *program);
/* update() of an attachment without a BPF link: `replace` puts the program in the place of ours; then its duplicate is kept
 * for detaching. */
int ebpf_link_replace_kept(struct ebpf_link *link, struct ebpf_program *program,
			   int (*replace)(struct ebpf_link *link, int program_fd), struct ebpf_error *err);
/* Fails with "<target>: <text of the errno>" and a hint for the common reasons (EPERM, EACCES). */
int ebpf_link_fail(struct ebpf_link *link, int code, struct ebpf_error *err);

/* Which interface the option `attach_mode` forces. */
enum ebpf_attach_mode { EBPF_ATTACH_ANY, EBPF_ATTACH_LINK, EBPF_ATTACH_PERF, EBPF_ATTACH_LEGACY };
/* EINVAL for an unknown word. */
int ebpf_attach_mode(const char *text, enum ebpf_attach_mode *mode, struct ebpf_error *err);

/* -- network interfaces and the place among others (device.c) -- */

/* link->ifindex and the target ("tcx lo"), from `interface` or `ifindex`; messages begin with `word`. */
int ebpf_link_choose_interface(struct ebpf_link *link, const struct ebpf_link_options *given, const char *word,
			       struct ebpf_error *err);
/* Is it a descriptor of "bpf-prog", "bpf_link", "bpf-map"? */
bool ebpf_link_fd_is(int fd, const char *kind);
/* Was a place or a revision asked for? Its flags (with those of the option `flags`) and the descriptor or id beside which it is. */
bool ebpf_link_has_anchor(const struct ebpf_link_options *given);
int ebpf_link_anchor(const struct ebpf_link_options *given, const char *word, uint32_t *flags, uint32_t *relative,
		     struct ebpf_error *err);
/* Puts a better message in the place of one about a code that has to do with the place; returns the code. */
int ebpf_link_explain_anchor(struct ebpf_link *link, const struct ebpf_link_options *given, int code, struct ebpf_error *err);

/* -- what rtnetlink tells of link->ifindex, added to a query (xdp.c, tc.c); -errno -- */

int ebpf_xdp_query(struct ebpf_link *link, struct ebpf_link_query *query);
int ebpf_tc_query(struct ebpf_link *link, struct ebpf_link_query *query);
/* -ENOMEM (query.c) */
int ebpf_link_query_add(struct ebpf_link_query *query, const struct ebpf_attached *item);

/* -- which process an option names -- */

/* Of `pid` (0 = every one, -1 = this one) what perf_event_open(2) means by it (-1 = every one, 0 = this one). */
static inline pid_t ebpf_link_pid(int32_t pid)
{
	return pid == 0 ? -1 : pid == -1 ? 0 : pid;
}

/* -- programs on perf events (perf.c) -- */

/* Opens the event, for one process or for all (pid -1), into link->perf_fd. -errno, err not filled. */
struct perf_event_attr;
int ebpf_perf_open(struct ebpf_link *link, struct perf_event_attr *attr, pid_t pid);
/* The same on one CPU (-1 = on any), which -ENODEV says to be offline. */
int ebpf_perf_open_on(struct ebpf_link *link, struct perf_event_attr *attr, pid_t pid, int cpu);
/* Puts the program on link->perf_fd and switches it on: BPF_LINK_CREATE (5.15) -> PERF_EVENT_IOC_SET_BPF. */
int ebpf_perf_attach(struct ebpf_link *link, struct ebpf_program *program, uint64_t cookie, enum ebpf_attach_mode mode,
		     struct ebpf_error *err);

/* -- dynamic probes (probe.c): the event of a kprobe or uprobe -- */

struct ebpf_probe {
	bool user;              /* uprobe */
	bool ret;
	const char *name;       /* kprobe: symbol, or NULL for an address; uprobe: absolute path */
	uint64_t offset;        /* after the symbol, or in the file; kprobe without a symbol: the address */
	uint64_t ref_counter;   /* uprobe: offset of a semaphore in the file, or 0 */
	uint32_t max_active;    /* kretprobe: 0 = the kernel's choice */
	pid_t pid;              /* -1 = all */
};
/* Opens the event: the PMU of kprobes or uprobes (4.17) -> an event of our own in tracefs, removed by link->undo. The
 * error is "<target>: ...", which the caller may replace by a better one for the codes that it knows. */
int ebpf_probe_open(struct ebpf_link *link, const struct ebpf_probe *probe, enum ebpf_attach_mode mode,
		    struct ebpf_error *err);

#endif
