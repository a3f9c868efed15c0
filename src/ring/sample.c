/* sample.c -- what a perf buffer's events are asked for, and what their samples carry beside what the program wrote.
 *
 * A sample is laid out by sample_type (perf_event_open(2)): first parts of 8 bytes each, then the call chain, whose length is in it, then the
 * program's bytes (PERF_SAMPLE_RAW), then whatever else was asked for. Bytes are the kernel's, but another process may have
 * mapped the same event: a part that does not fit into its record makes the record one that is none.
 */
#include "ring/perf.h"

#include <time.h>

enum { HEADER = sizeof(struct perf_event_header) };

/* In the order in which they stand, 8 bytes each. PERF_SAMPLE_READ would be behind them, of a length of its own: it is refused. */
static const uint64_t words[] = {
	PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP, PERF_SAMPLE_TID, PERF_SAMPLE_TIME, PERF_SAMPLE_ADDR, PERF_SAMPLE_ID, PERF_SAMPLE_STREAM_ID,
	PERF_SAMPLE_CPU, PERF_SAMPLE_PERIOD,
};
enum { WORDS = sizeof(words) / sizeof(words[0]) };

void ebpf_perf_set_format(struct ebpf_perf *perf, uint64_t sample_type)
{
	perf->attr.sample_type = sample_type;
	perf->behind_words = HEADER;
	for (int i = 0; i < WORDS; i++) {
		if (words[i] == PERF_SAMPLE_TIME)
			perf->time_at = perf->behind_words;
		if (sample_type & words[i])
			perf->behind_words += 8;
	}
}

static void fill_default(struct perf_event_attr *attr)
{
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_BPF_OUTPUT;
	attr->sample_type = PERF_SAMPLE_RAW;
}

/* Why such an event cannot be read; NULL = it can. */
static const char *refuse(const struct perf_event_attr *attr, const struct ebpf_perf_options *options)
{
	if (attr->type != PERF_TYPE_SOFTWARE || attr->config != PERF_COUNT_SW_BPF_OUTPUT)
		return "type and config: programs write to PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT alone";
	if (!(attr->sample_type & PERF_SAMPLE_RAW))
		return "sample_type: without PERF_SAMPLE_RAW there are no records";
	if (attr->sample_type & PERF_SAMPLE_READ)
		return "sample_type: PERF_SAMPLE_READ, a counter that such an event has not, cannot be read";
	if (attr->disabled || attr->enable_on_exec)
		return "disabled: programs would find the event switched off";
	if (attr->write_backward && !options->overwrite)
		return "write_backward: say so by the option overwrite";
	if ((attr->watermark || attr->wakeup_events) && (options->wakeup_events || options->wakeup_bytes))
		return "wake-ups are told by it, or by the options wakeup_events and wakeup_bytes, not by both";
	return NULL;
}

int ebpf_perf_fill_attr(struct ebpf_perf *perf, const struct ebpf_perf_options *options, const char *map, struct ebpf_error *err)
{
	struct perf_event_attr *attr = &perf->attr;
	const char *why = NULL;

	memset(attr, 0, sizeof(*attr));
	if (options->attr) {
		size_t size = options->attr->size ? options->attr->size : PERF_ATTR_SIZE_VER0; /* as the kernel takes it */

		memcpy(attr, options->attr, size < sizeof(*attr) ? size : sizeof(*attr));
		why = refuse(attr, options);
	} else {
		fill_default(attr);
	}
	if (why)
		return ebpf_fail(err, EINVAL, "perf buffer: map '%s': attr: %s", map, why);
	attr->size = sizeof(*attr);
	attr->write_backward = options->overwrite;
	attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED; /* tells whether its CPU has been offline */
	if (!attr->sample_period)
		attr->sample_period = 1;
	if (options->ordered && !attr->use_clockid) {
		attr->use_clockid = 1;
		attr->clockid = CLOCK_MONOTONIC;
	}
	if (options->wakeup_bytes) {
		attr->watermark = 1;
		attr->wakeup_watermark = options->wakeup_bytes;
	} else if (!attr->watermark && !attr->wakeup_events) {
		attr->wakeup_events = options->wakeup_events ? options->wakeup_events : 1;
	}
	ebpf_perf_set_format(perf, attr->sample_type | (options->ordered ? PERF_SAMPLE_TIME : 0));
	return 0;
}

/* -- reading -- */

bool ebpf_perf_find_raw(const struct ebpf_perf *perf, const uint8_t *record, uint32_t total, uint32_t *raw_at, uint32_t *length)
{
	uint32_t at = perf->behind_words;

	if (perf->attr.sample_type & PERF_SAMPLE_CALLCHAIN) {
		uint64_t count;

		if (total < at + sizeof(count))
			return false;
		memcpy(&count, record + at, sizeof(count));
		at += sizeof(count);
		if (count > (total - at) / 8)
			return false;
		at += (uint32_t)count * 8;
	}
	if (total < at + sizeof(*length))
		return false;
	memcpy(length, record + at, sizeof(*length));
	*raw_at = at + (uint32_t)sizeof(*length);
	return *length <= total - *raw_at;
}

static void set_word(struct ebpf_sample *sample, uint64_t part, const uint8_t *at)
{
	uint64_t word;
	uint32_t halves[2];

	memcpy(&word, at, sizeof(word));
	memcpy(halves, at, sizeof(halves));
	switch (part) {
	case PERF_SAMPLE_IDENTIFIER:
	case PERF_SAMPLE_ID:
		sample->id = word;
		break;
	case PERF_SAMPLE_IP:
		sample->ip = word;
		break;
	case PERF_SAMPLE_TID:
		sample->pid = halves[0];
		sample->tid = halves[1];
		break;
	case PERF_SAMPLE_TIME:
		sample->time = word;
		break;
	case PERF_SAMPLE_ADDR:
		sample->addr = word;
		break;
	case PERF_SAMPLE_STREAM_ID:
		sample->stream_id = word;
		break;
	case PERF_SAMPLE_CPU:
		sample->cpu = halves[0];
		break;
	default:
		sample->period = word;
	}
}

bool ebpf_perf_sample(const struct ebpf_perf *perf, struct ebpf_sample *out)
{
	struct ebpf_sample sample = { .size = out->size, .parts = perf->attr.sample_type };
	const uint8_t *record = perf->record;
	uint32_t at = HEADER, raw_at, length;

	if (!record || !ebpf_perf_find_raw(perf, record, perf->record_size, &raw_at, &length))
		return false;
	for (int i = 0; i < WORDS; i++) {
		if (!(sample.parts & words[i]))
			continue;
		set_word(&sample, words[i], record + at);
		at += 8;
	}
	if (sample.parts & PERF_SAMPLE_CALLCHAIN) {
		memcpy(&sample.callchain_count, record + at, 8);
		sample.callchain = (const uint64_t *)(const void *)(record + at + 8);
	}
	sample.rest = record + raw_at + length;
	sample.rest_size = perf->record_size - raw_at - length;
	memcpy(out, &sample, out->size < sizeof(sample) ? out->size : sizeof(sample));
	return true;
}

const char *ebpf_perf_record_name(uint32_t type)
{
	static const char *const names[] = { /* PERF_RECORD_..., uapi/linux/perf_event.h */
		[1] = "mmap", [2] = "lost", [3] = "comm", [4] = "exit", [5] = "throttle", [6] = "unthrottle", [7] = "fork", [8] = "read", [9] = "sample",
		[10] = "mmap2", [11] = "aux", [12] = "itrace_start", [13] = "lost_samples", [14] = "switch", [15] = "switch_cpu_wide",
		[16] = "namespaces", [17] = "ksymbol", [18] = "bpf_event", [19] = "cgroup", [20] = "text_poke", [21] = "aux_output_hw_id",
	};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}
