/* btf_build_test.c -- BTF built out of others, read back, replaced for old kernels, and given to the running kernel. */
#include <linux/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "btf_walk.h"
#include "btf_writer.h"
#include "test.h"

static struct writer w;
static struct ebpf_error err;

static struct ebpf_btf *finish(struct ebpf_btf_builder *builder)
{
	void *data = NULL;
	size_t size;
	struct ebpf_btf *btf = NULL;
	CHECK_INT(ebpf_btf_builder_finish(builder, &data, &size, &err), 0);
	CHECK_STR(err.message, "");
	CHECK_INT(ebpf_btf_read(data, size, NULL, &btf, &err), 0);
	CHECK_STR(err.message, "");
	free(data);
	return btf;
}

/* BPF_BTF_LOAD, when this process may: 0, 1 = may not, -1 with the end of the kernel's log on stderr. */
static int load(const void *data, size_t size)
{
	static char log[1 << 24];
	struct {
		__u64 btf, log;
		__u32 size, log_size, log_level, rest[9];
	} attr = {.btf = (uintptr_t)data, .size = size};
	int fd = syscall(SYS_bpf, 18, &attr, sizeof(attr));
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == EPERM || errno == ENOSYS)
		return 1;
	fprintf(stderr, "# BPF_BTF_LOAD: %s\n", strerror(errno));
	attr.log = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	syscall(SYS_bpf, 18, &attr, sizeof(attr));
	size_t length = strlen(log);
	fprintf(stderr, "%s\n", length > 300 ? log + length - 300 : log);
	return -1;
}

static void accepted(struct ebpf_btf_builder *builder)
{
	void *data = NULL;
	size_t size;
	CHECK_INT(ebpf_btf_builder_finish(builder, &data, &size, &err), 0);
	CHECK(data && load(data, size) >= 0);
	free(data);
}

struct ids {
	uint32_t integer, tree, func, proto, tag, arg_tag, color, big, real, tagged, extern_var, section, alias, flags;
};

/* struct tree { struct tree *left; struct tree_alias value[2]; float weight; enum big kind; int __user *tagged; }
 * and a function with it. */
static struct ids write_types(bool swapped)
{
	struct ids ids;
	w_start(&w, swapped, NULL, 0);
	ids.integer = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32);
	w_int(&w, "unused", 4, 0, 0, 32);
	uint32_t pointer = w_type(&w, "", BTF_KIND_PTR, false, 0, w.count + 2);
	ids.tree = w_type(&w, "tree", BTF_KIND_STRUCT, false, 5, 40);
	uint32_t array = ids.tree + 1, real = ids.tree + 2, big = ids.tree + 3, tagged = ids.tree + 5;
	w_member(&w, "left", pointer, 0);
	w_member(&w, "value", array, 64);
	w_member(&w, "weight", real, 128);
	w_member(&w, "kind", big, 192);
	w_member(&w, "tagged", tagged, 256);
	CHECK_INT(w_array(&w, ids.integer, ids.integer, 2), array);
	ids.real = w_type(&w, "float", BTF_KIND_FLOAT, false, 0, 4);
	ids.big = w_type(&w, "big", BTF_KIND_ENUM64, true, 1, 8);
	w_word(&w, w_string(&w, "HUGE"));
	w_word(&w, 0);
	w_word(&w, 0x80000000);
	uint32_t type_tag = w_type(&w, "user", BTF_KIND_TYPE_TAG, false, 0, ids.integer);
	ids.tagged = w_type(&w, "", BTF_KIND_PTR, false, 0, type_tag);
	CHECK_INT(ids.tagged, tagged);
	ids.color = w_type(&w, "color", BTF_KIND_ENUM, true, 1, 4);
	w_pair(&w, "MINUS", -1);
	ids.proto = w_type(&w, "", BTF_KIND_FUNC_PROTO, false, 2, ids.color);
	w_pair(&w, "tree", pointer);
	w_pair(&w, "tree", pointer); /* the same string again */
	ids.func = w_type(&w, "walk", BTF_KIND_FUNC, false, BTF_VAR_EXTERN, ids.proto);
	ids.tag = w_type(&w, "about the function", BTF_KIND_DECL_TAG, false, 0, ids.func);
	w_word(&w, -1);
	ids.arg_tag = w_type(&w, "arg:nonnull", BTF_KIND_DECL_TAG, false, 0, ids.func);
	w_word(&w, 1);
	ids.alias = w_type(&w, "tree_t", BTF_KIND_TYPEDEF, false, 0, ids.tree);
	uint32_t first = w_var(&w, "first", ids.alias, BTF_VAR_GLOBAL);
	ids.extern_var = w_var(&w, "second", ids.integer, BTF_VAR_EXTERN);
	uint32_t nothing = w_array(&w, ids.integer, ids.integer, 0);
	uint32_t empty = w_var(&w, "empty", nothing, BTF_VAR_GLOBAL);
	ids.section = w_type(&w, "?.data", BTF_KIND_DATASEC, false, 4, 0);
	const uint32_t entries[] = {first, ids.extern_var, empty, ids.func};
	for (int i = 0; i < 4; i++) {
		w_word(&w, entries[i]);
		w_word(&w, 0);
		w_word(&w, 0);
	}
	ids.flags = w_type(&w, "flags", BTF_KIND_STRUCT, true, 1, 4);
	w_member(&w, "low", ids.integer, 3u << 24);
	return ids;
}

static void test_copy(void)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		struct ids ids = write_types(swapped);
		struct ebpf_btf *btf = w_read(&w, NULL, &err);
		struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
		struct ebpf_type type;
		CHECK_STR(err.message, "");
		CHECK_INT(ebpf_btf_builder_add(builder, btf, 0, &err), 0);
		int64_t func = ebpf_btf_builder_add(builder, btf, ids.func, &err),
		        flags = ebpf_btf_builder_add(builder, btf, ids.flags, &err);
		CHECK_INT(ebpf_btf_builder_add(builder, btf, ids.func, &err), func);
		CHECK_INT(ebpf_btf_builder_add(builder, btf, 999, &err), -EINVAL);
		ebpf_error_clear(&err);
		struct ebpf_btf *copy = finish(builder);
		CHECK(!ebpf_btf_swapped(copy));
		CHECK(ebpf_btf_type(copy, func, &type));
		CHECK_STR(type.name, "walk");
		CHECK_INT(ebpf_type_linkage(&type), BTF_VAR_GLOBAL); /* the kernel takes no extern ones */
		CHECK(ebpf_btf_type(copy, type.type, &type) && type.kind == BTF_KIND_FUNC_PROTO);
		CHECK_STR(ebpf_type_param(&type, 1).name, "tree");
		CHECK(ebpf_btf_find(copy, "struct tree") > 0);
		CHECK_INT(ebpf_btf_find(copy, "unused"), -ENOENT);
		CHECK_INT(ebpf_btf_find(copy, "tree_t"), -ENOENT);
		/* Tags come along with what they are about. */
		int64_t tag = ebpf_btf_find_kind(copy, "arg:nonnull", BTF_KIND_DECL_TAG);
		CHECK(ebpf_btf_type(copy, tag, &type) && type.type == func && ebpf_type_component(&type) == 1);
		CHECK(ebpf_btf_type(copy, ebpf_btf_find(copy, "enum color"), &type));
		CHECK_INT(ebpf_type_enumerator(&type, 0).value, -1);
		CHECK(ebpf_btf_type(copy, ebpf_btf_find(copy, "enum big"), &type));
		CHECK_INT(ebpf_type_enumerator(&type, 0).value, INT64_MIN);
		CHECK(ebpf_btf_type(copy, flags, &type) && type.kind_flag);
		CHECK_INT(ebpf_type_member(&type, 0).bit_size, 3);
		/* The same layout on both sides. */
		struct ebpf_layout *before = ebpf_layout_from_btf(btf, ids.tree, &err),
		                   *after = ebpf_layout_from_name("struct tree", copy, &err);
		CHECK(before && after && before->count == 5 && after->count == 5 && before->node_count == after->node_count);
		ebpf_layout_free(before);
		ebpf_layout_free(after);
		accepted(builder);
		ebpf_btf_free(copy);
		ebpf_btf_builder_free(builder);
		ebpf_btf_free(btf);
	}
}

static void test_strings(void)
{
	char text[32];
	int64_t offsets[500];
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
	CHECK_INT(ebpf_btf_builder_string(builder, ""), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		offsets[i] = ebpf_btf_builder_string(builder, text);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		CHECK_INT(ebpf_btf_builder_string(builder, text), offsets[i]);
	}
	struct ebpf_btf *btf = finish(builder); /* there are no types but what the kernel insists on */
	CHECK_INT(ebpf_btf_count(btf), 2);
	CHECK_STR(ebpf_btf_string(btf, offsets[77]), "line 77");
	CHECK_STR(ebpf_btf_string(btf, 1 << 20), "");
	accepted(builder);
	ebpf_btf_free(btf);
	ebpf_btf_builder_free(builder);
}

static uint32_t kinds_of(const struct ebpf_btf *btf)
{
	uint32_t kinds = 0;
	struct ebpf_type type;
	for (uint32_t id = 1; ebpf_btf_type(btf, id, &type); id++)
		kinds |= 1u << type.kind;
	return kinds;
}

/* Whatever is replaced, sizes and offsets stay, and the kernel takes it. */
static void test_sanitised(void)
{
	static const struct {
		uint32_t lacks;
		enum ebpf_btf_kind gone;
	} rows[] = {
	        {EBPF_BTF_NO_FUNC, BTF_KIND_FUNC},
	        {EBPF_BTF_NO_FUNC, BTF_KIND_FUNC_PROTO},
	        {EBPF_BTF_NO_DATASEC, BTF_KIND_DATASEC},
	        {EBPF_BTF_NO_DATASEC, BTF_KIND_VAR},
	        {EBPF_BTF_NO_FLOAT, BTF_KIND_FLOAT},
	        {EBPF_BTF_NO_DECL_TAG, BTF_KIND_DECL_TAG},
	        {EBPF_BTF_NO_TYPE_TAG, BTF_KIND_TYPE_TAG},
	        {EBPF_BTF_NO_ENUM64, BTF_KIND_ENUM64},
	        {UINT32_MAX, BTF_KIND_ENUM64},
	        {UINT32_MAX, BTF_KIND_FUNC},
	        {0, BTF_KIND_FWD},
	};
	struct ids ids = write_types(false);
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, rows[i].lacks | EBPF_BTF_FOR_KERNEL);
		struct ebpf_type type;
		int64_t func = ebpf_btf_builder_add(builder, btf, ids.func, &err),
		        tag = ebpf_btf_builder_add(builder, btf, ids.tag, &err);
		int64_t var = ebpf_btf_builder_add(builder, btf, ids.extern_var, &err);
		int64_t section =
		        ebpf_btf_builder_add_datasec(builder, btf, ids.section, NULL, (uint32_t[]){8, 0, 48, 0}, 48, &err);
		CHECK(func > 0 && var > 0 && section > 0 && tag > 0);
		struct ebpf_btf *copy = finish(builder);
		CHECK(!(kinds_of(copy) >> rows[i].gone & 1));
		CHECK_INT(ebpf_btf_sizeof(copy, ebpf_btf_find(copy, "struct tree")), 40);
		struct ebpf_layout *layout = ebpf_layout_from_name("struct tree", copy, &err);
		CHECK(layout && layout->count == 5 && layout->fields[4].offset == 32);
		ebpf_layout_free(layout);
		CHECK(ebpf_btf_type(copy, section, &type) && type.vlen == 2 && type.size == 48);
		CHECK_STR(type.name, rows[i].lacks & EBPF_BTF_NO_DATASEC ? "__data" : "_.data");
		layout = ebpf_layout_from_btf(copy, section, &err);
		CHECK(layout && layout->count == 2 && !strcmp(layout->fields[0].name, "second") && layout->fields[1].offset == 8);
		ebpf_layout_free(layout);
		accepted(builder);
		ebpf_btf_free(copy);
		ebpf_btf_builder_free(builder);
	}
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_NO_GLOBAL_FUNC | EBPF_BTF_FOR_KERNEL);
	struct ebpf_type type;
	int64_t func = ebpf_btf_builder_add(builder, btf, ids.func, &err);
	struct ebpf_btf *copy = finish(builder);
	CHECK(ebpf_btf_type(copy, func, &type) && type.kind == BTF_KIND_FUNC && ebpf_type_linkage(&type) == BTF_VAR_STATIC);
	ebpf_btf_free(copy);
	ebpf_btf_builder_free(builder);
	ebpf_btf_free(btf);
}

static void test_section(void)
{
	struct ids ids = write_types(false);
	struct ebpf_btf *btf = w_read(&w, NULL, &err);
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
	struct ebpf_type type;
	CHECK_INT(ebpf_btf_builder_add_datasec(builder, btf, ids.tree, NULL, (uint32_t[]){0, 0, 0, 0}, 48, &err), -EINVAL);
	CHECK_INT(ebpf_btf_builder_add_datasec(builder, btf, ids.section, NULL, (uint32_t[]){0, 36, 48, 0}, 48, &err), -EINVAL);
	CHECK(strstr(err.message, "overlaps"));
	CHECK_INT(ebpf_btf_builder_add_datasec(builder, btf, ids.section, NULL, (uint32_t[]){0, 46, 48, 0}, 48, &err), -EINVAL);
	CHECK(strstr(err.message, "'second' lies outside"));
	ebpf_error_clear(&err);
	int64_t section =
	        ebpf_btf_builder_add_datasec(builder, btf, ids.section, ".rodata.x", (uint32_t[]){0, 40, 48, 0}, 48, &err);
	CHECK_INT(ebpf_btf_builder_add(builder, btf, ids.section, &err), section);
	struct ebpf_btf *copy = finish(builder);
	CHECK(ebpf_btf_type(copy, section, &type));
	CHECK_STR(type.name, ".rodata.x");
	CHECK_INT(type.vlen, 2);
	CHECK_INT(ebpf_type_secinfo(&type, 0).size, 40);
	CHECK_INT(ebpf_type_secinfo(&type, 1).offset, 40);
	for (uint32_t i = 0; i < 2; i++) /* what a variable needs stands before it, and it before the section */
		CHECK(ebpf_type_secinfo(&type, i).type < section);
	accepted(builder);
	ebpf_btf_free(copy);
	ebpf_btf_builder_free(builder);
	ebpf_btf_free(btf);
}

static void test_by_hand(void)
{
	static const uint32_t lacks[] = {0, EBPF_BTF_NO_FUNC, EBPF_BTF_NO_GLOBAL_FUNC};
	for (size_t i = 0; i < EBPF_COUNT(lacks); i++) {
		struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, lacks[i] | EBPF_BTF_FOR_KERNEL);
		int64_t integer = ebpf_btf_builder_add_int(builder, "int", 4, BTF_INT_SIGNED);
		int64_t func = ebpf_btf_builder_add_func(builder, "prog", integer, (struct ebpf_param[]){{"ctx", integer}}, 1,
		                                         BTF_VAR_GLOBAL);
		CHECK_INT(integer, 1);
		CHECK_INT(func, 3);
		CHECK_INT(ebpf_btf_builder_add_int(builder, "x", 17, 0), -EINVAL);
		struct ebpf_btf *btf = finish(builder);
		struct ebpf_type type;
		CHECK(ebpf_btf_type(btf, func, &type));
		CHECK_STR(type.name, "prog");
		CHECK_INT(type.kind, lacks[i] & EBPF_BTF_NO_FUNC ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
		accepted(builder);
		ebpf_btf_free(btf);
		ebpf_btf_builder_free(builder);
	}
	ebpf_btf_builder_free(NULL);
}

/* Out of split BTF: what comes from the base and what comes from the split one make one flat set. */
static void test_split(void)
{
	struct ids ids = write_types(false);
	struct ebpf_btf *base = w_read(&w, NULL, &err);
	w_start(&w, false, base, w.strings_size);
	uint32_t own = w_type(&w, "module", BTF_KIND_STRUCT, false, 1, 40);
	w_member(&w, "tree", ids.tree, 0);
	struct ebpf_btf *btf = w_read(&w, base, &err);
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
	int64_t id = ebpf_btf_builder_add(builder, btf, own, &err), tree = ebpf_btf_builder_add(builder, base, ids.tree, &err);
	CHECK_INT(id, 1);
	ebpf_btf_free(btf);
	ebpf_btf_free(base);
	struct ebpf_btf *copy = finish(builder);
	CHECK_INT(ebpf_btf_find(copy, "struct tree"), tree);
	CHECK_INT(ebpf_btf_find(copy, "struct module"), 1);
	CHECK(!ebpf_btf_base(copy));
	ebpf_btf_free(copy);
	ebpf_btf_builder_free(builder);
}

/* Real types: each of the kernel's structs that are asked for most, whole, is taken back by the kernel. */
static void test_vmlinux(void)
{
	static const char *const names[] = {"struct task_struct", "struct sk_buff", "struct file", "struct bpf_map"};
	struct ebpf_btf *btf;
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		printf("# no /sys/kernel/btf/vmlinux here\n");
		return;
	}
	CHECK_INT(ebpf_btf_read_file("/sys/kernel/btf/vmlinux", NULL, &btf, &err), 0);
	for (size_t i = 0; i < EBPF_COUNT(names); i++) {
		struct ebpf_btf_builder *builder = ebpf_btf_builder_new(NULL, EBPF_BTF_FOR_KERNEL);
		int64_t id = ebpf_btf_find(btf, names[i]), copied = ebpf_btf_builder_add(builder, btf, id, &err);
		struct ebpf_btf *copy = finish(builder);
		CHECK_INT(ebpf_btf_sizeof(copy, copied), ebpf_btf_sizeof(btf, id));
		accepted(builder);
		ebpf_btf_free(copy);
		ebpf_btf_builder_free(builder);
	}
	ebpf_btf_free(btf);
}

int main(void)
{
	test_copy();
	test_strings();
	test_sanitised();
	test_section();
	test_by_hand();
	test_split();
	test_vmlinux();
	return TEST_RESULT();
}
