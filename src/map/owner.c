/* owner.c -- descriptors of what a map's elements belong to: the processes, files and cgroups of storages, the cgroups of a
 * cgroup array. */
#include "map/map.h"

#include <fcntl.h>

/* <linux/pidfd.h>, 6.9: a descriptor of one thread. A storage is the thread's; without this only a process's first one can be
 * named. */
#define PIDFD_THREAD O_EXCL

bool ebpf_map_has_owners(const struct ebpf_map *map)
{
	return map->type == BPF_MAP_TYPE_TASK_STORAGE || map->type == BPF_MAP_TYPE_INODE_STORAGE || map->type == BPF_MAP_TYPE_CGRP_STORAGE;
}

bool ebpf_map_holds_owners(const struct ebpf_map *map)
{
	return map->type == BPF_MAP_TYPE_CGROUP_ARRAY;
}

static int fail_open(const struct ebpf_map *map, int code, const char *what, struct ebpf_error *err)
{
	return ebpf_fail_errno(err, code, "map '%s': cannot open %s", map->name, what);
}

static int open_pid(struct ebpf_map *map, uint32_t pid, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(map->kernel);
	int fd = sys->pidfd_open((pid_t)pid, 0);

	if (fd == -EINVAL || fd == -ENOENT) { /* no process's first thread: EINVAL before 6.14 */
		int thread = sys->pidfd_open((pid_t)pid, PIDFD_THREAD);

		if (thread >= 0 || thread == -ESRCH)
			fd = thread;
	}
	if (fd >= 0)
		return fd;
	ebpf_fail_errno(err, fd, "map '%s': cannot open process %u", map->name, pid);
	if (fd == -EINVAL || fd == -ENOENT)
		ebpf_hint(err, "threads other than a process's first need Linux 6.9");
	return fd;
}

int ebpf_map_open_owner(struct ebpf_map *map, uint32_t pid, const char *path, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(map->kernel);
	int fd;

	switch (map->type) {
	case BPF_MAP_TYPE_TASK_STORAGE:
		if (!pid)
			return ebpf_fail(err, EINVAL, "map '%s': a task_storage has its values by process: pid is missing", map->name);
		return open_pid(map, pid, err);
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
		if (!path)
			return ebpf_fail(err, EINVAL, "map '%s': a %s is about files: path is missing", map->name, ebpf_map_type_name(map->type));
		fd = sys->openat(AT_FDCWD, path, map->type == BPF_MAP_TYPE_INODE_STORAGE ? O_PATH : O_RDONLY | O_DIRECTORY, 0);
		return fd < 0 ? fail_open(map, fd, path, err) : fd;
	}
	return ebpf_fail(err, EINVAL, "map '%s': elements of a %s belong to no process or file that could be opened by name", map->name,
			 ebpf_map_type_name(map->type));
}

void ebpf_map_close_owner(struct ebpf_map *map, int fd)
{
	if (fd >= 0)
		ebpf_kernel_sys(map->kernel)->close(fd);
}
