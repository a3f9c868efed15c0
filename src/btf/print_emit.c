/* print_emit.c -- definitions, each with the forward declarations that it needs before it. */
#include "btf/print.h"

/* `container` is the struct, union or typedef that is being defined, which may be named in itself; 0 = the type is to be defined
 * here, not prepared for being mentioned. */
static void emit(struct printer *printer, uint32_t id, uint32_t container, int depth);

static void end_definition(struct printer *printer)
{
	btf_text_add(printer->text, ";\n\n", 3);
}

static void emit_typedef(struct printer *printer, const struct ebpf_type *type)
{
	/* The compiler's own. */
	if (!strcmp(type->name, "__builtin_va_list"))
		return;
	print_typedef(printer, type);
	end_definition(printer);
}

/* Something needs a name that is in the middle of its own definition. */
static void emit_ahead(struct printer *printer, const struct ebpf_type *type, uint32_t container)
{
	struct print_state *state = &printer->states[type->id];
	if (state->forward)
		return;
	switch (type->kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (type->id == container || !*type->name)
			return;
		print_struct_forward(printer, type);
		end_definition(printer);
		break;
	case BTF_KIND_TYPEDEF:
		emit_typedef(printer, type);
		break;
	}
	state->forward = 1;
}

static void emit_struct(struct printer *printer, const struct ebpf_type *type, uint32_t container, int depth)
{
	struct print_state *state = &printer->states[type->id];
	bool anonymous = !*type->name;

	state->emit = PRINT_EMITTING;
	/* Where its members are written out, what they mention has to be known before. */
	if (!container || anonymous) {
		for (uint32_t i = 0; i < type->vlen && !print_failed(printer); i++)
			emit(printer, ebpf_type_member(type, i).type, anonymous ? container : type->id, depth + 1);
	} else if (!state->forward && type->id != container) {
		print_struct_forward(printer, type);
		end_definition(printer);
		state->forward = 1;
	}
	if (container) {
		state->emit = PRINT_NOT_EMITTED;
		return;
	}
	print_struct(printer, type, 0);
	end_definition(printer);
	state->emit = PRINT_EMITTED;
}

/* What compilers for Arm call their vector elements is no type of C's. */
static void emit_alias(struct printer *printer, const struct ebpf_type *type)
{
	static const char *const aliases[][2] = {
	        {"__Poly8_t", "unsigned char"},
	        {"__Poly16_t", "unsigned short"},
	        {"__Poly64_t", "unsigned long long"},
	        {"__Poly128_t", "unsigned __int128"},
	};
	for (size_t i = 0; i < EBPF_COUNT(aliases); i++) {
		if (strcmp(type->name, aliases[i][0]) != 0)
			continue;
		btf_text_string(printer->text, "typedef ");
		btf_text_string(printer->text, aliases[i][1]);
		btf_text_char(printer->text, ' ');
		btf_text_string(printer->text, type->name);
		end_definition(printer);
	}
}

static void emit(struct printer *printer, uint32_t id, uint32_t container, int depth)
{
	struct print_state *state = &printer->states[id];
	struct ebpf_type type;

	if (state->emit == PRINT_EMITTED || print_failed(printer) || !print_step(printer, id, depth))
		return;
	ebpf_btf_type(printer->btf, id, &type);
	if (state->emit == PRINT_EMITTING) {
		emit_ahead(printer, &type, container);
		return;
	}
	switch (type.kind) {
	case BTF_KIND_INT:
		emit_alias(printer, &type);
		state->emit = PRINT_EMITTED;
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (!container) {
			print_enum(printer, &type, 0);
			end_definition(printer);
		}
		state->emit = PRINT_EMITTED;
		return;
	case BTF_KIND_PTR:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		emit(printer, type.type, container, depth + 1);
		return;
	case BTF_KIND_ARRAY:
		emit(printer, ebpf_type_array(&type).element, container, depth + 1);
		return;
	case BTF_KIND_FWD:
		print_forward(printer, &type);
		end_definition(printer);
		state->emit = PRINT_EMITTED;
		return;
	case BTF_KIND_TYPEDEF:
		state->emit = PRINT_EMITTING;
		emit(printer, type.type, id, depth + 1);
		if (!state->forward)
			emit_typedef(printer, &type);
		state->emit = PRINT_EMITTED;
		return;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		emit_struct(printer, &type, container, depth);
		return;
	case BTF_KIND_FUNC_PROTO:
		emit(printer, type.type, container, depth + 1);
		for (uint32_t i = 0; i < type.vlen && !print_failed(printer); i++)
			emit(printer, ebpf_type_param(&type, i).type, container, depth + 1);
		return;
	}
}

void print_emit(struct printer *printer, uint32_t id)
{
	emit(printer, id, 0, 0);
}
