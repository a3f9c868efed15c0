/* externs.c -- variables and functions of the kernel that the object names: addresses from kallsyms, or types' ids from
 * BTF.
 *
 * Only what a wanted program refers to is looked for. What is weak may be missing: its address is 0, and a call of it
 * is poison, which the verifier only sees where the program does not test the address first.
 */
#include <stdlib.h>

#include "load/load.h"

size_t ebpf_load_extern_index(const struct ebpf_load *load, const struct ebpf_extern *external)
{
	const struct ebpf_spec_impl *spec = spec_impl(load->spec);
	size_t index = 0;

	while (index < spec->extern_count && spec->externs[index] != external)
		index++;
	return index;
}

static void add_missing(const struct ebpf_load *load, const struct ebpf_extern *external, struct ebpf_buffer *missing)
{
	char user[256];

	ebpf_load_user(load, external, user, sizeof(user));
	ebpf_buffer_printf(missing, "%s%s%s%s", missing->size ? ", " : "", external->name,
			   external->kind == EBPF_EXTERN_KFUNC ? "()" : "", user);
}

static int not_found(const struct ebpf_buffer *missing, struct ebpf_error *err)
{
	if (missing->failed)
		return ebpf_fail_memory(err);
	ebpf_fail(err, ESRCH, "kernel symbols: not found: %s", missing->data);
	ebpf_hint(
		err,
		"this kernel may lack them, or their module is not loaded; declare them __weak to get address 0 then");
	return -ESRCH;
}

/* Whether the load is to fail without it. Programs that may fail do so by themselves, when their code is made ready. */
static bool is_needed(const struct ebpf_load *load, size_t index)
{
	return load->externs[index].required && !spec_impl(load->spec)->externs[index]->weak;
}

/* -- without a type: /proc/kallsyms, one pass for all -- */

static int read_addresses(struct ebpf_load *load, const char **names, uint64_t *addresses, size_t count, bool strong,
			  struct ebpf_error *err)
{
	struct ebpf_error why = { 0 };
	int result = ebpf_kernel_symbols(load->kernel, names, addresses, count, &why);

	/* addresses that are hidden (kptr_restrict) are as good as missing for those that may be missing */
	if (result == -EPERM && !strong) {
		ebpf_error_clear(&why);
		memset(addresses, 0, count * sizeof(*addresses));
		return 0;
	}
	if (result < 0)
		ebpf_error_move(err, &why);
	return result;
}

static int find_addresses(struct ebpf_load *load, struct ebpf_buffer *missing, struct ebpf_error *err)
{
	const struct ebpf_spec_impl *spec = spec_impl(load->spec);
	const char **names = calloc(spec->extern_count, sizeof(*names));
	uint64_t *addresses = calloc(spec->extern_count, sizeof(*addresses));
	size_t count = 0, *which = calloc(spec->extern_count, sizeof(*which));
	bool strong = false;
	int result = -ENOMEM;

	if (!names || !addresses || !which) {
		ebpf_fail_memory(err);
		goto out;
	}
	for (size_t i = 0; i < spec->extern_count; i++) {
		if (spec->externs[i]->kind != EBPF_EXTERN_KSYM || !load->externs[i].used)
			continue;
		strong = strong || is_needed(load, i);
		which[count] = i;
		names[count++] = spec->externs[i]->name;
	}
	result = count ? read_addresses(load, names, addresses, count, strong, err) : 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		load->externs[which[i]].found = addresses[i] != 0;
		load->externs[which[i]].address = addresses[i];
		if (!addresses[i] && is_needed(load, which[i]))
			add_missing(load, spec->externs[which[i]], missing);
	}
out:
	free(names);
	free(addresses);
	free(which);
	return result;
}

/* -- with a type: the ids of VARs and FUNCs in the kernel's BTF -- */

struct ebpf_btf *ebpf_load_types_behind(struct ebpf_load *load, int btf_fd, struct ebpf_error *err)
{
	const struct ebpf_module *modules;
	size_t count;

	if (!btf_fd)
		return ebpf_kernel_btf(load->kernel, err);
	if (ebpf_kernel_modules(load->kernel, &modules, &count, err) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (ebpf_kernel_module_btf_fd(load->kernel, i, NULL) == btf_fd)
			return ebpf_kernel_module_btf(load->kernel, i, err);
	ebpf_fail(err, ENOENT, "types of a kernel module vanished");
	return NULL;
}

/* 1 = the kernel's declaration may stand for the object's, 0 = not, -errno. */
static int check_type(struct ebpf_load *load, const struct ebpf_extern *external, const struct ebpf_load_extern *found,
		      struct ebpf_error *err)
{
	struct ebpf_btf *kernel = ebpf_load_types_behind(load, found->btf_fd, err);
	struct ebpf_type local, target;
	int result;

	if (!kernel)
		return -ENOENT;
	if (!external->type_id || !load->spec->btf) /* assembly that declares nothing */
		return 1;
	if (!ebpf_btf_type(load->spec->btf, external->type_id, &local) ||
	    !ebpf_btf_type(kernel, found->btf_id, &target))
		return ebpf_fail(err, EINVAL, "extern '%s': has no type", external->name);
	result = ebpf_load_core(load, err);
	if (result < 0)
		return result;
	result = ebpf_core_compatible(load->core, ebpf_btf_resolve(load->spec->btf, local.type), kernel,
				      ebpf_btf_resolve(kernel, target.type));
	return result < 0 ? ebpf_fail(err, result, "extern '%s': its type cannot be compared with the kernel's",
				      external->name)
			  : result;
}

/* Kernel functions of modules are called through a table of BTF descriptors; slot 0 means vmlinux. */
static int slot_for(struct ebpf_load *load, int btf_fd, int16_t *out, struct ebpf_error *err)
{
	int *slots;
	size_t slot = 1;

	*out = 0;
	if (!btf_fd)
		return 0;
	while (slot < load->fd_count && load->fd_array[slot] != btf_fd)
		slot++;
	if (slot > INT16_MAX)
		return ebpf_fail(err, E2BIG, "kernel functions of more than %d modules", INT16_MAX);
	if (slot >= load->fd_count) {
		slots = reallocarray(load->fd_array, slot + 1, sizeof(*slots));
		if (!slots)
			return ebpf_fail_memory(err);
		slots[0] = 0;
		slots[slot] = btf_fd;
		load->fd_array = slots;
		load->fd_count = slot + 1;
	}
	*out = (int16_t)slot;
	return 0;
}

/* 1 = found, 0 = this kernel has nothing of the kind, -errno. */
static int look_up(struct ebpf_load *load, const struct ebpf_extern *external, struct ebpf_load_extern *found,
		   struct ebpf_error *err)
{
	bool function = external->kind == EBPF_EXTERN_KFUNC;
	char *name = ebpf_strndup(external->name, ebpf_essential_length(external->name));
	struct ebpf_error why = { 0 };
	int result;

	if (!name)
		return ebpf_fail_memory(err);
	/* flavours (name___v2) let one object declare a function as older and newer kernels have it; variables have
	 * none */
	result = ebpf_kernel_find_type(load->kernel, function ? name : external->name,
				       function ? BTF_KIND_FUNC : BTF_KIND_VAR, &found->btf_id, &found->btf_fd, &why);
	free(name);
	if (result == -ENOENT || result == -ENOTSUP) {
		ebpf_error_clear(&why);
		return 0;
	}
	if (result < 0)
		ebpf_error_move(err, &why);
	return result < 0 ? result : 1;
}

static int find_typed(struct ebpf_load *load, size_t index, struct ebpf_buffer *missing, struct ebpf_error *err)
{
	const struct ebpf_extern *external = spec_impl(load->spec)->externs[index];
	struct ebpf_load_extern *found = &load->externs[index];
	int result = look_up(load, external, found, err);

	if (result < 0)
		return ebpf_wrap(err, result, "extern '%s'", external->name);
	if (result == 0) {
		if (is_needed(load, index))
			add_missing(load, external, missing);
		return 0;
	}
	result = check_type(load, external, found, err);
	if (result < 0)
		return result;
	found->other_type = result == 0;
	if (result == 0 && (!found->required || (external->weak && external->kind == EBPF_EXTERN_KFUNC)))
		return 0;
	if (result == 0) {
		char user[256];

		ebpf_load_user(load, external, user, sizeof(user));
		ebpf_fail(err, EINVAL,
			  "extern '%s'%s: the kernel's %s of that name has another type than the object's declaration",
			  external->name, user, external->kind == EBPF_EXTERN_KFUNC ? "function" : "variable");
		ebpf_hint(err,
			  "declare it as this kernel does (ebpf btf dump vmlinux --format c), or __weak and with a "
			  "flavour: %s___other",
			  external->name);
		return -EINVAL;
	}
	if (external->kind == EBPF_EXTERN_KFUNC) {
		result = slot_for(load, found->btf_fd, &found->fd_index, err);
		if (result < 0)
			return result;
	}
	found->found = true;
	return 0;
}

int ebpf_load_externs(struct ebpf_load *load, struct ebpf_error *err)
{
	const struct ebpf_spec_impl *spec = spec_impl(load->spec);
	struct ebpf_buffer missing = { 0 };
	int result = 0;

	if (!spec->extern_count)
		return 0;
	result = find_addresses(load, &missing, err);
	for (size_t i = 0; result == 0 && i < spec->extern_count; i++) {
		const struct ebpf_extern *external = spec->externs[i];

		if (load->externs[i].used &&
		    (external->kind == EBPF_EXTERN_KSYM_TYPED || external->kind == EBPF_EXTERN_KFUNC))
			result = find_typed(load, i, &missing, err);
	}
	if (result == 0 && (missing.size || missing.failed))
		result = not_found(&missing, err);
	ebpf_buffer_free(&missing);
	return result;
}
