/* perf_program.h -- a program that writes perf buffer records, for tests: assembled by hand and run by BPF_PROG_RUN on a CPU of choice. */
#ifndef EBPF_SPEC_PERF_PROGRAM_H
#define EBPF_SPEC_PERF_PROGRAM_H

#include "ring_program.h"

enum { HELPER_PERF_EVENT_OUTPUT = 25, HELPER_GET_SMP_PROCESSOR_ID = 8 };

/* A record for each run; the argument is the context's first word. */
struct perf_program_record {
	uint32_t cpu, argument;
};

static inline int perf_program_load(int map_fd)
{
	static char log[65536];
	struct ebpf_insn insns[32];
	union bpf_attr attr;
	uint32_t n = 0;

	MOVE(6, 1);
	INSN(EBPF_LDX | EBPF_MEM | EBPF_DW, 7, 6, 0, 0);
	INSN(EBPF_STX | EBPF_MEM | EBPF_W, 10, 7, -4, 0);
	CALL(HELPER_GET_SMP_PROCESSOR_ID);
	INSN(EBPF_STX | EBPF_MEM | EBPF_W, 10, 0, -8, 0);
	MOVE(1, 6);
	LOAD_MAP(2, map_fd);
	LOAD_MAP(3, -1);
	insns[n - 2].src = 0;
	insns[n - 2].imm = -1; /* BPF_F_CURRENT_CPU is 0xffffffff */
	MOVE(4, 10);
	ADD(4, -8);
	SET(5, 8);
	CALL(HELPER_PERF_EVENT_OUTPUT);
	EXIT();
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = ebpf_ptr(insns);
	attr.insn_cnt = n;
	attr.license = ebpf_ptr("GPL");
	attr.log_level = 1;
	attr.log_buf = ebpf_ptr(log);
	attr.log_size = sizeof(log);
	int fd = ebpf_sys_linux.bpf(BPF_PROG_LOAD, &attr, EBPF_ATTR_SIZE(expected_attach_type));

	if (fd < 0)
		fprintf(stderr, "the writer is refused: %d\n%s\n", fd, log);
	return fd;
}

/* What the program returned on that CPU, which may be offline: -ENXIO or -EINVAL then. */
static inline int perf_program_run(int fd, uint32_t cpu, uint64_t argument)
{
	uint64_t context[1] = { argument };
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.ctx_in = ebpf_ptr(context);
	attr.test.ctx_size_in = sizeof(context);
	attr.test.flags = BPF_F_TEST_RUN_ON_CPU;
	attr.test.cpu = cpu;
	ret = ebpf_sys_linux.bpf(BPF_PROG_RUN, &attr, EBPF_ATTR_SIZE(test.batch_size));
	return ret < 0 ? ret : (int)attr.test.retval;
}

#endif
