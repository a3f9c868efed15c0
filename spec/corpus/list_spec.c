/* list_spec [-l] OBJECT... : what our reader finds in BPF objects, one JSON document a line, in the form that list_libbpf prints;
 * with -l also whether they load, and which errno. */
#include <stdio.h>
#include <string.h>

#include "ebpf.h"

static void text(const char *value)
{
	putchar('"');
	for (; value && *value; value++) {
		if (*value == '"' || *value == '\\')
			putchar('\\');
		if ((unsigned char)*value < ' ')
			printf("\\u%04x", *value);
		else
			putchar(*value);
	}
	putchar('"');
}

static void member(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	text(value);
	fputs(", ", stdout);
}

static void list(const struct ebpf_spec *spec)
{
	fputs("\"programs\": [", stdout);
	for (size_t i = 0; i < spec->program_count; i++) {
		const struct ebpf_program_spec *program = spec->programs[i];

		fputs(i ? ", {" : "{", stdout);
		member("name", program->name);
		member("section", program->section);
		printf("\"type\": %u, \"attach_type\": %u, \"autoload\": %s, \"instructions\": %zu}", program->type,
		       program->attach_type, program->autoload ? "true" : "false", program->insn_count);
	}
	fputs("], \"maps\": [", stdout);
	for (size_t i = 0; i < spec->map_count; i++) {
		const struct ebpf_map_spec *map = spec->maps[i];

		fputs(i ? ", {" : "{", stdout);
		member("name", map->name);
		printf("\"type\": %u, \"key_size\": %u, \"value_size\": %u, \"max_entries\": %u, \"flags\": %u, \"map_extra\": "
		       "%llu, "
		       "\"numa_node\": %u, \"pin\": %s, \"key_type\": %u, \"value_type\": %u}",
		       map->type, map->key_size, map->value_size, map->max_entries, map->flags, (unsigned long long)map->map_extra,
		       map->numa_node, map->pin_by_name ? "true" : "false", map->key_type_id, map->value_type_id);
	}
	fputs("]", stdout);
}

static void load(struct ebpf_spec *spec, struct ebpf_kernel *kernel)
{
	struct ebpf_collection *collection = NULL;
	struct ebpf_error err = {0};
	int result = ebpf_collection_load(spec, kernel, NULL, &collection, &err);

	printf(", \"load_errno\": %d", -result);
	if (result) {
		fputs(", \"load_error\": ", stdout);
		text(err.message);
	}
	ebpf_collection_free(collection);
	ebpf_error_clear(&err);
}

int main(int argc, char **argv)
{
	bool loads = argc > 1 && !strcmp(argv[1], "-l");
	struct ebpf_kernel *kernel = loads ? ebpf_kernel_new(NULL) : NULL;

	for (int i = 1 + loads; i < argc; i++) {
		struct ebpf_error err = {0};
		struct ebpf_spec *spec = NULL;

		fputs("{", stdout);
		member("object", argv[i]);
		if (ebpf_spec_read_file(argv[i], &spec, &err)) {
			member("error", err.message);
			printf("\"errno\": %d}\n", err.code);
			ebpf_error_clear(&err);
			continue;
		}
		list(spec);
		if (kernel)
			load(spec, kernel);
		puts("}");
		fflush(stdout);
		ebpf_spec_free(spec);
	}
	ebpf_kernel_free(kernel);
	return 0;
}
