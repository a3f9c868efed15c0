-- Records of a ring buffer as Lua values: every shape, with and without a loop, and what must not be done with them.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

describe("a ring buffer", function()
  local coll
  before_each(function()
    need { kernel = "5.8", "ringbuf" }
    coll = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
  end)
  after_each(function() if coll then coll:close() end end)

  local function run(name, count)
    if count then assert(coll.variables.wanted:set(count)) end
    return assert(coll.programs[name]:run { data = ("\0"):rep(14) }).retval
  end

  it("gives records as tables of the map's value type", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    assert.equal("ebpf.ring: events", tostring(ring))
    assert.equal(coll.maps.events, ring.map)
    assert.equal(0, ring:available())
    assert.is_false(ring:poll(0))
    assert.equal(3, run("fill", 3))
    assert.is_true(ring:poll())
    assert.equal(3 * 24, ring:available())
    local list = {}
    assert.equal(3, ring:consume(function(e) list[#list + 1] = e end))
    assert.same({
      { number = 0, pid = 1000, delta = 0, kind = 0, last = false },
      { number = 1, pid = 1001, delta = -1, kind = 1, last = false },
      { number = 2, pid = 1002, delta = -2, kind = 2, last = true },
    }, list)
    assert.equal("integer", math.type(list[1].number))
    assert.equal(0, ring:consume(function() end))
  end)

  it("gives at most as many as asked for", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run("fill", 10)
    local seen = {}
    local function see(e) seen[#seen + 1] = e.number end
    assert.equal(4, ring:consume(see, 4))
    assert.equal(6, ring:consume(see))
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, seen)
  end)

  it("gives a named type of the object", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.plain, { type = "struct nested" }))
    run "fill_nested"
    local record
    ring:consume(function(r) record = r end)
    assert.same({ id = 4, sample = { pid = 1, cpu = 2, kind = 3, number = 4 }, text = "text" }, record)
  end)

  it("gives strings where no type is known, or raw ones are asked for", function()
    local plain <close> = assert(ebpf.ringbuf(coll.maps.plain))
    run("fill_plain", 1)
    local record
    plain:consume(function(r) record = r end)
    assert.equal(string.pack("=I4I4I4I4", 1000, 0, 7, 0), record)
    local raw <close> = assert(ebpf.ringbuf(coll.maps.events, { raw = true }))
    run("fill", 1)
    raw:consume(function(r) record = r end)
    assert.equal(string.pack("=I8I4i2I1I1", 1, 1000, 0, 0, 1), record)
  end)

  it("gives chosen fields as arguments", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { fields = { "delta", "last", "number" } }))
    run("fill", 2)
    local list = {}
    ring:consume(function(...) list[#list + 1] = table.pack(...) end)
    assert.same({ { n = 3, 0, false, 0 }, { n = 3, -1, true, 1 } }, list)
    local events, plain = coll.maps.events, coll.maps.plain
    assert.error_matches(function() ebpf.ringbuf(events, { fields = { "nmber" } }) end, "struct event has no field 'nmber'")
    assert.error_matches(function() ebpf.ringbuf(plain, { fields = { "number" } }) end, "not known to be a struct")
  end)

  it("gives a view that is good until the callback returns", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
    run("fill", 2)
    local kept, sum, fields = nil, 0, nil
    ring:consume(function(e)
      kept, sum = e, sum + e.pid + e.delta
      fields = {}
      for name, value in pairs(e) do fields[name] = value end
      assert.error_matches(function() return e.nothing end, "struct event has no field 'nothing'")
      assert.error_matches(function() return e[1] end, "no field '1'")
    end)
    assert.equal(1000 + 1001 - 1, sum)
    assert.same({ number = 1, pid = 1001, delta = -1, kind = 1, last = true }, fields)
    assert.error_matches(function() return kept.pid end, "the view has expired")
    assert.error_matches(function() return pairs(kept) end, "the view has expired")
    assert.is_false(getmetatable(kept))
  end)

  it("expires the view also when the callback raised, or the ring was closed", function()
    local ring = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
    run("fill", 2)
    local kept
    assert.error_matches(function() ring:consume(function(e) kept = e error "mine" end) end, "mine")
    assert.error_matches(function() return kept.pid end, "expired")
    ring:consume(function(e)
      kept = e
      ring:close()
      assert.equal(1001, e.pid) -- still: the memory goes when the callback has returned
    end)
    assert.error_matches(function() return kept.pid end, "expired")
    assert.equal("ebpf.ring (closed)", tostring(ring))
    assert.error_matches(function() ring:consume(print) end, "ring is closed")
  end)

  it("gives a view that is the same whether a field is read once or always", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
    local kept
    for round = 1, 4 do -- what is asked for all the time is put into the view by itself
      run("fill", 40)
      local count, late = 0, 0
      ring:consume(function(e)
        assert.equal((round - 1) * 40 + count, e.number)
        assert.equal(1000 + count, e.pid)
        assert.equal(-count, e.delta)
        assert.equal(count == 39, e.last)
        if round == 3 and count == 39 then late = e.kind end
        local all = {}
        for name, value in pairs(e) do all[name] = value end
        assert.equal(e.pid, all.pid)
        assert.equal(e.kind, all.kind)
        assert.error_matches(function() e.nothing = 1 end, "a record cannot be changed")
        assert.error_matches(function() return e.nothing end, "no field 'nothing'")
        kept, count = e, count + 1
      end)
      assert.equal(40, count)
      for _, name in ipairs { "number", "pid", "delta", "kind", "last" } do
        assert.error_matches(function() return kept[name] end, "the view has expired")
      end
      collectgarbage()
      assert.is_number(late)
    end
    run("fill", 2)
    assert.has_error(function() ring:consume(function(e) kept = e error(kept.pid, 0) end) end, 1000)
    assert.error_matches(function() return kept.pid end, "the view has expired")
    kept = ring:records { timeout = 0 }()
    assert.equal(1001, kept.pid)
    ring:close()
    assert.error_matches(function() return kept.pid end, "the view has expired")
  end)

  it("is read by a for loop that ends when nothing comes any more", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run("fill", 5)
    local numbers = {}
    for e in ring:records { timeout = 0.05 } do
      numbers[#numbers + 1] = e.number
      if e.number == 2 then run("fill", 2) end
    end
    assert.same({ 0, 1, 2, 3, 4, 5, 6 }, numbers)
    assert.equal(0, ring:available())
    for _ in ring:records { timeout = 0 } do error "there is none" end
    run("fill", 3)
    for e in ring:records { timeout = 0 } do
      if e.number == 8 then break end
    end
    for e in ring:records { timeout = 0 } do assert.equal(9, e.number) end
    assert.error_matches(function() ring:records { timout = 1 } end, "unknown option 'timout'")
    assert.error_matches(function() ring:records { timeout = -1 } end, "timeout: ")
  end)

  it("gives fields and views to a for loop too", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { fields = { "pid", "last" } }))
    run("fill", 2)
    local list = {}
    for pid, last in ring:records { timeout = 0 } do list[#list + 1] = { pid, last } end
    assert.same({ { 1000, false }, { 1001, true } }, list)
    ring:close()
    local viewed <close> = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
    run("fill", 2)
    local sum, kept = 0, nil
    for e in viewed:records { timeout = 0 } do sum, kept = sum + e.pid, e end
    assert.equal(2001, sum)
    assert.error_matches(function() return kept.pid end, "expired")
  end)

  it("refuses a record that is shorter than its type, and cuts a longer one", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run "fill_short"
    assert.error_matches(function() ring:consume(function() end) end, "'events': a record has 8 bytes, but struct event has 16")
    run "fill_short"
    assert.error_matches(function() for _ in ring:records { timeout = 0 } do error "no" end end, "a record has 8 bytes")
    run "fill_long"
    local record
    assert.equal(1, ring:consume(function(r) record = r end))
    assert.same({ number = 77, pid = 5, delta = -1, kind = 3, last = true }, record)
  end)

  it("counts a record as read when the callback raises", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run("fill", 3)
    local seen = {}
    for _ = 1, 3 do
      pcall(ring.consume, ring, function(e)
        seen[#seen + 1] = e.number
        error "each time"
      end)
    end
    assert.same({ 0, 1, 2 }, seen)
    assert.equal(0, ring:available())
  end)

  it("is not read while it is being read", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    run("fill", 2)
    assert.error_matches(function()
      ring:consume(function() ring:consume(print) end)
    end, "being read already")
    assert.equal(1, ring:consume(function() end))
  end)

  it("gives back its space as it is read: more records than it holds pass through", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { fields = { "number" } }))
    local expected = 0
    for _ = 1, 40 do
      assert.equal(500, run("fill", 500))
      ring:consume(function(number)
        assert(number == expected)
        expected = expected + 1
      end)
    end
    assert.equal(20000, expected)
  end)

  it("holds when the collector runs at every step, and closes things in the middle", function()
    handles.without_rest(function()
      local ring = assert(ebpf.ringbuf(coll.maps.plain, { type = "struct nested" }))
      for _ = 1, 40 do run "fill_nested" end
      local count = 0
      ring:consume(function(r)
        count = count + 1
        assert.same({ pid = 1, cpu = 2, kind = 3, number = 4 }, r.sample)
        if count == 20 then
          setmetatable({}, { __gc = function() ring:close() end })
          collectgarbage()
        end
      end)
      assert.equal(20, count)
    end)
  end)

  it("refuses a map of another type, an unknown type, options that exclude each other", function()
    local m <close> = assert(ebpf.map { type = "array", value = "u32", max_entries = 1, name = "numbers" })
    local ring, err, errno = ebpf.ringbuf(m)
    assert.is_nil(ring)
    assert.matches("map 'numbers' is a map of type array", err.message)
    assert.equal(22, errno)
    local ok, raised = pcall(ebpf.ringbuf, coll.maps.events, { type = "struct evnt" })
    assert.is_false(ok)
    assert.matches("struct evnt", tostring(raised))
    assert.error_matches(function() ebpf.ringbuf(coll.maps.events, { raw = true, view = true }) end, "exclude each other")
    assert.error_matches(function() ebpf.ringbuf(coll.maps.events, { feilds = {} }) end, "unknown option 'feilds'")
  end)

  it("is no table, whatever the type of its records", function()
    local event = { number = 1 }
    for _, key in ipairs { 1, event } do
      assert.is_false((pcall(function() coll.maps.events[key] = event end)))
      assert.is_false((pcall(function() return coll.maps.events[key] end)))
    end
    assert.is_false((pcall(function() for _ in pairs(coll.maps.events) do error "no" end end)))
    assert.equal("struct event", coll.maps.events.value)
  end)

  it("leaves no descriptor and no mapping behind", function()
    local function mappings()
      collectgarbage()
      collectgarbage()
      local count = 0
      for line in io.lines "/proc/self/maps" do
        if line:match "bpf" then count = count + 1 end
      end
      return count
    end
    local before = mappings()
    assert.equal(0, handles.leaked(function()
      local map = assert(ebpf.map { type = "ringbuf", max_entries = 4096 })
      ebpf.ringbuf(map)
      local ring = assert(ebpf.ringbuf(map))
      map:close()
      ring:close()
      ring:close()
    end))
    assert.equal(before, mappings())
  end)
end)
