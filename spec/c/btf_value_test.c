/* btf_value_test.c -- values printed and read back: what comes out for each kind, and that nothing is lost on the way. */
#include <stdarg.h>

#include "btf_writer.h"
#include "test.h"

static struct ebpf_error err;

/* -- text that is printed -- */

struct output {
	char text[1 << 18];
	size_t size;
};
static struct output out;

static int take(void *context, const char *text, size_t size)
{
	struct output *output = context;
	if (size >= sizeof(output->text) - output->size)
		return -EFBIG;
	memcpy(output->text + output->size, text, size);
	output->size += size;
	output->text[output->size] = '\0';
	return 0;
}

static const char *print(const struct ebpf_btf *btf, int64_t id, const void *data, size_t size, struct ebpf_value_options options)
{
	options.size = sizeof(options);
	out.size = 0;
	out.text[0] = '\0';
	int result = ebpf_value_print(btf, id, data, size, &options, take, &out, &err);
	CHECK_INT(result, 0);
	CHECK_STR(err.message, "");
	ebpf_error_clear(&err);
	return out.text;
}

static struct ebpf_btf *read_object(const char *name, const char *folder)
{
	char path[500];
	struct ebpf_btf *btf = NULL;
	const char *objects = getenv("EBPF_TEST_OBJECTS");
	snprintf(path, sizeof(path), "%s/%s%s.bpf.o", objects ? objects : "build/spec/bpf", folder, name);
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), 0);
	CHECK_STR(err.message, "");
	return btf;
}

static int64_t find(const struct ebpf_btf *btf, const char *name)
{
	int64_t id = ebpf_btf_find(btf, name);
	if (id <= 0)
		CHECK_STR(name, "a type that is there");
	return id > 0 ? id : 0;
}

/* -- each kind, by hand -- */

struct pair {
	uint32_t low;
	int32_t high;
};
/* As in spec/bpf/lua_types.bpf.c. */
struct value {
	uint64_t big;
	int64_t small;
	uint32_t color;
	uint8_t mac[6];
	bool flag;
	char name[9];
	struct pair pair;
	struct pair pairs[2];
	uint32_t three : 3, twenty : 20;
	int32_t five : 5;
	union {
		uint32_t word;
		uint8_t bytes[4];
	};
	union {
		uint64_t whole;
		struct pair halves;
	} choice;
	uint16_t grid[2][3];
	int8_t tiny;
	int16_t little;
	void *pointer;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WORD "16777216"
#else
#define WORD "1"
#endif

static void prints_initializers(const struct ebpf_btf *btf)
{
	int64_t id = find(btf, "struct value");
	struct value value = {.big = UINT64_MAX, .small = -1, .color = 2, .mac = {1, 0, 3}, .flag = true, .name = "a\"b\\\n",
			      .pair = {.high = -7}, .pairs = {{0, 0}, {5, 6}}, .three = 5, .five = -3, .bytes = {0, 0, 0, 1},
			      .grid = {{1, 2, 3}, {0, 0, 0}}, .tiny = -128, .pointer = (void *)0x1234};
	const struct ebpf_value_options compact = {.compact = true, .emit_strings = true};

	CHECK_INT(ebpf_btf_sizeof(btf, id), sizeof(value));
	CHECK_STR(print(btf, id, &value, sizeof(value), compact),
		  "{ .big = 18446744073709551615, .small = -1, .color = GREEN, .mac = { 1, 0, 3 }, .flag = true, "
		  ".name = \"a\\\"b\\\\\\012\", .pair = { .high = -7 }, .pairs = { { }, { .low = 5, .high = 6 } }, .three = 5, "
		  ".five = -3, .word = " WORD ", .bytes = { 0, 0, 0, 1 }, .grid = { { 1, 2, 3 } }, .tiny = -128, .pointer = 0x1234 }");
	memset(&value, 0, sizeof(value));
	CHECK_STR(print(btf, id, &value, sizeof(value), compact), "{ }");
	value.color = 9;
	memcpy(value.name, "full-size", 9);
	value.pairs[1].low = 1;
	CHECK_STR(print(btf, id, &value, sizeof(value), (struct ebpf_value_options){.emit_strings = true}),
		  "{\n\t.color = 9,\n\t.name = \"full-size\",\n\t.pairs = {\n\t\t{\n\t\t},\n\t\t{\n\t\t\t.low = 1,\n\t\t},\n\t},\n}");
	struct pair pair = {.low = 1};
	id = find(btf, "struct pair");
	CHECK_STR(print(btf, id, &pair, sizeof(pair), (struct ebpf_value_options){.compact = true, .emit_zeroes = true}),
		  "{ .low = 1, .high = 0 }");
	CHECK_STR(print(btf, id, &pair, sizeof(pair), (struct ebpf_value_options){.compact = true, .skip_names = true}), "{ 1, 0 }");
	CHECK_STR(print(btf, id, &pair, sizeof(pair), (struct ebpf_value_options){.indent_level = 1, .indent = "  "}),
		  "  {\n    .low = 1,\n  }");
}

/* What libbpf's btf_dump__dump_type_data prints for the same bytes. */
static void prints_typed(const struct ebpf_btf *btf)
{
	struct pair pairs[2] = {{0, -1}, {7, 0}};
	int64_t pair = find(btf, "struct pair");
	CHECK_STR(print(btf, pair, pairs, sizeof(pairs[0]), (struct ebpf_value_options){.typed = true}),
		  "(struct pair){\n\t.high = (__s32)-1,\n}");
	CHECK_STR(print(btf, pair, pairs, sizeof(pairs[0]), (struct ebpf_value_options){.typed = true, .compact = true, .emit_zeroes = true}),
		  "(struct pair){.low = (__u32)0,.high = (__s32)-1,}");
	CHECK_STR(print(btf, pair, pairs, sizeof(pairs[0]), (struct ebpf_value_options){.typed = true, .compact = true, .skip_names = true}),
		  "{-1,}");
	struct value value = {.mac = {'a', 0, 3}, .name = "hi", .three = 5, .five = -3, .pairs = {{1, 0}}, .grid = {{0}, {4, 5, 6}}};
	CHECK_STR(print(btf, find(btf, "struct value"), &value, sizeof(value), (struct ebpf_value_options){.typed = true, .compact = true}),
		  "(struct value){.mac = (__u8[6])['a',3,],.name = (char[9])['h','i',],"
		  ".pairs = (struct pair[2])[{.low = 1,.high = 0,},{.low = 0,.high = 0,},],.three = (__u32)0x5,.five = (__s32)0x1d,"
		  ".grid = (__u16[2][3])[[0,0,0,],[4,5,6,],],}");
	CHECK_STR(print(btf, find(btf, "char"), "x", 1, (struct ebpf_value_options){.typed = true}), "(char)120");
}

static void tells_what_is_cut(const struct ebpf_btf *btf)
{
	struct value value = {.big = 5, .small = 6, .color = 1, .mac = {1}, .name = "abc"};
	struct ebpf_value_options options = {.size = sizeof(options), .compact = true, .emit_strings = true};
	int64_t id = find(btf, "struct value");
	const struct {
		size_t size;
		const char *text;
	} cuts[] = {{0, ""}, {7, "{ }"}, {8, "{ .big = 5 }"}, {20, "{ .big = 5, .small = 6, .color = RED }"},
		    {offsetof(struct value, name) + 2, "{ .big = 5, .small = 6, .color = RED, .mac = { 1 }, .name = \"ab\" }"}};
	for (size_t i = 0; i < EBPF_COUNT(cuts); i++) {
		out.size = 0;
		out.text[0] = '\0';
		CHECK_INT(ebpf_value_print(btf, id, &value, cuts[i].size, &options, take, &out, &err), -E2BIG);
		CHECK_STR(out.text, cuts[i].text);
		char message[100];
		snprintf(message, sizeof(message), "value: struct value has %zu bytes, but there are %zu", sizeof(value), cuts[i].size);
		CHECK_STR(err.message, message);
		ebpf_error_clear(&err);
	}
}

static void reads(const struct ebpf_btf *btf)
{
	int64_t id = find(btf, "struct value");
	struct value v;
	const char *text = "(struct value){ // a comment\n\t.big = 0xffffffffffffffffull, .small = -0x8000000000000000, .color = GREEN | RED,\n"
			   ".mac = { [1] = 2, 3, [4 ... 5] = 0377 }, .flag = true, .name = \"x\" \"\\x41\\101\", .pair.high = -1, .pairs[1].low = 0b11,"
			   ".five = -16, .bytes = { 1, 2 }, .choice = { .halves = { 1, 2 } }, .grid[1][2] = 'c', .tiny = '\\377', .pointer = NULL, };";
	CHECK_INT(ebpf_value_parse(btf, id, text, &v, sizeof(v), &err), 0);
	CHECK_STR(err.message, "");
	CHECK(v.big == UINT64_MAX && v.small == INT64_MIN && v.color == 3 && v.flag && v.five == -16);
	CHECK(!memcmp(v.mac, (uint8_t[]){0, 2, 3, 0, 255, 255}, 6));
	CHECK_STR(v.name, "xAA");
	CHECK(v.pair.high == -1 && v.pairs[1].low == 3 && v.bytes[1] == 2 && v.choice.halves.high == 2);
	CHECK(v.grid[1][2] == 'c' && v.tiny == -1 && !v.pointer);
	/* By position, and what libbpf prints. */
	struct pair pair;
	CHECK_INT(ebpf_value_parse(btf, find(btf, "struct pair"), "{ 1, 2 }", &pair, sizeof(pair), &err), 0);
	CHECK(pair.low == 1 && pair.high == 2);
	text = "(struct value){\n\t.mac = (__u8[6])['a','\\0',],\n\t.name = (char[9])[''','\\','\\0',],\n\t(union){\n\t\t.word = (__u32)8,\n\t},"
	       "\n\t.three = (__u32)0x5,\n\t.five = (__s32)0x1d,\n\t.pointer = (void *)(nil),\n}";
	CHECK_INT(ebpf_value_parse(btf, id, text, &v, sizeof(v), &err), 0);
	CHECK_STR(err.message, "");
	CHECK(v.mac[0] == 'a' && v.three == 5 && v.five == -3 && v.word == 8);
	CHECK_STR(v.name, "'\\");
}

static void refuses(const struct ebpf_btf *btf)
{
	static const struct {
		const char *text;
		int code;
		const char *message;
	} cases[] = {
		{"", EINVAL, "value: line 1, column 1: struct value is written in '{ }'"},
		{"{ .bigg = 1 }", ENOENT, "value: line 1, column 4: struct value has no member 'bigg'"},
		{"{ .big = 1", EINVAL, "value: line 1, column 11: ',' or '}' is expected"},
		{"{\n .big 1 }", EINVAL, "value: line 2, column 7: '=' is expected"},
		{"{ .color = PINK }", ENOENT, "value: line 1, column 12: enum color has no enumerator 'PINK'"},
		{"{ .three = 8 }", ERANGE, "value: line 1, column 12: the number does not fit into 3 bits"},
		{"{ .five = 16 }", ERANGE, "value: line 1, column 11: the number does not fit into 5 bits with a sign"},
		{"{ .big = -1 }", ERANGE, "value: line 1, column 10: the number does not fit into 64 bits"},
		{"{ .tiny = 128 }", ERANGE, "value: line 1, column 11: the number does not fit into 8 bits with a sign"},
		{"{ .name = \"0123456789\" }", ERANGE, "value: line 1, column 22: the string is longer than 9 bytes"},
		{"{ .name = \"abc }", EINVAL, "value: line 1, column 17: a string does not end"},
		{"{ .mac = { 1, 2, 3, 4, 5, 6, 7 } }", ERANGE, "value: line 1, column 30: __u8[6] has no room for more elements"},
		{"{ .mac[6] = 1 }", ERANGE, "value: line 1, column 8: an array of 6 elements has none of that index"},
		{"{ .big = 1.5 }", EINVAL, "value: line 1, column 10: a bad digit '.' in a number"},
		{"{ .big = 0x }", EINVAL, "value: line 1, column 10: digits are missing"},
		{"{ .big = x }", EINVAL, "value: line 1, column 10: unsigned long long is no enum: a number is expected, not 'x'"},
		{"{ .pair = 1 }", EINVAL, "value: line 1, column 11: struct pair is written in '{ }'"},
		{"{ .pair.low = 1, 2 }", EINVAL, "value: line 1, column 18: a value without a name, and what is before does not say where"},
		{"{ } x", EINVAL, "value: line 1, column 5: nothing more is expected"},
		{"{ .big = (int 1 }", EINVAL, "value: line 1, column 10: '(' without ')'"},
		{"{ .big = 340282366920938463463374607431768211456 }", ERANGE, "value: line 1, column 10: the number has more than 128 bits"},
	};
	struct value v;
	for (size_t i = 0; i < EBPF_COUNT(cases); i++) {
		CHECK_INT(ebpf_value_parse(btf, find(btf, "struct value"), cases[i].text, &v, sizeof(v), &err), -cases[i].code);
		CHECK_STR(err.message, cases[i].message);
		ebpf_error_clear(&err);
	}
	CHECK_INT(ebpf_value_parse(btf, 0, "1", &v, sizeof(v), &err), -EINVAL);
	CHECK_INT(ebpf_value_parse(btf, ebpf_btf_count(btf), "1", &v, sizeof(v), &err), -EINVAL);
	CHECK_INT(ebpf_value_print(btf, ebpf_btf_count(btf), &v, sizeof(v), NULL, take, &out, &err), -EINVAL);
	CHECK_INT(ebpf_value_print(btf, 0, &v, sizeof(v), NULL, take, &out, &err), -EINVAL);
	CHECK_INT(ebpf_value_print(btf, 1, NULL, 0, &(struct ebpf_value_options){0}, take, &out, &err), -EINVAL);
	ebpf_error_clear(&err);
}

/* -- any value of any type: read(print(v)) = v -- */

static uint64_t random_state = 88172645463325252ull;
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* Mostly zeros, some small numbers, some anything. */
static void fill(uint8_t *data, size_t size)
{
	unsigned how = next_random() % 4;
	for (size_t i = 0; i < size; i++)
		data[i] = how == 0 ? next_random() : how == 1 ? next_random() % 3 : next_random() % 8 ? 0 : next_random() % (how == 2 ? 128 : 256);
}

static void survives(const struct ebpf_btf *btf, uint32_t id, const uint8_t *data, const uint8_t *covered, size_t size,
		     struct ebpf_value_options options)
{
	static uint8_t again[1 << 13];
	const char *text = print(btf, id, data, size, options);
	int result = ebpf_value_parse(btf, id, text, again, size, &err);
	if (result) {
		CHECK_STR(err.message, text);
		ebpf_error_clear(&err);
		return;
	}
	for (size_t i = 0; i < size; i++) {
		if ((again[i] ^ data[i]) & covered[i]) {
			fprintf(stderr, "type %u, byte %zu of %zu: 0x%02x is not 0x%02x\n", id, i, size, again[i], data[i]);
			CHECK_STR(text, "what it was");
			return;
		}
	}
}

static int survive_all(const struct ebpf_btf *btf)
{
	static uint8_t ones[1 << 13], covered[1 << 13], data[1 << 13];
	int count = 0;
	memset(ones, 0xff, sizeof(ones));
	for (uint32_t id = 1; id < ebpf_btf_count(btf); id++) {
		int64_t size = ebpf_btf_sizeof(btf, id);
		struct ebpf_type type;
		ebpf_btf_type(btf, id, &type);
		if (size < 0 || size > (int64_t)sizeof(data) || (type.kind == BTF_KIND_DATASEC && !size))
			continue;
		count++;
		/* All ones come back wherever there is a member: what does not is padding. */
		CHECK_INT(ebpf_value_parse(btf, id, print(btf, id, ones, size, (struct ebpf_value_options){0}), covered, size, &err), 0);
		CHECK_STR(err.message, "");
		for (unsigned i = 0; i < 32; i++) {
			struct ebpf_value_options options = {
				.compact = i & 1, .emit_zeroes = i & 2, .emit_strings = i & 4, .skip_names = i & 8};
			fill(data, size);
			survives(btf, id, data, covered, size, options);
		}
	}
	return count;
}

/* In the typed notation texts end at their NUL (so there is none here) and floats have six digits: what was read once is printed the same again. */
static void settles(const struct ebpf_btf *btf)
{
	static uint8_t data[1 << 13], again[1 << 13];
	static char text[sizeof(out.text)];
	for (uint32_t id = 1; id < ebpf_btf_count(btf); id++) {
		int64_t size = ebpf_btf_sizeof(btf, id);
		struct ebpf_type type;
		ebpf_btf_type(btf, id, &type);
		if (size < 0 || size > (int64_t)sizeof(data) || type.kind == BTF_KIND_DATASEC || type.kind == BTF_KIND_VAR)
			continue;
		for (unsigned i = 0; i < 4; i++) {
			struct ebpf_value_options options = {.typed = true, .emit_zeroes = true, .compact = i & 1, .emit_strings = i & 2};
			for (int64_t k = 0; k < size; k++)
				data[k] = 'a' + next_random() % 26;
			strcpy(text, print(btf, id, data, size, options));
			CHECK_INT(ebpf_value_parse(btf, id, text, again, size, &err), 0);
			CHECK_STR(err.message, "");
			ebpf_error_clear(&err);
			const char *second = print(btf, id, again, size, options);
			if (strcmp(second, text) != 0) {
				size_t at = 0;
				while (second[at] == text[at])
					at++;
				fprintf(stderr, "type %u: at byte %zu of the text: %.60s, then %.60s\n", id, at, text + (at < 30 ? 0 : at - 30),
					second + (at < 30 ? 0 : at - 30));
				CHECK(!"printed the same again");
			}
		}
	}
}

int main(void)
{
	static const char *const objects[] = {"lua_types", "lua_records", "load_types", "load_data", "spec_core", "spec_data", "btf_shapes"};
	struct ebpf_btf *btf = read_object("lua_types", "");
	if (!btf)
		return TEST_RESULT();
	prints_initializers(btf);
	prints_typed(btf);
	tells_what_is_cut(btf);
	reads(btf);
	refuses(btf);
	ebpf_btf_free(btf);
	for (size_t i = 0; i < EBPF_COUNT(objects); i++) {
		btf = read_object(objects[i], "");
		if (!btf)
			continue;
		CHECK(survive_all(btf) > 5);
		settles(btf);
		ebpf_btf_free(btf);
		/* The types of the other byte order, for data in the host's. */
		btf = read_object(objects[i], "big/");
		if (btf)
			survive_all(btf);
		ebpf_btf_free(btf);
	}
	return TEST_RESULT();
}
