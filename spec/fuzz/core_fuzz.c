/* core_fuzz.c -- libFuzzer: CO-RE with hostile types, access strings and instructions.
 *
 * An input: one byte of options (bit 0: the local types are the target as well, else a small one made here), one byte
 * with the number of relocations, for each of them 6 bytes (instruction, kind, type id and string offset in 16 bits
 * each), 16 instructions, and the local BTF. */
#include "../c/btf_writer.h"
#include "load/core_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INSNS = 16, RELOS = 32 };

/* struct s { struct { u32 a; u32 bits : 3; }; e en; u32 arr[4]; struct s *next; u32 flex[]; }, in two flavours. */
static struct ebpf_btf *make_target(void)
{
	struct writer *w = calloc(1, sizeof *w);
	struct ebpf_btf *btf;
	uint32_t u32, en, arr, flex, inner, pointer;

	w_start(w, false, NULL, 0);
	u32 = w_int(w, "int", 4, BTF_INT_SIGNED, 0, 32);
	en = w_type(w, "e", BTF_KIND_ENUM, true, 2, 4);
	w_pair(w, "A", 1);
	w_pair(w, "B", 2);
	arr = w_array(w, u32, u32, 4);
	flex = w_array(w, u32, u32, 0);
	inner = w_type(w, "", BTF_KIND_STRUCT, true, 2, 8);
	w_member(w, "a", u32, 0);
	w_member(w, "bits", u32, 3 << 24 | 35);
	pointer = w_type(w, "", BTF_KIND_PTR, false, 0, w->count + 2);
	for (int i = 0; i < 2; i++) {
		w_type(w, i ? "s___2" : "s", BTF_KIND_STRUCT, false, 5, 40);
		w_member(w, "", inner, 0);
		w_member(w, "en", en, 64);
		w_member(w, "arr", arr, 96);
		w_member(w, "next", pointer, 256);
		w_member(w, "flex", flex, 320);
	}
	btf = w_read(w, NULL, NULL);
	free(w);
	return btf;
}

static size_t read_relos(const uint8_t *data, size_t count, const struct ebpf_btf *local, struct ebpf_spec_relo *relos)
{
	for (size_t i = 0; i < count; i++, data += 6)
		relos[i] = (struct ebpf_spec_relo){ .insn = data[0] % (INSNS + 2), .kind = data[1] % (CORE_KIND_COUNT + 1),
						    .type_id = data[2] | (uint32_t)data[3] << 8,
						    .access = ebpf_btf_string(local, data[4] | (uint32_t)data[5] << 8) };
	return count;
}

static int64_t map_id(void *context, uint32_t local_id)
{
	(void)context;
	return local_id % 7 == 6 ? -ENOENT : local_id;
}

/* One relocation at a time, so that an error does not hide those behind it. */
static void relocate(struct ebpf_core *core, struct ebpf_function *function, size_t count)
{
	struct ebpf_spec_relo *relos = function->relos;
	struct ebpf_insn insns[INSNS];
	struct ebpf_error err = { 0 };

	memcpy(insns, function->insns, sizeof insns);
	for (size_t i = 0; i < count; i++) {
		function->relos = &relos[i];
		ebpf_core_relocate(core, function, insns, &err);
		ebpf_core_explain(core, function, relos[i].insn);
	}
	ebpf_error_clear(&err);
}

/* What the relocations need of the target does as well as all of it, but for the ids of types. */
static void minimize(struct ebpf_btf *local, struct ebpf_btf *target, struct ebpf_function *function,
		     struct ebpf_spec_relo *relos, size_t count)
{
	struct ebpf_function *functions[] = { function };
	struct ebpf_spec_impl impl = { .public = { .name = (char *)"s", .btf = local }, .functions = functions, .function_count = 1 };
	struct ebpf_spec *spec = &impl.public;
	struct ebpf_btf *small = NULL, *targets[2] = { target };
	struct ebpf_insn insns[2][INSNS];
	int codes[2];

	function->relos = relos;
	function->relo_count = count;
	for (size_t i = 0; i < count; i++)
		if (function->relos[i].kind == CORE_TYPE_ID_TARGET)
			function->relos[i].kind = CORE_TYPE_EXISTS;
	if (ebpf_btf_minimize(target, &spec, 1, &small, NULL))
		return;
	targets[1] = small;
	for (int i = 0; i < 2; i++) {
		struct ebpf_core *core = NULL;

		if (ebpf_core_new(NULL, local, targets[i], &core, NULL))
			abort();
		memcpy(insns[i], function->insns, sizeof insns[i]);
		codes[i] = ebpf_core_relocate(core, function, insns[i], NULL);
		ebpf_core_free(core);
	}
	if (codes[0] != codes[1] || (!codes[0] && memcmp(insns[0], insns[1], sizeof insns[0])))
		abort();
	ebpf_btf_free(small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_spec_relo relos[RELOS];
	struct ebpf_insn insns[INSNS];
	struct ebpf_function function = {
		.name = (char *)"f", .insns = insns, .insn_count = INSNS, .relos = relos, .relo_count = 1
	};
	struct ebpf_btf *local = NULL, *target = NULL;
	struct ebpf_core *core = NULL;
	size_t count;

	if (size < 2 || data[1] > RELOS || size < 2 + (size_t)data[1] * 6 + sizeof insns)
		return 0;
	count = data[1];
	memcpy(insns, data + 2 + count * 6, sizeof insns);
	if (ebpf_btf_read(data + 2 + count * 6 + sizeof insns, size - 2 - count * 6 - sizeof insns, NULL, &local, NULL))
		return 0;
	target = data[0] & 1 ? ebpf_btf_ref(local) : make_target();
	if (!ebpf_core_new(NULL, local, target, &core, NULL)) {
		core->work_left = 1 << 14;
		ebpf_core_set_local_ids(core, map_id, NULL);
		relocate(core, &function, read_relos(data + 2, count, local, relos));
	}
	ebpf_core_free(core);
	if (core)
		minimize(local, target, &function, relos, count);
	ebpf_btf_free(target);
	ebpf_btf_free(local);
	return 0;
}
