/* ring_open.c -- opening readers: of one map or a list of them, and the options that say what is read and how. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "ring.h"

/* -- what belongs to each map -- */

/* options.where, by the fields of the records' type. false with the error filled. */
static bool choose_filter(lua_State *L, struct binding_part *part, int options)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "where") == LUA_TNIL)
		return true;
	const struct ebpf_layout *layout = binding_shape_layout(part->shape);

	if (!layout)
		luaL_error(L, "where: the records' type is not known to be a struct; name it: { type = \"struct event\" }");
	part->filter = binding_to_filter(L, layout, lua_gettop(L));
	return part->filter != NULL;
}

/* The map that counts what is lost: the one of the map's collection that is called so by convention. The map is on top. For a perf buffer, whose losses the
 * kernel counts, it may just as well be something else. */
static int choose_lost(lua_State *L, struct ebpf_ring *part)
{
	const struct ebpf_map *map = ebpf_ring_map(part);
	struct ebpf_map *lost = NULL;

	if (lua_getiuservalue(L, -1, 1) == LUA_TUSERDATA && luaL_testudata(L, -1, CLASS_COLLECTION)) {
		struct ebpf_collection **collection = lua_touserdata(L, -1);
		const char *name = lua_pushfstring(L, "%s_lost", ebpf_map_name(map));

		lost = *collection ? ebpf_collection_map(*collection, name) : NULL;
	}
	int result = lost ? ebpf_ring_set_lost(part, lost, binding_error(L)) : 0;

	if (result == -EINVAL && ebpf_map_type(map) != (uint32_t)ebpf_enum_value(EBPF_MAP_TYPE, "ringbuf")) {
		ebpf_error_clear(binding_error(L));
		return 0;
	}
	return result;
}

/* options.lost_map, a map or, for several, a list of them by number. */
static int set_lost_maps(lua_State *L, struct binding_ring *ring, int options)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "lost_map") == LUA_TNIL)
		return 0;
	if (!lua_istable(L, -1) && ring->count > 1)
		luaL_error(L, "lost_map: a list expected, one for each map");
	if (!lua_istable(L, -1))
		return ebpf_ring_set_lost(ring->ring, binding_check_map(L, -1), binding_error(L));
	for (size_t i = 0; i < ring->count; i++) {
		int result = 0;

		if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TNIL)
			result = ebpf_ring_set_lost(ebpf_ring_part(ring->ring, i), binding_check_map(L, -1), binding_error(L));
		if (result < 0)
			return result;
		lua_pop(L, 1);
	}
	return 0;
}

static bool same_type(const struct binding_ring *ring)
{
	const struct ebpf_layout *first = binding_shape_layout(ring->parts[0].shape);

	for (size_t i = 1; i < ring->count; i++) {
		const struct ebpf_layout *layout = binding_shape_layout(ring->parts[i].shape);

		if (!first != !layout || (first && !ebpf_layout_equal(first, layout)))
			return false;
	}
	return true;
}

/* Makes the plan for the records of each map. false with the error filled. */
static bool plan(lua_State *L, struct binding_ring *ring, int index, int options)
{
	int top = lua_gettop(L);
	bool good = true;

	if (ring->count > 1) {
		lua_createtable(L, (int)ring->count, 0);
		lua_setiuservalue(L, index, RING_SHAPES);
	}
	for (size_t i = 0; i < ring->count && good; i++) {
		struct binding_part *part = &ring->parts[i];
		struct ebpf_ring *core = ebpf_ring_part(ring->ring, i);
		struct binding_shape *shape = binding_shape_push(L, ebpf_ring_map(core), options);

		if (ring->count > 1) {
			lua_getiuservalue(L, index, RING_SHAPES);
			lua_insert(L, -2);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		} else {
			lua_setiuservalue(L, index, RING_SHAPES);
		}
		part->shape = shape; /* it is kept now */
		good = choose_filter(L, part, options);
		binding_ring_push_map(L, ring, index, i);
		good = good && choose_lost(L, core) >= 0;
		lua_settop(L, top);
	}
	if (good)
		ring->one_type = same_type(ring);
	return good && set_lost_maps(L, ring, options) >= 0;
}

/* -- a perf buffer's own attr -- */

const struct binding_sample_word binding_sample_words[] = {
	{ "ip", PERF_SAMPLE_IP, offsetof(struct ebpf_sample, ip), true },
	{ "pid", PERF_SAMPLE_TID, offsetof(struct ebpf_sample, pid), false },
	{ "tid", PERF_SAMPLE_TID, offsetof(struct ebpf_sample, tid), false },
	{ "time", PERF_SAMPLE_TIME, offsetof(struct ebpf_sample, time), true },
	{ "addr", PERF_SAMPLE_ADDR, offsetof(struct ebpf_sample, addr), true },
	{ "id", PERF_SAMPLE_ID, offsetof(struct ebpf_sample, id), true },
	{ "stream_id", PERF_SAMPLE_STREAM_ID, offsetof(struct ebpf_sample, stream_id), true },
	{ "cpu", PERF_SAMPLE_CPU, offsetof(struct ebpf_sample, cpu), false },
	{ "period", PERF_SAMPLE_PERIOD, offsetof(struct ebpf_sample, period), true },
	{ NULL, 0, 0, false },
};

static uint64_t to_part(const char *name)
{
	for (int i = 0; binding_sample_words[i].name; i++)
		if (strcmp(name, binding_sample_words[i].name) == 0)
			return binding_sample_words[i].part;
	return strcmp(name, "callchain") == 0 ? PERF_SAMPLE_CALLCHAIN : 0;
}

/* Asks for the records of that name; false when it is not known. */
static bool ask_records(struct perf_event_attr *attr, const char *name)
{
	static const char *const names[] = { "comm", "task", "mmap", "mmap2", "switch", "namespaces", "ksymbol", "bpf_event", "cgroup", "text_poke" };
	size_t i = 0;

	while (i < sizeof(names) / sizeof(names[0]) && strcmp(name, names[i]) != 0)
		i++;
	switch (i) {
	case 0: attr->comm = 1; return true;
	case 1: attr->task = 1; return true;
	case 2: attr->mmap = 1; return true;
	case 3: attr->mmap = attr->mmap2 = 1; return true;
	case 4: attr->context_switch = 1; return true;
	case 5: attr->namespaces = 1; return true;
	case 6: attr->ksymbol = 1; return true;
	case 7: attr->bpf_event = 1; return true;
	case 8: attr->cgroup = 1; return true;
	case 9: attr->text_poke = 1; return true;
	}
	return false;
}

/* Each name of the list at the top, if there is one, to `take`. */
static void each_name(lua_State *L, struct perf_event_attr *attr, const char *what, bool (*take)(struct perf_event_attr *attr, const char *name))
{
	if (lua_isnil(L, -1))
		return;
	if (!lua_istable(L, -1))
		luaL_error(L, "attr.%s: list of names expected, got %s", what, luaL_typename(L, -1));
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const char *name = binding_to_string(L, -1, what);

		if (!take(attr, name))
			luaL_error(L, "attr.%s: '%s' is not known", what, name);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static bool ask_part(struct perf_event_attr *attr, const char *name)
{
	uint64_t part = to_part(name);

	attr->sample_type |= part;
	return part != 0;
}

static void choose_clock(lua_State *L, struct perf_event_attr *attr, int options)
{
	static const struct { const char *name; int clock; } clocks[] = {
		{ "monotonic", CLOCK_MONOTONIC }, { "monotonic_raw", CLOCK_MONOTONIC_RAW }, { "boottime", CLOCK_BOOTTIME },
		{ "realtime", CLOCK_REALTIME }, { "tai", CLOCK_TAI },
	};
	const char *name = binding_option_string(L, options, "clock", "monotonic");

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		if (strcmp(name, clocks[i].name) != 0)
			continue;
		attr->use_clockid = 1;
		attr->clockid = clocks[i].clock;
		return;
	}
	luaL_error(L, "attr.clock: '%s' is no clock (\"monotonic\", \"monotonic_raw\", \"boottime\", \"realtime\", \"tai\")", name);
}

/* options.attr; pushes it as userdata. NULL when there is none. */
static const struct perf_event_attr *to_attr(lua_State *L, int options)
{
	static const char *const names[] = {
		"sample", "records", "clock", "period", "max_stack", "exclude_callchain_kernel", "exclude_callchain_user", "regs_user", "stack_user", NULL
	};

	if (!lua_istable(L, options) || lua_getfield(L, options, "attr") == LUA_TNIL)
		return NULL;
	int table = lua_gettop(L);

	luaL_argexpected(L, lua_istable(L, table), options, "a table as the option 'attr'");
	binding_check_options(L, table, names);
	struct perf_event_attr *attr = lua_newuserdatauv(L, sizeof(*attr), 0);

	memset(attr, 0, sizeof(*attr));
	attr->size = sizeof(*attr);
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_BPF_OUTPUT;
	attr->sample_type = PERF_SAMPLE_RAW;
	choose_clock(L, attr, table);
	attr->sample_period = binding_option_integer(L, table, "period", INT64_MAX, 1);
	attr->sample_max_stack = (uint16_t)binding_option_integer(L, table, "max_stack", UINT16_MAX, 0);
	attr->exclude_callchain_kernel = binding_option_boolean(L, table, "exclude_callchain_kernel", false);
	attr->exclude_callchain_user = binding_option_boolean(L, table, "exclude_callchain_user", false);
	attr->sample_regs_user = binding_option_integer(L, table, "regs_user", UINT64_MAX, 0);
	attr->sample_stack_user = (uint32_t)binding_option_integer(L, table, "stack_user", UINT16_MAX, 0);
	attr->sample_type |= (attr->sample_regs_user ? PERF_SAMPLE_REGS_USER : 0) | (attr->sample_stack_user ? PERF_SAMPLE_STACK_USER : 0);
	lua_getfield(L, table, "sample");
	each_name(L, attr, "sample", ask_part);
	lua_getfield(L, table, "records");
	each_name(L, attr, "records", ask_records);
	lua_settop(L, table + 1);
	return attr;
}

/* -- opening -- */

static uint32_t option_u32(lua_State *L, int options, const char *name)
{
	return (uint32_t)binding_option_integer(L, options, name, UINT32_MAX, 0);
}

/* The function called `name`, kept as user value `slot`; whether there is one. */
static bool keep_function(lua_State *L, int index, int options, const char *name, int slot)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, name) == LUA_TNIL)
		return false;
	if (!lua_isfunction(L, -1))
		luaL_argerror(L, options, lua_pushfstring(L, "a function expected as the option '%s'", name));
	lua_setiuservalue(L, index, slot);
	return true;
}

/* options.cpus: a list of numbers; pushes it as userdata. NULL when there is none. */
static const uint32_t *to_cpus(lua_State *L, int options, size_t *count)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "cpus") == LUA_TNIL)
		return NULL;
	luaL_argexpected(L, lua_istable(L, -1), options, "a list as the option 'cpus'");
	*count = lua_rawlen(L, -1);
	uint32_t *cpus = lua_newuserdatauv(L, (*count + 1) * sizeof(*cpus), 0);

	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		cpus[i] = (uint32_t)binding_to_integer(L, -1, UINT32_MAX, "cpus");
		lua_pop(L, 1);
	}
	return cpus;
}

static void to_perf_options(lua_State *L, int options, struct ebpf_perf_options *perf)
{
	size_t cpu_count = 0;

	*perf = (struct ebpf_perf_options){
		.size = sizeof(*perf),
		.buffer_size = option_u32(L, options, "buffer_size"),
		.wakeup_events = option_u32(L, options, "wakeup_events"),
		.wakeup_bytes = option_u32(L, options, "wakeup_bytes"),
		.overwrite = binding_option_boolean(L, options, "overwrite", false),
		.ordered = binding_option_boolean(L, options, "ordered", false),
	};
	perf->cpus = to_cpus(L, options, &cpu_count);
	perf->cpu_count = cpu_count;
	perf->attr = to_attr(L, options);
	if (lua_istable(L, options) && lua_getfield(L, options, "refresh") != LUA_TNIL)
		perf->refresh_ns = binding_to_seconds(L, -1, "refresh");
}

typedef int (*open_fn)(struct ebpf_map *, const struct ebpf_perf_options *, struct ebpf_ring **, struct ebpf_error *);

static int open_ring(struct ebpf_map *map, const struct ebpf_perf_options *options, struct ebpf_ring **out, struct ebpf_error *err)
{
	(void)options;
	return ebpf_ring_open(map, out, err);
}

/* Whether a reader of that kind is for the map. */
static bool suits(open_fn open, const struct ebpf_map *map)
{
	const char *type = open == open_ring ? "ringbuf" : "perf_event_array";

	return open == ebpf_ring_open_any || ebpf_map_type(map) == (uint32_t)ebpf_enum_value(EBPF_MAP_TYPE, type);
}

/* The list of maps at `list`, each checked; its core maps are pushed as userdata. */
static struct ebpf_map **to_maps(lua_State *L, int list, size_t count)
{
	struct ebpf_map **maps = lua_newuserdatauv(L, (count + 1) * sizeof(struct ebpf_map *), 0);

	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		if (!luaL_testudata(L, -1, CLASS_MAP))
			luaL_argerror(L, list, lua_pushfstring(L, "a map expected at %d of the list, got %s", (int)i + 1, luaL_typename(L, -1)));
		maps[i] = binding_check_map(L, -1);
		lua_pop(L, 1);
	}
	return maps;
}

static int open_core(struct ebpf_map *const *maps, size_t count, const struct ebpf_perf_options *perf, open_fn open, struct ebpf_ring **out,
		     struct ebpf_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (count == 1 || !suits(open, maps[i])) /* which says why it is not the right one */
			return open(maps[i], perf, out, err);
	return ebpf_ring_open_many(maps, count, perf, out, err);
}

static struct binding_ring *new_ring(lua_State *L, size_t count)
{
	struct binding_ring *ring = binding_new(L, sizeof(*ring) + count * sizeof(ring->parts[0]), RING_USER_VALUES, CLASS_RING);

	ring->count = count;
	return ring;
}

/* The maps, a map or a list of maps at `index` of the caller, belong to the reader on top: a list is copied. */
static void keep_maps(lua_State *L, int maps, size_t count)
{
	if (count == 1 && !lua_istable(L, maps)) {
		lua_pushvalue(L, maps);
	} else if (count == 1) {
		lua_rawgeti(L, maps, 1);
	} else {
		lua_createtable(L, (int)count, 0);
		for (size_t i = 1; i <= count; i++) {
			lua_rawgeti(L, maps, (lua_Integer)i);
			lua_rawseti(L, -2, (lua_Integer)i);
		}
	}
	lua_setiuservalue(L, -2, RING_MAPS);
}

static int open_reader(lua_State *L, int maps, int options, const char *const *names, open_fn open)
{
	options = lua_absindex(L, options);
	maps = lua_absindex(L, maps);
	bool list = lua_istable(L, maps);
	size_t count = list ? lua_rawlen(L, maps) : 1;
	struct ebpf_perf_options perf;

	if (!list)
		binding_check_map(L, maps);
	luaL_argcheck(L, count > 0, maps, "a list of maps has none");
	binding_check_options(L, options, names);
	to_perf_options(L, options, &perf);
	struct binding_ring *ring = new_ring(L, count);
	int index = lua_gettop(L);

	keep_maps(L, maps, count);
	ring->tells_lost = keep_function(L, index, options, "lost", RING_LOST);
	if (keep_function(L, index, options, "other", RING_OTHER)) {
		perf.other = binding_ring_on_other;
		perf.other_context = ring;
	}
	struct ebpf_map *one = list ? NULL : binding_check_map(L, maps), **all = list ? to_maps(L, maps, count) : &one;

	if (open_core(all, count, &perf, open, &ring->ring, binding_error(L)) < 0)
		return binding_fail(L);
	ring->busy++; /* its layouts stay while the plan is made */
	bool good = plan(L, ring, index, options);

	if (lua_istable(L, options) && lua_getfield(L, options, "every") != LUA_TNIL)
		ring->interval = binding_to_seconds(L, -1, "every");
	binding_ring_leave(L, ring, index);
	if (!good)
		return binding_fail(L);
	lua_settop(L, index);
	return 1;
}

#define RECORD_OPTIONS BINDING_SHAPE_OPTIONS, "where", "lost", "lost_map", "every"
static const char *const ring_options[] = { RECORD_OPTIONS, NULL };
static const char *const perf_options[] = {
	RECORD_OPTIONS, "buffer_size", "wakeup_events", "wakeup_bytes", "overwrite", "ordered", "cpus", "attr", "other", "refresh", NULL
};

int binding_ring_open(lua_State *L, int map, int options)
{
	return open_reader(L, map, options, perf_options, ebpf_ring_open_any);
}

/* core.ringbuf(map or maps [, options]) -> reader */
static int l_ringbuf(lua_State *L)
{
	lua_settop(L, 2);
	return open_reader(L, 1, 2, ring_options, open_ring);
}

/* core.perf(map or maps [, options]) -> reader */
static int l_perf(lua_State *L)
{
	lua_settop(L, 2);
	return open_reader(L, 1, 2, perf_options, ebpf_ring_open_perf);
}

/* core.events(map or maps [, options]) -> reader of either kind */
static int l_events(lua_State *L)
{
	lua_settop(L, 2);
	return binding_ring_open(L, 1, 2);
}

static const luaL_Reg functions[] = { { "ringbuf", l_ringbuf }, { "perf", l_perf }, { "events", l_events }, { NULL, NULL } };

void binding_open_readers(lua_State *L)
{
	luaL_setfuncs(L, functions, 0);
}
