/* Constants, as compilers read them and as they do not: for kernels that have no map to read them from. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u8 small = 0xfe;
const volatile __s8 small_signed = -2;
const volatile __u16 half = 0xfedc;
const volatile __s16 half_signed = -3;
const volatile __u32 word = 0xfedcba98;
const volatile __s32 word_signed = -4;
const volatile __u64 wide = 0xfedcba98;
const volatile __s64 wide_signed = -5;
const volatile struct {
	__u32 first, second;
} pair = { 10, 20 };
const volatile __u64 too_wide = 0x123456789;
const volatile __u32 list[4] = { 1, 2, 3, 4 };
const volatile __u32 helper = 0;
const char text[] = "text";
__u32 number = 5;

struct values {
	__u64 small, half, word, wide;
	__s64 small_signed, half_signed, word_signed, wide_signed;
	__u32 first, second;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct values);
} values SEC(".maps");

SEC("socket")
int sizes(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct values *v = bpf_map_lookup_elem(&values, &key);

	if (!v)
		return 0;
	v->small = small;
	v->small_signed = small_signed;
	v->half = half;
	v->half_signed = half_signed;
	v->word = word;
	v->word_signed = word_signed;
	v->wide = wide;
	v->wide_signed = wide_signed;
	v->first = pair.first;
	v->second = pair.second;
	return 1;
}

/* A helper that no kernel has, behind a constant that is false. */
SEC("socket")
int guarded(struct __sk_buff *skb)
{
	static long (*const unknown)(void) = (void *)1999999;

	return helper ? unknown() : 7;
}

/* The address in a register that outlives calls and a loop, come to by copies. */
SEC("socket")
int kept(struct __sk_buff *skb)
{
	int sum;

	asm volatile("r6 = %[pair] ll;"
		     "r7 = r6;"
		     "r8 = 0;"
		     "r9 = 3;"
		     "1: call %[ktime];"
		     "r1 = *(u32 *)(r7 + 4);"
		     "r8 += r1;"
		     "r9 += -1;"
		     "if r9 != 0 goto 1b;"
		     "%[sum] = r8;"
		     : [sum] "=r"(sum) : [pair] "i"(&pair), [ktime] "i"(5)
		     : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9");
	return sum;
}

/* On either way the same address: */
SEC("socket")
int same(struct __sk_buff *skb)
{
	int result;

	asm volatile("r1 = *(u32 *)(%[skb] + 0);"
		     "if r1 > 20 goto 1f;"
		     "r2 = %[pair] ll;"
		     "goto 2f;"
		     "1: r2 = %[pair] ll;"
		     "2: r3 = *(u32 *)(r2 + 0);"
		     "%[result] = r3;"
		     : [result] "=r"(result) : [skb] "r"(skb), [pair] "i"(&pair) : "r1", "r2", "r3");
	return result;
}

/* and another. */
SEC("socket")
int other(struct __sk_buff *skb)
{
	int result;

	asm volatile("r1 = *(u32 *)(%[skb] + 0);"
		     "r2 = %[pair] ll;"
		     "if r1 > 20 goto 1f;"
		     "r2 = %[word] ll;"
		     "1: r3 = *(u32 *)(r2 + 0);"
		     "%[result] = r3;"
		     : [result] "=r"(result) : [skb] "r"(skb), [pair] "i"(&pair), [word] "i"(&word) : "r1", "r2", "r3");
	return result;
}

SEC("socket")
int too_large(struct __sk_buff *skb)
{
	return too_wide > 1;
}

SEC("socket")
int indexed(struct __sk_buff *skb)
{
	return list[skb->len & 3];
}

SEC("socket")
int passed(struct __sk_buff *skb)
{
	bpf_trace_printk(text, sizeof(text));
	return 1;
}

SEC("socket")
int beyond(struct __sk_buff *skb)
{
	int result;

	asm volatile("r1 = %[text] ll;"
		     "%[result] = *(u32 *)(r1 + 0x4000);"
		     : [result] "=r"(result) : [text] "i"(&text) : "r1");
	return result;
}

SEC("socket")
int changing(struct __sk_buff *skb)
{
	return number;
}

char LICENSE[] SEC("license") = "GPL";
