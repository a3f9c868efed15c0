/* overwrite.c -- ring buffers whose newest records take the place of the oldest (BPF_F_RB_OVERWRITE, Linux 6.19).
 *
 * A third position, two words behind the producer's in its page, is where the oldest record begins that is still whole. Programs
 * move it over whole records before they write, and before they release the producer's position: who sees a producer's position
 * sees an oldest position that belongs to it. They never step over a record that is still being written, and do not look at the
 * consumer's position but to decide whether to wake anybody.
 *
 * So a record may be written over while it is read. It is copied first, and counts only if the oldest position has not passed it
 * by then; what was handed out is a copy that stays as it is until the next record is asked for.
 */
#include "ring/ring.h"

#define HEADER_SIZE ((unsigned long)BPF_RINGBUF_HDR_SZ)
#define FLAGS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)

static bool is_gone(const struct ebpf_ring *ring)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return (long)(__atomic_load_n(ring->oldest, __ATOMIC_RELAXED) - ring->position) > 0;
}

static void skip_what_is_gone(struct ebpf_ring *ring)
{
	ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	if (is_gone(ring)) {
		unsigned long oldest = __atomic_load_n(ring->oldest, __ATOMIC_RELAXED);

		ring->overwritten += oldest - ring->position;
		ring->position = oldest;
		/* it may have been moved past what was known of the producers, who had more to say meanwhile */
		ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	}
}

/* 1 = at ring->position lies a whole record, of `header`; 0 = none yet. Discarded ones are stepped over. */
static int find_record(struct ebpf_ring *ring, uint32_t *header)
{
	for (;;) {
		unsigned long length;

		skip_what_is_gone(ring);
		if (ring->position == ring->known)
			return 0;
		*header = __atomic_load_n((const uint32_t *)(const void *)(ring->data + (ring->position & ring->mask)), __ATOMIC_ACQUIRE);
		if (is_gone(ring))
			continue;
		if (*header & BPF_RINGBUF_BUSY_BIT)
			return 0;
		length = ((unsigned long)(*header & ~FLAGS) + HEADER_SIZE + 7) & ~7UL;
		if (length > ring->known - ring->position || length > ring->mask + 1)
			return -EBADMSG;
		if (!(*header & BPF_RINGBUF_DISCARD_BIT))
			return 1;
		ring->position += length;
	}
}

int ebpf_overwrite_next(struct ebpf_ring *ring, const void **data, size_t *size)
{
	uint32_t header;
	int ret;

	while ((ret = find_record(ring, &header)) > 0) {
		memcpy(ring->copy, ring->data + (ring->position & ring->mask) + HEADER_SIZE, header);
		if (is_gone(ring))
			continue;
		ring->position += ((unsigned long)header + HEADER_SIZE + 7) & ~7UL;
		*data = ring->copy;
		*size = header;
		return 1;
	}
	return ret;
}

bool ebpf_overwrite_is_ready(struct ebpf_ring *ring)
{
	uint32_t header;

	return find_record(ring, &header) != 0;
}

uint64_t ebpf_overwrite_available(const struct ebpf_ring *ring)
{
	unsigned long producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE), oldest = __atomic_load_n(ring->oldest, __ATOMIC_RELAXED);

	return producer - ((long)(oldest - ring->position) > 0 ? oldest : ring->position);
}
