-- Records that end where they like, what is lost on the way, and consumers that fail, fork, sleep or are late.
-- EBPF_FLOOD_SECONDS=60 makes the flood as long as that.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local object = "build/spec/bpf/lua_flood.bpf.o"
local packet = ("\0"):rep(14)
local script_path = os.tmpname()

-- Runs a Lua script of its own in another process, which begins when it is told to; its output comes from wait().
local function script(text, wrap)
  local file = assert(io.open(script_path, "w"))
  file:write('local ebpf = require "ebpf"\n' .. text)
  file:close()
  return process.start((wrap or "") .. "lua5.4 " .. script_path)
end

local function produced(coll)
  local sum = 0
  for _, count in ipairs(coll.maps.produced[0]) do sum = sum + count end
  return sum
end

describe("records", function()
  local coll
  before_each(function()
    need { kernel = "5.8", "ringbuf" }
    coll = assert(ebpf.load(object))
  end)
  after_each(function() if coll then coll:close() end end)
  teardown(function() os.remove(script_path) end)

  local function run(name, count)
    if count then assert(coll.variables.wanted:set(count)) end
    return assert(coll.programs[name]:run { data = packet }).retval
  end

  describe("of their own length", function()
    it("end with a flexible array as long as they are", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.packets))
      run "send"
      local list = {}
      assert.equal(3, ring:consume(function(p) list[#list + 1] = p end))
      assert.same({
        { id = 1, mood = 2, length = 5, words_sent = 0, text = "hello" },
        { id = 2, mood = 9, length = 5, words_sent = 0, text = "" },
        { id = 3, mood = 9, length = 5, words_sent = 0, text = "hello" }, -- up to its NUL
      }, list)
    end)

    it("are fields and views too", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.packets, { fields = { "text", "id" } }))
      run "send"
      local list = {}
      ring:consume(function(text, id) list[#list + 1] = text .. id end)
      assert.same({ "hello1", "2", "hello3" }, list)
      ring:close()
      local viewed <close> = assert(ebpf.ringbuf(coll.maps.packets, { view = true }))
      run "send"
      viewed:consume(function(p)
        list[#list + 1] = p.text
        for name, value in pairs(p) do
          if name == "text" then list[#list + 1] = value end
        end
      end)
      assert.same({ "hello1", "2", "hello3", "hello", "hello", "", "", "hello", "hello" }, list)
    end)

    it("may stop in the array that is their last field, and not before", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.packets, { type = "struct sized" }))
      run "send_sized"
      local lists = {}
      ring:consume(function(s) lists[#lists + 1] = s.list assert.equal(0.5, s.half) end)
      assert.same({ { 1, 2, 3 }, {}, { 1, 2, 3, 0, 0, 0, 0, 0 } }, lists)
      ring:close()
      local short <close> = assert(ebpf.ringbuf(coll.maps.packets, { type = "struct packet" }))
      run "send_sized" -- 8 bytes: not even `length`
      local errors = 0
      for _ = 1, 3 do
        local ok, err = pcall(short.consume, short, function() end, 1)
        if not ok then
          errors = errors + 1
          assert.matches("a record has 8 bytes, but struct packet has at least 12", err, 1, true)
        end
      end
      assert.equal(1, errors)
    end)

    it("go into sinks as they are", function()
      local path = os.tmpname()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.packets))
      local sink = assert(ring:sink { ndjson = path, where = { any = { text = "", id = 3 } } })
      run "send"
      ring:consume(sink)
      sink:close()
      local file = assert(io.open(path))
      assert.equal('{"id":2,"mood":9,"length":5,"words_sent":0,"text":""}\n'
        .. '{"id":3,"mood":9,"length":5,"words_sent":0,"text":"hello"}\n', file:read "a")
      file:close()
      os.remove(path)
    end)

    it("have enumerators as numbers, or by name where they have one", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.packets, { enums = "names", fields = { "mood" } }))
      local sink <close> = assert(ring:sink { count = "mood", enums = "names", last = "mood" })
      run "send"
      local moods = {}
      ring:consume(function(mood) moods[#moods + 1] = mood end)
      assert.same({ "WILD", 9, 9 }, moods)
      run "send"
      ring:consume(sink)
      assert.same({ WILD = { count = 1, mood = "WILD" }, [9] = { count = 2, mood = 9 } }, sink:read())
      assert.error_matches(function() ebpf.ringbuf(coll.maps.packets, { enums = "text" }) end, "enums: \"numbers\" or \"names\"")
    end)
  end)

  describe("that are lost", function()
    it("are told of, for each CPU, by the program's own count", function()
      local told, by_cpu = 0, {}
      local ring <close> = assert(ebpf.ringbuf(coll.maps.floods, {
        lost = function(count, cpu) told, by_cpu[cpu] = told + count, (by_cpu[cpu] or 0) + count end,
      }))
      assert.equal(0, ring:lost())
      for _ = 1, 10 do run("pour", 512) end
      local read = ring:consume(function() end)
      assert.equal(5120, produced(coll))
      assert.equal(5120 - read, told)
      assert.is_true(told > 2000)
      assert.equal(told, ring:lost())
      for cpu, count in pairs(by_cpu) do assert.equal(coll.maps.floods_lost[0][cpu + 1], count) end
      run("pour", 5)
      assert.equal(5, ring:consume(function() end))
      assert.equal(5120 - read, told) -- once
    end)

    it("are counted in a map that is named, where no collection knows it", function()
      local counts <close> = assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1 })
      local cpu
      local ring <close> = assert(ebpf.ringbuf(coll.maps.floods, { lost_map = counts, lost = function(_, c) cpu = c end }))
      counts[0] = 17
      assert.equal(17, ring:lost())
      ring:consume(function() end)
      assert.equal(-1, cpu)
      local wrong <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u64", max_entries = 1 })
      local none, err = ebpf.ringbuf(coll.maps.packets, { lost_map = wrong })
      assert.is_nil(none)
      assert.matches("map 'packets'.- cannot count what is lost: it is no array", (err.message:gsub("buffer '", "buffer: map '")))
      local narrow <close> = assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 1 })
      none, err = ebpf.ringbuf(coll.maps.packets, { lost_map = narrow })
      assert.is_nil(none)
      assert.matches("not one u64 each", err.message)
      assert.error_matches(function() ebpf.ringbuf(coll.maps.packets, { lost_map = 5 }) end, "ebpf.map expected")
    end)
  end)

  describe("of a flood from every CPU", function()
    -- Two programs at full rate for some seconds, while one consumer reads: every record has come or is counted as lost.
    local function flood(program, options, consume)
      local seconds = tonumber(os.getenv "EBPF_FLOOD_SECONDS") or 2
      coll.variables.wanted:set(256)
      local id = assert(coll.programs[program]:info()).id
      local cpus = tonumber((process.run "nproc"))
      local producers = {}
      for i = 1, 2 do
        local wrap = cpus >= 2 and ("taskset -c %d "):format(i - 1) or ""
        producers[i] = script(([[
          local prog = assert(ebpf.program { id = %d })
          print "ready" io.stdout:flush()
          local stop = os.time() + %d
          repeat assert(prog:run { data = ("\0"):rep(14), ["repeat"] = 50 }) until os.time() >= stop
        ]]):format(id, seconds), wrap)
      end
      local loop <close> = ebpf.loop()
      local sink = consume(loop, options)
      loop:after(seconds + 1.5, function() loop:stop() end)
      loop:run()
      for _, producer in ipairs(producers) do
        local output, status = producer.wait()
        assert.equal(0, status, output)
      end
      return sink
    end

    local function accounted(sink, reader)
      reader:consume(sink)
      local delivered, sum = sink:read(), 0
      for cpu, count in pairs(delivered) do
        sum = sum + count
        assert.equal(coll.maps.produced[0][cpu + 1], count + coll.maps.floods_lost[0][cpu + 1])
      end
      assert.equal(produced(coll), sum + reader:lost())
      assert.is_true(sum > 1000, sum .. " records") -- also under emulation
      return sum
    end

    it("is accounted for to the last record, with a timer and no wake-ups", function()
      local reader
      local sink = flood("pour_quietly", { every = 0.002 }, function(loop, options)
        reader = assert(ebpf.ringbuf(coll.maps.floods, options))
        return select(2, loop:on(reader, { count = "cpu" }))
      end)
      accounted(sink, reader)
    end)

    it("is accounted for with a wake-up for each that finds the reader waiting", function()
      local reader
      local sink = flood("pour", {}, function(loop)
        reader = assert(ebpf.ringbuf(coll.maps.floods))
        return select(2, loop:on(reader, { count = "cpu" }))
      end)
      accounted(sink, reader)
    end)
  end)

  describe("that come one by one", function()
    -- 250 records of another process, one each 2 ms, to a reader that sleeps in between: how often it woke, by the kernel's count,
    -- and what it got.
    local function trickle(program, options)
      coll.variables.wanted:set(1)
      local producer = script(([[
        local prog = assert(ebpf.program { id = %d })
        print "ready" io.stdout:flush()
        local loop, left = ebpf.loop(), 250
        loop:every(0.002, function()
          assert(prog:run { data = ("\0"):rep(14) })
          left = left - 1
          if left == 0 then loop:stop() end
        end)
        loop:run()
      ]]):format(assert(coll.programs[program]:info()).id))
      local function sleeps()
        return tonumber(assert(io.open "/proc/self/status"):read "a":match "\nvoluntary_ctxt_switches:%s+(%d+)")
      end
      local loop <close> = ebpf.loop()
      local count, before = 0, sleeps()
      loop:on(coll.maps.floods, function() count = count + 1 end, options)
      loop:after(1, function() loop:stop() end)
      loop:run()
      local woken = sleeps() - before
      producer.wait()
      return woken, count
    end

    it("wake their reader each time, unless it comes by a timer: then no more often than that says", function()
      local each, read = trickle("pour", nil)
      assert.is_true(read > 50, read .. " records") -- what comes while another is delivered wakes nobody
      local timed, timed_read = trickle("pour_quietly", { every = 0.1 })
      assert.is_true(timed_read > 50, timed_read .. " records")
      assert.is_true(timed <= 10 + 3, timed .. " times") -- a second, and its end
      assert.is_true(each > 4 * timed, ("%d records woke it %d times, %d by timer %d"):format(read, each, timed_read, timed))
    end)
  end)

  describe("whose consumer", function()
    it("is stopped wait for it, and what finds no room is counted", function()
      local maps = coll.maps
      local child = script(([[
        local ring = assert(ebpf.ringbuf(assert(ebpf.map { id = %d }), { raw = true, lost_map = assert(ebpf.map { id = %d }) }))
        local loop, count = ebpf.loop(), 0
        loop:on(ring, function() count = count + 1 end)
        loop:signal("INT", function() loop:stop() end)
        print "ready" io.stdout:flush()
        loop:run()
        ring:consume(function() count = count + 1 end)
        print(count, ring:lost())
      ]]):format(assert(maps.floods:info()).id, assert(maps.floods_lost:info()).id))
      run("pour", 100)
      process.run("kill -STOP " .. child.pid)
      for _ = 1, 10 do run("pour", 512) end
      process.run("kill -CONT " .. child.pid .. "; sleep 0.3")
      run("pour", 7)
      child.interrupt()
      local output, status = child.wait()
      assert.equal(0, status, output)
      local read, lost = output:match "(%d+)%s+(%d+)%s*$"
      assert.equal(produced(coll), read + lost)
      assert.is_true(math.tointeger(lost) > 2000)
    end)

    it("yields in a callback is told that it cannot, and loses that record alone", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.floods))
      run("pour", 3)
      local seen = 0
      local thread = coroutine.create(function()
        ring:consume(function() seen = seen + 1 coroutine.yield() end)
      end)
      local ok, err = coroutine.resume(thread)
      assert.is_false(ok)
      assert.matches("yield across a C%-call boundary", tostring(err))
      assert.equal(2, ring:consume(function() seen = seen + 1 end))
      assert.equal(3, seen)
    end)

    it("starts children from a callback keeps its ring to itself", function()
      local ring <close> = assert(ebpf.ringbuf(coll.maps.floods))
      run("pour", 4)
      local outputs = {}
      assert.equal(4, ring:consume(function()
        local pipe = assert(io.popen "ls -l /proc/self/fd 2>/dev/null | grep -c bpf")
        outputs[#outputs + 1] = pipe:read "l"
        pipe:close()
      end))
      assert.same({ "0", "0", "0", "0" }, outputs) -- no descriptor goes to them
      run("pour", 2)
      assert.equal(2, ring:consume(function() end))
    end)

    it("raises, or closes its own reader, in a loop", function()
      local loop <close> = ebpf.loop()
      local ring = assert(ebpf.ringbuf(coll.maps.floods))
      local seen = 0
      loop:on(ring, function()
        seen = seen + 1
        if seen == 2 then error "mine" end
        if seen == 4 then ring:close() end
      end)
      run("pour", 6)
      assert.error_matches(function() loop:step(1) end, "mine")
      loop:step(1)
      assert.equal(4, seen)
      assert.equal("ebpf.ring (closed)", tostring(ring))
      assert.is_true(loop:run()) -- there is nothing left to wait for
    end)
  end)
end)
