/* link_multi_test.c -- one program at many places, of the kernel and of this program: by one link, by several, or by a
 * probe for each. */
#include <link.h>

#include "link_support.h"

/* Not inlined and not merged: they are probed. */
#define PROBED(name, factor)                                                           \
	int name(int number);                                                          \
	__attribute__((noinline, visibility("default"))) int name(int number)          \
	{                                                                              \
		__asm__ volatile("" : "+r"(number) : : "memory");                      \
		return number * (factor);                                              \
	}
PROBED(link_multi_one, 3)
PROBED(link_multi_two, 5)
PROBED(link_multi_three, 7)

static const char *const names[] = { "link_multi_one", "link_multi_two", "link_multi_three" };
static const char *const own = "/proc/self/exe";

#define SYMBOLS(list) { .items = (list), .count = EBPF_COUNT(list) }
#define NUMBERS(list) { .items = (list), .count = EBPF_COUNT(list) }

static void call_all(void)
{
	link_multi_one(1);
	link_multi_two(1);
	link_multi_three(1);
}

/* What one call of each counts. */
static void check_count(const char *kind, struct ebpf_program *program, const struct ebpf_link_options *options, uint64_t expected)
{
	struct ebpf_link *link = NULL;
	int result = ebpf_link_attach(kind, program, options, &link, &error);

	if (result)
		fprintf(stderr, "%s: %s [%s]\n", kind, error.message, error.hint);
	CHECK_INT(result, 0);
	ebpf_error_clear(&error);
	reset();
	call_all();
	CHECK_INT(count(), expected);
	ebpf_link_close(link);
}

static uint64_t offset_of(const char *name)
{
	uint64_t offset = 0;

	CHECK_INT(ebpf_binary_symbol(own, name, &offset, NULL, &error), 0);
	return offset;
}

/* -- reference counters: the file offset of a variable -- */

static volatile unsigned short semaphores[3] = { 0, 0, 0 };
static volatile unsigned short initialised = 1; /* so that its segment has bytes in the file */

static int find_in_segments(struct dl_phdr_info *info, size_t size, void *out)
{
	uintptr_t wanted = *(uintptr_t *)out;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && wanted >= start && wanted < start + info->dlpi_phdr[i].p_memsz) {
			*(uintptr_t *)out = wanted - start + info->dlpi_phdr[i].p_offset;
			return 1;
		}
	}
	return 0;
}

static uint64_t file_offset(const volatile void *address)
{
	uintptr_t value = (uintptr_t)address;

	CHECK_INT(dl_iterate_phdr(find_in_segments, &value), 1);
	return value;
}

/* -- places of a program -- */

/* A process that is not the one asked for does not count. */
static void check_process(struct ebpf_program *program)
{
	struct ebpf_link *link = NULL;
	pid_t child;

	CHECK_INT(ebpf_link_attach("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_*", .pid = -1), &link,
				   &error),
		  0);
	reset();
	child = fork();
	if (child == 0) {
		call_all();
		_exit(0);
	}
	waitpid(child, NULL, 0);
	CHECK_INT(count(), 0);
	call_all();
	CHECK_INT(count(), 3);
	ebpf_link_close(link);
}

static void check_cookies(uint32_t attach_type)
{
	static const uint64_t cookies[] = { 11, 22, 33 };
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = attach_type, .cookie = true);
	struct ebpf_link *link = NULL;

	CHECK_INT(ebpf_link_attach("uprobe_multi", program,
				   OPTIONS(.path = own, .multi.symbols = SYMBOLS(names), .multi.cookies = NUMBERS(cookies)), &link, &error),
		  0);
	link_multi_one(1);
	CHECK_INT(cookie(), 11);
	link_multi_three(1);
	CHECK_INT(cookie(), 33);
	link_multi_two(1);
	CHECK_INT(cookie(), 22);
	ebpf_link_close(link);
	link = NULL;
	CHECK_INT(ebpf_link_attach("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_*", .cookie = 5), &link,
				   &error),
		  0);
	link_multi_three(1);
	CHECK_INT(cookie(), 5);
	ebpf_link_close(link);
	ebpf_program_close(program);
}

static void check_counters(struct ebpf_program *program)
{
	uint64_t places[3], counters[3];
	struct ebpf_link *link = NULL;

	for (int i = 0; i < 3; i++) {
		places[i] = offset_of(names[i]);
		counters[i] = file_offset(&semaphores[i]);
	}
	CHECK_INT(initialised, 1);
	CHECK_INT(ebpf_link_attach("uprobe_multi", program,
				   OPTIONS(.path = own, .multi.offsets = NUMBERS(places), .multi.ref_counter_offsets = NUMBERS(counters)),
				   &link, &error),
		  0);
	if (!link)
		fprintf(stderr, "%s [%s]\n", error.message, error.hint);
	for (int i = 0; i < 3; i++)
		CHECK_INT(semaphores[i], 1);
	ebpf_link_close(link);
	for (int i = 0; i < 3; i++)
		CHECK_INT(semaphores[i], 0);
}

static void check_uprobes(struct ebpf_program *program, const char *interface)
{
	uint64_t places[2] = { offset_of(names[0]), offset_of(names[2]) };

	check_link("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), interface, call_all);
	check_link("uretprobe_multi", program, OPTIONS(.path = own, .multi.symbols = SYMBOLS(names)), interface, call_all);
	check_count("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), 3);
	check_count("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_t*"), 2);
	check_count("uretprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_one"), 1);
	check_count("uprobe_multi", program, OPTIONS(.path = own, .multi.offsets = NUMBERS(places)), 2);
	check_process(program);
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "no_such_*"), ENOENT, "no function matches", "");
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link_multi_for"), ENOENT,
		    "no function 'link_multi_for'", "link_multi_");
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "x*", .multi.symbols = SYMBOLS(names)), EINVAL,
		    "one of the three", "");
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.symbols = SYMBOLS(names), .multi.cookies = NUMBERS(places)), EINVAL,
		    "2 cookies for 3 places", "");
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.pattern = "link*", .multi.cookies = NUMBERS(places)), EINVAL,
		    "for a pattern there is one cookie", "");
	check_fails("uprobe_session", program, OPTIONS(.path = own, .multi.pattern = "link*"), EINVAL, "was not loaded for it",
		    "session");
	check_fails("uprobe_multi", program, OPTIONS(.path = own, .multi.symbols = SYMBOLS(names), .pid = 0x7ffffff0), ESRCH,
		    "no process", "");
}

static void test_uprobes(void)
{
	struct ebpf_program *plain = LOAD(.type = BPF_PROG_TYPE_KPROBE), *multi, *session;
	const char *each = !has("perf_uprobe") ? "legacy" : has("perf_link") ? "link" : "perf";

	if (!has("perf_uprobe") && faccessat(ebpf_kernel_tracefs(kernel, NULL), "uprobe_events", F_OK, 0)) {
		printf("note: uprobe_multi: not tried: no uprobes here\n");
		ebpf_program_close(plain);
		return;
	}
	check_uprobes(plain, each);
	check_counters(plain);
	if (has("bpf_cookie"))
		check_cookies(0);
	CHECK_INT(left_events("uprobe_events"), 0);
	if (has("uprobe_multi")) {
		check_fails("uprobe_multi", plain, OPTIONS(.path = own, .multi.pattern = "link*", .attach_mode = "link"), EINVAL,
			    "not loaded with attach type trace_uprobe_multi", "");
		multi = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = BPF_TRACE_UPROBE_MULTI);
		check_uprobes(multi, "link");
		check_counters(multi);
		check_cookies(BPF_TRACE_UPROBE_MULTI);
		/* its helpers would be wrong in a uprobe: told, not done */
		mask("uprobe_multi", true);
		check_fails("uprobe_multi", multi, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), EINVAL, "fits no uprobe",
			    "attach type 0");
		mask("uprobe_multi", false);
		mask("uprobe_multi_pid", true);
		check_fails("uprobe_multi", multi, OPTIONS(.path = own, .multi.pattern = "link_multi_*", .pid = -1), ENOTSUP,
			    "Linux 6.10", "attach type 0");
		mask("uprobe_multi_pid", false);
		ebpf_program_close(multi);
	}
	if (has("uprobe_session")) {
		session = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = BPF_TRACE_UPROBE_SESSION);
		check_link("uprobe_session", session, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), "link", call_all);
		check_count("uprobe_multi", session, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), 6);
		check_fails("uretprobe_multi", session, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), EINVAL,
			    "entry and return alike", "");
		mask("uprobe_session", true);
		check_fails("uprobe_session", session, OPTIONS(.path = own, .multi.pattern = "link_multi_*"), ENOTSUP, "Linux 6.13", "");
		mask("uprobe_session", false);
		ebpf_program_close(session);
	}
	ebpf_program_close(plain);
}

/* -- places of the kernel -- */

static void check_kprobes(struct ebpf_program *program, const char *interface)
{
	char name[64];
	const char *listed[] = { name, "vfs_read" };
	uint64_t addresses[2] = { 0, 0 };

	ebpf_kernel_syscall_name(kernel, "getppid", name, sizeof name);
	check_link("kprobe_multi", program, OPTIONS(.multi.pattern = "*_sys_getppid"), interface, call_getppid);
	check_link("kprobe_multi", program, OPTIONS(.multi.pattern = name), interface, call_getppid);
	check_link("kretprobe_multi", program, OPTIONS(.multi.symbols = SYMBOLS(listed)), interface, call_getppid);
	check_link("kprobe_multi", program, OPTIONS(.multi.pattern = "vfs_rea*"), interface, call_read);
	if (!ebpf_kernel_symbols(kernel, listed, addresses, 2, NULL) && addresses[0])
		check_link("kprobe_multi", program, OPTIONS(.multi.addresses = NUMBERS(addresses)), interface, call_getppid);
	check_fails("kprobe_multi", program, OPTIONS(.multi.pattern = "no_such_function_*"), ENOENT, "no function of the kernel", "");
	check_fails("kprobe_multi", program, OPTIONS(.multi.pattern = "no_such_function"), ENOENT, "there is no such function", "");
	listed[1] = "no_such_function";
	check_fails("kprobe_multi", program, OPTIONS(.multi.symbols = SYMBOLS(listed)), ENOENT, "not all of the 2 functions", "");
	check_fails("kprobe_multi", program, OPTIONS(.ret = true), EINVAL, "one of the three", "");
	check_fails("kprobe_session", program, OPTIONS(.multi.pattern = "vfs_*"), EINVAL, "was not loaded for it", "session");
}

static void check_kernel_cookies(uint32_t attach_type)
{
	struct ebpf_program *program = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = attach_type, .cookie = true);
	char name[64];
	const char *listed[] = { "vfs_rmdir", name };
	uint64_t cookies[2] = { 8, 9 };

	ebpf_kernel_syscall_name(kernel, "getppid", name, sizeof name);
	for (int i = 0; i < 2; i++) {
		struct ebpf_link *link = NULL;

		CHECK_INT(ebpf_link_attach("kprobe_multi", program,
					   i ? OPTIONS(.multi.pattern = "*_sys_getppid", .cookie = 77)
					     : OPTIONS(.multi.symbols = SYMBOLS(listed), .multi.cookies = NUMBERS(cookies)),
					   &link, &error),
			  0);
		call_getppid();
		CHECK_INT(cookie(), i ? 77 : 9);
		ebpf_link_close(link);
	}
	ebpf_program_close(program);
}

static void test_kprobes(void)
{
	struct ebpf_program *plain = LOAD(.type = BPF_PROG_TYPE_KPROBE), *multi, *session;

	if (!has("kprobe")) {
		check_fails("kprobe_multi", plain, OPTIONS(.multi.pattern = "vfs_rea*"), ENOTSUP, "kprobes are not in this kernel", "");
		printf("note: kprobe_multi: only the message was tried: no kprobes here\n");
		ebpf_program_close(plain);
		return;
	}
	check_kprobes(plain, has("perf_link") ? "link" : "perf");
	if (has("bpf_cookie"))
		check_kernel_cookies(0);
	CHECK_INT(left_events("kprobe_events"), 0);
	if (has("kprobe_multi")) {
		multi = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = BPF_TRACE_KPROBE_MULTI);
		check_kprobes(multi, "link");
		check_kernel_cookies(BPF_TRACE_KPROBE_MULTI);
		mask("kprobe_multi", true);
		check_fails("kprobe_multi", multi, OPTIONS(.multi.pattern = "vfs_rea*"), EINVAL, "fits no kprobe", "attach type 0");
		mask("kprobe_multi", false);
		ebpf_program_close(multi);
	}
	if (has("kprobe_session")) {
		session = LOAD(.type = BPF_PROG_TYPE_KPROBE, .attach_type = BPF_TRACE_KPROBE_SESSION);
		check_link("kprobe_session", session, OPTIONS(.multi.pattern = "*_sys_getppid"), "link", call_getppid);
		check_fails("kretprobe_multi", session, OPTIONS(.multi.pattern = "vfs_*"), EINVAL, "entry and return alike", "");
		ebpf_program_close(session);
	}
	ebpf_program_close(plain);
}

int main(void)
{
	int status;

	if (!set_up(&status))
		return status;
	test_uprobes();
	test_kprobes();
	return clean_up();
}
