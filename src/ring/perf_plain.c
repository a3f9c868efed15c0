/* perf_plain.c -- the short way through a perf buffer whose samples are the program's bytes and nothing else: most are.
 *
 * It takes a whole sample that lies in one piece in the ring whose turn it is. Whatever else stands there (a count of lost records, one that the end of the
 * memory cuts, the end of what is known, bytes that are no record) is left to ebpf_perf_next, which takes one record by the general way and finds the next ring.
 */
#include "ring/perf.h"

#define PUBLISH_BYTES 65536UL
#define SAMPLE_START (sizeof(struct perf_event_header) + sizeof(uint32_t)) /* its length stands before the bytes */

static inline bool is_plain(const struct ebpf_perf *perf)
{
	return perf->attr.sample_type == PERF_SAMPLE_RAW && !perf->overwrite;
}

/* The size of the whole sample at `record`, of which `room` bytes are there in one piece; 0 when there is none. Its bytes begin behind SAMPLE_START. */
static inline uint32_t plain_sample(const uint8_t *record, uint64_t room, uint32_t *length)
{
	const struct perf_event_header *header = (const void *)record;
	uint32_t size = header->size;

	memcpy(length, record + sizeof(*header), sizeof(*length));
	if (__builtin_expect(header->type != PERF_RECORD_SAMPLE || size > room || size % 8 || size < SAMPLE_START || *length > size - SAMPLE_START, 0))
		return 0;
	return size;
}

/* How much of what is known lies in one piece from the reader's position on: a multiple of 8, at least 16 if anything does. */
static inline uint64_t piece(const struct ebpf_perf *perf, const struct ebpf_perf_cpu *cpu)
{
	uint64_t there = cpu->known - cpu->position, whole = perf->mask + 1 - (cpu->position & perf->mask), room = there < whole ? there : whole;

	return room < 16 || room % 8 ? 0 : room;
}

int ebpf_perf_next_plain(struct ebpf_ring *ring, const void **data, size_t *size)
{
	struct ebpf_perf *perf = ring->perf;
	struct ebpf_perf_cpu *cpu = &perf->cpus[perf->current];
	uint64_t room = perf->count && is_plain(perf) && perf->lap <= perf->mask ? piece(perf, cpu) : 0;
	uint32_t total, length;

	if (room) {
		const uint8_t *record = cpu->data + (cpu->position & perf->mask);

		total = plain_sample(record, room, &length);
		if (total) {
			cpu->position += total;
			perf->lap += total;
			perf->last_cpu = cpu->cpu;
			perf->record = record;
			perf->record_size = total;
			*data = record + SAMPLE_START;
			*size = length;
			return 1;
		}
	}
	return ebpf_perf_next(ring, data, size);
}

/* Calls back for the samples that are known of and lie in one piece, of the ring whose turn it is. Returns the callback's result when it is negative, 1 when
 * it is to end, else 0. */
static int64_t consume_piece(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit, uint64_t *count, uint64_t *read)
{
	struct ebpf_perf *perf = ring->perf;
	struct ebpf_perf_cpu *cpu = &perf->cpus[perf->current];
	const uint64_t room = perf->lap > perf->mask ? 0 : piece(perf, cpu);
	const uint8_t *const start = cpu->data + (cpu->position & perf->mask), *const end = start + room, *record = start;
	const uint8_t *publish_at = start + PUBLISH_BYTES;
	uint64_t left = limit - *count;
	uint32_t length, size;
	int64_t ret = 0;

	perf->last_cpu = cpu->cpu;
	while (end - record >= 16 && (size = plain_sample(record, (uint64_t)(end - record), &length)) > 0) {
		perf->record = record;
		perf->record_size = size;
		record += size;
		left--;
		ret = callback(context, record - size + SAMPLE_START, length);
		if (__builtin_expect(ret < 0, 0))
			break;
		ret = 0;
		if (__builtin_expect(!left || ring->closing, 0)) {
			ret = 1;
			break;
		}
		if (__builtin_expect(record >= publish_at, 0)) {
			cpu->published = cpu->position + (uint64_t)(record - start);
			__atomic_store_n(cpu->tail, cpu->published, __ATOMIC_RELEASE);
			publish_at = record + PUBLISH_BYTES;
		}
	}
	cpu->position += (uint64_t)(record - start);
	perf->lap += (uint64_t)(record - start);
	*read += (uint64_t)(record - start);
	*count = limit - left;
	return ret;
}

int64_t ebpf_perf_consume_plain(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit)
{
	uint64_t count = 0, read = 0, lap = ebpf_ring_size(ring);
	const void *data;
	size_t size;
	int64_t ret;

	do { /* for one lap of every CPU's ring at most: programs that write faster than this reads must not hold it for ever */
		ret = consume_piece(ring, callback, context, limit, &count, &read);
		if (ret || read >= lap)
			break;
		ret = ebpf_perf_next(ring, &data, &size);
		if (ret <= 0)
			break;
		count++;
		read += size;
		ret = callback(context, data, size);
	} while (ret >= 0 && !ring->closing && count < limit);
	ebpf_perf_release(ring);
	return ret < 0 ? ret : (int64_t)count;
}

bool ebpf_perf_is_plain(const struct ebpf_ring *ring)
{
	return ring->perf->count && is_plain(ring->perf);
}
