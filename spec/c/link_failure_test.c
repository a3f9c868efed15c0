/* link_failure_test.c -- links, symbols and the kernel's context where any allocation may fail: an error or a result,
 * and nothing is left behind. */
#include <errno.h>

#include "failing_malloc.h"
#include "link_support.h"

#ifdef SANITIZED
int main(void)
{
	TEST_SKIP("allocations cannot be made to fail under the sanitizer");
}
#else
/* -- what is tried, each in a context of its own -- */

struct attempt {
	const char *kind;
	struct ebpf_program *program;
	const struct ebpf_link_options *options;
	const char *masked;
	int expected;
};

static int attach_once(struct ebpf_kernel *own, const struct attempt *attempt)
{
	struct ebpf_kernel *before = attempt->program->kernel;
	struct ebpf_link *link = NULL;
	int result;

	if (attempt->masked)
		ebpf_kernel_mask(own, attempt->masked, true, NULL);
	attempt->program->kernel = own;
	result = ebpf_link_attach(attempt->kind, attempt->program, attempt->options, &link, &error);
	attempt->program->kernel = before;
	CHECK((result == 0) == (link != NULL));
	CHECK(result == 0 || error.code == -result);
	fail_allocation = 0; /* taking it apart needs memory only for what is best effort */
	ebpf_link_close(link);
	return result;
}

static int ask_once(struct ebpf_kernel *own, const struct attempt *attempt)
{
	const char *names[] = { "schedule", "vfs_read" };
	const struct ebpf_module *modules;
	uint64_t addresses[2];
	char value[64];
	size_t number;
	uint32_t id;
	int fd, result;

	(void)attempt;
	result = ebpf_kernel_symbols(own, names, addresses, 2, &error);
	if (!result && has("vmlinux_btf"))
		result = ebpf_kernel_find_type(own, "vfs_read", BTF_KIND_FUNC, &id, &fd, &error);
	if (!result)
		result = ebpf_kernel_modules(own, &modules, &number, &error);
	if (!result)
		ebpf_kernel_config(own, "CONFIG_HZ", value, sizeof value, NULL);
	if (!result)
		ebpf_kernel_nearest_type(own, "", "vfs_reed", BTF_KIND_FUNC);
	return result;
}

static int query_once(struct ebpf_kernel *own, const struct attempt *attempt)
{
	static const uint32_t types[] = { BPF_TCX_EGRESS, BPF_XDP };
	int result = 0;

	(void)attempt;
	for (size_t i = 0; i < EBPF_COUNT(types) && !result; i++) {
		struct ebpf_link_query query = { .size = sizeof query, .interface = "lo", .attach_type = types[i] };

		result = ebpf_link_query(own, &query, &error);
		CHECK(result != 0 || query.items || !query.count);
		CHECK(result == 0 || (error.code == -result && !query.items));
		ebpf_link_query_free(&query);
	}
	return result;
}

static void sweep(const struct attempt *attempt, int (*once)(struct ebpf_kernel *own, const struct attempt *attempt))
{
	long before = live, tries = 0;
	int fds = open_fds(), result;

	do {
		struct ebpf_kernel *own = ebpf_kernel_new(NULL);

		failed_allocation = false;
		fail_allocation = ++tries;
		result = once(own, attempt);
		fail_allocation = 0;
		ebpf_error_clear(&error);
		ebpf_kernel_free(own);
		if (live != before || open_fds() != fds)
			fprintf(stderr, "%s, allocation %ld fails\n", attempt->kind, tries);
		CHECK_INT(live, before);
		CHECK_INT(open_fds(), fds);
	} while (failed_allocation && tries < 5000 && !test_failures);
	CHECK_INT(result, attempt->expected);
}

/* A program with the maps of usdt.bpf.h, as the loader gives it. */
static void sweep_usdt(struct ebpf_program *program)
{
	char specs_name[] = "__bpf_usdt_specs", ids_name[] = "__bpf_usdt_ip_to_spec_id";
	struct ebpf_map_spec specs = { .name = specs_name, .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 208, .max_entries = 8 };
	struct ebpf_map_spec ids = { .name = ids_name, .type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 4, .max_entries = 32 };
	const char *path = "build/spec/support/usdt_fixed";
	const struct attempt attempts[] = {
		{ "usdt", program, OPTIONS(.path = path, .usdt.provider = "demo", .usdt.name = "operands"), NULL, 0 },
		{ "usdt", program, OPTIONS(.path = path, .usdt.provider = "demo", .usdt.name = "twice"), "bpf_cookie", 0 },
		{ "usdt", program, OPTIONS(.path = path, .usdt.provider = "demo", .usdt.name = "twise"), NULL, -ENOENT },
	};

	if (access(path, R_OK) || !has("perf_uprobe"))
		return;
	CHECK_INT(ebpf_map_create(kernel, &specs, &program->usdt_specs, &error), 0);
	CHECK_INT(ebpf_map_create(kernel, &ids, &program->usdt_ids, &error), 0);
	program->close_map = ebpf_map_close;
	/* what the map keeps from the first link on is its own */
	for (size_t i = 0; i < EBPF_COUNT(attempts); i++)
		attach_once(kernel, &(struct attempt){ "usdt", program, attempts[i].options, NULL, 0 });
	ebpf_error_clear(&error);
	for (size_t i = 0; i < EBPF_COUNT(attempts); i++)
		sweep(&attempts[i], attach_once);
}

int main(void)
{
	struct ebpf_program *tracepoint, *probe, *raw, *xdp, *egress, *tc, *sampler, *lookup;
	const struct ebpf_link_options *own_function = OPTIONS(.path = "/proc/self/exe", .symbol = "link_test_probed");
	struct ebpf_link *link = NULL;
	int status;

	if (!set_up(&status))
		return status;
	tracepoint = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT);
	probe = LOAD(.type = BPF_PROG_TYPE_KPROBE);
	raw = LOAD(.type = BPF_PROG_TYPE_RAW_TRACEPOINT);
	xdp = LOAD(.type = BPF_PROG_TYPE_XDP, .attach_type = has("xdp_link") ? BPF_XDP : 0, .result = 2);
	egress = LOAD(.type = BPF_PROG_TYPE_CGROUP_SKB, .attach_type = BPF_CGROUP_INET_EGRESS, .result = 1);
	tc = LOAD(.type = BPF_PROG_TYPE_SCHED_CLS, .result = -1);
	sampler = LOAD(.type = BPF_PROG_TYPE_PERF_EVENT);
	lookup = LOAD(.type = BPF_PROG_TYPE_SK_LOOKUP, .attach_type = BPF_SK_LOOKUP, .result = 1);
	const struct attempt attempts[] = {
		{ "tp", tracepoint, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid"), NULL, 0 },
		{ "tp", tracepoint, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppit"), NULL, -ENOENT },
		{ "raw_tp", raw, OPTIONS(.tracepoint.name = "sys_enter"), NULL, 0 },
		{ "uprobe", probe, own_function, NULL, 0 },
		{ "uprobe", probe, own_function, "perf_uprobe", 0 },
		{ "uprobe", probe, OPTIONS(.path = "libc.so.6", .symbol = "confstr"), NULL, 0 },
		{ "uprobe", probe, OPTIONS(.path = "libc.so.6", .symbol = "confstt"), NULL, -ENOENT },
		{ "xdp", xdp, OPTIONS(.interface = "lo"), NULL, 0 },
		{ "xdp", xdp, OPTIONS(.interface = "lo"), "xdp_link", 0 },
		{ "cgroup", egress, OPTIONS(.path = cgroup_mount), NULL, 0 },
		{ "cgroup", egress, OPTIONS(.path = cgroup_mount), "cgroup_link", 0 },
		{ "tracepoint", tracepoint, OPTIONS(.interface = "lo"), NULL, -EINVAL },
		{ "uprobe_multi", probe, OPTIONS(.path = "/proc/self/exe", .multi.pattern = "link_test_*"), NULL, 0 },
		{ "uprobe_multi", probe, OPTIONS(.path = "/proc/self/exe", .multi.pattern = "link_test_*"), "perf_uprobe", 0 },
		{ "perf_event", sampler, OPTIONS(.perf_event.event = "page-faults"), NULL, 0 },
		{ "perf_event", sampler, OPTIONS(.perf_event.event = "pagefaults"), NULL, -EINVAL },
		{ "netns", lookup, OPTIONS(.cookie = 0), NULL, 0 },
		{ "tc", tc, OPTIONS(.interface = "lo", .tc.direction = "egress"), "tcx", 0 },
	};
	/* filters of tc are modules in many kernels, which are not at hand everywhere */
	bool has_filters = ebpf_link_attach("tc", tc, OPTIONS(.interface = "lo", .tc.direction = "egress", .attach_mode = "legacy"), &link,
					    NULL) == 0;

	sweep(&(struct attempt){ .kind = "query" }, query_once);
	ebpf_link_close(link);
	for (size_t i = 0; i < EBPF_COUNT(attempts); i++)
		if ((has("perf_uprobe") || !ebpf_starts_with(attempts[i].kind, "uprobe")) &&
		    (has_filters || strcmp(attempts[i].kind, "tc") != 0) &&
		    (cgroup_mount[0] || strcmp(attempts[i].kind, "cgroup") != 0))
			sweep(&attempts[i], attach_once);
	sweep_usdt(probe);
	sweep(&(struct attempt){ .kind = "kernel" }, ask_once);
	CHECK_INT(left_events("uprobe_events"), 0);
	ebpf_program_close(tracepoint);
	ebpf_program_close(probe);
	ebpf_program_close(raw);
	ebpf_program_close(xdp);
	ebpf_program_close(egress);
	ebpf_program_close(tc);
	ebpf_program_close(sampler);
	ebpf_program_close(lookup);
	return clean_up();
}
#endif
