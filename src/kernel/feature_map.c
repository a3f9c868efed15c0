/* feature_map.c -- what maps can be made: types and flags. */
#include <unistd.h>

#include "kernel/context.h"
#include "kernel/probe.h"

/* How a map of the type is asked for. Where that would need another object (types, an inner map), so that the kernel,
 * which knows the type, finds fault with something that it looks at later: a value too large, a descriptor that does
 * not exist. A storage that has come as far as its types would be freed at once, for which the kernel waits until all
 * programs have ended: a tenth of a second. */
enum map_form { PLAIN, STORAGE, WITH_INNER, WITH_KERNEL_TYPE, ONE_PAGE };
enum { VALUE_TOO_LARGE = 1 << 30 };

struct map_type {
	const char *since;
	uint32_t key_size, value_size, max_entries, flags;
	enum map_form form;
};
#define NAME_ROW(value, text) [value] = text,
static const char *const type_names[] = { BPF_MAP_TYPES(NAME_ROW) };

/* ORDER bpf_map_type */
static const struct map_type types[] = {
	[BPF_MAP_TYPE_HASH] = { "3.19", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_ARRAY] = { "3.19", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_PROG_ARRAY] = { "4.2", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = { "4.3", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_PERCPU_HASH] = { "4.6", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_PERCPU_ARRAY] = { "4.6", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_STACK_TRACE] = { "4.6", 4, 8, 1, 0, PLAIN },
	[BPF_MAP_TYPE_CGROUP_ARRAY] = { "4.8", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_LRU_HASH] = { "4.10", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = { "4.10", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_LPM_TRIE] = { "4.11", 8, 8, 1, BPF_F_NO_PREALLOC, PLAIN },
	[BPF_MAP_TYPE_ARRAY_OF_MAPS] = { "4.12", 4, 4, 1, 0, WITH_INNER },
	[BPF_MAP_TYPE_HASH_OF_MAPS] = { "4.12", 4, 4, 1, 0, WITH_INNER },
	[BPF_MAP_TYPE_DEVMAP] = { "4.14", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_SOCKMAP] = { "4.14", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_CPUMAP] = { "4.15", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_XSKMAP] = { "4.18", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_SOCKHASH] = { "4.18", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_CGROUP_STORAGE] = { "4.19", 16, 8, 0, 0, PLAIN },
	[BPF_MAP_TYPE_REUSEPORT_SOCKARRAY] = { "4.19", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE] = { "4.20", 16, 8, 0, 0, PLAIN },
	[BPF_MAP_TYPE_QUEUE] = { "4.20", 0, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_STACK] = { "4.20", 0, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_SK_STORAGE] = { "5.2", 4, 8, 0, BPF_F_NO_PREALLOC, STORAGE },
	[BPF_MAP_TYPE_DEVMAP_HASH] = { "5.4", 4, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_STRUCT_OPS] = { "5.6", 4, 4, 1, 0, WITH_KERNEL_TYPE },
	[BPF_MAP_TYPE_RINGBUF] = { "5.8", 0, 0, 0, 0, ONE_PAGE },
	[BPF_MAP_TYPE_INODE_STORAGE] = { "5.10", 4, 8, 0, BPF_F_NO_PREALLOC, STORAGE },
	[BPF_MAP_TYPE_TASK_STORAGE] = { "5.11", 4, 8, 0, BPF_F_NO_PREALLOC, STORAGE },
	[BPF_MAP_TYPE_BLOOM_FILTER] = { "5.16", 0, 4, 1, 0, PLAIN },
	[BPF_MAP_TYPE_USER_RINGBUF] = { "6.1", 0, 0, 0, 0, ONE_PAGE },
	[BPF_MAP_TYPE_CGRP_STORAGE] = { "6.2", 4, 8, 0, BPF_F_NO_PREALLOC, STORAGE },
	[BPF_MAP_TYPE_ARENA] = { "6.9", 0, 0, 1, BPF_F_MMAPABLE, PLAIN },
	[BPF_MAP_TYPE_INSN_ARRAY] = { "6.19", 4, 16, 1, 0, PLAIN },
	[BPF_MAP_TYPE_RHASH] = { "7.2", 4, 4, 1, BPF_F_NO_PREALLOC, PLAIN },
};
_Static_assert(EBPF_COUNT(types) == __MAX_BPF_MAP_TYPE && EBPF_COUNT(type_names) == __MAX_BPF_MAP_TYPE, "one row per type");

/* 1, 0 or -errno. */
static int try_map(struct ebpf_kernel *kernel, uint32_t type, uint32_t flags, uint32_t value_size)
{
	const struct map_type *row = &types[type];
	union bpf_attr attr;
	int result, expected = 0;

	memset(&attr, 0, sizeof attr);
	attr.map_type = type;
	attr.key_size = row->key_size;
	attr.value_size = value_size ? value_size : row->value_size;
	attr.max_entries = row->max_entries;
	attr.map_flags = row->flags | flags;
	switch (row->form) {
	case PLAIN:
		break;
	case STORAGE:
		attr.value_size = VALUE_TOO_LARGE;
		attr.btf_key_type_id = attr.btf_value_type_id = 1;
		expected = -E2BIG;
		break;
	case WITH_INNER:
		attr.inner_map_fd = (uint32_t)-1;
		expected = -EBADF;
		break;
	case WITH_KERNEL_TYPE: /* type 1 is no table of functions */
		attr.btf_vmlinux_value_type_id = 1;
		expected = -KERNEL_ENOTSUPP;
		if (flags & BPF_F_VTYPE_BTF_OBJ_FD) {
			attr.value_type_btf_obj_fd = -1;
			expected = -EBADF;
		}
		break;
	case ONE_PAGE:
		attr.max_entries = (uint32_t)sysconf(_SC_PAGESIZE);
		break;
	}
	result = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &attr, sizeof attr);
	return expected && result == expected ? 1 : ebpf_probe_verdict(kernel, result);
}

/* Row 0 is type 1: "unspec" is none. */
static void type_row(size_t index, const char **name, const char **since)
{
	*name = type_names[index + 1];
	*since = types[index + 1].since;
}

static int probe_type(struct ebpf_kernel *kernel, size_t index)
{
	return try_map(kernel, (uint32_t)index + 1, 0, 0);
}

const struct probe_group ebpf_map_type_group = { "map_type", EBPF_COUNT(types) - 1, type_row, probe_type };

/* A flag is asked for on the type that has had it longest. Two are no flags but a longer value: with it the entries of
 * a devmap and a cpumap carry a program each. (A frame with a build id takes 32 bytes.) */
static const struct map_flag {
	const char *name, *since;
	uint32_t flag, type, value_size;
} flags[] = {
	{ "no_prealloc", "4.6", BPF_F_NO_PREALLOC, BPF_MAP_TYPE_HASH, 0 },
	{ "no_common_lru", "4.10", BPF_F_NO_COMMON_LRU, BPF_MAP_TYPE_LRU_HASH, 0 },
	{ "numa_node", "4.14", BPF_F_NUMA_NODE, BPF_MAP_TYPE_HASH, 0 },
	{ "rdonly", "4.15", BPF_F_RDONLY, BPF_MAP_TYPE_HASH, 0 },
	{ "wronly", "4.15", BPF_F_WRONLY, BPF_MAP_TYPE_HASH, 0 },
	{ "stack_build_id", "4.17", BPF_F_STACK_BUILD_ID, BPF_MAP_TYPE_STACK_TRACE, 32 },
	{ "zero_seed", "5.0", BPF_F_ZERO_SEED, BPF_MAP_TYPE_HASH, 0 },
	{ "rdonly_prog", "5.2", BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY, 0 },
	{ "wronly_prog", "5.2", BPF_F_WRONLY_PROG, BPF_MAP_TYPE_ARRAY, 0 },
	{ "clone", "5.4", BPF_F_CLONE, BPF_MAP_TYPE_SK_STORAGE, 0 },
	{ "mmapable", "5.5", BPF_F_MMAPABLE, BPF_MAP_TYPE_ARRAY, 0 },
	{ "devmap_program", "5.8", 0, BPF_MAP_TYPE_DEVMAP, 8 },
	{ "cpumap_program", "5.9", 0, BPF_MAP_TYPE_CPUMAP, 8 },
	{ "preserve_elems", "5.10", BPF_F_PRESERVE_ELEMS, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0 },
	{ "inner_map", "5.10", BPF_F_INNER_MAP, BPF_MAP_TYPE_ARRAY, 0 },
	{ "link", "6.4", BPF_F_LINK, BPF_MAP_TYPE_STRUCT_OPS, 0 },
	{ "vtype_btf_obj_fd", "6.9", BPF_F_VTYPE_BTF_OBJ_FD, BPF_MAP_TYPE_STRUCT_OPS, 0 },
	{ "segv_on_fault", "6.9", BPF_F_SEGV_ON_FAULT, BPF_MAP_TYPE_ARENA, 0 },
	{ "no_user_conv", "6.9", BPF_F_NO_USER_CONV, BPF_MAP_TYPE_ARENA, 0 },
	{ "rb_overwrite", "6.19", BPF_F_RB_OVERWRITE, BPF_MAP_TYPE_RINGBUF, 0 },
};

static void flag_row(size_t index, const char **name, const char **since)
{
	*name = flags[index].name;
	*since = flags[index].since;
}

static int probe_flag(struct ebpf_kernel *kernel, size_t index)
{
	return try_map(kernel, flags[index].type, flags[index].flag, flags[index].value_size);
}

const struct probe_group ebpf_map_flag_group = { "map_flag", EBPF_COUNT(flags), flag_row, probe_flag };
