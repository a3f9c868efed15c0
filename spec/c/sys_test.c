/* The room `sys`: results are negative errnos, descriptors are closed on exec, and bpf(2) takes the whole union. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"
#include "test.h"

static const struct ebpf_sys *sys = &ebpf_sys_linux;

static void check_closed_on_exec(int fd)
{
	CHECK(fd >= 0);
	CHECK(sys->fcntl(fd, F_GETFD, 0) & FD_CLOEXEC);
	CHECK_INT(sys->close(fd), 0);
	CHECK_INT(sys->close(fd), -EBADF);
}

static void test_results(void)
{
	uint64_t soft = 0, hard = 0;
	char byte = 0;
	sigset_t set;
	void *memory;
	int fd;

	CHECK_INT(sys->openat(AT_FDCWD, "/no/such/file", O_RDONLY, 0), -ENOENT);
	CHECK_INT(sys->read(-1, &byte, 1), -EBADF);
	CHECK_INT(sys->write(-1, &byte, 1), -EBADF);
	CHECK_INT(sys->unlinkat(AT_FDCWD, "/no/such/file", 0), -ENOENT);
	CHECK_INT(sys->mmap(4096, PROT_READ, MAP_SHARED, -1, 0, &memory), -EBADF);
	CHECK_INT(sys->mmap(4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &memory), 0);
	CHECK_INT(*(char *)memory, 0);
	CHECK_INT(sys->munmap(memory, 4096), 0);
	CHECK_INT(sys->getrlimit(RLIMIT_NOFILE, &soft, &hard), 0);
	CHECK(soft > 0 && soft <= hard);
	CHECK_INT(sys->setrlimit(RLIMIT_NOFILE, soft, hard), 0);
	CHECK_INT(sys->sigmask(-1, NULL, NULL), 0);
	sigemptyset(&set);
	CHECK_INT(sys->sigmask(1000, &set, NULL), -EINVAL);
	fd = sys->openat(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	CHECK_INT(sys->pread(fd, &byte, 1, 1), 1);
	CHECK_INT(byte, 'E');
	check_closed_on_exec(fd);
	check_closed_on_exec(sys->epoll_create());
	check_closed_on_exec(sys->timerfd_create(CLOCK_MONOTONIC, 0));
	check_closed_on_exec(sys->eventfd(0, 0));
	check_closed_on_exec(sys->signalfd(-1, &set, 0));
	check_closed_on_exec(sys->socket(AF_UNIX, SOCK_STREAM, 0));
}

/* A descriptor of a map of one element, or -errno. The argument is larger than any kernel knows, and zero behind what
 * is used. */
static int new_map(void)
{
	struct {
		union bpf_attr attr;
		char more[128];
	} wide;

	memset(&wide, 0, sizeof(wide));
	wide.attr.map_type = BPF_MAP_TYPE_ARRAY;
	wide.attr.key_size = 4;
	wide.attr.value_size = 8;
	wide.attr.max_entries = 1;
	return sys->bpf(BPF_MAP_CREATE, &wide.attr, sizeof(wide));
}

static void test_map(int fd)
{
	uint64_t value = 42, got = 0;
	uint32_t key = 0;
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { .map_fd = (uint32_t)fd, .key = ebpf_ptr(&key), .value = ebpf_ptr(&value) };

	CHECK_INT(sys->bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
	attr.value = ebpf_ptr(&got);
	CHECK_INT(sys->bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), 0);
	CHECK_INT(got, 42);
	key = 7;
	CHECK_INT(sys->bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), -ENOENT);
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = ebpf_ptr(&info);
	CHECK_INT(sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
	CHECK(info.type == BPF_MAP_TYPE_ARRAY && info.value_size == 8 && info.max_entries == 1);
	check_closed_on_exec(fd);
}

static int load(size_t jumps)
{
	struct ebpf_insn *insns = calloc(jumps + 4, sizeof(*insns));
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = (uint32_t)jumps + 4 };
	int fd;

	if (!insns)
		return -ENOMEM;
	insns[0] = (struct ebpf_insn){ .code = 0x61, .dst = 2, .src = 1 }; /* r2 = skb->len */
	insns[1] = (struct ebpf_insn){ .code = 0xb7 };
	for (size_t i = 0; i < jumps; i += 2) { /* if (r2 != i) r0++ */
		insns[2 + i] = (struct ebpf_insn){ .code = 0x15, .dst = 2, .off = 1, .imm = (int)i };
		insns[3 + i] = (struct ebpf_insn){ .code = 0x07, .imm = 1 };
	}
	insns[jumps + 2] = (struct ebpf_insn){ .code = 0xb7 };
	insns[jumps + 3] = (struct ebpf_insn){ .code = 0x95 };
	attr.insns = ebpf_ptr(insns);
	attr.license = ebpf_ptr("GPL");
	fd = sys->bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	free(insns);
	return fd;
}

static volatile sig_atomic_t ticks;

static void tick(int number)
{
	(void)number;
	ticks++;
}

/* A profiler's timer must not keep the verifier from its end, and comes back when the call has ended. */
static void test_profiler(void)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval often = { .it_interval = { 0, 1000 }, .it_value = { 0, 1000 } }, never = { 0 };
	sigset_t now;

	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	for (int i = 0; i < 20 || (!ticks && i < 2000); i++) {
		int fd = load(3000);

		CHECK(fd >= 0);
		sys->close(fd);
	}
	setitimer(ITIMER_PROF, &never, NULL);
	sys->sigmask(SIG_BLOCK, NULL, &now);
	CHECK(!sigismember(&now, SIGPROF));
	CHECK(ticks > 0);
}

int main(void)
{
	int fd;

	test_results();
	sys->setrlimit(RLIMIT_MEMLOCK, UINT64_MAX, UINT64_MAX); /* before 5.11 maps and programs are locked memory */
	fd = new_map();
	if (fd == -EPERM && !test_failures)
		TEST_SKIP("bpf(2) is not permitted");
	CHECK(fd >= 0);
	if (fd < 0)
		return TEST_RESULT();
	test_map(fd);
	fd = load(4);
	CHECK(fd >= 0);
	sys->close(fd);
	test_profiler();
	return TEST_RESULT();
}
