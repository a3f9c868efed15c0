/* parse.c -- text to instructions: labels and one instruction a line, and what other tools write in front of it. */
#include "asm/statement.h"

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

static int emit(struct ebpf_statement *s, struct ebpf_block *block, const char *start)
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
	code = ebpf_block_add(block, s->insn, s->wide, cursor->err);
	if (code == 0 && s->refers)
		code = ebpf_block_refer(block, s->kind, s->name, s->addend, cursor->err);
	if (code == 0 && s->label)
		code = ebpf_block_jump(block, s->name, cursor->err);
	return code;
}

static int parse_line(struct ebpf_block *block, const char *line, size_t number, struct ebpf_error *err)
{
	struct ebpf_statement s = { .cursor = { .line = line, .at = line, .number = number, .err = err },
				    .hint_code = -1,
				    .hint_src = -1 };
	struct ebpf_cursor *cursor = &s.cursor;
	const char *start;
	int code;

	while (!ebpf_cursor_at_end(cursor)) {
		start = cursor->at;
		if (!take_label(&s, s.name))
			break;
		code = ebpf_block_label(block, s.name, err);
		if (code == -EEXIST)
			ebpf_cursor_fail(cursor, EEXIST, start, "label '%s' is defined twice", s.name);
		if (code < 0)
			return code;
	}
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
	return emit(&s, block, start);
}

int ebpf_block_parse(struct ebpf_block *block, const char *text, struct ebpf_error *err)
{
	for (size_t number = 1;; number++) {
		const char *end = strchr(text, '\n');
		int code = parse_line(block, text, number, err);

		if (code < 0)
			return code;
		if (!end)
			return 0;
		text = end + 1;
	}
}
