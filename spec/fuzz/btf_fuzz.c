/* btf_fuzz.c -- libFuzzer: any bytes as BTF, and as a BTF with its .BTF.ext behind it.
 *
 * The first two bytes of an input choose: bit 0 of the first, whether the rest is split on a small base; the second
 * times 256, where .BTF.ext begins (0 = there is none). */
#include "../c/btf_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* struct { int a; } and its int: little-endian. */
static const uint8_t base_bytes[] = {
        0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0,  40, 0, 0, 0,   40,  0,   0, 0,   9, 0,   0, 0, 1,
        0,    0,    0, 0, 0,  0, 1, 4, 0, 0, 0, 32, 0,  0, 1, 5,   0,   0,   0, 1,   0, 0,   4, 4, 0,
        0,    0,    7, 0, 0,  0, 1, 0, 0, 0, 0, 0,  0,  0, 0, 'i', 'n', 't', 0, 's', 0, 'a', 0,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *base = NULL, *btf = NULL;
	if (size < 2)
		return 0;
	size_t ext = (size_t)data[1] * 256;
	bool split = data[0] & 1;
	data += 2;
	size -= 2;
	if (ext > size)
		ext = 0;
	if (split && ebpf_btf_read(base_bytes, sizeof(base_bytes), NULL, &base, NULL))
		abort();
	if (!ebpf_btf_read(data, ext ? ext : size, base, &btf, NULL)) {
		walk_btf(btf);
		if (ext)
			walk_ext(btf, data + ext, size - ext);
		ebpf_btf_free(btf);
	}
	ebpf_btf_free(base);
	return 0;
}
