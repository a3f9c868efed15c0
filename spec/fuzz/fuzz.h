/* fuzz.h -- what the libFuzzer targets share: the entry point, and a watch on how much memory some bytes cost.
 *
 * A target aborts for what must not be; libFuzzer keeps the input. Built with replay.c instead of libFuzzer the same targets
 * run over the kept inputs in the ordinary tests. Memory is watched where AddressSanitizer's allocator is there to tell of it.
 */
#ifndef EBPF_SPEC_FUZZ_H
#define EBPF_SPEC_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

__attribute__((weak)) int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
								    void (*on_free)(const volatile void *));
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void *block);

static size_t fuzz_live, fuzz_peak;
static bool fuzz_watching;

static inline void fuzz_on_malloc(const volatile void *block, size_t size)
{
	(void)block;
	if (fuzz_watching)
		fuzz_live += size;
	if (fuzz_live > fuzz_peak)
		fuzz_peak = fuzz_live;
}

static inline void fuzz_on_free(const volatile void *block)
{
	size_t size = fuzz_watching && block ? __sanitizer_get_allocated_size(block) : 0;

	fuzz_live -= size < fuzz_live ? size : fuzz_live;
}

/* From here on the heap is watched, until fuzz_watch_end, which aborts when at one time more than `times` x `size` + 256 KiB were
 * in use. */
static inline void fuzz_watch_begin(void)
{
	static bool installed;

	if (!installed && __sanitizer_install_malloc_and_free_hooks)
		__sanitizer_install_malloc_and_free_hooks(fuzz_on_malloc, fuzz_on_free);
	installed = true;
	fuzz_live = fuzz_peak = 0;
	fuzz_watching = __sanitizer_get_allocated_size != NULL;
}

static inline void fuzz_watch_end(size_t size, size_t times)
{
	fuzz_watching = false;
	if (fuzz_peak > times * size + (256 << 10)) {
		fprintf(stderr, "%zu bytes took %zu bytes of memory, more than %zu times as many\n", size, fuzz_peak, times);
		abort();
	}
}

#endif
