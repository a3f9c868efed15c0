-- Perf buffers: records of each CPU's ring as Lua values, what was lost, order, pauses; through readers and the loop.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local object = "build/spec/bpf/lua_perf.bpf.o"
local packet = ("\0"):rep(14)

local function load()
  return assert(ebpf.load(object))
end

-- Has the program write `count` records, on whatever CPU this runs.
local function write(coll, count)
  while count > 0 do
    local part = math.min(count, 512)
    coll.variables.wanted:set(part)
    assert(coll.programs.fill:run { data = packet })
    count = count - part
  end
end

describe("a perf buffer", function()
  before_each(function() need { kernel = "5.3" } end) -- loops, global variables; for older kernels see events_spec

  it("gives records as tables, fields, views and strings", function()
    local coll <close> = load()
    local function each(options, fn)
      options.type = not options.raw and "struct sample" or nil
      local reader <close> = assert(ebpf.perf(coll.maps.samples, options))
      write(coll, 3)
      assert.is_true(reader:poll(1))
      local count = reader:consume(fn)
      assert.equal(3, count)
      assert.equal(0, reader:consume(fn))
      assert.equal(0, reader:lost())
      assert.is_true(reader:cpu() >= 0)
    end
    local got = {}
    each({}, function(e) got[#got + 1] = e.pid end)
    each({ fields = { "pid", "kind" } }, function(pid, kind) got[#got + 1] = pid + kind end)
    each({ view = true }, function(e) got[#got + 1] = e.pid end)
    assert.same({ 1000, 1001, 1002, 1000, 1002, 1004, 1000, 1001, 1002 }, got)
    each({ raw = true }, function(s)
      assert.is_true(#s >= 16 and #s < 24) -- the kernel fills records up
      assert.is_true(string.unpack("I4", s) >= 1000)
    end)
  end)

  it("is read by a for loop, with a time that ends it", function()
    local coll <close> = load()
    local reader <close> = assert(ebpf.perf(coll.maps.samples, { type = "struct sample" }))
    write(coll, 5)
    local sum = 0
    for e in reader:records { timeout = 0.05 } do sum = sum + e.pid end
    assert.equal(5010, sum)
  end)

  it("accounts for every record: read or lost, and says which CPU lost them", function()
    local coll <close> = load()
    local told, cpus = 0, {}
    local reader <close> = assert(ebpf.perf(coll.maps.samples, {
      type = "struct sample", buffer_size = 4096, lost = function(count, cpu) told, cpus[cpu] = told + count, true end,
    }))
    local read = 0
    write(coll, 1000)
    read = read + reader:consume(function() end)
    for _ = 1, 20 do -- the counts come with later records, of the same CPU
      write(coll, 4)
      read = read + reader:consume(function() end)
    end
    assert.is_true(reader:lost() > 0)
    assert.equal(reader:lost(), told)
    assert.is_truthy(next(cpus))
    -- the program was refused as often; what a CPU lost last is told with its next record, which may not have come
    assert.equal(coll.variables.written:get(), read + coll.variables.refused:get())
    assert.is_true(told <= coll.variables.refused:get())
  end)

  it("calls back from a loop, also for what a callback has left", function()
    local coll <close> = load()
    local loop <close> = ebpf.loop()
    local numbers = {}
    loop:on(coll.maps.samples, function(e)
      numbers[#numbers + 1] = e.number
      if #numbers == 3 or #numbers == 10 then loop:stop() end
    end, { type = "struct sample", ordered = true })
    loop:after(10, function() error "nothing came" end)
    write(coll, 10)
    loop:run()
    assert.equal(3, #numbers)
    loop:run() -- nothing new was written
    assert.equal(10, #numbers)
    for i = 2, 10 do assert.equal(numbers[i - 1] + 1, numbers[i]) end
  end)

  it("wakes up after as many records, or bytes, as it was told", function()
    local coll <close> = load()
    for _, options in ipairs { { wakeup_events = 50 }, { wakeup_bytes = 2000 } } do
      options.type = "struct sample"
      local reader <close> = assert(ebpf.perf(coll.maps.samples, options))
      local loop <close> = ebpf.loop()
      local calls = 0
      loop:on(reader, function() calls = calls + 1 end)
      write(coll, 2)
      loop:step(0)
      assert.equal(0, calls)
      write(coll, 400)
      loop:step(1)
      assert.is_true(calls > 2)
      reader:consume(function() calls = calls + 1 end) -- the rest, without being woken
      loop:step(0)
      assert.is_true(calls <= 402)
    end
  end)

  it("has rings for chosen CPUs alone", function()
    need.command "taskset"
    local coll <close> = load()
    local self = assert(io.open "/proc/self/stat"):read "n"
    local mask = io.popen("taskset -p " .. self):read("a"):match "mask: (%x+)"
    local cpu = 0 -- the first of those that we may run on
    while tonumber(mask, 16) & 1 << cpu == 0 do cpu = cpu + 1 end
    local function pinned(reader)
      os.execute(("taskset -cp %d %d >/dev/null"):format(cpu, self))
      coll.variables.refused:set(0)
      write(coll, 10)
      os.execute(("taskset -p %s %d >/dev/null"):format(mask, self))
      return reader:consume(function() end), coll.variables.refused:get()
    end
    local here <close> = assert(ebpf.perf(coll.maps.samples, { raw = true, cpus = { cpu } }))
    assert.same({ 10, 0 }, { pinned(here) })
    here:close()
    local none, err = ebpf.perf(coll.maps.samples, { cpus = { 100000 } })
    assert.is_nil(none)
    assert.matches("CPU 100000: the map has entries for %d+", err.message)
    none, err = ebpf.perf(coll.maps.samples, { cpus = {} })
    assert.is_nil(none)
    assert.equal("ENODEV", err.code)
    assert.error_matches(function() ebpf.perf(coll.maps.samples, { cpus = 1 }) end, "a list as the option 'cpus'")
    if not io.open("/sys/devices/system/cpu/cpu1/topology/core_id") then return end
    local there <close> = assert(ebpf.perf(coll.maps.samples, { raw = true, cpus = { cpu == 0 and 1 or 0 } }))
    assert.same({ 0, 10 }, { pinned(there) }) -- ENOENT each
  end)

  -- In the guests of the kernel matrix, which are thrown away.
  it("leaves out CPUs that are offline, at their own places, and takes them in when they come", function()
    local switch = "/sys/devices/system/cpu/cpu1/online"
    if os.getenv "EBPF_COMPLETE_KERNEL" ~= "1" then pending "CPUs are switched off in the guests of the kernel matrix alone" end
    need.file(switch)
    local function set(value)
      local file = assert(io.open(switch, "w"))
      file:write(value)
      assert(file:close())
    end
    local self = assert(io.open "/proc/self/stat"):read "n"
    local coll <close> = load()
    local function write_on_second(count)
      os.execute(("taskset -p 2 %d >/dev/null"):format(self))
      write(coll, count)
      os.execute(("taskset -p ff %d >/dev/null"):format(self))
    end
    local function read(reader)
      local on = {}
      reader:consume(function() on[reader:cpu()] = (on[reader:cpu()] or 0) + 1 end)
      return on
    end
    set "0"
    local reader <close> = assert(ebpf.perf(coll.maps.samples, { raw = true }))
    write(coll, 5)
    assert.equal(5, reader:consume(function() end))
    assert.equal(0, coll.variables.refused:get())
    assert(reader:pause())
    assert(reader:resume())
    assert.equal(0, reader:refresh())
    set "1"
    assert.equal(1, reader:refresh())
    write_on_second(5)
    assert.same({ [1] = 5 }, read(reader))
    assert.equal(0, reader:refresh())

    -- it goes, and comes back: its event does not, but another takes its place when what it has left is read
    write_on_second(2)
    set "0"
    assert.equal(0, reader:refresh())
    set "1"
    assert.equal(0, reader:refresh())
    assert.same({ [1] = 2 }, read(reader))
    assert.equal(0, coll.variables.refused:get())
    write_on_second(1)
    assert.equal(1, coll.variables.refused:get()) -- the program knows
    assert.equal(1, reader:refresh())
    write_on_second(3)
    assert.same({ [1] = 3 }, read(reader))
    reader:close()

    -- by itself
    set "0"
    local loop <close> = ebpf.loop()
    local looking <close> = assert(ebpf.perf(coll.maps.samples, { raw = true, refresh = 0.02 }))
    local seen = 0
    loop:on(looking, function() seen = seen + 1 end)
    loop:step(0.05)
    set "1"
    local ends = os.time() + 20
    while seen == 0 and os.time() < ends do
      write_on_second(1)
      loop:step(0.05)
    end
    assert.is_true(seen > 0)
  end)

  it("can overwrite what nobody reads, and is read from the newest record back", function()
    local coll <close> = load()
    local reader <close> = assert(ebpf.perf(coll.maps.samples, { type = "struct sample", buffer_size = 4096, overwrite = true }))
    write(coll, 1000)
    assert.equal(0, reader:consume(function() end))
    assert.is_true(reader:pause())
    local numbers = {}
    assert.is_true(reader:consume(function(e) numbers[#numbers + 1] = e.number end) > 50)
    assert.is_true(reader:resume())
    local falls = 0
    for i = 2, #numbers do if numbers[i] < numbers[i - 1] then falls = falls + 1 end end
    assert.is_true(falls >= #numbers - 1 - 64) -- one rise for each CPU at most
    assert.equal(coll.variables.written:get() - 1, math.max(table.unpack(numbers)))
  end)

  it("gives the time of writing when records are ordered", function()
    local coll <close> = load()
    local reader <close> = assert(ebpf.perf(coll.maps.samples, { type = "struct sample", ordered = true }))
    write(coll, 20)
    local last, number = 0, -1
    for e in reader:records { timeout = 0 } do
      assert.is_true(reader:time() >= last)
      assert.equal(number + 1, e.number)
      last, number = reader:time(), e.number
    end
    assert.equal(19, number)
  end)

  it("may be closed in its callback, and takes its CPUs out of the map", function()
    local coll <close> = load()
    local reader = assert(ebpf.perf(coll.maps.samples, { type = "struct sample" }))
    write(coll, 5)
    local seen = 0
    reader:consume(function() seen = seen + 1; reader:close() end)
    assert.equal(1, seen)
    assert.error_matches(function() reader:consume(print) end, "ring is closed")
    write(coll, 1)
    assert.is_true(coll.variables.refused:get() > 0)
    assert.equal(0, handles.leaked(function()
      assert(ebpf.perf(coll.maps.samples)) -- collected
    end))
  end)

  it("refuses what it is not for, and says what is", function()
    local coll <close> = load()
    local reader, err = ebpf.ringbuf(coll.maps.samples)
    assert.is_nil(reader)
    assert.matches("perf buffer", err.hint)
    local ring <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 1 })
    reader, err = ebpf.perf(ring)
    assert.is_nil(reader)
    assert.equal("EINVAL", err.code)
    assert.matches("type hash, not perf_event_array", err.message)
    reader, err = ebpf.perf(coll.maps.samples, { wakeup_events = 1, wakeup_bytes = 1 })
    assert.is_nil(reader)
    assert.matches("exclude each other", err.message)
    assert.error_matches(function() ebpf.perf(coll.maps.samples, { pages = 8 }) end, "unknown option 'pages' %(known: type, fields")
    assert.error_matches(function() ebpf.perf(coll.maps.samples, { lost = 1 }) end, "function")
    local other <close> = assert(ebpf.perf(coll.maps.samples))
    assert.equal(0, other:refresh())
  end)

  it("is what ebpf.events opens for such a map; for a ring buffer the other", function()
    local coll <close> = load()
    local reader <close> = assert(ebpf.events(coll.maps.samples, { type = "struct sample" }))
    write(coll, 1)
    assert.equal(1, reader:consume(function(e) assert.equal(1000, e.pid) end))
    if not ebpf.kernel():has "ringbuf" then return end
    local map <close> = assert(ebpf.map { type = "ringbuf", max_entries = 4096 })
    local ring <close> = assert(ebpf.events(map, { lost = function() end }))
    assert.equal(0, ring:lost())
    assert.is_nil(ring:cpu())
    local ok, err = ring:pause()
    assert.is_nil(ok)
    assert.equal("EOPNOTSUPP", err.code)
  end)
end)
