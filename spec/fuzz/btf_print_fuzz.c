/* btf_print_fuzz.c -- libFuzzer: types printed as C, raw, as JSON; values of them printed, and read back.
 *
 * An input is two bytes, so many times 16 bytes of a value (the second), and BTF. The first chooses the options, and 0x80 in it whether the
 * value's bytes are also read as a text. Whatever comes of it, the texts are bounded. */
#include <stdlib.h>
#include <string.h>

#include "btf/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *context, const char *text, size_t size)
{
	uint64_t *total = context;
	for (size_t i = 0; i < size; i++)
		*total += (uint8_t)text[i] ? 1 : 2;
	return 0;
}

/* As many declarations may be long, each is cut off. */
static int count_some(void *context, const char *text, size_t size)
{
	uint64_t *total = context;
	count(context, text, size);
	return *total > 100000 ? -EFBIG : 0;
}

static void print_types(const struct ebpf_btf *btf, uint8_t flags, uint64_t limit)
{
	struct ebpf_print_options options = {
	        .size = sizeof(options), .header = flags & 1, .sort = flags & 2, .functions = flags & 4};
	uint64_t total = 0;
	ebpf_btf_print_c(btf, &options, count, &total, NULL);
	if (total > limit)
		abort();
	total = 0;
	ebpf_btf_print_raw(btf, NULL, 0, flags & 1, count, &total, NULL);
	if (total > limit)
		abort();
}

static void print_values(const struct ebpf_btf *btf, uint8_t flags, const uint8_t *data, size_t size)
{
	struct ebpf_value_options options = {.size = sizeof(options), .compact = flags & 1, .skip_names = flags & 2,
	                                     .emit_zeroes = flags & 4, .emit_strings = flags & 8, .typed = flags & 16};
	static uint8_t value[1 << 14];
	for (uint32_t id = 1; id < ebpf_btf_count(btf) && id < 64; id++) {
		uint64_t total = 0;
		ebpf_value_print(btf, id, data, size, &options, count, &total, NULL);
		int64_t wanted = ebpf_btf_sizeof(btf, id);
		if ((flags & 0x80) && wanted >= 0 && wanted <= (int64_t)sizeof(value)) {
			char *text = calloc(1, size + 1);
			memcpy(text, data, size);
			struct ebpf_error err = {0};
			ebpf_value_parse(btf, id, text, value, wanted, &err);
			ebpf_error_clear(&err);
			free(text);
		}
		total = 0;
		ebpf_btf_print_declaration(btf, id, "name", count_some, &total, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *btf = NULL;
	if (size < 2)
		return 0;
	uint8_t flags = data[0];
	size_t value_size = (size_t)data[1] * 16;
	data += 2;
	size -= 2;
	if (value_size > size)
		value_size = size;
	if (ebpf_btf_read(data + value_size, size - value_size, NULL, &btf, NULL))
		return 0;
	print_types(btf, flags, (2u << 20) + 128 * (uint64_t)size);
	print_values(btf, flags, data, value_size);
	ebpf_btf_free(btf);
	return 0;
}
