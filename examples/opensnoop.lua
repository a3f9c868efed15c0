-- Prints each openat(2) of every process, or of one, with the descriptor or the error that it got.
--   build/ebpf run examples/opensnoop.lua [SECONDS] [PID]
local ebpf = require "ebpf"

local seconds, pid = tonumber(arg[1]) or 0, math.tointeger(tonumber(arg[2])) or 0
local coll <close> = assert(ebpf.load("build/examples/opensnoop.bpf.o", { variables = { only_pid = pid } }))
assert(coll:attach())

io.stdout:setvbuf "line"
print(("%-8s %-16s %4s %s"):format("PID", "COMM", "RET", "PATH"))
local loop <close> = ebpf.loop()
loop:on(coll.maps.events, function(e) print(("%-8d %-16s %4d %s"):format(e.pid, e.comm, e.ret, e.filename)) end)
loop:signal("INT", function() loop:stop() end)
if seconds > 0 then loop:after(seconds, function() loop:stop() end) end
loop:run()
