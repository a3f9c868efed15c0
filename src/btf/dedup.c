/* dedup.c -- each type once: what several compilation units, or several joined objects, say alike.
 *
 * In this order: strings (by copying into a builder, which has each once), types without references, structs and unions (which
 * may lead to themselves: dedup_equal.c), forward declarations whose struct has a name of its own, then all that refers to
 * others, by what it refers to. Last the types that stand for themselves are moved together. Variables and sections are things,
 * not types: each stays. Split BTF is compared with its base, which is taken to have no type twice.
 */
#include <stdlib.h>

#include "btf/dedup.h"

/* -- records -- */

struct record dedup_record(const struct dedup *d, uint32_t id)
{
	static const uint8_t nothing[BTF_TYPE_SIZE];
	if (!id)
		return (struct record){.at = nothing};
	const struct ebpf_btf *btf = btf_owner(d->btf, id);
	const uint8_t *at = btf->types + btf->offsets[id - btf->first_id];
	return (struct record){
	        .at = at,
	        .name = btf_word(at, false),
	        .info = btf_word(at + 4, false),
	        .third = btf_word(at + 8, false),
	};
}

/* An own string is never one that the base has, but the base may have one twice. */
bool dedup_same_name(const struct dedup *d, uint32_t a, uint32_t b)
{
	if (a == b)
		return true;
	if (a >= d->btf->strings_first || b >= d->btf->strings_first)
		return false;
	return !strcmp(ebpf_btf_string(d->btf, a), ebpf_btf_string(d->btf, b));
}

uint32_t dedup_resolve(const struct dedup *d, uint32_t id)
{
	while (dedup_is_mapped(d, id) && d->map[id] != id)
		id = d->map[id];
	return id;
}

/* -- the table of types that stand for themselves -- */

static uint32_t mix(uint32_t hash, uint32_t word)
{
	hash = (hash ^ word) * 0x9e3779b1u;
	return hash ^ hash >> 15;
}

static uint32_t mix_name(const struct dedup *d, uint32_t hash, uint32_t name)
{
	if (name >= d->btf->strings_first)
		return mix(hash, name);
	for (const char *text = ebpf_btf_string(d->btf, name); *text; text++)
		hash = mix(hash, (uint8_t)*text);
	return hash;
}

static bool is_record(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

static bool is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

static bool is_primitive(uint32_t kind)
{
	return kind == BTF_KIND_INT || kind == BTF_KIND_FLOAT || kind == BTF_KIND_FWD || is_enum(kind);
}

static bool is_thing(uint32_t kind)
{
	return kind == BTF_KIND_VAR || kind == BTF_KIND_DATASEC;
}

/* What a member's type is called, and what that refers to: the same of equal types, in which a struct and its declaration are
 * alike. */
static uint32_t mix_target(const struct dedup *d, uint32_t hash, uint32_t id)
{
	for (int depth = 0; depth < 3; depth++) {
		struct record record = dedup_record(d, id);
		uint32_t kind = record_kind(&record);
		if (kind == BTF_KIND_FWD)
			kind = btf_info_flag(record.info) ? BTF_KIND_UNION : BTF_KIND_STRUCT;
		hash = mix(mix_name(d, hash, record.name), kind == BTF_KIND_ENUM64 ? BTF_KIND_ENUM : kind);
		switch (kind) {
		case BTF_KIND_PTR:
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			id = record.third;
			break;
		case BTF_KIND_ARRAY:
			hash = mix(hash, record_word(&record, 2));
			id = record_word(&record, 0);
			break;
		case BTF_KIND_FUNC_PROTO:
			return mix(hash, record.info);
		default:
			return hash;
		}
	}
	return hash;
}

/* Equal types have equal hashes: of enums only the name counts, since there are those without enumerators. */
static uint32_t hash_of(const struct dedup *d, const struct record *record)
{
	const uint32_t kind = record_kind(record), count = btf_info_vlen(record->info);
	/* Begins with where the work is done, so that no file can be made whose types all meet in one chain. */
	uint32_t hash = mix_name(d, (uint32_t)((uintptr_t)d->map >> 4), record->name), word;
	if (is_enum(kind))
		return mix(hash, BTF_KIND_ENUM);
	hash = mix(hash, record->info);
	switch (kind) {
	case BTF_KIND_INT:
		return mix(mix(hash, record->third), record_word(record, 0));
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
		return mix(hash, record->third);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		hash = mix(hash, record->third);
		for (uint32_t i = 0; i < count; i++)
			hash = mix_target(d, mix(mix_name(d, hash, record_word(record, 3 * i)), record_word(record, 3 * i + 2)),
			                  record_word(record, 3 * i + 1));
		return hash;
	case BTF_KIND_ARRAY:
		hash = mix(hash, record_word(record, 2));
		break;
	case BTF_KIND_DECL_TAG:
		hash = mix(hash, record_word(record, 0));
		break;
	case BTF_KIND_FUNC_PROTO:
		for (uint32_t i = 0; i < count; i++)
			hash = mix_name(d, hash, record_word(record, 2 * i));
		break;
	}
	for (uint32_t i = 0; dedup_reference(record, i, &word); i++)
		hash = mix(hash, record_target(record, word));
	return hash;
}

static void insert(struct dedup *d, uint32_t hash, uint32_t id)
{
	uint32_t *bucket = &d->buckets[hash & d->mask];
	d->next[id] = *bucket;
	*bucket = id;
}

static void map_to_itself(struct dedup *d, uint32_t hash, uint32_t id)
{
	d->map[id] = id;
	insert(d, hash, id);
}

/* -- types without references -- */

static int map_primitive(struct dedup *d, uint32_t id)
{
	struct record record = dedup_record(d, id);
	const uint32_t kind = record_kind(&record);
	if (!is_primitive(kind))
		return 0;
	const uint32_t hash = hash_of(d, &record);
	for (uint32_t other = d->buckets[hash & d->mask]; other; other = d->next[other]) {
		struct record canonical = dedup_record(d, other);
		if (++d->steps > d->limit)
			return -E2BIG;
		if (dedup_same_shape(d, &record, &canonical)) {
			d->map[id] = other;
			return 0;
		}
		if (!is_enum(kind) || !dedup_compatible_enum(d, &record, &canonical))
			continue;
		if (!btf_info_vlen(record.info)) {
			d->map[id] = other;
			return 0;
		}
		if (d->map[other] == other && other >= d->first)
			d->map[other] = id; /* it was but declared until now */
	}
	map_to_itself(d, hash, id);
	return 0;
}

/* -- structs and unions -- */

/* What the comparison has shown: which struct a declaration declares, and that what the two lead to is the same as well. */
static void learn(struct dedup *d)
{
	for (uint32_t i = 0; i < d->trail_count; i++) {
		const uint32_t canonical = dedup_resolve(d, d->trail[i]), candidate = dedup_resolve(d, d->supposed[d->trail[i]]);
		struct record left = dedup_record(d, candidate), right = dedup_record(d, canonical);
		const uint32_t left_kind = record_kind(&left), right_kind = record_kind(&right);
		if (candidate == canonical)
			continue;
		if (left_kind != BTF_KIND_FWD && right_kind == BTF_KIND_FWD)
			d->map[canonical] = candidate;
		if (d->base_only)
			continue;
		if (left_kind == BTF_KIND_FWD && right_kind != BTF_KIND_FWD)
			d->map[candidate] = canonical;
		/* Not all over again for each struct that this one leads to. */
		if (is_record(left_kind) && right_kind != BTF_KIND_FWD && dedup_is_mapped(d, canonical) &&
		    !dedup_is_mapped(d, candidate))
			d->map[candidate] = canonical;
	}
}

static int map_struct(struct dedup *d, uint32_t id)
{
	struct record record = dedup_record(d, id);
	if (!is_record(record_kind(&record)) || dedup_is_mapped(d, id))
		return 0;
	const uint32_t hash = hash_of(d, &record);
	for (uint32_t other = d->buckets[hash & d->mask]; other; other = d->next[other]) {
		struct record canonical = dedup_record(d, other);
		if (++d->steps > d->limit)
			return -E2BIG;
		if (!dedup_same_shape(d, &record, &canonical))
			continue;
		dedup_forget(d);
		int equal = dedup_equal(d, id, other);
		if (equal < 0)
			return equal;
		if (!equal)
			continue;
		learn(d);
		if (d->base_only)
			continue;
		d->map[id] = other;
		return 0;
	}
	map_to_itself(d, hash, id);
	return 0;
}

/* -- declarations of the only struct of that name -- */

static int resolve_declarations(struct dedup *d)
{
	struct ebpf_table names = {0};
	int result = 0;
	uint64_t found;
	for (uint32_t id = 1; id < d->count && !result; id++) {
		struct record record = dedup_record(d, id);
		if (!is_record(record_kind(&record)) || d->map[id] != id)
			continue;
		const char *name = ebpf_btf_string(d->btf, record.name);
		result = ebpf_table_set(&names, name, ebpf_table_get(&names, name, NULL) ? 0 : id);
	}
	for (uint32_t id = d->first; id < d->count && !result; id++) {
		struct record record = dedup_record(d, id);
		if (record_kind(&record) != BTF_KIND_FWD || d->map[id] != id)
			continue;
		if (!ebpf_table_get(&names, ebpf_btf_string(d->btf, record.name), &found) || !found)
			continue;
		struct record whole = dedup_record(d, (uint32_t)found);
		if (record_kind(&whole) == (btf_info_flag(record.info) ? BTF_KIND_UNION : BTF_KIND_STRUCT))
			d->map[id] = (uint32_t)found;
	}
	ebpf_table_free(&names);
	return result;
}

/* -- what refers to others -- */

static void set_word(struct dedup *d, const struct record *record, uint32_t word, uint32_t value)
{
	(void)d;
	memcpy((uint8_t *)(uintptr_t)record->at + 4 * (size_t)word, &value, sizeof(value)); /* our own copy */
}

/* All that it refers to stands for itself. */
static int map_referring(struct dedup *d, uint32_t id)
{
	struct record record = dedup_record(d, id);
	uint32_t word;
	for (uint32_t i = 0; dedup_reference(&record, i, &word); i++)
		set_word(d, &record, word, dedup_resolve(d, record_target(&record, word)));
	record = dedup_record(d, id);
	const uint32_t hash = hash_of(d, &record);
	for (uint32_t other = d->buckets[hash & d->mask]; other; other = d->next[other]) {
		struct record canonical = dedup_record(d, other);
		bool same = dedup_same_shape(d, &record, &canonical);
		for (uint32_t i = 0; same && dedup_reference(&record, i, &word); i++)
			same = record_target(&record, word) == record_target(&canonical, word);
		if (++d->steps > d->limit)
			return -E2BIG;
		if (same) {
			d->map[id] = other;
			return 0;
		}
	}
	map_to_itself(d, hash, id);
	return 0;
}

/* Depth first, with a stack of its own: a chain may be as long as the input. `canonical` of a pair is the next reference to look
 * at. */
static int map_chain(struct dedup *d, uint32_t id, uint32_t *loop)
{
	size_t count = 0;
	while (id || count) {
		if (id && !dedup_is_mapped(d, id)) {
			struct pair *stack = ebpf_grow(d->stack, &d->stack_capacity, count, sizeof(*stack));
			if (!stack)
				return -ENOMEM;
			d->stack = stack;
			if (d->map[id] == IN_PROGRESS) {
				*loop = id;
				return -ELOOP;
			}
			d->map[id] = IN_PROGRESS;
			stack[count++] = (struct pair){id, 0};
		}
		id = 0;
		if (!count)
			break;
		struct pair *top = &d->stack[count - 1];
		struct record record = dedup_record(d, top->candidate);
		uint32_t word;
		if (dedup_reference(&record, top->canonical, &word)) {
			top->canonical++;
			id = record_target(&record, word);
			continue;
		}
		int result = map_referring(d, top->candidate);
		if (result)
			return result;
		count--;
	}
	return 0;
}

/* -- the result -- */

static int move_together(struct dedup *d, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct ebpf_btf *btf = d->btf;
	uint8_t *types = (uint8_t *)(uintptr_t)btf->types, *to = types; /* our own copy */
	uint32_t *ids = d->supposed, next = d->first, word;
	for (uint32_t id = 0; id < d->count; id++)
		ids[id] = id < d->first ? id : d->map[id] == id ? next++ : 0;
	for (uint32_t id = d->first; id < d->count; id++) {
		struct record record = dedup_record(d, id);
		const uint8_t *end = id + 1 < d->count ? types + btf->offsets[id + 1 - btf->first_id] : types + btf->types_size;
		if (d->map[id] != id)
			continue;
		for (uint32_t i = 0; dedup_reference(&record, i, &word); i++)
			set_word(d, &record, word, ids[dedup_resolve(d, record_target(&record, word))]);
		memmove(to, record.at, end - record.at);
		to += end - record.at;
	}
	/* Strings stand behind the types, and all are still in use. */
	const uint32_t types_size = to - types, strings_size = btf->strings_size;
	memmove(to, btf->strings, strings_size);
	uint8_t *header = types - BTF_HEADER_SIZE;
	const uint32_t words[] = {types_size, types_size, strings_size}; /* of types; where strings begin, and of strings */
	memcpy(header + 12, words, sizeof(words));
	return ebpf_btf_read(header, BTF_HEADER_SIZE + types_size + strings_size, btf->base, out, err);
}

/* -- the whole -- */

static int allocate(struct dedup *d)
{
	uint64_t parts = (d->btf->types_size + (d->btf->base ? (uint64_t)d->btf->base->types_size : 0)) / BTF_TYPE_SIZE;
	d->first = d->btf->first_id;
	d->count = d->btf->count;
	d->limit = ((uint64_t)1 << 22) + 256 * parts;
	d->mask = 15;
	while (d->mask < d->count && d->mask < UINT32_MAX / 2)
		d->mask = d->mask * 2 + 1;
	d->map = malloc((size_t)d->count * sizeof(*d->map));
	d->supposed = malloc((size_t)d->count * sizeof(*d->supposed));
	d->trail = malloc((size_t)d->count * sizeof(*d->trail));
	d->next = calloc(d->count, sizeof(*d->next));
	d->buckets = calloc((size_t)d->mask + 1, sizeof(*d->buckets));
	if (!d->map || !d->supposed || !d->trail || !d->next || !d->buckets)
		return -ENOMEM;
	memset(d->supposed, 0xff, (size_t)d->count * sizeof(*d->supposed));
	d->map[0] = 0;
	for (uint32_t id = 1; id < d->count; id++) {
		struct record record = dedup_record(d, id);
		d->map[id] = id < d->first || is_thing(record_kind(&record)) ? id : UNMAPPED;
		if (id < d->first && !is_thing(record_kind(&record)))
			insert(d, hash_of(d, &record), id);
	}
	return 0;
}

static int fail(struct dedup *d, int result, uint32_t loop, struct ebpf_error *err)
{
	char name[128];
	switch (result) {
	case -ENOMEM:
		return ebpf_fail_memory(err);
	case -ELOOP:
		ebpf_btf_print_name(d->btf, loop, name, sizeof(name));
		return ebpf_fail(err, ELOOP, "BTF: type %u '%s' leads back to itself without a struct in between", loop, name);
	default:
		return ebpf_fail(err, E2BIG, "BTF: too many types of one name and shape that are not the same");
	}
}

static int run(struct dedup *d, struct ebpf_btf **out, struct ebpf_error *err)
{
	uint32_t loop = 0;
	int result = allocate(d);
	for (uint32_t id = d->first; id < d->count && !result; id++)
		result = map_primitive(d, id);
	for (uint32_t id = d->first; id < d->count && !result; id++)
		result = map_struct(d, id);
	if (!result)
		result = resolve_declarations(d);
	for (uint32_t id = d->first; id < d->count && !result; id++)
		result = map_chain(d, id, &loop);
	return result ? fail(d, result, loop, err) : move_together(d, out, err);
}

static int copy_types(const struct ebpf_btf *btf, struct ebpf_btf **out, struct ebpf_error *err)
{
	if (btf->base && btf->swapped)
		return ebpf_fail(err, ENOTSUP, "BTF: split BTF of the other byte order cannot be deduplicated");
	struct ebpf_btf_builder *builder = ebpf_btf_builder_new(btf->base, 0);
	if (!builder)
		return ebpf_fail_memory(err);
	int64_t first = ebpf_btf_builder_add_all(builder, btf, err);
	int result = first < 0 ? (int)first : ebpf_btf_builder_read(builder, out, err);
	ebpf_btf_builder_free(builder);
	return result;
}

int ebpf_btf_dedup(const struct ebpf_btf *btf, struct ebpf_btf **out, struct ebpf_error *err)
{
	struct dedup d = {0};
	struct ebpf_btf *made = NULL;
	int result = copy_types(btf, &d.btf, err);
	if (!result)
		result = run(&d, &made, err);
	free(d.map);
	free(d.supposed);
	free(d.trail);
	free(d.next);
	free(d.buckets);
	free(d.stack);
	ebpf_btf_free(d.btf);
	if (!result && btf->swapped)
		result = btf_swap_order(&made, err);
	if (!result)
		*out = made;
	return result;
}
