/* versions.c -- a library (LIBRARY) with two versions of a function, and a program that calls both; for uprobe_spec. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef LIBRARY
int greet_old(void);
int greet_new(void);

int greet_old(void) { return 1; }
int greet_new(void) { return 2; }

__asm__(".symver greet_old, greet@V1");
__asm__(".symver greet_new, greet@@V2");
#else

int main(void)
{
	void *library = dlopen(getenv("VERSIONS"), RTLD_NOW);
	int (*old)(void) = (int (*)(void))dlvsym(library, "greet", "V1");
	int (*new)(void) = (int (*)(void))dlvsym(library, "greet", "V2");
	char byte;

	printf("%d\n", (int)getpid());
	fflush(stdout);
	while (read(0, &byte, 1) == 1) {
		printf("%d\n", old() + new() * new());
		fflush(stdout);
	}
	return 0;
}
#endif
