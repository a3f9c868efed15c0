/* rules.c -- the table of map types, and why the kernel did not want to create a map. */
#include "map/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define ANY UINT32_MAX
#define SOME EBPF_ENTRIES_SOME
#define NONE EBPF_ENTRIES_NONE
#define RING EBPF_ENTRIES_RING
#define ONE EBPF_ENTRIES_ONE
#define BTF EBPF_MAP_NEEDS_BTF
#define INNER EBPF_MAP_NEEDS_INNER
#define NO_PREALLOC BPF_F_NO_PREALLOC

/* Facts: the map_alloc_check functions under kernel/bpf and net/ of Linux 6.18. "since" is the release that brought the type.
 * Upper limits that depend on the machine (memory, per-CPU allocator, number of CPUs) are found by trying. */
static const struct ebpf_map_rule rules[] = {
	/* type                                since   key       value     unit entries flags       needs */
	{ BPF_MAP_TYPE_HASH,                   "3.19", 1, ANY,   1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_ARRAY,                  "3.19", 4, 4,     1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_PROG_ARRAY,             "4.2",  4, 4,     4, 4,     0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_PERF_EVENT_ARRAY,       "4.3",  4, 4,     4, 4,     0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_PERCPU_HASH,            "4.6",  1, ANY,   1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_PERCPU_ARRAY,           "4.6",  4, 4,     1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_STACK_TRACE,            "4.6",  4, 4,     8, ANY,   8,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_CGROUP_ARRAY,           "4.8",  4, 4,     4, 4,     0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_LRU_HASH,               "4.10", 1, ANY,   1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_LRU_PERCPU_HASH,        "4.10", 1, ANY,   1, ANY,   0,   SOME,   0,          0 },
	/* 4 bytes of prefix length, then 1 to 256 bytes of data */
	{ BPF_MAP_TYPE_LPM_TRIE,               "4.11", 5, 260,   1, ANY,   0,   SOME,   NO_PREALLOC, 0 },
	{ BPF_MAP_TYPE_ARRAY_OF_MAPS,          "4.12", 4, 4,     4, 4,     0,   SOME,   0,          INNER },
	{ BPF_MAP_TYPE_HASH_OF_MAPS,           "4.12", 1, ANY,   4, 4,     0,   SOME,   0,          INNER },
	/* interface index, since 5.8 a program's descriptor behind it */
	{ BPF_MAP_TYPE_DEVMAP,                 "4.14", 4, 4,     4, 8,     4,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_DEVMAP_HASH,            "5.4",  4, 4,     4, 8,     4,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_SOCKMAP,                "4.14", 4, 4,     4, 8,     4,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_SOCKHASH,               "4.18", 1, 512,   4, 8,     4,   SOME,   0,          0 },
	/* queue length, since 5.9 a program's descriptor behind it */
	{ BPF_MAP_TYPE_CPUMAP,                 "4.15", 4, 4,     4, 8,     4,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_XSKMAP,                 "4.18", 4, 4,     4, 4,     0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,    "4.19", 4, 4,     4, 8,     4,   SOME,   0,          0 },
	/* cgroup id alone (5.9) or with the attach type */
	{ BPF_MAP_TYPE_CGROUP_STORAGE,         "4.19", 8, 16,    1, ANY,   0,   NONE,   0,          0 },
	{ BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,  "4.20", 8, 16,    1, ANY,   0,   NONE,   0,          0 },
	{ BPF_MAP_TYPE_QUEUE,                  "4.20", 0, 0,     1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_STACK,                  "4.20", 0, 0,     1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_SK_STORAGE,             "5.2",  4, 4,     1, ANY,   0,   NONE,   NO_PREALLOC, BTF },
	{ BPF_MAP_TYPE_STRUCT_OPS,             "5.6",  4, 4,     1, ANY,   0,   ONE,    0,          0 },
	{ BPF_MAP_TYPE_RINGBUF,                "5.8",  0, 0,     0, 0,     0,   RING,   0,          0 },
	{ BPF_MAP_TYPE_INODE_STORAGE,          "5.10", 4, 4,     1, ANY,   0,   NONE,   NO_PREALLOC, BTF },
	{ BPF_MAP_TYPE_TASK_STORAGE,           "5.11", 4, 4,     1, ANY,   0,   NONE,   NO_PREALLOC, BTF },
	{ BPF_MAP_TYPE_BLOOM_FILTER,           "5.16", 0, 0,     1, ANY,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_USER_RINGBUF,           "6.1",  0, 0,     0, 0,     0,   RING,   0,          0 },
	{ BPF_MAP_TYPE_CGRP_STORAGE,           "6.2",  4, 4,     1, ANY,   0,   NONE,   NO_PREALLOC, BTF },
	{ BPF_MAP_TYPE_ARENA,                  "6.9",  0, 0,     0, 0,     0,   SOME,   BPF_F_MMAPABLE, 0 },
	{ BPF_MAP_TYPE_INSN_ARRAY,             "6.19", 4, 4,     16, 16,   0,   SOME,   0,          0 },
	{ BPF_MAP_TYPE_RHASH,                  "7.2",  1, ANY,   1, ANY,   0,   SOME,   NO_PREALLOC, 0 },
};

static const struct flag {
	uint32_t bit;
	const char *name, *since;
	const char *what_for; /* the only maps that take it, where they are few */
} flags[] = {
	{ BPF_F_NO_PREALLOC, "BPF_F_NO_PREALLOC", "4.6", "hashes, tries and storages" },
	{ BPF_F_NO_COMMON_LRU, "BPF_F_NO_COMMON_LRU", "4.10", "lru_hash and lru_percpu_hash" },
	{ BPF_F_NUMA_NODE, "BPF_F_NUMA_NODE", "4.14", NULL },
	{ BPF_F_RDONLY, "BPF_F_RDONLY", "4.15", NULL },
	{ BPF_F_WRONLY, "BPF_F_WRONLY", "4.15", NULL },
	{ BPF_F_STACK_BUILD_ID, "BPF_F_STACK_BUILD_ID", "4.17", "stack_trace" },
	{ BPF_F_ZERO_SEED, "BPF_F_ZERO_SEED", "5.0", "hashes and bloom filters" },
	{ BPF_F_RDONLY_PROG, "BPF_F_RDONLY_PROG", "5.2", "arrays, hashes, tries, and maps like them" },
	{ BPF_F_WRONLY_PROG, "BPF_F_WRONLY_PROG", "5.2", "arrays, hashes, tries, and maps like them" },
	{ BPF_F_CLONE, "BPF_F_CLONE", "5.4", "sk_storage and the other storages" },
	{ BPF_F_MMAPABLE, "BPF_F_MMAPABLE", "5.5", "array and arena" },
	{ BPF_F_PRESERVE_ELEMS, "BPF_F_PRESERVE_ELEMS", "5.10", "perf_event_array" },
	{ BPF_F_INNER_MAP, "BPF_F_INNER_MAP", "5.10", "array" },
	{ BPF_F_LINK, "BPF_F_LINK", "6.4", "struct_ops" },
	{ BPF_F_PATH_FD, "BPF_F_PATH_FD", "6.5", "opening what is pinned" },
	{ BPF_F_VTYPE_BTF_OBJ_FD, "BPF_F_VTYPE_BTF_OBJ_FD", "6.9", "struct_ops" },
	{ BPF_F_TOKEN_FD, "BPF_F_TOKEN_FD", "6.9", NULL },
	{ BPF_F_SEGV_ON_FAULT, "BPF_F_SEGV_ON_FAULT", "6.9", "arena" },
	{ BPF_F_NO_USER_CONV, "BPF_F_NO_USER_CONV", "6.9", "arena" },
	{ BPF_F_RB_OVERWRITE, "BPF_F_RB_OVERWRITE", "6.19", "ringbuf" },
};

int64_t ebpf_map_flag(const char *name)
{
	for (size_t i = 0; i < EBPF_COUNT(flags); i++)
		if (strcasecmp(flags[i].name + strlen("BPF_F_"), name) == 0)
			return flags[i].bit;
	return -ENOENT;
}

const struct ebpf_map_rule *ebpf_map_rule(uint32_t type)
{
	for (size_t i = 0; i < EBPF_COUNT(rules); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

const char *ebpf_map_type_name(uint32_t type)
{
	const char *name = ebpf_enum_name(EBPF_MAP_TYPE, type);

	return name ? name : "unknown";
}

/* The others' creation the kernel refuses when it is told the types of key or value (map_check_btf missing, or a value that is a
 * descriptor). */
bool ebpf_map_takes_types(uint32_t map_type)
{
	switch (map_type) {
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_STACK_TRACE:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_XSKMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
	case BPF_MAP_TYPE_ARENA:
	case BPF_MAP_TYPE_STRUCT_OPS:
		return false;
	default:
		return true;
	}
}

static const struct flag *find_flag(uint32_t bit)
{
	for (size_t i = 0; i < EBPF_COUNT(flags); i++)
		if (flags[i].bit == bit)
			return &flags[i];
	return NULL;
}

/* -- what the row says against what was asked: true, and a text, when they disagree -- */

struct complaint {
	char why[160], hint[256];
};

static bool check_size(struct complaint *out, const char *member, uint32_t size, uint32_t min, uint32_t max, uint32_t unit)
{
	if (size >= min && size <= max && (!unit || size % unit == 0))
		return false;
	if (min == max)
		snprintf(out->why, sizeof(out->why), "%s is %u, but must be %u", member, size, min);
	else if (unit && max < ANY)
		snprintf(out->why, sizeof(out->why), "%s is %u, but must be %u or %u", member, size, min, max);
	else if (unit)
		snprintf(out->why, sizeof(out->why), "%s is %u, but must be a multiple of %u", member, size, unit);
	else if (max == ANY)
		snprintf(out->why, sizeof(out->why), "%s is %u, but must be at least %u", member, size, min);
	else
		snprintf(out->why, sizeof(out->why), "%s is %u, but must be from %u to %u", member, size, min, max);
	return true;
}

static bool check_entries(struct complaint *out, const struct ebpf_map_rule *rule, uint32_t entries)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	switch (rule->entries) {
	case EBPF_ENTRIES_SOME:
		if (entries)
			return false;
		snprintf(out->why, sizeof(out->why), "max_entries is 0");
		snprintf(out->hint, sizeof(out->hint), "say how many elements it is to have room for");
		return true;
	case EBPF_ENTRIES_NONE:
	case EBPF_ENTRIES_ONE:
		return check_size(out, "max_entries", entries, rule->entries == EBPF_ENTRIES_ONE, rule->entries == EBPF_ENTRIES_ONE, 0);
	case EBPF_ENTRIES_RING:
		if (entries && (entries & (entries - 1)) == 0 && entries % page == 0)
			return false;
		snprintf(out->why, sizeof(out->why), "max_entries is %u, but must be a power of two and a multiple of %u", entries, page);
		snprintf(out->hint, sizeof(out->hint), "max_entries is the size of the ring in bytes");
		return true;
	}
	return false;
}

static bool check_flags(struct complaint *out, const struct ebpf_map_rule *rule, const union bpf_attr *attr)
{
	uint32_t missing = rule->flags & ~attr->map_flags;
	const struct flag *flag = find_flag(missing);

	if (flag) {
		snprintf(out->why, sizeof(out->why), "the flag %s is required", flag->name);
		return true;
	}
	/* Linux 4.10: elements of an LRU map come from a list made beforehand. */
	if ((attr->map_type == BPF_MAP_TYPE_LRU_HASH || attr->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH) &&
	    (attr->map_flags & BPF_F_NO_PREALLOC)) {
		snprintf(out->why, sizeof(out->why), "the flag BPF_F_NO_PREALLOC is not possible");
		snprintf(out->hint, sizeof(out->hint), "leave it away: elements of an LRU map are made beforehand");
		return true;
	}
	return false;
}

static bool check_rest(struct complaint *out, const struct ebpf_map_rule *rule, const union bpf_attr *attr)
{
	if (rule->needs == INNER && !attr->inner_map_fd) {
		snprintf(out->why, sizeof(out->why), "nothing says what its inner maps are");
		snprintf(out->hint, sizeof(out->hint), "give the spec of an inner map");
		return true;
	}
	if (rule->needs == BTF && !(attr->btf_key_type_id && attr->btf_value_type_id)) {
		snprintf(out->why, sizeof(out->why), "this type needs BTF that describes its key and its value");
		snprintf(out->hint, sizeof(out->hint), "this kernel did not take the one that was made for it (CAP_BPF, Linux 4.18)");
		return true;
	}
	return false;
}

static bool check_rule(struct complaint *out, const struct ebpf_map_rule *rule, const union bpf_attr *attr)
{
	if (check_size(out, "key_size", attr->key_size, rule->key_min, rule->key_max, 0)) {
		if (attr->map_type == BPF_MAP_TYPE_LPM_TRIE)
			snprintf(out->hint, sizeof(out->hint), "a key is a 32-bit prefix length and the bytes that it applies to");
		return true;
	}
	return check_size(out, "value_size", attr->value_size, rule->value_min, rule->value_max, rule->value_unit) ||
	       check_entries(out, rule, attr->max_entries) || check_flags(out, rule, attr) || check_rest(out, rule, attr);
}

/* -- what the kernel says to smaller maps -- */

static bool takes(struct ebpf_kernel *kernel, const union bpf_attr *attr)
{
	union bpf_attr copy = *attr;
	int fd = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &copy, EBPF_ATTR_SIZE(map_extra));

	if (fd < 0)
		return false;
	ebpf_kernel_sys(kernel)->close(fd);
	return true;
}

static uint32_t fewest_entries(const struct ebpf_map_rule *rule)
{
	if (rule->entries == EBPF_ENTRIES_RING)
		return (uint32_t)sysconf(_SC_PAGESIZE);
	return rule->entries != EBPF_ENTRIES_NONE;
}

static bool knows_type(struct ebpf_kernel *kernel, const struct ebpf_map_rule *rule)
{
	union bpf_attr attr, inner = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	int fd, inner_fd = 0;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = rule->type;
	attr.key_size = rule->key_max < ANY ? rule->key_max : 4;
	attr.value_size = rule->value_min;
	attr.max_entries = fewest_entries(rule);
	attr.map_flags = rule->flags;
	if (rule->needs == BTF) {
		/* There is no BTF at hand, but a kernel that knows the type minds the size of the value before it looks for types. */
		attr.btf_fd = UINT32_MAX;
		attr.btf_key_type_id = attr.btf_value_type_id = 1;
		attr.value_size = INT32_MAX;
	}
	if (rule->needs == INNER) {
		inner_fd = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &inner, EBPF_ATTR_SIZE(map_extra));
		if (inner_fd < 0)
			return true;
		attr.inner_map_fd = (uint32_t)inner_fd;
	}
	fd = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &attr, EBPF_ATTR_SIZE(map_extra));
	if (fd >= 0)
		ebpf_kernel_sys(kernel)->close(fd);
	if (inner_fd > 0)
		ebpf_kernel_sys(kernel)->close(inner_fd);
	return fd != -EINVAL;
}

/* One flag after the other is left away, from a map that is as small as can be. */
static bool blame_flag(struct complaint *out, struct ebpf_kernel *kernel, const struct ebpf_map_rule *rule, const union bpf_attr *small)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		uint32_t mask = small->map_flags & ~rule->flags & 1U << bit;
		const struct flag *flag = mask ? find_flag(mask) : NULL;
		union bpf_attr attr = *small;

		if (!mask)
			continue;
		attr.map_flags &= ~mask;
		if (!takes(kernel, &attr))
			continue;
		if (flag) {
			snprintf(out->why, sizeof(out->why), "this kernel does not take the flag %s (Linux %s) for this type", flag->name,
				 flag->since);
			if (flag->what_for)
				snprintf(out->hint, sizeof(out->hint), "it is for %s", flag->what_for);
		} else
			snprintf(out->why, sizeof(out->why), "this kernel does not take the flag 0x%x for this type", mask);
		return true;
	}
	return false;
}

/* Numbers whose zero is always right. */
static bool blame_number(struct complaint *out, struct ebpf_kernel *kernel, const union bpf_attr *small)
{
	union bpf_attr attr = *small;

	attr.map_extra = 0;
	if (small->map_extra && takes(kernel, &attr)) {
		snprintf(out->why, sizeof(out->why), "map_extra is 0x%llx", (unsigned long long)small->map_extra);
		if (small->map_type == BPF_MAP_TYPE_BLOOM_FILTER)
			snprintf(out->hint, sizeof(out->hint), "map_extra is the number of hash functions, at most 15");
		return true;
	}
	attr = *small;
	attr.numa_node = 0;
	if (small->numa_node && takes(kernel, &attr)) {
		snprintf(out->why, sizeof(out->why), "there is no NUMA node %u, or it is offline", small->numa_node);
		return true;
	}
	return false;
}

static bool blame_size(struct complaint *out, struct ebpf_kernel *kernel, const struct ebpf_map_rule *rule, const union bpf_attr *small)
{
	union bpf_attr attr = *small;

	attr.value_size = rule->value_min;
	if (takes(kernel, &attr)) {
		snprintf(out->why, sizeof(out->why), "value_size %u is more than this kernel takes", small->value_size);
		if (ebpf_map_is_percpu_type(small->map_type))
			snprintf(out->hint, sizeof(out->hint), "a CPU's value has at most 32768 bytes");
		if (small->map_type == BPF_MAP_TYPE_STACK_TRACE)
			snprintf(out->hint, sizeof(out->hint), "a stack has at most kernel.perf_event_max_stack frames of 8 bytes");
		return true;
	}
	attr = *small;
	attr.key_size = rule->key_max < ANY ? rule->key_max : 4;
	if (takes(kernel, &attr)) {
		snprintf(out->why, sizeof(out->why), "key_size is %u", small->key_size);
		return true;
	}
	return false;
}

/* False when nothing that can be left away makes the kernel content. */
static bool try_smaller(struct complaint *out, struct ebpf_kernel *kernel, const struct ebpf_map_rule *rule, const union bpf_attr *asked)
{
	union bpf_attr small = *asked;

	if (rule->needs != BTF) /* types of the size that was asked for stand in the way of another */
		small.btf_fd = small.btf_key_type_id = small.btf_value_type_id = 0;
	small.max_entries = fewest_entries(rule);
	if (small.max_entries != asked->max_entries && takes(kernel, &small)) {
		snprintf(out->why, sizeof(out->why), "max_entries %u is more than this kernel takes", asked->max_entries);
		return true;
	}
	return blame_number(out, kernel, &small) || blame_flag(out, kernel, rule, &small) || blame_size(out, kernel, rule, &small);
}

static bool find_cause(struct complaint *out, struct ebpf_kernel *kernel, const union bpf_attr *attr, int code)
{
	const struct ebpf_map_rule *rule = ebpf_map_rule(attr->map_type);

	if (attr->map_type == BPF_MAP_TYPE_UNSPEC) {
		snprintf(out->why, sizeof(out->why), "no type is given");
		return true;
	}
	if (!rule) {
		snprintf(out->why, sizeof(out->why), "type number %u", attr->map_type);
		return false;
	}
	if (check_rule(out, rule, attr))
		return true;
	if (rule->needs == BTF && code == -E2BIG) {
		snprintf(out->why, sizeof(out->why), "value_size %u is more than this kernel takes", attr->value_size);
		snprintf(out->hint, sizeof(out->hint), "a storage's value has a little less than 64 KiB at most");
		return true;
	}
	if (code == -EINVAL && rule->type != BPF_MAP_TYPE_STRUCT_OPS && !knows_type(kernel, rule)) {
		snprintf(out->why, sizeof(out->why), "this kernel has no maps of this type (Linux %s)", rule->since);
		return true;
	}
	return try_smaller(out, kernel, rule, attr);
}

/* What the kernel itself says (7.2), malloc'ed; NULL when it says nothing. */
static char *kernel_words(struct ebpf_kernel *kernel, const union bpf_attr *attr)
{
	enum { SIZE = 4096 };
	struct bpf_common_attr common = { .log_size = SIZE, .log_level = BPF_LOG_LEVEL1 };
	union bpf_attr copy = *attr;
	size_t size = EBPF_ATTR_SIZE(value_type_btf_obj_fd);
	char *log;
	int fd;

	if (ebpf_kernel_masked(kernel, EBPF_FEATURE_COMMON_ATTRS))
		return NULL;
	log = calloc(1, SIZE);
	if (!log)
		return NULL;
	common.log_buf = ebpf_ptr(log);
	ebpf_kernel_add_token(kernel, BPF_MAP_CREATE, &copy, &size);
	fd = ebpf_kernel_sys(kernel)->bpf_common(BPF_MAP_CREATE, &copy, size, &common);
	if (fd >= 0)
		ebpf_kernel_sys(kernel)->close(fd);
	log[SIZE - 1] = '\0';
	if (fd >= 0 || !log[0]) {
		free(log);
		return NULL;
	}
	return log;
}

/* Its first sentence, behind what is known already. */
static void quote(struct complaint *complaint, const char *log)
{
	size_t used = strlen(complaint->why);

	snprintf(complaint->why + used, sizeof(complaint->why) - used, "%s%.*s", used ? ": " : "", (int)strcspn(log, ".\n"), log);
}

static void explain_permission(struct complaint *out, struct ebpf_kernel *kernel, const union bpf_attr *attr)
{
	ebpf_kernel_explain_token(kernel, BPF_MAP_CREATE, attr->map_type, 0, out->hint, sizeof(out->hint));
	if (!out->hint[0])
		ebpf_kernel_explain_eperm(kernel, out->hint, sizeof(out->hint));
}

int ebpf_map_explain(struct ebpf_kernel *kernel, const char *name, const union bpf_attr *attr, int code, struct ebpf_error *err)
{
	const char *type = ebpf_map_type_name(attr->map_type);
	struct complaint complaint = { "", "" };
	char *log;

	if (!err)
		return code;
	log = kernel_words(kernel, attr);
	if (code == -EPERM) {
		ebpf_fail_errno(err, code, "map '%s': create %s", name, type);
		explain_permission(&complaint, kernel, attr);
	} else if (code == -EMFILE || code == -ENFILE || !find_cause(&complaint, kernel, attr, code)) {
		if (log)
			quote(&complaint, log);
		ebpf_fail_errno(err, code, "map '%s': create %s%s%s", name, type, complaint.why[0] ? ": " : "", complaint.why);
	} else {
		ebpf_fail_errno(err, code, "map '%s': create %s: %s", name, type, complaint.why);
	}
	if (complaint.hint[0])
		ebpf_hint(err, "%s", complaint.hint);
	if (log)
		ebpf_error_set_log(err, log);
	return code;
}
