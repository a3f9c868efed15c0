/* Externs: what the object needs from the kernel. Undefined symbols, told apart by the DATASEC of the BTF that lists them. */
#include <stdlib.h>

#include "spec/object.h"

/* Names that .kconfig and .ksyms list -> type, with the section in the upper half. */
enum { in_kconfig = 1, in_ksyms = 2 };

static int list_datasec(struct ebpf_object *object, const char *section, uint64_t which, struct ebpf_table *names,
                        struct ebpf_error *err)
{
	struct ebpf_type datasec, type;

	if (!ebpf_object_find_datasec(object, section, &datasec))
		return 0;
	for (uint32_t i = 0; i < datasec.vlen; i++) {
		uint32_t id = ebpf_type_secinfo(&datasec, i).type;

		if (!ebpf_btf_type(object->spec->public.btf, id, &type) ||
		    (type.kind != BTF_KIND_VAR && type.kind != BTF_KIND_FUNC) || !*type.name)
			return ebpf_fail(err, EINVAL, "section '%s': type %u of its DATASEC is neither a variable nor a function",
			                 section, id);
		/* GCC 12 calls them global; what counts is the symbol, which is not defined */
		if (ebpf_type_linkage(&type) != BTF_VAR_EXTERN && ebpf_type_linkage(&type) != BTF_VAR_GLOBAL)
			return ebpf_fail(err, EINVAL, "section '%s': '%s' is not declared extern", section, type.name);
		if (strlen(type.name) > 4095)
			return ebpf_fail(err, EINVAL, "section '%s': a name is longer than 4095 bytes", section);
		if (ebpf_table_set(names, type.name, which << 32 | id))
			return ebpf_fail_memory(err);
	}
	return 0;
}

/* -- .kconfig -- */

static bool is_tristate(const struct ebpf_type *type)
{
	return (type->kind == BTF_KIND_ENUM ? type->size == 4 : type->kind == BTF_KIND_ENUM64) &&
	       !strcmp(type->name, "libbpf_tristate");
}

/* Alignment of the types that a kconfig value can have, 0 for others: bool, integers, char arrays, libbpf_tristate. */
static uint32_t kconfig_alignment(const struct ebpf_btf *btf, uint32_t type_id)
{
	struct ebpf_type type;
	uint32_t encoding, offset, bits;

	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, type_id), &type))
		return 0;
	if (type.kind == BTF_KIND_ARRAY) {
		struct ebpf_btf_array array = ebpf_type_array(&type);

		if (!array.count || !ebpf_btf_type(btf, ebpf_btf_resolve(btf, array.element), &type) || type.kind != BTF_KIND_INT)
			return 0;
		ebpf_type_int(&type, &encoding, &offset, &bits);
		return type.size == 1 && !(encoding & BTF_INT_BOOL);
	}
	if (type.kind == BTF_KIND_INT) {
		ebpf_type_int(&type, &encoding, &offset, &bits);
		if ((encoding & BTF_INT_BOOL) && type.size != 1)
			return 0;
		return type.size && type.size <= 8 && !(type.size & (type.size - 1)) ? type.size : 0;
	}
	return is_tristate(&type) ? type.size : 0;
}

static int read_kconfig(struct ebpf_object *object, struct ebpf_extern *external, const struct ebpf_type *type,
                        struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	int64_t size;

	if (type->kind != BTF_KIND_VAR)
		return ebpf_fail(err, ENOTSUP, "extern '%s': a function cannot be a value of .kconfig", external->name);
	size = ebpf_btf_sizeof(btf, type->type);
	external->alignment = kconfig_alignment(btf, type->type);
	if (size <= 0 || size > INT32_MAX || !external->alignment) {
		ebpf_fail(err, ENOTSUP, "extern '%s': a value of .kconfig cannot have this type", external->name);
		ebpf_hint(err, "possible are bool, char, integers, char arrays and enum libbpf_tristate");
		return -ENOTSUP;
	}
	external->size = (uint32_t)size;
	return 0;
}

/* -- the symbols -- */

static int read_extern(struct ebpf_object *object, struct ebpf_object_symbol *symbol, uint64_t listed, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	struct ebpf_type type;
	enum ebpf_extern_kind kind = EBPF_EXTERN_KCONFIG;

	ebpf_btf_type(btf, (uint32_t)listed, &type);
	if (listed >> 32 == in_ksyms) {
		kind = EBPF_EXTERN_KFUNC;
		if (type.kind == BTF_KIND_VAR) /* `extern const void x __ksym` says no type: only an address is wanted */
			kind = ebpf_btf_resolve(btf, type.type) ? EBPF_EXTERN_KSYM_TYPED : EBPF_EXTERN_KSYM;
	}
	symbol->external = ebpf_spec_new_extern(object->spec, symbol->name, kind);
	if (!symbol->external)
		return ebpf_spec_fail_memory(object->spec, err);
	symbol->external->weak = symbol->bind == STB_WEAK;
	symbol->external->type_id = type.id;
	return kind == EBPF_EXTERN_KCONFIG ? read_kconfig(object, symbol->external, &type, err) : 0;
}

/* Where code first refers to the symbol: " (in 'f', f.c:12)"; "" when none does. */
static void find_user(struct ebpf_object *object, const struct ebpf_object_symbol *symbol, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < object->piece_count; i++) {
		const struct ebpf_object_piece *piece = &object->pieces[i];
		struct ebpf_relocation *relocations;
		size_t count;

		/* all pieces of a section share its relocations */
		if (i && object->pieces[i - 1].section == piece->section)
			continue;
		if (ebpf_object_relocations(object, piece->section, &relocations, &count, NULL))
			return;
		for (size_t r = 0; r < count; r++)
			if (relocations[r].symbol == symbol && ebpf_object_describe(object, piece->section, relocations[r].offset, text, size))
				return;
	}
}

static int fail_unknown(struct ebpf_object *object, const struct ebpf_object_symbol *symbol, struct ebpf_error *err)
{
	const char *name = symbol->name;
	char user[256];

	find_user(object, symbol, user, sizeof(user));
	if (!object->spec->public.btf) {
		ebpf_fail(err, ENOENT, "extern '%s'%s: the object has no types (BTF) that tell what it is", name, user);
		ebpf_hint(err, "compile with -g");
	} else {
		ebpf_fail(err, ENOENT, "extern '%s'%s: it is neither defined in the object nor declared __ksym or __kconfig", name, user);
		ebpf_hint(err, "link the object that defines it (bpftool gen object), or declare it with __ksym or __kconfig");
	}
	return -ENOENT;
}

/* By kind; in .kconfig by falling alignment, then size, then name, which is the order of libbpf, since the layout follows from it.
 */
static int compare_externs(const void *a, const void *b)
{
	const struct ebpf_extern *left = *(struct ebpf_extern *const *)a, *right = *(struct ebpf_extern *const *)b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->alignment != right->alignment)
		return left->alignment > right->alignment ? -1 : 1;
	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int lay_out(struct ebpf_spec_impl *spec, struct ebpf_error *err)
{
	uint64_t end = 0;

	if (spec->extern_count)
		qsort(spec->externs, spec->extern_count, sizeof(*spec->externs), compare_externs);
	for (size_t i = 0; i < spec->extern_count; i++) {
		struct ebpf_extern *external = spec->externs[i];

		if (i && !strcmp(external->name, spec->externs[i - 1]->name))
			return ebpf_fail(err, EINVAL, "extern '%s': there are two symbols of that name", external->name);
		if (external->kind != EBPF_EXTERN_KCONFIG)
			continue;
		end = (end + external->alignment - 1) / external->alignment * external->alignment;
		external->offset = (uint32_t)end;
		end += external->size;
		if (end > INT32_MAX)
			return ebpf_fail(err, E2BIG, "extern '%s': .kconfig is larger than a map's value can be", external->name);
	}
	spec->kconfig_size = (uint32_t)end;
	return 0;
}

int ebpf_object_read_externs(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_table names = {0};
	int result = list_datasec(object, ".kconfig", in_kconfig, &names, err);

	if (!result)
		result = list_datasec(object, ".ksyms", in_ksyms, &names, err);
	for (uint32_t i = 1; !result && i < object->symbol_count; i++) {
		struct ebpf_object_symbol *symbol = &object->symbols[i];
		uint64_t listed;

		if (symbol->section != SHN_UNDEF || symbol->type != STT_NOTYPE || !ebpf_object_symbol_is_global(symbol) ||
		    !*symbol->name)
			continue;
		if (ebpf_table_get(&names, symbol->name, &listed))
			result = read_extern(object, symbol, listed, err);
		else
			result = fail_unknown(object, symbol, err);
	}
	ebpf_table_free(&names);
	return result ? result : lay_out(object->spec, err);
}
