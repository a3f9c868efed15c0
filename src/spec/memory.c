/* The memory of a Spec: small pieces out of large blocks, freed all at once. */
#include <stdlib.h>

#include "spec/spec.h"

struct ebpf_spec_block {
	struct ebpf_spec_block *next;
	size_t size, used;
	max_align_t data[];
};

static const size_t block_size = 8192;

static struct ebpf_spec_block *add_block(struct ebpf_spec_memory *memory, size_t size)
{
	struct ebpf_spec_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		return NULL;
	block->size = size;
	/* a piece with a block of its own leaves the block that is being filled in front */
	if (memory->blocks && size != block_size) {
		block->next = memory->blocks->next;
		memory->blocks->next = block;
	} else {
		block->next = memory->blocks;
		memory->blocks = block;
	}
	return block;
}

bool ebpf_memory_charge(struct ebpf_spec_memory *memory, size_t size)
{
	memory->exhausted |= size > memory->left;
	if (size > memory->left)
		return false;
	memory->left -= size;
	return true;
}

void *ebpf_memory_alloc(struct ebpf_spec_memory *memory, size_t count, size_t size)
{
	struct ebpf_spec_block *block = memory->blocks;
	size_t total;
	void *piece;

	if (__builtin_mul_overflow(count, size, &total) || total > SIZE_MAX / 2)
		return NULL;
	total = (total + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!ebpf_memory_charge(memory, total))
		return NULL;
	if (total > block_size / 4)
		block = add_block(memory, total);
	else if (!block || block->size - block->used < total)
		block = add_block(memory, block_size);
	if (!block)
		return NULL;
	piece = (uint8_t *)block->data + block->used;
	block->used += total;
	return piece;
}

void ebpf_memory_free(struct ebpf_spec_memory *memory)
{
	for (struct ebpf_spec_block *block = memory->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	memory->blocks = NULL;
}

void *ebpf_spec_alloc(struct ebpf_spec_impl *spec, size_t count, size_t size)
{
	return ebpf_memory_alloc(&spec->memory, count, size);
}

char *ebpf_spec_string(struct ebpf_spec_impl *spec, const char *text, size_t size)
{
	char *copy = size < SIZE_MAX ? ebpf_memory_alloc(&spec->memory, size + 1, 1) : NULL;

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

int ebpf_spec_fail_memory(const struct ebpf_spec_impl *spec, struct ebpf_error *err)
{
	if (spec->memory.exhausted)
		return ebpf_fail(err, E2BIG,
		                 "its tables overlap or repeat: they ask for far more memory than an object of this size can need");
	return ebpf_fail_memory(err);
}
