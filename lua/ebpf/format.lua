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

-- The bytes of an address that a record has as a list of them, or as a struct of its family.
local function address_bytes(address)
  if address.sin_family then
    local ip = address.sin_addr
    return string.pack("=I2I2I4I8", address.sin_family, address.sin_port, type(ip) == "table" and ip.s_addr or ip, 0)
  elseif address.sin6_family then
    local ip = address.sin6_addr
    ip = ip.in6_u or ip.__in6_u or ip
    ip = type(ip) == "table" and (ip.u6_addr8 or ip.__u6_addr8 or ip) or ip
    local bytes = type(ip) == "table" and string.char(table.unpack(ip)) or ip
    return string.pack("=I2I2I4", address.sin6_family, address.sin6_port, address.sin6_flowinfo or 0) .. bytes
      .. string.pack("=I4", address.sin6_scope_id or 0)
  elseif address.sun_family then
    return string.pack("=I2", address.sun_family) .. address.sun_path
  end
  return string.char(table.unpack(address))
end

--- format.sockaddr(v) -> "10.0.0.1:80", "[::1]:443", "unix:/run/x", ...; nil for another family. v: the bytes, a list of them
-- (u8[28]), or a
-- struct sockaddr_in, sockaddr_in6 or sockaddr_un as records have it.
function format.sockaddr(address)
  if type(address) == "table" then address = address_bytes(address) end
  return core.format.sockaddr(address)
end

--- Network byte order: what a __be16, __be32 or __be64 that was read as an integer means, and what is to be written into one.
function format.ntohs(n) return (string.unpack(">I2", string.pack("=I2", n & 0xffff))) end
function format.ntohl(n) return (string.unpack(">I4", string.pack("=I4", n & 0xffffffff))) end
function format.ntohll(n) return (string.unpack(">i8", string.pack("=i8", n))) end
format.htons, format.htonl, format.htonll = format.ntohs, format.ntohl, format.ntohll
format.port = format.ntohs

return format
