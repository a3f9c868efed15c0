-- Counts the packets that come in on an interface, by IP protocol.
--   build/ebpf run examples/xdp_count.lua [INTERFACE] [SECONDS]
local ebpf = require "ebpf"

local interface, seconds = arg[1] or "lo", tonumber(arg[2]) or 5
local coll <close> = assert(ebpf.load "build/examples/xdp_count.bpf.o")
local link <close> = assert(ebpf.link.xdp(coll.programs.count, interface, { mode = "generic" }))
io.stdout:setvbuf "line"
print(("Counting packets on %s for %g s"):format(interface, seconds))

local loop <close> = ebpf.loop()
loop:signal("INT", function() loop:stop() end)
loop:after(seconds, function() loop:stop() end)
loop:run()

local names = { [1] = "icmp", [6] = "tcp", [17] = "udp", [58] = "icmpv6", [255] = "other" }
print(("%-10s %10s %12s"):format("PROTOCOL", "PACKETS", "BYTES"))
for protocol, cpus in pairs(coll.maps.traffic) do
  local packets, bytes = 0, 0
  for _, traffic in ipairs(cpus) do
    packets, bytes = packets + traffic.packets, bytes + traffic.bytes
  end
  if packets > 0 then print(("%-10s %10d %12d"):format(names[protocol] or protocol, packets, bytes)) end
end
