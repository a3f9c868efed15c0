/* Values of the kernel's configuration. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern __u32 LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
extern int LINUX_NO_SUCH_FACT __kconfig __weak;
extern bool CONFIG_A_BOOL __kconfig;
extern enum libbpf_tristate CONFIG_A_MODULE __kconfig;
extern char CONFIG_A_CHAR __kconfig;
extern int CONFIG_AN_INT __kconfig;
extern __u64 CONFIG_A_HEX __kconfig;
extern char CONFIG_A_STRING[8] __kconfig;
extern short CONFIG_NOT_THERE __kconfig __weak;
extern unsigned char CONFIG_STRONG __kconfig;

struct facts {
	__u64 hex;
	__u32 version, module, integer, weak;
	char letter, boolean, cookie, unknown;
	char string[8];
} facts;

SEC("socket")
int version(struct __sk_buff *skb)
{
	return LINUX_KERNEL_VERSION;
}

SEC("?socket")
int options(struct __sk_buff *skb)
{
	facts.version = LINUX_KERNEL_VERSION;
	facts.boolean = CONFIG_A_BOOL;
	facts.module = CONFIG_A_MODULE;
	facts.letter = CONFIG_A_CHAR;
	facts.integer = CONFIG_AN_INT;
	facts.hex = CONFIG_A_HEX;
	facts.weak = CONFIG_NOT_THERE;
	facts.cookie = LINUX_HAS_BPF_COOKIE;
	facts.unknown = LINUX_NO_SUCH_FACT;
	for (int i = 0; i < 8; i++)
		facts.string[i] = CONFIG_A_STRING[i];
	return 1;
}

SEC("?socket")
int strong(struct __sk_buff *skb)
{
	return CONFIG_STRONG;
}

char LICENSE[] SEC("license") = "GPL";
