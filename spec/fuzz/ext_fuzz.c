/* ext_fuzz.c -- libFuzzer: any bytes as the .BTF.ext of some types, which are any bytes as well.
 *
 * The first two bytes of an input, little-endian, are the size of the .BTF.ext, which follows; then come the types. */
#include "../c/btf_walk.h"
#include "fuzz.h"

enum { memory_times = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *btf = NULL;
	size_t ext;

	if (size < 2)
		return 0;
	ext = data[0] | (size_t)data[1] << 8;
	data += 2;
	size -= 2;
	if (ext > size || ebpf_btf_read(data + ext, size - ext, NULL, &btf, NULL))
		return 0;
	fuzz_watch_begin();
	walk_ext(btf, data, ext);
	fuzz_watch_end(size, memory_times);
	ebpf_btf_free(btf);
	return 0;
}
