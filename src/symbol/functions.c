/* functions.c -- all functions of an ELF file whose names match a pattern, each with where it is in the file.
 *
 * Of a stripped file the dynamic ones alone, though a debug file may be there: a C library's has functions that the library itself
 * needs while a probe is handled in them, and a process with a probe on all of these does not get on any more.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <gelf.h>
#include <stdlib.h>

#include "symbol/elf.h"

void ebpf_binary_functions_free(struct ebpf_binary_functions *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct ebpf_binary_functions){ 0 };
}

/* A name that stands in the file, without its version ("memcpy@@GLIBC_2.14" of .symtab). */
struct candidate {
	const char *name;
	size_t length;
	uint64_t offset;
};
struct search {
	Elf *elf;
	const char *pattern;
	size_t literal;   /* of the pattern's beginning, which most names have not */
	GElf_Phdr *codes; /* the segments of code */
	size_t code_count, count, capacity;
	struct candidate *candidates;
};

static int find_code(struct search *search)
{
	size_t count;

	if (elf_getphdrnum(search->elf, &count) || !count)
		return 0;
	search->codes = calloc(count, sizeof *search->codes);
	if (!search->codes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr *code = &search->codes[search->code_count];

		if (gelf_getphdr(search->elf, (int)i, code) && code->p_type == PT_LOAD && (code->p_flags & PF_X))
			search->code_count++;
	}
	return 0;
}

static bool offset_of(const struct search *search, uint64_t address, uint64_t *offset)
{
	for (size_t i = 0; i < search->code_count; i++) {
		const GElf_Phdr *code = &search->codes[i];

		if (address >= code->p_vaddr && address - code->p_vaddr < code->p_filesz) {
			*offset = address - code->p_vaddr + code->p_offset;
			return true;
		}
	}
	return false;
}

/* 1, 0 or -ENOMEM. */
static int matches(const struct search *search, const char *name, size_t length)
{
	int result;
	char *own;

	if (strncmp(name, search->pattern, search->literal) != 0)
		return 0;
	if (!name[length])
		return fnmatch(search->pattern, name, 0) == 0;
	own = ebpf_strndup(name, length);
	if (!own)
		return -ENOMEM;
	result = fnmatch(search->pattern, own, 0) == 0;
	free(own);
	return result;
}

/* A resolver (STT_GNU_IFUNC) is not the function. */
static int add_symbol(struct search *search, const GElf_Sym *symbol, const char *name)
{
	struct candidate found = { .name = name }, *grown;
	int result;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF || !symbol->st_value || !name || !*name)
		return 0;
	found.length = strcspn(name, "@");
	result = matches(search, name, found.length);
	if (result != 1 || !offset_of(search, symbol->st_value, &found.offset))
		return result < 0 ? result : 0;
	grown = ebpf_grow(search->candidates, &search->capacity, search->count, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	search->candidates = grown;
	search->candidates[search->count++] = found;
	return 0;
}

static int add_table(struct search *search, uint32_t type)
{
	struct ebpf_elf_table table;
	int result = 0;

	if (!ebpf_elf_table(search->elf, type, &table))
		return 0;
	for (size_t i = 0; result == 0 && i < table.count; i++) {
		GElf_Sym symbol;

		if (gelf_getsym(table.symbols, (int)i, &symbol))
			result = add_symbol(search, &symbol, elf_strptr(search->elf, table.strings, symbol.st_name));
	}
	return result;
}

static int compare(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int order;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	order = memcmp(a->name, b->name, a->length < b->length ? a->length : b->length);
	return order ? order : a->length < b->length ? -1 : a->length > b->length;
}

/* Once for each place: a function has an entry in both tables, and often several names. */
static int keep(struct search *search, struct ebpf_binary_functions *list)
{
	if (!search->count)
		return 0;
	qsort(search->candidates, search->count, sizeof *search->candidates, compare);
	list->items = calloc(search->count, sizeof *list->items);
	if (!list->items)
		return -ENOMEM;
	for (size_t i = 0; i < search->count; i++) {
		const struct candidate *found = &search->candidates[i];
		char *name;

		if (i && found->offset == found[-1].offset)
			continue;
		name = ebpf_strndup(found->name, found->length);
		if (!name)
			return -ENOMEM;
		list->items[list->count++] = (struct ebpf_binary_function){ .name = name, .offset = found->offset };
	}
	return 0;
}

int ebpf_binary_functions(const char *path, const char *pattern, struct ebpf_binary_functions *out, struct ebpf_error *err)
{
	static const uint32_t types[] = { SHT_DYNSYM, SHT_SYMTAB };
	struct search search = { .pattern = pattern, .literal = strcspn(pattern, "*?[\\") };
	int result, fd;

	memset(out, 0, sizeof *out);
	fd = ebpf_elf_open(path, &search.elf, err);
	if (fd < 0)
		return fd;
	result = find_code(&search);
	for (size_t i = 0; result == 0 && i < EBPF_COUNT(types); i++)
		result = add_table(&search, types[i]);
	if (result == 0)
		result = keep(&search, out);
	free(search.codes);
	free(search.candidates);
	ebpf_elf_close(fd, search.elf); /* the candidates' names are in it */
	if (result)
		ebpf_fail_memory(err);
	if (!result && !out->count) {
		result = ebpf_fail(err, ENOENT, "'%s': no function matches '%s'", path, pattern);
		ebpf_hint(err, "of a file that was stripped only its dynamic symbols are known");
	}
	if (result)
		ebpf_binary_functions_free(out);
	return result;
}
