/* list.h -- what list_libbpf.c and list_spec.c share: one JSON document a line. Only the standard library: each is linked
 * with its own side alone. */
#ifndef EBPF_SPEC_LIST_H
#define EBPF_SPEC_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline void text(const char *value)
{
	putchar('"');
	for (; value && *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		if ((unsigned char)*value < ' ')
			printf("\\u%04x", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

static inline void member(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	text(value);
	fputs(", ", stdout);
}

/* Types by name, where the side has one. */
static inline void type(const char *name, const char *value, uint32_t number)
{
	char unknown[24];

	snprintf(unknown, sizeof(unknown), "%u", number);
	member(name, value ? value : unknown);
}

#endif
