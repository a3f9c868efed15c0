/* load_compare ROUNDS OURS THEIRS OBJECT... : wall time of whole processes, one of each in turn so that other work on
 * the machine meets both; the median of each, and their ratio. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* Milliseconds from spawn to exit, or -1. */
static double run(char *program, char *object)
{
	char *argv[] = { program, object, NULL }, *environment[] = { NULL };
	double start = now();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, program, NULL, NULL, argv, environment) || waitpid(pid, &status, 0) != pid || status)
		return -1;
	return now() - start;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[1]) : 0;
	double *times[2];

	if (rounds < 1)
		return fprintf(stderr, "usage: load_compare ROUNDS OURS THEIRS OBJECT...\n"), 2;
	times[0] = calloc(rounds, sizeof(double));
	times[1] = calloc(rounds, sizeof(double));
	printf("%-16s %10s %10s %8s   (median ms of %d, least in brackets)\n", "object", "ebpf", "libbpf", "ratio",
	       rounds);
	for (int i = 4; i < argc; i++) {
		const char *name = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];

		for (int round = -2; round < rounds; round++)
			for (int which = 0; which < 2; which++) {
				double time = run(argv[2 + which], argv[i]);

				if (time < 0) {
					fprintf(stderr, "%s %s failed\n", argv[2 + which], argv[i]);
					return 1;
				}
				if (round >= 0)
					times[which][round] = time;
			}
		qsort(times[0], rounds, sizeof(double), compare);
		qsort(times[1], rounds, sizeof(double), compare);
		printf("%-16.*s %10.2f %10.2f %8.2f   [%.2f, %.2f]\n", (int)strcspn(name, "."), name,
		       times[0][rounds / 2], times[1][rounds / 2], times[0][rounds / 2] / times[1][rounds / 2],
		       times[0][0], times[1][0]);
	}
	return 0;
}
