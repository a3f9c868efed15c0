/* index.c -- types by name. Built on first use, in two halves (what is a type, what is code or data), with at most
 * three 32-bit words per type and no object per name.
 *
 * The hash is that of the essential name ("task_struct" of "task_struct___old"), so that one table serves exact
 * look-ups and CO-RE's search for candidates.
 */
#include <stdlib.h>

#include "btf/private.h"

/* -- hash: eight bytes at a time -- */

#define ONES  0x0101010101010101u
#define HIGHS (0x80 * ONES)

static inline uint64_t load_le64(const char *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* 0x80 in every byte of `word` that is zero, and nothing elsewhere. */
static inline uint64_t zero_bytes(uint64_t word)
{
	return ~(((word & ~HIGHS) + ~HIGHS) | word | ~HIGHS);
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* Hashes begin with where the object lies, so that no file can be made whose names all meet in one chain. */
static inline uint64_t hash_seed(const struct ebpf_btf *btf)
{
	return (uintptr_t)btf >> 4;
}

static uint32_t hash_name(uint64_t hash, const char *name, size_t length)
{
	uint64_t word = 0;
	for (; length >= 8; length -= 8, name += 8)
		hash = mix(hash, load_le64(name));
	for (size_t i = 0; i < length; i++)
		word |= (uint64_t)(uint8_t)name[i] << (8 * i);
	hash = mix(hash, word);
	return hash >> 32;
}

/* As hash_name(hash, name, ebpf_essential_length(name)), in one pass for names without "___" that do not end within
 * the last eight bytes of the strings: which is nearly all. `end` is that of the strings. */
static inline uint32_t hash_essential(uint64_t seed, const char *name, const char *end)
{
	const char *at = name;
	uint64_t hash = seed, underscores, before = 0, triple = 0;
	while (end - at >= 8) {
		uint64_t word = load_le64(at), zeros = zero_bytes(word);
		if (zeros)
			word &= (zeros & -zeros) / 0x80 - 1; /* what is below the first zero byte */
		/* Three in a row, within this word or begun in the last two bytes of the one before. */
		underscores = zero_bytes(word ^ '_' * ONES);
		triple |= underscores & underscores >> 8 & underscores >> 16;
		before |= underscores << 16;
		triple |= before & before >> 8 & before >> 16;
		before = underscores >> 48;
		hash = mix(hash, word);
		if (zeros) {
			if (__builtin_expect(triple != 0, 0))
				break;
			return hash >> 32;
		}
		at += 8;
	}
	return hash_name(seed, name, ebpf_essential_length(name));
}

/* -- the index -- */

static uint64_t kinds_of(enum btf_name_group group)
{
	return group == BTF_NAMES_OF_CODE ? btf_code_names : btf_type_names;
}

static bool in_set(uint64_t kinds, uint32_t kind)
{
	return kind < BTF_KIND_COUNT && (kinds >> kind & 1);
}

__attribute__((always_inline)) static inline void insert_name(struct ebpf_btf *btf, struct btf_names *names, uint64_t seed,
                                                              uint32_t index, uint32_t offset)
{
	uint32_t hash;
	if (offset >= btf->strings_first) {
		hash = hash_essential(seed, btf->strings + (offset - btf->strings_first), btf->strings + btf->strings_size);
	} else {
		const char *name = ebpf_btf_string(btf, offset);
		hash = hash_name(seed, name, ebpf_essential_length(name));
	}
	uint32_t *bucket = &names->buckets[hash & names->mask];
	btf->next[index] = *bucket;
	*bucket = btf->first_id + index;
}

/* Both go from the last to the first, so that each chain runs upward. */
static void fill_types(struct ebpf_btf *btf)
{
	const uint64_t seed = hash_seed(btf);
	for (uint32_t i = btf->named_count; i-- > 0;) {
		uint32_t index = btf->named[i], offset = btf_word(btf->types + btf->offsets[index], btf->swapped);
		insert_name(btf, &btf->names[BTF_NAMES_OF_TYPES], seed, index, offset);
	}
	free(btf->named);
	btf->named = NULL;
}

static void fill_code(struct ebpf_btf *btf)
{
	const uint64_t seed = hash_seed(btf);
	for (uint32_t index = btf->count - btf->first_id; index-- > 0;) {
		const uint8_t *type = btf->types + btf->offsets[index];
		uint32_t offset = btf_word(type, btf->swapped), kind = btf_info_kind(btf_word(type + 4, btf->swapped));
		if (offset && in_set(btf_code_names, kind))
			insert_name(btf, &btf->names[BTF_NAMES_OF_CODE], seed, index, offset);
	}
}

static uint32_t table_size(uint32_t types)
{
	uint32_t size = 16;
	while (size < types && size < 1u << 31)
		size *= 2;
	return size;
}

static bool ensure_group(const struct ebpf_btf *const_btf, enum btf_name_group group)
{
	struct ebpf_btf *btf = (struct ebpf_btf *)const_btf; /* a cache: the object itself is never const */
	struct btf_names *names = &btf->names[group];
	if (names->buckets)
		return true;
	if (names->failed)
		return false;
	uint32_t size = table_size(group == BTF_NAMES_OF_CODE ? btf->code_count : btf->named_count);
	if (!btf->next)
		btf->next = calloc((size_t)(btf->count - btf->first_id) + 1, sizeof(*btf->next));
	names->buckets = btf->next ? calloc(size, sizeof(*names->buckets)) : NULL;
	if (!names->buckets) {
		names->failed = true;
		return false;
	}
	names->mask = size - 1;
	if (group == BTF_NAMES_OF_CODE)
		fill_code(btf);
	else
		fill_types(btf);
	return true;
}

void btf_index_free(struct ebpf_btf *btf)
{
	for (int group = 0; group < BTF_NAME_GROUPS; group++)
		free(btf->names[group].buckets);
	free(btf->named);
	free(btf->next);
}

/* The first own type after `after` (0 = from the start) that may have this hash; 0 at the end. Ids rise. */
static uint32_t next_candidate(const struct ebpf_btf *btf, enum btf_name_group group, uint32_t hash, uint32_t after)
{
	const struct btf_names *names = &btf->names[group];
	if (names->buckets)
		return after ? btf->next[after - btf->first_id] : names->buckets[hash & names->mask];
	after = after ? after + 1 : btf->first_id;
	return after < btf->count ? after : 0;
}

/* -- look-up -- */

/* The name of own type `id`, or NULL when it is not of these kinds or has none. */
static const char *name_if(const struct ebpf_btf *btf, uint32_t id, uint64_t kinds)
{
	const uint8_t *type = btf->types + btf->offsets[id - btf->first_id];
	uint32_t offset = btf_word(type, btf->swapped);
	if (!offset || !in_set(kinds, btf_info_kind(btf_word(type + 4, btf->swapped))))
		return NULL;
	return ebpf_btf_string(btf, offset);
}

static uint32_t find_in_group(const struct ebpf_btf *btf, enum btf_name_group group, const char *name, size_t essential,
                              uint64_t kinds)
{
	uint32_t hash = hash_name(hash_seed(btf), name, essential);
	ensure_group(btf, group);
	for (uint32_t id = 0; (id = next_candidate(btf, group, hash, id));) {
		const char *other = name_if(btf, id, kinds & kinds_of(group));
		if (other && !strcmp(name, other))
			return id;
	}
	return 0;
}

static uint32_t find_own(const struct ebpf_btf *btf, const char *name, size_t essential, uint64_t kinds)
{
	uint32_t type = 0, code = 0;
	if (kinds & btf_type_names)
		type = find_in_group(btf, BTF_NAMES_OF_TYPES, name, essential, kinds);
	if (kinds & btf_code_names)
		code = find_in_group(btf, BTF_NAMES_OF_CODE, name, essential, kinds);
	return type && (!code || type < code) ? type : code;
}

/* `kinds` is a set of bits. */
static int64_t find_kinds(const struct ebpf_btf *btf, const char *name, uint64_t kinds)
{
	if (!*name)
		return -ENOENT;
	size_t essential = ebpf_essential_length(name);
	uint32_t id;
	for (; btf; btf = btf->base)
		if ((id = find_own(btf, name, essential, kinds)))
			return id;
	return -ENOENT;
}

static int64_t find_tag(const struct ebpf_btf *btf, const char *name, uint32_t kind)
{
	for (; btf; btf = btf->base) {
		for (uint32_t id = btf->first_id; id < btf->count; id++) {
			struct ebpf_type type;
			if (ebpf_btf_type(btf, id, &type) && type.kind == kind && !strcmp(type.name, name))
				return id;
		}
	}
	return -ENOENT;
}

int64_t ebpf_btf_find_kind(const struct ebpf_btf *btf, const char *name, uint32_t kind)
{
	if (kind >= BTF_KIND_COUNT)
		return -ENOENT;
	if (kind == BTF_KIND_DECL_TAG || kind == BTF_KIND_TYPE_TAG)
		return find_tag(btf, name, kind);
	return find_kinds(btf, name, kind ? (uint64_t)1 << kind : UINT64_MAX);
}

static uint32_t next_tag_named(const struct ebpf_btf *btf, const char *name, uint32_t kind, uint32_t after)
{
	struct ebpf_type type;
	for (uint32_t id = after ? after + 1 : btf->first_id; ebpf_btf_type(btf, id, &type); id++)
		if (type.kind == kind && !strcmp(type.name, name))
			return id;
	return 0;
}

uint32_t ebpf_btf_next_named(const struct ebpf_btf *btf, const char *name, uint32_t kind, uint32_t after)
{
	if (kind >= BTF_KIND_COUNT || !*name || (after && (after < btf->first_id || after >= btf->count)))
		return 0;
	if (kind == BTF_KIND_DECL_TAG || kind == BTF_KIND_TYPE_TAG)
		return next_tag_named(btf, name, kind, after);
	uint64_t kinds = kind ? (uint64_t)1 << kind : UINT64_MAX;
	uint32_t hash = hash_name(hash_seed(btf), name, ebpf_essential_length(name));
	enum btf_name_group group = after && name_if(btf, after, btf_code_names) ? BTF_NAMES_OF_CODE : BTF_NAMES_OF_TYPES;
	for (; group < BTF_NAME_GROUPS; group++, after = 0) {
		if (!(kinds & kinds_of(group)))
			continue;
		ensure_group(btf, group);
		for (uint32_t id = after; (id = next_candidate(btf, group, hash, id));) {
			const char *other = name_if(btf, id, kinds & kinds_of(group));
			if (other && !strcmp(name, other))
				return id;
		}
	}
	return 0;
}

static const char *after_keyword(const char *name, const char *keyword)
{
	if (!ebpf_starts_with(name, keyword))
		return NULL;
	name += strlen(keyword);
	if (*name != ' ')
		return NULL;
	while (*name == ' ')
		name++;
	return name;
}

int64_t ebpf_btf_find(const struct ebpf_btf *btf, const char *name)
{
	static const uint64_t values = BTF_SET(INT) | BTF_SET(FLOAT) | BTF_SET(TYPEDEF) | BTF_SET(STRUCT) | BTF_SET(UNION) |
	                               BTF_SET(ENUM) | BTF_SET(ENUM64);
	const char *tag;
	if ((tag = after_keyword(name, "struct")))
		return find_kinds(btf, tag, BTF_SET(STRUCT));
	if ((tag = after_keyword(name, "union")))
		return find_kinds(btf, tag, BTF_SET(UNION));
	if ((tag = after_keyword(name, "enum")))
		return find_kinds(btf, tag, BTF_SET(ENUM) | BTF_SET(ENUM64));
	/* A function may share the name of a type: what has values is meant first. */
	int64_t id = find_kinds(btf, name, values);
	return id > 0 ? id : find_kinds(btf, name, UINT64_MAX);
}

int64_t ebpf_btf_lookup(const struct ebpf_btf *btf, const char *name, uint32_t kind, struct ebpf_error *err)
{
	int64_t id = kind ? ebpf_btf_find_kind(btf, name, kind) : ebpf_btf_find(btf, name);
	if (id >= 0)
		return id;
	const char *kind_name = kind ? ebpf_enum_name(EBPF_BTF_KIND, kind) : NULL;
	if (kind_name)
		return ebpf_fail(err, ENOENT, "types: there is no %s '%.200s'", kind_name, name);
	return ebpf_fail(err, ENOENT, "types: there is no '%.200s'", name);
}

uint32_t ebpf_btf_next_essential(const struct ebpf_btf *btf, const char *name, size_t length, uint32_t after)
{
	uint32_t hash = hash_name(hash_seed(btf), name, length), id = after;
	if (!length || (after && (after < btf->first_id || after >= btf->count)))
		return 0;
	ensure_group(btf, BTF_NAMES_OF_TYPES);
	while ((id = next_candidate(btf, BTF_NAMES_OF_TYPES, hash, id))) {
		/* Equal bytes first: the length without flavour is seldom needed. */
		const char *other = name_if(btf, id, btf_type_names);
		if (other && !strncmp(other, name, length) && ebpf_essential_length(other) == length)
			return id;
	}
	return 0;
}
