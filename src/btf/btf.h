/* btf.h -- types: raw BTF read in place.
 *
 * A struct ebpf_btf holds the bytes (mapped, owned or borrowed), one 32-bit offset per type, and an index by name
 * that is built on first use; there is no object per type. Everything hands out small views by value. Any bytes are
 * accepted or refused at read time so that the accessors below need no error path: offsets, member counts and string
 * offsets have been checked; type references have been checked to be below the count; cycles are possible and every
 * walk is bounded. Both byte orders. Split BTF: ids and string offsets go on after the base's.
 * Not here: finding vmlinux (kernel), CO-RE (load).
 */
#ifndef EBPF_BTF_H
#define EBPF_BTF_H

#include "base/base.h"

enum ebpf_btf_kind {
	BTF_KIND_UNKN,
	BTF_KIND_INT,
	BTF_KIND_PTR,
	BTF_KIND_ARRAY,
	BTF_KIND_STRUCT,
	BTF_KIND_UNION,
	BTF_KIND_ENUM,
	BTF_KIND_FWD,
	BTF_KIND_TYPEDEF,
	BTF_KIND_VOLATILE,
	BTF_KIND_CONST,
	BTF_KIND_RESTRICT,
	BTF_KIND_FUNC,
	BTF_KIND_FUNC_PROTO,
	BTF_KIND_VAR,
	BTF_KIND_DATASEC,
	BTF_KIND_FLOAT,
	BTF_KIND_DECL_TAG,
	BTF_KIND_TYPE_TAG,
	BTF_KIND_ENUM64,
	BTF_KIND_COUNT
};
enum { BTF_INT_SIGNED = 1, BTF_INT_CHAR = 2, BTF_INT_BOOL = 4 };
enum { BTF_VAR_STATIC, BTF_VAR_GLOBAL, BTF_VAR_EXTERN }; /* also the linkage of a FUNC, in vlen */

/* Walks the types whose essential name (name without ___flavour) is the first `length` bytes of `name`: pass 0
 * first, then the last result; own types only, not the base's, and neither functions nor variables nor sections. 0
 * at the end. This is what CO-RE looks candidates up with. */
uint32_t ebpf_btf_next_essential(const struct ebpf_btf *btf, const char *name, size_t length, uint32_t after);
bool ebpf_btf_swapped(const struct ebpf_btf *btf);
/* As ebpf_btf_read, but the bytes stay the caller's; `release` (or NULL) is called with them when the last reference
 * goes, and not on failure. */
int ebpf_btf_adopt(const void *data, size_t size, struct ebpf_btf *base,
                   void (*release)(void *context, const void *data, size_t size), void *context, struct ebpf_btf **out,
                   struct ebpf_error *err);
/* The raw bytes, header included. */
struct ebpf_span ebpf_btf_bytes(const struct ebpf_btf *btf);

/* The name as in C, without a body: "struct event", "const char *", "u32[4]", "struct {...}". For people. (name.c) */
void ebpf_btf_write_name(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out);
/* A FUNC as C declares it: "static int sum(int a, struct pair *p)". Nothing for another kind. */
void ebpf_btf_write_prototype(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out);

/* -- values (value.c, layout.c) -- */

static inline void ebpf_reverse(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = ((const uint8_t *)from)[size - 1 - i];
}

/* An integer of 1, 2, 4 or 8 bytes in host byte order, at any alignment; 0 for another size. What the decoders'
 * inner loops call. */
static inline int64_t ebpf_load_int(const void *data, uint32_t size, bool is_signed)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} value;
	switch (size) {
	case 1:
		memcpy(&value, data, 1);
		return is_signed ? (int8_t)value.u8 : (int64_t)value.u8;
	case 2:
		memcpy(&value, data, 2);
		return is_signed ? (int16_t)value.u16 : (int64_t)value.u16;
	case 4:
		memcpy(&value, data, 4);
		return is_signed ? (int32_t)value.u32 : (int64_t)value.u32;
	case 8:
		memcpy(&value, data, 8);
		return (int64_t)value.u64;
	default:
		return 0;
	}
}
static inline void ebpf_store_int(void *data, uint32_t size, int64_t value)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} narrow;
	switch (size) {
	case 1:
		narrow.u8 = value;
		memcpy(data, &narrow, 1);
		return;
	case 2:
		narrow.u16 = value;
		memcpy(data, &narrow, 2);
		return;
	case 4:
		narrow.u32 = value;
		memcpy(data, &narrow, 4);
		return;
	case 8:
		narrow.u64 = value;
		memcpy(data, &narrow, 8);
		return;
	}
}
/* The same of data in either order. */
int64_t ebpf_load_ordered(const void *data, uint32_t size, bool is_signed, bool is_swapped);
void ebpf_store_ordered(void *data, uint32_t size, int64_t value, bool is_swapped);
/* Bits of bytes in either order: `offset` (0..7) counts from the least significant bit of the first byte, or in
 * big-endian data from the most significant; size is 1..64. The upper bits of `value` are ignored. */
uint64_t ebpf_bits_get(const void *data, unsigned offset, unsigned size, bool big_endian);
void ebpf_bits_set(void *data, unsigned offset, unsigned size, bool big_endian, uint64_t value);
/* A data section as a struct of its variables. `offsets` (one per entry) and `size` stand in for what the compiler
 * leaves to the loader: NULL and 0 take them from the BTF, as from a map's in the kernel. */
struct ebpf_layout *ebpf_layout_from_datasec(const struct ebpf_btf *btf, uint32_t id, const uint32_t *offsets, uint32_t size,
                                             struct ebpf_error *err);

/* -- .BTF.ext (ext.c): records by section of the object; instruction offsets in bytes from the section's start. -- */

struct ebpf_ext_func {
	uint32_t offset, type_id;
};
struct ebpf_ext_line {
	uint32_t offset;
	uint32_t file, line; /* offsets in the BTF's strings: the path, the text */
	uint32_t line_col;   /* line << 10 | column */
};
struct ebpf_ext_relo {
	uint32_t offset, type_id;
	uint32_t access; /* string offset: "0:1:2" */
	uint32_t kind;   /* 0..12, or what a newer compiler wrote */
};
struct ebpf_ext_section {
	const char *name;
	struct ebpf_ext_func *funcs;
	size_t func_count;
	struct ebpf_ext_line *lines;
	size_t line_count;
	struct ebpf_ext_relo *relos;
	size_t relo_count;
};
struct ebpf_btf_ext {
	struct ebpf_ext_section *sections;
	size_t count;
};
/* Records longer than known are accepted, their tail ignored; each list comes out sorted by offset. */
int ebpf_btf_ext_read(struct ebpf_span span, const struct ebpf_btf *btf, struct ebpf_btf_ext *out, struct ebpf_error *err);
void ebpf_btf_ext_free(struct ebpf_btf_ext *ext);
const struct ebpf_ext_section *ebpf_btf_ext_find(const struct ebpf_btf_ext *ext, const char *section);

/* -- building (build.c, build_section.c, build_type.c): more of it is public -- */

/* A DATASEC of `size` bytes whose variables have these offsets, one per entry (the object's have zeros until the
 * loader fills them). `name` NULL: its own. Entries that are no variables, and empty ones, are left out; the others
 * come sorted, with their types before them. EINVAL when they overlap. */
int64_t ebpf_btf_builder_add_datasec(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id, const char *name,
                                     const uint32_t *offsets, uint32_t size, struct ebpf_error *err);
/* Small types by hand, for code that was not compiled from C: name may be "" */
int64_t ebpf_btf_builder_add_int(struct ebpf_btf_builder *builder, const char *name, uint32_t size, uint32_t encoding);
int64_t ebpf_btf_builder_add_func(struct ebpf_btf_builder *builder, const char *name, uint32_t return_type,
                                  const struct ebpf_param *params, uint32_t count, uint32_t linkage);
/* Functions from their prototypes (prototype.c): "static int sum(struct pair *p, u32 n)". What one prototype declares, the later
 * ones know; names of structs and typedefs that `known` (or NULL; it must live as long) has are its types. The builder must outlive
 * the declarations. `add` returns the id of a FUNC; *global (or NULL) becomes false for one that says static; its messages name the
 * column. */
struct ebpf_btf_declarations;
struct ebpf_btf_declarations *ebpf_btf_declarations_new(struct ebpf_btf_builder *builder, const struct ebpf_btf *known);
void ebpf_btf_declarations_free(struct ebpf_btf_declarations *declarations);
int64_t ebpf_btf_declarations_add(struct ebpf_btf_declarations *declarations, const char *prototype, bool *global,
                                  struct ebpf_error *err);
/* A pointer to an empty struct of this name, where the name is all that counts. */
int64_t ebpf_btf_builder_add_pointer(struct ebpf_btf_builder *builder, const char *struct_name);

/* -- subsets (subset.c): some of the types, and of their members -- */

/* References to types that are not in it become void, except that nothing refers to a member that is not there. */
struct ebpf_btf_subset;
struct ebpf_btf_subset *ebpf_btf_subset_new(struct ebpf_btf *btf); /* referenced; NULL without memory */
void ebpf_btf_subset_free(struct ebpf_btf_subset *subset);
void ebpf_btf_subset_add(struct ebpf_btf_subset *subset, uint32_t id);
bool ebpf_btf_subset_has(const struct ebpf_btf_subset *subset, uint32_t id);
/* -ENOMEM; the struct itself is added as well. */
int ebpf_btf_subset_add_member(struct ebpf_btf_subset *subset, uint32_t id, uint32_t index);
/* The types in their order, in the byte order that they have; never split, whatever they were. */
int ebpf_btf_subset_read(struct ebpf_btf_subset *subset, struct ebpf_btf **out, struct ebpf_error *err);

#endif
