/* debug.c -- the file beside a stripped program or library that still has its full symbol table.
 *
 * Named in two ways, which are tried in this order: by the build id, a note that both files have ("-dbgsym" packages:
 * /usr/lib/debug/.build-id/ab/cdef.debug), and by .gnu_debuglink, which has a file's name and the checksum of its bytes. What is
 * found is taken only when it proves to belong to the file: a table of another build would lead to wrong places.
 *
 * For a file by /proc/PID/root the folders below that root come before our own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "symbol/elf.h"

#define DEBUG_FOLDER "/usr/lib/debug"
#define LINK_SECTION ".gnu_debuglink"
#define BUILD_ID_MAX 64
#define OUR_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

struct wanted {
	char folder[4096];    /* of the file, with a slash at its end */
	size_t root;          /* of it, bytes that lead to the root of its process; 0 = ours */
	uint8_t id[BUILD_ID_MAX];
	size_t id_size;       /* 0 = it has none */
	const char *link;     /* a file's name; NULL = it names none */
	uint32_t checksum;
};

/* -- what a file says of itself -- */

static size_t build_id(Elf *elf, uint8_t id[BUILD_ID_MAX])
{
	Elf_Scn *section = NULL;
	size_t name_at, text_at, at, next;
	GElf_Shdr header;
	GElf_Nhdr note;
	Elf_Data *data;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE || !(data = elf_getdata(section, NULL)))
			continue;
		for (at = 0; (next = gelf_getnote(data, at, &note, &name_at, &text_at)) > at; at = next) {
			if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof ELF_NOTE_GNU || note.n_descsz > BUILD_ID_MAX ||
			    memcmp((char *)data->d_buf + name_at, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) != 0)
				continue;
			memcpy(id, (char *)data->d_buf + text_at, note.n_descsz);
			return note.n_descsz;
		}
	}
	return 0;
}

/* The section has a name, zeros up to a multiple of four bytes, and the checksum in the file's byte order. */
static void read_link(Elf *elf, struct wanted *wanted)
{
	Elf_Scn *section = NULL;
	struct ebpf_span span;
	GElf_Shdr header;
	size_t strings;
	Elf_Data *data;
	bool swapped;

	if (elf_getshdrstrndx(elf, &strings))
		return;
	while ((section = elf_nextscn(elf, section)) != NULL) {
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, strings, header.sh_name) : NULL;

		if (!name || strcmp(name, LINK_SECTION) != 0 || !(data = elf_rawdata(section, NULL)) || !data->d_buf)
			continue;
		swapped = elf_getident(elf, NULL)[EI_DATA] != OUR_ORDER;
		span = (struct ebpf_span){ .data = data->d_buf, .size = data->d_size, .swapped = swapped };
		name = ebpf_span_string(span, 0);
		if (name && *name && !strchr(name, '/') && ebpf_span_u32(span, (strlen(name) + 4) & ~3UL, &wanted->checksum))
			wanted->link = name;
		return;
	}
}

/* -- whether a file is the wanted one -- */

static bool has_checksum(int fd, uint32_t checksum)
{
	const struct ebpf_sys *sys = &ebpf_sys_linux;
	uLong sum = crc32(0, NULL, 0);
	unsigned char chunk[8192];
	ssize_t got;

	if (lseek(fd, 0, SEEK_SET))
		return false;
	while ((got = sys->read(fd, chunk, sizeof chunk)) > 0)
		sum = crc32(sum, chunk, (uInt)got);
	return got == 0 && sum == checksum;
}

static int try(const struct wanted *wanted, char *path, Elf **debug)
{
	uint8_t id[BUILD_ID_MAX];
	size_t size;
	int fd;

	if (!path)
		return -ENOMEM;
	fd = ebpf_elf_open(path, debug, NULL);
	free(path);
	if (fd < 0)
		return fd;
	size = build_id(*debug, id);
	if (wanted->id_size && size ? size == wanted->id_size && !memcmp(id, wanted->id, size)
				    : wanted->link && has_checksum(fd, wanted->checksum))
		return fd;
	ebpf_elf_close(fd, *debug);
	return -ENOENT;
}

/* -- where it may lie -- */

static int try_id(const struct wanted *wanted, size_t root, Elf **debug)
{
	char text[2 * BUILD_ID_MAX + 1];

	for (size_t i = 0; i < wanted->id_size; i++)
		snprintf(text + 2 * i, 3, "%02x", wanted->id[i]);
	if (wanted->id_size < 2)
		return -ENOENT;
	return try(wanted, ebpf_sprintf("%.*s" DEBUG_FOLDER "/.build-id/%.2s/%s.debug", (int)root, wanted->folder, text, text + 2), debug);
}

static int try_link(const struct wanted *wanted, Elf **debug)
{
	int fd;

	if (!wanted->link)
		return -ENOENT;
	fd = try(wanted, ebpf_sprintf("%s%s", wanted->folder, wanted->link), debug);
	if (fd < 0)
		fd = try(wanted, ebpf_sprintf("%s.debug/%s", wanted->folder, wanted->link), debug);
	if (fd < 0)
		fd = try(wanted, ebpf_sprintf("%.*s" DEBUG_FOLDER "%s%s", (int)wanted->root, wanted->folder,
					      wanted->folder + wanted->root, wanted->link), debug);
	return fd;
}

int ebpf_elf_debug(const char *path, Elf *elf, Elf **debug)
{
	struct wanted wanted = { 0 };
	int folder = (int)(strrchr(path, '/') ? strrchr(path, '/') + 1 - path : 0), fd;

	*debug = NULL;
	if ((size_t)snprintf(wanted.folder, sizeof wanted.folder, "%.*s", folder, path) >= sizeof wanted.folder)
		return -ENAMETOOLONG;
	wanted.root = ebpf_process_root(path);
	wanted.id_size = build_id(elf, wanted.id);
	read_link(elf, &wanted);
	fd = try_id(&wanted, wanted.root, debug);
	if (fd < 0 && wanted.root)
		fd = try_id(&wanted, 0, debug);
	if (fd < 0)
		fd = try_link(&wanted, debug);
	if (fd < 0)
		*debug = NULL;
	return fd;
}
