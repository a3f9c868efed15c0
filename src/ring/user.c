/* user.c -- writing a user ring buffer: the same layout as ring.h tells, with the roles the other way round.
 *
 * The kernel (Linux 6.1, kernel/bpf/ringbuf.c) lets us map the consumer's page for reading, and the producer's page with the
 * data for writing. It checks what we wrote: a position that is no multiple of 8 or a length beyond it ends every later drain
 * with EINVAL, a length of 16 MiB or more (what a dynptr can be) with E2BIG, and a record with the busy bit with EBUSY. So:
 *  - our store of the producer's position releases the header before it, which has the whole length and the busy bit;
 *  - our store of a header without the busy bit releases the record;
 *  - the kernel's store of its position lets us write over what lies before it.
 * poll(2) says "writable" whenever a single byte is free. Who waits for more than that needs the wake-up at the end of a drain,
 * hence an edge-triggered epoll: the ring is looked at after the descriptor was added, so that no drain is missed.
 */
#include "ring/ring.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HEADER_SIZE ((unsigned long)BPF_RINGBUF_HDR_SZ)
#define RECORD_MAX ((1U << 24) - 1) /* a dynptr's size has 24 bits */

struct ebpf_user_ring {
	struct ebpf_map *map;
	const unsigned long *consumer;
	unsigned long *producer;
	uint8_t *data;              /* twice `size` bytes */
	unsigned long size, position; /* position: what *producer is, which nobody else may write */
	unsigned long settled;      /* all records before this have been submitted or discarded */
	void *consumer_page, *data_pages;
	size_t page_size, data_pages_size;
	int epoll_fd;               /* -1 until somebody waits */
};

static const struct ebpf_sys *user_sys(const struct ebpf_user_ring *ring)
{
	return ebpf_kernel_sys(ring->map->kernel);
}

/* -- opening and closing -- */

static int map_pages(struct ebpf_user_ring *ring, struct ebpf_error *err)
{
	struct ebpf_map *map = ring->map;
	int ret;

	ring->page_size = (size_t)sysconf(_SC_PAGESIZE);
	ret = user_sys(ring)->mmap(ring->page_size, PROT_READ, MAP_SHARED, map->fd, 0, &ring->consumer_page);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "user ring buffer: map '%s': cannot map the consumer's page", map->name);
	ring->data_pages_size = ring->page_size + 2 * (size_t)map->max_entries;
	ret = user_sys(ring)->mmap(ring->data_pages_size, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, (off_t)ring->page_size, &ring->data_pages);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "user ring buffer: map '%s': cannot map the records", map->name);
	ring->consumer = ring->consumer_page;
	ring->producer = ring->data_pages;
	ring->data = (uint8_t *)ring->data_pages + ring->page_size;
	ring->size = map->max_entries;
	ring->position = ring->settled = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	return 0;
}

static void user_ring_free(struct ebpf_user_ring *ring)
{
	if (ring->epoll_fd >= 0)
		user_sys(ring)->close(ring->epoll_fd);
	if (ring->consumer_page)
		user_sys(ring)->munmap(ring->consumer_page, ring->page_size);
	if (ring->data_pages)
		user_sys(ring)->munmap(ring->data_pages, ring->data_pages_size);
	ebpf_map_close(ring->map);
	free(ring);
}

int ebpf_user_ring_open(struct ebpf_map *map, struct ebpf_user_ring **out, struct ebpf_error *err)
{
	struct ebpf_user_ring *ring;
	int ret;

	if (map->type != BPF_MAP_TYPE_USER_RINGBUF) {
		ebpf_fail(err, EINVAL, "user ring buffer: map '%s' is a map of type %s, not user_ringbuf", map->name, ebpf_map_type_name(map->type));
		if (map->type == BPF_MAP_TYPE_RINGBUF)
			ebpf_hint(err, "records of a ringbuf go the other way: the program writes, this process reads");
		return -EINVAL;
	}
	if ((uint64_t)map->max_entries * 4 > SIZE_MAX)
		return ebpf_fail(err, E2BIG, "user ring buffer: map '%s' has %u bytes, too many to be mapped twice", map->name, map->max_entries);
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return ebpf_fail_memory(err);
	ring->epoll_fd = -1;
	ring->map = ebpf_map_ref(map);
	ret = map_pages(ring, err);
	if (ret < 0) {
		user_ring_free(ring);
		return ret;
	}
	*out = ring;
	return 0;
}

static inline unsigned long record_size(uint32_t size)
{
	return ((unsigned long)size + HEADER_SIZE + 7) & ~7UL;
}

static inline uint32_t *header_at(const struct ebpf_user_ring *ring, unsigned long position)
{
	return (uint32_t *)(void *)(ring->data + (position & (ring->size - 1)));
}

/* Steps over what is submitted or discarded, to the oldest record that is neither. */
static void settle(struct ebpf_user_ring *ring)
{
	while (ring->settled != ring->position) {
		uint32_t header = *header_at(ring, ring->settled);

		if (header & BPF_RINGBUF_BUSY_BIT)
			return;
		ring->settled += record_size(header & ~BPF_RINGBUF_DISCARD_BIT);
	}
}

void ebpf_user_ring_close(struct ebpf_user_ring *ring)
{
	if (!ring)
		return;
	for (settle(ring); ring->settled != ring->position; settle(ring))
		ebpf_user_ring_discard(ring, (uint8_t *)header_at(ring, ring->settled) + HEADER_SIZE);
	user_ring_free(ring);
}

struct ebpf_map *ebpf_user_ring_map(const struct ebpf_user_ring *ring)
{
	return ring->map;
}

uint64_t ebpf_user_ring_room(const struct ebpf_user_ring *ring)
{
	unsigned long used = ring->position - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);

	return used > ring->size ? 0 : ring->size - used;
}

/* -- writing -- */

static bool try_reserve(struct ebpf_user_ring *ring, uint32_t size, void **record)
{
	uint32_t *header = header_at(ring, ring->position);

	if (record_size(size) > ebpf_user_ring_room(ring))
		return false;
	settle(ring); /* before headers that it has yet to read are written over */
	header[0] = size | BPF_RINGBUF_BUSY_BIT;
	header[1] = 0;
	ring->position += record_size(size);
	__atomic_store_n(ring->producer, ring->position, __ATOMIC_RELEASE);
	*record = header + 2;
	return true;
}

static int fail_full(const struct ebpf_user_ring *ring, uint32_t size, struct ebpf_error *err)
{
	ebpf_fail(err, ENOSPC, "user ring buffer: map '%s': no room for a record of %u bytes", ring->map->name, size);
	ebpf_hint(err, "it comes when a program reads: bpf_user_ringbuf_drain()");
	return -ENOSPC;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int prepare_waiting(struct ebpf_user_ring *ring, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = user_sys(ring);
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int ret;

	if (ring->epoll_fd >= 0)
		return 0;
	ring->epoll_fd = sys->epoll_create();
	ret = ring->epoll_fd < 0 ? ring->epoll_fd : sys->epoll_ctl(ring->epoll_fd, EPOLL_CTL_ADD, ring->map->fd, &event);
	if (ret >= 0)
		return 0;
	if (ring->epoll_fd >= 0)
		sys->close(ring->epoll_fd);
	ring->epoll_fd = -1;
	return ebpf_fail_errno(err, ret, "user ring buffer: map '%s': cannot wait for room", ring->map->name);
}

static int wait_and_reserve(struct ebpf_user_ring *ring, uint32_t size, int timeout_ms, void **record, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = user_sys(ring);
	int64_t end = now_ms() + timeout_ms;
	int ret = prepare_waiting(ring, err);

	while (ret >= 0) {
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
		struct epoll_event event;

		if (try_reserve(ring, size, record))
			return 0;
		if (timeout_ms >= 0 && left <= 0)
			return fail_full(ring, size, err);
		ret = sys->epoll_wait(ring->epoll_fd, &event, 1, (int)left);
		if (ret < 0)
			ebpf_fail_errno(err, ret, "user ring buffer: map '%s': wait for room", ring->map->name);
	}
	return ret;
}

int ebpf_user_ring_reserve(struct ebpf_user_ring *ring, uint32_t size, int timeout_ms, void **record, struct ebpf_error *err)
{
	if (size > RECORD_MAX)
		return ebpf_fail(err, E2BIG, "user ring buffer: map '%s': a record of %u bytes: programs can read at most %u", ring->map->name, size,
				 RECORD_MAX);
	if (record_size(size) > ring->size)
		return ebpf_fail(err, E2BIG, "user ring buffer: map '%s': a record of %u bytes never fits: the ring has %lu, 8 of them for each record's header",
				 ring->map->name, size, ring->size);
	if (try_reserve(ring, size, record))
		return 0;
	return timeout_ms ? wait_and_reserve(ring, size, timeout_ms, record, err) : fail_full(ring, size, err);
}

/* The record may lie in the second image of the data: its header is that of both. */
static void commit(void *record, uint32_t flag)
{
	uint32_t *header = (uint32_t *)record - 2;

	__atomic_store_n(header, (*header & ~BPF_RINGBUF_BUSY_BIT) | flag, __ATOMIC_RELEASE);
}

void ebpf_user_ring_submit(struct ebpf_user_ring *ring, void *record)
{
	(void)ring;
	commit(record, 0);
}

void ebpf_user_ring_discard(struct ebpf_user_ring *ring, void *record)
{
	(void)ring;
	commit(record, BPF_RINGBUF_DISCARD_BIT);
}
