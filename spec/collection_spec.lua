-- What was loaded: children by name, options of loading, attaching by section, and the lives of all that.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local handles = require "spec.support.handles"

local types, records = "build/spec/bpf/lua_types.bpf.o", "build/spec/bpf/lua_records.bpf.o"

describe("a collection", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)

  it("has maps, programs and variables by name", function()
    local coll <close> = assert(ebpf.load(types))
    assert.equal("socket_filter", coll.programs.count.type)
    assert.equal("count", coll.programs.count.name)
    assert.equal("socket", coll.programs.count.section)
    assert.is_nil(coll.programs.optional) -- SEC("?...")
    assert.is_nil(coll.maps.nothing)
    assert.equal(coll.maps.table, coll.maps.table)
    assert.equal("lua_type.bss", coll.maps[".bss"].name)
    local count = 0
    for name, map in pairs(coll.maps) do
      assert.equal(name, map.name)
      count = count + 1
    end
    assert.equal(#coll.maps, count)
    local info = assert(coll.programs.count:info())
    assert.equal("socket_filter", info.type)
    assert.matches("^%x+$", info.tag)
    assert.is_true(info.gpl)
    assert.matches("^ebpf.collection: %d+ maps, 2 programs$", tostring(coll))
  end)

  it("has variables that are read and written while programs run", function()
    local coll <close> = assert(ebpf.load(types, { variables = { limit = 10 } }))
    local v = coll.variables
    assert.equal(10, v.limit:get())
    assert.equal("__u32", v.limit.type)
    assert.is_true(v.limit.read_only)
    assert.equal(8, v.state.size)
    assert.equal("ebpf.variable: limit", tostring(v.limit))
    local ok, err = v.limit:set(11)
    assert.is_nil(ok)
    assert.equal("EPERM", err.code)
    assert.is_true(v.state:set { low = 100, high = -7 })
    local result = assert(coll.programs.count:run { data = ("\0"):rep(14) })
    assert.equal(("s"):byte() - 5, result.retval)
    assert.same({ low = 110, high = -7 }, v.state:get())
    assert.equal(1, v.hits:get())
    assert.is_true(v.favourite:set "RED")
    assert.equal(1, v.favourite:get())
    assert.error_matches(function() v.hits:set {} end, "hits: integer expected, got table")
    assert.error_matches(function() v.hits:set() end, "value expected")
  end)

  it("runs programs with repetition, and tells what came out", function()
    local coll <close> = assert(ebpf.load(types))
    local result = assert(coll.programs.count:run { data = ("x"):rep(64), ["repeat"] = 100 })
    assert.equal(100, coll.variables.hits:get())
    assert.is_true(math.type(result.duration) == "integer")
    assert.equal(64, #result.data)
    local none, err = coll.programs.count:run { data = "short" }
    assert.is_nil(none)
    assert.equal("EINVAL", err.code)
    assert.error_matches(function() coll.programs.count:run { dat = "" } end, "unknown option 'dat'")
    assert.error_matches(function() coll.programs.count:run { data = 5 } end, "data: string expected")
    local small, small_err = coll.programs.count:run { data = ("x"):rep(64), data_out_size = 10 }
    assert.is_nil(small)
    assert.equal("ENOSPC", small_err.code)
  end)

  it("is loaded with other maps in place of its own", function()
    local shared <close> = assert(ebpf.map { type = "hash", key = "char[16]", value = "u32", max_entries = 64 })
    shared:set("x", 77)
    local coll <close> = assert(ebpf.load(types, { maps = { names = shared } }))
    assert.equal(77, coll.maps.names:get "x")
    assert.equal(shared:info().id, coll.maps.names:info().id)
    local wrong <close> = assert(ebpf.map { type = "hash", key = "u32", value = "u32", max_entries = 64 })
    local none, err = ebpf.load(types, { maps = { names = wrong } })
    assert.is_nil(none)
    assert.matches("names", err.message)
    assert.error_matches(function() ebpf.load(types, { maps = { names = 5 } }) end, "maps.names: map expected, got number")
  end)

  it("refuses unknown programs, variables and options", function()
    local none, err = ebpf.load(types, { programs = { "cuont" } })
    assert.is_nil(none)
    assert.matches("cuont", err.message)
    assert.error_matches(function() ebpf.load(types, { variables = { limt = 1 } }) end, "no variable 'limt'")
    assert.error_matches(function() ebpf.load(types, { variables = { limit = {} } }) end, "limit: integer expected")
    assert.error_matches(function() ebpf.load(types, { variable = {} }) end, "unknown option 'variable'")
    assert.error_matches(function() ebpf.load(types, { programs = "count" }) end, "table expected, got string")
    assert.is_nil((ebpf.load "/no/such/object.o"))
    local missing, missing_err = ebpf.load(types, { btf = "/no/such/btf" })
    if missing then missing:close() else assert.matches("/no/such/btf", missing_err.message) end
  end)

  it("keeps the verifier's log when asked to", function()
    local coll <close> = assert(ebpf.load(types, { log_level = 1 }))
    assert.matches("processed %d+ insns", coll.programs.count.log)
    local quiet <close> = assert(ebpf.load(types))
    assert.is_nil(quiet.programs.count.log)
  end)

  it("attaches everything by section, and tells what it could not", function()
    local coll <close> = assert(ebpf.load "build/examples/opensnoop.bpf.o")
    local links, failed = coll:attach()
    assert.equal(2, #links)
    assert.same({}, failed)
    assert.equal("tracepoint", links[1].kind)
    assert.same(links, coll.links)
    local file = io.open "/no/such/file/of/collection_spec"
    assert.is_nil(file)
    local seen
    local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
    for e in ring:records { timeout = 1 } do
      if e.filename == "/no/such/file/of/collection_spec" then seen = e break end
      io.open "/no/such/file/of/collection_spec"
    end
    assert.equal(-2, seen.ret)
    local id = links[1].interface ~= "link" or links[1]:info().id > 0 -- before 5.15 a perf event carries it, without an id
    coll:close()
    assert.equal("ebpf.link (closed)", tostring(links[1]))
    assert.is_true(id)
    local again <close> = assert(ebpf.load "build/examples/opensnoop.bpf.o")
    local some = assert(again:attach { programs = { "enter_openat" } })
    assert.equal(1, #some)
    assert.equal("enter_openat", some[1].program.name)
    assert.error_matches(function() again:attach { programs = { "no" } } end, "no program 'no' was loaded")
    assert.error_matches(function() again:attach { pidd = 1 } end, "unknown option 'pidd'")
  end)

  it("says so when nothing could be attached", function()
    local coll <close> = assert(ebpf.load(types))
    local links, err, errno, failed = coll:attach()
    assert.is_nil(links)
    assert.equal(errno, err.errno)
    assert.equal(2, #failed)
    assert.equal("count", failed[1].program)
    assert.is_string(failed[1].error.message)
    local spec <close> = assert(ebpf.spec(types))
    for _, program in pairs(spec.programs) do program.autoattach = false end
    local quiet <close> = assert(spec:load())
    links, failed = quiet:attach()
    assert.same({}, links)
    assert.same({}, failed)
  end)

  it("closes its children, and is kept alive by them", function()
    local coll = assert(ebpf.load(types))
    local map, program, variable, maps = coll.maps.table, coll.programs.count, coll.variables.hits, coll.maps
    coll:close()
    coll:close()
    assert.equal("ebpf.map (closed)", tostring(map))
    assert.equal("ebpf.program (closed)", tostring(program))
    assert.equal("ebpf.variable: (closed)", tostring(variable))
    assert.error_matches(function() return map:info() end, "map is closed")
    assert.error_matches(function() return program:run {} end, "program is closed")
    assert.error_matches(function() return variable:get() end, "collection is closed")
    assert.error_matches(function() return maps.table end, "collection is closed")
    assert.error_matches(function() coll:attach() end, "collection is closed")

    local only = assert(ebpf.load(types)).programs.count
    collectgarbage()
    collectgarbage()
    assert.is_true(only:run({ data = ("\0"):rep(14) }).retval > 0)
    local again = assert(ebpf.load(types))
    again.maps.names:close()
    assert.equal("ebpf.map: names", tostring(again.maps.names)) -- a new handle of the same map
    again:close()
  end)

  it("leaves no descriptor behind, closed, collected or refused", function()
    assert.equal(0, handles.leaked(function()
      local coll = assert(ebpf.load(records))
      assert(coll.maps.events and coll.programs.fill)
      coll:close()
      local collected = assert(ebpf.load(records))
      assert(collected.maps.events and collected.programs.fill:run { data = ("\0"):rep(14) })
      local links = assert(assert(ebpf.load "build/examples/opensnoop.bpf.o"):attach())
      assert.equal(2, #links)
      assert.is_nil((ebpf.load(types, { programs = { "none" } })))
      pcall(ebpf.load, types, { variables = { limit = {} } })
      local ok = pcall(function()
        local _ <close> = assert(ebpf.load(records))
        error "out"
      end)
      assert.is_false(ok)
    end))
  end)
end)
