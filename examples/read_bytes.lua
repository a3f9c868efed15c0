-- Which processes read the most bytes? Needs a kernel with BPF trampolines (fexit).
--   build/ebpf run examples/read_bytes.lua [SECONDS]
local ebpf = require "ebpf"

local seconds = tonumber(arg[1]) or 5
local coll <close> = assert(ebpf.load "build/examples/read_bytes.bpf.o")
assert(coll:attach())
io.stdout:setvbuf "line"
print(("Counting what processes read for %g s"):format(seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local rows = {}
for pid, sum in pairs(coll.maps.reads) do rows[#rows + 1] = { pid = pid, comm = sum.comm, calls = sum.calls, bytes = sum.bytes } end
table.sort(rows, function(a, b) return a.bytes > b.bytes end)
print(("%-8s %-16s %8s %12s"):format("PID", "COMM", "READS", "BYTES"))
for i = 1, math.min(#rows, 20) do
  print(("%-8d %-16s %8d %12d"):format(rows[i].pid, rows[i].comm, rows[i].calls, rows[i].bytes))
end
