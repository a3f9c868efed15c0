// SPDX-License-Identifier: MIT
// A record for each process that calls exec: who, whose child, and with which arguments. Linux 5.8 (ring buffer).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

// The part of the kernel's types that is used; the loader moves the offsets to where the running kernel has them (CO-RE).
struct mm_struct {
	unsigned long arg_start, arg_end;
} __attribute__((preserve_access_index));
struct task_struct {
	int tgid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
} __attribute__((preserve_access_index));

#define ARGS_SIZE 128

struct event {
	__u32 pid, ppid, uid;
	char comm[16];
	char args[ARGS_SIZE]; // the arguments, separated by spaces
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
	__type(value, struct event);
} events SEC(".maps");

const volatile __u32 min_uid = 0; // only processes of users from this one on
__u64 dropped = 0;                // records for which the buffer had no room

SEC("tracepoint/sched/sched_process_exec")
int handle_exec(void *ctx)
{
	__u32 uid = bpf_get_current_uid_gid();
	if (uid < min_uid)
		return 0;

	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&dropped, 1);
		return 0;
	}
	struct task_struct *task = (void *)bpf_get_current_task();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = uid;
	bpf_get_current_comm(event->comm, sizeof(event->comm));

	unsigned long start = BPF_CORE_READ(task, mm, arg_start), size = BPF_CORE_READ(task, mm, arg_end) - start;
	if (size >= ARGS_SIZE)
		size = ARGS_SIZE;
	if (bpf_probe_read_user(event->args, size, (void *)start))
		size = 0;
	// A branch on the byte alone: one on `size` too would cost the verifier a thousand times as much.
	for (int i = 0; i < ARGS_SIZE; i++)
		if (event->args[i] == 0)
			event->args[i] = ' ';
	event->args[size ? (size - 1) & (ARGS_SIZE - 1) : 0] = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
