/* usdt_argument.c -- the operands of USDT notes, as the assemblers of x86-64, arm64, s390 and riscv write them.
 *
 * "N@OPERAND": N is the size in bytes, negative for a signed number, with an `f` behind it for a floating-point one. What
 * compilers put there follows from the constraint of <sys/sdt.h>: a constant, a register, or memory by registers.
 */
#include <ctype.h>
#include <elf.h>
#include <stdlib.h>

#include "symbol/usdt.h"

/* A text that is read from its start on. */
struct cursor {
	const char *at, *end;
};

static void skip_space(struct cursor *cursor)
{
	while (cursor->at < cursor->end && isspace((unsigned char)*cursor->at))
		cursor->at++;
}

static bool take(struct cursor *cursor, char wanted)
{
	skip_space(cursor);
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool at_end(struct cursor *cursor)
{
	skip_space(cursor);
	return cursor->at == cursor->end;
}

static bool take_word(struct cursor *cursor, const char *wanted)
{
	size_t size = strlen(wanted);

	skip_space(cursor);
	if ((size_t)(cursor->end - cursor->at) < size || strncmp(cursor->at, wanted, size) != 0)
		return false;
	cursor->at += size;
	return true;
}

/* A decimal or hexadecimal number with a sign or without; of 64 bits, which unsigned ones may fill. */
static bool take_number(struct cursor *cursor, int64_t *out)
{
	const char *start = cursor->at, *digits;
	bool negative;
	uint64_t value = 0;
	unsigned base = 10;

	skip_space(cursor);
	negative = take(cursor, '-');
	if (!negative)
		take(cursor, '+');
	if (take_word(cursor, "0x"))
		base = 16;
	for (digits = cursor->at; cursor->at < cursor->end; cursor->at++) {
		int c = tolower((unsigned char)*cursor->at);
		unsigned digit = isdigit(c) ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;

		if (digit >= base)
			break;
		if (value > (UINT64_MAX - digit) / base)
			break;
		value = value * base + digit;
	}
	if (cursor->at == digits) {
		cursor->at = start;
		return false;
	}
	*out = (int64_t)(negative ? 0 - value : value);
	return true;
}

/* Letters, digits and what names of variables may have besides. */
static size_t take_name(struct cursor *cursor, const char **name)
{
	skip_space(cursor);
	*name = cursor->at;
	while (cursor->at < cursor->end && (isalnum((unsigned char)*cursor->at) || *cursor->at == '_' || *cursor->at == '.' ||
					    *cursor->at == '$'))
		cursor->at++;
	return (size_t)(cursor->at - *name);
}

static bool is(const char *name, size_t size, const char *wanted)
{
	return strlen(wanted) == size && !strncmp(name, wanted, size);
}

/* The number in "x12" behind a letter, below `limit`. */
static bool numbered(const char *name, size_t size, char letter, unsigned limit, unsigned *out)
{
	unsigned value = 0;

	if (size < 2 || size > 3 || name[0] != letter)
		return false;
	for (size_t i = 1; i < size; i++) {
		if (!isdigit((unsigned char)name[i]))
			return false;
		value = value * 10 + (unsigned)(name[i] - '0');
	}
	*out = value;
	return value < limit;
}

/* -- x86-64: struct pt_regs of asm/ptrace.h -- */

#define X86_IP 128

static bool x86_register(const char *name, size_t size, uint16_t *place)
{
	static const struct {
		const char *names[5]; /* of 64, 32, 16 bits, the low and the second byte */
		uint16_t place;
	} classic[] = {
		{ { "rax", "eax", "ax", "al", "ah" }, 80 }, { { "rbx", "ebx", "bx", "bl", "bh" }, 40 },
		{ { "rcx", "ecx", "cx", "cl", "ch" }, 88 }, { { "rdx", "edx", "dx", "dl", "dh" }, 96 },
		{ { "rsi", "esi", "si", "sil" }, 104 },     { { "rdi", "edi", "di", "dil" }, 112 },
		{ { "rbp", "ebp", "bp", "bpl" }, 32 },      { { "rsp", "esp", "sp", "spl" }, 152 },
		{ { "rip", "eip" }, X86_IP },
	};
	/* r8 to r15 */
	static const uint16_t numbers[] = { 72, 64, 56, 48, 24, 16, 8, 0 };
	unsigned number;

	for (size_t i = 0; i < EBPF_COUNT(classic); i++)
		for (size_t j = 0; j < EBPF_COUNT(classic[i].names) && classic[i].names[j]; j++)
			if (is(name, size, classic[i].names[j])) {
				*place = (uint16_t)(classic[i].place + (j == 4));
				return true;
			}
	if (size > 2 && strchr("dwb", name[size - 1]))
		size--;
	if (!numbered(name, size, 'r', 16, &number) || number < 8)
		return false;
	*place = numbers[number - 8];
	return true;
}

static bool take_x86_register(struct cursor *cursor, uint16_t *place)
{
	const char *name;
	size_t size;

	if (!take(cursor, '%'))
		return false;
	size = take_name(cursor, &name);
	return x86_register(name, size, place);
}

/* "(%base)", "(%base,%index)", "(%base,%index,8)" */
static bool take_x86_address(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	int64_t scale = 1;

	out->place = EBPF_USDT_MEMORY;
	if (!take(cursor, '(') || !take_x86_register(cursor, &out->base))
		return false;
	if (take(cursor, ',')) {
		out->place = EBPF_USDT_INDEXED;
		if (!take_x86_register(cursor, &out->index))
			return false;
		if (take(cursor, ',') && !take_number(cursor, &scale))
			return false;
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			return false;
		out->shift = scale == 8 ? 3 : (uint8_t)(scale / 2);
	}
	return take(cursor, ')');
}

static bool read_x86(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	int64_t more;

	skip_space(cursor);
	if (take(cursor, '$')) {
		out->place = EBPF_USDT_CONSTANT;
		return take_number(cursor, &out->value);
	}
	if (cursor->at < cursor->end && *cursor->at == '%') {
		out->place = EBPF_USDT_REGISTER;
		return take_x86_register(cursor, &out->base);
	}
	/* "16(%rsp)", "counter(%rip)", "counter+4(%rip)", "4+counter(%rip)" */
	if (take_number(cursor, &out->value) && !take(cursor, '+'))
		return take_x86_address(cursor, out);
	out->symbol_size = take_name(cursor, &out->symbol);
	if (!out->symbol_size) {
		out->symbol = NULL;
	} else if (take_number(cursor, &more)) {
		out->value += more;
	}
	return take_x86_address(cursor, out) && (!out->symbol || (out->place == EBPF_USDT_MEMORY && out->base == X86_IP));
}

/* -- arm64: struct user_pt_regs -- */

#define ARM64_SP (31 * 8)

static bool take_arm64_register(struct cursor *cursor, uint16_t *place)
{
	const char *name;
	size_t size = take_name(cursor, &name);
	unsigned number;

	if (is(name, size, "sp") || is(name, size, "wsp"))
		number = 31;
	else if (is(name, size, "fp"))
		number = 29;
	else if (is(name, size, "lr"))
		number = 30;
	else if (!numbered(name, size, 'x', 31, &number) && !numbered(name, size, 'w', 31, &number))
		return false;
	*place = (uint16_t)(number * 8);
	return true;
}

/* "[x0]", "[sp, 16]", "[x1, x2]", "[x1, x2, lsl 3]" */
static bool take_arm64_address(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	int64_t shift = 0;

	out->place = EBPF_USDT_MEMORY;
	if (!take_arm64_register(cursor, &out->base))
		return false;
	if (take(cursor, ',')) {
		take(cursor, '#');
		if (!take_number(cursor, &out->value)) {
			/* a register of 32 bits would have to be extended first */
			if (cursor->at == cursor->end || *cursor->at != 'x' || !take_arm64_register(cursor, &out->index))
				return false;
			out->place = EBPF_USDT_INDEXED;
			if (take(cursor, ',') && (!take_word(cursor, "lsl") || (take(cursor, '#'), !take_number(cursor, &shift)) ||
						  shift < 0 || shift > 4))
				return false;
			out->shift = (uint8_t)shift;
		}
	}
	return take(cursor, ']');
}

static bool read_arm64(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	if (take(cursor, '['))
		return take_arm64_address(cursor, out);
	take(cursor, '#');
	out->place = EBPF_USDT_CONSTANT;
	if (take_number(cursor, &out->value))
		return true;
	if (take_word(cursor, "xzr") || take_word(cursor, "wzr"))
		return true;
	out->place = EBPF_USDT_REGISTER;
	return take_arm64_register(cursor, &out->base);
}

/* -- s390: user_pt_regs has one argument, the PSW, then the general registers -- */

static bool take_s390_register(struct cursor *cursor, uint16_t *place)
{
	const char *name;
	unsigned number;
	size_t size;

	if (!take(cursor, '%'))
		return false;
	size = take_name(cursor, &name);
	if (!numbered(name, size, 'r', 16, &number))
		return false;
	*place = (uint16_t)(24 + number * 8);
	return true;
}

/* "%r2", "160(%r15)", "8(%r1,%r2)" (index, base), "5" */
static bool read_s390(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	uint16_t first;

	skip_space(cursor);
	if (cursor->at < cursor->end && *cursor->at == '%') {
		out->place = EBPF_USDT_REGISTER;
		return take_s390_register(cursor, &out->base);
	}
	out->place = EBPF_USDT_CONSTANT;
	if (!take_number(cursor, &out->value))
		return false;
	if (!take(cursor, '('))
		return true;
	if (!take_s390_register(cursor, &first))
		return false;
	out->place = EBPF_USDT_MEMORY;
	out->base = first;
	if (take(cursor, ',')) {
		out->place = EBPF_USDT_INDEXED;
		out->index = first;
		if (!take_s390_register(cursor, &out->base))
			return false;
	}
	return take(cursor, ')');
}

/* -- riscv: struct user_regs_struct -- */

static bool take_riscv_register(struct cursor *cursor, uint16_t *place)
{
	static const char *const names[] = { "pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
					     "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
					     "t6" };
	const char *name;
	size_t size = take_name(cursor, &name);

	if (is(name, size, "fp")) {
		name = "s0";
		size = 2;
	}
	for (size_t i = 0; i < EBPF_COUNT(names); i++)
		if (is(name, size, names[i])) {
			*place = (uint16_t)(i * 8);
			return true;
		}
	return false;
}

/* "a0", "-16(s0)", "5" */
static bool read_riscv(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	out->place = EBPF_USDT_CONSTANT;
	if (!take_number(cursor, &out->value)) {
		skip_space(cursor);
		out->place = EBPF_USDT_REGISTER;
		if (cursor->at < cursor->end && *cursor->at != '(')
			return take_riscv_register(cursor, &out->base);
	}
	if (!take(cursor, '('))
		return out->place == EBPF_USDT_CONSTANT;
	out->place = EBPF_USDT_MEMORY;
	return take_riscv_register(cursor, &out->base) && take(cursor, ')');
}

/* -- one argument -- */

const char *ebpf_usdt_first(const char *list, size_t *size)
{
	const char *start = list + strspn(list, " \t"), *at = start;
	int depth = 0;

	/* spaces within brackets separate nothing: "[sp, 12]" */
	for (; *at && (depth > 0 || !isspace((unsigned char)*at)); at++)
		depth += *at == '[' || *at == '(' ? 1 : *at == ']' || *at == ')' ? -1 : 0;
	*size = (size_t)(at - start);
	return *size ? start : NULL;
}

static bool read_operand(struct cursor *cursor, unsigned machine, struct ebpf_usdt_argument *out)
{
	switch (machine) {
	case EM_X86_64: return read_x86(cursor, out);
	case EM_AARCH64: return read_arm64(cursor, out);
	case EM_S390: return read_s390(cursor, out);
	default: return read_riscv(cursor, out);
	}
}

static bool take_size(struct cursor *cursor, struct ebpf_usdt_argument *out)
{
	int64_t size;

	if (!take_number(cursor, &size) || size < -8)
		return false;
	out->is_signed = size < 0;
	if (size < 0)
		size = -size;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	out->size = (uint8_t)size;
	if (take(cursor, 'f'))
		out->is_signed = false; /* the bits as they are */
	return take(cursor, '@');
}

int ebpf_usdt_argument(const char *text, size_t size, unsigned machine, struct ebpf_usdt_argument *out, struct ebpf_error *err)
{
	struct cursor cursor = { text, text + size };

	*out = (struct ebpf_usdt_argument){ 0 };
	if (machine != EM_X86_64 && machine != EM_AARCH64 && machine != EM_S390 && machine != EM_RISCV)
		return ebpf_fail(err, ENOTSUP, "'%.*s': the operands of this machine (%u in elf.h) are not known", (int)size, text,
				 machine);
	if (!take_size(&cursor, out))
		return ebpf_fail(err, EINVAL, "'%.*s' is no argument: a size of 1, 2, 4 or 8 and @ must come first", (int)size, text);
	if (!read_operand(&cursor, machine, out) || !at_end(&cursor))
		return ebpf_fail(err, ENOTSUP, "'%.*s': a program cannot read what is kept there", (int)size, text);
	return 0;
}
