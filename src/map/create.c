/* create.c -- from a spec to a map in the kernel. */
#include "map/map.h"
#include "map/rules.h"
#include "sys/policy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* -- handles -- */

/* Descriptor 0 means "none" in many members of union bpf_attr, and a process without standard streams would get just that. */
static int above_standard_streams(const struct ebpf_sys *sys, int fd)
{
	int copy;

	if (fd > 2)
		return fd;
	copy = sys->fcntl(fd, F_DUPFD_CLOEXEC, 3);
	sys->close(fd);
	return copy;
}

int ebpf_map_adopt(struct ebpf_kernel *kernel, int fd, const char *name, struct ebpf_map **out, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(kernel);
	struct ebpf_map *map = NULL;

	fd = above_standard_streams(sys, fd);
	if (fd < 0)
		return ebpf_fail_errno(err, fd, "map '%s': cannot move its descriptor", name);
	map = calloc(1, sizeof(*map));
	if (map)
		map->name = ebpf_strdup(name);
	if (!map || !map->name) {
		free(map);
		sys->close(fd);
		return ebpf_fail_memory(err);
	}
	map->refs = 1;
	map->fd = fd;
	map->kernel = ebpf_kernel_ref(kernel);
	*out = map;
	return 0;
}

bool ebpf_map_is_percpu_type(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

int ebpf_map_cpus_of(struct ebpf_kernel *kernel, uint32_t type, uint32_t *out, struct ebpf_error *err)
{
	int count = ebpf_map_is_percpu_type(type) ? ebpf_kernel_cpu_count(kernel, err) : 0;

	if (count < 0)
		return count;
	*out = (uint32_t)count;
	return 0;
}

bool ebpf_map_type_is_stream(uint32_t type)
{
	return type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF || type == BPF_MAP_TYPE_PERF_EVENT_ARRAY;
}

/* -- what a spec leaves open -- */

/* The kernel takes a power of two that is a multiple of the page size; an object may have been made for another page size. */
static uint32_t ring_size(uint32_t asked)
{
	uint64_t size = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!asked)
		return 0; /* forgotten: let the kernel complain */
	while (size < asked)
		size <<= 1;
	return size > UINT32_MAX ? asked : (uint32_t)size;
}

static void fill_in(const struct ebpf_map_spec *spec, union bpf_attr *attr)
{
	const struct ebpf_map_rule *rule = ebpf_map_rule(spec->type);

	if (ebpf_map_type_is_stream(spec->type) && (spec->key_type_id || spec->value_type_id))
		attr->key_size = attr->value_size = 0; /* sizes of what flows through */
	if (!rule)
		return;
	/* as many frames as the kernel has by itself (kernel.perf_event_max_stack) */
	if (spec->type == BPF_MAP_TYPE_STACK_TRACE && !attr->value_size)
		attr->value_size = 127 * (attr->map_flags & BPF_F_STACK_BUILD_ID ? 32 : 8);
	attr->map_flags |= rule->flags;
	if (!attr->key_size && rule->key_min == rule->key_max)
		attr->key_size = rule->key_min;
	/* descriptors and the like; where there are two sizes the longer is an extension */
	if (!attr->value_size && rule->value_max < UINT32_MAX)
		attr->value_size = rule->value_min;
}

int ebpf_map_attributes(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, union bpf_attr *attr, struct ebpf_error *err)
{
	memset(attr, 0, sizeof(*attr));
	attr->map_type = spec->type;
	attr->key_size = spec->key_size;
	attr->value_size = spec->value_size;
	attr->max_entries = spec->max_entries;
	attr->map_flags = spec->flags;
	attr->map_extra = spec->map_extra;
	fill_in(spec, attr);
	if (spec->numa_node || (spec->flags & BPF_F_NUMA_NODE)) {
		attr->numa_node = spec->numa_node;
		attr->map_flags |= BPF_F_NUMA_NODE;
	}
	if (spec->type == BPF_MAP_TYPE_RINGBUF || spec->type == BPF_MAP_TYPE_USER_RINGBUF)
		attr->max_entries = ring_size(spec->max_entries);
	if (spec->type == BPF_MAP_TYPE_CPUMAP || (spec->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY && !spec->max_entries)) {
		int cpus = ebpf_kernel_cpu_count(kernel, err);

		if (cpus < 0)
			return cpus;
		/* no element of a cpumap but those of CPUs can be set; a perf event array may be indexed by other things */
		if (!spec->max_entries || spec->max_entries > (uint32_t)cpus)
			attr->max_entries = (uint32_t)cpus;
	}
	return 0;
}

/* -- creation -- */

static int try_create(struct ebpf_kernel *kernel, const union bpf_attr *attr)
{
	size_t size = attr->value_type_btf_obj_fd ? EBPF_ATTR_SIZE(value_type_btf_obj_fd) : EBPF_ATTR_SIZE(map_extra);
	union bpf_attr copy = *attr;
	int fd = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &copy, size);

	/* Before Linux 5.11 memory counts against RLIMIT_MEMLOCK, and EPERM is how that ends. */
	if (fd == -EPERM) {
		ebpf_kernel_raise_memlock(kernel);
		copy = *attr;
		fd = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &copy, size);
	}
	return fd;
}

static int create_fd(struct ebpf_kernel *kernel, union bpf_attr *attr, const char *name, struct ebpf_error *err)
{
	int fd;

	ebpf_policy_begin();
	fd = try_create(kernel, attr);
	/* Types describe a map, few need them; kernels differ in which maps may have them. */
	if (fd < 0 && attr->btf_fd && !attr->btf_vmlinux_value_type_id) {
		union bpf_attr plain = *attr;
		int plain_fd;

		plain.btf_fd = plain.btf_key_type_id = plain.btf_value_type_id = 0;
		plain_fd = try_create(kernel, &plain);
		if (plain_fd >= 0)
			fd = plain_fd;
	}
	ebpf_policy_end();
	return fd < 0 ? ebpf_map_explain(kernel, name, attr, fd, err) : fd;
}

bool ebpf_map_type_holds_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

/* Shows the kernel what inner maps look like: it is asked about once, when the outer map is made. */
static int create_template(struct ebpf_kernel *kernel, const struct ebpf_map_spec *outer, struct ebpf_map **out, struct ebpf_error *err)
{
	int ret;

	if (ebpf_map_type_holds_maps(outer->inner->type))
		return ebpf_fail(err, EINVAL, "map '%s': create: the kernel does not allow maps of maps of maps", outer->name);
	ret = ebpf_map_create_with(kernel, outer->inner, NULL, out, err);
	return ret < 0 ? ebpf_wrap(err, ret, "map '%s': template of its inner maps", outer->name) : 0;
}

static void set_fields(struct ebpf_map *map, const union bpf_attr *attr, uint32_t cpu_count)
{
	map->type = attr->map_type;
	map->key_size = attr->key_size;
	map->value_size = attr->value_size;
	map->max_entries = attr->max_entries;
	map->flags = attr->map_flags;
	map->numa_node = attr->numa_node;
	map->map_extra = attr->map_extra;
	map->cpu_count = cpu_count;
}

int ebpf_map_create_with(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, const struct ebpf_map_extra *extra,
			 struct ebpf_map **out, struct ebpf_error *err)
{
	static const struct ebpf_map_extra nothing;
	const char *name = spec->name ? spec->name : "";
	struct ebpf_map *map = NULL, *inner = NULL;
	struct ebpf_btf_object *types = NULL;
	struct ebpf_map_extra described;
	union bpf_attr attr;
	uint32_t cpus = 0;
	int ret;

	described = extra ? *extra : nothing;
	extra = &described;
	ret = ebpf_map_attributes(kernel, spec, &attr, err);
	if (ret == 0)
		ret = ebpf_map_cpus_of(kernel, spec->type, &cpus, err);
	if (ret == 0 && !extra->inner_fd && spec->inner && ebpf_map_type_holds_maps(spec->type))
		ret = create_template(kernel, spec, &inner, err);
	if (ret < 0)
		return ret;
	if (!extra->btf_fd) /* without success the kernel says what it thinks of a map without types */
		ebpf_map_default_types(kernel, &attr, &described, &types, NULL);
	ebpf_kernel_object_name(kernel, name, attr.map_name);
	attr.inner_map_fd = (uint32_t)(inner ? inner->fd : extra->inner_fd);
	attr.btf_fd = (uint32_t)extra->btf_fd;
	attr.btf_key_type_id = extra->btf_key_type_id;
	attr.btf_value_type_id = extra->btf_value_type_id;
	attr.btf_vmlinux_value_type_id = extra->btf_vmlinux_value_type_id;
	attr.value_type_btf_obj_fd = extra->value_type_btf_fd;
	ret = create_fd(kernel, &attr, name, err);
	ebpf_btf_object_close(types);
	ebpf_map_close(inner);
	if (ret >= 0)
		ret = ebpf_map_adopt(kernel, ret, name, &map, err);
	if (!map)
		return ret;
	set_fields(map, &attr, cpus);
	if (extra->btf)
		ebpf_map_set_types(map, extra->btf, spec->key_type_id, spec->value_type_id);
	*out = map;
	return 0;
}

int ebpf_map_create(struct ebpf_kernel *kernel, const struct ebpf_map_spec *spec, struct ebpf_map **out, struct ebpf_error *err)
{
	return ebpf_map_create_with(kernel, spec, NULL, out, err);
}
