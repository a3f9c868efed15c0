/* sink_test.c -- filters, groups and lines, on records made by hand. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink_record.h"
#include "test.h"

static struct ebpf_error err;
static struct ebpf_layout *layout;
static bool swapped; /* layout and records are of the other byte order */

static void feed(struct ebpf_sink *sink, const struct sink_record *record, size_t size)
{
	struct sink_record other = sink_record_swapped(record);

	ebpf_sink_feed(sink, swapped ? &other : record, size);
}

#define NUMBER(value) { .kind = EBPF_DATUM_INT, .number = (value) }
#define TEXT(value) { .kind = EBPF_DATUM_BYTES, .text = (value), .size = sizeof(value) - 1 }
#define REAL(value) { .kind = EBPF_DATUM_REAL, .real = (value) }

/* -- filters -- */

static int holds_size(const struct ebpf_condition *conditions, size_t count, const void *data, size_t size)
{
	struct ebpf_filter *filter;
	int ret = ebpf_filter_new(layout, conditions, count, &filter, &err);

	if (ret < 0)
		return ret;
	ret = ebpf_filter_holds(filter, data, size);
	ebpf_filter_free(filter);
	return ret;
}

static int holds(const struct ebpf_condition *conditions, size_t count)
{
	struct sink_record record = sink_record_one(), other = sink_record_swapped(&record);

	return holds_size(conditions, count, swapped ? &other : &record, sizeof(record));
}

#define TEST(test_, field_, ...) holds(&(struct ebpf_condition){ .test = EBPF_TEST_##test_, .field = (field_), .value = __VA_ARGS__ }, 1)

static void test_values(void)
{
	CHECK_INT(TEST(EQ, "pid", NUMBER(10)), 1);
	CHECK_INT(TEST(NE, "pid", NUMBER(10)), 0);
	CHECK_INT(TEST(LT, "delta", NUMBER(-2)), 1);
	CHECK_INT(TEST(LE, "delta", NUMBER(-4)), 0);
	CHECK_INT(TEST(GT, "kind", NUMBER(199)), 1);
	CHECK_INT(TEST(GE, "pid", NUMBER(-1)), 1);
	CHECK_INT(TEST(GT, "bytes", NUMBER(1)), 1); /* without a sign */
	CHECK_INT(TEST(EQ, "bytes", NUMBER(-2)), 1);
	CHECK_INT(TEST(BITS, "kind", NUMBER(0x40)), 1);
	CHECK_INT(TEST(BITS, "kind", NUMBER(0x37)), 0);
	CHECK_INT(TEST(EQ, "last", { .kind = EBPF_DATUM_BOOL, .number = 1 }), 1);
	CHECK_INT(TEST(EQ, "low", NUMBER(5)), 1);
	CHECK_INT(TEST(EQ, "high", NUMBER(-2)), 1);
	CHECK_INT(TEST(EQ, "color", TEXT("BLUE")), 1);
	CHECK_INT(TEST(EQ, "color", NUMBER(1)), 0);
	CHECK_INT(TEST(EQ, "ratio", REAL(0.5)), 1);
	CHECK_INT(TEST(LT, "big", NUMBER(1)), 1);
	CHECK_INT(TEST(LT, "big", REAL(NAN)), 0);
	CHECK_INT(TEST(NE, "big", REAL(NAN)), 1);
	CHECK_INT(TEST(EQ, "pair[2]", NUMBER(8)), 1);
	CHECK_INT(TEST(EQ, "point.x", NUMBER(-1)), 1);
}

static void test_texts(void)
{
	struct sink_record record = sink_record_one();
	const struct ebpf_condition whole = { .test = EBPF_TEST_EQ, .field = "comm", .value = TEXT("12345678") };

	CHECK_INT(TEST(EQ, "comm", TEXT("bash")), 1);
	CHECK_INT(TEST(EQ, "comm", TEXT("bas")), 0);
	CHECK_INT(TEST(LT, "comm", TEXT("bat")), 1);
	CHECK_INT(TEST(GT, "comm", TEXT("bas")), 1);
	CHECK_INT(TEST(PREFIX, "comm", TEXT("ba")), 1);
	CHECK_INT(TEST(PREFIX, "comm", TEXT("bashful")), 0);
	CHECK_INT(TEST(FIND, "comm", TEXT("as")), 1);
	CHECK_INT(TEST(FIND, "comm", TEXT("sa")), 0);
	CHECK_INT(TEST(EQ, "tail", TEXT("")), 1);
	CHECK_INT(TEST(PREFIX, "wide", TEXT("\1\2")), 1);
	memcpy(record.comm, "12345678", 8);
	CHECK_INT(holds_size(&whole, 1, &record, sizeof(record)), 1);
}

static void test_ends(void)
{
	uint8_t bytes[sizeof(struct sink_record) + 3];
	struct sink_record record = sink_record_one();
	const struct ebpf_condition tail = { .test = EBPF_TEST_EQ, .field = "tail", .value = TEXT("abc") };
	const struct ebpf_condition comm = { .test = EBPF_TEST_EQ, .field = "comm", .value = TEXT("ba") };
	const struct ebpf_condition bytes_field = { .test = EBPF_TEST_NE, .field = "bytes", .value = NUMBER(0) };

	memcpy(bytes, &record, sizeof(record));
	memcpy(bytes + sizeof(record), "abc", 3);
	CHECK_INT(holds_size(&tail, 1, bytes, sizeof(bytes)), 1);
	CHECK_INT(holds_size(&tail, 1, bytes, sizeof(bytes) - 1), 0);
	CHECK_INT(holds_size(&comm, 1, bytes, 18), 1); /* a string ends where the record does */
	CHECK_INT(holds_size(&comm, 1, bytes, 15), 0);
	CHECK_INT(holds_size(&bytes_field, 1, bytes, 16), 1);
	CHECK_INT(holds_size(&bytes_field, 1, bytes, 15), 0);
	CHECK_INT(holds_size(NULL, 0, bytes, 0), 1);
}

static void test_groups_of_conditions(void)
{
	const struct ebpf_condition yes = { .test = EBPF_TEST_EQ, .field = "pid", .value = NUMBER(10) };
	const struct ebpf_condition no = { .test = EBPF_TEST_EQ, .field = "pid", .value = NUMBER(11) };
#define GROUP(test_, count_) { .test = EBPF_TEST_##test_, .count = (count_) }

	CHECK_INT(holds((struct ebpf_condition[]){ yes, no }, 2), 0);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 2), no, yes }, 3), 1);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 2), no, no }, 3), 0);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(NONE, 2), no, no, yes }, 4), 1);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(NONE, 2), no, yes }, 3), 0);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 0) }, 1), 0);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ALL, 0), yes }, 2), 1);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 2), GROUP(ALL, 2), yes, no, GROUP(NONE, 1), no, yes }, 7), 1);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 2), GROUP(ALL, 2), yes, no, GROUP(NONE, 1), yes, yes }, 7), 0);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 2), yes }, 2), -EINVAL);
	CHECK_INT(holds((struct ebpf_condition[]){ GROUP(ANY, 100), yes }, 2), -EINVAL);
	struct ebpf_condition deep[20];

	for (int i = 0; i < 20; i++)
		deep[i] = (struct ebpf_condition)GROUP(ALL, i < 19);
	CHECK_INT(holds(deep, 20), -E2BIG);
	CHECK_INT(holds(deep + 10, 10), 1);
}

static void refused(int code, int expected, const char *message)
{
	CHECK_INT(code, expected);
	if (!strstr(err.message, message))
		CHECK_STR(err.message, message);
	ebpf_error_clear(&err);
}

static void test_refusals(void)
{
	refused(TEST(EQ, "pidd", NUMBER(1)), -ENOENT, "struct record has no field 'pidd'");
	TEST(EQ, "pidd", NUMBER(1));
	CHECK_STR(err.hint, "did you mean 'pid'?");
	refused(TEST(EQ, "point.z", NUMBER(1)), -ENOENT, "struct point has no field 'z'");
	refused(TEST(EQ, "pid.x", NUMBER(1)), -ENOENT, "u32 has no field 'x'");
	refused(TEST(EQ, "pid[1]", NUMBER(1)), -EINVAL, "is no array");
	refused(TEST(EQ, "pair[3]", NUMBER(1)), -ENOENT, "there are 2 elements");
	refused(TEST(EQ, "pair[0]", NUMBER(1)), -EINVAL, "a number from 1");
	refused(TEST(EQ, "pair[1", NUMBER(1)), -EINVAL, "a number from 1");
	refused(TEST(EQ, "pair", NUMBER(1)), -EINVAL, "cannot be compared");
	refused(TEST(EQ, "", NUMBER(1)), -ENOENT, "has no field ''");
	refused(TEST(EQ, "pid", TEXT("x")), -EINVAL, "an integer is needed");
	refused(TEST(EQ, "pid", REAL(1.5)), -EINVAL, "an integer is needed");
	refused(TEST(EQ, "big", TEXT("x")), -EINVAL, "a number is needed");
	refused(TEST(EQ, "comm", NUMBER(1)), -EINVAL, "a string is needed");
	refused(TEST(EQ, "color", TEXT("PINK")), -ENOENT, "enum color has no enumerator 'PINK'");
	refused(TEST(BITS, "comm", TEXT("x")), -EINVAL, "only integers have bits");
	refused(TEST(BITS, "big", NUMBER(1)), -EINVAL, "floats can only be compared");
	refused(TEST(PREFIX, "pid", NUMBER(1)), -EINVAL, "only strings");
	refused(holds(&(struct ebpf_condition){ .test = 99 }, 1), -EINVAL, "there is no test 99");
}

/* -- groups -- */

static int64_t number_of(const struct ebpf_sink *sink, size_t group, size_t column)
{
	struct ebpf_datum datum;

	ebpf_sink_value(sink, group, column, &datum);
	return datum.kind == EBPF_DATUM_REAL ? (int64_t)(datum.real * 1000) : datum.number;
}

static void test_columns(void)
{
	const char *by[] = { "comm", "last" };
	const struct ebpf_sink_column columns[] = {
		{ .function = EBPF_SINK_COUNT }, { .function = EBPF_SINK_SUM, .field = "pid" }, { .function = EBPF_SINK_MIN, .field = "delta" },
		{ .function = EBPF_SINK_MAX, .field = "bytes" }, { .function = EBPF_SINK_AVG, .field = "ratio" },
		{ .function = EBPF_SINK_LAST, .field = "comm" }, { .function = EBPF_SINK_MIN, .field = "big" }, { .function = EBPF_SINK_LAST, .field = "color" },
	};
	const struct ebpf_sink_options options = { .size = sizeof(options), .by = by, .by_count = 2, .columns = columns, .column_count = 8,
						   .limit = 2, .enum_names = true };
	struct sink_record record = sink_record_one();
	struct ebpf_sink_totals totals;
	struct ebpf_datum datum;
	struct ebpf_sink *sink = NULL;

	CHECK_INT(ebpf_sink_new_groups(layout, &options, &sink, &err), 0);
	CHECK_STR(err.message, "");
	feed(sink, &record, sizeof(record));
	record.pid = 5;
	record.delta = -9;
	record.bytes = 3;
	record.ratio = 1.5F;
	record.big = -0.5;
	record.comm[5] = 'x'; /* behind its NUL: no part of the key */
	record.color = 1;
	feed(sink, &record, sizeof(record));
	memcpy(record.comm, "12345678", 8);
	feed(sink, &record, sizeof(record));
	record.comm[0] = 'z';
	feed(sink, &record, sizeof(record)); /* a third group */
	feed(sink, &record, 47);             /* too short for `big` */
	CHECK_INT(ebpf_sink_count(sink), 2);
	CHECK_INT(number_of(sink, 0, 0), 2);
	CHECK_INT(number_of(sink, 0, 1), 15);
	CHECK_INT(number_of(sink, 0, 2), -9);
	CHECK_INT(number_of(sink, 0, 3), -2);
	CHECK_INT(number_of(sink, 0, 4), 1000);
	CHECK_INT(number_of(sink, 0, 6), -500);
	ebpf_sink_value(sink, 0, 7, &datum);
	CHECK(datum.kind == EBPF_DATUM_BYTES && datum.size == 3 && !memcmp(datum.text, "RED", 3));
	ebpf_sink_key(sink, 1, 0, &datum);
	CHECK(datum.kind == EBPF_DATUM_BYTES && datum.size == 8 && !memcmp(datum.text, "12345678", 8));
	ebpf_sink_key(sink, 1, 1, &datum);
	CHECK(datum.kind == EBPF_DATUM_BOOL && datum.number == 1);
	ebpf_sink_value(sink, 2, 0, &datum);
	CHECK_INT(datum.kind, EBPF_DATUM_NONE);
	ebpf_sink_totals(sink, &totals);
	CHECK_INT(totals.seen, 5);
	CHECK_INT(totals.passed, 3);
	CHECK_INT(totals.refused, 1);
	CHECK_INT(totals.shorter, 1);
	ebpf_sink_clear(sink);
	CHECK_INT(ebpf_sink_count(sink), 0);
	feed(sink, &record, sizeof(record));
	CHECK_INT(number_of(sink, 0, 1), 5);
	ebpf_sink_free(sink);
}

static void test_histograms(void)
{
	const struct ebpf_sink_column columns[] = {
		{ .function = EBPF_SINK_HIST, .field = "delta" }, { .function = EBPF_SINK_HIST, .field = "bytes" },
		{ .function = EBPF_SINK_LINEAR, .field = "delta", .low = -10, .high = 15, .step = 10 },
		{ .function = EBPF_SINK_LINEAR, .field = "bytes", .low = INT64_MIN, .high = INT64_MAX, .step = INT64_MAX },
	};
	const struct ebpf_sink_options options = { .size = sizeof(options), .columns = columns, .column_count = 4 };
	static const int16_t deltas[] = { -1, 0, 1, 2, 3, 4, -11, -10, 14, 15, 10, 32767 };
	struct sink_record record = sink_record_one();
	struct ebpf_sink *sink = NULL;
	int64_t low, high;
	size_t count;

	CHECK_INT(ebpf_sink_new_groups(layout, &options, &sink, &err), 0);
	CHECK_INT(ebpf_sink_count(sink), 1);
	for (size_t i = 0; i < EBPF_COUNT(deltas); i++) {
		record.delta = deltas[i];
		feed(sink, &record, sizeof(record));
	}
	const uint64_t *log = ebpf_sink_buckets(sink, 0, 0, &count);

	CHECK_INT(count, 66);
	CHECK_INT(log[0], 3);
	CHECK_INT(log[1], 1);
	CHECK_INT(log[2], 1);
	CHECK_INT(log[3], 2);
	CHECK_INT(log[4], 1);
	CHECK_INT(log[5], 3);
	CHECK_INT(log[16], 1);
	CHECK_INT(ebpf_sink_buckets(sink, 0, 1, &count)[65], 12); /* 2^64 - 2 */
	ebpf_sink_range(sink, 0, 5, &low, &high);
	CHECK_INT(low, 8);
	CHECK_INT(high, 15);
	ebpf_sink_range(sink, 1, 65, &low, &high);
	CHECK_INT(low, INT64_MIN);
	CHECK_INT(high, -1);
	const uint64_t *steps = ebpf_sink_buckets(sink, 0, 2, &count);

	CHECK_INT(count, 5);
	CHECK_INT(steps[0], 1);
	CHECK_INT(steps[1], 2);
	CHECK_INT(steps[2], 5);
	CHECK_INT(steps[3], 2);
	CHECK_INT(steps[4], 2);
	ebpf_sink_range(sink, 2, 3, &low, &high);
	CHECK_INT(low, 10);
	CHECK_INT(high, 14);
	ebpf_sink_range(sink, 2, 0, &low, &high);
	CHECK_INT(low, INT64_MIN);
	CHECK_INT(high, -11);
	CHECK(!ebpf_sink_buckets(sink, 1, 2, &count));
	CHECK_INT(number_of(sink, 0, 2), 12);
	ebpf_sink_free(sink);
}

static void test_many_groups(void)
{
	const char *by[] = { "pid" };
	const struct ebpf_sink_column columns[] = { { .function = EBPF_SINK_COUNT }, { .function = EBPF_SINK_LAST, .field = "bytes" } };
	const struct ebpf_sink_options options = { .size = sizeof(options), .by = by, .by_count = 1, .columns = columns, .column_count = 2, .limit = 200000 };
	struct sink_record record = sink_record_one();
	struct ebpf_datum datum;
	struct ebpf_sink *sink = NULL;

	CHECK_INT(ebpf_sink_new_groups(layout, &options, &sink, &err), 0);
	for (uint32_t i = 0; i < 300000; i++) {
		record.pid = i % 100000 * 4096;
		record.bytes = i;
		feed(sink, &record, sizeof(record));
	}
	CHECK_INT(ebpf_sink_count(sink), 100000);
	for (uint32_t i = 0; i < 100000; i += 777) {
		ebpf_sink_key(sink, i, 0, &datum);
		CHECK_INT(datum.number, i * 4096LL);
		CHECK_INT(number_of(sink, i, 0), 3);
		CHECK_INT(number_of(sink, i, 1), 200000 + i);
	}
	ebpf_sink_free(sink);
}

static int new_groups(const char *by, struct ebpf_sink_column column)
{
	const struct ebpf_sink_options options = { .size = sizeof(options), .by = &by, .by_count = by != NULL, .columns = &column, .column_count = 1 };
	struct ebpf_sink *sink = NULL;
	int ret = ebpf_sink_new_groups(layout, &options, &sink, &err);

	CHECK(ret < 0 || sink);
	ebpf_sink_free(sink);
	return ret;
}

#define COLUMN(function_, field_, ...) (struct ebpf_sink_column){ .function = EBPF_SINK_##function_, .field = (field_), __VA_ARGS__ }

static void test_group_refusals(void)
{
	refused(new_groups("nothing", COLUMN(COUNT, NULL, 0)), -ENOENT, "no field 'nothing'");
	refused(new_groups("pair", COLUMN(COUNT, NULL, 0)), -EINVAL, "name a part of it");
	refused(new_groups("tail", COLUMN(COUNT, NULL, 0)), -EINVAL, "no fixed size");
	refused(new_groups(NULL, COLUMN(SUM, "comm", 0)), -EINVAL, "is no number");
	refused(new_groups(NULL, COLUMN(SUM, NULL, 0)), -EINVAL, "needs a function and a field");
	refused(new_groups(NULL, COLUMN(HIST, "big", 0)), -EINVAL, "is no integer");
	refused(new_groups(NULL, COLUMN(LINEAR, "pid", .low = 1, .high = 1, .step = 1)), -EINVAL, "low < high");
	refused(new_groups(NULL, COLUMN(LINEAR, "pid", .low = 1, .high = 2, .step = 0)), -EINVAL, "step above zero");
	refused(new_groups(NULL, COLUMN(LINEAR, "pid", .low = 0, .high = 1 << 20, .step = 1)), -E2BIG, "1048576 steps");
	struct ebpf_layout *number = ebpf_layout_from_name("u32", NULL, &err), *saved = layout;

	layout = number;
	refused(new_groups(NULL, COLUMN(COUNT, NULL, 0)), -EINVAL, "(u32) is no struct");
	layout = saved;
	ebpf_layout_free(number);
}

/* -- lines -- */

static char text[1 << 16];

static int read_all(int fd)
{
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	text[size > 0 ? size : 0] = '\0';
	return (int)size;
}

static void write_records(struct ebpf_writer_options options, const char *expected)
{
	struct sink_record record = sink_record_one(), other = sink_record_swapped(&record);
	uint8_t bytes[sizeof(record) + 4];
	int fd = memfd_create("lines", MFD_CLOEXEC);
	struct ebpf_sink *sink = NULL;

	options.size = sizeof(options);
	options.fd = fd;
	CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), 0);
	CHECK_STR(err.message, "");
	if (sink) {
		memcpy(bytes, swapped ? &other : &record, sizeof(record));
		memcpy(bytes + sizeof(record), "\"\n\xff", 4);
		ebpf_sink_feed(sink, bytes, sizeof(bytes));
		feed(sink, &record, sizeof(record));
		feed(sink, &record, sizeof(record) - 1); /* too short */
		CHECK_INT(ebpf_sink_flush(sink, &err), 0);
		read_all(fd);
		CHECK_STR(text, expected);
		ebpf_sink_free(sink);
	}
	close(fd);
}

static void test_lines(void)
{
	const char *some[] = { "pid", "comm", "point", "pair[2]", "tail" }, *flat[] = { "point", "pair", "big", "tail" };

#define FRONT "{\"pid\":10,\"delta\":-3,\"kind\":200,\"last\":true,\"bytes\":18446744073709551614,\"comm\":\"bash\",\"color\":"
#define BACK ",\"low\":5,\"high\":-2,\"ratio\":0.5,\"big\":0.1,\"pair\":[7,8],\"point\":{\"x\":-1,\"y\":2}," \
	     "\"wide\":\"0x00000000000000000000000000000201\",\"tail\":\""
	write_records((struct ebpf_writer_options){ 0 }, FRONT "\"BLUE\"" BACK "\\\"\\n\xef\xbf\xbd\"}\n" FRONT "\"BLUE\"" BACK "\"}\n");
	write_records((struct ebpf_writer_options){ .enum_numbers = true }, FRONT "7" BACK "\\\"\\n\xef\xbf\xbd\"}\n" FRONT "7" BACK "\"}\n");
	write_records((struct ebpf_writer_options){ .fields = some, .field_count = 5 },
		      "{\"pid\":10,\"comm\":\"bash\",\"point\":{\"x\":-1,\"y\":2},\"pair[2]\":8,\"tail\":\"\\\"\\n\xef\xbf\xbd\"}\n"
		      "{\"pid\":10,\"comm\":\"bash\",\"point\":{\"x\":-1,\"y\":2},\"pair[2]\":8,\"tail\":\"\"}\n");
	write_records((struct ebpf_writer_options){ .format = EBPF_SINK_CSV, .fields = flat, .field_count = 4 },
		      "point.x,point.y,pair[1],pair[2],big,tail\r\n-1,2,7,8,0.1,\"\"\"\n\xff\"\r\n-1,2,7,8,0.1,\r\n");
	write_records((struct ebpf_writer_options){ .format = EBPF_SINK_CSV, .fields = some, .field_count = 2, .no_header = true }, "10,bash\r\n10,bash\r\n");
	const struct ebpf_condition never = { .test = EBPF_TEST_EQ, .field = "pid", .value = NUMBER(0) };

	write_records((struct ebpf_writer_options){ .where = &never, .where_count = 1 }, "");
}

/* A pipe that takes no more: nothing is cut in two, what does not fit is counted, and the rest comes when there is room. */
static void test_full_pipe(void)
{
	const char *fields[] = { "pid", "comm" };
	struct ebpf_writer_options options = { .size = sizeof(options), .fields = fields, .field_count = 2 };
	struct sink_record record = sink_record_one();
	struct ebpf_sink_totals totals;
	struct ebpf_sink *sink = NULL;
	uint64_t lines = 0, read_bytes = 0;
	int ends[2];

	CHECK_INT(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	options.fd = ends[1];
	CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), 0);
	for (int i = 0; i < 100000; i++) /* 27 bytes each */
		feed(sink, &record, sizeof(record));
	CHECK_INT(ebpf_sink_flush(sink, &err), -EAGAIN);
	CHECK(strstr(err.message, "cannot write"));
	ebpf_error_clear(&err);
	ebpf_sink_totals(sink, &totals);
	CHECK(totals.refused > 1000 && totals.passed > 20000);
	CHECK_INT(totals.error, EAGAIN);
	for (int ret = -1; ret < 0 || read_bytes < totals.bytes;) {
		ssize_t size = read(ends[0], text, sizeof(text));

		for (ssize_t i = 0; i < size; i++)
			lines += text[i] == '\n';
		read_bytes += size > 0 ? (uint64_t)size : 0;
		ret = ebpf_sink_flush(sink, NULL);
		ebpf_sink_totals(sink, &totals);
	}
	CHECK_INT(lines, totals.passed);
	CHECK_INT(read_bytes, totals.passed * 27 - totals.passed * 2);
	ebpf_sink_free(sink);
	close(ends[0]);
	close(ends[1]);
}

/* A reader that has gone: an error like any other, lines are counted, and the signal that would end the process is not left behind either. */
static void test_reader_gone(int how)
{
	const char *fields[] = { "pid", "comm" };
	struct ebpf_writer_options options = { .size = sizeof(options), .fields = fields, .field_count = 2 };
	struct sink_record record = sink_record_one();
	struct ebpf_sink_totals totals;
	struct ebpf_sink *sink = NULL;
	sigset_t set, old;
	int ends[2];

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(how ? SIG_BLOCK : SIG_UNBLOCK, &set, &old);
	if (how == 2)
		raise(SIGPIPE); /* one that was there before stays */
	CHECK_INT(how ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	options.fd = ends[1];
	CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), 0);
	for (int i = 0; i < 100000; i++)
		ebpf_sink_feed(sink, &record, sizeof(record));
	CHECK_INT(ebpf_sink_flush(sink, &err), -EPIPE);
	CHECK(strstr(err.message, "cannot write") != NULL);
	ebpf_error_clear(&err);
	ebpf_sink_totals(sink, &totals);
	CHECK_INT(totals.error, EPIPE);
	CHECK_INT(totals.bytes, 0);
	CHECK_INT(totals.seen, totals.passed + totals.refused);
	CHECK(totals.refused > 10000);
	ebpf_sink_free(sink);
	close(ends[1]);
	sigpending(&set);
	CHECK_INT(sigismember(&set, SIGPIPE), how == 2);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	CHECK_INT(sigismember(&set, SIGPIPE), how > 0);
	if (how == 2)
		signal(SIGPIPE, SIG_IGN); /* takes it back */
	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void test_files(void)
{
	char path[] = "/tmp/ebpf-sink-XXXXXX";
	const char *fields[] = { "pid" };
	struct ebpf_writer_options options = { .size = sizeof(options), .fields = fields, .field_count = 1, .format = EBPF_SINK_CSV, .path = path };
	struct sink_record record = sink_record_one();
	struct ebpf_sink *sink;
	int fd = mkstemp(path);

	for (int round = 0; round < 3; round++) {
		sink = NULL;
		options.append = round > 0;
		CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), 0);
		feed(sink, &record, sizeof(record));
		ebpf_sink_free(sink); /* writes what it has */
	}
	read_all(fd);
	CHECK_STR(text, "pid\r\n10\r\n10\r\n10\r\n");
	unlink(path);
	close(fd);
	options.path = "/nowhere/at/all";
	refused(ebpf_sink_new_writer(layout, &options, &sink, &err), -ENOENT, "cannot open '/nowhere/at/all'");
	options = (struct ebpf_writer_options){ .size = sizeof(options), .fd = -1, .format = EBPF_SINK_CSV, .fields = (const char *[]){ "zzz" }, .field_count = 1 };
	refused(ebpf_sink_new_writer(layout, &options, &sink, &err), -ENOENT, "no field 'zzz'");
	options.field_count = 0;
	refused(ebpf_sink_new_writer(layout, &options, &sink, &err), -EINVAL, "there is no field to write");
}

static void test_layout(void)
{
	struct ebpf_layout *again = ebpf_layout_ref(layout);

	CHECK(again == layout);
	ebpf_layout_free(again);
	CHECK_INT(ebpf_layout_least(layout), 80);
	CHECK_INT(layout->fields[13].layout->kind, EBPF_VALUE_INT128);
	CHECK(!layout->fields[13].layout->is_signed);
}

/* -- the short way and the general one say the same -- */

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Mostly small, and often an extreme one of some size. */
static uint64_t interesting(void)
{
	static const uint64_t extremes[] = { 0, 1, 127, 128, 255, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX };
	uint64_t random = next_random();

	return random & 1 ? extremes[(random >> 8) % (sizeof(extremes) / sizeof(*extremes))] : random & 2 ? random >> 60 : -(random >> 58);
}

static struct sink_record random_record(void)
{
	struct sink_record record = sink_record_one();

	record.pid = (uint32_t)interesting() & 7;
	record.delta = (int16_t)interesting();
	record.kind = (uint8_t)interesting();
	record.bytes = interesting();
	record.color = (uint32_t)interesting();
	record.pair[1] = (uint32_t)interesting();
	record.point.x = (int32_t)interesting();
	return record;
}

static const char *const int_fields[] = { "pid", "delta", "kind", "bytes", "color", "pair[2]", "point.x" };
enum { INT_FIELDS = sizeof(int_fields) / sizeof(*int_fields) };

static void test_checks_of_filters(void)
{
	for (int round = 0; round < 20000; round++) {
		struct ebpf_condition conditions[] = {
			{ .test = EBPF_TEST_ALL, .count = 2 }, /* a group: not the short way */
			{ .test = (enum ebpf_test)(next_random() % (EBPF_TEST_BITS + 1)), .field = int_fields[next_random() % INT_FIELDS],
			  .value = NUMBER((int64_t)interesting()) },
			{ .test = (enum ebpf_test)(next_random() % (EBPF_TEST_BITS + 1)), .field = int_fields[next_random() % INT_FIELDS],
			  .value = NUMBER((int64_t)interesting()) },
		};
		struct sink_record record = random_record();
		int general = holds_size(conditions, 3, &record, sizeof(record)), fast = holds_size(conditions + 1, 2, &record, sizeof(record));
		size_t cut = next_random() % sizeof(record);

		CHECK_INT(fast, general);
		CHECK_INT(holds_size(conditions + 1, 2, &record, cut), holds_size(conditions, 3, &record, cut));
	}
}

static void test_groups_of_integers(void)
{
	for (size_t keys = 0; keys <= 3; keys++) {
		static const char *const by[] = { "pid", "kind", "delta" };
		struct ebpf_sink_column columns[5 * INT_FIELDS + 2], *column = columns;
		struct ebpf_sink *fast, *general;

		*column++ = (struct ebpf_sink_column){ .function = EBPF_SINK_COUNT };
		for (int i = 0; i < INT_FIELDS; i++)
			for (int function = EBPF_SINK_SUM; function <= EBPF_SINK_LAST; function++)
				if (function != EBPF_SINK_AVG && function != EBPF_SINK_LINEAR)
					*column++ = (struct ebpf_sink_column){ .function = (enum ebpf_sink_function)function, .field = int_fields[i] };
		size_t count = (size_t)(column - columns);

		*column = (struct ebpf_sink_column){ .function = EBPF_SINK_LAST, .field = "comm" }; /* no integer */
		struct ebpf_sink_options options = { .size = sizeof(options), .by = by, .by_count = keys, .columns = columns, .column_count = count };

		CHECK_INT(ebpf_sink_new_groups(layout, &options, &fast, &err), 0);
		options.column_count++;
		CHECK_INT(ebpf_sink_new_groups(layout, &options, &general, &err), 0);
		CHECK(fast->kind != general->kind);
		for (int i = 0; i < 5000; i++) {
			struct sink_record record = random_record();
			size_t size = i % 50 ? sizeof(record) : next_random() % sizeof(record);

			ebpf_sink_feed(fast, &record, size);
			ebpf_sink_feed(general, &record, size);
		}
		CHECK_INT(fast->totals.shorter, general->totals.shorter);
		CHECK_INT(ebpf_sink_count(fast), ebpf_sink_count(general));
		for (size_t group = 0; group < ebpf_sink_count(fast); group++)
			for (size_t at = 0; at < count; at++) {
				const uint64_t *some, *others;
				struct ebpf_datum one, other;
				size_t buckets = 0;

				ebpf_sink_value(fast, group, at, &one);
				ebpf_sink_value(general, group, at, &other);
				CHECK_INT(one.kind, other.kind);
				CHECK_INT(one.number, other.number);
				some = ebpf_sink_buckets(fast, group, at, &buckets);
				others = ebpf_sink_buckets(general, group, at, &buckets);
				CHECK(!some == !others);
				CHECK(!some || !memcmp(some, others, buckets * sizeof(*some)));
			}
		ebpf_sink_free(fast);
		ebpf_sink_free(general);
	}
}

int main(void)
{
	layout = sink_record_layout(&err);
	if (!layout) {
		CHECK_STR(err.message, "");
		return TEST_RESULT();
	}
	test_layout();
	test_values();
	test_checks_of_filters();
	test_groups_of_integers();
	test_texts();
	test_ends();
	test_groups_of_conditions();
	test_refusals();
	test_columns();
	test_histograms();
	test_many_groups();
	test_group_refusals();
	test_lines();
	test_full_pipe();
	for (int how = 0; how < 3; how++)
		test_reader_gone(how);
	test_files();
	ebpf_error_clear(&err);
	ebpf_layout_free(layout);
	swapped = true;
	layout = sink_record_layout_of(true, &err);
	test_values();
	test_columns();
	test_histograms();
	test_many_groups();
	test_lines();
	ebpf_error_clear(&err);
	ebpf_layout_free(layout);
	return TEST_RESULT();
}
