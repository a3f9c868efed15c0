/* map_socket_test.c -- maps whose elements are sockets: sk_storage, sockmap, sockhash, reuseport_sockarray, xskmap; with sockets
 * of ours, and programs that see what was put there. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asm/asm.h"
#include "link/link.h"
#include "map/map.h"
#include "test.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static struct ebpf_kernel *kernel;
static struct ebpf_error error;

#define OK(call) \
	do { \
		int ret_ = (call); \
		CHECK_INT(ret_, 0); \
		if (ret_ < 0) \
			fprintf(stderr, "%s (%s)\n", error.message, error.hint); \
		ebpf_error_clear(&error); \
	} while (0)
#define INSN(op, d, s, o, i) ((struct ebpf_insn){ .code = (op), .dst = (d), .src = (s), .off = (o), .imm = (i) })
#define MOV(d, s) INSN(EBPF_ALU64 | 0xb0 | EBPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(EBPF_ALU64 | 0xb0 | EBPF_K, d, 0, 0, i)
#define ADD_IMM(d, i) INSN(EBPF_ALU64 | EBPF_K, d, 0, 0, i)
#define STORE(off, i) INSN(EBPF_ST | EBPF_MEM | EBPF_W, 10, 0, off, i)
#define MAP(d, map) INSN(EBPF_LD_IMM64, d, EBPF_PSEUDO_MAP_FD, 0, ebpf_map_fd(map)), INSN(0, 0, 0, 0, 0)
#define CALL(n) INSN(EBPF_CALL, 0, 0, 0, n)
#define JEQ(d, i, off) INSN(EBPF_JMP | 0x10 | EBPF_K, d, 0, off, i)
#define EXIT INSN(EBPF_EXIT, 0, 0, 0, 0)

static struct ebpf_program *load(uint32_t type, uint32_t attach_type, const struct ebpf_insn *insns, size_t insn_count)
{
	struct ebpf_program_load options = { .name = "sees", .license = "GPL", .type = type, .attach_type = attach_type,
					     .insns = insns, .insn_count = insn_count };
	struct ebpf_program *program = NULL;

	OK(ebpf_program_load(kernel, &options, &program, &error));
	return program;
}

#define LOAD(type, attach_type, ...) \
	load(type, attach_type, (const struct ebpf_insn[]){ __VA_ARGS__ }, sizeof((const struct ebpf_insn[]){ __VA_ARGS__ }) / sizeof(struct ebpf_insn))

static struct ebpf_map *make(uint32_t type, uint32_t value_size, uint32_t max_entries)
{
	struct ebpf_map_spec spec = { .name = (char *)"sockets", .type = type, .key_size = 4, .value_size = value_size, .max_entries = max_entries };
	struct ebpf_map *map = NULL;

	OK(ebpf_map_create(kernel, &spec, &map, &error));
	return map;
}

static uint64_t cookie_of(int socket)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	CHECK_INT(getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

static void set(struct ebpf_map *map, uint32_t key, int fd)
{
	uint64_t wide = (uint64_t)fd; /* values of 8 bytes hold a descriptor when they are written */
	uint32_t narrow = (uint32_t)fd;

	OK(ebpf_map_update(map, &key, ebpf_map_value_size(map) == 8 ? (void *)&wide : (void *)&narrow, EBPF_ANY, &error));
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A datagram socket of ours; its port, in network order, to *port. */
static int udp(bool reuse, uint16_t *port)
{
	struct sockaddr_in address = loopback(*port);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*port = address.sin_port;
	return fd;
}

static void send_to(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)), 1);
	close(fd);
}

static void connected(int pair[2])
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);

	CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(connect(pair[0], (struct sockaddr *)&address, sizeof(address)), 0);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
}

/* -- a value at a socket: set from here by its descriptor, counted on by a program that the socket's packets run -- */

static void test_sk_storage(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_SK_STORAGE, 8, 0);
	uint64_t value = 1000;
	uint16_t port = 0, other = 0;
	int socket = udp(false, &port), fresh = udp(false, &other);
	struct sockaddr_in to = loopback(other);

	OK(ebpf_map_update(map, &socket, &value, EBPF_NOEXIST, &error));
	CHECK_INT(ebpf_map_update(map, &socket, &value, EBPF_NOEXIST, &error), -EEXIST);
	struct ebpf_program *program = LOAD(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS,
		INSN(EBPF_LDX | EBPF_MEM | EBPF_DW, 1, 1, 168, 0), /* __sk_buff.sk */
		JEQ(1, 0, 11), CALL(95),                           /* sk_fullsock */
		JEQ(0, 0, 9), MOV(2, 0), MAP(1, map), MOV_IMM(3, 0), MOV_IMM(4, 0), CALL(107), /* sk_storage_get */
		JEQ(0, 0, 2), MOV_IMM(1, 1),
		INSN(EBPF_STX | EBPF_ATOMIC | EBPF_DW, 0, 1, 0, 0), MOV_IMM(0, 1), EXIT);
	struct ebpf_link_options options = { .size = sizeof(options), .path = getenv("EBPF_TEST_CGROUP") };
	struct ebpf_link *link = NULL;

	if (!options.path)
		options.path = access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
	if (program && access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0 && access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) < 0) {
		printf("no cgroup2 file system\n");
	} else if (program) {
		OK(ebpf_link_attach("cgroup", program, &options, &link, &error));
		CHECK_INT(sendto(socket, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		ebpf_link_close(link);
		OK(ebpf_map_lookup(map, &socket, &value, 0, &error));
		CHECK_INT(value, 1001);
	}
	CHECK_INT(ebpf_map_lookup(map, &fresh, &value, 0, &error), -ENOENT);
	OK(ebpf_map_delete(map, &socket, &error));
	CHECK_INT(ebpf_map_lookup(map, &socket, &value, 0, &error), -ENOENT);
	int pipe_ends[2];
	CHECK_INT(pipe(pipe_ends), 0);
	CHECK(ebpf_map_update(map, &pipe_ends[0], &value, EBPF_ANY, &error) < 0); /* no socket */
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	CHECK_INT(ebpf_map_open_owner(map, 1, NULL, &error), -EINVAL);
	ebpf_error_clear(&error);
	close(socket);
	close(fresh);
	ebpf_program_close(program);
	ebpf_map_close(map);
}

/* -- a socket that what is sent elsewhere is put into -- */

static void test_sockmap(uint32_t type)
{
	struct ebpf_map *map = make(type, 8, 4);
	bool hash = type == BPF_MAP_TYPE_SOCKHASH;
	int from[2], to[2];
	uint32_t key = 0, size;
	uint64_t cookie;
	char text[8] = "";

	connected(from);
	connected(to);
	set(map, 0, to[0]);
	OK(ebpf_map_lookup(map, &key, &cookie, 0, &error));
	CHECK_INT(cookie, cookie_of(to[0])); /* 8 bytes of value are for reading this */
	set(map, 1, from[0]);
	/* r1 = msg; msg_redirect_map(msg, map, 0, 0) or msg_redirect_hash(msg, map, &key, 0) */
	struct ebpf_program *program = hash ? LOAD(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, STORE(-4, 0), MAP(2, map), MOV(3, 10), ADD_IMM(3, -4),
						   MOV_IMM(4, 0), CALL(71), EXIT)
					    : LOAD(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, MAP(2, map), MOV_IMM(3, 0), MOV_IMM(4, 0), CALL(60), EXIT);
	struct ebpf_link_options options = { .size = sizeof(options), .map = ebpf_map_fd(map) };
	struct ebpf_link *link = NULL;

	if (program) {
		OK(ebpf_link_attach("sockmap", program, &options, &link, &error));
		ebpf_map_delete(map, (key = 1, &key), NULL); /* what is in the map already does not run a program that came later */
		set(map, 1, from[0]);
		CHECK_INT(send(from[0], "hello", 5, 0), 5); /* not to from[1], but out of to[0] */
		CHECK_INT(recv(to[1], text, sizeof(text), 0), 5);
		CHECK(memcmp(text, "hello", 5) == 0);
		CHECK_INT(recv(from[1], text, sizeof(text), MSG_DONTWAIT), -1);
		ebpf_link_close(link);
	}
	close(to[0]); /* who is closed is gone */
	key = 0;
	for (int i = 0; i < 100 && (size = (uint32_t)-ebpf_map_lookup(map, &key, &cookie, 0, &error)) != ENOENT; i++)
		usleep(10000);
	CHECK_INT(size, ENOENT);
	key = 1;
	OK(ebpf_map_delete(map, &key, &error));
	ebpf_error_clear(&error);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	ebpf_program_close(program);
	ebpf_map_close(map);
	/* values of 4 bytes are written alike, and read by nobody */
	map = make(type, 4, 1);
	connected(to);
	set(map, 0, to[0]);
	key = 0;
	CHECK(ebpf_map_lookup(map, &key, &cookie, 0, &error) < 0);
	ebpf_error_clear(&error);
	close(to[0]);
	close(to[1]);
	ebpf_map_close(map);
}

/* -- the one of several sockets at a port that gets a packet -- */

static void test_reuseport(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 8, 2);
	uint16_t port = 0;
	int first = udp(true, &port), second = udp(true, &port), fd;
	uint32_t key = 1;
	uint64_t cookie;
	char byte;

	set(map, 0, first);
	set(map, 1, second);
	OK(ebpf_map_lookup(map, &key, &cookie, 0, &error));
	CHECK_INT(cookie, cookie_of(second));
	struct ebpf_program *program = LOAD(BPF_PROG_TYPE_SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, MAP(2, map), STORE(-4, 1), MOV(3, 10), ADD_IMM(3, -4),
					    MOV_IMM(4, 0), CALL(82), MOV_IMM(0, 1), EXIT);

	if (program) {
		fd = ebpf_program_fd(program);
		CHECK_INT(setsockopt(first, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &fd, sizeof(fd)), 0);
		for (int i = 0; i < 20; i++)
			send_to(port);
		for (int i = 0; i < 20; i++)
			CHECK_INT(recv(second, &byte, 1, 0), 1);
		CHECK_INT(recv(first, &byte, 1, 0), -1);
	}
	close(second);
	CHECK_INT(ebpf_map_lookup(map, &key, &cookie, 0, &error), -ENOENT);
	ebpf_error_clear(&error);
	close(first);
	ebpf_program_close(program);
	ebpf_map_close(map);
}

/* -- a socket that packets are put into as they come from the device -- */

struct xdp_address {
	uint16_t family, flags;
	uint32_t ifindex, queue, shared_fd;
};

static void test_xskmap(void)
{
	struct ebpf_map *map = make(BPF_MAP_TYPE_XSKMAP, 4, 1);
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), entries = 64;
	struct { uint64_t address, size; uint32_t chunk, headroom, flags, metadata; } memory = { .size = 64 * 4096, .chunk = 4096 };
	struct xdp_address address = { .family = AF_XDP, .flags = 2 /* copy */, .ifindex = if_nametoindex("lo") };
	struct ebpf_run_options run = { .size = sizeof(run), .data = (const char[64]){ 0 }, .data_size = 64 };
	void *area = NULL;
	uint32_t key = 0;

	if (fd < 0 || posix_memalign(&area, 4096, memory.size)) {
		printf("no AF_XDP sockets\n");
		ebpf_map_close(map);
		return;
	}
	memory.address = (uintptr_t)area;
	CHECK_INT(setsockopt(fd, SOL_XDP, 4, &memory, 24), 0);             /* XDP_UMEM_REG, its first form */
	CHECK_INT(setsockopt(fd, SOL_XDP, 5, &entries, sizeof(entries)), 0); /* fill ring */
	CHECK_INT(setsockopt(fd, SOL_XDP, 6, &entries, sizeof(entries)), 0); /* completion ring */
	CHECK_INT(setsockopt(fd, SOL_XDP, 2, &entries, sizeof(entries)), 0); /* rx ring */
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	struct ebpf_program *program = LOAD(BPF_PROG_TYPE_XDP, 0, MAP(1, map), MOV_IMM(2, 0), MOV_IMM(3, 2), CALL(51), EXIT); /* redirect_map */

	if (program) {
		OK(ebpf_program_run(program, &run, &error));
		CHECK_INT(run.retval, 2); /* nobody there: XDP_PASS, as asked */
		set(map, 0, fd);
		OK(ebpf_program_run(program, &run, &error));
		CHECK_INT(run.retval, 4); /* XDP_REDIRECT */
	}
	CHECK(ebpf_map_lookup(map, &key, &key, 0, &error) < 0); /* for programs alone */
	OK(ebpf_map_delete(map, &key, &error));
	ebpf_error_clear(&error);
	close(fd);
	free(area);
	ebpf_program_close(program);
	ebpf_map_close(map);
}

int main(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;

	kernel = ebpf_kernel_new(&error);
	CHECK(kernel);
	if (!kernel)
		return TEST_RESULT();
	if (unshare(CLONE_NEWNET) < 0)
		TEST_SKIP("needs root, and a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	test_sk_storage();
	test_sockmap(BPF_MAP_TYPE_SOCKMAP);
	test_sockmap(BPF_MAP_TYPE_SOCKHASH);
	test_reuseport();
	test_xskmap();
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
