/* layout.h -- what layout.c (from types) and layout_name.c (from names) share: a layout in the making. */
#ifndef EBPF_BTF_LAYOUT_H
#define EBPF_BTF_LAYOUT_H

#include "btf/private.h"

struct layout_builder {
	const struct ebpf_btf *btf;
	struct ebpf_error *err;
	uint32_t section_id;             /* the DATASEC to which these apply: */
	const uint32_t *section_offsets; /* or NULL */
	uint32_t section_size;           /* or 0 */
	int code;                        /* why there was no memory: -ENOMEM or -E2BIG */
	uint32_t visited;                /* members */
	struct ebpf_layout *root;
	uint32_t nodes;
	struct chunk *chunks;
	uint8_t *free;
	size_t room, memory;
	struct memo *memos;
	uint32_t memo_count, memo_capacity;
};

/* A node, and what a walk from it on would cost. */
struct made {
	struct ebpf_layout *node;
	uint32_t tree;   /* nodes below and with it, as often as a walk meets them */
	uint64_t values; /* the same for one value's decoding: elements of arrays counted each */
	unsigned height;
	bool fresh;
};

/* All return NULL or -errno with the error filled; after NULL, `code` is the errno. */
void *ebpf_layout_arena(struct layout_builder *builder, size_t size);
const char *ebpf_layout_string(struct layout_builder *builder, const char *text);
struct ebpf_layout *ebpf_layout_node(struct layout_builder *builder);
int ebpf_layout_make(struct layout_builder *builder, uint32_t id, unsigned depth, struct made *out);
void ebpf_layout_count(struct made *self, const struct made *child, uint64_t times);
int ebpf_layout_check(struct layout_builder *builder, const struct made *made);
bool ebpf_layout_is_char(const struct ebpf_btf *btf, uint32_t id);
/* The root, or NULL and nothing left of it. */
struct ebpf_layout *ebpf_layout_finish(struct layout_builder *builder, bool good);

#endif
