/* write.c -- a whole BTF as bytes: for the other byte order, and for kernels that lack kinds. */
#include <stdlib.h>

#include "btf/private.h"

uint32_t ebpf_btf_lacks(const char *name)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} rows[] = {
	        {"func", EBPF_BTF_NO_FUNC},     {"datasec", EBPF_BTF_NO_DATASEC},   {"global_func", EBPF_BTF_NO_GLOBAL_FUNC},
	        {"float", EBPF_BTF_NO_FLOAT},   {"decl_tag", EBPF_BTF_NO_DECL_TAG}, {"type_tag", EBPF_BTF_NO_TYPE_TAG},
	        {"enum64", EBPF_BTF_NO_ENUM64},
	};
	for (size_t i = 0; i < EBPF_COUNT(rows); i++)
		if (!strcmp(name, rows[i].name))
			return rows[i].bit;
	return 0;
}

static void swap_words(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 4 <= size; i += 4) {
		uint32_t word;
		memcpy(&word, bytes + i, sizeof(word));
		word = __builtin_bswap32(word);
		memcpy(bytes + i, &word, sizeof(word));
	}
}

static void swap_halves(uint8_t *bytes)
{
	uint8_t first = bytes[0];
	bytes[0] = bytes[1];
	bytes[1] = first;
}

/* Types are words throughout. The header is made anew: what it may have past the parts that are known could not be swapped. */
static int write_swapped(const struct ebpf_btf *btf, void **data, size_t *size, struct ebpf_error *err)
{
	const bool kinds = btf->kind_sizes_count;
	const uint32_t head = kinds ? 32 : BTF_HEADER_SIZE, kinds_size = 4 * btf->kind_sizes_count;
	/* Types, the table of kinds, strings. */
	const uint32_t words[] = {head,      0, btf->types_size, btf->types_size + kinds_size, btf->strings_size, btf->types_size,
	                          kinds_size};
	const size_t total = (size_t)head + btf->types_size + kinds_size + btf->strings_size;
	uint8_t *bytes = malloc(total), *at = bytes + head;
	if (!bytes)
		return ebpf_fail_memory(err);
	memcpy(bytes, btf->bytes.data, 4);
	swap_halves(bytes);
	memcpy(bytes + 4, words, head - 4);
	if (!btf->swapped) /* the words are the host's */
		swap_words(bytes + 4, head - 4);
	memcpy(at, btf->types, btf->types_size);
	swap_words(at, btf->types_size);
	at += btf->types_size;
	if (kinds_size)
		memcpy(at, btf->kind_sizes, kinds_size);
	for (uint32_t i = 0; i < btf->kind_sizes_count; i++) /* two sizes of one byte, flags of two */
		swap_halves(at + 4 * (size_t)i + 2);
	at += kinds_size;
	if (btf->strings_size)
		memcpy(at, btf->strings, btf->strings_size);
	*data = bytes;
	*size = total;
	return 0;
}

static int write_same(const struct ebpf_btf *btf, void **data, size_t *size, struct ebpf_error *err)
{
	void *bytes = malloc(btf->bytes.size);
	if (!bytes)
		return ebpf_fail_memory(err);
	memcpy(bytes, btf->bytes.data, btf->bytes.size);
	*data = bytes;
	*size = btf->bytes.size;
	return 0;
}

int ebpf_btf_write(const struct ebpf_btf *btf, uint32_t lacks, bool big_endian, void **data, size_t *size, struct ebpf_error *err)
{
	struct ebpf_btf *rebuilt = NULL;
	int result = 0;

	if (lacks) {
		/* Only in host byte order, and split only on a base in it. */
		if (btf->base && btf->swapped)
			return ebpf_fail(err, ENOTSUP, "BTF: split BTF of the other byte order cannot be rewritten");
		struct ebpf_btf_builder *builder = ebpf_btf_builder_new(btf->base, lacks);
		if (!builder)
			return ebpf_fail_memory(err);
		int64_t first = ebpf_btf_builder_add_all(builder, btf, err);
		result = first < 0 ? (int)first : ebpf_btf_builder_read(builder, &rebuilt, err);
		ebpf_btf_builder_free(builder);
		if (result)
			return result;
		btf = rebuilt;
	}
	result = ebpf_btf_big_endian(btf) == big_endian ? write_same(btf, data, size, err) : write_swapped(btf, data, size, err);
	ebpf_btf_free(rebuilt);
	return result;
}

int btf_swap_order(struct ebpf_btf **btf, struct ebpf_error *err)
{
	struct ebpf_btf *swapped = NULL;
	void *data = NULL;
	size_t size = 0;
	int result = ebpf_btf_write(*btf, 0, !ebpf_btf_big_endian(*btf), &data, &size, err);
	if (!result)
		result = ebpf_btf_read(data, size, NULL, &swapped, err);
	free(data);
	ebpf_btf_free(*btf);
	*btf = swapped;
	return result;
}
