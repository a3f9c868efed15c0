-- The Spec in Lua: what an object says, and its editing before it is loaded. No kernel, unless a test says so.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local path = "build/spec/bpf/lua_types.bpf.o"

local function names(list)
  local result = {}
  for name in pairs(list) do result[#result + 1] = name end
  table.sort(result)
  return result
end

describe("a Spec", function()
  it("tells what is in an object", function()
    local spec <close> = assert(ebpf.spec(path))
    assert.equal("lua_types", spec.name)
    assert.equal("GPL", spec.license)
    assert.equal(string.pack("=I2", 1) == "\1\0" and "little" or "big", spec.byteorder)
    assert.equal("ebpf.spec: lua_types", tostring(spec))
    assert.same({ "count", "jump", "optional" }, names(spec.programs))
    assert.equal(3, #spec.programs)
    assert.same({ "favourite", "hits", "label", "limit", "state" }, names(spec.variables))
    assert.equal("hash", spec.maps.table.type)
    assert.equal("struct key", spec.maps.table.key)
    assert.equal("struct value", spec.maps.table.value)
    assert.equal(8, spec.maps.table.key_size)
    assert.equal(64, spec.maps.table.max_entries)
    assert.equal("array", spec.maps.outer.inner.type)
    assert.is_nil(spec.maps.table.inner)
    assert.is_nil(spec.maps.nothing)
    assert.is_nil(spec.programs.nothing)
    assert.equal("ebpf.map_spec: table", tostring(spec.maps.table))
    assert.equal(spec.maps.table, spec.maps.table)
  end)

  it("is the same from a file, from bytes, and from the other byte order", function()
    local function describe_spec(spec)
      local rows = {}
      for name, program in pairs(spec.programs) do
        rows[#rows + 1] = ("%s %s %s %d"):format(name, program.type, program.section, program.instructions)
      end
      for name, map in pairs(spec.maps) do
        if not name:match "%.cst" then rows[#rows + 1] = ("%s %s %d %d"):format(name, map.type, map.key_size, map.max_entries) end
      end
      for name, variable in pairs(spec.variables) do
        rows[#rows + 1] = ("%s %s %d"):format(name, variable.section, variable.size)
      end
      table.sort(rows)
      return rows
    end
    local file <close> = assert(io.open(path, "rb"))
    local bytes = file:read "a"
    local from_file <close> = assert(ebpf.spec(path))
    local from_bytes <close> = assert(ebpf.spec { bytes = bytes, name = "lua_types" })
    local foreign <close> = assert(ebpf.spec "build/spec/bpf/big/lua_types.bpf.o")
    assert.same(describe_spec(from_file), describe_spec(from_bytes))
    assert.not_equal(from_file.byteorder, foreign.byteorder)
    local ours, theirs = {}, {}
    for name, program in pairs(from_file.programs) do ours[name] = program.type end
    for name, program in pairs(foreign.programs) do theirs[name] = program.type end
    assert.same(ours, theirs)
    assert.same(from_file.variables.limit:get(), 7)
  end)

  it("finds programs and data sections by section, where that is unambiguous", function()
    local spec <close> = assert(ebpf.spec(path))
    assert.equal("lua_type.bss", spec.maps[".bss"].name)
    assert.is_nil(spec.maps[".maps"]) -- there are many
    assert.is_nil(spec.programs.socket)
    local one <close> = assert(ebpf.spec "build/examples/execsnoop.bpf.o")
    assert.equal("handle_exec", one.programs["tracepoint/sched/sched_process_exec"].name)
  end)

  it("has programs that are edited", function()
    local spec <close> = assert(ebpf.spec(path))
    local program = spec.programs.count
    assert.equal("socket_filter", program.type)
    assert.equal("socket", program.section)
    assert.is_nil(program.attach_type)
    assert.is_nil(program.attach_to)
    assert.is_true(program.autoload)
    assert.is_false(spec.programs.optional.autoload)
    assert.is_true(program.instructions > 5)
    assert.equal("GPL", program.license)
    program.section = "cgroup_skb/egress"
    assert.equal("cgroup_skb", program.type)
    assert.equal("cgroup_inet_egress", program.attach_type)
    program.section = "fentry/vfs_read"
    assert.equal("vfs_read", program.attach_to)
    program.attach_to = "vfs_write"
    assert.equal("fentry/vfs_write", program.section)
    assert.equal("vfs_write", program.attach_to)
    program.type, program.attach_type, program.autoload = "xdp", "xdp", false
    assert.equal("xdp", program.type)
    assert.is_false(program.autoload)
    assert.error_matches(function() program.section = "fentri/x" end, "unknown section 'fentri/x'")
    assert.error_matches(function() program.type = "xpd" end, "type: the kernel has no program type of the name 'xpd'")
    assert.error_matches(function() program.name = "x" end, "field 'name' cannot be set %(can be: section, ")
    assert.error_matches(function() program.nmae = "x" end, "unknown field 'nmae' %(known: name, ")
    assert.error_matches(function() return program.nmae end, "unknown field 'nmae'")
    assert.error_matches(function() program.autoload = 1 end, "autoload: boolean expected, got number")
  end)

  it("has maps that are edited", function()
    local spec <close> = assert(ebpf.spec(path))
    local map = spec.maps.table
    map.max_entries, map.flags, map.type = 1 << 20, 1, "lru_hash"
    assert.equal(1 << 20, map.max_entries)
    assert.equal("lru_hash", map.type)
    assert.error_matches(function() map.max_entries = -1 end, "max_entries: %-1 is out of range %(0 to 4294967295%)")
    assert.error_matches(function() map.max_entries = "many" end, "max_entries: integer expected, got string")
    assert.error_matches(function() map.max_entrys = 1 end, "unknown field 'max_entrys'")
    map.value_size = 16
    assert.is_nil(map.value) -- the type does not describe it any more
    assert.error_matches(function() map.data = "x" end, "no initial bytes")
    assert.equal(spec.maps[".rodata"].value_size, #spec.maps[".rodata"].data)
  end)

  it("has maps whose values are given a type", function()
    local spec <close> = assert(ebpf.spec "build/spec/bpf/gen_types.bpf.o")
    local plain = spec.maps.plain -- a ring whose definition says nothing of its records
    assert.is_nil(plain.value)
    assert.is_nil(plain.value_type)
    plain.value = "struct point"
    assert.equal("struct point", plain.value)
    assert.equal(4, plain.value_type.size)
    plain.value = spec.btf:find "range_t"
    assert.equal("range_t", plain.value)
    spec.maps.totals.value = "u64" -- of the same size
    assert.equal("u64", spec.maps.totals.value)
    assert.error_matches(function() spec.maps.totals.value = "u32" end, "map 'totals': its values have 8 bytes, but that type 4")
    assert.error_matches(function() plain.value = "struct nothing" end, "there is no 'struct nothing'")
    assert.error_matches(function() plain.value = "run" end, "map 'plain': type %d+ of the object has no size")
    assert.error_matches(function() spec.maps[".rodata"].value = "u32" end, "its type is that of its section's variables")
    assert.equal("range_t", plain.value)
  end)

  it("has variables with types", function()
    local spec <close> = assert(ebpf.spec(path))
    local v = spec.variables
    assert.equal("__u32", v.limit.type)
    assert.equal(".rodata", v.limit.section)
    assert.equal(4, v.limit.size)
    assert.is_true(v.limit.read_only)
    assert.is_false(v.hits.read_only)
    assert.equal(7, v.limit:get())
    v.limit:set(1000)
    assert.equal(1000, v.limit:get())
    assert.equal("start", v.label:get())
    v.label:set "other"
    assert.equal("other", v.label:get())
    assert.same({ low = 1, high = -2 }, v.state:get())
    v.state:set { high = 5 }
    assert.same({ low = 0, high = 5 }, v.state:get())
    v.favourite:set "RED"
    assert.equal(1, v.favourite:get())
    v.hits:set(-1)
    assert.equal(-1, v.hits:get())
    assert.error_matches(function() v.limit:set(1 << 32) end, "limit: 4294967296 is out of range for __u32")
    assert.error_matches(function() v.limit:set "x" end, "limit: integer expected")
    assert.error_matches(function() v.label:set "far too long" end, "label: the string has 12 bytes, not at most 8")
    assert.error_matches(function() v.state:set { middle = 1 } end, "state: struct pair has no field 'middle'")
    assert.equal(1000, v.limit:get())
  end)

  it("is loaded as it was edited", function()
    need { kernel = "5.2" }
    local spec <close> = assert(ebpf.spec(path))
    spec.maps.names.max_entries = 3
    spec.variables.limit:set(100)
    spec.programs.jump.autoload = false
    spec.programs.optional.autoload = true
    local coll <close> = assert(spec:load { variables = { hits = 5 } })
    assert.same({ "count", "optional" }, names(coll.programs))
    assert.equal(3, coll.maps.names.max_entries)
    coll.programs.count:run { data = ("\0"):rep(14) }
    assert.equal(6, coll.variables.hits:get())
    assert.same({ low = 101, high = -2 }, coll.variables.state:get())
    local again <close> = assert(spec:load { programs = { "jump" } })
    assert.same({ "jump" }, names(again.programs))
  end)

  it("is built by hand, and takes the same way", function()
    need { kernel = "4.10" }
    local asm = ebpf.asm
    local spec <close> = assert(ebpf.spec { name = "byhand" })
    spec.license = "GPL"
    local map = assert(spec:add_map "numbers")
    map.type, map.key_size, map.value_size, map.max_entries = "array", 4, 8, 1
    local prog = assert(ebpf.program {
      type = "socket_filter", license = "GPL",
      instructions = { asm.mov(asm.r0, 5), asm.exit() },
    })
    assert.equal(5, prog:run { data = ("\0"):rep(14) }.retval)
    local coll <close> = assert(spec:load())
    assert.equal("numbers", coll.maps.numbers.name)
    local twice, err = spec:add_map "numbers"
    assert.is_nil(twice)
    assert.equal("EEXIST", err.code)
  end)

  it("refuses bytes that are no object", function()
    for _, bytes in ipairs { "", "x", "\127ELF", "\127ELF" .. ("\0"):rep(100), ("\255"):rep(1000) } do
      local spec, err = ebpf.spec { bytes = bytes }
      assert.is_nil(spec)
      assert.is_string(err.message)
    end
    local file <close> = assert(io.open(path, "rb"))
    local whole = file:read "a"
    for size = 1, #whole - 1, #whole // 50 do
      local spec, err = ebpf.spec { bytes = whole:sub(1, size) }
      if spec then spec:close() else assert.is_string(err.message) end
    end
  end)

  it("when closed leaves its parts harmless", function()
    local spec = assert(ebpf.spec(path))
    local map, program, variable, maps = spec.maps.table, spec.programs.count, spec.variables.limit, spec.maps
    spec:close()
    spec:close()
    assert.equal("ebpf.spec (closed)", tostring(spec))
    assert.error_matches(function() return spec.maps end, "spec is closed")
    assert.error_matches(function() return spec:load() end, "spec is closed")
    assert.error_matches(function() return map.type end, "spec is closed")
    assert.error_matches(function() program.type = "xdp" end, "spec is closed")
    assert.error_matches(function() variable:get() end, "spec is closed")
    assert.error_matches(function() return maps.table end, "spec is closed")
    assert.equal("ebpf.map_spec: (closed)", tostring(map))
  end)

  it("is kept alive by its parts", function()
    local variable = assert(ebpf.spec(path)).variables.limit
    collectgarbage()
    collectgarbage()
    assert.equal(7, variable:get())
  end)
end)
