/* SPDX-License-Identifier: MIT */
/* records.bpf.h -- for BPF programs in C: records that are counted when they are lost, and that wake their reader as rarely as it likes.
 *
 * Include it behind <linux/bpf.h> or vmlinux.h, and <bpf/bpf_helpers.h>.
 *
 *   EBPF_RECORDS(events, 1 << 20, struct event);     a ring buffer, and beside it the count of what it had no room for
 *
 *   struct event *e = EBPF_RESERVE(events, sizeof(*e));
 *   if (!e)
 *           return 0;                                counted
 *   e->pid = ...;
 *   EBPF_SUBMIT(events, e);                          or bpf_ringbuf_discard(e, 0)
 *
 *   EBPF_OUTPUT(events, &event, sizeof(event));      copies instead
 *
 * The convention behind it: the count of the ring buffer NAME is the map NAME_lost, a per-CPU array (or an array) of one u64. A reader of the library finds it
 * in the collection by that name, and tells the counts for each CPU as it does those of a perf buffer, which the kernel keeps. A ring refuses a record
 * silently: only the program sees it.
 *
 * The type of the records stands where a map's values have theirs, so that readers decode by it. libbpf would make the map by its size, which the kernel
 * refuses: for a loader with libbpf, bpf_map__set_value_size(map, 0) before loading.
 *
 * When the reader is woken: EBPF_SUBMIT and EBPF_OUTPUT leave it to the kernel (whenever the reader has read everything before). With EBPF_WAKE_BYTES
 * defined, before this file is included, as a number of bytes, the reader is woken when so many wait, and otherwise not; with 0 never: the reader then
 * comes by itself (`every` in Lua), which is the cheapest for the program.
 */
#ifndef EBPF_RECORDS_BPF_H
#define EBPF_RECORDS_BPF_H

#define EBPF_RECORDS(name, bytes, record_type)                                                                                         \
	struct {                                                                                                                       \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                                                    \
		__uint(max_entries, bytes);                                                                                            \
		__type(value, record_type);                                                                                            \
	} name SEC(".maps");                                                                                                           \
	struct {                                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                                               \
		__uint(max_entries, 1);                                                                                                \
		__type(key, __u32);                                                                                                    \
		__type(value, __u64);                                                                                                  \
	} name##_lost SEC(".maps")

/* Atomic: a program of another context (an interrupt, an NMI) may run in the middle of one on the same CPU. */
static __always_inline void ebpf_count_lost(void *lost)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(lost, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline __u64 ebpf_wake_flags(void *ring)
{
#ifndef EBPF_WAKE_BYTES
	(void)ring;
	return 0;
#elif EBPF_WAKE_BYTES == 0
	(void)ring;
	return BPF_RB_NO_WAKEUP;
#else
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= EBPF_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
#endif
}

#define EBPF_RESERVE(name, size)                                                                                                       \
	({                                                                                                                             \
		void *record_ = bpf_ringbuf_reserve(&name, size, 0);                                                                   \
                                                                                                                                       \
		if (!record_)                                                                                                          \
			ebpf_count_lost(&name##_lost);                                                                                 \
		record_;                                                                                                               \
	})
#define EBPF_SUBMIT(name, record) bpf_ringbuf_submit(record, ebpf_wake_flags(&name))
#define EBPF_OUTPUT(name, data, size)                                                                                                  \
	({                                                                                                                             \
		long result_ = bpf_ringbuf_output(&name, data, size, ebpf_wake_flags(&name));                                          \
                                                                                                                                       \
		if (result_)                                                                                                           \
			ebpf_count_lost(&name##_lost);                                                                                 \
		result_;                                                                                                               \
	})

/* Both kinds in one program: a ring buffer, or where the kernel has none (before 5.8) perf buffers.
 *
 *   EBPF_EVENTS(events, 1 << 20, struct event);
 *   EBPF_SEND(ctx, events, &event, sizeof(event));
 *
 * The loader decides. In Lua, before loading, where kernel:has "ringbuf" says no, with map = spec.maps.events:
 *   map.type, map.key_size, map.value_size, map.max_entries = "perf_event_array", 4, 4, 0
 *   spec.variables.events_perf:set(1)
 * The branch that is not taken is never verified, since the constant is known by then. ebpf.events(map) reads either. */
#define EBPF_EVENTS(name, bytes, record_type)                                                                                          \
	EBPF_RECORDS(name, bytes, record_type);                                                                                        \
	const volatile __u32 name##_perf = 0
#define EBPF_SEND(ctx, name, data, size)                                                                                               \
	(name##_perf ? bpf_perf_event_output(ctx, &name, BPF_F_CURRENT_CPU, data, size) : EBPF_OUTPUT(name, data, size))

#endif
