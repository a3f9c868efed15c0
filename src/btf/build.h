/* build.h -- what build.c, build_section.c and build_type.c share: a BTF in the making. */
#ifndef EBPF_BTF_BUILD_H
#define EBPF_BTF_BUILD_H

#include "btf/private.h"

/* A BTF that types were taken from: new ids by old ones. */
struct source {
	struct ebpf_btf *btf;
	uint32_t *ids;      /* [id - first_id] */
	uint32_t *tags;     /* [id] -> first DECL_TAG about it; NULL when there are none at all */
	uint32_t *next_tag; /* [tag - first_id] -> the next about the same type */
};
/* A type that has a new id and waits to be written; without a BTF it is the placeholder. */
struct item {
	const struct ebpf_btf *btf;
	uint32_t id;
};

/* An id that was given before its type was there. `at` is where it belongs among the types that were written in order. */
struct reserved {
	uint32_t id;
	size_t at, start, size; /* start and size: in `late`; 0 = not yet added */
};

struct ebpf_btf_builder {
	uint32_t lacks; /* EBPF_BTF_NO_... */
	int code;       /* of the first failure */
	struct ebpf_btf *base;
	uint32_t first_id;
	uint32_t last_id;     /* of the types so far, waiting ones included; first_id - 1 when there are none */
	uint32_t placeholder; /* id of an INT that stands for enumerators of 64 bits, or 0 */
	struct ebpf_buffer types, strings;
	uint32_t strings_first; /* offset of the first own string */
	uint32_t *slots, slot_capacity, string_count;
	struct reserved *reserved;
	size_t reserved_count, reserved_capacity;
	struct ebpf_buffer late;              /* types with reserved ids */
	bool closed;                          /* only what has been enqueued is copied; references to other types become void */
	const struct ebpf_btf_subset *subset; /* the only members that are copied; NULL = all */
	struct {
		uint32_t from, to;
	} farthest; /* the greatest id that a type added by hand refers to, and which one that was */
	struct source *sources;
	size_t source_count, source_capacity, recent_source;
	struct item *queue;
	size_t queue_count, queue_capacity;
};

static inline bool btf_for_kernel(const struct ebpf_btf_builder *builder)
{
	return builder->lacks & EBPF_BTF_FOR_KERNEL;
}

void btf_builder_fail(struct ebpf_btf_builder *builder, int code);
int btf_builder_error(struct ebpf_btf_builder *builder, struct ebpf_error *err);
int64_t btf_next_id(struct ebpf_btf_builder *builder);
void btf_put(struct ebpf_btf_builder *builder, uint32_t word);
void btf_put_name(struct ebpf_btf_builder *builder, const char *name);
void btf_put_type(struct ebpf_btf_builder *builder, const char *name, uint32_t kind, bool flag, uint32_t vlen,
                  uint32_t size_or_type);
uint32_t btf_mention(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id);
uint32_t *btf_new_id(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id);
void btf_drain(struct ebpf_btf_builder *builder);
void btf_enqueue(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id);
/* Whether a struct's member is in the subset (subset.c). */
bool btf_subset_has_member(const struct ebpf_btf_subset *subset, const struct ebpf_type *type, uint32_t index);
/* A DATASEC as it stands, from within btf_drain. */
void btf_copy_section(struct ebpf_btf_builder *builder, const struct ebpf_type *type);

#endif
