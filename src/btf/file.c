/* file.c -- BTF out of files: raw, or the .BTF section of an ELF object. */
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "btf/private.h"

/* A distribution's whole kernel has 5 to 20 MB of BTF. */
#define BTF_MAX_FILE (256u << 20)

static void release_copy(void *context, const void *data, size_t size)
{
	(void)context;
	(void)size;
	free((void *)data);
}

/* -- raw -- */

static int read_all(int fd, const char *path, void **data, size_t *size, struct ebpf_error *err)
{
	struct stat status;
	uint8_t *bytes = NULL;
	size_t used = 0, capacity = 0;
	int result;

	/* One byte more than the file says, so that its end shows without growing; files of /proc say 0. */
	if (fstat(fd, &status))
		return ebpf_fail_errno(err, errno, "%s: stat", path);
	capacity = status.st_size > 0 && status.st_size < BTF_MAX_FILE ? (size_t)status.st_size + 1 : 4096;
	if (!(bytes = malloc(capacity)))
		return ebpf_fail_memory(err);
	for (;;) {
		ssize_t got = read(fd, bytes + used, capacity - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			result = ebpf_fail_errno(err, errno, "%s: read", path);
			goto fail;
		}
		if (!got)
			break;
		used += got;
		if (used > BTF_MAX_FILE) {
			result = ebpf_fail(err, EFBIG, "%s: more than %u MiB of BTF", path, BTF_MAX_FILE >> 20);
			goto fail;
		}
		if (used == capacity) {
			uint8_t *grown = realloc(bytes, capacity * 2);
			if (!grown) {
				result = ebpf_fail_memory(err);
				goto fail;
			}
			bytes = grown;
			capacity *= 2;
		}
	}
	*data = bytes;
	*size = used;
	return 0;
fail:
	free(bytes);
	return result;
}

static int read_raw(int fd, const char *path, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	void *data = NULL;
	size_t size = 0;
	int result = read_all(fd, path, &data, &size, err);
	if (result)
		return result;
	result = ebpf_btf_adopt(data, size, base, release_copy, NULL, out, err);
	if (result) {
		free(data);
		return ebpf_wrap(err, result, "%s", path);
	}
	return 0;
}

/* -- ELF -- */

/* NULL in *out when there is none of that name. */
static int find_section(Elf *elf, const char *path, const char *wanted, Elf_Scn **out, struct ebpf_error *err)
{
	size_t names;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	if (elf_getshdrstrndx(elf, &names))
		return ebpf_fail(err, EINVAL, "%s: not a usable ELF file: %s", path, elf_errmsg(-1));
	while ((section = elf_nextscn(elf, section))) {
		const char *name;
		if (!gelf_getshdr(section, &header) || !(name = elf_strptr(elf, names, header.sh_name)))
			return ebpf_fail(err, EINVAL, "%s: not a usable ELF file: %s", path, elf_errmsg(-1));
		if (!strcmp(name, wanted))
			break;
	}
	*out = section;
	if (!section)
		return 0;
	if (header.sh_flags & SHF_COMPRESSED)
		return ebpf_fail(err, ENOTSUP, "%s: the %s section is compressed", path, wanted);
	if (header.sh_type == SHT_NOBITS || header.sh_size > BTF_MAX_FILE)
		return ebpf_fail(err, EINVAL, "%s: the %s section has no bytes or too many", path, wanted);
	return 0;
}

/* -ENOENT, and no error filled, when there is no such section. */
static int read_section(Elf *elf, const char *path, const char *name, struct ebpf_btf *base, struct ebpf_btf **out,
                        struct ebpf_error *err)
{
	Elf_Scn *section = NULL;
	int result = find_section(elf, path, name, &section, err);
	if (result || !section)
		return result ? result : -ENOENT;
	Elf_Data *data = elf_rawdata(section, NULL);
	if (!data || (!data->d_buf && data->d_size))
		return ebpf_fail(err, EINVAL, "%s: the %s section cannot be read: %s", path, name, elf_errmsg(-1));
	result = ebpf_btf_read(data->d_buf, data->d_size, base, out, err);
	return result ? ebpf_wrap(err, result, "%s", path) : 0;
}

/* The types, or split ones on a distilled base of their own (.BTF.base, Linux 6.11), which are put on the base that is given. */
static int read_sections(Elf *elf, const char *path, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct ebpf_btf *distilled = NULL, *split = NULL;
	int result = read_section(elf, path, ".BTF.base", NULL, &distilled, err);
	if (result && result != -ENOENT)
		return result;
	result = read_section(elf, path, ".BTF", distilled ? distilled : base, &split, err);
	if (result == -ENOENT) {
		ebpf_fail(err, ENOENT, "%s: there is no .BTF section", path);
		ebpf_hint(err, "compile with -g, and do not strip it");
	}
	if (!result && distilled && base) {
		result = ebpf_btf_relocate(split, base, out, err);
		if (result)
			ebpf_wrap(err, result, "%s", path);
		ebpf_btf_free(split);
	} else if (!result) {
		*out = split;
	}
	ebpf_btf_free(distilled);
	return result;
}

static int read_elf(int fd, const char *path, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	int result;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return ebpf_fail(err, ENOTSUP, "%s: libelf is too old", path);
	/* Not mapped: a file that shrinks meanwhile must give an error, not a signal. */
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return ebpf_fail(err, EINVAL, "%s: not a usable ELF file: %s", path, elf_errmsg(-1));
	result = read_sections(elf, path, base, out, err);
	elf_end(elf);
	return result;
}

int ebpf_btf_read_file(const char *path, struct ebpf_btf *base, struct ebpf_btf **out, struct ebpf_error *err)
{
	uint8_t magic[4] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC), result;

	if (fd < 0)
		return ebpf_fail_errno(err, errno, "%s: open", path);
	if (pread(fd, magic, sizeof(magic), 0) < 0)
		result = ebpf_fail_errno(err, errno, "%s: read", path);
	else if (!memcmp(magic, ELFMAG, SELFMAG))
		result = read_elf(fd, path, base, out, err);
	else
		result = read_raw(fd, path, base, out, err);
	close(fd);
	return result;
}
