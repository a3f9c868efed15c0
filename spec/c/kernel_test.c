/* kernel_test.c -- what is known of the running kernel, and what is said when it cannot be known. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "program/program.h"
#include "descriptors.h"
#include "test.h"

static struct ebpf_error error;

/* -- the version and small things -- */

static void test_version(struct ebpf_kernel *kernel)
{
	unsigned major = 0, minor = 0;
	struct utsname name;
	uint32_t version = ebpf_kernel_version(kernel);

	CHECK_INT(uname(&name), 0);
	CHECK_INT(sscanf(name.release, "%u.%u", &major, &minor), 2);
	CHECK_INT(version >> 16, major);
	CHECK_INT(version >> 8 & 0xff, minor);
	CHECK_INT(ebpf_kernel_version(kernel), version);
}

static void test_names(struct ebpf_kernel *kernel)
{
	char name[16];

	ebpf_kernel_object_name(kernel, "a-name that is longer", name);
	CHECK_STR(name, "a_name_that_is_");
	ebpf_kernel_object_name(kernel, "obj.rodata", name);
	CHECK_STR(name, ebpf_kernel_has(kernel, "name_dots", NULL) == 1 ? "obj.rodata" : "obj_rodata");
	ebpf_kernel_mask(kernel, "name_dots", true, NULL);
	ebpf_kernel_object_name(kernel, "obj.rodata", name);
	CHECK_STR(name, "obj_rodata");
	ebpf_kernel_mask(kernel, "name_dots", false, NULL);
	ebpf_kernel_mask(kernel, "prog_name", true, NULL);
	ebpf_kernel_object_name(kernel, "name", name);
	CHECK_STR(name, "");
	ebpf_kernel_mask(kernel, "prog_name", false, NULL);
	ebpf_kernel_object_name(kernel, NULL, name);
	CHECK_STR(name, "");
}

/* Files of /proc and /sys by other texts. */
static const char *fake_path, *fake_text;
static size_t fake_at;
static int fake_fd = -1;

static int fake_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	if (!fake_path || strcmp(path, fake_path) != 0)
		return ebpf_sys_linux.openat(dir, path, flags, mode);
	if (!fake_text)
		return -ENOENT;
	fd = ebpf_sys_linux.openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
	fake_fd = fd;
	fake_at = 0;
	return fd;
}

static ssize_t fake_read(int fd, void *data, size_t size)
{
	size_t left;

	if (fd != fake_fd)
		return ebpf_sys_linux.read(fd, data, size);
	left = strlen(fake_text + fake_at);
	if (size > 7)
		size = 7; /* lines come in pieces */
	if (size > left)
		size = left;
	memcpy(data, fake_text + fake_at, size);
	fake_at += size;
	return (ssize_t)size;
}

static int fake_close(int fd)
{
	if (fd == fake_fd)
		fake_fd = -1;
	return ebpf_sys_linux.close(fd);
}

static struct ebpf_sys fake_sys;

static struct ebpf_kernel *fake_kernel(const char *path, const char *text)
{
	fake_sys = ebpf_sys_linux;
	fake_sys.openat = fake_openat;
	fake_sys.read = fake_read;
	fake_sys.close = fake_close;
	fake_path = path;
	fake_text = text;
	return ebpf_kernel_new_with(&fake_sys, NULL);
}

static void test_cpus(struct ebpf_kernel *kernel)
{
	static const struct { const char *text; int count;
	} lists[] = {
		{ "0-3\n", 4 },	  { "0\n", 1 },	      { "0,2-3", 3 },	 { "", -EINVAL },
		{ "x", -EINVAL }, { "3-1", -EINVAL }, { "0-", -EINVAL }, { "0-99999999999", -EINVAL },
	};

	CHECK_INT(ebpf_kernel_cpu_count(kernel, NULL), sysconf(_SC_NPROCESSORS_CONF));
	for (size_t i = 0; i < EBPF_COUNT(lists); i++) {
		struct ebpf_kernel *other = fake_kernel("/sys/devices/system/cpu/possible", lists[i].text);
		int count = ebpf_kernel_cpu_count(other, &error);

		/* the fake gives 7 bytes at once: only the first read counts */
		if (strlen(lists[i].text) <= 7)
			CHECK_INT(count, lists[i].count);
		ebpf_kernel_free(other);
	}
	ebpf_error_clear(&error);
}

/* -- features -- */

/* Those that depend on how the kernel was built, or on its architecture. */
static bool may_be_missing(const char *name)
{
	static const char *const names[] = { "kprobe",	     "perf_kprobe", "perf_uprobe", "uprobe_ref_ctr",
					     "trampoline",   "vmlinux_btf", "module_btf",  "syscall_wrapper",
					     "tracing_link", "cgroup_link", "cgroup_multi", "netkit", "kprobe_multi",
					     "kprobe_session", "uprobe_multi", "uprobe_multi_pid", "uprobe_session",
					     "netfilter_link", "sockmap_link" };

	for (size_t i = 0; i < EBPF_COUNT(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* Even a distribution's kernel of a version that has them may be built without. */
static bool is_configured_away(struct ebpf_kernel *kernel, const char *name)
{
	static const char *const needs[][2] = {
		{ "kprobe_multi", "CONFIG_FPROBE" },   { "kprobe_session", "CONFIG_FPROBE" },
		{ "trampoline", "CONFIG_BPF_JIT" },    { "struct_ops_link", "CONFIG_BPF_JIT" },
		{ "netkit", "CONFIG_NETKIT" },         { "netfilter_link", "CONFIG_NETFILTER_BPF_LINK" },
	};
	char value[16];

	for (size_t i = 0; i < EBPF_COUNT(needs); i++)
		if (!strcmp(needs[i][0], name))
			return !ebpf_kernel_config(kernel, needs[i][1], value, sizeof value, NULL) && !value[0];
	return false;
}

static void test_features(struct ebpf_kernel *kernel)
{
	const char *name, *since;
	int fds = open_fds();
	size_t i;

	ebpf_kernel_tracefs(kernel, NULL);
	ebpf_kernel_btf(kernel, NULL);
	fds = open_fds();
	for (i = 0; ebpf_kernel_feature(i, &name, &since) == 0; i++) {
		unsigned major = 0, minor = 0;
		int answer = ebpf_kernel_has(kernel, name, &error);
		bool new_enough;

		CHECK_INT(sscanf(since, "%u.%u", &major, &minor), 2);
		new_enough = ebpf_kernel_version(kernel) >= (major << 16 | minor << 8);
		if (answer < 0)
			fprintf(stderr, "%s: %s [%s]\n", name, error.message, error.hint);
		CHECK(answer >= 0);
		if (answer == 0 && new_enough && !is_configured_away(kernel, name) &&
		    (!may_be_missing(name) || getenv("EBPF_COMPLETE_KERNEL"))) {
			fprintf(stderr, "feature '%s' (%s) is said to be missing\n", name, since);
			CHECK(answer);
		}
		if (answer == 1 && !new_enough)
			printf("note: feature '%s' (%s) is in this older kernel\n", name, since);
		CHECK_INT(ebpf_kernel_has(kernel, name, NULL), answer);
		CHECK_INT(ebpf_kernel_mask(kernel, name, true, NULL), 0);
		CHECK_INT(ebpf_kernel_has(kernel, name, NULL), 0);
		CHECK_INT(ebpf_kernel_mask(kernel, name, false, NULL), 0);
		CHECK_INT(ebpf_kernel_has(kernel, name, NULL), answer);
	}
	CHECK_INT(i, EBPF_FEATURE_COUNT);
	CHECK_STR(ebpf_feature_name(EBPF_FEATURE_PERF_LINK), "perf_link");
	CHECK_STR(ebpf_feature_since(EBPF_FEATURE_PERF_LINK), "5.15");
	CHECK_INT(ebpf_kernel_has(kernel, "perf_lnik", &error), -ENOENT);
	CHECK(strstr(error.hint, "perf_link"));
	CHECK_INT(ebpf_kernel_mask(kernel, "nope", true, &error), -ENOENT);
	CHECK_INT(open_fds(), fds);
	ebpf_error_clear(&error);
}

/* A kernel that refuses everything answers neither yes nor no, and such an answer is not kept. */
static bool refusing = true;

static int refuse_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return refusing ? -EPERM : ebpf_sys_linux.bpf(command, attr, size);
}

static void test_inconclusive(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *kernel;

	sys.bpf = refuse_bpf;
	kernel = ebpf_kernel_new_with(&sys, NULL);
	CHECK_INT(ebpf_kernel_has(kernel, "global_data", &error), -EPERM);
	CHECK(error.hint[0]);
	CHECK(!ebpf_kernel_supports(kernel, EBPF_FEATURE_GLOBAL_DATA));
	CHECK_INT(ebpf_kernel_has(kernel, "trampoline", NULL), ebpf_kernel_btf(kernel, NULL) ? -EPERM : 0);
	refusing = false;
	CHECK(ebpf_kernel_has(kernel, "global_data", NULL) >= 0);
	refusing = true;
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&error);
}

/* What has no JIT has no trampolines, and says ENOMEM; where memory is short, nothing is known. */
static int interpreting_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	if (command == BPF_PROG_LOAD && attr->expected_attach_type == BPF_TRACE_FENTRY)
		return -ENOMEM;
	return ebpf_sys_linux.bpf(command, attr, size);
}

static void test_without_jit(void)
{
	const struct ebpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };
	struct ebpf_program_load request = {
		.type = BPF_PROG_TYPE_TRACING, .attach_type = BPF_TRACE_FENTRY, .attach_btf_id = 1, .name = "f", .license = "GPL",
		.insns = insns, .insn_count = 2,
	};
	struct ebpf_program *program;

	for (int jit = 0; jit < 2; jit++) {
		struct ebpf_kernel *kernel = fake_kernel(jit ? NULL : "/proc/sys/net/core/bpf_jit_enable", NULL);

		fake_sys.bpf = interpreting_bpf;
		if (!ebpf_kernel_btf(kernel, NULL) || access("/proc/sys/net/core/bpf_jit_enable", F_OK) != 0) {
			ebpf_kernel_free(kernel);
			continue;
		}
		CHECK_INT(ebpf_kernel_has(kernel, "trampoline", NULL), jit ? -ENOMEM : 0);
		CHECK_INT(ebpf_program_load(kernel, &request, &program, &error), -ENOMEM);
		CHECK_INT(strstr(error.message, "trampoline") != NULL, 1);
		ebpf_error_clear(&error);
		ebpf_kernel_free(kernel);
	}
}

/* Each system call fails once: an answer or an error, never a descriptor left open. */
static int calls_left;

static int broken_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return --calls_left == 0 ? -ENOMEM : ebpf_sys_linux.bpf(command, attr, size);
}

static int broken_openat(int dir, const char *path, int flags, mode_t mode)
{
	return --calls_left == 0 ? -EMFILE : ebpf_sys_linux.openat(dir, path, flags, mode);
}

static int broken_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return --calls_left == 0 ? -ENOMEM : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static ssize_t broken_read(int fd, void *data, size_t size)
{
	return --calls_left == 0 ? -EIO : ebpf_sys_linux.read(fd, data, size);
}

static void test_broken_calls(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const char *name, *since;
	int fds = open_fds();

	sys.bpf = broken_bpf;
	sys.openat = broken_openat;
	sys.mmap = broken_mmap;
	sys.read = broken_read;
	for (size_t i = 0; ebpf_kernel_feature(i, &name, &since) == 0; i++) {
		for (int n = 1; n < 12; n++) {
			struct ebpf_kernel *kernel = ebpf_kernel_new_with(&sys, NULL);

			calls_left = n;
			ebpf_kernel_has(kernel, name, &error);
			ebpf_error_clear(&error);
			ebpf_kernel_free(kernel);
			CHECK_INT(open_fds(), fds);
			if (calls_left > 0)
				break;
		}
	}
}

/* -- types -- */

static int refuse_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	(void)size, (void)prot, (void)flags, (void)fd, (void)offset, (void)out;
	return -ENODEV;
}

static void test_types(struct ebpf_kernel *kernel)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const struct ebpf_module *modules;
	struct ebpf_kernel *other;
	struct ebpf_btf *btf;
	size_t count;
	uint32_t id = 0;
	int fd = -1;

	if (ebpf_kernel_has(kernel, "vmlinux_btf", NULL) != 1) {
		CHECK(!ebpf_kernel_btf(kernel, &error));
		ebpf_error_clear(&error);
		return;
	}
	btf = ebpf_kernel_btf(kernel, &error);
	CHECK(btf);
	CHECK(ebpf_kernel_btf(kernel, NULL) == btf);
	sys.mmap = refuse_mmap; /* as before 6.16 */
	other = ebpf_kernel_new_with(&sys, NULL);
	CHECK(ebpf_kernel_btf(other, &error));
	CHECK_INT(ebpf_btf_count(ebpf_kernel_btf(other, &error)), ebpf_btf_count(btf));
	ebpf_kernel_free(other);
	CHECK_INT(ebpf_kernel_find_type(kernel, "task_struct", BTF_KIND_STRUCT, &id, &fd, &error), 0);
	CHECK_INT(fd, 0);
	CHECK_INT(id, ebpf_btf_find(btf, "struct task_struct"));
	CHECK_INT(ebpf_kernel_find_type(kernel, "vmlinux:vfs_read", BTF_KIND_FUNC, &id, &fd, &error), 0);
	CHECK_INT(ebpf_kernel_find_type(kernel, "no_such_function", BTF_KIND_FUNC, &id, &fd, &error), -ENOENT);
	CHECK(strstr(error.message, "no_such_function"));
	CHECK_INT(ebpf_kernel_find_type(kernel, "no_such_module:vfs_read", BTF_KIND_FUNC, &id, &fd, &error), -ENOENT);
	CHECK(strstr(error.message, "no_such_module"));
	CHECK_STR(ebpf_kernel_nearest_type(kernel, "", "vfs_raed", BTF_KIND_FUNC), "vfs_read");
	CHECK_INT(ebpf_kernel_modules(kernel, &modules, &count, &error), 0);
	for (size_t i = 0; i < count; i++) {
		CHECK(modules[i].name[0] && modules[i].btf_id);
		CHECK(i == 0 || modules[i].btf_id > modules[i - 1].btf_id);
		CHECK(ebpf_kernel_module_btf(kernel, i, &error));
		CHECK(ebpf_kernel_module_btf_fd(kernel, i, &error) >= 0);
	}
	CHECK(!ebpf_kernel_module_btf(kernel, count, &error));
	ebpf_error_clear(&error);
}

static int no_btf_openat(int dir, const char *path, int flags, mode_t mode)
{
	if (strstr(path, "btf/vmlinux") || strstr(path, "vmlinux"))
		return -ENOENT;
	return ebpf_sys_linux.openat(dir, path, flags, mode);
}

static void test_no_types(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *kernel;

	sys.openat = no_btf_openat;
	kernel = ebpf_kernel_new_with(&sys, NULL);
	if (!ebpf_kernel_btf(kernel, &error)) { /* unless the kernel's ELF file is installed */
		CHECK_INT(error.code, ENOTSUP);
		CHECK(strstr(error.hint, "CONFIG_DEBUG_INFO_BTF"));
	}
	ebpf_error_clear(&error);
	ebpf_kernel_free(kernel);
}

/* -- symbols -- */

static void check_symbols(const char *text, int result, const char *const *names, size_t count,
			  const uint64_t *expected)
{
	struct ebpf_kernel *kernel = fake_kernel("/proc/kallsyms", text);
	uint64_t addresses[8];

	ebpf_error_clear(&error);
	CHECK_INT(ebpf_kernel_symbols(kernel, names, addresses, count, &error), result);
	for (size_t i = 0; result == 0 && i < count; i++)
		CHECK_INT(addresses[i], expected[i]);
	ebpf_kernel_free(kernel);
}

static void test_symbols(struct ebpf_kernel *kernel)
{
	static const char *const names[] = { "vfs_read", "nowhere", "vfs_read", "in_module" };
	static const uint64_t expected[] = { 0xffffffff81000010, 0, 0xffffffff81000010, 0xffffffffc0000000 };
	static const uint64_t nothing[] = { 0, 0, 0, 0 };
	const char *real[] = { "schedule", "no_such_symbol_here" };
	uint64_t addresses[2];
	int result;

	check_symbols(
		"ffffffff81000000 T vfs_rea\nffffffff81000010 T vfs_read\nffffffff81000020 t vfs_reads\n"
		"ffffffffc0000000 t in_module\t[module]\nrubbish\n\nffffffff81000010 W vfs_read\nffffffff81000030 T last",
		0, names, 4, expected);
	check_symbols("ffffffff81000000 T other\n", 0, names, 4, nothing);
	check_symbols("", 0, names, 4, nothing);
	check_symbols("0000000000000000 T vfs_read\n0000000000000000 T other\n", -EPERM, names, 4, nothing);
	CHECK(strstr(error.hint, "kptr_restrict"));
	check_symbols("0000000000000000 A vfs_read\nffffffff81000000 T other\n", 0, names, 4, nothing);
	check_symbols("ffffffff81000010 t vfs_read\nffffffff81000020 t vfs_read\n", -EEXIST, names, 4, nothing);
	CHECK(strstr(error.message, "0xffffffff81000020"));
	check_symbols(NULL, -ENOENT, names, 4, nothing);
	check_symbols("ffffffff81000010 t vfs_read\n", 0, names, 0, nothing);
	ebpf_error_clear(&error);
	result = ebpf_kernel_symbols(kernel, real, addresses, 2, &error);
	CHECK(result == -EPERM || (result == 0 && addresses[0] && !addresses[1]));
	ebpf_error_clear(&error);
}

static void test_syscall_name(struct ebpf_kernel *kernel)
{
	char name[64];

	ebpf_kernel_mask(kernel, "syscall_wrapper", true, NULL);
	ebpf_kernel_syscall_name(kernel, "openat", name, sizeof name);
	CHECK_STR(name, "__se_sys_openat");
	ebpf_kernel_mask(kernel, "syscall_wrapper", false, NULL);
	ebpf_kernel_syscall_name(kernel, "openat", name, sizeof name);
	CHECK(strstr(name, "sys_openat"));
}

/* -- tracefs -- */

static int refuse_fsopen(const char *type, unsigned int flags)
{
	(void)type, (void)flags;
	return -EPERM;
}

static int refuse_tracing(int dir, const char *path, int flags, mode_t mode)
{
	return strstr(path, "tracing") ? -EACCES : ebpf_sys_linux.openat(dir, path, flags, mode);
}

static void test_tracefs(struct ebpf_kernel *kernel)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *other;
	int fd = ebpf_kernel_tracefs(kernel, &error), bit = -1;

	CHECK(fd >= 0);
	CHECK_INT(ebpf_kernel_tracefs(kernel, &error), fd);
	CHECK(ebpf_kernel_tracepoint(kernel, "syscalls", "sys_enter_openat", &error) > 0);
	CHECK(ebpf_kernel_tracepoint(kernel, "syscalls", "sys_enter_openat", &error) !=
	      ebpf_kernel_tracepoint(kernel, "syscalls", "sys_exit_openat", &error));
	CHECK_INT(ebpf_kernel_tracepoint(kernel, "syscalls", "sys_enter_openot", &error), -ENOENT);
	CHECK(strstr(error.hint, "'sys_enter_openat'"));
	CHECK_INT(ebpf_kernel_tracepoint(kernel, "syscals", "sys_enter_openat", &error), -ENOENT);
	CHECK(strstr(error.hint, "'syscalls'"));
	CHECK_INT(ebpf_kernel_tracepoint(kernel, "..", "x", &error), -EINVAL);
	CHECK_INT(ebpf_kernel_tracepoint(kernel, "syscalls/sys_enter_openat", "x", &error), -EINVAL);
	CHECK_INT(ebpf_kernel_tracepoint(kernel, "syscalls", "", &error), -EINVAL);
	CHECK_INT(ebpf_kernel_pmu(kernel, "no_such_pmu", &bit, &error), -ENOENT);
	if (ebpf_kernel_has(kernel, "perf_uprobe", NULL) == 1) {
		int type = ebpf_kernel_pmu(kernel, "uprobe", &bit, &error);

		CHECK(type > 0);
		CHECK_INT(bit, 0);
		CHECK_INT(ebpf_kernel_pmu(kernel, "uprobe", &bit, &error), type);
	}
	ebpf_error_clear(&error);
	sys.fsopen = refuse_fsopen;
	sys.openat = refuse_tracing;
	other = ebpf_kernel_new_with(&sys, NULL);
	fd = ebpf_kernel_tracefs(other, &error); /* EPERM where it is not mounted, EACCES where it is */
	CHECK(fd == -EPERM || fd == -EACCES);
	CHECK(strstr(error.hint, "root"));
	ebpf_kernel_free(other);
	ebpf_error_clear(&error);
}

/* -- configuration, limits, privileges -- */

static void test_config(struct ebpf_kernel *kernel)
{
	char value[64] = "x", small[1];
	int result = ebpf_kernel_config(kernel, "CONFIG_BPF_SYSCALL", value, sizeof value, &error);

	if (result) {
		CHECK_INT(result, -ENOENT);
		CHECK(strstr(error.message, "/proc/config.gz"));
		ebpf_error_clear(&error);
		printf("note: this kernel's configuration is not installed\n");
		return;
	}
	CHECK_STR(value, "y");
	CHECK_INT(ebpf_kernel_config(kernel, "CONFIG_BPF_SYSCAL", value, sizeof value, &error), 0);
	CHECK_STR(value, "");
	CHECK_INT(ebpf_kernel_config(kernel, "CONFIG_NO_SUCH_OPTION", value, sizeof value, &error), 0);
	CHECK_STR(value, "");
	CHECK_INT(ebpf_kernel_config(kernel, "", value, sizeof value, &error), 0);
	CHECK_INT(ebpf_kernel_config(kernel, "CONFIG_BPF_SYSCALL", small, sizeof small, &error), -ERANGE);
	ebpf_error_clear(&error);
}

static int limits_set;

static int count_setrlimit(int resource, uint64_t soft, uint64_t hard)
{
	(void)soft, (void)hard;
	CHECK_INT(resource, RLIMIT_MEMLOCK);
	limits_set++;
	return -EPERM;
}

static void test_memlock(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *kernel;
	uint64_t soft = 0, hard = 0;
	int expected;

	sys.setrlimit = count_setrlimit;
	sys.getrlimit(RLIMIT_MEMLOCK, &soft, &hard);
	expected = soft == UINT64_MAX ? 0 : soft == hard ? 1 : 2; /* without a limit there is nothing to raise */
	kernel = ebpf_kernel_new_with(&sys, NULL);
	ebpf_kernel_mask(kernel, "memcg_account", true, NULL);
	ebpf_kernel_raise_memlock(kernel);
	CHECK_INT(limits_set, expected);
	ebpf_kernel_raise_memlock(kernel);
	CHECK_INT(limits_set, expected);
	ebpf_kernel_free(kernel);
	kernel = ebpf_kernel_new_with(&sys, NULL);
	limits_set = 0;
	ebpf_kernel_raise_memlock(kernel);
	if (ebpf_kernel_has(kernel, "memcg_account", NULL) == 1)
		CHECK_INT(limits_set, 0);
	ebpf_kernel_free(kernel);
}

/* In a process of its own, which gives its rights away. */
static void test_privileges(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct ebpf_kernel *kernel;
		char text[256] = "", tiny[8];

		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		kernel = ebpf_kernel_new(&error);
		ebpf_kernel_explain_eperm(kernel, text, sizeof text);
		ebpf_kernel_explain_eperm(kernel, tiny, sizeof tiny);
		if (!strstr(text, "CAP_BPF") || !strstr(text, "CAP_SYS_ADMIN"))
			fprintf(stderr, "not ok: %s:%d: \"%s\"\n", __FILE__, __LINE__, text), _exit(3);
		if (ebpf_kernel_tracepoint(kernel, "syscalls", "sys_enter_openat", &error) >= 0 || !error.hint[0])
			fprintf(stderr, "not ok: %s:%d: \"%s\"\n", __FILE__, __LINE__, error.message), _exit(4);
		ebpf_error_clear(&error);
		ebpf_kernel_free(kernel);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
}

int main(void)
{
	struct ebpf_kernel *kernel;
	int fds = open_fds();

	if (geteuid() != 0)
		TEST_SKIP("probing features needs root");
	kernel = ebpf_kernel_new(&error);
	CHECK(ebpf_kernel_ref(kernel) == kernel);
	ebpf_kernel_free(kernel);
	ebpf_kernel_raise_memlock(kernel);
	test_version(kernel);
	test_names(kernel);
	test_cpus(kernel);
	test_features(kernel);
	test_inconclusive();
	test_without_jit();
	test_broken_calls();
	test_types(kernel);
	test_no_types();
	test_symbols(kernel);
	test_syscall_name(kernel);
	test_tracefs(kernel);
	test_config(kernel);
	test_memlock();
	test_privileges();
	ebpf_kernel_free(kernel);
	ebpf_kernel_free(NULL);
	CHECK_INT(open_fds(), fds);
	ebpf_error_clear(&error);
	return TEST_RESULT();
}
