-- Which Python functions are called, and how often? Of all processes that run an interpreter, or of one.
--   build/ebpf run examples/pycalls.lua [SECONDS] [INTERPRETER] [PID]
-- The interpreter must have been built with probes, as those of Debian, Ubuntu and Fedora are: ebpf.usdt "python3" lists them. They
-- have semaphores: it does not gather what it tells us unless we are there.
local ebpf = require "ebpf"

local seconds, interpreter, pid = tonumber(arg[1]) or 5, arg[2] or "python3", math.tointeger(tonumber(arg[3]))
local coll <close> = assert(ebpf.load "build/examples/pycalls.bpf.o")
local program = coll.programs.function_returns
local link <close> = assert(ebpf.link.usdt(program, interpreter, "python", "function__return", { pid = pid }))
io.stdout:setvbuf "line"
print(("Counting calls of Python functions for %g s"):format(seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local list = {}
for key, count in pairs(coll.maps.calls) do list[#list + 1] = { count = count, file = key.file, name = key.name } end
table.sort(list, function(a, b) return a.count > b.count end)
for i = 1, math.min(#list, 20) do print(("%10d %s (%s)"):format(list[i].count, list[i].name, list[i].file)) end
