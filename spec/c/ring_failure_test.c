/* ring_failure_test.c -- readers of which any allocation and any system call may fail: an error that says so, and nothing is left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "loop/loop.h"
#include "perf_program.h"
#include "ring/many.h"
#include "descriptors.h"
#include "test.h"

static int call_to_fail, calls; /* counts up to it; 0 = none fails */

static bool fails(void)
{
	return call_to_fail && ++calls == call_to_fail;
}

static int failing_perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd, unsigned long flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.perf_event_open(attr, pid, cpu, group_fd, flags);
}

static int failing_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return fails() ? -ENOMEM : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static int failing_epoll_create(void)
{
	return fails() ? -EMFILE : ebpf_sys_linux.epoll_create();
}

static int failing_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	return operation == EPOLL_CTL_ADD && fails() ? -ENOSPC : ebpf_sys_linux.epoll_ctl(epoll_fd, operation, fd, event);
}

static int failing_eventfd(unsigned value, int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.eventfd(value, flags);
}

static int failing_timerfd_create(int clock, int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.timerfd_create(clock, flags);
}

static int failing_timerfd_settime(int fd, int flags, const struct itimerspec *value)
{
	return fails() ? -EINVAL : ebpf_sys_linux.timerfd_settime(fd, flags, value);
}

static int failing_ioctl(int fd, unsigned long request, unsigned long argument)
{
	return fails() ? -EINVAL : ebpf_sys_linux.ioctl(fd, request, argument);
}

static int failing_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return command == BPF_MAP_UPDATE_ELEM && fails() ? -ENOMEM : ebpf_sys_linux.bpf(command, attr, size);
}

static struct ebpf_map *maps[4]; /* two ring buffers, a perf buffer, and an array that counts what is lost */

static int try_ring(struct ebpf_error *err)
{
	struct ebpf_ring *ring = NULL;
	int ret = ebpf_ring_open(maps[0], &ring, err);

	if (ret == 0)
		ret = ebpf_ring_set_lost(ring, maps[3], err);
	if (ret == 0)
		ret = ebpf_ring_set_lost(ring, maps[3], err); /* in the other's place */
	ebpf_ring_close(ring);
	return ret;
}

static int try_perf(struct ebpf_error *err)
{
	static const uint32_t cpus[] = { 0 };
	struct perf_event_attr attr = { .size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_BPF_OUTPUT,
					.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_TIME };
	struct ebpf_perf_options options = { .size = sizeof(options), .cpus = cpus, .cpu_count = 1, .refresh_ns = 1000000, .attr = &attr };
	struct ebpf_ring *ring = NULL;
	int ret = ebpf_ring_open_perf(maps[2], &options, &ring, err);

	if (ret == 0)
		ret = ebpf_ring_pause(ring, err);
	if (ret == 0)
		ret = ebpf_ring_resume(ring, err);
	ebpf_ring_close(ring);
	return ret;
}

static int try_overwrite(struct ebpf_error *err)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .overwrite = true };
	struct ebpf_ring *ring = NULL;
	int ret = ebpf_ring_open_any(maps[2], &options, &ring, err);

	ebpf_ring_close(ring);
	return ret;
}

static int try_many(struct ebpf_error *err)
{
	struct ebpf_ring *ring = NULL;
	int ret = ebpf_ring_open_many(maps, 3, NULL, &ring, err);

	ebpf_ring_close(ring);
	return ret;
}

static int try_loop(struct ebpf_loop *loop, struct ebpf_error *err)
{
	struct ebpf_ring *rings[2] = { NULL, NULL };
	struct ebpf_source *sources[2] = { NULL, NULL };
	int ret = ebpf_ring_open(maps[0], &rings[0], err);

	if (ret == 0)
		ret = ebpf_ring_open(maps[1], &rings[1], err);
	if (ret == 0)
		ret = ebpf_loop_add_ring(loop, rings[0], NULL, NULL, &sources[0], err);
	if (ret == 0)
		ret = ebpf_loop_add_ring_every(loop, rings[1], 1000000, NULL, NULL, &sources[1], err);
	CHECK_INT(ebpf_loop_count(loop), (sources[0] != NULL) + (sources[1] != NULL));
	for (int i = 0; i < 2; i++) {
		ebpf_source_remove(sources[i]);
		ebpf_ring_close(rings[i]);
	}
	return ret;
}

static struct ebpf_loop *loop;

static int try_in_loop(struct ebpf_error *err)
{
	return try_loop(loop, err);
}

static void fail_each_call(const char *name, int (*attempt)(struct ebpf_error *err), struct ebpf_error *err)
{
	int before = open_fds(), ret;

	call_to_fail = 0;
	do {
		call_to_fail++;
		calls = 0;
		ret = attempt(err);
		CHECK((ret < 0) == (err->code != 0));
		CHECK(ret == 0 || *err->message);
		ebpf_error_clear(err);
		CHECK_INT(open_fds(), before);
	} while (calls >= call_to_fail && call_to_fail < 500);
	if (call_to_fail < 4 || ret) {
		test_failures++;
		fprintf(stderr, "not ok: %s: call %d of it: %d\n", name, call_to_fail, ret);
	}
	call_to_fail = 0;
}

#ifndef SANITIZED
static void fail_each_allocation(const char *name, int (*attempt)(struct ebpf_error *err), struct ebpf_error *err)
{
	int before = open_fds(), ret;
	long number = 0, blocks;

	attempt(err);
	blocks = live;
	do {
		failed_allocation = false;
		fail_allocation = ++number;
		ret = attempt(err);
		fail_allocation = 0;
		CHECK(!failed_allocation || ret == -ENOMEM);
		CHECK((ret < 0) == (err->code != 0));
		ebpf_error_clear(err);
		CHECK_INT(live, blocks);
		CHECK_INT(open_fds(), before);
	} while (failed_allocation && number < 500);
	if (number < 2 || ret) {
		test_failures++;
		fprintf(stderr, "not ok: %s: allocation %ld of it: %d\n", name, number, ret);
	}
}
#endif

/* Where no epoll set can be made for somebody else's loop, the map's own descriptor is what it gets. */
static void test_descriptor(struct ebpf_error *err)
{
	struct ebpf_ring *ring = NULL;

	for (int i = 1; i <= 3; i++) {
		CHECK_INT(ebpf_ring_open(maps[0], &ring, err), 0);
		call_to_fail = i;
		calls = 0;
		CHECK_INT(ebpf_ring_fd(ring), ebpf_map_fd(maps[0]));
		call_to_fail = 0;
		CHECK(ebpf_ring_fd(ring) != ebpf_map_fd(maps[0]));
		ebpf_ring_close(ring);
	}
}

/* A record that is cut by the end is put together in memory that there may be none of: then it is still there. */
static int count(void *context, const void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(int *)context;
	return 0;
}

static void test_joining(struct ebpf_error *err)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .buffer_size = 4096 };
	int writer = perf_program_load(ebpf_map_fd(maps[2])), read = 0, written = 0;
	struct ebpf_ring *ring = NULL;
	int64_t ret = 0;

	CHECK_INT(ebpf_ring_open_perf(maps[2], &options, &ring, err), 0);
#ifndef SANITIZED
	for (int i = 0; i < 600 && ret >= 0; i++) {
		written += perf_program_run(writer, 0, 1) == 0;
		fail_allocation = 1;
		ret = ebpf_ring_consume(ring, count, &read, 0);
		fail_allocation = 0;
	}
	CHECK_INT(ret, -ENOMEM);
#else
	written += perf_program_run(writer, 0, 1) == 0;
#endif
	ret = ebpf_ring_consume(ring, count, &read, 0);
	CHECK_INT(ret, 1);
	CHECK_INT(read, written);
	ebpf_ring_close(ring);
	close(writer);
}

int main(void)
{
	static const struct {
		const char *name;
		int (*attempt)(struct ebpf_error *err);
	} attempts[] = { { "ring", try_ring }, { "perf", try_perf }, { "overwrite", try_overwrite }, { "many", try_many }, { "loop", try_in_loop } };
	static const uint32_t types[] = { BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_ARRAY };
	struct ebpf_sys failing = ebpf_sys_linux;
	struct ebpf_error err = { 0 };
	struct ebpf_kernel *kernel;

	if (geteuid())
		TEST_SKIP("needs root");
	failing.perf_event_open = failing_perf_event_open;
	failing.mmap = failing_mmap;
	failing.epoll_create = failing_epoll_create;
	failing.epoll_ctl = failing_epoll_ctl;
	failing.eventfd = failing_eventfd;
	failing.timerfd_create = failing_timerfd_create;
	failing.timerfd_settime = failing_timerfd_settime;
	failing.ioctl = failing_ioctl;
	failing.bpf = failing_bpf;
	kernel = ebpf_kernel_new_with(&failing, &err);
	if (ebpf_kernel_has(kernel, "ringbuf", NULL) <= 0)
		TEST_SKIP("the kernel has no ring buffers");
	for (int i = 0; i < 4; i++) {
		struct ebpf_map_spec spec = { .name = (char *)"map", .type = types[i], .max_entries = i < 2 ? 4096 : i == 2 ? 0 : 1,
					      .key_size = i == 3 ? 4 : 0, .value_size = i == 3 ? 8 : 0 };

		CHECK_INT(ebpf_map_create(kernel, &spec, &maps[i], &err), 0);
		if (!maps[i])
			return 1;
	}
	CHECK_INT(ebpf_loop_new_with(&failing, &loop, &err), 0);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		fail_each_call(attempts[i].name, attempts[i].attempt, &err);
#ifndef SANITIZED
		fail_each_allocation(attempts[i].name, attempts[i].attempt, &err);
#endif
	}
	test_descriptor(&err);
	test_joining(&err);
	ebpf_loop_free(loop);
	for (int i = 0; i < 4; i++)
		ebpf_map_close(maps[i]);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
