/* list_spec [-l] OBJECT... : what our reader finds in BPF objects, one JSON document a line, in the form that list_libbpf
 * prints; with -l also whether they load. */
#include "ebpf.h"
#include "list.h"

static void list_sizes(const struct ebpf_map_spec *map)
{
	type("type", ebpf_enum_name(EBPF_MAP_TYPE, map->type), map->type);
	printf("\"key_size\": %u, \"value_size\": %u, \"max_entries\": %u, \"flags\": %u", map->key_size, map->value_size,
	       map->max_entries, map->flags);
}

static void list_map(const struct ebpf_map_spec *map)
{
	putchar('{');
	member("name", map->name);
	list_sizes(map);
	printf(", \"map_extra\": %llu, \"numa_node\": %u, \"pin\": %s, \"autocreate\": %s, \"key_type\": %u, \"value_type\": %u",
	       (unsigned long long)map->map_extra, map->numa_node, map->pin_by_name ? "true" : "false", map->autocreate ? "true" : "false",
	       map->key_type_id, map->value_type_id);
	if (map->inner) {
		fputs(", \"inner\": {", stdout);
		list_sizes(map->inner);
		putchar('}');
	}
	putchar('}');
}

static void list_program(const struct ebpf_program_spec *program)
{
	putchar('{');
	member("name", program->name);
	member("section", program->section);
	type("type", ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type), program->type);
	type("attach_type", ebpf_enum_name(EBPF_ATTACH_TYPE, program->attach_type), program->attach_type);
	printf("\"autoload\": %s, \"instructions\": %zu}", program->autoload ? "true" : "false", program->insn_count);
}

static void list(const struct ebpf_spec *spec)
{
	fputs("\"programs\": [", stdout);
	for (size_t i = 0; i < spec->program_count; i++) {
		fputs(i ? ", " : "", stdout);
		list_program(spec->programs[i]);
	}
	fputs("], \"maps\": [", stdout);
	for (size_t i = 0; i < spec->map_count; i++) {
		fputs(i ? ", " : "", stdout);
		list_map(spec->maps[i]);
	}
	fputs("]", stdout);
}

/* `name`: that program alone; NULL = all that load by themselves. */
static int try_load(const char *path, struct ebpf_kernel *kernel, const char *name, struct ebpf_error *err)
{
	struct ebpf_load_options options = { .size = sizeof(options), .programs = name ? &name : NULL, .program_count = name != NULL };
	struct ebpf_collection *collection = NULL;
	struct ebpf_spec *spec = NULL;
	int result = ebpf_spec_read_file(path, &spec, err);

	for (size_t i = 0; result == 0 && i < spec->map_count; i++) {
		spec->maps[i]->pin_by_name = false;
		if (name && spec->maps[i]->type == (uint32_t)ebpf_enum_value(EBPF_MAP_TYPE, "struct_ops"))
			spec->maps[i]->autocreate = false;
	}
	if (result == 0)
		result = ebpf_collection_load(spec, kernel, &options, &collection, err);
	ebpf_collection_free(collection);
	ebpf_spec_free(spec);
	return -result;
}

static void load(const struct ebpf_spec *spec, struct ebpf_kernel *kernel, const char *path)
{
	struct ebpf_error err = { 0 };
	bool rest = false, first = true;
	int result = try_load(path, kernel, NULL, &err);

	printf(", \"load_errno\": %d", result);
	if (result) {
		fputs(", \"load_error\": ", stdout);
		text(err.message);
	}
	ebpf_error_clear(&err);
	for (size_t i = 0; i < spec->program_count; i++)
		rest |= !spec->programs[i]->autoload;
	if (!result && !rest)
		return;
	fputs(", \"alone\": {", stdout);
	for (size_t i = 0; i < spec->program_count; i++) {
		if (spec->programs[i]->type == (uint32_t)ebpf_enum_value(EBPF_PROGRAM_TYPE, "struct_ops"))
			continue;
		fputs(first ? "" : ", ", stdout);
		first = false;
		text(spec->programs[i]->name);
		fputs(": ", stdout);
		if (try_load(path, kernel, spec->programs[i]->name, &err))
			text(err.message);
		else
			putchar('0');
		ebpf_error_clear(&err);
	}
	putchar('}');
}

int main(int argc, char **argv)
{
	bool loads = argc > 1 && !strcmp(argv[1], "-l");
	struct ebpf_kernel *kernel = loads ? ebpf_kernel_new(NULL) : NULL;

	for (int i = 1 + loads; i < argc; i++) {
		struct ebpf_error err = { 0 };
		struct ebpf_spec *spec = NULL;

		putchar('{');
		member("object", argv[i]);
		if (ebpf_spec_read_file(argv[i], &spec, &err)) {
			member("error", err.message);
			printf("\"errno\": %d}\n", err.code);
			ebpf_error_clear(&err);
			continue;
		}
		list(spec);
		if (kernel)
			load(spec, kernel, argv[i]);
		puts("}");
		fflush(stdout);
		ebpf_spec_free(spec);
	}
	ebpf_kernel_free(kernel);
	return 0;
}
