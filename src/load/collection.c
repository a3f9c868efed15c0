/* collection.c -- a Spec becomes a collection of kernel objects, wholly or not at all. */
#include <stdlib.h>

#include "load/load.h"

/* -- what is wanted -- */

static int read_options(struct ebpf_load *load, const struct ebpf_load_options *options, struct ebpf_error *err)
{
	const uint8_t *bytes = (const uint8_t *)options;

	if (!options)
		return 0;
	if (options->size < sizeof(options->size))
		return ebpf_fail(err, EINVAL, "load options: size is not set");
	for (size_t i = sizeof(*options); i < options->size; i++)
		if (bytes[i])
			return ebpf_fail(err, E2BIG,
					 "load options: a newer caller asks for what this version does not have");
	memcpy(&load->options, options, options->size < sizeof(*options) ? options->size : sizeof(*options));
	return 0;
}

static int check_byte_order(const struct ebpf_spec *spec, struct ebpf_error *err)
{
	bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	if (spec->big_endian == big)
		return 0;
	ebpf_fail(err, ENOTSUP, "object '%s': load: it is made for %s-endian machines, this one is %s-endian",
		  spec->name, big ? "little" : "big", big ? "big" : "little");
	ebpf_hint(err, "compile with -target bpf, or with -target %s", big ? "bpfeb" : "bpfel");
	return -ENOTSUP;
}

static int check_type(const struct ebpf_program_spec *program, struct ebpf_error *err)
{
	const char *nearest;

	if (program->type != BPF_PROG_TYPE_UNSPEC)
		return 0;
	if (!program->section) {
		ebpf_fail(err, EINVAL, "program '%s': load: it has no type", program->name);
		return -EINVAL;
	}
	nearest = ebpf_section_nearest(program->section);
	ebpf_fail(err, EINVAL, "program '%s': load: section \"%s\" does not say of which type it is", program->name,
		  program->section);
	if (nearest)
		ebpf_hint(err, "did you mean SEC(\"%s\")? Otherwise set the type of the program before loading",
			  nearest);
	else
		ebpf_hint(err, "use one of the known section names, or set the type of the program before loading");
	return -EINVAL;
}

/* -- functions -- */

static struct ebpf_load_function *function_of(struct ebpf_load *load, const struct ebpf_function *function)
{
	if (!function || function->mark >= load->function_count || load->functions[function->mark].function != function)
		return NULL;
	return &load->functions[function->mark];
}

static int reach(struct ebpf_load *load, struct ebpf_function *function, const char *name, struct ebpf_error *err)
{
	struct ebpf_load_function *lf = function_of(load, function);

	if (!lf || !function->insn_count)
		return ebpf_fail(err, ENOENT, "function '%s' has no code in this object", name ? name : "?");
	if (lf->walk == load->walk)
		return 0;
	lf->walk = load->walk;
	lf->start = 0;
	load->order[load->order_count++] = function;
	return 0;
}

/* The function that its tag names: nothing calls it but the kernel. */
static int reach_callback(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_error *err)
{
	const char *name = program->function->exception_callback;
	struct ebpf_function *callback = ebpf_spec_find_function(load->spec, name);

	if (!callback)
		return ebpf_fail(err, ENOENT, "its exception callback '%s' is not in this object", name);
	if (!callback->global) {
		ebpf_fail(err, EINVAL, "its exception callback '%s' is a static or hidden function", name);
		ebpf_hint(err, "remove 'static', or make it visible: the kernel verifies it by itself");
		return -EINVAL;
	}
	return reach(load, callback, name, err);
}

int ebpf_load_walk(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_error *err)
{
	int result;

	load->walk++;
	load->order_count = 0;
	result = reach(load, program->function, program->name, err);
	if (result == 0 && program->function->exception_callback)
		result = reach_callback(load, program, err);
	for (size_t i = 0; result == 0 && i < load->order_count; i++) {
		const struct ebpf_function *function = load->order[i];

		for (size_t k = 0; result == 0 && k < function->reference_count; k++) {
			const struct ebpf_spec_reference *reference = &function->references[k];

			if (reference->kind == EBPF_REF_CALL || reference->kind == EBPF_REF_FUNCTION)
				result = reach(load, reference->function, reference->name, err);
		}
	}
	return result;
}

struct ebpf_load_function *ebpf_load_function_at(struct ebpf_load *load, uint32_t insn, uint32_t *local)
{
	for (size_t i = 0; i < load->order_count; i++) {
		struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

		if (insn >= lf->start && insn - lf->start < lf->function->insn_count) {
			*local = insn - lf->start;
			return lf;
		}
	}
	return NULL;
}

/* `required`: by a program that must not fail. */
static void mark_externs(struct ebpf_load *load, const struct ebpf_function *function, bool required)
{
	for (size_t i = 0; i < function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &function->references[i];
		size_t index;

		if (reference->kind != EBPF_REF_EXTERN)
			continue;
		index = ebpf_load_extern_index(load, reference->external);
		if (index >= spec_impl(load->spec)->extern_count)
			continue;
		load->externs[index].used = true;
		load->externs[index].required = load->externs[index].required || required;
	}
}

static int survey_program(struct ebpf_load *load, size_t index, struct ebpf_error *err)
{
	const struct ebpf_program_spec *program = load->programs[index];
	bool required = !ebpf_load_may_fail(load, index);
	int result = check_type(program, err);

	if (result < 0)
		return result;
	result = ebpf_load_walk(load, program, err);
	if (result < 0)
		return ebpf_wrap(err, result, "program '%s': load", program->name);
	load->has_subprograms = load->has_subprograms || load->order_count > 1;
	for (size_t i = 0; i < load->order_count; i++) {
		struct ebpf_load_function *lf = &load->functions[load->order[i]->mark];

		if (!lf->wanted || (required && !lf->required))
			mark_externs(load, lf->function, required);
		lf->wanted = true;
		lf->required = lf->required || required;
		if (program->type < 64)
			lf->program_types |= 1ULL << program->type;
	}
	return 0;
}

/* Finds what the wanted programs are made of. */
static int survey(struct ebpf_load *load, struct ebpf_error *err)
{
	for (size_t i = 0; i < load->program_count;) {
		struct ebpf_error why = { 0 };
		int result = survey_program(load, i, &why);

		if (result < 0)
			result = ebpf_load_forgive(load, i, &why, err);
		else
			i++;
		if (result < 0)
			return result;
	}
	return 0;
}

/* -- programs -- */

/* Keeps .rodata alive as long as the program, also where the verifier removed every use of it: bpftool reads metadata
 * from there (5.10). */
static void bind_constants(struct ebpf_load *load, struct ebpf_program *program)
{
	for (size_t i = 0; i < load->spec->map_count; i++) {
		const struct ebpf_map_spec *spec = load->spec->maps[i];

		if (!load->maps[i].map || !spec->frozen || !ebpf_load_is_data(spec) ||
		    spec == spec_impl(load->spec)->kconfig)
			continue;
		/* a kernel that cannot do it takes nothing from the program */
		ebpf_program_bind_map(program, ebpf_map_fd(load->maps[i].map), NULL);
	}
}

/* What the section "version" says; 0xfffffffe there stands for the running kernel. */
static uint32_t stated_version(struct ebpf_spec *spec)
{
	uint32_t version = spec_impl(spec)->kernel_version;

	return version == 0xfffffffe ? 0 : version;
}

/* One link on all places of a USDT probe; before 6.10 such a link takes the process that it is for for a thread. */
static bool has_usdt_links(struct ebpf_load *load)
{
	return ebpf_kernel_supports(load->kernel, EBPF_FEATURE_UPROBE_MULTI) &&
	       ebpf_kernel_supports(load->kernel, EBPF_FEATURE_UPROBE_MULTI_PID) &&
	       ebpf_kernel_supports(load->kernel, EBPF_FEATURE_BPF_COOKIE);
}

/* A program for many places by one link is loaded as a plain probe where there are no such links: only so can it be
 * attached to each by itself. */
static uint32_t attach_type_of(struct ebpf_load *load, const struct ebpf_program_spec *program, const struct ebpf_section *section)
{
	if (program->type != BPF_PROG_TYPE_KPROBE)
		return program->attach_type;
	if (!program->attach_type && section && section->flags & EBPF_SECTION_USDT)
		return has_usdt_links(load) ? BPF_TRACE_UPROBE_MULTI : 0;
	if (program->attach_type == BPF_TRACE_KPROBE_MULTI && !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_KPROBE_MULTI))
		return 0;
	if (program->attach_type == BPF_TRACE_UPROBE_MULTI && !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_UPROBE_MULTI))
		return 0;
	return program->attach_type;
}

static void describe(struct ebpf_load *load, const struct ebpf_program_spec *program, const struct ebpf_linked *code,
		     struct ebpf_program_load *request)
{
	const struct ebpf_section *section = program->section ? ebpf_section_find(program->section, NULL) : NULL;

	*request = (struct ebpf_program_load){
		.name = program->name,
		.section = program->section,
		.attach_to = program->attach_to,
		.license = program->license ? program->license : load->spec->license,
		.type = program->type,
		.attach_type = attach_type_of(load, program, section),
		.attach_type_optional = section && (section->flags & EBPF_SECTION_ATTACH_OPT),
		.flags = program->flags,
		.autoattach = program->autoattach,
		.insns = code->insns,
		.insn_count = code->insn_count,
		.kernel_version = stated_version(load->spec),
		.ifindex = program->ifindex,
		.log_size = load->options.log_size,
		.log_disabled = load->options.log_disabled,
		.log_level = program->log_level ? program->log_level : load->options.log_level,
		.fd_array = load->fd_array,
		.fd_array_count = (uint32_t)load->fd_count,
		.annotate = ebpf_load_annotate,
		.annotate_context = load,
	};
	if (load->btf_fd > 0 && (code->func_count || code->line_count)) {
		request->btf_fd = load->btf_fd;
		request->func_info = code->funcs;
		request->func_info_count = (uint32_t)code->func_count;
		request->line_info = code->lines;
		request->line_info_count = (uint32_t)code->line_count;
	}
}

/* Loads linked code. Helpers that a kernel before 5.5 lacks are replaced when the kernel turns out to be such a one. */
static int load_code(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_linked *code,
		     struct ebpf_program **out, struct ebpf_error *err)
{
	struct ebpf_program_load request;
	int result;

	load->advice = NULL;
	describe(load, program, code, &request);
	result = ebpf_load_target(load, program, &request, err);
	if (result < 0)
		return ebpf_wrap(err, result, "program '%s': load", program->name);
	if (ebpf_kernel_lacks(load->kernel, EBPF_FEATURE_PROBE_READ_KERNEL))
		ebpf_linked_old_probe_read(code, true);
	result = ebpf_program_load(load->kernel, &request, out, err);
	if (result < 0 && ebpf_linked_old_probe_read(code, false) &&
	    !ebpf_kernel_supports(load->kernel, EBPF_FEATURE_PROBE_READ_KERNEL)) {
		ebpf_linked_old_probe_read(code, true);
		ebpf_error_clear(err);
		load->advice = NULL;
		result = ebpf_program_load(load->kernel, &request, out, err);
	}
	return result;
}

static struct ebpf_map *find_map(const struct ebpf_load *load, const char *name)
{
	for (size_t i = 0; i < load->spec->map_count; i++)
		if (load->maps[i].map && !strcmp(load->spec->maps[i]->name, name))
			return ebpf_map_ref(load->maps[i].map);
	return NULL;
}

/* The maps of the header usdt.bpf.h, and of libbpf's of that name: for the kind of link "usdt". */
static void give_usdt_maps(const struct ebpf_load *load, struct ebpf_program *program)
{
	if (program->type != BPF_PROG_TYPE_KPROBE)
		return;
	program->usdt_specs = find_map(load, "__bpf_usdt_specs");
	program->usdt_ids = find_map(load, "__bpf_usdt_ip_to_spec_id");
	program->close_map = ebpf_map_close;
}

static int load_program(struct ebpf_load *load, const struct ebpf_program_spec *program, struct ebpf_program **out,
			struct ebpf_error *err)
{
	struct ebpf_linked code;
	int result = ebpf_load_link(load, program, &code, err);

	if (result < 0) {
		result = ebpf_wrap(err, result, "program '%s': load", program->name);
	} else {
		result = load_code(load, program, &code, out, err);
		ebpf_linked_free(&code);
	}
	if (result < 0)
		ebpf_load_explain(load, program, err);
	if (result < 0)
		return result;
	bind_constants(load, *out);
	give_usdt_maps(load, *out);
	return 0;
}

static int load_programs(struct ebpf_load *load, struct ebpf_error *err)
{
	struct ebpf_collection *collection = load->collection;

	collection->programs = calloc(load->program_count + 1, sizeof(struct ebpf_program *));
	if (!collection->programs)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < load->program_count;) {
		struct ebpf_error why = { 0 };
		int result;

		if (ebpf_load_is_settled(load, i)) {
			ebpf_load_leave_out(load, i);
			continue;
		}
		result = load_program(load, load->programs[i], &collection->programs[i], &why);
		if (result < 0) {
			result = ebpf_load_forgive(load, i, &why, err);
			if (result < 0)
				return result;
			continue;
		}
		collection->programs[i]->optional = load->choices[i].optional;
		collection->programs[i]->group = load->choices[i].group;
		collection->program_count = ++i;
	}
	return 0;
}

/* -- the collection -- */

static const struct ebpf_load_map *map_of(const struct ebpf_load *load, const struct ebpf_map_spec *spec)
{
	size_t index = ebpf_load_map_index(load, spec);

	return index < load->spec->map_count && load->maps[index].map ? &load->maps[index] : NULL;
}

/* Variables of sections without a map (unused ones on old kernels) are left out. The names are the collection's own. */
static int collect_variables(struct ebpf_load *load, struct ebpf_error *err)
{
	struct ebpf_collection *collection = load->collection;
	const struct ebpf_spec *spec = load->spec;

	collection->variables = calloc(spec->variable_count + 1, sizeof(*collection->variables));
	if (!collection->variables)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < spec->variable_count; i++) {
		const struct ebpf_variable_spec *variable = spec->variables[i];
		const struct ebpf_load_map *map = map_of(load, variable->map);
		char *name;

		if (!map)
			continue;
		name = ebpf_strdup(variable->name);
		if (!name)
			return ebpf_fail_memory(err);
		collection->variables[collection->variable_count++] = (struct ebpf_variable){
			.name = name,
			.map = map->map,
			.offset = map->arena_offset + variable->offset,
			.size = variable->size,
			.type_id = variable->type_id,
			.read_only = variable->read_only,
		};
	}
	return 0;
}

/* Moves the maps that there are to the collection. */
static int collect_maps(struct ebpf_load *load, struct ebpf_error *err)
{
	struct ebpf_collection *collection = load->collection;

	collection->maps = calloc(load->spec->map_count + 1, sizeof(struct ebpf_map *));
	collection->map_names = calloc(load->spec->map_count + 1, sizeof(*collection->map_names));
	if (!collection->maps || !collection->map_names)
		return ebpf_fail_memory(err);
	for (size_t i = 0; i < load->spec->map_count; i++) {
		char **name = &collection->map_names[collection->map_count];

		if (!load->maps[i].map)
			continue;
		*name = ebpf_strdup(load->spec->maps[i]->name);
		if (!*name)
			return ebpf_fail_memory(err);
		collection->maps[collection->map_count++] = ebpf_map_ref(load->maps[i].map);
	}
	return 0;
}

static int start(struct ebpf_load *load, struct ebpf_error *err)
{
	struct ebpf_spec_impl *spec = spec_impl(load->spec);

	load->collection = calloc(1, sizeof(*load->collection));
	load->functions = calloc(spec->function_count + 1, sizeof(*load->functions));
	load->order = calloc(spec->function_count + 1, sizeof(struct ebpf_function *));
	load->maps = calloc(load->spec->map_count + 1, sizeof(*load->maps));
	load->externs = calloc(spec->extern_count + 1, sizeof(*load->externs));
	if (!load->collection || !load->functions || !load->order || !load->maps || !load->externs)
		return ebpf_fail_memory(err);
	load->collection->kernel = ebpf_kernel_ref(load->kernel);
	load->collection->btf = load->spec->btf ? ebpf_btf_ref(load->spec->btf) : NULL;
	load->function_count = spec->function_count;
	for (size_t i = 0; i < spec->function_count; i++) {
		spec->functions[i]->mark = (uint32_t)i;
		load->functions[i].function = spec->functions[i];
	}
	return 0;
}

static void finish(struct ebpf_load *load)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(load->kernel);

	for (size_t i = 0; i < load->function_count; i++) {
		free(load->functions[i].lines);
		free(load->functions[i].variants);
		free(load->functions[i].insns);
	}
	for (size_t i = 0; load->maps && i < load->spec->map_count; i++) {
		ebpf_map_close(load->maps[i].map);
		free(load->maps[i].instead);
		free(load->maps[i].constants);
	}
	/* programs and maps keep the types that they were made with */
	if (load->btf_fd > 0)
		sys->close(load->btf_fd);
	ebpf_core_free(load->core);
	ebpf_btf_free(load->custom_btf);
	ebpf_btf_declarations_free(load->declarations);
	ebpf_btf_builder_free(load->builder);
	ebpf_collection_free(load->collection);
	free(load->functions);
	free(load->order);
	free(load->maps);
	free(load->externs);
	free(load->programs);
	free(load->choices);
	free(load->fd_array);
}

static int run_stages(struct ebpf_load *load, struct ebpf_error *err)
{
	static int (*const stages[])(struct ebpf_load *, struct ebpf_error *) = {
		start, ebpf_load_choose, survey, ebpf_load_events, ebpf_load_types, ebpf_load_externs, ebpf_load_maps,
		load_programs, ebpf_load_values, collect_maps, collect_variables,
	};
	int result = 0;

	for (size_t i = 0; result == 0 && i < EBPF_COUNT(stages); i++)
		result = stages[i](load, err);
	return result;
}

static int run_with_token(struct ebpf_load *load, struct ebpf_error *err)
{
	struct ebpf_token *before = ebpf_kernel_token(load->kernel);
	int result;

	if (!load->options.token)
		return run_stages(load, err);
	before = before ? ebpf_token_ref(before) : NULL;
	ebpf_kernel_use_token(load->kernel, load->options.token);
	result = run_stages(load, err);
	ebpf_kernel_use_token(load->kernel, before);
	ebpf_token_close(before);
	return result;
}

int ebpf_collection_load(struct ebpf_spec *spec, struct ebpf_kernel *kernel, const struct ebpf_load_options *options,
			 struct ebpf_collection **out, struct ebpf_error *err)
{
	struct ebpf_load load = { .spec = spec, .kernel = kernel };
	int result = read_options(&load, options, err);

	if (result == 0)
		result = check_byte_order(spec, err);
	if (result == 0)
		result = ebpf_spec_resolve(spec, err);
	if (result < 0)
		return result;
	result = run_with_token(&load, err);
	if (result == 0) {
		*out = load.collection;
		load.collection = NULL;
	} else {
		ebpf_load_name_object(&load, err);
		if (load.maps)
			ebpf_load_unpin(&load);
	}
	finish(&load);
	return result;
}

void ebpf_collection_free(struct ebpf_collection *collection)
{
	if (!collection)
		return;
	for (size_t i = 0; i < collection->variable_count; i++)
		free((char *)(uintptr_t)collection->variables[i].name);
	for (size_t i = 0; i < collection->program_count; i++)
		ebpf_program_close(collection->programs[i]);
	for (size_t i = 0; i < collection->map_count; i++) {
		ebpf_map_close(collection->maps[i]);
		free(collection->map_names[i]);
	}
	for (size_t i = 0; i < collection->failure_count; i++) {
		free(collection->failures[i].program);
		ebpf_error_clear(&collection->failures[i].error);
	}
	free(collection->failures);
	free(collection->variables);
	free(collection->programs);
	free(collection->maps);
	free(collection->map_names);
	ebpf_btf_free(collection->btf);
	ebpf_kernel_free(collection->kernel);
	free(collection);
}

struct ebpf_map *ebpf_collection_map(const struct ebpf_collection *collection, const char *name)
{
	for (size_t i = 0; i < collection->map_count; i++)
		if (!strcmp(collection->map_names[i], name))
			return collection->maps[i];
	return NULL;
}

struct ebpf_program *ebpf_collection_program(const struct ebpf_collection *collection, const char *name)
{
	for (size_t i = 0; i < collection->program_count; i++)
		if (!strcmp(ebpf_program_name(collection->programs[i]), name))
			return collection->programs[i];
	return NULL;
}
