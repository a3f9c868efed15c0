/* value_text.c -- the words of C initializers. */
#include <stdio.h>
#include <stdlib.h>

#include "btf/value_text.h"

int value_text_fail(const struct value_text *text, int code, const char *format, ...)
{
	char why[400];
	unsigned line = 1, column = 1;
	va_list arguments;
	for (const char *at = text->start; at < text->at; at++, column++) {
		if (*at == '\n') {
			line++;
			column = 0;
		}
	}
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return ebpf_fail(text->err, code, "value: line %u, column %u: %s", line, column, why);
}

char value_text_next(struct value_text *text)
{
	for (;;) {
		text->at += strspn(text->at, " \t\r\n\f\v");
		const char *end = NULL;
		if (ebpf_starts_with(text->at, "//"))
			end = strchr(text->at, '\n');
		else if (ebpf_starts_with(text->at, "/*") && (end = strstr(text->at + 2, "*/")))
			end += 2;
		else
			return *text->at;
		text->at = end ? end : text->at + strlen(text->at);
	}
}

bool value_text_take(struct value_text *text, char byte)
{
	if (value_text_next(text) != byte)
		return false;
	text->at++;
	return true;
}

static bool is_letter(char byte)
{
	return byte == '_' || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static size_t name_length(const char *at)
{
	size_t length = 0;
	if (is_letter(*at))
		while (is_letter(at[length]) || is_digit(at[length]))
			length++;
	return length;
}

size_t value_text_name(struct value_text *text)
{
	value_text_next(text);
	return name_length(text->at);
}

bool value_text_word(struct value_text *text, const char *word)
{
	size_t length = value_text_name(text);
	if (length != strlen(word) || memcmp(text->at, word, length) != 0)
		return false;
	text->at += length;
	return true;
}

/* -- numbers -- */

static int digit_value(char byte)
{
	if (is_digit(byte))
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : 16;
}

/* number = number * base + digit; false when that has more than 128 bits. */
static bool push_digit(struct value_number *number, unsigned base, unsigned digit)
{
	uint64_t parts[4] = {(uint32_t)number->low, number->low >> 32, (uint32_t)number->high, number->high >> 32};
	uint64_t carry = digit;
	for (int i = 0; i < 4; i++) {
		carry += parts[i] * base;
		parts[i] = (uint32_t)carry;
		carry >>= 32;
	}
	number->low = parts[0] | parts[1] << 32;
	number->high = parts[2] | parts[3] << 32;
	return !carry;
}

int value_text_number(struct value_text *text, struct value_number *out)
{
	struct value_number number = {0};
	unsigned base = 10;
	value_text_next(text);
	const char *at = text->at;
	if (*at == '-' || *at == '+')
		number.is_negative = *at++ == '-';
	if (!is_digit(*at))
		return value_text_fail(text, EINVAL, "a number is expected");
	if (*at == '0') {
		char prefix = at[1] | 0x20;
		base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
		at += base == 8 ? 0 : 2;
		number.is_pattern = true;
		if (base != 8 && digit_value(*at) >= (int)base)
			return value_text_fail(text, EINVAL, "digits are missing");
	}
	for (; digit_value(*at) < (int)base; at++)
		if (!push_digit(&number, base, digit_value(*at)))
			return value_text_fail(text, ERANGE, "the number has more than 128 bits");
	size_t suffix = strspn(at, "uUlL");
	if (suffix <= 3)
		at += suffix;
	if (is_letter(*at) || is_digit(*at) || *at == '.')
		return value_text_fail(text, EINVAL, "a bad digit '%c' in a number", *at);
	text->at = at;
	*out = number;
	return 0;
}

int value_text_real(struct value_text *text, double *out, uint64_t *bits, bool *is_bits)
{
	struct value_number number = {0};
	char *end;
	*is_bits = value_text_word(text, "nan") && value_text_take(text, '(');
	if (*is_bits) {
		int result = value_text_number(text, &number);
		if (result)
			return result;
		*bits = number.low;
		return value_text_take(text, ')') ? 0 : value_text_fail(text, EINVAL, "')' is expected");
	}
	value_text_next(text);
	*out = strtod(text->at, &end);
	if (end == text->at)
		return value_text_fail(text, EINVAL, "a number is expected");
	text->at = end + ((*end | 0x20) == 'f' || (*end | 0x20) == 'l');
	return 0;
}

/* -- characters -- */

static int escape(struct value_text *text, uint8_t *out)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *at = text->at, *letter = *at ? strchr(letters, *at) : NULL;
	unsigned value = 0, digits = 0;
	if (letter) {
		value = (uint8_t)values[letter - letters];
		at++;
	} else if (*at == 'x') { /* two digits at most, where C would take the text's own too */
		for (at++; digits < 2 && digit_value(*at) < 16; digits++)
			value = value * 16 + digit_value(*at++);
		if (!digits)
			return value_text_fail(text, EINVAL, "digits are missing");
	} else if (digit_value(*at) < 8) {
		for (; digits < 3 && digit_value(*at) < 8; digits++)
			value = value * 8 + digit_value(*at++);
		if (value > 0xff)
			return value_text_fail(text, ERANGE, "a character of more than 8 bits");
	} else if (*at && strchr("'\"\\?", *at)) {
		value = (uint8_t)*at++;
	} else {
		return value_text_fail(text, EINVAL, "an unknown escape '\\%c'", *at);
	}
	text->at = at;
	*out = value;
	return 0;
}

int value_text_char(struct value_text *text, uint8_t *out)
{
	if (!value_text_take(text, '\''))
		return value_text_fail(text, EINVAL, "a character is expected");
	bool is_bare = ebpf_starts_with(text->at, "\\'") && text->at[2] != '\'';
	if (*text->at == '\\' && !is_bare) {
		text->at++;
		int result = escape(text, out);
		if (result)
			return result;
	} else if (*text->at) {
		*out = *text->at++;
	}
	if (*text->at != '\'')
		return value_text_fail(text, EINVAL, "a character does not end");
	text->at++;
	return 0;
}

int value_text_string(struct value_text *text, uint8_t *out, size_t capacity, size_t *length)
{
	*length = 0;
	while (value_text_take(text, '"')) {
		while (*text->at != '"') {
			uint8_t byte = *text->at;
			if (!byte || byte == '\n')
				return value_text_fail(text, EINVAL, "a string does not end");
			text->at++;
			int result = byte == '\\' ? escape(text, &byte) : 0;
			if (result)
				return result;
			if (*length == capacity)
				return value_text_fail(text, ERANGE, "the string is longer than %zu bytes", capacity);
			out[(*length)++] = byte;
		}
		text->at++;
	}
	return 0;
}
