/* Functions by their prototypes: what C declares comes out as types that say the same; what it does not is refused at its column. */
#include <stdlib.h>

#include "btf/btf.h"
#include "failing_malloc.h"
#include "test.h"

struct row {
	const char *text, *result; /* the declaration that its types make; or, after '!', the error */
};

static const struct row rows[] = {
	{ "int f(void)", "int f(void)" },
	{ "int f()", "int f(void)" },
	{ "void f(void);", "void f(void)" },
	{ "  static   int  cb ( u32 index,void*ctx ) ", "static int cb(u32 index, void *ctx)" },
	{ "static inline __always_inline int f(int)", "static int f(int)" },
	{ "unsigned f(unsigned long a, long unsigned int b, short c, unsigned char d, char e, signed char g)",
	  "unsigned int f(unsigned long a, unsigned long b, short c, unsigned char d, char e, signed char g)" },
	{ "long long f(long long unsigned a, bool b, _Bool c)", "long long f(unsigned long long a, _Bool b, _Bool c)" },
	{ "u8 f(__u16 a, uint32_t b, s64 c, __s8 d, int16_t e, size_t g, __be32 h)",
	  "u8 f(__u16 a, uint32_t b, s64 c, __s8 d, int16_t e, size_t g, __be32 h)" },
	{ "const char *f(const char *const name, void **out)", "const char *f(const char *name, void **out)" },
	{ "int f(const struct task_struct *t, union u *u, enum e e)", "int f(const struct task_struct *t, union u *u, enum e e)" },
	{ "struct x *f(struct x *a, struct x *b)", "struct x *f(struct x *a, struct x *b)" },
	{ "int f(int a[4], int b[], u8 c[2][3])", "int f(int *a, int *b, u8 (*)[3] c)" },
	{ "int f(struct pair { int a; u64 b[2]; struct pair *next; } *p, struct pair *q)", "int f(struct pair *p, struct pair *q)" },
	{ "int f(struct __sk_buff *skb __arg_ctx, void *p __arg_nonnull)", "int f(struct __sk_buff *skb, void *p)" },
	{ "int f(struct known *k, known_t t)", "int f(struct known *k, known_t t)" },
	{ "int", "!column 4: the function's name expected" },
	{ "", "!column 1: a type expected" },
	{ "f(int a)", "!column 1: there is no type 'f'" },
	{ "int f(foo x)", "!column 7: there is no type 'foo'" },
	{ "int f(int a", "!column 12: expected ')'" },
	{ "int f(int a b)", "!column 13: unexpected 'b'" },
	{ "int f(int a) {", "!column 14: expected the end, not '{'" },
	{ "int f(float x)", "!column 13: BPF has no floating point" },
	{ "int f(int a, void)", "!column 18: a parameter cannot be void" },
	{ "int f(void x)", "!column 13: a parameter cannot be void" },
	{ "int f(struct *x)", "!column 14: a name expected behind 'struct'" },
	{ "int f(struct s { int a } *x)", "!column 24: expected ';'" },
	{ "int f(struct s { void a; } *x)", "!column 25: its size is not known, of member 'a'" },
	{ "int f(struct s { struct t b; } *x)", "!column 29: its size is not known, of member 'b'" },
	{ "int f(struct s { int a; } *x, struct s { int a; } *y)", "int f(struct s *x, struct s *y)" },
	{ "int f(struct s { int a[]; } *x)", "!column 25: an array needs a number of elements" },
	{ "int f(struct s { int a[99999999999]; } *x)", "!column 34: an array of too many elements" },
	{ "int f(int (*cb)(int))", "!column 11: expected ')'" },
};

/* struct known { int a; char b; }; typedef struct known known_t; */
static struct ebpf_btf *known_types(void)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(0);
	struct ebpf_btf_declarations *declarations = builder ? ebpf_btf_declarations_new(builder, NULL) : NULL;
	static const char names[] = "\0int\0known\0known_t\0a";
	const uint32_t types[] = {
		1, 1 << 24, 4, 1 << 24 | 32,     /* int */
		5, 4 << 24 | 1, 8, 19, 1, 0,     /* struct known: 8 bytes */
		11, 8 << 24, 2,                  /* typedef struct known known_t */
	};
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t size, type_offset, type_size, string_offset, string_size;
		uint32_t types[EBPF_COUNT(types)];
		char names[sizeof(names)];
	} data = { 0xeb9f, 1, 0, 24, 0, sizeof(types), sizeof(types), sizeof(names), { 0 }, { 0 } };
	struct ebpf_btf *btf = NULL;

	memcpy(data.types, types, sizeof(types));
	memcpy(data.names, names, sizeof(names));
	CHECK_INT(ebpf_btf_read(&data, 24 + sizeof(types) + sizeof(names), NULL, &btf, NULL), 0);
	ebpf_btf_declarations_free(declarations);
	ebpf_btf_builder_free(builder);
	return btf;
}

/* The declaration that comes out of the finished types, or "!..." */
static void declare(const char *text, const struct ebpf_btf *known, char *result, size_t size, struct ebpf_btf **out)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(0);
	struct ebpf_btf_declarations *declarations = builder ? ebpf_btf_declarations_new(builder, known) : NULL;
	struct ebpf_buffer buffer = { 0 };
	struct ebpf_error err = { 0 };
	struct ebpf_btf *btf = NULL;
	void *data = NULL;
	size_t bytes;
	int64_t id;

	*result = '\0';
	if (!declarations)
		goto out;
	id = ebpf_btf_declarations_add(declarations, text, NULL, &err);
	if (id < 0) {
		const char *column = strstr(err.message, "column ");

		CHECK_INT(id, -err.code);
		snprintf(result, size, "!%s", column ? column : err.message);
	} else if (ebpf_btf_builder_finish(builder, &data, &bytes, &err) == 0 &&
		   ebpf_btf_read(data, bytes, NULL, &btf, &err) == 0) {
		ebpf_btf_write_prototype(btf, (uint32_t)id, &buffer);
		snprintf(result, size, "%s", buffer.data && !buffer.failed ? buffer.data : "");
	}
out:
	free(data);
	ebpf_buffer_free(&buffer);
	ebpf_error_clear(&err);
	ebpf_btf_declarations_free(declarations);
	ebpf_btf_builder_free(builder);
	if (out)
		*out = btf;
	else
		ebpf_btf_free(btf);
}

static void test_rows(void)
{
	struct ebpf_btf *known = known_types();
	char result[1100];

	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		declare(rows[i].text, known, result, sizeof(result), NULL);
		CHECK_STR(result, rows[i].result);
	}
	ebpf_btf_free(known);
}

static void test_layout(void)
{
	struct ebpf_btf *known = known_types(), *btf = NULL;
	struct ebpf_type type;
	char result[1100];

	declare("int f(struct s { char a; u64 b; u16 c[3]; struct known d; struct { char x; } e; union u { int i; u8 j; } g; void *h; } *p)",
		known, result, sizeof(result), &btf);
	CHECK(btf && ebpf_btf_type(btf, (uint32_t)ebpf_btf_find(btf, "struct s"), &type));
	if (btf && type.vlen == 7) {
		static const uint32_t offsets[] = { 0, 8, 16, 24, 32, 36, 40 };

		CHECK_INT(type.size, 48);
		for (uint32_t i = 0; i < 7; i++)
			CHECK_INT(ebpf_type_member(&type, i).bit_offset, offsets[i] * 8);
		CHECK_INT(ebpf_btf_sizeof(btf, (uint32_t)ebpf_btf_find(btf, "union u")), 4);
		CHECK_INT(ebpf_btf_sizeof(btf, (uint32_t)ebpf_btf_find(btf, "struct known")), 8);
	}
	CHECK(btf && type.vlen == 7);
	ebpf_btf_free(btf);

	/* tags say of which parameter */
	declare("int f(int a, void *p __arg_nonnull)", NULL, result, sizeof(result), &btf);
	CHECK(btf && ebpf_btf_type(btf, ebpf_btf_count(btf) - 1, &type) && type.kind == BTF_KIND_DECL_TAG);
	if (btf) {
		CHECK_STR(type.name, "arg:nonnull");
		CHECK_INT(ebpf_type_component(&type), 1);
	}
	ebpf_btf_free(btf);
	ebpf_btf_free(known);
}

/* Any text gives types or an error. */
static void test_mangled(void)
{
	static const char letters[] = "{}()[]*,;~ a9\t";
	char copy[256], result[1100];

	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		size_t length = strlen(rows[i].text);

		for (size_t at = 0; at < length; at++)
			for (size_t k = 0; k <= sizeof(letters); k++) {
				memcpy(copy, rows[i].text, length + 1);
				if (k == sizeof(letters))
					memmove(copy + at, copy + at + 1, length - at);
				else
					copy[at] = letters[k];
				declare(copy, NULL, result, sizeof(result), NULL);
			}
	}
	/* nested without end */
	memset(copy, 0, sizeof(copy));
	strcpy(copy, "int f(");
	for (int i = 0; i < 24; i++)
		strcat(copy, "struct {");
	declare(copy, NULL, result, sizeof(result), NULL);
	CHECK(*result == '!');
}

#ifndef SANITIZED
static void test_failures_of_memory(void)
{
	static const char text[] = "int f(struct pair { int a; u64 b[2]; struct t *c; } *p __arg_nonnull, struct known *k, const char *s)";
	struct ebpf_btf *known = known_types();
	char result[1100];
	long attempt = 0, before = live;

	do {
		fail_allocation = ++attempt;
		failed_allocation = false;
		declare(text, known, result, sizeof(result), NULL);
		fail_allocation = 0;
		/* names are looked for one by one where there is no memory for an index */
		if (*result && *result != '!')
			CHECK_STR(result, "int f(struct pair *p, struct known *k, const char *s)");
		CHECK_INT(live, before);
	} while (failed_allocation && attempt < 1000 && !test_failures);
	CHECK(attempt > 10);
	ebpf_btf_free(known);
}
#endif

int main(void)
{
	test_rows();
	test_layout();
	test_mangled();
#ifndef SANITIZED
	test_failures_of_memory();
#endif
	return TEST_RESULT();
}
