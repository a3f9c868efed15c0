/* device.c -- the network interface that an option names, and the place among the programs that are there (BPF_F_BEFORE
 * and its kin: tcx 6.6, netkit 6.7, cgroup 6.17).
 */
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/link.h"

/* By ioctl on a socket of any kind; the index is that of the network namespace of this thread. */
static int find_interface(struct ebpf_link *link, const char *name)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(link->kernel);
	struct ifreq request = { 0 };
	int result, fd;

	if (strlen(name) >= sizeof request.ifr_name)
		return -ENODEV;
	memcpy(request.ifr_name, name, strlen(name));
	fd = sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	result = sys->ioctl(fd, SIOCGIFINDEX, (unsigned long)(uintptr_t)&request);
	sys->close(fd);
	return result < 0 ? result : request.ifr_ifindex;
}

int ebpf_link_choose_interface(struct ebpf_link *link, const struct ebpf_link_options *given, const char *word,
			       struct ebpf_error *err)
{
	int index = given->ifindex;

	if (!given->interface && given->ifindex <= 0)
		return ebpf_fail(err, EINVAL, "%s: an interface is needed", word);
	if (given->interface && given->ifindex)
		return ebpf_fail(err, EINVAL, "%s: either interface or ifindex, not both", word);
	if (given->interface) {
		index = find_interface(link, given->interface);
		if (index == -ENODEV)
			return ebpf_fail(err, ENODEV, "%s: there is no interface '%s' in this network namespace", word,
					 given->interface);
		if (index < 0)
			return ebpf_fail_errno(err, index, "%s: interface '%s'", word, given->interface);
	}
	link->ifindex = index;
	if (given->interface)
		return ebpf_link_set_target(link, err, "%s %s", word, given->interface);
	return ebpf_link_set_target(link, err, "%s interface %d", word, index);
}

/* -- the place among others -- */

/* The kernel gives info of any kind of object, in that kind's own layout: so ask first what it is. */
bool ebpf_link_fd_is(int fd, const char *kind)
{
	char path[64], text[64];
	ssize_t length;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	length = readlink(path, text, sizeof text - 1);
	text[length < 0 ? 0 : length] = '\0';
	return ebpf_starts_with(text, "anon_inode:") && !strcmp(text + strlen("anon_inode:"), kind);
}

bool ebpf_link_has_anchor(const struct ebpf_link_options *given)
{
	return given->place.first || given->place.before || given->place.after || given->place.before_id || given->place.after_id ||
	       given->place.expected_revision;
}

int ebpf_link_anchor(const struct ebpf_link_options *given, const char *word, uint32_t *flags, uint32_t *relative,
		     struct ebpf_error *err)
{
	int fd = given->place.before ? given->place.before : given->place.after;
	uint32_t id = given->place.before_id ? given->place.before_id : given->place.after_id;

	*flags = given->flags;
	*relative = 0;
	if (given->place.first + (given->place.before != 0) + (given->place.after != 0) + (given->place.before_id != 0) + (given->place.after_id != 0) > 1)
		return ebpf_fail(err, EINVAL, "%s: one of first, before, after, before_id and after_id, not several", word);
	if (given->place.first || given->place.before || given->place.before_id)
		*flags |= BPF_F_BEFORE;
	if (given->place.after || given->place.after_id)
		*flags |= BPF_F_AFTER;
	if (fd && ebpf_link_fd_is(fd, "bpf_link"))
		*flags |= BPF_F_LINK;
	else if (fd && !ebpf_link_fd_is(fd, "bpf-prog"))
		return ebpf_fail(err, EINVAL, "%s: descriptor %d is neither of a program nor of a link", word, fd);
	if (id)
		*flags |= BPF_F_ID;
	*relative = id ? id : (uint32_t)fd;
	return 0;
}

int ebpf_link_explain_anchor(struct ebpf_link *link, const struct ebpf_link_options *given, int code, struct ebpf_error *err)
{
	switch (code) {
	case -ESTALE:
		ebpf_fail(err, code, "%s: others have attached or detached meanwhile: revision %llu is not the present one",
			  link->target, (unsigned long long)given->place.expected_revision);
		break;
	case -ENOENT: case -ERANGE: case -EINVAL:
		if (given->place.before || given->place.after || given->place.before_id || given->place.after_id)
			ebpf_fail(err, code, "%s: what it is to be placed beside is not attached here", link->target);
		break;
	case -EEXIST:
		ebpf_fail(err, code, "%s: this program is attached here already", link->target);
		break;
	}
	return code;
}
