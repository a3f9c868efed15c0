/* A HID device's reports changed on their way (HID-BPF): the second byte becomes what `replacement` says. */
#include "bpf.h"

struct hid_bpf_ctx { u32 allocated_size; } CORE;
struct hid_bpf_ops {
	int hid_id;
	u32 flags;
	int (*hid_device_event)(struct hid_bpf_ctx *context, int type, u64 source);
};

u8 *hid_bpf_get_data(struct hid_bpf_ctx *context, unsigned int offset, const u64 rdwr_buf_size) KSYM;

u32 replacement = 1, seen;

SEC("struct_ops") int event(u64 *context)
{
	u8 *data = hid_bpf_get_data((struct hid_bpf_ctx *)context[0], 0, 4);

	if (!data)
		return 0;
	data[1] = (u8)replacement;
	seen++;
	return 0;
}

SEC(".struct_ops.link") struct hid_bpf_ops device = { .hid_device_event = (void *)event };

char _license[] SEC("license") = "GPL";
