/* spec.h -- the Spec: what an object says, before any kernel.
 *
 * Made from an ELF object (read.c and its kin, on libelf), from assembly, or by hand; edited; handed to load. Reading makes no system call and
 * the same bytes give the same Spec on every host, whatever the object's byte order (instructions are kept in host order).
 * Code lives in functions: programs and subprograms alike. References are by name; nothing is resolved here.
 * The Spec owns everything it points to; strings in functions and references are the Spec's.
 */
#ifndef EBPF_SPEC_H
#define EBPF_SPEC_H

#include "asm/asm.h"
#include "base/uapi.h"
#include "btf/btf.h"

struct ebpf_spec_reference {
	uint32_t insn;                 /* index of the first slot, within the function */
	enum ebpf_reference kind;
	union {
		struct ebpf_map_spec *map;     /* MAP, MAP_VALUE */
		struct ebpf_function *function;/* CALL, FUNCTION */
		struct ebpf_extern *external;  /* EXTERN */
	};
	int64_t addend;                /* MAP_VALUE, EXTERN: byte offset */
};
struct ebpf_spec_line { uint32_t insn; const char *file, *line; uint32_t number, column; };
struct ebpf_spec_relo { uint32_t insn, type_id, kind; const char *access; }; /* CO-RE */
struct ebpf_function {
	char *name, *section;          /* section without a leading '?' */
	uint32_t section_offset;       /* bytes: for messages */
	struct ebpf_insn *insns; size_t insn_count;
	struct ebpf_spec_reference *references; size_t reference_count; /* sorted by insn */
	struct ebpf_spec_line *lines; size_t line_count;                /* sorted by insn */
	struct ebpf_spec_relo *relos; size_t relo_count;                /* sorted by insn */
	uint32_t type_id;              /* of the FUNC in the Spec's BTF, or 0 */
	bool global;                   /* linkage: verified on its own */
	uint32_t mark;                 /* scratch of the loader's walk */
};
enum ebpf_extern_kind { EBPF_EXTERN_KCONFIG, EBPF_EXTERN_KSYM, EBPF_EXTERN_KSYM_TYPED, EBPF_EXTERN_KFUNC };
struct ebpf_extern {
	char *name;
	enum ebpf_extern_kind kind;
	bool weak;
	uint32_t type_id;              /* of the VAR or FUNC in the Spec's BTF */
	uint32_t size, alignment;      /* KCONFIG */
	uint32_t offset;               /* KCONFIG: in the virtual .kconfig map, laid out by alignment */
};
/* What the public struct ebpf_spec begins; get it with spec_impl(). */
struct ebpf_spec_impl {
	struct ebpf_spec public;       /* must be first */
	struct ebpf_function **functions; size_t function_count; /* all, programs' own included */
	struct ebpf_extern **externs; size_t extern_count;
	uint32_t kconfig_size;
	uint32_t core_relo_count;
	char *path;                    /* for messages; may be NULL */
};
static inline struct ebpf_spec_impl *spec_impl(struct ebpf_spec *spec) { return (struct ebpf_spec_impl *)(void *)spec; }
struct ebpf_function *ebpf_spec_find_function(struct ebpf_spec *spec, const char *name);

/* -- the table of sections (section.c, data in section_table.h generated from libbpf's source by gen_sections.lua) -- */

enum {
	EBPF_SECTION_EXTRA = 1 << 0,       /* "name+": the bare name or name/extra */
	EBPF_SECTION_SLEEPABLE = 1 << 1,   /* adds BPF_F_SLEEPABLE */
	EBPF_SECTION_ATTACHABLE = 1 << 2,
	EBPF_SECTION_ATTACH_OPT = 1 << 3,  /* expected attach type may be left out where the kernel lacks the field (before 4.17) */
	EBPF_SECTION_ATTACH_BTF = 1 << 4,  /* a BTF target is resolved at load */
	EBPF_SECTION_XDP_FRAGS = 1 << 5,   /* adds BPF_F_XDP_HAS_FRAGS */
	EBPF_SECTION_USDT = 1 << 6,
};
struct ebpf_section {
	const char *name;                  /* without '+' */
	uint32_t program_type, attach_type, flags;
	const char *kind;                  /* kind of link that attaches it by itself ("kprobe", "tracepoint", ...); NULL = none does */
};
/* First row that matches, in table order, or NULL. `extra` gets what follows the slash ("" = bare name). */
const struct ebpf_section *ebpf_section_find(const char *section, const char **extra);

#endif
