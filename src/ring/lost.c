/* lost.c -- records that found no space: of a perf buffer the kernel's counts, of a ring buffer the program's own, in a map beside it. A program may have lost
 * one before it came to a perf buffer, too, where it makes it in a room of its own (EBPF_EVENT_RESERVE): then both count.
 *
 * Counts of the program only grow. `seen` is what the map said when it was last read, `told` how much of that ebpf_ring_take_lost has given out.
 */
#include <stdlib.h>

#include "ring/many.h"

struct ebpf_lost {
	struct ebpf_map *map;
	size_t cpus;       /* 1 of a map that has one count for all */
	size_t stride;     /* in the buffer, in counts */
	uint64_t *buffer;  /* of a look-up */
	uint64_t seen, *told;
};

void ebpf_lost_free(struct ebpf_lost *lost)
{
	if (!lost)
		return;
	ebpf_map_close(lost->map);
	free(lost->buffer);
	free(lost->told);
	free(lost);
}

static int check_map(const struct ebpf_ring *ring, const struct ebpf_map *map, struct ebpf_error *err)
{
	const char *wrong = ring->many ? "it has several maps: say for which by ebpf_ring_part"
			    : map->type != BPF_MAP_TYPE_PERCPU_ARRAY && map->type != BPF_MAP_TYPE_ARRAY ? "it is no array"
			    : map->value_size != sizeof(uint64_t) ? "its values are not one u64 each" : NULL;

	if (!wrong)
		return 0;
	ebpf_fail(err, EINVAL, "ring buffer '%s': map '%s' cannot count what is lost: %s", ring->map->name, map->name, wrong);
	ebpf_hint(err, "EBPF_RECORDS of records.bpf.h declares both maps");
	return -EINVAL;
}

int ebpf_ring_set_lost(struct ebpf_ring *ring, struct ebpf_map *map, struct ebpf_error *err)
{
	int ret = check_map(ring, map, err);
	struct ebpf_lost *lost;

	if (ret < 0)
		return ret;
	lost = calloc(1, sizeof(*lost));
	if (!lost)
		return ebpf_fail_memory(err);
	lost->map = ebpf_map_ref(map);
	lost->cpus = ebpf_map_is_percpu(map) ? ebpf_map_cpu_count(map) : 1;
	lost->stride = ebpf_map_is_percpu(map) ? ebpf_map_cpu_stride(map) / sizeof(uint64_t) : 1;
	lost->buffer = calloc(1, ebpf_map_lookup_size(map));
	lost->told = calloc(lost->cpus, sizeof(*lost->told));
	if (!lost->buffer || !lost->told) {
		ebpf_lost_free(lost);
		return ebpf_fail_memory(err);
	}
	ebpf_lost_free(ring->lost);
	ring->lost = lost;
	return 0;
}

/* What cannot be read now stays as it was: it is read again the next time. */
static void read_counts(struct ebpf_lost *lost)
{
	uint32_t key = 0;

	if (ebpf_map_lookup(lost->map, &key, lost->buffer, 0, NULL) < 0)
		return;
	lost->seen = 0;
	for (size_t i = 0; i < lost->cpus; i++)
		lost->seen += lost->buffer[i * lost->stride];
}

uint64_t ebpf_ring_lost(const struct ebpf_ring *ring)
{
	if (ring->many)
		return ebpf_many_sum(ring, ebpf_ring_lost);
	uint64_t lost = ring->perf ? ebpf_perf_lost(ring) : 0;

	if (!ring->lost)
		return lost;
	read_counts(ring->lost);
	return lost + ring->lost->seen;
}

static uint64_t take_lost_of_any(struct ebpf_ring *ring, int *cpu)
{
	for (size_t i = 0; i < ring->many->count; i++) {
		uint64_t lost = ebpf_ring_take_lost(ring->many->parts[i], cpu);

		if (lost)
			return lost;
	}
	return 0;
}

uint64_t ebpf_ring_take_lost(struct ebpf_ring *ring, int *cpu)
{
	struct ebpf_lost *lost = ring->lost;

	if (ring->many)
		return take_lost_of_any(ring, cpu);
	if (ring->perf) {
		uint64_t count = ebpf_perf_take_lost(ring, cpu);

		if (count)
			return count;
	}
	if (!lost)
		return 0;
	read_counts(lost);
	for (size_t i = 0; i < lost->cpus; i++) {
		uint64_t count = lost->buffer[i * lost->stride] - lost->told[i];

		if (count) {
			lost->told[i] += count;
			*cpu = ebpf_map_is_percpu(lost->map) ? (int)i : -1;
			return count;
		}
	}
	return 0;
}
