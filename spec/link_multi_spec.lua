-- One program on many functions, of libraries and of the kernel: by section, by call, and where the kernel has no such links.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local object = "build/spec/bpf/link_multi.bpf.o"

-- Attaches one program by its section; `effect` makes it run: how many times it did.
local function counted(name, index, effect)
  local coll <close> = assert(ebpf.load(object, { programs = { name } }))
  local list = assert(coll:attach())
  assert.equal(1, #list)
  local before = coll.maps.counts[index]
  effect()
  return coll.maps.counts[index] - before
end

local function getenv() os.getenv "HOME" end
local function read() process.run "cat /proc/version" end

describe("ebpf.link.uprobe_multi", function()
  it("attaches by its section, to what a pattern matches", function()
    need { kernel = "5.10" }
    assert.equal(1, counted("enters", 0, getenv))
    assert.equal(1, counted("leaves", 1, getenv))
  end)

  it("has a uprobe for each place where there are no such links", function()
    need { kernel = "5.10" }
    local kernel = ebpf.kernel()
    kernel:mask "uprobe_multi"
    finally(function() kernel:unmask "uprobe_multi" end)
    assert.equal(1, counted("enters", 0, getenv))
    assert.equal(1, counted("leaves", 1, getenv))
  end)

  it("runs at entry and return as a session", function()
    need { kernel = "6.13", "uprobe_session" }
    assert.equal(2, counted("around", 2, getenv))
  end)

  it("takes patterns, lists of names, offsets, and cookies", function()
    need { kernel = "5.10" }
    local program, counts = links.counter { type = "kprobe" }
    local link = assert(ebpf.link.uprobe_multi(program, "libc.so.6", "*getenv"))
    assert.matches("^uprobe_multi /.*libc.*:%*getenv$", link.target)
    links.behaves(link, program, counts, "uprobe_multi", getenv)
    link = assert(ebpf.link.uretprobe_multi(program, "libc.so.6", { symbols = { "getenv", "secure_getenv" } }))
    assert.matches("^uretprobe_multi /.*libc.*:getenv %(2 functions%)$", link.target)
    links.behaves(link, program, counts, "uprobe_multi", getenv)
    local none, err = ebpf.link.uprobe_multi(program, "libc.so.6", { symbols = { "getenv", "no_such" } })
    assert.is_nil(none)
    assert.matches("no function 'no_such'", err.message)
    none, err = ebpf.link.uprobe_multi(program, "libc.so.6", { symbols = "getenv", cookies = { 1, 2 } })
    assert.is_nil(none)
    assert.matches("2 cookies for 1 places", err.message)
    none, err = ebpf.link.uprobe_multi(program, "libc.so.6", "no_such_*")
    assert.is_nil(none)
    assert.matches("no function matches 'no_such_%*'", err.message)
    assert.error_matches(function() ebpf.link.uprobe_multi(program, "libc.so.6", { symbols = { 1 } }) end,
      "symbols: string expected, got number")
  end)

  it("passes over what cannot be probed", function()
    need { kernel = "6.6", "uprobe_multi" }
    local program, counts = links.counter { type = "kprobe", attach_type = "trace_uprobe_multi" }
    local link <close> = assert(ebpf.link.uprobe_multi(program, "libc.so.6", "*", { pid = -1 }))
    assert.is_true(link:info().count > 100)
    local before = counts[0]
    getenv()
    assert.is_true(counts[0] > before)
  end)

  it("wants a name where its section has none", function()
    need { kernel = "5.10" }
    local coll <close> = assert(ebpf.load(object, { programs = { "anywhere" } }))
    local none, err = coll:attach()
    assert.is_nil(none)
    assert.matches("names no functions", err.message)
    assert(coll:attach { path = "libc.so.6", symbols = { "getenv" } })
    local before = coll.maps.counts[6]
    getenv()
    assert.equal(before + 1, coll.maps.counts[6])
  end)

  it("leaves no descriptor behind", function()
    need { kernel = "5.10" }
    local plain = links.counter { type = "kprobe" }
    assert.equal(0, handles.leaked(function()
      do local _ <close> = assert(ebpf.link.uprobe_multi(plain, "libc.so.6", "*getenv")) end
      ebpf.link.uprobe_multi(plain, "libc.so.6", "no_such_*")
      ebpf.link.uprobe_multi(plain, "libc.so.6", { offsets = { 1 << 40 } })
    end))
  end)
end)

describe("ebpf.link.kprobe_multi", function()
  it("attaches by its section, to what a pattern matches", function()
    need { kernel = "5.10", "kprobe" }
    assert.is_true(counted("reads", 3, read) > 0)
    assert.is_true(counted("has_read", 4, read) > 0)
  end)

  it("is one link where the kernel has such links, and kprobes elsewhere", function()
    need { kernel = "5.18", "kprobe" }
    if not ebpf.kernel():has "kprobe_multi" then pending "needs CONFIG_FPROBE" end
    local coll <close> = assert(ebpf.load(object, { programs = { "reads" } }))
    local link = assert(coll:attach())[1]
    assert.equal("link", link.interface)
    assert.equal("kprobe_multi", link:info().type)
    local kernel = ebpf.kernel()
    kernel:mask "kprobe_multi"
    finally(function() kernel:unmask "kprobe_multi" end)
    assert.is_true(counted("reads", 3, read) > 0)
  end)

  it("runs at entry and return as a session", function()
    need { kernel = "6.10", "kprobe", "kprobe_session" }
    assert.is_true(counted("around_read", 5, read) >= 2)
  end)

  it("says what is missing", function()
    need.root()
    if ebpf.kernel():has "kprobe" then pending "this kernel has kprobes" end
    local program = links.counter { type = "kprobe" }
    local link, err = ebpf.link.kprobe_multi(program, "vfs_*")
    assert.is_nil(link)
    assert.matches("kprobes are not in this kernel", err.message)
  end)
end)
