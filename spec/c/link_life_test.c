/* link_life_test.c -- links by section, in numbers, pinned, and with every system call failing once. */
#include "link_support.h"

/* -- by section -- */

static void check_auto(struct ebpf_program *program, const struct ebpf_link_options *options, int expected,
		       const char *text, void (*fire)(void))
{
	struct ebpf_link *link = NULL;
	int fds = open_fds(), result;

	reset();
	ebpf_error_clear(&error);
	result = ebpf_link_attach_auto(program, options, &link, &error);
	if (result != expected)
		fprintf(stderr, "section '%s': %s [%s]\n", program->section, error.message, error.hint);
	CHECK_INT(result, expected);
	if (result == 1) {
		fire();
		CHECK(count() >= 1);
		if (!strstr(ebpf_link_target(link), text))
			CHECK_STR(ebpf_link_target(link), text);
	} else if (!strstr(error.message, text) && !strstr(error.hint, text)) {
		CHECK_STR(error.message, text);
	}
	CHECK((result == 1) == (link != NULL));
	ebpf_link_close(link);
	CHECK_INT(open_fds(), fds);
	ebpf_error_clear(&error);
	ebpf_program_close(program);
}

static struct ebpf_program *sectioned(uint32_t type, uint32_t attach_type, const char *section, const char *attach_to)
{
	int result = type == BPF_PROG_TYPE_XDP ? 2 : type == BPF_PROG_TYPE_CGROUP_SKB ? 1 : 0;

	return LOAD(.type = type, .attach_type = attach_type, .section = section, .attach_to = attach_to,
		    .result = result);
}

static void test_sections(void)
{
	const struct ebpf_link_options *lo = OPTIONS(.interface = "lo", .cookie = 0);
	const uint32_t kprobe = BPF_PROG_TYPE_KPROBE, tracepoint = BPF_PROG_TYPE_TRACEPOINT;

	check_auto(sectioned(tracepoint, 0, "tracepoint/syscalls/sys_enter_getppid", "syscalls/sys_enter_getppid"), lo,
		   1, "tracepoint syscalls:sys_enter_getppid", call_getppid);
	check_auto(sectioned(tracepoint, 0, "tp", NULL), NULL, 0, "names no tracepoint", NULL);
	check_auto(sectioned(tracepoint, 0, "tp", NULL), OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid"),
		   1, "sys_enter_getppid", call_getppid);
	check_auto(sectioned(tracepoint, 0, "tp/syscalls", "syscalls"), NULL, -EINVAL, "tracepoint/category/name",
		   NULL);
	check_auto(sectioned(tracepoint, 0, "tp/a/nope", "a/nope"), NULL, -ENOENT, "a:nope", NULL);
	check_auto(sectioned(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "raw_tp/sys_enter", "sys_enter"), NULL, 1,
		   "raw_tracepoint sys_enter", call_getppid);
	check_auto(sectioned(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "raw_tp", NULL), NULL, 0, "names no raw tracepoint",
		   NULL);
	check_auto(sectioned(kprobe, 0, "uprobe//proc/self/exe:link_test_probed", "/proc/self/exe:link_test_probed"),
		   lo, 1, "uprobe /proc/self/exe", call_probed);
	check_auto(sectioned(kprobe, 0, "uretprobe/libc.so.6:confstr", "libc.so.6:confstr"), NULL, 1, "uretprobe /",
		   call_libc);
	check_auto(sectioned(kprobe, 0, "uprobe/libc.so.6:confstr+0x0", "libc.so.6:confstr+0x0"), NULL, 1, "uprobe /",
		   call_libc);
	check_auto(sectioned(kprobe, 0, "uprobe/libc.so.6", "libc.so.6"), NULL, -EINVAL, "after a colon", NULL);
	check_auto(sectioned(kprobe, 0, "uprobe/libc.so.6:confstr+x", "libc.so.6:confstr+x"), NULL, -EINVAL,
		   "'x' is no offset", NULL);
	check_auto(sectioned(kprobe, 0, "uprobe", NULL), NULL, 0, "names no function", NULL);
	check_auto(sectioned(kprobe, 0, "uprobe", NULL),
		   OPTIONS(.path = "/proc/self/exe", .symbol = "link_test_probed"), 1, "uprobe", call_probed);
	check_auto(sectioned(kprobe, 0, "kprobe/vfs_read+-1", "vfs_read+-1"), NULL, -EINVAL, "no offset", NULL);
	check_auto(sectioned(kprobe, 0, "kprobe/vfs read", "vfs read"), NULL, -EINVAL, "no name of a function", NULL);
	check_auto(sectioned(kprobe, 0, "kprobe", NULL), NULL, 0, "names no function", NULL);
	check_auto(sectioned(kprobe, 0, "usdt", NULL), NULL, 0, "names no USDT probe", NULL);
	check_auto(sectioned(kprobe, 0, "usdt/libc.so.6:none:such", "libc.so.6:none:such"), NULL, -ENOENT, "no USDT probe none:such", NULL);
	check_auto(sectioned(kprobe, 0, NULL, NULL), NULL, 0, "no section", NULL);
	if (has("kprobe"))
		check_auto(sectioned(kprobe, 0, "ksyscall/getppid", "getppid"), NULL, 1, "getppid", call_getppid);
	check_auto(sectioned(BPF_PROG_TYPE_XDP, has("xdp_link") ? BPF_XDP : 0, "xdp", NULL), NULL, 0, "interface",
		   NULL);
	check_auto(sectioned(BPF_PROG_TYPE_XDP, has("xdp_link") ? BPF_XDP : 0, "xdp", NULL), lo, 1, "xdp lo",
		   send_packet);
	check_auto(sectioned(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, "cgroup_skb/egress", NULL), lo, 0,
		   "cgroup", NULL);
	check_auto(sectioned(BPF_PROG_TYPE_SOCKET_FILTER, 0, "socket", NULL), lo, 0, "its socket", NULL);
	check_auto(sectioned(BPF_PROG_TYPE_SCHED_CLS, 0, "tc", NULL), lo, 0, "in which direction", NULL);
	check_auto(sectioned(BPF_PROG_TYPE_SCHED_ACT, 0, "action", NULL), lo, 0, "section 'action'", NULL);
}

static void test_many(void)
{
	struct ebpf_program *programs[4] = {
		sectioned(BPF_PROG_TYPE_TRACEPOINT, 0, "tp/syscalls/sys_enter_getppid", "syscalls/sys_enter_getppid"),
		sectioned(BPF_PROG_TYPE_TRACEPOINT, 0, "tp/nope/nope", "nope/nope"),
		sectioned(BPF_PROG_TYPE_XDP, has("xdp_link") ? BPF_XDP : 0, "xdp", NULL),
		sectioned(BPF_PROG_TYPE_TRACEPOINT, 0, "tp/syscalls/sys_exit_getppid", "syscalls/sys_exit_getppid"),
	};
	struct ebpf_link *links[4];
	struct ebpf_error errors[4] = { 0 };
	int fds = open_fds();

	programs[3]->autoattach = false;
	CHECK_INT(ebpf_programs_attach(programs, 4, OPTIONS(.interface = "lo"), links, errors), 2);
	CHECK(links[0] && !links[1] && links[2] && !links[3]);
	CHECK_INT(errors[0].code, 0);
	CHECK_INT(errors[1].code, ENOENT);
	CHECK_INT(errors[3].code, 0);
	reset();
	call_getppid();
	CHECK(count() >= 1);
	for (int i = 0; i < 4; i++) {
		ebpf_link_close(links[i]);
		ebpf_error_clear(&errors[i]);
	}
	CHECK_INT(open_fds(), fds);
	for (int i = 0; i < 4; i++)
		ebpf_program_close(programs[i]);
}

/* -- pins -- */

static void test_pin(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_RAW_TRACEPOINT);
	struct ebpf_link *link = NULL;
	int fds = open_fds();
	char path[128], moved[128];

	snprintf(path, sizeof path, "%s/bpf/link", scratch);
	CHECK_INT(ebpf_link_attach("raw_tp", program, OPTIONS(.tracepoint.name = "sys_enter"), &link, &error), 0);
	if (!has("cgroup_link")) { /* links came in 5.7 */
		ebpf_link_close(link);
		ebpf_program_close(program);
		return;
	}
	CHECK_INT(ebpf_link_unpin(link, &error), -ENOENT);
	CHECK_INT(ebpf_link_pin(link, path, &error), 0);
	CHECK_INT(ebpf_link_pin(link, path, &error), 0); /* it is there */
	snprintf(moved, sizeof moved, "%s/bpf/moved", scratch);
	CHECK_INT(ebpf_link_pin(link, moved, &error), 0);
	CHECK(access(path, F_OK) && errno == ENOENT);
	CHECK_INT(ebpf_link_pin(link, path, &error), 0);
	ebpf_link_close(link);
	reset();
	call_getppid();
	CHECK(count() >= 1); /* it goes on */
	CHECK_INT(unlink(path), 0);
	wait_until_silent(call_getppid);
	link = NULL;
	CHECK_INT(ebpf_link_attach("raw_tp", program, OPTIONS(.tracepoint.name = "sys_enter"), &link, &error), 0);
	if (!link)
		return;
	CHECK_INT(ebpf_link_pin(link, path, &error), 0);
	CHECK_INT(ebpf_link_detach(link, &error), 0);
	CHECK_INT(access(path, F_OK), -1);
	wait_until_silent(call_getppid);
	ebpf_link_close(link);
	link = NULL;
	CHECK_INT(ebpf_link_attach("raw_tp", program, OPTIONS(.tracepoint.name = "sys_enter"), &link, &error), 0);
	if (!link)
		return;
	CHECK(ebpf_link_pin(link, "/tmp/not_bpffs", &error) < 0);
	CHECK(strstr(error.hint, "mount -t bpf"));
	CHECK(ebpf_link_update(link, program, &error) < 0);
	ebpf_link_close(link);
	CHECK_INT(open_fds(), fds);
	ebpf_program_close(program);
	program = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT);
	CHECK_INT(ebpf_link_attach("tp", program,
				   OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid", .attach_mode = "perf"),
				   &link, &error),
		  0);
	CHECK_INT(ebpf_link_pin(link, path, &error), -ENOTSUP);
	CHECK_INT(ebpf_link_update(link, program, &error), -ENOTSUP);
	ebpf_link_close(link);
	ebpf_error_clear(&error);
	ebpf_program_close(program);
}

/* -- calls that fail: the n-th one, for every n until none is left -- */

static struct ebpf_sys failing;
static int calls_left;

static int fails(void)
{
	return calls_left > 0 && --calls_left == 0;
}

static int fail_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return fails() ? -ENOMEM : ebpf_sys_linux.bpf(command, attr, size);
}

static int fail_perf(struct perf_event_attr *attr, pid_t pid, int cpu, int group, unsigned long flags)
{
	return fails() ? -ENOMEM : ebpf_sys_linux.perf_event_open(attr, pid, cpu, group, flags);
}

static int fail_openat(int dir, const char *path, int flags, mode_t mode)
{
	return fails() ? -EMFILE : ebpf_sys_linux.openat(dir, path, flags, mode);
}

static ssize_t fail_read(int fd, void *data, size_t size)
{
	return fails() ? -EIO : ebpf_sys_linux.read(fd, data, size);
}

static int fail_ioctl(int fd, unsigned long request, unsigned long argument)
{
	return fails() ? -EIO : ebpf_sys_linux.ioctl(fd, request, argument);
}

static int fail_fcntl(int fd, int command, long argument)
{
	return fails() ? -EMFILE : ebpf_sys_linux.fcntl(fd, command, argument);
}

static int fail_socket(int domain, int type, int protocol)
{
	return fails() ? -EMFILE : ebpf_sys_linux.socket(domain, type, protocol);
}

static ssize_t fail_send(int fd, const void *data, size_t size, int flags)
{
	return fails() ? -ENOBUFS : ebpf_sys_linux.send(fd, data, size, flags);
}

static int fail_setsockopt(int fd, int level, int name, const void *value, size_t size)
{
	return fails() ? -ENOMEM : ebpf_sys_linux.setsockopt(fd, level, name, value, size);
}

static ssize_t fail_recv(int fd, void *data, size_t size, int flags)
{
	return fails() ? -ENOBUFS : ebpf_sys_linux.recv(fd, data, size, flags);
}

/* In a context of its own for each n, so that nothing is known yet. Nothing may be left of what failed. */
static void sweep(const char *kind, struct ebpf_program *program, const struct ebpf_link_options *options,
		  const char *masked)
{
	struct ebpf_kernel *own = program->kernel;
	int fds = open_fds();

	for (int n = 1; n < 500; n++) {
		struct ebpf_kernel *broken = ebpf_kernel_new_with(&failing, NULL);
		struct ebpf_link *link = NULL;
		int result;

		calls_left = 0;
		if (masked)
			ebpf_kernel_mask(broken, masked, true, NULL);
		program->kernel = broken;
		calls_left = n;
		result = ebpf_link_attach(kind, program, options, &link, &error);
		program->kernel = own;
		bool reached = calls_left == 0;
		calls_left = 0;
		CHECK((result == 0) == (link != NULL));
		if (result)
			CHECK(error.code && error.message[0]);
		ebpf_error_clear(&error);
		ebpf_link_close(link);
		ebpf_kernel_free(broken);
		if (open_fds() != fds) {
			fprintf(stderr, "%s, call %d fails\n", kind, n);
			CHECK_INT(open_fds(), fds);
			return;
		}
		if (!reached) {
			CHECK_INT(result, 0);
			return;
		}
	}
	CHECK(!"the sweep comes to an end");
}

static void test_broken_calls_of_the_network(void)
{
	struct ebpf_program *tc = LOAD(.type = BPF_PROG_TYPE_SCHED_CLS, .result = -1);
	struct ebpf_program *lookup = LOAD(.type = BPF_PROG_TYPE_SK_LOOKUP, .attach_type = BPF_SK_LOOKUP, .result = 1);
	struct ebpf_program *dissector = LOAD(.type = BPF_PROG_TYPE_FLOW_DISSECTOR, .attach_type = BPF_FLOW_DISSECTOR);
	struct ebpf_program *filter = LOAD(.type = BPF_PROG_TYPE_SOCKET_FILTER);
	const struct ebpf_link_options *place = OPTIONS(.interface = "lo", .tc.direction = "egress");
	const struct ebpf_link_options *own = OPTIONS(.cookie = 0);
	struct ebpf_link *link = NULL;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (has("tcx"))
		sweep("tc", tc, place, NULL);
	if (ebpf_link_attach("tc", tc, OPTIONS(.interface = "lo", .tc.direction = "egress", .attach_mode = "legacy"), &link, &error) == 0)
		sweep("tc", tc, place, "tcx");
	ebpf_link_close(link);
	ebpf_error_clear(&error);
	sweep("netns", lookup, own, NULL);
	sweep("netns", dissector, own, "netns_link");
	sweep("socket_filter", filter, OPTIONS(.socket.fd = fd), NULL);
	close(fd);
	ebpf_program_close(tc);
	ebpf_program_close(lookup);
	ebpf_program_close(dissector);
	ebpf_program_close(filter);
}

static void test_broken_calls(void)
{
	struct ebpf_program *tracepoint = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT),
			    *probe = LOAD(.type = BPF_PROG_TYPE_KPROBE);
	struct ebpf_program *xdp =
		LOAD(.type = BPF_PROG_TYPE_XDP, .attach_type = has("xdp_link") ? BPF_XDP : 0, .result = 2);
	struct ebpf_program *egress =
		LOAD(.type = BPF_PROG_TYPE_CGROUP_SKB, .attach_type = BPF_CGROUP_INET_EGRESS, .result = 1);
	const struct ebpf_link_options *event = OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid");
	struct ebpf_program *sampler = LOAD(.type = BPF_PROG_TYPE_PERF_EVENT);
	const struct ebpf_link_options *function = OPTIONS(.path = "/proc/self/exe", .symbol = "link_test_probed");
	const struct ebpf_link_options *functions = OPTIONS(.path = "/proc/self/exe", .multi.pattern = "link_test_*");

	failing = ebpf_sys_linux;
	failing.bpf = fail_bpf;
	failing.perf_event_open = fail_perf;
	failing.openat = fail_openat;
	failing.read = fail_read;
	failing.ioctl = fail_ioctl;
	failing.fcntl = fail_fcntl;
	failing.socket = fail_socket;
	failing.send = fail_send;
	failing.recv = fail_recv;
	failing.setsockopt = fail_setsockopt;
	sweep("tracepoint", tracepoint, event, NULL);
	sweep("tracepoint", tracepoint, event, "perf_link");
	if (has("perf_uprobe")) {
		sweep("uprobe", probe, function, NULL);
		sweep("uprobe", probe, function, "perf_link");
		sweep("uprobe", probe, function, "perf_uprobe");
		sweep("uprobe_multi", probe, functions, NULL);
		sweep("uprobe_multi", probe, functions, "perf_uprobe");
		CHECK_INT(left_events("uprobe_events"), 0);
	}
	sweep("perf_event", sampler, OPTIONS(.perf_event.event = "page-faults"), NULL);
	sweep("perf_event", sampler, OPTIONS(.perf_event.event = "page-faults"), "perf_link");
	ebpf_program_close(sampler);
	test_broken_calls_of_the_network();
	sweep("xdp", xdp, OPTIONS(.interface = "lo"), NULL);
	sweep("xdp", xdp, OPTIONS(.interface = "lo"), "xdp_link");
	if (cgroup_mount[0]) {
		sweep("cgroup", egress, OPTIONS(.path = cgroup_mount), NULL);
		sweep("cgroup", egress, OPTIONS(.path = cgroup_mount), "cgroup_link");
	}
	ebpf_program_close(tracepoint);
	ebpf_program_close(probe);
	ebpf_program_close(xdp);
	ebpf_program_close(egress);
}

/* -- the table of kinds -- */

static void test_kinds(void)
{
	static const char *const aliases[] = { "kretprobe", "uretprobe", "fentry", "fexit", "fmod_ret",
					       "tp_btf",    "lsm",	 "raw_tp", "tp",    "ksyscall" };
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT);
	struct {
		struct ebpf_link_options options;
		uint64_t more;
	} newer = { .options = { .size = sizeof newer, .tracepoint.category = "a", .tracepoint.name = "b" }, .more = 1 };
	const char *name, *since;
	size_t total = 0;

	for (; ebpf_link_kind(total, &name, &since) == 0; total++) {
		const struct ebpf_option *option = ebpf_link_kind_options(name);

		CHECK(option && since[0] >= '3' && since[1] == '.');
		for (; option && option->name; option++)
			CHECK(option->offset > 0 && option->offset < sizeof(struct ebpf_link_options) &&
			      strstr(option->member, strstr(option->name, "_fd") ? "fd" : strstr(option->member, ".path") ? "" : option->name));
	}
	CHECK(total >= 8);
	CHECK(!ebpf_link_kind_options("nope"));
	for (size_t i = 0; i < EBPF_COUNT(aliases); i++)
		CHECK(ebpf_link_kind_options(aliases[i]));
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "a", .tracepoint.name = "b", .usdt.name = "c"), EINVAL,
		    "it has no option 'usdt.name'", "its options are tracepoint.category, tracepoint.name, ");
	check_fails("tracepiont", program, NULL, EINVAL, "'tracepiont' is no kind of link", "tracepoint");
	check_fails("tracepoint", program, &(struct ebpf_link_options){ .tracepoint.category = "a" }, EINVAL, "size is 0", "");
	check_fails("tracepoint", program, &newer.options, E2BIG, "does not know", "");
	newer.more = 0;
	check_fails("tracepoint", program, &newer.options, ENOENT, "a:b", "");
	ebpf_program_close(program);
}

int main(void)
{
	int status;

	if (!set_up(&status))
		return status;
	test_kinds();
	test_sections();
	test_many();
	test_pin();
	test_broken_calls();
	return clean_up();
}
