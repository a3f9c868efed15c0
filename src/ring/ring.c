/* ring.c -- reading the kernel's ring buffer; ring.h tells how it is laid out and what may be relied on. */
#include "ring/many.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEADER_SIZE ((unsigned long)BPF_RINGBUF_HDR_SZ)
#define FLAGS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)
#define STEP_MAX 65536UL

/* -- opening and closing -- */

void ebpf_ring_init(struct ebpf_ring *ring, unsigned long *consumer, const unsigned long *producer, const void *data, size_t size)
{
	ring->consumer = consumer;
	ring->producer = producer;
	ring->data = data;
	ring->mask = size - 1;
	ring->step = size / 16 < STEP_MAX ? size / 16 : STEP_MAX;
	ring->published = __atomic_load_n(consumer, __ATOMIC_ACQUIRE);
	ring->position = ring->published;
	ring->known = ring->published;
}

static const struct ebpf_sys *ring_sys(const struct ebpf_ring *ring)
{
	return ebpf_kernel_sys(ring->map->kernel);
}

static void ring_free(struct ebpf_ring *ring)
{
	if (ring->epoll_fd >= 0)
		ring_sys(ring)->close(ring->epoll_fd);
	if (ring->flush_fd >= 0)
		ring_sys(ring)->close(ring->flush_fd);
	if (ring->many)
		ebpf_many_free(ring);
	if (ring->perf)
		ebpf_perf_free(ring);
	ebpf_lost_free(ring->lost);
	if (ring->consumer_page)
		ring_sys(ring)->munmap(ring->consumer_page, ring->page_size);
	if (ring->data_pages)
		ring_sys(ring)->munmap(ring->data_pages, ring->data_pages_size);
	ebpf_map_close(ring->map);
	free(ring->copy);
	free(ring);
}

static int check_map(const struct ebpf_map *map, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_MAP_TYPE, map->type);

	if (map->type != BPF_MAP_TYPE_RINGBUF) {
		ebpf_fail(err, EINVAL, "ring buffer: map '%s' is a map of type %s, not ringbuf", map->name, type ? type : "unknown");
		if (map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			ebpf_hint(err, "a perf_event_array is read through a perf buffer");
		else if (map->type == BPF_MAP_TYPE_USER_RINGBUF)
			ebpf_hint(err, "records of a user_ringbuf go the other way: this process writes, the program reads");
		return -EINVAL;
	}
	if (!map->max_entries || (map->max_entries & (map->max_entries - 1)))
		return ebpf_fail(err, EINVAL, "ring buffer: map '%s' has a size of %u bytes, not a power of two", map->name, map->max_entries);
	if ((uint64_t)map->max_entries * 4 > SIZE_MAX)
		return ebpf_fail(err, E2BIG, "ring buffer: map '%s' has %u bytes, too many to be mapped twice", map->name, map->max_entries);
	return 0;
}

static int map_pages(struct ebpf_ring *ring, struct ebpf_error *err)
{
	struct ebpf_map *map = ring->map;
	const struct ebpf_sys *sys = ring_sys(ring);
	void *pages;
	int ret;

	ring->page_size = (size_t)sysconf(_SC_PAGESIZE);
	ret = sys->mmap(ring->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0, &pages);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "ring buffer: map '%s': cannot map the consumer's page", map->name);
	ring->consumer_page = pages;
	ring->data_pages_size = ring->page_size + 2 * (size_t)map->max_entries;
	ret = sys->mmap(ring->data_pages_size, PROT_READ, MAP_SHARED, map->fd, (off_t)ring->page_size, &pages);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "ring buffer: map '%s': cannot map the records", map->name);
	ring->data_pages = pages;
	return 0;
}

struct ebpf_ring *ebpf_ring_new(struct ebpf_map *map, struct ebpf_error *err)
{
	struct ebpf_ring *ring = calloc(1, sizeof(*ring));

	if (!ring) {
		ebpf_fail_memory(err);
		return NULL;
	}
	ring->map = ebpf_map_ref(map);
	ring->flush_fd = ring->epoll_fd = -1;
	return ring;
}

static int open_ring_buffer(struct ebpf_ring *ring, struct ebpf_error *err)
{
	const struct ebpf_map *map = ring->map;
	int ret = map_pages(ring, err);

	if (ret < 0)
		return ret;
	if (map->flags & BPF_F_RB_OVERWRITE) {
		ring->copy = malloc(map->max_entries);
		ring->oldest = (const unsigned long *)ring->data_pages + 2;
		ring->next = ebpf_overwrite_next;
		if (!ring->copy)
			return ebpf_fail_memory(err);
	}
	ebpf_ring_init(ring, ring->consumer_page, ring->data_pages, (uint8_t *)ring->data_pages + ring->page_size, map->max_entries);
	return 0;
}

static int open_perf_buffer(struct ebpf_ring *ring, const struct ebpf_perf_options *options, struct ebpf_error *err)
{
	struct ebpf_perf_options all = { 0 };

	if (options)
		memcpy(&all, options, options->size < sizeof(all) ? options->size : sizeof(all));
	ring->perf = calloc(1, sizeof(*ring->perf));
	ring->next = ebpf_perf_next_plain;
	return ring->perf ? ebpf_perf_open_cpus(ring, &all, err) : ebpf_fail_memory(err);
}

int ebpf_ring_open_part(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err)
{
	bool perf = map->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	int ret = perf ? 0 : check_map(map, err);
	struct ebpf_ring *ring;

	if (ret < 0)
		return ret;
	ring = ebpf_ring_new(map, err);
	if (!ring)
		return -ENOMEM;
	ret = perf ? open_perf_buffer(ring, options, err) : open_ring_buffer(ring, err);
	if (ret < 0) {
		ring_free(ring);
		return ret;
	}
	*out = ring;
	return 0;
}

/* Takes the ring over. */
static int finish(struct ebpf_ring *ring, struct ebpf_ring **out, struct ebpf_error *err)
{
	int ret = ebpf_ring_open_flush(ring, err);

	if (ret < 0) {
		ring_free(ring);
		return ret;
	}
	*out = ring;
	return 0;
}

int ebpf_ring_open_any(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err)
{
	struct ebpf_ring *ring;
	int ret = ebpf_ring_open_part(map, options, &ring, err);

	return ret < 0 ? ret : finish(ring, out, err);
}

int ebpf_ring_open(struct ebpf_map *map, struct ebpf_ring **out, struct ebpf_error *err)
{
	int ret = check_map(map, err);

	return ret < 0 ? ret : ebpf_ring_open_any(map, NULL, out, err);
}

int ebpf_ring_open_perf(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_MAP_TYPE, map->type);

	if (map->type != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s' is a map of type %s, not perf_event_array", map->name, type ? type : "unknown");
	return ebpf_ring_open_any(map, options, out, err);
}

int ebpf_ring_open_many(struct ebpf_map *const *maps, size_t count, const struct ebpf_perf_options *options, struct ebpf_ring **out,
			struct ebpf_error *err)
{
	struct ebpf_ring *ring;
	int ret;

	if (count == 0)
		return ebpf_fail(err, EINVAL, "ring buffer: no map to read");
	if (count == 1)
		return ebpf_ring_open_any(maps[0], options, out, err);
	ring = ebpf_ring_new(maps[0], err);
	if (!ring)
		return -ENOMEM;
	ret = ebpf_many_open(ring, maps, count, options, err);
	if (ret < 0) {
		ring_free(ring);
		return ret;
	}
	return finish(ring, out, err);
}

void ebpf_ring_close(struct ebpf_ring *ring)
{
	if (!ring)
		return;
	if (!ring->consuming) {
		ring_free(ring);
		return;
	}
	ring->closing = true;
	if (ring->many)
		ebpf_many_stop(ring);
}

struct ebpf_map *ebpf_ring_map(const struct ebpf_ring *ring)
{
	return ebpf_ring_part(ring, ebpf_ring_index(ring))->map;
}

size_t ebpf_ring_count(const struct ebpf_ring *ring)
{
	return ring->many ? ring->many->count : 1;
}

size_t ebpf_ring_index(const struct ebpf_ring *ring)
{
	return ring->many ? ring->many->last : 0;
}

struct ebpf_ring *ebpf_ring_part(const struct ebpf_ring *ring, size_t index)
{
	return ring->many ? ring->many->parts[index] : (struct ebpf_ring *)ring;
}

uint64_t ebpf_ring_size(const struct ebpf_ring *ring)
{
	if (ring->many)
		return ebpf_many_sum(ring, ebpf_ring_size);
	return ring->perf ? (ring->perf->mask + 1) * ring->perf->count : ring->mask + 1;
}

uint64_t ebpf_ring_available(const struct ebpf_ring *ring)
{
	if (ring->many)
		return ebpf_many_sum(ring, ebpf_ring_available);
	if (ring->perf)
		return ebpf_perf_available(ring);
	if (ring->oldest)
		return ebpf_overwrite_available(ring);
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->position;
}

uint64_t ebpf_ring_overwritten(const struct ebpf_ring *ring)
{
	return ring->many ? ebpf_many_sum(ring, ebpf_ring_overwritten) : ring->overwritten;
}

/* -- reading -- */

static inline unsigned long record_size(uint32_t header)
{
	return ((unsigned long)(header & ~FLAGS) + HEADER_SIZE + 7) & ~7UL;
}

static inline uint32_t load_header(const uint8_t *record)
{
	return __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
}

/* More than a lap cannot be there, unless somebody else has moved the consumer's position. Then nothing is known, and it is looked at again. */
static inline bool is_beyond(struct ebpf_ring *ring)
{
	if (__builtin_expect(ring->known - ring->position <= ring->mask + 1, 1))
		return false;
	ring->known = ring->position;
	return true;
}

static inline void publish(struct ebpf_ring *ring, unsigned long position)
{
	ring->published = position;
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

/* Publishes, and tells whether there is anything more now. The fence keeps the store before the load: without it a commit in
 * between could see the old consumer's position (and wake nobody) while we see the old producer's (and go to sleep). */
static bool publish_and_look(struct ebpf_ring *ring)
{
	publish(ring, ring->position);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	return ring->known != ring->position;
}

int ebpf_ring_next(struct ebpf_ring *ring, const void **data, size_t *size)
{
	if (ring->consuming)
		return -EBUSY;
	if (ring->next)
		return ring->next(ring, data, size);
	for (;;) {
		const uint8_t *record;
		unsigned long length;
		uint32_t header;

		if (ring->position == ring->known) {
			ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
			if (ring->position == ring->known)
				return 0;
			if (is_beyond(ring))
				return -EBADMSG;
		}
		record = ring->data + (ring->position & ring->mask);
		header = load_header(record);
		if (header & BPF_RINGBUF_BUSY_BIT)
			return 0;
		length = record_size(header);
		if (length > ring->known - ring->position)
			return -EBADMSG;
		ring->position += length;
		if (header & BPF_RINGBUF_DISCARD_BIT)
			continue;
		*data = record + HEADER_SIZE;
		*size = header;
		return 1;
	}
}

static void release(struct ebpf_ring *ring)
{
	if (ring->many)
		ebpf_many_release(ring);
	else if (ring->perf)
		ebpf_perf_release(ring);
	else if (ring->published != ring->position)
		publish(ring, ring->position);
}

void ebpf_ring_release(struct ebpf_ring *ring)
{
	if (!ring->consuming)
		release(ring);
}

/* Calls back for what lies before ring->known, and leaves ring->position behind the last record that was read. 1 = a record that is not ready,
 * or the limit, ended it; 0 = all were read; negative = the callback's result, or -EBADMSG. Everything that the loop needs is in
 * registers: the callback can change nothing but ring->closing. */
static int64_t consume_known(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit, uint64_t *count)
{
	const uint8_t *const data = ring->data;
	const unsigned long mask = ring->mask, known = ring->known;
	unsigned long position = ring->position, publish_at = ring->published + ring->step;
	uint64_t left = limit - *count;
	int64_t ret = 0;

	if (is_beyond(ring))
		return -EBADMSG;
	while (position != known) {
		const uint8_t *record = data + (position & mask);
		uint32_t header = load_header(record);
		unsigned long length = record_size(header);

		if (__builtin_expect(length > known - position, 0)) {
			ret = -EBADMSG;
			break;
		}
		if (__builtin_expect(header & FLAGS, 0)) {
			if (header & BPF_RINGBUF_BUSY_BIT) {
				ret = 1;
				break;
			}
			position += length;
			continue;
		}
		position += length;
		left--;
		ret = callback(context, record + HEADER_SIZE, header);
		if (__builtin_expect(ret < 0, 0))
			break;
		ret = 0;
		if (__builtin_expect((long)(position - publish_at) >= 0, 0)) {
			publish(ring, position);
			publish_at = position + ring->step;
		}
		if (__builtin_expect(!left, 0) || __builtin_expect(ring->closing, 0)) {
			ret = 1;
			break;
		}
	}
	ring->position = position;
	*count = limit - left;
	return ret;
}

/* Rings whose records are copied, or come from several. One lap of every CPU's ring at most, as below. */
static int64_t consume_copies(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit)
{
	uint64_t count = 0, read = 0, released = 0, lap = ebpf_ring_size(ring);
	const void *data;
	size_t size;
	int64_t ret;

	while ((ret = ring->next(ring, &data, &size)) > 0) {
		count++;
		read += size;
		ret = callback(context, data, size);
		if (ret < 0 || ring->closing || count == limit || read >= lap)
			break;
		if (read - released >= STEP_MAX) {
			release(ring);
			released = read;
		}
	}
	release(ring);
	return ret < 0 ? ret : (int64_t)count;
}

static int64_t consume_ring(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit)
{
	const unsigned long start = ring->position;
	unsigned long before;
	uint64_t count = 0;
	int64_t ret;

	ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	/* Programs that write faster than the callback reads must not hold us here for ever: other sources of the loop have a turn after one lap
	 * at the latest. */
	do {
		before = ring->position;
		ret = consume_known(ring, callback, context, limit, &count);
	} while (ret == 0 && ring->position != before && publish_and_look(ring) && ring->position - start <= ring->mask);
	if (ring->published != ring->position)
		publish(ring, ring->position);
	return ret < 0 ? ret : (int64_t)count;
}

int64_t ebpf_ring_consume(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit)
{
	int64_t ret;

	if (ring->consuming)
		return -EBUSY;
	if (!limit)
		limit = UINT64_MAX;
	ring->consuming = true;
	if (ring->many && !ring->many->ordered)
		ret = ebpf_many_consume(ring, callback, context, limit);
	else if (ring->perf && ebpf_perf_is_plain(ring))
		ret = ebpf_perf_consume_plain(ring, callback, context, limit);
	else
		ret = (ring->next ? consume_copies : consume_ring)(ring, callback, context, limit);
	ring->consuming = false;
	if (ring->closing)
		ring_free(ring);
	return ret;
}

bool ebpf_ring_is_ready(struct ebpf_ring *ring)
{
	if (ring->many)
		return ebpf_many_is_ready(ring);
	if (ring->perf)
		return ebpf_perf_is_ready(ring);
	if (ring->oldest)
		return ebpf_overwrite_is_ready(ring);
	for (;;) {
		uint32_t header;

		if (ring->position == ring->known)
			ring->known = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
		if (ring->position == ring->known)
			return false;
		if (is_beyond(ring))
			return true; /* ebpf_ring_next says what is wrong */
		header = load_header(ring->data + (ring->position & ring->mask));
		if (header & BPF_RINGBUF_BUSY_BIT)
			return false;
		if (!(header & BPF_RINGBUF_DISCARD_BIT) || record_size(header) > ring->known - ring->position)
			return true; /* or bytes that are no record: ebpf_ring_next says so */
		ring->position += record_size(header);
	}
}
