/* elf.h -- what the files of this room share about ELF files. */
#ifndef EBPF_SYMBOL_ELF_H
#define EBPF_SYMBOL_ELF_H

#include <gelf.h>

#include "symbol/symbol.h"

struct ebpf_elf_table {
	Elf *elf;
	Elf_Data *symbols, *versions, *definitions;
	size_t count, strings, definition_strings;
};
/* The first symbol table of a type (SHT_DYNSYM, SHT_SYMTAB); false when there is none. */
bool ebpf_elf_table(Elf *elf, uint32_t type, struct ebpf_elf_table *table);
/* Addresses to file offsets by a segment that is mapped with a permission: PF_X for code, PF_W for variables. */
bool ebpf_elf_offset(Elf *elf, uint32_t permission, uint64_t address, uint64_t *offset);
/* The address of a function or variable by its bare name, dynamic symbols before the others; false when it has none here. */
bool ebpf_elf_address(Elf *elf, const char *name, size_t size, uint64_t *address);
/* A program or shared library: its descriptor, which ebpf_elf_close takes, or -errno. */
int ebpf_elf_open(const char *path, Elf **elf, struct ebpf_error *err);
void ebpf_elf_close(int fd, Elf *elf);
/* The file that has the symbol table of a stripped one, which is open and lies at `path` (debug.c): as ebpf_elf_open; -ENOENT when there
 * is none. Its addresses are those of the stripped file, its offsets are not. */
int ebpf_elf_debug(const char *path, Elf *elf, Elf **debug);

#endif
