/* ebpf_link.h -- the part of the public interface that is about attaching: the probes that files have, links of every kind, what is attached, and
 * iterators. Included by ebpf.h, whose conventions hold here too.
 */
#ifndef EBPF_LINK_PUBLIC_H
#define EBPF_LINK_PUBLIC_H

#ifndef EBPF_EBPF_H
#error "include ebpf.h"
#endif

/* ---- USDT: the probes that a program or library was built with -------------------------------------------- */

struct ebpf_usdt_probe {
	char *provider, *name;
	char *arguments;    /* as the assembler left them: "-4@%eax 8@-16(%rbp)" */
	uint64_t address;   /* in the file's own addresses */
	uint64_t offset;    /* in the file */
	uint64_t semaphore; /* offset in the file of the counter of those who trace; 0 = there is none */
};
struct ebpf_usdt {
	char *path;         /* absolute */
	struct ebpf_usdt_probe *probes; /* each place of each probe */
	size_t count;       /* 0 = the file has none */
	uint16_t machine;   /* EM_... of elf.h */
	bool position_independent;
};
/* Reads the section .note.stapsdt of a program or library, given by path or bare name; provider and name limit what is read, NULL = all.
 * Files of any machine and byte order. EBADMSG for damaged notes. Freed by ebpf_usdt_free, which takes NULL. */
EBPF_API int ebpf_usdt_read(const char *path, const char *provider, const char *name, struct ebpf_usdt **out, struct ebpf_error *err);
EBPF_API void ebpf_usdt_free(struct ebpf_usdt *usdt);

/* ---- links ------------------------------------------------------------------------------------------------ */

/* Lists in options: the items stay the caller's. */
struct ebpf_numbers {
	const uint64_t *items;
	size_t count;
};
/* The options of all kinds: first what many of them have, then each kind's own. A kind refuses what is not its own (but ebpf_link_attach_auto passes
 * it over), and ebpf_link_kind_options tells which it takes. Zero means "not given" except where a comment says otherwise. What a later version adds
 * stands at the end, behind what this one knows, in a group of its own. */
struct ebpf_link_options {
	size_t size;
	const char *attach_mode; /* force one interface: "link", "perf", "legacy" (xdp and cgroup: "link", "legacy"); NULL = newest that works */
	const char *attach_type; /* cgroup, sockmap: overrides the program's */
	uint32_t flags;          /* xdp, tc, netkit, cgroup: the kernel's, as they are */
	bool ret;                /* return probe: kretprobe, uretprobe and those on many functions */
	uint64_t cookie;         /* bpf_get_attach_cookie, 5.15: of whatever traces */
	const char *symbol;      /* kprobe, uprobe: function; freplace: of the target program (others are chosen at load); breakpoint: kernel symbol */
	uint64_t offset;         /* kprobe, uprobe: into the function; uprobe: into the file when there is no symbol */
	const char *path;        /* uprobe, uprobe_multi, usdt: ELF file, or a library's bare name; cgroup, iter: directory; netns, lirc: file */
	const char *interface;   /* xdp, tc, netkit, lwt: "lo" */
	int32_t ifindex;         /* instead of `interface` */
	int32_t pid;             /* uprobe, uprobe_multi, usdt, perf_event, iter over tasks: 0 = every process, -1 = this one; netns: whose */
	int32_t target_fd;       /* freplace: another program than it was loaded for; 0 = that one; netns, lirc: instead of `path` */
	int32_t map;             /* iter, sockmap: a map's descriptor */
	struct {
		uint64_t address;    /* without a symbol */
		uint32_t max_active; /* kretprobe */
	} kprobe;
	struct {
		uint64_t ref_counter_offset; /* of a USDT semaphore in the file */
	} uprobe;
	struct {
		const char *provider, *name; /* of the probe */
	} usdt;
	struct {
		const char *category; /* tracepoint: "syscalls" */
		const char *name;     /* tracepoint, raw_tracepoint: event */
	} tracepoint;
	struct { /* kprobe_multi, uprobe_multi, tracing_multi: on which functions, one of the four; and what each has */
		const char *pattern;            /* "tcp_*" (* ? [abc], as of the shell) */
		struct ebpf_strings symbols;
		struct ebpf_numbers addresses;  /* kprobe_multi */
		struct ebpf_numbers offsets;    /* uprobe_multi: in the file */
		struct ebpf_numbers cookies;    /* one for each symbol, address or offset */
		struct ebpf_numbers ref_counter_offsets; /* uprobe_multi: likewise */
	} multi;
	struct {
		const char *type;    /* "software", "hardware", "cache", "raw", "breakpoint", or a PMU of sysfs */
		const char *event;   /* "cpu-clock", "cycles", "LLC-load-misses", ... */
		uint64_t config;     /* the event by number */
		uint64_t period;     /* a sample each so many events (a clock: nanoseconds) */
		uint64_t frequency;  /* so many samples a second, instead of `period` */
		struct ebpf_numbers cpu; /* these alone; none = all that are online */
		const char *mode;    /* of a breakpoint: "r", "w" (so when NULL), "rw", "x" */
		uint64_t address;    /* of a breakpoint, without a symbol */
		uint64_t length;     /* bytes that a breakpoint watches */
	} perf_event;
	struct {
		const char *order;   /* over cgroups: "self", "preorder", "postorder", "ancestors", "children" */
		int32_t tid;         /* over tasks: this one alone */
		int32_t pid_fd;      /* over tasks: those of a process, as by `pid` */
	} iter;
	struct {
		const char *mode;    /* "generic", "driver", "offload"; NULL = the kernel chooses */
	} xdp;
	struct {
		const char *direction; /* "ingress", "egress"; netkit: "primary", "peer" */
		int32_t priority;    /* by netlink: 1..65535, 0 = the kernel's choice */
		uint32_t handle;     /* by netlink: the filter's, 0 = the kernel's choice */
	} tc; /* and netkit */
	struct { /* tc, netkit (6.6), cgroup (6.17): among the programs that are there; one of the first five */
		bool first;          /* before all others */
		int32_t before, after; /* beside a program or link, by descriptor */
		uint32_t before_id, after_id; /* by a program's id, or a link's with BPF_F_LINK in `flags` */
		uint64_t expected_revision; /* fail when others have attached meanwhile */
	} place;
	struct {
		const char *path;    /* instead of `path`, which for many programs at once may be another's */
		int32_t fd;          /* instead of either */
	} cgroup; /* and iter over cgroups */
	struct {
		const char *path;    /* likewise */
	} netns;
	struct {
		const char *family;  /* "ipv4", "ipv6" */
		const char *hook;    /* "prerouting", "input", "forward", "output", "postrouting" */
		int32_t priority;    /* the lower the earlier */
		bool defrag;         /* fragments are put together before (6.6) */
	} netfilter;
	struct {
		int32_t fd;
	} socket; /* socket_filter, reuseport */
	struct {
		const char *destination; /* "10.0.0.0/8", "fc00::/16"; the route is made with the program, and removed with it */
		const char *gateway; /* the next hop's address; NULL = what is reached by the interface itself */
		uint32_t table;      /* of routes, 0 = main */
	} lwt;
};
/* A list option is one of numbers or of strings. */
enum ebpf_option_type {
	EBPF_OPTION_STRING, EBPF_OPTION_U64, EBPF_OPTION_U32, EBPF_OPTION_S32, EBPF_OPTION_BOOL, EBPF_OPTION_STRINGS, EBPF_OPTION_NUMBERS
};
struct ebpf_option {
	const char *name;      /* as Lua says it: "category" */
	const char *member;    /* as C says it: "tracepoint.category" */
	enum ebpf_option_type type;
	uint16_t offset;       /* in struct ebpf_link_options */
	uint8_t position;      /* 1, 2, ... = may be given by position after the program; 0 = by name alone */
};
/* Kinds: "tracepoint", "raw_tracepoint", "tracing", "tracing_multi", "iter", "kprobe", "kprobe_multi", "uprobe", "uprobe_multi", "usdt",
 * "perf_event", "xdp", "tc", "netkit", "cgroup", "netns", "netfilter", "sockmap", "socket_filter", "reuseport", "lirc", "lwt", "struct_ops".
 * Row `index`; -ENOENT past the end. */
EBPF_API int ebpf_link_kind(size_t index, const char **name, const char **since);
/* The options that a kind takes, a list that ends with a NULL name; NULL for an unknown kind. Aliases ("kretprobe",
 * "uretprobe", "fentry", "tcx", "sk_lookup", "kprobe_session", ...) resolve to their kind. */
EBPF_API const struct ebpf_option *ebpf_link_kind_options(const char *kind);
EBPF_API int ebpf_link_attach(const char *kind, struct ebpf_program *program, const struct ebpf_link_options *options,
			      struct ebpf_link **out, struct ebpf_error *err);
/* By the program's section; `options` fill in what a section cannot say (interface, cgroup, pid) and may be NULL.
 * Returns 1 and a link, 0 when such a section attaches nothing by itself (err then says what is missing), or -errno. */
EBPF_API int ebpf_link_attach_auto(struct ebpf_program *program, const struct ebpf_link_options *options, struct ebpf_link **out,
				   struct ebpf_error *err);
/* Attaches each program by its section, with the same options for all (each takes what is its own). links[i] becomes the link, or NULL with the reason
 * in errors[i] (`errors`: `count` of them, zeroed before and cleared after by the caller, or NULL); a program whose autoattach is off is passed over, its
 * errors[i] untouched, and so is one of whose
 * group (ebpf_program_group) the program before it was attached. One that fails does not keep the others from being attached. Returns how many were. */
EBPF_API int ebpf_programs_attach(struct ebpf_program *const *programs, size_t count, const struct ebpf_link_options *options,
				  struct ebpf_link **links, struct ebpf_error *errors);
/* The same for kinds that attach a map: "struct_ops", a table of functions for the kernel. */
EBPF_API int ebpf_link_attach_map(const char *kind, struct ebpf_map *map, const struct ebpf_link_options *options,
				  struct ebpf_link **out, struct ebpf_error *err);
/* What is attached somewhere, by whomever. */
struct ebpf_attached {
	uint32_t program_id;
	uint32_t link_id;      /* 0 = not by a link, or the kernel does not tell: it does so for tcx and netkit (6.6) */
	uint32_t attach_flags; /* in a cgroup: how this program was attached (6.1) */
	uint32_t priority, handle, chain; /* of a filter of the classifier "bpf", as tc(8) tells them; of what is none, the handle is 0 */
	const char *mode;      /* XDP: "generic", "driver", "offload"; else NULL */
};
struct ebpf_link_query {
	size_t size;
	const char *cgroup, *netns, *interface; /* where, one of these five: paths, a name, */
	uint32_t ifindex;      /* a number, */
	int32_t target_fd;     /* or the descriptor of a cgroup or network namespace */
	uint32_t attach_type;  /* BPF_CGROUP_..., BPF_TCX_... (of an interface: also the filters of clsact and ingress, which run behind those), BPF_NETKIT_...,
				* BPF_SK_LOOKUP, BPF_FLOW_DISSECTOR, BPF_XDP */
	bool effective;        /* cgroup: also what its parents pass on, in the order in which it runs */
	/* Out: */
	struct ebpf_attached *items;
	size_t count;
	uint32_t attach_flags; /* of the cgroup, before 6.1 */
	uint64_t revision;     /* tcx, netkit (6.6), cgroup (6.17): what `expected_revision` is compared with; 0 = not told */
};
/* BPF_PROG_QUERY (cgroups 4.15, network namespaces 4.18, tcx 6.6, netkit 6.7), by rtnetlink XDP (4.13) and filters (4.15). The items are the query's, to be
 * freed by the other function. EINVAL for an attach type that the place or the kernel does not know. */
EBPF_API int ebpf_link_query(struct ebpf_kernel *kernel, struct ebpf_link_query *query, struct ebpf_error *err);
EBPF_API void ebpf_link_query_free(struct ebpf_link_query *query);
/* Reference-counted. The last close detaches, unless the link was pinned. */
EBPF_API struct ebpf_link *ebpf_link_ref(struct ebpf_link *link);
EBPF_API void ebpf_link_close(struct ebpf_link *link);
/* Detaches now, and removes the pin if there is one; the handle stays, dead. Fine to call twice. */
EBPF_API int ebpf_link_detach(struct ebpf_link *link, struct ebpf_error *err);
EBPF_API int ebpf_link_fd(const struct ebpf_link *link); /* -1 for an attachment without a BPF link, and for one that is detached */
EBPF_API const char *ebpf_link_kind_name(const struct ebpf_link *link);
/* Which interface was used: "link" (BPF_LINK_CREATE), "perf" (a perf event's ioctl), "legacy" (an event of its own in tracefs), "raw"
 * (BPF_RAW_TRACEPOINT_OPEN), "netlink" (IFLA_XDP, a filter of clsact), "attach" (BPF_PROG_ATTACH), "socket" (setsockopt), "map" (a
 * struct_ops map's element). */
EBPF_API const char *ebpf_link_interface(const struct ebpf_link *link);
/* What it is attached to, for people: "tracepoint syscalls:sys_enter_openat". */
EBPF_API const char *ebpf_link_target(const struct ebpf_link *link);
/* A link that exists: from a pin, or by id (5.8, CAP_SYS_ADMIN). EINVAL for a pin of something else, ENOENT for none.
 * Its kind is that which would make such a link, or its type's name ("netns"); the target is told by the kernel, as far
 * as it does. Closing it leaves it attached as long as somebody else holds it or it is pinned; detaching takes it apart
 * where the kernel can (EOPNOTSUPP: not this type). */
EBPF_API int ebpf_link_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_link **out, struct ebpf_error *err);
EBPF_API int ebpf_link_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_link **out, struct ebpf_error *err);
struct ebpf_link_info {
	uint32_t type, id, program_id;
	uint32_t attach_type;  /* EBPF_NO_ATTACH_TYPE: of an opened link whose attach type the kernel does not tell */
	/* What the kernel tells of some types, as far as it is new enough; else 0 and "". */
	uint32_t ifindex;      /* xdp, tcx, netkit */
	uint32_t map_id;       /* iter over a map, sockmap, struct_ops */
	uint32_t count;        /* kprobe_multi, uprobe_multi: places; of an attachment in parts, those of all parts */
	uint32_t pid, tid;     /* uprobe_multi; iter over tasks */
	uint32_t target_object_id, target_btf_id; /* tracing: program of freplace, else BTF object; type in it */
	uint32_t family, hook; /* netfilter */
	int32_t priority;
	uint64_t cgroup_id;    /* cgroup; iter over cgroups */
	uint64_t netns_ino;    /* netns */
	uint64_t cookie;       /* tracing, raw_tracepoint, perf_event */
	uint64_t missed;       /* kprobe_multi, perf_event on a kprobe: runs that did not take place */
	uint32_t flags;        /* the kernel's: netfilter, kprobe_multi, uprobe_multi; iter over cgroups: in which order */
	uint32_t event;        /* perf_event (6.6): enum ebpf_event; 0 = not told */
	uint32_t event_type;   /* EBPF_EVENT_OTHER: PERF_TYPE_... */
	uint64_t config;       /* likewise: of perf_event_open(2) */
	uint64_t offset;       /* perf_event: of a uprobe in the file, of a kprobe in the function */
	uint64_t address;      /* perf_event: of a kprobe; 0 = hidden */
	char name[512];        /* raw_tracepoint: the event; iter: what it walks ("task"); uprobe_multi: the file (6.8); perf_event: the file, function or tracepoint;
				* "" when it is longer */
};
enum ebpf_event { /* enum bpf_perf_event_type of linux/bpf.h */
	EBPF_EVENT_UPROBE = 1, EBPF_EVENT_URETPROBE, EBPF_EVENT_KPROBE, EBPF_EVENT_KRETPROBE, EBPF_EVENT_TRACEPOINT, EBPF_EVENT_OTHER
};
#define EBPF_NO_ATTACH_TYPE UINT32_MAX
/* 5.8; of an attachment without a BPF link, only program_id or map_id (and attach_type) are known; of one in parts, what they have in common. */
EBPF_API int ebpf_link_info(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err);
struct ebpf_link_place {
	uint64_t address;            /* kprobe_multi, tracing_multi; 0 = hidden (kptr_restrict) */
	uint64_t offset, ref_counter_offset; /* uprobe_multi: in the file */
	uint64_t cookie;             /* kprobe_multi 6.9 */
	uint32_t type_id;            /* tracing_multi: of the function, in the BTF that the program was loaded for */
};
/* Where a link on many places is: kprobe_multi (6.6), uprobe_multi (6.8), tracing_multi (7.2); those of all its parts. On success to be freed with free(3).
 * ENOTSUP for other links, EINVAL from a kernel that does not tell. */
EBPF_API int ebpf_link_places(struct ebpf_link *link, struct ebpf_link_place **out, size_t *count, struct ebpf_error *err);
/* Lets the attachment outlive this process, under a name in a BPF file system; moved there when it has one. ENOTSUP for one without a BPF link. */
EBPF_API int ebpf_link_pin(struct ebpf_link *link, const char *path, struct ebpf_error *err);
EBPF_API int ebpf_link_unpin(struct ebpf_link *link, struct ebpf_error *err);
/* Puts another program in the place of the present one, without a gap: xdp (5.9), cgroup (5.7), netns (5.8), iter (5.8), tc (6.6), netkit (6.7), sockmap
 * (6.10), the first three and tc, sockmaps and sockets also by their older interfaces. */
EBPF_API int ebpf_link_update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err);
/* The same when the present one is `old`, else EPERM: of BPF links alone (ENOTSUP). */
EBPF_API int ebpf_link_exchange(struct ebpf_link *link, struct ebpf_program *old, struct ebpf_program *program, struct ebpf_error *err);
/* Puts another struct_ops map, of the same struct, in the place of the present one (6.4; the type must allow it). */
EBPF_API int ebpf_link_update_map(struct ebpf_link *link, struct ebpf_map *map, struct ebpf_error *err);

/* One run of an iterator (a link of kind "iter") over all that it walks; keeps a reference to the link. */
struct ebpf_iterator;
EBPF_API int ebpf_iterator_open(struct ebpf_link *link, struct ebpf_iterator **out, struct ebpf_error *err);
EBPF_API void ebpf_iterator_close(struct ebpf_iterator *iterator);
EBPF_API int ebpf_iterator_fd(const struct ebpf_iterator *iterator);
/* Up to `size` bytes: how many, 0 at the end. What the program wrote by one bpf_seq_printf or bpf_seq_write need not come in one piece. */
EBPF_API int64_t ebpf_iterator_read(struct ebpf_iterator *iterator, void *data, size_t size, struct ebpf_error *err);
/* 1 = the next line, without its newline (memory valid until the next call), 0 = the end, -errno. */
EBPF_API int ebpf_iterator_line(struct ebpf_iterator *iterator, const char **line, size_t *size, struct ebpf_error *err);
/* The same of a program that writes records of `size` (not 0) bytes by bpf_seq_write; EBADMSG when less than one is left at the end. */
EBPF_API int ebpf_iterator_record(struct ebpf_iterator *iterator, size_t size, const void **data, struct ebpf_error *err);
/* The types that the program was loaded with, borrowed from the iterator: opened by id, which needs CAP_SYS_ADMIN. NULL (ENOENT) when it has none. */
EBPF_API struct ebpf_btf *ebpf_iterator_btf(struct ebpf_iterator *iterator, struct ebpf_error *err);

#endif
