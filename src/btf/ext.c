/* ext.c -- .BTF.ext: which function, source line and CO-RE relocation belongs to which instruction.
 *
 * A header points to up to three tables. Each begins with the size of its records and goes on with runs: the name of
 * a section, a number, and so many records. The three are sorted into one list of sections here.
 */
#include <stdlib.h>

#include "btf/private.h"

enum table { FUNCS, LINES, RELOS, TABLES };

static const struct table_kind {
	const char *name;
	uint32_t header_offset; /* of its offset and length */
	uint32_t words;         /* of a record, those that are known */
} kinds[TABLES] = {
        [FUNCS] = {"functions", 8, 2}, [LINES] = {"lines", 16, 4}, [RELOS] = {"relocations", 24, 4}, /* only when the header is long
                                                                                                        enough */
};

struct reader {
	const struct ebpf_btf *btf;
	struct ebpf_btf_ext *out;
	struct ebpf_error *err;
	size_t section_capacity;
	struct ebpf_table by_name; /* -> index in out->sections */
	bool storing;
};

/* -- sections -- */

static int get_section(struct reader *reader, const char *name, struct ebpf_ext_section **out)
{
	struct ebpf_btf_ext *ext = reader->out;
	uint64_t index;

	if (!ebpf_table_get(&reader->by_name, name, &index)) {
		struct ebpf_ext_section *sections =
		        ebpf_grow(ext->sections, &reader->section_capacity, ext->count, sizeof(*sections));
		if (!sections)
			return ebpf_fail_memory(reader->err);
		ext->sections = sections;
		index = ext->count;
		if (ebpf_table_set(&reader->by_name, name, index))
			return ebpf_fail_memory(reader->err);
		sections[ext->count++] = (struct ebpf_ext_section){.name = name};
	}
	*out = &ext->sections[index];
	return 0;
}

static size_t *count_of(struct ebpf_ext_section *section, enum table table)
{
	return table == FUNCS ? &section->func_count : table == LINES ? &section->line_count : &section->relo_count;
}

static void *items_of(struct ebpf_ext_section *section, enum table table)
{
	return table == FUNCS ? (void *)section->funcs : table == LINES ? (void *)section->lines : (void *)section->relos;
}

/* -- records: counted on the first way through the tables, stored on the second -- */

_Static_assert(sizeof(struct ebpf_ext_func) == 8 && sizeof(struct ebpf_ext_line) == 16 && sizeof(struct ebpf_ext_relo) == 16,
               "records are plain words, the same as in the file");

static int allocate(struct reader *reader)
{
	for (size_t i = 0; i < reader->out->count; i++) {
		struct ebpf_ext_section *section = &reader->out->sections[i];
		section->funcs = calloc(section->func_count + 1, sizeof(*section->funcs));
		section->lines = calloc(section->line_count + 1, sizeof(*section->lines));
		section->relos = calloc(section->relo_count + 1, sizeof(*section->relos));
		if (!section->funcs || !section->lines || !section->relos)
			return ebpf_fail_memory(reader->err);
		section->func_count = section->line_count = section->relo_count = 0;
	}
	reader->storing = true;
	return 0;
}

static int add_records(struct reader *reader, enum table table, struct ebpf_ext_section *section, struct ebpf_span records,
                       uint32_t size, uint32_t count)
{
	uint32_t words = kinds[table].words;
	size_t *have = count_of(section, table);
	uint32_t *to = items_of(section, table);

	*have += count;
	if (!reader->storing)
		return 0;
	to += (*have - count) * words;
	for (uint32_t i = 0; i < count; i++, to += words) {
		for (uint32_t w = 0; w < words; w++)
			to[w] = btf_word(records.data + (size_t)i * size + 4 * w, records.swapped);
		if (table != LINES && to[1] >= reader->btf->count)
			return ebpf_fail(reader->err, EINVAL, "BTF.ext: %s of section '%.100s': type %u, but there are %u",
			                 kinds[table].name, section->name, to[1], reader->btf->count);
	}
	return 0;
}

/* -- tables -- */

static int fail_table(struct reader *reader, enum table table, const char *why)
{
	return ebpf_fail(reader->err, EINVAL, "BTF.ext: the table of %s %s", kinds[table].name, why);
}

static int read_table(struct reader *reader, enum table table, struct ebpf_span span)
{
	uint32_t size, name, count;
	uint64_t at = 4;
	struct ebpf_span records;

	if (!span.size)
		return 0;
	if (!ebpf_span_u32(span, 0, &size))
		return fail_table(reader, table, "is cut off");
	if (size < 4 * kinds[table].words || size % 4)
		return fail_table(reader, table, "has records of an impossible size");
	while (at < span.size) {
		struct ebpf_ext_section *section = NULL;
		if (!ebpf_span_u32(span, at, &name) || !ebpf_span_u32(span, at + 4, &count) ||
		    !ebpf_span_sub(span, at + 8, (uint64_t)size * count, &records))
			return fail_table(reader, table, "is cut off");
		at += 8 + records.size;
		if (!count)
			continue;
		int result = get_section(reader, ebpf_btf_string(reader->btf, name), &section);
		if (!result)
			result = add_records(reader, table, section, records, size, count);
		if (result)
			return result;
	}
	return 0;
}

static int read_header(struct ebpf_span *span, uint32_t *size, struct ebpf_error *err)
{
	uint16_t magic;
	uint8_t version;
	if (!ebpf_span_u16(*span, 0, &magic) || !ebpf_span_u8(*span, 2, &version))
		return ebpf_fail(err, EINVAL, "BTF.ext: too short for a header");
	span->swapped = false;
	ebpf_span_u16(*span, 0, &magic);
	if (magic != BTF_MAGIC && magic != __builtin_bswap16(BTF_MAGIC))
		return ebpf_fail(err, EINVAL, "BTF.ext: the bytes do not begin with the BTF magic number");
	span->swapped = magic != BTF_MAGIC;
	if (version != 1)
		return ebpf_fail(err, ENOTSUP, "BTF.ext: version %u is not known", version);
	if (!ebpf_span_u32(*span, 4, size) || *size < 24 || *size > span->size)
		return ebpf_fail(err, EINVAL, "BTF.ext: the header is cut off");
	return 0;
}

static int read_tables(struct reader *reader, struct ebpf_span span)
{
	struct ebpf_span header, body, table;
	uint32_t size, offset, length;
	int result = read_header(&span, &size, reader->err);

	if (result)
		return result;
	if (!ebpf_span_sub(span, 0, size, &header) || !ebpf_span_sub(span, size, span.size - size, &body))
		return ebpf_fail(reader->err, EINVAL, "BTF.ext: the header is cut off");
	for (enum table i = 0; i < TABLES; i++) {
		/* Compilers from before CO-RE wrote a header of 24 bytes. */
		if (!ebpf_span_u32(header, kinds[i].header_offset, &offset) ||
		    !ebpf_span_u32(header, kinds[i].header_offset + 4, &length))
			continue;
		if (length && !ebpf_span_sub(body, offset, length, &table))
			return fail_table(reader, i, "reaches past the end");
		if (length && (result = read_table(reader, i, table)))
			return result;
	}
	return 0;
}

/* -- order -- */

/* All records begin with the offset; what follows decides between equals, so that the result is always the same. */
static int compare_words(const void *left, const void *right, size_t count)
{
	const uint32_t *a = left, *b = right;
	for (size_t i = 0; i < count; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static int compare_2(const void *a, const void *b)
{
	return compare_words(a, b, 2);
}
static int compare_4(const void *a, const void *b)
{
	return compare_words(a, b, 4);
}

static void sort(void *items, size_t count, size_t words, int (*compare)(const void *, const void *))
{
	const uint32_t *at = items;
	for (size_t i = 1; i < count; i++) {
		if (at[i * words] < at[(i - 1) * words]) {
			qsort(items, count, 4 * words, compare);
			return;
		}
	}
}

int ebpf_btf_ext_read(struct ebpf_span span, const struct ebpf_btf *btf, struct ebpf_btf_ext *out, struct ebpf_error *err)
{
	struct ebpf_btf_ext ext = {0};
	struct reader reader = {.btf = btf, .out = &ext, .err = err};
	int result = read_tables(&reader, span);

	if (!result)
		result = allocate(&reader);
	if (!result)
		result = read_tables(&reader, span);
	ebpf_table_free(&reader.by_name);
	if (result) {
		ebpf_btf_ext_free(&ext);
		return result;
	}
	for (size_t i = 0; i < ext.count; i++) {
		struct ebpf_ext_section *section = &ext.sections[i];
		sort(section->funcs, section->func_count, 2, compare_2);
		sort(section->lines, section->line_count, 4, compare_4);
		sort(section->relos, section->relo_count, 4, compare_4);
	}
	*out = ext;
	return 0;
}

void ebpf_btf_ext_free(struct ebpf_btf_ext *ext)
{
	for (size_t i = 0; i < ext->count; i++) {
		free(ext->sections[i].funcs);
		free(ext->sections[i].lines);
		free(ext->sections[i].relos);
	}
	free(ext->sections);
	*ext = (struct ebpf_btf_ext){0};
}

const struct ebpf_ext_section *ebpf_btf_ext_find(const struct ebpf_btf_ext *ext, const char *section)
{
	for (size_t i = 0; i < ext->count; i++)
		if (!strcmp(ext->sections[i].name, section))
			return &ext->sections[i];
	return NULL;
}
