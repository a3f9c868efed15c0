/* The room `base`: errors, spans, arrays, tables, strings, names. */
#include <stdlib.h>

#include "base/base.h"
#include "base/uapi.h"
#include "test.h"

static void test_errors(void)
{
	struct ebpf_error err = { 0 }, other = { 0 };

	CHECK_INT(ebpf_fail(&err, EPERM, "program '%s': load", "x"), -EPERM);
	CHECK_INT(err.code, EPERM);
	CHECK_STR(err.message, "program 'x': load");
	CHECK_INT(ebpf_fail(NULL, -EPERM, "x"), -EPERM);
	CHECK_INT(ebpf_fail(NULL, 0, "x"), -EIO);
	CHECK_INT(ebpf_fail_errno(&err, -EACCES, "map '%s': open", "m"), -EACCES);
	CHECK_STR(err.message, "map 'm': open: permission denied");
	CHECK_INT(ebpf_fail_errno(&err, 524, "x"), -524);
	CHECK_STR(err.message, "x: operation not supported");
	CHECK_STR(ebpf_errno_name(524), "ENOTSUPP");

	/* hint and log belong to one error: the next one starts without */
	ebpf_hint(&err, "mount %s", "bpffs");
	ebpf_error_set_log(&err, ebpf_strdup("the log"));
	CHECK_STR(err.hint, "mount bpffs");
	CHECK_INT(ebpf_wrap(&err, err.code, "collection '%s'", "c"), -524);
	CHECK_STR(err.message, "collection 'c': x: operation not supported");
	CHECK_STR(err.hint, "mount bpffs");
	CHECK_STR(err.log, "the log");
	ebpf_error_move(&other, &err);
	CHECK_INT(err.code, 0);
	CHECK(!err.log);
	CHECK_STR(other.log, "the log");
	ebpf_fail(&other, EINVAL, "%s", other.log); /* its own log as the text of the next */
	CHECK_STR(other.message, "the log");
	CHECK(!other.log);
	CHECK_STR(other.hint, "");
	ebpf_fail(&other, EINVAL, "again: %s", other.message);
	CHECK_STR(other.message, "again: the log");
	ebpf_error_clear(&other);
	CHECK_INT(other.code, 0);
	ebpf_error_clear(NULL);
	ebpf_error_move(NULL, NULL);
	ebpf_error_set_log(NULL, ebpf_strdup("nobody's"));

	CHECK_INT(ebpf_fail_memory(&err), -ENOMEM);
	for (int i = 0; i < 100; i++) /* a message that is too long is cut, not overrun */
		ebpf_wrap(&err, ENOMEM, "%s", "012345678901234567890123456789");
	CHECK_INT(strlen(err.message), sizeof(err.message) - 1);
	ebpf_error_clear(&err);
}

static void test_errno_names(void)
{
	CHECK_STR(ebpf_errno_name(1), "EPERM");
	CHECK_STR(ebpf_errno_name(-ENOENT), "ENOENT");
	CHECK_STR(ebpf_errno_name(EHWPOISON), "EHWPOISON");
	CHECK_STR(ebpf_errno_name(0), "UNKNOWN");
	CHECK_STR(ebpf_errno_name(4000), "UNKNOWN");
	for (int i = 1; i < 134; i++) /* every number that libc has a text for */
		CHECK(!strncmp(strerror(i), "Unknown", 7) == !strcmp(ebpf_errno_name(i), "UNKNOWN"));
}

static void test_spans(void)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 'a', 'b', 0, 'c' };
	struct ebpf_span span = { .data = bytes, .size = sizeof(bytes) }, sub, empty = { 0 };
	bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	uint16_t u16 = 7;
	uint32_t u32 = 7;
	uint64_t u64 = 7;
	uint8_t u8 = 7;

	span.swapped = !big; /* read as big-endian */
	CHECK(ebpf_span_u8(span, 11, &u8) && u8 == 'c');
	CHECK(ebpf_span_u16(span, 1, &u16) && u16 == 0x0203);
	CHECK(ebpf_span_u32(span, 0, &u32) && u32 == 0x01020304);
	CHECK(ebpf_span_u64(span, 0, &u64) && u64 == 0x0102030405060708);
	span.swapped = big;
	CHECK(ebpf_span_u16(span, 0, &u16) && u16 == 0x0201);
	CHECK(ebpf_span_u64(span, 0, &u64) && u64 == 0x0807060504030201);
	u64 = 7;
	CHECK(!ebpf_span_u64(span, 5, &u64) && u64 == 7);
	CHECK(!ebpf_span_u64(span, UINT64_MAX - 3, &u64));
	CHECK(!ebpf_span_u8(span, 12, &u8) && u8 == 'c');
	CHECK(!ebpf_span_u8(empty, 0, &u8));
	CHECK_STR(ebpf_span_string(span, 8), "ab");
	CHECK_STR(ebpf_span_string(span, 10), "");
	CHECK(!ebpf_span_string(span, 11)); /* not terminated */
	CHECK(!ebpf_span_string(span, 12));
	CHECK(!ebpf_span_string(span, UINT64_MAX));
	CHECK(ebpf_span_sub(span, 8, 4, &sub) && sub.size == 4 && sub.data == bytes + 8);
	CHECK(ebpf_span_sub(span, 12, 0, &sub) && sub.size == 0);
	CHECK(!ebpf_span_sub(span, 8, 5, &sub));
	CHECK(!ebpf_span_sub(span, 1, UINT64_MAX, &sub));
	CHECK(ebpf_span_sub(empty, 0, 0, &sub));
}

static void test_arrays(void)
{
	struct ebpf_buffer buffer = { 0 };
	size_t capacity = 0, count;
	int *items = NULL;

	for (count = 0; count < 1000; count++) {
		items = ebpf_grow(items, &capacity, count, sizeof(*items));
		CHECK(items != NULL);
		items[count] = (int)count;
	}
	CHECK_INT(items[999], 999);
	CHECK(capacity >= 1000 && capacity < 4000);
	capacity = SIZE_MAX / 2; /* sizes that cannot be multiplied */
	CHECK(!ebpf_grow(items, &capacity, SIZE_MAX / 2, 8));
	free(items);

	ebpf_buffer_add(&buffer, "", 0);
	CHECK_STR(buffer.data, "");
	for (int i = 0; i < 100; i++)
		ebpf_buffer_printf(&buffer, "%d,", i);
	CHECK_INT(buffer.size, 290);
	CHECK_INT(strlen(buffer.data), 290);
	CHECK(ebpf_starts_with(buffer.data, "0,1,2,"));
	ebpf_buffer_printf(&buffer, "%*s", 5000, "x");
	CHECK_INT(buffer.size, 5290);
	CHECK_INT(buffer.data[5289], 'x');
	ebpf_buffer_add(&buffer, "a", SIZE_MAX);
	CHECK(buffer.failed);
	ebpf_buffer_add(&buffer, "b", 1);
	CHECK_INT(buffer.size, 5290);
	ebpf_buffer_free(&buffer);
	CHECK(!buffer.failed && !buffer.data);
}

static void test_tables(void)
{
	static char keys[5000][8];
	struct ebpf_table table = { 0 };
	uint64_t value = 0;

	CHECK(!ebpf_table_get(&table, "x", &value));
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		CHECK_INT(ebpf_table_set(&table, keys[i], i), 0);
	}
	CHECK_INT(table.count, 5000);
	CHECK_INT(ebpf_table_set(&table, "k7", UINT64_MAX), 0);
	CHECK_INT(table.count, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		CHECK(ebpf_table_get(&table, keys[i], &value));
		CHECK(value == (i == 7 ? UINT64_MAX : i));
	}
	CHECK(!ebpf_table_get(&table, "k5000", &value));
	CHECK(ebpf_table_get(&table, "k1", NULL));
	ebpf_table_free(&table);
	CHECK(!ebpf_table_get(&table, "k1", &value));
	ebpf_table_free(&table);
}

static void test_strings(void)
{
	static const char *const names[] = { "xdp", "kprobe", "kretprobe", "tracepoint", NULL };
	char *text = ebpf_sprintf("%s-%d", "a", 5);

	CHECK_STR(text, "a-5");
	free(text);
	text = ebpf_strndup("hello", 3);
	CHECK_STR(text, "hel");
	free(text);
	CHECK(!ebpf_strdup(NULL));
	CHECK(ebpf_starts_with("kprobe/x", "kprobe/") && !ebpf_starts_with("kprob", "kprobe"));
	CHECK_INT(ebpf_essential_length("task_struct___old"), 11);
	CHECK_INT(ebpf_essential_length("task_struct"), 11);
	CHECK_INT(ebpf_essential_length("a___b___c"), 5);
	CHECK_INT(ebpf_essential_length("___a"), 4);
	CHECK_INT(ebpf_essential_length("a___"), 4);
	CHECK_INT(ebpf_essential_length("a____b"), 6);
	CHECK_INT(ebpf_essential_length("a___b"), 1);
	CHECK_INT(ebpf_essential_length(""), 0);
	CHECK_STR(ebpf_nearest("trcaepoint", names, 5), "tracepoint");
	CHECK_STR(ebpf_nearest("kretprob", names, 5), "kretprobe");
	CHECK_STR(ebpf_nearest("xpd", names, 5), "xdp");
	CHECK(!ebpf_nearest("cgroup", names, 5));
	CHECK(!ebpf_nearest("", names, 0));
}

static void test_names(void)
{
	CHECK_STR(ebpf_enum_name(EBPF_PROGRAM_TYPE, 6), "xdp");
	CHECK_INT(ebpf_enum_value(EBPF_PROGRAM_TYPE, "xdp"), 6);
	CHECK_STR(ebpf_enum_name(EBPF_MAP_TYPE, BPF_MAP_TYPE_RINGBUF), "ringbuf");
	/* of several names for one number the one that is not deprecated */
	CHECK_STR(ebpf_enum_name(EBPF_MAP_TYPE, 19), "cgroup_storage");
	CHECK_STR(ebpf_enum_name(EBPF_MAP_TYPE, 21), "percpu_cgroup_storage");
	CHECK_INT(ebpf_enum_value(EBPF_ATTACH_TYPE, "cgroup_inet4_connect"), BPF_CGROUP_INET4_CONNECT);
	CHECK_INT(ebpf_enum_value(EBPF_ATTACH_TYPE, "trace_fentry"), BPF_TRACE_FENTRY);
	CHECK_STR(ebpf_enum_name(EBPF_LINK_TYPE, BPF_LINK_TYPE_KPROBE_MULTI), "kprobe_multi");
	CHECK_STR(ebpf_enum_name(EBPF_HELPER, 1), "map_lookup_elem");
	CHECK_INT(ebpf_enum_value(EBPF_HELPER, "map_lookup_elem"), 1);
	CHECK_INT(ebpf_enum_value(EBPF_HELPER, "bpf_map_lookup_elem"), 1);
	CHECK_INT(ebpf_enum_value(EBPF_HELPER, "cgrp_storage_delete"), 211);
	CHECK_INT(ebpf_enum_value(EBPF_HELPER, "no_such"), -ENOENT);
	CHECK(!ebpf_enum_name(EBPF_PROGRAM_TYPE, 4000));
	CHECK(!ebpf_enum_name(EBPF_MAP_TYPE, UINT32_MAX));
	CHECK(ebpf_version()[0] >= '0');
}

int main(void)
{
	test_errors();
	test_errno_names();
	test_spans();
	test_arrays();
	test_tables();
	test_strings();
	test_names();
	return TEST_RESULT();
}
