/* A block of which any allocation may fail: an error that says so, and nothing is left behind. */
#include <errno.h>
#include <stdlib.h>

#include "asm/asm.h"
#include "failing_malloc.h"
#include "test.h"

#ifdef SANITIZED
int main(void)
{
	if (TEST_RESULT())
		return 1;
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
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
