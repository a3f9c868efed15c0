/* many.h -- one reader of several maps, ring and perf buffers alike: a reader for each, read in turns of one lap at most.
 *
 * The parts are owned, and know nothing of each other. What is asked of the whole is asked of each. `last` is the part whose record was read last.
 * With `ordered`, if all parts are perf buffers, the earliest of all their records comes first.
 */
#ifndef EBPF_MANY_H
#define EBPF_MANY_H

#include "ring/perf.h"

struct ebpf_many {
	struct ebpf_ring **parts;
	size_t count, current, last;
	uint64_t lap;             /* bytes read of the current part since its turn began */
	bool ordered;
	int epoll_fd;
};

/* Opens the parts; takes a half-made one back in ebpf_many_free. */
int ebpf_many_open(struct ebpf_ring *ring, struct ebpf_map *const *maps, size_t count, const struct ebpf_perf_options *options,
		   struct ebpf_error *err);
void ebpf_many_free(struct ebpf_ring *ring);
/* The reader is closed by the callback of ebpf_many_consume: so is the part that is being read. */
void ebpf_many_stop(struct ebpf_ring *ring);
int ebpf_many_next(struct ebpf_ring *ring, const void **data, size_t *size);
int64_t ebpf_many_consume(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit);
void ebpf_many_release(struct ebpf_ring *ring);
bool ebpf_many_is_ready(struct ebpf_ring *ring);
uint64_t ebpf_many_sum(const struct ebpf_ring *ring, uint64_t (*of)(const struct ebpf_ring *part));

#endif
