-- How large are the blocks that programs ask malloc for? Every process, or one.
--   build/ebpf run examples/malloc_sizes.lua [SECONDS] [PID]
local ebpf = require "ebpf"

local seconds, pid = tonumber(arg[1]) or 5, math.tointeger(tonumber(arg[2]))
local coll <close> = assert(ebpf.load "build/examples/malloc_sizes.bpf.o")
local link <close> = assert(ebpf.link.uprobe(coll.programs.enter_malloc, "libc.so.6", "malloc", { pid = pid }))
io.stdout:setvbuf "line"
print(("Counting calls of malloc for %g s"):format(seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local most = 0
for _, count in pairs(coll.maps.sizes) do most = math.max(most, count) end
for power, count in pairs(coll.maps.sizes) do
  if count > 0 then
    print(("%12d %10d %s"):format(1 << power, count, ("@"):rep((count * 40 + most - 1) // most)))
  end
end
