/* open.c -- links that exist: from a pin, or by id. What they are attached to is told by the kernel. */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"

/* Stand in for links of a type that no kind here makes by that name. */
#define UNMADE(type, text) [type] = { .name = text },
static const struct ebpf_link_kind unmade[] = { BPF_LINK_TYPES(UNMADE) };

static const struct ebpf_link_kind *kind_named(const char *name)
{
	for (const struct ebpf_link_kind *const *kind = ebpf_link_kinds; *kind; kind++)
		if (!strcmp((*kind)->name, name))
			return *kind;
	return NULL;
}

static const struct ebpf_link_kind *kind_of(const struct bpf_link_info *info)
{
	static const char *const by_event[] = {
		[BPF_PERF_EVENT_UPROBE] = "uprobe",         [BPF_PERF_EVENT_URETPROBE] = "uprobe",
		[BPF_PERF_EVENT_KPROBE] = "kprobe",         [BPF_PERF_EVENT_KRETPROBE] = "kprobe",
		[BPF_PERF_EVENT_TRACEPOINT] = "tracepoint",
	};
	const struct ebpf_link_kind *kind = NULL;

	if (info->type >= EBPF_COUNT(unmade))
		return &unmade[BPF_LINK_TYPE_UNSPEC];
	if (info->type == BPF_LINK_TYPE_PERF_EVENT && info->perf_event.type < EBPF_COUNT(by_event) &&
	    by_event[info->perf_event.type])
		kind = kind_named(by_event[info->perf_event.type]);
	if (!kind)
		kind = kind_named(unmade[info->type].name);
	return kind ? kind : &unmade[info->type];
}

static int get_info(struct ebpf_kernel *kernel, int fd, struct bpf_link_info *info)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof *info;
	attr.info.info = ebpf_ptr(info);
	return ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

/* -- what it is attached to, in words -- */

static const char *attach_name(uint32_t attach_type)
{
	const char *name = ebpf_enum_name(EBPF_ATTACH_TYPE, attach_type);

	return name ? name : "unknown";
}

static int describe_device(struct ebpf_link *link, const char *word, uint32_t ifindex, struct ebpf_error *err)
{
	char name[IF_NAMESIZE];

	if (!ifindex)
		return ebpf_link_set_target(link, err, "%s of a device that has gone", word);
	if (if_indextoname(ifindex, name))
		return ebpf_link_set_target(link, err, "%s %s", word, name);
	return ebpf_link_set_target(link, err, "%s interface %u", word, ifindex); /* of another network namespace */
}

static int describe_event(struct ebpf_link *link, const struct bpf_link_info *info, const char *name, struct ebpf_error *err)
{
	switch (info->perf_event.type) {
	case BPF_PERF_EVENT_UPROBE:
	case BPF_PERF_EVENT_URETPROBE:
		return ebpf_link_set_target(link, err, "%s %s+0x%x",
		                            info->perf_event.type == BPF_PERF_EVENT_UPROBE ? "uprobe" : "uretprobe", name,
		                            info->perf_event.uprobe.offset);
	case BPF_PERF_EVENT_KPROBE:
	case BPF_PERF_EVENT_KRETPROBE:
		return ebpf_link_set_target(link, err, "%s %s+0x%x",
		                            info->perf_event.type == BPF_PERF_EVENT_KPROBE ? "kprobe" : "kretprobe", name,
		                            info->perf_event.kprobe.offset);
	case BPF_PERF_EVENT_TRACEPOINT:
		return ebpf_link_set_target(link, err, "tracepoint %s", name);
	case BPF_PERF_EVENT_EVENT:
		return ebpf_link_set_target(link, err, "perf_event type %u, config 0x%llx", info->perf_event.event.type,
		                            (unsigned long long)info->perf_event.event.config);
	}
	return ebpf_link_set_target(link, err, "perf_event"); /* Linux before 6.6 does not tell */
}

/* `name` is what the kernel wrote into the buffer that it was given, or "". */
static int describe(struct ebpf_link *link, const struct bpf_link_info *info, const char *name, struct ebpf_error *err)
{
	switch (info->type) {
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		return ebpf_link_set_target(link, err, "raw_tracepoint %s", name);
	case BPF_LINK_TYPE_TRACING:
		return ebpf_link_set_target(link, err, "%s of type %u in BTF %u", attach_name(info->tracing.attach_type),
		                            info->tracing.target_btf_id, info->tracing.target_obj_id);
	case BPF_LINK_TYPE_CGROUP:
		return ebpf_link_set_target(link, err, "%s of cgroup %llu", attach_name(info->cgroup.attach_type),
		                            (unsigned long long)info->cgroup.cgroup_id);
	case BPF_LINK_TYPE_ITER:
		return ebpf_link_set_target(link, err, "iter %s", name);
	case BPF_LINK_TYPE_NETNS:
		return ebpf_link_set_target(link, err, "%s of network namespace %u", attach_name(info->netns.attach_type),
		                            info->netns.netns_ino);
	case BPF_LINK_TYPE_XDP:
		return describe_device(link, "xdp", info->xdp.ifindex, err);
	case BPF_LINK_TYPE_TCX:
		return describe_device(link, attach_name(info->tcx.attach_type), info->tcx.ifindex, err);
	case BPF_LINK_TYPE_NETKIT:
		return describe_device(link, attach_name(info->netkit.attach_type), info->netkit.ifindex, err);
	case BPF_LINK_TYPE_PERF_EVENT:
		return describe_event(link, info, name, err);
	case BPF_LINK_TYPE_KPROBE_MULTI:
		return ebpf_link_set_target(link, err, "kprobe_multi of %u functions", info->kprobe_multi.count);
	case BPF_LINK_TYPE_TRACING_MULTI:
		return ebpf_link_set_target(link, err, "%s of %u functions", attach_name(info->tracing_multi.attach_type),
		                            info->tracing_multi.count);
	case BPF_LINK_TYPE_UPROBE_MULTI:
		return ebpf_link_set_target(link, err, "uprobe_multi of %u places in %s", info->uprobe_multi.count, name);
	case BPF_LINK_TYPE_STRUCT_OPS:
		return ebpf_link_set_target(link, err, "struct_ops of map %u", info->struct_ops.map_id);
	case BPF_LINK_TYPE_NETFILTER:
		return ebpf_link_set_target(link, err, "netfilter family %u, hook %u, priority %d", info->netfilter.pf,
		                            info->netfilter.hooknum, info->netfilter.priority);
	case BPF_LINK_TYPE_SOCKMAP:
		return ebpf_link_set_target(link, err, "%s of map %u", attach_name(info->sockmap.attach_type),
		                            info->sockmap.map_id);
	}
	return ebpf_link_set_target(link, err, "%s", link->kind->name);
}

/* Names go where the caller wants them, by a second call: which member that is depends on the type. */
static void ask_name(struct ebpf_kernel *kernel, int fd, struct bpf_link_info *info, char *name, size_t size)
{
	const struct bpf_link_info first = *info;

	memset(info, 0, sizeof *info);
	switch (first.type) {
	case BPF_LINK_TYPE_RAW_TRACEPOINT:
		info->raw_tracepoint.tp_name = ebpf_ptr(name);
		info->raw_tracepoint.tp_name_len = (uint32_t)size;
		break;
	case BPF_LINK_TYPE_ITER:
		info->iter.target_name = ebpf_ptr(name);
		info->iter.target_name_len = (uint32_t)size;
		break;
	case BPF_LINK_TYPE_UPROBE_MULTI:
		info->uprobe_multi.path = ebpf_ptr(name);
		info->uprobe_multi.path_size = (uint32_t)size;
		break;
	case BPF_LINK_TYPE_PERF_EVENT: /* the file, function or tracepoint: all three begin alike */
		info->perf_event.uprobe.file_name = ebpf_ptr(name);
		info->perf_event.uprobe.name_len = (uint32_t)size;
		break;
	default:
		*info = first;
		return;
	}
	if (get_info(kernel, fd, info)) { /* a name that is too long, or that may not be seen */
		*info = first;
		name[0] = '\0';
	}
}

/* -- opening -- */

/* Takes the descriptor over. */
static int open_fd(struct ebpf_kernel *kernel, int fd, struct ebpf_link **out, struct ebpf_error *err)
{
	char name[4096] = "";
	struct bpf_link_info info = { 0 };
	struct ebpf_link *link;
	int result = get_info(kernel, fd, &info);

	if (result) {
		ebpf_kernel_sys(kernel)->close(fd);
		return ebpf_fail_errno(err, result, "info");
	}
	link = ebpf_link_new(kernel, kind_of(&info));
	if (!link) {
		ebpf_kernel_sys(kernel)->close(fd);
		return ebpf_fail_memory(err);
	}
	link->fd = fd;
	link->interface = "link";
	link->opened = true;
	link->attach_type = EBPF_NO_ATTACH_TYPE;
	ask_name(kernel, fd, &info, name, sizeof name);
	result = describe(link, &info, name, err);
	if (result) {
		ebpf_link_close(link);
		return result;
	}
	*out = link;
	return 0;
}

int ebpf_link_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_link **out, struct ebpf_error *err)
{
	enum ebpf_object_kind kind;
	struct ebpf_link *link = NULL;
	union bpf_attr attr;
	int result = ebpf_pin_kind(kernel, path, &kind, err);

	if (result)
		return ebpf_wrap(err, result, "link");
	if (kind != EBPF_OBJECT_LINK)
		return ebpf_fail(err, EINVAL, "link: open '%s': it is a %s", path, kind == EBPF_OBJECT_MAP ? "map" : "program");
	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	result = ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_GET, &attr, EBPF_ATTR_SIZE(file_flags));
	if (result < 0)
		return ebpf_fail_errno(err, result, "link: open '%s'", path);
	result = open_fd(kernel, result, &link, err);
	if (result)
		return ebpf_wrap(err, result, "link: open '%s'", path);
	link->pin_path = ebpf_strdup(path);
	if (!link->pin_path) {
		ebpf_link_close(link);
		return ebpf_fail_memory(err);
	}
	*out = link;
	return 0;
}

int ebpf_link_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_link **out, struct ebpf_error *err)
{
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.link_id = id;
	result = ebpf_kernel_sys(kernel)->bpf(BPF_LINK_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (result == -ENOENT)
		return ebpf_fail(err, ENOENT, "link: there is none with id %u", id);
	if (result < 0) {
		ebpf_fail_errno(err, result, "link: open id %u", id);
		if (result == -EINVAL)
			ebpf_hint(err, "links by id need Linux 5.8");
		return result;
	}
	result = open_fd(kernel, result, out, err);
	return result ? ebpf_wrap(err, result, "link: open id %u", id) : 0;
}
