-- User ring buffers: records that this process writes and a program reads; and ring buffers that overwrite.
local ebpf = require "ebpf"
local asm = ebpf.asm
local need = require "spec.support.need"
local handles = require "spec.support.handles"

describe("a user ring buffer", function()
  local coll, ring
  before_each(function()
    need { kernel = "6.1" }
    coll = assert(ebpf.load "build/spec/bpf/map_user_ring.bpf.o")
    ring = assert(ebpf.user_ringbuf(coll.maps.orders))
  end)
  after_each(function() if coll then ring:close() coll:close() end end)

  local function drain() return assert(coll.programs.drain:run {}).retval end
  local function get(name) return assert(coll.variables[name]:get()) end

  it("takes values that a program reads, in their order", function()
    assert.equal("ebpf.user_ring: orders", tostring(ring))
    assert.equal(coll.maps.orders, ring.map)
    assert.equal(4096, ring:room())
    assert.is_true(ring:send { kind = 1, count = 2, amount = 10 })
    assert.is_true(ring:send { kind = 2, count = 1, amount = 5 })
    assert.equal(4096 - 2 * 24, ring:room())
    assert.equal(2, drain())
    assert.equal(25, get "total")
    assert.equal(2, get "last_kind")
    assert.equal(4096, ring:room())
    assert.equal(0, drain())
    assert.is_true(ring:send(string.pack("I4I4I8", 7, 1, 1))) -- the bytes of a record
    assert.equal(1, drain())
    assert.equal(7, get "last_kind")
    assert.equal(0, ring:room() - 4096)
  end)

  it("takes values as long as their last field", function()
    local messages <close> = assert(ebpf.user_ringbuf(coll.maps.orders, { type = "struct message" }))
    assert.is_true(messages:send { kind = 5, count = 3, text = string.pack("=I8", 100) .. "and more" })
    assert.equal(4096 - (8 + 24), messages:room())
    assert.equal(1, drain())
    assert.same({ 300, 5 }, { get "total", get "last_kind" })
    assert.is_true(messages:send(string.pack("=I4I4I8", 6, 1, 1))) -- the bytes of one
    assert.is_true(messages:send { kind = 7 })
    assert.equal(4096 - (8 + 16) - (8 + 8), messages:room())
    assert.equal(2, drain())
    assert.equal(6, get "last_kind") -- the last was too short for the program
    local record = assert(messages:reserve(16))
    record:set { kind = 8, count = 1, text = "\1" } -- the rest is zeros
    record:submit()
    local little = string.pack("=I2", 1) == "\1\0"
    assert.error_matches(function() assert(messages:reserve(16)):set { text = ("x"):rep(9) } end,
      "the value has 17 bytes, the record 16", 1, true)
    collectgarbage()
    collectgarbage()
    assert.equal(1, drain())
    assert.equal(301 + (little and 1 or 1 << 56), get "total")
  end)

  it("goes round many times", function()
    local sum = 0
    for i = 1, 2000 do
      if not ring:send { kind = i, count = 1, amount = i } then
        assert.is_true(drain() > 100)
        assert.is_true(ring:send { kind = i, count = 1, amount = i })
      end
      sum = sum + i
    end
    drain()
    assert.equal(sum, get "total")
    assert.equal(2000, get "seen")
  end)

  it("reserves: later records wait for one that is not submitted, and discarded ones are not seen", function()
    local first = assert(ring:reserve())
    assert.equal(16, #first)
    assert.is_true(ring:send { kind = 3, count = 1, amount = 1 })
    assert.equal(0, drain())
    first:set { kind = 1, count = 1, amount = 100 }
    first:write(0, string.pack("I4", 9))
    first:submit()
    assert.equal(2, drain())
    assert.equal(101, get "total")
    assert.error_matches(function() first:submit() end, "has been submitted or discarded")
    local second <close> = assert(ring:reserve())
    assert.error_matches(function() second:write(13, "four") end, "outside of the record, which has 16")
    assert.error_matches(function() second:write(-1, "") end, "outside of the record")
    second:discard()
    second:discard()
    assert.is_true(ring:send { kind = 4, count = 1, amount = 1 })
    do local _ <close> = assert(ring:reserve()) end
    assert(ring:reserve()) -- and collected
    collectgarbage()
    collectgarbage()
    assert.is_true(ring:send { kind = 5, count = 1, amount = 1 })
    drain()
    assert.equal(103, get "total")
    assert.equal(5, get "last_kind")
    assert.equal(4096, ring:room())
  end)

  it("that is closed leaves nothing that a program would wait for", function()
    local left = assert(ring:reserve())
    assert.is_true(ring:send { kind = 1, count = 1, amount = 8 })
    ring:close()
    assert.error_matches(function() left:submit() end, "has been submitted or discarded")
    assert.error_matches(function() ring:send {} end, "closed")
    drain()
    assert.equal(8, get "total")
    ring = assert(ebpf.user_ringbuf(coll.maps.orders)) -- and the next writer goes on there
    assert.is_true(ring:send { kind = 1, count = 1, amount = 1 })
    assert.equal(1, drain())
  end)

  it("says when there is no room, and waits for some", function()
    local count = 0
    while ring:send { kind = 1, count = 1, amount = 1 } do count = count + 1 end
    assert.equal(4096 // 24, count)
    local ok, err, errno = ring:send { kind = 1, count = 1, amount = 1 }
    assert.is_nil(ok)
    assert.equal("ENOSPC", err.code)
    assert.equal(28, errno)
    assert.matches("no room for a record of 16 bytes", err.message)
    local began = os.time()
    assert.is_nil((ring:send({ kind = 1, count = 1, amount = 1 }, 1)))
    assert.is_true(os.time() - began >= 1)
    -- another process lets the program read
    local script = ("local p = assert(require 'ebpf'.program { id = %d }) os.execute 'sleep 1' assert(p:run {})"):format(
      coll.programs.drain:info().id)
    local child = assert(io.popen(("lua5.4 -e \"%s\" 2>&1"):format(script)))
    assert.is_true(ring:send({ kind = 8, count = 1, amount = 1 }, 60))
    assert.equal("", child:read "a")
    child:close()
    assert.equal(1, drain())
    assert.equal(8, get "last_kind")
  end)

  it("refuses what no program could read", function()
    local ok, err = ring:reserve(5000)
    assert.is_nil(ok)
    assert.equal("E2BIG", err.code)
    assert.matches("never fits: the ring has 4096", err.message)
    ok, err = ring:reserve(1 << 24)
    assert.is_nil(ok)
    assert.matches("at most 16777215", err.message)
    assert.error_matches(function() ring:send { kond = 1 } end, "record: struct order has no field 'kond'")
    assert.error_matches(function() ring:send() end, "value expected")
    assert.error_matches(function() ring:reserve(-1) end, "negative size")
    assert.equal(4096, ring:room()) -- a value that is wrong takes no room
  end)

  it("is only of user_ringbuf maps, and a plain one has records of any size", function()
    local hash <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 1 })
    local none, err = ebpf.user_ringbuf(hash)
    assert.is_nil(none)
    assert.matches("is a map of type hash, not user_ringbuf", err.message)
    local kernels <close> = assert(ebpf.map { type = "ringbuf", max_entries = 4096 })
    none, err = ebpf.user_ringbuf(kernels)
    assert.is_nil(none)
    assert.matches("the other way", err.hint)
    local m <close> = assert(ebpf.map { type = "user_ringbuf", max_entries = 4096 })
    local plain <close> = assert(ebpf.user_ringbuf(m))
    assert.is_true(plain:send "")
    assert.is_true(plain:send "text")
    assert.equal(4096 - 8 - 16, plain:room())
    local typed <close> = assert(ebpf.user_ringbuf(m, { type = "u32" }))
    assert.is_true(typed:send(5))
    assert.error_matches(function() ebpf.user_ringbuf(m, { type = "struct nothing" }) end, "struct nothing")
    assert.error_matches(function() ebpf.user_ringbuf(m, { kind = "u32" }) end, "unknown option 'kind'")
  end)

  it("leaks nothing", function()
    assert.equal(0, handles.leaked(function()
      local other = assert(ebpf.user_ringbuf(coll.maps.orders))
      other:reserve()
      other:send({ kind = 1 }, 0.01)
      other:close()
      other:close()
      assert(ebpf.user_ringbuf(coll.maps.orders)):send({ kind = 1, count = 1, amount = 1 }, 0.01)
    end))
  end)
end)

describe("a ring buffer that overwrites", function()
  local ring, reader, program
  before_each(function()
    need { kernel = "6.19" }
    ring = assert(ebpf.map { type = "ringbuf", max_entries = 4096, flags = "rb_overwrite", value = "u64" })
    reader = assert(ebpf.ringbuf(ring))
    -- a packet's length without its header is the record
    program = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.load("u32", asm.r1, asm.r1, 0), asm.store("u64", asm.r10, asm.r1, -8),
      asm.ld_map(asm.r1, ring), asm.mov(asm.r2, asm.r10), asm.add(asm.r2, -8), asm.mov(asm.r3, 8), asm.mov(asm.r4, 0),
      asm.call "ringbuf_output", asm.exit(),
    } })
  end)
  after_each(function() if program then reader:close() program:close() ring:close() end end)

  local function write(first, last)
    for i = first, last do assert.equal(0, assert(program:run { data = ("\0"):rep(14 + i) }).retval) end
  end
  local function read()
    local list = {}
    reader:consume(function(value) list[#list + 1] = value end)
    return list
  end

  it("has the newest records, and tells how much was lost", function()
    assert.same({}, read())
    write(20, 22)
    assert.equal(3 * 16, reader:available())
    assert.is_true(reader:poll(0))
    assert.same({ 20, 21, 22 }, read())
    assert.equal(0, reader:overwritten())
    write(100, 699) -- 600 records of 16 bytes, of which less than 256 are left
    local list = read()
    assert.is_true(#list >= 200 and #list < 256, #list)
    assert.equal(699, list[#list])
    for i = 2, #list do assert.equal(list[i - 1] + 1, list[i]) end
    assert.equal((600 - #list) * 16, reader:overwritten())
    assert.same({}, read())
    assert.is_false(reader:poll(0))
    write(30, 30)
    assert.same({ 30 }, read())
  end)

  it("wakes who waits, and is read record by record", function()
    local script = "local p = assert(require 'ebpf'.program { id = %d }) os.execute 'sleep 1' p:run { data = ('a'):rep(91) }"
    script = script:format(program:info().id)
    local child = assert(io.popen(("lua5.4 -e \"%s\" 2>&1"):format(script)))
    assert.is_true(reader:poll(60))
    assert.equal(77, reader:records { timeout = 0 }())
    assert.equal("", child:read "a")
    child:close()
  end)
end)
