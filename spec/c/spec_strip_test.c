/* Stripping an object changes nothing that the Spec says: all objects of the specs, of both byte orders, whole and cut short. */
#include <dirent.h>
#include <stdlib.h>

#include "spec/spec.h"
#include "test.h"

static uint8_t *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;

	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	data = malloc(*size);
	if (data && fread(data, 1, *size, file) != *size)
		*size = 0;
	fclose(file);
	return data;
}

static void compare_functions(struct ebpf_spec *left, struct ebpf_spec *right)
{
	struct ebpf_spec_impl *a = spec_impl(left), *b = spec_impl(right);

	CHECK_INT(b->function_count, a->function_count);
	for (size_t i = 0; i < a->function_count && i < b->function_count; i++) {
		const struct ebpf_function *f = a->functions[i], *g = b->functions[i];

		CHECK_STR(g->name, f->name);
		CHECK_STR(g->section, f->section);
		CHECK_INT(g->section_offset, f->section_offset);
		CHECK_INT(g->type_id, f->type_id);
		CHECK_INT(g->insn_count, f->insn_count);
		CHECK(g->insn_count == f->insn_count && !memcmp(g->insns, f->insns, f->insn_count * sizeof(*f->insns)));
		CHECK_INT(g->line_count, f->line_count);
		CHECK_INT(g->relo_count, f->relo_count);
		CHECK_INT(g->reference_count, f->reference_count);
		for (size_t r = 0; r < f->reference_count && r < g->reference_count; r++) {
			CHECK_INT(g->references[r].insn, f->references[r].insn);
			CHECK_INT(g->references[r].kind, f->references[r].kind);
			CHECK_INT(g->references[r].addend, f->references[r].addend);
			CHECK_STR(g->references[r].name, f->references[r].name);
		}
	}
	CHECK_INT(b->extern_count, a->extern_count);
	for (size_t i = 0; i < a->extern_count && i < b->extern_count; i++) {
		CHECK_STR(b->externs[i]->name, a->externs[i]->name);
		CHECK_INT(b->externs[i]->weak, a->externs[i]->weak);
	}
}

static void compare_maps(struct ebpf_spec *left, struct ebpf_spec *right)
{
	CHECK_INT(right->map_count, left->map_count);
	for (size_t i = 0; i < left->map_count && i < right->map_count; i++) {
		const struct ebpf_map_spec *a = left->maps[i], *b = right->maps[i];

		CHECK_STR(b->name, a->name);
		CHECK_INT(b->type, a->type);
		CHECK_INT(b->value_size, a->value_size);
		CHECK_INT(b->max_entries, a->max_entries);
		CHECK_INT(b->value_type_id, a->value_type_id);
		CHECK(!a->data == !b->data && (!a->data || !memcmp(a->data, b->data, a->value_size)));
		CHECK_INT(b->value_count, a->value_count);
		for (size_t v = 0; v < a->value_count && v < b->value_count; v++)
			CHECK_STR(b->values[v].name, a->values[v].name);
	}
}

static void compare_variables(struct ebpf_spec *left, struct ebpf_spec *right)
{
	CHECK_INT(right->variable_count, left->variable_count);
	for (size_t i = 0; i < left->variable_count && i < right->variable_count; i++) {
		CHECK_STR(right->variables[i]->name, left->variables[i]->name);
		CHECK_STR(right->variables[i]->section, left->variables[i]->section);
		CHECK_INT(right->variables[i]->offset, left->variables[i]->offset);
		CHECK_INT(right->variables[i]->size, left->variables[i]->size);
		CHECK_INT(right->variables[i]->type_id, left->variables[i]->type_id);
	}
}

static void compare(struct ebpf_spec *left, struct ebpf_spec *right)
{
	CHECK_STR(right->license, left->license);
	CHECK_INT(right->big_endian, left->big_endian);
	CHECK_INT(right->program_count, left->program_count);
	for (size_t i = 0; i < left->program_count && i < right->program_count; i++)
		CHECK_STR(right->programs[i]->section, left->programs[i]->section);
	compare_functions(left, right);
	compare_maps(left, right);
	compare_variables(left, right);
}

/* Stripping again changes nothing; cut short it is an error or an object, and never more than that. */
static void strip_again(const void *data, size_t size)
{
	struct ebpf_error err = {0};
	size_t again_size = 0;
	void *again = NULL;

	CHECK_INT(ebpf_object_strip(data, size, &again, &again_size, &err), 0);
	CHECK(again_size == size && !memcmp(again, data, size));
	free(again);
	for (size_t cut = 0; cut < size; cut += size / 97 + 1) {
		void *out = NULL;
		size_t out_size = 0;
		int result = ebpf_object_strip(data, cut, &out, &out_size, &err);

		CHECK(result < 0 && !out && *err.message);
		free(out);
	}
	ebpf_error_clear(&err);
}

static void strip(const char *path)
{
	struct ebpf_spec *before = NULL, *after = NULL;
	struct ebpf_error err = {0};
	size_t size = 0, stripped_size = 0;
	uint8_t *data = read_whole(path, &size);
	void *stripped = NULL;

	CHECK(data);
	CHECK_INT(ebpf_object_strip(data, size, &stripped, &stripped_size, &err), 0);
	CHECK_INT(ebpf_spec_read(data, size, "x", &before, &err), 0);
	CHECK_INT(ebpf_spec_read(stripped, stripped_size, "x", &after, &err), 0);
	if (*err.message)
		fprintf(stderr, "%s: %s\n", path, err.message);
	if (before && after)
		compare(before, after);
	if (stripped) {
		CHECK(stripped_size < size);
		CHECK(!memmem(stripped, stripped_size, ".debug", 6));
		strip_again(stripped, stripped_size);
	}
	ebpf_spec_free(before);
	ebpf_spec_free(after);
	ebpf_error_clear(&err);
	free(stripped);
	free(data);
}

static int strip_all(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	char path[1024];
	int count = 0;

	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		if (length < 7 || strcmp(entry->d_name + length - 6, ".bpf.o"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		strip(path);
		count++;
	}
	if (directory)
		closedir(directory);
	return count;
}

static void refuse(void)
{
	struct ebpf_error err = {0};
	void *out = NULL;
	size_t size = 0;

	CHECK_INT(ebpf_object_strip("#!/bin/sh\n", 10, &out, &size, &err), -EINVAL);
	CHECK(strstr(err.message, "not an ELF object"));
	CHECK(!out);
	ebpf_error_clear(&err);
}

int main(void)
{
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	char big[1024];

	if (!folder)
		TEST_SKIP("EBPF_TEST_OBJECTS names no folder with compiled objects");
	refuse();
	snprintf(big, sizeof(big), "%s/big", folder);
	CHECK(strip_all(folder) > 5);
	CHECK(strip_all(big) > 5);
	return TEST_RESULT();
}
