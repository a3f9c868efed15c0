--- What a module made by `ebpf gen` stands on: it carries compiled objects, one for each target, and takes the one that is made for
-- this machine.
local core = require "ebpf.core"
local ebpf = require "ebpf"

local embedded = {}

local byteorder = string.pack("=I2", 1) == "\1\0" and "little" or "big"

local machines = { -- e_machine of the running interpreter -> the name in __TARGET_ARCH_x
  [2] = "sparc", [3] = "x86", [8] = "mips", [20] = "powerpc", [21] = "powerpc", [22] = "s390", [40] = "arm", [43] = "sparc",
  [62] = "x86", [93] = "arc", [183] = "arm64", [195] = "arc", [243] = "riscv", [258] = "loongarch",
}

local function machine()
  local file <close> = io.open("/proc/self/exe", "rb")
  local header = file and file:read(20)
  return header and #header == 20 and machines[string.unpack("=I2", header, 19)] or nil
end

-- One that is made for this very machine goes before one that is good for all of its byte order.
local function choose(name, objects)
  local arch = machine()
  local general, known
  for _, object in ipairs(objects) do
    if object.byteorder == byteorder then
      if object.arch and object.arch == arch then return object end
      if not object.arch then general = general or object end
    end
    known = (known and known .. ", " or "") .. object.target
  end
  if general then return general end
  return core.fail(95, ("module '%s': it has no object for this machine (%s, %s-endian), only for %s")
    :format(name, arch or "unknown", byteorder, known), "generate it once more with --target")
end

--- The Spec of a module's object. `records`: the types of rings whose definitions leave them open, by the names of the maps.
function embedded.spec(name, objects, records)
  local object, err, errno = choose(name, objects)
  if not object then return nil, err, errno end
  local spec
  spec, err, errno = ebpf.spec { bytes = object.bytes, name = name }
  if not spec then return nil, err, errno end
  for map, type in pairs(records) do spec.maps[map].value = type end
  return spec
end

--- Its collection, loaded; options as of ebpf.load.
function embedded.load(name, objects, records, options)
  local spec <close>, err, errno = embedded.spec(name, objects, records)
  if not spec then return nil, err, errno end
  return spec:load(options)
end

-- A table of names in which a wrong one is a mistake.
local function strict(module, what, names)
  return setmetatable(names, {
    __index = function(_, wrong)
      local known = {}
      for each in pairs(names) do known[#known + 1] = each end
      table.sort(known)
      error(("%s: there is no '%s' among its %s (%s)"):format(module, tostring(wrong), what, table.concat(known, ", ")), 2)
    end,
  })
end

--- Ends a module.
function embedded.module(name, module)
  for _, what in ipairs { "programs", "maps", "variables", "types", "enums" } do strict(name, what, module[what]) end
  return module
end

return embedded
