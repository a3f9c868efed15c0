#include <stdlib.h>

#include "base/base.h"

/* Linear probing, at most half full. An empty slot has no key. */
struct ebpf_table_slot {
	const char *key;
	uint64_t hash, value;
};

/* FNV-1a, started with where the first slots lay, so that no file can be made whose names all meet in one slot. */
static uint64_t hash_of(const struct ebpf_table *table, const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ table->seed;

	for (; *key; key++)
		hash = (hash ^ (uint8_t)*key) * 0x100000001b3ULL;
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ULL;
	return hash ^ (hash >> 32);
}

/* The slot of the key, or the empty one where it belongs. There is always an empty one. */
static struct ebpf_table_slot *find(struct ebpf_table_slot *slots, size_t capacity, const char *key, uint64_t hash)
{
	size_t at = hash & (capacity - 1);

	while (slots[at].key && (slots[at].hash != hash || strcmp(slots[at].key, key) != 0))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static int grow(struct ebpf_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : 16;
	struct ebpf_table_slot *slots;

	if (capacity < table->capacity)
		return -ENOMEM;
	slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	if (!table->capacity)
		table->seed = (uint64_t)(uintptr_t)slots >> 4;
	for (size_t i = 0; i < table->capacity; i++) {
		const struct ebpf_table_slot *old = &table->slots[i];
		size_t at = old->hash & (capacity - 1);

		if (!old->key)
			continue;
		while (slots[at].key)
			at = (at + 1) & (capacity - 1);
		slots[at] = *old;
	}
	free(table->slots);
	table->slots = slots;
	table->capacity = capacity;
	return 0;
}

uint64_t *ebpf_table_at(struct ebpf_table *table, const char *key)
{
	struct ebpf_table_slot *slot;
	uint64_t hash;

	if (table->count >= table->capacity / 2 && grow(table) < 0)
		return NULL;
	hash = hash_of(table, key);
	slot = find(table->slots, table->capacity, key, hash);
	if (!slot->key) {
		slot->key = key;
		slot->hash = hash;
		table->count++;
	}
	return &slot->value;
}

int ebpf_table_set(struct ebpf_table *table, const char *key, uint64_t value)
{
	uint64_t *slot = ebpf_table_at(table, key);

	if (!slot)
		return -ENOMEM;
	*slot = value;
	return 0;
}

bool ebpf_table_get(const struct ebpf_table *table, const char *key, uint64_t *value)
{
	const struct ebpf_table_slot *slot;

	if (!table->count)
		return false;
	slot = find(table->slots, table->capacity, key, hash_of(table, key));
	if (!slot->key)
		return false;
	if (value)
		*value = slot->value;
	return true;
}

void ebpf_table_free(struct ebpf_table *table)
{
	free(table->slots);
	memset(table, 0, sizeof(*table));
}
