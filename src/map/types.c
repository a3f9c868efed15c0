/* types.c -- maps whose keys and values are said by name, as a person writes types: they get the BTF that the kernel wants of
 * storages, looks into for locks and timers, and shows to others (bpftool), and layouts for ourselves. */
#include "map/map.h"
#include "map/rules.h"

#include <stdio.h>
#include <stdlib.h>

struct names {
	const char *key, *value;
	const struct ebpf_btf *btf;
};

/* An open BTF object of nothing but these two types, and their ids in it. Names may be NULL: then id 0, which is "unknown". */
static int load_types(struct ebpf_kernel *kernel, const struct names *names, struct ebpf_map_extra *extra, struct ebpf_btf_object **out,
		      struct ebpf_error *err)
{
	struct ebpf_btf_builder *builder;
	struct ebpf_btf *btf = NULL;
	int64_t key = 0, value = 0;
	int ret;

	if (ebpf_kernel_lacks(kernel, EBPF_FEATURE_BTF))
		return ebpf_fail(err, ENOTSUP, "this kernel takes no BTF (Linux %s)", ebpf_feature_since(EBPF_FEATURE_BTF));
	builder = ebpf_btf_builder_new(NULL, 0);
	if (!builder)
		return ebpf_fail_memory(err);
	if (names->key)
		key = ebpf_btf_builder_add_named(builder, names->key, names->btf, err);
	if (key >= 0 && names->value)
		value = ebpf_btf_builder_add_named(builder, names->value, names->btf, err);
	ret = key < 0 ? (int)key : value < 0 ? (int)value : ebpf_btf_builder_read(builder, &btf, err);
	if (ret == 0)
		ret = ebpf_btf_load(kernel, btf, out, err);
	ebpf_btf_free(btf);
	ebpf_btf_builder_free(builder);
	if (ret < 0)
		return ret;
	extra->btf_fd = ebpf_btf_object_fd(*out);
	extra->btf_key_type_id = (uint32_t)key;
	extra->btf_value_type_id = (uint32_t)value;
	return 0;
}

static bool needs_types(uint32_t type)
{
	const struct ebpf_map_rule *rule = ebpf_map_rule(type);

	return rule && rule->needs == EBPF_MAP_NEEDS_BTF;
}

/* A storage's key is a descriptor, and what its value is need not be known. */
int ebpf_map_default_types(struct ebpf_kernel *kernel, const union bpf_attr *attr, struct ebpf_map_extra *extra,
			   struct ebpf_btf_object **out, struct ebpf_error *err)
{
	struct names names = { "int", NULL, NULL };
	char value[32];

	if (!needs_types(attr->map_type) || attr->key_size != sizeof(int) || !attr->value_size)
		return 0;
	snprintf(value, sizeof(value), "bytes[%u]", attr->value_size);
	names.value = value;
	return load_types(kernel, &names, extra, out, err);
}

static int layout_of(const char *name, const struct ebpf_btf *btf, bool stream, uint32_t *size, struct ebpf_layout **out,
		     struct ebpf_error *err)
{
	if (!name)
		return 0;
	*out = ebpf_layout_from_name(name, btf, err);
	if (!*out)
		return err ? -err->code : -EINVAL;
	if (!*size && !stream)
		*size = (*out)->size;
	return 0;
}

/* The types of a map that can do without are no reason to fail. */
static int describe(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_types *types,
		    struct ebpf_map_extra *extra, struct ebpf_btf_object **out, struct ebpf_error *err)
{
	const struct ebpf_map_rule *rule = ebpf_map_rule(spec->type);
	bool index = rule && rule->key_min == sizeof(uint32_t) && rule->key_max == sizeof(uint32_t);
	const struct names names = { types->key || !index ? types->key : "u32", types->value, types->btf };
	bool wanted = types->value && ebpf_map_takes_types(spec->type) && !ebpf_map_type_is_stream(spec->type);
	int ret;

	if (!wanted)
		return 0;
	ret = load_types(kernel, &names, extra, out, needs_types(spec->type) ? err : NULL);
	return ret == 0 || !needs_types(spec->type) ? 0 : ebpf_wrap(err, ret, "map '%s': its types", spec->name ? spec->name : "");
}

int ebpf_map_create_typed(struct ebpf_kernel *kernel, const struct ebpf_map_spec *asked, const struct ebpf_map_types *given,
			  struct ebpf_map **out, struct ebpf_error *err)
{
	struct ebpf_layout *key = NULL, *value = NULL;
	struct ebpf_btf_object *object = NULL;
	struct ebpf_map_types types = { 0 };
	struct ebpf_map_spec spec = *asked;
	struct ebpf_map *map = NULL, *inner = NULL;
	bool stream = ebpf_map_type_is_stream(spec.type);
	int ret;

	memcpy(&types, given, given->size < sizeof(types) ? given->size : sizeof(types));
	struct ebpf_map_extra extra = { .btf = types.btf };

	if (types.btf && ebpf_btf_swapped(types.btf)) {
		ret = ebpf_fail(err, EINVAL, "map '%s': its types are of the other byte order than this machine's", spec.name ? spec.name : "");
		ebpf_hint(err, "ebpf_btf_write (in Lua btf:bytes) gives the same types in another byte order");
		return ret;
	}
	ret = layout_of(types.key, types.btf, stream, &spec.key_size, &key, err);
	if (ret == 0)
		ret = layout_of(types.value, types.btf, stream, &spec.value_size, &value, err);
	if (ret == 0)
		ret = describe(kernel, &spec, &types, &extra, &object, err);
	if (ret == 0 && types.inner && spec.inner && !ebpf_map_type_holds_maps(spec.inner->type)) {
		ret = ebpf_map_create_typed(kernel, spec.inner, types.inner, &inner, err);
		if (ret < 0)
			ebpf_wrap(err, ret, "map '%s': template of its inner maps", spec.name ? spec.name : "");
		else
			extra.inner_fd = inner->fd;
	}
	if (ret == 0)
		ret = ebpf_map_create_with(kernel, &spec, &extra, &map, err);
	ebpf_btf_object_close(object);
	ebpf_map_close(inner);
	if (ret < 0) {
		ebpf_layout_free(key);
		ebpf_layout_free(value);
		return ret;
	}
	ret = ebpf_map_set_layouts(map, key, value, err);
	if (ret < 0) {
		ebpf_map_close(map);
		return ret;
	}
	*out = map;
	return 0;
}
