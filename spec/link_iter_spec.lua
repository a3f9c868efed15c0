-- Iterators: what the kernel prints of tasks, map elements and cgroups, read as text and as lines.
local ebpf = require "ebpf"
local handles = require "spec.support.handles"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function load(program) return assert(ebpf.load("build/spec/bpf/link_iter.bpf.o", { programs = { program } })) end

local function own_pid() return assert(tonumber(io.open("/proc/self/stat"):read "n")) end

local function collect(link)
  local lines = {}
  for line in link:lines() do lines[#lines + 1] = line end
  return lines
end

local function array()
  local map = assert(ebpf.map { type = "array", key = "u32", value = "u32", max_entries = 4, name = "walked" })
  for i = 0, 3 do map[i] = 10 + i end
  return map
end

describe("ebpf.link.iter", function()
  it("reads tasks as a text and by lines, as often as one likes", function()
    need { kernel = "5.8", "iter" }
    local coll <close> = load "tasks"
    local link = assert(ebpf.link.iter(coll.programs.tasks))
    assert.equal("iter", link.kind)
    assert.equal("iter task", link.target)
    local pattern = ("%%f[%%d]%d %d lua5%%.4"):format(own_pid(), own_pid())
    assert.matches(pattern, assert(link:read()))
    assert.matches(pattern, table.concat(collect(link), "\n"))
    local piecewise = {}
    local iterator <close> = assert(link:open())
    assert.equal("ebpf.iterator: iter task", tostring(iterator))
    while true do
      local piece, err = iterator:read(7)
      assert.is_nil(err)
      if not piece then break end
      assert.is_true(#piece <= 7)
      piecewise[#piecewise + 1] = piece
    end
    assert.matches(pattern, table.concat(piecewise))
    assert.equal("", iterator:read())
    assert.is_nil(iterator:lines()())
    iterator:close()
    iterator:close()
    assert.error_matches(function() iterator:read() end, "iterator is closed")
    assert.equal("ebpf.iterator (closed)", tostring(iterator))
    assert.is_true(link:detach())
    local text, err = link:read()
    assert.is_nil(text)
    assert.matches("it is detached", err.message)
  end)

  it("goes on when its link is closed, and closes when a loop is left", function()
    need { kernel = "5.8", "iter" }
    local coll <close> = load "tasks"
    local link = assert(ebpf.link.iter(coll.programs.tasks))
    local iterator = assert(link:open())
    link:close()
    assert.matches("%d+ %d+ ", iterator:read())
    iterator:close()
    link = assert(ebpf.link.iter(coll.programs.tasks))
    local before = handles.descriptors()
    for line in link:lines() do -- luacheck: ignore 512
      assert.matches("^%d+ %d+ ", line)
      break
    end
    assert.equal(before, handles.descriptors())
    link:close()
  end)

  it("takes one task or process", function()
    need { kernel = "6.1", "iter" }
    local coll <close> = load "tasks"
    for _, options in ipairs { { pid = -1 }, { pid = own_pid() }, { tid = own_pid() } } do
      local link <close> = assert(ebpf.link.iter(coll.programs.tasks, options))
      assert.same({ ("%d %d lua5.4"):format(own_pid(), own_pid()) }, collect(link))
    end
    local link, err = ebpf.link.iter(coll.programs.tasks, { pid = 1, tid = 1 })
    assert.is_nil(link)
    assert.matches("one of pid, tid and pid_fd", err.message)
  end)

  it("takes a map", function()
    need { kernel = "5.9", "iter" }
    local coll <close> = load "elements"
    local map = array()
    local link <close> = assert(ebpf.link.iter(coll.programs.elements, { map = map }))
    assert.same({ "0=10", "1=11", "2=12", "3=13" }, collect(link))
    map[2] = 99
    assert.equal("0=10\n1=11\n2=99\n3=13\n", link:read())
    local none, err = ebpf.link.iter(coll.programs.elements)
    assert.is_nil(none)
    assert.matches("give the option map", tostring(err))
  end)

  it("gives records by their type", function()
    need { kernel = "5.9", "iter" }
    local coll <close> = load "records"
    local link <close> = assert(ebpf.link.iter(coll.programs.records, { map = array() }))
    local list = {}
    for record in link:records "struct element" do list[#list + 1] = record.key .. "=" .. record.value end
    assert.same({ "0=10", "1=11", "2=12", "3=13" }, list)
    list = {}
    for pair in link:records "u32[2]" do list[#list + 1] = pair[2] end
    assert.same({ 10, 11, 12, 13 }, list)
    assert.equal(32, #link:read())
    assert.error_matches(function() link:records "struct no_such" end, "no_such")
    assert.error_matches(function() for _ in link:records "u8[5]" do end end, "ends with 2 bytes of a record of 5") -- luacheck: ignore
  end)

  it("takes a cgroup and an order", function()
    need { kernel = "6.1", "iter" }
    local cgroup, remove = process.cgroup "ebpf-iter"
    if not cgroup then pending "needs a mounted cgroup2" end
    finally(function()
      os.execute("rmdir " .. cgroup .. "/a " .. cgroup .. "/b")
      remove()
    end)
    os.execute("mkdir " .. cgroup .. "/a " .. cgroup .. "/b")
    local coll <close> = load "cgroups"
    local function levels(order)
      local link <close> = assert(ebpf.link.iter(coll.programs.cgroups, { path = cgroup, order = order }))
      local list = collect(link)
      assert.equal("end", table.remove(list))
      return table.concat(list, " ")
    end
    assert.equal("1 2 2", levels())
    assert.equal("1", levels "self")
    assert.equal("2 2 1", levels "postorder")
    assert.equal("1 0", levels "ancestors")
    local link, err = ebpf.link.iter(coll.programs.cgroups, { path = cgroup, order = "sideways" })
    assert.is_nil(link)
    assert.matches("order 'sideways'", err.message)
    link, err = ebpf.link.iter(coll.programs.cgroups, { path = "/no/such/cgroup" })
    assert.is_nil(link)
    assert.equal("ENOENT", err.code)
    link = assert(ebpf.link.iter(coll.programs.cgroups)) -- all there are
    assert.matches("^0\n", link:read())
    link:close()
  end)

  it("is attached by its section", function()
    need { kernel = "5.9", "iter" }
    local coll <close> = assert(ebpf.load "build/spec/bpf/link_iter.bpf.o")
    local list, failed = assert(coll:attach())
    assert.equal(1, #list)
    assert.equal("iter task", list[1].target)
    assert.matches("the map that it walks must be named", failed[1].error.message)
    assert.matches("%d+ %d+ ", list[1]:read())
    list = assert(coll:attach { map = array(), pid = 1, programs = { "elements" } })
    assert.equal("0=10\n1=11\n2=12\n3=13\n", list[1]:read())
  end)

  it("lives on as a file when it is pinned, with another program if one likes", function()
    need { kernel = "5.9", "iter" }
    local folder = os.tmpname()
    os.remove(folder)
    if not os.execute(("mkdir %s && mount -t bpf bpf %s"):format(folder, folder)) then pending "needs a BPF file system" end
    finally(function() os.execute(("umount %s; rmdir %s"):format(folder, folder)) end)
    do
      local coll <close> = load "elements"
      local link <close> = assert(ebpf.link.iter(coll.programs.elements, { map = array() }))
      assert.is_true(link:pin(folder .. "/walk"))
    end
    local lines = {}
    for line in io.lines(folder .. "/walk") do lines[#lines + 1] = line end
    assert.same({ "0=10", "1=11", "2=12", "3=13" }, lines)
  end)

  it("says that other links cannot be read, and what is missing", function()
    need { kernel = "5.8", "iter" }
    local kernel = ebpf.kernel()
    local coll <close> = load "tasks"
    local program = assert(ebpf.program { type = "raw_tracepoint", license = "GPL", instructions = "r0 = 0\nexit" })
    local other = assert(ebpf.link.raw_tracepoint(program, "sys_enter"))
    local text, err = other:read()
    assert.is_nil(text)
    assert.matches("only links of kind iter", err.message)
    assert.error_matches(function() other:lines() end, "only links of kind iter")
    other:close()
    local link
    link, err = ebpf.link.iter(program)
    assert.is_nil(link)
    assert.matches("not an iterator", err.message)
    kernel:mask "iter"
    finally(function() kernel:unmask "iter" end)
    link, err = ebpf.link.iter(coll.programs.tasks)
    assert.is_nil(link)
    assert.matches("need Linux 5.8", err.message)
  end)

  it("takes another program, in the place of the one that is named", function()
    need { kernel = "5.9", "iter" }
    local coll <close> = assert(ebpf.load("build/spec/bpf/link_iter.bpf.o", { programs = { "elements", "records", "tasks" } }))
    local elements, records = coll.programs.elements, coll.programs.records
    local text, bytes = "0=10\n1=11\n2=12\n3=13\n", ("I4I4I4I4I4I4I4I4"):pack(0, 10, 1, 11, 2, 12, 3, 13)
    local link <close> = assert(ebpf.link.iter(elements, { map = array() }))
    assert.equal(text, link:read())
    local begun <close> = assert(link:open())
    local ok, err = link:update(records, { old = records })
    assert.is_nil(ok)
    assert.equal("EPERM", err.code)
    assert.matches("not the one that was to be replaced", err.message)
    assert.equal(text, link:read())
    assert.is_true(link:update(records, { old = elements }))
    assert.equal(bytes, link:read())
    assert.equal(text, begun:read()) -- what was opened before runs its own to the end
    assert.equal(records, link.program)
    assert.equal(records:info().id, link:info().program_id)
    assert.is_true(link:update(elements))
    assert.equal(text, link:read())
    ok, err = link:update(coll.programs.tasks, { old = elements })
    assert.is_nil(ok)
    assert.equal("EINVAL", err.code)
    assert.matches("take another program, and only one of the same type", err.hint)
  end)

  it("leaves no descriptor behind", function()
    need { kernel = "5.9", "iter" }
    local coll <close> = load "elements"
    local map = array()
    assert.equal(0, handles.leaked(function()
      local link <close> = assert(ebpf.link.iter(coll.programs.elements, { map = map }))
      link:read()
      link:lines()()
      link:open()
      ebpf.link.iter(coll.programs.elements)
    end))
  end)
end)
