/* kernel.h -- what is known of the running kernel.
 *
 * One context; everything in it is found when first asked for and kept until the context goes. Behaviour is never
 * chosen by comparing versions: features are probed, and a mask can pretend that one is missing. Nothing is mounted:
 * where tracefs is not, a detached mount (fsopen, 5.2) gives a directory descriptor that vanishes with the context.
 * Not here: kernel objects of ours (map, program, link).
 */
#ifndef EBPF_KERNEL_H
#define EBPF_KERNEL_H

#include "btf/btf.h"
#include "sys/sys.h"

/* ORDER FEATURE: rows of the table in feature.c */
enum ebpf_feature {
	EBPF_FEATURE_PROG_NAME, /* 4.15 object names */
	EBPF_FEATURE_NAME_DOTS, /* 5.2: dots in them */
	EBPF_FEATURE_GLOBAL_DATA, /* 5.2 */
	EBPF_FEATURE_BTF, /* 4.18 BPF_BTF_LOAD */
	EBPF_FEATURE_BTF_FUNC, /* 5.0 */
	EBPF_FEATURE_BTF_DATASEC, /* 5.2 */
	EBPF_FEATURE_BTF_GLOBAL_FUNC, /* 5.6 */
	EBPF_FEATURE_BTF_FLOAT, /* 5.13 */
	EBPF_FEATURE_BTF_DECL_TAG, /* 5.16 */
	EBPF_FEATURE_BTF_TYPE_TAG, /* 5.17 */
	EBPF_FEATURE_BTF_ENUM64, /* 6.0 */
	EBPF_FEATURE_VMLINUX_BTF, /* 5.4, a kernel built with it */
	EBPF_FEATURE_MODULE_BTF, /* 5.11 */
	EBPF_FEATURE_MMAP, /* 5.5 BPF_F_MMAPABLE arrays */
	EBPF_FEATURE_MAP_BATCH, /* 5.6 */
	EBPF_FEATURE_MAP_CPU, /* 7.0: BPF_F_CPU, one CPU's piece of a per-CPU value */
	EBPF_FEATURE_EXPECTED_ATTACH_TYPE, /* 4.17 */
	EBPF_FEATURE_PROBE_READ_KERNEL, /* 5.5 bpf_probe_read_kernel and its kin */
	EBPF_FEATURE_PROG_BIND_MAP, /* 5.10 */
	EBPF_FEATURE_MEMCG_ACCOUNT, /* 5.11: memory is accounted to the cgroup, not to RLIMIT_MEMLOCK */
	EBPF_FEATURE_RINGBUF, /* 5.8 */
	EBPF_FEATURE_CGROUP_MULTI, /* 4.15: several programs at one cgroup (BPF_F_ALLOW_MULTI) */
	EBPF_FEATURE_CGROUP_LINK, /* 5.7 */
	EBPF_FEATURE_CGROUP_ORDER, /* 6.17: a place among the programs of a cgroup */
	EBPF_FEATURE_NETNS_LINK, /* 5.8: flow dissectors of network namespaces by link (socket look-ups 5.9) */
	EBPF_FEATURE_SOCKMAP_LINK, /* 6.10 */
	EBPF_FEATURE_NETFILTER_LINK, /* 6.4, a kernel built with it */
	EBPF_FEATURE_XDP_LINK, /* 5.9 */
	EBPF_FEATURE_PERF_LINK, /* 5.15 */
	EBPF_FEATURE_TRACING_LINK, /* 5.19: BPF_LINK_CREATE for tracing and LSM programs; else BPF_RAW_TRACEPOINT_OPEN
				    */
	EBPF_FEATURE_KPROBE_MULTI, /* 5.18, a kernel built with fprobe: one link on many kernel functions */
	EBPF_FEATURE_KPROBE_SESSION, /* 6.10 */
	EBPF_FEATURE_UPROBE_MULTI, /* 6.6: one link on many places in a file */
	EBPF_FEATURE_UPROBE_MULTI_PID, /* 6.10: its `pid` is of a process, not of a thread */
	EBPF_FEATURE_UPROBE_SESSION, /* 6.13 */
	EBPF_FEATURE_TCX, /* 6.6: tc programs by link */
	EBPF_FEATURE_NETKIT, /* 6.7, a kernel built with it */
	EBPF_FEATURE_ITER, /* 5.8: iterators */
	EBPF_FEATURE_RAW_TP_COOKIE, /* 6.10: a cookie for raw tracepoints and tp_btf */
	EBPF_FEATURE_BPF_COOKIE, /* 5.15 bpf_get_attach_cookie */
	EBPF_FEATURE_KPROBE, /* a kernel built with kprobes */
	EBPF_FEATURE_PERF_KPROBE, /* 4.17: the kprobe PMU, else tracefs */
	EBPF_FEATURE_PERF_UPROBE, /* 4.17: the uprobe PMU, else tracefs */
	EBPF_FEATURE_UPROBE_REF_CTR, /* 4.20: a reference counter (USDT semaphore) in it */
	EBPF_FEATURE_TRAMPOLINE, /* 5.5: fentry, fexit; absent where the kernel refuses them */
	EBPF_FEATURE_SYSCALL_WRAPPER, /* 4.17: __x64_sys_ names */
	EBPF_FEATURE_ARG_CTX_TAG, /* 6.8: tags tell the context among the parameters of global functions */
	EBPF_FEATURE_WIDE_OFFSETS, /* 7.0: addresses within a map's value from 512 MiB on, as at the end of a large arena */
	EBPF_FEATURE_STRUCT_OPS_LINK, /* 6.4: struct_ops maps with BPF_F_LINK; else registered by their element */
	EBPF_FEATURE_TOKEN, /* 6.9: BPF tokens */
	EBPF_FEATURE_PROG_STREAM, /* 6.17: streams that programs write */
	EBPF_FEATURE_PROG_ASSOC_STRUCT_OPS, /* 7.0: the struct_ops map that a program works for */
	EBPF_FEATURE_COMMON_ATTRS, /* 7.2: every command takes a place for the kernel's words */
	EBPF_FEATURE_VERIFIER_REGISTERS, /* 6.15: a log of level 2 tells which registers each instruction reads */
	EBPF_FEATURE_COUNT
};
/* Row of a feature: "perf_link", "5.15". For messages. */
const char *ebpf_feature_name(enum ebpf_feature feature);
const char *ebpf_feature_since(enum ebpf_feature feature);
/* True when present and not masked. A probe that could not tell counts as absent here. */
bool ebpf_kernel_supports(struct ebpf_kernel *kernel, enum ebpf_feature feature);
/* True when it is to be taken as missing: what is tried before it is probed asks this first. */
bool ebpf_kernel_masked(const struct ebpf_kernel *kernel, enum ebpf_feature feature);
/* The name most like `name` among vmlinux's types of a kind, `prefix` ("btf_trace_" or "") left off, for "did you
 * mean". NULL when none is near. */
const char *ebpf_kernel_nearest_type(struct ebpf_kernel *kernel, const char *prefix, const char *name, uint32_t kind);
/* True when it is already known to be absent (masked, or probed before). Asks the kernel nothing: for a way that is
 * tried first and explained later. */
bool ebpf_kernel_lacks(const struct ebpf_kernel *kernel, enum ebpf_feature feature);

/* How many instructions a program may have: of old kernels, and of those since 5.2 (with CAP_BPF). */
enum { EBPF_OLD_INSTRUCTION_LIMIT = 4096, EBPF_INSTRUCTION_LIMIT = 1000000 };

const struct ebpf_sys *ebpf_kernel_sys(const struct ebpf_kernel *kernel);
/* A context on another table of system calls: tests. */
struct ebpf_kernel *ebpf_kernel_new_with(const struct ebpf_sys *sys, struct ebpf_error *err);
/* bpf(2) for BPF_MAP_CREATE, BPF_PROG_LOAD and BPF_BTF_LOAD, with the token of the context, if it has one; and what that does to
 * the attributes. (token.c) */
int ebpf_kernel_create(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, union bpf_attr *attr, size_t size);
void ebpf_kernel_add_token(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, union bpf_attr *attr, size_t *size);
/* After an EPERM: what the token does not allow; "" when the context uses none. */
void ebpf_kernel_explain_token(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, uint32_t type, uint32_t attach_type, char *text,
			       size_t size);
/* Pins a descriptor at a path; one that is pinned at *pinned (malloc'ed, or NULL) is moved there, without a moment in which it is
 * nowhere. *pinned becomes the new path. -errno. (pin.c) */
int ebpf_kernel_pin(const struct ebpf_kernel *kernel, int fd, char **pinned, const char *path);
/* CPUs that may ever exist: the length of a per-CPU value. */
int ebpf_kernel_cpu_count(struct ebpf_kernel *kernel, struct ebpf_error *err);
/* Calls setrlimit(RLIMIT_MEMLOCK) once where memory is accounted so (before 5.11); a failure is not an error. */
void ebpf_kernel_raise_memlock(struct ebpf_kernel *kernel);
/* A kernel object's name: at most 15 characters of [A-Za-z0-9_.]; "" where names are not known (before 4.15). */
void ebpf_kernel_object_name(struct ebpf_kernel *kernel, const char *name, char out[16]);

/* Modules with BTF of their own, in the order of their BTF ids. */
struct ebpf_module {
	char name[64];
	uint32_t btf_id;
};
int ebpf_kernel_modules(struct ebpf_kernel *kernel, const struct ebpf_module **out, size_t *count,
			struct ebpf_error *err);
struct ebpf_btf *ebpf_kernel_module_btf(struct ebpf_kernel *kernel, size_t index,
					struct ebpf_error *err); /* borrowed */
int ebpf_kernel_module_btf_fd(struct ebpf_kernel *kernel, size_t index, struct ebpf_error *err); /* borrowed */
/* What BTF this kernel does not take: EBPF_BTF_NO_... bits, of what is known already, or with `ask` of what is probed
 * now. */
uint32_t ebpf_kernel_btf_lacks(struct ebpf_kernel *kernel, bool ask);
/* BPF_BTF_LOAD: the descriptor, or -errno; `log` may be NULL. */
int ebpf_kernel_load_btf(struct ebpf_kernel *kernel, const void *data, size_t size, char *log, size_t log_size);
/* "func" or "module:func": looked up in vmlinux, then in the modules. `btf_fd` is 0 for vmlinux. ENOENT names what was
 * looked for. */
int ebpf_kernel_find_type(struct ebpf_kernel *kernel, const char *name, uint32_t kind, uint32_t *type_id, int *btf_fd,
			  struct ebpf_error *err);

/* Addresses by name from /proc/kallsyms, for a whole batch in one pass; an address stays 0 when the symbol is not
 * there. EPERM when the kernel hides addresses (kptr_restrict). */
int ebpf_kernel_symbols(struct ebpf_kernel *kernel, const char *const *names, uint64_t *addresses, size_t count,
			struct ebpf_error *err);

/* The names of symbols at exactly these addresses, which are ascending: malloc'ed, NULL where there is none. */
int ebpf_kernel_symbol_names(struct ebpf_kernel *kernel, const uint64_t *addresses, char **names, size_t count,
			     struct ebpf_error *err);
/* Functions that may be traced and match a pattern of the shell, "tcp_*" or "module:*". */
struct ebpf_functions {
	char **names;
	uint64_t *addresses; /* where they are traced, if `addressed` */
	bool addressed;
	size_t count, capacity;
};
/* With addresses, where they are asked for and known, all functions of one name are in the list, else one of them. ENOENT when none
 * matches, ENOTSUP when nothing here lists them. On success to be freed. */
int ebpf_kernel_functions(struct ebpf_kernel *kernel, const char *pattern, bool addressed, struct ebpf_functions *out,
			  struct ebpf_error *err);
void ebpf_functions_free(struct ebpf_functions *list);

/* The function that enters a system call: "openat" -> "__x64_sys_openat", or "__se_sys_openat" where calls have no
 * wrapper of the architecture. */
void ebpf_kernel_syscall_name(struct ebpf_kernel *kernel, const char *call, char *name, size_t size);

/* A descriptor of tracefs's root, borrowed: /sys/kernel/tracing, /sys/kernel/debug/tracing, or a detached mount. */
int ebpf_kernel_tracefs(struct ebpf_kernel *kernel, struct ebpf_error *err);
/* The number of a tracepoint; ENOENT names the nearest event of the category. */
int64_t ebpf_kernel_tracepoint(struct ebpf_kernel *kernel, const char *category, const char *name,
			       struct ebpf_error *err);
/* The perf type of a PMU ("kprobe", "uprobe") from /sys/bus/event_source/devices; -ENOENT. `ret_bit` gets the config
 * bit of a return probe. */
int ebpf_kernel_pmu(struct ebpf_kernel *kernel, const char *name, int *ret_bit, struct ebpf_error *err);
/* The value of a CONFIG_ option as text ("y", "m", "\"str\"", "250") from /boot/config-* or /proc/config.gz; 0 and ""
 * when it is not set. */
int ebpf_kernel_config(struct ebpf_kernel *kernel, const char *option, char *value, size_t size,
		       struct ebpf_error *err);
/* A word on why this process may not do it, for hints: capabilities, unprivileged_bpf_disabled, lockdown. */
void ebpf_kernel_explain_eperm(struct ebpf_kernel *kernel, char *text, size_t size);

#endif
