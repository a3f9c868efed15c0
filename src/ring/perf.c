/* perf.c -- reading perf buffers; perf.h tells how they are laid out and what may be relied on. */
#include "ring/many.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_DEFAULT (64U << 10)
#define BUFFER_MAX (1U << 30)
#define RECORD_MAX 65536U /* perf_event_header.size has 16 bits */

static const struct ebpf_sys *perf_sys(const struct ebpf_ring *ring)
{
	return ebpf_kernel_sys(ring->map->kernel);
}

/* -- opening -- */

static int open_event(const struct ebpf_ring *ring, int cpu)
{
	struct perf_event_attr attr = ring->perf->attr; /* the kernel writes to attr.size when it knows less */

	return perf_sys(ring)->perf_event_open(&attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

void ebpf_perf_init_cpu(struct ebpf_perf_cpu *cpu, int number, uint64_t *tail, const uint64_t *head, const void *data)
{
	*cpu = (struct ebpf_perf_cpu){ .cpu = number, .fd = -1, .tail = tail, .head = head, .data = data };
	cpu->position = cpu->published = cpu->known = tail ? *tail : __atomic_load_n(head, __ATOMIC_ACQUIRE);
}

static int map_event(const struct ebpf_ring *ring, struct ebpf_perf_cpu *cpu)
{
	struct ebpf_perf *perf = ring->perf;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int number = cpu->cpu, fd = cpu->fd, ret;
	struct perf_event_mmap_page *control;
	void *memory;

	/* A ring that is mapped for reading alone overwrites. */
	ret = perf_sys(ring)->mmap(perf->memory_size, PROT_READ | (perf->overwrite ? 0 : PROT_WRITE), MAP_SHARED, fd, 0, &memory);
	if (ret < 0)
		return ret;
	control = memory;
	ebpf_perf_init_cpu(cpu, number, perf->overwrite ? NULL : (uint64_t *)&control->data_tail, (const uint64_t *)&control->data_head,
			   (const uint8_t *)memory + page);
	cpu->fd = fd;
	cpu->memory = memory;
	return 0;
}

static int fail_cpu(const struct ebpf_ring *ring, int cpu, const char *what, int code, struct ebpf_error *err)
{
	ebpf_fail_errno(err, code, "perf buffer: map '%s': CPU %d: %s", ring->map->name, cpu, what);
	if (code == -EPERM)
		ebpf_hint(err, "the rings' memory counts against /proc/sys/kernel/perf_event_mlock_kb and RLIMIT_MEMLOCK: take smaller ones, or CAP_IPC_LOCK");
	else if (code == -EACCES)
		ebpf_hint(err, "needs CAP_PERFMON or a lower /proc/sys/kernel/perf_event_paranoid");
	return code;
}

static void close_cpu(const struct ebpf_ring *ring, struct ebpf_perf_cpu *cpu)
{
	if (cpu->memory)
		perf_sys(ring)->munmap(cpu->memory, ring->perf->memory_size);
	if (cpu->fd >= 0)
		perf_sys(ring)->close(cpu->fd);
}

/* How long the event has been switched on, in ns: it grows as long as it is. */
static uint64_t time_enabled(const struct ebpf_ring *ring, const struct ebpf_perf_cpu *cpu)
{
	uint64_t values[2] = { 0 }; /* as of attr.read_format */

	return perf_sys(ring)->read(cpu->fd, values, sizeof(values)) == (ssize_t)sizeof(values) ? values[1] : 0;
}

/* Into the map, and into the set of what is waited for. */
static int join_cpu(const struct ebpf_ring *ring, const struct ebpf_perf_cpu *cpu, struct ebpf_error *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ret = perf_sys(ring)->epoll_ctl(ring->perf->epoll_fd, EPOLL_CTL_ADD, cpu->fd, &event);

	if (ret < 0)
		return fail_cpu(ring, cpu->cpu, "cannot wait for it", ret, err);
	if (ring->perf->paused) {
		ret = perf_sys(ring)->ioctl(cpu->fd, PERF_EVENT_IOC_PAUSE_OUTPUT, 1);
		if (ret < 0)
			return fail_cpu(ring, cpu->cpu, "cannot pause it", ret, err);
	}
	return ebpf_map_update(ring->map, &cpu->cpu, &cpu->fd, EBPF_ANY, err);
}

/* 1 = opened, 0 = the CPU is offline. On failure nothing is left. */
static int open_cpu(struct ebpf_ring *ring, int number, struct ebpf_perf_cpu *out, struct ebpf_error *err)
{
	struct ebpf_perf_cpu cpu = { .cpu = number, .fd = open_event(ring, number) };
	int ret;

	if (cpu.fd == -ENODEV)
		return 0;
	if (cpu.fd < 0)
		return fail_cpu(ring, number, "cannot open its event", cpu.fd, err);
	ret = map_event(ring, &cpu);
	ret = ret < 0 ? fail_cpu(ring, number, "cannot map its ring", ret, err) : join_cpu(ring, &cpu, err);
	if (ret < 0) {
		close_cpu(ring, &cpu);
		return ret;
	}
	cpu.enabled = time_enabled(ring, &cpu);
	*out = cpu;
	return 1;
}

/* The event of a CPU that has been offline stays switched off when it is online again, and a program's records are refused there. 1 = it has a new one,
 * 0 = it needs none, or is not online yet, or there is still something to be read. */
static int renew_cpu(struct ebpf_ring *ring, struct ebpf_perf_cpu *old, struct ebpf_error *err)
{
	uint64_t enabled = time_enabled(ring, old);
	struct ebpf_perf_cpu cpu;
	int ret;

	if (enabled != old->enabled) {
		old->enabled = enabled;
		return 0;
	}
	if (ring->perf->overwrite ? ring->perf->paused : old->position != __atomic_load_n(old->head, __ATOMIC_ACQUIRE))
		return 0;
	ret = open_cpu(ring, old->cpu, &cpu, err);
	if (ret <= 0)
		return ret;
	cpu.lost = old->lost;
	cpu.untold = old->untold;
	close_cpu(ring, old);
	*old = cpu;
	return 1;
}

static struct ebpf_perf_cpu *find_cpu(const struct ebpf_perf *perf, int number)
{
	for (uint32_t i = 0; i < perf->count; i++)
		if (perf->cpus[i].cpu == number)
			return &perf->cpus[i];
	return NULL;
}

/* How many were added. */
static int add_cpus(struct ebpf_ring *ring, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;
	int added = 0;

	for (uint32_t number = 0; number < perf->capacity; number++) {
		struct ebpf_perf_cpu *old = find_cpu(perf, (int)number);
		int ret = 0;

		if (old)
			ret = renew_cpu(ring, old, err);
		else if (!perf->wanted || perf->wanted[number])
			ret = open_cpu(ring, (int)number, &perf->cpus[perf->count], err);
		if (ret < 0)
			return ret;
		perf->count += !old && ret;
		added += ret;
	}
	return added;
}

/* Looks by itself every now and then: a timer makes the reader come, and its release comes here. What fails is tried again. */
static int start_refreshing(struct ebpf_ring *ring, uint64_t interval_ns, struct ebpf_error *err)
{
	struct timespec interval = { .tv_sec = (time_t)(interval_ns / 1000000000), .tv_nsec = (long)(interval_ns % 1000000000) };
	struct itimerspec when = { interval, interval };
	struct epoll_event event = { .events = EPOLLIN };
	struct ebpf_perf *perf = ring->perf;
	int ret;

	if (!interval_ns)
		return 0;
	perf->timer = perf_sys(ring)->timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ret = perf->timer < 0 ? perf->timer : perf_sys(ring)->timerfd_settime(perf->timer, 0, &when);
	if (ret == 0)
		ret = perf_sys(ring)->epoll_ctl(perf->epoll_fd, EPOLL_CTL_ADD, perf->timer, &event);
	return ret < 0 ? ebpf_fail_errno(err, ret, "perf buffer: map '%s': timer", ring->map->name) : 0;
}

static void refresh_when_due(struct ebpf_ring *ring)
{
	uint64_t times;

	if (ring->perf->timer >= 0 && perf_sys(ring)->read(ring->perf->timer, &times, sizeof(times)) > 0)
		add_cpus(ring, NULL);
}

int ebpf_ring_refresh(struct ebpf_ring *ring, struct ebpf_error *err)
{
	int added = 0;

	for (size_t i = 0; i < ebpf_ring_count(ring); i++) {
		struct ebpf_ring *part = ebpf_ring_part(ring, i);
		int ret = part->perf ? add_cpus(part, err) : 0;

		if (ret < 0)
			return ret;
		added += ret;
	}
	return added;
}

static int set_sizes(const struct ebpf_ring *ring, const struct ebpf_perf_options *options, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = page;
	uint32_t asked = options->buffer_size ? options->buffer_size : BUFFER_DEFAULT;
	int ret;

	if (asked > BUFFER_MAX)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s': buffer_size %u: more than %u bytes for each CPU", ring->map->name, asked,
				 BUFFER_MAX);
	while (size < asked)
		size <<= 1;
	if (options->wakeup_bytes && options->wakeup_events)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s': wakeup_bytes and wakeup_events exclude each other", ring->map->name);
	ret = ebpf_perf_fill_attr(perf, options, ring->map->name, err);
	if (ret < 0)
		return ret;
	if (perf->attr.watermark && perf->attr.wakeup_watermark >= size)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s': wakeup_bytes %u must be below the ring's %zu bytes", ring->map->name,
				 perf->attr.wakeup_watermark, size);
	perf->mask = size - 1;
	perf->memory_size = size + page;
	perf->other = options->other;
	perf->other_context = options->other_context;
	perf->overwrite = options->overwrite;
	perf->ordered = options->ordered;
	if (perf->overwrite && perf->ordered)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s': overwrite and ordered exclude each other: what overwrites is read from the newest record back",
				 ring->map->name);
	return 0;
}

static int choose_cpus(struct ebpf_ring *ring, const struct ebpf_perf_options *options, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;

	perf->cpus = calloc(perf->capacity, sizeof(*perf->cpus));
	perf->wanted = options->cpus ? calloc(perf->capacity, sizeof(*perf->wanted)) : NULL;
	if (!perf->cpus || (options->cpus && !perf->wanted))
		return ebpf_fail_memory(err);
	for (size_t i = 0; options->cpus && i < options->cpu_count; i++) {
		if (options->cpus[i] >= perf->capacity)
			return ebpf_fail(err, EINVAL, "perf buffer: map '%s': CPU %u: the map has entries for %u", ring->map->name, options->cpus[i],
					 perf->capacity);
		perf->wanted[options->cpus[i]] = true;
	}
	return 0;
}

int ebpf_perf_open_cpus(struct ebpf_ring *ring, const struct ebpf_perf_options *options, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = perf_sys(ring);
	struct ebpf_perf *perf = ring->perf;
	struct epoll_event event = { .events = EPOLLIN };
	int ret = set_sizes(ring, options, err), cpus;

	perf->epoll_fd = perf->wake = perf->timer = -1;
	perf->last_cpu = -1;
	perf->opener = getpid();
	if (ret < 0)
		return ret;
	cpus = ebpf_kernel_cpu_count(ring->map->kernel, err);
	if (cpus < 0)
		return cpus;
	perf->capacity = (uint32_t)cpus < ring->map->max_entries ? (uint32_t)cpus : ring->map->max_entries;
	ret = choose_cpus(ring, options, err);
	if (ret < 0)
		return ret;
	perf->epoll_fd = sys->epoll_create();
	if (perf->epoll_fd < 0)
		return ebpf_fail_errno(err, perf->epoll_fd, "perf buffer: map '%s': epoll", ring->map->name);
	perf->wake = sys->eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = perf->wake < 0 ? perf->wake : sys->epoll_ctl(perf->epoll_fd, EPOLL_CTL_ADD, perf->wake, &event);
	if (ret < 0)
		return ebpf_fail_errno(err, ret, "perf buffer: map '%s': eventfd", ring->map->name);
	ret = add_cpus(ring, err);
	if (ret == 0)
		return ebpf_fail(err, ENODEV, "perf buffer: map '%s': none of %s CPUs is online", ring->map->name, perf->wanted ? "the chosen" : "its");
	return ret < 0 ? ret : start_refreshing(ring, options->refresh_ns, err);
}

/* The map would keep the events, and the programs would go on writing into them. A child of ours that closes what it has inherited leaves them there. */
void ebpf_perf_free(struct ebpf_ring *ring)
{
	struct ebpf_perf *perf = ring->perf;

	for (uint32_t i = 0; i < perf->count; i++) {
		if (perf->opener == getpid())
			ebpf_map_delete(ring->map, &perf->cpus[i].cpu, NULL);
		close_cpu(ring, &perf->cpus[i]);
	}
	if (perf->wake >= 0)
		perf_sys(ring)->close(perf->wake);
	if (perf->timer >= 0)
		perf_sys(ring)->close(perf->timer);
	if (perf->epoll_fd >= 0)
		perf_sys(ring)->close(perf->epoll_fd);
	free(perf->cpus);
	free(perf->wanted);
	free(perf->joined);
	free(perf);
}

/* -- one ring -- */

static const struct perf_event_header *header_at(const struct ebpf_perf *perf, const struct ebpf_perf_cpu *cpu, uint64_t position)
{
	return (const struct perf_event_header *)(const void *)(cpu->data + (position & perf->mask));
}

/* A multiple of 8 bytes of a record is never cut. */
static uint64_t word_at(const struct ebpf_perf *perf, const struct ebpf_perf_cpu *cpu, uint64_t position)
{
	return *(const uint64_t *)(const void *)(cpu->data + (position & perf->mask));
}

/* What lies ahead is a record: whole, and no longer than what is known to be there, which is no more than a lap unless somebody else has moved our position. */
static bool is_record(const struct ebpf_perf *perf, const struct ebpf_perf_cpu *cpu, uint32_t size)
{
	return size >= sizeof(struct perf_event_header) && size % 8 == 0 && size <= cpu->known - cpu->position && size <= perf->mask + 1;
}

/* The record at cpu->position in one piece. */
static const uint8_t *whole_record(struct ebpf_perf *perf, const struct ebpf_perf_cpu *cpu, uint32_t size)
{
	uint64_t start = cpu->position & perf->mask, first = perf->mask + 1 - start;

	if (size <= first)
		return cpu->data + start;
	if (perf->joined_size < size) {
		uint8_t *joined = realloc(perf->joined, RECORD_MAX);

		if (!joined)
			return NULL;
		perf->joined = joined;
		perf->joined_size = RECORD_MAX;
	}
	memcpy(perf->joined, cpu->data + start, first);
	memcpy(perf->joined + first, cpu->data, size - first);
	return perf->joined;
}

/* What is no sample, at cpu->position, is counted and told of. 0, or -ENOMEM: then it is still there. */
static int pass_other(struct ebpf_perf *perf, struct ebpf_perf_cpu *cpu, uint32_t type, uint32_t size)
{
	const uint8_t *record = NULL;

	if (type == PERF_RECORD_LOST) {
		uint64_t lost = size >= 24 ? word_at(perf, cpu, cpu->position + 16) : 0;

		cpu->lost += lost;
		cpu->untold += lost;
		cpu->position += size;
		return 0;
	}
	if (perf->other) {
		record = whole_record(perf, cpu, size);
		if (!record)
			return -ENOMEM;
	}
	perf->others++;
	perf->lap += size;
	cpu->position += size;
	if (record)
		perf->other(perf->other_context, cpu->cpu, record, size);
	return 0;
}

/* Steps over what is no sample. 1 = a sample stands at cpu->position, 0 = nothing does, -EBADMSG = what is there is no record: all that is known of is
 * then passed over. `look`: nothing is told of; what somebody wants to be told of counts as a sample. */
static int find_sample(struct ebpf_perf *perf, struct ebpf_perf_cpu *cpu, bool look)
{
	const uint64_t start = cpu->position;

	while (cpu->position - start <= perf->mask) { /* others have a turn, however fast this one is filled */
		const struct perf_event_header *header;
		uint32_t size, type;
		int ret;

		if (cpu->position == cpu->known) {
			if (perf->overwrite)
				return 0; /* a look at a ring that stands still: ebpf_ring_pause has said how far it goes */
			cpu->known = __atomic_load_n(cpu->head, __ATOMIC_ACQUIRE);
			if (cpu->position == cpu->known)
				return 0;
		}
		header = header_at(perf, cpu, cpu->position);
		size = header->size;
		type = header->type;
		if (perf->overwrite && size == 0) { /* never written */
			cpu->position = cpu->known;
			return 0;
		}
		if (!is_record(perf, cpu, size)) {
			cpu->position = cpu->known;
			return perf->overwrite ? 0 : -EBADMSG; /* the oldest record has been cut by the newest */
		}
		if (type == PERF_RECORD_SAMPLE || (look && perf->other && type != PERF_RECORD_LOST))
			return 1;
		ret = pass_other(perf, cpu, type, size);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Takes the sample at cpu->position: its parts by the attr's sample_type, among them the program's bytes. */
static int take_sample(struct ebpf_perf *perf, struct ebpf_perf_cpu *cpu, const void **data, size_t *size)
{
	uint32_t total = header_at(perf, cpu, cpu->position)->size, raw_at, length;
	const uint8_t *record = whole_record(perf, cpu, total);

	if (!record)
		return -ENOMEM;
	cpu->position += total;
	perf->lap += total;
	perf->record = NULL;
	if (!ebpf_perf_find_raw(perf, record, total, &raw_at, &length))
		return -EBADMSG;
	if (perf->attr.sample_type & PERF_SAMPLE_TIME)
		memcpy(&perf->last_time, record + perf->time_at, sizeof(perf->last_time));
	perf->last_cpu = cpu->cpu;
	perf->record = record;
	perf->record_size = total;
	*data = record + raw_at;
	*size = length;
	return 1;
}

/* -- all rings -- */

static int next_in_turn(struct ebpf_perf *perf, const void **data, size_t *size)
{
	for (uint32_t tried = 0; tried <= perf->count; tried++) {
		struct ebpf_perf_cpu *cpu = &perf->cpus[perf->current];
		int ret = perf->lap > perf->mask ? 0 : find_sample(perf, cpu, false);

		if (ret > 0)
			return take_sample(perf, cpu, data, size);
		if (ret < 0)
			return ret;
		perf->current = perf->current + 1 < perf->count ? perf->current + 1 : 0;
		perf->lap = 0;
	}
	return 0;
}

static int look_at_heads(struct ebpf_perf *perf, struct ebpf_perf_cpu **earliest)
{
	*earliest = NULL;
	for (uint32_t i = 0; i < perf->count; i++) {
		struct ebpf_perf_cpu *cpu = &perf->cpus[i];

		if (!cpu->ready) {
			int ret = find_sample(perf, cpu, false);

			if (ret < 0)
				return ret;
			if (ret == 0)
				continue;
			cpu->ready = true;
			cpu->time = word_at(perf, cpu, cpu->position + perf->time_at);
		}
		if (!*earliest || cpu->time < (*earliest)->time)
			*earliest = cpu;
	}
	return *earliest != NULL;
}

int ebpf_perf_peek(struct ebpf_ring *ring, uint64_t *time)
{
	struct ebpf_perf_cpu *earliest;
	int ret = look_at_heads(ring->perf, &earliest);

	if (ret > 0)
		*time = earliest->time;
	return ret;
}

int ebpf_perf_next(struct ebpf_ring *ring, const void **data, size_t *size)
{
	struct ebpf_perf *perf = ring->perf;
	struct ebpf_perf_cpu *earliest;
	int ret;

	if (perf->overwrite && !perf->paused)
		return 0;
	if (!perf->ordered)
		return next_in_turn(perf, data, size);
	ret = look_at_heads(perf, &earliest);
	if (ret <= 0)
		return ret;
	earliest->ready = false;
	return take_sample(perf, earliest, data, size);
}

bool ebpf_perf_is_ready(struct ebpf_ring *ring)
{
	struct ebpf_perf *perf = ring->perf;

	if (perf->overwrite && !perf->paused)
		return false;
	for (uint32_t i = 0; i < perf->count; i++)
		if (find_sample(perf, &perf->cpus[i], true))
			return true;
	return false;
}

/* Whether the reader has to come again is known: it reads on until nothing that it knows of is left. */
static void set_wake(struct ebpf_ring *ring, bool wake)
{
	struct ebpf_perf *perf = ring->perf;
	uint64_t one = 1;

	if (wake == perf->woken || perf->wake < 0)
		return;
	perf->woken = wake;
	if (wake)
		perf_sys(ring)->write(perf->wake, &one, sizeof(one));
	else
		perf_sys(ring)->read(perf->wake, &one, sizeof(one));
}

void ebpf_perf_wake(struct ebpf_ring *ring)
{
	set_wake(ring, true);
}

void ebpf_perf_release(struct ebpf_ring *ring)
{
	struct ebpf_perf *perf = ring->perf;
	bool left = false;

	perf->record = NULL;

	for (uint32_t i = 0; i < perf->count; i++) {
		struct ebpf_perf_cpu *cpu = &perf->cpus[i];

		left |= cpu->position != cpu->known;
		if (!cpu->tail || cpu->published == cpu->position)
			continue;
		cpu->published = cpu->position;
		__atomic_store_n(cpu->tail, cpu->position, __ATOMIC_RELEASE);
	}
	set_wake(ring, left);
	refresh_when_due(ring);
}

uint64_t ebpf_perf_available(const struct ebpf_ring *ring)
{
	const struct ebpf_perf *perf = ring->perf;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < perf->count; i++) {
		const struct ebpf_perf_cpu *cpu = &perf->cpus[i];

		bytes += (perf->overwrite ? cpu->known : __atomic_load_n(cpu->head, __ATOMIC_ACQUIRE)) - cpu->position;
	}
	return bytes;
}

/* -- what a perf buffer has that a ring buffer has not -- */

uint64_t ebpf_perf_lost(const struct ebpf_ring *ring)
{
	uint64_t lost = 0;

	for (uint32_t i = 0; i < ring->perf->count; i++)
		lost += ring->perf->cpus[i].lost;
	return lost;
}

uint64_t ebpf_perf_take_lost(struct ebpf_ring *ring, int *cpu)
{
	for (uint32_t i = 0; i < ring->perf->count; i++) {
		uint64_t lost = ring->perf->cpus[i].untold;

		if (lost) {
			ring->perf->cpus[i].untold = 0;
			*cpu = ring->perf->cpus[i].cpu;
			return lost;
		}
	}
	return 0;
}

static const struct ebpf_perf *last_read(const struct ebpf_ring *ring)
{
	return ebpf_ring_part(ring, ebpf_ring_index(ring))->perf;
}

int ebpf_ring_cpu(const struct ebpf_ring *ring)
{
	const struct ebpf_perf *perf = last_read(ring);

	return perf ? perf->last_cpu : -1;
}

uint64_t ebpf_ring_time(const struct ebpf_ring *ring)
{
	const struct ebpf_perf *perf = last_read(ring);

	return perf ? perf->last_time : 0;
}

bool ebpf_ring_sample(const struct ebpf_ring *ring, struct ebpf_sample *sample)
{
	const struct ebpf_perf *perf = last_read(ring);

	return perf && ebpf_perf_sample(perf, sample);
}

uint64_t ebpf_ring_others(const struct ebpf_ring *ring)
{
	if (ring->many)
		return ebpf_many_sum(ring, ebpf_ring_others);
	return ring->perf ? ring->perf->others : 0;
}

static int set_paused(struct ebpf_ring *ring, bool pause, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;

	for (uint32_t i = 0; i < perf->count; i++) {
		int ret = perf_sys(ring)->ioctl(perf->cpus[i].fd, PERF_EVENT_IOC_PAUSE_OUTPUT, pause);

		if (ret < 0)
			return fail_cpu(ring, perf->cpus[i].cpu, pause ? "cannot pause it (Linux 4.7)" : "cannot go on", ret, err);
	}
	perf->paused = pause;
	return 0;
}

static int pause_part(struct ebpf_ring *ring, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;
	int ret = set_paused(ring, true, err);

	if (ret < 0 || !perf->overwrite)
		return ret;
	/* From the newest record to the oldest that has not been read before: `published` is where the last look began. */
	for (uint32_t i = 0; i < perf->count; i++) {
		struct ebpf_perf_cpu *cpu = &perf->cpus[i];
		uint64_t head = __atomic_load_n(cpu->head, __ATOMIC_ACQUIRE), written = cpu->published - head;

		cpu->position = head;
		cpu->known = head + (written <= perf->mask ? written : perf->mask + 1);
		cpu->published = head;
	}
	return 0;
}

static int resume_part(struct ebpf_ring *ring, struct ebpf_error *err)
{
	struct ebpf_perf *perf = ring->perf;

	for (uint32_t i = 0; perf->overwrite && i < perf->count; i++)
		perf->cpus[i].position = perf->cpus[i].known;
	return set_paused(ring, false, err);
}

/* All parts, or none: a ring buffer among them cannot. */
static int for_each_part(struct ebpf_ring *ring, int (*call)(struct ebpf_ring *part, struct ebpf_error *err), struct ebpf_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < ebpf_ring_count(ring); i++) {
		const struct ebpf_ring *part = ebpf_ring_part(ring, i);

		if (!part->perf)
			return ebpf_fail(err, ENOTSUP, "ring buffer: map '%s': only a perf buffer can be paused", part->map->name);
	}
	for (size_t i = 0; i < ebpf_ring_count(ring) && ret >= 0; i++)
		ret = call(ebpf_ring_part(ring, i), err);
	return ret;
}

int ebpf_ring_pause(struct ebpf_ring *ring, struct ebpf_error *err)
{
	return for_each_part(ring, pause_part, err);
}

int ebpf_ring_resume(struct ebpf_ring *ring, struct ebpf_error *err)
{
	return for_each_part(ring, resume_part, err);
}
