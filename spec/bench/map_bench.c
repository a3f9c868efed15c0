/* map_bench.c MAP_ID ENTRIES : looks up, updates and walks a hash map with u32 keys, and values that begin with 8 bytes of a
 * number (for each CPU, in a per-CPU map), by libbpf's C API: the measure for what map_bench.lua does with the same map. Prints
 * "lookup update next" in ns per operation, each of `ROUNDS` keys or of all elements. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>

#define OPERATIONS 200000

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	int map = bpf_map_get_fd_by_id(argc > 1 ? (uint32_t)atoi(argv[1]) : 0);
	uint32_t entries = argc > 2 ? (uint32_t)atoi(argv[2]) : 0, key, next, count = 0;
	static uint64_t value[8192]; /* all CPUs' */
	uint64_t sum = 0;
	double lookup, update, walk, start;

	if (map < 0 || !entries)
		return 1;
	start = now_ns();
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		key = i % entries;
		if (bpf_map_lookup_elem(map, &key, value))
			return 1;
		sum += value[0];
	}
	lookup = (now_ns() - start) / OPERATIONS;
	start = now_ns();
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		key = i % entries;
		value[0] = key;
		if (bpf_map_update_elem(map, &key, value, BPF_ANY))
			return 1;
	}
	update = (now_ns() - start) / OPERATIONS;
	start = now_ns();
	for (int more = bpf_map_get_next_key(map, NULL, &key); !more; more = bpf_map_get_next_key(map, &key, &next), key = next) {
		if (!bpf_map_lookup_elem(map, &key, value))
			sum += value[0];
		count++;
	}
	walk = (now_ns() - start) / (count ? count : 1);
	printf("%.0f %.0f %.0f %llu\n", lookup, update, walk, (unsigned long long)(sum & 1));
	return count == entries ? 0 : 1;
}
