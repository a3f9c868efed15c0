/* events_libbpf OBJECT ring|perf : loads lua_events.bpf.o with libbpf as records.bpf.h says, runs its programs, and prints the records. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct event {
	unsigned long long number;
	unsigned pid, kind;
};

static int print_record(void *context, void *data, size_t size)
{
	const struct event *event = data;

	(void)context;
	printf("%llu %u %u %s\n", event->number, event->pid, event->kind, size >= sizeof(*event) ? "whole" : "short");
	return 0;
}

static void print_sample(void *context, int cpu, void *data, __u32 size)
{
	(void)cpu;
	print_record(context, data, size);
}

/* Either kind of each map: what a loader with libbpf has to say before loading. */
static int choose(struct bpf_object *object, const char *name, int perf)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		return -1;
	if (!perf)
		return bpf_map__set_value_size(map, 0);
	return bpf_map__set_type(map, BPF_MAP_TYPE_PERF_EVENT_ARRAY) || bpf_map__set_key_size(map, 4) || bpf_map__set_value_size(map, 4) ||
	       bpf_map__set_max_entries(map, 0);
}

/* What a skeleton has as a member, by its place in .rodata: every constant that is 0 is a NAME_perf. */
static int set_constants(struct bpf_object *object)
{
	struct bpf_map *map;
	size_t size;
	unsigned *words;

	bpf_object__for_each_map(map, object) {
		if (!strstr(bpf_map__name(map), ".rodata"))
			continue;
		words = (unsigned *)(uintptr_t)bpf_map__initial_value(map, &size); /* const in some versions */
		for (size_t i = 0; words && i < size / sizeof(*words); i++)
			if (!words[i])
				words[i] = 1;
	}
	return 0;
}

static int run(struct bpf_object *object, const char *name, int count)
{
	char packet[14] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet), .repeat = count);
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	return program ? bpf_prog_test_run_opts(bpf_program__fd(program), &options) : -1;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 3 ? bpf_object__open_file(argv[1], NULL) : NULL;
	int perf = argc == 3 && !strcmp(argv[2], "perf"), fd;

	if (!object || choose(object, "events", perf) || choose(object, "odds", perf) || (perf && set_constants(object)) ||
	    bpf_object__load(object)) {
		fprintf(stderr, "does not load\n");
		return 1;
	}
	fd = bpf_object__find_map_fd_by_name(object, "events");
	struct ring_buffer *ring = perf ? NULL : ring_buffer__new(fd, print_record, NULL, NULL);
	struct perf_buffer *buffer = perf ? perf_buffer__new(fd, 8, print_sample, NULL, NULL, NULL) : NULL;

	if ((!ring && !buffer) || run(object, "send", 2) || run(object, "make", 3))
		return 1;
	if (ring)
		ring_buffer__consume(ring);
	else
		perf_buffer__consume(buffer);
	ring_buffer__free(ring);
	perf_buffer__free(buffer);
	bpf_object__close(object);
	return 0;
}
