/* value_text.h -- words of the text that values are written in (value_parse.c): spaces, names, numbers, characters, strings. */
#ifndef EBPF_BTF_VALUE_TEXT_H
#define EBPF_BTF_VALUE_TEXT_H

#include "base/base.h"

struct value_text {
	const char *start, *at;
	struct ebpf_error *err;
};

/* An integer as it is written: magnitude and sign. `is_pattern`: in hexadecimal, octal or binary, where the sign bit counts as any
 * other. */
struct value_number {
	uint64_t low, high;
	bool is_negative, is_pattern;
};

/* "value: line 1, column 5: ..."; returns -code. */
int value_text_fail(const struct value_text *text, int code, const char *format, ...) EBPF_PRINTF(3, 4);
/* Past blanks and comments; the byte that is there then. */
char value_text_next(struct value_text *text);
/* Takes this byte if it is next. */
bool value_text_take(struct value_text *text, char byte);
/* The length of the name that is next (not taken); 0 = none. */
size_t value_text_name(struct value_text *text);
/* Whether this word is next; takes it. */
bool value_text_word(struct value_text *text, const char *word);
/* All of these: 0 with *out, -EINVAL for what is none, -ERANGE for more than 128 bits. */
int value_text_number(struct value_text *text, struct value_number *out);
int value_text_real(struct value_text *text, double *out, uint64_t *bits, bool *is_bits); /* "nan(0x...)" is bits */
/* 'a', '\n', '\0', '\x7f'; also ''' and '\', which libbpf writes for the characters themselves. */
int value_text_char(struct value_text *text, uint8_t *out);
/* "text", and the next one if there is one: at most `capacity` bytes into `out`; -ERANGE for more. *length is how many. */
int value_text_string(struct value_text *text, uint8_t *out, size_t capacity, size_t *length);

#endif
