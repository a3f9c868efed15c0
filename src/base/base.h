/* base.h -- what every room stands on: errors, bounds-checked bytes, growing arrays, a string-keyed table.
 *
 * Knows nothing of eBPF but the kernel's names and numbers (uapi.h). Calls libc alone. Prints nothing, never aborts:
 * running out of memory is an error like any other (ENOMEM).
 */
#ifndef EBPF_BASE_H
#define EBPF_BASE_H

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "ebpf.h"

/* -- errors (error.c). `code` may be given with either sign; all return -|code|. `err` may be NULL. -- */

/* Starts a new error: hint and log of an earlier one are dropped, so set them after this. A code of 0 becomes EIO. */
int ebpf_fail(struct ebpf_error *err, int code, const char *format, ...) EBPF_PRINTF(3, 4);
/* The same, with ": <text of the errno>" appended. */
int ebpf_fail_errno(struct ebpf_error *err, int code, const char *format, ...) EBPF_PRINTF(3, 4);
int ebpf_fail_memory(struct ebpf_error *err);
/* Sets what to do about it, to be called after ebpf_fail. */
void ebpf_hint(struct ebpf_error *err, const char *format, ...) EBPF_PRINTF(2, 3);
/* Puts "<format>: " before the message of an error that a lower room filled; returns -|code|. */
int ebpf_wrap(struct ebpf_error *err, int code, const char *format, ...) EBPF_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* it sees one file at a time, and would take it that these may return 0 */
#define ebpf_fail(...) (ebpf_fail(__VA_ARGS__), -1)
#define ebpf_fail_errno(...) (ebpf_fail_errno(__VA_ARGS__), -1)
#define ebpf_fail_memory(...) (ebpf_fail_memory(__VA_ARGS__), -1)
#define ebpf_wrap(err, code, ...) (ebpf_wrap(err, code, __VA_ARGS__), (code) ? -1 : 0)
#endif
/* Moves everything, log included, from `from` to `to` (either may be NULL). */
void ebpf_error_move(struct ebpf_error *to, struct ebpf_error *from);
/* Takes ownership of a malloc'ed log. */
void ebpf_error_set_log(struct ebpf_error *err, char *log);

/* -- spans (span.c): read-only bytes whose every access is checked -- */

struct ebpf_span {
	const uint8_t *data;
	size_t size;
	bool swapped; /* the bytes are in the other byte order than the host */
};
/* What lies outside gives false (or NULL), and *out stays as it is. */
bool ebpf_span_sub(struct ebpf_span span, uint64_t offset, uint64_t size, struct ebpf_span *out);
bool ebpf_span_u8(struct ebpf_span span, uint64_t offset, uint8_t *out);
bool ebpf_span_u16(struct ebpf_span span, uint64_t offset, uint16_t *out);
bool ebpf_span_u32(struct ebpf_span span, uint64_t offset, uint32_t *out);
bool ebpf_span_u64(struct ebpf_span span, uint64_t offset, uint64_t *out);
/* A NUL-terminated string that lies wholly inside, or NULL. */
const char *ebpf_span_string(struct ebpf_span span, uint64_t offset);

/* -- growing arrays (array.c) -- */

/* Room for one more element: items = ebpf_grow(items, &capacity, count, sizeof *items). NULL (old block untouched)
 * when out of memory. */
void *ebpf_grow(void *items, size_t *capacity, size_t count, size_t item_size);

/* A growing byte string; all zero is an empty one. After a failed append `failed` stays set and later appends do
 * nothing. */
struct ebpf_buffer {
	char *data; /* always NUL-terminated when not NULL */
	size_t size, capacity;
	bool failed;
};
void ebpf_buffer_add(struct ebpf_buffer *buffer, const void *data, size_t size);
void ebpf_buffer_printf(struct ebpf_buffer *buffer, const char *format, ...) EBPF_PRINTF(2, 3);
void ebpf_buffer_free(struct ebpf_buffer *buffer);

/* -- tables (table.c): string -> 64-bit number, open addressing. Keys are borrowed unless copied by the caller. -- */

struct ebpf_table {
	struct ebpf_table_slot *slots;
	size_t capacity, count;
	uint64_t seed; /* of its hashes */
};
int ebpf_table_set(struct ebpf_table *table, const char *key, uint64_t value); /* -ENOMEM; replaces */
/* Where the key's value is, 0 for a key that is new; good until the table is written again. NULL when out of memory. */
uint64_t *ebpf_table_at(struct ebpf_table *table, const char *key);
bool ebpf_table_get(const struct ebpf_table *table, const char *key, uint64_t *value);
void ebpf_table_free(struct ebpf_table *table);

/* -- strings (string.c) -- */

char *ebpf_strdup(const char *text);              /* NULL for NULL or out of memory */
char *ebpf_strndup(const char *text, size_t size);
char *ebpf_sprintf(const char *format, ...) EBPF_PRINTF(1, 2); /* malloc'ed */
bool ebpf_starts_with(const char *text, const char *prefix);
/* Length of a type's name without its CO-RE flavour: "task_struct___old" -> 11. */
size_t ebpf_essential_length(const char *name);
/* Of `count` names the one most like `name` (edit distance), or NULL when none is near: for "did you mean". */
const char *ebpf_nearest(const char *name, const char *const *names, size_t count);

#define EBPF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
