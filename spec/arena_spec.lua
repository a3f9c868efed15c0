-- Arenas: memory that programs and user space share, with variables in it.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local object = "build/spec/bpf/new/load_arena.bpf.o"

describe("the memory of an arena made by hand", function()
  it("is had by offsets, within its pages", function()
    need { kernel = "6.9" }
    local m <close> = assert(ebpf.map { type = "arena", max_entries = 4 })
    local memory = assert(m:memory())
    local size = #memory
    assert.is_true(size >= 4 * 4096)
    memory:set("u64", size - 8, 77)
    assert.equal(77, memory:get("u64", size - 8))
    assert.equal(5, memory:pack("I4", 1, 5))
    assert.equal(5, (memory:unpack("I4", 1)))
    assert.error_matches(function() memory:get("u64", size - 7) end, "outside of the memory")
    assert.error_matches(function() return memory[0] end, "an arena has no elements")
    assert.error_matches(function() memory[0] = 1 end, "an arena has no elements")
  end)
end)

describe("an arena", function()
  before_each(function() need.file(object) end)

  it("has variables like a data section", function()
    local spec = assert(ebpf.spec(object))
    local counter = spec.variables.counter
    assert.equal(40, counter:get())
    assert.equal(".addr_space.1", counter.section)
    assert.equal("int", counter.type)
    assert.is_false(counter.read_only)
    assert.same({ first = 1, second = 2 }, spec.variables.pair:get())
    counter:set(41)
    assert.equal(41, counter:get())
  end)

  local function check()
    local coll <close> = assert(ebpf.load(object, { variables = { counter = 100 } }))
    local v = coll.variables
    assert.equal(100, v.counter:get())
    assert.equal(7, v.last:get().value)
    assert.equal(102, assert(coll.programs.add:run {}).retval)
    assert.equal(102, v.counter:get())
    assert.same({ first = 1, second = 103 }, v.pair:get())
    assert(v.pair:set { first = 1000, second = 0 })
    assert.equal(104, assert(coll.programs.add:run {}).retval)
    assert.equal(1104, v.pair:get().second)
  end

  it("is shared with the running program", function()
    need { kernel = "6.9" }
    need.jit()
    check()
    ebpf.kernel():mask "wide_offsets"
    local ok, why = pcall(check)
    ebpf.kernel():unmask "wide_offsets"
    assert(ok, why)
  end)

  it("lies where map_extra says", function()
    need { kernel = "6.9" }
    need.jit()
    local spec = assert(ebpf.spec(object))
    spec.maps.arena.map_extra = 1 << 45
    local coll <close> = assert(spec:load())
    assert.equal(42, assert(coll.programs.add:run {}).retval)
    -- two at one place cannot be
    local none, err = spec:load()
    assert.is_nil(none)
    assert.matches("map 'arena': cannot map it into memory", err.message)
  end)

  it("cannot have variables where user space makes no pages", function()
    need { kernel = "6.9" }
    local spec = assert(ebpf.spec(object))
    spec.maps.arena.flags = spec.maps.arena.flags | 1 << 17 -- BPF_F_SEGV_ON_FAULT
    local none, err = spec:load()
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    assert.matches("BPF_F_SEGV_ON_FAULT cannot have variables", err.message)
  end)
end)
