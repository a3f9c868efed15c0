--- ebpf.format: what numbers in records mean to a person. Addresses, errors, signals and system calls are the core's; here are
-- times and ports.
local core = require "ebpf.core"
local format = {}

for name, fn in pairs(core.format) do format[name] = fn end

--- format.time(ns [, clock [, pattern]]) -> local wall time of a bpf_ktime_get_ns ("monotonic", the default), of a
-- bpf_ktime_get_boot_ns ("boot"), or of nanoseconds since 1970 ("wall"). The pattern is that of os.date; %N in it stands for nine
-- digits of nanoseconds, %F6 for six, %F3 for three.
function format.time(ns, clock, pattern)
  local wall = clock == "wall" and ns or core.format.wall(ns, clock)
  local digits = ("%09d"):format(wall % 1000000000)
  pattern = pattern or "%Y-%m-%d %H:%M:%S.%F6"
  pattern = pattern:gsub("%%N", digits):gsub("%%F([36])", function(n) return digits:sub(1, tonumber(n)) end)
  return os.date(pattern, wall // 1000000000)
end

--- format.duration(1500000) -> "1.5 ms": nanoseconds by the largest unit that leaves a whole number before the point.
function format.duration(ns)
  local unit, size = "s", 1000000000
  if math.abs(ns) < 1000 then unit, size = "ns", 1
  elseif math.abs(ns) < 1000000 then unit, size = "us", 1000
  elseif math.abs(ns) < 1000000000 then unit, size = "ms", 1000000
  end
  return (("%.3f"):format(ns / size):gsub("%.?0+$", "")) .. " " .. unit
end

--- format.port(n) -> the number of a port in network byte order, as it lies in memory (__be16 read as u16).
function format.port(n)
  return (string.unpack(">I2", string.pack("=I2", n & 0xffff)))
end

return format
