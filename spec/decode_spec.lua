-- Keys and values of every type as Lua values and back.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

describe("a map of a compiled object", function()
  local coll
  before_each(function()
    need { kernel = "5.2" }
    coll = assert(ebpf.load "build/spec/bpf/lua_types.bpf.o")
  end)
  after_each(function() if coll then coll:close() end end)

  local little = string.pack("=I2", 1) == "\1\0"
  local function full()
    return {
      big = -1, small = math.mininteger, color = 2, mac = { 1, 2, 3, 4, 5, 6 }, flag = true, name = "nine char",
      pair = { low = 1, high = -1 },
      pairs = { { low = 2, high = 3 }, { low = 4294967295, high = -2147483648 } }, three = 7, twenty = 1048575, five = -16,
      word = 0x01010101, bytes = { 1, 1, 1, 1 },
      choice = { whole = little and 0x200000001 or 0x100000002, halves = { low = 1, high = 2 } },
      grid = { { 1, 2, 3 }, { 4, 5, 65535 } }, tiny = -128, little = -32768, pointer = -1,
    }
  end
  local key = { address = 1, port = 80, protocol = 6 }

  it("has its keys and values as tables, whatever their type", function()
    local m = coll.maps.table
    assert.is_nil(m[key])
    m[key] = full()
    assert.same(full(), m[key])
    for k, v in pairs(m) do
      assert.same(key, k)
      assert.same(full(), v)
      m[k] = v -- what was read can be written back
    end
    assert.same(full(), m[key])
    m[key] = nil
    assert.is_nil(m[key])
  end)

  it("has zeros where nothing was given", function()
    local m = coll.maps.table
    m[key] = {}
    local value = m[key]
    assert.equal(0, value.big)
    assert.same({ 0, 0, 0, 0, 0, 0 }, value.mac)
    assert.is_false(value.flag)
    assert.equal("", value.name)
    assert.same({ low = 0, high = 0 }, value.pairs[2])
    m[{}] = { color = 1 }
    assert.equal(1, m[{ address = 0, port = 0, protocol = 0 }].color)
  end)

  it("takes enumerators by name, byte arrays as strings, one member of a union", function()
    local m = coll.maps.table
    m[key] = { color = "BLUE", mac = "\1\2", choice = { halves = { high = 1 } }, bytes = { 255 } }
    local value = m[key]
    assert.equal(70, value.color)
    assert.same({ 1, 2, 0, 0, 0, 0 }, value.mac)
    assert.equal(1, value.choice.halves.high)
    assert.same({ 255, 0, 0, 0 }, value.bytes)
  end)

  it("takes whole structs as raw strings", function()
    local m = coll.maps.table
    m:set(string.pack("=I4I2I2", 1, 80, 6), ("\0"):rep(m.value_size))
    assert.equal(0, m[key].big)
    assert.error_matches(function() m:set("short", {}) end, "key: the string has 5 bytes, not 8")
  end)

  it("refuses wrong values, naming the path to them", function()
    local m = coll.maps.table
    local function refused(value, message) assert.error_matches(function() m[key] = value end, message, 1, true) end
    refused({ pair = { low = -1 } }, "value.pair.low: -1 is out of range for ")
    refused({ pairs = { {}, { high = "x" } } }, "value.pairs[2].high: integer expected, got string")
    refused({ pairs = { {}, {}, {} } }, "value.pairs: no element [3]: there are 2, from 1")
    refused({ grid = { { 1, 2, 70000 } } }, "value.grid[1][3]: 70000 is out of range for ")
    refused({ three = 8 }, "value.three: 8 is out of range for 3 bits (0 to 7)")
    refused({ five = 16 }, "value.five: 16 is out of range for 5 bits (-16 to 15)")
    refused({ color = "PINK" }, "value.color: enum color has no enumerator 'PINK'")
    refused({ color = {} }, "value.color: integer or enumerator's name expected, got table")
    refused({ flag = 2 }, "value.flag: 2 is out of range")
    refused({ flag = "yes" }, "value.flag: boolean expected, got string")
    refused({ name = "ten letters" }, "value.name: the string has 11 bytes, not at most 9")
    refused({ mac = { [0] = 1 } }, "value.mac: no element [0]: there are 6, from 1")
    refused({ mac = { x = 1 } }, "value.mac: no element [string]: there are 6, from 1")
    refused({ pare = {} }, "value: struct value has no field 'pare'")
    refused({ 1 }, "value: struct value has no field '1'")
    refused({ pair = 5 }, "value.pair: table expected, got number")
    refused({ choice = { whole = 1, halves = { low = 2 } } }, "give one of them")
    refused(5, "value: table expected, got number")
    assert.error_matches(function() return m[{ adress = 1 }] end, "key: struct key has no field 'adress'")
    assert.is_nil(m[key], "a refused value leaves nothing")
  end)

  it("does not change under a finalizer that uses it in the middle of a lookup", function()
    local m = coll.maps.table
    m[key], m[{ address = 2 }] = { name = "first", mac = "\1\1\1\1\1\1" }, { name = "second", mac = "\2\2\2\2\2\2" }
    handles.without_rest(function()
      for _ = 1, 50 do
        setmetatable({}, { __gc = function() assert(m[{ address = 2 }].name == "second") end })
        local value = m[key]
        assert.equal("first", value.name)
        assert.same({ 1, 1, 1, 1, 1, 1 }, value.mac)
      end
    end)
  end)

  it("may be closed by a finalizer in the middle of a lookup", function()
    handles.without_rest(function()
      for _ = 1, 20 do
        local m = assert(ebpf.map { type = "array", value = "u32[64]", max_entries = 1 })
        setmetatable({}, { __gc = function() m:close() end })
        pcall(function()
          for _ = 1, 10 do assert.equal(64, #m[0]) end
        end)
        collectgarbage()
        assert.error_matches(function() return m[0] end, "map is closed")
      end
    end)
  end)

  it("takes maps and programs as elements", function()
    local inner <close> = assert(ebpf.map { type = "array", value = "u32", max_entries = 4 })
    coll.maps.outer[1] = inner
    assert.equal(inner:info().id, coll.maps.outer[1])
    assert.is_nil(coll.maps.jumps[0])
    assert.equal(99, coll.programs.jump:run { data = ("\0"):rep(14) }.retval)
    coll.maps.jumps[0] = coll.programs.count
    assert.equal(coll.programs.count:info().id, coll.maps.jumps[0])
    local before = coll.variables.hits:get()
    coll.programs.jump:run { data = ("\0"):rep(14) }
    assert.equal(before + 1, coll.variables.hits:get())
  end)

  it("has string keys", function()
    local names = coll.maps.names
    names:set("bash", 3)
    assert.equal(3, names:get "bash")
    assert.equal(3, names:view().bash)
    for name, count in pairs(names) do assert.same({ "bash", 3 }, { name, count }) end
  end)
end)
