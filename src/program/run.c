/* run.c -- BPF_PROG_RUN: a program on data of ours.
 *
 * Linux before 5.0 does not look at the size of data_out and writes as much as it has, at most what went in and 256
 * bytes of headroom: a smaller buffer of the caller gets a larger one in its place. Programs of type "syscall" write
 * into the context that goes in, so they get a copy.
 */
#include <stdlib.h>

#include "program/program.h"

enum { HEADROOM = 258, INTERRUPTS = 100 };

struct run {
	union bpf_attr attr;
	uint8_t *data, *context; /* ours, in place of the caller's; or NULL */
};

static bool is_syscall(const struct ebpf_program *program)
{
	return program->type == BPF_PROG_TYPE_SYSCALL;
}

/* Live frames are gone when it is done; the kernel minds a place for them. */
static bool is_live(const struct ebpf_run_options *options)
{
	return options->flags & BPF_F_TEST_XDP_LIVE_FRAMES;
}

/* Nor does it want a place for the context of raw tracepoints, which does not change. */
static bool gives_context(const struct ebpf_program *program, const struct ebpf_run_options *options)
{
	return !is_live(options) && program->type != BPF_PROG_TYPE_RAW_TRACEPOINT && program->type != BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE;
}

static int check(const struct ebpf_program *program, const struct ebpf_run_options *options, struct ebpf_error *err)
{
	if (options->size < sizeof *options)
		return ebpf_fail(err, EINVAL, "program '%s': run: options.size is %zu, not %zu", program->name, options->size,
				 sizeof *options);
	if ((!options->data && options->data_size) || (!options->context && options->context_size) ||
	    (!options->data_out && options->data_out_size) || (!options->context_out && options->context_out_size))
		return ebpf_fail(err, EINVAL, "program '%s': run: a size is given without its bytes", program->name);
	if (options->data_size > INT32_MAX || options->data_out_size > INT32_MAX || options->context_size > INT32_MAX ||
	    options->context_out_size > INT32_MAX)
		return ebpf_fail(err, E2BIG, "program '%s': run: more bytes than 2 GiB", program->name);
	if (is_syscall(program) && options->context_out && options->context_out_size < options->context_size)
		return ebpf_fail(err, EINVAL, "program '%s': run: a syscall program's context comes out as large as it goes in",
				 program->name);
	return 0;
}

static int prepare_data_out(struct run *run, const struct ebpf_run_options *options)
{
	size_t safe = options->data_size + HEADROOM;

	if (!options->data_out || is_live(options))
		return 0;
	run->attr.test.data_size_out = (uint32_t)options->data_out_size;
	run->attr.test.data_out = ebpf_ptr(options->data_out);
	if (options->data_out_size >= safe)
		return 0;
	run->data = malloc(safe);
	run->attr.test.data_out = ebpf_ptr(run->data);
	return run->data ? 0 : -ENOMEM;
}

static int prepare_context(struct run *run, const struct ebpf_program *program, const struct ebpf_run_options *options)
{
	run->attr.test.ctx_in = ebpf_ptr(options->context);
	run->attr.test.ctx_size_in = (uint32_t)options->context_size;
	if (!is_syscall(program)) {
		if (gives_context(program, options)) {
			run->attr.test.ctx_out = ebpf_ptr(options->context_out);
			run->attr.test.ctx_size_out = (uint32_t)options->context_out_size;
		}
		return 0;
	}
	if (!options->context_size)
		return 0;
	run->context = malloc(options->context_size);
	if (!run->context)
		return -ENOMEM;
	memcpy(run->context, options->context, options->context_size);
	run->attr.test.ctx_in = ebpf_ptr(run->context);
	return 0;
}

static int prepare(struct run *run, const struct ebpf_program *program, const struct ebpf_run_options *options)
{
	int code;

	memset(run, 0, sizeof *run);
	run->attr.test.prog_fd = (uint32_t)program->fd;
	run->attr.test.data_in = ebpf_ptr(options->data);
	run->attr.test.data_size_in = (uint32_t)options->data_size;
	run->attr.test.repeat = options->repeat;
	run->attr.test.flags = options->flags;
	run->attr.test.cpu = options->cpu;
	run->attr.test.batch_size = options->batch_size;
	code = prepare_data_out(run, options);
	return code ? code : prepare_context(run, program, options);
}

static void copy_out(void *to, size_t *capacity, const void *from, size_t size)
{
	if (from && to != from)
		memcpy(to, from, size < *capacity ? size : *capacity);
	*capacity = size;
}

/* What the kernel filled. -ENOSPC when more bytes came out than there is room for. */
static int collect(const struct run *run, const struct ebpf_program *program, struct ebpf_run_options *options)
{
	size_t room = options->data_out_size, context_room = options->context_out_size;

	options->retval = run->attr.test.retval;
	options->duration_ns = run->attr.test.duration;
	if (options->data_out)
		copy_out(options->data_out, &options->data_out_size, run->data ? run->data : options->data_out,
			 run->attr.test.data_size_out);
	if (options->context_out && is_syscall(program))
		copy_out(options->context_out, &options->context_out_size, run->context, options->context_size);
	else if (options->context_out)
		options->context_out_size = run->attr.test.ctx_size_out;
	return options->data_out_size > room || options->context_out_size > context_room ? -ENOSPC : 0;
}

static int call(const struct ebpf_program *program, struct run *run)
{
	const union bpf_attr attr = run->attr;
	int code = -EINTR;

	for (int i = 0; i < INTERRUPTS && code == -EINTR; i++) {
		run->attr = attr;
		code = ebpf_kernel_sys(program->kernel)->bpf(BPF_PROG_RUN, &run->attr, EBPF_ATTR_SIZE(test));
	}
	return code;
}

static int explain(const struct ebpf_program *program, const struct ebpf_run_options *options, int code, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type);

	switch (code) {
	case -524: /* ENOTSUPP, which libc does not know */
	case -EOPNOTSUPP:
		return ebpf_fail(err, ENOTSUP, "program '%s': run: this kernel cannot run programs of type '%s' on demand",
				 program->name, type ? type : "unknown");
	case -ENOSPC:
		return ebpf_fail(
			err, ENOSPC,
			"program '%s': run: what came out (%zu bytes of data, %zu of context) is more than there is room for",
			program->name, options->data_out_size, options->context_out_size);
	case -EINVAL:
		ebpf_fail(err, EINVAL, "program '%s': run: invalid argument", program->name);
		ebpf_hint(err,
			  "programs of type '%s' may want at least 14 bytes of data, or take no data, no context, no repeat, "
			  "or another size of "
			  "context; context and flags need a newer kernel than data does",
			  type ? type : "unknown");
		return code;
	default:
		return ebpf_fail_errno(err, code, "program '%s': run", program->name);
	}
}

int ebpf_program_run(struct ebpf_program *program, struct ebpf_run_options *options, struct ebpf_error *err)
{
	struct run run;
	int code = check(program, options, err);

	if (code)
		return code;
	code = prepare(&run, program, options);
	if (code) {
		code = ebpf_fail_memory(err);
		goto out;
	}
	code = call(program, &run);
	if (code >= 0 || code == -ENOSPC) {
		int fits = collect(&run, program, options);

		code = code < 0 ? code : fits;
	}
	if (code < 0)
		explain(program, options, code, err);
out:
	free(run.data);
	free(run.context);
	return code == -524 ? -ENOTSUP : code;
}
