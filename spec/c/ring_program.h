/* ring_program.h -- a program that writes ring buffer records, for tests and benchmarks: assembled by hand and run by BPF_PROG_RUN on a made-up packet.
 *
 * The packet behind its 14 bytes of Ethernet header is { u32 what; u32 size; bytes }. `what` 0 writes a record of those bytes, 1 reserves 64 bytes and
 * discards them; the program returns 0, or the helper's negative result. */
#ifndef EBPF_SPEC_RING_PROGRAM_H
#define EBPF_SPEC_RING_PROGRAM_H

#include "asm/asm.h"
#include "sys/sys.h"

#define RING_PROGRAM_MAX 400

enum { HELPER_SKB_LOAD_BYTES = 26, HELPER_RINGBUF_OUTPUT = 130, HELPER_RINGBUF_RESERVE = 131, HELPER_RINGBUF_DISCARD = 133 };

static inline int ring_program_fd(const struct ebpf_insn *insns, uint32_t count)
{
	static char log[65536];
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = ebpf_ptr(insns);
	attr.insn_cnt = count;
	attr.license = ebpf_ptr("GPL");
	attr.log_level = 1;
	attr.log_buf = ebpf_ptr(log);
	attr.log_size = sizeof(log);
	fd = ebpf_sys_linux.bpf(BPF_PROG_LOAD, &attr, EBPF_ATTR_SIZE(expected_attach_type));
	if (fd < 0)
		fprintf(stderr, "the program is refused: %d\n%s\n", fd, log);
	return fd;
}

#define INSN(code_, dst_, src_, off_, imm_) insns[n++] = (struct ebpf_insn){ .code = (code_), .dst = (dst_), .src = (src_), .off = (off_), .imm = (imm_) }
#define LOAD_MAP(dst_, fd_) INSN(EBPF_LD_IMM64, dst_, EBPF_PSEUDO_MAP_FD, 0, fd_); INSN(0, 0, 0, 0, 0)
#define MOVE(dst_, src_) INSN(EBPF_ALU64 | EBPF_MOV | EBPF_X, dst_, src_, 0, 0)
#define SET(dst_, imm_) INSN(EBPF_ALU64 | EBPF_MOV | EBPF_K, dst_, 0, 0, imm_)
#define ADD(dst_, imm_) INSN(EBPF_ALU64 | EBPF_ADD | EBPF_K, dst_, 0, 0, imm_)
#define CALL(helper_) INSN(EBPF_CALL, 0, 0, 0, helper_)
#define EXIT() INSN(EBPF_EXIT, 0, 0, 0, 0)

static inline int ring_program_load(int map_fd)
{
	struct ebpf_insn insns[160];
	uint32_t n = 0;

	MOVE(6, 1);
	for (int at = -408; at < 0; at += 8)
		INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, (int16_t)at, 0);
	MOVE(1, 6); SET(2, 0); MOVE(3, 10); ADD(3, -8); SET(4, 8);
	CALL(HELPER_SKB_LOAD_BYTES);
	INSN(EBPF_LDX | EBPF_MEM | EBPF_W, 8, 10, -8, 0);
	INSN(EBPF_LDX | EBPF_MEM | EBPF_W, 7, 10, -4, 0);
	SET(0, -22);
	INSN(EBPF_JMP | EBPF_JLE | EBPF_K, 7, 0, 1, RING_PROGRAM_MAX);
	EXIT();
	INSN(EBPF_JMP | EBPF_JEQ | EBPF_K, 8, 0, 13, 1); /* to the discard */
	INSN(EBPF_JMP | EBPF_JLT | EBPF_K, 7, 0, 5, 1); /* not "== 0": verifiers before 6.8 learn nothing of it */
	MOVE(1, 6); SET(2, 8); MOVE(3, 10); ADD(3, -408); MOVE(4, 7);
	insns[n - 6].off = 6;
	CALL(HELPER_SKB_LOAD_BYTES);
	LOAD_MAP(1, map_fd); MOVE(2, 10); ADD(2, -408); MOVE(3, 7); SET(4, 0);
	CALL(HELPER_RINGBUF_OUTPUT);
	EXIT();
	insns[n - 16].off = 15;
	LOAD_MAP(1, map_fd); SET(2, 64); SET(3, 0);
	CALL(HELPER_RINGBUF_RESERVE);
	INSN(EBPF_JMP | EBPF_JNE | EBPF_K, 0, 0, 2, 0);
	SET(0, -11); EXIT();
	MOVE(1, 0); SET(2, 0);
	CALL(HELPER_RINGBUF_DISCARD);
	SET(0, 0); EXIT();
	return ring_program_fd(insns, n);
}

/* `per_run` records of 16 bytes each time it runs. */
static inline int ring_program_load_filler(int map_fd, unsigned per_run)
{
	struct ebpf_insn insns[16 + 8 * 64];
	uint32_t n = 0;

	INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -16, 0x1234);
	INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -8, 0x5678);
	for (unsigned i = 0; i < per_run && i < 64; i++) {
		LOAD_MAP(1, map_fd); MOVE(2, 10); ADD(2, -16); SET(3, 16); SET(4, 1 /* wake nobody */);
		CALL(HELPER_RINGBUF_OUTPUT);
	}
	EXIT();
	return ring_program_fd(insns, n);
}

/* What the program returned, or -errno of BPF_PROG_RUN with *failed set. */
static inline int ring_program_run(int fd, uint32_t what, const void *bytes, uint32_t size, uint32_t repeat, bool *failed)
{
	uint8_t packet[14 + 8 + RING_PROGRAM_MAX] = { 0 };
	union bpf_attr attr;
	int ret;

	memcpy(packet + 14, &what, 4);
	memcpy(packet + 18, &size, 4);
	memcpy(packet + 22, bytes ? bytes : packet, bytes ? size : 0);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.data_in = ebpf_ptr(packet);
	attr.test.data_size_in = sizeof(packet);
	attr.test.repeat = repeat;
	do
		ret = ebpf_sys_linux.bpf(BPF_PROG_RUN, &attr, EBPF_ATTR_SIZE(test.batch_size));
	while (ret == -EINTR);
	*failed = ret < 0;
	return ret < 0 ? ret : (int)attr.test.retval;
}

#endif
