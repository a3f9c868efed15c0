/* list_libbpf [-l] OBJECT... : what libbpf finds in BPF objects, one JSON document a line; with -l also whether they load, and
 * which errno. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

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

/* libbpf's own words: the last warning is what it failed with. */
static char last_warning[1024];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_warning, sizeof(last_warning), format, arguments);
		last_warning[strcspn(last_warning, "\n")] = '\0';
	}
	return 0;
}

static void list(struct bpf_object *object)
{
	struct bpf_program *program;
	struct bpf_map *map;
	bool first = true;

	fputs("\"programs\": [", stdout);
	bpf_object__for_each_program(program, object)
	{
		fputs(first ? "{" : ", {", stdout);
		first = false;
		member("name", bpf_program__name(program));
		member("section", bpf_program__section_name(program));
		printf("\"type\": %u, \"attach_type\": %u, \"autoload\": %s, \"instructions\": %zu}", bpf_program__type(program),
		       bpf_program__expected_attach_type(program), bpf_program__autoload(program) ? "true" : "false",
		       bpf_program__insn_cnt(program));
	}
	fputs("], \"maps\": [", stdout);
	first = true;
	bpf_object__for_each_map(map, object)
	{
		fputs(first ? "{" : ", {", stdout);
		first = false;
		member("name", bpf_map__name(map));
		printf("\"type\": %u, \"key_size\": %u, \"value_size\": %u, \"max_entries\": %u, \"flags\": %u, \"map_extra\": "
		       "%llu, "
		       "\"numa_node\": %u, \"pin\": %s, \"key_type\": %u, \"value_type\": %u}",
		       bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map), bpf_map__max_entries(map),
		       bpf_map__map_flags(map), (unsigned long long)bpf_map__map_extra(map), bpf_map__numa_node(map),
		       bpf_map__pin_path(map) ? "true" : "false", bpf_map__btf_key_type_id(map), bpf_map__btf_value_type_id(map));
	}
	fputs("]", stdout);
}

static void load(struct bpf_object *object)
{
	int result = bpf_object__load(object);

	printf(", \"load_errno\": %d", -result);
	if (result) {
		fputs(", \"load_error\": ", stdout);
		text(last_warning);
	}
}

int main(int argc, char **argv)
{
	bool loads = argc > 1 && !strcmp(argv[1], "-l");

	libbpf_set_print(keep_warning);
	for (int i = 1 + loads; i < argc; i++) {
		struct bpf_object *object;

		last_warning[0] = '\0';
		fputs("{", stdout);
		member("object", argv[i]);
		object = bpf_object__open(argv[i]);
		if (!object) {
			int code = errno;

			member("error", last_warning[0] ? last_warning : strerror(code));
			printf("\"errno\": %d}\n", code);
			continue;
		}
		list(object);
		if (loads)
			load(object);
		puts("}");
		fflush(stdout);
		bpf_object__close(object);
	}
	return 0;
}
