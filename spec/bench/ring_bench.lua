-- ring_bench.lua [ROUNDS] -- what one 16-byte record of 4 fields costs in Lua, for each shape of record, and in sinks. A ring of
-- 16 MiB is filled by a BPF program, then drained by one protected call; the time of draining alone is taken. Prints medians in
-- ns a record.
local ebpf = require "ebpf"

local rounds = math.tointeger(tonumber(arg and arg[1])) or 9
local ring_size, per_run = 16 << 20, 512
local runs = (ring_size // 24 - 1000) // per_run

local spec = assert(ebpf.spec "build/spec/bpf/lua_records.bpf.o")
spec.maps.plain.max_entries = ring_size
spec.variables.wanted:set(per_run)
local coll <close> = assert(spec:load { programs = { "fill_plain" } })
local fill, data = coll.programs.fill_plain, ("\0"):rep(14)

local shapes = {
  { "a table of 4 fields", {}, function(e) return e.pid end },
  { "a table, all 4 read", {}, function(e) return e.pid + e.cpu + e.kind + e.number end },
  { "4 fields as arguments", { fields = { "pid", "cpu", "kind", "number" } }, function(pid) return pid end },
  { "the reused view, 2 read", { view = true }, function(e) return e.pid + e.number end },
  { "the reused view, 4 read", { view = true }, function(e) return e.pid + e.cpu + e.kind + e.number end },
  { "a string", { raw = true }, function(s) return s end },
}

-- Nanoseconds per record for one filling of the ring.
local function measure(ring, callback)
  assert(fill:run { data = data, ["repeat"] = runs })
  collectgarbage()
  local start = os.clock()
  local count = ring:consume(callback)
  local took = os.clock() - start
  assert(count == runs * per_run, count)
  return took * 1e9 / count
end

print(("%-34s %8s %8s"):format("each record as", "ns", "fastest"))

local function report(name, options, to)
  options.type = not options.raw and "struct sample" or nil
  local ring <close> = assert(ebpf.ringbuf(coll.maps.plain, options))
  local target = type(to) == "table" and assert(ring:sink(to)) or to
  local times = {}
  for i = 1, rounds do times[i] = measure(ring, target) end
  table.sort(times)
  print(("%-34s %8.1f %8.1f"):format(name, times[rounds // 2 + 1], times[1]))
end

for _, shape in ipairs(shapes) do report(table.unpack(shape)) end

local by = { "pid", "kind" }
local fields = { "pid", "cpu", "kind", "number" }
for _, sink in ipairs {
  { "a sink: all counted", { count = true } },
  { "a sink: counted by cpu", { count = "cpu" } },
  { "a sink: 512 pids, a sum each", { by = "pid", count = true, sum = "number" } },
  { "a sink: 512 keys of 2, 4 columns", { by = by, count = true, sum = "number", min = "number", max = "number" } },
  { "a sink: a histogram by cpu", { by = "cpu", hist = "number" } },
  { "a sink: where of 2, counted by cpu", { count = "cpu", where = { { "pid", ">=", 1100 }, { "kind", "==", 7 } } } },
  { "a sink: JSON to /dev/null", { ndjson = "/dev/null", fields = fields } },
  { "a sink: CSV to /dev/null", { csv = "/dev/null" } },
} do report(sink[1], {}, sink[2]) end
