/* Policies: asked before each privileged step of this thread, with what is being done; a refusal is EPERM, and nothing has been done. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ebpf.h"
#include "test.h"

static struct ebpf_error err;

struct witness {
	struct ebpf_policy policy;
	unsigned asked[EBPF_STEP_OTHER + 1];
	unsigned refuses; /* bits of kinds */
	char last[EBPF_STEP_OTHER + 1][256], target[256];
	struct ebpf_kernel *kernel;
};

static int ask(void *context, const struct ebpf_step *step)
{
	struct witness *witness = context;

	CHECK_INT(step->size, sizeof(*step));
	CHECK(step->what[0] && step->name && step->target);
	witness->asked[step->kind]++;
	snprintf(witness->last[step->kind], sizeof(witness->last[0]), "%s", step->what);
	if (step->kind == EBPF_STEP_ATTACH)
		snprintf(witness->target, sizeof(witness->target), "%s", step->target);
	CHECK(ebpf_policy_set(NULL) == NULL); /* the policy itself is not asked about */
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
	/* where it is refused, an older helper is tried, which is asked about as well */
	CHECK(witness.asked[EBPF_STEP_READ_KERNEL] > 0);
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
	test_threads();
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
