/* walk.c -- all elements of a map, one after the other.
 *
 * By batches where kernel and type have them: hashes are read bucket by bucket, so that nothing comes twice, whatever others write meanwhile. Else key by
 * key; there the kernel starts again at the first key when the one that it is asked to go on from is gone. The successor is
 * therefore fetched before an element is handed out, which makes it safe to delete that very element; and since others may delete
 * any, the number of steps is bounded.
 *
 * A draining walk takes each element out of the map as it reads it: in one step, in batches (5.6) or element by element (5.14); before that
 * reading and deleting are two steps, and what a program adds to a value between them is lost, as ebpf.h says. */
#include "map/map.h"

#include <stdlib.h>

#define BATCH_BYTES (256U << 10)
#define BATCH_MAX 4096U
#define BATCH_MIN 4U
#define RETRIES 100

struct ebpf_map_walk {
	struct ebpf_map *map;
	size_t key_size, value_size;
	uint64_t steps, limit;
	uint8_t *keys, *values;
	bool batches, ended, drain, two_steps;
	/* batches */
	uint32_t capacity, count, index;
	bool started;
	uint8_t *token, *next_token;
	/* key by key: keys holds two of them, values one */
	uint8_t *key, *next_key;
};

/* -- batches -- */

static bool set_capacity(struct ebpf_map_walk *walk, uint32_t capacity)
{
	uint8_t *keys = reallocarray(NULL, capacity, walk->key_size);
	uint8_t *values = reallocarray(NULL, capacity, walk->value_size ? walk->value_size : 1);

	if (!keys || !values) {
		free(keys);
		free(values);
		return false;
	}
	free(walk->keys);
	free(walk->values);
	walk->keys = keys;
	walk->values = values;
	walk->capacity = capacity;
	return true;
}

static uint32_t first_capacity(const struct ebpf_map_walk *walk)
{
	size_t capacity = BATCH_BYTES / (walk->key_size + walk->value_size);

	if (capacity > BATCH_MAX)
		capacity = BATCH_MAX;
	if (capacity > walk->map->max_entries)
		capacity = walk->map->max_entries;
	return capacity < BATCH_MIN ? BATCH_MIN : (uint32_t)capacity;
}

/* The token that says where to go on is a bucket's number for hashes, and a key for others. */
static bool prepare_batches(struct ebpf_map_walk *walk)
{
	size_t token_size = walk->key_size > sizeof(uint32_t) ? walk->key_size : sizeof(uint32_t);

	walk->token = calloc(2, token_size);
	if (!walk->token)
		return false;
	walk->next_token = walk->token + token_size;
	return set_capacity(walk, first_capacity(walk));
}

static int lookup_batch(struct ebpf_map_walk *walk)
{
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.batch.map_fd = (uint32_t)walk->map->fd;
	attr.batch.in_batch = walk->started ? ebpf_ptr(walk->token) : 0;
	attr.batch.out_batch = ebpf_ptr(walk->next_token);
	attr.batch.keys = ebpf_ptr(walk->keys);
	attr.batch.values = ebpf_ptr(walk->values);
	attr.batch.count = walk->capacity;
	ret = ebpf_kernel_sys(walk->map->kernel)
		      ->bpf(walk->drain ? BPF_MAP_LOOKUP_AND_DELETE_BATCH : BPF_MAP_LOOKUP_BATCH, &attr, EBPF_ATTR_SIZE(batch));
	walk->count = ret >= 0 || ret == -ENOENT ? attr.batch.count : 0;
	walk->index = 0;
	walk->steps += walk->count;
	return ret;
}

static int prepare_keys(struct ebpf_map_walk *walk, struct ebpf_error *err)
{
	int ret;

	if (!set_capacity(walk, 2))
		return ebpf_fail_memory(err);
	walk->key = walk->keys;
	walk->next_key = walk->keys + walk->key_size;
	ret = ebpf_map_next_key(walk->map, NULL, walk->key, err);
	if (ret == -ENOENT)
		walk->ended = true;
	else if (ret < 0)
		return ret;
	return 0;
}

/* 1 = there are elements, or the way was changed to key by key; 0 = the end. */
static int fill(struct ebpf_map_walk *walk, struct ebpf_error *err)
{
	for (int retries = 0; retries < RETRIES && walk->steps < walk->limit;) {
		int ret = lookup_batch(walk);
		uint8_t *token;

		switch (ret) {
		case -ENOENT: /* the end, and the last elements */
			walk->ended = true;
			return walk->count != 0;
		case -ENOSPC: /* a bucket with more elements than there is room for */
			if (walk->capacity > walk->limit || walk->capacity > UINT32_MAX / 2)
				return ebpf_fail_errno(err, ret, "map '%s': read a batch of %u", walk->map->name, walk->capacity);
			if (!set_capacity(walk, walk->capacity * 2))
				return ebpf_fail_memory(err);
			continue;
		case -EINTR: /* Linux 5.6 to 6.13: others deleted one key after the other just as they were read */
			retries++;
			continue;
		}
		if (ret < 0 && walk->started)
			return ebpf_fail_errno(err, ret, "map '%s': read a batch", walk->map->name);
		if (ret < 0) { /* neither kernel nor type need have batches */
			walk->batches = false;
			ret = prepare_keys(walk, err);
			return ret < 0 ? ret : 1;
		}
		walk->started = true;
		token = walk->token;
		walk->token = walk->next_token;
		walk->next_token = token;
		if (walk->count)
			return 1;
		retries++; /* nothing, and not the end: does not happen, and must not happen for ever */
	}
	return ebpf_fail(err, EAGAIN, "map '%s': it changes faster than it can be read", walk->map->name);
}

/* -- key by key -- */

/* -ENOENT when somebody has deleted it. */
static int take(struct ebpf_map_walk *walk, const uint8_t *key, struct ebpf_error *err)
{
	int ret;

	if (!walk->drain)
		return ebpf_map_lookup(walk->map, key, walk->values, 0, err);
	if (!walk->two_steps) {
		ret = ebpf_map_lookup_delete(walk->map, key, walk->values, 0, NULL);
		if (ret >= 0 || ret == -ENOENT)
			return ret;
		walk->two_steps = true;
	}
	ret = ebpf_map_lookup(walk->map, key, walk->values, 0, err);
	return ret < 0 ? ret : ebpf_map_delete(walk->map, key, err);
}

/* 1 = walk->next_key is the element's key and walk->values its value, 0 = the end. */
static int step_key(struct ebpf_map_walk *walk, struct ebpf_error *err)
{
	while (!walk->ended) {
		uint8_t *key = walk->key;
		int ret;

		if (walk->steps++ >= walk->limit)
			return ebpf_fail(err, EAGAIN, "map '%s': keys are deleted faster than they can be read", walk->map->name);
		ret = ebpf_map_next_key(walk->map, key, walk->next_key, err);
		if (ret < 0 && ret != -ENOENT)
			return ret;
		walk->ended = ret == -ENOENT;
		walk->key = walk->next_key;
		walk->next_key = key;
		ret = take(walk, key, err);
		if (ret == 0)
			return 1;
		if (ret != -ENOENT)
			return ret;
	}
	return 0;
}

/* -- both -- */

static struct ebpf_map_walk *walk_new(struct ebpf_map *map, bool drain, struct ebpf_error *err)
{
	struct ebpf_map_walk *walk;

	if (!map->key_size) {
		ebpf_fail(err, ENOTSUP, "map '%s': a map without keys cannot be walked", map->name);
		return NULL;
	}
	walk = calloc(1, sizeof(*walk));
	if (!walk) {
		ebpf_fail_memory(err);
		return NULL;
	}
	walk->map = ebpf_map_ref(map);
	walk->drain = drain;
	walk->key_size = map->key_size;
	walk->value_size = ebpf_map_lookup_size(map);
	/* Storages of sockets, tasks and the like have no max_entries; nor can they be walked. */
	walk->limit = 2 * (uint64_t)map->max_entries + 64;
	walk->batches = !ebpf_kernel_lacks(map->kernel, EBPF_FEATURE_MAP_BATCH);
	if (walk->batches ? prepare_batches(walk) : prepare_keys(walk, err) == 0)
		return walk;
	if (walk->batches)
		ebpf_fail_memory(err);
	ebpf_map_walk_free(walk);
	return NULL;
}

struct ebpf_map_walk *ebpf_map_walk_new(struct ebpf_map *map, struct ebpf_error *err)
{
	return walk_new(map, false, err);
}

struct ebpf_map_walk *ebpf_map_drain_new(struct ebpf_map *map, struct ebpf_error *err)
{
	return walk_new(map, true, err);
}

int ebpf_map_walk_next(struct ebpf_map_walk *walk, const void **key, const void **value, struct ebpf_error *err)
{
	int ret = 1;

	if (walk->batches && walk->index == walk->count)
		ret = walk->ended ? 0 : fill(walk, err);
	if (ret == 1 && !walk->batches)
		ret = step_key(walk, err);
	if (ret <= 0) {
		walk->ended = true;
		return ret;
	}
	*key = walk->batches ? walk->keys + walk->index * walk->key_size : walk->next_key;
	*value = walk->batches ? walk->values + walk->index * walk->value_size : walk->values;
	walk->index++;
	return 1;
}

void ebpf_map_walk_free(struct ebpf_map_walk *walk)
{
	if (!walk)
		return;
	free(walk->token < walk->next_token ? walk->token : walk->next_token);
	free(walk->keys);
	free(walk->values);
	ebpf_map_close(walk->map);
	free(walk);
}
