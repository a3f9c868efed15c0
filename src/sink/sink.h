/* sink.h -- what is done with records in C over whole batches: filters, groups with sums and histograms, and writers of lines.
 *
 * Names of fields are resolved once, into places (field.c): an offset, a way to load. What runs for each record looks at nothing else. Records are bytes
 * from elsewhere: `end` of a place is compared with the record's size before it is loaded; strings end where the record does.
 *
 * Nearly all that is asked of records is about integers. Each of these is seen through a window: eight bytes of the record that it lies in, and two shifts, so
 * that no type has to be looked at while reading. Plans that are made of windows alone (group.c, filter.c) have a way of their own, a third as long.
 *
 * A sink is its filter, its totals and the functions of its kind (group.c, write.c). It owns everything but the writer's descriptor, and keeps a
 * reference to the layout, so that maps and readers may go before it.
 * Not here: reading rings (ring), Lua.
 */
#ifndef EBPF_SINK_SINK_H
#define EBPF_SINK_SINK_H

#include "ring/ring.h"

/* -- places (field.c) -- */

enum ebpf_place_load { LOAD_U8, LOAD_S8, LOAD_U16, LOAD_S16, LOAD_U32, LOAD_S32, LOAD_64, LOAD_BITS, LOAD_BOOL, LOAD_F32, LOAD_F64, LOAD_STRING, LOAD_BYTES,
		       LOAD_NONE /* a struct, a union or an array */, LOAD_REAL /* a float of the other byte order */ };
struct ebpf_place {
	uint8_t load;
	bool is_unsigned;                 /* 64 bits without a sign */
	uint32_t offset;                  /* of the value, or of what `field` counts from */
	uint32_t end;                     /* bytes that a record must have; of a string, its start */
	uint32_t size;                    /* 0 of a string: to the record's end */
	const struct ebpf_layout *layout;
	const struct ebpf_field *field;   /* of a bit field */
};
/* Finds "a.b[3]"; ENOENT names what is not there. */
int ebpf_place_find(const struct ebpf_layout *layout, const char *path, struct ebpf_place *out, struct ebpf_error *err);
/* The place of a field within the struct at `base`; of an element with `field` NULL. */
void ebpf_place_set(struct ebpf_place *place, uint32_t base, const struct ebpf_field *field, const struct ebpf_layout *layout);
static inline bool ebpf_place_is_int(const struct ebpf_place *place)
{
	return place->load <= LOAD_BOOL;
}
static inline bool ebpf_place_is_text(const struct ebpf_place *place)
{
	return place->load == LOAD_STRING || place->load == LOAD_BYTES;
}
static inline bool ebpf_place_is_real(const struct ebpf_place *place)
{
	return place->load == LOAD_F32 || place->load == LOAD_F64 || place->load == LOAD_REAL;
}
/* The name of an enum's value, or NULL. */
const char *ebpf_place_enumerator(const struct ebpf_place *place, int64_t value);
int64_t ebpf_place_bits(const struct ebpf_place *place, const uint8_t *record); /* also of an integer of the other byte order */
double ebpf_place_swapped_real(const struct ebpf_place *place, const uint8_t *record);

#define PLACE_LOAD(type) ({ type value_; memcpy(&value_, record + place->offset, sizeof(value_)); value_; })

/* An integer. The record has place->end bytes. */
static inline __attribute__((always_inline)) int64_t ebpf_place_int(const struct ebpf_place *place, const uint8_t *record)
{
	switch (place->load) {
	case LOAD_U8: return record[place->offset];
	case LOAD_S8: return (int8_t)record[place->offset];
	case LOAD_U16: return PLACE_LOAD(uint16_t);
	case LOAD_S16: return PLACE_LOAD(int16_t);
	case LOAD_U32: return PLACE_LOAD(uint32_t);
	case LOAD_S32: return PLACE_LOAD(int32_t);
	case LOAD_64: return PLACE_LOAD(int64_t);
	default: return ebpf_place_bits(place, record);
	}
}

static inline double ebpf_place_real(const struct ebpf_place *place, const uint8_t *record)
{
	if (place->load == LOAD_REAL)
		return ebpf_place_swapped_real(place, record);
	return place->load == LOAD_F32 ? (double)PLACE_LOAD(float) : PLACE_LOAD(double);
}

/* An integer within the eight bytes from `base` on. */
struct ebpf_window {
	uint32_t base;
	uint8_t left, right; /* shifts */
	bool is_signed;
};
/* Sets the window of a place in records of at least `room` bytes; false when it has none. */
bool ebpf_window_set(struct ebpf_window *window, const struct ebpf_place *place, uint32_t room);
static inline __attribute__((always_inline)) uint64_t ebpf_window_load(const struct ebpf_window *window, const uint8_t *record)
{
	uint64_t bytes;

	memcpy(&bytes, record + window->base, sizeof(bytes));
	bytes <<= window->left;
	return window->is_signed ? (uint64_t)((int64_t)bytes >> window->right) : bytes >> window->right;
}

/* A string up to its NUL, or bytes: what of it lies within the record. */
static inline size_t ebpf_place_text(const struct ebpf_place *place, const uint8_t *record, size_t size, const char **text)
{
	size_t left = size - place->offset;

	if (place->size && place->size < left)
		left = place->size;
	*text = (const char *)record + place->offset;
	return place->load == LOAD_STRING ? strnlen(*text, left) : left;
}

/* -- filters (filter.c) -- */

/* An integer whose bits of `mask` are from `low` on within `span`; or are not. */
struct ebpf_check {
	struct ebpf_window window;
	bool negated;
	uint64_t mask, low, span;
};
struct ebpf_filter {
	uint32_t room;              /* bytes that the checks look at */
	uint32_t check_count;
	struct ebpf_check *checks;  /* all of the filter, where it is nothing but tests of integers that must all hold; else NULL */
	uint32_t count;
	struct ebpf_filter_node *nodes;
};
static inline bool ebpf_filter_passes(const struct ebpf_filter *filter, const uint8_t *record, size_t size)
{
	if (!filter->checks || __builtin_expect(size < filter->room, 0))
		return ebpf_filter_holds(filter, record, size);
	for (const struct ebpf_check *check = filter->checks, *end = check + filter->check_count; check < end; check++)
		if ((((ebpf_window_load(&check->window, record) & check->mask) - check->low) <= check->span) == check->negated)
			return false;
	return true;
}

/* -- sinks -- */

struct ebpf_sink_kind {
	ebpf_record_fn feed; /* with the sink as its context; counts what it does in the totals, but for `seen` */
	int (*flush)(struct ebpf_sink *sink, bool batch, struct ebpf_error *err);
	void (*clear)(struct ebpf_sink *sink);
	void (*free)(struct ebpf_sink *sink);
};
struct ebpf_sink {
	const struct ebpf_sink_kind *kind;
	struct ebpf_filter *filter; /* or NULL */
	struct ebpf_layout *layout;
	struct ebpf_sink_totals totals;
};
/* Fills what all kinds share; a failure leaves nothing. */
int ebpf_sink_init(struct ebpf_sink *sink, const struct ebpf_sink_kind *kind, const struct ebpf_layout *layout, const struct ebpf_condition *where, size_t count,
		   struct ebpf_error *err);
/* A writer on another table of system calls: tests. */
int ebpf_sink_new_writer_with(const struct ebpf_sys *sys, const struct ebpf_layout *layout, const struct ebpf_writer_options *options, struct ebpf_sink **out,
			      struct ebpf_error *err);

#endif
