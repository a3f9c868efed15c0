-- Programs on perf events: profiles, software events, breakpoints.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function counter() return links.counter { type = "perf_event" } end

-- Keeps a CPU at work for so long; a program of this process's own event sees it.
local function work(seconds)
  local start = os.clock()
  repeat until os.clock() - start >= seconds
end

describe("ebpf.link.perf_event", function()
  it("samples every CPU at a frequency", function()
    need { kernel = "4.9" }
    local program, counts = counter()
    local link = assert(ebpf.link.perf_event(program, "cpu-clock", { frequency = 199 }))
    links.behaves(link, program, counts, "perf_event", function() work(0.1) end)
  end)

  it("keeps to the frequency", function()
    need { kernel = "4.9" }
    local program, counts = counter()
    local link <close> = assert(ebpf.link.perf_event(program, { frequency = 500, pid = -1 }))
    work(0.4)
    link:detach()
    -- The clock of a sample is the wall's: a busy machine gives this process less, never more.
    assert.is_true(counts[0] >= 10 and counts[0] <= 2000, "samples: " .. counts[0])
  end)

  it("takes one CPU, several, or one process", function()
    need { kernel = "4.9" }
    for _, options in ipairs { { cpu = 0 }, { cpu = { 0 } }, { pid = -1 }, { cpu = 0, pid = -1 } } do
      options.period = 1000000 -- ns
      local program, counts = counter()
      local link = assert(ebpf.link.perf_event(program, "cpu-clock", options))
      if options.cpu then
        link:detach()
      else
        links.behaves(link, program, counts, "perf_event", function() work(0.05) end)
      end
    end
    local program = counter()
    local link, err = ebpf.link.perf_event(program, { cpu = 99999 })
    assert.is_nil(link)
    assert.matches("there is no CPU 99999", err.message)
  end)

  it("counts software events", function()
    need { kernel = "4.9" }
    local program, counts = counter()
    local link = assert(ebpf.link.perf_event(program, "page-faults"))
    links.behaves(link, program, counts, "perf_event", function() process.run "true" end)
    link = assert(ebpf.link.perf_event(program, { type = "software", config = 3, period = 1 })) -- context switches
    assert.equal("perf_event software 0x3", link.target)
    local before = counts[0]
    process.run "sleep 0.01"
    assert.is_true(counts[0] > before)
    link:close()
  end)

  it("has the ioctl where there are no links", function()
    need { kernel = "4.9" }
    local kernel = ebpf.kernel()
    local program, counts = counter()
    local link = assert(ebpf.link.perf_event(program, "page-faults", { attach_mode = "perf" }))
    assert.equal("perf", link.interface)
    assert.equal(program:info().id, link:info().program_id)
    links.behaves(link, program, counts, "perf_event", function() process.run "true" end)
    kernel:mask "perf_link"
    finally(function() kernel:unmask "perf_link" end)
    link = assert(ebpf.link.perf_event(program, "page-faults"))
    assert.equal("perf", link.interface)
    local pinned, err = link:pin "/sys/fs/bpf/no-link"
    assert.is_nil(pinned)
    assert.equal("EOPNOTSUPP", err.code)
    link:close()
    link, err = ebpf.link.perf_event(program, "page-faults", { cookie = 7 })
    assert.is_nil(link)
    assert.matches("cookie", err.message)
  end)

  it("stops at a breakpoint in the kernel's memory", function()
    need { kernel = "5.10" }
    local program, counts = counter()
    local link, err = ebpf.link.perf_event(program, { type = "breakpoint", symbol = "jiffies_64", mode = "w", length = 8 })
    if not link and err.code ~= "EINVAL" then pending(err.message) end
    assert.is_truthy(link, err)
    local before = counts[0]
    process.run "sleep 0.1"
    assert.is_true(counts[0] > before)
    link:close()
  end)

  it("is attached by its section with options", function()
    need { kernel = "5.10" }
    local coll <close> = assert(ebpf.load "build/examples/profile.bpf.o")
    local none, err = coll:attach()
    assert.is_nil(none)
    assert.matches("does not say on which event", err.message)
    local list = assert(coll:attach { frequency = 199 })
    assert.equal(1, #list)
    assert.equal("perf_event cpu-clock", list[1].target)
    work(0.1)
    assert.is_not_nil(coll.maps.samples:next())
  end)

  it("says what is wrong with an event", function()
    need { kernel = "4.9" }
    local program = counter()
    local function message(...)
      local link, err = ebpf.link.perf_event(program, ...)
      assert.is_nil(link)
      return tostring(err)
    end
    assert.matches("'cpu%-clok' is no event.*the nearest is 'cpu%-clock'", message "cpu-clok")
    assert.matches("either period or frequency", message("cpu-clock", { period = 1, frequency = 1 }))
    assert.matches("is not of type 'hardware'", message("cpu-clock", { type = "hardware" }))
    assert.matches("a breakpoint needs an address", message { type = "breakpoint" })
    assert.matches("mode 'z'", message { type = "breakpoint", address = 4096, mode = "z" })
    assert.matches("are of type \"breakpoint\"", message("cpu-clock", { address = 4096 }))
    assert.matches("types are", message { type = "no-such-pmu" })
    assert.matches("is no process", message("cpu-clock", { pid = -2 }))
    assert.error_matches(function() ebpf.link.perf_event(program, { interface = "lo" }) end, "unknown option 'interface'")
    assert.error_matches(function() ebpf.link.perf_event(program, { cpu = { "a" } }) end, "cpu: integer expected, got string")
  end)

  it("tells of events, probes and tracepoints", function()
    need { kernel = "6.6", "perf_link" }
    local CPU_CLOCK <const> = 0 -- its type is that of software, or (6.5) of a PMU of its own
    local event <close> = assert(ebpf.link.perf_event(counter(), "cpu-clock", { frequency = 5, cpu = 0, cookie = 3 }))
    local info = assert(event:info())
    assert.same({ "event", CPU_CLOCK, 3 }, { info.event, info.config, info.cookie })
    assert.is_true(info.event_type > 0)
    local probe <const> = (links.counter { type = "kprobe" })
    for kind, event_name in pairs { uprobe = "uprobe", uretprobe = "uretprobe" } do
      local link <close> = assert(ebpf.link[kind](probe, "libc.so.6", "getenv", { cookie = 8 }))
      info = assert(link:info())
      assert.equal(event_name, info.event)
      assert.matches("/libc", info.name)
      assert.is_true(info.offset > 0)
      assert.equal(8, info.cookie)
    end
    local point <close> = assert(ebpf.link.tracepoint((links.counter { type = "tracepoint" }), "syscalls:sys_enter_getppid"))
    info = assert(point:info())
    assert.same({ "tracepoint", "sys_enter_getppid" }, { info.event, info.name })
    if not ebpf.kernel():has "kprobe" then return end
    local kernel <close> = assert(ebpf.link.kprobe(probe, "vfs_read"))
    info = assert(kernel:info())
    assert.same({ "kprobe", "vfs_read" }, { info.event, info.name })
    assert.is_true(info.address ~= nil)
  end)

  it("leaves no descriptor behind", function()
    need { kernel = "4.9" }
    assert.equal(0, handles.leaked(function()
      local program = counter()
      do local _ <close> = assert(ebpf.link.perf_event(program, "cpu-clock")) end
      ebpf.link.perf_event(program, "cpu-clock", { cpu = { 0, 99999 } })
      ebpf.link.perf_event(program, "no-event")
    end))
  end)
end)
