/* perf_bench.c -- what one 16-byte record of a perf buffer costs in C: libbpf's perf_buffer__consume, and ours.
 *
 * Each has a map of its own, with rings of 4 MiB, one of which a BPF program fills on this CPU; the CPU time of reading alone is taken, in turns. Prints the
 * medians in ns per record and the ratio to libbpf. */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* libbpf's own header would bring <linux/bpf.h>, whose names are ours too. */
struct perf_buffer;
struct perf_buffer *perf_buffer__new(int map_fd, size_t page_cnt, void (*sample_cb)(void *ctx, int cpu, void *data, uint32_t size),
				     void (*lost_cb)(void *ctx, int cpu, unsigned long long cnt), void *ctx, const void *opts);
int perf_buffer__consume(struct perf_buffer *pb);
void perf_buffer__free(struct perf_buffer *pb);

#include "../c/ring_program.h"
#include "ring/ring.h"
#include "timing.h"

enum { RING_SIZE = 4 << 20, PER_RUN = 50, RECORD_BYTES = 8 + 4 + 16 + 4 };
enum { RUNS = (RING_SIZE / RECORD_BYTES - 1000) / PER_RUN, ROUNDS_MAX = 1001, HELPER_PERF_EVENT_OUTPUT = 25 };
enum { LIBBPF, CONSUME, NEXT, WAYS };
static const char *const names[WAYS] = { "libbpf perf_buffer__consume", "ebpf_ring_consume", "ebpf_ring_next" };

static uint64_t sum;
static int64_t count;

static int on_record(void *context, const void *data, size_t size)
{
	(void)context;
	sum += *(const uint32_t *)data + size;
	count++;
	return 0;
}

static void on_sample(void *context, int cpu, void *data, uint32_t size)
{
	(void)context;
	(void)cpu;
	sum += *(const uint32_t *)data + size;
	count++;
}

static int load_filler(int map_fd)
{
	struct ebpf_insn insns[16 + 8 * PER_RUN];
	uint32_t n = 0;

	MOVE(6, 1);
	INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -16, 0x1234);
	INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -8, 0x5678);
	for (int i = 0; i < PER_RUN; i++) {
		MOVE(1, 6);
		LOAD_MAP(2, map_fd);
		INSN(EBPF_ALU | EBPF_MOV | EBPF_K, 3, 0, 0, -1); /* BPF_F_CURRENT_CPU */
		MOVE(4, 10); ADD(4, -16); SET(5, 16);
		CALL(HELPER_PERF_EVENT_OUTPUT);
	}
	SET(0, 0);
	EXIT();
	return ring_program_fd(insns, n);
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
	struct ebpf_map_spec spec = { .name = (char *)"bench", .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY, .key_size = 4, .value_size = 4 };
	struct ebpf_perf_options options = { .size = sizeof(options), .buffer_size = RING_SIZE, .wakeup_bytes = RING_SIZE / 2 };
	int rounds = argc > 1 ? atoi(argv[1]) : 31, fillers[2];
	struct ebpf_error err = { 0 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	struct ebpf_map *maps[2];
	struct perf_buffer *libbpf;
	struct ebpf_ring *ring;
	cpu_set_t cpus;
	double base = 1;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (int i = 0; i < 2; i++) {
		if (!kernel || ebpf_map_create(kernel, &spec, &maps[i], &err) < 0) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		fillers[i] = load_filler(ebpf_map_fd(maps[i]));
	}
	libbpf = perf_buffer__new(ebpf_map_fd(maps[LIBBPF]), RING_SIZE / (size_t)getpagesize(), on_sample, NULL, NULL, NULL);
	if (!libbpf || ebpf_ring_open_perf(maps[1], &options, &ring, &err) < 0 || fillers[0] < 0 || fillers[1] < 0) {
		fprintf(stderr, "cannot read: %s\n", err.message);
		return 1;
	}
	rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
	for (int round = -1; round < rounds; round++) { /* the first warms up */
		for (int way = 0; way < WAYS; way++) {
			double start;
			bool failed;

			ring_program_run(fillers[way != LIBBPF], 0, NULL, 0, RUNS, &failed);
			if (failed)
				return 1;
			count = 0;
			start = now_ns();
			if (way == LIBBPF)
				perf_buffer__consume(libbpf);
			else if (way == CONSUME)
				ebpf_ring_consume(ring, on_record, NULL, 0);
			else
				read_next(ring);
			if (round >= 0)
				times[way][round] = (now_ns() - start) / (double)count;
			if (count != (int64_t)RUNS * PER_RUN)
				fprintf(stderr, "%s: %lld records\n", names[way], (long long)count);
		}
	}
	printf("%d records of 16 bytes in a perf buffer of 4 MiB, median of %d rounds, ns per record\n", (int)(RUNS * PER_RUN), rounds);
	for (int way = 0; way < WAYS; way++) {
		double ns = median(times[way], rounds);

		if (way == LIBBPF)
			base = ns;
		printf("  %-28s %6.2f   %.2f x libbpf   (best %.2f)\n", names[way], ns, ns / base, times[way][0]);
	}
	perf_buffer__free(libbpf);
	ebpf_ring_close(ring);
	ebpf_map_close(maps[0]);
	ebpf_map_close(maps[1]);
	ebpf_kernel_free(kernel);
	return sum == 0;
}
