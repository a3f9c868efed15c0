/* flow_libbpf.c -- OBJECT SECONDS [late] : the consumer of flow.sh in C with libbpf: attaches, drains every 200 us, sums the four fields. Prints records, lost,
 * the CPU time of draining in ns per record, and how many records were made in how many seconds. With `late` it drains once, at the end: what the producer
 * can do by itself, as long as the ring has room. */
#include <bpf/libbpf.h>
#include <bpf/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct sample {
	unsigned pid, cpu, kind, number;
};
static unsigned long count, sum;

static int on_sample(void *context, void *data, size_t size)
{
	const struct sample *sample = data;

	(void)context;
	(void)size;
	sum += sample->pid + sample->cpu + sample->kind + sample->number;
	count++;
	return 0;
}

static double seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned long long lost[1024] = { 0 }, lost_sum = 0, ticks;
	char command[200];
	cpu_set_t cpus;
	double start, cpu, took;
	unsigned long made;
	size_t size;
	int pid = 0, key = 0, timer;

	if (argc < 3)
		return 2;
	CPU_ZERO(&cpus);
	CPU_SET(1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	snprintf(command, sizeof(command), "build/bench/flow_producer %s", argv[2]);
	FILE *producer = popen(command, "r");
	struct bpf_object *object = bpf_object__open(argv[1]);

	if (!producer || fscanf(producer, "%d", &pid) != 1 || !object)
		return 1;
	/* .rodata: the u64 flags (1) and the u32 target (0), in the compiler's order. */
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	char *bytes = map ? (char *)bpf_map__initial_value(map, &size) : NULL;

	if (!bytes || size < 12)
		return 1;
	memcpy(bytes + (*(unsigned long long *)(void *)bytes == 1 ? 8 : 0), &pid, 4);
	bpf_map__set_value_size(bpf_object__find_map_by_name(object, "samples"), 0); /* the type is for readers: libbpf would make the map by it */
	if (bpf_object__load(object) || !bpf_program__attach(bpf_object__find_program_by_name(object, "on_call")))
		return 1;
	struct ring_buffer *ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "samples"), on_sample, NULL, NULL);
	struct itimerspec often = { { 0, 200000 }, { 0, 200000 } };

	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(timer, 0, &often, NULL);
	start = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	while (seconds_of(CLOCK_MONOTONIC) - start < atof(argv[2]) + 1) {
		if (read(timer, &ticks, sizeof(ticks)) < 0)
			return 1;
		if (argc < 4)
			ring_buffer__consume(ring);
	}
	ring_buffer__consume(ring);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "samples_lost"), &key, lost);
	for (int i = 0; i < 1024; i++)
		lost_sum += lost[i];
	if (fscanf(producer, "%lu %lf", &made, &took) != 2)
		return 1;
	printf("%lu %llu %.1f %lu %.3f\n", count, lost_sum, cpu * 1e9 / (double)(count ? count : 1), made, took);
	return sum == 0;
}
