-- Records of programs that can send them through a ring buffer or through perf buffers (EBPF_EVENTS of records.bpf.h): the loader
-- chooses, by what the kernel has. Here kernels pretend to have less; on old ones it is true.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local object = "build/spec/bpf/lua_events.bpf.o"
local packet = ("\0"):rep(14)

-- What kernels of an age lack, the youngest first.
local ages = {
  { "ringbuf" },                                            -- before 5.8
  { "ringbuf", "mmap" },                                    -- before 5.5
  { "ringbuf", "mmap", "global_data", "btf_datasec" },      -- before 5.2
  { "ringbuf", "mmap", "global_data", "btf_datasec", "btf_func", "btf" }, -- before 4.18
}

-- Calls fn while the kernel pretends; what fn returns.
local function without(features, fn)
  local kernel <const> = ebpf.kernel()
  for _, name in ipairs(features) do assert(kernel:mask(name)) end
  local results = table.pack(pcall(fn))
  for _, name in ipairs(features) do assert(kernel:unmask(name)) end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function load(features, options, change)
  return without(features, function()
    local spec <close> = assert(ebpf.spec(object))
    if change then change(spec) end
    return spec:load(options)
  end)
end

local function run(coll, name, count)
  local retval
  for _ = 1, count or 1 do retval = assert(coll.programs[name]:run { data = packet }).retval end
  return retval
end

local function read(reader)
  local list = {}
  reader:consume(function(record) list[#list + 1] = record end)
  return list
end

describe("a program that can use both kinds of buffer", function()
  before_each(function() need { kernel = "4.15" } end)

  local function check(coll, kind)
    local events <close> = assert(ebpf.events(coll.maps.events))
    local odds <close> = assert(ebpf.events(coll.maps.odds))
    assert.equal(kind, coll.maps.events.type)
    run(coll, "send", 3)
    run(coll, "make", 3) -- of which the last is discarded
    run(coll, "send_odd", 2)
    local records = read(events)
    table.sort(records, function(a, b) return a.number < b.number end) -- perf buffers are one for each CPU
    assert.same({
      { number = 0, pid = 7, kind = 3 }, { number = 1, pid = 7, kind = 3 }, { number = 2, pid = 7, kind = 3 },
      { number = 3, pid = 8, kind = 3 }, { number = 4, pid = 8, kind = 3 },
    }, records)
    records = read(odds)
    table.sort(records, function(a, b) return a.number < b.number end)
    assert.same({ { number = 6, text = "five" }, { number = 7, text = "five" } }, records)
    assert.equal(0, events:lost())
  end

  it("uses a ring buffer where there is one", function()
    need { kernel = "5.8", "ringbuf" }
    local coll <close> = assert(load {})
    check(coll, "ringbuf")
    assert.is_nil(coll.maps.events_scratch) -- there is no use for it
    assert.equal(0, coll.variables.events_perf:get())
  end)

  for _, age in ipairs(ages) do
    it("uses perf buffers without " .. table.concat(age, ", "), function()
      local coll <close> = assert(load(age))
      check(coll, "perf_event_array")
      assert.equal(#coll.maps.events_lost[0], coll.maps.events.max_entries) -- one for each CPU
      assert.same({ 4, 4 }, { coll.maps.events.key_size, coll.maps.events.value_size })
      local constant = coll.variables.events_perf
      if constant then assert.equal(1, constant:get()) end
    end)
  end

  it("leaves its Spec as it was: loaded once more it may become the other", function()
    need { kernel = "5.8", "ringbuf" }
    local spec <close> = assert(ebpf.spec(object))
    local before = { spec.maps.events.type, spec.maps.events.max_entries, spec.variables.events_perf:get() }
    for i = 1, 4 do
      local features = i % 2 == 0 and ages[1] or {}
      local coll <close> = assert(without(features, function() return spec:load() end))
      check(coll, i % 2 == 0 and "perf_event_array" or "ringbuf")
      assert.same(before, { spec.maps.events.type, spec.maps.events.max_entries, spec.variables.events_perf:get() })
    end
  end)

  it("uses perf buffers by its user's choice: of the constant, of the map's type, of a map that is given", function()
    local coll <close> = assert(load({}, { variables = { events_perf = 1, odds_perf = 1 } }))
    check(coll, "perf_event_array")
    local typed <close> = assert(load({}, nil, function(spec)
      for _, name in ipairs { "events", "odds" } do
        local map = spec.maps[name]
        map.type, map.max_entries = "perf_event_array", 0
      end
    end))
    check(typed, "perf_event_array")
    local own <close> = assert(ebpf.map { type = "perf_event_array" })
    local given <close> = assert(load({}, { maps = { events = own }, variables = { odds_perf = 1 } }))
    local reader <close> = assert(ebpf.events(own))
    run(given, "send", 2)
    local sum = 0
    reader:consume(function(bytes) sum = sum + string.unpack("=I4", bytes, 9) end)
    assert.equal(14, sum)
  end)

  it("has records of the length that their type says, on both", function()
    for _, features in ipairs { {}, ages[1] } do
      local coll <close> = assert(load(features))
      local reader <close> = assert(ebpf.events(coll.maps.events, { raw = true }))
      run(coll, "send")
      run(coll, "make")
      local records = read(reader)
      table.sort(records)
      assert.same({ string.pack("=I8I4I4", 0, 7, 3), string.pack("=I8I4I4", 1, 8, 3) }, records)
    end
  end)

  it("needs its constants", function()
    local none, err = load({}, nil, function(spec) spec.maps[".rodata"].value_size = 4 end)
    assert.is_nil(none)
    assert.matches("variable '%w+_perf': lies outside its section", err.message)
  end)

  it("takes what constants it is given with a section, as long as they agree", function()
    need { kernel = "5.8", "ringbuf" }
    local first <close> = assert(load({}, { variables = { kind = 9 } }))
    local second <close> = assert(load({}, { maps = { [".rodata"] = first.maps[".rodata"] } }))
    local reader <close> = assert(ebpf.events(second.maps.events))
    run(second, "send")
    assert.equal(9, read(reader)[1].kind)
    local none, err = load(ages[1], { maps = { [".rodata"] = first.maps[".rodata"] } })
    assert.is_nil(none)
    assert.matches("program 'send': load: refused", err.message)
  end)

  it("says when what is pinned is of the other kind", function()
    need { kernel = "5.8", "ringbuf" }
    local dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir %s && mount -t bpf bpf %s"):format(dir, dir)))
    finally(function() os.execute(("umount %s && rmdir %s"):format(dir, dir)) end)
    local function pinned(spec) spec.maps.events.pin_by_name = true end
    do
      local coll <close> = assert(load(ages[1], { pin_dir = dir }, pinned))
      local again <close> = assert(load(ages[1], { pin_dir = dir }, pinned))
      local reader <close> = assert(ebpf.events(coll.maps.events))
      run(again, "send")
      assert.equal(1, #read(reader))
    end
    local none, err = load({}, { pin_dir = dir }, pinned)
    assert.is_nil(none)
    assert.matches("map 'events': use what is pinned at " .. dir, err.message, 1, true)
    assert.matches("perf_event_array", err.message)
    assert.matches("ringbuf", err.message)
    assert.matches("remove " .. dir .. "/events.-EBPF_EVENTS", err.hint)
  end)

  it("is read by a loop, and by a sink, without a word about the kind", function()
    for _, features in ipairs { {}, ages[3] } do
      local coll <close> = assert(load(features))
      local loop <close> = ebpf.loop()
      local numbers = {}
      loop:on(coll.maps.events, function(e) numbers[#numbers + 1] = e.number end, { every = 0.01 })
      run(coll, "send", 3)
      loop:after(0.1, function() loop:stop() end)
      loop:run()
      assert.equal(3, #numbers)
      loop:close()
      local reader <close> = assert(ebpf.events(coll.maps.events))
      local sink <close> = assert(reader:sink { by = "pid", count = true })
      run(coll, "make", 2) -- numbers 3 and 4
      reader:consume(sink)
      assert.same({ [8] = 2 }, sink:read())
    end
  end)

  it("is what a module of ebpf gen loads, attached and read on both kinds", function()
    need { kernel = "4.17" }
    local killsnoop = dofile "build/examples/killsnoop.lua"
    local pid = math.tointeger(tonumber(assert(io.open "/proc/self/stat"):read "a":match "^(%d+)"))
    for i, features in ipairs { {}, ages[3] } do
      local coll <close> = assert(without(features, killsnoop.load))
      assert.equal(3, #assert(coll:attach()))
      local loop <close> = ebpf.loop()
      local sent
      loop:on(coll.maps.events, function(e)
        if e.target == pid and e.signal == 0 then sent = e loop:stop() end
      end)
      process.run(("sh -c 'kill -0 %d'"):format(pid))
      loop:after(5, function() loop:stop() end)
      loop:run()
      assert.equal(killsnoop.enums.call.KILL, sent and sent.call, i)
      assert.equal("sh", sent.comm)
      loop:close()
    end
  end)

  it("has room for four records that are made at once, and counts what finds none", function()
    local coll <close> = assert(load(ages[3], { programs = { "keep", "send" } }))
    -- in one run, which stays on one CPU
    assert.equal(0, assert(coll.programs.keep:run { data = packet, ["repeat"] = 4 }).retval)
    local counts = coll.maps.events_lost[0]
    local lost = 0
    for _, count in ipairs(counts) do lost = lost + count end
    assert.equal(0, lost)
    assert(coll.programs.keep:run { data = packet, ["repeat"] = 4096 })
    for _, count in ipairs(coll.maps.events_lost[0]) do lost = lost + count end
    assert.is_true(lost >= 4096 - 4)
    local told = 0
    local reader <close> = assert(ebpf.events(coll.maps.events, { lost = function(count) told = told + count end }))
    assert.equal(lost, reader:lost()) -- what the kernel has counted, none, and what the program has
    reader:consume(function() end)
    assert.equal(lost, told)
  end)

  it("must give a record back where it goes through a ring buffer", function()
    need { kernel = "5.8", "ringbuf" }
    local none, err = load({}, { programs = { "keep" } })
    assert.is_nil(none)
    assert.matches("[Uu]nreleased reference", err.log)
  end)

  it("loses what finds no room, which the kernel counts", function()
    local coll <close> = assert(load(ages[1]))
    local told = 0
    local reader <close> = assert(ebpf.events(coll.maps.events, {
      buffer_size = 4096, lost = function(count) told = told + count end,
    }))
    assert(coll.programs.send:run { data = packet, ["repeat"] = 1000 })
    local got = #read(reader)
    run(coll, "send") -- the kernel tells with the next record
    got = got + #read(reader)
    assert.is_true(got < 1001)
    assert.equal(1001, got + reader:lost())
    assert.equal(reader:lost(), told)
  end)
end)

describe("an object with EBPF_EVENTS", function()
  it("is either kind for libbpf, too, with what records.bpf.h says #host", function()
    need { kernel = "5.8", "ringbuf" }
    need.command "cc"
    need.file "/usr/include/bpf/libbpf.h"
    local loader = os.tmpname()
    finally(function() os.remove(loader) end)
    local built, status = process.run(("cc -o %s spec/support/events_libbpf.c -lbpf"):format(loader))
    assert.equal(0, status, built)
    for _, kind in ipairs { "ring", "perf" } do
      local output = process.run(("%s %s %s 2>/dev/null"):format(loader, object, kind))
      local lines = {}
      for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
      table.sort(lines) -- perf buffers are one for each CPU
      assert.same({ "0 7 3 whole", "1 7 3 whole", "3 8 3 whole", "4 8 3 whole" }, lines, kind)
    end
  end)
end)

describe("a program that wakes its reader by bytes", function()
  it("wakes it when enough of them wait, and loses what finds no room", function()
    need { kernel = "5.8", "ringbuf" }
    local both <close> = assert(load {})
    local loop <close> = ebpf.loop()
    local ring <close> = assert(ebpf.ringbuf(both.maps.events))
    local _, sink = loop:on(ring, assert(ring:sink { count = true }))
    run(both, "send", 3)
    assert.equal(0, loop:step(0.05))
    run(both, "send") -- finds 72 bytes waiting
    assert.equal(1, loop:step(1))
    assert.equal(4, sink:read())
    assert.equal(0, loop:step(0)) -- goes to sleep: epoll looks once more at what was ready
    run(both, "send", 2)
    assert.equal(0, loop:step(0.05))
    assert.equal(2, ring:consume(sink)) -- they are there for whoever looks
    run(both, "send", 200)
    assert.equal(200 - (ring.map.max_entries - 1) // 24, ring:lost())
  end)
end)
