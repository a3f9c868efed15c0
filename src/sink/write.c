/* write.c -- a line of JSON or CSV for each record, into a descriptor.
 *
 * Lines come together in one buffer and are written whole batches at a time. What the descriptor does not take (a full pipe, a full disk) stays, and is tried
 * again with the next batch; when that has grown to a mebibyte, further lines are refused, and counted: memory is bounded, and no line is cut in two. A reader that
 * has gone is one more descriptor that takes nothing: EPIPE, while SIGPIPE, which would end the process, never gets out of here.
 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "sink/sink.h"
#include "sink/text.h"
#include "sys/policy.h"

enum { FULL = 65536, KEPT_MAX = 1 << 20, COLUMNS_MAX = 4096 };

struct output { /* a field that was asked for; of CSV a leaf */
	char *name;
	struct ebpf_place place;
};
struct writer {
	struct ebpf_sink sink;
	const struct ebpf_sys *sys;
	int fd;
	bool owns_fd;
	enum ebpf_sink_format format;
	bool when_full, enum_numbers;
	struct output *outputs;
	size_t count, capacity;
	uint32_t least;
	struct ebpf_buffer text;
};
struct record {
	const uint8_t *data;
	size_t size;
};

/* -- values -- */

static void add_string(struct writer *writer, const char *text, size_t size)
{
	(writer->format == EBPF_SINK_JSON ? ebpf_text_json : ebpf_text_csv)(&writer->text, text, size);
}

static void add_nothing(struct writer *writer)
{
	if (writer->format == EBPF_SINK_JSON)
		ebpf_text_add(&writer->text, "null", 4);
}

static void add_int(struct writer *writer, const struct ebpf_place *place, int64_t value)
{
	const char *name = NULL;

	if (!writer->enum_numbers)
		name = ebpf_place_enumerator(place, value);
	if (place->layout->kind == EBPF_VALUE_BOOL)
		ebpf_text_add(&writer->text, value ? "true" : "false", value ? 4 : 5);
	else if (name)
		add_string(writer, name, strlen(name));
	else
		ebpf_text_int(&writer->text, value, place->is_unsigned);
}

static void add_bytes(struct writer *writer, const struct ebpf_place *place, const uint8_t *data, size_t size)
{
	uint8_t wide[16];

	if (writer->format == EBPF_SINK_JSON)
		ebpf_text_char(&writer->text, '"');
	if (place->layout->kind == EBPF_VALUE_INT128) {
		ebpf_layout_reorder(place->layout, data, wide);
		ebpf_text_int128(&writer->text, wide);
	} else {
		ebpf_text_hex(&writer->text, data, size);
	}
	if (writer->format == EBPF_SINK_JSON)
		ebpf_text_char(&writer->text, '"');
}

/* What a record that ends before has no value for is null, or an empty column. */
static void add_scalar(struct writer *writer, const struct ebpf_place *place, struct record record)
{
	double real;

	if (record.size < place->end) {
		add_nothing(writer);
	} else if (ebpf_place_is_int(place)) {
		add_int(writer, place, ebpf_place_int(place, record.data));
	} else if (ebpf_place_is_real(place)) {
		real = ebpf_place_real(place, record.data);
		if (isfinite(real))
			ebpf_text_real(&writer->text, real);
		else
			add_nothing(writer);
	} else {
		const char *text;
		size_t size = ebpf_place_text(place, record.data, record.size, &text);

		if (place->load == LOAD_STRING)
			add_string(writer, text, size);
		else
			add_bytes(writer, place, (const uint8_t *)text, size);
	}
}

static void add_json(struct writer *writer, const struct ebpf_place *place, struct record record);

/* Elements that the record has; of a flexible array, all that fit behind. */
static void add_array(struct writer *writer, const struct ebpf_layout *layout, uint32_t offset, struct record record)
{
	const struct ebpf_layout *element = layout->element;
	size_t left = record.size > offset && element->size ? (record.size - offset) / element->size : 0;
	size_t count = layout->count && layout->count < left ? layout->count : left;

	ebpf_text_char(&writer->text, '[');
	for (size_t i = 0; i < count && !writer->text.failed; i++) {
		struct ebpf_place place;

		if (i)
			ebpf_text_char(&writer->text, ',');
		ebpf_place_set(&place, offset + (uint32_t)i * element->size, NULL, element);
		add_json(writer, &place, record);
	}
	ebpf_text_char(&writer->text, ']');
}

static void add_struct(struct writer *writer, const struct ebpf_layout *layout, uint32_t offset, struct record record)
{
	bool first = true;

	ebpf_text_char(&writer->text, '{');
	for (uint32_t i = 0; i < layout->count && !writer->text.failed; i++) {
		const struct ebpf_field *field = &layout->fields[i];
		struct ebpf_place place;

		if (!field->name[0])
			continue;
		ebpf_text_add(&writer->text, first ? "\"" : ",\"", first ? 1 : 2);
		first = false;
		ebpf_text_add(&writer->text, field->name, strlen(field->name));
		ebpf_text_add(&writer->text, "\":", 2);
		ebpf_place_set(&place, offset, field, field->layout);
		add_json(writer, &place, record);
	}
	ebpf_text_char(&writer->text, '}');
}

static void add_json(struct writer *writer, const struct ebpf_place *place, struct record record)
{
	if (place->load != LOAD_NONE)
		add_scalar(writer, place, record);
	else if (place->layout->kind == EBPF_VALUE_ARRAY)
		add_array(writer, place->layout, place->offset, record);
	else
		add_struct(writer, place->layout, place->offset, record);
}

/* -- lines -- */

static void add_line(struct writer *writer, struct record record)
{
	bool json = writer->format == EBPF_SINK_JSON;

	if (json)
		ebpf_text_char(&writer->text, '{');
	for (size_t i = 0; i < writer->count; i++) {
		const struct output *output = &writer->outputs[i];

		if (i)
			ebpf_text_char(&writer->text, ',');
		if (!json) {
			add_scalar(writer, &output->place, record);
			continue;
		}
		ebpf_text_add(&writer->text, output->name, strlen(output->name)); /* quoted, with its colon */
		add_json(writer, &output->place, record);
	}
	ebpf_text_add(&writer->text, json ? "}\n" : "\r\n", 2);
}

static int write_out(struct writer *writer)
{
	size_t done = 0;
	int ret = 0;

	while (done < writer->text.size) {
		ssize_t written = writer->sys->write_quietly(writer->fd, writer->text.data + done, writer->text.size - done);

		if (written == -EINTR)
			continue;
		if (written <= 0) {
			ret = written ? (int)written : -EIO;
			break;
		}
		done += (size_t)written;
	}
	if (done)
		memmove(writer->text.data, writer->text.data + done, writer->text.size - done);
	writer->text.size -= done;
	writer->sink.totals.bytes += done;
	if (ret)
		writer->sink.totals.error = -ret;
	return ret;
}

static int feed_writer(void *context, const void *data, size_t size)
{
	struct writer *writer = context;
	size_t before = writer->text.size;

	if (size < writer->least) {
		writer->sink.totals.shorter++;
		return 0;
	}
	add_line(writer, (struct record){ data, size });
	if (writer->text.failed || (before && writer->text.size > KEPT_MAX)) {
		writer->text.size = before;
		writer->text.failed = false;
		writer->sink.totals.refused++;
		return 0;
	}
	writer->sink.totals.passed++;
	if (writer->text.size >= FULL && before < FULL)
		write_out(writer);
	return 0;
}

static int flush_writer(struct ebpf_sink *sink, bool batch, struct ebpf_error *err)
{
	struct writer *writer = (struct writer *)sink;
	int ret = batch && writer->when_full && writer->text.size < FULL ? 0 : write_out(writer);

	return ret < 0 ? ebpf_fail_errno(err, ret, "sink: cannot write, %zu bytes are left", writer->text.size) : 0;
}

static void clear_writer(struct ebpf_sink *sink)
{
	(void)sink; /* what has been passed is written */
}

static void free_writer(struct ebpf_sink *sink)
{
	struct writer *writer = (struct writer *)sink;

	for (size_t i = 0; i < writer->count; i++)
		free(writer->outputs[i].name);
	if (writer->owns_fd)
		writer->sys->close(writer->fd);
	free(writer->outputs);
	ebpf_buffer_free(&writer->text);
	free(writer);
}

static const struct ebpf_sink_kind writer_kind = { feed_writer, flush_writer, clear_writer, free_writer };

/* -- making -- */

static int add_output(struct writer *writer, const char *name, const struct ebpf_place *place, struct ebpf_error *err)
{
	struct output *outputs = ebpf_grow(writer->outputs, &writer->capacity, writer->count, sizeof(*outputs));

	if (!outputs)
		return ebpf_fail_memory(err);
	writer->outputs = outputs;
	outputs[writer->count].place = *place;
	outputs[writer->count].name = writer->format == EBPF_SINK_JSON ? ebpf_sprintf("\"%s\":", name) : ebpf_strdup(name);
	return outputs[writer->count].name ? (writer->count++, 0) : ebpf_fail_memory(err);
}

static int add_leaves(struct writer *writer, const char *name, const struct ebpf_place *place, struct ebpf_error *err);

static int add_leaf(struct writer *writer, char *name, uint32_t base, const struct ebpf_field *field, const struct ebpf_layout *layout,
		    struct ebpf_error *err)
{
	struct ebpf_place place;
	int ret;

	if (!name)
		return ebpf_fail_memory(err);
	ebpf_place_set(&place, base, field, layout);
	ret = add_leaves(writer, name, &place, err);
	free(name);
	return ret;
}

/* The columns of CSV that a value takes. */
static int add_leaves(struct writer *writer, const char *name, const struct ebpf_place *place, struct ebpf_error *err)
{
	const struct ebpf_layout *layout = place->layout;
	bool array = layout->kind == EBPF_VALUE_ARRAY;
	int ret = 0;

	if (writer->count >= COLUMNS_MAX || (array && layout->count > COLUMNS_MAX))
		return ebpf_fail(err, E2BIG, "sink: more than %d columns", COLUMNS_MAX);
	if (place->load != LOAD_NONE)
		return add_output(writer, name, place, err);
	if (array && !layout->count) {
		ebpf_fail(err, EINVAL, "sink: field '%.200s' has no fixed number of elements, as the columns of CSV need", name);
		ebpf_hint(err, "name the fields that are wanted, single elements (\"%.100s[1]\") among them, or write JSON", name);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < layout->count && !ret; i++) {
		if (array)
			ret = add_leaf(writer, ebpf_sprintf("%s[%u]", name, i + 1), place->offset + i * layout->element->size, NULL, layout->element, err);
		else if (layout->fields[i].name[0])
			ret = add_leaf(writer, ebpf_sprintf("%s.%s", name, layout->fields[i].name), place->offset, &layout->fields[i],
				       layout->fields[i].layout, err);
	}
	return ret;
}

static int add_field(struct writer *writer, const char *path, struct ebpf_error *err)
{
	struct ebpf_place place;
	int ret = ebpf_place_find(writer->sink.layout, path, &place, err);

	if (ret < 0)
		return ret;
	return writer->format == EBPF_SINK_JSON ? add_output(writer, path, &place, err) : add_leaves(writer, path, &place, err);
}

static int add_fields(struct writer *writer, const struct ebpf_writer_options *options, struct ebpf_error *err)
{
	const struct ebpf_layout *layout = writer->sink.layout;
	int ret = 0;

	for (size_t i = 0; i < options->field_count && !ret; i++)
		ret = add_field(writer, options->fields[i], err);
	for (uint32_t i = 0; i < layout->count && !options->fields && !ret; i++)
		if (layout->fields[i].name[0])
			ret = add_field(writer, layout->fields[i].name, err);
	if (!ret && !writer->count)
		ret = ebpf_fail(err, EINVAL, "sink: there is no field to write");
	return ret;
}

static int add_header(struct writer *writer, struct ebpf_error *err)
{
	for (size_t i = 0; i < writer->count; i++) {
		if (i)
			ebpf_text_char(&writer->text, ',');
		ebpf_text_csv(&writer->text, writer->outputs[i].name, strlen(writer->outputs[i].name));
	}
	ebpf_text_add(&writer->text, "\r\n", 2);
	return writer->text.failed ? ebpf_fail_memory(err) : 0;
}

static int open_file(struct writer *writer, const struct ebpf_writer_options *options, struct ebpf_error *err)
{
	writer->fd = writer->sys->openat(AT_FDCWD, options->path, O_WRONLY | O_CREAT | O_CLOEXEC | (options->append ? O_APPEND : O_TRUNC), 0666);
	if (writer->fd < 0)
		return ebpf_fail_errno(err, writer->fd, "sink: cannot open '%.200s'", options->path);
	writer->owns_fd = true;
	return 0;
}

static int check_descriptor(const struct writer *writer, struct ebpf_error *err)
{
	int ret = ebpf_policy_descriptor(writer->fd);

	return ret ? ebpf_fail_errno(err, ret, "sink: cannot write to descriptor %d", writer->fd) : 0;
}

/* A file that has something already: what FIONREAD tells of regular files is their size, also where they cannot be read. */
static bool has_lines(struct writer *writer)
{
	int size = 0;

	return writer->sys->ioctl(writer->fd, FIONREAD, (unsigned long)(uintptr_t)&size) >= 0 && size != 0;
}

int ebpf_sink_new_writer_with(const struct ebpf_sys *sys, const struct ebpf_layout *layout, const struct ebpf_writer_options *options,
			      struct ebpf_sink **out, struct ebpf_error *err)
{
	struct ebpf_writer_options all = { 0 };
	struct writer *writer = calloc(1, sizeof(*writer));
	int ret;

	if (!writer)
		return ebpf_fail_memory(err);
	memcpy(&all, options, options->size < sizeof(all) ? options->size : sizeof(all));
	writer->sys = sys;
	writer->fd = all.fd;
	writer->format = all.format;
	writer->when_full = all.when_full;
	writer->enum_numbers = all.enum_numbers;
	ret = ebpf_sink_init(&writer->sink, &writer_kind, layout, all.where, all.where_count, err);
	if (ret < 0) {
		free(writer);
		return ret;
	}
	writer->least = ebpf_layout_least(layout);
	ret = add_fields(writer, &all, err);
	if (!ret)
		ret = all.path ? open_file(writer, &all, err) : check_descriptor(writer, err);
	if (!ret && all.format == EBPF_SINK_CSV && !all.no_header && !(all.path && all.append && has_lines(writer)))
		ret = add_header(writer, err);
	if (ret < 0) {
		writer->text.size = 0;
		ebpf_sink_free(&writer->sink);
		return ret;
	}
	*out = &writer->sink;
	return 0;
}

int ebpf_sink_new_writer(const struct ebpf_layout *layout, const struct ebpf_writer_options *options, struct ebpf_sink **out, struct ebpf_error *err)
{
	return ebpf_sink_new_writer_with(&ebpf_sys_linux, layout, options, out, err);
}
