/* text.c -- printed text, block by block. */
#include <stdio.h>
#include <stdlib.h>

#include "btf/private.h"
#include "btf/text.h"

#define BLOCK (64u << 10)

uint64_t btf_text_limit(const struct ebpf_btf *btf)
{
	uint64_t limit = 1u << 20;
	for (; btf; btf = btf->base)
		limit += 64 * (uint64_t)btf->bytes.size;
	return limit;
}

int btf_text_init(struct btf_text *text, uint64_t limit, ebpf_write_fn write, void *context)
{
	*text = (struct btf_text){.data = malloc(BLOCK), .left = limit, .write = write, .context = context};
	if (!text->data)
		text->code = -ENOMEM;
	return text->code;
}

static void flush(struct btf_text *text)
{
	if (!text->code && text->used) {
		int result = text->write(text->context, text->data, text->used);
		if (result < 0)
			text->code = result;
	}
	text->used = 0;
}

int btf_text_finish(struct btf_text *text, struct ebpf_error *err)
{
	flush(text);
	free(text->data);
	text->data = NULL;
	if (text->code == -ENOMEM)
		return ebpf_fail_memory(err);
	if (text->code == -E2BIG)
		return ebpf_fail(err, E2BIG, "BTF: print: the text is long beyond all proportion to the types");
	if (text->code)
		return ebpf_fail_errno(err, text->code, "BTF: print: write");
	return 0;
}

void btf_text_add(struct btf_text *text, const char *data, size_t size)
{
	if (text->code)
		return;
	if (size > text->left) {
		text->code = -E2BIG;
		return;
	}
	text->left -= size;
	while (size > BLOCK - text->used) {
		size_t part = BLOCK - text->used;
		memcpy(text->data + text->used, data, part);
		text->used = BLOCK;
		data += part;
		size -= part;
		flush(text);
		if (text->code)
			return;
	}
	memcpy(text->data + text->used, data, size);
	text->used += size;
}

void btf_text_char(struct btf_text *text, char byte)
{
	btf_text_add(text, &byte, 1);
}

void btf_text_string(struct btf_text *text, const char *string)
{
	btf_text_add(text, string, strlen(string));
}

/* Digits are written from the end; returns where they begin. */
static char *digits(char *end, uint64_t value, unsigned base)
{
	do
		*--end = "0123456789abcdef"[value % base];
	while (value /= base);
	return end;
}

void btf_text_unsigned(struct btf_text *text, uint64_t value)
{
	char buffer[20], *end = buffer + sizeof(buffer), *start = digits(end, value, 10);
	btf_text_add(text, start, end - start);
}

void btf_text_signed(struct btf_text *text, int64_t value)
{
	if (value < 0)
		btf_text_char(text, '-');
	btf_text_unsigned(text, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void btf_text_hex(struct btf_text *text, uint64_t value)
{
	char buffer[18], *end = buffer + sizeof(buffer), *start = digits(end, value, 16);
	*--start = 'x';
	*--start = '0';
	btf_text_add(text, start, end - start);
}

void btf_text_printf(struct btf_text *text, const char *format, ...)
{
	char buffer[400];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (length > 0)
		btf_text_add(text, buffer, (size_t)length < sizeof(buffer) ? (size_t)length : sizeof(buffer) - 1);
}

void btf_text_json(struct btf_text *text, const char *string)
{
	static const char escapes[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	btf_text_char(text, '"');
	for (const char *start = string;; string++) {
		unsigned char byte = *string;
		if (byte >= 0x20 && byte != '"' && byte != '\\')
			continue;
		btf_text_add(text, start, string - start);
		if (!byte)
			break;
		start = string + 1;
		if (byte >= 0x20 || (byte < sizeof(escapes) && escapes[byte])) {
			btf_text_char(text, '\\');
			btf_text_char(text, byte >= 0x20 ? (char)byte : escapes[byte]);
		} else {
			btf_text_printf(text, "\\u%04x", byte);
		}
	}
	btf_text_char(text, '"');
}
