/* text.h -- where printed text goes: handed on to a callback, block by block.
 *
 * Text is bounded: what the types say may repeat without end ever so often, so whoever prints says how much there may be.
 * After the first failure everything is dropped; printers need not look until they loop.
 */
#ifndef EBPF_BTF_TEXT_H
#define EBPF_BTF_TEXT_H

#include "base/base.h"

struct btf_text {
	char *data;
	size_t used;
	uint64_t left; /* bytes that may still be written */
	ebpf_write_fn write;
	void *context;
	int code; /* of the first failure: -ENOMEM, -E2BIG, or what the callback returned */
};

/* `limit` bytes at most. */
int btf_text_init(struct btf_text *text, uint64_t limit, ebpf_write_fn write, void *context);
/* Hands on what is left and frees the block. Returns text->code; fills `err` for failures of its own. */
int btf_text_finish(struct btf_text *text, struct ebpf_error *err);

void btf_text_add(struct btf_text *text, const char *data, size_t size);
void btf_text_char(struct btf_text *text, char byte);
void btf_text_string(struct btf_text *text, const char *string);
void btf_text_unsigned(struct btf_text *text, uint64_t value);
void btf_text_signed(struct btf_text *text, int64_t value);
void btf_text_hex(struct btf_text *text, uint64_t value);                               /* with 0x */
void btf_text_printf(struct btf_text *text, const char *format, ...) EBPF_PRINTF(2, 3); /* at most 399 bytes */
/* A JSON string, quoted. Bytes that are no UTF-8 stay as they are. */
void btf_text_json(struct btf_text *text, const char *string);

/* A bound for the text of a BTF, base included: no real one comes near. */
uint64_t btf_text_limit(const struct ebpf_btf *btf);

#endif
