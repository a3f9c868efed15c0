/* The arguments and results of what is probed, which each machine passes in registers of its own: bpf_tracing.h knows which. */
#include <linux/bpf.h>
#ifdef __TARGET_ARCH_x86
#define __VMLINUX_H__ /* the kernel's names of the registers, which are not those for user space */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
} __attribute__((preserve_access_index));
#else
#include <linux/ptrace.h>
#endif
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

enum { wanted = 12345 };
__u64 asked, given, signals, allocated;
__s32 pid;

SEC("kprobe/vfs_read") int BPF_KPROBE(enter_read, void *file, char *buffer, unsigned long count)
{
	if (count == wanted)
		asked++;
	return 0;
}

SEC("kretprobe/vfs_read") int BPF_KRETPROBE(leave_read, long result)
{
	if (result == wanted)
		given++;
	return 0;
}

SEC("ksyscall/kill") int BPF_KSYSCALL(enter_kill, int target, int signal)
{
	if (target == pid && !signal)
		signals++;
	return 0;
}

SEC("uprobe/libc.so.6:malloc") int BPF_KPROBE(enter_malloc, unsigned long size)
{
	if (size >= wanted && size < wanted + 100)
		allocated++;
	return 0;
}

char _license[] SEC("license") = "GPL";
