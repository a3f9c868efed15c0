/* usdt_image.h -- for tests: an ELF file, of either class and byte order, around the bytes of a section of USDT notes. */
#ifndef EBPF_SPEC_USDT_IMAGE_H
#define EBPF_SPEC_USDT_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Code lies at CODE in memory and 0x1000 in the file, data at DATA and 0x2000. */
enum { IMAGE_CODE = 0x401000, IMAGE_DATA = 0x602000, IMAGE_BASE = 0x401800, IMAGE_NOTES = 0x400, IMAGE_MAX = 0x10000 };

struct image {
	uint8_t bytes[IMAGE_MAX];
	size_t size;
	bool wide, big;
	uint16_t machine, type;
};

static void image_put(struct image *image, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size && image->size < sizeof image->bytes; i++)
		image->bytes[image->size++] = (uint8_t)(value >> 8 * (image->big ? size - 1 - i : i));
}

/* An address or a size of the class. */
static void image_word(struct image *image, uint64_t value)
{
	image_put(image, value, image->wide ? 8 : 4);
}

static void image_segment(struct image *image, uint32_t flags, uint64_t offset, uint64_t address, uint64_t size)
{
	image_put(image, PT_LOAD, 4);
	if (image->wide)
		image_put(image, flags, 4);
	image_word(image, offset);
	image_word(image, address);
	image_word(image, address);
	image_word(image, size);
	image_word(image, size);
	if (!image->wide)
		image_put(image, flags, 4);
	image_word(image, 0x1000);
}

static void image_section(struct image *image, uint32_t name, uint32_t type, uint64_t address, uint64_t offset, uint64_t size)
{
	image_put(image, name, 4);
	image_put(image, type, 4);
	image_word(image, 0);
	image_word(image, address);
	image_word(image, offset);
	image_word(image, size);
	image_put(image, 0, 8);
	image_word(image, 4);
	image_word(image, 0);
}

/* The rest of `image` is given: class, byte order, machine and type. With base 0 there is no .stapsdt.base. */
static void image_make(struct image *image, const uint8_t *notes, size_t size, uint64_t base)
{
	static const char names[] = "\0.note.stapsdt\0.stapsdt.base\0.shstrtab";
	const size_t header = image->wide ? 64 : 52, segment = image->wide ? 56 : 32, section = image->wide ? 64 : 40;
	const uint8_t ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', image->wide ? ELFCLASS64 : ELFCLASS32,
					   image->big ? ELFDATA2MSB : ELFDATA2LSB, EV_CURRENT };
	size_t names_at = header + 2 * segment, sections_at = 0x200;

	memset(image->bytes, 0, sizeof image->bytes);
	memcpy(image->bytes, ident, sizeof ident);
	image->size = sizeof ident;
	image_put(image, image->type, 2);
	image_put(image, image->machine, 2);
	image_put(image, EV_CURRENT, 4);
	image_word(image, IMAGE_CODE);
	image_word(image, header);
	image_word(image, sections_at);
	image_put(image, 0, 4);
	image_put(image, header, 2);
	image_put(image, segment, 2);
	image_put(image, 2, 2);
	image_put(image, section, 2);
	image_put(image, 4, 2);
	image_put(image, 3, 2);
	image_segment(image, PF_R | PF_X, 0x1000, IMAGE_CODE, 0x1000);
	image_segment(image, PF_R | PF_W, 0x2000, IMAGE_DATA, 0x1000);
	memcpy(image->bytes + names_at, names, sizeof names);
	image->size = sections_at + section;
	image_section(image, 1, SHT_NOTE, 0, IMAGE_NOTES, size);
	image_section(image, 15, base ? SHT_PROGBITS : SHT_NULL, base, IMAGE_NOTES, base ? 1 : 0);
	if (!base)
		memset(image->bytes + sections_at + 2 * section, 0, 4); /* nor its name */
	image_section(image, 29, SHT_STRTAB, 0, names_at, sizeof names);
	if (size > sizeof image->bytes - IMAGE_NOTES)
		size = sizeof image->bytes - IMAGE_NOTES;
	memcpy(image->bytes + IMAGE_NOTES, notes, size);
	image->size = IMAGE_NOTES + size > 0x3000 ? IMAGE_NOTES + size : 0x3000;
}

#endif
