-- Objects of every compiler that is installed: what they say must be what those of the default clang say.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function sources()
  local list = {}
  for path in process.run("ls spec/bpf/*.bpf.c"):gmatch "[^\n]+" do list[#list + 1] = path:match "([^/]+)%.bpf%.c$" end
  return list
end

-- Maps, programs and variables, one line each. `loosely`: what follows from the source alone, not from where a compiler puts data.
local function shape(spec, loosely)
  local lines = {}
  for name, map in pairs(spec.maps) do
    if not loosely then
      -- how much of a static variable is left is the compiler's choice
      local size = map.section == ".bss" and "" or map.value_size
      -- clang 13 says "long int" where younger ones say "long"
      local key, value = (map.key or ""):gsub("^long int$", "long"), map.value or ""
      lines[#lines + 1] = table.concat({ "map", name, map.type, map.key_size, size, map.max_entries, map.flags, key, value }, " ")
    elseif map.section == ".maps" then
      lines[#lines + 1] = table.concat({ "map", name, map.type, map.key_size, map.value_size, map.max_entries }, " ")
    end
  end
  for name, program in pairs(spec.programs) do
    lines[#lines + 1] = table.concat({ "program", name, program.type, program.section, tostring(program.autoload) }, " ")
  end
  for name, variable in pairs(spec.variables) do
    local place = loosely and "" or variable.section .. " " .. variable.type
    lines[#lines + 1] = table.concat({ "variable", name, variable.size, place }, " ")
  end
  table.sort(lines)
  return lines
end

-- Compiles into a file of its own; nil when this compiler does not take the source.
local function compile(command, name, out)
  local options = "-Ispec/bpf -D__TARGET_ARCH_x86 -Wno-compare-distinct-pointer-types"
  local ok = os.execute(("%s %s -c -o %s spec/bpf/%s.bpf.c 2>/dev/null"):format(command, options, out, name))
  if not ok then return nil end
  local file = assert(io.open(out, "rb"))
  local spec = ebpf.spec { bytes = file:read "a", name = name } -- the name is part of those of its data sections
  file:close()
  return spec
end

-- A static linker is one more writer of objects: sections joined, weak functions that lost still in them, types deduplicated.
describe("objects that bpftool linked", function()
  it("have all that went in, and run", function()
    need { kernel = "5.2" }
    need.command "bpftool"
    local linked, parts = os.tmpname(), {}
    for _, name in ipairs { "load_data", "load_tags", "load_throw", "load_link_ops", "load_kconfig" } do
      parts[#parts + 1] = "build/spec/bpf/" .. name .. ".bpf.o"
    end
    local text, status = process.run("bpftool gen object " .. linked .. ".o " .. table.concat(parts, " "))
    assert.equal(0, status, text)
    local spec = assert(ebpf.spec(linked .. ".o"))
    os.remove(linked)
    os.remove(linked .. ".o")
    for _, part in ipairs(parts) do
      local single = assert(ebpf.spec(part))
      for name, program in pairs(single.programs) do
        assert.equal(program.section, spec.programs[name].section)
        assert.equal(program.instructions, spec.programs[name].instructions)
        assert.same(program.tags, spec.programs[name].tags)
      end
      for name, variable in pairs(single.variables) do
        assert.equal(variable.type, spec.variables[name].type)
        assert.same(variable:get(), spec.variables[name]:get())
      end
    end
    assert.equal("init_first", spec.maps.first.fields.init)
    local coll <close> = assert(spec:load { programs = { "multiply", "filter", "classify" } })
    local packet = { data = ("x"):rep(64) }
    local alone <close> = assert(ebpf.load(parts[1], { programs = { "multiply" } }))
    assert.equal(assert(alone.programs.multiply:run(packet)).retval, assert(coll.programs.multiply:run(packet)).retval)
    assert.equal(("x"):byte() + 1, assert(coll.programs.filter:run(packet)).retval)
    assert.equal(("x"):byte() + 2, assert(coll.programs.classify:run(packet)).retval)
  end)
end)

local function architecture_headers()
  local triplet = process.run("gcc -print-multiarch 2>/dev/null"):match "%S+"
  return triplet and " -idirafter /usr/include/" .. triplet or ""
end

describe("an object", function()
  local out
  before_each(function() out = os.tmpname() end)
  after_each(function() os.remove(out) end)

  it("of each clang is read alike #host", function()
    need.command "gcc"
    local target = ebpf.spec "build/spec/bpf/load_tiny.bpf.o".byteorder == "little" and "bpfel" or "bpfeb"
    local versions = {}
    for version = 11, 25 do
      if os.execute("command -v clang-" .. version .. " >/dev/null") then versions[#versions + 1] = version end
    end
    if #versions == 0 then need.command "clang-19" end
    for _, version in ipairs(versions) do
      local command = ("clang-%d -target %s -O2 -g%s"):format(version, target, architecture_headers())
      for _, name in ipairs(sources()) do
        local what = ("clang %d: %s"):format(version, name)
        local spec = assert(compile(command, name, out), what)
        assert.same(shape(assert(ebpf.spec("build/spec/bpf/" .. name .. ".bpf.o"))), shape(spec), what)
      end
    end
  end)

  it("of GCC is read alike #host", function()
    need.command "bpf-gcc"
    -- what GCC 12 takes of the sources; later ones take more
    local command = "bpf-gcc -O2 -gbtf -mco-re -mcpu=v3 -idirafter /usr/include" .. architecture_headers()
    local read = 0
    for _, name in ipairs(sources()) do
      local spec = compile(command, name, out)
      if spec then
        read = read + 1
        assert.same(shape(assert(ebpf.spec("build/spec/bpf/" .. name .. ".bpf.o")), true), shape(spec, true), name)
      end
    end
    assert.is_true(read >= 8, read .. " objects were read")
  end)
end)
