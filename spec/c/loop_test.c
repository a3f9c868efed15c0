/* loop_test.c -- the event loop: every kind of source, changes while callbacks run, signals, and no leak whatever fails. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"
#include "descriptors.h"
#include "ring_program.h"
#include "ok.h"

#define MS UINT64_C(1000000)

static struct ebpf_error err;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static struct ebpf_loop *new_loop(void)
{
	struct ebpf_loop *loop = NULL;

	OK(ebpf_loop_new(&loop, &err));
	return loop;
}

/* What callbacks count, and what they are told to do. */
struct probe {
	struct ebpf_loop *loop;
	struct ebpf_source *source, *other;
	int calls, stop_at, result;
	uint32_t events, sum;
	int fd;
};

static int count_call(void *context, uint32_t events)
{
	struct probe *probe = context;

	probe->events = events;
	probe->sum += events;
	if (++probe->calls == probe->stop_at)
		ebpf_loop_stop(probe->loop);
	return probe->result;
}

static int read_one(void *context, uint32_t events)
{
	struct probe *probe = context;
	char byte;

	CHECK(read(probe->fd, &byte, 1) == 1);
	return count_call(context, events);
}

/* -- timers -- */

static void test_timers(void)
{
	struct ebpf_loop *loop = new_loop();
	struct probe once = { .loop = loop }, often = { .loop = loop, .stop_at = 5 }, at_once = { .loop = loop };
	int64_t start = now_ms();

	OK(ebpf_loop_add_timer(loop, 0, 0, count_call, &at_once, NULL, &err));
	OK(ebpf_loop_add_timer(loop, 20 * MS, 0, count_call, &once, &once.source, &err));
	OK(ebpf_loop_add_timer(loop, 10 * MS, 10 * MS, count_call, &often, &often.source, &err));
	CHECK_INT(ebpf_loop_count(loop), 3);
	OK(ebpf_loop_run(loop, &err));
	CHECK(now_ms() - start >= 45);
	CHECK_INT(at_once.calls, 1);
	CHECK_INT(once.calls, 1);
	CHECK_INT(once.events, 1);
	CHECK_INT(often.calls, 5);
	CHECK(often.sum >= 5);
	CHECK_INT(ebpf_loop_count(loop), 1);
	/* one that has fired is no reason to go on, but may still be removed */
	ebpf_source_remove(often.source);
	OK(ebpf_loop_run(loop, &err));
	ebpf_source_remove(once.source);
	/* overdue ones are told in one call */
	often = (struct probe){ .loop = loop, .stop_at = 1 };
	OK(ebpf_loop_add_timer(loop, MS, MS, count_call, &often, NULL, &err));
	usleep(20000);
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(often.calls, 1);
	CHECK(often.events >= 19);
	ebpf_loop_free(loop);
}

/* -- descriptors -- */

static void test_fds(void)
{
	struct ebpf_loop *loop = new_loop();
	struct probe reader = { .loop = loop }, writer = { .loop = loop };
	int pipe_fds[2], file;

	CHECK(!pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK));
	reader.fd = pipe_fds[0];
	OK(ebpf_loop_add_fd(loop, pipe_fds[0], EBPF_READ, read_one, &reader, &reader.source, &err));
	CHECK_INT(ebpf_loop_step(loop, 0, &err), 0);
	CHECK(!readable(ebpf_loop_fd(loop), 0));
	CHECK(write(pipe_fds[1], "abc", 3) == 3);
	CHECK(readable(ebpf_loop_fd(loop), 1000));
	for (int i = 0; i < 3; i++) /* what is left unread is told again */
		CHECK_INT(ebpf_loop_step(loop, -1, &err), 1);
	CHECK_INT(ebpf_loop_step(loop, 0, &err), 0);
	CHECK_INT(reader.calls, 3);
	CHECK_INT(reader.events, EBPF_READ);
	OK(ebpf_loop_add_fd(loop, pipe_fds[1], EBPF_WRITE, count_call, &writer, &writer.source, &err));
	CHECK_INT(ebpf_loop_step(loop, -1, &err), 1);
	CHECK_INT(writer.events, EBPF_WRITE);
	CHECK_INT(ebpf_loop_add_fd(loop, pipe_fds[1], EBPF_READ, count_call, &writer, NULL, &err), -EEXIST);
	ebpf_source_remove(writer.source);
	close(pipe_fds[1]);
	ebpf_source_remove(reader.source);
	OK(ebpf_loop_add_fd(loop, pipe_fds[0], 0, count_call, &reader, &reader.source, &err));
	CHECK_INT(ebpf_loop_step(loop, -1, &err), 1);
	CHECK_INT(reader.events, EBPF_HANGUP);
	close(pipe_fds[0]); /* too early, and yet */
	ebpf_source_remove(reader.source);
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK_INT(ebpf_loop_add_fd(loop, file, EBPF_READ, count_call, &reader, NULL, &err), -EPERM);
	CHECK(strstr(err.hint, "regular files") != NULL);
	close(file);
	CHECK_INT(ebpf_loop_add_fd(loop, file, EBPF_READ, count_call, &reader, NULL, &err), -EBADF);
	CHECK_INT(ebpf_loop_add_fd(loop, ebpf_loop_fd(loop), EBPF_READ, count_call, &reader, NULL, &err), -EINVAL);
	CHECK_INT(ebpf_loop_add_fd(loop, 0, 0x100, count_call, &reader, NULL, &err), -EINVAL);
	CHECK_INT(ebpf_loop_count(loop), 0);
	CHECK_INT(ebpf_loop_step(loop, -1, &err), 0); /* nothing to wait for */
	OK(ebpf_loop_run(loop, &err));
	ebpf_loop_free(loop);
	ebpf_error_clear(&err);
}

/* -- a loop in a loop, and results -- */

static int step_inner(void *context, uint32_t events)
{
	struct probe *probe = context;

	CHECK_INT(events, EBPF_READ);
	probe->calls += ebpf_loop_step(probe->loop, 0, &err);
	return 0;
}

static void test_nested(void)
{
	struct ebpf_loop *outer = new_loop(), *inner = new_loop();
	struct probe stepping = { .loop = inner }, ticks = { .loop = outer, .stop_at = 3 };

	OK(ebpf_loop_add_timer(inner, 5 * MS, 5 * MS, count_call, &ticks, NULL, &err));
	OK(ebpf_loop_add_fd(outer, ebpf_loop_fd(inner), EBPF_READ, step_inner, &stepping, NULL, &err));
	OK(ebpf_loop_run(outer, &err));
	CHECK_INT(ticks.calls, 3);
	CHECK_INT(stepping.calls, 3);
	ebpf_loop_free(inner);
	ebpf_loop_free(outer);
}

static void test_results(void)
{
	struct ebpf_loop *loop = new_loop();
	struct probe failing = { .loop = loop, .result = -77 };

	OK(ebpf_loop_add_timer(loop, 0, MS, count_call, &failing, NULL, &err));
	CHECK_INT(ebpf_loop_run(loop, &err), -77);
	CHECK_INT(err.code, 0);
	CHECK_INT(ebpf_loop_step(loop, -1, &err), -77);
	failing.result = 1234; /* not negative: means nothing */
	failing.stop_at = failing.calls + 2;
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(failing.calls, 4);
	/* a stop outside ends nothing later */
	ebpf_loop_stop(loop);
	CHECK_INT(ebpf_loop_step(loop, -1, &err), 1);
	ebpf_loop_free(loop);
	ebpf_loop_free(NULL);
	ebpf_source_remove(NULL);
}

/* -- changes while callbacks run -- */

#define PIPES 40

static struct {
	struct ebpf_loop *loop;
	struct ebpf_source *sources[PIPES];
	int fds[PIPES][2];
	int calls;
	struct probe late;
} crowd;

static void open_crowd(ebpf_source_fn callback)
{
	crowd.loop = new_loop();
	crowd.calls = 0;
	crowd.late = (struct probe){ .loop = crowd.loop, .stop_at = 1 };
	for (int i = 0; i < PIPES; i++) {
		CHECK(!pipe2(crowd.fds[i], O_CLOEXEC));
		CHECK(write(crowd.fds[i][1], "x", 1) == 1);
		OK(ebpf_loop_add_fd(crowd.loop, crowd.fds[i][0], EBPF_READ, callback, (void *)(intptr_t)i, &crowd.sources[i], &err));
	}
}

static void close_crowd(void)
{
	ebpf_loop_free(crowd.loop);
	for (int i = 0; i < PIPES; i++) {
		close(crowd.fds[i][0]);
		close(crowd.fds[i][1]);
	}
}

/* The first that is called removes all, itself included, and puts another in. */
static int remove_all(void *context, uint32_t events)
{
	(void)context;
	(void)events;
	crowd.calls++;
	for (int i = 0; i < PIPES; i++) {
		ebpf_source_remove(crowd.sources[i]);
		ebpf_source_remove(crowd.sources[i]); /* a tombstone: nothing happens */
	}
	CHECK_INT(ebpf_loop_count(crowd.loop), 0);
	OK(ebpf_loop_add_fd(crowd.loop, crowd.fds[0][0], EBPF_READ, count_call, &crowd.late, NULL, &err));
	return 0;
}

static int remove_self(void *context, uint32_t events)
{
	intptr_t i = (intptr_t)context;

	(void)events;
	crowd.calls++;
	ebpf_source_remove(crowd.sources[i]);
	return 0;
}

/* Runs the same loop within the callback: the inner step meets sources that the outer batch names as well. */
static int step_within(void *context, uint32_t events)
{
	intptr_t i = (intptr_t)context;
	char byte;

	(void)events;
	crowd.calls++;
	ebpf_source_remove(crowd.sources[i]);
	CHECK(read(crowd.fds[i][0], &byte, 1) == 1);
	if (i % 4 == 0)
		CHECK(ebpf_loop_step(crowd.loop, 0, &err) >= 0);
	return 0;
}

static int stop_here(void *context, uint32_t events)
{
	(void)context;
	(void)events;
	crowd.calls++;
	ebpf_loop_stop(crowd.loop);
	return 0;
}

static void test_changes(void)
{
	open_crowd(remove_all);
	OK(ebpf_loop_run(crowd.loop, &err));
	CHECK_INT(crowd.calls, 1);
	CHECK_INT(crowd.late.calls, 1);
	close_crowd();

	open_crowd(remove_self);
	OK(ebpf_loop_run(crowd.loop, &err));
	CHECK_INT(crowd.calls, PIPES);
	close_crowd();

	open_crowd(step_within);
	OK(ebpf_loop_run(crowd.loop, &err));
	CHECK_INT(crowd.calls, PIPES);
	close_crowd();

	open_crowd(stop_here);
	OK(ebpf_loop_run(crowd.loop, &err));
	CHECK_INT(crowd.calls, 1); /* the others of the batch wait */
	OK(ebpf_loop_run(crowd.loop, &err));
	CHECK_INT(crowd.calls, 2);
	close_crowd(); /* with all its sources still there */
}

static int add_timer_again(void *context, uint32_t events)
{
	struct probe *probe = context;

	(void)events;
	ebpf_source_remove(probe->source);
	if (++probe->calls < 200)
		OK(ebpf_loop_add_timer(probe->loop, 0, 0, add_timer_again, probe, &probe->source, &err));
	return 0;
}

static void test_timer_chain(void)
{
	struct ebpf_loop *loop = new_loop();
	struct probe chain = { .loop = loop };
	int before = open_fds();

	OK(ebpf_loop_add_timer(loop, 0, 0, add_timer_again, &chain, &chain.source, &err));
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(chain.calls, 200);
	CHECK_INT(open_fds(), before);
	CHECK(!loop->sources && !loop->graveyard);
	ebpf_loop_free(loop);
}

/* -- signals -- */

static bool blocked(int signal)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, signal) == 1;
}

static volatile sig_atomic_t handled;

static void handle(int signal)
{
	(void)signal;
	handled++;
}

static void test_signals(void)
{
	struct ebpf_loop *loop = new_loop();
	struct probe usr1 = { .loop = loop, .stop_at = 1 }, usr2 = { .loop = loop };
	struct sigaction action = { .sa_handler = handle };
	struct itimerval alarms = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 }, no_alarms = { .it_value.tv_sec = 0 };
	sigset_t set;

	OK(ebpf_loop_add_signal(loop, SIGUSR1, count_call, &usr1, &usr1.source, &err));
	CHECK(blocked(SIGUSR1));
	CHECK_INT(ebpf_loop_add_signal(loop, SIGUSR1, count_call, &usr1, NULL, &err), -EBUSY);
	kill(getpid(), SIGUSR1); /* would kill */
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(usr1.events, SIGUSR1);
	/* one that is pending at the end is dropped, not delivered */
	kill(getpid(), SIGUSR1);
	ebpf_source_remove(usr1.source);
	CHECK(!blocked(SIGUSR1));
	/* one that was blocked before stays so */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	OK(ebpf_loop_add_signal(loop, SIGUSR2, count_call, &usr2, &usr2.source, &err));
	ebpf_source_remove(usr2.source);
	CHECK(blocked(SIGUSR2));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* several at once, and the loop's end gives all back */
	OK(ebpf_loop_add_signal(loop, SIGUSR1, count_call, &usr1, NULL, &err));
	OK(ebpf_loop_add_signal(loop, SIGUSR2, count_call, &usr2, NULL, &err));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	usr1.calls = usr2.calls = usr1.stop_at = 0;
	while (usr1.calls + usr2.calls < 2)
		CHECK(ebpf_loop_step(loop, -1, &err) > 0);
	CHECK_INT(usr1.calls, 1);
	CHECK_INT(usr2.calls, 1);
	ebpf_loop_free(loop);
	CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2));
	/* what cannot be */
	loop = new_loop();
	CHECK_INT(ebpf_loop_add_signal(loop, SIGKILL, count_call, &usr1, NULL, &err), -EINVAL);
	CHECK_INT(ebpf_loop_add_signal(loop, 0, count_call, &usr1, NULL, &err), -EINVAL);
	CHECK_INT(ebpf_loop_add_signal(loop, 999, count_call, &usr1, NULL, &err), -EINVAL);
	/* a handler of the program's runs, and the loop goes on; a step returns */
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &alarms, NULL);
	usr1 = (struct probe){ .loop = loop };
	OK(ebpf_loop_add_timer(loop, 60 * MS, 0, count_call, &usr1, NULL, &err));
	OK(ebpf_loop_run(loop, &err));
	CHECK(handled >= 1);
	CHECK_INT(usr1.calls, 1);
	OK(ebpf_loop_add_timer(loop, 10000 * MS, 0, count_call, &usr1, NULL, &err));
	CHECK_INT(ebpf_loop_step(loop, -1, &err), 0);
	CHECK(handled >= 2);
	setitimer(ITIMER_REAL, &no_alarms, NULL);
	ebpf_loop_free(loop);
	ebpf_error_clear(&err);
}

/* -- processes -- */

static pid_t start_process(int how)
{
	pid_t pid = fork();

	if (pid == 0) {
		usleep(20000);
		if (how < 0)
			kill(getpid(), -how);
		_exit(how);
	}
	return pid;
}

static int zombies_of(const struct ebpf_sys *sys, pid_t pid)
{
	siginfo_t info = { 0 };

	return sys->waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

static int no_pidfd(pid_t pid, unsigned int flags)
{
	(void)pid, (void)flags;
	return -ENOSYS;
}

static int waitid_by_number_alone(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return type == P_PID ? ebpf_sys_linux.waitid(type, id, info, options) : -EINVAL;
}

static void test_processes(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_loop *loop = new_loop();
	struct probe exits = { .loop = loop }, dies = { .loop = loop }, stranger = { .loop = loop };
	pid_t first = start_process(3), second = start_process(-SIGKILL), other, orphan = 0;
	int pipe_fds[2];

	OK(ebpf_loop_add_process(loop, first, count_call, &exits, &exits.source, &err));
	OK(ebpf_loop_add_process(loop, second, count_call, &dies, NULL, &err));
	CHECK_INT(ebpf_loop_count(loop), 2);
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(exits.calls, 1);
	CHECK(WIFEXITED(exits.events) && WEXITSTATUS(exits.events) == 3);
	CHECK_INT(dies.calls, 1);
	CHECK(WIFSIGNALED(dies.events) && WTERMSIG(dies.events) == SIGKILL);
	CHECK_INT(zombies_of(&sys, first), -ECHILD);
	ebpf_source_remove(exits.source);
	CHECK_INT(ebpf_loop_add_process(loop, first, count_call, &exits, NULL, &err), -ESRCH);
	CHECK(strstr(err.message, "there is no process") != NULL);
	CHECK_INT(ebpf_loop_add_process(loop, -1, count_call, &exits, NULL, &err), -EINVAL);
	/* a grandchild is not ours to reap */
	CHECK(!pipe2(pipe_fds, O_CLOEXEC));
	other = fork();
	if (other == 0) {
		orphan = start_process(0);
		_exit(write(pipe_fds[1], &orphan, sizeof(orphan)) != sizeof(orphan));
	}
	CHECK(read(pipe_fds[0], &orphan, sizeof(orphan)) == sizeof(orphan));
	OK(ebpf_loop_add_process(loop, orphan, count_call, &stranger, NULL, &err));
	CHECK(waitpid(other, NULL, 0) == other);
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(stranger.events, (int64_t)EBPF_STATUS_UNKNOWN);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	ebpf_loop_free(loop);

	/* one that is removed is left for its parent to reap */
	loop = new_loop();
	first = start_process(0);
	OK(ebpf_loop_add_process(loop, first, count_call, &exits, &exits.source, &err));
	ebpf_source_remove(exits.source);
	OK(ebpf_loop_run(loop, &err));
	CHECK(waitpid(first, NULL, 0) == first);
	ebpf_loop_free(loop);

	/* and so are all, where the loop is not their parent's own */
	loop = new_loop();
	ebpf_loop_leave_children(loop);
	first = start_process(5);
	exits = (struct probe){ .loop = loop };
	OK(ebpf_loop_add_process(loop, first, count_call, &exits, NULL, &err));
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(exits.calls, 1);
	CHECK_INT(exits.events, 5 << 8);
	CHECK(waitpid(first, NULL, 0) == first);
	ebpf_loop_free(loop);

	/* Linux 5.3 waits by number; before that there is nothing to wait for */
	sys.waitid = waitid_by_number_alone;
	OK(ebpf_loop_new_with(&sys, &loop, &err));
	exits = (struct probe){ .loop = loop };
	OK(ebpf_loop_add_process(loop, start_process(7), count_call, &exits, NULL, &err));
	OK(ebpf_loop_run(loop, &err));
	CHECK_INT(exits.events, 7 << 8);
	ebpf_loop_free(loop);
	sys.pidfd_open = no_pidfd;
	OK(ebpf_loop_new_with(&sys, &loop, &err));
	CHECK_INT(ebpf_loop_add_process(loop, getpid(), count_call, &exits, NULL, &err), -ENOSYS);
	CHECK(strstr(err.hint, "5.3") != NULL);
	ebpf_loop_free(loop);
	ebpf_error_clear(&err);
}

/* -- rings -- */

struct drain {
	struct ebpf_loop *loop;
	struct ebpf_ring *ring;
	int program, calls, records, written;
};

static int on_record(void *context, const void *data, size_t size)
{
	struct drain *drain = context;

	CHECK(size == 5 && !memcmp(data, "hello", 5));
	drain->records++;
	return 0;
}

static int drain_ring(void *context, uint32_t events)
{
	struct drain *drain = context;

	CHECK_INT(events, EBPF_READ);
	drain->calls++;
	CHECK(ebpf_ring_consume(drain->ring, on_record, drain, 0) >= 0);
	if (drain->records == 30)
		ebpf_loop_stop(drain->loop);
	return 0;
}

static int write_record(void *context, uint32_t events)
{
	struct drain *drain = context;
	bool failed;

	(void)events;
	if (drain->written < 30) {
		drain->written++;
		CHECK_INT(ring_program_run(drain->program, 0, "hello", 5, 1, &failed), 0);
	}
	return 0;
}

static void test_rings(void)
{
	struct ebpf_map_spec spec = { .name = (char *)"events", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	struct drain drain = { .loop = new_loop() };
	struct ebpf_source *source = NULL;
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	OK(ebpf_ring_open(map, &drain.ring, &err));
	drain.program = ring_program_load(ebpf_map_fd(map));
	if (drain.program < 0)
		exit(1);
	OK(ebpf_loop_add_ring(drain.loop, drain.ring, drain_ring, &drain, &source, &err));
	CHECK_INT(ebpf_loop_add_ring(drain.loop, drain.ring, drain_ring, &drain, NULL, &err), -EEXIST);
	CHECK(strstr(err.message, "events") != NULL);
	ebpf_error_clear(&err);
	OK(ebpf_loop_add_timer(drain.loop, 2 * MS, 2 * MS, write_record, &drain, NULL, &err));
	OK(ebpf_loop_run(drain.loop, &err));
	CHECK_INT(drain.records, 30);
	CHECK(drain.calls > 1);
	ebpf_source_remove(source);
	ebpf_loop_free(drain.loop);
	ebpf_ring_close(drain.ring);
	ebpf_map_close(map);
	ebpf_kernel_free(kernel);
	close(drain.program);
}

/* -- whatever fails, nothing is left behind -- */

static int calls, fail_at;

static bool fails(void)
{
	return ++calls == fail_at;
}

static int failing_epoll_create(void)
{
	return fails() ? -EMFILE : ebpf_sys_linux.epoll_create();
}

static int failing_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	return operation == EPOLL_CTL_ADD && fails() ? -ENOSPC : ebpf_sys_linux.epoll_ctl(epoll_fd, operation, fd, event);
}

static int failing_epoll_wait(int epoll_fd, struct epoll_event *events, int count, int timeout_ms)
{
	return fails() ? -EBADF : ebpf_sys_linux.epoll_wait(epoll_fd, events, count, timeout_ms);
}

static int failing_timerfd_create(int clock, int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.timerfd_create(clock, flags);
}

static int failing_timerfd_settime(int fd, int flags, const struct itimerspec *value)
{
	return fails() ? -EINVAL : ebpf_sys_linux.timerfd_settime(fd, flags, value);
}

static int failing_signalfd(int fd, const sigset_t *mask, int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.signalfd(fd, mask, flags);
}

static int failing_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return how == SIG_BLOCK && fails() ? -EINVAL : (ebpf_sys_linux.sigmask)(how, set, old);
}

static ssize_t failing_read(int fd, void *data, size_t size)
{
	return fails() ? -EIO : ebpf_sys_linux.read(fd, data, size);
}

static int failing_pidfd_open(pid_t pid, unsigned int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.pidfd_open(pid, flags);
}

static int scenario(const struct ebpf_sys *sys)
{
	struct ebpf_loop *loop = NULL;
	struct probe probe = { .loop = NULL }, last = { .loop = NULL, .stop_at = 1 };
	int pipe_fds[2], ret;

	CHECK(!pipe2(pipe_fds, O_CLOEXEC));
	if ((ret = ebpf_loop_new_with(sys, &loop, &err)) < 0)
		goto out;
	probe.loop = last.loop = loop;
	if ((ret = ebpf_loop_add_fd(loop, pipe_fds[0], EBPF_READ, count_call, &probe, &probe.source, &err)) < 0 ||
	    (ret = ebpf_loop_add_timer(loop, 0, 0, count_call, &probe, NULL, &err)) < 0 ||
	    (ret = ebpf_loop_add_process(loop, getpid(), count_call, &probe, NULL, &err)) < 0 ||
	    (ret = ebpf_loop_add_signal(loop, SIGUSR1, count_call, &last, &last.source, &err)) < 0)
		goto out;
	kill(getpid(), SIGUSR1);
	ret = ebpf_loop_run(loop, &err);
out:
	CHECK(ret == 0 || err.code == -ret);
	ebpf_loop_free(loop);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	ebpf_error_clear(&err);
	return ret;
}

static void test_failures_leak_nothing(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	int before = open_fds();

	sys.epoll_create = failing_epoll_create;
	sys.epoll_ctl = failing_epoll_ctl;
	sys.epoll_wait = failing_epoll_wait;
	sys.timerfd_create = failing_timerfd_create;
	sys.timerfd_settime = failing_timerfd_settime;
	sys.signalfd = failing_signalfd;
	sys.pidfd_open = failing_pidfd_open;
	sys.sigmask = failing_sigmask;
	sys.read = failing_read;
	/* should a signal be left over by a read that failed, it must not kill the test */
	signal(SIGUSR1, SIG_IGN);
	for (fail_at = 1;; fail_at++) {
		calls = 0;
		scenario(&sys);
		CHECK_INT(open_fds(), before);
		CHECK(!blocked(SIGUSR1));
		if (calls < fail_at)
			break;
	}
	CHECK(fail_at > 10);
	signal(SIGUSR1, SIG_DFL);
}

int main(void)
{
	int before = open_fds();

	test_timers();
	test_fds();
	test_nested();
	test_results();
	test_changes();
	test_timer_chain();
	test_signals();
	test_processes();
	test_failures_leak_nothing();
	if (geteuid() == 0)
		test_rings();
	CHECK_INT(open_fds(), before);
	return TEST_RESULT();
}
