/* cursor.h -- a place in a line of assembly, and the steps that the parser takes from it.
 *
 * A step that succeeds moves the cursor behind what it took; one that does not leaves it, and, if the word was
 * required, has recorded an error at that place. Blanks before a token are skipped by every step.
 */
#ifndef EBPF_ASM_CURSOR_H
#define EBPF_ASM_CURSOR_H

#include "asm/asm.h"

struct ebpf_cursor {
	const char *line, *at;
	size_t number; /* of the line, from 1 */
	int code;      /* -errno of the first error */
	struct ebpf_error *err;
};
enum { EBPF_NAME_SIZE = 256 };

struct ebpf_number {
	uint64_t magnitude;
	bool negative;
};

/* Records an error at `at`; always false. */
bool ebpf_cursor_fail(struct ebpf_cursor *cursor, int code, const char *at, const char *format, ...) EBPF_PRINTF(4, 5);
/* The same, at the cursor, for a token that is not there: "expected a register, not 'x'". */
bool ebpf_cursor_expected(struct ebpf_cursor *cursor, const char *what);
void ebpf_cursor_blanks(struct ebpf_cursor *cursor);
/* Nothing but blanks and a comment is left on the line. */
bool ebpf_cursor_at_end(struct ebpf_cursor *cursor);
/* Takes `text` if it stands there, and as a whole word if it ends like one. */
bool ebpf_cursor_take(struct ebpf_cursor *cursor, const char *text);
bool ebpf_cursor_need(struct ebpf_cursor *cursor, const char *text);
/* A register, "r5" or "w5"; take does not record an error but for a number above 10, which it does not take. */
bool ebpf_cursor_is_register(struct ebpf_cursor *cursor);
bool ebpf_cursor_register(struct ebpf_cursor *cursor, char *letter, uint8_t *number);
/* A name of letters, digits, '_', '.', '$' and '@', not starting with a digit. */
bool ebpf_cursor_is_name(struct ebpf_cursor *cursor);
bool ebpf_cursor_name(struct ebpf_cursor *cursor, char name[EBPF_NAME_SIZE]);
/* A number with an optional sign, decimal or 0x. */
bool ebpf_cursor_is_number(struct ebpf_cursor *cursor);
bool ebpf_cursor_number(struct ebpf_cursor *cursor, struct ebpf_number *number);
/* A number in a range; `lowest` is not above 0. ERANGE outside of it. */
bool ebpf_cursor_range(struct ebpf_cursor *cursor, int64_t lowest, uint64_t highest, const char *what, int64_t *value);

#endif
