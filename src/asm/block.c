/* block.c -- code under construction: instructions, labels, references by name. */
#include <stdlib.h>

#include "asm/asm.h"

struct ebpf_block *ebpf_block_new(void)
{
	return calloc(1, sizeof(struct ebpf_block));
}

static void free_function(struct ebpf_block_function *function)
{
	free(function->prototype);
	free(function->name);
}

static void free_core(struct ebpf_block_core *core)
{
	free(core->type);
	free(core->access);
}

static void free_line(struct ebpf_source_line *line)
{
	free((char *)(uintptr_t)line->file);
	free((char *)(uintptr_t)line->text);
}

void ebpf_block_free(struct ebpf_block *block)
{
	if (!block)
		return;
	for (size_t i = 0; i < block->reference_count; i++)
		free(block->references[i].name);
	for (size_t i = 0; i < block->label_count; i++)
		free(block->labels[i].name);
	for (size_t i = 0; i < block->jump_count; i++)
		free(block->jumps[i].label);
	for (size_t i = 0; i < block->function_count; i++)
		free_function(&block->functions[i]);
	for (size_t i = 0; i < block->line_count; i++)
		free_line(&block->lines[i]);
	for (size_t i = 0; i < block->core_count; i++)
		free_core(&block->cores[i]);
	ebpf_table_free(&block->label_index);
	free(block->references);
	free(block->labels);
	free(block->jumps);
	free(block->functions);
	free(block->lines);
	free(block->cores);
	free(block->insns);
	free(block);
}

int ebpf_block_append(struct ebpf_block *block, struct ebpf_insn insn, struct ebpf_error *err)
{
	struct ebpf_insn *grown;

	if (block->count >= INT32_MAX)
		return ebpf_fail(err, E2BIG, "a block cannot have more than %d instructions", INT32_MAX);
	grown = ebpf_grow(block->insns, &block->capacity, block->count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->insns = grown;
	block->insns[block->count++] = insn;
	block->finished = false;
	return 0;
}

int ebpf_block_add(struct ebpf_block *block, struct ebpf_insn insn, int64_t wide, struct ebpf_error *err)
{
	struct ebpf_insn next = { .imm = (int32_t)(uint32_t)((uint64_t)wide >> 32) };
	bool two = ebpf_insn_is_wide(&insn);
	const char *wrong;
	int code;

	if (two)
		insn.imm = (int32_t)(uint32_t)wide;
	wrong = ebpf_insn_check(&insn, two ? &next : NULL);
	if (wrong)
		return ebpf_fail(err, EINVAL, "instruction %zu (code 0x%02x): %s", block->count, insn.code, wrong);
	code = ebpf_block_append(block, insn, err);
	if (code < 0 || !two)
		return code;
	code = ebpf_block_append(block, next, err);
	if (code < 0)
		block->count--;
	return code;
}

/* The last instruction, a wide load's first slot, or NULL in an empty block. */
static struct ebpf_insn *last_insn(struct ebpf_block *block)
{
	size_t count = block->count;

	if (count >= 2 && ebpf_insn_is_wide(&block->insns[count - 2]))
		return &block->insns[count - 2];
	return count ? &block->insns[count - 1] : NULL;
}

/* What the instruction's src says for a reference, or -1 when it cannot be one. */
static int reference_src(const struct ebpf_insn *insn, enum ebpf_reference kind)
{
	bool call = insn->code == EBPF_CALL, wide = ebpf_insn_is_wide(insn);

	switch (kind) {
	case EBPF_REF_MAP:
		return wide ? EBPF_PSEUDO_MAP_FD : -1;
	case EBPF_REF_MAP_VALUE:
	case EBPF_REF_VARIABLE:
	case EBPF_REF_JUMPS:
		return wide ? EBPF_PSEUDO_MAP_VALUE : -1;
	case EBPF_REF_CALL:
		return call ? EBPF_PSEUDO_CALL : -1;
	case EBPF_REF_FUNCTION:
		return wide ? EBPF_PSEUDO_FUNC : -1;
	case EBPF_REF_EXTERN:
		return call ? EBPF_PSEUDO_KFUNC_CALL : wide ? 0 : -1;
	}
	return -1;
}

int ebpf_block_refer(struct ebpf_block *block, enum ebpf_reference kind, const char *name, int64_t addend,
		     struct ebpf_error *err)
{
	struct ebpf_insn *insn = last_insn(block);
	struct ebpf_block_reference *grown;
	int src = insn ? reference_src(insn, kind) : -1;
	char *copy;

	if (src < 0)
		return ebpf_fail(
			err, EINVAL, "instruction %zu cannot refer to '%s': %s",
			insn ? (size_t)(insn - block->insns) : 0, name,
			"maps, variables, functions' addresses and externs need a wide load, functions and kfuncs a call");
	if (block->reference_count && &block->insns[block->references[block->reference_count - 1].insn] == insn)
		return ebpf_fail(err, EINVAL, "instruction %zu refers to '%s' already: not to '%s' as well",
				 (size_t)(insn - block->insns), block->references[block->reference_count - 1].name,
				 name);
	grown = ebpf_grow(block->references, &block->reference_capacity, block->reference_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->references = grown;
	copy = ebpf_strdup(name);
	if (!copy)
		return ebpf_fail_memory(err);
	insn->src = (uint8_t)src;
	insn->imm = ebpf_insn_is_wide(insn) ? 0 : -1;
	if (ebpf_insn_is_wide(insn))
		insn[1].imm = 0;
	block->references[block->reference_count++] = (struct ebpf_block_reference){
		.insn = (uint32_t)(insn - block->insns),
		.kind = kind,
		.name = copy,
		.addend = addend,
	};
	block->finished = false;
	return 0;
}

/* Lets a name, which is taken over unless it fails, stand for the next instruction. */
static int define(struct ebpf_block *block, char *name, struct ebpf_error *err)
{
	if (!name)
		return ebpf_fail_memory(err);
	if (ebpf_table_get(&block->label_index, name, NULL)) {
		ebpf_fail(err, EEXIST, "label '%s' is defined twice", name);
		free(name);
		return -EEXIST;
	}
	if (ebpf_table_set(&block->label_index, name, block->count) < 0) {
		free(name);
		return ebpf_fail_memory(err);
	}
	block->finished = false;
	return 0;
}

int ebpf_block_label(struct ebpf_block *block, const char *name, struct ebpf_error *err)
{
	struct ebpf_block_label *grown;
	char *copy;
	int code;

	grown = ebpf_grow(block->labels, &block->label_capacity, block->label_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->labels = grown;
	copy = ebpf_strdup(name);
	code = define(block, copy, err);
	if (code < 0)
		return code;
	block->labels[block->label_count++] = (struct ebpf_block_label){ .name = copy, .insn = (uint32_t)block->count };
	return 0;
}

int ebpf_block_jump(struct ebpf_block *block, const char *label, struct ebpf_error *err)
{
	const struct ebpf_insn *insn = last_insn(block);
	struct ebpf_block_jump *grown;
	char *copy;

	if (!insn || !ebpf_insn_is_jump(insn))
		return ebpf_fail(err, EINVAL, "instruction %zu is not a jump: it cannot go to '%s'",
				 insn ? (size_t)(insn - block->insns) : 0, label);
	grown = ebpf_grow(block->jumps, &block->jump_capacity, block->jump_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->jumps = grown;
	copy = ebpf_strdup(label);
	if (!copy)
		return ebpf_fail_memory(err);
	block->jumps[block->jump_count++] =
		(struct ebpf_block_jump){ .label = copy, .insn = (uint32_t)(insn - block->insns) };
	block->finished = false;
	return 0;
}

/* -- functions, lines, CO-RE -- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name that a prototype declares: the word before its first parenthesis. False when there is none. */
static bool prototype_name(const char *prototype, char *name, size_t size)
{
	const char *end = strchr(prototype, '('), *start;

	if (!end)
		return false;
	while (end > prototype && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (start = end; start > prototype && is_word(start[-1]);)
		start--;
	if (start == end || (*start >= '0' && *start <= '9') || (size_t)(end - start) >= size)
		return false;
	memcpy(name, start, (size_t)(end - start));
	name[end - start] = '\0';
	return true;
}

int ebpf_block_function(struct ebpf_block *block, const char *prototype, struct ebpf_error *err)
{
	struct ebpf_block_function *grown;
	char name[256], *copy, *own;
	int code;

	if (!prototype_name(prototype, name, sizeof(name))) {
		ebpf_fail(err, EINVAL, "function '%.100s': not a prototype", prototype);
		ebpf_hint(err, "write it as in C: int sum(int a, struct pair *p)");
		return -EINVAL;
	}
	grown = ebpf_grow(block->functions, &block->function_capacity, block->function_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->functions = grown;
	copy = ebpf_strdup(prototype);
	if (!copy)
		return ebpf_fail_memory(err);
	own = ebpf_strdup(name);
	code = define(block, own, err);
	if (code < 0) {
		free(copy);
		return code;
	}
	block->functions[block->function_count++] =
		(struct ebpf_block_function){ .prototype = copy, .name = own, .insn = (uint32_t)block->count };
	return 0;
}

int ebpf_block_line(struct ebpf_block *block, const struct ebpf_source_line *line, struct ebpf_error *err)
{
	const struct ebpf_insn *insn = last_insn(block);
	struct ebpf_source_line *grown, copy = *line;

	if (!insn)
		return ebpf_fail(err, EINVAL, "source line '%.100s': there is no instruction yet that it could be of",
				 line->text ? line->text : "");
	grown = ebpf_grow(block->lines, &block->line_capacity, block->line_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->lines = grown;
	copy.insn = (uint32_t)(insn - block->insns);
	copy.file = ebpf_strdup(line->file ? line->file : "");
	copy.text = ebpf_strdup(line->text ? line->text : "");
	if (!copy.file || !copy.text) {
		free_line(&copy);
		return ebpf_fail_memory(err);
	}
	if (block->line_count && block->lines[block->line_count - 1].insn == copy.insn)
		free_line(&block->lines[--block->line_count]);
	block->lines[block->line_count++] = copy;
	return 0;
}

int ebpf_block_core(struct ebpf_block *block, uint32_t kind, const char *type, const char *access, struct ebpf_error *err)
{
	const struct ebpf_insn *insn = last_insn(block);
	struct ebpf_block_core *grown, copy = { .kind = kind };

	if (!insn)
		return ebpf_fail(err, EINVAL, "CO-RE of '%.100s': there is no instruction yet that it could be of", type);
	if (!ebpf_enum_name(EBPF_CORE_RELOCATION, kind))
		return ebpf_fail(err, EINVAL, "instruction %zu: there is no CO-RE relocation of kind %u",
				 (size_t)(insn - block->insns), kind);
	copy.insn = (uint32_t)(insn - block->insns);
	if (block->core_count && block->cores[block->core_count - 1].insn == copy.insn)
		return ebpf_fail(err, EINVAL, "instruction %u has a CO-RE relocation already", copy.insn);
	grown = ebpf_grow(block->cores, &block->core_capacity, block->core_count, sizeof(*grown));
	if (!grown)
		return ebpf_fail_memory(err);
	block->cores = grown;
	copy.type = ebpf_strdup(type);
	copy.access = ebpf_strdup(access);
	if (!copy.type || !copy.access) {
		free_core(&copy);
		return ebpf_fail_memory(err);
	}
	block->cores[block->core_count++] = copy;
	return 0;
}

/* -- out again -- */

const struct ebpf_insn *ebpf_block_insns(const struct ebpf_block *block, size_t *count)
{
	*count = block->count;
	return block->insns;
}

int ebpf_block_decode(struct ebpf_block *block, const void *data, size_t size, bool swapped, struct ebpf_error *err)
{
	struct ebpf_insn *insns = calloc(size / 8 + 1, sizeof(*insns));
	int code = 0;

	if (!insns)
		return ebpf_fail_memory(err);
	code = ebpf_insns_decode((struct ebpf_span){ data, size, swapped }, insns, err);
	for (size_t i = 0; i < size / 8 && code == 0; i++) {
		uint32_t upper = (uint32_t)insns[i + 1].imm;
		bool wide = ebpf_insn_is_wide(&insns[i]);

		code = ebpf_block_add(block, insns[i], (int64_t)((uint64_t)upper << 32 | (uint32_t)insns[i].imm), err);
		i += wide;
	}
	free(insns);
	return code;
}

void ebpf_block_encode(const struct ebpf_block *block, bool swapped, void *out)
{
	ebpf_insns_encode(block->insns, block->count, swapped, out);
}

bool ebpf_block_get_label(const struct ebpf_block *block, size_t index, const char **name, uint32_t *insn)
{
	if (index >= block->label_count)
		return false;
	*name = block->labels[index].name;
	*insn = block->labels[index].insn;
	return true;
}

bool ebpf_block_get_jump(const struct ebpf_block *block, size_t index, const char **label, uint32_t *insn)
{
	if (index >= block->jump_count)
		return false;
	*label = block->jumps[index].label;
	*insn = block->jumps[index].insn;
	return true;
}

bool ebpf_block_get_reference(const struct ebpf_block *block, size_t index, enum ebpf_reference *kind,
			      const char **name, int64_t *addend, uint32_t *insn)
{
	if (index >= block->reference_count)
		return false;
	*kind = block->references[index].kind;
	*name = block->references[index].name;
	*addend = block->references[index].addend;
	*insn = block->references[index].insn;
	return true;
}

bool ebpf_block_get_function(const struct ebpf_block *block, size_t index, const char **prototype, uint32_t *insn)
{
	if (index >= block->function_count)
		return false;
	*prototype = block->functions[index].prototype;
	*insn = block->functions[index].insn;
	return true;
}

bool ebpf_block_get_line(const struct ebpf_block *block, size_t index, struct ebpf_source_line *line)
{
	if (index >= block->line_count)
		return false;
	*line = block->lines[index];
	return true;
}

bool ebpf_block_get_core(const struct ebpf_block *block, size_t index, uint32_t *kind, const char **type,
			 const char **access, uint32_t *insn)
{
	if (index >= block->core_count)
		return false;
	*kind = block->cores[index].kind;
	*type = block->cores[index].type;
	*access = block->cores[index].access;
	*insn = block->cores[index].insn;
	return true;
}
