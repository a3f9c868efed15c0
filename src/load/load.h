/* load.h -- from Spec to kernel: what the files of this room share.
 *
 * One struct ebpf_load lives for one call of ebpf_collection_load. It goes through these stages, each in its file:
 *   collection.c  which functions, types and externs the programs need; the order of everything
 *   choice.c      which programs are wanted, and which of them may fail
 *   events.c      a ring buffer or perf buffers, for programs that can use both
 *   btf.c         one BTF object for the whole collection: what its functions and maps refer to, and nothing else
 *   context.c     parameters that are the context, in those types, for older kernels
 *   externs.c     kernel variables and functions by name
 *   maps.c        maps: found pinned, given, or created; data sections filled and frozen before a program is verified
 *   arena.c       memory that programs and user space share, and its variables
 *   kconfig.c     the values of __kconfig variables
 *   struct_ops.c  maps of functions that the kernel calls
 *   linker.c      a program's code: its function and all that it reaches, references resolved (core.h: CO-RE)
 *   constants.c   reads of constants as immediates, where the kernel does not see them
 *   jumps.c       jump tables
 *   targets.c     what a tracing program is to be attached to, by BTF id
 *   log.c         names in place of poison in the verifier's log, and where in the source it happened
 * Afterwards variable.c reads and writes globals of the running collection.
 *
 * The Spec is read only, but for function->mark, which is the function's index while a load lasts. Whatever was made
 * before a stage fails is undone by ebpf_collection_load: maps closed, pins that this load made removed.
 * Not here: attaching (link), system calls on maps and programs (map, program).
 */
#ifndef EBPF_LOAD_LOAD_H
#define EBPF_LOAD_LOAD_H

#include "load/core.h"
#include "map/map.h"
#include "program/program.h"
#include "spec/spec.h"

/* Helpers that no kernel has: calls of them stand where something is missing, so that the verifier refuses the program
 * only where it would get there. The numbers are libbpf's, plus the index of map or extern, so that its users know the
 * message. */
#define EBPF_POISON_MAP 2001000000
#define EBPF_POISON_KFUNC 2002000000

/* The type of a function for programs of one type (context.c). */
struct ebpf_load_variant {
	uint32_t program_type, type_id;
};
/* A function of the Spec, at index function->mark. */
struct ebpf_load_function {
	struct ebpf_function *function;
	bool wanted;                   /* a program that will be loaded reaches it, */
	bool required;                 /* one that must not fail */
	uint32_t type_id;              /* its FUNC in the loaded BTF, or 0 */
	uint32_t head;                 /* its declaration or name, a string in the loaded BTF: where no line of source is known */
	uint64_t program_types;        /* of the programs that reach it: bits by type */
	struct ebpf_load_variant *variants; /* instead of type_id, for some of them */
	size_t variant_count;
	struct bpf_line_info *lines;   /* relative to the function; NULL = none */
	size_t line_count;
	struct ebpf_insn *insns;       /* a copy, all but calls between functions resolved; NULL until a program needs it */
	uint32_t walk, start;          /* the walk that reached it last, and where that program has it */
};
struct ebpf_load_extern {
	bool used, found;
	bool required;                 /* used by a program that must not fail */
	bool other_type;               /* the kernel has one of that name, but of another type: not found */
	uint64_t address;              /* KSYM */
	uint32_t btf_id;               /* KSYM_TYPED, KFUNC: in vmlinux, or in the module of btf_fd */
	int btf_fd;                    /* 0 = vmlinux */
	int16_t fd_index;              /* KFUNC: of btf_fd in fd_array */
};
struct ebpf_load_choice {
	uint32_t group;                /* from 1: which alternatives it belongs to; 0 = none */
	bool optional;                 /* or all of its group */
};
struct ebpf_load_map {
	struct ebpf_map *map;          /* NULL = not created; owned */
	uint32_t key_type, value_type; /* in the loaded BTF */
	uint32_t inner_key_type, inner_value_type;
	struct ebpf_map_spec *instead; /* what is created, not the Spec's; owned, but for what it points to; or NULL */
	uint8_t *constants;            /* of a read-only section: bytes whose reads become immediates (constants.c); owned, or NULL */
	size_t constants_size;
	bool no_global_data;           /* a data section that this kernel cannot have */
	bool pinned_now;               /* this load pinned it: undone when the load fails */
	bool given;                    /* the caller's */
	uint32_t arena_offset;         /* where an arena's variables begin */
};
struct ebpf_load {
	struct ebpf_spec *spec;
	struct ebpf_kernel *kernel;
	struct ebpf_load_options options;     /* a copy; the tail that an older caller does not know is zero */
	struct ebpf_collection *collection;
	struct ebpf_program_spec **programs;  /* to be loaded */
	struct ebpf_load_choice *choices;     /* of each */
	size_t program_count;
	size_t chosen_count;                  /* after the first program_count: those that were left out */
	struct ebpf_load_function *functions; /* one per function of the Spec */
	size_t function_count;
	struct ebpf_function **order;         /* of the current walk: the functions of a program, its own first */
	size_t order_count;
	uint32_t walk;
	bool has_subprograms;                 /* some program is made of more than one function */
	struct ebpf_load_map *maps;           /* one per map of the Spec */
	struct ebpf_load_extern *externs;     /* one per extern of the Spec */
	int *fd_array;                        /* module BTFs for kfuncs; [0] stands for vmlinux */
	size_t fd_count;
	struct ebpf_core *core;
	struct ebpf_btf *custom_btf;
	struct ebpf_btf_builder *builder;
	struct ebpf_btf_declarations *declarations; /* in the builder: functions that were not compiled */
	int btf_fd;                           /* 0 = no BTF in the kernel */
	bool has_func_info;
	char btf_problem[256];                /* why the kernel refused our BTF; "" = it did not */
	const struct ebpf_function *function; /* whose code was being made ready last, */
	uint32_t insn;                        /* and at which instruction; UINT32_MAX = none in particular */
	const char *advice;                   /* what to try against the poison that the last log shows, or NULL */
};
struct ebpf_linked_jumps {
	const struct ebpf_jump_table *table;
	struct ebpf_map *map;
};
/* The code of one program, ready but for what the program room adds. */
struct ebpf_linked {
	struct ebpf_insn *insns; size_t insn_count;
	struct bpf_func_info *funcs; size_t func_count;
	struct bpf_line_info *lines; size_t line_count;
	struct ebpf_linked_jumps *jumps; size_t jump_count, jump_capacity; /* a program keeps its arrays: these need not outlive its load */
};

/* -- collection.c -- */

/* The functions of a program in load->order, marked with load->walk and (after ebpf_load_link) with their start. */
int ebpf_load_walk(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_error *err);
/* The function that holds instruction `insn` of the program that was linked last; `*local` gets the index within it. */
struct ebpf_load_function *ebpf_load_function_at(struct ebpf_load *load, uint32_t insn, uint32_t *local);

/* -- choice.c -- */

/* Fills load->programs and load->choices. */
int ebpf_load_choose(struct ebpf_load *load, struct ebpf_error *err);
bool ebpf_load_may_fail(const struct ebpf_load *load, size_t index);
/* What failed is left out, and `why` moved to the collection's failures: 0. Or to `err`, when the program must not fail or no alternative is left. */
int ebpf_load_forgive(struct ebpf_load *load, size_t index, struct ebpf_error *why, struct ebpf_error *err);
void ebpf_load_leave_out(struct ebpf_load *load, size_t index);
bool ebpf_load_is_left_out(const struct ebpf_load *load, const char *name);
/* Whether an alternative before it was loaded that nothing keeps from being attached. */
bool ebpf_load_is_settled(const struct ebpf_load *load, size_t index);

/* -- events.c -- */

/* Which kind of buffer each map of records becomes that its programs can use as either. */
int ebpf_load_events(struct ebpf_load *load, struct ebpf_error *err);
bool ebpf_load_is_events(const struct ebpf_load *load, const struct ebpf_map_spec *map);

/* -- btf.c -- */

/* Builds and loads the BTF. A kernel that refuses it is no error: load->btf_fd stays 0 and btf_problem says why. */
int ebpf_load_types(struct ebpf_load *load, struct ebpf_error *err);
/* For ebpf_core_set_local_ids: `context` is the struct ebpf_load. */
int64_t ebpf_load_local_type(void *context, uint32_t local_id);

/* -- context.c -- */

/* Adds types for parameters that are the context, where the kernel does not know the tag. */
int ebpf_load_context_types(struct ebpf_load *load, struct ebpf_load_function *lf, struct ebpf_error *err);
/* Of a function in a program of that type. */
uint32_t ebpf_load_function_type(const struct ebpf_load_function *lf, uint32_t program_type);

/* -- maps.c -- */

bool ebpf_load_is_data(const struct ebpf_map_spec *spec);        /* .data, .rodata, .bss, .kconfig */
int ebpf_load_maps(struct ebpf_load *load, struct ebpf_error *err);
/* arena.c: maps an arena, which its programs need (their addresses are those of user space), and puts its variables there. */
int ebpf_load_arena(struct ebpf_load *load, struct ebpf_map_spec *spec, struct ebpf_load_map *map, struct ebpf_error *err);
/* Initial elements that are maps or programs, when all of these are there. */
int ebpf_load_values(struct ebpf_load *load, struct ebpf_error *err);
void ebpf_load_unpin(struct ebpf_load *load);                    /* what this load has pinned */
/* The map that the caller gives for a map of the Spec, or NULL. */
struct ebpf_map *ebpf_load_given(const struct ebpf_load *load, size_t index);
/* Fills map->constants with the bytes of a section. */
int ebpf_load_keep_constants(struct ebpf_load_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err);
/* map_count when it is not the Spec's. */
size_t ebpf_load_map_index(const struct ebpf_load *load, const struct ebpf_map_spec *map);

/* -- externs.c, kconfig.c -- */

size_t ebpf_load_extern_index(const struct ebpf_load *load, const struct ebpf_extern *external);
int ebpf_load_externs(struct ebpf_load *load, struct ebpf_error *err);
/* The types that `btf_fd` stands for: 0 = vmlinux, else a module whose descriptor ebpf_kernel_find_type gave. Borrowed. */
struct ebpf_btf *ebpf_load_types_behind(struct ebpf_load *load, int btf_fd, struct ebpf_error *err);
/* Fills `data` (`size` zero bytes) with the values of all used externs of kind KCONFIG. */
int ebpf_load_kconfig(struct ebpf_load *load, uint8_t *data, size_t size, struct ebpf_error *err);

/* -- struct_ops.c: its part of each stage -- */

/* Whether the program loads by itself: instead of autoload. */
bool ebpf_load_struct_ops_wanted(const struct ebpf_spec *spec, const struct ebpf_program_spec *program);
/* Whether all its programs are among those to be loaded. */
bool ebpf_load_struct_ops_complete(const struct ebpf_load *load, const struct ebpf_map_spec *spec);
int ebpf_load_struct_ops_map(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_load_map *map,
			     struct ebpf_error *err);
int ebpf_load_struct_ops_target(struct ebpf_load *load, const struct ebpf_program_spec *program,
				struct ebpf_program_load *request, struct ebpf_error *err);
int ebpf_load_struct_ops_value(struct ebpf_load *load, const struct ebpf_map_spec *spec, struct ebpf_map *map,
			       struct ebpf_error *err);

/* -- linker.c -- */

/* Makes load->core, when it is not there yet. */
int ebpf_load_core(struct ebpf_load *load, struct ebpf_error *err);
/* After it, load->order and starts are those of `program`. */
int ebpf_load_link(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_linked *out,
		   struct ebpf_error *err);
void ebpf_linked_free(struct ebpf_linked *linked);
/* Replaces bpf_probe_read_kernel and its kin (5.5) by bpf_probe_read; how many there were. */
size_t ebpf_linked_old_probe_read(struct ebpf_linked *linked, bool replace);

/* -- constants.c -- */

/* In a copy of the function's code. ENOTSUP for a constant that can only be had from a map, which this kernel cannot have. */
int ebpf_load_constants(struct ebpf_load *load, const struct ebpf_function *function, struct ebpf_insn *insns,
			struct ebpf_error *err);

/* -- jumps.c -- */

/* Makes the jump tables of a function of the program that is being linked, whose code is in out->insns. */
int ebpf_load_jumps(struct ebpf_load *load, const struct ebpf_load_function *lf, struct ebpf_linked *out, struct ebpf_error *err);

/* -- targets.c: fills attach_btf_id and its descriptor where the type of program needs one -- */

int ebpf_load_target(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_program_load *request,
		     struct ebpf_error *err);

/* -- log.c -- */

/* The annotate of struct ebpf_program_load; `context` is the struct ebpf_load, the program the one linked last. */
void ebpf_load_annotate(void *context, char **log);
/* Adds object, section, source line and what to try to the error of a program that was refused. */
void ebpf_load_explain(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_error *err);
/* Adds the object to an error that does not name it. */
void ebpf_load_name_object(const struct ebpf_load *load, struct ebpf_error *err);
/* Where a wanted program uses an extern first: " (in 'f', f.c:12)"; "" when nothing is known. */
void ebpf_load_user(const struct ebpf_load *load, const struct ebpf_extern *external, char *text, size_t size);

#endif
