/* ring_test.c -- the ring buffer's reader: on memory of our own, where every state can be made, and on rings that programs of the running kernel fill. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "ring/ring.h"
#include "ring_program.h"
#include "descriptors.h"
#include "ok.h"

static struct ebpf_kernel *kernel;
static struct ebpf_error err;

/* -- a ring of our own: what the kernel does, done by us -- */

struct fake {
	unsigned long consumer, producer;
	uint8_t *data;
	size_t size;
	struct ebpf_ring ring;
};

static bool fake_open(struct fake *fake, size_t size, unsigned long start)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	uint8_t *data = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(fake, 0, sizeof(*fake));
	if (fd < 0 || data == MAP_FAILED || ftruncate(fd, (off_t)size))
		return false;
	for (int i = 0; i < 2; i++)
		if (mmap(data + (size_t)i * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return false;
	close(fd);
	fake->data = data;
	fake->size = size;
	fake->consumer = fake->producer = start;
	ebpf_ring_init(&fake->ring, &fake->consumer, &fake->producer, data, size);
	return true;
}

static void fake_close(struct fake *fake)
{
	munmap(fake->data, 2 * fake->size);
}

static uint32_t *header_of(struct fake *fake, unsigned long at)
{
	return (uint32_t *)(void *)(fake->data + (at & (fake->size - 1)));
}

/* The position of the record, or ~0 when the ring is full. Busy until it is committed. */
static unsigned long reserve(struct fake *fake, uint32_t size)
{
	unsigned long at = fake->producer, next = at + ((size + 8UL + 7) & ~7UL);

	if (next - __atomic_load_n(&fake->consumer, __ATOMIC_ACQUIRE) > fake->size - 1)
		return ~0UL;
	__atomic_store_n(header_of(fake, at), size | BPF_RINGBUF_BUSY_BIT, __ATOMIC_RELAXED);
	__atomic_store_n(&fake->producer, next, __ATOMIC_RELEASE);
	return at;
}

static uint8_t *payload(struct fake *fake, unsigned long at)
{
	return (uint8_t *)header_of(fake, at) + 8;
}

static void commit(struct fake *fake, unsigned long at, bool discard)
{
	uint32_t size = *header_of(fake, at) & ~BPF_RINGBUF_BUSY_BIT;

	__atomic_store_n(header_of(fake, at), size | (discard ? BPF_RINGBUF_DISCARD_BIT : 0), __ATOMIC_RELEASE);
}

static unsigned long put(struct fake *fake, const char *text, bool discard)
{
	unsigned long at = reserve(fake, (uint32_t)strlen(text));

	CHECK(at != ~0UL);
	memcpy(payload(fake, at), text, strlen(text));
	commit(fake, at, discard);
	return at;
}

struct gathered {
	char text[4096];
	size_t length;
	int stop_after;   /* records, then return -7 */
	struct fake *fake;
	unsigned long published;
	int reentered;
};

static int gather(void *context, const void *data, size_t size)
{
	struct gathered *gathered = context;
	const void *other;
	size_t other_size;

	memcpy(gathered->text + gathered->length, data, size);
	gathered->length += size;
	gathered->text[gathered->length++] = ' ';
	gathered->text[gathered->length] = '\0';
	if (gathered->fake) {
		gathered->published = gathered->fake->consumer;
		gathered->reentered = ebpf_ring_next(&gathered->fake->ring, &other, &other_size);
		CHECK_INT(ebpf_ring_consume(&gathered->fake->ring, gather, context, 0), -EBUSY);
	}
	return gathered->stop_after && --gathered->stop_after == 0 ? -7 : 0;
}

static void test_states(unsigned long start)
{
	struct gathered got = { .length = 0 };
	struct fake fake;
	const void *data;
	size_t size;
	unsigned long busy;

	CHECK(fake_open(&fake, 4096, start));
	CHECK_INT(ebpf_ring_next(&fake.ring, &data, &size), 0);
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), 0);
	put(&fake, "one", false);
	put(&fake, "", false);
	put(&fake, "gone", true);
	put(&fake, "two", false);
	busy = reserve(&fake, 4);
	put(&fake, "after", false);
	CHECK_INT(ebpf_ring_available(&fake.ring), 16 + 8 + 16 + 16 + 16 + 16);
	/* pulled: nothing is given back before the release */
	CHECK_INT(ebpf_ring_next(&fake.ring, &data, &size), 1);
	CHECK(size == 3 && !memcmp(data, "one", 3));
	CHECK_INT(ebpf_ring_next(&fake.ring, &data, &size), 1);
	CHECK_INT(size, 0);
	CHECK_INT(fake.consumer, start);
	ebpf_ring_release(&fake.ring);
	CHECK_INT(fake.consumer, start + 24);
	/* pushed: up to the record that is still being written */
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), 1);
	CHECK_STR(got.text, "two ");
	CHECK_INT(fake.consumer, start + 24 + 32);
	CHECK_INT(ebpf_ring_next(&fake.ring, &data, &size), 0);
	memcpy(payload(&fake, busy), "busy", 4);
	commit(&fake, busy, false);
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 1), 1);
	CHECK_STR(got.text, "two busy ");
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), 1);
	CHECK_STR(got.text, "two busy after ");
	CHECK_INT(fake.consumer, fake.producer);
	CHECK_INT(ebpf_ring_available(&fake.ring), 0);
	/* a callback that stops; its record is read */
	for (int i = 0; i < 4; i++)
		put(&fake, "x", false);
	got = (struct gathered){ .stop_after = 2, .fake = &fake };
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), -7);
	CHECK_STR(got.text, "x x ");
	CHECK_INT(got.reentered, -EBUSY);
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), 2);
	CHECK_INT(fake.consumer, fake.producer);
	/* discarded ones alone: nothing to hand out, but space to give back */
	put(&fake, "gone", true);
	CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), 0);
	CHECK_INT(fake.consumer, fake.producer);
	fake_close(&fake);
}

/* Bytes that are no record must end the reading, not lead out of the ring. */
static void test_no_record(void)
{
	static const uint32_t headers[] = { 9, 4096, 0x3fffffff, 0x3fffffff | BPF_RINGBUF_DISCARD_BIT, 16 | BPF_RINGBUF_DISCARD_BIT };
	struct gathered got = { .length = 0 };
	struct fake fake;
	const void *data;
	size_t size;

	for (size_t i = 0; i < EBPF_COUNT(headers); i++) {
		CHECK(fake_open(&fake, 4096, 0));
		*header_of(&fake, put(&fake, "12345678", false)) = headers[i];
		CHECK_INT(ebpf_ring_next(&fake.ring, &data, &size), -EBADMSG);
		CHECK_INT(ebpf_ring_consume(&fake.ring, gather, &got, 0), -EBADMSG);
		CHECK_INT(fake.consumer, 0);
		fake_close(&fake);
	}
}

static int count_and_look(void *context, const void *data, size_t size)
{
	struct gathered *got = context;

	(void)data;
	(void)size;
	if (got->fake->consumer != got->published) {
		got->published = got->fake->consumer;
		got->reentered++;
	}
	return 0;
}

/* A full ring is given back in pieces while it is read, and not record by record. */
static void test_publishing(void)
{
	struct gathered got = { .length = 0 };
	struct fake fake;
	int64_t count = 0;

	CHECK(fake_open(&fake, 65536, 8));
	got.fake = &fake;
	got.published = fake.consumer;
	while (reserve(&fake, 16) != ~0UL)
		count++;
	for (unsigned long at = 8; at < fake.producer; at += 24)
		commit(&fake, at, false);
	CHECK_INT(ebpf_ring_consume(&fake.ring, count_and_look, &got, 0), count);
	CHECK(got.reentered >= 14 && got.reentered <= 16);
	CHECK_INT(fake.consumer, fake.producer);
	fake_close(&fake);
}

/* -- a producer in a thread of its own; two records are often in the making at once, and get ready in either order -- */

static uint64_t total;
static atomic_bool done;

static void fill_record(uint8_t *to, uint64_t sequence, uint32_t size)
{
	memcpy(to, &sequence, 8);
	for (uint32_t i = 8; i < size; i++)
		to[i] = (uint8_t)(sequence * 31 + i);
}

static bool check_record(const uint8_t *data, uint64_t sequence, size_t size)
{
	uint64_t has;

	memcpy(&has, data, 8);
	if (has != sequence)
		return false;
	for (size_t i = 8; i < size; i++)
		if (data[i] != (uint8_t)(sequence * 31 + i))
			return false;
	return true;
}

static uint32_t size_of(uint64_t sequence)
{
	return 8 + (uint32_t)(sequence * 2654435761U >> 7) % 97;
}

static unsigned long reserve_wait(struct fake *fake, uint32_t size)
{
	unsigned long at;

	while ((at = reserve(fake, size)) == ~0UL)
		sched_yield();
	return at;
}

static void *produce(void *argument)
{
	struct fake *fake = argument;

	for (uint64_t i = 0; i < total; i += 2) {
		unsigned long first = reserve_wait(fake, size_of(i)), second, thrown = ~0UL;

		if (i % 10 == 0)
			thrown = reserve_wait(fake, 20);
		second = reserve_wait(fake, size_of(i + 1));
		fill_record(payload(fake, second), i + 1, size_of(i + 1));
		if (i % 3)
			commit(fake, second, false);
		if (thrown != ~0UL)
			commit(fake, thrown, true);
		fill_record(payload(fake, first), i, size_of(i));
		commit(fake, first, false);
		if (i % 3 == 0)
			commit(fake, second, false);
	}
	atomic_store(&done, true);
	return NULL;
}

struct stream {
	uint64_t next, bad;
};

static int check_next(void *context, const void *data, size_t size)
{
	struct stream *stream = context;

	stream->bad += size != size_of(stream->next) || !check_record(data, stream->next, size);
	stream->next++;
	return 0;
}

static void test_two_threads(void)
{
	struct stream stream = { 0, 0 };
	struct fake fake;
	pthread_t thread;
	unsigned turn = 0;

	total = 100000;
	atomic_store(&done, false);
	CHECK(fake_open(&fake, 4096, 0UL - 2048));
	CHECK(!pthread_create(&thread, NULL, produce, &fake));
	while (stream.next < total) {
		bool was_done = atomic_load(&done);
		uint64_t before = stream.next;

		if (++turn % 2) {
			CHECK(ebpf_ring_consume(&fake.ring, check_next, &stream, turn % 5 ? 0 : 3) >= 0);
		} else {
			const void *data;
			size_t size;

			while (ebpf_ring_next(&fake.ring, &data, &size) == 1)
				check_next(&stream, data, size);
			ebpf_ring_release(&fake.ring);
		}
		if (stream.next == before) {
			if (was_done)
				break;
			sched_yield();
		}
	}
	pthread_join(thread, NULL);
	CHECK_INT(stream.next, total);
	CHECK_INT(stream.bad, 0);
	CHECK_INT(fake.consumer, fake.producer);
	fake_close(&fake);
}

/* -- the kernel's rings -- */

static struct ebpf_map *make(uint32_t type, uint32_t size, uint32_t max_entries)
{
	struct ebpf_map_spec spec = { .name = (char *)"events", .type = type, .key_size = size, .value_size = size, .max_entries = max_entries };
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	if (!map)
		exit(1);
	return map;
}

static int emit(int program, uint64_t sequence)
{
	uint8_t bytes[RING_PROGRAM_MAX];
	bool failed;
	int ret;

	fill_record(bytes, sequence, size_of(sequence));
	ret = ring_program_run(program, 0, bytes, size_of(sequence), 1, &failed);
	CHECK(!failed);
	return ret;
}

static int discard(int program)
{
	bool failed;
	int ret = ring_program_run(program, 1, NULL, 0, 1, &failed);

	CHECK(!failed);
	return ret;
}

static void test_kernel_ring(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_RINGBUF, 0, 4096);
	int program = ring_program_load(ebpf_map_fd(map));
	struct stream stream = { 0, 0 };
	struct ebpf_ring *ring = NULL;
	uint64_t sequence = 0;
	const void *data;
	size_t size;
	bool failed;

	if (program < 0)
		exit(1);
	OK(ebpf_ring_open(map, &ring, &err));
	CHECK(ebpf_ring_map(ring) == map);
	CHECK(ebpf_ring_fd(ring) >= 0);
	CHECK_INT(ebpf_ring_fd(ring), ebpf_ring_fd(ring));
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0);
	/* until the ring is full, and again, by both ways of reading: some 150 laps */
	while (sequence < 8000) {
		while (emit(program, sequence) == 0) {
			sequence++;
			if (sequence % 7 == 0)
				discard(program);
		}
		if (sequence & 1) {
			CHECK(ebpf_ring_consume(ring, check_next, &stream, 0) > 0);
		} else {
			while (ebpf_ring_next(ring, &data, &size) == 1)
				check_next(&stream, data, size);
			ebpf_ring_release(ring);
		}
		CHECK_INT(stream.next, sequence);
		CHECK_INT(ebpf_ring_available(ring), 0);
	}
	CHECK_INT(stream.bad, 0);
	/* an empty record */
	CHECK_INT(ring_program_run(program, 0, NULL, 0, 1, &failed), 0);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	CHECK_INT(size, 0);
	ebpf_ring_close(ring);
	/* a second reader goes on where the first has released: the empty record was not */
	OK(ebpf_ring_open(map, &ring, &err));
	ebpf_map_close(map); /* the ring keeps it */
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	CHECK_INT(size, 0);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0);
	ebpf_ring_close(ring);
	close(program);
}

struct emitter {
	int program;
	uint64_t count;
	unsigned pause_us;
};

static void *emit_all(void *argument)
{
	struct emitter *emitter = argument;

	for (uint64_t i = 0; i < emitter->count;) {
		if (emit(emitter->program, i) == 0)
			i++;
		else
			sched_yield();
		if (i % 11 == 0)
			discard(emitter->program);
		if (emitter->pause_us)
			usleep(emitter->pause_us);
	}
	return NULL;
}

/* A reader that sleeps in ebpf_ring_wait must be woken for each record that it has not seen: else this hangs until a wait times out. */
static void test_wait_and_read(uint64_t count, unsigned pause_us, bool consume)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_RINGBUF, 0, 4096);
	struct emitter emitter = { ring_program_load(ebpf_map_fd(map)), count, pause_us };
	struct stream stream = { 0, 0 };
	struct ebpf_ring *ring = NULL;
	pthread_t thread;

	OK(ebpf_ring_open(map, &ring, &err));
	CHECK(!pthread_create(&thread, NULL, emit_all, &emitter));
	while (stream.next < count) {
		const void *data;
		size_t size;
		int ret = ebpf_ring_wait(ring, 10000, &err);

		CHECK_INT(ret, 1);
		if (ret != 1)
			break;
		if (consume)
			CHECK(ebpf_ring_consume(ring, check_next, &stream, 0) > 0);
		else
			while (ebpf_ring_next(ring, &data, &size) == 1)
				check_next(&stream, data, size);
	}
	pthread_join(thread, NULL);
	CHECK_INT(stream.next, count);
	CHECK_INT(stream.bad, 0);
	ebpf_ring_close(ring);
	ebpf_map_close(map);
	close(emitter.program);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_wait(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_RINGBUF, 0, 4096);
	int program = ring_program_load(ebpf_map_fd(map));
	struct itimerval alarms = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 }, no_alarms = { .it_value.tv_sec = 0 };
	struct sigaction action = { .sa_handler = on_alarm };
	struct ebpf_ring *ring = NULL;
	const void *data;
	size_t size;
	int64_t start;

	OK(ebpf_ring_open(map, &ring, &err));
	CHECK_INT(ebpf_ring_wait(ring, 0, &err), 0);
	start = now_ms();
	CHECK_INT(ebpf_ring_wait(ring, 40, &err), 0);
	CHECK(now_ms() - start >= 39);
	/* a discarded record makes the descriptor readable, but is no record */
	CHECK_INT(discard(program), 0);
	start = now_ms();
	CHECK_INT(ebpf_ring_wait(ring, 40, &err), 0);
	CHECK(now_ms() - start >= 39);
	CHECK_INT(emit(program, 0), 0);
	CHECK_INT(ebpf_ring_wait(ring, 0, &err), 1);
	CHECK_INT(ebpf_ring_wait(ring, -1, &err), 1);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1);
	/* waiting gives back what was seen, so that the next record wakes */
	CHECK_INT(ebpf_ring_wait(ring, 0, &err), 0);
	CHECK_INT(*ring->consumer, *ring->producer);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &alarms, NULL);
	CHECK_INT(ebpf_ring_wait(ring, -1, &err), -EINTR);
	setitimer(ITIMER_REAL, &no_alarms, NULL);
	ebpf_error_clear(&err);
	ebpf_ring_close(ring);
	ebpf_map_close(map);
	close(program);
}

struct closing {
	struct ebpf_ring *ring;
	int count;
};

static int close_ring(void *context, const void *data, size_t size)
{
	struct closing *closing = context;
	uint8_t byte;

	ebpf_ring_close(closing->ring);
	ebpf_ring_release(closing->ring);
	memcpy(&byte, data, 1); /* its memory is still there */
	closing->count++;
	return size == 0;
}

static void test_close_in_callback(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_RINGBUF, 0, 4096);
	int program = ring_program_load(ebpf_map_fd(map)), before = open_fds();
	struct closing closing = { NULL, 0 };

	OK(ebpf_ring_open(map, &closing.ring, &err));
	ebpf_map_close(map);
	emit(program, 0);
	emit(program, 1);
	CHECK_INT(ebpf_ring_consume(closing.ring, close_ring, &closing, 0), 1);
	CHECK_INT(closing.count, 1);
	CHECK_INT(open_fds(), before - 1);
	close(program);
}

/* -- what cannot be opened -- */

static int mmap_calls, mmap_fails_at;

static int failing_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return ++mmap_calls == mmap_fails_at ? -ENOMEM : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static void test_open_fails(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_HASH, 4, 4);
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *real = kernel;
	struct ebpf_ring *ring = NULL;
	int before;

	CHECK_INT(ebpf_ring_open(map, &ring, &err), -EINVAL);
	CHECK_STR(err.message, "ring buffer: map 'events' is a map of type hash, not ringbuf");
	ebpf_map_close(map);
	map = make(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 1);
	CHECK_INT(ebpf_ring_open(map, &ring, &err), -EINVAL);
	CHECK(strstr(err.hint, "perf buffer") != NULL);
	ebpf_map_close(map);
	sys.mmap = failing_mmap;
	before = open_fds();
	kernel = ebpf_kernel_new_with(&sys, &err);
	for (mmap_fails_at = 1; mmap_fails_at <= 2; mmap_fails_at++) {
		map = make(BPF_MAP_TYPE_RINGBUF, 0, 4096);
		mmap_calls = 0;
		CHECK_INT(ebpf_ring_open(map, &ring, &err), -ENOMEM);
		CHECK_INT(map->refs, 1);
		ebpf_map_close(map);
	}
	ebpf_kernel_free(kernel);
	kernel = real;
	CHECK_INT(open_fds(), before);
	ebpf_error_clear(&err);
}

int main(void)
{
	test_states(0);
	test_states(4096 - 16);
	test_states(0UL - 64); /* positions wrap around in the end, after 2^64 bytes */
	test_no_record();
	test_publishing();
	test_two_threads();
	if (geteuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&err);
	test_kernel_ring();
	test_wait();
	test_wait_and_read(20000, 0, true);
	test_wait_and_read(20000, 0, false);
	test_wait_and_read(1000, 20, true);
	test_close_in_callback();
	test_open_fails();
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
