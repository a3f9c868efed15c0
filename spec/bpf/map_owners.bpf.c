// SPDX-License-Identifier: MIT
// Programs that find the storage of whoever runs them, and count there.
#include "bpf.h"

struct cgroup { int any; } CORE;
struct css_set { struct cgroup *dfl_cgrp; } CORE;
struct task_struct { struct css_set *cgroups; } CORE;

static struct task_struct *(*const get_current_task_btf)(void) = (void *)158;
static void *(*const task_storage_get)(void *map, struct task_struct *task, void *value, u64 flags) = (void *)156;
static void *(*const cgrp_storage_get)(void *map, struct cgroup *cgroup, void *value, u64 flags) = (void *)210;

struct {
	UINT(type, BPF_MAP_TYPE_TASK_STORAGE);
	UINT(map_flags, 1);
	TYPE(key, int);
	TYPE(value, u64);
} tasks SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_CGRP_STORAGE);
	UINT(map_flags, 1);
	TYPE(key, int);
	TYPE(value, u64);
} cgroups SEC(".maps");

SEC("tp_btf/sys_enter")
int count_task(void *context)
{
	u64 *value = task_storage_get(&tasks, get_current_task_btf(), 0, 0);

	if (value)
		*value += 1;
	return 0;
}

SEC("tp_btf/sys_enter")
int count_cgroup(void *context)
{
	struct task_struct *task = get_current_task_btf();
	u64 *value = cgrp_storage_get(&cgroups, task->cgroups->dfl_cgrp, 0, 0);

	if (value)
		*value += 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
