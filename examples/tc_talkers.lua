-- With whom does an interface talk, and how much?
--   build/ebpf run examples/tc_talkers.lua [INTERFACE] [SECONDS]
local ebpf = require "ebpf"

local interface, seconds = arg[1] or "lo", tonumber(arg[2]) or 5
local coll <close> = assert(ebpf.load "build/examples/tc_talkers.bpf.o")
local links, failed = assert(coll:attach { interface = interface })
assert(#failed == 0, failed[1] and failed[1].error)
io.stdout:setvbuf "line"
print(("Listening on %s for %g s (%s)"):format(interface, seconds, links[1].interface))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

print(("%-16s %12s %12s"):format("ADDRESS", "SENT", "RECEIVED"))
for address, traffic in pairs(coll.maps.talkers) do
  print(("%-16s %12d %12d"):format(table.concat(address, "."), traffic.sent, traffic.received))
end
