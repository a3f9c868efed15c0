/* btf_print_test.c -- types as C: names that occur twice, order, declarations; and types that have no end. */
#include "btf_writer.h"
#include "test.h"

static struct ebpf_error err;
static struct writer w;

struct output {
	char text[1 << 16];
	uint64_t size; /* also of what did not fit */
};
static struct output out;

static int take(void *context, const char *text, size_t size)
{
	struct output *output = context;
	size_t room = output->size < sizeof(output->text) - 1 ? sizeof(output->text) - 1 - output->size : 0;
	memcpy(output->text + (room ? output->size : 0), text, size < room ? size : room);
	output->size += size;
	output->text[output->size < sizeof(output->text) ? output->size : sizeof(output->text) - 1] = '\0';
	return 0;
}

static int refuse(void *context, const char *text, size_t size)
{
	(void)context;
	(void)text;
	(void)size;
	return -ENOSPC;
}

static struct ebpf_btf *read_types(void)
{
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	CHECK_STR(err.message, "");
	return btf;
}

/* The text of all types, or of one. */
static const char *print(const struct ebpf_btf *btf, uint32_t root)
{
	struct ebpf_print_options options = {.size = sizeof(options), .types = &root, .type_count = root ? 1 : 0};
	memset(&out, 0, sizeof(out));
	CHECK_INT(ebpf_btf_print_c(btf, &options, take, &out, &err), 0);
	CHECK_STR(err.message, "");
	ebpf_error_clear(&err);
	return out.text;
}

static void fails(const struct ebpf_btf *btf, int code, const char *part)
{
	memset(&out, 0, sizeof(out));
	CHECK_INT(ebpf_btf_print_c(btf, NULL, take, &out, &err), -code);
	if (!strstr(err.message, part))
		CHECK_STR(err.message, part);
	CHECK(out.size <= (1u << 20) + 64 * w.types_size + 64 * w.strings_size + 4096);
	ebpf_error_clear(&err);
}

static void orders(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t integer = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	uint32_t outer = w_type(&w, "outer", BTF_KIND_STRUCT, false, 2, 12);
	w_member(&w, "inner", integer + 2, 0);
	w_member(&w, "self", integer + 3, 32);
	w_type(&w, "inner", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "a", integer, 0);
	w_type(&w, "", BTF_KIND_PTR, false, 0, outer);
	uint32_t loose = w_type(&w, "loose", BTF_KIND_STRUCT, false, 1, 8);
	w_member(&w, "later", loose + 1, 0);
	w_type(&w, "", BTF_KIND_PTR, false, 0, loose + 2);
	w_type(&w, "later", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "a", integer, 0);
	w_type(&w, "", BTF_KIND_ENUM, true, 1, 4); /* nothing refers to it: constants */
	w_pair(&w, "MINUS", -1);
	struct ebpf_btf *btf = read_types();
	/* A pointer of four bytes at an offset of four, where pointers have eight: packed. */
	CHECK_STR(print(btf, 0), "struct inner {\n\tint a;\n};\n\n"
				 "struct outer {\n\tstruct inner inner;\n\tstruct outer *self;\n} __attribute__((packed));\n\n"
				 "struct later;\n\nstruct loose {\n\tstruct later *later;\n};\n\nstruct later {\n\tint a;\n};\n\n"
				 "enum {\n\tMINUS = -1,\n};\n\n");
	CHECK_STR(print(btf, loose), "struct later;\n\nstruct loose {\n\tstruct later *later;\n};\n\n");
	uint32_t bad = 1000;
	struct ebpf_print_options options = {.size = sizeof(options), .types = &bad, .type_count = 1};
	CHECK_INT(ebpf_btf_print_c(btf, &options, take, &out, &err), -EINVAL);
	CHECK_INT(ebpf_btf_print_c(btf, NULL, refuse, NULL, &err), -ENOSPC);
	CHECK_INT(ebpf_btf_print_raw(btf, NULL, 0, false, refuse, NULL, &err), -ENOSPC);
	CHECK_INT(ebpf_btf_print_raw(btf, &bad, 1, false, take, &out, &err), -EINVAL);
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
}

static void tells_names_apart(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t integer = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	for (int i = 0; i < 2; i++) {
		w_type(&w, "same", BTF_KIND_STRUCT, false, 1, 4);
		w_member(&w, "a", integer, 0);
	}
	w_type(&w, "same", BTF_KIND_TYPEDEF, false, 0, integer);
	w_type(&w, "same", BTF_KIND_ENUM, false, 2, 4);
	w_pair(&w, "same", 1); /* shares its name with typedefs */
	w_pair(&w, "other", 0xffffffff);
	w_type(&w, "same", BTF_KIND_FWD, true, 0, 0); /* defines nothing, so takes no name */
	struct ebpf_btf *btf = read_types();
	CHECK_STR(print(btf, 0), "struct same {\n\tint a;\n};\n\nstruct same___2 {\n\tint a;\n};\n\ntypedef int same;\n\n"
				 "enum same___3 {\n\tsame___2 = 1,\n\tother = 4294967295,\n};\n\nunion same;\n\n");
	ebpf_btf_free(btf);
}

static void declares(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t integer = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	uint32_t pointer = w_type(&w, "", BTF_KIND_PTR, false, 0, integer);
	uint32_t constant = w_type(&w, "", BTF_KIND_CONST, false, 0, pointer);
	uint32_t array = w_array(&w, w_array(&w, constant, integer, 3), integer, 2);
	uint32_t proto = w_type(&w, "", BTF_KIND_FUNC_PROTO, false, 3, array);
	w_pair(&w, "a", constant);
	w_pair(&w, "", integer);
	w_pair(&w, "", 0);
	uint32_t to_array = w_type(&w, "", BTF_KIND_PTR, false, 0, array);
	uint32_t plain = w_type(&w, "", BTF_KIND_FUNC_PROTO, false, 0, to_array);
	uint32_t to_plain = w_type(&w, "", BTF_KIND_PTR, false, 0, plain);
	uint32_t function = w_type(&w, "f", BTF_KIND_FUNC, false, 1, proto);
	uint32_t nameless = w_type(&w, "", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "x", integer, 0);
	uint32_t tagged = w_type(&w, "", BTF_KIND_PTR, false, 0, w_type(&w, "user", BTF_KIND_TYPE_TAG, false, 0, integer));
	uint32_t attribute = w_type(&w, "", BTF_KIND_PTR, false, 0, w_type(&w, "address_space(1)", BTF_KIND_TYPE_TAG, true, 0, 0));
	struct ebpf_btf *btf = read_types();
	const struct {
		uint32_t id;
		const char *name, *text;
	} cases[] = {
		{integer, "x", "int x"}, {integer, "", "int"}, {0, "", "void"}, {constant, "x", "int * const x"},
		{array, "x", "int * const x[2][3]"}, {to_array, "x", "int * const (*x)[2][3]"}, {to_array, "", "int * const(*)[2][3]"},
		{plain, "f", "int * const (*f(void))[2][3]"}, {to_plain, "f", "int * const (* (*f)(void))[2][3]"},
		{function, "f", "int * const (f(int * const a, int, ...))[2][3]"}, {nameless, "s", "struct {\n\tint x;\n} s"},
		{tagged, "p", "int __attribute__((btf_type_tag(\"user\"))) *p"}, {attribute, "p", "void __attribute__((address_space(1))) *p"},
	};
	for (size_t i = 0; i < EBPF_COUNT(cases); i++) {
		memset(&out, 0, sizeof(out));
		CHECK_INT(ebpf_btf_print_declaration(btf, cases[i].id, cases[i].name, take, &out, &err), 0);
		CHECK_STR(out.text, cases[i].text);
	}
	CHECK_INT(ebpf_btf_print_declaration(btf, 1000, "", take, &out, &err), -EINVAL);
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
}

/* -- types without end -- */

static void ends(void)
{
	struct ebpf_btf *btf;
	w_start(&w, false, NULL, 0); /* a struct within itself */
	w_type(&w, "loop", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "a", 1, 0);
	btf = read_types();
	fails(btf, ELOOP, "BTF: print: type 1 (struct loop) contains itself");
	ebpf_btf_free(btf);

	static const uint32_t kinds[] = {BTF_KIND_PTR, BTF_KIND_CONST, BTF_KIND_TYPEDEF, BTF_KIND_TYPE_TAG};
	for (size_t i = 0; i < EBPF_COUNT(kinds); i++) {
		w_start(&w, false, NULL, 0);
		w_type(&w, "t", kinds[i], false, 0, 1);
		btf = read_types();
		fails(btf, E2BIG, "BTF: print: type 1 ");
		ebpf_btf_free(btf);
	}
	w_start(&w, false, NULL, 0); /* an array of itself */
	w_array(&w, 1, 1, 2);
	btf = read_types();
	fails(btf, E2BIG, "nested too deeply");
	ebpf_btf_free(btf);
	w_start(&w, false, NULL, 0); /* a function of itself, many times */
	w_type(&w, "", BTF_KIND_FUNC_PROTO, false, 3, 1);
	for (int i = 0; i < 3; i++)
		w_pair(&w, "", 1);
	btf = read_types();
	fails(btf, E2BIG, "nested too deeply");
	ebpf_btf_free(btf);
}

/* Nameless structs, or functions, each with two of the one before: 2^40 when written out. */
static void unfolds(uint32_t kind, bool through_pointers)
{
	w_start(&w, false, NULL, 0);
	uint32_t last = w_int(&w, "int", 4, 0, 0, 32);
	for (int i = 0; i < 40; i++) {
		if (through_pointers)
			last = w_type(&w, "", BTF_KIND_PTR, false, 0, last);
		uint32_t next = w_type(&w, "", kind, false, 2, kind == BTF_KIND_FUNC_PROTO ? 0 : 4);
		for (int k = 0; k < 2; k++) {
			if (kind == BTF_KIND_FUNC_PROTO)
				w_pair(&w, "a", last);
			else
				w_member(&w, k ? "b" : "a", last, 0);
		}
		last = next;
	}
	w_type(&w, "top", BTF_KIND_TYPEDEF, false, 0, last);
	struct ebpf_btf *btf = read_types();
	memset(&out, 0, sizeof(out));
	int result = ebpf_btf_print_c(btf, NULL, take, &out, &err);
	CHECK_INT(result, -E2BIG);
	CHECK(out.size < 2u << 20);
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
}

/* A gap of 512 MiB as bit fields of 8 bytes. */
static void pads(void)
{
	w_start(&w, false, NULL, 0);
	w_type(&w, "gap", BTF_KIND_STRUCT, false, 0, 1u << 29);
	struct ebpf_btf *btf = read_types();
	fails(btf, E2BIG, "long beyond all proportion");
	ebpf_btf_free(btf);
}

static void prints_raw(void)
{
	w_start(&w, false, NULL, 0);
	w_int(&w, "a\"b\\\n\x01", 4, 3, 0, 32);
	w_type(&w, "", BTF_KIND_ENUM64, true, 1, 8);
	w_member(&w, "MINUS", 0xfffffffe, 0xffffffff);
	w_type(&w, "e", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&w, "BIG", 0xffffffff);
	struct ebpf_btf *btf = read_types();
	memset(&out, 0, sizeof(out));
	CHECK_INT(ebpf_btf_print_raw(btf, NULL, 0, false, take, &out, &err), 0);
	CHECK_STR(out.text, "[1] INT 'a\"b\\\n\x01' size=4 bits_offset=0 nr_bits=32 encoding=UNKN\n"
			    "[2] ENUM64 '(anon)' encoding=SIGNED size=8 vlen=1\n\t'MINUS' val=-2LL\n"
			    "[3] ENUM 'e' encoding=UNSIGNED size=4 vlen=1\n\t'BIG' val=4294967295\n");
	memset(&out, 0, sizeof(out));
	CHECK_INT(ebpf_btf_print_raw(btf, (uint32_t[]){1, 3}, 2, true, take, &out, &err), 0);
	CHECK_STR(out.text, "{\"types\":[{\"id\":1,\"kind\":\"INT\",\"name\":\"a\\\"b\\\\\\n\\u0001\",\"size\":4,\"bits_offset\":0,\"nr_bits\":32,"
			    "\"encoding\":\"UNKN\"},{\"id\":3,\"kind\":\"ENUM\",\"name\":\"e\",\"encoding\":\"UNSIGNED\",\"size\":4,\"vlen\":1,"
			    "\"values\":[{\"name\":\"BIG\",\"val\":4294967295}]}]}\n");
	ebpf_btf_free(btf);
}

int main(void)
{
	orders();
	tells_names_apart();
	declares();
	ends();
	unfolds(BTF_KIND_STRUCT, false);
	unfolds(BTF_KIND_UNION, true);
	unfolds(BTF_KIND_FUNC_PROTO, false);
	unfolds(BTF_KIND_FUNC_PROTO, true);
	pads();
	prints_raw();
	return TEST_RESULT();
}
