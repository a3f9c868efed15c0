/* dedup.h -- what dedup.c (the passes) and dedup_equal.c (are two types the same, whatever they lead to) share.
 *
 * The types are a copy in host byte order whose strings are there once; references in it are written over. map[] leads from a
 * type to the one that stands for it: itself when it is that one, UNMAPPED before that is known. Ids below `first` are the
 * base's, which stand for themselves, but that a FWD of the base may lead to a struct on top of it.
 */
#ifndef EBPF_BTF_DEDUP_H
#define EBPF_BTF_DEDUP_H

#include "btf/private.h"

#define UNMAPPED    UINT32_MAX
#define IN_PROGRESS (UINT32_MAX - 1)

struct pair {
	uint32_t candidate, canonical;
};
struct dedup {
	struct ebpf_btf *btf;
	uint32_t first, count;
	uint32_t *map;
	uint32_t *buckets, mask, *next; /* types that stand for themselves, by hash of what equal ones have in common */
	/* One comparison: what each canonical type has been taken to be, and in what order that was found. */
	uint32_t *supposed, *trail;
	uint32_t trail_count;
	bool base_only; /* they would be equal if a FWD of the base were the candidate's struct */
	struct pair *stack;
	size_t stack_capacity;
	uint64_t steps, limit; /* work that comparisons have done, and may do: a hostile input must not take for ever */
};
/* A type's record; `info` and `third` are its second and third word. */
struct record {
	const uint8_t *at;
	uint32_t name, info, third;
};

struct record dedup_record(const struct dedup *d, uint32_t id);
static inline uint32_t record_kind(const struct record *record)
{
	return btf_info_kind(record->info);
}
/* Word `index` of what follows the common part. */
static inline uint32_t record_word(const struct record *record, uint32_t index)
{
	return btf_word(record->at + BTF_TYPE_SIZE + 4 * (size_t)index, false);
}
/* The id that stands at word `word` of the whole. */
static inline uint32_t record_target(const struct record *record, uint32_t word)
{
	return btf_word(record->at + 4 * (size_t)word, false);
}
bool dedup_same_name(const struct dedup *d, uint32_t a, uint32_t b);
uint32_t dedup_resolve(const struct dedup *d, uint32_t id);
static inline bool dedup_is_mapped(const struct dedup *d, uint32_t id)
{
	return d->map[id] < IN_PROGRESS;
}
static inline bool dedup_reference(const struct record *record, uint32_t index, uint32_t *word)
{
	return btf_reference(record->info, index, word);
}

/* -- dedup_equal.c -- */

/* The same but for the types of members. */
bool dedup_same_shape(struct dedup *d, const struct record *a, const struct record *b);
bool dedup_same_enum(struct dedup *d, const struct record *a, const struct record *b);
/* An enum without enumerators is a forward declaration, of one of 64 bits as well. */
bool dedup_compatible_enum(struct dedup *d, const struct record *a, const struct record *b);
/* 1 = yes, 0 = no, -errno. What was supposed on the way is in supposed[] and trail[]. */
int dedup_equal(struct dedup *d, uint32_t candidate, uint32_t canonical);
void dedup_forget(struct dedup *d);

#endif
