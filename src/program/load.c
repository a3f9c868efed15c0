/* load.c -- BPF_PROG_LOAD, and the log that goes with it. */
#include <fcntl.h>
#include <stdlib.h>

#include "program/program.h"
#include "sys/policy.h"

/* The buffer costs nothing but addresses where the kernel does not write. Kernels before 5.2 take at most 16 MiB - 1;
 * what no longer fits below the last size is nothing that anybody reads. */
enum { LOG_START = 1 << 20, LOG_LEAST = 128, LOG_OLD_MAX = (1 << 24) - 1, LOG_MAX = 1 << 28 };

/* -- words for bits -- */

struct word {
	const char *name;
	uint32_t bit;
};

static int64_t bit_of(const struct word *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(words[i].name, name))
			return words[i].bit;
	return -ENOENT;
}

int64_t ebpf_program_flag(const char *name)
{
	static const struct word words[] = {
		{ "strict_alignment", BPF_F_STRICT_ALIGNMENT }, { "any_alignment", BPF_F_ANY_ALIGNMENT },
		{ "test_rnd_hi32", BPF_F_TEST_RND_HI32 },       { "test_state_freq", BPF_F_TEST_STATE_FREQ },
		{ "sleepable", BPF_F_SLEEPABLE },               { "xdp_has_frags", BPF_F_XDP_HAS_FRAGS },
		{ "xdp_dev_bound_only", BPF_F_XDP_DEV_BOUND_ONLY }, { "test_reg_invariants", BPF_F_TEST_REG_INVARIANTS },
	};

	return bit_of(words, EBPF_COUNT(words), name);
}

int64_t ebpf_log_level(const char *name)
{
	static const struct word words[] = {
		{ "branch", BPF_LOG_LEVEL1 }, { "instruction", BPF_LOG_LEVEL2 }, { "stats", BPF_LOG_STATS }, { "fixed", BPF_LOG_FIXED },
	};

	return bit_of(words, EBPF_COUNT(words), name);
}

/* -- loading -- */

struct attempt {
	struct ebpf_kernel *kernel;
	const struct ebpf_program_load *load;
	union bpf_attr attr;
	char *log;       /* of the last try with one */
	uint32_t size;   /* of log */
};

static void fill_types(union bpf_attr *attr, const struct ebpf_program_load *load)
{
	attr->attach_btf_id = load->attach_btf_id;
	if (load->attach_program_fd > 0)
		attr->attach_prog_fd = (uint32_t)load->attach_program_fd;
	else if (load->attach_btf_fd > 0)
		attr->attach_btf_obj_fd = (uint32_t)load->attach_btf_fd;
	if (load->fd_array && load->fd_array_count)
		attr->fd_array = ebpf_ptr(load->fd_array);
	if (load->btf_fd <= 0)
		return;
	attr->prog_btf_fd = (uint32_t)load->btf_fd;
	if (load->func_info_count) {
		attr->func_info = ebpf_ptr(load->func_info);
		attr->func_info_cnt = load->func_info_count;
		attr->func_info_rec_size = sizeof(struct bpf_func_info);
	}
	if (load->line_info_count) {
		attr->line_info = ebpf_ptr(load->line_info);
		attr->line_info_cnt = load->line_info_count;
		attr->line_info_rec_size = sizeof(struct bpf_line_info);
	}
}

static void fill(struct attempt *attempt)
{
	const struct ebpf_program_load *load = attempt->load;
	union bpf_attr *attr = &attempt->attr;

	memset(attr, 0, sizeof *attr);
	attr->prog_type = load->type;
	attr->prog_flags = load->flags;
	attr->insns = ebpf_ptr(load->insns);
	attr->insn_cnt = (uint32_t)load->insn_count;
	attr->prog_ifindex = load->ifindex;
	attr->license = ebpf_ptr(load->license ? load->license : "");
	ebpf_kernel_object_name(attempt->kernel, load->name, attr->prog_name);
	attr->expected_attach_type = load->attach_type;
	if (load->attach_type && load->attach_type_optional &&
	    !ebpf_kernel_supports(attempt->kernel, EBPF_FEATURE_EXPECTED_ATTACH_TYPE))
		attr->expected_attach_type = 0;
	if (load->type == BPF_PROG_TYPE_KPROBE) /* Linux before 5.0 compares it with its own */
		attr->kern_version = load->kernel_version ? load->kernel_version : ebpf_kernel_version(attempt->kernel);
	fill_types(attr, load);
}

/* The size ends with the last member that we know and the kernel may write; older kernels accept a tail of zeros. */
static int call(struct attempt *attempt)
{
	return ebpf_kernel_create(attempt->kernel, BPF_PROG_LOAD, &attempt->attr, EBPF_ATTR_SIZE(fd_array_cnt));
}

static int try_without_log(struct attempt *attempt)
{
	int fd;

	attempt->attr.log_level = attempt->attr.log_size = 0;
	attempt->attr.log_buf = 0;
	fd = call(attempt);
	if (fd != -EPERM)
		return fd;
	/* Linux before 5.11 says so when locked memory is used up */
	ebpf_kernel_raise_memlock(attempt->kernel);
	return call(attempt);
}

/* One try with a buffer of `size`, which replaces the one before if the kernel took it. */
static int try_with_size(struct attempt *attempt, uint32_t level, uint32_t size)
{
	char *log = malloc(size);
	int fd;

	if (!log)
		return -ENOMEM;
	log[0] = '\0';
	attempt->attr.log_level = level;
	attempt->attr.log_buf = ebpf_ptr(log);
	attempt->attr.log_size = size;
	attempt->attr.log_true_size = 0;
	fd = call(attempt);
	log[size - 1] = '\0';
	if (attempt->log && !log[0] && fd < 0) { /* refused for its size: the shorter log is better than none */
		free(log);
		return fd;
	}
	free(attempt->log);
	attempt->log = log;
	attempt->size = size;
	return fd;
}

/* 0 = no larger one makes sense. */
static uint32_t next_size(const struct attempt *attempt)
{
	uint32_t size = attempt->size, wanted = attempt->attr.log_true_size;

	if (size >= LOG_MAX)
		return 0;
	if (wanted > size)
		return wanted < LOG_MAX ? wanted : LOG_MAX;
	if (size < LOG_OLD_MAX)
		return size < LOG_OLD_MAX / 4 ? size * 4 : LOG_OLD_MAX;
	return size < LOG_MAX / 4 ? size * 4 : LOG_MAX;
}

/* No smaller than what the kernel takes at all. */
static uint32_t first_size(const struct ebpf_program_load *load)
{
	if (!load->log_size)
		return LOG_START;
	if (load->log_size < LOG_LEAST)
		return LOG_LEAST;
	return load->log_size < LOG_MAX ? load->log_size : LOG_MAX;
}

/* Descriptor, or the error of a try whose log fits. ENOSPC alone means that it did not: then the verdict may be good or
 * bad. -ENOBUFS: the log never fit, and the verdict is not known. */
static int try_with_log(struct attempt *attempt, uint32_t level)
{
	uint32_t size = first_size(attempt->load);

	for (;;) {
		int fd = try_with_size(attempt, level, size);
		bool short_log = attempt->log && attempt->log[0];

		if (fd == -ENOMEM && short_log)
			return -ENOBUFS;
		if (fd == -EINVAL && short_log && size != attempt->size) /* a kernel that does not take such a buffer */
			return -ENOBUFS;
		if (fd != -ENOSPC)
			return fd;
		size = next_size(attempt);
		if (!size)
			return -ENOBUFS;
	}
}

/* The descriptor or the verdict; attempt->log is left for the caller. */
static int load_program(struct attempt *attempt)
{
	uint32_t level = attempt->load->log_level;
	int code, fd;

	if (attempt->load->log_disabled)
		return try_without_log(attempt);
	code = level ? -ENOBUFS : try_without_log(attempt);
	if (code >= 0)
		return code;
	fd = try_with_log(attempt, level ? level : 1);
	if (fd == -EPERM && level) {
		ebpf_kernel_raise_memlock(attempt->kernel);
		fd = try_with_log(attempt, level);
	}
	if (fd == -ENOBUFS) /* logging must not decide whether a program loads */
		fd = level ? try_without_log(attempt) : code;
	else if (fd == -ENOMEM && !level)
		fd = code;
	return fd;
}

static char *shrink(char *log)
{
	char *smaller = log ? realloc(log, strlen(log) + 1) : NULL;

	return smaller ? smaller : log;
}

static int set_strings(struct ebpf_program *program, const struct ebpf_program_load *load, struct ebpf_error *err)
{
	program->name = ebpf_strdup(load->name ? load->name : "");
	program->section = ebpf_strdup(load->section);
	program->attach_to = ebpf_strdup(load->attach_to);
	if (!program->name || (load->section && !program->section) || (load->attach_to && !program->attach_to))
		return ebpf_fail_memory(err);
	return 0;
}

static int make(struct attempt *attempt, int fd, struct ebpf_program **out, struct ebpf_error *err)
{
	const struct ebpf_program_load *load = attempt->load;
	struct ebpf_program *program = ebpf_program_new(attempt->kernel, fd, err);
	int code;

	if (!program)
		return -ENOMEM;
	code = set_strings(program, load, err);
	if (code) {
		ebpf_program_close(program);
		return code;
	}
	program->type = load->type;
	program->attach_type = load->attach_type;
	program->flags = load->flags;
	program->attach_btf_id = load->attach_btf_id;
	program->autoattach = load->autoattach;
	if (load->log_level) {
		program->log = attempt->log;
		attempt->log = NULL;
	}
	*out = program;
	return 0;
}

int ebpf_program_load(struct ebpf_kernel *kernel, const struct ebpf_program_load *load, struct ebpf_program **out,
		      struct ebpf_error *err)
{
	struct attempt attempt = { .kernel = kernel, .load = load };
	int fd, code;

	if (load->insn_count > UINT32_MAX)
		return ebpf_fail(err, E2BIG, "program '%s': load: too many instructions", load->name ? load->name : "");
	fill(&attempt);
	ebpf_policy_begin();
	fd = load_program(&attempt);
	ebpf_policy_end();
	attempt.log = shrink(attempt.log);
	if (fd < 0)
		return ebpf_program_explain(kernel, load, fd, attempt.log, err);
	code = make(&attempt, fd, out, err);
	free(attempt.log);
	return code;
}
