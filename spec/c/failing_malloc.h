/* failing_malloc.h -- for tests: glibc's allocator under our names, so that any one allocation can be made to fail, and the blocks that
 * live are counted. Where a sanitizer has replaced the allocator already, SANITIZED is defined and the rest is not there. */
#ifndef EBPF_SPEC_FAILING_MALLOC_H
#define EBPF_SPEC_FAILING_MALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Volatile: the compiler knows what malloc does, and would not look again after it. */
static volatile long live; /* blocks of memory */

#ifndef SANITIZED
static volatile long fail_allocation; /* counts down; the one that reaches zero fails */
static volatile bool failed_allocation;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static bool refuses(void)
{
	if (fail_allocation <= 0 || --fail_allocation)
		return false;
	failed_allocation = true;
	errno = ENOMEM;
	return true;
}

/* Visible, so that libc and libelf use them as well: what one allocates is freed by another. */
#pragma GCC visibility push(default)

void *malloc(size_t size)
{
	void *block = refuses() ? NULL : __libc_malloc(size);

	live += block != NULL;
	return block;
}

void *calloc(size_t count, size_t size)
{
	void *block = refuses() ? NULL : __libc_calloc(count, size);

	live += block != NULL;
	return block;
}

void *realloc(void *block, size_t size)
{
	void *other = refuses() ? NULL : __libc_realloc(block, size);

	live += !block && other;
	return other;
}

void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}

#pragma GCC visibility pop
#endif
#endif
