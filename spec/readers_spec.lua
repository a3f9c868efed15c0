-- Readers of several maps, flushing, and what perf buffers carry beside records: an own attr, records of other kinds.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"
local process = require "spec.support.process"

local object = "build/spec/bpf/lua_readers.bpf.o"
local packet = ("\0"):rep(14)
local NO_WAKEUP = 1

local script_path = os.tmpname()

local coll, maps
local function fill(name, count)
  repeat
    local part = math.min(count or 1, 64)
    coll.variables.wanted:set(part)
    assert(coll.programs["fill_" .. name]:run { data = packet })
    count = (count or 1) - part
  until count == 0
end

local function load()
  need { kernel = "5.10", "ringbuf" } -- and BPF_F_PRESERVE_ELEMS
  coll = assert(ebpf.load(object))
  maps = coll.maps
end
local function unload()
  if coll then coll:close() end
end

describe("a reader of several maps", function()
  before_each(load)
  after_each(unload)

  it("decodes each map's records by its own type, and says whose the last one was", function()
    local reader <close> = assert(ebpf.events { maps.apples, maps.pears })
    assert.equal(2, #reader.maps)
    assert.equal(maps.apples, reader.map)
    fill("apples", 2)
    fill("pears", 1)
    fill("apples", 1)
    local got = {}
    assert.equal(4, reader:consume(function(e) got[#got + 1] = { reader.map.name, e.number, e.weight or e.name } end))
    assert.same({ { "apples", 0, 100 }, { "apples", 1, 101 }, { "apples", 3, 100 }, { "pears", 2, "williams" } }, got)
    assert.equal(0, reader:available())
    fill("pears", 3)
    local names = {}
    for e in reader:records { timeout = 0.01 } do names[#names + 1] = reader.map.name .. e.number end
    assert.same({ "pears4", "pears5", "pears6" }, names)
    assert.matches("apples, pears", tostring(reader))
  end)

  it("reads ring and perf buffers alike, and waits for all of them", function()
    local reader <close> = assert(ebpf.events({ maps.pears, maps.plums, maps.windfalls }, { raw = true }))
    for _, name in ipairs { "plums", "windfalls", "pears" } do
      assert.is_false(reader:poll(0))
      fill(name, 2)
      assert.is_true(reader:poll(1))
      local count = reader:consume(function() assert.equal(maps[name], reader.map) end)
      assert.equal(2, count)
      assert.equal(name == "plums", reader:cpu() ~= nil)
    end
    local ok, err = reader:pause()
    assert.is_nil(ok)
    assert.matches("'pears': only a perf buffer can be paused", err.message)
    assert.equal(0, reader:refresh())
    assert.equal(0, reader:lost() + reader:overwritten() + reader:others())
  end)

  it("gives every map its turn, however fast one is filled", function()
    local reader <close> = assert(ebpf.ringbuf({ maps.apples, maps.pears }, { fields = { "number" } }))
    fill("pears", 1)
    local seen, apples = false, 0
    while not seen and apples < 100000 do
      fill("apples", 100)
      reader:consume(function()
        if reader.map == maps.pears then seen = true else apples = apples + 1 end
      end, 50)
    end
    assert.is_true(seen)
    assert.is_true(apples < 400) -- a lap holds 256
  end)

  it("goes into a loop with one function, and fields, views and filters work for each map", function()
    local loop <close> = ebpf.loop()
    for _, options in ipairs { { fields = { "number" } }, { view = true }, { where = { { "number", "<", 100 } } } } do
      coll.variables.number:set(0)
      local got = {}
      local source = assert(loop:on({ maps.apples, maps.pears, maps.windfalls }, function(e)
        got[#got + 1] = type(e) == "number" and e or e.number
      end, options))
      fill("apples", 2)
      fill("pears", 2)
      fill("windfalls", 1)
      local ends = loop:after(5, function() error "nothing came" end)
      while #got < 5 do loop:step(1) end
      table.sort(got)
      assert.same({ 0, 1, 2, 3, 4 }, got)
      source:close()
      ends:close()
    end
  end)

  it("feeds a sink, where the records are of one type", function()
    local loop <close> = ebpf.loop()
    local source, sink = loop:on({ maps.apples, maps.windfalls }, { count = true, sum = "weight" })
    assert.is_truthy(source)
    fill("apples", 3)
    fill("windfalls", 2)
    loop:step(1)
    loop:step(0)
    local row = sink:rows()[1]
    assert.same({ 5, 100 + 101 + 102 + 100 + 101 }, { row.count, row.sum_weight })
    source:close()
    local mixed <close> = assert(ebpf.ringbuf { maps.apples, maps.pears })
    assert.error_matches(function() mixed:sink { count = true } end, "records of one type")
    assert.error_matches(function() mixed:consume(sink) end, "records of one type")
  end)

  it("tells whose records were lost", function()
    local told = {}
    local reader <close> = assert(ebpf.events({ maps.pears, maps.apples }, { lost = function(count, cpu, map)
      assert.is_true(cpu >= 0)
      told[#told + 1] = { map.name, count }
    end }))
    fill("apples", 400) -- 4096 bytes hold 255 of 16 bytes each
    local read = reader:consume(function() end)
    assert.equal(1, #told)
    assert.same({ "apples", 400 - read }, told[1])
    assert.equal(400 - read, reader:lost())
    -- counted in a map that is named, one for each
    local counts <close> = assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1 })
    counts[0] = 7
    local other <close> = assert(ebpf.ringbuf({ maps.windfalls, maps.apples }, { lost_map = { counts } }))
    assert.equal(7 + 400 - read, other:lost())
    assert.error_matches(function() ebpf.ringbuf({ maps.windfalls, maps.apples }, { lost_map = counts }) end, "one for each map")
  end)

  it("orders perf buffers by time over all maps", function()
    local reader <close> = assert(ebpf.perf({ maps.plums, maps.quinces }, { type = "struct apple", ordered = true }))
    for i = 1, 40 do fill(i % 3 == 0 and "plums" or "quinces", 1) end
    local last, count, seen = 0, 0, {}
    for e in reader:records { timeout = 0 } do
      assert.equal(count, e.number)
      assert.is_true(reader:time() >= last)
      last, count, seen[reader.map.name] = reader:time(), count + 1, true
    end
    assert.equal(40, count)
    assert.same({ plums = true, quinces = true }, seen)
    assert.is_true(reader:pause() and reader:resume())
  end)

  it("may be closed in its callback, and its maps' programs find no CPU any more", function()
    local reader = assert(ebpf.events({ maps.plums, maps.apples }, { raw = true }))
    fill("plums", 3)
    fill("apples", 3)
    local seen = 0
    reader:consume(function() seen = seen + 1; if seen == 4 then reader:close() end end)
    assert.equal(4, seen)
    fill("plums", 1)
    assert.equal(-2, coll.variables.result:get()) -- ENOENT
    assert.error_matches(function() reader:consume(print) end, "ring is closed")
    assert.equal(0, handles.leaked(function()
      assert(ebpf.events { maps.plums, maps.apples }) -- collected
    end))
  end)

  it("refuses what is no list of maps, a map that is there twice, and kinds that it is not for", function()
    assert.error_matches(function() ebpf.events {} end, "a list of maps has none")
    assert.error_matches(function() ebpf.events { maps.apples, 1 } end, "a map expected at 2 of the list, got number")
    local reader, err = ebpf.events { maps.apples, maps.pears, maps.apples }
    assert.is_nil(reader)
    assert.matches("'apples' is there twice", err.message)
    reader, err = ebpf.ringbuf { maps.apples, maps.plums }
    assert.is_nil(reader)
    assert.matches("'plums' is a map of type perf_event_array", err.message)
    reader, err = ebpf.perf { maps.plums, maps.apples }
    assert.is_nil(reader)
    assert.matches("'apples' is a map of type ringbuf", err.message)
    local one <close> = assert(ebpf.events { maps.apples })
    assert.equal(maps.apples, one.map)
    fill("apples", 1)
    assert.equal(1, one:consume(function(e) assert.equal(100, e.weight) end))
  end)
end)

describe("a flush", function()
  before_each(load)
  after_each(unload)

  it("has a loop call back for what was written without waking it, and a reader by a timer too", function()
    for _, options in ipairs { {}, { every = 3600 } } do
      for _, list in ipairs { { maps.apples }, { maps.apples, maps.plums } } do
        local loop <close> = ebpf.loop()
        local reader <close> = assert(ebpf.events(list, { raw = true, every = options.every }))
        local seen = 0
        loop:on(reader, function() seen = seen + 1 end)
        coll.variables.flags:set(NO_WAKEUP)
        fill("apples", 3)
        loop:step(0.02)
        assert.equal(0, seen)
        reader:flush()
        loop:step(1)
        assert.equal(3, seen)
        assert.is_true(loop:step(0.02) <= 1) -- then it is quiet
        assert.equal(0, loop:step(0.02))
      end
    end
  end)

  it("ends a wait, when what is there has been read", function()
    local reader <close> = assert(ebpf.ringbuf(maps.apples))
    coll.variables.flags:set(NO_WAKEUP)
    fill("apples", 2)
    reader:flush()
    local numbers = {}
    for e in reader:records() do numbers[#numbers + 1] = e.number end -- without a timeout
    assert.same({ 0, 1 }, numbers)
    reader:flush()
    assert.is_false(reader:poll())
    assert.is_false(reader:poll(0.01))
  end)

  it("ends the waits of tasks", function()
    local loop <close> = ebpf.loop()
    local reader <close> = assert(ebpf.ringbuf(maps.apples))
    local got = {}
    loop:spawn(function()
      got[#got + 1] = reader:poll(10)
      loop:after(0.02, function()
        fill("apples", 2)
        reader:flush()
      end)
      for e in reader:records() do got[#got + 1] = e.number end
      got[#got + 1] = "end"
    end)
    coll.variables.flags:set(NO_WAKEUP)
    loop:after(0.02, function() reader:flush() end)
    local started = os.time()
    loop:run()
    assert.same({ false, 0, 1, "end" }, got)
    assert.is_true(os.time() - started < 5)
  end)

  it("makes the descriptor readable for another loop, until a poll has found nothing", function()
    local reader <close> = assert(ebpf.ringbuf(maps.apples))
    local loop <close> = ebpf.loop()
    local calls = 0
    loop:fd(reader:fd(), "r", function()
      calls = calls + 1
      reader:consume(function() end)
      reader:poll(0)
    end)
    loop:step(0)
    assert.equal(0, calls)
    reader:flush()
    loop:step(1)
    assert.equal(1, calls)
    assert.equal(0, loop:step(0.01))
    fill("apples", 1)
    loop:step(1)
    assert.equal(2, calls)
  end)
end)

describe("a perf buffer's own attr", function()
  before_each(load)
  after_each(unload)

  it("adds to each record what was asked for", function()
    local reader <close> = assert(ebpf.perf(maps.plums, { type = "struct apple", ordered = true, attr = {
      sample = { "ip", "tid", "time", "addr", "id", "stream_id", "cpu", "period", "callchain" }, period = 5, max_stack = 20,
    } }))
    assert.is_nil(reader:sample())
    fill("plums", 3)
    local self = assert(io.open "/proc/self/stat"):read "n"
    local count = reader:consume(function(e)
      local sample = reader:sample()
      assert.same({ e.weight, self, self }, { sample.cpu, sample.pid, sample.tid })
      assert.equal(reader:time(), sample.time)
      assert.is_true(sample.time > 0 and sample.id > 0)
      assert.is_true(#sample.callchain > 1)
      for _, address in ipairs(sample.callchain) do assert.equal("integer", math.type(address)) end
      assert.is_truthy(sample.ip and sample.addr and sample.stream_id and sample.period)
      assert.is_nil(sample.rest)
    end)
    assert.equal(3, count)
    assert.is_nil(reader:sample()) -- its space is given back
    reader:close()
    -- in part, with another clock, without order
    local attr = { sample = { "time" }, clock = "boottime", stack_user = 8 }
    local boot <close> = assert(ebpf.perf(maps.plums, { raw = true, attr = attr }))
    fill("plums", 1)
    local file = assert(io.open "/proc/uptime")
    local uptime = file:read "n"
    file:close()
    boot:consume(function(bytes)
      assert.is_true(#bytes >= 8 and #bytes < 16)
      local sample = boot:sample()
      assert.is_true(math.abs(sample.time / 1e9 - uptime) < 5)
      assert.is_nil(sample.pid)
      assert.is_true(#sample.rest >= 8) -- the stack: its size, its bytes, how many of them count
    end)
  end)

  it("brings records of other kinds, in their place, to a function or a count", function()
    local others = {}
    local reader <close> = assert(ebpf.perf(maps.plums, { raw = true, attr = { records = { "comm", "task" }, sample = {} },
      other = function(kind, bytes, cpu)
        assert.is_true(cpu >= 0)
        local number, _, size = string.unpack("I4I2I2", bytes)
        assert.equal(#bytes, size)
        others[kind] = others[kind] or {}
        table.insert(others[kind], bytes)
        assert.is_true(number > 2)
      end }))
    os.execute "exec /bin/true"
    assert.is_true(reader:poll(1))
    assert.equal(0, reader:consume(function() end))
    assert.is_false(reader:poll(0))
    local renamed = false
    for _, bytes in ipairs(others.comm) do renamed = renamed or string.unpack("z", bytes, 17) == "true" end
    assert.is_true(renamed)
    assert.is_true(#others.fork >= 1 and #others.exit >= 1)
    assert.is_true(reader:others() >= 3)
    reader:close()
    local silent <close> = assert(ebpf.perf(maps.plums, { raw = true, attr = { records = { "comm" } } }))
    os.execute "exec /bin/true"
    fill("plums", 1)
    assert.equal(1, silent:consume(function() end))
    assert.is_true(silent:others() >= 1)
  end)

  it("raises what the function for other records raises, and loses no record by it", function()
    local reader <close> = assert(ebpf.perf(maps.plums, { type = "struct apple", ordered = true, attr = { records = { "comm" } },
      other = function() error "mine" end }))
    local seen = {}
    for round = 1, 2 do
      os.execute "exec /bin/true"
      fill("plums", 2)
      for _ = 1, 20 do
        local ok, err
        if round == 1 then
          ok, err = pcall(reader.consume, reader, function(e) seen[#seen + 1] = e.number end)
        else
          ok, err = pcall(function() for e in reader:records { timeout = 0 } do seen[#seen + 1] = e.number end end)
        end
        if ok then break end
        assert.matches("mine", tostring(err))
      end
    end
    assert.same({ 0, 1, 2, 3 }, seen)
    assert.is_true(reader:others() >= 2)
    reader:close()
    local closing
    closing = assert(ebpf.perf(maps.plums, { raw = true, attr = { records = { "comm" } }, other = function() closing:close() end }))
    os.execute "exec /bin/true"
    fill("plums", 2)
    for _ in closing:records { timeout = 0 } do end
    assert.equal("ebpf.ring (closed)", tostring(closing))
  end)

  it("is refused where it makes no sense, by name", function()
    local function refused(attr, pattern)
      assert.error_matches(function() ebpf.perf(maps.plums, { attr = attr }) end, pattern)
    end
    refused({ sample = { "tme" } }, "attr.sample: 'tme' is not known")
    refused({ sample = "time" }, "attr.sample: list of names expected, got string")
    refused({ records = { "exec" } }, "attr.records: 'exec' is not known")
    refused({ clock = "wall" }, "attr.clock: 'wall' is no clock")
    refused({ disabled = true }, "unknown option 'disabled'")
    refused(1, "a table as the option 'attr'")
    assert.error_matches(function() ebpf.perf(maps.plums, { other = 1 }) end, "function expected as the option 'other'")
    assert.error_matches(function() ebpf.ringbuf(maps.apples, { attr = {} }) end, "unknown option 'attr'")
    local reader, err = ebpf.perf(maps.plums, { attr = { sample = { "callchain" }, regs_user = -1 } })
    assert.is_nil(reader)
    assert.is_truthy(err.code)
  end)

  it("holds when the collector never rests", function()
    collectgarbage("setpause", 0)
    collectgarbage("setstepmul", 1000)
    for _ = 1, 5 do
      local seen, kinds = 0, 0
      local reader <close> = assert(ebpf.events({ maps.plums, maps.apples, maps.pears }, {
        raw = true, attr = { sample = { "tid", "callchain" }, records = { "comm" } },
        other = function() kinds = kinds + 1; collectgarbage() end,
      }))
      os.execute "exec /bin/true"
      fill("plums", 3)
      fill("apples", 3)
      fill("pears", 3)
      reader:consume(function() seen = seen + 1; collectgarbage(); return reader:sample() end)
      assert.equal(9, seen)
      assert.is_true(kinds >= 1)
    end
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 100)
  end)
end)

describe("a perf event array with preserve_elems", function()
  before_each(load)
  after_each(unload)

  it("keeps its entries when the descriptor goes that set them; a reader takes its own out all the same", function()
    assert.equal(0x800, assert(maps.kept:info()).flags & 0x800) -- BPF_F_PRESERVE_ELEMS, 5.10
    for _, name in ipairs { "kept", "plums" } do
      -- by a descriptor of its own: another file of the kernel's than the collection's
      local again = assert(ebpf.map { id = assert(maps[name]:info()).id })
      local reader = assert(ebpf.perf(again, { raw = true }))
      again:close()
      fill(name, 1)
      assert.equal(0, coll.variables.result:get())
      assert.equal(1, reader:consume(function() end))
      reader:close()
      fill(name, 1)
      assert.equal(-2, coll.variables.result:get()) -- ENOENT
    end
  end)
end)

describe("a perf buffer's consumer", function()
  before_each(load)
  after_each(unload)
  teardown(function() os.remove(script_path) end)

  it("is stopped, and goes on: what it reads and what was lost is all that was written", function()
    need.command "taskset"
    local file = assert(io.open(script_path, "w"))
    file:write(([[
      local ebpf = require "ebpf"
      local count, told = 0, 0
      local reader = assert(ebpf.perf(assert(ebpf.map { id = %d }), { raw = true, buffer_size = 4096,
        lost = function(n) told = told + n end }))
      local loop = ebpf.loop()
      loop:on(reader, function() count = count + 1 end)
      loop:signal("INT", function() loop:stop() end)
      print "ready" io.stdout:flush()
      loop:run()
      reader:consume(function() count = count + 1 end)
      assert(told == reader:lost())
      print(count, told)
    ]]):format(assert(maps.plums:info()).id))
    file:close()
    local child = process.start("lua5.4 " .. script_path)
    -- the kernel tells of what was lost on a CPU with the next record of that CPU: all are written on one
    local self = assert(io.open "/proc/self/stat"):read "n"
    local mask = process.run("taskset -p " .. self):match "mask: (%x+)"
    process.run(("taskset -cp 0 %d"):format(self))
    fill("plums", 100)
    process.run("kill -STOP " .. child.pid)
    fill("plums", 2000)
    process.run("kill -CONT " .. child.pid .. "; sleep 0.3")
    fill("plums", 7)
    process.run(("taskset -p %s %d"):format(mask, self))
    process.run("sleep 0.2")
    child.interrupt()
    local output, status = child.wait()
    assert.equal(0, status, output)
    local read, lost = output:match "(%d+)%s+(%d+)%s*$"
    assert.equal(coll.variables.number:get(), read + lost)
    assert.is_true(math.tointeger(lost) > 1000)
  end)

  it("raises, or closes its own reader of several maps, in a loop", function()
    local loop <close> = ebpf.loop()
    local reader = assert(ebpf.events({ maps.plums, maps.apples }, { raw = true }))
    local seen = 0
    loop:on(reader, function()
      seen = seen + 1
      if seen == 2 then error "mine" end
      if seen == 5 then reader:close() end
    end)
    fill("plums", 3)
    fill("apples", 3)
    assert.error_matches(function() loop:step(1) end, "mine")
    for _ = 1, 5 do loop:step(0.1) end
    assert.equal(5, seen)
    assert.equal("ebpf.ring (closed)", tostring(reader))
    assert.is_true(loop:run()) -- there is nothing left to wait for
    -- and one that yields is told that it cannot
    local other <close> = assert(ebpf.events({ maps.quinces, maps.apples }, { raw = true }))
    fill("quinces", 2)
    local thread = coroutine.create(function() other:consume(function() coroutine.yield() end) end)
    local ok, err = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("yield across a C%-call boundary", tostring(err))
    local left = other:available()
    assert.is_true(left > 0)
    local count = 0
    other:consume(function() count = count + 1 end)
    assert.is_true(count >= 1)
  end)
end)
