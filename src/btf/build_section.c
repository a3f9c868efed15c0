/* build_section.c -- data sections in a BTF under construction. */
#include <stdlib.h>

#include "btf/build.h"

struct entry {
	const char *name;
	uint32_t type, offset, size; /* type: new id; of the variable, or of what it holds where there are no variables */
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A struct's name must be an identifier; a section's may have dots, but not '?' (before Linux 6.9), and nobody looks
 * at it. */
static void put_section_name(struct ebpf_btf_builder *builder, const char *name, bool identifier)
{
	if (!identifier && !btf_for_kernel(builder)) {
		btf_put_name(builder, name);
		return;
	}
	char *copy = ebpf_strdup(name);
	if (!copy) {
		btf_builder_fail(builder, -ENOMEM);
		return;
	}
	for (char *c = copy; *c; c++)
		if (identifier ? !is_word(*c) : *c == '?')
			*c = '_';
	btf_put_name(builder, copy);
	free(copy);
}

static void put_section(struct ebpf_btf_builder *builder, const char *name, const struct entry *entries, uint32_t count,
                        uint32_t size)
{
	bool replace = builder->lacks & EBPF_BTF_NO_DATASEC;

	put_section_name(builder, name, replace);
	btf_put(builder, (uint32_t)(replace ? BTF_KIND_STRUCT : BTF_KIND_DATASEC) << 24 | count);
	btf_put(builder, size);
	for (uint32_t i = 0; i < count; i++) {
		if (!replace) {
			btf_put(builder, entries[i].type);
			btf_put(builder, entries[i].offset);
			btf_put(builder, entries[i].size);
			continue;
		}
		if (entries[i].offset > UINT32_MAX / 8)
			btf_builder_fail(builder, -E2BIG);
		btf_put_name(builder, entries[i].name);
		btf_put(builder, entries[i].type);
		btf_put(builder, entries[i].offset * 8);
	}
}

static struct entry mention_entry(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, const struct ebpf_type *variable,
                                  uint32_t offset, uint32_t size)
{
	bool replace = (builder->lacks & EBPF_BTF_NO_DATASEC) && variable->kind == BTF_KIND_VAR;
	return (struct entry){
	        .name = variable->name,
	        .type = btf_mention(builder, btf, replace ? variable->type : variable->id),
	        .offset = offset,
	        .size = size,
	};
}

void btf_copy_section(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	struct entry *entries = calloc(type->vlen + (size_t)1, sizeof(*entries));
	if (!entries) {
		btf_builder_fail(builder, -ENOMEM);
		return;
	}
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(type, i);
		struct ebpf_type variable;
		if (ebpf_btf_type(type->btf, info.type, &variable))
			entries[i] = mention_entry(builder, type->btf, &variable, info.offset, info.size);
	}
	put_section(builder, type->name, entries, type->vlen, type->size);
	free(entries);
}

/* -- with offsets and sizes from the loader -- */

static int compare_offsets(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Bytes of a variable: its type's, or what the compiler wrote for one without ("extern int x[]"). */
static int64_t variable_size(const struct ebpf_type *variable, uint32_t written)
{
	int64_t size = ebpf_btf_sizeof(variable->btf, variable->type);
	return size == -EINVAL || (size >= 0 && size < written) ? (int64_t)written : size;
}

/* The variables in the order of their offsets, with their types written before them and they before the section:
 * before Linux 6.3 the kernel may fail to resolve what a variable's type refers to when it comes later. */
static int collect_entries(struct ebpf_btf_builder *builder, const struct ebpf_type *section, const uint32_t *offsets,
                           uint32_t size, struct entry *entries, uint32_t *count, struct ebpf_error *err)
{
	uint64_t end = 0;
	for (uint32_t i = 0; i < section->vlen; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(section, i);
		struct ebpf_type variable;
		if (!ebpf_btf_type(section->btf, info.type, &variable) || variable.kind != BTF_KIND_VAR)
			continue;
		/* Compilers split variables and keep a part, under the name and type of the whole: the kernel takes no such. */
		if (info.size && ebpf_btf_sizeof(section->btf, variable.type) > info.size)
			continue;
		int64_t bytes = variable_size(&variable, info.size);
		if (bytes < 0 || (uint64_t)offsets[i] + bytes > size)
			return ebpf_fail(err, EINVAL, "BTF: section '%.100s': variable '%.100s' lies outside of it", section->name,
			                 variable.name);
		if (!bytes)
			continue; /* the kernel takes no empty ones */
		int64_t id = ebpf_btf_builder_add(builder, section->btf, variable.type, err);
		if (id < 0)
			return id;
		entries[(*count)++] = mention_entry(builder, section->btf, &variable, offsets[i], bytes);
		btf_drain(builder);
	}
	qsort(entries, *count, sizeof(*entries), compare_offsets);
	for (uint32_t i = 0; i < *count; i++) {
		if (entries[i].offset < end)
			return ebpf_fail(err, EINVAL, "BTF: section '%.100s': variable '%.100s' overlaps the one before it",
			                 section->name, entries[i].name);
		end = (uint64_t)entries[i].offset + entries[i].size;
	}
	return 0;
}

static int64_t add_section(struct ebpf_btf_builder *builder, const struct ebpf_type *section, const char *name,
                           const struct entry *entries, uint32_t count, uint32_t size)
{
	int64_t id = builder->code ? builder->code : btf_next_id(builder);
	uint32_t *known = id < 0 ? NULL : btf_new_id(builder, section->btf, section->id);
	if (!known)
		btf_builder_fail(builder, id < 0 ? id : -ENOMEM);
	if (builder->code)
		return builder->code;
	*known = id; /* whoever mentions this section from now on means this one */
	put_section(builder, name, entries, count, size);
	return id;
}

int64_t ebpf_btf_builder_add_datasec(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id, const char *name,
                                     const uint32_t *offsets, uint32_t size, struct ebpf_error *err)
{
	struct ebpf_type section;
	uint32_t count = 0;

	if (!ebpf_btf_type(btf, id, &section) || section.kind != BTF_KIND_DATASEC)
		return ebpf_fail(err, EINVAL, "BTF: type %u is not a data section", id);
	struct entry *entries = calloc(section.vlen + (size_t)1, sizeof(*entries));
	if (!entries)
		return ebpf_fail_memory(err);
	int64_t result = collect_entries(builder, &section, offsets, size, entries, &count, err);
	if (!result) {
		result = add_section(builder, &section, name ? name : section.name, entries, count, size);
		if (builder->code)
			result = btf_builder_error(builder, err);
	}
	free(entries);
	return result;
}
