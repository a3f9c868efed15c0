-- Prints a line for each process that is started, until Ctrl-C or for a number of seconds.
--   build/ebpf run examples/execsnoop.lua [SECONDS] [MIN_UID]
local ebpf = require "ebpf"

local seconds, min_uid = tonumber(arg[1]) or 0, math.tointeger(tonumber(arg[2])) or 0
local coll <close> = assert(ebpf.load("build/examples/execsnoop.bpf.o", { variables = { min_uid = min_uid } }))
assert(coll:attach())

io.stdout:setvbuf "line"
print(("%-8s %-8s %-6s %-16s %s"):format("PID", "PPID", "UID", "COMM", "ARGS"))
local count = 0
local loop <close> = ebpf.loop()
loop:on(coll.maps.events, function(e)
  count = count + 1
  print(("%-8d %-8d %-6d %-16s %s"):format(e.pid, e.ppid, e.uid, e.comm, e.args))
end)
loop:signal("INT", function() loop:stop() end)
loop:signal("TERM", function() loop:stop() end)
if seconds > 0 then loop:after(seconds, function() loop:stop() end) end
local start = os.time()
loop:run()
print(("%d processes in %d s, %d records lost"):format(count, os.time() - start, coll.variables.dropped:get()))
