/* perf_event.c -- programs of type perf_event on counters: a profile at a frequency, software and hardware events,
 * breakpoints. Each CPU has an event of its own, so a link for the whole machine is made of as many parts.
 *
 * Chain, for each: BPF_LINK_CREATE (5.15) -> PERF_EVENT_IOC_SET_BPF (4.9).
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"

/* A program is run for a sample: where neither period nor frequency is given, every event that is rare is one, and of
 * the others so many a second that they do no harm (odd, lest it beat with timers). */
#define DEFAULT_FREQUENCY 99

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("event", perf_event.event, 1),
	EBPF_LINK_OPTION("type", perf_event.type, 0),
	EBPF_LINK_OPTION("frequency", perf_event.frequency, 0),
	EBPF_LINK_OPTION("period", perf_event.period, 0),
	EBPF_LINK_OPTION("config", perf_event.config, 0),
	EBPF_LINK_OPTION("cpu", perf_event.cpu, 0),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("address", perf_event.address, 0),
	EBPF_LINK_OPTION("symbol", symbol, 0),
	EBPF_LINK_OPTION("length", perf_event.length, 0),
	EBPF_LINK_OPTION("mode", perf_event.mode, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};

/* -- names of events -- */

/* As perf(1) calls them. */
static const struct event {
	const char *name;
	uint32_t type;
	uint16_t config;
	bool rare; /* every one counts */
} events[] = {
	{ "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, false },
	{ "task-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, false },
	{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, true },
	{ "faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, true },
	{ "context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, true },
	{ "cs", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, true },
	{ "cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, true },
	{ "migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, true },
	{ "minor-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN, true },
	{ "major-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ, true },
	{ "alignment-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS, true },
	{ "emulation-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS, true },
	{ "dummy", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, true },
	{ "bpf-output", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, true },
	{ "cgroup-switches", PERF_TYPE_SOFTWARE, 11, true }, /* 5.13 */
	{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false },
	{ "cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false },
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, false },
	{ "cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES, false },
	{ "cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, false },
	{ "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, false },
	{ "branch-instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, false },
	{ "branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, false },
	{ "bus-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES, false },
	{ "stalled-cycles-frontend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND, false },
	{ "stalled-cycles-backend", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND, false },
	{ "ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES, false },
};

/* "LLC-load-misses", "L1-dcache-stores", "dTLB-prefetches": cache, operation and result, a byte each. */
static bool parse_cache_event(const char *name, uint64_t *config)
{
	static const struct { const char *word; uint64_t id; } caches[] = {
		{ "L1-dcache-", 0 }, { "L1-icache-", 1 }, { "LLC-", 2 }, { "dTLB-", 3 }, { "iTLB-", 4 }, { "branch-", 5 },
		{ "node-", 6 },
	}, kinds[] = {
		{ "loads", 0 }, { "load-misses", 1 << 16 }, { "stores", 1 << 8 }, { "store-misses", 1 << 8 | 1 << 16 },
		{ "prefetches", 2 << 8 }, { "prefetch-misses", 2 << 8 | 1 << 16 },
	};

	for (size_t i = 0; i < EBPF_COUNT(caches); i++) {
		if (!ebpf_starts_with(name, caches[i].word))
			continue;
		for (size_t k = 0; k < EBPF_COUNT(kinds); k++)
			if (!strcmp(name + strlen(caches[i].word), kinds[k].word)) {
				*config = caches[i].id | kinds[k].id;
				return true;
			}
	}
	return false;
}

static int find_event(const char *name, struct perf_event_attr *attr, bool *rare, struct ebpf_error *err)
{
	const char *names[EBPF_COUNT(events)], *nearest;
	uint64_t config;

	for (size_t i = 0; i < EBPF_COUNT(events); i++) {
		names[i] = events[i].name;
		if (strcmp(events[i].name, name) != 0)
			continue;
		attr->type = events[i].type;
		attr->config = events[i].config;
		*rare = events[i].rare;
		return 0;
	}
	if (parse_cache_event(name, &config)) {
		attr->type = PERF_TYPE_HW_CACHE;
		attr->config = config;
		return 0;
	}
	ebpf_fail(err, EINVAL, "perf_event: '%s' is no event", name);
	nearest = ebpf_nearest(name, names, EBPF_COUNT(names));
	if (nearest)
		ebpf_hint(err, "the nearest is '%s'; others are given by type and config", nearest);
	else
		ebpf_hint(err, "events are named as perf(1) does; others are given by type and config");
	return -EINVAL;
}

/* -- breakpoints -- */

static int fill_breakpoint(struct ebpf_link *link, const struct ebpf_link_options *given, struct perf_event_attr *attr,
			   struct ebpf_error *err)
{
	static const struct { const char *word; uint32_t type; } modes[] = {
		{ "r", HW_BREAKPOINT_R }, { "w", HW_BREAKPOINT_W }, { "rw", HW_BREAKPOINT_RW }, { "x", HW_BREAKPOINT_X },
	};
	const char *mode = given->perf_event.mode ? given->perf_event.mode : "w";
	uint64_t address = given->perf_event.address;
	int result;

	for (size_t i = 0; i < EBPF_COUNT(modes); i++)
		if (!strcmp(modes[i].word, mode))
			attr->bp_type = modes[i].type;
	if (!attr->bp_type)
		return ebpf_fail(err, EINVAL, "perf_event: mode '%s': not one of \"r\", \"w\", \"rw\", \"x\"", mode);
	if (!given->symbol == !address)
		return ebpf_fail(err, EINVAL, "perf_event: a breakpoint needs an address, or a symbol of the kernel");
	if (given->symbol) {
		result = ebpf_kernel_symbols(link->kernel, &given->symbol, &address, 1, err);
		if (result)
			return ebpf_wrap(err, result, "perf_event");
		if (!address)
			return ebpf_fail(err, ENOENT, "perf_event: the kernel has no symbol '%s'", given->symbol);
	}
	attr->bp_addr = address;
	attr->bp_len = given->perf_event.length ? given->perf_event.length : attr->bp_type == HW_BREAKPOINT_X ? sizeof(long) : 4;
	return ebpf_link_set_target(link, err, "perf_event breakpoint %s 0x%llx", mode, (unsigned long long)address);
}

/* -- the event -- */

static int fill_by_type(struct ebpf_link *link, const struct ebpf_link_options *given, struct perf_event_attr *attr,
			struct ebpf_error *err)
{
	static const struct { const char *word; uint32_t type; } types[] = {
		{ "software", PERF_TYPE_SOFTWARE }, { "hardware", PERF_TYPE_HARDWARE }, { "cache", PERF_TYPE_HW_CACHE },
		{ "raw", PERF_TYPE_RAW },
	};
	int type = -1, ret_bit;

	for (size_t i = 0; i < EBPF_COUNT(types); i++)
		if (!strcmp(types[i].word, given->perf_event.type))
			type = (int)types[i].type;
	if (given->perf_event.event) {
		if (type < 0 || (uint32_t)type != attr->type)
			return ebpf_fail(err, EINVAL, "perf_event: event '%s' is not of type '%s'", given->perf_event.event,
					 given->perf_event.type);
		return 0;
	}
	if (type < 0 && strchr(given->perf_event.type, '/'))
		return ebpf_fail(err, EINVAL, "perf_event: '%s' is no type of event", given->perf_event.type);
	if (type < 0)
		type = ebpf_kernel_pmu(link->kernel, given->perf_event.type, &ret_bit, err);
	if (type < 0) {
		ebpf_wrap(err, type, "perf_event");
		ebpf_hint(err, "types are \"software\", \"hardware\", \"cache\", \"raw\", \"breakpoint\", and the names in "
			  "/sys/bus/event_source/devices");
		return type;
	}
	attr->type = (uint32_t)type;
	attr->config = given->perf_event.config;
	return ebpf_link_set_target(link, err, "perf_event %s 0x%llx", given->perf_event.type, (unsigned long long)given->perf_event.config);
}

static int fill(struct ebpf_link *link, const struct ebpf_link_options *given, struct perf_event_attr *attr,
		struct ebpf_error *err)
{
	bool breakpoint = given->perf_event.type && !strcmp(given->perf_event.type, "breakpoint"), rare = breakpoint;
	const char *event = given->perf_event.event ? given->perf_event.event : given->perf_event.type ? NULL : "cpu-clock";
	int result = 0;

	memset(attr, 0, sizeof *attr);
	attr->type = PERF_TYPE_BREAKPOINT;
	attr->disabled = 1;
	if (given->perf_event.period && given->perf_event.frequency)
		return ebpf_fail(err, EINVAL, "perf_event: either period or frequency, not both");
	if (event && given->perf_event.config)
		return ebpf_fail(err, EINVAL, "perf_event %s: config goes with a type, instead of an event", event);
	if (!breakpoint && (given->perf_event.address || given->symbol || given->perf_event.length || given->perf_event.mode))
		return ebpf_fail(err, EINVAL, "perf_event: address, symbol, length and mode are of type \"breakpoint\"");
	if (breakpoint && (given->perf_event.event || given->perf_event.config))
		return ebpf_fail(err, EINVAL, "perf_event: a breakpoint has no event");
	if (breakpoint)
		result = fill_breakpoint(link, given, attr, err);
	else if (event)
		result = find_event(event, attr, &rare, err);
	if (!result && event)
		result = ebpf_link_set_target(link, err, "perf_event %s", event);
	if (!result && given->perf_event.type && !breakpoint)
		result = fill_by_type(link, given, attr, err);
	if (result)
		return result;
	attr->freq = given->perf_event.frequency || (!given->perf_event.period && !rare);
	if (attr->freq)
		attr->sample_freq = given->perf_event.frequency ? given->perf_event.frequency : DEFAULT_FREQUENCY;
	else
		attr->sample_period = given->perf_event.period ? given->perf_event.period : 1;
	return 0;
}

/* -- the kind -- */

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->perf_event.event || out->perf_event.type || out->perf_event.frequency || out->perf_event.period)
		return 1;
	ebpf_fail(err, EINVAL, "its section does not say on which event it is to run");
	ebpf_hint(err, "give the option event (\"cpu-clock\"), or frequency for a profile");
	return 0;
}

static int explain(struct ebpf_link *link, const struct perf_event_attr *attr, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -ENOENT: case -EOPNOTSUPP: case -ENODEV:
		if (attr->type == PERF_TYPE_HARDWARE || attr->type == PERF_TYPE_HW_CACHE)
			ebpf_hint(err, "this machine counts no such event, as most virtual ones; \"cpu-clock\" is everywhere");
		break;
	case -EINVAL:
		if (attr->freq)
			ebpf_hint(err, "the frequency may be above kernel.perf_event_max_sample_rate");
		break;
	case -ENOSPC:
		ebpf_hint(err, "the processor has no breakpoint left");
		break;
	case -EACCES:
		ebpf_hint(err, "it needs CAP_PERFMON, or a lower kernel.perf_event_paranoid");
		break;
	case -EMFILE:
		ebpf_hint(err, "each CPU needs one or two descriptors: ulimit -n");
		break;
	}
	return code;
}

static int attach_one(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_link_options *given,
		      struct perf_event_attr *attr, int cpu, enum ebpf_attach_mode mode, struct ebpf_error *err)
{
	int result = ebpf_perf_open_on(link, attr, ebpf_link_pid(given->pid), cpu);

	if (result)
		return explain(link, attr, result, err);
	result = ebpf_perf_attach(link, program, given->cookie, mode, err);
	if (result || link->fd >= 0)
		return result;
	/* The kernel does not tell of such an event which program is on it. */
	result = ebpf_link_keep_program(link, program);
	return result ? ebpf_link_fail(link, result, err) : 0;
}

/* On the CPUs that were named, or on all that are online: opening an event on another says ENODEV. */
static int attach_everywhere(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_link_options *given,
			     struct perf_event_attr *attr, enum ebpf_attach_mode mode, struct ebpf_error *err)
{
	int count = given->perf_event.cpu.count ? (int)given->perf_event.cpu.count : ebpf_kernel_cpu_count(link->kernel, err);

	if (count < 0)
		return ebpf_wrap(err, count, "%s", link->target);
	for (int i = 0; i < count; i++) {
		int cpu = given->perf_event.cpu.count ? (int)given->perf_event.cpu.items[i] : i, result;
		struct ebpf_link *part = ebpf_link_add_part(link, err);

		if (!part)
			return -ENOMEM;
		result = attach_one(part, program, given, attr, cpu, mode, err);
		if (result == -ENODEV && !given->perf_event.cpu.count && part->perf_fd < 0)
			ebpf_link_drop_part(link);
		else if (result)
			return given->perf_event.cpu.count ? ebpf_wrap(err, result, "cpu %d", cpu) : result;
	}
	if (!link->part_count)
		return explain(link, attr, -ENODEV, err);
	link->interface = link->parts[0]->interface;
	link->attach_type = link->parts[0]->attach_type;
	return 0;
}

static int check_cpus(struct ebpf_link *link, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	int count = given->perf_event.cpu.count ? ebpf_kernel_cpu_count(link->kernel, err) : 0;

	if (count < 0)
		return ebpf_wrap(err, count, "perf_event");
	for (size_t i = 0; i < given->perf_event.cpu.count; i++)
		if (given->perf_event.cpu.items[i] >= (uint64_t)count)
			return ebpf_fail(err, EINVAL, "perf_event: there is no CPU %lld here: they are 0 to %d",
					 (long long)given->perf_event.cpu.items[i], count - 1);
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct perf_event_attr attr;
	enum ebpf_attach_mode mode;
	int result;

	(void)alias;
	if (program->type != BPF_PROG_TYPE_PERF_EVENT)
		return ebpf_fail(err, EINVAL, "perf_event: a program of type %s does not run on such events",
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
	if (given->pid < -1)
		return ebpf_fail(err, EINVAL, "perf_event: %d is no process", given->pid);
	result = check_cpus(link, given, err);
	if (!result)
		result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (!result)
		result = fill(link, given, &attr, err);
	if (result)
		return result;
	if (mode == EBPF_ATTACH_LEGACY)
		return ebpf_fail(err, ENOTSUP, "%s: attach_mode 'legacy': a perf event has \"link\" and \"perf\"",
				 link->target);
	if ((given->pid && !given->perf_event.cpu.count) || given->perf_event.cpu.count == 1)
		return attach_one(link, program, given, &attr, given->perf_event.cpu.count ? (int)given->perf_event.cpu.items[0] : -1, mode, err);
	return attach_everywhere(link, program, given, &attr, mode, err);
}

const struct ebpf_link_kind ebpf_kind_perf_event = {
	.name = "perf_event", .since = "4.9", .options = options, .parse = parse, .attach = attach,
};
