/* libFuzzer target: any bytes to be stripped. What was an object is one afterwards, and stripping it again changes nothing. Start it with the objects of
 * build/spec/bpf as corpus. */
#include <stdint.h>
#include <stdlib.h>

#include "spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_object(const void *data, size_t size)
{
	struct ebpf_spec *spec = NULL;

	if (ebpf_spec_read(data, size, "fuzz", &spec, NULL))
		return false;
	ebpf_spec_free(spec);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_error err = {0};
	size_t once_size = 0, twice_size = 0;
	void *once = NULL, *twice = NULL;

	if (!ebpf_object_strip(data, size, &once, &once_size, &err)) {
		if (once_size > 3 * size + 65536 || (is_object(data, size) && !is_object(once, once_size)))
			abort();
		if (ebpf_object_strip(once, once_size, &twice, &twice_size, &err) || twice_size != once_size ||
		    memcmp(once, twice, once_size))
			abort();
	} else if (!err.code || !*err.message || once) {
		abort();
	}
	free(once);
	free(twice);
	ebpf_error_clear(&err);
	return 0;
}
