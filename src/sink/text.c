/* text.c -- numbers and strings as JSON and CSV. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink/text.h"

static inline bool has_room(struct ebpf_buffer *out, size_t size)
{
	return !out->failed && out->capacity - out->size > size;
}

void ebpf_text_add(struct ebpf_buffer *out, const char *text, size_t size)
{
	if (__builtin_expect(has_room(out, size), 1)) {
		memcpy(out->data + out->size, text, size);
		out->size += size;
	} else {
		ebpf_buffer_add(out, text, size);
	}
}

void ebpf_text_char(struct ebpf_buffer *out, char c)
{
	ebpf_text_add(out, &c, 1);
}

void ebpf_text_int(struct ebpf_buffer *out, int64_t value, bool is_unsigned)
{
	char digits[24], *at = digits + sizeof(digits);
	bool negative = value < 0 && !is_unsigned;
	uint64_t rest = negative ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (negative)
		*--at = '-';
	ebpf_text_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

/* The shortest of 15 to 17 digits that is the same number again; a decimal point whatever the locale has. */
void ebpf_text_real(struct ebpf_buffer *out, double value)
{
	char text[40];
	int size = 0;

	for (int digits = 15; digits <= 17; digits++) {
		size = snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	for (int i = 0; i < size; i++)
		if (text[i] == ',')
			text[i] = '.';
	ebpf_text_add(out, text, (size_t)size);
}

static void add_byte(struct ebpf_buffer *out, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";

	ebpf_text_char(out, hex[byte >> 4]);
	ebpf_text_char(out, hex[byte & 15]);
}

void ebpf_text_hex(struct ebpf_buffer *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		add_byte(out, data[i]);
}

void ebpf_text_int128(struct ebpf_buffer *out, const uint8_t *data)
{
	ebpf_text_add(out, "0x", 2);
	for (size_t i = 0; i < 16; i++)
		add_byte(out, data[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? i : 15 - i]);
}

/* -- strings -- */

/* Bytes of the UTF-8 character at `text`, as RFC 3629 has them (no surrogates, nothing longer than needed), or 0. */
static size_t utf8_length(const uint8_t *text, size_t size)
{
	uint8_t lead = text[0], low = 0x80, high = 0xbf;
	size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;

	if (!length || length > size)
		return 0;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (text[i] < low || text[i] > high)
			return 0;
	return length;
}

static void add_control(struct ebpf_buffer *out, uint8_t c)
{
	static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	for (size_t i = 0; i + 1 < sizeof(letters); i += 2)
		if ((uint8_t)letters[i] == c) {
			ebpf_text_char(out, '\\');
			ebpf_text_char(out, letters[i + 1]);
			return;
		}
	ebpf_text_add(out, "\\u00", 4);
	add_byte(out, c);
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void ebpf_text_json(struct ebpf_buffer *out, const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t at = 0;

	ebpf_text_char(out, '"');
	while (at < size) {
		size_t run = at, length;

		while (run < size && is_plain(bytes[run]))
			run++;
		ebpf_text_add(out, text + at, run - at);
		at = run;
		if (at == size)
			break;
		length = utf8_length(bytes + at, size - at);
		if (length > 1)
			ebpf_text_add(out, text + at, length);
		else if (length)
			add_control(out, bytes[at]);
		else
			ebpf_text_add(out, "\xef\xbf\xbd", 3);
		at += length ? length : 1;
	}
	ebpf_text_char(out, '"');
}

void ebpf_text_csv(struct ebpf_buffer *out, const char *text, size_t size)
{
	bool quotes = false;

	for (size_t i = 0; i < size && !quotes; i++)
		quotes = text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
	if (!quotes) {
		ebpf_text_add(out, text, size);
		return;
	}
	ebpf_text_char(out, '"');
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			ebpf_text_char(out, '"');
		ebpf_text_char(out, text[i]);
	}
	ebpf_text_char(out, '"');
}
