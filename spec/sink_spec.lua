-- Sinks: records filtered, counted and written in C, declared from Lua and read as tables.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"
local process = require "spec.support.process"

describe("a sink", function()
  local coll
  before_each(function()
    need { kernel = "5.8", "ringbuf" }
    coll = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
  end)
  after_each(function() if coll then coll:close() end end)

  -- Records of struct event: number = 0, 1, ...; pid = 1000 + i, delta = -i, kind = i, last = whether it is the last of the run.
  local function write(count)
    assert(coll.variables.wanted:set(count))
    assert(coll.programs.fill:run { data = ("\0"):rep(14) })
  end

  it("counts and sums by key, with nothing of it in Lua", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink <close> = assert(ring:sink {
      by = "last", count = true, sum = { "number", "pid" }, min = "delta", max = "kind", avg = "number",
    })
    write(10)
    assert.equal(10, ring:consume(sink))
    assert.same({
      { last = false, count = 9, sum_number = 36, sum_pid = 9036, min_delta = -8, max_kind = 8, avg_number = 4.0 },
      { last = true, count = 1, sum_number = 9, sum_pid = 1009, min_delta = -9, max_kind = 9, avg_number = 9.0 },
    }, sink:rows())
    assert.equal(9, sink:read()[false].count)
    assert.equal(2, #sink)
    assert.same({ seen = 10, passed = 10, filtered = 0, shorter = 0, refused = 0, bytes = 0 }, sink:totals())
    write(10)
    ring:consume(sink)
    assert.equal(18, sink:read()[false].count)
    sink:clear()
    assert.same({}, sink:rows())
    assert.equal(0, sink:totals().seen)
  end)

  it("reads as plain tables: one column is the value itself, keys lead from table to table", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local all <close> = assert(ring:sink { count = true })
    local both <close> = assert(ring:sink { count = { "last", "kind" } })
    local least <close> = assert(ring:sink { min = "number", sum = "number" })
    assert.equal(0, all:read())
    assert.same({ sum_number = 0 }, least:read()) -- no record has a least number
    write(3)
    ring:consume(both)
    write(3)
    ring:consume(all)
    assert.equal(3, all:read())
    assert.same({ [false] = { [0] = 1, [1] = 1 }, [true] = { [2] = 1 } }, both:read())
  end)

  it("has histograms of powers of two and of equal steps", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink <close> = assert(ring:sink { hist = { "number", "delta" }, lhist = { pid = { 1002, 1006, 2 } } })
    write(9)
    ring:consume(sink)
    local row = sink:read()
    assert.same({
      { low = 0, high = 0, count = 1 }, { low = 1, high = 1, count = 1 }, { low = 2, high = 3, count = 2 },
      { low = 4, high = 7, count = 4 }, { low = 8, high = 15, count = 1 },
    }, row.hist_number)
    assert.same({ { low = math.mininteger, high = -1, count = 8 }, { low = 0, high = 0, count = 1 } }, row.hist_delta)
    assert.same({
      { low = math.mininteger, high = 1001, count = 2 }, { low = 1002, high = 1003, count = 2 },
      { low = 1004, high = 1005, count = 2 },
      { low = 1006, high = math.maxinteger, count = 3 },
    }, row.lhist_pid)
  end)

  it("keeps the last value, and no more groups than it may", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink <close> = assert(ring:sink { by = "last", last = { "number", "pid" } })
    local few <close> = assert(ring:sink { count = "pid", limit = 4 })
    write(5)
    ring:consume(sink)
    assert.same({ [false] = { number = 3, pid = 1003 }, [true] = { number = 4, pid = 1004 } }, sink:read())
    write(10)
    ring:consume(few)
    assert.same({ [1000] = 1, [1001] = 1, [1002] = 1, [1003] = 1 }, few:read())
    assert.equal(6, few:totals().refused)
  end)

  it("takes only records that meet its conditions, and so does a callback", function()
    local function numbers(where)
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { where = where, fields = { "kind" } }))
      local plain <close> = assert(ebpf.ringbuf(coll.maps.events))
      local sink <close> = assert(plain:sink { count = "kind", where = where })
      local seen, counted = {}, {}
      write(8)
      assert.equal(8, ring:consume(function(kind) seen[#seen + 1] = kind end))
      plain:close()
      local again <close> = assert(ebpf.ringbuf(coll.maps.events))
      write(8)
      again:consume(sink)
      for _, row in ipairs(sink:rows()) do counted[#counted + 1] = row.kind end
      assert.same(seen, counted)
      assert.equal(8, sink:totals().seen)
      assert.equal(8 - #seen, sink:totals().filtered)
      return seen
    end
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7 }, numbers {})
    assert.same({ 3 }, numbers { pid = 1003 })
    assert.same({ 1, 3 }, numbers { pid = { 1003, 1001, 7 } })
    assert.same({ 7 }, numbers { last = true })
    assert.same({ 5, 6 }, numbers { { "pid", ">", 1004 }, { "pid", "<=", 1006 } })
    assert.same({ 5, 6, 7 }, numbers { "pid", ">", 1004 })
    assert.same({ 0, 7 }, numbers { any = { { "delta", "==", 0 }, last = true } })
    assert.same({ 2, 3 }, numbers { { "kind", "&", 2 }, none = { { "kind", ">=", 4 } } })
    assert.same({ 1 }, numbers { any = { { pid = 1001, kind = 1 }, { pid = 1002, kind = 3 } } })
    assert.same({}, numbers { any = {} })
  end)

  it("is read with a filter by a for loop as well", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events, { where = { { "kind", "<", 2 } } }))
    write(6)
    local seen = {}
    for e in ring:records { timeout = 0 } do seen[#seen + 1] = e.kind end
    assert.same({ 0, 1 }, seen)
  end)

  it("takes the place of a function in a loop, declared there", function()
    local loop = ebpf.loop()
    local source, sink = loop:on(coll.maps.events, { count = "last" })
    assert.matches("^ebpf.sink: ", tostring(sink))
    write(5)
    assert.equal(1, loop:step(1))
    assert.same({ [false] = 4, [true] = 1 }, sink:read())
    source:close()
    assert.same({ [false] = 4, [true] = 1 }, sink:read()) -- it outlives its ring
    local ring = assert(ebpf.ringbuf(coll.maps.events))
    local total = assert(ring:sink { count = true })
    local _, same = loop:on(ring, total)
    assert.equal(total, same)
    write(5)
    loop:step(1)
    assert.equal(5, total:read())
    loop:close()
  end)

  it("is fed by a timer where no wake-ups are wanted", function()
    local loop <close> = ebpf.loop()
    local _, sink = loop:on(coll.maps.events, { count = true }, { every = 0.01 })
    local check = loop:every(0.005, function() if sink:read() == 7 then loop:stop() end end)
    loop:after(5, function() loop:stop() end)
    write(7)
    loop:run()
    assert.equal(7, sink:read())
    check:close()
    local seen = {}
    loop:on(coll.maps.plain, function(s) seen[#seen + 1] = #s loop:stop() end, { every = 0.01 })
    coll.variables.wanted:set(1)
    assert(coll.programs.fill_plain:run { data = ("\0"):rep(14) })
    loop:run()
    assert.same({ 16 }, seen)
  end)

  it("writes lines of JSON and CSV", function()
    local path = os.tmpname()
    local function lines(declaration)
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
      local sink = assert(ring:sink(declaration))
      assert.equal("ebpf.sink: writer", tostring(sink))
      coll.variables.written:set(0)
      write(2)
      ring:consume(sink)
      local file = assert(io.open(path)) -- what a batch has brought is there already
      local text = file:read "a"
      file:close()
      assert.is_true(sink:totals().bytes > 0 and sink:totals().bytes <= #text)
      assert.is_true(sink:close())
      return text
    end
    assert.equal('{"number":0,"pid":1000,"delta":0,"kind":0,"last":false}\n'
      .. '{"number":1,"pid":1001,"delta":-1,"kind":1,"last":true}\n', lines { ndjson = path })
    assert.equal("pid,delta\r\n1000,0\r\n1001,-1\r\n", lines { csv = path, fields = { "pid", "delta" } })
    assert.equal("pid,delta\r\n1000,0\r\n1001,-1\r\n1001,-1\r\n",
      lines { csv = path, fields = { "pid", "delta" }, append = true, where = { last = true } })
    assert.equal("1001\r\n", lines { csv = path, fields = "pid", header = false, where = { last = true } })
    local file = assert(io.open(path, "w"))
    file:write "before\n"
    assert.equal('before\n{"kind":0}\n{"kind":1}\n', lines { ndjson = file, fields = { "kind" } })
    file:close()
    os.remove(path)
  end)

  it("outlives the reader of its pipe", function()
    -- $? of the first in the pipeline: a process that SIGPIPE has ended says 141
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    file:write [[
      local ebpf = require "ebpf"
      os.execute "sleep 0.2" -- nobody reads any more
      local coll <close> = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
      local sink = assert(ring:sink { ndjson = io.stdout })
      for _ = 1, 3 do sink:feed(("\0"):rep(64)) end
      local ok, err = sink:flush()
      io.stderr:write(tostring(ok), " ", err.code, " ", sink:totals().passed)]]
    file:close()
    local output = process.run(("sh -c '{ lua5.4 %s; echo \"; status $?\" >&2; } | true'"):format(script))
    assert.equal("nil EPIPE 3; status 0\n", output)
  end)

  it("counts lines that cannot be written", function()
    if not io.open("/dev/full", "w") then pending "needs /dev/full" end
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink = assert(ring:sink { ndjson = "/dev/full" })
    write(2)
    ring:consume(sink)
    assert.equal("ENOSPC", sink:totals().error)
    local ok, err = sink:close()
    assert.is_nil(ok)
    assert.equal("ENOSPC", err.code)
    local none, why = ring:sink { ndjson = "/no/such/place" }
    assert.is_nil(none)
    assert.equal("ENOENT", why.code)
    assert.matches("cannot open '/no/such/place'", why.message, 1, true)
  end)

  it("takes single records from elsewhere", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local sink <close> = assert(ring:sink { sum = "number" })
    sink:feed(string.pack("=I8I4i2I1I1", 40, 1, 0, 0, 0))
    sink:feed(string.pack("=I8", 2))
    sink:feed "short"
    assert.equal(42, sink:read())
    assert.equal(1, sink:totals().shorter)
  end)

  it("refuses what it cannot keep, and says why", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    local plain <close> = assert(ebpf.ringbuf(coll.maps.plain))
    local function raises(declaration, message)
      assert.error_matches(function() ring:sink(declaration) end, message, 1, true)
    end
    raises({ cont = true }, "unknown option 'cont'")
    raises({ by = "pid" }, "what is it to keep?")
    raises({ by = "pid", count = "kind" }, "names the key, and so does `by`")
    raises({ count = 5 }, "count: true or the fields")
    raises({ sum = 5 }, "sum: a field's name or a list of them expected, got number")
    raises({ lhist = "pid" }, "lhist: { field = { low, high, step } } expected")
    raises({ ndjson = "x", csv = "y" }, "exclude each other")
    raises({ count = true, enums = "both" }, "enums:")
    raises({ count = true, where = { { "pid", "=", 1 } } }, "unknown test '='")
    raises({ count = true, where = { 5 } }, "where: a condition is a table")
    raises({ count = true, where = { pid = print } }, "where: field 'pid': number, string or boolean expected, got function")
    assert.error_matches(function() plain:sink { count = true } end, "not known to be a struct")
    assert.error_matches(function() ebpf.ringbuf(coll.maps.plain, { where = {} }) end, "not known to be a struct")
    write(2)
    assert.equal(2, ring:consume(function() end)) -- it is as it was before
    local none, err = ring:sink { count = "pidd" }
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    assert.equal("did you mean 'pid'?", err.hint)
    none, err = ebpf.ringbuf(coll.maps.events, { where = { pid = "x" } })
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
    local sink = assert(ring:sink { count = true })
    sink:close()
    assert.error_matches(function() sink:read() end, "sink is closed")
    assert.error_matches(function() ring:consume(sink) end, "sink is closed")
    assert.error_matches(function() ring:consume(coll) end, "sink")
  end)

  it("holds when the collector never rests, and leaves nothing behind", function()
    handles.without_rest(function()
      for _ = 1, 10 do
        local where = { { "kind", "<", 100 }, any = { last = true, pid = { 1, 1000, 1001 } } }
        local ring = assert(ebpf.ringbuf(coll.maps.events, { where = where }))
        local sink = assert(ring:sink { by = { "pid", "last" }, count = true, hist = "number", last = "number", where = where })
        local writer = assert(ring:sink { ndjson = "/dev/null", fields = { "pid", "number" } })
        setmetatable({}, { __gc = function() ring:close() end })
        pcall(function()
          write(3)
          ring:consume(sink)
          ring:consume(writer)
          sink:rows()
        end)
        sink:read()
      end
    end)
    assert.equal(0, handles.leaked(function()
      local ring = assert(ebpf.ringbuf(coll.maps.events))
      assert(ring:sink { ndjson = "/dev/null" })
    end))
  end)

  it("may be closed by a finalizer while it is read", function()
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    handles.without_rest(function()
      for _ = 1, 20 do
        local sink = assert(ring:sink { by = { "pid", "last" }, count = true, hist = "number" })
        write(30)
        ring:consume(sink)
        setmetatable({}, { __gc = function() sink:close() end })
        pcall(function() for _ = 1, 5 do assert(#sink:rows() == 30 and sink:read()[1000]) end end)
        collectgarbage()
        assert.error_matches(function() sink:rows() end, "sink is closed")
      end
    end)
  end)

  it("works on perf buffers alike", function()
    local perf <close> = assert(ebpf.load "build/spec/bpf/lua_perf.bpf.o")
    local reader <close> = assert(ebpf.perf(perf.maps.samples, { type = "struct sample", where = { { "kind", "<", 4 } } }))
    local sink <close> = assert(reader:sink { count = "kind" })
    perf.variables.wanted:set(16)
    assert(perf.programs.fill:run { data = ("\0"):rep(14) })
    assert.equal(16, reader:consume(sink))
    assert.same({ [0] = 2, 2, 2, 2 }, sink:read())
  end)
end)
