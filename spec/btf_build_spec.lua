-- ebpf.btf.new(): types made by hand, copied, split on a base, and written for others.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"

-- One of each kind.
local function every_kind()
  local b = ebpf.btf.new()
  local u32 = b:add_typedef { name = "u32", type = b:add_int { name = "unsigned int", size = 4 } }
  local event = b:add_struct {
    name = "event",
    members = {
      { "pid", u32 }, { "comm", "char[16]" }, { "next", "struct event *" }, { "other", "struct other *" }, { "low", "int", 3 },
      { "high", "int", 5 }, { "text", "const char *" }, { "weight", "double" }, { "grid", "short[2][3]" },
    },
  }
  b:add_union { name = "either", members = { { "a", "u64" }, { "b", "struct event" } } }
  b:add_enum { name = "color", enumerators = { "RED", "GREEN", { name = "BLUE", value = 7 } } }
  b:add_enum { name = "sign", enumerators = { MINUS = -1, PLUS = 1 } }
  b:add_enum64 { name = "huge", enumerators = { { "HUGE", math.mininteger } }, signed = true }
  b:add_volatile(u32)
  b:add_restrict(b:add_ptr "char")
  b:add_ptr(b:add_type_tag { name = "user", type = u32 })
  local func = b:add_func { name = "walk", returns = "int", params = { { "e", "struct event *" }, {} }, linkage = "global" }
  b:add_decl_tag { name = "about the function", type = func }
  b:add_decl_tag { name = "about the argument", type = func, component = 0 }
  local var = b:add_var { name = "counter", type = "u64" }
  b:add_datasec { name = ".data", variables = { { type = var } } }
  return b, event
end

describe("ebpf.btf.new", function()
  it("makes types of every kind, laid out as a C compiler would", function()
    local b = every_kind()
    local btf = assert(b:finish())
    local kinds = {}
    for _, type in pairs(btf) do kinds[type.kind] = true end
    for _, kind in ipairs {
      "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile", "const", "restrict", "func", "func_proto",
      "var", "datasec", "float", "decl_tag", "type_tag", "enum64",
    } do assert.is_true(kinds[kind], kind) end
    local event = btf:find "struct event"
    assert.equal(80, event.size)
    assert.equal(24, btf:offsetof(event, "next"))
    assert.same({ 40, 3, 5 }, { btf:offsetof(event, "high"), select(3, btf:offsetof(event, "high")) })
    assert.equal(64 + 2 * 5, btf:offsetof(event, "grid[1][2]"))
    assert.equal(event, event.members[3].type.type)
    assert.equal("fwd", event.members[4].type.type.kind)
    assert.equal(7, btf:find "enum color".enumerators[3].value)
    assert.is_true(btf:find "enum sign".signed)
    assert.equal(-1, btf:find "enum sign".enumerators[1].value)
    assert.equal(math.mininteger, btf:find "enum huge".enumerators[1].value)
    local func = btf:find "walk"
    assert.equal("global", func.linkage)
    assert.same({ "about the function", "about the argument" }, { func.tags[1].name, func.tags[2].name })
    assert.same({ -1, 0 }, { func.tags[1].component, func.tags[2].component })
  end)

  it("refuses what the kernel would, naming the type", function()
    local b = ebpf.btf.new()
    local function refused(message, method, ...)
      local ok, err = pcall(b[method], b, ...)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(message, 1, true), err)
    end
    refused("struct 'a b': the name is no identifier", "add_struct", { name = "a b" })
    refused("typedef '': a name is needed", "add_typedef", { type = "int" })
    refused("int 'x': the size must be", "add_int", { name = "x", size = 3 })
    refused("'y' lies outside", "add_struct", { name = "x", size = 4, members = { { name = "y", type = "int", offset = 8 } } })
    refused("'BIG' does not fit", "add_enum", { name = "x", enumerators = { { "BIG", 1 << 40 } } })
    refused("unknown type 'nothing'", "add_ptr", "nothing")
    refused("unknown", "add_func", { name = "f", linkage = "no such" })
    b:add_ptr(99)
    local btf, err = b:finish()
    assert.is_nil(btf)
    assert.matches("refers to type 99", err.message)
  end)

  it("builds on a base and copies from others", function()
    local base = assert(every_kind():finish())
    local b = ebpf.btf.new { base = base }
    local id = b:add_struct { name = "module", members = { { "event", "struct event" }, { "p", "struct event *" } } }
    local split = assert(b:finish())
    assert.equal(#base + 1, split.first_id)
    assert.equal(base:find "struct event", split.base:find "struct event")
    assert.equal(88, split:type(id).size)
    assert.equal("event", split:type(id).members[1].type.name)
    local again = assert(ebpf.btf.read { bytes = split:bytes(), base = base })
    assert.equal(88, again:sizeof "struct module")

    local flat = ebpf.btf.new()
    flat:add(split:find "struct module")
    local copy = assert(flat:finish())
    assert.equal(88, copy:sizeof "struct module")
    assert.equal(24, copy:offsetof("struct event", "next"))
    assert.is_nil(copy:find "enum color")
  end)

  it("writes either byte order, and for who lacks kinds", function()
    local btf = assert(every_kind():finish())
    local other = btf.byteorder == "little" and "big" or "little"
    local big = assert(ebpf.btf.read { bytes = btf:bytes { byteorder = other } })
    assert.equal(other, big.byteorder)
    assert.equal(#btf, #big)
    for id, type in pairs(btf) do
      assert.equal(tostring(type), tostring(big:type(id)))
      assert.equal(type.size, big:type(id).size)
    end
    assert.equal(btf:bytes(), big:bytes { byteorder = btf.byteorder })
    local lacking = { "func", "datasec", "float", "decl_tag", "type_tag", "enum64" }
    local old = assert(ebpf.btf.read { bytes = assert(btf:bytes { without = lacking }) })
    local lacks = { func = 1, func_proto = 1, var = 1, datasec = 1, float = 1, decl_tag = 1, type_tag = 1, enum64 = 1 }
    for _, type in pairs(old) do assert.is_nil(lacks[type.kind], type.kind) end
    assert.equal(80, old:sizeof "struct event")
    assert.equal(56, old:offsetof("struct event", "weight"))
    assert.has_error(function() btf:bytes { without = { "int" } } end)
  end)
end)

local function save(btf)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(btf:bytes())
  file:close()
  return path
end

describe("btf:dedup", function()
  local function objects(folder)
    local list = {}
    for path in io.popen("ls build/spec/bpf/" .. folder .. "*.bpf.o"):lines() do list[#list + 1] = path end
    return list
  end

  local function join(paths, base)
    local b = ebpf.btf.new { base = base }
    for _, path in ipairs(paths) do b:add_all(assert(ebpf.btf(path))) end
    return assert(b:finish())
  end

  it("gives each type once, keeps every layout, and changes nothing the second time", function()
    for _, folder in ipairs { "", "big/" } do
      local joined = join(objects(folder))
      local once = assert(joined:dedup())
      assert.is_true(#once < #joined * 0.7)
      assert.equal(#once, #assert(once:dedup()))
      assert.equal(once:bytes(), once:dedup():bytes())
      for _, type in pairs(joined) do
        if type.kind == "struct" and type.name ~= "" then
          local same
          for _, other in ipairs(once:all(type.name, "struct")) do
            same = same or other.size == type.size and #other.members == #type.members
          end
          assert.is_true(same, type.name)
        end
      end
    end
  end)

  it("leaves as many types as libbpf does", function()
    local oracle = "build/spec/support/dedup_libbpf"
    need.file(oracle)
    local joined = join(objects "")
    local path = save(joined)
    assert.equal(#assert(joined:dedup()), tonumber((process.run(oracle .. " " .. path))))
    os.remove(path)
    if ebpf.kernel():has "vmlinux_btf" then
      local vmlinux = assert(ebpf.btf.vmlinux())
      local left = tonumber((process.run(oracle .. " /sys/kernel/btf/vmlinux"))) -- fewer than it has where an older pahole made it
      assert.equal(left, #assert(vmlinux:dedup()))
      local split = join(objects "", vmlinux)
      path = save(split)
      local count = tonumber((process.run(("%s %s /sys/kernel/btf/vmlinux"):format(oracle, path))))
      assert.equal(count, #assert(split:dedup()))
      os.remove(path)
    end
  end)
end)

describe("ebpf.btf.minimize", function()
  local objects = { "build/spec/bpf/load_many.bpf.o", "build/spec/bpf/load_tiny.bpf.o", "build/spec/bpf/load_types.bpf.o" }

  it("keeps what relocations need: such a file does for loading", function()
    need { kernel = "5.4", "vmlinux_btf" }
    local specs = {}
    for i, path in ipairs(objects) do specs[i] = assert(ebpf.spec(path)) end
    local small = assert(ebpf.btf.minimize(assert(ebpf.btf.vmlinux()), specs))
    assert.is_true(#small > 0 and #small < 200)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(small:bytes())
    file:close()
    assert(specs[2]:load { btf = path }):close()
    os.remove(path)
    assert.has_error(function() ebpf.btf.minimize(small, { "no spec" }) end)
  end)

  it("is byte for byte what bpftool makes", function()
    need { kernel = "5.4", "vmlinux_btf" }
    need.command "bpftool"
    local ours, theirs = os.tmpname(), os.tmpname()
    local files = table.concat(objects, " ")
    local output, status = process.run(("bpftool gen min_core_btf /sys/kernel/btf/vmlinux %s %s"):format(theirs, files))
    assert.equal(0, status, output)
    output, status = process.run(("build/ebpf btf min vmlinux %s %s --json"):format(ours, files))
    assert.equal(0, status, output)
    assert.equal(0, select(2, process.run(("cmp %s %s"):format(ours, theirs))))
    local document = require "dkjson".decode(output)
    assert.equal(#assert(ebpf.btf.read(ours)), document.types)
    os.remove(ours)
    os.remove(theirs)
    output, status = process.run(("build/ebpf btf min vmlinux /no/such/folder/x %s"):format(files))
    assert.equal(1, status)
    assert.matches("/no/such/folder/x", output)
  end)
end)

describe("btf:distill", function()
  local function split_on(base)
    local b = ebpf.btf.new { base = base }
    b:add_struct {
      name = "wraps",
      members = {
        { "list", "struct list_head" }, { "task", "struct task_struct *" }, { "kind", "enum kind" },
        { "all", "struct list_head[3]" },
      },
    }
    b:add_func { name = "walk", returns = "int", params = { { "e", "const struct file *" } } }
    return assert(b:finish())
  end

  local function kernel(task_size, list_size)
    local b = ebpf.btf.new()
    b:add_struct { name = "unrelated", members = { { "x", "u64" } } }
    b:add_int { name = "int", size = 4, encoding = "signed" }
    b:add_struct { name = "list_head", size = list_size or 16, members = { { "next", "struct list_head *" } } }
    b:add_enum { name = "kind", enumerators = { "ONE", "TWO" } }
    b:add_struct { name = "file", members = { { "list", "struct list_head" } } }
    b:add_struct { name = "task_struct", size = task_size, members = { { "files", "struct file *" } } }
    return assert(b:finish())
  end

  it("says of the base just enough, and finds it again in another", function()
    local base, split = assert(split_on(kernel(64)):distill())
    assert.equal(5, #base) -- int, list_head, kind, file, task_struct
    assert.same({}, base:find "struct task_struct".members)
    assert.equal(64, base:sizeof "struct task_struct")
    assert.equal(base, split.base)
    local other = kernel(128)
    local back = assert(split:relocate(other))
    assert.equal(other, back.base)
    assert.equal(other:find "struct task_struct".id, back:find "struct wraps".members[2].type.type.id)
    assert.equal(split_on(other):bytes(), assert(back:dedup()):bytes())
  end)

  it("is read out of a module's .BTF.base, and put on the base that is given #host", function()
    need.command "objcopy"
    local base, split = assert(split_on(kernel(64)):distill())
    local base_file, split_file, module = save(base), save(split), os.tmpname()
    local output, status = process.run(("objcopy --add-section .BTF=%s --add-section .BTF.base=%s build/spec/support/send %s")
      :format(split_file, base_file, module))
    assert.equal(0, status, output)
    assert.equal(#base, #assert(ebpf.btf.read(module)).base)
    local other = kernel(128)
    assert.equal(other, assert(ebpf.btf.read(module, other)).base)
    assert.matches("the base does not have it", select(2, ebpf.btf.read(module, assert(ebpf.btf.new():finish()))).message)
    for _, path in ipairs { base_file, split_file, module } do os.remove(path) end
  end)

  it("refuses a base whose embedded structs have another size, or that lacks a type", function()
    local _, split = assert(split_on(kernel(64)):distill())
    local back, err = split:relocate(kernel(64, 24))
    assert.is_nil(back)
    assert.equal("ENOENT", err.code)
    assert.matches("struct 'list_head': the base has none of 16 bytes", err.message)
    _, err = split:relocate(ebpf.btf.new():finish())
    assert.matches("the base does not have it", err.message)
    _, err = kernel(64):distill()
    assert.matches("not split", err.message)
  end)
end)
