-- Which processes made the most system calls in a number of seconds?
--   build/ebpf run examples/syscount.lua [SECONDS]
local ebpf = require "ebpf"

local seconds = tonumber(arg[1]) or 5
local coll <close> = assert(ebpf.load "build/examples/syscount.bpf.o")
assert(coll:attach())
io.stdout:setvbuf "line"
print(("Counting system calls for %g s"):format(seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local rows = {}
for pid, process in pairs(coll.maps.processes) do
  rows[#rows + 1] = { pid = pid, comm = process.comm, count = process.count }
end
table.sort(rows, function(a, b) return a.count > b.count end)
print(("%-8s %-16s %s"):format("PID", "COMM", "CALLS"))
for i = 1, math.min(#rows, 20) do print(("%-8d %-16s %d"):format(rows[i].pid, rows[i].comm, rows[i].count)) end
