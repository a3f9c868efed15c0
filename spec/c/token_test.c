/* token_test.c -- BPF tokens, the kernel's own words, streams and bound maps on pretended kernels: what is handed to bpf(2), what is
 * said of a refusal, and that nothing stays open when memory or a call fails. Real ones: spec/token_spec.lua, spec/program_spec.lua. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "map/map.h"
#include "program/program.h"

#include "descriptors.h"
#include "test.h"

/* -- a kernel that gives tokens -- */

static struct {
	int token, create_code, info_code;  /* descriptor of the last; what the commands answer */
	struct bpf_token_info info;
	union bpf_attr last;                /* of the last command that makes something */
	size_t last_size;
	int64_t stream;
	const char *words;
} pretended;

static int made(const union bpf_attr *attr, size_t size)
{
	memset(&pretended.last, 0, sizeof pretended.last);
	memcpy(&pretended.last, attr, size);
	pretended.last_size = size;
	return pretended.create_code ? pretended.create_code : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int give_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	switch ((int)cmd) {
	case BPF_TOKEN_CREATE:
		if ((int)attr->token_create.bpffs_fd < 0)
			return -EBADF;
		return pretended.token = open("/dev/null", O_RDONLY | O_CLOEXEC);
	case BPF_OBJ_GET_INFO_BY_FD:
		if ((int)attr->info.bpf_fd != pretended.token)
			return ebpf_sys_linux.bpf(cmd, attr, size);
		memcpy((void *)(uintptr_t)attr->info.info, &pretended.info, sizeof pretended.info);
		return pretended.info_code;
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
		return made(attr, size);
	case BPF_PROG_STREAM_READ_BY_FD:
		return (int)pretended.stream;
	case BPF_PROG_BIND_MAP:
	case BPF_PROG_ASSOC_STRUCT_OPS:
		return pretended.create_code;
	default:
		return -EINVAL;
	}
}

static int give_words(enum bpf_cmd cmd, union bpf_attr *attr, size_t size, struct bpf_common_attr *common)
{
	(void)cmd, (void)size;
	if (!common)
		return -EFAULT;
	if (pretended.words)
		strcpy((char *)(uintptr_t)common->log_buf, pretended.words);
	return (attr->map_flags & BPF_F_TOKEN_FD) || pretended.create_code != -EPERM ? -EINVAL : -EPERM;
}

static struct ebpf_kernel *new_kernel(void)
{
	static struct ebpf_sys sys;

	sys = ebpf_sys_linux;
	sys.bpf = give_bpf;
	sys.bpf_common = give_words;
	memset(&pretended, 0, sizeof pretended);
	return ebpf_kernel_new_with(&sys, NULL);
}

static const struct ebpf_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };

static int load(struct ebpf_kernel *kernel, struct ebpf_program **out, struct ebpf_error *err)
{
	const struct ebpf_program_load request = { .name = "p", .license = "GPL", .type = BPF_PROG_TYPE_XDP, .attach_type = BPF_XDP,
						   .insns = insns, .insn_count = 2 };

	return ebpf_program_load(kernel, &request, out, err);
}

static const struct ebpf_map_spec hash = { .name = (char[]){ "m" }, .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1 };

static void test_handed_over(void)
{
	struct ebpf_kernel *kernel = new_kernel();
	struct ebpf_program *program = NULL;
	struct ebpf_token *token = NULL;
	struct ebpf_map *map = NULL;
	struct ebpf_error err = { 0 };
	int fd;

	CHECK_INT(ebpf_token_open(kernel, "/", &token, &err), 0);
	CHECK(!strcmp(ebpf_token_path(token), "/"));
	ebpf_kernel_use_token(kernel, token);
	ebpf_token_close(token);
	CHECK(ebpf_kernel_token(kernel) == token);
	CHECK_INT(ebpf_map_create(kernel, &hash, &map, &err), 0);
	CHECK_INT(pretended.last.map_token_fd, pretended.token);
	CHECK(pretended.last.map_flags & BPF_F_TOKEN_FD);
	CHECK_INT(pretended.last_size >= EBPF_ATTR_SIZE(map_token_fd), true);
	ebpf_map_close(map);
	CHECK_INT(load(kernel, &program, &err), 0);
	CHECK_INT(pretended.last.prog_token_fd, pretended.token);
	CHECK(pretended.last.prog_flags & BPF_F_TOKEN_FD);
	ebpf_program_close(program);
	fd = ebpf_kernel_load_btf(kernel, "", 0, NULL, 0);
	CHECK(fd >= 0 && pretended.last.btf_token_fd == pretended.token && (pretended.last.btf_flags & BPF_F_TOKEN_FD));
	close(fd);
	ebpf_kernel_use_token(kernel, NULL);
	CHECK(!ebpf_kernel_token(kernel));
	CHECK_INT(ebpf_map_create(kernel, &hash, &map, &err), 0);
	CHECK(!(pretended.last.map_flags & BPF_F_TOKEN_FD) && !pretended.last.map_token_fd);
	ebpf_map_close(map);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}

static void test_refusals(void)
{
	static const struct {
		struct bpf_token_info info;
		const char *map_hint, *program_hint;
	} rows[] = {
		{ { 0, ~0ULL, ~0ULL, ~0ULL }, "does not allow making maps (delegate_cmds=map_create)",
		  "does not allow loading programs (delegate_cmds=prog_load)" },
		{ { ~0ULL, 0, 0, ~0ULL }, "does not allow maps of type 'hash' (delegate_maps)",
		  "does not allow programs of type 'xdp' (delegate_progs)" },
		{ { ~0ULL, ~0ULL, ~0ULL, 0 }, "allows it; this process may lack a capability", "does not allow attach type 'xdp'" },
	};
	struct ebpf_kernel *kernel = new_kernel();
	struct ebpf_program *program = NULL;
	struct ebpf_token *token = NULL;
	struct ebpf_token_info info;
	struct ebpf_map *map = NULL;
	struct ebpf_error err = { 0 };

	CHECK_INT(ebpf_token_open(kernel, "/", &token, &err), 0);
	ebpf_kernel_use_token(kernel, token);
	pretended.create_code = -EPERM;
	for (size_t i = 0; i < EBPF_COUNT(rows); i++) {
		pretended.info = rows[i].info;
		CHECK_INT(ebpf_map_create(kernel, &hash, &map, &err), -EPERM);
		CHECK(strstr(err.hint, rows[i].map_hint));
		CHECK_INT(load(kernel, &program, &err), -EPERM);
		CHECK(strstr(err.hint, rows[i].program_hint));
	}
	CHECK_INT(ebpf_token_info(token, &info, &err), 0);
	CHECK(info.commands == ~0ULL && !info.attach_types);
	pretended.info_code = -EINVAL; /* before 6.17 */
	CHECK_INT(ebpf_token_info(token, &info, &err), -EINVAL);
	CHECK(strstr(err.hint, "since 6.17"));
	CHECK_INT(ebpf_map_create(kernel, &hash, &map, &err), -EPERM);
	CHECK(strstr(err.hint, "may not allow it"));
	ebpf_token_close(token);
	CHECK_INT(ebpf_token_open(kernel, "/no/such/folder", &token, &err), -ENOENT);
	ebpf_kernel_mask(kernel, "token", true, NULL);
	CHECK_INT(ebpf_token_open(kernel, "/", &token, &err), -ENOTSUP);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}

static void test_words(void)
{
	struct ebpf_map_spec odd = { .name = (char[]){ "m" }, .type = 77, .key_size = 4, .value_size = 4, .max_entries = 1 };
	struct ebpf_kernel *kernel = new_kernel();
	struct ebpf_map *map = NULL;
	struct ebpf_error err = { 0 };

	pretended.create_code = -EINVAL;
	pretended.words = "Odd type. Truly.\nAnd more";
	CHECK_INT(ebpf_map_create(kernel, &odd, &map, &err), -EINVAL);
	CHECK(strstr(err.message, "map 'm': create unknown: type number 77: Odd type: invalid argument"));
	CHECK(err.log && !strcmp(err.log, pretended.words));
	ebpf_error_clear(&err);
	ebpf_kernel_mask(kernel, "common_attrs", true, NULL);
	CHECK_INT(ebpf_map_create(kernel, &odd, &map, &err), -EINVAL);
	CHECK(!err.log);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}

static void test_streams(void)
{
	struct ebpf_kernel *kernel = new_kernel();
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };
	char bytes[8];

	CHECK_INT(load(kernel, &program, &err), 0);
	pretended.stream = 5;
	CHECK_INT(ebpf_program_stream_read(program, EBPF_STDOUT, bytes, sizeof bytes, &err), 5);
	CHECK_INT(ebpf_program_stream_read(program, EBPF_STDOUT, bytes, 0, &err), 0);
	pretended.stream = -ENOENT;
	CHECK_INT(ebpf_program_stream_read(program, EBPF_STDERR, bytes, sizeof bytes, &err), -ENOENT);
	pretended.stream = -EINVAL; /* as a kernel that does not know the command */
	CHECK_INT(ebpf_program_stream_read(program, EBPF_STDERR, bytes, sizeof bytes, &err), -ENOTSUP);
	pretended.create_code = -EINVAL;
	CHECK_INT(ebpf_program_bind_map(program, 5, &err), -ENOTSUP);
	CHECK_INT(ebpf_program_associate(program, 5, &err), -ENOTSUP);
	pretended.create_code = -EBUSY;
	CHECK_INT(ebpf_program_associate(program, 5, &err), -EBUSY);
	CHECK(strstr(err.hint, "another one"));
	ebpf_program_close(program);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}

#ifndef SANITIZED
/* Each allocation fails once. */
static void test_memory(void)
{
	struct ebpf_kernel *kernel = new_kernel();
	struct ebpf_token *token = NULL;
	struct ebpf_error err = { 0 };
	int fds = open_fds(), result = -ENOMEM;
	long blocks = live;

	for (long n = 1; result == -ENOMEM && n < 100; n++) {
		fail_allocation = n;
		result = ebpf_token_open(kernel, "/", &token, &err);
		fail_allocation = 0;
		if (result)
			CHECK(open_fds() == fds && live == blocks);
	}
	CHECK_INT(result, 0);
	ebpf_token_close(token);
	CHECK_INT(open_fds(), fds);
	CHECK_INT(live, blocks);
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}
#endif

int main(void)
{
	int before = open_fds();

	test_handed_over();
	test_refusals();
	test_words();
	test_streams();
#ifndef SANITIZED
	test_memory();
#endif
	CHECK_INT(open_fds(), before);
	return TEST_RESULT();
}
