/* asm_fuzz.c -- libFuzzer: any bytes as assembly and as machine code. What is code prints as text that is the same code; what a Spec takes as a program
 * comes out of it as the same code again. */
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct ebpf_block *block)
{
	struct ebpf_block *again = ebpf_block_new();
	struct ebpf_buffer text = { 0 };

	ebpf_insns_print(block->insns, block->count, &text);
	if (!again || text.failed || (text.data && ebpf_block_parse(again, text.data, NULL) < 0))
		abort();
	if (again->count != block->count || (block->count && memcmp(again->insns, block->insns, block->count * 8) != 0))
		abort();
	ebpf_block_free(again);
	ebpf_buffer_free(&text);
}

/* Consumes the block. */
static void through_spec(struct ebpf_block *block)
{
	struct ebpf_spec *spec = ebpf_spec_new("fuzz", NULL);
	const struct ebpf_function *function;
	struct ebpf_block *again;
	size_t count = block->count, total = 0;

	if (!spec)
		abort();
	if (ebpf_spec_add_program(spec, "p", 1, block, NULL, NULL) < 0)
		ebpf_block_free(block);
	else
		for (size_t i = 0; (function = ebpf_spec_function(spec, i)); i++) {
			if (ebpf_function_block(spec, function, &again, NULL) < 0 || again->count != function->insn_count)
				abort();
			total += again->count;
			ebpf_block_free(again);
		}
	if (spec->program_count && total != count)
		abort();
	ebpf_spec_free(spec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_block *code = ebpf_block_new(), *text = ebpf_block_new();
	struct ebpf_error err = { 0 };
	char *copy = ebpf_strndup((const char *)data, size);

	if (!code || !text || !copy)
		abort();
	if (ebpf_block_decode(code, data, size, size & 8, &err) == 0) {
		same_again(code);
		if (ebpf_block_finish(code, &err) == 0) {
			through_spec(code);
			code = NULL;
		}
	}
	if (ebpf_block_parse(text, copy, &err) == 0) {
		same_again(text);
		if (ebpf_block_finish(text, &err) == 0) {
			through_spec(text);
			text = NULL;
		}
	}
	ebpf_error_clear(&err);
	ebpf_block_free(code);
	ebpf_block_free(text);
	free(copy);
	return 0;
}
