/* A block, the program that a Spec makes of it, and the blocks that its functions become again, of which any allocation may fail: an error that
 * says so, and nothing is left behind. */
#include <errno.h>
#include <stdlib.h>

#include "spec/spec.h"
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
/* `*block` is consumed on success. */
static int into_spec(struct ebpf_block **block, struct ebpf_error *err)
{
	struct ebpf_spec *spec = ebpf_spec_new("x", err);
	const struct ebpf_function *function;
	struct ebpf_block *again;
	int code = spec ? ebpf_spec_add_program(spec, "p", 1, *block, NULL, err) : -ENOMEM;

	if (code == 0)
		*block = NULL;
	for (size_t i = 0; code == 0 && (function = ebpf_spec_function(spec, i)); i++) {
		code = ebpf_function_block(spec, function, &again, err);
		if (code == 0)
			ebpf_block_free(again);
	}
	if (spec && code < 0)
		CHECK_INT(spec->program_count == 0 || *block == NULL, 1);
	ebpf_spec_free(spec);
	return code;
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
	if (code == 0)
		code = into_spec(&block, err);
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
		ebpf_buffer_printf(&text, "; line %d @ f.c:%d\nl%d: r1 = map m%d ll\nif r1 == %d goto l%d\ncall f%d\n", i, i, i, i, i, 39 - i, i);
	for (int i = 0; i < 10; i++)
		ebpf_buffer_printf(&text, "int f%d(struct s%d *s, u32 n):\nr0 = var v%d+4 ll\ncall kfunc k%d\nexit\n", i, i, i, i);
	before = live;
	do {
		fail_allocation = ++attempt;
		code = build(text.data, &listing, &err);
		fail_allocation = 0;
		CHECK(code == 0 || code == -ENOMEM);
		if (code < 0 && err.code)
			CHECK(strstr(err.message, "out of memory") != NULL);
		ebpf_buffer_free(&listing);
		ebpf_error_clear(&err);
		CHECK_INT(live, before);
	} while (code < 0 && attempt < 10000 && !test_failures);
	CHECK(attempt > 100);
	ebpf_buffer_free(&text);
	return TEST_RESULT();
}
#endif
