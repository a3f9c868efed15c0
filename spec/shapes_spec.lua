-- Values of every shape, out of initial data and out of records, in the host's byte order and in the other.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local host, other = "build/spec/bpf/lua_shapes.bpf.o", "build/spec/bpf/big/lua_shapes.bpf.o"
local host_is_big = string.pack("=I2", 1) == "\0\1"

local function single(number) return (string.unpack("f", string.pack("f", number))) end
local function wide(high, low) return string.pack("=i8i8", host_is_big and high or low, host_is_big and low or high) end

-- What shapes.c says, member by member. `sign`: whether the compiler has told that an enum has a sign (clang 15); before, its
-- numbers are those of 32
-- bits without one.
local function expected(big, sign)
  local minus = sign and -1 or 0xffffffff
  return {
    u8 = 0xfe, s8 = -2, u16 = 0xfedc, s16 = -0x123, u32 = 0xfedcba98, s32 = -0x12345678, u64 = 0xfedcba9876543210,
    s64 = -0x123456789abcdef, yes = true, no = false, flags = { true, false, true }, single = 1.5, singles = { -0.25,
      single(3e38) },
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
      assert.error_matches(function() spec.variables.some_points:set { points = { {}, {}, {} } } end,
        "no element [3]: there are 2", 1, true)
      assert.error_matches(function() spec.variables.shapes:set { bits = { twelve = 2048 } } end,
        "shapes.bits.twelve: 2048 is out of range for 12 bits", 1, true)
    end)
  end)

  it("have mirrored bytes", function()
    local ours <close> = assert(ebpf.spec(host))
    local theirs <close> = assert(ebpf.spec(other))
    local function both(type, value) return ours.btf:encode(type, value), theirs.btf:encode(type, value) end
    for _, row in ipairs {
      { "u64", 0x0123456789abcdef }, { "u32", 77 }, { "short", -2 }, { "double", 0.1 }, { "float", 1.5 }, { "__int128", wide(5,
        -9) }, { "bool", true },
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
    assert.same(little:decode("struct bits", little:encode("struct bits", bits)), big:decode("struct bits",
      big:encode("struct bits", bits)))
  end)

  it("are 128-bit integers, written as bytes or as integers", function()
    each(function(spec)
      for type, signed in pairs { __int128 = true, ["unsigned __int128"] = false } do
        local function back(value) return ebpf.format.int128(spec.btf:decode(type, spec.btf:encode(type, value)), signed) end
        assert.equal("9223372036854775807", back(math.maxinteger))
        assert.equal("18446744073709551616", back(wide(1, 0)))
        if signed then
          assert.equal("-5", back(-5))
        else
          assert.error_matches(function() back(-5) end, "value: -5 is out of range for unsigned __int128", 1, true)
        end
        assert.error_matches(function() back "short" end, "value: the string has 5 bytes, not 16", 1, true)
        assert.error_matches(function() back(1.5) end, "value: string of bytes expected, got number", 1, true)
      end
    end)
  end)

  it("are written as integers where there are no types, of the object's order #host", function()
    local path = os.tmpname()
    for _, folder in ipairs { "", "big/" } do
      local from = ("build/spec/bpf/%sspec_data.bpf.o"):format(folder)
      if not os.execute(("llvm-objcopy --remove-section .BTF --remove-section .BTF.ext %s %s 2>/dev/null"):format(from, path)) then
        pending "needs llvm-objcopy"
      end
      local bare <close> = assert(ebpf.spec(path))
      assert.is_nil(bare.btf)
      local big = bare.byteorder == "big"
      assert.equal(big and "\1\2\3\4" or "\4\3\2\1", bare.variables.data_u32:get())
      bare.variables.data_s64:set(0x0102030405060708)
      assert.equal(big and "\1\2\3\4\5\6\7\8" or "\8\7\6\5\4\3\2\1", bare.variables.data_s64:get())
    end
    os.remove(path)
  end)

  it("are the fields of struct_ops", function()
    for _, folder in ipairs { "", "big/" } do
      local spec <close> = assert(ebpf.spec(("build/spec/bpf/%sspec_struct_ops.bpf.o"):format(folder)))
      local plain = spec.maps.plain
      assert.equal(5, plain.fields.flags)
      plain.fields.flags = 0x01020304
      assert.equal(0x01020304, plain.fields.flags)
      assert.equal(spec.byteorder == "big" and "\1\2\3\4" or "\4\3\2\1", plain.data:sub(1, 4))
    end
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
      assert.equal("0x1000000000000000200000000000000", btf:format("__int128", btf:parse("__int128",
        "0x1000000000000000200000000000000")))
    end)
    assert.equal(texts[1], texts[2])
  end)

  it("are enums with names, signs and 64 bits", function()
    local b = ebpf.btf.new()
    b:add_enum { name = "sign", signed = true, enumerators = { { "MINUS", -1 }, { "PLUS", 300 } } }
    b:add_enum { name = "tiny", size = 1, signed = true, enumerators = { { "LOW", -128 }, { "HIGH", 127 } } }
    b:add_enum64 { name = "high", enumerators = { { "TOP", 0x8000000000000001 } } }
    b:add_enum64 { name = "low", signed = true, enumerators = { { "BOTTOM", math.mininteger } } }
    b:add_struct { name = "all", members = { { "sign", "enum sign" }, { "tiny", "enum tiny" }, { "high", "enum high" }, { "lows",
      "enum low[2]" } } }
    local plain = assert(b:finish())
    for _, order in ipairs { "little", "big" } do
      local btf = assert(ebpf.btf.read { bytes = plain:bytes { byteorder = order } })
      local bytes = btf:encode("struct all", { sign = "MINUS", tiny = "LOW", high = "TOP", lows = { "BOTTOM", 5 } })
      assert.same({ sign = -1, tiny = -128, high = 0x8000000000000001, lows = { math.mininteger, 5 } }, btf:decode("struct all",
        bytes))
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

describe("records of every shape", function()
  local coll
  before_each(function()
    need { kernel = "5.8", "ringbuf" }
    coll = assert(ebpf.load(host))
  end)
  after_each(function() if coll then coll:close() end end)

  local function run(name) assert(coll.programs[name]:run { data = ("\0"):rep(14) }) end
  local function values() return expected(host_is_big, is_signed(coll.btf)) end
  local function lines(path)
    local file <close> = assert(io.open(path))
    os.remove(path)
    return file:read "a"
  end

  it("are tables, fields and views", function()
    local want = values()
    local names = {}
    for name in pairs(want) do names[#names + 1] = name end
    local table_ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run "send"
    assert.equal(1, table_ring:consume(function(e) assert.same(want, e) end))
    table_ring:close()
    local fields_ring <close> = assert(ebpf.ringbuf(coll.maps.events, { fields = names }))
    run "send"
    assert.equal(1, fields_ring:consume(function(...)
      assert.equal(#names, select("#", ...))
      for i, name in ipairs(names) do assert.same(want[name], (select(i, ...)), name) end
    end))
    fields_ring:close()
    local view_ring <close> = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
    run "send"
    assert.equal(1, view_ring:consume(function(e)
      for _, name in ipairs(names) do assert.same(want[name], e[name], name) end
      local all = {}
      for name, value in pairs(e) do all[name] = value end
      assert.same(want, all)
    end))
  end)

  it("are variables, keys and values of maps, as they are records", function()
    local want = values()
    assert.same(want, coll.variables.shapes:get())
    want.s16, want.choice.word, want.choice.bytes, want.lifted = -7, nil, nil, nil
    coll.variables.shapes:set(want)
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { fields = { "s16", "real" } }))
    run "send"
    ring:consume(function(s16, real) assert.same({ -7, 0.1 }, { s16, real }) end)
    local m <close> = assert(ebpf.map { type = "hash", key = "struct bits", value = "struct shapes", max_entries = 4,
      btf = coll.btf })
    m[want.bits] = want
    local back = m[want.bits]
    assert.same(coll.variables.shapes:get(), back)
    for k in pairs(m) do assert.same(want.bits, k) end
    coll.variables.some_points:set { count = 1, points = { { x = 5, y = 6 } } }
    assert.same({ { x = 5, y = 6 }, { x = 0, y = 0 } }, coll.variables.some_points:get().points)
  end)

  it("meet conditions on every kind of field", function()
    local function passes(where, fails)
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { where = where, fields = { "u8" } }))
      run "send"
      local count = 0
      ring:consume(function() count = count + 1 end)
      assert.equal(fails and 0 or 1, count)
    end
    passes { u8 = 0xfe, s8 = -2, u16 = 0xfedc, s16 = -0x123, u32 = 0xfedcba98, s32 = -0x12345678, u64 = 0xfedcba9876543210,
      s64 = -0x123456789abcdef }
    passes { yes = true, no = false, single = 1.5, real = 0.1, pointer = 0x123456789abcdef0, e8 = "TINY_B", text = "text",
      full = "full", utf8 = "zżółw" }
    passes { ["bits.five"] = -3, ["bits.twelve"] = -1234, ["bits.wide"] = 0x123456789a, ["bits.flag"] = true,
      ["bits.level"] = "HIGH" }
    passes { ["packed.d"] = 0x1122334455667788, ["packs[2].b"] = 0x7000000, ["grid[2][2]"] = 0x5000, ["cube[2][1][2]"] = -6,
      ["names[2]"] = "three" }
    passes { ["points[2].y"] = -0x400, ["choice.point.x"] = 0x102, inside = 0x1020304, deeper = 0x506, ["flags[2]"] = false,
      ["singles[1]"] = -0.25 }
    passes { wide = wide(-1, -2) }
    passes { { "u64", ">", 5 }, { "s64", "<", 5 }, { "reals[1]", "<", -1e299 }, { "bits.all", ">", 5 }, { "utf8", "find", "żó" } }
    passes({ full = "ful" }, true)
    passes({ ["bits.twelve"] = 1234 }, true)
    passes({ wide = wide(0, 1) }, true)
  end)

  it("are keys and columns of groups", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink <close> = assert(ring:sink {
      by = { "e8", "text", "yes", "bits.five", "real", "s64", "wide" }, count = true, sum = { "u64", "bits.twelve", "single" },
        min = "cube[2][2][2]",
      last = { "full", "pointer", "bits.flag", "packed.c" }, enums = "names",
    })
    run "send"
    run "send"
    assert.equal(2, ring:consume(sink))
    assert.same({ {
      e8 = "TINY_B", text = "text", yes = true, ["bits.five"] = -3, real = 0.1, s64 = -0x123456789abcdef, wide = wide(-1, -2),
        count = 2,
      sum_u64 = 0xfedcba9876543210 * 2, ["sum_bits.twelve"] = -2468, sum_single = 3.0, ["min_cube[2][2][2]"] = -8, full = "full",
      pointer = 0x123456789abcdef0, ["bits.flag"] = true, ["packed.c"] = 0xabcd,
    } }, sink:rows())
  end)

  it("are lines of JSON, which another reader understands", function()
    local path = os.tmpname()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink = assert(ring:sink { ndjson = path, enums = "numbers" })
    run "send"
    ring:consume(sink)
    sink:close()
    local found, json = pcall(require, "dkjson")
    if not found then pending "needs dkjson" end
    local text = lines(path)
    local line, want = assert(json.decode(text)), values()
    want.wide, want.wides = "0xfffffffffffffffffffffffffffffffe", { "0x0123456789abcdef0000000000fedcba",
      "0x00000000000000000000000000000001" }
    want.u64, want.bits.all, want.e64 = nil, nil, nil -- beyond what dkjson takes for integers
    for _, name in ipairs { "single", "real", "singles", "reals" } do assert.same(want[name], line[name]) end
    want.e64s, line.e64s, line.u64, line.bits.all, line.e64 = nil, nil, nil, nil, nil
    assert.same(want, line)
    assert.matches('"u64":18364758544493064720', text, 1, true)
    assert.matches('"e64":9223372036854775809', text, 1, true)
    assert.matches('"utf8":"zżółw","names":["one","three"]', text, 1, true)
    assert.matches('"flags":[true,false,true]', text, 1, true)
  end)

  it("are lines of CSV, a column for each leaf", function()
    local path = os.tmpname()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink = assert(ring:sink { csv = path, fields = { "s8", "yes", "single", "e8", "bits", "packs", "grid", "names",
      "choice.point", "wides" } })
    run "send"
    ring:consume(sink)
    sink:close()
    assert.equal("s8,yes,single,e8,bits.five,bits.twelve,bits.wide,bits.flag,bits.three,bits.level,bits.all,"
      .. "packs[1].a,packs[1].b,packs[1].c,packs[1].d,"
      .. "packs[2].a,packs[2].b,packs[2].c,packs[2].d,"
      .. "grid[1][1],grid[1][2],grid[1][3],grid[2][1],grid[2][2],grid[2][3],names[1],names[2],"
      .. "choice.point.x,choice.point.y,wides[1],wides[2]\r\n"
      .. "-2,true,1.5,TINY_B,-3,-1234,78187493530,true,5,HIGH,18364758544493064720,2,3,4,5,6,"
      .. "117440512,2048,648518346341351424,1,512,3,4,20480,6,one,three,"
      .. "258,772,0x0123456789abcdef0000000000fedcba,0x00000000000000000000000000000001\r\n", lines(path))
  end)

  it("have integers of network order as such, where that is asked for", function()
    local want = values()
    want.port, want.other_port, want.address, want.addresses = 443, 80, 0x0a000001, { 0x7f000001, 0xffffffff }
    want.number, want.little = 0x102030405060708, 0x01020304
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { network = true, where = { port = 443, other_port = { 80, 8080 },
      ["addresses[1]"] = 0x7f000001 } }))
    run "send"
    assert.equal(1, ring:consume(function(e) assert.same(want, e) end))
    local sink <close> = assert(ring:sink { count = "port", where = { number = 0x102030405060708 } })
    run "send"
    ring:consume(sink)
    assert.same({ [443] = 1 }, sink:read())
    local path = os.tmpname()
    local csv = assert(ring:sink { csv = path, fields = { "port", "address", "little", "u16" }, header = false })
    run "send"
    ring:consume(csv)
    csv:close()
    assert.equal("443,167772161,16909060,65244\r\n", lines(path))
    ring:close()
    local view <close> = assert(ebpf.ringbuf(coll.maps.events, { network = true, view = true, type = "struct shapes" }))
    run "send"
    view:consume(function(e)
      assert.equal(443, e.port)
      assert.equal("10.0.0.1", ebpf.format.ip(e.address, "number"))
    end)
    assert.error_matches(function() ebpf.ringbuf(coll.maps.events, { network = 1 }) end, "network")
  end)

  describe("that end where they like", function()
    local function read(type, options)
      options = options or {}
      options.type = type
      local ring <close> = assert(ebpf.ringbuf(coll.maps.tails, options))
      local list = {}
      run "send_tail"
      ring:consume(function(...) list[#list + 1] = select("#", ...) > 1 and { ... } or ... end)
      return list
    end
    local function ordered(a, b) if host_is_big then return { x = a, y = b } end return { x = b, y = a } end
    local abcd, qrst = ordered(0x6463, 0x6261), ordered(0x7473, 0x7271)

    it("may be structs in a list", function()
      local want = { { count = 2, points = { abcd, qrst } }, { count = 2, points = {} }, { count = 2, points = { abcd } } }
      assert.same(want, read "struct points")
      local fields = read("struct points", { fields = { "points", "count" } })
      for i, row in ipairs(fields) do assert.same({ want[i].points, 2 }, row) end
      read("struct points", { view = true })
    end)

    it("may be strings in a list", function()
      local one, two = host_is_big and "dcba" or "abcd", host_is_big and "tsrq" or "qrst"
      local all = read "struct strings" -- the count is 16 bits: names begin at the second half of the first word
      assert.equal(2, #all[1].names)
      assert.equal(0, #all[2].names)
      assert.equal(one:sub(3, 4) .. two:sub(1, 2), all[1].names[2])
    end)

    it("may be a union of lists", function()
      local all = read "struct either"
      assert.same({ 0x64636261, 0x74737271 }, all[1].words)
      assert.same(host_is_big and { 0x64, 0x63, 0x62, 0x61, 0x74, 0x73, 0x72, 0x71 } or { 0x61, 0x62, 0x63, 0x64, 0x71, 0x72, 0x73,
        0x74 }, all[1].bytes)
      assert.same({ { {}, {} }, { { 0x64636261 }, 5 } }, { { all[2].words, all[2].bytes }, { all[3].words, #all[3].bytes } })
    end)

    it("may lie deeper", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.tails, { type = "struct nested" }))
      run "send_tail"
      local ok, err = pcall(ring.consume, ring, function(e)
        assert.equal(2, e.id)
        assert.equal(0x64636261, e.inner.count)
        assert.same({ qrst }, e.inner.points)
      end)
      assert.is_false(ok)
      assert.matches("a record has 4 bytes, but struct nested has at least 8", err, 1, true)
    end)

    it("go into sinks as they are", function()
      local path = os.tmpname()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.tails))
      local sink = assert(ring:sink { ndjson = path, where = { { "points[2].x", "~=", 0 } } })
      run "send_tail"
      ring:consume(sink)
      sink:close()
      assert.equal(('{"count":2,"points":[{"x":%d,"y":%d},{"x":%d,"y":%d}]}\n'):format(abcd.x, abcd.y, qrst.x, qrst.y), lines(path))
    end)

    it("are decoded and encoded by type, of either byte order", function()
      each(function(spec)
        local btf = spec.btf
        local bytes = btf:encode("struct points", { count = 2, points = { { x = 1, y = -2 }, { x = 3 } } })
        assert.equal(12, #bytes)
        assert.same({ count = 2, points = { { x = 1, y = -2 }, { x = 3, y = 0 } } }, btf:decode("struct points", bytes))
        assert.same({ count = 2, points = { { x = 1, y = -2 } } }, btf:decode("struct points", bytes:sub(1, 11)))
        assert.same({ count = 2, points = {} }, btf:decode("struct points", bytes:sub(1, 4)))
        assert.error_matches(function() btf:decode("struct points", "abc") end, "struct points: at least 4 bytes expected, got 3",
          1, true)
        assert.equal(4, #btf:encode("struct points", {}))
        bytes = btf:encode("struct either", { count = 1, words = { 7 } })
        assert.same({ count = 1, bytes = { bytes:byte(5, 8) }, words = { 7 }, no_bytes = {}, no_words = {} },
          btf:decode("struct either", bytes))
        assert.equal("xyz", btf:encode("struct either", { bytes = "xyz" }):sub(5))
        bytes = btf:encode("struct both", { count = 1, text = "abcdefg" })
        assert.equal(12, #bytes)
        assert.same({ bytes = { 0x61, 0x62, 0x63, 0x64, 0x65 }, text = "abcde" }, (function(v)
          assert.equal(1, #v.words)
          return { bytes = v.bytes, text = v.text }
        end)(btf:decode("struct both", bytes:sub(1, 9))))
        assert.same({ count = 1, bytes = {}, words = {}, text = "" }, btf:decode("struct both", bytes:sub(1, 4)))
        bytes = btf:encode("struct nested", { id = 1, inner = { count = 1, points = { { x = 5, y = 6 } } } })
        assert.same({ id = 1, inner = { count = 1, points = { { x = 5, y = 6 } } } }, btf:decode("struct nested", bytes))
        bytes = btf:encode("struct strings", { names = { "ab", "full" } })
        assert.same({ count = 0, names = { "ab", "full" } }, btf:decode("struct strings", bytes))
        assert.error_matches(function() btf:encode("struct points", { points = { [1 << 40] = {} } }) end,
          "value.points: no element [1099511627776]: there are 0, from 1", 1, true)
        assert.error_matches(function() btf:encode("struct points", { points = 5 }) end,
          "value.points: table expected, got number", 1, true)
        assert.error_matches(function() btf:encode("struct points", { points = { { x = 1 << 20 } } }) end,
          "value.points[1].x: 1048576 is out of range", 1, true)
      end)
    end)
  end)
end)
