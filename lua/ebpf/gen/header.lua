--- A model -> the text of a C header: a skeleton on the core's C interface (<ebpf.h>), all of it static inline. It carries the
-- object, its types as C, a struct with its maps, programs and links by name, and typed access to its variables and maps.
local header = {}

-- C names of C things; those of functions' own static variables ("counter.1") are no identifiers, and an object may say anything.
-- The words of C and C++ get a "_" behind.
local keywords = {}
for word in ([[
  alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class
  co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype
  default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
  int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
  reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
  template this thread_local throw true try typedef typeid typename typeof union unsigned using virtual void
  volatile wchar_t while xor xor_eq]]):gmatch "%S+" do keywords[word] = true end

local function identifier(name)
  name = name:gsub("[^%w_]", "_")
  return keywords[name] and name .. "_" or name
end

local function literal(text)
  return '"' .. text:gsub('[^%w _%.%-%$%*%[%]/:]', function(c) return ("\\%03o"):format(c:byte()) end) .. '"'
end

-- What an anonymous type of a map or variable is called.
local function own_name(model, part, what) return ("%s_%s_%s"):format(model.name, identifier(part.name), what) end

-- -- types --

-- What is passed by value. A pointer of a BPF program is 64 bits on every machine and means nothing here: a number.
local scalars = { int = true, bool = true, float = true, enum = true }

-- Names that the C library's headers give to types of its own, which need not be like the kernel's: those of the object get the
-- header's name in front.
local library = {}
for name in ([[
  blkcnt_t blksize_t clock_t clockid_t daddr_t dev_t fd_set fsid_t gid_t id_t ino_t int16_t int32_t int64_t int8_t intmax_t intptr_t
  itimerspec key_t loff_t max_align_t mode_t nlink_t off_t pid_t ptrdiff_t quad_t register_t sigset_t size_t socklen_t ssize_t
  suseconds_t time_t timer_t timespec timeval u_char u_int u_long u_short uid_t uint uint16_t uint32_t uint64_t uint8_t uintmax_t
  uintptr_t ulong useconds_t ushort wchar_t]]):gmatch "%S+" do library[name] = true end

local function rename(model, text)
  return (text:gsub("%f[%w_][%a_][%w_]*", function(name) return library[name] and model.name .. "_" .. name or nil end))
end

-- Type tags ("user", "rcu") are for the verifier; compilers of programs in user space warn of them.
local function untagged(text) return (text:gsub('%s?__attribute__%(%(btf_type_tag%b()%)%)', "")) end

-- "struct event *value", "u32 value[2][3]": the declaration of a name, of the type without its qualifiers.
local function declare(model, type, name)
  return rename(model, untagged(assert(model.btf:declare(type:unqualified(), name))))
end

local function is_anonymous(value, type)
  return (value.kind == "struct" or value.kind == "union") and type:unqualified().name == ""
end

-- How values of a type are passed: { by = "value"/"pointer", get = "u32 *value", set = "u32 value" }. `own` is what an anonymous
-- type is called in the header.
local function passing(model, value, type, own)
  if value.kind == "pointer" then return { by = "value", get = "uint64_t *value", set = "uint64_t value" } end
  if not type or value.kind == "bytes" or value.count == 0 then
    return { by = "pointer", get = "void *value", set = "const void *value" }
  end
  if value.kind == "array" or value.kind == "string" then
    local element = type:resolve().type
    if is_anonymous({ kind = element:unqualified().kind }, element) then
      return { by = "pointer", get = "void *value", set = "const void *value" }
    end
    local array = declare(model, element, ("value[%d]"):format(value.count or value.size))
    return { by = "pointer", get = array, set = "const " .. array }
  end
  if is_anonymous(value, type) then
    return { by = "pointer", get = ("struct %s *value"):format(own), set = ("const struct %s *value"):format(own), own = own }
  end
  if scalars[value.kind] then
    return { by = "value", get = declare(model, type, "*value"), set = declare(model, type, "value") }
  end
  return { by = "pointer", get = declare(model, type, "*value"), set = "const " .. declare(model, type, "*value") }
end

-- Everything whose type is told, with the name that an anonymous one gets.
local function typed_parts(model)
  local parts = {}
  for _, map in ipairs(model.maps) do
    if map.key and map.key_type then
      parts[#parts + 1] = { value = map.key, type = map.key_type, own = own_name(model, map, "key") }
    end
    local value = map.record or map.value
    if value and map.value_type then
      parts[#parts + 1] = { value = value, type = map.value_type, own = own_name(model, map, "value") }
    end
  end
  for _, variable in ipairs(model.variables) do
    if variable.value_type then
      parts[#parts + 1] = { value = variable.value, type = variable.value_type, own = own_name(model, variable, "value") }
    end
  end
  return parts
end

-- Definitions of all types that are needed; of a pointer nothing is.
local function definitions(model)
  local types, sizes, seen = {}, {}, {}
  for _, part in ipairs(typed_parts(model)) do
    if part.value.kind ~= "pointer" and part.value.kind ~= "bytes" then types[#types + 1] = part.type end
  end
  for _, row in ipairs(model.types) do
    if row.c ~= "" and model.btf then types[#types + 1] = assert(model.btf:find(row.c)) end
    if row.c ~= "" and row.kind ~= "enum" and not seen[row.c] then
      seen[row.c] = true
      sizes[#sizes + 1] = ("_Static_assert(sizeof(%s) == %d, \"%s is laid out differently here\");")
        :format(rename(model, row.c), row.size, row.c)
    end
  end
  if #types == 0 then return "", "" end
  local text = rename(model, assert(model.btf:dump { types = types }))
  text = text:gsub("typedef _Bool bool;\n\n?", "") -- <stdbool.h> has it
  return untagged(text), table.concat(sizes, "\n")
end

-- Anonymous structs get a name by which they can be passed.
local function own_types(model)
  local lines = {}
  for _, part in ipairs(typed_parts(model)) do
    if is_anonymous(part.value, part.type) then
      local text = declare(model, part.type, "")
      local body = text:match "^struct%s*(%b{}.*)$"
      if body then lines[#lines + 1] = ("struct %s %s;"):format(part.own, (body:gsub("%s*$", ""))) end
    end
  end
  return table.concat(lines, "\n")
end

-- -- the object --

local machines = {
  x86 = "defined(__x86_64__) || defined(__i386__)", arm64 = "defined(__aarch64__)", arm = "defined(__arm__)",
  riscv = "defined(__riscv)",
  s390 = "defined(__s390__)", powerpc = "defined(__powerpc__)", mips = "defined(__mips__)", loongarch = "defined(__loongarch__)",
  sparc = "defined(__sparc__)", arc = "defined(__arc__)",
}

local function numbers(bytes)
  local lines = {}
  for at = 1, #bytes, 32 do lines[#lines + 1] = "\t" .. table.concat({ bytes:byte(at, math.min(at + 31, #bytes)) }, ",") .. "," end
  return table.concat(lines, "\n")
end

-- One that is made for this very machine goes before one that is good for all of its byte order.
local function object_text(model, objects)
  local lines, seen = {}, {}
  local function add(condition, object)
    if seen[condition] then return end
    seen[condition] = true
    lines[#lines + 1] = (#lines == 0 and "#if " or "#elif ") .. condition
    lines[#lines + 1] = ("static const unsigned char %s_object[] = { /* %s */\n%s\n};")
      :format(model.name, object.target, numbers(object.bytes))
  end
  local orders = { little = "__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__", big = "__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__" }
  for _, object in ipairs(objects) do
    if object.arch then add(("(%s) && %s"):format(machines[object.arch], orders[object.byteorder]), object) end
  end
  for _, object in ipairs(objects) do
    if not object.arch then add(orders[object.byteorder], object) end
  end
  lines[#lines + 1] = ("#else\n#error \"%s has no object for this machine: generate it with --target\"\n#endif"):format(model.name)
  return table.concat(lines, "\n")
end

-- -- the skeleton --

local function comment(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if part and part ~= "" then parts[#parts + 1] = part end
  end
  return (table.concat(parts, ": "):gsub("%c", " "):gsub("%*/", "* /"):gsub("/%*", "/ *"))
end

-- A struct with a pointer for each part of a kind, or nothing; names for the table that finds them.
local function parts_text(model, kind, type, rows, note)
  if #rows == 0 then return nil end
  local lines = { ("struct %s_%s {"):format(model.name, kind) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("\tstruct %s *%s; /* %s */"):format(type, identifier(row.name), note(row))
  end
  lines[#lines + 1] = "};"
  return table.concat(lines, "\n")
end

local function names_text(model, kind, rows)
  local names = {}
  for i, row in ipairs(rows) do names[i] = literal(row.name) end
  return ("static const char *const %s_%s_names[] = { %s };"):format(model.name, kind, table.concat(names, ", "))
end

local function struct_ops_of(model)
  local found = {}
  for _, map in ipairs(model.maps) do
    if map.is_struct_ops then found[#found + 1] = map end
  end
  return found
end

local function skeleton_text(model)
  local name, struct_ops = model.name, struct_ops_of(model)
  local lines = {
    parts_text(model, "maps", "ebpf_map", model.maps, function(row) return comment(row.type, row.doc) end) or "",
    parts_text(model, "programs", "ebpf_program", model.programs, function(row)
      return comment(("SEC(\"%s\")%s"):format(row.section, row.autoload and "" or ", when it is loaded"), row.doc)
    end) or "",
  }
  if #model.programs > 0 then
    lines[#lines + 1] = parts_text(model, "links", "ebpf_link", model.programs, function() return "or NULL" end)
  end
  if #struct_ops > 0 then
    lines[#lines + 1] = parts_text(model, "map_links", "ebpf_link", struct_ops, function() return "or NULL" end)
  end
  lines[#lines + 1] = ("struct %s {"):format(name)
  lines[#lines + 1] = "\tstruct ebpf_spec *spec;             /* what the object says: to be edited until it is loaded */"
  lines[#lines + 1] = "\tstruct ebpf_kernel *kernel;         /* may be set before loading: a reference, taken over */"
  lines[#lines + 1] = "\tstruct ebpf_collection *collection; /* NULL until it is loaded */"
  if #model.maps > 0 then
    lines[#lines + 1] = ("\tunion { /* NULL until loaded */\n\t\tstruct %s_maps maps;\n\t\tstruct ebpf_map *map_list[%d];\n\t};")
      :format(name, #model.maps)
  end
  if #model.programs > 0 then
    lines[#lines + 1] = ("\tunion {\n\t\tstruct %s_programs programs;\n\t\tstruct ebpf_program *program_list[%d];\n\t};")
      :format(name, #model.programs)
    lines[#lines + 1] = ("\tunion { /* one that is set here is closed with the rest */\n\t\tstruct %s_links links;\n"
      .. "\t\tstruct ebpf_link *link_list[%d];\n\t};"):format(name, #model.programs)
  end
  if #struct_ops > 0 then
    lines[#lines + 1] = ("\tunion {\n\t\tstruct %s_map_links map_links;\n\t\tstruct ebpf_link *map_link_list[%d];\n\t};")
      :format(name, #struct_ops)
  end
  if #model.variables > 0 then lines[#lines + 1] = ("\tconst struct ebpf_variable *variable_list[%d];"):format(#model.variables) end
  lines[#lines + 1] = "};"
  for _, kind in ipairs { "map", "program", "variable" } do
    local rows = model[kind .. "s"]
    if #rows > 0 then lines[#lines + 1] = names_text(model, kind, rows) end
  end
  if #struct_ops > 0 then lines[#lines + 1] = names_text(model, "struct_ops", struct_ops) end
  local kept = {}
  for _, line in ipairs(lines) do
    if line ~= "" then kept[#kept + 1] = line end
  end
  return table.concat(kept, "\n")
end

local function fill(template, values) return (template:gsub("@(%l+)@", values)) end

local open_text = [[
static inline int @name@_fail(struct ebpf_error *err, int code, const char *what, const char *why)
{
	if (err) {
		ebpf_error_clear(err);
		err->code = code;
		snprintf(err->message, sizeof(err->message), "%s: %s", what, why);
	}
	return -code;
}

/* Takes everything down, in order: links, programs and maps. Takes NULL. */
static inline void @name@_destroy(struct @name@ *skel)
{
	if (!skel)
		return;
@detach@	ebpf_collection_free(skel->collection);
	ebpf_spec_free(skel->spec);
	ebpf_kernel_free(skel->kernel);
	free(skel);
}

/* Reads the object, without the kernel: the time to edit skel->spec and to set variables. NULL on failure. */
static inline struct @name@ *@name@_open(struct ebpf_error *err)
{
	struct @name@ *skel = (struct @name@ *)calloc(1, sizeof(*skel));

	if (!skel) {
		@name@_fail(err, ENOMEM, "@name@", "out of memory");
		return NULL;
	}
	if (ebpf_spec_read(@name@_object, sizeof(@name@_object), "@name@", &skel->spec, err) < 0@records@) {
		@name@_destroy(skel);
		return NULL;
	}
	return skel;
}

/* Loads it. `options` may be NULL. After a failure it may be tried again. */
static inline int @name@_load(struct @name@ *skel, const struct ebpf_load_options *options, struct ebpf_error *err)
{
	int result;

	if (skel->collection)
		return @name@_fail(err, EBUSY, "@name@", "it is loaded already");
	if (!skel->kernel)
		skel->kernel = ebpf_kernel_new(err);
	if (!skel->kernel)
		return -ENOMEM;
	result = ebpf_collection_load(skel->spec, skel->kernel, options, &skel->collection, err);
	if (result < 0)
		return result;
@found@	return 0;
}

static inline struct @name@ *@name@_open_and_load(struct ebpf_error *err)
{
	struct @name@ *skel = @name@_open(err);

	if (skel && @name@_load(skel, NULL, err) < 0) {
		@name@_destroy(skel);
		return NULL;
	}
	return skel;
}]]

local attach_text = [[

static inline void @name@_detach(struct @name@ *skel)
{
@undo@}]]

local undo_text = [[
	for (size_t i = @count@; i-- > 0;) { /* the last attached goes first */
		ebpf_link_close(skel->@part@_list[i]);
		skel->@part@_list[i] = NULL;
	}
]]

local attach_all_text = [[

/* Attaches every program by its section@maps@: all of them or none. Passed over are those that are not loaded, that have a
 * link already, whose autoattach is off, and whose section attaches nothing by itself. `options` say what a section cannot, and
 * may be NULL. */
static inline int @name@_attach(struct @name@ *skel, const struct ebpf_link_options *options, struct ebpf_error *err)
{
	if (!skel->collection)
		return @name@_fail(err, EINVAL, "@name@", "it is not loaded");
@attach@	if (err)
		ebpf_error_clear(err); /* of those that were passed over */
	return 0;
}]]

local attach_programs_text = [[
	for (size_t i = 0; i < @count@; i++) {
		const struct ebpf_program_spec *spec = ebpf_spec_find_program(skel->spec, @name@_program_names[i]);
		int result;

		if (!skel->program_list[i] || skel->link_list[i] || (spec && !spec->autoattach))
			continue;
		result = ebpf_link_attach_auto(skel->program_list[i], options, &skel->link_list[i], err);
		if (result < 0) {
			@name@_detach(skel);
			return result;
		}
	}
]]

local attach_maps_text = [[
	for (size_t i = 0; i < @count@; i++) {
		struct ebpf_map *map = ebpf_collection_map(skel->collection, @name@_struct_ops_names[i]);
		int result;

		if (!map || skel->map_link_list[i] || !ebpf_map_autoattach(map))
			continue;
		result = ebpf_link_attach_map("struct_ops", map, NULL, &skel->map_link_list[i], err);
		if (result < 0) {
			@name@_detach(skel);
			return result;
		}
	}
]]

local variable_text = [[

static inline int @name@_variable_get(struct @name@ *skel, size_t index, void *data, size_t size, struct ebpf_error *err)
{
	struct ebpf_variable_spec *variable;
	void *at;

	if (skel->collection && skel->variable_list[index])
		return ebpf_variable_get(skel->variable_list[index], data, err);
	variable = ebpf_spec_find_variable(skel->spec, @name@_variable_names[index]);
	at = variable && variable->size == size ? ebpf_variable_spec_data(variable) : NULL;
	if (!at)
		return @name@_fail(err, EINVAL, @name@_variable_names[index], "the variable has no initial value");
	memcpy(data, at, size);
	return 0;
}

static inline int @name@_variable_set(struct @name@ *skel, size_t index, const void *data, size_t size, struct ebpf_error *err)
{
	struct ebpf_variable_spec *variable;
	void *at;

	if (skel->collection && skel->variable_list[index])
		return ebpf_variable_set(skel->variable_list[index], data, err);
	variable = ebpf_spec_find_variable(skel->spec, @name@_variable_names[index]);
	at = variable && variable->size == size ? ebpf_variable_spec_data(variable) : NULL;
	if (!at)
		return @name@_fail(err, EINVAL, @name@_variable_names[index], "the variable has no initial value");
	memcpy(at, data, size);
	return 0;
}]]

local accessor_text = [[

/* @what@ */
static inline int @name@_get_@variable@(struct @name@ *skel, @get@, struct ebpf_error *err)
{
	return @name@_variable_get(skel, @index@, value, @size@, err);
}
static inline int @name@_set_@variable@(struct @name@ *skel, @set@, struct ebpf_error *err)
{
	return @name@_variable_set(skel, @index@, @value@, @size@, err);
}]]

local map_text = [[

/* @what@ */
static inline int @name@_@map@_lookup(struct @name@ *skel, @key@, @get@,
	struct ebpf_error *err)
{
	return ebpf_map_lookup(skel->maps.@map@, @keyat@, value, 0, err);
}
static inline int @name@_@map@_update(struct @name@ *skel, @key@, @set@,
	uint64_t flags, struct ebpf_error *err)
{
	return ebpf_map_update(skel->maps.@map@, @keyat@, @value@, flags, err);
}
static inline int @name@_@map@_delete(struct @name@ *skel, @key@, struct ebpf_error *err)
{
	return ebpf_map_delete(skel->maps.@map@, @keyat@, err);
}]]

local function variables_text(model)
  if #model.variables == 0 then return "" end
  local lines = { fill(variable_text, { name = model.name }) }
  for i, variable in ipairs(model.variables) do
    local how = passing(model, variable.value, variable.value_type, own_name(model, variable, "value"))
    lines[#lines + 1] = fill(accessor_text, {
      name = model.name, variable = identifier(variable.name), get = how.get, set = how.set, index = i - 1, size = variable.size,
      value = how.by == "value" and "&value" or "value",
      what = comment(("%s in %s, %d bytes"):format(variable.name, variable.section, variable.size), variable.doc),
    })
  end
  return table.concat(lines, "\n")
end

-- Typed access to the elements of maps with keys. A per-CPU value is many, and a map's or program's is a descriptor: those have the
-- untyped functions of <ebpf.h>.
local function maps_text(model)
  local lines = {}
  local without = { prog_array = true, array_of_maps = true, hash_of_maps = true }
  for _, map in ipairs(model.maps) do
    if map.key and map.value and not map.is_percpu and not without[map.type] then
      local key = passing(model, map.key, map.key_type, own_name(model, map, "key"))
      local value = passing(model, map.value, map.value_type, own_name(model, map, "value"))
      lines[#lines + 1] = fill(map_text, {
        name = model.name, map = identifier(map.name), get = value.get, set = value.set,
        value = value.by == "value" and "&value" or "value",
        key = key.set:gsub("value", "key", 1), keyat = key.by == "value" and "&key" or "key", what = comment(map.type, map.doc),
      })
    end
  end
  return table.concat(lines, "\n")
end

-- What was said on the command line of rings whose definitions say nothing.
local function records_text(model)
  local names, text = {}, ""
  for name in pairs(model.records) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    text = text .. (" ||\n\t    ebpf_map_spec_set_value_type(ebpf_spec_find_map(skel->spec, %s),\n\t\t"
      .. "(uint32_t)ebpf_btf_find(skel->spec->btf, %s), err) < 0"):format(literal(name), literal(model.records[name]))
  end
  return text
end

local found_text = [[
	for (size_t i = 0; i < @count@; i++)
		skel->@part@_list[i] = ebpf_collection_@part@(skel->collection, @name@_@part@_names[i]);
]]

local function functions_text(model)
  local found = {}
  for _, part in ipairs { { "map", "maps" }, { "program", "programs" } } do
    if #model[part[2]] > 0 then
      found[#found + 1] = fill(found_text, { name = model.name, part = part[1], count = #model[part[2]] })
    end
  end
  if #model.variables > 0 then
    found[#found + 1] = ([[
	for (size_t i = 0; i < %d; i++)
		for (size_t at = 0; at < skel->collection->variable_count; at++)
			if (!strcmp(skel->collection->variables[at].name, %s_variable_names[i]))
				skel->variable_list[i] = &skel->collection->variables[at];
]]):format(#model.variables, model.name)
  end
  local has_programs = #model.programs > 0
  local values = {
    name = model.name, found = table.concat(found), count = #model.programs, records = records_text(model),
    detach = has_programs and ("\t%s_detach(skel);\n"):format(model.name) or "",
  }
  local text = fill(open_text, values)
  if not has_programs then return text end
  values.attach, values.maps = fill(attach_programs_text, values), ""
  values.undo = fill(undo_text, { count = values.count, part = "link" })
  local struct_ops = struct_ops_of(model)
  if #struct_ops > 0 then
    local maps = { name = model.name, count = #struct_ops, part = "map_link" }
    values.attach, values.undo = values.attach .. fill(attach_maps_text, maps), fill(undo_text, maps) .. values.undo
    values.maps = ", then every struct_ops map"
  end
  return fill(attach_text, values):sub(2) .. "\n\n" .. text .. "\n" .. fill(attach_all_text, values)
end

local head_text = [[
/* @name@: generated by `ebpf gen` from @source@. Do not edit.
 *
 *     struct @name@ *skel = @name@_open(&err);  // reads the object: edit skel->spec, set variables
 *     @name@_load(skel, NULL, &err);  // into the kernel: skel->maps, skel->programs
 *     @name@_attach(skel, NULL, &err);  // by section: skel->links
 *     @name@_destroy(skel);
 *
 * Functions return 0, or -errno with err filled. Link with -lebpf. */
#ifndef @guard@_EBPF_H
#define @guard@_EBPF_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebpf.h>
]]

local types_text = [[

/* -- types of keys, values, records and variables; @guard@_NO_TYPES leaves them to a header that has been included before -- */

#ifndef @guard@_NO_TYPES
@types@#endif
#ifndef __cplusplus
@sizes@
#endif
]]

--- The text. objects and source as of a Lua module.
function header.text(model, objects, source)
  local values = { name = model.name, source = comment(source), guard = model.name:upper() }
  local parts = { fill(head_text, values) }
  local types, sizes = definitions(model)
  if types ~= "" then
    parts[#parts + 1] = fill(types_text, { guard = values.guard, types = types, sizes = sizes })
  end
  local own = own_types(model)
  if own ~= "" then parts[#parts + 1] = "\n/* types that have no name in the source */\n" .. own .. "\n" end
  parts[#parts + 1] = "\n/* -- the object -- */\n\n" .. object_text(model, objects) .. "\n"
  parts[#parts + 1] = "\n/* -- the skeleton -- */\n\n" .. skeleton_text(model) .. "\n\n" .. functions_text(model) .. "\n"
  for _, text in ipairs { variables_text(model), maps_text(model) } do
    if text ~= "" then parts[#parts + 1] = text .. "\n" end
  end
  parts[#parts + 1] = "\n#endif\n"
  return table.concat(parts)
end

return header
