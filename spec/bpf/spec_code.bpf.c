/* Code: programs and subprograms, where they lie, and how they refer to each other. */
#include "bpf.h"

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, u64);
} map SEC(".maps");

/* .text: static, global, weak, hidden */
static NOINLINE int text_static(int value)
{
	return value * 3 + (int)get_smp_processor_id();
}

NOINLINE int text_global(int value)
{
	return text_static(value) + 1;
}

WEAK NOINLINE int text_weak(int value)
{
	return text_static(value) + text_global(value);
}

HIDDEN NOINLINE int text_hidden(int value)
{
	return value ^ (int)ktime_get_ns();
}

static long each(void *a_map, u32 *key, u64 *value, void *context)
{
	*value += *key;
	return 0;
}

static NOINLINE long again(u32 index, void *context)
{
	return index == 5;
}

NOINLINE SEC("socket") int first(struct __sk_buff *skb)
{
	return text_global((int)skb->len);
}

/* several programs in one section, one calling the other, and a static function among them */
static NOINLINE SEC("socket") int socket_static(int value)
{
	return value + (int)get_current_pid_tgid();
}

SEC("socket") int second(struct __sk_buff *skb)
{
	return first(skb) + socket_static(7) + text_weak(1) + text_hidden(2);
}

SEC("xdp") int third(struct xdp_md *xdp)
{
	return text_static((int)xdp->data) + socket_static(3);
}

SEC("tracepoint/syscalls/sys_enter_openat") int callbacks(void *context)
{
	for_each_map_elem(&map, each, 0, 0);
	loop(10, again, 0, 0);
	return 0;
}

SEC("?kprobe/do_unlinkat+0x10") int optional(struct pt_regs *regs)
{
	return 0;
}

SEC("fentry.s/bpf_testmod:function") int sleeps(void *context)
{
	return 0;
}

SEC("xdp.frags/cpumap") int frags(struct xdp_md *xdp)
{
	return 2;
}

SEC("cgroup/connect4") int exact(void *context)
{
	return 1;
}

SEC("no_such_section/x") int unknown(void *context)
{
	return 0;
}

SEC("kprobe") int bare(struct pt_regs *regs)
{
	u64 wide = 0x1122334455667788;

	return (int)(regs->registers[0] ^ wide);
}

char _license[] SEC("license") = "GPL";
