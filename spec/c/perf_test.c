/* perf_test.c -- the perf buffer's reader: on memory of our own, where every state can be made, and on the rings of this kernel's CPUs. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "perf_program.h"
#include "ring/perf.h"
#include "descriptors.h"
#include "ok.h"

static struct ebpf_kernel *kernel;
static struct ebpf_error err;

/* -- rings of our own: what the kernel does, done by us -- */

#define SIZE 256U
#define CPUS 3

struct fake {
	uint64_t head[CPUS], tail[CPUS], data[CPUS][SIZE / 8];
	struct ebpf_perf_cpu cpus[CPUS];
	struct ebpf_perf perf;
	struct ebpf_ring ring;
};

static void fake_open(struct fake *fake, uint64_t start, bool ordered)
{
	memset(fake, 0, sizeof(*fake));
	for (int i = 0; i < CPUS; i++) {
		fake->head[i] = fake->tail[i] = start;
		ebpf_perf_init_cpu(&fake->cpus[i], i, &fake->tail[i], &fake->head[i], fake->data[i]);
	}
	fake->perf = (struct ebpf_perf){ .cpus = fake->cpus, .count = CPUS, .capacity = CPUS, .mask = SIZE - 1, .ordered = ordered, .epoll_fd = -1,
					 .wake = -1, .timer = -1, .last_cpu = -1 };
	ebpf_perf_set_format(&fake->perf, PERF_SAMPLE_RAW | (ordered ? PERF_SAMPLE_TIME : 0));
	fake->ring.perf = &fake->perf;
	fake->ring.next = ebpf_perf_next_plain;
}

static void fake_close(struct fake *fake)
{
	free(fake->perf.joined);
}

static void put(struct fake *fake, int cpu, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)fake->data[cpu])[(fake->head[cpu] + i) % SIZE] = ((const uint8_t *)bytes)[i];
	fake->head[cpu] += size;
}

/* A sample of `size` bytes that begin with `value`, filled up as the kernel does it. */
static void put_sample(struct fake *fake, int cpu, uint64_t time, uint32_t value, uint32_t size)
{
	uint8_t record[SIZE] = { 0 };
	uint32_t start = fake->perf.ordered ? 16 : 8, raw = ((size + 4 + 7) & ~7U) - 4;
	struct perf_event_header header = { .type = PERF_RECORD_SAMPLE, .size = (uint16_t)(start + 4 + raw) };

	memcpy(record, &header, 8);
	memcpy(record + 8, &time, 8);
	memcpy(record + start, &raw, 4);
	memcpy(record + start + 4, &value, size < 4 ? size : 4);
	put(fake, cpu, record, header.size);
}

static void put_lost(struct fake *fake, int cpu, uint64_t lost)
{
	uint64_t record[3] = { 0, 77, lost };
	struct perf_event_header header = { .type = PERF_RECORD_LOST, .size = 24 };

	memcpy(record, &header, 8);
	put(fake, cpu, record, 24);
}

/* The record's first 4 bytes, or what ebpf_ring_next said. */
static int64_t next(struct fake *fake)
{
	const void *data;
	uint32_t value = 0;
	size_t size;
	int ret = ebpf_ring_next(&fake->ring, &data, &size);

	if (ret > 0)
		memcpy(&value, data, 4);
	return ret > 0 ? (int64_t)value : ret < 0 ? ret : -1;
}

static void test_wrapping(void)
{
	/* at each place of the ring, also where positions overflow what they count */
	for (uint64_t start = 0; start < 2 * SIZE; start += 8) {
		struct fake fake;

		fake_open(&fake, start > SIZE ? UINT64_MAX - SIZE + 1 + start - SIZE - 8 + 8 : start, false);
		for (uint32_t i = 1; i < 40; i++) {
			put_sample(&fake, 1, 0, i, 4 + i % 60);
			CHECK_INT(next(&fake), i);
			CHECK_INT(next(&fake), -1);
			CHECK(fake.tail[1] != fake.head[1]);
			ebpf_ring_release(&fake.ring);
			CHECK(fake.tail[1] == fake.head[1]);
		}
		CHECK_INT(ebpf_ring_cpu(&fake.ring), 1);
		CHECK_INT(ebpf_ring_available(&fake.ring), 0);
		fake_close(&fake);
	}
}

static void test_lost(void)
{
	struct fake fake;
	int cpu = -1;

	fake_open(&fake, 0, false);
	put_lost(&fake, 0, 3);
	put_sample(&fake, 0, 0, 9, 4);
	put_lost(&fake, 2, 5);
	CHECK_INT(ebpf_ring_lost(&fake.ring), 0);
	CHECK_INT(next(&fake), 9);
	CHECK_INT(ebpf_ring_lost(&fake.ring), 3);
	CHECK_INT(next(&fake), -1);
	CHECK_INT(ebpf_ring_lost(&fake.ring), 8);
	CHECK_INT(ebpf_ring_take_lost(&fake.ring, &cpu), 3);
	CHECK_INT(cpu, 0);
	CHECK_INT(ebpf_ring_take_lost(&fake.ring, &cpu), 5);
	CHECK_INT(cpu, 2);
	CHECK_INT(ebpf_ring_take_lost(&fake.ring, &cpu), 0);
	CHECK_INT(ebpf_ring_lost(&fake.ring), 8);
	fake_close(&fake);
}

static int count_record(void *context, const void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(int *)context;
	return 0;
}

static void test_turns(void)
{
	struct fake fake;
	int count = 0;

	/* A ring that is filled again and again has its turn for a lap, then the others have theirs. */
	fake_open(&fake, 0, false);
	put_sample(&fake, 2, 0, 1000, 4);
	for (uint32_t i = 0; i < 1000; i++) {
		int64_t value;

		put_sample(&fake, 0, 0, i, 4);
		value = next(&fake);
		ebpf_ring_release(&fake.ring);
		if (value == 1000)
			break;
		count++;
	}
	CHECK(count > 1 && count < 40);
	fake_close(&fake);

	fake_open(&fake, 0, false);
	for (uint32_t i = 0; i < 9; i++)
		put_sample(&fake, (int)i % CPUS, 0, i, 4);
	count = 0;
	CHECK_INT(ebpf_ring_consume(&fake.ring, count_record, &count, 5), 5);
	CHECK_INT(ebpf_ring_consume(&fake.ring, count_record, &count, 0), 4);
	CHECK_INT(count, 9);
	for (int i = 0; i < CPUS; i++)
		CHECK(fake.tail[i] == fake.head[i]);
	fake_close(&fake);
}

struct seen {
	const struct ebpf_ring *ring;
	uint64_t values[CPUS][SIZE];
	int counts[CPUS];
};

static int see(void *context, const void *data, size_t size)
{
	struct seen *seen = context;
	uint32_t value = 0;
	int cpu = ebpf_ring_cpu(seen->ring);

	memcpy(&value, data, size < 4 ? size : 4);
	seen->values[cpu][seen->counts[cpu]++] = (uint64_t)value << 32 | size;
	return 0;
}

/* ebpf_ring_consume, with any limits, sees what ebpf_ring_next does: of each CPU the same records in the same order, lost ones counted. */
static void test_consume(void)
{
	srand(7);
	for (int round = 0; round < 3000; round++) {
		uint64_t start = round % 3 ? (uint64_t)(rand() % 64) * 8 : UINT64_MAX - 127;
		struct fake one, other;
		struct seen all = { .ring = &one.ring }, parts = { .ring = &other.ring };
		const void *data;
		size_t size;

		fake_open(&one, start, false);
		fake_open(&other, start, false);
		for (uint32_t times = 0; times < 3; times++) {
			for (uint32_t i = 0; i < 12; i++) {
				int cpu = rand() % CPUS;
				uint32_t bytes = 4 + (uint32_t)rand() % 40;

				if (one.head[cpu] - one.tail[cpu] + bytes + 24 > SIZE)
					continue;
				if (rand() % 8) {
					put_sample(&one, cpu, 0, times * 100 + i, bytes);
					put_sample(&other, cpu, 0, times * 100 + i, bytes);
				} else {
					put_lost(&one, cpu, bytes);
					put_lost(&other, cpu, bytes);
				}
			}
			while (ebpf_ring_next(&one.ring, &data, &size) > 0)
				see(&all, data, size);
			ebpf_ring_release(&one.ring);
			while (ebpf_ring_consume(&other.ring, see, &parts, 1 + (uint64_t)rand() % 9) > 0)
				;
			CHECK(!memcmp(one.tail, other.tail, sizeof(one.tail)));
		}
		CHECK(!memcmp(parts.counts, all.counts, sizeof(all.counts)));
		CHECK(!memcmp(parts.values, all.values, sizeof(all.values)));
		CHECK_INT(ebpf_ring_lost(&other.ring), ebpf_ring_lost(&one.ring));
		fake_close(&one);
		fake_close(&other);
	}
}

static void test_order(void)
{
	struct fake fake;

	fake_open(&fake, 0, true);
	put_sample(&fake, 0, 20, 2, 4);
	put_sample(&fake, 0, 50, 5, 4);
	put_lost(&fake, 1, 1);
	put_sample(&fake, 1, 30, 3, 4);
	put_sample(&fake, 2, 10, 1, 4);
	put_sample(&fake, 2, 40, 4, 4);
	for (int i = 1; i <= 5; i++) {
		CHECK_INT(next(&fake), i);
		CHECK_INT(ebpf_ring_time(&fake.ring), 10 * (unsigned)i);
	}
	CHECK_INT(next(&fake), -1);
	fake_close(&fake);
}

struct told {
	uint32_t types[8];
	int cpus[8], count;
	size_t size;
};

static void tell_other(void *context, int cpu, const void *record, size_t size)
{
	struct told *told = context;

	told->types[told->count % 8] = ((const struct perf_event_header *)record)->type;
	told->cpus[told->count % 8] = cpu;
	told->size = size;
	told->count++;
}

static void put_other(struct fake *fake, int cpu, uint32_t type, uint16_t size)
{
	uint8_t record[SIZE] = { 0 };
	struct perf_event_header header = { .type = type, .size = size };

	memcpy(record, &header, 8);
	put(fake, cpu, record, size);
}

/* Records that are no samples are told of in their place, counted, and wake whoever wants to be told. */
static void test_others(void)
{
	struct told told = { .count = 0 };
	struct fake fake;

	fake_open(&fake, SIZE - 32, false); /* one is cut by the end */
	put_sample(&fake, 0, 0, 1, 4);
	put_other(&fake, 0, PERF_RECORD_COMM, 40);
	CHECK_INT(next(&fake), 1);
	CHECK(!ebpf_perf_is_ready(&fake.ring));
	CHECK_INT(ebpf_ring_others(&fake.ring), 1);
	fake.perf.other = tell_other;
	fake.perf.other_context = &told;
	put_other(&fake, 0, PERF_RECORD_EXIT, 48);
	put_lost(&fake, 2, 3);
	put_other(&fake, 2, PERF_RECORD_FORK, 8);
	CHECK(ebpf_perf_is_ready(&fake.ring));
	CHECK_INT(told.count, 0);
	CHECK_INT(next(&fake), -1);
	CHECK(!ebpf_perf_is_ready(&fake.ring));
	CHECK_INT(told.count, 2);
	CHECK(told.types[0] == PERF_RECORD_EXIT && told.types[1] == PERF_RECORD_FORK && told.cpus[1] == 2 && told.size == 8);
	CHECK_INT(ebpf_ring_others(&fake.ring), 3);
	CHECK_INT(ebpf_ring_lost(&fake.ring), 3);
	/* a full turn of them, and the next ring has its own */
	for (int i = 0; i < 4; i++)
		put_other(&fake, 0, PERF_RECORD_COMM, 64);
	put_sample(&fake, 1, 0, 7, 4);
	CHECK_INT(next(&fake), 7);
	fake_close(&fake);
}

/* Each part where perf_event_open(2) says that it is, in any combination. */
static void test_sample(void)
{
	static const uint64_t all[] = { PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP, PERF_SAMPLE_TID, PERF_SAMPLE_TIME, PERF_SAMPLE_ADDR, PERF_SAMPLE_ID,
					PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_CPU, PERF_SAMPLE_PERIOD, PERF_SAMPLE_CALLCHAIN };

	for (uint32_t set = 0; set < 1U << 10; set++) {
		struct ebpf_sample sample = { .size = sizeof(sample) };
		uint64_t record[32] = { 0 }, type = PERF_SAMPLE_RAW, words = 1;
		struct perf_event_header header = { .type = PERF_RECORD_SAMPLE };
		uint32_t raw[] = { 4, 1000 + set };
		struct fake fake;

		for (uint64_t i = 0; i < 10; i++) {
			if (!(set & 1U << i))
				continue;
			type |= all[i];
			record[words++] = i == 9 ? 2 : (i + 1) << 32 | (i + 101);
			if (i == 9) {
				record[words++] = 0xaaaa;
				record[words++] = 0xbbbb;
			}
		}
		memcpy(&record[words++], raw, 8);
		record[words++] = 77; /* behind it: of some part that is not read */
		header.size = (uint16_t)(words * 8);
		memcpy(record, &header, 8);
		fake_open(&fake, set * 8, false);
		ebpf_perf_set_format(&fake.perf, type);
		CHECK(!ebpf_ring_sample(&fake.ring, &sample));
		put(&fake, 1, record, header.size);
		CHECK_INT(next(&fake), 1000 + set);
		CHECK(ebpf_ring_sample(&fake.ring, &sample));
		CHECK(sample.parts == type && sample.rest_size == 8 && *(const uint64_t *)sample.rest == 77);
		CHECK(sample.id == (set & 1 << 5 ? 6ULL << 32 | 106 : set & 1 ? 1ULL << 32 | 101 : 0));
		CHECK(sample.ip == (set & 1 << 1 ? 2ULL << 32 | 102 : 0));
		CHECK(!(set & 1 << 2) || (sample.pid == (htole32(1) == 1 ? 103 : 3) && sample.tid == (htole32(1) == 1 ? 3 : 103)));
		CHECK(sample.time == (set & 1 << 3 ? 4ULL << 32 | 104 : 0) && ebpf_ring_time(&fake.ring) == sample.time);
		CHECK(sample.addr == (set & 1 << 4 ? 5ULL << 32 | 105 : 0));
		CHECK(sample.stream_id == (set & 1 << 6 ? 7ULL << 32 | 107 : 0));
		CHECK(!(set & 1 << 7) || sample.cpu == (htole32(1) == 1 ? 108 : 8));
		CHECK(sample.period == (set & 1 << 8 ? 9ULL << 32 | 109 : 0));
		CHECK(sample.callchain_count == (set & 1 << 9 ? 2 : 0));
		CHECK(!(set & 1 << 9) || (sample.callchain[0] == 0xaaaa && sample.callchain[1] == 0xbbbb));
		ebpf_ring_release(&fake.ring);
		CHECK(!ebpf_ring_sample(&fake.ring, &sample));
		/* a caller that knows less of the struct */
		sample = (struct ebpf_sample){ .size = offsetof(struct ebpf_sample, ip), .ip = 5 };
		put(&fake, 1, record, header.size);
		CHECK_INT(next(&fake), 1000 + set);
		CHECK(ebpf_ring_sample(&fake.ring, &sample) && sample.parts == type && sample.ip == 5);
		fake_close(&fake);
	}
}

/* Bytes that are no records end in an error or are stepped over, and the ring can be read on. */
static void test_hostile(void)
{
	struct told told = { .count = 0 };

	srand(1);
	for (int round = 0; round < 20000; round++) {
		struct fake fake;
		bool overwrite = round % 5 == 0;

		fake_open(&fake, (uint64_t)rand() << 3, round % 2 && !overwrite);
		for (int cpu = 0; cpu < CPUS; cpu++) {
			for (size_t i = 0; i < SIZE / 8; i++)
				fake.data[cpu][i] = (uint64_t)rand() << 32 ^ (uint64_t)rand();
			for (int i = 0; i < 3; i++) {
				struct perf_event_header header = { .type = rand() % 12, .size = (uint16_t)(rand() % 300) };

				memcpy(&fake.data[cpu][rand() % (SIZE / 8)], &header, sizeof(header));
			}
			fake.head[cpu] += ((uint64_t)rand() % (3 * SIZE)) & (rand() % 2 ? ~7ULL : ~0ULL);
			fake.cpus[cpu].known = fake.head[cpu];
			if (overwrite)
				fake.cpus[cpu].tail = NULL;
		}
		fake.perf.overwrite = fake.perf.paused = overwrite;
		if (round % 3 == 0)
			fake.perf.other = tell_other;
		fake.perf.other_context = &told;
		ebpf_perf_set_format(&fake.perf, fake.perf.attr.sample_type | (uint64_t)(rand() & 0x3ffff & ~PERF_SAMPLE_READ));
		for (int i = 0; i < 200; i++) {
			struct ebpf_sample sample = { .size = sizeof(sample) };
			const void *data;
			size_t size;
			volatile uint8_t sum = 0;

			if (i % 7 == 0)
				ebpf_perf_is_ready(&fake.ring);
			if (ebpf_ring_sample(&fake.ring, &sample)) {
				for (size_t at = 0; at < sample.rest_size; at++)
					sum += ((const uint8_t *)sample.rest)[at];
				for (uint64_t at = 0; at < sample.callchain_count; at++)
					sum += (uint8_t)sample.callchain[at];
			}

			if (ebpf_ring_next(&fake.ring, &data, &size) == 1)
				for (size_t at = 0; at < size; at++)
					sum += ((const uint8_t *)data)[at];
		}
		ebpf_ring_release(&fake.ring);
		fake_close(&fake);
	}
}

/* -- the kernel's -- */

static struct ebpf_map *make_map(void)
{
	struct ebpf_map_spec spec = { .name = (char *)"perf", .type = BPF_MAP_TYPE_PERF_EVENT_ARRAY };
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &err));
	return map;
}

/* An own attr: what samples carry, records of other kinds, and what it must not ask for. */
static void test_attr(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_BPF_OUTPUT, .sample_period = 3, .comm = 1,
					.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_TID | PERF_SAMPLE_CPU | PERF_SAMPLE_IDENTIFIER |
						       PERF_SAMPLE_CALLCHAIN };
	struct told told = { .count = 0 };
	struct ebpf_perf_options options = { .size = sizeof(options), .attr = &attr, .ordered = true, .other = tell_other, .other_context = &told };
	struct ebpf_map *map = make_map();
	struct ebpf_ring *ring = NULL;
	int writer = perf_program_load(ebpf_map_fd(map));
	struct ebpf_sample sample = { .size = sizeof(sample) };
	const void *data;
	size_t size;

	OK(ebpf_ring_open_perf(map, &options, &ring, &err));
	CHECK_INT(perf_program_run(writer, 0, 11), 0);
	prctl(PR_SET_NAME, "renamed");
	CHECK_INT(ebpf_ring_wait(ring, 1000, &err), 1);
	while (ebpf_ring_next(ring, &data, &size) == 1) {
		CHECK_INT(((const struct perf_program_record *)data)->argument, 11);
		CHECK(ebpf_ring_sample(ring, &sample));
		CHECK(sample.cpu == 0 && sample.id && sample.callchain_count && sample.time == ebpf_ring_time(ring) && sample.time);
		CHECK(sample.parts & PERF_SAMPLE_TIME);
	}
	CHECK(told.count >= 1 && told.types[0] == PERF_RECORD_COMM);
	CHECK_INT(ebpf_ring_others(ring), (unsigned)told.count);
	ebpf_ring_close(ring);
	ring = NULL;
	for (int i = 0; i < 9; i++) {
		struct perf_event_attr bad = attr;
		struct ebpf_perf_options asked = { .size = sizeof(asked), .attr = &bad };

		bad.type = i == 0 ? PERF_TYPE_HARDWARE : bad.type;
		bad.config = i == 1 ? PERF_COUNT_SW_DUMMY : bad.config;
		bad.sample_type = i == 2 ? PERF_SAMPLE_TIME : i == 3 ? PERF_SAMPLE_RAW | PERF_SAMPLE_READ : bad.sample_type;
		bad.disabled = i == 4;
		bad.write_backward = i == 5;
		bad.wakeup_events = i == 6;
		asked.wakeup_events = i == 6;
		bad.watermark = i == 7;
		bad.wakeup_watermark = 1 << 20;
		bad.size = i == 8 ? 16 : bad.size; /* without its sample_type */
		CHECK_INT(ebpf_ring_open_perf(map, &asked, &ring, &err), -EINVAL);
		CHECK(strstr(err.message, i == 7 ? "wakeup_bytes 1048576 must be below" : "attr: "));
		ebpf_error_clear(&err);
	}
	CHECK(!ring);
	close(writer);
	ebpf_map_close(map);
}

static void test_records(bool ordered)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .ordered = ordered };
	struct ebpf_map *map = make_map();
	struct ebpf_ring *ring = NULL;
	uint32_t cpus = (uint32_t)ebpf_kernel_cpu_count(kernel, NULL), written = 0, read = 0, seen[256] = { 0 };
	int writer = perf_program_load(ebpf_map_fd(map));
	const void *data;
	uint64_t last = 0;
	size_t size;

	OK(ebpf_ring_open_perf(map, &options, &ring, &err));
	CHECK_INT(ebpf_ring_wait(ring, 0, &err), 0);
	for (uint32_t i = 0; i < 30; i++)
		written += perf_program_run(writer, i % cpus, i) == 0;
	CHECK(written >= 30 / cpus);
	CHECK_INT(ebpf_ring_wait(ring, 1000, &err), 1);
	while (ebpf_ring_next(ring, &data, &size) == 1) {
		const struct perf_program_record *record = data;

		CHECK(size >= sizeof(*record) && size < sizeof(*record) + 8);
		CHECK_INT(record->cpu, (uint32_t)ebpf_ring_cpu(ring));
		if (ordered)
			CHECK(record->argument >= last || !read);
		last = record->argument;
		seen[record->argument % 256]++;
		CHECK(!ordered || ebpf_ring_time(ring));
		read++;
	}
	CHECK_INT(read, written);
	for (uint32_t i = 0; i < 30; i++)
		CHECK(seen[i] <= 1);
	ebpf_ring_release(ring);
	CHECK_INT(ebpf_ring_lost(ring), 0);
	/* Closed, its CPUs are out of the map: the program finds none. */
	ebpf_ring_close(ring);
	CHECK(perf_program_run(writer, 0, 0) != 0);
	close(writer);
	ebpf_map_close(map);
}

/* A full ring drops, and says how many: read plus lost is what was written. */
static void test_overflow(void)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .buffer_size = 4096 };
	struct ebpf_map *map = make_map();
	struct ebpf_ring *ring = NULL;
	int writer = perf_program_load(ebpf_map_fd(map)), cpu = -1, written = 1000;
	const void *data;
	uint64_t read = 0;
	size_t size;

	OK(ebpf_ring_open_perf(map, &options, &ring, &err));
	CHECK_INT(ebpf_ring_size(ring), 4096 * (unsigned)ring->perf->count);
	for (int i = 0; i < written; i++)
		perf_program_run(writer, 0, (uint64_t)i);
	while (ebpf_ring_next(ring, &data, &size) == 1)
		read++;
	ebpf_ring_release(ring);
	CHECK(read > 50 && read < 200);
	/* the count comes with the next record that fits */
	CHECK(perf_program_run(writer, 0, 0) == 0);
	while (ebpf_ring_next(ring, &data, &size) == 1)
		read++;
	CHECK_INT(read + ebpf_ring_lost(ring), (unsigned)written + 1);
	CHECK(ebpf_ring_take_lost(ring, &cpu) > 0);
	CHECK_INT(cpu, 0);
	ebpf_ring_close(ring);
	close(writer);
	ebpf_map_close(map);
}

/* What a limited reader leaves is reported again, although poll(2) reports a ring once only. */
static void test_left_over(void)
{
	struct ebpf_map *map = make_map();
	struct ebpf_ring *ring = NULL;
	int writer = perf_program_load(ebpf_map_fd(map)), count = 0;

	OK(ebpf_ring_open_perf(map, NULL, &ring, &err));
	for (int i = 0; i < 10; i++)
		perf_program_run(writer, 0, (uint64_t)i);
	for (int i = 1; i <= 5; i++) {
		CHECK_INT(ebpf_ring_wait(ring, 1000, &err), 1);
		CHECK_INT(ebpf_ring_consume(ring, count_record, &count, 2), 2);
		CHECK(ring->perf->woken == (i < 5));
	}
	CHECK_INT(ebpf_ring_wait(ring, 0, &err), 0);
	ebpf_ring_close(ring);
	close(writer);
	ebpf_map_close(map);
}

static void test_overwrite(void)
{
	struct ebpf_perf_options options = { .size = sizeof(options), .buffer_size = 4096, .overwrite = true };
	struct ebpf_map *map = make_map();
	struct ebpf_ring *ring = NULL;
	int writer = perf_program_load(ebpf_map_fd(map));
	const void *data;
	uint32_t expected = 999;
	int read = 0;
	size_t size;

	OK(ebpf_ring_open_perf(map, &options, &ring, &err));
	for (uint32_t i = 0; i < 1000; i++)
		CHECK_INT(perf_program_run(writer, 0, i), 0);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0); /* not while programs write */
	OK(ebpf_ring_pause(ring, &err));
	while (ebpf_ring_next(ring, &data, &size) == 1) {
		CHECK_INT(((const struct perf_program_record *)data)->argument, expected);
		expected--;
		read++;
	}
	CHECK(read > 50 && read < 200);
	OK(ebpf_ring_resume(ring, &err));
	CHECK_INT(perf_program_run(writer, 0, 5000), 0);
	OK(ebpf_ring_pause(ring, &err));
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 1); /* what is new, once */
	CHECK_INT(((const struct perf_program_record *)data)->argument, 5000);
	CHECK_INT(ebpf_ring_next(ring, &data, &size), 0);
	ebpf_ring_close(ring);
	close(writer);
	ebpf_map_close(map);
}

static void test_refusals(void)
{
	struct ebpf_map_spec spec = { .name = (char *)"hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1 };
	struct ebpf_perf_options both = { .size = sizeof(both), .wakeup_bytes = 10, .wakeup_events = 1 },
				 large = { .size = sizeof(large), .buffer_size = 2U << 30 },
				 late = { .size = sizeof(late), .buffer_size = 4096, .wakeup_bytes = 4096 };
	struct ebpf_map *hash = NULL, *map = make_map();
	struct ebpf_ring *ring = NULL;

	OK(ebpf_map_create(kernel, &spec, &hash, &err));
	CHECK_INT(ebpf_ring_open_perf(hash, NULL, &ring, &err), -EINVAL);
	CHECK(strstr(err.message, "'hash' is a map of type hash"));
	CHECK_INT(ebpf_ring_open_perf(map, &both, &ring, &err), -EINVAL);
	CHECK_INT(ebpf_ring_open_perf(map, &large, &ring, &err), -EINVAL);
	CHECK_INT(ebpf_ring_open_perf(map, &late, &ring, &err), -EINVAL);
	CHECK(strstr(err.message, "wakeup_bytes 4096 must be below"));
	ebpf_error_clear(&err);
	CHECK(!ring);
	ebpf_map_close(hash);
	ebpf_map_close(map);
}

/* Each system call fails in turn: nothing is left open. */
static struct ebpf_sys failing;
static int calls_left;

static bool fails(void)
{
	return calls_left-- == 0;
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
	return fails() ? -ENOMEM : ebpf_sys_linux.epoll_ctl(epoll_fd, operation, fd, event);
}

static int failing_eventfd(unsigned value, int flags)
{
	return fails() ? -EMFILE : ebpf_sys_linux.eventfd(value, flags);
}

static int failing_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return command == BPF_MAP_UPDATE_ELEM && fails() ? -ENOMEM : ebpf_sys_linux.bpf(command, attr, size);
}

static void test_failing_calls(void)
{
	struct ebpf_kernel *real = kernel;
	int before = open_fds(), rounds = 0, ret;

	failing = ebpf_sys_linux;
	failing.perf_event_open = failing_perf_event_open;
	failing.mmap = failing_mmap;
	failing.epoll_create = failing_epoll_create;
	failing.epoll_ctl = failing_epoll_ctl;
	failing.eventfd = failing_eventfd;
	failing.bpf = failing_bpf;
	calls_left = 1 << 30;
	kernel = ebpf_kernel_new_with(&failing, &err);
	do {
		struct ebpf_map *map = make_map();
		struct ebpf_ring *ring = NULL;

		calls_left = rounds++;
		ret = ebpf_ring_open_perf(map, NULL, &ring, &err);
		CHECK(ret == 0 || (err.code && strstr(err.message, "perf")));
		calls_left = 1 << 30;
		ebpf_error_clear(&err);
		ebpf_ring_close(ring);
		ebpf_map_close(map);
		CHECK_INT(open_fds(), before);
	} while (ret < 0 && rounds < 100);
	CHECK(rounds > 5);
	ebpf_kernel_free(kernel);
	kernel = real;
}

int main(void)
{
	int before;

	test_wrapping();
	test_lost();
	test_turns();
	test_consume();
	test_order();
	test_others();
	test_sample();
	test_hostile();
	if (geteuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&err);
	ebpf_kernel_cpu_count(kernel, NULL);
	before = open_fds();
	test_records(false);
	test_records(true);
	test_attr();
	test_overflow();
	test_left_over();
	test_overwrite();
	test_refusals();
	test_failing_calls();
	CHECK_INT(open_fds(), before);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
