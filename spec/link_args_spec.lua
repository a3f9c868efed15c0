-- What probes see of a call: its arguments and its result, which are in other registers on each machine.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

-- How often a program found what it looks for, while a command ran.
local function found(program, variable, command, variables)
  local coll <close> = assert(ebpf.load("build/spec/bpf/link_args.bpf.o", { programs = { program }, variables = variables }))
  local list, failed = assert(coll:attach())
  assert.same({}, failed)
  assert.equal(1, #list)
  process.run(command)
  return coll.variables[variable]:get()
end

local copy = "dd if=/dev/zero of=/dev/null bs=12345 count=3 2>/dev/null"

describe("a probe's context", function()
  it("has the arguments of a kernel function", function()
    need { kernel = "5.10", "kprobe" }
    assert.equal(3, found("enter_read", "asked", copy))
  end)

  it("has the result of a kernel function", function()
    need { kernel = "5.10", "kprobe" }
    assert.equal(3, found("leave_read", "given", copy))
  end)

  it("has the arguments of a system call", function()
    need { kernel = "5.10", "kprobe", "vmlinux_btf" }
    local pid = tonumber(io.open "/proc/self/stat":read "a":match "^%d+")
    assert.equal(2, found("enter_kill", "signals", ("kill -0 %d; kill -0 %d"):format(pid, pid), { pid = pid }))
  end)

  it("has the arguments of a library's function", function()
    need { kernel = "4.17" }
    assert.is_true(found("enter_malloc", "allocated", [[unset LD_PRELOAD; lua5.4 -e 'local s = ("x"):rep(12345)']]) >= 1)
  end)
end)
