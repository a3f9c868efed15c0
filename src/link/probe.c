/* probe.c -- the perf event of a kprobe or uprobe.
 *
 * Since Linux 4.17 the kprobe and uprobe PMUs make one that lives as long as its descriptor. Before, and for what the
 * PMUs do not know (maxactive, symbols with a dot), an event is defined in tracefs under a name of our own, and must be
 * removed again.
 */
#include <ctype.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "link/link.h"

#define REF_COUNTER_SHIFT 32 /* of config: PERF_UPROBE_REF_CTR_OFFSET_SHIFT */

static const char *pmu_name(const struct ebpf_probe *probe)
{
	return probe->user ? "uprobe" : "kprobe";
}

/* -- by the PMU -- */

static int open_by_pmu(struct ebpf_link *link, const struct ebpf_probe *probe, int type, int ret_bit)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.type = (uint32_t)type;
	if (probe->ret)
		attr.config |= 1ULL << ret_bit;
	if (probe->user)
		attr.config |= probe->ref_counter << REF_COUNTER_SHIFT;
	attr.config1 = ebpf_ptr(probe->name); /* kprobe_func or uprobe_path; 0 = an address follows */
	attr.config2 = probe->offset;         /* probe_offset or kprobe_addr */
	return ebpf_perf_open(link, &attr, probe->pid);
}

/* -- by tracefs -- */

static int write_definition(struct ebpf_link *link, bool user, const char *text, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(link->kernel);
	int fd, tracefs = ebpf_kernel_tracefs(link->kernel, err);
	ssize_t written;

	if (tracefs < 0)
		return tracefs;
	/* Appended: truncation would remove everybody's probes. */
	fd = sys->openat(tracefs, user ? "uprobe_events" : "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (fd < 0) {
		ebpf_link_fail(link, fd, err);
		if (fd == -ENOENT)
			ebpf_fail(err, ENOTSUP, "%s: this kernel has no %ss (CONFIG_%s_EVENTS)", link->target,
				  user ? "uprobe" : "kprobe", user ? "UPROBE" : "KPROBE");
		return fd == -ENOENT ? -ENOTSUP : fd;
	}
	written = sys->write(fd, text, strlen(text));
	sys->close(fd);
	return written < 0 ? ebpf_link_fail(link, (int)written, err) : 0;
}

/* EBUSY lasts until the kernel has let go of an event that was closed a moment ago. */
static int remove_event(struct ebpf_link *link, struct ebpf_error *err)
{
	bool user = ebpf_starts_with(link->legacy_event, "uprobes/");
	int result = -ENOMEM;
	char text[128];

	snprintf(text, sizeof text, "-:%s", link->legacy_event);
	for (int i = 0; i < 50; i++) {
		result = write_definition(link, user, text, err);
		if (result != -EBUSY)
			break;
		ebpf_kernel_sys(link->kernel)->poll(NULL, 0, 2);
	}
	return result;
}

/* Unlike any other in the system: the process, the time, and where the link is in memory. Group and name have at most
 * 63 characters. */
static char *make_event_name(const struct ebpf_link *link, const struct ebpf_probe *probe)
{
	struct timespec now;
	char *name;

	clock_gettime(CLOCK_MONOTONIC, &now);
	name = ebpf_sprintf("%ss/ebpf_%d_%llx_%llx", pmu_name(probe), (int)getpid(),
			    (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec,
			    (unsigned long long)((uintptr_t)link >> 4 & 0xffffff));
	return name;
}

/* "p:kprobes/NAME symbol+0x10", "r16:kprobes/NAME symbol", "p:uprobes/NAME /path:0x1234(0x5678)" */
static char *make_definition(const struct ebpf_probe *probe, const char *event)
{
	unsigned long long offset = probe->offset;
	char head[32] = "p";

	if (probe->ret && probe->max_active)
		snprintf(head, sizeof head, "r%u", probe->max_active);
	else if (probe->ret)
		snprintf(head, sizeof head, "r");
	if (!probe->user && probe->name)
		return ebpf_sprintf("%s:%s %s+0x%llx", head, event, probe->name, offset);
	if (!probe->user)
		return ebpf_sprintf("%s:%s 0x%llx", head, event, offset);
	if (probe->ref_counter)
		return ebpf_sprintf("%s:%s %s:0x%llx(0x%llx)", head, event, probe->name, offset,
				    (unsigned long long)probe->ref_counter);
	return ebpf_sprintf("%s:%s %s:0x%llx", head, event, probe->name, offset);
}

static bool has_space(const char *text)
{
	for (; *text; text++)
		if (isspace((unsigned char)*text))
			return true;
	return false;
}

static int open_by_tracefs(struct ebpf_link *link, const struct ebpf_probe *probe, struct ebpf_error *err)
{
	struct perf_event_attr attr;
	char *definition;
	int64_t id;
	int result;

	if (probe->name && has_space(probe->name))
		return ebpf_fail(err, ENOTSUP, "%s: tracefs takes no name with white space", link->target);
	link->legacy_event = make_event_name(link, probe);
	definition = link->legacy_event ? make_definition(probe, link->legacy_event) : NULL;
	if (!definition)
		return ebpf_fail_memory(err);
	result = write_definition(link, probe->user, definition, err);
	free(definition);
	if (result)
		return result;
	link->undo = remove_event;
	link->interface = "legacy";
	id = ebpf_kernel_tracepoint(link->kernel, probe->user ? "uprobes" : "kprobes",
				    strchr(link->legacy_event, '/') + 1, err);
	if (id < 0) {
		ebpf_wrap(err, (int)id, "%s", link->target);
		/* Linux before 4.12 takes the number for a part of the name. */
		if (probe->max_active)
			ebpf_hint(err, "max_active needs Linux 4.12");
		return (int)id;
	}
	memset(&attr, 0, sizeof attr);
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)id;
	result = ebpf_perf_open(link, &attr, probe->pid);
	return result ? ebpf_link_fail(link, result, err) : 0;
}

/* -- the chain -- */

static int fail_mode(struct ebpf_link *link, const struct ebpf_probe *probe, enum ebpf_attach_mode mode,
		     struct ebpf_error *err)
{
	const char *word = mode == EBPF_ATTACH_LINK ? "link" : "perf";

	if (probe->max_active)
		return ebpf_fail(err, ENOTSUP,
				 "%s: attach_mode '%s': max_active is known to tracefs alone (attach_mode 'legacy')",
				 link->target, word);
	return ebpf_fail(err, ENOTSUP, "%s: attach_mode '%s': this kernel has no %s events (Linux %s)", link->target,
			 word, pmu_name(probe),
			 ebpf_feature_since(probe->user ? EBPF_FEATURE_PERF_UPROBE : EBPF_FEATURE_PERF_KPROBE));
}

int ebpf_probe_open(struct ebpf_link *link, const struct ebpf_probe *probe, enum ebpf_attach_mode mode,
		    struct ebpf_error *err)
{
	enum ebpf_feature feature = probe->user ? EBPF_FEATURE_PERF_UPROBE : EBPF_FEATURE_PERF_KPROBE;
	bool wanted = mode != EBPF_ATTACH_LEGACY && !probe->max_active && !ebpf_kernel_masked(link->kernel, feature);
	int ret_bit = 0, type = wanted ? ebpf_kernel_pmu(link->kernel, pmu_name(probe), &ret_bit, NULL) : -ENOENT,
	    result;

	if (probe->ref_counter >> REF_COUNTER_SHIFT)
		return ebpf_fail(err, EINVAL, "%s: a reference counter at offset 0x%llx does not fit 32 bits",
				 link->target, (unsigned long long)probe->ref_counter);
	if (type >= 0) {
		result = open_by_pmu(link, probe, type, ret_bit);
		/* The PMU takes symbol names for event names, which may have no dot or colon (foo.isra.0): EINVAL. */
		if (result != -EINVAL || mode != EBPF_ATTACH_ANY || probe->user || !probe->name ||
		    !strpbrk(probe->name, ".:"))
			return result ? ebpf_link_fail(link, result, err) : 0;
	} else if (mode == EBPF_ATTACH_LINK || mode == EBPF_ATTACH_PERF) {
		return fail_mode(link, probe, mode, err);
	}
	return open_by_tracefs(link, probe, err);
}
