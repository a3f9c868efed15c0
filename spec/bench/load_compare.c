/* load_compare ROUNDS OURS THEIRS OBJECT... : whole processes, one of each in turn so that other work on the machine meets
 * both. OURS and THEIRS are commands. Of each the median of the wall time, and of the time that is neither start-up nor
 * inside of bpf(2) (bpf_time.h); their ratios; and the most memory that a process had, with that of `lua5.4
 * spec/bench/load_ebpf.lua`. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 16
#define ROUNDS_MAX 1001

struct run {
	double wall, own; /* ms */
	long memory;      /* KiB */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* False when the program failed. */
static int run(const char *command, char *object, struct run *out)
{
	char copy[1024], *words[WORDS_MAX + 2] = { NULL };
	struct { double total, inside; } time = { 0, 0 };
	struct rusage usage;
	int pipes[2], status, count = 0;
	double begin;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", command);
	for (char *word = strtok(copy, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = object;
	if (pipe2(pipes, O_CLOEXEC))
		return 0;
	begin = now();
	pid = vfork();
	if (pid == 0) {
		dup2(pipes[1], 3);
		execv(words[0], words);
		_exit(127);
	}
	close(pipes[1]);
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status) {
		fprintf(stderr, "%s %s failed\n", command, object);
		return 0;
	}
	out->wall = now() - begin;
	out->memory = usage.ru_maxrss;
	if (read(pipes[0], &time, sizeof(time)) != sizeof(time))
		time.total = time.inside = 0;
	out->own = time.total - time.inside;
	close(pipes[0]);
	return 1;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static int compare_object(char *const commands[2], char *object, int rounds)
{
	static double wall[2][ROUNDS_MAX], own[2][ROUNDS_MAX];
	const char *name = strrchr(object, '/') ? strrchr(object, '/') + 1 : object;
	struct run lua, one = { 0, 0, 0 };
	double medians[4];
	long memory[2] = { 0, 0 };

	for (int round = -2; round < rounds; round++) /* the first two warm up */
		for (int which = 0; which < 2; which++) {
			if (!run(commands[which], object, &one))
				return 0;
			if (round < 0)
				continue;
			wall[which][round] = one.wall;
			own[which][round] = one.own;
			memory[which] = one.memory > memory[which] ? one.memory : memory[which];
		}
	if (!run("/usr/bin/env lua5.4 spec/bench/load_ebpf.lua", object, &lua))
		return 0;
	for (int which = 0; which < 2; which++) {
		medians[which] = median(wall[which], rounds);
		medians[2 + which] = median(own[which], rounds);
	}
	printf("%-18.*s %8.2f %8.2f %6.2f   %8.2f %8.2f %6.2f   %6.1f %6.1f %6.1f\n", (int)strcspn(name, "."), name, medians[0],
	       medians[1], medians[0] / medians[1], medians[2], medians[3], medians[2] / medians[3], memory[0] / 1024.0,
	       memory[1] / 1024.0, lua.memory / 1024.0);
	return 1;
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[1]) : 0, good = 1;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return fprintf(stderr, "usage: load_compare ROUNDS OURS THEIRS OBJECT...\n"), 2;
	printf("%-18s %24s   %24s   %20s\n", "", "whole process, ms", "above bpf(2), ms", "most memory, MiB");
	printf("%-18s %8s %8s %6s   %8s %8s %6s   %6s %6s %6s\n", "object", "ebpf", "libbpf", "ratio", "ebpf", "libbpf", "ratio",
	       "ebpf", "libbpf", "Lua");
	for (int i = 4; good && i < argc; i++)
		good = compare_object(argv + 2, argv[i], rounds);
	return !good;
}
