/* name.c -- a type's name as C writes it, without its body: for layouts, messages and lists. */
#include "btf/private.h"

/* Written in two halves, as declarators are: what stands before the star or the brackets, and what after. */
static void write_suffix(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out, int depth)
{
	struct ebpf_type type;
	if (depth > BTF_MAX_DEPTH || !ebpf_btf_type(btf, ebpf_btf_skip_modifiers(btf, id), &type) || type.kind != BTF_KIND_ARRAY)
		return;
	struct ebpf_btf_array array = ebpf_type_array(&type);
	ebpf_buffer_printf(out, "[%u]", array.count);
	write_suffix(btf, array.element, out, depth + 1);
}

static void write_tagged(const char *keyword, const char *name, struct ebpf_buffer *out)
{
	ebpf_buffer_printf(out, "%s %s", keyword, *name ? name : "{...}");
}

static void write_prefix(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out, int depth);

static void write_pointer(const struct ebpf_btf *btf, uint32_t target, struct ebpf_buffer *out, int depth)
{
	struct ebpf_type type;
	uint32_t behind = ebpf_btf_skip_modifiers(btf, target);
	if (!ebpf_btf_type(btf, behind, &type))
		return;
	if (type.kind == BTF_KIND_FUNC_PROTO) {
		write_prefix(btf, type.type, out, depth + 1);
		ebpf_buffer_printf(out, " (*)()");
		return;
	}
	write_prefix(btf, target, out, depth + 1);
	if (type.kind == BTF_KIND_ARRAY) {
		ebpf_buffer_printf(out, " (*)");
		write_suffix(btf, behind, out, depth + 1);
	} else {
		ebpf_buffer_printf(out, "%s", type.kind == BTF_KIND_PTR ? "*" : " *");
	}
}

static void write_prefix(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out, int depth)
{
	struct ebpf_type type;
	if (depth > BTF_MAX_DEPTH || !ebpf_btf_type(btf, id, &type)) {
		ebpf_buffer_printf(out, "?");
		return;
	}
	switch (type.kind) {
	case BTF_KIND_UNKN:
		ebpf_buffer_printf(out, "void");
		return;
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE: {
		struct ebpf_type behind;
		/* "const int", but "int *" for a constant pointer: at the place where it is used that says enough. */
		if (ebpf_btf_type(btf, ebpf_btf_skip_modifiers(btf, id), &behind) && behind.kind != BTF_KIND_PTR)
			ebpf_buffer_printf(out, type.kind == BTF_KIND_CONST ? "const " : "volatile ");
		write_prefix(btf, type.type, out, depth + 1);
		return;
	}
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		write_prefix(btf, type.type, out, depth + 1);
		return;
	case BTF_KIND_PTR:
		write_pointer(btf, type.type, out, depth);
		return;
	case BTF_KIND_ARRAY:
		write_prefix(btf, ebpf_type_array(&type).element, out, depth + 1);
		return;
	case BTF_KIND_FUNC_PROTO:
		write_prefix(btf, type.type, out, depth + 1);
		ebpf_buffer_printf(out, " ()");
		return;
	case BTF_KIND_STRUCT:
		write_tagged("struct", type.name, out);
		return;
	case BTF_KIND_UNION:
		write_tagged("union", type.name, out);
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		write_tagged("enum", type.name, out);
		return;
	case BTF_KIND_FWD:
		write_tagged(type.kind_flag ? "union" : "struct", type.name, out);
		return;
	default:
		ebpf_buffer_printf(out, "%s", type.name);
	}
}

void ebpf_btf_write_name(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out)
{
	write_prefix(btf, id, out, 0);
	write_suffix(btf, id, out, 0);
}

/* A pointer's star stands at the name: "struct pair *p". */
static void write_declaration(const struct ebpf_btf *btf, uint32_t type, const char *name, struct ebpf_buffer *out)
{
	size_t before;

	write_prefix(btf, type, out, 0);
	before = out->size;
	if (*name)
		ebpf_buffer_printf(out, "%s%s", before && out->data[before - 1] == '*' ? "" : " ", name);
	write_suffix(btf, type, out, 0);
}

void ebpf_btf_write_prototype(const struct ebpf_btf *btf, uint32_t id, struct ebpf_buffer *out)
{
	struct ebpf_type func, proto;

	if (!ebpf_btf_type(btf, id, &func) || func.kind != BTF_KIND_FUNC || !ebpf_btf_type(btf, func.type, &proto) ||
	    proto.kind != BTF_KIND_FUNC_PROTO)
		return;
	if (ebpf_type_linkage(&func) == BTF_VAR_STATIC)
		ebpf_buffer_printf(out, "static ");
	write_declaration(btf, proto.type, func.name, out);
	ebpf_buffer_printf(out, "(");
	for (uint32_t i = 0; i < proto.vlen; i++) {
		struct ebpf_param param = ebpf_type_param(&proto, i);

		ebpf_buffer_printf(out, "%s", i ? ", " : "");
		if (!param.type && i + 1 == proto.vlen)
			ebpf_buffer_printf(out, "...");
		else
			write_declaration(btf, param.type, param.name, out);
	}
	ebpf_buffer_printf(out, proto.vlen ? ")" : "void)");
}
