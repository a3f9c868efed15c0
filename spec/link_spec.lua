-- Links of every kind through Lua: they have an effect, they tell what they are, they let go.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local process = require "spec.support.process"

local counter, behaves_as_link = links.counter, links.behaves

describe("ebpf.link", function()
  it("lists the kinds with their options", function()
    local kinds = {}
    for _, row in ipairs(ebpf.link.kinds()) do kinds[row.name] = row end
    for _, kind in ipairs { "tracepoint", "raw_tracepoint", "tracing", "kprobe", "uprobe", "xdp", "cgroup" } do
      assert.is_table(kinds[kind], kind)
      assert.matches("^%d+%.%d+$", kinds[kind].since)
    end
    local options = table.concat(kinds.xdp.options, " ")
    assert.matches("interface", options)
    assert.matches("mode", options)
  end)

  it("attaches to a tracepoint, named in one word or two", function()
    need { kernel = "4.17" }
    for _, arguments in ipairs {
      { "syscalls", "sys_enter_openat" }, { "syscalls:sys_enter_openat" }, { "syscalls/sys_enter_openat" },
      { { category = "syscalls", name = "sys_enter_openat" } },
    } do
      local program, counts = counter { type = "tracepoint" }
      local link = assert(ebpf.link.tracepoint(program, table.unpack(arguments)))
      behaves_as_link(link, program, counts, "tracepoint", function() io.open("/"):close() end)
    end
  end)

  it("attaches to a raw tracepoint", function()
    need { kernel = "4.17" }
    local program, counts = counter { type = "raw_tracepoint" }
    local link = assert(ebpf.link.raw_tracepoint(program, "sys_enter"))
    behaves_as_link(link, program, counts, "raw_tracepoint", function() io.open("/"):close() end)
  end)

  it("attaches to a library's function", function()
    need { kernel = "4.17" }
    local program, counts = counter { type = "kprobe" }
    local link = assert(ebpf.link.uprobe(program, "libc.so.6", "getenv"))
    behaves_as_link(link, program, counts, "uprobe", function() os.getenv "HOME" end)
  end)

  it("attaches to a kernel function", function()
    need { kernel = "4.17", "kprobe" }
    local program, counts = counter { type = "kprobe" }
    local link = assert(ebpf.link.kprobe(program, "vfs_read"))
    behaves_as_link(link, program, counts, "kprobe", function() process.run "true" end)
    link = assert(ebpf.link.kretprobe(program, "vfs_read"))
    assert.equal("kprobe", link.kind)
    link:close()
  end)

  it("attaches to an interface by XDP", function()
    need { kernel = "5.9" }
    local program, counts = counter { type = "xdp", returns = 2 }
    local link = assert(ebpf.link.xdp(program, "lo", { mode = "generic" }))
    local busy, err = ebpf.link.xdp(program, "lo", { mode = "generic" })
    assert.is_nil(busy)
    assert.equal("EBUSY", err.code)
    behaves_as_link(link, program, counts, "xdp", function() process.run "build/spec/support/send 1 10" end)
  end)

  it("attaches to a cgroup", function()
    need { kernel = "4.10" }
    local cgroup, remove = process.cgroup "ebpf-link"
    if not cgroup then pending "needs a mounted cgroup2" end
    finally(remove)
    local program, counts = counter { type = "cgroup_skb", attach_type = "cgroup_inet_egress", returns = 1 }
    local link = assert(ebpf.link.cgroup(program, cgroup))
    behaves_as_link(link, program, counts, "cgroup", function()
      process.run("sh -c 'echo $$ > " .. cgroup .. "/cgroup.procs; exec build/spec/support/send 1 10'")
    end)
  end)

  it("names the known options, and refuses wrong ones", function()
    need.root()
    local program = counter { type = "xdp", returns = 2 }
    assert.error_matches(function() ebpf.link.xdp(program, "lo", { mod = "generic" }) end,
      "xdp: unknown option 'mod' %(known: .*mode")
    assert.error_matches(function() ebpf.link.xdp(program, 5) end, "interface: string expected, got number")
    assert.error_matches(function() ebpf.link.xdp(program, "lo", "generic", "x", {}) end, "too many arguments")
    assert.error_matches(function() ebpf.link.xdp(program, { ifindex = 1 << 40 }) end, "ifindex: .*out of range")
    assert.error_matches(function() ebpf.link.xdp(program, { flags = -1 }) end, "flags: %-1 is out of range")
    assert.error_matches(function() ebpf.link.kprobe(program, "x", { ret = 1 }) end, "ret: boolean expected")
    local link, err = ebpf.link.xdp(program, "no-such-device")
    assert.is_nil(link)
    assert.matches("no%-such%-device", err.message)
    link, err = ebpf.link.tracepoint(program, "syscalls:sys_enter_nothing")
    assert.is_nil(link)
    assert.is_string(err.message)
    program:close()
    assert.error_matches(function() ebpf.link.xdp(program, "lo") end, "program is closed")
  end)

  it("keeps its program alive, and lets go when it is collected", function()
    need { kernel = "5.8" }
    local program, counts = counter { type = "raw_tracepoint" }
    local link = assert(ebpf.link.raw_tracepoint(program, "sys_enter"))
    program = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local before = counts[0]
    io.open("/"):close()
    assert.is_true(counts[0] > before)
    assert.equal("raw_tracepoint", link.kind)
    link = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    before = counts[0]
    io.open("/"):close()
    assert.equal(before, counts[0])
  end)

  it("replaces the program of a link where the kind allows it", function()
    need { kernel = "5.9", "xdp_link" }
    local first, first_counts = counter { type = "xdp", returns = 2 }
    local second, second_counts = counter { type = "xdp", returns = 2 }
    local link <close> = assert(ebpf.link.xdp(first, "lo", { mode = "generic" }))
    assert.is_true(link:update(second))
    assert.equal(second, link.program)
    local before = first_counts[0]
    process.run "build/spec/support/send 1 10"
    assert.equal(before, first_counts[0])
    assert.is_true(second_counts[0] > 0)
  end)

  it("leaves no descriptor behind", function()
    need { kernel = "5.9" }
    assert.equal(0, handles.leaked(function()
      local program = counter { type = "xdp", returns = 2 }
      do local _ <close> = assert(ebpf.link.xdp(program, "lo", { mode = "generic" })) end
      ebpf.link.xdp(program, "no-such-device")
      local traced = counter { type = "tracepoint" }
      ebpf.link.tracepoint(traced, "syscalls:sys_enter_openat")
      ebpf.link.tracepoint(traced, "no:such")
    end))
  end)
end)
