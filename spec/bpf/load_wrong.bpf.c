/* Programs that cannot be loaded, each for another reason, to see what is said. */
#include "bpf.h"

extern const void no_such_symbol KSYM;
extern const int no_such_variable KSYM;
int no_such_function(int) KSYM;
int no_weak_function(int) KSYM WEAK;
extern int CONFIG_NO_SUCH_OPTION KCONFIG;

struct task_struct { int no_such_member; } CORE;

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	TYPE(key, u32);
	TYPE(value, u64);
	UINT(max_entries, 4);
} table SEC(".maps");

SEC("?tc") int symbols(struct __sk_buff *skb)
{
	long a = (long)&no_such_symbol;
	long b = no_such_variable;
	return a + b + no_such_function(1);
}

SEC("?tc") int weak(struct __sk_buff *skb)
{
	return no_weak_function(1);
}

/* the kernel's takes a struct for its first argument */
struct task_struct *bpf_task_acquire(int) KSYM WEAK;

SEC("?tc") int prototype(struct __sk_buff *skb)
{
	return bpf_task_acquire(1) != 0;
}

SEC("?tc") int option(struct __sk_buff *skb)
{
	return CONFIG_NO_SUCH_OPTION;
}

SEC("?raw_tp/sys_enter") int member(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	int value = 0;

	probe_read_kernel(&value, sizeof(value), &task->no_such_member);
	return value;
}

static NOINLINE int dereference(u64 *value)
{
	return (int)*value;
}

SEC("?tc") int pointer(struct __sk_buff *skb)
{
	u32 key = 0;

	return dereference(map_lookup_elem(&table, &key));
}

SEC("?fentry/no_such_target") int target(void *context)
{
	return 0;
}

SEC("?freplace/replaced") int replace(void *context)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
