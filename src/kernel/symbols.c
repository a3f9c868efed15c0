/* symbols.c -- addresses of kernel symbols, and names of addresses: /proc/kallsyms in one pass for a batch.
 *
 * The file has some 200,000 lines and the kernel makes it afresh for each reader, so it is read once per batch, in
 * large pieces, and the address of a line is looked at only when its name is wanted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/context.h"

#define CHUNK (256U << 10)

struct search {
	const char *const *names;
	uint64_t *addresses;
	struct ebpf_table wanted;    /* name -> its first index in names */
	uint64_t filter[4];          /* bit of filter_bit(name): most lines end here */
	bool hidden, visible;        /* a wanted symbol at 0; any symbol elsewhere */
	struct ebpf_error *err;
};
/* What reads the file calls for each line, which ends at `end` and may be overwritten; a negative result ends it. */
typedef int (*line_fn)(void *context, char *line, char *end);

static unsigned filter_bit(const char *name, size_t length)
{
	return ((unsigned char)name[0] * 7U + (unsigned char)name[length - 1] * 31U + (unsigned)length * 13U) & 255;
}

/* "ffffffff81000000 T name" or "... T name\t[module]" */
static int look_at(void *context, char *line, char *end)
{
	struct search *search = context;
	char *space = memchr(line, ' ', (size_t)(end - line)), *name, *tab;
	uint64_t address, index;
	unsigned bit;

	if (!space || end - space < 4)
		return 0;
	if (!search->visible)
		search->visible = strspn(line, "0") < (size_t)(space - line);
	name = space + 3;
	tab = memchr(name, '\t', (size_t)(end - name));
	if (tab)
		end = tab;
	if (end == name)
		return 0;
	bit = filter_bit(name, (size_t)(end - name));
	if (!(search->filter[bit / 64] >> bit % 64 & 1))
		return 0;
	*end = '\0';
	if (!ebpf_table_get(&search->wanted, name, &index))
		return 0;
	address = strtoull(line, NULL, 16);
	if (!address) {
		search->hidden = true;
	} else if (!search->addresses[index]) {
		search->addresses[index] = address;
	} else if (search->addresses[index] != address) {
		return ebpf_fail(search->err, EEXIST, "kernel symbol '%s': ambiguous: it is at 0x%llx and at 0x%llx",
				 name, (unsigned long long)search->addresses[index], (unsigned long long)address);
	}
	return 0;
}

/* All whole lines of the buffer; returns how many bytes they took, or -errno. */
static ssize_t look_at_lines(line_fn look, void *context, char *data, size_t size)
{
	char *line = data, *end;

	while ((end = memchr(line, '\n', size - (size_t)(line - data))) != NULL) {
		int result = look(context, line, end);

		if (result)
			return result;
		line = end + 1;
	}
	return line - data;
}

static int read_lines(const struct ebpf_sys *sys, int fd, char *buffer, line_fn look, void *context, struct ebpf_error *err)
{
	size_t kept = 0;

	for (;;) {
		ssize_t got = sys->read(fd, buffer + kept, CHUNK - kept), used;

		if (got < 0)
			return ebpf_fail_errno(err, (int)got, "kernel symbols: read /proc/kallsyms");
		if (got == 0)
			return 0;
		kept += (size_t)got;
		used = look_at_lines(look, context, buffer, kept);
		if (used < 0)
			return (int)used;
		if (used == 0 && kept == CHUNK)
			return ebpf_fail(err, EINVAL, "kernel symbols: /proc/kallsyms has a line of more than %u bytes",
					 CHUNK);
		kept -= (size_t)used;
		memmove(buffer, buffer + used, kept);
	}
}

static int read_symbols(const struct ebpf_kernel *kernel, line_fn look, void *context, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = kernel->sys;
	char *buffer = malloc(CHUNK);
	int fd, result;

	if (!buffer)
		return ebpf_fail_memory(err);
	fd = sys->openat(AT_FDCWD, "/proc/kallsyms", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		result = ebpf_fail_errno(err, fd, "kernel symbols: open /proc/kallsyms");
	} else {
		result = read_lines(sys, fd, buffer, look, context, err);
		sys->close(fd);
	}
	free(buffer);
	return result;
}

static int prepare(struct search *search, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(search->names[i]);
		unsigned bit;
		uint64_t first;

		search->addresses[i] = 0;
		if (!length || ebpf_table_get(&search->wanted, search->names[i], &first))
			continue;
		if (ebpf_table_set(&search->wanted, search->names[i], i))
			return ebpf_fail_memory(search->err);
		bit = filter_bit(search->names[i], length);
		search->filter[bit / 64] |= 1ULL << bit % 64;
	}
	return 0;
}

int ebpf_kernel_symbols(struct ebpf_kernel *kernel, const char *const *names, uint64_t *addresses, size_t count,
			struct ebpf_error *err)
{
	struct search search = { .names = names, .addresses = addresses, .err = err };
	int result = prepare(&search, count);

	if (!result && search.wanted.count)
		result = read_symbols(kernel, look_at, &search, err);
	if (!result && search.hidden && !search.visible) {
		result = ebpf_fail(err, EPERM,
				   "kernel symbols: the kernel hides their addresses (all are 0 in /proc/kallsyms)");
		ebpf_hint(err, "run with CAP_SYSLOG, or set kernel.kptr_restrict to 0 or 1");
	}
	/* A name that was asked for twice. */
	for (size_t i = 0; !result && i < count; i++) {
		uint64_t first;

		if (ebpf_table_get(&search.wanted, names[i], &first))
			addresses[i] = addresses[first];
	}
	ebpf_table_free(&search.wanted);
	return result;
}

/* -- the other way round -- */

struct naming {
	const uint64_t *addresses; /* ascending */
	char **names;
	size_t count;
	struct ebpf_error *err;
};

static int name_address(void *context, char *line, char *end)
{
	struct naming *naming = context;
	char *space = memchr(line, ' ', (size_t)(end - line)), *tab;
	uint64_t address = strtoull(line, NULL, 16);
	size_t low = 0, high = naming->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (naming->addresses[middle] < address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!address || !space || end - space < 4 || low == naming->count || naming->addresses[low] != address)
		return 0;
	tab = memchr(space, '\t', (size_t)(end - space));
	for (; low < naming->count && naming->addresses[low] == address; low++) {
		if (naming->names[low]) /* of several names the first */
			continue;
		naming->names[low] = ebpf_strndup(space + 3, (size_t)((tab ? tab : end) - space) - 3);
		if (!naming->names[low])
			return ebpf_fail_memory(naming->err);
	}
	return 0;
}

int ebpf_kernel_symbol_names(struct ebpf_kernel *kernel, const uint64_t *addresses, char **names, size_t count,
			     struct ebpf_error *err)
{
	struct naming naming = { .addresses = addresses, .names = names, .count = count, .err = err };
	int result;

	if (!count)
		return 0;
	memset(names, 0, count * sizeof(*names));
	result = read_symbols(kernel, name_address, &naming, err);
	for (size_t i = 0; result && i < count; i++) {
		free(names[i]);
		names[i] = NULL;
	}
	return result;
}

/* -- names of system calls -- */

const char *ebpf_kernel_syscall_prefix(void)
{
#if defined(__x86_64__)
	return "__x64_sys_";
#elif defined(__i386__)
	return "__ia32_sys_";
#elif defined(__aarch64__)
	return "__arm64_sys_";
#elif defined(__riscv)
	return "__riscv_sys_";
#elif defined(__s390x__)
	return "__s390x_sys_";
#else
	return "__se_sys_";
#endif
}

void ebpf_kernel_syscall_name(struct ebpf_kernel *kernel, const char *call, char *name, size_t size)
{
	bool wrapped = ebpf_kernel_supports(kernel, EBPF_FEATURE_SYSCALL_WRAPPER);

	snprintf(name, size, "%s%s", wrapped ? ebpf_kernel_syscall_prefix() : "__se_sys_", call);
}
