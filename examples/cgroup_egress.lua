-- Counts the bytes that the processes of a cgroup (version 2) send.
--   build/ebpf run examples/cgroup_egress.lua CGROUP [SECONDS]      e.g. /sys/fs/cgroup/system.slice
local ebpf = require "ebpf"

local cgroup = arg[1] or error("usage: cgroup_egress.lua CGROUP [SECONDS]", 0)
local seconds = tonumber(arg[2]) or 5
local coll <close> = assert(ebpf.load "build/examples/cgroup_egress.bpf.o")
local link <close> = assert(ebpf.link.cgroup(coll.programs.count_egress, cgroup))
io.stdout:setvbuf "line"
print(("Counting what %s sends for %g s"):format(cgroup, seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()
print(("%d packets, %d bytes"):format(coll.variables.packets:get(), coll.variables.bytes:get()))
