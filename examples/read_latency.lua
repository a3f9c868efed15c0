-- A histogram of how long reads take inside the kernel (vfs_read), in nanoseconds. Needs a kernel with kprobes.
--   build/ebpf run examples/read_latency.lua [SECONDS]
local ebpf = require "ebpf"

local seconds = tonumber(arg[1]) or 5
local coll <close> = assert(ebpf.load "build/examples/read_latency.bpf.o")
assert(coll:attach())
io.stdout:setvbuf "line"
print(("Timing vfs_read for %g s"):format(seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local most = 0
for _, count in pairs(coll.maps.latency) do most = math.max(most, count) end
for power, count in pairs(coll.maps.latency) do
  if count > 0 then
    print(("%12d ns %10d %s"):format(1 << power, count, ("@"):rep((count * 40 + most - 1) // most)))
  end
end
