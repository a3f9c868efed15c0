/* config.c -- how the running kernel was built: its CONFIG_ options, read once. */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "kernel/context.h"

#define CONFIG_LIMIT (16U << 20)

/* zlib reads plain text as well as gzip. Returns -errno; -ENOENT when there is no such file. */
static int read_config(const char *path, char **data, size_t *size)
{
	struct ebpf_buffer buffer = { 0 };
	char *chunk = NULL;
	gzFile file;
	int got, result = 0;

	errno = 0;
	file = gzopen(path, "re");
	if (!file)
		return errno ? -errno : -ENOMEM;
	chunk = malloc(64 << 10);
	if (!chunk) {
		result = -ENOMEM;
		goto out;
	}
	while ((got = gzread(file, chunk, 64 << 10)) > 0) {
		ebpf_buffer_add(&buffer, chunk, (size_t)got);
		if (buffer.size > CONFIG_LIMIT) {
			result = -EFBIG;
			goto out;
		}
	}
	if (got < 0)
		result = -EIO;
	ebpf_buffer_add(&buffer, "", 1);
	if (buffer.failed)
		result = -ENOMEM;
out:
	free(chunk);
	gzclose(file);
	if (result) {
		ebpf_buffer_free(&buffer);
		return result;
	}
	*data = buffer.data;
	*size = buffer.size - 1;
	return 0;
}

static int load_config(struct ebpf_kernel *kernel, struct ebpf_error *err)
{
	static const char *const paths[] = { "/boot/config-%s", "/proc/config.gz", "/lib/modules/%s/config" };
	char release[128], path[256];
	int result = -ENOENT;

	if (kernel->config)
		return 0;
	ebpf_kernel_release(release, sizeof release);
	for (size_t i = 0; i < EBPF_COUNT(paths); i++) {
		const char *mark = strstr(paths[i], "%s");

		if (mark)
			snprintf(path, sizeof path, "%.*s%s%s", (int)(mark - paths[i]), paths[i], release, mark + 2);
		else
			snprintf(path, sizeof path, "%s", paths[i]);
		result = read_config(path, &kernel->config, &kernel->config_size);
		if (!result)
			return 0;
		if (result != -ENOENT)
			return ebpf_fail_errno(err, result, "kernel configuration: read %s", path);
	}
	ebpf_fail(err, ENOENT, "kernel configuration: neither /boot/config-%s nor /proc/config.gz is there", release);
	ebpf_hint(err, "install the kernel's configuration, or give its text as an option of the load");
	return -ENOENT;
}

int ebpf_kernel_config(struct ebpf_kernel *kernel, const char *option, char *value, size_t size, struct ebpf_error *err)
{
	size_t length = strlen(option);
	const char *at, *end;
	int result = load_config(kernel, err);

	if (result)
		return result;
	if (size)
		value[0] = '\0';
	at = kernel->config;
	end = at + kernel->config_size;
	while (length && (at = memmem(at, (size_t)(end - at), option, length)) != NULL) {
		const char *from = at + length + 1;
		bool starts_line = at == kernel->config || at[-1] == '\n';

		at += length;
		if (!starts_line || *at != '=')
			continue;
		length = strcspn(from, "\n");
		if (length >= size)
			return ebpf_fail(err, ERANGE, "kernel configuration: the value of %s does not fit %zu bytes",
					 option, size);
		memcpy(value, from, length);
		value[length] = '\0';
		return 0;
	}
	return 0;
}
