/* ring_bench.c -- what one 16-byte record costs in C: the bare loop over the mapped ring (the floor), libbpf's ring_buffer__consume, and ours.
 *
 * A ring of 16 MiB is filled by a BPF program, then read by one of the three, in turns; the CPU time of reading alone is taken. Prints the medians in ns
 * per record and the ratio to libbpf. Build: cc -O2 -Isrc spec/bench/ring_bench.c build/libebpf.a -lbpf -lelf -lz -lmnl */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libbpf's own header would bring <linux/bpf.h>, whose names are ours too. */
struct ring_buffer;
typedef int (*ring_buffer_sample_fn)(void *ctx, void *data, size_t size);
struct ring_buffer *ring_buffer__new(int map_fd, ring_buffer_sample_fn sample_cb, void *ctx, const void *opts);
int ring_buffer__consume(struct ring_buffer *rb);
void ring_buffer__free(struct ring_buffer *rb);

#include "../c/ring_program.h"
#include "ring/ring.h"
#include "timing.h"

#define RING_SIZE (16U << 20)
#define PER_RUN 50
#define RUNS ((RING_SIZE / 24 - 100) / PER_RUN)
#define ROUNDS_MAX 1001

enum { BARE, LIBBPF, CONSUME, NEXT, WAYS };
static const char *const names[WAYS] = { "bare loop", "libbpf ring_buffer__consume", "ebpf_ring_consume", "ebpf_ring_next" };

static uint64_t sum;
static int64_t count;

static int on_record(void *context, const void *data, size_t size)
{
	(void)context;
	sum += *(const uint64_t *)data + size;
	count++;
	return 0;
}

static int on_sample(void *context, void *data, size_t size)
{
	(void)context;
	sum += *(const uint64_t *)data + size;
	count++;
	return 0;
}

static void read_bare(struct ebpf_ring *ring)
{
	unsigned long position = *ring->consumer, end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE), mask = ring->mask;
	const uint8_t *data = ring->data;
	uint64_t total = 0;

	while (position < end) {
		const uint8_t *record = data + (position & mask);
		uint32_t header = __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);

		total += *(const uint64_t *)(const void *)(record + 8) + header;
		count++;
		position += (header + 15UL) & ~7UL;
	}
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
	sum += total;
}

static void read_next(struct ebpf_ring *ring)
{
	const void *data;
	size_t size;

	while (ebpf_ring_next(ring, &data, &size) == 1)
		on_record(NULL, data, size);
	ebpf_ring_release(ring);
}

int main(int argc, char **argv)
{
	static double times[WAYS][ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 31;
	struct ebpf_map_spec spec = { .name = (char *)"bench", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = RING_SIZE };
	struct ebpf_error err = { 0 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	struct ring_buffer *libbpf;
	struct ebpf_ring *ring;
	struct ebpf_map *map;
	int filler;

	if (!kernel || ebpf_map_create(kernel, &spec, &map, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	filler = ring_program_load_filler(ebpf_map_fd(map), PER_RUN);
	libbpf = ring_buffer__new(ebpf_map_fd(map), on_sample, NULL, NULL);
	if (filler < 0 || !libbpf)
		return 1;
	rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
	for (int round = -1; round < rounds; round++) { /* the first warms up */
		for (int way = 0; way < WAYS; way++) {
			bool failed;
			double start;

			ring_program_run(filler, 0, NULL, 0, RUNS, &failed);
			if (failed || ebpf_ring_open(map, &ring, &err) < 0) /* where the others have stopped */
				return 1;
			count = 0;
			start = now_ns();
			if (way == BARE)
				read_bare(ring);
			else if (way == LIBBPF)
				ring_buffer__consume(libbpf);
			else if (way == CONSUME)
				ebpf_ring_consume(ring, on_record, NULL, 0);
			else
				read_next(ring);
			if (round >= 0)
				times[way][round] = (now_ns() - start) / (double)count;
			if (count != (int64_t)RUNS * PER_RUN || ebpf_ring_available(ring) > RING_SIZE)
				fprintf(stderr, "%s: %lld records\n", names[way], (long long)count);
			ebpf_ring_close(ring);
		}
	}
	double floor_ns = median(times[BARE], rounds), libbpf_ns = median(times[LIBBPF], rounds);

	printf("%d records of 16 bytes in a ring of 16 MiB, median of %d rounds, ns per record\n", (int)(RUNS * PER_RUN), rounds);
	for (int way = 0; way < WAYS; way++) {
		double ns = median(times[way], rounds);

		printf("  %-28s %6.2f   %.2f x libbpf   %.2f x floor   (best %.2f)\n", names[way], ns, ns / libbpf_ns, ns / floor_ns, times[way][0]);
	}
	ring_buffer__free(libbpf);
	close(filler);
	ebpf_map_close(map);
	ebpf_kernel_free(kernel);
	return sum == 0;
}
