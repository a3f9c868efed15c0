/* ebpf.h -- the public interface of the eBPF engine.
 *
 * The way of an object:  ebpf_spec_read_file() -> struct ebpf_spec (editable, no kernel)
 *                        -> ebpf_collection_load() -> maps, programs, variables
 *                        -> ebpf_link_attach() / ebpf_programs_attach() -> links
 * The way of a record:   struct ebpf_ring (mapped) -> struct ebpf_loop or ebpf_ring_consume()
 *                        -> callback, with a struct ebpf_layout to decode it by; or struct ebpf_sink.
 *
 * Conventions, true for every function that does not say otherwise:
 *  - 0 or a non-negative result is success, a negative result is -errno; functions that return a
 *    pointer return NULL on failure. `err`, always last, may be NULL; otherwise it is filled on failure
 *    and left alone on success.
 *  - Outputs (`out`) are written on success alone; a failed constructor leaves nothing behind.
 *  - ..._free and ..._close take NULL. Reference-counted objects say so: each _ref needs one _free.
 *  - Strings are UTF-8 or plain bytes, NUL-terminated; names are the kernel's in lower case
 *    ("xdp", "percpu_hash", "trace_fentry").
 *  - One thread at a time per object. Two contexts (struct ebpf_kernel) share nothing.
 *  - Structs named ..._options begin with `size`: set it to sizeof and zero the rest.
 *  - Type numbers (program, map, attach, link) are those of the kernel's enums in <linux/bpf.h>, kinds of types (BTF_KIND_...)
 *    those of <linux/btf.h>.
 */
#ifndef EBPF_EBPF_H
#define EBPF_EBPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EBPF_API __attribute__((visibility("default")))
#define EBPF_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* ---- errors --------------------------------------------------------------------------------- */

/* What went wrong, owned by the caller (usually on its stack); zero-initialise before first use.
 * Filling needs no memory except for the log. */
struct ebpf_error {
	int code;           /* positive errno; 0 = no error */
	char message[1024]; /* "program 'x': load: permission denied (...)": thing, what failed, why */
	char hint[512];     /* what to do; "" when there is nothing to say */
	char *log;          /* verifier or BTF log, malloc'ed, or NULL */
};

/* Frees the log and makes *err all zero. */
EBPF_API void ebpf_error_clear(struct ebpf_error *err);
/* "EPERM" for 1; "E4000" style text is never returned: an unknown number gives "UNKNOWN". */
EBPF_API const char *ebpf_errno_name(int code);

/* ---- names and numbers ------------------------------------------------------------------------ */

enum ebpf_enum {
	EBPF_PROGRAM_TYPE, EBPF_MAP_TYPE, EBPF_ATTACH_TYPE, EBPF_LINK_TYPE, EBPF_HELPER, EBPF_BTF_KIND,
	EBPF_CORE_RELOCATION, /* "byte_off", "field_exists", ... as LLVM abbreviates them */
};
/* The kernel's lower-case name of a number, or NULL when it is unknown. Static memory. */
EBPF_API const char *ebpf_enum_name(enum ebpf_enum which, uint32_t value);
/* The number of a name ("xdp" -> 6), or -ENOENT. */
EBPF_API int ebpf_enum_value(enum ebpf_enum which, const char *name);
EBPF_API const char *ebpf_version(void);
/* The bit of a map's flag by its name in lower case ("no_prealloc" -> 1), or -ENOENT. */
EBPF_API int64_t ebpf_map_flag(const char *name);
/* The same of a program ("sleepable", 5.10; "xdp_has_frags", 5.18; "xdp_dev_bound_only", 6.3; "strict_alignment", ...), and of a verifier's log: "branch",
 * "instruction", "stats" (5.2), "fixed" (6.4: its head is kept, not its tail). */
EBPF_API int64_t ebpf_program_flag(const char *name);
EBPF_API int64_t ebpf_log_level(const char *name);

/* ---- what numbers in records mean ---------------------------------------------------------------- */

/* Of the architecture that the library was made for: NULL for an unknown number, -ENOENT for an unknown name. Static memory. */
EBPF_API const char *ebpf_syscall_name(int number);
EBPF_API int ebpf_syscall_number(const char *name);
/* These write text as snprintf does and return its whole length, or -EINVAL for what they do not know. A signal: "SIGINT", "SIGRTMIN+2" (counted as the
 * kernel does, from 32). Bytes in network order: an IP address has 4 or 16, a MAC address 6. A struct sockaddr: "10.0.0.1:80", "[::1]:80",
 * "unix:/path", "unix:@abstract", "unix:" of an unnamed one; "netlink:PORT", with " groups 0x1"; "packet:IFINDEX 0xPROTOCOL", with the hardware's address;
 * "vsock:CID:PORT". */
EBPF_API int ebpf_format_signal(int number, char *out, size_t size);
EBPF_API int ebpf_format_ip(const void *address, size_t address_size, char *out, size_t size);
EBPF_API int ebpf_format_mac(const void *address, size_t address_size, char *out, size_t size);
EBPF_API int ebpf_format_sockaddr(const void *address, size_t address_size, char *out, size_t size);
/* Nanoseconds since 1970 of a time of bpf_ktime_get_ns (CLOCK_MONOTONIC) or bpf_ktime_get_boot_ns (CLOCK_BOOTTIME), by how the clocks stand now: a clock that
 * was set since, or for the first of them a suspension of the machine, makes it wrong by as much; so do offsets of a time namespace that the caller is in,
 * which the kernel's own times have not. */
EBPF_API int64_t ebpf_wall_time(uint64_t ns, bool boot);
/* ---- policies: asked before each privileged step --------------------------------------------------- */

/* What is about to be done. Several interfaces may be tried, the newest first: a refusal is for all of them, and what was granted is asked again only where it
 * is something else, in other words. */
enum ebpf_step_kind {
	EBPF_STEP_LOAD,        /* a program, or types (`type` UINT32_MAX) */
	EBPF_STEP_CREATE_MAP,
	EBPF_STEP_ATTACH,      /* or detach: by a link, a perf event, tracefs, netlink, a socket; also opening what is then attached to */
	EBPF_STEP_PIN,         /* or removing a pin: `target` is the path */
	EBPF_STEP_WRITE_MAP,   /* set, delete, freeze, or map into memory to be written: then it is asked once */
	EBPF_STEP_READ_KERNEL, /* a program that reads kernel memory (asked after its load), or the addresses in /proc/kallsyms */
	EBPF_STEP_OPEN,        /* a program, map or link that somebody else has made: by its pin (`target`) or id */
	EBPF_STEP_RUN,         /* a program by BPF_PROG_RUN, or an iterator */
	EBPF_STEP_OTHER,       /* another command of bpf(2): `type` is its number */
	EBPF_STEP_READ_FILE,   /* a file that was named: an object, types, symbols, a process' mappings: `target` is the path */
	EBPF_STEP_PROBE,       /* a feature (`name`) is looked for, with small programs and maps of the engine's own, which are let go at once */
	EBPF_STEP_WRITE_FILE,  /* lines of a sink, into a file (`target`) or a descriptor */
};
struct ebpf_step {
	size_t size;
	enum ebpf_step_kind kind;
	const char *what;      /* all of it in words: "attach program 'count' (xdp): xdp eth0" */
	const char *name;      /* the program's or map's, as the kernel has it (15 bytes); "" when there is none */
	uint32_t type;         /* of the program or map, UINT32_MAX when that is not known */
	uint32_t attach_type;  /* that a program expects, or is attached by; 0 where that says nothing */
	const char *target;    /* what it is attached to ("kprobe do_unlinkat"), or the path; "" when that is not known */
	uint32_t key_size, value_size, max_entries, map_flags; /* of a map that is created: what of the kernel's memory it may take */
};
struct ebpf_policy {
	size_t size;
	int (*ask)(void *context, const struct ebpf_step *step); /* 0 = go on; anything else refuses: the step fails with EPERM */
	void *context;
	char refused[256];     /* out: `what` of the last step that was refused */
	uint32_t kinds;        /* bits 1 << EBPF_STEP_...: ask about these alone; 0 = all */
};
/* From now on asks `policy` before what this thread does by this library, with whatever context; NULL = nobody. Returns the policy until now, to be set
 * again afterwards. Borrowed: it must stay until then. The callback runs with no policy, and may use the library. */
EBPF_API struct ebpf_policy *ebpf_policy_set(struct ebpf_policy *policy);
/* Asks it (EBPF_STEP_READ_FILE) for who reads a file that somebody else has named, as ebpf_spec_read_file and ebpf_btf_read_file do, which ask nobody: 0,
 * or -EPERM with the error filled. */
EBPF_API int ebpf_policy_read_file(const char *path, struct ebpf_error *err);

/* ---- the kernel context ------------------------------------------------------------------------ */

/* What is known of the running kernel: version, BTF, symbols, tracefs, features. Everything is found when
 * first asked for and kept. Reference-counted: every handle keeps its context alive. */
struct ebpf_kernel;

EBPF_API struct ebpf_kernel *ebpf_kernel_new(struct ebpf_error *err);
EBPF_API struct ebpf_kernel *ebpf_kernel_ref(struct ebpf_kernel *kernel);
EBPF_API void ebpf_kernel_free(struct ebpf_kernel *kernel);
/* KERNEL_VERSION(a, b, c) from the vDSO's note, so that it is right under a personality; uname as fallback. */
EBPF_API uint32_t ebpf_kernel_version(struct ebpf_kernel *kernel);
/* A feature of the table in src/kernel/feature.c by its name ("perf_link", "global_data"): 1 present, 0 absent,
 * -errno when the probe could not tell, -ENOENT for an unknown name. The answer is cached when conclusive. */
EBPF_API int ebpf_kernel_has(struct ebpf_kernel *kernel, const char *feature, struct ebpf_error *err);
/* Pretend that a feature is missing (or stop pretending): every fallback runs on a new kernel. */
EBPF_API int ebpf_kernel_mask(struct ebpf_kernel *kernel, const char *feature, bool masked, struct ebpf_error *err);
/* Row `index` of the feature table: its name and the version that brought it ("5.15"); -ENOENT past the end. */
EBPF_API int ebpf_kernel_feature(size_t index, const char **name, const char **since);
/* Features that are many alike come in groups: "program_type", "map_type", "map_flag", "attach_type", "isa", "limit", "program_flag".
 * In the functions above one is called "group.name": "map_type.arena"; of masks also "helper.NAME" and "kfunc.NAME".
 * The index-th group, and the index-th feature of a group; -ENOENT past the end. */
EBPF_API int ebpf_kernel_group(size_t index, const char **name);
EBPF_API int ebpf_kernel_group_feature(size_t group, size_t index, const char **name, const char **since);
/* How many instructions a program of this process may have: 4096, or 1000000 (5.2, with CAP_BPF). -errno when it cannot tell. */
EBPF_API int ebpf_kernel_instruction_limit(struct ebpf_kernel *kernel, struct ebpf_error *err);
/* Whether a type of program may call a helper, in any of the forms that the type has (attach types, sleepable): 1, 0,
 * or -errno when it cannot tell: EPERM without the capabilities, ENOTSUP for a type of which no program could be loaded
 * to try (ext). */
EBPF_API int ebpf_kernel_helper(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t helper, struct ebpf_error *err);
/* All helpers that the type may call: returns how many, and writes the first `capacity` of their numbers. Without `all`
 * those are left out for which the kernel warns or switches something on when it is asked: trace_printk, trace_vprintk,
 * probe_write_user. */
EBPF_API int ebpf_kernel_helpers(struct ebpf_kernel *kernel, uint32_t program_type, bool all, uint32_t *helpers, size_t capacity,
				 struct ebpf_error *err);
/* Whether the kernel or a module has a kfunc of that name (program_type 0), or whether the type of program may call it:
 * 1, 0, -errno as above; ENOTSUP also on a kernel without BTF. */
EBPF_API int ebpf_kernel_kfunc(struct ebpf_kernel *kernel, const char *name, uint32_t program_type, struct ebpf_error *err);
/* The types that may call it: how many, the first `capacity` written. Types that cannot be asked are left out. */
EBPF_API int ebpf_kernel_kfunc_types(struct ebpf_kernel *kernel, const char *name, uint32_t *types, size_t capacity, struct ebpf_error *err);
/* The index-th kfunc by name, of those that the kernel's types mark as one (6.10, built with pahole 1.26; before:
 * ENOTSUP); -ENOENT past the end, and then err is not filled. */
EBPF_API int ebpf_kernel_kfunc_name(struct ebpf_kernel *kernel, size_t index, const char **name, struct ebpf_error *err);

/* ---- what this process may do ------------------------------------------------------------------- */

enum ebpf_memory_accounting { EBPF_MEMORY_UNKNOWN, EBPF_MEMORY_CGROUP /* 5.11 */, EBPF_MEMORY_RLIMIT };
#define EBPF_SYSCTL_UNKNOWN INT32_MIN /* not there, or not readable */
struct ebpf_privileges {
	uint32_t uid;                  /* effective */
	uint64_t capabilities;         /* effective: bit n is that of number n in <linux/capability.h> */
	bool capabilities_known;
	int32_t last_capability;       /* the highest number that the kernel knows */
	bool user_namespace;           /* not the first one: capabilities do not count for bpf(2) there */
	int32_t unprivileged_bpf_disabled, perf_event_paranoid, kptr_restrict, jit_enable, jit_harden; /* sysctls, or EBPF_SYSCTL_UNKNOWN */
	char lockdown[24];             /* "none", "integrity", "confidentiality"; "" = unknown, or the kernel has none */
	uint64_t memlock_soft, memlock_hard; /* RLIMIT_MEMLOCK in bytes; UINT64_MAX = no limit */
	enum ebpf_memory_accounting memory_accounting;
	char bpffs[256];               /* where a BPF file system is mounted; "" = nowhere */
	char token[256];               /* one of them that gives this process a BPF token (6.9); "" = none */
};
/* What can be found out; asks the kernel each time. */
EBPF_API void ebpf_kernel_privileges(struct ebpf_kernel *kernel, struct ebpf_privileges *out);
/* What they mean for one kind of work. */
struct ebpf_privilege {
	const char *name;              /* "tracing" */
	const char *what;              /* the types of programs, or the actions, that it stands for */
	bool allowed;
	uint64_t missing;              /* capabilities, as above */
	char why[192];                 /* why not; "" when it is allowed */
	char advice[320];              /* what to do; may be there also when it is allowed */
};
/* Kind `index`; -ENOENT past the end. */
EBPF_API int ebpf_kernel_privilege(const struct ebpf_privileges *have, size_t index, struct ebpf_privilege *out);
/* "net_admin" for 12; NULL for a number that is none. */
EBPF_API const char *ebpf_capability_name(unsigned number);
/* Takes RLIMIT_MEMLOCK away, against which kernels before 5.11 count the memory of maps and programs; loading and
 * creating do so by themselves. 1 when it was raised as far as this process may, 0 when there was no need, -errno when
 * the limit stays. */
EBPF_API int ebpf_kernel_remove_memlock(struct ebpf_kernel *kernel, struct ebpf_error *err);

/* A BPF token (6.9): what who mounted a BPF file system delegated to the processes of a user namespace. */
struct ebpf_token;
struct ebpf_token_info {
	uint64_t commands, map_types, program_types, attach_types; /* bit n: that of number n */
};
/* Reference-counted. `path` is the root of a BPF file system; NULL = the first of /proc/self/mountinfo that gives this process one. ENOENT when nothing
 * is delegated there, EPERM outside of its user namespace or without CAP_BPF in it, ENOTSUP before 6.9. */
EBPF_API int ebpf_token_open(struct ebpf_kernel *kernel, const char *path, struct ebpf_token **out, struct ebpf_error *err);
EBPF_API struct ebpf_token *ebpf_token_ref(struct ebpf_token *token);
EBPF_API void ebpf_token_close(struct ebpf_token *token);
EBPF_API const char *ebpf_token_path(const struct ebpf_token *token);
EBPF_API int ebpf_token_info(const struct ebpf_token *token, struct ebpf_token_info *info, struct ebpf_error *err); /* 6.17; EINVAL before */
/* From now on the context makes maps, programs and types by it, those of probes included; NULL = by none. Keeps a reference. */
EBPF_API void ebpf_kernel_use_token(struct ebpf_kernel *kernel, struct ebpf_token *token);
EBPF_API struct ebpf_token *ebpf_kernel_token(const struct ebpf_kernel *kernel); /* borrowed; NULL = none */

enum ebpf_object_kind { EBPF_OBJECT_PROGRAM, EBPF_OBJECT_MAP, EBPF_OBJECT_BTF, EBPF_OBJECT_LINK };
/* Walks the objects of the whole kernel (programs, maps 4.13; BTF 5.1; links 5.8): the next id above `after` (0 = the first): 1 and *id, 0 after the
 * last; EPERM without CAP_SYS_ADMIN. */
EBPF_API int ebpf_kernel_next_id(struct ebpf_kernel *kernel, enum ebpf_object_kind kind, uint32_t after, uint32_t *id, struct ebpf_error *err);
/* What runs at a perf event or raw tracepoint that a process has open as `fd` (4.18; CAP_SYS_ADMIN). ENOENT when no program does. */
struct ebpf_task_fd {
	uint32_t program_id;
	const char *kind;      /* "raw_tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe"; static memory */
	char name[256];        /* of the tracepoint, function or file */
	uint64_t offset, address; /* of a probe: within that, or by address where it has no name */
};
EBPF_API int ebpf_kernel_task_fd(struct ebpf_kernel *kernel, int32_t pid, int fd, struct ebpf_task_fd *out, struct ebpf_error *err);
/* What is pinned at a path of a BPF file system: a program, map or link. EACCES, EPERM or EINVAL for what is no pinned object. */
EBPF_API int ebpf_pin_kind(struct ebpf_kernel *kernel, const char *path, enum ebpf_object_kind *kind, struct ebpf_error *err);
/* Takes the name away; also an empty folder. EINVAL for a path that is on no BPF file system. The object goes when
 * nobody holds it any more. */
EBPF_API int ebpf_pin_remove(struct ebpf_kernel *kernel, const char *path, struct ebpf_error *err);
/* Walks over all that is pinned below a folder, by name, folders within it included. EINVAL for a folder that is on no
 * BPF file system. */
struct ebpf_pin_walk;
EBPF_API int ebpf_pin_walk_new(const char *folder, struct ebpf_pin_walk **out, struct ebpf_error *err);
/* 1 and the next path (memory valid until the next call), 0 = the end, -errno for a folder that cannot be read; then
 * the walk may go on. What vanishes meanwhile is left out. */
EBPF_API int ebpf_pin_walk_next(struct ebpf_pin_walk *walk, const char **path, struct ebpf_error *err);
EBPF_API void ebpf_pin_walk_free(struct ebpf_pin_walk *walk);
/* Lets the kernel count and time the runs of all programs (5.8) until the last who asked for it lets go. */
struct ebpf_stats;
EBPF_API int ebpf_stats_enable(struct ebpf_kernel *kernel, struct ebpf_stats **out, struct ebpf_error *err);
EBPF_API void ebpf_stats_close(struct ebpf_stats *stats);

/* ---- types: BTF ------------------------------------------------------------------------------- */

#include "ebpf_btf.h"

/* ---- instructions ------------------------------------------------------------------------------- */

/* One slot of RFC 9669 in host byte order; the wide load takes two. */
struct ebpf_insn {
	uint8_t code;
	uint8_t dst : 4, src : 4; /* a compiler fills the byte from the end that its machine's order of bytes begins with, as the format does */
	int16_t off;
	int32_t imm;
};

/* A stretch of code under construction: instructions, labels, and references by name. */
struct ebpf_block;
enum ebpf_reference {
	EBPF_REF_MAP,       /* wide load of a map's address: name = map */
	EBPF_REF_MAP_VALUE, /* wide load of an address inside a map's only value: name = map, addend = offset */
	EBPF_REF_CALL,      /* call of a function of this object */
	EBPF_REF_FUNCTION,  /* wide load of a function's address (callbacks) */
	EBPF_REF_EXTERN,    /* wide load of, or call to, an extern: name = ksym, kfunc or kconfig symbol */
	EBPF_REF_VARIABLE,  /* wide load of a global variable's address: name = variable, addend = offset; in a Spec it becomes a MAP_VALUE */
	EBPF_REF_JUMPS,     /* wide load of a jump table's address, which lies in its object: a block may show it, but no program is made of that */
};
/* Where an instruction came from: a line of source, or a remark. Line information for the verifier's log (5.0). */
struct ebpf_source_line {
	uint32_t insn;          /* the slot that it is about; it holds for those after it, up to the next line */
	const char *file, *text;/* "" when unknown */
	uint32_t number, column;/* from 1; 0 = unknown */
};
EBPF_API struct ebpf_block *ebpf_block_new(void);
EBPF_API void ebpf_block_free(struct ebpf_block *block);
/* Appends; a wide load (code 0x18) is appended as two slots with `wide` as its 64-bit immediate (insn.imm is not looked at).
 * EINVAL for what is no instruction of RFC 9669 or the kernel. */
EBPF_API int ebpf_block_add(struct ebpf_block *block, struct ebpf_insn insn, int64_t wide, struct ebpf_error *err);
/* Makes the last instruction refer to something by name: resolved when the Spec is loaded. Its src and immediate are set to what
 * the kind needs (a call's immediate to -1). EINVAL when the last instruction cannot refer to that. */
EBPF_API int ebpf_block_refer(struct ebpf_block *block, enum ebpf_reference kind, const char *name, int64_t addend,
			      struct ebpf_error *err);
/* Names the next instruction; EEXIST when the block has the label. A label may be jumped to before it is defined. */
EBPF_API int ebpf_block_label(struct ebpf_block *block, const char *name, struct ebpf_error *err);
/* Makes the last instruction, a jump or gotol, jump to a label. */
EBPF_API int ebpf_block_jump(struct ebpf_block *block, const char *label, struct ebpf_error *err);
/* Begins a function with the next instruction: `prototype` is its declaration in C, "static int sum(int a, struct pair *p)", whose name is a label
 * as well. In a Spec it becomes a function of its own with those types: a global one, verified by itself (5.6), unless it is static, as callbacks
 * must be. EINVAL when it has no name, EEXIST when the block has that label; the types are looked at by ebpf_spec_add_program. */
EBPF_API int ebpf_block_function(struct ebpf_block *block, const char *prototype, struct ebpf_error *err);
/* Says which line of source (or which remark) the last instruction stands for; line->insn is not looked at. Replaces what was said before. EINVAL in
 * an empty block. */
EBPF_API int ebpf_block_line(struct ebpf_block *block, const struct ebpf_source_line *line, struct ebpf_error *err);
/* Makes the last instruction subject to CO-RE when the Spec is loaded: of `type` ("struct task_struct", which the Spec's types must have) the part that
 * `access` names by numbers ("0:2": its third member). `kind` is one of enum bpf_core_relo_kind (EBPF_CORE_RELOCATION has their names). */
EBPF_API int ebpf_block_core(struct ebpf_block *block, uint32_t kind, const char *type, const char *access, struct ebpf_error *err);
/* Resolves the labels: ENOENT names one that is not defined, ERANGE a jump too far for 16 (or 32) bits, EINVAL a jump out of the block, into
 * the middle of a wide load or into another function, and a function without instructions. References of kind CALL and FUNCTION to a label of this
 * block are resolved too. May be called again after more has been added. */
EBPF_API int ebpf_block_finish(struct ebpf_block *block, struct ebpf_error *err);
EBPF_API const struct ebpf_insn *ebpf_block_insns(const struct ebpf_block *block, size_t *count);
/* The index-th label, jump to a label, and reference, in the order in which they were added, for who wants to take a block apart; false
 * past the last. Names belong to the block. */
EBPF_API bool ebpf_block_get_label(const struct ebpf_block *block, size_t index, const char **name, uint32_t *insn);
EBPF_API bool ebpf_block_get_jump(const struct ebpf_block *block, size_t index, const char **label, uint32_t *insn);
EBPF_API bool ebpf_block_get_reference(const struct ebpf_block *block, size_t index, enum ebpf_reference *kind, const char **name,
				       int64_t *addend, uint32_t *insn);
EBPF_API bool ebpf_block_get_function(const struct ebpf_block *block, size_t index, const char **prototype, uint32_t *insn);
EBPF_API bool ebpf_block_get_line(const struct ebpf_block *block, size_t index, struct ebpf_source_line *line);
EBPF_API bool ebpf_block_get_core(const struct ebpf_block *block, size_t index, uint32_t *kind, const char **type, const char **access,
				  uint32_t *insn);
/* Appends what a text says, one instruction a line: the syntax that ebpf_insn_print writes, verifier logs and llvm-objdump's listings (-d, -S, -r).
 * Empty lines, comments (from ';', '//' or '#'), "12:" and "(b7)" before an instruction, and "name:" as a label are fine; a prototype with a colon
 * behind it begins a function ("int sum(int a):"). A line that begins with ';' is the source line of the instruction after it; " @ file.c:12:3" at its
 * end says where that is.
 * Names: `goto name`; `r1 = map name ll`, `r1 = map_value name+8 ll`, `r1 = var name+4 ll`, `r1 = func name ll`, `r1 = extern name ll`; `call name`
 * of a helper, else of a function; `call kfunc name`. EINVAL and ERANGE name line and column; then the block is good for ebpf_block_free() only. */
EBPF_API int ebpf_block_parse(struct ebpf_block *block, const char *text, struct ebpf_error *err);
/* Appends machine code, 8 bytes a slot; `swapped`: in the other byte order than the host's. EINVAL as ebpf_block_add, and for a cut wide load. */
EBPF_API int ebpf_block_decode(struct ebpf_block *block, const void *data, size_t size, bool swapped, struct ebpf_error *err);
/* The block as machine code: 8 bytes for each slot into `out`. */
EBPF_API void ebpf_block_encode(const struct ebpf_block *block, bool swapped, void *out);
/* One instruction as the kernel's verifier prints it ("r0 = 2", "if r1 > 0x5 goto pc+2"), at most `size` bytes with the NUL.
 * A wide load has " ll" behind it, so that the text alone says which instruction it is ("r0 = 0x5 ll"; "r1 = map[fd:4] ll").
 * `next` is the second slot of a wide load or NULL. Returns the length that it wanted, as snprintf. */
EBPF_API int ebpf_insn_print(const struct ebpf_insn *insn, const struct ebpf_insn *next, char *text, size_t size);

/* ---- Spec: what an object is, before any kernel --------------------------------------------------- */

/* The members below are meant to be read and edited before loading; allocate through the functions only.
 * All memory belongs to the Spec and goes with it: free no member, and give the pointers among them nothing that does not outlive the Spec.
 * Members may be appended in later versions. */
struct ebpf_map_spec {
	char *name;            /* as libbpf names it: "events", "my_objec.rodata", ".data.custom" */
	uint32_t type, key_size, value_size, max_entries, flags; /* load rounds a ring's size and drops BPF_F_MMAPABLE (5.5) as the kernel needs */
	uint32_t numa_node;
	uint64_t map_extra;
	bool pin_by_name;      /* LIBBPF_PIN_BY_NAME */
	bool autocreate;       /* false: not created; references are poisoned */
	uint32_t key_type_id, value_type_id; /* in spec->btf; 0 = unknown */
	struct ebpf_map_spec *inner;         /* template of a map-in-map, or NULL */
	uint8_t *data;         /* initial bytes of a data section or struct_ops (value_size of them, as they are in the object); NULL = zeros */
	bool frozen;           /* .rodata: frozen after population */
	const char *section;   /* ".maps", ".rodata", ...; NULL when made by hand */
	struct ebpf_map_value *values;       /* initial elements of a map-in-map or prog array, functions of a struct_ops; sorted by index */
	size_t value_count;
	bool autoattach;       /* struct_ops: attached with the collection; true from the start */
	const char *const *tags; /* texts of btf_decl_tag about it, tag_count of them; so for programs and variables */
	size_t tag_count;
};
struct ebpf_map_value {
	uint32_t index;        /* the key, or the number of the struct_ops' member */
	char *name;            /* of a map, or of a program */
};
struct ebpf_program_spec {
	char *name;            /* the function's */
	char *section;         /* as written: "tracepoint/syscalls/sys_enter_openat", without a leading '?' */
	uint32_t type, attach_type, flags;
	char *attach_to;       /* what follows the slash, or NULL */
	bool autoload;         /* false for SEC("?...") */
	bool autoattach;
	uint32_t log_level;    /* verifier log level, 0 = only when the load fails */
	const char *license;   /* NULL = the Spec's */
	struct ebpf_function *function; /* internal: src/spec/spec.h */
	size_t insn_count;     /* of this function alone */
	uint32_t ifindex;      /* of the device that it is bound to (xdp with "xdp_dev_bound_only", 6.3; offload); 0 = none */
	int attach_target_fd;  /* program to replace or trace (freplace, fentry on BPF); 0 = none */
	const char *const *tags;
	size_t tag_count;
	bool optional;         /* the collection is loaded also when this program cannot be */
};
/* A global variable that is not hidden; sorted by section and offset. */
struct ebpf_variable_spec {
	char *name, *section;
	struct ebpf_map_spec *map;
	uint32_t offset, size; /* in its section; an arena's may lie elsewhere in the map, once loaded */
	uint32_t type_id;      /* of its value, in spec->btf; 0 = unknown */
	bool read_only;
	const char *const *tags;
	size_t tag_count;
};
struct ebpf_spec {
	char *name;            /* the object's: file name without directory and ".bpf.o"/".o" */
	char *license;         /* "" when there is none */
	bool big_endian;
	struct ebpf_btf *btf;  /* or NULL */
	struct ebpf_map_spec **maps;         /* .maps, data sections, .kconfig, struct_ops: the order of libbpf */
	size_t map_count;
	struct ebpf_program_spec **programs; /* by section and place in it: the order of libbpf */
	size_t program_count;
	struct ebpf_variable_spec **variables;
	size_t variable_count;
};

/* An empty Spec, to be filled by the functions below. */
EBPF_API struct ebpf_spec *ebpf_spec_new(const char *name, struct ebpf_error *err);
/* An ELF object of clang, GCC or a linker (bpftool gen object), in either byte order; with maps defined by BTF (.maps), or in the old forms of
 * section "maps": struct bpf_map_def and iproute2's struct bpf_elf_map (its pinning becomes pin_by_name). Besides the errno of the file: EINVAL for what is malformed, ENOENT for what it lacks (symbols, BTF, externs), ENOTSUP for what nobody loads any more or we cannot,
 * E2BIG for claims that its size cannot explain; messages name object, section and symbol. Static functions may lie in any section, and any
 * function may call one of another section, which libbpf refuses. */
EBPF_API int ebpf_spec_read_file(const char *path, struct ebpf_spec **out, struct ebpf_error *err);
/* The same from memory. `name` is the object's and may be NULL: maps of data sections begin with it ("my_objec.bss"). Makes no system call and keeps
 * nothing of `data`. */
EBPF_API int ebpf_spec_read(const void *data, size_t size, const char *name, struct ebpf_spec **out, struct ebpf_error *err);
EBPF_API void ebpf_spec_free(struct ebpf_spec *spec);
/* An object without what loading does not need (DWARF, notes, local labels): the same Spec from far fewer bytes, in the same byte order and the same for
 * the same input. *out is malloc'ed. Fails as ebpf_spec_read for what is no object; only its ELF structure is looked at. */
EBPF_API int ebpf_object_strip(const void *data, size_t size, void **out, size_t *out_size, struct ebpf_error *err);
/* A program from a finished block, which is consumed on success. What its references name may be added later, before loading. Functions in the
 * block (by ebpf_block_function, or because a call goes there) become functions of the Spec. `name` NULL: that of the function with which the block
 * begins, else the Spec's. EEXIST when there is one of that name, EINVAL for a block that is empty or not finished, and for a prototype that is none, ENOENT for
 * a type in one that nobody knows. `out` may be NULL. */
EBPF_API int ebpf_spec_add_program(struct ebpf_spec *spec, const char *name, uint32_t type, struct ebpf_block *block,
				   struct ebpf_program_spec **out, struct ebpf_error *err);
/* A map with nothing set but its name. EEXIST when there is one of that name. `out` may be NULL. */
EBPF_API int ebpf_spec_add_map(struct ebpf_spec *spec, const char *name, struct ebpf_map_spec **out, struct ebpf_error *err);
/* By name, or a data section's map by its section (".rodata"); NULL when there is none, as all three. */
EBPF_API struct ebpf_map_spec *ebpf_spec_find_map(const struct ebpf_spec *spec, const char *name);
EBPF_API struct ebpf_program_spec *ebpf_spec_find_program(const struct ebpf_spec *spec, const char *name);
EBPF_API struct ebpf_variable_spec *ebpf_spec_find_variable(const struct ebpf_spec *spec, const char *name);
EBPF_API int ebpf_spec_set_license(struct ebpf_spec *spec, const char *license, struct ebpf_error *err);
/* Replaces a section string: type, attach type, flags and attach_to follow from the table of sections; with a '?' in front autoload is switched
 * off. EINVAL for an unknown section; the hint names the nearest known one. */
EBPF_API int ebpf_program_spec_set_section(struct ebpf_program_spec *program, const char *section, struct ebpf_error *err);
/* Resizes a map's value (data sections keep their bytes, new ones are zero). A type that does not have that size is given up. */
EBPF_API int ebpf_map_spec_set_value_size(struct ebpf_map_spec *map, uint32_t size, struct ebpf_error *err);
/* The functions of a Spec, programs' own and those that they call, in the order of the object; NULL past the last, and when there is none of that
 * name (a global one comes before a static one). They belong to the Spec. */
struct ebpf_function;
EBPF_API struct ebpf_function *ebpf_spec_function(const struct ebpf_spec *spec, size_t index);
EBPF_API struct ebpf_function *ebpf_spec_find_function(struct ebpf_spec *spec, const char *name);
EBPF_API const char *ebpf_function_name(const struct ebpf_function *function);
EBPF_API const char *ebpf_function_section(const struct ebpf_function *function); /* NULL of one that was not compiled */
EBPF_API bool ebpf_function_is_global(const struct ebpf_function *function);
EBPF_API const struct ebpf_insn *ebpf_function_insns(const struct ebpf_function *function, size_t *count);
/* Its declaration in C, "int sum(int a, struct pair *p)", at most `size` bytes with the NUL. Returns the length that it wanted, as snprintf; 0 when its
 * types are not known. */
EBPF_API size_t ebpf_function_prototype(const struct ebpf_spec *spec, const struct ebpf_function *function, char *text, size_t size);
/* A new block with the code of a function: jumps to labels ("L7": to slot 7), references by name, lines of source and CO-RE; what a program made of it
 * by ebpf_spec_add_program does is the same. What is no instruction is in it as it is. */
EBPF_API int ebpf_function_block(const struct ebpf_spec *spec, const struct ebpf_function *function, struct ebpf_block **out,
				 struct ebpf_error *err);
/* The index-th of its CO-RE relocations, for people: "<byte_off> struct task_struct.pid (0:55)". False past the last. */
EBPF_API bool ebpf_function_get_core(const struct ebpf_spec *spec, const struct ebpf_function *function, size_t index, uint32_t *insn,
				     char *text, size_t size);
/* The variable at an offset of a data section's map, or the one that covers it; NULL when there is none. */
EBPF_API struct ebpf_variable_spec *ebpf_spec_variable_at(const struct ebpf_spec *spec, const struct ebpf_map_spec *map, uint64_t offset);
/* Functions of a struct_ops map, by the name of the member: false when its struct has no such function; *program is NULL where none is set.
 * (Other members are bytes of map->data, laid out as map->value_type_id says.) */
EBPF_API bool ebpf_map_spec_get_function(const struct ebpf_map_spec *map, const char *member, const char **program);
/* Puts a program of the Spec in the place of a function, to be loaded with it, or none (NULL). The one that was there is not loaded any more,
 * unless another member has it. ENOENT for a member or program that is not there, EINVAL for a program of another type. */
EBPF_API int ebpf_map_spec_set_function(struct ebpf_map_spec *map, const char *member, const char *program, struct ebpf_error *err);
/* Says of what type of the object a map's values are, or the records of a ring or perf buffer whose definition leaves that open. EINVAL for a type
 * of another size than the values, and for a data section's map. */
EBPF_API int ebpf_map_spec_set_value_type(struct ebpf_map_spec *map, uint32_t type_id, struct ebpf_error *err);
/* Where a variable's initial bytes are (variable->size of them, in the object's byte order), for reading and writing; NULL when out of
 * memory, or when its map was made too small for it. Valid until the map is resized. */
EBPF_API void *ebpf_variable_spec_data(struct ebpf_variable_spec *variable);

/* The types of a target kernel that the CO-RE relocations of these objects look at, and no others: for kernels that have no BTF themselves. Loaded with
 * them (btf_path), an object becomes what it would with the whole, but for the numbers of types. EINVAL as loading, for a relocation that is ambiguous. */
EBPF_API int ebpf_btf_minimize(struct ebpf_btf *target, struct ebpf_spec *const *specs, size_t count, struct ebpf_btf **out,
			       struct ebpf_error *err);

/* ---- Collection: what was loaded ------------------------------------------------------------------- */

struct ebpf_map;
struct ebpf_program;
struct ebpf_link;
struct ebpf_variable {
	const char *name;
	struct ebpf_map *map;
	uint32_t offset, size, type_id;
	bool read_only;
};
/* Owns one reference to each map and program. */
struct ebpf_collection {
	struct ebpf_kernel *kernel;
	struct ebpf_btf *btf; /* the Spec's, or NULL */
	struct ebpf_map **maps;
	char **map_names;               /* as the Spec calls them: a map that was there before may have another name of its own */
	size_t map_count;
	struct ebpf_program **programs; /* only those that were loaded */
	size_t program_count;
	struct ebpf_variable *variables;
	size_t variable_count;
	struct ebpf_load_failure *failures; /* the programs that could not be loaded and did not have to */
	size_t failure_count;
};
struct ebpf_strings {
	const char *const *items;
	size_t count;
};
struct ebpf_load_failure {
	char *program;
	struct ebpf_error error;
	bool optional;                  /* else there is an alternative that was loaded, or all of these are optional */
};
struct ebpf_load_options {
	size_t size;
	const char *pin_dir;      /* where maps with pin_by_name live; NULL = /sys/fs/bpf */
	const char *btf_path;     /* types of the target kernel instead of its own, for CO-RE alone; NULL = its own */
	uint32_t log_level;       /* for every program; its log is kept even when the load succeeds */
	const char *const *programs; /* NULL = all that autoload; else the names of those to load */
	size_t program_count;
	const struct ebpf_map_replacement *replacements; /* maps to use instead of creating them */
	size_t replacement_count;
	const char *kconfig;      /* text in the format of .config instead of the running kernel's; NULL = its own */
	uint32_t log_size;        /* bytes that the log has room for at first: it grows as needed; 0 = 1 MiB */
	bool log_disabled;        /* one try without a log: a refusal is not explained by the verifier's words */
	struct ebpf_token *token; /* to make all of it by; NULL = that of the context, if it has one */
	struct ebpf_strings optional; /* programs that may fail, beside those of which the Spec says so */
	bool all_optional;
	/* Groups of programs of which one is wanted: { "f_fentry", "f_kprobe" }. They load whatever their autoload is, in that order, until one has loaded that
	 * is sure to attach (tracing programs and LSM, where the kernel runs such); the load fails only when none of a group can be loaded. */
	const struct ebpf_strings *alternatives;
	size_t alternative_count;
};
struct ebpf_map_replacement {
	const char *name;
	struct ebpf_map *map;     /* referenced, not consumed */
};
/* Maps first, then programs, then the values that refer to programs. The Spec may be freed afterwards or loaded again.
 * A ring buffer NAME beside a constant NAME_perf (EBPF_EVENTS of records.bpf.h) becomes a perf event array, and the constant 1, where the kernel has no ring
 * buffers (before 5.8), where the constant is set already, or where such a map is given for it; ebpf_ring_open_any reads either. Constants that are
 * read one by one, __kconfig ones too, become parts of the code where the kernel has no global data (before 5.2); other uses are ENOTSUP there. */
EBPF_API int ebpf_collection_load(struct ebpf_spec *spec, struct ebpf_kernel *kernel, const struct ebpf_load_options *options,
				  struct ebpf_collection **out, struct ebpf_error *err);
EBPF_API void ebpf_collection_free(struct ebpf_collection *collection);
EBPF_API struct ebpf_map *ebpf_collection_map(const struct ebpf_collection *collection, const char *name);
EBPF_API struct ebpf_program *ebpf_collection_program(const struct ebpf_collection *collection, const char *name);
/* Reads or writes a global variable of the running programs: through mapped memory, or by a copy where the kernel (before 5.5) cannot map it.
 * `data` has variable->size bytes. EPERM for one in .rodata. */
EBPF_API int ebpf_variable_get(const struct ebpf_variable *variable, void *data, struct ebpf_error *err);
EBPF_API int ebpf_variable_set(const struct ebpf_variable *variable, const void *data, struct ebpf_error *err);

/* ---- maps -------------------------------------------------------------------------------------------- */

/* A map in the kernel. Reference-counted; the last ebpf_map_close closes the descriptor. */
struct ebpf_map_info {
	char name[16];
	uint32_t type, id, key_size, value_size, max_entries, flags, btf_id, key_type_id, value_type_id;
	uint64_t map_extra;
	bool frozen;
};
EBPF_API int ebpf_map_create(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, struct ebpf_map **out,
			     struct ebpf_error *err);
/* The same with types by name, as ebpf_layout_from_name reads them ("u32", "char[16]"; "struct flow" of `btf`): sizes that the
 * spec leaves 0 are theirs, elements have their layouts, and the kernel gets them as BTF where it takes any (4.18), for
 * bpf_spin_lock and its like in a value and for whoever looks at the map. Names may be NULL. Ring buffers and perf event arrays:
 * of the records. A storage (5.2) without names gets types of the right sizes from ebpf_map_create as well. */
struct ebpf_map_types {
	size_t size;           /* sizeof(struct ebpf_map_types) */
	const char *key, *value;
	struct ebpf_btf *btf;  /* or NULL; referenced by the map */
	const struct ebpf_map_types *inner; /* of spec->inner, or NULL */
};
EBPF_API int ebpf_map_create_typed(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_types *types,
				   struct ebpf_map **out, struct ebpf_error *err);
EBPF_API int ebpf_map_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_map **out, struct ebpf_error *err);
EBPF_API int ebpf_map_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_map **out, struct ebpf_error *err);
EBPF_API struct ebpf_map *ebpf_map_ref(struct ebpf_map *map);
EBPF_API void ebpf_map_close(struct ebpf_map *map);
EBPF_API int ebpf_map_fd(const struct ebpf_map *map);
EBPF_API const char *ebpf_map_name(const struct ebpf_map *map);
/* As created; id, btf_id and frozen ask the kernel. */
EBPF_API int ebpf_map_info(struct ebpf_map *map, struct ebpf_map_info *info, struct ebpf_error *err);
EBPF_API uint32_t ebpf_map_type(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_key_size(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_value_size(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_max_entries(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_flags(const struct ebpf_map *map);
EBPF_API uint64_t ebpf_map_extra(const struct ebpf_map *map);
/* Whether attaching the collection attaches it: a struct_ops map whose autoattach was left on. */
EBPF_API bool ebpf_map_autoattach(const struct ebpf_map *map);
/* Layouts of key and value (of one CPU's value), or NULL when nothing is known of them. Owned by the map. */
EBPF_API const struct ebpf_layout *ebpf_map_key_layout(const struct ebpf_map *map);
EBPF_API const struct ebpf_layout *ebpf_map_value_layout(const struct ebpf_map *map);
/* Takes ownership of the layouts (either may be NULL = leave as it is); EINVAL when a size differs. */
EBPF_API int ebpf_map_set_layouts(struct ebpf_map *map, struct ebpf_layout *key, struct ebpf_layout *value, struct ebpf_error *err);
/* The types of the object that the map came from, or NULL. Borrowed. */
EBPF_API struct ebpf_btf *ebpf_map_btf(const struct ebpf_map *map);
/* True for per-CPU types: a value then is ebpf_map_cpu_count() pieces, each of ebpf_map_cpu_stride() bytes. */
EBPF_API bool ebpf_map_is_percpu(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_cpu_count(const struct ebpf_map *map);
EBPF_API uint32_t ebpf_map_cpu_stride(const struct ebpf_map *map);
/* Bytes that a lookup writes: value_size, or all CPUs' pieces. */
EBPF_API size_t ebpf_map_lookup_size(const struct ebpf_map *map);
/* -ENOENT when there is no such key; then err is not filled (absence is no error). */
EBPF_API int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value, uint64_t flags, struct ebpf_error *err);
EBPF_API int ebpf_map_lookup_delete(struct ebpf_map *map, const void *key, void *value, uint64_t flags, struct ebpf_error *err);
enum { EBPF_ANY = 0, EBPF_NOEXIST = 1, EBPF_EXIST = 2, EBPF_F_LOCK = 4 };
EBPF_API int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, struct ebpf_error *err);
EBPF_API int ebpf_map_delete(struct ebpf_map *map, const void *key, struct ebpf_error *err);
/* One CPU's piece of a per-CPU value, value_size bytes: read in one step since 7.0, before by reading all pieces; written since 7.0 alone (ENOTSUP
 * before: writing all pieces back would undo what programs did meanwhile), without flags, which the kernel (7.3) does not look at then. ERANGE for a CPU that
 * cannot be. */
EBPF_API int ebpf_map_lookup_cpu(struct ebpf_map *map, const void *key, uint32_t cpu, void *value, struct ebpf_error *err);
EBPF_API int ebpf_map_update_cpu(struct ebpf_map *map, const void *key, uint32_t cpu, const void *value, struct ebpf_error *err);
/* Keys of an LPM trie as text, "10.0.0.0/8" and "2001:db8::/32" (without a length: all of it), for keys of 4 + 4 and 4 + 16 bytes. Parse: EINVAL for
 * what is no such address, or is not of the key's size; format: text of at least 64 bytes. */
EBPF_API bool ebpf_map_has_prefix_keys(const struct ebpf_map *map);
EBPF_API int ebpf_map_parse_prefix(const struct ebpf_map *map, const char *text, void *key, struct ebpf_error *err);
EBPF_API int ebpf_map_format_prefix(const struct ebpf_map *map, const void *key, char *text, size_t size);
/* Opens the map or program that an element of a map-in-map or prog array is; -ENOENT when there is no such element, err not filled. */
EBPF_API int ebpf_map_open_inner(struct ebpf_map *map, const void *key, struct ebpf_map **out, struct ebpf_error *err);
/* A descriptor of what an element belongs to, for the caller to give as a key (of 4 bytes) and then to close: the process or
 * (6.9) thread `pid` of a task_storage, the file at `path` of an inode_storage, the cgroup at `path` of a cgrp_storage; as a
 * value, of a cgroup_array. EINVAL for other maps: the key of an sk_storage is a socket's descriptor. */
EBPF_API bool ebpf_map_has_owners(const struct ebpf_map *map); /* as keys: a storage of tasks, inodes or cgroups */
EBPF_API bool ebpf_map_holds_owners(const struct ebpf_map *map); /* as values: a cgroup_array */
EBPF_API int ebpf_map_open_owner(struct ebpf_map *map, uint32_t pid, const char *path, struct ebpf_error *err);
EBPF_API void ebpf_map_close_owner(struct ebpf_map *map, int fd);
/* The stack with that id of a stack_trace map, the innermost frame first: how many frames were written. -ENOENT when it is not
 * there (any more; another with the same hash may have taken its place), err not filled. With BPF_F_STACK_BUILD_ID (4.17) user
 * frames are an offset into the file of a build id. */
struct ebpf_stack_frame {
	uint64_t address;      /* 0 when there is a build id */
	uint64_t offset;
	uint8_t build_id[20];
	bool has_build_id;
};
EBPF_API int ebpf_map_stack(struct ebpf_map *map, uint32_t id, struct ebpf_stack_frame *frames, size_t capacity, struct ebpf_error *err);
/* key == NULL: the first. -ENOENT after the last, err not filled. */
EBPF_API int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next, struct ebpf_error *err);
/* Maps an array of BPF_F_MMAPABLE (5.5), or an arena (6.9), into memory once; elements lie on multiples of 8 bytes, whole pages. ENOTSUP where that cannot be; read-only when
 * the map is frozen or .rodata. The memory is valid until the map is frozen or its last reference is closed. */
EBPF_API int ebpf_map_memory(struct ebpf_map *map, void **memory, size_t *size, bool *writable, struct ebpf_error *err);
EBPF_API int ebpf_map_freeze(struct ebpf_map *map, struct ebpf_error *err);
/* Lets it outlive this process, under a name in a BPF file system; a pin of this handle is moved there. */
EBPF_API int ebpf_map_pin(struct ebpf_map *map, const char *path, struct ebpf_error *err);
EBPF_API int ebpf_map_unpin(struct ebpf_map *map, struct ebpf_error *err);
/* Walks all elements: by batch lookup where kernel and type have it (5.6), else by next key; with a bound, so that a map that
 * others write cannot hold it up for ever. Keys deleted meanwhile are left out. Key by key, while others delete or replace,
 * the kernel may step over elements or give one twice (it goes on from the element that took the current one's place). */
struct ebpf_map_walk;
EBPF_API struct ebpf_map_walk *ebpf_map_walk_new(struct ebpf_map *map, struct ebpf_error *err);
/* 1 = the next element (memory valid until the next call), 0 = the end, -errno. */
EBPF_API int ebpf_map_walk_next(struct ebpf_map_walk *walk, const void **key, const void **value, struct ebpf_error *err);
EBPF_API void ebpf_map_walk_free(struct ebpf_map_walk *walk);
/* A walk that takes each element out of the map as it hands it over: by LOOKUP_AND_DELETE_BATCH (5.6, hashes), else one by one (5.14 in one
 * step; before, what a program adds between reading and deleting is lost). Elements of a batch that was read and not yet handed over when the
 * walk is freed are gone. */
EBPF_API struct ebpf_map_walk *ebpf_map_drain_new(struct ebpf_map *map, struct ebpf_error *err);
/* `*count` elements at once, keys and values packed one behind the other (a per-CPU value is all CPUs' pieces); `*count` becomes how many were
 * written, also on failure, when it is the index of the element that the kernel refused. By batch where kernel (5.6) and type have it. */
EBPF_API int ebpf_map_update_batch(struct ebpf_map *map, const void *keys, const void *values, uint32_t *count, uint64_t flags,
				   struct ebpf_error *err);
/* Deletes those of `*count` keys that are there; `*count` becomes how many were. */
EBPF_API int ebpf_map_delete_batch(struct ebpf_map *map, const void *keys, uint32_t *count, struct ebpf_error *err);
/* Deletes all elements; those of an array become zeros, a queue's are popped. EAGAIN when others fill it faster; ENOTSUP for rings, bloom filters,
 * arenas. */
EBPF_API int ebpf_map_clear(struct ebpf_map *map, struct ebpf_error *err);

/* ---- programs ------------------------------------------------------------------------------------------ */

struct ebpf_program_info {
	size_t size;           /* in: of the caller's struct; what lies behind it is left alone */
	char name[16];
	uint32_t type, id, xlated_size, jited_size, map_count, btf_id, verified_insns;
	uint8_t tag[8];        /* of the code as it was loaded, maps left out: 8 bytes of its SHA-1, since 6.18 of its SHA-256 */
	uint64_t load_time_ns; /* since boot */
	uint64_t run_time_ns, run_count, recursion_misses; /* run_time and run_count are 0 unless kernel.bpf_stats_enabled is set */
	uint64_t memlock;      /* bytes of memory, roughly; 0 = unknown */
	uint32_t uid;          /* of who loaded it */
	uint32_t ifindex;      /* of the device that it is bound to; 0 = none */
	uint32_t attach_btf_obj_id, attach_btf_id;         /* what it was loaded to be attached to, 5.17 */
	uint32_t function_count, line_count;
	bool gpl;
	char full_name[128];   /* more than the 15 characters of `name`, where its functions have types that this process may see (CAP_SYS_ADMIN) */
};
/* What the kernel made of a program: its translated instructions, and what is known of them. All memory belongs to the struct. */
struct ebpf_program_function {
	const char *name;      /* "" when the kernel does not tell */
	const char *prototype; /* as C declares it; "" when its types are not known */
	uint32_t insn;         /* its first slot */
	uint32_t jited_offset, jited_size; /* its machine code within `jited`; 0, 0 = not known */
	uint64_t address;      /* of its machine code; 0 = hidden, or not compiled */
	uint8_t tag[8];
};
struct ebpf_program_reference {
	uint32_t insn;
	enum ebpf_reference kind; /* MAP, MAP_VALUE, CALL, FUNCTION; EXTERN: a call of a function of the kernel: a helper, what stands in for it, a kfunc */
	const char *name;      /* "" when it is not known */
	uint32_t id;           /* of the map */
	int64_t addend;        /* MAP_VALUE: offset into the value */
};
struct ebpf_program_code {
	const struct ebpf_insn *insns; /* NULL when the kernel does not show them (without CAP_BPF; kernel.bpf_jit_harden) */
	size_t insn_count;
	const struct ebpf_program_function *functions; /* by slot; the first is the program's own; at least one */
	size_t function_count;
	const struct ebpf_program_reference *references; /* by slot */
	size_t reference_count;
	const struct ebpf_source_line *lines;          /* by slot */
	const uint64_t *line_addresses;                /* where the machine code of each line begins; NULL = hidden, or not compiled */
	size_t line_count;
	const uint8_t *jited;                          /* machine code; NULL when it is hidden (kernel.kptr_restrict) or there is none */
	size_t jited_size;
	const uint32_t *map_ids;
	size_t map_count;
	bool insns_hidden, jited_hidden;               /* there is some, but the kernel does not show it to this process */
};
EBPF_API struct ebpf_program *ebpf_program_ref(struct ebpf_program *program);
EBPF_API void ebpf_program_close(struct ebpf_program *program);
EBPF_API int ebpf_program_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_program **out, struct ebpf_error *err);
EBPF_API int ebpf_program_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_program **out, struct ebpf_error *err);
/* Takes over a descriptor of a program, also when it fails (its number may change). EINVAL for one of something else. */
EBPF_API int ebpf_program_open_fd(struct ebpf_kernel *kernel, int fd, struct ebpf_program **out, struct ebpf_error *err);
EBPF_API int ebpf_program_fd(const struct ebpf_program *program);
EBPF_API const char *ebpf_program_name(const struct ebpf_program *program);
EBPF_API uint32_t ebpf_program_type(const struct ebpf_program *program);
EBPF_API uint32_t ebpf_program_attach_type(const struct ebpf_program *program);
EBPF_API const char *ebpf_program_section(const struct ebpf_program *program);   /* NULL when unknown */
EBPF_API const char *ebpf_program_attach_to(const struct ebpf_program *program); /* NULL when unknown */
/* The verifier's log of a successful load with a log level, or NULL. */
EBPF_API const char *ebpf_program_log(const struct ebpf_program *program);
/* Whether attaching the collection attaches it: autoattach of its Spec. Not struct_ops programs, which their map attaches. */
EBPF_API bool ebpf_program_autoattach(const struct ebpf_program *program);
/* What the load said of it: that it may fail; and from 1 on, to which of struct ebpf_load_options' alternatives it belongs (0 = to none). Of these one is
 * to be attached, the first that can be, in the order of the collection. */
EBPF_API bool ebpf_program_optional(const struct ebpf_program *program);
EBPF_API uint32_t ebpf_program_group(const struct ebpf_program *program);
EBPF_API int ebpf_program_info(struct ebpf_program *program, struct ebpf_program_info *info, struct ebpf_error *err);
/* Asks the kernel for its code (4.13; functions and lines 5.0). What may not be seen is left out, and is no error. Maps and functions are named as
 * far as this process may look at them. */
EBPF_API int ebpf_program_code_read(struct ebpf_program *program, struct ebpf_program_code **out, struct ebpf_error *err);
EBPF_API void ebpf_program_code_free(struct ebpf_program_code *code);
/* Keeps a map alive as long as the program (5.10), as loading does with the constants of its object. */
EBPF_API int ebpf_program_bind_map(struct ebpf_program *program, int map_fd, struct ebpf_error *err);
/* Says which struct_ops map a program of another type works for (7.0): kfuncs that it calls find the map's functions by it. Once; EBUSY. */
EBPF_API int ebpf_program_associate(struct ebpf_program *program, int map_fd, struct ebpf_error *err);
/* Takes what the program has written since (6.17): how many bytes, 0 = nothing is left. STDOUT is what it printed by bpf_stream_vprintk, STDERR what the
 * kernel reports of its faults (an arena's page that is not there, a loop without end). */
enum ebpf_stream { EBPF_STDOUT = 1, EBPF_STDERR };
EBPF_API int64_t ebpf_program_stream_read(struct ebpf_program *program, enum ebpf_stream stream, void *data, size_t size,
					  struct ebpf_error *err);
/* Lets it outlive this process, under a name in a BPF file system; a pin of this handle is moved there. */
EBPF_API int ebpf_program_pin(struct ebpf_program *program, const char *path, struct ebpf_error *err);
EBPF_API const char *ebpf_program_pin_path(const struct ebpf_program *program); /* where this handle has pinned or opened it; NULL = nowhere */
EBPF_API int ebpf_program_unpin(struct ebpf_program *program, struct ebpf_error *err);
struct ebpf_run_options {
	size_t size;
	const void *data;      /* packet or argument bytes */
	size_t data_size;
	void *data_out;        /* buffer for what comes out, or NULL */
	size_t data_out_size;  /* in: capacity; out: bytes that the kernel had (ENOSPC when more than fit) */
	const void *context;   /* struct __sk_buff, xdp_md, ... or NULL */
	size_t context_size;
	void *context_out;
	size_t context_out_size;
	uint32_t repeat;       /* how many runs; 0 = one */
	uint32_t flags;        /* enum ebpf_run_flags */
	uint32_t cpu;          /* with EBPF_RUN_ON_CPU */
	uint32_t batch_size;   /* with EBPF_RUN_LIVE_FRAMES: frames that are processed at once; 0 = 64 */
	uint32_t retval;       /* out: of the last run */
	uint32_t duration_ns;  /* out: mean of one run */
};
enum ebpf_run_flags {
	EBPF_RUN_ON_CPU = 1,             /* raw tracepoints, 5.10: on `cpu` */
	EBPF_RUN_LIVE_FRAMES = 2,        /* xdp, 5.18: what the program says is done with `repeat` frames; they leave by their device */
	EBPF_RUN_CHECKSUM_COMPLETE = 4,  /* skb types: the packet comes with its checksum, and the result's is checked */
};
/* BPF_PROG_RUN: packets of socket filters, tc, xdp, cgroup_skb, lwt and sk_skb programs 4.12; flow dissectors 5.1, tracing programs (which run as often as
 * the kernel's own test functions are called) 5.7, raw tracepoints 5.10, socket look-ups 5.13, syscall programs 5.14, netfilter 6.4, struct_ops of
 * bpf_dummy_ops 5.16. A context comes out again but of raw tracepoints (context_out_size 0); of live frames nothing does. A run that a signal ended (EINTR) begins anew, all
 * `repeat` of it: what the program did before has been done twice. ENOTSUP names a type that cannot be run. */
EBPF_API int ebpf_program_run(struct ebpf_program *program, struct ebpf_run_options *options, struct ebpf_error *err);

/* ---- links and USDT --------------------------------------------------------------------------------------- */

#include "ebpf_link.h"

/* ---- the ring buffer ------------------------------------------------------------------------------------------ */

/* A reader of one BPF_MAP_TYPE_RINGBUF map (5.8). Keeps a reference to the map. One reader per map; of a reader one thread at a time, but for
 * ebpf_ring_flush. */
struct ebpf_ring;
EBPF_API int ebpf_ring_open(struct ebpf_map *map, struct ebpf_ring **out, struct ebpf_error *err);
EBPF_API void ebpf_ring_close(struct ebpf_ring *ring);
/* A ring with BPF_F_RB_OVERWRITE (6.19) gives what is left of the oldest records; then a record is valid until the next one is
 * asked for. */
EBPF_API struct ebpf_map *ebpf_ring_map(const struct ebpf_ring *ring);
/* For a loop of the caller's: readable when a record is there, and after ebpf_ring_flush, until ebpf_ring_wait (which may be with a time of 0) has found nothing
 * more to read. The reader's own; made at the first call. */
EBPF_API int ebpf_ring_fd(struct ebpf_ring *ring);
/* Bytes that the ring has room for; of a perf buffer all CPUs' rings together. */
EBPF_API uint64_t ebpf_ring_size(const struct ebpf_ring *ring);
/* Bytes that wait behind the records seen so far, headers included. */
EBPF_API uint64_t ebpf_ring_available(const struct ebpf_ring *ring);
/* The next record, in place: 1 with data and size, 0 when there is none (or the next is still being written). Discarded records are stepped over.
 * The record stays valid until ebpf_ring_release(), which gives the space of all records seen so far back to the kernel: call it now and then, since
 * programs drop records when the ring is full. -EBADMSG when what is there is no record: another reader has moved the ring; -EBUSY from a
 * callback of ebpf_ring_consume. */
EBPF_API int ebpf_ring_next(struct ebpf_ring *ring, const void **data, size_t *size);
EBPF_API void ebpf_ring_release(struct ebpf_ring *ring);
/* Calls back for each record that is there, at most `limit` (0 = all, but no more than one lap of the ring); a negative result stops, after that record,
 * and is returned, as are the errors of ebpf_ring_next. Otherwise returns how many there were. Space is given back on the way, not record by
 * record. The callback returns always (no longjmp past it), and must not read the ring; it may close it, which then ends the call. */
typedef int (*ebpf_record_fn)(void *context, const void *data, size_t size);
EBPF_API int64_t ebpf_ring_consume(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit);
/* A reader of one BPF_MAP_TYPE_PERF_EVENT_ARRAY map (4.4), of the records that programs write by bpf_perf_event_output: the same object, read by the
 * functions of a ring buffer. What differs: a ring for each CPU, read in turns; a record has up to 7 bytes more than the program wrote (the kernel
 * fills up to a multiple of 8) and is valid until the next one is asked for; records that found no space are counted by the kernel. Closing it takes
 * its CPUs out of the map: keep the map open as long as programs write, since the kernel empties one whose last descriptor is closed. */
struct perf_event_attr;
/* Called while a perf buffer is read, for each record that is none of a program's and no count of lost ones: PERF_RECORD_COMM and such, which only an
 * own `attr` asks for. `record` begins with struct perf_event_header. Returns always, and must neither read nor close the reader. */
typedef void (*ebpf_other_fn)(void *context, int cpu, const void *record, size_t size);
struct ebpf_perf_options {
	size_t size;
	uint32_t buffer_size;   /* bytes for each CPU, rounded up to a power of two of pages; 0 = 64 KiB */
	uint32_t wakeup_events; /* readable after so many records; 0 = 1 */
	uint32_t wakeup_bytes;  /* or after so many bytes */
	bool overwrite;         /* 4.7: old records are overwritten; read from the newest back, between ebpf_ring_pause and ebpf_ring_resume */
	bool ordered;           /* by the time of writing over all CPUs, as far as the records are there; 8 bytes more for each */
	const uint32_t *cpus;   /* rings for these alone: on another CPU the program is refused (ENOENT); NULL = all */
	size_t cpu_count;
	/* The events as perf_event_open(2) is to make them: what samples carry (ebpf_ring_sample), other records, the clock. Copied; `size` is its size. EINVAL
	 * for another event than PERF_COUNT_SW_BPF_OUTPUT, a sample_type without PERF_SAMPLE_RAW or with PERF_SAMPLE_READ, one that is `disabled`,
	 * write_backward without `overwrite`, and wake-ups in both places. `ordered` adds PERF_SAMPLE_TIME, by CLOCK_MONOTONIC unless use_clockid. */
	const struct perf_event_attr *attr;
	ebpf_other_fn other;    /* or NULL: they are counted only, ebpf_ring_others */
	void *other_context;
	uint64_t refresh_ns;    /* ebpf_ring_refresh by itself, so often, while the reader is read or waited for; 0 = never */
};
/* `options` may be NULL. CPUs that are offline are left out: ebpf_ring_refresh. */
EBPF_API int ebpf_ring_open_perf(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out,
			    struct ebpf_error *err);
/* The reader that the map's type calls for: ebpf_ring_open or ebpf_ring_open_perf. `options` may be NULL and are for a perf buffer. */
EBPF_API int ebpf_ring_open_any(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out,
				struct ebpf_error *err);
/* Perf buffers: takes in CPUs that have come online since, also those that were there before and have been offline: how many. Of the latter what they wrote
 * before is to be read first. */
EBPF_API int ebpf_ring_refresh(struct ebpf_ring *ring, struct ebpf_error *err);
/* Of a ring buffer the program alone sees that a record finds no space. It counts them in an array or per-CPU array of one u64 (records.bpf.h), which
 * the ring reads from now on; it keeps a reference. For a perf buffer, whose losses the kernel counts, it is added to these. EINVAL for another map. */
EBPF_API int ebpf_ring_set_lost(struct ebpf_ring *ring, struct ebpf_map *map, struct ebpf_error *err);
/* How many records found no space: of a perf buffer, as far as the rings have been read; of a ring buffer since its program was loaded, 0 without a map
 * that counts. */
EBPF_API uint64_t ebpf_ring_lost(const struct ebpf_ring *ring);
/* Those of one CPU (-1: all together) that have not been told yet; 0 = no more. */
EBPF_API uint64_t ebpf_ring_take_lost(struct ebpf_ring *ring, int *cpu);
/* Rings with BPF_F_RB_OVERWRITE: bytes of records, headers included, that were written over before they were read, as far as the
 * ring has been read. */
EBPF_API uint64_t ebpf_ring_overwritten(const struct ebpf_ring *ring);
/* Of the last record: the CPU that wrote it (-1 in a ring buffer), and when, in ns, with `ordered` of CLOCK_MONOTONIC; with an attr that has PERF_SAMPLE_TIME of
 * its clock, which is perf's own if it neither names one nor is `ordered`. */
EBPF_API int ebpf_ring_cpu(const struct ebpf_ring *ring);
EBPF_API uint64_t ebpf_ring_time(const struct ebpf_ring *ring);
/* What the last record of a perf buffer with an own attr carries beside the program's bytes. `parts` are the PERF_SAMPLE_ bits of what is set; `id` is that
 * of IDENTIFIER too. The call chain has marks of the kernel's between its addresses (PERF_CONTEXT_KERNEL, PERF_CONTEXT_USER). `rest` is what follows the
 * program's bytes (registers, stacks, cgroup, ...), as perf_event_open(2) lays it out. Pointers are good as long as the record. */
struct ebpf_sample {
	size_t size;  /* sizeof, set by the caller */
	uint64_t parts;
	uint64_t ip, time, addr, id, stream_id, period;
	uint32_t pid, tid, cpu;
	const uint64_t *callchain;
	uint64_t callchain_count;
	const void *rest;
	size_t rest_size;
};
/* false = there is no last record (of a ring buffer never), or its space has been given back. */
EBPF_API bool ebpf_ring_sample(const struct ebpf_ring *ring, struct ebpf_sample *sample);
/* "comm", "fork", ... of a PERF_RECORD_; NULL of one that is not known. */
EBPF_API const char *ebpf_perf_record_name(uint32_t type);
/* Records of a perf buffer that were neither samples nor counts of lost ones, as far as it has been read. */
EBPF_API uint64_t ebpf_ring_others(const struct ebpf_ring *ring);
/* Perf buffers (4.7): while paused, what programs write is dropped (and counted as lost). ENOTSUP for a ring buffer. */
EBPF_API int ebpf_ring_pause(struct ebpf_ring *ring, struct ebpf_error *err);
EBPF_API int ebpf_ring_resume(struct ebpf_ring *ring, struct ebpf_error *err);
/* Waits up to `timeout_ms` (-1 = for ever) until there is a record: 1, or 0 when the time is over, or the reader was flushed; -EINTR on a signal. Gives back the
 * space of the records seen so far, as ebpf_ring_release does. */
EBPF_API int ebpf_ring_wait(struct ebpf_ring *ring, int timeout_ms, struct ebpf_error *err);
/* Whoever waits is to take what is there, however little of a watermark it is: ebpf_ring_wait returns 1 as long as there are records, and then 0, with
 * ebpf_ring_flushed saying that it was for this; if nobody waits, the next wait does. In a loop the ring's callback is called at once. From any thread,
 * and from a signal handler, as long as the reader is open. */
EBPF_API void ebpf_ring_flush(struct ebpf_ring *ring);
EBPF_API bool ebpf_ring_flushed(const struct ebpf_ring *ring);
/* One reader of several maps of either kind, read in turns of one lap at most; with `ordered` (perf buffers alone) by time over all of them. The functions
 * above are for all maps together: sums, whichever is ready, all or none paused; ebpf_ring_map, and ebpf_ring_cpu, _time and _sample, are of the last record.
 * `options` are those of ebpf_ring_open_perf, or NULL. EINVAL for no maps, and for one that is there twice. The array is not kept. */
EBPF_API int ebpf_ring_open_many(struct ebpf_map *const *maps, size_t count, const struct ebpf_perf_options *options, struct ebpf_ring **out,
				 struct ebpf_error *err);
/* How many maps; the number, from 0, of that of the last record; the reader of one map, which is to be asked and set up (ebpf_ring_set_lost,
 * _available, _take_lost, ...), but read, waited for and closed through the whole alone. */
EBPF_API size_t ebpf_ring_count(const struct ebpf_ring *ring);
EBPF_API size_t ebpf_ring_index(const struct ebpf_ring *ring);
EBPF_API struct ebpf_ring *ebpf_ring_part(const struct ebpf_ring *ring, size_t index);
/* ---- the user ring buffer: records that this process writes and a program reads ------------------------------- */

/* The writer of a user_ringbuf map (6.1), whose records a program takes out by bpf_user_ringbuf_drain(), in the order in which
 * they were reserved. One writer per map, one thread at a time. Holds a reference to the map; closing discards nothing that was
 * submitted. */
struct ebpf_user_ring;
EBPF_API int ebpf_user_ring_open(struct ebpf_map *map, struct ebpf_user_ring **out, struct ebpf_error *err);
/* Records that are reserved and neither submitted nor discarded are discarded, so that the program does not wait for them. */
EBPF_API void ebpf_user_ring_close(struct ebpf_user_ring *ring);
EBPF_API struct ebpf_map *ebpf_user_ring_map(const struct ebpf_user_ring *ring);
/* Bytes that no record takes at the moment; each record takes 8 more than its size, rounded up to 8. */
EBPF_API uint64_t ebpf_user_ring_room(const struct ebpf_user_ring *ring);
/* Room for a record of `size` bytes, which hold what was there before: to be filled, and submitted or discarded, before the ones
 * after it can be read. Waits up to `timeout_ms` (0 = not at all, negative = for ever) until programs have read enough; a
 * program that drains with BPF_RB_NO_WAKEUP wakes nobody. ENOSPC when there is no room then; E2BIG for a record that would never
 * have room, or that no program may read (16 MiB and more); EINTR. */
EBPF_API int ebpf_user_ring_reserve(struct ebpf_user_ring *ring, uint32_t size, int timeout_ms, void **record, struct ebpf_error *err);
EBPF_API void ebpf_user_ring_submit(struct ebpf_user_ring *ring, void *record);
EBPF_API void ebpf_user_ring_discard(struct ebpf_user_ring *ring, void *record);

/* ---- the loop -------------------------------------------------------------------------------------------------- */

/* Waits for many things at once and calls back. A callback may add and remove sources, itself included, and stop the loop.
 * A negative result of a callback stops the loop, which returns it. */
struct ebpf_loop;
struct ebpf_source;
typedef int (*ebpf_source_fn)(void *context, uint32_t events);
enum { EBPF_READ = 1, EBPF_WRITE = 4, EBPF_ERROR = 8, EBPF_HANGUP = 16 }; /* as EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */

EBPF_API int ebpf_loop_new(struct ebpf_loop **out, struct ebpf_error *err);
/* Removes all sources. Must not be called from a callback of this loop. */
EBPF_API void ebpf_loop_free(struct ebpf_loop *loop);
/* Calls back when the descriptor is ready, at once and again as long as it is (level-triggered); the caller keeps it open until the source is removed.
 * Of all sources: `out` may be NULL when the source is to live as long as the loop. EPERM for regular files and directories, EEXIST when the
 * loop has the descriptor already. */
EBPF_API int ebpf_loop_add_fd(struct ebpf_loop *loop, int fd, uint32_t events, ebpf_source_fn callback, void *context,
			      struct ebpf_source **out, struct ebpf_error *err);
/* Calls back when the ring has records; the callback drains it. The ring must outlive the source. */
EBPF_API int ebpf_loop_add_ring(struct ebpf_loop *loop, struct ebpf_ring *ring, ebpf_source_fn callback, void *context,
				struct ebpf_source **out, struct ebpf_error *err);
/* The same every `interval_ns`, for programs that are not to wake anybody (BPF_RB_NO_WAKEUP), and at once when the ring is flushed; `events` is how many times
 * it fell due, 0 for a flush. */
EBPF_API int ebpf_loop_add_ring_every(struct ebpf_loop *loop, struct ebpf_ring *ring, uint64_t interval_ns, ebpf_source_fn callback, void *context,
				      struct ebpf_source **out, struct ebpf_error *err);
/* First after `delay_ns`, then every `interval_ns` (0 = once); `events` of the callback is how many times it fell due since. One that fires once does
 * not keep the loop running after that, but stays to be removed if there is a pointer to it. */
EBPF_API int ebpf_loop_add_timer(struct ebpf_loop *loop, uint64_t delay_ns, uint64_t interval_ns, ebpf_source_fn callback,
				 void *context, struct ebpf_source **out, struct ebpf_error *err);
/* Blocks the signal for this thread while the source exists; `events` is its number. EBUSY when the loop already has it. What is pending when the
 * source is removed is dropped, and the signal is as it was before. */
EBPF_API int ebpf_loop_add_signal(struct ebpf_loop *loop, int signal, ebpf_source_fn callback, void *context,
				  struct ebpf_source **out, struct ebpf_error *err);
/* Calls back once, when the process ends. One that is a child of ours is reaped then: `events` is its status as of waitpid(2). Of another process nobody
 * tells how it ended: EBPF_STATUS_UNKNOWN. ESRCH when there is none, EINVAL for a thread. Linux 5.3 (pidfd_open(2)); ENOSYS before. */
#define EBPF_STATUS_UNKNOWN UINT32_MAX
EBPF_API int ebpf_loop_add_process(struct ebpf_loop *loop, int pid, ebpf_source_fn callback, void *context, struct ebpf_source **out,
				   struct ebpf_error *err);
/* From now on children are not reaped by this loop: it tells how they ended, and the program that has them waits for them itself, before or after. */
EBPF_API void ebpf_loop_leave_children(struct ebpf_loop *loop);
/* Takes NULL. From a callback too, its own source included: no callback of it is called any more. */
EBPF_API void ebpf_source_remove(struct ebpf_source *source);
/* How many sources can still call back. */
EBPF_API size_t ebpf_loop_count(const struct ebpf_loop *loop);
/* Dispatches until ebpf_loop_stop, or until no source is left: 0. A negative result is that of a callback (err is left alone), or an error of the loop's
 * own. Signals with a handler of the program's do not end it. */
EBPF_API int ebpf_loop_run(struct ebpf_loop *loop, struct ebpf_error *err);
/* One wait of at most `timeout_ms` (-1 = for ever, 0 = do not wait) and what became ready: how many callbacks were called. 0 also when a signal
 * handler of the program's interrupted the wait, and without waiting when no source is left to wait for ever for. */
EBPF_API int ebpf_loop_step(struct ebpf_loop *loop, int timeout_ms, struct ebpf_error *err);
/* From a callback: run and step return as soon as it does; what else was ready is delivered by the next one. */
EBPF_API void ebpf_loop_stop(struct ebpf_loop *loop);
/* Readable when a step would find something to do: for another program's own loop. */
EBPF_API int ebpf_loop_fd(const struct ebpf_loop *loop);

/* ---- sinks: what is done with records in C ------------------------------------------------------------------------ */

#include "ebpf_sink.h"

#ifdef __cplusplus
}
#endif
#endif
