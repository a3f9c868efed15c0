/* value_parse.c -- values out of text: C initializers, and what value_print.c writes. */
#include "btf/layout.h"
#include "btf/value_text.h"

#define MAX_DEPTH 64
/* Members looked at, and elements copied by ranges: so that neither hostile types nor hostile texts keep one busy. */
#define MAX_STEPS (1u << 26)

struct value_parser {
	struct value_text text;
	const struct ebpf_btf *btf;
	bool is_big, is_swapped; /* the byte order of the data, and whether it is not the host's */
	uint8_t *data;
	uint64_t size;
	uint64_t steps;
	int depth;
};

/* What is to be filled: a type (through qualifiers and typedefs) and where. */
struct target {
	struct ebpf_type type;
	uint64_t offset;
	unsigned bit_offset, bit_size;
};

static int parse_value(struct value_parser *p, const struct target *target);

static bool is_aggregate(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_STRUCT || type->kind == BTF_KIND_UNION;
}

static int fail_about(const struct value_parser *p, int code, const struct ebpf_type *type, const char *why, const char *word,
                      size_t length)
{
	struct ebpf_buffer name = {0};
	ebpf_btf_write_name(p->btf, type->id, &name);
	int result = value_text_fail(&p->text, code, "%.150s %s%.*s%s", name.data ? name.data : "", why,
	                             (int)(length < 100 ? length : 100), word, length ? "'" : "");
	ebpf_buffer_free(&name);
	return result;
}

static int spend(struct value_parser *p, uint64_t steps)
{
	if (steps > p->steps)
		return value_text_fail(&p->text, E2BIG, "too many parts");
	p->steps -= steps;
	return 0;
}

/* A part of this type; whether that lies inside is looked at when it is filled. */
static struct target aim(const struct value_parser *p, uint32_t id, uint64_t offset)
{
	struct target target = {.offset = offset};
	ebpf_btf_type(p->btf, ebpf_btf_resolve(p->btf, id), &target.type);
	if (target.type.kind == BTF_KIND_VAR)
		ebpf_btf_type(p->btf, ebpf_btf_resolve(p->btf, target.type.type), &target.type);
	return target;
}

static struct target aim_at_member(const struct value_parser *p, const struct target *outer, const struct ebpf_member *member)
{
	struct target target = aim(p, member->type, outer->offset + member->bit_offset / 8);
	target.bit_offset = member->bit_size ? member->bit_offset % 8 : 0;
	target.bit_size = member->bit_size;
	return target;
}

static int check_target(const struct value_parser *p, const struct target *target)
{
	int64_t size = ebpf_btf_sizeof(p->btf, target->type.id);
	if (size < 0)
		return fail_about(p, EINVAL, &target->type, "has no size, so there are no values of it", "", 0);
	if (target->bit_size > 64)
		return fail_about(p, EINVAL, &target->type, "has more than 64 bits", "", 0);
	if (target->bit_size)
		size = (target->bit_offset + target->bit_size + 7) / 8;
	if (target->offset > p->size || (uint64_t)size > p->size - target->offset)
		return fail_about(p, EINVAL, &target->type, "lies outside of the value", "", 0);
	return 0;
}

/* -- scalars -- */

static bool fits(struct value_number number, unsigned bits, bool is_signed)
{
	uint64_t half = (uint64_t)1 << (bits - 1), most = half - 1 + half;
	if (number.high)
		return false;
	if (number.is_negative)
		return number.low <= (is_signed ? half : 0);
	return number.low <= (is_signed && !number.is_pattern ? half - 1 : most);
}

static int store(struct value_parser *p, const struct target *target, struct value_number number, bool is_signed)
{
	uint8_t *data = p->data + target->offset;
	uint32_t size = target->type.kind == BTF_KIND_PTR ? (uint32_t)ebpf_btf_pointer_size(p->btf) : target->type.size;
	unsigned bits = target->bit_size ? target->bit_size : 8 * size;
	if (size == 16 && !target->bit_size) {
		if (number.is_negative) {
			number.high = ~number.high + !number.low;
			number.low = -number.low;
		}
		ebpf_store_ordered(data + (p->is_big ? 8 : 0), 8, (int64_t)number.low, p->is_swapped);
		ebpf_store_ordered(data + (p->is_big ? 0 : 8), 8, (int64_t)number.high, p->is_swapped);
		return 0;
	}
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return fail_about(p, EINVAL, &target->type, "is of a size that no machine has", "", 0);
	if (!fits(number, bits, is_signed))
		return value_text_fail(&p->text, ERANGE, "the number does not fit into %u bits%s", bits,
		                       is_signed ? " with a sign" : "");
	uint64_t value = number.is_negative ? -number.low : number.low;
	if (target->bit_size)
		ebpf_bits_set(data, target->bit_offset, bits, p->is_big, value);
	else
		ebpf_store_ordered(data, size, (int64_t)value, p->is_swapped);
	return 0;
}

static int find_enumerator(struct value_parser *p, const struct ebpf_type *type, struct value_number *out)
{
	size_t length = value_text_name(&p->text);
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_btf_enum entry = ebpf_type_enumerator(type, i);
		if (strncmp(entry.name, p->text.at, length) != 0 || entry.name[length])
			continue;
		p->text.at += length;
		out->is_negative = type->kind_flag && entry.value < 0;
		out->low = out->is_negative ? -(uint64_t)entry.value : (uint64_t)entry.value;
		/* Old compilers do not say that an enum has a sign: a name is what it is. */
		out->is_pattern = true;
		return 0;
	}
	bool is_enum = type->kind == BTF_KIND_ENUM || type->kind == BTF_KIND_ENUM64;
	return fail_about(p, is_enum ? ENOENT : EINVAL, type,
	                  is_enum ? "has no enumerator '" : "is no enum: a number is expected, not '", p->text.at, length);
}

static int parse_alternatives(struct value_parser *p, const struct ebpf_type *type, struct value_number *out);

static int parse_constant(struct value_parser *p, const struct ebpf_type *type, struct value_number *out)
{
	*out = (struct value_number){0};
	char next = value_text_next(&p->text);
	if (ebpf_starts_with(p->text.at, "(nil)")) {
		p->text.at += strlen("(nil)");
		return 0;
	}
	if (next == '(') {
		p->text.at++;
		int result = parse_alternatives(p, type, out);
		return result || value_text_take(&p->text, ')') ? result : value_text_fail(&p->text, EINVAL, "')' is expected");
	}
	if (next == '\'') {
		uint8_t byte = 0;
		int result = value_text_char(&p->text, &byte);
		out->low = byte;
		out->is_pattern = true;
		return result;
	}
	if (!value_text_name(&p->text))
		return value_text_number(&p->text, out);
	if (value_text_word(&p->text, "NULL") || value_text_word(&p->text, "false"))
		return 0;
	if (value_text_word(&p->text, "true")) {
		out->low = 1;
		return 0;
	}
	return find_enumerator(p, type, out);
}

/* "A | B": flags. */
static int parse_alternatives(struct value_parser *p, const struct ebpf_type *type, struct value_number *out)
{
	struct value_number more;
	if (p->depth++ == MAX_DEPTH)
		return value_text_fail(&p->text, E2BIG, "nested too deeply");
	int result = parse_constant(p, type, out);
	while (!result && value_text_take(&p->text, '|')) {
		result = parse_constant(p, type, &more);
		if (!result && (out->is_negative || more.is_negative))
			result = value_text_fail(&p->text, EINVAL, "a negative number in '|'");
		out->low |= more.low;
		out->high |= more.high;
		out->is_pattern |= more.is_pattern;
	}
	p->depth--;
	return result;
}

static int parse_integer(struct value_parser *p, const struct target *target)
{
	uint32_t encoding, offset, bits;
	struct value_number number;
	bool is_enum = target->type.kind == BTF_KIND_ENUM || target->type.kind == BTF_KIND_ENUM64;
	value_text_next(&p->text);
	const char *start = p->text.at;
	int result = parse_alternatives(p, &target->type, &number);
	if (result)
		return result;
	const char *end = p->text.at;
	p->text.at = start; /* is what an error is about */
	ebpf_type_int(&target->type, &encoding, &offset, &bits);
	result = store(p, target, number, is_enum ? target->type.kind_flag : encoding & BTF_INT_SIGNED);
	p->text.at = end;
	return result;
}

static int parse_float(struct value_parser *p, const struct target *target)
{
	uint8_t *data = p->data + target->offset;
	double value = 0;
	uint64_t bits = 0;
	bool is_bits;
	if (target->type.size == 16)
		return parse_integer(p, target);
	int result = value_text_real(&p->text, &value, &bits, &is_bits);
	if (result)
		return result;
	float narrow = (float)value;
	if (target->type.size == sizeof(value)) {
		if (!is_bits)
			memcpy(&bits, &value, sizeof(value));
	} else if (target->type.size == sizeof(narrow)) {
		uint32_t narrow_bits = (uint32_t)bits;
		if (!is_bits)
			memcpy(&narrow_bits, &narrow, sizeof(narrow));
		bits = narrow_bits;
	} else {
		return fail_about(p, EINVAL, &target->type, "is of a size that no machine has", "", 0);
	}
	ebpf_store_ordered(data, target->type.size, (int64_t)bits, p->is_swapped);
	return 0;
}

/* -- designators -- */

/* Finds a member by name, as C does also among those of members without a name: 1 and *out, 0 = none, -errno. *index is its place
 * in `outer`, or that of the nameless one. */
static int find_member(struct value_parser *p, const struct target *outer, size_t length, int depth, struct target *out,
                       uint32_t *index)
{
	const char *name = p->text.at;
	uint32_t ignored;
	for (uint32_t i = 0; i < outer->type.vlen; i++) {
		struct ebpf_member member = ebpf_type_member(&outer->type, i);
		int result = spend(p, 1);
		if (result)
			return result;
		bool is_it = !strncmp(member.name, name, length) && !member.name[length];
		if (!is_it && *member.name)
			continue;
		struct target inner = aim_at_member(p, outer, &member);
		*index = i;
		if (is_it) {
			*out = inner;
			return 1;
		}
		if (!is_aggregate(&inner.type) || depth == MAX_DEPTH)
			continue;
		result = find_member(p, &inner, length, depth + 1, out, &ignored);
		if (result)
			return result;
	}
	return 0;
}

static int find_variable(struct value_parser *p, const struct target *section, size_t length, struct target *out, uint32_t *index)
{
	for (*index = 0; *index < section->type.vlen; (*index)++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(&section->type, *index);
		struct ebpf_type variable;
		if (!ebpf_btf_type(p->btf, info.type, &variable) || strncmp(variable.name, p->text.at, length) != 0 ||
		    variable.name[length])
			continue;
		*out = aim(p, info.type, section->offset + info.offset);
		return 1;
	}
	return 0;
}

/* ".name" of *target, which becomes the member. */
static int parse_member_designator(struct value_parser *p, struct target *target, uint32_t *index)
{
	struct target outer = *target;
	size_t length = value_text_name(&p->text);
	int result = 0;
	if (!length)
		return value_text_fail(&p->text, EINVAL, "a member's name is expected");
	if (outer.type.kind == BTF_KIND_DATASEC)
		result = find_variable(p, &outer, length, target, index);
	else if (is_aggregate(&outer.type))
		result = find_member(p, &outer, length, 0, target, index);
	if (result < 0)
		return result;
	if (!result)
		return fail_about(p, ENOENT, &outer.type, "has no member '", p->text.at, length);
	p->text.at += length;
	return 0;
}

/* Elements `first` to `last` are meant; more than one only by "[first ... last]". */
struct range {
	uint64_t first, last;
};

static int parse_index(struct value_parser *p, uint64_t count, uint64_t *out)
{
	struct value_number number;
	value_text_next(&p->text);
	const char *start = p->text.at;
	int result = value_text_number(&p->text, &number);
	if (result)
		return result;
	if (number.high || number.is_negative || number.low >= count) {
		p->text.at = start;
		return value_text_fail(&p->text, ERANGE, "an array of %llu elements has none of that index",
		                       (unsigned long long)count);
	}
	*out = number.low;
	return 0;
}

/* "[n]" or "[n ... m]" of *target, which becomes the first element. */
static int parse_element_designator(struct value_parser *p, struct target *target, struct range *range)
{
	struct ebpf_btf_array array = ebpf_type_array(&target->type);
	if (target->type.kind != BTF_KIND_ARRAY)
		return fail_about(p, EINVAL, &target->type, "is no array", "", 0);
	int result = parse_index(p, array.count, &range->first);
	range->last = range->first;
	if (!result && ebpf_starts_with(p->text.at + strspn(p->text.at, " \t"), "...")) {
		p->text.at += strspn(p->text.at, " \t") + 3;
		result = parse_index(p, array.count, &range->last);
		if (!result && range->last < range->first)
			result = value_text_fail(&p->text, EINVAL, "a range ends before it begins");
	}
	if (result)
		return result;
	if (!value_text_take(&p->text, ']'))
		return value_text_fail(&p->text, EINVAL, "']' is expected");
	int64_t size = ebpf_btf_sizeof(p->btf, array.element);
	*target = aim(p, array.element, target->offset + range->first * (size > 0 ? size : 0));
	return 0;
}

/* -- lists -- */

#define NOWHERE UINT64_MAX /* the next value must say where it belongs */

/* Copies an element that was read to the others of a range. */
static int repeat(struct value_parser *p, const struct target *first, struct range range)
{
	int64_t size = range.last > range.first ? ebpf_btf_sizeof(p->btf, first->type.id) : 0;
	int result = size > 0 ? spend(p, (range.last - range.first) * size) : 0;
	if (result || size <= 0)
		return result;
	uint64_t end = first->offset + (range.last - range.first + 1) * size;
	if (end > p->size)
		return fail_about(p, EINVAL, &first->type, "lies outside of the value", "", 0);
	for (uint64_t at = first->offset + size; at < end; at += size)
		memcpy(p->data + at, p->data + first->offset, size);
	return 0;
}

/* ".a.b[3] = value" in a list of `outer`; *next becomes where a value without a designator would belong. */
static int parse_designated(struct value_parser *p, const struct target *outer, uint64_t *next)
{
	struct target target = *outer;
	struct range range = {0};
	int steps = 0;
	for (;; steps++) {
		uint32_t index = 0;
		int result;
		if (range.last > range.first)
			return value_text_fail(&p->text, EINVAL, "nothing may follow a range but '='");
		range = (struct range){0};
		if (value_text_take(&p->text, '.'))
			result = parse_member_designator(p, &target, &index);
		else if (value_text_take(&p->text, '['))
			result = parse_element_designator(p, &target, &range);
		else
			break;
		if (result)
			return result;
		*next = steps ? NOWHERE : outer->type.kind == BTF_KIND_ARRAY ? range.last + 1 : (uint64_t)index + 1;
		if (value_text_next(&p->text) == '=')
			break;
	}
	if (!value_text_take(&p->text, '='))
		return value_text_fail(&p->text, EINVAL, "'=' is expected");
	int result = parse_value(p, &target);
	return result ? result : repeat(p, &target, range);
}

/* The member at *next or behind it that takes a value by position. A "(struct)" or "(union)" before it, as the typed notation has
 * for members without a name, means the next of those. */
static int aim_by_position(struct value_parser *p, const struct target *outer, uint64_t *next, struct target *out)
{
	bool wants_struct = ebpf_starts_with(p->text.at, "(struct)"), wants_union = ebpf_starts_with(p->text.at, "(union)");
	if (*next == NOWHERE)
		return value_text_fail(&p->text, EINVAL, "a value without a name, and what is before does not say where");
	if (outer->type.kind == BTF_KIND_ARRAY) {
		struct ebpf_btf_array array = ebpf_type_array(&outer->type);
		int64_t size = ebpf_btf_sizeof(p->btf, array.element);
		if (*next >= array.count)
			return fail_about(p, ERANGE, &outer->type, "has no room for more elements", "", 0);
		*out = aim(p, array.element, outer->offset + *next * (size > 0 ? size : 0));
		(*next)++;
		return 0;
	}
	for (; *next < outer->type.vlen; (*next)++) {
		struct ebpf_member member = ebpf_type_member(&outer->type, *next);
		*out = aim_at_member(p, outer, &member);
		bool matches =
		        (!wants_struct || out->type.kind == BTF_KIND_STRUCT) && (!wants_union || out->type.kind == BTF_KIND_UNION);
		if (*member.name ? !wants_struct && !wants_union : is_aggregate(&out->type) && matches)
			break;
	}
	if (*next >= outer->type.vlen)
		return fail_about(p, ERANGE, &outer->type, "has no more members", "", 0);
	(*next)++;
	/* Of a union the first member alone may be written without its name. */
	if (outer->type.kind == BTF_KIND_UNION)
		*next = outer->type.vlen;
	return 0;
}

static int parse_list(struct value_parser *p, const struct target *outer)
{
	char closing = *p->text.at == '[' ? ']' : '}';
	uint64_t next = outer->type.kind == BTF_KIND_DATASEC ? NOWHERE : 0;
	p->text.at++;
	for (;;) {
		struct target target;
		int result;
		if (value_text_take(&p->text, closing))
			return 0;
		/* '[' opens a list as well, of an array in an array. */
		bool is_designator = *p->text.at == '.' || (*p->text.at == '[' && closing == '}');
		if (is_designator) {
			result = parse_designated(p, outer, &next);
		} else {
			result = aim_by_position(p, outer, &next, &target);
			if (!result)
				result = parse_value(p, &target);
		}
		if (result)
			return result;
		if (!value_text_take(&p->text, ',') && value_text_next(&p->text) != closing)
			return value_text_fail(&p->text, EINVAL, "',' or '%c' is expected", closing);
	}
}

/* -- any value -- */

static int parse_text(struct value_parser *p, const struct target *target)
{
	size_t length, count = ebpf_type_array(&target->type).count;
	struct ebpf_type element;
	ebpf_btf_type(p->btf, ebpf_btf_resolve(p->btf, ebpf_type_array(&target->type).element), &element);
	if (element.kind != BTF_KIND_INT || element.size != 1)
		return fail_about(p, EINVAL, &target->type, "is no array of characters", "", 0);
	memset(p->data + target->offset, 0, count);
	return value_text_string(&p->text, p->data + target->offset, count, &length);
}

/* "(struct event)" before a value says what is known; before nothing, it was no cast, but parentheses. */
static int skip_casts(struct value_parser *p)
{
	while (value_text_next(&p->text) == '(') {
		const char *start = p->text.at;
		int depth = 0;
		do {
			depth += *p->text.at == '(' ? 1 : *p->text.at == ')' ? -1 : 0;
			if (!*p->text.at++) {
				p->text.at = start;
				return value_text_fail(&p->text, EINVAL, "'(' without ')'");
			}
		} while (depth);
		if (strchr(",}]);|", value_text_next(&p->text))) { /* NUL too */
			p->text.at = start;
			return 0;
		}
	}
	return 0;
}

static int parse_by_kind(struct value_parser *p, const struct target *target)
{
	char next = value_text_next(&p->text);
	switch (target->type.kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
		return next == '{' ? parse_list(p, target) : fail_about(p, EINVAL, &target->type, "is written in '{ }'", "", 0);
	case BTF_KIND_ARRAY:
		if (next == '"')
			return parse_text(p, target);
		return next == '{' || next == '[' ? parse_list(p, target)
		                                  : fail_about(p, EINVAL, &target->type, "is written in '{ }'", "", 0);
	case BTF_KIND_FLOAT:
		return parse_float(p, target);
	default:
		return parse_integer(p, target);
	}
}

static int parse_value(struct value_parser *p, const struct target *target)
{
	int result = check_target(p, target);
	if (!result && p->depth++ == MAX_DEPTH)
		result = value_text_fail(&p->text, E2BIG, "nested too deeply");
	if (!result)
		result = spend(p, 1);
	if (!result)
		result = skip_casts(p);
	if (!result)
		result = parse_by_kind(p, target);
	p->depth--;
	return result;
}

int ebpf_value_parse(const struct ebpf_btf *btf, uint32_t id, const char *text, void *data, size_t data_size,
                     struct ebpf_error *err)
{
	struct value_parser p = {
	        .text = {.start = text, .at = text, .err = err}, .btf = btf, .data = data, .size = data_size, .steps = MAX_STEPS};
	p.is_big = ebpf_btf_big_endian(btf);
	p.is_swapped = btf->swapped;
	if (id >= btf->count)
		return ebpf_fail(err, EINVAL, "value: there is no type %u", id);
	if (data_size)
		memset(data, 0, data_size);
	struct target target = aim(&p, id, 0);
	int result = parse_value(&p, &target);
	if (result)
		return result;
	value_text_take(&p.text, ';');
	return value_text_next(&p.text) ? value_text_fail(&p.text, EINVAL, "nothing more is expected") : 0;
}
