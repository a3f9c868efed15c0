-- BTF objects in the kernel: loaded, listed, opened by id; `ebpf btf`.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

local function example()
  local b = ebpf.btf.new()
  b:add_struct { name = "event", members = { { "pid", "u32" }, { "weight", "double" }, { "next", "struct event *" } } }
  b:add_func { name = "walk", returns = "int", params = { { "e", "struct event *" } }, linkage = "extern" }
  b:add_enum64 { name = "huge", enumerators = { HUGE = 1 << 40 } }
  return assert(b:finish())
end

describe("btf:load", function()
  it("gives the kernel types, which are there until the last handle is closed", function()
    need { kernel = "4.18", "btf" }
    local object = assert(example():load())
    local info = assert(object:info())
    assert.equal(object.id, info.id)
    assert.is_false(info.kernel)
    local listed
    for _, each in ipairs(assert(ebpf.btf.list())) do listed = listed or each.id == info.id and each end
    assert.equal(info.size, listed.size)
    local btf = assert(ebpf.btf.open(info.id))
    assert.equal(24, btf:sizeof "struct event")
    object:close()
    object:close()
    assert.has_error(function() object:info() end, "btf_object is closed")
    local _, err = ebpf.btf.open(info.id)
    assert.equal("ENOENT", err.code)
  end)

  it("replaces what the kernel lacks", function()
    need { kernel = "4.18", "btf" }
    local kernel = ebpf.kernel()
    local masked = { "btf_func", "btf_datasec", "btf_float", "btf_decl_tag", "btf_type_tag", "btf_enum64" }
    for _, name in ipairs(masked) do assert(kernel:mask(name)) end
    local object, err = example():load()
    for _, name in ipairs(masked) do kernel:unmask(name) end
    local btf = assert(ebpf.btf.open(assert(object, err).id))
    for _, type in pairs(btf) do assert.is_nil(({ func = 1, float = 1, enum64 = 1 })[type.kind]) end
    assert.equal(24, btf:sizeof "struct event")
    object:close()
  end)

  it("says why the kernel refuses, with its log", function()
    need { kernel = "4.18", "btf" }
    local b = ebpf.btf.new()
    b:add_ptr(b:add_const(2)) -- a const of what comes next: itself by way of the pointer
    local object, err, errno = assert(b:finish()):load()
    assert.is_nil(object)
    assert.equal(err.errno, errno)
    assert.is_truthy(err.log and #err.log > 0)
    assert.matches("BTF: load: ", err.message)
    local _, split = ebpf.btf.new { base = example() }:finish():load()
    assert.equal("EOPNOTSUPP", split.code)
  end)

  it("lists vmlinux, whose types are those of sysfs", function()
    need { kernel = "5.11", "vmlinux_btf" }
    local first = assert(ebpf.btf.list())[1]
    assert.equal("vmlinux", first.name)
    assert.is_true(first.kernel)
    assert.equal(#ebpf.btf.vmlinux(), #assert(ebpf.btf.open(first.id)))
  end)
end)

describe("ebpf btf", function()
  it("lists and shows as bpftool does", function()
    need { kernel = "5.11", "btf" }
    need.command "bpftool"
    local json = require "dkjson"
    local object = assert(example():load())
    local ours = json.decode((process.run "build/ebpf btf list --json"))
    local theirs = json.decode((process.run "bpftool btf list --json"))
    local by_id = {}
    for _, each in ipairs(theirs) do by_id[each.id] = each end
    local seen
    for _, each in ipairs(ours) do
      local other = by_id[each.id]
      if other then -- others may come and go
        assert.equal(other.size, each.size)
        assert.equal(other.kernel or false, each.kernel)
        seen = seen or each.id == object.id
      end
    end
    assert.is_true(seen)
    local shown = json.decode((process.run(("build/ebpf btf show %d --json"):format(object.id))))
    assert.equal(object:info().size, shown.size)
    local text, status = process.run "build/ebpf btf show 4000000000"
    assert.equal(1, status)
    assert.matches("no BTF object with the id 4000000000", text)
    object:close()
  end)
end)
