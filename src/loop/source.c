/* source.c -- the kinds of sources: descriptors, timers, rings, signals, processes. */
#include "loop/loop.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define P_PIDFD 3 /* an enumerator that the C library has since glibc 2.36 */
#define EVENTS (EBPF_READ | EBPF_WRITE | EBPF_ERROR | EBPF_HANGUP)

static int call(struct ebpf_source *source, uint32_t events)
{
	int ret = source->callback(source->context, events);

	return ret < 0 ? ret : 1;
}

/* -- descriptors -- */

static int deliver_fd(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	(void)err;
	return call(source, events & EVENTS);
}

static const struct ebpf_source_kind fd_kind = { .deliver = deliver_fd };

int ebpf_loop_add_fd(struct ebpf_loop *loop, int fd, uint32_t events, ebpf_source_fn callback, void *context, struct ebpf_source **out,
		     struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &fd_kind, .fd = fd, .callback = callback, .context = context };

	if (events & ~(uint32_t)EVENTS)
		return ebpf_fail(err, EINVAL, "loop: descriptor %d: unknown events 0x%x", fd, events & ~(uint32_t)EVENTS);
	return ebpf_source_add(loop, &model, events, "file", out, err);
}

/* -- timers -- */

static int deliver_timer(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	uint64_t times = 0;
	ssize_t ret = source->loop->sys->read(source->fd, &times, sizeof(times));

	(void)events;
	if (ret == -EAGAIN || ret == -EINTR)
		return 0; /* a step within a callback has seen it already */
	if (ret < 0)
		return ebpf_fail_errno(err, (int)ret, "loop: timer");
	if (source->once)
		ebpf_source_retire(source);
	return call(source, times > UINT32_MAX ? UINT32_MAX : (uint32_t)times);
}

static const struct ebpf_source_kind timer_kind = { .deliver = deliver_timer, .owns_fd = true };

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

/* For a model of a kind that owns its descriptor. */
static int make_timer(struct ebpf_loop *loop, struct ebpf_source *model, uint64_t delay_ns, uint64_t interval_ns, struct ebpf_error *err)
{
	/* A delay of 0 would switch the timer off. */
	struct itimerspec when = { .it_value = to_timespec(delay_ns ? delay_ns : 1), .it_interval = to_timespec(interval_ns) };
	int ret;

	model->fd = loop->sys->timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (model->fd < 0)
		return ebpf_fail_errno(err, model->fd, "loop: cannot create a timer");
	ret = loop->sys->timerfd_settime(model->fd, 0, &when);
	if (ret < 0) {
		loop->sys->close(model->fd);
		return ebpf_fail_errno(err, ret, "loop: cannot set a timer");
	}
	return 0;
}

int ebpf_loop_add_timer(struct ebpf_loop *loop, uint64_t delay_ns, uint64_t interval_ns, ebpf_source_fn callback, void *context,
			struct ebpf_source **out, struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &timer_kind, .callback = callback, .context = context, .once = interval_ns == 0 };
	int ret = make_timer(loop, &model, delay_ns, interval_ns, err);

	return ret < 0 ? ret : ebpf_source_add(loop, &model, EPOLLIN, "timer", out, err);
}

/* -- rings -- */

/* The callback may have closed the ring, and with it the source. */
static int call_reader(struct ebpf_source *source, uint32_t events)
{
	int ret = call(source, events);

	if (ret > 0 && source->live)
		ebpf_ring_settle(source->ring);
	return ret;
}

static int deliver_ring(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	(void)err;
	return call_reader(source, events & EVENTS);
}

static const struct ebpf_source_kind ring_kind = { .deliver = deliver_ring };

int ebpf_loop_add_ring(struct ebpf_loop *loop, struct ebpf_ring *ring, ebpf_source_fn callback, void *context, struct ebpf_source **out,
		       struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &ring_kind, .ring = ring, .callback = callback, .context = context };
	int ret, fds[2];

	ebpf_ring_wait_fds(ring, fds);
	model.fd = fds[0];
	model.second_fd = fds[1];
	model.has_second = fds[1] >= 0;
	ret = ebpf_source_add(loop, &model, EPOLLIN, ebpf_map_name(ring->map), out, err);
	if (ret == 0)
		ebpf_ring_watched(ring);
	return ret;
}

/* The timer, or a flush. */
static int deliver_ring_timer(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	uint64_t times = 0;
	ssize_t ret = source->loop->sys->read(source->fd, &times, sizeof(times));

	(void)events;
	if (ret < 0 && ret != -EAGAIN && ret != -EINTR)
		return ebpf_fail_errno(err, (int)ret, "loop: timer of a ring");
	return call_reader(source, times > UINT32_MAX ? UINT32_MAX : (uint32_t)times);
}

static const struct ebpf_source_kind ring_timer_kind = { .deliver = deliver_ring_timer, .owns_fd = true };

int ebpf_loop_add_ring_every(struct ebpf_loop *loop, struct ebpf_ring *ring, uint64_t interval_ns, ebpf_source_fn callback, void *context,
			     struct ebpf_source **out, struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &ring_timer_kind, .ring = ring, .callback = callback, .context = context, .has_second = true,
				     .second_fd = ring->flush_fd };
	int ret;

	if (!interval_ns)
		return ebpf_fail(err, EINVAL, "loop: ring '%s': an interval of 0", ebpf_map_name(ring->map));
	ret = make_timer(loop, &model, interval_ns, interval_ns, err);
	return ret < 0 ? ret : ebpf_source_add(loop, &model, EPOLLIN, ebpf_map_name(ring->map), out, err);
}

/* -- signals -- */

static int signal_set(int signal, sigset_t *set)
{
	sigemptyset(set);
	/* The kernel would silently leave these two out; the C library knows which numbers are its own. */
	if (signal == SIGKILL || signal == SIGSTOP)
		return -EINVAL;
	return sigaddset(set, signal) ? -EINVAL : 0;
}

static int deliver_signal(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	struct signalfd_siginfo info;
	ssize_t ret = source->loop->sys->read(source->fd, &info, sizeof(info));

	(void)events;
	if (ret == -EAGAIN || ret == -EINTR)
		return 0; /* another thread, or a step within a callback, took it */
	if (ret < 0)
		return ebpf_fail_errno(err, (int)ret, "loop: signal %d", source->signal);
	return call(source, (uint32_t)source->signal);
}

static void close_signal(struct ebpf_source *source)
{
	const struct ebpf_sys *sys = source->loop->sys;
	struct signalfd_siginfo info;
	sigset_t set;

	/* One that is pending has come while the source had it: without this, a second Ctrl-C during shutdown would kill the process in the middle
	 * of it. Bounded, since a queue of real-time signals may be refilled all the time. */
	for (int i = 0; i < 1024 && sys->read(source->fd, &info, sizeof(info)) > 0; i++)
		;
	if (!source->was_blocked && signal_set(source->signal, &set) == 0)
		(sys->sigmask)(SIG_UNBLOCK, &set, NULL);
}

static const struct ebpf_source_kind signal_kind = { .deliver = deliver_signal, .close = close_signal, .owns_fd = true };

int ebpf_loop_add_signal(struct ebpf_loop *loop, int signal, ebpf_source_fn callback, void *context, struct ebpf_source **out,
			 struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &signal_kind, .callback = callback, .context = context, .signal = signal };
	const struct ebpf_sys *sys = loop->sys;
	sigset_t set, old;
	char what[32];
	int ret = signal_set(signal, &set);

	if (ret < 0)
		return ebpf_fail(err, ret, "loop: signal %d cannot be waited for", signal);
	for (const struct ebpf_source *other = loop->sources; other; other = other->next)
		if (other->kind == &signal_kind && other->signal == signal)
			return ebpf_fail(err, EBUSY, "loop: signal %d is in this loop already", signal);
	sigemptyset(&old);
	ret = (sys->sigmask)(SIG_BLOCK, &set, &old);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "loop: cannot block signal %d", signal);
	model.was_blocked = sigismember(&old, signal) == 1;
	model.fd = sys->signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	snprintf(what, sizeof(what), "signal %d", signal);
	ret = model.fd < 0 ? ebpf_fail_errno(err, model.fd, "loop: cannot wait for signal %d", signal) :
			     ebpf_source_add(loop, &model, EPOLLIN, what, out, err);
	if (ret < 0 && !model.was_blocked)
		(sys->sigmask)(SIG_UNBLOCK, &set, NULL);
	return ret;
}

/* -- processes -- */

/* waitid(2)'s answer as the status of waitpid(2). */
static uint32_t wait_status(const siginfo_t *info)
{
	uint32_t status = (uint32_t)info->si_status;

	if (info->si_code == CLD_EXITED)
		return (status & 0xff) << 8;
	return info->si_code == CLD_DUMPED ? status | 0x80 : status;
}

static int deliver_process(struct ebpf_source *source, uint32_t events, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = source->loop->sys;
	const int options = WEXITED | WNOHANG | (source->loop->leaves_children ? WNOWAIT : 0);
	siginfo_t info = { 0 };
	int ret = sys->waitid((idtype_t)P_PIDFD, (id_t)source->fd, &info, options);

	(void)events;
	/* Linux 5.4 waits by descriptor. On 5.3 the number does: as long as nobody has reaped the child, it is the child's. */
	if (ret == -EINVAL)
		ret = sys->waitid(P_PID, (id_t)source->pid, &info, options);
	if (ret == -EINTR || (ret == 0 && info.si_pid == 0))
		return 0;
	if (ret < 0 && ret != -ECHILD)
		return ebpf_fail_errno(err, ret, "loop: process %d", source->pid);
	ebpf_source_retire(source);
	return call(source, ret < 0 ? EBPF_STATUS_UNKNOWN : wait_status(&info));
}

void ebpf_loop_leave_children(struct ebpf_loop *loop)
{
	loop->leaves_children = true;
}

static const struct ebpf_source_kind process_kind = { .deliver = deliver_process, .owns_fd = true };

int ebpf_loop_add_process(struct ebpf_loop *loop, int pid, ebpf_source_fn callback, void *context, struct ebpf_source **out,
			  struct ebpf_error *err)
{
	struct ebpf_source model = { .kind = &process_kind, .callback = callback, .context = context, .pid = pid };
	char what[32];

	snprintf(what, sizeof(what), "process %d", pid);
	model.fd = loop->sys->pidfd_open(pid, 0);
	if (model.fd == -ENOSYS) {
		ebpf_fail_errno(err, model.fd, "loop: %s", what);
		ebpf_hint(err, "waiting for processes needs Linux 5.3; before that, loop for the signal CHLD");
		return -ENOSYS;
	}
	if (model.fd == -ESRCH)
		return ebpf_fail(err, ESRCH, "loop: there is no %s", what);
	if (model.fd < 0)
		return ebpf_fail_errno(err, model.fd, "loop: %s", what);
	return ebpf_source_add(loop, &model, EPOLLIN, what, out, err);
}
