-- Programs that may fail, alternatives of which one is wanted, and options that fill in what sections do not say.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local object = "build/spec/bpf/load_choice.bpf.o"

local function own_pid()
  local stat = assert(io.open "/proc/self/stat")
  return math.tointeger(stat:read "n"), stat:close()
end

local function names(list)
  local found = {}
  for _, each in ipairs(list) do found[#found + 1] = each.program end
  return found
end

local function loaded(coll)
  local found = {}
  for name in pairs(coll.programs) do found[name] = true end
  return found
end

describe("a program that may fail", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)

  it("keeps no other from being loaded, and the reason is kept", function()
    local wanted = { "unresolved", "untyped", "missing", "open_raw" }
    local none, err = ebpf.load(object, { programs = wanted })
    assert.is_nil(none)
    assert.matches("untyped", err.message)
    none, err = ebpf.load(object, { programs = wanted, optional = { "untyped", "missing" } })
    assert.is_nil(none)
    assert.matches("no_such_function", err.message)
    for _, optional in ipairs { true, { "unresolved", "untyped", "missing" } } do
      local coll <close> = assert(ebpf.load(object, { programs = wanted, optional = optional }))
      assert.same({ open_raw = true }, loaded(coll))
      local failed = coll.failed
      table.sort(failed, function(a, b) return a.program < b.program end)
      assert.same({ "missing", "unresolved", "untyped" }, names(failed))
      assert.is_true(failed[1].optional)
      assert.matches("no_such_function_at_all", failed[1].error.message)
      assert.matches("program 'unresolved': load: .*'no_such_function': not found", failed[2].error.message)
      assert.equal("ESRCH", failed[2].error.code)
      assert.matches("section \"unknown\"", failed[3].error.message, 1, true)
      assert.equal(1, #assert(coll:attach()))
    end
  end)

  it("is told by the Spec as well", function()
    local spec <close> = assert(ebpf.spec(object))
    assert.is_false(spec.programs.missing.optional)
    spec.programs.missing.optional = true
    local coll <close> = assert(spec:load { programs = { "missing" } })
    assert.same({}, loaded(coll))
    assert.same({ "missing" }, names(coll.failed))
    local links, failed = coll:attach()
    assert.same({}, links)
    assert.same({}, failed)
    assert.error_matches(function() spec.programs.missing.optional = 1 end, "optional: boolean expected")
  end)

  it("is none that fails the attaching", function()
    local coll <close> = assert(ebpf.load(object, { programs = { "sysctl" } }))
    local links, err, _, failed = coll:attach()
    assert.is_nil(links)
    assert.matches("cgroup", err.message)
    assert.is_nil(failed[1].optional)
    for _, optional in ipairs { true, { "sysctl" } } do
      links, failed = coll:attach { optional = optional }
      assert.same({}, links)
      assert.equal("sysctl", failed[1].program)
      assert.is_true(failed[1].optional)
    end
    assert.error_matches(function() coll:attach { optional = { "none" } } end, "no program 'none' was loaded")
    local other <close> = assert(ebpf.load(object, { programs = { "sysctl" }, optional = true }))
    assert.same({}, (assert(other:attach())))
  end)

  it("leaves nothing behind", function()
    assert.equal(0, handles.leaked(function()
      assert(ebpf.load(object, { programs = { "missing", "unresolved", "open_raw" }, optional = true })):close()
      assert.is_nil((ebpf.load(object, { programs = { "open_raw", "missing" } })))
      assert.is_nil((ebpf.load(object, { alternatives = { { "missing", "unresolved" } } })))
      local coll <close> = assert(ebpf.load(object, { alternatives = { { "missing", "open_raw" } } }))
      assert(coll:attach())
    end))
  end)
end)

describe("an initial program of a prog array", function()
  it("may be one that was left out", function()
    need { kernel = "5.8", "ringbuf" }
    local path = "build/spec/bpf/load_choice_calls.bpf.o"
    assert.is_nil((ebpf.load(path, { programs = { "caller", "callee" } })))
    local coll <close> = assert(ebpf.load(path, { optional = { "broken" } }))
    assert.same({ "broken" }, names(coll.failed))
    assert.equal(7, coll.programs.caller:run({ data = ("\0"):rep(14) }).retval)
  end)
end)

describe("alternatives", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)

  local function count(coll)
    coll.variables.wanted:set(own_pid())
    for _ = 1, 3 do assert(io.open "/proc/self/stat"):close() end
    local v, found = coll.variables, {}
    for _, name in ipairs { "by_fentry", "by_kprobe", "by_raw" } do
      if v[name] and v[name]:get() > 0 then found[#found + 1] = name end
    end
    return found
  end

  it("are tried in their order, and one of them counts", function()
    local coll <close> = assert(ebpf.load(object, { alternatives = { { "open_fentry", "open_kprobe", "open_raw" } } }))
    local links, failed = coll:attach()
    assert.equal(1, #assert(links))
    local by, tried = links[1].program.name, { "open_fentry", "open_kprobe", "open_raw" }
    assert.same({ "by_" .. by:match "_(.*)" }, count(coll))
    if ebpf.kernel():has "trampoline" then
      assert.equal("open_fentry", by)
      assert.same({ open_fentry = true }, loaded(coll)) -- no other was loaded
    end
    local before = names(coll.failed) -- could not be loaded, then: could not be attached
    for _, failure in ipairs(failed) do
      before[#before + 1] = failure.program
      assert.equal(by, failure.instead)
      assert.is_string(failure.error.message)
    end
    assert.same(table.move(tried, 1, #before, 1, {}), before)
    assert.equal(by, tried[#before + 1])
  end)

  it("are taken where the kernel runs no trampolines", function()
    local kernel <const> = ebpf.kernel()
    assert(kernel:mask "trampoline")
    finally(function() kernel:unmask "trampoline" end)
    local coll <close> = assert(ebpf.load(object, { alternatives = { { "open_fentry", "open_raw" } } }))
    assert.is_true(loaded(coll).open_raw)
    local links, failed = assert(coll:attach { programs = { "open_raw" } })
    assert.same({}, failed)
    assert.equal("open_raw", links[1].program.name)
    assert.same({ "by_raw" }, count(coll))
  end)

  it("fall to the next when one cannot be loaded", function()
    local coll <close> = assert(ebpf.load(object, { alternatives = { { "missing", "unresolved", "open_raw" } } }))
    assert.same({ open_raw = true }, loaded(coll))
    assert.same({ "missing", "unresolved" }, names(coll.failed))
    assert.is_nil(coll.failed[1].optional)
    assert(coll:attach())
    assert.same({ "by_raw" }, count(coll))
  end)

  it("fail the load together, unless all are optional", function()
    local none, err = ebpf.load(object, { alternatives = { { "missing", "unresolved" } } })
    assert.is_nil(none)
    assert.matches("unresolved", err.message)
    assert.matches("nor could its alternative: .*missing", err.hint)
    local coll <close> = assert(ebpf.load(object, { alternatives = { { "missing", "unresolved" } },
                                                    optional = { "missing", "unresolved" } }))
    assert.same({ "missing", "unresolved" }, names(coll.failed))
    assert.is_nil((ebpf.load(object, { alternatives = { { "missing", "unresolved" } }, optional = { "missing" } })))
  end)

  it("are names of programs, each in one group", function()
    local function refused(alternatives, text)
      local none, err = ebpf.load(object, { alternatives = alternatives })
      assert.is_nil(none)
      assert.matches(text, err.message)
    end
    refused({ { "open_raw", "open_rw" } }, "no such program")
    refused({ { "open_raw", "open_raw" } }, "named twice")
    refused({ { "open_raw" }, { "open_raw" } }, "named twice")
    assert.error_matches(function() ebpf.load(object, { alternatives = { "open_raw" } }) end, "list of names expected, got string")
    assert.error_matches(function() ebpf.load(object, { alternatives = { { 1 } } }) end, "alternatives: string expected")
    local none, err = ebpf.load(object, { optional = { "opn_raw" } })
    assert.is_nil(none)
    assert.matches("opn_raw", err.message)
  end)
end)

describe("options of attaching by section", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)
  local folder

  local function new_cgroup()
    local mount
    for line in io.lines "/proc/self/mounts" do mount = mount or line:match "^%S+ (%S+) cgroup2 " end
    if not mount then pending "needs cgroup v2" end
    folder = mount .. "/choice_spec"
    assert(os.execute("mkdir -p " .. folder))
    finally(function() os.execute("rmdir " .. folder) end)
    return folder
  end

  it("take a cgroup by path and by descriptor, for the programs of cgroups", function()
    local path = new_cgroup()
    local coll <close> = assert(ebpf.load(object, { programs = { "sysctl", "open_raw" } }))
    local links = assert(coll:attach { cgroup = path, pid = 1, interface = "lo" })
    assert.equal(2, #links)
    os.execute(("sh -c 'echo $$ > %s/cgroup.procs; cat /proc/sys/kernel/ostype >/dev/null'"):format(path))
    assert.is_true(coll.variables.by_cgroup:get() > 0)
    local none, err = coll:attach { programs = { "sysctl" }, cgroup = 1 }
    assert.is_nil(none)
    assert.matches("cgroup descriptor 1", err.message)
  end)

  it("are those of one program over those of all", function()
    local path = new_cgroup()
    local coll <close> = assert(ebpf.load(object, { programs = { "sysctl", "open_raw" } }))
    local links, failed = coll:attach { cgroup = "/no/such/cgroup", programs = { "open_raw", sysctl = { cgroup = path } } }
    assert.same({}, failed)
    assert.equal(2, #links)
    os.execute(("sh -c 'echo $$ > %s/cgroup.procs; cat /proc/sys/kernel/ostype >/dev/null'"):format(path))
    assert.is_true(coll.variables.by_cgroup:get() > 0)
    assert.error_matches(function() coll:attach { programs = { sysctl = { cgrop = path } } } end, "unknown option 'cgrop'")
    assert.error_matches(function() coll:attach { programs = { sysctl = path } } end, "sysctl: table of options expected")
    assert.error_matches(function() coll:attach { programs = { none = {} } } end, "no program 'none' was loaded")
  end)
end)
