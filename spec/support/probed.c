/* probed.c -- a program to be probed, for spec/uprobe_spec.lua: prints its process, then for each byte that it reads calls its
 * functions once, prints the reference counter, and says so by the end of the line. */
#include <stdio.h>
#include <unistd.h>

/* What a probe with a reference counter counts up while it is there. */
__attribute__((section(".probes"), used)) volatile unsigned short probed_counter = 0;

/* In no dynamic table: what `strip` takes away. */
__attribute__((noinline, noclone, noipa, used)) static int probed_inner(int number)
{
	return number + 1;
}

/* As a compiler of C++ names demo::run(int) and demo::stop(). */
__attribute__((noinline, noclone, noipa, used)) int probed_run(int number) __asm__("_ZN4demo3runEi");
int probed_run(int number)
{
	return number + 2;
}

__attribute__((noinline, noclone, noipa, used)) int probed_stop(void) __asm__("_ZN4demo4stopEv");
int probed_stop(void)
{
	return 4;
}

int main(void)
{
	volatile int sum = 0;
	char byte;

	printf("%d\n", (int)getpid());
	fflush(stdout);
	while (read(0, &byte, 1) == 1) {
		sum += probed_inner(sum) + probed_run(sum) + probed_stop();
		printf("%u\n", probed_counter);
		fflush(stdout);
	}
	return 0;
}
