/* spec.c -- the Spec and its editable parts: spec.maps.events.max_entries = 1 << 20.
 *
 * A part is a userdata that points into the Spec and keeps it alive; its fields are rows of a table. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

/* parts by address, so that they have an identity; programs that a part refers to */
enum { PARTS = 1, KEPT, SPEC_USER_VALUES = KEPT };

struct ebpf_spec *binding_check_spec(lua_State *L, int index)
{
	return *(struct ebpf_spec **)binding_check(L, index, CLASS_SPEC);
}

/* -- parts -- */

#define CLASS_MAP_SPEC "ebpf.map_spec"
#define CLASS_PROGRAM_SPEC "ebpf.program_spec"
#define CLASS_VARIABLE_SPEC "ebpf.variable_spec"
#define CLASS_FUNCTION_SPEC "ebpf.function_spec"

struct part {
	void *object;            /* struct ebpf_map_spec, ... */
	struct ebpf_spec **spec; /* in the Spec's userdata, user value 1 */
	const struct field *fields;
};
enum type { U32, U64, BOOL, TEXT, SIZE, MAP_TYPE, PROGRAM_TYPE, MAP_FLAGS, PROGRAM_FLAGS, LOG_LEVEL, CUSTOM };
struct field {
	const char *name;
	enum type type;
	size_t offset;
	bool writable;
	void (*get)(lua_State *L, const struct part *part);       /* CUSTOM: pushes one value; the part is at 1 */
	void (*set)(lua_State *L, const struct part *part);       /* CUSTOM: the value is at 3; NULL = read only */
};

static struct part *check_part(lua_State *L, int index, const char *class_name)
{
	struct part *part = luaL_checkudata(L, index, class_name);

	if (!*part->spec)
		luaL_error(L, "spec is closed");
	return part;
}

static const struct field *find_field(const struct part *part, const char *name)
{
	for (const struct field *field = part->fields; field->name; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

static int get_field(lua_State *L, const struct part *part, const struct field *field)
{
	const void *at = (const char *)part->object + field->offset;

	switch (field->type) {
	case U32:
	case MAP_FLAGS:
	case PROGRAM_FLAGS:
	case LOG_LEVEL: lua_pushinteger(L, *(const uint32_t *)at); break;
	case U64: lua_pushinteger(L, (lua_Integer)*(const uint64_t *)at); break;
	case SIZE: lua_pushinteger(L, (lua_Integer)*(const size_t *)at); break;
	case BOOL: lua_pushboolean(L, *(const bool *)at); break;
	case TEXT: lua_pushstring(L, *(char *const *)at); break;
	case MAP_TYPE: binding_push_enum(L, EBPF_MAP_TYPE, *(const uint32_t *)at); break;
	case PROGRAM_TYPE: binding_push_enum(L, EBPF_PROGRAM_TYPE, *(const uint32_t *)at); break;
	case CUSTOM: field->get(L, part); break;
	}
	return 1;
}

/* The value is at stack index 3. */
static void set_field(lua_State *L, const struct part *part, const struct field *field)
{
	void *at = (char *)part->object + field->offset;

	switch (field->type) {
	case U32: *(uint32_t *)at = (uint32_t)binding_to_integer(L, 3, UINT32_MAX, field->name); break;
	case U64: *(uint64_t *)at = binding_to_integer(L, 3, UINT64_MAX, field->name); break;
	case MAP_TYPE: *(uint32_t *)at = binding_to_enum(L, 3, EBPF_MAP_TYPE, field->name); break;
	case PROGRAM_TYPE: *(uint32_t *)at = binding_to_enum(L, 3, EBPF_PROGRAM_TYPE, field->name); break;
	case MAP_FLAGS: *(uint32_t *)at = binding_to_map_flags(L, 3); break;
	case PROGRAM_FLAGS: *(uint32_t *)at = binding_to_flags(L, 3, ebpf_program_flag, field->name); break;
	case LOG_LEVEL: *(uint32_t *)at = binding_to_flags(L, 3, ebpf_log_level, field->name); break;
	case CUSTOM: field->set(L, part); break;
	case BOOL:
		if (!lua_isboolean(L, 3))
			luaL_error(L, "%s: boolean expected, got %s", field->name, luaL_typename(L, 3));
		*(bool *)at = lua_toboolean(L, 3);
		break;
	case TEXT:
	case SIZE: break; /* never writable */
	}
}

/* What is known, for the message: all fields, or those that can be set. */
static const char *push_field_names(lua_State *L, const struct part *part, bool writable)
{
	luaL_Buffer text;
	const char *comma = "";

	luaL_buffinit(L, &text);
	for (const struct field *field = part->fields; field->name; field++) {
		if (writable && !field->writable)
			continue;
		luaL_addstring(&text, comma);
		luaL_addstring(&text, field->name);
		comma = ", ";
	}
	luaL_pushresult(&text);
	return lua_tostring(L, -1);
}

static struct part *check_any_part(lua_State *L, int index)
{
	static const char *const classes[] = { CLASS_MAP_SPEC, CLASS_PROGRAM_SPEC, CLASS_VARIABLE_SPEC, CLASS_FUNCTION_SPEC };

	for (int i = 0; i < 3; i++)
		if (luaL_testudata(L, index, classes[i]))
			return check_part(L, index, classes[i]);
	return check_part(L, index, classes[3]);
}

/* Upvalue 1: methods. */
static int l_part_index(lua_State *L)
{
	struct part *part = check_any_part(L, 1);

	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	const char *name = luaL_checkstring(L, 2);
	const struct field *field = find_field(part, name);

	if (!field)
		return luaL_error(L, "unknown field '%s' (known: %s)", name, push_field_names(L, part, false));
	return get_field(L, part, field);
}

static int l_part_newindex(lua_State *L)
{
	struct part *part = check_any_part(L, 1);
	const char *name = luaL_checkstring(L, 2);
	const struct field *field = find_field(part, name);

	if (!field)
		return luaL_error(L, "unknown field '%s' (known: %s)", name, push_field_names(L, part, false));
	if (!field->writable)
		return luaL_error(L, "field '%s' cannot be set (can be: %s)", name, push_field_names(L, part, true));
	set_field(L, part, field);
	return 0;
}

static int l_part_tostring(lua_State *L)
{
	struct part *part = lua_touserdata(L, 1);

	if (*part->spec)
		get_field(L, part, find_field(part, "name"));
	else
		lua_pushliteral(L, "(closed)");
	luaL_getmetafield(L, 1, "__name");
	lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), lua_tostring(L, -2));
	return 1;
}

/* Pushes the part for an object of the Spec at `spec`, the same one each time. */
static void push_part(lua_State *L, int spec, void *object, const struct field *fields, const char *class_name)
{
	lua_getiuservalue(L, spec, PARTS);
	if (lua_rawgetp(L, -1, object) == LUA_TNIL) {
		lua_pop(L, 1);
		struct part *part = binding_new(L, sizeof(*part), 1, class_name);

		*part = (struct part){ object, lua_touserdata(L, spec), fields };
		lua_pushvalue(L, spec);
		lua_setiuservalue(L, -2, 1);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, -3, object);
	}
	lua_remove(L, -2);
}

/* -- maps -- */

static void push_type_name(lua_State *L, const struct part *part, uint32_t id)
{
	const struct ebpf_btf *btf = (*part->spec)->btf;
	const struct binding_codec *codec = btf && id ? binding_codec_push_id(L, btf, id, 0) : NULL;

	if (codec)
		lua_pushstring(L, binding_codec_name(codec));
	else
		lua_pushnil(L);
}

static void get_map_key(lua_State *L, const struct part *part)
{
	push_type_name(L, part, ((struct ebpf_map_spec *)part->object)->key_type_id);
}

static void get_map_value(lua_State *L, const struct part *part)
{
	push_type_name(L, part, ((struct ebpf_map_spec *)part->object)->value_type_id);
}

/* The type itself, of spec.btf; nil when it is not known. */
static void push_type(lua_State *L, const struct part *part, uint32_t id)
{
	struct ebpf_btf *btf = (*part->spec)->btf;

	if (!btf || !id) {
		lua_pushnil(L);
		return;
	}
	binding_push_btf(L, btf);
	binding_push_type(L, -1, id);
}

static void get_map_key_type(lua_State *L, const struct part *part)
{
	push_type(L, part, ((struct ebpf_map_spec *)part->object)->key_type_id);
}

static void get_map_value_type(lua_State *L, const struct part *part)
{
	push_type(L, part, ((struct ebpf_map_spec *)part->object)->value_type_id);
}

/* A C name, a type object of spec.btf, or an id. */
static void set_map_value(lua_State *L, const struct part *part)
{
	const struct ebpf_btf *btf = (*part->spec)->btf;

	if (!btf)
		luaL_error(L, "value: the object has no types");
	int64_t id = binding_to_type_id(L, btf, 3);

	if (id < 0 || ebpf_map_spec_set_value_type(part->object, (uint32_t)id, binding_error(L)) < 0)
		binding_raise(L);
}

static void get_value_size(lua_State *L, const struct part *part)
{
	lua_pushinteger(L, ((struct ebpf_map_spec *)part->object)->value_size);
}

static void set_value_size(lua_State *L, const struct part *part)
{
	uint32_t size = (uint32_t)binding_to_integer(L, 3, UINT32_MAX, "value_size");

	if (ebpf_map_spec_set_value_size(part->object, size, binding_error(L)) < 0)
		binding_raise(L);
}

static void get_map_data(lua_State *L, const struct part *part)
{
	const struct ebpf_map_spec *map = part->object;

	if (map->data)
		lua_pushlstring(L, (const char *)map->data, map->value_size);
	else
		lua_pushnil(L);
}

static void set_map_data(lua_State *L, const struct part *part)
{
	struct ebpf_map_spec *map = part->object;
	size_t size;
	const char *data = luaL_checklstring(L, 3, &size);

	if (!map->data)
		luaL_error(L, "data: map '%s' has no initial bytes", map->name);
	if (size != map->value_size)
		luaL_error(L, "data: %d bytes expected, got %d", (int)map->value_size, (int)size);
	memcpy(map->data, data, size);
}

static void push_tags(lua_State *L, const char *const *tags, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushstring(L, tags[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void get_map_tags(lua_State *L, const struct part *part)
{
	const struct ebpf_map_spec *map = part->object;

	push_tags(L, map->tags, map->tag_count);
}

static void get_map_fields(lua_State *L, const struct part *part)
{
	lua_getiuservalue(L, 1, 1);
	binding_push_fields(L, -1, part->object);
}

static void get_inner(lua_State *L, const struct part *part);
static void set_inner(lua_State *L, const struct part *part);

#define AT(member) offsetof(struct ebpf_map_spec, member)
static const struct field map_fields[] = {
	{ "name", TEXT, AT(name), false, NULL, NULL },
	{ "type", MAP_TYPE, AT(type), true, NULL, NULL },
	{ "key_size", U32, AT(key_size), true, NULL, NULL },
	{ "value_size", CUSTOM, 0, true, get_value_size, set_value_size },
	{ "max_entries", U32, AT(max_entries), true, NULL, NULL },
	{ "flags", MAP_FLAGS, AT(flags), true, NULL, NULL },
	{ "numa_node", U32, AT(numa_node), true, NULL, NULL },
	{ "map_extra", U64, AT(map_extra), true, NULL, NULL },
	{ "pin_by_name", BOOL, AT(pin_by_name), true, NULL, NULL },
	{ "autocreate", BOOL, AT(autocreate), true, NULL, NULL },
	{ "autoattach", BOOL, AT(autoattach), true, NULL, NULL },
	{ "frozen", BOOL, AT(frozen), true, NULL, NULL },
	{ "section", TEXT, AT(section), false, NULL, NULL },
	{ "key", CUSTOM, 0, false, get_map_key, NULL },
	{ "key_type", CUSTOM, 0, false, get_map_key_type, NULL },
	{ "value", CUSTOM, 0, true, get_map_value, set_map_value },
	{ "value_type", CUSTOM, 0, false, get_map_value_type, NULL },
	{ "data", CUSTOM, 0, true, get_map_data, set_map_data },
	{ "inner", CUSTOM, 0, true, get_inner, set_inner },
	{ "fields", CUSTOM, 0, false, get_map_fields, NULL },
	{ "tags", CUSTOM, 0, false, get_map_tags, NULL },
	{ NULL, U32, 0, false, NULL, NULL },
};
#undef AT

static void get_inner(lua_State *L, const struct part *part)
{
	const struct ebpf_map_spec *map = part->object;

	if (!map->inner) {
		lua_pushnil(L);
		return;
	}
	lua_getiuservalue(L, 1, 1);
	push_part(L, lua_gettop(L), map->inner, map_fields, CLASS_MAP_SPEC);
}

/* Another map of the Spec, which inner maps are to be like; or nil. */
static void set_inner(lua_State *L, const struct part *part)
{
	struct ebpf_map_spec *map = part->object;
	const struct part *inner = lua_isnil(L, 3) ? NULL : check_part(L, 3, CLASS_MAP_SPEC);

	if (inner && (inner->spec != part->spec || inner->object == map))
		luaL_error(L, "inner: another map of the same spec expected");
	map->inner = inner ? inner->object : NULL;
}

/* -- programs -- */

static void get_section(lua_State *L, const struct part *part)
{
	lua_pushstring(L, ((struct ebpf_program_spec *)part->object)->section);
}

static void set_section(lua_State *L, const struct part *part)
{
	if (ebpf_program_spec_set_section(part->object, binding_to_string(L, 3, "section"), binding_error(L)) < 0)
		binding_raise(L);
}

static void get_attach_type(lua_State *L, const struct part *part)
{
	const struct ebpf_program_spec *program = part->object;

	binding_push_attach_type(L, program->type, program->attach_type);
}

static void set_attach_type(lua_State *L, const struct part *part)
{
	struct ebpf_program_spec *program = part->object;

	program->attach_type = binding_to_enum(L, 3, EBPF_ATTACH_TYPE, "attach_type");
}

static void get_attach_to(lua_State *L, const struct part *part)
{
	lua_pushstring(L, ((struct ebpf_program_spec *)part->object)->attach_to);
}

/* The section with another target behind its slash. */
static void set_attach_to(lua_State *L, const struct part *part)
{
	struct ebpf_program_spec *program = part->object;
	const char *target = binding_to_string(L, 3, "attach_to");
	size_t whole = program->section ? strlen(program->section) : 0, tail = program->attach_to ? strlen(program->attach_to) : 0;

	if (tail && tail < whole && strcmp(program->section + whole - tail, program->attach_to) == 0)
		lua_pushlstring(L, program->section, whole - tail);
	else
		lua_pushfstring(L, "%s/", program->section ? program->section : "");
	lua_pushfstring(L, "%s%s", lua_tostring(L, -1), target);
	if (ebpf_program_spec_set_section(program, lua_tostring(L, -1), binding_error(L)) < 0)
		binding_raise(L);
}

static void get_attach_target(lua_State *L, const struct part *part)
{
	lua_pushinteger(L, ((struct ebpf_program_spec *)part->object)->attach_target_fd);
}

/* A program, which the Spec then keeps alive, or a descriptor. */
static void set_attach_target(lua_State *L, const struct part *part)
{
	struct ebpf_program_spec *program = part->object;

	if (lua_type(L, 3) == LUA_TUSERDATA) {
		program->attach_target_fd = ebpf_program_fd(binding_check_program(L, 3));
		lua_getiuservalue(L, 1, 1);
		lua_getiuservalue(L, -1, KEPT);
		lua_pushvalue(L, 3);
		lua_rawsetp(L, -2, program);
	} else {
		program->attach_target_fd = (int)binding_to_integer(L, 3, INT32_MAX, "attach_target");
	}
}

static void get_license(lua_State *L, const struct part *part)
{
	const struct ebpf_program_spec *program = part->object;

	lua_pushstring(L, program->license ? program->license : (*part->spec)->license);
}

static void get_program_tags(lua_State *L, const struct part *part)
{
	const struct ebpf_program_spec *program = part->object;

	push_tags(L, program->tags, program->tag_count);
}

#define AT(member) offsetof(struct ebpf_program_spec, member)
static const struct field program_fields[] = {
	{ "name", TEXT, AT(name), false, NULL, NULL },
	{ "section", CUSTOM, 0, true, get_section, set_section },
	{ "type", PROGRAM_TYPE, AT(type), true, NULL, NULL },
	{ "attach_type", CUSTOM, 0, true, get_attach_type, set_attach_type },
	{ "attach_to", CUSTOM, 0, true, get_attach_to, set_attach_to },
	{ "attach_target", CUSTOM, 0, true, get_attach_target, set_attach_target },
	{ "flags", PROGRAM_FLAGS, AT(flags), true, NULL, NULL },
	{ "ifindex", U32, AT(ifindex), true, NULL, NULL },
	{ "autoload", BOOL, AT(autoload), true, NULL, NULL },
	{ "autoattach", BOOL, AT(autoattach), true, NULL, NULL },
	{ "optional", BOOL, AT(optional), true, NULL, NULL },
	{ "log_level", LOG_LEVEL, AT(log_level), true, NULL, NULL },
	{ "instructions", SIZE, AT(insn_count), false, NULL, NULL },
	{ "license", CUSTOM, 0, false, get_license, NULL },
	{ "tags", CUSTOM, 0, false, get_program_tags, NULL },
	{ NULL, U32, 0, false, NULL, NULL },
};
#undef AT

/* -- variables -- */

static void get_variable_type(lua_State *L, const struct part *part)
{
	push_type_name(L, part, ((struct ebpf_variable_spec *)part->object)->type_id);
}

static void get_variable_tags(lua_State *L, const struct part *part)
{
	const struct ebpf_variable_spec *variable = part->object;

	push_tags(L, variable->tags, variable->tag_count);
}

static void get_variable_value_type(lua_State *L, const struct part *part)
{
	push_type(L, part, ((struct ebpf_variable_spec *)part->object)->type_id);
}

#define AT(member) offsetof(struct ebpf_variable_spec, member)
static const struct field variable_fields[] = {
	{ "name", TEXT, AT(name), false, NULL, NULL },
	{ "section", TEXT, AT(section), false, NULL, NULL },
	{ "offset", U32, AT(offset), false, NULL, NULL },
	{ "size", U32, AT(size), false, NULL, NULL },
	{ "read_only", BOOL, AT(read_only), false, NULL, NULL },
	{ "type", CUSTOM, 0, false, get_variable_type, NULL },
	{ "tags", CUSTOM, 0, false, get_variable_tags, NULL },
	{ "value_type", CUSTOM, 0, false, get_variable_value_type, NULL },
	{ NULL, U32, 0, false, NULL, NULL },
};
#undef AT

/* Pushes codec and names. Raises when the type cannot be laid out. */
static const struct binding_codec *push_variable_codec(lua_State *L, const struct ebpf_spec *spec,
						       const struct ebpf_variable_spec *variable)
{
	const struct binding_codec *codec = NULL;

	if (spec->btf && variable->type_id)
		codec = binding_codec_push_id(L, spec->btf, variable->type_id, variable->size);
	if (!codec || !binding_codec_takes(codec, variable->size)) /* an incomplete array, or no types: plain bytes */
		codec = binding_codec_push_bytes(L, variable->size, spec->big_endian);
	lua_getiuservalue(L, -1, 1);
	luaL_checkstack(L, binding_codec_depth(codec), "value nested too deeply");
	return codec;
}

static void *variable_data(lua_State *L, struct ebpf_variable_spec *variable)
{
	void *data = ebpf_variable_spec_data(variable);

	if (!data)
		luaL_error(L, "variable '%s' has no initial bytes", variable->name);
	return data;
}

static int l_variable_get(lua_State *L)
{
	struct part *part = check_part(L, 1, CLASS_VARIABLE_SPEC);
	struct ebpf_variable_spec *variable = part->object;
	const struct binding_codec *codec = push_variable_codec(L, *part->spec, variable);
	void *copy = lua_newuserdatauv(L, variable->size + 1, 0);

	check_part(L, 1, CLASS_VARIABLE_SPEC); /* collecting garbage may have run a finalizer that closed the Spec */
	memcpy(copy, variable_data(L, variable), variable->size);
	binding_decode_record(L, codec, lua_gettop(L) - 1, copy, variable->size);
	return 1;
}

static void set_variable(lua_State *L, struct ebpf_spec **owner, struct ebpf_variable_spec *variable, int index)
{
	const struct binding_codec *codec = push_variable_codec(L, *owner, variable);
	int names = lua_gettop(L);
	void *copy = lua_newuserdatauv(L, variable->size + 1, 0); /* a refused value must leave the old one whole */

	binding_encode_record(L, codec, names, index, copy, variable->size, variable->name);
	if (!*owner)
		luaL_error(L, "spec is closed");
	memcpy(variable_data(L, variable), copy, variable->size);
}

static int l_variable_set(lua_State *L)
{
	struct part *part = check_part(L, 1, CLASS_VARIABLE_SPEC);

	luaL_checkany(L, 2);
	lua_settop(L, 2);
	set_variable(L, part->spec, part->object, 2);
	return 0;
}

void binding_set_variable(lua_State *L, int spec, const char *name, int index)
{
	struct ebpf_spec **owner = binding_check(L, spec, CLASS_SPEC);
	struct ebpf_variable_spec *variable = ebpf_spec_find_variable(*owner, name);
	int top = lua_gettop(L);

	index = lua_absindex(L, index);
	if (!variable)
		luaL_error(L, "no variable '%s' in '%s'", name, (*owner)->name);
	set_variable(L, owner, variable, index);
	lua_settop(L, top);
}

/* -- functions -- */

static void get_function_name(lua_State *L, const struct part *part)
{
	lua_pushstring(L, ebpf_function_name(part->object));
}

static void get_function_section(lua_State *L, const struct part *part)
{
	lua_pushstring(L, ebpf_function_section(part->object));
}

static void get_global(lua_State *L, const struct part *part)
{
	lua_pushboolean(L, ebpf_function_is_global(part->object));
}

static void get_insn_count(lua_State *L, const struct part *part)
{
	size_t count;

	ebpf_function_insns(part->object, &count);
	lua_pushinteger(L, (lua_Integer)count);
}

static void get_prototype(lua_State *L, const struct part *part)
{
	size_t size = ebpf_function_prototype(*part->spec, part->object, NULL, 0);
	luaL_Buffer buffer;

	if (!size) {
		lua_pushnil(L);
		return;
	}
	char *text = luaL_buffinitsize(L, &buffer, size + 1);

	if (*part->spec) /* making room may have run a finalizer that closed the Spec */
		ebpf_function_prototype(*part->spec, part->object, text, size + 1);
	else
		memset(text, 0, size);
	luaL_pushresultsize(&buffer, size);
}

static const struct field function_fields[] = {
	{ "name", CUSTOM, 0, false, get_function_name, NULL },
	{ "section", CUSTOM, 0, false, get_function_section, NULL },
	{ "global", CUSTOM, 0, false, get_global, NULL },
	{ "prototype", CUSTOM, 0, false, get_prototype, NULL },
	{ "insn_count", CUSTOM, 0, false, get_insn_count, NULL },
	{ NULL, U32, 0, false, NULL, NULL },
};

/* function:instructions() -> list, or nil, err, errno */
static int l_function_instructions(lua_State *L)
{
	struct ebpf_block **block;
	struct part *part;

	check_part(L, 1, CLASS_FUNCTION_SPEC);
	block = binding_new_block(L);
	part = check_part(L, 1, CLASS_FUNCTION_SPEC); /* making the handle may have run a finalizer that closed the Spec */
	if (ebpf_function_block(*part->spec, part->object, block, binding_error(L)) < 0)
		return binding_fail(L);
	binding_push_instructions(L, *block);
	return 1;
}

/* function:relocations() -> { [slot] = what CO-RE does there, for people } */
static int l_function_relocations(lua_State *L)
{
	struct part *part = check_part(L, 1, CLASS_FUNCTION_SPEC);
	char text[512];
	uint32_t insn;

	lua_newtable(L);
	for (size_t i = 0; *part->spec && ebpf_function_get_core(*part->spec, part->object, i, &insn, text, sizeof(text)); i++) {
		lua_pushstring(L, text);
		lua_rawseti(L, -2, insn);
	}
	return 1;
}

/* -- lists -- */

static size_t map_count(const void *spec) { return ((const struct ebpf_spec *)spec)->map_count; }
static size_t program_count(const void *spec) { return ((const struct ebpf_spec *)spec)->program_count; }
static size_t function_count(const void *spec)
{
	size_t count = 0;

	while (ebpf_spec_function(spec, count))
		count++;
	return count;
}
static const char *function_name(const void *spec, size_t i) { return ebpf_function_name(ebpf_spec_function(spec, i)); }
static size_t variable_count(const void *spec) { return ((const struct ebpf_spec *)spec)->variable_count; }
static const char *map_name(const void *spec, size_t i) { return ((const struct ebpf_spec *)spec)->maps[i]->name; }
static const char *map_section(const void *spec, size_t i) { return ((const struct ebpf_spec *)spec)->maps[i]->section; }
static const char *program_name(const void *spec, size_t i) { return ((const struct ebpf_spec *)spec)->programs[i]->name; }
static const char *program_section(const void *spec, size_t i) { return ((const struct ebpf_spec *)spec)->programs[i]->section; }
static const char *variable_name(const void *spec, size_t i) { return ((const struct ebpf_spec *)spec)->variables[i]->name; }

static void push_map(lua_State *L, int spec, size_t i)
{
	push_part(L, spec, binding_check_spec(L, spec)->maps[i], map_fields, CLASS_MAP_SPEC);
}

static void push_program(lua_State *L, int spec, size_t i)
{
	push_part(L, spec, binding_check_spec(L, spec)->programs[i], program_fields, CLASS_PROGRAM_SPEC);
}

static void push_variable(lua_State *L, int spec, size_t i)
{
	push_part(L, spec, binding_check_spec(L, spec)->variables[i], variable_fields, CLASS_VARIABLE_SPEC);
}

static void push_function(lua_State *L, int spec, size_t i)
{
	push_part(L, spec, ebpf_spec_function(binding_check_spec(L, spec), i), function_fields, CLASS_FUNCTION_SPEC);
}

static int l_spec_maps(lua_State *L)
{
	static const struct binding_list list = { CLASS_SPEC, map_count, map_name, map_section, push_map };

	binding_check_spec(L, 1);
	binding_push_list(L, 1, &list);
	return 1;
}

static int l_spec_programs(lua_State *L)
{
	static const struct binding_list list = { CLASS_SPEC, program_count, program_name, program_section, push_program };

	binding_check_spec(L, 1);
	binding_push_list(L, 1, &list);
	return 1;
}

static int l_spec_variables(lua_State *L)
{
	static const struct binding_list list = { CLASS_SPEC, variable_count, variable_name, NULL, push_variable };

	binding_check_spec(L, 1);
	binding_push_list(L, 1, &list);
	return 1;
}

static int l_spec_functions(lua_State *L)
{
	static const struct binding_list list = { CLASS_SPEC, function_count, function_name, NULL, push_function };

	binding_check_spec(L, 1);
	binding_push_list(L, 1, &list);
	return 1;
}

/* spec:variable_at(map's name, offset) -> name, offset into it; nil when there is none */
static int l_spec_variable_at(lua_State *L)
{
	const struct ebpf_spec *spec = binding_check_spec(L, 1);
	const struct ebpf_map_spec *map = ebpf_spec_find_map(spec, luaL_checkstring(L, 2));
	uint64_t offset = (uint64_t)luaL_checkinteger(L, 3);
	const struct ebpf_variable_spec *variable = map ? ebpf_spec_variable_at(spec, map, offset) : NULL;

	if (!variable) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushstring(L, variable->name);
	lua_pushinteger(L, (lua_Integer)(offset - variable->offset));
	return 2;
}

/* -- the Spec -- */

static struct ebpf_spec **push_spec(lua_State *L)
{
	struct ebpf_spec **spec = binding_new(L, sizeof(*spec), SPEC_USER_VALUES, CLASS_SPEC);

	lua_newtable(L);
	lua_setiuservalue(L, -2, PARTS);
	lua_newtable(L);
	lua_setiuservalue(L, -2, KEPT);
	return spec;
}

/* core.spec_file(path) -> spec */
static int l_spec_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct ebpf_spec **spec = push_spec(L);

	if (ebpf_policy_read_file(path, binding_error(L)) < 0)
		return binding_fail(L);
	return ebpf_spec_read_file(path, spec, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* core.spec_bytes(bytes [, name]) -> spec */
static int l_spec_bytes(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	const char *name = luaL_optstring(L, 2, NULL);
	struct ebpf_spec **spec = push_spec(L);

	return ebpf_spec_read(bytes, size, name, spec, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* What the core has malloc'ed, until Lua has its copy. */
#define CLASS_STRIPPED "ebpf.stripped"

static int stripped_gc(lua_State *L)
{
	void **stripped = luaL_checkudata(L, 1, CLASS_STRIPPED);

	free(*stripped);
	*stripped = NULL;
	return 0;
}

/* core.object_strip(bytes) -> bytes without debug information */
static int l_object_strip(lua_State *L)
{
	size_t size, stripped_size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	void **stripped = binding_new(L, sizeof(*stripped), 0, CLASS_STRIPPED);

	if (ebpf_object_strip(bytes, size, stripped, &stripped_size, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushlstring(L, *stripped, stripped_size);
	return 1;
}

/* core.spec_new([name]) -> an empty spec */
static int l_spec_new(lua_State *L)
{
	const char *name = luaL_optstring(L, 1, "");
	struct ebpf_spec **spec = push_spec(L);

	*spec = ebpf_spec_new(name, binding_error(L));
	return *spec ? 1 : binding_fail(L);
}

static int l_spec_close(lua_State *L)
{
	struct ebpf_spec **handle = luaL_checkudata(L, 1, CLASS_SPEC);
	struct ebpf_spec *spec = *handle;

	*handle = NULL;
	ebpf_spec_free(spec);
	return 0;
}

/* spec:add_program(name, type, block) -> its part; name nil: that of the function that the block begins
 * with, else the Spec's */
static int l_spec_add_program(lua_State *L)
{
	struct ebpf_spec *spec = binding_check_spec(L, 1);
	const char *name = luaL_optstring(L, 2, NULL);
	uint32_t type = binding_to_enum(L, 3, EBPF_PROGRAM_TYPE, "type");
	struct ebpf_block **block = binding_check(L, 4, CLASS_BLOCK);
	struct ebpf_program_spec *program;

	if (ebpf_spec_add_program(spec, name, type, *block, &program, binding_error(L)) < 0)
		return binding_fail(L);
	*block = NULL; /* consumed */
	push_part(L, 1, program, program_fields, CLASS_PROGRAM_SPEC);
	return 1;
}

/* spec:add_map(name) -> its part */
static int l_spec_add_map(lua_State *L)
{
	struct ebpf_spec *spec = binding_check_spec(L, 1);
	struct ebpf_map_spec *map;

	if (ebpf_spec_add_map(spec, luaL_checkstring(L, 2), &map, binding_error(L)) < 0)
		return binding_fail(L);
	push_part(L, 1, map, map_fields, CLASS_MAP_SPEC);
	return 1;
}

static int l_spec_name(lua_State *L)
{
	lua_pushstring(L, binding_check_spec(L, 1)->name);
	return 1;
}

static int l_spec_license(lua_State *L)
{
	lua_pushstring(L, binding_check_spec(L, 1)->license);
	return 1;
}

static int l_spec_set_license(lua_State *L)
{
	if (ebpf_spec_set_license(binding_check_spec(L, 1), binding_to_string(L, 2, "license"), binding_error(L)) < 0)
		return binding_raise(L);
	return 0;
}

static int l_spec_byteorder(lua_State *L)
{
	lua_pushstring(L, binding_check_spec(L, 1)->big_endian ? "big" : "little");
	return 1;
}

static int l_spec_btf(lua_State *L)
{
	binding_push_btf(L, binding_check_spec(L, 1)->btf);
	return 1;
}

static int l_spec_tostring(lua_State *L)
{
	struct ebpf_spec **handle = luaL_checkudata(L, 1, CLASS_SPEC);

	return binding_tostring(L, CLASS_SPEC, *handle ? (*handle)->name : "");
}

static const luaL_Reg methods[] = {
	{ "load", binding_spec_load }, { "add_program", l_spec_add_program }, { "add_map", l_spec_add_map },
	{ "variable_at", l_spec_variable_at }, { "close", l_spec_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "name", l_spec_name }, { "license", l_spec_license }, { "byteorder", l_spec_byteorder }, { "btf", l_spec_btf }, { "maps", l_spec_maps },
	{ "programs", l_spec_programs }, { "variables", l_spec_variables }, { "functions", l_spec_functions }, { NULL, NULL }
};
static const luaL_Reg setters[] = { { "license", l_spec_set_license }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_spec_tostring }, { "__close", l_spec_close }, { "__gc", l_spec_close }, { NULL, NULL }
};
static const luaL_Reg part_metamethods[] = { { "__newindex", l_part_newindex }, { "__tostring", l_part_tostring }, { NULL, NULL } };
static const luaL_Reg variable_methods[] = { { "get", l_variable_get }, { "set", l_variable_set }, { NULL, NULL } };
static const luaL_Reg function_methods[] = {
	{ "instructions", l_function_instructions }, { "relocations", l_function_relocations }, { NULL, NULL }
};
static const luaL_Reg stripped_metamethods[] = { { "__gc", stripped_gc }, { NULL, NULL } };
static const luaL_Reg functions[] = {
	{ "spec_file", l_spec_file }, { "spec_bytes", l_spec_bytes }, { "spec_new", l_spec_new }, { "object_strip", l_object_strip },
	{ NULL, NULL }
};

void binding_open_spec(lua_State *L)
{
	static const struct binding_class classes[] = {
		{ CLASS_SPEC, methods, properties, setters, metamethods, NULL },
		{ CLASS_MAP_SPEC, NULL, NULL, NULL, part_metamethods, l_part_index },
		{ CLASS_PROGRAM_SPEC, NULL, NULL, NULL, part_metamethods, l_part_index },
		{ CLASS_VARIABLE_SPEC, variable_methods, NULL, NULL, part_metamethods, l_part_index },
		{ CLASS_FUNCTION_SPEC, function_methods, NULL, NULL, part_metamethods, l_part_index },
		{ CLASS_STRIPPED, NULL, NULL, NULL, stripped_metamethods, NULL },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		binding_class_register(L, &classes[i]);
	luaL_setfuncs(L, functions, 0);
}
