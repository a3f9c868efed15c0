-- ebpf.asm: the builder, texts, machine code, and that the kernel takes and runs what was built.
local ebpf = require "ebpf"
local need = require "spec.support.need"
local process = require "spec.support.process"
local asm = ebpf.asm

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

-- What the function says, and the little-endian bytes of the instruction.
local function check(instruction, text, bytes)
  assert.equal(text, tostring(instruction))
  if bytes then assert.equal(bytes, hex(assert(asm.encode({ instruction }, "little")))) end
  if not text:match "goto" then
    local parsed = assert(asm.parse(text))
    assert.equal(text, tostring(parsed))
    assert.equal(assert(asm.encode { instruction }), assert(asm.encode(parsed)))
  end
end

describe("asm", function()
  local r0, r1, r2, r6, r10, w1, w2 = asm.r0, asm.r1, asm.r2, asm.r6, asm.r10, asm.w1, asm.w2

  it("builds arithmetic", function()
    check(asm.mov(r0, 2), "r0 = 2", "b700000002000000")
    check(asm.mov(r1, r2), "r1 = r2", "bf21000000000000")
    check(asm.mov(w1, 0xffffffff), "w1 = -1", "b4010000ffffffff")
    check(asm.mov32(r1, r2), "w1 = w2", "bc21000000000000")
    check(asm.add(r1, -5), "r1 += -5", "07010000fbffffff")
    check(asm.sub(w1, w2), "w1 -= w2", "1c21000000000000")
    check(asm.arsh(r1, 3), "r1 s>>= 3", "c701000003000000")
    check(asm.arsh32(r1, 3), "w1 s>>= 3", "c401000003000000")
    check(asm.and_(r1, 7), "r1 &= 7", "5701000007000000")
    check(asm.or_(r1, r2), "r1 |= r2", "4f21000000000000")
    check(asm.sdiv(r1, r2), "r1 s/= r2", "3f21010000000000")
    check(asm.smod32(r1, 5), "w1 s%= 5", "9401010005000000")
    check(asm.neg(r1), "r1 = -r1", "8701000000000000")
    check(asm.neg(w1), "w1 = -w1", "8401000000000000")
    check(asm.movsx8(r1, r2), "r1 = (s8)r2", "bf21080000000000")
    check(asm.movsx16(w1, w2), "w1 = (s16)w2", "bc21100000000000")
    check(asm.be16(r1), "r1 = be16 r1", "dc01000010000000")
    check(asm.le64(r1), "r1 = le64 r1", "d401000040000000")
    check(asm.addr_space_cast(r1, r2, 0, 1), "r1 = addr_space_cast(r2, 0, 1)", "bf21010001000000")
    check(asm.addr_space_cast(r1, r2, 1, 0), "r1 = addr_space_cast(r2, 1, 0)", "bf21010000000100")
    check(asm.bswap32(r1), "r1 = bswap32 r1", "d701000020000000")
    for name in ("mov add sub mul div sdiv mod smod or_ and_ xor lsh rsh arsh neg"):gmatch "%S+" do
      assert.is_function(asm[name], name)
      assert.is_function(asm[name .. "32"], name .. "32")
    end
  end)

  it("builds loads and stores", function()
    check(asm.load("u64", r1, r10, -8), "r1 = *(u64 *)(r10 -8)", "79a1f8ff00000000")
    check(asm.ldxb(r1, r2), "r1 = *(u8 *)(r2 +0)", "7121000000000000")
    check(asm.ldxh(r1, r2, 2), "r1 = *(u16 *)(r2 +2)", "6921020000000000")
    check(asm.ldxw(r1, r2, 4), "r1 = *(u32 *)(r2 +4)", "6121040000000000")
    check(asm.load("s16", r1, r2, 4), "r1 = *(s16 *)(r2 +4)", "8921040000000000")
    check(asm.ldsxw(r1, r2), "r1 = *(s32 *)(r2 +0)", "8121000000000000")
    check(asm.store("u32", r10, r1, -4), "*(u32 *)(r10 -4) = r1", "631afcff00000000")
    check(asm.stxdw(r10, r1, -8), "*(u64 *)(r10 -8) = r1", "7b1af8ff00000000")
    check(asm.store("u8", r10, 255, -1), "*(u8 *)(r10 -1) = 255", "720affffff000000")
    check(asm.store_imm("u64", r10, -1, -8), "*(u64 *)(r10 -8) = -1", "7a0af8ffffffffff")
    check(asm.stw(r10, 5, -4), "*(u32 *)(r10 -4) = 5", "620afcff05000000")
    check(asm.ld_abs("u16", 12), "r0 = *(u16 *)skb[12]", "280000000c000000")
    check(asm.ld_ind("u8", r1, 4), "r0 = *(u8 *)skb[r1 + 4]", "5010000004000000")
    check(asm.atomic_add("u64", r1, r2), "lock *(u64 *)(r1 +0) += r2", "db21000000000000")
    check(asm.atomic_or("u32", r1, r2, 4), "lock *(u32 *)(r1 +4) |= r2", "c321040040000000")
    check(asm.fetch_xor("u64", r1, r2), "r2 = atomic64_fetch_xor((u64 *)(r1 +0), r2)", "db210000a1000000")
    check(asm.xchg("u32", r1, r2), "r2 = atomic_xchg((u32 *)(r1 +0), r2)", "c3210000e1000000")
    check(asm.cmpxchg("u64", r1, r2, 8), "r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)", "db210800f1000000")
    check(asm.load_acquire("u8", r0, r1), "r0 = load_acquire((u8 *)(r1 +0))", "d310000000010000")
    check(asm.store_release("u64", r1, r2, 8), "store_release((u64 *)(r1 +8), r2)", "db21080010010000")
    check(asm.ld_imm64(r1, 0x1122334455667788), "r1 = 0x1122334455667788 ll", "18010000887766550000000044332211")
    check(asm.ld_imm64(r1, -1), "r1 = 0xffffffffffffffff ll", "18010000ffffffff00000000ffffffff")
    check(asm.ld_map(r1, 5), "r1 = map[fd:5] ll", "18110000050000000000000000000000")
    check(asm.ld_map_value(r1, 5, 8), "r1 = map[fd:5][0]+8 ll", "18210000050000000000000008000000")
    check(asm.ld_map(r1, "events"), "r1 = map events ll", "18110000000000000000000000000000")
    check(asm.ld_map_value(r1, ".bss", 16), "r1 = map_value .bss+16 ll", "18210000000000000000000000000000")
    check(asm.ld_var(r1, "counter"), "r1 = var counter ll", "18210000000000000000000000000000")
    check(asm.ld_var(r1, "counter", 4), "r1 = var counter+4 ll")
    check(asm.ld_btf_id(r1, 7), "r1 = btf[id:7] ll", "18310000070000000000000000000000")
    check(asm.ld_btf_id(r1, 7, 9), "r1 = btf[id:7,fd:9] ll", "18310000070000000000000009000000")
    check(asm.ld_map_idx(r1, 2), "r1 = map[idx:2] ll", "18510000020000000000000000000000")
    check(asm.ld_map_idx_value(r1, 2, 4), "r1 = map[idx:2][0]+4 ll", "18610000020000000000000004000000")
    check(asm.ld_func(r2, "callback"), "r2 = func callback ll", "18420000000000000000000000000000")
    check(asm.ld_extern(r2, "CONFIG_HZ"), "r2 = extern CONFIG_HZ ll", "18020000000000000000000000000000")
  end)

  it("builds jumps and calls", function()
    check(asm.jlt(r0, 10, "again"), "if r0 < 0xa goto again")
    check(asm.jlt(r0, 10, -2), "if r0 < 0xa goto pc-2")
    check(asm.jne32(r0, r1, 3), "if w0 != w1 goto pc+3")
    check(asm.jset(w1, 0xffffffff, 0), "if w1 & 0xffffffff goto pc+0")
    check(asm.jsge(r1, -1, "x"), "if r1 s>= 0xffffffff goto x")
    check(asm.ja "end", "goto end")
    check(asm.nop(), "goto pc+0")
    check(asm.gotol "end", "gotol end")
    check(asm.may_goto "end", "may_goto end")
    check(asm.gotox(r1), "gotox r1", "0d01000000000000")
    check(asm.call "map_lookup_elem", "call bpf_map_lookup_elem#1", "8500000001000000")
    check(asm.call(7), "call bpf_get_prandom_u32#7", "8500000007000000")
    check(asm.call_func "inner", "call inner", "85100000ffffffff")
    check(asm.kfunc "bpf_task_from_pid", "call kfunc bpf_task_from_pid", "85200000ffffffff")
    check(asm.exit(), "exit", "9500000000000000")
    assert.equal("again:", tostring(asm.label "again"))
  end)

  it("raises for wrong arguments, at the caller's line, naming the argument", function()
    local function refuses(pattern, fn, ...)
      local ok, message = pcall(function(...) return (fn(...)) end, ...)
      assert.is_false(ok)
      assert.matches("asm_spec%.lua:%d+: " .. pattern, message)
    end
    refuses("mov: destination: register expected, got integer", asm.mov, 5, 1)
    refuses("mov: value: integer expected, got nil", asm.mov, r0)
    refuses("mov: value: integer expected, got float", asm.mov, r0, 1.5)
    refuses("mov: value: 4294967295 does not fit in a signed 32%-bit constant %(load it with asm.ld_imm64 first%)",
      asm.mov, r0, 0xffffffff)
    refuses("mov: value: 4294967296 does not fit", asm.mov, w1, 1 << 32)
    refuses("add: r1 and w2 have different widths", asm.add, r1, w2)
    refuses("load: offset: 40000 does not fit %(%-32768 to 32767%)", asm.load, "u8", r1, r2, 40000)
    refuses("load: size: u8 to u64 or s8 to s32 expected, got u7", asm.load, "u7", r1, r2)
    refuses("store: size: u8 to u64 expected, got s8", asm.store, "s8", r1, r2)
    refuses("stxb: source: register expected, got integer", asm.stxb, r1, 5)
    refuses("load: source: 64%-bit register expected, got w1", asm.load, "u8", r1, w1)
    refuses("atomic_add: size: u32 or u64 expected, got u8", asm.atomic_add, "u8", r1, r2)
    refuses("ja: target: 32768 does not fit", asm.ja, 32768)
    refuses("ja: target: label or distance expected, got nil", asm.ja)
    refuses("call: unknown helper 'map_lookup'", asm.call, "map_lookup")
    refuses("label: name: string expected, got nil", asm.label)
    refuses("func: prototype: string expected, got nil", asm.func)
    refuses("func: 'sum' is no prototype such as", asm.func, "sum")
    refuses("comment: text: string expected, got nil", asm.exit().comment, asm.exit())
    refuses("comment: 'x:' is no instruction", asm.exit().comment, asm.label "x", "text")
    refuses("addr_space_cast: to: 2 does not fit", asm.addr_space_cast, r1, r2, 2, 0)
    refuses("ld_var: offset: %-1 does not fit", asm.ld_var, r1, "v", -1)
    refuses("ld_map: map: name or map expected, got table", asm.ld_map, r1, {})
    refuses("instruction 2: instruction expected, got number", asm.encode, { asm.exit(), 5 })
    refuses("instruction 1: code: 300 does not fit", asm.encode, { { code = 300 } })
    refuses("instruction 1: off: integer expected, got string", asm.encode, { { code = 5, off = "x" } })
  end)

  it("reads texts, and says where a mistake is", function()
    assert.equal("r0 = 2\nexit", tostring(asm.parse "r0 = 2\nexit"))
    local list = assert(asm.parse [[
      r0 = 0
      again: r0 += 1             ; counts
      if r0 < 10 goto again
      r1 = map m ll
      call bpf_get_smp_processor_id
      exit]])
    assert.equal("again", list[2].label)
    assert.equal("again", list[4].jump)
    assert.same({ kind = "map", name = "m", addend = 0 }, list[5].reference)
    assert.equal("r0 = 0\nagain:\nr0 += 1\nif r0 < 0xa goto again\nr1 = map m ll\ncall bpf_get_smp_processor_id#8\nexit",
      tostring(list))
    local nothing, err, errno = asm.parse "r0 = 2\nr0 = r12"
    assert.is_nil(nothing)
    assert.equal("assembly, line 2, column 6: there is no register r12", err.message)
    assert.equal("EINVAL", err.code)
    assert.equal(22, errno)
    assert.has_error(function() asm.parse(5.5, {}) end)
  end)

  it("resolves labels in lists of lists and texts", function()
    local bytes = assert(asm.encode({
      asm.mov(r0, 0), { asm.label "again", "r0 += 1" }, asm.jlt(r0, 10, "again"), asm.exit(),
    }, "little"))
    assert.equal("b700000000000000" .. "0700000001000000" .. "a500feff0a000000" .. "9500000000000000", hex(bytes))
    local big = assert(asm.encode("r1 = r2\nif r1 == 1 goto +0\nexit", "big"))
    assert.equal("bf12000000000000" .. "1510000000000001" .. "9500000000000000", hex(big))
    assert.equal("r1 = r2\nif r1 == 0x1 goto pc+0\nexit", tostring(asm.decode(big, "big")))
    local nothing, err = asm.encode { asm.ja "agian", asm.label "again", asm.exit() }
    assert.is_nil(nothing)
    assert.equal("instruction 0: label 'agian' is not defined", err.message)
    assert.equal("did you mean 'again'?", err.hint)
    assert.equal("ENOENT", err.code)
    nothing, err = asm.decode(("\0"):rep(8))
    assert.is_nil(nothing)
    assert.equal("instruction 0 (code 0x00): unknown opcode", err.message)
    nothing, err = asm.encode { asm.label "a", asm.label "a", asm.exit() }
    assert.is_nil(nothing)
    assert.equal("EEXIST", err.code)
    local list = {}
    list[1] = list
    assert.has_error(function() asm.encode(list) end)
  end)

  it("reads what llvm-objdump writes of real objects, to the same bytes #host", function()
    need.command "llvm-objdump"
    local objects, count = process.run "ls build/spec/bpf/*.bpf.o build/examples/*.bpf.o 2>/dev/null", 0
    for object in objects:gmatch "[^\n]+" do
      for line in process.run("llvm-objdump -d --mcpu=v3 " .. object):gmatch "[^\n]+" do
        local number, bytes, text = line:match "^%s+(%d+):%s+([%x ]+)\t(.+)$"
        if number and not text:match "<unknown>" then
          local want = bytes:gsub("%s", "")
          local parsed, err = asm.parse(line)
          assert(parsed, tostring(err) .. ": " .. line)
          parsed[1].jump = nil
          -- a call that still needs its relocation has distance -1, which a block of one instruction cannot hold
          if #parsed == 1 and not text:match "goto" and not text:match "call" and not text:match "r%d+ = .* ll" then
            assert.equal(want, hex(assert(asm.encode(parsed, "little"))), line)
          end
          local again = assert(asm.parse(tostring(parsed)))
          assert.same(parsed[1], again[1], line)
          assert.equal(tonumber(want:sub(1, 2), 16), parsed[1].code, line)
          assert.equal(tonumber(want:sub(4, 4), 16), parsed[1].dst, line)
          assert.equal(tonumber(want:sub(3, 3), 16), parsed[1].src, line)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 100, "only " .. count .. " instructions compared")
  end)

  it("builds what the kernel runs", function()
    need { kernel = "4.12" }
    local prog <close> = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.mov(r0, 0),
      asm.label "again", asm.add(r0, 1), asm.jlt(r0, 10, "again"),
      asm.exit(),
    } })
    assert.equal(10, prog:run { data = ("\0"):rep(14) }.retval)
  end)

  it("loads a map by its handle and by its name", function()
    need { kernel = "4.12" }
    local map <close> = assert(ebpf.map { type = "array", key = "u32", value = "u64", max_entries = 1 })
    local function body(load)
      return {
        asm.store("u32", r10, 0, -4), asm.mov(r2, r10), asm.add(r2, -4), load, asm.call "map_lookup_elem",
        asm.jeq(r0, 0, "out"), asm.mov(r6, 5), asm.atomic_add("u64", r0, r6), asm.ldxdw(r0, r0),
        asm.label "out", asm.exit(),
      }
    end
    local by_handle <close> = assert(ebpf.program {
      type = "socket_filter", license = "GPL", instructions = body(asm.ld_map(r1, map)),
    })
    assert.equal(5, by_handle:run { data = ("\0"):rep(14) }.retval)
    local by_name <close> = assert(ebpf.program {
      type = "socket_filter", license = "GPL", instructions = body(asm.ld_map(r1, "counts")), maps = { counts = map },
    })
    assert.equal(10, by_name:run { data = ("\0"):rep(14) }.retval)
    assert.equal(10, map[0])
    map:close()
    assert.has_error(function() asm.encode(body(asm.ld_map(r1, map))) end)
  end)

  -- A list with every kind of item, from a seed.
  local function random_list(seed)
    math.randomseed(seed)
    local list, labels = {}, {}
    local registers = { asm.r0, asm.r1, asm.r2, asm.r3, asm.r4, asm.r5, asm.r6, asm.r7, asm.r8, asm.r9 }
    local function r() return registers[math.random(#registers)] end
    local function any(...) return (select(math.random(select("#", ...)), ...)) end
    local function constant() return any(0, 1, -1, 7, 0x7fffffff, -0x80000000, math.random(-1000, 1000)) end
    local makers = {
      function() return asm[any("mov", "add", "sub", "sdiv", "smod", "and_", "or_", "lsh", "arsh")](r(), any(r(), constant())) end,
      function() return asm[any("mov32", "add32", "rsh32", "mod32", "div32")](r(), any(r(), constant())) end,
      function() return asm.load(any("u8", "u16", "u32", "u64", "s8", "s16", "s32"), r(), r(), math.random(-0x8000, 0x7fff)) end,
      function() return asm.store(any("u8", "u16", "u32", "u64"), r(), any(r(), constant()), math.random(-0x8000, 0x7fff)) end,
      function() return asm[any("fetch_add", "atomic_or", "xchg", "cmpxchg")](any("u32", "u64"), r(), r(), any(0, -99)) end,
      function() return any(asm.load_acquire("u16", r(), r(), 8), asm.store_release("u64", r(), r(), -8)) end,
      function() return any(asm.be32(r()), asm.bswap16(r()), asm.le64(r()), asm.neg(r()), asm.movsx8(r(), r())) end,
      function() return asm.ld_imm64(r(), any(0, -1, math.mininteger, 0x123456789, 5)) end,
      function()
        return any(asm.ld_map(r(), "m"), asm.ld_map_value(r(), ".bss", 8), asm.ld_var(r(), "v", any(0, 4)), asm.ld_func(r(), "cb"),
          asm.ld_extern(r(), "jiffies"), asm.ld_map(r(), 5), asm.ld_btf_id(r(), 9, any(0, 3)), asm.ld_map_idx(r(), 1))
      end,
      function()
        return any(asm.call "bpf_map_lookup_elem", asm.call(4000), asm.call_func "sum", asm.kfunc "bpf_task_from_pid", asm.exit())
      end,
      function() return asm[any("jeq", "jne32", "jsgt", "jset", "jle32")](r(), any(r(), constant()), any("l1", "l2", -99)) end,
      function() return any(asm.ja "l1", asm.gotol "l2", asm.may_goto "l1", asm.gotox(r()), asm.ja(-7), asm.gotol(70000)) end,
    }
    for n = 1, 40 do
      local item = makers[math.random(#makers)]()
      if math.random(4) == 1 then item:comment("remark " .. n, any(nil, "a b/x.c"), any(nil, n), nil) end
      if math.random(9) == 1 then item:relocate(any("byte_off", "signed"), any("struct x", "union u"), "0:1:2") end
      list[#list + 1] = item
      if math.random(12) == 1 then
        list[#list + 1] = asm.func(("int f%d(struct x %s*p, u32 n)"):format(n, any("", "{ int a; u64 b[2]; } ")))
      end
      for _, name in ipairs { "l1", "l2" } do
        if not labels[name] and math.random(20) == 1 then
          labels[name] = true
          list[#list + 1] = asm.label(name)
        end
      end
    end
    return list
  end

  it("reads what it prints, whatever it is #host", function()
    for seed = 1, 300 do
      local list = setmetatable(random_list(seed), getmetatable(asm.parse "exit"))
      for _, item in ipairs(list) do
        if item.source and not item.source.number then item.source.file = nil end -- a file alone is not written
      end
      local text = tostring(list)
      local again, err = asm.parse(text)
      assert(again, ("seed %d: %s"):format(seed, err and err.message))
      assert.equal(#list, #again)
      for i, item in ipairs(list) do assert.same(item, again[i], ("seed %d: %s"):format(seed, tostring(item))) end
      assert.equal(text, tostring(again))
    end
  end)

  local function sum_program(sum_head)
    return {
      asm.func "int main_program(struct __sk_buff *skb)",
      asm.mov(r1, 3):comment "two numbers", asm.mov(r2, 4),
      asm.call_func "sum":comment "and their sum", -- a line of its own: the log has each line once
      asm.exit(),
      asm.func(sum_head), asm.mov(r0, r1):comment "first", asm.add(r0, r2), asm.exit(),
    }
  end

  it("makes functions, with types, and remarks that the verifier's log shows", function()
    need { kernel = "5.10", "btf_global_func" }
    local prog <close> = assert(ebpf.program {
      type = "socket_filter", license = "GPL", log_level = 2, instructions = sum_program "int sum(int a, int b)",
    })
    assert.equal("main_program", prog.name)
    assert.equal(7, prog:run { data = ("\0"):rep(14) }.retval)
    assert.matches("\n; two numbers", prog.log)
    assert.matches("\n; and their sum", prog.log)
    assert.matches("\n; first", prog.log)
    assert.matches("Func#1 [^\n]*is safe for any args that match its prototype", prog.log)
    local list = prog:instructions()
    assert.equal("int main_program(struct __sk_buff *skb)", list[1].func)
    assert.equal("two numbers", list[2].source.text)
    assert.matches("asm_spec%.lua$", list[2].source.file)
    local static <close> = assert(ebpf.program {
      type = "socket_filter", license = "GPL", log_level = 2, instructions = sum_program "static int sum(int a, int b)",
    })
    assert.equal(7, static:run { data = ("\0"):rep(14) }.retval)
    assert.is_nil(static.log:match "is safe for any args")
  end)

  it("gives functions structs", function()
    need { kernel = "5.12", "btf_global_func" }
    -- a global function may not trust its arguments: a pointer may be NULL
    local unsafe, err = ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.call_func "read", asm.exit(), asm.func "int read(struct pair { int a, b; } *p)", asm.ldxw(r0, r1, 4), asm.exit(),
    } }
    assert.is_nil(unsafe)
    assert.equal("EINVAL", err.code) -- "int a, b" is none of ours
    unsafe, err = ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.mov(r1, r10), asm.add(r1, -8), asm.call_func "read", asm.exit(),
      asm.func "int read(struct pair { int a; int b; } *p)", asm.ldxw(r0, r1, 4), asm.exit(),
    } }
    assert.is_nil(unsafe)
    assert.matches("mem_or_null", err.log)
    local safe <close> = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.store("u32", r10, 5, -8), asm.store("u32", r10, 6, -4),
      asm.mov(r1, r10), asm.add(r1, -8), asm.call_func "read", asm.exit(),
      asm.func "int read(struct pair { int a; int b; } *p)",
      asm.mov(r0, 0), asm.jeq(r1, 0, "out"), asm.ldxw(r0, r1, 0), asm.label "out", asm.exit(),
    } })
    assert.equal(5, safe:run { data = ("\0"):rep(14) }.retval)
  end)

  it("makes callbacks", function()
    need { kernel = "5.17", "btf_func" }
    need.jit()
    local prog <close> = assert(ebpf.program { type = "socket_filter", license = "GPL", instructions = {
      asm.store("u64", r10, 0, -8),
      asm.mov(r1, 5), asm.ld_func(r2, "step"), asm.mov(asm.r3, r10), asm.add(asm.r3, -8), asm.mov(asm.r4, 0), asm.call "loop",
      asm.ldxdw(r0, r10, -8), asm.exit(),
      asm.func "static long step(u32 index, void *context)",
      asm.ldxdw(r0, r2), asm.add(r0, 2), asm.stxdw(r2, r0), asm.mov(r0, 0), asm.exit(),
    } })
    assert.equal(10, prog:run { data = ("\0"):rep(14) }.retval)
  end)

  it("refuses functions that are none, before the kernel does", function()
    local function refusal(list, code)
      local spec <close> = ebpf.spec { name = "x" }
      local block, err = asm.block(list)
      local part
      if block then part, err = spec:add_program("p", "xdp", block) end
      assert.is_nil(part)
      assert.equal(code, err.code)
      assert.equal(0, #spec.functions)
      return err.message
    end
    assert.equal("program 'p': prototype 'int f(foo x)': column 7: there is no type 'foo'",
      refusal({ asm.exit(), asm.func "int f(foo x)", asm.exit() }, "ENOENT"))
    assert.equal("instruction 0: jump to 1, which is in another function ('f')",
      refusal({ asm.ja "f", asm.func "int f(void)", asm.exit() }, "EINVAL"))
    assert.equal("program 'p': instruction 0: CO-RE: the Spec has no type 'struct x'",
      refusal({ asm.mov(r0, 0):relocate("byte_off", "struct x", "0:1"), asm.exit() }, "ENOENT"))
    local spec <close> = ebpf.spec { name = "x" }
    assert(spec:add_program(nil, "xdp", asm.block { asm.func "int a(void)", asm.exit(), asm.func "int b(void)", asm.exit() }))
    assert.same({ "a", "b" }, { spec.functions.a.name, spec.functions.b.name })
    assert.is_true(spec.functions.b.global)
    local _, err = spec:add_program("c", "xdp", asm.block { asm.exit(), asm.func "int b(void)", asm.exit() })
    assert.equal("program 'c': function 'b': the Spec has one of that name already", err.message)
    assert.equal("x", assert(spec:add_program(nil, "xdp", asm.block { asm.exit() })).name)
    -- what only a call makes a function is named by its label, or by its place
    assert(spec:add_program("d", "xdp", asm.block "call pc+2\ncall inner\nexit\nr0 = 1\nexit\ninner: r0 = 2\nexit"))
    assert.is_table(spec.functions.d_3:instructions())
    assert.equal("inner:\nr0 = 2\nexit", "inner:\n" .. tostring(spec.functions.inner:instructions()))
    assert.equal("call d_3\ncall inner\nexit", tostring(spec.functions.d:instructions()))
  end)

  it("reaches the variables, maps and functions of an object", function()
    need { kernel = "5.10", "global_data" }
    local spec <close> = assert(ebpf.spec "build/spec/bpf/load_data.bpf.o")
    local part = assert(spec:add_program("mine", "socket_filter", assert(asm.block {
      asm.func "int mine(struct __sk_buff *skb)",
      asm.ld_var(r1, "runs"):comment "the object's own", asm.mov(r2, 41), asm.stxdw(r1, r2),
      asm.ld_var(r1, "greeting", 1), asm.ldxb(r0, r1), asm.exit(),
    })))
    assert.equal("int mine(struct __sk_buff *skb)", spec.functions.mine.prototype)
    assert.equal(8, part.instructions)
    local coll <close> = assert(spec:load { programs = { "mine" } })
    local greeting = spec.variables.greeting:get()
    assert.equal(greeting:byte(2), coll.programs.mine:run { data = ("\0"):rep(14) }.retval)
    assert.equal(41, coll.variables.runs:get())
    local other <close> = assert(ebpf.spec "build/spec/bpf/load_data.bpf.o")
    assert(other:add_program("bad", "socket_filter", assert(asm.block { asm.ld_var(r1, "nothing"), asm.exit() })))
    local nothing, err = other:load { programs = { "bad" } }
    assert.is_nil(nothing)
    assert.matches("instruction 0 refers to variable 'nothing', which the Spec does not have", err.message)
  end)

  it("takes a program of an object apart and puts it together again", function()
    local found = process.run "ls build/spec/bpf/*.bpf.o build/spec/bpf/big/*.bpf.o build/examples/*.bpf.o 2>/dev/null"
    for path in found:gmatch "[^\n]+" do
      local spec <close> = assert(ebpf.spec(path))
      local names = {}
      for name in pairs(spec.programs) do names[#names + 1] = name end
      for _, name in ipairs(names) do
        local list = assert(spec.functions[name]:instructions())
        assert.equal(spec.programs[name].instructions, #assert(asm.encode(list)) // 8)
        if list[1].func then table.remove(list, 1) end
        assert(spec:add_program(name .. "_again", spec.programs[name].type, assert(asm.block(list))))
        local again = assert(spec.functions[name .. "_again"]:instructions())
        assert.equal(tostring(list), tostring(again), path .. ": " .. name)
        assert.same(spec.functions[name]:relocations(), spec.functions[name .. "_again"]:relocations())
      end
    end
  end)

  it("runs as before when it was taken apart", function()
    need { kernel = "5.10", "btf_global_func" }
    local spec <close> = assert(ebpf.spec "build/spec/bpf/load_code.bpf.o")
    local list = spec.functions.calls:instructions()
    table.remove(list, 1)
    table.insert(list, #list, asm.add(r0, 1)) -- in front of the exit
    assert(spec:add_program("calls_more", "socket_filter", assert(asm.block(list))))
    local coll <close> = assert(spec:load { programs = { "calls", "calls_more" } })
    local packet = { data = ("\0"):rep(64) }
    assert.equal(coll.programs.calls:run(packet).retval + 1, coll.programs.calls_more:run(packet).retval)
  end)

  it("relocates by CO-RE what was built by hand", function()
    need { kernel = "5.10", "vmlinux_btf" }
    local spec <close> = assert(ebpf.spec "build/spec/bpf/spec_core.bpf.o") -- whose struct task_struct is like no kernel's
    assert(spec:add_program("offset", "socket_filter", assert(asm.block {
      asm.mov(r0, 0):relocate("byte_off", "struct task_struct", "0:0"), asm.exit(),
    })))
    local coll <close> = assert(spec:load { programs = { "offset" } })
    local offset = coll.programs.offset:run { data = ("\0"):rep(14) }.retval
    assert.is_true(offset > 16, "pid at " .. offset)
    local dump = "bpftool btf dump file /sys/kernel/btf/vmlinux format raw 2>/dev/null"
    local bits = process.run(dump .. " | grep -A400 \"STRUCT 'task_struct'\""):match "\n\t'pid' type_id=%d+ bits_offset=(%d+)"
    if bits then assert.equal(tonumber(bits) // 8, offset) end
  end)

  it("prints as the verifier's log does", function()
    need { kernel = "6.6" }
    local text = [[
      r2 = 0x1122334455667788 ll
      r3 = -7
      w4 = 5
      r3 *= r4
      r3 s/= 3
      w3 = -w3
      r3 = be16 r3
      r3 = bswap64 r3
      r5 = (s8)r3
      *(u64 *)(r10 -8) = r3
      *(u32 *)(r10 -16) = 7
      r5 = *(s8 *)(r10 -8)
      lock *(u64 *)(r10 -8) |= r3
      r3 = atomic64_fetch_add((u64 *)(r10 -8), r3)
      if w3 s> 0xfffffffb goto pc+1
      r5 = r3
      call bpf_get_prandom_u32#7
      r0 = r9
      exit]]
    local prog, err = ebpf.program { type = "socket_filter", license = "GPL", log_level = 2, instructions = text }
    assert.is_nil(prog) -- r9 was never written, so that there is an error with a log
    local printed = {}
    for line in err.log:gmatch "\n%d+: %(%x%x%) ([^;\n]+)" do printed[#printed + 1] = line:gsub("%s+$", "") end
    assert.equal(18, #printed)
    for n, instruction in ipairs(assert(asm.parse(text))) do
      if printed[n] then assert.equal((tostring(instruction):gsub(" ll$", "")), printed[n]) end
    end
  end)
end)
