/* link_test.c -- every kind of link, by every interface that the kernel has: what it attaches fires, and fires no more
 * once it is detached. */
#include "link_support.h"

/* -- tracepoints -- */

static void test_tracepoint(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT), *with_cookie;
	struct ebpf_link_options *options = OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid");

	check_link("tracepoint", program, options, has("perf_link") ? "link" : "perf", call_getppid);
	check_link("tp", program, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_exit_getppid", .attach_mode = "perf"),
		   "perf", call_getppid);
	mask("perf_link", true);
	check_link("tracepoint", program, options, "perf", call_getppid);
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid", .cookie = 7),
		    ENOTSUP, "cookie", "5.15");
	check_fails("tracepoint", program,
		    OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid", .attach_mode = "link"), ENOTSUP,
		    "5.15", "");
	mask("perf_link", false);
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppit"), ENOENT,
		    "tracepoint syscalls:sys_enter_getppit", "sys_enter_getp");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "syscals", .tracepoint.name = "sys_enter_getppid"), ENOENT,
		    "no such event", "syscalls");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "../sys_enter"), EINVAL,
		    "not the name of an event", "");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "syscalls"), EINVAL, "category and name are needed", "");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "a", .tracepoint.name = "b", .attach_mode = "legacy"), ENOTSUP,
		    "legacy", "");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "a", .tracepoint.name = "b", .attach_mode = "nope"), EINVAL, "nope",
		    "");
	check_fails("tracepoint", program, OPTIONS(.tracepoint.category = "a", .tracepoint.name = "b", .interface = "lo"), EINVAL,
		    "no option 'interface'", "tracepoint.category, tracepoint.name");
	if (has("bpf_cookie")) {
		with_cookie = LOAD(.type = BPF_PROG_TYPE_TRACEPOINT, .cookie = true);
		check_link("tracepoint", with_cookie,
			   OPTIONS(.tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getppid", .cookie = 0x1122334455667788),
			   "link", call_getppid);
		ebpf_program_close(with_cookie);
	}
	ebpf_program_close(program);
}

static void test_raw_tracepoint(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_RAW_TRACEPOINT), *with_cookie;

	check_link("raw_tracepoint", program, OPTIONS(.tracepoint.name = "sys_enter"), "raw", call_getppid);
	check_link("raw_tp", program, OPTIONS(.tracepoint.name = "sys_exit"), "raw", call_getppid);
	check_fails("raw_tp", program, OPTIONS(.tracepoint.name = "sys_entre"), ENOENT, "raw_tracepoint sys_entre",
		    has("vmlinux_btf") ? "sys_enter" : "");
	check_fails("raw_tp", program, &(struct ebpf_link_options){ .size = sizeof(struct ebpf_link_options) }, EINVAL,
		    "a name is needed", "");
	if (has("raw_tp_cookie")) {
		with_cookie = LOAD(.type = BPF_PROG_TYPE_RAW_TRACEPOINT, .cookie = true);
		check_link("raw_tracepoint", with_cookie, OPTIONS(.tracepoint.name = "sys_enter", .cookie = 99), "raw",
			   call_getppid);
		ebpf_program_close(with_cookie);
	}
	mask("raw_tp_cookie", true);
	check_fails("raw_tracepoint", program, OPTIONS(.tracepoint.name = "sys_enter", .cookie = 99), ENOTSUP, "6.10", "");
	mask("raw_tp_cookie", false);
	ebpf_program_close(program);
}

/* -- types of the kernel -- */

static uint32_t type_id(const char *name, uint32_t kind)
{
	uint32_t id = 0;
	int fd;

	CHECK_INT(ebpf_kernel_find_type(kernel, name, kind, &id, &fd, &error), 0);
	ebpf_error_clear(&error);
	return id;
}

static void check_tracing(const char *kind, uint32_t type, uint32_t attach_type, uint32_t btf_id, bool cookies)
{
	struct program_options options = { .type = type, .attach_type = attach_type, .btf_id = btf_id };
	struct ebpf_program *program = load_program(&options);

	check_link(kind, program, OPTIONS(.cookie = 0), has("tracing_link") ? "link" : "raw", call_read);
	ebpf_program_close(program);
	program = load_program(&options);
	mask("tracing_link", true);
	check_link("tracing", program, OPTIONS(.cookie = 0), "raw", call_read);
	if (!cookies || attach_type != BPF_TRACE_RAW_TP)
		check_fails(kind, program, OPTIONS(.cookie = 5), ENOTSUP, "cookie", "");
	mask("tracing_link", false);
	check_fails(strcmp(kind, "fentry") ? "fentry" : "fexit", program, OPTIONS(.cookie = 0), EINVAL, "loaded for",
		    "");
	check_fails(kind, program, OPTIONS(.target_fd = 3), EINVAL, "freplace", "");
	ebpf_program_close(program);
	if (!cookies)
		return;
	options.cookie = true;
	program = load_program(&options);
	check_link(kind, program, OPTIONS(.cookie = 77), "link", call_read);
	ebpf_program_close(program);
}

/* -- freplace: an XDP program calls `target`, which returns 1 until it is replaced by one that counts and returns 2 --
 */

#define BTF_INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

/* [1] int, [2] int (int), [3] target, [4] void *, [5] int (void *), [6] main */
static int load_types(void)
{
	static const char strings[] = "\0int\0target\0main\0a";
	static const uint32_t types[] = {
		1, BTF_INFO(BTF_KIND_INT, 0), 4, (uint32_t)BTF_INT_SIGNED << 24 | 32,
		0, BTF_INFO(BTF_KIND_FUNC_PROTO, 1), 1, 17, 1,
		5, BTF_INFO(BTF_KIND_FUNC, BTF_VAR_GLOBAL), 2,
		0, BTF_INFO(BTF_KIND_PTR, 0), 0,
		0, BTF_INFO(BTF_KIND_FUNC_PROTO, 1), 1, 17, 4,
		12, BTF_INFO(BTF_KIND_FUNC, BTF_VAR_GLOBAL), 5,
	};
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t header, type_offset, type_size, string_offset, string_size;
		uint8_t bytes[sizeof types + sizeof strings];
	} raw = { .magic = 0xeb9f, .version = 1, .header = 24, .type_size = sizeof types, .string_offset = sizeof types,
		  .string_size = sizeof strings };
	union bpf_attr attr;

	memcpy(raw.bytes, types, sizeof types);
	memcpy(raw.bytes + sizeof types, strings, sizeof strings);
	memset(&attr, 0, sizeof attr);
	attr.btf = ebpf_ptr(&raw);
	attr.btf_size = 24 + sizeof types + sizeof strings;
	return ebpf_kernel_sys(kernel)->bpf(BPF_BTF_LOAD, &attr, sizeof attr);
}

static struct ebpf_program *load_target(int types)
{
	static const struct bpf_func_info functions[] = { { 0, 6 }, { 3, 3 } };
	const struct ebpf_insn insns[] = {
		INSN(EBPF_ALU64 | 0xb0 | EBPF_K, 1, 0, 0, 7),
		INSN(EBPF_CALL, 0, EBPF_PSEUDO_CALL, 0, 1),
		INSN(EBPF_EXIT, 0, 0, 0, 0),
		INSN(EBPF_ALU64 | 0xb0 | EBPF_K, 0, 0, 0, 1),
		INSN(EBPF_EXIT, 0, 0, 0, 0),
	};
	struct ebpf_program_load load = { .name = "main",
					  .license = "GPL",
					  .type = BPF_PROG_TYPE_XDP,
					  .insns = insns,
					  .insn_count = 5,
					  .btf_fd = types,
					  .func_info = functions,
					  .func_info_count = 2 };
	struct ebpf_program *program = NULL;

	CHECK_INT(ebpf_program_load(kernel, &load, &program, &error), 0);
	ebpf_error_clear(&error);
	return program;
}

static struct ebpf_program *load_replacement(int types, struct ebpf_program *target)
{
	static const struct bpf_func_info function = { 0, 3 };
	struct ebpf_insn insns[MAX_INSNS];
	struct ebpf_program_load load = { .name = "replacement",
					  .license = "GPL",
					  .type = BPF_PROG_TYPE_EXT,
					  .insns = insns,
					  .btf_fd = types,
					  .func_info = &function,
					  .func_info_count = 1,
					  .attach_btf_id = 3,
					  .attach_program_fd = target->fd,
					  .section = "freplace/target",
					  .attach_to = "target" };
	struct ebpf_program *program = NULL;

	load.insn_count = assemble(insns, false, 2, 1);
	if (ebpf_program_load(kernel, &load, &program, &error))
		printf("note: freplace: not tried: %s\n", error.message);
	ebpf_error_clear(&error);
	return program;
}

static uint32_t run(struct ebpf_program *program)
{
	uint8_t packet[64] = { 0 };
	struct ebpf_run_options options = { .size = sizeof options, .data = packet, .data_size = sizeof packet };

	CHECK_INT(ebpf_program_run(program, &options, &error), 0);
	ebpf_error_clear(&error);
	return options.retval;
}

static void test_freplace(void)
{
	int types = load_types(), fds = open_fds();
	struct ebpf_program *first, *second, *replacement;
	struct ebpf_link *link = NULL;

	CHECK(types >= 0);
	first = load_target(types);
	second = load_target(types);
	replacement = first && second ? load_replacement(types, first) : NULL;
	if (replacement) {
		reset();
		CHECK_INT(run(first), 1);
		CHECK_INT(ebpf_link_attach("freplace", replacement, NULL, &link, &error), 0);
		CHECK_INT(run(first), 2);
		CHECK_INT(count(), 1);
		ebpf_link_close(link);
		CHECK_INT(run(first), 1);
		link = NULL;
		/* and in another program than it was loaded for */
		CHECK_INT(ebpf_link_attach("freplace", replacement,
					   OPTIONS(.target_fd = second->fd, .symbol = "target"), &link, &error),
			  0);
		CHECK_INT(run(second), 2);
		CHECK_INT(run(first), 1);
		ebpf_link_close(link);
		CHECK_INT(run(second), 1);
		check_fails("freplace", replacement, OPTIONS(.target_fd = second->fd, .symbol = "nowhere"), ENOENT,
			    "no function 'nowhere'", "");
		check_fails("freplace", replacement, OPTIONS(.target_fd = map_fd, .symbol = "target"), EINVAL,
			    "target_fd", "");
	}
	ebpf_program_close(first);
	ebpf_program_close(second);
	ebpf_program_close(replacement);
	CHECK_INT(open_fds(), fds);
	close(types);
}

/* Is BPF among the security modules that were chosen at boot? */
static bool lsm_is_active(void)
{
	char path[128], text[256] = "";
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof path, "%s/security", scratch);
	if (mkdir(path, 0755) == 0 && mount("none", path, "securityfs", 0, NULL))
		return false;
	snprintf(path, sizeof path, "%s/security/lsm", scratch);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, sizeof text - 1);
		close(fd);
	}
	return got > 0 && strstr(text, "bpf");
}

static void test_tracing(void)
{
	if (!has("vmlinux_btf"))
		return;
	check_tracing("tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP,
		      type_id("btf_trace_sys_enter", BTF_KIND_TYPEDEF), has("raw_tp_cookie"));
	if (!has("trampoline")) {
		printf("note: fentry, fexit: not tried: no trampolines here\n");
		return;
	}
	check_tracing("fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, type_id("vfs_read", BTF_KIND_FUNC),
		      has("tracing_link"));
	check_tracing("fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, type_id("vfs_read", BTF_KIND_FUNC),
		      has("tracing_link"));
	if (lsm_is_active())
		check_tracing("lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, type_id("bpf_lsm_file_permission", BTF_KIND_FUNC),
			      has("tracing_link"));
	else
		printf("note: lsm: not tried: BPF is not among the active security modules\n");
}

/* -- probes -- */

static void test_kprobe(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_KPROBE);
	const char *names[1];
	uint64_t address = 0;
	char name[64];

	if (!has("kprobe")) {
		check_fails("kprobe", program, OPTIONS(.symbol = "vfs_read"), ENOTSUP, "kprobes are not in this kernel",
			    "tracepoint");
		printf("note: kprobe: only the message was tried: no kprobes here\n");
		ebpf_program_close(program);
		return;
	}
	ebpf_kernel_syscall_name(kernel, "getppid", name, sizeof name);
	check_link("kprobe", program, OPTIONS(.symbol = name), has("perf_link") ? "link" : "perf", call_getppid);
	check_link("ksyscall", program, OPTIONS(.symbol = "getppid"), has("perf_link") ? "link" : "perf", call_getppid);
	check_link("kretsyscall", program, OPTIONS(.symbol = "getppid"), has("perf_link") ? "link" : "perf",
		   call_getppid);
	check_link("kretprobe", program, OPTIONS(.symbol = name, .attach_mode = "perf"), "perf", call_getppid);
	check_link("kprobe", program, OPTIONS(.symbol = name, .attach_mode = "legacy"), "legacy", call_getppid);
	check_link("kprobe", program, OPTIONS(.symbol = name, .ret = true, .kprobe.max_active = 16), "legacy", call_getppid);
	mask("perf_kprobe", true);
	check_link("kretprobe", program, OPTIONS(.symbol = name), "legacy", call_getppid);
	mask("perf_kprobe", false);
	names[0] = name;
	if (ebpf_kernel_symbols(kernel, names, &address, 1, NULL) == 0 && address) {
		check_link("kprobe", program, OPTIONS(.kprobe.address = address), has("perf_link") ? "link" : "perf",
			   call_getppid);
		check_link("kprobe", program, OPTIONS(.kprobe.address = address, .attach_mode = "legacy"), "legacy",
			   call_getppid);
	}
	CHECK_INT(left_events("kprobe_events"), 0);
	check_fails("kprobe", program, OPTIONS(.symbol = "vfs_reed"), ENOENT, "no such function",
		    has("vmlinux_btf") ? "vfs_read" : "");
	check_fails("kprobe", program, OPTIONS(.symbol = "vfs_reed", .attach_mode = "legacy"), ENOENT,
		    "no such function", "");
	check_fails("kretprobe", program, OPTIONS(.symbol = "vfs_read", .offset = 1), EINVAL, "no offset", "");
	check_fails("kprobe", program, OPTIONS(.symbol = "vfs read"), EINVAL, "no name of a function", "");
	check_fails("kprobe", program,
		    OPTIONS(.symbol = "vfs_read", .ret = true, .kprobe.max_active = 4, .attach_mode = "link"), ENOTSUP,
		    "max_active", "");
	CHECK_INT(left_events("kprobe_events"), 0);
	ebpf_program_close(program);
}

/* A process that is not the one asked for does not count. */
static void check_other_process(struct ebpf_program *program)
{
	struct ebpf_link *link = NULL;
	pid_t child;

	reset();
	CHECK_INT(ebpf_link_attach("uprobe", program,
				   OPTIONS(.path = "/proc/self/exe", .symbol = "link_test_probed", .pid = -1), &link,
				   &error),
		  0);
	child = fork();
	if (child == 0) {
		call_probed();
		_exit(0);
	}
	waitpid(child, NULL, 0);
	CHECK_INT(count(), 0);
	call_probed();
	CHECK_INT(count(), 1);
	ebpf_link_close(link);
}

static void test_uprobe(void)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_KPROBE), *with_cookie;
	const char *own = "/proc/self/exe", *name = "link_test_probed";
	const char *newest = !has("perf_uprobe") ? "legacy" : has("perf_link") ? "link" : "perf";
	char path[64];
	uint64_t offset = 0;

	if (!has("perf_uprobe") && faccessat(ebpf_kernel_tracefs(kernel, NULL), "uprobe_events", F_OK, 0)) {
		printf("note: uprobe: not tried: none here\n");
		ebpf_program_close(program);
		return;
	}
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name), newest, call_probed);
	check_link("uretprobe", program, OPTIONS(.path = own, .symbol = name), newest, call_probed);
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name, .ret = true, .pid = -1), newest,
		   call_probed);
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name, .pid = getpid()), newest, call_probed);
	check_link("uprobe", program, OPTIONS(.path = "libc.so.6", .symbol = "confstr"), newest, call_libc);
	CHECK_INT(ebpf_binary_symbol(own, name, &offset, NULL, &error), 0);
	check_link("uprobe", program, OPTIONS(.path = own, .offset = offset), newest, call_probed);
	snprintf(path, sizeof path, "/proc/%d/root/proc/%d/exe", (int)getpid(), (int)getpid());
	check_link("uprobe", program, OPTIONS(.path = path, .symbol = name), newest, call_probed);
	if (has("perf_uprobe"))
		check_link("uprobe", program, OPTIONS(.path = own, .symbol = name, .attach_mode = "perf"), "perf",
			   call_probed);
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name, .attach_mode = "legacy"), "legacy",
		   call_probed);
	CHECK_INT(left_events("uprobe_events"), 0);
	mask("perf_uprobe", true);
	check_link("uretprobe", program, OPTIONS(.path = own, .symbol = name), "legacy", call_probed);
	check_link("uprobe", program, OPTIONS(.path = "libc.so.6", .symbol = "confstr", .pid = -1), "legacy",
		   call_libc);
	check_fails("uprobe", program, OPTIONS(.path = own, .symbol = name, .attach_mode = "perf"), ENOTSUP,
		    "uprobe events", "");
	mask("perf_link", true);
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name), "legacy", call_probed);
	mask("perf_uprobe", false);
	check_link("uprobe", program, OPTIONS(.path = own, .symbol = name), has("perf_uprobe") ? "perf" : "legacy",
		   call_probed);
	mask("perf_link", false);
	CHECK_INT(left_events("uprobe_events"), 0);
	check_other_process(program);
	if (has("bpf_cookie")) {
		with_cookie = LOAD(.type = BPF_PROG_TYPE_KPROBE, .cookie = true);
		check_link("uprobe", with_cookie, OPTIONS(.path = own, .symbol = name, .cookie = 4711), "link",
			   call_probed);
		mask("perf_uprobe", true);
		check_link("uprobe", with_cookie, OPTIONS(.path = own, .symbol = name, .cookie = 4711), "legacy",
			   call_probed);
		mask("perf_uprobe", false);
		ebpf_program_close(with_cookie);
	}
	check_fails("uprobe", program, OPTIONS(.path = own, .symbol = "link_test_probet"), ENOENT,
		    "no function 'link_test_probet'", "link_test_probed");
	check_fails("uprobe", program, OPTIONS(.path = "/nonexistent/file", .symbol = "f"), ENOENT, "/nonexistent/file",
		    "");
	check_fails("uprobe", program, OPTIONS(.path = "nonexistent.so", .symbol = "f"), ENOENT, "nonexistent.so",
		    "LD_LIBRARY_PATH");
	check_fails("uprobe", program, OPTIONS(.path = own, .symbol = name, .offset = 1 << 20), ERANGE,
		    "beyond the end", "");
	check_fails("uretprobe", program, OPTIONS(.path = own, .symbol = name, .offset = 1), EINVAL, "no offset", "");
	check_fails("uprobe", program, OPTIONS(.path = own), EINVAL, "symbol or an offset", "");
	check_fails("uprobe", program, OPTIONS(.path = own, .symbol = name, .pid = 0x7ffffff0), ESRCH, "no process",
		    "");
	ebpf_program_close(program);
}

/* -- interfaces -- */

/* Two links do not fit; the first one stays. Then another program takes its place. */
static void check_xdp_update(struct ebpf_program *program, const char *interface)
{
	struct ebpf_program *other =
		LOAD(.type = BPF_PROG_TYPE_XDP, .attach_type = has("xdp_link") ? BPF_XDP : 0, .result = 2, .add = 1000);
	struct ebpf_link *link = NULL;
	int fds = open_fds();

	reset();
	CHECK_INT(ebpf_link_attach("xdp", program, OPTIONS(.interface = "lo"), &link, &error), 0);
	if (!link)
		return;
	CHECK_STR(ebpf_link_interface(link), interface);
	check_fails("xdp", other, OPTIONS(.interface = "lo"), EBUSY, "has an XDP program already", "");
	send_packet();
	CHECK(count() >= 1 && count() < 1000);
	CHECK_INT(ebpf_link_update(link, other, &error), 0);
	send_packet();
	CHECK(count() >= 1000);
	ebpf_link_close(link);
	reset();
	send_packet();
	CHECK_INT(count(), 0);
	CHECK_INT(open_fds(), fds);
	ebpf_program_close(other);
}

/* Somebody else's program that came after ours stays when our link goes. */
static void check_xdp_not_ours(struct ebpf_program *program)
{
	struct ebpf_program *other =
		LOAD(.type = BPF_PROG_TYPE_XDP, .attach_type = has("xdp_link") ? BPF_XDP : 0, .result = 2, .add = 1000);
	struct ebpf_link *first = NULL, *second = NULL;

	CHECK_INT(ebpf_link_attach("xdp", program, OPTIONS(.interface = "lo"), &first, &error), 0);
	if (!first)
		return;
	CHECK_INT(first->undo(first, &error), 0); /* as another process would */
	CHECK_INT(ebpf_link_attach("xdp", other, OPTIONS(.interface = "lo"), &second, &error), 0);
	ebpf_link_close(first);
	reset();
	send_packet();
	CHECK(count() >= 1000);
	ebpf_link_close(second);
	ebpf_program_close(other);
}

static void test_xdp(void)
{
	struct ebpf_program *program =
		LOAD(.type = BPF_PROG_TYPE_XDP, .attach_type = has("xdp_link") ? BPF_XDP : 0, .result = 2);
	const char *newest = has("xdp_link") ? "link" : "netlink";

	check_link("xdp", program, OPTIONS(.interface = "lo"), newest, send_packet);
	check_link("xdp", program, OPTIONS(.ifindex = 1, .xdp.mode = "generic"), newest, send_packet);
	check_link("xdp", program, OPTIONS(.interface = "lo", .attach_mode = "legacy"), "netlink", send_packet);
	check_xdp_update(program, newest);
	mask("xdp_link", true);
	check_link("xdp", program, OPTIONS(.interface = "lo"), "netlink", send_packet);
	check_link("xdp", program, OPTIONS(.interface = "lo", .xdp.mode = "generic"), "netlink", send_packet);
	check_xdp_update(program, "netlink");
	check_xdp_not_ours(program);
	check_fails("xdp", program, OPTIONS(.interface = "lo", .attach_mode = "link"), ENOTSUP, "5.9", "");
	check_fails("xdp", program, OPTIONS(.interface = "lo", .xdp.mode = "driver"), EOPNOTSUPP, "xdp lo", "generic");
	mask("xdp_link", false);
	check_fails("xdp", program, OPTIONS(.interface = "lo", .xdp.mode = "driver"), EOPNOTSUPP, "xdp lo", "generic");
	check_fails("xdp", program, OPTIONS(.interface = "nope0"), ENODEV, "no interface 'nope0'", "");
	check_fails("xdp", program, OPTIONS(.interface = "lo", .xdp.mode = "fast"), EINVAL, "mode 'fast'", "");
	check_fails("xdp", program, OPTIONS(.xdp.mode = "generic"), EINVAL, "an interface is needed", "");
	ebpf_program_close(program);
}

/* -- cgroups -- */

static char cgroup_path[512];

static void send_from_cgroup(void)
{
	char path[600];
	pid_t child = fork();
	int fd;

	if (child == 0) {
		snprintf(path, sizeof path, "%s/cgroup.procs", cgroup_path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			perror(path);
		send_packet();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void check_cgroup_update(struct ebpf_program *program, const char *interface)
{
	struct ebpf_program *other =
		LOAD(.type = BPF_PROG_TYPE_CGROUP_SKB, .attach_type = BPF_CGROUP_INET_EGRESS, .result = 1, .add = 1000);
	struct ebpf_link *link = NULL;
	int fds = open_fds();

	reset();
	CHECK_INT(ebpf_link_attach("cgroup", program, OPTIONS(.path = cgroup_path), &link, &error), 0);
	if (!link)
		return;
	CHECK_STR(ebpf_link_interface(link), interface);
	CHECK_INT(ebpf_link_update(link, other, &error), 0);
	send_from_cgroup();
	CHECK(count() >= 1000 && count() % 1000 == 0);
	ebpf_link_close(link);
	reset();
	send_from_cgroup();
	CHECK_INT(count(), 0);
	CHECK_INT(open_fds(), fds);
	ebpf_program_close(other);
}

static void bind_from_cgroup(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char path[600];
	pid_t child = fork();
	int fd;

	if (child == 0) {
		snprintf(path, sizeof path, "%s/cgroup.procs", cgroup_path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			perror(path);
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		_exit(bind(fd, (struct sockaddr *)&address, sizeof address) != 0);
	}
	waitpid(child, NULL, 0);
}

/* Security hooks for a cgroup alone (Linux 6.0). */
static void check_lsm_cgroup(void)
{
	struct ebpf_program *program;

	if (ebpf_kernel_version(kernel) < 6 << 16 || !has("trampoline") || !lsm_is_active()) {
		printf("note: lsm_cgroup: not tried\n");
		return;
	}
	program = LOAD(.type = BPF_PROG_TYPE_LSM, .attach_type = BPF_LSM_CGROUP,
		       .btf_id = type_id("bpf_lsm_socket_bind", BTF_KIND_FUNC), .result = 1);
	check_link("cgroup", program, OPTIONS(.path = cgroup_path), "link", bind_from_cgroup);
	mask("cgroup_link", true);
	check_link("cgroup", program, OPTIONS(.path = cgroup_path), "attach", bind_from_cgroup);
	mask("cgroup_link", false);
	ebpf_program_close(program);
}

static void test_cgroup(void)
{
	struct ebpf_program *program =
		LOAD(.type = BPF_PROG_TYPE_CGROUP_SKB, .attach_type = BPF_CGROUP_INET_EGRESS, .result = 1);
	const char *newest = has("cgroup_link") ? "link" : "attach", *name;
	int fd;

	snprintf(cgroup_path, sizeof cgroup_path, "%s/ebpf_link_test_%d", cgroup_mount, (int)getpid());
	if (mkdir(cgroup_path, 0755)) {
		printf("note: cgroup: not tried: %s cannot be made\n", cgroup_path);
		ebpf_program_close(program);
		return;
	}
	name = strrchr(cgroup_path, '/') + 1;
	check_link("cgroup", program, OPTIONS(.path = cgroup_path), newest, send_from_cgroup);
	check_link("cgroup", program, OPTIONS(.path = name), newest, send_from_cgroup);
	check_link("cgroup", program,
		   OPTIONS(.path = cgroup_path, .attach_type = "cgroup_inet_egress", .attach_mode = "legacy"), "attach",
		   send_from_cgroup);
	check_link("cgroup", program, OPTIONS(.path = cgroup_path, .flags = BPF_F_ALLOW_MULTI), "attach",
		   send_from_cgroup);
	fd = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_link("cgroup", program, OPTIONS(.cgroup.fd = fd), newest, send_from_cgroup);
	close(fd);
	check_cgroup_update(program, newest);
	check_lsm_cgroup();
	mask("cgroup_link", true);
	check_link("cgroup", program, OPTIONS(.path = cgroup_path), "attach", send_from_cgroup);
	check_cgroup_update(program, "attach");
	mask("cgroup_multi", true);
	check_link("cgroup", program, OPTIONS(.path = cgroup_path), "attach", send_from_cgroup);
	check_cgroup_update(program, "attach");
	mask("cgroup_multi", false);
	mask("cgroup_link", false);
	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_fails("cgroup", program, OPTIONS(.cgroup.fd = fd), EBADF, "cgroup v2", "");
	close(fd);
	check_fails("cgroup", program, OPTIONS(.path = "/tmp"), EINVAL, "not a folder of cgroup v2", "unified");
	check_fails("cgroup", program, OPTIONS(.path = "no_such_group"), ENOENT, "no_such_group", "");
	check_fails("cgroup", program, OPTIONS(.path = cgroup_path, .attach_type = "egress"), EINVAL, "no attach type",
		    "");
	check_fails("cgroup", program, OPTIONS(.path = cgroup_path, .attach_type = "cgroup_device"), EINVAL,
		    "does not go with", "");
	check_fails("cgroup", program, OPTIONS(.flags = 0), EINVAL, "a path is needed", "");
	CHECK_INT(rmdir(cgroup_path), 0);
	ebpf_program_close(program);
}

int main(void)
{
	int status;

	if (!set_up(&status))
		return status;
	test_tracepoint();
	test_raw_tracepoint();
	test_tracing();
	test_freplace();
	test_kprobe();
	test_uprobe();
	test_xdp();
	test_cgroup();
	return clean_up();
}
