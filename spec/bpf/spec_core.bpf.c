/* CO-RE: each of the relocations that clang writes for an access, a type or an enumerator. */
#include "bpf.h"

enum mode { MODE_A = 3, MODE_B = 5 };
struct nested { int values[4]; struct { long hidden; }; } CORE;
struct task_struct {
	int pid;
	struct task_struct *parent;
	struct nested nested;
	u32 low : 3, high : 5;
} CORE;
struct task_struct___old { int tgid; } CORE;

u64 results[16];

static NOINLINE int in_text(struct task_struct *task)
{
	return task->nested.values[2];
}

SEC("tp_btf/sched_switch") int accesses(u64 *context)
{
	struct task_struct *task = (void *)context[0];
	struct task_struct *parent = task->parent;

	results[0] = (u64)task->pid;
	results[1] = (u64)parent->nested.hidden;
	results[2] = (u64)in_text(task);
	probe_read_kernel(&results[3], 4, __builtin_preserve_access_index(&task->nested.values[1]));
	results[4] = __builtin_preserve_field_info(task->pid, 0); /* byte offset */
	results[5] = __builtin_preserve_field_info(task->pid, 1); /* byte size */
	results[6] = __builtin_preserve_field_info(task->pid, 2); /* exists */
	results[7] = __builtin_preserve_field_info(task->pid, 3); /* signed */
	results[8] = __builtin_preserve_field_info(task->high, 4); /* left shift */
	results[9] = __builtin_preserve_field_info(task->high, 5); /* right shift */
	return 0;
}

SEC("raw_tp/x") int types(void *context)
{
	struct task_struct___old *old = context;

	results[10] = __builtin_preserve_type_info(*(struct task_struct___old *)0, 0); /* type exists */
	results[11] = __builtin_preserve_type_info(*(struct task_struct *)0, 1);       /* type size */
	results[12] = __builtin_preserve_enum_value(*(enum mode *)MODE_B, 0);          /* enumerator exists */
	results[13] = __builtin_preserve_enum_value(*(enum mode *)MODE_B, 1);          /* enumerator value */
	results[14] = __builtin_btf_type_id(*(struct task_struct *)0, 0);              /* local type id */
	results[15] = __builtin_btf_type_id(*(struct task_struct *)0, 1);              /* target type id */
	return old->tgid;
}

char _license[] SEC("license") = "GPL";
