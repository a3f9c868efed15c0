/* print_declare.c -- types as C writes them: bodies of structs and enums, and declarators around a name. */
#include <stdlib.h>

#include "btf/print.h"

/* -- names: C has one of each kind, BTF may have many -- */

/* How often a name has been taken in `names`, this time included. */
static uint32_t take_name(struct printer *printer, struct ebpf_table *names, const char *name)
{
	uint64_t *taken = ebpf_table_at(names, name);
	if (taken)
		return ++*taken;
	if (!printer->code)
		printer->code = ebpf_fail_memory(printer->err);
	return 1;
}

static void write_version(struct printer *printer, const char *name, uint32_t version)
{
	btf_text_string(printer->text, name);
	if (version > 1) {
		btf_text_add(printer->text, "___", 3);
		btf_text_unsigned(printer->text, version);
	}
}

static void write_name(struct printer *printer, const struct ebpf_type *type, struct ebpf_table *names)
{
	if (!*type->name)
		return;
	if (!printer->versions) {
		btf_text_string(printer->text, type->name);
		return;
	}
	uint32_t *version = &printer->versions[type->id];
	/* Declarations without a body define nothing, so they take no name. */
	if (!*version && (type->kind == BTF_KIND_FWD || (type->kind == BTF_KIND_ENUM && !type->vlen)))
		*version = 1;
	if (!*version)
		*version = take_name(printer, names, type->name);
	write_version(printer, type->name, *version);
}

static void write_tagged(struct printer *printer, const char *keyword, const struct ebpf_type *type)
{
	btf_text_string(printer->text, keyword);
	if (*type->name)
		btf_text_char(printer->text, ' ');
	write_name(printer, type, &printer->tags);
}

void print_struct_forward(struct printer *printer, const struct ebpf_type *type)
{
	write_tagged(printer, type->kind == BTF_KIND_STRUCT ? "struct" : "union", type);
}

void print_forward(struct printer *printer, const struct ebpf_type *type)
{
	write_tagged(printer, type->kind_flag ? "union" : "struct", type);
}

/* -- structs and unions -- */

/* A member, and where it ends, in bits. */
static int64_t write_member(struct printer *printer, const struct ebpf_member *member, int level)
{
	print_newline(printer, level);
	print_declaration(printer, member->type, member->name, level);
	int64_t bits = member->bit_size;
	if (bits) {
		btf_text_add(printer->text, ": ", 2);
		btf_text_unsigned(printer->text, bits);
	} else {
		int64_t size = ebpf_btf_sizeof(printer->btf, member->type);
		bits = size > 0 ? 8 * size : 0;
	}
	btf_text_char(printer->text, ';');
	return member->bit_offset + bits;
}

static void write_struct_members(struct printer *printer, const struct ebpf_type *type, bool is_packed, int level)
{
	bool after_bit_field = false;
	int64_t end = 0;
	for (uint32_t i = 0; i < type->vlen && !print_failed(printer); i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		int alignment = is_packed ? 1 : print_alignment(printer, member.type);
		print_padding(printer, end, member.bit_offset, alignment, after_bit_field && member.bit_size, level);
		end = write_member(printer, &member, level);
		after_bit_field = member.bit_size != 0;
	}
	print_padding(printer, end, 8 * (int64_t)type->size, print_alignment(printer, type->id), false, level);
}

static void write_union_members(struct printer *printer, const struct ebpf_type *type, bool is_packed, int level)
{
	int64_t most = 0, end, bits = 8 * (int64_t)type->size;
	for (uint32_t i = 0; i < type->vlen && !print_failed(printer); i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		end = write_member(printer, &member, level);
		most = end > most ? end : most;
	}
	/* Wider than its members, for it is aligned beyond them: a member that is nothing but padding. An attribute would ask for
	 * the alignment again where the union is a member of a packed struct. */
	int alignment = is_packed ? 1 : print_alignment(printer, type->id);
	if (!alignment || (most + 8 * alignment - 1) / (8 * alignment) * (8 * alignment) >= bits)
		return;
	print_newline(printer, level);
	btf_text_string(printer->text, "struct {");
	print_padding(printer, 0, bits, 1, false, level + 1);
	print_newline(printer, level);
	btf_text_add(printer->text, "};", 2);
}

void print_struct(struct printer *printer, const struct ebpf_type *type, int level)
{
	bool is_packed = print_is_packed(printer, type);

	print_struct_forward(printer, type);
	btf_text_add(printer->text, " {", 2);
	if (type->kind == BTF_KIND_STRUCT)
		write_struct_members(printer, type, is_packed, level + 1);
	else
		write_union_members(printer, type, is_packed, level + 1);
	if (type->vlen || type->size)
		print_newline(printer, level);
	btf_text_char(printer->text, '}');
	if (is_packed)
		btf_text_string(printer->text, " __attribute__((packed))");
}

/* -- enums -- */

/* Eight bytes wide, which the compiler makes it only where a value needs them. */
static bool needs_word_mode(const struct printer *printer, const struct ebpf_type *type)
{
	if (type->size != 8 || printer->pointer_size != 8)
		return false;
	if (type->kind == BTF_KIND_ENUM64)
		for (uint32_t i = 0; i < type->vlen; i++)
			if ((uint64_t)ebpf_type_enumerator(type, i).value >> 32)
				return false;
	return true;
}

void print_enum(struct printer *printer, const struct ebpf_type *type, int level)
{
	struct btf_text *text = printer->text;

	write_tagged(printer, "enum", type);
	if (!type->vlen)
		return;
	btf_text_add(text, " {", 2);
	for (uint32_t i = 0; i < type->vlen && !print_failed(printer); i++) {
		struct ebpf_btf_enum entry = ebpf_type_enumerator(type, i);
		print_newline(printer, level + 1);
		write_version(printer, entry.name, take_name(printer, &printer->idents, entry.name));
		btf_text_add(text, " = ", 3);
		if (entry.is_signed)
			btf_text_signed(text, entry.value);
		else
			btf_text_unsigned(text, entry.value);
		if (type->kind == BTF_KIND_ENUM64)
			btf_text_string(text, entry.is_signed ? "LL" : "ULL");
		btf_text_char(text, ',');
	}
	print_newline(printer, level);
	btf_text_char(text, '}');
	if (type->size == 1)
		btf_text_string(text, " __attribute__((mode(byte)))");
	else if (type->size == 2)
		btf_text_string(text, " __attribute__((mode(HI)))");
	else if (needs_word_mode(printer, type))
		btf_text_string(text, " __attribute__((mode(word)))");
}

/* -- declarations --
 *
 * C writes a type around the name. The chain of what a type is made of goes on printer->chain, outermost first, and is taken off
 * from its end: the named type comes first in the text, then stars and qualifiers, and an array or function puts what is left of
 * the chain in the middle, before its brackets. */

/* The chain from `start` on is one declaration's. */
static void write_chain(struct printer *printer, size_t start, const char *name, int level);

static bool push_chain(struct printer *printer, uint32_t id)
{
	struct ebpf_type type;
	for (;;) {
		ebpf_btf_type(printer->btf, id, &type);
		bool is_qualifier = type.kind == BTF_KIND_CONST || type.kind == BTF_KIND_VOLATILE ||
		                    type.kind == BTF_KIND_RESTRICT || type.kind == BTF_KIND_TYPE_TAG;
		if (!print_step(printer, id, 0))
			return false;
		if (!(printer->plain && is_qualifier)) {
			if (printer->chain_count == PRINT_MAX_CHAIN)
				return print_fail(printer, E2BIG, id, "is nested too deeply"), false;
			printer->chain[printer->chain_count++] = id;
		}
		if (type.kind == BTF_KIND_ARRAY)
			id = ebpf_type_array(&type).element;
		else if (is_qualifier || type.kind == BTF_KIND_PTR || type.kind == BTF_KIND_FUNC_PROTO)
			id = type.type;
		else
			return true;
	}
}

void print_declaration(struct printer *printer, uint32_t id, const char *name, int level)
{
	size_t start = printer->chain_count;
	if (print_failed(printer))
		return;
	if (printer->depth++ == PRINT_MAX_DEPTH)
		print_fail(printer, E2BIG, id, "is nested too deeply");
	else if (push_chain(printer, id))
		write_chain(printer, start, name, level);
	printer->chain_count = start;
	printer->depth--;
}

static void write_spaced(struct printer *printer, const char *name, bool after_star)
{
	if (*name && !after_star)
		btf_text_char(printer->text, ' ');
	btf_text_string(printer->text, name);
}

static const char *qualifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST      ? "const"
	       : kind == BTF_KIND_VOLATILE ? "volatile"
	       : kind == BTF_KIND_RESTRICT ? "restrict"
	                                   : NULL;
}

/* The qualifiers of a named type stand before it. */
static void write_qualifiers(struct printer *printer, size_t start)
{
	struct ebpf_type type;
	for (; printer->chain_count > start; printer->chain_count--) {
		ebpf_btf_type(printer->btf, printer->chain[printer->chain_count - 1], &type);
		const char *word = qualifier(type.kind);
		if (!word)
			return;
		btf_text_string(printer->text, word);
		btf_text_char(printer->text, ' ');
	}
}

/* Those of an array are its elements' as well, where gcc repeats them; those of a function are how gcc says noreturn. */
static void drop_qualifiers(struct printer *printer, size_t start)
{
	struct ebpf_type type;
	for (; printer->chain_count > start; printer->chain_count--) {
		ebpf_btf_type(printer->btf, printer->chain[printer->chain_count - 1], &type);
		if (!qualifier(type.kind) && type.kind != BTF_KIND_TYPE_TAG)
			return;
	}
}

static void write_array(struct printer *printer, const struct ebpf_type *type, size_t start, const char *name, int level,
                        bool after_star)
{
	struct ebpf_type outer;
	drop_qualifiers(printer, start);
	if (printer->chain_count == start) {
		write_spaced(printer, name, after_star);
	} else {
		ebpf_btf_type(printer->btf, printer->chain[printer->chain_count - 1], &outer);
		bool in_array = outer.kind == BTF_KIND_ARRAY;
		if (*name && !after_star)
			btf_text_char(printer->text, ' ');
		if (!in_array)
			btf_text_char(printer->text, '(');
		write_chain(printer, start, name, level);
		if (!in_array)
			btf_text_char(printer->text, ')');
	}
	btf_text_char(printer->text, '[');
	btf_text_unsigned(printer->text, ebpf_type_array(type).count);
	btf_text_char(printer->text, ']');
}

static void write_params(struct printer *printer, const struct ebpf_type *type, int level)
{
	/* Compilers for BPF write (void) for any function without parameters. */
	if (!type->vlen || (type->vlen == 1 && !ebpf_type_param(type, 0).type)) {
		btf_text_string(printer->text, "(void)");
		return;
	}
	btf_text_char(printer->text, '(');
	for (uint32_t i = 0; i < type->vlen && !print_failed(printer); i++) {
		struct ebpf_param param = ebpf_type_param(type, i);
		if (i)
			btf_text_add(printer->text, ", ", 2);
		if (!param.type && i == type->vlen - 1)
			btf_text_add(printer->text, "...", 3);
		else
			print_declaration(printer, param.type, param.name, level);
	}
	btf_text_char(printer->text, ')');
}

static void write_function(struct printer *printer, const struct ebpf_type *type, size_t start, const char *name, int level,
                           bool after_star)
{
	drop_qualifiers(printer, start);
	if (printer->chain_count > start) {
		btf_text_add(printer->text, " (", 2);
		write_chain(printer, start, name, level);
		btf_text_char(printer->text, ')');
	} else {
		write_spaced(printer, name, after_star);
	}
	/* Its parameters are declarations of their own, above what is left of this one: nothing. */
	write_params(printer, type, level);
}

/* An attribute that stands in the type's name: kind_flag says that it is not "btf_type_tag" (6.14, "address_space(1)"). */
static void write_tag(struct printer *printer, const struct ebpf_type *type, size_t start)
{
	write_qualifiers(printer, start);
	btf_text_string(printer->text, type->kind_flag ? " __attribute__((" : " __attribute__((btf_type_tag(\"");
	btf_text_string(printer->text, type->name);
	btf_text_string(printer->text, type->kind_flag ? "))" : "\")))");
}

/* What a declaration begins with. */
static void write_base(struct printer *printer, const struct ebpf_type *type, size_t start, int level)
{
	bool body = !*type->name && !printer->plain;
	write_qualifiers(printer, start);
	switch (type->kind) {
	case BTF_KIND_UNKN:
		btf_text_add(printer->text, "void", 4);
		return;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (body)
			print_struct(printer, type, level);
		else
			print_struct_forward(printer, type);
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (body) {
			print_enum(printer, type, level);
		} else { /* of a nameless one as well "(enum )": what libbpf makes of it */
			btf_text_string(printer->text, "enum ");
			write_name(printer, type, &printer->tags);
		}
		return;
	case BTF_KIND_FWD:
		print_forward(printer, type);
		return;
	case BTF_KIND_TYPEDEF:
		write_name(printer, type, &printer->idents);
		return;
	default:
		btf_text_string(printer->text, type->name);
	}
}

static void write_chain(struct printer *printer, size_t start, const char *name, int level)
{
	bool after_star = true; /* a star stands right before what it is next to: "**", "(*name" */
	struct ebpf_type type;

	while (printer->chain_count > start && !print_failed(printer)) {
		ebpf_btf_type(printer->btf, printer->chain[--printer->chain_count], &type);
		switch (type.kind) {
		case BTF_KIND_PTR:
			btf_text_string(printer->text, after_star ? "*" : " *");
			after_star = true;
			continue;
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
			btf_text_char(printer->text, ' ');
			btf_text_string(printer->text, qualifier(type.kind));
			break;
		case BTF_KIND_TYPE_TAG:
			write_tag(printer, &type, start);
			break;
		case BTF_KIND_ARRAY:
			write_array(printer, &type, start, name, level, after_star);
			return;
		case BTF_KIND_FUNC_PROTO:
			write_function(printer, &type, start, name, level, after_star);
			return;
		default:
			write_base(printer, &type, start, level);
		}
		after_star = false;
	}
	write_spaced(printer, name, after_star);
}

void print_typedef(struct printer *printer, const struct ebpf_type *type)
{
	btf_text_string(printer->text, "typedef ");
	/* Old versions of gcc say that this is void. */
	if (!type->type && !strcmp(type->name, "__gnuc_va_list")) {
		btf_text_string(printer->text, "__builtin_va_list __gnuc_va_list");
		return;
	}
	/* The name is chosen first: enumerators in the type take names too. */
	uint32_t *version = &printer->versions[type->id];
	if (!*version)
		*version = take_name(printer, &printer->idents, type->name);
	if (*version == 1) {
		print_declaration(printer, type->type, type->name, 0);
		return;
	}
	char *name = ebpf_sprintf("%s___%u", type->name, *version);
	if (name)
		print_declaration(printer, type->type, name, 0);
	else if (!printer->code)
		printer->code = ebpf_fail_memory(printer->err);
	free(name);
}
