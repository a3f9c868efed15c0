/* btf_text.c -- types and values as text: methods of the handles of btf.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

#define CLASS_TEXT "ebpf.text"

/* What the core prints, until Lua has it: owned by a userdata, since the core must not be left by an error. */
struct text {
	char *data;
	size_t size, capacity;
};

static int text_gc(lua_State *L)
{
	struct text *text = luaL_checkudata(L, 1, CLASS_TEXT);

	free(text->data);
	memset(text, 0, sizeof(*text));
	return 0;
}

static int add_text(void *context, const char *data, size_t size)
{
	struct text *text = context;

	if (size > text->capacity - text->size) {
		size_t capacity = text->capacity * 2 > text->size + size ? text->capacity * 2 : text->size + size;
		char *grown = realloc(text->data, capacity);

		if (!grown)
			return -ENOMEM;
		text->data = grown;
		text->capacity = capacity;
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
	return 0;
}

static int write_file(void *context, const char *data, size_t size)
{
	return fwrite(data, 1, size, context) == size ? 0 : errno ? -errno : -EIO;
}

/* Where a text goes: the file of the option `to`, or a userdata that is pushed. */
struct sink {
	ebpf_write_fn write;
	void *context;
	struct text *text;
};

static struct sink new_sink(lua_State *L, FILE *file)
{
	if (file)
		return (struct sink){ write_file, file, NULL };
	struct text *text = binding_new(L, sizeof(*text), 0, CLASS_TEXT);

	return (struct sink){ add_text, text, text };
}

/* The text, or true when it went to a file, or nil, err. */
static int push_result(lua_State *L, const struct sink *sink, int result)
{
	if (result < 0)
		return binding_fail(L);
	if (sink->text)
		lua_pushlstring(L, sink->text->data ? sink->text->data : "", sink->text->size);
	else
		lua_pushboolean(L, 1);
	return 1;
}

/* A list of types at `index`, as a userdata of their ids that is pushed; false with binding_error() filled. */
static bool push_ids(lua_State *L, const struct ebpf_btf *btf, int index, uint32_t **ids, size_t *count)
{
	luaL_checktype(L, index, LUA_TTABLE);
	*count = (size_t)luaL_len(L, index);
	*ids = lua_newuserdatauv(L, *count * sizeof(**ids) + 1, 0);
	for (size_t i = 0; i < *count; i++) {
		lua_geti(L, index, (lua_Integer)i + 1);
		int64_t id = binding_to_type_id(L, btf, lua_gettop(L));

		if (id < 0)
			return false;
		(*ids)[i] = (uint32_t)id;
		lua_pop(L, 1);
	}
	return true;
}

static FILE *to_file(lua_State *L, int index)
{
	luaL_Stream *stream = luaL_testudata(L, index, LUA_FILEHANDLE);

	if (stream && stream->closef)
		return stream->f;
	luaL_error(L, stream ? "to: the file is closed" : "to: an open file expected, got %s", luaL_typename(L, index));
	return NULL;
}

/* btf:dump { format = "c" (default), "raw" or "json", types = { ... }, to = file, of "c": header =, sort =, functions = } -> text; true with `to` */
int binding_btf_dump(lua_State *L)
{
	static const char *const names[] = { "format", "types", "to", "header", "sort", "functions", NULL };
	struct ebpf_print_options options = { .size = sizeof(options) };
	uint32_t *ids = NULL;
	FILE *file = NULL;

	lua_settop(L, 2);
	struct ebpf_btf *btf = binding_check_btf(L, 1);
	bool given = binding_check_options(L, 2, names);
	const char *format = binding_option_string(L, 2, "format", "c");
	bool is_c = strcmp(format, "c") == 0, is_json = strcmp(format, "json") == 0;

	if (!is_c && !is_json && strcmp(format, "raw") != 0)
		return luaL_error(L, "format: 'c', 'raw' or 'json' expected, got '%s'", format);
	options.header = binding_option_boolean(L, 2, "header", false);
	options.sort = binding_option_boolean(L, 2, "sort", false);
	options.functions = binding_option_boolean(L, 2, "functions", false);
	if (!is_c && (options.header || options.sort || options.functions))
		return luaL_error(L, "header, sort and functions are for the format 'c' alone");
	if (given && lua_getfield(L, 2, "types") != LUA_TNIL) {
		if (!push_ids(L, btf, lua_gettop(L), &ids, &options.type_count))
			return binding_fail(L);
		if (!options.type_count)
			return luaL_error(L, "types: the list is empty");
	}
	options.types = ids;
	/* Last, since finalizers that allocating may run could close the file. */
	if (given && lua_getfield(L, 2, "to") != LUA_TNIL)
		file = to_file(L, lua_gettop(L));
	struct sink sink = new_sink(L, file);

	btf = binding_check_btf(L, 1);
	if (is_c)
		return push_result(L, &sink, ebpf_btf_print_c(btf, &options, sink.write, sink.context, binding_error(L)));
	return push_result(L, &sink,
			   ebpf_btf_print_raw(btf, ids, options.type_count, is_json, sink.write, sink.context, binding_error(L)));
}

/* btf:declare(type [, name]) -> "int (*name)(void *)" */
int binding_btf_declare(lua_State *L)
{
	lua_settop(L, 3);
	int64_t id = binding_to_type_id(L, binding_check_btf(L, 1), 2);
	const char *name = lua_isnil(L, 3) ? "" : binding_to_string(L, 3, "name");

	if (id < 0)
		return binding_fail(L);
	struct sink sink = new_sink(L, NULL);

	return push_result(L, &sink,
			   ebpf_btf_print_declaration(binding_check_btf(L, 1), (uint32_t)id, name, sink.write, sink.context, binding_error(L)));
}

/* btf:format(type, bytes [, options]) -> text; of bytes that are too few nil, err, errno, and the text of what is there */
int binding_btf_format(lua_State *L)
{
	static const char *const names[] = { "compact",	     "skip_names", "emit_zeroes", "emit_strings", "typed",
					     "indent_level", "indent",	   NULL };
	size_t size;

	lua_settop(L, 4);
	int64_t id = binding_to_type_id(L, binding_check_btf(L, 1), 2);
	const char *bytes = luaL_checklstring(L, 3, &size);

	binding_check_options(L, 4, names);
	struct ebpf_value_options options = {
		.size = sizeof(options),
		.compact = binding_option_boolean(L, 4, "compact", true),
		.skip_names = binding_option_boolean(L, 4, "skip_names", false),
		.emit_zeroes = binding_option_boolean(L, 4, "emit_zeroes", false),
		.emit_strings = binding_option_boolean(L, 4, "emit_strings", true),
		.typed = binding_option_boolean(L, 4, "typed", false),
		.indent_level = (uint32_t)binding_option_integer(L, 4, "indent_level", 1000, 0),
		.indent = binding_option_string(L, 4, "indent", NULL),
	};
	if (id < 0)
		return binding_fail(L);
	struct sink sink = new_sink(L, NULL);
	int result = ebpf_value_print(binding_check_btf(L, 1), (uint32_t)id, bytes, size, &options, sink.write, sink.context, binding_error(L));

	if (result != -E2BIG)
		return push_result(L, &sink, result);
	int count = binding_fail(L);

	lua_pushlstring(L, sink.text->data ? sink.text->data : "", sink.text->size);
	return count + 1;
}

/* btf:parse(type, text) -> bytes */
int binding_btf_parse(lua_State *L)
{
	const struct ebpf_btf *btf = binding_check_btf(L, 1);
	int64_t id = binding_to_type_id(L, btf, 2);
	const char *text = binding_to_string(L, 3, "text");
	int64_t size = id < 0 ? id : ebpf_btf_size(btf, (uint32_t)id, binding_error(L));

	if (size < 0)
		return binding_fail(L);
	void *data = lua_newuserdatauv(L, (size_t)size + 1, 0);

	btf = binding_check_btf(L, 1);
	if (ebpf_value_parse(btf, (uint32_t)id, text, data, (size_t)size, binding_error(L)) < 0)
		return binding_fail(L);
	lua_pushlstring(L, data, (size_t)size);
	return 1;
}

void binding_open_btf_text(lua_State *L)
{
	static const luaL_Reg metamethods[] = { { "__gc", text_gc }, { NULL, NULL } };
	static const struct binding_class class = { CLASS_TEXT, NULL, NULL, NULL, metamethods, NULL };

	binding_class_register(L, &class);
}
