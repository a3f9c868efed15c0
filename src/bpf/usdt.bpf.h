/* usdt.bpf.h -- for BPF programs on USDT probes: reading their arguments.
 *
 *     #include <ebpf/usdt.bpf.h>
 *
 *     SEC("usdt//usr/lib/libfoo.so:foo:request")
 *     int BPF_USDT(request, int id, const char *name)
 *     {
 *             ...
 *     }
 *
 * bpf_usdt_arg(ctx, n, &value)   argument n from 0: 0, or -ENOENT when the probe has fewer, -ESRCH, -EFAULT (value is 0 then)
 * bpf_usdt_arg_cnt(ctx)          how many there are
 * bpf_usdt_arg_size(ctx, n)      bytes of argument n
 * bpf_usdt_cookie(ctx)           the cookie that the attachment was given
 *
 * The names are those of libbpf's header of the same purpose, and so are the maps, which the loader fills: an object that was compiled
 * with the one or the other is loaded alike. It includes nothing, and goes with vmlinux.h, with the headers of linux-libc-dev, and
 * with neither. Compile for little-endian and big-endian machines alike. Kernels before 5.15, which have no cookies, find an
 * attachment by address and need -D__TARGET_ARCH_x86, _arm64, _s390 or _riscv.
 */
#ifndef EBPF_USDT_BPF_H
#define EBPF_USDT_BPF_H

#ifdef __USDT_BPF_H__
#error "libbpf's usdt.bpf.h is included already: one of the two is enough"
#endif

/* How many different lists of arguments there can be among the probes of the object, and how many places of probes on
 * kernels without cookies. */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif
#define BPF_USDT_MAX_ARG_CNT 12

/* Of struct pt_regs: the instruction pointer. */
#if defined(__TARGET_ARCH_x86)
#define EBPF_USDT_IP 128
#elif defined(__TARGET_ARCH_arm64)
#define EBPF_USDT_IP 256
#elif defined(__TARGET_ARCH_s390)
#define EBPF_USDT_IP 16
#elif defined(__TARGET_ARCH_riscv)
#define EBPF_USDT_IP 0
#endif

struct pt_regs;

/* The names of compilers for these types differ, and a map's types are told by their names. */
typedef unsigned long long ebpf_usdt_address;
typedef unsigned int ebpf_usdt_id;

struct ebpf_usdt_arg {
	unsigned long long value;  /* a constant, or what is added to a register */
	unsigned int kind;         /* 0 to 3 as below; shift of the index << 8, its place in pt_regs << 16 */
	short base;                /* place of the register in pt_regs */
	unsigned char is_signed;
	unsigned char spare_bits;  /* 64 less the bits of the argument */
};
enum { EBPF_USDT_CONSTANT, EBPF_USDT_REGISTER, EBPF_USDT_MEMORY, EBPF_USDT_INDEXED };
struct ebpf_usdt_spec {
	struct ebpf_usdt_arg args[BPF_USDT_MAX_ARG_CNT];
	unsigned long long cookie;
	short count;
};

struct {
	int (*type)[2]; /* BPF_MAP_TYPE_ARRAY */
	int (*max_entries)[BPF_USDT_MAX_SPEC_CNT];
	int *key;
	struct ebpf_usdt_spec *value;
} __bpf_usdt_specs __attribute__((section(".maps"), weak));

struct {
	int (*type)[1]; /* BPF_MAP_TYPE_HASH */
	int (*max_entries)[BPF_USDT_MAX_IP_CNT];
	ebpf_usdt_address *key;
	ebpf_usdt_id *value;
} __bpf_usdt_ip_to_spec_id __attribute__((section(".maps"), weak));

extern const _Bool LINUX_HAS_BPF_COOKIE __attribute__((section(".kconfig")));

static void *(*const ebpf_usdt_lookup)(void *map, const void *key) __attribute__((unused)) = (void *)1;
static long (*const ebpf_usdt_read_user)(void *to, unsigned int size, const void *from) __attribute__((unused)) = (void *)112;
static long (*const ebpf_usdt_read_kernel)(void *to, unsigned int size, const void *from) __attribute__((unused)) = (void *)113;
static unsigned long long (*const ebpf_usdt_attach_cookie)(void *context) __attribute__((unused)) = (void *)174;

#define EBPF_USDT_INLINE static inline __attribute__((always_inline, unused))
#define EBPF_USDT_FUNCTION static __attribute__((noinline, unused))

EBPF_USDT_INLINE struct ebpf_usdt_spec *ebpf_usdt_find(struct pt_regs *ctx)
{
	unsigned int id;

	if (LINUX_HAS_BPF_COOKIE) {
		id = (unsigned int)ebpf_usdt_attach_cookie(ctx);
	} else {
#ifdef EBPF_USDT_IP
		unsigned long long address = *(unsigned long long *)((char *)ctx + EBPF_USDT_IP);
		unsigned int *found = ebpf_usdt_lookup(&__bpf_usdt_ip_to_spec_id, &address);

		if (!found)
			return (void *)0;
		id = *found;
#else
		return (void *)0;
#endif
	}
	return ebpf_usdt_lookup(&__bpf_usdt_specs, &id);
}

/* The description of argument `number`, or NULL with the error in *result. */
EBPF_USDT_INLINE struct ebpf_usdt_arg *ebpf_usdt_find_arg(struct pt_regs *ctx, unsigned long long number, int *result)
{
	struct ebpf_usdt_spec *spec = ebpf_usdt_find(ctx);

	*result = -3; /* ESRCH */
	if (!spec)
		return (void *)0;
	*result = -2; /* ENOENT */
	if (number >= BPF_USDT_MAX_ARG_CNT)
		return (void *)0;
	__asm__ volatile("" : "+r"(number)); /* so that the verifier sees the limit where it matters */
	if ((long long)number >= spec->count)
		return (void *)0;
	*result = 0;
	return &spec->args[number];
}

EBPF_USDT_FUNCTION int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct ebpf_usdt_spec *spec = ebpf_usdt_find(ctx);

	return spec ? spec->count : -3;
}

EBPF_USDT_FUNCTION int bpf_usdt_arg_size(struct pt_regs *ctx, unsigned long long number)
{
	struct ebpf_usdt_arg *arg;
	int result;

	arg = ebpf_usdt_find_arg(ctx, number, &result);
	return arg ? (int)((64U - arg->spare_bits) / 8) : result;
}

EBPF_USDT_FUNCTION long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct ebpf_usdt_spec *spec = ebpf_usdt_find(ctx);

	return spec ? (long)spec->cookie : 0;
}

EBPF_USDT_INLINE int ebpf_usdt_read_register(struct pt_regs *ctx, unsigned int place, unsigned long long *out)
{
	return (int)ebpf_usdt_read_kernel(out, sizeof(*out), (char *)ctx + place);
}

/* So many bytes as the argument has, so that nothing behind it need be there. */
EBPF_USDT_INLINE int ebpf_usdt_read_memory(unsigned long long address, unsigned int spare_bits, unsigned long long *out)
{
	unsigned int size = (64 - spare_bits) / 8;
	int result;

	__asm__ volatile("" : "+r"(size));
	if (size > sizeof(*out))
		size = sizeof(*out);
	*out = 0;
	result = (int)ebpf_usdt_read_user(out, size, (void *)address);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	*out >>= spare_bits;
#endif
	return result;
}

EBPF_USDT_FUNCTION int bpf_usdt_arg(struct pt_regs *ctx, unsigned long long number, long *res)
{
	unsigned long long value = 0, index = 0;
	unsigned int kind, spare;
	struct ebpf_usdt_arg *arg;
	int result;

	*res = 0;
	arg = ebpf_usdt_find_arg(ctx, number, &result);
	if (!arg)
		return result;
	kind = arg->kind & 0xff;
	spare = arg->spare_bits & 63;
	if (kind == EBPF_USDT_CONSTANT) {
		value = arg->value;
	} else {
		result = ebpf_usdt_read_register(ctx, (unsigned short)arg->base, &value);
		if (!result && kind == EBPF_USDT_INDEXED)
			result = ebpf_usdt_read_register(ctx, arg->kind >> 16, &index);
		if (result)
			return result;
		index <<= arg->kind >> 8 & 7;
		if (kind != EBPF_USDT_REGISTER)
			result = ebpf_usdt_read_memory(value + index + arg->value, spare, &value);
		if (result)
			return result;
	}
	value <<= spare;
	*res = arg->is_signed ? (long)value >> spare : (long)(value >> spare);
	return 0;
}

/* int BPF_USDT(name, arguments) { ... }: a program whose arguments are those of the probe, from the first on. `ctx` is there too. One
 * that cannot be read is 0. */
#define EBPF_USDT_GET(number) ({ long ebpf_usdt_value; bpf_usdt_arg(ctx, number, &ebpf_usdt_value); ebpf_usdt_value; })
#define EBPF_USDT_0() ctx
#define EBPF_USDT_1(a) ctx, (void *)EBPF_USDT_GET(0)
#define EBPF_USDT_2(a, x...) EBPF_USDT_1(x), (void *)EBPF_USDT_GET(1)
#define EBPF_USDT_3(a, x...) EBPF_USDT_2(x), (void *)EBPF_USDT_GET(2)
#define EBPF_USDT_4(a, x...) EBPF_USDT_3(x), (void *)EBPF_USDT_GET(3)
#define EBPF_USDT_5(a, x...) EBPF_USDT_4(x), (void *)EBPF_USDT_GET(4)
#define EBPF_USDT_6(a, x...) EBPF_USDT_5(x), (void *)EBPF_USDT_GET(5)
#define EBPF_USDT_7(a, x...) EBPF_USDT_6(x), (void *)EBPF_USDT_GET(6)
#define EBPF_USDT_8(a, x...) EBPF_USDT_7(x), (void *)EBPF_USDT_GET(7)
#define EBPF_USDT_9(a, x...) EBPF_USDT_8(x), (void *)EBPF_USDT_GET(8)
#define EBPF_USDT_10(a, x...) EBPF_USDT_9(x), (void *)EBPF_USDT_GET(9)
#define EBPF_USDT_11(a, x...) EBPF_USDT_10(x), (void *)EBPF_USDT_GET(10)
#define EBPF_USDT_12(a, x...) EBPF_USDT_11(x), (void *)EBPF_USDT_GET(11)
#define EBPF_USDT_NTH(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, n, x...) n
#define EBPF_USDT_COUNT(x...) EBPF_USDT_NTH(0, ##x, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define EBPF_USDT_JOIN_(a, b) a##b
#define EBPF_USDT_JOIN(a, b) EBPF_USDT_JOIN_(a, b)
#define EBPF_USDT_ARGUMENTS(x...) EBPF_USDT_JOIN(EBPF_USDT_, EBPF_USDT_COUNT(x))(x)

#define BPF_USDT(name, arguments...)                                                                                         \
	name(struct pt_regs *ctx);                                                                                           \
	EBPF_USDT_INLINE __typeof__(name(0)) ebpf_usdt_##name(struct pt_regs *ctx, ##arguments);                             \
	__typeof__(name(0)) name(struct pt_regs *ctx)                                                                        \
	{                                                                                                                    \
		_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                        \
		return ebpf_usdt_##name(EBPF_USDT_ARGUMENTS(arguments));                                                     \
		_Pragma("GCC diagnostic pop")                                                                                \
	}                                                                                                                    \
	EBPF_USDT_INLINE __typeof__(name(0)) ebpf_usdt_##name(struct pt_regs *ctx __attribute__((unused)), ##arguments)

#endif
