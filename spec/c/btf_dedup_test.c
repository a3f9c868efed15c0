/* btf_dedup_test.c -- each type once: cycles, declarations, split BTF, either byte order, long chains, and what cannot be told
 * apart. */
#include "btf_walk.h"
#include "btf_writer.h"
#include "test.h"

static struct writer w;
static struct ebpf_error err;

static struct ebpf_btf *dedup(struct ebpf_btf *btf)
{
	struct ebpf_btf *out = NULL;
	CHECK(btf);
	CHECK_INT(ebpf_btf_dedup(btf, &out, &err), 0);
	CHECK_STR(err.message, "");
	return out;
}

/* One compilation unit of struct node { struct node *next; struct tail *tail; int value; }; struct tail is declared, or
 * there with a pointer back. */
static void write_unit(bool whole)
{
	uint32_t first = w.first_id + w.count;
	w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	w_type(&w, "", BTF_KIND_PTR, false, 0, first + 2);
	w_type(&w, "node", BTF_KIND_STRUCT, false, 3, 24);
	w_member(&w, "next", first + 1, 0);
	w_member(&w, "tail", first + 3, 64);
	w_member(&w, "value", first, 128);
	w_type(&w, "", BTF_KIND_PTR, false, 0, first + 4);
	if (whole) {
		w_type(&w, "tail", BTF_KIND_STRUCT, false, 1, 8);
		w_member(&w, "node", first + 1, 0);
	} else {
		w_type(&w, "tail", BTF_KIND_FWD, false, 0, 0);
	}
}

static void test_units(void)
{
	for (int order = 0; order < 8; order++) {
		w_start(&w, order & 4, NULL, 0);
		write_unit(order & 1);
		write_unit(order & 2);
		write_unit(order & 1);
		struct ebpf_btf *btf = w_read(&w, NULL, &err), *once = dedup(btf), *twice = dedup(once);
		CHECK_INT(ebpf_btf_count(once) - 1, 5);
		CHECK_INT(ebpf_btf_count(twice) - 1, 5);
		CHECK_INT(ebpf_btf_swapped(once), !!(order & 4));
		struct ebpf_type type;
		CHECK(ebpf_btf_type(once, ebpf_btf_find_kind(once, "tail", 0), &type));
		CHECK_INT(type.kind, order & 3 ? BTF_KIND_STRUCT : BTF_KIND_FWD);
		uint64_t bits;
		uint32_t bit_size, member;
		CHECK_INT(ebpf_btf_offsetof(once, ebpf_btf_find(once, "struct node"), "value", &bits, &bit_size, &member, &err), 0);
		CHECK_INT(bits, 128);
		ebpf_btf_free(twice);
		ebpf_btf_free(once);
		ebpf_btf_free(btf);
	}
}

/* Two structs of one name and shape whose only difference is far away stay two; so do those that lead to them. */
static void test_different(void)
{
	w_start(&w, false, NULL, 0);
	uint32_t leaves[2];
	for (int i = 0; i < 2; i++) {
		uint32_t first = w.first_id + w.count;
		w_type(&w, "", BTF_KIND_PTR, false, 0, first + 2);
		w_type(&w, "top", BTF_KIND_STRUCT, false, 1, 8);
		w_member(&w, "middle", first, 0);
		w_type(&w, "middle", BTF_KIND_STRUCT, false, 1, 8);
		w_member(&w, "leaf", first + 3, 0);
		w_type(&w, "", BTF_KIND_PTR, false, 0, first + 4);
		leaves[i] = w_type(&w, "leaf", BTF_KIND_STRUCT, false, 0, 4 + i);
	}
	w_type(&w, "leaf", BTF_KIND_FWD, false, 0, 0); /* of which? */
	struct ebpf_btf *btf = w_read(&w, NULL, &err), *once = dedup(btf);
	CHECK_INT(ebpf_btf_count(once) - 1, 11);
	CHECK(leaves[0] != leaves[1]);
	ebpf_btf_free(once);
	ebpf_btf_free(btf);
}

static void test_enums(void)
{
	w_start(&w, false, NULL, 0);
	w_type(&w, "color", BTF_KIND_ENUM, false, 0, 4); /* declared */
	w_type(&w, "color", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&w, "RED", 1);
	w_type(&w, "color", BTF_KIND_ENUM, false, 0, 4);
	w_type(&w, "color", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&w, "RED", 1);
	w_type(&w, "other", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&w, "RED", 1);
	struct ebpf_btf *btf = w_read(&w, NULL, &err), *once = dedup(btf);
	CHECK_INT(ebpf_btf_count(once) - 1, 2);
	ebpf_btf_free(once);
	ebpf_btf_free(btf);
}

static void test_split(void)
{
	w_start(&w, false, NULL, 0);
	write_unit(true);
	struct ebpf_btf *base = w_read(&w, NULL, &err);
	w_start(&w, false, base, w.strings_size);
	write_unit(false);
	write_unit(true);
	uint32_t own = w_type(&w, "own", BTF_KIND_STRUCT, false, 1, 24);
	w_member(&w, "node", ebpf_btf_count(base) + 2, 0);
	struct ebpf_btf *btf = w_read(&w, base, &err), *once = dedup(btf);
	struct ebpf_type type;
	CHECK(own);
	CHECK_INT(ebpf_btf_count(once) - ebpf_btf_first_id(once), 1);
	CHECK(ebpf_btf_base(once) == base);
	CHECK(ebpf_btf_type(once, ebpf_btf_find(once, "struct own"), &type));
	CHECK_INT(ebpf_type_member(&type, 0).type, ebpf_btf_find(base, "struct node"));
	ebpf_btf_free(once);
	ebpf_btf_free(btf);
	ebpf_btf_free(base);
}

static int64_t add(struct ebpf_btf_builder *builder, struct ebpf_btf_description type)
{
	type.size_of = sizeof(type);
	return ebpf_btf_builder_add_type(builder, &type, &err);
}

/* struct s { <type> member; } */
static void add_struct(struct ebpf_btf_builder *builder, int64_t type)
{
	struct ebpf_btf_part member = {.name = "member", .type = type};
	add(builder,
	    (struct ebpf_btf_description){.kind = BTF_KIND_STRUCT, .name = "s", .size = 8, .parts = &member, .part_count = 1});
}

/* Twice a chain of 200000 pointers: no stack of ours is as deep. */
static void test_chain(void)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, 0);
	for (int i = 0; i < 2; i++) {
		int64_t last = add(builder, (struct ebpf_btf_description){.kind = BTF_KIND_INT, .name = "int", .size = 4});
		for (int j = 0; j < 200000; j++)
			last = add(builder, (struct ebpf_btf_description){.kind = BTF_KIND_PTR, .type = last});
		add_struct(builder, last);
	}
	struct ebpf_btf *btf = NULL;
	CHECK_INT(ebpf_btf_builder_read(builder, &btf, &err), 0);
	struct ebpf_btf *once = dedup(btf);
	CHECK_INT(ebpf_btf_count(once) - 1, 200002);
	ebpf_btf_free(once);
	ebpf_btf_free(btf);
	ebpf_btf_builder_free(builder);
}

static void test_refused(void)
{
	struct ebpf_btf *once = NULL;
	w_start(&w, false, NULL, 0);
	w_type(&w, "", BTF_KIND_CONST, false, 0, 2);
	w_type(&w, "", BTF_KIND_PTR, false, 0, 1);
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	CHECK_INT(ebpf_btf_dedup(btf, &once, &err), -ELOOP);
	CHECK(strstr(err.message, "leads back to itself"));
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
	/* Structs that look alike and differ only where they lead to: told apart, or given up, in time. */
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, 0);
	for (uint32_t i = 0; i < 4000; i++) {
		int64_t array = ebpf_btf_builder_reserve(builder, &err);
		int64_t integer = add(builder, (struct ebpf_btf_description){.kind = BTF_KIND_INT, .name = "int", .size = 4});
		add(builder, (struct ebpf_btf_description){
		                     .kind = BTF_KIND_ARRAY, .id = array, .type = integer, .index = integer, .count = i});
		add_struct(builder, array);
	}
	CHECK_INT(ebpf_btf_builder_read(builder, &btf, &err), 0);
	int result = ebpf_btf_dedup(btf, &once, &err);
	CHECK(result == 0 || result == -E2BIG);
	if (!result)
		CHECK_INT(ebpf_btf_count(once) - 1, 8001);
	ebpf_btf_free(once);
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
	ebpf_btf_builder_free(builder);
}

int main(void)
{
	test_units();
	test_different();
	test_enums();
	test_split();
	test_chain();
	test_refused();
	return TEST_RESULT();
}
