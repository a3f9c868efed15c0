/* spec_fuzz.c -- libFuzzer: any bytes as a BPF object. */
#include "fuzz.h"
#include "spec/spec.h"

enum { memory_times = 48 };

static void walk(struct ebpf_spec *spec)
{
	struct ebpf_spec_impl *impl = spec_impl(spec);
	size_t sum = 0;

	for (size_t i = 0; i < impl->function_count; i++) {
		const struct ebpf_function *function = impl->functions[i];

		for (size_t r = 0; r < function->reference_count; r++)
			if (function->references[r].insn >= function->insn_count || !function->references[r].map ||
			    !function->references[r].name)
				abort();
		for (size_t l = 0; l < function->line_count; l++)
			sum += strlen(function->lines[l].file) + *function->lines[l].line;
		for (size_t r = 0; r < function->relo_count; r++)
			sum += strlen(function->relos[r].access);
	}
	for (size_t i = 0; i < spec->variable_count; i++) {
		const struct ebpf_variable_spec *variable = spec->variables[i];

		if (variable->map->data && variable->size)
			sum += variable->map->data[variable->offset + variable->size - 1];
	}
	for (size_t i = 0; i < spec->map_count; i++)
		for (size_t v = 0; v < spec->maps[i]->value_count; v++)
			sum += strlen(spec->maps[i]->values[v].name);
	if (sum == SIZE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	int result;

	fuzz_watch_begin();
	result = ebpf_spec_read(data, size, "fuzz", &spec, &err);
	fuzz_watch_end(size, memory_times);
	if (!result) {
		walk(spec);
		ebpf_spec_free(spec);
	} else if (err.code != -result || !*err.message || spec) {
		abort();
	}
	ebpf_error_clear(&err);
	return 0;
}
