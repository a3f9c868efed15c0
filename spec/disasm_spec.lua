-- ebpf disasm: beside llvm-objdump for objects, beside bpftool for loaded programs.
local ebpf = require "ebpf"
local json = require "dkjson"
local need = require "spec.support.need"
local process = require "spec.support.process"
local asm = ebpf.asm

local function document(arguments)
  local text, status = process.run("build/ebpf " .. arguments .. " --json")
  local value = json.decode(text)
  assert.is_table(value, text)
  return value, status
end

local function objects()
  local list = {}
  local found = process.run "ls build/spec/bpf/*.bpf.o build/spec/bpf/big/*.bpf.o build/examples/*.bpf.o 2>/dev/null"
  for path in found:gmatch "[^\n]+" do list[#list + 1] = path end
  assert.is_true(#list > 0)
  return list
end

-- What llvm-objdump says: by function, the instructions in order.
local function objdump(path)
  local functions, last = {}, nil
  for line in process.run("LD_PRELOAD= llvm-objdump -d --mcpu=v3 " .. path):gmatch "[^\n]+" do
    local name = line:match "^%x+ <([^>]+)>:$"
    if name and not name:match "^LBB" then
      functions[name], last = {}, name
    elseif line:match "^%s+%d+:%s" then
      table.insert(functions[last], line)
    end
  end
  return functions
end

describe("ebpf disasm FILE", function()
  it("lists the instructions that llvm-objdump lists #host", function()
    need.command "llvm-objdump"
    local compared, unknown = 0, 0
    for _, path in ipairs(objects()) do
      local theirs = objdump(path)
      local spec <close> = assert(ebpf.spec(path))
      for _, part in pairs(spec.functions) do
        local lines, ours = theirs[part.name], {}
        for _, item in ipairs(assert(part:instructions())) do
          if item.code then ours[#ours + 1] = item end
        end
        for i, row in ipairs(lines and ours or {}) do -- of several functions at the same place llvm-objdump names one
          assert.equal(#lines, #ours, path .. ": " .. part.name)
          local list = not lines[i]:match "<unknown>" and asm.parse((lines[i]:gsub("^%s+%d+:%s+[%x ]+\t", "")))
          if not list then
            unknown = unknown + 1 -- newer than this LLVM
          else
            local want = list[1]
            local same = want.code == row.code and want.dst == row.dst and want.off == row.off
              and (row.reference or want.src == row.src and (want.wide or want.imm) == (row.wide or row.imm))
            assert.is_truthy(same, path .. lines[i])
            compared = compared + 1
          end
        end
      end
    end
    assert.is_true(compared > 1000, "only " .. compared .. " instructions compared")
    assert.is_true(unknown < 20, unknown .. " instructions unknown to llvm-objdump")
  end)

  it("shows jump tables, which stay in their object", function()
    local path = "build/spec/bpf/new/load_jumps.bpf.o"
    need.file(path)
    assert.matches("= jump table BPF%.JT", process.run("build/ebpf disasm " .. path))
    local spec <close> = assert(ebpf.spec(path))
    local copy <close> = assert(ebpf.spec {})
    local block, err
    for _, part in pairs(spec.functions) do
      local list = assert(part:instructions())
      for _, item in ipairs(list) do
        if item.reference and item.reference.kind == "jumps" then block = block or assert(asm.block(list)) end
      end
    end
    block, err = copy:add_program("taken", "socket_filter", block)
    assert.is_nil(block)
    assert.matches("jump table .* cannot be taken along", err.message)
  end)

  it("prints the same in text and in JSON, and what asm.parse reads", function()
    for _, path in ipairs { "build/spec/bpf/load_data.bpf.o", "build/spec/bpf/big/spec_core.bpf.o" } do
      local text = process.run("build/ebpf disasm " .. path)
      local list, err = asm.parse(text)
      assert.is_table(list, path .. ": " .. tostring(err))
      local parsed, at = {}, 0
      for _, item in ipairs(list) do
        if item.code then parsed[#parsed + 1] = item end
      end
      for _, part in ipairs(document("disasm " .. path).functions) do
        for _, row in ipairs(part.instructions) do
          at = at + 1
          assert.same({ row.code, row.dst, row.off }, { parsed[at].code, parsed[at].dst, parsed[at].off }, row.text)
          assert.is_truthy(text:find(("%4d: (%02x) %s"):format(row.slot, row.code, row.text), 1, true), row.text)
        end
      end
      assert.equal(#parsed, at)
    end
  end)

  it("says what instructions refer to, and where they came from", function()
    local text = process.run "build/ebpf disasm build/spec/bpf/load_data.bpf.o"
    assert.matches("\nDisassembly of section socket:\n\nint multiply%(struct __sk_buff %*skb%): # program, socket_filter\n", text)
    assert.matches("\n; runs%+%+; @ load_data%.bpf%.c:%d+:%d+\n", text)
    assert.matches("%(18%) r%d = map_value load_dat%.rodata%+%d+ ll +; factor\n", text)
    assert.matches("%(18%) r1 = map absent ll\n", text)
    assert.matches("%(85%) call bpf_map_lookup_elem#1\n", text)
    assert.matches("%(15%) if r1 == 0x0 goto pc%+%d+ <%d+>\n", text)
    text = process.run "build/ebpf disasm build/spec/bpf/spec_core.bpf.o"
    assert.matches("; CO%-RE <byte_off> struct task_struct%.nested%.hidden %(0:2:1:0%)\n", text)
    assert.matches("%(85%) call in_text\n", text)
    text = process.run "build/ebpf disasm build/spec/bpf/spec_extern.bpf.o"
    assert.matches("= extern [%w_]+ ll", text)
    assert.matches("call kfunc [%w_]+", text)
    text = process.run "build/ebpf disasm build/spec/bpf/load_code.bpf.o"
    assert.matches("static int thrice%(int value%):\n", text)
    assert.matches("= func count_up ll\n", text)
    for _, folder in ipairs { "", "big/" } do -- of either order
      local path = "build/spec/bpf/" .. folder .. "load_code.bpf.o"
      local bytes = assert(ebpf.spec(path)).byteorder == "big" and "00 00 00 2a" or "2a 00 00 00"
      text = process.run("build/ebpf disasm --opcodes " .. path)
      assert.matches("%(b7%) r0 = 42\n       # b7 00 00 00 " .. bytes .. "\n", text)
    end
  end)

  it("has it all in JSON", function()
    local parts = document "disasm build/spec/bpf/load_data.bpf.o --function maybe".functions
    assert.equal(1, #parts)
    assert.equal("program", parts[1].kind)
    assert.equal("socket_filter", parts[1].type)
    assert.equal("int maybe(struct __sk_buff *skb)", parts[1].prototype)
    local maps, jumps, helpers, variables, sources = 0, 0, 0, 0, 0
    for _, row in ipairs(parts[1].instructions) do
      if row.reference and row.reference.kind == "map" then maps = maps + 1; assert.equal("absent", row.reference.name) end
      if row.reference and row.reference.variable then variables = variables + 1 end
      if row.target then jumps = jumps + 1; assert.equal(row.slot + 1 + row.off, row.target) end
      if row.helper then helpers = helpers + 1; assert.equal("map_lookup_elem", row.helper) end
      if row.source then sources = sources + 1; assert.is_number(row.source.line) end
    end
    assert.same({ 1, 2, 1, 1 }, { maps, jumps, helpers, variables })
    assert.is_true(sources > 3)
  end)

  it("shows what is no instruction as it is", function()
    local file <close> = assert(io.open("build/spec/bpf/load_code.bpf.o", "rb"))
    local little, path = string.pack("=I2", 1) == "\1\0", os.tmpname()
    local answer = little and "\xb7\0\0\0%\42\0\0\0" or "\xb7\0\0\0\0\0\0%\42" -- r0 = 42, whose byte is a "*"
    local bytes, found = file:read "a":gsub(answer, little and "\x8d\2\0\0\0\0\0\0" or "\x8d\32\0\0\0\0\0\0")
    assert.is_true(found > 0)
    local out <close> = assert(io.open(path, "wb"))
    out:write(bytes)
    out:close()
    local text, status = process.run("build/ebpf disasm --function answer " .. path)
    os.remove(path)
    assert.equal(0, status)
    assert.matches("\n   0: %(8d%) invalid%(code 0x8d, r2, r0, 0, 0%)\n   1: %(95%) exit\n", text)
  end)

  it("takes sections and functions apart, and says what is not there", function()
    local parts = document "disasm build/spec/bpf/load_code.bpf.o --section xdp".functions
    for _, part in ipairs(parts) do assert.equal("xdp", part.section) end
    assert.is_true(#parts >= 2)
    local out, status = process.run "build/ebpf disasm build/spec/bpf/load_code.bpf.o --section nothing"
    assert.matches("has no function in a section 'nothing'", out)
    assert.equal(1, status)
    local failed, code = document "disasm build/nothing.o"
    assert.equal("ENOENT", failed.error.code)
    assert.equal(1, code)
    out, status = process.run "build/ebpf disasm prog"
    assert.matches("an id, expected", out)
    assert.equal(1, status)
    out, status = process.run "build/ebpf disasm Makefile"
    assert.matches("Makefile", out)
    assert.equal(1, status)
  end)
end)

describe("ebpf disasm prog ID", function()
  -- The lines of bpftool's dump, in our spelling.
  local function bpftool(id)
    local rows = {}
    for slot, code, text in process.run("bpftool prog dump xlated id " .. id):gmatch "\n? *(%d+): %((%x%x)%) ([^\n]+)" do
      rows[#rows + 1] = { slot = math.tointeger(slot), code = tonumber(code, 16), text = text }
    end
    return rows
  end

  local function normal(row)
    local text = row.text:gsub(" ll$", ""):gsub(" <%-?%d+>$", "")
    return (text:gsub("^(call %S-)#.*$", "%1"):gsub("&%(void __percpu %*%)%((r%d+)%)", "%1"):gsub("^call pc.*$", "call"))
  end

  it("lists what bpftool lists", function()
    need { kernel = "5.10", "global_data" }
    need.command "bpftool"
    local coll <close> = assert(ebpf.load("build/spec/bpf/load_many.bpf.o", { programs = { "on_switch_0", "on_switch_1" } }))
    local compared = 0
    for name, program in pairs(coll.programs) do
      local id = program:info().id
      local want, at = bpftool(id), 0
      local dumped = document("disasm prog " .. id)
      assert.equal(program:info().tag, dumped.program.tag)
      for _, part in ipairs(dumped.functions) do
        assert.is_string(part.prototype, name)
        for _, row in ipairs(part.instructions) do
          at = at + 1
          assert.equal(want[at].slot, row.slot)
          assert.equal(want[at].code, row.code)
          if not row.text:match "^call" or want[at].text:match "^call bpf_%l" then
            assert.equal(normal(want[at]), normal(row))
          end
          compared = compared + 1
        end
      end
      assert.equal(#want, at)
    end
    assert.is_true(compared > 100)
  end)

  it("names maps, functions, kernel functions and lines", function()
    need { kernel = "5.10", "global_data", "btf_func" }
    local coll <close> = assert(ebpf.load("build/spec/bpf/load_many.bpf.o", { programs = { "on_switch_0" } }))
    local program = coll.programs.on_switch_0
    local text = process.run("build/ebpf disasm prog " .. program:info().id)
    assert.matches(("^%d: %%l[%%l_]+  name on_switch_0  tag %%x+"):format(program:info().id), text)
    assert.matches("\nint on_switch_0%(void %*ctx%):\n", text)
    assert.matches("\nstatic int describe%(struct event %*event%):\n", text)
    assert.matches("; total\n", process.run "build/ebpf disasm build/spec/bpf/load_many.bpf.o")
    assert.matches("call describe\n", text)
    assert.matches("= map%[id:%d+%] ll +; last\n", text)
    assert.matches("; %(%*count%)%+%+; @ load_many%.bpf%.c:%d+:%d+\n", text)
    local code = assert(program:code())
    assert.equal(2, #code.functions)
    assert.equal("on_switch_0", code.functions[1].name)
    assert.equal("describe", code.functions[2].name)
    assert.is_true(code.functions[2].insn > 0)
    assert.is_true(#code.lines > 10)
    assert.equal(program:info().map_count, #code.map_ids)
    local jited = program:info().jited_size
    if jited > 0 then
      assert.equal(jited, code.functions[1].jited_size + code.functions[2].jited_size)
      if code.functions[1].jited then
        assert.equal(jited, #code.functions[1].jited + #code.functions[2].jited)
        assert.matches("# describe: %d+ bytes of machine code at 0x%x+\n#      0: %x%x %x%x",
          process.run("build/ebpf disasm --jited prog " .. program:info().id))
      end
    end
    local list = program:instructions()
    assert.equal("int on_switch_0(void *ctx)", list[1].func)
    assert.is_string(list[2].source.text)
  end)

  it("opens a pinned program", function()
    need { kernel = "5.10" }
    local directory = os.tmpname()
    os.remove(directory)
    if not os.execute("mkdir " .. directory .. " && mount -t bpf bpf " .. directory) then pending "cannot mount a bpffs" end
    finally(function() os.execute("umount " .. directory .. "; rmdir " .. directory) end)
    local path = directory .. "/one"
    local program <close> = assert(ebpf.program { type = "socket_filter", name = "pinned_one", instructions = "r0 = 7\nexit" })
    assert(program:pin(path))
    local text = process.run("build/ebpf disasm prog " .. path)
    assert.matches("name pinned_one", text)
    assert.matches("\n   0: %(b7%) r0 = 7\n   1: %(95%) exit\n", text)
  end)
end)
