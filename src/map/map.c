/* map.c -- handles on maps: opening, what is known of them, pinning, freezing, mapped memory. */
#include "map/map.h"
#include "map/rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BTF_SIZE_MAX (64U << 20) /* of a map's types: a program's, so a few KiB */

static const struct ebpf_sys *map_sys(const struct ebpf_map *map)
{
	return ebpf_kernel_sys(map->kernel);
}

/* -- what the kernel says -- */

/* The text of /proc/self/fdinfo/N, "" where /proc is not mounted. */
static void read_fdinfo(const struct ebpf_sys *sys, int fd, char *text, size_t size)
{
	char path[64];
	ssize_t got;
	int file;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (file < 0)
		return;
	got = sys->read(file, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	sys->close(file);
}

static bool fdinfo_frozen(const struct ebpf_sys *sys, int fd)
{
	char text[1024];
	const char *line;

	read_fdinfo(sys, fd, text, sizeof(text));
	line = strstr(text, "\nfrozen:");
	return line && atoi(line + strlen("\nfrozen:")) != 0;
}

/* BPF_OBJ_GET_INFO_BY_FD answers for every kind of object, and BPF_OBJ_GET opens every kind. */
static const char *fd_is_other(const struct ebpf_sys *sys, int fd)
{
	char text[1024];

	read_fdinfo(sys, fd, text, sizeof(text));
	return strstr(text, "\nprog_type:") ? "program" : strstr(text, "\nlink_type:") ? "link" : NULL;
}

static int query_info(const struct ebpf_sys *sys, int fd, struct bpf_map_info *info)
{
	union bpf_attr attr;

	memset(info, 0, sizeof(*info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = ebpf_ptr(info);
	return sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

int ebpf_map_info(struct ebpf_map *map, struct ebpf_map_info *info, struct ebpf_error *err)
{
	struct bpf_map_info kernel;
	int ret = query_info(map_sys(map), map->fd, &kernel);

	if (ret < 0)
		return ebpf_fail_errno(err, ret, "map '%s': cannot read its info", map->name);
	memset(info, 0, sizeof(*info));
	memcpy(info->name, kernel.name, sizeof(info->name) - 1);
	info->type = kernel.type;
	info->id = kernel.id;
	info->key_size = kernel.key_size;
	info->value_size = kernel.value_size;
	info->max_entries = kernel.max_entries;
	info->flags = kernel.map_flags;
	info->btf_id = kernel.btf_id;
	info->key_type_id = kernel.btf_key_type_id;
	info->value_type_id = kernel.btf_value_type_id;
	info->map_extra = kernel.map_extra;
	info->frozen = fdinfo_frozen(map_sys(map), map->fd);
	map->frozen |= info->frozen;
	return 0;
}

/* -- opening -- */

static int btf_info(const struct ebpf_sys *sys, int fd, void *data, uint32_t size, struct bpf_btf_info *info)
{
	union bpf_attr attr;

	memset(info, 0, sizeof(*info));
	info->btf = ebpf_ptr(data);
	info->btf_size = size;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = ebpf_ptr(info);
	return sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

/* The types that a map was created with, or NULL: they may need more privilege than the map, and the map is of use without them. */
static struct ebpf_btf *read_btf(const struct ebpf_sys *sys, uint32_t id)
{
	struct ebpf_btf *btf = NULL;
	struct bpf_btf_info info;
	union bpf_attr attr;
	void *data = NULL;
	uint32_t size;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.btf_id = id;
	fd = sys->bpf(BPF_BTF_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (fd < 0)
		return NULL;
	/* The kernel's own types belong to struct_ops, and a module's are nothing without the kernel's. */
	if (btf_info(sys, fd, NULL, 0, &info) < 0 || info.kernel_btf || !info.btf_size || info.btf_size > BTF_SIZE_MAX)
		goto out;
	size = info.btf_size;
	data = malloc(size);
	if (data && btf_info(sys, fd, data, size, &info) >= 0 && info.btf_size == size && ebpf_btf_read(data, size, NULL, &btf, NULL) < 0)
		btf = NULL;
out:
	free(data);
	sys->close(fd);
	return btf;
}

/* Takes `fd` over. */
static int open_fd(struct ebpf_kernel *kernel, int fd, const char *otherwise, struct ebpf_map **out, struct ebpf_error *err)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(kernel);
	const char *other = fd_is_other(sys, fd);
	struct bpf_map_info info;
	struct ebpf_map *map = NULL;
	int ret = 0;

	if (!other)
		ret = query_info(sys, fd, &info);
	if (other || ret < 0) {
		sys->close(fd);
		return other ? ebpf_fail(err, EINVAL, "this is a %s, not a map", other) : ebpf_fail_errno(err, ret, "cannot read the map's info");
	}
	info.name[sizeof(info.name) - 1] = '\0';
	ret = ebpf_map_adopt(kernel, fd, info.name[0] ? info.name : otherwise, &map, err);
	if (!map)
		return ret;
	map->type = info.type;
	map->key_size = info.key_size;
	map->value_size = info.value_size;
	map->max_entries = info.max_entries;
	map->flags = info.map_flags;
	map->map_extra = info.map_extra;
	map->frozen = fdinfo_frozen(sys, map->fd);
	map->reused = true;
	ret = ebpf_map_cpus_of(kernel, map->type, &map->cpu_count, err);
	if (ret < 0) {
		ebpf_map_close(map);
		return ret;
	}
	if (info.btf_id && (info.btf_key_type_id || info.btf_value_type_id)) {
		struct ebpf_btf *btf = read_btf(sys, info.btf_id);

		if (btf)
			ebpf_map_set_types(map, btf, info.btf_key_type_id, info.btf_value_type_id);
		ebpf_btf_free(btf);
	}
	*out = map;
	return 0;
}

int ebpf_map_open_pinned(struct ebpf_kernel *kernel, const char *path, struct ebpf_map **out, struct ebpf_error *err)
{
	const char *slash = strrchr(path, '/');
	struct ebpf_map *map = NULL;
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = ebpf_ptr(path);
	ret = ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_GET, &attr, EBPF_ATTR_SIZE(file_flags));
	if (ret < 0) {
		ebpf_fail_errno(err, ret, "map: open pinned %s", path);
		if (ret == -EACCES || ret == -EPERM)
			ebpf_hint(err, "it must lie in a BPF file system, and this process must be allowed to use it");
		return ret;
	}
	ret = open_fd(kernel, ret, slash ? slash + 1 : path, &map, err);
	if (!map)
		return ebpf_wrap(err, ret, "map: open pinned %s", path);
	map->pin_path = ebpf_strdup(path);
	if (!map->pin_path) {
		ebpf_map_close(map);
		return ebpf_fail_memory(err);
	}
	*out = map;
	return 0;
}

int ebpf_map_open_id(struct ebpf_kernel *kernel, uint32_t id, struct ebpf_map **out, struct ebpf_error *err)
{
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.map_id = id;
	ret = ebpf_kernel_sys(kernel)->bpf(BPF_MAP_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (ret < 0) {
		char why[256];

		if (ret == -ENOENT)
			return ebpf_fail(err, ret, "map: there is none with id %u", id);
		ebpf_fail_errno(err, ret, "map: open id %u", id);
		if (ret == -EPERM && err) {
			ebpf_kernel_explain_eperm(kernel, why, sizeof(why));
			ebpf_hint(err, "%s", why);
		}
		return ret;
	}
	ret = open_fd(kernel, ret, "", out, err);
	return ret < 0 ? ebpf_wrap(err, ret, "map: open id %u", id) : 0;
}

int ebpf_map_open_inner(struct ebpf_map *map, const void *key, struct ebpf_map **out, struct ebpf_error *err)
{
	uint32_t id = 0;
	int ret;

	if (map->type != BPF_MAP_TYPE_ARRAY_OF_MAPS && map->type != BPF_MAP_TYPE_HASH_OF_MAPS)
		return ebpf_fail(err, EINVAL, "map '%s': open an element: a %s holds no maps", map->name, ebpf_map_type_name(map->type));
	ret = ebpf_map_lookup(map, key, &id, 0, err);
	if (ret < 0)
		return ret;
	ret = ebpf_map_open_id(map->kernel, id, out, err);
	return ret < 0 ? ebpf_wrap(err, ret, "map '%s': open an element", map->name) : 0;
}

struct ebpf_map *ebpf_map_ref(struct ebpf_map *map)
{
	map->refs++;
	return map;
}

void ebpf_map_close(struct ebpf_map *map)
{
	if (!map || --map->refs)
		return;
	if (map->memory)
		map_sys(map)->munmap(map->memory, map->memory_size);
	map_sys(map)->close(map->fd);
	ebpf_layout_free(map->key_layout);
	ebpf_layout_free(map->value_layout);
	ebpf_btf_free(map->btf);
	ebpf_kernel_free(map->kernel);
	free(map->struct_ops_value);
	free(map->detail);
	free(map->pin_path);
	free(map->name);
	free(map);
}

/* -- accessors -- */

int ebpf_map_fd(const struct ebpf_map *map)
{
	return map->fd;
}

const char *ebpf_map_name(const struct ebpf_map *map)
{
	return map->name;
}

uint32_t ebpf_map_type(const struct ebpf_map *map)
{
	return map->type;
}

uint32_t ebpf_map_key_size(const struct ebpf_map *map)
{
	return map->key_size;
}

uint32_t ebpf_map_value_size(const struct ebpf_map *map)
{
	return map->value_size;
}

uint32_t ebpf_map_max_entries(const struct ebpf_map *map)
{
	return map->max_entries;
}

uint32_t ebpf_map_flags(const struct ebpf_map *map)
{
	return map->flags;
}

uint64_t ebpf_map_extra(const struct ebpf_map *map)
{
	return map->map_extra;
}

bool ebpf_map_autoattach(const struct ebpf_map *map)
{
	return map->autoattach;
}

bool ebpf_map_is_percpu(const struct ebpf_map *map)
{
	return map->cpu_count != 0;
}

uint32_t ebpf_map_cpu_count(const struct ebpf_map *map)
{
	return map->cpu_count;
}

uint32_t ebpf_map_cpu_stride(const struct ebpf_map *map)
{
	return (map->value_size + 7) & ~7U;
}

size_t ebpf_map_lookup_size(const struct ebpf_map *map)
{
	return map->cpu_count ? (size_t)map->cpu_count * ebpf_map_cpu_stride(map) : map->value_size;
}

struct ebpf_btf *ebpf_map_btf(const struct ebpf_map *map)
{
	return map->btf;
}

/* -- layouts -- */

/* NULL for types that have none, or another size than the map says: then the bytes are handed over as they are. */
static struct ebpf_layout *make_layout(const struct ebpf_map *map, uint32_t type_id, uint32_t size)
{
	if (!type_id || !map->btf || (size && ebpf_btf_sizeof(map->btf, type_id) != size))
		return NULL;
	return ebpf_layout_from_btf(map->btf, type_id, NULL);
}

/* An index, a descriptor or an id, where the type of map leaves no choice: objects rarely name these types. */
static struct ebpf_layout *make_fixed_layout(uint32_t size, uint32_t low, uint32_t high)
{
	return size == 4 && low == 4 && high <= 8 ? ebpf_layout_from_name("u32", NULL, NULL) : NULL;
}

static void make_layouts(struct ebpf_map *map)
{
	bool stream = ebpf_map_type_is_stream(map->type);
	const struct ebpf_map_rule *rule = ebpf_map_rule(map->type);

	map->layouts_made = true;
	if (!map->key_layout && map->key_size)
		map->key_layout = make_layout(map, map->key_type_id, map->key_size);
	if (!map->value_layout)
		map->value_layout = make_layout(map, map->value_type_id, stream ? 0 : map->value_size);
	if (!map->key_layout && rule)
		map->key_layout = make_fixed_layout(map->key_size, rule->key_min, rule->key_max);
	if (!map->value_layout && rule && !stream)
		map->value_layout = make_fixed_layout(map->value_size, rule->value_min, rule->value_max);
}

/* The layouts are a part of what the map is from the start; that they are made late shows nowhere. */
static void need_layouts(const struct ebpf_map *map)
{
	if (!map->layouts_made)
		make_layouts((struct ebpf_map *)(uintptr_t)map);
}

const struct ebpf_layout *ebpf_map_key_layout(const struct ebpf_map *map)
{
	need_layouts(map);
	return map->key_layout;
}

const struct ebpf_layout *ebpf_map_value_layout(const struct ebpf_map *map)
{
	need_layouts(map);
	return map->value_layout;
}

void ebpf_map_set_types(struct ebpf_map *map, struct ebpf_btf *btf, uint32_t key_type_id, uint32_t value_type_id)
{
	struct ebpf_btf *old = map->btf;

	map->btf = ebpf_btf_ref(btf);
	ebpf_btf_free(old);
	map->key_type_id = key_type_id;
	map->value_type_id = value_type_id;
	ebpf_layout_free(map->key_layout);
	ebpf_layout_free(map->value_layout);
	map->key_layout = map->value_layout = NULL;
	map->layouts_made = false;
}

static int check_layout(const struct ebpf_map *map, const char *what, const struct ebpf_layout *layout, uint32_t size, struct ebpf_error *err)
{
	if (!layout || layout->size == size)
		return 0;
	return ebpf_fail(err, EINVAL, "map '%s': %s is %s of %u bytes, but the map has %ss of %u", map->name, what,
			 layout->name[0] ? layout->name : "a type", layout->size, what, size);
}

int ebpf_map_set_layouts(struct ebpf_map *map, struct ebpf_layout *key, struct ebpf_layout *value, struct ebpf_error *err)
{
	int ret = 0;

	/* A stream's value is its record, of which the map has no size. */
	if (!ebpf_map_type_is_stream(map->type)) {
		ret = check_layout(map, "key", key, map->key_size, err);
		if (ret == 0)
			ret = check_layout(map, "value", value, map->value_size, err);
	}
	if (ret < 0) {
		ebpf_layout_free(key);
		ebpf_layout_free(value);
		return ret;
	}
	need_layouts(map);
	if (key) {
		ebpf_layout_free(map->key_layout);
		map->key_layout = key;
	}
	if (value) {
		ebpf_layout_free(map->value_layout);
		map->value_layout = value;
	}
	return 0;
}

/* -- pinning -- */

/* Linux 4.4 to 6.18: bpffs answers EPERM to a name with a dot, and to a place that is in another file system. */
static int explain_pin(const struct ebpf_map *map, const char *path, int code, struct ebpf_error *err)
{
	const char *slash = strrchr(path, '/');

	ebpf_fail_errno(err, code, "map '%s': pin to %s", map->name, path);
	switch (code) {
	case -EPERM:
		if (strchr(slash ? slash + 1 : path, '.'))
			ebpf_hint(err, "names in a BPF file system must not have a dot");
		else
			ebpf_hint(err, "the directory must lie in a BPF file system: mount -t bpf bpf /sys/fs/bpf");
		break;
	case -ENOENT:
		ebpf_hint(err, "the directory must exist, in a BPF file system: mount -t bpf bpf /sys/fs/bpf");
		break;
	case -EEXIST:
		ebpf_hint(err, "something is pinned there; open it, or unpin it first");
		break;
	}
	return code;
}

int ebpf_map_pin(struct ebpf_map *map, const char *path, struct ebpf_error *err)
{
	int ret = ebpf_kernel_pin(map->kernel, map->fd, &map->pin_path, path);

	if (ret == -ENOMEM)
		return ebpf_fail_memory(err);
	return ret < 0 ? explain_pin(map, path, ret, err) : 0;
}

int ebpf_map_unpin(struct ebpf_map *map, struct ebpf_error *err)
{
	int ret;

	if (!map->pin_path)
		return ebpf_fail(err, ENOENT, "map '%s': unpin: it is not pinned", map->name);
	ret = map_sys(map)->unlinkat(AT_FDCWD, map->pin_path, 0);
	if (ret < 0 && ret != -ENOENT) /* somebody has removed it: what was wanted */
		return ebpf_fail_errno(err, ret, "map '%s': unpin from %s", map->name, map->pin_path);
	free(map->pin_path);
	map->pin_path = NULL;
	return 0;
}

/* -- freezing and memory -- */

int ebpf_map_freeze(struct ebpf_map *map, struct ebpf_error *err)
{
	union bpf_attr attr;
	int ret;

	/* A writable mapping keeps the kernel from freezing (EBUSY). */
	if (map->memory && map->memory_writable) {
		map_sys(map)->munmap(map->memory, map->memory_size);
		map->memory = NULL;
	}
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map->fd;
	ret = map_sys(map)->bpf(BPF_MAP_FREEZE, &attr, EBPF_ATTR_SIZE(map_fd));
	if (ret < 0 && !fdinfo_frozen(map_sys(map), map->fd)) {
		ebpf_fail_errno(err, ret, "map '%s': freeze", map->name);
		if (ret == -EINVAL)
			ebpf_hint(err, "this needs Linux 5.2");
		if (ret == -EBUSY)
			ebpf_hint(err, "somebody has it mapped for writing");
		return ret;
	}
	map->frozen = true;
	return 0;
}

/* Of all elements, each on a multiple of 8 bytes, in whole pages; of an arena, its pages. 0 = it cannot be, or is too much. */
static size_t mappable_bytes(const struct ebpf_map *map)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size = ((uint64_t)map->value_size + 7) & ~UINT64_C(7);

	if (map->type == BPF_MAP_TYPE_ARENA)
		return page * map->max_entries > SIZE_MAX / 2 ? 0 : (size_t)(page * map->max_entries);
	if (map->type != BPF_MAP_TYPE_ARRAY || !(map->flags & BPF_F_MMAPABLE))
		return 0;
	size = (size * map->max_entries + page - 1) & ~(page - 1);
	return size > SIZE_MAX / 2 ? 0 : (size_t)size;
}

int ebpf_map_memory(struct ebpf_map *map, void **memory, size_t *size, bool *writable, struct ebpf_error *err)
{
	bool write = !map->frozen && !(map->flags & BPF_F_RDONLY_PROG);
	/* an arena of map_extra has its addresses from there, and takes no others */
	bool fixed = map->type == BPF_MAP_TYPE_ARENA && map->map_extra;
	void *address = fixed ? (void *)(uintptr_t)map->map_extra : NULL;
	size_t bytes = mappable_bytes(map);
	int ret;

	if (!bytes)
		return ebpf_fail(err, ENOTSUP, "map '%s': only arenas and arrays with BPF_F_MMAPABLE (Linux 5.5) can be mapped into memory",
				 map->name);
	if (!map->memory) {
		ret = map_sys(map)->mmap(bytes, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | (fixed ? MAP_FIXED_NOREPLACE : 0),
					 map->fd, 0, &address);
		/* Somebody else has frozen it, or it was opened for reading alone. */
		if (write && (ret == -EPERM || ret == -EACCES)) {
			write = false;
			ret = map_sys(map)->mmap(bytes, PROT_READ, MAP_SHARED | (fixed ? MAP_FIXED_NOREPLACE : 0), map->fd, 0, &address);
		}
		if (ret < 0)
			return ebpf_fail_errno(err, ret, "map '%s': cannot map it into memory", map->name);
		map->memory = address;
		map->memory_size = bytes;
		map->memory_writable = write;
	}
	*memory = map->memory;
	*size = map->memory_size;
	*writable = map->memory_writable;
	return 0;
}

/* -- standing for a spec -- */

/* All of them at once: whoever mends a declaration wants to do it once. */
static int list_differences(const struct ebpf_map *map, const char *name, const union bpf_attr *want, uint32_t flags, struct ebpf_error *err)
{
	const struct {
		const char *format;
		uint64_t has, wants;
	} members[] = {
		{ "key_size %llu, not %llu", map->key_size, want->key_size },
		{ "value_size %llu, not %llu", map->value_size, want->value_size },
		{ "max_entries %llu, not %llu", map->max_entries, want->max_entries },
		{ "flags 0x%llx, not 0x%llx", flags, want->map_flags },
		{ "map_extra 0x%llx, not 0x%llx", map->map_extra, want->map_extra },
	};
	char text[512];
	int used = 0;

	if (map->type != want->map_type)
		used = snprintf(text, sizeof(text), "type %s, not %s", ebpf_map_type_name(map->type), ebpf_map_type_name(want->map_type));
	for (size_t i = 0; i < EBPF_COUNT(members); i++) {
		if (members[i].has == members[i].wants)
			continue;
		if (used)
			used += snprintf(text + used, sizeof(text) - (size_t)used, ", and ");
		used += snprintf(text + used, sizeof(text) - (size_t)used, members[i].format, (unsigned long long)members[i].has,
				 (unsigned long long)members[i].wants);
	}
	return used ? ebpf_fail(err, EEXIST, "map '%s': the existing map has %s", name, text) : 0;
}

int ebpf_map_compatible(struct ebpf_map *map, const struct ebpf_map_spec *spec, struct ebpf_error *err)
{
	const char *name = spec->name ? spec->name : map->name;
	uint32_t flags = map->flags;
	union bpf_attr want;
	int ret = ebpf_map_attributes(map->kernel, spec, &want, err);

	if (ret < 0)
		return ret;
	/* Linux 4.14: the kernel sets this one by itself. */
	if (map->type == BPF_MAP_TYPE_DEVMAP || map->type == BPF_MAP_TYPE_DEVMAP_HASH)
		flags = (flags & ~BPF_F_RDONLY_PROG) | (want.map_flags & BPF_F_RDONLY_PROG);
	return list_differences(map, name, &want, flags, err);
}
