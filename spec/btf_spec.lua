-- ebpf.btf: types read, looked up, walked.
local ebpf = require "ebpf"
local need = require "spec.support.need"

local types = "build/spec/bpf/lua_types.bpf.o"

local function both(fn) -- the same in both byte orders
  return function()
    fn("build/spec/bpf/")
    fn("build/spec/bpf/big/")
  end
end

describe("ebpf.btf", function()
  it("reads objects of both byte orders, raw bytes and what a Spec has", both(function(folder)
    local btf = assert(ebpf.btf(folder .. "spec_core.bpf.o"))
    local again = assert(ebpf.btf.read { bytes = btf:bytes() })
    assert.equal(#btf, #again)
    assert.equal(btf.byteorder, again.byteorder)
    local spec = assert(ebpf.spec(folder .. "spec_core.bpf.o"))
    assert.equal(#btf, #spec.btf)
    assert.equal(btf.byteorder, spec.btf.byteorder)
    assert.equal(spec.byteorder, btf.byteorder)
  end))

  it("gives each type once, in the order of ids, with its parts", both(function(folder)
    local btf = assert(ebpf.btf(folder .. "spec_data.bpf.o"))
    local last, kinds = 0, {}
    for id, type in pairs(btf) do
      assert.equal(last + 1, id)
      assert.equal(id, type.id)
      assert.equal(type, btf:type(id))
      last, kinds[type.kind] = id, (kinds[type.kind] or 0) + 1
      for _, member in ipairs(type.members or {}) do assert.equal(btf, member.type.btf) end
      if type.kind == "datasec" then
        for _, variable in ipairs(type.variables) do assert.equal("var", variable.type.kind) end
      end
      if type.kind == "func" then assert.equal("func_proto", type.type.kind) end
    end
    assert.equal(#btf, last)
    assert.is_true(kinds.int > 0 and kinds.datasec > 0 and kinds.var > 0)
    assert.is_nil(btf:type(last + 1))
    assert.equal("void", btf:type(0).kind)
  end))

  it("finds by name and kind, and says what is not there", function()
    local btf = assert(ebpf.btf(types))
    for _, name in ipairs { "struct scalars", "scalars" } do
      local type = btf:find(name)
      if type then assert.equal("scalars", type.name) end
    end
    local nothing, err, errno = btf:find "struct no_such"
    assert.is_nil(nothing)
    assert.equal("ENOENT", err.code)
    assert.equal(2, errno)
    assert.matches("struct no_such", err.message)
    assert.is_nil(btf:find("int", "struct"))
    assert.equal("int", btf:find("int", "int").kind)
    assert.same({}, btf:all "no_such")
    assert.equal(btf:find "int", btf:all("int", "int")[1])
    assert.has_error(function() btf:find("int", "no kind") end)
  end)

  it("computes sizes and offsets as the compiler does", function()
    local btf = assert(ebpf.btf.read { bytes = assert(ebpf.spec(types)).btf:bytes() })
    for _, type in pairs(btf) do
      for _, member in ipairs(type.members or {}) do
        if member.name ~= "" then
          local offset, of, bit, bits = btf:offsetof(type, member.name)
          assert.equal(member.offset, offset)
          assert.equal(member.type, of)
          assert.equal(member.bit_size, bits)
          if bits then assert.equal(member.bit_offset % 8, bit) end
        end
      end
      if type.size then assert.equal(type.size, btf:sizeof(type)) end
    end
    local _, err = btf:offsetof("int", "x")
    assert.equal("EINVAL", err.code)
  end)

  it("raises for a closed handle and for a type of another BTF, and keeps nothing alive wrongly", function()
    local one, two = assert(ebpf.btf(types)), assert(ebpf.btf(types))
    local type = one:find "int"
    assert.has_error(function() two:sizeof(type) end, "the type is one of another BTF")
    one:close()
    one:close()
    assert.has_error(function() one:find "int" end, "btf is closed")
    assert.has_error(function() return type.name end, "btf is closed")
    assert.matches("closed", tostring(type))
    assert.matches("closed", tostring(one))
  end)

  it("reads and writes values", function()
    local btf = assert(ebpf.btf(types))
    assert.equal(-5, btf:decode("int", btf:encode("int", -5)))
    assert.equal(4, #btf:encode("int", 1))
    assert.has_error(function() btf:decode("int", "abc") end)
  end)

  it("reads the running kernel's types", function()
    need { kernel = "5.4", "vmlinux_btf" }
    local btf = assert(ebpf.btf.vmlinux())
    local task = assert(btf:find "struct task_struct")
    assert.equal("task_struct", task.name)
    assert.equal(task.size, btf:sizeof "struct task_struct")
    assert.equal(task, btf:all("task_struct", "struct")[1])
    local offset, type = btf:offsetof("struct task_struct", "comm[3]")
    assert.equal(btf:offsetof("struct task_struct", "comm") + 3, offset)
    assert.equal("char", type.name)
    assert.equal("pointer", btf:layout("struct list_head").fields[1].layout.kind)
    assert.equal("func_proto", btf:find("vfs_read", "func").type.kind)
  end)
end)
