/* dedup_equal.c -- whether two types are the same with all that they lead to.
 *
 * Types are a graph with cycles, so equality is supposed and then looked for contradictions: each canonical type that is met is
 * supposed to be the candidate's type at the same place, and must be that wherever it is met again. A forward declaration may
 * stand for the struct or union that it declares. The walk has its own stack: the graph may be as deep as the input is large.
 */
#include <stdlib.h>

#include "btf/dedup.h"

/* Compilers write the same array, struct or pointer twice into one object; then two of the candidate's types meet one canonical
 * type. Those two are compared without supposing anything, to this depth and no more often than this. */
#define IDENTICAL_DEPTH 16
#define IDENTICAL_STEPS 4096

/* Two words per enumerator or three. */
bool dedup_same_enum(struct dedup *d, const struct record *a, const struct record *b)
{
	const uint32_t count = btf_info_vlen(a->info), words = record_kind(a) == BTF_KIND_ENUM64 ? 3 : 2;
	if (!dedup_same_name(d, a->name, b->name) || a->info != b->info || a->third != b->third)
		return false;
	d->steps += count;
	for (uint32_t i = 0; i < count; i++) {
		if (!dedup_same_name(d, record_word(a, words * i), record_word(b, words * i)))
			return false;
		for (uint32_t j = 1; j < words; j++)
			if (record_word(a, words * i + j) != record_word(b, words * i + j))
				return false;
	}
	return true;
}

static bool is_enum(const struct record *record)
{
	return record_kind(record) == BTF_KIND_ENUM || record_kind(record) == BTF_KIND_ENUM64;
}

bool dedup_compatible_enum(struct dedup *d, const struct record *a, const struct record *b)
{
	if (!is_enum(a) || !is_enum(b))
		return false;
	if (btf_info_vlen(a->info) && btf_info_vlen(b->info))
		return dedup_same_enum(d, a, b);
	return dedup_same_name(d, a->name, b->name);
}

bool dedup_same_shape(struct dedup *d, const struct record *a, const struct record *b)
{
	if (!dedup_same_name(d, a->name, b->name) || a->info != b->info)
		return false;
	const uint32_t count = btf_info_vlen(a->info);
	switch (record_kind(a)) {
	case BTF_KIND_INT:
		return a->third == b->third && record_word(a, 0) == record_word(b, 0);
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
		return a->third == b->third;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return dedup_same_enum(d, a, b);
	case BTF_KIND_ARRAY:
		return record_word(a, 2) == record_word(b, 2);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		d->steps += count;
		for (uint32_t i = 0; i < count; i++)
			if (!dedup_same_name(d, record_word(a, 3 * i), record_word(b, 3 * i)) ||
			    record_word(a, 3 * i + 2) != record_word(b, 3 * i + 2))
				return false;
		return a->third == b->third;
	case BTF_KIND_FUNC_PROTO:
		d->steps += count;
		for (uint32_t i = 0; i < count; i++)
			if (!dedup_same_name(d, record_word(a, 2 * i), record_word(b, 2 * i)))
				return false;
		return true;
	case BTF_KIND_VAR:
	case BTF_KIND_DATASEC: /* stand for themselves alone: never in what is compared */
		return false;
	case BTF_KIND_DECL_TAG:
		return record_word(a, 0) == record_word(b, 0);
	default:
		return true;
	}
}

/* -- without supposing anything -- */

static bool is_identical(struct dedup *d, uint32_t a, uint32_t b, unsigned depth, uint32_t *steps)
{
	uint32_t word;
	if (a == b || dedup_resolve(d, a) == dedup_resolve(d, b))
		return true;
	if (!depth || !a || !b || ++*steps > IDENTICAL_STEPS)
		return false;
	d->steps++;
	struct record left = dedup_record(d, a), right = dedup_record(d, b);
	if (is_enum(&left) ? !dedup_compatible_enum(d, &left, &right) : !dedup_same_shape(d, &left, &right))
		return false;
	for (uint32_t i = 0; dedup_reference(&left, i, &word); i++)
		if (!is_identical(d, record_target(&left, word), record_target(&right, word), depth - 1, steps))
			return false;
	return true;
}

/* -- the walk -- */

void dedup_forget(struct dedup *d)
{
	while (d->trail_count)
		d->supposed[d->trail[--d->trail_count]] = UNMAPPED;
	d->base_only = false;
}

static bool push(struct dedup *d, size_t *count, uint32_t candidate, uint32_t canonical)
{
	struct pair *stack = ebpf_grow(d->stack, &d->stack_capacity, *count, sizeof(*stack));
	if (!stack)
		return false;
	d->stack = stack;
	stack[(*count)++] = (struct pair){candidate, canonical};
	return true;
}

/* The struct that a forward declaration has been found to be, or the declaration. */
static uint32_t behind_fwd(const struct dedup *d, uint32_t id)
{
	struct record record = dedup_record(d, id);
	if (record_kind(&record) != BTF_KIND_FWD || !dedup_is_mapped(d, id))
		return id;
	uint32_t behind = dedup_resolve(d, id);
	record = dedup_record(d, behind);
	return record_kind(&record) == BTF_KIND_FWD ? id : behind;
}

/* One of the two is a FWD, the other is not. */
static bool declares(struct dedup *d, const struct record *candidate, const struct record *canonical, uint32_t canonical_id)
{
	const bool declared = record_kind(candidate) == BTF_KIND_FWD;
	const struct record *fwd = declared ? candidate : canonical, *whole = declared ? canonical : candidate;
	if (record_kind(whole) != (btf_info_flag(fwd->info) ? BTF_KIND_UNION : BTF_KIND_STRUCT))
		return false;
	/* The base itself stays as it is. */
	if (!declared && canonical_id < d->first)
		d->base_only = true;
	return true;
}

/* Compares two types but for what they refer to, which is pushed. 1, 0 or -errno. */
static int compare(struct dedup *d, size_t *count, uint32_t candidate, uint32_t canonical)
{
	uint32_t word;
	if (dedup_resolve(d, candidate) == dedup_resolve(d, canonical))
		return 1;
	if (!candidate || !canonical)
		return 0;
	canonical = behind_fwd(d, canonical);
	if (d->supposed[canonical] != UNMAPPED) {
		uint32_t steps = 0;
		return is_identical(d, d->supposed[canonical], candidate, IDENTICAL_DEPTH, &steps);
	}
	d->supposed[canonical] = candidate;
	d->trail[d->trail_count++] = canonical;
	struct record left = dedup_record(d, candidate), right = dedup_record(d, canonical);
	if (!dedup_same_name(d, left.name, right.name))
		return 0;
	if ((record_kind(&left) == BTF_KIND_FWD) != (record_kind(&right) == BTF_KIND_FWD))
		return declares(d, &left, &right, canonical);
	if (is_enum(&left))
		return dedup_compatible_enum(d, &left, &right);
	if (!dedup_same_shape(d, &left, &right))
		return 0;
	size_t from = *count;
	for (uint32_t i = 0; dedup_reference(&left, i, &word); i++)
		if (!push(d, count, record_target(&left, word), record_target(&right, word)))
			return -ENOMEM;
	/* The first is to be taken first. */
	for (size_t low = from, high = *count; low + 1 < high; low++, high--) {
		struct pair pair = d->stack[low];
		d->stack[low] = d->stack[high - 1];
		d->stack[high - 1] = pair;
	}
	return 1;
}

int dedup_equal(struct dedup *d, uint32_t candidate, uint32_t canonical)
{
	size_t count = 0;
	int result = push(d, &count, candidate, canonical) ? 1 : -ENOMEM;
	while (result > 0 && count) {
		struct pair pair = d->stack[--count];
		if (++d->steps > d->limit)
			return -E2BIG;
		result = compare(d, &count, pair.candidate, pair.canonical);
	}
	return result;
}
