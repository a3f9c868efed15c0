/* sys.h -- every system call, behind one replaceable table.
 *
 * Each entry makes one call and returns its result, or -errno: errno is read here and nowhere else. Entries hold no
 * state. bpf(2) repeats EAGAIN of PROG_LOAD (a signal during verification, 4.20; a bounded number of times) and
 * nothing else; EINTR is the caller's. SIGPROF waits while a program is verified or run. Every descriptor that is
 * made here is closed on exec. Give bpf(2) the whole zeroed union (size = sizeof): a kernel that knows less of it
 * minds only bytes that are not zero. Linux's own table asks the thread's policy, if there is one, before a privileged step (policy.h). A table for tests replaces single entries (failure injection, pretended
 * kernels). Nobody outside this room calls syscall(2), and nobody outside uses a descriptor except through this
 * table, but for stdio on files of /proc and /sys.
 */
#ifndef EBPF_SYS_H
#define EBPF_SYS_H

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "base/base.h"
#include "base/uapi.h"
#include "sys/attr.h" /* union bpf_attr and the info structs, with the kernel's own member names */

#undef sigmask /* a macro of BSD's that <signal.h> still has */

struct perf_event_attr;
struct epoll_event;
struct itimerspec;
struct pollfd;

struct ebpf_sys {
	int (*bpf)(enum bpf_cmd cmd, union bpf_attr *attr, size_t size);
	/* The same with a place for the kernel's words (7.2; before: EINVAL). */
	int (*bpf_common)(enum bpf_cmd cmd, union bpf_attr *attr, size_t size, struct bpf_common_attr *common);
	int (*perf_event_open)(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd, unsigned long flags);
	/* *out is read for MAP_FIXED and MAP_FIXED_NOREPLACE alone: the address */
	int (*mmap)(size_t size, int prot, int flags, int fd, off_t offset, void **out);
	int (*munmap)(void *address, size_t size);
	int (*openat)(int dir_fd, const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *data, size_t size);
	ssize_t (*write)(int fd, const void *data, size_t size);
	/* The same for pipes and sockets: that nobody reads any more is -EPIPE, and no SIGPIPE. */
	ssize_t (*write_quietly)(int fd, const void *data, size_t size);
	ssize_t (*pread)(int fd, void *data, size_t size, off_t offset);
	int (*ioctl)(int fd, unsigned long request, unsigned long argument);
	int (*fcntl)(int fd, int command, long argument);
	int (*poll)(struct pollfd *fds, size_t count, int timeout_ms);
	int (*rename_new)(const char *from, const char *to); /* never over something: renameat2, 3.15; in a BPF file system 4.9 */
	int (*unlinkat)(int dir_fd, const char *path, int flags);
	int (*epoll_create)(void);
	int (*epoll_ctl)(int epoll_fd, int operation, int fd, struct epoll_event *event);
	int (*epoll_wait)(int epoll_fd, struct epoll_event *events, int count, int timeout_ms);
	int (*timerfd_create)(int clock, int flags);
	int (*timerfd_settime)(int fd, int flags, const struct itimerspec *value);
	int (*eventfd)(unsigned int value, int flags);
	int (*signalfd)(int fd, const sigset_t *mask, int flags);
	int (*sigmask)(int how, const sigset_t *set, sigset_t *old);
	int (*pidfd_open)(pid_t pid, unsigned int flags);            /* 5.3 */
	/* `options` with WNOHANG: then 0 and info->si_pid 0 when it still runs */
	int (*waitid)(idtype_t type, id_t id, siginfo_t *info, int options);
	int (*socket)(int domain, int type, int protocol);
	int (*bind)(int fd, const void *address, size_t size);
	ssize_t (*send)(int fd, const void *data, size_t size, int flags);
	ssize_t (*recv)(int fd, void *data, size_t size, int flags);
	int (*setsockopt)(int fd, int level, int name, const void *value, size_t size);
	int (*fsopen)(const char *type, unsigned int flags);         /* 5.2 */
	int (*fsconfig)(int fd, unsigned int command, const char *key, const void *value, int aux);
	int (*fsmount)(int fd, unsigned int flags, unsigned int attributes);
	int (*getrlimit)(int resource, uint64_t *soft, uint64_t *hard);
	int (*setrlimit)(int resource, uint64_t soft, uint64_t hard);
};
extern const struct ebpf_sys ebpf_sys_linux;

#endif
