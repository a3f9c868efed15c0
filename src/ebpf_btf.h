/* ebpf_btf.h -- the part of the public interface that is about types: BTF is read, built, written, printed; values by type. Included by ebpf.h, whose
 * conventions hold here too.
 */
#ifndef EBPF_EBPF_BTF_H
#define EBPF_EBPF_BTF_H

#ifndef EBPF_EBPF_H
#error "include ebpf.h"
#endif

/* A read-only set of types: raw BTF or an ELF file's .BTF, possibly split on a base. Reference-counted. */
struct ebpf_btf;

EBPF_API struct ebpf_btf *ebpf_btf_ref(struct ebpf_btf *btf);
EBPF_API void ebpf_btf_free(struct ebpf_btf *btf);
/* Copies `data`. `base` may be NULL; it is referenced. */
EBPF_API int ebpf_btf_read(const void *data, size_t size, struct ebpf_btf *base, struct ebpf_btf **out,
			   struct ebpf_error *err);
/* A raw BTF file or an ELF file with a .BTF section; one that has .BTF.base as well (a module built apart from its kernel, 6.11) is put
 * on `base`. */
EBPF_API int ebpf_btf_read_file(const char *path, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err);
/* The running kernel's vmlinux types, borrowed from the context. NULL (ENOTSUP) on a kernel without BTF. */
EBPF_API struct ebpf_btf *ebpf_kernel_btf(struct ebpf_kernel *kernel, struct ebpf_error *err);
/* A kernel module's types, split on vmlinux's; borrowed from the context. ENOENT when no such module with types is loaded. 5.11. */
EBPF_API struct ebpf_btf *ebpf_kernel_btf_of_module(struct ebpf_kernel *kernel, const char *module, struct ebpf_error *err);
/* Number of types including void and the base's: ids run from 1 to count - 1. */
EBPF_API uint32_t ebpf_btf_count(const struct ebpf_btf *btf);
EBPF_API uint32_t ebpf_btf_first_id(const struct ebpf_btf *btf);     /* of its own types: 1, or the base's count */
EBPF_API struct ebpf_btf *ebpf_btf_base(const struct ebpf_btf *btf); /* borrowed, or NULL */
EBPF_API bool ebpf_btf_big_endian(const struct ebpf_btf *btf);       /* the byte order of its bytes */
EBPF_API int ebpf_btf_pointer_size(const struct ebpf_btf *btf);      /* 8, or 4 when the types say so */
/* The raw bytes, header included: of split BTF without its base. They live as long as `btf`. */
EBPF_API const void *ebpf_btf_data(const struct ebpf_btf *btf, size_t *size);
/* A string by its offset, the base's strings first; "" when out of range. */
EBPF_API const char *ebpf_btf_string(const struct ebpf_btf *btf, uint32_t offset);
/* The offset behind the last string, and of the first own one. */
EBPF_API void ebpf_btf_string_range(const struct ebpf_btf *btf, uint32_t *first, uint32_t *end);
/* The id of a type by C name: "struct event", "union u", "enum e", or a bare name of any named type
 * ("event_t", "int"); -ENOENT when there is none. */
EBPF_API int64_t ebpf_btf_find(const struct ebpf_btf *btf, const char *name);
/* First type of this exact name (without "struct") and kind (0 = any that is known, but no tags), own types before the base's; -ENOENT. */
EBPF_API int64_t ebpf_btf_find_kind(const struct ebpf_btf *btf, const char *name, uint32_t kind);
/* ebpf_btf_find, or with a kind ebpf_btf_find_kind, with an error that names what is not there. */
EBPF_API int64_t ebpf_btf_lookup(const struct ebpf_btf *btf, const char *name, uint32_t kind, struct ebpf_error *err);
/* The next of the own types with this exact name and kind after id `after` (0 = from the start); 0 at the end. Kind 0: any that is known
 * but tags, functions, variables and sections last. */
EBPF_API uint32_t ebpf_btf_next_named(const struct ebpf_btf *btf, const char *name, uint32_t kind, uint32_t after);
/* Size in bytes of a type, through typedefs and qualifiers, of a variable that of its type; -EINVAL for one without a size, -E2BIG for
 * 4 GiB and more. */
EBPF_API int64_t ebpf_btf_sizeof(const struct ebpf_btf *btf, uint32_t id);
/* The same with an error that names the type. */
EBPF_API int64_t ebpf_btf_size(const struct ebpf_btf *btf, uint32_t id, struct ebpf_error *err);
/* Through const, volatile, restrict, type_tag (and, with resolve, typedef): the id behind; 0 when the chain is absurdly long. */
EBPF_API uint32_t ebpf_btf_skip_modifiers(const struct ebpf_btf *btf, uint32_t id);
EBPF_API uint32_t ebpf_btf_resolve(const struct ebpf_btf *btf, uint32_t id);
/* Where a member lies: "a.b[2].c", anonymous structs and unions looked through, as offsetof in C; `bits` gets the whole offset in bits,
 * `bit_size` 0 but for a bit field, `type` the member's type. ENOENT names a member that is not there, EINVAL a step that cannot be
 * taken. */
EBPF_API int ebpf_btf_offsetof(const struct ebpf_btf *btf, uint32_t id, const char *path, uint64_t *bits, uint32_t *bit_size, uint32_t *type,
			       struct ebpf_error *err);
/* A type's name as in C, without its body: "struct event", "const char *", "u32[4]", "struct {...}"; for people. As snprintf. */
EBPF_API int ebpf_btf_print_name(const struct ebpf_btf *btf, uint32_t id, char *text, size_t size);

/* One type, and its parts: small views by value. A type of another kind, or an index that is not below vlen, gives zeros and the name "".
 * Ids of types are below the count always; cycles are possible. Strings belong to the BTF. */
struct ebpf_type {
	uint32_t id;
	uint8_t kind;  /* 0 = void */
	bool kind_flag;
	uint32_t vlen; /* number of parts; 24 bits: newer kernels (7.1) widened it from 16, with bits that were always zero before */
	union {
		uint32_t size; /* INT, STRUCT, UNION, ENUM, ENUM64, DATASEC, FLOAT */
		uint32_t type; /* PTR, TYPEDEF, qualifiers, FUNC, FUNC_PROTO (return), VAR, DECL_TAG, TYPE_TAG */
	};
	const char *name;           /* "" when anonymous */
	uint32_t extra;             /* internal */
	const struct ebpf_btf *btf; /* the one (base or split) that holds the bytes */
};
struct ebpf_member {
	const char *name;
	uint32_t type, bit_offset;
	uint32_t bit_size; /* 0 = not a bit field; both encodings of bit fields come out alike */
};
struct ebpf_btf_array {
	uint32_t element, index, count;
};
struct ebpf_param {
	const char *name;
	uint32_t type;
};
/* is_signed: only compilers since Linux 6.0's time say so (clang 15, pahole 1.24). Of a 32-bit enum without it the
 * value is zero-extended, even where the C source had a negative one; (int32_t)value is what there was. */
struct ebpf_btf_enum {
	const char *name;
	int64_t value;
	bool is_signed;
};
struct ebpf_secinfo {
	uint32_t type, offset, size;
};
/* False for an id out of range. */
EBPF_API bool ebpf_btf_type(const struct ebpf_btf *btf, uint32_t id, struct ebpf_type *out);
EBPF_API struct ebpf_member ebpf_type_member(const struct ebpf_type *type, uint32_t index);
EBPF_API struct ebpf_btf_array ebpf_type_array(const struct ebpf_type *type);
EBPF_API struct ebpf_param ebpf_type_param(const struct ebpf_type *type, uint32_t index);
EBPF_API struct ebpf_btf_enum ebpf_type_enumerator(const struct ebpf_type *type, uint32_t index); /* ENUM and ENUM64 */
EBPF_API struct ebpf_secinfo ebpf_type_secinfo(const struct ebpf_type *type, uint32_t index);
/* INT: encoding (1 signed, 2 char, 4 bool), bit offset, bits. */
EBPF_API void ebpf_type_int(const struct ebpf_type *type, uint32_t *encoding, uint32_t *offset, uint32_t *bits);
EBPF_API uint32_t ebpf_type_linkage(const struct ebpf_type *type);  /* VAR and FUNC: 0 static, 1 global, 2 extern */
EBPF_API int32_t ebpf_type_component(const struct ebpf_type *type); /* DECL_TAG: -1 = the whole */
/* The next DECL_TAG about type `id`, after tag `after` (0 = from the start); 0 at the end. */
EBPF_API uint32_t ebpf_btf_next_tag(const struct ebpf_btf *btf, uint32_t id, uint32_t after);

/* A BTF in the making: types copied out of others, or made by hand. `base` may be NULL; it is referenced, and what is built is then split
 * BTF on it. `lacks` is what the kernel that will read it does not know: such kinds are replaced, with sizes and offsets kept. */
enum {
	EBPF_BTF_NO_FUNC = 1 << 0,        /* before 5.0: FUNC, FUNC_PROTO (replaced by typedef, enum) */
	EBPF_BTF_NO_DATASEC = 1 << 1,     /* before 5.2: DATASEC, VAR (struct, int) */
	EBPF_BTF_NO_GLOBAL_FUNC = 1 << 2, /* before 5.6: linkage static */
	EBPF_BTF_NO_FLOAT = 1 << 3,       /* before 5.13 (struct) */
	EBPF_BTF_NO_DECL_TAG = 1 << 4,    /* before 5.16 (int); implied by NO_FUNC and NO_DATASEC */
	EBPF_BTF_NO_TYPE_TAG = 1 << 5,    /* before 5.17 (const) */
	EBPF_BTF_NO_ENUM64 = 1 << 6,      /* before 6.0 (union); enums without signedness */
	EBPF_BTF_FOR_KERNEL = 1 << 7,     /* what none takes: extern linkage, '?' in the names of sections, no types at all */
};
/* The bit of a name: "func", "datasec", "global_func", "float", "decl_tag", "type_tag", "enum64"; 0 for an unknown one. */
EBPF_API uint32_t ebpf_btf_lacks(const char *name);
struct ebpf_btf_builder;
EBPF_API struct ebpf_btf_builder *ebpf_btf_builder_new(struct ebpf_btf *base, uint32_t lacks);
EBPF_API void ebpf_btf_builder_free(struct ebpf_btf_builder *builder);
/* Copies a type and everything it needs, and the DECL_TAGs about those; the same (btf, id) gives the same new id
 * each time, those of the base stay as they are. Returns the new id. */
EBPF_API int64_t ebpf_btf_builder_add(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id, struct ebpf_error *err);
/* Copies all types, in their order (those of its base as well, unless that is the builder's base). Returns the first new id. */
EBPF_API int64_t ebpf_btf_builder_add_all(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, struct ebpf_error *err);
/* Offset of a string, for line info; each is there once. -ENOMEM, -E2BIG. */
EBPF_API int64_t ebpf_btf_builder_string(struct ebpf_btf_builder *builder, const char *text);
/* A type by hand. What its kind has no use for is not looked at. */
struct ebpf_btf_part {         /* a member, parameter, enumerator, or entry of a section */
	const char *name;
	uint32_t type;
	uint32_t offset;       /* member: bits; entry: bytes */
	uint32_t size;         /* member: bits of a bit field, else 0; entry: bytes */
	int64_t value;         /* enumerator */
};
struct ebpf_btf_description {
	size_t size_of;        /* sizeof(struct ebpf_btf_description) */
	uint32_t kind;
	uint32_t id;           /* 0, or one from ebpf_btf_builder_reserve */
	const char *name;      /* NULL = "" */
	uint32_t size;         /* bytes: INT, FLOAT, STRUCT, UNION, ENUM, ENUM64, DATASEC */
	uint32_t type;         /* what it refers to; may be an id that is yet to come. ARRAY: of its elements; FUNC_PROTO: what it returns */
	uint32_t index, count; /* ARRAY */
	uint32_t encoding, bits, bit_offset; /* INT: 1 signed, 2 char, 4 bool; bits 0 = all */
	uint32_t linkage;      /* FUNC, VAR: 0 static, 1 global, 2 extern */
	int32_t component;     /* DECL_TAG: -1 = the whole */
	bool flag;             /* FWD: of a union; ENUM, ENUM64: signed; DECL_TAG, TYPE_TAG: an attribute (6.15) */
	const struct ebpf_btf_part *parts;
	uint32_t part_count;
};
/* Returns the id. EINVAL for what the kernel would not take of any such type (a name that is no identifier, a member outside of its
 * struct, ...), ERANGE for a value that does not fit; messages name the type. */
EBPF_API int64_t ebpf_btf_builder_add_type(struct ebpf_btf_builder *builder, const struct ebpf_btf_description *type, struct ebpf_error *err);
/* A type by what a person calls it, as ebpf_layout_from_name reads it: "u32", "char[16]", "struct flow[4]" of `btf` (or NULL),
 * which is copied. */
EBPF_API int64_t ebpf_btf_builder_add_named(struct ebpf_btf_builder *builder, const char *name, const struct ebpf_btf *btf,
					    struct ebpf_error *err);
/* An id for a type that is added later: for structs that refer to each other. */
EBPF_API int64_t ebpf_btf_builder_reserve(struct ebpf_btf_builder *builder, struct ebpf_error *err);
/* The finished bytes in host byte order, malloc'ed, or read back. EINVAL when a type refers to one that is not there. */
EBPF_API int ebpf_btf_builder_finish(struct ebpf_btf_builder *builder, void **data, size_t *size, struct ebpf_error *err);
EBPF_API int ebpf_btf_builder_read(struct ebpf_btf_builder *builder, struct ebpf_btf **out, struct ebpf_error *err);
/* The bytes of a BTF, malloc'ed, in this byte order and without what somebody lacks. Types keep their ids. */
EBPF_API int ebpf_btf_write(const struct ebpf_btf *btf, uint32_t lacks, bool big_endian, void **data, size_t *size, struct ebpf_error *err);

/* Each type once: the types of several compilation units or joined objects without what they say alike, forward declarations replaced by
 * the struct that they declare. Split BTF is compared with its base too. Variables and sections stay. ELOOP for a type that leads back to
 * itself without a struct, E2BIG where telling types apart would take for ever. */
EBPF_API int ebpf_btf_dedup(const struct ebpf_btf *btf, struct ebpf_btf **out, struct ebpf_error *err);

/* Split BTF for kernels whose base is not known yet, as of modules that are built apart from them (6.11). Distilling gives a small base,
 * which has of each type that is referred to its name, kind and size alone, and split BTF on it; relocating puts such split BTF onto a
 * whole base again. ENOENT names a type that the base does not have, or not with that size; EEXIST one that it has several times. Host
 * byte order (ENOTSUP). */
EBPF_API int ebpf_btf_distill(const struct ebpf_btf *split, struct ebpf_btf **base, struct ebpf_btf **distilled, struct ebpf_error *err);
EBPF_API int ebpf_btf_relocate(const struct ebpf_btf *distilled, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err);

/* BTF objects in the kernel: vmlinux, its modules, and what programs and maps were loaded with. 4.18; listing needs CAP_SYS_ADMIN. */
struct ebpf_btf_info {
	uint32_t id, size;     /* bytes */
	bool is_kernel;        /* vmlinux or a module; 5.11 */
	char name[64];         /* "vmlinux", the module's, or "" */
};
/* The one with the least id above `after`: 1, or 0 when there is none. */
EBPF_API int ebpf_kernel_btf_next(struct ebpf_kernel *kernel, uint32_t after, struct ebpf_btf_info *info, struct ebpf_error *err);
/* The types of one by its id: a new reference. Those of a module are split on vmlinux. */
EBPF_API int ebpf_kernel_btf_by_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_btf **out, struct ebpf_error *err);
/* Loads types into the kernel, which checks them; kinds that it lacks are replaced. EINVAL comes with the kernel's log. They stay as long
 * as the object, or a program or map that was made with it. */
struct ebpf_btf_object;
EBPF_API int ebpf_btf_load(struct ebpf_kernel *kernel, const struct ebpf_btf *btf, struct ebpf_btf_object **out, struct ebpf_error *err);
EBPF_API void ebpf_btf_object_close(struct ebpf_btf_object *object);
EBPF_API int ebpf_btf_object_fd(const struct ebpf_btf_object *object);
EBPF_API int ebpf_btf_object_info(const struct ebpf_btf_object *object, struct ebpf_btf_info *info, struct ebpf_error *err);

/* Takes `size` bytes of text (no NUL behind); a negative result ends the printing, which returns it. */
typedef int (*ebpf_write_fn)(void *context, const char *text, size_t size);
struct ebpf_print_options {
	size_t size;
	const uint32_t *types; /* these and what they need; without any (type_count 0): all, those of a base too */
	size_t type_count;
	bool header;    /* with an include guard, and the pragma by which clang records accesses for CO-RE */
	bool sort;      /* all types by name, not by id, as bpftool does since 7.5 */
	bool functions; /* then the prototypes of kernel functions for BPF programs (of types by pahole 1.26), as bpftool does since 7.5 */
};
/* Types as C that compiles, each after what it needs, laid out as they are: what `bpftool btf dump format c` prints. Names that occur
 * twice get "___2" and so on. `options` may be NULL. ELOOP for a type that contains itself; E2BIG for types that unfold beyond all
 * proportion. What was printed before a failure has been handed to `write`. */
EBPF_API int ebpf_btf_print_c(const struct ebpf_btf *btf, const struct ebpf_print_options *options, ebpf_write_fn write, void *context,
			      struct ebpf_error *err);
/* One declaration, without those that it needs: "int (*name)(void *)"; of a function its prototype, of a variable its type. `name` may
 * be "". */
EBPF_API int ebpf_btf_print_declaration(const struct ebpf_btf *btf, uint32_t id, const char *name, ebpf_write_fn write, void *context,
					struct ebpf_error *err);
/* One line for each type (of `ids`, or all of its own for a count of 0) and each of its parts, as `bpftool btf dump format raw`; or as its
 * --json: one object { "types": [...] }. */
EBPF_API int ebpf_btf_print_raw(const struct ebpf_btf *btf, const uint32_t *ids, size_t count, bool json, ebpf_write_fn write,
				void *context, struct ebpf_error *err);

/* How bytes of a type are laid out: a tree, made once per type and walked for each value. It holds copies of
 * all names, so it outlives the BTF that it was made from. Nodes belong to the root; a type that occurs twice may be one node that
 * is referred to twice. All that a node covers lies inside of its parent, no node contains itself, the depth is at most 33, and
 * decoding a value of n bytes meets at most 2^20 + 16 n nodes, however hostile the types: a walk needs no bounds of its own. */
enum ebpf_value_kind {
	EBPF_VALUE_INT,    /* size 1, 2, 4, 8 (or a bit field); is_signed */
	EBPF_VALUE_BOOL,   /* size 1, 2, 4, 8 */
	EBPF_VALUE_FLOAT,  /* size 4, 8 */
	EBPF_VALUE_ENUM,   /* as INT; names in `enumerators` */
	EBPF_VALUE_POINTER,/* as an unsigned INT of 8 bytes (4 in the types of a 32-bit kernel) */
	EBPF_VALUE_STRING, /* char[N]: bytes up to the first NUL; count = size = N */
	EBPF_VALUE_ARRAY,  /* `count` elements of `element`; 0 of a flexible array */
	EBPF_VALUE_STRUCT, /* fields; members of anonymous structs are lifted into it */
	EBPF_VALUE_UNION,  /* fields that share bytes */
	EBPF_VALUE_BYTES,  /* opaque bytes: long doubles, incomplete types */
	EBPF_VALUE_INT128, /* 16 bytes; is_signed */
};
enum ebpf_order { EBPF_ORDER_LITTLE = 1, EBPF_ORDER_BIG };
struct ebpf_layout;
struct ebpf_field {
	const char *name;
	const struct ebpf_layout *layout;
	uint32_t offset;   /* bytes from the start of the enclosing struct */
	uint8_t bit_offset;/* of a bit field, 0..7 from `offset`: from the least significant bit up, in big-endian data from the most significant down */
	uint8_t bit_size;  /* 0 = not a bit field */
};
struct ebpf_enumerator {
	const char *name;
	int64_t value;
};
struct ebpf_layout {
	enum ebpf_value_kind kind;
	uint32_t size;     /* bytes, padding included */
	bool is_signed;
	bool is_swapped;   /* its data is in the other byte order than the host's, as the BTF was that it is from */
	uint8_t order;     /* of an integer called __be16 .. __be64 or __le16 .. __le64: EBPF_ORDER_BIG or _LITTLE; else 0 */
	const char *name;  /* as in C: "struct event", "u32", "char[16]"; "" for an anonymous type */
	uint32_t count;    /* fields, array elements or enumerators */
	union {
		const struct ebpf_field *fields;
		const struct ebpf_layout *element;
		const struct ebpf_enumerator *enumerators;
	};
	uint32_t id;       /* dense number of this node within its root, from 0: for tables kept beside it */
	uint32_t node_count; /* in the root: how many nodes there are */
};
/* Of a variable, that of its type; of a data section, a struct of its variables. Its data is in the byte order of the BTF. Fails with EINVAL for a type
 * without a size or one whose members lie outside of it, E2BIG for one nested or repeated beyond reason. */
EBPF_API struct ebpf_layout *ebpf_layout_from_btf(const struct ebpf_btf *btf, uint32_t type_id, struct ebpf_error *err);
/* "u8".."u64", "s8".."s64" ("i8".."i64" alike), "int", "unsigned int", "long", "bool", "char", "float", "double", "char[16]", "u32[4][2]",
 * "ptr", "void *" (any name with a star), "bytes[N]"; with `btf` not NULL any C name of it as well, and data in its byte order. ENOENT for a name that is
 * not known. */
EBPF_API struct ebpf_layout *ebpf_layout_from_name(const char *name, const struct ebpf_btf *btf, struct ebpf_error *err);
/* A new root that is the same, but for integers of the types __be16 .. __be64 and __le16 .. __le64, which are taken in the order that these names say,
 * whatever the rest is in: a __be16 that holds port 443 is 443. Bit fields stay as they are. NULL with ENOMEM. */
EBPF_API struct ebpf_layout *ebpf_layout_with_orders(const struct ebpf_layout *layout, struct ebpf_error *err);
/* Counted references to a root: each needs one _free. */
EBPF_API struct ebpf_layout *ebpf_layout_ref(const struct ebpf_layout *layout);
EBPF_API void ebpf_layout_free(struct ebpf_layout *layout);
/* Whether values of the two look the same: the same names, sizes and places, all the way down. */
EBPF_API bool ebpf_layout_equal(const struct ebpf_layout *layout, const struct ebpf_layout *other);
/* The bytes that a record of this type has at least: of a struct that ends with a string or an array, flexible or not (or several in the same place),
 * those before it, since programs send no more of it than they have filled; otherwise all. */
EBPF_API uint32_t ebpf_layout_least(const struct ebpf_layout *layout);
/* An integer, bit field, bool (0 or 1), enum or pointer out of `data` (any alignment), sign- or zero-extended. `layout` is the value's
 * own: field->layout for a member. */
EBPF_API int64_t ebpf_layout_get_int(const struct ebpf_layout *layout, const struct ebpf_field *field, const void *data);
/* The reverse; ERANGE when the value does not fit, EINVAL for a layout that is no integer. `field` is NULL for a value that is not a member;
 * otherwise `data` is the start of the enclosing struct. */
EBPF_API int ebpf_layout_set_int(const struct ebpf_layout *layout, const struct ebpf_field *field, void *data, int64_t value);
/* Copies the layout->size bytes of a value that is neither struct, union nor array from its data's byte order into the host's, or back: floats and 128-bit
 * integers are read and written with it. Strings and opaque bytes have no order. `from` and `to` are not the same. */
EBPF_API void ebpf_layout_reorder(const struct ebpf_layout *layout, const void *from, void *to);

/* How a value is written. All zero: over several lines, with the names of members, without members that are zero. */
struct ebpf_value_options {
	size_t size;
	bool compact;        /* on one line */
	bool skip_names;     /* no names of members (and, typed, no types): by position */
	bool emit_zeroes;    /* members that are zero as well */
	bool emit_strings;   /* arrays of char as "text" */
	bool typed;          /* "(struct event){.pid = (int)1,}", arrays in [ ]: as libbpf and the kernel (bpf_snprintf_btf) write it, with their
				omissions; otherwise a C initializer, "{ .pid = 1 }", which keeps every bit but padding */
	uint32_t indent_level; /* what each line begins with: so many indents, and one more for each level */
	const char *indent;  /* NULL = a tab */
};
/* Writes the value that `data` (in the byte order of the BTF) holds, of any type with a size, of a variable or of a data section. Data beyond the
 * type is ignored; of data that ends before, what is there is written, whole values only, and the result is -E2BIG. `options` may be
 * NULL. */
EBPF_API int ebpf_value_print(const struct ebpf_btf *btf, uint32_t id, const void *data, size_t data_size,
			      const struct ebpf_value_options *options, ebpf_write_fn write, void *context, struct ebpf_error *err);
/* Reads what ebpf_value_print writes (but for typed variables and sections), and what C has as initializers: designators (".a.b[2] =",
 * "[0 ... 3] ="), positions, numbers of all bases, characters, strings, enumerators, "A | B", true, false, NULL; casts are passed over.
 * `data` (of the type's size) is zeroed and filled, in the byte order of the BTF. EINVAL and ERANGE name line and column, as does ENOENT for an
 * unknown member or enumerator; then `data` holds nothing of use. */
EBPF_API int ebpf_value_parse(const struct ebpf_btf *btf, uint32_t id, const char *text, void *data, size_t data_size,
			      struct ebpf_error *err);

#endif
