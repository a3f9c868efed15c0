/* core_test.c -- every kind of CO-RE relocation against targets made by hand: what is patched, resized, poisoned, refused. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "load/core.h"

#include "btf_writer.h"
#include "test.h"

enum {
	BYTE_OFF, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT, ID_LOCAL, ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE,
	MATCHES
};

#define MOV(number) { .code = 0xb7, .dst = 1, .imm = (number) }
#define LOAD(size, offset) { .code = 0x61 | (size), .dst = 1, .src = 2, .off = (offset) }
#define WIDE(number) { .code = 0x18, .dst = 1, .imm = (int32_t)(number) }, { .imm = (int32_t)((uint64_t)(number) >> 32) }

/* -- a pair of type sets, and one relocation of them -- */

struct pair {
	struct writer local, target;
	struct ebpf_btf *local_btf, *target_btf;
	struct ebpf_core *core;
	struct ebpf_error err;
	struct ebpf_function function; /* of the last relocation: ebpf_core_explain asks by it */
	struct ebpf_spec_relo relo;
	struct ebpf_insn before[4], insns[4];
};

static struct pair *pair_new(void)
{
	struct pair *pair = calloc(1, sizeof *pair);

	w_start(&pair->local, false, NULL, 0);
	w_start(&pair->target, false, NULL, 0);
	return pair;
}

static void pair_ready(struct pair *pair)
{
	pair->local_btf = w_read(&pair->local, NULL, &pair->err);
	CHECK_STR(pair->err.message, "");
	pair->target_btf = w_read(&pair->target, NULL, &pair->err);
	CHECK_STR(pair->err.message, "");
	CHECK_INT(ebpf_core_new(NULL, pair->local_btf, pair->target_btf, &pair->core, &pair->err), 0);
}

static void pair_free(struct pair *pair)
{
	ebpf_core_free(pair->core);
	ebpf_btf_free(pair->local_btf);
	ebpf_btf_free(pair->target_btf);
	ebpf_error_clear(&pair->err);
	free(pair);
}

/* One instruction (or two slots), one relocation at its first. */
static int relocate(struct pair *pair, uint32_t kind, uint32_t type_id, const char *access, const struct ebpf_insn *insns,
		    size_t count)
{
	ebpf_error_clear(&pair->err);
	memset(pair->insns, 0, sizeof pair->insns);
	memcpy(pair->insns, insns, count * sizeof *insns);
	memcpy(pair->before, insns, count * sizeof *insns);
	pair->relo = (struct ebpf_spec_relo){ .insn = 0, .type_id = type_id, .kind = kind, .access = access };
	pair->function = (struct ebpf_function){ .name = (char *)"f", .insns = pair->before, .insn_count = count,
						 .relos = &pair->relo, .relo_count = 1 };
	return ebpf_core_relocate(pair->core, &pair->function, pair->insns, &pair->err);
}

/* An immediate before and after; poison gives EBPF_CORE_POISON, an error its negative code. */
static int mov(struct pair *pair, uint32_t kind, uint32_t type_id, const char *access, int32_t before)
{
	struct ebpf_insn insn = MOV(before);
	int code = relocate(pair, kind, type_id, access, &insn, 1);

	return code ? code : pair->insns[0].imm;
}

static int64_t wide(struct pair *pair, uint32_t kind, uint32_t type_id, const char *access, uint64_t before)
{
	struct ebpf_insn insns[2] = { WIDE(before) };
	int code = relocate(pair, kind, type_id, access, insns, 2);

	return code ? code : (int64_t)((uint32_t)pair->insns[0].imm | (uint64_t)(uint32_t)pair->insns[1].imm << 32);
}

static uint32_t w_struct(struct writer *w, const char *name, uint32_t size, uint32_t members)
{
	return w_type(w, name, BTF_KIND_STRUCT, false, members, size);
}

static uint32_t w_u32(struct writer *w)
{
	return w_int(w, "unsigned int", 4, 0, 0, 32);
}

static uint32_t w_s32(struct writer *w)
{
	return w_int(w, "int", 4, BTF_INT_SIGNED, 0, 32);
}

/* -- fields -- */

/* local: struct s___mine { u32 a; u32 b; u32 arr[4]; u32 flex[]; }
 * target: struct s { struct { u32 pad; union { u32 b; }; }; u32 arr[3]; u32 a; u32 flex[]; } */
static uint32_t fields(struct pair *pair)
{
	struct writer *w = &pair->local;
	uint32_t u32 = w_u32(w), arr = w_array(w, u32, u32, 4), flex = w_array(w, u32, u32, 0), id, inner, onion;

	id = w_struct(w, "s___mine", 24, 4);
	w_member(w, "a", u32, 0);
	w_member(w, "b", u32, 32);
	w_member(w, "arr", arr, 64);
	w_member(w, "flex", flex, 192);

	w = &pair->target;
	w_int(w, "filler", 8, 0, 0, 64);
	u32 = w_u32(w);
	arr = w_array(w, u32, u32, 3);
	flex = w_array(w, u32, u32, 0);
	onion = w_type(w, "", BTF_KIND_UNION, false, 1, 4);
	w_member(w, "b", u32, 0);
	inner = w_struct(w, "", 8, 2);
	w_member(w, "pad", u32, 0);
	w_member(w, "", onion, 32);
	w_struct(w, "s", 24, 4);
	w_member(w, "", inner, 0);
	w_member(w, "arr", arr, 64);
	w_member(w, "a", u32, 160);
	w_member(w, "flex", flex, 192);
	pair_ready(pair);
	return id;
}

static void test_offsets(void)
{
	struct pair *pair = pair_new();
	uint32_t id = fields(pair);
	const struct ebpf_insn load = LOAD(EBPF_W, 0), store = { .code = 0x63, .dst = 1, .src = 2 },
			       put = { .code = 0x62, .dst = 1, .imm = 9 }, add = { .code = 0x07, .dst = 1, .imm = 4 };

	CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), 20);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:1", 4), 4);      /* through a struct and a union without names */
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2:1", 12), 12);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2:2", 16), 16);
	CHECK_INT(mov(pair, BYTE_OFF, id, "1:0", 24), 44);    /* &p[1].a */
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:3:5", 44), 44);  /* beyond the end of an array without bounds */
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2:3", 20), EBPF_CORE_POISON); /* the target's array is shorter */
	CHECK(strstr(ebpf_core_explain(pair->core, &pair->function, 0), "struct s___mine.arr[3] (0:2:3)"));
	CHECK(!ebpf_core_explain(pair->core, &pair->function, 1));
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2:4", 24), -EINVAL); /* the object's own is */

	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &load, 1), 0);
	CHECK_INT(pair->insns[0].off, 20);
	CHECK_INT(pair->insns[0].code, load.code);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &store, 1), 0);
	CHECK_INT(pair->insns[0].off, 20);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &put, 1), 0);
	CHECK_INT(pair->insns[0].off, 20);
	CHECK_INT(pair->insns[0].imm, 9);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:1", &add, 1), 0);
	CHECK_INT(pair->insns[0].imm, 4);
	CHECK_INT(wide(pair, BYTE_OFF, id, "0:0", 0), 20);
	pair_free(pair);
}

static void test_exists_and_size(void)
{
	struct pair *pair = pair_new();
	uint32_t id = fields(pair);

	CHECK_INT(mov(pair, EXISTS, id, "0:0", 1), 1);
	CHECK_INT(mov(pair, EXISTS, id, "0:2:3", 1), 0);
	CHECK(!ebpf_core_explain(pair->core, &pair->function, 0)); /* an answer, not poison */
	CHECK_INT(mov(pair, EXISTS, id, "0:0", 0), -EINVAL);       /* compilers put 1 there */
	CHECK_INT(mov(pair, BYTE_SIZE, id, "0:2", 16), 12);
	CHECK_INT(mov(pair, BYTE_SIZE, id, "0:2:0", 4), 4);
	CHECK_INT(mov(pair, SIGNED, id, "0:0", 0), 0);
	CHECK_INT(mov(pair, RSHIFT, id, "0:0", 32), 32);
	CHECK_INT(mov(pair, SIGNED, id, "0:2:0", 0), -EINVAL);     /* of an element */
	CHECK(strstr(pair->err.message, "function 'f': instruction 0: CO-RE relocation <signed> struct s___mine.arr[0] (0:2:0)"));
	pair_free(pair);
}

static void test_refusals(void)
{
	static const char *const malformed[] = { "", ":", "0:", ":0", "0::1", "x", "0:x", "-1", "0:-1", "0 1", "+0", "0:4",
						 "0:0:0", "0:99999999999", "2147483648", NULL };
	struct pair *pair = pair_new();
	uint32_t id = fields(pair);
	const struct ebpf_insn jump = { .code = 0x05 }, alu = { .code = 0x0f, .dst = 1, .src = 2 }, cut = { .code = 0x18 },
			       address[2] = { { .code = 0x18, .src = 1 } }, second[2] = { { .code = 0x18 }, { .code = 1 } };
	char deep[65 * 2 + 1] = "0", limit[64 * 2 + 1] = "0";

	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
		CHECK_INT(mov(pair, BYTE_OFF, id, malformed[i], 0), -EINVAL);
	for (int i = 1; i < 65; i++)
		strcat(deep, ":0");
	for (int i = 1; i < 64; i++)
		strcat(limit, ":0");
	CHECK_INT(mov(pair, BYTE_OFF, id, deep, 0), -E2BIG);
	CHECK_INT(mov(pair, BYTE_OFF, id, limit, 0), -EINVAL);
	CHECK_INT(mov(pair, BYTE_OFF, id, "2147483647:0", 0), -E2BIG);
	CHECK_INT(mov(pair, BYTE_OFF, 999, "0:0", 0), -EINVAL);
	CHECK_INT(mov(pair, BYTE_OFF, 0, "0:0", 0), -EINVAL);
	CHECK_INT(mov(pair, 13, id, "0:0", 0), -ENOTSUP);
	CHECK_INT(mov(pair, TYPE_EXISTS, id, "0:0", 1), -EINVAL);
	CHECK_INT(mov(pair, ENUM_VALUE, id, "0", 0), -EINVAL);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:1", 77), -EINVAL);
	CHECK(strstr(pair->err.message, "holds 77"));
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &jump, 1), -EINVAL);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &alu, 1), -EINVAL);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &cut, 1), -EINVAL);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", address, 2), -EINVAL);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", second, 2), -EINVAL);
	pair->relo.insn = 1;
	/* the wide load's second half has no class of its own that could be refused */
	CHECK_INT(ebpf_core_relocate(pair->core, &pair->function, pair->insns, &pair->err), 0);
	pair->relo.insn = 2;
	CHECK_INT(ebpf_core_relocate(pair->core, &pair->function, pair->insns, &pair->err), -EINVAL);
	pair_free(pair);
}

/* A field too far away for the 16 bits of a load, not for the 32 of a number. */
static void test_far(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), id = w_struct(&pair->local, "far", 4, 1);
	const struct ebpf_insn load = LOAD(EBPF_W, 0);

	w_member(&pair->local, "a", u32, 0);
	u32 = w_u32(&pair->target);
	w_struct(&pair->target, "far", 40004, 1);
	w_member(&pair->target, "a", u32, 40000 * 8);
	pair_ready(pair);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), 40000);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &load, 1), -ERANGE);
	pair_free(pair);
}

/* -- sizes of loads and stores -- */

struct sized { const char *name; uint32_t size, encoding; bool pointer; };

static uint32_t w_sized(struct writer *w, const struct sized *members, uint32_t count)
{
	uint32_t types[16], id;

	for (uint32_t i = 0; i < count; i++)
		types[i] = members[i].pointer ? w_type(w, "", BTF_KIND_PTR, false, 0, 0)
					      : w_int(w, "n", members[i].size, members[i].encoding, 0, members[i].size * 8);
	id = w_struct(w, "sized", 8 * count, count);
	for (uint32_t i = 0; i < count; i++)
		w_member(w, members[i].name, types[i], 64 * i);
	return id;
}

static void test_resize(void)
{
	static const struct sized local[] = { { "shrinks", 8, 0, 0 }, { "grows", 1, 0, 0 }, { "minus", 4, 1, 0 },
					      { "sign", 4, 0, 0 },    { "flag", 1, 4, 0 },  { "kind", 4, 0, 0 },
					      { "odd", 4, 0, 0 } };
	static const struct sized target[] = { { "shrinks", 2, 0, 0 }, { "grows", 8, 0, 0 }, { "minus", 8, 1, 0 },
					       { "sign", 8, 1, 0 },    { "flag", 4, 4, 0 },  { "kind", 8, 0, 1 },
					       { "odd", 16, 0, 0 } };
	struct pair *pair = pair_new();
	uint32_t id = w_sized(&pair->local, local, 7);
	const struct ebpf_insn dw = LOAD(EBPF_DW, 0), b = LOAD(EBPF_B, 8), w2 = LOAD(EBPF_W, 16), w3 = LOAD(EBPF_W, 24),
			       b4 = LOAD(EBPF_B, 32), wrong = LOAD(EBPF_H, 0), store = { .code = 0x7b, .dst = 1, .src = 2 },
			       w5 = LOAD(EBPF_W, 40), w6 = LOAD(EBPF_W, 48);

	w_sized(&pair->target, target, 7);
	pair_ready(pair);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &dw, 1), 0);
	CHECK_INT(pair->insns[0].code, 0x61 | EBPF_H);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &store, 1), 0);
	CHECK_INT(pair->insns[0].code, 0x63 | EBPF_H);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:1", &b, 1), 0);
	CHECK_INT(pair->insns[0].code, 0x61 | EBPF_DW);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:4", &b4, 1), 0); /* bool */
	CHECK_INT(pair->insns[0].code, 0x61 | EBPF_W);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:2", &w2, 1), 0); /* signed on both sides: its sign would be lost */
	CHECK_INT(pair->insns[0].imm, EBPF_CORE_POISON);
	CHECK(strstr(ebpf_core_explain(pair->core, &pair->function, 0), "(8 bytes, here 4)"));
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:3", &w3, 1), 0); /* signed in the target */
	CHECK_INT(pair->insns[0].imm, EBPF_CORE_POISON);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:5", &w5, 1), 0); /* a pointer there is another kind of field */
	CHECK_INT(pair->insns[0].imm, EBPF_CORE_POISON);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2", 16), 16);         /* a number needs no size */
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &wrong, 1), -EINVAL);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:6", &w6, 1), -EINVAL); /* no load has 16 bytes */
	pair_free(pair);
}

/* A target with pointers of four bytes. */
static void test_short_pointers(void)
{
	struct pair *pair = pair_new();
	uint32_t pointer, id;
	const struct ebpf_insn load = LOAD(EBPF_DW, 8);

	w_int(&pair->local, "long", 8, 1, 0, 64);
	pointer = w_type(&pair->local, "", BTF_KIND_PTR, false, 0, 0);
	id = w_struct(&pair->local, "s", 16, 1);
	w_member(&pair->local, "next", pointer, 64);
	w_int(&pair->target, "long", 4, 1, 0, 32);
	pointer = w_type(&pair->target, "", BTF_KIND_PTR, false, 0, 0);
	w_struct(&pair->target, "s", 8, 1);
	w_member(&pair->target, "next", pointer, 32);
	pair_ready(pair);
	CHECK_INT(relocate(pair, BYTE_OFF, id, "0:0", &load, 1), 0);
	CHECK_INT(pair->insns[0].off, 4);
	CHECK_INT(pair->insns[0].code, 0x61 | EBPF_W);
	pair_free(pair);
}

/* -- bit fields: counted from the end that the machine's order of bytes begins with -- */

#define ORDER(little, big) (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (big) : (little))

static void w_bits(struct writer *w, const char *name, uint32_t type, uint32_t offset, uint32_t size)
{
	w_member(w, name, type, size << 24 | offset);
}

static void test_bitfields(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), s32 = w_s32(&pair->local),
		 id = w_type(&pair->local, "bits", BTF_KIND_STRUCT, true, 5, 8), u8;

	w_bits(&pair->local, "a", u32, 0, 3);
	w_bits(&pair->local, "b", s32, 3, 7);
	w_bits(&pair->local, "c", u32, 10, 2);
	w_bits(&pair->local, "plain", u32, 32, 0);
	w_bits(&pair->local, "split", u32, 12, 2);
	u32 = w_u32(&pair->target);
	s32 = w_s32(&pair->target);
	u8 = w_int(&pair->target, "unsigned char", 1, 0, 0, 8);
	w_type(&pair->target, "bits", BTF_KIND_STRUCT, true, 5, 16);
	w_bits(&pair->target, "a", u32, 40, 5);
	w_bits(&pair->target, "b", s32, 26, 9); /* across the end of its integer: 8 bytes are loaded */
	w_bits(&pair->target, "c", u8, 96, 0);  /* no bit field any more */
	w_bits(&pair->target, "plain", u32, 0, 4); /* has become one */
	w_bits(&pair->target, "split", u32, 60, 9);
	pair_ready(pair);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), 4);
	CHECK_INT(mov(pair, BYTE_SIZE, id, "0:0", 4), 4);
	CHECK_INT(mov(pair, LSHIFT, id, "0:0", ORDER(61, 32)), ORDER(64 - (40 + 5 - 32), 32 + 40 - 32));
	CHECK_INT(mov(pair, RSHIFT, id, "0:0", 61), 59);
	CHECK_INT(mov(pair, SIGNED, id, "0:0", 0), 0);
	CHECK_INT(mov(pair, SIGNED, id, "0:1", 1), 1);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:1", 0), 0);
	CHECK_INT(mov(pair, BYTE_SIZE, id, "0:1", 4), 8);
	CHECK_INT(mov(pair, LSHIFT, id, "0:1", ORDER(54, 35)), ORDER(64 - (26 + 9), 26));
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:4", 0), -E2BIG); /* 60..69 lies in no aligned 8 bytes */
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2", 1234), 12);  /* the compiler's choice of load is not checked */
	CHECK_INT(mov(pair, LSHIFT, id, "0:2", ORDER(52, 42)), 56);
	CHECK_INT(mov(pair, RSHIFT, id, "0:2", 62), 56);
	CHECK_INT(mov(pair, RSHIFT, id, "0:2", 61), -EINVAL); /* the right shift is */
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:3", 4), 0);
	CHECK_INT(mov(pair, LSHIFT, id, "0:3", 32), ORDER(60, 32));
	CHECK_INT(mov(pair, EXISTS, id, "0:1", 1), 1);
	pair_free(pair);
}

/* Bit fields without kind_flag: their width is that of an INT of fewer bits than its size. */
static void test_old_bitfields(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), id = w_type(&pair->local, "bits", BTF_KIND_STRUCT, true, 1, 4), u3;

	w_bits(&pair->local, "a", u32, 8, 3);
	u3 = w_int(&pair->target, "unsigned int", 4, 0, 0, 3);
	w_struct(&pair->target, "bits", 8, 1);
	w_member(&pair->target, "a", u3, 37);
	pair_ready(pair);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), 4);
	CHECK_INT(mov(pair, LSHIFT, id, "0:0", 0), ORDER(64 - (5 + 3), 32 + 5));
	CHECK_INT(mov(pair, RSHIFT, id, "0:0", 61), 61);
	pair_free(pair);
}

/* -- whole types -- */

static int64_t map_id(void *context, uint32_t local_id)
{
	return *(int *)context ? *(int *)context : (int64_t)local_id + 1000;
}

static void test_types(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), here, gone, fwd, alias, pointer, proto, function;
	int failure = 0;

	here = w_struct(&pair->local, "here___x", 4, 1);
	w_member(&pair->local, "a", u32, 0);
	gone = w_struct(&pair->local, "gone", 8, 0);
	fwd = w_type(&pair->local, "fwd", BTF_KIND_FWD, false, 0, 0);
	alias = w_type(&pair->local, "alias", BTF_KIND_TYPEDEF, false, 0, here);
	pointer = w_type(&pair->local, "", BTF_KIND_PTR, false, 0, here);
	proto = w_type(&pair->local, "", BTF_KIND_FUNC_PROTO, false, 1, u32);
	w_pair(&pair->local, "", pointer);
	function = w_type(&pair->local, "proto_t", BTF_KIND_TYPEDEF, false, 0, proto);

	u32 = w_u32(&pair->target);
	w_struct(&pair->target, "here", 12, 1);
	w_member(&pair->target, "b", u32, 0);
	w_type(&pair->target, "gone", BTF_KIND_UNION, false, 0, 8); /* a union is no struct */
	w_type(&pair->target, "alias", BTF_KIND_TYPEDEF, false, 0, u32);
	proto = w_type(&pair->target, "", BTF_KIND_FUNC_PROTO, false, 1, u32);
	w_pair(&pair->target, "", u32); /* not a pointer */
	w_type(&pair->target, "proto_t", BTF_KIND_TYPEDEF, false, 0, proto);
	pair_ready(pair);

	CHECK_INT(mov(pair, TYPE_EXISTS, here, "0", 1), 1);
	CHECK_INT(mov(pair, TYPE_EXISTS, gone, "0", 1), 0);
	CHECK_INT(mov(pair, TYPE_EXISTS, fwd, "0", 1), 0);
	CHECK_INT(mov(pair, TYPE_EXISTS, alias, "0", 1), 0);    /* a typedef of something else */
	CHECK_INT(mov(pair, TYPE_EXISTS, function, "0", 1), 0); /* other parameters */
	CHECK_INT(mov(pair, TYPE_SIZE, here, "0", 4), 12);
	CHECK_INT(mov(pair, TYPE_SIZE, gone, "0", 8), 0);
	CHECK_INT(mov(pair, TYPE_SIZE, fwd, "0", 0), -EINVAL);
	CHECK_INT(wide(pair, ID_TARGET, here, "0", 12345), 2);
	CHECK_INT(wide(pair, ID_TARGET, gone, "0", 1), 0);
	CHECK_INT(wide(pair, ID_LOCAL, here, "0", 12345), here);
	ebpf_core_set_local_ids(pair->core, map_id, &failure);
	CHECK_INT(wide(pair, ID_LOCAL, pointer, "0", 12345), pointer + 1000); /* an anonymous type is fine here */
	failure = -ENOENT;
	CHECK_INT(wide(pair, ID_LOCAL, here, "0", 12345), -ENOENT);
	CHECK_INT(mov(pair, TYPE_EXISTS, pointer, "0", 1), -EINVAL); /* and nowhere else */
	CHECK(strstr(pair->err.message, "anonymous"));
	pair_free(pair);
}

static void w_function_pointer(struct writer *w, const char *name, uint32_t result, uint32_t argument)
{
	uint32_t proto = w_type(w, "", BTF_KIND_FUNC_PROTO, false, 1, result), pointer;

	w_pair(w, "x", argument);
	pointer = w_type(w, "", BTF_KIND_PTR, false, 0, proto);
	w_struct(w, name, 8, 1);
	w_member(w, "call", pointer, 0);
}

static void test_matches(void)
{
	struct pair *pair = pair_new();
	struct writer *w = &pair->local;
	uint32_t u32 = w_u32(w), s32 = w_s32(w), fewer, more, sign, forward, enumeration, array, calls, pointer;

	fewer = w_struct(w, "m", 4, 1); /* 3 */
	w_member(w, "a", u32, 0);
	more = w_struct(w, "m___more", 12, 3);
	w_member(w, "a", u32, 0);
	w_member(w, "b", u32, 32);
	w_member(w, "c", u32, 64);
	sign = w_struct(w, "m___sign", 4, 1);
	w_member(w, "a", s32, 0);
	forward = w_struct(w, "behind", 8, 0);
	pointer = w_type(w, "", BTF_KIND_PTR, false, 0, forward);
	forward = w_struct(w, "f", 8, 1);
	w_member(w, "next", pointer, 0);
	enumeration = w_type(w, "e", BTF_KIND_ENUM, false, 1, 4);
	w_pair(w, "E_ONE___x", 7);
	array = w_array(w, u32, u32, 3);
	w_struct(w, "arr", 12, 1);
	w_member(w, "a", array, 0);
	array = pair->local.count;
	w_function_pointer(w, "calls", u32, u32);
	calls = pair->local.count;

	w = &pair->target;
	u32 = w_u32(w);
	w_struct(w, "m", 8, 2);
	w_member(w, "b", u32, 0);
	w_member(w, "a", u32, 32);
	pointer = w_type(w, "", BTF_KIND_PTR, false, 0, w_type(w, "behind", BTF_KIND_FWD, false, 0, 0));
	w_struct(w, "f", 8, 1);
	w_member(w, "next", pointer, 0);
	w_type(w, "e", BTF_KIND_ENUM, false, 2, 4);
	w_pair(w, "E_TWO", 2);
	w_pair(w, "E_ONE", 1);
	w_struct(w, "arr", 16, 1);
	w_member(w, "a", pair->target.count + 2, 0);
	w_array(w, u32, u32, 4);
	w_function_pointer(w, "calls", u32, u32);
	pair_ready(pair);

	CHECK_INT(mov(pair, MATCHES, fewer, "0", 1), 1);
	CHECK_INT(mov(pair, MATCHES, more, "0", 1), 0);
	CHECK_INT(mov(pair, MATCHES, sign, "0", 1), 0);
	CHECK_INT(mov(pair, MATCHES, forward, "0", 1), 1);     /* behind a pointer a declaration is enough */
	CHECK_INT(mov(pair, MATCHES, enumeration, "0", 1), 1); /* by name, not by number */
	CHECK_INT(mov(pair, MATCHES, array, "0", 1), 0);       /* another length */
	CHECK_INT(mov(pair, MATCHES, calls, "0", 1), 1);
	pair_free(pair);
}

/* -- enumerators -- */

static void w_big(struct writer *w, const char *name, uint64_t value)
{
	w_word(w, w_string(w, name));
	w_word(w, (uint32_t)value);
	w_word(w, (uint32_t)(value >> 32));
}

static void test_enumerators(void)
{
	struct pair *pair = pair_new();
	uint32_t narrow, broad, high;

	narrow = w_type(&pair->local, "e___mine", BTF_KIND_ENUM, true, 3, 4);
	w_pair(&pair->local, "ONE", 1);
	w_pair(&pair->local, "MINUS___x", (uint32_t)-1);
	w_pair(&pair->local, "GONE", 3);
	broad = w_type(&pair->local, "big", BTF_KIND_ENUM64, false, 1, 8);
	w_big(&pair->local, "HUGE", 0x123456789abcu);
	high = w_type(&pair->local, "high", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->local, "TOP", 0x80000000);
	w_type(&pair->target, "e", BTF_KIND_ENUM64, false, 2, 8); /* has become wider */
	w_big(&pair->target, "ONE", 0xfedcba9876543210u);
	w_big(&pair->target, "MINUS", (uint64_t)-5);
	w_type(&pair->target, "big", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->target, "HUGE", 42);
	w_type(&pair->target, "high", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->target, "TOP", 0xc0000000);
	pair_ready(pair);

	CHECK(wide(pair, ENUM_VALUE, narrow, "0", 1) == (int64_t)0xfedcba9876543210u);
	CHECK_INT(wide(pair, ENUM_VALUE, narrow, "1", (uint64_t)-1), -5);
	CHECK_INT(wide(pair, ENUM_VALUE, broad, "0", 0x123456789abcu), 42);
	CHECK_INT(mov(pair, ENUM_EXISTS, narrow, "0", 1), 1);
	CHECK_INT(mov(pair, ENUM_EXISTS, narrow, "2", 1), 0);
	CHECK_INT(mov(pair, ENUM_VALUE, narrow, "1", -1), -5);
	CHECK_INT(mov(pair, ENUM_VALUE, narrow, "0", 1), -ERANGE); /* does not fit into a plain move */
	CHECK_INT(mov(pair, ENUM_VALUE, narrow, "3", 1), -EINVAL);
	CHECK_INT(mov(pair, ENUM_VALUE, narrow, "0:0", 1), -EINVAL);
	CHECK_INT(wide(pair, ENUM_VALUE, high, "0", 0xffffffff80000000u), (int64_t)0xffffffffc0000000u);
	CHECK_INT(wide(pair, ENUM_VALUE, high, "0", 0x80000000u), 0xc0000000u); /* the compiler took it for unsigned */

	/* both halves of a wide load are poisoned, and explained */
	CHECK_INT(wide(pair, ENUM_VALUE, narrow, "2", 3), EBPF_CORE_POISON | (int64_t)EBPF_CORE_POISON << 32);
	CHECK_INT(pair->insns[0].code, EBPF_CALL);
	CHECK_INT(pair->insns[1].code, EBPF_CALL);
	CHECK(strstr(ebpf_core_explain(pair->core, &pair->function, 0),
		     "<enumval_value> enum e___mine::GONE: the target's enum has no such value"));
	CHECK(ebpf_core_explain(pair->core, &pair->function, 1) == ebpf_core_explain(pair->core, &pair->function, 0));
	pair_free(pair);
}

/* -- several candidates -- */

static uint32_t w_one(struct writer *w, const char *name, const char *field, uint32_t type, uint32_t offset)
{
	uint32_t id = w_struct(w, name, 64, 1);

	w_member(w, field, type, offset);
	return id;
}

static void test_candidates(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), ambiguous, agreeing, pruned, of_enum;

	ambiguous = w_one(&pair->local, "ambiguous", "a", u32, 0);
	agreeing = w_one(&pair->local, "agreeing", "a", u32, 0);
	pruned = w_struct(&pair->local, "pruned", 64, 2);
	w_member(&pair->local, "a", u32, 0);
	w_member(&pair->local, "mark", u32, 32);
	of_enum = w_type(&pair->local, "en", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->local, "V", 1);
	u32 = w_u32(&pair->target);
	w_one(&pair->target, "ambiguous", "a", u32, 32);
	w_one(&pair->target, "ambiguous___2", "a", u32, 64);
	w_one(&pair->target, "agreeing___old", "a", u32, 96);
	w_one(&pair->target, "agreeing", "a", u32, 96);
	w_one(&pair->target, "agreeing___other", "b", u32, 8);
	w_one(&pair->target, "pruned", "a", u32, 32);
	w_struct(&pair->target, "pruned___new", 64, 2);
	w_member(&pair->target, "mark", u32, 0);
	w_member(&pair->target, "a", u32, 128);
	w_type(&pair->target, "en", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->target, "V", 1);
	w_type(&pair->target, "en___2", BTF_KIND_ENUM, false, 1, 4);
	w_pair(&pair->target, "V", 2);
	pair_ready(pair);

	CHECK_INT(mov(pair, BYTE_OFF, ambiguous, "0:0", 0), -EINVAL);
	CHECK(strstr(pair->err.message, "ambiguous"));
	CHECK(pair->err.hint[0]);
	CHECK_INT(mov(pair, EXISTS, ambiguous, "0:0", 1), -EINVAL); /* even so, as for libbpf: other places */
	CHECK_INT(mov(pair, TYPE_EXISTS, ambiguous, "0", 1), 1);
	CHECK_INT(mov(pair, ID_TARGET, ambiguous, "0", 1), -EINVAL);
	CHECK_INT(mov(pair, BYTE_OFF, agreeing, "0:0", 0), 12);
	CHECK_INT(mov(pair, BYTE_OFF, agreeing, "0:0", 0), 12); /* from memory */
	CHECK_INT(mov(pair, BYTE_OFF, pruned, "0:0", 0), -EINVAL);
	CHECK_INT(mov(pair, EXISTS, pruned, "0:1", 1), 1);      /* decides for the one that has it */
	CHECK_INT(mov(pair, BYTE_OFF, pruned, "0:0", 0), 16);
	CHECK_INT(mov(pair, ENUM_VALUE, of_enum, "0", 1), -EINVAL);
	CHECK_INT(mov(pair, ENUM_EXISTS, of_enum, "0", 1), 1);
	pair_free(pair);
}

/* What counts as the same kind of field. */
static void test_compatible_fields(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), onion, en, anonymous, fl, constant, id, other, wide_array;

	onion = w_type(&pair->local, "u", BTF_KIND_UNION, false, 0, 4);
	en = w_type(&pair->local, "named___x", BTF_KIND_ENUM, false, 0, 4);
	anonymous = w_type(&pair->local, "", BTF_KIND_ENUM, false, 0, 4);
	other = w_type(&pair->local, "other", BTF_KIND_ENUM, false, 0, 4);
	fl = w_type(&pair->local, "float", BTF_KIND_FLOAT, false, 0, 4);
	constant = w_type(&pair->local, "", BTF_KIND_CONST, false, 0, u32);
	wide_array = w_array(&pair->local, w_array(&pair->local, u32, u32, 2), u32, 2);
	id = w_struct(&pair->local, "c", 64, 8);
	w_member(&pair->local, "composite", onion, 0);
	w_member(&pair->local, "named", en, 32);
	w_member(&pair->local, "anonymous", anonymous, 64);
	w_member(&pair->local, "other", other, 96);
	w_member(&pair->local, "fl", fl, 128);
	w_member(&pair->local, "constant", constant, 160);
	w_member(&pair->local, "kind", u32, 192);
	w_member(&pair->local, "array", wide_array, 256);

	u32 = w_int(&pair->target, "u32", 4, BTF_INT_SIGNED, 0, 32);
	onion = w_struct(&pair->target, "whatever", 4, 0);
	en = w_type(&pair->target, "named", BTF_KIND_ENUM64, false, 0, 8);
	other = w_type(&pair->target, "another", BTF_KIND_ENUM, false, 0, 4);
	fl = w_type(&pair->target, "double", BTF_KIND_FLOAT, false, 0, 8);
	constant = w_type(&pair->target, "alias", BTF_KIND_TYPEDEF, false, 0,
			  w_type(&pair->target, "", BTF_KIND_VOLATILE, false, 0, u32));
	wide_array = w_array(&pair->target, w_array(&pair->target, u32, u32, 3), u32, 5);
	w_struct(&pair->target, "c", 128, 8);
	w_member(&pair->target, "composite", onion, 0);
	w_member(&pair->target, "named", en, 64);
	w_member(&pair->target, "anonymous", other, 128);
	w_member(&pair->target, "other", other, 160);
	w_member(&pair->target, "fl", fl, 192);
	w_member(&pair->target, "constant", constant, 256);
	w_member(&pair->target, "kind", fl, 320);
	w_member(&pair->target, "array", wide_array, 384);
	pair_ready(pair);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), 0);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:1", 4), 8);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:2", 8), 16);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:3", 12), EBPF_CORE_POISON);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:4", 16), 24);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:5", 20), 32);
	CHECK_INT(mov(pair, SIGNED, id, "0:5", 0), 1);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:6", 24), EBPF_CORE_POISON);
	CHECK_INT(mov(pair, BYTE_OFF, id, "0:7:1:1", 44), 48 + 16);
	pair_free(pair);
}

/* -- hostile types: an answer in bounded time, whatever it is -- */

/* `levels` structs, each with twice the next one in it: 2^levels ways down, and nothing at their ends. */
static uint32_t w_tree(struct writer *w, const char *root, const char *member, int levels, uint32_t leaf)
{
	uint32_t id = leaf;

	while (levels-- > 0) {
		uint32_t inner = id;

		id = w_struct(w, levels ? "" : root, 4, 2);
		w_member(w, member, inner, 0);
		w_member(w, member, inner, 0);
	}
	return id;
}

static void test_hostile(void)
{
	struct pair *pair = pair_new();
	uint32_t u32 = w_u32(&pair->local), in_ring, in_tree, of_tree, ring, self, into_ring;
	struct timespec from, to;

	in_ring = w_one(&pair->local, "s", "not_there", u32, 0);
	in_tree = w_one(&pair->local, "tree", "not_there", u32, 0);
	of_tree = w_tree(&pair->local, "named_tree", "x", 30, u32);
	ring = w_type(&pair->local, "ring", BTF_KIND_TYPEDEF, false, 0, pair->local.count + 2);
	w_type(&pair->local, "ring2", BTF_KIND_TYPEDEF, false, 0, ring);
	self = w_type(&pair->local, "self", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&pair->local, "self", self, 0);
	into_ring = w_one(&pair->local, "s", "a", ring, 0);

	u32 = w_u32(&pair->target);
	self = w_struct(&pair->target, "s", 4, 40); /* anonymous members of its own type */
	for (int i = 0; i < 40; i++)
		w_member(&pair->target, "", self, 0);
	w_tree(&pair->target, "tree", "", 50, u32);
	w_tree(&pair->target, "named_tree", "x", 30, w_type(&pair->target, "float", BTF_KIND_FLOAT, false, 0, 4));
	ring = w_type(&pair->target, "ring", BTF_KIND_TYPEDEF, false, 0, pair->target.count + 2);
	w_type(&pair->target, "ring2", BTF_KIND_TYPEDEF, false, 0, ring);
	self = w_type(&pair->target, "self", BTF_KIND_STRUCT, false, 1, 4);
	w_member(&pair->target, "self", self, 0);
	pair_ready(pair);

	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK_INT(mov(pair, EXISTS, in_ring, "0:0", 1), -E2BIG);
	CHECK_INT(mov(pair, EXISTS, in_tree, "0:0", 1), -E2BIG);
	CHECK_INT(mov(pair, MATCHES, of_tree, "0", 1), -E2BIG);
	CHECK(mov(pair, MATCHES, of_tree + 3, "0", 1) < 0);
	mov(pair, TYPE_EXISTS, of_tree + 1, "0", 1);
	mov(pair, BYTE_OFF, of_tree + 1, "0:0", 0);
	mov(pair, BYTE_OFF, into_ring, "0:0", 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK(to.tv_sec - from.tv_sec < 60);
	pair_free(pair);
}

/* -- targets -- */

static void test_no_target(void)
{
	struct pair *pair = pair_new();
	uint32_t id = w_struct(&pair->local, "s", 4, 0);

	pair_ready(pair);
	ebpf_core_free(pair->core);
	pair->core = NULL;
	CHECK_INT(ebpf_core_new(NULL, NULL, NULL, &pair->core, &pair->err), -EINVAL);
	CHECK_INT(ebpf_core_new(NULL, pair->local_btf, NULL, &pair->core, &pair->err), 0);
	CHECK_INT(wide(pair, ID_LOCAL, id, "0", 0), id); /* needs none */
	CHECK_INT(mov(pair, TYPE_EXISTS, id, "0", 1), -ENOTSUP);
	CHECK(pair->err.hint[0]);
	pair_free(pair);
}

/* A file that is split on another: both are looked through. */
static void test_split_target(void)
{
	struct pair *pair = pair_new();
	uint32_t id = w_struct(&pair->local, "s", 4, 0), own = w_struct(&pair->local, "own", 4, 0);
	struct writer *split = calloc(1, sizeof *split);
	struct ebpf_btf *btf;

	w_struct(&pair->target, "s", 20, 0);
	pair_ready(pair);
	w_start(split, false, pair->target_btf, (uint32_t)pair->target.strings_size);
	w_struct(split, "own", 30, 0);
	btf = w_read(split, pair->target_btf, &pair->err);
	CHECK(btf);
	ebpf_core_free(pair->core);
	CHECK_INT(ebpf_core_new(NULL, pair->local_btf, btf, &pair->core, &pair->err), 0);
	CHECK_INT(mov(pair, TYPE_SIZE, id, "0", 4), 20);
	CHECK_INT(mov(pair, TYPE_SIZE, own, "0", 4), 30);
	CHECK_INT(wide(pair, ID_TARGET, own, "0", 0), 2);
	ebpf_btf_free(btf);
	free(split);
	pair_free(pair);
}

static void test_other_byte_order(void)
{
	struct pair *pair = pair_new();

	w_struct(&pair->local, "s", 4, 0);
	w_start(&pair->target, true, NULL, 0);
	w_struct(&pair->target, "s", 4, 0);
	pair->local_btf = w_read(&pair->local, NULL, &pair->err);
	pair->target_btf = w_read(&pair->target, NULL, &pair->err);
	CHECK_INT(ebpf_core_new(NULL, pair->local_btf, pair->target_btf, &pair->core, &pair->err), -EINVAL);
	pair_free(pair);
}

/* The running kernel: struct task_struct's `pid`, wherever it is. */
static void test_running_kernel(void)
{
	struct pair *pair = pair_new();
	uint32_t s32 = w_s32(&pair->local), id = w_one(&pair->local, "task_struct___mine", "pid", s32, 0), gone;
	struct ebpf_kernel *kernel = ebpf_kernel_new(&pair->err);
	int offset;

	gone = w_one(&pair->local, "no_such_struct", "a", s32, 0);
	pair->local_btf = w_read(&pair->local, NULL, &pair->err);
	CHECK_INT(ebpf_core_new(kernel, pair->local_btf, NULL, &pair->core, &pair->err), 0);
	if (ebpf_kernel_btf(kernel, NULL)) {
		offset = mov(pair, BYTE_OFF, id, "0:0", 0);
		CHECK(offset > 0 && offset < 10000);
		CHECK_INT(mov(pair, TYPE_EXISTS, gone, "0", 1), 0); /* modules have been looked through too */
		CHECK_INT(mov(pair, EXISTS, gone, "0", 1), 0);
	} else {
		CHECK_INT(mov(pair, BYTE_OFF, id, "0:0", 0), -ENOTSUP);
	}
	ebpf_core_free(pair->core);
	pair->core = NULL;
	ebpf_kernel_free(kernel);
	pair_free(pair);
}

int main(void)
{
	test_offsets();
	test_exists_and_size();
	test_refusals();
	test_far();
	test_resize();
	test_short_pointers();
	test_bitfields();
	test_old_bitfields();
	test_types();
	test_matches();
	test_enumerators();
	test_candidates();
	test_compatible_fields();
	test_hostile();
	test_no_target();
	test_split_target();
	test_other_byte_order();
	test_running_kernel();
	return TEST_RESULT();
}
