/* binary.c -- where a library or a program lies that is given by its bare name.
 *
 * Libraries ("libc.so.6", or "libc" for any version) as the dynamic linker finds them: $LD_LIBRARY_PATH,
 * /etc/ld.so.cache, the usual folders; those of another machine are stepped over. Anything else as the shell finds it,
 * by $PATH. For one process first of all among the files that it has in its memory.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbol/symbol.h"

#define CACHE_PATH "/etc/ld.so.cache"
#define CACHE_LIMIT (64U << 20)
#define CACHE_MAGIC "glibc-ld.so.cache1.1"
#define CACHE_OLD_MAGIC "ld.so-1.7.0"

static const struct ebpf_sys *const sys = &ebpf_sys_linux;

/* Class and machine of a file, to tell a 64-bit library from its 32-bit twin; 0 when it is no ELF file. */
static uint32_t machine_of(const char *path)
{
	uint8_t head[20];
	uint16_t machine;
	ssize_t got;
	int fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	got = sys->read(fd, head, sizeof head);
	sys->close(fd);
	if (got != (ssize_t)sizeof head || memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0;
	memcpy(&machine, head + 18, sizeof machine);
	return (uint32_t)head[EI_CLASS] << 24 | (uint32_t)head[EI_DATA] << 16 | machine;
}

/* A readable library of the machine that this process is of. */
static bool is_our_library(const char *path)
{
	uint32_t ours = machine_of("/proc/self/exe"), theirs = machine_of(path);

	return theirs && (!ours || ours == theirs);
}

static bool is_program(const char *path)
{
	return access(path, X_OK) == 0 && machine_of(path) != 0;
}

bool ebpf_binary_matches(const char *file, const char *name)
{
	size_t length = strlen(name);

	if (!strcmp(file, name))
		return true;
	return !strstr(name, ".so") && !strncmp(file, name, length) && !strncmp(file + length, ".so", 3);
}

/* -- lists of folders -- */

/* The first "folder/name" of a colon-separated list that `accept` takes; malloc'ed, NULL when none. */
static char *search_list(const char *list, const char *name, bool (*accept)(const char *path))
{
	while (list && *list) {
		size_t length = strcspn(list, ":");
		char *path = length ? ebpf_sprintf("%.*s/%s", (int)length, list, name) : NULL;

		if (path && path[0] == '/' && accept(path))
			return path;
		free(path);
		list += length + (list[length] == ':');
	}
	return NULL;
}

/* -- ld.so.cache, made by ldconfig: header (48 bytes), entries of 24 bytes, strings; string offsets count from the
 * header -- */

/* Steps over the libc5/6 part that older versions wrote first: magic, count, entries of 12 bytes. */
static bool find_cache_header(struct ebpf_span file, struct ebpf_span *cache)
{
	uint32_t old_count;
	uint64_t at = 0;

	if (file.size >= strlen(CACHE_OLD_MAGIC) && !memcmp(file.data, CACHE_OLD_MAGIC, strlen(CACHE_OLD_MAGIC))) {
		if (!ebpf_span_u32(file, 12, &old_count))
			return false;
		at = (16 + (uint64_t)old_count * 12 + 7) & ~7ULL;
	}
	return ebpf_span_sub(file, at, at <= file.size ? file.size - at : 0, cache) && cache->size >= 48 &&
	       !memcmp(cache->data, CACHE_MAGIC, strlen(CACHE_MAGIC));
}

static char *search_cache(struct ebpf_span cache, const char *name)
{
	uint32_t count;

	if (!ebpf_span_u32(cache, 20, &count))
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t entry = 48 + (uint64_t)i * 24;
		uint32_t key, value;
		const char *file, *path;

		/* flags, key, value, osversion, hwcap */
		if (!ebpf_span_u32(cache, entry + 4, &key) || !ebpf_span_u32(cache, entry + 8, &value))
			return NULL;
		file = ebpf_span_string(cache, key);
		path = ebpf_span_string(cache, value);
		if (file && path && ebpf_binary_matches(file, name) && is_our_library(path))
			return ebpf_strdup(path);
	}
	return NULL;
}

static char *search_cache_file(const char *name)
{
	struct ebpf_buffer file = { 0 };
	struct ebpf_span cache;
	char chunk[4096], *path = NULL;
	int fd = sys->openat(AT_FDCWD, CACHE_PATH, O_RDONLY | O_CLOEXEC, 0);
	ssize_t got;

	if (fd < 0)
		return NULL;
	while ((got = sys->read(fd, chunk, sizeof chunk)) > 0 && file.size < CACHE_LIMIT)
		ebpf_buffer_add(&file, chunk, (size_t)got);
	sys->close(fd);
	if (!file.failed &&
	    find_cache_header((struct ebpf_span){ .data = (uint8_t *)file.data, .size = file.size }, &cache))
		path = search_cache(cache, name);
	ebpf_buffer_free(&file);
	return path;
}

/* -- the whole search -- */

#define FOLDERS_MULTIARCH(triplet) "/lib/" triplet ":/usr/lib/" triplet ":"
#if defined(__x86_64__)
#define FOLDERS_OURS FOLDERS_MULTIARCH("x86_64-linux-gnu")
#elif defined(__i386__)
#define FOLDERS_OURS FOLDERS_MULTIARCH("i386-linux-gnu")
#elif defined(__aarch64__)
#define FOLDERS_OURS FOLDERS_MULTIARCH("aarch64-linux-gnu")
#elif defined(__arm__)
#define FOLDERS_OURS FOLDERS_MULTIARCH("arm-linux-gnueabihf")
#elif defined(__riscv) && __riscv_xlen == 64
#define FOLDERS_OURS FOLDERS_MULTIARCH("riscv64-linux-gnu")
#elif defined(__s390x__)
#define FOLDERS_OURS FOLDERS_MULTIARCH("s390x-linux-gnu")
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FOLDERS_OURS FOLDERS_MULTIARCH("powerpc64le-linux-gnu")
#elif defined(__loongarch64)
#define FOLDERS_OURS FOLDERS_MULTIARCH("loongarch64-linux-gnu")
#else
#define FOLDERS_OURS ""
#endif

static char *find_library(const char *name)
{
	char *path = search_list(getenv("LD_LIBRARY_PATH"), name, is_our_library);

	if (!path)
		path = search_cache_file(name);
	if (!path)
		path = search_list(FOLDERS_OURS "/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib", name, is_our_library);
	return path;
}

static char *find_program(const char *name)
{
	char *path = search_list(getenv("PATH"), name, is_program);

	return path ? path
		    : search_list("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", name, is_program);
}

/* Not realpath(3): it would follow /proc/PID/root, a link whose text is "/", out of the process's root and into
 * ours. */
static char *make_absolute(const char *name)
{
	char folder[4096];

	if (name[0] == '/')
		return ebpf_strdup(name);
	return getcwd(folder, sizeof folder) ? ebpf_sprintf("%s/%s", strcmp(folder, "/") ? folder : "", name) : NULL;
}

int ebpf_binary_find(const char *name, char **path, struct ebpf_error *err)
{
	bool library = strstr(name, ".so") != NULL || !strncmp(name, "lib", 3);
	char *found;

	if (!name[0])
		return ebpf_fail(err, EINVAL, "no name of a program or library was given");
	if (strchr(name, '/')) {
		found = make_absolute(name);
		if (!found)
			return ebpf_fail_memory(err);
		if (access(found, R_OK)) {
			int code = errno;

			free(found);
			return ebpf_fail_errno(err, code, "'%s'", name);
		}
		*path = found;
		return 0;
	}
	found = library ? find_library(name) : find_program(name);
	if (!found && library)
		found = find_program(name);
	if (!found) {
		ebpf_fail(err, ENOENT, "'%s': no such %s was found", name, library ? "library" : "program");
		if (library)
			ebpf_hint(err, "it was looked for in LD_LIBRARY_PATH, " CACHE_PATH
				       " and the usual folders; a path with a slash is taken as it is");
		else
			ebpf_hint(err, "it was looked for in PATH; a path with a slash is taken as it is");
		return -ENOENT;
	}
	*path = found;
	return 0;
}

int ebpf_binary_find_for(const char *name, int32_t pid, char **path, struct ebpf_error *err)
{
	if (pid > 0 && name[0] && !strchr(name, '/') && !ebpf_process_find(pid, name, path, NULL))
		return 0;
	return ebpf_binary_find(name, path, err);
}
