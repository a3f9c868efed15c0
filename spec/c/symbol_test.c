/* symbol_test.c -- functions in ELF files (made here, byte by byte), and where libraries and programs are found. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbol/symbol.h"
#include "descriptors.h"
#include "test.h"

static struct ebpf_error error;
static char folder[] = "/tmp/ebpf_symbol_test_XXXXXX";
static char path[128];

/* -- a shared library of bytes: code at address 0x401000 is at offset 0x1000 of the file; versions V1 (2) and V2 (3) --
 */

#define HOST_DATA (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)
enum { CODE_ADDRESS = 0x401000, CODE_OFFSET = 0x1000, CODE_SIZE = 0x1000 };
enum { DYNSYM = 1, DYNSTR, VERSYM, VERDEF, SYMTAB, STRTAB, TEXT, SECTIONS };

struct symbol {
	const char *name;
	unsigned char binding, type;
	bool defined;
	uint64_t value, size;
	uint16_t version; /* of dynamic symbols; 0x8000 = not the default */
};

static const struct symbol dynamic_symbols[] = {
	{ "plain", STB_GLOBAL, STT_FUNC, true, 0x401010, 16, 1 },
	{ "old_and_new", STB_GLOBAL, STT_FUNC, true, 0x401020, 8, 2 | 0x8000 },
	{ "old_and_new", STB_GLOBAL, STT_FUNC, true, 0x401030, 8, 3 },
	{ "imported", STB_GLOBAL, STT_FUNC, false, 0, 0, 1 },
	{ "object", STB_GLOBAL, STT_OBJECT, true, 0x401040, 8, 1 },
	{ "resolver", STB_GLOBAL, STT_GNU_IFUNC, true, 0x401050, 8, 1 },
	{ "aliased", STB_GLOBAL, STT_FUNC, true, 0x401060, 8, 2 },
	{ "aliased", STB_GLOBAL, STT_FUNC, true, 0x401060, 8, 3 },
	{ "only_old", STB_GLOBAL, STT_FUNC, true, 0x401068, 8, 2 | 0x8000 },
};
static const struct symbol static_symbols[] = {
	{ "twice", STB_LOCAL, STT_FUNC, true, 0x401070, 8, 0 },
	{ "twice", STB_LOCAL, STT_FUNC, true, 0x401080, 8, 0 },
	{ "weak_and_strong", STB_WEAK, STT_FUNC, true, 0x401090, 8, 0 },
	{ "weak_and_strong", STB_GLOBAL, STT_FUNC, true, 0x4010a0, 8, 0 },
	{ "versioned@V1", STB_GLOBAL, STT_FUNC, true, 0x4010b0, 8, 0 },
	{ "versioned@@V2", STB_GLOBAL, STT_FUNC, true, 0x4010c0, 8, 0 },
	{ "outside", STB_GLOBAL, STT_FUNC, true, 0x900000, 8, 0 },
	{ "plain", STB_GLOBAL, STT_FUNC, true, 0x4010d0, 16, 0 },
};

struct image {
	uint8_t bytes[8192];
	size_t size;
	Elf64_Shdr sections[SECTIONS];
};

static size_t append(struct image *image, const void *data, size_t size)
{
	size_t at = (image->size + 7) & ~7UL;

	memcpy(image->bytes + at, data, size);
	image->size = at + size;
	return at;
}

static void add_section(struct image *image, int index, uint32_t type, const void *data, size_t size, uint32_t link,
			uint64_t entry)
{
	image->sections[index] = (Elf64_Shdr){ .sh_type = type,
					       .sh_offset = append(image, data, size),
					       .sh_size = size,
					       .sh_link = link,
					       .sh_entsize = entry,
					       .sh_addralign = 1 };
}

static void add_symbols(struct image *image, int index, uint32_t type, const struct symbol *symbols, size_t count)
{
	Elf64_Sym table[32] = { 0 };
	char strings[512] = "";
	size_t end = 1;

	for (size_t i = 0; i < count; i++) {
		table[i + 1] = (Elf64_Sym){ .st_name = (uint32_t)end,
					    .st_info = ELF64_ST_INFO(symbols[i].binding, symbols[i].type),
					    .st_shndx = symbols[i].defined ? TEXT : SHN_UNDEF,
					    .st_value = symbols[i].value,
					    .st_size = symbols[i].size };
		strcpy(strings + end, symbols[i].name);
		end += strlen(symbols[i].name) + 1;
	}
	add_section(image, index, type, table, (count + 1) * sizeof table[0], (uint32_t)index + 1, sizeof table[0]);
	if (index == DYNSYM) {
		memcpy(strings + end, "V1\0V2", 6);
		end += 6;
	}
	add_section(image, index + 1, SHT_STRTAB, strings, end, 0, 0);
}

/* Names of the versions are the last 6 bytes of .dynstr. */
static void add_versions(struct image *image)
{
	uint32_t names = (uint32_t)image->sections[DYNSTR].sh_size - 6;
	uint16_t versions[32] = { 0 };
	struct { Elf64_Verdef definition; Elf64_Verdaux name; } definitions[2];

	for (size_t i = 0; i < EBPF_COUNT(dynamic_symbols); i++)
		versions[i + 1] = dynamic_symbols[i].version;
	add_section(image, VERSYM, SHT_GNU_versym, versions, (EBPF_COUNT(dynamic_symbols) + 1) * 2, DYNSYM, 2);
	for (uint16_t i = 0; i < 2; i++) {
		definitions[i].definition = (Elf64_Verdef){ .vd_version = 1,
							    .vd_ndx = i + 2,
							    .vd_cnt = 1,
							    .vd_aux = sizeof(Elf64_Verdef),
							    .vd_next = i == 0 ? sizeof definitions[0] : 0 };
		definitions[i].name = (Elf64_Verdaux){ .vda_name = names + i * 3U };
	}
	add_section(image, VERDEF, SHT_GNU_verdef, definitions, sizeof definitions, DYNSTR, 0);
}

static void make_image(struct image *image)
{
	Elf64_Ehdr *head = (void *)image->bytes;
	Elf64_Phdr segments[] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0x400000, .p_filesz = 0x1000, .p_memsz = 0x1000 },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_offset = CODE_OFFSET,
		  .p_vaddr = CODE_ADDRESS,
		  .p_filesz = CODE_SIZE,
		  .p_memsz = CODE_SIZE },
	};
	size_t at;

	memset(image, 0, sizeof *image);
	image->size = sizeof *head;
	*head = (Elf64_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, HOST_DATA, EV_CURRENT },
			      .e_type = ET_DYN,
			      .e_machine = EM_X86_64,
			      .e_version = EV_CURRENT,
			      .e_ehsize = sizeof *head,
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 2,
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = SECTIONS };
	at = append(image, segments, sizeof segments);
	head->e_phoff = at;
	add_symbols(image, DYNSYM, SHT_DYNSYM, dynamic_symbols, EBPF_COUNT(dynamic_symbols));
	add_versions(image);
	add_symbols(image, SYMTAB, SHT_SYMTAB, static_symbols, EBPF_COUNT(static_symbols));
	image->sections[TEXT] = (Elf64_Shdr){
		.sh_type = SHT_NOBITS, .sh_addr = CODE_ADDRESS, .sh_size = CODE_SIZE, .sh_offset = CODE_OFFSET
	};
	at = append(image, image->sections, sizeof image->sections);
	head->e_shoff = at;
}

static void write_file(const char *file, const void *data, size_t size)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_INT(write(fd, data, size), size);
	close(fd);
}

/* -- names -- */

static void check_found(const char *symbol, uint64_t address)
{
	uint64_t offset = 0;
	int result = ebpf_binary_symbol(path, symbol, &offset, NULL, &error);

	if (result)
		fprintf(stderr, "%s: %s\n", symbol, error.message);
	CHECK_INT(result, 0);
	CHECK_INT(offset, address - CODE_ADDRESS + CODE_OFFSET);
	ebpf_error_clear(&error);
}

static void check_missing(const char *symbol, int code, const char *message, const char *hint)
{
	uint64_t offset = 77;

	CHECK_INT(ebpf_binary_symbol(path, symbol, &offset, NULL, &error), -code);
	CHECK_INT(offset, 77);
	if (!strstr(error.message, message) || !strstr(error.hint, hint))
		fprintf(stderr, "%s: %s [%s]\n", symbol, error.message, error.hint), test_failures++;
	ebpf_error_clear(&error);
}

static void test_names(void)
{
	uint64_t offset, size = 0;

	check_found("plain", 0x401010); /* of the two tables the dynamic one comes first */
	CHECK_INT(ebpf_binary_symbol(path, "plain", &offset, &size, &error), 0);
	CHECK_INT(size, 16);
	check_found("old_and_new", 0x401030);
	check_found("old_and_new@V1", 0x401020);
	check_found("old_and_new@@V2", 0x401030);
	check_found("old_and_new@V2", 0x401030);
	check_missing("old_and_new@V3", ENOENT, "no version 'V3'", "");
	check_found("only_old", 0x401068);
	check_found("aliased", 0x401060);
	check_found("resolver", 0x401050);
	check_found("weak_and_strong", 0x4010a0);
	check_found("versioned", 0x4010c0);
	check_found("versioned@V1", 0x4010b0);
	check_found("versioned@@V2", 0x4010c0);
	check_missing("twice", EEXIST, "0x1070 and at 0x1080", "offset");
	check_missing("imported", ENOENT, "only used by it", "library");
	check_missing("object", ENOENT, "no function 'object'", "");
	check_missing("plaim", ENOENT, "no function 'plaim'", "'plain'");
	check_missing("plai", ENOENT, "no function", "");
	check_missing("outside", EINVAL, "no segment", "");
	check_missing("", EINVAL, "no name", "");
	check_missing("plain@", EINVAL, "no name", "");
	check_missing("@V1", EINVAL, "no name", "");
}

/* -- files that are none -- */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void test_bad_files(const struct image *good)
{
	static const char *const symbols[] = { "plain", "old_and_new@V1", "twice", "nowhere" };
	uint32_t state = 2463534242U;
	uint64_t offset;
	int fds = open_fds();

	write_file(path, "", 0);
	check_missing("plain", ENOEXEC, path, "");
	write_file(path, "#!/bin/sh\n", 10);
	check_missing("plain", ENOEXEC, "neither a program nor a shared library", "");
	for (size_t size = 0; size < good->size; size += 13) {
		write_file(path, good->bytes, size);
		ebpf_binary_symbol(path, "old_and_new@V1", &offset, NULL, &error);
		ebpf_error_clear(&error);
	}
	for (int i = 0; i < 3000; i++) {
		struct image bad = *good;

		for (uint32_t n = next_random(&state) % 6 + 1; n; n--)
			bad.bytes[next_random(&state) % bad.size] =
				(uint8_t)(next_random(&state) % 3 ? next_random(&state) : 0xff);
		write_file(path, bad.bytes, bad.size);
		ebpf_binary_symbol(path, symbols[i % 4], &offset, NULL, &error);
		ebpf_error_clear(&error);
	}
	CHECK_INT(ebpf_binary_symbol("/nonexistent", "f", &offset, NULL, &error), -ENOENT);
	CHECK_INT(ebpf_binary_symbol("/proc", "f", &offset, NULL, &error), -ENOEXEC);
	ebpf_error_clear(&error);
	CHECK_INT(open_fds(), fds);
}

/* -- finding files -- */

int symbol_test_own(void);
__attribute__((noinline, visibility("default"))) int symbol_test_own(void)
{
	return 1;
}

static void check_file(const char *name, const char *part)
{
	char *found = NULL;
	int result = ebpf_binary_find(name, &found, &error);

	if (result)
		fprintf(stderr, "%s: %s [%s]\n", name, error.message, error.hint);
	CHECK_INT(result, 0);
	CHECK(found && found[0] == '/' && strstr(found, part) && access(found, R_OK) == 0);
	free(found);
	ebpf_error_clear(&error);
}

static void check_no_file(const char *name, int code, const char *hint)
{
	char *found = NULL;

	CHECK_INT(ebpf_binary_find(name, &found, &error), -code);
	CHECK(!found);
	CHECK(strstr(error.hint, hint));
	ebpf_error_clear(&error);
}

static uint16_t own_machine(void)
{
	Elf64_Ehdr head = { 0 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CHECK(read(fd, &head, sizeof head) > 0);
	close(fd);
	return head.e_machine;
}

static void test_find(struct image *image)
{
	Elf64_Ehdr *head = (void *)image->bytes;
	uint64_t offset = 0;
	char name[128], here[PATH_MAX], *found = NULL;

	check_file("libc.so.6", "/libc.so.6");
	check_file("libc", "/libc.so");
	check_no_file("libnone.so.1", ENOENT, "/etc/ld.so.cache");
	check_no_file("no_such_program", ENOENT, "PATH");
	check_no_file("./no_such_program", ENOENT, "");
	check_no_file("", EINVAL, "");
	check_file("/proc/self/exe", "/proc/self/exe");
	snprintf(name, sizeof name, "/proc/%d/root/proc/%d/exe", (int)getpid(), (int)getpid());
	CHECK_INT(ebpf_binary_find(name, &found, &error), 0);
	CHECK_STR(found, name); /* unchanged: the link must be followed by the kernel, not by us */
	free(found);
	CHECK_INT(ebpf_binary_symbol("/proc/self/exe", "symbol_test_own", &offset, NULL, &error), 0);
	CHECK(offset > 0 && symbol_test_own());
	CHECK(getcwd(here, sizeof here) && chdir("/proc/self") == 0);
	check_file("./exe", "/exe");
	CHECK_INT(chdir(here), 0);
	snprintf(name, sizeof name, "%s/libebpf_none.so", folder);
	setenv("LD_LIBRARY_PATH", folder, 1);
	head->e_machine = EM_AVR; /* the twin of another machine is stepped over */
	write_file(name, image->bytes, image->size);
	check_no_file("libebpf_none.so", ENOENT, "LD_LIBRARY_PATH");
	head->e_machine = own_machine();
	write_file(name, image->bytes, image->size);
	if (sizeof(void *) == 8)
		check_file("libebpf_none.so", folder);
	unlink(name);
	setenv("PATH", "", 1);
	check_no_file("no_such_program", ENOENT, "PATH");
	unsetenv("PATH");
	unsetenv("LD_LIBRARY_PATH");
}

int main(void)
{
	static struct image image;
	int fds = open_fds();

	if (!mkdtemp(folder))
		return perror(folder), 1;
	snprintf(path, sizeof path, "%s/library.so", folder);
	make_image(&image);
	write_file(path, image.bytes, image.size);
	test_names();
	test_bad_files(&image);
	test_find(&image);
	CHECK_INT(open_fds(), fds);
	unlink(path);
	rmdir(folder);
	return TEST_RESULT();
}
