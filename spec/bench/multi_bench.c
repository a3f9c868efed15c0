/* Attaching one program to many functions by one link, the search for a pattern included: the core beside libbpf, turn about. The goal is 1.2
 * times libbpf's time at most. multi_bench OBJECT LIBRARY [rounds]; kernel functions too where the kernel has such links. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ebpf.h"

#define ROUNDS_MAX 1000
#define PATTERN_KERNEL "*skb*"

#if LIBBPF_MAJOR_VERSION > 1 || LIBBPF_MINOR_VERSION >= 3
#define HAS_UPROBE_MULTI 1
#endif

struct side {
	const char *name;
	double time[ROUNDS_MAX];
};

struct bench {
	struct bpf_object *object;
	struct bpf_program *theirs;
	struct ebpf_collection *collection;
	struct ebpf_program *ours;
	const char *library; /* NULL = functions of the kernel */
	uint32_t count;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(struct side *side, int rounds)
{
	qsort(side->time, (size_t)rounds, sizeof(double), compare);
	return side->time[rounds / 2];
}

static int attach_ours(struct bench *bench, double *time)
{
	struct ebpf_link_options options = { .size = sizeof options, .path = bench->library,
					     .multi.pattern = bench->library ? "many_*" : PATTERN_KERNEL };
	struct ebpf_error err = { 0 };
	struct ebpf_link_info info;
	struct ebpf_link *link;
	double start = now();
	int result = ebpf_link_attach(bench->library ? "uprobe_multi" : "kprobe_multi", bench->ours, &options, &link, &err);

	*time = now() - start;
	if (result < 0) {
		fprintf(stderr, "%s %s\n", err.message, err.hint);
		ebpf_error_clear(&err);
		return result;
	}
	if (ebpf_link_info(link, &info, NULL) == 0)
		bench->count = info.count;
	ebpf_link_close(link);
	return 0;
}

static int attach_theirs(struct bench *bench, double *time)
{
	struct bpf_link *link = NULL;
	double start = now();

	if (!bench->library)
		link = bpf_program__attach_kprobe_multi_opts(bench->theirs, PATTERN_KERNEL, NULL);
#ifdef HAS_UPROBE_MULTI
	else
		link = bpf_program__attach_uprobe_multi(bench->theirs, -1, bench->library, "many_*", NULL);
#endif
	*time = now() - start;
	if (!link) {
		perror("libbpf: attach");
		return -1;
	}
	bpf_link__destroy(link);
	return 0;
}

static int open_theirs(struct bench *bench, const char *path, const char *name)
{
	struct bpf_program *program;

	bench->object = bpf_object__open_file(path, NULL);
	if (!bench->object)
		return -1;
	bpf_object__for_each_program(program, bench->object) {
		bool wanted = !strcmp(bpf_program__name(program), name);

		bpf_program__set_autoload(program, wanted);
		bench->theirs = wanted ? program : bench->theirs;
	}
	return bpf_object__load(bench->object);
}

static int open_ours(struct bench *bench, struct ebpf_kernel *kernel, const char *path, const char *name)
{
	struct ebpf_load_options options = { .size = sizeof options, .programs = &name, .program_count = 1 };
	struct ebpf_error err = { 0 };
	struct ebpf_spec *spec = NULL;
	int result = ebpf_spec_read_file(path, &spec, &err);

	if (result == 0)
		result = ebpf_collection_load(spec, kernel, &options, &bench->collection, &err);
	if (result < 0)
		fprintf(stderr, "%s\n", err.message);
	else
		bench->ours = bench->collection->programs[0];
	ebpf_spec_free(spec);
	ebpf_error_clear(&err);
	return result;
}

static int run(struct ebpf_kernel *kernel, const char *path, const char *library, int rounds)
{
	static struct side ours = { .name = "ebpf" }, theirs = { .name = "libbpf" };
	const char *name = library ? "anywhere" : "reads";
	struct bench bench = { .library = library };
	int result = open_theirs(&bench, path, name);

	if (result == 0)
		result = open_ours(&bench, kernel, path, name);
	for (int i = -1; result == 0 && i < rounds; i++) { /* the first of each warms up */
		double spare;

		result = attach_ours(&bench, i < 0 ? &spare : &ours.time[i]);
		if (result == 0)
			result = attach_theirs(&bench, i < 0 ? &spare : &theirs.time[i]);
	}
	if (result == 0) {
		double a = median(&ours, rounds), b = median(&theirs, rounds);

		printf("%-8s %5u functions  ebpf %8.3f ms  libbpf %8.3f ms  ratio %.2f (goal 1.2)\n", library ? "uprobes" : "kprobes",
		       bench.count, a, b, a / b);
	}
	ebpf_collection_free(bench.collection);
	bpf_object__close(bench.object);
	return result;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list list)
{
	(void)level, (void)format, (void)list;
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 21, result = 0;
	struct ebpf_error err = { 0 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	bool has;

	if (argc < 3 || !kernel || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: multi_bench OBJECT LIBRARY [rounds] %s\n", err.message);
		return 1;
	}
	libbpf_set_print(quiet);
#ifdef HAS_UPROBE_MULTI
	has = ebpf_kernel_has(kernel, "uprobe_multi", &err) == 1;
	if (has)
		result |= run(kernel, argv[1], argv[2], rounds);
	else
		printf("uprobes: this kernel has no such links\n");
#else
	printf("uprobes: this libbpf has no such links\n");
#endif
	has = ebpf_kernel_has(kernel, "kprobe_multi", &err) == 1;
	if (has)
		result |= run(kernel, argv[1], NULL, rounds);
	else
		printf("kprobes: this kernel has no such links\n");
	ebpf_error_clear(&err);
	ebpf_kernel_free(kernel);
	return result != 0;
}
