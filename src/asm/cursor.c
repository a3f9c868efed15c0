#include <stdio.h>

#include "asm/cursor.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '$' || c == '@';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ebpf_cursor_fail(struct ebpf_cursor *cursor, int code, const char *at, const char *format, ...)
{
	va_list arguments;
	char text[512];

	if (cursor->code) /* the first error is the one that counts */
		return false;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	cursor->code = ebpf_fail(cursor->err, code, "assembly, line %zu, column %zu: %s", cursor->number,
				 (size_t)(at - cursor->line) + 1, text);
	return false;
}

bool ebpf_cursor_expected(struct ebpf_cursor *cursor, const char *what)
{
	int length = 0;

	if (ebpf_cursor_at_end(cursor))
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "expected %s, not the end of the line", what);
	while (is_word(cursor->at[length]) && length < 40)
		length++;
	if (!length) /* one whole character, should it be of several bytes */
		for (length = 1; length < 4 && ((uint8_t)cursor->at[length] & 0xc0) == 0x80;)
			length++;
	return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "expected %s, not '%.*s'", what, length, cursor->at);
}

void ebpf_cursor_blanks(struct ebpf_cursor *cursor)
{
	while (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\r')
		cursor->at++;
}

bool ebpf_cursor_at_end(struct ebpf_cursor *cursor)
{
	ebpf_cursor_blanks(cursor);
	switch (*cursor->at) {
	case '\0':
	case '\n':
	case ';':
	case '#':
		return true;
	case '/':
		return cursor->at[1] == '/';
	}
	return false;
}

bool ebpf_cursor_take(struct ebpf_cursor *cursor, const char *text)
{
	size_t length = strlen(text);

	ebpf_cursor_blanks(cursor);
	if (strncmp(cursor->at, text, length) != 0)
		return false;
	if (is_word(text[length - 1]) && is_word(cursor->at[length]))
		return false;
	cursor->at += length;
	return true;
}

bool ebpf_cursor_need(struct ebpf_cursor *cursor, const char *text)
{
	char what[32];

	if (ebpf_cursor_take(cursor, text))
		return true;
	snprintf(what, sizeof(what), "'%s'", text);
	return ebpf_cursor_expected(cursor, what);
}

bool ebpf_cursor_is_register(struct ebpf_cursor *cursor)
{
	const char *at;

	ebpf_cursor_blanks(cursor);
	at = cursor->at;
	if ((*at != 'r' && *at != 'w') || !is_digit(at[1]))
		return false;
	at += is_digit(at[2]) ? 3 : 2;
	return !is_word(*at);
}

bool ebpf_cursor_register(struct ebpf_cursor *cursor, char *letter, uint8_t *number)
{
	const char *at;

	if (!ebpf_cursor_is_register(cursor))
		return ebpf_cursor_expected(cursor, "a register");
	at = cursor->at;
	*letter = *at++;
	for (*number = 0; is_digit(*at); at++)
		*number = (uint8_t)(*number * 10 + (*at - '0'));
	if (*number > 10)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "there is no register %c%d", *letter, *number);
	cursor->at = at;
	return true;
}

bool ebpf_cursor_is_name(struct ebpf_cursor *cursor)
{
	ebpf_cursor_blanks(cursor);
	return is_word(*cursor->at) && !is_digit(*cursor->at);
}

bool ebpf_cursor_name(struct ebpf_cursor *cursor, char name[EBPF_NAME_SIZE])
{
	size_t length = 0;

	if (!ebpf_cursor_is_name(cursor))
		return ebpf_cursor_expected(cursor, "a name");
	while (is_word(cursor->at[length]))
		length++;
	if (length >= EBPF_NAME_SIZE)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "a name of %zu letters: at most %d", length,
					EBPF_NAME_SIZE - 1);
	memcpy(name, cursor->at, length);
	name[length] = '\0';
	cursor->at += length;
	return true;
}

/* Where the digits of a number start, behind its sign and the blanks after it; NULL when there is none. */
static const char *digits(const char *at)
{
	if (*at == '-' || *at == '+')
		for (at++; *at == ' ';)
			at++;
	return is_digit(*at) ? at : NULL;
}

bool ebpf_cursor_is_number(struct ebpf_cursor *cursor)
{
	ebpf_cursor_blanks(cursor);
	return digits(cursor->at) != NULL;
}

static int digit_value(char c, unsigned base)
{
	int value = -1;

	if (is_digit(c))
		value = c - '0';
	else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		value = (c | 0x20) - 'a' + 10;
	return value < (int)base ? value : -1;
}

bool ebpf_cursor_number(struct ebpf_cursor *cursor, struct ebpf_number *number)
{
	unsigned base = 10;
	const char *at, *first;

	if (!ebpf_cursor_is_number(cursor))
		return ebpf_cursor_expected(cursor, "a number");
	at = digits(cursor->at);
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	}
	number->magnitude = 0;
	number->negative = *cursor->at == '-';
	for (first = at; digit_value(*at, base) >= 0; at++)
		if (__builtin_mul_overflow(number->magnitude, (uint64_t)base, &number->magnitude) ||
		    __builtin_add_overflow(number->magnitude, (uint64_t)digit_value(*at, base), &number->magnitude))
			return ebpf_cursor_fail(cursor, ERANGE, cursor->at, "a number of more than 64 bits");
	if (at == first || is_word(*at))
		return ebpf_cursor_fail(cursor, EINVAL, at, "not a digit of a number");
	cursor->at = at;
	return true;
}

bool ebpf_cursor_range(struct ebpf_cursor *cursor, int64_t lowest, uint64_t highest, const char *what, int64_t *value)
{
	struct ebpf_number number = { 0 };
	const char *start;

	ebpf_cursor_blanks(cursor);
	start = cursor->at;
	if (!ebpf_cursor_number(cursor, &number))
		return false;
	if (number.negative ? number.magnitude > 0 - (uint64_t)lowest : number.magnitude > highest)
		return ebpf_cursor_fail(cursor, ERANGE, start, "%s %s%llu does not fit: from %lld to %llu", what,
					number.negative ? "-" : "", (unsigned long long)number.magnitude,
					(long long)lowest, (unsigned long long)highest);
	*value = (int64_t)(number.negative ? 0 - number.magnitude : number.magnitude);
	return true;
}
