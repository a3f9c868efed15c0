/* info.c -- what the kernel tells of a link: by its descriptor, and where there is no BPF link, by what carries the program. */
#include <stdlib.h>
#include <unistd.h>

#include "link/link.h"

int ebpf_link_object_info(const struct ebpf_kernel *kernel, int fd, void *info, uint32_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = ebpf_ptr(info);
	return ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

uint32_t ebpf_link_program_id(struct ebpf_link *link, int fd)
{
	struct bpf_prog_info info = { 0 };

	return ebpf_link_object_info(link->kernel, fd, &info, sizeof info) ? 0 : info.id;
}

/* The program of an attachment without a BPF link: by the descriptor that was kept, or by the perf event (Linux
 * 4.18). */
static int program_of(struct ebpf_link *link, uint32_t *id)
{
	struct bpf_prog_info info = { 0 };
	struct ebpf_task_fd event;
	int result;

	if (link->program_fd_kept >= 0) {
		result = ebpf_link_object_info(link->kernel, link->program_fd_kept, &info, sizeof info);
		*id = info.id;
		return result;
	}
	result = ebpf_kernel_task_fd(link->kernel, getpid(), link->perf_fd, &event, NULL);
	if (!result)
		*id = event.program_id;
	return result;
}

static int map_of(struct ebpf_link *link, uint32_t *id)
{
	struct bpf_map_info info = { 0 };
	int result = ebpf_link_object_info(link->kernel, link->map->fd, &info, sizeof info);

	*id = info.id;
	return result;
}

static uint32_t attach_type_of(const struct bpf_link_info *info, uint32_t otherwise)
{
	switch (info->type) {
	case BPF_LINK_TYPE_TRACING: return info->tracing.attach_type;
	case BPF_LINK_TYPE_CGROUP: return info->cgroup.attach_type;
	case BPF_LINK_TYPE_NETNS: return info->netns.attach_type;
	case BPF_LINK_TYPE_TCX: return info->tcx.attach_type;
	case BPF_LINK_TYPE_NETKIT: return info->netkit.attach_type;
	case BPF_LINK_TYPE_SOCKMAP: return info->sockmap.attach_type;
	case BPF_LINK_TYPE_XDP: return BPF_XDP;
	case BPF_LINK_TYPE_PERF_EVENT: return BPF_PERF_EVENT;
	default: return otherwise;
	}
}

/* The kernel writes names where it is told to, in a second call: only then it is known that there is one. Which members say where
 * depends on the type. */
static void take_name(struct ebpf_kernel *kernel, int fd, struct ebpf_link_info *info)
{
	struct bpf_link_info raw;

	memset(&raw, 0, sizeof raw);
	switch (info->type) {
	case BPF_LINK_TYPE_UPROBE_MULTI:
		raw.uprobe_multi.path = ebpf_ptr(info->name);
		raw.uprobe_multi.path_size = sizeof info->name;
		break;
	case BPF_LINK_TYPE_PERF_EVENT: /* the file, function or tracepoint: all three begin alike */
		raw.perf_event.uprobe.file_name = ebpf_ptr(info->name);
		raw.perf_event.uprobe.name_len = sizeof info->name;
		break;
	default: /* tp_name of raw tracepoints and its length are at the same place */
		raw.iter.target_name = ebpf_ptr(info->name);
		raw.iter.target_name_len = sizeof info->name;
		break;
	}
	if (ebpf_link_object_info(kernel, fd, &raw, sizeof raw))
		info->name[0] = '\0';
	info->name[sizeof info->name - 1] = '\0';
}

static void take_perf_event(struct ebpf_kernel *kernel, int fd, const struct bpf_link_info *raw, struct ebpf_link_info *info)
{
	info->event = raw->perf_event.type;
	switch (info->event) {
	case EBPF_EVENT_UPROBE: case EBPF_EVENT_URETPROBE:
		info->cookie = raw->perf_event.uprobe.cookie;
		info->offset = raw->perf_event.uprobe.offset;
		break;
	case EBPF_EVENT_KPROBE: case EBPF_EVENT_KRETPROBE:
		info->cookie = raw->perf_event.kprobe.cookie;
		info->missed = raw->perf_event.kprobe.missed;
		info->offset = raw->perf_event.kprobe.offset;
		info->address = raw->perf_event.kprobe.addr;
		break;
	case EBPF_EVENT_TRACEPOINT:
		info->cookie = raw->perf_event.tracepoint.cookie;
		break;
	case EBPF_EVENT_OTHER:
		info->cookie = raw->perf_event.event.cookie;
		info->config = raw->perf_event.event.config;
		info->event_type = raw->perf_event.event.type;
		return;
	}
	if (info->event)
		take_name(kernel, fd, info);
}

static void take_details(struct ebpf_kernel *kernel, int fd, const struct bpf_link_info *raw, struct ebpf_link_info *info)
{
	switch (raw->type) {
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		info->cookie = raw->raw_tracepoint.cookie;
		take_name(kernel, fd, info);
		break;
	case BPF_LINK_TYPE_TRACING:
		info->target_object_id = raw->tracing.target_obj_id;
		info->target_btf_id = raw->tracing.target_btf_id;
		info->cookie = raw->tracing.cookie;
		break;
	case BPF_LINK_TYPE_CGROUP:
		info->cgroup_id = raw->cgroup.cgroup_id;
		break;
	case BPF_LINK_TYPE_ITER:
		take_name(kernel, fd, info);
		info->map_id = raw->iter.map.map_id;
		if (!strcmp(info->name, "cgroup")) {
			info->cgroup_id = raw->iter.cgroup.cgroup_id;
			info->flags = raw->iter.cgroup.order;
		}
		if (ebpf_starts_with(info->name, "task")) {
			info->tid = raw->iter.task.tid;
			info->pid = raw->iter.task.pid;
		}
		break;
	case BPF_LINK_TYPE_NETNS:
		info->netns_ino = raw->netns.netns_ino;
		break;
	case BPF_LINK_TYPE_XDP:
		info->ifindex = raw->xdp.ifindex;
		break;
	case BPF_LINK_TYPE_TCX: case BPF_LINK_TYPE_NETKIT:
		info->ifindex = raw->tcx.ifindex;
		break;
	case BPF_LINK_TYPE_STRUCT_OPS:
		info->map_id = raw->struct_ops.map_id;
		break;
	case BPF_LINK_TYPE_SOCKMAP:
		info->map_id = raw->sockmap.map_id;
		break;
	case BPF_LINK_TYPE_NETFILTER:
		info->family = raw->netfilter.pf;
		info->hook = raw->netfilter.hooknum;
		info->priority = raw->netfilter.priority;
		info->flags = raw->netfilter.flags;
		break;
	case BPF_LINK_TYPE_KPROBE_MULTI:
		info->count = raw->kprobe_multi.count;
		info->missed = raw->kprobe_multi.missed;
		info->flags = raw->kprobe_multi.flags;
		break;
	case BPF_LINK_TYPE_TRACING_MULTI:
		info->count = raw->tracing_multi.count;
		break;
	case BPF_LINK_TYPE_UPROBE_MULTI:
		info->count = raw->uprobe_multi.count;
		info->pid = raw->uprobe_multi.pid;
		info->flags = raw->uprobe_multi.flags;
		take_name(kernel, fd, info);
		break;
	case BPF_LINK_TYPE_PERF_EVENT:
		take_perf_event(kernel, fd, raw, info);
		break;
	}
}

/* What all of them have in common, and how many places they are. */
static int info_of_parts(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err)
{
	struct ebpf_link_info part, found = { 0 };
	uint32_t total = 0;

	for (size_t i = link->part_count; i-- > 0;) {
		int result = ebpf_link_info(link->parts[i], &part, err);

		if (result)
			return result;
		total += part.count ? part.count : 1;
		found = part;
	}
	found.id = 0;
	found.count = total;
	*info = found;
	return 0;
}

int ebpf_link_info(struct ebpf_link *link, struct ebpf_link_info *info, struct ebpf_error *err)
{
	struct ebpf_link_info found = { .attach_type = link->attach_type };
	struct bpf_link_info raw;
	int result = 0;

	if (link->detached)
		return ebpf_link_fail_detached(link, "info", err);
	if (link->part_count)
		return info_of_parts(link, info, err);
	memset(&raw, 0, sizeof raw);
	if (link->fd >= 0) {
		result = ebpf_link_object_info(link->kernel, link->fd, &raw, sizeof raw);
		found.type = raw.type;
		found.id = raw.id;
		found.program_id = raw.prog_id;
		found.attach_type = attach_type_of(&raw, link->attach_type);
		if (!result)
			take_details(link->kernel, link->fd, &raw, &found);
	} else if (!link->map) {
		result = program_of(link, &found.program_id);
	}
	if (!result && link->map)
		result = map_of(link, &found.map_id);
	if (result) {
		ebpf_fail_errno(err, result, "link '%s': info", link->target);
		if (result == -EINVAL)
			ebpf_hint(err, "the info of links needs Linux 5.8");
		return result;
	}
	*info = found;
	return 0;
}

/* -- the places of a link on many -- */

/* Room for a number of each list of so many places; NULL when out of memory. */
struct lists {
	uint64_t *first, *second, *third;
	uint32_t *ids;
};

static bool make_lists(struct lists *lists, uint32_t count)
{
	lists->first = calloc((size_t)count * 3 + 1, sizeof *lists->first);
	lists->ids = calloc((size_t)count + 1, sizeof *lists->ids);
	if (!lists->first || !lists->ids)
		return false;
	lists->second = lists->first + count;
	lists->third = lists->second + count;
	return true;
}

/* Asks again, with room for what was counted. */
static int ask_places(struct ebpf_link *link, const struct bpf_link_info *counted, const struct lists *lists)
{
	struct bpf_link_info raw;

	memset(&raw, 0, sizeof raw);
	switch (counted->type) {
	case BPF_LINK_TYPE_KPROBE_MULTI:
		raw.kprobe_multi.count = counted->kprobe_multi.count;
		raw.kprobe_multi.addrs = ebpf_ptr(lists->first);
		raw.kprobe_multi.cookies = ebpf_ptr(lists->third);
		break;
	case BPF_LINK_TYPE_UPROBE_MULTI:
		raw.uprobe_multi.count = counted->uprobe_multi.count;
		raw.uprobe_multi.offsets = ebpf_ptr(lists->first);
		raw.uprobe_multi.ref_ctr_offsets = ebpf_ptr(lists->second);
		raw.uprobe_multi.cookies = ebpf_ptr(lists->third);
		break;
	default:
		raw.tracing_multi.count = counted->tracing_multi.count;
		raw.tracing_multi.ids = ebpf_ptr(lists->ids);
		raw.tracing_multi.addrs = ebpf_ptr(lists->first);
		raw.tracing_multi.cookies = ebpf_ptr(lists->third);
		break;
	}
	return ebpf_link_object_info(link->kernel, link->fd, &raw, sizeof raw);
}

static void copy_places(uint32_t type, const struct lists *lists, uint32_t count, struct ebpf_link_place *places)
{
	bool in_file = type == BPF_LINK_TYPE_UPROBE_MULTI;

	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct ebpf_link_place){ .address = in_file ? 0 : lists->first[i],
						      .offset = in_file ? lists->first[i] : 0,
						      .ref_counter_offset = in_file ? lists->second[i] : 0,
						      .cookie = lists->third[i],
						      .type_id = lists->ids[i] };
}

/* Adds the places of one BPF link to those that were found. */
static int add_places(struct ebpf_link *link, struct ebpf_link_place **places, size_t *count, struct ebpf_error *err)
{
	struct bpf_link_info counted;
	struct ebpf_link_place *grown;
	struct lists lists = { 0 };
	uint32_t more = 0;
	int result;

	memset(&counted, 0, sizeof counted);
	result = link->fd >= 0 ? ebpf_link_object_info(link->kernel, link->fd, &counted, sizeof counted) : -ENOTSUP;
	if (!result && counted.type != BPF_LINK_TYPE_KPROBE_MULTI && counted.type != BPF_LINK_TYPE_UPROBE_MULTI &&
	    counted.type != BPF_LINK_TYPE_TRACING_MULTI)
		result = -ENOTSUP;
	if (!result) /* the count is at different places of the union */
		more = counted.type == BPF_LINK_TYPE_KPROBE_MULTI ? counted.kprobe_multi.count :
		       counted.type == BPF_LINK_TYPE_UPROBE_MULTI ? counted.uprobe_multi.count : counted.tracing_multi.count;
	if (!result && !make_lists(&lists, more))
		result = -ENOMEM;
	if (!result)
		result = ask_places(link, &counted, &lists);
	if (!result) {
		grown = realloc(*places, (*count + more + 1) * sizeof *grown);
		if (grown) {
			*places = grown;
			copy_places(counted.type, &lists, more, grown + *count);
			*count += more;
		} else {
			result = -ENOMEM;
		}
	}
	free(lists.first);
	free(lists.ids);
	if (result == -ENOTSUP)
		return ebpf_fail(err, ENOTSUP, "link '%s': places: it is not a BPF link on many places", link->target);
	return result ? ebpf_fail_errno(err, result, "link '%s': places", link->target) : 0;
}

int ebpf_link_places(struct ebpf_link *link, struct ebpf_link_place **out, size_t *count, struct ebpf_error *err)
{
	struct ebpf_link_place *places = NULL;
	size_t found = 0;
	int result = 0;

	if (link->detached)
		return ebpf_link_fail_detached(link, "places", err);
	if (!link->part_count)
		result = add_places(link, &places, &found, err);
	for (size_t i = 0; !result && i < link->part_count; i++)
		result = add_places(link->parts[i], &places, &found, err);
	if (result) {
		free(places);
		return result;
	}
	*out = places;
	*count = found;
	return 0;
}
