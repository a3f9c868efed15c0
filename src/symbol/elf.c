/* elf.c -- functions of an ELF file: name -> file offset, which is where the kernel puts a uprobe.
 *
 * Dynamic symbols come first, since they have versions and are always there; then the full table, which for a file that was
 * stripped may lie in another (debug.c). Only functions count (STT_FUNC, and STT_GNU_IFUNC, whose code is the resolver). Of
 * equal names a global one is taken before a weak one before a local one, a default version before the others; what is still
 * at two places is ambiguous.
 */
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdlib.h>

#include "symbol/elf.h"

#define NEAREST_MAX 20000

struct wanted {
	const char *path, *symbol;
	size_t length;          /* of the name, without version */
	const char *version;    /* or NULL */
};
struct match {
	int rank;               /* 0 = none yet; the higher the better */
	uint64_t address, other, size;
	bool ambiguous;
	bool imported;          /* it is only referred to here */
	bool other_version;     /* the name is there, the version is not */
};
static Elf_Scn *find_section(Elf *elf, uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)) != NULL)
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

bool ebpf_elf_table(Elf *elf, uint32_t type, struct ebpf_elf_table *table)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, type, &header);

	*table = (struct ebpf_elf_table){ .elf = elf };
	if (!section || !header.sh_entsize)
		return false;
	table->symbols = elf_getdata(section, NULL);
	if (!table->symbols)
		return false;
	table->count = table->symbols->d_size / header.sh_entsize;
	table->strings = header.sh_link;
	if (type != SHT_DYNSYM)
		return true;
	section = find_section(elf, SHT_GNU_versym, &header);
	table->versions = section ? elf_getdata(section, NULL) : NULL;
	section = find_section(elf, SHT_GNU_verdef, &header);
	table->definitions = section ? elf_getdata(section, NULL) : NULL;
	if (table->definitions && table->definitions->d_size > INT_MAX)
		table->definitions = NULL;
	table->definition_strings = header.sh_link;
	return true;
}

/* The name of version `index` among those that the file defines, or NULL. */
static const char *version_name(const struct ebpf_elf_table *table, unsigned index)
{
	GElf_Verdef definition;
	GElf_Verdaux name;
	int at = 0;

	/* each step goes forward (vd_next is unsigned and not 0), so the walk ends at the end of the section */
	while (table->definitions && gelf_getverdef(table->definitions, at, &definition)) {
		if (definition.vd_ndx == index) {
			if (definition.vd_aux > table->definitions->d_size ||
			    !gelf_getverdaux(table->definitions, at + (int)definition.vd_aux, &name))
				return NULL;
			return elf_strptr(table->elf, table->definition_strings, name.vda_name);
		}
		if (!definition.vd_next || definition.vd_next > table->definitions->d_size - (size_t)at)
			return NULL;
		at += (int)definition.vd_next;
	}
	return NULL;
}

/* In .symtab the version is part of the name ("memcpy@@GLIBC_2.14"); a dynamic symbol has it beside. 0 = no match, -1 =
 * the name but another version than the wanted one, else 2 for the default version (or no versions), 1 for another. */
static int match_name(const struct ebpf_elf_table *table, size_t index, const char *name, const struct wanted *wanted)
{
	GElf_Versym version = 0;
	const char *own;
	bool hidden;

	if (strncmp(name, wanted->symbol, wanted->length) != 0)
		return 0;
	name += wanted->length;
	if (table->versions) {
		if (*name || !gelf_getversym(table->versions, (int)index, &version))
			return 0;
		own = wanted->version ? version_name(table, version & 0x7fff) : NULL;
		hidden = version & 0x8000;
	} else {
		if (*name && *name != '@')
			return 0;
		hidden = name[0] == '@' && name[1] != '@';
		own = *name ? name + (hidden ? 1 : 2) : NULL;
	}
	if (wanted->version && (!own || strcmp(own, wanted->version) != 0))
		return -1;
	return hidden ? 1 : 2;
}

static int binding_rank(unsigned char info)
{
	switch (GELF_ST_BIND(info)) {
	case STB_LOCAL: return 0;
	case STB_WEAK: return 1;
	default: return 2;
	}
}

static bool is_function(const GElf_Sym *symbol)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);

	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static void search_table(const struct ebpf_elf_table *table, const struct wanted *wanted, struct match *best)
{
	for (size_t i = 0; i < table->count; i++) {
		const char *name;
		GElf_Sym symbol;
		int matched, rank;

		if (!gelf_getsym(table->symbols, (int)i, &symbol) || !is_function(&symbol))
			continue;
		name = elf_strptr(table->elf, table->strings, symbol.st_name);
		if (!name || !(matched = match_name(table, i, name, wanted)))
			continue;
		if (symbol.st_shndx == SHN_UNDEF || !symbol.st_value) {
			best->imported = true;
			continue;
		}
		if (matched < 0) {
			best->other_version = true;
			continue;
		}
		rank = matched * 4 + binding_rank(symbol.st_info);
		if (rank > best->rank) {
			*best = (struct match){ .rank = rank, .address = symbol.st_value, .size = symbol.st_size };
		} else if (rank == best->rank && symbol.st_value != best->address) {
			best->ambiguous = true;
			best->other = symbol.st_value;
		}
	}
}

bool ebpf_elf_offset(Elf *elf, uint32_t permission, uint64_t address, uint64_t *offset)
{
	size_t count;
	GElf_Phdr header;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD || !(header.p_flags & permission))
			continue;
		if (address >= header.p_vaddr && address - header.p_vaddr < header.p_filesz) {
			*offset = address - header.p_vaddr + header.p_offset;
			return true;
		}
	}
	return false;
}

bool ebpf_elf_address(Elf *elf, const char *name, size_t size, uint64_t *address)
{
	static const uint32_t types[] = { SHT_DYNSYM, SHT_SYMTAB };
	struct ebpf_elf_table table;
	const char *found;
	GElf_Sym symbol;

	for (size_t i = 0; i < EBPF_COUNT(types); i++) {
		if (!ebpf_elf_table(elf, types[i], &table))
			continue;
		for (size_t j = 0; j < table.count; j++) {
			if (!gelf_getsym(table.symbols, (int)j, &symbol) || symbol.st_shndx == SHN_UNDEF || !symbol.st_value ||
			    !(found = elf_strptr(elf, table.strings, symbol.st_name)) || strncmp(found, name, size) != 0 || found[size])
				continue;
			*address = symbol.st_value;
			return true;
		}
	}
	return false;
}

/* -- the error, when there is none -- */

static size_t collect_names(const struct ebpf_elf_table *table, const char **names, size_t count)
{
	for (size_t i = 0; i < table->count && count < NEAREST_MAX; i++) {
		const char *name;
		GElf_Sym symbol;

		if (gelf_getsym(table->symbols, (int)i, &symbol) && is_function(&symbol) && symbol.st_value &&
		    (name = elf_strptr(table->elf, table->strings, symbol.st_name)) && name[0])
			names[count++] = name;
	}
	return count;
}

static const char *nearest_name(Elf *const elves[2], const char *wanted)
{
	const char **names = malloc(NEAREST_MAX * sizeof *names), *nearest = NULL;
	struct ebpf_elf_table table;
	size_t count = 0;

	for (int i = 0; names && i < 2; i++) {
		if (elves[i] && ebpf_elf_table(elves[i], SHT_DYNSYM, &table))
			count = collect_names(&table, names, count);
		if (elves[i] && ebpf_elf_table(elves[i], SHT_SYMTAB, &table))
			count = collect_names(&table, names, count);
	}
	if (names)
		nearest = ebpf_nearest(wanted, names, count);
	free(names);
	return nearest;
}

static int explain_missing(Elf *const elves[2], const struct wanted *wanted, const struct match *match, struct ebpf_error *err)
{
	const char *nearest;
	GElf_Shdr header;

	if (match->other_version)
		return ebpf_fail(err, ENOENT, "'%s': function '%.*s' has no version '%s' here", wanted->path,
				 (int)wanted->length, wanted->symbol, wanted->version);
	if (match->imported) {
		ebpf_fail(err, ENOENT, "'%s': function '%s' is not defined in this file, only used by it", wanted->path,
			  wanted->symbol);
		ebpf_hint(err, "probe the library that defines it");
		return -ENOENT;
	}
	ebpf_fail(err, ENOENT, "'%s': no function '%s'", wanted->path, wanted->symbol);
	nearest = err ? nearest_name(elves, wanted->symbol) : NULL;
	if (nearest)
		ebpf_hint(err, "the nearest is '%s'", nearest);
	else if (!elves[1] && !find_section(elves[0], SHT_SYMTAB, &header))
		ebpf_hint(err, "the file was stripped: only its dynamic symbols are known; give an offset instead, or "
			  "install its symbols");
	return -ENOENT;
}

static int place(Elf *elf, const struct wanted *wanted, const struct match *match, uint64_t *offset, struct ebpf_error *err)
{
	uint64_t other;

	if (!ebpf_elf_offset(elf, PF_X, match->address, offset))
		return ebpf_fail(err, EINVAL, "'%s': function '%s' at 0x%llx lies in no segment of code", wanted->path,
				 wanted->symbol, (unsigned long long)match->address);
	if (match->ambiguous && ebpf_elf_offset(elf, PF_X, match->other, &other)) {
		ebpf_fail(err, EEXIST, "'%s': function '%s' is ambiguous: it is at offset 0x%llx and at 0x%llx",
			  wanted->path, wanted->symbol, (unsigned long long)*offset, (unsigned long long)other);
		ebpf_hint(err, "give the offset in the file instead, or a version: name@VERSION");
		return -EEXIST;
	}
	return 0;
}

static int find_symbol(Elf *elf, const struct wanted *wanted, uint64_t *offset, uint64_t *size, struct ebpf_error *err)
{
	Elf *elves[2] = { elf, NULL };
	struct match match = { 0 };
	struct ebpf_elf_table table;
	int result, debug = -1;
	bool full;

	if (ebpf_elf_table(elf, SHT_DYNSYM, &table))
		search_table(&table, wanted, &match);
	full = !match.rank && ebpf_elf_table(elf, SHT_SYMTAB, &table);
	if (!match.rank && !full) {
		debug = ebpf_elf_debug(wanted->path, elf, &elves[1]);
		full = debug >= 0 && ebpf_elf_table(elves[1], SHT_SYMTAB, &table);
	}
	if (full)
		search_table(&table, wanted, &match);
	result = match.rank ? place(elf, wanted, &match, offset, err) : explain_missing(elves, wanted, &match, err);
	if (debug >= 0)
		ebpf_elf_close(debug, elves[1]);
	if (!result && size)
		*size = match.size;
	return result;
}

int ebpf_elf_open(const char *path, Elf **elf, struct ebpf_error *err)
{
	GElf_Ehdr header;
	int fd, result;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return ebpf_fail(err, ENOTSUP, "libelf: %s", elf_errmsg(-1));
	fd = ebpf_sys_linux.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return ebpf_fail_errno(err, fd, "'%s'", path);
	/* Not mapped: a file that is cut while it is read must not end the process. */
	*elf = elf_begin(fd, ELF_C_READ, NULL);
	if (*elf && elf_kind(*elf) == ELF_K_ELF && gelf_getehdr(*elf, &header) &&
	    (header.e_type == ET_EXEC || header.e_type == ET_DYN))
		return fd;
	if (*elf)
		result = ebpf_fail(err, ENOEXEC, "'%s': neither a program nor a shared library in ELF", path);
	else
		result = ebpf_fail(err, ENOEXEC, "'%s': %s", path, elf_errmsg(-1));
	ebpf_elf_close(fd, *elf);
	return result;
}

void ebpf_elf_close(int fd, Elf *elf)
{
	elf_end(elf);
	ebpf_sys_linux.close(fd);
}

int ebpf_binary_symbol(const char *path, const char *symbol, uint64_t *offset, uint64_t *size, struct ebpf_error *err)
{
	struct wanted wanted = { .path = path, .symbol = symbol, .length = strcspn(symbol, "@") };
	uint64_t found = 0;
	Elf *elf = NULL;
	int result, fd;

	if (symbol[wanted.length])
		wanted.version = symbol + wanted.length + strspn(symbol + wanted.length, "@");
	if (!wanted.length || (wanted.version && !wanted.version[0]))
		return ebpf_fail(err, EINVAL, "'%s': '%s' is no name of a function", path, symbol);
	fd = ebpf_elf_open(path, &elf, err);
	if (fd < 0)
		return fd;
	result = find_symbol(elf, &wanted, &found, size, err);
	ebpf_elf_close(fd, elf);
	if (!result)
		*offset = found;
	return result;
}
