/* layout.c -- struct ebpf_layout trees from BTF.
 *
 * A type that occurs twice in a layout gives one node, referred to twice. What a walk over the whole tree would meet
 * is counted all the same and bounded, and so is what decoding one value would: whoever walks a layout needs no
 * bounds of his own.
 */
#include <stdlib.h>

#include "btf/layout.h"

#define MAX_NODES       65536u     /* met by a walk, each shared node as often as it is met */
#define MAX_VISITS      (1u << 20) /* members looked at, while making one */
#define MAX_MEMORY      (16u << 20)
#define MAX_VALUES_BASE (1u << 20) /* decoded out of one value: this many, and 16 for each byte */

/* -- memory: chunks that hang on the root -- */

struct chunk {
	struct chunk *next;
	_Alignas(16) uint8_t bytes[];
};
struct root {
	struct ebpf_layout layout;
	struct chunk *chunks;
	uint32_t references;
};

void *ebpf_layout_arena(struct layout_builder *builder, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (size > builder->room) {
		size_t room = size > 1024 ? size : 1024;
		if (builder->memory + room > MAX_MEMORY) {
			builder->code = ebpf_fail(builder->err, E2BIG, "layout: more than %u MiB", MAX_MEMORY >> 20);
			return NULL;
		}
		struct chunk *chunk = malloc(sizeof(*chunk) + room);
		if (!chunk) {
			builder->code = ebpf_fail_memory(builder->err);
			return NULL;
		}
		chunk->next = builder->chunks;
		builder->chunks = chunk;
		builder->free = chunk->bytes;
		builder->room = room;
		builder->memory += room;
	}
	void *result = builder->free;
	builder->free += size;
	builder->room -= size;
	return result;
}

const char *ebpf_layout_string(struct layout_builder *builder, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ebpf_layout_arena(builder, size);
	return copy ? memcpy(copy, text, size) : NULL;
}

struct ebpf_layout *ebpf_layout_node(struct layout_builder *builder)
{
	/* The first node is the root, and keeps the chunks. */
	struct ebpf_layout *node = ebpf_layout_arena(builder, builder->nodes ? sizeof(struct ebpf_layout) : sizeof(struct root));
	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->name = "";
	node->is_swapped = builder->btf && builder->btf->swapped;
	node->id = builder->nodes++;
	if (!builder->root)
		builder->root = node;
	return node;
}

static void free_chunks(struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
}

struct ebpf_layout *ebpf_layout_finish(struct layout_builder *builder, bool good)
{
	free(builder->memos);
	if (!good) {
		free_chunks(builder->chunks);
		return NULL;
	}
	builder->root->node_count = builder->nodes;
	((struct root *)builder->root)->chunks = builder->chunks;
	((struct root *)builder->root)->references = 1;
	return builder->root;
}

struct ebpf_layout *ebpf_layout_ref(const struct ebpf_layout *layout)
{
	struct root *root = (struct root *)layout;
	root->references++;
	return &root->layout;
}

void ebpf_layout_free(struct ebpf_layout *layout)
{
	if (layout && --((struct root *)layout)->references == 0)
		free_chunks(((struct root *)layout)->chunks);
}

/* -- which types were made -- */

/* Open addressing by type id, which is never 0; at most half full. `made.node` is NULL while the type is in the
 * making. */
struct memo {
	uint32_t id;
	struct made made;
};

static struct memo *find_memo(struct memo *memos, uint32_t capacity, uint32_t id)
{
	uint32_t at = id * 0x9e3779b1u & (capacity - 1);
	while (memos[at].id && memos[at].id != id)
		at = (at + 1) & (capacity - 1);
	return &memos[at];
}

static bool grow_memos(struct layout_builder *builder)
{
	uint32_t capacity = builder->memo_capacity ? builder->memo_capacity * 2 : 32;
	struct memo *memos = calloc(capacity, sizeof(*memos));
	if (!memos)
		return false;
	for (uint32_t i = 0; i < builder->memo_capacity; i++)
		if (builder->memos[i].id)
			*find_memo(memos, capacity, builder->memos[i].id) = builder->memos[i];
	free(builder->memos);
	builder->memos = memos;
	builder->memo_capacity = capacity;
	return true;
}

static struct memo *get_memo(struct layout_builder *builder, uint32_t id)
{
	if (builder->memo_count >= builder->memo_capacity / 2 && !grow_memos(builder))
		return NULL;
	struct memo *memo = find_memo(builder->memos, builder->memo_capacity, id);
	if (!memo->id) {
		*memo = (struct memo){.id = id};
		builder->memo_count++;
		memo->made.fresh = true;
	}
	return memo;
}

/* -- single types -- */

static int fail_type(struct layout_builder *builder, int code, uint32_t id, const char *why)
{
	struct ebpf_buffer name = {0};
	ebpf_btf_write_name(builder->btf, id, &name);
	ebpf_fail(builder->err, code, "layout: type %u (%.200s) %s", id, name.data ? name.data : "", why);
	ebpf_buffer_free(&name);
	return -code;
}

static bool is_scalar_size(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

/* C's char alone, however compilers encode it: neither "signed char" nor "unsigned char" hold text. */
static bool is_char(const struct ebpf_type *type)
{
	uint32_t encoding, offset, bits;
	if (type->kind != BTF_KIND_INT || type->size != 1)
		return false;
	ebpf_type_int(type, &encoding, &offset, &bits);
	return !strcmp(type->name, "char") ||
	       ((encoding & BTF_INT_CHAR) && strcmp(type->name, "unsigned char") && strcmp(type->name, "signed char"));
}

bool ebpf_layout_is_char(const struct ebpf_btf *btf, uint32_t id)
{
	struct ebpf_type type;
	return ebpf_btf_type(btf, ebpf_btf_resolve(btf, id), &type) && is_char(&type);
}

static void make_scalar(struct ebpf_layout *node, const struct ebpf_type *type)
{
	uint32_t encoding, offset, bits;
	node->size = type->size;
	if (type->kind == BTF_KIND_FLOAT) {
		node->kind = type->size == 4 || type->size == 8 ? EBPF_VALUE_FLOAT : EBPF_VALUE_BYTES;
		return;
	}
	ebpf_type_int(type, &encoding, &offset, &bits);
	if (!is_scalar_size(type->size))
		node->kind = type->size == 16 ? EBPF_VALUE_INT128 : EBPF_VALUE_BYTES;
	else if (encoding & BTF_INT_BOOL)
		node->kind = EBPF_VALUE_BOOL;
	else
		node->kind = EBPF_VALUE_INT;
	node->is_signed = (node->kind == EBPF_VALUE_INT || node->kind == EBPF_VALUE_INT128) && (encoding & BTF_INT_SIGNED);
}

/* The kernel's names for integers of one order, which are typedefs. Bounded as ebpf_btf_resolve is, which went this way before. */
static uint8_t declared_order(const struct ebpf_btf *btf, uint32_t id)
{
	static const char *const names[] = {"__le16", "__le32", "__le64", "__be16", "__be32", "__be64"};
	struct ebpf_type type;

	while (ebpf_btf_type(btf, ebpf_btf_skip_modifiers(btf, id), &type) && type.kind == BTF_KIND_TYPEDEF) {
		for (size_t i = 0; i < EBPF_COUNT(names); i++)
			if (!strcmp(type.name, names[i]))
				return i < 3 ? EBPF_ORDER_LITTLE : EBPF_ORDER_BIG;
		id = type.type;
	}
	return 0;
}

static int make_enum(struct layout_builder *builder, struct ebpf_layout *node, const struct ebpf_type *type)
{
	node->kind = is_scalar_size(type->size) ? EBPF_VALUE_ENUM : EBPF_VALUE_BYTES;
	node->size = type->size;
	if (node->kind != EBPF_VALUE_ENUM)
		return 0;
	node->is_signed = type->kind_flag;
	struct ebpf_enumerator *enumerators = ebpf_layout_arena(builder, type->vlen * sizeof(*enumerators));
	if (!enumerators)
		return builder->code;
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_btf_enum entry = ebpf_type_enumerator(type, i);
		enumerators[i].value = entry.value;
		if (!(enumerators[i].name = ebpf_layout_string(builder, entry.name)))
			return builder->code;
	}
	node->count = type->vlen;
	node->enumerators = enumerators;
	return 0;
}

static int make(struct layout_builder *builder, uint32_t id, unsigned depth, struct made *out);

static int make_array(struct layout_builder *builder, const struct ebpf_type *type, unsigned depth, struct made *self)
{
	struct ebpf_layout *node = self->node;
	struct ebpf_btf_array array = ebpf_type_array(type);
	struct made element;

	node->count = array.count;
	if (ebpf_layout_is_char(builder->btf, array.element)) {
		node->kind = EBPF_VALUE_STRING;
		node->size = array.count;
		return 0;
	}
	node->kind = EBPF_VALUE_ARRAY;
	if (!ebpf_btf_resolve(builder->btf, array.element))
		return fail_type(builder, EINVAL, type->id, "has elements without a size");
	int result = make(builder, array.element, depth + 1, &element);
	if (result)
		return result;
	if (__builtin_mul_overflow(array.count, element.node->size, &node->size))
		return fail_type(builder, E2BIG, type->id, "has more than 4 GiB");
	node->element = element.node;
	ebpf_layout_count(self, &element, array.count);
	return 0;
}

/* -- structs, unions, sections -- */

/* The fields of one struct in the making; those of anonymous members come into it too. */
struct gather {
	struct layout_builder *builder;
	struct made *self;
	struct ebpf_field *fields;
	size_t count, capacity;
	struct ebpf_table names; /* used when there are many */
};
#define FEW_NAMES 16

/* 1 when the name is new, 0 when the struct has it already. */
static int claim_name(struct gather *gather, const char *name)
{
	if (gather->count < FEW_NAMES) {
		for (size_t i = 0; i < gather->count; i++)
			if (!strcmp(gather->fields[i].name, name))
				return 0;
		return 1;
	}
	if (!gather->names.count) {
		for (size_t i = 0; i < gather->count; i++)
			if (ebpf_table_set(&gather->names, gather->fields[i].name, i))
				return ebpf_fail_memory(gather->builder->err);
	}
	if (ebpf_table_get(&gather->names, name, NULL))
		return 0;
	return ebpf_table_set(&gather->names, name, gather->count) ? ebpf_fail_memory(gather->builder->err) : 1;
}

static int add_field(struct gather *gather, const struct ebpf_field *field)
{
	struct ebpf_field *fields = ebpf_grow(gather->fields, &gather->capacity, gather->count, sizeof(*fields));
	if (!fields)
		return ebpf_fail_memory(gather->builder->err);
	gather->fields = fields;
	fields[gather->count++] = *field;
	return 0;
}

static int fail_member(struct gather *gather, const struct ebpf_type *type, const struct ebpf_member *member, const char *why)
{
	struct ebpf_buffer name = {0};
	ebpf_btf_write_name(gather->builder->btf, type->id, &name);
	ebpf_fail(gather->builder->err, EINVAL, "layout: type %u (%.200s): member '%.100s' %s", type->id,
	          name.data ? name.data : "", member->name, why);
	ebpf_buffer_free(&name);
	return -EINVAL;
}

static int lift_members(struct gather *gather, const struct ebpf_type *type, uint32_t offset, unsigned depth);

static bool is_struct(const struct ebpf_type *type)
{
	return type->kind == BTF_KIND_STRUCT || type->kind == BTF_KIND_UNION;
}

static bool has_layout(const struct ebpf_type *type)
{
	return is_struct(type) || type->kind == BTF_KIND_INT || type->kind == BTF_KIND_PTR || type->kind == BTF_KIND_ARRAY ||
	       type->kind == BTF_KIND_ENUM || type->kind == BTF_KIND_ENUM64 || type->kind == BTF_KIND_FLOAT;
}

static int place_bit_field(struct gather *gather, const struct ebpf_type *type, const struct ebpf_member *member,
                           struct ebpf_field *field)
{
	enum ebpf_value_kind kind = field->layout->kind;
	if (kind != EBPF_VALUE_INT && kind != EBPF_VALUE_BOOL && kind != EBPF_VALUE_ENUM)
		return fail_member(gather, type, member, "is a bit field of something that is no integer");
	if (member->bit_size > field->layout->size * 8)
		return fail_member(gather, type, member, "has more bits than its type");
	if ((uint64_t)member->bit_offset + member->bit_size > (uint64_t)type->size * 8)
		return fail_member(gather, type, member, "lies outside of its struct");
	field->bit_offset = member->bit_offset % 8;
	field->bit_size = member->bit_size;
	return 0;
}

static int place_member(struct gather *gather, const struct ebpf_type *type, const struct ebpf_member *member, uint32_t offset,
                        unsigned depth)
{
	struct ebpf_type target;
	struct made made;
	int result;

	if (!ebpf_btf_type(gather->builder->btf, ebpf_btf_resolve(gather->builder->btf, member->type), &target))
		return fail_member(gather, type, member, "has no type");
	if (!*member->name && is_struct(&target)) {
		if (member->bit_size || member->bit_offset % 8 || (uint64_t)member->bit_offset / 8 + target.size > type->size)
			return fail_member(gather, type, member, "lies outside of its struct");
		return lift_members(gather, &target, offset + member->bit_offset / 8, depth + 1);
	}
	if (!*member->name)
		return 0; /* padding */
	if (member->bit_size && target.kind == BTF_KIND_INT && target.size > 8)
		return 0; /* of 128 bits, as hardware's clocks have: no value holds it */
	if (!has_layout(&target))
		return fail_member(gather, type, member, "has no size");
	result = claim_name(gather, member->name);
	if (result <= 0)
		return result;
	result = make(gather->builder, member->type, depth + 1, &made);
	if (result)
		return result;
	struct ebpf_field field = {.name = member->name, .layout = made.node, .offset = offset + member->bit_offset / 8};
	if (member->bit_size)
		result = place_bit_field(gather, type, member, &field);
	else if (member->bit_offset % 8)
		result = fail_member(gather, type, member, "does not begin at a byte");
	else if ((uint64_t)member->bit_offset / 8 + made.node->size > type->size)
		result = fail_member(gather, type, member, "lies outside of its struct");
	if (result)
		return result;
	ebpf_layout_count(gather->self, &made, 1);
	return add_field(gather, &field);
}

static int lift_members(struct gather *gather, const struct ebpf_type *type, uint32_t offset, unsigned depth)
{
	if (depth > BTF_MAX_DEPTH)
		return fail_type(gather->builder, E2BIG, type->id, "is nested too deeply");
	for (uint32_t i = 0; i < type->vlen; i++) {
		struct ebpf_member member = ebpf_type_member(type, i);
		/* Counted by itself, so that anonymous members without end end too. */
		if (++gather->builder->visited > MAX_VISITS)
			return fail_type(gather->builder, E2BIG, type->id, "has too many members");
		int result = place_member(gather, type, &member, offset, depth);
		if (result)
			return result;
	}
	return 0;
}

static int make_opaque(struct layout_builder *builder, uint32_t size, struct made *out)
{
	*out = (struct made){.node = ebpf_layout_node(builder), .tree = 1, .values = 1};
	if (!out->node)
		return builder->code;
	out->node->kind = EBPF_VALUE_BYTES;
	out->node->size = size;
	return 0;
}

static int place_variable(struct gather *gather, const struct ebpf_type *section, uint32_t index, uint32_t offset, unsigned depth)
{
	const struct ebpf_btf *btf = gather->builder->btf;
	struct ebpf_secinfo info = ebpf_type_secinfo(section, index);
	struct ebpf_type variable;
	struct made made;
	int result;

	if (!ebpf_btf_type(btf, info.type, &variable) || variable.kind != BTF_KIND_VAR || !*variable.name)
		return 0; /* a function of .ksyms */
	struct ebpf_member member = {.name = variable.name, .type = variable.type};
	result = claim_name(gather, variable.name);
	if (result <= 0)
		return result;
	/* "extern const void x" has bytes but no layout. */
	if (ebpf_btf_sizeof(btf, variable.type) == -EINVAL)
		result = make_opaque(gather->builder, info.size, &made);
	else
		result = make(gather->builder, variable.type, depth + 1, &made);
	if (result)
		return result;
	uint32_t size = made.node->size > info.size ? made.node->size : info.size;
	if ((uint64_t)offset + size > gather->self->node->size)
		return fail_member(gather, section, &member, "lies outside of its section");
	ebpf_layout_count(gather->self, &made, 1);
	return add_field(gather, &(struct ebpf_field){.name = variable.name, .layout = made.node, .offset = offset});
}

static int gather_variables(struct gather *gather, const struct ebpf_type *section, unsigned depth)
{
	const uint32_t *offsets = section->id == gather->builder->section_id ? gather->builder->section_offsets : NULL;
	if (!gather->self->node->size && section->vlen) {
		int result = fail_type(gather->builder, EINVAL, section->id, "has no sizes yet");
		ebpf_hint(gather->builder->err, "the compiler leaves sizes and offsets of a section to the loader");
		return result;
	}
	for (uint32_t i = 0; i < section->vlen; i++) {
		if (++gather->builder->visited > MAX_VISITS)
			return fail_type(gather->builder, E2BIG, section->id, "has too many variables");
		int result = place_variable(gather, section, i, offsets ? offsets[i] : ebpf_type_secinfo(section, i).offset, depth);
		if (result)
			return result;
	}
	return 0;
}

/* Moves the fields and their names into the layout's memory. */
static int store_fields(struct gather *gather)
{
	struct ebpf_layout *node = gather->self->node;
	struct ebpf_field *fields = ebpf_layout_arena(gather->builder, gather->count * sizeof(*fields));
	if (!fields)
		return gather->builder->code;
	for (size_t i = 0; i < gather->count; i++) {
		fields[i] = gather->fields[i];
		if (!(fields[i].name = ebpf_layout_string(gather->builder, fields[i].name)))
			return gather->builder->code;
	}
	node->fields = fields;
	node->count = gather->count;
	return 0;
}

static int make_struct(struct layout_builder *builder, const struct ebpf_type *type, unsigned depth, struct made *self)
{
	struct gather gather = {.builder = builder, .self = self};
	int result;

	self->node->kind = type->kind == BTF_KIND_UNION ? EBPF_VALUE_UNION : EBPF_VALUE_STRUCT;
	self->node->size = type->size;
	if (type->kind == BTF_KIND_DATASEC) {
		if (builder->section_size && builder->section_id == type->id)
			self->node->size = builder->section_size;
		result = gather_variables(&gather, type, depth);
	} else {
		result = lift_members(&gather, type, 0, depth);
	}
	if (!result)
		result = store_fields(&gather);
	free(gather.fields);
	ebpf_table_free(&gather.names);
	return result;
}

/* -- any type -- */

void ebpf_layout_count(struct made *self, const struct made *child, uint64_t times)
{
	/* Saturating: all that matters is whether they end up beyond the bounds, which are far below. */
	uint64_t values;
	if (__builtin_mul_overflow(child->values, times, &values) || __builtin_add_overflow(self->values, values, &self->values))
		self->values = UINT64_MAX;
	self->tree += child->tree;
	if (self->tree > MAX_NODES)
		self->tree = MAX_NODES + 1;
	if (child->height + 1 > self->height)
		self->height = child->height + 1;
}

static const char *name_node(struct layout_builder *builder, uint32_t id)
{
	struct ebpf_buffer text = {0};
	struct ebpf_type type;
	const char *name = NULL;
	if (ebpf_btf_type(builder->btf, id, &type) && !*type.name &&
	    (is_struct(&type) || type.kind == BTF_KIND_ENUM || type.kind == BTF_KIND_ENUM64))
		return "";
	ebpf_btf_write_name(builder->btf, id, &text);
	if (text.failed)
		builder->code = ebpf_fail_memory(builder->err);
	else
		name = ebpf_layout_string(builder, text.data ? text.data : "");
	ebpf_buffer_free(&text);
	return name;
}

static int fill_node(struct layout_builder *builder, uint32_t id, unsigned depth, struct made *self)
{
	struct ebpf_type type;
	if (!(self->node->name = name_node(builder, id)))
		return builder->code;
	if (!ebpf_btf_type(builder->btf, ebpf_btf_resolve(builder->btf, id), &type))
		return fail_type(builder, EINVAL, id, "is not there");
	switch (type.kind) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
		make_scalar(self->node, &type);
		if (self->node->kind == EBPF_VALUE_INT && type.size > 1)
			self->node->order = declared_order(builder->btf, id);
		return 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return make_enum(builder, self->node, &type);
	case BTF_KIND_PTR:
		self->node->kind = EBPF_VALUE_POINTER;
		self->node->size = ebpf_btf_pointer_size(builder->btf);
		return 0;
	case BTF_KIND_ARRAY:
		return make_array(builder, &type, depth, self);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
		return make_struct(builder, &type, depth, self);
	default:
		return fail_type(builder, EINVAL, id, "has no size");
	}
}

static int make(struct layout_builder *builder, uint32_t id, unsigned depth, struct made *out)
{
	int result;
	id = ebpf_btf_skip_modifiers(builder->btf, id);
	if (!id)
		return ebpf_fail(builder->err, EINVAL, "layout: void has no size");
	if (depth > BTF_MAX_DEPTH)
		return fail_type(builder, E2BIG, id, "is nested too deeply");
	struct memo *memo = get_memo(builder, id);
	if (!memo)
		return ebpf_fail_memory(builder->err);
	if (!memo->made.fresh) {
		*out = memo->made;
		if (!out->node)
			return fail_type(builder, EINVAL, id, "contains itself");
		return depth + out->height > BTF_MAX_DEPTH ? fail_type(builder, E2BIG, id, "is nested too deeply") : 0;
	}
	memo->made.fresh = false;
	*out = (struct made){.node = ebpf_layout_node(builder), .tree = 1, .values = 1};
	if (!out->node)
		return builder->code;
	result = fill_node(builder, id, depth, out);
	if (result)
		return result;
	if (out->tree > MAX_NODES)
		return fail_type(builder, E2BIG, id, "has too many parts");
	find_memo(builder->memos, builder->memo_capacity, id)->made = *out; /* the table may have grown meanwhile */
	return 0;
}

int ebpf_layout_make(struct layout_builder *builder, uint32_t id, unsigned depth, struct made *out)
{
	return make(builder, id, depth, out);
}

int ebpf_layout_check(struct layout_builder *builder, const struct made *made)
{
	if (made->values > MAX_VALUES_BASE + 16 * (uint64_t)made->node->size)
		return ebpf_fail(builder->err, E2BIG, "layout: a value of %u bytes would decode to %llu parts", made->node->size,
		                 (unsigned long long)made->values);
	return 0;
}

static struct ebpf_layout *from_type(struct layout_builder *builder, uint32_t id)
{
	struct ebpf_type type;
	struct made made;

	/* A variable's layout is that of what it holds. */
	if (ebpf_btf_type(builder->btf, id, &type) && type.kind == BTF_KIND_VAR)
		id = type.type;
	int result = ebpf_layout_make(builder, id, 0, &made);
	if (!result)
		result = ebpf_layout_check(builder, &made);
	return ebpf_layout_finish(builder, !result);
}

struct ebpf_layout *ebpf_layout_from_btf(const struct ebpf_btf *btf, uint32_t type_id, struct ebpf_error *err)
{
	struct layout_builder builder = {.btf = btf, .err = err};
	if (type_id >= btf->count) {
		ebpf_fail(err, EINVAL, "layout: there is no type %u", type_id);
		return NULL;
	}
	return from_type(&builder, type_id);
}

struct ebpf_layout *ebpf_layout_from_datasec(const struct ebpf_btf *btf, uint32_t id, const uint32_t *offsets, uint32_t size,
                                             struct ebpf_error *err)
{
	struct layout_builder builder = {
	        .btf = btf, .err = err, .section_id = id, .section_offsets = offsets, .section_size = size};
	struct ebpf_type type;
	if (!ebpf_btf_type(btf, id, &type) || type.kind != BTF_KIND_DATASEC) {
		ebpf_fail(err, EINVAL, "layout: type %u is not a data section", id);
		return NULL;
	}
	return from_type(&builder, id);
}
