/* ring.h -- a reader of one BPF ring buffer: the records that programs wrote, in place, in the order in which they were reserved.
 *
 * The kernel's memory (Linux 5.8, kernel/bpf/ringbuf.c) is three parts of the map's file: a page with the consumer's position, ours to
 * write; a page with the producer's position; and the data, mapped twice in a row so that no record is ever cut by the end. Each
 * record has a header of 8 bytes: 32 bits of length with a bit for "still being written" and one for "discarded", and 32 that
 * are the kernel's own. Header and record together fill a multiple of 8 bytes.
 *
 * Positions only grow. Three of them are ours: `published` <= `position` <= `producer`. Bytes before `published` are the kernel's again;
 * those from there to `position` have been handed out and stay as they are; `producer` is how far we know that there are records.
 *
 * What the kernel promises and we rely on:
 *  - A store of the producer's position releases the header that lies before it, with the busy bit set and the whole length in it. So a record
 *    never reaches beyond the producer's position; bytes that say otherwise are not a record (another reader has moved the
 *    ring under us), and reading ends with EBADMSG.
 *  - A store of a header without the busy bit releases the record. Records become ready in any order, but are read in that of reservation.
 *  - Our store of the consumer's position lets the kernel write over what lies before it.
 *  - Whoever commits a record wakes the readers only if the consumer's position is exactly at that record: who goes to sleep must have
 *    published all that it has read, and looked again after that. ebpf_ring_consume and ebpf_ring_wait do.
 *
 * Publishing costs the producers a cache line each time, and not publishing costs them space. ebpf_ring_consume therefore publishes
 * when a sixteenth of the ring, at most 64 KiB, has been read since the last time, and at the end: so at most that much of the ring is
 * held back by records that are done with.
 *
 * A ring with BPF_F_RB_OVERWRITE (6.19) has no producers that wait for us: see overwrite.c.
 *
 * The same object reads perf buffers, which are rings too, one for each CPU: then `perf` is set, and perf.c does what is different.
 *
 * And it reads several maps of either kind in turns: then `many` is set (many.h), and each has a reader of its own below this one.
 *
 * A full ring refuses records, and only the program sees it. By convention (src/bpf/records.bpf.h) it counts them in a map of its own; lost.c reads that.
 *
 * A struct ebpf_ring owns its mappings and a reference to the map. One reader per map, one thread at a time per reader.
 * Waiting, and flushing what waits, is in wait.c. Not here: waiting for several things (loop), types of records (btf; the map has the layout).
 */
#ifndef EBPF_RING_H
#define EBPF_RING_H

#include "map/map.h"

struct ebpf_ring {
	/* The kernel's part. */
	unsigned long *consumer;        /* position up to which everything is given back */
	const unsigned long *producer;  /* position up to which space is reserved */
	const uint8_t *data;            /* twice `mask + 1` bytes */
	unsigned long mask;
	/* Ours. */
	unsigned long position, published;
	unsigned long known;            /* the producer's position when it was last read */
	unsigned long step;             /* bytes after which ebpf_ring_consume publishes */
	bool consuming, closing;        /* closed by the callback of ebpf_ring_consume: freed when that ends */
	struct ebpf_map *map;           /* NULL in tests */
	void *consumer_page, *data_pages;
	size_t page_size, data_pages_size;
	/* A ring that overwrites (overwrite.c); NULL in others. */
	const unsigned long *oldest;    /* the kernel's: where the oldest record begins that is still whole */
	uint8_t *copy;                  /* of the record that was handed out, mask + 1 bytes */
	uint64_t overwritten;           /* bytes that were lost before they were read */
	struct ebpf_lost *lost;         /* the program's count of what found no space, or NULL */
	struct ebpf_perf *perf;         /* of a perf event array; then only `map`, `consuming` and `closing` are used of the above */
	struct ebpf_many *many;         /* of several maps (many.h); `map` is the first then */
	/* How ebpf_ring_next reads what is no plain ring buffer; NULL of one. */
	int (*next)(struct ebpf_ring *ring, const void **data, size_t *size);
	/* wait.c: who flushes makes flush_fd readable and then sets `flushing`. */
	int flush_fd;                   /* -1 of a part of another reader */
	int epoll_fd;                   /* of a ring buffer: made when somebody asks for a descriptor; or -1 */
	bool flushing, flushed;
};

/* Sets the parts that reading needs, for any memory that is laid out in this way; the rest of *ring is the caller's to zero. `size` is a power
 * of two; `data` has it twice. */
void ebpf_ring_init(struct ebpf_ring *ring, unsigned long *consumer, const unsigned long *producer, const void *data, size_t size);

/* A new one, of which ebpf_ring_close takes what has been made of it so far. */
struct ebpf_ring *ebpf_ring_new(struct ebpf_map *map, struct ebpf_error *err);
/* A reader of any kind that cannot be flushed: part of another. */
int ebpf_ring_open_part(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err);
/* Whether ebpf_ring_next would give a record (or an error, or have something for `other`). Discarded records are stepped over. */
bool ebpf_ring_is_ready(struct ebpf_ring *ring);

/* -- wait.c -- */

int ebpf_ring_open_flush(struct ebpf_ring *ring, struct ebpf_error *err);
/* Two descriptors to wait for, of which the second may be -1: either is readable when it is worth a look. */
void ebpf_ring_wait_fds(const struct ebpf_ring *ring, int fds[2]);
/* A loop has begun to wait for these: it hears of what is there already. */
void ebpf_ring_watched(struct ebpf_ring *ring);
/* A loop's callback has read: takes a flush back, if nothing is left that it was for. */
void ebpf_ring_settle(struct ebpf_ring *ring);

/* -- overwrite.c -- */

int ebpf_overwrite_next(struct ebpf_ring *ring, const void **data, size_t *size);
bool ebpf_overwrite_is_ready(struct ebpf_ring *ring);
uint64_t ebpf_overwrite_available(const struct ebpf_ring *ring);
void ebpf_lost_free(struct ebpf_lost *lost);

#endif
