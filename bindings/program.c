/* program.c -- programs: run, info, pin. */
#include <errno.h>
#include <stdio.h>

#include "binding.h"

struct ebpf_program **binding_new_program(lua_State *L, int parent)
{
	parent = parent ? lua_absindex(L, parent) : 0;
	struct ebpf_program **program = binding_new(L, sizeof(*program), 1, CLASS_PROGRAM);

	if (parent) {
		lua_pushvalue(L, parent);
		lua_setiuservalue(L, -2, 1);
	}
	return program;
}

struct ebpf_program *binding_check_program(lua_State *L, int index)
{
	return *(struct ebpf_program **)binding_check(L, index, CLASS_PROGRAM);
}

static int l_program_close(lua_State *L)
{
	struct ebpf_program **handle = luaL_checkudata(L, 1, CLASS_PROGRAM);
	struct ebpf_program *program = *handle;

	*handle = NULL;
	ebpf_program_close(program);
	return 0;
}

/* -- running -- */

enum { RUN_HEADROOM = 256 }; /* a program may make its packet longer */

/* Bytes out of the option table, borrowed from it; NULL when they are not given. */
static const void *option_bytes(lua_State *L, const char *name, size_t *size)
{
	const void *bytes = NULL;

	*size = 0;
	if (lua_getfield(L, 2, name) != LUA_TNIL) {
		if (lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "%s: string expected, got %s", name, luaL_typename(L, -1));
		bytes = lua_tolstring(L, -1, size);
	}
	lua_pop(L, 1);
	return bytes;
}

static void push_run_result(lua_State *L, const struct ebpf_run_options *run)
{
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, run->retval);
	lua_setfield(L, -2, "retval");
	lua_pushinteger(L, run->duration_ns);
	lua_setfield(L, -2, "duration");
	if (run->data_out && !(run->flags & EBPF_RUN_LIVE_FRAMES)) {
		lua_pushlstring(L, run->data_out, run->data_out_size);
		lua_setfield(L, -2, "data");
	}
	if (run->context_out_size) {
		lua_pushlstring(L, run->context_out, run->context_out_size);
		lua_setfield(L, -2, "context");
	}
}

/* The options of a run; strings stay borrowed, buffers for what comes out are pushed. */
static void get_run_options(lua_State *L, struct ebpf_run_options *run)
{
	static const char *const names[] = { "data", "context", "repeat", "flags", "cpu", "batch_size", "data_out_size", "live_frames",
					     "checksum_complete", NULL };

	if (!binding_check_options(L, 2, names)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	run->data = option_bytes(L, "data", &run->data_size);
	run->context = option_bytes(L, "context", &run->context_size);
	run->repeat = (uint32_t)binding_option_integer(L, 2, "repeat", UINT32_MAX, 0);
	run->flags = (uint32_t)binding_option_integer(L, 2, "flags", UINT32_MAX, 0);
	run->cpu = (uint32_t)binding_option_integer(L, 2, "cpu", UINT32_MAX, 0);
	if (lua_getfield(L, 2, "cpu") != LUA_TNIL)
		run->flags |= EBPF_RUN_ON_CPU;
	if (binding_option_boolean(L, 2, "live_frames", false))
		run->flags |= EBPF_RUN_LIVE_FRAMES;
	if (binding_option_boolean(L, 2, "checksum_complete", false))
		run->flags |= EBPF_RUN_CHECKSUM_COMPLETE;
	run->batch_size = (uint32_t)binding_option_integer(L, 2, "batch_size", UINT32_MAX, 0);
	run->data_out_size = binding_option_integer(L, 2, "data_out_size", 1 << 30, run->data ? run->data_size + RUN_HEADROOM : 0);
	run->context_out_size = run->context_size;
	run->data_out = run->data_out_size ? lua_newuserdatauv(L, run->data_out_size, 0) : NULL;
	run->context_out = run->context_out_size ? lua_newuserdatauv(L, run->context_out_size, 0) : NULL;
}

/* prog:run { data =, context =, repeat =, cpu =, live_frames =, batch_size =, checksum_complete =, flags =, data_out_size = } ->
 * { retval =, duration = ns, data =, context = } */
static int l_program_run(lua_State *L)
{
	struct ebpf_run_options run = { .size = sizeof(run) };

	binding_check_program(L, 1);
	lua_settop(L, 2);
	get_run_options(L, &run);
	if (ebpf_program_run(binding_check_program(L, 1), &run, binding_error(L)) < 0)
		return binding_fail(L);
	push_run_result(L, &run);
	return 1;
}

/* -- what it is -- */

static void push_tag(lua_State *L, const uint8_t tag[8])
{
	char text[17];

	for (int i = 0; i < 8; i++)
		snprintf(text + 2 * i, 3, "%02x", tag[i]);
	lua_pushstring(L, text);
}

static int l_program_info(lua_State *L)
{
	struct ebpf_program_info info = { .size = sizeof(info) };

	if (ebpf_program_info(binding_check_program(L, 1), &info, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, 0, 21);
	lua_pushstring(L, info.full_name);
	lua_setfield(L, -2, "name");
	binding_push_enum(L, EBPF_PROGRAM_TYPE, info.type);
	lua_setfield(L, -2, "type");
	push_tag(L, info.tag);
	lua_setfield(L, -2, "tag");
	lua_pushboolean(L, info.gpl);
	lua_setfield(L, -2, "gpl");
	binding_set_integer(L, "id", info.id);
	binding_set_integer(L, "xlated_size", info.xlated_size);
	binding_set_integer(L, "jited_size", info.jited_size);
	binding_set_integer(L, "map_count", info.map_count);
	binding_set_integer(L, "btf_id", info.btf_id);
	binding_set_integer(L, "verified_insns", info.verified_insns);
	binding_set_integer(L, "load_time_ns", info.load_time_ns);
	binding_set_integer(L, "run_time_ns", info.run_time_ns);
	binding_set_integer(L, "run_count", info.run_count);
	binding_set_integer(L, "recursion_misses", info.recursion_misses);
	binding_set_integer(L, "memlock", info.memlock);
	binding_set_integer(L, "uid", info.uid);
	binding_set_integer(L, "ifindex", info.ifindex);
	binding_set_integer(L, "attach_btf_obj_id", info.attach_btf_obj_id);
	binding_set_integer(L, "attach_btf_id", info.attach_btf_id);
	binding_set_integer(L, "function_count", info.function_count);
	binding_set_integer(L, "line_count", info.line_count);
	return 1;
}

static int l_program_name(lua_State *L)
{
	lua_pushstring(L, ebpf_program_name(binding_check_program(L, 1)));
	return 1;
}

static int l_program_type(lua_State *L)
{
	binding_push_enum(L, EBPF_PROGRAM_TYPE, ebpf_program_type(binding_check_program(L, 1)));
	return 1;
}

static int l_program_attach_type(lua_State *L)
{
	struct ebpf_program *program = binding_check_program(L, 1);

	binding_push_attach_type(L, ebpf_program_type(program), ebpf_program_attach_type(program));
	return 1;
}

static int l_program_section(lua_State *L)
{
	lua_pushstring(L, ebpf_program_section(binding_check_program(L, 1)));
	return 1;
}

static int l_program_attach_to(lua_State *L)
{
	lua_pushstring(L, ebpf_program_attach_to(binding_check_program(L, 1)));
	return 1;
}

static int l_program_pinned(lua_State *L)
{
	lua_pushstring(L, ebpf_program_pin_path(binding_check_program(L, 1)));
	return 1;
}

static int l_program_log(lua_State *L)
{
	lua_pushstring(L, ebpf_program_log(binding_check_program(L, 1)));
	return 1;
}

/* -- the rest -- */

static int l_program_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_program_fd(binding_check_program(L, 1)));
	return 1;
}

static int l_program_pin(lua_State *L)
{
	return binding_result(L, ebpf_program_pin(binding_check_program(L, 1), luaL_checkstring(L, 2), binding_error(L)));
}

static int l_program_unpin(lua_State *L)
{
	return binding_result(L, ebpf_program_unpin(binding_check_program(L, 1), binding_error(L)));
}

/* prog:bind(map) */
static int l_program_bind(lua_State *L)
{
	struct ebpf_program *program = binding_check_program(L, 1);

	return binding_result(L, ebpf_program_bind_map(program, ebpf_map_fd(binding_check_map(L, 2)), binding_error(L)));
}

/* prog:associate(struct_ops map) */
static int l_program_associate(lua_State *L)
{
	struct ebpf_program *program = binding_check_program(L, 1);

	return binding_result(L, ebpf_program_associate(program, ebpf_map_fd(binding_check_map(L, 2)), binding_error(L)));
}

/* prog:stream("stdout"|"stderr") -> what was written since, "" = nothing; at most 1 MiB at once, since the program may go on writing */
static int l_program_stream(lua_State *L)
{
	static const char *const names[] = { "stdout", "stderr", NULL };
	enum { PIECE = 4096, MOST = 1 << 20 };
	enum ebpf_stream stream = luaL_checkoption(L, 2, "stdout", names) ? EBPF_STDERR : EBPF_STDOUT;
	struct ebpf_program *program = binding_check_program(L, 1);
	size_t size = 0;
	luaL_Buffer text;

	luaL_buffinit(L, &text);
	for (int64_t got = 1; got > 0 && size < MOST; size += (size_t)got) {
		got = ebpf_program_stream_read(program, stream, luaL_prepbuffsize(&text, PIECE), PIECE, binding_error(L));
		if (got < 0)
			return binding_fail(L);
		luaL_addsize(&text, (size_t)got);
	}
	luaL_pushresult(&text);
	return 1;
}

static int l_program_tostring(lua_State *L)
{
	struct ebpf_program **handle = luaL_checkudata(L, 1, CLASS_PROGRAM);

	return binding_tostring(L, CLASS_PROGRAM, *handle ? ebpf_program_name(*handle) : "");
}

/* core.program_open({ pinned = path | id = n | fd = n, which it takes over }) -> program */
static int l_program_open(lua_State *L)
{
	static const char *const names[] = { "pinned", "id", "fd", NULL };

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	binding_check_options(L, 1, names);
	const char *path = binding_option_string(L, 1, "pinned", NULL);
	uint32_t id = (uint32_t)binding_option_integer(L, 1, "id", UINT32_MAX, 0);
	int fd = (int)binding_option_integer(L, 1, "fd", INT32_MAX - 1, INT32_MAX);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_program **program = binding_new_program(L, 0);
	int result = path ? ebpf_program_open_pinned(kernel, path, program, binding_error(L))
		     : fd < INT32_MAX ? ebpf_program_open_fd(kernel, fd, program, binding_error(L))
				      : ebpf_program_open_id(kernel, id, program, binding_error(L));

	return result < 0 ? binding_fail(L) : 1;
}

static const luaL_Reg methods[] = {
	{ "run", l_program_run }, { "info", l_program_info }, { "pin", l_program_pin }, { "unpin", l_program_unpin },
	{ "bind", l_program_bind }, { "associate", l_program_associate }, { "stream", l_program_stream },
	{ "code", binding_program_code }, { "instructions", binding_program_instructions },
	{ "fd", l_program_fd }, { "close", l_program_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = {
	{ "name", l_program_name }, { "type", l_program_type }, { "attach_type", l_program_attach_type },
	{ "section", l_program_section }, { "attach_to", l_program_attach_to }, { "log", l_program_log },
	{ "pinned", l_program_pinned }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_program_tostring }, { "__close", l_program_close }, { "__gc", l_program_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "program_open", l_program_open }, { NULL, NULL } };

void binding_open_program(lua_State *L)
{
	static const struct binding_class class = { CLASS_PROGRAM, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
