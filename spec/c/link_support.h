/* link_support.h -- what the tests of links share: a counter, programs that write it, things that make them fire, and
 * namespaces of the test's own. */
#ifndef EBPF_SPEC_LINK_SUPPORT_H
#define EBPF_SPEC_LINK_SUPPORT_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asm/asm.h"
#include "link/link.h"
#include "descriptors.h"
#include "test.h"

#define UNUSED __attribute__((unused)) /* not every test needs every one */

static struct ebpf_kernel *kernel;
static struct ebpf_error error;
static int map_fd = -1;
static char scratch[] = "/tmp/ebpf_link_test_XXXXXX"; /* a bpffs and, where there is none, a cgroup2 are mounted below
							 it, for this process alone */

/* -- the counter that all programs write: value = { count, cookie } -- */

static UNUSED int make_counter(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 16;
	attr.max_entries = 1;
	return ebpf_kernel_sys(kernel)->bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}

static UNUSED void access_counter(enum bpf_cmd command, uint64_t value[2])
{
	union bpf_attr attr;
	uint32_t key = 0;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)map_fd;
	attr.key = ebpf_ptr(&key);
	attr.value = ebpf_ptr(value);
	CHECK_INT(ebpf_kernel_sys(kernel)->bpf(command, &attr, EBPF_ATTR_SIZE(flags)), 0);
}

static UNUSED uint64_t count(void)
{
	uint64_t value[2] = { 0, 0 };

	access_counter(BPF_MAP_LOOKUP_ELEM, value);
	return value[0];
}

static UNUSED uint64_t cookie(void)
{
	uint64_t value[2] = { 0, 0 };

	access_counter(BPF_MAP_LOOKUP_ELEM, value);
	return value[1];
}

static UNUSED void reset(void)
{
	uint64_t value[2] = { 0, 0 };

	access_counter(BPF_MAP_UPDATE_ELEM, value);
}

/* -- programs -- */

#define INSN(op, d, s, o, i) ((struct ebpf_insn){ .code = (op), .dst = (d), .src = (s), .off = (o), .imm = (i) })
#define MAX_INSNS 24

/* Counts, keeps the cookie where asked, and returns `result`. */
static UNUSED size_t assemble(struct ebpf_insn *insns, bool with_cookie, int result, int add)
{
	struct ebpf_insn *at = insns;

	*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_X, 6, 1, 0, 0);              /* r6 = r1 */
	*at++ = INSN(EBPF_ST | EBPF_MEM | EBPF_W, 10, 0, -4, 0);           /* *(u32 *)(r10 - 4) = 0 */
	*at++ = INSN(EBPF_LD_IMM64, 1, EBPF_PSEUDO_MAP_FD, 0, map_fd);
	*at++ = INSN(0, 0, 0, 0, 0);
	*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_X, 2, 10, 0, 0);
	*at++ = INSN(EBPF_ALU64 | EBPF_K, 2, 0, 0, -4);
	*at++ = INSN(EBPF_CALL, 0, 0, 0, 1);                               /* map_lookup_elem */
	*at++ = INSN(EBPF_JMP | 0x10 | EBPF_K, 0, 0, with_cookie ? 6 : 2, 0);
	*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_K, 1, 0, 0, add);
	*at++ = INSN(EBPF_STX | EBPF_ATOMIC | EBPF_DW, 0, 1, 0, 0);        /* lock *(u64 *)r0 += r1 */
	if (with_cookie) {
		*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_X, 7, 0, 0, 0);
		*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_X, 1, 6, 0, 0);
		*at++ = INSN(EBPF_CALL, 0, 0, 0, 174);                     /* get_attach_cookie */
		*at++ = INSN(EBPF_STX | EBPF_MEM | EBPF_DW, 7, 0, 8, 0);
	}
	*at++ = INSN(EBPF_ALU64 | 0xb0 | EBPF_K, 0, 0, 0, result);
	*at++ = INSN(EBPF_EXIT, 0, 0, 0, 0);
	return (size_t)(at - insns);
}

struct program_options {
	uint32_t type, attach_type, btf_id;
	const char *section, *attach_to;
	bool cookie;
	int result, add;
};

static UNUSED struct ebpf_program *load_program(const struct program_options *options)
{
	struct ebpf_insn insns[MAX_INSNS];
	struct ebpf_program_load load = {
		.name = "counter",
		.license = "GPL",
		.type = options->type,
		.attach_type = options->attach_type,
		.attach_btf_id = options->btf_id,
		.section = options->section,
		.attach_to = options->attach_to,
		.insns = insns,
		.autoattach = true,
	};
	struct ebpf_program *program = NULL;

	load.insn_count = assemble(insns, options->cookie, options->result, options->add ? options->add : 1);
	if (ebpf_program_load(kernel, &load, &program, &error))
		fprintf(stderr, "load: %s\n", error.message);
	CHECK(program);
	ebpf_error_clear(&error);
	return program;
}

#define LOAD(...) load_program(&(struct program_options){ __VA_ARGS__ })

/* -- surroundings -- */

/* Definitions of ours that were left in tracefs. */
static UNUSED int left_events(const char *file)
{
	char mark[32], *data, *at;
	int fd, total = 0;
	ssize_t got, size = 0;

	fd = openat(ebpf_kernel_tracefs(kernel, NULL), file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	data = calloc(1, 1 << 20);
	while ((got = read(fd, data + size, (size_t)((1 << 20) - 1 - size))) > 0)
		size += got;
	close(fd);
	snprintf(mark, sizeof mark, "ebpf_%d_", (int)getpid());
	for (at = data; (at = strstr(at, mark)) != NULL; at++)
		total++;
	free(data);
	return total;
}

static UNUSED void bring_up_lo(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
	close(fd);
}

static UNUSED void send_packet(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) < 0)
		perror("sendto");
	close(fd);
}

/* Not inlined and not merged: it is probed. */
int link_test_probed(int number);
__attribute__((noinline, visibility("default"))) int link_test_probed(int number)
{
	__asm__ volatile("" : "+r"(number) : : "memory");
	return number * 3;
}

static UNUSED void call_getppid(void)
{
	getppid();
}

static UNUSED void call_read(void)
{
	char text[8];
	int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);

	CHECK(read(fd, text, sizeof text) > 0);
	close(fd);
}

/* An attachment that goes with its last reference may take a moment: older kernels leave it to a worker. */
static UNUSED void wait_until_silent(void (*fire)(void))
{
	for (int i = 0; i < 500; i++) {
		reset();
		fire();
		if (!count())
			return;
		usleep(10000);
	}
	CHECK(!"it has stopped");
}

static UNUSED void call_probed(void)
{
	link_test_probed(1);
}

static UNUSED void call_libc(void)
{
	char text[8];

	confstr(_CS_PATH, text, sizeof text); /* a libc function that hardly anyone calls */
}

/* -- the behaviour that every link has -- */

static UNUSED bool has(const char *feature)
{
	return ebpf_kernel_has(kernel, feature, NULL) == 1;
}

static UNUSED void mask(const char *feature, bool masked)
{
	CHECK_INT(ebpf_kernel_mask(kernel, feature, masked, NULL), 0);
}

/* Attaches, fires, asks, detaches twice, fires in vain; and the same again with a mere close. */
static UNUSED void check_link(const char *kind, struct ebpf_program *program, const struct ebpf_link_options *options,
			      const char *interface, void (*fire)(void))
{
	struct ebpf_program_info program_info = { .size = sizeof program_info };
	struct ebpf_link *link = NULL;
	struct ebpf_link_info info;
	int fds = open_fds(), result;
	uint64_t before;

	if (!program) {
		CHECK(program);
		return;
	}
	for (int round = 0; round < 2; round++) {
		reset();
		result = ebpf_link_attach(kind, program, options, &link, &error);
		if (result == -ENOENT && round == 1 && strstr(error.hint, "5.13"))
			break; /* told, as it should be */
		if (result) {
			fprintf(stderr, "%s (%s): %s [%s]\n", kind, interface, error.message, error.hint);
			CHECK_INT(result, 0);
			ebpf_error_clear(&error);
			return;
		}
		CHECK_STR(ebpf_link_interface(link), interface);
		fire();
		fire();
		CHECK(count() >= 2);
		if (options->cookie)
			CHECK_INT(cookie(), options->cookie);
		if (has("perf_link") ||
		    ebpf_link_fd(link) < 0) { /* old kernels tell less; the info of links is of 5.8 */
			CHECK_INT(ebpf_link_info(link, &info, &error), 0);
			CHECK_INT(ebpf_program_info(program, &program_info, &error), 0);
			CHECK_INT(info.program_id, program_info.id);
			CHECK((info.id != 0) == (ebpf_link_fd(link) >= 0));
		}
		if (round == 0) {
			CHECK_INT(ebpf_link_detach(link, &error), 0);
			CHECK_INT(ebpf_link_detach(link, &error), 0);
			CHECK_INT(ebpf_link_fd(link), -1);
			CHECK_INT(ebpf_link_info(link, &info, &error), -EBADF);
		}
		ebpf_link_close(link);
		before = count();
		fire();
		CHECK_INT(count(), before);
		CHECK_INT(open_fds(), fds);
	}
	ebpf_error_clear(&error);
}

#define OPTIONS(...) (&(struct ebpf_link_options){ .size = sizeof(struct ebpf_link_options), __VA_ARGS__ })

static UNUSED void check_fails(const char *kind, struct ebpf_program *program, const struct ebpf_link_options *options,
			       int code, const char *message, const char *hint)
{
	struct ebpf_link *link = NULL;
	int fds = open_fds();

	ebpf_error_clear(&error);
	CHECK_INT(ebpf_link_attach(kind, program, options, &link, &error), -code);
	CHECK_INT(error.code, code);
	CHECK(!link);
	if (!strstr(error.message, message) || !strstr(error.hint, hint)) {
		fprintf(stderr, "message: %s\nhint: %s\n", error.message, error.hint);
		CHECK_STR(error.message, message);
	}
	CHECK_INT(open_fds(), fds);
	ebpf_error_clear(&error);
}

static UNUSED char cgroup_mount[256];

/* -- the whole -- */

/* Where cgroup v2 is, or a mount of our own that nobody else sees. */
static UNUSED void prepare_cgroup(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char path[256];

	for (size_t i = 0; i < EBPF_COUNT(places); i++) {
		snprintf(path, sizeof path, "%s/cgroup.procs", places[i]);
		if (access(path, F_OK) == 0) {
			snprintf(path, sizeof path, "%s/cgroup.controllers", places[i]);
			if (access(path, F_OK) == 0) {
				snprintf(cgroup_mount, sizeof cgroup_mount, "%s", places[i]);
				return;
			}
		}
	}
	snprintf(path, sizeof path, "%s/cgroup", scratch);
	if (mkdir(path, 0755) == 0 && mount("none", path, "cgroup2", 0, NULL) == 0)
		snprintf(cgroup_mount, sizeof cgroup_mount, "%s", path);
}

static UNUSED int fds_at_start;

/* True, or false with the reason on stdout (skip) or stderr. */
static UNUSED bool set_up(int *status)
{
	char path[128];

	*status = 77;
	if (geteuid() != 0)
		return printf("skip: links need root\n"), false;
	*status = 1;
	if (!mkdtemp(scratch))
		return perror(scratch), false;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		rmdir(scratch);
		*status = 77;
		return printf("skip: namespaces of its own are not allowed here\n"), false;
	}
	if (mount("none", scratch, "tmpfs", 0, NULL))
		return perror("tmpfs"), false;
	snprintf(path, sizeof path, "%s/bpf", scratch);
	if (mkdir(path, 0755) || mount("none", path, "bpf", 0, NULL))
		return perror("bpffs"), false;
	prepare_cgroup();
	bring_up_lo();
	fds_at_start = open_fds();
	kernel = ebpf_kernel_new(&error);
	ebpf_kernel_raise_memlock(kernel);
	map_fd = make_counter();
	CHECK(map_fd >= 0);
	ebpf_kernel_tracefs(kernel, NULL);
	return true;
}

static UNUSED int clean_up(void)
{
	close(map_fd);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&error);
	CHECK_INT(open_fds(), fds_at_start);
	umount2(scratch, MNT_DETACH);
	rmdir(scratch);
	return TEST_RESULT();
}

#endif
