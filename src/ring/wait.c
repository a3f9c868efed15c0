/* wait.c -- waiting for records, and flushing: telling whoever waits to come and take what is there.
 *
 * A flush is an eventfd that ebpf_ring_flush makes readable, from any thread or signal handler. It lies beside what the kernel makes readable, and stays until a
 * wait has found nothing more to read, or a loop's callback has: none is lost, and what had been written before it has been read when it ends.
 * `flushing` only saves those who look the system call: it is set after the eventfd, so that it may be late, and is cleared before.
 */
#include "ring/many.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

static const struct ebpf_sys *wait_sys(const struct ebpf_ring *ring)
{
	return ebpf_kernel_sys(ring->map->kernel);
}

/* -- descriptors -- */

/* Of what has an epoll set of its own; -1 of a ring buffer. */
static int own_epoll(const struct ebpf_ring *ring)
{
	return ring->many ? ring->many->epoll_fd : ring->perf ? ring->perf->epoll_fd : -1;
}

int ebpf_ring_open_flush(struct ebpf_ring *ring, struct ebpf_error *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ret;

	ring->flush_fd = wait_sys(ring)->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = ring->flush_fd;
	if (ret >= 0 && own_epoll(ring) >= 0)
		ret = wait_sys(ring)->epoll_ctl(own_epoll(ring), EPOLL_CTL_ADD, ring->flush_fd, &event);
	return ret < 0 ? ebpf_fail_errno(err, ret, "ring buffer: map '%s': eventfd", ring->map->name) : 0;
}

void ebpf_ring_wait_fds(const struct ebpf_ring *ring, int fds[2])
{
	fds[0] = own_epoll(ring) >= 0 ? own_epoll(ring) : ring->map->fd;
	fds[1] = own_epoll(ring) >= 0 ? -1 : ring->flush_fd;
}

/* Of a ring buffer the map's descriptor and the one of flushes, in an epoll set that is made now: our own loop waits for the two without it. */
int ebpf_ring_fd(struct ebpf_ring *ring)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fds[2], fd;

	ebpf_ring_wait_fds(ring, fds);
	if (fds[1] < 0)
		return fds[0];
	if (ring->epoll_fd >= 0)
		return ring->epoll_fd;
	fd = wait_sys(ring)->epoll_create();
	for (int i = 0; i < 2 && fd >= 0; i++) {
		if (wait_sys(ring)->epoll_ctl(fd, EPOLL_CTL_ADD, fds[i], &event) < 0) {
			wait_sys(ring)->close(fd);
			fd = -1;
		}
	}
	ring->epoll_fd = fd;
	return fd >= 0 ? fd : fds[0];
}

/* poll(2) and epoll_ctl(2) take the report of a perf event back as they give it: what it was about may have got lost between two that wait. */
void ebpf_ring_watched(struct ebpf_ring *ring)
{
	for (size_t i = 0; i < ebpf_ring_count(ring); i++) {
		struct ebpf_ring *part = ebpf_ring_part(ring, i);

		if (part->perf && ebpf_perf_is_ready(part))
			ebpf_perf_wake(part);
	}
}

/* -- flushing -- */

void ebpf_ring_flush(struct ebpf_ring *ring)
{
	static const uint64_t one = 1;

	wait_sys(ring)->write(ring->flush_fd, &one, sizeof(one));
	__atomic_store_n(&ring->flushing, true, __ATOMIC_RELEASE);
}

/* Takes a flush back if nothing is left that it was for: then true. Looked for after that, or what came in between would be missed. */
static bool take_flush(struct ebpf_ring *ring)
{
	uint64_t times;

	__atomic_store_n(&ring->flushing, false, __ATOMIC_RELEASE);
	if (wait_sys(ring)->read(ring->flush_fd, &times, sizeof(times)) < 0)
		return false;
	if (!ebpf_ring_is_ready(ring))
		return true;
	ebpf_ring_flush(ring);
	return false;
}

void ebpf_ring_settle(struct ebpf_ring *ring)
{
	if (__atomic_load_n(&ring->flushing, __ATOMIC_ACQUIRE) && !ebpf_ring_is_ready(ring))
		take_flush(ring);
}

bool ebpf_ring_flushed(const struct ebpf_ring *ring)
{
	return ring->flushed;
}

/* -- waiting -- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A record that is still being written is next: the descriptor is readable as soon as space is reserved, so that polling for it would spin. Such a moment
 * is short, unless the program was preempted in it. */
static bool is_busy(const struct ebpf_ring *ring)
{
	for (size_t i = 0; i < ebpf_ring_count(ring); i++) {
		const struct ebpf_ring *part = ebpf_ring_part(ring, i);

		if (!part->perf && part->position != part->known)
			return true;
	}
	return false;
}

static int next_sleep(bool busy, int timeout_ms, int64_t deadline)
{
	int64_t left = timeout_ms < 0 ? INT32_MAX : deadline - now_ms();

	if (left < 0)
		left = 0;
	if (!busy)
		return timeout_ms < 0 ? -1 : (int)left;
	return left > 1 ? 1 : (int)left;
}

/* One sleep. 1 = a flush is there, 0 = it is worth a look, or the time is over. */
static int sleep_once(const struct ebpf_ring *ring, int timeout_ms, int64_t deadline)
{
	struct pollfd fds[2] = { { .fd = ring->flush_fd, .events = POLLIN }, { .events = POLLIN } };
	bool busy = is_busy(ring);
	int ret, both[2];

	ebpf_ring_wait_fds(ring, both);
	fds[1].fd = both[0];
	ret = wait_sys(ring)->poll(fds, busy ? 1 : 2, next_sleep(busy, timeout_ms, deadline));
	return ret < 0 ? ret : ret > 0 && fds[0].revents;
}

int ebpf_ring_wait(struct ebpf_ring *ring, int timeout_ms, struct ebpf_error *err)
{
	int64_t deadline = timeout_ms > 0 ? now_ms() + timeout_ms : 0;

	ring->flushed = false;
	if (ring->consuming)
		return ebpf_fail(err, EBUSY, "ring buffer: map '%s': a callback of this ring cannot wait for it", ring->map->name);
	for (bool last = false;; last = timeout_ms >= 0 && now_ms() >= deadline) {
		int ret;

		if (ebpf_ring_is_ready(ring))
			return 1;
		/* A record that comes before this would wake nobody; one that came meanwhile makes the descriptor readable at once. */
		ebpf_ring_release(ring);
		if (last)
			return 0;
		ret = sleep_once(ring, timeout_ms, deadline);
		if (ret == -EINTR)
			return ebpf_fail_errno(err, ret, "ring buffer: map '%s': waiting", ring->map->name);
		if (ret < 0)
			return ebpf_fail_errno(err, ret, "ring buffer: map '%s': cannot wait", ring->map->name);
		if (ret > 0 && take_flush(ring)) {
			ring->flushed = true;
			return 0;
		}
	}
}
