/* btf_layout_test.c -- layouts of many shapes, and values into and out of them. */
#include "btf_walk.h"
#include "btf_writer.h"
#include "test.h"

static struct writer w;
static struct ebpf_error err;

static struct ebpf_btf *read_types(void)
{
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	CHECK_STR(err.message, "");
	return btf;
}

static void fails(const struct ebpf_btf *btf, uint32_t id, int code, const char *part)
{
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, id, &err);
	CHECK(!layout);
	CHECK_INT(err.code, code);
	if (!strstr(err.message, part))
		CHECK_STR(err.message, part);
	ebpf_layout_free(layout);
	ebpf_error_clear(&err);
}

static const struct ebpf_field *field_of(const struct ebpf_layout *layout, const char *name)
{
	static const struct ebpf_field none = {.name = "(none)", .offset = UINT32_MAX};
	for (uint32_t i = 0; i < layout->count; i++)
		if (!strcmp(layout->fields[i].name, name))
			return &layout->fields[i];
	return &none;
}

/* The C that the types below describe, so that offsets and bits are the compiler's and not ours. */
enum color { RED, GREEN = 5 };
struct inner {
	char name[16];
	uint8_t raw[4];
	bool on;
};
struct outer {
	uint32_t pid;
	uint32_t a : 3, b : 29;
	int32_t s : 5;
	union {
		uint64_t u;
		struct {
			uint32_t lo, hi;
		};
	};
	struct inner in[2];
	enum color color;
	void *pointer;
	float f;
	double d;
	uint64_t wide : 40;
	uint32_t tail[];
};

struct ids {
	uint32_t outer, inner, grid, big, odd, long_double, names, flexible_typedef;
};

/* Bits count from the least significant end of the first byte, or in big-endian data from the other. */
static struct ids write_outer(void)
{
	struct ids ids;
	w_start(&w, false, NULL, 0);
	uint32_t u32 = w_int(&w, "unsigned int", 4, 0, 0, 32);
	uint32_t s32 = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	uint32_t u64 = w_int(&w, "unsigned long", 8, 0, 0, 64);
	uint32_t character = w_int(&w, "char", 1, BTF_INT_SIGNED, 0, 8);
	uint32_t u8 = w_int(&w, "unsigned char", 1, 0, 0, 8);
	uint32_t boolean = w_int(&w, "_Bool", 1, BTF_INT_BOOL, 0, 8);
	uint32_t single = w_type(&w, "float", BTF_KIND_FLOAT, false, 0, 4);
	uint32_t real = w_type(&w, "double", BTF_KIND_FLOAT, false, 0, 8);
	uint32_t name = w_array(&w, character, u32, 16);
	uint32_t name_t = w_type(&w, "name_t", BTF_KIND_TYPEDEF, false, 0, name);
	uint32_t raw = w_array(&w, u8, u32, 4);
	uint32_t pointer = w_type(&w, "", BTF_KIND_PTR, false, 0, 0);
	uint32_t color = w_type(&w, "color", BTF_KIND_ENUM, false, 2, 4);
	w_pair(&w, "RED", 0);
	w_pair(&w, "GREEN", 5);
	ids.inner = w_type(&w, "inner", BTF_KIND_STRUCT, false, 3, sizeof(struct inner));
	w_member(&w, "name", name_t, 0);
	w_member(&w, "raw", raw, 8 * offsetof(struct inner, raw));
	w_member(&w, "on", boolean, 8 * offsetof(struct inner, on));
	uint32_t pair = w_type(&w, "", BTF_KIND_STRUCT, false, 2, 8);
	w_member(&w, "lo", u32, 0);
	w_member(&w, "hi", u32, 32);
	uint32_t either = w_type(&w, "", BTF_KIND_UNION, false, 2, 8);
	w_member(&w, "u", u64, 0);
	w_member(&w, "", pair, 0);
	uint32_t inners = w_array(&w, ids.inner, u32, 2);
	uint32_t tail = w_array(&w, u32, u32, 0);
	uint32_t constant = w_type(&w, "", BTF_KIND_CONST, false, 0, u32);
	ids.outer = w_type(&w, "outer", BTF_KIND_STRUCT, true, 13, sizeof(struct outer));
	w_member(&w, "pid", constant, 0);
	w_member(&w, "a", u32, 3u << 24 | 32);
	w_member(&w, "b", u32, 29u << 24 | 35);
	w_member(&w, "s", s32, 5u << 24 | 64);
	w_member(&w, "", either, 8 * offsetof(struct outer, u));
	w_member(&w, "in", inners, 8 * offsetof(struct outer, in));
	w_member(&w, "color", color, 8 * offsetof(struct outer, color));
	w_member(&w, "pointer", pointer, 8 * offsetof(struct outer, pointer));
	w_member(&w, "f", single, 8 * offsetof(struct outer, f));
	w_member(&w, "d", real, 8 * offsetof(struct outer, d));
	w_member(&w, "wide", u64, 40u << 24 | 8 * (offsetof(struct outer, d) + 8));
	w_member(&w, "tail", tail, 8 * offsetof(struct outer, tail));
	w_member(&w, "pid", u64, 0); /* a second one of the name: the first is kept */
	uint32_t row = w_array(&w, u32, u32, 3);
	ids.grid = w_array(&w, row, u32, 2);
	ids.big = w_int(&w, "__int128", 16, 0, 0, 128);
	ids.odd = w_int(&w, "odd", 3, 0, 0, 24);
	ids.long_double = w_type(&w, "long double", BTF_KIND_FLOAT, false, 0, 16);
	ids.names = w_array(&w, name_t, u32, 4);
	ids.flexible_typedef = w_type(&w, "blank", BTF_KIND_TYPEDEF, false, 0, either);
	return ids;
}

static void test_shapes(void)
{
	struct ids ids = write_outer();
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, ids.outer, &err);
	CHECK_STR(err.message, "");
	ebpf_btf_free(btf); /* the layout has all it needs */
	CHECK_STR(layout->name, "struct outer");
	CHECK_INT(layout->kind, EBPF_VALUE_STRUCT);
	CHECK_INT(layout->size, sizeof(struct outer));
	CHECK_INT(layout->id, 0);
	CHECK_INT(layout->count, 14);
	static const struct {
		const char *name, *type;
		uint32_t offset;
		enum ebpf_value_kind kind;
		uint32_t size;
	} expected[] = {
	        {"pid", "unsigned int", 0, EBPF_VALUE_INT, 4},
	        {"a", "unsigned int", 4, EBPF_VALUE_INT, 4},
	        {"b", "unsigned int", 4, EBPF_VALUE_INT, 4},
	        {"s", "int", 8, EBPF_VALUE_INT, 4},
	        {"u", "unsigned long", offsetof(struct outer, u), EBPF_VALUE_INT, 8},
	        {"lo", "unsigned int", offsetof(struct outer, lo), EBPF_VALUE_INT, 4},
	        {"hi", "unsigned int", offsetof(struct outer, hi), EBPF_VALUE_INT, 4},
	        {"in", "struct inner[2]", offsetof(struct outer, in), EBPF_VALUE_ARRAY, 2 * sizeof(struct inner)},
	        {"color", "enum color", offsetof(struct outer, color), EBPF_VALUE_ENUM, 4},
	        {"pointer", "void *", offsetof(struct outer, pointer), EBPF_VALUE_POINTER, 8},
	        {"f", "float", offsetof(struct outer, f), EBPF_VALUE_FLOAT, 4},
	        {"d", "double", offsetof(struct outer, d), EBPF_VALUE_FLOAT, 8},
	        {"wide", "unsigned long", offsetof(struct outer, d) + 8, EBPF_VALUE_INT, 8},
	        {"tail", "unsigned int[0]", offsetof(struct outer, tail), EBPF_VALUE_ARRAY, 0},
	};
	for (size_t i = 0; i < EBPF_COUNT(expected) && i < layout->count; i++) {
		const struct ebpf_field *field = &layout->fields[i];
		CHECK_STR(field->name, expected[i].name);
		CHECK_STR(field->layout->name, expected[i].type);
		CHECK_INT(field->offset, expected[i].offset);
		CHECK_INT(field->layout->kind, expected[i].kind);
		CHECK_INT(field->layout->size, expected[i].size);
		CHECK(field->layout->id && field->layout->id < layout->node_count);
	}
	CHECK_INT(field_of(layout, "b")->bit_offset, 3);
	CHECK_INT(field_of(layout, "b")->bit_size, 29);
	const struct ebpf_layout *inner = field_of(layout, "in")->layout->element;
	CHECK_INT(inner->count, 3);
	CHECK_INT(inner->fields[0].layout->kind, EBPF_VALUE_STRING);
	CHECK_STR(inner->fields[0].layout->name, "name_t");
	CHECK_INT(inner->fields[0].layout->count, 16);
	CHECK_INT(inner->fields[1].layout->kind, EBPF_VALUE_ARRAY);
	CHECK_INT(inner->fields[1].layout->element->size, 1);
	CHECK_INT(inner->fields[2].layout->kind, EBPF_VALUE_BOOL);
	const struct ebpf_layout *color = field_of(layout, "color")->layout;
	CHECK_INT(color->count, 2);
	CHECK_STR(color->enumerators[1].name, "GREEN");
	CHECK_INT(color->enumerators[1].value, 5);
	ebpf_layout_free(layout);
}

static void test_others(void)
{
	struct ids ids = write_outer();
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, ids.grid, &err);
	CHECK_STR(layout->name, "unsigned int[2][3]");
	CHECK_INT(layout->size, 24);
	CHECK_INT(layout->count, 2);
	CHECK_INT(layout->element->count, 3);
	ebpf_layout_free(layout);
	layout = ebpf_layout_from_btf(btf, ids.names, &err);
	CHECK_INT(layout->kind, EBPF_VALUE_ARRAY);
	CHECK_INT(layout->element->kind, EBPF_VALUE_STRING);
	ebpf_layout_free(layout);
	const struct {
		uint32_t id, size;
		enum ebpf_value_kind kind;
	} opaque[] = {{ids.big, 16, EBPF_VALUE_INT128}, {ids.odd, 3, EBPF_VALUE_BYTES}, {ids.long_double, 16, EBPF_VALUE_BYTES}};
	for (size_t i = 0; i < EBPF_COUNT(opaque); i++) {
		layout = ebpf_layout_from_btf(btf, opaque[i].id, &err);
		CHECK_INT(layout->kind, opaque[i].kind);
		CHECK_INT(layout->size, opaque[i].size);
		CHECK_INT(ebpf_layout_set_int(layout, NULL, (char[16]){0}, 1), -EINVAL);
		ebpf_layout_free(layout);
	}
	layout = ebpf_layout_from_btf(btf, ids.flexible_typedef, &err);
	CHECK_INT(layout->kind, EBPF_VALUE_UNION);
	CHECK_STR(layout->name, "blank");
	CHECK_INT(layout->count, 3);
	ebpf_layout_free(layout);
	ebpf_layout_free(NULL);
	fails(btf, 0, EINVAL, "void");
	fails(btf, 10000, EINVAL, "no type 10000");
	walk_btf(btf);
	ebpf_btf_free(btf);
}

/* What the compiler put there is what comes out, and the reverse. */
static void test_values(void)
{
	struct ids ids = write_outer();
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, ids.outer, &err);
	struct outer value = {
	        .pid = 4000000000u, .a = 5, .b = 0x1234567, .s = -7, .u = 0x1122334455667788, .color = GREEN, .wide = 0xabcdef0123};
	struct outer copy;
	value.pointer = &value;
#define GET(name, data)         ebpf_layout_get_int(field_of(layout, name)->layout, field_of(layout, name), data)
#define SET(name, data, number) ebpf_layout_set_int(field_of(layout, name)->layout, field_of(layout, name), data, number)
	CHECK_INT(GET("pid", &value), 4000000000);
	CHECK_INT(GET("a", &value), 5);
	CHECK_INT(GET("b", &value), 0x1234567);
	CHECK_INT(GET("s", &value), -7);
	CHECK_INT(GET("u", &value), 0x1122334455667788);
	CHECK_INT(GET("lo", &value), value.lo);
	CHECK_INT(GET("color", &value), 5);
	CHECK_INT(GET("pointer", &value), (intptr_t)&value);
	CHECK_INT(GET("wide", &value), 0xabcdef0123);
	memset(&copy, 0xff, sizeof(copy));
	static const char *const names[] = {"pid", "a", "b", "s", "u", "color", "pointer", "wide"};
	for (size_t i = 0; i < EBPF_COUNT(names); i++)
		CHECK_INT(SET(names[i], &copy, GET(names[i], &value)), 0);
	CHECK(copy.pid == value.pid && copy.a == 5 && copy.b == 0x1234567 && copy.s == -7 && copy.u == value.u &&
	      copy.color == GREEN);
	CHECK(copy.pointer == value.pointer && copy.wide == value.wide);
	/* A bit field's neighbours stay as they were. */
	CHECK_INT(SET("a", &copy, 0), 0);
	CHECK_INT(copy.b, 0x1234567);
	CHECK_INT(SET("b", &copy, 0x1fffffff), 0);
	CHECK(copy.a == 0 && copy.b == 0x1fffffff && copy.s == -7);
	CHECK_INT(SET("a", &copy, 8), -ERANGE);
	CHECK_INT(SET("a", &copy, -1), -ERANGE);
	CHECK_INT(SET("s", &copy, 15), 0);
	CHECK_INT(SET("s", &copy, -16), 0);
	CHECK_INT(copy.s, -16);
	CHECK_INT(SET("s", &copy, 16), -ERANGE);
	CHECK_INT(SET("pid", &copy, -1), -ERANGE);
	CHECK_INT(SET("pid", &copy, 1ll << 32), -ERANGE);
	CHECK_INT(SET("u", &copy, -1), 0);
	CHECK_INT(copy.u, -1);
	CHECK_INT(SET("in", &copy, 1), -EINVAL);
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

static void test_limits(void)
{
	static const struct {
		const char *name;
		int64_t least, most;
	} limits[] = {
	        {"u8", 0, UINT8_MAX},          {"u16", 0, UINT16_MAX},        {"u32", 0, UINT32_MAX}, {"s8", INT8_MIN, INT8_MAX},
	        {"s16", INT16_MIN, INT16_MAX}, {"s32", INT32_MIN, INT32_MAX}, {"bool", 0, 1},
	};
	uint8_t data[16];
	for (size_t i = 0; i < EBPF_COUNT(limits); i++) {
		struct ebpf_layout *layout = ebpf_layout_from_name(limits[i].name, NULL, &err);
		for (int shift = 0; shift < 3; shift++) {
			CHECK_INT(ebpf_layout_set_int(layout, NULL, data + shift, limits[i].least), 0);
			CHECK_INT(ebpf_layout_get_int(layout, NULL, data + shift), limits[i].least);
			CHECK_INT(ebpf_layout_set_int(layout, NULL, data + shift, limits[i].most), 0);
			CHECK_INT(ebpf_layout_get_int(layout, NULL, data + shift), limits[i].most);
		}
		CHECK_INT(ebpf_layout_set_int(layout, NULL, data, limits[i].least - 1), -ERANGE);
		CHECK_INT(ebpf_layout_set_int(layout, NULL, data, limits[i].most + 1), -ERANGE);
		ebpf_layout_free(layout);
	}
	struct ebpf_layout *truth = ebpf_layout_from_name("bool", NULL, &err);
	data[0] = 0xff;
	CHECK_INT(ebpf_layout_get_int(truth, NULL, data), 1);
	ebpf_layout_free(truth);
	struct ebpf_layout *wide = ebpf_layout_from_name("u64", NULL, &err);
	CHECK_INT(ebpf_layout_set_int(wide, NULL, data, INT64_MIN), 0);
	CHECK_INT(ebpf_layout_get_int(wide, NULL, data), INT64_MIN);
	ebpf_layout_free(wide);
}

/* The same values out of mirrored bytes by types of the other byte order; and integers whose names say their order, whatever the rest has. */
static void test_orders(void)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	const bool is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	uint8_t copy[16];
	for (int swapped = 0; swapped < 2; swapped++) {
		w_start(&w, swapped, NULL, 0);
		uint32_t u16 = w_int(&w, "u16", 2, 0, 0, 16), s64 = w_int(&w, "s64", 8, BTF_INT_SIGNED, 0, 64);
		uint32_t real = w_type(&w, "double", BTF_KIND_FLOAT, false, 0, 8), wide = w_int(&w, "__int128", 16, 0, 0, 128);
		uint32_t be16 = w_type(&w, "__be16", BTF_KIND_TYPEDEF, false, 0, u16);
		uint32_t constant = w_type(&w, "", BTF_KIND_CONST, false, 0, be16);
		uint32_t port = w_type(&w, "port", BTF_KIND_TYPEDEF, false, 0, constant);
		uint32_t le64 = w_type(&w, "__le64", BTF_KIND_TYPEDEF, false, 0, s64);
		uint32_t ports = w_array(&w, port, u16, 2);
		uint32_t color = w_type(&w, "color", BTF_KIND_ENUM, false, 1, 4);
		w_pair(&w, "RED", 7);
		uint32_t mixed = w_type(&w, "mixed", BTF_KIND_STRUCT, true, 5, 24);
		w_member(&w, "ports", ports, 0);
		w_member(&w, "plain", u16, 32);
		w_member(&w, "four", be16, 4u << 24 | 48);
		w_member(&w, "little", le64, 64);
		w_member(&w, "color", color, 128);
		struct ebpf_btf *btf = read_types();
		CHECK(ebpf_btf_big_endian(btf) == (is_big != swapped));

		struct ebpf_layout *layout = ebpf_layout_from_btf(btf, s64, &err);
		CHECK_INT(layout->is_swapped, swapped);
		CHECK_INT(ebpf_layout_get_int(layout, NULL, bytes), is_big != swapped ? 0x0102030405060708 : 0x0807060504030201);
		CHECK_INT(ebpf_layout_set_int(layout, NULL, copy, is_big != swapped ? 0x0102030405060708 : 0x0807060504030201), 0);
		CHECK(!memcmp(copy, bytes, 8));
		ebpf_layout_free(layout);
		layout = ebpf_layout_from_name("short", btf, &err);
		CHECK_INT(ebpf_layout_get_int(layout, NULL, bytes), is_big != swapped ? 0x0102 : 0x0201);
		ebpf_layout_free(layout);
		layout = ebpf_layout_from_btf(btf, real, &err);
		ebpf_layout_reorder(layout, bytes, copy);
		CHECK_INT(copy[0], swapped ? 8 : 1);
		ebpf_layout_free(layout);
		layout = ebpf_layout_from_btf(btf, wide, &err);
		ebpf_layout_reorder(layout, bytes, copy);
		CHECK_INT(copy[0], swapped ? 16 : 1);
		ebpf_layout_free(layout);
		layout = ebpf_layout_from_name("char[4]", btf, &err);
		ebpf_layout_reorder(layout, bytes, copy);
		CHECK_INT(copy[0], 1);
		ebpf_layout_free(layout);

		layout = ebpf_layout_from_btf(btf, mixed, &err);
		struct ebpf_layout *ordered = ebpf_layout_with_orders(layout, &err);
		CHECK_STR(err.message, "");
		const struct ebpf_field *field = field_of(layout, "ports");
		CHECK_INT(field->layout->element->order, EBPF_ORDER_BIG);
		CHECK_INT(ebpf_layout_get_int(field->layout->element, NULL, bytes), is_big != swapped ? 0x0102 : 0x0201);
		ebpf_layout_free(layout); /* the other needs nothing of it */
		CHECK_STR(ordered->name, "struct mixed");
		field = field_of(ordered, "ports");
		CHECK_INT(ebpf_layout_get_int(field->layout->element, NULL, bytes), 0x0102);
		CHECK_INT(ebpf_layout_get_int(field_of(ordered, "plain")->layout, NULL, bytes), is_big != swapped ? 0x0102 : 0x0201);
		CHECK_INT(ebpf_layout_get_int(field_of(ordered, "little")->layout, NULL, bytes), 0x0807060504030201);
		field = field_of(ordered, "four"); /* the low or the high half of a byte, as if it had another name */
		CHECK_INT(ebpf_layout_get_int(field->layout, field, bytes), is_big != swapped ? 0 : 7);
		field = field_of(ordered, "color");
		CHECK_STR(field->layout->enumerators[0].name, "RED");
		CHECK_INT(ordered->node_count, 7);
		ebpf_layout_free(ordered);
		ebpf_btf_free(btf);
	}
}

/* Against a bit-by-bit model, in both byte orders, at every place and size. */
static void test_bits(void)
{
	uint64_t seed = 88172645463325252u;
	for (unsigned offset = 0; offset < 8; offset++) {
		for (unsigned size = 1; size <= 64; size++) {
			for (int big = 0; big < 2; big++) {
				uint8_t data[9], before[9];
				uint64_t expected = 0, mask = size < 64 ? ((uint64_t)1 << size) - 1 : UINT64_MAX;
				unsigned bytes = (offset + size + 7) / 8;
				for (unsigned i = 0; i < 9; i++) {
					seed ^= seed << 13;
					seed ^= seed >> 7;
					seed ^= seed << 17;
					data[i] = before[i] = seed;
				}
				for (unsigned i = 0; i < size; i++) {
					unsigned bit = offset + i;
					unsigned set = big ? data[bit / 8] >> (7 - bit % 8) & 1 : data[bit / 8] >> bit % 8 & 1;
					expected |= (uint64_t)set << (big ? size - 1 - i : i);
				}
				CHECK(ebpf_bits_get(data, offset, size, big) == expected);
				ebpf_bits_set(data, offset, size, big, ~expected);
				CHECK(ebpf_bits_get(data, offset, size, big) == (~expected & mask));
				ebpf_bits_set(data, offset, size, big, expected);
				CHECK(!memcmp(data, before, 9));
				/* Never a byte beyond. */
				uint8_t *exact = malloc(bytes);
				memcpy(exact, before, bytes);
				CHECK(ebpf_bits_get(exact, offset, size, big) == expected);
				ebpf_bits_set(exact, offset, size, big, 0);
				free(exact);
			}
		}
	}
}

/* s390x's clock, as its kernel has it: what 128-bit integers are divided into is left out, the rest is there. */
static void test_wide_bit_fields(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t u64 = w_int(&w, "unsigned long", 8, 0, 0, 64), u128 = w_int(&w, "unsigned __int128", 16, 0, 0, 128);
	uint32_t clock = w_type(&w, "clock", BTF_KIND_UNION, true, 3, 16);
	w_member(&w, "eitod", u128, 72u << 24);
	w_member(&w, "us", u128, 60u << 24);
	w_member(&w, "tod", u64, 0);
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, clock, &err);
	CHECK_STR(err.message, "");
	CHECK(layout && layout->size == 16 && layout->count == 1 && !strcmp(layout->fields[0].name, "tod"));
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

/* Linux before 5.0: the bit field is in the INT, not in the member. */
static void test_old_bit_fields(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t narrow = w_int(&w, "unsigned int", 4, 0, 0, 3);
	uint32_t shifted = w_int(&w, "int", 4, BTF_INT_SIGNED, 3, 5);
	uint32_t plain = w_int(&w, "unsigned int", 4, 0, 0, 32);
	uint32_t alias = w_type(&w, "t", BTF_KIND_TYPEDEF, false, 0, shifted);
	uint32_t old = w_type(&w, "old", BTF_KIND_STRUCT, false, 4, 8);
	w_member(&w, "a", narrow, 0);
	w_member(&w, "b", alias, 0);
	w_member(&w, "c", narrow, 9);
	w_member(&w, "d", plain, 32);
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, old, &err);
	CHECK_STR(err.message, "");
	const struct ebpf_field *b = field_of(layout, "b"), *c = field_of(layout, "c"), *d = field_of(layout, "d");
	CHECK(b->offset == 0 && b->bit_offset == 3 && b->bit_size == 5);
	CHECK(c->offset == 1 && c->bit_offset == 1 && c->bit_size == 3);
	CHECK(d->offset == 4 && !d->bit_size);
	uint8_t data[8] = {0};
	CHECK_INT(ebpf_layout_set_int(b->layout, b, data, -16), 0);
	CHECK_INT(ebpf_layout_get_int(b->layout, b, data), -16);
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

static void name_is(const char *name, const struct ebpf_btf *btf, enum ebpf_value_kind kind, uint32_t size, const char *expected)
{
	struct ebpf_layout *layout = ebpf_layout_from_name(name, btf, &err);
	CHECK_STR(err.message, "");
	if (!layout)
		return;
	CHECK_INT(layout->kind, kind);
	CHECK_INT(layout->size, size);
	CHECK_STR(layout->name, expected);
	ebpf_layout_free(layout);
}

static void name_fails(const char *name, const struct ebpf_btf *btf, int code)
{
	struct ebpf_layout *layout = ebpf_layout_from_name(name, btf, &err);
	CHECK(!layout);
	CHECK_INT(err.code, code);
	ebpf_layout_free(layout);
	ebpf_error_clear(&err);
}

static void test_names(void)
{
	struct ids ids = write_outer();
	struct ebpf_btf *btf = read_types();
	(void)ids;
	name_is("u32", NULL, EBPF_VALUE_INT, 4, "u32");
	name_is(" unsigned   int ", NULL, EBPF_VALUE_INT, 4, "unsigned int");
	name_is("long", NULL, EBPF_VALUE_INT, 8, "long");
	name_is("char[16]", NULL, EBPF_VALUE_STRING, 16, "char[16]");
	name_is("char[2][16]", NULL, EBPF_VALUE_ARRAY, 32, "char[2][16]");
	name_is("unsigned char[4]", NULL, EBPF_VALUE_ARRAY, 4, "unsigned char[4]");
	name_is("u64[4]", NULL, EBPF_VALUE_ARRAY, 32, "u64[4]");
	name_is("u64 [ 0x4 ] [2]", NULL, EBPF_VALUE_ARRAY, 64, "u64[4][2]");
	name_is("bytes[33]", NULL, EBPF_VALUE_BYTES, 33, "bytes[33]");
	name_is("bytes[2][33]", NULL, EBPF_VALUE_ARRAY, 66, "bytes[2][33]");
	name_is("ptr", NULL, EBPF_VALUE_POINTER, 8, "ptr");
	name_is("void *", NULL, EBPF_VALUE_POINTER, 8, "void *");
	name_is("struct sock*[2]", NULL, EBPF_VALUE_ARRAY, 16, "struct sock *[2]");
	name_is("double", NULL, EBPF_VALUE_FLOAT, 8, "double");
	name_is("bool", NULL, EBPF_VALUE_BOOL, 1, "bool");
	name_is("struct outer", btf, EBPF_VALUE_STRUCT, sizeof(struct outer), "struct outer");
	name_is("outer", btf, EBPF_VALUE_STRUCT, sizeof(struct outer), "struct outer");
	name_is("struct inner[3]", btf, EBPF_VALUE_ARRAY, 3 * sizeof(struct inner), "struct inner[3]");
	name_is("name_t[2]", btf, EBPF_VALUE_ARRAY, 32, "name_t[2]");
	name_is("u8[0]", NULL, EBPF_VALUE_ARRAY, 0, "u8[0]");
	static const char *const bad[] = {"", " ", "[4]", "u32[", "u32[]", "u32[x]", "u32[4", "u32[4]x", "bytes", "*", "u32[-1]"};
	for (size_t i = 0; i < EBPF_COUNT(bad); i++)
		name_fails(bad[i], btf, EINVAL);
	name_fails("u33", btf, ENOENT);
	name_fails("struct nothing", btf, ENOENT);
	name_fails("struct outer", NULL, ENOENT);
	name_fails("u32[4294967295]", NULL, E2BIG);
	name_fails("u32[99999999999999999999999]", NULL, E2BIG);
	name_fails("u8[1][1][1][1][1][1][1][1][1]", NULL, E2BIG);
	char text[600];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	name_fails(text, btf, EINVAL);
	ebpf_btf_free(btf);
}

/* -- types that lie -- */

static void test_hostile_members(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t u32 = w_int(&w, "u32", 4, 0, 0, 32);
	uint32_t forward = w_type(&w, "later", BTF_KIND_FWD, false, 0, 0);
	uint32_t outside = w_type(&w, "outside", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "x", u32, 8);
	uint32_t far = w_type(&w, "far", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "x", u32, 0xfffffff8);
	uint32_t crooked = w_type(&w, "crooked", BTF_KIND_STRUCT, false, 1, 8);
	w_member(&w, "x", u32, 4);
	uint32_t wide = w_type(&w, "wide", BTF_KIND_STRUCT, true, 1, 64);
	w_member(&w, "x", u32, 33u << 24);
	uint32_t bits_outside = w_type(&w, "bits", BTF_KIND_STRUCT, true, 1, 4);
	w_member(&w, "x", u32, 8u << 24 | 25);
	uint32_t incomplete = w_type(&w, "incomplete", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "x", forward, 0);
	uint32_t self = w_type(&w, "self", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "x", self, 0);
	uint32_t anonymous = w_type(&w, "", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&w, "", anonymous, 0);
	uint32_t of_self = w_array(&w, u32 + w.count, u32, 1);
	uint32_t no_bits = w_type(&w, "no_bits", BTF_KIND_STRUCT, true, 1, 8);
	w_member(&w, "x", outside, 3u << 24);
	struct ebpf_btf *btf = read_types();
	fails(btf, forward, EINVAL, "has no size");
	fails(btf, outside, EINVAL, "member 'x' lies outside of its struct");
	fails(btf, far, EINVAL, "member 'x' lies outside of its struct");
	fails(btf, crooked, EINVAL, "does not begin at a byte");
	fails(btf, wide, EINVAL, "has more bits than its type");
	fails(btf, bits_outside, EINVAL, "lies outside of its struct");
	fails(btf, incomplete, EINVAL, "(struct incomplete): member 'x' has no size");
	fails(btf, self, EINVAL, "contains itself");
	fails(btf, anonymous, E2BIG, "nested too deeply");
	fails(btf, of_self, EINVAL, "contains itself");
	fails(btf, no_bits, EINVAL, "");
	walk_btf(btf);
	ebpf_btf_free(btf);
}

/* Small types that would unfold without end. */
static void test_bombs(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t u8 = w_int(&w, "u8", 1, 0, 0, 8);
	uint32_t last = w_type(&w, "u", BTF_KIND_UNION, false, 2, 1);
	w_member(&w, "a", u8, 0);
	w_member(&w, "b", u8, 0);
	for (int i = 0; i < 30; i++) { /* 2^31 values in one byte */
		uint32_t next = w_type(&w, "u", BTF_KIND_UNION, false, 2, 1);
		w_member(&w, "a", last, 0);
		w_member(&w, "b", last, 0);
		last = next;
	}
	uint32_t unions = last;
	last = w_type(&w, "", BTF_KIND_STRUCT, false, 0, 0);
	for (int i = 0; i < 30; i++) { /* no member at all, after 2^30 looks */
		uint32_t next = w_type(&w, "", BTF_KIND_STRUCT, false, 2, 0);
		w_member(&w, "", last, 0);
		w_member(&w, "", last, 0);
		last = next;
	}
	uint32_t nothing = last;
	uint32_t empty = w_type(&w, "empty", BTF_KIND_STRUCT, false, 0, 0);
	uint32_t many = w_array(&w, empty, u8, UINT32_MAX); /* 2^32 times nothing */
	last = u8;
	for (int i = 0; i < 40; i++)
		last = w_array(&w, last, u8, 1);
	uint32_t deep = last;
	uint32_t huge = w_array(&w, w_array(&w, u8, u8, 65536), u8, 65536);
	struct ebpf_btf *btf = read_types();
	fails(btf, unions, E2BIG, "too many parts");
	fails(btf, nothing, E2BIG, "too many members");
	fails(btf, many, E2BIG, "would decode to");
	fails(btf, deep, E2BIG, "nested too deeply");
	fails(btf, huge, E2BIG, "4 GiB");
	/* But a large plain one is fine. */
	struct ebpf_layout *layout = ebpf_layout_from_name("u8[67108864]", btf, &err);
	CHECK(layout && layout->size == 67108864);
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

static void test_many_fields(void)
{
	char name[16];
	w_start(&w, false, NULL, 0);
	uint32_t u8 = w_int(&w, "u8", 1, 0, 0, 8);
	uint32_t wide = w_type(&w, "wide", BTF_KIND_STRUCT, false, 301, 300);
	for (int i = 0; i < 301; i++) {
		snprintf(name, sizeof(name), "f%d", i % 300); /* the last repeats the first */
		w_member(&w, name, u8, 8 * (i % 300));
	}
	struct ebpf_btf *btf = read_types();
	struct ebpf_layout *layout = ebpf_layout_from_btf(btf, wide, &err);
	CHECK_STR(err.message, "");
	CHECK_INT(layout->count, 300);
	CHECK_STR(layout->fields[299].name, "f299");
	CHECK_INT(layout->node_count, 2); /* one u8 for all */
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

static void test_sections(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t u32 = w_int(&w, "u32", 4, 0, 0, 32);
	uint32_t a = w_var(&w, "a", u32, BTF_VAR_GLOBAL), b = w_var(&w, "b", u32, BTF_VAR_STATIC),
	         x = w_var(&w, "x", 0, BTF_VAR_EXTERN);
	uint32_t section = w_type(&w, ".data", BTF_KIND_DATASEC, false, 3, 0);
	const uint32_t variables[] = {a, b, x};
	for (int i = 0; i < 3; i++) {
		w_word(&w, variables[i]);
		w_word(&w, 0);
		w_word(&w, 4);
	}
	struct ebpf_btf *btf = read_types();
	fails(btf, section, EINVAL, "has no sizes yet");
	struct ebpf_layout *layout = ebpf_layout_from_datasec(btf, section, (uint32_t[]){8, 0, 4}, 12, &err);
	CHECK_STR(err.message, "");
	CHECK_STR(layout->name, ".data");
	CHECK_INT(layout->kind, EBPF_VALUE_STRUCT);
	CHECK_INT(layout->size, 12);
	CHECK_INT(field_of(layout, "a")->offset, 8);
	CHECK_INT(field_of(layout, "b")->offset, 0);
	CHECK_INT(field_of(layout, "x")->layout->kind, EBPF_VALUE_BYTES);
	CHECK_INT(field_of(layout, "x")->layout->size, 4);
	ebpf_layout_free(layout);
	CHECK(!ebpf_layout_from_datasec(btf, section, (uint32_t[]){12, 0, 4}, 12, &err));
	CHECK(strstr(err.message, "member 'a' lies outside of its section"));
	CHECK(!ebpf_layout_from_datasec(btf, u32, NULL, 0, &err));
	ebpf_error_clear(&err);
	layout = ebpf_layout_from_btf(btf, a, &err);
	CHECK_STR(layout->name, "u32");
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
}

int main(void)
{
	test_shapes();
	test_others();
	test_values();
	test_limits();
	test_orders();
	test_bits();
	test_wide_bit_fields();
	test_old_bit_fields();
	test_names();
	test_hostile_members();
	test_bombs();
	test_many_fields();
	test_sections();
	return TEST_RESULT();
}
