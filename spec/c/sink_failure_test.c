/* sink_failure_test.c -- sinks of which any allocation may fail: an error that says so, or a record that is counted as refused; nothing is left behind. */
#include <errno.h>
#include <stdlib.h>

#include "failing_malloc.h"
#include "sink_record.h"
#include "test.h"

#ifdef SANITIZED
int main(void)
{
	if (TEST_RESULT())
		return 1;
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
static ssize_t swallow(int fd, const void *data, size_t size)
{
	(void)fd;
	(void)data;
	return (ssize_t)size;
}

static void feed_all(struct ebpf_sink *sink)
{
	struct sink_record record = sink_record_one();
	struct ebpf_sink_totals totals;

	for (uint32_t i = 0; i < 200; i++) {
		record.pid = i;
		ebpf_sink_feed(sink, &record, sizeof(record));
	}
	ebpf_sink_flush(sink, NULL);
	ebpf_sink_totals(sink, &totals);
	CHECK_INT(totals.passed + totals.refused, 200);
}

static int groups(const struct ebpf_layout *layout, struct ebpf_error *err)
{
	const char *by[] = { "pid", "comm" };
	const struct ebpf_condition where[] = { { .test = EBPF_TEST_EQ, .field = "comm", .value = { .kind = EBPF_DATUM_BYTES, .text = "bash", .size = 4 } } };
	const struct ebpf_sink_column columns[] = { { .function = EBPF_SINK_COUNT }, { .function = EBPF_SINK_HIST, .field = "delta" } };
	const struct ebpf_sink_options options = { .size = sizeof(options), .by = by, .by_count = 2, .columns = columns, .column_count = 2,
						   .where = where, .where_count = 1 };
	struct ebpf_sink *sink = NULL;
	int ret = ebpf_sink_new_groups(layout, &options, &sink, err);

	if (!ret)
		feed_all(sink);
	ebpf_sink_free(sink);
	return ret;
}

static int lines(const struct ebpf_layout *layout, enum ebpf_sink_format format, struct ebpf_error *err)
{
	const struct ebpf_writer_options options = { .size = sizeof(options), .format = format, .fd = 1 };
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_sink *sink = NULL;
	int ret;

	sys.write_quietly = swallow;
	ret = ebpf_sink_new_writer_with(&sys, layout, &options, &sink, err);
	if (!ret)
		feed_all(sink);
	ebpf_sink_free(sink);
	return ret;
}

int main(void)
{
	struct ebpf_error err = { 0 };
	struct ebpf_layout *layout = sink_record_layout(&err);
	long attempt = 0, before = live;
	int code;

	do {
		failed_allocation = false;
		fail_allocation = ++attempt;
		code = groups(layout, &err);
		if (!code)
			code = lines(layout, EBPF_SINK_JSON, &err);
		if (!code)
			code = lines(layout, EBPF_SINK_CSV, &err);
		fail_allocation = 0;
		CHECK(code == 0 || code == -ENOMEM);
		if (code < 0)
			CHECK_STR(err.message, "out of memory");
		ebpf_error_clear(&err);
		CHECK_INT(live, before);
	} while (failed_allocation && attempt < 10000 && !test_failures);
	CHECK(attempt > 30);
	ebpf_layout_free(layout);
	return TEST_RESULT();
}
#endif
