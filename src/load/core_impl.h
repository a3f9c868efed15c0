/* core_impl.h -- what the files of the CO-RE engine share; nobody else includes it.
 *
 * The way of one relocation: core_spec_parse (access string -> names and indices in the local types), for each
 * candidate core_spec_match (the same in the target) and core_value (the numbers of both), all candidates must agree;
 * then core_patch.
 */
#ifndef EBPF_LOAD_CORE_IMPL_H
#define EBPF_LOAD_CORE_IMPL_H

#include "load/core.h"

enum core_kind { /* enum bpf_core_relo_kind, Linux 5.17; numbers are ABI */
	CORE_FIELD_BYTE_OFFSET, CORE_FIELD_BYTE_SIZE, CORE_FIELD_EXISTS, CORE_FIELD_SIGNED, CORE_FIELD_LSHIFT, CORE_FIELD_RSHIFT,
	CORE_TYPE_ID_LOCAL, CORE_TYPE_ID_TARGET, CORE_TYPE_EXISTS, CORE_TYPE_SIZE, CORE_ENUM_EXISTS, CORE_ENUM_VALUE,
	CORE_TYPE_MATCHES, CORE_KIND_COUNT
};
enum { CORE_DEPTH = 64 }; /* steps of an access string, and of the way to a field through anonymous members */

static inline bool core_kind_is_field(uint32_t kind) { return kind <= CORE_FIELD_RSHIFT; }
static inline bool core_kind_is_enum(uint32_t kind) { return kind == CORE_ENUM_EXISTS || kind == CORE_ENUM_VALUE; }
static inline bool core_kind_is_type(uint32_t kind)
{
	return (kind >= CORE_TYPE_ID_LOCAL && kind <= CORE_TYPE_SIZE) || kind == CORE_TYPE_MATCHES;
}
static inline bool core_is_composite(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_STRUCT || type->kind == BTF_KIND_UNION;
}
static inline bool core_is_enum(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_ENUM || type->kind == BTF_KIND_ENUM64;
}
static inline bool core_kinds_agree(const struct ebpf_type *a, const struct ebpf_type *b)
{
	return a->kind == b->kind || (core_is_enum(a) && core_is_enum(b));
}

/* One step that means something: a named member (or enumerator) of type_id, or, without a name, element `index` of an
 * array of type_id. */
struct core_step {
	const char *name;
	uint32_t type_id, index;
};
/* A place in a type, as a relocation names it. Steps through anonymous members are not kept: a target may have the
 * member elsewhere. */
struct core_spec {
	const struct ebpf_btf *btf;
	uint32_t root, kind;
	struct core_step steps[CORE_DEPTH];
	unsigned count;
	/* Of a field in a target: each member on the way to it, anonymous ones included, `depth` of them; an element of an
	 * array has no owner. */
	struct {
		uint32_t owner, index;
	} way[CORE_DEPTH];
	unsigned depth;      /* all steps, anonymous members included */
	uint64_t bit_offset; /* at most 32 bits */
};
enum core_reason { CORE_FINE, CORE_NO_TYPE, CORE_NO_MATCH, CORE_RESIZE };
struct core_result {
	uint64_t old_value, new_value;
	uint32_t old_size, new_size; /* of what a load or store touches; both 0 when that does not matter */
	bool poison;
	bool validate;               /* the instruction must hold old_value */
	bool wrong_resize;           /* sizes differ, and a load or store cannot be made right by changing its own */
	bool narrow_old, narrow_new; /* enumerators of 32 bits, extended by their sign */
	enum core_reason reason;
};

struct core_candidate {
	const struct ebpf_btf *btf;
	uint32_t id;
};
/* The result of one (kind, access) of a local type: objects ask for the same field again and again. */
struct core_memo {
	struct core_memo *next;
	const char *access;
	uint32_t kind;
	struct core_result result;
};
struct core_candidates {
	struct core_candidate *items; /* ascending by BTF, then id */
	size_t count, capacity;
	struct core_memo *memos;
};
struct core_poison {
	const struct ebpf_function *function;
	uint32_t insn;
	char *text;
};
struct ebpf_core {
	struct ebpf_kernel *kernel;
	struct ebpf_btf *local, *custom;
	struct core_candidates **by_local; /* by local type id; made with the first relocation that looks for candidates */
	int64_t (*map_id)(void *context, uint32_t local_id);
	void *map_context;
	struct core_poison *poisons; size_t poison_count, poison_capacity;
	/* Comparisons that may still be made: types that contain themselves would otherwise keep a walk busy for centuries. */
	uint64_t work_left;
	/* Told of each candidate that a relocation finds something in, or NULL. */
	int (*found)(void *context, const struct core_spec *target);
	void *found_context;
	struct core_spec local_spec, target_spec, candidate_spec; /* scratch: too big for the stack of an embedding program */
};

/* False when the work is used up. */
static inline bool core_work(struct ebpf_core *core, uint64_t amount)
{
	if (core->work_left < amount)
		return false;
	core->work_left -= amount;
	return true;
}

/* core_candidates.c: the list of a local type, found once. ENOTSUP when there are no target types at all. */
int core_candidates_get(struct ebpf_core *core, uint32_t local_id, struct core_candidates **out, struct ebpf_error *err);
void core_candidates_free(struct core_candidates *candidates);

/* core_spec.c: -EINVAL for a malformed or impossible access string, -E2BIG for one too deep. */
int core_spec_parse(const struct ebpf_btf *btf, const struct ebpf_spec_relo *relo, struct core_spec *spec);
/* 1 = found, 0 = the candidate has nothing like it, -errno. */
int core_spec_match(struct ebpf_core *core, const struct core_spec *local, const struct core_candidate *candidate,
		    struct core_spec *spec);
/* "<byte_off> struct task_struct.mm.exe_file (0:12:3)" */
void core_spec_print(const struct core_spec *spec, const char *access, char *text, size_t size);
const char *core_kind_name(uint32_t kind);

/* core_types.c: 1 = yes, 0 = no, -errno. Names of the roots have been compared by the caller. */
int core_fields_agree(const struct ebpf_btf *local, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id);
int core_types_agree(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id);
int core_types_match(struct ebpf_core *core, uint32_t local_id, const struct ebpf_btf *target, uint32_t target_id);
/* The type behind typedefs and qualifiers; *id is changed to it. False for an id out of range. */
bool core_resolve(const struct ebpf_btf *btf, uint32_t *id, struct ebpf_type *type);

/* core_value.c: what the relocation stands for locally and in the target (`target` NULL: nothing found). */
int core_value(const struct core_spec *local, const struct core_spec *target, struct core_result *result, struct ebpf_error *err);

/* core.c: calls back with what each relocation of a function finds in the target, in each candidate that matches: which of
 * them stay candidates depends on all. A negative result stands for ENOMEM. */
int core_visit(struct ebpf_core *core, const struct ebpf_function *function,
	       int (*found)(void *context, const struct core_spec *target), void *context, struct ebpf_error *err);

/* core_patch.c: 0 = patched, 1 = poisoned (result->reason may become CORE_RESIZE). `left` counts the slots from `insn`
 * to the end. */
int core_patch(struct ebpf_insn *insn, size_t left, struct core_result *result, struct ebpf_error *err);

#endif
