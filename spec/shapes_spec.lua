-- Values of every shape, out of initial data and out of records, in the host's byte order and in the other.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local host, other = "build/spec/bpf/lua_shapes.bpf.o", "build/spec/bpf/big/lua_shapes.bpf.o"
local host_is_big = string.pack("=I2", 1) == "\0\1"

local function single(number) return (string.unpack("f", string.pack("f", number))) end
local function wide(high, low) return string.pack("=i8i8", host_is_big and high or low, host_is_big and low or high) end

-- What shapes.c says, member by member. `sign`: whether the compiler has told that an enum has a sign (clang 15); before, its numbers are those of 32
-- bits without one.
local function expected(big, sign)
  local minus = sign and -1 or 0xffffffff
  return {
    u8 = 0xfe, s8 = -2, u16 = 0xfedc, s16 = -0x123, u32 = 0xfedcba98, s32 = -0x12345678, u64 = 0xfedcba9876543210,
    s64 = -0x123456789abcdef, yes = true, no = false, flags = { true, false, true }, single = 1.5, singles = { -0.25, single(3e38) },
    real = 0.1, reals = { -1e300, 5e-324 }, wide = wide(-1, -2), wides = { wide(0x0123456789abcdef, 0xfedcba), wide(0, 1) },
    pointer = 0x123456789abcdef0, pointers = { 0, 8 }, sign = minus, signs = { 300, 0, minus },
    e64 = math.mininteger + 1, e64s = -0x123456789ab, e8 = 200,
    bits = { five = -3, twelve = -1234, wide = 0x123456789a, flag = true, three = 5, level = 300, all = 0xfedcba9876543210 },
    packed = { a = 1, b = 0x12345678, c = 0xabcd, d = 0x1122334455667788 },
    packs = { { a = 2, b = 3, c = 4, d = 5 }, { a = 6, b = 0x7000000, c = 0x800, d = 0x900000000000000 } },
    grid = { { 1, 0x200, 3 }, { 4, 0x5000, 6 } }, cube = { { { 1, -2 }, { 3, -4 } }, { { 5, -6 }, { 7, -8 } } },
    text = "text", full = "full", utf8 = "zżółw", names = { "one", "three" }, raw = { 1, 2, 3, 4, 5, 6 },
    points = { { x = 1, y = -2 }, { x = 0x300, y = -0x400 } },
    choice = big and { word = 0x01020304, point = { x = 0x102, y = 0x304 }, bytes = { 1, 2, 3, 4 } }
      or { word = 0x03040102, point = { x = 0x102, y = 0x304 }, bytes = { 2, 1, 4, 3 } },
    lifted = big and 0x1234 or 0x3412, lifted_bytes = { 0x12, 0x34 }, inside = 0x1020304, deeper = 0x506,
    port = big and 443 or 0xbb01, other_port = big and 80 or 0x5000, address = big and 0x0a000001 or 0x0100000a,
    addresses = { big and 0x7f000001 or 0x0100007f, 0xffffffff }, number = big and 0x102030405060708 or 0x0807060504030201,
    little = big and 0x04030201 or 0x01020304, sum = 0x1234,
  }
end

local function is_signed(btf) return btf:layout("enum sign").signed end

local function each(fn)
  for path, big in pairs { [host] = host_is_big, [other] = not host_is_big } do
    local spec <close> = assert(ebpf.spec(path))
    assert.equal(big and "big" or "little", spec.byteorder)
    fn(spec, expected(big, is_signed(spec.btf)), big)
  end
end

describe("values of every shape, of either byte order,", function()
  it("are what initial data holds", function()
    each(function(spec, values)
      assert.same(values, spec.variables.shapes:get())
      assert.same(values, spec.variables.constants:get())
      assert.equal(2.5, spec.variables.ratio:get())
      assert.equal("1", ebpf.format.int128(spec.variables.huge:get()))
      assert.equal("-2", ebpf.format.int128(spec.variables.shapes:get().wide, true))
      assert.same({ count = 2, points = { { x = 1, y = -2 }, { x = 0x300, y = -0x400 } } }, spec.variables.some_points:get())
    end)
  end)

  it("are written as the compiler has written them", function()
    each(function(spec, values)
      local btf = spec.btf
      local compiled = btf:encode("struct shapes", spec.variables.shapes:get())
      assert.same(values, btf:decode("struct shapes", compiled))
      values.choice.word, values.choice.bytes, values.lifted = nil, nil, nil -- one member is enough
      assert.equal(compiled, btf:encode("struct shapes", values))
      spec.variables.shapes:set(values)
      spec.variables.ratio:set(-0.5)
      assert.equal(-0.5, spec.variables.ratio:get())
      spec.variables.some_points:set { count = 1, points = { { x = 0x102, y = -1 } } }
      assert.same({ count = 1, points = { { x = 0x102, y = -1 }, { x = 0, y = 0 } } }, spec.variables.some_points:get())
      assert.error_matches(function() spec.variables.some_points:set { points = { {}, {}, {} } } end, "no element [3]: there are 2", 1, true)
      assert.error_matches(function() spec.variables.shapes:set { bits = { twelve = 2048 } } end, "shapes.bits.twelve: 2048 is out of range for 12 bits", 1, true)
    end)
  end)

  it("have mirrored bytes", function()
    local ours <close> = assert(ebpf.spec(host))
    local theirs <close> = assert(ebpf.spec(other))
    local function both(type, value) return ours.btf:encode(type, value), theirs.btf:encode(type, value) end
    for _, row in ipairs {
      { "u64", 0x0123456789abcdef }, { "u32", 77 }, { "short", -2 }, { "double", 0.1 }, { "float", 1.5 }, { "__int128", wide(5, -9) }, { "bool", true },
      { "void *", 0x1234 }, { "enum tiny_enum", 200 }, { "enum wide", 1 },
    } do
      local a, b = both(row[1], row[2])
      assert.equal(a:reverse(), b, row[1])
      assert.equal(row[2], theirs.btf:decode(row[1], b))
    end
    local a, b = both("u16[2][2]", { { 1, 2 }, { 3, 4 } })
    assert.equal(a:gsub("(.)(.)", "%2%1"), b .. "")
    a, b = both("char[6]", "text")
    assert.equal(a, b)
    -- bit fields: from the least significant bit up, or from the most significant down
    local bits = { five = -3, three = 5, flag = true }
    local little, big = (host_is_big and theirs or ours).btf, (host_is_big and ours or theirs).btf
    assert.equal("1d", ("%02x"):format(little:encode("struct bits", bits):byte()))
    assert.equal("e8", ("%02x"):format(big:encode("struct bits", bits):byte()))
    assert.same(little:decode("struct bits", little:encode("struct bits", bits)), big:decode("struct bits", big:encode("struct bits", bits)))
  end)

  it("are printed and parsed", function()
    local texts = {}
    each(function(spec, values)
      local btf = spec.btf
      values.choice, values.lifted, values.lifted_bytes = nil, nil, nil
      for _, name in ipairs { "port", "other_port", "address", "addresses", "number", "little" } do values[name] = nil end
      local bytes = btf:encode("struct shapes", values)
      local text = assert(btf:format("struct shapes", bytes, { emit_strings = true }))
      assert.matches(".s16 = -291", text, 1, true)
      assert.matches(".single = 1.5", text, 1, true)
      assert.matches(".real = 0.1000000000000000", text, 1, true)
      assert.matches(".wide = 0xfffffffffffffffffffffffffffffffe", text, 1, true)
      assert.matches(".pointer = 0x123456789abcdef0", text, 1, true)
      assert.matches(".five = -3", text, 1, true)
      assert.equal(bytes, assert(btf:parse("struct shapes", text)))
      texts[#texts + 1] = text
      local typed = assert(btf:format("struct shapes", bytes, { typed = true }))
      assert.matches(".u16 = (__u16)65244", typed, 1, true)
      assert.equal("nan(0x7ff0000000000000)", btf:format("double", btf:encode("double", math.huge)))
      assert.equal(btf:encode("float", -math.huge), btf:parse("float", btf:format("float", btf:encode("float", -math.huge))))
      assert.equal("0x1000000000000000200000000000000", btf:format("__int128", btf:parse("__int128", "0x1000000000000000200000000000000")))
    end)
    assert.equal(texts[1], texts[2])
  end)

  it("are enums with names, signs and 64 bits", function()
    local b = ebpf.btf.new()
    b:add_enum { name = "sign", signed = true, enumerators = { { "MINUS", -1 }, { "PLUS", 300 } } }
    b:add_enum { name = "tiny", size = 1, signed = true, enumerators = { { "LOW", -128 }, { "HIGH", 127 } } }
    b:add_enum64 { name = "high", enumerators = { { "TOP", 0x8000000000000001 } } }
    b:add_enum64 { name = "low", signed = true, enumerators = { { "BOTTOM", math.mininteger } } }
    b:add_struct { name = "all", members = { { "sign", "enum sign" }, { "tiny", "enum tiny" }, { "high", "enum high" }, { "lows", "enum low[2]" } } }
    local plain = assert(b:finish())
    for _, order in ipairs { "little", "big" } do
      local btf = assert(ebpf.btf.read { bytes = plain:bytes { byteorder = order } })
      local bytes = btf:encode("struct all", { sign = "MINUS", tiny = "LOW", high = "TOP", lows = { "BOTTOM", 5 } })
      assert.same({ sign = -1, tiny = -128, high = 0x8000000000000001, lows = { math.mininteger, 5 } }, btf:decode("struct all", bytes))
      assert.matches("MINUS.*LOW.*TOP.*BOTTOM, 5", (btf:format("struct all", bytes, { compact = true })))
      assert.equal(order == "big" and "\x80\0\0\0\0\0\0\1" or "\1\0\0\0\0\0\0\x80", btf:encode("enum high", "TOP"))
    end
  end)

  it("are refused by what is of this machine", function()
    local theirs <close> = assert(ebpf.spec(other))
    local none, err = ebpf.map { type = "array", value = "struct point", max_entries = 1, btf = theirs.btf }
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
    assert.matches("the other byte order", err.message)
  end)
end)
