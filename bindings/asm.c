/* asm.c -- assembly: lists of instruction tables, texts and machine code, to blocks and back.
 *
 * An instruction is a table of numbers, { code =, dst =, src =, off =, imm = }, made by lua/ebpf/asm.lua; a wide load
 * has `wide` instead of imm. What it names stands beside them: jump = "label", reference = { kind =, name =, addend = },
 * or map = a map's handle; where it came from, source = { text =, file =, number =, column = }; CO-RE, core = { kind =, type =, access = }. { label = "name" } names the next
 * instruction, { func = "prototype" } begins a function with it. A list may hold texts, and other lists. */
#include <string.h>

#include "binding.h"

enum { WIDE_LOAD = 0x18, PSEUDO_MAP_FD = 1, PSEUDO_MAP_VALUE = 2, NESTING = 64 };

static const char *const reference_kinds[] = {
	[EBPF_REF_MAP] = "map", [EBPF_REF_MAP_VALUE] = "map_value", [EBPF_REF_CALL] = "call",
	[EBPF_REF_FUNCTION] = "func", [EBPF_REF_EXTERN] = "extern", [EBPF_REF_VARIABLE] = "var", [EBPF_REF_JUMPS] = "jumps", NULL,
};

/* -- blocks -- */

static int l_block_close(lua_State *L)
{
	struct ebpf_block **handle = luaL_checkudata(L, 1, CLASS_BLOCK);
	struct ebpf_block *block = *handle;

	*handle = NULL;
	ebpf_block_free(block);
	return 0;
}

static int l_block_tostring(lua_State *L)
{
	return binding_tostring(L, CLASS_BLOCK, "finished");
}

struct ebpf_block **binding_new_block(lua_State *L)
{
	return binding_new(L, sizeof(struct ebpf_block *), 1, CLASS_BLOCK);
}

/* Pushes a new block's handle; NULL with binding_error() filled when there is no memory. User value 1: what it keeps
 * alive. */
static struct ebpf_block *push_block(lua_State *L)
{
	struct ebpf_block **handle = binding_new_block(L);

	*handle = ebpf_block_new();
	if (!*handle)
		luaL_error(L, "out of memory");
	return *handle;
}

/* -- from Lua -- */

struct builder {
	struct ebpf_block *block;
	int handle;        /* stack index of the block's handle */
	lua_Integer count; /* instructions so far, for messages */
};

/* A field of the instruction at `index`; nil is 0. Raises outside of the range. */
static lua_Integer field(lua_State *L, const struct builder *builder, int index, const char *name, lua_Integer lowest,
			 lua_Integer highest)
{
	lua_Integer value = 0;
	int exact = 1;

	if (lua_getfield(L, index, name) != LUA_TNIL)
		value = lua_tointegerx(L, -1, &exact);
	if (!exact)
		luaL_error(L, "instruction %I: %s: integer expected, got %s", builder->count + 1, name,
			   luaL_typename(L, -1));
	if (value < lowest || value > highest)
		luaL_error(L, "instruction %I: %s: %I does not fit (%I to %I)", builder->count + 1, name, value, lowest,
			   highest);
	lua_pop(L, 1);
	return value;
}

/* The name in a field of the table at `index`: pushed. Raises when it is none. */
static const char *name_field(lua_State *L, const struct builder *builder, int index, const char *name)
{
	if (lua_getfield(L, index, name) != LUA_TSTRING)
		luaL_error(L, "instruction %I: %s: string expected, got %s", builder->count + 1, name,
			   luaL_typename(L, -1));
	return lua_tostring(L, -1);
}

/* The descriptor of instruction.map, which the block's handle keeps alive. */
static lua_Integer map_field(lua_State *L, const struct builder *builder, int index)
{
	int fd;

	lua_getfield(L, index, "map");
	fd = binding_object_fd(L, -1);
	if (fd < 0)
		luaL_error(L, "instruction %I: map: map expected, got %s", builder->count + 1, luaL_typename(L, -1));
	if (lua_getiuservalue(L, builder->handle, 1) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, builder->handle, 1);
	}
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, luaL_len(L, -2) + 1);
	lua_pop(L, 2);
	return fd;
}

static int refer(lua_State *L, const struct builder *builder, int index)
{
	int table, kind = 0, result;

	if (lua_getfield(L, index, "reference") != LUA_TTABLE)
		luaL_error(L, "instruction %I: reference: table expected, got %s", builder->count + 1,
			   luaL_typename(L, -1));
	table = lua_gettop(L);
	const char *text = name_field(L, builder, table, "kind");

	while (reference_kinds[kind] && strcmp(reference_kinds[kind], text) != 0)
		kind++;
	if (!reference_kinds[kind])
		luaL_error(L, "instruction %I: unknown kind of reference '%s'", builder->count + 1, text);
	lua_Integer addend = field(L, builder, table, "addend", LUA_MININTEGER, LUA_MAXINTEGER);
	const char *name = name_field(L, builder, table, "name");

	result = ebpf_block_refer(builder->block, (enum ebpf_reference)kind, name, addend, binding_error(L));
	lua_settop(L, table - 1);
	return result;
}

static bool has_field(lua_State *L, int index, const char *name)
{
	bool has = lua_getfield(L, index, name) != LUA_TNIL;

	lua_pop(L, 1);
	return has;
}

/* Where the last instruction came from. */
static int add_line(lua_State *L, const struct builder *builder, int index)
{
	struct ebpf_source_line line = { 0 };
	int table, result;

	if (lua_getfield(L, index, "source") != LUA_TTABLE)
		luaL_error(L, "instruction %I: source: table expected, got %s", builder->count + 1, luaL_typename(L, -1));
	table = lua_gettop(L);
	line.number = (uint32_t)field(L, builder, table, "number", 0, UINT32_MAX);
	line.column = (uint32_t)field(L, builder, table, "column", 0, UINT32_MAX);
	if (has_field(L, table, "file"))
		line.file = name_field(L, builder, table, "file");
	line.text = name_field(L, builder, table, "text");
	result = ebpf_block_line(builder->block, &line, binding_error(L));
	lua_settop(L, table - 1);
	return result;
}

static int add_core(lua_State *L, const struct builder *builder, int index)
{
	int table, result;

	if (lua_getfield(L, index, "core") != LUA_TTABLE)
		luaL_error(L, "instruction %I: core: table expected, got %s", builder->count + 1, luaL_typename(L, -1));
	table = lua_gettop(L);
	const char *type = name_field(L, builder, table, "type"), *access = name_field(L, builder, table, "access");

	lua_getfield(L, table, "kind");
	uint32_t kind = binding_to_enum(L, -1, EBPF_CORE_RELOCATION, "core.kind");

	result = ebpf_block_core(builder->block, kind, type, access, binding_error(L));
	lua_settop(L, table - 1);
	return result;
}

/* Its imm may be given signed or unsigned: 32 bits. */
static int add_insn(lua_State *L, struct builder *builder, int index)
{
	struct ebpf_insn insn;
	int64_t wide = 0;
	int result;

	insn.code = (uint8_t)field(L, builder, index, "code", 0, UINT8_MAX);
	insn.dst = (uint8_t)field(L, builder, index, "dst", 0, 10) & 0xf;
	insn.src = (uint8_t)field(L, builder, index, "src", 0, 10) & 0xf;
	insn.off = (int16_t)field(L, builder, index, "off", INT16_MIN, INT16_MAX);
	insn.imm = (int32_t)field(L, builder, index, "imm", INT32_MIN, UINT32_MAX);
	if (insn.code == WIDE_LOAD)
		wide = field(L, builder, index, "wide", LUA_MININTEGER, LUA_MAXINTEGER);
	if (has_field(L, index, "map"))
		wide = (int64_t)(((uint64_t)wide & ~(uint64_t)UINT32_MAX) | (uint64_t)map_field(L, builder, index));
	result = ebpf_block_add(builder->block, insn, wide, binding_error(L));
	if (result == 0 && has_field(L, index, "reference"))
		result = refer(L, builder, index);
	if (result == 0 && has_field(L, index, "jump")) {
		result = ebpf_block_jump(builder->block, name_field(L, builder, index, "jump"), binding_error(L));
		lua_pop(L, 1);
	}
	if (result == 0 && has_field(L, index, "source"))
		result = add_line(L, builder, index);
	if (result == 0 && has_field(L, index, "core"))
		result = add_core(L, builder, index);
	builder->count++;
	return result;
}

static int add_list(lua_State *L, struct builder *builder, int index, int depth);

/* What stands on top of the stack: an instruction, a label, a function's head, a text, or a list of these. */
static int add_item(lua_State *L, struct builder *builder, int depth)
{
	int index = lua_gettop(L), result;

	if (lua_type(L, index) == LUA_TSTRING)
		return ebpf_block_parse(builder->block, binding_to_string(L, index, "text"), binding_error(L));
	if (!lua_istable(L, index))
		return luaL_error(L, "instruction %I: instruction expected, got %s", builder->count + 1,
				  luaL_typename(L, index));
	if (has_field(L, index, "code"))
		return add_insn(L, builder, index);
	if (has_field(L, index, "func"))
		result = ebpf_block_function(builder->block, name_field(L, builder, index, "func"), binding_error(L));
	else if (has_field(L, index, "label"))
		result = ebpf_block_label(builder->block, name_field(L, builder, index, "label"), binding_error(L));
	else
		return add_list(L, builder, index, depth + 1);
	lua_pop(L, 1);
	return result;
}

static int add_list(lua_State *L, struct builder *builder, int index, int depth)
{
	lua_Integer length = luaL_len(L, index);
	int result = 0;

	if (depth > NESTING)
		return luaL_error(L, "instructions are nested too deeply");
	luaL_checkstack(L, 8, NULL);
	for (lua_Integer i = 1; i <= length && result == 0; i++) {
		lua_geti(L, index, i);
		result = add_item(L, builder, depth);
		lua_pop(L, 1);
	}
	return result;
}

/* core.asm_block(list or text) -> a finished block, or nil, err, errno */
static int l_asm_block(lua_State *L)
{
	struct builder builder = { 0 };
	int result;

	lua_settop(L, 1);
	if (lua_type(L, 1) != LUA_TSTRING)
		luaL_checktype(L, 1, LUA_TTABLE);
	builder.block = push_block(L);
	builder.handle = 2;
	lua_pushvalue(L, 1);
	result = add_item(L, &builder, 0);
	if (result == 0)
		result = ebpf_block_finish(builder.block, binding_error(L));
	if (result < 0)
		return binding_fail(L);
	lua_settop(L, 2);
	return 1;
}

/* "little", "big", or nil for the host's order: whether that is not the host's. */
static bool is_swapped(lua_State *L, int index)
{
	static const char *const orders[] = { "little", "big", NULL };
	const char *host = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little";

	return strcmp(orders[luaL_checkoption(L, index, host, orders)], host) != 0;
}

/* core.asm_encode(list or text, byte order) -> machine code, or nil, err, errno */
static int l_asm_encode(lua_State *L)
{
	bool swapped = is_swapped(L, 2);
	struct ebpf_block **handle;
	luaL_Buffer buffer;
	size_t count;
	int results = l_asm_block(L);

	if (results != 1)
		return results;
	handle = binding_check(L, -1, CLASS_BLOCK);
	ebpf_block_insns(*handle, &count);
	char *out = luaL_buffinitsize(L, &buffer, count * 8);

	ebpf_block_encode(*handle, swapped, out);
	luaL_pushresultsize(&buffer, count * 8);
	return 1;
}

/* -- to Lua -- */

static void set(lua_State *L, const char *name, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

struct reader {
	const struct ebpf_block *block;
	size_t label, jump, reference, function, line, core; /* the next of each */
	lua_Integer length;            /* of the list, which is on top of the stack */
};

static void push_item(lua_State *L, struct reader *reader, const char *key, const char *text)
{
	lua_createtable(L, 0, 1);
	luaL_setmetatable(L, CLASS_INSTRUCTION);
	lua_pushstring(L, text);
	lua_setfield(L, -2, key);
	lua_rawseti(L, -2, ++reader->length);
}

/* The heads of functions and the labels before slot `at`. */
static void push_labels(lua_State *L, struct reader *reader, uint32_t at)
{
	const char *name;
	uint32_t insn, start;

	for (;;) {
		bool label = ebpf_block_get_label(reader->block, reader->label, &name, &insn) && insn <= at;
		const char *prototype;

		if (ebpf_block_get_function(reader->block, reader->function, &prototype, &start) && start <= at &&
		    (!label || start <= insn)) {
			push_item(L, reader, "func", prototype);
			reader->function++;
		} else if (label) {
			push_item(L, reader, "label", name);
			reader->label++;
		} else {
			return;
		}
	}
}

void binding_set_reference(lua_State *L, enum ebpf_reference kind, const char *name, int64_t addend, uint32_t id)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, reference_kinds[kind]);
	lua_setfield(L, -2, "kind");
	lua_pushstring(L, name);
	lua_setfield(L, -2, "name");
	set(L, "addend", addend);
	if (id)
		set(L, "id", id);
	lua_setfield(L, -2, "reference");
}

/* What the instruction at slot `at`, whose table is on top of the stack, names. */
static void push_names(lua_State *L, struct reader *reader, uint32_t at)
{
	enum ebpf_reference kind;
	const char *name;
	int64_t addend;
	uint32_t insn;

	if (ebpf_block_get_jump(reader->block, reader->jump, &name, &insn) && insn == at) {
		lua_pushstring(L, name);
		lua_setfield(L, -2, "jump");
		reader->jump++;
	}
	if (ebpf_block_get_reference(reader->block, reader->reference, &kind, &name, &addend, &insn) && insn == at) {
		binding_set_reference(L, kind, name, addend, 0);
		reader->reference++;
	}
}

void binding_push_source(lua_State *L, const struct ebpf_source_line *line)
{
	lua_createtable(L, 0, 4);
	lua_pushstring(L, line->text);
	lua_setfield(L, -2, "text");
	if (*line->file) {
		lua_pushstring(L, line->file);
		lua_setfield(L, -2, "file");
	}
	if (line->number)
		set(L, "number", line->number);
	if (line->column)
		set(L, "column", line->column);
}

void binding_set_source(lua_State *L, const struct ebpf_source_line *line)
{
	binding_push_source(L, line);
	lua_setfield(L, -2, "source");
}

static void push_line(lua_State *L, struct reader *reader, uint32_t at)
{
	struct ebpf_source_line line;

	while (ebpf_block_get_line(reader->block, reader->line, &line) && line.insn < at)
		reader->line++;
	if (!ebpf_block_get_line(reader->block, reader->line, &line) || line.insn != at)
		return;
	reader->line++;
	binding_set_source(L, &line);
}

static void push_core(lua_State *L, struct reader *reader, uint32_t at)
{
	const char *type, *access;
	uint32_t kind, insn;

	if (!ebpf_block_get_core(reader->block, reader->core, &kind, &type, &access, &insn) || insn != at)
		return;
	reader->core++;
	lua_createtable(L, 0, 3);
	binding_push_enum(L, EBPF_CORE_RELOCATION, kind);
	lua_setfield(L, -2, "kind");
	lua_pushstring(L, type);
	lua_setfield(L, -2, "type");
	lua_pushstring(L, access);
	lua_setfield(L, -2, "access");
	lua_setfield(L, -2, "core");
}

/* How lists and their items print themselves is lua/ebpf/asm.lua's affair: it leaves the metatables in the registry. */
static void load_metatables(lua_State *L)
{
	if (luaL_getmetatable(L, CLASS_INSTRUCTION) == LUA_TNIL) {
		lua_getglobal(L, "require");
		lua_pushliteral(L, "ebpf.asm");
		lua_call(L, 1, 0);
	}
	lua_pop(L, 1);
}

void binding_new_instructions(lua_State *L)
{
	load_metatables(L);
	lua_newtable(L);
	luaL_setmetatable(L, CLASS_INSTRUCTIONS);
}

void binding_push_instruction(lua_State *L, const struct ebpf_insn *insn, const struct ebpf_insn *next)
{
	lua_createtable(L, 0, 6);
	luaL_setmetatable(L, CLASS_INSTRUCTION);
	set(L, "code", insn->code);
	set(L, "dst", insn->dst);
	set(L, "src", insn->src);
	set(L, "off", insn->off);
	if (insn->code == WIDE_LOAD)
		set(L, "wide", (lua_Integer)((uint64_t)(uint32_t)next->imm << 32 | (uint32_t)insn->imm));
	else
		set(L, "imm", insn->imm);
}

void binding_push_instructions(lua_State *L, const struct ebpf_block *block)
{
	struct reader reader = { .block = block };
	const struct ebpf_insn *insns;
	size_t count;

	insns = ebpf_block_insns(block, &count);
	binding_new_instructions(L);
	for (size_t i = 0; i < count; i++) {
		push_labels(L, &reader, (uint32_t)i);
		binding_push_instruction(L, &insns[i], &insns[i + 1]);
		push_names(L, &reader, (uint32_t)i);
		push_line(L, &reader, (uint32_t)i);
		push_core(L, &reader, (uint32_t)i);
		lua_rawseti(L, -2, ++reader.length);
		i += insns[i].code == WIDE_LOAD;
	}
	push_labels(L, &reader, UINT32_MAX);
}

/* core.asm_parse(text) -> list of instructions, or nil, err, errno */
static int l_asm_parse(lua_State *L)
{
	const char *text = binding_to_string(L, 1, "text");
	struct ebpf_block *block = push_block(L);

	if (ebpf_block_parse(block, text, binding_error(L)) < 0)
		return binding_fail(L);
	binding_push_instructions(L, block);
	return 1;
}

/* core.asm_decode(bytes, byte order) -> list of instructions, or nil, err, errno */
static int l_asm_decode(lua_State *L)
{
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	bool swapped = is_swapped(L, 2);
	struct ebpf_block *block = push_block(L);

	if (ebpf_block_decode(block, bytes, size, swapped, binding_error(L)) < 0)
		return binding_fail(L);
	binding_push_instructions(L, block);
	return 1;
}

/* core.asm_metatables(of an instruction, of a list) */
static int l_asm_metatables(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	lua_setfield(L, LUA_REGISTRYINDEX, CLASS_INSTRUCTIONS);
	lua_setfield(L, LUA_REGISTRYINDEX, CLASS_INSTRUCTION);
	return 0;
}

static lua_Integer argument(lua_State *L, int index, lua_Integer lowest, lua_Integer highest)
{
	lua_Integer value = luaL_optinteger(L, index, 0);

	luaL_argcheck(L, value >= lowest && value <= highest, index, "out of range");
	return value;
}

/* core.asm_print(code, dst, src, off, imm, upper half of a wide load) -> text */
static int l_asm_print(lua_State *L)
{
	struct ebpf_insn insn, next = { 0 };
	char text[128];

	insn.code = (uint8_t)argument(L, 1, 0, UINT8_MAX);
	insn.dst = (uint8_t)argument(L, 2, 0, 15) & 0xf;
	insn.src = (uint8_t)argument(L, 3, 0, 15) & 0xf;
	insn.off = (int16_t)argument(L, 4, INT16_MIN, INT16_MAX);
	insn.imm = (int32_t)argument(L, 5, INT32_MIN, UINT32_MAX);
	next.imm = (int32_t)argument(L, 6, INT32_MIN, UINT32_MAX);
	ebpf_insn_print(&insn, insn.code == WIDE_LOAD ? &next : NULL, text, sizeof(text));
	lua_pushstring(L, text);
	return 1;
}

/* core.asm_helper(name) -> its number, or nil */
static int l_asm_helper(lua_State *L)
{
	int number = ebpf_enum_value(EBPF_HELPER, luaL_checkstring(L, 1));

	if (number < 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, number);
	return 1;
}

static const luaL_Reg block_methods[] = { { "close", l_block_close }, { NULL, NULL } };
static const luaL_Reg block_metamethods[] = {
	{ "__gc", l_block_close }, { "__close", l_block_close }, { "__tostring", l_block_tostring }, { NULL, NULL }
};
static const struct binding_class block_class = {
	.name = CLASS_BLOCK, .methods = block_methods, .metamethods = block_metamethods,
};
static const luaL_Reg functions[] = {
	{ "asm_block", l_asm_block },   { "asm_parse", l_asm_parse },   { "asm_print", l_asm_print },
	{ "asm_helper", l_asm_helper }, { "asm_decode", l_asm_decode }, { "asm_encode", l_asm_encode },
	{ "asm_metatables", l_asm_metatables },
	{ NULL, NULL },
};

void binding_open_asm(lua_State *L)
{
	binding_class_register(L, &block_class);
	luaL_setfuncs(L, functions, 0);
}
