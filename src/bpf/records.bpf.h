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

/* Both kinds in one program: a ring buffer, or where the kernel has none (before 5.8) perf buffers. ebpf.events(map) and loop:on(map, ...)
 * read either.
 *
 *   EBPF_EVENTS(events, 1 << 20, struct event);
 *
 *   EBPF_SEND(ctx, events, &event, sizeof(event));   copies
 *
 *   struct event *e = EBPF_EVENT_RESERVE(events);    or in place: one record of that type, not zeroed
 *   if (!e)
 *           return 0;                                counted
 *   e->pid = ...;
 *   EBPF_EVENT_SUBMIT(ctx, events, e);               or EBPF_EVENT_DISCARD(events, e)
 *
 * The loader chooses, when the program is loaded: this library by itself, and with it whatever loads through it. The branch that is not
 * taken need not be known to the kernel, since the loader makes the constant NAME_perf a part of the code; so it does on kernels that
 * have no global data. Who sets NAME_perf to 1 before loading has perf buffers on a newer kernel, too.
 *
 * A loader with libbpf does it by hand, before loading. For a ring buffer: bpf_map__set_value_size(map, 0). For perf buffers, which need
 * Linux 5.5 there (older kernels do not look into read-only maps): bpf_map__set_type(map, BPF_MAP_TYPE_PERF_EVENT_ARRAY), sizes of key and
 * value 4, max_entries 0, and skeleton->rodata->NAME_perf = 1.
 *
 * For perf buffers a record is made in NAME_scratch, which has room for four on each CPU: a program may be interrupted by another. One
 * that ends without submitting or discarding keeps its room for ever; where there is a ring buffer the verifier refuses such a program.
 * The type must fit a per-CPU map (32 KiB). What perf buffers lose the kernel counts, what finds no room NAME_lost; a reader tells both.
 * It says when it is woken (wakeup_events, wakeup_bytes): EBPF_WAKE_BYTES is for ring buffers. */
#define EBPF_EVENTS(name, bytes, record_type)                                                                                          \
	EBPF_RECORDS(name, bytes, record_type);                                                                                        \
	struct name##_room {                                                                                                           \
		record_type record;                                                                                                    \
		__u64 busy;                                                                                                            \
	};                                                                                                                             \
	struct {                                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                                               \
		__uint(max_entries, 4);                                                                                                \
		__type(key, __u32);                                                                                                    \
		__type(value, struct name##_room);                                                                                     \
	} name##_scratch SEC(".maps");                                                                                                 \
	const volatile __u32 name##_perf = 0
#define EBPF_SEND(ctx, name, data, size)                                                                                               \
	(name##_perf ? bpf_perf_event_output(ctx, &name, BPF_F_CURRENT_CPU, data, size) : EBPF_OUTPUT(name, data, size))

/* Who interrupts a program on its CPU has ended before that goes on: so nothing comes between looking and taking. The compiler keeps the order. */
#define EBPF_IN_ORDER __asm__ volatile("" : : : "memory")
#define EBPF_TAKE_ROOM(name, number)                                                                                                   \
	if (!record_) {                                                                                                                \
		__u32 key_ = number;                                                                                                   \
		struct name##_room *room_ = bpf_map_lookup_elem(&name##_scratch, &key_);                                               \
                                                                                                                                       \
		if (room_ && !room_->busy) {                                                                                           \
			room_->busy = 1;                                                                                               \
			EBPF_IN_ORDER;                                                                                                 \
			record_ = &room_->record;                                                                                      \
		}                                                                                                                      \
	}
#define EBPF_EVENT_RESERVE(name)                                                                                                       \
	({                                                                                                                             \
		__typeof__(name.value) record_ = 0;                                                                                    \
                                                                                                                                       \
		if (name##_perf) {                                                                                                     \
			EBPF_TAKE_ROOM(name, 0)                                                                                        \
			EBPF_TAKE_ROOM(name, 1)                                                                                        \
			EBPF_TAKE_ROOM(name, 2)                                                                                        \
			EBPF_TAKE_ROOM(name, 3)                                                                                        \
		} else {                                                                                                               \
			record_ = bpf_ringbuf_reserve(&name, sizeof(*record_), 0);                                                     \
		}                                                                                                                      \
		if (!record_)                                                                                                          \
			ebpf_count_lost(&name##_lost);                                                                                 \
		record_;                                                                                                               \
	})
#define EBPF_EVENT_SUBMIT(ctx, name, data)                                                                                             \
	do {                                                                                                                           \
		struct name##_room *room_ = (void *)(data);                                                                            \
                                                                                                                                       \
		if (name##_perf) {                                                                                                     \
			bpf_perf_event_output(ctx, &name, BPF_F_CURRENT_CPU, room_, sizeof(room_->record));                            \
			EBPF_IN_ORDER;                                                                                                 \
			room_->busy = 0;                                                                                               \
		} else {                                                                                                               \
			EBPF_SUBMIT(name, room_);                                                                                      \
		}                                                                                                                      \
	} while (0)
#define EBPF_EVENT_DISCARD(name, data)                                                                                                 \
	do {                                                                                                                           \
		struct name##_room *room_ = (void *)(data);                                                                            \
                                                                                                                                       \
		if (name##_perf) {                                                                                                     \
			EBPF_IN_ORDER;                                                                                                 \
			room_->busy = 0;                                                                                               \
		} else {                                                                                                               \
			bpf_ringbuf_discard(room_, 0);                                                                                 \
		}                                                                                                                      \
	} while (0)

#endif
