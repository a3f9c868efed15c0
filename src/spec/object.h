/* object.h -- an ELF object while it is being read: what the readers of this room share, and nobody else's business.
 *
 * Sections and symbols are taken out of libelf once, as numbers that have been checked; bytes are only reached through spans of the
 * file. Everything here lives until the object has been read and dies with `memory`; what the Spec keeps is copied into the Spec's
 * memory. Section 0 stands for "none". Messages of the readers name section, symbol, function or map; ebpf_spec_read puts the
 * object's name in front.
 */
#ifndef EBPF_SPEC_OBJECT_H
#define EBPF_SPEC_OBJECT_H

#include <elf.h>

#include "spec/spec.h"

#ifndef EM_BPF
#define EM_BPF 247
#endif

enum ebpf_section_role {
	EBPF_ROLE_OTHER, /* nothing of ours */
	EBPF_ROLE_CODE,
	EBPF_ROLE_MAPS,       /* .maps */
	EBPF_ROLE_LEGACY_MAPS, /* maps, maps/... */
	EBPF_ROLE_DATA,       /* .data, .data.* */
	EBPF_ROLE_RODATA,     /* .rodata, .rodata.* */
	EBPF_ROLE_BSS,        /* .bss, .bss.* */
	EBPF_ROLE_STRUCT_OPS, /* .struct_ops, .struct_ops.link, each also with a '?' in front */
	EBPF_ROLE_ARENA,      /* .addr_space.1 */
	EBPF_ROLE_JUMPTABLES, /* .jumptables */
};
struct ebpf_object_section {
	const char *name; /* in the Spec's memory */
	enum ebpf_section_role role;
	uint32_t type, link, info;
	uint64_t flags, size, entry_size, alignment;
	struct ebpf_span bytes;    /* empty when the section has none in the file (NOBITS) */
	uint32_t relocations;      /* the section with its relocations, or 0 */
	uint32_t datasec;          /* its DATASEC in the BTF, or 0 */
	struct ebpf_map_spec *map; /* of a data section or an arena's */
	size_t first_piece, piece_count;
};
struct ebpf_object_symbol {
	const char *name; /* in the Spec's memory; "" when it has none */
	uint8_t type, bind, visibility;
	uint16_t section;
	uint64_t value, size;
	struct ebpf_extern *external;
};
/* A function's place in the object. Sorted by section and offset; aliases come after the one whose content they share. */
struct ebpf_object_piece {
	uint32_t section, symbol;
	uint64_t offset, size;
	struct ebpf_function *function;
	struct ebpf_program_spec *program; /* or NULL: a subprogram */
	bool alias;
};
/* A variable that describes a map; sorted by section and offset once all are known. */
struct ebpf_object_map {
	uint32_t section;
	uint64_t offset, size;
	struct ebpf_map_spec *map;
	uint32_t type_id; /* of its definition: a struct; 0 in the old form */
	uint32_t id, inner_id, inner_index; /* of iproute2's form; else 0 */
};
struct ebpf_object {
	struct ebpf_spec_impl *spec;
	const char *prefix; /* of the names of data sections' maps */
	struct ebpf_span file;
	struct ebpf_spec_memory memory;
	struct ebpf_object_section *sections;
	uint32_t section_count;
	struct ebpf_object_symbol *symbols;
	uint32_t symbol_count;
	struct ebpf_object_piece *pieces;
	size_t piece_count;
	struct ebpf_object_map *maps;
	size_t map_count, map_capacity; /* of .maps and struct_ops sections; malloc'ed */
	struct ebpf_table variables;    /* name -> symbol: global STT_OBJECT */
	struct ebpf_btf_ext ext;
	uint32_t *first_tag, *next_tag; /* [type id]: DECL_TAGs about a type; NULL when there are none */
	uint32_t btf_section, ext_section, license_section, version_section, maps_section, arena_section;
};
struct ebpf_relocation {
	uint64_t offset; /* in its section */
	const struct ebpf_object_symbol *symbol;
};

/* elf.c */
uint8_t *ebpf_object_copy(struct ebpf_span bytes, uint64_t offset, size_t size); /* malloc'ed; NULL when out of memory */
int ebpf_object_open(struct ebpf_object *object, struct ebpf_error *err);
void ebpf_object_close(struct ebpf_object *object);
void *ebpf_object_alloc(struct ebpf_object *object, size_t count, size_t size); /* zeroed, temporary */
int ebpf_object_fail_memory(const struct ebpf_object *object, struct ebpf_error *err);
/* A section's relocations, sorted by offset; none is fine. Temporary memory. */
int ebpf_object_relocations(struct ebpf_object *object, uint32_t section, struct ebpf_relocation **out, size_t *count,
                            struct ebpf_error *err);
/* What a symbol is called in messages: its name, or the section that it stands for. */
const char *ebpf_object_symbol_name(const struct ebpf_object *object, const struct ebpf_object_symbol *symbol);
/* The global variable `name` that lies in `section`, or NULL. */
const struct ebpf_object_symbol *ebpf_object_variable(struct ebpf_object *object, const char *name, uint32_t section);
bool ebpf_object_symbol_is_global(const struct ebpf_object_symbol *symbol);  /* global or weak */
bool ebpf_object_symbol_is_visible(const struct ebpf_object_symbol *symbol); /* and not hidden */

/* tags.c */
int ebpf_object_read_tags(struct ebpf_object *object, struct ebpf_error *err);
/* The tags of a FUNC or VAR, in the Spec's memory; NULL and 0 when there are none. */
int ebpf_object_tags(struct ebpf_object *object, uint32_t type_id, const char *const **out, size_t *out_count, struct ebpf_error *err);
/* Bits: the parameters of a FUNC that are tagged arg:ctx. */
uint32_t ebpf_object_context_params(struct ebpf_object *object, uint32_t type_id);

/* functions.c */
int ebpf_object_read_functions(struct ebpf_object *object, struct ebpf_error *err);
int ebpf_object_read_records(struct ebpf_object *object, struct ebpf_error *err); /* .BTF.ext */
/* The function and the source line at an offset of a code section, for messages: " (in 'f', f.c:12)". False when no function is there. */
bool ebpf_object_describe(struct ebpf_object *object, uint32_t section, uint64_t offset, char *text, size_t size);
/* The function that begins there, or NULL. */
struct ebpf_object_piece *ebpf_object_find_piece(struct ebpf_object *object, uint32_t section, uint64_t offset);

/* maps.c: .maps; the values of maps, which need all maps and programs, come second */
int ebpf_object_read_maps(struct ebpf_object *object, struct ebpf_error *err);
int ebpf_object_read_map_values(struct ebpf_object *object, struct ebpf_error *err);
/* Remembers where a map's variable lies, for relocations. */
int ebpf_object_place_map(struct ebpf_object *object, struct ebpf_map_spec *map, uint32_t section, uint64_t offset, uint64_t size,
                          uint32_t type_id, struct ebpf_error *err);
/* The map whose variable covers an offset of a section, or NULL; ebpf_object_sort_maps comes before. */
int ebpf_object_sort_maps(struct ebpf_object *object, struct ebpf_error *err);
struct ebpf_object_map *ebpf_object_find_map(struct ebpf_object *object, uint32_t section, uint64_t offset);
/* Appends to map->values; *capacity is the caller's, zero at first. */
int ebpf_object_add_value(struct ebpf_object *object, struct ebpf_map_spec *map, uint32_t *capacity, uint32_t index,
                          const char *name, struct ebpf_error *err);

/* legacy.c: maps in the old form; what their ids connect comes when all maps and programs are known */
bool ebpf_object_is_legacy_maps(const char *section);
int ebpf_object_read_legacy_maps(struct ebpf_object *object, struct ebpf_error *err);
int ebpf_object_connect_legacy_maps(struct ebpf_object *object, struct ebpf_error *err);

/* data.c: data sections, .kconfig's map, arenas, variables */
int ebpf_object_read_data(struct ebpf_object *object, struct ebpf_error *err);
/* A section's DATASEC in the BTF; false when there is none. */
bool ebpf_object_find_datasec(struct ebpf_object *object, const char *section, struct ebpf_type *out);
int ebpf_object_read_kconfig_map(struct ebpf_object *object, struct ebpf_error *err);
int ebpf_object_read_arena(struct ebpf_object *object, struct ebpf_error *err);

/* struct_ops.c */
int ebpf_object_read_struct_ops(struct ebpf_object *object, struct ebpf_error *err);
int ebpf_object_read_struct_ops_members(struct ebpf_object *object, struct ebpf_error *err);

/* externs.c */
int ebpf_object_read_externs(struct ebpf_object *object, struct ebpf_error *err);

/* relocate.c */
int ebpf_object_relocate(struct ebpf_object *object, struct ebpf_error *err);

#endif
