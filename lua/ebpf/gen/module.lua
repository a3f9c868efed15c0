--- A model -> the text of a Lua module: LuaCATS annotations that an editor understands, names, and the object's bytes. The same
-- model gives the same text.
local module = {}

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until while]])
  :gmatch "%l+" do keywords[word] = true end

local function is_identifier(name) return name:match "^[%a_][%w_]*$" and not keywords[name] end

-- A name as a key of a table, and as a field of an annotation.
local function key(name) return is_identifier(name) and name or "[" .. ("%q"):format(name):gsub("\n", "n") .. "]" end

-- -- values, as annotations call them --

local plain = { int = "integer", pointer = "integer", bool = "boolean", float = "number", string = "string", bytes = "string" }

local function lua_type(prefix, value)
  if value.kind == "array" then return lua_type(prefix, value.element) .. "[]" end
  if value.named then return prefix .. "." .. value.named.name end
  return plain[value.kind]
end

-- What may be written: an enum by its name, too.
local function lua_input(prefix, value)
  if value.kind == "array" then
    local element = lua_input(prefix, value.element)
    return (element:match "|" and "(" .. element .. ")" or element) .. "[]"
  end
  return lua_type(prefix, value) .. (value.kind == "enum" and "|string" or "")
end

local function sentence(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if part and part ~= "" then parts[#parts + 1] = part end
  end
  return (table.concat(parts, ": "):gsub("%c", " ")) -- whatever is in there, it stays in its comment
end

-- A name as a part of a class's.
local function word(name) return (name:gsub("[^%w_]", "_")) end

-- -- the bytes --

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

-- Bytes as a string of lines: what is text stays readable. A digit behind a numeric escape would be taken for a part of it, and a
-- space at the start of a line for indentation.
local function literal(bytes)
  local lines, line, width = {}, {}, 0
  for i = 1, #bytes do
    local c = bytes:sub(i, i)
    local text = escapes[c]
    if not text and c:match "[%g ]" then text = width == 0 and c == " " and "\\032" or c end
    if not text then
      text = "\\" .. c:byte()
      if bytes:match("^%d", i + 1) then text = ("\\%03d"):format(c:byte()) end
    end
    line[#line + 1], width = text, width + #text
    if width >= 118 then lines[#lines + 1], line, width = table.concat(line), {}, 0 end
  end
  lines[#lines + 1] = table.concat(line)
  return '"\\z\n  ' .. table.concat(lines, "\\z\n  ") .. '"'
end

-- -- the parts of the text --

local function add_aggregate(out, prefix, row)
  out("")
  out("--- %s", sentence(("%s, %d bytes"):format(row.c ~= "" and row.c or row.kind, row.size), row.doc))
  out("---@class %s.%s", prefix, row.name)
  for _, field in ipairs(row.fields) do
    local c = field.type.c ~= "" and field.type.c or field.type.kind
    if field.bit_size then c = ("%s : %d"):format(c, field.bit_size) end
    out("---@field %s %s # %s", key(field.name), lua_type(prefix, field.type), sentence(c, field.doc))
  end
end

local function add_enum(out, prefix, row)
  out("")
  out("--- %s", sentence(row.c ~= "" and row.c or "enum"))
  out("---@enum %s.%s", prefix, row.name)
  out("%s.enums%s = {", prefix, is_identifier(row.name) and "." .. row.name or key(row.name))
  for _, each in ipairs(row.enumerators) do out("  %s = %d,", key(each.name), each.value) end
  out("}")
end

local function describe_map(map)
  local parts = { map.type }
  if map.record then
    parts[#parts + 1] = "of " .. map.record.c
  elseif map.key and map.value then
    parts[#parts + 1] = ("%s -> %s"):format(map.key.c ~= "" and map.key.c or map.key.kind,
      map.value.c ~= "" and map.value.c or map.value.kind)
  elseif map.value then
    parts[#parts + 1] = "of " .. (map.value.c ~= "" and map.value.c or map.value.kind)
  end
  local text = table.concat(parts, " ")
  if map.max_entries == 0 then return text end
  return ("%s, %d %s"):format(text, map.max_entries, map.type:match "ringbuf" and "bytes" or "entries")
end

local handles = { prog_array = "ebpf.Program", array_of_maps = "ebpf.Map", hash_of_maps = "ebpf.Map" }

local function add_map_class(out, prefix, map)
  local class = ("%s.map.%s"):format(prefix, word(map.name))
  out("")
  out("--- %s", sentence(describe_map(map), map.doc))
  out("---@class %s: ebpf.Map", class)
  if not map.value then return end
  local value, input = lua_type(prefix, map.value), lua_input(prefix, map.value)
  if map.is_percpu then
    value, input = value .. "[]", ("%s|%s[]"):format(input, input:match "|" and "(" .. input .. ")" or input)
  end
  if handles[map.type] then input = input .. "|" .. handles[map.type] end
  if not map.key then
    out("---@field pop fun(self: %s): %s?, ebpf.Error?, integer?", class, value)
    out("---@field push fun(self: %s, value: %s, flags?: string|integer): true?, ebpf.Error?, integer?", class, input)
    return
  end
  local wanted = lua_input(prefix, map.key)
  if lua_type(prefix, map.key) ~= "string" then out("---@field [%s] %s", lua_type(prefix, map.key), value) end
  out("---@field get fun(self: %s, key: %s, flags?: string|integer): %s?, ebpf.Error?, integer?", class, wanted, value)
  out("---@field set fun(self: %s, key: %s, value: %s, flags?: string|integer): true?, ebpf.Error?, integer?", class, wanted, input)
  out("---@field delete fun(self: %s, key: %s): true?, ebpf.Error?, integer?", class, wanted)
  out("---@field next fun(self: %s, key?: %s): %s?, ebpf.Error?, integer?", class, wanted, lua_type(prefix, map.key))
  out("---@field entries fun(self: %s): fun(): %s, %s", class, lua_type(prefix, map.key), value)
end

local function add_variable_class(out, prefix, variable)
  local class = ("%s.variable.%s"):format(prefix, word(variable.name))
  local c = variable.value.c ~= "" and variable.value.c or variable.value.kind
  out("")
  local initial = variable.initial and " = " .. variable.initial or ""
  out("--- %s", sentence(("%s in %s%s"):format(c, variable.section, initial), variable.doc))
  out("---@class %s: ebpf.Variable", class)
  out("---@field get fun(self: %s): %s?, ebpf.Error?, integer?", class, lua_type(prefix, variable.value))
  out("---@field set fun(self: %s, value: %s): true?, ebpf.Error?, integer?", class, lua_input(prefix, variable.value))
end

-- What is in a collection or a Spec of this object.
local function add_handles(out, model)
  local prefix = model.name
  for _, part in ipairs {
    { "Maps", model.maps, function(row) return ("%s.map.%s"):format(prefix, word(row.name)) end },
    { "Programs", model.programs, function() return "ebpf.Program" end },
    { "Variables", model.variables, function(row) return ("%s.variable.%s"):format(prefix, word(row.name)) end },
    { "MapSpecs", model.maps, function() return "ebpf.MapSpec" end },
    { "ProgramSpecs", model.programs, function() return "ebpf.ProgramSpec" end },
  } do
    out("")
    out("---@class %s.%s", prefix, part[1])
    for _, row in ipairs(part[2]) do out("---@field %s %s", key(row.name), part[3](row)) end
  end
  out("")
  out("---@class %s.Values # initial values of variables", prefix)
  for _, row in ipairs(model.variables) do
    if row.section ~= ".kconfig" then out("---@field %s? %s", key(row.name), lua_input(prefix, row.value)) end
  end
  for _, class in ipairs {
    { "Collection", "Maps", "Programs", "Variables" }, { "Spec", "MapSpecs", "ProgramSpecs", "Variables" },
  } do
    out("")
    out("---@class %s.%s: ebpf.%s", prefix, class[1], class[1])
    out("---@field maps %s.%s", prefix, class[2])
    out("---@field programs %s.%s", prefix, class[3])
    out("---@field variables %s.%s", prefix, class[4])
    if class[1] == "Spec" then
      out("---@field load fun(self: %s.Spec, options?: %s.Options): %s.Collection?, ebpf.Error?, integer?", prefix, prefix, prefix)
    end
  end
  out("")
  out("---@class %s.Options: ebpf.LoadOptions", prefix)
  out("---@field variables? %s.Values", prefix)
end

-- An editor that knows which map is read knows what the function gets.
local function add_records(out, model)
  local prefix, maps = model.name, {}
  for _, map in ipairs(model.maps) do
    if map.record then maps[#maps + 1] = map end
  end
  if #maps == 0 then return end
  out("")
  out("---@class ebpf.Loop")
  for _, map in ipairs(maps) do
    out("---@field on fun(self: ebpf.Loop, map: %s.map.%s, fn: fun(record: %s), options?: table): %s", prefix,
      word(map.name), lua_type(prefix, map.record), "ebpf.Source?, ebpf.Error?, integer?")
  end
  for _, map in ipairs(maps) do
    local class, record = ("%s.ring.%s"):format(prefix, word(map.name)), lua_type(prefix, map.record)
    out("")
    out("---@class %s: ebpf.Ring", class)
    out("---@field records fun(self: %s, options?: table): fun(): %s", class, record)
    out("---@field consume fun(self: %s, fn: fun(record: %s), limit?: integer): integer?, ebpf.Error?, integer?", class, record)
  end
  out("")
  out("---@class ebpf")
  for _, map in ipairs(maps) do
    out("---@field ringbuf fun(map: %s.map.%s, options?: table): %s.ring.%s?, ebpf.Error?, integer?", prefix, word(map.name),
      prefix, word(map.name))
  end
end

-- What was said on the command line of rings whose definitions say nothing.
local function add_given_records(out, model)
  local names = {}
  for name in pairs(model.records) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do names[i] = ("%s = %q"):format(key(name), model.records[name]) end
  out("local records = {%s}", #names > 0 and " " .. table.concat(names, ", ") .. " " or "")
end

-- Constants: the names of the parts, so that a wrong one is noticed.
local function add_names(out, model)
  local prefix = model.name
  local function list(part, rows, comment)
    out("")
    out("%s.%s = {", prefix, part)
    for _, row in ipairs(rows) do out("  %s = %q, -- %s", key(row.name), row.constant or row.name, comment(row)) end
    out("}")
  end
  list("programs", model.programs, function(row)
    return sentence(("SEC(%q)%s"):format(row.section, row.autoload and "" or ", loaded when it is asked for"), row.doc)
  end)
  list("maps", model.maps, function(row) return sentence(describe_map(row), row.doc) end)
  list("variables", model.variables, function(row)
    return sentence(("%s in %s"):format(row.value_c, row.section), row.doc)
  end)
  local types = {}
  for _, row in ipairs(model.types) do
    if row.c ~= "" then types[#types + 1] = { name = row.name, constant = row.c, size = row.size } end
  end
  list("types", types, function(row) return ("%d bytes"):format(row.size) end)
end

local function add_functions(out, model)
  local prefix = model.name
  out("")
  out("--- What the object says, to be looked at and edited before it is loaded.")
  out("---@return %s.Spec? spec", prefix)
  out("---@return ebpf.Error? err")
  out("---@return integer? errno")
  out("function %s.spec() return embedded.spec(%q, objects, records) end", prefix, prefix)
  out("")
  out("--- Loads it into the kernel.")
  out("---@param options? %s.Options", prefix)
  out("---@return %s.Collection? collection", prefix)
  out("---@return ebpf.Error? err")
  out("---@return integer? errno")
  out("function %s.load(options) return embedded.load(%q, objects, records, options) end", prefix, prefix)
end

local function add_objects(out, objects)
  for _, object in ipairs(objects) do
    out("")
    out("-- %s: %d bytes", object.target, #object.bytes)
    out("objects[#objects + 1] = { target = %q, byteorder = %q,%s bytes = %s }", object.target, object.byteorder,
      object.arch and (" arch = %q,"):format(object.arch) or "", literal(object.bytes))
  end
end

--- The text. objects: { { target =, byteorder =, arch = or nil, bytes = }, ... }; source: what it was made of, for the first line.
function module.text(model, objects, source)
  local lines = {}
  local function out(format, ...) lines[#lines + 1] = select("#", ...) > 0 and format:format(...) or format end
  local prefix = model.name
  for _, row in ipairs(model.variables) do row.value_c = row.value.c ~= "" and row.value.c or row.value.kind end
  out("--- %s: generated by `ebpf gen` from %s. Do not edit.", prefix, sentence(source))
  out("--")
  out("--     local %s = require %q", prefix, prefix)
  out("--     local coll <close> = assert(%s.load())", prefix)
  out("--     assert(coll:attach())")
  out("local embedded = require \"ebpf.embedded\"")
  out("")
  out("local objects = {} -- compiled, one for each target: below")
  add_given_records(out, model)
  out("")
  out("---@class %s", prefix)
  out("local %s = { enums = {} }", prefix)
  for _, row in ipairs(model.types) do (row.kind == "enum" and add_enum or add_aggregate)(out, prefix, row) end
  for _, row in ipairs(model.maps) do add_map_class(out, prefix, row) end
  for _, row in ipairs(model.variables) do add_variable_class(out, prefix, row) end
  add_handles(out, model)
  add_records(out, model)
  add_names(out, model)
  add_functions(out, model)
  add_objects(out, objects)
  out("")
  out("return embedded.module(%q, %s)", prefix, prefix)
  return table.concat(lines, "\n") .. "\n"
end

return module
