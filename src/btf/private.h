/* private.h -- what the files of the btf room share: the object itself and its 32-bit words.
 *
 * Invariant, made by scan_types() in read.c: offsets[] has one entry per own type; the header and everything that
 * its kind and vlen announce lie inside the type section; every name is inside the strings (which end in NUL); every
 * type id is below count.
 */
#ifndef EBPF_BTF_PRIVATE_H
#define EBPF_BTF_PRIVATE_H

#include "btf/btf.h"

/* Longest chain of typedefs and qualifiers, and deepest nesting, that anything here follows. The kernel's own limit
 * is 32. */
#define BTF_MAX_DEPTH 32

#define BTF_MAGIC       0xeb9fu
#define BTF_HEADER_SIZE 24u /* what every version has */
#define BTF_TYPE_SIZE   12u /* of the part that all kinds have */

/* Half of the name index: hash of the essential name -> first id. The other half is only built when one of its kind
 * is asked for: types are what CO-RE looks for, and a kernel has four times as many functions. */
enum btf_name_group { BTF_NAMES_OF_TYPES, BTF_NAMES_OF_CODE, BTF_NAME_GROUPS };
struct btf_names {
	uint32_t *buckets, mask;
	bool failed; /* no memory: names are then found by walking all types */
};

/* Sets of kinds. Tags are in neither: what they call a name is the text of an attribute, the same for thousands. */
#define BTF_SET(kind) ((uint64_t)1 << BTF_KIND_##kind)
static const uint64_t btf_code_names = BTF_SET(FUNC) | BTF_SET(VAR) | BTF_SET(DATASEC);
static const uint64_t btf_type_names = BTF_SET(INT) | BTF_SET(PTR) | BTF_SET(ARRAY) | BTF_SET(STRUCT) | BTF_SET(UNION) |
                                       BTF_SET(ENUM) | BTF_SET(FWD) | BTF_SET(TYPEDEF) | BTF_SET(VOLATILE) | BTF_SET(CONST) |
                                       BTF_SET(RESTRICT) | BTF_SET(FUNC_PROTO) | BTF_SET(FLOAT) | BTF_SET(ENUM64);

struct ebpf_btf {
	uint32_t references;
	bool swapped;            /* the bytes are in the other byte order */
	bool has_old_bit_fields; /* some INT is narrower than its size, or shifted: bit fields as before Linux 5.0 */
	bool has_tags;           /* there is a DECL_TAG */
	uint8_t pointer_size;    /* 0 = not yet looked for */
	struct ebpf_span bytes;
	const uint8_t *types;
	const char *strings;
	uint32_t types_size, strings_size;
	uint32_t strings_first;    /* string offsets below this are the base's */
	uint32_t first_id, count;  /* own types are first_id .. count - 1 */
	uint32_t *offsets;         /* of type first_id + i in the type section */
	const uint8_t *kind_sizes; /* the header's optional table of sizes per kind, 4 bytes a row (Linux 7.1) */
	uint32_t kind_sizes_count;
	struct btf_names names[BTF_NAME_GROUPS];
	/* Indices (id - first_id) of the types that have names, until their half of the index is built; how many
	 * names the other half has. */
	uint32_t *named, named_count, code_count;
	uint32_t *next; /* id - first_id -> next id of the same half and hash; 0 ends; NULL before a half is built */
	struct ebpf_btf *base;
	void (*release)(void *context, const void *data, size_t size);
	void *context;
};

static inline uint32_t btf_word(const uint8_t *bytes, bool swapped)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return swapped ? __builtin_bswap32(word) : word;
}

static inline uint32_t btf_info_kind(uint32_t info)
{
	return info >> 24 & 0x7f;
}
static inline uint32_t btf_info_vlen(uint32_t info)
{
	return info & 0xffffff;
}
static inline bool btf_info_flag(uint32_t info)
{
	return info >> 31;
}

/* Word `index` of a type's own data, past the common 12 bytes. */
static inline uint32_t btf_extra(const struct ebpf_type *type, uint32_t index)
{
	return btf_word(type->btf->types + type->extra + 4 * (size_t)index, type->btf->swapped);
}

/* The BTF of the chain that holds `id`, which must not be 0. */
static inline const struct ebpf_btf *btf_owner(const struct ebpf_btf *btf, uint32_t id)
{
	while (id < btf->first_id)
		btf = btf->base;
	return btf;
}

/* Type references of a record with this second word, by index: false past the last. `word` is where in the record it stands, in
 * words. */
bool btf_reference(uint32_t info, uint32_t index, uint32_t *word);
/* Replaces a BTF that is not split by the same one in the other byte order; NULL on failure. */
int btf_swap_order(struct ebpf_btf **btf, struct ebpf_error *err);
void btf_index_free(struct ebpf_btf *btf);

#endif
