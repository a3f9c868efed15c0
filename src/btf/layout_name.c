/* layout_name.c -- types that a person writes: "u32", "char[16]", "struct event", "u64[4][2]", "void *"; layouts of them, and
 * BTF. */
#include <ctype.h>
#include <stdlib.h>

#include "btf/layout.h"

struct builtin {
	const char *name;
	enum ebpf_value_kind kind;
	uint8_t size;
	bool is_signed;
};

/* As a BPF program sees them: long and pointers have eight bytes whatever the host is. */
static const struct builtin builtins[] = {
        {"u8", EBPF_VALUE_INT, 1, false},
        {"u16", EBPF_VALUE_INT, 2, false},
        {"u32", EBPF_VALUE_INT, 4, false},
        {"u64", EBPF_VALUE_INT, 8, false},
        {"s8", EBPF_VALUE_INT, 1, true},
        {"s16", EBPF_VALUE_INT, 2, true},
        {"s32", EBPF_VALUE_INT, 4, true},
        {"s64", EBPF_VALUE_INT, 8, true},
        {"i8", EBPF_VALUE_INT, 1, true},
        {"i16", EBPF_VALUE_INT, 2, true},
        {"i32", EBPF_VALUE_INT, 4, true},
        {"i64", EBPF_VALUE_INT, 8, true},
        {"__u8", EBPF_VALUE_INT, 1, false},
        {"__u16", EBPF_VALUE_INT, 2, false},
        {"__u32", EBPF_VALUE_INT, 4, false},
        {"__u64", EBPF_VALUE_INT, 8, false},
        {"__s8", EBPF_VALUE_INT, 1, true},
        {"__s16", EBPF_VALUE_INT, 2, true},
        {"__s32", EBPF_VALUE_INT, 4, true},
        {"__s64", EBPF_VALUE_INT, 8, true},
        {"uint8_t", EBPF_VALUE_INT, 1, false},
        {"uint16_t", EBPF_VALUE_INT, 2, false},
        {"uint32_t", EBPF_VALUE_INT, 4, false},
        {"uint64_t", EBPF_VALUE_INT, 8, false},
        {"int8_t", EBPF_VALUE_INT, 1, true},
        {"int16_t", EBPF_VALUE_INT, 2, true},
        {"int32_t", EBPF_VALUE_INT, 4, true},
        {"int64_t", EBPF_VALUE_INT, 8, true},
        {"char", EBPF_VALUE_INT, 1, true},
        {"signed char", EBPF_VALUE_INT, 1, true},
        {"unsigned char", EBPF_VALUE_INT, 1, false},
        {"short", EBPF_VALUE_INT, 2, true},
        {"unsigned short", EBPF_VALUE_INT, 2, false},
        {"int", EBPF_VALUE_INT, 4, true},
        {"unsigned int", EBPF_VALUE_INT, 4, false},
        {"unsigned", EBPF_VALUE_INT, 4, false},
        {"long", EBPF_VALUE_INT, 8, true},
        {"unsigned long", EBPF_VALUE_INT, 8, false},
        {"long long", EBPF_VALUE_INT, 8, true},
        {"unsigned long long", EBPF_VALUE_INT, 8, false},
        {"size_t", EBPF_VALUE_INT, 8, false},
        {"bool", EBPF_VALUE_BOOL, 1, false},
        {"_Bool", EBPF_VALUE_BOOL, 1, false},
        {"float", EBPF_VALUE_FLOAT, 4, false},
        {"double", EBPF_VALUE_FLOAT, 8, false},
        {"ptr", EBPF_VALUE_POINTER, 8, false},
};

static const struct builtin *find_builtin(const char *name)
{
	for (size_t i = 0; i < EBPF_COUNT(builtins); i++)
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	return NULL;
}

/* -- the text: a base name, stars, dimensions -- */

#define MAX_DIMENSIONS 8

struct parsed {
	char base[256]; /* spaces single, none at the ends */
	bool pointer;
	uint32_t dimensions[MAX_DIMENSIONS];
	uint32_t dimension_count;
};

static int fail_text(struct ebpf_error *err, const char *name, const char *why)
{
	return ebpf_fail(err, EINVAL, "type '%.200s': %s", name, why);
}

/* At `*at` stands '['. */
static int parse_dimension(const char *name, const char **at, struct parsed *out, struct ebpf_error *err)
{
	char *end;
	const char *digits = *at + 1;
	while (*digits == ' ')
		digits++;
	if (!isdigit((unsigned char)*digits))
		return fail_text(err, name, "a number must stand within [ ]");
	errno = 0;
	unsigned long long count = strtoull(digits, &end, 0);
	while (*end == ' ')
		end++;
	if (*end != ']')
		return fail_text(err, name, "a number must stand within [ ]");
	if (errno || count > UINT32_MAX)
		return ebpf_fail(err, E2BIG, "type '%.200s': too many elements", name);
	if (out->dimension_count == MAX_DIMENSIONS)
		return ebpf_fail(err, E2BIG, "type '%.200s': too many dimensions", name);
	out->dimensions[out->dimension_count++] = count;
	*at = end + 1;
	return 0;
}

static int parse_base(const char *name, const char **at, struct parsed *out, struct ebpf_error *err)
{
	size_t length = 0;
	for (; **at && **at != '[' && **at != '*'; (*at)++) {
		char c = isspace((unsigned char)**at) ? ' ' : **at;
		if (c == ' ' && (!length || out->base[length - 1] == ' '))
			continue;
		if (length + 1 >= sizeof(out->base))
			return fail_text(err, name, "the name is too long");
		out->base[length++] = c;
	}
	if (length && out->base[length - 1] == ' ')
		length--;
	out->base[length] = '\0';
	return length ? 0 : fail_text(err, name, "a name is missing");
}

static int parse(const char *name, struct parsed *out, struct ebpf_error *err)
{
	const char *at = name;
	int result = parse_base(name, &at, out, err);
	if (result)
		return result;
	for (; *at == '*' || isspace((unsigned char)*at); at++)
		out->pointer = true;
	while (*at == '[') {
		result = parse_dimension(name, &at, out, err);
		if (result)
			return result;
		while (isspace((unsigned char)*at))
			at++;
	}
	return *at ? fail_text(err, name, "something stands after the end") : 0;
}

/* -- the nodes -- */

struct base {
	const struct builtin *builtin; /* or: */
	uint32_t id;
	bool is_char;
};

static int find_base(struct layout_builder *builder, const char *name, const struct parsed *parsed, struct base *out)
{
	static const struct builtin pointer = {"ptr", EBPF_VALUE_POINTER, 8, false};
	int64_t id = -ENOENT;

	if (parsed->pointer) {
		out->builtin = &pointer;
		return 0;
	}
	out->builtin = find_builtin(parsed->base);
	if (out->builtin) {
		out->is_char = !strcmp(parsed->base, "char");
		return 0;
	}
	if (builder->btf)
		id = ebpf_btf_find(builder->btf, parsed->base);
	if (id > 0) {
		out->id = id;
		out->is_char = ebpf_layout_is_char(builder->btf, id);
		return 0;
	}
	ebpf_fail(builder->err, ENOENT, "type '%.200s': %s", name, builder->btf ? "no such type" : "not one of the known names");
	if (!builder->btf)
		ebpf_hint(builder->err, "without type information: u8 to u64, s8 to s64, int, long, bool, char, float, double, "
		                        "ptr, bytes[N], and arrays of them");
	return -ENOENT;
}

static int make_base(struct layout_builder *builder, const struct parsed *parsed, const struct base *base, struct made *out)
{
	if (!base->builtin)
		return ebpf_layout_make(builder, base->id, parsed->dimension_count, out);
	*out = (struct made){.node = ebpf_layout_node(builder), .tree = 1, .values = 1};
	if (!out->node)
		return builder->code;
	char name[sizeof(parsed->base) + 2];
	size_t length = strlen(parsed->base);
	memcpy(name, parsed->base, length + 1);
	if (parsed->pointer)
		memcpy(name + length, " *", 3);
	if (!(out->node->name = ebpf_layout_string(builder, name)))
		return builder->code;
	out->node->kind = base->builtin->kind;
	out->node->size = base->builtin->size;
	out->node->is_signed = base->builtin->is_signed;
	return 0;
}

static const char *array_name(struct layout_builder *builder, const struct parsed *parsed, uint32_t from)
{
	struct ebpf_buffer text = {0};
	const char *name = NULL;
	ebpf_buffer_printf(&text, "%s%s", parsed->base, parsed->pointer ? " *" : "");
	for (uint32_t i = from; i < parsed->dimension_count; i++)
		ebpf_buffer_printf(&text, "[%u]", parsed->dimensions[i]);
	if (text.failed)
		builder->code = ebpf_fail_memory(builder->err);
	else
		name = ebpf_layout_string(builder, text.data);
	ebpf_buffer_free(&text);
	return name;
}

/* Dimension `from` and what is within it. */
static int make_arrays(struct layout_builder *builder, const struct parsed *parsed, const struct base *base, uint32_t from,
                       struct made *out)
{
	bool is_bytes = !strcmp(parsed->base, "bytes") && !parsed->pointer;
	bool last = from + 1 == parsed->dimension_count;
	struct made element;

	if (from == parsed->dimension_count)
		return make_base(builder, parsed, base, out);
	*out = (struct made){.node = ebpf_layout_node(builder), .tree = 1, .values = 1};
	if (!out->node || !(out->node->name = array_name(builder, parsed, from)))
		return builder->code;
	if (last && (is_bytes || base->is_char)) {
		out->node->kind = is_bytes ? EBPF_VALUE_BYTES : EBPF_VALUE_STRING;
		out->node->size = parsed->dimensions[from];
		out->node->count = is_bytes ? 0 : out->node->size;
		return 0;
	}
	int result = make_arrays(builder, parsed, base, from + 1, &element);
	if (result)
		return result;
	out->node->kind = EBPF_VALUE_ARRAY;
	out->node->count = parsed->dimensions[from];
	out->node->element = element.node;
	ebpf_layout_count(out, &element, out->node->count);
	if (__builtin_mul_overflow(out->node->count, element.node->size, &out->node->size))
		return ebpf_fail(builder->err, E2BIG, "type '%.200s': more than 4 GiB", out->node->name);
	return 0;
}

struct ebpf_layout *ebpf_layout_from_name(const char *name, const struct ebpf_btf *btf, struct ebpf_error *err)
{
	struct layout_builder builder = {.btf = btf, .err = err};
	struct parsed parsed = {0};
	struct base base = {0};
	struct made made;

	int result = parse(name, &parsed, err);
	if (!result && (parsed.pointer || strcmp(parsed.base, "bytes")))
		result = find_base(&builder, name, &parsed, &base);
	else if (!result && !parsed.dimension_count)
		result = fail_text(err, name, "how many? bytes[N]");
	if (!result)
		result = make_arrays(&builder, &parsed, &base, 0, &made);
	if (!result)
		result = ebpf_layout_check(&builder, &made);
	return ebpf_layout_finish(&builder, !result);
}

/* -- the same as BTF -- */

static int64_t add_builtin(struct ebpf_btf_builder *builder, const struct builtin *builtin, struct ebpf_error *err)
{
	struct ebpf_btf_description type = {.size_of = sizeof(type), .kind = BTF_KIND_INT, .name = builtin->name, .size = builtin->size};

	if (builtin->kind == EBPF_VALUE_POINTER)
		type = (struct ebpf_btf_description){.size_of = sizeof(type), .kind = BTF_KIND_PTR};
	else if (builtin->kind == EBPF_VALUE_FLOAT)
		type.kind = BTF_KIND_FLOAT;
	else
		type.encoding = builtin->kind == EBPF_VALUE_BOOL ? BTF_INT_BOOL : builtin->is_signed ? BTF_INT_SIGNED : 0;
	return ebpf_btf_builder_add_type(builder, &type, err);
}

static int64_t add_base(struct ebpf_btf_builder *builder, const char *name, const struct parsed *parsed, const struct ebpf_btf *btf,
                        struct ebpf_error *err)
{
	static const struct builtin byte = {"unsigned char", EBPF_VALUE_INT, 1, false};
	struct layout_builder finder = {.btf = btf, .err = err};
	struct base base = {0};

	if (!parsed->pointer && !strcmp(parsed->base, "bytes"))
		return parsed->dimension_count ? add_builtin(builder, &byte, err) : fail_text(err, name, "how many? bytes[N]");
	int result = find_base(&finder, name, parsed, &base);
	if (result)
		return result;
	return base.builtin ? add_builtin(builder, base.builtin, err) : ebpf_btf_builder_add(builder, btf, base.id, err);
}

int64_t ebpf_btf_builder_add_named(struct ebpf_btf_builder *builder, const char *name, const struct ebpf_btf *btf, struct ebpf_error *err)
{
	static const struct builtin number = {"__ARRAY_SIZE_TYPE__", EBPF_VALUE_INT, 4, false};
	struct parsed parsed = {0};
	int64_t id = parse(name, &parsed, err), index = 0;

	if (id == 0)
		id = add_base(builder, name, &parsed, btf, err);
	if (id > 0 && parsed.dimension_count)
		index = add_builtin(builder, &number, err);
	for (uint32_t i = parsed.dimension_count; id > 0 && i-- > 0;) {
		struct ebpf_btf_description array = {.size_of = sizeof(array), .kind = BTF_KIND_ARRAY, .type = (uint32_t)id,
		                                     .index = (uint32_t)index, .count = parsed.dimensions[i]};
		id = index < 0 ? index : ebpf_btf_builder_add_type(builder, &array, err);
	}
	return id;
}
