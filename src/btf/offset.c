/* offset.c -- where a member lies: "a.b[2].c" as in C's offsetof, anonymous structs and unions looked through. */
#include <ctype.h>
#include <stdlib.h>

#include "btf/private.h"

/* Members of anonymous structs and unions that are looked at for one name: a kernel's struct has some hundreds. */
#define MAX_VISITED (1u << 20)

struct place {
	const struct ebpf_btf *btf;
	uint32_t type;
	uint64_t bits;
	uint32_t bit_size;
	unsigned visited;
};

static bool is_record(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_STRUCT || type->kind == BTF_KIND_UNION;
}

/* Moves `place` from a struct to its member; false when there is none of the name. */
static bool enter_member(struct place *place, const char *name, size_t length, unsigned depth)
{
	struct ebpf_type type;
	if (depth > BTF_MAX_DEPTH || !ebpf_btf_type(place->btf, ebpf_btf_resolve(place->btf, place->type), &type) ||
	    !is_record(&type))
		return false;
	for (uint32_t i = 0; i < type.vlen; i++) {
		struct ebpf_member member = ebpf_type_member(&type, i);
		if (depth && place->visited++ >= MAX_VISITED)
			return false;
		if (*member.name && (strncmp(member.name, name, length) != 0 || member.name[length]))
			continue;
		struct place inner = *place;
		inner.type = member.type;
		inner.bits += member.bit_offset;
		inner.bit_size = member.bit_size;
		if (!*member.name) {
			inner.visited = place->visited;
			bool found = enter_member(&inner, name, length, depth + 1);
			place->visited = inner.visited;
			if (!found)
				continue;
		}
		*place = inner;
		return true;
	}
	return false;
}

static int step_member(struct place *place, const char *path, const char **at, struct ebpf_error *err)
{
	size_t length = strcspn(*at, ".[ ");
	char where[160];
	struct ebpf_type type;

	ebpf_btf_print_name(place->btf, place->type, where, sizeof(where));
	if (!length)
		return ebpf_fail(err, EINVAL, "'%.200s': a member's name is missing behind '%.*s'", path, (int)(*at - path), path);
	if (!ebpf_btf_type(place->btf, ebpf_btf_resolve(place->btf, place->type), &type) || !is_record(&type))
		return ebpf_fail(err, EINVAL, "'%.200s': %s has no members", path, where);
	if (!enter_member(place, *at, length, 0))
		return ebpf_fail(err, ENOENT, "'%.200s': %s has no member '%.*s'", path, where, (int)length, *at);
	*at += length;
	return 0;
}

/* At `*at` stands '['. */
static int step_element(struct place *place, const char *path, const char **at, struct ebpf_error *err)
{
	struct ebpf_type type;
	char *end;

	if (!ebpf_btf_type(place->btf, ebpf_btf_resolve(place->btf, place->type), &type) || type.kind != BTF_KIND_ARRAY)
		return ebpf_fail(err, EINVAL, "'%.200s': what stands before '%.20s' is no array", path, *at);
	struct ebpf_btf_array array = ebpf_type_array(&type);
	if (!isdigit((unsigned char)(*at)[1]))
		return ebpf_fail(err, EINVAL, "'%.200s': a number must stand within [ ]", path);
	errno = 0;
	unsigned long long index = strtoull(*at + 1, &end, 0);
	if (*end != ']')
		return ebpf_fail(err, EINVAL, "'%.200s': a number must stand within [ ]", path);
	/* Of a flexible array any element; one behind the last as well, as in C. */
	if (errno || index > UINT32_MAX || (array.count && index > array.count))
		return ebpf_fail(err, ERANGE, "'%.200s': there are %u elements", path, array.count);
	int64_t size = ebpf_btf_sizeof(place->btf, array.element);
	if (size < 0)
		return ebpf_fail(err, EINVAL, "'%.200s': the elements have no size", path);
	uint64_t bytes, more;
	if (__builtin_mul_overflow((uint64_t)index, (uint64_t)size, &bytes) || __builtin_mul_overflow(bytes, (uint64_t)8, &more) ||
	    __builtin_add_overflow(place->bits, more, &place->bits))
		return ebpf_fail(err, ERANGE, "'%.200s': beyond all memory", path);
	place->type = array.element;
	place->bit_size = 0;
	*at = end + 1;
	return 0;
}

int ebpf_btf_offsetof(const struct ebpf_btf *btf, uint32_t id, const char *path, uint64_t *bits, uint32_t *bit_size, uint32_t *type,
                      struct ebpf_error *err)
{
	struct place place = {.btf = btf, .type = id};
	const char *at = path;
	int result = step_member(&place, path, &at, err);

	while (!result && *at) {
		if (*at == '[') {
			result = step_element(&place, path, &at, err);
		} else if (*at == '.') {
			at++;
			result = step_member(&place, path, &at, err);
		} else {
			result = ebpf_fail(err, EINVAL, "'%.200s': '.' or '[' expected at '%.20s'", path, at);
		}
	}
	if (result)
		return result;
	*bits = place.bits;
	*bit_size = place.bit_size;
	*type = place.type;
	return 0;
}
