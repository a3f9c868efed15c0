-- struct_ops: the fields of a table before it is loaded, and attaching it. What a socket makes of it: spec/c/struct_ops_test.c.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local object = "build/spec/bpf/load_link_ops.bpf.o"

local function controls()
  local file = assert(io.open "/proc/sys/net/ipv4/tcp_available_congestion_control")
  local text = file:read "a"
  file:close()
  return " " .. text:gsub("%s+", " ")
end

describe("the fields of a struct_ops map", function()
  it("are those of its struct, functions by the names of their programs", function()
    local spec = assert(ebpf.spec(object))
    local fields = spec.maps.first.fields
    assert.equal("ebpf.fields: struct tcp_congestion_ops", tostring(fields))
    assert.equal("ebpf_link", fields.name)
    assert.equal("init_first", fields.init)
    assert.equal(0, fields.flags)
    local seen = {}
    for name, value in pairs(fields) do seen[name] = value end
    assert.same({ name = "ebpf_link", init = "init_first", flags = 0, ssthresh = "ssthresh", cong_avoid = "cong_avoid",
      undo_cwnd = "undo_cwnd" }, seen)
    assert.is_nil(spec.maps[".bss"].fields)
  end)

  it("can be set, to what fits", function()
    local spec = assert(ebpf.spec(object))
    local fields = spec.maps.first.fields
    fields.name, fields.flags = "other", 3
    assert.equal("other", fields.name)
    assert.equal(3, fields.flags)
    assert.equal("ebpf_link", spec.maps.second.fields.name)
    assert.error_matches(function() fields.flags = "many" end, "flags: integer expected, got string")
    assert.error_matches(function() fields.flags = 1 << 40 end, "flags")
    assert.error_matches(function() fields.name = ("x"):rep(17) end, "name")
    assert.equal("other", fields.name)
    assert.error_matches(function() fields.nothing = 1 end, "struct tcp_congestion_ops has no field 'nothing'")
    assert.error_matches(function() return fields.nothing end, "has no field 'nothing'")
  end)

  it("name the programs that are loaded", function()
    local spec = assert(ebpf.spec(object))
    local fields = spec.maps.first.fields
    fields.init = spec.programs.init_second
    assert.equal("init_second", fields.init)
    assert.is_false(spec.programs.init_first.autoload)
    fields.init = nil
    assert.is_nil(fields.init)
    assert.is_true(spec.programs.init_second.autoload) -- the other map has it
    fields.init = "init_first"
    assert.equal("init_first", fields.init)
    local ok, err = pcall(function() fields.init = "missing" end)
    assert.is_false(ok)
    assert.matches("map 'first': member 'init': there is no program 'missing'", tostring(err))
  end)
end)

describe("a struct_ops map", function()
  before_each(function()
    need { kernel = "5.6", "vmlinux_btf" }
    need.jit()
  end)

  it("is attached with its collection", function()
    local spec = assert(ebpf.spec(object))
    spec.maps.first.fields.name = "ebpf_lua"
    spec.maps.second.autoattach = false
    local coll <close> = assert(spec:load())
    assert.is_nil(controls():match " ebpf_lua ")
    local links, failed = assert(coll:attach())
    assert.same({}, failed)
    assert.equal(1, #links)
    assert.equal("struct_ops first", links[1].target)
    assert.equal("struct_ops", links[1].kind)
    assert.is_nil(links[1].program)
    assert.equal(coll.maps.first, links[1].map)
    assert.equal(coll.maps.first:info().id, links[1]:info().map_id)
    assert.truthy(controls():match " ebpf_lua ")
    coll:close()
    assert.is_nil(controls():match " ebpf_lua ")
  end)

  it("is attached alone, and says what is wrong", function()
    local spec = assert(ebpf.spec(object))
    spec.maps.first.fields.name, spec.maps.second.fields.name = "ebpf_one", "ebpf_one"
    local coll <close> = assert(spec:load())
    local link <close> = assert(ebpf.link.struct_ops(coll.maps.first))
    local none, err = ebpf.link.struct_ops(coll.maps.second)
    assert.is_nil(none)
    assert.equal("EEXIST", err.code)
    assert.matches("map 'second': attach: struct_ops second: file exists", err.message)
    if ebpf.kernel():has "struct_ops_link" then
      assert(link:update(coll.maps.second))
      assert.equal(coll.maps.second:info().id, link:info().map_id)
    end
    local links, failed = coll:attach { programs = {} }
    assert.same({}, links)
    assert.same({}, failed)
    local nothing, first, _, all = coll:attach { maps = { "second" } }
    assert.is_nil(nothing)
    assert.equal("EEXIST", first.code)
    assert.equal("second", all[1].map)
    assert.error_matches(function() coll:attach { maps = { "third" } } end, "maps: no map 'third' was loaded")
  end)

  it("is left out when its programs are", function()
    local spec = assert(ebpf.spec(object))
    spec.maps.second.fields.init = nil
    local coll <close> = assert(spec:load { programs = { "ssthresh", "cong_avoid", "undo_cwnd" } })
    assert.is_nil(coll.maps.first)
    assert.equal("struct_ops", coll.maps.second.type)
  end)

  it("tells which member this kernel does not have", function()
    local spec = assert(ebpf.spec "build/spec/bpf/load_ops.bpf.o")
    spec.programs.unused.autoload = false
    spec.maps.plain.fields.not_in_the_kernel = "cong_avoid"
    local none, err = spec:load()
    assert.is_nil(none)
    assert.matches("map 'plain': create: this kernel's struct tcp_congestion_ops has no member 'not_in_the_kernel'", err.message)
    assert.matches("spec.maps.plain.fields.not_in_the_kernel = nil", err.hint)
    spec.maps.plain.fields.not_in_the_kernel = nil
    local coll <close> = assert(spec:load())
    assert.equal("struct_ops", coll.maps.plain.type)
  end)
end)
