/* process.c -- the files that a process has in its memory, from /proc/PID/maps: where, and by their bare names. */
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "symbol/symbol.h"

static const struct ebpf_sys *const sys = &ebpf_sys_linux;

static int read_maps(int32_t pid, struct ebpf_buffer *text, struct ebpf_error *err)
{
	char path[64], chunk[4096];
	ssize_t got;
	int fd;

	snprintf(path, sizeof path, "/proc/%" PRId32 "/maps", pid);
	fd = sys->openat(AT_FDCWD, pid == -1 ? "/proc/self/maps" : path, O_RDONLY | O_CLOEXEC, 0);
	if (fd == -ENOENT)
		return ebpf_fail(err, ESRCH, "there is no process %" PRId32, pid);
	if (fd < 0)
		return ebpf_fail_errno(err, fd, "'%s'", path);
	while ((got = sys->read(fd, chunk, sizeof chunk)) > 0)
		ebpf_buffer_add(text, chunk, (size_t)got);
	sys->close(fd);
	if (got < 0)
		return ebpf_fail_errno(err, (int)got, "'%s'", path);
	return text->failed ? ebpf_fail_memory(err) : 0;
}

/* "7f00-7fff r-xp 00001000 fd:01 1234   /path": by device and inode, since the path is the process's own. */
static bool find_in_line(const char *line, const struct stat *file, uint64_t offset, uint64_t *address)
{
	uint64_t start, end, from, inode;
	unsigned major, minor;
	char flags[8];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64, &start, &end, flags, &from, &major, &minor, &inode) != 7 ||
	    inode != file->st_ino || makedev(major, minor) != file->st_dev || flags[2] != 'x' || offset < from || offset - from >= end - start)
		return false;
	*address = start + (offset - from);
	return true;
}

int ebpf_process_address(int32_t pid, const char *path, uint64_t offset, uint64_t *address, struct ebpf_error *err)
{
	struct ebpf_buffer text = { 0 };
	struct stat file;
	int result;

	if (stat(path, &file))
		return ebpf_fail_errno(err, errno, "'%s'", path);
	result = read_maps(pid, &text, err);
	if (!result) {
		result = -ENOENT;
		for (const char *line = text.data; result && line && *line; line = strchr(line, '\n'), line += line != NULL)
			if (find_in_line(line, &file, offset, address))
				result = 0;
		if (result)
			ebpf_fail(err, ENOENT, "'%s' is not in the memory of process %" PRId32, path, pid);
	}
	ebpf_buffer_free(&text);
	return result;
}

/* -- by name -- */

size_t ebpf_process_root(const char *path)
{
	static const char proc[] = "/proc/";
	const char *at = path + sizeof proc - 1;

	if (!ebpf_starts_with(path, proc))
		return 0;
	if (ebpf_starts_with(at, "self/"))
		at += strlen("self");
	else
		while (isdigit((unsigned char)*at))
			at++;
	return ebpf_starts_with(at, "/root/") ? (size_t)(at - path) + strlen("/root") : 0;
}

static bool is_same_file(const char *path, const char *other)
{
	struct stat one, two;

	return !stat(path, &one) && !stat(other, &two) && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* A path for us to a file that the process calls `own`; malloc'ed. By the range of addresses where it has no path any more. */
static char *path_for_us(int32_t pid, const char *own, const char *range)
{
	char *through_root = ebpf_sprintf("/proc/%" PRId32 "/root%s", pid, own);

	if (!through_root)
		return NULL;
	if (is_same_file(own, through_root)) {
		free(through_root);
		return ebpf_strdup(own);
	}
	if (access(through_root, R_OK) == 0)
		return through_root;
	free(through_root);
	return ebpf_sprintf("/proc/%" PRId32 "/map_files/%s", pid, range);
}

/* The path in a line, without what the kernel says behind that of a deleted file; NULL for a line of another kind. */
static char *path_in_line(char *line)
{
	static const char deleted[] = " (deleted)";
	char *path = strchr(line, '/');
	size_t size = path ? strlen(path) : 0;

	if (size >= sizeof deleted && !strcmp(path + size - sizeof deleted + 1, deleted))
		path[size - sizeof deleted + 1] = '\0';
	return path;
}

int ebpf_process_find(int32_t pid, const char *name, char **path, struct ebpf_error *err)
{
	struct ebpf_buffer text = { 0 };
	char *line, *next, *own, *found = NULL;
	bool seen = false;
	int result = read_maps(pid, &text, err);

	for (line = text.data; !result && !seen && line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		own = path_in_line(line);
		seen = own && ebpf_binary_matches(strrchr(own, '/') + 1, name);
		if (seen) {
			line[strcspn(line, " ")] = '\0';
			found = path_for_us(pid, own, line);
		}
	}
	ebpf_buffer_free(&text);
	if (result)
		return result;
	if (!seen)
		return ebpf_fail(err, ENOENT, "process %" PRId32 " has no file '%s' in its memory", pid, name);
	if (!found)
		return ebpf_fail_memory(err);
	*path = found;
	return 0;
}
