/* statement.h -- one instruction as its text says it: filled by parse_insn.c, put into the block by parse.c. */
#ifndef EBPF_ASM_STATEMENT_H
#define EBPF_ASM_STATEMENT_H

#include "asm/cursor.h"

struct ebpf_statement {
	struct ebpf_cursor cursor;
	struct ebpf_insn insn;
	int64_t wide;
	bool label, refers;          /* `name` is the label that is jumped to; or what a reference of `kind` names */
	enum ebpf_reference kind;
	int64_t addend;
	char name[EBPF_NAME_SIZE];
	int hint_code, hint_src;     /* as told by "(b7)" or the bytes in front of the text; else -1 */
};
/* Reads the instruction at the cursor; false with the cursor's code set when there is none. */
bool ebpf_statement_parse(struct ebpf_statement *statement);

#endif
