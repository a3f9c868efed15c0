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

  it("reads what llvm-objdump writes of real objects, to the same bytes", function()
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
