/* Twenty programs with CO-RE relocations, a ring buffer, configuration and statistics: an object of usual size. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct dentry;
struct qstr {
	const unsigned char *name;
} __attribute__((preserve_access_index));
struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
} __attribute__((preserve_access_index));
struct path {
	struct dentry *dentry;
} __attribute__((preserve_access_index));
struct file {
	struct path f_path;
	unsigned int f_flags;
} __attribute__((preserve_access_index));
struct inode {
	unsigned long i_ino;
} __attribute__((preserve_access_index));
struct dentry {
	struct qstr d_name;
	struct inode *d_inode;
} __attribute__((preserve_access_index));
struct task_struct {
	int pid, tgid, prio;
	struct task_struct *real_parent, *group_leader;
	struct mm_struct *mm;
	unsigned long long start_time;
	char comm[16];
} __attribute__((preserve_access_index));

struct event {
	__u64 start, ino;
	__u32 pid, tgid, parent, prio, flags, length;
	char comm[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct event);
} last SEC(".maps");

const volatile __u32 only_pid;
const volatile bool with_files = true;
__u64 total;

static __attribute__((noinline)) int describe(struct event *event)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	event->pid = BPF_CORE_READ(task, pid);
	event->tgid = BPF_CORE_READ(task, tgid);
	event->parent = BPF_CORE_READ(task, real_parent, tgid);
	event->prio = BPF_CORE_READ(task, prio);
	event->start = BPF_CORE_READ(task, group_leader, start_time);
	event->length = BPF_CORE_READ(task, mm, arg_end) - BPF_CORE_READ(task, mm, arg_start);
	if (with_files) {
		event->flags = BPF_CORE_READ(task, mm, exe_file, f_flags);
		event->ino = BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_inode, i_ino);
	}
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	return only_pid && event->pid != only_pid;
}

static __always_inline int record(__u32 which)
{
	struct event event = {};
	__u64 *count = bpf_map_lookup_elem(&counts, &which);

	if (count)
		(*count)++;
	if (describe(&event))
		return 0;
	__sync_fetch_and_add(&total, 1);
	bpf_map_update_elem(&last, &which, &event, BPF_ANY);
	bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	return 0;
}

#define PROGRAM(n) SEC("raw_tp/sched_switch") int on_switch_##n(void *ctx) { return record(n); }
PROGRAM(0) PROGRAM(1) PROGRAM(2) PROGRAM(3) PROGRAM(4) PROGRAM(5) PROGRAM(6) PROGRAM(7) PROGRAM(8) PROGRAM(9)
PROGRAM(10) PROGRAM(11) PROGRAM(12) PROGRAM(13) PROGRAM(14) PROGRAM(15) PROGRAM(16) PROGRAM(17) PROGRAM(18) PROGRAM(19)

char LICENSE[] SEC("license") = "GPL";
