/* asm_fuzz.c -- libFuzzer: any bytes as assembly and as machine code. What is code prints as text that is the same code. */
#include "asm/asm.h"
#include "fuzz.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_block *code = ebpf_block_new(), *text = ebpf_block_new();
	struct ebpf_error err = { 0 };
	char *copy = ebpf_strndup((const char *)data, size);

	if (!code || !text || !copy)
		abort();
	if (ebpf_block_decode(code, data, size, size & 8, &err) == 0) {
		same_again(code);
		ebpf_block_finish(code, &err);
	}
	if (ebpf_block_parse(text, copy, &err) == 0) {
		same_again(text);
		ebpf_block_finish(text, &err);
	}
	ebpf_error_clear(&err);
	ebpf_block_free(code);
	ebpf_block_free(text);
	free(copy);
	return 0;
}
