-- Who keeps the CPUs busy? Samples all of them so many times a second, and counts by process.
--   build/ebpf run examples/profile.lua [SECONDS] [FREQUENCY]
local ebpf = require "ebpf"

local seconds, frequency = tonumber(arg[1]) or 5, math.tointeger(tonumber(arg[2])) or 99
local coll <close> = assert(ebpf.load "build/examples/profile.bpf.o")
assert(coll:attach { event = "cpu-clock", frequency = frequency })
io.stdout:setvbuf "line"
print(("Sampling at %d Hz for %g s"):format(frequency, seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local rows, total = {}, 0
for process, count in pairs(coll.maps.samples) do
  rows[#rows + 1] = { process, count }
  total = total + count
end
table.sort(rows, function(a, b) return a[2] > b[2] end)
print(("%8s %-16s %8s %6s"):format("PID", "COMM", "SAMPLES", "%"))
for i = 1, math.min(#rows, 20) do
  local process, count = table.unpack(rows[i])
  print(("%8d %-16s %8d %6.1f"):format(process.pid, process.comm, count, 100 * count / total))
end
