/* query.c -- what is attached to a cgroup, an interface or a network namespace, by whomever.
 *
 * BPF_PROG_QUERY knows cgroups (4.15), network namespaces (4.18), tcx (6.6) and netkit (6.7); the programs of XDP, and of the filters that run
 * behind tcx, are told by rtnetlink. The kernel fills arrays of the size that it is given, and says when there are more. Ids of links and the revision come from Linux
 * 6.6 on, flags of each program in a cgroup from 6.1 on: a kernel that refuses them is asked for less.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link/netlink.h"

extern const struct ebpf_link_kind ebpf_kind_xdp, ebpf_kind_tc;

enum { FIRST_ROOM = 16, MOST_ROOM = 1 << 16 };

struct place {
	const struct ebpf_sys *sys;
	char text[160];
	uint32_t target;
	int fd; /* to be closed, or -1 */
};

static int open_place(struct place *place, struct ebpf_link_query *query, struct ebpf_error *err)
{
	const char *path = query->cgroup ? query->cgroup : query->netns;

	if ((query->cgroup != NULL) + (query->netns != NULL) + (query->interface != NULL) + (query->ifindex != 0) +
		    (query->target_fd != 0) != 1)
		return ebpf_fail(err, EINVAL, "query: one of cgroup, netns, interface, ifindex and target_fd is needed");
	if (query->interface) {
		snprintf(place->text, sizeof place->text, "query: interface '%s'", query->interface);
		place->target = if_nametoindex(query->interface);
		return place->target ? 0 : ebpf_fail_errno(err, -errno, "%s", place->text);
	}
	if (!path) {
		place->target = query->ifindex ? query->ifindex : (uint32_t)query->target_fd;
		snprintf(place->text, sizeof place->text, "query: %s %u", query->ifindex ? "interface" : "descriptor", place->target);
		return 0;
	}
	snprintf(place->text, sizeof place->text, "query: %s '%s'", query->cgroup ? "cgroup" : "network namespace", path);
	place->fd = place->sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | (query->cgroup ? O_DIRECTORY : 0), 0);
	place->target = (uint32_t)place->fd;
	return place->fd < 0 ? ebpf_fail_errno(err, place->fd, "%s", place->text) : 0;
}

/* `numbers`, zeroed: `room` ids of programs, as many flags, as many ids of links. `detail`: 0 = programs alone, 1 = flags, 2 =
 * links. */
static int ask(const struct place *place, struct ebpf_link_query *query, uint32_t *numbers, uint32_t room, int detail)
{
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.query.target_fd = place->target;
	attr.query.attach_type = query->attach_type;
	attr.query.query_flags = query->effective ? BPF_F_QUERY_EFFECTIVE : 0;
	attr.query.count = room;
	attr.query.prog_ids = ebpf_ptr(numbers);
	if (detail > 0 && !query->effective) /* whose flags it would be, the kernel could not say */
		attr.query.prog_attach_flags = ebpf_ptr(numbers + room);
	if (detail > 1)
		attr.query.link_ids = ebpf_ptr(numbers + 2 * (size_t)room);
	result = place->sys->bpf(BPF_PROG_QUERY, &attr, EBPF_ATTR_SIZE(query));
	query->count = attr.query.count;
	query->attach_flags = attr.query.attach_flags;
	query->revision = attr.query.revision;
	return result;
}

static int ask_in_detail(const struct place *place, struct ebpf_link_query *query, uint32_t *numbers, uint32_t room)
{
	int result = -EINVAL;

	for (int detail = 2; detail >= 0 && (result == -EINVAL || result == -E2BIG); detail--)
		result = ask(place, query, numbers, room, detail);
	return result;
}

/* Again with more room as long as there are more than fit. */
static int ask_all(const struct place *place, struct ebpf_link_query *query, struct ebpf_error *err)
{
	uint32_t *numbers = NULL;
	uint32_t room = FIRST_ROOM;
	int result;

	do {
		free(numbers);
		numbers = calloc((size_t)room * 3, sizeof(*numbers));
		result = numbers ? ask_in_detail(place, query, numbers, room) : -ENOMEM;
	} while (result == -ENOSPC && (room *= 4) <= MOST_ROOM);
	if (result < 0) {
		free(numbers);
		return ebpf_fail_errno(err, result, "%s", place->text);
	}
	query->items = calloc(query->count + 1, sizeof(*query->items));
	for (size_t i = 0; query->items && i < query->count; i++)
		query->items[i] = (struct ebpf_attached){ .program_id = numbers[i],
							  .attach_flags = numbers[room + i],
							  .link_id = numbers[2 * (size_t)room + i] };
	free(numbers);
	return query->items ? 0 : ebpf_fail_memory(err);
}

int ebpf_link_query_add(struct ebpf_link_query *query, const struct ebpf_attached *item)
{
	struct ebpf_attached *items = realloc(query->items, (query->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	query->items = items;
	query->items[query->count++] = *item;
	return 0;
}

static int ask_netlink(struct ebpf_kernel *kernel, const struct place *place, const struct ebpf_link_kind *kind,
		       int (*ask_kind)(struct ebpf_link *link, struct ebpf_link_query *query), struct ebpf_link_query *query,
		       struct ebpf_error *err)
{
	struct ebpf_link *link = ebpf_link_new(kernel, kind);
	int result;

	if (!link)
		return ebpf_fail_memory(err);
	link->ifindex = (int)place->target;
	result = ebpf_netlink_open(link);
	if (!result)
		result = ask_kind(link, query);
	ebpf_link_close(link);
	return result ? ebpf_fail_errno(err, result, "%s", place->text) : 0;
}

/* In the order in which they run: those of tcx, if the kernel knows it, then the filters. */
static int ask_tc(struct ebpf_kernel *kernel, const struct place *place, struct ebpf_link_query *query, struct ebpf_error *err)
{
	int result = -EINVAL;

	if (!ebpf_kernel_masked(kernel, EBPF_FEATURE_TCX))
		result = ask_all(place, query, err);
	if (result && (result != -EINVAL || ebpf_kernel_supports(kernel, EBPF_FEATURE_TCX)))
		return result;
	if (result) {
		query->count = 0;
		ebpf_error_clear(err);
	}
	return ask_netlink(kernel, place, &ebpf_kind_tc, ebpf_tc_query, query, err);
}

static int ask_place(struct ebpf_kernel *kernel, const struct place *place, struct ebpf_link_query *query, struct ebpf_error *err)
{
	bool interface = query->interface || query->ifindex;

	if (query->attach_type == BPF_XDP)
		return ask_netlink(kernel, place, &ebpf_kind_xdp, ebpf_xdp_query, query, err);
	if (interface && (query->attach_type == BPF_TCX_INGRESS || query->attach_type == BPF_TCX_EGRESS))
		return ask_tc(kernel, place, query, err);
	return ask_all(place, query, err);
}

int ebpf_link_query(struct ebpf_kernel *kernel, struct ebpf_link_query *query, struct ebpf_error *err)
{
	struct place place = { .sys = ebpf_kernel_sys(kernel), .fd = -1 };
	int result;

	if (query->size < sizeof(*query))
		return ebpf_fail(err, EINVAL, "query: size is not set");
	query->items = NULL;
	query->count = 0;
	result = open_place(&place, query, err);
	if (!result)
		result = ask_place(kernel, &place, query, err);
	if (place.fd >= 0)
		place.sys->close(place.fd);
	if (result)
		ebpf_link_query_free(query);
	return result;
}

void ebpf_link_query_free(struct ebpf_link_query *query)
{
	free(query->items);
	query->items = NULL;
	query->count = 0;
}
