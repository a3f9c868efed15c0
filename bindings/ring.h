/* ring.h -- what ring.c (reading) and ring_open.c (opening, options) share. */
#ifndef EBPF_BINDING_RING_H
#define EBPF_BINDING_RING_H

#include "record.h"

/* User values of a reader: its map and the shape of its records (of several, lists of them); the functions for lost and for other records; what the latter
 * has raised. */
enum { RING_MAPS = 1, RING_SHAPES, RING_LOST, RING_OTHER, RING_FAILURE, RING_USER_VALUES = RING_FAILURE };

/* One map of a reader. */
struct binding_part {
	struct binding_shape *shape;
	struct ebpf_filter *filter;  /* records that do not pass are stepped over; or NULL */
	struct binding_place place;  /* while it is drained */
};
struct binding_ring {
	struct ebpf_ring *ring;
	uint64_t interval;    /* of draining in a loop */
	bool tells_lost;      /* there is a function for lost records */
	bool one_type;        /* the records of all maps are alike */
	unsigned busy;
	bool close_later;
	bool other_failed;    /* the function for other records has raised something */
	lua_State *L;         /* that reads, and where on its stack the reader is: for that function */
	int at;
	void (*closing)(void *context); /* the loop's source */
	void *closing_context;
	size_t count;
	struct binding_part parts[];
};

/* A record that is none of a program's. */
struct binding_other {
	const char *name;     /* NULL = a type that we have no name for */
	uint32_t type;
	int cpu;
	const void *record;
	size_t size;
};

/* What a sample may carry, by its names; the last has none. */
struct binding_sample_word {
	const char *name;
	uint64_t part;        /* PERF_SAMPLE_ */
	size_t offset;        /* in struct ebpf_sample */
	bool wide;
};
extern const struct binding_sample_word binding_sample_words[];

/* Ends a use of the reader at `index` (busy), which may have been closed in it. */
void binding_ring_leave(lua_State *L, struct binding_ring *ring, int index);
/* Pushes map `number` of the reader at `index`. */
void binding_ring_push_map(lua_State *L, const struct binding_ring *ring, int index, size_t number);
void binding_ring_on_other(void *context, int cpu, const void *record, size_t size);
/* Sets the functions that open readers in the table on top. */
void binding_open_readers(lua_State *L);

#endif
