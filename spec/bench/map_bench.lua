-- map_bench.lua -- hashes from Lua, m[k] and pairs(m), beside libbpf's C API on the same map (build/bench/map_bench), in turns.
-- Prints medians in ns per operation and the ratio: lookups of u64 at most 1.1 times, pairs over 1 M of them at least 5 times
-- faster are the aim. Struct and per-CPU values become a table each, which C has no counterpart for.
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

local types = ebpf.btf.new()
types:add_struct { name = "flow", members = { { "bytes", "u64" }, { "packets", "u32" }, { "flags", "u32" } } }
local btf = assert(types:finish())

local function same(v) return v end
local kinds = {
  { name = "u64", entries = 10000, make = same, read = same },
  { name = "u64", entries = 1000000, make = same, read = same },
  { name = "struct of 3", entries = 10000, value = "struct flow", btf = btf,
    make = function(v) return { bytes = v, packets = 1, flags = 2 } end, read = function(v) return v.bytes end },
  { name = "u64 per CPU", entries = 10000, type = "percpu_hash", make = same, read = function(v) return v[1] end },
}

for _, kind in ipairs(kinds) do
  local entries, make, read = kind.entries, kind.make, kind.read
  local m <close> = assert(ebpf.map {
    type = kind.type or "hash", key = "u32", value = kind.value or "u64", max_entries = entries, btf = kind.btf,
  })
  local keys, values = {}, {}
  for first = 0, entries - 1, 10000 do
    for i = 1, 10000 do keys[i], values[i] = first + i - 1, make(first + i - 1) end
    assert(m:set_batch(keys, values))
  end
  local times = { lookup = {}, update = {}, walk = {}, c_lookup = {}, c_update = {}, c_walk = {} }
  for _ = 1, rounds do
    local sum = 0
    if read == same then
      table.insert(times.lookup, timed(operations, function() for i = 0, operations - 1 do sum = sum + m[i % entries] end end))
      table.insert(times.update, timed(operations, function() for i = 0, operations - 1 do m[i % entries] = i % entries end end))
      table.insert(times.walk, timed(entries, function() for _, v in pairs(m) do sum = sum + v end end))
    else
      table.insert(times.lookup, timed(operations, function()
        for i = 0, operations - 1 do sum = sum + read(m[i % entries]) end
      end))
      table.insert(times.update, timed(operations, function() for i = 0, operations - 1 do m[i % entries] = values[1] end end))
      table.insert(times.walk, timed(entries, function() for _, v in pairs(m) do sum = sum + read(v) end end))
    end
    local pipe = assert(io.popen(("build/bench/map_bench %d %d"):format(m:info().id, entries)))
    local lookup, update, walk = pipe:read("n", "n", "n")
    assert(pipe:close(), "map_bench failed")
    table.insert(times.c_lookup, lookup)
    table.insert(times.c_update, update)
    table.insert(times.c_walk, walk)
  end
  print(("%-36s %8s %8s %7s"):format(("%d of %s, ns each"):format(entries, kind.name), "Lua", "libbpf C", "ratio"))
  for _, row in ipairs { { "m[k]", "lookup" }, { "m[k] = v", "update" }, { "pairs(m), next key and lookup in C", "walk" } } do
    local ours, theirs = median(times[row[2]]), median(times["c_" .. row[2]])
    print(("%-36s %8.0f %8.0f %7.2f"):format(row[1], ours, theirs, ours / theirs))
  end
end
