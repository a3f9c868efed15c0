/* choice.c -- which programs of a Spec are loaded: those that are asked for, with what may fail among them.
 *
 * A program that is optional may fail, and so may one of alternatives as long as another of them loads. The alternatives
 * of a group stand next to each other in load->programs, in the order of the group, whatever the Spec's is: so whoever
 * attaches a collection's programs in their order tries them in theirs. Of a group, the first that loads is enough when
 * its place is certain then; a kprobe's, say, turns out when it is attached alone, and the next is loaded as well.
 */
#include <stdlib.h>

#include "load/load.h"

static int unknown_program(const struct ebpf_spec *spec, const char *name, struct ebpf_error *err)
{
	const char **names = calloc(spec->program_count + 1, sizeof(*names)), *nearest;

	ebpf_fail(err, ENOENT, "program '%s': load: object '%s' has no such program", name, spec->name);
	for (size_t i = 0; names && i < spec->program_count; i++)
		names[i] = spec->programs[i]->name;
	nearest = names ? ebpf_nearest(name, names, spec->program_count) : NULL;
	if (nearest)
		ebpf_hint(err, "did you mean '%s'?", nearest);
	free(names);
	return -ENOENT;
}

static int check_names(const struct ebpf_spec *spec, const char *const *names, size_t count, struct ebpf_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!ebpf_spec_find_program(spec, names[i]))
			return unknown_program(spec, names[i], err);
	return 0;
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* Every name is that of a program, and in one group at most. */
static int check_alternatives(struct ebpf_load *load, struct ebpf_error *err)
{
	const struct ebpf_strings *groups = load->options.alternatives;
	int result = 0;

	for (size_t i = 0; result == 0 && i < load->options.alternative_count; i++) {
		result = check_names(load->spec, groups[i].items, groups[i].count, err);
		for (size_t k = 0; result == 0 && k < groups[i].count; k++) {
			const char *name = groups[i].items[k];
			bool twice = is_among(groups[i].items, k, name);

			for (size_t earlier = 0; !twice && earlier < i; earlier++)
				twice = is_among(groups[earlier].items, groups[earlier].count, name);
			if (twice)
				result = ebpf_fail(err, EINVAL, "program '%s': load: it is named twice among the alternatives", name);
			else if (ebpf_spec_find_program(load->spec, name)->type == BPF_PROG_TYPE_STRUCT_OPS)
				result = ebpf_fail(err, EINVAL, "program '%s': load: a part of a struct_ops map has no alternatives", name);
		}
	}
	return result;
}

/* From 1; 0 = none. */
static uint32_t group_of(const struct ebpf_load *load, const char *name)
{
	for (size_t i = 0; i < load->options.alternative_count; i++)
		if (is_among(load->options.alternatives[i].items, load->options.alternatives[i].count, name))
			return (uint32_t)i + 1;
	return 0;
}

static bool is_optional(const struct ebpf_load *load, const struct ebpf_program_spec *program)
{
	const struct ebpf_load_options *options = &load->options;

	return program->optional || options->all_optional || is_among(options->optional.items, options->optional.count, program->name);
}

static bool is_wanted(const struct ebpf_load *load, const struct ebpf_program_spec *program)
{
	const struct ebpf_load_options *options = &load->options;

	if (options->programs)
		return is_among(options->programs, options->program_count, program->name);
	if (group_of(load, program->name))
		return true;
	return program->type == BPF_PROG_TYPE_STRUCT_OPS ? ebpf_load_struct_ops_wanted(load->spec, program) : program->autoload;
}

static void add(struct ebpf_load *load, struct ebpf_program_spec *program, uint32_t group, bool optional)
{
	load->choices[load->program_count] = (struct ebpf_load_choice){ group, optional };
	load->programs[load->program_count++] = program;
}

/* The wanted ones of a group, which is optional when all of them are. */
static void add_group(struct ebpf_load *load, uint32_t group)
{
	const struct ebpf_strings *names = &load->options.alternatives[group - 1];
	bool optional = true;

	for (size_t i = 0; i < names->count; i++)
		optional = optional && is_optional(load, ebpf_spec_find_program(load->spec, names->items[i]));
	for (size_t i = 0; i < names->count; i++) {
		struct ebpf_program_spec *program = ebpf_spec_find_program(load->spec, names->items[i]);

		if (is_wanted(load, program))
			add(load, program, group, optional);
	}
}

static bool has_group(const struct ebpf_load *load, uint32_t group)
{
	for (size_t i = 0; i < load->program_count; i++)
		if (load->choices[i].group == group)
			return true;
	return false;
}

int ebpf_load_choose(struct ebpf_load *load, struct ebpf_error *err)
{
	const struct ebpf_load_options *options = &load->options;
	struct ebpf_spec *spec = load->spec;
	int result = check_names(spec, options->programs, options->programs ? options->program_count : 0, err);

	if (result == 0)
		result = check_names(spec, options->optional.items, options->optional.count, err);
	if (result == 0)
		result = check_alternatives(load, err);
	if (result < 0)
		return result;
	load->programs = calloc(spec->program_count + 1, sizeof(struct ebpf_program_spec *));
	load->choices = calloc(spec->program_count + 1, sizeof(*load->choices));
	load->collection->failures = calloc(spec->program_count + 1, sizeof(*load->collection->failures));
	if (!load->programs || !load->choices || !load->collection->failures)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < spec->program_count; i++) {
		struct ebpf_program_spec *program = spec->programs[i];
		uint32_t group = group_of(load, program->name);

		if (!is_wanted(load, program))
			continue;
		if (!group)
			add(load, program, 0, is_optional(load, program));
		else if (!has_group(load, group))
			add_group(load, group);
	}
	load->chosen_count = load->program_count;
	return 0;
}

bool ebpf_load_may_fail(const struct ebpf_load *load, size_t index)
{
	return load->choices[index].optional || load->choices[index].group;
}

void ebpf_load_leave_out(struct ebpf_load *load, size_t index)
{
	struct ebpf_program_spec *program = load->programs[index];
	size_t after = load->chosen_count - index - 1;

	memmove(&load->programs[index], &load->programs[index + 1], after * sizeof(struct ebpf_program_spec *));
	memmove(&load->choices[index], &load->choices[index + 1], after * sizeof(*load->choices));
	load->programs[load->chosen_count - 1] = program;
	load->program_count--;
}

bool ebpf_load_is_left_out(const struct ebpf_load *load, const char *name)
{
	for (size_t i = load->program_count; i < load->chosen_count; i++)
		if (!strcmp(load->programs[i]->name, name))
			return true;
	return false;
}

int ebpf_load_forgive(struct ebpf_load *load, size_t index, struct ebpf_error *why, struct ebpf_error *err)
{
	struct ebpf_collection *collection = load->collection;
	struct ebpf_load_choice choice = load->choices[index];
	struct ebpf_load_failure *failure = &collection->failures[collection->failure_count];
	int code = -why->code;

	failure->program = code == -ENOMEM ? NULL : ebpf_strdup(load->programs[index]->name);
	if (!failure->program) {
		ebpf_error_clear(why);
		return ebpf_fail_memory(err);
	}
	ebpf_load_leave_out(load, index);
	if (choice.optional || (choice.group && has_group(load, choice.group))) {
		ebpf_error_move(&failure->error, why);
		failure->optional = choice.optional;
		collection->failure_count++;
		return 0;
	}
	free(failure->program);
	failure->program = NULL;
	/* the last of its group: why the first could not be loaded is what the user asks first */
	for (size_t i = 0; choice.group && i < collection->failure_count; i++)
		if (group_of(load, collection->failures[i].program) == choice.group)
			ebpf_hint(why, "nor could its alternative: %s", collection->failures[i].error.message);
	ebpf_error_move(err, why);
	return code;
}

/* Loading such a program finds the function it is for; what can fail afterwards is the kernel's way of calling it. */
static bool is_certain(const struct ebpf_load *load, const struct ebpf_program_spec *program)
{
	if (program->type == BPF_PROG_TYPE_TRACING && (program->attach_type == BPF_TRACE_RAW_TP || program->attach_type == BPF_TRACE_ITER))
		return true;
	if (program->type == BPF_PROG_TYPE_LSM && program->attach_type == BPF_LSM_CGROUP)
		return false;
	if (program->type == BPF_PROG_TYPE_TRACING || program->type == BPF_PROG_TYPE_LSM || program->type == BPF_PROG_TYPE_EXT)
		return ebpf_kernel_supports(load->kernel, EBPF_FEATURE_TRAMPOLINE);
	return false;
}

bool ebpf_load_is_settled(const struct ebpf_load *load, size_t index)
{
	uint32_t group = load->choices[index].group;

	for (size_t i = index; group && i-- > 0 && load->choices[i].group == group;)
		if (is_certain(load, load->programs[i]))
			return true;
	return false;
}
