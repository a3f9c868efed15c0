-- Maps that outlive their collection by a pin of their name: used again as they are, not written over; refused with every
-- difference.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local function bpffs()
  local root = ("/tmp/ebpf-map-pin-%d"):format(math.random(1 << 30))
  assert(os.execute(("mkdir %s && mount -t bpf bpf %s"):format(root, root)))
  return root, function() os.execute(("umount -l %s; rmdir %s"):format(root, root)) end
end

describe("a map that is pinned by its name", function()
  local folder, remove
  before_each(function()
    need { kernel = "5.10" }
    folder, remove = bpffs()
  end)
  after_each(function() if remove then remove() end end)

  -- The object with its sections pinned; `change(spec)` before it is loaded.
  local function load(change)
    local spec <close> = assert(ebpf.spec "build/spec/bpf/load_data.bpf.o")
    for _, name in ipairs { ".data", ".rodata", ".bss" } do spec.maps[name].pin_by_name = true end
    if change then change(spec) end
    return spec:load { pin_dir = folder }
  end
  local function run(coll) return assert(coll.programs.multiply:run { data = ("\0"):rep(14) }).retval end

  it("keeps what programs and users have written, data sections included", function()
    local first = assert(load(function(spec) spec.variables.factor:set(5) end))
    assert.equal(40 * 5 + ("h"):byte(), run(first))
    assert(first.variables.start:set(50))
    first:close()
    -- the second has 3 and 40 for them: what is pinned stands, the frozen one too
    local second <close> = assert(load())
    assert.equal(50, second.variables.start:get())
    assert.equal(5, second.variables.factor:get())
    assert.equal(1, second.variables.runs:get())
    assert.equal(50 * 5 + ("h"):byte(), run(second))
    assert.equal(2, second.variables.runs:get())
    local ok, err = second.variables.factor:set(6)
    assert.is_nil(ok)
    assert.equal("EPERM", err.code)
    assert.is_truthy(ebpf.pin.load(folder .. "/load_dat_rodata")) -- a BPF file system takes no dots
  end)

  it("is refused with all that differs, and stays", function()
    local m <close> = assert(ebpf.map { type = "hash", key = "u64", value = "u64", max_entries = 9, flags = "no_prealloc" })
    assert(m:pin(folder .. "/absent"))
    local coll, err = load(function(spec) spec.maps.absent.pin_by_name = true end)
    assert.is_nil(coll)
    assert.equal("EEXIST", err.code)
    for _, part in ipairs { "key_size 8, not 4", "value_size 8, not 4", "max_entries 9, not 4", "flags 0x1, not 0x0" } do
      assert.matches(part, err.message)
    end
    assert.is_truthy(err.hint:find("remove " .. folder .. "/absent", 1, true))
    local bloom = { type = "bloom_filter", value = "u32", max_entries = 4, map_extra = 3 }
    local filter = ebpf.map(bloom) -- 5.16
    if filter then
      assert(m:unpin())
      assert(filter:pin(folder .. "/absent"))
      coll, err = load(function(spec)
        local map = spec.maps.absent
        map.pin_by_name, map.type, map.key_size, map.map_extra = true, "bloom_filter", 0, 5
      end)
      assert.is_nil(coll)
      assert.matches("map_extra 0x3, not 0x5", err.message)
      filter:close()
    end
  end)

  it("is one map for loaders that race for it", function()
    local script = ([[
      local ebpf = require 'ebpf'
      local spec = assert(ebpf.spec 'build/spec/bpf/load_data.bpf.o')
      for _, name in ipairs { '.data', '.rodata', '.bss', 'absent' } do spec.maps[name].pin_by_name = true end
      local coll = assert(spec:load { pin_dir = '%s' })
      print(coll.maps.absent:info().id)]]):format(folder)
    local pipes = {}
    for i = 1, 6 do pipes[i] = assert(io.popen(("lua5.4 -e \"%s\" 2>&1"):format(script))) end
    local first
    for _, pipe in ipairs(pipes) do
      local output = pipe:read "a"
      pipe:close()
      local id = assert(tonumber(output), output)
      first = first or id
      assert.equal(first, id)
    end
  end)

  it("is left as it was by a load that fails, and leaks nothing", function()
    assert(load()):close()
    assert.equal(0, handles.leaked(function()
      local coll = load(function(spec) spec.maps[".data"].max_entries = 2 end)
      assert.is_nil(coll)
      assert(load()):close()
    end))
    assert.is_truthy(ebpf.pin.load(folder .. "/load_dat_data"))
  end)
end)
