/* sink.c -- what all sinks have: the filter, the totals, and the way from a ring. */
#include <stdlib.h>

#include "sink/sink.h"

int ebpf_sink_init(struct ebpf_sink *sink, const struct ebpf_sink_kind *kind, const struct ebpf_layout *layout, const struct ebpf_condition *where, size_t count,
		   struct ebpf_error *err)
{
	int ret = 0;

	if (layout->kind != EBPF_VALUE_STRUCT)
		return ebpf_fail(err, EINVAL, "sink: the records' type (%.200s) is no struct", layout->name);
	if (count)
		ret = ebpf_filter_new(layout, where, count, &sink->filter, err);
	if (ret < 0)
		return ret;
	sink->kind = kind;
	sink->layout = ebpf_layout_ref(layout);
	return 0;
}

void ebpf_sink_free(struct ebpf_sink *sink)
{
	if (!sink)
		return;
	sink->kind->flush(sink, false, NULL);
	ebpf_filter_free(sink->filter);
	ebpf_layout_free(sink->layout);
	sink->kind->free(sink);
}

int ebpf_sink_feed(void *context, const void *data, size_t size)
{
	struct ebpf_sink *sink = context;

	if (!sink->filter || ebpf_filter_passes(sink->filter, data, size))
		return sink->kind->feed(sink, data, size);
	sink->totals.filtered++;
	return 0;
}

struct filtered {
	struct ebpf_sink *sink;
	const struct ebpf_filter *filter;
};

static int feed_filtered(void *context, const void *data, size_t size)
{
	const struct filtered *filtered = context;

	return ebpf_filter_passes(filtered->filter, data, size) ? ebpf_sink_feed(filtered->sink, data, size) : 0;
}

int64_t ebpf_sink_consume(struct ebpf_sink *sink, struct ebpf_ring *ring, const struct ebpf_filter *filter, uint64_t limit)
{
	struct filtered filtered = { sink, filter };
	int64_t count = filter ? ebpf_ring_consume(ring, feed_filtered, &filtered, limit)
			: ebpf_ring_consume(ring, sink->filter ? ebpf_sink_feed : sink->kind->feed, sink, limit);

	sink->kind->flush(sink, true, NULL);
	return count;
}

int ebpf_sink_flush(struct ebpf_sink *sink, struct ebpf_error *err)
{
	return sink->kind->flush(sink, false, err);
}

void ebpf_sink_totals(const struct ebpf_sink *sink, struct ebpf_sink_totals *out)
{
	*out = sink->totals;
	out->seen = out->passed + out->filtered + out->shorter + out->refused;
}

void ebpf_sink_clear(struct ebpf_sink *sink)
{
	sink->totals = (struct ebpf_sink_totals){ 0 };
	sink->kind->clear(sink);
}
