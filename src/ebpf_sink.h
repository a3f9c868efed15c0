/* ebpf_sink.h -- what is done with records in C, without a call for each: filters, sums by keys, and files. Included by ebpf.h.
 *
 * A sink is declared once, by the names of fields, and then fed with whole batches of records (ebpf_sink_consume). Fields are those of a layout that
 * is a struct; a name may go down: "sample.pid", "args[2]" (elements count from 1).
 */
#ifndef EBPF_SINK_H
#define EBPF_SINK_H

#ifndef EBPF_EBPF_H
#error "include ebpf.h"
#endif

/* ---- conditions ------------------------------------------------------------------------------------------------- */

enum ebpf_test {
	EBPF_TEST_EQ, EBPF_TEST_NE, EBPF_TEST_LT, EBPF_TEST_LE, EBPF_TEST_GT, EBPF_TEST_GE,
	EBPF_TEST_BITS,                    /* integers: any of these bits */
	EBPF_TEST_PREFIX, EBPF_TEST_FIND,  /* strings: begins with, contains */
	EBPF_TEST_ALL, EBPF_TEST_ANY, EBPF_TEST_NONE, /* groups, of the `count` conditions that follow (groups among them with all of theirs) */
};
enum ebpf_datum_kind {
	EBPF_DATUM_NONE, /* there is none: the minimum of no records */
	EBPF_DATUM_INT, EBPF_DATUM_UINT, EBPF_DATUM_REAL, EBPF_DATUM_BOOL,
	EBPF_DATUM_BYTES, /* strings too */
};
/* A value out of a record, or to compare with. */
struct ebpf_datum {
	enum ebpf_datum_kind kind;
	int64_t number;   /* INT; UINT with the same bits; BOOL: 0 or 1 */
	double real;      /* REAL */
	const char *text; /* BYTES, not NUL-terminated */
	size_t size;
};
/* In prefix order: a group stands before what belongs to it. */
struct ebpf_condition {
	enum ebpf_test test;
	const char *field;       /* of a test */
	struct ebpf_datum value; /* an enumerator may be given by its name */
	uint32_t count;          /* of a group */
};

/* A compiled list of conditions, all of which must hold; keeps nothing of what it was made from. ENOENT for a field or an enumerator that is not there,
 * EINVAL for a test that its type does not have. */
struct ebpf_filter;
EBPF_API int ebpf_filter_new(const struct ebpf_layout *layout, const struct ebpf_condition *conditions, size_t count, struct ebpf_filter **out,
			     struct ebpf_error *err);
EBPF_API void ebpf_filter_free(struct ebpf_filter *filter);
/* A record that ends before a field that is looked at does not pass. */
EBPF_API bool ebpf_filter_holds(const struct ebpf_filter *filter, const void *data, size_t size);

/* ---- sinks -------------------------------------------------------------------------------------------------------- */

/* One thread at a time. */
struct ebpf_sink;

enum ebpf_sink_function {
	EBPF_SINK_COUNT, /* of the records; no field */
	EBPF_SINK_SUM, EBPF_SINK_MIN, EBPF_SINK_MAX, EBPF_SINK_AVG, /* numbers; a sum of integers wraps at 64 bits */
	EBPF_SINK_HIST,  /* powers of two */
	EBPF_SINK_LINEAR,/* steps of the same width */
	EBPF_SINK_LAST,  /* the newest record's value, of any type but structs and arrays */
};
struct ebpf_sink_column {
	enum ebpf_sink_function function;
	const char *field;
	int64_t low, high, step; /* LINEAR: from `low` to below `high` */
};
struct ebpf_sink_options {
	size_t size;
	const struct ebpf_condition *where; /* records that do not pass are counted, no more */
	size_t where_count;
	const char *const *by;              /* the key: fields that are neither structs nor arrays; none = one group for all */
	size_t by_count;
	const struct ebpf_sink_column *columns;
	size_t column_count;
	uint32_t limit;                     /* groups; 0 = 65536. Records of further ones are counted as `refused`. */
	bool enum_names;                    /* enumerators as names (BYTES), where they have one */
};
/* Groups of records by key, and a number of columns for each. Keeps a reference to the layout, which is a root. */
EBPF_API int ebpf_sink_new_groups(const struct ebpf_layout *layout, const struct ebpf_sink_options *options, struct ebpf_sink **out,
				  struct ebpf_error *err);

enum ebpf_sink_format { EBPF_SINK_JSON, EBPF_SINK_CSV };
struct ebpf_writer_options {
	size_t size;
	const struct ebpf_condition *where;
	size_t where_count;
	const char *const *fields;   /* NULL = all */
	size_t field_count;
	enum ebpf_sink_format format;
	const char *path;            /* a file that is made or emptied; or NULL: */
	int fd;                      /* the caller's, open for longer than the sink; may be non-blocking */
	bool append;                 /* to the file of the path; CSV: a header only where it was empty */
	bool no_header;              /* CSV: without the line of names */
	bool enum_numbers;           /* enumerators as numbers, not by name */
	bool when_full;              /* written when 64 KiB have come together, not at the end of each batch */
};
/* A line for each record. JSON: structs are objects, arrays lists, char[N] strings (what is no UTF-8 as U+FFFD), 128-bit integers and opaque bytes
 * hexadecimal strings, numbers that JSON has not (NaN) null. CSV as in RFC 4180, a column for each leaf: "sample.pid", "args[1]".
 * A line that cannot be written is dropped whole, and counted as `refused`; what a full pipe has not taken yet is kept, up to 1 MiB. */
EBPF_API int ebpf_sink_new_writer(const struct ebpf_layout *layout, const struct ebpf_writer_options *options, struct ebpf_sink **out,
				  struct ebpf_error *err);
EBPF_API void ebpf_sink_free(struct ebpf_sink *sink); /* flushes */

/* One record: an ebpf_record_fn with the sink as its context. Returns 0. */
EBPF_API int ebpf_sink_feed(void *sink, const void *data, size_t size);
/* All records that are there, as ebpf_ring_consume; those that do not pass `filter` (or NULL) are not fed. Then flushes. */
EBPF_API int64_t ebpf_sink_consume(struct ebpf_sink *sink, struct ebpf_ring *ring, const struct ebpf_filter *filter, uint64_t limit);
/* Writers: writes what has come together. The error is that of the descriptor: EAGAIN when it takes no more now. */
EBPF_API int ebpf_sink_flush(struct ebpf_sink *sink, struct ebpf_error *err);

struct ebpf_sink_totals {
	uint64_t seen;    /* fed = passed + filtered + shorter + refused */
	uint64_t passed;  /* taken */
	uint64_t filtered;
	uint64_t shorter; /* than the fields that are needed */
	uint64_t refused; /* no room for their group, or not written */
	uint64_t bytes;   /* written */
	int error;        /* errno of the last failed write, or 0 */
};
EBPF_API void ebpf_sink_totals(const struct ebpf_sink *sink, struct ebpf_sink_totals *out);

/* What groups hold: read at any time, by number from 0 in the order of their first record; strings are good until the sink is fed or freed. A writer
 * has none. */
EBPF_API size_t ebpf_sink_count(const struct ebpf_sink *sink);
EBPF_API void ebpf_sink_key(const struct ebpf_sink *sink, size_t group, size_t field, struct ebpf_datum *out);
/* Of a histogram: the number of its records. */
EBPF_API void ebpf_sink_value(const struct ebpf_sink *sink, size_t group, size_t column, struct ebpf_datum *out);
/* A histogram's buckets; NULL for another column. */
EBPF_API const uint64_t *ebpf_sink_buckets(const struct ebpf_sink *sink, size_t group, size_t column, size_t *count);
/* The least and the greatest value of a bucket. */
EBPF_API void ebpf_sink_range(const struct ebpf_sink *sink, size_t column, size_t bucket, int64_t *low, int64_t *high);
/* Forgets all groups and totals. */
EBPF_API void ebpf_sink_clear(struct ebpf_sink *sink);

#endif
