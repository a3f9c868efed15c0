/* print.c -- types as a C header: a whole BTF, or chosen types with what they need. */
#include <stdlib.h>

#include "btf/print.h"

/* -- what the printer's files share -- */

int print_fail(struct printer *printer, int code, uint32_t id, const char *why)
{
	struct ebpf_buffer name = {0};
	if (printer->code)
		return printer->code;
	ebpf_btf_write_name(printer->btf, id, &name);
	printer->code = ebpf_fail(printer->err, code, "BTF: print: type %u (%.200s) %s", id, name.data ? name.data : "", why);
	ebpf_buffer_free(&name);
	return printer->code;
}

bool print_step(struct printer *printer, uint32_t id, int depth)
{
	if (depth > PRINT_MAX_DEPTH || !printer->steps)
		return print_fail(printer, E2BIG, id, "is nested too deeply"), false;
	printer->steps--;
	return true;
}

void print_newline(struct printer *printer, int level)
{
	static const char tabs[] = "\n\t\t\t\t\t\t\t\t\t\t\t\t\t";
	btf_text_add(printer->text, tabs, (size_t)level < sizeof(tabs) - 2 ? (size_t)level + 1 : sizeof(tabs) - 1);
}

/* -- life -- */

static void mark_parts(struct print_state *states, const struct ebpf_type *type)
{
	switch (type->kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		for (uint32_t i = 0; i < type->vlen; i++)
			states[ebpf_type_member(type, i).type].referenced = 1;
		return;
	case BTF_KIND_FUNC_PROTO:
		for (uint32_t i = 0; i < type->vlen; i++)
			states[ebpf_type_param(type, i).type].referenced = 1;
		return;
	case BTF_KIND_DATASEC:
		for (uint32_t i = 0; i < type->vlen; i++)
			states[ebpf_type_secinfo(type, i).type].referenced = 1;
		return;
	case BTF_KIND_ARRAY:
		states[ebpf_type_array(type).element].referenced = 1;
		states[ebpf_type_array(type).index].referenced = 1;
		return;
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
	case BTF_KIND_TYPE_TAG:
		states[type->type].referenced = 1;
		return;
	}
}

void print_start(struct printer *printer, const struct ebpf_btf *btf, struct btf_text *text, struct ebpf_error *err)
{
	*printer = (struct printer){.btf = btf, .text = text, .err = err, .pointer_size = ebpf_btf_pointer_size(btf)};
	printer->steps = btf_text_limit(btf);
}

static int print_init(struct printer *printer, const struct ebpf_btf *btf, struct btf_text *text, struct ebpf_error *err)
{
	print_start(printer, btf, text, err);
	printer->states = calloc(btf->count, sizeof(*printer->states));
	printer->versions = calloc(btf->count, sizeof(*printer->versions));
	if (!printer->states || !printer->versions)
		return printer->code = ebpf_fail_memory(err);
	for (uint32_t id = 1; id < btf->count; id++) {
		struct ebpf_type type;
		ebpf_btf_type(btf, id, &type);
		mark_parts(printer->states, &type);
	}
	printer->states[0] = (struct print_state){.order = PRINT_ORDERED, .emit = PRINT_EMITTED};
	return 0;
}

static void print_free(struct printer *printer)
{
	free(printer->states);
	free(printer->versions);
	free(printer->queue);
	ebpf_table_free(&printer->tags);
	ebpf_table_free(&printer->idents);
}

static int print_type(struct printer *printer, uint32_t id)
{
	int result = print_order(printer, id);
	if (result)
		return result;
	for (size_t i = 0; i < printer->queue_count && !print_failed(printer); i++)
		print_emit(printer, printer->queue[i]);
	return printer->code ? printer->code : printer->text->code;
}

/* -- the header around -- */

static const char guard[] = "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n\n";
/* So that clang records each access, for CO-RE. */
static const char records_begin[] = "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n"
                                    "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n"
                                    "#endif\n\n";
static const char function_macros[] = "#ifndef __ksym\n#define __ksym __attribute__((section(\".ksyms\")))\n#endif\n\n"
                                      "#ifndef __weak\n#define __weak __attribute__((weak))\n#endif\n\n"
                                      "#ifndef __bpf_fastcall\n#if __has_attribute(bpf_fastcall)\n"
                                      "#define __bpf_fastcall __attribute__((bpf_fastcall))\n"
                                      "#else\n#define __bpf_fastcall\n#endif\n#endif\n\n";
static const char records_end[] = "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n\n";
static const char guard_end[] = "#endif /* __VMLINUX_H__ */\n";

static int print_types(struct printer *printer, const struct ebpf_print_options *options)
{
	uint32_t *sorted = NULL;
	int result = 0;

	for (size_t i = 0; i < options->type_count; i++) {
		if (options->types[i] >= printer->btf->count)
			return ebpf_fail(printer->err, EINVAL, "BTF: print: there is no type %u", options->types[i]);
		if ((result = print_type(printer, options->types[i])))
			return result;
	}
	if (options->type_count)
		return 0;
	if (options->sort && !(sorted = print_sorted(printer->btf)))
		return printer->code = ebpf_fail_memory(printer->err);
	for (uint32_t id = 1; id < printer->btf->count && !result; id++)
		result = print_type(printer, sorted ? sorted[id] : id);
	free(sorted);
	if (!result && options->functions)
		result = print_functions(printer);
	return result;
}

int ebpf_btf_print_c(const struct ebpf_btf *btf, const struct ebpf_print_options *options, ebpf_write_fn write, void *context,
                     struct ebpf_error *err)
{
	static const struct ebpf_print_options none = {.size = sizeof(none)};
	struct printer printer;
	struct btf_text text;
	int result, finished;

	if (!options)
		options = &none;
	if (options->size < sizeof(*options))
		return ebpf_fail(err, EINVAL, "BTF: print: options.size is %zu, not %zu", options->size, sizeof(*options));
	btf_text_init(&text, btf_text_limit(btf), write, context);
	result = print_init(&printer, btf, &text, err);
	if (!result && options->header) {
		btf_text_string(&text, guard);
		btf_text_string(&text, records_begin);
		if (options->functions)
			btf_text_string(&text, function_macros);
	}
	if (!result)
		result = print_types(&printer, options);
	if (!result && options->header) {
		btf_text_string(&text, records_end);
		btf_text_string(&text, guard_end);
	}
	print_free(&printer);
	finished = btf_text_finish(&text, printer.code ? NULL : err);
	return result ? result : finished;
}

int ebpf_btf_print_declaration(const struct ebpf_btf *btf, uint32_t id, const char *name, ebpf_write_fn write, void *context,
                               struct ebpf_error *err)
{
	struct printer printer;
	struct btf_text text;
	struct ebpf_type type;
	int result, finished;

	if (!ebpf_btf_type(btf, id, &type))
		return ebpf_fail(err, EINVAL, "BTF: print: there is no type %u", id);
	if (type.kind == BTF_KIND_FUNC || type.kind == BTF_KIND_VAR)
		id = type.type;
	btf_text_init(&text, btf_text_limit(btf), write, context);
	print_start(&printer, btf, &text, err);
	print_declaration(&printer, id, name, 0);
	result = printer.code;
	print_free(&printer);
	finished = btf_text_finish(&text, printer.code ? NULL : err);
	return result ? result : finished;
}
