/* btf_fuzz.c -- libFuzzer: any bytes as BTF.
 *
 * The first byte of an input chooses: bit 0, whether the rest is split on a small base. */
#include "../c/btf_walk.h"
#include "fuzz.h"

enum { memory_times = 24 };

/* struct { int a; } and its int: little-endian. */
static const uint8_t base_bytes[] = {
        0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0,  40, 0, 0, 0,   40,  0,   0, 0,   9, 0,   0, 0, 1,
        0,    0,    0, 0, 0,  0, 1, 4, 0, 0, 0, 32, 0,  0, 1, 5,   0,   0,   0, 1,   0, 0,   4, 4, 0,
        0,    0,    7, 0, 0,  0, 1, 0, 0, 0, 0, 0,  0,  0, 0, 'i', 'n', 't', 0, 's', 0, 'a', 0,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *base = NULL, *btf = NULL;
	struct ebpf_error err = { 0 };
	int result;

	if (size < 1)
		return 0;
	if (data[0] & 1 && ebpf_btf_read(base_bytes, sizeof(base_bytes), NULL, &base, NULL))
		abort();
	fuzz_watch_begin();
	result = ebpf_btf_read(data + 1, size - 1, base, &btf, &err);
	fuzz_watch_end(size, memory_times);
	if (result == 0)
		walk_btf(btf);
	else if (err.code != -result || !*err.message || btf)
		abort();
	ebpf_error_clear(&err);
	ebpf_btf_free(btf);
	ebpf_btf_free(base);
	return 0;
}
