/* log.c -- makes a verifier's refusal readable: names where the log shows the numbers that stand for what is missing,
 * and the place in the source. */
#include <stdio.h>
#include <stdlib.h>

#include "load/load.h"

/* "123: (85) call unknown#2001000004" -> 123 and 2001000004. */
static bool parse_call(const char *line, const char *end, uint32_t *insn, uint32_t *helper)
{
	unsigned long long number;
	const char *mark;
	char *after;

	number = strtoull(line, &after, 10);
	if (after == line || *after != ':' || number > UINT32_MAX)
		return false;
	mark = memmem(after, (size_t)(end - after), "call unknown#", 13);
	if (!mark)
		return false;
	*insn = (uint32_t)number;
	*helper = (uint32_t)strtoul(mark + 13, NULL, 10);
	return true;
}

/* What a call of this impossible helper stands for, as lines for the log; false when it is none of ours. */
static bool name_poison(struct ebpf_load *load, uint32_t insn, uint32_t helper, struct ebpf_buffer *out)
{
	const struct ebpf_spec_impl *spec = spec_impl(load->spec);
	struct ebpf_load_function *lf;
	const char *why;
	uint32_t local;

	if (helper >= EBPF_POISON_MAP && helper - EBPF_POISON_MAP < load->spec->map_count) {
		ebpf_buffer_printf(out,
				   "%u: <use of a map that does not exist>\nmap '%s' was not created, but the program "
				   "can get here\n",
				   insn, load->spec->maps[helper - EBPF_POISON_MAP]->name);
		load->advice = "let the map be created (autocreate), give one to use instead, or keep the code from "
			       "being reached by a constant";
		return true;
	}
	if (helper >= EBPF_POISON_KFUNC && helper - EBPF_POISON_KFUNC < spec->extern_count) {
		ebpf_buffer_printf(out,
				   "%u: <call of a kernel function that does not exist>\nkernel function '%s' %s, but the "
				   "program can get here\n",
				   insn, spec->externs[helper - EBPF_POISON_KFUNC]->name,
				   load->externs[helper - EBPF_POISON_KFUNC].other_type ?
					   "is declared with another type than this kernel's" :
					   "was not found");
		load->advice = "test the function's address, bpf_ksym_exists(), before the call";
		return true;
	}
	lf = load->core ? ebpf_load_function_at(load, insn, &local) : NULL;
	why = lf ? ebpf_core_explain(load->core, lf->function, local) : NULL;
	if (!why)
		return false;
	ebpf_buffer_printf(out, "%u: <CO-RE relocation without a match>\n%s\n", insn, why);
	load->advice = "guard the access with bpf_core_field_exists() or bpf_core_type_exists(), or declare the type "
		       "as this kernel has it (a flavour)";
	return true;
}

/* The verifier shows such a call in two lines, "N: (85) call unknown#X" and "invalid func unknown#X": both give way to
 * words. */
void ebpf_load_annotate(void *context, char **log)
{
	struct ebpf_load *load = context;
	struct ebpf_buffer out = { 0 };
	const char *line = *log, *previous = NULL, *end;
	size_t previous_at = 0;
	uint32_t insn, helper;
	bool changed = false;

	for (; line && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (ebpf_starts_with(line, "invalid func unknown#") && previous &&
		    parse_call(previous, line, &insn, &helper)) {
			struct ebpf_buffer words = { 0 };

			if (name_poison(load, insn, helper, &words) && !words.failed && !out.failed) {
				out.size = previous_at;
				ebpf_buffer_add(&out, words.data, words.size);
				changed = true;
			}
			ebpf_buffer_free(&words);
			if (changed) {
				previous = NULL;
				continue;
			}
		}
		previous = line;
		previous_at = out.size;
		ebpf_buffer_add(&out, line, (size_t)(end - line) + (*end == '\n'));
	}
	if (changed && !out.failed) {
		free(*log);
		*log = out.data;
		return;
	}
	ebpf_buffer_free(&out);
}

/* The instruction that the log speaks of last. */
static bool last_instruction(const char *log, uint32_t *insn)
{
	bool found = false;

	for (const char *line = log; line; line = strchr(line, '\n')) {
		unsigned long number;
		char *after;

		line += *line == '\n';
		if (*line < '0' || *line > '9')
			continue;
		number = strtoul(line, &after, 10);
		if (after[0] == ':' && after[1] == ' ' && (after[2] == '(' || after[2] == '<') &&
		    number <= UINT32_MAX) {
			*insn = (uint32_t)number;
			found = true;
		}
	}
	return found;
}

/* Of the refused instruction, or of the one that could not be made ready. */
static const struct ebpf_spec_line *source_line(struct ebpf_load *load, const char *log)
{
	struct ebpf_load_function *lf;
	uint32_t insn, local;

	if (!log)
		return load->function && load->insn != UINT32_MAX ? ebpf_function_line(load->function, load->insn) : NULL;
	if (!last_instruction(log, &insn))
		return NULL;
	lf = ebpf_load_function_at(load, insn, &local);
	return lf ? ebpf_function_line(lf->function, local) : NULL;
}

/* ", f.c:12: x = y", as far as the message does not have it yet. */
static void add_source(struct ebpf_load *load, const struct ebpf_error *err, struct ebpf_buffer *where)
{
	const struct ebpf_spec_line *line = source_line(load, err->log);
	const char *text;
	char place[128];

	if (!line || !line->file || !*line->file)
		return;
	text = line->line ? line->line + strspn(line->line, " \t") : "";
	snprintf(place, sizeof(place), "%s:%u", ebpf_spec_line_file(line), line->number);
	if (!strstr(err->message, place))
		ebpf_buffer_printf(where, ", %s", place);
	if (*text && !strstr(err->message, text))
		ebpf_buffer_printf(where, ": %.160s", text);
}

void ebpf_load_explain(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_error *err)
{
	struct ebpf_buffer where = { 0 };
	size_t used;

	if (!err)
		return;
	ebpf_buffer_printf(&where, " [object '%s'", load->spec->name ? load->spec->name : "");
	if (program->section)
		ebpf_buffer_printf(&where, ", section \"%s\"", program->section);
	add_source(load, err, &where);
	ebpf_buffer_printf(&where, "]");
	used = strlen(err->message);
	if (!where.failed && used + where.size < sizeof(err->message))
		memcpy(err->message + used, where.data, where.size + 1);
	ebpf_buffer_free(&where);
	if (load->advice)
		ebpf_hint(err, "%s", load->advice);
	else if (!err->hint[0] && load->btf_problem[0])
		ebpf_hint(err, "the kernel refused the object's types, so it knows none of this program's: %s",
			  load->btf_problem);
}

void ebpf_load_name_object(const struct ebpf_load *load, struct ebpf_error *err)
{
	size_t used;

	if (!err || !load->spec->name || !*load->spec->name || strstr(err->message, "object '"))
		return;
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, " [object '%.200s']", load->spec->name);
}

void ebpf_load_user(const struct ebpf_load *load, const struct ebpf_extern *external, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < load->function_count; i++) {
		const struct ebpf_function *function = load->functions[i].function;

		for (size_t k = 0; load->functions[i].wanted && k < function->reference_count; k++) {
			const struct ebpf_spec_reference *reference = &function->references[k];
			const struct ebpf_spec_line *line = ebpf_function_line(function, reference->insn);

			if (reference->kind != EBPF_REF_EXTERN || reference->external != external)
				continue;
			snprintf(text, size, " (in '%.100s')", function->name);
			if (line && *line->file)
				snprintf(text, size, " (in '%.100s', %.100s:%u)", function->name, ebpf_spec_line_file(line), line->number);
			return;
		}
	}
}
