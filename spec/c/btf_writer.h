/* btf_writer.h -- writes BTF word by word, in either byte order, well-formed or not: for tests. */
#ifndef EBPF_SPEC_BTF_WRITER_H
#define EBPF_SPEC_BTF_WRITER_H

#include <stdlib.h>
#include <string.h>

#include "btf/btf.h"

struct writer {
	bool swapped;
	uint32_t count, first_id, strings_first; /* of split BTF: what the base has */
	size_t types_size, strings_size;
	uint8_t types[1 << 16];
	char strings[1 << 14];
};

static inline void w_start(struct writer *w, bool swapped, const struct ebpf_btf *base, uint32_t base_strings)
{
	memset(w, 0, sizeof(*w));
	w->swapped = swapped;
	w->first_id = base ? ebpf_btf_count(base) : 1;
	w->strings_first = base_strings;
	w->strings_size = base ? 0 : 1;
}

static inline void w_put32(uint8_t *to, uint32_t word, bool swapped)
{
	if (swapped)
		word = __builtin_bswap32(word);
	memcpy(to, &word, 4);
}

static inline void w_word(struct writer *w, uint32_t word)
{
	w_put32(w->types + w->types_size, word, w->swapped);
	w->types_size += 4;
}

static inline uint32_t w_string(struct writer *w, const char *text)
{
	uint32_t offset = w->strings_first + w->strings_size;
	if (!*text)
		return 0;
	memcpy(w->strings + w->strings_size, text, strlen(text) + 1);
	w->strings_size += strlen(text) + 1;
	return offset;
}

static inline uint32_t w_type(struct writer *w, const char *name, uint32_t kind, bool flag, uint32_t vlen, uint32_t third)
{
	w_word(w, w_string(w, name));
	w_word(w, (uint32_t)flag << 31 | kind << 24 | vlen);
	w_word(w, third);
	return w->first_id + w->count++;
}

static inline uint32_t w_int(struct writer *w, const char *name, uint32_t size, uint32_t encoding, uint32_t offset, uint32_t bits)
{
	uint32_t id = w_type(w, name, BTF_KIND_INT, false, 0, size);
	w_word(w, encoding << 24 | offset << 16 | bits);
	return id;
}

static inline uint32_t w_array(struct writer *w, uint32_t element, uint32_t index, uint32_t count)
{
	uint32_t id = w_type(w, "", BTF_KIND_ARRAY, false, 0, 0);
	w_word(w, element);
	w_word(w, index);
	w_word(w, count);
	return id;
}

static inline void w_member(struct writer *w, const char *name, uint32_t type, uint32_t offset)
{
	w_word(w, w_string(w, name));
	w_word(w, type);
	w_word(w, offset);
}

static inline void w_pair(struct writer *w, const char *name, uint32_t word)
{
	w_word(w, w_string(w, name));
	w_word(w, word);
}

static inline uint32_t w_var(struct writer *w, const char *name, uint32_t type, uint32_t linkage)
{
	uint32_t id = w_type(w, name, BTF_KIND_VAR, false, 0, type);
	w_word(w, linkage);
	return id;
}

/* The whole, malloc'ed. */
static inline uint8_t *w_finish(const struct writer *w, size_t *size)
{
	uint16_t magic = 0xeb9f;
	uint8_t *bytes = calloc(1, 24 + w->types_size + w->strings_size);
	if (w->swapped)
		magic = __builtin_bswap16(magic);
	memcpy(bytes, &magic, 2);
	bytes[2] = 1;
	w_put32(bytes + 4, 24, w->swapped);
	w_put32(bytes + 12, w->types_size, w->swapped);
	w_put32(bytes + 16, w->types_size, w->swapped);
	w_put32(bytes + 20, w->strings_size, w->swapped);
	memcpy(bytes + 24, w->types, w->types_size);
	memcpy(bytes + 24 + w->types_size, w->strings, w->strings_size);
	*size = 24 + w->types_size + w->strings_size;
	return bytes;
}

/* Written and read; NULL with the error filled when it is refused. */
static inline struct ebpf_btf *w_read(const struct writer *w, struct ebpf_btf *base, struct ebpf_error *err)
{
	size_t size;
	uint8_t *bytes = w_finish(w, &size);
	struct ebpf_btf *btf = NULL;
	ebpf_btf_read(bytes, size, base, &btf, err);
	free(bytes);
	return btf;
}

#endif
