// SPDX-License-Identifier: MIT
// A record for each openat(2), with its result. Linux 5.8.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

// tracefs: events/syscalls/sys_enter_openat/format and sys_exit_openat/format
struct enter {
	__u64 common;
	long nr;
	long dfd;
	const char *filename;
	long flags, mode;
};
struct leave {
	__u64 common;
	long nr;
	long ret;
};

struct event {
	__u32 pid;
	__s32 ret; // descriptor, or -errno
	__u32 flags;
	char comm[16];
	char filename[256];
};

struct call {
	const char *filename;
	__u32 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64); // pid_tgid
	__type(value, struct call);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
	__type(value, struct event);
} events SEC(".maps");

const volatile __u32 only_pid = 0; // 0 = every process
const volatile _Bool only_failed = 0;

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_openat(struct enter *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	if (only_pid && id >> 32 != only_pid)
		return 0;
	struct call call = { .filename = ctx->filename, .flags = ctx->flags };
	bpf_map_update_elem(&calls, &id, &call, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int leave_openat(struct leave *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	if (!call)
		return 0;
	if (!only_failed || ctx->ret < 0) {
		struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
		if (event) {
			event->pid = id >> 32;
			event->ret = ctx->ret;
			event->flags = call->flags;
			bpf_get_current_comm(event->comm, sizeof(event->comm));
			// The page has been touched by the call itself, so that it can be read now even if it could not before.
			if (bpf_probe_read_user_str(event->filename, sizeof(event->filename), call->filename) < 0)
				event->filename[0] = 0;
			bpf_ringbuf_submit(event, 0);
		}
	}
	bpf_map_delete_elem(&calls, &id);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
