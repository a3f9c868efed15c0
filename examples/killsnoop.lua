-- Prints who sends which signal to whom, until Ctrl-C or for a number of seconds. The programs are in a module made by
-- `ebpf gen` (see the Makefile): at run time there is neither a compiler nor an object file.
--   build/ebpf run examples/killsnoop.lua [SECONDS] [SIGNAL]
package.path = "build/examples/?.lua;" .. package.path
local ebpf = require "ebpf"
local killsnoop = require "killsnoop"

local seconds, signal = tonumber(arg[1]) or 0, math.tointeger(tonumber(arg[2])) or 0
local coll <close> = assert(killsnoop.load { variables = { only_signal = signal } })
assert(coll:attach())

io.stdout:setvbuf "line"
print(("%-8s %-16s %-8s %-6s %s"):format("PID", "COMM", "TARGET", "SIGNAL", "CALL"))
local call = killsnoop.enums.call
local names = { [call.KILL] = "kill", [call.TKILL] = "tkill", [call.TGKILL] = "tgkill" }
local loop <close> = ebpf.loop()
loop:on(coll.maps.events, function(e)
  print(("%-8d %-16s %-8d %-6d %s"):format(e.pid, e.comm, e.target, e.signal, names[e.call]))
end)
loop:signal("INT", function() loop:stop() end)
loop:signal("TERM", function() loop:stop() end)
if seconds > 0 then loop:after(seconds, function() loop:stop() end) end
loop:run()
