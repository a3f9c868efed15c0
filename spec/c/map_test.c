/* map_test.c -- maps on the running kernel: every type, elements, walks, explanations, pins, and no leak whatever fails. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asm/asm.h"
#include "map/map.h"
#include "map/rules.h"
#include "descriptors.h"
#include "ok.h"

static struct ebpf_kernel *kernel;
static struct ebpf_error err;

#define CHECK_HAS(text, part) \
	do { \
		if (!strstr(text, part)) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: \"%s\" is not in \"%s\"\n", __FILE__, __LINE__, part, text); \
		} \
	} while (0)

static bool newer_than(unsigned major, unsigned minor)
{
	return ebpf_kernel_version(kernel) >= (major << 16 | minor << 8);
}

static bool has_since(const char *since)
{
	unsigned major = 0, minor = 0;

	sscanf(since, "%u.%u", &major, &minor);
	return newer_than(major, minor);
}

static struct ebpf_map_spec spec_of(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries)
{
	return (struct ebpf_map_spec){ .name = (char *)"test", .type = type, .key_size = key_size, .value_size = value_size,
				       .max_entries = max_entries };
}

static struct ebpf_map *make(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries)
{
	struct ebpf_map_spec spec = spec_of(type, key_size, value_size, max_entries);
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	if (!map)
		exit(1);
	return map;
}

/* -- every type -- */

/* 1: int (4 bytes), 2: struct pair { int a; int b; }, 3: struct record { int a; int b; int c } */
static const struct {
	struct { uint16_t magic; uint8_t version, flags; uint32_t header, type_offset, type_size, string_offset, string_size; } head;
	uint32_t types[4 + 3 + 6 + 3 + 9];
	char strings[32];
} btf_image = {
	.head = { 0xeb9f, 1, 0, 24, 0, 4 * 25, 4 * 25, 32 },
	.types = {
		1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32,
		5, BTF_KIND_STRUCT << 24 | 2, 8, 17, 1, 0, 19, 1, 32,
		10, BTF_KIND_STRUCT << 24 | 3, 12, 17, 1, 0, 19, 1, 32, 21, 1, 64,
	},
	.strings = "\0int\0pair\0record\0a\0b\0c",
};

static int load_btf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.btf = ebpf_ptr(&btf_image);
	attr.btf_size = sizeof(btf_image);
	return ebpf_sys_linux.bpf(BPF_BTF_LOAD, &attr, EBPF_ATTR_SIZE(btf_flags));
}

static struct ebpf_btf *read_btf(void)
{
	struct ebpf_btf *btf = NULL;

	OK(ebpf_btf_read(&btf_image, sizeof(btf_image), NULL, &btf, &err));
	return btf;
}

static void test_types(void)
{
	static const struct {
		uint32_t type, key, value, entries, flags;
		bool configurable;
	} rows[] = {
		{ BPF_MAP_TYPE_HASH, 8, 16, 10, 0, false },
		{ BPF_MAP_TYPE_ARRAY, 4, 16, 10, 0, false },
		{ BPF_MAP_TYPE_PROG_ARRAY, 0, 0, 10, 0, false },
		{ BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0, 0, 0, 0, false },
		{ BPF_MAP_TYPE_PERCPU_HASH, 8, 12, 10, 0, false },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 12, 10, 0, false },
		{ BPF_MAP_TYPE_STACK_TRACE, 4, 8 * 127, 10, 0, false },
		{ BPF_MAP_TYPE_CGROUP_ARRAY, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_LRU_HASH, 8, 16, 10, 0, false },
		{ BPF_MAP_TYPE_LRU_PERCPU_HASH, 8, 16, 10, 0, false },
		{ BPF_MAP_TYPE_LPM_TRIE, 8, 16, 10, BPF_F_NO_PREALLOC, false },
		{ BPF_MAP_TYPE_DEVMAP, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_DEVMAP_HASH, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_SOCKMAP, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_SOCKHASH, 8, 8, 10, 0, true },
		{ BPF_MAP_TYPE_CPUMAP, 0, 0, 1, 0, true },
		{ BPF_MAP_TYPE_XSKMAP, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 0, 0, 10, 0, true },
		{ BPF_MAP_TYPE_CGROUP_STORAGE, 16, 16, 0, 0, true },
		{ BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 16, 16, 0, 0, true },
		{ BPF_MAP_TYPE_QUEUE, 0, 16, 10, 0, false },
		{ BPF_MAP_TYPE_STACK, 0, 16, 10, 0, false },
		{ BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, true },
		{ BPF_MAP_TYPE_INODE_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, true },
		{ BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, true },
		{ BPF_MAP_TYPE_CGRP_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, true },
		{ BPF_MAP_TYPE_RINGBUF, 0, 0, 5000, 0, false },
		{ BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 0, false },
		{ BPF_MAP_TYPE_BLOOM_FILTER, 0, 16, 10, 0, false },
		{ BPF_MAP_TYPE_ARENA, 0, 0, 10, BPF_F_MMAPABLE, true },
		{ BPF_MAP_TYPE_INSN_ARRAY, 0, 0, 10, 0, true },
	};
	int btf_fd = load_btf();
	/* s390x as Debian makes it has neither the JIT nor, for want of it, the LSM that this storage comes with. */
	bool complete = getenv("EBPF_COMPLETE_KERNEL") != NULL && access("/proc/sys/net/core/bpf_jit_enable", F_OK) == 0;

	CHECK(btf_fd > 0);
	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		struct ebpf_map_spec spec = spec_of(rows[i].type, rows[i].key, rows[i].value, rows[i].entries);
		const struct ebpf_map_rule *rule = ebpf_map_rule(rows[i].type);
		struct ebpf_map_extra extra = { 0 };
		struct ebpf_map *map = NULL;
		struct ebpf_map_info info;
		int ret;

		CHECK(rule != NULL);
		spec.flags = rows[i].flags;
		if (rule->needs == EBPF_MAP_NEEDS_BTF) {
			extra.btf_fd = btf_fd;
			extra.btf_key_type_id = 1;
			extra.btf_value_type_id = 2;
		}
		ret = ebpf_map_create_with(kernel, &spec, &extra, &map, &err);
		if (ret < 0) {
			if (has_since(rule->since) && (complete || !rows[i].configurable)) {
				test_failures++;
				fprintf(stderr, "not ok: %s:%d: %s (hint: %s)\n", __FILE__, __LINE__, err.message, err.hint);
			} else {
				CHECK_HAS(err.message, "this kernel has no maps of this type");
				CHECK_HAS(err.message, rule->since);
			}
			ebpf_error_clear(&err);
			continue;
		}
		OK(ebpf_map_info(map, &info, &err));
		CHECK_INT(info.type, rows[i].type);
		CHECK_INT(info.key_size, ebpf_map_key_size(map));
		CHECK_INT(info.value_size, ebpf_map_value_size(map));
		CHECK_INT(info.max_entries, ebpf_map_max_entries(map));
		CHECK_STR(info.name, "test");
		CHECK(info.id > 0);
		CHECK(!info.frozen);
		CHECK(fcntl(ebpf_map_fd(map), F_GETFD) & FD_CLOEXEC);
		ebpf_map_close(map);
	}
	ebpf_sys_linux.close(btf_fd);
}

static void test_maps_of_maps(void)
{
	struct ebpf_map_spec inner = spec_of(BPF_MAP_TYPE_HASH, 4, 8, 5);
	struct ebpf_map_spec outer = spec_of(BPF_MAP_TYPE_ARRAY_OF_MAPS, 0, 0, 3);
	struct ebpf_map *map = NULL, *child = NULL;
	uint32_t index = 1, id = 0, fd;
	struct ebpf_map_info info;
	int before = open_fds();

	outer.inner = &inner;
	OK(ebpf_map_create(kernel, &outer, &map, &err));
	CHECK_INT(open_fds(), before + 1);
	OK(ebpf_map_create(kernel, &inner, &child, &err));
	fd = (uint32_t)ebpf_map_fd(child);
	OK(ebpf_map_update(map, &index, &fd, EBPF_ANY, &err));
	OK(ebpf_map_lookup(map, &index, &id, 0, &err));
	OK(ebpf_map_info(child, &info, &err));
	CHECK_INT(id, info.id);
	ebpf_map_close(map);
	outer.type = BPF_MAP_TYPE_HASH_OF_MAPS;
	outer.key_size = 4;
	OK(ebpf_map_create(kernel, &outer, &map, &err));
	OK(ebpf_map_update(map, &index, &fd, EBPF_ANY, &err));
	ebpf_map_close(map);
	outer.inner = NULL;
	CHECK(ebpf_map_create(kernel, &outer, &map, &err) < 0);
	CHECK_HAS(err.message, "nothing says what its inner maps are");
	inner.type = BPF_MAP_TYPE_ARRAY_OF_MAPS;
	outer.inner = &inner;
	CHECK_INT(ebpf_map_create(kernel, &outer, &map, &err), -EINVAL);
	CHECK_HAS(err.message, "maps of maps of maps");
	ebpf_error_clear(&err);
	ebpf_map_close(child);
}

/* -- what is wrong is said -- */

static void refuse(const struct ebpf_map_spec *spec, const char *part, int line)
{
	struct ebpf_map *map = NULL;
	int before = open_fds();
	int ret = ebpf_map_create(kernel, spec, &map, &err);

	if (ret >= 0 || !strstr(err.message, part)) {
		test_failures++;
		fprintf(stderr, "not ok: %s:%d: %d, \"%s\" without \"%s\"\n", __FILE__, line, ret, err.message, part);
	}
	CHECK_INT(open_fds(), before);
	CHECK(ret < 0 && err.code == -ret);
	ebpf_map_close(map);
	ebpf_error_clear(&err);
}

#define REFUSE(type, key, value, entries, more, part) \
	do { \
		struct ebpf_map_spec spec_ = spec_of(BPF_MAP_TYPE_##type, key, value, entries); \
		more; \
		refuse(&spec_, part, __LINE__); \
	} while (0)

static void test_explanations(void)
{
	REFUSE(HASH, 0, 8, 10, , "map 'test': create hash: key_size is 0, but must be at least 1");
	REFUSE(HASH, 4, 0, 10, , "value_size is 0, but must be at least 1");
	REFUSE(HASH, 4, 4, 0, , "max_entries is 0");
	REFUSE(HASH, 4, 4, 0xffffffff, , "max_entries 4294967295 is more than this kernel takes");
	REFUSE(HASH, 4, 4, 10, spec_.flags = BPF_F_STACK_BUILD_ID, "does not take the flag BPF_F_STACK_BUILD_ID");
	REFUSE(HASH, 4, 4, 10, spec_.flags = 1U << 30, "does not take the flag 0x40000000");
	REFUSE(HASH, 4, 1U << 30, 10, , "value_size 1073741824 is more than this kernel takes");
	REFUSE(HASH, 4, 4, 10, spec_.numa_node = 1000, "there is no NUMA node 1000");
	REFUSE(PERCPU_ARRAY, 4, 1 << 20, 1, , "value_size 1048576 is more");
	REFUSE(ARRAY, 8, 8, 10, , "create array: key_size is 8, but must be 4");
	REFUSE(ARRAY, 4, 8, 0, , "max_entries is 0");
	REFUSE(PROG_ARRAY, 4, 8, 1, , "value_size is 8, but must be 4");
	REFUSE(LRU_HASH, 4, 8, 10, spec_.flags = BPF_F_NO_PREALLOC, "BPF_F_NO_PREALLOC is not possible");
	REFUSE(LPM_TRIE, 4, 8, 10, spec_.flags = BPF_F_NO_PREALLOC, "key_size is 4, but must be from 5 to 260");
	REFUSE(STACK_TRACE, 4, 12, 10, , "value_size is 12, but must be a multiple of 8");
	REFUSE(STACK_TRACE, 4, 1 << 16, 10, , "value_size 65536 is more");
	REFUSE(QUEUE, 4, 8, 10, , "key_size is 4, but must be 0");
	REFUSE(RINGBUF, 0, 8, 4096, , "value_size is 8, but must be 0");
	REFUSE(RINGBUF, 0, 0, 0, , "max_entries is 0, but must be a power of two and a multiple of");
	REFUSE(RINGBUF, 0, 0, 0x80000001U, , "max_entries is 2147483649, but must be a power of two");
	CHECK_INT(ebpf_kernel_mask(kernel, "btf", true, &err), 0);
	REFUSE(SK_STORAGE, 4, 8, 0, spec_.flags = BPF_F_NO_PREALLOC, "this type needs BTF");
	CHECK_INT(ebpf_kernel_mask(kernel, "btf", false, &err), 0);
	REFUSE(SK_STORAGE, 4, 8, 7, spec_.flags = BPF_F_NO_PREALLOC, "max_entries is 7, but must be 0");
	REFUSE(UNSPEC, 4, 8, 7, , "no type is given");
	{
		struct ebpf_map_spec spec = spec_of(99, 4, 4, 1);

		refuse(&spec, "map 'test': create unknown: type number 99", __LINE__);
	}
	if (newer_than(5, 16))
		REFUSE(BLOOM_FILTER, 0, 8, 10, spec_.map_extra = 99, "map_extra is 0x63");
	if (newer_than(6, 9))
		REFUSE(ARENA, 0, 0, 0, , "max_entries is 0");
}

/* -- elements -- */

static void test_hash(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_HASH, 4, 8, 3);
	uint32_t key = 1, next;
	uint64_t value = 42, got = 0;

	CHECK_INT(ebpf_map_lookup_size(map), 8);
	CHECK_INT(ebpf_map_lookup(map, &key, &got, 0, &err), -ENOENT);
	CHECK_INT(ebpf_map_delete(map, &key, &err), -ENOENT);
	CHECK_INT(ebpf_map_next_key(map, NULL, &next, &err), -ENOENT);
	CHECK_INT(err.code, 0);
	OK(ebpf_map_update(map, &key, &value, EBPF_NOEXIST, &err));
	OK(ebpf_map_lookup(map, &key, &got, 0, &err));
	CHECK_INT(got, 42);
	CHECK_INT(ebpf_map_update(map, &key, &value, EBPF_NOEXIST, &err), -EEXIST);
	CHECK_HAS(err.message, "map 'test': update: the key exists already");
	OK(ebpf_map_next_key(map, NULL, &next, &err));
	CHECK_INT(next, 1);
	CHECK_INT(ebpf_map_next_key(map, &next, &next, &err), -ENOENT);
	key = 2;
	CHECK_INT(ebpf_map_update(map, &key, &value, EBPF_EXIST, &err), -ENOENT);
	CHECK_HAS(err.message, "there is no such key");
	for (key = 2; key <= 3; key++)
		OK(ebpf_map_update(map, &key, &value, EBPF_ANY, &err));
	CHECK_INT(ebpf_map_update(map, &key, &value, EBPF_ANY, &err), -E2BIG);
	CHECK_HAS(err.message, "the map is full (max_entries is 3)");
	CHECK_INT(ebpf_map_lookup(map, &key, &got, EBPF_F_LOCK, &err), -EINVAL);
	CHECK_HAS(err.hint, "bpf_spin_lock");
	key = 1;
	if (newer_than(5, 14)) {
		got = 0;
		OK(ebpf_map_lookup_delete(map, &key, &got, 0, &err));
		CHECK_INT(got, 42);
		CHECK_INT(ebpf_map_lookup_delete(map, &key, &got, 0, &err), -ENOENT);
	} else {
		CHECK(ebpf_map_lookup_delete(map, &key, &got, 0, &err) < 0);
		CHECK_HAS(err.hint, "5.14");
		OK(ebpf_map_delete(map, &key, &err));
	}
	CHECK_INT(ebpf_map_lookup(map, &key, &got, 0, &err), -ENOENT);
	ebpf_map_close(map);
	ebpf_error_clear(&err);
}

static void test_array(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_ARRAY, 4, 6, 3);
	uint8_t value[6] = "abcde", got[8] = { 0 };
	uint32_t key = 2;

	OK(ebpf_map_update(map, &key, value, 0, &err));
	memset(got, 0xee, sizeof(got));
	OK(ebpf_map_lookup(map, &key, got, 0, &err));
	CHECK(!memcmp(got, value, 6) && got[6] == 0xee);
	CHECK_INT(ebpf_map_delete(map, &key, &err), -EINVAL);
	CHECK_HAS(err.message, "cannot be deleted");
	CHECK_INT(ebpf_map_update(map, &key, value, EBPF_NOEXIST, &err), -EEXIST);
	key = 3;
	CHECK_INT(ebpf_map_update(map, &key, value, 0, &err), -E2BIG);
	CHECK_HAS(err.message, "the index is not below max_entries, 3");
	CHECK_INT(ebpf_map_lookup(map, &key, got, 0, &err), -ENOENT);
	ebpf_map_close(map);
	ebpf_error_clear(&err);
}

static void test_keyless(void)
{
	struct ebpf_map *queue = make(BPF_MAP_TYPE_QUEUE, 0, 4, 4), *stack = make(BPF_MAP_TYPE_STACK, 0, 4, 4);
	struct ebpf_map_walk *walk;
	uint32_t got;

	for (uint32_t i = 1; i <= 3; i++) {
		OK(ebpf_map_update(queue, NULL, &i, 0, &err));
		OK(ebpf_map_update(stack, &i, &i, 0, &err)); /* a key is not looked at */
	}
	OK(ebpf_map_lookup(queue, NULL, &got, 0, &err));
	CHECK_INT(got, 1);
	OK(ebpf_map_lookup_delete(queue, NULL, &got, 0, &err));
	CHECK_INT(got, 1);
	OK(ebpf_map_lookup_delete(stack, &got, &got, 0, &err));
	CHECK_INT(got, 3);
	OK(ebpf_map_lookup_delete(queue, NULL, &got, 0, &err));
	OK(ebpf_map_lookup_delete(queue, NULL, &got, 0, &err));
	CHECK_INT(ebpf_map_lookup_delete(queue, NULL, &got, 0, &err), -ENOENT);
	walk = ebpf_map_walk_new(queue, &err);
	CHECK(!walk && err.code == ENOTSUP);
	CHECK(ebpf_map_delete(queue, NULL, &err) < 0);
	ebpf_map_close(queue);
	ebpf_map_close(stack);
	ebpf_error_clear(&err);
}

static void test_percpu(void)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH };

	for (size_t i = 0; i < EBPF_COUNT(types); i++) {
		struct ebpf_map *map = make(types[i], 4, 12, 3);
		uint32_t cpus = ebpf_map_cpu_count(map), key = 1;
		uint8_t *values = calloc(1, ebpf_map_lookup_size(map)), *got = calloc(1, ebpf_map_lookup_size(map));

		CHECK(ebpf_map_is_percpu(map));
		CHECK_INT(cpus, ebpf_kernel_cpu_count(kernel, NULL));
		CHECK_INT(ebpf_map_cpu_stride(map), 16);
		CHECK_INT(ebpf_map_lookup_size(map), 16 * cpus);
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			memset(values + 16 * cpu, 'a' + (int)(cpu % 20), 12);
		OK(ebpf_map_update(map, &key, values, 0, &err));
		OK(ebpf_map_lookup(map, &key, got, 0, &err));
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			CHECK(!memcmp(values + 16 * cpu, got + 16 * cpu, 12));
		free(values);
		free(got);
		ebpf_map_close(map);
	}
}

/* -- walks -- */

#define MANY 3000

struct tally {
	unsigned seen[2 * MANY];
	unsigned total, foreign, torn;
};

/* Returns the walk's end: 0 or an error. `each` may change the map. */
static int walk_all(struct ebpf_map *map, struct tally *tally, void (*each)(struct ebpf_map *map, uint32_t key))
{
	struct ebpf_map_walk *walk = ebpf_map_walk_new(map, &err);
	const void *key, *value;
	int ret;

	memset(tally, 0, sizeof(*tally));
	CHECK(walk != NULL);
	if (!walk)
		return -1;
	while ((ret = ebpf_map_walk_next(walk, &key, &value, &err)) == 1) {
		uint32_t number, check;

		memcpy(&number, key, 4);
		memcpy(&check, value, 4);
		tally->total++;
		if (number < 2 * MANY && check == number * 7)
			tally->seen[number]++;
		else if (number < MANY)
			tally->foreign++;
		else
			tally->torn++;
		if (each)
			each(map, number);
	}
	CHECK(ret <= 0);
	CHECK(ebpf_map_walk_next(walk, &key, &value, &err) <= 0); /* once more is fine */
	ebpf_map_walk_free(walk);
	return ret;
}

static void put(struct ebpf_map *map, uint32_t key)
{
	uint32_t check = key * 7;
	size_t size = ebpf_map_lookup_size(map);
	uint8_t *value = calloc(1, size);

	for (size_t at = 0; at < size; at += map->cpu_count ? ebpf_map_cpu_stride(map) : size)
		memcpy(value + at, &check, 4);
	OK(ebpf_map_update(map, &key, value, 0, &err));
	free(value);
}

static void remove_key(struct ebpf_map *map, uint32_t key)
{
	CHECK(ebpf_map_delete(map, &key, NULL) == 0);
}

static void test_walk(void)
{
	static const struct {
		uint32_t type, value_size, flags, count;
	} rows[] = {
		{ BPF_MAP_TYPE_HASH, 4, 0, MANY }, { BPF_MAP_TYPE_HASH, 13, 0, 1 }, { BPF_MAP_TYPE_HASH, 8, BPF_F_NO_PREALLOC, 0 },
		{ BPF_MAP_TYPE_HASH, 65536, BPF_F_NO_PREALLOC, 200 }, { BPF_MAP_TYPE_ARRAY, 4, 0, MANY },
		{ BPF_MAP_TYPE_PERCPU_HASH, 12, 0, 500 }, { BPF_MAP_TYPE_PERCPU_ARRAY, 12, 0, 500 },
		{ BPF_MAP_TYPE_LRU_HASH, 8, 0, 100 }, { BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 0, 20 },
	};
	static struct tally tally;

	for (int masked = 0; masked <= 1; masked++) {
		OK(ebpf_kernel_mask(kernel, "map_batch", masked, &err));
		for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
			struct ebpf_map_spec spec = spec_of(rows[i].type, 4, rows[i].value_size, rows[i].count ? rows[i].count : 5);
			bool lru = strstr(ebpf_map_type_name(rows[i].type), "lru") != NULL;
			struct ebpf_map *map;

			if (lru) /* it makes room before it is full */
				spec.max_entries *= 50;
			spec.flags = rows[i].flags;
			OK(ebpf_map_create(kernel, &spec, &map, &err));
			for (uint32_t key = 0; key < rows[i].count; key++)
				put(map, key);
			CHECK_INT(walk_all(map, &tally, NULL), 0);
			CHECK_INT(tally.total, rows[i].count);
			CHECK_INT(tally.foreign + tally.torn, 0);
			for (uint32_t key = 0; key < rows[i].count; key++)
				CHECK_INT(tally.seen[key], 1);
			if (!strstr(ebpf_map_type_name(rows[i].type), "array")) {
				CHECK_INT(walk_all(map, &tally, remove_key), 0);
				CHECK_INT(tally.total, rows[i].count);
				CHECK_INT(walk_all(map, &tally, NULL), 0);
				CHECK_INT(tally.total, 0);
			}
			ebpf_map_close(map);
		}
	}
	OK(ebpf_kernel_mask(kernel, "map_batch", false, &err));
}

static void test_walk_trie(void)
{
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_LPM_TRIE, 8, 8, 600);
	struct ebpf_map *map;
	unsigned total;

	spec.flags = BPF_F_NO_PREALLOC;
	OK(ebpf_map_create(kernel, &spec, &map, &err));
	for (uint32_t i = 0; i < 500; i++) {
		uint32_t key[2] = { 32, i };
		uint64_t value = i;

		OK(ebpf_map_update(map, key, &value, 0, &err));
	}
	for (int masked = 0; masked <= 1; masked++) {
		const void *key, *value;
		struct ebpf_map_walk *walk;

		OK(ebpf_kernel_mask(kernel, "map_batch", masked, &err));
		walk = ebpf_map_walk_new(map, &err);
		for (total = 0; ebpf_map_walk_next(walk, &key, &value, &err) == 1; total++)
			CHECK_INT(((const uint32_t *)key)[1], *(const uint64_t *)value);
		CHECK_INT(total, 500);
		ebpf_map_walk_free(walk);
	}
	OK(ebpf_kernel_mask(kernel, "map_batch", false, &err));
	ebpf_map_close(map);
}

/* Keys below MANY stay; those above come, and go or are replaced while `deleting`. */
static atomic_bool stop_writing, deleting;
static atomic_uint writes;

static void *write_meanwhile(void *argument)
{
	struct ebpf_map *map = argument;
	uint32_t seed = 1;

	while (!atomic_load(&stop_writing)) {
		uint32_t key, check;

		seed = seed * 1664525 + 1013904223;
		key = MANY + (seed >> 8) % MANY;
		check = key * 7;
		if (seed & 0x80 || !atomic_load(&deleting))
			ebpf_map_update(map, &key, &check, atomic_load(&deleting) ? EBPF_ANY : EBPF_NOEXIST, NULL);
		else
			ebpf_map_delete(map, &key, NULL);
		atomic_fetch_add(&writes, 1);
	}
	return NULL;
}

static void test_walk_while_written(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_HASH, 4, 4, 2 * MANY);
	static struct tally tally;
	pthread_t thread;

	for (uint32_t key = 0; key < MANY; key++)
		put(map, key);
	atomic_store(&stop_writing, false);
	CHECK(!pthread_create(&thread, NULL, write_meanwhile, map));
	for (int round = 0; round < 40; round++) {
		bool batches = round & 1;
		unsigned before;
		int ret;

		/* A walk key by key may miss elements while others are deleted or replaced: the kernel steps on from an element that another
		 * bucket has taken over meanwhile. Batches hold the bucket's lock. */
		atomic_store(&deleting, batches);
		before = atomic_load(&writes);
		while (atomic_load(&writes) - before < 2)
			sched_yield(); /* the last write of the other kind is over */

		OK(ebpf_kernel_mask(kernel, "map_batch", !batches, &err));
		ret = walk_all(map, &tally, NULL);
		CHECK(ret == 0 || (ret == -EAGAIN && !batches));
		/* an element that is deleted while a lookup copies it may become another one's: not so in batches, which hold the bucket's lock */
		CHECK_INT(tally.foreign + (batches ? tally.torn : 0), 0);
		CHECK(tally.total <= 4 * MANY + 64);
		for (uint32_t key = 0; key < MANY && ret == 0; key++)
			CHECK(batches ? tally.seen[key] == 1 : tally.seen[key] >= 1);
		ebpf_error_clear(&err);
	}
	atomic_store(&stop_writing, true);
	pthread_join(thread, NULL);
	OK(ebpf_kernel_mask(kernel, "map_batch", false, &err));
	ebpf_map_close(map);
}

/* -- types -- */

static void test_layouts(void)
{
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_HASH, 4, 8, 5);
	struct ebpf_map_extra extra = { .btf_fd = load_btf(), .btf_key_type_id = 1, .btf_value_type_id = 2, .btf = read_btf() };
	struct ebpf_map *map, *again;
	struct ebpf_map_info info;

	spec.key_type_id = 1;
	spec.value_type_id = 2;
	OK(ebpf_map_create_with(kernel, &spec, &extra, &map, &err));
	CHECK_STR(ebpf_map_key_layout(map)->name, "int");
	CHECK_STR(ebpf_map_value_layout(map)->name, "struct pair");
	CHECK(ebpf_map_btf(map) == extra.btf);
	OK(ebpf_map_info(map, &info, &err));
	CHECK(info.btf_id && info.key_type_id == 1 && info.value_type_id == 2);
	OK(ebpf_map_open_id(kernel, info.id, &again, &err));
	CHECK(again->reused);
	CHECK_STR(ebpf_map_name(again), "test");
	CHECK(ebpf_map_value_layout(again) != NULL);
	if (ebpf_map_value_layout(again))
		CHECK_STR(ebpf_map_value_layout(again)->name, "struct pair");
	OK(ebpf_map_compatible(again, &spec, &err));
	ebpf_map_close(again);
	CHECK_INT(ebpf_map_set_layouts(map, NULL, ebpf_layout_from_name("u32", NULL, &err), &err), -EINVAL);
	CHECK_HAS(err.message, "map 'test': value is u32 of 4 bytes, but the map has values of 8");
	OK(ebpf_map_set_layouts(map, NULL, ebpf_layout_from_name("u64", NULL, &err), &err));
	CHECK_STR(ebpf_map_value_layout(map)->name, "u64");
	CHECK_STR(ebpf_map_key_layout(map)->name, "int");
	ebpf_map_close(map);
	/* types that do not fit are no layouts; the kernel minds them, and gets none */
	spec.value_type_id = extra.btf_value_type_id = 3;
	OK(ebpf_map_create_with(kernel, &spec, &extra, &map, &err));
	CHECK(ebpf_map_value_layout(map) == NULL);
	ebpf_map_close(map);
	/* what the type of map fixes needs no types */
	spec = spec_of(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2);
	OK(ebpf_map_create_with(kernel, &spec, NULL, &map, &err));
	CHECK_STR(ebpf_map_key_layout(map)->name, "u32");
	CHECK_STR(ebpf_map_value_layout(map)->name, "u32");
	ebpf_map_close(map);
	/* a ring's value type is its record's */
	spec = spec_of(BPF_MAP_TYPE_RINGBUF, 0, 12, 4096);
	spec.value_type_id = 3;
	OK(ebpf_map_create_with(kernel, &spec, &(struct ebpf_map_extra){ .btf = extra.btf }, &map, &err));
	CHECK_INT(ebpf_map_value_size(map), 0);
	CHECK_STR(ebpf_map_value_layout(map)->name, "struct record");
	OK(ebpf_map_set_layouts(map, NULL, ebpf_layout_from_name("u64", NULL, &err), &err));
	CHECK_STR(ebpf_map_value_layout(map)->name, "u64");
	ebpf_map_close(map);
	ebpf_sys_linux.close(extra.btf_fd);
	ebpf_btf_free(extra.btf);
	CHECK_INT(ebpf_map_open_id(kernel, 0x7ffffff0, &map, &err), -ENOENT);
	CHECK_HAS(err.message, "there is none with id 2147483632");
	ebpf_error_clear(&err);
}

static void test_compatible(void)
{
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_RINGBUF, 0, 0, 5000);
	struct ebpf_map *map;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	CHECK_INT(ebpf_map_max_entries(map), 8192);
	OK(ebpf_map_compatible(map, &spec, &err));
	spec.max_entries = 9000;
	CHECK_INT(ebpf_map_compatible(map, &spec, &err), -EEXIST);
	CHECK_HAS(err.message, "map 'test': the existing map has max_entries 8192, not 16384");
	spec = spec_of(BPF_MAP_TYPE_HASH, 4, 4, 4);
	CHECK_INT(ebpf_map_compatible(map, &spec, &err), -EEXIST);
	CHECK_HAS(err.message, "the existing map has type ringbuf, not hash, and key_size 0, not 4, and value_size 0, not 4, and max_entries 8192, not 4");
	ebpf_map_close(map);
	map = make(BPF_MAP_TYPE_HASH, 4, 4, 4);
	spec.flags = BPF_F_NO_PREALLOC;
	CHECK_INT(ebpf_map_compatible(map, &spec, &err), -EEXIST);
	CHECK_HAS(err.message, "flags 0x0, not 0x1");
	ebpf_map_close(map);
	ebpf_error_clear(&err);
	spec = spec_of(BPF_MAP_TYPE_DEVMAP, 4, 4, 4);
	if (ebpf_map_create(kernel, &spec, &map, NULL) == 0) {
		struct ebpf_map_info info;
		struct ebpf_map *again;

		OK(ebpf_map_info(map, &info, &err));
		OK(ebpf_map_open_id(kernel, info.id, &again, &err));
		OK(ebpf_map_compatible(again, &spec, &err));
		ebpf_map_close(again);
		ebpf_map_close(map);
	}
}

/* -- freezing, memory -- */

static void test_memory(void)
{
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_ARRAY, 4, 12, 1000);
	uint32_t key = 999, got[3];
	struct ebpf_map *map;
	void *memory, *again;
	bool writable;
	size_t size;

	spec.flags = BPF_F_MMAPABLE;
	OK(ebpf_map_create(kernel, &spec, &map, &err));
	OK(ebpf_map_memory(map, &memory, &size, &writable, &err));
	CHECK_INT(size, 16384);
	CHECK(writable);
	memcpy((uint8_t *)memory + 999 * 16, (uint32_t[]){ 1, 2, 3 }, 12);
	OK(ebpf_map_lookup(map, &key, got, 0, &err));
	CHECK(got[0] == 1 && got[2] == 3);
	OK(ebpf_map_memory(map, &again, &size, &writable, &err));
	CHECK(again == memory);
	OK(ebpf_map_freeze(map, &err)); /* with the writable mapping that we had */
	OK(ebpf_map_freeze(map, &err));
	CHECK_INT(ebpf_map_update(map, &key, got, 0, &err), -EPERM);
	CHECK_HAS(err.hint, "frozen");
	OK(ebpf_map_memory(map, &memory, &size, &writable, &err));
	CHECK(!writable);
	CHECK_INT(((uint32_t *)((uint8_t *)memory + 999 * 16))[1], 2);
	{
		struct ebpf_map_info info;
		struct ebpf_map *other;

		OK(ebpf_map_info(map, &info, &err));
		CHECK(info.frozen);
		OK(ebpf_map_open_id(kernel, info.id, &other, &err));
		CHECK(other->frozen);
		ebpf_map_close(other);
	}
	ebpf_map_close(map);
	map = make(BPF_MAP_TYPE_ARRAY, 4, 12, 1000);
	CHECK_INT(ebpf_map_memory(map, &memory, &size, &writable, &err), -ENOTSUP);
	CHECK_HAS(err.message, "BPF_F_MMAPABLE");
	ebpf_map_close(map);
	spec.flags = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG;
	OK(ebpf_map_create(kernel, &spec, &map, &err));
	OK(ebpf_map_memory(map, &memory, &size, &writable, &err));
	CHECK(!writable);
	ebpf_map_close(map);
	ebpf_error_clear(&err);
}

/* -- pinning -- */

static int load_program(void)
{
	const struct ebpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = ebpf_ptr(insns);
	attr.insn_cnt = 2;
	attr.license = ebpf_ptr("GPL");
	return ebpf_sys_linux.bpf(BPF_PROG_LOAD, &attr, EBPF_ATTR_SIZE(expected_attach_type));
}

static void pin_program(const char *path)
{
	union bpf_attr attr;
	int fd = load_program();

	memset(&attr, 0, sizeof(attr));
	attr.pathname = ebpf_ptr(path);
	attr.bpf_fd = (uint32_t)fd;
	OK(ebpf_sys_linux.bpf(BPF_OBJ_PIN, &attr, EBPF_ATTR_SIZE(file_flags)));
	ebpf_sys_linux.close(fd);
}

static void test_pins(void)
{
	char dir[] = "/tmp/map_test.XXXXXX", path[64], other[64], bad[64];
	struct ebpf_map *map = make(BPF_MAP_TYPE_HASH, 4, 8, 3), *again = NULL;
	uint64_t value = 5, got = 0;
	uint32_t key = 4;

	if (!mkdtemp(dir)) {
		CHECK(!"mkdtemp");
		return;
	}
	snprintf(path, sizeof(path), "%s/counts", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(bad, sizeof(bad), "%s/a.b", dir);
	CHECK_INT(ebpf_map_pin(map, other, &err), -EPERM);
	CHECK_HAS(err.hint, "must lie in a BPF file system");
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("bpf", dir, "bpf", 0, NULL)) {
		fprintf(stderr, "no mount namespace of our own: pins are not tested\n");
		goto out;
	}
	OK(ebpf_map_update(map, &key, &value, 0, &err));
	CHECK_INT(ebpf_map_unpin(map, &err), -ENOENT);
	OK(ebpf_map_pin(map, path, &err));
	OK(ebpf_map_pin(map, path, &err)); /* that is where it is */
	OK(ebpf_map_pin(map, other, &err)); /* it moves */
	CHECK(access(path, F_OK) && errno == ENOENT);
	OK(ebpf_map_pin(map, path, &err));
	ebpf_map_close(map);
	map = make(BPF_MAP_TYPE_HASH, 4, 8, 3);
	CHECK_INT(ebpf_map_pin(map, path, &err), -EEXIST);
	CHECK_INT(ebpf_map_pin(map, bad, &err), -EPERM);
	CHECK_HAS(err.hint, "dot");
	CHECK_INT(ebpf_map_pin(map, "/nowhere/at/all", &err), -ENOENT);
	CHECK_HAS(err.hint, "must exist");
	OK(ebpf_map_open_pinned(kernel, path, &again, &err));
	OK(ebpf_map_lookup(again, &key, &got, 0, &err));
	CHECK_INT(got, 5);
	CHECK_STR(ebpf_map_name(again), "test");
	OK(ebpf_map_unpin(again, &err));
	CHECK(access(path, F_OK) != 0);
	ebpf_map_close(again);
	OK(ebpf_map_pin(map, path, &err));
	unlink(path);
	OK(ebpf_map_unpin(map, &err)); /* it is gone, as was wanted */
	CHECK_INT(ebpf_map_open_pinned(kernel, path, &again, &err), -ENOENT);
	CHECK_HAS(err.message, "map: open pinned ");
	pin_program(other);
	CHECK_INT(ebpf_map_open_pinned(kernel, other, &again, &err), -EINVAL);
	CHECK_HAS(err.message, "this is a program, not a map");
	umount2(dir, MNT_DETACH);
out:
	ebpf_map_close(map);
	ebpf_error_clear(&err);
	rmdir(dir);
}

/* -- whatever fails, nothing is left behind -- */

static int calls, fail_at, fail_with;

static bool fails(void)
{
	return ++calls == fail_at;
}

static int failing_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	return fails() ? fail_with : ebpf_sys_linux.bpf(cmd, attr, size);
}

static int failing_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return fails() ? fail_with : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static int failing_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return fails() ? fail_with : ebpf_sys_linux.openat(dir_fd, path, flags, mode);
}

static ssize_t failing_read(int fd, void *data, size_t size)
{
	return fails() ? fail_with : ebpf_sys_linux.read(fd, data, size);
}

static int failing_fcntl(int fd, int command, long argument)
{
	return fails() ? fail_with : ebpf_sys_linux.fcntl(fd, command, argument);
}

static int scenario(struct ebpf_kernel *fake, int btf_fd, struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 5), outer = spec_of(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2);
	struct ebpf_map_extra extra = { .btf_fd = btf_fd, .btf_key_type_id = 1, .btf_value_type_id = 2, .btf = btf };
	struct ebpf_map_spec percpu = spec_of(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 5);
	struct ebpf_map *map = NULL, *opened = NULL, *nested = NULL, *cpus = NULL;
	struct ebpf_map_walk *walk = NULL;
	const void *key, *value;
	struct ebpf_map_info info;
	void *memory;
	bool writable;
	size_t size;
	int ret;

	spec.flags = BPF_F_MMAPABLE;
	spec.key_type_id = 1;
	spec.value_type_id = 2;
	outer.inner = &spec;
	if ((ret = ebpf_map_create_with(fake, &spec, &extra, &map, &err)) < 0 ||
	    (ret = ebpf_map_memory(map, &memory, &size, &writable, &err)) < 0 || (ret = ebpf_map_freeze(map, &err)) < 0 ||
	    (ret = ebpf_map_memory(map, &memory, &size, &writable, &err)) < 0 || (ret = ebpf_map_info(map, &info, &err)) < 0 ||
	    (ret = ebpf_map_create(fake, &outer, &nested, &err)) < 0 || (ret = ebpf_map_create(fake, &percpu, &cpus, &err)) < 0 ||
	    (ret = ebpf_map_open_id(fake, id, &opened, &err)) < 0)
		goto out;
	walk = ebpf_map_walk_new(cpus, &err);
	ret = walk ? 1 : -1;
	while (ret == 1)
		ret = ebpf_map_walk_next(walk, &key, &value, &err);
out:
	CHECK(ret == 0 || err.code != 0);
	ebpf_map_walk_free(walk);
	ebpf_map_close(map);
	ebpf_map_close(nested);
	ebpf_map_close(cpus);
	ebpf_map_close(opened);
	ebpf_error_clear(&err);
	return ret;
}

static void test_failures_leak_nothing(void)
{
	static const int codes[] = { -EPERM, -EINVAL, -ENOMEM };
	struct ebpf_map_spec spec = spec_of(BPF_MAP_TYPE_ARRAY, 4, 8, 5);
	struct ebpf_map_extra extra = { .btf_fd = load_btf(), .btf_key_type_id = 1, .btf_value_type_id = 2 };
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_btf *btf = read_btf();
	struct ebpf_map_info info = { 0 };
	struct ebpf_map *map = NULL;
	int before, ran;

	OK(ebpf_map_create_with(kernel, &spec, &extra, &map, &err));
	OK(ebpf_map_info(map, &info, &err));
	sys.bpf = failing_bpf;
	sys.mmap = failing_mmap;
	sys.openat = failing_openat;
	sys.read = failing_read;
	sys.fcntl = failing_fcntl;
	before = open_fds();
	for (size_t i = 0; i < EBPF_COUNT(codes); i++) {
		fail_with = codes[i];
		for (fail_at = 1;; fail_at++) {
			struct ebpf_kernel *fake = ebpf_kernel_new_with(&sys, &err);

			calls = 0;
			scenario(fake, extra.btf_fd, btf, info.id);
			ran = calls;
			ebpf_kernel_free(fake);
			CHECK_INT(open_fds(), before);
			if (ran < fail_at)
				break;
		}
		CHECK(fail_at > 10);
	}
	ebpf_map_close(map);
	ebpf_sys_linux.close(extra.btf_fd);
	ebpf_btf_free(btf);
}

/* A process may have been started without standard streams; descriptor 0 stands for "none" in bpf(2). */
static void test_low_descriptors(void)
{
	int saved = dup(0);
	struct ebpf_map *map;

	close(0);
	map = make(BPF_MAP_TYPE_HASH, 4, 4, 1);
	CHECK(ebpf_map_fd(map) > 2);
	CHECK(fcntl(0, F_GETFD) < 0);
	ebpf_map_close(map);
	dup2(saved, 0);
	close(saved);
}

int main(void)
{
	int before;

	if (geteuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&err);
	ebpf_kernel_cpu_count(kernel, NULL);
	before = open_fds();
	test_types();
	test_maps_of_maps();
	test_explanations();
	test_hash();
	test_array();
	test_keyless();
	test_percpu();
	test_walk();
	test_walk_trie();
	test_walk_while_written();
	test_layouts();
	test_compatible();
	test_memory();
	test_low_descriptors();
	test_failures_leak_nothing();
	test_pins();
	CHECK_INT(open_fds(), before);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
