/* sink_fuzz.c -- libFuzzer: any types and any records into filters, groups and lines.
 *
 * The input is: a 16-bit number of bytes of records, those, and BTF. Each struct of the types has a turn; the first byte of the records chooses how they
 * are cut into pieces. */
#include "fuzz.h"
#include "sink/sink.h"

enum { PATHS_MAX = 24, PATH_SIZE = 300 };

static char paths[PATHS_MAX][PATH_SIZE];
static size_t path_count;

static ssize_t swallow(int fd, const void *data, size_t size)
{
	(void)fd;
	(void)data;
	return (ssize_t)size;
}

static bool is_struct(const struct ebpf_layout *layout)
{
	return layout->kind == EBPF_VALUE_STRUCT || layout->kind == EBPF_VALUE_UNION;
}

/* Names of some fields, down to the scalars. */
static void collect(const struct ebpf_layout *layout, const char *name, unsigned depth)
{
	if (path_count == PATHS_MAX || depth > 6)
		return;
	if (layout->kind == EBPF_VALUE_ARRAY) {
		char path[PATH_SIZE];

		if (snprintf(path, sizeof(path), "%s[1]", name) < PATH_SIZE)
			collect(layout->element, path, depth + 1);
	} else if (!is_struct(layout)) {
		snprintf(paths[path_count++], PATH_SIZE, "%s", name);
	}
	for (uint32_t i = 0; is_struct(layout) && i < layout->count; i++) {
		char path[PATH_SIZE];

		if (snprintf(path, sizeof(path), "%s%s%s", name, *name ? "." : "", layout->fields[i].name) < PATH_SIZE)
			collect(layout->fields[i].layout, path, depth + 1);
	}
}

/* Each record is a block of just its size: a step outside is seen. */
static void feed(struct ebpf_sink *sink, const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] + 1 : 1;

	for (size_t at = 0; at <= size; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		uint8_t *record = malloc(length ? length : 1);

		if (!record)
			abort();
		memcpy(record, data + at, length);
		ebpf_sink_feed(sink, record, length);
		free(record);
	}
}

static void look(const struct ebpf_sink *sink, size_t keys, size_t columns)
{
	struct ebpf_datum datum;
	static volatile uint64_t sum;
	int64_t low, high;
	size_t count;

	for (size_t group = 0; group < ebpf_sink_count(sink); group++) {
		for (size_t i = 0; i <= keys; i++) {
			ebpf_sink_key(sink, group, i, &datum);
			for (size_t k = 0; datum.kind == EBPF_DATUM_BYTES && k < datum.size; k++)
				sum += (uint8_t)datum.text[k];
		}
		for (size_t i = 0; i <= columns; i++) {
			const uint64_t *buckets = ebpf_sink_buckets(sink, group, i, &count);

			ebpf_sink_value(sink, group, i, &datum);
			for (size_t k = 0; buckets && k < count; k++) {
				ebpf_sink_range(sink, i, k, &low, &high);
				sum += buckets[k];
			}
		}
	}
}

static void try_groups(const struct ebpf_layout *layout, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < path_count; i++) {
		const char *by[] = { paths[i], paths[(i + 1) % path_count] };
		const struct ebpf_condition where = { .test = i % 8, .field = paths[i], .value = { .kind = 1 + i % 5, .number = 1, .text = "x", .size = 1 } };
		struct ebpf_sink_column columns[4];
		struct ebpf_sink_options options = { .size = sizeof(options), .by = by, .by_count = i % 3, .columns = columns, .column_count = 4,
						     .where = &where, .where_count = i % 2, .enum_names = i % 2, .limit = 100 };
		struct ebpf_sink *sink;

		for (size_t k = 0; k < 4; k++)
			columns[k] = (struct ebpf_sink_column){ .function = (i + 2 * k) % 8, .field = paths[(i + k) % path_count], .high = 100, .step = 7 };
		if (ebpf_sink_new_groups(layout, &options, &sink, NULL) < 0)
			continue;
		feed(sink, data, size);
		look(sink, options.by_count, 4);
		ebpf_sink_free(sink);
	}
}

static void try_lines(const struct ebpf_layout *layout, const uint8_t *data, size_t size)
{
	struct ebpf_sys sys = ebpf_sys_linux;

	sys.write_quietly = swallow;
	for (int format = EBPF_SINK_JSON; format <= EBPF_SINK_CSV; format++) {
		const struct ebpf_writer_options options = { .size = sizeof(options), .format = format, .fd = 1 };
		struct ebpf_sink *sink;

		if (ebpf_sink_new_writer_with(&sys, layout, &options, &sink, NULL) < 0)
			continue;
		feed(sink, data, size > 512 ? 512 : size);
		ebpf_sink_free(sink);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *btf;
	size_t records;
	int turns = 0;

	if (size < 2)
		return 0;
	records = data[0] | data[1] << 8;
	if (records > size - 2 || ebpf_btf_read(data + 2 + records, size - 2 - records, NULL, &btf, NULL) < 0)
		return 0;
	for (uint32_t id = 1; id < ebpf_btf_count(btf) && turns < 20; id++) {
		struct ebpf_type type;
		struct ebpf_layout *layout;

		if (!ebpf_btf_type(btf, id, &type) || type.kind != BTF_KIND_STRUCT || !(layout = ebpf_layout_from_btf(btf, id, NULL)))
			continue;
		turns++;
		path_count = 0;
		collect(layout, "", 0);
		if (path_count)
			try_groups(layout, data + 2, records);
		try_lines(layout, data + 2, records);
		ebpf_layout_free(layout);
	}
	ebpf_btf_free(btf);
	return 0;
}
