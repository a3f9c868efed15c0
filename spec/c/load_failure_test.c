/* A load of which anything may fail: every system call of it, one at a time, with several errors, and every allocation.
 * What comes out is a collection or an error that says something, and nothing is left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "kernel/kernel.h"
#include "test.h"

static bool emulated; /* the kernel matrix, where everything takes ten times as long: a part must do */
static volatile long fail_call; /* counts down; the one that reaches zero fails */
static int fail_code;
/* -- system calls -- */

static struct ebpf_sys table;

static bool for_good, failing; /* once one failed, so do all that follow */

static bool fails(void)
{
	if (fail_call > 0 && --fail_call == 0)
		return failing = true;
	return failing && for_good;
}

static int failing_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	return fails() ? -fail_code : ebpf_sys_linux.bpf(cmd, attr, size);
}

static int failing_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	return fails() ? -fail_code : ebpf_sys_linux.mmap(size, prot, flags, fd, offset, out);
}

static int failing_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	return fails() ? -fail_code : ebpf_sys_linux.openat(dir_fd, path, flags, mode);
}

static ssize_t failing_read(int fd, void *data, size_t size)
{
	return fails() ? -fail_code : ebpf_sys_linux.read(fd, data, size);
}

static ssize_t failing_pread(int fd, void *data, size_t size, off_t offset)
{
	return fails() ? -fail_code : ebpf_sys_linux.pread(fd, data, size, offset);
}

static int failing_fcntl(int fd, int command, long argument)
{
	return fails() ? -fail_code : ebpf_sys_linux.fcntl(fd, command, argument);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

/* -- one object -- */

static char pin_dir[32];

struct attempt {
	const char *object, *program; /* "alternatives": those of load_choice */
	bool old;                     /* a kernel without ring buffers and global data */
	struct ebpf_spec *spec;
	bool loaded;
	int code;
};

static void load_once(struct attempt *attempt)
{
	static const char config[] = "CONFIG_A_BOOL=y\nCONFIG_A_MODULE=m\nCONFIG_A_CHAR=m\nCONFIG_AN_INT=1\nCONFIG_A_"
				     "HEX=1\nCONFIG_A_STRING=\"x\"\n";
	struct ebpf_load_options options = { .size = sizeof(options),
					     .pin_dir = pin_dir,
					     .kconfig = config,
					     .programs = attempt->program ? &attempt->program : NULL,
					     .program_count = 1 };
	static const char *const names[] = { "missing", "unresolved", "open_raw" };
	static const struct ebpf_strings alternatives = { names, 3 };
	struct ebpf_kernel *kernel = ebpf_kernel_new_with(&table, NULL);
	struct ebpf_collection *collection = NULL;
	struct ebpf_error err = { 0 };

	if (attempt->program && !strcmp(attempt->program, "alternatives")) {
		options.programs = NULL;
		options.alternatives = &alternatives;
		options.alternative_count = 1;
	}
	attempt->code = ENOMEM;
	attempt->loaded = false;
	if (!kernel)
		return;
	if (attempt->old && (ebpf_kernel_mask(kernel, "ringbuf", true, &err) < 0 || ebpf_kernel_mask(kernel, "global_data", true, &err) < 0)) {
		ebpf_error_clear(&err);
		ebpf_kernel_free(kernel);
		return;
	}
	attempt->code = -ebpf_collection_load(attempt->spec, kernel, &options, &collection, &err);
	attempt->loaded = collection != NULL;
	CHECK_INT(attempt->code != 0, !attempt->loaded);
	if (attempt->code) {
		CHECK_INT(err.code, attempt->code);
		CHECK(err.message[0]);
	} else {
		CHECK_INT(err.code, 0);
	}
	ebpf_error_clear(&err);
	ebpf_collection_free(collection);
	ebpf_kernel_free(kernel);
}

static void unpin_all(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/kept", pin_dir);
	unlink(path);
}

/* Fails the first call or allocation (counter), then the second, ..., until a load runs to its end without one that
 * fails. */
static int fail_each(struct attempt *attempt, volatile long *counter, const char *what)
{
	int refused = 0, fds = count_fds(), pins = count_entries(pin_dir);
	long n, blocks;

	for (n = 1; n < 20000; n++) {
		bool fell;

		blocks = live;
		*counter = n;
		failing = false;
		load_once(attempt);
		fell = *counter == 0;
		*counter = 0;
		failing = false;
		refused += !attempt->loaded;
		if (count_fds() != fds || live != blocks || (!attempt->loaded && count_entries(pin_dir) != pins)) {
			fprintf(stderr, "%s/%s: %s %ld (errno %d): %d descriptors, %ld blocks, %d pins are left\n",
				attempt->object, attempt->program ? attempt->program : "*", what, n, fail_code,
				count_fds() - fds, live - blocks, count_entries(pin_dir) - pins);
			test_failures++;
			return refused;
		}
		unpin_all();
		if (!fell)
			break;
	}
	CHECK(attempt->loaded);
	return refused;
}

static void try_object_on(bool old, const char *object, const char *program)
{
	static const int codes[] = { EINVAL, EPERM, ENOMEM, ENOENT };
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	struct attempt attempt = { .object = object, .program = program, .old = old };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder ? folder : "build/spec/bpf", object);
	CHECK_INT(ebpf_spec_read_file(path, &attempt.spec, NULL), 0);
	if (!attempt.spec)
		return;
	if (ebpf_spec_find_program(attempt.spec, "unused"))
		ebpf_spec_find_program(attempt.spec, "unused")->autoload = false;
	load_once(&attempt); /* what libc keeps for itself is there afterwards */
	unpin_all();
	for (size_t i = 0; i < (emulated ? 1 : sizeof(codes) / sizeof(*codes)); i++) {
		fail_code = codes[i];
		/* one failure may be mended by a second try or an older interface; a kernel that refuses everything is
		 * refused */
		for_good = false;
		if (!emulated)
			fail_each(&attempt, &fail_call, "system call");
		for_good = true;
		CHECK(fail_each(&attempt, &fail_call, "system call and all after it") > 0);
	}
#ifndef SANITIZED
	if (!emulated)
		fail_each(&attempt, &fail_allocation, "allocation");
#endif
	ebpf_spec_free(attempt.spec);
}

static void try_object(const char *object, const char *program)
{
	try_object_on(false, object, program);
}

int main(void)
{
	struct ebpf_kernel *kernel;
	unsigned version;

	if (getuid())
		TEST_SKIP("needs root");
	strcpy(pin_dir, "/tmp/ebpf_fail_XXXXXX");
	if (!mkdtemp(pin_dir) || mount("bpffs", pin_dir, "bpf", 0, NULL))
		TEST_SKIP("no BPF file system can be mounted");
	emulated = getenv("EBPF_COMPLETE_KERNEL") != NULL;
	table = ebpf_sys_linux;
	table.bpf = failing_bpf;
	table.mmap = failing_mmap;
	table.openat = failing_openat;
	table.read = failing_read;
	table.pread = failing_pread;
	table.fcntl = failing_fcntl;
	kernel = ebpf_kernel_new(NULL);
	version = ebpf_kernel_version(kernel);
	ebpf_kernel_free(kernel);
	try_object("load_code", "calls");
	try_object("load_data", NULL);
	try_object("load_kconfig", "options");
	try_object("load_maps", NULL);
	try_object("load_types", NULL);
	try_object("load_choice", "alternatives");
	try_object("lua_events", "make");
	try_object_on(true, "lua_events", "make");
	if (!emulated && version >= (5 << 16 | 6 << 8))
		try_object("load_ops", NULL);
	if (!emulated && version >= (6 << 16 | 2 << 8))
		try_object("load_ksym", "kfuncs");
	umount2(pin_dir, MNT_DETACH);
	rmdir(pin_dir);
	return TEST_RESULT();
}
