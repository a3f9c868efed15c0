/* btf_test.c -- BTF read, looked up and refused: both byte orders, split, hostile. */
#include <fcntl.h>
#include <unistd.h>

#include "btf_walk.h"
#include "btf_writer.h"
#include "test.h"

/* One of every kind. The ids are in the order of the fields. */
struct sample {
	uint32_t integer, character, pointer, array, structure, union_, enumeration, forward, typedef_, volatile_, constant,
	        restrict_, proto, func, var, section, real, decl_tag, type_tag, enum64, flavoured;
};

static struct sample write_sample(struct writer *w)
{
	struct sample s;
	s.integer = w_int(w, "int", 4, BTF_INT_SIGNED, 0, 32);
	s.character = w_int(w, "char", 1, BTF_INT_SIGNED, 0, 8);
	s.pointer = w_type(w, "", BTF_KIND_PTR, false, 0, s.integer + 4);
	s.array = w_array(w, s.character, s.integer, 16);
	s.structure = w_type(w, "event", BTF_KIND_STRUCT, true, 3, 24);
	w_member(w, "pid", s.integer, 0);
	w_member(w, "flags", s.integer, 3u << 24 | 32);
	w_member(w, "comm", s.array, 64);
	s.union_ = w_type(w, "either", BTF_KIND_UNION, false, 2, 4);
	w_member(w, "i", s.integer, 0);
	w_member(w, "c", s.character, 0);
	s.enumeration = w_type(w, "color", BTF_KIND_ENUM, true, 2, 4);
	w_pair(w, "RED", 0);
	w_pair(w, "NONE", -1);
	s.forward = w_type(w, "later", BTF_KIND_FWD, false, 0, 0);
	s.typedef_ = w_type(w, "event_t", BTF_KIND_TYPEDEF, false, 0, s.integer + 10);
	s.volatile_ = w_type(w, "", BTF_KIND_VOLATILE, false, 0, s.structure);
	s.constant = w_type(w, "", BTF_KIND_CONST, false, 0, s.volatile_);
	s.restrict_ = w_type(w, "", BTF_KIND_RESTRICT, false, 0, s.pointer);
	s.proto = w_type(w, "", BTF_KIND_FUNC_PROTO, false, 2, s.integer);
	w_pair(w, "ctx", s.pointer);
	w_pair(w, "", 0);
	s.func = w_type(w, "event", BTF_KIND_FUNC, false, BTF_VAR_GLOBAL, s.proto);
	s.var = w_var(w, "counter", s.integer, BTF_VAR_GLOBAL);
	s.section = w_type(w, ".bss", BTF_KIND_DATASEC, false, 1, 8);
	w_word(w, s.var);
	w_word(w, 4);
	w_word(w, 4);
	s.real = w_type(w, "double", BTF_KIND_FLOAT, false, 0, 8);
	s.decl_tag = w_type(w, "tagged", BTF_KIND_DECL_TAG, false, 0, s.structure);
	w_word(w, 1);
	s.type_tag = w_type(w, "user", BTF_KIND_TYPE_TAG, false, 0, s.integer);
	s.enum64 = w_type(w, "big", BTF_KIND_ENUM64, false, 1, 8);
	w_word(w, w_string(w, "HUGE"));
	w_word(w, 0x89abcdef);
	w_word(w, 0x01234567);
	s.flavoured = w_type(w, "event___old", BTF_KIND_STRUCT, false, 0, 0);
	return s;
}

static void check_parts(const struct ebpf_btf *btf, const struct sample *s)
{
	struct ebpf_type type;
	uint32_t encoding, offset, bits;

	CHECK(ebpf_btf_type(btf, 0, &type) && type.kind == BTF_KIND_UNKN && !*type.name);
	CHECK(!ebpf_btf_type(btf, ebpf_btf_count(btf), &type));
	CHECK(!ebpf_btf_type(btf, UINT32_MAX, &type));

	CHECK(ebpf_btf_type(btf, s->integer, &type));
	CHECK_STR(type.name, "int");
	CHECK_INT(type.size, 4);
	ebpf_type_int(&type, &encoding, &offset, &bits);
	CHECK_INT(encoding, BTF_INT_SIGNED);
	CHECK_INT(bits, 32);
	CHECK_STR(ebpf_type_member(&type, 0).name, ""); /* wrong kind: nothing, and no reading outside */

	CHECK(ebpf_btf_type(btf, s->structure, &type));
	CHECK_INT(type.vlen, 3);
	CHECK_INT(type.size, 24);
	struct ebpf_member member = ebpf_type_member(&type, 1);
	CHECK_STR(member.name, "flags");
	CHECK_INT(member.bit_offset, 32);
	CHECK_INT(member.bit_size, 3);
	member = ebpf_type_member(&type, 2);
	CHECK_STR(member.name, "comm");
	CHECK_INT(member.type, s->array);
	CHECK_INT(member.bit_offset, 64);
	CHECK_STR(ebpf_type_member(&type, 3).name, "");

	CHECK(ebpf_btf_type(btf, s->array, &type));
	CHECK_INT(ebpf_type_array(&type).count, 16);
	CHECK_INT(ebpf_type_array(&type).element, s->character);
	CHECK(ebpf_btf_type(btf, s->enumeration, &type));
	CHECK_STR(ebpf_type_enumerator(&type, 1).name, "NONE");
	CHECK_INT(ebpf_type_enumerator(&type, 1).value, -1);
	CHECK(ebpf_btf_type(btf, s->enum64, &type));
	CHECK_INT(ebpf_type_enumerator(&type, 0).value, 0x0123456789abcdef);
	CHECK(ebpf_btf_type(btf, s->proto, &type));
	CHECK_STR(ebpf_type_param(&type, 0).name, "ctx");
	CHECK_INT(ebpf_type_param(&type, 0).type, s->pointer);
	CHECK(ebpf_btf_type(btf, s->func, &type));
	CHECK_INT(ebpf_type_linkage(&type), BTF_VAR_GLOBAL);
	CHECK(ebpf_btf_type(btf, s->var, &type));
	CHECK_INT(ebpf_type_linkage(&type), BTF_VAR_GLOBAL);
	CHECK(ebpf_btf_type(btf, s->section, &type));
	CHECK_INT(ebpf_type_secinfo(&type, 0).offset, 4);
	CHECK(ebpf_btf_type(btf, s->decl_tag, &type));
	CHECK_INT(ebpf_type_component(&type), 1);
}

static void check_chains(const struct ebpf_btf *btf, const struct sample *s)
{
	CHECK_INT(ebpf_btf_resolve(btf, s->typedef_), s->structure);
	CHECK_INT(ebpf_btf_skip_modifiers(btf, s->typedef_), s->typedef_);
	CHECK_INT(ebpf_btf_skip_modifiers(btf, s->constant), s->structure);
	CHECK_INT(ebpf_btf_resolve(btf, s->type_tag), s->integer);
	CHECK_INT(ebpf_btf_sizeof(btf, s->typedef_), 24);
	CHECK_INT(ebpf_btf_sizeof(btf, s->array), 16);
	CHECK_INT(ebpf_btf_sizeof(btf, s->restrict_), 8);
	CHECK_INT(ebpf_btf_sizeof(btf, s->var), 4);
	CHECK_INT(ebpf_btf_sizeof(btf, s->section), 8);
	CHECK_INT(ebpf_btf_sizeof(btf, s->func), -EINVAL);
	CHECK_INT(ebpf_btf_sizeof(btf, s->forward), -EINVAL);
	CHECK_INT(ebpf_btf_sizeof(btf, 0), -EINVAL);
	CHECK_INT(ebpf_btf_sizeof(btf, 1 << 20), -EINVAL);
}

static void check_names(const struct ebpf_btf *btf, const struct sample *s)
{
	CHECK_INT(ebpf_btf_find(btf, "struct event"), s->structure);
	CHECK_INT(ebpf_btf_find(btf, "event"), s->structure); /* not the function, which has no values */
	CHECK_INT(ebpf_btf_find_kind(btf, "event", BTF_KIND_FUNC), s->func);
	CHECK_INT(ebpf_btf_find_kind(btf, "event", 0), s->structure);
	CHECK_INT(ebpf_btf_find(btf, "enum big"), s->enum64);
	CHECK_INT(ebpf_btf_find(btf, "enum color"), s->enumeration);
	CHECK_INT(ebpf_btf_find(btf, "union  either"), s->union_);
	CHECK_INT(ebpf_btf_find(btf, "union event"), -ENOENT);
	CHECK_INT(ebpf_btf_find(btf, "struct later"), -ENOENT);
	CHECK_INT(ebpf_btf_find(btf, "event_t"), s->typedef_);
	CHECK_INT(ebpf_btf_find(btf, "counter"), s->var);
	CHECK_INT(ebpf_btf_find(btf, ""), -ENOENT);
	CHECK_INT(ebpf_btf_find(btf, "even"), -ENOENT);
	CHECK_INT(ebpf_btf_find_kind(btf, "event___old", BTF_KIND_STRUCT), s->flavoured);
	CHECK_INT(ebpf_btf_find_kind(btf, "tagged", BTF_KIND_DECL_TAG), s->decl_tag);
	CHECK_INT(ebpf_btf_find_kind(btf, "user", 0), -ENOENT);
	/* Candidates for "event": the struct and the other flavour, in the order of their ids; not the function. */
	uint32_t id = ebpf_btf_next_essential(btf, "event___new", 5, 0);
	CHECK_INT(id, s->structure);
	id = ebpf_btf_next_essential(btf, "event", 5, id);
	CHECK_INT(id, s->flavoured);
	CHECK_INT(ebpf_btf_next_essential(btf, "event", 5, id), 0);
	CHECK_INT(ebpf_btf_next_essential(btf, "event", 4, 0), 0);
}

static void check_c_name(const struct ebpf_btf *btf, uint32_t id, const char *expected)
{
	struct ebpf_buffer name = {0};
	ebpf_btf_write_name(btf, id, &name);
	CHECK_STR(name.data, expected);
	ebpf_buffer_free(&name);
}

static void test_both_orders(void)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		static struct writer w;
		struct ebpf_error err = {0};
		w_start(&w, swapped, NULL, 0);
		struct sample s = write_sample(&w);
		struct ebpf_btf *btf = w_read(&w, NULL, &err);
		CHECK_STR(err.message, "");
		if (!btf)
			return;
		CHECK_INT(ebpf_btf_swapped(btf), swapped);
		CHECK_INT(ebpf_btf_count(btf), s.flavoured + 1);
		CHECK_INT(ebpf_btf_first_id(btf), 1);
		CHECK_INT(ebpf_btf_pointer_size(btf), 8);
		check_parts(btf, &s);
		check_chains(btf, &s);
		check_names(btf, &s);
		check_c_name(btf, s.constant, "const volatile struct event");
		check_c_name(btf, s.array, "char[16]");
		check_c_name(btf, s.pointer, "struct event *");
		check_c_name(btf, s.proto, "int ()");
		check_c_name(btf, s.typedef_, "event_t");
		check_c_name(btf, 0, "void");
		walk_btf(btf);
		ebpf_btf_free(btf);
	}
}

/* The names' hash takes eight bytes at a time: every length, every place of a "___" within the words, and names at
 * the very end. */
static void test_name_hash(void)
{
	static struct writer w;
	char name[64];
	struct ebpf_error err = {0};
	uint32_t ids[40][40] = {{0}};

	w_start(&w, false, NULL, 0);
	for (int length = 1; length <= 26; length++) {
		memset(name, 'a', length);
		name[length] = 0;
		ids[length][0] = w_type(&w, name, BTF_KIND_STRUCT, false, 0, 0);
		for (int place = 1; place + 4 <= length; place++) {
			memset(name, 'a', length);
			memcpy(name + place, "___", 3);
			ids[length][place] = w_type(&w, name, BTF_KIND_STRUCT, false, 0, 0);
		}
	}
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	CHECK_STR(err.message, "");
	for (int length = 1; length <= 26; length++) {
		memset(name, 'a', length);
		name[length] = 0;
		CHECK_INT(ebpf_btf_find(btf, name), ids[length][0]);
		int found = 0, expected = 1;
		for (uint32_t id = 0; (id = ebpf_btf_next_essential(btf, name, length, id));)
			found++;
		for (int longer = length + 4; longer <= 26; longer++)
			expected++;
		CHECK_INT(found, expected);
		for (int place = 1; place + 4 <= length; place++) {
			memset(name, 'a', length);
			memcpy(name + place, "___", 3);
			CHECK_INT(ebpf_btf_find(btf, name), ids[length][place]);
		}
	}
	ebpf_btf_free(btf);
}

static void test_split(void)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		static struct writer w;
		struct ebpf_error err = {0};
		struct ebpf_type type;
		w_start(&w, swapped, NULL, 0);
		struct sample s = write_sample(&w);
		struct ebpf_btf *base = w_read(&w, NULL, &err);
		uint32_t base_name = 1; /* "int" */
		w_start(&w, swapped, base, w.strings_size);
		uint32_t own = w_type(&w, "module_state", BTF_KIND_STRUCT, false, 1, 24);
		w_member(&w, "base_event", s.structure, 0);
		uint32_t shadow = w_type(&w, "either", BTF_KIND_STRUCT, false, 0, 0);
		w_word(&w, base_name);
		w_word(&w, BTF_KIND_TYPEDEF << 24);
		w_word(&w, own);
		w.count++;
		struct ebpf_btf *btf = w_read(&w, base, &err);
		CHECK_STR(err.message, "");
		CHECK_INT(ebpf_btf_first_id(btf), s.flavoured + 1);
		CHECK_INT(own, s.flavoured + 1);
		CHECK(ebpf_btf_base(btf) == base);
		ebpf_btf_free(base); /* the split one holds it */
		CHECK(ebpf_btf_type(btf, own, &type) && type.btf == btf);
		CHECK_STR(ebpf_type_member(&type, 0).name, "base_event");
		CHECK(ebpf_btf_type(btf, s.structure, &type) && type.btf == base);
		CHECK_STR(type.name, "event");
		CHECK(ebpf_btf_type(btf, shadow + 1, &type));
		CHECK_STR(type.name, "int");
		CHECK_INT(ebpf_btf_find(btf, "struct module_state"), own);
		CHECK_INT(ebpf_btf_find(btf, "struct event"), s.structure);
		CHECK_INT(ebpf_btf_find_kind(btf, "either", 0), shadow); /* own before the base's */
		CHECK_INT(ebpf_btf_find_kind(btf, "either", BTF_KIND_UNION), s.union_);
		CHECK_INT(ebpf_btf_next_essential(btf, "event", 5, 0), 0); /* own alone */
		CHECK_INT(ebpf_btf_sizeof(btf, shadow + 1), 24);
		walk_btf(btf);
		ebpf_btf_free(btf);
		/* Without its base it is refused, and says so. */
		CHECK(!w_read(&w, NULL, &err));
		CHECK(strstr(err.hint, "base"));
		ebpf_error_clear(&err);
	}
}

static void test_wrong_order_of_base(void)
{
	static struct writer w;
	struct ebpf_error err = {0};
	w_start(&w, false, NULL, 0);
	write_sample(&w);
	struct ebpf_btf *base = w_read(&w, NULL, &err);
	w_start(&w, true, base, w.strings_size);
	CHECK(!w_read(&w, base, &err));
	CHECK_STR(err.message, "BTF: the byte order is not that of the base");
	ebpf_btf_free(base);
}

/* -- what is refused -- */

static void refused(struct writer *w, const char *message)
{
	struct ebpf_error err = {0};
	struct ebpf_btf *btf = w_read(w, NULL, &err);
	CHECK(!btf);
	CHECK_STR(err.message, message);
	CHECK_INT(err.code, EINVAL);
	ebpf_btf_free(btf);
	w_start(w, false, NULL, 0);
}

static void test_refused(void)
{
	static struct writer w;
	w_start(&w, false, NULL, 0);
	w_int(&w, "int", 4, 0, 0, 32);
	w_type(&w, "", BTF_KIND_PTR, false, 0, 3);
	refused(&w, "BTF: type 2: refers to type 3, but there are 3");
	w_type(&w, "", BTF_KIND_PTR, false, 0, UINT32_MAX);
	refused(&w, "BTF: type 1: refers to type 4294967295, but there are 2");
	w_type(&w, "x", 23, false, 0, 0);
	refused(&w, "BTF: type 1: kind 23 is not known");
	w_type(&w, "x", BTF_KIND_UNKN, false, 0, 0);
	refused(&w, "BTF: type 1: kind 0 is not known");
	w_type(&w, "x", BTF_KIND_STRUCT, false, 1, 4);
	refused(&w, "BTF: type 1: reaches past the end of the types");
	w_type(&w, "x", BTF_KIND_ENUM64, false, 0xffffff, 4);
	refused(&w, "BTF: type 1: reaches past the end of the types");
	w_int(&w, "x", 4, 0, 0, 32);
	w_word(&w, 0);
	refused(&w, "BTF: type 2: cut off");
	w_type(&w, "x", BTF_KIND_STRUCT, false, 1, 4);
	w_word(&w, 3);
	w_word(&w, 0);
	w_word(&w, 0);
	refused(&w, "BTF: type 1: a name lies outside of the strings");
	w.strings_size = 0;
	refused(&w, "BTF: the strings do not end in NUL");
	w.strings[1] = 'x';
	w.strings_size = 2;
	refused(&w, "BTF: the strings do not end in NUL");
}

static void test_header(void)
{
	static struct writer w;
	struct ebpf_error err = {0};
	struct ebpf_btf *btf = NULL;
	uint8_t longer[256] = {0};
	size_t size;

	w_start(&w, false, NULL, 0);
	w_int(&w, "int", 4, 0, 0, 32);
	uint8_t *bytes = w_finish(&w, &size);
	CHECK_INT(ebpf_btf_read("", 0, NULL, &btf, &err), -EINVAL);
	CHECK_INT(ebpf_btf_read("hello, I am not BTF at all", 24, NULL, &btf, &err), -EINVAL);
	bytes[2] = 2;
	CHECK_INT(ebpf_btf_read(bytes, size, NULL, &btf, &err), -ENOTSUP);
	bytes[2] = 1;
	/* A header with more than is known. */
	memcpy(longer, bytes, 24);
	w_put32(longer + 4, 40, false);
	memcpy(longer + 40, bytes + 24, size - 24);
	CHECK_INT(ebpf_btf_read(longer, size + 16, NULL, &btf, &err), 0);
	CHECK_INT(ebpf_btf_find(btf, "int"), 1);
	ebpf_btf_free(btf);
	free(bytes);
}

/* A kind from the future is stepped over when the header's table of kinds says how. */
static void test_future_kind(void)
{
	static struct writer w;
	struct ebpf_error err = {0};
	struct ebpf_btf *btf = NULL;
	struct ebpf_type type;
	uint8_t bytes[512] = {0};
	size_t size;

	w_start(&w, false, NULL, 0);
	w_type(&w, "novelty", 20, true, 2, 77);
	for (int i = 0; i < 1 + 2 * 2; i++)
		w_word(&w, 0xffffffff);
	w_int(&w, "int", 4, 0, 0, 32);
	uint8_t *plain = w_finish(&w, &size);
	memcpy(bytes, plain, 24);
	w_put32(bytes + 4, 32, false);
	memcpy(bytes + 32, plain + 24, size - 24);
	free(plain);
	size_t table = size + 8;
	w_put32(bytes + 24, table - 32, false);
	w_put32(bytes + 28, 4 * 21, false);
	bytes[table + 4 * 20] = 4;
	bytes[table + 4 * 20 + 1] = 8;
	CHECK_INT(ebpf_btf_read(bytes, table + 4 * 21, NULL, &btf, &err), 0);
	CHECK_STR(err.message, "");
	CHECK_INT(ebpf_btf_find(btf, "int"), 2);
	CHECK(ebpf_btf_type(btf, 1, &type) && type.kind == 20 && type.vlen == 2);
	CHECK_INT(ebpf_btf_sizeof(btf, 1), -EINVAL);
	CHECK(!ebpf_layout_from_btf(btf, 1, &err));
	ebpf_btf_free(btf);
	bytes[table + 4 * 20 + 1] = 7;
	CHECK_INT(ebpf_btf_read(bytes, table + 4 * 21, NULL, &btf, &err), -EINVAL);
}

static void test_cycles(void)
{
	static struct writer w;
	struct ebpf_error err = {0};
	w_start(&w, false, NULL, 0);
	uint32_t loop = w_type(&w, "loop", BTF_KIND_TYPEDEF, false, 0, 2);
	w_type(&w, "", BTF_KIND_CONST, false, 0, loop);
	uint32_t array = w_array(&w, 3, 3, 1);
	uint32_t wide = w_array(&w, 5, 5, UINT32_MAX);
	w_array(&w, 6, 6, UINT32_MAX);
	w_int(&w, "int", 4, 0, 0, 32);
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	CHECK_STR(err.message, "");
	CHECK_INT(ebpf_btf_resolve(btf, loop), 0);
	CHECK_INT(ebpf_btf_sizeof(btf, loop), -EINVAL);
	CHECK_INT(ebpf_btf_sizeof(btf, array), -EINVAL);
	CHECK_INT(ebpf_btf_sizeof(btf, wide), -E2BIG);
	walk_btf(btf);
	ebpf_btf_free(btf);
}

/* Every truncation and every changed byte gives a result or an error; the sanitizers look on. */
static void test_mutations(void)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		static struct writer w;
		struct ebpf_btf *btf;
		size_t size;
		w_start(&w, swapped, NULL, 0);
		write_sample(&w);
		uint8_t *bytes = w_finish(&w, &size);
		for (size_t length = 0; length < size; length++) {
			uint8_t *cut = malloc(length ? length : 1);
			memcpy(cut, bytes, length);
			CHECK(ebpf_btf_read(cut, length, NULL, &btf, NULL) < 0);
			free(cut);
		}
		for (size_t i = 0; i < size; i++) {
			static const uint8_t flips[] = {0x01, 0x04, 0x40, 0x80, 0xff};
			for (size_t k = 0; k < sizeof(flips); k++) {
				bytes[i] ^= flips[k];
				if (!ebpf_btf_read(bytes, size, NULL, &btf, NULL)) {
					walk_btf(btf);
					ebpf_btf_free(btf);
				}
				bytes[i] ^= flips[k];
			}
		}
		free(bytes);
	}
}

static int released;

static void count_release(void *context, const void *data, size_t size)
{
	(void)data;
	(void)size;
	CHECK(context == &released);
	released++;
}

static void test_adopt(void)
{
	static struct writer w;
	size_t size;
	struct ebpf_btf *btf;
	w_start(&w, false, NULL, 0);
	write_sample(&w);
	uint8_t *bytes = w_finish(&w, &size);
	CHECK(ebpf_btf_adopt(bytes, size - 1, NULL, count_release, &released, &btf, NULL) < 0);
	CHECK_INT(released, 0); /* refused: the bytes are still the caller's */
	CHECK_INT(ebpf_btf_adopt(bytes, size, NULL, count_release, &released, &btf, NULL), 0);
	CHECK(ebpf_btf_bytes(btf).data == bytes);
	ebpf_btf_ref(btf);
	ebpf_btf_free(btf);
	CHECK_INT(released, 0);
	ebpf_btf_free(btf);
	CHECK_INT(released, 1);
	free(bytes);
	ebpf_btf_free(NULL);
}

static void test_files(void)
{
	static struct writer w;
	char path[] = "/tmp/ebpf-btf-test-XXXXXX";
	size_t size;
	struct ebpf_btf *btf = NULL;
	struct ebpf_error err = {0};
	int fd = mkstemp(path);

	w_start(&w, true, NULL, 0);
	struct sample s = write_sample(&w);
	uint8_t *bytes = w_finish(&w, &size);
	CHECK(write(fd, bytes, size) == (ssize_t)size);
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), 0);
	CHECK_INT(ebpf_btf_count(btf), s.flavoured + 1);
	ebpf_btf_free(btf);
	CHECK(!ftruncate(fd, size / 2));
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), -EINVAL);
	CHECK(strstr(err.message, path));
	CHECK(!ftruncate(fd, 0));
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), -EINVAL);
	CHECK(pwrite(fd, "\177ELF\2\1\1 and then nothing", 22, 0) == 22);
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), -EINVAL);
	CHECK_INT(ebpf_btf_read_file("/nonexistent/x", NULL, &btf, &err), -ENOENT);
	CHECK_INT(ebpf_btf_read_file("/", NULL, &btf, &err), -EISDIR);
	CHECK_INT(ebpf_btf_read_file("/proc/self/exe", NULL, &btf, &err), -ENOENT);
	CHECK(strstr(err.message, "no .BTF section"));
	close(fd);
	unlink(path);
	free(bytes);
}

/* The running kernel's types, where it has them: all names found again, every struct has a layout. */
static void test_vmlinux(void)
{
	struct ebpf_btf *btf = NULL;
	struct ebpf_error err = {0};
	struct ebpf_type type;
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		printf("# no /sys/kernel/btf/vmlinux here\n");
		return;
	}
	CHECK_INT(ebpf_btf_read_file("/sys/kernel/btf/vmlinux", NULL, &btf, &err), 0);
	CHECK_STR(err.message, "");
	if (!btf)
		return;
	int64_t id = ebpf_btf_find(btf, "struct task_struct");
	CHECK(id > 0);
	CHECK(ebpf_btf_type(btf, id, &type) && type.kind == BTF_KIND_STRUCT && ebpf_btf_sizeof(btf, id) == type.size);
	for (uint32_t i = 1; ebpf_btf_type(btf, i, &type); i++) {
		if (*type.name && type.kind != BTF_KIND_DECL_TAG && type.kind != BTF_KIND_TYPE_TAG) {
			int64_t found = ebpf_btf_find_kind(btf, type.name, type.kind);
			if (found <= 0 || found > i)
				CHECK_INT(found, i);
		}
		if (type.kind != BTF_KIND_STRUCT && type.kind != BTF_KIND_UNION)
			continue;
		struct ebpf_layout *layout = ebpf_layout_from_btf(btf, i, &err);
		if (!layout || layout->size != type.size)
			CHECK_STR(err.message, "a layout of the right size");
		ebpf_layout_free(layout);
	}
	ebpf_btf_free(btf);
}

int main(void)
{
	test_both_orders();
	test_name_hash();
	test_split();
	test_wrong_order_of_base();
	test_refused();
	test_header();
	test_future_kind();
	test_cycles();
	test_mutations();
	test_adopt();
	test_files();
	test_vmlinux();
	return TEST_RESULT();
}
