/* value_print.c -- values as text: C initializers, or in the notation of libbpf and the kernel, with a type before each value.
 *
 * Members of hostile types may lie anywhere: every access is checked against the data, and how many values are looked at is
 * bounded, as for layouts.
 */
#include <math.h>

#include "btf/layout.h"
#include "btf/print.h"

#define MAX_DEPTH 64

struct value_printer {
	struct printer types; /* for casts */
	struct btf_text text;
	const struct ebpf_value_options *options;
	const uint8_t *data;
	uint64_t size;
	bool is_big, is_swapped; /* the data's byte order, and whether it is not the host's */
	uint64_t values; /* that may still be looked at */
	int depth;
	int lifted;       /* members without a name that members are lifted out of */
	bool on_one_line; /* what is printed now */
	bool in_array;    /* elements (typed: and all that is in them) have no type, and none is left out */
	bool in_union;    /* the next value's name says which member it is, also where positions would do */
	bool cut;         /* the data ended before the value */
};

/* Where a value is: its bytes, or for a bit field some bits from the byte at `offset` on. */
struct place {
	uint64_t offset;
	unsigned bit_offset, bit_size;
};

/* -- what is there -- */

static bool is_inside(const struct value_printer *p, uint64_t offset, uint64_t size)
{
	return offset <= p->size && size <= p->size - offset;
}

static bool is_there(struct value_printer *p, struct place at, uint64_t size)
{
	if (at.bit_size)
		size = (at.bit_offset + at.bit_size + 7) / 8;
	if (is_inside(p, at.offset, size))
		return true;
	p->cut = true;
	return false;
}

static bool is_byte_array(const struct value_printer *p, const struct ebpf_type *type)
{
	struct ebpf_type element;
	return type->kind == BTF_KIND_ARRAY &&
	       ebpf_btf_type(p->types.btf, ebpf_btf_resolve(p->types.btf, ebpf_type_array(type).element), &element) &&
	       element.kind == BTF_KIND_INT && element.size == 1;
}

/* Looking at bytes again and again counts as well. */
static void charge(struct value_printer *p, uint64_t bytes)
{
	p->values -= bytes / 64 < p->values ? bytes / 64 : p->values;
}

static bool has_zeros(struct value_printer *p, uint64_t offset, uint64_t size)
{
	charge(p, size);
	for (uint64_t i = 0; i < size; i++)
		if (p->data[offset + i])
			return false;
	return true;
}

/* Where a member is, and what it is. */
static struct place place_member(const struct value_printer *p, uint64_t offset, const struct ebpf_member *member,
                                 struct ebpf_type *type)
{
	struct place at = {.offset = offset + member->bit_offset / 8, .bit_size = member->bit_size};
	at.bit_offset = at.bit_size ? member->bit_offset % 8 : 0;
	ebpf_btf_type(p->types.btf, ebpf_btf_resolve(p->types.btf, member->type), type);
	return at;
}

/* Padding may hold anything. In the typed notation a text ends at its first NUL. What is cut off is not zero, so that it is
 * noticed. */
static bool is_zero(struct value_printer *p, const struct ebpf_type *type, struct place at, int depth)
{
	int64_t size = ebpf_btf_sizeof(p->types.btf, type->id);
	struct ebpf_type part;

	if (at.bit_size)
		return at.bit_size <= 64 && is_inside(p, at.offset, (at.bit_offset + at.bit_size + 7) / 8) &&
		       !ebpf_bits_get(p->data + at.offset, at.bit_offset, at.bit_size, p->is_big);
	if (size < 0 || !is_inside(p, at.offset, size) || !p->values || depth > MAX_DEPTH)
		return false;
	p->values--;
	if (p->options->typed && is_byte_array(p, type))
		return has_zeros(p, at.offset, size > 0);
	/* Padding apart, zero bytes are zeros: the other question is asked only where there are others. */
	if (has_zeros(p, at.offset, size))
		return true;
	if (type->kind == BTF_KIND_STRUCT || type->kind == BTF_KIND_UNION) {
		for (uint32_t i = 0; i < type->vlen; i++) {
			struct ebpf_member member = ebpf_type_member(type, i);
			struct place inner = place_member(p, at.offset, &member, &part);
			if (!is_zero(p, &part, inner, depth + 1))
				return false;
		}
		return true;
	}
	if (type->kind != BTF_KIND_ARRAY)
		return false;
	ebpf_btf_type(p->types.btf, ebpf_btf_resolve(p->types.btf, ebpf_type_array(type).element), &part);
	int64_t step = ebpf_btf_sizeof(p->types.btf, part.id);
	for (uint64_t i = 0; step > 0 && i < ebpf_type_array(type).count; i++)
		if (!is_zero(p, &part, (struct place){.offset = at.offset + i * step}, depth + 1))
			return false;
	return true;
}

/* -- items: what stands before and after a value -- */

static void indent(struct value_printer *p)
{
	const char *unit = p->options->indent ? p->options->indent : "\t";
	if (!p->on_one_line)
		for (uint64_t i = 0; i < (uint64_t)p->options->indent_level + p->depth && !p->text.code; i++)
			btf_text_string(&p->text, unit);
}

static void begin_item(struct value_printer *p, bool first)
{
	if (p->on_one_line && !p->options->typed && p->depth)
		btf_text_string(&p->text, first ? " " : ", ");
	else
		indent(p);
}

static void end_item(struct value_printer *p)
{
	if (!p->depth || (p->on_one_line && !p->options->typed))
		return;
	btf_text_char(&p->text, ',');
	if (!p->on_one_line)
		btf_text_char(&p->text, '\n');
}

static void open_list(struct value_printer *p, char bracket)
{
	btf_text_char(&p->text, bracket);
	p->depth++;
	if (!p->on_one_line)
		btf_text_char(&p->text, '\n');
}

static void close_list(struct value_printer *p, char bracket)
{
	p->depth--;
	if (p->on_one_line && !p->options->typed)
		btf_text_char(&p->text, ' ');
	indent(p);
	btf_text_char(&p->text, bracket);
}

static void write_cast(struct value_printer *p, uint32_t id)
{
	if (!p->options->typed || p->options->skip_names || p->in_array)
		return;
	btf_text_char(&p->text, '(');
	print_declaration(&p->types, id, "", 0);
	btf_text_char(&p->text, ')');
}

/* -- numbers -- */

static void write_quoted(struct btf_text *text, uint8_t byte, char quote)
{
	if (byte == (uint8_t)quote || byte == '\\') {
		btf_text_char(text, '\\');
		btf_text_char(text, byte);
	} else if (byte >= 0x20 && byte < 0x7f) {
		btf_text_char(text, byte);
	} else {
		btf_text_printf(text, "\\%03o", byte);
	}
}

/* An element of an array of bytes, where it reads better as a character. */
static bool write_char(struct value_printer *p, uint8_t byte)
{
	bool is_printable = byte >= 0x20 && byte < 0x7f;
	if (!is_printable && (byte || !p->options->typed))
		return false;
	btf_text_char(&p->text, '\'');
	if (!byte)
		btf_text_string(&p->text, "\\0");
	else if (p->options->typed)
		btf_text_char(&p->text, byte);
	else
		write_quoted(&p->text, byte, '\'');
	btf_text_char(&p->text, '\'');
	return true;
}

static void write_wide(struct value_printer *p, uint64_t offset)
{
	const uint8_t *data = p->data + offset;
	uint64_t high = ebpf_load_ordered(data + (p->is_big ? 0 : 8), 8, false, p->is_swapped);
	uint64_t low = ebpf_load_ordered(data + (p->is_big ? 8 : 0), 8, false, p->is_swapped);
	if (!high)
		btf_text_hex(&p->text, low);
	else
		btf_text_printf(&p->text, "0x%llx%016llx", (unsigned long long)high, (unsigned long long)low);
}

static void write_integer(struct value_printer *p, const struct ebpf_type *type, struct place at)
{
	uint32_t encoding, offset, bits;
	const uint8_t *data = p->data + at.offset;
	ebpf_type_int(type, &encoding, &offset, &bits);
	bool is_signed = encoding & BTF_INT_SIGNED;
	if (at.bit_size) {
		uint64_t value = ebpf_bits_get(data, at.bit_offset, at.bit_size, p->is_big);
		if (p->options->typed)
			btf_text_hex(&p->text, value);
		else if (is_signed)
			btf_text_signed(&p->text, (int64_t)(value << (64 - at.bit_size)) >> (64 - at.bit_size));
		else
			btf_text_unsigned(&p->text, value);
		return;
	}
	int64_t value = ebpf_load_ordered(data, type->size, is_signed, p->is_swapped);
	if (type->size == 16)
		write_wide(p, at.offset);
	else if (!p->options->typed && (encoding & BTF_INT_BOOL) && (value == 0 || value == 1))
		btf_text_string(&p->text, value ? "true" : "false");
	else if (is_signed)
		btf_text_signed(&p->text, value);
	else
		btf_text_unsigned(&p->text, value);
}

/* What is no number is written as its bits, for it may carry some. */
static void write_real(struct value_printer *p, double value, uint64_t bits, int digits)
{
	if (p->options->typed)
		btf_text_printf(&p->text, "%f", value);
	else if (isfinite(value))
		btf_text_printf(&p->text, "%.*g", digits, value);
	else
		btf_text_printf(&p->text, "nan(0x%llx)", (unsigned long long)bits);
}

static void write_float(struct value_printer *p, const struct ebpf_type *type, uint64_t offset)
{
	const uint8_t *data = p->data + offset;
	if (type->size == sizeof(float)) {
		uint32_t bits = ebpf_load_ordered(data, sizeof(bits), false, p->is_swapped);
		float value;
		memcpy(&value, &bits, sizeof(value));
		write_real(p, (double)value, bits, 9);
	} else if (type->size == sizeof(double)) {
		uint64_t bits = ebpf_load_ordered(data, sizeof(bits), false, p->is_swapped);
		double value;
		memcpy(&value, &bits, sizeof(value));
		write_real(p, value, bits, 17);
	} else {
		write_wide(p, offset);
	}
}

static void write_pointer(struct value_printer *p, uint64_t offset)
{
	uint64_t value = ebpf_load_ordered(p->data + offset, p->types.pointer_size, false, p->is_swapped);
	if (p->types.pointer_size == 4)
		value = (uint32_t)value;
	if (value)
		btf_text_hex(&p->text, value);
	else
		btf_text_string(&p->text, p->options->typed ? "(nil)" : "NULL");
}

/* A name is only good for what can be read back. */
static bool is_identifier(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++)
		if (!(*name == '_' || (*name >= '0' && *name <= '9') || ((*name | 0x20) >= 'a' && (*name | 0x20) <= 'z')))
			return false;
	return true;
}

static void write_enum(struct value_printer *p, const struct ebpf_type *type, struct place at)
{
	const uint8_t *data = p->data + at.offset;
	unsigned bits = at.bit_size ? at.bit_size : 8 * type->size;
	uint64_t raw = at.bit_size ? ebpf_bits_get(data, at.bit_offset, bits, p->is_big)
	                           : (uint64_t)ebpf_load_ordered(data, type->size, false, p->is_swapped);
	int64_t value = type->kind_flag && bits < 64 ? (int64_t)(raw << (64 - bits)) >> (64 - bits) : (int64_t)raw;
	if (bits < 64 && !type->kind_flag)
		value = (int64_t)(raw & (((uint64_t)1 << bits) - 1));
	charge(p, 4 * (uint64_t)type->vlen);
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_btf_enum entry = ebpf_type_enumerator(type, i);
		if (entry.value == value && is_identifier(entry.name)) {
			btf_text_string(&p->text, entry.name);
			return;
		}
	}
	if (type->kind_flag)
		btf_text_signed(&p->text, value);
	else
		btf_text_unsigned(&p->text, value);
	if (type->kind == BTF_KIND_ENUM64 && p->options->typed)
		btf_text_string(&p->text, type->kind_flag ? "LL" : "ULL");
}

/* -- arrays -- */

static int print_value(struct value_printer *p, uint32_t id, const char *name, struct place at, bool *first);

/* Of an array of bytes, how many there are before those that are all zero (typed: before the first NUL); false when the notation
 * does not have it as a string. */
static bool string_length(struct value_printer *p, uint64_t offset, uint64_t count, uint64_t *length)
{
	uint64_t there = count;
	if (!is_inside(p, offset, count)) {
		p->cut = true;
		there = offset < p->size ? p->size - offset : 0;
	}
	const uint8_t *data = p->data + offset;
	charge(p, there);
	if (p->options->typed) {
		const uint8_t *end = there ? memchr(data, 0, there) : NULL;
		*length = end ? (uint64_t)(end - data) : 0;
		return end;
	}
	while (there && !data[there - 1])
		there--;
	*length = there;
	return true;
}

static void write_string(struct value_printer *p, const uint8_t *data, uint64_t length)
{
	btf_text_char(&p->text, '"');
	for (uint64_t i = 0; i < length && !p->text.code; i++) {
		if (p->options->typed && (data[i] < 0x20 || data[i] >= 0x7f))
			btf_text_printf(&p->text, "\\x%02x", data[i]);
		else
			write_quoted(&p->text, data[i], '"');
	}
	btf_text_char(&p->text, '"');
}

static void write_bytes(struct value_printer *p, const struct ebpf_type *element, uint64_t offset, uint64_t count)
{
	for (uint64_t i = 0; i < count && !p->text.code; i++) {
		struct place at = {.offset = offset + i};
		if (!is_there(p, at, 1))
			return;
		bool is_end = p->options->typed && !p->data[at.offset];
		if (is_end && !p->options->emit_zeroes)
			continue;
		begin_item(p, !i);
		if (!write_char(p, p->data[at.offset]))
			write_integer(p, element, at);
		end_item(p);
		if (is_end)
			return;
	}
}

static bool is_scalar(uint32_t kind)
{
	return kind == BTF_KIND_INT || kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64 || kind == BTF_KIND_FLOAT ||
	       kind == BTF_KIND_PTR;
}

/* Without the elements at the end that are zero, when they may be left out. */
static uint64_t count_elements(struct value_printer *p, uint64_t offset, uint64_t count, uint64_t size)
{
	if (!size)
		return 0;
	if (p->options->typed || p->options->emit_zeroes || !is_inside(p, offset, count * size))
		return count;
	uint64_t bytes = count * size;
	charge(p, bytes);
	while (bytes && !p->data[offset + bytes - 1])
		bytes--;
	return (bytes + size - 1) / size;
}

static int write_array(struct value_printer *p, const struct ebpf_type *type, uint64_t offset)
{
	struct ebpf_btf_array array = ebpf_type_array(type);
	struct ebpf_type element;
	int64_t size = ebpf_btf_sizeof(p->types.btf, array.element);
	uint64_t length;
	bool first = true, on_one_line = p->on_one_line, in_array = p->in_array;
	int result = 0;

	ebpf_btf_type(p->types.btf, ebpf_btf_resolve(p->types.btf, array.element), &element);
	bool is_text = element.kind == BTF_KIND_INT && size == 1 &&
	               (p->options->typed || ebpf_layout_is_char(p->types.btf, array.element));
	if (is_text && p->options->emit_strings && string_length(p, offset, array.count, &length)) {
		write_string(p, p->data + offset, length);
		return 0;
	}
	if (!p->options->typed && is_scalar(element.kind))
		p->on_one_line = true;
	uint64_t count = count_elements(p, offset, array.count, size > 0 ? size : 0);
	open_list(p, p->options->typed ? '[' : '{');
	p->in_array = true;
	if (is_text)
		write_bytes(p, &element, offset, count);
	for (uint64_t i = 0; !is_text && i < count && !result && !p->cut; i++)
		result = print_value(p, array.element, "", (struct place){.offset = offset + i * size}, &first);
	p->in_array = in_array;
	close_list(p, p->options->typed ? ']' : '}');
	p->on_one_line = on_one_line;
	return result;
}

/* -- structs, unions, sections -- */

/* Whose members are `named` also where positions would do: those of a union, and what is lifted into it. */
static int write_members(struct value_printer *p, const struct ebpf_type *type, uint64_t offset, bool named, bool *first)
{
	int result = 0;
	named |= type->kind == BTF_KIND_UNION;
	for (uint32_t i = 0; i < type->vlen && !result && !p->cut && !p->text.code; i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		struct ebpf_type target;
		struct place at = place_member(p, offset, &member, &target);
		if (at.bit_size > 64)
			return print_fail(&p->types, EINVAL, type->id, "has a bit field of more than 64 bits");
		bool is_struct = target.kind == BTF_KIND_STRUCT || target.kind == BTF_KIND_UNION;
		/* C names the members of nameless members directly, and gives nameless padding no value. */
		p->in_union = named;
		if (*member.name || p->options->typed || (p->options->skip_names && is_struct && !named))
			result = print_value(p, member.type, member.name, at, first);
		else if (is_struct && (!p->values || p->lifted == MAX_DEPTH))
			result = print_fail(&p->types, E2BIG, type->id, "has too many parts");
		else if (is_struct) {
			p->values--;
			p->lifted++;
			result = write_members(p, &target, at.offset, named, first);
			p->lifted--;
		}
	}
	return result;
}

static int write_struct(struct value_printer *p, const struct ebpf_type *type, uint64_t offset)
{
	bool first = true, in_array = p->in_array;
	open_list(p, '{');
	p->in_array = in_array && p->options->typed;
	int result = write_members(p, type, offset, false, &first);
	p->in_array = in_array;
	close_list(p, '}');
	return result;
}

static int write_variable(struct value_printer *p, const struct ebpf_type *type, uint64_t offset, bool *first)
{
	struct place at = {.offset = offset};
	uint32_t linkage = ebpf_type_linkage(type);
	if (!p->options->typed)
		return print_value(p, type->type, p->depth ? type->name : "", at, first);
	indent(p);
	btf_text_string(&p->text, linkage == BTF_VAR_STATIC ? "static " : linkage == BTF_VAR_EXTERN ? "extern " : "");
	print_declaration(&p->types, type->type, "", 0);
	btf_text_char(&p->text, ' ');
	btf_text_string(&p->text, type->name);
	btf_text_string(&p->text, " = ");
	return print_value(p, type->type, "", at, first);
}

static int write_section(struct value_printer *p, const struct ebpf_type *type, uint64_t offset)
{
	bool first = true;
	int result = 0;
	if (!type->size && type->vlen)
		return print_fail(&p->types, EINVAL, type->id, "has no sizes yet: the compiler leaves them to the loader");
	if (p->options->typed) {
		indent(p);
		btf_text_string(&p->text, "SEC(\"");
		btf_text_string(&p->text, type->name);
		btf_text_string(&p->text, "\") ");
	} else {
		open_list(p, '{');
	}
	for (uint32_t i = 0; i < type->vlen && !result && !p->cut && !p->text.code; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(type, i);
		struct ebpf_type variable;
		if (!ebpf_btf_type(p->types.btf, info.type, &variable) || variable.kind != BTF_KIND_VAR)
			continue; /* a function of .ksyms */
		result = write_variable(p, &variable, offset + info.offset, &first);
		if (p->options->typed)
			btf_text_char(&p->text, ';');
	}
	if (!p->options->typed)
		close_list(p, '}');
	return result;
}

/* -- any value -- */

static void write_scalar(struct value_printer *p, const struct ebpf_type *type, struct place at)
{
	switch (type->kind) {
	case BTF_KIND_INT:
		write_integer(p, type, at);
		return;
	case BTF_KIND_FLOAT:
		write_float(p, type, at.offset);
		return;
	case BTF_KIND_PTR:
		write_pointer(p, at.offset);
		return;
	default:
		write_enum(p, type, at);
	}
}

static bool is_good_size(const struct ebpf_type *type)
{
	uint32_t size = type->size;
	if (type->kind == BTF_KIND_PTR)
		return true;
	if (type->kind == BTF_KIND_FLOAT)
		return size == 4 || size == 8 || size == 16;
	return size == 1 || size == 2 || size == 4 || size == 8 || (size == 16 && type->kind == BTF_KIND_INT);
}

/* Whether a value of this type can be printed at all, and its size. */
static int64_t check_type(struct value_printer *p, uint32_t id, struct ebpf_type *type)
{
	int64_t size = ebpf_btf_sizeof(p->types.btf, id);
	if (!ebpf_btf_type(p->types.btf, ebpf_btf_resolve(p->types.btf, id), type) || size < 0)
		return print_fail(&p->types, EINVAL, id, "has no size, so there are no values of it");
	if (is_scalar(type->kind) && !is_good_size(type))
		return print_fail(&p->types, EINVAL, id, "is of a size that no machine has");
	if (!p->values || p->depth >= MAX_DEPTH)
		return print_fail(&p->types, E2BIG, id, "has too many parts");
	p->values--;
	return size;
}

static bool is_left_out(struct value_printer *p, const struct ebpf_type *type, struct place at)
{
	/* Positions count only as long as nothing is left out. */
	bool by_position = p->in_array || (p->options->skip_names && !p->options->typed);
	return p->depth && !by_position && !p->options->emit_zeroes && is_zero(p, type, at, 0);
}

static int print_value(struct value_printer *p, uint32_t id, const char *name, struct place at, bool *first)
{
	struct ebpf_type type;
	int64_t size = check_type(p, id, &type);
	bool is_named = *name && (!p->options->skip_names || (p->in_union && !p->options->typed));
	int result = 0;

	p->in_union = false;
	if (size < 0)
		return size;
	if (is_left_out(p, &type, at))
		return 0;
	/* Of a struct or an array what is there is printed. */
	if (size && !is_there(p, at, is_scalar(type.kind) ? (uint64_t)size : 1))
		return 0;
	if (type.kind != BTF_KIND_VAR && type.kind != BTF_KIND_DATASEC) {
		begin_item(p, *first);
		*first = false;
		if (is_named) {
			btf_text_char(&p->text, '.');
			btf_text_string(&p->text, name);
			btf_text_string(&p->text, " = ");
		}
		write_cast(p, id);
	}
	switch (type.kind) {
	case BTF_KIND_ARRAY:
		result = write_array(p, &type, at.offset);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		result = write_struct(p, &type, at.offset);
		break;
	case BTF_KIND_VAR:
		return write_variable(p, &type, at.offset, first);
	case BTF_KIND_DATASEC:
		return write_section(p, &type, at.offset);
	default:
		write_scalar(p, &type, at);
	}
	end_item(p);
	return result ? result : p->types.code;
}

static int fail_cut(const struct value_printer *p, uint32_t id, struct ebpf_error *err)
{
	struct ebpf_buffer name = {0};
	int64_t size = ebpf_btf_sizeof(p->types.btf, id);
	ebpf_btf_write_name(p->types.btf, id, &name);
	int result = ebpf_fail(err, E2BIG, "value: %.200s has %lld bytes, but there are %llu", name.data ? name.data : "",
	                       (long long)size, (unsigned long long)p->size);
	ebpf_buffer_free(&name);
	return result;
}

int ebpf_value_print(const struct ebpf_btf *btf, uint32_t id, const void *data, size_t data_size,
                     const struct ebpf_value_options *options, ebpf_write_fn write, void *context, struct ebpf_error *err)
{
	static const struct ebpf_value_options none = {.size = sizeof(none)};
	struct value_printer p = {
	        .options = options ? options : &none, .data = data_size ? data : (const void *)"", .size = data_size};
	uint64_t limit = btf_text_limit(btf) + 256 * (uint64_t)data_size;
	bool first = true;

	if (id >= btf->count)
		return ebpf_fail(err, EINVAL, "value: there is no type %u", id);
	if (p.options->size < sizeof(*options))
		return ebpf_fail(err, EINVAL, "value: print: options.size is %zu, not %zu", p.options->size, sizeof(*options));
	if (btf_text_init(&p.text, limit, write, context))
		return btf_text_finish(&p.text, err);
	print_start(&p.types, btf, &p.text, err);
	p.types.plain = true;
	p.values = (1u << 20) + 16 * (uint64_t)data_size;
	p.is_big = ebpf_btf_big_endian(btf);
	p.is_swapped = btf->swapped;
	p.on_one_line = p.options->compact;
	int result = print_value(&p, id, "", (struct place){0}, &first);
	int finished = btf_text_finish(&p.text, p.types.code ? NULL : err);
	if (result || finished)
		return result ? result : finished;
	return p.cut ? fail_cut(&p, id, err) : 0;
}
