/* Declaration tags: what __attribute__((btf_decl_tag("..."))) says of a function, a map or a variable. They are types that point to
 * what they are about, so they are sorted by that once, in objects that have any. */
#include "spec/object.h"

/* One pass over the types; an object without tags keeps no table. */
int ebpf_object_read_tags(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	uint32_t count = btf ? ebpf_btf_count(btf) : 0;
	struct ebpf_type type;

	/* backwards, so that the first of a type comes first */
	for (uint32_t id = count; id-- > 1;) {
		if (!ebpf_btf_type(btf, id, &type) || type.kind != BTF_KIND_DECL_TAG || type.type >= count)
			continue;
		if (!object->first_tag) {
			object->first_tag = ebpf_object_alloc(object, count, sizeof(*object->first_tag));
			object->next_tag = ebpf_object_alloc(object, count, sizeof(*object->next_tag));
			if (!object->first_tag || !object->next_tag)
				return ebpf_object_fail_memory(object, err);
		}
		object->next_tag[id] = object->first_tag[type.type];
		object->first_tag[type.type] = id;
	}
	return 0;
}

int ebpf_object_tags(struct ebpf_object *object, uint32_t type_id, const char *const **out, size_t *out_count,
                     struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	const char **tags;
	struct ebpf_type type;
	size_t count = 0;

	*out = NULL;
	*out_count = 0;
	if (!object->first_tag || type_id >= ebpf_btf_count(btf))
		return 0;
	for (uint32_t id = object->first_tag[type_id]; id; id = object->next_tag[id])
		count += ebpf_btf_type(btf, id, &type) && ebpf_type_component(&type) == -1;
	if (!count)
		return 0;
	tags = ebpf_spec_alloc(object->spec, count, sizeof(*tags));
	if (!tags)
		return ebpf_spec_fail_memory(object->spec, err);
	for (uint32_t id = object->first_tag[type_id]; id; id = object->next_tag[id])
		if (ebpf_btf_type(btf, id, &type) && ebpf_type_component(&type) == -1)
			tags[(*out_count)++] = type.name;
	*out = tags;
	return 0;
}

uint32_t ebpf_object_context_params(struct ebpf_object *object, uint32_t type_id)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	uint32_t params = 0;
	struct ebpf_type type;

	if (!object->first_tag || type_id >= ebpf_btf_count(btf))
		return 0;
	for (uint32_t id = object->first_tag[type_id]; id; id = object->next_tag[id]) {
		if (!ebpf_btf_type(btf, id, &type) || strcmp(type.name, "arg:ctx") != 0)
			continue;
		if (ebpf_type_component(&type) >= 0 && ebpf_type_component(&type) < 32)
			params |= 1U << ebpf_type_component(&type);
	}
	return params;
}
