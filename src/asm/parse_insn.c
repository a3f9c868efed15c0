/* parse_insn.c -- the text of one instruction. */
#include <stdio.h>

#include "asm/statement.h"
#include "asm/syntax.h"

static bool same_width(struct ebpf_cursor *cursor, char a, char b)
{
	return a == b || ebpf_cursor_fail(cursor, EINVAL, cursor->at, "one side has 64 bits (r), the other 32 (w)");
}

/* A 32-bit constant. Those that are used as 32 bits, or that the kernel prints as such, may be written without a
 * sign. */
static bool parse_imm(struct ebpf_cursor *cursor, bool either, int32_t *imm)
{
	int64_t value;

	if (!ebpf_cursor_range(cursor, INT32_MIN, either ? UINT32_MAX : INT32_MAX, "constant", &value))
		return false;
	*imm = (int32_t)(uint32_t)value;
	return true;
}

/* -- memory -- */

/* What is behind "*(" or "(": "u32 *)". Sets the size bits, and whether the load extends the sign. */
static bool parse_type(struct ebpf_cursor *cursor, uint8_t *size, bool *is_signed)
{
	for (unsigned i = 0; i < 4; i++) {
		*size = (uint8_t)(i << 3);
		*is_signed = false;
		if (ebpf_cursor_take(cursor, ebpf_size_names[i]))
			return ebpf_cursor_need(cursor, "*") && ebpf_cursor_need(cursor, ")");
		*is_signed = true;
		if (ebpf_signed_size_names[i] && ebpf_cursor_take(cursor, ebpf_signed_size_names[i]))
			return ebpf_cursor_need(cursor, "*") && ebpf_cursor_need(cursor, ")");
	}
	return ebpf_cursor_expected(cursor, "u8, u16, u32, u64, s8, s16 or s32");
}

/* "r10 -8", "r10 + 0x8", "r10 + -8", "r10". */
static bool parse_address(struct ebpf_cursor *cursor, uint8_t *base, int16_t *off)
{
	const char *sign;
	int64_t value = 0;
	char letter;

	if (!ebpf_cursor_register(cursor, &letter, base))
		return false;
	if (letter == 'w')
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "an address has 64 bits: r%d, not w%d", *base,
					*base);
	ebpf_cursor_blanks(cursor);
	sign = cursor->at + 1;
	if (*cursor->at == '+' && sign[strspn(sign, " ")] == '-')
		cursor->at = sign + strspn(sign, " ");
	if ((*cursor->at == '+' || *cursor->at == '-' || ebpf_cursor_is_number(cursor)) &&
	    !ebpf_cursor_range(cursor, INT16_MIN, INT16_MAX, "offset", &value))
		return false;
	*off = (int16_t)value;
	return true;
}

static bool parse_bracketed_address(struct ebpf_cursor *cursor, uint8_t *base, int16_t *off)
{
	return ebpf_cursor_need(cursor, "(") && parse_address(cursor, base, off) && ebpf_cursor_need(cursor, ")");
}

/* A 32-bit name of a register stands for what is loaded or stored, as LLVM writes it. */
static bool value_width(struct ebpf_cursor *cursor, char letter, uint8_t size, bool is_signed)
{
	if (letter == 'w' && (size == EBPF_DW || is_signed))
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "64 bits and a 32-bit register (w)");
	return true;
}

/* Behind "r1 = *(": packet bytes "u8 *)skb[...]", or a load from memory. */
static bool parse_load(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	bool is_signed;
	uint8_t size, base;
	char base_letter;

	if (!parse_type(cursor, &size, &is_signed) || !value_width(cursor, letter, size, is_signed))
		return false;
	if (!ebpf_cursor_take(cursor, "skb")) {
		s->insn.code = EBPF_LDX | size | (is_signed ? EBPF_MEMSX : EBPF_MEM);
		s->insn.dst = dst;
		if (!parse_bracketed_address(cursor, &base, &s->insn.off))
			return false;
		s->insn.src = base;
		return true;
	}
	if (dst != 0 || is_signed || size == EBPF_DW)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at,
					"packet bytes are loaded as u8, u16 or u32, and into r0");
	s->insn.code = EBPF_LD | size | EBPF_ABS;
	if (!ebpf_cursor_need(cursor, "["))
		return false;
	if (ebpf_cursor_is_register(cursor)) {
		s->insn.code = EBPF_LD | size | EBPF_IND;
		if (!ebpf_cursor_register(cursor, &base_letter, &base))
			return false;
		s->insn.src = base;
		if (ebpf_cursor_take(cursor, "]"))
			return true;
		if (!ebpf_cursor_need(cursor, "+"))
			return false;
	}
	return parse_imm(cursor, true, &s->insn.imm) && ebpf_cursor_need(cursor, "]");
}

/* Behind "*(": a store of a register or a constant. */
static bool parse_store(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t size, base, src;
	bool is_signed;
	char letter;

	if (!parse_type(cursor, &size, &is_signed) || !parse_bracketed_address(cursor, &base, &s->insn.off) ||
	    !ebpf_cursor_need(cursor, "="))
		return false;
	if (is_signed)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "a store has no sign: u8 to u64");
	s->insn.dst = base;
	s->insn.code = EBPF_ST | EBPF_MEM | size;
	if (ebpf_cursor_is_number(cursor))
		return parse_imm(cursor, size != EBPF_DW, &s->insn.imm);
	if (!ebpf_cursor_is_register(cursor))
		return ebpf_cursor_expected(cursor, "a register or a number");
	if (!ebpf_cursor_register(cursor, &letter, &src) || !value_width(cursor, letter, size, false))
		return false;
	s->insn.code = EBPF_STX | EBPF_MEM | size;
	s->insn.src = src;
	return true;
}

/* -- atomic operations -- */

/* "(u64 *)(r1 +0)" as the kernel writes it. */
static bool parse_typed_address(struct ebpf_cursor *cursor, uint8_t *size, uint8_t *base, int16_t *off)
{
	bool is_signed;

	if (!ebpf_cursor_need(cursor, "(") || !parse_type(cursor, size, &is_signed))
		return false;
	if (is_signed)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "an atomic operation has no sign: u8 to u64");
	return parse_bracketed_address(cursor, base, off);
}

static bool parse_locked(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t size = 0, base = 0, src;
	char letter;

	if (!ebpf_cursor_need(cursor, "*") || !parse_typed_address(cursor, &size, &base, &s->insn.off))
		return false;
	s->insn.code = EBPF_STX | EBPF_ATOMIC | size;
	s->insn.dst = base;
	for (unsigned i = 0; i < 16; i++) {
		if (!ebpf_atomic_names[i] || !ebpf_cursor_take(cursor, ebpf_alu_operators[i]))
			continue;
		s->insn.imm = (int32_t)(i << 4);
		if (!ebpf_cursor_register(cursor, &letter, &src) || !value_width(cursor, letter, size, false))
			return false;
		s->insn.src = src;
		return true;
	}
	return ebpf_cursor_expected(cursor, "'+=', '|=', '&=' or '^='");
}

/* "store_release((u64 *)(r1 +0), r2)" */
static bool parse_store_release(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t size = 0, base = 0, src;
	char letter;

	if (!ebpf_cursor_need(cursor, "(") || !parse_typed_address(cursor, &size, &base, &s->insn.off) ||
	    !ebpf_cursor_need(cursor, ",") || !ebpf_cursor_register(cursor, &letter, &src) ||
	    !value_width(cursor, letter, size, false))
		return false;
	s->insn.code = EBPF_STX | EBPF_ATOMIC | size;
	s->insn.dst = base;
	s->insn.src = src;
	s->insn.imm = EBPF_STORE_REL;
	return ebpf_cursor_need(cursor, ")");
}

/* The rest of "r2 = load_acquire(". */
static bool parse_load_acquire(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t size, base;

	if (!ebpf_cursor_need(cursor, "(") || !parse_typed_address(cursor, &size, &base, &s->insn.off) ||
	    !value_width(cursor, letter, size, false))
		return false;
	s->insn.code = EBPF_STX | EBPF_ATOMIC | size;
	s->insn.dst = dst;
	s->insn.src = base;
	s->insn.imm = EBPF_LOAD_ACQ;
	return ebpf_cursor_need(cursor, ")");
}

/* The name of an operation that gives back what was there: its immediate and, where the name tells, the size; -1 for
 * any other name. LLVM has xchg_64 and cmpxchg32_32, the kernel atomic64_xchg and atomic_cmpxchg. */
static int fetching_operation(const char *name, int *size)
{
	char fetch[16];

	*size = -1;
	if (strcmp(name, "xchg_64") == 0 || strcmp(name, "cmpxchg_64") == 0 || strcmp(name, "xchg32_32") == 0 ||
	    strcmp(name, "cmpxchg32_32") == 0) {
		*size = strstr(name, "_64") ? EBPF_DW : EBPF_W;
		return name[0] == 'x' ? EBPF_XCHG : EBPF_CMPXCHG;
	}
	if (!ebpf_starts_with(name, "atomic"))
		return -1;
	name += 6;
	if (ebpf_starts_with(name, "64")) {
		*size = EBPF_DW;
		name += 2;
	}
	if (strcmp(name, "_xchg") == 0)
		return EBPF_XCHG;
	if (strcmp(name, "_cmpxchg") == 0)
		return EBPF_CMPXCHG;
	for (int i = 0; i < 16; i++) {
		if (!ebpf_atomic_names[i])
			continue;
		snprintf(fetch, sizeof(fetch), "_fetch_%s", ebpf_atomic_names[i]);
		if (strcmp(name, fetch) == 0)
			return i << 4 | EBPF_FETCH;
	}
	return -1;
}

/* The rest of "r2 = atomic64_fetch_add(": "(u64 *)(r1 +0), r2)". */
static bool parse_fetching(struct ebpf_statement *s, char letter, uint8_t dst, int operation, int known_size,
			   bool typed)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t size = (uint8_t)known_size, base, src, old;
	char src_letter, old_letter;
	bool compare = operation == EBPF_CMPXCHG;

	if (!ebpf_cursor_need(cursor, "("))
		return false;
	if (typed ? !parse_typed_address(cursor, &size, &base, &s->insn.off)
		  : !parse_address(cursor, &base, &s->insn.off))
		return false;
	if (known_size >= 0 && size != known_size)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "the name says 64 bits, the type does not");
	if (!value_width(cursor, letter, size, false) || !ebpf_cursor_need(cursor, ","))
		return false;
	if (compare) {
		if (!ebpf_cursor_register(cursor, &old_letter, &old) || !ebpf_cursor_need(cursor, ","))
			return false;
		if (old != 0 || dst != 0)
			return ebpf_cursor_fail(cursor, EINVAL, cursor->at,
						"cmpxchg compares with r0, and gives back in r0");
	}
	if (!ebpf_cursor_register(cursor, &src_letter, &src) || !value_width(cursor, src_letter, size, false))
		return false;
	if (!compare && src != dst)
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at,
					"the operation gives back in the register that it takes, r%d", src);
	s->insn.code = EBPF_STX | EBPF_ATOMIC | size;
	s->insn.dst = base;
	s->insn.src = src;
	s->insn.imm = operation;
	return ebpf_cursor_need(cursor, ")");
}

/* -- moves and wide loads -- */

/* " ll" behind a wide load may be left out where what is before it says enough. */
static bool finish_wide(struct ebpf_statement *s, uint8_t dst, uint8_t src, int64_t value)
{
	s->insn.code = EBPF_LD_IMM64;
	s->insn.dst = dst;
	s->insn.src = src;
	s->wide = value;
	ebpf_cursor_take(&s->cursor, "ll");
	return true;
}

static bool finish_reference(struct ebpf_statement *s, uint8_t dst, enum ebpf_reference kind)
{
	s->refers = true;
	s->kind = kind;
	return finish_wide(s, dst, 0, 0);
}

static bool parse_addend(struct ebpf_statement *s)
{
	ebpf_cursor_blanks(&s->cursor);
	if (*s->cursor.at != '+' && *s->cursor.at != '-')
		return true;
	return ebpf_cursor_range(&s->cursor, INT64_MIN, INT64_MAX, "offset", &s->addend);
}

/* Behind "map[": "fd:5]", "idx:0][0]+8", "name]", "name][0]+8"; "id:5]" in a dump of a loaded program. */
static bool parse_map(struct ebpf_statement *s, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int64_t number = 0, offset = 0;
	bool index = ebpf_cursor_take(cursor, "idx:");
	bool named = !index && !ebpf_cursor_take(cursor, "fd:") && !ebpf_cursor_take(cursor, "id:");

	if (named ? !ebpf_cursor_name(cursor, s->name)
		  : !ebpf_cursor_range(cursor, INT32_MIN, INT32_MAX, "descriptor", &number))
		return false;
	if (!ebpf_cursor_need(cursor, "]"))
		return false;
	if (!ebpf_cursor_take(cursor, "[0]")) {
		if (named)
			return finish_reference(s, dst, EBPF_REF_MAP);
		return finish_wide(s, dst, index ? EBPF_PSEUDO_MAP_IDX : EBPF_PSEUDO_MAP_FD, (uint32_t)number);
	}
	if (named)
		return parse_addend(s) && finish_reference(s, dst, EBPF_REF_MAP_VALUE);
	if (!ebpf_cursor_range(cursor, 0, UINT32_MAX, "offset", &offset))
		return false;
	return finish_wide(s, dst, index ? EBPF_PSEUDO_MAP_IDX_VALUE : EBPF_PSEUDO_MAP_VALUE,
			   (int64_t)((uint64_t)offset << 32 | (uint32_t)number));
}

/* Behind "btf[": "id:5]", "id:5,fd:3]". */
static bool parse_btf(struct ebpf_statement *s, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int64_t id, fd = 0;

	if (!ebpf_cursor_need(cursor, "id:") || !ebpf_cursor_range(cursor, INT32_MIN, INT32_MAX, "type id", &id))
		return false;
	if (ebpf_cursor_take(cursor, ",") &&
	    (!ebpf_cursor_need(cursor, "fd:") || !ebpf_cursor_range(cursor, INT32_MIN, INT32_MAX, "descriptor", &fd)))
		return false;
	if (!ebpf_cursor_need(cursor, "]"))
		return false;
	return finish_wide(s, dst, EBPF_PSEUDO_BTF_ID, (int64_t)((uint64_t)(uint32_t)fd << 32 | (uint32_t)id));
}

/* Behind "subprog[": "+3]". */
static bool parse_subprogram(struct ebpf_statement *s, uint8_t dst)
{
	int64_t distance;

	if (!ebpf_cursor_range(&s->cursor, INT32_MIN, INT32_MAX, "distance", &distance) ||
	    !ebpf_cursor_need(&s->cursor, "]"))
		return false;
	return finish_wide(s, dst, EBPF_PSEUDO_FUNC, (uint32_t)distance);
}

/* A word before a name. "map ll" is none: that is a symbol called "map". */
static bool take_keyword(struct ebpf_cursor *cursor, const char *word)
{
	struct ebpf_cursor ahead = *cursor, behind;

	if (!ebpf_cursor_take(&ahead, word))
		return false;
	behind = ahead;
	if (ebpf_cursor_take(&behind, "ll") && ebpf_cursor_at_end(&behind))
		return false;
	*cursor = ahead;
	return true;
}

/* What a 64-bit register is set to by name. *known is left false when the line starts with none of these. */
static bool parse_named_wide(struct ebpf_statement *s, uint8_t dst, bool *known)
{
	struct ebpf_cursor *cursor = &s->cursor;

	*known = true;
	if (ebpf_cursor_take(cursor, "map["))
		return parse_map(s, dst);
	if (ebpf_cursor_take(cursor, "btf["))
		return parse_btf(s, dst);
	if (ebpf_cursor_take(cursor, "subprog["))
		return parse_subprogram(s, dst);
	if (take_keyword(cursor, "map") || ebpf_cursor_take(cursor, "&"))
		return ebpf_cursor_name(cursor, s->name) && finish_reference(s, dst, EBPF_REF_MAP);
	if (take_keyword(cursor, "map_value"))
		return ebpf_cursor_name(cursor, s->name) && parse_addend(s) &&
		       finish_reference(s, dst, EBPF_REF_MAP_VALUE);
	if (take_keyword(cursor, "var"))
		return ebpf_cursor_name(cursor, s->name) && parse_addend(s) &&
		       finish_reference(s, dst, EBPF_REF_VARIABLE);
	if (take_keyword(cursor, "func"))
		return ebpf_cursor_name(cursor, s->name) && finish_reference(s, dst, EBPF_REF_FUNCTION);
	if (take_keyword(cursor, "extern"))
		return ebpf_cursor_name(cursor, s->name) && parse_addend(s) &&
		       finish_reference(s, dst, EBPF_REF_EXTERN);
	*known = false;
	return false;
}

/* "r1 = 5", "w1 = -5", "r1 = 0x1122334455 ll". The kernel's log has no "ll", but "(18)" in front. */
static bool parse_constant(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	const char *start = cursor->at;
	struct ebpf_number number = { 0 };
	uint64_t value;
	bool wide, fits;

	if (!ebpf_cursor_number(cursor, &number))
		return false;
	if (number.negative && number.magnitude > 1ULL << 63)
		return ebpf_cursor_fail(cursor, ERANGE, start, "a number of more than 64 bits");
	value = number.negative ? 0 - number.magnitude : number.magnitude;
	fits = number.magnitude <= (number.negative ? 1ULL << 31 : letter == 'w' ? UINT32_MAX : INT32_MAX);
	wide = ebpf_cursor_take(cursor, "ll") || s->hint_code == EBPF_LD_IMM64 ||
	       (!fits && letter == 'r' && s->hint_code < 0);
	if (wide && letter == 'w')
		return ebpf_cursor_fail(cursor, EINVAL, start, "a wide load needs a 64-bit register: r%d, not w%d", dst,
					dst);
	if (wide)
		return finish_wide(s, dst, s->hint_src > 0 ? (uint8_t)s->hint_src : 0, (int64_t)value);
	if (!fits)
		return ebpf_cursor_fail(cursor, ERANGE, start, "constant does not fit in 32 bits");
	s->insn.code = (letter == 'r' ? EBPF_ALU64 : EBPF_ALU) | EBPF_MOV | EBPF_K;
	s->insn.dst = dst;
	s->insn.imm = (int32_t)(uint32_t)value;
	return true;
}

/* Behind "r1 = (": "s8)r2". */
static bool parse_extension(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	char src_letter;
	uint8_t src;

	if (ebpf_cursor_take(cursor, "s8"))
		s->insn.off = 8;
	else if (ebpf_cursor_take(cursor, "s16"))
		s->insn.off = 16;
	else if (ebpf_cursor_take(cursor, "s32"))
		s->insn.off = 32;
	else
		return ebpf_cursor_expected(cursor, "s8, s16 or s32");
	if (!ebpf_cursor_need(cursor, ")") || !ebpf_cursor_register(cursor, &src_letter, &src) ||
	    !same_width(cursor, letter, src_letter))
		return false;
	s->insn.code = (letter == 'r' ? EBPF_ALU64 : EBPF_ALU) | EBPF_MOV | EBPF_X;
	s->insn.dst = dst;
	s->insn.src = src;
	return true;
}

/* "be16", "le64", "bswap32": the code, and the width in *imm; -1 for any other name. */
static int swap_code(const char *name, int32_t *imm)
{
	static const struct {
		const char *name;
		uint8_t code;
	} swaps[] = {
		{ "be", EBPF_ALU | EBPF_END | EBPF_X },
		{ "le", EBPF_ALU | EBPF_END | EBPF_K },
		{ "bswap", EBPF_ALU64 | EBPF_END },
	};

	for (size_t i = 0; i < EBPF_COUNT(swaps); i++) {
		const char *bits = name + strlen(swaps[i].name);

		if (!ebpf_starts_with(name, swaps[i].name))
			continue;
		*imm = strcmp(bits, "16") == 0 ? 16 : strcmp(bits, "32") == 0 ? 32 : strcmp(bits, "64") == 0 ? 64 : 0;
		return *imm ? swaps[i].code : -1;
	}
	return -1;
}

static bool same_register(struct ebpf_statement *s, char letter, uint8_t dst)
{
	char other_letter;
	uint8_t other;

	if (!ebpf_cursor_register(&s->cursor, &other_letter, &other))
		return false;
	if (other != dst || other_letter != letter)
		return ebpf_cursor_fail(&s->cursor, EINVAL, s->cursor.at, "works in place: both sides must be %c%d",
					letter, dst);
	s->insn.dst = dst;
	return true;
}

/* Behind "r1 = addr_space_cast": "(r2, 0, 1)". */
static bool parse_address_cast(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int64_t to, from;
	char src_letter;
	uint8_t src;

	if (!ebpf_cursor_need(cursor, "(") || !ebpf_cursor_register(cursor, &src_letter, &src) ||
	    !ebpf_cursor_need(cursor, ",") || !ebpf_cursor_range(cursor, 0, UINT16_MAX, "address space", &to) ||
	    !ebpf_cursor_need(cursor, ",") || !ebpf_cursor_range(cursor, 0, UINT16_MAX, "address space", &from) ||
	    !ebpf_cursor_need(cursor, ")"))
		return false;
	if (letter != 'r' || src_letter != 'r')
		return ebpf_cursor_fail(cursor, EINVAL, cursor->at, "an address has 64 bits: r%d, not w%d", dst, dst);
	s->insn = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_MOV | EBPF_X, .dst = dst, .src = src, .off = 1 };
	s->insn.imm = (int32_t)(uint32_t)(to << 16 | from);
	return true;
}

/* Behind "r1 =": a word that is no register. */
static bool parse_word(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int operation, size, code;
	const char *start;
	bool known;

	ebpf_cursor_blanks(cursor);
	start = cursor->at;
	if (letter == 'r') {
		bool result = parse_named_wide(s, dst, &known);

		if (known)
			return result;
	}
	if (!ebpf_cursor_is_name(cursor))
		goto unexpected;
	if (!ebpf_cursor_name(cursor, s->name))
		return false;
	code = swap_code(s->name, &s->insn.imm);
	if (code >= 0) {
		s->insn.code = (uint8_t)code;
		return same_register(s, 'r', dst);
	}
	if (strcmp(s->name, "load_acquire") == 0)
		return parse_load_acquire(s, letter, dst);
	if (strcmp(s->name, "addr_space_cast") == 0)
		return parse_address_cast(s, letter, dst);
	operation = fetching_operation(s->name, &size);
	if (operation >= 0)
		return parse_fetching(s, letter, dst, operation, size, s->name[0] == 'a');
	if (letter == 'r' && ebpf_cursor_take(cursor, "ll")) /* as LLVM writes an unresolved symbol */
		return finish_reference(s, dst, EBPF_REF_MAP);
unexpected:
	cursor->at = start;
	return ebpf_cursor_expected(cursor, "a register, a number, or an operation that gives a value");
}

/* -- arithmetic -- */

/* "-r1", as against "-1". */
static bool is_negation(struct ebpf_cursor *cursor)
{
	struct ebpf_cursor ahead = *cursor;

	return ebpf_cursor_take(&ahead, "-") && ebpf_cursor_is_register(&ahead);
}

static bool parse_move(struct ebpf_statement *s, char letter, uint8_t dst)
{
	struct ebpf_cursor *cursor = &s->cursor;
	uint8_t class = letter == 'r' ? EBPF_ALU64 : EBPF_ALU, src;
	char src_letter;

	if (is_negation(cursor)) {
		ebpf_cursor_take(cursor, "-");
		s->insn.code = class | EBPF_NEG;
		return same_register(s, letter, dst);
	}
	if (ebpf_cursor_is_number(cursor))
		return parse_constant(s, letter, dst);
	if (ebpf_cursor_take(cursor, "("))
		return parse_extension(s, letter, dst);
	if (ebpf_cursor_take(cursor, "*"))
		return ebpf_cursor_need(cursor, "(") && parse_load(s, letter, dst);
	if (!ebpf_cursor_is_register(cursor))
		return parse_word(s, letter, dst);
	if (!ebpf_cursor_register(cursor, &src_letter, &src) || !same_width(cursor, letter, src_letter))
		return false;
	s->insn.code = class | EBPF_MOV | EBPF_X;
	s->insn.dst = dst;
	s->insn.src = src;
	return true;
}

/* "s>>=": the operation, its offset being 1 for the signed divisions. */
static bool take_alu_operator(struct ebpf_statement *s, uint8_t *op)
{
	struct ebpf_cursor *cursor = &s->cursor;

	s->insn.off = ebpf_cursor_take(cursor, "s/=") ? EBPF_DIV : ebpf_cursor_take(cursor, "s%=") ? EBPF_MOD : 0;
	if (s->insn.off) {
		*op = (uint8_t)s->insn.off;
		s->insn.off = 1;
		return true;
	}
	for (unsigned i = 0; i < 16; i++) {
		if (ebpf_alu_operators[i] && ebpf_cursor_take(cursor, ebpf_alu_operators[i])) {
			*op = (uint8_t)(i << 4);
			return true;
		}
	}
	return ebpf_cursor_expected(cursor, "'=' or an operator such as '+='");
}

static bool parse_assignment(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	char letter, src_letter;
	uint8_t dst, src, op = 0;

	if (!ebpf_cursor_register(cursor, &letter, &dst) || !take_alu_operator(s, &op))
		return false;
	if (op == EBPF_MOV)
		return parse_move(s, letter, dst);
	s->insn.code = op | (letter == 'r' ? EBPF_ALU64 : EBPF_ALU);
	s->insn.dst = dst;
	if (ebpf_cursor_is_number(cursor))
		return parse_imm(cursor, letter == 'w', &s->insn.imm);
	if (!ebpf_cursor_is_register(cursor))
		return ebpf_cursor_expected(cursor, "a register or a number");
	if (!ebpf_cursor_register(cursor, &src_letter, &src) || !same_width(cursor, letter, src_letter))
		return false;
	s->insn.code |= EBPF_X;
	s->insn.src = src;
	return true;
}

/* -- jumps and calls -- */

/* Where to: "pc+2", "+2 <LBB0_1>", "name", "<name>". */
static bool parse_target(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	bool far = s->insn.code == EBPF_GOTOL;
	int64_t distance;

	ebpf_cursor_blanks(cursor);
	if (cursor->at[0] == 'p' && cursor->at[1] == 'c' && (cursor->at[2] == '+' || cursor->at[2] == '-'))
		cursor->at += 2;
	if (*cursor->at == '+' || *cursor->at == '-') {
		if (!ebpf_cursor_range(cursor, far ? INT32_MIN : INT16_MIN, far ? INT32_MAX : INT16_MAX, "jump by",
				       &distance))
			return false;
		if (far)
			s->insn.imm = (int32_t)distance;
		else
			s->insn.off = (int16_t)distance;
		if (ebpf_cursor_take(cursor, "<"))
			cursor->at += strcspn(cursor->at, ">\n");
		ebpf_cursor_take(cursor, ">");
		return true;
	}
	s->label = true;
	if (ebpf_cursor_take(cursor, "<"))
		return ebpf_cursor_name(cursor, s->name) && ebpf_cursor_need(cursor, ">");
	if (!ebpf_cursor_is_name(cursor))
		return ebpf_cursor_expected(cursor, "a label, or a distance such as +3, -3 or pc+3");
	return ebpf_cursor_name(cursor, s->name);
}

static bool parse_goto(struct ebpf_statement *s, uint8_t code)
{
	s->insn.code = code;
	return parse_target(s);
}

static bool parse_goto_register(struct ebpf_statement *s)
{
	char letter;
	uint8_t dst;

	if (!ebpf_cursor_register(&s->cursor, &letter, &dst))
		return false;
	if (letter == 'w')
		return ebpf_cursor_fail(&s->cursor, EINVAL, s->cursor.at, "an address has 64 bits: r%d, not w%d", dst,
					dst);
	s->insn.code = EBPF_GOTOX;
	s->insn.dst = dst;
	return true;
}

static bool take_jump_operator(struct ebpf_cursor *cursor, uint8_t *op)
{
	unsigned best = 16;

	/* The longest that matches: ">=" rather than ">". */
	ebpf_cursor_blanks(cursor);
	for (unsigned i = 0; i < 16; i++)
		if (ebpf_jump_operators[i] && ebpf_starts_with(cursor->at, ebpf_jump_operators[i]) &&
		    (best == 16 || strlen(ebpf_jump_operators[i]) > strlen(ebpf_jump_operators[best])))
			best = i;
	if (best == 16)
		return ebpf_cursor_expected(cursor, "a comparison such as '==' or 's>'");
	cursor->at += strlen(ebpf_jump_operators[best]);
	*op = (uint8_t)(best << 4);
	return true;
}

static bool parse_if(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	char letter, src_letter;
	uint8_t dst, src, op = 0;

	if (!ebpf_cursor_register(cursor, &letter, &dst) || !take_jump_operator(cursor, &op))
		return false;
	s->insn.code = op | (letter == 'r' ? EBPF_JMP : EBPF_JMP32);
	s->insn.dst = dst;
	if (ebpf_cursor_is_register(cursor)) {
		if (!ebpf_cursor_register(cursor, &src_letter, &src) || !same_width(cursor, letter, src_letter))
			return false;
		s->insn.code |= EBPF_X;
		s->insn.src = src;
	} else if (!ebpf_cursor_is_number(cursor)) {
		return ebpf_cursor_expected(cursor, "a register or a number");
	} else if (!parse_imm(cursor, true, &s->insn.imm)) {
		return false;
	}
	return ebpf_cursor_need(cursor, "goto") && parse_target(s);
}

/* Behind "call name": "#25" of a verifier log, or nothing. */
static bool parse_called_name(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int helper = ebpf_enum_value(EBPF_HELPER, s->name);
	int64_t number;

	if (*cursor->at == '#' && cursor->at[1] != ' ') {
		cursor->at++;
		if (!ebpf_cursor_range(cursor, INT32_MIN, INT32_MAX, "number", &number))
			return false;
		s->insn.imm = (int32_t)number;
		if (helper < 0 && strcmp(s->name, "unknown") != 0)
			s->insn.src = EBPF_PSEUDO_KFUNC_CALL;
	} else if (helper >= 0) {
		s->insn.imm = helper;
	} else {
		s->refers = true;
		s->kind = EBPF_REF_CALL;
	}
	return true;
}

static bool parse_call(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;
	int64_t number;

	s->insn.code = EBPF_CALL;
	ebpf_cursor_blanks(cursor);
	if (ebpf_starts_with(cursor->at, "pc+") || ebpf_starts_with(cursor->at, "pc-")) {
		cursor->at += 2;
		s->insn.src = EBPF_PSEUDO_CALL;
		if (!parse_imm(cursor, false, &s->insn.imm))
			return false;
		if (*cursor->at == '#') /* a dump names the function */
			cursor->at += strcspn(cursor->at, " \t\r\n");
		return true;
	}
	if (ebpf_cursor_is_number(cursor)) {
		s->insn.src = s->hint_src > 0 ? (uint8_t)s->hint_src : 0;
		return parse_imm(cursor, false, &s->insn.imm);
	}
	if (ebpf_starts_with(cursor->at, "kernel-function#")) {
		cursor->at += strlen("kernel-function#");
		s->insn.src = EBPF_PSEUDO_KFUNC_CALL;
		if (!parse_imm(cursor, false, &s->insn.imm))
			return false;
		if (!ebpf_cursor_take(cursor, ","))
			return true;
		if (!ebpf_cursor_range(cursor, INT16_MIN, INT16_MAX, "offset", &number))
			return false;
		s->insn.off = (int16_t)number;
		return true;
	}
	if (ebpf_cursor_take(cursor, "kfunc")) {
		s->refers = true;
		s->kind = EBPF_REF_EXTERN;
		return ebpf_cursor_name(cursor, s->name);
	}
	return ebpf_cursor_name(cursor, s->name) && parse_called_name(s);
}

bool ebpf_statement_parse(struct ebpf_statement *s)
{
	struct ebpf_cursor *cursor = &s->cursor;

	if (ebpf_cursor_is_register(cursor))
		return parse_assignment(s);
	if (ebpf_cursor_take(cursor, "*"))
		return ebpf_cursor_need(cursor, "(") && parse_store(s);
	if (ebpf_cursor_take(cursor, "if"))
		return parse_if(s);
	if (ebpf_cursor_take(cursor, "goto"))
		return parse_goto(s, EBPF_JA);
	if (ebpf_cursor_take(cursor, "gotol"))
		return parse_goto(s, EBPF_GOTOL);
	if (ebpf_cursor_take(cursor, "may_goto"))
		return parse_goto(s, EBPF_MAY_GOTO);
	if (ebpf_cursor_take(cursor, "gotox"))
		return parse_goto_register(s);
	if (ebpf_cursor_take(cursor, "call"))
		return parse_call(s);
	if (ebpf_cursor_take(cursor, "lock"))
		return parse_locked(s);
	if (ebpf_cursor_take(cursor, "store_release"))
		return parse_store_release(s);
	if (ebpf_cursor_take(cursor, "exit")) {
		s->insn.code = EBPF_EXIT;
		return true;
	}
	return ebpf_cursor_expected(cursor, "an instruction or a label");
}
