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
	fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
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

static bool is_same_file(const char *path, const char *other)
{
	struct stat one, two;

	return !stat(path, &one) && !stat(other, &two) && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* "7f00-7fff r-xp 00001000 fd:01 1234   /path": by device and inode, since the path is the process's own. Some file systems print
 * another device than stat(2) gives: there the mapping itself is asked. */
static bool find_in_line(int32_t pid, const char *line, const char *path, const struct stat *file, uint64_t offset,
			 uint64_t *address)
{
	uint64_t start, end, from, inode;
	unsigned major, minor;
	char flags[8], mapped[96];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64, &start, &end, flags, &from, &major, &minor,
		   &inode) != 7 || inode != file->st_ino || flags[2] != 'x' || offset < from || offset - from >= end - start)
		return false;
	snprintf(mapped, sizeof mapped, "/proc/%" PRId32 "/map_files/%" PRIx64 "-%" PRIx64, pid, start, end);
	if (makedev(major, minor) != file->st_dev && !is_same_file(mapped, path))
		return false;
	*address = start + (offset - from);
	return true;
}

int ebpf_process_address(int32_t pid, const char *path, uint64_t offset, uint64_t *address, struct ebpf_error *err)
{
	struct ebpf_buffer text = { 0 };
	struct stat file;
	int result;

	if (pid == -1)
		pid = (int32_t)getpid();
	if (stat(path, &file))
		return ebpf_fail_errno(err, errno, "'%s'", path);
	result = read_maps(pid, &text, err);
	if (!result) {
		result = -ENOENT;
		for (const char *line = text.data; result && line && *line; line = strchr(line, '\n'), line += line != NULL)
			if (find_in_line(pid, line, path, &file, offset, address))
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

/* A path for us to the file that is mapped at a range of addresses; malloc'ed. What the kernel prints is a path in our root where
 * it can be reached from there, and else one in the root of the process; a file that was deleted has none. */
static char *path_for_us(int32_t pid, const char *printed, const char *range)
{
	char *mapped = ebpf_sprintf("/proc/%" PRId32 "/map_files/%s", pid, range), *path;

	if (!mapped)
		return NULL;
	path = is_same_file(printed, mapped) ? ebpf_strdup(printed) : ebpf_sprintf("/proc/%" PRId32 "/root%s", pid, printed);
	if (!path || is_same_file(path, mapped) || (access(mapped, R_OK) && !access(path, R_OK))) {
		free(mapped);
		return path;
	}
	free(path);
	return mapped;
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
