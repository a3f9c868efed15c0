/* process.c -- where a process has a file in its memory, from /proc/PID/maps. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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
