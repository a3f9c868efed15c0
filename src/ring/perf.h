/* perf.h -- a perf buffer: the records that programs wrote with bpf_perf_event_output, one ring of the kernel's for each CPU.
 *
 * Read through struct ebpf_ring, whose `perf` it is (ring.c hands over). Each CPU has an event of its own (PERF_COUNT_SW_BPF_OUTPUT), which the
 * map holds at the CPU's index, and memory of that event: a page with the positions, then the data, a power of two of pages. A record begins
 * with struct perf_event_header on a multiple of 8 bytes; its size is one. It may be cut by the end of the data: then it is put together in `joined`.
 *
 * What the kernel promises and we rely on (kernel/events/ring_buffer.c, Documentation of struct perf_event_mmap_page in uapi/linux/perf_event.h):
 *  - data_head only grows; a load of it acquires the records before it. Our store of data_tail releases their space.
 *  - What finds no space is counted, and a PERF_RECORD_LOST with the count is written before the next record that finds some. So the counts come
 *    with the records, and those behind the last record of a ring that stays full come when it is read.
 *  - poll(2) reports a ring once for each time that it passed its watermark, and takes the report back as it gives it. A reader that leaves
 *    records unread would not be told again: `wake` is then made readable, until nothing that is known of is left.
 *  - In a ring that overwrites (write_backward, 4.7), data_head shrinks instead, newest record first, and there is no tail: it can only be read while
 *    it is paused.
 *
 *  - Events may be asked for other things than samples (PERF_RECORD_COMM, FORK, ...). They lie between these, and are handed to `other`.
 *
 * Order: the rings are read in turns, each for one lap at most, so that no CPU keeps the others waiting. With `ordered` each record has its time (of
 * CLOCK_MONOTONIC, like bpf_ktime_get_ns, if the caller's own perf_event_attr names no other), and the earliest of the heads is taken: right among the
 * records that are there.
 *
 * CPUs: the event of a CPU that has been offline never comes on again. ebpf_ring_refresh, by hand or by a timer, opens another, when what was in the old one has been
 * read. A child of fork(2) that frees what it has inherited leaves the map's entries alone.
 */
#ifndef EBPF_PERF_H
#define EBPF_PERF_H

#include <linux/perf_event.h>

#include "ring/ring.h"

struct ebpf_perf_cpu {
	int cpu, fd;
	uint64_t *tail;           /* ours; NULL in a ring that overwrites */
	const uint64_t *head;     /* the kernel's */
	const uint8_t *data;
	void *memory;
	uint64_t position, published, known;
	uint64_t lost, untold;    /* records that found no space; those that ebpf_ring_take_lost has not told of */
	uint64_t enabled;         /* how long it had been switched on when that was last looked at */
	uint64_t time;            /* ordered: of the record at `position` */
	bool ready;               /* ordered: there is one */
};
struct ebpf_perf {
	struct ebpf_perf_cpu *cpus;
	uint32_t count, capacity, current;
	bool *wanted;             /* by number, up to `capacity`; NULL = all */
	pid_t opener;             /* the process whose events are in the map */
	uint64_t mask, lap;       /* bytes read of the current ring since its turn began */
	size_t memory_size;
	struct perf_event_attr attr;
	uint32_t time_at;         /* in a sample: where its time is, if it has one; where its parts of 8 bytes end */
	uint32_t behind_words;
	bool overwrite, paused, ordered;
	bool woken;               /* `wake` is readable */
	int epoll_fd, wake;
	int timer;                /* of looking for CPUs; or -1 */
	uint8_t *joined;
	size_t joined_size;
	int last_cpu;
	uint64_t last_time;
	const uint8_t *record;    /* the whole of the last one, or NULL */
	uint32_t record_size;
	ebpf_other_fn other;      /* of records that are no samples; or NULL */
	void *other_context;
	uint64_t others;
};

/* Opens the events of all CPUs that are online and puts them into ring->map. */
int ebpf_perf_open_cpus(struct ebpf_ring *ring, const struct ebpf_perf_options *options, struct ebpf_error *err);
/* Gives everything up, the entries of the map included; takes a half-made one. */
void ebpf_perf_free(struct ebpf_ring *ring);
/* As the functions of ebpf.h that are called so. */
int ebpf_perf_next(struct ebpf_ring *ring, const void **data, size_t *size);
void ebpf_perf_release(struct ebpf_ring *ring);
uint64_t ebpf_perf_available(const struct ebpf_ring *ring);
uint64_t ebpf_perf_lost(const struct ebpf_ring *ring);
uint64_t ebpf_perf_take_lost(struct ebpf_ring *ring, int *cpu);
/* The same by a shorter way where samples are nothing but the program's bytes (perf_plain.c); the second, as ebpf_ring_consume, only for such. */
int ebpf_perf_next_plain(struct ebpf_ring *ring, const void **data, size_t *size);
int64_t ebpf_perf_consume_plain(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit);
bool ebpf_perf_is_plain(const struct ebpf_ring *ring);
/* Makes the reader's descriptor readable until nothing that is known of is left. */
void ebpf_perf_wake(struct ebpf_ring *ring);
/* With `ordered`: when the record was written that ebpf_perf_next would give: 1, or 0 or an error as that. */
int ebpf_perf_peek(struct ebpf_ring *ring, uint64_t *time);
/* Whether ebpf_perf_next would give a record; what is none is stepped over. */
bool ebpf_perf_is_ready(struct ebpf_ring *ring);
/* For memory that is laid out in this way: tests. `size` is that of the data, a power of two. */
void ebpf_perf_init_cpu(struct ebpf_perf_cpu *cpu, int number, uint64_t *tail, const uint64_t *head, const void *data);


/* -- sample.c -- */

/* Sets perf->attr by the options, and the format by it. */
int ebpf_perf_fill_attr(struct ebpf_perf *perf, const struct ebpf_perf_options *options, const char *map, struct ebpf_error *err);
void ebpf_perf_set_format(struct ebpf_perf *perf, uint64_t sample_type);
/* Where the program's bytes are in a sample of `total` bytes; false when it is none. */
bool ebpf_perf_find_raw(const struct ebpf_perf *perf, const uint8_t *record, uint32_t total, uint32_t *raw_at, uint32_t *length);
bool ebpf_perf_sample(const struct ebpf_perf *perf, struct ebpf_sample *out);

#endif
