/* print_raw.c -- types one by one, as they are stored: as lines of text, or as JSON. Both are bpftool's, to the byte. */
#include "btf/private.h"
#include "btf/text.h"

struct raw {
	struct btf_text text;
	bool json;
};

static const char *const kind_names[] = {
        "UNKNOWN", "INT",      "PTR",  "ARRAY",      "STRUCT", "UNION",   "ENUM",  "FWD",      "TYPEDEF",  "VOLATILE",
        "CONST",   "RESTRICT", "FUNC", "FUNC_PROTO", "VAR",    "DATASEC", "FLOAT", "DECL_TAG", "TYPE_TAG", "ENUM64",
};
_Static_assert(EBPF_COUNT(kind_names) == BTF_KIND_COUNT, "a name for each kind");

static const char *name_or_anonymous(const char *name)
{
	return *name ? name : "(anon)";
}

/* -- a field: ` name=value`, or `,"name":value` -- */

static void add_key(struct raw *raw, const char *name)
{
	btf_text_string(&raw->text, raw->json ? ",\"" : " ");
	btf_text_string(&raw->text, name);
	btf_text_string(&raw->text, raw->json ? "\":" : "=");
}

static void add_unsigned(struct raw *raw, const char *name, uint64_t value)
{
	add_key(raw, name);
	btf_text_unsigned(&raw->text, value);
}

static void add_word(struct raw *raw, const char *name, const char *value)
{
	add_key(raw, name);
	if (raw->json)
		btf_text_json(&raw->text, value);
	else
		btf_text_string(&raw->text, value);
}

/* -- lists of parts: a line each, or an array of objects -- */

static void begin_list(struct raw *raw, const char *name)
{
	if (raw->json) {
		add_key(raw, name);
		btf_text_char(&raw->text, '[');
	}
}

static void end_list(struct raw *raw)
{
	if (raw->json)
		btf_text_char(&raw->text, ']');
}

static void begin_part(struct raw *raw, uint32_t index, const char *name)
{
	name = name_or_anonymous(name);
	if (raw->json) {
		btf_text_string(&raw->text, index ? ",{\"name\":" : "{\"name\":");
		btf_text_json(&raw->text, name);
	} else {
		btf_text_string(&raw->text, "\n\t'");
		btf_text_string(&raw->text, name);
		btf_text_char(&raw->text, '\'');
	}
}

static void end_part(struct raw *raw)
{
	if (raw->json)
		btf_text_char(&raw->text, '}');
}

/* -- kinds -- */

static void print_int(struct raw *raw, const struct ebpf_type *type)
{
	static const char *const encodings[] = {
	        [0] = "(none)", [BTF_INT_SIGNED] = "SIGNED", [BTF_INT_CHAR] = "CHAR", [BTF_INT_BOOL] = "BOOL"};
	uint32_t encoding, offset, bits;
	ebpf_type_int(type, &encoding, &offset, &bits);
	add_unsigned(raw, "size", type->size);
	add_unsigned(raw, "bits_offset", offset);
	add_unsigned(raw, "nr_bits", bits);
	add_word(raw, "encoding", encoding < EBPF_COUNT(encodings) && encodings[encoding] ? encodings[encoding] : "UNKN");
}

static void print_array(struct raw *raw, const struct ebpf_type *type)
{
	struct ebpf_btf_array array = ebpf_type_array(type);
	add_unsigned(raw, "type_id", array.element);
	add_unsigned(raw, "index_type_id", array.index);
	add_unsigned(raw, "nr_elems", array.count);
}

static void print_struct(struct raw *raw, const struct ebpf_type *type)
{
	add_unsigned(raw, "size", type->size);
	add_unsigned(raw, "vlen", type->vlen);
	begin_list(raw, "members");
	for (uint32_t i = 0; i < type->vlen && !raw->text.code; i++) {
		/* As stored: bit fields in the manner before 5.0 are shown as the members that they are. */
		uint32_t offset = btf_extra(type, 3 * i + 2);
		begin_part(raw, i, ebpf_btf_string(type->btf, btf_extra(type, 3 * i)));
		add_unsigned(raw, "type_id", btf_extra(type, 3 * i + 1));
		add_unsigned(raw, "bits_offset", type->kind_flag ? offset & 0xffffff : offset);
		if (type->kind_flag && offset >> 24)
			add_unsigned(raw, "bitfield_size", offset >> 24);
		end_part(raw);
	}
	end_list(raw);
}

static void print_enum(struct raw *raw, const struct ebpf_type *type)
{
	add_word(raw, "encoding", type->kind_flag ? "SIGNED" : "UNSIGNED");
	add_unsigned(raw, "size", type->size);
	add_unsigned(raw, "vlen", type->vlen);
	begin_list(raw, "values");
	for (uint32_t i = 0; i < type->vlen && !raw->text.code; i++) {
		struct ebpf_btf_enum entry = ebpf_type_enumerator(type, i);
		begin_part(raw, i, entry.name);
		add_key(raw, "val");
		if (entry.is_signed)
			btf_text_signed(&raw->text, entry.value);
		else
			btf_text_unsigned(&raw->text, entry.value);
		if (type->kind == BTF_KIND_ENUM64 && !raw->json)
			btf_text_string(&raw->text, entry.is_signed ? "LL" : "ULL");
		end_part(raw);
	}
	end_list(raw);
}

static void print_function_type(struct raw *raw, const struct ebpf_type *type)
{
	add_unsigned(raw, "ret_type_id", type->type);
	add_unsigned(raw, "vlen", type->vlen);
	begin_list(raw, "params");
	for (uint32_t i = 0; i < type->vlen && !raw->text.code; i++) {
		struct ebpf_param param = ebpf_type_param(type, i);
		begin_part(raw, i, param.name);
		add_unsigned(raw, "type_id", param.type);
		end_part(raw);
	}
	end_list(raw);
}

static void print_linkage(struct raw *raw, const struct ebpf_type *type)
{
	static const char *const linkages[] = {"static", "global", "extern"};
	uint32_t linkage = ebpf_type_linkage(type);
	add_unsigned(raw, "type_id", type->type);
	if (type->kind == BTF_KIND_VAR && !raw->json)
		btf_text_char(&raw->text, ',');
	add_word(raw, "linkage", linkage < EBPF_COUNT(linkages) ? linkages[linkage] : "(unknown)");
}

static const char *kind_name(uint32_t kind)
{
	return kind_names[kind < BTF_KIND_COUNT ? kind : BTF_KIND_UNKN];
}

static void print_section(struct raw *raw, const struct ebpf_btf *btf, const struct ebpf_type *type)
{
	add_unsigned(raw, "size", type->size);
	add_unsigned(raw, "vlen", type->vlen);
	begin_list(raw, "vars");
	for (uint32_t i = 0; i < type->vlen && !raw->text.code; i++) {
		struct ebpf_secinfo info = ebpf_type_secinfo(type, i);
		struct ebpf_type variable;
		btf_text_string(&raw->text, !raw->json ? "\n\ttype_id=" : i ? ",{\"type_id\":" : "{\"type_id\":");
		btf_text_unsigned(&raw->text, info.type);
		add_unsigned(raw, "offset", info.offset);
		add_unsigned(raw, "size", info.size);
		if (!raw->json && ebpf_btf_type(btf, info.type, &variable)) {
			btf_text_string(&raw->text, " (");
			btf_text_string(&raw->text, kind_name(variable.kind));
			btf_text_string(&raw->text, " '");
			btf_text_string(&raw->text, name_or_anonymous(variable.name));
			btf_text_string(&raw->text, "')");
		}
		end_part(raw);
	}
	end_list(raw);
}

static void print_parts(struct raw *raw, const struct ebpf_btf *btf, const struct ebpf_type *type)
{
	switch (type->kind) {
	case BTF_KIND_INT:
		print_int(raw, type);
		return;
	case BTF_KIND_PTR:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_TYPE_TAG:
		add_unsigned(raw, "type_id", type->type);
		return;
	case BTF_KIND_ARRAY:
		print_array(raw, type);
		return;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		print_struct(raw, type);
		return;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		print_enum(raw, type);
		return;
	case BTF_KIND_FWD:
		add_word(raw, "fwd_kind", type->kind_flag ? "union" : "struct");
		return;
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
		print_linkage(raw, type);
		return;
	case BTF_KIND_FUNC_PROTO:
		print_function_type(raw, type);
		return;
	case BTF_KIND_DATASEC:
		print_section(raw, btf, type);
		return;
	case BTF_KIND_FLOAT:
		add_unsigned(raw, "size", type->size);
		return;
	case BTF_KIND_DECL_TAG:
		add_unsigned(raw, "type_id", type->type);
		add_key(raw, "component_idx");
		btf_text_signed(&raw->text, ebpf_type_component(type));
		return;
	}
}

static void print_one(struct raw *raw, const struct ebpf_btf *btf, uint32_t id, bool first)
{
	struct btf_text *text = &raw->text;
	struct ebpf_type type;

	ebpf_btf_type(btf, id, &type);
	if (raw->json) {
		btf_text_string(text, first ? "{\"id\":" : ",{\"id\":");
		btf_text_unsigned(text, id);
		add_word(raw, "kind", kind_name(type.kind));
		add_word(raw, "name", name_or_anonymous(type.name));
	} else {
		btf_text_char(text, '[');
		btf_text_unsigned(text, id);
		btf_text_add(text, "] ", 2);
		btf_text_string(text, kind_name(type.kind));
		btf_text_add(text, " '", 2);
		btf_text_string(text, name_or_anonymous(type.name));
		btf_text_char(text, '\'');
	}
	print_parts(raw, btf, &type);
	btf_text_char(text, raw->json ? '}' : '\n');
}

int ebpf_btf_print_raw(const struct ebpf_btf *btf, const uint32_t *ids, size_t count, bool json, ebpf_write_fn write, void *context,
                       struct ebpf_error *err)
{
	struct raw raw = {.json = json};
	for (size_t i = 0; i < count; i++)
		if (ids[i] >= btf->count)
			return ebpf_fail(err, EINVAL, "BTF: print: there is no type %u", ids[i]);
	if (btf_text_init(&raw.text, btf_text_limit(btf), write, context))
		return btf_text_finish(&raw.text, err);
	if (json)
		btf_text_string(&raw.text, "{\"types\":[");
	for (size_t i = 0; i < count && !raw.text.code; i++)
		print_one(&raw, btf, ids[i], !i);
	for (uint32_t id = btf->first_id; !count && id < btf->count && !raw.text.code; id++)
		print_one(&raw, btf, id, id == btf->first_id);
	if (json)
		btf_text_string(&raw.text, "]}\n");
	return btf_text_finish(&raw.text, err);
}
