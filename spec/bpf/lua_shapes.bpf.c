// SPDX-License-Identifier: MIT
// A value of every shape that a record can have, with numbers that tell one byte from another, as initial data and as records: compiled for both
// byte orders, so that the same must come out of either.
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "../../src/bpf/records.bpf.h"

#define PACKED __attribute__((packed))

enum sign { MINUS = -1, NOTHING, PLUS = 300 };
enum wide { WIDE_ONE = 1, WIDE_HIGH = 0x8000000000000001 };
enum wide_sign { WIDE_MINUS = -0x123456789abLL, WIDE_PLUS = 7 };
enum level { LOW = 1, HIGH = 300 };
enum PACKED tiny_enum { TINY_A = 3, TINY_B = 200 };

typedef __be16 port_t; // through another typedef
struct point {
	__s16 x, y;
};
struct PACKED packed {
	__u8 a;
	__u32 b;
	__u16 c;
	__u64 d;
};
struct bits {
	__s32 five : 5, twelve : 12;
	__u64 wide : 37;
	bool flag : 1;
	__u8 three : 3;
	enum level level : 10;
	__u64 all : 64;
};

struct shapes {
	__u8 u8;
	__s8 s8;
	__u16 u16;
	__s16 s16;
	__u32 u32;
	__s32 s32;
	__u64 u64;
	__s64 s64;
	bool yes, no, flags[3];
	float single, singles[2];
	double real, reals[2];
	__int128 wide;
	unsigned __int128 wides[2];
	void *pointer;
	int *pointers[2];
	enum sign sign, signs[3];
	enum wide e64;
	enum wide_sign e64s;
	enum tiny_enum e8;
	struct bits bits;
	struct packed packed, packs[2];
	__u16 grid[2][3];
	__s8 cube[2][2][2];
	char text[8], full[4], utf8[12], names[2][6];
	__u8 raw[6];
	struct point points[2];
	union {
		__u32 word;
		struct point point;
		__u8 bytes[4];
	} choice;
	union {
		__u16 lifted;
		__u8 lifted_bytes[2];
	};
	struct {
		__u32 inside;
		struct {
			__u16 deeper;
		};
	};
	__be16 port;
	port_t other_port;
	__be32 address, addresses[2];
	__be64 number;
	__le32 little;
	__sum16 sum;
};

#define SHAPES                                                                                                                                \
	{                                                                                                                                     \
		.u8 = 0xfe, .s8 = -2, .u16 = 0xfedc, .s16 = -0x123, .u32 = 0xfedcba98, .s32 = -0x12345678, .u64 = 0xfedcba9876543210,         \
		.s64 = -0x123456789abcdef, .yes = true, .flags = { true, false, true }, .single = 1.5f, .singles = { -0.25f, 3e38f },          \
		.real = 0.1, .reals = { -1e300, 5e-324 }, .wide = -2, .wides = { (unsigned __int128)0x0123456789abcdef << 64 | 0xfedcba, 1 }, \
		.pointer = (void *)0x123456789abcdef0, .pointers = { 0, (int *)8 }, .sign = MINUS, .signs = { PLUS, NOTHING, MINUS },           \
		.e64 = WIDE_HIGH, .e64s = WIDE_MINUS, .e8 = TINY_B,                                                                           \
		.bits = { .five = -3, .twelve = -1234, .wide = 0x123456789a, .flag = true, .three = 5, .level = HIGH, .all = 0xfedcba9876543210 },  \
		.packed = { 1, 0x12345678, 0xabcd, 0x1122334455667788 }, .packs = { { 2, 3, 4, 5 }, { 6, 0x7000000, 0x800, 0x900000000000000 } },   \
		.grid = { { 1, 0x200, 3 }, { 4, 0x5000, 6 } }, .cube = { { { 1, -2 }, { 3, -4 } }, { { 5, -6 }, { 7, -8 } } },                 \
		.text = "text", .full = { 'f', 'u', 'l', 'l' }, .utf8 = "z\xc5\xbc\xc3\xb3\xc5\x82w", .names = { "one", "three" },              \
		.raw = { 1, 2, 3, 4, 5, 6 }, .points = { { 1, -2 }, { 0x300, -0x400 } }, .choice = { .point = { 0x102, 0x304 } },              \
		.lifted_bytes = { 0x12, 0x34 }, .inside = 0x1020304, .deeper = 0x506, NETWORK                                                  \
	}
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define NETWORK .port = 443, .other_port = 80, .address = 0x0a000001, .addresses = { 0x7f000001, 0xffffffff }, .number = 0x102030405060708, \
		.little = 0x04030201, .sum = 0x1234
#else
#define NETWORK .port = 0xbb01, .other_port = 0x5000, .address = 0x0100000a, .addresses = { 0x0100007f, 0xffffffff },                     \
		.number = 0x0807060504030201, .little = 0x01020304, .sum = 0x1234
#endif

// What ends where the record does.
struct points {
	__u32 count;
	struct point points[];
};
struct strings {
	__u16 count;
	char names[][4];
};
struct either { // a union of flexible arrays: C allows them only so
	__u32 count;
	union {
		struct {
			struct {} no_bytes;
			__u8 bytes[];
		};
		struct {
			struct {} no_words;
			__u32 words[];
		};
	};
};
struct both { // a union of lists that have a bound
	__u32 count;
	union {
		__u8 bytes[8];
		__u32 words[2];
		char text[7];
	};
};
struct nested { // a flexible array that is not the record's own
	__u32 id;
	struct points inner;
};

struct shapes shapes = SHAPES;
const struct shapes constants = SHAPES;
const volatile double ratio = 2.5;
__int128 huge = 1;
struct points some_points = { 2, { { 1, -2 }, { 0x300, -0x400 } } };
struct strings some_strings;
struct either some_words;
struct nested some_nested;
struct both some_both;

EBPF_RECORDS(events, 64 * 1024, struct shapes);
EBPF_RECORDS(tails, 64 * 1024, struct points);

SEC("socket")
int send(struct __sk_buff *skb)
{
	return EBPF_OUTPUT(events, &shapes, sizeof(shapes));
}

// `words` words behind a count: whatever type the reader takes them for.
SEC("socket")
int send_tail(struct __sk_buff *skb)
{
	__u32 words[5] = { 2, 0x64636261, 0x74737271, 0x84838281, 0 };

	words[4] = some_strings.count + some_words.count + some_nested.id + some_both.count + constants.u8 + (__u64)huge;
	EBPF_OUTPUT(tails, words, 12);
	EBPF_OUTPUT(tails, words, 4);
	return EBPF_OUTPUT(tails, words, 9);
}

char LICENSE[] SEC("license") = "GPL";
