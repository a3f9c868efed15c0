-- What numbers in records mean: names and addresses as a person writes them.
local ebpf = require "ebpf"
local process = require "spec.support.process"
local format = ebpf.format

describe("ebpf.format", function()
  it("writes IP addresses from bytes, integers and lists", function()
    assert.equal("127.0.0.1", format.ip "\127\0\0\1")
    assert.equal("127.0.0.1", format.ip((string.unpack("=I4", "\127\0\0\1")))) -- as a __be32 is read
    assert.equal("10.0.0.255", format.ip { 10, 0, 0, 255 })
    assert.equal("::1", format.ip(("\0"):rep(15) .. "\1"))
    assert.equal("fe80::1", format.ip { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 })
    local words = { string.unpack("=I4I4I4I4", "\32\1\13\184" .. ("\0"):rep(11) .. "\7") }
    words[5] = nil
    assert.equal("2001:db8::7", format.ip(words))
    assert.equal("::", format.ip({ 0, 0, 0, 0 }, true))
    assert.error_matches(function() format.ip "abc" end, "4 or 16 bytes")
    assert.error_matches(function() format.ip(("x"):rep(100)) end, "4 or 16 bytes")
    assert.equal("10.0.0.1", format.ip(0x0a000001, "number"))
    assert.equal("2001:db8::7", format.ip({ 0x20010db8, 0, 0, 7 }, "number"))
    assert.equal("10.0.0.1", format.ip({ 10, 0, 0, 1 }, "number"))
    assert.error_matches(function() format.ip(1, "numbers") end, '"number" or a boolean')
    assert.error_matches(function() format.ip { 1, 2, 3, 4, 5, 256 } end, "at most 255")
    assert.equal("::ffff:1.2.3.4", format.ip(("\0"):rep(10) .. "\255\255\1\2\3\4"))
    local long = {}
    for i = 1, 100 do long[i] = i end
    assert.error_matches(function() format.ip(long) end, "at most 16 bytes")
  end)

  it("writes MAC addresses and ports", function()
    assert.equal("02:00:00:00:00:ff", format.mac "\2\0\0\0\0\255")
    assert.equal("01:02:03:04:05:06", format.mac { 1, 2, 3, 4, 5, 6 })
    assert.error_matches(function() format.mac "\1" end, "6 bytes")
    assert.equal(443, format.port((string.unpack("=I2", string.pack(">I2", 443)))))
  end)

  it("turns network byte order round", function()
    for size, name in pairs { [2] = "s", [4] = "l", [8] = "ll" } do
      local bytes = ("\1\2\3\4\5\6\7\248"):sub(-size)
      local read, meant = string.unpack("=i" .. size, bytes), string.unpack(">i" .. size, bytes)
      if size < 8 then read, meant = read & ((1 << 8 * size) - 1), meant & ((1 << 8 * size) - 1) end
      assert.equal(meant, format["ntoh" .. name](read))
      assert.equal(read, format["hton" .. name](meant))
    end
  end)

  -- What the C library's header says, as NAME -> number.
  local function defines(header, pattern)
    local list, count = {}, 0
    for name,
      value in process.run(("echo '#include <%s>' | cc -E -dM - 2>/dev/null"):format(header)):gmatch "#define (%S+) ([^\n]+)" do
      if name:match(pattern) then list[name], count = value, count + 1 end
    end
    if count == 0 then pending "needs a C compiler" end
    return list
  end

  it("names every error and signal of the C library #host", function()
    local count = 0
    for name, value in pairs(defines("errno.h", "^E%u[%u%d]+$")) do
      local number = math.tointeger(value)
      if number then -- the others are second names
        assert.equal(name, format.errno(number))
        assert.equal(name, format.errno(-number))
        count = count + 1
      end
    end
    assert.is_true(count > 120)
    count = 0
    for name, value in pairs(defines("signal.h", "^SIG%u+[12]?$")) do
      local number = math.tointeger(value)
      if number and not name:match "^SIGRT" and number < 64 and name ~= "SIGPOLL" then -- which SIGIO is
        assert.equal(name, format.signal(number))
        count = count + 1
      end
    end
    assert.is_true(count >= 29)
    assert.equal("SIGRTMIN", format.signal(32)) -- as the kernel counts them
    assert.equal("SIGRTMIN+32", format.signal(64))
    assert.equal("65", format.signal(65))
    assert.equal("ERESTARTSYS", format.errno(-512))
    assert.equal("ENOTSUPP", format.errno(-524))
    assert.equal("ENOGRACE", format.errno(531))
    assert.same({ "511", "520", "532", "4095", "4096" }, {
      format.errno(511), format.errno(520), format.errno(532), format.errno(4095), format.errno(4096) })
    assert.equal(tostring(math.mininteger), format.errno(math.mininteger))
  end)

  it("names every system call of the headers #host", function()
    local count, other = 0, 0
    for name, value in pairs(defines("asm/unistd.h", "^__NR_%l")) do
      local number = math.tointeger(value)
      if number then
        count = count + 1
        if format.syscall(name:sub(6)) ~= number or format.syscall(number) ~= name:sub(6) then other = other + 1 end
      end
    end
    assert.is_true(count > 250)
    assert.equal(0, other)
  end)

  it("names errors, signals and system calls", function()
    assert.equal("ENOENT", format.errno(2))
    assert.equal("ENOENT", format.errno(-2))
    assert.equal("0", format.errno(0))
    assert.equal("-99999", format.errno(-99999))
    assert.equal("SIGKILL", format.signal(9))
    assert.equal("SIGRTMIN+2", format.signal(34))
    assert.equal("0", format.signal(0))
    local number = format.syscall "openat"
    assert.equal("openat", format.syscall(number))
    assert.equal("99999", format.syscall(99999))
    assert.is_nil(format.syscall "no_such_call")
    assert.equal(469, format.syscall "file_setattr") -- newer than the headers that it may be built with
  end)

  it("knows the numbers that this architecture has #host", function()
    local names = { "bpf", "read", "perf_event_open", "execve" }
    local output = process.run(("{ echo '#include <sys/syscall.h>'; for n in %s; do echo SYS_$n; done; } | cc -E -P - 2>/dev/null "
      .. "| tail -n 4"):format(table.concat(names, " ")))
    if not output:match "^%d+\n" then pending "needs a C compiler" end
    for number in output:gmatch "%d+" do
      local name = table.remove(names, 1)
      assert.equal(name, format.syscall(math.tointeger(number)))
      assert.equal(math.tointeger(number), format.syscall(name))
    end
  end)

  it("writes socket addresses", function()
    assert.equal("10.0.0.1:80", format.sockaddr(string.pack("=I2>I2I4I8", 2, 80, 0x0a000001, 0)))
    local six = string.pack("=I2>I2I4", 10, 443, 0) .. ("\0"):rep(15) .. "\1"
    assert.equal("[::1]:443", format.sockaddr(six .. string.pack("=I4", 0)))
    assert.equal("[::1%3]:443", format.sockaddr(six .. string.pack("=I4", 3)))
    assert.equal("unix:/run/x", format.sockaddr(string.pack("=I2z", 1, "/run/x")))
    assert.equal("unix:@hidden@x", format.sockaddr(string.pack("=I2", 1) .. "\0hidden\0x"))
    assert.equal("unix:", format.sockaddr(string.pack("=I2", 1)))
    assert.equal("unix:" .. ("p"):rep(108), format.sockaddr(string.pack("=I2", 1) .. ("p"):rep(108)))
    local mapped = string.pack("=I2>I2I4", 10, 80, 0) .. ("\0"):rep(10) .. "\255\255\127\0\0\1" .. string.pack("=I4", 0)
    assert.equal("[::ffff:127.0.0.1]:80", format.sockaddr(mapped))
    assert.equal("netlink:4711", format.sockaddr(string.pack("=I2I2I4I4", 16, 0, 4711, 0)))
    assert.equal("netlink:0 groups 0x11", format.sockaddr(string.pack("=I2I2I4I4", 16, 0, 0, 0x11)))
    local packet = string.pack("=I2>I2=i4I2BB", 17, 0x0806, 3, 1, 4, 6)
    assert.equal("packet:3 0x0806 02:00:00:00:00:01", format.sockaddr(packet .. "\2\0\0\0\0\1\0\0"))
    assert.equal("packet:3 0x0806 02:00:00:00:00:01:ff:ee", format.sockaddr(packet:sub(1, 11) .. "\255\2\0\0\0\0\1\255\238"))
    assert.equal("packet:3 0x0806", format.sockaddr(packet:sub(1, 11) .. "\0"))
    assert.equal("vsock:2:1024", format.sockaddr(string.pack("=I2I2I4I4I4", 40, 0, 1024, 2, 0)))
    assert.equal("vsock:any:any", format.sockaddr(string.pack("=I2I2I4I4I4", 40, 0, 0xffffffff, 0xffffffff, 0)))
    -- as records have them: lists of bytes, structs
    local list = { string.pack("=I2>I2I4I8", 2, 80, 0x0a000001, 0):byte(1, -1) }
    assert.equal("10.0.0.1:80", format.sockaddr(list))
    local port, ip = format.htons(80), format.htonl(0x0a000001)
    assert.equal("10.0.0.1:80", format.sockaddr { sin_family = 2, sin_port = port, sin_addr = { s_addr = ip }, __pad = {} })
    local bytes = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }
    assert.equal("[::1%2]:80", format.sockaddr { sin6_family = 10, sin6_port = port, sin6_addr = { in6_u = { u6_addr8 = bytes } },
      sin6_scope_id = 2 })
    assert.equal("unix:/run/x", format.sockaddr { sun_family = 1, sun_path = "/run/x" })
    assert.is_nil(format.sockaddr { 200, 0, 1 })
    for _, family in ipairs { 10, 16, 17, 40 } do assert.is_nil(format.sockaddr(string.pack("=I2I4", family, 1))) end
    assert.is_nil(format.sockaddr "\1")
    assert.is_nil(format.sockaddr(string.pack("=I2", 2)))
    assert.is_nil(format.sockaddr(string.pack("=I2I8I8", 200, 1, 1)))
  end)

  it("turns times of the kernel's clocks into wall time", function()
    local uptime = math.tointeger(tonumber(assert(io.open "/proc/uptime"):read "n") * 100 // 1 * 10000000)
    local wall = format.wall(uptime, "boot")
    assert.is_true(math.abs(wall - os.time() * 1000000000) < 3000000000)
    assert.equal(os.date("%Y-%m-%d %H:%M:%S", 1700000000) .. ".123456", format.time(1700000000123456789, "wall"))
    assert.equal("00.123456789 .123", format.time(1700000000123456789, "wall", "00.%N .%F3"))
    assert.matches("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%.%d%d%d%d%d%d$", format.time(uptime))
    assert.error_matches(function() format.wall(1, "sun") end, "invalid option 'sun'")
  end)

  it("knows the clocks apart, as after a suspension", function()
    -- In a time namespace both clocks can be moved: the boot clock ahead of the other, as if the machine had slept for 100000 s.
    local script = [[
      local format = require("ebpf").format
      local boot = io.open "/proc/uptime":read "n"
      local ns = math.floor(boot * 1e9)
      print(format.wall(ns, "boot") // 1000000000 - os.time(), format.wall(ns) // 1000000000 - os.time())
    ]]
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local output, status = process.run("unshare --time --boottime 100000 --fork lua5.4 " .. path .. " 2>&1")
    os.remove(path)
    if status ~= 0 then pending "needs time namespaces (5.6) and an unshare that makes them" end
    local by_boot, by_monotonic = output:match "^(%-?%d+)%s+(%-?%d+)"
    assert.is_true(math.abs(tonumber(by_boot)) <= 2, output)
    assert.is_true(math.abs(tonumber(by_monotonic) - 100000) <= 2, output)
  end)

  it("writes times in the zone of the process, or in that of the world", function()
    local script = [[
      local format = require("ebpf").format
      print(format.time(1700000000123456789, "wall"), format.time(1700000000123456789, "wall", "!%Y-%m-%dT%H:%M:%S.%F3Z"),
        format.time(-1, "wall", "!%H:%M:%S.%N"))
    ]]
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    local output = process.run("TZ=XYZ-5:30 lua5.4 " .. path)
    os.remove(path)
    assert.equal("2023-11-15 03:43:20.123456\t2023-11-14T22:13:20.123Z\t23:59:59.999999999\n", output)
  end)

  it("writes durations and 128-bit integers", function()
    assert.equal("17 ns", format.duration(17))
    assert.equal("1.5 ms", format.duration(1500000))
    assert.equal("-2 s", format.duration(-2000000000))
    assert.equal("340282366920938463463374607431768211455", format.int128(("\255"):rep(16)))
    assert.equal("-1", format.int128(("\255"):rep(16), true))
    local two64 = string.pack("=I8", 1)
    local zero = ("\0"):rep(8)
    assert.equal("18446744073709551616", format.int128(two64:byte(1) == 1 and zero .. two64 or two64 .. zero))
    assert.equal("0", format.int128(("\0"):rep(16)))
    assert.error_matches(function() format.int128 "x" end, "16 bytes expected")
  end)
end)
