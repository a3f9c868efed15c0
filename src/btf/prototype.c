/* prototype.c -- types from C declarations, for functions that were not compiled from C: "int sum(struct pair *p, u32 n)".
 *
 * The ground of this is what a function of a BPF program may have: integers, enums, structs and unions, pointers, arrays in
 * structs; no function pointers and no bit fields. Names of structs, unions, enums and typedefs that the types at hand
 * know are theirs; a struct that nobody knows is an empty one, which is enough where the kernel goes by its name (the
 * context of a program). A body declares it on the spot: "struct pair { int a; u64 b[2]; } *p".
 */
#include <stdio.h>
#include <stdlib.h>

#include "btf/build.h"

enum { NAME_SIZE = 128, NESTING = 16, MEMBERS = 256, PARAMS = 32, POINTER_SIZE = 8 };

struct ebpf_btf_declarations {
	struct ebpf_btf_builder *builder;
	const struct ebpf_btf *known; /* or NULL */
	struct ebpf_table ids;        /* by the type's text: what is in the builder already */
	char **keys;
	size_t key_count, key_capacity;
};
struct shape {
	uint32_t id; /* 0 = void */
	uint32_t size, alignment;
};
struct reader {
	struct ebpf_btf_declarations *declarations;
	const char *text, *at;
	struct ebpf_error *err;
	int code; /* of the first failure */
	unsigned depth;
	bool is_static;
};
struct declaration {
	char name[NAME_SIZE]; /* "" = it has none */
	struct shape shape;
};

/* -- words -- */

static bool fail(struct reader *reader, int code, const char *what, const char *word)
{
	if (!reader->code)
		reader->code = ebpf_fail(reader->err, code, "prototype '%.200s': column %zu: %s%s%s%s", reader->text,
		                         (size_t)(reader->at - reader->text) + 1, what, word ? " '" : "", word ? word : "",
		                         word ? "'" : "");
	return false;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

/* The word at hand, not yet taken; "" when there is none. False for one that is too long. */
static bool peek(struct reader *reader, char word[NAME_SIZE])
{
	size_t size = 0;

	blanks(reader);
	if (is_word(*reader->at) && !(*reader->at >= '0' && *reader->at <= '9'))
		while (is_word(reader->at[size]))
			size++;
	*word = '\0';
	if (size >= NAME_SIZE)
		return fail(reader, ENAMETOOLONG, "a name of more than 127 letters", NULL);
	memcpy(word, reader->at, size);
	word[size] = '\0';
	return true;
}

static void take_word(struct reader *reader, const char *word)
{
	reader->at += strlen(word);
}

static bool take(struct reader *reader, char c)
{
	blanks(reader);
	if (*reader->at != c)
		return false;
	reader->at++;
	return true;
}

static bool need(struct reader *reader, char c)
{
	char what[4] = {c, '\0'};

	return take(reader, c) || fail(reader, EINVAL, "expected", what);
}

static bool one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

/* -- types in the builder, each text once -- */

static bool find(struct reader *reader, const char *key, uint32_t *id)
{
	uint64_t value;

	if (!ebpf_table_get(&reader->declarations->ids, key, &value))
		return false;
	*id = (uint32_t)value;
	return true;
}

static bool remember(struct reader *reader, const char *key, int64_t id)
{
	struct ebpf_btf_declarations *declarations = reader->declarations;
	char **keys = ebpf_grow(declarations->keys, &declarations->key_capacity, declarations->key_count, sizeof(*keys));
	char *copy = keys ? ebpf_strdup(key) : NULL;

	if (keys)
		declarations->keys = keys;
	if (copy)
		keys[declarations->key_count++] = copy;
	if (!copy || id < 0 || declarations->builder->code || ebpf_table_set(&declarations->ids, copy, (uint64_t)id)) {
		if (!reader->code)
			reader->code = id < 0 && id != -ENOMEM
			                       ? ebpf_fail(reader->err, (int)id, "prototype '%.200s': types", reader->text)
			                       : ebpf_fail_memory(reader->err);
		return false;
	}
	return true;
}

/* A type that consists of its head alone. */
static bool simple(struct reader *reader, const char *key, const char *name, uint32_t kind, bool flag, uint32_t size_or_type,
                   uint32_t *id)
{
	struct ebpf_btf_builder *builder = reader->declarations->builder;
	int64_t next;

	if (find(reader, key, id))
		return true;
	next = btf_next_id(builder);
	if (next > 0)
		btf_put_type(builder, name, kind, flag, 0, size_or_type);
	*id = (uint32_t)next;
	return remember(reader, key, next);
}

static bool make_int(struct reader *reader, const char *name, uint32_t size, uint32_t encoding, struct shape *out)
{
	int64_t id;

	out->size = out->alignment = size;
	if (find(reader, name, &out->id))
		return true;
	id = ebpf_btf_builder_add_int(reader->declarations->builder, name, size, encoding);
	out->id = (uint32_t)id;
	return remember(reader, name, id);
}

static bool make_pointer(struct reader *reader, struct shape *shape)
{
	char key[32];

	snprintf(key, sizeof(key), "*%u", shape->id);
	shape->size = shape->alignment = POINTER_SIZE;
	return simple(reader, key, "", BTF_KIND_PTR, false, shape->id, &shape->id);
}

static bool make_const(struct reader *reader, struct shape *shape)
{
	char key[32];

	snprintf(key, sizeof(key), "const %u", shape->id);
	return simple(reader, key, "", BTF_KIND_CONST, false, shape->id, &shape->id);
}

static bool make_array(struct reader *reader, uint32_t count, struct shape *shape)
{
	struct ebpf_btf_builder *builder = reader->declarations->builder;
	struct shape index;
	char key[48];
	int64_t id;

	if (!make_int(reader, "int", 4, BTF_INT_SIGNED, &index))
		return false;
	if (!shape->size || __builtin_mul_overflow(shape->size, count, &shape->size))
		return fail(reader, EINVAL, "an array of this cannot be", NULL);
	snprintf(key, sizeof(key), "%u[%u]", shape->id, count);
	if (find(reader, key, &shape->id))
		return true;
	id = btf_next_id(builder);
	if (id > 0) {
		btf_put_type(builder, "", BTF_KIND_ARRAY, false, 0, 0);
		btf_put(builder, shape->id);
		btf_put(builder, index.id);
		btf_put(builder, count);
	}
	shape->id = (uint32_t)id;
	return remember(reader, key, id);
}

/* -- what the types at hand know -- */

static uint32_t alignment_of(const struct ebpf_btf *btf, uint32_t id, unsigned depth)
{
	struct ebpf_type type;
	uint32_t most = 1;

	if (depth > NESTING || !ebpf_btf_type(btf, ebpf_btf_resolve(btf, id), &type))
		return 1;
	if (type.kind == BTF_KIND_PTR)
		return POINTER_SIZE;
	if (type.kind == BTF_KIND_ARRAY)
		return alignment_of(btf, ebpf_type_array(&type).element, depth + 1);
	if (type.kind != BTF_KIND_STRUCT && type.kind != BTF_KIND_UNION)
		return type.size && type.size <= 8 ? type.size : 8;
	for (uint32_t i = 0; i < type.vlen; i++) {
		uint32_t member = alignment_of(btf, ebpf_type_member(&type, i).type, depth + 1);

		most = member > most ? member : most;
	}
	return most;
}

static bool make_known(struct reader *reader, const char *name, uint32_t kind, bool *found, struct shape *out)
{
	const struct ebpf_btf *known = reader->declarations->known;
	int64_t id = known ? ebpf_btf_find_kind(known, name, kind) : -ENOENT, copy, size;

	*found = id > 0;
	if (id == -ENOENT || !id)
		return true;
	if (id < 0) {
		reader->code = ebpf_fail_memory(reader->code ? NULL : reader->err);
		return false;
	}
	copy = ebpf_btf_builder_add(reader->declarations->builder, known, (uint32_t)id, reader->code ? NULL : reader->err);
	if (copy < 0) {
		reader->code = (int)copy;
		return false;
	}
	size = ebpf_btf_sizeof(known, (uint32_t)id);
	*out = (struct shape){(uint32_t)copy, size > 0 ? (uint32_t)size : 0, alignment_of(known, (uint32_t)id, 0)};
	return true;
}

/* -- specifiers: "const unsigned long", "struct pair", "u32" -- */

static bool read_declaration(struct reader *reader, struct declaration *out);

static uint32_t round_up(uint32_t offset, uint32_t alignment)
{
	return (offset + alignment - 1) / alignment * alignment;
}

/* Behind '{': members up to '}'. */
static bool read_body(struct reader *reader, const char *name, bool is_union, struct shape *out)
{
	struct ebpf_btf_builder *builder = reader->declarations->builder;
	struct declaration *members = calloc(MEMBERS, sizeof(*members));
	uint32_t *offsets = calloc(MEMBERS, sizeof(*offsets)), count = 0, end = 0, alignment = 1;
	bool fine = members && offsets;
	int64_t id;

	if (!fine)
		reader->code = reader->code ? reader->code : ebpf_fail_memory(reader->err);
	while (fine && !take(reader, '}')) {
		struct declaration *member = &members[count];

		fine = count < MEMBERS || fail(reader, E2BIG, "more than 255 members", NULL);
		fine = fine && read_declaration(reader, member) && need(reader, ';');
		if (fine && (!member->shape.size || !*member->name))
			fine = fail(reader, EINVAL, *member->name ? "its size is not known, of member" : "a member needs a name",
			            *member->name ? member->name : NULL);
		if (!fine || ++count == MEMBERS)
			continue;
		offsets[count - 1] = is_union ? 0 : round_up(end, member->shape.alignment);
		alignment = member->shape.alignment > alignment ? member->shape.alignment : alignment;
		if (offsets[count - 1] + (uint64_t)member->shape.size > UINT32_MAX / 16)
			fine = fail(reader, E2BIG, "a struct of more than 256 MiB", NULL);
		else if (offsets[count - 1] + member->shape.size > end)
			end = offsets[count - 1] + member->shape.size;
	}
	fine = fine && (count < MEMBERS || fail(reader, E2BIG, "more than 255 members", NULL));
	if (fine) {
		*out = (struct shape){.size = round_up(end, alignment), .alignment = alignment};
		id = btf_next_id(builder);
		out->id = (uint32_t)id;
		if (id > 0)
			btf_put_type(builder, name, is_union ? BTF_KIND_UNION : BTF_KIND_STRUCT, false, count, out->size);
		for (uint32_t i = 0; id > 0 && i < count; i++) {
			btf_put_name(builder, members[i].name);
			btf_put(builder, members[i].shape.id);
			btf_put(builder, offsets[i] * 8);
		}
		fine = id > 0 || fail(reader, E2BIG, "too many types", NULL);
	}
	free(members);
	free(offsets);
	return fine;
}

static bool read_tagged(struct reader *reader, const char *keyword, struct shape *out)
{
	bool is_union = *keyword == 'u', is_enum = *keyword == 'e', found;
	uint32_t kind = is_enum ? BTF_KIND_ENUM : is_union ? BTF_KIND_UNION : BTF_KIND_STRUCT;
	char name[NAME_SIZE], key[NAME_SIZE + 32];
	bool defined;

	if (!peek(reader, name))
		return false;
	take_word(reader, name);
	snprintf(key, sizeof(key), "%.7s %s", keyword, name);
	if (!is_enum && take(reader, '{')) { /* of two functions that declare one alike, each has its own */
		defined = ++reader->depth <= NESTING && read_body(reader, name, is_union, out);
		reader->depth--;
		if (!defined)
			return fail(reader, E2BIG, "nested too deeply", NULL);
		if (!*name)
			return true;
		/* its size goes with it: "{" cannot be in a name */
		if (!remember(reader, key, out->id))
			return false;
		snprintf(key, sizeof(key), "{%u", out->id);
		return remember(reader, key, (int64_t)((uint64_t)out->alignment << 32 | out->size));
	}
	if (!*name)
		return fail(reader, EINVAL, "a name expected behind", keyword);
	if (find(reader, key, &out->id)) {
		uint64_t size = 0;

		snprintf(key, sizeof(key), "{%u", out->id);
		ebpf_table_get(&reader->declarations->ids, key, &size);
		out->size = (uint32_t)size;
		out->alignment = (uint32_t)(size >> 32);
		return true;
	}
	if (!make_known(reader, name, kind, &found, out) || found)
		return found;
	*out = (struct shape){.size = is_enum ? 4 : 0, .alignment = 4};
	if (reader->depth && !is_enum) { /* what a pointer in a struct points to matters to nobody */
		snprintf(key, sizeof(key), "fwd %.7s %s", keyword, name);
		return simple(reader, key, name, BTF_KIND_FWD, is_union, 0, &out->id);
	}
	return simple(reader, key, name, kind, false, out->size, &out->id);
}

/* The integer that a list of C's words means ("unsigned", "long", "int"). */
struct words {
	unsigned is_char, is_short, is_int, is_long, is_signed, is_unsigned, is_bool, is_void, is_float, is_double;
};

static bool count_word(struct words *words, const char *word)
{
	static const struct {
		const char *word;
		size_t offset;
	} rows[] = {
	        {"char", offsetof(struct words, is_char)},     {"short", offsetof(struct words, is_short)},
	        {"int", offsetof(struct words, is_int)},       {"long", offsetof(struct words, is_long)},
	        {"signed", offsetof(struct words, is_signed)}, {"unsigned", offsetof(struct words, is_unsigned)},
	        {"_Bool", offsetof(struct words, is_bool)},    {"bool", offsetof(struct words, is_bool)},
	        {"void", offsetof(struct words, is_void)},     {"float", offsetof(struct words, is_float)},
	        {"double", offsetof(struct words, is_double)},
	};

	for (size_t i = 0; i < EBPF_COUNT(rows); i++)
		if (!strcmp(rows[i].word, word)) {
			++*(unsigned *)(void *)((char *)words + rows[i].offset);
			return true;
		}
	return false;
}

static bool make_words(struct reader *reader, const struct words *words, struct shape *out)
{
	bool is_unsigned = words->is_unsigned;
	uint32_t encoding = is_unsigned ? 0 : BTF_INT_SIGNED;

	if (words->is_void) {
		*out = (struct shape){0};
		return true;
	}
	if (words->is_float || words->is_double)
		return fail(reader, EINVAL, "BPF has no floating point", NULL);
	if (words->is_bool)
		return make_int(reader, "_Bool", 1, BTF_INT_BOOL, out);
	if (words->is_char)
		return make_int(reader,
		                is_unsigned        ? "unsigned char"
		                : words->is_signed ? "signed char"
		                                   : "char",
		                1, encoding, out);
	if (words->is_short)
		return make_int(reader, is_unsigned ? "unsigned short" : "short", 2, encoding, out);
	if (words->is_long > 1)
		return make_int(reader, is_unsigned ? "unsigned long long" : "long long", 8, encoding, out);
	if (words->is_long)
		return make_int(reader, is_unsigned ? "unsigned long" : "long", 8, encoding, out);
	return make_int(reader, is_unsigned ? "unsigned int" : "int", 4, encoding, out);
}

/* "u32", "__u32", "uint32_t": the integer that every program's headers make of them. */
static bool make_common(struct reader *reader, const char *name, bool *found, struct shape *out)
{
	static const struct {
		const char *names[4], *type;
		uint32_t size;
		bool is_signed;
	} rows[] = {
	        {{"u8", "__u8", "uint8_t", NULL}, "unsigned char", 1, false},
	        {{"u16", "__u16", "uint16_t", "__be16"}, "unsigned short", 2, false},
	        {{"u32", "__u32", "uint32_t", "__be32"}, "unsigned int", 4, false},
	        {{"u64", "__u64", "uint64_t", "__be64"}, "unsigned long long", 8, false},
	        {{"s8", "__s8", "int8_t", NULL}, "signed char", 1, true},
	        {{"s16", "__s16", "int16_t", NULL}, "short", 2, true},
	        {{"s32", "__s32", "int32_t", "pid_t"}, "int", 4, true},
	        {{"s64", "__s64", "int64_t", NULL}, "long long", 8, true},
	        {{"size_t", "uintptr_t", NULL, NULL}, "unsigned long", 8, false},
	        {{"ssize_t", "intptr_t", NULL, NULL}, "long", 8, true},
	};

	*found = true;
	for (size_t i = 0; i < EBPF_COUNT(rows); i++)
		for (size_t n = 0; n < 4 && rows[i].names[n]; n++) {
			if (strcmp(rows[i].names[n], name) != 0)
				continue;
			return make_int(reader, rows[i].type, rows[i].size, rows[i].is_signed ? BTF_INT_SIGNED : 0, out) &&
			       simple(reader, name, name, BTF_KIND_TYPEDEF, false, out->id, &out->id);
		}
	*found = false;
	return true;
}

static bool read_named(struct reader *reader, const char *name, struct shape *out)
{
	bool found;

	if (!make_known(reader, name, BTF_KIND_TYPEDEF, &found, out) || found)
		return found;
	if (!make_common(reader, name, &found, out) || found)
		return found;
	fail(reader, ENOENT, "there is no type", name);
	ebpf_hint(reader->err,
	          "known are C's integers, u8 to u64, s8 to s64, and the types of the object; structs are written 'struct %s'",
	          name);
	return false;
}

/* A type without what belongs to the name. Words that say nothing about types are passed over. */
static bool read_specifiers(struct reader *reader, struct shape *out)
{
	static const char *const ignored[] = {"volatile",        "restrict",   "__restrict", "extern", "inline",   "__inline",
	                                      "__always_inline", "__noinline", "noinline",   "__weak", "__hidden", NULL};
	struct words words = {0};
	bool is_const = false, typed = false, counted = false;
	char word[NAME_SIZE];

	for (;;) {
		if (!peek(reader, word))
			return false;
		if (!strcmp(word, "const"))
			is_const = true;
		else if (!strcmp(word, "static") && !reader->depth)
			reader->is_static = true;
		else if (!typed && count_word(&words, word))
			counted = true;
		else if (!*word || (!one_of(word, ignored) && (typed || counted)))
			break;
		else if (!one_of(word, ignored)) {
			bool tagged = !strcmp(word, "struct") || !strcmp(word, "union") || !strcmp(word, "enum");

			if (tagged)
				take_word(reader, word);
			if (!(tagged ? read_tagged(reader, word, out) : read_named(reader, word, out)))
				return false;
			typed = true;
			if (tagged)
				continue;
		}
		take_word(reader, word);
	}
	if (!typed && !counted)
		return fail(reader, EINVAL, "a type expected", NULL);
	return (typed || make_words(reader, &words, out)) && (!is_const || make_const(reader, out));
}

static bool read_pointers(struct reader *reader, struct shape *shape)
{
	char word[NAME_SIZE];

	for (unsigned count = 0; take(reader, '*'); count++) {
		if (count == NESTING)
			return fail(reader, E2BIG, "a pointer of more than 16 stars", NULL);
		if (!make_pointer(reader, shape))
			return false;
		if (!peek(reader, word))
			return false;
		if (!strcmp(word, "const") || !strcmp(word, "volatile") || !strcmp(word, "restrict"))
			take_word(reader, word); /* of the parameter itself: nobody's business */
	}
	return true;
}

/* "[3][4]": elements of elements; at most four. */
static bool read_bounds(struct reader *reader, uint32_t bounds[4], size_t *count)
{
	for (*count = 0; take(reader, '['); ++*count) {
		uint64_t value = 0;

		blanks(reader);
		if (*count == 4)
			return fail(reader, E2BIG, "an array of more than four dimensions", NULL);
		while (*reader->at >= '0' && *reader->at <= '9' && value < UINT32_MAX)
			value = value * 10 + (uint64_t)(*reader->at++ - '0');
		bounds[*count] = (uint32_t)value;
		if (value >= UINT32_MAX)
			return fail(reader, ERANGE, "an array of too many elements", NULL);
		if (!need(reader, ']'))
			return false;
	}
	return true;
}

static bool read_declaration(struct reader *reader, struct declaration *out)
{
	uint32_t bounds[4];
	size_t count, decays;

	if (!read_specifiers(reader, &out->shape) || !read_pointers(reader, &out->shape) || !peek(reader, out->name))
		return false;
	take_word(reader, out->name);
	if (!read_bounds(reader, bounds, &count))
		return false;
	decays = count && !reader->depth; /* an array parameter is the address of its first element */
	while (count-- > decays)
		if (!bounds[count] || !make_array(reader, bounds[count], &out->shape))
			return fail(reader, EINVAL, "an array needs a number of elements", NULL);
	return !decays || make_pointer(reader, &out->shape);
}

/* -- functions -- */

struct parameters {
	struct ebpf_param items[PARAMS];
	char names[PARAMS][NAME_SIZE];
	char tags[PARAMS][NAME_SIZE]; /* "arg:ctx", or "" */
	uint32_t count;
};

/* "__arg_ctx" behind a parameter: how the verifier is to look at it (6.8). */
static bool read_tag(struct reader *reader, char tag[NAME_SIZE])
{
	static const char *const words[] = {
	        "__arg_ctx", "__arg_nonnull", "__arg_nullable", "__arg_trusted", "__arg_untrusted", "__arg_arena", NULL};
	char word[NAME_SIZE];

	*tag = '\0';
	if (!peek(reader, word))
		return false;
	if (!*word)
		return true;
	if (!one_of(word, words))
		return fail(reader, EINVAL, "unexpected", word);
	take_word(reader, word);
	snprintf(tag, NAME_SIZE, "arg:%s", word + strlen("__arg_"));
	return true;
}

static bool read_parameters(struct reader *reader, struct parameters *parameters)
{
	struct declaration declaration;

	if (take(reader, ')'))
		return true;
	do {
		uint32_t at = parameters->count;

		if (at == PARAMS)
			return fail(reader, E2BIG, "more than 32 parameters", NULL);
		if (!read_declaration(reader, &declaration))
			return false;
		if (!declaration.shape.id && !at && !*declaration.name && take(reader, ')')) /* (void) */
			return true;
		if (!declaration.shape.id)
			return fail(reader, EINVAL, "a parameter cannot be void", NULL);
		if (!read_tag(reader, parameters->tags[at]))
			return false;
		memcpy(parameters->names[at], declaration.name, NAME_SIZE);
		parameters->items[at] = (struct ebpf_param){parameters->names[at], declaration.shape.id};
		parameters->count++;
	} while (take(reader, ','));
	return need(reader, ')');
}

static bool add_tags(struct reader *reader, const struct parameters *parameters, uint32_t func)
{
	struct ebpf_btf_builder *builder = reader->declarations->builder;

	if (builder->lacks & EBPF_BTF_NO_DECL_TAG)
		return true;
	for (uint32_t i = 0; i < parameters->count; i++) {
		if (!*parameters->tags[i])
			continue;
		if (btf_next_id(builder) < 0)
			return fail(reader, E2BIG, "too many types", NULL);
		btf_put_type(builder, parameters->tags[i], BTF_KIND_DECL_TAG, false, 0, func);
		btf_put(builder, i);
	}
	return true;
}

static int64_t read_function(struct reader *reader)
{
	struct parameters *parameters = calloc(1, sizeof(*parameters));
	struct declaration function;
	int64_t func = 0;

	if (!parameters)
		return ebpf_fail_memory(reader->err);
	if (read_specifiers(reader, &function.shape) && read_pointers(reader, &function.shape) && peek(reader, function.name)) {
		take_word(reader, function.name);
		if (!*function.name)
			fail(reader, EINVAL, "the function's name expected", NULL);
		else if (need(reader, '(') && read_parameters(reader, parameters)) {
			take(reader, ';');
			blanks(reader);
			if (*reader->at)
				fail(reader, EINVAL, "expected the end, not", reader->at);
		}
	}
	if (!reader->code) {
		func = ebpf_btf_builder_add_func(reader->declarations->builder, function.name, function.shape.id, parameters->items,
		                                 parameters->count, reader->is_static ? BTF_VAR_STATIC : BTF_VAR_GLOBAL);
		if (func < 0)
			reader->code = ebpf_fail(reader->err, (int)func, "prototype '%.200s': types", reader->text);
		else
			add_tags(reader, parameters, (uint32_t)func);
	}
	free(parameters);
	return reader->code ? reader->code : func;
}

/* -- the interface -- */

struct ebpf_btf_declarations *ebpf_btf_declarations_new(struct ebpf_btf_builder *builder, const struct ebpf_btf *known)
{
	struct ebpf_btf_declarations *declarations = calloc(1, sizeof(*declarations));

	if (declarations) {
		declarations->builder = builder;
		declarations->known = known;
	}
	return declarations;
}

void ebpf_btf_declarations_free(struct ebpf_btf_declarations *declarations)
{
	if (!declarations)
		return;
	for (size_t i = 0; i < declarations->key_count; i++)
		free(declarations->keys[i]);
	free(declarations->keys);
	ebpf_table_free(&declarations->ids);
	free(declarations);
}

int64_t ebpf_btf_declarations_add(struct ebpf_btf_declarations *declarations, const char *prototype, bool *global,
                                  struct ebpf_error *err)
{
	struct reader reader = {.declarations = declarations, .text = prototype, .at = prototype, .err = err};
	int64_t func = read_function(&reader);

	if (global)
		*global = !reader.is_static;
	return func >= 0 && declarations->builder->code ? btf_builder_error(declarations->builder, err) : func;
}
