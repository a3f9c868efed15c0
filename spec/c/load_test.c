/* From Spec to kernel: what programs return when run shows what became of functions, maps, variables and externs. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/uapi.h"
#include "descriptors.h"
#include "ebpf.h"
#include "test.h"

static struct ebpf_kernel *kernel;

static bool since(unsigned major, unsigned minor)
{
	return ebpf_kernel_version(kernel) >= (major << 16 | minor << 8);
}

static struct ebpf_spec *read_spec(const char *name)
{
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	struct ebpf_error err = { 0 };
	struct ebpf_spec *spec = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder ? folder : "build/spec/bpf", name);
	if (ebpf_spec_read_file(path, &spec, &err) < 0)
		fprintf(stderr, "%s: %s\n", path, err.message);
	CHECK(spec != NULL);
	ebpf_error_clear(&err);
	return spec;
}

static struct ebpf_collection *load_spec(struct ebpf_spec *spec, const struct ebpf_load_options *options)
{
	struct ebpf_collection *collection = NULL;
	struct ebpf_error err = { 0 };

	if (spec && ebpf_collection_load(spec, kernel, options, &collection, &err) < 0)
		fprintf(stderr, "load: %s (%s)\n%s\n", err.message, err.hint, err.log ? err.log : "");
	CHECK(collection != NULL);
	ebpf_error_clear(&err);
	return collection;
}

/* Loads one program (NULL: all) of an object and lets the Spec go. */
static struct ebpf_collection *load(const char *object, const char *program)
{
	struct ebpf_load_options options = { .size = sizeof(options),
					     .programs = program ? &program : NULL,
					     .program_count = 1 };
	struct ebpf_spec *spec = read_spec(object);
	struct ebpf_collection *collection = load_spec(spec, &options);

	ebpf_spec_free(spec);
	return collection;
}

/* A load that must fail, with the code; message, hint and log are looked at by the caller. */
static void refuse(struct ebpf_spec *spec, const struct ebpf_load_options *options, int code, struct ebpf_error *err)
{
	struct ebpf_collection *collection = NULL;
	int before = open_fds();

	memset(err, 0, sizeof(*err));
	CHECK_INT(ebpf_collection_load(spec, kernel, options, &collection, err), -code);
	CHECK_INT(err->code, code);
	CHECK(collection == NULL);
	CHECK_INT(open_fds(), before);
	ebpf_collection_free(collection);
}

#define CHECK_HAS(text, part) \
	do { \
		if (!(text) || !strstr((text), (part))) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: \"%s\" is not in \"%s\"\n", __FILE__, __LINE__, (part), \
				(text) ? (text) : "(null)"); \
		} \
	} while (0)

static int64_t run(struct ebpf_collection *collection, const char *name)
{
	uint8_t packet[64] = { 0 };
	struct ebpf_run_options options = { .size = sizeof(options), .data = packet, .data_size = sizeof(packet) };
	struct ebpf_program *program = collection ? ebpf_collection_program(collection, name) : NULL;
	struct ebpf_error err = { 0 };
	int64_t result = INT64_MIN;

	if (!program)
		fprintf(stderr, "run %s: no such program\n", name);
	else if (ebpf_program_run(program, &options, &err) < 0)
		fprintf(stderr, "run %s: %s\n", name, err.message);
	else
		result = (int32_t)options.retval;
	ebpf_error_clear(&err);
	return result;
}

static const struct ebpf_variable *variable(const struct ebpf_collection *collection, const char *name)
{
	for (size_t i = 0; collection && i < collection->variable_count; i++)
		if (!strcmp(collection->variables[i].name, name))
			return &collection->variables[i];
	fprintf(stderr, "no variable %s\n", name);
	test_failures++;
	return NULL;
}

static uint64_t get(const struct ebpf_collection *collection, const char *name)
{
	const struct ebpf_variable *found = variable(collection, name);
	uint64_t value = 0;

	if (found && found->size <= sizeof(value))
		CHECK_INT(ebpf_variable_get(found, &value, NULL), 0);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && found && found->size)
		value >>= 64 - 8 * found->size;
	return value;
}

/* -- code -- */

static void test_functions(void)
{
	struct ebpf_spec *spec = read_spec("load_code");
	struct ebpf_error err = { 0 };
	struct ebpf_collection *collection;
	struct ebpf_program_spec *untyped;

	if (!spec)
		return;
	untyped = ebpf_spec_find_program(spec, "untyped");
	CHECK(untyped != NULL);
	refuse(spec, NULL, EINVAL, &err);
	CHECK_HAS(err.message, "program 'untyped'");
	CHECK_HAS(err.message, "nonsense/section");
	ebpf_error_clear(&err);
	if (untyped)
		untyped->autoload = false;
	collection = load_spec(spec, NULL);
	ebpf_spec_free(spec);
	/* a socket filter sees 64 bytes less the Ethernet header as len */
	CHECK_INT(run(collection, "calls"), 3 * 50 + 1000 + 10);
	CHECK_INT(run(collection, "calls_too"), 2 * 50 * 100 + 3);
	CHECK_INT(run(collection, "answer"), 42);
	CHECK(collection && !ebpf_collection_program(collection, "optional"));
	ebpf_collection_free(collection);
	collection = load("load_code", "across"); /* calls a program of another section, and a function of .text */
	CHECK_INT(run(collection, "across"), 42 + 3);
	ebpf_collection_free(collection);
}

static void test_selection(void)
{
	const char *wrong = "optionl";
	struct ebpf_load_options options = { .size = sizeof(options), .programs = &wrong, .program_count = 1 };
	struct ebpf_spec *spec = read_spec("load_code");
	struct ebpf_collection *collection = load("load_code", "optional");
	struct ebpf_error err = { 0 };

	CHECK_INT(run(collection, "optional"), 7);
	CHECK_INT(collection ? collection->program_count : 0, 1);
	ebpf_collection_free(collection);
	if (spec)
		refuse(spec, &options, ENOENT, &err);
	CHECK_HAS(err.message, "optionl");
	CHECK_HAS(err.hint, "'optional'");
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
}

/* Some kernels interpret all programs: no callbacks, kernel functions and struct_ops then. */
static bool compiles(void)
{
	return access("/proc/sys/net/core/bpf_jit_enable", F_OK) == 0;
}

static void test_callbacks(void)
{
	struct ebpf_collection *collection;
	struct ebpf_map *numbers;

	if (!since(5, 17) || !compiles())
		return;
	collection = load("load_code", "callbacks");
	numbers = collection ? ebpf_collection_map(collection, "numbers") : NULL;
	for (uint32_t key = 0; numbers && key < 8; key++)
		CHECK_INT(ebpf_map_update(numbers, &key, &(uint64_t){ key * 1000 }, 0, NULL), 0);
	CHECK_INT(run(collection, "callbacks"), 28000 + 45);
	ebpf_collection_free(collection);
}

static void test_foreign(void)
{
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	struct ebpf_error err = { 0 };
	struct ebpf_spec *spec = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/big/load_code.bpf.o", folder ? folder : "build/spec/bpf");
	CHECK_INT(ebpf_spec_read_file(path, &spec, &err), 0);
	if (!spec)
		return;
	refuse(spec, NULL, ENOTSUP, &err);
	CHECK_HAS(err.message, "endian");
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
}

/* -- variables -- */

static void test_variables(void)
{
	struct ebpf_spec *spec = read_spec("load_data");
	struct ebpf_collection *collection;
	struct ebpf_map_spec *absent;
	struct ebpf_variable_spec *factor;
	struct ebpf_error err = { 0 };

	if (!spec)
		return;
	absent = ebpf_spec_find_map(spec, "absent");
	factor = ebpf_spec_find_variable(spec, "factor");
	CHECK(absent && factor);
	if (absent)
		absent->autocreate = false;
	if (factor)
		memcpy(ebpf_variable_spec_data(factor), &(uint32_t){ 5 }, 4);
	collection = load_spec(spec, NULL); /* `absent` is used behind a constant that is false */
	CHECK_INT(run(collection, "multiply"), 40 * 5 + 'h');
	CHECK_INT(run(collection, "maybe"), 1);
	CHECK_INT(get(collection, "runs"), 1);
	CHECK_INT(get(collection, "start"), 40);
	CHECK_INT(get(collection, "factor"), 5);
	if (collection) {
		CHECK_INT(ebpf_variable_set(variable(collection, "start"), &(uint32_t){ 1 }, &err), 0);
		CHECK_INT(run(collection, "multiply"), 5 + 'h');
		CHECK_INT(get(collection, "runs"), 2);
		CHECK_INT(ebpf_variable_set(variable(collection, "factor"), &(uint32_t){ 6 }, &err), -EPERM);
		CHECK_HAS(err.message, "'factor'");
		CHECK(!ebpf_collection_map(collection, "absent"));
	}
	ebpf_error_clear(&err);
	ebpf_collection_free(collection);
	ebpf_spec_free(spec);
}

static void test_missing_map(void)
{
	struct ebpf_spec *spec = read_spec("load_data");
	struct ebpf_error err = { 0 };

	if (!spec)
		return;
	ebpf_spec_find_map(spec, "absent")->autocreate = false;
	*(uint8_t *)ebpf_variable_spec_data(ebpf_spec_find_variable(spec, "use_absent")) = 1;
	refuse(spec, NULL, EINVAL, &err);
	CHECK_HAS(err.message, "program 'maybe'");
	CHECK_HAS(err.message, "load_data");
	CHECK_HAS(err.message, "socket");
	CHECK_HAS(err.message, "map 'absent' was not created");
	CHECK_HAS(err.message, "load_data.bpf.c");
	CHECK_HAS(err.hint, "autocreate");
	CHECK_HAS(err.log, "map 'absent' was not created");
	CHECK(!err.log || !strstr(err.log, "unknown#"));
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
}

/* The same on a kernel that cannot map arrays, and on one without global data. */
static void test_old_data(void)
{
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };
	struct ebpf_spec *spec;

	CHECK_INT(ebpf_kernel_mask(kernel, "mmap", true, NULL), 0);
	collection = load("load_data", "multiply");
	CHECK_INT(run(collection, "multiply"), 40 * 3 + 'h');
	CHECK_INT(get(collection, "runs"), 1);
	if (collection)
		CHECK_INT(ebpf_variable_set(variable(collection, "start"), &(uint32_t){ 2 }, NULL), 0);
	CHECK_INT(run(collection, "multiply"), 2 * 3 + 'h');
	CHECK_INT(get(collection, "start"), 2);
	ebpf_collection_free(collection);
	CHECK_INT(ebpf_kernel_mask(kernel, "mmap", false, NULL), 0);

	CHECK_INT(ebpf_kernel_mask(kernel, "global_data", true, NULL), 0);
	spec = read_spec("load_data");
	if (spec)
		refuse(spec, NULL, ENOTSUP, &err);
	CHECK_HAS(err.message, "global");
	CHECK_HAS(err.hint, "5.2");
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
	collection = load("load_code", "calls");
	CHECK_INT(run(collection, "calls"), 3 * 50 + 1000 + 10);
	ebpf_collection_free(collection);
	CHECK_INT(ebpf_kernel_mask(kernel, "global_data", false, NULL), 0);
}

/* -- kconfig -- */

struct facts {
	uint64_t hex;
	uint32_t version, module, integer, weak;
	char letter, boolean, cookie, unknown;
	char string[8];
};

static const char config[] =
	"# a comment\nCONFIG_A_BOOL=y\nCONFIG_A_MODULE=m\nCONFIG_A_CHAR=m\nCONFIG_AN_INT=-250\n"
	"CONFIG_A_HEX=0xffffffff81000000\n# CONFIG_NOT_THERE is not set\nCONFIG_A_STRING=\"longer than it fits\"\n";

/* `line` before the rest of the configuration: the first mention counts. */
static void refuse_config(const char *program, const char *line, int code, const char *message)
{
	char text[1024];
	struct ebpf_load_options options = {
		.size = sizeof(options), .programs = &program, .program_count = 1, .kconfig = text
	};
	struct ebpf_spec *spec = read_spec("load_kconfig");
	struct ebpf_error err = { 0 };

	snprintf(text, sizeof(text), "%s%s", line, config);
	if (spec)
		refuse(spec, &options, code, &err);
	CHECK_HAS(err.message, message);
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
}

static void test_kconfig(void)
{
	const char *program = "options";
	struct ebpf_load_options options = {
		.size = sizeof(options), .programs = &program, .program_count = 1, .kconfig = config
	};
	struct ebpf_collection *collection = load("load_kconfig", NULL);
	struct ebpf_spec *spec = read_spec("load_kconfig");
	struct facts facts = { 0 };

	CHECK_INT(run(collection, "version"), ebpf_kernel_version(kernel));
	ebpf_collection_free(collection);
	collection = load_spec(spec, &options);
	ebpf_spec_free(spec);
	CHECK_INT(run(collection, "options"), 1);
	if (collection && variable(collection, "facts")) {
		CHECK_INT(variable(collection, "facts")->size, sizeof(facts));
		CHECK_INT(ebpf_variable_get(variable(collection, "facts"), &facts, NULL), 0);
	}
	ebpf_collection_free(collection);
	CHECK_INT(facts.version, ebpf_kernel_version(kernel));
	CHECK_INT(facts.boolean, 1);
	CHECK_INT(facts.module, 2);
	CHECK_INT(facts.letter, 'm');
	CHECK_INT((int32_t)facts.integer, -250);
	CHECK(facts.hex == 0xffffffff81000000);
	CHECK_INT(facts.weak, 0);
	CHECK_INT(facts.cookie, ebpf_kernel_has(kernel, "bpf_cookie", NULL) == 1);
	CHECK_INT(facts.unknown, 0);
	CHECK_STR(facts.string, "longer ");

	refuse_config("strong", "", ESRCH, "CONFIG_STRONG");
	refuse_config("strong", "CONFIG_STRONG=256\n", ERANGE, "256");
	refuse_config("strong", "CONFIG_STRONG=\"x\"\n", EINVAL, "CONFIG_STRONG");
	refuse_config("strong", "CONFIG_STRONG=12x\n", EINVAL, "12x");
	refuse_config("strong", "CONFIG_STRONG=\n", ESRCH, "CONFIG_STRONG");
	refuse_config("options", "CONFIG_A_BOOL=m\n", EINVAL, "CONFIG_A_BOOL");
	refuse_config("options", "CONFIG_A_MODULE=3\n", EINVAL, "CONFIG_A_MODULE");
}

/* -- externs -- */

static uint64_t address_of(const char *symbol)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	unsigned long long address, found = 0;
	char type;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %c %255s", &address, &type, name) == 3 && !strcmp(name, symbol))
			found = address;
	if (file)
		fclose(file);
	return found;
}

static void refuse_program(const char *object, const char *program, int code, struct ebpf_error *err)
{
	struct ebpf_load_options options = { .size = sizeof(options), .programs = &program, .program_count = 1 };
	struct ebpf_spec *spec = read_spec(object);

	memset(err, 0, sizeof(*err));
	if (spec)
		refuse(spec, &options, code, err);
	ebpf_spec_free(spec);
}

static void test_ksyms(void)
{
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };
	uint64_t address = address_of("kfree");

	collection = load("load_ksym", "untyped");
	CHECK_INT(run(collection, "untyped"), 1);
	CHECK(address && get(collection, "address") == address);
	CHECK(get(collection, "missing") == 0);
	ebpf_collection_free(collection);

	refuse_program("load_ksym", "strong", ESRCH, &err);
	CHECK_HAS(err.message, "strong_missing_symbol");
	CHECK(!strstr(err.message, "no_such"));
	ebpf_error_clear(&err);

	/* a variable must be among the types, which is up to pahole, and among the symbols, which takes CONFIG_KALLSYMS_ALL */
	if (since(5, 10) && ebpf_kernel_has(kernel, "vmlinux_btf", NULL) == 1 && address_of("runqueues") &&
	    ebpf_btf_find(ebpf_kernel_btf(kernel, NULL), "runqueues") > 0) {
		collection = load("load_ksym", "typed");
		CHECK_INT(run(collection, "typed"), 100);
		ebpf_collection_free(collection);
	}
}

static void test_kfuncs(void)
{
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };

	if (since(6, 2) && compiles()) {
		collection = load("load_ksym", "kfuncs");
		CHECK_INT(run(collection, "kfuncs"), 1 + 2 + 4);
		ebpf_collection_free(collection);
	}
	refuse_program("load_ksym", "strong_kfunc", ESRCH, &err);
	CHECK_HAS(err.message, "bpf_missing_strong_kfunc()");
	ebpf_error_clear(&err);

	refuse_program("load_ksym", "unguarded", EINVAL, &err);
	CHECK_HAS(err.message, "program 'unguarded'");
	CHECK_HAS(err.message, "bpf_no_such_kfunc");
	CHECK_HAS(err.hint, "bpf_ksym_exists");
	CHECK_HAS(err.log, "bpf_no_such_kfunc");
	ebpf_error_clear(&err);
}

/* -- types -- */

static void test_core(void)
{
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };

	if (ebpf_kernel_has(kernel, "vmlinux_btf", NULL) != 1)
		return;
	collection = load("load_types", "field");
	CHECK_INT(run(collection, "field"), 2);
	ebpf_collection_free(collection);

	refuse_program("load_types", "poisoned", EINVAL, &err);
	CHECK_HAS(err.message, "program 'poisoned'");
	CHECK_HAS(err.message, "no_such_field");
	CHECK_HAS(err.hint, "bpf_core_field_exists");
	CHECK_HAS(err.log, "no_such_field");
	CHECK(!err.log || !strstr(err.log, "unknown#"));
	ebpf_error_clear(&err);

	if (since(6, 7) && compiles()) {
		collection = load("load_types", "allocate");
		CHECK_INT(run(collection, "allocate"), 65);
		ebpf_collection_free(collection);
	}
}

static void test_map_types(void)
{
	struct ebpf_collection *collection = load("load_types", "lock");
	struct ebpf_map_info info = { 0 };

	CHECK_INT(run(collection, "lock"), 1);
	CHECK_INT(run(collection, "lock"), 2);
	if (collection) {
		CHECK_INT(ebpf_map_info(ebpf_collection_map(collection, "guarded"), &info, NULL), 0);
		CHECK(info.btf_id && info.key_type_id && info.value_type_id);
	}
	ebpf_collection_free(collection);
}

/* A kernel without some kinds of types, or without all of them, gets others, or none. */
static void test_old_types(void)
{
	static const char *const kinds[] = { "btf_global_func", "btf_datasec", "btf_func", "btf" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct ebpf_collection *collection;

		CHECK_INT(ebpf_kernel_mask(kernel, kinds[i], true, NULL), 0);
		collection = load("load_data", "multiply");
		CHECK_INT(run(collection, "multiply"), 40 * 3 + 'h');
		ebpf_collection_free(collection);
		CHECK_INT(ebpf_kernel_mask(kernel, kinds[i], false, NULL), 0);
	}
}

/* A congestion control: the object's struct is not the kernel's, which is found by name, member by member. */
static void test_struct_ops(void)
{
	struct ebpf_spec *spec = read_spec("load_ops");
	struct ebpf_program_spec *unused = spec ? ebpf_spec_find_program(spec, "unused") : NULL;
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };

	if (!unused || !since(5, 6) || !compiles() || ebpf_kernel_has(kernel, "vmlinux_btf", NULL) != 1) {
		ebpf_spec_free(spec);
		return;
	}
	refuse(spec, NULL, EINVAL, &err);
	CHECK_HAS(err.message, "program 'unused'");
	CHECK_HAS(err.message, "no struct_ops map");
	ebpf_error_clear(&err);
	unused->autoload = false;
	collection = load_spec(spec, NULL);
	CHECK_INT(collection ? collection->program_count : 0, 3);
	CHECK(collection && ebpf_map_value_size(ebpf_collection_map(collection, "plain")) > 100);
	ebpf_collection_free(collection);
	ebpf_spec_find_map(spec, "plain")->autocreate = false;
	collection = load_spec(spec, NULL); /* and none of its programs */
	CHECK_INT(collection ? collection->program_count : 1, 0);
	ebpf_collection_free(collection);
	ebpf_spec_free(spec);
}

static void test_old_helpers(void)
{
	struct ebpf_collection *collection;

	if (ebpf_kernel_has(kernel, "vmlinux_btf", NULL) != 1)
		return;
	for (int masked = 0; masked < (ebpf_kernel_has(kernel, "helper.probe_read", NULL) == 1 ? 2 : 1); masked++) {
		CHECK_INT(ebpf_kernel_mask(kernel, "probe_read_kernel", masked, NULL), 0);
		collection = load("load_types", "probe_read");
		CHECK(collection && collection->program_count == 1);
		ebpf_collection_free(collection);
	}
	CHECK_INT(ebpf_kernel_mask(kernel, "probe_read_kernel", false, NULL), 0);
}

/* -- maps -- */

static int mount_bpffs(char path[32])
{
	strcpy(path, "/tmp/ebpf_load_XXXXXX");
	if (!mkdtemp(path))
		return -errno;
	return mount("bpffs", path, "bpf", 0, NULL) ? -errno : 0;
}

static void test_maps(const char *pin_dir)
{
	struct ebpf_load_options options = { .size = sizeof(options), .pin_dir = pin_dir };
	struct ebpf_spec *spec = read_spec("load_maps");
	struct ebpf_collection *collection = load_spec(spec, &options);
	uint32_t zero = 0, three = 3;
	struct ebpf_map *ring;

	if (collection) {
		ring = ebpf_collection_map(collection, "ring");
		CHECK_INT(ebpf_map_max_entries(ring), 8192);
		CHECK(ebpf_map_max_entries(ebpf_collection_map(collection, "events")) >= 1);
		CHECK_INT(run(collection, "nested"), 0);
		CHECK_INT(ebpf_map_update(ebpf_collection_map(collection, "second"), &zero, &(uint64_t){ 99 }, 0, NULL),
			  0);
		CHECK_INT(run(collection, "nested"), 99);
		CHECK_INT(ebpf_map_delete(ebpf_collection_map(collection, "outer"), &three, NULL), 0);
		CHECK_INT(run(collection, "nested"), -1);
		CHECK_INT(run(collection, "jump"), 77);
		CHECK_INT(run(collection, "target"), 77);
		CHECK_INT(ebpf_map_next_key(ebpf_collection_map(collection, "outer_hash"), NULL, &three, NULL), 0);
		CHECK_INT(three, 0);
	}
	ebpf_collection_free(collection);
	ebpf_spec_free(spec);
}

static bool exists(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_pins(const char *pin_dir)
{
	const char *program = "remember";
	struct ebpf_load_options options = {
		.size = sizeof(options), .pin_dir = pin_dir, .programs = &program, .program_count = 1
	};
	struct ebpf_spec *spec = read_spec("load_maps");
	struct ebpf_collection *first, *second;
	struct ebpf_error err = { 0 };
	char path[128];

	if (!spec)
		return;
	snprintf(path, sizeof(path), "%s/kept", pin_dir);
	unlink(path);
	ebpf_spec_find_map(spec, "jumps")->value_count = 0; /* of a program that is not loaded */
	first = load_spec(spec, &options);
	CHECK(exists(pin_dir, "kept"));
	CHECK_INT(run(first, "remember"), 1);
	CHECK_INT(run(first, "remember"), 2);
	ebpf_collection_free(first);
	second = load_spec(spec, &options);
	CHECK_INT(run(second, "remember"), 3);
	CHECK(second && ebpf_map_value_layout(ebpf_collection_map(second, "kept")) != NULL);
	ebpf_collection_free(second);

	ebpf_spec_find_map(spec, "kept")->max_entries = 17;
	refuse(spec, &options, EEXIST, &err);
	CHECK_HAS(err.message, "map 'kept'");
	CHECK_HAS(err.message, "max_entries");
	CHECK(exists(pin_dir, "kept"));
	ebpf_error_clear(&err);
	unlink(path);

	/* a load that fails after the pin takes it away again */
	program = "jump";
	ebpf_spec_find_map(spec, "jumps")->value_count = 1;
	refuse(spec, &options, ENOENT, &err);
	CHECK_HAS(err.message, "program 'target' was not loaded");
	CHECK_HAS(err.message, "map 'jumps'");
	CHECK(!exists(pin_dir, "kept"));
	ebpf_error_clear(&err);
	ebpf_spec_free(spec);
}

static void test_replacement(const char *pin_dir)
{
	const char *program = "nested";
	struct ebpf_map_spec *second;
	struct ebpf_map_replacement replacement = { .name = "second" };
	struct ebpf_load_options options = { .size = sizeof(options),
					     .pin_dir = pin_dir,
					     .programs = &program,
					     .program_count = 1,
					     .replacements = &replacement,
					     .replacement_count = 1 };
	struct ebpf_spec *spec = read_spec("load_maps");
	struct ebpf_collection *collection;
	struct ebpf_error err = { 0 };
	uint32_t zero = 0;

	if (!spec)
		return;
	ebpf_spec_find_map(spec, "jumps")->value_count = 0;
	second = ebpf_spec_find_map(spec, "second");
	CHECK_INT(ebpf_map_create(kernel, second, &replacement.map, NULL), 0);
	CHECK_INT(ebpf_map_update(replacement.map, &zero, &(uint64_t){ 5 }, 0, NULL), 0);
	collection = load_spec(spec, &options);
	CHECK_INT(run(collection, "nested"), 5);
	ebpf_collection_free(collection);

	second->max_entries = 2;
	refuse(spec, &options, EEXIST, &err);
	CHECK_HAS(err.message, "map 'second'");
	ebpf_error_clear(&err);
	replacement.name = "secund";
	refuse(spec, &options, ENOENT, &err);
	CHECK_HAS(err.message, "secund");
	ebpf_error_clear(&err);
	CHECK_INT(ebpf_map_fd(replacement.map) > 0, 1);
	ebpf_map_close(replacement.map);
	ebpf_spec_free(spec);
}

int main(void)
{
	struct ebpf_error err = { 0 };
	char pin_dir[32];
	int mounted, before;

	if (getuid())
		TEST_SKIP("needs root");
	kernel = ebpf_kernel_new(&err);
	CHECK(kernel != NULL);
	before = open_fds();
	test_functions();
	test_selection();
	test_callbacks();
	test_foreign();
	test_variables();
	test_missing_map();
	test_old_data();
	test_kconfig();
	test_ksyms();
	test_kfuncs();
	test_core();
	test_map_types();
	test_old_types();
	test_struct_ops();
	test_old_helpers();
	mounted = mount_bpffs(pin_dir);
	CHECK_INT(mounted, 0);
	if (!mounted) {
		test_maps(pin_dir);
		test_pins(pin_dir);
		test_replacement(pin_dir);
		umount2(pin_dir, MNT_DETACH);
	}
	rmdir(pin_dir);
	ebpf_kernel_free(kernel);
	CHECK_INT(open_fds(), before);
	return TEST_RESULT();
}
