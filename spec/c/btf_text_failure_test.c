/* Types and values as text, of which any allocation may fail: an error that says so, and nothing is left behind. */
#include "failing_malloc.h"

#include "btf/btf.h"
#include "test.h"

#ifdef SANITIZED
int main(void)
{
	if (TEST_RESULT())
		return 1;
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
static int drop(void *context, const char *text, size_t size)
{
	*(uint64_t *)context += size + (unsigned char)text[0];
	return 0;
}

enum { PRINT_C, PRINT_SORTED, PRINT_RAW, DECLARE, PRINT_VALUE, PARSE_VALUE, WAYS };

static int make_text(const struct ebpf_btf *btf, uint32_t id, int way, struct ebpf_error *err)
{
	struct ebpf_print_options sorted = {.size = sizeof(sorted), .header = true, .sort = true, .functions = true};
	static uint8_t value[4096];
	uint64_t sum = 0;
	switch (way) {
	case PRINT_C:
		return ebpf_btf_print_c(btf, NULL, drop, &sum, err);
	case PRINT_SORTED:
		return ebpf_btf_print_c(btf, &sorted, drop, &sum, err);
	case PRINT_RAW:
		return ebpf_btf_print_raw(btf, NULL, 0, true, drop, &sum, err);
	case DECLARE:
		return ebpf_btf_print_declaration(btf, id, "x", drop, &sum, err);
	case PRINT_VALUE:
		return ebpf_value_print(btf, id, value, sizeof(value), NULL, drop, &sum, err);
	default:
		return ebpf_value_parse(btf, id, "{ .no_such_member = 1 }", value, sizeof(value), err);
	}
}

int main(void)
{
	const char *objects = getenv("EBPF_TEST_OBJECTS");
	struct ebpf_btf *btf = NULL;
	struct ebpf_error err = {0};
	char path[500];

	snprintf(path, sizeof(path), "%s/btf_shapes.bpf.o", objects ? objects : "build/spec/bpf");
	CHECK_INT(ebpf_btf_read_file(path, NULL, &btf, &err), 0);
	if (!btf)
		return TEST_RESULT();
	int64_t id = ebpf_btf_find(btf, "struct all");
	CHECK(id > 0);
	for (int way = 0; way < WAYS; way++) {
		long attempt = 0, before = live;
		int code;
		do {
			failed_allocation = false;
			fail_allocation = ++attempt;
			code = make_text(btf, id, way, &err);
			fail_allocation = 0;
			/* The name of a type in a message is left out when there is no memory for it. */
			if (way == PARSE_VALUE)
				CHECK_INT(code, -ENOENT);
			else if (failed_allocation && !(way == PRINT_SORTED && !code)) { /* qsort can do without */
				CHECK_INT(code, -ENOMEM);
				CHECK_STR(err.message, "out of memory");
			}
			ebpf_error_clear(&err);
			CHECK_INT(live, before);
		} while (failed_allocation && attempt < 10000 && !test_failures);
		CHECK(attempt > (way < DECLARE ? 1 : 0));
	}
	ebpf_btf_free(btf);
	return TEST_RESULT();
}
#endif
