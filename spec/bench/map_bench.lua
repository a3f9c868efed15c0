-- map_bench.lua -- a u32 -> u64 hash from Lua, m[k] and pairs(m), beside libbpf's C API on the same map (build/bench/map_bench), in
-- turns. Prints medians in ns per operation and the ratio: lookups at most 1.1 times, pairs at least 5 times faster are the aim.
local ebpf = require "ebpf"
local operations, rounds = 200000, 5

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local function timed(count, fn)
  local start = os.clock()
  fn()
  return (os.clock() - start) * 1e9 / count
end

for _, entries in ipairs { 10000, 1000000 } do
  local m <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u64", max_entries = entries })
  local keys = {}
  for first = 0, entries - 1, 10000 do
    for i = 1, 10000 do keys[i] = first + i - 1 end
    assert(m:set_batch(keys, keys))
  end
  local times = { lookup = {}, update = {}, walk = {}, c_lookup = {}, c_update = {}, c_walk = {} }
  for _ = 1, rounds do
    local sum = 0
    table.insert(times.lookup, timed(operations, function() for i = 0, operations - 1 do sum = sum + m[i % entries] end end))
    table.insert(times.update, timed(operations, function() for i = 0, operations - 1 do m[i % entries] = i % entries end end))
    table.insert(times.walk, timed(entries, function() for _, v in pairs(m) do sum = sum + v end end))
    local pipe = assert(io.popen(("build/bench/map_bench %d %d"):format(m:info().id, entries)))
    local lookup, update, walk = pipe:read("n", "n", "n")
    assert(pipe:close(), "map_bench failed")
    table.insert(times.c_lookup, lookup)
    table.insert(times.c_update, update)
    table.insert(times.c_walk, walk)
  end
  print(("%-36s %8s %8s %7s"):format(("%d elements, ns each"):format(entries), "Lua", "libbpf C", "ratio"))
  for _, row in ipairs { { "m[k]", "lookup" }, { "m[k] = v", "update" }, { "pairs(m), next key and lookup in C", "walk" } } do
    local ours, theirs = median(times[row[2]]), median(times["c_" .. row[2]])
    print(("%-36s %8.0f %8.0f %7.2f"):format(row[1], ours, theirs, ours / theirs))
  end
end
