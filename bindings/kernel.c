/* kernel.c -- ebpf.kernel(): what is known of the running kernel; the default context of the Lua state. */
#include "binding.h"

static struct ebpf_kernel *check_kernel(lua_State *L, int index)
{
	return *(struct ebpf_kernel **)binding_check(L, index, CLASS_KERNEL);
}

/* core.kernel() -> kernel, or nil, err */
static int l_kernel(lua_State *L)
{
	struct ebpf_kernel **handle = binding_new(L, sizeof(*handle), 0, CLASS_KERNEL);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	*handle = ebpf_kernel_ref(kernel);
	return 1;
}

static int l_kernel_close(lua_State *L)
{
	struct ebpf_kernel **handle = luaL_checkudata(L, 1, CLASS_KERNEL);

	ebpf_kernel_free(*handle);
	*handle = NULL;
	return 0;
}

static void push_version(lua_State *L, struct ebpf_kernel *kernel)
{
	uint32_t version = ebpf_kernel_version(kernel);

	lua_pushfstring(L, "%d.%d.%d", (int)(version >> 16), (int)(version >> 8 & 0xff), (int)(version & 0xff));
}

/* kernel.version -> 0x060100: to be compared */
static int l_kernel_version(lua_State *L)
{
	lua_pushinteger(L, ebpf_kernel_version(check_kernel(L, 1)));
	return 1;
}

/* kernel.release -> "6.1.0" */
static int l_kernel_release(lua_State *L)
{
	push_version(L, check_kernel(L, 1));
	return 1;
}

/* kernel:has(feature) -> true or false; nil, err when it cannot tell */
static int l_kernel_has(lua_State *L)
{
	struct ebpf_kernel *kernel = check_kernel(L, 1);
	int result = ebpf_kernel_has(kernel, luaL_checkstring(L, 2), binding_error(L));

	if (result < 0)
		return binding_fail(L);
	lua_pushboolean(L, result);
	return 1;
}

static int l_kernel_mask(lua_State *L)
{
	struct ebpf_kernel *kernel = check_kernel(L, 1);

	return binding_result(L, ebpf_kernel_mask(kernel, luaL_checkstring(L, 2), true, binding_error(L)));
}

static int l_kernel_unmask(lua_State *L)
{
	struct ebpf_kernel *kernel = check_kernel(L, 1);

	return binding_result(L, ebpf_kernel_mask(kernel, luaL_checkstring(L, 2), false, binding_error(L)));
}

/* kernel:features() -> { { name =, since = "5.15" }, ... } in the order of the table; nothing is probed */
static int l_kernel_features(lua_State *L)
{
	const char *name, *since;

	check_kernel(L, 1);
	lua_newtable(L);
	for (size_t i = 0; ebpf_kernel_feature(i, &name, &since) >= 0; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, since);
		lua_setfield(L, -2, "since");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* kernel:ids("program"|"map"|"btf"|"link") -> the ids of all that the kernel has, ascending */
static int l_kernel_ids(lua_State *L)
{
	static const char *const kinds[] = {
		[EBPF_OBJECT_PROGRAM] = "program", [EBPF_OBJECT_MAP] = "map", [EBPF_OBJECT_BTF] = "btf",
		[EBPF_OBJECT_LINK] = "link", NULL,
	};
	enum ebpf_object_kind kind = (enum ebpf_object_kind)luaL_checkoption(L, 2, NULL, kinds);
	uint32_t id = 0;
	int result;

	lua_newtable(L);
	for (lua_Integer n = 1;; n++) {
		result = ebpf_kernel_next_id(check_kernel(L, 1), kind, id, &id, binding_error(L));
		if (result <= 0)
			return result < 0 ? binding_fail(L) : 1;
		lua_pushinteger(L, id);
		lua_rawseti(L, -2, n);
	}
}

/* kernel:task_fd(pid, fd) -> { program_id =, kind = "tracepoint", name =, offset =, address = } */
static int l_kernel_task_fd(lua_State *L)
{
	struct ebpf_kernel *kernel = check_kernel(L, 1);
	int32_t pid = (int32_t)binding_to_integer(L, 2, INT32_MAX, "pid");
	int fd = (int)binding_to_integer(L, 3, INT32_MAX, "fd");
	struct ebpf_task_fd info;

	if (ebpf_kernel_task_fd(kernel, pid, fd, &info, binding_error(L)) < 0)
		return binding_fail(L);
	lua_createtable(L, 0, 5);
	binding_set_integer(L, "program_id", info.program_id);
	binding_set_string(L, "kind", info.kind);
	binding_set_string(L, "name", info.name);
	binding_set_integer(L, "offset", info.offset);
	binding_set_integer(L, "address", info.address);
	return 1;
}

static int l_kernel_tostring(lua_State *L)
{
	struct ebpf_kernel **handle = luaL_checkudata(L, 1, CLASS_KERNEL);

	if (*handle)
		push_version(L, *handle);
	else
		lua_pushliteral(L, "");
	return binding_tostring(L, CLASS_KERNEL, lua_tostring(L, -1));
}

static const luaL_Reg methods[] = {
	{ "has", l_kernel_has }, { "mask", l_kernel_mask }, { "unmask", l_kernel_unmask },
	{ "features", l_kernel_features }, { "ids", l_kernel_ids }, { "task_fd", l_kernel_task_fd }, { "close", l_kernel_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = { { "version", l_kernel_version }, { "release", l_kernel_release }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_kernel_tostring }, { "__close", l_kernel_close }, { "__gc", l_kernel_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = { { "kernel", l_kernel }, { NULL, NULL } };

void binding_open_kernel(lua_State *L)
{
	static const struct binding_class class = { CLASS_KERNEL, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
