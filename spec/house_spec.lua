-- The rules of the house that a machine can check: arrows between rooms, the exported symbols, what src/ must not do.
local process = require "spec.support.process"

local may_include = { -- a room -> the rooms that it may include directly; what those may, it may too
  base = {}, sys = { "base" }, asm = { "base" }, btf = { "base" }, kernel = { "sys", "btf" }, spec = { "asm", "btf" },
  map = { "kernel" }, program = { "kernel" }, symbol = { "kernel" }, load = { "spec", "map", "program" },
  link = { "map", "program", "symbol" }, ring = { "map" }, sink = { "ring" }, loop = { "ring" },
  bpf = {}, -- no part of the library: headers for programs in C
}

local function below(room, seen)
  seen = seen or {}
  for _, lower in ipairs(may_include[room]) do
    seen[lower] = true
    below(lower, seen)
  end
  return seen
end

local function files(pattern)
  local list = {}
  for path in process.run("ls " .. pattern):gmatch "[^\n]+" do list[#list + 1] = path end
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

describe("the house", function()
  it("has only downward arrows between the rooms of src/", function()
    local wrong = {}
    for _, path in ipairs(files "src/*/*.[ch]") do
      local room = path:match "^src/([^/]+)/"
      assert(may_include[room], "no such room in DESIGN: " .. room)
      local allowed = below(room)
      for target in read(path):gmatch '#%s*include "([^"]+)"' do
        local other = target:match "^([^/]+)/"
        if other and other ~= room and not allowed[other] then wrong[#wrong + 1] = path .. " includes " .. target end
      end
    end
    assert.same({}, wrong)
  end)

  it("keeps Lua out of the core, and the core's insides out of the bindings", function()
    for _, path in ipairs(files "src/*/*.[ch] src/*.h") do
      assert.is_nil(read(path):match "#%s*include%s*[<\"]l[ua][^>\"]*%.h", path)
    end
    for _, path in ipairs(files "bindings/*.[ch]") do
      for target in read(path):gmatch '#%s*include "([^"]+)"' do
        assert.is_nil(target:match "/", path .. " includes " .. target)
      end
    end
  end)

  it("makes system calls in src/sys alone, and prints and aborts nowhere in src/", function()
    for _, path in ipairs(files "src/*/*.c") do
      local text = read(path):gsub("/%*.-%*/", ""):gsub('"[^"\n]*"', '""')
      if not path:match "^src/sys/" then assert.is_nil(text:match "%f[%w_]syscall%s*%(", path) end
      for _, name in ipairs { "printf", "puts", "perror", "abort", "exit", "assert" } do
        assert.is_nil(text:match("%f[%w_]" .. name .. "%s*%("), path .. " calls " .. name)
      end
    end
  end)

  it("exports exactly what the public headers declare", function()
    require "spec.support.need".command "nm"
    local declared, exported = {}, {}
    for _, path in ipairs(files "src/*.h") do
      for name in read(path):gmatch "EBPF_API[^;]-(ebpf_[%w_]+)%s*%(" do declared[name] = true end
    end
    for name in process.run "nm -D --defined-only build/libebpf.so":gmatch " [TDRB] ([%w_]+)" do exported[name] = true end
    assert.same(declared, exported)
  end)

  it("has no file of more than 1000 lines", function()
    for _, path in ipairs(files "src/*.h src/*/*.[ch] bindings/*.[ch] lua/ebpf/*.lua lua/ebpf/*/*.lua") do
      local _, lines = read(path):gsub("\n", "")
      if not path:match "_gen%.h$" and not path:match "_table%.h$" then assert.is_true(lines <= 1000, path .. ": " .. lines) end
    end
  end)
end)
