-- Types printed as C, raw, as annotations; values printed and read back. bpftool and the compiler say whether it is right.
local bpftool = require "spec.support.bpftool"
local ebpf = require "ebpf"
local json = require "dkjson"
local need = require "spec.support.need"
local process = require "spec.support.process"
local _ -- what a test does not look at

local folder = "build/spec/bpf/"
local vmlinux = "/sys/kernel/btf/vmlinux"
local objects = {
  "lua_types", "lua_records", "load_code", "load_kconfig", "load_ksym", "spec_core", "spec_extern", "spec_struct_ops",
}

local function write(text, suffix)
  local name = os.tmpname()
  os.remove(name)
  name = name .. (suffix or "")
  local file <close> = assert(io.open(name, "w"))
  file:write(text)
  finally(function() os.remove(name) end)
  return name
end

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

local function ebpf_command(arguments)
  local err = os.tmpname()
  local pipe = assert(io.popen("build/ebpf " .. arguments .. " 2>" .. err))
  local out = pipe:read "a"
  local _, _, status = pipe:close()
  local message = read(err)
  os.remove(err)
  return out, message, status
end

-- -- the compiler as judge of a header --

-- Names that one type alone has: those that keep their name in the header.
local function unique_names(btf)
  local count = {}
  for _, type in pairs(btf) do
    if type.name ~= "" and type.kind ~= "fwd" then count[type.name] = (count[type.name] or 0) + 1 end
  end
  return count
end

local function is_struct(type) return type.kind == "struct" or type.kind == "union" end

local function assert_offsets(lines, c_name, type, bits)
  for _, member in ipairs(type.members) do
    local inner, at = member.type:resolve(), bits + member.bit_offset
    if member.name == "" then
      if is_struct(inner) then assert_offsets(lines, c_name, inner, at) end
    elseif not member.bit_size then
      lines[#lines + 1] = ("_Static_assert(__builtin_offsetof(%s, %s) == %d, \"%s.%s\");")
        :format(c_name, member.name, at // 8, c_name, member.name)
    end
  end
end

-- A C file that the compiler takes if each struct and enum has its size, and each member its place. `except`: names.
local function assertions(btf, except)
  local lines, count = {}, unique_names(btf)
  for _, type in pairs(btf) do
    local is_enum = (type.kind == "enum" or type.kind == "enum64") and type.count > 0
    if type.name ~= "" and count[type.name] == 1 and (is_enum or is_struct(type)) and not except[type.name] then
      local c_name = (is_enum and "enum " or type.kind .. " ") .. type.name
      lines[#lines + 1] = ("_Static_assert(sizeof(%s) == %d, \"size of %s\");"):format(c_name, type.size, c_name)
      if not is_enum then assert_offsets(lines, c_name, type, 0) end
    end
  end
  return lines
end

local function assert_compiles(btf, header, except)
  local lines = assertions(btf, except or {})
  local file = write(header .. table.concat(lines, "\n") .. "\n", ".c")
  local target = btf.byteorder == "big" and "bpfeb" or "bpfel"
  local output, status = process.run(("clang -target %s -g -w -ferror-limit=5 -c -o %s.o %s"):format(target, file, file))
  os.remove(file .. ".o")
  assert.equal(0, status, output:sub(1, 3000))
  return #lines
end

local function same_as_bpftool(path)
  local btf <close> = assert(ebpf.btf(path))
  bpftool.prints_the_same(btf, path)
end

describe("types as C", function()
  it("compile, and lie where they did #host", function()
    need.command "clang"
    for _, name in ipairs(objects) do
      for _, order in ipairs { "", "big/" } do
        local btf <close> = assert(ebpf.btf(folder .. order .. name .. ".bpf.o"))
        assert_compiles(btf, btf:dump { header = true })
      end
    end
  end)

  it("do so for every shape that C has #host", function()
    need.command "clang"
    for _, order in ipairs { "", "big/" } do
      local btf <close> = assert(ebpf.btf(folder .. order .. "btf_shapes.bpf.o"))
      assert.is_true(assert_compiles(btf, btf:dump()) > 150)
    end
  end)

  it("do so for the whole kernel #host", function()
    need.command "clang"
    need.file(vmlinux)
    local btf <close> = assert(ebpf.btf.vmlinux())
    local header = btf:dump { header = true, functions = true }
    -- A va_list is the compiler's own, and not of one size for all machines.
    local lines = assert_compiles(btf, header, { warn_args = true })
    assert.is_true(lines > 10000)
    assert_compiles(btf, btf:dump { sort = true }, { warn_args = true })
  end)

  it("are chosen by name, with what they need", function()
    local btf <close> = assert(ebpf.btf(folder .. "lua_types.bpf.o"))
    assert.equal("typedef unsigned int __u32;\n\ntypedef int __s32;\n\nstruct pair {\n\t__u32 low;\n\t__s32 high;\n};\n\n",
      btf:dump { types = { "struct pair" } })
    assert.equal(btf:dump { types = { "struct pair" } }, btf:dump { types = { btf:find "struct pair" } })
    assert.equal("struct pair x[2]", btf:declare(btf:find "struct value".members[8].type, "x"))
    local text, err = btf:dump { types = { "struct nope" } }
    assert.is_nil(text)
    assert.equal("ENOENT", err.code)
    assert.has_error(function() btf:dump { types = {} } end)
    assert.has_error(function() btf:dump { format = "xml" } end)
    assert.has_error(function() btf:dump { format = "raw", sort = true } end)
    assert.has_error(function() btf:dump { colour = true } end)
  end)

  it("are written to a file", function()
    local btf <close> = assert(ebpf.btf(folder .. "lua_types.bpf.o"))
    local name = write ""
    local file = assert(io.open(name, "w"))
    assert.is_true(btf:dump { header = true, to = file })
    file:close()
    assert.equal(btf:dump { header = true }, read(name))
    assert.has_error(function() btf:dump { to = file } end)
    assert.has_error(function() btf:dump { to = name } end)
    local full <close> = assert(io.open("/dev/full", "w"))
    full:setvbuf "no"
    local result, err = btf:dump { to = full }
    assert.is_nil(result)
    assert.equal("ENOSPC", err.code)
  end)

  it("are what bpftool prints, raw and as JSON too", function()
    need.command "bpftool"
    for _, name in ipairs(objects) do same_as_bpftool(folder .. name .. ".bpf.o") end
    local path = folder .. "spec_core.bpf.o"
    local btf <close> = assert(ebpf.btf(path))
    assert.same(json.decode(process.run("bpftool -j btf dump file " .. path)), json.decode(btf:dump { format = "json" }))
  end)

  it("are so for the whole kernel", function()
    need.command "bpftool"
    need.file(vmlinux)
    same_as_bpftool(vmlinux)
  end)

  it("are good for CO-RE: a program that is compiled with them reads the running kernel #host", function()
    need { kernel = "5.10", "btf" }
    need.command "clang"
    need.file(vmlinux)
    local header = write(assert(ebpf.btf.vmlinux():dump { header = true, types = { "struct task_struct" } }), ".h")
    local source = write(([[#include "%s"
      #define __uint(name, value) int (*name)[value]
      static unsigned long long (*current)(void) = (void *)35;
      static long (*probe_read_kernel)(void *, unsigned int, const void *) = (void *)113;
      __attribute__((section("raw_tp"), used)) int tgid(void *context)
      {
        struct task_struct *task = (void *)current();
        int value = 0;
        probe_read_kernel(&value, sizeof(value), &task->tgid);
        return value;
      }
      char _license[] __attribute__((section("license"), used)) = "GPL";
    ]]):format(header), ".c")
    local output, status = process.run(("clang -target bpf -O2 -g -w -c -o %s.o %s"):format(source, source))
    finally(function() os.remove(source .. ".o") end)
    assert.equal(0, status, output)
    local coll <close> = assert(ebpf.load(source .. ".o"))
    local pid = tonumber(read "/proc/self/stat":match "^%d+")
    assert.equal(pid, assert(coll.programs.tgid:run {}).retval)
  end)
end)

describe("values", function()
  local btf = assert(ebpf.btf(folder .. "lua_types.bpf.o"))

  it("are printed as C initializers, on one line or over several", function()
    local bytes = btf:encode("struct value",
      { big = -1, color = "GREEN", name = "x", pairs = { { low = 1, high = -2 } }, five = -3, flag = true })
    assert.equal('{ .big = 18446744073709551615, .color = GREEN, .flag = true, .name = "x", .pairs = { { .low = 1, .high = -2 } }, '
      .. ".five = -3 }", btf:format("struct value", bytes))
    local pair = btf:encode("struct pair", { low = 7 })
    assert.equal("{\n\t.low = 7,\n}", btf:format("struct pair", pair, { compact = false }))
    assert.equal("{ .low = 7, .high = 0 }", btf:format("struct pair", pair, { emit_zeroes = true }))
    assert.equal("{ 7, 0 }", btf:format("struct pair", pair, { skip_names = true }))
    assert.equal("  {\n    .low = 7,\n  }", btf:format("struct pair", pair, { compact = false, indent = "  ", indent_level = 1 }))
    assert.equal("(struct pair){.low = (__u32)7,}", btf:format("struct pair", pair, { typed = true }))
    assert.equal("GREEN", btf:format("enum color", string.pack("=I4", 2)))
    assert.has_error(function() btf:format("struct pair", pair, { colour = true }) end)
  end)

  it("are read back", function()
    local bytes = assert(btf:parse("struct value",
      '{ .name = "hi", .pairs[1] = { 1, .high = -1 }, .color = BLUE, .grid = { [1][2] = 0x10 }, .mac = "\\1\\2" }'))
    local value = btf:decode("struct value", bytes)
    assert.equal("hi", value.name)
    assert.same({ low = 1, high = -1 }, value.pairs[2])
    assert.equal(70, value.color)
    assert.equal(16, value.grid[2][3])
    assert.equal(2, value.mac[2])
    assert.equal(bytes, btf:parse("struct value", btf:format("struct value", bytes)))
    assert.equal(bytes, btf:parse("struct value", btf:format("struct value", bytes, { typed = true, compact = false })))
  end)

  it("say what is wrong with them", function()
    local bytes, err, errno = btf:parse("struct value", "{ .big = 1,\n  .colour = RED }")
    assert.is_nil(bytes)
    assert.matches("line 2, column 4: struct value has no member 'colour'", tostring(err), 1, true)
    assert.equal(2, errno)
    local text, part
    text, err, errno, part = btf:format("struct pair", string.pack("=I4 I1", 1, 2))
    assert.is_nil(text)
    assert.equal("value: struct pair has 8 bytes, but there are 5", err.message)
    assert.equal("E2BIG", err.code)
    assert.equal(7, errno)
    assert.equal("{ .low = 1 }", part)
    assert.has_error(function() btf:parse("struct pair", "{ .low = 1 }\0") end)
  end)

  it("of the kernel's own types come back as they were", function()
    need.file(vmlinux)
    local kernel <close> = assert(ebpf.btf.vmlinux())
    for _, name in ipairs { "struct sock_common", "struct list_head", "struct sk_buff", "struct task_struct", "union bpf_attr" } do
      local size = kernel:sizeof(name)
      -- Of ones everywhere, what comes back are the members without the padding between.
      local ones = assert(kernel:parse(name, assert(kernel:format(name, ("\xff"):rep(size)))))
      assert.is_true(ones:find "\xff" ~= nil)
      local random = {}
      for i = 1, size do random[i] = string.char(math.random(0, 255) & ones:byte(i)) end
      random = table.concat(random)
      for i = 0, 7 do
        local options = { compact = i & 1 == 0, emit_zeroes = i & 2 == 0, skip_names = i & 4 == 0 }
        assert.equal(random, assert(kernel:parse(name, assert(kernel:format(name, random, options)))), name)
      end
    end
  end)

  it("need a BTF that is open", function()
    local closed = assert(ebpf.btf(folder .. "lua_types.bpf.o"))
    closed:close()
    assert.has_error(function() closed:format("struct pair", "") end)
    assert.has_error(function() closed:parse("struct pair", "{}") end)
    assert.has_error(function() closed:dump() end)
    assert.has_error(function() closed:declare(1) end)
  end)
end)

describe("ebpf btf dump", function()
  local path = folder .. "lua_types.bpf.o"

  it("prints C, raw lines, annotations", function()
    local btf <close> = assert(ebpf.btf(path))
    assert.equal(btf:dump { header = true }, (ebpf_command("btf dump " .. path)))
    assert.equal(btf:dump { header = true, sort = true, functions = true },
      (ebpf_command("btf dump --sort --kfuncs --format c " .. path)))
    assert.equal(btf:dump { format = "raw" }, (ebpf_command("btf dump --format raw " .. path)))
    assert.equal(btf:dump { format = "raw", types = { "struct pair", 2 } },
      (ebpf_command("btf dump " .. path .. " --format raw --type 'struct pair' 2")))
    local raw = btf:dump { format = "raw", types = { 2, "struct pair" } }
    assert.equal(raw, (ebpf_command("btf dump --format raw --type 2 --type 'struct pair' " .. path)))
    assert.equal(raw, (ebpf_command("btf dump --type 2 " .. path .. " 'struct pair' --format raw")))
    local _, _, status = ebpf_command("btf dump " .. path)
    assert.equal(0, status)
  end)

  it("prints annotations that are Lua", function()
    local text = ebpf_command("btf dump " .. path .. " --format lua --type 'struct value'")
    assert.matches("\n%-%-%- struct value, %d+ bytes\n%-%-%-@class types.value\n%-%-%-@field big integer # __u64\n", text)
    assert.matches("\n%-%-%-@field pairs types.pair%[%] # struct pair%[2%]\n", text)
    assert.matches("\n%-%-%-@field three integer # __u32: 3\n", text)
    assert.matches("\n%-%-%-@field word integer # __u32\n", text) -- of a union without a name
    assert.matches("\n%-%-%-@class types.pair\n", text)
    local types = assert(load(text))()
    assert.same({ RED = 1, GREEN = 2, BLUE = 70 }, types.color)
    assert(load((ebpf_command("btf dump " .. path .. " --format lua"))))
  end)

  it("prints one JSON document", function()
    for _, format in ipairs { "", " --format raw" } do
      local document = json.decode((ebpf_command("btf dump " .. path .. " --json" .. format)))
      local btf <close> = assert(ebpf.btf(path))
      assert.equal(#btf, #document.types)
      assert.same({ id = 2, kind = "INT", name = "int", size = 4, bits_offset = 0, nr_bits = 32, encoding = "SIGNED" },
        document.types[2])
    end
    local document = json.decode((ebpf_command("btf dump " .. path .. " --json --format c --type 'struct pair'")))
    assert.equal("c", document.format)
    assert.matches("struct pair {", document.text)
  end)

  it("takes the kernel's types, by name, file and id", function()
    need { kernel = "5.10", "btf" }
    need.file(vmlinux)
    local text, err, status = ebpf_command("btf dump vmlinux --format raw --type 'struct list_head'")
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^%[%d+%] STRUCT 'list_head' size=16 vlen=2\n\t'next' ", text)
    assert.equal(text, (ebpf_command("btf dump " .. vmlinux .. " --format raw --type 'struct list_head'")))
    local list = assert(ebpf.btf.list())
    for _, info in ipairs(list) do
      if info.name == "vmlinux" then
        assert.equal(text, (ebpf_command("btf dump " .. info.id .. " --format raw --type 'struct list_head'")))
      end
    end
  end)

  it("ends with status 1 and the reason", function()
    local out, err, status = ebpf_command "btf dump /no/such/file"
    assert.equal("", out)
    assert.matches("^ebpf: /no/such/file: open: no such file", err)
    assert.equal(1, status)
    out, err, status = ebpf_command("btf dump " .. path .. " --type 'struct nope'")
    assert.equal("", out)
    assert.matches("nope", err)
    assert.equal(1, status)
    out, _, status = ebpf_command("btf dump --json " .. path .. " --type 'struct nope'")
    assert.equal("ENOENT", json.decode(out).error.code)
    assert.equal(1, status)
    _, err, status = ebpf_command("btf dump " .. path .. " --format raw --sort")
    assert.matches("format c", err)
    assert.equal(1, status)
    _, err, status = ebpf_command("btf dump " .. path .. " " .. path)
    assert.matches("one source at a time", err)
    assert.equal(1, status)
    _, err, status = ebpf_command("btf dump " .. path .. " --type 99999")
    assert.matches("99999", err)
    assert.equal(1, status)
    _, _, status = ebpf_command("btf dump " .. path .. " >/dev/full")
    assert.equal(1, status)
  end)
end)
