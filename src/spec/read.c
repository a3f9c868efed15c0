/* The way of an object: bytes -> sections and symbols -> code, maps, data, externs -> references between them. */
#include <stdio.h>
#include <stdlib.h>

#include "spec/object.h"

static int read_license(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_span bytes = object->sections[object->license_section].bytes;

	if (!object->license_section)
		return 0;
	object->spec->public.license = ebpf_spec_string(object->spec, (const char *)bytes.data,
	                                                bytes.data ? strnlen((const char *)bytes.data, bytes.size) : 0);
	return object->spec->public.license ? 0 : ebpf_spec_fail_memory(object->spec, err);
}

static int read_version(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_span bytes = object->sections[object->version_section].bytes;

	if (!object->version_section)
		return 0;
	if (bytes.size != 4 || !ebpf_span_u32(bytes, 0, &object->spec->kernel_version))
		return ebpf_fail(err, EINVAL, "section 'version': it has %zu bytes, not the 4 of a number", bytes.size);
	return 0;
}

static int read_types(struct ebpf_object *object, struct ebpf_error *err)
{
	struct ebpf_span bytes = object->sections[object->btf_section].bytes;
	int result;

	if (!object->btf_section)
		return 0;
	result = ebpf_btf_read(bytes.data, bytes.size, NULL, &object->spec->public.btf, err);
	if (result)
		return ebpf_wrap(err, result, "section '.BTF'");
	if (!object->ext_section)
		return 0;
	result = ebpf_btf_ext_read(object->sections[object->ext_section].bytes, object->spec->public.btf, &object->ext, err);
	return result ? ebpf_wrap(err, result, "section '.BTF.ext'") : 0;
}

/* Maps come in libbpf's order: .maps (and those in the old form), data sections, .kconfig, struct_ops. */
static int read_parts(struct ebpf_object *object, struct ebpf_error *err)
{
	static int (*const parts[])(struct ebpf_object *, struct ebpf_error *) = {
	        ebpf_object_open,
	        read_license,
	        read_version,
	        read_types,
	        ebpf_object_read_tags,
	        ebpf_object_read_functions,
	        ebpf_object_read_records,
	        ebpf_object_read_externs,
	        ebpf_object_read_maps,
	        ebpf_object_read_legacy_maps,
	        ebpf_object_read_arena,
	        ebpf_object_read_data,
	        ebpf_object_read_kconfig_map,
	        ebpf_object_read_struct_ops,
	        ebpf_object_sort_maps,
	        ebpf_object_relocate,
	        ebpf_object_read_map_values,
	        ebpf_object_read_struct_ops_members,
	        ebpf_object_connect_legacy_maps,
	};
	int result = 0;

	for (size_t i = 0; !result && i < EBPF_COUNT(parts); i++)
		result = parts[i](object, err);
	return result;
}

/* What reading may take: a small multiple of the object. Only tables that repeat or overlap could ask for more. */
static uint64_t allowance(size_t size)
{
	return (uint64_t)size * 16 + 65536;
}

static int read_object(const void *data, size_t size, const char *name, const char *prefix, const char *path,
                       struct ebpf_spec **out, struct ebpf_error *err)
{
	struct ebpf_error cause = {0};
	struct ebpf_spec *spec = ebpf_spec_new(name, err);
	struct ebpf_object object = {.spec = spec_impl(spec), .file = {.data = data, .size = size}, .prefix = prefix};
	int result;

	if (!spec)
		return -ENOMEM;
	object.spec->memory.left = object.memory.left = allowance(size);
	result = read_parts(&object, &cause);
	if (!result && path) {
		object.spec->path = ebpf_spec_string(object.spec, path, strlen(path));
		result = object.spec->path ? 0 : ebpf_spec_fail_memory(object.spec, &cause);
	}
	ebpf_object_close(&object);
	if (result) {
		ebpf_wrap(&cause, result, "object '%s'", path ? path : *spec->name ? spec->name : "(bytes)");
		ebpf_error_move(err, &cause);
		ebpf_spec_free(spec);
		return result;
	}
	object.spec->memory.left = UINT64_MAX; /* what is added by hand is nobody's attack */
	*out = spec;
	return 0;
}

int ebpf_spec_read(const void *data, size_t size, const char *name, struct ebpf_spec **out, struct ebpf_error *err)
{
	return read_object(data, size, name ? name : "", name ? name : "", NULL, out, err);
}

/* -- files -- */

enum { largest_file = 1 << 29 };

/* How much room to begin with: the file's size and a byte, so that one look at the end suffices; a pipe has none. */
static size_t first_capacity(FILE *file)
{
	long size = fseek(file, 0, SEEK_END) ? -1 : ftell(file);

	rewind(file);
	return size > 0 && size < largest_file ? (size_t)size + 1 : 1 << 16;
}

static int read_bytes(FILE *file, uint8_t **out, size_t *out_size)
{
	size_t size = 0, capacity = 0;
	uint8_t *data = NULL, *grown;
	int result = 0;

	for (;;) {
		if (size == capacity) {
			capacity = capacity ? capacity * 2 : first_capacity(file);
			grown = capacity <= largest_file ? realloc(data, capacity) : NULL;
			if (!grown) {
				result = capacity <= largest_file ? -ENOMEM : -EFBIG;
				break;
			}
			data = grown;
		}
		size_t got = fread(data + size, 1, capacity - size, file);
		size += got;
		if (!got) {
			result = ferror(file) ? -(errno ? errno : EIO) : 0;
			break;
		}
	}
	if (result) {
		free(data);
		return result;
	}
	*out = data;
	*out_size = size;
	return 0;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t size = strlen(end);

	return length > size && !memcmp(text + length - size, end, size);
}

/* "dir/foo.bar.bpf.o" is the object "foo.bar"; libbpf's names of maps begin with what comes before the first dot, "foo". */
int ebpf_spec_read_file(const char *path, struct ebpf_spec **out, struct ebpf_error *err)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(base), size;
	char *name = NULL, *prefix = NULL;
	uint8_t *data = NULL;
	FILE *file;
	int result;

	length -= ends_with(base, length, ".bpf.o") ? 6 : ends_with(base, length, ".o") ? 2 : 0;
	errno = 0;
	file = fopen(path, "rbe");
	if (!file)
		return ebpf_fail_errno(err, errno, "object '%s'", path);
	result = read_bytes(file, &data, &size);
	fclose(file);
	if (result)
		return ebpf_fail_errno(err, result, "object '%s'", path);
	name = ebpf_strndup(base, length);
	prefix = ebpf_strndup(base, strcspn(base, "."));
	if (name && prefix)
		result = read_object(data, size, name, prefix, path, out, err);
	else
		result = ebpf_fail_memory(err);
	free(name);
	free(prefix);
	free(data);
	return result;
}
