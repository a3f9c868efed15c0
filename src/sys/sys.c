#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/policy.h"
#include "sys/sys.h"

/* The kernel's layout, Linux 7.0: what attr.h must agree with. */
_Static_assert(sizeof(union bpf_attr) == 168 && sizeof(struct bpf_prog_info) == 232 &&
		       sizeof(struct bpf_map_info) == 104,
	       "attr.h");
_Static_assert(sizeof(struct bpf_btf_info) == 32 && sizeof(struct bpf_link_info) == 64 &&
		       sizeof(union bpf_iter_link_info) == 16,
	       "attr.h");
_Static_assert(offsetof(union bpf_attr, log_true_size) == 140 &&
		       offsetof(union bpf_attr, link_create.uprobe_multi.pid) == 56,
	       "attr.h");

/* Every call ends here: the one place where errno becomes a result. */
static long result(long value)
{
	return value < 0 ? -(long)errno : value;
}

/* A program that takes longer to verify than the time between two signals would never load; after that many attempts
 * the caller hears EAGAIN. */
#define PROG_LOAD_ATTEMPTS 64

/* Linux 4.20: a pending signal ends the verifier with EAGAIN, and BPF_PROG_RUN with EINTR. A profiler's timer sends
 * SIGPROF so often that neither would ever come to its end, hence it waits until they have. */
static int bpf_without_profiler(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	int attempts = cmd == BPF_PROG_LOAD ? PROG_LOAD_ATTEMPTS : 1, code;
	sigset_t profiler, old;

	sigemptyset(&profiler);
	sigaddset(&profiler, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &profiler, &old);
	do {
		code = (int)result(syscall(__NR_bpf, (long)cmd, attr, size));
	} while (code == -EAGAIN && --attempts > 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code;
}

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	int refused = ebpf_policy_bpf(cmd, attr);

	if (refused)
		return refused;
	if (cmd == BPF_PROG_LOAD || cmd == BPF_PROG_RUN)
		return bpf_without_profiler(cmd, attr, size);
	return (int)result(syscall(__NR_bpf, (long)cmd, attr, size));
}

#define COMMON_ATTRS (1L << 16) /* in the command */
#define COMMON_SIZE (offsetof(struct bpf_common_attr, log_true_size) + sizeof(uint32_t))

static int sys_bpf_common(enum bpf_cmd cmd, union bpf_attr *attr, size_t size, struct bpf_common_attr *common)
{
	int refused = ebpf_policy_bpf(cmd, attr);

	if (refused)
		return refused;
	return (int)result(syscall(__NR_bpf, (long)cmd | COMMON_ATTRS, attr, size, common, COMMON_SIZE));
}

static int sys_perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd, unsigned long flags)
{
	int refused = ebpf_policy_perf_event(attr);

	if (refused)
		return refused;
	return (int)result(syscall(__NR_perf_event_open, attr, pid, cpu, group_fd, flags | PERF_FLAG_FD_CLOEXEC));
}

static int sys_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	int refused = ebpf_policy_mmap(prot, flags, fd);
	void *address;

	if (refused)
		return refused;
	address = mmap(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ? *out : NULL, size, prot, flags, fd, offset);

	if (address == MAP_FAILED)
		return (int)result(-1);
	*out = address;
	return 0;
}

static int sys_munmap(void *address, size_t size)
{
	return (int)result(munmap(address, size));
}

static int sys_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	int refused = ebpf_policy_open(dir_fd, path, flags);

	if (refused)
		return refused;
	return (int)result(openat(dir_fd, path, flags | O_CLOEXEC, mode));
}

static int sys_close(int fd)
{
	return (int)result(close(fd));
}

static ssize_t sys_read(int fd, void *data, size_t size)
{
	return result(read(fd, data, size));
}

static ssize_t sys_write(int fd, const void *data, size_t size)
{
	return result(write(fd, data, size));
}

/* SIGPIPE goes to the thread that writes: blocked there, it waits, and is taken back; unless it was waiting before, for then it is somebody else's. That
 * can only be where it was blocked before. */
static ssize_t sys_write_quietly(int fd, const void *data, size_t size)
{
	const struct timespec no_time = { 0 };
	sigset_t broken_pipe, old, waiting;
	ssize_t written;

	sigemptyset(&broken_pipe);
	sigemptyset(&waiting);
	sigaddset(&broken_pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, &old);
	if (sigismember(&old, SIGPIPE))
		sigpending(&waiting);
	written = result(write(fd, data, size));
	if (written == -EPIPE && !sigismember(&waiting, SIGPIPE))
		while (sigtimedwait(&broken_pipe, NULL, &no_time) < 0 && errno == EINTR)
			;
	if (!sigismember(&old, SIGPIPE))
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	return written;
}

static ssize_t sys_pread(int fd, void *data, size_t size, off_t offset)
{
	return result(pread(fd, data, size, offset));
}

static int sys_ioctl(int fd, unsigned long request, unsigned long argument)
{
	int refused = ebpf_policy_ioctl(fd, request, argument);

	if (refused)
		return refused;
	return (int)result(ioctl(fd, request, argument));
}

static int sys_fcntl(int fd, int command, long argument)
{
	return (int)result(fcntl(fd, command, argument));
}

static int sys_poll(struct pollfd *fds, size_t count, int timeout_ms)
{
	return (int)result(poll(fds, count, timeout_ms));
}

#define NOREPLACE 1U /* RENAME_NOREPLACE, which the C library shows to GNU sources alone */

static int sys_rename_new(const char *from, const char *to)
{
	int refused = ebpf_policy_rename(from, to);

	if (refused)
		return refused;
	return (int)result(syscall(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, NOREPLACE));
}

static int sys_unlinkat(int dir_fd, const char *path, int flags)
{
	int refused = ebpf_policy_unlink(path);

	if (refused)
		return refused;
	return (int)result(unlinkat(dir_fd, path, flags));
}

static int sys_epoll_create(void)
{
	return (int)result(epoll_create1(EPOLL_CLOEXEC));
}

static int sys_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	return (int)result(epoll_ctl(epoll_fd, operation, fd, event));
}

static int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int count, int timeout_ms)
{
	return (int)result(epoll_wait(epoll_fd, events, count, timeout_ms));
}

static int sys_timerfd_create(int clock, int flags)
{
	return (int)result(timerfd_create(clock, flags | TFD_CLOEXEC));
}

static int sys_timerfd_settime(int fd, int flags, const struct itimerspec *value)
{
	return (int)result(timerfd_settime(fd, flags, value, NULL));
}

static int sys_eventfd(unsigned int value, int flags)
{
	return (int)result(eventfd(value, flags | EFD_CLOEXEC));
}

static int sys_signalfd(int fd, const sigset_t *mask, int flags)
{
	return (int)result(signalfd(fd, mask, flags | SFD_CLOEXEC));
}

static int sys_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return -pthread_sigmask(how, set, old); /* gives its error back instead of setting errno */
}

static int sys_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	info->si_pid = 0;
	return (int)result(waitid(type, id, info, options));
}

static int sys_socket(int domain, int type, int protocol)
{
	return (int)result(socket(domain, type | SOCK_CLOEXEC, protocol));
}

static int sys_bind(int fd, const void *address, size_t size)
{
	return (int)result(bind(fd, address, (socklen_t)size));
}

static ssize_t sys_send(int fd, const void *data, size_t size, int flags)
{
	int refused = ebpf_policy_send(data, size);

	if (refused)
		return refused;
	return result(send(fd, data, size, flags | MSG_NOSIGNAL));
}

static ssize_t sys_recv(int fd, void *data, size_t size, int flags)
{
	return result(recv(fd, data, size, flags));
}

/* Linux 5.2, a file system without a place in the tree; 5.3, a process. The C library has no functions for these before glibc 2.36. */
#ifndef __NR_fsopen
#define __NR_fsopen 430
#define __NR_fsconfig 431
#define __NR_fsmount 432
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#define CLOEXEC 1U /* FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC */

static int sys_setsockopt(int fd, int level, int name, const void *value, size_t size)
{
	int refused = ebpf_policy_setsockopt(level, name, value, size);

	if (refused)
		return refused;
	return (int)result(setsockopt(fd, level, name, value, (socklen_t)size));
}

/* Closed on exec by itself. */
static int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)result(syscall(__NR_pidfd_open, pid, flags));
}

static int sys_fsopen(const char *type, unsigned int flags)
{
	return (int)result(syscall(__NR_fsopen, type, flags | CLOEXEC));
}

static int sys_fsconfig(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)result(syscall(__NR_fsconfig, fd, command, key, value, aux));
}

static int sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	return (int)result(syscall(__NR_fsmount, fd, flags | CLOEXEC, attributes));
}

static int sys_getrlimit(int resource, uint64_t *soft, uint64_t *hard)
{
	struct rlimit limit;
	int code = (int)result(getrlimit(resource, &limit));

	if (code < 0)
		return code;
	*soft = limit.rlim_cur;
	*hard = limit.rlim_max;
	return 0;
}

static int sys_setrlimit(int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

	return (int)result(setrlimit(resource, &limit));
}

const struct ebpf_sys ebpf_sys_linux = {
	.bpf = sys_bpf,
	.bpf_common = sys_bpf_common,
	.perf_event_open = sys_perf_event_open,
	.mmap = sys_mmap,
	.munmap = sys_munmap,
	.openat = sys_openat,
	.close = sys_close,
	.read = sys_read,
	.write = sys_write,
	.write_quietly = sys_write_quietly,
	.pread = sys_pread,
	.ioctl = sys_ioctl,
	.fcntl = sys_fcntl,
	.poll = sys_poll,
	.rename_new = sys_rename_new,
	.unlinkat = sys_unlinkat,
	.epoll_create = sys_epoll_create,
	.epoll_ctl = sys_epoll_ctl,
	.epoll_wait = sys_epoll_wait,
	.timerfd_create = sys_timerfd_create,
	.timerfd_settime = sys_timerfd_settime,
	.eventfd = sys_eventfd,
	.signalfd = sys_signalfd,
	.sigmask = sys_sigmask,
	.waitid = sys_waitid,
	.socket = sys_socket,
	.bind = sys_bind,
	.send = sys_send,
	.recv = sys_recv,
	.setsockopt = sys_setsockopt,
	.pidfd_open = sys_pidfd_open,
	.fsopen = sys_fsopen,
	.fsconfig = sys_fsconfig,
	.fsmount = sys_fsmount,
	.getrlimit = sys_getrlimit,
	.setrlimit = sys_setrlimit,
};
