/* bpf_time.h -- how long a program is inside of bpf(2): what is left of its time is the library's own. Included once, by
 * the program itself: its syscall(2) is then everybody's, libbpf's too. The result goes to descriptor 3, where
 * load_compare reads it. */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct bpf_time {
	double total, inside; /* ms */
};

static double bpf_inside, bpf_started;

static double bpf_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

long syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long arguments[6], result;
	double start;
	va_list list;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
	start = bpf_now();
	result = next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
	if (number == SYS_bpf)
		bpf_inside += bpf_now() - start;
	return result;
}

static void bpf_time_begin(void)
{
	bpf_started = bpf_now();
}

static void bpf_time_end(void)
{
	struct bpf_time time = { bpf_now() - bpf_started, bpf_inside };

	if (write(3, &time, sizeof(time)) < 0)
		return; /* nobody asks */
}
