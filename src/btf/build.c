/* build.c -- a new BTF out of parts of others, in host byte order: only what a program or a map needs, for the kernel that will
 * load it, or all of several, to be joined.
 *
 * Ids are given in the order of first mention, and types are written in the order of their ids: the queue is the
 * list of what has an id and is not yet written, so that copying needs no recursion however deep the types are. It
 * is empty between calls.
 */
#include <stdlib.h>

#include "btf/build.h"

/* For the kernel, whose BTF_MAX_TYPE and BTF_MAX_NAME_OFFSET these are; what is joined to be deduplicated may be more. */
#define MAX_KERNEL_TYPES   0xfffffu
#define MAX_KERNEL_STRINGS 0xffffffu
#define MAX_TYPES          0x7ffffffeu
#define MAX_STRINGS        0x7fffffffu

/* -- strings: each once, found by hash -- */

/* Begins with where the builder lies, so that no file can be made whose names all meet in one slot. */
static uint32_t hash_string(const struct ebpf_btf_builder *builder, const char *text)
{
	uint32_t hash = 2166136261u ^ (uint32_t)((uintptr_t)builder >> 4);
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	hash = (hash ^ hash >> 15) * 0x85ebca6bu;
	return hash ^ hash >> 13;
}

/* The slot with this string, or the empty one where it belongs. The empty string is never in the table. */
static const char *string_at(const struct ebpf_btf_builder *builder, uint32_t offset)
{
	return offset < builder->strings_first ? ebpf_btf_string(builder->base, offset)
	                                       : builder->strings.data + (offset - builder->strings_first);
}

static uint32_t *find_slot(const struct ebpf_btf_builder *builder, uint32_t *slots, uint32_t capacity, const char *text)
{
	uint32_t at = hash_string(builder, text) & (capacity - 1);
	while (slots[at] && strcmp(string_at(builder, slots[at]), text) != 0)
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static bool grow_slots(struct ebpf_btf_builder *builder)
{
	uint32_t capacity = builder->slot_capacity ? builder->slot_capacity * 2 : 64;
	uint32_t *slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < builder->slot_capacity; i++)
		if (builder->slots[i])
			*find_slot(builder, slots, capacity, string_at(builder, builder->slots[i])) = builder->slots[i];
	free(builder->slots);
	builder->slots = slots;
	builder->slot_capacity = capacity;
	return true;
}

/* Where the string stands; `offset` becomes its place when it is new. False when there is no memory. */
static bool intern(struct ebpf_btf_builder *builder, const char *text, uint32_t **slot)
{
	if (builder->string_count >= builder->slot_capacity / 2 && !grow_slots(builder))
		return false;
	*slot = find_slot(builder, builder->slots, builder->slot_capacity, text);
	return true;
}

/* The strings of the base, so that they are used again. */
static bool intern_base(struct ebpf_btf_builder *builder)
{
	uint32_t *slot;
	for (uint32_t at = 1; at < builder->strings_first; at += strlen(ebpf_btf_string(builder->base, at)) + 1) {
		const char *text = ebpf_btf_string(builder->base, at);
		if (!*text)
			continue;
		if (!intern(builder, text, &slot))
			return false;
		if (!*slot) {
			*slot = at;
			builder->string_count++;
		}
	}
	return true;
}

int64_t ebpf_btf_builder_string(struct ebpf_btf_builder *builder, const char *text)
{
	uint32_t *slot;
	if (!*text)
		return 0;
	if (builder->base && !builder->slots && !intern_base(builder))
		return -ENOMEM;
	if (!intern(builder, text, &slot))
		return -ENOMEM;
	if (!*slot) {
		size_t offset = builder->strings_first + builder->strings.size, size = strlen(text) + 1;
		size_t most = btf_for_kernel(builder) ? MAX_KERNEL_STRINGS : MAX_STRINGS;
		if (offset > most || size > most - offset)
			return -E2BIG;
		ebpf_buffer_add(&builder->strings, text, size);
		if (builder->strings.failed)
			return -ENOMEM;
		builder->string_count++;
		*slot = offset;
	}
	return *slot;
}

/* -- writing: once something failed, nothing more is written and `code` stays -- */

void btf_builder_fail(struct ebpf_btf_builder *builder, int code)
{
	if (!builder->code)
		builder->code = code;
}

void btf_put(struct ebpf_btf_builder *builder, uint32_t word)
{
	ebpf_buffer_add(&builder->types, &word, sizeof(word));
	if (builder->types.failed)
		btf_builder_fail(builder, -ENOMEM);
}

void btf_put_name(struct ebpf_btf_builder *builder, const char *name)
{
	int64_t offset = ebpf_btf_builder_string(builder, name);
	if (offset < 0)
		btf_builder_fail(builder, offset);
	btf_put(builder, offset < 0 ? 0 : offset);
}

void btf_put_type(struct ebpf_btf_builder *builder, const char *name, uint32_t kind, bool flag, uint32_t vlen,
                  uint32_t size_or_type)
{
	btf_put_name(builder, name);
	btf_put(builder, (uint32_t)flag << 31 | kind << 24 | vlen);
	btf_put(builder, size_or_type);
}

static void put_int(struct ebpf_btf_builder *builder, const char *name, uint32_t size, uint32_t encoding)
{
	btf_put_type(builder, name, BTF_KIND_INT, false, 0, size);
	btf_put(builder, encoding << 24 | size * 8);
}

int64_t btf_next_id(struct ebpf_btf_builder *builder)
{
	if (builder->last_id >= (btf_for_kernel(builder) ? MAX_KERNEL_TYPES : MAX_TYPES))
		return -E2BIG;
	return ++builder->last_id;
}

/* -- where types came from -- */

/* Which tags hang on a type: DECL_TAGs point to what they describe, so nothing else leads to them. */
static bool collect_tags(struct source *source)
{
	const struct ebpf_btf *btf = source->btf;
	if (!btf->has_tags)
		return true;
	source->tags = calloc(btf->count, sizeof(*source->tags));
	source->next_tag = calloc(btf->count - btf->first_id + 1, sizeof(*source->next_tag));
	if (!source->tags || !source->next_tag)
		return false;
	for (uint32_t id = btf->count; id-- > btf->first_id;) {
		struct ebpf_type type;
		if (!ebpf_btf_type(btf, id, &type) || type.kind != BTF_KIND_DECL_TAG)
			continue;
		source->next_tag[id - btf->first_id] = source->tags[type.type];
		source->tags[type.type] = id;
	}
	return true;
}

static void free_source(struct source *source)
{
	free(source->ids);
	free(source->tags);
	free(source->next_tag);
	ebpf_btf_free(source->btf);
}

static struct source *get_source(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf)
{
	/* Most often the last one, however many are joined. */
	if (builder->recent_source < builder->source_count && builder->sources[builder->recent_source].btf == btf)
		return &builder->sources[builder->recent_source];
	for (size_t i = 0; i < builder->source_count; i++) {
		if (builder->sources[i].btf == btf) {
			builder->recent_source = i;
			return &builder->sources[i];
		}
	}
	struct source *sources = ebpf_grow(builder->sources, &builder->source_capacity, builder->source_count, sizeof(*sources));
	if (!sources)
		return NULL;
	builder->sources = sources;
	/* Kept alive, so that no other can come to lie at its address and be taken for it. */
	struct source source = {.btf = ebpf_btf_ref((struct ebpf_btf *)btf)};
	source.ids = calloc(btf->count - btf->first_id + 1, sizeof(*source.ids));
	if (!source.ids || !collect_tags(&source)) {
		free_source(&source);
		return NULL;
	}
	builder->recent_source = builder->source_count;
	sources[builder->source_count] = source;
	return &sources[builder->source_count++];
}

/* Where the new id of a type is kept: 0 = it has none yet. NULL when there is no memory. */
uint32_t *btf_new_id(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id)
{
	btf = btf_owner(btf, id);
	struct source *source = get_source(builder, btf);
	return source ? &source->ids[id - btf->first_id] : NULL;
}

static uint32_t enqueue(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id)
{
	struct item *items = ebpf_grow(builder->queue, &builder->queue_capacity, builder->queue_count, sizeof(*items));
	if (!items) {
		btf_builder_fail(builder, -ENOMEM);
		return 0;
	}
	builder->queue = items;
	int64_t new_id = btf_next_id(builder);
	if (new_id < 0) {
		btf_builder_fail(builder, new_id);
		return 0;
	}
	items[builder->queue_count++] = (struct item){btf, id};
	return new_id;
}

static bool is_in_base(const struct ebpf_btf_builder *builder, const struct ebpf_btf *owner)
{
	for (const struct ebpf_btf *base = builder->base; base; base = base->base)
		if (base == owner)
			return true;
	return false;
}

/* The new id of a type that is mentioned; if it has none, it gets one and waits to be copied. Those of the base stay. */
uint32_t btf_mention(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id)
{
	if (!id || builder->code)
		return 0;
	if (is_in_base(builder, btf_owner(btf, id)))
		return id;
	uint32_t *slot = btf_new_id(builder, btf, id);
	if (!slot) {
		btf_builder_fail(builder, -ENOMEM);
		return 0;
	}
	if (!*slot && !builder->closed)
		*slot = enqueue(builder, btf_owner(btf, id), id);
	return *slot;
}

/* Gives a type its new id, in the order of the calls, and lets it wait. */
void btf_enqueue(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id)
{
	uint32_t *slot = btf_new_id(builder, btf, id);
	uint32_t new_id = slot && !*slot && !builder->code ? enqueue(builder, btf_owner(btf, id), id) : 0;
	if (!slot)
		btf_builder_fail(builder, -ENOMEM);
	else if (new_id)
		*slot = new_id;
}

static void mention_tags(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	if (builder->lacks & EBPF_BTF_NO_DECL_TAG)
		return;
	struct source *source = get_source(builder, type->btf);
	if (!source || !source->tags)
		return;
	for (uint32_t tag = source->tags[type->id]; tag; tag = source->next_tag[tag - type->btf->first_id]) {
		btf_mention(builder, type->btf, tag);
		source = get_source(builder, type->btf);
	}
}

/* -- copying, kind by kind, with what the kernel lacks replaced by what it knows -- */

static uint32_t placeholder(struct ebpf_btf_builder *builder)
{
	if (!builder->placeholder)
		builder->placeholder = enqueue(builder, NULL, 0);
	return builder->placeholder;
}

static void copy_some_members(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	uint32_t count = 0;
	bool bit_fields = false;
	for (uint32_t i = 0; i < type->vlen; i++) {
		if (!btf_subset_has_member(builder->subset, type, i))
			continue;
		count++;
		bit_fields |= type->kind_flag && btf_extra(type, 3 * i + 2) >> 24;
	}
	btf_put_type(builder, type->name, type->kind, bit_fields, count, type->size);
	for (uint32_t i = 0; i < type->vlen; i++) {
		if (!btf_subset_has_member(builder->subset, type, i))
			continue;
		btf_put_name(builder, ebpf_btf_string(type->btf, btf_extra(type, 3 * i)));
		btf_put(builder, btf_mention(builder, type->btf, btf_extra(type, 3 * i + 1)));
		btf_put(builder, btf_extra(type, 3 * i + 2));
	}
}

static void copy_struct(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	if (builder->subset) {
		copy_some_members(builder, type);
		return;
	}
	btf_put_type(builder, type->name, type->kind, type->kind_flag, type->vlen, type->size);
	for (uint32_t i = 0; i < type->vlen; i++) {
		btf_put_name(builder, ebpf_btf_string(type->btf, btf_extra(type, 3 * i)));
		btf_put(builder, btf_mention(builder, type->btf, btf_extra(type, 3 * i + 1)));
		btf_put(builder, btf_extra(type, 3 * i + 2)); /* as it is: with the size of a bit field, if the flag says so */
	}
}

static void copy_enum(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	/* Linux 6.0 gave the flag its meaning, "signed", together with ENUM64; before, it must be 0. */
	btf_put_type(builder, type->name, BTF_KIND_ENUM, type->kind_flag && !(builder->lacks & EBPF_BTF_NO_ENUM64), type->vlen,
	             type->size);
	for (uint32_t i = 0; i < type->vlen; i++) {
		btf_put_name(builder, ebpf_btf_string(type->btf, btf_extra(type, 2 * i)));
		btf_put(builder, btf_extra(type, 2 * i + 1));
	}
}

static void copy_enum64(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	bool replace = builder->lacks & EBPF_BTF_NO_ENUM64;
	/* A union of the same size, so that structs stay as they are; its members keep the names. */
	btf_put_type(builder, type->name, replace ? BTF_KIND_UNION : BTF_KIND_ENUM64, replace ? false : type->kind_flag, type->vlen,
	             type->size);
	for (uint32_t i = 0; i < type->vlen; i++) {
		btf_put_name(builder, ebpf_btf_string(type->btf, btf_extra(type, 3 * i)));
		btf_put(builder, replace ? placeholder(builder) : btf_extra(type, 3 * i + 1));
		btf_put(builder, replace ? 0 : btf_extra(type, 3 * i + 2));
	}
}

static void copy_func_proto(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	if (builder->lacks & EBPF_BTF_NO_FUNC) {
		btf_put_type(builder, "", BTF_KIND_ENUM, false, 0, 4);
		return;
	}
	btf_put_type(builder, "", BTF_KIND_FUNC_PROTO, false, type->vlen, btf_mention(builder, type->btf, type->type));
	for (uint32_t i = 0; i < type->vlen; i++) {
		btf_put_name(builder, ebpf_btf_string(type->btf, btf_extra(type, 2 * i)));
		btf_put(builder, btf_mention(builder, type->btf, btf_extra(type, 2 * i + 1)));
	}
}

static void copy_func(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	uint32_t linkage = type->vlen;
	if (btf_for_kernel(builder) && linkage) /* which takes no extern functions */
		linkage = BTF_VAR_GLOBAL;
	if (builder->lacks & EBPF_BTF_NO_GLOBAL_FUNC)
		linkage = BTF_VAR_STATIC;
	if (builder->lacks & EBPF_BTF_NO_FUNC)
		btf_put_type(builder, type->name, BTF_KIND_TYPEDEF, false, 0, btf_mention(builder, type->btf, type->type));
	else
		btf_put_type(builder, type->name, BTF_KIND_FUNC, false, linkage, btf_mention(builder, type->btf, type->type));
}

static void copy_var(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	if (builder->lacks & EBPF_BTF_NO_DATASEC) {
		put_int(builder, type->name, 1, 0); /* the least that fits wherever the variable was */
		return;
	}
	btf_put_type(builder, type->name, BTF_KIND_VAR, false, 0, btf_mention(builder, type->btf, type->type));
	uint32_t linkage = ebpf_type_linkage(type);
	btf_put(builder, btf_for_kernel(builder) && linkage ? BTF_VAR_GLOBAL : linkage);
}

static void copy_tag(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	if (type->kind == BTF_KIND_TYPE_TAG) {
		bool replace = builder->lacks & EBPF_BTF_NO_TYPE_TAG;
		btf_put_type(builder, replace ? "" : type->name, replace ? BTF_KIND_CONST : BTF_KIND_TYPE_TAG,
		             !replace && type->kind_flag, 0, btf_mention(builder, type->btf, type->type));
	} else if (builder->lacks & EBPF_BTF_NO_DECL_TAG) {
		put_int(builder, "", 1, 0);
	} else {
		btf_put_type(builder, type->name, BTF_KIND_DECL_TAG, type->kind_flag, 0,
		             btf_mention(builder, type->btf, type->type));
		btf_put(builder, btf_extra(type, 0));
	}
}

static void copy_type(struct ebpf_btf_builder *builder, const struct ebpf_type *type)
{
	switch (type->kind) {
	case BTF_KIND_INT:
		btf_put_type(builder, type->name, BTF_KIND_INT, false, 0, type->size);
		btf_put(builder, btf_extra(type, 0));
		break;
	case BTF_KIND_ARRAY: {
		struct ebpf_btf_array array = ebpf_type_array(type);
		btf_put_type(builder, "", BTF_KIND_ARRAY, false, 0, 0);
		btf_put(builder, btf_mention(builder, type->btf, array.element));
		btf_put(builder, btf_mention(builder, type->btf, array.index));
		btf_put(builder, array.count);
		break;
	}
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		copy_struct(builder, type);
		break;
	case BTF_KIND_ENUM:
		copy_enum(builder, type);
		break;
	case BTF_KIND_ENUM64:
		copy_enum64(builder, type);
		break;
	case BTF_KIND_FWD:
		btf_put_type(builder, type->name, BTF_KIND_FWD, type->kind_flag, 0, 0);
		break;
	case BTF_KIND_FUNC_PROTO:
		copy_func_proto(builder, type);
		break;
	case BTF_KIND_FUNC:
		copy_func(builder, type);
		break;
	case BTF_KIND_VAR:
		copy_var(builder, type);
		break;
	case BTF_KIND_DATASEC:
		btf_copy_section(builder, type);
		break;
	case BTF_KIND_FLOAT:
		/* An empty struct of the same size. Nameless: no struct may be called "float". */
		if (builder->lacks & EBPF_BTF_NO_FLOAT)
			btf_put_type(builder, "", BTF_KIND_STRUCT, false, 0, type->size);
		else
			btf_put_type(builder, type->name, BTF_KIND_FLOAT, false, 0, type->size);
		break;
	case BTF_KIND_DECL_TAG:
	case BTF_KIND_TYPE_TAG:
		copy_tag(builder, type);
		break;
	case BTF_KIND_PTR:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
		btf_put_type(builder, "", type->kind, false, 0, btf_mention(builder, type->btf, type->type));
		break;
	case BTF_KIND_TYPEDEF:
		btf_put_type(builder, type->name, type->kind, false, 0, btf_mention(builder, type->btf, type->type));
		break;
	default:
		btf_builder_fail(builder, -ENOTSUP);
	}
}

/* Writes all that waits, and what comes to wait meanwhile. */
void btf_drain(struct ebpf_btf_builder *builder)
{
	for (size_t i = 0; i < builder->queue_count && !builder->code; i++) {
		struct item item = builder->queue[i];
		struct ebpf_type type;
		if (!item.btf) {
			put_int(builder, "", 1, 0);
		} else if (ebpf_btf_type(item.btf, item.id, &type)) {
			copy_type(builder, &type);
			mention_tags(builder, &type);
		}
	}
	builder->queue_count = 0;
}

/* -- the interface -- */

int btf_builder_error(struct ebpf_btf_builder *builder, struct ebpf_error *err)
{
	switch (builder->code) {
	case 0:
		return 0;
	case -ENOMEM:
		return ebpf_fail_memory(err);
	case -ENOTSUP:
		return ebpf_fail(err, ENOTSUP, "BTF: a type of a kind that is not known cannot be copied");
	default:
		return ebpf_fail(err, -builder->code, "BTF: too many types or names");
	}
}

struct ebpf_btf_builder *ebpf_btf_builder_new(struct ebpf_btf *base, uint32_t lacks)
{
	struct ebpf_btf_builder *builder = calloc(1, sizeof(*builder));
	if (!builder)
		return NULL;
	/* Tags are about functions and variables; where those are replaced there is nothing left that the kernel
	 * would let them be about. */
	if (lacks & (EBPF_BTF_NO_FUNC | EBPF_BTF_NO_DATASEC))
		lacks |= EBPF_BTF_NO_DECL_TAG;
	builder->lacks = lacks;
	builder->base = ebpf_btf_ref(base);
	builder->first_id = base ? base->count : 1;
	builder->last_id = builder->first_id - 1;
	builder->strings_first = base ? base->strings_first + base->strings_size : 0;
	ebpf_buffer_add(&builder->strings, "", base ? 0 : 1);
	if (builder->strings.failed) {
		ebpf_btf_builder_free(builder);
		return NULL;
	}
	return builder;
}

void ebpf_btf_builder_free(struct ebpf_btf_builder *builder)
{
	if (!builder)
		return;
	for (size_t i = 0; i < builder->source_count; i++)
		free_source(&builder->sources[i]);
	free(builder->sources);
	free(builder->queue);
	free(builder->reserved);
	ebpf_buffer_free(&builder->late);
	ebpf_btf_free(builder->base);
	free(builder->slots);
	ebpf_buffer_free(&builder->types);
	ebpf_buffer_free(&builder->strings);
	free(builder);
}

int64_t ebpf_btf_builder_add(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, uint32_t id, struct ebpf_error *err)
{
	if (id >= btf->count)
		return ebpf_fail(err, EINVAL, "BTF: there is no type %u", id);
	uint32_t new_id = btf_mention(builder, btf, id);
	btf_drain(builder);
	return builder->code ? btf_builder_error(builder, err) : (int64_t)new_id;
}

int64_t ebpf_btf_builder_add_all(struct ebpf_btf_builder *builder, const struct ebpf_btf *btf, struct ebpf_error *err)
{
	bool with_base = btf->base && !is_in_base(builder, btf->base);
	uint32_t first = with_base ? 1 : btf->first_id;
	int64_t next = (int64_t)builder->last_id + 1;
	/* All before one is written: ids then go on in the order that they have. */
	for (uint32_t id = first; id < btf->count; id++)
		btf_mention(builder, btf, id);
	btf_drain(builder);
	return builder->code ? btf_builder_error(builder, err) : next;
}

int64_t ebpf_btf_builder_add_int(struct ebpf_btf_builder *builder, const char *name, uint32_t size, uint32_t encoding)
{
	if (size > 16)
		return -EINVAL;
	int64_t id = builder->code ? builder->code : btf_next_id(builder);
	if (id < 0)
		return id;
	put_int(builder, name, size, encoding);
	return builder->code ? builder->code : id;
}

int64_t ebpf_btf_builder_add_func(struct ebpf_btf_builder *builder, const char *name, uint32_t return_type,
                                  const struct ebpf_param *params, uint32_t count, uint32_t linkage)
{
	if (count > 0xffff || linkage > BTF_VAR_EXTERN)
		return -EINVAL;
	int64_t proto = builder->code ? builder->code : btf_next_id(builder), func = proto < 0 ? proto : btf_next_id(builder);
	if (func < 0) {
		btf_builder_fail(builder, func);
		return func;
	}
	bool replace = builder->lacks & EBPF_BTF_NO_FUNC;
	if (replace) {
		btf_put_type(builder, "", BTF_KIND_ENUM, false, 0, 4);
	} else {
		btf_put_type(builder, "", BTF_KIND_FUNC_PROTO, false, count, return_type);
		for (uint32_t i = 0; i < count; i++) {
			btf_put_name(builder, params[i].name);
			btf_put(builder, params[i].type);
		}
	}
	if (builder->lacks & EBPF_BTF_NO_GLOBAL_FUNC)
		linkage = BTF_VAR_STATIC;
	btf_put_type(builder, name, replace ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC, false, replace ? 0 : linkage, proto);
	return builder->code ? builder->code : func;
}

/* The types with those of reserved ids in their places. */
static int splice(const struct ebpf_btf_builder *builder, uint8_t *out, struct ebpf_error *err)
{
	size_t from = 0;
	for (size_t i = 0; i < builder->reserved_count; i++) {
		const struct reserved *reserved = &builder->reserved[i];
		if (!reserved->size)
			return ebpf_fail(err, EINVAL, "BTF: type %u was reserved, and never added", reserved->id);
		memcpy(out, builder->types.data + from, reserved->at - from);
		out += reserved->at - from;
		from = reserved->at;
		memcpy(out, builder->late.data + reserved->start, reserved->size);
		out += reserved->size;
	}
	if (builder->types.size > from)
		memcpy(out, builder->types.data + from, builder->types.size - from);
	return 0;
}

int64_t ebpf_btf_builder_add_pointer(struct ebpf_btf_builder *builder, const char *struct_name)
{
	int64_t type = builder->code ? builder->code : btf_next_id(builder), pointer = type < 0 ? type : btf_next_id(builder);
	if (pointer < 0) {
		btf_builder_fail(builder, pointer);
		return pointer;
	}
	btf_put_type(builder, struct_name, BTF_KIND_STRUCT, false, 0, 0);
	btf_put_type(builder, "", BTF_KIND_PTR, false, 0, type);
	return builder->code ? builder->code : pointer;
}

int ebpf_btf_builder_finish(struct ebpf_btf_builder *builder, void **data, size_t *size, struct ebpf_error *err)
{
	/* "No type found": the kernel takes no BTF that consists of strings alone, which is all that some line
	 * information needs. */
	if (btf_for_kernel(builder) && builder->last_id < builder->first_id)
		ebpf_btf_builder_add_int(builder, "int", 4, BTF_INT_SIGNED);
	if (builder->code)
		return btf_builder_error(builder, err);
	if (builder->farthest.to > builder->last_id)
		return ebpf_fail(err, EINVAL, "BTF: type %u refers to type %u, but the last one is %u", builder->farthest.from,
		                 builder->farthest.to, builder->last_id);
	const size_t types = builder->types.size + builder->late.size;
	const struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t size, type_offset, type_size, string_offset, string_size;
	} header = {BTF_MAGIC, 1, 0, sizeof(header), 0, types, types, builder->strings.size};
	size_t total = sizeof(header) + types + builder->strings.size;
	if (total > UINT32_MAX)
		return ebpf_fail(err, E2BIG, "BTF: %zu bytes of types are too many", total);
	uint8_t *bytes = malloc(total);
	if (!bytes)
		return ebpf_fail_memory(err);
	memcpy(bytes, &header, sizeof(header));
	int result = splice(builder, bytes + sizeof(header), err);
	if (result) {
		free(bytes);
		return result;
	}
	if (builder->strings.size)
		memcpy(bytes + sizeof(header) + types, builder->strings.data, builder->strings.size);
	*data = bytes;
	*size = total;
	return 0;
}

static void release_bytes(void *context, const void *data, size_t size)
{
	(void)context;
	(void)size;
	free((void *)data);
}

int ebpf_btf_builder_read(struct ebpf_btf_builder *builder, struct ebpf_btf **out, struct ebpf_error *err)
{
	void *data = NULL;
	size_t size = 0;
	int result = ebpf_btf_builder_finish(builder, &data, &size, err);
	if (!result)
		result = ebpf_btf_adopt(data, size, builder->base, release_bytes, NULL, out, err);
	if (result)
		free(data);
	return result;
}
