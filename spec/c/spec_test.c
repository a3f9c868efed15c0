/* The room src/spec: what is read out of the objects of spec/bpf, in both byte orders; editing; Specs made by hand.
 * Objects: EBPF_TEST_OBJECTS or the first argument, default build/spec/bpf; those in the other byte order in its folder "big". */
#include <stdlib.h>

#include "spec/spec.h"
#include "test.h"

static const char *directory = "build/spec/bpf";

static struct ebpf_spec *read_spec(const char *name, bool other_order)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s%s.bpf.o", directory, other_order ? "big/" : "", name);
	if (ebpf_spec_read_file(path, &spec, &err)) {
		fprintf(stderr, "not ok: %s\n", err.message);
		test_failures++;
	}
	ebpf_error_clear(&err);
	return spec;
}

static const struct ebpf_map_spec *check_map(struct ebpf_spec *spec, const char *name, uint32_t type, uint32_t key_size,
                                             uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	const struct ebpf_map_spec *map = ebpf_spec_find_map(spec, name);

	if (!map) {
		fprintf(stderr, "not ok: no map %s\n", name);
		test_failures++;
		exit(1);
	}
	CHECK_INT(map->type, type);
	CHECK_INT(map->key_size, key_size);
	CHECK_INT(map->value_size, value_size);
	CHECK_INT(map->max_entries, max_entries);
	CHECK_INT(map->flags, flags);
	CHECK(map->autocreate);
	return map;
}

static void check_type(struct ebpf_spec *spec, uint32_t id, const char *name)
{
	CHECK_INT(id, ebpf_btf_find(spec->btf, name));
}

static void test_maps(struct ebpf_spec *spec)
{
	const struct ebpf_map_spec *map;
	size_t defined = 0;

	for (size_t i = 0; i < spec->map_count; i++)
		defined += !strcmp(spec->maps[i]->section, ".maps");
	CHECK_INT(defined, 16);
	CHECK_STR(spec->name, "spec_maps");
	CHECK_STR(spec->license, "Dual MIT/GPL");
	CHECK_INT(spec_impl(spec)->kernel_version, 0x00060102);
	map = check_map(spec, "hash", BPF_MAP_TYPE_HASH, 8, 24, 1024, 0);
	check_type(spec, map->key_type_id, "struct key");
	check_type(spec, map->value_type_id, "struct value");
	CHECK_STR(map->section, ".maps");
	CHECK(!map->pin_by_name && !map->data && !map->frozen);
	map = check_map(spec, "sized", BPF_MAP_TYPE_LRU_PERCPU_HASH, 16, 24, 7, 2);
	CHECK_INT(map->key_type_id, 0);
	map = check_map(spec, "both", BPF_MAP_TYPE_ARRAY, 4, 8, 3, BPF_F_NUMA_NODE);
	CHECK_INT(map->numa_node, 1);
	check_map(spec, "counters", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 16, 2, 0);
	check_map(spec, "more_counters", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 16, 2, 0);
	CHECK(check_map(spec, "pinned", BPF_MAP_TYPE_HASH, 4, 4, 1, 0)->pin_by_name);
	CHECK_INT(check_map(spec, "bloom", BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 100, 0)->map_extra, 5);
	check_map(spec, "plain_ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 5000, 0);
	map = check_map(spec, "ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	check_type(spec, map->value_type_id, "struct event");
	map = check_map(spec, "perf", BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 0, 0);
	check_type(spec, map->value_type_id, "struct event");
	CHECK(!ebpf_spec_find_map(spec, ".maps") && !ebpf_spec_find_map(spec, "nothing"));
	check_map(spec, "weak_queue", BPF_MAP_TYPE_QUEUE, 0, 4, 16, 0);
}

static void check_value(const struct ebpf_map_spec *map, size_t i, uint32_t index, const char *name)
{
	if (i >= map->value_count) {
		CHECK(!"value is there");
		return;
	}
	CHECK_INT(map->values[i].index, index);
	CHECK_STR(map->values[i].name, name);
}

static void test_map_values(struct ebpf_spec *spec)
{
	const struct ebpf_map_spec *map = check_map(spec, "outer_array", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 8, 0);

	CHECK_INT(map->value_count, 3);
	check_value(map, 0, 0, "inner_a");
	check_value(map, 1, 3, "inner_b");
	check_value(map, 2, 5, "inner_a");
	CHECK(map->inner != NULL);
	CHECK_STR(map->inner->name, "outer_array.inner");
	CHECK_INT(map->inner->type, BPF_MAP_TYPE_ARRAY);
	CHECK_INT(map->inner->value_size, 8);
	CHECK_INT(map->inner->max_entries, 4);
	map = check_map(spec, "outer_hash", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 2, 0);
	CHECK_INT(map->value_count, 0);
	CHECK(map->inner != NULL);
	CHECK_INT(map->inner->type, BPF_MAP_TYPE_LRU_HASH);
	CHECK_INT(map->inner->key_size, 8);
	CHECK_INT(map->inner->value_size, 12);
	map = check_map(spec, "programs", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0);
	CHECK_INT(map->value_count, 2);
	check_value(map, 0, 1, "tail_one");
	check_value(map, 1, 2, "tail_two");
	CHECK(map->inner == NULL);
}

/* Every reference points at an instruction of the right shape and has what it needs; all lists are sorted. */
static void check_function(const struct ebpf_function *function)
{
	for (size_t i = 0; i < function->reference_count; i++) {
		const struct ebpf_spec_reference *reference = &function->references[i];
		const struct ebpf_insn *insn = &function->insns[reference->insn];

		CHECK(reference->insn < function->insn_count && reference->map && reference->name);
		CHECK(!i || reference[-1].insn < reference->insn);
		CHECK_INT(insn->imm, insn->code == EBPF_CALL ? -1 : 0);
		CHECK(insn->code == EBPF_CALL || (insn->code == EBPF_LD_IMM64 && insn[1].imm == 0));
	}
	for (size_t i = 0; i < function->line_count; i++) {
		CHECK(function->lines[i].insn < function->insn_count &&
		      (!i || function->lines[i - 1].insn <= function->lines[i].insn));
		CHECK(*function->lines[i].file); /* the number may be 0, for code that two lines share */
	}
	for (size_t i = 0; i < function->relo_count; i++)
		CHECK(function->relos[i].insn < function->insn_count &&
		      (!i || function->relos[i - 1].insn <= function->relos[i].insn));
	for (size_t i = 0; i < function->insn_count; i++) {
		CHECK(!ebpf_insn_check(&function->insns[i], i + 1 < function->insn_count ? &function->insns[i + 1] : NULL));
		i += ebpf_insn_is_wide(&function->insns[i]);
	}
}

static void check_functions(struct ebpf_spec *spec)
{
	for (size_t i = 0; i < spec_impl(spec)->function_count; i++)
		check_function(spec_impl(spec)->functions[i]);
}

static const struct ebpf_program_spec *check_program(struct ebpf_spec *spec, const char *name, const char *section, uint32_t type,
                                                     uint32_t attach_type, uint32_t flags, const char *attach_to)
{
	const struct ebpf_program_spec *program = ebpf_spec_find_program(spec, name);

	if (!program) {
		fprintf(stderr, "not ok: no program %s\n", name);
		exit(1);
	}
	CHECK_STR(program->section, section);
	CHECK_INT(program->type, type);
	CHECK_INT(program->attach_type, attach_type);
	CHECK_INT(program->flags, flags);
	CHECK_INT(program->insn_count, program->function->insn_count);
	if (attach_to)
		CHECK_STR(program->attach_to, attach_to);
	else
		CHECK(!program->attach_to);
	return program;
}

/* The reference of a function to `name`; its kind must be right. */
static const struct ebpf_spec_reference *check_reference(struct ebpf_spec *spec, const char *function_name,
                                                         enum ebpf_reference kind, const char *name)
{
	const struct ebpf_function *function = ebpf_spec_find_function(spec, function_name);

	for (size_t i = 0; function && i < function->reference_count; i++) {
		if (strcmp(function->references[i].name, name))
			continue;
		CHECK_INT(function->references[i].kind, kind);
		return &function->references[i];
	}
	fprintf(stderr, "not ok: %s does not refer to %s\n", function_name, name);
	exit(1);
}

static void test_code(struct ebpf_spec *spec)
{
	CHECK_INT(spec->program_count, 10);
	CHECK(check_program(spec, "first", "socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, NULL)->autoload);
	check_program(spec, "second", "socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, NULL);
	check_program(spec, "third", "xdp", BPF_PROG_TYPE_XDP, BPF_XDP, 0, NULL);
	check_program(spec, "callbacks", "tracepoint/syscalls/sys_enter_openat", BPF_PROG_TYPE_TRACEPOINT, 0, 0,
	              "syscalls/sys_enter_openat");
	CHECK(!check_program(spec, "optional", "kprobe/do_unlinkat+0x10", BPF_PROG_TYPE_KPROBE, 0, 0, "do_unlinkat+0x10")
	               ->autoload);
	check_program(spec, "sleeps", "fentry.s/bpf_testmod:function", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, BPF_F_SLEEPABLE,
	              "bpf_testmod:function");
	check_program(spec, "frags", "xdp.frags/cpumap", BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP, BPF_F_XDP_HAS_FRAGS, NULL);
	check_program(spec, "exact", "cgroup/connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 0, NULL);
	check_program(spec, "unknown", "no_such_section/x", BPF_PROG_TYPE_UNSPEC, 0, 0, NULL);
	check_program(spec, "bare", "kprobe", BPF_PROG_TYPE_KPROBE, 0, 0, NULL);
	CHECK(!ebpf_spec_find_program(spec, "text_global"));
	CHECK(!ebpf_spec_find_program(spec, "socket_static"));

	CHECK(ebpf_spec_find_function(spec, "text_global")->global);
	CHECK(ebpf_spec_find_function(spec, "text_weak")->global);
	CHECK(!ebpf_spec_find_function(spec, "text_static")->global);
	CHECK(!ebpf_spec_find_function(spec, "text_hidden")->global);
	CHECK(ebpf_spec_find_function(spec, "first")->type_id && ebpf_spec_find_function(spec, "text_static")->type_id);

	check_reference(spec, "first", EBPF_REF_CALL, "text_global");
	check_reference(spec, "text_global", EBPF_REF_CALL, "text_static"); /* without a relocation */
	check_reference(spec, "text_weak", EBPF_REF_CALL, "text_static");
	check_reference(spec, "second", EBPF_REF_CALL, "first");
	check_reference(spec, "second", EBPF_REF_CALL, "socket_static");
	check_reference(spec, "third", EBPF_REF_CALL, "socket_static"); /* in another section */
	check_reference(spec, "third", EBPF_REF_CALL, "text_static");
	check_reference(spec, "callbacks", EBPF_REF_MAP, "map");
	check_reference(spec, "callbacks", EBPF_REF_FUNCTION, "each");
	check_reference(spec, "callbacks", EBPF_REF_FUNCTION, "again");
	CHECK(check_reference(spec, "first", EBPF_REF_CALL, "text_global")->function ==
	      ebpf_spec_find_function(spec, "text_global"));
}

static void check_variable(struct ebpf_spec *spec, const char *name, const char *section, const char *type, const void *value,
                           size_t size)
{
	struct ebpf_variable_spec *variable = ebpf_spec_find_variable(spec, name);
	struct ebpf_layout *layout;
	const void *data;

	if (!variable) {
		fprintf(stderr, "not ok: no variable %s\n", name);
		exit(1);
	}
	CHECK_STR(variable->section, section);
	CHECK_INT(variable->size, size);
	CHECK_INT(variable->read_only, !strncmp(section, ".rodata", 7));
	layout = ebpf_layout_from_btf(spec->btf, variable->type_id, NULL);
	CHECK(layout != NULL);
	if (layout) /* as in C: with the qualifiers of an array's elements */
		CHECK(strlen(layout->name) >= strlen(type) && !strcmp(layout->name + strlen(layout->name) - strlen(type), type));
	ebpf_layout_free(layout);
	data = ebpf_variable_spec_data(variable);
	CHECK(data && (!value || !memcmp(data, value, size)));
}

static void test_data(struct ebpf_spec *spec, bool other_order)
{
	static const char *const absent[] = {"data_static", "data_hidden", "rodata_static", "bss_static", "private_data"};
	const uint32_t n = other_order ? 0x04030201 : 0x01020304;
	uint8_t zeros[32] = {0};

	check_map(spec, "spec_dat.data", BPF_MAP_TYPE_ARRAY, 4, ebpf_spec_find_map(spec, ".data")->value_size, 1, BPF_F_MMAPABLE);
	CHECK(check_map(spec, "spec_dat.rodata", BPF_MAP_TYPE_ARRAY, 4, 24, 1, BPF_F_RDONLY_PROG | BPF_F_MMAPABLE)->frozen);
	CHECK(!check_map(spec, "spec_dat.bss", BPF_MAP_TYPE_ARRAY, 4, ebpf_spec_find_map(spec, ".bss")->value_size, 1,
	                 BPF_F_MMAPABLE)
	               ->data);
	check_map(spec, ".data.custom", BPF_MAP_TYPE_ARRAY, 4, 4, 1, BPF_F_MMAPABLE);
	check_map(spec, ".rodata.a_custom_name", BPF_MAP_TYPE_ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG | BPF_F_MMAPABLE);
	check_map(spec, ".data.private", BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	CHECK_STR(ebpf_spec_find_map(spec, ".bss")->name, "spec_dat.bss");
	CHECK_INT(ebpf_spec_find_map(spec, ".bss.custom")->value_size, 4);

	check_variable(spec, "data_u8", ".data", "u8", "\1", 1);
	check_variable(spec, "data_s16", ".data", "s16", &(int16_t[]){ other_order ? (int16_t)0xfeff : -2 }, 2);
	check_variable(spec, "data_u32", ".data", "u32", &n, 4);
	check_variable(spec, "data_bool", ".data", "bool", "\1", 1);
	check_variable(spec, "data_string", ".data", "char[16]", "hello\0\0\0\0\0\0\0\0\0\0", 16);
	check_variable(spec, "data_point", ".data", "struct point", NULL, 8);
	check_variable(spec, "data_array", ".data", "u32[3]", NULL, 12);
	check_variable(spec, "data_color", ".data", "enum color", NULL, 4);
	check_variable(spec, "data_weak", ".data", "u32", NULL, 4);
	check_variable(spec, "rodata_string", ".rodata", "char[8]", "const\0\0", 8);
	check_variable(spec, "bss_u64", ".bss", "u64", zeros, 8);
	check_variable(spec, "bss_points", ".bss", "struct point[4]", zeros, 32);
	check_variable(spec, "custom_data", ".data.custom", "u32", NULL, 4);
	check_variable(spec, "custom_rodata", ".rodata.a_custom_name", "u32", NULL, 4);
	check_variable(spec, "custom_bss", ".bss.custom", "u32", zeros, 4);
	for (size_t i = 0; i < EBPF_COUNT(absent); i++)
		CHECK(!ebpf_spec_find_variable(spec, absent[i]));
	for (size_t i = 1; i < spec->variable_count; i++)
		CHECK(spec->variables[i]->map != spec->variables[i - 1]->map ||
		      spec->variables[i]->offset >= spec->variables[i - 1]->offset);
	CHECK_INT(check_reference(spec, "uses_data", EBPF_REF_MAP_VALUE, "spec_dat.data")->kind, EBPF_REF_MAP_VALUE);
}

/* A static variable is reached through its section's symbol and an offset in the instruction; the DATASEC knows where it is. */
static void test_static_data(struct ebpf_spec *spec)
{
	struct ebpf_map_impl *map = map_impl(ebpf_spec_find_map(spec, ".data"));
	const struct ebpf_function *function = ebpf_spec_find_function(spec, "uses_data");
	struct ebpf_type datasec, variable;
	bool found = false;

	CHECK(ebpf_btf_type(spec->btf, map->public.value_type_id, &datasec));
	CHECK_INT(map->offset_count, datasec.vlen);
	for (uint32_t i = 0; i < datasec.vlen; i++) {
		struct ebpf_variable_spec *known;

		CHECK(ebpf_btf_type(spec->btf, ebpf_type_secinfo(&datasec, i).type, &variable));
		known = ebpf_spec_find_variable(spec, variable.name);
		if (known)
			CHECK_INT(map->offsets[i], known->offset);
		if (strcmp(variable.name, "data_static"))
			continue;
		for (size_t r = 0; r < function->reference_count; r++)
			found |= function->references[r].map == &map->public && function->references[r].addend == map->offsets[i];
	}
	CHECK(found);
}

static void test_externs(struct ebpf_spec *spec)
{
	static const struct {
		const char *name;
		enum ebpf_extern_kind kind;
		bool weak;
		uint32_t size, alignment, offset;
	} expected[] = {
	        {"CONFIG_BIG", EBPF_EXTERN_KCONFIG, false, 8, 8, 0},
	        {"CONFIG_TRISTATE", EBPF_EXTERN_KCONFIG, true, 4, 4, 8},
	        {"LINUX_KERNEL_VERSION", EBPF_EXTERN_KCONFIG, false, 4, 4, 12},
	        {"CONFIG_SHORT", EBPF_EXTERN_KCONFIG, false, 2, 2, 16},
	        {"CONFIG_BOOL", EBPF_EXTERN_KCONFIG, false, 1, 1, 18},
	        {"CONFIG_CHAR", EBPF_EXTERN_KCONFIG, false, 1, 1, 19},
	        {"CONFIG_STRING", EBPF_EXTERN_KCONFIG, false, 20, 1, 20},
	        {"untyped", EBPF_EXTERN_KSYM, false, 0, 0, 0},
	        {"weak_untyped", EBPF_EXTERN_KSYM, true, 0, 0, 0},
	        {"typed", EBPF_EXTERN_KSYM_TYPED, false, 0, 0, 0},
	        {"weak_typed", EBPF_EXTERN_KSYM_TYPED, true, 0, 0, 0},
	        {"acquire", EBPF_EXTERN_KFUNC, false, 0, 0, 0},
	        {"weak_function", EBPF_EXTERN_KFUNC, true, 0, 0, 0},
	};
	const struct ebpf_map_spec *kconfig =
	        check_map(spec, ".kconfig", BPF_MAP_TYPE_ARRAY, 4, 40, 1, BPF_F_RDONLY_PROG | BPF_F_MMAPABLE);

	CHECK(kconfig == spec_impl(spec)->kconfig && !kconfig->data);
	CHECK_STR(kconfig->name, "spec_ex.kconfig");
	CHECK_INT(spec_impl(spec)->kconfig_size, 40);
	CHECK_INT(spec_impl(spec)->extern_count, EBPF_COUNT(expected));
	for (size_t i = 0; i < EBPF_COUNT(expected); i++) {
		const struct ebpf_extern *external = ebpf_spec_find_extern(spec, expected[i].name);
		struct ebpf_type type;

		CHECK(external != NULL);
		if (!external)
			continue;
		CHECK_INT(external->kind, expected[i].kind);
		CHECK_INT(external->weak, expected[i].weak);
		CHECK_INT(external->size, expected[i].size);
		CHECK_INT(external->alignment, expected[i].alignment);
		CHECK_INT(external->offset, expected[i].offset);
		CHECK(ebpf_btf_type(spec->btf, external->type_id, &type));
		CHECK_STR(type.name, expected[i].name);
		check_reference(spec, "uses_externs", EBPF_REF_EXTERN, expected[i].name);
	}
	CHECK_INT(check_reference(spec, "uses_externs", EBPF_REF_EXTERN, "CONFIG_BIG")->addend, 0);
}

static void test_core(struct ebpf_spec *spec)
{
	bool kinds[13] = {false};

	CHECK(ebpf_spec_find_function(spec, "in_text")->relo_count == 1);
	for (size_t f = 0; f < spec_impl(spec)->function_count; f++) {
		const struct ebpf_function *function = spec_impl(spec)->functions[f];

		CHECK(function->line_count > 0);
		for (size_t i = 0; i < function->relo_count; i++)
			if (function->relos[i].kind < 13)
				kinds[function->relos[i].kind] = true;
	}
	for (size_t i = 0; i < 12; i++) /* the 13th, type_matches, is newer than some compilers */
		CHECK(kinds[i]);
	CHECK(spec_impl(spec)->core_relo_count >= 16);
}

static void test_struct_ops(struct ebpf_spec *spec)
{
	const struct ebpf_map_spec *map = check_map(spec, "plain", BPF_MAP_TYPE_STRUCT_OPS, 4, 40, 1, 0);

	check_program(spec, "init_one", "struct_ops/init", BPF_PROG_TYPE_STRUCT_OPS, 0, 0, "init");
	check_program(spec, "ssthresh_one", "struct_ops.s", BPF_PROG_TYPE_STRUCT_OPS, 0, BPF_F_SLEEPABLE, NULL);
	check_type(spec, map->value_type_id, "struct tcp_congestion_ops");
	CHECK_INT(map->value_count, 2);
	check_value(map, 0, 1, "init_one");
	check_value(map, 1, 2, "ssthresh_one");
	CHECK(map->data && !strcmp((const char *)map->data + 24, "plain"));
	map = check_map(spec, "linked", BPF_MAP_TYPE_STRUCT_OPS, 4, 40, 1, BPF_F_LINK);
	CHECK_INT(map->value_count, 1);
	map = ebpf_spec_find_map(spec, "optional");
	CHECK(map && !map->autocreate && map->flags == 0);
	CHECK_STR(map->section, ".struct_ops");
}

static void test_objects(bool other_order)
{
	static const char *const names[] = {"spec_maps", "spec_code", "spec_data", "spec_extern", "spec_core", "spec_struct_ops"};
	struct ebpf_spec *specs[EBPF_COUNT(names)];

	for (size_t i = 0; i < EBPF_COUNT(names); i++) {
		specs[i] = read_spec(names[i], other_order);
		if (!specs[i])
			exit(1);
		CHECK_INT(specs[i]->big_endian, other_order == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__));
		check_functions(specs[i]);
	}
	test_maps(specs[0]);
	test_map_values(specs[0]);
	test_code(specs[1]);
	test_data(specs[2], other_order);
	test_static_data(specs[2]);
	test_externs(specs[3]);
	test_core(specs[4]);
	test_struct_ops(specs[5]);
	for (size_t i = 0; i < EBPF_COUNT(names); i++)
		ebpf_spec_free(specs[i]);
}

/* The same source in the other byte order is the same code. */
static void test_same_code(const char *name)
{
	struct ebpf_spec *one = read_spec(name, false), *other = read_spec(name, true);

	for (size_t f = 0; one && other && f < spec_impl(one)->function_count; f++) {
		const struct ebpf_function *left = spec_impl(one)->functions[f],
		                           *right = ebpf_spec_find_function(other, left->name);

		CHECK(right && right->insn_count == left->insn_count);
		CHECK(right && !memcmp(left->insns, right->insns, left->insn_count * sizeof(*left->insns)));
	}
	ebpf_spec_free(one);
	ebpf_spec_free(other);
}

/* -- the table of sections -- */

static void test_sections(void)
{
	static const struct {
		const char *section;
		const char *row, *extra;
	} cases[] = {
	        {"xdp", "xdp", ""},
	        {"xdp/x", NULL, NULL},
	        {"xdp/cpumap", "xdp/cpumap", ""},
	        {"kprobe", "kprobe", ""},
	        {"kprobe/", "kprobe", ""},
	        {"kprobe/f+8", "kprobe", "f+8"},
	        {"kprobes", NULL, NULL},
	        {"?tp/a/b", "tp", "a/b"},
	        {"kprobe.multi/a*", "kprobe.multi", "a*"},
	        {"tc", "tc", ""},
	        {"tc/ingress", "tc/ingress", ""},
	        {"", NULL, NULL},
	        {"usdt.s/p:q:r", "usdt.s", "p:q:r"},
	        {"struct_ops/x", "struct_ops", "x"},
	        {"cgroup/skb", "cgroup/skb", ""},
	};
	size_t rows = 0;

	for (size_t i = 0; i < EBPF_COUNT(cases); i++) {
		const char *extra = NULL;
		const struct ebpf_section *row = ebpf_section_find(cases[i].section, &extra);

		CHECK_INT(!row, !cases[i].row);
		if (!row)
			continue;
		CHECK_STR(row->name, cases[i].row);
		CHECK_STR(extra, cases[i].extra);
	}
	for (; ebpf_section_at(rows); rows++) {
		const struct ebpf_section *row = ebpf_section_at(rows);

		CHECK(ebpf_section_find(row->name, NULL) == row); /* no row hides another */
		CHECK(row->program_type != BPF_PROG_TYPE_UNSPEC);
	}
	CHECK(rows >= 116);
	CHECK_STR(ebpf_section_find("lsm.s/file_open", NULL)->kind, "tracing");
	CHECK(!ebpf_section_find("lsm_cgroup/file_open", NULL)->kind);
	CHECK_STR(ebpf_section_nearest("kprob/do_unlinkat"), "kprobe");
	CHECK_STR(ebpf_section_nearest("cgroup/conect4"), "cgroup/connect4");
}

/* -- editing -- */

static void test_editing(void)
{
	struct ebpf_spec *spec = read_spec("spec_data", false);
	struct ebpf_error err = {0};
	struct ebpf_program_spec *program = ebpf_spec_find_program(spec, "uses_data");
	struct ebpf_map_spec *data = ebpf_spec_find_map(spec, ".data.custom"), *bss = ebpf_spec_find_map(spec, ".bss");
	struct ebpf_variable_spec *variable = ebpf_spec_find_variable(spec, "custom_data");

	CHECK_INT(ebpf_program_spec_set_section(program, "?fentry/vfs_read", &err), 0);
	CHECK_STR(program->section, "fentry/vfs_read");
	CHECK_STR(program->attach_to, "vfs_read");
	CHECK_INT(program->type, BPF_PROG_TYPE_TRACING);
	CHECK(!program->autoload);
	CHECK_INT(ebpf_program_spec_set_section(program, "fentri/vfs_read", &err), -EINVAL);
	CHECK(strstr(err.hint, "fentry"));
	CHECK_STR(program->section, "fentry/vfs_read");
	ebpf_error_clear(&err);

	*(uint32_t *)ebpf_variable_spec_data(variable) = 55;
	CHECK_INT(ebpf_map_spec_set_value_size(data, 64, &err), 0);
	CHECK_INT(*(uint32_t *)ebpf_variable_spec_data(variable), 55);
	CHECK(data->value_size == 64 && data->data[63] == 0 && !data->value_type_id);
	CHECK_INT(ebpf_map_spec_set_value_size(data, 2, &err), 0);
	CHECK(!ebpf_variable_spec_data(variable)); /* cut off */
	CHECK_INT(ebpf_map_spec_set_value_size(bss, 1 << 21, &err), 0);
	CHECK(ebpf_variable_spec_data(ebpf_spec_find_variable(spec, "bss_large")) != NULL);
	ebpf_spec_free(spec);
}

static struct ebpf_block *make_block(void)
{
	struct ebpf_block *block = ebpf_block_new();
	const struct ebpf_insn wide = {.code = EBPF_LD_IMM64, .dst = 1}, call = {.code = EBPF_CALL}, leave = {.code = EBPF_EXIT};

	CHECK_INT(ebpf_block_add(block, wide, 0, NULL), 0);
	CHECK_INT(ebpf_block_refer(block, EBPF_REF_MAP, "later", 0, NULL), 0);
	CHECK_INT(ebpf_block_add(block, wide, 0, NULL), 0);
	CHECK_INT(ebpf_block_refer(block, EBPF_REF_MAP_VALUE, "later", 12, NULL), 0);
	CHECK_INT(ebpf_block_add(block, call, 0, NULL), 0);
	CHECK_INT(ebpf_block_refer(block, EBPF_REF_EXTERN, "some_kfunc", 0, NULL), 0);
	CHECK_INT(ebpf_block_add(block, call, 0, NULL), 0);
	CHECK_INT(ebpf_block_refer(block, EBPF_REF_CALL, "other", 0, NULL), 0);
	CHECK_INT(ebpf_block_add(block, leave, 0, NULL), 0);
	CHECK_INT(ebpf_block_finish(block, NULL), 0);
	return block;
}

static void test_by_hand(void)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = ebpf_spec_new("made", &err);
	struct ebpf_program_spec *program = NULL, *other = NULL;
	struct ebpf_block *block = make_block();
	struct ebpf_map_spec *map = NULL;
	struct ebpf_function *function;

	CHECK_INT(ebpf_spec_add_program(spec, "p", BPF_PROG_TYPE_XDP, block, &program, &err), 0);
	function = program->function;
	CHECK(program->autoload && !program->section && program->insn_count == 7);
	CHECK_INT(function->reference_count, 4);
	CHECK(!function->references[0].map && function->references[2].external);
	CHECK_INT(function->references[2].external->kind, EBPF_EXTERN_KFUNC);
	CHECK_INT(function->references[1].addend, 12);
	CHECK_INT(ebpf_spec_resolve(spec, &err), -ENOENT);
	CHECK(strstr(err.message, "map 'later'"));
	ebpf_error_clear(&err);

	CHECK_INT(ebpf_spec_add_map(spec, "later", &map, &err), 0);
	CHECK(function->references[0].map == map && function->references[1].map == map);
	CHECK_INT(ebpf_spec_add_map(spec, "later", &map, &err), -EEXIST);
	ebpf_error_clear(&err);
	block = make_block();
	CHECK_INT(ebpf_spec_add_program(spec, "p", BPF_PROG_TYPE_XDP, block, &other, &err), -EEXIST); /* the block is still ours */
	ebpf_error_clear(&err);
	CHECK_INT(ebpf_spec_add_program(spec, "other", BPF_PROG_TYPE_XDP, block, &other, &err), 0);
	CHECK(function->references[3].function == other->function);
	CHECK_INT(ebpf_spec_resolve(spec, &err), 0);
	block = ebpf_block_new();
	CHECK_INT(ebpf_spec_add_program(spec, "q", BPF_PROG_TYPE_XDP, block, NULL, &err), -EINVAL); /* not finished */
	CHECK(strstr(err.message, "program 'q'"));
	ebpf_block_finish(block, NULL);
	CHECK_INT(ebpf_spec_add_program(spec, "q", BPF_PROG_TYPE_XDP, block, NULL, &err), -EINVAL); /* empty */
	CHECK_INT(ebpf_spec_add_program(spec, "", BPF_PROG_TYPE_XDP, block, NULL, &err), -EINVAL);
	CHECK_INT(ebpf_spec_add_map(spec, "", NULL, &err), -EINVAL);
	ebpf_block_free(block);
	ebpf_error_clear(&err);
	CHECK_INT(ebpf_spec_set_license(spec, "MIT", &err), 0);
	CHECK_STR(spec->license, "MIT");
	CHECK_INT(spec->program_count, 2);
	CHECK_INT(spec_impl(spec)->extern_count, 1);
	check_functions(spec);
	ebpf_spec_free(spec);
	ebpf_spec_free(NULL);
}

int main(int argc, char **argv)
{
	if (getenv("EBPF_TEST_OBJECTS"))
		directory = getenv("EBPF_TEST_OBJECTS");
	if (argc > 1)
		directory = argv[1];
	test_sections();
	test_by_hand();
	test_objects(false);
	test_objects(true);
	test_same_code("spec_code");
	test_editing();
	return TEST_RESULT();
}
