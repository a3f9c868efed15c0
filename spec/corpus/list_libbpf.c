/* list_libbpf [-l] OBJECT... : what libbpf finds in BPF objects, one JSON document a line; with -l also whether they load,
 * as a whole and, where that says little, each program alone. Nothing is pinned. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "list.h"

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

static void list_sizes(const struct bpf_map *map)
{
	type("type", libbpf_bpf_map_type_str(bpf_map__type(map)), bpf_map__type(map));
	printf("\"key_size\": %u, \"value_size\": %u, \"max_entries\": %u, \"flags\": %u", bpf_map__key_size(map),
	       bpf_map__value_size(map), bpf_map__max_entries(map), bpf_map__map_flags(map));
}

static void list_map(struct bpf_map *map)
{
	const struct bpf_map *inner = bpf_map__inner_map(map);

	putchar('{');
	member("name", bpf_map__name(map));
	list_sizes(map);
	printf(", \"map_extra\": %llu, \"numa_node\": %u, \"pin\": %s, \"autocreate\": %s, \"key_type\": %u, \"value_type\": %u",
	       (unsigned long long)bpf_map__map_extra(map), bpf_map__numa_node(map), bpf_map__pin_path(map) ? "true" : "false",
	       bpf_map__autocreate(map) ? "true" : "false", bpf_map__btf_key_type_id(map), bpf_map__btf_value_type_id(map));
	if (inner) {
		fputs(", \"inner\": {", stdout);
		list_sizes(inner);
		putchar('}');
	}
	putchar('}');
}

static void list_program(const struct bpf_program *program)
{
	putchar('{');
	member("name", bpf_program__name(program));
	member("section", bpf_program__section_name(program));
	type("type", libbpf_bpf_prog_type_str(bpf_program__type(program)), bpf_program__type(program));
	type("attach_type", libbpf_bpf_attach_type_str(bpf_program__expected_attach_type(program)),
	     bpf_program__expected_attach_type(program));
	printf("\"autoload\": %s, \"instructions\": %zu}", bpf_program__autoload(program) ? "true" : "false",
	       bpf_program__insn_cnt(program));
}

static void list(struct bpf_object *object)
{
	struct bpf_program *program;
	struct bpf_map *map;
	bool first = true;

	fputs("\"programs\": [", stdout);
	bpf_object__for_each_program(program, object) {
		fputs(first ? "" : ", ", stdout);
		first = false;
		list_program(program);
	}
	fputs("], \"maps\": [", stdout);
	first = true;
	bpf_object__for_each_map(map, object) {
		fputs(first ? "" : ", ", stdout);
		first = false;
		list_map(map);
	}
	fputs("]", stdout);
}

static struct bpf_object *open_unpinned(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);
	struct bpf_map *map;

	if (object)
		bpf_object__for_each_map(map, object)
			bpf_map__set_pin_path(map, NULL);
	return object;
}

static int load_whole(const char *path)
{
	struct bpf_object *object = open_unpinned(path);
	int result = object ? bpf_object__load(object) : -errno;

	bpf_object__close(object);
	return -result;
}

static int load_alone(const char *path, const char *name)
{
	struct bpf_object *object = open_unpinned(path);
	struct bpf_program *program;
	struct bpf_map *map;
	int result = -errno;

	if (object) {
		bpf_object__for_each_program(program, object)
			bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
		bpf_object__for_each_map(map, object)
			if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
				bpf_map__set_autocreate(map, false);
		result = bpf_object__load(object);
	}
	bpf_object__close(object);
	return -result;
}

static void load(struct bpf_object *object, const char *path)
{
	struct bpf_program *program;
	bool rest = false, first = true;
	int result;

	last_warning[0] = '\0';
	result = load_whole(path);
	printf(", \"load_errno\": %d", result);
	if (result) {
		fputs(", \"load_error\": ", stdout);
		text(last_warning);
	}
	bpf_object__for_each_program(program, object)
		rest |= !bpf_program__autoload(program);
	if (!result && !rest)
		return;
	fputs(", \"alone\": {", stdout);
	bpf_object__for_each_program(program, object) {
		if (bpf_program__type(program) == BPF_PROG_TYPE_STRUCT_OPS)
			continue;
		fputs(first ? "" : ", ", stdout);
		first = false;
		text(bpf_program__name(program));
		printf(": %d", load_alone(path, bpf_program__name(program)));
	}
	putchar('}');
}

int main(int argc, char **argv)
{
	bool loads = argc > 1 && !strcmp(argv[1], "-l");

	libbpf_set_print(keep_warning);
	for (int i = 1 + loads; i < argc; i++) {
		struct bpf_object *object;

		last_warning[0] = '\0';
		putchar('{');
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
			load(object, argv[i]);
		puts("}");
		fflush(stdout);
		bpf_object__close(object);
	}
	return 0;
}
