/* map_failure_test.c -- maps with types by name, elements by owner, and the writer of a user ring: each system call and each
 * allocation fails in turn, and nothing is left behind; and what the writer's ring looks like in memory. */
#include "descriptors.h"
#include "failing_malloc.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map/map.h"
#include "ring/ring.h"
#include "test.h"

static struct ebpf_kernel *kernel;
static struct ebpf_error error;
static int calls, fail_at, fail_with;

static bool fails(void)
{
	return ++calls == fail_at;
}

static int failing_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	return fails() ? fail_with : ebpf_sys_linux.bpf(cmd, attr, size);
}

static int failing_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return fails() ? fail_with : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static int failing_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return fails() ? fail_with : ebpf_sys_linux.openat(dir_fd, path, flags, mode);
}

static int failing_pidfd_open(pid_t pid, unsigned int flags)
{
	return fails() ? fail_with : ebpf_sys_linux.pidfd_open(pid, flags);
}

static int failing_epoll_create(void)
{
	return fails() ? fail_with : ebpf_sys_linux.epoll_create();
}

static int failing_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	return fails() ? fail_with : ebpf_sys_linux.epoll_ctl(epoll_fd, operation, fd, event);
}

static int failing_epoll_wait(int epoll_fd, struct epoll_event *events, int count, int timeout_ms)
{
	return fails() ? fail_with : ebpf_sys_linux.epoll_wait(epoll_fd, events, count, timeout_ms);
}

/* -- the scenarios: each leaves nothing open, and returns what failed -- */

static int make_typed(struct ebpf_kernel *on)
{
	const struct ebpf_map_types inner_types = { .size = sizeof(inner_types), .key = "u32", .value = "u64" };
	const struct ebpf_map_types types = { .size = sizeof(types), .key = "u32", .inner = &inner_types };
	struct ebpf_map_spec inner = { .name = (char *)"inner", .type = BPF_MAP_TYPE_ARRAY, .max_entries = 1 };
	struct ebpf_map_spec outer = { .name = (char *)"outer", .type = BPF_MAP_TYPE_HASH_OF_MAPS, .max_entries = 1, .inner = &inner };
	const struct ebpf_map_types plain_types = { .size = sizeof(plain_types), .key = "char[16]", .value = "u32[4][2]" };
	struct ebpf_map_spec plain = { .name = (char *)"plain", .type = BPF_MAP_TYPE_HASH, .max_entries = 1 };
	struct ebpf_map *map = NULL;
	int ret = ebpf_map_create_typed(on, &outer, &types, &map, &error);

	ebpf_map_close(map);
	map = NULL;
	if (ret == 0)
		ret = ebpf_map_create_typed(on, &plain, &plain_types, &map, &error);
	if (ret == 0 && map->value_size != 32)
		CHECK_INT(map->value_size, 32);
	ebpf_map_close(map);
	return ret;
}

static int use_storage(struct ebpf_kernel *on)
{
	const struct ebpf_map_types types = { .size = sizeof(types), .value = "u64" };
	struct ebpf_map_spec spec = { .name = (char *)"tasks", .type = BPF_MAP_TYPE_TASK_STORAGE };
	struct ebpf_map *map = NULL;
	uint64_t value = 5;
	int ret = ebpf_map_create_typed(on, &spec, &types, &map, &error), fd = -1;

	if (ret == 0)
		ret = fd = ebpf_map_open_owner(map, (uint32_t)getpid(), NULL, &error);
	if (ret >= 0)
		ret = ebpf_map_update(map, &fd, &value, EBPF_NOEXIST, &error);
	if (ret == 0)
		ret = ebpf_map_lookup(map, &fd, &value, 0, &error);
	if (ret == 0)
		CHECK_INT(value, 5);
	if (map)
		ebpf_map_close_owner(map, fd);
	ebpf_map_close(map);
	spec.type = BPF_MAP_TYPE_INODE_STORAGE;
	spec.value_size = 12; /* without types: some of that size are made */
	map = NULL;
	if (ret == 0)
		ret = ebpf_map_create(on, &spec, &map, &error);
	if (ret == 0)
		ret = fd = ebpf_map_open_owner(map, 0, "/proc/self/exe", &error);
	if (ret >= 0)
		ebpf_map_close_owner(map, fd);
	ebpf_map_close(map);
	return ret < 0 ? ret : 0;
}

static int write_ring(struct ebpf_kernel *on)
{
	struct ebpf_map_spec spec = { .name = (char *)"orders", .type = BPF_MAP_TYPE_USER_RINGBUF, .max_entries = (uint32_t)sysconf(_SC_PAGESIZE) };
	struct ebpf_user_ring *ring = NULL;
	struct ebpf_map *map = NULL;
	void *record = NULL;
	int ret = ebpf_map_create(on, &spec, &map, &error);

	if (ret == 0)
		ret = ebpf_user_ring_open(map, &ring, &error);
	if (ret == 0)
		ret = ebpf_user_ring_reserve(ring, spec.max_entries / 2, 0, &record, &error);
	if (ret == 0) { /* half of it is left, less the header */
		ret = ebpf_user_ring_reserve(ring, spec.max_entries / 2, 5, &record, &error);
		CHECK(ret < 0);
		ret = ret == -ENOSPC ? 0 : ret;
	}
	ebpf_user_ring_close(ring);
	ebpf_map_close(map);
	return ret;
}

typedef int (*scenario)(struct ebpf_kernel *on);

static void fail_each_call(const char *name, scenario run)
{
	static const int codes[] = { -EPERM, -EINVAL, -ENOMEM };
	struct ebpf_sys sys = ebpf_sys_linux;
	int before, ret;

	sys.bpf = failing_bpf;
	sys.mmap = failing_mmap;
	sys.openat = failing_openat;
	sys.pidfd_open = failing_pidfd_open;
	sys.epoll_create = failing_epoll_create;
	sys.epoll_ctl = failing_epoll_ctl;
	sys.epoll_wait = failing_epoll_wait;
	before = open_fds();
	for (size_t i = 0; i < EBPF_COUNT(codes); i++) {
		fail_with = codes[i];
		for (fail_at = 1; fail_at < 1000; fail_at++) {
			struct ebpf_kernel *fake = ebpf_kernel_new_with(&sys, &error);

			calls = 0;
			ret = run(fake);
			if (ret < 0 && (!error.code || !error.message[0]))
				fprintf(stderr, "%s: call %d: an error without words\n", name, fail_at), test_failures++;
			ebpf_error_clear(&error);
			ebpf_kernel_free(fake);
			CHECK_INT(open_fds(), before);
			if (calls < fail_at)
				break;
		}
		CHECK(fail_at > 3);
	}
	CHECK_INT(ret, 0); /* the last round was without failure */
	fail_at = 0;
}

static void fail_each_allocation(scenario run)
{
#ifndef SANITIZED
	long before;
	int ret;

	for (long n = 1; n < 100000; n++) {
		before = live;
		failed_allocation = false;
		fail_allocation = n;
		ret = run(kernel);
		fail_allocation = 0;
		CHECK(ret >= 0 || failed_allocation);
		ebpf_error_clear(&error);
		CHECK_INT(live, before);
		if (!failed_allocation)
			break;
	}
#else
	(void)run;
#endif
}

/* -- sizes beyond 32 bits -- */

static size_t asked_for;

static int note_size(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	(void)prot, (void)flags, (void)fd, (void)offset, (void)out;
	asked_for = size;
	return -ENOMEM;
}

static void test_large_memory(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_map_spec spec = { .name = (char *)"large", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1,
				      .flags = BPF_F_MMAPABLE };
	struct ebpf_map *map = NULL;
	struct ebpf_kernel *fake;
	void *memory;
	size_t size;
	bool writable;

	sys.mmap = note_size;
	fake = ebpf_kernel_new_with(&sys, &error);
	CHECK_INT(ebpf_map_create(fake, &spec, &map, &error), 0);
	if (map) { /* no machine has to have it: what is asked of mmap counts */
		map->value_size = 12;
		map->max_entries = 0xffffffff;
		CHECK_INT(ebpf_map_memory(map, &memory, &size, &writable, &error), -ENOMEM);
		CHECK_INT(asked_for, 0xffffffffULL * 16 + 4096 - 0xffffffffULL * 16 % 4096);
		ebpf_error_clear(&error);
		map->value_size = 0xffffffff;
		CHECK_INT(ebpf_map_memory(map, &memory, &size, &writable, &error), -ENOTSUP);
		ebpf_error_clear(&error);
	}
	ebpf_map_close(map);
	ebpf_kernel_free(fake);
}

/* -- the ring in memory, as the kernel looks at it -- */

static void test_ring_layout(void)
{
	unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
	struct ebpf_map_spec spec = { .name = (char *)"orders", .type = BPF_MAP_TYPE_USER_RINGBUF, .max_entries = (uint32_t)page };
	struct ebpf_user_ring *ring = NULL;
	struct ebpf_map *map = NULL;
	void *memory, *first, *second, *third;

	CHECK_INT(ebpf_map_create(kernel, &spec, &map, &error), 0);
	CHECK_INT(ebpf_user_ring_open(map, &ring, &error), 0);
	CHECK_INT(ebpf_sys_linux.mmap(page * 3, PROT_READ, MAP_SHARED, ebpf_map_fd(map), (off_t)page, &memory), 0);
	const volatile unsigned long *producer = memory;
	const volatile uint32_t *headers = (const volatile uint32_t *)((const char *)memory + page);

	CHECK_INT(ebpf_user_ring_reserve(ring, 5, 0, &first, &error), 0);
	CHECK_INT(*producer, 16);
	CHECK_INT(headers[0], 5 | BPF_RINGBUF_BUSY_BIT);
	CHECK_INT(headers[1], 0);
	CHECK_INT(ebpf_user_ring_reserve(ring, 0, 0, &second, &error), 0);
	CHECK_INT(*producer, 24);
	CHECK_INT(headers[4], BPF_RINGBUF_BUSY_BIT);
	ebpf_user_ring_submit(ring, second);
	CHECK_INT(headers[4], 0);
	ebpf_user_ring_discard(ring, first);
	CHECK_INT(headers[0], 5 | BPF_RINGBUF_DISCARD_BIT);
	CHECK_INT(ebpf_user_ring_room(ring), page - 24);
	CHECK_INT(ebpf_user_ring_reserve(ring, (uint32_t)page - 32, 0, &third, &error), 0); /* to the last byte */
	CHECK_INT(ebpf_user_ring_room(ring), 0);
	CHECK_INT(ebpf_user_ring_reserve(ring, 0, 0, &first, &error), -ENOSPC);
	ebpf_error_clear(&error);
	ebpf_user_ring_close(ring);
	CHECK_INT(headers[6], ((uint32_t)page - 32) | BPF_RINGBUF_DISCARD_BIT); /* nobody is to wait for it */
	ebpf_sys_linux.munmap(memory, page * 3);
	ebpf_map_close(map);
}

/* -- a ring that overwrites, whose producer is ours -- */

enum { RING = 256, WORDS = RING / 8 };

struct overwriting {
	unsigned long consumer, producer[3];
	uint64_t data[2 * WORDS];
	struct ebpf_ring ring;
};

static uint64_t *at(struct overwriting *o, unsigned long position)
{
	return &o->data[(position & (RING - 1)) / 8];
}

/* A record's header: its size with flags, and where it is in pages, which only the kernel looks at. */
static uint64_t header(uint32_t size)
{
	const uint32_t words[2] = { size, 0 };
	uint64_t both;

	memcpy(&both, words, sizeof both);
	return both;
}

/* One record of 8 bytes, as the kernel writes it. */
static void produce(struct overwriting *o, uint64_t value, uint32_t flag)
{
	unsigned long position = o->producer[0];
	uint64_t parts[2] = { header(8 | flag), value };

	while (position + 16 - o->producer[2] > RING - 1)
		o->producer[2] += 16;
	for (int i = 0; i < 2; i++)
		*at(o, position + 8U * (unsigned)i) = *(at(o, position + 8U * (unsigned)i) + WORDS) = parts[i];
	o->producer[0] += 16;
}

static int sum_up(void *context, const void *data, size_t size)
{
	uint64_t value;

	CHECK_INT(size, 8);
	memcpy(&value, data, 8);
	*(uint64_t *)context += value;
	return 0;
}

static void test_overwriting(void)
{
	static struct overwriting o;
	struct ebpf_ring *ring = &o.ring;
	uint8_t copy[RING];
	const void *data;
	uint64_t value, sum = 0;
	size_t size;

	ebpf_ring_init(ring, &o.consumer, o.producer, o.data, RING);
	ring->oldest = &o.producer[2];
	ring->next = ebpf_overwrite_next;
	ring->copy = copy;
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0);
	produce(&o, 1, 0);
	produce(&o, 2, BPF_RINGBUF_DISCARD_BIT);
	produce(&o, 3, 0);
	CHECK_INT(ebpf_ring_available(ring), 48);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	memcpy(&value, data, 8);
	CHECK_INT(value, 3);
	for (uint64_t i = 100; i < 200; i++)
		produce(&o, i, 0);
	memcpy(&value, data, 8);
	CHECK_INT(value, 3); /* a copy */
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	memcpy(&value, data, 8);
	CHECK_INT(value, 185); /* 15 of 16 bytes fit */
	CHECK_INT(ebpf_ring_overwritten(ring), 85 * 16);
	CHECK_INT(ebpf_ring_consume(ring, sum_up, &sum, 4), 4);
	CHECK_INT(sum, 186 + 187 + 188 + 189);
	CHECK_INT(o.consumer, o.producer[0] - 10 * 16);
	CHECK_INT(ebpf_ring_consume(ring, sum_up, &sum, 0), 10);
	produce(&o, 1, BPF_RINGBUF_BUSY_BIT);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0);
	*at(&o, o.producer[0] - 16) = header(4096); /* reaches beyond all that was written */
	CHECK_INT(ebpf_ring_next(ring, &data, &size), -EBADMSG);
}

/* What is torn must not be handed out: a thread writes as fast as it can, each record of one value in two places. */
struct writer {
	unsigned long consumer, producer[3];
	uint64_t data[2 * 4096];
	volatile bool stop;
};

static void *write_fast(void *context)
{
	struct writer *w = context;
	const unsigned long mask = sizeof(w->data) / 2 - 1;

	for (uint64_t n = 1; !w->stop; n++) {
		unsigned long position = w->producer[0], words = 1 + 1 + (n % 7), oldest = w->producer[2];

		while (position + words * 8 - oldest > mask)
			oldest += ((uint32_t)w->data[(oldest & mask) / 8] + 8 + 7) & ~7UL;
		__atomic_store_n(&w->producer[2], oldest, __ATOMIC_SEQ_CST);
		for (unsigned long i = 0; i < words; i++) {
			unsigned long place = ((position + i * 8) & mask) / 8;

			__atomic_store_n(&w->data[place], i ? n : (words - 1) * 8, __ATOMIC_RELAXED);
			__atomic_store_n(&w->data[place + sizeof(w->data) / 16], i ? n : (words - 1) * 8, __ATOMIC_RELAXED);
		}
		__atomic_store_n(&w->producer[0], position + words * 8, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void test_overwriting_race(void)
{
	static struct writer w;
	static struct ebpf_ring ring;
	static uint8_t copy[sizeof(w.data) / 2];
	uint64_t last = 0, value, seen = 0;
	const void *data;
	pthread_t thread;
	size_t size;
	int ret;

	ebpf_ring_init(&ring, &w.consumer, w.producer, w.data, sizeof(w.data) / 2);
	ring.oldest = &w.producer[2];
	ring.next = ebpf_overwrite_next;
	ring.copy = copy;
	CHECK_INT(pthread_create(&thread, NULL, write_fast, &w), 0);
	while (seen < 200000) {
		ret = ebpf_ring_next(&ring, &data, &size);
		if (ret == 0)
			continue;
		CHECK_INT(ret, 1);
		if (ret < 0)
			break;
		seen++;
		for (size_t i = 0; i < size; i += 8) {
			memcpy(&value, (const uint8_t *)data + i, 8);
			if (i == 0 && value <= last)
				CHECK(value > last);
			last = i == 0 ? value : last;
			if (value != last || size != (1 + value % 7) * 8)
				CHECK_INT(value, last);
		}
		if (test_failures)
			break;
	}
	w.stop = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	test_overwriting();
	test_overwriting_race();
	if (geteuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&error);
	ebpf_kernel_cpu_count(kernel, NULL);
	fail_each_call("typed", make_typed);
	make_typed(kernel); /* what is found out once is kept */
	fail_each_allocation(make_typed);
	test_large_memory();
	if (use_storage(kernel) == 0) { /* Linux 5.11 */
		fail_each_call("storage", use_storage);
		fail_each_allocation(use_storage);
	}
	ebpf_error_clear(&error);
	if (write_ring(kernel) == 0) { /* Linux 6.1 */
		fail_each_call("ring", write_ring);
		fail_each_allocation(write_ring);
		test_ring_layout();
	}
	ebpf_error_clear(&error);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
