/* flow_producer.c -- SECONDS : says its pid, waits half a second for somebody to attach, then calls getppid as often as it can, and says how often. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2, start;
	unsigned long count = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	printf("%d\n", getpid());
	fflush(stdout);
	usleep(argc > 2 ? (unsigned)atoi(argv[2]) : 500000);
	start = now();
	while (now() - start < seconds)
		for (int i = 0; i < 10000; i++, count++)
			syscall(SYS_getppid);
	printf("%lu %.3f\n", count, now() - start);
	return 0;
}
