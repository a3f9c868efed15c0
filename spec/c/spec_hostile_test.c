/* The room src/spec: bytes that are not what they should be give an error that says what is wrong, and hurt nobody.
 * Objects: EBPF_TEST_OBJECTS or the first argument, default build/spec/bpf. */
#include <unistd.h>
#include <elf.h>
#include <stdlib.h>

#include "spec/spec.h"
#include "test.h"

static const char *directory = "build/spec/bpf";

static uint8_t *read_bytes(const char *name, bool other_order, size_t *size)
{
	char path[512];
	uint8_t *bytes;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s.bpf.o", directory, other_order ? "big/" : "", name);
	file = fopen(path, "rb");
	if (!file) {
		perror(path);
		exit(1);
	}
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	if (!bytes || fread(bytes, 1, *size, file) != *size)
		exit(1);
	fclose(file);
	return bytes;
}

/* Reads from a block of exactly that size, so that a step outside is seen; walks what comes out. */
static int try(const uint8_t *bytes, size_t size)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	uint8_t *copy = malloc(size ? size : 1);
	int result;

	memcpy(copy, bytes, size);
	result = ebpf_spec_read(copy, size, "x", &spec, &err);
	free(copy);
	if (result) {
		CHECK(result < 0 && err.code == -result && !spec);
		CHECK(!strncmp(err.message, "object 'x': ", 12) && strlen(err.message) > 16);
	} else {
		for (size_t i = 0; i < spec_impl(spec)->function_count; i++) {
			const struct ebpf_function *function = spec_impl(spec)->functions[i];

			for (size_t l = 0; l < function->line_count; l++)
				CHECK(function->lines[l].insn < function->insn_count && function->lines[l].file &&
				      function->lines[l].line);
			for (size_t r = 0; r < function->relo_count; r++)
				CHECK(function->relos[r].insn < function->insn_count && function->relos[r].access);
			for (size_t r = 0; r < function->reference_count; r++)
				CHECK(function->references[r].insn < function->insn_count && function->references[r].map);
		}
		for (size_t i = 0; i < spec->variable_count; i++)
			CHECK(spec->variables[i]->offset + spec->variables[i]->size <= spec->variables[i]->map->value_size);
		ebpf_spec_free(spec);
	}
	ebpf_error_clear(&err);
	return result;
}

/* Marks the bytes of DWARF sections, which the reader never looks at. */
static bool *find_dull(const uint8_t *bytes, size_t size)
{
	bool *dull = calloc(size, 1);
	const Elf64_Ehdr *header = (const void *)bytes;
	const Elf64_Shdr *sections = (const void *)(bytes + header->e_shoff);
	const char *names = (const char *)bytes + sections[header->e_shstrndx].sh_offset;

	for (int i = 1; i < header->e_shnum; i++)
		if (strstr(names + sections[i].sh_name, ".debug_") && sections[i].sh_type != SHT_NOBITS)
			memset(dull + sections[i].sh_offset, 1, sections[i].sh_size);
	return dull;
}

/* -- objects that are wrong in one way: the message says in which -- */

static Elf64_Shdr *find_section(uint8_t *bytes, const char *name)
{
	const Elf64_Ehdr *header = (const void *)bytes;
	Elf64_Shdr *sections = (void *)(bytes + header->e_shoff);
	const char *names = (const char *)bytes + sections[header->e_shstrndx].sh_offset;

	for (int i = 1; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return &sections[i];
	fprintf(stderr, "not ok: no section %s\n", name);
	exit(1);
}

static Elf64_Sym *find_symbol(uint8_t *bytes, const char *name)
{
	const Elf64_Shdr *table = find_section(bytes, ".symtab");
	Elf64_Sym *symbols = (void *)(bytes + table->sh_offset);
	const char *names = (const char *)bytes + find_section(bytes, ".strtab")->sh_offset;

	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++)
		if (!strcmp(names + symbols[i].st_name, name))
			return &symbols[i];
	fprintf(stderr, "not ok: no symbol %s\n", name);
	exit(1);
}

enum wrong {
	CLASS,
	MACHINE,
	TYPE,
	BYTE_ORDER_,
	NO_SYMBOLS,
	TWO_TABLES,
	SYMBOL_SIZE,
	RELA,
	REL_TARGET,
	REL_SIZE,
	REL_OFFSET,
	REL_SYMBOL,
	REL_TWICE,
	COMPRESSED,
	OUTSIDE,
	HUGE_BSS,
	NO_BTF,
	BAD_BTF,
	OLD_MAPS,
	STATIC_MAP,
	NOT_ZERO,
	FUNCTION_SIZE,
	FUNCTION_END,
	FUNCTION_OVERLAP,
	CALL_NOWHERE,
	NOT_CALLED,
	NO_NAME,
	NO_EXTERN,
	TWO_LICENSES,
	BAD_VERSION,
};

static void make_wrong(uint8_t *bytes, enum wrong wrong)
{
	Elf64_Ehdr *header = (void *)bytes;

	switch (wrong) {
	case CLASS:
		bytes[EI_CLASS] = ELFCLASS32;
		break;
	case MACHINE:
		header->e_machine = EM_X86_64;
		break;
	case TYPE:
		header->e_type = ET_EXEC;
		break;
	case BYTE_ORDER_:
		bytes[EI_DATA] = 3;
		break;
	case NO_SYMBOLS:
		find_section(bytes, ".symtab")->sh_type = SHT_NOTE;
		break;
	case TWO_TABLES:
		find_section(bytes, ".debug_line")->sh_type = SHT_SYMTAB;
		break;
	case SYMBOL_SIZE:
		find_section(bytes, ".symtab")->sh_entsize = 16;
		break;
	case RELA:
		find_section(bytes, ".relsocket")->sh_type = SHT_RELA;
		break;
	case REL_TARGET:
		find_section(bytes, ".relsocket")->sh_info = 1000;
		break;
	case REL_SIZE:
		find_section(bytes, ".relsocket")->sh_size -= 8;
		break;
	case REL_OFFSET:
		((Elf64_Rel *)(void *)(bytes + find_section(bytes, ".relsocket")->sh_offset))->r_offset = 1 << 20;
		break;
	case REL_SYMBOL:
		((Elf64_Rel *)(void *)(bytes + find_section(bytes, ".relsocket")->sh_offset))->r_info = 50000ULL << 32;
		break;
	case REL_TWICE:
		((Elf64_Rel *)(void *)(bytes + find_section(bytes, ".relsocket")->sh_offset))[1] =
		        ((Elf64_Rel *)(void *)(bytes + find_section(bytes, ".relsocket")->sh_offset))[0];
		break;
	case COMPRESSED:
		find_section(bytes, "socket")->sh_flags |= SHF_COMPRESSED;
		break;
	case OUTSIDE:
		find_section(bytes, "socket")->sh_size = 1 << 20;
		break;
	case HUGE_BSS:
		find_section(bytes, ".bss")->sh_size = 1ULL << 40;
		break;
	case NO_BTF:
		find_section(bytes, ".BTF")->sh_name = find_section(bytes, ".strtab")->sh_name;
		break;
	case BAD_BTF:
		bytes[find_section(bytes, ".BTF")->sh_offset] = 0;
		break;
	case OLD_MAPS:
		memcpy(bytes + ((Elf64_Shdr *)(void *)(bytes + header->e_shoff))[header->e_shstrndx].sh_offset +
		               find_section(bytes, ".maps")->sh_name,
		       "maps", 5);
		break;
	case STATIC_MAP:
		find_symbol(bytes, "hash")->st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT);
		break;
	case NOT_ZERO:
		bytes[find_section(bytes, ".maps")->sh_offset + 1] = 1;
		break;
	case FUNCTION_SIZE:
		find_symbol(bytes, "uses_maps")->st_size -= 4;
		break;
	case FUNCTION_END:
		find_symbol(bytes, "uses_maps")->st_size += 8;
		break;
	case FUNCTION_OVERLAP:
		find_symbol(bytes, "tail_one")->st_size += 8;
		break;
	case CALL_NOWHERE:
		find_symbol(bytes, "text_static")->st_value += 8, find_symbol(bytes, "text_static")->st_size -= 8;
		break;
	case NOT_CALLED:
		find_symbol(bytes, "text_weak")->st_shndx = find_symbol(bytes, "map")->st_shndx;
		break;
	case NO_NAME:
		find_symbol(bytes, "uses_maps")->st_name = 1 << 24;
		break;
	case NO_EXTERN:
		find_symbol(bytes, "acquire")->st_name = find_symbol(bytes, "out")->st_name;
		break;
	case TWO_LICENSES:
		find_section(bytes, "version")->sh_name = find_section(bytes, "license")->sh_name;
		break;
	case BAD_VERSION:
		find_section(bytes, "version")->sh_size = 3;
		break;
	}
}

static void test_wrong(void)
{
	static const struct {
		enum wrong wrong;
		const char *object;
		int code;
		const char *message;
	} cases[] = {
	        {CLASS, "spec_maps", EINVAL, "ELF"},
	        {MACHINE, "spec_maps", EINVAL, "machine 62, not for BPF"},
	        {TYPE, "spec_maps", EINVAL, "not a relocatable"},
	        {BYTE_ORDER_, "spec_maps", EINVAL, ""},
	        {NO_SYMBOLS, "spec_maps", ENOENT, "no symbol table"},
	        {TWO_TABLES, "spec_maps", EINVAL, "two symbol tables"},
	        {SYMBOL_SIZE, "spec_maps", EINVAL, "'.symtab'"},
	        {RELA, "spec_maps", ENOTSUP, "section '.relsocket': relocations with addends"},
	        {REL_TARGET, "spec_maps", EINVAL, "section 1000, which does not exist"},
	        {REL_SIZE, "spec_maps", EINVAL, "section '.relsocket': its size"},
	        {REL_OFFSET, "spec_maps", EINVAL, "past the end of section 'socket'"},
	        {REL_SYMBOL, "spec_maps", EINVAL, "symbol 50000"},
	        {REL_TWICE, "spec_maps", EINVAL, "two relocations"},
	        {COMPRESSED, "spec_maps", ENOTSUP, "section 'socket': compressed"},
	        {OUTSIDE, "spec_maps", EINVAL, "not all in the file"},
	        {HUGE_BSS, "spec_data", E2BIG, "section '.bss'"},
	        {NO_BTF, "spec_maps", ENOENT, "no types (BTF)"},
	        {BAD_BTF, "spec_maps", EINVAL, "section '.BTF'"},
	        {OLD_MAPS, "spec_maps", EINVAL, "map 'counters': its definition in section 'maps' does not say its type"},
	        {STATIC_MAP, "spec_maps", ENOENT, "map 'hash'"},
	        {NOT_ZERO, "spec_maps", ENOTSUP, "its definition is initialised"},
	        {FUNCTION_SIZE, "spec_maps", EINVAL, "function 'uses_maps'"},
	        {FUNCTION_END, "spec_maps", EINVAL, "crosses the end"},
	        {FUNCTION_OVERLAP, "spec_maps", EINVAL, "'tail_one' and 'tail_two' overlap"},
	        {CALL_NOWHERE, "spec_code", EINVAL, "it calls where no function begins"},
	        {NOT_CALLED, "spec_code", EINVAL, "against 'text_weak'"},
	        {NO_NAME, "spec_maps", EINVAL, "name"},
	        {NO_EXTERN, "spec_extern", ENOENT, "extern 'out'"},
	        {TWO_LICENSES, "spec_maps", EINVAL, "section 'license': there are two"},
	        {BAD_VERSION, "spec_maps", EINVAL, "section 'version'"},
	};

	for (size_t i = 0; i < EBPF_COUNT(cases); i++) {
		struct ebpf_error err = {0};
		struct ebpf_spec *spec = NULL;
		size_t size;
		uint8_t *bytes = read_bytes(cases[i].object, false, &size);

		make_wrong(bytes, cases[i].wrong);
		CHECK_INT(ebpf_spec_read(bytes, size, "dir/o", &spec, &err), -err.code);
		if (err.code != cases[i].code || !strstr(err.message, cases[i].message)) {
			fprintf(stderr, "not ok: wrong %d: %d %s\n", cases[i].wrong, err.code, err.message);
			test_failures++;
		}
		CHECK(!strncmp(err.message, "object 'dir/o': ", 16) && !spec);
		ebpf_error_clear(&err);
		free(bytes);
	}
}

/* A word of the types replaced by another that is not longer. */
static void test_renamed(void)
{
	static const struct {
		const char *object, *from, *to;
		int code;
		const char *message, *hint;
	} cases[] = {
	        {"spec_maps", "max_entries", "max_entrees", ENOTSUP, "member 'max_entrees': unknown", "max_entries"},
	        {"spec_maps", "value_size", "key_size", EINVAL, "member 'key_size': it is there twice", ""},
	        {"spec_maps", "values", "value", EINVAL, "member 'value'", ""},
	        {"spec_maps", ".maps", ".mops", ENOENT, "no types (BTF) that describe its maps", "-g"},
	        {"spec_maps", "hash", "hush", ENOENT, "map 'hush': no symbol", ""},
	        {"spec_maps", "pinning", "values", ENOTSUP, "member 'values'", ""},
	        {"spec_maps", "map_extra", "type", EINVAL, "map 'bloom': member 'type'", ""},
	        {"spec_extern", "libbpf_tristate", "some_tristate", ENOTSUP, "extern 'CONFIG_TRISTATE'", "libbpf_tristate"},
	        {"spec_extern", ".kconfig", ".kunfig", ENOENT, "neither defined in the object nor declared", "__kconfig"},
	        {"spec_extern", ".ksyms", ".kzyms", ENOENT, "neither defined in the object nor declared", "__ksym"},
	        {"spec_struct_ops", ".struct_ops", ".s", ENOENT, "section '.struct_ops': the object has no types", ""},
	        {"spec_struct_ops", "plain", "plein", ENOENT, "struct_ops 'plein': no global symbol", "static"},
	        {"spec_data", "data_u8", "data_u9", ENOENT, "variable 'data_u9' has no symbol", ""},
	};

	for (size_t i = 0; i < EBPF_COUNT(cases); i++) {
		struct ebpf_error err = {0};
		struct ebpf_spec *spec = NULL;
		size_t size, length = strlen(cases[i].from) + 2;
		uint8_t *bytes = read_bytes(cases[i].object, false, &size);
		const Elf64_Shdr *section = find_section(bytes, ".BTF");
		uint8_t *types = bytes + section->sh_offset;
		char word[64] = "";

		memcpy(word + 1, cases[i].from, length - 1); /* with a NUL before and behind */
		for (size_t at = 0; at + length <= section->sh_size; at++)
			if (!memcmp(types + at, word, length)) {
				memset(types + at + 1, 0, length - 2);
				memcpy(types + at + 1, cases[i].to, strlen(cases[i].to));
			}
		CHECK_INT(ebpf_spec_read(bytes, size, "o", &spec, &err), -cases[i].code);
		if (!strstr(err.message, cases[i].message) || !strstr(err.hint, cases[i].hint)) {
			fprintf(stderr, "not ok: renamed %s: %s (%s)\n", cases[i].from, err.message, err.hint);
			test_failures++;
		}
		ebpf_error_clear(&err);
		ebpf_spec_free(spec);
		free(bytes);
	}
}

/* Without BTF the symbols say where variables are. */
static void test_without_types(void)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	struct ebpf_variable_spec *variable;
	size_t size;
	uint8_t *bytes = read_bytes("spec_data", false, &size);

	make_wrong(bytes, NO_BTF);
	CHECK_INT(ebpf_spec_read(bytes, size, "x", &spec, &err), 0);
	free(bytes);
	if (!spec)
		exit(1);
	CHECK(!spec->btf && !ebpf_spec_find_map(spec, ".data")->value_type_id);
	CHECK_STR(ebpf_spec_find_map(spec, ".data")->name, "x.data");
	variable = ebpf_spec_find_variable(spec, "data_string");
	CHECK(variable && variable->size == 16 && !variable->type_id);
	CHECK(variable && !strcmp(ebpf_variable_spec_data(variable), "hello"));
	CHECK(!ebpf_spec_find_variable(spec, "data_hidden") && !ebpf_spec_find_variable(spec, "data_static"));
	CHECK(ebpf_spec_find_variable(spec, "bss_large") && ebpf_spec_find_variable(spec, "custom_rodata")->read_only);
	ebpf_spec_free(spec);
}

/* Hundreds of sections that all are the whole file: memory must not follow. */
static void test_repeated(void)
{
	enum { more = 500 };
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	size_t size;
	uint8_t *bytes = read_bytes("spec_data", false, &size);
	uint8_t *larger = calloc(1, size * 2 + more * sizeof(Elf64_Shdr));
	Elf64_Ehdr *header = (void *)larger;
	Elf64_Shdr *sections = (void *)(larger + (size + 63) / 64 * 64);

	memcpy(larger, bytes, size);
	memcpy(sections, bytes + header->e_shoff, header->e_shnum * sizeof(*sections));
	for (int i = 0; i < more; i++) {
		sections[header->e_shnum + i] = *find_section(bytes, ".data.private");
		sections[header->e_shnum + i].sh_offset = 0;
		sections[header->e_shnum + i].sh_size = size;
	}
	header->e_shoff = (Elf64_Off)((uint8_t *)sections - larger);
	header->e_shnum += more;
	CHECK_INT(ebpf_spec_read(larger, header->e_shoff + header->e_shnum * sizeof(*sections), "x", &spec, &err), -E2BIG);
	CHECK(strstr(err.message, "far more memory"));
	ebpf_error_clear(&err);
	free(larger);
	free(bytes);
}

static void test_files(void)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;

	CHECK_INT(ebpf_spec_read_file("/nonexistent/x.bpf.o", &spec, &err), -ENOENT);
	CHECK(strstr(err.message, "object '/nonexistent/x.bpf.o'"));
	CHECK_INT(ebpf_spec_read_file("/", &spec, &err), -EISDIR);
	CHECK_INT(ebpf_spec_read_file("/dev/null", &spec, &err), -EINVAL);
	CHECK(strstr(err.message, "object '/dev/null': not an ELF object"));
	CHECK_INT(ebpf_spec_read("", 0, NULL, &spec, &err), -EINVAL);
	CHECK(!spec);
	ebpf_error_clear(&err);
}

#ifdef __SANITIZE_ADDRESS__
enum { step = 1 };
#else
enum { step = 23 }; /* without a sanitizer only crashes show, and the kernel matrix has no time: a sample */
#endif

static void test_mutations(const char *name)
{
	static const uint8_t flips[][2] = {{0x01, 0xff}, {0x80, 0x08}, {0xff, 0x02}};
	size_t size, refused = 0, tried = 0;
	uint8_t *bytes = read_bytes(name, false, &size);
	bool *dull = find_dull(bytes, size);

	CHECK_INT(try(bytes, size), 0);
	for (size_t i = 0; i < size; i += step) {
		for (size_t f = 0; f < EBPF_COUNT(flips[0]) && !dull[i]; f++, tried++) {
			uint8_t flip = flips[i % EBPF_COUNT(flips)][f];

			bytes[i] ^= flip;
			refused += try(bytes, size) != 0;
			bytes[i] ^= flip;
		}
	}
	for (size_t cut = 0; cut < size; cut += step)
		CHECK(try(bytes, cut) != 0); /* the table of sections is at the end */
	CHECK(refused > tried / 20);
	printf("%s: %zu mutations, %zu refused; %zu cuts\n", name, tried, refused, size / step);
	free(dull);
	free(bytes);
}

int main(int argc, char **argv)
{
	if (getenv("EBPF_TEST_OBJECTS"))
		directory = getenv("EBPF_TEST_OBJECTS");
	if (argc > 1)
		directory = argv[1];
	test_wrong();
	test_renamed();
	test_without_types();
	test_repeated();
	test_files();
	test_mutations("spec_maps");
	test_mutations("spec_code");
	test_mutations("spec_data");
	test_mutations("spec_extern");
	test_mutations("spec_core");
	test_mutations("spec_struct_ops");
	test_mutations("spec_legacy");
	test_mutations("spec_iproute2");
	test_mutations("load_throw");
	if (access("build/spec/bpf/new/load_jumps.bpf.o", R_OK) == 0)
		test_mutations("new/load_jumps");
	return TEST_RESULT();
}
