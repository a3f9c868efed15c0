/* userns [option=value ...] -- command... : runs a command as root of a new user namespace, with a BPF file system at /tmp/ebpf-userns
 * whose options (delegate_cmds=any, ...) are set by this process, which is privileged, as BPF tokens need it (6.9): the file system
 * must belong to the new namespace, and its options be set from outside of it. Exits with the command's status; 3 and a word on
 * stderr when it cannot be set up. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_move_mount
#define __NR_move_mount 429
#define __NR_fsopen 430
#define __NR_fsconfig 431
#define __NR_fsmount 432
#endif
enum { SET_STRING = 1, CMD_CREATE = 6, FROM_EMPTY_PATH = 4 };

static const char place[] = "/tmp/ebpf-userns";

static int fail(const char *what)
{
	fprintf(stderr, "userns: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof fd)] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	if (sendmsg(socket, &message, 0) != 1)
		fail("send a descriptor");
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	int fd;

	if (recvmsg(socket, &message, 0) != 1 || !CMSG_FIRSTHDR(&message))
		exit(3); /* the other side has said why */
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

static int child(int socket, char **command)
{
	int fs, mount_fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		fail("unshare");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1");
	write_file("/proc/self/gid_map", "0 0 1");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("private mounts");
	fs = (int)syscall(__NR_fsopen, "bpf", 0);
	if (fs < 0)
		fail("fsopen");
	send_fd(socket, fs);
	mount_fd = receive_fd(socket);
	mkdir(place, 0755);
	if (syscall(__NR_move_mount, mount_fd, "", AT_FDCWD, place, FROM_EMPTY_PATH))
		fail("move_mount");
	execvp(command[0], command);
	return fail(command[0]);
}

static void set_up(int socket, char **options)
{
	int fs = receive_fd(socket), mount_fd;

	for (; strcmp(*options, "--"); options++) {
		char *value = strchr(*options, '=');

		if (value)
			*value++ = '\0';
		if (syscall(__NR_fsconfig, fs, SET_STRING, *options, value ? value : "", 0))
			fail(*options);
	}
	if (syscall(__NR_fsconfig, fs, CMD_CREATE, NULL, NULL, 0))
		fail("fsconfig");
	mount_fd = (int)syscall(__NR_fsmount, fs, 0, 0);
	if (mount_fd < 0)
		fail("fsmount");
	send_fd(socket, mount_fd);
}

int main(int count, char **arguments)
{
	int sockets[2], status, split = 1;
	pid_t pid;

	while (split < count && strcmp(arguments[split], "--"))
		split++;
	if (split + 1 >= count)
		return 3;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) || (pid = fork()) < 0)
		fail("fork");
	if (!pid) {
		close(sockets[0]);
		return child(sockets[1], arguments + split + 1);
	}
	close(sockets[1]);
	set_up(sockets[0], arguments + 1);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
