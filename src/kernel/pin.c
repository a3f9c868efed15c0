/* pin.c -- objects that are pinned in a BPF file system: what they are, walking over them, taking their names away. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "kernel/context.h"

#define BPFFS_MAGIC 0xcafe4a11

/* -- what it is -- */

/* By what /proc says of the descriptor: the kernel would read a map's info as a program's without a word. -ENOENT when
 * it does not tell. */
static int kind_of(struct ebpf_kernel *kernel, int fd, enum ebpf_object_kind *kind)
{
	static const struct {
		const char *word;
		enum ebpf_object_kind kind;
	} words[] = {
		/* a link has a program's words too */
		{ "link_type:", EBPF_OBJECT_LINK },
		{ "map_type:", EBPF_OBJECT_MAP },
		{ "prog_type:", EBPF_OBJECT_PROGRAM },
	};
	char path[64], text[1024];
	int result;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	result = ebpf_kernel_read_text(kernel->sys, AT_FDCWD, path, text, sizeof text);
	if (result)
		return result;
	for (size_t i = 0; i < EBPF_COUNT(words); i++) {
		if (!strstr(text, words[i].word))
			continue;
		*kind = words[i].kind;
		return 0;
	}
	return -ENOENT;
}

int ebpf_pin_kind(struct ebpf_kernel *kernel, const char *path, enum ebpf_object_kind *kind, struct ebpf_error *err)
{
	union bpf_attr attr;
	int fd, result;

	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	fd = kernel->sys->bpf(BPF_OBJ_GET, &attr, EBPF_ATTR_SIZE(file_flags));
	if (fd < 0) {
		ebpf_fail_errno(err, fd, "pin '%s': open", path);
		if (fd == -EACCES || fd == -EPERM)
			ebpf_hint(err, "it is not a pinned object, or this process may not read and write it");
		return fd;
	}
	result = kind_of(kernel, fd, kind);
	kernel->sys->close(fd);
	if (result)
		return ebpf_fail_errno(err, result, "pin '%s': find out what it is (/proc/self/fdinfo)", path);
	return 0;
}

/* -- a name more, or another -- */

static int pin(const struct ebpf_kernel *kernel, int fd, const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	attr.bpf_fd = (uint32_t)fd;
	return kernel->sys->bpf(BPF_OBJ_PIN, &attr, EBPF_ATTR_SIZE(file_flags));
}

/* A pin that somebody took away is made again. */
int ebpf_kernel_pin(const struct ebpf_kernel *kernel, int fd, char **pinned, const char *path)
{
	char *copy = ebpf_strdup(path);
	int result = -ENOENT;

	if (!copy)
		return -ENOMEM;
	if (*pinned)
		result = kernel->sys->rename_new(*pinned, path);
	if (*pinned && result == -EEXIST && !strcmp(*pinned, path))
		result = 0;
	else if (result == -ENOENT)
		result = pin(kernel, fd, path);
	if (result < 0) {
		free(copy);
		return result;
	}
	free(*pinned);
	*pinned = copy;
	return 0;
}

/* -- a name less -- */

static int check_bpffs(const char *path, const char *what, struct ebpf_error *err)
{
	struct statfs info;

	if (statfs(path, &info))
		return ebpf_fail_errno(err, -errno, "pin '%s': %s", path, what);
	if ((uint32_t)info.f_type == BPFFS_MAGIC)
		return 0;
	ebpf_fail(err, EINVAL, "pin '%s': %s: it is not on a BPF file system", path, what);
	ebpf_hint(err, "one is usually at /sys/fs/bpf; where nothing is mounted there: mount -t bpf bpf /sys/fs/bpf");
	return -EINVAL;
}

int ebpf_pin_remove(struct ebpf_kernel *kernel, const char *path, struct ebpf_error *err)
{
	int result = check_bpffs(path, "unpin", err);

	if (result)
		return result;
	result = kernel->sys->unlinkat(AT_FDCWD, path, 0);
	if (result == -EISDIR)
		result = kernel->sys->unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
	return result < 0 ? ebpf_fail_errno(err, result, "pin '%s': unpin", path) : 0;
}

/* -- all below a folder -- */

/* Paths that are yet to be visited, the next one last. */
struct ebpf_pin_walk {
	char **paths;
	size_t count, capacity;
	char *current;
};

static int add_path(struct ebpf_pin_walk *walk, char *path)
{
	char **paths = path ? ebpf_grow(walk->paths, &walk->capacity, walk->count, sizeof *paths) : NULL;

	if (!paths) {
		free(path);
		return -ENOMEM;
	}
	walk->paths = paths;
	paths[walk->count++] = path;
	return 0;
}

static int descending(const void *left, const void *right)
{
	return strcmp(*(char *const *)right, *(char *const *)left);
}

/* The entries of a folder, so that the first by name is the next. */
static int add_folder(struct ebpf_pin_walk *walk, const char *folder)
{
	size_t first = walk->count, length = strlen(folder);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return -errno;
	while (length > 1 && folder[length - 1] == '/')
		length--;
	while (!result && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		result = add_path(walk, ebpf_sprintf("%.*s%s%s", (int)length, folder, folder[length - 1] == '/' ? "" : "/", name));
	}
	closedir(dir);
	if (walk->count > first)
		qsort(walk->paths + first, walk->count - first, sizeof *walk->paths, descending);
	return result;
}

int ebpf_pin_walk_new(const char *folder, struct ebpf_pin_walk **out, struct ebpf_error *err)
{
	struct ebpf_pin_walk *walk;
	int result = check_bpffs(folder, "walk", err);

	if (result)
		return result;
	walk = calloc(1, sizeof *walk);
	if (!walk)
		return ebpf_fail_memory(err);
	result = add_folder(walk, folder);
	if (result) {
		ebpf_pin_walk_free(walk);
		return ebpf_fail_errno(err, result, "pin '%s': walk", folder);
	}
	*out = walk;
	return 0;
}

/* What vanishes meanwhile, and what is no object (a symbolic link), is stepped over. */
int ebpf_pin_walk_next(struct ebpf_pin_walk *walk, const char **path, struct ebpf_error *err)
{
	while (walk->count) {
		struct stat info;
		int result;

		free(walk->current);
		walk->current = walk->paths[--walk->count];
		if (lstat(walk->current, &info) || S_ISLNK(info.st_mode))
			continue;
		if (!S_ISDIR(info.st_mode)) {
			*path = walk->current;
			return 1;
		}
		result = add_folder(walk, walk->current);
		if (result && result != -ENOENT)
			return ebpf_fail_errno(err, result, "pin '%s': walk", walk->current);
	}
	return 0;
}

void ebpf_pin_walk_free(struct ebpf_pin_walk *walk)
{
	if (!walk)
		return;
	for (size_t i = 0; i < walk->count; i++)
		free(walk->paths[i]);
	free(walk->paths);
	free(walk->current);
	free(walk);
}
