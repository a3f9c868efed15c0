/* A block of which any allocation may fail: an error that says so, and nothing is left behind. */
#include <errno.h>
#include <stdlib.h>

#include "asm/asm.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
int main(void)
{
	if (TEST_RESULT())
		return 1;
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
static long fail_allocation; /* counts down; the one that reaches zero fails */
static long live;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static bool refuses(void)
{
	if (fail_allocation <= 0 || --fail_allocation)
		return false;
	errno = ENOMEM;
	return true;
}

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

static int build(const char *text, struct ebpf_buffer *listing, struct ebpf_error *err)
{
	struct ebpf_block *block = ebpf_block_new();
	int code = block ? ebpf_block_parse(block, text, err) : -ENOMEM;

	if (code == 0)
		code = ebpf_block_finish(block, err);
	if (code == 0)
		ebpf_insns_print(block->insns, block->count, listing);
	if (code == 0 && listing->failed)
		code = -ENOMEM;
	ebpf_block_free(block);
	return code;
}

int main(void)
{
	struct ebpf_buffer text = { 0 }, listing = { 0 };
	struct ebpf_error err = { 0 };
	long attempt = 0, before;
	int code;

	for (int i = 0; i < 40; i++)
		ebpf_buffer_printf(&text, "l%d: r1 = map m%d ll\nif r1 == %d goto l%d\ncall f%d\n", i, i, i, 39 - i, i);
	before = live;
	do {
		fail_allocation = ++attempt;
		code = build(text.data, &listing, &err);
		fail_allocation = 0;
		CHECK(code == 0 || code == -ENOMEM);
		if (code < 0 && err.code)
			CHECK_STR(err.message, "out of memory");
		ebpf_buffer_free(&listing);
		ebpf_error_clear(&err);
		CHECK_INT(live, before);
	} while (code < 0 && attempt < 10000 && !test_failures);
	CHECK(attempt > 100);
	ebpf_buffer_free(&text);
	return TEST_RESULT();
}
#endif
