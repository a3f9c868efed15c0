-- The event loop: what calls back, when, and what happens to errors and to things that are closed in the middle.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local rings = require "spec.support.rings"

local function seconds(fn)
  local function now()
    local file <close> = assert(io.open "/proc/uptime")
    return file:read "n"
  end
  local start = now()
  fn()
  return now() - start
end

describe("a loop", function()
  it("returns when there is nothing to wait for", function()
    local loop <close> = ebpf.loop()
    assert.is_true(loop:run())
    assert.equal(0, loop:step(0))
    assert.equal(0, loop:step())
  end)

  it("calls back once after a time, and every so often", function()
    local loop <close> = ebpf.loop()
    local ticks, order = 0, {}
    loop:every(0.02, function(times)
      assert.is_true(times >= 1)
      ticks = ticks + times
    end)
    loop:after(0.05, function(...)
      assert.equal(0, select("#", ...))
      order[#order + 1] = "first"
    end)
    loop:after(0.15, function()
      order[#order + 1] = "second"
      loop:stop()
    end)
    local passed = seconds(function() assert.is_true(loop:run()) end)
    assert.same({ "first", "second" }, order)
    assert.is_true(passed >= 0.13, passed)
    assert.is_true(ticks >= 4 and ticks <= passed / 0.02 + 2, ticks) -- a slow machine has more of them, none are lost
  end)

  it("ends when its last timer has fired", function()
    local loop <close> = ebpf.loop()
    local fired = 0
    loop:after(0, function()
      fired = fired + 1
      loop:after(0.01, function() fired = fired + 1 end)
    end)
    loop:run()
    assert.equal(2, fired)
  end)

  it("steps: waits at most so long, and says how many callbacks were called", function()
    local loop <close> = ebpf.loop()
    local fired = 0
    loop:after(0.02, function() fired = fired + 1 end)
    assert.equal(0, loop:step(0))
    assert.equal(1, loop:step(1))
    assert.equal(1, fired)
    assert.is_true(seconds(function() assert.equal(0, loop:step(0.05)) end) < 1)
    loop:after(0.01, function() end)
    assert.equal(1, loop:step())
  end)

  it("has a descriptor for other loops, and waits for theirs", function()
    local inner <close> = ebpf.loop()
    local outer <close> = ebpf.loop()
    local fired = {}
    inner:after(0.01, function() fired[#fired + 1] = "inner" end)
    outer:fd(inner, "r", function()
      fired[#fired + 1] = "outer"
      inner:step(0)
      outer:stop()
    end)
    outer:run()
    assert.same({ "outer", "inner" }, fired)
    assert.equal(inner:fd(), inner:pollfd())
    assert.equal("r", inner:events())
    assert.is_nil(inner:timeout())
  end)

  it("waits for descriptors, of files and by number", function()
    local loop <close> = ebpf.loop()
    local pipe = assert(io.popen("echo hello; sleep 0.05; echo again", "r"))
    pipe:setvbuf "no"
    local lines, events = {}, {}
    local source
    source = loop:fd(pipe, "r", function(what)
      events[#events + 1] = what
      local line = pipe:read()
      if line then lines[#lines + 1] = line else source:close() end
    end)
    loop:run()
    pipe:close()
    assert.same({ "hello", "again" }, lines)
    assert.equal("r", events[1])
    assert.error_matches(function() loop:fd(pipe, "r", print) end, "file is closed")
    assert.error_matches(function() loop:fd(1, "x", print) end, '"r", "w" or "rw" expected')
    assert.error_matches(function() loop:fd({}, "r", print) end, "descriptor, file, or object")
    local regular <close> = assert(io.open "spec/loop_spec.lua")
    local refused, err = loop:fd(regular, "r", print)
    assert.is_nil(refused)
    assert.equal("EPERM", err.code)
    assert.is_nil((loop:fd(999, "r", print)))
  end)

  it("calls back for signals, which do nothing else meanwhile", function()
    local loop <close> = ebpf.loop()
    local got = {}
    loop:signal("USR1", function(number)
      got[#got + 1] = number
      os.execute "kill -TERM $PPID"
    end)
    local second = loop:signal("SIGTERM", function(number)
      got[#got + 1] = number
      loop:stop()
    end)
    loop:after(0.01, function() os.execute "kill -USR1 $PPID" end)
    loop:run()
    assert.same({ 10, 15 }, got)
    local again, err = loop:signal("USR1", print)
    assert.is_nil(again)
    assert.equal("EBUSY", err.code)
    second:close()
    assert(loop:signal(15, print)):close()
    assert.error_matches(function() loop:signal("NONE", print) end, "unknown signal 'NONE'")
  end)

  it("raises from run what a callback raised, with a traceback", function()
    local loop <close> = ebpf.loop()
    local function guilty() error "on purpose" end
    loop:after(0, function() guilty() end)
    local ok, err = pcall(loop.run, loop)
    assert.is_false(ok)
    assert.matches("loop_spec.lua:%d+: on purpose\nstack traceback:\n.*guilty", err)
    loop:after(0, function() error { mine = true } end)
    ok, err = pcall(loop.step, loop, 1)
    assert.is_false(ok)
    assert.is_true(err.mine)
    loop:after(0, function() error(select(2, ebpf.spec "/no/such/file")) end)
    ok, err = pcall(loop.run, loop)
    assert.is_false(ok)
    assert.equal("ENOENT", err.code)
    assert.matches("stack traceback", err.traceback)
    loop:after(0, function() error() end)
    ok, err = pcall(loop.run, loop)
    assert.is_false(ok)
    assert.is_nil(err)
    local done = false
    loop:after(0, function() done = true end)
    assert.is_true(loop:run()) -- an error has spoilt nothing
    assert.is_true(done)
  end)

  it("lets callbacks close sources, themselves included, and the loop", function()
    local loop = ebpf.loop()
    local other, fired = nil, 0
    local mine
    mine = loop:every(0.01, function()
      fired = fired + 1
      other:close()
      mine:remove()
      mine:close()
    end)
    other = loop:every(0.011, function() error "was closed" end)
    loop:run()
    assert.equal(1, fired)
    assert.equal("ebpf.source (closed)", tostring(mine))
    loop:after(0, function()
      loop:close()
      loop:close()
    end)
    loop:every(0.01, function() error "was closed" end)
    assert.is_true(loop:run())
    assert.equal("ebpf.loop (closed)", tostring(loop))
    assert.error_matches(function() loop:run() end, "loop is closed")
    assert.error_matches(function() loop:after(0, print) end, "loop is closed")
  end)

  it("runs steps of itself from a callback, and runs in a coroutine", function()
    local loop <close> = ebpf.loop()
    local order = {}
    loop:after(0, function()
      order[#order + 1] = "outer"
      loop:after(0, function() order[#order + 1] = "inner" end)
      while #order < 2 do loop:step(1) end
      order[#order + 1] = "outer again"
    end)
    coroutine.wrap(function() loop:run() end)()
    assert.same({ "outer", "inner", "outer again" }, order)
    loop:after(0, function() coroutine.yield() end)
    local ok, err = pcall(coroutine.wrap(function() loop:run() end))
    assert.is_false(ok)
    assert.matches("attempt to yield across a C-call boundary", err, 1, true)
  end)

  it("keeps its sources alive, and only as long as they are open", function()
    local loop <close> = ebpf.loop()
    local weak = setmetatable({}, { __mode = "k" })
    local fired = 0
    do
      local function callback() fired = fired + 1 end
      weak[callback] = true
      loop:after(0.01, callback)
    end
    collectgarbage()
    assert.is_truthy(next(weak))
    loop:run()
    assert.equal(1, fired)
    loop:after(0, function() end):close() -- sweeps
    coroutine.wrap(function() end)()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)

  it("refuses wrong arguments", function()
    local loop <close> = ebpf.loop()
    assert.error_matches(function() loop:after("soon", print) end, "delay: number of seconds expected")
    assert.error_matches(function() loop:after(-1, print) end, "out of range")
    assert.error_matches(function() loop:after(0 / 0, print) end, "out of range")
    assert.error_matches(function() loop:every(0, print) end, "above zero")
    assert.error_matches(function() loop:after(1) end, "function expected")
    assert.error_matches(function() loop:on(12, print) end, "ebpf.map expected")
    assert.error_matches(function() loop:step "x" end, "timeout: number of seconds expected")
  end)

  it("leaves no descriptor behind, closed or collected, and the signal as it was", function()
    assert.equal(0, handles.leaked(function()
      local loop = ebpf.loop()
      loop:every(1, print)
      loop:after(1, print)
      loop:signal("USR2", print)
      loop:close()
      loop:close()
      local forgotten = ebpf.loop()
      forgotten:every(1, print)
      forgotten:signal("USR2", print)
    end))
    local status = assert(io.open "/proc/self/status"):read "a"
    local blocked = tonumber(status:match "SigBlk:%s*(%x+)", 16)
    assert.equal(0, blocked & (1 << 11))
  end)

  it("gives lua's own Ctrl-C its turn", function()
    local script = [[local ebpf = require "ebpf"
      local loop = ebpf.loop()
      loop:every(10, function() end)
      io.popen("sleep 0.2; kill -INT $PPID")
      loop:run()]]
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w"))
    file:write(script)
    file:close()
    finally(function() os.remove(name) end)
    local output = require "spec.support.process".run("timeout -s KILL 10 lua5.4 " .. name)
    assert.matches("interrupted!", output)
  end)
end)

describe("a loop with rings", function()
  local coll, loop, run
  before_each(function() coll, loop, run = rings.open() end)
  after_each(function() rings.close(coll, loop) end)

  it("calls back with each record as it arrives", function()
    local list = {}
    assert(loop:on(coll.maps.events, function(e)
      list[#list + 1] = e.number
      if e.number == 6 then loop:stop() end
    end))
    run("fill", 3)
    loop:after(0.02, function() run("fill", 4) end)
    loop:run()
    assert.same({ 0, 1, 2, 3, 4, 5, 6 }, list)
  end)

  it("takes a map with options, or a reader", function()
    local list = {}
    loop:on(coll.maps.events, function(number, pid) list[#list + 1] = { number, pid } end, { fields = { "number", "pid" } })
    local ring <close> = assert(ebpf.ringbuf(coll.maps.plain, { type = "struct sample", view = true }))
    loop:on(ring, function(view) list[#list + 1] = { view.number, view.cpu } end)
    run("fill", 1)
    loop:step()
    run("fill_plain", 1)
    loop:step()
    assert.same({ { 0, 1000 }, { 1, 0 } }, list)
    assert.error_matches(function() loop:on(ring, print) end, "in a loop already")
    assert.error_matches(function() loop:on(ring, print, {}) end, "a ring has had its options already")
  end)

  it("stops in the middle of a batch, and goes on where it was", function()
    local numbers = {}
    loop:on(coll.maps.events, function(e)
      numbers[#numbers + 1] = e.number
      if #numbers % 3 == 0 then loop:stop() end
    end)
    run("fill", 8)
    loop:run()
    assert.same({ 0, 1, 2 }, numbers)
    loop:run()
    assert.same({ 0, 1, 2, 3, 4, 5 }, numbers)
  end)

  it("counts a record as read when its callback raises", function()
    local seen = {}
    loop:on(coll.maps.events, function(e)
      seen[#seen + 1] = e.number
      if e.number == 1 then error "bad record" end
    end)
    run("fill", 4)
    loop:after(0.05, function() loop:stop() end)
    local raised, message = pcall(loop.run, loop)
    assert.is_false(raised)
    assert.matches("bad record\nstack traceback", message)
    loop:run()
    assert.same({ 0, 1, 2, 3 }, seen)
    run "fill_short"
    local ok, err = pcall(loop.step, loop, 1)
    assert.is_false(ok)
    assert.matches("a record has 8 bytes, but struct event has 16", err)
  end)

  it("lets a callback close its source, its ring, its map, its collection or its loop", function()
    for _, what in ipairs { "source", "ring", "map", "collection", "loop" } do
      local things = { collection = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o"), loop = ebpf.loop() }
      things.map = things.collection.maps.events
      things.ring = assert(ebpf.ringbuf(things.map, { view = true }))
      local count, program = 0, things.collection.programs.fill
      assert(things.collection.variables.wanted:set(3))
      things.source = things.loop:on(things.ring, function(e)
        count = count + 1
        things[what]:close()
        collectgarbage()
        assert.equal(1000 + count - 1, e.pid)
      end)
      program:run { data = ("\0"):rep(14) }
      if what ~= "map" and what ~= "collection" then
        things.loop:run() -- nothing is left to wait for
        assert.equal(1, count, what)
      else
        assert.equal(1, things.loop:step(1))
        assert.equal(3, count, what) -- the reader keeps the map
      end
      things.loop:close()
      things.ring:close()
      things.collection:close()
    end
  end)

  it("runs other sources beside a ring that never becomes empty", function()
    local ticks, records = 0, 0
    loop:on(coll.maps.events, function()
      records = records + 1
      if records % 100 == 0 then run("fill", 100) end
    end)
    loop:every(0.005, function()
      ticks = ticks + 1
      if ticks == 3 then loop:stop() end
    end)
    run("fill", 200)
    loop:run()
    assert.equal(3, ticks)
    assert.is_true(records > 1000)
  end)

  it("steps within a callback of a ring without reading it twice", function()
    local numbers = {}
    loop:on(coll.maps.events, function(e)
      numbers[#numbers + 1] = e.number
      loop:step(0)
    end)
    run("fill", 3)
    loop:step(1)
    assert.same({ 0, 1, 2 }, numbers)
  end)

  it("holds when the collector never rests", function()
    handles.without_rest(function()
      local count = 0
      loop:on(coll.maps.events, function(e)
        count = count + 1
        assert(e.pid == 1000 + (count - 1) % 20)
        local _ = { {}, e }
      end)
      for _ = 1, 5 do
        run("fill", 20)
        loop:step(1)
      end
      assert.equal(100, count)
    end)
  end)

  it("leaves no descriptor behind", function()
    assert.equal(0, handles.leaked(function()
      local object <close> = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
      local inner <close> = ebpf.loop()
      inner:on(object.maps.events, print)
      inner:on(object.maps.plain, print)
    end))
  end)
end)
