/* print_sort.c -- a header that stays the same from one build of a kernel to the next: types by name, and the prototypes of the
 * functions that BPF programs may call. */
#include <stdlib.h>

#include "btf/print.h"

/* -- types -- */

struct sorted {
	const char *name, *own_name;
	uint32_t id;
	int rank;
};

/* What a type is about: through pointers, typedefs and arrays. */
static void look_behind(const struct ebpf_btf *btf, struct ebpf_type *type, bool *has_name)
{
	for (int depth = 0; depth < PRINT_MAX_CHAIN; depth++) {
		*has_name |= *type->name != '\0';
		switch (type->kind) {
		case BTF_KIND_ARRAY:
			ebpf_btf_type(btf, ebpf_type_array(type).element, type);
			continue;
		case BTF_KIND_PTR:
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
		case BTF_KIND_DECL_TAG:
			ebpf_btf_type(btf, type->type, type);
			continue;
		default:
			return;
		}
	}
}

enum { RANK_CONSTANTS, RANK_ENUM, RANK_NUMBER, RANK_STRUCT, RANK_FUNCTION, RANK_OTHER };

static int rank(uint32_t kind, bool has_name)
{
	switch (kind) {
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return has_name ? RANK_ENUM : RANK_CONSTANTS;
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
		return RANK_NUMBER;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return has_name ? RANK_STRUCT : RANK_OTHER;
	case BTF_KIND_FUNC_PROTO:
		return has_name ? RANK_FUNCTION : RANK_OTHER;
	default:
		return RANK_OTHER;
	}
}

static struct sorted sort_key(const struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_type type, behind;
	bool has_name = false;

	ebpf_btf_type(btf, id, &type);
	behind = type;
	look_behind(btf, &behind, &has_name);
	struct sorted key = {.id = id, .own_name = type.name, .name = behind.name, .rank = rank(behind.kind, has_name)};
	/* Without a name of any kind on the way: a pointer to something anonymous. */
	if (behind.id != id && !*type.name)
		key.rank = RANK_OTHER;
	if (behind.id == id && !*behind.name)
		key.name = ebpf_type_enumerator(&behind, 0).name;
	return key;
}

/* What tells types of the same name apart, however they are numbered. The same sums as bpftool's, so that its order comes out. */
static uint64_t mix(uint64_t sum, uint64_t value)
{
	return 31 * sum + value;
}

static uint64_t mix_name(uint64_t sum, const char *name)
{
	uint64_t hash = 0;
	if (!*name)
		return sum;
	for (; *name; name++)
		hash = 31 * hash + (uint64_t)*name;
	return mix(sum, hash);
}

static uint64_t sum_content(const struct ebpf_btf *btf, uint32_t id, bool with_members, int depth)
{
	struct ebpf_type type;
	if (depth > PRINT_MAX_CHAIN || !ebpf_btf_type(btf, id, &type))
		return 0;
	uint64_t sum = mix_name(0, type.name);
	switch (type.kind) {
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		for (uint32_t i = 0; i < type.vlen; i++)
			sum = mix_name(sum, ebpf_type_enumerator(&type, i).name);
		return sum;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		for (uint32_t i = 0; with_members && i < type.vlen; i++) {
			struct ebpf_member member = ebpf_type_member(&type, i);
			sum = mix(mix_name(sum, member.name), sum_content(btf, member.type, false, depth + 1));
		}
		return sum;
	case BTF_KIND_ARRAY:
		sum = mix(sum, ebpf_type_array(&type).count);
		return mix(sum, sum_content(btf, ebpf_type_array(&type).element, with_members, depth + 1));
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_DECL_TAG:
		return mix(sum, sum_content(btf, type.type, with_members, depth + 1));
	default:
		return sum;
	}
}

static int compare(const void *left, const void *right, void *context)
{
	const struct sorted *a = left, *b = right;
	int result = a->rank - b->rank;
	if (!result)
		result = strcmp(a->name, b->name);
	if (!result)
		result = strcmp(a->own_name, b->own_name);
	if (result)
		return result;
	uint64_t a_sum = sum_content(context, a->id, true, 0), b_sum = sum_content(context, b->id, true, 0);
	if (a_sum != b_sum)
		return a_sum < b_sum ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

uint32_t *print_sorted(const struct ebpf_btf *btf)
{
	struct sorted *keys = malloc(btf->count * sizeof(*keys));
	uint32_t *ids = malloc(btf->count * sizeof(*ids));
	if (keys && ids) {
		for (uint32_t id = 0; id < btf->count; id++)
			keys[id] = sort_key(btf, id);
		qsort_r(keys + 1, btf->count - 1, sizeof(*keys), compare, (void *)btf);
		for (uint32_t i = 0; i < btf->count; i++)
			ids[i] = keys[i].id;
	} else {
		free(ids);
		ids = NULL;
	}
	free(keys);
	return ids;
}

/* -- functions: tagged "bpf_kfunc" (pahole 1.26), some "bpf_fastcall" besides -- */

struct kernel_function {
	const char *name;
	uint32_t id, type;
};
struct kernel_functions {
	struct kernel_function *items;
	size_t count, capacity;
};

static int by_name(const void *left, const void *right)
{
	const struct kernel_function *a = left, *b = right;
	int result = strcmp(a->name, b->name);
	return result ? result : a->id < b->id ? -1 : a->id > b->id;
}

/* The function that a tag of this name is about, or false. */
static bool tagged_function(const struct ebpf_btf *btf, uint32_t tag_id, const char *name, struct ebpf_type *function)
{
	struct ebpf_type tag;
	ebpf_btf_type(btf, tag_id, &tag);
	if (tag.kind != BTF_KIND_DECL_TAG || ebpf_type_component(&tag) != -1 || strcmp(tag.name, name) != 0)
		return false;
	ebpf_btf_type(btf, tag.type, function);
	return function->kind == BTF_KIND_FUNC;
}

static int find_functions(struct printer *printer, struct kernel_functions *functions)
{
	struct ebpf_type type;
	for (uint32_t id = 1; id < printer->btf->count; id++)
		if (tagged_function(printer->btf, id, "bpf_fastcall", &type))
			printer->states[type.id].fast = 1;
	for (uint32_t id = 1; id < printer->btf->count; id++) {
		if (!tagged_function(printer->btf, id, "bpf_kfunc", &type))
			continue;
		struct kernel_function *items = ebpf_grow(functions->items, &functions->capacity, functions->count, sizeof(*items));
		if (!items)
			return printer->code = ebpf_fail_memory(printer->err);
		functions->items = items;
		items[functions->count++] = (struct kernel_function){.name = type.name, .id = type.id, .type = type.type};
	}
	return 0;
}

int print_functions(struct printer *printer)
{
	struct kernel_functions functions = {0};
	struct btf_text *text = printer->text;

	find_functions(printer, &functions);
	if (functions.count)
		qsort(functions.items, functions.count, sizeof(*functions.items), by_name);
	btf_text_string(text, "\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n");
	for (size_t i = 0; i < functions.count && !print_failed(printer); i++) {
		btf_text_string(text, printer->states[functions.items[i].id].fast ? "extern __bpf_fastcall " : "extern ");
		print_declaration(printer, functions.items[i].type, functions.items[i].name, 0);
		btf_text_string(text, " __weak __ksym;\n");
	}
	btf_text_string(text, "#endif\n\n");
	free(functions.items);
	return printer->code ? printer->code : text->code;
}
