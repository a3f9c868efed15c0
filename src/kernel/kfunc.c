/* kfunc.c -- which of the kernel's own functions a type of program may call.
 *
 * Their list is in the kernel's types, where each has the tag "bpf_kfunc" (Linux 6.10, built with pahole 1.26): older
 * kernels have kfuncs (5.13), but do not say which functions are. One that is asked for by name is tried either way. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/call.h"
#include "kernel/context.h"

struct kernel_kfunc {
	char *name;
	uint32_t id; /* of its FUNC */
	int btf_fd;  /* 0 = vmlinux */
	uint32_t parameters;
	bool tagged;
	uint8_t answers[__MAX_BPF_PROG_TYPE]; /* enum call_answer */
};

static const char kfunc_tag[] = "bpf_kfunc";

/* The kernel passes some parameters by itself (7.0): the function as it is defined has "_impl" behind its name. */
static uint32_t parameters_of(const struct ebpf_btf *btf, const char *name, uint32_t declared)
{
	struct ebpf_type func, prototype;
	char whole[256];
	int64_t id;

	if ((size_t)snprintf(whole, sizeof whole, "%s_impl", name) >= sizeof whole)
		return declared;
	id = ebpf_btf_find_kind(btf, whole, BTF_KIND_FUNC);
	if (id < 0 || !ebpf_btf_type(btf, (uint32_t)id, &func) || !ebpf_btf_type(btf, func.type, &prototype))
		return declared;
	return prototype.vlen > declared ? prototype.vlen : declared;
}

static int add(struct kernel_calls *known, const struct ebpf_btf *btf, uint32_t id, int btf_fd, struct kernel_kfunc **out)
{
	struct ebpf_type func, prototype;
	struct kernel_kfunc *kfuncs = ebpf_grow(known->kfuncs, &known->kfunc_capacity, known->kfunc_count, sizeof *kfuncs);
	char *name;

	if (!kfuncs)
		return -ENOMEM;
	known->kfuncs = kfuncs;
	if (!ebpf_btf_type(btf, id, &func) || !ebpf_btf_type(btf, func.type, &prototype))
		return -EINVAL;
	name = ebpf_strdup(func.name);
	if (!name)
		return -ENOMEM;
	kfuncs[known->kfunc_count] = (struct kernel_kfunc){
		.name = name, .id = id, .btf_fd = btf_fd, .parameters = parameters_of(btf, name, prototype.vlen)
	};
	*out = &kfuncs[known->kfunc_count++];
	return 0;
}

static struct kernel_kfunc *find(struct kernel_calls *known, const char *name)
{
	for (size_t i = 0; i < known->kfunc_count; i++)
		if (!strcmp(known->kfuncs[i].name, name))
			return &known->kfuncs[i];
	return NULL;
}

/* The tagged functions among the types of vmlinux or of a module. */
static int list_types(struct kernel_calls *known, const struct ebpf_btf *btf, int btf_fd)
{
	uint32_t count = ebpf_btf_count(btf);
	struct kernel_kfunc *kfunc;
	struct ebpf_type tag, func;

	for (uint32_t id = ebpf_btf_first_id(btf); id < count; id++) {
		if (!ebpf_btf_type(btf, id, &tag) || tag.kind != BTF_KIND_DECL_TAG || strcmp(tag.name, kfunc_tag) != 0)
			continue;
		if (!ebpf_btf_type(btf, tag.type, &func) || func.kind != BTF_KIND_FUNC)
			continue;
		kfunc = find(known, func.name);
		if (!kfunc && add(known, btf, func.id, btf_fd, &kfunc) == -ENOMEM)
			return -ENOMEM;
		if (kfunc)
			kfunc->tagged = true;
	}
	return 0;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct kernel_kfunc *)left)->name, ((const struct kernel_kfunc *)right)->name);
}

/* All that are tagged, once. Modules whose types cannot be read are left out. */
static int list(struct ebpf_kernel *kernel, struct kernel_calls *known, struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	size_t module_count = 0;
	struct ebpf_btf *btf;

	if (known->kfuncs_listed)
		return 0;
	btf = ebpf_kernel_btf(kernel, err);
	if (!btf)
		return -ENOTSUP;
	if (list_types(known, btf, 0))
		return ebpf_fail_memory(err);
	if (ebpf_kernel_modules(kernel, &modules, &module_count, NULL))
		module_count = 0;
	for (size_t i = 0; i < module_count; i++) {
		int fd = ebpf_kernel_module_btf_fd(kernel, i, NULL);

		btf = fd >= 0 ? ebpf_kernel_module_btf(kernel, i, NULL) : NULL;
		if (btf && list_types(known, btf, fd))
			return ebpf_fail_memory(err);
	}
	if (known->kfunc_count)
		qsort(known->kfuncs, known->kfunc_count, sizeof *known->kfuncs, by_name);
	known->kfuncs_listed = true;
	return 0;
}

static bool any_tagged(const struct kernel_calls *known)
{
	for (size_t i = 0; i < known->kfunc_count; i++)
		if (known->kfuncs[i].tagged)
			return true;
	return false;
}

static struct ebpf_insn call_of(const struct kernel_kfunc *kfunc)
{
	return (struct ebpf_insn){
		.code = 0x85, .src = BPF_PSEUDO_KFUNC_CALL, .off = kfunc->btf_fd ? 1 : 0, .imm = (int32_t)kfunc->id
	};
}

/* A call of five parameters is not told from one that may not be made; and the kernel may add one that it passes by
 * itself and shows nowhere. */
enum { MOST_PARAMETERS = 3 };
/* The kernel takes at most 256 different kfuncs in a program, and sorts them anew for each: few at a time are faster. */
enum { BATCH = 48 };

static void batch(struct ebpf_kernel *kernel, struct kernel_calls *known, uint32_t type)
{
	struct ebpf_insn calls[BATCH];
	struct kernel_kfunc *kfuncs[BATCH];
	uint8_t answers[BATCH];
	size_t at = 0;

	if (known->kfuncs_batched[type])
		return;
	known->kfuncs_batched[type] = true;
	while (at < known->kfunc_count) {
		size_t count = 0;

		for (; at < known->kfunc_count && count < BATCH; at++) {
			if (known->kfuncs[at].btf_fd || known->kfuncs[at].parameters > MOST_PARAMETERS ||
			    known->kfuncs[at].answers[type] != CALL_UNKNOWN)
				continue;
			kfuncs[count] = &known->kfuncs[at];
			answers[count] = CALL_UNKNOWN;
			calls[count++] = call_of(&known->kfuncs[at]);
		}
		if (!count || ebpf_call_batch(kernel, type, calls, count, answers) != 1)
			continue;
		for (size_t i = 0; i < count; i++)
			kfuncs[i]->answers[type] = answers[i];
	}
}

static int ask(struct ebpf_kernel *kernel, struct kernel_kfunc *kfunc, uint32_t type)
{
	uint8_t *answer = &kfunc->answers[type];
	int result = ebpf_probe_program_type(kernel, type);

	if (result != 1)
		return result;
	if (*answer == CALL_UNKNOWN) {
		result = ebpf_call_alone(kernel, type, (struct call){ .insn = call_of(kfunc), .btf_fd = kfunc->btf_fd });
		if (result < 0)
			return result;
		*answer = result ? CALL_PRESENT : CALL_ABSENT;
	}
	return *answer == CALL_PRESENT;
}

/* A tag says that it is one. Without tags it is one when any type of program may call it: 1; 0 when none may, or the
 * first reason why one could not be asked. */
static int exists(struct ebpf_kernel *kernel, struct kernel_calls *known, struct kernel_kfunc *kfunc)
{
	int outcome = 0;

	if (kfunc->tagged)
		return 1;
	if (any_tagged(known))
		return 0;
	for (uint32_t type = 1; type < __MAX_BPF_PROG_TYPE; type++) {
		int result = ask(kernel, kfunc, type);

		if (result == 1)
			return 1;
		if (result < 0 && result != -ENOTSUP && !outcome)
			outcome = result;
	}
	return outcome;
}

/* Any function of that name may be one, on a kernel that does not say: -ENOENT when there is none. */
static int add_by_name(struct ebpf_kernel *kernel, struct kernel_calls *known, const char *name, struct kernel_kfunc **out)
{
	const struct ebpf_btf *btf = ebpf_kernel_btf(kernel, NULL);
	const struct ebpf_module *modules;
	size_t count = 0;
	int64_t id = btf ? ebpf_btf_find_kind(btf, name, BTF_KIND_FUNC) : -ENOENT;

	if (id >= 0)
		return add(known, btf, (uint32_t)id, 0, out);
	if (ebpf_kernel_modules(kernel, &modules, &count, NULL))
		return -ENOENT;
	for (size_t i = 0; i < count; i++) {
		int fd = ebpf_kernel_module_btf_fd(kernel, i, NULL);

		btf = fd >= 0 ? ebpf_kernel_module_btf(kernel, i, NULL) : NULL;
		id = btf ? ebpf_btf_find_kind(btf, name, BTF_KIND_FUNC) : -ENOENT;
		if (id >= 0)
			return add(known, btf, (uint32_t)id, fd, out);
	}
	return -ENOENT;
}

static int fail(struct ebpf_kernel *kernel, const char *name, uint32_t type, int result, struct ebpf_error *err)
{
	char text[192];

	snprintf(text, sizeof text, type ? "kfunc.%s of %s" : "kfunc.%s", name, ebpf_enum_name(EBPF_PROGRAM_TYPE, type));
	if (result == -ENOTSUP)
		return ebpf_fail(err, ENOTSUP, "feature '%s': could not find out: no program of this type could be loaded to try",
		                 text);
	return ebpf_feature_fail(kernel, text, result, err);
}

int ebpf_kernel_kfunc(struct ebpf_kernel *kernel, const char *name, uint32_t program_type, struct ebpf_error *err)
{
	struct kernel_calls *known = ebpf_kernel_calls(kernel);
	struct kernel_kfunc *kfunc;
	int result;

	if (!known)
		return ebpf_fail_memory(err);
	if (program_type && !ebpf_enum_name(EBPF_PROGRAM_TYPE, program_type))
		return ebpf_fail(err, EINVAL, "kfuncs: program type %u: there is no such type", program_type);
	if (ebpf_mask_has(kernel, "kfunc", name))
		return 0;
	result = list(kernel, known, err);
	if (result)
		return result;
	kfunc = find(known, name);
	if (!kfunc) {
		if (any_tagged(known))
			return 0;
		result = add_by_name(kernel, known, name, &kfunc);
		if (result == -ENOENT)
			return 0;
		if (result)
			return fail(kernel, name, program_type, result, err);
	}
	result = program_type ? ask(kernel, kfunc, program_type) : exists(kernel, known, kfunc);
	return result < 0 ? fail(kernel, name, program_type, result, err) : result;
}

int ebpf_kernel_kfunc_name(struct ebpf_kernel *kernel, size_t index, const char **name, struct ebpf_error *err)
{
	struct kernel_calls *known = ebpf_kernel_calls(kernel);
	int result;

	if (!known)
		return ebpf_fail_memory(err);
	result = list(kernel, known, err);
	if (result)
		return result;
	for (size_t i = 0; i < known->kfunc_count; i++) {
		if (!known->kfuncs[i].tagged || index--)
			continue;
		*name = known->kfuncs[i].name;
		return 0;
	}
	return any_tagged(known)
	               ? -ENOENT
	               : ebpf_fail(err, ENOTSUP, "kfuncs: this kernel's types do not say which functions are (6.10, pahole 1.26)");
}

int ebpf_kernel_kfunc_types(struct ebpf_kernel *kernel, const char *name, uint32_t *types, size_t capacity, struct ebpf_error *err)
{
	int result = ebpf_kernel_kfunc(kernel, name, 0, err), count = 0;
	struct kernel_calls *known;
	struct kernel_kfunc *kfunc;

	if (result != 1)
		return result;
	known = ebpf_kernel_calls(kernel); /* that it is there, the answer says */
	kfunc = find(known, name);
	for (uint32_t type = 1; type < __MAX_BPF_PROG_TYPE; type++) {
		if (ebpf_probe_program_type(kernel, type) != 1)
			continue;
		batch(kernel, known, type);
		if (ask(kernel, kfunc, type) != 1)
			continue;
		if ((size_t)count < capacity)
			types[count] = type;
		count++;
	}
	return count;
}

void ebpf_kernel_kfuncs_free(struct kernel_calls *known)
{
	for (size_t i = 0; i < known->kfunc_count; i++)
		free(known->kfuncs[i].name);
	free(known->kfuncs);
}
