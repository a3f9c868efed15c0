/* What an object asks of the kernel: options of its configuration, symbols, functions; each also weakly. */
#include "bpf.h"

struct task_struct { int pid; } CORE;

extern u32 LINUX_KERNEL_VERSION KCONFIG;
extern bool CONFIG_BOOL KCONFIG;
extern enum libbpf_tristate CONFIG_TRISTATE KCONFIG WEAK;
extern u64 CONFIG_BIG KCONFIG;
extern char CONFIG_STRING[20] KCONFIG;
extern u16 CONFIG_SHORT KCONFIG;
extern s8 CONFIG_CHAR KCONFIG;

extern const void untyped KSYM;
extern const void weak_untyped KSYM WEAK;
extern const struct task_struct typed KSYM;
extern const int weak_typed KSYM WEAK;

struct task_struct *acquire(struct task_struct *task, u64 flags) KSYM;
void weak_function(void) KSYM WEAK;

u64 out;

SEC("raw_tp/sys_enter") int uses_externs(void *context)
{
	out = LINUX_KERNEL_VERSION + CONFIG_BOOL + CONFIG_TRISTATE + CONFIG_BIG + CONFIG_SHORT + (u64)CONFIG_CHAR;
	out += (u64)CONFIG_STRING[3];
	out += (u64)&untyped + (u64)&weak_untyped + (u64)&typed + (u64)&weak_typed;
	if (weak_function)
		weak_function();
	return acquire((void *)&typed, 0) != 0;
}

char _license[] SEC("license") = "GPL";
