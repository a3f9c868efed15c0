/* features.c -- what the kernel can do, and what this process may do. */
#include <errno.h>

#include "binding.h"

enum { MOST_HELPERS = 1024, MOST_TYPES = 128 };

/* core.feature_groups() -> { { name = "map_type", { name =, since = }, ... }, ... }; nothing is probed */
static int l_feature_groups(lua_State *L)
{
	const char *group, *name, *since;

	lua_newtable(L);
	for (size_t i = 0; ebpf_kernel_group(i, &group) >= 0; i++) {
		lua_newtable(L);
		lua_pushstring(L, group);
		lua_setfield(L, -2, "name");
		for (size_t j = 0; ebpf_kernel_group_feature(i, j, &name, &since) >= 0; j++) {
			lua_createtable(L, 0, 2);
			lua_pushstring(L, name);
			lua_setfield(L, -2, "name");
			lua_pushstring(L, since);
			lua_setfield(L, -2, "since");
			lua_rawseti(L, -2, (lua_Integer)j + 1);
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int push_answer(lua_State *L, int result)
{
	if (result < 0)
		return binding_fail(L);
	lua_pushboolean(L, result);
	return 1;
}

/* core.helper(program_type, name) -> boolean; nil, err when it cannot tell */
static int l_helper(lua_State *L)
{
	uint32_t type = binding_to_enum(L, 1, EBPF_PROGRAM_TYPE, "program type");
	uint32_t helper = binding_to_enum(L, 2, EBPF_HELPER, "helper");
	struct ebpf_kernel *kernel = binding_kernel(L);

	return kernel ? push_answer(L, ebpf_kernel_helper(kernel, type, helper, binding_error(L))) : binding_fail(L);
}

/* Names of the numbers, sorted as they are. */
static void push_names(lua_State *L, enum ebpf_enum which, const uint32_t *numbers, int count)
{
	lua_createtable(L, count, 0);
	for (int i = 0; i < count; i++) {
		binding_push_enum(L, which, numbers[i]);
		lua_rawseti(L, -2, i + 1);
	}
}

/* core.helpers(program_type [, all]) -> { "map_lookup_elem", ... } */
static int l_helpers(lua_State *L)
{
	uint32_t type = binding_to_enum(L, 1, EBPF_PROGRAM_TYPE, "program type"), helpers[MOST_HELPERS];
	struct ebpf_kernel *kernel = binding_kernel(L);
	int count;

	if (!kernel)
		return binding_fail(L);
	count = ebpf_kernel_helpers(kernel, type, lua_toboolean(L, 2), helpers, MOST_HELPERS, binding_error(L));
	if (count < 0)
		return binding_fail(L);
	push_names(L, EBPF_HELPER, helpers, count < MOST_HELPERS ? count : MOST_HELPERS);
	return 1;
}

/* core.kfunc(name [, program_type]) -> boolean; nil, err when it cannot tell */
static int l_kfunc(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	uint32_t type = lua_isnoneornil(L, 2) ? 0 : binding_to_enum(L, 2, EBPF_PROGRAM_TYPE, "program type");
	struct ebpf_kernel *kernel = binding_kernel(L);

	return kernel ? push_answer(L, ebpf_kernel_kfunc(kernel, name, type, binding_error(L))) : binding_fail(L);
}

/* core.kfunc_types(name) -> { "tracing", ... }: the types that may call it */
static int l_kfunc_types(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct ebpf_kernel *kernel = binding_kernel(L);
	uint32_t types[MOST_TYPES];
	int count;

	if (!kernel)
		return binding_fail(L);
	count = ebpf_kernel_kfunc_types(kernel, name, types, MOST_TYPES, binding_error(L));
	if (count < 0)
		return binding_fail(L);
	push_names(L, EBPF_PROGRAM_TYPE, types, count < MOST_TYPES ? count : MOST_TYPES);
	return 1;
}

/* core.kfunc_names() -> { "bpf_arena_alloc_pages", ... } */
static int l_kfunc_names(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	const char *name;
	int result;

	if (!kernel)
		return binding_fail(L);
	lua_newtable(L);
	for (size_t i = 0; (result = ebpf_kernel_kfunc_name(kernel, i, &name, binding_error(L))) >= 0; i++) {
		lua_pushstring(L, name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return result == -ENOENT ? 1 : binding_fail(L);
}

/* core.instruction_limit() -> 4096 or 1000000; nil, err when it cannot tell */
static int l_instruction_limit(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	int result = kernel ? ebpf_kernel_instruction_limit(kernel, binding_error(L)) : -1;

	if (result < 0)
		return binding_fail(L);
	lua_pushinteger(L, result);
	return 1;
}

/* core.remove_memlock() -> true when the limit was raised, false when there was no need */
static int l_remove_memlock(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);

	return kernel ? push_answer(L, ebpf_kernel_remove_memlock(kernel, binding_error(L))) : binding_fail(L);
}

/* -- privileges -- */

/* Fields of the table on top of the stack; what is not known stays nil. */
static void set_sysctl(lua_State *L, const char *name, int32_t value)
{
	if (value == EBPF_SYSCTL_UNKNOWN)
		return;
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	if (!text[0])
		return;
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void set_capabilities(lua_State *L, const char *name, uint64_t bits)
{
	lua_newtable(L);
	for (unsigned number = 0, at = 0; number < 64; number++) {
		const char *text = ebpf_capability_name(number);

		if (!(bits >> number & 1) || !text)
			continue;
		lua_pushstring(L, text);
		lua_rawseti(L, -2, ++at);
	}
	lua_setfield(L, -2, name);
}

static void set_memlock(lua_State *L, const struct ebpf_privileges *have)
{
	static const char *const accounting[] = {
		[EBPF_MEMORY_UNKNOWN] = "", [EBPF_MEMORY_CGROUP] = "cgroup", [EBPF_MEMORY_RLIMIT] = "rlimit"
	};

	lua_createtable(L, 0, 3);
	if (have->memlock_soft != UINT64_MAX) /* nil: no limit */
		binding_set_integer(L, "soft", have->memlock_soft);
	if (have->memlock_hard != UINT64_MAX)
		binding_set_integer(L, "hard", have->memlock_hard);
	set_text(L, "accounting", accounting[have->memory_accounting]);
	lua_setfield(L, -2, "memlock");
}

static void set_kinds(lua_State *L, const struct ebpf_privileges *have)
{
	struct ebpf_privilege kind;

	lua_newtable(L);
	for (size_t i = 0; ebpf_kernel_privilege(have, i, &kind) >= 0; i++) {
		lua_createtable(L, 0, 6);
		set_text(L, "name", kind.name);
		set_text(L, "what", kind.what);
		lua_pushboolean(L, kind.allowed);
		lua_setfield(L, -2, "allowed");
		set_capabilities(L, "missing", kind.missing);
		set_text(L, "why", kind.why);
		set_text(L, "advice", kind.advice);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "kinds");
}

/* core.privileges() -> { uid =, capabilities = { "bpf", ... }, lockdown =, ..., kinds = { { name =, allowed =, why =,
 * advice = }, ... } } */
static int l_privileges(lua_State *L)
{
	struct ebpf_kernel *kernel = binding_kernel(L);
	struct ebpf_privileges have;

	if (!kernel)
		return binding_fail(L);
	ebpf_kernel_privileges(kernel, &have);
	lua_createtable(L, 0, 13);
	if (have.capabilities_known)
		binding_set_integer(L, "uid", have.uid);
	set_capabilities(L, "capabilities", have.capabilities);
	lua_pushboolean(L, have.user_namespace);
	lua_setfield(L, -2, "user_namespace");
	set_sysctl(L, "unprivileged_bpf_disabled", have.unprivileged_bpf_disabled);
	set_sysctl(L, "perf_event_paranoid", have.perf_event_paranoid);
	set_sysctl(L, "kptr_restrict", have.kptr_restrict);
	set_sysctl(L, "jit_enable", have.jit_enable);
	set_sysctl(L, "jit_harden", have.jit_harden);
	set_text(L, "lockdown", have.lockdown);
	set_text(L, "bpffs", have.bpffs);
	set_text(L, "token", have.token);
	set_memlock(L, &have);
	set_kinds(L, &have);
	return 1;
}

static const luaL_Reg functions[] = { { "feature_groups", l_feature_groups },
	                              { "helper", l_helper },
	                              { "helpers", l_helpers },
	                              { "kfunc", l_kfunc },
	                              { "kfunc_types", l_kfunc_types },
	                              { "kfunc_names", l_kfunc_names },
	                              { "instruction_limit", l_instruction_limit },
	                              { "remove_memlock", l_remove_memlock },
	                              { "privileges", l_privileges },
	                              { NULL, NULL } };

void binding_open_features(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
}
