/* syntax.h -- the words of the assembler, shared by printer and parser so that each reads what the other writes.
 *
 * The words are those of the kernel's verifier log. A wide load has " ll" behind it, as LLVM writes it: without it
 * the text of a wide load and that of a 32-bit constant in hexadecimal could not be told apart. References print as
 * bpftool prints them in a dump: "map[fd:5]".
 */
#ifndef EBPF_ASM_SYNTAX_H
#define EBPF_ASM_SYNTAX_H

#include "asm/asm.h"

/* Indexed by the upper four bits of the opcode; NULL where there is no operator. */
extern const char *const ebpf_alu_operators[16];  /* "+=" */
extern const char *const ebpf_jump_operators[16]; /* "s>=" */
extern const char *const ebpf_atomic_names[16];   /* "add" of atomic_fetch_add, indexed as the ALU operators */
/* Indexed by bits 3 and 4 of the opcode. */
extern const char *const ebpf_size_names[4];      /* "u32" */
extern const char *const ebpf_signed_size_names[4];

#endif
