/* pin.c -- what is pinned in a BPF file system; and the counting of runs. */
#include "binding.h"

/* core.pin_kind(path) -> "program", "map" or "link" */
static int l_pin_kind(lua_State *L)
{
	static const char *const kinds[] = {
		[EBPF_OBJECT_PROGRAM] = "program",
		[EBPF_OBJECT_MAP] = "map",
		[EBPF_OBJECT_BTF] = "btf",
		[EBPF_OBJECT_LINK] = "link",
	};
	const char *path = binding_to_string(L, 1, "path");
	struct ebpf_kernel *kernel = binding_kernel(L);
	enum ebpf_object_kind kind;

	if (!kernel || ebpf_pin_kind(kernel, path, &kind, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushstring(L, kinds[kind]);
	return 1;
}

/* core.pin_remove(path) -> true */
static int l_pin_remove(lua_State *L)
{
	const char *path = binding_to_string(L, 1, "path");
	struct ebpf_kernel *kernel = binding_kernel(L);

	return kernel ? binding_result(L, ebpf_pin_remove(kernel, path, binding_error(L))) : binding_fail(L);
}

/* -- walking -- */

/* core.pin_walk(folder) -> walk */
static int l_pin_walk(lua_State *L)
{
	const char *folder = binding_to_string(L, 1, "folder");
	struct ebpf_pin_walk **walk = binding_new(L, sizeof(*walk), 0, CLASS_PIN_WALK);

	return ebpf_pin_walk_new(folder, walk, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

/* walk:next() -> path; nil at the end; nil, err, errno for a folder that cannot be read, and then it may go on */
static int l_walk_next(lua_State *L)
{
	struct ebpf_pin_walk *walk = *(struct ebpf_pin_walk **)binding_check(L, 1, CLASS_PIN_WALK);
	const char *path;
	int result = ebpf_pin_walk_next(walk, &path, binding_error(L));

	if (result < 0)
		return binding_fail(L);
	if (result)
		lua_pushstring(L, path);
	else
		lua_pushnil(L);
	return 1;
}

static int l_walk_close(lua_State *L)
{
	struct ebpf_pin_walk **handle = luaL_checkudata(L, 1, CLASS_PIN_WALK);
	struct ebpf_pin_walk *walk = *handle;

	*handle = NULL;
	ebpf_pin_walk_free(walk);
	return 0;
}

/* -- counting runs -- */

/* core.enable_stats() -> stats */
static int l_enable_stats(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);

	if (!kernel)
		return binding_fail(L);
	struct ebpf_stats **stats = binding_new(L, sizeof(*stats), 0, CLASS_STATS);

	return ebpf_stats_enable(kernel, stats, binding_error(L)) < 0 ? binding_fail(L) : 1;
}

static int l_stats_close(lua_State *L)
{
	struct ebpf_stats **handle = luaL_checkudata(L, 1, CLASS_STATS);
	struct ebpf_stats *stats = *handle;

	*handle = NULL;
	ebpf_stats_close(stats);
	return 0;
}

static const luaL_Reg walk_methods[] = { { "next", l_walk_next }, { "close", l_walk_close }, { NULL, NULL } };
static const luaL_Reg walk_metamethods[] = { { "__close", l_walk_close }, { "__gc", l_walk_close }, { NULL, NULL } };
static const luaL_Reg stats_methods[] = { { "close", l_stats_close }, { NULL, NULL } };
static const luaL_Reg stats_metamethods[] = { { "__close", l_stats_close }, { "__gc", l_stats_close }, { NULL, NULL } };
static const luaL_Reg functions[] = { { "pin_kind", l_pin_kind },
	                              { "pin_remove", l_pin_remove },
	                              { "pin_walk", l_pin_walk },
	                              { "enable_stats", l_enable_stats },
	                              { NULL, NULL } };

void binding_open_pin(lua_State *L)
{
	static const struct binding_class walk = { CLASS_PIN_WALK, walk_methods, NULL, NULL, walk_metamethods, NULL };
	static const struct binding_class stats = { CLASS_STATS, stats_methods, NULL, NULL, stats_metamethods, NULL };

	binding_class_register(L, &walk);
	binding_class_register(L, &stats);
	luaL_setfuncs(L, functions, 0);
}
