/* many_test.c -- one reader of several maps, and flushing: whoever waits gets what is there. On the running kernel's rings. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"
#include "perf_program.h"
#include "ring/many.h"
#include "descriptors.h"
#include "ok.h"

static struct ebpf_kernel *kernel;
static struct ebpf_error err;

static struct ebpf_map *make(const char *name, uint32_t type)
{
	struct ebpf_map_spec spec = { .name = (char *)name, .type = type, .max_entries = type == BPF_MAP_TYPE_RINGBUF ? 4096 : 0 };
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	if (!map)
		exit(1);
	return map;
}

static void emit(int program, uint32_t value)
{
	bool failed;

	CHECK_INT(ring_program_run(program, 0, &value, 4, 1, &failed), 0);
}

/* Two ring buffers and a perf buffer, the programs that write to them, and the reader. */
struct three {
	struct ebpf_map *maps[3];
	int writers[3];
	struct ebpf_ring *ring;
};

static void open_three(struct three *three, const struct ebpf_perf_options *options)
{
	*three = (struct three){ .maps = { make("first", BPF_MAP_TYPE_RINGBUF), make("second", BPF_MAP_TYPE_RINGBUF),
					   make("third", BPF_MAP_TYPE_PERF_EVENT_ARRAY) } };
	for (int i = 0; i < 2; i++)
		three->writers[i] = ring_program_load(ebpf_map_fd(three->maps[i]));
	three->writers[2] = perf_program_load(ebpf_map_fd(three->maps[2]));
	OK(ebpf_ring_open_many(three->maps, 3, options, &three->ring, &err));
	if (!three->ring)
		exit(1);
}

static void close_three(struct three *three)
{
	ebpf_ring_close(three->ring);
	for (int i = 0; i < 3; i++) {
		close(three->writers[i]);
		ebpf_map_close(three->maps[i]);
	}
}

/* The record's number, and of which map it is: number * 10 + map; or what ebpf_ring_next said. */
static int64_t next(struct three *three)
{
	const void *data;
	size_t size;
	int ret = ebpf_ring_next(three->ring, &data, &size);
	uint32_t value;

	if (ret <= 0)
		return ret < 0 ? ret : -1;
	CHECK(ebpf_ring_map(three->ring) == three->maps[ebpf_ring_index(three->ring)]);
	if (ebpf_ring_index(three->ring) == 2)
		return ((const struct perf_program_record *)data)->argument * 10 + 2;
	memcpy(&value, data, 4);
	return value * 10 + ebpf_ring_index(three->ring);
}

struct seen {
	struct three *three;
	int count[3], close_at, fail_at, total;
};

static int see(void *context, const void *data, size_t size)
{
	struct seen *seen = context;
	const void *other;

	(void)data;
	CHECK_INT(ebpf_ring_next(seen->three->ring, &other, &size), -EBUSY);
	CHECK_INT(ebpf_ring_consume(seen->three->ring, see, seen, 0), -EBUSY);
	seen->count[ebpf_ring_index(seen->three->ring)]++;
	if (++seen->total == seen->close_at)
		ebpf_ring_close(seen->three->ring);
	return seen->total == seen->fail_at ? -77 : 0;
}

static void test_reading(void)
{
	struct three three;
	struct seen seen = { .three = &three };
	struct ebpf_sample sample = { .size = sizeof(sample) };
	uint64_t available;
	int cpu;

	open_three(&three, NULL);
	CHECK_INT(ebpf_ring_count(three.ring), 3);
	CHECK(ebpf_ring_map(three.ring) == three.maps[0]);
	CHECK_INT(ebpf_ring_wait(three.ring, 0, &err), 0);
	CHECK_INT(next(&three), -1);
	emit(three.writers[0], 1);
	emit(three.writers[0], 2);
	CHECK_INT(perf_program_run(three.writers[2], 0, 3), 0);
	emit(three.writers[1], 4);
	available = ebpf_ring_available(three.ring);
	CHECK(available > 48);
	CHECK_INT(available, ebpf_ring_available(ebpf_ring_part(three.ring, 0)) + ebpf_ring_available(ebpf_ring_part(three.ring, 1)) +
				     ebpf_ring_available(ebpf_ring_part(three.ring, 2)));
	CHECK(ebpf_ring_size(three.ring) > 2 * 4096 + 65535);
	CHECK_INT(ebpf_ring_wait(three.ring, 1000, &err), 1);
	CHECK_INT(next(&three), 10);
	CHECK_INT(next(&three), 20);
	CHECK_INT(ebpf_ring_cpu(three.ring), -1);
	CHECK(!ebpf_ring_sample(three.ring, &sample));
	CHECK_INT(next(&three), 41);
	CHECK_INT(next(&three), 32);
	CHECK_INT(ebpf_ring_cpu(three.ring), 0);
	CHECK(ebpf_ring_sample(three.ring, &sample) && sample.parts);
	CHECK_INT(next(&three), -1);
	CHECK_INT(ebpf_ring_lost(three.ring) + ebpf_ring_take_lost(three.ring, &cpu) + ebpf_ring_overwritten(three.ring) + ebpf_ring_others(three.ring), 0);
	ebpf_ring_release(three.ring);
	CHECK_INT(ebpf_ring_available(three.ring), 0);
	CHECK_INT(ebpf_ring_wait(three.ring, 0, &err), 0);

	/* whichever has something wakes */
	for (int i = 0; i < 3; i++) {
		struct pollfd fd = { .fd = ebpf_ring_fd(three.ring), .events = POLLIN };

		CHECK_INT(poll(&fd, 1, 0), 0);
		if (i < 2)
			emit(three.writers[i], 5);
		else
			perf_program_run(three.writers[2], 0, 5);
		CHECK_INT(poll(&fd, 1, 1000), 1);
		CHECK_INT(ebpf_ring_wait(three.ring, 1000, &err), 1);
		CHECK_INT(next(&three), 50 + i);
		ebpf_ring_release(three.ring);
	}

	/* by callback: all; with a limit, which the next map goes on after; an error of it */
	for (uint32_t i = 0; i < 30; i++) {
		emit(three.writers[i % 2], i);
		perf_program_run(three.writers[2], 0, i);
	}
	CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 5), 5);
	CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 5), 5);
	CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 5), 5);
	for (int i = 0; i < 3; i++)
		CHECK_INT(seen.count[i], 5);
	seen.fail_at = 18;
	CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 0), -77);
	CHECK_INT(seen.total, 18);
	CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 0), 42);
	CHECK_INT(ebpf_ring_available(three.ring), 0);
	close_three(&three);
}

/* A map that is filled all the time has its turn for a lap, then the others have theirs. */
static void test_turns(void)
{
	struct three three;
	int read = 0;

	open_three(&three, NULL);
	emit(three.writers[1], 7);
	perf_program_run(three.writers[2], 0, 7);
	for (int others = 0; others < 2 && read < 10000; read++) {
		int64_t value;

		emit(three.writers[0], 1);
		value = next(&three);
		CHECK(value > 0);
		others += value / 10 == 7;
		ebpf_ring_release(three.ring);
	}
	CHECK(read > 100 && read < 1000);
	close_three(&three);
}

static void test_closing(void)
{
	for (int at = 1; at <= 6; at++) {
		struct three three;
		struct seen seen = { .three = &three, .close_at = at };

		open_three(&three, NULL);
		for (uint32_t i = 0; i < 2; i++) {
			emit(three.writers[0], i);
			emit(three.writers[1], i);
			perf_program_run(three.writers[2], 0, i);
		}
		CHECK_INT(ebpf_ring_consume(three.ring, see, &seen, 0), at);
		three.ring = NULL;
		CHECK(perf_program_run(three.writers[2], 0, 1) != 0); /* its CPUs are out of the map */
		close_three(&three);
	}
}

static void test_order(void)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .ordered = true };
	struct ebpf_map *maps[] = { make("one", BPF_MAP_TYPE_PERF_EVENT_ARRAY), make("two", BPF_MAP_TYPE_PERF_EVENT_ARRAY) };
	int writers[] = { perf_program_load(ebpf_map_fd(maps[0])), perf_program_load(ebpf_map_fd(maps[1])) };
	uint32_t cpus = (uint32_t)ebpf_kernel_cpu_count(kernel, NULL), written = 0, read = 0;
	struct ebpf_ring *ring = NULL;
	const void *data;
	size_t size;

	OK(ebpf_ring_open_many(maps, 2, &options, &ring, &err));
	for (uint32_t i = 0; i < 40; i++)
		written += perf_program_run(writers[i / 3 % 2], i % cpus, written) == 0;
	while (ebpf_ring_next(ring, &data, &size) == 1) {
		CHECK_INT(((const struct perf_program_record *)data)->argument, read);
		read++;
	}
	CHECK_INT(read, written);
	OK(ebpf_ring_pause(ring, &err));
	OK(ebpf_ring_resume(ring, &err));
	CHECK_INT(ebpf_ring_refresh(ring, &err), 0);
	for (uint32_t i = 0; i < 4; i++)
		perf_program_run(writers[i % 2], 0, i);
	struct three three = { .ring = ring };
	struct seen seen = { .three = &three, .close_at = 3 };

	CHECK_INT(ebpf_ring_consume(ring, see, &seen, 0), 3);
	for (int i = 0; i < 2; i++) {
		close(writers[i]);
		ebpf_map_close(maps[i]);
	}
}

static void test_refusals(void)
{
	struct ebpf_map *map = make("ring", BPF_MAP_TYPE_RINGBUF), *perf = make("perf", BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	struct ebpf_map_spec spec = { .name = (char *)"hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1 };
	struct ebpf_ring *ring = NULL;
	struct ebpf_map *hash = NULL;

	OK(ebpf_map_create(kernel, &spec, &hash, &err));
	CHECK_INT(ebpf_ring_open_many(NULL, 0, NULL, &ring, &err), -EINVAL);
	CHECK_INT(ebpf_ring_open_many((struct ebpf_map *[]){ map, perf, map }, 3, NULL, &ring, &err), -EINVAL);
	CHECK(strstr(err.message, "'ring' is there twice"));
	CHECK_INT(ebpf_ring_open_many((struct ebpf_map *[]){ map, hash }, 2, NULL, &ring, &err), -EINVAL);
	CHECK(strstr(err.message, "'hash' is a map of type hash"));
	CHECK(!ring);
	OK(ebpf_ring_open_many(&map, 1, NULL, &ring, &err));
	CHECK_INT(ebpf_ring_count(ring), 1);
	CHECK(ebpf_ring_part(ring, 0) == ring);
	ebpf_ring_close(ring);
	OK(ebpf_ring_open_many((struct ebpf_map *[]){ map, perf }, 2, NULL, &ring, &err));
	CHECK_INT(ebpf_ring_pause(ring, &err), -ENOTSUP);
	CHECK(strstr(err.message, "'ring': only a perf buffer can be paused"));
	CHECK_INT(ebpf_ring_set_lost(ring, map, &err), -EINVAL);
	CHECK(strstr(err.message, "ebpf_ring_part"));
	ebpf_ring_close(ring);
	ebpf_error_clear(&err);
	ebpf_map_close(map);
	ebpf_map_close(perf);
	ebpf_map_close(hash);
}

/* -- flushing -- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct flusher {
	struct ebpf_ring *ring;
	int filler; /* a program to be run before, or -1 */
};

static void *flush_soon(void *context)
{
	struct flusher *flusher = context;
	bool failed;

	usleep(30000);
	if (flusher->filler >= 0)
		ring_program_run(flusher->filler, 0, NULL, 0, 1, &failed);
	usleep(30000);
	ebpf_ring_flush(flusher->ring);
	return NULL;
}

static int count(void *context, const void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(int *)context;
	return 0;
}

/* A wait for ever ends; what was written without waking anybody is read first. */
static void test_flush_wait(void)
{
	struct ebpf_map *map = make("quiet", BPF_MAP_TYPE_RINGBUF), *other = make("other", BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	int filler = ring_program_load_filler(ebpf_map_fd(map), 3), records = 0;

	for (int i = 0; i < 4; i++) {
		struct ebpf_map *maps[] = { map, other };
		struct flusher flusher = { .filler = i % 2 ? filler : -1 };
		pthread_t thread;

		records = 0;
		OK(ebpf_ring_open_many(maps, i < 2 ? 1 : 2, NULL, &flusher.ring, &err));
		CHECK(!pthread_create(&thread, NULL, flush_soon, &flusher));
		if (i % 2) {
			CHECK_INT(ebpf_ring_wait(flusher.ring, 10000, &err), 1);
			CHECK(!ebpf_ring_flushed(flusher.ring));
			CHECK_INT(ebpf_ring_consume(flusher.ring, count, &records, 0), 3);
		}
		CHECK_INT(ebpf_ring_wait(flusher.ring, -1, &err), 0);
		CHECK(ebpf_ring_flushed(flusher.ring));
		CHECK_INT(ebpf_ring_wait(flusher.ring, 10, &err), 0); /* once */
		CHECK(!ebpf_ring_flushed(flusher.ring));
		pthread_join(thread, NULL);
		/* before anybody waits, and twice: the next wait ends, and only that */
		ebpf_ring_flush(flusher.ring);
		ebpf_ring_flush(flusher.ring);
		CHECK_INT(ebpf_ring_wait(flusher.ring, -1, &err), 0);
		CHECK(ebpf_ring_flushed(flusher.ring));
		CHECK_INT(ebpf_ring_wait(flusher.ring, 0, &err), 0);
		CHECK(!ebpf_ring_flushed(flusher.ring));
		/* through the descriptor, of somebody else's loop */
		struct pollfd fd = { .fd = ebpf_ring_fd(flusher.ring), .events = POLLIN };

		CHECK_INT(poll(&fd, 1, 0), 0);
		ebpf_ring_flush(flusher.ring);
		CHECK_INT(poll(&fd, 1, 0), 1);
		CHECK_INT(ebpf_ring_wait(flusher.ring, 0, &err), 0);
		CHECK(ebpf_ring_flushed(flusher.ring));
		CHECK_INT(poll(&fd, 1, 0), 0);
		ebpf_ring_close(flusher.ring);
	}
	close(filler);
	ebpf_map_close(map);
	ebpf_map_close(other);
}

static struct ebpf_ring *signalled;

static void flush_by_signal(int number)
{
	(void)number;
	ebpf_ring_flush(signalled);
}

struct turns {
	struct ebpf_ring *ring;
	int calls, records, limit;
};

static int take_turn(void *context, uint32_t events)
{
	struct turns *turns = context;

	(void)events;
	turns->calls++;
	return (int)(ebpf_ring_consume(turns->ring, count, &turns->records, (uint64_t)turns->limit) < 0);
}

/* In a loop the callback gets what is there, all of it although it takes two at a time, and then the loop is quiet. By a timer as well. */
static void test_flush_loop(bool every)
{
	struct ebpf_map *map = make("quiet", BPF_MAP_TYPE_RINGBUF);
	struct sigaction action = { .sa_handler = flush_by_signal }, old;
	int filler = ring_program_load_filler(ebpf_map_fd(map), 5);
	struct turns turns = { .limit = 2 };
	struct ebpf_source *source = NULL;
	struct ebpf_loop *loop = NULL;
	int64_t begin = now_ms();
	bool failed;

	OK(ebpf_loop_new(&loop, &err));
	OK(ebpf_ring_open(map, &turns.ring, &err));
	if (every)
		OK(ebpf_loop_add_ring_every(loop, turns.ring, UINT64_C(3600) * 1000000000, take_turn, &turns, &source, &err));
	else
		OK(ebpf_loop_add_ring(loop, turns.ring, take_turn, &turns, &source, &err));
	CHECK_INT(ebpf_loop_add_ring_every(loop, turns.ring, 0, take_turn, &turns, NULL, &err), -EINVAL);
	ebpf_error_clear(&err);
	ring_program_run(filler, 0, NULL, 0, 1, &failed);
	CHECK_INT(ebpf_loop_step(loop, 20, &err), 0);
	signalled = turns.ring;
	sigaction(SIGUSR1, &action, &old);
	raise(SIGUSR1);
	while (turns.records < 5 && now_ms() - begin < 10000)
		CHECK(ebpf_loop_step(loop, 1000, &err) >= 0);
	CHECK_INT(turns.records, 5);
	CHECK(turns.calls >= 3 && turns.calls <= 6);
	ebpf_loop_step(loop, 0, &err);
	turns.calls = 0;
	CHECK_INT(ebpf_loop_step(loop, 20, &err), 0);
	CHECK_INT(turns.calls, 0);
	/* gone with the source */
	ebpf_source_remove(source);
	raise(SIGUSR1);
	CHECK_INT(ebpf_loop_step(loop, 0, &err), 0);
	sigaction(SIGUSR1, &old, NULL);
	ebpf_ring_close(turns.ring);
	ebpf_loop_free(loop);
	close(filler);
	ebpf_map_close(map);
}

/* Perf buffers: below the watermark; and what was written before the loop knew of the reader. */
static void test_perf_loop(void)
{
	struct ebpf_perf_options late = { .size = sizeof(late), .wakeup_events = 100 };
	struct ebpf_map *map = make("perf", BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	int writer = perf_program_load(ebpf_map_fd(map));
	struct turns turns = { .limit = 0 };
	struct ebpf_source *source = NULL;
	struct ebpf_loop *loop = NULL;

	OK(ebpf_loop_new(&loop, &err));
	OK(ebpf_ring_open_perf(map, &late, &turns.ring, &err));
	OK(ebpf_loop_add_ring(loop, turns.ring, take_turn, &turns, &source, &err));
	for (uint32_t i = 0; i < 3; i++)
		CHECK_INT(perf_program_run(writer, 0, i), 0);
	CHECK_INT(ebpf_loop_step(loop, 20, &err), 0);
	ebpf_ring_flush(turns.ring);
	CHECK_INT(ebpf_loop_step(loop, 1000, &err), 1);
	CHECK_INT(turns.records, 3);
	CHECK_INT(ebpf_loop_step(loop, 20, &err), 0);
	ebpf_source_remove(source);
	ebpf_ring_close(turns.ring);

	turns.records = 0;
	OK(ebpf_ring_open_perf(map, NULL, &turns.ring, &err));
	CHECK_INT(perf_program_run(writer, 0, 1), 0);
	OK(ebpf_loop_add_ring(loop, turns.ring, take_turn, &turns, &source, &err));
	CHECK_INT(ebpf_loop_step(loop, 1000, &err), 1);
	CHECK_INT(turns.records, 1);
	ebpf_source_remove(source);
	ebpf_ring_close(turns.ring);

	/* its own timer, which looks for CPUs, calls back and is read */
	struct ebpf_perf_options looking = { .size = sizeof(looking), .refresh_ns = 10000000 };

	OK(ebpf_ring_open_perf(map, &looking, &turns.ring, &err));
	CHECK_INT(ebpf_ring_wait(turns.ring, 35, &err), 0);
	OK(ebpf_loop_add_ring(loop, turns.ring, take_turn, &turns, &source, &err));
	turns.calls = 0;
	for (int64_t begin = now_ms(); now_ms() - begin < 100;)
		ebpf_loop_step(loop, 5, &err);
	CHECK(turns.calls >= 2 && turns.calls <= 11);
	ebpf_source_remove(source);
	ebpf_ring_close(turns.ring);
	ebpf_loop_free(loop);
	close(writer);
	ebpf_map_close(map);
}

/* Flushed all the time by another thread while records come: none is missed, and each wait ends. */
struct storm {
	struct ebpf_ring *ring;
	int filler;
	bool done;
};

static void *flush_always(void *context)
{
	struct storm *storm = context;
	bool failed;

	for (int i = 0; i < 2000; i++) {
		CHECK_INT(ring_program_run(storm->filler, 0, NULL, 0, 1, &failed), 0);
		ebpf_ring_flush(storm->ring);
		if (i % 100 == 0)
			usleep(1000);
	}
	__atomic_store_n(&storm->done, true, __ATOMIC_RELEASE);
	ebpf_ring_flush(storm->ring);
	return NULL;
}

static void test_storm(bool in_loop)
{
	struct ebpf_map_spec spec = { .name = (char *)"storm", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 1 << 18 };
	struct turns turns = { .limit = 0 };
	struct ebpf_loop *loop = NULL;
	struct ebpf_map *map = NULL;
	struct storm storm = { .done = false };
	pthread_t thread;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	storm.filler = ring_program_load_filler(ebpf_map_fd(map), 2);
	OK(ebpf_ring_open(map, &storm.ring, &err));
	OK(ebpf_loop_new(&loop, &err));
	turns.ring = storm.ring;
	if (in_loop)
		OK(ebpf_loop_add_ring(loop, storm.ring, take_turn, &turns, NULL, &err));
	CHECK(!pthread_create(&thread, NULL, flush_always, &storm));
	for (int64_t begin = now_ms(); turns.records < 4000 && now_ms() - begin < 30000;) {
		if (in_loop)
			CHECK(ebpf_loop_step(loop, 5000, &err) >= 0);
		else if (ebpf_ring_wait(storm.ring, 5000, &err) > 0)
			take_turn(&turns, 0);
	}
	pthread_join(thread, NULL);
	CHECK_INT(turns.records, 4000);
	ebpf_loop_free(loop);
	ebpf_ring_close(storm.ring);
	close(storm.filler);
	ebpf_map_close(map);
}

int main(void)
{
	int before;

	if (geteuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&err);
	if (ebpf_kernel_has(kernel, "ringbuf", NULL) <= 0)
		TEST_SKIP("the kernel has no ring buffers");
	ebpf_kernel_cpu_count(kernel, NULL);
	before = open_fds();
	test_reading();
	test_turns();
	test_closing();
	test_order();
	test_refusals();
	test_flush_wait();
	test_flush_loop(false);
	test_flush_loop(true);
	test_perf_loop();
	test_storm(false);
	test_storm(true);
	CHECK_INT(open_fds(), before);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
