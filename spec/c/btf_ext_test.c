/* btf_ext_test.c -- .BTF.ext: of objects from clang in both byte orders, and of bytes made up. */
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include "btf_walk.h"
#include "btf_writer.h"
#include "test.h"

static const char source[] =
        "struct task { int pid; int tgid; struct { char comm[16]; }; } __attribute__((preserve_access_index));\n"
        "enum color { RED, GREEN } color;\n"
        "int result;\n"
        "static __attribute__((noinline)) int helper(int x) { return x * result; }\n"
        "__attribute__((section(\"kprobe/first\"), used)) int first(struct task *task) { return helper(task->tgid) + "
        "task->comm[3]; }\n"
        "__attribute__((section(\"kprobe/second\"), used)) int second(void *ctx) {\n"
        "	return __builtin_preserve_enum_value(*(enum color *)GREEN, 1);\n"
        "}\n";

struct bytes {
	uint8_t *data;
	size_t size;
};

static struct bytes read_section(const char *path, const char *wanted)
{
	struct bytes result = {0};
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	CHECK(elf && !elf_getshdrstrndx(elf, &names));
	while (elf && (section = elf_nextscn(elf, section))) {
		gelf_getshdr(section, &header);
		if (strcmp(elf_strptr(elf, names, header.sh_name), wanted))
			continue;
		Elf_Data *data = elf_rawdata(section, NULL);
		result.size = data->d_size;
		result.data = malloc(data->d_size);
		memcpy(result.data, data->d_buf, data->d_size);
	}
	elf_end(elf);
	close(fd);
	return result;
}

static const char *name_of(const struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_type type;
	return ebpf_btf_type(btf, id, &type) ? type.name : "?";
}

static void check_object(const struct ebpf_btf *btf, struct bytes bytes)
{
	struct ebpf_btf_ext ext = {0};
	struct ebpf_error err = {0};
	CHECK_INT(ebpf_btf_ext_read((struct ebpf_span){.data = bytes.data, .size = bytes.size}, btf, &ext, &err), 0);
	CHECK_STR(err.message, "");
	const struct ebpf_ext_section *first = ebpf_btf_ext_find(&ext, "kprobe/first"), *text = ebpf_btf_ext_find(&ext, ".text");
	const struct ebpf_ext_section *second = ebpf_btf_ext_find(&ext, "kprobe/second");
	CHECK(first && text && second && !ebpf_btf_ext_find(&ext, "kprobe/third"));
	if (!first || !text || !second)
		return;
	CHECK_INT(first->func_count, 1);
	CHECK_INT(first->funcs[0].offset, 0);
	CHECK_STR(name_of(btf, first->funcs[0].type_id), "first");
	CHECK_STR(name_of(btf, text->funcs[0].type_id), "helper");
	CHECK(first->line_count > 0 && text->line_count > 0);
	CHECK_INT(first->lines[0].line_col >> 10, 5);
	CHECK(strstr(ebpf_btf_string(btf, first->lines[0].line), "int first(struct task *task)"));
	CHECK(strstr(ebpf_btf_string(btf, first->lines[0].file), ".c"));
	CHECK_INT(first->relo_count, 2);
	CHECK_STR(ebpf_btf_string(btf, first->relos[0].access), "0:1");
	CHECK_INT(first->relos[0].kind, 0);
	CHECK_STR(ebpf_btf_string(btf, first->relos[1].access), "0:2:0:3");
	CHECK(first->relos[0].offset < first->relos[1].offset);
	CHECK_STR(name_of(btf, first->relos[0].type_id), "task");
	CHECK_INT(second->relo_count, 1);
	CHECK_INT(second->relos[0].kind, 11);
	CHECK_STR(name_of(btf, second->relos[0].type_id), "color");
	CHECK_STR(ebpf_btf_string(btf, second->relos[0].access), "1");
	ebpf_btf_ext_free(&ext);
}

static void mutate(const struct ebpf_btf *btf, struct bytes bytes)
{
	for (size_t length = 0; length <= bytes.size; length++) {
		uint8_t *cut = malloc(length ? length : 1);
		memcpy(cut, bytes.data, length);
		walk_ext(btf, cut, length);
		free(cut);
	}
	for (size_t i = 0; i < bytes.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes.data[i] ^= 1 << bit;
			walk_ext(btf, bytes.data, bytes.size);
			bytes.data[i] ^= 1 << bit;
		}
	}
}

static int test_compiled(const char *directory, const char *target)
{
	char path[256], command[768];
	struct ebpf_error err = {0};
	struct ebpf_btf *btf = NULL;
	snprintf(path, sizeof(path), "%s/x.c", directory);
	FILE *file = fopen(path, "w");
	if (!file)
		return -1;
	fputs(source, file);
	fclose(file);
	snprintf(command, sizeof(command), "clang -O2 -g -target %s -c %s/x.c -o %s/x.o 2>/dev/null", target, directory, directory);
	int made = system(command);
	unlink(path);
	if (made)
		return -1;
	snprintf(path, sizeof(path), "%s/x.o", directory);
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), 0);
	CHECK_STR(err.message, "");
	struct bytes types = read_section(path, ".BTF"), bytes = read_section(path, ".BTF.ext");
	unlink(path);
	if (btf) {
		CHECK_INT(ebpf_btf_swapped(btf),
		          strcmp(target, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "bpfel" : "bpfeb") != 0);
		CHECK_INT(ebpf_btf_bytes(btf).size, types.size);
		check_object(btf, bytes);
		mutate(btf, bytes);
		walk_btf(btf);
	}
	free(types.data);
	free(bytes.data);
	ebpf_btf_free(btf);
	return 0;
}

/* -- made up -- */

static size_t put(uint8_t *to, size_t at, const uint32_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		w_put32(to + at + 4 * i, words[i], false);
	return at + 4 * count;
}

static void test_made_up(void)
{
	static struct writer w;
	struct ebpf_error err = {0};
	struct ebpf_btf_ext ext = {0};
	uint8_t bytes[256] = {0, 0, 1, 0};
	w_start(&w, false, NULL, 0);
	w_int(&w, "a", 4, 0, 0, 32);
	w_int(&w, "b", 4, 0, 0, 32);
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	/* A header of 24 bytes, without relocations; functions of three words each, unsorted, of section "b" in two
	 * runs, and an empty run. */
	memcpy(bytes, &(uint16_t){0xeb9f}, 2);
	size_t end = put(bytes, 4, (uint32_t[]){24, 0, 68, 68, 0}, 5);
	end = put(bytes, end, (uint32_t[]){12, 3, 2, 16, 1, 99, 8, 2, 99, 1, 0, 3, 1, 0, 2, 99}, 16);
	CHECK_INT(end, 24 + 64);
	struct ebpf_span span = {.data = bytes, .size = end};
	w_put32(bytes + 12, 64, false);
	w_put32(bytes + 16, 64, false);
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), 0);
	CHECK_STR(err.message, "");
	CHECK_INT(ext.count, 1);
	const struct ebpf_ext_section *section = ebpf_btf_ext_find(&ext, "b");
	CHECK(section && section->func_count == 3 && !section->line_count && !section->relo_count);
	for (uint32_t i = 0; section && i < 3; i++)
		CHECK_INT(section->funcs[i].offset, 8 * i);
	CHECK(section && section->funcs[0].type_id == 2 && section->funcs[2].type_id == 1);
	ebpf_btf_ext_free(&ext);
	ebpf_btf_ext_free(&ext);
	w_put32(bytes + 24 + 16, 3, false);
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), -EINVAL);
	CHECK_STR(err.message, "BTF.ext: functions of section 'b': type 3, but there are 3");
	w_put32(bytes + 24, 4, false);
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), -EINVAL);
	CHECK_STR(err.message, "BTF.ext: the table of functions has records of an impossible size");
	w_put32(bytes + 12, 80, false);
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), -EINVAL);
	CHECK_STR(err.message, "BTF.ext: the table of functions reaches past the end");
	w_put32(bytes + 12, 64, false);
	w_put32(bytes + 24, 12, false);
	w_put32(bytes + 32, 0xffffffff, false);
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), -EINVAL);
	CHECK_STR(err.message, "BTF.ext: the table of functions is cut off");
	span.size = 0;
	CHECK_INT(ebpf_btf_ext_read(span, btf, &ext, &err), -EINVAL);
	ebpf_btf_free(btf);
}

int main(void)
{
	char directory[] = "/tmp/ebpf-btf-ext-test-XXXXXX";
	test_made_up();
	CHECK(mkdtemp(directory));
	if (test_compiled(directory, "bpfel") || test_compiled(directory, "bpfeb"))
		printf("# there is no clang that compiles for BPF: its .BTF.ext was not looked at\n");
	rmdir(directory);
	return TEST_RESULT();
}
