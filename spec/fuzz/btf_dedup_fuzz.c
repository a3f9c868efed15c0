/* btf_dedup_fuzz.c -- libFuzzer: any bytes as BTF, joined with itself and split on itself, each type once; distilled, and put back.
 *
 * The first byte chooses: bit 0, joined with itself; bit 1, split on it. Whatever comes out is read again, has no more types
 * than what went in, and stays as it is when it is deduplicated once more. */
#include <stdlib.h>

#include "btf/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ebpf_btf *join(struct ebpf_btf *base, struct ebpf_btf *btf)
{
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(base, 0);
	struct ebpf_btf *joined = NULL;
	if (!base)
		ebpf_btf_builder_add_all(builder, btf, NULL);
	/* The same bytes as another object: as the builder sees it, other types. */
	size_t bytes;
	const void *data = ebpf_btf_data(btf, &bytes);
	struct ebpf_btf *again = NULL;
	if (!ebpf_btf_read(data, bytes, NULL, &again, NULL) && ebpf_btf_builder_add_all(builder, again, NULL) >= 0)
		ebpf_btf_builder_read(builder, &joined, NULL);
	ebpf_btf_builder_free(builder);
	ebpf_btf_free(again);
	return joined;
}

static void deduplicate(const struct ebpf_btf *btf)
{
	struct ebpf_btf *once = NULL, *twice = NULL;
	if (!btf || ebpf_btf_dedup(btf, &once, NULL))
		return;
	if (ebpf_btf_count(once) > ebpf_btf_count(btf))
		abort();
	if (!ebpf_btf_dedup(once, &twice, NULL) && ebpf_btf_count(twice) > ebpf_btf_count(once))
		abort();
	ebpf_btf_free(twice);
	ebpf_btf_free(once);
}

/* What was distilled finds its base again, unless that has something twice. */
static void distill(struct ebpf_btf *split, struct ebpf_btf *whole)
{
	struct ebpf_btf *base = NULL, *distilled = NULL, *back = NULL;
	if (!split || ebpf_btf_distill(split, &base, &distilled, NULL))
		return;
	if (!ebpf_btf_relocate(distilled, whole, &back, NULL)) {
		uint32_t own = ebpf_btf_count(back) - ebpf_btf_first_id(back);
		if (own != ebpf_btf_count(distilled) - ebpf_btf_first_id(distilled))
			abort();
	}
	ebpf_btf_free(back);
	ebpf_btf_free(distilled);
	ebpf_btf_free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_btf *btf = NULL;
	if (size < 1 || ebpf_btf_read(data + 1, size - 1, NULL, &btf, NULL))
		return 0;
	deduplicate(btf);
	if (data[0] & 3) {
		struct ebpf_btf *joined = join(data[0] & 2 ? btf : NULL, btf);
		deduplicate(joined);
		if (data[0] & 2)
			distill(joined, btf);
		ebpf_btf_free(joined);
	}
	ebpf_btf_free(btf);
	return 0;
}
