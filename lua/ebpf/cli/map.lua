--- ebpf map list|show|dump: the maps in the kernel.
local handles = require "ebpf.cli.handles"
local report = require "ebpf.cli.report"

local map = {}

local info_keys = { "id", "type", "name", "key", "value", "key_size", "value_size", "max_entries", "flags", "map_extra", "frozen",
  "btf_id" }

local kind = { command = "map", noun = "map", plural = "maps" }

function map.describe(parser)
  local command = handles.describe(kind, parser, "List the maps in the kernel, show one, or dump its elements.",
    { "list", "show", "dump" })
  command:option("--key", "dump: the type of its keys, instead of what the kernel knows (u32, char[16], ...)."):argname "TYPE"
  command:option("--value", "dump: the type of its values."):argname "TYPE"
end

function kind.open(options, arguments)
  options.key, options.value = arguments.key, arguments.value
  local ok, handle, err = pcall(require "ebpf".map, options) -- a type that there is not is a mistake of the caller's
  if not ok then return nil, handle end
  return handle, err
end

function kind.row(handle)
  local info, err = handle:info()
  if not info then return nil, err end
  info.key_type_id, info.value_type_id = nil, nil
  info.key, info.value = handle.key, handle.value
  return report.object(info_keys, info)
end

function kind.print(info)
  print(("%d: %s%s  flags 0x%x"):format(info.id, info.type, info.name ~= "" and "  name " .. info.name or "", info.flags))
  local types = info.value and info.value ~= "" and ("  (%s -> %s)"):format(info.key or "?", info.value) or ""
  print(("\tkey %dB  value %dB  max_entries %d%s%s"):format(info.key_size, info.value_size, info.max_entries,
    info.frozen and "  frozen" or "", types))
end

-- == elements

-- JSON is UTF-8: a byte that is none becomes the character of its number.
local function text(bytes)
  if utf8.len(bytes) then return bytes end
  return (bytes:gsub("[\x80-\xff]", function(c) return utf8.char(c:byte()) end))
end

-- A decoded value for a document: tables with their keys in order; where no type is known, the bytes in hexadecimal.
local function document_value(value, typed)
  if type(value) == "string" then return typed and text(value) or handles.hex(value) end
  if type(value) ~= "table" then return value end
  local result, names = {}, {}
  if #value > 0 or next(value) == nil then
    for i, element in ipairs(value) do result[i] = document_value(element, typed) end
    return report.list(result)
  end
  for name, element in pairs(value) do
    names[#names + 1] = name
    result[name] = document_value(element, typed)
  end
  table.sort(names)
  return report.object(names, result)
end

local function value_text(value)
  if type(value) ~= "table" then return type(value) == "string" and ("%q"):format(value) or tostring(value) end
  local meta, parts = getmetatable(value), {}
  for _, name in ipairs(meta.__jsonorder or {}) do parts[#parts + 1] = name .. " = " .. value_text(value[name]) end
  for _, element in ipairs(value) do parts[#parts + 1] = value_text(element) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function is_typed(name) return name ~= nil and name ~= "" and not name:match "^bytes" end

local function entries(handle)
  local rows, typed_key, typed_value = report.list {}, is_typed(handle.key), is_typed(handle.value)
  local ok, err = pcall(function()
    for key, value in pairs(handle) do
      rows[#rows + 1] = report.object({ "key", "value" },
        { key = document_value(key, typed_key), value = document_value(value, typed_value) })
    end
  end)
  if not ok then return nil, err end
  return rows
end

-- == actions

local function dump(arguments)
  local handle <close>, err = handles.open(kind, arguments.map, arguments)
  if not handle then return nil, err end
  local info, rows
  info, err = kind.row(handle)
  if not info then return nil, err end
  rows, err = entries(handle)
  if not rows then return nil, err end
  if not arguments.json then
    kind.print(info)
    for _, row in ipairs(rows) do print(("%s: %s"):format(value_text(row.key), value_text(row.value))) end
  end
  return report.object({ "map", "entries" }, { map = info, entries = rows })
end

function map.run(arguments)
  if arguments.action == "dump" then return dump(arguments) end
  return handles[arguments.action](kind, arguments)
end

return map
