--- What a generated file tells of an object, whatever language it is written in: programs, maps, variables, and the C types of what
-- is in them as Lua sees them (typedefs looked through, members of anonymous structs lifted up, as values are decoded).
local core = require "ebpf.core"

local model = {}

-- What a decl tag says for people: __attribute__((btf_decl_tag("doc: ..."))). Other tags are the kernel's or a tool's.
local function doc_of(tags, component)
  local lines = {}
  for _, tag in ipairs(tags) do
    local text = tag.component == component and tag.name:match "^doc:%s*(.-)%s*$"
    if text then table.insert(lines, 1, text) end -- clang writes the last one first
  end
  return #lines > 0 and table.concat(lines, " "):gsub("%s*\n%s*", " ") or nil
end

local function found(btf, name, kind)
  local type = btf and btf:find(name, kind)
  return type and doc_of(type.tags, -1) or nil
end

-- The named members of a struct with those of anonymous ones lifted into it: name -> { type =, doc = }.
local function members_of(type, into)
  type = type:resolve()
  local tags = type.tags
  for i, member in ipairs(type.members or {}) do
    if member.name ~= "" then
      into[member.name] = { type = member.type, doc = doc_of(tags, i - 1) }
    else
      members_of(member.type, into)
    end
  end
  return into
end

-- -- types --

-- The types met so far, each with a name of its own for Lua.
local Types = {}
Types.__index = Types

-- `taken`: names that are something else's.
local function new_types(btf, taken) return setmetatable({ btf = btf, list = {}, by_c = {}, names = taken }, Types) end

-- What generated files call the parts themselves.
local function own_names(spec)
  local names = {}
  local own = "Maps Programs Variables MapSpecs ProgramSpecs Values Collection Spec Options"
  for name in own:gmatch "%a+" do names[name] = true end
  for name in pairs(spec.maps) do names["map." .. name], names["ring." .. name] = true, true end
  for name in pairs(spec.variables) do names["variable." .. name] = true end
  return names
end

-- "struct event" -> "event"; a type without a name is called after the place where it is: "event.choice".
function Types:name(layout, place)
  local name = layout.name ~= "" and layout.name:gsub("^%l+ ", ""):gsub("[^%w_]", "_") or place:gsub("[^%w_%.]", "_")
  while self.names[name] do name = name .. "_" .. layout.kind end
  self.names[name] = true
  return name
end

function Types:aggregate(layout, type, place)
  local row = { kind = layout.kind, c = layout.name, size = layout.size, name = self:name(layout, place), fields = {} }
  if layout.name ~= "" then self.by_c[layout.name] = row end
  row.doc = type and doc_of(type.tags, -1)
  if not row.doc and type then row.doc = doc_of(type:resolve().tags, -1) end
  local members = type and members_of(type, {}) or {}
  for i, field in ipairs(layout.fields) do
    local member = members[field.name] or {}
    row.fields[i] = {
      name = field.name, offset = field.offset, bit_size = field.bit_size, doc = member.doc,
      type = self:describe(field.layout, member.type, row.name .. "." .. field.name),
    }
  end
  self.list[#self.list + 1] = row -- after those that it is made of
  return row
end

function Types:enum(layout, place)
  place = place:gsub("%.", "_") -- a table of its own
  local row = { kind = "enum", c = layout.name, size = layout.size, name = self:name(layout, place), enumerators = {} }
  if layout.name ~= "" then self.by_c[layout.name] = row end
  for i, each in ipairs(layout.enumerators) do row.enumerators[i] = { name = each.name, value = each.value } end
  self.list[#self.list + 1] = row
  return row
end

--- A layout -> { kind =, c = "__u32", element =, named = row of the list }. `type` is the same in the BTF, for what a layout does
-- not keep, or nil.
function Types:describe(layout, type, place)
  local kind = layout.kind
  local value = { kind = kind, c = layout.name, size = layout.size, signed = layout.signed, count = layout.count }
  if kind == "array" then
    local element = type and type:resolve().type
    value.element = self:describe(layout.element, element, place)
  elseif kind == "struct" or kind == "union" then
    value.named = self.by_c[layout.name] or self:aggregate(layout, type, place)
  elseif kind == "enum" then
    value.named = self.by_c[layout.name] or self:enum(layout, place)
  end
  return value
end

--- Of a type of the BTF; bytes when its layout is not known (nil, or incomplete).
function Types:of(type, size, place)
  local layout = type and self.btf:layout(type)
  if layout then return self:describe(layout, type, place) end
  return { kind = "bytes", c = ("bytes[%d]"):format(size), size = size }
end

-- -- the parts --

local streams = { ringbuf = true, user_ringbuf = true, perf_event_array = true }

local function is_data(map)
  local section = map.section or ""
  for _, name in ipairs { ".data", ".rodata", ".bss", ".kconfig", ".addr_space" } do
    if section:sub(1, #name) == name then return true end
  end
  return false
end

-- What a map holds: records of a stream, or values (of each CPU) by key.
local function map_row(name, map, types)
  local row = { name = name, type = map.type, section = map.section, max_entries = map.max_entries }
  row.doc = found(types.btf, name, "var")
  row.is_stream = streams[map.type] or false
  row.is_percpu = map.type:match "percpu" ~= nil
  row.is_struct_ops = map.type == "struct_ops"
  row.value_type = map.value_type
  row.key_type = map.key_type
  if row.is_stream then
    row.record = map.value_type and types:of(map.value_type, 0, name) or nil
  elseif not row.is_struct_ops then
    if map.key_size > 0 then row.key = types:of(map.key_type, map.key_size, name .. "_key") end
    if map.value_size > 0 then row.value = types:of(map.value_type, map.value_size, name .. "_value") end
  end
  return row
end

local function program_row(name, program, types)
  return {
    name = name, section = program.section, type = program.type, autoload = program.autoload, doc = found(types.btf, name, "func"),
  }
end

-- What a variable is before anybody sets it, where that can be said in a word.
local function initial(variable, value)
  if variable.section == ".kconfig" then return nil end
  local ok, result = pcall(variable.get, variable)
  if not ok then return nil end
  if value.kind == "string" and result ~= "" then return ("%q"):format(result):gsub("\n", "n") end
  if value.kind == "int" and result ~= 0 or value.kind == "bool" or value.kind == "enum" then return tostring(result) end
  return nil
end

local function variable_row(name, variable, types)
  local row = { name = name, section = variable.section, size = variable.size, read_only = variable.read_only }
  row.doc = found(types.btf, name, "var")
  row.value_type = variable.value_type
  row.value = types:of(row.value_type, variable.size, name)
  row.initial = initial(variable, row.value)
  return row
end

-- A type of the object that was asked for by name. Compilers describe what maps, global variables and functions' parameters have,
-- not what is only used within a function.
local function find(btf, name)
  if not btf then
    return core.fail(2, ("type '%s': the object has no BTF"):format(name), "compile it with clang -g")
  end
  local type = btf:find(name)
  if type then return type end
  return core.fail(2, ("type '%s': it is not in the object's BTF"):format(name),
    ("is it of local variables alone? Then say in the source: %s *unused __attribute__((unused));"):format(name))
end

-- The types that were asked for by name.
local function add_types(types, names)
  for _, name in ipairs(names or {}) do
    local type, err, errno = find(types.btf, name)
    if not type then return nil, err, errno end
    local layout
    layout, err, errno = types.btf:layout(type)
    if not layout then return nil, err, errno end
    types:describe(layout, type, name)
  end
  return true
end

-- Types of the records of rings whose definitions say nothing of them: { events = "struct event" }.
local function set_records(spec, records)
  for name, type in pairs(records) do
    local map = spec.maps[name]
    if not (map and streams[map.type]) then
      return core.fail(2, ("record '%s=%s': there is no ring or perf buffer '%s'"):format(name, type, name))
    end
    local known, err, errno = find(spec.btf, type)
    if not known then return nil, err, errno end
    local ok, reason = pcall(function() map.value = type end)
    if not ok then return core.fail(22, ("record '%s=%s': %s"):format(name, type, tostring(reason))) end
  end
  return true
end

--- The model of a Spec. options: name, types (C names of more types than those of maps and variables), records (types by maps'
-- names).
function model.new(spec, options)
  local ok, err, errno = set_records(spec, options.records)
  if not ok then return nil, err, errno end
  local types = new_types(spec.btf, own_names(spec))
  local self = {
    name = options.name, records = options.records, programs = {}, maps = {}, variables = {}, types = types.list, btf = spec.btf,
  }
  for name, program in pairs(spec.programs) do self.programs[#self.programs + 1] = program_row(name, program, types) end
  for name, map in pairs(spec.maps) do
    if not is_data(map) then self.maps[#self.maps + 1] = map_row(name, map, types) end
  end
  for name, variable in pairs(spec.variables) do self.variables[#self.variables + 1] = variable_row(name, variable, types) end
  ok, err, errno = add_types(types, options.types)
  if not ok then return nil, err, errno end
  return self
end

-- The names in a list of a model, for comparing.
local function names_of(list)
  local names = {}
  for i, row in ipairs(list) do names[i] = row.name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Whether another object (of another byte order or machine) has the same parts, so that one description is true of both.
function model.same(one, other, target)
  for _, part in ipairs { "programs", "maps", "variables" } do
    local left, right = names_of(one[part]), names_of(other[part])
    if left ~= right then
      return core.fail(22, ("target '%s': its %s differ from those of the first: %s, not %s"):format(target, part, right, left),
        "generate a module for each")
    end
  end
  return true
end

return model
