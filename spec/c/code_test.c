/* What the kernel made of a program, beside what is known of it; and what is left of that where the kernel hides it, or memory is short. */
#include <stdlib.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "load/load.h"
#include "test.h"

static enum { SHOW, HARDENED, OLD } pretended;

static int pretending_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	struct bpf_prog_info *info = (void *)(uintptr_t)attr->info.info;
	bool of_program = cmd == BPF_OBJ_GET_INFO_BY_FD && attr->info.info_len == sizeof(*info); /* an old kernel shortens it */
	int code = ebpf_sys_linux.bpf(cmd, attr, size);

	if (!of_program || code < 0)
		return code;
	if (pretended == HARDENED) { /* kptr_restrict and bpf_jit_harden */
		info->xlated_prog_insns = info->jited_prog_insns = 0;
		info->jited_ksyms = info->jited_line_info = 0;
	} else if (pretended == OLD) { /* Linux 4.14 */
		info->nr_func_info = info->nr_line_info = info->nr_jited_line_info = info->nr_prog_tags = info->btf_id = 0;
		info->nr_jited_ksyms = info->nr_jited_func_lens = 0;
	}
	return code;
}

static struct ebpf_collection *load(struct ebpf_kernel *kernel, const char *program)
{
	struct ebpf_load_options options = { .size = sizeof(options), .programs = &program, .program_count = 1 };
	struct ebpf_collection *collection = NULL;
	struct ebpf_spec *spec = NULL;
	struct ebpf_error err = { 0 };

	if (ebpf_spec_read_file("build/spec/bpf/load_code.bpf.o", &spec, &err) == 0)
		ebpf_collection_load(spec, kernel, &options, &collection, &err);
	CHECK_STR(err.message, "");
	ebpf_spec_free(spec);
	ebpf_error_clear(&err);
	return collection;
}

static const struct ebpf_program_reference *find(const struct ebpf_program_code *code, enum ebpf_reference kind, const char *name)
{
	for (size_t i = 0; i < code->reference_count; i++)
		if (code->references[i].kind == kind && strcmp(code->references[i].name, name) == 0)
			return &code->references[i];
	return NULL;
}

static void check_shown(struct ebpf_program *program)
{
	struct ebpf_program_info info = { .size = sizeof(info) };
	struct ebpf_program_code *code = NULL;
	struct ebpf_error err = { 0 };
	uint32_t jited = 0;

	CHECK_INT(ebpf_program_info(program, &info, &err), 0);
	CHECK_INT(ebpf_program_code_read(program, &code, &err), 0);
	CHECK_STR(err.message, "");
	if (!code)
		return;
	CHECK_INT(code->insn_count, info.xlated_size / 8);
	CHECK_INT(code->function_count, 4); /* calls, shared_global, twice, thrice */
	CHECK_STR(code->functions[0].name, "calls");
	CHECK_STR(code->functions[0].prototype, "int calls(struct __sk_buff *skb)");
	CHECK_INT(code->functions[0].insn, 0);
	for (size_t i = 0; i < code->function_count; i++) {
		CHECK(i == 0 || code->functions[i].insn > code->functions[i - 1].insn);
		CHECK_INT(code->functions[i].jited_offset, jited);
		jited += code->functions[i].jited_size;
	}
	CHECK_INT(jited, info.jited_size);
	for (size_t i = 1; i < code->function_count; i++) {
		const struct ebpf_program_reference *call = find(code, EBPF_REF_CALL, code->functions[i].name);

		CHECK(call != NULL);
		if (call)
			CHECK_INT((int64_t)call->insn + 1 + code->insns[call->insn].imm, code->functions[i].insn);
	}
	CHECK(code->line_count > 4 && strstr(code->lines[0].file, "load_code.bpf.c") && code->lines[0].number > 0);
	for (size_t i = 1; i < code->line_count; i++)
		CHECK(code->lines[i].insn >= code->lines[i - 1].insn);
	if (code->jited)
		CHECK_INT(code->jited_size, info.jited_size);
	ebpf_program_code_free(code);
	ebpf_program_code_free(NULL);
	ebpf_error_clear(&err);
}

static void check_hidden(struct ebpf_program *program)
{
	struct ebpf_program_code *code = NULL;

	pretended = HARDENED;
	CHECK_INT(ebpf_program_code_read(program, &code, NULL), 0);
	CHECK(code && !code->insns && !code->insn_count && !code->jited && !code->jited_size && !code->line_addresses);
	CHECK(code && code->function_count == 4 && !code->functions[1].address && *code->functions[1].name);
	CHECK(code && code->line_count > 4 && !code->reference_count);
	ebpf_program_code_free(code);
	pretended = OLD;
	code = NULL;
	CHECK_INT(ebpf_program_code_read(program, &code, NULL), 0);
	CHECK(code && code->insns && code->function_count == 1 && code->line_count == 0 && !*code->functions[0].prototype);
	if (code)
		CHECK_STR(code->functions[0].name, "calls");
	ebpf_program_code_free(code);
	pretended = SHOW;
}

static void check_info(struct ebpf_program *program)
{
	struct ebpf_program_info whole = { .size = sizeof(whole) }, part = { .size = offsetof(struct ebpf_program_info, jited_size) };
	struct ebpf_error err = { 0 };

	part.jited_size = 77;
	CHECK_INT(ebpf_program_info(program, &whole, NULL), 0);
	CHECK_INT(ebpf_program_info(program, &part, NULL), 0);
	CHECK_INT(part.xlated_size, whole.xlated_size);
	CHECK_INT(part.jited_size, 77); /* a caller that knows less gets less */
	CHECK_INT(part.size, offsetof(struct ebpf_program_info, jited_size));
	CHECK(whole.memlock > 0);
	CHECK_INT(ebpf_program_info(program, &(struct ebpf_program_info){ .size = 0 }, &err), -EINVAL);
	ebpf_error_clear(&err);
}

static void check_ids(struct ebpf_kernel *kernel, struct ebpf_program *program)
{
	struct ebpf_program_info info = { .size = sizeof(info) };
	uint32_t id = 0, last = 0;
	bool found = false;
	int code;

	CHECK_INT(ebpf_program_info(program, &info, NULL), 0);
	while ((code = ebpf_kernel_next_id(kernel, EBPF_OBJECT_PROGRAM, id, &id, NULL)) == 1) {
		CHECK(id > last);
		last = id;
		found = found || id == info.id;
	}
	CHECK_INT(code, 0);
	CHECK(found);
	CHECK_INT(ebpf_kernel_next_id(kernel, EBPF_OBJECT_MAP, UINT32_MAX, &id, NULL), 0);
}

#ifndef SANITIZED
/* Names may be missing where there was no memory for them; the rest is there, or nothing is. */
static void check_memory(struct ebpf_program *program)
{
	struct ebpf_program_code *code;
	struct ebpf_error err = { 0 };
	long before, attempt = 0;
	int result;

	ebpf_program_code_read(program, &code, NULL); /* the context keeps what it found */
	ebpf_program_code_free(code);
	before = live;
	do {
		code = NULL;
		failed_allocation = false;
		fail_allocation = ++attempt;
		result = ebpf_program_code_read(program, &code, &err);
		fail_allocation = 0;
		CHECK(result == 0 || (result == -ENOMEM && failed_allocation && !code));
		if (code)
			CHECK(code->insns && code->function_count == 4);
		ebpf_program_code_free(code);
		ebpf_error_clear(&err);
		CHECK_INT(live, before);
	} while (failed_allocation && attempt < 1000 && !test_failures);
	CHECK(attempt > 15);
}
#endif

int main(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	struct ebpf_collection *collection;
	struct ebpf_kernel *kernel;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	sys.bpf = pretending_bpf;
	kernel = ebpf_kernel_new_with(&sys, NULL);
	if (!ebpf_kernel_supports(kernel, EBPF_FEATURE_BTF_FUNC) || !ebpf_kernel_supports(kernel, EBPF_FEATURE_BTF_GLOBAL_FUNC)) {
		ebpf_kernel_free(kernel);
		TEST_SKIP("needs Linux 5.6");
	}
	collection = load(kernel, "calls");
	if (collection) {
		struct ebpf_program *program = collection->programs[0];

		check_shown(program);
		check_hidden(program);
		check_info(program);
		check_ids(kernel, program);
#ifndef SANITIZED
		check_memory(program);
#endif
	}
	ebpf_collection_free(collection);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
