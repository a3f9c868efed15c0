/* btf_object.c -- BTF objects in the kernel: loaded, listed, opened by id. */
#include <string.h>

#include "binding.h"

static struct ebpf_btf_object *check_object(lua_State *L, int index)
{
	return *(struct ebpf_btf_object **)binding_check(L, index, CLASS_BTF_OBJECT);
}

/* Pushes { id =, size =, kernel =, name = }; a program's types have no name. */
static void push_info(lua_State *L, const struct ebpf_btf_info *info)
{
	lua_createtable(L, 0, 4);
	binding_set_integer(L, "id", info->id);
	binding_set_integer(L, "size", info->size);
	lua_pushboolean(L, info->is_kernel);
	lua_setfield(L, -2, "kernel");
	if (info->name[0]) {
		lua_pushstring(L, info->name);
		lua_setfield(L, -2, "name");
	}
}

/* core.btf_list() -> { info, ... } in the order of ids */
static int l_btf_list(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	struct ebpf_btf_info info = { 0 };
	int more;

	if (!kernel)
		return binding_fail(L);
	lua_newtable(L);
	for (lua_Integer i = 1; (more = ebpf_kernel_btf_next(kernel, info.id, &info, binding_error(L))) > 0; i++) {
		push_info(L, &info);
		lua_rawseti(L, -2, i);
	}
	return more < 0 ? binding_fail(L) : 1;
}

/* core.btf_open(id) -> btf */
static int l_btf_open(lua_State *L)
{
	uint32_t id = (uint32_t)binding_to_integer(L, 1, UINT32_MAX, "id");
	struct ebpf_btf **handle = binding_new_btf(L);
	struct ebpf_kernel *kernel = binding_kernel(L);

	return !kernel || ebpf_kernel_btf_by_id(kernel, id, handle, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

int binding_btf_load(lua_State *L)
{
	binding_check_btf(L, 1);
	struct ebpf_btf_object **handle = binding_new(L, sizeof(*handle), 0, CLASS_BTF_OBJECT);
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel || ebpf_btf_load(kernel, binding_check_btf(L, 1), handle, binding_error(L)) < 0)
		return binding_fail(L);
	return 1;
}

static int l_object_close(lua_State *L)
{
	struct ebpf_btf_object **handle = luaL_checkudata(L, 1, CLASS_BTF_OBJECT);
	struct ebpf_btf_object *object = *handle;

	*handle = NULL;
	ebpf_btf_object_close(object);
	return 0;
}

static int l_object_fd(lua_State *L)
{
	lua_pushinteger(L, ebpf_btf_object_fd(check_object(L, 1)));
	return 1;
}

/* object:info() -> { id =, size =, kernel = } */
static int l_object_info(lua_State *L)
{
	struct ebpf_btf_info info;

	if (ebpf_btf_object_info(check_object(L, 1), &info, binding_error(L)) < 0)
		return binding_fail(L);
	push_info(L, &info);
	return 1;
}

static int l_object_id(lua_State *L)
{
	struct ebpf_btf_info info;

	if (ebpf_btf_object_info(check_object(L, 1), &info, binding_error(L)) < 0)
		return binding_raise(L);
	lua_pushinteger(L, info.id);
	return 1;
}

static int l_object_tostring(lua_State *L)
{
	struct ebpf_btf_object **handle = luaL_checkudata(L, 1, CLASS_BTF_OBJECT);

	lua_pushfstring(L, "fd %d", *handle ? ebpf_btf_object_fd(*handle) : -1);
	return binding_tostring(L, CLASS_BTF_OBJECT, lua_tostring(L, -1));
}

static const luaL_Reg methods[] = {
	{ "fd", l_object_fd }, { "info", l_object_info }, { "close", l_object_close }, { NULL, NULL }
};
static const luaL_Reg properties[] = { { "id", l_object_id }, { NULL, NULL } };
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_object_tostring }, { "__close", l_object_close }, { "__gc", l_object_close }, { NULL, NULL }
};
static const luaL_Reg functions[] = {
	{ "btf_list", l_btf_list }, { "btf_open", l_btf_open }, { NULL, NULL }
};

void binding_open_btf_object(lua_State *L)
{
	static const struct binding_class class = { CLASS_BTF_OBJECT, methods, properties, NULL, metamethods, NULL };

	binding_class_register(L, &class);
	luaL_setfuncs(L, functions, 0);
}
