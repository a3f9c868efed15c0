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

static int compare(const void *left, const void *right)
{
	const struct ebpf_binary_function *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset ? 1 : strcmp(a->name, b->name);
}

void ebpf_binary_functions_free(struct ebpf_binary_functions *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct ebpf_binary_functions){ 0 };
}

/* Once for each place: a function has an entry in both tables, and often several names. */
static void remove_duplicates(struct ebpf_binary_functions *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->items, list->count, sizeof *list->items, compare);
	for (size_t i = 0; i < list->count; i++) {
		if (kept && list->items[kept - 1].offset == list->items[i].offset)
			free(list->items[i].name);
		else
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

/* The name without a version ("memcpy@@GLIBC_2.14" of .symtab). A resolver (STT_GNU_IFUNC) is not the function. */
static int add_symbol(Elf *elf, const GElf_Sym *symbol, const char *name, const char *pattern, struct ebpf_binary_functions *list)
{
	struct ebpf_binary_function *grown;
	uint64_t offset;
	char *own;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF || !symbol->st_value || !name || !*name)
		return 0;
	own = ebpf_strndup(name, strcspn(name, "@"));
	if (!own)
		return -ENOMEM;
	if (fnmatch(pattern, own, 0) != 0 || !ebpf_elf_offset(elf, PF_X, symbol->st_value, &offset)) {
		free(own);
		return 0;
	}
	grown = ebpf_grow(list->items, &list->capacity, list->count, sizeof *list->items);
	if (!grown) {
		free(own);
		return -ENOMEM;
	}
	list->items = grown;
	list->items[list->count++] = (struct ebpf_binary_function){ .name = own, .offset = offset };
	return 0;
}

static int add_table(Elf *elf, uint32_t type, const char *pattern, struct ebpf_binary_functions *list)
{
	struct ebpf_elf_table table;
	int result = 0;

	if (!ebpf_elf_table(elf, type, &table))
		return 0;
	for (size_t i = 0; result == 0 && i < table.count; i++) {
		GElf_Sym symbol;

		if (gelf_getsym(table.symbols, (int)i, &symbol))
			result = add_symbol(elf, &symbol, elf_strptr(elf, table.strings, symbol.st_name), pattern, list);
	}
	return result;
}

int ebpf_binary_functions(const char *path, const char *pattern, struct ebpf_binary_functions *out, struct ebpf_error *err)
{
	static const uint32_t types[] = { SHT_DYNSYM, SHT_SYMTAB };
	Elf *elf = NULL;
	int result = 0, fd;

	memset(out, 0, sizeof *out);
	fd = ebpf_elf_open(path, &elf, err);
	if (fd < 0)
		return fd;
	for (size_t i = 0; result == 0 && i < EBPF_COUNT(types); i++)
		result = add_table(elf, types[i], pattern, out);
	ebpf_elf_close(fd, elf);
	if (result)
		ebpf_fail_memory(err);
	else
		remove_duplicates(out);
	if (!result && !out->count) {
		result = ebpf_fail(err, ENOENT, "'%s': no function matches '%s'", path, pattern);
		ebpf_hint(err, "of a file that was stripped only its dynamic symbols are known");
	}
	if (result)
		ebpf_binary_functions_free(out);
	return result;
}
