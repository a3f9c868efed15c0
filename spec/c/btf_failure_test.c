/* btf_failure_test.c -- types built, deduplicated, distilled, put back and written, of which any allocation may fail: an error
 * that says so, and nothing is left behind. */
#include <errno.h>
#include <stdlib.h>

#include "btf/btf.h"
#include "failing_malloc.h"
#include "test.h"

#ifdef SANITIZED
int main(void)
{
	if (TEST_RESULT())
		return 1;
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
static int add(struct ebpf_btf_builder *builder, struct ebpf_btf_description type, struct ebpf_error *err)
{
	type.size_of = sizeof(type);
	int64_t id = ebpf_btf_builder_add_type(builder, &type, err);
	return id < 0 ? (int)id : 0;
}

/* struct node { struct node *next; int value; } and an enum; ids begin behind the base's. */
static int build(struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(base, 0);
	if (!builder)
		return -ENOMEM;
	uint32_t first = base ? ebpf_btf_count(base) : 1;
	struct ebpf_btf_part members[] = {{.name = "next", .type = first + 1}, {.name = "value", .type = first + 2, .offset = 64}};
	struct ebpf_btf_part values[] = {{.name = "ONE", .value = 1}};
	int64_t id = ebpf_btf_builder_reserve(builder, err);
	int code = id < 0 ? (int)id : 0;
	if (!code)
		code = add(builder, (struct ebpf_btf_description){.kind = BTF_KIND_PTR, .type = first}, err);
	if (!code)
		code = add(builder, (struct ebpf_btf_description){.kind = BTF_KIND_INT, .name = "int", .size = 4}, err);
	if (!code)
		code = add(builder,
		           (struct ebpf_btf_description){.kind = BTF_KIND_STRUCT,
		                                         .id = first,
		                                         .name = "node",
		                                         .size = 16,
		                                         .parts = members,
		                                         .part_count = 2},
		           err);
	if (!code)
		code = add(builder,
		           (struct ebpf_btf_description){
		                   .kind = BTF_KIND_ENUM, .name = "e", .size = 4, .parts = values, .part_count = 1},
		           err);
	if (!code)
		code = ebpf_btf_builder_read(builder, out, err);
	ebpf_btf_builder_free(builder);
	return code;
}

static int join(struct ebpf_btf *a, struct ebpf_btf *b, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(a, 0);
	if (!builder)
		return -ENOMEM;
	int64_t first = ebpf_btf_builder_add_all(builder, b, err);
	int code = first < 0 ? (int)first : ebpf_btf_builder_read(builder, out, err);
	ebpf_btf_builder_free(builder);
	return code;
}

static int order(struct ebpf_btf *btf, struct ebpf_error *err)
{
	for (uint32_t id = 1; id < ebpf_btf_count(btf); id++) {
		struct ebpf_layout *layout = ebpf_layout_from_btf(btf, id, err);
		struct ebpf_layout *ordered = layout ? ebpf_layout_with_orders(layout, err) : NULL;
		ebpf_layout_free(layout);
		ebpf_layout_free(ordered);
		if (!ordered)
			return -ENOMEM;
	}
	return 0;
}

static int all(struct ebpf_error *err)
{
	struct ebpf_btf *one = NULL, *two = NULL, *split = NULL, *once = NULL, *base = NULL, *distilled = NULL, *back = NULL;
	void *data = NULL;
	size_t size;
	int code = build(NULL, &one, err);
	if (!code)
		code = build(NULL, &two, err);
	if (!code)
		code = join(one, two, &split, err);
	if (!code)
		code = ebpf_btf_dedup(split, &once, err);
	if (!code)
		CHECK_INT(ebpf_btf_count(once), ebpf_btf_count(one));
	ebpf_btf_free(once);
	once = NULL;
	if (!code)
		code = order(one, err);
	if (!code)
		code = build(one, &once, err);
	if (!code)
		code = ebpf_btf_distill(once, &base, &distilled, err);
	if (!code)
		code = ebpf_btf_relocate(distilled, one, &back, err);
	if (!code)
		code = ebpf_btf_write(one, EBPF_BTF_NO_FLOAT, true, &data, &size, err);
	free(data);
	ebpf_btf_free(back);
	ebpf_btf_free(distilled);
	ebpf_btf_free(base);
	ebpf_btf_free(once);
	ebpf_btf_free(split);
	ebpf_btf_free(two);
	ebpf_btf_free(one);
	return code;
}

int main(void)
{
	struct ebpf_error err = {0};
	long attempt = 0, before = live;
	int code;
	do {
		failed_allocation = false;
		fail_allocation = ++attempt;
		code = all(&err);
		fail_allocation = 0;
		CHECK(code == 0 || code == -ENOMEM);
		if (code < 0 && err.code)
			CHECK_STR(err.message, "out of memory");
		ebpf_error_clear(&err);
		CHECK_INT(live, before);
	} while (failed_allocation && attempt < 10000 && !test_failures); /* some may fail without harm */
	CHECK(attempt > 50);
	return TEST_RESULT();
}
#endif
