/* Sections and symbols of an ELF object. libelf finds and translates the headers; their numbers are checked here, bytes are read as
 * spans. */
#include <gelf.h>
#include <stdlib.h>

#include "spec/object.h"

enum { longest_name = 4095, symbol_size = 24, rel_size = 16 };

void *ebpf_object_alloc(struct ebpf_object *object, size_t count, size_t size)
{
	return ebpf_memory_alloc(&object->memory, count, size);
}

int ebpf_object_fail_memory(const struct ebpf_object *object, struct ebpf_error *err)
{
	if (object->memory.exhausted)
		return ebpf_fail(err, E2BIG, "its tables ask for far more memory than an object of this size can need");
	return ebpf_spec_fail_memory(object->spec, err);
}

uint8_t *ebpf_object_copy(struct ebpf_span bytes, uint64_t offset, size_t size)
{
	uint8_t *copy = NULL;

	if (ebpf_span_sub(bytes, offset, size, &bytes))
		copy = malloc(size ? size : 1);
	if (copy)
		memcpy(copy, bytes.data, size);
	return copy;
}

/* -- the file -- */

static int open_elf(struct ebpf_object *object, Elf **out, struct ebpf_error *err)
{
	GElf_Ehdr header;
	Elf *elf;

	elf_version(EV_CURRENT);
	/* libelf takes a writable image but does not write to one that is only read */
	elf = object->file.size ? elf_memory((char *)(uintptr_t)object->file.data, object->file.size) : NULL;
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header)) {
		elf_end(elf);
		return ebpf_fail(err, EINVAL, "not an ELF object%s", object->file.size < 64 ? " (truncated?)" : "");
	}
	*out = elf;
	if (gelf_getclass(elf) != ELFCLASS64)
		return ebpf_fail(err, EINVAL, "a 32-bit ELF file; BPF objects are 64-bit");
	if (header.e_ident[EI_DATA] != ELFDATA2LSB && header.e_ident[EI_DATA] != ELFDATA2MSB)
		return ebpf_fail(err, EINVAL, "unknown byte order %u", header.e_ident[EI_DATA]);
	object->spec->public.big_endian = header.e_ident[EI_DATA] == ELFDATA2MSB;
	object->file.swapped = object->spec->public.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	/* LLVM before 4.0 wrote EM_NONE */
	if (header.e_machine != EM_BPF && header.e_machine != EM_NONE) {
		ebpf_fail(err, EINVAL, "an ELF file for machine %u, not for BPF (%u)", header.e_machine, EM_BPF);
		ebpf_hint(err, "compile it with clang -g -O2 -target bpf");
		return -EINVAL;
	}
	if (header.e_type != ET_REL)
		return ebpf_fail(err, EINVAL, "not a relocatable ELF object (e_type %u)", header.e_type);
	return 0;
}

/* -- names: every one ends within its table and has a bounded length, so that hashing and comparing them cannot take for ever -- */

static const char *name_at(struct ebpf_span names, const char *copy, uint32_t offset)
{
	size_t rest;

	if (offset >= names.size)
		return NULL;
	rest = names.size - offset;
	return memchr(names.data + offset, 0, rest > longest_name + 1 ? longest_name + 1 : rest) ? copy + offset : NULL;
}

/* The strings of a table as the Spec keeps them. */
static int copy_names(struct ebpf_object *object, uint32_t section, const char *what, struct ebpf_span *names, const char **copy,
                      struct ebpf_error *err)
{
	if (!section || section >= object->section_count || object->sections[section].type != SHT_STRTAB)
		return ebpf_fail(err, EINVAL, "no string table for the names of %s (section %u; truncated?)", what, section);
	*names = object->sections[section].bytes;
	*copy = ebpf_spec_string(object->spec, (const char *)names->data, names->size);
	return *copy ? 0 : ebpf_spec_fail_memory(object->spec, err);
}

/* -- sections -- */

static int read_section(struct ebpf_object *object, Elf_Scn *scn, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_object_section *section = &object->sections[index];
	GElf_Shdr header;

	if (!gelf_getshdr(scn, &header))
		return ebpf_fail(err, EINVAL, "section %u: its header cannot be read (%s)", index, elf_errmsg(-1));
	section->type = header.sh_type;
	section->flags = header.sh_flags;
	section->size = header.sh_size;
	section->link = header.sh_link;
	section->info = header.sh_info;
	section->entry_size = header.sh_entsize;
	section->alignment = header.sh_addralign;
	section->bytes = (struct ebpf_span){.data = object->file.data, .swapped = object->file.swapped};
	if (header.sh_type != SHT_NOBITS && header.sh_type != SHT_NULL &&
	    !ebpf_span_sub(object->file, header.sh_offset, header.sh_size, &section->bytes))
		return ebpf_fail(err, EINVAL,
		                 "section %u: its bytes (%llu at %llu) are not all in the file (%zu bytes; truncated?)", index,
		                 (unsigned long long)header.sh_size, (unsigned long long)header.sh_offset, object->file.size);
	return 0;
}

static int read_sections(struct ebpf_object *object, Elf *elf, struct ebpf_error *err)
{
	struct ebpf_span names = {0};
	const char *copy = NULL;
	size_t count, name_section;
	GElf_Shdr header;
	Elf_Scn *scn = NULL;
	int result;

	if (elf_getshdrnum(elf, &count) || !count || count > UINT32_MAX || elf_getshdrstrndx(elf, &name_section))
		return ebpf_fail(err, EINVAL, "it has no sections (truncated?)");
	object->sections = ebpf_object_alloc(object, count, sizeof(*object->sections));
	if (!object->sections)
		return ebpf_object_fail_memory(object, err);
	object->section_count = (uint32_t)count;
	object->sections[0].name = "";
	for (uint32_t i = 1; i < count; i++) {
		scn = elf_nextscn(elf, scn);
		if (!scn)
			return ebpf_fail(err, EINVAL, "section %u: it is not in the file (truncated?)", i);
		result = read_section(object, scn, i, err);
		if (result)
			return result;
	}
	result = copy_names(object, name_section > UINT32_MAX ? 0 : (uint32_t)name_section, "sections", &names, &copy, err);
	for (uint32_t i = 1; !result && i < count; i++) {
		gelf_getshdr(elf_getscn(elf, i), &header);
		object->sections[i].name = name_at(names, copy, header.sh_name);
		if (!object->sections[i].name)
			result = ebpf_fail(err, EINVAL, "section %u: its name is missing or longer than %d bytes", i, longest_name);
	}
	return result;
}

static bool is_or_begins(const char *name, const char *section)
{
	size_t length = strlen(section);

	return !strncmp(name, section, length) && (!name[length] || name[length] == '.');
}

static enum ebpf_section_role progbits_role(const struct ebpf_object_section *section)
{
	const char *name = section->name;

	if (!section->size)
		return EBPF_ROLE_OTHER;
	if (ebpf_object_is_legacy_maps(name))
		return EBPF_ROLE_LEGACY_MAPS;
	if (section->flags & SHF_EXECINSTR)
		return EBPF_ROLE_CODE;
	if (is_or_begins(name, ".data"))
		return EBPF_ROLE_DATA;
	if (is_or_begins(name, ".rodata"))
		return EBPF_ROLE_RODATA;
	if (!strcmp(name + (*name == '?'), ".struct_ops") || !strcmp(name + (*name == '?'), ".struct_ops.link"))
		return EBPF_ROLE_STRUCT_OPS;
	if (!strcmp(name, ".addr_space.1"))
		return EBPF_ROLE_ARENA;
	return !strcmp(name, ".jumptables") ? EBPF_ROLE_JUMPTABLES : EBPF_ROLE_OTHER;
}

/* Sections that are known by name whatever they are; libbpf looks at names first, too. */
static uint32_t *special(struct ebpf_object *object, const char *name)
{
	const struct {
		const char *name;
		uint32_t *slot;
	} specials[] = {
	        {"license", &object->license_section}, {"version", &object->version_section}, {".maps", &object->maps_section},
	        {".BTF", &object->btf_section},        {".BTF.ext", &object->ext_section},
	};

	for (size_t i = 0; i < EBPF_COUNT(specials); i++)
		if (!strcmp(name, specials[i].name))
			return specials[i].slot;
	return NULL;
}

static int name_section(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	struct ebpf_object_section *section = &object->sections[index];
	uint32_t *slot = special(object, section->name);

	if (slot) {
		if (*slot)
			return ebpf_fail(err, EINVAL, "section '%s': there are two of them", section->name);
		*slot = index;
		if (slot == &object->maps_section)
			section->role = EBPF_ROLE_MAPS;
		else if (section->type != SHT_PROGBITS)
			return ebpf_fail(err, EINVAL, "section '%s': it has no contents (type %u)", section->name, section->type);
	} else if (section->type == SHT_PROGBITS) {
		section->role = progbits_role(section);
		if (section->role == EBPF_ROLE_ARENA)
			object->arena_section = index;
	} else if (section->type == SHT_NOBITS && section->size && is_or_begins(section->name, ".bss")) {
		section->role = EBPF_ROLE_BSS;
	}
	if ((slot || section->role) && (section->flags & SHF_COMPRESSED))
		return ebpf_fail(err, ENOTSUP, "section '%s': compressed sections are not supported", section->name);
	return 0;
}

/* Which sections relocate which; those of sections that mean nothing to us (DWARF, .BTF) are passed over. */
static int pair_relocations(struct ebpf_object *object, struct ebpf_error *err)
{
	for (uint32_t i = 1; i < object->section_count; i++) {
		struct ebpf_object_section *section = &object->sections[i], *target;

		if (section->type != SHT_REL && section->type != SHT_RELA)
			continue;
		if (!section->info || section->info >= object->section_count) {
			if (section->type == SHT_RELA)
				continue;
			return ebpf_fail(err, EINVAL, "section '%s': it relocates section %u, which does not exist", section->name,
			                 section->info);
		}
		target = &object->sections[section->info];
		if (target->role != EBPF_ROLE_CODE && target->role != EBPF_ROLE_MAPS && target->role != EBPF_ROLE_STRUCT_OPS)
			continue;
		if (section->type == SHT_RELA)
			return ebpf_fail(err, ENOTSUP,
			                 "section '%s': relocations with addends (RELA) are not used for BPF and not supported",
			                 section->name);
		if (section->entry_size != rel_size || section->size % rel_size)
			return ebpf_fail(err, EINVAL,
			                 "section '%s': its size (%llu) or entry size (%llu) is not that of relocations",
			                 section->name, (unsigned long long)section->size, (unsigned long long)section->entry_size);
		if (section->flags & SHF_COMPRESSED)
			return ebpf_fail(err, ENOTSUP, "section '%s': compressed sections are not supported", section->name);
		if (target->relocations)
			return ebpf_fail(err, EINVAL, "section '%s': section '%s' has relocations already", section->name,
			                 target->name);
		target->relocations = i;
	}
	return 0;
}

/* -- symbols -- */

static int read_symbol(struct ebpf_object *object, struct ebpf_span table, struct ebpf_span names, const char *copy, uint32_t index,
                       struct ebpf_error *err)
{
	struct ebpf_object_symbol *symbol = &object->symbols[index];
	uint64_t at = (uint64_t)index * symbol_size;
	uint8_t info = 0, other = 0;
	uint32_t name = 0;

	ebpf_span_u32(table, at, &name);
	ebpf_span_u8(table, at + 4, &info);
	ebpf_span_u8(table, at + 5, &other);
	ebpf_span_u16(table, at + 6, &symbol->section);
	ebpf_span_u64(table, at + 8, &symbol->value);
	ebpf_span_u64(table, at + 16, &symbol->size);
	symbol->type = ELF64_ST_TYPE(info);
	symbol->bind = ELF64_ST_BIND(info);
	symbol->visibility = ELF64_ST_VISIBILITY(other);
	symbol->name = name ? name_at(names, copy, name) : "";
	if (!symbol->name)
		return ebpf_fail(err, EINVAL, "symbol %u: its name is missing or longer than %d bytes", index, longest_name);
	return 0;
}

/* The first of a name counts, as in libbpf. */
static int index_variable(struct ebpf_object *object, uint32_t index, struct ebpf_error *err)
{
	const struct ebpf_object_symbol *symbol = &object->symbols[index];
	uint64_t known;

	if (symbol->type != STT_OBJECT || !ebpf_object_symbol_is_global(symbol) || !*symbol->name ||
	    ebpf_table_get(&object->variables, symbol->name, &known))
		return 0;
	return ebpf_table_set(&object->variables, symbol->name, index) ? ebpf_fail_memory(err) : 0;
}

static int read_symbols(struct ebpf_object *object, struct ebpf_error *err)
{
	const struct ebpf_object_section *section;
	struct ebpf_span names = {0};
	const char *copy = NULL;
	uint32_t table = 0;
	int result;

	for (uint32_t i = 1; i < object->section_count; i++) {
		if (object->sections[i].type != SHT_SYMTAB)
			continue;
		if (table)
			return ebpf_fail(err, EINVAL, "it has two symbol tables");
		table = i;
	}
	if (!table) {
		ebpf_fail(err, ENOENT, "it has no symbol table");
		ebpf_hint(err, "was it stripped? llvm-strip -g keeps what a loader needs");
		return -ENOENT;
	}
	section = &object->sections[table];
	if (section->entry_size != symbol_size || section->size % symbol_size || section->size / symbol_size > UINT32_MAX ||
	    (section->flags & SHF_COMPRESSED))
		return ebpf_fail(err, EINVAL, "section '%s': its size (%llu) or entry size (%llu) is not that of symbols",
		                 section->name, (unsigned long long)section->size, (unsigned long long)section->entry_size);
	result = copy_names(object, section->link, "symbols", &names, &copy, err);
	if (result)
		return result;
	object->symbol_count = (uint32_t)(section->size / symbol_size);
	object->symbols = ebpf_object_alloc(object, object->symbol_count, sizeof(*object->symbols));
	if (!object->symbols)
		return ebpf_object_fail_memory(object, err);
	for (uint32_t i = 0; !result && i < object->symbol_count; i++) {
		result = read_symbol(object, section->bytes, names, copy, i, err);
		if (!result)
			result = index_variable(object, i, err);
	}
	return result;
}

bool ebpf_object_symbol_is_global(const struct ebpf_object_symbol *symbol)
{
	return symbol->bind == STB_GLOBAL || symbol->bind == STB_WEAK;
}

bool ebpf_object_symbol_is_visible(const struct ebpf_object_symbol *symbol)
{
	return ebpf_object_symbol_is_global(symbol) && symbol->visibility != STV_HIDDEN && symbol->visibility != STV_INTERNAL;
}

const char *ebpf_object_symbol_name(const struct ebpf_object *object, const struct ebpf_object_symbol *symbol)
{
	if (!*symbol->name && symbol->section < object->section_count)
		return object->sections[symbol->section].name;
	return symbol->name;
}

const struct ebpf_object_symbol *ebpf_object_variable(struct ebpf_object *object, const char *name, uint32_t section)
{
	uint64_t index;

	if (!ebpf_table_get(&object->variables, name, &index) || object->symbols[index].section != section)
		return NULL;
	return &object->symbols[index];
}

/* -- relocations -- */

static int compare_relocations(const void *a, const void *b)
{
	const struct ebpf_relocation *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

int ebpf_object_relocations(struct ebpf_object *object, uint32_t section, struct ebpf_relocation **out, size_t *count,
                            struct ebpf_error *err)
{
	const struct ebpf_object_section *table = &object->sections[object->sections[section].relocations];
	struct ebpf_relocation *relocations;

	*out = NULL;
	*count = 0;
	if (!object->sections[section].relocations || !table->size)
		return 0;
	relocations = ebpf_object_alloc(object, table->size / rel_size, sizeof(*relocations));
	if (!relocations)
		return ebpf_object_fail_memory(object, err);
	for (size_t i = 0; i < table->size / rel_size; i++) {
		uint64_t info = 0;

		ebpf_span_u64(table->bytes, i * rel_size, &relocations[i].offset);
		ebpf_span_u64(table->bytes, i * rel_size + 8, &info);
		if (relocations[i].offset >= object->sections[section].size)
			return ebpf_fail(err, EINVAL, "section '%s': relocation %zu is at %llu, past the end of section '%s'",
			                 table->name, i, (unsigned long long)relocations[i].offset, object->sections[section].name);
		if (ELF64_R_SYM(info) >= object->symbol_count)
			return ebpf_fail(err, EINVAL, "section '%s': relocation %zu is against symbol %llu, which does not exist",
			                 table->name, i, (unsigned long long)ELF64_R_SYM(info));
		relocations[i].symbol = &object->symbols[ELF64_R_SYM(info)];
	}
	*out = relocations;
	*count = table->size / rel_size;
	qsort(relocations, *count, sizeof(*relocations), compare_relocations);
	return 0;
}

/* -- the whole -- */

int ebpf_object_open(struct ebpf_object *object, struct ebpf_error *err)
{
	Elf *elf = NULL;
	int result = open_elf(object, &elf, err);

	if (!result)
		result = read_sections(object, elf, err);
	elf_end(elf);
	for (uint32_t i = 1; !result && i < object->section_count; i++)
		result = name_section(object, i, err);
	if (!result)
		result = pair_relocations(object, err);
	return result ? result : read_symbols(object, err);
}

void ebpf_object_close(struct ebpf_object *object)
{
	ebpf_btf_ext_free(&object->ext);
	ebpf_table_free(&object->variables);
	free(object->maps);
	ebpf_memory_free(&object->memory);
}
