/* objects.c -- the objects of the whole kernel, by their ids. */
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
