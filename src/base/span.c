#include "base/base.h"

bool ebpf_span_sub(struct ebpf_span span, uint64_t offset, uint64_t size, struct ebpf_span *out)
{
	if (offset > span.size || size > span.size - offset)
		return false;
	out->data = span.data ? span.data + offset : NULL;
	out->size = size;
	out->swapped = span.swapped;
	return true;
}

static bool copy(struct ebpf_span span, uint64_t offset, void *out, size_t size)
{
	if (offset > span.size || size > span.size - offset)
		return false;
	memcpy(out, span.data + offset, size);
	return true;
}

bool ebpf_span_u8(struct ebpf_span span, uint64_t offset, uint8_t *out)
{
	return copy(span, offset, out, sizeof(*out));
}

bool ebpf_span_u16(struct ebpf_span span, uint64_t offset, uint16_t *out)
{
	if (!copy(span, offset, out, sizeof(*out)))
		return false;
	if (span.swapped)
		*out = __builtin_bswap16(*out);
	return true;
}

bool ebpf_span_u32(struct ebpf_span span, uint64_t offset, uint32_t *out)
{
	if (!copy(span, offset, out, sizeof(*out)))
		return false;
	if (span.swapped)
		*out = __builtin_bswap32(*out);
	return true;
}

bool ebpf_span_u64(struct ebpf_span span, uint64_t offset, uint64_t *out)
{
	if (!copy(span, offset, out, sizeof(*out)))
		return false;
	if (span.swapped)
		*out = __builtin_bswap64(*out);
	return true;
}

const char *ebpf_span_string(struct ebpf_span span, uint64_t offset)
{
	if (offset >= span.size || !memchr(span.data + offset, '\0', span.size - offset))
		return NULL;
	return (const char *)span.data + offset;
}
