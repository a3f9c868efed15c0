/* Code: one function per FUNC symbol, programs among them, and the .BTF.ext records that belong to each. */
#include <stdio.h>
#include <stdlib.h>

#include "spec/object.h"

enum { insn_size = 8 };

static int compare_pieces(const void *a, const void *b)
{
	const struct ebpf_object_piece *left = a, *right = b;

	if (left->section != right->section)
		return left->section < right->section ? -1 : 1;
	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return left->symbol < right->symbol ? -1 : left->symbol > right->symbol;
}

static int check_piece(const struct ebpf_object_section *section, const struct ebpf_object_symbol *symbol, uint32_t index,
                       struct ebpf_error *err)
{
	if (!*symbol->name)
		return ebpf_fail(err, EINVAL, "section '%s': symbol %u is a function without a name", section->name, index);
	if (!symbol->size || symbol->size % insn_size || symbol->value % insn_size)
		return ebpf_fail(err, EINVAL, "section '%s': function '%s' (%llu bytes at %llu) is not made of whole instructions",
		                 section->name, symbol->name, (unsigned long long)symbol->size, (unsigned long long)symbol->value);
	if (symbol->value > section->size || symbol->size > section->size - symbol->value)
		return ebpf_fail(err, EINVAL,
		                 "section '%s': function '%s' (%llu bytes at %llu) crosses the end of the section (%llu bytes)",
		                 section->name, symbol->name, (unsigned long long)symbol->size, (unsigned long long)symbol->value,
		                 (unsigned long long)section->size);
	return 0;
}

static int collect_pieces(struct ebpf_object *object, struct ebpf_error *err)
{
	size_t count = 0;
	int result;

	for (uint32_t i = 0; i < object->symbol_count; i++)
		count += object->symbols[i].type == STT_FUNC;
	object->pieces = ebpf_object_alloc(object, count ? count : 1, sizeof(*object->pieces));
	if (!object->pieces)
		return ebpf_object_fail_memory(object, err);
	for (uint32_t i = 0; i < object->symbol_count; i++) {
		const struct ebpf_object_symbol *symbol = &object->symbols[i];

		if (symbol->type != STT_FUNC || symbol->section >= object->section_count ||
		    object->sections[symbol->section].role != EBPF_ROLE_CODE)
			continue;
		result = check_piece(&object->sections[symbol->section], symbol, i, err);
		if (result)
			return result;
		object->pieces[object->piece_count++] = (struct ebpf_object_piece){
		        .section = symbol->section, .symbol = i, .offset = symbol->value, .size = symbol->size};
	}
	if (object->piece_count)
		qsort(object->pieces, object->piece_count, sizeof(*object->pieces), compare_pieces);
	return 0;
}

/* Functions may leave gaps (linkers keep the code of weak functions that lost), but not share bytes, unless all of them. */
static int check_neighbours(struct ebpf_object *object, struct ebpf_error *err)
{
	const struct ebpf_object_piece *main_piece = NULL;

	for (size_t i = 0; i < object->piece_count; i++) {
		struct ebpf_object_piece *piece = &object->pieces[i];
		struct ebpf_object_section *section = &object->sections[piece->section];

		if (!section->piece_count++)
			section->first_piece = i;
		if (main_piece && main_piece->section == piece->section && piece->offset < main_piece->offset + main_piece->size) {
			if (piece->offset != main_piece->offset || piece->size != main_piece->size)
				return ebpf_fail(err, EINVAL, "section '%s': functions '%s' and '%s' overlap", section->name,
				                 object->symbols[main_piece->symbol].name, object->symbols[piece->symbol].name);
			piece->alias = true;
		} else {
			main_piece = piece;
		}
	}
	return 0;
}

static int decode(struct ebpf_object *object, const struct ebpf_object_piece *piece, struct ebpf_function *function,
                  struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[piece->section];
	struct ebpf_span code;
	int result;

	if (!ebpf_span_sub(section->bytes, piece->offset, piece->size, &code))
		return ebpf_fail(err, EINVAL, "function '%s' is not in the file", function->name);
	function->insn_count = piece->size / insn_size;
	function->insns = ebpf_spec_alloc(object->spec, function->insn_count, sizeof(*function->insns));
	if (!function->insns)
		return ebpf_spec_fail_memory(object->spec, err);
	result = ebpf_insns_decode(code, function->insns, err);
	return result ? ebpf_wrap(err, result, "section '%s': function '%s'", section->name, function->name) : 0;
}

/* Functions of .text are there to be called; in every other section the global ones are programs. */
static bool is_program(const struct ebpf_object_section *section, const struct ebpf_object_symbol *symbol)
{
	return strcmp(section->name, ".text") != 0 && symbol->bind != STB_LOCAL;
}

static int add_program(struct ebpf_object *object, struct ebpf_object_piece *piece, struct ebpf_table *names,
                       struct ebpf_error *err)
{
	const struct ebpf_object_section *section = &object->sections[piece->section];
	struct ebpf_function *function = piece->function;
	uint64_t other;

	if (ebpf_table_get(names, function->name, &other))
		return ebpf_fail(err, EINVAL, "section '%s': there are two programs '%s'", section->name, function->name);
	if (ebpf_table_set(names, function->name, 1))
		return ebpf_fail_memory(err);
	piece->program = ebpf_spec_new_program(object->spec, function);
	if (!piece->program)
		return ebpf_spec_fail_memory(object->spec, err);
	piece->program->autoload = *section->name != '?';
	ebpf_program_spec_apply_section(piece->program, function->section);
	return 0;
}

int ebpf_object_read_functions(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_table names = {0};
	int result = collect_pieces(object, err);

	if (!result)
		result = check_neighbours(object, err);
	for (size_t i = 0; !result && i < object->piece_count; i++) {
		struct ebpf_object_piece *piece = &object->pieces[i];
		const struct ebpf_object_symbol *symbol = &object->symbols[piece->symbol];
		const struct ebpf_object_section *section = &object->sections[piece->section];
		struct ebpf_function *function = ebpf_spec_new_function(object->spec, symbol->name);

		if (!function) {
			result = ebpf_spec_fail_memory(object->spec, err);
			break;
		}
		piece->function = function;
		function->section = (char *)(uintptr_t)(section->name + (*section->name == '?'));
		function->section_offset = (uint32_t)piece->offset;
		function->global = ebpf_object_symbol_is_visible(symbol);
		if (!piece->alias) {
			result = decode(object, piece, function, err);
		} else { /* references and records are copied when they are known */
			function->insns = object->pieces[i - 1].function->insns;
			function->insn_count = object->pieces[i - 1].function->insn_count;
		}
		if (!result && is_program(section, symbol))
			result = add_program(object, piece, &names, err);
	}
	ebpf_table_free(&names);
	return result;
}

struct ebpf_object_piece *ebpf_object_find_piece(struct ebpf_object *object, uint32_t section, uint64_t offset)
{
	size_t low, high;

	if (section >= object->section_count)
		return NULL;
	low = object->sections[section].first_piece;
	high = low + object->sections[section].piece_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (object->pieces[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < object->sections[section].first_piece + object->sections[section].piece_count &&
	    object->pieces[low].offset == offset)
		return &object->pieces[low];
	return NULL;
}

bool ebpf_object_describe(struct ebpf_object *object, uint32_t section, uint64_t offset, char *text, size_t size)
{
	const struct ebpf_object_section *in = &object->sections[section];

	for (size_t i = in->first_piece; i < in->first_piece + in->piece_count; i++) {
		const struct ebpf_object_piece *piece = &object->pieces[i];
		const struct ebpf_spec_line *line;

		if (offset < piece->offset || offset - piece->offset >= piece->size)
			continue;
		line = ebpf_function_line(piece->function, (uint32_t)((offset - piece->offset) / insn_size));
		if (line && *line->file)
			snprintf(text, size, " (in '%.100s', %.100s:%u)", piece->function->name, ebpf_spec_line_file(line), line->number);
		else
			snprintf(text, size, " (in '%.100s')", piece->function->name);
		return true;
	}
	return false;
}

/* -- .BTF.ext -- */

/* Where in the sorted records of a section a function's own begin. */
struct cursor {
	size_t func, line, relo;
};

static int read_tags(struct ebpf_object *object, const struct ebpf_object_piece *piece, struct ebpf_error *err)
{
	static const char exception[] = "exception_callback:";
	const char *const *tags;
	size_t count, callbacks = 0;
	int result = ebpf_object_tags(object, piece->function->type_id, &tags, &count, err);

	piece->function->context_params = ebpf_object_context_params(object, piece->function->type_id);
	for (size_t i = 0; i < count; i++)
		if (ebpf_starts_with(tags[i], exception)) {
			piece->function->exception_callback = tags[i] + sizeof(exception) - 1;
			callbacks++;
		}
	if (callbacks > 1) /* that is for the verifier to refuse */
		piece->function->exception_callback = NULL;
	if (piece->program) {
		piece->program->tags = tags;
		piece->program->tag_count = count;
	}
	return result;
}

static int read_func(struct ebpf_object *object, const struct ebpf_ext_section *ext, struct cursor *cursor,
                     const struct ebpf_object_piece *piece, struct ebpf_error *err)
{
	struct ebpf_function *function = piece->function;
	struct ebpf_type type;

	while (cursor->func < ext->func_count && ext->funcs[cursor->func].offset < piece->offset)
		cursor->func++;
	if (cursor->func == ext->func_count || ext->funcs[cursor->func].offset != piece->offset)
		return 0;
	function->type_id = ext->funcs[cursor->func].type_id;
	if (!ebpf_btf_type(object->spec->public.btf, function->type_id, &type) || type.kind != BTF_KIND_FUNC)
		return ebpf_fail(err, EINVAL, "function '%s': its type %u in .BTF.ext is not a function", function->name,
		                 function->type_id);
	return read_tags(object, piece, err);
}

static int check_offset(const struct ebpf_object_piece *piece, uint32_t offset, const char *what, struct ebpf_error *err)
{
	if (!(offset % insn_size))
		return 0;
	return ebpf_fail(err, EINVAL, "function '%s': a %s in .BTF.ext is at offset %u, which is inside of an instruction",
	                 piece->function->name, what, offset);
}

static int read_lines(struct ebpf_object *object, const struct ebpf_ext_section *ext, struct cursor *cursor,
                      const struct ebpf_object_piece *piece, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	struct ebpf_function *function = piece->function;
	size_t end;

	while (cursor->line < ext->line_count && ext->lines[cursor->line].offset < piece->offset)
		cursor->line++;
	for (end = cursor->line; end < ext->line_count && ext->lines[end].offset < piece->offset + piece->size; end++)
		;
	if (end == cursor->line)
		return 0;
	function->lines = ebpf_spec_alloc(object->spec, end - cursor->line, sizeof(*function->lines));
	if (!function->lines)
		return ebpf_spec_fail_memory(object->spec, err);
	for (; cursor->line < end; cursor->line++) {
		const struct ebpf_ext_line *line = &ext->lines[cursor->line];

		if (check_offset(piece, line->offset, "line", err))
			return -EINVAL;
		function->lines[function->line_count++] =
		        (struct ebpf_spec_line){.insn = (uint32_t)((line->offset - piece->offset) / insn_size),
		                                .file = ebpf_btf_string(btf, line->file),
		                                .line = ebpf_btf_string(btf, line->line),
		                                .number = BPF_LINE_INFO_LINE_NUM(line->line_col),
		                                .column = BPF_LINE_INFO_LINE_COL(line->line_col)};
	}
	return 0;
}

static int read_relos(struct ebpf_object *object, const struct ebpf_ext_section *ext, struct cursor *cursor,
                      const struct ebpf_object_piece *piece, struct ebpf_error *err)
{
	struct ebpf_btf *btf = object->spec->public.btf;
	struct ebpf_function *function = piece->function;
	size_t end;

	while (cursor->relo < ext->relo_count && ext->relos[cursor->relo].offset < piece->offset)
		cursor->relo++;
	for (end = cursor->relo; end < ext->relo_count && ext->relos[end].offset < piece->offset + piece->size; end++)
		;
	if (end == cursor->relo)
		return 0;
	function->relos = ebpf_spec_alloc(object->spec, end - cursor->relo, sizeof(*function->relos));
	if (!function->relos)
		return ebpf_spec_fail_memory(object->spec, err);
	for (; cursor->relo < end; cursor->relo++) {
		const struct ebpf_ext_relo *relo = &ext->relos[cursor->relo];

		if (check_offset(piece, relo->offset, "CO-RE relocation", err))
			return -EINVAL;
		function->relos[function->relo_count++] =
		        (struct ebpf_spec_relo){.insn = (uint32_t)((relo->offset - piece->offset) / insn_size),
		                                .type_id = relo->type_id,
		                                .kind = relo->kind,
		                                .access = ebpf_btf_string(btf, relo->access)};
	}
	object->spec->core_relo_count += (uint32_t)function->relo_count;
	return 0;
}

/* Offsets count from the start of the section, gaps included; what lies in a gap belongs to a weak function that lost, and is
 * dropped. */
static int read_section_records(struct ebpf_object *object, const struct ebpf_object_section *section,
                                const struct ebpf_ext_section *ext, struct ebpf_error *err)
{
	struct cursor cursor = {0};
	int result = 0;

	for (size_t i = section->first_piece; !result && i < section->first_piece + section->piece_count; i++) {
		const struct ebpf_object_piece *piece = &object->pieces[i];

		if (piece->alias)
			continue;
		result = read_func(object, ext, &cursor, piece, err);
		if (!result)
			result = read_lines(object, ext, &cursor, piece, err);
		if (!result)
			result = read_relos(object, ext, &cursor, piece, err);
	}
	return result;
}

int ebpf_object_read_records(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_table names = {0};
	int result = 0;

	for (size_t i = object->ext.count; i-- > 0 && !result;) /* backwards, so that the first of a name counts */
		if (ebpf_table_set(&names, object->ext.sections[i].name, i + 1))
			result = ebpf_fail_memory(err);
	for (uint32_t i = 1; !result && i < object->section_count; i++) {
		uint64_t ext;

		if (!object->sections[i].piece_count || !ebpf_table_get(&names, object->sections[i].name, &ext) || !ext)
			continue;
		result = read_section_records(object, &object->sections[i], &object->ext.sections[ext - 1], err);
		if (!result &&
		    ebpf_table_set(&names, object->sections[i].name, 0)) /* they belong to the first section of that name */
			result = ebpf_fail_memory(err);
	}
	ebpf_table_free(&names);
	return result;
}
