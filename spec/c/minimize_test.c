/* minimize_test.c -- objects relocated by the minimal BTF are as they would be by the whole one. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load/core_impl.h"
#include "test.h"

static struct ebpf_error err;

static void relocate(struct ebpf_spec *spec, const struct ebpf_function *function, struct ebpf_btf *target, struct ebpf_insn *insns)
{
	struct ebpf_core *core = NULL;
	CHECK_INT(ebpf_core_new(NULL, spec->btf, target, &core, &err), 0);
	memcpy(insns, function->insns, function->insn_count * sizeof(*insns));
	CHECK_INT(ebpf_core_relocate(core, function, insns, &err), 0);
	CHECK_STR(err.message, "");
	ebpf_core_free(core);
}

/* The number of a type in the target is the one thing that differs. */
static bool asks_id(const struct ebpf_function *function, size_t insn)
{
	for (size_t i = 0; i < function->relo_count; i++) {
		uint32_t at = function->relos[i].insn;
		if (function->relos[i].kind == CORE_TYPE_ID_TARGET && (at == insn || at + 1 == insn))
			return true;
	}
	return false;
}

static size_t compare(struct ebpf_spec *spec, struct ebpf_btf *whole, struct ebpf_btf *small)
{
	const struct ebpf_spec_impl *impl = spec_impl(spec);
	size_t relos = 0;
	for (size_t i = 0; i < impl->function_count; i++) {
		const struct ebpf_function *function = impl->functions[i];
		struct ebpf_insn *insns = calloc(2 * function->insn_count + 1, sizeof(*insns));
		relos += function->relo_count;
		relocate(spec, function, whole, insns);
		relocate(spec, function, small, insns + function->insn_count);
		for (size_t j = 0; j < function->insn_count; j++)
			if (!asks_id(function, j))
				CHECK(!memcmp(&insns[j], &insns[function->insn_count + j], sizeof(*insns)));
		free(insns);
	}
	return relos;
}

int main(void)
{
	const char *folder = getenv("EBPF_TEST_OBJECTS");
	struct ebpf_btf *vmlinux = NULL;
	struct dirent *entry;
	size_t objects = 0, relos = 0;
	char path[512];

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		TEST_SKIP("no /sys/kernel/btf/vmlinux");
	CHECK_INT(ebpf_btf_read_file("/sys/kernel/btf/vmlinux", NULL, &vmlinux, &err), 0);
	DIR *dir = opendir(folder ? folder : "build/spec/bpf");
	CHECK(dir);
	while (dir && (entry = readdir(dir))) {
		struct ebpf_spec *spec = NULL;
		struct ebpf_btf *small = NULL;
		if (!strstr(entry->d_name, ".bpf.o"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder ? folder : "build/spec/bpf", entry->d_name);
		CHECK_INT(ebpf_spec_read_file(path, &spec, &err), 0);
		CHECK_INT(ebpf_btf_minimize(vmlinux, &spec, 1, &small, &err), 0);
		CHECK_STR(err.message, "");
		if (small) {
			CHECK(ebpf_btf_count(small) < 1000);
			relos += compare(spec, vmlinux, small);
			objects++;
		}
		ebpf_btf_free(small);
		ebpf_spec_free(spec);
	}
	if (dir)
		closedir(dir);
	CHECK(objects >= 10 && relos >= 20);
	ebpf_btf_free(vmlinux);
	return TEST_RESULT();
}
