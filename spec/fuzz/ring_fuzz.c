/* ring_fuzz.c -- libFuzzer: any bytes in the memory of ring and perf buffers, which another process may have mapped.
 *
 * The input is: a byte of options (bit 0: a perf buffer; of that 1: ordered, 2: it overwrites, 3: someone is told of other records; of a ring buffer 1: it
 * overwrites), 3 bytes of sample_type, 2 bytes of how far the producer is, one of where reading begins (times 8), and what the rings are filled with, again and again.
 */
#include "fuzz.h"
#include "ring/perf.h"

enum { SIZE = 512, CPUS = 2, HEAD = 7 };

static volatile uint8_t sum;

static void touch(const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += ((const uint8_t *)data)[i];
}

static void on_other(void *context, int cpu, const void *record, size_t size)
{
	(void)context;
	(void)cpu;
	touch(record, size);
}

static int on_record(void *context, const void *data, size_t size)
{
	++*(unsigned *)context;
	touch(data, size);
	return 0;
}

static void fill(uint8_t *to, size_t size, const uint8_t *data, size_t data_size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = data_size ? data[i % data_size] : 0;
}

/* Every record takes 8 bytes at least of a ring whose producer stands still: there is an end to it. */
static void read_all(struct ebpf_ring *ring, size_t most)
{
	struct ebpf_sample sample = { .size = sizeof(sample) };
	unsigned count = 0;
	const void *data;
	size_t size;

	for (int errors = 0; errors < 64;) {
		int ret = ebpf_ring_next(ring, &data, &size);

		if (ret == 0)
			break;
		errors += ret < 0;
		if (ret < 0)
			continue;
		if (++count > most)
			abort();
		touch(data, size);
		if (ebpf_ring_sample(ring, &sample)) {
			touch(sample.callchain, sample.callchain ? sample.callchain_count * 8 : 0);
			touch(sample.rest, sample.rest_size);
		}
	}
	ebpf_ring_release(ring);
	ebpf_ring_consume(ring, on_record, &count, 0);
	if (count > 2 * most)
		abort();
}

static void read_ring(const uint8_t *head, const uint8_t *data, size_t size)
{
	uint8_t *memory = malloc(2 * SIZE), *copy = malloc(SIZE);
	unsigned long consumer = head[6] * 8UL, positions[3] = { consumer + (head[4] | head[5] << 8), 0, consumer };
	struct ebpf_ring ring = { .flush_fd = -1, .epoll_fd = -1 };

	if (!memory || !copy)
		abort();
	fill(memory, SIZE, data, size);
	memcpy(memory + SIZE, memory, SIZE); /* mapped twice */
	ebpf_ring_init(&ring, &consumer, positions, memory, SIZE);
	if (head[0] & 2) {
		ring.oldest = &positions[2];
		ring.copy = copy;
		ring.next = ebpf_overwrite_next;
	}
	ebpf_ring_is_ready(&ring);
	read_all(&ring, 65536 / 8 + 1);
	free(memory);
	free(copy);
}

static void read_perf(const uint8_t *head, const uint8_t *data, size_t size)
{
	uint64_t heads[CPUS], tails[CPUS];
	struct ebpf_perf_cpu cpus[CPUS];
	struct ebpf_perf perf = { .cpus = cpus, .count = CPUS, .capacity = CPUS, .mask = SIZE - 1, .ordered = (head[0] & 6) == 2, .epoll_fd = -1, .wake = -1,
				  .timer = -1, .last_cpu = -1, .overwrite = head[0] & 4, .paused = head[0] & 4, .other = head[0] & 8 ? on_other : NULL };
	struct ebpf_ring ring = { .perf = &perf, .next = ebpf_perf_next_plain, .flush_fd = -1, .epoll_fd = -1 };
	uint64_t *memory = malloc(CPUS * SIZE);

	if (!memory)
		abort();
	fill((uint8_t *)memory, CPUS * SIZE, data, size);
	for (int i = 0; i < CPUS; i++) {
		tails[i] = heads[i] = head[6] * 8U;
		ebpf_perf_init_cpu(&cpus[i], i, perf.overwrite ? NULL : &tails[i], &heads[i], memory + (size_t)i * SIZE / 8);
		heads[i] += head[4] | head[5] << 8;
		if (perf.overwrite)
			cpus[i].known = heads[i];
	}
	ebpf_perf_set_format(&perf, ((uint64_t)head[1] | (uint64_t)head[2] << 8 | (uint64_t)head[3] << 16 | PERF_SAMPLE_RAW) & ~(uint64_t)PERF_SAMPLE_READ);
	ebpf_perf_is_ready(&ring);
	read_all(&ring, CPUS * (65536 / 8 + 1));
	free(perf.joined);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	fuzz_watch_begin();
	(data[0] & 1 ? read_perf : read_ring)(data, data + HEAD, size - HEAD);
	fuzz_watch_end(size, 1);
	return 0;
}
