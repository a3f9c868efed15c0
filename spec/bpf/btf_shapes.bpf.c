// SPDX-License-Identifier: MIT
// Types of every shape that C can give them: packed, aligned, with holes, bit fields and nameless members; and declarations that are hard to write.
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ALIGNED(n) __attribute__((aligned(n)))
#define PACKED __attribute__((packed))

// -- layouts --

struct empty {};
struct empty_aligned {} ALIGNED(8);
struct empty_sized { char a[0]; int b[0]; } ALIGNED(16);
union wide { int a; } ALIGNED(8);
union odd { char a; __u8 b[3]; } ALIGNED(4);
union very_wide { int a; } ALIGNED(64);
union packed_union { int a; char b[5]; } PACKED;
union packed_aligned { __u64 a; char b[9]; } PACKED ALIGNED(2);
struct aligned16 { int a; } ALIGNED(16);
struct cache_line { int a; char b ALIGNED(64); };
struct packed4 { char a; int b; __u64 c; } PACKED ALIGNED(4);
struct packed_inside { char x; struct packed4 y; char z; };
struct aligned_inside { char a; struct aligned16 b; char c; };
struct aligned_members { char a; int b ALIGNED(16); char c ALIGNED(8); };
struct wide_int { char a; __int128 b; char c; };
struct wide_int_alone { unsigned __int128 b; };
struct wide_int_packed { char a; __int128 b; } PACKED;
struct bits1 { __u32 a : 3; __u32 : 0; __u32 b : 5; __u64 c : 40; __u8 d : 2; __u16 e; };
struct bits2 { __u8 a; __u32 b : 4; __u8 c; __u64 d : 33; };
struct bits3 { __u8 a; __u32 b : 4; __u8 c; __u64 d : 33; } PACKED;
struct bits4 { __u32 : 7; __u32 b : 4; char : 0; __u8 c; long : 0; };
struct bits5 { bool a : 1; bool b : 1; int c : 30; int d : 31; long long e : 63; };
struct bits6 { __u64 a : 1; __u32 b; };
struct bits7 { __u64 a : 1; char b; };
struct bits8 { char a; __u64 b : 20; };
struct bits9 { __u64 : 20; };
struct bits10 { int a : 3; int : 29; int : 32; int b; };
struct bits11 { char c; int a : 9; int b : 9 ALIGNED(8); };
struct nameless {
	int a;
	struct { char b; __u64 c; };
	union { int d; char e[9]; } ALIGNED(4);
	struct { char q; } PACKED;
	int z;
};
struct nameless_aligned { char a; struct { char b; } ALIGNED(4); char c; };
struct nameless_wide { char a; union { char b; char c; } ALIGNED(8); char d; };
struct flexible { int n; char d[]; };
struct flexible_padded { __u64 n; __u16 k; __u8 d[]; };
struct arrays { struct aligned16 a[3]; struct packed4 b[2]; };
struct deep { struct { struct { int x ALIGNED(32); } y; } z; char w; };
enum byte_enum { BYTE_A = 1, BYTE_B = 200 } PACKED;
enum short_enum { SHORT_A = 300 } PACKED;
enum wide_enum { WIDE_A = 1ULL << 40, WIDE_B = 5 };
enum signed_enum { SIGNED_A = -1, SIGNED_B = 5 };
enum wide_signed_enum { WIDE_SIGNED_A = -1LL << 40, WIDE_SIGNED_B = 7 };
struct enums { char x; enum byte_enum a; enum short_enum b; char y; enum wide_enum c; enum signed_enum d : 4; enum byte_enum e : 3;
	       enum wide_signed_enum f; };
struct floats { char a; double b; float c; };
struct tail { __u64 a; __u8 b; } PACKED ALIGNED(8);
struct tail_wide { __u32 a; __u8 b; } ALIGNED(32);
struct padding_member { __u64 a; struct {} pad ALIGNED(64); __u64 b; };
struct aligned2 { __u16 a; } ALIGNED(2);
typedef int aligned_int ALIGNED(8);
struct of_aligned_int { char a; aligned_int b; };
typedef __u64 half_aligned ALIGNED(4);
struct of_half_aligned { char a; half_aligned b; };
union of_packed { struct { char a; __u32 b; } PACKED; __u16 c; };
union of_aligned { struct { __u64 a; __u8 b; } ALIGNED(16) x; int y; };
struct of_unions { char a; union wide b; union packed_aligned c; union odd d; union very_wide e; union packed_union f; };
struct of_empty { int a; struct empty_aligned e; int b; struct {} f; char c; };
struct aligned_bits { __u8 a : 4; __u8 b : 4; __u16 c : 12 ALIGNED(4); };

// -- declarations --

struct later;
typedef struct later *later_ptr;
typedef int (*operation)(struct later *, const char *, ...);
typedef int plain_function(void);
typedef operation (*factory)(int (*)(void), struct later **);
typedef const volatile int *const *const_chain[3][4];
typedef struct { int x; } nameless_typedef;
typedef enum { NAMELESS_ONE = 1 } nameless_enum;
struct list { struct list *next, **back; };
struct later {
	struct list list;
	later_ptr self;
	operation op, ops[4];
	plain_function *plain;
	factory make;
	const_chain chain;
	int (*array_pointer)[7];
	int *(*(*function_of_function)(void))(int);
	void (*takes_nameless)(struct { int in; } *);
	nameless_typedef t;
	nameless_enum e;
	enum { INLINE_A, INLINE_B = 9 } inline_enum;
	volatile const void *const restrict_me;
	struct { struct later *parent; union { int u; struct list l; }; } inner[2];
	_Bool flag;
	char text[16];
	unsigned char raw[6];
	void *pointer;
	struct pair___old { int a; } flavour;
};

struct all {
	struct empty e0; struct empty_aligned e1; struct empty_sized e2;
	union wide u0; union odd u1; union very_wide u2; union packed_union u3; union packed_aligned u4;
	struct aligned16 a0; struct cache_line a1; struct packed4 a2; struct packed_inside a3; struct aligned_inside a4;
	struct aligned_members a5; struct wide_int w0; struct wide_int_alone w1; struct wide_int_packed w2;
	struct bits1 b1; struct bits2 b2; struct bits3 b3; struct bits4 b4; struct bits5 b5; struct bits6 b6; struct bits7 b7; struct bits8 b8;
	struct bits9 b9; struct bits10 b10; struct bits11 b11;
	struct nameless n0; struct nameless_aligned n1; struct nameless_wide n2; struct flexible *f0; struct flexible_padded *f1;
	struct arrays r0; struct deep d0; struct enums m0; struct floats l0; struct tail t0; struct tail_wide t1; struct padding_member p0;
	struct aligned2 a6; struct of_aligned_int o0; struct of_half_aligned o1; union of_packed o2; union of_aligned o3; struct of_unions o4;
	struct of_empty o5; struct aligned_bits b12; struct later later;
};

// The verifier is asked for nothing: these are there for their types.
struct all all;
struct flexible flexible = {};
struct flexible_padded flexible_padded = {};

SEC("socket")
int first(void *context)
{
	return all.a0.a + flexible.n + flexible_padded.k;
}

char _license[] SEC("license") = "GPL";
