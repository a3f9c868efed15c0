/* sink.c -- sinks: declared by a table of fields, fed in C, read as tables.
 *
 * A declaration is read into the core's options, whose strings stay borrowed from it; lists are userdata. What a sink's rows are made with (the names of
 * keys and columns) is kept beside it, so that reading interns nothing. */
#include <string.h>

#include <lualib.h>

#include "binding.h"

enum { NAMES = 1, FILE_KEPT, USER_VALUES = FILE_KEPT };

struct sink {
	struct ebpf_sink *sink;
	uint32_t keys, columns;
	bool reading, close_later; /* a finalizer may want to close it while it is read */
};

static struct sink *check(lua_State *L, int index)
{
	return binding_check(L, index, CLASS_SINK);
}

struct ebpf_sink *binding_check_sink(lua_State *L, int index)
{
	return check(L, index)->sink;
}

/* -- conditions -- */

struct conditions { /* in a userdata at `at` on the stack, replaced as it grows */
	lua_State *L;
	int at;
	struct ebpf_condition *items;
	uint32_t count, capacity;
};

static struct ebpf_condition *add_condition(struct conditions *list)
{
	if (list->count == list->capacity) {
		uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
		struct ebpf_condition *items = lua_newuserdatauv(list->L, capacity * sizeof(*items), 0);

		if (list->count)
			memcpy(items, list->items, list->count * sizeof(*items));
		lua_replace(list->L, list->at);
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count] = (struct ebpf_condition){ 0 };
	return &list->items[list->count++];
}

static void to_datum(lua_State *L, int index, const char *field, struct ebpf_datum *out)
{
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		*out = (struct ebpf_datum){ .kind = EBPF_DATUM_BOOL, .number = lua_toboolean(L, index) };
		break;
	case LUA_TNUMBER: {
		int exact;
		lua_Integer number = lua_tointegerx(L, index, &exact);

		*out = (struct ebpf_datum){ .kind = exact ? EBPF_DATUM_INT : EBPF_DATUM_REAL, .number = number, .real = lua_tonumber(L, index) };
		break;
	}
	case LUA_TSTRING:
		*out = (struct ebpf_datum){ .kind = EBPF_DATUM_BYTES };
		out->text = lua_tolstring(L, index, &out->size);
		break;
	default:
		luaL_error(L, "where: field '%s': number, string or boolean expected, got %s", field, luaL_typename(L, index));
	}
}

static void add_test(struct conditions *list, enum ebpf_test test, const char *field, int value)
{
	struct ebpf_datum datum = { 0 };

	to_datum(list->L, value, field, &datum);
	struct ebpf_condition *condition = add_condition(list);

	condition->test = test;
	condition->field = field;
	condition->value = datum;
}

static enum ebpf_test to_test(lua_State *L, int index)
{
	static const struct {
		const char *name;
		enum ebpf_test test;
	} tests[] = {
		{ "==", EBPF_TEST_EQ }, { "~=", EBPF_TEST_NE }, { "!=", EBPF_TEST_NE }, { "<", EBPF_TEST_LT }, { "<=", EBPF_TEST_LE },
		{ ">", EBPF_TEST_GT }, { ">=", EBPF_TEST_GE }, { "&", EBPF_TEST_BITS }, { "prefix", EBPF_TEST_PREFIX }, { "find", EBPF_TEST_FIND },
	};
	const char *name = lua_tostring(L, index);

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (strcmp(tests[i].name, name) == 0)
			return tests[i].test;
	luaL_error(L, "where: unknown test '%s' (known: == ~= < <= > >= & prefix find)", name);
	return EBPF_TEST_EQ;
}

static uint32_t add_members(struct conditions *list, int index);

static void add_group(struct conditions *list, enum ebpf_test test, int index)
{
	uint32_t at = list->count;

	add_condition(list)->test = test;
	uint32_t count = add_members(list, index);

	list->items[at].count = count;
}

/* field = value, field = { value, value }, any = { ... } */
static void add_named(struct conditions *list, const char *name, int value)
{
	static const char *const groups[] = { "all", "any", "none" };
	lua_State *L = list->L;

	if (!lua_istable(L, value)) {
		add_test(list, EBPF_TEST_EQ, name, value);
		return;
	}
	for (int i = 0; i < 3; i++)
		if (strcmp(name, groups[i]) == 0) {
			add_group(list, EBPF_TEST_ALL + i, value);
			return;
		}
	uint32_t at = list->count;

	add_condition(list)->test = EBPF_TEST_ANY;
	list->items[at].count = (uint32_t)lua_rawlen(L, value);
	for (uint32_t i = 1; i <= list->items[at].count; i++) {
		lua_rawgeti(L, value, i);
		add_test(list, EBPF_TEST_EQ, name, lua_gettop(L));
		lua_pop(L, 1);
	}
}

/* { "pid", ">", 10 }: true when it is one, and has been added. */
static bool add_triple(struct conditions *list, int index)
{
	lua_State *L = list->L;
	bool is_triple = lua_rawgeti(L, index, 1) == LUA_TSTRING;

	if (is_triple) {
		if (lua_rawgeti(L, index, 2) != LUA_TSTRING)
			luaL_error(L, "where: { \"field\", \"test\", value } expected");
		lua_rawgeti(L, index, 3);
		add_test(list, to_test(L, -2), lua_tostring(L, -3), lua_gettop(L));
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	return is_triple;
}

/* Adds what the table at `index` has; returns how many conditions that are, not counting those within them. */
static uint32_t add_members(struct conditions *list, int index)
{
	lua_State *L = list->L;
	uint32_t count = 0;

	luaL_checkstack(L, 8, "conditions nested too deeply");
	if (add_triple(list, index))
		return 1;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		int value = lua_gettop(L);

		count++;
		if (lua_type(L, -2) == LUA_TSTRING)
			add_named(list, lua_tostring(L, -2), value);
		else if (!lua_isinteger(L, -2) || !lua_istable(L, value))
			luaL_error(L, "where: a condition is a table or a field with its value, got %s", luaL_typename(L, value));
		else if (!add_triple(list, value))
			add_group(list, EBPF_TEST_ALL, value);
		lua_settop(L, value - 1);
	}
	return count;
}

/* Pushes the userdata that holds them. */
static struct conditions to_conditions(lua_State *L, int index)
{
	struct conditions list = { .L = L };

	index = lua_absindex(L, index);
	if (!lua_istable(L, index))
		luaL_error(L, "where: table expected, got %s", luaL_typename(L, index));
	lua_pushnil(L);
	list.at = lua_gettop(L);
	add_members(&list, index);
	return list;
}

struct ebpf_filter *binding_to_filter(lua_State *L, const struct ebpf_layout *layout, int index)
{
	struct conditions list = to_conditions(L, index);
	struct ebpf_filter *filter = NULL;

	if (ebpf_filter_new(layout, list.items, list.count, &filter, binding_error(L)) < 0)
		return NULL;
	return filter;
}

/* -- declarations -- */

/* A name or a list of names: pushes the list as userdata. */
static const char **to_names(lua_State *L, int index, const char *what, size_t *count)
{
	bool one = lua_type(L, index) == LUA_TSTRING;

	if (!one && !lua_istable(L, index))
		luaL_error(L, "%s: a field's name or a list of them expected, got %s", what, luaL_typename(L, index));
	*count = one ? 1 : lua_rawlen(L, index);
	const char **names = lua_newuserdatauv(L, (*count + 1) * sizeof(*names), 0);

	for (size_t i = 0; i < *count; i++) {
		if (one)
			lua_pushvalue(L, index);
		else
			lua_rawgeti(L, index, (lua_Integer)i + 1);
		names[i] = binding_to_string(L, -1, what); /* which the declaration holds */
		lua_pop(L, 1);
	}
	return names;
}

enum { COLUMNS_MAX = 64 };

struct declaration {
	struct ebpf_sink_options options;
	struct ebpf_sink_column columns[COLUMNS_MAX];
};

static struct ebpf_sink_column *add_column(lua_State *L, struct declaration *out, enum ebpf_sink_function function, const char *field)
{
	if (out->options.column_count == COLUMNS_MAX)
		luaL_error(L, "sink: more than %d columns", COLUMNS_MAX);
	struct ebpf_sink_column *column = &out->columns[out->options.column_count++];

	*column = (struct ebpf_sink_column){ .function = function, .field = field };
	return column;
}

static const struct {
	const char *name;
	enum ebpf_sink_function function;
} functions_by_name[] = {
	{ "sum", EBPF_SINK_SUM }, { "min", EBPF_SINK_MIN }, { "max", EBPF_SINK_MAX }, { "avg", EBPF_SINK_AVG }, { "hist", EBPF_SINK_HIST },
	{ "last", EBPF_SINK_LAST },
};
enum { FUNCTIONS = sizeof(functions_by_name) / sizeof(functions_by_name[0]) };

static const char *function_name(enum ebpf_sink_function function)
{
	for (int i = 0; i < FUNCTIONS; i++)
		if (functions_by_name[i].function == function)
			return functions_by_name[i].name;
	return function == EBPF_SINK_LINEAR ? "lhist" : "count";
}

/* lhist = { latency = { low, high, step } } */
static void add_linear(lua_State *L, struct declaration *out, int index)
{
	if (!lua_istable(L, index))
		luaL_error(L, "lhist: { field = { low, high, step } } expected, got %s", luaL_typename(L, index));
	lua_pushnil(L);
	while (lua_next(L, index)) {
		int64_t numbers[3];

		if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1))
			luaL_error(L, "lhist: { field = { low, high, step } } expected");
		for (int i = 0; i < 3; i++) {
			lua_rawgeti(L, -1 - i, i + 1);
			numbers[i] = (int64_t)binding_to_integer(L, -1, UINT64_MAX, "lhist");
		}
		lua_pop(L, 4);
		struct ebpf_sink_column *column = add_column(L, out, EBPF_SINK_LINEAR, lua_tostring(L, -1));

		column->low = numbers[0];
		column->high = numbers[1];
		column->step = numbers[2];
	}
}

static void declare_key(lua_State *L, struct declaration *out, int index)
{
	bool by = lua_getfield(L, index, "by") != LUA_TNIL;
	int by_at = lua_gettop(L), type = lua_getfield(L, index, "count");

	if (type == LUA_TSTRING || type == LUA_TTABLE) {
		if (by)
			luaL_error(L, "sink: count = %s names the key, and so does `by`: give one of them", type == LUA_TSTRING ? "\"field\"" : "{ ... }");
		by = true;
		by_at = lua_gettop(L);
	} else if (type != LUA_TNIL && type != LUA_TBOOLEAN) {
		luaL_error(L, "count: true or the fields to count by expected, got %s", luaL_typename(L, -1));
	}
	if (type != LUA_TNIL && (type != LUA_TBOOLEAN || lua_toboolean(L, -1)))
		add_column(L, out, EBPF_SINK_COUNT, NULL);
	if (by)
		out->options.by = to_names(L, by_at, "by", &out->options.by_count);
}

/* Leaves on the stack what must stay while `out` is used. */
static void declare_groups(lua_State *L, struct declaration *out, int index)
{
	static const char *const names[] = { "by", "count", "sum", "min", "max", "avg", "hist", "lhist", "last", "where", "limit", "enums", NULL };

	binding_check_options(L, index, names);
	declare_key(L, out, index);
	for (int i = 0; i < FUNCTIONS; i++) {
		size_t count;

		if (lua_getfield(L, index, functions_by_name[i].name) == LUA_TNIL)
			continue;
		const char **fields = to_names(L, lua_gettop(L), functions_by_name[i].name, &count);

		for (size_t k = 0; k < count; k++)
			add_column(L, out, functions_by_name[i].function, fields[k]);
	}
	if (lua_getfield(L, index, "lhist") != LUA_TNIL)
		add_linear(L, out, lua_gettop(L));
	if (!out->options.column_count)
		luaL_error(L, "sink: what is it to keep? (count, sum, min, max, avg, hist, lhist, last; or ndjson, csv)");
	out->options.limit = (uint32_t)binding_option_integer(L, index, "limit", UINT32_MAX - 1, 0);
}

/* -- making -- */

/* Keeps the names of keys and columns: "comm", ..., "count", "sum_bytes". */
static void keep_names(lua_State *L, int sink, const struct declaration *from)
{
	lua_Integer at = 0;

	lua_createtable(L, (int)(from->options.by_count + from->options.column_count), 0);
	for (size_t i = 0; i < from->options.by_count; i++) {
		lua_pushstring(L, from->options.by[i]);
		lua_rawseti(L, -2, ++at);
	}
	for (size_t i = 0; i < from->options.column_count; i++) {
		const struct ebpf_sink_column *column = &from->columns[i];

		if (column->function == EBPF_SINK_LAST || !column->field)
			lua_pushstring(L, column->field ? column->field : "count");
		else
			lua_pushfstring(L, "%s_%s", function_name(column->function), column->field);
		lua_rawseti(L, -2, ++at);
	}
	lua_setiuservalue(L, sink, NAMES);
}

static bool names_wanted(lua_State *L, int index, const char *otherwise)
{
	const char *enums = binding_option_string(L, index, "enums", otherwise);

	if (strcmp(enums, "numbers") != 0 && strcmp(enums, "names") != 0)
		luaL_error(L, "enums: \"numbers\" or \"names\" expected, got \"%s\"", enums);
	return strcmp(enums, "names") == 0;
}

static int new_groups(lua_State *L, struct sink *sink, int at, const struct ebpf_layout *layout, int index)
{
	struct declaration *declaration = lua_newuserdatauv(L, sizeof(*declaration), 0);

	memset(declaration, 0, sizeof(*declaration));
	declaration->options.size = sizeof(declaration->options);
	declare_groups(L, declaration, index);
	declaration->options.columns = declaration->columns;
	declaration->options.enum_names = names_wanted(L, index, "numbers");
	if (lua_getfield(L, index, "where") != LUA_TNIL) {
		struct conditions list = to_conditions(L, lua_gettop(L));

		declaration->options.where = list.items;
		declaration->options.where_count = list.count;
	}
	keep_names(L, at, declaration);
	sink->keys = (uint32_t)declaration->options.by_count;
	sink->columns = (uint32_t)declaration->options.column_count;
	return ebpf_sink_new_groups(layout, &declaration->options, &sink->sink, binding_error(L));
}

/* What the value on top stands for: a path, a descriptor or a Lua file. */
static void choose_target(lua_State *L, int at, struct ebpf_writer_options *options)
{
	luaL_Stream *file = luaL_testudata(L, -1, LUA_FILEHANDLE);

	if (lua_isinteger(L, -1)) {
		options->fd = (int)binding_to_integer(L, -1, INT32_MAX, "descriptor");
	} else if (file) {
		if (!file->closef)
			luaL_error(L, "file is closed");
		fflush(file->f);
		options->fd = fileno(file->f);
		lua_pushvalue(L, -1);
		lua_setiuservalue(L, at, FILE_KEPT);
	} else {
		options->path = binding_to_string(L, -1, "path");
	}
}

static int new_writer(lua_State *L, struct sink *sink, int at, const struct ebpf_layout *layout, int index, enum ebpf_sink_format format)
{
	static const char *const names[] = { "ndjson", "csv", "fields", "where", "header", "append", "enums", "buffered", NULL };
	struct ebpf_writer_options options = { .size = sizeof(options), .format = format };

	binding_check_options(L, index, names);
	options.append = binding_option_boolean(L, index, "append", false);
	options.when_full = binding_option_boolean(L, index, "buffered", false);
	options.enum_numbers = !names_wanted(L, index, "names");
	options.no_header = !binding_option_boolean(L, index, "header", true);
	if (lua_getfield(L, index, "fields") != LUA_TNIL)
		options.fields = to_names(L, lua_gettop(L), "fields", &options.field_count);
	if (lua_getfield(L, index, "where") != LUA_TNIL) {
		struct conditions list = to_conditions(L, lua_gettop(L));

		options.where = list.items;
		options.where_count = list.count;
	}
	lua_getfield(L, index, format == EBPF_SINK_CSV ? "csv" : "ndjson");
	choose_target(L, at, &options);
	return ebpf_sink_new_writer(layout, &options, &sink->sink, binding_error(L));
}

int binding_sink_new(lua_State *L, const struct ebpf_layout *layout, int index)
{
	index = lua_absindex(L, index);
	luaL_checktype(L, index, LUA_TTABLE);
	luaL_checkstack(L, 40, NULL);
	bool csv = lua_getfield(L, index, "csv") != LUA_TNIL, json = lua_getfield(L, index, "ndjson") != LUA_TNIL;

	if (csv && json)
		luaL_error(L, "sink: ndjson and csv exclude each other");
	struct sink *sink = binding_new(L, sizeof(*sink), USER_VALUES, CLASS_SINK);
	int at = lua_gettop(L), result;

	if (csv || json)
		result = new_writer(L, sink, at, layout, index, csv ? EBPF_SINK_CSV : EBPF_SINK_JSON);
	else
		result = new_groups(L, sink, at, layout, index);
	if (result < 0)
		return binding_fail(L);
	lua_settop(L, at);
	return 1;
}

/* -- reading -- */

static void push_datum(lua_State *L, const struct ebpf_datum *datum)
{
	switch (datum->kind) {
	case EBPF_DATUM_NONE: lua_pushnil(L); break;
	case EBPF_DATUM_INT:
	case EBPF_DATUM_UINT: lua_pushinteger(L, datum->number); break;
	case EBPF_DATUM_REAL: lua_pushnumber(L, datum->real); break;
	case EBPF_DATUM_BOOL: lua_pushboolean(L, datum->number != 0); break;
	case EBPF_DATUM_BYTES: lua_pushlstring(L, datum->text, datum->size); break;
	}
}

/* A list of { low =, high =, count = }, from the first bucket that has something to the last. */
static void push_buckets(lua_State *L, const struct sink *sink, size_t group, uint32_t column)
{
	size_t count = 0, first = 0;
	const uint64_t *buckets = ebpf_sink_buckets(sink->sink, group, column, &count);

	while (count > first && !buckets[count - 1])
		count--;
	while (first < count && !buckets[first])
		first++;
	lua_createtable(L, (int)(count - first), 0);
	for (size_t i = first; i < count; i++) {
		int64_t low, high;

		/* Nothing of the sink is kept over an allocation but its numbers: a finalizer may feed it. */
		buckets = ebpf_sink_buckets(sink->sink, group, column, &(size_t){ 0 });
		uint64_t records = buckets ? buckets[i] : 0;

		ebpf_sink_range(sink->sink, column, i, &low, &high);
		lua_createtable(L, 0, 3);
		binding_set_integer(L, "low", (uint64_t)low);
		binding_set_integer(L, "high", (uint64_t)high);
		binding_set_integer(L, "count", records);
		lua_rawseti(L, -2, (lua_Integer)(i - first) + 1);
	}
}

static void push_column(lua_State *L, const struct sink *sink, size_t group, uint32_t column)
{
	struct ebpf_datum datum;
	size_t count;

	if (ebpf_sink_buckets(sink->sink, group, column, &count)) {
		push_buckets(L, sink, group, column);
		return;
	}
	ebpf_sink_value(sink->sink, group, column, &datum);
	push_datum(L, &datum);
}

/* With its keys, or without. `names` is the stack index of the list of names. */
static void push_row(lua_State *L, const struct sink *sink, int names, size_t group, bool keys)
{
	struct ebpf_datum datum;

	lua_createtable(L, 0, (int)(sink->columns + (keys ? sink->keys : 0)));
	for (uint32_t i = 0; keys && i < sink->keys; i++) {
		lua_rawgeti(L, names, i + 1);
		ebpf_sink_key(sink->sink, group, i, &datum);
		push_datum(L, &datum);
		lua_rawset(L, -3);
	}
	for (uint32_t i = 0; i < sink->columns; i++) {
		lua_rawgeti(L, names, (lua_Integer)sink->keys + i + 1);
		push_column(L, sink, group, i);
		lua_rawset(L, -3);
	}
}

/* Arguments: the sink, its names. */
static int collect_rows(lua_State *L)
{
	struct sink *sink = lua_touserdata(L, 1);

	lua_createtable(L, (int)ebpf_sink_count(sink->sink), 0);
	for (size_t i = 0; i < ebpf_sink_count(sink->sink); i++) {
		push_row(L, sink, 2, i, true);
		lua_rawseti(L, 3, (lua_Integer)i + 1);
	}
	return 1;
}

/* What a group's key leads to: its row, or the value of the only column. */
static void push_value(lua_State *L, const struct sink *sink, size_t group)
{
	if (sink->columns == 1)
		push_column(L, sink, group, 0);
	else
		push_row(L, sink, 2, group, false);
}

/* Pushes the table at key `i` of the group within the table on top, made if it is new, and takes that table off. */
static void enter_key(lua_State *L, const struct sink *sink, size_t group, uint32_t i)
{
	struct ebpf_datum datum;

	ebpf_sink_key(sink->sink, group, i, &datum);
	push_datum(L, &datum);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, -3) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, -5);
	}
	lua_replace(L, -3);
	lua_pop(L, 1);
}

/* Arguments: the sink, its names. */
static int collect_values(lua_State *L)
{
	struct sink *sink = lua_touserdata(L, 1);
	struct ebpf_datum datum;

	if (!sink->keys) {
		if (!sink->columns)
			return luaL_error(L, "a sink that writes has nothing to read");
		push_value(L, sink, 0);
		return 1;
	}
	lua_createtable(L, 0, 16);
	for (size_t group = 0; group < ebpf_sink_count(sink->sink); group++) {
		lua_pushvalue(L, 3);
		for (uint32_t i = 0; i + 1 < sink->keys; i++)
			enter_key(L, sink, group, i);
		ebpf_sink_key(sink->sink, group, sink->keys - 1, &datum);
		if (datum.kind == EBPF_DATUM_REAL && datum.real != datum.real) {
			lua_settop(L, 3);
			continue; /* NaN is no key in Lua; sink:rows() has it */
		}
		push_datum(L, &datum);
		push_value(L, sink, group);
		lua_rawset(L, -3);
		lua_settop(L, 3);
	}
	return 1;
}

static void let_go(struct sink *sink)
{
	struct ebpf_sink *core = sink->sink;

	sink->sink = NULL;
	ebpf_sink_free(core);
}

/* Makes tables by `collect`; a finalizer that runs meanwhile and closes the sink has it closed afterwards. */
static int read_sink(lua_State *L, lua_CFunction collect)
{
	struct sink *sink = check(L, 1);

	if (sink->reading)
		return luaL_error(L, "the sink is being read already");
	lua_settop(L, 1);
	lua_pushcfunction(L, collect);
	lua_pushvalue(L, 1);
	lua_getiuservalue(L, 1, NAMES);
	sink->reading = true;
	int status = lua_pcall(L, 2, 1, 0);

	sink->reading = false;
	if (sink->close_later)
		let_go(sink);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* sink:rows() -> { { comm = "bash", count = 3 }, ... }, in the order of their first records */
static int l_sink_rows(lua_State *L)
{
	return read_sink(L, collect_rows);
}

/* sink:read() -> { bash = 3, ... }: by the keys, one table within another; of several columns a table of them; without keys just that */
static int l_sink_read(lua_State *L)
{
	return read_sink(L, collect_values);
}

/* sink:totals() -> { seen =, passed =, filtered =, shorter =, refused =, bytes =, error = "ENOSPC" or nil } */
static int l_sink_totals(lua_State *L)
{
	struct ebpf_sink_totals totals;

	ebpf_sink_totals(check(L, 1)->sink, &totals);
	lua_createtable(L, 0, 7);
	binding_set_integer(L, "seen", totals.seen);
	binding_set_integer(L, "passed", totals.passed);
	binding_set_integer(L, "filtered", totals.filtered);
	binding_set_integer(L, "shorter", totals.shorter);
	binding_set_integer(L, "refused", totals.refused);
	binding_set_integer(L, "bytes", totals.bytes);
	if (totals.error)
		binding_set_string(L, "error", ebpf_errno_name(totals.error));
	return 1;
}

/* -- the rest -- */

/* sink:feed(bytes): one record from elsewhere */
static int l_sink_feed(lua_State *L)
{
	size_t size;
	const char *data = luaL_checklstring(L, 2, &size);

	ebpf_sink_feed(check(L, 1)->sink, data, size);
	return 0;
}

static int l_sink_flush(lua_State *L)
{
	return binding_result(L, ebpf_sink_flush(check(L, 1)->sink, binding_error(L)));
}

static int l_sink_clear(lua_State *L)
{
	ebpf_sink_clear(check(L, 1)->sink);
	return 0;
}

static int l_sink_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)ebpf_sink_count(check(L, 1)->sink));
	return 1;
}

/* sink:close() -> true; or nil, err when the last lines could not be written, which are gone then */
static int l_sink_close(lua_State *L)
{
	struct sink *sink = luaL_checkudata(L, 1, CLASS_SINK);
	int result = sink->sink ? ebpf_sink_flush(sink->sink, binding_error(L)) : 0;

	if (sink->reading)
		sink->close_later = true;
	else
		let_go(sink);
	return binding_result(L, result);
}

static int l_sink_gc(lua_State *L)
{
	struct sink *sink = luaL_checkudata(L, 1, CLASS_SINK);

	if (sink->reading)
		sink->close_later = true;
	else
		let_go(sink);
	return 0;
}

static int l_sink_tostring(lua_State *L)
{
	struct sink *sink = luaL_checkudata(L, 1, CLASS_SINK);

	lua_pushfstring(L, "%d groups", sink->sink ? (int)ebpf_sink_count(sink->sink) : 0);
	return binding_tostring(L, CLASS_SINK, sink->columns || !sink->sink ? lua_tostring(L, -1) : "writer");
}

static const luaL_Reg methods[] = {
	{ "rows", l_sink_rows }, { "read", l_sink_read }, { "totals", l_sink_totals }, { "feed", l_sink_feed }, { "flush", l_sink_flush },
	{ "clear", l_sink_clear }, { "close", l_sink_close }, { NULL, NULL }
};
static const luaL_Reg metamethods[] = {
	{ "__tostring", l_sink_tostring }, { "__len", l_sink_count }, { "__close", l_sink_gc }, { "__gc", l_sink_gc }, { NULL, NULL }
};

void binding_open_sink(lua_State *L)
{
	static const struct binding_class class = { CLASS_SINK, methods, NULL, NULL, metamethods, NULL };

	binding_class_register(L, &class);
}
