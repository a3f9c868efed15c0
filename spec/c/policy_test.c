/* Policies: asked before each privileged step of this thread, with what is being done; a refusal is EPERM, and nothing has been done. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ebpf.h"
#include "program/program.h"
#include "test.h"

static struct ebpf_error err;

enum { KINDS = EBPF_STEP_WRITE_FILE + 1 };

struct witness {
	struct ebpf_policy policy;
	unsigned asked[KINDS], repeated;
	unsigned refuses; /* bits of kinds */
	char last[KINDS][256], target[256], all[8192]; /* a line for each step */
	const char *refuses_words;
	struct ebpf_kernel *kernel;
};

static int ask(void *context, const struct ebpf_step *step)
{
	struct witness *witness = context;

	CHECK_INT(step->size, sizeof(*step));
	CHECK(step->what[0] && step->name && step->target);
	if (step->kind == EBPF_STEP_CREATE_MAP && !strcmp(step->name, "counts"))
		CHECK(step->key_size == 4 && step->value_size == 8 && step->max_entries == 4);
	char line[256];
	size_t used = strlen(witness->all);

	snprintf(line, sizeof(line), "%s\n", step->what);
	if (step->kind == EBPF_STEP_ATTACH || step->kind == EBPF_STEP_READ_KERNEL || step->kind == EBPF_STEP_READ_FILE)
		witness->repeated += strstr(witness->all, line) != NULL;
	snprintf(witness->all + used, sizeof(witness->all) - used, "%s", line);
	witness->asked[step->kind]++;
	snprintf(witness->last[step->kind], sizeof(witness->last[0]), "%s", step->what);
	if (step->kind == EBPF_STEP_ATTACH)
		snprintf(witness->target, sizeof(witness->target), "%s", step->target);
	CHECK(ebpf_policy_set(NULL) == NULL); /* the policy itself is not asked about */
	if (witness->refuses_words && strstr(step->what, witness->refuses_words))
		return 1;
	return (int)(witness->refuses >> step->kind & 1);
}

static void start(struct witness *witness, unsigned refuses)
{
	*witness = (struct witness){ .policy = { .size = sizeof(witness->policy), .ask = ask, .context = witness }, .refuses = refuses };
	ebpf_policy_set(&witness->policy);
}

#define ASKED(witness, step, words) \
	do { \
		CHECK((witness).asked[step] > 0); \
		CHECK_STR((witness).last[step], words); \
	} while (0)

static void test_maps(struct ebpf_kernel *kernel)
{
	struct ebpf_map_spec spec = { .name = (char *)"counts", .type = 2, .key_size = 4, .value_size = 8, .max_entries = 4 };
	struct ebpf_map *map = NULL;
	struct witness witness;
	uint64_t value = 7;
	uint32_t key = 1;
	char path[64];

	snprintf(path, sizeof(path), "/sys/fs/bpf/policy-%d", (int)getpid());
	start(&witness, 1U << EBPF_STEP_CREATE_MAP);
	CHECK_INT(ebpf_map_create(kernel, &spec, &map, &err), -EPERM);
	ebpf_error_clear(&err);
	ASKED(witness, EBPF_STEP_CREATE_MAP, "create map 'counts' (array, 4 entries)");
	CHECK_STR(witness.policy.refused, "create map 'counts' (array, 4 entries)");
	start(&witness, 1U << EBPF_STEP_WRITE_MAP | 1U << EBPF_STEP_PIN);
	CHECK_INT(ebpf_map_create(kernel, &spec, &map, &err), 0);
	CHECK_INT(ebpf_map_update(map, &key, &value, 0, &err), -EPERM);
	ASKED(witness, EBPF_STEP_WRITE_MAP, "write to map 'counts' (array)");
	value = 0;
	CHECK_INT(ebpf_map_lookup(map, &key, &value, 0, &err), 0);
	CHECK_INT(value, 0); /* and it was not written */
	CHECK(ebpf_map_pin(map, path, &err) < 0);
	CHECK(access(path, F_OK) != 0);
	CHECK(strstr(witness.last[EBPF_STEP_PIN], "pin as /sys/fs/bpf/policy-") == witness.last[EBPF_STEP_PIN]);
	start(&witness, 0);
	value = 9;
	CHECK_INT(ebpf_map_update(map, &key, &value, 0, &err), 0);
	CHECK_INT(witness.asked[EBPF_STEP_WRITE_MAP], 1);
	CHECK_STR(witness.policy.refused, "");
	CHECK(ebpf_policy_set(NULL) == &witness.policy);
	CHECK_INT(ebpf_map_update(map, &key, &value, 0, &err), 0);
	CHECK_INT(witness.asked[EBPF_STEP_WRITE_MAP], 1);
	ebpf_map_close(map);
	ebpf_error_clear(&err);
}

static void test_programs(struct ebpf_kernel *kernel)
{
	struct ebpf_spec *spec = NULL;
	struct ebpf_collection *coll = NULL;
	struct ebpf_link_options options = { .size = sizeof(options), .tracepoint.category = "syscalls", .tracepoint.name = "sys_enter_getpid" };
	struct ebpf_link *link = NULL;
	struct ebpf_program *program;
	struct witness witness;
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "build/spec/bpf", "policy.bpf.o");
	CHECK_INT(ebpf_spec_read_file(path, &spec, &err), 0);
	if (!spec)
		return;
	start(&witness, 1U << EBPF_STEP_READ_KERNEL);
	CHECK(ebpf_collection_load(spec, kernel, NULL, &coll, &err) < 0);
	/* an older helper, which is tried then, does not get around it */
	CHECK_INT(witness.asked[EBPF_STEP_READ_KERNEL], 1);
	CHECK(strstr(witness.policy.refused, "let program 'peek' (tracepoint) read kernel memory, by the helper probe_read") == witness.policy.refused);
	ebpf_error_clear(&err);
	start(&witness, 1U << EBPF_STEP_ATTACH);
	CHECK_INT(ebpf_collection_load(spec, kernel, NULL, &coll, &err), 0);
	CHECK(strstr(witness.last[EBPF_STEP_LOAD], "load program 'peek' (tracepoint, ") == witness.last[EBPF_STEP_LOAD]);
	program = ebpf_collection_program(coll, "peek");
	CHECK(program != NULL);
	CHECK_INT(ebpf_link_attach("tracepoint", program, &options, &link, &err), -EPERM);
	CHECK_STR(witness.target, "tracepoint syscalls:sys_enter_getpid");
	ebpf_error_clear(&err);
	start(&witness, 0);
	CHECK_INT(ebpf_link_attach("tracepoint", program, &options, &link, &err), 0);
	CHECK(witness.asked[EBPF_STEP_ATTACH] > 0);
	ebpf_policy_set(NULL);
	ebpf_link_close(link);
	ebpf_collection_free(coll);
	ebpf_spec_free(spec);
	ebpf_error_clear(&err);
}

/* One attachment is one question for each thing that is done; a refusal ends it, whatever other interfaces there would be. */
static void test_attempts(struct ebpf_kernel *kernel)
{
	const struct ebpf_insn code[] = { { .code = 0xb7 }, { .code = 0x95 } };
	static const struct {
		const char *kind;
		uint32_t type;
		struct ebpf_link_options options;
	} attachments[] = {
		{ "tracepoint", 5, { .tracepoint = { .category = "syscalls", .name = "sys_enter_getpid" } } },
		{ "tc", 3, { .interface = "lo", .tc = { .direction = "ingress" } } },
		{ "xdp", 6, { .interface = "lo", .xdp = { .mode = "generic" } } },
		{ "uprobe", 2, { .path = "/proc/self/exe", .symbol = "main" } },
		{ "raw_tracepoint", 17, { .tracepoint = { .name = "sys_enter" } } },
		{ "perf_event", 7, { .perf_event = { .frequency = 99 } } },
	};

	for (size_t i = 0; i < sizeof(attachments) / sizeof(attachments[0]); i++) {
		struct ebpf_program_load load = { .name = "attempt", .type = attachments[i].type, .license = "GPL", .insns = code, .insn_count = 2 };
		struct ebpf_link_options options = attachments[i].options;
		struct ebpf_program *program = NULL;
		struct ebpf_link *link = NULL;
		struct witness witness;

		options.size = sizeof(options);
		CHECK_INT(ebpf_program_load(kernel, &load, &program, &err), 0);
		start(&witness, 0);
		if (ebpf_link_attach(attachments[i].kind, program, &options, &link, &err) < 0) {
			printf("%s: %s\n", attachments[i].kind, err.message); /* not on this machine */
			ebpf_error_clear(&err);
			ebpf_program_close(program);
			continue;
		}
		CHECK(witness.asked[EBPF_STEP_ATTACH] > 0);
		CHECK_INT(witness.repeated, 0);
		ebpf_link_close(link);
		link = NULL;
		start(&witness, 0);
		witness.refuses_words = "attach program 'attempt'";
		CHECK_INT(ebpf_link_attach(attachments[i].kind, program, &options, &link, &err), -EPERM);
		CHECK(strstr(witness.policy.refused, witness.refuses_words) == witness.policy.refused);
		const char *refused = strstr(witness.all, witness.refuses_words);

		CHECK(refused && !strstr(refused + 1, "attach") && !strstr(refused, "open perf") && !strstr(refused, "netlink"));
		ebpf_policy_set(NULL);
		ebpf_error_clear(&err);
		ebpf_program_close(program);
	}
}

/* Files that a caller names are asked about; what the engine itself reads is not. */
static void test_files(void)
{
	struct ebpf_writer_options options = { .size = sizeof(options) };
	struct ebpf_sink *sink = NULL;
	struct ebpf_btf *btf = NULL;
	struct ebpf_layout *layout = NULL;
	struct witness witness;
	char path[] = "/tmp/policy-test-XXXXXX";
	int fd = mkstemp(path);

	start(&witness, 1U << EBPF_STEP_READ_FILE | 1U << EBPF_STEP_WRITE_FILE);
	CHECK_INT(ebpf_policy_read_file("/etc/passwd", &err), -EPERM);
	ASKED(witness, EBPF_STEP_READ_FILE, "read /etc/passwd");
	CHECK_STR(err.message, "'/etc/passwd': operation not permitted");
	CHECK_INT(ebpf_policy_read_file("/sys/../etc/shadow", &err), -EPERM);
	ASKED(witness, EBPF_STEP_READ_FILE, "read /sys/../etc/shadow");
	witness.asked[EBPF_STEP_READ_FILE] = 0;
	CHECK_INT(ebpf_policy_read_file("/sys/kernel/btf/vmlinux", &err), 0);
	if (ebpf_btf_read_file("/sys/kernel/btf/vmlinux", NULL, &btf, &err) == 0) {
		CHECK_INT(witness.asked[EBPF_STEP_READ_FILE], 0);
		layout = ebpf_layout_from_name("struct list_head", btf, &err);
		options.path = path;
		CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), -EPERM);
		ASKED(witness, EBPF_STEP_WRITE_FILE, witness.policy.refused);
		CHECK(strstr(witness.policy.refused, "write to /tmp/policy-test-") == witness.policy.refused);
		options.path = NULL;
		options.fd = fd;
		CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), -EPERM);
		CHECK(strstr(witness.policy.refused, "write to descriptor ") == witness.policy.refused);
		/* a policy of some kinds alone */
		witness.policy.kinds = 1U << EBPF_STEP_READ_FILE;
		CHECK_INT(ebpf_sink_new_writer(layout, &options, &sink, &err), 0);
		ebpf_sink_free(sink);
	}
	ebpf_policy_set(NULL);
	ebpf_layout_free(layout);
	ebpf_btf_free(btf);
	close(fd);
	unlink(path);
	ebpf_error_clear(&err);
}

/* What the engine does to find out about the kernel is one step, in words; refused, it is not known, and the next time it is asked again. */
static void test_probes(void)
{
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);
	struct witness witness;

	start(&witness, 1U << EBPF_STEP_PROBE);
	CHECK_INT(ebpf_kernel_has(kernel, "map_type.hash", &err), -EPERM);
	CHECK(strstr(witness.all, "find out whether this kernel has map_type.hash\n") != NULL);
	CHECK_INT(ebpf_kernel_has(kernel, "global_data", &err), -EPERM);
	start(&witness, 0);
	CHECK_INT(ebpf_kernel_has(kernel, "map_type.hash", &err), 1);
	CHECK_INT(ebpf_kernel_has(kernel, "global_data", &err), 1);
	CHECK_INT(ebpf_kernel_helper(kernel, 1, 1, &err), 1);
	ASKED(witness, EBPF_STEP_PROBE, "find out whether this kernel has helpers and kfuncs for socket_filter");
	CHECK_INT(witness.asked[EBPF_STEP_LOAD] + witness.asked[EBPF_STEP_CREATE_MAP], 0);
	CHECK(ebpf_policy_set(NULL) == &witness.policy); /* it is back after each */
	ebpf_kernel_free(kernel);
	ebpf_error_clear(&err);
}

static void *other_thread(void *context)
{
	struct ebpf_map_spec spec = { .name = (char *)"other", .type = 2, .key_size = 4, .value_size = 8, .max_entries = 1 };
	struct ebpf_error error = { 0 };
	struct ebpf_kernel *kernel = ebpf_kernel_new(&error);
	struct ebpf_map *map = NULL;

	(void)context;
	CHECK(ebpf_policy_set(NULL) == NULL);
	CHECK_INT(ebpf_map_create(kernel, &spec, &map, &error), 0);
	ebpf_map_close(map);
	ebpf_kernel_free(kernel);
	return NULL;
}

static void test_threads(void)
{
	struct witness witness;
	pthread_t thread;

	start(&witness, UINT32_MAX);
	CHECK_INT(pthread_create(&thread, NULL, other_thread, NULL), 0);
	pthread_join(thread, NULL);
	CHECK_INT(witness.asked[EBPF_STEP_CREATE_MAP], 0);
	ebpf_policy_set(NULL);
}

int main(void)
{
	struct ebpf_kernel *kernel = ebpf_kernel_new(&err);

	test_maps(kernel);
	test_programs(kernel);
	test_attempts(kernel);
	test_files();
	test_probes();
	test_threads();
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
