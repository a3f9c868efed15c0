/* objects.c -- the objects of the whole kernel: their ids, and whether their runs are counted. */
#include <stdlib.h>

#include "kernel/context.h"

int ebpf_kernel_next_id(struct ebpf_kernel *kernel, enum ebpf_object_kind kind, uint32_t after, uint32_t *id,
                        struct ebpf_error *err)
{
	static const struct {
		enum bpf_cmd cmd;
		const char *name, *since;
	} rows[] = {
	        [EBPF_OBJECT_PROGRAM] = {BPF_PROG_GET_NEXT_ID, "programs", "4.13"},
	        [EBPF_OBJECT_MAP] = {BPF_MAP_GET_NEXT_ID, "maps", "4.13"},
	        [EBPF_OBJECT_BTF] = {BPF_BTF_GET_NEXT_ID, "BTF", "5.1"},
	        [EBPF_OBJECT_LINK] = {BPF_LINK_GET_NEXT_ID, "links", "5.8"},
	};
	union bpf_attr attr;
	char why[256];
	int code;

	if (after >= INT32_MAX) /* ids are positive; the kernel answers EINVAL */
		return 0;
	memset(&attr, 0, sizeof attr);
	attr.start_id = after;
	code = kernel->sys->bpf(rows[kind].cmd, &attr, EBPF_ATTR_SIZE(open_flags));
	if (code >= 0) {
		*id = attr.next_id;
		return 1;
	}
	if (code == -ENOENT)
		return 0;
	ebpf_fail_errno(err, code, "kernel: list its %s", rows[kind].name);
	if (code == -EPERM) {
		ebpf_kernel_explain_eperm(kernel, why, sizeof why);
		ebpf_hint(err, "%s", why);
	} else if (code == -EINVAL) {
		ebpf_hint(err, "this needs Linux %s", rows[kind].since);
	}
	return code;
}

struct ebpf_stats {
	struct ebpf_kernel *kernel;
	int fd;
};

int ebpf_stats_enable(struct ebpf_kernel *kernel, struct ebpf_stats **out, struct ebpf_error *err)
{
	struct ebpf_stats *stats = calloc(1, sizeof *stats);
	union bpf_attr attr;
	char why[256];
	int code;

	if (!stats)
		return ebpf_fail_memory(err);
	memset(&attr, 0, sizeof attr);
	attr.enable_stats.type = BPF_STATS_RUN_TIME;
	stats->fd = kernel->sys->bpf(BPF_ENABLE_STATS, &attr, EBPF_ATTR_SIZE(enable_stats));
	code = stats->fd;
	if (code >= 0) {
		stats->kernel = ebpf_kernel_ref(kernel);
		*out = stats;
		return 0;
	}
	free(stats);
	ebpf_fail_errno(err, code, "kernel: count the runs of programs");
	if (code == -EPERM) {
		ebpf_kernel_explain_eperm(kernel, why, sizeof why);
		ebpf_hint(err, "%s", why);
	} else if (code == -EINVAL) {
		ebpf_hint(err, "this needs Linux 5.8; before that: sysctl kernel.bpf_stats_enabled=1");
	}
	return code;
}

void ebpf_stats_close(struct ebpf_stats *stats)
{
	if (!stats)
		return;
	stats->kernel->sys->close(stats->fd);
	ebpf_kernel_free(stats->kernel);
	free(stats);
}
