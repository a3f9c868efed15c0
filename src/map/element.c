/* element.c -- one element at a time. Each function is one call of bpf(2) with what it needs on the stack; words are found only when it failed. */
#include "map/map.h"
#include "map/rules.h"

#include <stdlib.h>

/* The kernel's own, not POSIX's: what an operation that a type does not have ends with. */
#define ENOTSUPP 524

static int element(struct ebpf_map *map, enum bpf_cmd command, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, EBPF_ATTR_SIZE(flags));
	attr.map_fd = (uint32_t)map->fd;
	attr.key = map->key_size ? ebpf_ptr(key) : 0;
	attr.value = ebpf_ptr(value);
	attr.flags = flags;
	return ebpf_kernel_sys(map->kernel)->bpf(command, &attr, EBPF_ATTR_SIZE(flags));
}

/* What every operation can end with. */
static int explain(struct ebpf_map *map, const char *what, int code, struct ebpf_error *err)
{
	if (code == -ENOTSUPP || code == -EOPNOTSUPP)
		return ebpf_fail(err, ENOTSUP, "map '%s': %s: elements of a %s cannot be treated so from user space", map->name, what,
				 ebpf_map_type_name(map->type));
	ebpf_fail_errno(err, code, "map '%s': %s", map->name, what);
	if (code == -EPERM && err) {
		if (map->frozen)
			ebpf_hint(err, "the map is frozen");
		else if (map->flags & (BPF_F_RDONLY | BPF_F_WRONLY))
			ebpf_hint(err, "the map was created %s for user space", map->flags & BPF_F_RDONLY ? "read-only" : "write-only");
		else
			ebpf_hint(err, "the map is frozen, or its descriptor does not allow this");
	}
	return code;
}

static int explain_lookup(struct ebpf_map *map, const char *what, uint64_t flags, int code, struct ebpf_error *err)
{
	int ret = explain(map, what, code, err);

	if (code == -EINVAL && (flags & BPF_F_LOCK))
		ebpf_hint(err, "BPF_F_LOCK is for values with a struct bpf_spin_lock, which the map's BTF must show");
	return ret;
}

/* Elements are numbered from 0 to max_entries - 1. */
static bool is_indexed(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_XSKMAP:
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
		return true;
	}
	return false;
}

static int explain_update(struct ebpf_map *map, uint64_t flags, int code, struct ebpf_error *err)
{
	const char *name = map->name;

	switch (code) {
	case -EEXIST:
		return ebpf_fail(err, code, "map '%s': update: the key exists already%s", name,
				 is_indexed(map->type) ? ": an array has all its elements from the start" : "");
	case -ENOENT:
		return ebpf_fail(err, code, "map '%s': update: there is no such key", name);
	case -E2BIG:
		if (is_indexed(map->type))
			return ebpf_fail(err, code, "map '%s': update: the index is not below max_entries, %u", name, map->max_entries);
		ebpf_fail(err, code, "map '%s': update: the map is full (max_entries is %u)", name, map->max_entries);
		ebpf_hint(err, "raise max_entries, delete keys, or use an lru_hash, which makes room by itself");
		return code;
	}
	return explain_lookup(map, "update", flags, code, err);
}

int ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value, uint64_t flags, struct ebpf_error *err)
{
	int ret = element(map, BPF_MAP_LOOKUP_ELEM, key, value, flags);

	return ret >= 0 ? 0 : ret == -ENOENT ? ret : explain_lookup(map, "lookup", flags, ret, err);
}

int ebpf_map_lookup_delete(struct ebpf_map *map, const void *key, void *value, uint64_t flags, struct ebpf_error *err)
{
	int ret = element(map, BPF_MAP_LOOKUP_AND_DELETE_ELEM, key, value, flags);

	if (ret >= 0)
		return 0;
	if (ret == -ENOENT)
		return ret;
	ret = explain_lookup(map, "lookup and delete", flags, ret, err);
	if (ret == -ENOTSUP || ret == -EINVAL)
		ebpf_hint(err, "this is for queues and stacks, and since Linux 5.14 for hashes");
	return ret;
}

int ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags, struct ebpf_error *err)
{
	int ret = element(map, BPF_MAP_UPDATE_ELEM, key, value, flags);

	return ret >= 0 ? 0 : explain_update(map, flags, ret, err);
}

int ebpf_map_delete(struct ebpf_map *map, const void *key, struct ebpf_error *err)
{
	int ret = element(map, BPF_MAP_DELETE_ELEM, key, NULL, 0);

	if (ret >= 0)
		return 0;
	if (ret == -ENOENT)
		return ret;
	if (ret == -EINVAL && (map->type == BPF_MAP_TYPE_ARRAY || map->type == BPF_MAP_TYPE_PERCPU_ARRAY))
		return ebpf_fail(err, ret, "map '%s': delete: elements of an array cannot be deleted, only overwritten", map->name);
	return explain_lookup(map, "delete", 0, ret, err);
}

int ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next, struct ebpf_error *err)
{
	int ret = element(map, BPF_MAP_GET_NEXT_KEY, key, next, 0);

	return ret >= 0 ? 0 : ret == -ENOENT ? ret : explain_lookup(map, "next key", 0, ret, err);
}

/* -- one CPU's piece of a per-CPU value (7.0) -- */

static int check_cpu(const struct ebpf_map *map, uint32_t cpu, struct ebpf_error *err)
{
	if (!map->cpu_count)
		return ebpf_fail(err, EINVAL, "map '%s': a %s has one value for all CPUs", map->name, ebpf_map_type_name(map->type));
	if (cpu >= map->cpu_count)
		return ebpf_fail(err, ERANGE, "map '%s': there is no CPU %u: they are numbered from 0 to %u", map->name, cpu,
				 map->cpu_count - 1);
	return 0;
}

/* A kernel without the flag refuses it: then all pieces are read, and one is taken. */
int ebpf_map_lookup_cpu(struct ebpf_map *map, const void *key, uint32_t cpu, void *value, struct ebpf_error *err)
{
	int ret = check_cpu(map, cpu, err);
	uint8_t *pieces;

	if (ret < 0)
		return ret;
	if (!ebpf_kernel_lacks(map->kernel, EBPF_FEATURE_MAP_CPU)) {
		ret = element(map, BPF_MAP_LOOKUP_ELEM, key, value, BPF_F_CPU | (uint64_t)cpu << 32);
		if (ret >= 0 || ret == -ENOENT)
			return ret < 0 ? ret : 0;
	}
	pieces = malloc(ebpf_map_lookup_size(map));
	if (!pieces)
		return ebpf_fail_memory(err);
	ret = ebpf_map_lookup(map, key, pieces, 0, err);
	if (ret == 0)
		memcpy(value, pieces + (size_t)cpu * ebpf_map_cpu_stride(map), map->value_size);
	free(pieces);
	return ret;
}

int ebpf_map_update_cpu(struct ebpf_map *map, const void *key, uint32_t cpu, const void *value, struct ebpf_error *err)
{
	int ret = check_cpu(map, cpu, err);

	if (ret < 0)
		return ret;
	ret = ebpf_kernel_masked(map->kernel, EBPF_FEATURE_MAP_CPU)
		      ? -EINVAL
		      : element(map, BPF_MAP_UPDATE_ELEM, key, value, BPF_F_CPU | (uint64_t)cpu << 32);
	if (ret == -EINVAL && !ebpf_kernel_supports(map->kernel, EBPF_FEATURE_MAP_CPU)) {
		/* Reading all pieces and writing them back would undo what programs do on the other CPUs meanwhile. */
		ebpf_fail(err, ENOTSUP, "map '%s': update: this kernel cannot write the value of one CPU alone (Linux %s)", map->name,
			  ebpf_feature_since(EBPF_FEATURE_MAP_CPU));
		ebpf_hint(err, "write the values of all CPUs");
		return -ENOTSUP;
	}
	return ret >= 0 ? 0 : explain_update(map, 0, ret, err);
}

/* -- stacks -- */

/* The kernel's struct bpf_stack_build_id (4.17). */
struct build_id_frame {
	int32_t status;
	uint8_t build_id[20];
	uint64_t where;
};
enum { FRAME_EMPTY, FRAME_VALID, FRAME_ADDRESS };

static bool read_frame(const uint8_t *data, bool build_ids, struct ebpf_stack_frame *frame)
{
	struct build_id_frame source = { .status = FRAME_ADDRESS };

	memcpy(build_ids ? (void *)&source : (void *)&source.where, data, build_ids ? sizeof(source) : sizeof(source.where));
	memset(frame, 0, sizeof(*frame));
	if (source.status == FRAME_EMPTY || (source.status == FRAME_ADDRESS && !source.where))
		return false;
	frame->has_build_id = source.status == FRAME_VALID;
	memcpy(frame->build_id, source.build_id, sizeof(frame->build_id));
	*(frame->has_build_id ? &frame->offset : &frame->address) = source.where;
	return true;
}

int ebpf_map_stack(struct ebpf_map *map, uint32_t id, struct ebpf_stack_frame *frames, size_t capacity, struct ebpf_error *err)
{
	bool build_ids = map->flags & BPF_F_STACK_BUILD_ID;
	size_t size = build_ids ? sizeof(struct build_id_frame) : sizeof(uint64_t), count = 0;
	uint8_t *value;
	int ret;

	if (map->type != BPF_MAP_TYPE_STACK_TRACE)
		return ebpf_fail(err, EINVAL, "map '%s': a %s holds no stacks", map->name, ebpf_map_type_name(map->type));
	value = malloc(map->value_size);
	if (!value)
		return ebpf_fail_memory(err);
	ret = ebpf_map_lookup(map, &id, value, 0, err);
	while (ret == 0 && count < capacity && (count + 1) * size <= map->value_size &&
	       read_frame(value + count * size, build_ids, &frames[count]))
		count++;
	free(value);
	return ret < 0 ? ret : (int)count;
}
