/* spec.h -- the Spec: what an object says, before any kernel.
 *
 * Made from an ELF object (read.c and its kin, on libelf), from assembly, or by hand; edited; handed to load. Reading makes no
 * system call, and the same bytes give the same Spec on every host, whatever the object's byte order (instructions are kept in host
 * order). What reading takes is bounded by a small multiple of the object's size, whatever the object claims.
 *
 * Code lives in functions: programs and subprograms alike. What an instruction refers to is kept beside it (struct
 * ebpf_spec_reference); the instruction's own src and immediate say the kind of reference and are otherwise zero (a call's
 * immediate is -1): load writes both. Two functions at the same place (aliases) share their instructions.
 *
 * The Spec owns everything it points to and frees it in one go: strings and arrays live in its memory (memory.c) or in its BTF, so
 * none may be freed alone; only a map's `data` is a block of its own.
 *
 * Files: read.c (the way of an object), elf.c (sections and symbols), functions.c (code and its .BTF.ext records), relocate.c
 * (references), maps.c (maps written as C structs), legacy.c (maps in the old form), data.c (data sections and variables), tags.c (declaration
 * tags), struct_ops.c, externs.c (.kconfig, .ksyms), section.c (what a section's name means), spec.c (making and finding), edit.c (changing),
 * strip.c (an object without debug information), block.c (programs from assembly), object.h (what the readers share).
 */
#ifndef EBPF_SPEC_H
#define EBPF_SPEC_H

#include "asm/asm.h"
#include "base/uapi.h"
#include "btf/btf.h"

/* Instructions that a gotox may go to: indices within the function that reads the table. */
struct ebpf_jump_table {
	uint32_t offset; /* in section .jumptables */
	uint32_t count;
	uint32_t targets[];
};
struct ebpf_spec_reference {
	uint32_t insn; /* index of the first slot, within the function */
	enum ebpf_reference kind;
	union {                                 /* NULL only in code from a block, while the Spec has nothing of that name */
		struct ebpf_map_spec *map;      /* MAP, MAP_VALUE */
		struct ebpf_function *function; /* CALL, FUNCTION */
		struct ebpf_extern *external;   /* EXTERN */
		struct ebpf_jump_table *jumps;  /* JUMPS */
	};
	int64_t addend;   /* MAP_VALUE, EXTERN: byte offset */
	const char *name; /* of what it refers to */
};
struct ebpf_spec_line {
	uint32_t insn;
	const char *file, *line;
	uint32_t number, column;
};
struct ebpf_spec_relo { /* CO-RE */
	uint32_t insn, type_id, kind;
	const char *access;
};
struct ebpf_function {
	char *name, *section;    /* section without a leading '?' */
	uint32_t section_offset; /* bytes: for messages */
	struct ebpf_insn *insns;
	size_t insn_count;
	struct ebpf_spec_reference *references; /* these three sorted by insn */
	size_t reference_count;
	struct ebpf_spec_line *lines;
	size_t line_count;
	struct ebpf_spec_relo *relos;
	size_t relo_count;
	uint32_t type_id; /* of the FUNC in the Spec's BTF, or 0 */
	char *prototype;  /* its declaration in C instead, of a function from a block; or NULL */
	uint32_t context_params; /* bits: parameters that are tagged as the context (arg:ctx) */
	const char *exception_callback; /* the function that bpf_throw() goes on in, by its tag; NULL = the kernel's own */
	bool global;      /* linkage: verified on its own */
	uint32_t mark;    /* scratch of the loader's walk */
};
enum ebpf_extern_kind { EBPF_EXTERN_KCONFIG, EBPF_EXTERN_KSYM, EBPF_EXTERN_KSYM_TYPED, EBPF_EXTERN_KFUNC };
struct ebpf_extern {
	char *name;
	enum ebpf_extern_kind kind;
	bool weak;
	uint32_t type_id;         /* of the VAR or FUNC in the Spec's BTF */
	uint32_t size, alignment; /* KCONFIG */
	uint32_t offset;          /* KCONFIG: in the .kconfig map, laid out by alignment */
};
/* Memory that is freed all at once (memory.c). `left` bounds what reading an object may take. */
struct ebpf_spec_memory {
	struct ebpf_spec_block *blocks;
	uint64_t left;
	bool exhausted; /* a request was refused because of `left`, not for want of memory */
};
/* What the public structs begin; get them with ..._impl(). */
struct ebpf_spec_impl {
	struct ebpf_spec public;          /* must be first */
	struct ebpf_function **functions; /* all, programs' own included */
	size_t function_count;
	struct ebpf_extern **externs; /* an object's: by kind, KCONFIG in the order of their offsets */
	size_t extern_count;
	struct ebpf_map_spec *kconfig; /* the map that KCONFIG externs live in (one of `maps`, no data: load fills it), or NULL */
	uint32_t kconfig_size;
	uint32_t core_relo_count;
	uint32_t kernel_version; /* section "version", for kprobes before Linux 5.0; 0 = none, 0xfffffffe = the running one */
	char *path;              /* for messages; may be NULL */
	struct ebpf_spec_memory memory;
	size_t map_capacity, program_capacity, variable_capacity, function_capacity, extern_capacity;
};
struct ebpf_map_impl {
	struct ebpf_map_spec public; /* must be first */
	struct ebpf_spec_impl *spec;
	const uint32_t *offsets; /* of each entry of the DATASEC that value_type_id names (compilers leave zeros there), or NULL */
	size_t offset_count;
	size_t data_size;     /* of `data` */
	uint8_t *arena; /* initial bytes of an arena's variables, in the Spec's memory; or NULL */
	size_t arena_size;
};
struct ebpf_program_impl {
	struct ebpf_program_spec public; /* must be first */
	struct ebpf_spec_impl *spec;
};
static inline struct ebpf_spec_impl *spec_impl(struct ebpf_spec *spec)
{
	return (struct ebpf_spec_impl *)(void *)spec;
}
static inline struct ebpf_map_impl *map_impl(struct ebpf_map_spec *map)
{
	return (struct ebpf_map_impl *)(void *)map;
}
static inline struct ebpf_program_impl *program_impl(struct ebpf_program_spec *program)
{
	return (struct ebpf_program_impl *)(void *)program;
}
/* The source line that an instruction of the function was made from, or NULL. */
const struct ebpf_spec_line *ebpf_function_line(const struct ebpf_function *function, uint32_t insn);
/* Its file without the directories. */
const char *ebpf_spec_line_file(const struct ebpf_spec_line *line);
struct ebpf_extern *ebpf_spec_find_extern(struct ebpf_spec *spec, const char *name);
/* Gives names that programs made from blocks refer to their meaning, as far as the Spec has it (add_map and add_program do it too).
 * ENOENT names the first that is left over. To be called before loading. */
int ebpf_spec_resolve(struct ebpf_spec *spec, struct ebpf_error *err);

/* -- making parts, for the readers (spec.c, memory.c). Zeroed memory of the Spec; NULL on failure, then ebpf_spec_fail_memory tells
 * why. -- */

void *ebpf_spec_alloc(struct ebpf_spec_impl *spec, size_t count, size_t size);
char *ebpf_spec_string(struct ebpf_spec_impl *spec, const char *text, size_t size);
/* ENOMEM, or E2BIG when the object asked for more than its size can explain. */
int ebpf_spec_fail_memory(const struct ebpf_spec_impl *spec, struct ebpf_error *err);
void *ebpf_memory_alloc(struct ebpf_spec_memory *memory, size_t count, size_t size);
void ebpf_memory_free(struct ebpf_spec_memory *memory);
bool ebpf_memory_charge(struct ebpf_spec_memory *memory,
                        size_t size); /* memory that is taken elsewhere; false when it is too much */
/* New, empty, in the Spec's lists; names are borrowed for the life of the Spec. No check for duplicates. NULL on failure as above.
 */
struct ebpf_map_spec *ebpf_spec_new_map(struct ebpf_spec_impl *spec, const char *name);
struct ebpf_program_spec *ebpf_spec_new_program(struct ebpf_spec_impl *spec, struct ebpf_function *function);
struct ebpf_variable_spec *ebpf_spec_new_variable(struct ebpf_spec_impl *spec, const char *name);
struct ebpf_function *ebpf_spec_new_function(struct ebpf_spec_impl *spec, const char *name);
struct ebpf_extern *ebpf_spec_new_extern(struct ebpf_spec_impl *spec, const char *name, enum ebpf_extern_kind kind);

/* -- the table of sections (section.c, data in section_table.h generated from libbpf's source by gen_sections.lua) -- */

enum {
	EBPF_SECTION_EXTRA = 1 << 0,     /* "name+": the bare name or name/extra */
	EBPF_SECTION_SLEEPABLE = 1 << 1, /* adds BPF_F_SLEEPABLE */
	EBPF_SECTION_ATTACHABLE = 1 << 2,
	EBPF_SECTION_ATTACH_OPT = 1 << 3, /* expected attach type may be left out where the kernel lacks the field (before 4.17) */
	EBPF_SECTION_ATTACH_BTF = 1 << 4, /* a BTF target is resolved at load */
	EBPF_SECTION_XDP_FRAGS = 1 << 5,  /* adds BPF_F_XDP_HAS_FRAGS */
	EBPF_SECTION_USDT = 1 << 6,
};
struct ebpf_section {
	const char *name; /* without '+' */
	uint32_t program_type, attach_type, flags;
	const char *kind; /* kind of link that attaches it by itself ("kprobe", "tracepoint", ...); NULL = none does */
};
/* First row that matches, in table order, or NULL. `extra` gets what follows the slash ("" = bare name). A leading '?' is not part
 * of a name. */
const struct ebpf_section *ebpf_section_find(const char *section, const char **extra);
/* Row `index`, or NULL past the end. */
const struct ebpf_section *ebpf_section_at(size_t index);
/* The known section most like `section`, for messages, or NULL. */
const char *ebpf_section_nearest(const char *section);
/* Type, attach type, flags and attach_to of a program follow from its section; without a row they become 0 and NULL. `section` is
 * the Spec's. */
void ebpf_program_spec_apply_section(struct ebpf_program_spec *program, const char *section);

#endif
