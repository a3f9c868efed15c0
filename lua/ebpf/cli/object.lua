--- What `inspect` and `load` tell of an object: the same document, from its Spec and, once it is loaded, from its collection.
local report = require "ebpf.cli.report"
local null = report.null

local object = {}

local program_keys = { "name", "section", "type", "attach_type", "attach_to", "instructions", "loaded" }
local map_keys = { "name", "type", "key_size", "value_size", "max_entries", "flags" }
local variable_keys = { "name", "section", "size", "type" }
local document_keys = { "programs", "maps", "variables", "license", "byteorder", "links", "failed", "pinned", "error" }

-- The named fields of a handle, with null for what it has not.
local function pick(handle, keys)
  local row = {}
  for _, key in ipairs(keys) do
    local value = handle[key]
    row[key] = value == nil and null or value
  end
  return report.object(keys, row)
end

local function program_row(program, loaded)
  local fields = { loaded = loaded ~= nil }
  return pick(setmetatable(fields, { __index = function(_, key) return program[key] end }), program_keys)
end

local function loaded_map_row(name, map)
  local info = assert(map:info())
  info.name = name
  return pick(info, map_keys)
end

--- The document; `coll` is nil for an object that is not loaded.
function object.document(spec, coll)
  local programs, maps, variables = {}, {}, {}
  for name, program in pairs(spec.programs) do programs[#programs + 1] = program_row(program, coll and coll.programs[name]) end
  for name, map in pairs(spec.maps) do
    local loaded = coll and coll.maps[name]
    maps[#maps + 1] = loaded and loaded_map_row(name, loaded) or pick(map, map_keys)
  end
  for _, variable in pairs(spec.variables) do variables[#variables + 1] = pick(variable, variable_keys) end
  return report.object(document_keys, {
    programs = report.list(programs), maps = report.list(maps), variables = report.list(variables),
    license = spec.license, byteorder = spec.byteorder,
  })
end

local function text(value) return value == null and "-" or tostring(value) end

local function print_table(title, rows, keys)
  if #rows == 0 then return end
  local lines = { { title } }
  for i = 2, #keys do lines[1][i] = keys[i]:upper():gsub("_", " ") end
  for _, row in ipairs(rows) do
    local line = {}
    for i, key in ipairs(keys) do line[i] = text(row[key]) end
    lines[#lines + 1] = line
  end
  report.rows(lines)
  print()
end

--- The same as text.
function object.print(document, path)
  print(("%s: license %s, %s-endian\n"):format(path, document.license ~= "" and document.license or "none", document.byteorder))
  print_table("PROGRAM", document.programs, program_keys)
  print_table("MAP", document.maps, map_keys)
  print_table("VARIABLE", document.variables, variable_keys)
end

return object
