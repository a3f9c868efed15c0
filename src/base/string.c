#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

char *ebpf_strndup(const char *text, size_t size)
{
	size_t length;
	char *copy;

	if (!text)
		return NULL;
	length = strnlen(text, size);
	copy = malloc(length + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *ebpf_strdup(const char *text)
{
	return ebpf_strndup(text, text ? strlen(text) : 0);
}

char *ebpf_sprintf(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	text = malloc((size_t)length + 1);
	if (!text)
		return NULL;
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

bool ebpf_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

size_t ebpf_essential_length(const char *name)
{
	size_t length = strlen(name);

	/* The last "___" with something before and after it starts the flavour. */
	for (size_t at = length; at-- > 1;)
		if (at + 3 < length && name[at - 1] != '_' && memcmp(name + at, "___", 3) == 0 && name[at + 3] != '_')
			return at;
	return length;
}

#define NEAREST_LENGTH 64

/* How many letters must be put, dropped, changed or swapped to make `b` of `a`; beyond `limit` any number above it. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length, size_t limit)
{
	size_t rows[3][NEAREST_LENGTH + 1]; /* the row before the last one, the last one, this one */
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t least = now[0] = i, *spare = before;

		for (size_t j = 1; j <= b_length; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
			if (best < least)
				least = best;
		}
		if (least > limit)
			return limit + 1;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_length];
}

const char *ebpf_nearest(const char *name, const char *const *names, size_t count)
{
	size_t length = strlen(name), limit = length / 3 ? length / 3 : 1;
	const char *best = NULL;

	if (length > NEAREST_LENGTH)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t other = names[i] ? strlen(names[i]) : SIZE_MAX, far;

		if (other > NEAREST_LENGTH || (other > length ? other - length : length - other) > limit)
			continue;
		far = distance(name, length, names[i], other, limit);
		if (far > limit || (best && far == limit))
			continue;
		best = names[i];
		limit = far;
		if (!far)
			break;
	}
	return best;
}
