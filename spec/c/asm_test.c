/* The room `asm`: bytes, text and blocks. The bytes of the first table were made by clang 14 (`-target bpf -mcpu=v3`)
 * from the text beside them. */
#include <stdlib.h>

#include "asm/asm.h"
#include "test.h"

struct row {
	const char *text, *bytes; /* bytes in hexadecimal, little-endian */
};

static const struct row from_clang[] = {
	{ "r0 += r3", "0f30000000000000" },
	{ "w0 += w3", "0c30000000000000" },
	{ "r0 += -20", "07000000ecffffff" },
	{ "w0 += -20", "04000000ecffffff" },
	{ "r1 -= r4", "1f41000000000000" },
	{ "w1 -= w4", "1c41000000000000" },
	{ "r1 -= -13", "17010000f3ffffff" },
	{ "w1 -= -13", "14010000f3ffffff" },
	{ "r2 *= r5", "2f52000000000000" },
	{ "w2 *= w5", "2c52000000000000" },
	{ "r2 *= -6", "27020000faffffff" },
	{ "w2 *= -6", "24020000faffffff" },
	{ "r3 /= r6", "3f63000000000000" },
	{ "w3 /= w6", "3c63000000000000" },
	{ "r3 /= 1", "3703000001000000" },
	{ "w3 /= 1", "3403000001000000" },
	{ "r5 |= r8", "4f85000000000000" },
	{ "w5 |= w8", "4c85000000000000" },
	{ "r5 |= 15", "470500000f000000" },
	{ "w5 |= 15", "440500000f000000" },
	{ "r6 &= r9", "5f96000000000000" },
	{ "w6 &= w9", "5c96000000000000" },
	{ "r6 &= 22", "5706000016000000" },
	{ "w6 &= 22", "5406000016000000" },
	{ "r7 ^= r0", "af07000000000000" },
	{ "w7 ^= w0", "ac07000000000000" },
	{ "r7 ^= 29", "a70700001d000000" },
	{ "w7 ^= 29", "a40700001d000000" },
	{ "r8 <<= r1", "6f18000000000000" },
	{ "w8 <<= w1", "6c18000000000000" },
	{ "r8 <<= 36", "6708000024000000" },
	{ "w8 <<= 36", "6408000024000000" },
	{ "r9 >>= r2", "7f29000000000000" },
	{ "w9 >>= w2", "7c29000000000000" },
	{ "r9 >>= 43", "770900002b000000" },
	{ "w9 >>= 43", "740900002b000000" },
	{ "r0 s>>= r3", "cf30000000000000" },
	{ "w0 s>>= w3", "cc30000000000000" },
	{ "r0 s>>= 50", "c700000032000000" },
	{ "w0 s>>= 50", "c400000032000000" },
	{ "r1 = r2", "bf21000000000000" },
	{ "w1 = w2", "bc21000000000000" },
	{ "r3 = -7", "b7030000f9ffffff" },
	{ "w3 = 0x7fffffff", "b4030000ffffff7f" },
	{ "r4 = -r4", "8704000000000000" },
	{ "w4 = -w4", "8404000000000000" },
	{ "r5 = 0x1122334455667788 ll", "18050000887766550000000044332211" },
	{ "r6 = 5 ll", "18060000050000000000000000000000" },
	{ "r7 = -1 ll", "18070000ffffffff00000000ffffffff" },
	{ "if r1 == r2 goto +3", "1d21030000000000" },
	{ "if w1 == w2 goto +3", "1e21030000000000" },
	{ "if r3 == 17 goto -2", "1503feff11000000" },
	{ "if w3 == -17 goto +32767", "1603ff7fefffffff" },
	{ "if r1 != r2 goto +3", "5d21030000000000" },
	{ "if w1 != w2 goto +3", "5e21030000000000" },
	{ "if r3 != 17 goto -2", "5503feff11000000" },
	{ "if w3 != -17 goto +32767", "5603ff7fefffffff" },
	{ "if r1 > r2 goto +3", "2d21030000000000" },
	{ "if w1 > w2 goto +3", "2e21030000000000" },
	{ "if r3 > 17 goto -2", "2503feff11000000" },
	{ "if w3 > -17 goto +32767", "2603ff7fefffffff" },
	{ "if r1 >= r2 goto +3", "3d21030000000000" },
	{ "if w1 >= w2 goto +3", "3e21030000000000" },
	{ "if r3 >= 17 goto -2", "3503feff11000000" },
	{ "if w3 >= -17 goto +32767", "3603ff7fefffffff" },
	{ "if r1 < r2 goto +3", "ad21030000000000" },
	{ "if w1 < w2 goto +3", "ae21030000000000" },
	{ "if r3 < 17 goto -2", "a503feff11000000" },
	{ "if w3 < -17 goto +32767", "a603ff7fefffffff" },
	{ "if r1 <= r2 goto +3", "bd21030000000000" },
	{ "if w1 <= w2 goto +3", "be21030000000000" },
	{ "if r3 <= 17 goto -2", "b503feff11000000" },
	{ "if w3 <= -17 goto +32767", "b603ff7fefffffff" },
	{ "if r1 s> r2 goto +3", "6d21030000000000" },
	{ "if w1 s> w2 goto +3", "6e21030000000000" },
	{ "if r3 s> 17 goto -2", "6503feff11000000" },
	{ "if w3 s> -17 goto +32767", "6603ff7fefffffff" },
	{ "if r1 s>= r2 goto +3", "7d21030000000000" },
	{ "if w1 s>= w2 goto +3", "7e21030000000000" },
	{ "if r3 s>= 17 goto -2", "7503feff11000000" },
	{ "if w3 s>= -17 goto +32767", "7603ff7fefffffff" },
	{ "if r1 s< r2 goto +3", "cd21030000000000" },
	{ "if w1 s< w2 goto +3", "ce21030000000000" },
	{ "if r3 s< 17 goto -2", "c503feff11000000" },
	{ "if w3 s< -17 goto +32767", "c603ff7fefffffff" },
	{ "if r1 s<= r2 goto +3", "dd21030000000000" },
	{ "if w1 s<= w2 goto +3", "de21030000000000" },
	{ "if r3 s<= 17 goto -2", "d503feff11000000" },
	{ "if w3 s<= -17 goto +32767", "d603ff7fefffffff" },
	{ "goto +5", "0500050000000000" },
	{ "goto -32768", "0500008000000000" },
	{ "exit", "9500000000000000" },
	{ "call 1", "8500000001000000" },
	{ "call 14", "850000000e000000" },
	{ "r1 = *(u8 *)(r2 + 1)", "7121010000000000" },
	{ "*(u8 *)(r10 - 8) = r3", "733af8ff00000000" },
	{ "r1 = *(u16 *)(r2 + 2)", "6921020000000000" },
	{ "*(u16 *)(r10 - 16) = r3", "6b3af0ff00000000" },
	{ "r1 = *(u32 *)(r2 + 4)", "6121040000000000" },
	{ "*(u32 *)(r10 - 32) = r3", "633ae0ff00000000" },
	{ "r1 = *(u64 *)(r2 + 8)", "7921080000000000" },
	{ "*(u64 *)(r10 - 64) = r3", "7b3ac0ff00000000" },
	{ "w1 = *(u32 *)(r2 + 4)", "6121040000000000" },
	{ "*(u8 *)(r1 + 0) = w2", "7321000000000000" },
	{ "*(u32 *)(r10 - 4) = w0", "630afcff00000000" },
	{ "r0 = *(u8 *)skb[14]", "300000000e000000" },
	{ "r0 = *(u16 *)skb[12]", "280000000c000000" },
	{ "r0 = *(u32 *)skb[r7]", "4070000000000000" },
	{ "r0 = *(u8 *)skb[r1]", "5010000000000000" },
	{ "lock *(u64 *)(r1 + 8) += r2", "db21080000000000" },
	{ "lock *(u32 *)(r1 - 4) += w2", "c321fcff00000000" },
	{ "lock *(u64 *)(r1 + 8) |= r2", "db21080040000000" },
	{ "lock *(u32 *)(r1 - 4) |= w2", "c321fcff40000000" },
	{ "lock *(u64 *)(r1 + 8) &= r2", "db21080050000000" },
	{ "lock *(u32 *)(r1 - 4) &= w2", "c321fcff50000000" },
	{ "lock *(u64 *)(r1 + 8) ^= r2", "db210800a0000000" },
	{ "lock *(u32 *)(r1 - 4) ^= w2", "c321fcffa0000000" },
	{ "r3 = be16 r3", "dc03000010000000" },
	{ "r3 = be32 r3", "dc03000020000000" },
	{ "r3 = be64 r3", "dc03000040000000" },
	{ "r3 = le16 r3", "d403000010000000" },
	{ "r3 = le32 r3", "d403000020000000" },
	{ "r3 = le64 r3", "d403000040000000" },
	{ "lock *(u64 *)(r1 + 0) += r2", "db21000000000000" },
	{ "r0 = cmpxchg_64(r1 + 0, r0, r6)", "db610000f1000000" },
	{ "r5 = atomic_fetch_add((u64 *)(r1 + 0), r5)", "db51000001000000" },
	{ "r5 = atomic_fetch_and((u64 *)(r1 + 0), r5)", "db51000051000000" },
	{ "r5 = atomic_fetch_xor((u64 *)(r1 + 0), r5)", "db510000a1000000" },
	{ "r5 = xchg_64(r1 + 0, r5)", "db510000e1000000" },
	{ "r6 = atomic_fetch_or((u64 *)(r1 + 0), r6)", "db61000041000000" },
};

/* What clang 14 cannot assemble: RFC 9669 sections 4 and 5, and the kernel's own extensions, as the verifier's log
 * writes them. */
static const struct row from_standard[] = {
	{ "r4 %= r7", "9f74000000000000" }, { "w4 %= 8", "9404000008000000" },
	{ "r1 s/= r2", "3f21010000000000" }, { "w1 s/= 5", "3401010005000000" },
	{ "r1 s%= 5", "9701010005000000" }, { "w1 s%= w2", "9c21010000000000" },
	{ "r1 = (s8)r2", "bf21080000000000" }, { "r1 = (s16)r2", "bf21100000000000" },
	{ "r1 = (s32)r2", "bf21200000000000" }, { "w1 = (s8)w2", "bc21080000000000" },
	{ "w1 = (s16)w2", "bc21100000000000" }, { "r1 = bswap16 r1", "d701000010000000" },
	{ "r1 = bswap32 r1", "d701000020000000" }, { "r1 = bswap64 r1", "d701000040000000" },
	{ "r1 = *(s8 *)(r2 +1)", "9121010000000000" }, { "r1 = *(s16 *)(r2 -2)", "8921feff00000000" },
	{ "r1 = *(s32 *)(r2 +0)", "8121000000000000" }, { "*(u64 *)(r10 -8) = -1", "7a0af8ffffffffff" },
	{ "*(u8 *)(r1 +0) = 0x41", "7201000041000000" }, { "gotol pc+70000", "0600000070110100" },
	{ "gotol -1", "06000000ffffffff" }, { "may_goto pc+3", "e500030000000000" },
	{ "gotox r3", "0d03000000000000" }, { "if r1 & 0x5 goto pc+2", "4501020005000000" },
	{ "if w1 & w2 goto pc+2", "4e21020000000000" }, { "if r1 != 0xffffffff goto pc+1", "55010100ffffffff" },
	{ "r0 = load_acquire((u64 *)(r1 +8))", "db10080000010000" },
	{ "w0 = load_acquire((u8 *)(r1 + 8))", "d310080000010000" },
	{ "store_release((u16 *)(r1 -8), r2)", "cb21f8ff10010000" },
	{ "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)", "db21000001000000" },
	{ "r2 = atomic_fetch_xor((u32 *)(r1 +4), r2)", "c3210400a1000000" },
	{ "r2 = atomic64_xchg((u64 *)(r1 +0), r2)", "db210000e1000000" },
	{ "r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)", "c3210000f1000000" },
	{ "r0 = *(u32 *)skb[r6 + -14]", "40600000f2ffffff" },
	{ "r1 = addr_space_cast(r2, 0, 1)", "bf21010001000000" }, { "r1 = addr_space_cast(r2, 0x1, 0x0)", "bf21010000000100" },
	{ "call bpf_map_lookup_elem#1", "8500000001000000" }, { "call map_lookup_elem", "8500000001000000" },
	{ "call bpf_get_prandom_u32", "8500000007000000" }, { "call unknown#4000", "85000000a00f0000" },
	{ "call pc+3", "8510000003000000" }, { "call pc-3#bpf_prog_6deef7357e7b4530_F", "85100000fdffffff" },
	{ "call kernel-function#1234", "85200000d2040000" }, { "call kernel-function#1234,2", "85200200d2040000" },
	{ "call bpf_cpumask_create#98765", "85200000cd810100" },
	{ "r1 = map[fd:5] ll", "18110000050000000000000000000000" },
	{ "r1 = map[fd:5][0]+8 ll", "18210000050000000000000008000000" },
	{ "r1 = map[idx:2] ll", "18510000020000000000000000000000" },
	{ "r1 = map[idx:2][0]+4", "18610000020000000000000004000000" },
	{ "r1 = btf[id:7] ll", "18310000070000000000000000000000" },
	{ "r1 = btf[id:7,fd:9] ll", "18310000070000000000000009000000" },
	{ "r1 = subprog[+3] ll", "18410000030000000000000000000000" },
	{ "r1 = subprog[-3] ll", "18410000fdffffff0000000000000000" },
	{ "(18) r2 = 0x5", "18020000050000000000000000000000" }, { "r2 = 0x5", "b702000005000000" },
	{ "r2 = 0xffffffff", "18020000ffffffff0000000000000000" }, { "w2 = 0xffffffff", "b4020000ffffffff" },
	{ "r2 = -0x80000000", "b702000000000080" }, { "r2 = 18446744073709551615", "18020000ffffffff00000000ffffffff" },
	{ "  12: (b7) r0 = 0  ; R0=0", "b700000000000000" }, { "5: .12345.... (85) call pc+2", "8510000002000000" },
	{ "r0 = 1 // one", "b700000001000000" }, { "\tr0=1# one\r", "b700000001000000" },
	{ "if r1==r2 goto +0x2 <LBB0_3>", "1d21020000000000" }, { "r1=*(u8*)(r2+1)", "7121010000000000" },
	{ "*(u8 *)(r2) = r1", "7312000000000000" }, { "r1 = *(u8 *)(r2 + -1)", "7121ffff00000000" },
	{ "      56:\tc3 21 00 00 e1 00 00 00\tw2 = xchg32_32(r1 + 0x0, w2)", "c3210000e1000000" }, /* LLVM 22 */
	{ "w0 = cmpxchg32_32(r1 - 0x8, w0, w2)", "c321f8fff1000000" }, { "r1 = *(s16 *)(r2 - 0x2)", "8921feff00000000" },
	{ "*(u64 *)(r10 - 0x8) = -0x1", "7a0af8ffffffffff" }, { "w0 += -0x14", "04000000ecffffff" },
	{ "may_goto +0x3 <.text+0x128>", "e500030000000000" }, { "gotol +0x1b58 <.text+0xdbc8>", "06000000581b0000" },
	{ "if w3 s> -0x11 goto +0x5 <.text+0x168>", "66030500efffffff" }, { "call 0xe", "850000000e000000" },
	{ "r1 = addr_space_cast(r2, 0x0, 0x1)", "bf21010001000000" }, { "store_release((u8 *)(r1 - 0x8), w2)", "d321f8ff10010000" },
	{ "       0:\t18 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00\tr1 = 0 ll", "18010000000000000000000000000000" },
	{ "       3:\t85 10 00 00 02 00 00 00\tcall 2", "8510000002000000" },
};

/* -- helpers -- */

static struct ebpf_block *parse(const char *text, struct ebpf_error *err)
{
	struct ebpf_block *block = ebpf_block_new();

	if (block && ebpf_block_parse(block, text, err) < 0) {
		ebpf_block_free(block);
		return NULL;
	}
	return block;
}

static void to_hex(const uint8_t *bytes, size_t size, char *hex)
{
	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	hex[2 * size] = '\0';
}

/* Text and bytes say the same in both directions. */
static void check_row(const struct row *row)
{
	struct ebpf_error err = { 0 };
	struct ebpf_block *block = parse(row->text, &err), *again;
	const struct ebpf_insn *insns;
	struct ebpf_insn decoded[2];
	uint8_t bytes[16];
	char text[128], hex[33];
	bool swapped = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	size_t count;

	if (!block) {
		CHECK_STR(err.message, row->text);
		ebpf_error_clear(&err);
		return;
	}
	insns = ebpf_block_insns(block, &count);
	CHECK_INT(count, strlen(row->bytes) / 16);
	ebpf_insns_encode(insns, count, swapped, bytes);
	to_hex(bytes, count * 8, hex);
	CHECK_STR(hex, row->bytes);
	if (strcmp(hex, row->bytes) != 0)
		fprintf(stderr, "  (that was '%s')\n", row->text);
	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ bytes, count * 8, swapped }, decoded, &err), 0);
	CHECK(memcmp(decoded, insns, count * 8) == 0);
	ebpf_insn_print(&insns[0], count == 2 ? &insns[1] : NULL, text, sizeof(text));
	again = parse(text, &err);
	CHECK(again && again->count == count && memcmp(again->insns, insns, count * 8) == 0);
	ebpf_block_free(again);
	ebpf_block_free(block);
}

/* -- tests -- */

static void test_rows(void)
{
	for (size_t i = 0; i < EBPF_COUNT(from_clang); i++)
		check_row(&from_clang[i]);
	for (size_t i = 0; i < EBPF_COUNT(from_standard); i++)
		check_row(&from_standard[i]);
}

static bool round_trip(struct ebpf_insn insn, struct ebpf_insn next)
{
	struct ebpf_block *block;
	bool wide = ebpf_insn_is_wide(&insn), same;
	char text[128];

	CHECK(ebpf_insn_print(&insn, wide ? &next : NULL, text, sizeof(text)) < (int)sizeof(text));
	block = parse(text, NULL);
	same = block && block->count == (wide ? 2 : 1) && memcmp(&block->insns[0], &insn, 8) == 0 &&
	       (!wide || memcmp(&block->insns[1], &next, 8) == 0);
	if (!same)
		fprintf(stderr, "  code 0x%02x: '%s'\n", insn.code, text);
	ebpf_block_free(block);
	return same;
}

/* Every opcode with every kind of field: what is an instruction survives print and parse. */
static void test_round_trip(void)
{
	static const int16_t offs[] = { 0, 1, 8, 16, 32, -1, INT16_MAX, INT16_MIN };
	static const int32_t imms[] = { 0, 1, -1, 5, 16, 32, 64, INT32_MIN, INT32_MAX, 0x10000, 0x40, 0x50, 0xa0, 0x41, 0x51, 0xa1, 0xe1,
					0xf1, 0x100, 0x110 };
	static const uint8_t regs[] = { 0, 1, 2, 3, 4, 5, 6, 10, 11 };
	size_t sizes[] = { 256, EBPF_COUNT(regs), EBPF_COUNT(regs), EBPF_COUNT(offs), EBPF_COUNT(imms), 3 }, total = 1, valid = 0;
	bool seen[256] = { false };
	int codes = 0;

	for (size_t i = 0; i < EBPF_COUNT(sizes); i++)
		total *= sizes[i];
	for (size_t n = 0; n < total; n++) {
		size_t rest = n, at[6];
		struct ebpf_insn insn, next = { 0 };

		for (size_t i = 0; i < 6; i++) {
			at[i] = rest % sizes[i];
			rest /= sizes[i];
		}
		insn = (struct ebpf_insn){ .code = (uint8_t)at[0], .dst = regs[at[1]], .src = regs[at[2]], .off = offs[at[3]], .imm = imms[at[4]] };
		next.imm = at[5] == 2 ? -1 : (int32_t)at[5];
		if ((at[5] && !ebpf_insn_is_wide(&insn)) || ebpf_insn_check(&insn, &next))
			continue;
		valid++;
		codes += !seen[insn.code];
		seen[insn.code] = true;
		CHECK(round_trip(insn, next));
		if (test_failures > 20)
			return;
	}
	/* 53 of arithmetic, 50 jumps and calls, 19 loads and stores, 6 loads of packet bytes, the wide load */
	CHECK_INT(codes, 129);
	CHECK(valid > 50000);
}

static void test_refused_insns(void)
{
	static const struct ebpf_insn none = { 0 };
	static const struct ebpf_insn refused[] = {
		{ .code = 0xff }, { .code = 0x8d }, { .code = 0xe7 }, { .code = 0xdf, .imm = 16 }, { .code = 0x99 }, { .code = 0x38 },
		{ .code = 0x00 }, { .code = 0x86 }, { .code = 0x96 }, { .code = 0x0e }, { .code = 0xc2 },
		{ .code = 0xb7, .src = 1 }, { .code = 0xb7, .off = 1 }, { .code = 0xbf, .imm = 1 }, { .code = 0xbf, .off = 2 },
		{ .code = 0xbf, .off = -1 }, { .code = 0xbc, .off = 32 }, { .code = 0xbc, .off = 1 }, { .code = 0xb7, .dst = 11 },
		{ .code = 0xbf, .src = 15 }, { .code = 0x87, .imm = 1 }, { .code = 0x8f }, { .code = 0xd4, .imm = 8 },
		{ .code = 0x37, .off = 2 }, { .code = 0x05, .imm = 1 }, { .code = 0x06, .off = 1 }, { .code = 0x95, .imm = 1 },
		{ .code = 0x85, .src = 3 }, { .code = 0x85, .off = 1 }, { .code = 0x85, .dst = 1 }, { .code = 0xe5, .src = 1 },
		{ .code = 0x61, .imm = 1 }, { .code = 0x62, .src = 1 }, { .code = 0x63, .imm = 1 }, { .code = 0xdb, .imm = 2 },
		{ .code = 0xcb, .imm = 0 }, { .code = 0xd3, .imm = 0xe1 }, { .code = 0x20, .src = 1 }, { .code = 0x20, .off = 1 },
		{ .code = 0x18, .src = 7 }, { .code = 0x18, .off = 1 },
	};
	struct ebpf_insn wide = { .code = 0x18, .src = 1 }, upper = { .imm = 1 }, second = { .code = 0xb7 };
	char text[128];

	for (size_t i = 0; i < EBPF_COUNT(refused); i++) {
		CHECK(ebpf_insn_check(&refused[i], &none) != NULL);
		ebpf_insn_print(&refused[i], NULL, text, sizeof(text));
		CHECK(!parse(text, NULL) || refused[i].code == 0xbf);
	}
	CHECK(ebpf_insn_check(&wide, NULL) && ebpf_insn_check(&wide, &upper) && ebpf_insn_check(&wide, &second));
	CHECK(!ebpf_insn_check(&wide, &none));
	/* what the kernel makes of a program has forms that no program may have; a dump shows them */
	ebpf_insn_print(&(struct ebpf_insn){ .code = 0xbf, .dst = 1, .src = 2, .off = -1 }, NULL, text, sizeof(text));
	CHECK_STR(text, "r1 = &(void __percpu *)(r2)");
	ebpf_insn_print(&(struct ebpf_insn){ .code = 0xc2 }, NULL, text, sizeof(text));
	CHECK_STR(text, "nospec");
	CHECK_INT(ebpf_insn_print(&(struct ebpf_insn){ .code = 0x95 }, NULL, text, 3), 4);
	CHECK_STR(text, "ex");
	CHECK_INT(ebpf_insn_print(&(struct ebpf_insn){ .code = 0x95 }, NULL, NULL, 0), 4);
}

static void test_decode(void)
{
	/* r1 = 0x1122334455667788 ll; *(u64 *)(r10 -8) = r1, in both orders */
	static const uint8_t little[] = { 0x18, 0x01, 0, 0, 0x88, 0x77, 0x66, 0x55, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
					  0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0 };
	static const uint8_t big[] = { 0x18, 0x10, 0, 0, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44,
				       0x7b, 0xa1, 0xff, 0xf8, 0, 0, 0, 0 };
	bool host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	struct ebpf_insn a[3], b[3], wrong[2] = { { .code = 0x18 }, { .code = 0x95 } };
	struct ebpf_error err = { 0 };
	struct ebpf_buffer text = { 0 };
	uint8_t bytes[24];

	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ little, 24, host_is_big }, a, &err), 0);
	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ big, 24, !host_is_big }, b, &err), 0);
	CHECK(memcmp(a, b, sizeof(a)) == 0);
	CHECK(a[0].dst == 1 && a[2].dst == 10 && a[2].src == 1 && a[2].off == -8 && a[1].imm == 0x11223344);
	ebpf_insns_encode(a, 3, !host_is_big, bytes);
	CHECK(memcmp(bytes, big, 24) == 0);
	ebpf_insns_encode(a, 3, host_is_big, bytes);
	CHECK(memcmp(bytes, little, 24) == 0);
	ebpf_insns_print(a, 3, &text);
	CHECK_STR(text.data, "   0: (18) r1 = 0x1122334455667788 ll\n   2: (7b) *(u64 *)(r10 -8) = r1\n");
	ebpf_buffer_free(&text);

	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ little, 23, host_is_big }, a, &err), -EINVAL);
	CHECK_STR(err.message, "code of 23 bytes: not a multiple of 8");
	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ little, 8, host_is_big }, a, &err), -EINVAL);
	CHECK_STR(err.message, "instruction 0: wide load without its second slot");
	ebpf_insns_encode(wrong, 2, false, bytes);
	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ bytes, 16, false }, a, &err), -EINVAL);
	CHECK_INT(ebpf_insns_decode((struct ebpf_span){ NULL, 0, false }, a, &err), 0);
	ebpf_error_clear(&err);
}

static void test_blocks(void)
{
	struct ebpf_error err = { 0 };
	struct ebpf_block *block = parse("r1 = 1\n"
					 "again: r1 += 1\n"
					 "if r1 < 10 goto again\n"
					 "if r1 == 5 goto out\n"
					 "r2 = map events ll\n"
					 "r3 = map_value .rodata+16 ll\n"
					 "r4 = func callback ll\n"
					 "r5 = extern LINUX_KERNEL_VERSION ll\n"
					 "call helper_of_mine\n"
					 "call kfunc bpf_task_from_pid\n"
					 "call local\n"
					 "out:\n"
					 "exit\n"
					 "local: r0 = 0\n"
					 "exit\n", &err);
	enum ebpf_reference kind;
	const struct ebpf_insn *insns;
	struct ebpf_buffer text = { 0 }, again = { 0 };
	const char *name;
	int64_t addend;
	uint32_t at;
	size_t count;

	CHECK_STR(err.message, "");
	if (!block)
		return;
	CHECK(ebpf_block_get_jump(block, 1, &name, &at) && at == 3 && strcmp(name, "out") == 0);
	CHECK(ebpf_block_get_label(block, 0, &name, &at) && at == 1 && strcmp(name, "again") == 0);
	CHECK(!ebpf_block_get_label(block, 3, &name, &at));
	CHECK_INT(ebpf_block_finish(block, &err), 0);
	CHECK_INT(ebpf_block_finish(block, &err), 0);
	insns = ebpf_block_insns(block, &count);
	CHECK_INT(count, 18);
	CHECK_INT(insns[2].off, -2);
	CHECK_INT(insns[3].off, 11);
	CHECK(insns[4].src == 1 && insns[6].src == 2 && insns[8].src == 4 && insns[10].src == 0);
	CHECK(insns[12].src == 1 && insns[12].imm == -1 && insns[13].src == 2 && insns[13].imm == -1);
	CHECK(insns[14].src == 1 && insns[14].imm == 1); /* within the block */
	CHECK(ebpf_block_get_reference(block, 1, &kind, &name, &addend, &at));
	CHECK(kind == EBPF_REF_MAP_VALUE && at == 6 && addend == 16 && strcmp(name, ".rodata") == 0);
	CHECK(ebpf_block_get_reference(block, 5, &kind, &name, &addend, &at) && kind == EBPF_REF_EXTERN && at == 13);
	CHECK(!ebpf_block_get_reference(block, 6, &kind, &name, &addend, &at));

	/* the listing can be read again */
	ebpf_insns_print(insns, count, &text);
	CHECK(strstr(text.data, "   2: (a5) if r1 < 0xa goto pc-2 <1>\n") != NULL);
	ebpf_block_free(block);
	block = parse(text.data, &err);
	if (block)
		ebpf_insns_print(block->insns, block->count, &again);
	CHECK_STR(again.data, text.data);
	ebpf_block_free(block);
	ebpf_buffer_free(&text);
	ebpf_buffer_free(&again);
	ebpf_error_clear(&err);
}

/* The error that finishing a block gives. */
static void check_finish(const char *text, int code, const char *message)
{
	struct ebpf_error err = { 0 };
	struct ebpf_block *block = parse(text, &err);

	CHECK_STR(err.message, "");
	if (block)
		CHECK_INT(ebpf_block_finish(block, &err), code);
	CHECK_STR(err.message, message);
	ebpf_block_free(block);
	ebpf_error_clear(&err);
}

/* Functions, lines of source, variables and CO-RE: what the text says comes out of the block. */
static void test_notes(void)
{
	struct ebpf_error err = { 0 };
	struct ebpf_block *block = parse("int main(struct ctx *c):\n"
					 "; first @ dir/a b.c:12:3\n"
					 "; return 0; @ x.c:7\n"
					 "   0: (18) r1 = var counter+4 ll   ; R1=5\n"
					 "r2 = var counter ll\n"
					 ";\n"
					 "; no place @ all @ 12\n"
					 "\t call sum # a comment\n"
					 "exit\n"
					 "static int sum ( struct p { int a; int b; } *p ):  ; two\n"
					 "r0 = *(u32 *)(r1 +8)\n"
					 "\t\t0000000000000008:  CO-RE <byte_off> [7] struct foo::b[1].x (0:1:1:0)\n"
					 "; x++; [file:/a/x.c line_num:5 line_col:9]\n"
					 "w0 = 1\n"
					 "CO-RE <type_exists> union u\n"
					 "exit", &err);
	static const struct ebpf_source_line lines[] = {
		{ 0, "x.c", "return 0;", 7, 0 }, { 4, "", "no place @ all @ 12", 0, 0 }, { 7, "/a/x.c", "x++;", 5, 9 },
	};
	const char *name, *type, *access;
	struct ebpf_source_line line;
	enum ebpf_reference kind;
	uint32_t at, core;
	int64_t addend;

	CHECK_STR(err.message, "");
	if (!block)
		return;
	for (size_t i = 0; i < EBPF_COUNT(lines); i++) {
		CHECK(ebpf_block_get_line(block, i, &line));
		CHECK_INT(line.insn, lines[i].insn);
		CHECK_STR(line.file, lines[i].file);
		CHECK_STR(line.text, lines[i].text);
		CHECK(line.number == lines[i].number && line.column == lines[i].column);
	}
	CHECK(!ebpf_block_get_line(block, 3, &line));
	CHECK(ebpf_block_get_function(block, 0, &name, &at) && at == 0 && !strcmp(name, "int main(struct ctx *c)"));
	CHECK(ebpf_block_get_function(block, 1, &name, &at) && at == 6 && !strcmp(name, "static int sum ( struct p { int a; int b; } *p )"));
	CHECK(!ebpf_block_get_function(block, 2, &name, &at) && !ebpf_block_get_label(block, 0, &name, &at));
	CHECK(ebpf_block_get_reference(block, 0, &kind, &name, &addend, &at) && kind == EBPF_REF_VARIABLE && addend == 4);
	CHECK(block->insns[0].src == EBPF_PSEUDO_MAP_VALUE);
	CHECK(ebpf_block_get_core(block, 0, &core, &type, &access, &at) && core == 0 && at == 6);
	CHECK_STR(type, "struct foo");
	CHECK_STR(access, "0:1:1:0");
	CHECK(ebpf_block_get_core(block, 1, &core, &type, &access, &at) && core == 8 && at == 7);
	CHECK_STR(type, "union u");
	CHECK_STR(access, "0");
	CHECK(!ebpf_block_get_core(block, 2, &core, &type, &access, &at));
	CHECK_INT(ebpf_block_finish(block, &err), 0);
	CHECK_INT(block->insns[4].imm, 1);
	CHECK_INT(ebpf_block_function(block, "int sum(void)", &err), -EEXIST);
	CHECK_STR(err.message, "label 'sum' is defined twice");
	CHECK_INT(ebpf_block_function(block, "int", &err), -EINVAL);
	CHECK_INT(ebpf_block_core(block, 99, "int", "0", &err), -EINVAL);
	CHECK_INT(ebpf_block_core(block, 1, "int", "0", &err), 0);
	CHECK_INT(ebpf_block_core(block, 1, "int", "0", &err), -EINVAL);
	CHECK_INT(ebpf_block_line(block, &(struct ebpf_source_line){ .text = "a" }, &err), 0);
	CHECK_INT(ebpf_block_line(block, &(struct ebpf_source_line){ .text = "b" }, &err), 0);
	CHECK(ebpf_block_get_line(block, 3, &line) && line.insn == 8 && !strcmp(line.text, "b") && !*line.file);
	ebpf_block_free(block);
	block = ebpf_block_new();
	CHECK_INT(ebpf_block_line(block, &(struct ebpf_source_line){ .text = "a" }, &err), -EINVAL);
	CHECK_INT(ebpf_block_core(block, 1, "int", "0", &err), -EINVAL);
	ebpf_block_free(block);
	ebpf_error_clear(&err);

	check_finish("int f(void):\nr0 = 0\nexit\nint g(void):", -EINVAL, "function 'g' has no instructions");
	check_finish("int f(void):\nint g(void):\nexit", -EINVAL, "function 'f' has no instructions");
	check_finish("goto pc+1\nexit\nint g(void):\nr0 = 0\nexit", -EINVAL,
		     "instruction 0: jump to 2, which is in another function ('g')");
	check_finish("exit\nint g(void):\ngoto pc-2\nexit", -EINVAL, "instruction 1: jump to 0, which is in another function");
	check_finish("call g\nexit\nint g(void):\nif r1 == 0 goto g\nexit", 0, "");
	check_finish("call go\nexit\nint g(void):\ngoto f\nexit", -ENOENT, "instruction 2: label 'f' is not defined");
}

/* A whole listing of llvm-objdump -dr. */
static void test_objdump(void)
{
	struct ebpf_error err = { 0 };
	struct ebpf_block *block = parse("\n/tmp/x.o:\tfile format elf64-bpf\n"
					 "\nDisassembly of section xdp:\n"
					 "\n0000000000000000 <f>:\n"
					 "       0:\t18 01 00 00 08 00 00 00 00 00 00 00 00 00 00 00\tr1 = 8 ll\n"
					 "\t\t0000000000000000:  R_BPF_64_64\t.bss\n"
					 "       2:\t18 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00\tr2 = 0 ll\n"
					 "\t\t0000000000000010:  R_BPF_64_64\tcounts\n"
					 "       4:\t85 10 00 00 ff ff ff ff\tcall -1\n"
					 "\t\t0000000000000020:  R_BPF_64_32\tglobal\n"
					 "       5:\t85 10 00 00 01 00 00 00\tcall 0x1\n"
					 "\t\t0000000000000028:  R_BPF_64_32\t.text\n"
					 "       6:\t95 00 00 00 00 00 00 00\texit\n"
					 "       7:\t95 00 00 00 00 00 00 00\texit\n", &err);
	enum ebpf_reference kind;
	const char *name;
	int64_t addend;
	uint32_t at;

	CHECK_STR(err.message, "");
	if (!block)
		return;
	CHECK_INT(block->count, 8);
	CHECK(ebpf_block_get_reference(block, 0, &kind, &name, &addend, &at) && kind == EBPF_REF_MAP_VALUE && addend == 8);
	CHECK_STR(name, ".bss");
	CHECK(ebpf_block_get_reference(block, 1, &kind, &name, &addend, &at) && kind == EBPF_REF_MAP && at == 2);
	CHECK(ebpf_block_get_reference(block, 2, &kind, &name, &addend, &at) && kind == EBPF_REF_CALL && at == 4);
	CHECK(!ebpf_block_get_reference(block, 3, &kind, &name, &addend, &at));
	CHECK_INT(ebpf_block_finish(block, &err), 0);
	ebpf_block_free(block);
	ebpf_error_clear(&err);
}

static void test_ranges(void)
{
	struct ebpf_block *block = ebpf_block_new();
	struct ebpf_error err = { 0 };
	struct ebpf_insn go = { .code = EBPF_JA }, far = { .code = EBPF_GOTOL }, nop = { .code = 0xb7 };

	check_finish("goto nowhere\nnowhre: exit", -ENOENT, "instruction 0: label 'nowhere' is not defined");
	check_finish("goto pc+1\nexit", -EINVAL, "instruction 0: jump to 2, outside of the block, which has 2");
	check_finish("exit\ngoto -3", -EINVAL, "instruction 1: jump to -1, outside of the block, which has 2");
	check_finish("goto end\nend:", -EINVAL, "instruction 0: jump to 1, outside of the block, which has 1");
	check_finish("goto +1\nr1 = 5 ll\nexit", -EINVAL, "instruction 0: jump to 2, the second slot of a wide load");
	check_finish("call pc+5\nexit", -EINVAL, "instruction 0: call of 6, outside of the block, which has 2");
	check_finish("", 0, "");

	/* to the last slot that a jump reaches, and one further */
	for (int distance = 32767; distance <= 32768; distance++) {
		ebpf_block_free(block);
		block = ebpf_block_new();
		CHECK_INT(ebpf_block_add(block, go, 0, &err), 0);
		CHECK_INT(ebpf_block_jump(block, "end", &err), 0);
		CHECK_INT(ebpf_block_add(block, far, 0, &err), 0);
		CHECK_INT(ebpf_block_jump(block, "end", &err), 0);
		for (int i = 1; i < distance; i++)
			ebpf_block_add(block, nop, 0, &err);
		CHECK_INT(ebpf_block_label(block, "end", &err), 0);
		CHECK_INT(ebpf_block_add(block, nop, 0, &err), 0);
		CHECK_INT(ebpf_block_finish(block, &err), distance == 32767 ? 0 : -ERANGE);
		if (distance == 32767)
			CHECK(block->insns[0].off == 32767 && block->insns[1].imm == 32766);
		else
			CHECK_STR(err.message, "instruction 0: label 'end' is 32768 instructions away, and a jump reaches 32767");
	}
	CHECK_INT(ebpf_block_label(block, "end", &err), -EEXIST);
	CHECK_INT(ebpf_block_jump(block, "end", &err), -EINVAL);
	CHECK_INT(ebpf_block_refer(block, EBPF_REF_MAP, "m", 0, &err), -EINVAL);
	CHECK_INT(ebpf_block_add(block, (struct ebpf_insn){ .code = 0xff }, 0, &err), -EINVAL);
	ebpf_block_free(block);
	ebpf_block_free(NULL);
	ebpf_error_clear(&err);
}

static void test_parse_errors(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "r0 = 2\nr11 = 1", "line 2, column 1: there is no register r11" },
		{ "r0 = 2 2", "line 1, column 8: expected the end of the line, not '2'" },
		{ "r0 =", "line 1, column 5: expected a register, a number, or an operation that gives a value, not the end of the line" },
		{ "  jump 5", "line 1, column 3: expected an instruction or a label, not 'jump'" },
		{ "r0 += 4294967296", "line 1, column 7: constant 4294967296 does not fit: from -2147483648 to 2147483647" },
		{ "r0 += 0xffffffff", "line 1, column 7: constant 4294967295 does not fit: from -2147483648 to 2147483647" },
		{ "w0 = 4294967296", "line 1, column 6: constant does not fit in 32 bits" },
		{ "w0 = 5 ll", "line 1, column 6: a wide load needs a 64-bit register: r0, not w0" },
		{ "r0 = w1", "line 1, column 8: one side has 64 bits (r), the other 32 (w)" },
		{ "r0 = 99999999999999999999 ll", "line 1, column 6: a number of more than 64 bits" },
		{ "r0 = 0x", "line 1, column 8: not a digit of a number" },
		{ "r0 = 12ab", "line 1, column 8: not a digit of a number" },
		{ "r1 = *(u8 *)(r2 +40000)", "line 1, column 17: offset 40000 does not fit: from -32768 to 32767" },
		{ "goto +32768", "line 1, column 6: jump by 32768 does not fit: from -32768 to 32767" },
		{ "goto 5", "line 1, column 6: expected a label, or a distance such as +3, -3 or pc+3, not '5'" },
		{ "if r1 = 5 goto x", "line 1, column 7: expected a comparison such as '==' or 's>', not '='" },
		{ "if r1 == 5 got x", "line 1, column 12: expected 'goto', not 'got'" },
		{ "*(s8 *)(r1 +0) = 1", "line 1, column 17: a store has no sign: u8 to u64" },
		{ "*(u64 *)(r1 +0) = w1", "line 1, column 21: 64 bits and a 32-bit register (w)" },
		{ "r1 = be8 r1", "line 1, column 6: expected a register, a number, or an operation that gives a value, not 'be8'" },
		{ "r1 = be16 r2", "line 1, column 13: works in place: both sides must be r1" },
		{ "r3 = atomic_fetch_add((u32 *)(r1 +0), r2)", "line 1, column 41: the operation gives back in the register that it takes, r2" },
		{ "lock *(u16 *)(r1 +0) += r2", "line 1, column 1: atomic operation on other than 32 or 64 bits" },
		{ "(b7) w0 = 5", "line 1, column 6: the text is instruction 0xb4, what is before it says 0xb7" },
		{ "a:\nb: a: exit", "line 2, column 4: label 'a' is defined twice" },
		{ "r1 = (s64)r2", "line 1, column 7: expected s8, s16 or s32, not 's64'" },
		{ "w1 = (s32)w2", "line 1, column 1: sign extension of 32 bits into 32 bits" },
		{ "r1 = &(void __percpu *)(r2)", "line 1, column 7: expected a name, not '('" },
		{ "int f(void):\nexit\nint f(int a):", "line 3, column 1: label 'f' is defined twice" },
		{ "exit\n12345678:  R_BPF_64_64", "line 2, column 12: expected an instruction or a label, not 'R_BPF_64_64'" },
		{ "exit\nCO-RE <offset> x", "line 2, column 15: there is no CO-RE relocation <offset>" },
		{ "exit\nCO-RE <enumval_value> enum e::A = 1", "line 2, column 23: an enumerator needs its number, as in '(0)', behind it" },
		{ "exit\nCO-RE byte_off", "line 2, column 7: expected '<', not 'byte_off'" },
		{ "\xc3\xa4", "line 1, column 1: expected an instruction or a label, not '\xc3\xa4'" },
	};

	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		struct ebpf_error err = { 0 };
		struct ebpf_block *block = parse(rows[i].text, &err);

		CHECK(!block);
		CHECK(ebpf_starts_with(err.message, "assembly, "));
		CHECK_STR(err.message + strlen("assembly, "), rows[i].message);
		ebpf_block_free(block);
		ebpf_error_clear(&err);
	}
}

/* Any text gives code or an error: every row of the tables with each of its letters replaced, left out, or cut off
 * behind it. */
static void mangle(const char *text)
{
	static const char letters[] = "r9-+*(<&:;# x\t~";
	size_t length = strlen(text);
	char copy[256];

	for (size_t at = 0; at < length; at++) {
		for (size_t i = 0; i <= sizeof(letters); i++) {
			memcpy(copy, text, length + 1);
			if (i == sizeof(letters))
				memmove(copy + at, copy + at + 1, length - at);
			else
				copy[at] = letters[i]; /* the last is the NUL */
			ebpf_block_free(parse(copy, NULL));
		}
	}
}

static void test_mangled(void)
{
	for (size_t i = 0; i < EBPF_COUNT(from_clang); i++)
		mangle(from_clang[i].text);
	for (size_t i = 0; i < EBPF_COUNT(from_standard); i++)
		mangle(from_standard[i].text);
}

int main(void)
{
	test_rows();
	test_round_trip();
	test_refused_insns();
	test_decode();
	test_blocks();
	test_notes();
	test_objdump();
	test_ranges();
	test_parse_errors();
	test_mangled();
	return TEST_RESULT();
}
