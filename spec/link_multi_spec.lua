-- One program on many functions, of libraries and of the kernel: by section, by call, and where the kernel has no such links.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local links = require "spec.support.links"
local need = require "spec.support.need"
local process = require "spec.support.process"

local object = "build/spec/bpf/link_multi.bpf.o"

-- Attaches one program by its section; `effect` makes it run: how many times it did. Of a library's functions those of this process
-- alone count, unless the kernel would take the process for a thread.
local function counted(name, index, effect)
  local coll <close> = assert(ebpf.load(object, { programs = { name } }))
  local kernel = ebpf.kernel()
  local list = assert(coll:attach { pid = (kernel:has "uprobe_multi_pid" or not kernel:has "uprobe_multi") and -1 or nil })
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

  it("tells where it is", function()
    need { kernel = "6.8", "uprobe_multi" }
    local program = links.counter { type = "kprobe", attach_type = "trace_uprobe_multi" }
    local names = { "getenv", "secure_getenv" }
    local link <close> = assert(ebpf.link.uprobe_multi(program, "libc.so.6", { symbols = names, cookies = { 5, 1 << 40 } }))
    local places = assert(link:places())
    assert.equal(2, #places)
    table.sort(places, function(a, b) return a.cookie < b.cookie end)
    assert.equal(5, places[1].cookie)
    assert.equal(1 << 40, places[2].cookie)
    assert.is_true(places[1].offset > 0 and places[2].offset > 0 and places[1].offset ~= places[2].offset)
    local again <close> = assert(ebpf.link.uprobe_multi(program, "libc.so.6", { offsets = { places[1].offset } }))
    assert.equal(places[1].offset, again:places()[1].offset)
    assert.matches("libc", link:info().name)
    local plain = links.counter { type = "kprobe" }
    local single <close> = assert(ebpf.link.uprobe(plain, "libc.so.6", "getenv"))
    local none, err = single:places()
    assert.is_nil(none)
    assert.equal("EOPNOTSUPP", err.code)
    link:detach()
    none, err = link:places()
    assert.is_nil(none)
    assert.equal("EBADF", err.code)
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
    need { kernel = "6.10", "kprobe" }
    if not ebpf.kernel():has "kprobe_multi" then pending "needs CONFIG_FPROBE" end
    need { "kprobe_session" }
    assert.is_true(counted("around_read", 5, read) >= 2)
  end)

  it("says what is missing", function()
    need.root()
    local kernel = ebpf.kernel()
    for _, feature in ipairs { "kprobe_multi", "kprobe" } do assert(kernel:mask(feature)) end
    finally(function() for _, feature in ipairs { "kprobe_multi", "kprobe" } do kernel:unmask(feature) end end)
    local program = links.counter { type = "kprobe" }
    local link, err = ebpf.link.kprobe_multi(program, "vfs_*")
    assert.is_nil(link)
    assert.matches("kprobes are not in this kernel", err.message)
  end)
end)

describe("ebpf.link.tracing_multi", function()
  local function has_it()
    need { kernel = "7.2", "trampoline" }
    if not ebpf.features.attach_type "trace_fentry_multi" then pending "needs trampolines on many functions" end
  end

  it("attaches at entry, at return and at both to what a pattern matches", function()
    has_it()
    assert.is_true(counted("enters_read", 0, read) > 0)
    assert.is_true(counted("leaves_read", 1, read) > 0)
    local both = counted("passes_read", 2, read)
    assert.is_true(both >= 2 and both % 2 == 0)
  end)

  it("takes names and cookies, and is there by its id", function()
    has_it()
    local coll <close> = assert(ebpf.load(object, { programs = { "enters_any" } }))
    local program = coll.programs.enters_any
    local link <close> = assert(ebpf.link.fentry_multi(program, { symbols = { "vfs_read", "vfs_write" }, cookies = { 11, 22 } }))
    assert.equal("fentry_multi vfs_read (2 functions)", link.target)
    read()
    assert.is_true(coll.maps.counts[3] > 0)
    local file <close> = assert(io.open("/dev/null", "w"))
    file:write "x"
    file:flush()
    assert.equal(22, coll.maps.counts[7])
    local info = assert(link:info())
    assert.equal("tracing_multi", info.type)
    assert.equal(2, info.count)
    local places = assert(link:places())
    table.sort(places, function(a, b) return a.cookie < b.cookie end)
    assert.equal("vfs_read", assert(ebpf.btf.vmlinux()):type(places[1].type_id).name)
    assert.equal(22, places[2].cookie)
    local opened <close> = assert(ebpf.link.open { id = info.id })
    assert.equal("trace_fentry_multi of 2 functions", opened.target)
    opened:close()
    link:detach()
    local before = coll.maps.counts[3]
    read()
    assert.equal(before, coll.maps.counts[3])
  end)

  it("passes over what cannot be traced", function()
    has_it()
    local coll <close> = assert(ebpf.load(object, { programs = { "enters_any" } }))
    local link <close> = assert(ebpf.link.tracing_multi(coll.programs.enters_any, "vfs_*"))
    assert.is_true(link:info().count > 20)
    local before = coll.maps.counts[3]
    read()
    assert.is_true(coll.maps.counts[3] > before)
  end)

  it("says which function is not there, and refuses what does not fit", function()
    has_it()
    local coll <close> = assert(ebpf.load(object, { programs = { "enters_any" } }))
    local program = coll.programs.enters_any
    local function refused(pattern, ...)
      local none, err = ebpf.link.tracing_multi(program, ...)
      assert.is_nil(none)
      assert.matches(pattern, err.message)
    end
    refused("no function 'no_such_function' with types in this kernel", "no_such_function")
    refused("no function of the kernel that may be traced matches 'no_such_%*'", "no_such_*")
    refused("no module 'no_such_module'", "no_such_module:*")
    refused("1 cookies for 2 places", { symbols = { "vfs_read", "vfs_write" }, cookies = { 1 } })
    refused("cookies go with symbols", "vfs_*", { cookies = { 1 } })
    local none, err = ebpf.link.fexit_multi(program, "vfs_read")
    assert.is_nil(none)
    assert.matches("fexit_multi: the program was loaded for fentry_multi", err.message)
    none, err = ebpf.load(object, { programs = { "nowhere" } })
    assert.is_nil(none)
    assert.matches("program 'nowhere': load: .*no_such_module", err.message)
    assert.equal(0, handles.leaked(function()
      do local _ <close> = assert(ebpf.link.tracing_multi(program, "vfs_rea*")) end
      ebpf.link.tracing_multi(program, "no_such_*")
    end))
  end)
end)
