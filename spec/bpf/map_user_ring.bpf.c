// SPDX-License-Identifier: MIT
// Programs that read what user space wrote into a ring, and that write into one which overwrites.
#include "bpf.h"

struct dynptr { u64 opaque[2]; } __attribute__((aligned(8)));
struct order {
	u32 kind, count;
	u64 amount;
};
struct message { // as long as its text
	u32 kind, count;
	char text[];
};

static long (*const dynptr_read)(void *to, u32 size, const struct dynptr *from, u32 offset, u64 flags) = (void *)201;
static long (*const user_ringbuf_drain)(void *ring, void *callback, void *context, u64 flags) = (void *)209;

struct {
	UINT(type, BPF_MAP_TYPE_USER_RINGBUF);
	UINT(max_entries, 4096);
	TYPE(value, struct order);
} orders SEC(".maps");

u64 total = 0;
u32 seen = 0, last_kind = 0;
u64 drain_flags = 0;
char text[16] = { 0 };
struct message message_for_types = { 0 };

static long take(struct dynptr *record, void *context)
{
	struct order order;

	if (dynptr_read(&order, sizeof(order), record, 0, 0) == 0) {
		total += order.amount * order.count;
		last_kind = order.kind;
	} else {
		dynptr_read(text, 4, record, 0, 0);
	}
	seen++;
	return 0;
}

SEC("syscall")
long drain(void *context)
{
	return user_ringbuf_drain(&orders, take, 0, drain_flags);
}
