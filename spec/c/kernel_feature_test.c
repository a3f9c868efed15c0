/* kernel_feature_test.c -- groups of features, helpers, kfuncs, privileges and pins, on a kernel that fails, lies or says half of
 * it. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "kernel/call.h"
#include "kernel/kernel.h"
#include "descriptors.h"
#include "test.h"

static struct ebpf_error error;

/* -- each system call fails once -- */

static int calls_left;

static int broken_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	return --calls_left == 0 ? -ENOMEM : ebpf_sys_linux.bpf(command, attr, size);
}

static void test_groups(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const char *group, *name, *since;
	char feature[96];
	int fds = open_fds();

	sys.bpf = broken_bpf;
	for (size_t i = 0; ebpf_kernel_group(i, &group) == 0; i++) {
		for (size_t j = 0; ebpf_kernel_group_feature(i, j, &name, &since) == 0; j++) {
			int first = -1;

			CHECK(name && since);
			snprintf(feature, sizeof feature, "%s.%s", group, name);
			for (int n = 1; n < 16; n++) {
				struct ebpf_kernel *kernel = ebpf_kernel_new_with(&sys, NULL);
				int result;

				calls_left = n;
				result = ebpf_kernel_has(kernel, feature, &error);
				CHECK(result < 0 ? error.message[0] != '\0' : result <= 1);
				ebpf_error_clear(&error);
				if (calls_left > 0) { /* nothing failed: what is kept is the answer */
					first = result;
					calls_left = 1;
					CHECK_INT(ebpf_kernel_has(kernel, feature, NULL), first);
					CHECK(first < 0 || calls_left == 1);
				}
				ebpf_kernel_free(kernel);
				CHECK_INT(open_fds(), fds);
				if (first >= 0)
					break;
			}
			CHECK(first >= 0);
		}
		CHECK_INT(ebpf_kernel_group_feature(i, 1000, &name, &since), -ENOENT);
	}
	CHECK_INT(ebpf_kernel_group(1000, &group), -ENOENT);
}

/* -- a kernel that is asked once: what is loaded again has the answer that it had; under emulation a load takes milliseconds -- */

static struct answer {
	uint64_t key; /* 0 = none */
	int result;
	const char *log;
} answers[8192];
static char logs[16 << 20];
static size_t answer_count, logs_size;

static uint64_t mix(uint64_t key, const void *data, size_t size)
{
	for (const uint8_t *byte = data; size; byte++, size--)
		key = (key ^ *byte) * 0x100000001b3;
	return key;
}

/* What is loaded goes with its descriptor; a file that is no program stands for it then, since nobody looks at it. */
static int remembering_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	char *log = (char *)(uintptr_t)attr->log_buf;
	struct answer *answer;
	uint64_t key = 0xcbf29ce484222325;
	size_t length;

	if (command != BPF_PROG_LOAD)
		return ebpf_sys_linux.bpf(command, attr, size);
	key = mix(key, (void *)(uintptr_t)attr->insns, attr->insn_cnt * sizeof(struct ebpf_insn));
	key = mix(key, &attr->prog_type, sizeof attr->prog_type);
	key = mix(key, &attr->expected_attach_type, sizeof attr->expected_attach_type);
	key = mix(key, &attr->attach_btf_id, sizeof attr->attach_btf_id);
	key = mix(key, &attr->prog_flags, sizeof attr->prog_flags);
	key = mix(key, &attr->log_level, sizeof attr->log_level);
	for (answer = &answers[key % EBPF_COUNT(answers)]; answer->key && answer->key != key;)
		answer = answer == answers ? &answers[EBPF_COUNT(answers) - 1] : answer - 1;
	if (!answer->key) {
		int result = ebpf_sys_linux.bpf(command, attr, size);

		length = log && attr->log_size ? strlen(log) + 1 : 0;
		if (answer_count < EBPF_COUNT(answers) / 2 && length <= sizeof logs - logs_size) {
			*answer = (struct answer){ key, result, length ? memcpy(logs + logs_size, log, length) : NULL };
			answer_count++;
			logs_size += length;
		}
		return result;
	}
	if (answer->log)
		strcpy(log, answer->log);
	return answer->result < 0 ? answer->result : ebpf_sys_linux.openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
}

/* -- a verifier that writes something else -- */

static char real_log[64 << 10];
static size_t real_size, shown; /* how much of it is given */
static uint8_t noise;           /* 0 = none; else put in its place here and there */

/* Batches are answered from the log, calls by themselves by the kernel. */
static int telling_bpf(enum bpf_cmd command, union bpf_attr *attr, size_t size)
{
	char *log = (char *)(uintptr_t)attr->log_buf;
	int result;

	if (command != BPF_PROG_LOAD || attr->insn_cnt < 20)
		return remembering_bpf(command, attr, size);
	if (!real_size) {
		result = ebpf_sys_linux.bpf(command, attr, size);
		real_size = strlen(log);
		memcpy(real_log, log, real_size + 1);
		return result;
	}
	memcpy(log, real_log, shown);
	for (size_t i = 0; noise && i < shown; i += 1 + noise % 61)
		log[i] = (char)(noise + i);
	log[shown] = '\0';
	return -EACCES;
}

static void test_telling(void)
{
	uint32_t expected[HELPER_COUNT], helpers[HELPER_COUNT];
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_kernel *kernel = ebpf_kernel_new(NULL);
	int count, wanted = ebpf_kernel_helpers(kernel, BPF_PROG_TYPE_XDP, false, expected, HELPER_COUNT, &error);

	CHECK(wanted > 20);
	if (ebpf_kernel_has(kernel, "verifier_registers", NULL) != 1) {
		ebpf_kernel_free(kernel);
		return;
	}
	ebpf_kernel_free(kernel);
	sys.bpf = telling_bpf;
	kernel = ebpf_kernel_new_with(&sys, NULL);
	CHECK_INT(ebpf_kernel_helpers(kernel, BPF_PROG_TYPE_XDP, false, helpers, HELPER_COUNT, &error), wanted);
	ebpf_kernel_free(kernel);
	CHECK(real_size > 1000);
	/* Cut anywhere: then each call is asked for by itself. */
	for (shown = 0; shown <= real_size; shown += 2503) {
		kernel = ebpf_kernel_new_with(&sys, NULL);
		CHECK_INT(ebpf_kernel_helpers(kernel, BPF_PROG_TYPE_XDP, false, helpers, HELPER_COUNT, &error), wanted);
		CHECK(!memcmp(helpers, expected, (size_t)wanted * sizeof *helpers));
		ebpf_kernel_free(kernel);
	}
	/* Garbage is no crash, and gives some answer. */
	for (noise = 1; noise < 60; noise++) {
		shown = real_size;
		kernel = ebpf_kernel_new_with(&sys, NULL);
		count = ebpf_kernel_helpers(kernel, BPF_PROG_TYPE_XDP, false, helpers, 3, &error);
		CHECK(count >= 0 && count < HELPER_COUNT);
		ebpf_kernel_free(kernel);
	}
	noise = 0;
}

/* -- memory -- */

#ifndef SANITIZED
static void use_helpers(struct ebpf_kernel *kernel)
{
	uint32_t helpers[4];

	ebpf_kernel_helpers(kernel, BPF_PROG_TYPE_SYSCALL, false, helpers, 4, &error);
}

static void use_kfunc_types(struct ebpf_kernel *kernel)
{
	uint32_t types[4];

	ebpf_kernel_kfunc_types(kernel, "tcp_slow_start", types, 4, &error);
}

static void use_kfunc_name(struct ebpf_kernel *kernel)
{
	const char *name;

	ebpf_kernel_kfunc_name(kernel, 0, &name, &error);
}

static void use_mask(struct ebpf_kernel *kernel)
{
	ebpf_kernel_mask(kernel, "kfunc.tcp_slow_start", true, &error);
}

static void use_limit(struct ebpf_kernel *kernel)
{
	ebpf_kernel_instruction_limit(kernel, &error);
}

/* Each by itself: what one asks of the kernel is slow, and is not asked again for an allocation of another. */
static void test_memory(void (*use)(struct ebpf_kernel *))
{
	struct ebpf_sys sys = ebpf_sys_linux;

	sys.bpf = remembering_bpf;
	for (long n = 1; n < 100000; n += n < 24 ? 1 : n) {
		struct ebpf_kernel *kernel;
		long before = live;

		kernel = ebpf_kernel_new_with(&sys, NULL);
		failed_allocation = false;
		fail_allocation = n;
		use(kernel);
		fail_allocation = 0;
		ebpf_error_clear(&error);
		ebpf_kernel_free(kernel);
		CHECK_INT(live, before);
		if (!failed_allocation)
			return;
	}
}
#endif

/* -- files of /proc by other texts -- */

static const char *fake_path, *fake_text;
static int fake_fd = -1;
static size_t fake_at;

static int fake_openat(int dir, const char *path, int flags, mode_t mode)
{
	if (!fake_path || strcmp(path, fake_path) != 0)
		return ebpf_sys_linux.openat(dir, path, flags, mode);
	fake_at = 0;
	return fake_fd = ebpf_sys_linux.openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
}

static ssize_t fake_read(int fd, void *data, size_t size)
{
	size_t left;

	if (fd != fake_fd)
		return ebpf_sys_linux.read(fd, data, size);
	left = strlen(fake_text + fake_at);
	size = size < left ? size : left;
	memcpy(data, fake_text + fake_at, size);
	fake_at += size;
	return (ssize_t)size;
}

static struct ebpf_privileges privileges_with(const char *path, const char *text)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_privileges have;
	struct ebpf_kernel *kernel;

	sys.openat = fake_openat;
	sys.read = fake_read;
	fake_path = path;
	fake_text = text;
	kernel = ebpf_kernel_new_with(&sys, NULL);
	ebpf_kernel_privileges(kernel, &have);
	ebpf_kernel_free(kernel);
	fake_path = NULL;
	fake_fd = -1;
	return have;
}

static void test_privileges(void)
{
	static const char *const mounts[] = {
		"",
		"\n\n\n",
		"1",
		"1 2 3 4 5",
		"1 2 3 4 /x rw -",
		"1 2 3 4 /x rw - bpf",
		"1 2 3 4 /x rw - bpf\n",
		"1 2 3 4 /x rw -\n- bpf bpf rw",
		"1 2 3 4 /x rw shared:1 master:2 - tmpfs bpf rw\n",
	};
	static const struct {
		const char *text, *lockdown;
	} lockdowns[] = {
		{ "none [integrity] confidentiality\n", "integrity" },
		{ "[none] integrity confidentiality\n", "none" },
		{ "", "" },
		{ "[", "" },
		{ "]none[", "" },
		{ "[a word that is longer than any that there is, by far]", "a word that is longer t" },
	};
	struct ebpf_privileges have;
	struct ebpf_privilege kind;

	for (size_t i = 0; i < EBPF_COUNT(mounts); i++) {
		have = privileges_with("/proc/self/mountinfo", mounts[i]);
		CHECK_STR(have.bpffs, i == 5 || i == 6 ? "/x" : "");
		CHECK_STR(have.token, "");
	}
	have = privileges_with(
	        "/proc/self/mountinfo",
	        "1 0 0:1 / /proc rw - proc proc rw\n36 25 0:32 / /sys/fs/bpf rw,nosuid shared:9 - bpf bpf rw,mode=700\n");
	CHECK_STR(have.bpffs, "/sys/fs/bpf");
	for (size_t i = 0; i < EBPF_COUNT(lockdowns); i++) {
		have = privileges_with("/sys/kernel/security/lockdown", lockdowns[i].text);
		CHECK_STR(have.lockdown, lockdowns[i].lockdown);
	}
	have = privileges_with("/proc/self/status", "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000001000\n");
	CHECK_INT(have.uid, 1000);
	CHECK_INT(have.capabilities, 1 << 12);
	for (size_t i = 0; ebpf_kernel_privilege(&have, i, &kind) == 0; i++) {
		bool open = !strcmp(kind.name, "maps") || !strcmp(kind.name, "socket_filter");

		if (open && have.unprivileged_bpf_disabled == 0)
			continue;
		CHECK(kind.allowed ? !strcmp(kind.name, "kernel_symbols") : kind.why[0] && kind.advice[0]);
	}
	/* A kernel before 5.8 knows no CAP_BPF: it wants CAP_SYS_ADMIN. */
	have.last_capability = 37;
	have.unprivileged_bpf_disabled = 1;
	CHECK_INT(ebpf_kernel_privilege(&have, 3, &kind), 0);
	CHECK_STR(kind.name, "network");
	CHECK_STR(kind.why, "this process lacks CAP_SYS_ADMIN");
	have.capabilities = 1 << 21;
	CHECK_INT(ebpf_kernel_privilege(&have, 3, &kind), 0);
	CHECK(kind.allowed);
	have.user_namespace = true;
	CHECK_INT(ebpf_kernel_privilege(&have, 3, &kind), 0);
	CHECK(!kind.allowed && kind.why[0] && kind.advice[0]);
	CHECK_STR(ebpf_capability_name(39), "bpf");
	CHECK(!ebpf_capability_name(64));
}

int main(void)
{
	int fds = open_fds();

	if (geteuid() != 0)
		TEST_SKIP("probing features needs root");
	test_groups();
	test_telling();
#ifndef SANITIZED
	test_memory(use_helpers);
	test_memory(use_kfunc_types);
	test_memory(use_kfunc_name);
	test_memory(use_mask);
	test_memory(use_limit);
#endif
	test_privileges();
	CHECK_INT(open_fds(), fds);
	ebpf_error_clear(&error);
	return TEST_RESULT();
}
