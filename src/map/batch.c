/* batch.c -- many elements in one call, and all of them. Batches came with Linux 5.6; where kernel or type have none, the same is done one by
 * one, so that whoever calls sees no difference but in speed. */
#include "map/map.h"
#include "map/rules.h"

#include <stdlib.h>

/* What a batch of `count` did. The kernel writes the number of elements that it got done also when one of them failed; a call that it
 * refuses as a whole leaves the number as it was, which stands for none. */
static int batch(struct ebpf_map *map, enum bpf_cmd command, const uint8_t *keys, const uint8_t *values, uint32_t count,
		 uint64_t flags, uint32_t *done)
{
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.batch.map_fd = (uint32_t)map->fd;
	attr.batch.keys = ebpf_ptr(keys);
	attr.batch.values = ebpf_ptr(values);
	attr.batch.count = count;
	attr.batch.elem_flags = flags;
	ret = ebpf_kernel_sys(map->kernel)->bpf(command, &attr, EBPF_ATTR_SIZE(batch));
	*done = ret >= 0 || attr.batch.count < count ? attr.batch.count : 0;
	return ret;
}

/* An element that a batch stopped at is tried again by itself: that says in words what is wrong with it, and is all there is to do where
 * there are no batches. */
int ebpf_map_update_batch(struct ebpf_map *map, const void *keys, const void *values, uint32_t *count, uint64_t flags,
			  struct ebpf_error *err)
{
	bool batches = map->key_size && !ebpf_kernel_lacks(map->kernel, EBPF_FEATURE_MAP_BATCH);
	size_t value_size = ebpf_map_lookup_size(map);
	uint32_t total = *count;

	for (*count = 0; *count < total;) {
		const uint8_t *key = (const uint8_t *)keys + (size_t)*count * map->key_size;
		const uint8_t *value = (const uint8_t *)values + *count * value_size;
		uint32_t done = 0;
		int ret;

		if (batches) {
			batch(map, BPF_MAP_UPDATE_BATCH, key, value, total - *count, flags, &done);
			*count += done;
			batches = done != 0;
			if (done)
				continue;
		}
		ret = ebpf_map_update(map, key, value, flags, err);
		if (ret < 0)
			return ret;
		++*count;
	}
	return 0;
}

int ebpf_map_delete_batch(struct ebpf_map *map, const void *keys, uint32_t *count, struct ebpf_error *err)
{
	bool batches = !ebpf_kernel_lacks(map->kernel, EBPF_FEATURE_MAP_BATCH);
	uint32_t total = *count;

	*count = 0;
	for (uint32_t i = 0; i < total;) {
		const uint8_t *key = (const uint8_t *)keys + (size_t)i * map->key_size;
		uint32_t done = 0;
		int ret;

		if (batches) {
			ret = batch(map, BPF_MAP_DELETE_BATCH, key, NULL, total - i, 0, &done);
			i += done;
			*count += done;
			if (ret == -ENOENT) { /* this key is not there; the next ones may be */
				i++;
				continue;
			}
			batches = ret >= 0 || done;
			if (done)
				continue;
		}
		ret = ebpf_map_delete(map, key, err);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		*count += ret == 0;
		i++;
	}
	return 0;
}

/* -- everything -- */

static bool has_all_elements_always(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static bool is_hash(uint32_t type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static int clear_array(struct ebpf_map *map, uint8_t *zeros, struct ebpf_error *err)
{
	for (uint32_t i = 0; i < map->max_entries; i++) {
		int ret = ebpf_map_update(map, &i, zeros, 0, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

static int clear_queue(struct ebpf_map *map, uint8_t *value, struct ebpf_error *err)
{
	for (uint64_t left = 2 * (uint64_t)map->max_entries + 64; left; left--) {
		int ret = ebpf_map_lookup_delete(map, NULL, value, 0, err);

		if (ret < 0)
			return ret == -ENOENT ? 0 : ret;
	}
	return ebpf_fail(err, EAGAIN, "map '%s': clear: others fill it faster than it can be emptied", map->name);
}

/* By batches where the kernel has them. */
static int clear_hash(struct ebpf_map *map, struct ebpf_error *err)
{
	struct ebpf_map_walk *walk = ebpf_map_drain_new(map, err);
	const void *key, *value;
	int ret;

	if (!walk)
		return err ? -err->code : -ENOMEM;
	do
		ret = ebpf_map_walk_next(walk, &key, &value, err);
	while (ret > 0);
	ebpf_map_walk_free(walk);
	return ret;
}

/* The successor is fetched before a key is deleted: from a key that is gone the kernel starts again at the first. */
static int clear_keys(struct ebpf_map *map, uint8_t *key, uint8_t *next, struct ebpf_error *err)
{
	uint64_t left = 2 * (uint64_t)map->max_entries + 64;
	int ret = ebpf_map_next_key(map, NULL, key, err);

	while (ret == 0 && left--) {
		uint8_t *swap = key;
		int more = ebpf_map_next_key(map, key, next, err);

		if (more < 0 && more != -ENOENT)
			return more;
		ret = ebpf_map_delete(map, key, err);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		key = next;
		next = swap;
		ret = more;
	}
	if (ret == 0)
		return ebpf_fail(err, EAGAIN, "map '%s': clear: others fill it faster than it can be emptied", map->name);
	return ret == -ENOENT ? 0 : ret;
}

int ebpf_map_clear(struct ebpf_map *map, struct ebpf_error *err)
{
	size_t value_size = ebpf_map_lookup_size(map), key_size = map->key_size;
	uint8_t *buffer;
	int ret;

	if (map->type == BPF_MAP_TYPE_BLOOM_FILTER || ebpf_map_type_is_stream(map->type) || map->type == BPF_MAP_TYPE_ARENA)
		return ebpf_fail(err, ENOTSUP, "map '%s': clear: a %s cannot be emptied", map->name, ebpf_map_type_name(map->type));
	buffer = calloc(1, 2 * key_size + value_size + 1);
	if (!buffer)
		return ebpf_fail_memory(err);
	if (!key_size)
		ret = clear_queue(map, buffer, err);
	else if (has_all_elements_always(map->type))
		ret = clear_array(map, buffer, err);
	else if (is_hash(map->type))
		ret = clear_hash(map, err);
	else
		ret = clear_keys(map, buffer, buffer + key_size, err);
	free(buffer);
	return ret;
}
