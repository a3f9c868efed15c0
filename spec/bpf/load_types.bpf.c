/* Types that the kernel gets with the programs: CO-RE, local type ids, a lock in a map's value. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));
struct task_struct___never {
	int no_such_field;
} __attribute__((preserve_access_index));

struct node {
	__u64 value;
	__u32 flags;
};
struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} guarded SEC(".maps");

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym __weak;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym __weak;

SEC("tc")
int field(struct __sk_buff *skb)
{
	struct task_struct___never *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(task->no_such_field))
		return 1;
	return bpf_core_type_size(struct task_struct) > 1000 ? 2 : 3;
}

SEC("?tc")
int poisoned(struct __sk_buff *skb)
{
	struct task_struct___never *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, no_such_field);
}

SEC("?tc")
int allocate(struct __sk_buff *skb)
{
	struct node *node;
	int result = -1;

	if (!&bpf_obj_new_impl || !&bpf_obj_drop_impl)
		return -2;
	node = bpf_obj_new_impl(bpf_core_type_id_local(struct node), 0);
	if (node) {
		node->value = skb->len;
		result = (int)node->value + 1;
		bpf_obj_drop_impl(node, 0);
	}
	return result;
}

SEC("tc")
int lock(struct __sk_buff *skb)
{
	__u32 zero = 0, count;
	struct locked *value = bpf_map_lookup_elem(&guarded, &zero);

	if (!value)
		return -1;
	bpf_spin_lock(&value->lock);
	count = ++value->count;
	bpf_spin_unlock(&value->lock);
	return (int)count;
}

/* Helpers of 5.5 that an older kernel's bpf_probe_read stands for. */
SEC("?tracepoint/syscalls/sys_enter_getpid")
int probe_read(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, pid);
}

char LICENSE[] SEC("license") = "GPL";
