/* context.c -- the context itself: making, sharing and freeing it, the version, CPUs, the limit on locked memory. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "kernel/context.h"

/* A vDSO is two to four pages; more is not one. */
#define VDSO_HEADER_SIZE 4096
#define VDSO_MAX_SIZE (1 << 20)

struct ebpf_kernel *ebpf_kernel_new(struct ebpf_error *err)
{
	return ebpf_kernel_new_with(&ebpf_sys_linux, err);
}

struct ebpf_kernel *ebpf_kernel_new_with(const struct ebpf_sys *sys, struct ebpf_error *err)
{
	struct ebpf_kernel *kernel = calloc(1, sizeof *kernel);

	if (!kernel) {
		ebpf_fail_memory(err);
		return NULL;
	}
	kernel->refs = 1;
	kernel->sys = sys;
	kernel->tracefs_fd = -1;
	return kernel;
}

struct ebpf_kernel *ebpf_kernel_ref(struct ebpf_kernel *kernel)
{
	kernel->refs++;
	return kernel;
}

void ebpf_kernel_free(struct ebpf_kernel *kernel)
{
	if (!kernel || --kernel->refs)
		return;
	ebpf_kernel_types_free(kernel);
	ebpf_kernel_tracefs_free(kernel);
	ebpf_kernel_groups_free(kernel);
	ebpf_kernel_calls_free(kernel);
	ebpf_token_close(kernel->token);
	free(kernel->config);
	free(kernel);
}

const struct ebpf_sys *ebpf_kernel_sys(const struct ebpf_kernel *kernel)
{
	return kernel->sys;
}

/* -- files of /proc and /sys -- */

int ebpf_kernel_read_file(const struct ebpf_sys *sys, int dir_fd, const char *path, size_t limit, char **data,
			  size_t *size)
{
	struct ebpf_buffer buffer = { 0 };
	size_t room = 64 << 10;
	char *chunk = malloc(room);
	int fd = -1, result = 0;
	ssize_t got;

	if (!chunk)
		return -ENOMEM;
	fd = sys->openat(dir_fd, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) {
		result = fd;
		goto out;
	}
	while ((got = sys->read(fd, chunk, room)) > 0) {
		if (buffer.size + (size_t)got > limit) {
			result = -EFBIG;
			goto out;
		}
		ebpf_buffer_add(&buffer, chunk, (size_t)got);
	}
	if (got < 0)
		result = (int)got;
	ebpf_buffer_add(&buffer, "", 1);
	if (buffer.failed && !result)
		result = -ENOMEM;
out:
	free(chunk);
	if (fd >= 0)
		sys->close(fd);
	if (result) {
		ebpf_buffer_free(&buffer);
		return result;
	}
	*data = buffer.data;
	*size = buffer.size - 1;
	return 0;
}

int ebpf_kernel_read_text(const struct ebpf_sys *sys, int dir_fd, const char *path, char *text, size_t size)
{
	int fd = sys->openat(dir_fd, path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t got;

	if (fd < 0)
		return fd;
	got = sys->read(fd, text, size - 1);
	sys->close(fd);
	if (got < 0)
		return (int)got;
	while (got > 0 && strchr(" \t\n", text[got - 1]))
		got--;
	text[got] = '\0';
	return 0;
}

/* -- the version -- */

static uint32_t version_of(unsigned major, unsigned minor, unsigned patch)
{
	/* The kernel's own LINUX_VERSION_CODE stops at 255 as well (Linux 4.4.256, 4.9.256). */
	return (major & 0xff) << 16 | (minor & 0xff) << 8 | (patch > 255 ? 255 : patch);
}

/* The version in a note section: name "Linux", type 0, 4 bytes of LINUX_VERSION_CODE. */
static uint32_t version_in_notes(struct ebpf_span notes)
{
	uint64_t at = 0;
	uint32_t name_size, size, type, version;

	while (ebpf_span_u32(notes, at, &name_size) && ebpf_span_u32(notes, at + 4, &size) &&
	       ebpf_span_u32(notes, at + 8, &type)) {
		uint64_t name = at + 12, desc = name + (((uint64_t)name_size + 3) & ~3ULL);
		struct ebpf_span text;

		if (type == 0 && name_size == 6 && size == 4 && ebpf_span_sub(notes, name, 6, &text) &&
		    !memcmp(text.data, "Linux", 6) && ebpf_span_u32(notes, desc, &version))
			return version;
		at = desc + (((uint64_t)size + 3) & ~3ULL);
	}
	return 0;
}

/* uname(2) gives what a personality or a distribution's naming makes of the version; the vDSO holds what the kernel was
 * built as. */
static uint32_t version_from_vdso(void)
{
	const uint8_t *base = (const uint8_t *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	struct ebpf_span head = { .data = base, .size = VDSO_HEADER_SIZE }, image, notes, part;
	ElfW(Ehdr) ehdr;
	ElfW(Phdr) phdr;
	uint64_t size = VDSO_HEADER_SIZE;

	if (!base)
		return 0;
	memcpy(&ehdr, base, sizeof ehdr);
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_phentsize != sizeof phdr)
		return 0;
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		if (!ebpf_span_sub(head, (uint64_t)ehdr.e_phoff + i * sizeof phdr, sizeof phdr, &part))
			return 0;
		memcpy(&phdr, part.data, sizeof phdr);
		if (phdr.p_type == PT_LOAD && phdr.p_offset == 0 && phdr.p_memsz > size &&
		    phdr.p_memsz <= VDSO_MAX_SIZE)
			size = phdr.p_memsz;
	}
	image = (struct ebpf_span){ .data = base, .size = size };
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		uint32_t version;

		ebpf_span_sub(head, (uint64_t)ehdr.e_phoff + i * sizeof phdr, sizeof phdr, &part);
		memcpy(&phdr, part.data, sizeof phdr);
		if (phdr.p_type != PT_NOTE || !ebpf_span_sub(image, phdr.p_offset, phdr.p_filesz, &notes))
			continue;
		version = version_in_notes(notes);
		if (version)
			return version;
	}
	return 0;
}

/* Debian keeps the upstream version in uname -v ("#1 SMP Debian 6.1.94-1"), since uname -r there stops at the ABI. */
static uint32_t version_from_uname(void)
{
	struct utsname name;
	const char *debian;
	unsigned major = 0, minor = 0, patch = 0;

	if (uname(&name))
		return 0;
	debian = strstr(name.version, "Debian ");
	if (debian && sscanf(debian, "Debian %u.%u.%u", &major, &minor, &patch) >= 2)
		return version_of(major, minor, patch);
	if (sscanf(name.release, "%u.%u.%u", &major, &minor, &patch) >= 2)
		return version_of(major, minor, patch);
	return 0;
}

uint32_t ebpf_kernel_version(struct ebpf_kernel *kernel)
{
	if (!kernel->version)
		kernel->version = version_from_vdso();
	if (!kernel->version)
		kernel->version = version_from_uname();
	return kernel->version;
}

void ebpf_kernel_release(char *text, size_t size)
{
	struct utsname name;

	snprintf(text, size, "%s", uname(&name) ? "" : name.release);
}

/* -- CPUs -- */

/* "0-3,6" counts 5; -EINVAL for anything else. The kernel's per-CPU values have one piece per possible CPU, without
 * gaps. */
static int count_cpus(const char *list)
{
	int count = 0;

	for (;;) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (end == list)
			return -EINVAL;
		if (*end == '-') {
			list = end + 1;
			last = strtoul(list, &end, 10);
			if (end == list)
				return -EINVAL;
		}
		if (last < first || last >= 1 << 20)
			return -EINVAL;
		count += (int)(last - first) + 1;
		if (*end == '\0')
			return count;
		if (*end != ',')
			return -EINVAL;
		list = end + 1;
	}
}

int ebpf_kernel_cpu_count(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	static const char path[] = "/sys/devices/system/cpu/possible";
	char text[1024];
	int result;

	if (kernel->cpu_count)
		return kernel->cpu_count;
	result = ebpf_kernel_read_text(kernel->sys, AT_FDCWD, path, text, sizeof text);
	if (result < 0)
		return ebpf_fail_errno(err, result, "number of possible CPUs: read %s", path);
	result = count_cpus(text);
	if (result <= 0)
		return ebpf_fail(err, EINVAL, "number of possible CPUs: %s says '%s', which is no list of CPUs", path,
				 text);
	kernel->cpu_count = result;
	return result;
}

/* -- small services -- */

int ebpf_kernel_remove_memlock(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	uint64_t soft = 0, hard = 0;
	int accounted, result;

	kernel->memlock_raised = true;
	accounted = ebpf_kernel_has(kernel, "memcg_account", NULL);
	if (accounted == 1)
		return 0;
	if (!kernel->sys->getrlimit(RLIMIT_MEMLOCK, &soft, &hard) && soft == RLIM_INFINITY)
		return 0;
	result = kernel->sys->setrlimit(RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
	if (!result)
		return 1;
	/* Without CAP_SYS_RESOURCE the soft limit may still go up to the hard one. */
	if (soft < hard && !kernel->sys->setrlimit(RLIMIT_MEMLOCK, hard, hard))
		return 1;
	if (accounted < 0)
		return 0; /* a process that may load nothing: whether it would need the memory is not known */
	ebpf_fail_errno(err, result, "RLIMIT_MEMLOCK: raise from %llu KiB", (unsigned long long)hard >> 10);
	ebpf_hint(err, "this kernel counts the memory of maps and programs against it: raise it before (ulimit -l "
		  "unlimited), or run with CAP_SYS_RESOURCE");
	return result;
}

void ebpf_kernel_raise_memlock(struct ebpf_kernel *kernel)
{
	if (!kernel->memlock_raised)
		ebpf_kernel_remove_memlock(kernel, NULL);
}

void ebpf_kernel_object_name(struct ebpf_kernel *kernel, const char *name, char out[16])
{
	size_t i = 0;

	memset(out, 0, 16);
	if (!name || !name[0] || !ebpf_kernel_supports(kernel, EBPF_FEATURE_PROG_NAME))
		return;
	for (; i < 15 && name[i]; i++) {
		char c = name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';

		/* Linux 5.2 allows dots; asked only where there is one. */
		out[i] = plain || (c == '.' && ebpf_kernel_supports(kernel, EBPF_FEATURE_NAME_DOTS)) ? c : '_';
	}
}
