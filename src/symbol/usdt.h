/* usdt.h -- where a USDT probe keeps an argument, by machine: the text of a note, read (usdt_argument.c).
 *
 * Pure text: the machine is an argument, so that the notes of every machine are read on every machine. Registers are given
 * by their place in what a program on a uprobe gets as its context (struct pt_regs; on arm64, s390 and riscv its part that
 * the kernel promises to keep).
 */
#ifndef EBPF_SYMBOL_USDT_H
#define EBPF_SYMBOL_USDT_H

#include "symbol/symbol.h"

#define EBPF_USDT_ARGUMENTS_MAX 12 /* of one probe: what <sys/sdt.h> offers */

enum ebpf_usdt_place {
	EBPF_USDT_CONSTANT, /* value */
	EBPF_USDT_REGISTER, /* base */
	EBPF_USDT_MEMORY,   /* *(base + value) */
	EBPF_USDT_INDEXED,  /* *(base + (index << shift) + value) */
};
struct ebpf_usdt_argument {
	enum ebpf_usdt_place place;
	int64_t value;
	uint16_t base, index; /* offsets in the context */
	uint8_t shift;
	uint8_t size;         /* bytes: 1, 2, 4, 8 */
	bool is_signed;
	/* MEMORY of a variable by its name, as x86-64 has it ("counter+4(%rip)"): value is to be increased by the variable's
	 * address less the probe's. Within the text; NULL = none. */
	const char *symbol;
	size_t symbol_size;
};
/* The first argument of a note's list, which is separated by spaces: its start, and its size; NULL when there is none. The next begins
 * behind it. */
const char *ebpf_usdt_first(const char *list, size_t *size);
/* Reads one: "-4@%eax", "8@-16(%rbp)", "1@$65", "4@[sp, 12]". EINVAL for what is none, ENOTSUP for what no program can read
 * (a vector register) and for a machine (EM_...) that is not known; the message begins with the argument. */
int ebpf_usdt_argument(const char *text, size_t size, unsigned machine, struct ebpf_usdt_argument *out, struct ebpf_error *err);
/* All arguments of a probe: their number, or -errno with a message that begins with the file and the probe. Variables by name are looked
 * up in the file. */
int ebpf_usdt_arguments(const struct ebpf_usdt *usdt, const struct ebpf_usdt_probe *probe, struct ebpf_usdt_argument *out,
			struct ebpf_error *err);

#endif
