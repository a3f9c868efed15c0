-- Each example runs as a user would run it, and shows its effect. Its first line of output says that it is attached.
local need = require "spec.support.need"
local process = require "spec.support.process"

--- Runs an example and, as soon as it is attached, a shell command; ends it by Ctrl-C; returns what the example printed.
local function example(text, command, wrap)
  local line = "build/ebpf run examples/" .. text
  local child = process.start(wrap and wrap(line) or line)
  local before, ran = process.run(command .. "; status=$?; sleep 0.5; exit $status")
  child.interrupt()
  local output, status = child.wait()
  assert.equal(0, ran, before)
  assert.equal(0, status, output)
  return output
end

describe("example", function()
  it("execsnoop prints a line for a process that starts", function()
    need { kernel = "5.8", "ringbuf" }
    local output = example("execsnoop.lua 60", "env /bin/echo mark-of-execsnoop")
    assert.matches("^PID +PPID +UID +COMM +ARGS\n", output)
    assert.matches("\n%d+ +%d+ +0 +echo +/bin/echo mark%-of%-execsnoop\n", output)
    assert.matches("%d+ processes in %d+ s, 0 records lost\n$", output)
  end)

  it("opensnoop prints what is opened, and the error when it fails", function()
    need { kernel = "5.8", "ringbuf" }
    local output = example("opensnoop.lua 60", "cat /etc/passwd /no/such/file || true")
    assert.matches("\n%d+ +cat +%d+ +/etc/passwd\n", output)
    assert.matches("\n%d+ +cat +%-2 +/no/such/file\n", output)
  end)

  it("syscount counts the calls of a process", function()
    need { kernel = "4.17" }
    local output = example("syscount.lua 60", "dd if=/dev/zero of=/dev/null bs=1 count=2000 2>/dev/null")
    local calls = tonumber(output:match "\n%d+ +dd +(%d+)\n")
    assert.is_true(calls and calls >= 4000, output) -- a read and a write each
  end)

  it("xdp_count counts packets by protocol", function()
    need { kernel = "5.10" }
    -- The network namespace is the example's; the packets are sent in it once a file says that it is attached.
    local go = os.tmpname()
    local done = go .. ".done"
    finally(function() os.remove(done) end)
    local output = example("xdp_count.lua lo 60", ("rm %s; while ! [ -e %s ]; do sleep 0.1; done"):format(go, done), function(line)
      return ("unshare -n sh -c 'ip link set lo up; "
        .. "(while [ -e %s ]; do sleep 0.1; done; build/spec/support/send 7 100; touch %s) & exec %s'"):format(go, done, line)
    end)
    assert.matches("\nudp +7 +994\n", output) -- 100 + 8 UDP + 20 IP + 14 Ethernet, seven times
  end)

  it("tc_talkers sums what is sent and received", function()
    need { kernel = "6.6", "tcx" } -- older kernels need modules, which the matrix does not have
    local go = os.tmpname()
    local done = go .. ".done"
    finally(function() os.remove(done) end)
    local output = example("tc_talkers.lua lo 60", ("rm %s; while ! [ -e %s ]; do sleep 0.1; done"):format(go, done), function(line)
      return ("unshare -n sh -c 'ip link set lo up; "
        .. "(while [ -e %s ]; do sleep 0.1; done; build/spec/support/send 7 100; touch %s) & exec %s'"):format(go, done, line)
    end)
    local sent, received = output:match "\n127%.0%.0%.1 +(%d+) +(%d+)\n"
    assert.is_true(tonumber(sent) >= 994 and sent == received, output) -- and what ICMP says of the closed port
  end)

  it("cgroup_egress counts what a cgroup sends", function()
    need { kernel = "5.2" }
    local cgroup, remove = process.cgroup "ebpf-example"
    if not cgroup then pending "needs a mounted cgroup2" end
    finally(remove)
    local output = example("cgroup_egress.lua " .. cgroup .. " 60",
      "sh -c 'echo $$ > " .. cgroup .. "/cgroup.procs; exec build/spec/support/send 5 200'")
    assert.matches("5 packets, 1140 bytes\n", output) -- 200 + 8 + 20, five times
  end)

  it("malloc_sizes counts calls of a library function", function()
    need { kernel = "4.17" }
    local output = example("malloc_sizes.lua 60", [[lua5.4 -e 'local t = {} for i = 1, 50 do t[i] = ("x"):rep(70000 + i) end']])
    local count = tonumber(output:match " 65536 +(%d+) @")
    assert.is_true(count and count >= 50, output)
  end)

  it("pycalls counts calls of Python functions, by the interpreter's own probes", function()
    need { kernel = "5.15", "bpf_cookie" }
    need.file "/usr/bin/python3"
    local probes = assert(require "ebpf".usdt("/usr/bin/python3", { name = "function__return" }))
    if #probes == 0 then pending "this python3 has no probes" end
    local output = example("pycalls.lua 60 /usr/bin/python3",
      [[/usr/bin/python3 -c 'def called_often(): pass
for i in range(300): called_often()']])
    assert.matches("\n +300 called_often %(<string>%)\n", output)
  end)

  it("profile samples who is at work", function()
    need { kernel = "4.9" }
    local output = example("profile.lua 60 499", [[lua5.4 -e 'local start = os.clock() repeat until os.clock() - start > 0.5']])
    local samples = tonumber(output:match "\n +%d+ lua5.4 +(%d+) +[%d.]+")
    assert.is_true(samples and samples >= 20, output)
  end)

  it("read_latency measures vfs_read by kprobe and kretprobe", function()
    need { kernel = "4.17", "kprobe" }
    local output = example("read_latency.lua 60", "dd if=/dev/zero of=/dev/null bs=1 count=2000 2>/dev/null")
    local total = 0
    for count in output:gmatch " ns +(%d+) @" do total = total + count end
    assert.is_true(total >= 2000, output)
  end)

  it("read_bytes sums what a process reads, by fexit", function()
    need { kernel = "5.5", "trampoline" }
    need.jit()
    local output = example("read_bytes.lua 60", "dd if=/dev/zero of=/dev/null bs=1000 count=500 2>/dev/null")
    local calls, bytes = output:match "\n%d+ +dd +(%d+) +(%d+)\n"
    assert.is_true(calls and tonumber(calls) >= 500 and tonumber(bytes) >= 500000, output)
  end)

  it("killsnoop tells who sends a signal, from a generated module alone", function()
    need { kernel = "4.17" } -- through perf buffers before 5.8
    local output = example("killsnoop.lua 60", "sh -c 'kill -USR1 $$; sleep 0.1' || true")
    local target = output:match "\n(%d+) +sh +%d+ +10 +kill\n"
    assert.is_truthy(target, output)
    assert.matches("\n" .. target .. " +sh +" .. target .. " +10 +kill\n", output)
  end)
end)
