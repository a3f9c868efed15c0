--- ebpf.gen: C sources or compiled objects -> one Lua module that carries the object, or a C header. What `ebpf gen` does.
local core = require "ebpf.core"
local ebpf = require "ebpf"
local compile = require "ebpf.gen.compile"
local file = require "ebpf.gen.file"

local gen = {}

local known = {
  output = true, c = true, name = true, cc = true, mcpu = true, targets = true, include = true, flags = true, deps = true,
  types = true, records = true, strip = true,
}

local function is_object(path) return path:match "%.o$" ~= nil end

-- "dir/exec-snoop.bpf.c" -> "exec_snoop"
local function default_name(path)
  local name = file.base(path):gsub("%.bpf%.[co]$", ""):gsub("%.[co]$", ""):gsub("[^%w_]", "_")
  return name:match "^%d" and "_" .. name or name
end

-- A local variable of the module, and the first part of its classes' names: those of the library begin with "ebpf".
local function is_name(name)
  return name:match "^[%a_][%w_]*$" and name ~= "ebpf" and name ~= "embedded" and name ~= "objects" and name ~= "records" and
    load(("local %s"):format(name)) ~= nil
end

local function strip(bytes, options)
  if options.strip == false then return bytes end
  return core.object_strip(bytes)
end

-- One source for each target.
local function compile_all(source, options)
  local objects, said = {}, ""
  for _, name in ipairs(options.targets or { "bpf" }) do
    local target, err, errno = compile.target(name)
    if not target then return nil, err, errno end
    local bytes, output, files = compile.run(source, target, options)
    if not bytes then return nil, output, files end
    objects[#objects + 1] = { target = name, byteorder = target.byteorder, arch = target.arch, bytes = bytes, files = files }
    said = said .. output
  end
  return objects, said
end

local function read_object(path)
  local bytes, err, errno = file.read(path)
  if not bytes then return nil, err, errno end
  local spec <close>, reason, code = ebpf.spec(path)
  if not spec then return nil, reason, code end
  return { byteorder = spec.byteorder, target = spec.byteorder == "big" and "bpfeb" or "bpfel", bytes = bytes, files = { path } }
end

-- Objects as they are: at most one of each byte order.
local function read_all(paths)
  local objects, seen = {}, {}
  for i, path in ipairs(paths) do
    local object, err, errno = read_object(path)
    if not object then return nil, err, errno end
    if seen[object.byteorder] then
      return core.fail(22, ("object '%s': '%s' is %s-endian as well"):format(path, seen[object.byteorder], object.byteorder),
        "link them into one first: bpftool gen object ALL.o ONE.o TWO.o")
    end
    seen[object.byteorder] = path
    objects[i] = object
  end
  return objects, ""
end

local function get_objects(paths, options)
  if not is_object(paths[1]) then
    if #paths == 1 then return compile_all(paths[1], options) end
    return core.fail(22, ("source '%s': one source at a time"):format(paths[2]),
      "compile several, link them (bpftool gen object ALL.o ONE.o TWO.o), and give the result")
  end
  for _, path in ipairs(paths) do
    if not is_object(path) then return core.fail(22, ("source '%s': not beside compiled objects"):format(path)) end
  end
  return read_all(paths)
end

-- Strips each, and describes them: what is said of the first must be true of all.
local function describe(objects, options)
  local model = require "ebpf.gen.model"
  local first
  for _, object in ipairs(objects) do
    local err, errno
    object.bytes, err, errno = strip(object.bytes, options)
    if not object.bytes then return nil, err, errno end
    local spec
    spec, err, errno = ebpf.spec { bytes = object.bytes, name = options.name }
    if not spec then return nil, err, errno end
    local this
    this, err, errno = model.new(spec, { name = options.name, types = options.types, records = options.records or {} })
    if not this then return nil, err, errno end
    if first then
      local ok
      ok, err, errno = model.same(first, this, object.target)
      if not ok then return nil, err, errno end
    end
    first = first or this
  end
  return first
end

-- A rule for make, and one without a recipe for each file, so that a header that is gone does not stop it.
local function dependencies(target, objects)
  local list, seen = {}, {}
  for _, object in ipairs(objects) do
    for _, name in ipairs(object.files) do
      if not seen[name] then list[#list + 1] = name end
      seen[name] = true
    end
  end
  local function escape(name) return (name:gsub("[ #]", "\\%0"):gsub("%$", "$$")) end
  for i, name in ipairs(list) do list[i] = escape(name) end
  local text = { escape(target) .. ": " .. table.concat(list, " \\\n ") .. "\n" }
  for i = 2, #list do text[#text + 1] = "\n" .. list[i] .. ":\n" end
  return table.concat(text)
end

--- ebpf.gen.generate({ path, ... }, options) -> { model =, objects =, warnings = }; or nil, err, errno, and nothing is written.
-- options: output (path of the module), c (path of a header), at least one of them; name; targets ({ "bpfel", "bpfeb", "x86", ...
-- }); cc, mcpu, include (folders), flags (words) for clang; deps (path of a make rule); types (C names); records (C names, by
-- maps); strip (false keeps debug information).
function gen.generate(paths, options)
  for name in pairs(options) do
    if not known[name] then error(("unknown option '%s'"):format(name), 2) end
  end
  if #paths == 0 then error("a source or an object expected", 2) end
  if not (options.output or options.c) then error("output (a module) or c (a header) expected", 2) end
  options = setmetatable({ name = options.name or default_name(paths[1]) }, { __index = options })
  if not is_name(options.name) then
    return core.fail(22, ("name '%s': it cannot be a module's"):format(options.name),
      "letters, digits and underscores, neither a keyword of Lua nor 'ebpf'; --name gives another")
  end
  local objects, said, errno = get_objects(paths, options)
  if not objects then return nil, said, errno end
  local model, err
  model, err, errno = describe(objects, options)
  if not model then return nil, err, errno end
  local outputs, source = {}, file.base(paths[1])
  if options.output then
    outputs[1] = { path = options.output, text = require("ebpf.gen.module").text(model, objects, source) }
  end
  if options.c then outputs[#outputs + 1] = { path = options.c, text = require("ebpf.gen.header").text(model, objects, source) } end
  if options.deps then
    outputs[#outputs + 1] = { path = options.deps, text = dependencies(options.output or options.c, objects) }
  end
  local ok
  ok, err, errno = file.write(outputs)
  if not ok then return nil, err, errno end
  return { model = model, objects = objects, warnings = said ~= "" and said or nil }
end

return gen
