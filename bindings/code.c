/* code.c -- what the kernel made of a program: translated instructions, functions, machine code. */
#include "binding.h"

#define CLASS_CODE "ebpf.program_code"

static int l_code_free(lua_State *L)
{
	struct ebpf_program_code **handle = luaL_checkudata(L, 1, CLASS_CODE);
	struct ebpf_program_code *code = *handle;

	*handle = NULL;
	ebpf_program_code_free(code);
	return 0;
}

/* Pushes a handle on the code of the program at stack index 1; NULL with binding_error() filled. */
static const struct ebpf_program_code *push_code(lua_State *L)
{
	struct ebpf_program_code **handle;

	binding_check_program(L, 1);
	handle = binding_new(L, sizeof(*handle), 0, CLASS_CODE);
	return ebpf_program_code_read(binding_check_program(L, 1), handle, binding_error(L)) < 0 ? NULL : *handle;
}

/* The next of each, while the list is made. */
struct reader {
	const struct ebpf_program_code *code;
	size_t function, reference, line;
	lua_Integer length;
};

static void push_heads(lua_State *L, struct reader *reader, uint32_t at)
{
	const struct ebpf_program_code *code = reader->code;

	for (; reader->function < code->function_count && code->functions[reader->function].insn <= at; reader->function++) {
		const struct ebpf_program_function *function = &code->functions[reader->function];
		const char *head = *function->prototype ? function->prototype : function->name;

		if (!*head)
			continue;
		lua_createtable(L, 0, 1);
		luaL_setmetatable(L, CLASS_INSTRUCTION);
		lua_pushstring(L, head);
		lua_setfield(L, -2, *function->prototype ? "func" : "label");
		lua_rawseti(L, -2, ++reader->length);
	}
}

static void set_notes(lua_State *L, struct reader *reader, uint32_t at)
{
	const struct ebpf_program_code *code = reader->code;

	for (; reader->reference < code->reference_count && code->references[reader->reference].insn <= at; reader->reference++) {
		const struct ebpf_program_reference *reference = &code->references[reader->reference];

		if (reference->insn == at && (*reference->name || reference->id))
			binding_set_reference(L, reference->kind, reference->name, reference->addend, reference->id);
	}
	for (; reader->line < code->line_count && code->lines[reader->line].insn <= at; reader->line++)
		if (code->lines[reader->line].insn == at && *code->lines[reader->line].text)
			binding_set_source(L, &code->lines[reader->line]);
}

static void push_list(lua_State *L, const struct ebpf_program_code *code)
{
	struct reader reader = {.code = code};

	binding_new_instructions(L);
	for (size_t i = 0; i < code->insn_count; i++) {
		bool wide = code->insns[i].code == 0x18 && i + 1 < code->insn_count;

		push_heads(L, &reader, (uint32_t)i);
		binding_push_instruction(L, &code->insns[i], &code->insns[wide ? i + 1 : i]);
		set_notes(L, &reader, (uint32_t)i);
		lua_rawseti(L, -2, ++reader.length);
		i += wide;
	}
}

static void push_functions(lua_State *L, const struct ebpf_program_code *code)
{
	lua_createtable(L, (int)code->function_count, 0);
	for (size_t i = 0; i < code->function_count; i++) {
		const struct ebpf_program_function *function = &code->functions[i];

		lua_createtable(L, 0, 6);
		lua_pushstring(L, function->name);
		lua_setfield(L, -2, "name");
		if (*function->prototype) {
			lua_pushstring(L, function->prototype);
			lua_setfield(L, -2, "prototype");
		}
		binding_set_integer(L, "insn", function->insn);
		binding_set_integer(L, "jited_size", function->jited_size);
		if (function->address)
			binding_set_integer(L, "address", function->address);
		if (code->jited && (size_t)function->jited_offset + function->jited_size <= code->jited_size) {
			lua_pushlstring(L, (const char *)code->jited + function->jited_offset, function->jited_size);
			lua_setfield(L, -2, "jited");
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_lines(lua_State *L, const struct ebpf_program_code *code)
{
	lua_createtable(L, (int)code->line_count, 0);
	for (size_t i = 0; i < code->line_count; i++) {
		binding_push_source(L, &code->lines[i]);
		binding_set_integer(L, "insn", code->lines[i].insn);
		if (code->line_addresses)
			binding_set_integer(L, "address", code->line_addresses[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* prog:code() -> { instructions = list or nil when the kernel hides them, functions = { { name, prototype, insn, jited_size,
 * address, jited = its machine code } }, lines = { { text, file, number, column, insn, address } }, map_ids = { ... },
 * hidden = { instructions = true, jited = true: what there is, but the kernel does not show } } */
int binding_program_code(lua_State *L)
{
	const struct ebpf_program_code *code = push_code(L);

	if (!code)
		return binding_fail(L);
	lua_createtable(L, 0, 5);
	if (code->insns) {
		push_list(L, code);
		lua_setfield(L, -2, "instructions");
	}
	lua_createtable(L, 0, 2);
	if (code->insns_hidden) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "instructions");
	}
	if (code->jited_hidden) {
		lua_pushboolean(L, true);
		lua_setfield(L, -2, "jited");
	}
	lua_setfield(L, -2, "hidden");
	push_functions(L, code);
	lua_setfield(L, -2, "functions");
	push_lines(L, code);
	lua_setfield(L, -2, "lines");
	lua_createtable(L, (int)code->map_count, 0);
	for (size_t i = 0; i < code->map_count; i++) {
		lua_pushinteger(L, code->map_ids[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "map_ids");
	return 1;
}

/* prog:instructions() -> the translated instructions; an empty list when the kernel hides them */
int binding_program_instructions(lua_State *L)
{
	const struct ebpf_program_code *code = push_code(L);

	if (!code)
		return binding_fail(L);
	push_list(L, code);
	return 1;
}

static const luaL_Reg metamethods[] = {{"__gc", l_code_free}, {NULL, NULL}};

void binding_open_code(lua_State *L)
{
	static const struct binding_class class = {.name = CLASS_CODE, .metamethods = metamethods};

	binding_class_register(L, &class);
}
