/* struct_ops.c -- tables of functions that the kernel calls: a struct_ops map, whose only element is the table.
 *
 * Chain: BPF_LINK_CREATE on a map with BPF_F_LINK (6.4) -> writing the element, which registers the table (5.6). The load has put
 * the table together (map->struct_ops_value); a map that was opened by its pin or id has its element already, if a link is to be made
 * of it.
 */
#include <stdlib.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	{ 0 },
};

/* EBUSY: it has the element already, from the load or an earlier link, and keeps it. */
static int write_element(struct ebpf_map *map)
{
	const uint32_t zero = 0;
	union bpf_attr attr;
	int result;

	if (!map->struct_ops_value)
		return map->flags & BPF_F_LINK ? 0 : -ENODATA;
	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)map->fd;
	attr.key = ebpf_ptr(&zero);
	attr.value = ebpf_ptr(map->struct_ops_value);
	result = ebpf_kernel_sys(map->kernel)->bpf(BPF_MAP_UPDATE_ELEM, &attr, EBPF_ATTR_SIZE(flags));
	return result == -EBUSY && map->flags & BPF_F_LINK ? 0 : result;
}

/* Deleting the element unregisters the table; EINPROGRESS and ENOENT: it is on its way, or gone. */
static int erase_element(struct ebpf_link *link, struct ebpf_error *err)
{
	const uint32_t zero = 0;
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)link->map->fd;
	attr.key = ebpf_ptr(&zero);
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_MAP_DELETE_ELEM, &attr, EBPF_ATTR_SIZE(flags));
	if (result == -ENOENT || result == -EINPROGRESS)
		result = 0;
	return result ? ebpf_fail_errno(err, result, "link '%s': detach", link->target) : 0;
}

static int explain(struct ebpf_link *link, struct ebpf_map *map, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -EEXIST:
		ebpf_hint(err, "the kernel has a table of that name already: give it another (spec.maps.%s.fields.name), or detach the other",
			  map->name);
		break;
	case -EBUSY:
		ebpf_hint(err, "it is attached already, or the kernel takes only one table of this kind at a time");
		break;
	case -EINVAL:
		ebpf_hint(err, "the kernel did not accept the table: a function that must be there is missing, or a field has a wrong value; "
			       "dmesg may say more");
		break;
	case -ENODATA:
		ebpf_fail(err, ENODATA, "%s: what it is to be filled with is not known", link->target);
		ebpf_hint(err, "load it from its object; only maps of .struct_ops.link can be opened and attached by another process");
		break;
	}
	return code;
}

static int attach_map(struct ebpf_map *map, const struct ebpf_link_options *given, struct ebpf_link *link, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result;

	(void)given;
	if (map->type != BPF_MAP_TYPE_STRUCT_OPS)
		return ebpf_fail(err, EINVAL, "it is not a struct_ops map");
	result = ebpf_link_set_target(link, err, "struct_ops %s", map->name);
	if (result)
		return result;
	result = write_element(map);
	if (result)
		return explain(link, map, result, err);
	link->attach_type = BPF_STRUCT_OPS;
	link->map = ebpf_map_ref(map);
	if (!(map->flags & BPF_F_LINK)) {
		link->interface = "map";
		link->undo = erase_element;
		return 0;
	}
	memset(&attr, 0, sizeof attr);
	attr.link_create.map_fd = (uint32_t)map->fd;
	attr.link_create.attach_type = BPF_STRUCT_OPS;
	result = ebpf_link_create(link, &attr);
	return result ? explain(link, map, result, err) : 0;
}

static int update_map(struct ebpf_link *link, struct ebpf_map *map, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result = 0;

	if (link->fd < 0 || !(map->flags & BPF_F_LINK)) {
		ebpf_fail(err, ENOTSUP, "link '%s': update: only maps of .struct_ops.link (Linux 6.4) are replaced in one step", link->target);
		ebpf_hint(err, "detach it and attach the other map");
		return -ENOTSUP;
	}
	result = write_element(map);
	if (result)
		return ebpf_fail_errno(err, result, "link '%s': update to map '%s'", link->target, map->name);
	memset(&attr, 0, sizeof attr);
	attr.link_update.link_fd = (uint32_t)link->fd;
	attr.link_update.new_map_fd = (uint32_t)map->fd;
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_LINK_UPDATE, &attr, EBPF_ATTR_SIZE(link_update));
	if (result) {
		ebpf_fail_errno(err, result, "link '%s': update to map '%s'", link->target, map->name);
		if (result == -EOPNOTSUPP || result == -EINVAL)
			ebpf_hint(err, "both must be of the same struct and, where the kernel tells tables apart by a name, have the same one");
		return result;
	}
	ebpf_map_ref(map);
	ebpf_map_close(link->map);
	link->map = map;
	return 0;
}

const struct ebpf_link_kind ebpf_kind_struct_ops = {
	.name = "struct_ops",
	.since = "5.6",
	.options = options,
	.attach_map = attach_map,
	.update_map = update_map,
};
