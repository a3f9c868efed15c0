/* An object without what only a debugger reads: what is embedded in a program is often a fifth of what clang wrote.
 *
 * Sections keep their order and bytes; they, symbols and names get new numbers. Dropped are DWARF and notes, relocations of
 * sections that no program sees (.BTF, .BTF.ext: the compiler has written the same numbers in place), and symbols that nothing
 * refers to and that carry no meaning of their own (labels of basic blocks, the source's file name). */
#include <stdlib.h>

#include "spec/object.h"

enum { header_size = 64, section_header_size = 64, symbol_size = 24, largest_alignment = 64 };
#define DROPPED_SYMBOL UINT32_MAX

struct strip {
	struct ebpf_object object;
	struct ebpf_buffer out, names;
	struct ebpf_table offsets; /* of names in `names` */
	uint32_t *sections;        /* new numbers, by the old ones; 0 = dropped */
	uint32_t *symbols;         /* new numbers, by the old ones */
	uint64_t *places;          /* of kept sections' bytes in `out`, by the new numbers */
	uint32_t section_count, symbol_count, first_global, symbol_table, name_table;
	uint64_t left; /* how many bytes the result may still grow by */
};

/* -- numbers in the object's byte order -- */

static void add_u16(struct strip *strip, struct ebpf_buffer *out, uint16_t value)
{
	value = strip->object.file.swapped ? __builtin_bswap16(value) : value;
	ebpf_buffer_add(out, &value, sizeof(value));
}

static void add_u32(struct strip *strip, struct ebpf_buffer *out, uint32_t value)
{
	value = strip->object.file.swapped ? __builtin_bswap32(value) : value;
	ebpf_buffer_add(out, &value, sizeof(value));
}

static void add_u64(struct strip *strip, struct ebpf_buffer *out, uint64_t value)
{
	value = strip->object.file.swapped ? __builtin_bswap64(value) : value;
	ebpf_buffer_add(out, &value, sizeof(value));
}

/* Overlapping sections and names that share their bytes could make the result far larger than the object. */
static int charge(struct strip *strip, uint64_t size, struct ebpf_error *err)
{
	if (size > strip->left)
		return ebpf_fail(err, E2BIG,
		                 "its sections or names overlap: without debug information it would be larger than before");
	strip->left -= size;
	return 0;
}

/* The offset of a name in the new string table. */
static int64_t add_name(struct strip *strip, const char *name, struct ebpf_error *err)
{
	uint64_t offset = 0;
	int result;

	if (!*name || ebpf_table_get(&strip->offsets, name, &offset))
		return (int64_t)offset;
	offset = strip->names.size;
	result = charge(strip, strlen(name) + 1, err);
	if (result)
		return result;
	ebpf_buffer_add(&strip->names, name, strlen(name) + 1);
	if (strip->names.failed || ebpf_table_set(&strip->offsets, name, offset))
		return ebpf_fail_memory(err);
	return (int64_t)offset;
}

/* -- what stays -- */

static bool is_relocation(const struct ebpf_object_section *section)
{
	return section->type == SHT_REL || section->type == SHT_RELA;
}

/* Of sections that are part of a program's memory, or mean something to the reader, none is dropped, whatever it is called. */
static bool is_debug(const struct ebpf_object_section *section)
{
	static const char *const prefixes[] = {".debug", ".zdebug", ".gnu.debug", ".comment", ".note", ".llvm", ".stab"};

	if (section->role != EBPF_ROLE_OTHER || (section->flags & SHF_ALLOC))
		return false;
	for (size_t i = 0; i < EBPF_COUNT(prefixes); i++)
		if (ebpf_starts_with(section->name, prefixes[i]))
			return true;
	return section->type == SHT_NOTE || section->type == SHT_GROUP || (section->type >= SHT_LOOS && section->type <= SHT_HIOS);
}

static bool has_contents(const struct ebpf_object_section *section)
{
	return section->type != SHT_NULL && section->type != SHT_STRTAB && section->type != SHT_SYMTAB && !is_relocation(section);
}

static bool keeps_section(const struct strip *strip, const struct ebpf_object_section *section)
{
	const struct ebpf_object *object = &strip->object;
	const struct ebpf_object_section *target = &object->sections[section->info < object->section_count ? section->info : 0];

	if (is_relocation(section))
		return section->size && has_contents(target) && (target->role != EBPF_ROLE_OTHER || (target->flags & SHF_ALLOC));
	return section->type == SHT_SYMTAB || (has_contents(section) && !is_debug(section));
}

static int choose_sections(struct strip *strip, struct ebpf_error *err)
{
	const struct ebpf_object *object = &strip->object;
	uint32_t count = 1;
	int result;

	for (uint32_t i = 1; i < object->section_count; i++) {
		const struct ebpf_object_section *section = &object->sections[i];

		if (section->type == SHT_SYMTAB_SHNDX)
			return ebpf_fail(err, ENOTSUP, "section '%s': more sections than a symbol can count", section->name);
		if (!keeps_section(strip, section))
			continue;
		result = charge(strip, section->bytes.size + section_header_size + largest_alignment, err);
		if (result)
			return result;
		if (section->type == SHT_SYMTAB)
			strip->symbol_table = i;
		strip->sections[i] = count++;
	}
	strip->name_table = count++;
	strip->section_count = count;
	return count < SHN_LORESERVE ? 0 : ebpf_fail(err, ENOTSUP, "it has %u sections", count);
}

/* Calls back for each entry of the kept relocations. */
static int each_relocation(struct strip *strip, const struct ebpf_object_section *section,
                           int (*callback)(struct strip *strip, uint64_t offset, uint64_t info, const uint8_t *addend,
                                           struct ebpf_error *err),
                           struct ebpf_error *err)
{
	uint64_t entry = section->type == SHT_REL ? 16 : 24, offset = 0, info = 0;
	int result = 0;

	if (section->entry_size != entry || section->bytes.size % entry || (section->flags & SHF_COMPRESSED))
		return ebpf_fail(err, EINVAL, "section '%s': its size (%llu) or entry size (%llu) is not that of relocations",
		                 section->name, (unsigned long long)section->size, (unsigned long long)section->entry_size);
	for (uint64_t at = 0; !result && at < section->bytes.size; at += entry) {
		ebpf_span_u64(section->bytes, at, &offset);
		ebpf_span_u64(section->bytes, at + 8, &info);
		if (ELF64_R_SYM(info) >= strip->object.symbol_count)
			return ebpf_fail(err, EINVAL, "section '%s': relocation %llu is against symbol %llu, which does not exist",
			                 section->name, (unsigned long long)(at / entry), (unsigned long long)ELF64_R_SYM(info));
		result = callback(strip, offset, info, entry == 24 ? section->bytes.data + at + 16 : NULL, err);
	}
	return result;
}

static int keep_symbol(struct strip *strip, uint64_t offset, uint64_t info, const uint8_t *addend, struct ebpf_error *err)
{
	const struct ebpf_object_symbol *symbol = &strip->object.symbols[ELF64_R_SYM(info)];

	(void)offset, (void)addend;
	if (symbol->section && symbol->section < strip->object.section_count && !strip->sections[symbol->section])
		return ebpf_fail(err, EINVAL, "symbol '%s': code or data refers to debug information",
		                 ebpf_object_symbol_name(&strip->object, symbol));
	strip->symbols[ELF64_R_SYM(info)] = 0;
	return 0;
}

static bool is_meaningful(const struct strip *strip, const struct ebpf_object_symbol *symbol)
{
	if (symbol->section < strip->object.section_count && symbol->section && !strip->sections[symbol->section])
		return false;
	return ebpf_object_symbol_is_global(symbol) || symbol->type == STT_FUNC || symbol->type == STT_OBJECT ||
	       symbol->type == STT_TLS;
}

static int choose_symbols(struct strip *strip, struct ebpf_error *err)
{
	const struct ebpf_object *object = &strip->object;
	int result = 0;

	for (uint32_t i = 0; i < object->symbol_count; i++)
		strip->symbols[i] = i == 0 || is_meaningful(strip, &object->symbols[i]) ? 0 : DROPPED_SYMBOL;
	for (uint32_t i = 1; !result && i < object->section_count; i++)
		if (strip->sections[i] && is_relocation(&object->sections[i]))
			result = each_relocation(strip, &object->sections[i], keep_symbol, err);
	for (uint32_t i = 0; i < object->symbol_count; i++)
		if (strip->symbols[i] != DROPPED_SYMBOL)
			strip->symbols[i] = strip->symbol_count++;
	return result;
}

/* -- writing -- */

static int add_relocation(struct strip *strip, uint64_t offset, uint64_t info, const uint8_t *addend, struct ebpf_error *err)
{
	(void)err;
	add_u64(strip, &strip->out, offset);
	add_u64(strip, &strip->out, ELF64_R_INFO((uint64_t)strip->symbols[ELF64_R_SYM(info)], ELF64_R_TYPE(info)));
	if (addend)
		ebpf_buffer_add(&strip->out, addend, 8);
	return 0;
}

static int add_symbols(struct strip *strip, struct ebpf_error *err)
{
	const struct ebpf_object *object = &strip->object;
	const struct ebpf_span bytes = object->sections[strip->symbol_table].bytes;

	strip->first_global = strip->symbol_count;
	for (uint32_t i = 0; i < object->symbol_count; i++) {
		const struct ebpf_object_symbol *symbol = &object->symbols[i];
		uint16_t section = symbol->section;
		int64_t name;

		if (strip->symbols[i] == DROPPED_SYMBOL)
			continue;
		if (section < object->section_count)
			section = (uint16_t)strip->sections[section];
		else if (section < SHN_LORESERVE || section == SHN_XINDEX)
			return ebpf_fail(err, EINVAL, "symbol %u: it is in section %u, which does not exist", i, section);
		if (symbol->bind != STB_LOCAL && strip->symbols[i] < strip->first_global)
			strip->first_global = strip->symbols[i];
		name = add_name(strip, symbol->name, err);
		if (name < 0)
			return (int)name;
		add_u32(strip, &strip->out, (uint32_t)name);
		ebpf_buffer_add(&strip->out, bytes.data + (size_t)i * symbol_size + 4, 2); /* info, other */
		add_u16(strip, &strip->out, section);
		add_u64(strip, &strip->out, symbol->value);
		add_u64(strip, &strip->out, symbol->size);
	}
	return 0;
}

static void align(struct strip *strip, uint64_t alignment)
{
	static const char zeros[largest_alignment];

	if (strip->out.size % alignment)
		ebpf_buffer_add(&strip->out, zeros, alignment - strip->out.size % alignment);
}

/* A power of two; what asks for more gets less, since nobody maps this file. */
static uint64_t alignment_of(const struct ebpf_object_section *section)
{
	uint64_t alignment = section->alignment;

	return alignment > 1 && alignment <= largest_alignment && !(alignment & (alignment - 1)) ? alignment : 1;
}

static int add_contents(struct strip *strip, struct ebpf_error *err)
{
	int result = 0;

	for (uint32_t i = 1; !result && i < strip->object.section_count; i++) {
		const struct ebpf_object_section *section = &strip->object.sections[i];

		if (!strip->sections[i])
			continue;
		align(strip, alignment_of(section));
		strip->places[strip->sections[i]] = strip->out.size;
		if (i == strip->symbol_table)
			result = add_symbols(strip, err);
		else if (is_relocation(section))
			result = each_relocation(strip, section, add_relocation, err);
		else
			ebpf_buffer_add(&strip->out, section->bytes.data, section->bytes.size);
	}
	return result;
}

static void add_section_header(struct strip *strip, const Elf64_Shdr *header)
{
	add_u32(strip, &strip->out, header->sh_name);
	add_u32(strip, &strip->out, header->sh_type);
	add_u64(strip, &strip->out, header->sh_flags);
	add_u64(strip, &strip->out, header->sh_addr);
	add_u64(strip, &strip->out, header->sh_offset);
	add_u64(strip, &strip->out, header->sh_size);
	add_u32(strip, &strip->out, header->sh_link);
	add_u32(strip, &strip->out, header->sh_info);
	add_u64(strip, &strip->out, header->sh_addralign);
	add_u64(strip, &strip->out, header->sh_entsize);
}

static int add_section(struct strip *strip, uint32_t index, struct ebpf_error *err)
{
	const struct ebpf_object *object = &strip->object;
	const struct ebpf_object_section *section = &object->sections[index];
	bool is_symbols = index == strip->symbol_table;
	int64_t name = add_name(strip, section->name, err);
	Elf64_Shdr header = {
	        .sh_name = (uint32_t)name,
	        .sh_type = section->type,
	        .sh_flags = section->flags & ~(uint64_t)SHF_GROUP,
	        .sh_offset = strip->places[strip->sections[index]],
	        .sh_size = is_symbols ? (uint64_t)strip->symbol_count * symbol_size : section->size,
	        .sh_link = section->link < object->section_count ? strip->sections[section->link] : 0,
	        .sh_info = section->info,
	        .sh_addralign = alignment_of(section),
	        .sh_entsize = section->entry_size,
	};

	if (name < 0)
		return (int)name;
	if (is_symbols) {
		header.sh_link = strip->name_table;
		header.sh_info = strip->first_global;
	} else if (is_relocation(section)) {
		header.sh_info = strip->sections[section->info];
	}
	add_section_header(strip, &header);
	return 0;
}

/* The string table comes last but for the headers, since their names are in it too; they are added first. */
static int add_names(struct strip *strip, int64_t *own_name, struct ebpf_error *err)
{
	for (uint32_t i = 1; i < strip->object.section_count; i++) {
		int64_t name = strip->sections[i] ? add_name(strip, strip->object.sections[i].name, err) : 0;

		if (name < 0)
			return (int)name;
	}
	*own_name = add_name(strip, ".strtab", err);
	if (*own_name < 0)
		return (int)*own_name;
	strip->places[strip->name_table] = strip->out.size;
	ebpf_buffer_add(&strip->out, strip->names.data, strip->names.size);
	align(strip, 8);
	return 0;
}

static int add_headers(struct strip *strip, struct ebpf_error *err)
{
	static const Elf64_Shdr none;
	int64_t own_name = 0;
	int result = add_names(strip, &own_name, err);
	uint64_t place = strip->out.size;
	Elf64_Shdr header = {
	        .sh_name = (uint32_t)own_name,
	        .sh_type = SHT_STRTAB,
	        .sh_offset = strip->places[strip->name_table],
	        .sh_size = strip->names.size,
	        .sh_addralign = 1,
	};
	struct ebpf_buffer fields = {0};

	add_section_header(strip, &none);
	for (uint32_t i = 1; !result && i < strip->object.section_count; i++)
		if (strip->sections[i])
			result = add_section(strip, i, err);
	add_section_header(strip, &header);
	add_u64(strip, &fields, place);
	ebpf_buffer_add(&fields, strip->object.file.data + 48, 4 + 2); /* e_flags, e_ehsize */
	add_u16(strip, &fields, 0);                                    /* program headers: an object has none */
	add_u16(strip, &fields, 0);
	add_u16(strip, &fields, section_header_size);
	add_u16(strip, &fields, (uint16_t)strip->section_count);
	add_u16(strip, &fields, (uint16_t)strip->name_table);
	if (!result && !strip->out.failed && !fields.failed)
		memcpy(strip->out.data + header_size - fields.size, fields.data, fields.size);
	else if (!result)
		result = ebpf_fail_memory(err);
	ebpf_buffer_free(&fields);
	return result;
}

static int strip_object(struct strip *strip, struct ebpf_error *err)
{
	static const char zeros[16];
	struct ebpf_object *object = &strip->object;
	int result = ebpf_object_open(object, err);

	if (result)
		return result;
	strip->sections = ebpf_object_alloc(object, object->section_count, sizeof(*strip->sections));
	strip->places = ebpf_object_alloc(object, (size_t)object->section_count + 2, sizeof(*strip->places));
	strip->symbols = ebpf_object_alloc(object, object->symbol_count, sizeof(*strip->symbols));
	if (!strip->sections || !strip->places || (object->symbol_count && !strip->symbols))
		return ebpf_object_fail_memory(object, err);
	ebpf_buffer_add(&strip->names, "", 1);
	ebpf_buffer_add(&strip->out, object->file.data, 24); /* up to e_version; neither entry nor program headers */
	ebpf_buffer_add(&strip->out, zeros, 16);
	ebpf_buffer_add(&strip->out, object->file.data + 40, header_size - 40);
	result = choose_sections(strip, err);
	if (!result)
		result = choose_symbols(strip, err);
	if (!result)
		result = add_contents(strip, err);
	return result ? result : add_headers(strip, err);
}

int ebpf_object_strip(const void *data, size_t size, void **out, size_t *out_size, struct ebpf_error *err)
{
	struct ebpf_error cause = {0};
	struct ebpf_spec *spec = ebpf_spec_new("", err); /* what the reader keeps names in */
	struct strip strip = {.object = {.spec = spec_impl(spec), .file = {.data = data, .size = size}, .prefix = ""}};
	int result;

	if (!spec)
		return -ENOMEM;
	strip.left = (uint64_t)size * 2 + 65536;
	strip.object.spec->memory.left = strip.object.memory.left = (uint64_t)size * 16 + 65536;
	result = strip_object(&strip, &cause);
	if (result) {
		ebpf_wrap(&cause, result, "object");
		ebpf_error_move(err, &cause);
		ebpf_buffer_free(&strip.out);
	} else {
		*out = strip.out.data;
		*out_size = strip.out.size;
	}
	ebpf_buffer_free(&strip.names);
	ebpf_table_free(&strip.offsets);
	ebpf_object_close(&strip.object);
	ebpf_spec_free(spec);
	return result;
}
