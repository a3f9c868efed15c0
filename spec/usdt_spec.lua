-- Probes that programs and libraries were built with (USDT): what they tell, from every kind of operand, on every way that a kernel
-- has for it.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local object = "build/spec/bpf/link_usdt.bpf.o"
local program = "build/spec/support/usdt"
local fixed = "build/spec/support/usdt_fixed" -- not position independent
local here = process.run "pwd":match "[^\n]+"

local undo = {}
local function later(what) undo[#undo + 1] = what end

local function mask(...)
  for _, name in ipairs { ... } do
    ebpf.kernel():mask(name)
    later(function() ebpf.kernel():unmask(name) end)
  end
end

local function load(names, from)
  local coll = assert(ebpf.load(from or object, { programs = names }))
  later(function() coll:close() end)
  return coll, coll.maps.seen
end

local function start(path)
  local child = process.steps((path or program) .. " wait")
  later(child.close)
  return child
end

-- Of links on the map's elements: how many of them are taken is seen in what a new link gets.
local function used(coll)
  local count = 0
  for _, spec in pairs(coll.maps.__bpf_usdt_specs) do
    if spec.count ~= 0 then count = count + 1 end
  end
  return count
end

local operands = { [0] = 65, -66, 7, 200, -300, -70000, 1 << 40, -30, 8, 2, -2, 0 }

local function check_operands(seen)
  for i = 0, #operands do assert.equal(operands[i], seen[i], "argument " .. i) end
end

describe("ebpf.link.usdt", function()
  before_each(function() need { kernel = "5.10" } end)
  after_each(function()
    while #undo > 0 do table.remove(undo)() end
  end)

  it("reads arguments from constants, registers, memory and indexed memory", function()
    need { kernel = "5.15", "bpf_cookie" }
    local coll, seen = load()
    local list = assert(coll:attach())
    assert.equal(3, #list)
    assert.equal("1\n", process.run(program)) -- its semaphore
    check_operands(seen)
    assert.equal(0, seen[12])
    -- both places of the one probe, and the one that is passed only while somebody traces it
    assert.equal(2, seen[16])
    assert.equal(11, seen[17])
    assert.equal(1, seen[18])
    for _, link in ipairs(list) do link:close() end
    assert.equal("0\n", process.run(program))
    assert.equal(1, seen[18])
  end)

  it("does so by a uprobe for each place, where there are no links for many", function()
    need { kernel = "5.15", "bpf_cookie" }
    mask "uprobe_multi"
    local coll, seen = load()
    local list = assert(coll:attach())
    assert.equal("1\n", process.run(program))
    check_operands(seen)
    assert.equal(11, seen[17])
    for _, link in ipairs(list) do assert.is_true(link:detach()) end
    assert.equal("0\n", process.run(program))
    assert.equal(11, seen[17])
  end)

  it("does so by addresses, where there are no cookies", function()
    mask("uprobe_multi", "bpf_cookie")
    local coll, seen = load { "anywhere" }
    local function first(link)
      seen[20], seen[21] = 0, 0
      return link
    end
    -- a file whose addresses are fixed, for all processes
    local link = first(assert(ebpf.link.usdt(coll.programs.anywhere, fixed, "demo", "twice")))
    process.run(fixed)
    assert.same({ 2, 1, 6, 2 }, { seen[19], seen[20], seen[21], seen[22] })
    local ids = coll.maps.__bpf_usdt_ip_to_spec_id
    local count = 0
    for _ in pairs(ids) do count = count + 1 end
    assert.equal(2, count)
    link:close()
    count = 0
    for _ in pairs(ids) do count = count + 1 end
    assert.equal(0, count)
    -- any other for one process
    local child = start()
    local path = ("/proc/%d/root%s/%s"):format(child.pid, here, program)
    link = first(assert(ebpf.link.usdt(coll.programs.anywhere, path, "demo", "twice", { pid = child.pid })))
    process.run(program)
    child.step()
    assert.same({ 4, 1, 6, 2 }, { seen[19], seen[20], seen[21], seen[22] })
    link:close()
    local none, err = ebpf.link.usdt(coll.programs.anywhere, program, "demo", "twice")
    assert.is_nil(none)
    assert.matches("its place in memory differs from process to process", err.message)
    assert.matches("give one process %(pid%); without, it needs Linux 5.15", err.hint)
  end)

  it("is for one process, and one only", function()
    need { kernel = "5.15", "bpf_cookie" }
    for _, without in ipairs { "none", "uprobe_multi" } do
      if without ~= "none" then mask(without) end
      local coll, seen = load { "anywhere" }
      local one, other = start(), start()
      -- by its name among the files of the process, too
      local link = assert(ebpf.link.usdt(coll.programs.anywhere, "usdt", "demo", "guarded", { pid = one.pid }))
      assert.equal("1", one.step())
      other.step()
      assert.equal(1, seen[19], without)
      link:close()
      assert.equal("0", one.step())
      assert.equal(1, seen[19])
    end
  end)

  it("takes path, provider, name and cookie as options", function()
    need { kernel = "5.15", "bpf_cookie" }
    local coll, seen = load { "anywhere", "operands" }
    local link = assert(ebpf.link.usdt(coll.programs.anywhere,
      { path = program, provider = "demo", name = "twice", cookie = 77 }))
    assert.equal(("usdt %s/%s:demo:twice"):format(here, program), link.target)
    assert.equal("usdt", link.kind)
    process.run(program)
    assert.equal(2, seen[19])
    link:close()
    link = assert(ebpf.link.usdt(coll.programs.operands, program, "demo", "operands", { cookie = 1 << 40 | 5 }))
    process.run(program)
    assert.equal(1 << 40 | 5, seen[12])
    check_operands(seen)
    link:close()
    -- a probe without arguments
    link = assert(ebpf.link.usdt(coll.programs.anywhere, program, "demo", "bare"))
    process.run(program)
    assert.same({ 3, 0, 0, 0 }, { seen[19], seen[20], seen[21], seen[22] })
    link:close()
    -- of a section that names none
    coll = load { "anywhere" }
    local none, err = coll:attach()
    assert.is_nil(none)
    assert.matches("names no USDT probe", err.message)
  end)

  it("finds variables by their names", function()
    need { kernel = "5.15", "bpf_cookie" }
    if ebpf.usdt(program, { name = "variable" })[1] == nil then pending "this machine has no such operands" end
    local coll, seen = load { "anywhere" }
    local link <close> = assert(ebpf.link.usdt(coll.programs.anywhere, program, "demo", "variable"))
    process.run(program)
    assert.same({ 1, 111, -222, 2 }, { seen[19], seen[20], seen[21], seen[22] })
    link:detach()
    local none, err = ebpf.link.usdt(coll.programs.anywhere, program, "demo", "vector")
    assert.is_nil(none)
    assert.matches("probe demo:vector: argument 1: '8f@%%xmm0': a program cannot read what is kept there", err.message)
  end)

  it("is in libraries too", function()
    need { kernel = "5.15", "bpf_cookie" }
    local library = here .. "/build/spec/support/libusdt.so"
    local coll, seen = load { "anywhere" }
    local _ <close> = assert(ebpf.link.usdt(coll.programs.anywhere, library, "demo", "twice"))
    process.run(("env LD_PRELOAD=%s build/spec/support/probed </dev/null"):format(library))
    assert.same({ 2, 1, 6, 2 }, { seen[19], seen[20], seen[21], seen[22] })
  end)

  it("shares the descriptions of equal arguments, and returns them", function()
    need { kernel = "5.15", "bpf_cookie" }
    local coll = load { "anywhere" }
    local function attach(name, cookie)
      return assert(ebpf.link.usdt(coll.programs.anywhere, program, "demo", name, { cookie = cookie }))
    end
    local one, same, other = attach "operands", attach "operands", attach("operands", 1)
    assert.equal(2, used(coll))
    one:close()
    same:close()
    local again, lists, count = attach "twice", {}, 0
    for _, probe in ipairs(ebpf.usdt(program, { name = "twice" })) do
      if not lists[probe.arguments] then count = count + 1 end
      lists[probe.arguments] = true
    end
    assert.equal(1 + count, used(coll)) -- the first has the place that was free
    again:close()
    other:close()
    -- until there is no room
    local small = assert(ebpf.spec(object))
    small.maps.__bpf_usdt_specs.max_entries = 1
    local tiny <close> = assert(small:load { programs = { "anywhere" } })
    local link <close> = assert(ebpf.link.usdt(tiny.programs.anywhere, program, "demo", "operands"))
    local none, err = ebpf.link.usdt(tiny.programs.anywhere, program, "demo", "bare")
    assert.is_nil(none)
    assert.equal("ENOSPC", err.code)
    assert.matches("has room for 1 different lists of arguments", err.message)
    link:detach()
    for _ = 1, 3 do
      assert.is_nil((ebpf.link.usdt(tiny.programs.anywhere, program, "demo", "twice", { pid = 4194303 })))
    end
    for _ = 1, 3 do assert(ebpf.link.usdt(tiny.programs.anywhere, program, "demo", "bare")):close() end
  end)

  it("is a link like any other, where there are links for many places", function()
    need { kernel = "6.10", "uprobe_multi_pid" }
    local coll, seen = load { "anywhere" }
    local link = assert(ebpf.link.usdt(coll.programs.anywhere, program, "demo", "twice"))
    local info = assert(link:info())
    assert.equal("uprobe_multi", info.type)
    assert.equal(2, info.count)
    assert.equal(info.id, assert(ebpf.link.info(info.id)).id)
    link:close()
    process.run(program)
    assert.equal(0, seen[19])
  end)

  it("may sleep where the kernel can", function()
    need { kernel = "6.0" }
    local coll, seen = load { "sleepable" }
    local list = assert(coll:attach())
    process.run(program)
    assert.equal(65, seen[23])
    list[1]:close()
    local link <close> = assert(ebpf.link.usdt(coll.programs.sleepable, program, "demo", "twice"))
    process.run(program)
    assert.equal(67, seen[23])
    link:detach()
  end)

  it("fills the maps of libbpf's header", function()
    need { kernel = "5.15", "bpf_cookie" }
    local coll, seen = load(nil, "build/spec/bpf/link_usdt_libbpf.bpf.o")
    assert(coll:attach())
    process.run(program)
    for i = 0, 6 do assert.equal(operands[i], seen[i], "argument " .. i) end
    assert.equal(8, seen[8])
  end)

  it("says what a file has not", function()
    local coll = load { "anywhere" }
    local function refused(text, hint, ...)
      local link, err = ebpf.link.usdt(coll.programs.anywhere, ...)
      assert.is_nil(link)
      assert.matches(text, err.message)
      assert.matches(hint, err.hint or "")
    end
    refused("no USDT probe demo:twise", "the nearest is demo:twice", program, "demo", "twise")
    refused("no USDT probe a:b", "the file has no probes", "build/spec/support/probed", "a", "b")
    refused("no USDT probe some:thing", "ebpf.usdt%(path%) lists", program, "some", "thing")
    refused("no such", "PATH", "no_such_program", "demo", "twice")
    refused("a path, a provider and a name are needed", "", program, "demo")
    refused("there is no process 4194303", "", program, "demo", "twice", { pid = 4194303 })
  end)
end)

describe("ebpf.usdt", function()
  it("lists the probes of a file", function()
    local probes = assert(ebpf.usdt(program))
    local places = {}
    for _, probe in ipairs(probes) do
      assert.equal("demo", probe.provider)
      places[probe.name] = (places[probe.name] or 0) + 1
      assert.is_true(probe.address > 0 and probe.offset > 0)
      assert.equal(probe.name == "guarded", probe.semaphore ~= nil)
    end
    assert.equal(2, places.twice)
    assert.equal(1, places.operands)
    assert.equal("", ebpf.usdt(program, { name = "bare" })[1].arguments)
    assert.equal(2, #ebpf.usdt(program, { provider = "demo", name = "twice" }))
    assert.same({}, ebpf.usdt "build/spec/support/probed")
  end)

  it("says why it cannot", function()
    local none, err = ebpf.usdt "/no/such/file"
    assert.is_nil(none)
    assert.equal("ENOENT", err.code)
    none, err = ebpf.usdt "/proc/self/status"
    assert.is_nil(none)
    assert.equal("ENOEXEC", err.code)
    assert.error_matches(function() ebpf.usdt() end, "string expected")
    assert.error_matches(function() ebpf.usdt(program, { nom = "x" }) end, "nom")
  end)
end)
