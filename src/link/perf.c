/* perf.c -- programs on perf events: what tracepoints, kprobes, uprobes and counters have in common.
 *
 * BPF_LINK_CREATE (5.15) gives a link that can be pinned and carries a cookie; before it PERF_EVENT_IOC_SET_BPF ties
 * the program to the life of the event's descriptor.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "link/link.h"

/* The first CPU that is online: an event for all processes is opened on one CPU and yet its program runs on all. */
static int first_cpu(const struct ebpf_sys *sys)
{
	char text[16] = "";
	int fd = sys->openat(AT_FDCWD, "/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (sys->read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	sys->close(fd);
	return atoi(text);
}

int ebpf_perf_open_on(struct ebpf_link *link, struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof *attr;
	fd = ebpf_kernel_sys(link->kernel)->perf_event_open(attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return fd;
	link->perf_fd = fd;
	return 0;
}

int ebpf_perf_open(struct ebpf_link *link, struct perf_event_attr *attr, pid_t pid)
{
	int result = ebpf_perf_open_on(link, attr, pid, pid < 0 ? 0 : -1);

	if (result == -ENODEV && pid < 0)
		result = ebpf_perf_open_on(link, attr, pid, first_cpu(ebpf_kernel_sys(link->kernel)));
	return result;
}

static int attach_by_link(struct ebpf_link *link, struct ebpf_program *program, uint64_t cookie)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.target_fd = (uint32_t)link->perf_fd;
	attr.link_create.attach_type = BPF_PERF_EVENT;
	attr.link_create.perf_event.bpf_cookie = cookie;
	return ebpf_link_create(link, &attr);
}

static int fail_attach(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	if (code == -EEXIST)
		ebpf_hint(err, "the event has as many programs as it can take");
	else if (code == -EACCES)
		ebpf_hint(err, "the program reads more of its context than this event has");
	return code;
}

static int attach_by_ioctl(struct ebpf_link *link, struct ebpf_program *program, uint64_t cookie,
			   enum ebpf_attach_mode mode, struct ebpf_error *err)
{
	int result;

	if (cookie) {
		ebpf_fail(err, ENOTSUP, "%s: a cookie needs a BPF link", link->target);
		if (mode == EBPF_ATTACH_ANY)
			ebpf_hint(err, "links on perf events came with Linux %s",
				  ebpf_feature_since(EBPF_FEATURE_PERF_LINK));
		else
			ebpf_hint(err, "leave attach_mode out");
		return -ENOTSUP;
	}
	result =
		ebpf_kernel_sys(link->kernel)->ioctl(link->perf_fd, PERF_EVENT_IOC_SET_BPF, (unsigned long)program->fd);
	if (result < 0)
		return fail_attach(link, result, err);
	if (!link->interface)
		link->interface = "perf";
	return 0;
}

int ebpf_perf_attach(struct ebpf_link *link, struct ebpf_program *program, uint64_t cookie, enum ebpf_attach_mode mode,
		     struct ebpf_error *err)
{
	const char *interface = link->interface; /* "legacy" when the event is our own of tracefs */
	bool wanted = mode == EBPF_ATTACH_ANY || mode == EBPF_ATTACH_LINK;
	int result = -EOPNOTSUPP;

	if (wanted && !ebpf_kernel_masked(link->kernel, EBPF_FEATURE_PERF_LINK))
		result = attach_by_link(link, program, cookie);
	if (result && wanted && ebpf_kernel_supports(link->kernel, EBPF_FEATURE_PERF_LINK))
		return fail_attach(link, result, err);
	if (result && mode == EBPF_ATTACH_LINK)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'link': links on perf events need Linux %s",
				 link->target, ebpf_feature_since(EBPF_FEATURE_PERF_LINK));
	if (result)
		result = attach_by_ioctl(link, program, cookie, mode, err);
	if (result)
		return result;
	if (interface)
		link->interface = interface;
	link->attach_type = BPF_PERF_EVENT;
	result = ebpf_kernel_sys(link->kernel)->ioctl(link->perf_fd, PERF_EVENT_IOC_ENABLE, 0);
	return result < 0 ? ebpf_link_fail(link, result, err) : 0;
}
