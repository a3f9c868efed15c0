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
