#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void *ebpf_grow(void *items, size_t *capacity, size_t count, size_t item_size)
{
	size_t wanted, bytes;
	void *grown;

	if (count < *capacity)
		return items;
	if (__builtin_mul_overflow(*capacity, (size_t)2, &wanted))
		return NULL;
	if (wanted < 8)
		wanted = 8;
	if (wanted <= count && __builtin_add_overflow(count, (size_t)1, &wanted))
		return NULL;
	if (__builtin_mul_overflow(wanted, item_size, &bytes))
		return NULL;
	grown = realloc(items, bytes);
	if (grown)
		*capacity = wanted;
	return grown;
}

/* Room for `more` bytes and a NUL behind them. */
static bool buffer_reserve(struct ebpf_buffer *buffer, size_t more)
{
	size_t need, wanted;
	char *grown;

	if (buffer->failed)
		return false;
	if (__builtin_add_overflow(buffer->size, more, &need) || __builtin_add_overflow(need, (size_t)1, &need))
		goto fail;
	if (need <= buffer->capacity)
		return true;
	if (__builtin_mul_overflow(buffer->capacity, (size_t)2, &wanted) || wanted < need)
		wanted = need;
	if (wanted < 64)
		wanted = 64;
	grown = realloc(buffer->data, wanted);
	if (!grown)
		goto fail;
	buffer->data = grown;
	buffer->capacity = wanted;
	return true;
fail:
	buffer->failed = true;
	return false;
}

void ebpf_buffer_add(struct ebpf_buffer *buffer, const void *data, size_t size)
{
	if (!buffer_reserve(buffer, size))
		return;
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void ebpf_buffer_printf(struct ebpf_buffer *buffer, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	/* Room for a usual line first: most calls need to format but once. */
	if (!buffer_reserve(buffer, 80))
		goto out;
	length = vsnprintf(buffer->data + buffer->size, buffer->capacity - buffer->size, format, arguments);
	if (length < 0) {
		buffer->data[buffer->size] = '\0';
		buffer->failed = true;
		goto out;
	}
	if ((size_t)length >= buffer->capacity - buffer->size) {
		buffer->data[buffer->size] = '\0';
		if (!buffer_reserve(buffer, length))
			goto out;
		vsnprintf(buffer->data + buffer->size, buffer->capacity - buffer->size, format, again);
	}
	buffer->size += length;
out:
	va_end(again);
	va_end(arguments);
}

void ebpf_buffer_free(struct ebpf_buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}
