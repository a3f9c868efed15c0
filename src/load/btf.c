/* btf.c -- the types that are loaded with a collection: one BTF object with the functions of its programs, keys and
 * values of its maps, the local types whose ids its code asks for, and the source lines. The rest of the object's types
 * (most of them: what CO-RE matched against the kernel's) stays at home, which is less to verify for the kernel and
 * works on kernels that do not know every kind.
 */
#include <stdio.h>
#include <stdlib.h>

#include "load/load.h"

#define CORE_TYPE_ID_LOCAL 6
#define LOG_SIZE (64 << 10)

/* Names are checked by the kernel: C identifiers. Code that did not come from C may have others. */
static void c_name(const char *name, char out[128])
{
	size_t size = 0;

	for (; name[size] && size < 127; size++) {
		char c = name[size];
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			    (size && c >= '0' && c <= '9');

		out[size] = fine ? c : '_';
	}
	if (!size)
		out[size++] = '_';
	out[size] = '\0';
}

/* A function without a type, beside others that may have one: all must have one, or none counts. `int name(void)` will
 * do for static functions. */
static int64_t add_untyped(struct ebpf_load *load, const struct ebpf_function *function)
{
	char name[128];
	int64_t type = ebpf_btf_builder_add_int(load->builder, "int", 4, BTF_INT_SIGNED);

	if (type < 0)
		return type;
	c_name(function->name, name);
	return ebpf_btf_builder_add_func(load->builder, name, (uint32_t)type, NULL, 0, BTF_VAR_STATIC);
}

/* The same FUNC, but static: a global function that the object hides is verified with its caller, not by itself. */
static int64_t add_hidden(struct ebpf_load *load, const struct ebpf_type *func, struct ebpf_error *err)
{
	const struct ebpf_btf *btf = load->spec->btf;
	struct ebpf_param *params;
	struct ebpf_type proto;
	int64_t type = 0;

	if (!ebpf_btf_type(btf, func->type, &proto) || proto.kind != BTF_KIND_FUNC_PROTO)
		return ebpf_fail(err, EINVAL, "types: function '%s' has no prototype", func->name);
	params = calloc(proto.vlen + 1, sizeof(*params));
	if (!params)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; i < proto.vlen && type >= 0; i++) {
		params[i] = ebpf_type_param(&proto, i);
		type = params[i].type ? ebpf_btf_builder_add(load->builder, btf, params[i].type, err) : 0;
		params[i].type = (uint32_t)type;
	}
	if (type >= 0)
		type = proto.type ? ebpf_btf_builder_add(load->builder, btf, proto.type, err) : 0;
	if (type >= 0)
		type = ebpf_btf_builder_add_func(load->builder, func->name, (uint32_t)type, params, proto.vlen,
						 BTF_VAR_STATIC);
	free(params);
	return type;
}

static int add_lines(struct ebpf_load *load, struct ebpf_load_function *lf, struct ebpf_error *err)
{
	const struct ebpf_function *function = lf->function;

	int64_t head;

	lf->line_count = 0;
	if (!function->line_count || function->lines[0].insn > 0) {
		head = ebpf_btf_builder_string(load->builder, function->prototype ? function->prototype : function->name);
		if (head < 0)
			return ebpf_fail_memory(err);
		lf->head = (uint32_t)head;
	}
	if (!function->line_count)
		return 0;
	if (!lf->lines)
		lf->lines = calloc(function->line_count, sizeof(*lf->lines));
	if (!lf->lines)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < function->line_count; i++) {
		const struct ebpf_spec_line *line = &function->lines[i];
		int64_t file = ebpf_btf_builder_string(load->builder, line->file);
		int64_t text = ebpf_btf_builder_string(load->builder, line->line);

		if (file < 0 || text < 0)
			return ebpf_fail_memory(err);
		if (line->insn >= function->insn_count)
			break;
		/* the kernel takes 22 bits of line and 10 of column */
		lf->lines[lf->line_count++] = (struct bpf_line_info){
			line->insn,
			(uint32_t)file,
			(uint32_t)text,
			line->number << 10 | (line->column & 0x3ff),
		};
	}
	return 0;
}

static int add_function(struct ebpf_load *load, struct ebpf_load_function *lf, struct ebpf_error *err)
{
	const struct ebpf_function *function = lf->function;
	struct ebpf_type func;
	int64_t type = 0;

	lf->type_id = 0;
	if (function->type_id) {
		if (!ebpf_btf_type(load->spec->btf, function->type_id, &func) || func.kind != BTF_KIND_FUNC)
			return ebpf_fail(err, EINVAL, "function '%s': type %u is no function", function->name,
					 function->type_id);
		if (ebpf_type_linkage(&func) == BTF_VAR_GLOBAL && !function->global)
			type = add_hidden(load, &func, err);
		else
			type = ebpf_btf_builder_add(load->builder, load->spec->btf, function->type_id, err);
	} else if (function->prototype) {
		type = ebpf_btf_declarations_add(load->declarations, function->prototype, NULL, err);
	} else if (load->has_subprograms) {
		type = add_untyped(load, function);
	}
	if (type < 0)
		return ebpf_wrap(err, (int)type, "function '%s': types", function->name);
	lf->type_id = (uint32_t)type;
	type = ebpf_load_context_types(load, lf, err);
	if (type < 0)
		return (int)type;
	for (size_t i = 0; i < function->relo_count; i++) {
		if (function->relos[i].kind != CORE_TYPE_ID_LOCAL || !function->relos[i].type_id)
			continue;
		type = ebpf_btf_builder_add(load->builder, load->spec->btf, function->relos[i].type_id, err);
		if (type < 0)
			return ebpf_wrap(err, (int)type, "function '%s': type %u", function->name,
					 function->relos[i].type_id);
	}
	return add_lines(load, lf, err);
}

int64_t ebpf_load_local_type(void *context, uint32_t local_id)
{
	struct ebpf_load *load = context;

	/* it was added before: this only looks it up */
	return local_id ? ebpf_btf_builder_add(load->builder, load->spec->btf, local_id, NULL) : 0;
}

static int add_type(struct ebpf_load *load, uint32_t id, uint32_t *out, struct ebpf_error *err)
{
	int64_t type = 0;

	*out = 0;
	if (id)
		type = ebpf_btf_builder_add(load->builder, load->spec->btf, id, err);
	if (type < 0)
		return (int)type;
	*out = (uint32_t)type;
	return 0;
}

/* The DATASEC of a data section, its size that of the map (which the user may have grown). Compilers leave zeros for
 * sizes and offsets. */
static int add_section(struct ebpf_load *load, struct ebpf_map_spec *spec, uint32_t *out, struct ebpf_error *err)
{
	const struct ebpf_map_impl *impl = map_impl(spec);
	struct ebpf_type type;
	int64_t id = spec->value_type_id;

	*out = 0;
	if (!id || spec == spec_impl(load->spec)->kconfig || !ebpf_btf_type(load->spec->btf, (uint32_t)id, &type) ||
	    type.kind != BTF_KIND_DATASEC || !impl->offsets || impl->offset_count != type.vlen)
		return 0;
	id = ebpf_btf_builder_add_datasec(load->builder, load->spec->btf, (uint32_t)id, type.name, impl->offsets,
					  spec->value_size, err);
	/* variables that overlap: a compiler's mistake, with which the section does without its types, as it would in the kernel */
	if (id == -EINVAL) {
		ebpf_error_clear(err);
		return 0;
	}
	if (id < 0)
		return (int)id;
	*out = (uint32_t)id;
	return 0;
}

static int add_map(struct ebpf_load *load, struct ebpf_map_spec *spec, struct ebpf_load_map *map,
		   struct ebpf_error *err)
{
	int result = 0;

	if (!spec->autocreate)
		return 0;
	if (ebpf_load_is_data(spec))
		return add_section(load, spec, &map->value_type, err);
	if (ebpf_map_takes_types(spec->type)) {
		result = add_type(load, spec->key_type_id, &map->key_type, err);
		if (result == 0)
			result = add_type(load, spec->value_type_id, &map->value_type, err);
	}
	if (result == 0 && spec->inner && ebpf_map_takes_types(spec->inner->type)) {
		result = add_type(load, spec->inner->key_type_id, &map->inner_key_type, err);
		if (result == 0)
			result = add_type(load, spec->inner->value_type_id, &map->inner_value_type, err);
	}
	return result;
}

static int build(struct ebpf_load *load, uint32_t lacks, void **data, size_t *size, struct ebpf_error *err)
{
	int result = 0;

	ebpf_btf_declarations_free(load->declarations);
	load->declarations = NULL;
	ebpf_btf_builder_free(load->builder);
	load->builder = ebpf_btf_builder_new(NULL, lacks | EBPF_BTF_FOR_KERNEL);
	if (load->builder)
		load->declarations = ebpf_btf_declarations_new(load->builder, load->spec->btf);
	if (!load->declarations)
		return ebpf_fail_memory(err);
	for (size_t i = 0; load->spec->btf && i < load->spec->map_count; i++) {
		result = add_map(load, load->spec->maps[i], &load->maps[i], err);
		if (result < 0)
			return ebpf_wrap(err, result, "map '%s': types", load->spec->maps[i]->name);
	}
	for (size_t i = 0; i < load->function_count; i++) {
		if (!load->functions[i].wanted)
			continue;
		result = add_function(load, &load->functions[i], err);
		if (result < 0)
			return result;
	}
	load->has_func_info = !(lacks & EBPF_BTF_NO_FUNC);
	return ebpf_btf_builder_finish(load->builder, data, size, err);
}

/* Once more, with a log, whose last line says what the kernel did not like. Should it like it now, so much the better:
 * the descriptor. */
static int load_again(struct ebpf_load *load, const void *data, size_t size, int code)
{
	char *log = calloc(1, LOG_SIZE), *end, *line;
	int fd;

	snprintf(load->btf_problem, sizeof(load->btf_problem), "%s", strerror(-code));
	if (!log)
		return code;
	fd = ebpf_kernel_load_btf(load->kernel, data, size, log, LOG_SIZE);
	log[LOG_SIZE - 1] = '\0';
	for (end = log + strlen(log); end > log && end[-1] == '\n';)
		*--end = '\0';
	line = strrchr(log, '\n');
	line = line ? line + 1 : log;
	if (fd >= 0)
		load->btf_problem[0] = '\0';
	else if (*line)
		snprintf(load->btf_problem, sizeof(load->btf_problem), "%s", line);
	free(log);
	return fd;
}

/* There is something to tell the kernel: types, several functions (which then must all have one), or where code came
 * from. */
static bool has_types(const struct ebpf_load *load)
{
	if (load->spec->btf || load->has_subprograms)
		return true;
	for (size_t i = 0; i < load->function_count; i++) {
		const struct ebpf_load_function *lf = &load->functions[i];

		if (lf->wanted && (lf->function->prototype || lf->function->line_count))
			return true;
	}
	return false;
}

/* Tries with what is known of the kernel, then, when that was refused, with what it says it knows. */
int ebpf_load_types(struct ebpf_load *load, struct ebpf_error *err)
{
	uint32_t lacks = ebpf_kernel_btf_lacks(load->kernel, false), asked;
	void *data = NULL;
	size_t size = 0;
	int result, fd = -ENOTSUP;

	if (!has_types(load) || ebpf_kernel_lacks(load->kernel, EBPF_FEATURE_BTF))
		return 0;
	result = build(load, lacks, &data, &size, err);
	if (result < 0)
		return result;
	fd = ebpf_kernel_load_btf(load->kernel, data, size, NULL, 0);
	if (fd < 0 && ebpf_kernel_supports(load->kernel, EBPF_FEATURE_BTF)) {
		asked = ebpf_kernel_btf_lacks(load->kernel, true);
		if (asked != lacks) {
			free(data);
			data = NULL;
			result = build(load, asked, &data, &size, err);
			if (result < 0)
				return result;
			fd = ebpf_kernel_load_btf(load->kernel, data, size, NULL, 0);
		}
		if (fd < 0)
			fd = load_again(load, data, size, fd);
	}
	free(data);
	if (fd >= 0)
		load->btf_fd = fd;
	else
		load->has_func_info = false;
	return 0;
}
