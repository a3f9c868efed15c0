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

/* The size of the whole sample at `position`, 0 when there is none; its bytes begin at *data. */
static inline uint32_t plain_sample(const struct ebpf_perf_cpu *cpu, uint64_t position, uint64_t known, uint64_t mask, const uint8_t **data, uint32_t *length)
{
	uint64_t start = position & mask;
	const struct perf_event_header *header = (const void *)(cpu->data + start);
	uint32_t size = header->size;

	if (__builtin_expect(header->type != PERF_RECORD_SAMPLE || size > known - position || start + size > mask + 1 || size % 8 || size < SAMPLE_START, 0))
		return 0;
	*data = (const uint8_t *)header + SAMPLE_START;
	memcpy(length, *data - sizeof(*length), sizeof(*length));
	return *length <= size - SAMPLE_START ? size : 0;
}

int ebpf_perf_next_plain(struct ebpf_ring *ring, const void **data, size_t *size)
{
	struct ebpf_perf *perf = ring->perf;
	struct ebpf_perf_cpu *cpu = &perf->cpus[perf->current];
	const uint8_t *bytes;
	uint32_t total, length;

	if (perf->count && is_plain(perf) && cpu->position != cpu->known && perf->lap <= perf->mask) {
		total = plain_sample(cpu, cpu->position, cpu->known, perf->mask, &bytes, &length);
		if (total) {
			cpu->position += total;
			perf->lap += total;
			perf->last_cpu = cpu->cpu;
			perf->record = bytes - SAMPLE_START;
			perf->record_size = total;
			*data = bytes;
			*size = length;
			return 1;
		}
	}
	return ebpf_perf_next(ring, data, size);
}

/* Calls back for the samples that are known of, of the ring whose turn it is. Returns the callback's result when it is negative, 1 when it is to end, else 0. */
static int64_t consume_known(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit, uint64_t *count,
			     uint64_t *read)
{
	struct ebpf_perf *perf = ring->perf;
	struct ebpf_perf_cpu *cpu = &perf->cpus[perf->current];
	const uint64_t start = cpu->position, known = cpu->known, mask = perf->mask, room = perf->lap > mask ? 0 : mask + 1 - perf->lap;
	uint64_t position = start, published = cpu->published, left = limit - *count;
	int64_t ret = 0;

	perf->last_cpu = cpu->cpu;
	while (position != known && position - start < room) {
		const uint8_t *data;
		uint32_t length, size = plain_sample(cpu, position, known, mask, &data, &length);

		if (!size)
			break;
		position += size;
		left--;
		perf->record = data - SAMPLE_START;
		perf->record_size = size;
		ret = callback(context, data, length);
		if (__builtin_expect(ret < 0, 0))
			break;
		ret = 0;
		if (__builtin_expect(!left || ring->closing, 0)) {
			ret = 1;
			break;
		}
		if (__builtin_expect(position - published >= PUBLISH_BYTES, 0)) {
			published = position;
			__atomic_store_n(cpu->tail, position, __ATOMIC_RELEASE);
		}
	}
	cpu->position = position;
	cpu->published = published;
	perf->lap += position - start;
	*read += position - start;
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
		ret = consume_known(ring, callback, context, limit, &count, &read);
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
