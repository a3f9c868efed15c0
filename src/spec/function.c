/* Functions of a Spec for those who look: their names, their declarations, and their code as a block again. */
#include <stdio.h>
#include <stdlib.h>

#include "spec/spec.h"

struct ebpf_function *ebpf_spec_function(const struct ebpf_spec *public, size_t index)
{
	const struct ebpf_spec_impl *spec = (const struct ebpf_spec_impl *)(const void *)public;

	return index < spec->function_count ? spec->functions[index] : NULL;
}

const char *ebpf_function_name(const struct ebpf_function *function)
{
	return function->name;
}

const char *ebpf_function_section(const struct ebpf_function *function)
{
	return function->section;
}

bool ebpf_function_is_global(const struct ebpf_function *function)
{
	return function->global;
}

const struct ebpf_insn *ebpf_function_insns(const struct ebpf_function *function, size_t *count)
{
	*count = function->insn_count;
	return function->insns;
}

/* Of a data section: its variables are sorted by offset, but those of a few sections may lie between. */
struct ebpf_variable_spec *ebpf_spec_variable_at(const struct ebpf_spec *spec, const struct ebpf_map_spec *map, uint64_t offset)
{
	for (size_t i = 0; i < spec->variable_count; i++) {
		struct ebpf_variable_spec *variable = spec->variables[i];

		if (variable->map == map && offset >= variable->offset && offset - variable->offset < variable->size)
			return variable;
	}
	return NULL;
}

/* -- its declaration -- */

size_t ebpf_function_prototype(const struct ebpf_spec *spec, const struct ebpf_function *function, char *text, size_t size)
{
	struct ebpf_buffer buffer = {0};
	size_t length;

	if (function->prototype)
		ebpf_buffer_printf(&buffer, "%s", function->prototype);
	else if (spec->btf && function->type_id)
		ebpf_btf_write_prototype(spec->btf, function->type_id, &buffer);
	length = buffer.failed ? 0 : buffer.size;
	if (size)
		snprintf(text, size, "%s", length ? buffer.data : "");
	ebpf_buffer_free(&buffer);
	return length;
}

/* -- its code -- */

struct writer {
	const struct ebpf_spec *spec;
	const struct ebpf_function *function;
	struct ebpf_block *block;
	bool *targets; /* of jumps, by slot */
	size_t reference, line, relo;
	struct ebpf_error *err;
};

static int64_t jump_target(const struct ebpf_function *function, size_t at)
{
	const struct ebpf_insn *insn = &function->insns[at];
	int64_t target = (int64_t)at + 1 + (insn->code == EBPF_GOTOL ? insn->imm : insn->off);

	return ebpf_insn_is_jump(insn) && target >= 0 && (uint64_t)target < function->insn_count ? target : -1;
}

/* A jump to the second slot of a wide load, or out of the function, keeps its distance: the block's finish refuses it. */
static void find_targets(struct writer *writer)
{
	const struct ebpf_function *function = writer->function;

	for (size_t at = 0; at < function->insn_count; at++) {
		int64_t target = jump_target(function, at);

		if (target >= 0 && !(target > 0 && ebpf_insn_is_wide(&function->insns[target - 1])))
			writer->targets[target] = true;
		at += ebpf_insn_is_wide(&function->insns[at]);
	}
}

static int write_reference(struct writer *writer, const struct ebpf_spec_reference *reference)
{
	const char *name = reference->name;

	return ebpf_block_refer(writer->block, reference->kind, name ? name : "", reference->addend, writer->err);
}

static int write_jump(struct writer *writer, int64_t target)
{
	char label[16];

	snprintf(label, sizeof(label), "L%u", (unsigned)target);
	return ebpf_block_jump(writer->block, label, writer->err);
}

static int write_line(struct writer *writer, const struct ebpf_spec_line *from)
{
	struct ebpf_source_line line = {.file = from->file, .text = from->line, .number = from->number, .column = from->column};

	return ebpf_block_line(writer->block, &line, writer->err);
}

/* By name where that leads to the very type, else by number. */
static int write_core(struct writer *writer, const struct ebpf_spec_relo *relo)
{
	struct ebpf_buffer name = {0};
	char number[16];
	bool named;
	int result;

	ebpf_btf_write_name(writer->spec->btf, relo->type_id, &name);
	named = name.data && !name.failed && ebpf_btf_find(writer->spec->btf, name.data) == relo->type_id;
	snprintf(number, sizeof(number), "#%u", relo->type_id);
	result = ebpf_block_core(writer->block, relo->kind, named ? name.data : number, relo->access, writer->err);
	ebpf_buffer_free(&name);
	return result;
}

/* What belongs to the instruction that was added last, at slot `at`. Compilers have lines without text, number 0, where they made
 * code that no line is to blame for. */
static int write_notes(struct writer *writer, size_t at)
{
	const struct ebpf_function *function = writer->function;
	int64_t target = jump_target(function, at);
	int result = 0;

	if (target >= 0 && writer->targets[target])
		result = write_jump(writer, target);
	while (writer->reference < function->reference_count && function->references[writer->reference].insn < at)
		writer->reference++;
	if (!result && writer->reference < function->reference_count && function->references[writer->reference].insn == at)
		result = write_reference(writer, &function->references[writer->reference]);
	for (; !result && writer->line < function->line_count && function->lines[writer->line].insn <= at; writer->line++)
		if (function->lines[writer->line].insn == at && *function->lines[writer->line].line)
			result = write_line(writer, &function->lines[writer->line]);
	for (; !result && writer->relo < function->relo_count && function->relos[writer->relo].insn <= at; writer->relo++)
		if (function->relos[writer->relo].insn == at && writer->spec->btf)
			result = write_core(writer, &function->relos[writer->relo]);
	return result;
}

static int write_code(struct writer *writer)
{
	const struct ebpf_function *function = writer->function;
	int result = 0;

	for (size_t at = 0; !result && at < function->insn_count; at++) {
		const struct ebpf_insn *insn = &function->insns[at];
		bool wide = ebpf_insn_is_wide(insn);
		char label[16];

		if (writer->targets[at]) {
			snprintf(label, sizeof(label), "L%u", (unsigned)at);
			result = ebpf_block_label(writer->block, label, writer->err);
		}
		if (!result)
			result = ebpf_block_append(writer->block, *insn, writer->err);
		if (!result && wide && at + 1 < function->insn_count)
			result = ebpf_block_append(writer->block, insn[1], writer->err);
		if (!result)
			result = write_notes(writer, at);
		at += wide;
	}
	return result;
}

static int write_head(struct writer *writer)
{
	size_t size = ebpf_function_prototype(writer->spec, writer->function, NULL, 0) + 1;
	char *prototype;
	int result;

	if (size == 1)
		return 0;
	prototype = malloc(size);
	if (!prototype)
		return ebpf_fail_memory(writer->err);
	ebpf_function_prototype(writer->spec, writer->function, prototype, size);
	result = ebpf_block_function(writer->block, prototype, writer->err);
	free(prototype);
	return result;
}

int ebpf_function_block(const struct ebpf_spec *spec, const struct ebpf_function *function, struct ebpf_block **out,
                        struct ebpf_error *err)
{
	struct writer writer = {.spec = spec, .function = function, .block = ebpf_block_new(), .err = err};
	int result;

	writer.targets = calloc(function->insn_count + 1, sizeof(*writer.targets));
	result = writer.block && writer.targets ? 0 : ebpf_fail_memory(err);
	if (!result) {
		find_targets(&writer);
		result = write_head(&writer);
	}
	if (!result)
		result = write_code(&writer);
	free(writer.targets);
	if (result) {
		ebpf_block_free(writer.block);
		return ebpf_wrap(err, result, "function '%s'", function->name);
	}
	*out = writer.block;
	return 0;
}
