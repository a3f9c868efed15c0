/* many.c -- several maps behind one reader; many.h says how. */
#include "ring/many.h"

#include <stdlib.h>
#include <sys/epoll.h>

static const struct ebpf_sys *many_sys(const struct ebpf_ring *ring)
{
	return ebpf_kernel_sys(ring->map->kernel);
}

static int add_part(struct ebpf_ring *ring, struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_error *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct ebpf_many *many = ring->many;
	struct ebpf_ring *part;
	int ret, fds[2];

	for (size_t i = 0; i < many->count; i++)
		if (many->parts[i]->map == map)
			return ebpf_fail(err, EINVAL, "ring buffer: map '%s' is there twice: one reader reads it once", map->name);
	ret = ebpf_ring_open_part(map, options, &part, err);
	if (ret < 0)
		return ret;
	many->parts[many->count++] = part;
	many->ordered &= part->perf != NULL;
	ebpf_ring_wait_fds(part, fds);
	ret = many_sys(ring)->epoll_ctl(many->epoll_fd, EPOLL_CTL_ADD, fds[0], &event);
	return ret < 0 ? ebpf_fail_errno(err, ret, "ring buffer: map '%s': cannot wait for it", map->name) : 0;
}

int ebpf_many_open(struct ebpf_ring *ring, struct ebpf_map *const *maps, size_t count, const struct ebpf_perf_options *options,
		   struct ebpf_error *err)
{
	struct ebpf_many *many = ring->many = calloc(1, sizeof(*many));
	int ret = 0;

	if (!many)
		return ebpf_fail_memory(err);
	ring->next = ebpf_many_next;
	many->epoll_fd = -1;
	many->ordered = options && options->size > offsetof(struct ebpf_perf_options, ordered) && options->ordered;
	many->parts = calloc(count, sizeof(struct ebpf_ring *));
	if (!many->parts)
		return ebpf_fail_memory(err);
	many->epoll_fd = many_sys(ring)->epoll_create();
	if (many->epoll_fd < 0)
		return ebpf_fail_errno(err, many->epoll_fd, "ring buffer: epoll");
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = add_part(ring, maps[i], options, err);
	return ret;
}

void ebpf_many_free(struct ebpf_ring *ring)
{
	struct ebpf_many *many = ring->many;

	for (size_t i = 0; i < many->count; i++)
		ebpf_ring_close(many->parts[i]);
	if (many->epoll_fd >= 0)
		many_sys(ring)->close(many->epoll_fd);
	free(many->parts);
	free(many);
}

/* -- reading -- */

static void next_turn(struct ebpf_many *many)
{
	many->current = many->current + 1 < many->count ? many->current + 1 : 0;
	many->lap = 0;
}

static int next_in_turn(struct ebpf_many *many, const void **data, size_t *size)
{
	size_t turns = many->count + (many->lap > 0); /* the current one a second time, if its lap is over */

	while (turns--) {
		struct ebpf_ring *part = many->parts[many->current];
		int ret = many->lap >= ebpf_ring_size(part) ? 0 : ebpf_ring_next(part, data, size);

		if (ret) {
			many->last = many->current;
			many->lap += ret > 0 ? *size + BPF_RINGBUF_HDR_SZ : 0;
			if (ret < 0)
				next_turn(many); /* what is wrong with one does not keep the others from being read */
			return ret;
		}
		next_turn(many);
	}
	return 0;
}

static int next_in_order(struct ebpf_many *many, const void **data, size_t *size)
{
	uint64_t earliest = 0;
	bool found = false;

	for (size_t i = 0; i < many->count; i++) {
		uint64_t time;
		int ret = ebpf_perf_peek(many->parts[i], &time);

		if (ret < 0)
			many->last = i;
		if (ret < 0)
			return ret;
		if (ret == 0 || (found && time >= earliest))
			continue;
		found = true;
		earliest = time;
		many->last = i;
	}
	return found ? ebpf_ring_next(many->parts[many->last], data, size) : 0;
}

int ebpf_many_next(struct ebpf_ring *ring, const void **data, size_t *size)
{
	return (ring->many->ordered ? next_in_order : next_in_turn)(ring->many, data, size);
}

/* Each part has one turn, which ebpf_ring_consume ends after a lap. Where a limit ended it, the next goes first the next time. */
int64_t ebpf_many_consume(struct ebpf_ring *ring, ebpf_record_fn callback, void *context, uint64_t limit)
{
	struct ebpf_many *many = ring->many;
	uint64_t count = 0;

	for (size_t tried = 0; tried < many->count && count < limit; tried++) {
		int64_t ret;

		many->last = many->current;
		ret = ebpf_ring_consume(many->parts[many->current], callback, context, limit - count);
		if (ring->closing)
			many->parts[many->current] = NULL; /* freed when its own turn ended */
		next_turn(many);
		if (ret < 0)
			return ret;
		count += (uint64_t)ret;
		if (ring->closing)
			break;
	}
	return (int64_t)count;
}

void ebpf_many_stop(struct ebpf_ring *ring)
{
	if (!ring->many->ordered)
		ebpf_ring_close(ring->many->parts[ring->many->last]);
}

void ebpf_many_release(struct ebpf_ring *ring)
{
	for (size_t i = 0; i < ring->many->count; i++)
		ebpf_ring_release(ring->many->parts[i]);
}

bool ebpf_many_is_ready(struct ebpf_ring *ring)
{
	for (size_t i = 0; i < ring->many->count; i++)
		if (ebpf_ring_is_ready(ring->many->parts[i]))
			return true;
	return false;
}

uint64_t ebpf_many_sum(const struct ebpf_ring *ring, uint64_t (*of)(const struct ebpf_ring *part))
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ring->many->count; i++)
		sum += of(ring->many->parts[i]);
	return sum;
}
