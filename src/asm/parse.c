/* parse.c -- text to instructions: labels and one instruction a line, and what other tools write in front of it and
 * between. */
#include <stdlib.h>

#include "asm/statement.h"
#include "base/uapi.h"

struct parser {
	struct ebpf_block *block;
	struct ebpf_error *err;
	char *source;                 /* the line of source that the next instruction is of, or NULL */
	struct ebpf_source_line line; /* its parts; they point into `source` */
};

static int hex_pair(const char *at)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = *at ? strchr(digits, at[0]) : NULL, *low = high && at[1] ? strchr(digits, at[1]) : NULL;

	return low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* llvm-objdump's column of bytes, "b7 00 00 00 02 00 00 00": tells what the text does not (whom a call calls). The
 * registers' byte is read as a little-endian one, where src is the upper half; in the other order the hint is of no
 * use, and not used. */
static void take_bytes(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	const char *at = cursor->at;
	unsigned count = 0;

	while (hex_pair(at) >= 0 && (at[2] == ' ' || at[2] == '\t')) {
		count++;
		at += 3;
	}
	if (count != 8 && count != 16)
		return;
	s->hint_code = hex_pair(cursor->at);
	if (s->hint_code == EBPF_CALL || s->hint_code == EBPF_LD_IMM64)
		s->hint_src = hex_pair(cursor->at + 3) >> 4;
	cursor->at = at;
}

/* What may stand before an instruction: "12:", the registers that live there (verifier log, Linux 6.16), bytes,
 * "(b7)". */
static void take_prefix(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	size_t digits;

	ebpf_cursor_blanks(cursor);
	digits = strspn(cursor->at, "0123456789abcdef");
	if (digits && cursor->at[digits] == ':')
		cursor->at += digits + 1;
	ebpf_cursor_blanks(cursor);
	if (strspn(cursor->at, ".0123456789") == 10 && cursor->at[10] == ' ')
		cursor->at += 10;
	ebpf_cursor_blanks(cursor);
	take_bytes(s);
	ebpf_cursor_blanks(cursor);
	if (*cursor->at == '(' && hex_pair(cursor->at + 1) >= 0 && cursor->at[3] == ')') {
		s->hint_code = hex_pair(cursor->at + 1);
		cursor->at += 4;
	}
}

/* "name:", or "0000000000000010 <name>:" of llvm-objdump. */
static bool take_label(struct ebpf_statement *s, char name[EBPF_NAME_SIZE])
{
	struct ebpf_cursor ahead = s->cursor;
	struct ebpf_error *err = ahead.err;
	bool found;

	ahead.err = NULL; /* it may be something else, then nothing is wrong */
	ebpf_cursor_blanks(&ahead);
	if (strspn(ahead.at, "0123456789abcdef") == 16)
		ahead.at += 16;
	if (ebpf_cursor_take(&ahead, "<"))
		found = ebpf_cursor_name(&ahead, name) && ebpf_cursor_take(&ahead, ">") &&
			ebpf_cursor_take(&ahead, ":");
	else
		found = ebpf_cursor_name(&ahead, name) && ebpf_cursor_take(&ahead, ":");
	if (!found)
		return false;
	ahead.err = err;
	s->cursor = ahead;
	return true;
}

/* -- lines that are no instructions -- */

/* The number at the end of text[0..*size), behind a ':', which both are cut off. 0 when there is none. */
static uint32_t take_number(const char *text, size_t *size)
{
	size_t at = *size;
	uint64_t value = 0;

	while (at && text[at - 1] >= '0' && text[at - 1] <= '9')
		at--;
	if (at == *size || *size - at > 9 || !at || text[at - 1] != ':')
		return 0;
	for (size_t i = at; i < *size; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	*size = at - 1;
	return (uint32_t)value;
}

/* " @ file.c:12:3" at the end of a line of source, as the verifier writes it since Linux 6.9, without the column. */
static void split_place(struct ebpf_source_line *line, char *text)
{
	char *at = NULL;
	size_t size;
	uint32_t last, before;

	for (char *next = strstr(text, "@ "); next; next = strstr(next + 1, "@ "))
		if (next == text || next[-1] == ' ')
			at = next;
	if (!at)
		return;
	size = strlen(at + 2);
	last = take_number(at + 2, &size);
	if (!last || !size)
		return;
	before = take_number(at + 2, &size);
	at[2 + size] = '\0';
	line->file = at + 2;
	line->number = before ? before : last;
	line->column = before ? last : 0;
	while (at > text && at[-1] == ' ')
		at--;
	*at = '\0';
}

/* " [file:x.c line_num:12 line_col:3]" at the end, as bpftool writes it. False when there is none. */
static bool split_bracket(struct ebpf_source_line *line, char *text)
{
	char *open = strrchr(text, '['), *number, *column;

	if (!open || !ebpf_starts_with(open, "[file:"))
		return false;
	number = strstr(open, " line_num:");
	column = number ? strstr(number, " line_col:") : NULL;
	if (!column)
		return false;
	line->file = open + strlen("[file:");
	line->number = (uint32_t)strtoul(number + strlen(" line_num:"), NULL, 10);
	line->column = (uint32_t)strtoul(column + strlen(" line_col:"), NULL, 10);
	*number = '\0';
	while (open > text && open[-1] == ' ')
		open--;
	*open = '\0';
	return true;
}

/* "; return 0; @ x.c:3": the source of the instruction that follows. */
static int take_source(struct parser *parser, const char *at)
{
	size_t size;
	char *text;

	at++;
	at += strspn(at, " \t");
	size = strcspn(at, "\n");
	while (size && (at[size - 1] == ' ' || at[size - 1] == '\t' || at[size - 1] == '\r'))
		size--;
	if (!size)
		return 0;
	text = ebpf_strndup(at, size);
	if (!text)
		return ebpf_fail_memory(parser->err);
	free(parser->source);
	parser->source = text;
	parser->line = (struct ebpf_source_line){ .text = text };
	if (!split_bracket(&parser->line, text))
		split_place(&parser->line, text);
	return 0;
}

/* "int sum(int a, struct pair *p):" begins a function, as in a dump of a loaded program. */
static bool is_prototype(struct ebpf_cursor *cursor, size_t *size)
{
	struct ebpf_cursor ahead = *cursor;
	const char *end = cursor->at;
	unsigned depth = 0; /* a ';' in a struct's body begins no comment */

	for (; *end && *end != '\n' && (depth || (*end != ';' && *end != '#')); end++)
		depth += (*end == '{') - (depth && *end == '}');

	if (!ebpf_cursor_is_name(&ahead))
		return false;
	while (end > ahead.at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (end - ahead.at < 4 || end[-1] != ':' || end[-2] != ')')
		return false;
	cursor->at = ahead.at;
	*size = (size_t)(end - 1 - ahead.at);
	return true;
}

static int add_function(struct parser *parser, struct ebpf_cursor *cursor, size_t size)
{
	char *prototype = ebpf_strndup(cursor->at, size);
	struct ebpf_error err = { 0 };
	int code;

	if (!prototype)
		return ebpf_fail_memory(parser->err);
	code = ebpf_block_function(parser->block, prototype, &err);
	free(prototype);
	if (code < 0)
		ebpf_cursor_fail(cursor, code, cursor->at, "%s", err.message);
	return code;
}

/* What a symbol is cannot be told: what a wide load names is taken for a map, but for the data sections. */
static int add_reference(struct parser *parser, const char *name)
{
	const struct ebpf_insn *insn;
	bool data = name[0] == '.' && !ebpf_starts_with(name, ".text");
	size_t count;

	insn = ebpf_block_insns(parser->block, &count);
	if (count >= 2 && ebpf_insn_is_wide(&insn[count - 2]))
		return ebpf_block_refer(parser->block, data ? EBPF_REF_MAP_VALUE : EBPF_REF_MAP, name,
					data ? insn[count - 2].imm : 0, parser->err);
	if (!count || insn[count - 1].code != EBPF_CALL || insn[count - 1].imm != -1)
		return 0; /* of a static function: the call says how far it is */
	return ebpf_block_refer(parser->block,
				insn[count - 1].src == EBPF_PSEUDO_KFUNC_CALL ? EBPF_REF_EXTERN : EBPF_REF_CALL, name, 0,
				parser->err);
}

/* Behind "CO-RE": "<byte_off> [7] struct foo::a (0:0)"; the number of the type and the name of the part say nothing
 * that is not there besides. */
static int add_core(struct parser *parser, struct ebpf_cursor *cursor)
{
	size_t size;
	const char *close, *open, *part;
	char kind[EBPF_NAME_SIZE], *type, *access;
	int number, code;

	if (!ebpf_cursor_need(cursor, "<") || !ebpf_cursor_name(cursor, kind) || !ebpf_cursor_need(cursor, ">"))
		return cursor->code;
	number = ebpf_enum_value(EBPF_CORE_RELOCATION, kind);
	if (number < 0)
		ebpf_cursor_fail(cursor, EINVAL, cursor->at, "there is no CO-RE relocation <%s>", kind);
	ebpf_cursor_blanks(cursor);
	if (*cursor->at == '[')
		cursor->at += strcspn(cursor->at, "]\n");
	ebpf_cursor_take(cursor, "]");
	ebpf_cursor_blanks(cursor);
	size = strcspn(cursor->at, "\n");
	while (size && (cursor->at[size - 1] == ' ' || cursor->at[size - 1] == '\r'))
		size--;
	close = size && cursor->at[size - 1] == ')' ? cursor->at + size - 1 : NULL;
	open = close ? memrchr(cursor->at, '(', size) : NULL;
	if (!open && number >= BPF_CORE_ENUMVAL_EXISTS && number <= BPF_CORE_ENUMVAL_VALUE)
		ebpf_cursor_fail(cursor, EINVAL, cursor->at, "an enumerator needs its number, as in '(0)', behind it");
	part = memmem(cursor->at, open ? (size_t)(open - cursor->at) : size, "::", 2);
	if (cursor->code)
		return cursor->code;
	access = open ? ebpf_strndup(open + 1, (size_t)(close - open) - 1) : ebpf_strdup("0");
	size = part ? (size_t)(part - cursor->at) : open ? (size_t)(open - cursor->at) : size;
	while (size && cursor->at[size - 1] == ' ')
		size--;
	type = ebpf_strndup(cursor->at, size);
	code = type && access ? ebpf_block_core(parser->block, (uint32_t)number, type, access, parser->err)
			      : ebpf_fail_memory(parser->err);
	free(type);
	free(access);
	return code;
}

/* llvm-objdump -r: "\t\t0000000000000248:  R_BPF_64_64\tsym" behind the instruction that it is about; and CO-RE, which
 * our own printer writes so as well, without the place. */
static bool take_relocation(struct parser *parser, struct ebpf_cursor *cursor, int *code)
{
	struct ebpf_cursor ahead = *cursor;
	char name[EBPF_NAME_SIZE];
	bool placed = strspn(ahead.at, "0123456789abcdef") == 16 && ahead.at[16] == ':', core;

	ahead.at += placed ? 17 : 0;
	core = ebpf_cursor_take(&ahead, "CO-RE");
	if (!core &&
	    (!placed || (!ebpf_cursor_take(&ahead, "R_BPF_64_64") && !ebpf_cursor_take(&ahead, "R_BPF_64_32"))))
		return false;
	*cursor = ahead;
	if (core)
		*code = add_core(parser, cursor);
	else if (!ebpf_cursor_name(cursor, name))
		*code = cursor->code;
	else
		*code = add_reference(parser, name);
	return true;
}

/* What llvm-objdump says of the file before its code. */
static bool is_heading(const struct ebpf_cursor *cursor)
{
	static const char format[] = ":\tfile format ";

	return ebpf_starts_with(cursor->at, "Disassembly of section ") ||
	       memmem(cursor->at, strcspn(cursor->at, "\n"), format, sizeof(format) - 1);
}

/* -- instructions -- */

static int add_line(struct parser *parser)
{
	int code;

	if (!parser->source)
		return 0;
	code = ebpf_block_line(parser->block, &parser->line, parser->err);
	free(parser->source);
	parser->source = NULL;
	return code;
}

static int emit(struct ebpf_statement *s, struct parser *parser, const char *start)
{
	struct ebpf_cursor *cursor = &s->cursor;
	struct ebpf_insn next = { .imm = (int32_t)(uint32_t)((uint64_t)s->wide >> 32) };
	struct ebpf_insn check = s->insn;
	const char *wrong;
	int code;

	if (s->hint_code >= 0 && s->hint_code != s->insn.code) {
		ebpf_cursor_fail(cursor, EINVAL, start, "the text is instruction 0x%02x, what is before it says 0x%02x",
				 s->insn.code, s->hint_code);
		return cursor->code;
	}
	if (ebpf_insn_is_wide(&check))
		check.imm = (int32_t)(uint32_t)s->wide;
	wrong = ebpf_insn_check(&check, &next);
	if (wrong) {
		ebpf_cursor_fail(cursor, EINVAL, start, "%s", wrong);
		return cursor->code;
	}
	code = ebpf_block_add(parser->block, s->insn, s->wide, cursor->err);
	if (code == 0 && s->refers)
		code = ebpf_block_refer(parser->block, s->kind, s->name, s->addend, cursor->err);
	if (code == 0 && s->label)
		code = ebpf_block_jump(parser->block, s->name, cursor->err);
	return code ? code : add_line(parser);
}

static int parse_labels(struct parser *parser, struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;

	while (!ebpf_cursor_at_end(cursor)) {
		const char *start = cursor->at;
		int code;

		if (!take_label(s, s->name))
			break;
		code = ebpf_block_label(parser->block, s->name, parser->err);
		if (code == -EEXIST)
			ebpf_cursor_fail(cursor, EEXIST, start, "label '%s' is defined twice", s->name);
		if (code < 0)
			return code;
	}
	return 0;
}

static int parse_line(struct parser *parser, const char *line, size_t number)
{
	struct ebpf_statement s = { .cursor = { .line = line, .at = line, .number = number, .err = parser->err },
				    .hint_code = -1,
				    .hint_src = -1 };
	struct ebpf_cursor *cursor = &s.cursor;
	const char *start;
	size_t size;
	int code;

	ebpf_cursor_blanks(cursor);
	if (*cursor->at == ';')
		return take_source(parser, cursor->at);
	if (is_heading(cursor))
		return 0;
	if (take_relocation(parser, cursor, &code))
		return code;
	if (is_prototype(cursor, &size))
		return add_function(parser, cursor, size);
	code = parse_labels(parser, &s);
	if (code < 0)
		return code;
	take_prefix(&s);
	if (ebpf_cursor_at_end(cursor))
		return 0;
	start = cursor->at;
	if (!ebpf_statement_parse(&s))
		return cursor->code;
	if (!ebpf_cursor_at_end(cursor)) {
		ebpf_cursor_expected(cursor, "the end of the line");
		return cursor->code;
	}
	return emit(&s, parser, start);
}

int ebpf_block_parse(struct ebpf_block *block, const char *text, struct ebpf_error *err)
{
	struct parser parser = { .block = block, .err = err };
	int code = 0;

	for (size_t number = 1; text && code == 0; number++) {
		const char *end = strchr(text, '\n');

		code = parse_line(&parser, text, number);
		text = end ? end + 1 : NULL;
	}
	free(parser.source);
	return code;
}
