-- flow.lua OBJECT SECONDS WAY : the consumer of flow.sh in Lua; WAY is one of those below. Prints records, lost, the CPU time in
-- ns per record, and how many records were made in how many seconds.
local ebpf = require "ebpf"
local object, seconds, way = arg[1], tonumber(arg[2]), arg[3]

local producer = assert(io.popen(("build/bench/flow_producer %s"):format(seconds)))
local pid = producer:read "n"
local coll <close> = assert(ebpf.load(object, { variables = { target = pid } }))
assert(coll:attach())
local loop, count, sum = ebpf.loop(), 0, 0
local ways = {
  fields = function(options)
    options.fields = { "pid", "cpu", "kind", "number" }
    return loop:on(coll.maps.samples, function(p, cpu, kind, number)
      count, sum = count + 1, sum + p + cpu + kind + number
    end, options)
  end,
  view = function(options)
    options.view = true
    return loop:on(coll.maps.samples, function(e) count, sum = count + 1, sum + e.pid + e.number end, options)
  end,
  table = function(options)
    return loop:on(coll.maps.samples, function(e) count, sum = count + 1, sum + e.pid + e.number end, options)
  end,
  sink = function(options)
    return loop:on(coll.maps.samples, { by = "cpu", count = true, sum = "number", max = "pid" }, options)
  end,
}
local _, sink = ways[way] { every = 0.0002 }
loop:after(seconds + 1, function() loop:stop() end)
local start = os.clock()
loop:run()
local took = os.clock() - start
if sink then count = sink:read()[0].count end
local lost = 0
for _, each in ipairs(coll.maps.samples_lost[0]) do lost = lost + each end
print(("%d %d %.1f %d %.3f"):format(count, lost, took * 1e9 / count, producer:read("n", "n")))
