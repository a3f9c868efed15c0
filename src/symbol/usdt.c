/* usdt.c -- the USDT probes of a program or library: the notes of type 3 by the name "stapsdt" that <sys/sdt.h> leaves in the
 * section .note.stapsdt.
 *
 * A note has three addresses (the probe's, that of .stapsdt.base when the note was made, the semaphore's) and three strings
 * (provider, name, arguments). Where prelink has moved the file since, .stapsdt.base tells by how much. A semaphore is a
 * short in the data, which the kernel counts up while somebody traces; a program may ask it before it gathers arguments.
 */
#include <gelf.h>
#include <stdlib.h>

#include "symbol/elf.h"
#include "symbol/usdt.h"

#define NOTE_SECTION ".note.stapsdt"
#define BASE_SECTION ".stapsdt.base"
#define NOTE_NAME "stapsdt"
#define NOTE_TYPE 3
#define ALIGNED(size) (((uint64_t)(size) + 3) & ~3ULL)

struct file {
	const char *path;
	Elf *elf;
	GElf_Ehdr header;
	struct ebpf_span notes;
	uint64_t base;          /* address of .stapsdt.base; 0 = there is none */
	unsigned word;          /* bytes of an address */
};

void ebpf_usdt_free(struct ebpf_usdt *usdt)
{
	if (!usdt)
		return;
	for (size_t i = 0; i < usdt->count; i++) {
		free(usdt->probes[i].provider);
		free(usdt->probes[i].name);
		free(usdt->probes[i].arguments);
	}
	free(usdt->probes);
	free(usdt->path);
	free(usdt);
}

/* -- the file -- */

static int find_sections(struct file *file, struct ebpf_error *err)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t strings;

	if (elf_getshdrstrndx(file->elf, &strings))
		return ebpf_fail(err, EBADMSG, "'%s': %s", file->path, elf_errmsg(-1));
	while ((section = elf_nextscn(file->elf, section)) != NULL) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(file->elf, strings, header.sh_name) : NULL;
		Elf_Data *data;

		if (name && !strcmp(name, BASE_SECTION))
			file->base = header.sh_addr;
		if (!name || strcmp(name, NOTE_SECTION) != 0 || header.sh_type != SHT_NOTE || file->notes.data)
			continue;
		data = elf_rawdata(section, NULL);
		if (data && data->d_buf)
			file->notes = (struct ebpf_span){ .data = data->d_buf, .size = data->d_size };
	}
	return 0;
}

static int open_file(struct file *file, struct ebpf_error *err)
{
	static const uint16_t one = 1;
	bool little = *(const uint8_t *)&one;
	int result, fd = ebpf_elf_open(file->path, &file->elf, err);

	if (fd < 0)
		return fd;
	if (!gelf_getehdr(file->elf, &file->header))
		result = ebpf_fail(err, EBADMSG, "'%s': %s", file->path, elf_errmsg(-1));
	else
		result = find_sections(file, err);
	if (result) {
		ebpf_elf_close(fd, file->elf);
		return result;
	}
	file->word = file->header.e_ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	file->notes.swapped = (file->header.e_ident[EI_DATA] == ELFDATA2LSB) != little;
	return fd;
}

/* -- one note -- */

static bool take_address(const struct file *file, struct ebpf_span description, unsigned index, uint64_t *out)
{
	uint32_t narrow = 0;

	if (file->word == 8)
		return ebpf_span_u64(description, (uint64_t)index * 8, out);
	if (!ebpf_span_u32(description, (uint64_t)index * 4, &narrow))
		return false;
	*out = narrow;
	return true;
}

static bool take_string(struct ebpf_span description, uint64_t *at, const char **out)
{
	*out = ebpf_span_string(description, *at);
	if (!*out)
		return false;
	*at += strlen(*out) + 1;
	return true;
}

struct note {
	uint64_t address, base, semaphore;
	const char *provider, *name, *arguments;
};

static bool read_note(const struct file *file, struct ebpf_span description, struct note *note)
{
	uint64_t at = 3ULL * file->word;

	return take_address(file, description, 0, &note->address) && take_address(file, description, 1, &note->base) &&
	       take_address(file, description, 2, &note->semaphore) && take_string(description, &at, &note->provider) &&
	       take_string(description, &at, &note->name) && take_string(description, &at, &note->arguments);
}

static int fill_probe(const struct file *file, const struct note *note, struct ebpf_usdt_probe *probe, struct ebpf_error *err)
{
	uint64_t moved = file->base && note->base ? file->base - note->base : 0;

	probe->address = note->address + moved;
	if (!ebpf_elf_offset(file->elf, PF_X, probe->address, &probe->offset))
		return ebpf_fail(err, EBADMSG, "'%s': the probe %s:%s at 0x%llx lies in no segment of code", file->path, note->provider,
				 note->name, (unsigned long long)probe->address);
	if (note->semaphore && !ebpf_elf_offset(file->elf, PF_W, note->semaphore + moved, &probe->semaphore))
		return ebpf_fail(err, EBADMSG, "'%s': the semaphore of the probe %s:%s lies in no segment of data", file->path,
				 note->provider, note->name);
	probe->provider = ebpf_strdup(note->provider);
	probe->name = ebpf_strdup(note->name);
	probe->arguments = ebpf_strdup(note->arguments);
	return probe->provider && probe->name && probe->arguments ? 0 : ebpf_fail_memory(err);
}

static bool matches(const char *wanted, const char *text)
{
	return !wanted || !strcmp(wanted, text);
}

static int add_probe(const struct file *file, const struct note *note, struct ebpf_usdt *usdt, size_t *capacity,
		     struct ebpf_error *err)
{
	struct ebpf_usdt_probe *grown = ebpf_grow(usdt->probes, capacity, usdt->count, sizeof *grown);

	if (!grown)
		return ebpf_fail_memory(err);
	usdt->probes = grown;
	usdt->probes[usdt->count] = (struct ebpf_usdt_probe){ 0 };
	return fill_probe(file, note, &usdt->probes[usdt->count++], err);
}

static int read_notes(const struct file *file, const char *provider, const char *name, struct ebpf_usdt *usdt,
		      struct ebpf_error *err)
{
	size_t capacity = 0;
	int result = 0;

	for (uint64_t at = 0; !result && at < file->notes.size;) {
		uint32_t name_size, size, type;
		struct ebpf_span description;
		const char *owner;
		struct note note;

		if (!ebpf_span_u32(file->notes, at, &name_size) || !ebpf_span_u32(file->notes, at + 4, &size) ||
		    !ebpf_span_u32(file->notes, at + 8, &type) ||
		    !ebpf_span_sub(file->notes, at + 12 + ALIGNED(name_size), size, &description))
			return ebpf_fail(err, EBADMSG, "'%s': the section %s is damaged at byte %llu", file->path, NOTE_SECTION,
					 (unsigned long long)at);
		owner = ebpf_span_string(file->notes, at + 12);
		at += 12 + ALIGNED(name_size) + ALIGNED(size);
		if (type != NOTE_TYPE || name_size != sizeof NOTE_NAME || !owner || strcmp(owner, NOTE_NAME) != 0)
			continue;
		if (!read_note(file, description, &note))
			return ebpf_fail(err, EBADMSG, "'%s': a note of the section %s is cut off", file->path, NOTE_SECTION);
		if (matches(provider, note.provider) && matches(name, note.name))
			result = add_probe(file, &note, usdt, &capacity, err);
	}
	return result;
}

/* -- the whole -- */

int ebpf_usdt_read(const char *path, const char *provider, const char *name, struct ebpf_usdt **out, struct ebpf_error *err)
{
	struct ebpf_usdt *usdt = calloc(1, sizeof *usdt);
	struct file file = { 0 };
	char *found = NULL;
	int result, fd;

	*out = NULL;
	if (!usdt)
		return ebpf_fail_memory(err);
	result = ebpf_binary_find(path, &found, err);
	file.path = usdt->path = found;
	fd = result ? result : open_file(&file, err);
	if (fd < 0) {
		ebpf_usdt_free(usdt);
		return fd;
	}
	usdt->machine = file.header.e_machine;
	usdt->position_independent = file.header.e_type == ET_DYN;
	result = read_notes(&file, provider, name, usdt, err);
	ebpf_elf_close(fd, file.elf);
	if (result)
		ebpf_usdt_free(usdt);
	else
		*out = usdt;
	return result;
}

/* -- arguments -- */

/* "counter(%rip)": the variable's address less the instruction's, which is the probe's. */
static int resolve(const struct ebpf_usdt *usdt, const struct ebpf_usdt_probe *probe, struct ebpf_usdt_argument *argument,
		   struct ebpf_error *err)
{
	uint64_t address;
	Elf *elf = NULL;
	int fd = ebpf_elf_open(usdt->path, &elf, err);
	bool found;

	if (fd < 0)
		return fd;
	found = ebpf_elf_address(elf, argument->symbol, argument->symbol_size, &address);
	ebpf_elf_close(fd, elf);
	if (!found)
		return ebpf_fail(err, ENOENT, "the file has no symbol '%.*s', where an argument is kept", (int)argument->symbol_size,
				 argument->symbol);
	argument->value += (int64_t)(address - probe->address);
	return 0;
}

int ebpf_usdt_arguments(const struct ebpf_usdt *usdt, const struct ebpf_usdt_probe *probe, struct ebpf_usdt_argument *out,
			struct ebpf_error *err)
{
	int result = 0, count = 0;
	const char *text = probe->arguments;
	size_t size;

	for (; !result && (text = ebpf_usdt_first(text, &size)) != NULL; text += size, count++) {
		if (count == EBPF_USDT_ARGUMENTS_MAX)
			return ebpf_fail(err, E2BIG, "'%s': probe %s:%s: more than %d arguments", usdt->path, probe->provider,
					 probe->name, count);
		result = ebpf_usdt_argument(text, size, usdt->machine, &out[count], err);
		if (!result && out[count].symbol)
			result = resolve(usdt, probe, &out[count], err);
	}
	if (result)
		return ebpf_wrap(err, result, "'%s': probe %s:%s: argument %d", usdt->path, probe->provider, probe->name, count);
	return count;
}
