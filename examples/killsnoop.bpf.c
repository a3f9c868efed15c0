// SPDX-License-Identifier: MIT
// A record for each signal that a process sends by system call: through a ring buffer, or through perf buffers before Linux 5.8.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../src/bpf/records.bpf.h" // once installed: <ebpf/records.bpf.h>

// What is said here stands in the generated module too, where an editor shows it.
#define doc(text) __attribute__((btf_decl_tag("doc: " text)))

// tracefs: events/syscalls/sys_enter_kill/format and those of its kin
struct enter {
	__u64 common;
	long nr;
	long args[3];
};

enum call { KILL = 1, TKILL, TGKILL };

struct event {
	__u32 pid doc("who sends it");
	__s32 target doc("to which process or thread; negative: to a process group");
	__u32 signal doc("its number");
	enum call call;
	char comm[16] doc("the sender's name");
} doc("a signal on its way");

EBPF_EVENTS(events, 64 * 1024, struct event);

const volatile __u32 only_signal doc("only this one; 0 = all") = 0;

static __always_inline int report(struct enter *ctx, __s32 target, __u32 signal, enum call call)
{
	if (only_signal && signal != only_signal)
		return 0;
	struct event *event = EBPF_EVENT_RESERVE(events);
	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->target = target;
	event->signal = signal;
	event->call = call;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	EBPF_EVENT_SUBMIT(ctx, events, event);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_kill")
int enter_kill(struct enter *ctx)
{
	return report(ctx, ctx->args[0], ctx->args[1], KILL);
}

SEC("tracepoint/syscalls/sys_enter_tkill")
int enter_tkill(struct enter *ctx)
{
	return report(ctx, ctx->args[0], ctx->args[1], TKILL);
}

SEC("tracepoint/syscalls/sys_enter_tgkill")
int enter_tgkill(struct enter *ctx)
{
	return report(ctx, ctx->args[1], ctx->args[2], TGKILL);
}

char LICENSE[] SEC("license") = "GPL";
