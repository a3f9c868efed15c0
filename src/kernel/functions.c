/* functions.c -- the kernel's functions that may be traced, by pattern: ftrace's own list with addresses (6.5), without
 * them, or, where tracefs does not give it, the functions of the kernel's BTF, of which some may not be traced.
 */
#include <fnmatch.h>
#include <stdlib.h>

#include "kernel/context.h"

#define LIST_LIMIT (64U << 20)

static int add(struct ebpf_functions *list, const char *name, size_t length, uint64_t address)
{
	size_t capacity = list->capacity;
	uint64_t *addresses;
	char **names;

	if (list->count == capacity) {
		capacity = capacity ? 2 * capacity : 64;
		names = realloc(list->names, capacity * sizeof *names);
		list->names = names ? names : list->names;
		addresses = realloc(list->addresses, capacity * sizeof *addresses);
		list->addresses = addresses ? addresses : list->addresses;
		if (!names || !addresses)
			return -ENOMEM;
		list->capacity = capacity;
	}
	list->names[list->count] = ebpf_strndup(name, length);
	if (!list->names[list->count])
		return -ENOMEM;
	list->addresses[list->count++] = address;
	return 0;
}

void ebpf_functions_free(struct ebpf_functions *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	free(list->addresses);
	*list = (struct ebpf_functions){ 0 };
}

struct wanted {
	const char *pattern, *module; /* module: NULL = any */
	size_t module_length;
	struct ebpf_table seen;       /* of names without addresses: the kernel finds the first alone */
};

static bool matches(const struct wanted *wanted, const char *name, const char *module)
{
	if (wanted->module && (!module || strncmp(module, wanted->module, wanted->module_length) != 0 ||
			       module[wanted->module_length] != ']'))
		return false;
	return !ebpf_starts_with(name, "__ftrace_invalid_address") && fnmatch(wanted->pattern, name, 0) == 0;
}

/* Lines "vfs_read", "ext4_read [ext4]", with an address before each or none; the text is cut into strings. */
static int take_lines(struct wanted *wanted, char *text, bool addressed, struct ebpf_functions *list)
{
	int result = 0;

	for (char *line = text, *next; line && *line && result == 0; line = next) {
		char *end = line + strcspn(line, "\n"), *name = line, *space, *module;
		uint64_t address = 0, index;

		next = *end ? end + 1 : NULL;
		*end = '\0';
		if (addressed) {
			address = strtoull(line, &name, 16);
			name += *name == ' ';
		}
		space = name + strcspn(name, " \t");
		*space = '\0';
		module = space < end ? strchr(space + 1, '[') : NULL;
		if (!*name || (addressed && !address) || !matches(wanted, name, module ? module + 1 : NULL))
			continue;
		if (!addressed && ebpf_table_get(&wanted->seen, name, &index))
			continue;
		result = add(list, name, strlen(name), address);
		if (!result && !addressed)
			result = ebpf_table_set(&wanted->seen, list->names[list->count - 1], 1);
	}
	return result;
}

static int read_list(struct ebpf_kernel *kernel, int tracefs, const char *file, struct wanted *wanted, bool addressed,
		     struct ebpf_functions *list)
{
	char *text = NULL;
	size_t size;
	int result = ebpf_kernel_read_file(kernel->sys, tracefs, file, LIST_LIMIT, &text, &size);

	if (!result)
		result = take_lines(wanted, text, addressed, list);
	free(text);
	list->addressed = addressed;
	return result;
}

static int read_types(struct ebpf_kernel *kernel, struct wanted *wanted, struct ebpf_functions *list, struct ebpf_error *err)
{
	struct ebpf_btf *btf = wanted->module ? NULL : ebpf_kernel_btf(kernel, err);
	struct ebpf_type type;
	uint64_t index;
	int result = 0;

	if (!btf)
		return wanted->module ? -ENOENT : -ENOTSUP;
	for (uint32_t id = 1; result == 0 && id < ebpf_btf_count(btf); id++) {
		if (!ebpf_btf_type(btf, id, &type) || type.kind != BTF_KIND_FUNC || !matches(wanted, type.name, NULL) ||
		    ebpf_table_get(&wanted->seen, type.name, &index))
			continue;
		result = add(list, type.name, strlen(type.name), 0);
		if (!result)
			result = ebpf_table_set(&wanted->seen, list->names[list->count - 1], 1);
	}
	return result;
}

int ebpf_kernel_functions(struct ebpf_kernel *kernel, const char *pattern, bool addressed, struct ebpf_functions *out,
			  struct ebpf_error *err)
{
	const char *colon = strchr(pattern, ':');
	struct wanted wanted = { .pattern = colon ? colon + 1 : pattern,
				 .module = colon ? pattern : NULL,
				 .module_length = colon ? (size_t)(colon - pattern) : 0 };
	int tracefs = ebpf_kernel_tracefs(kernel, NULL), result = tracefs;

	memset(out, 0, sizeof *out);
	if (tracefs >= 0 && addressed)
		result = read_list(kernel, tracefs, "available_filter_functions_addrs", &wanted, true, out);
	else if (tracefs >= 0)
		result = -ENOENT;
	if (result < 0 && result != -ENOMEM && tracefs >= 0)
		result = read_list(kernel, tracefs, "available_filter_functions", &wanted, false, out);
	if (result < 0 && result != -ENOMEM)
		result = read_types(kernel, &wanted, out, err);
	ebpf_table_free(&wanted.seen);
	if (!result && !out->count)
		result = ebpf_fail(err, ENOENT, "no function of the kernel that may be traced matches '%s'", pattern);
	else if (result == -ENOMEM)
		ebpf_fail_memory(err);
	else if (result)
		result = ebpf_fail(err, ENOTSUP, "functions like '%s': neither tracefs nor BTF lists them here", pattern);
	if (result)
		ebpf_functions_free(out);
	return result;
}
