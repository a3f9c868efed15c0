/* kconfig_fuzz.c -- libFuzzer: any text as the configuration of a kernel, asked for variables of each type. */
#include "../c/btf_writer.h"
#include "fuzz.h"
#include "load/load.h"

enum { VARIABLES = 12 };

struct variable {
	const char *name;
	uint32_t type, size;
};

/* The types that an option may have. Returns how many variables there are. */
static size_t make_variables(struct writer *w, struct variable *variables)
{
	uint32_t u8 = w_int(w, "char", 1, BTF_INT_SIGNED, 0, 8), boolean = w_int(w, "bool", 1, BTF_INT_BOOL, 0, 8);
	uint32_t s16 = w_int(w, "short", 2, BTF_INT_SIGNED, 0, 16), s32 = w_int(w, "int", 4, BTF_INT_SIGNED, 0, 32);
	uint32_t u32 = w_int(w, "unsigned", 4, 0, 0, 32), u64 = w_int(w, "unsigned long", 8, 0, 0, 64);
	uint32_t tristate = w_type(w, "libbpf_tristate", BTF_KIND_ENUM, false, 3, 4), text;
	size_t count = 0;

	w_pair(w, "TRI_NO", 0);
	w_pair(w, "TRI_YES", 1);
	w_pair(w, "TRI_MODULE", 2);
	text = w_array(w, u8, u32, 20);
	variables[count++] = (struct variable){ "CONFIG_A", u8, 1 };
	variables[count++] = (struct variable){ "CONFIG_B", boolean, 1 };
	variables[count++] = (struct variable){ "CONFIG_C", s16, 2 };
	variables[count++] = (struct variable){ "CONFIG_D", s32, 4 };
	variables[count++] = (struct variable){ "CONFIG_E", u32, 4 };
	variables[count++] = (struct variable){ "CONFIG_F", u64, 8 };
	variables[count++] = (struct variable){ "CONFIG_G", tristate, 4 };
	variables[count++] = (struct variable){ "CONFIG_H", text, 20 };
	variables[count++] = (struct variable){ "CONFIG_I", w_array(w, u8, u32, 1), 1 };
	return count;
}

/* All options at once, and each alone, so that an error does not hide those behind it. */
static void ask(struct ebpf_load *load, struct ebpf_spec_impl *spec, const char *text)
{
	for (size_t first = 0; first <= spec->extern_count; first++) {
		size_t size = spec->kconfig_size;
		struct ebpf_error err = { 0 };
		uint8_t *data = calloc(1, size); /* of just that size: a step outside is seen */
		int result;

		if (!data)
			abort();
		for (size_t i = 0; i < spec->extern_count; i++)
			load->externs[i].used = first == spec->extern_count || i == first;
		load->options.kconfig = text;
		result = ebpf_load_kconfig(load, data, size, &err);
		if (result < 0 && (err.code != -result || !*err.message))
			abort();
		ebpf_error_clear(&err);
		free(data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct variable variables[VARIABLES];
	struct ebpf_extern externs[VARIABLES], *pointers[VARIABLES];
	struct ebpf_load_extern found[VARIABLES] = { { 0 } };
	struct ebpf_spec_impl spec = { .externs = pointers };
	struct ebpf_load load = { .spec = &spec.public, .externs = found };
	struct writer *w = calloc(1, sizeof *w);
	char *text = malloc(size + 1);
	uint32_t ids[VARIABLES];

	if (!w || !text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	w_start(w, false, NULL, 0);
	spec.extern_count = make_variables(w, variables);
	for (size_t i = 0; i < spec.extern_count; i++)
		ids[i] = w_var(w, variables[i].name, variables[i].type, 2);
	spec.public.btf = w_read(w, NULL, NULL);
	if (!spec.public.btf)
		abort();
	for (size_t i = 0; i < spec.extern_count; i++) {
		pointers[i] = &externs[i];
		externs[i] = (struct ebpf_extern){ .name = (char *)variables[i].name, .kind = EBPF_EXTERN_KCONFIG, .weak = i & 1,
						   .type_id = ids[i], .size = variables[i].size, .alignment = 1,
						   .offset = spec.kconfig_size };
		spec.kconfig_size += variables[i].size;
	}
	ask(&load, &spec, text);
	ebpf_btf_free(spec.public.btf);
	free(text);
	free(w);
	return 0;
}
