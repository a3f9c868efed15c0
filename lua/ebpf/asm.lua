-- asm.lua -- ebpf.asm: instructions as Lua values.
--
--   asm.mov(asm.r0, 0), asm.label "again", asm.add(asm.r0, 1), asm.jlt(asm.r0, 10, "again"), asm.exit()
--
-- Each function returns an instruction: a small table { code, dst, src, off, imm } (`wide` instead of imm for a wide load) that
-- prints itself as the kernel's verifier would. What it names stands beside: jump = label, reference = { kind, name, addend },
-- map = a map's handle, source = { text, file, number, column } (a remark, by :comment "..."). { label = name } names the next
-- instruction, { func = prototype } begins a function. Lists of them, or texts, go into ebpf.program { instructions = ... } and
-- asm.encode; a list may hold texts and other lists.
-- A w register instead of an r register means the 32-bit form; the functions ending in 32 are the same thing.
local core = require "ebpf.core"

local asm = {}

-- operand sizes, and the classes and modes of RFC 9669 section 3
local LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = 0, 1, 2, 3, 4, 5, 6, 7
local ABS, IND, MEM, MEMSX, ATOMIC = 0x20, 0x40, 0x60, 0x80, 0xc0
local K, X = 0x00, 0x08
local W, H, B, DW = 0x00, 0x08, 0x10, 0x18
local sizes = {
  u8 = B, u16 = H, u32 = W, u64 = DW, b = B, h = H, w = W, dw = DW, s8 = B | MEMSX, s16 = H | MEMSX, s32 = W | MEMSX,
  [1] = B, [2] = H, [4] = W, [8] = DW,
}
local pseudo = { map = 1, map_value = 2, btf_id = 3, func = 4, map_idx = 5, map_idx_value = 6, call = 1, kfunc = 2 }

-- == printing

local reference_text = {
  map = "map %s", map_value = "map_value %s%+d", func = "func %s", extern = "extern %s", var = "var %s", jumps = "jump table %s",
}

local function instruction_text(i)
  if i.label then return i.label .. ":" end
  if i.func then return i.func .. ":" end
  local reference = i.reference
  if reference then
    if i.code == 0x85 and i.imm ~= -1 and reference.kind == "extern" then -- of a loaded program: an address
      return ("call %s#%d"):format(reference.name, i.imm)
    end
    if i.code == 0x85 then return "call " .. (reference.kind == "extern" and "kfunc " or "") .. reference.name end
    local addend = reference.addend or 0
    if reference.id then -- of a loaded program, as bpftool writes it
      local offset = reference.kind == "map_value" and ("[0]+%d"):format(addend) or ""
      return ("r%d = map[id:%d]%s ll"):format(i.dst, reference.id, offset)
    end
    local text = reference_text[reference.kind]:format(reference.name, addend)
    if (reference.kind == "extern" or reference.kind == "var") and addend ~= 0 then text = ("%s%+d"):format(text, addend) end
    return ("r%d = %s ll"):format(i.dst, text)
  end
  local imm, upper = i.imm, nil
  if i.wide then imm, upper = i.wide & 0xffffffff, i.wide >> 32 end
  local text = core.asm_print(i.code, i.dst, i.src, i.off, imm, upper)
  if i.jump then text = text:gsub("pc[+-]%d+$", function() return i.jump end) end
  return text
end

local methods = {}
local instruction = { __name = "ebpf.instruction", __tostring = instruction_text, __index = methods }

-- "; text @ file:12:3", as the verifier's log has it before the instructions of a line.
local function source_text(source)
  local text = "; " .. source.text:gsub("^%s+", ""):gsub("%s+$", ""):gsub("[\r\n]+", " ")
  if not source.number then return text end
  return ("%s @ %s:%d%s"):format(text, source.file or "?", source.number, source.column and ":" .. source.column or "")
end

-- As LLVM writes it behind the instruction.
local function core_text(relocation)
  return ("\tCO-RE <%s> %s (%s)"):format(relocation.kind, relocation.type, relocation.access)
end

local function list_text(list)
  local lines = {}
  for _, i in ipairs(list) do
    if type(i) == "table" and i.source then lines[#lines + 1] = source_text(i.source) end
    lines[#lines + 1] = tostring(i)
    if type(i) == "table" and i.core then lines[#lines + 1] = core_text(i.core) end
  end
  return table.concat(lines, "\n")
end

local list = { __name = "ebpf.instructions", __tostring = list_text }
core.asm_metatables(instruction, list)

local function make(code, dst, src, off, imm)
  return setmetatable({ code = code, dst = dst, src = src, off = off, imm = imm }, instruction)
end

-- == arguments: each check raises at the line that called the constructor

local function fail(message, ...)
  local level = 2
  while true do -- the first caller outside of this file
    local info = debug.getinfo(level, "S")
    if not info or info.source ~= debug.getinfo(1, "S").source then break end
    level = level + 1
  end
  error(message:format(...), level)
end

local register = { __name = "ebpf.register", __tostring = function(r) return (r.wide and "r" or "w") .. r.number end }

-- A remark about an instruction: line information, which the verifier's log shows before it, with the place in the Lua source.
-- Also (text, file, line, column) of another source. Returns the instruction.
function methods.comment(i, text, file, number, column)
  if type(text) ~= "string" then fail("comment: text: string expected, got %s", math.type(text) or type(text)) end
  if i.label or i.func then fail("comment: '%s' is no instruction", tostring(i)) end
  if not file then
    local info = debug.getinfo(2, "Sl")
    file = info.source:sub(1, 1) == "@" and info.source:sub(2) or info.short_src
    number = info.currentline > 0 and info.currentline or nil
  end
  i.source = { text = text, file = file, number = number, column = column }
  return i
end

-- Lets CO-RE patch the instruction when it is loaded: by what `access` ("0:2", the third member) of a type of the Spec
-- ("struct task_struct") is in the kernel. Kinds: "byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64",
-- "local_type_id", "target_type_id", "type_exists", "type_size", "type_matches", "enumval_exists", "enumval_value".
function methods.relocate(i, kind, type_name, access)
  if i.label or i.func then fail("relocate: '%s' is no instruction", tostring(i)) end
  i.core = { kind = kind, type = type_name, access = access or "0" }
  return i
end

for number = 0, 10 do
  asm["r" .. number] = setmetatable({ number = number, wide = true }, register)
  asm["w" .. number] = setmetatable({ number = number, wide = false }, register)
end

local function is_register(value) return getmetatable(value) == register end

local function describe(value) return is_register(value) and tostring(value) or math.type(value) or type(value) end

local function check_register(fn, name, value)
  if not is_register(value) then fail("%s: %s: register expected, got %s", fn, name, describe(value)) end
  return value
end

-- An address or another value of 64 bits.
local function check_wide(fn, name, value)
  if not check_register(fn, name, value).wide then fail("%s: %s: 64-bit register expected, got %s", fn, name, tostring(value)) end
  return value.number
end

local function check_integer(fn, name, value, lowest, highest)
  local integer = math.tointeger(value)
  if not integer or type(value) == "string" then fail("%s: %s: integer expected, got %s", fn, name, describe(value)) end
  if integer < lowest or integer > highest then fail("%s: %s: %d does not fit (%d to %d)", fn, name, integer, lowest, highest) end
  return integer
end

local function check_offset(fn, value) return check_integer(fn, "offset", value == nil and 0 or value, -0x8000, 0x7fff) end

-- A 32-bit constant: extended by its sign to 64 bits, so that one above 0x7fffffff is right for 32-bit forms only.
local function check_constant(fn, name, value, narrow)
  local integer = math.tointeger(value)
  if integer and type(value) == "number" and not narrow and (integer < -0x80000000 or integer > 0x7fffffff) then
    fail("%s: %s: %d does not fit in a signed 32-bit constant (load it with asm.ld_imm64 first)", fn, name, integer)
  end
  integer = check_integer(fn, name, value, -0x80000000, narrow and 0xffffffff or 0x7fffffff)
  return integer > 0x7fffffff and integer - 0x100000000 or integer
end

local function check_string(fn, name, value)
  if type(value) ~= "string" then fail("%s: %s: string expected, got %s", fn, name, describe(value)) end
  return value
end

local function check_size(fn, value, signed)
  local size = sizes[value]
  if not size or (size & MEMSX ~= 0 and not signed) then
    fail("%s: size: %s expected, got %s", fn, signed and "u8 to u64 or s8 to s32" or "u8 to u64", tostring(value))
  end
  return size
end

-- == arithmetic

-- The second operand: a register of the same width, or a constant.
local function operand(fn, dst, value)
  if not is_register(value) then return K, 0, check_constant(fn, "value", value, not dst.wide) end
  if value.wide ~= dst.wide then fail("%s: %s and %s have different widths", fn, tostring(dst), tostring(value)) end
  return X, value.number, 0
end

local function narrow(r) return is_register(r) and asm["w" .. r.number] or r end

-- Defines asm.name and asm.name32; `build` gets the name that was called.
local function define_both(name, build)
  asm[name] = function(dst, ...) return build(name, check_register(name, "destination", dst), ...) end
  local name32 = name .. "32"
  asm[name32] = function(dst, value, ...)
    return build(name32, narrow(check_register(name32, "destination", dst)), narrow(value), ...)
  end
end

local function define_alu(name, op, off)
  define_both(name, function(fn, dst, value)
    local source, src, imm = operand(fn, dst, value)
    return make(op | source | (dst.wide and ALU64 or ALU), dst.number, src, off or 0, imm)
  end)
end

for name, op in pairs { add = 0x00, sub = 0x10, mul = 0x20, div = 0x30, or_ = 0x40, and_ = 0x50, lsh = 0x60, rsh = 0x70, mod = 0x90,
  xor = 0xa0, mov = 0xb0, arsh = 0xc0 } do
  define_alu(name, op)
end
define_alu("sdiv", 0x30, 1) -- Linux 6.6, as all forms with an offset
define_alu("smod", 0x90, 1)

define_both("neg", function(_, dst) return make(0x80 | (dst.wide and ALU64 or ALU), dst.number, 0, 0, 0) end)

local function define_movsx(bits)
  local name = "movsx" .. bits
  asm[name] = function(dst, src)
    check_register(name, "destination", dst)
    check_register(name, "source", src)
    if src.wide ~= dst.wide then fail("%s: %s and %s have different widths", name, tostring(dst), tostring(src)) end
    if bits == 32 and not dst.wide then fail("%s: 64-bit register expected, got %s", name, tostring(dst)) end
    return make(0xb0 | X | (dst.wide and ALU64 or ALU), dst.number, src.number, bits, 0)
  end
end

for _, bits in ipairs { 8, 16, 32 } do define_movsx(bits) end

-- A pointer into an arena between its address spaces: 0 is the program's own, 1 that of user space (Linux 6.9).
function asm.addr_space_cast(dst, src, to, from)
  return make(0xb0 | X | ALU64, check_wide("addr_space_cast", "destination", dst), check_wide("addr_space_cast", "source", src), 1,
    check_integer("addr_space_cast", "to", to, 0, 1) << 16 | check_integer("addr_space_cast", "from", from, 0, 1))
end

for name, code in pairs { le = 0xd0 | ALU, be = 0xd0 | X | ALU, bswap = 0xd0 | ALU64 } do
  for _, bits in ipairs { 16, 32, 64 } do
    local fn = name .. bits
    asm[fn] = function(dst) return make(code, check_wide(fn, "destination", dst), 0, 0, bits) end
  end
end

-- == memory

-- dst = *(size *)(src + off); the sizes s8, s16 and s32 extend the sign (Linux 6.6)
function asm.load(size, dst, src, off)
  local bits = check_size("load", size, true)
  local mode = bits & MEMSX ~= 0 and bits or bits | MEM
  return make(LDX | mode, check_wide("load", "destination", dst), check_wide("load", "source", src), check_offset("load", off), 0)
end

local function store_constant(fn, bits, dst, value, off)
  return make(ST | MEM | bits, dst, 0, off, check_constant(fn, "value", value, bits ~= DW))
end

-- *(size *)(dst + off) = src, a register or a constant
function asm.store(size, dst, src, off)
  local bits = check_size("store", size)
  dst, off = check_wide("store", "destination", dst), check_offset("store", off)
  if not is_register(src) then return store_constant("store", bits, dst, src, off) end
  return make(STX | MEM | bits, dst, src.number, off, 0)
end

function asm.store_imm(size, dst, value, off)
  local bits = check_size("store_imm", size)
  return store_constant("store_imm", bits, check_wide("store_imm", "destination", dst), value, check_offset("store_imm", off))
end

for suffix, size in pairs { b = "u8", h = "u16", w = "u32", dw = "u64" } do
  asm["ldx" .. suffix] = function(dst, src, off) return asm.load(size, dst, src, off) end
  asm["stx" .. suffix] = function(dst, src, off)
    check_register("stx" .. suffix, "source", src)
    return asm.store(size, dst, src, off)
  end
  asm["st" .. suffix] = function(dst, value, off) return asm.store_imm(size, dst, value, off) end
end
for suffix, size in pairs { b = "s8", h = "s16", w = "s32" } do
  asm["ldsx" .. suffix] = function(dst, src, off) return asm.load(size, dst, src, off) end
end

-- Packet bytes into r0, from the sk_buff in r6: at a constant offset, or behind what `src` holds.
function asm.ld_abs(size, offset)
  local bits = check_size("ld_abs", size)
  if bits == DW then fail("ld_abs: size: u8 to u32 expected, got %s", size) end
  return make(LD | ABS | bits, 0, 0, 0, check_constant("ld_abs", "offset", offset, true))
end

function asm.ld_ind(size, src, offset)
  local bits = check_size("ld_ind", size)
  if bits == DW then fail("ld_ind: size: u8 to u32 expected, got %s", size) end
  return make(LD | IND | bits, 0, check_wide("ld_ind", "source", src), 0, check_constant("ld_ind", "offset", offset or 0, true))
end

-- Atomic operations on *(size *)(dst + off) with src. Those that fetch give what was there in src, cmpxchg in r0, with which it
-- compares.
local function define_atomic(name, imm)
  asm[name] = function(size, dst, src, off)
    local bits = check_size(name, size)
    if bits == B or bits == H then fail("%s: size: u32 or u64 expected, got %s", name, tostring(size)) end
    return make(STX | ATOMIC | bits, check_wide(name, "destination", dst), check_register(name, "source", src).number,
      check_offset(name, off), imm)
  end
end

for name, op in pairs { add = 0x00, ["or"] = 0x40, ["and"] = 0x50, xor = 0xa0 } do
  define_atomic("atomic_" .. name, op)
  define_atomic("fetch_" .. name, op | 1) -- Linux 5.12, as all but atomic_add
end
define_atomic("xchg", 0xe1)
define_atomic("cmpxchg", 0xf1)

function asm.load_acquire(size, dst, src, off) -- Linux 6.15
  return make(STX | ATOMIC | check_size("load_acquire", size), check_register("load_acquire", "destination", dst).number,
    check_wide("load_acquire", "source", src), check_offset("load_acquire", off), 0x100)
end

function asm.store_release(size, dst, src, off)
  return make(STX | ATOMIC | check_size("store_release", size), check_wide("store_release", "destination", dst),
    check_register("store_release", "source", src).number, check_offset("store_release", off), 0x110)
end

-- == wide loads

local function wide(fn, dst, src, value)
  local i = make(0x18, check_wide(fn, "destination", dst), src, 0, nil)
  i.wide = value
  return i
end

local function refer(i, kind, name, addend)
  i.reference = { kind = kind, name = name, addend = addend or 0 }
  return i
end

function asm.ld_imm64(dst, value)
  return wide("ld_imm64", dst, 0, check_integer("ld_imm64", "value", value, math.mininteger, math.maxinteger))
end

-- A map by its name in the Spec, by its handle, or by a file descriptor.
local function load_map(fn, dst, map, src, offset)
  if type(map) == "string" then
    return refer(wide(fn, dst, src, 0), src == pseudo.map and "map" or "map_value", check_string(fn, "map", map), offset)
  end
  if math.type(map) == "integer" then
    return wide(fn, dst, src, offset << 32 | check_integer(fn, "map", map, 0, 0x7fffffff))
  end
  if type(map) ~= "userdata" then fail("%s: map: name or map expected, got %s", fn, describe(map)) end
  local i = wide(fn, dst, src, offset << 32)
  i.map = map
  return i
end

function asm.ld_map(dst, map) return load_map("ld_map", dst, map, pseudo.map, 0) end

-- The address of byte `offset` of the only value of an array map.
function asm.ld_map_value(dst, map, offset)
  return load_map("ld_map_value", dst, map, pseudo.map_value, check_integer("ld_map_value", "offset", offset or 0, 0, 0xffffffff))
end

-- The address of a function, for helpers that call back.
function asm.ld_func(dst, name)
  return refer(wide("ld_func", dst, pseudo.func, 0), "func", check_string("ld_func", "name", name))
end

-- The address of a global variable of the Spec, or of byte `offset` in it.
function asm.ld_var(dst, name, offset)
  return refer(wide("ld_var", dst, pseudo.map_value, 0), "var", check_string("ld_var", "name", name),
    check_integer("ld_var", "offset", offset or 0, 0, 0xffffffff))
end

-- What is already a number: a kernel type's id (of a kernel variable; `fd`: of the module's types), and maps by their place in
-- fd_array.
function asm.ld_btf_id(dst, id, fd)
  return wide("ld_btf_id", dst, pseudo.btf_id, check_integer("ld_btf_id", "fd", fd or 0, 0, 0x7fffffff) << 32
    | check_integer("ld_btf_id", "id", id, 0, 0x7fffffff))
end

function asm.ld_map_idx(dst, index)
  return wide("ld_map_idx", dst, pseudo.map_idx, check_integer("ld_map_idx", "index", index, 0, 0x7fffffff))
end

function asm.ld_map_idx_value(dst, index, offset)
  return wide("ld_map_idx_value", dst, pseudo.map_idx_value,
    check_integer("ld_map_idx_value", "offset", offset or 0, 0, 0xffffffff) << 32
    | check_integer("ld_map_idx_value", "index", index, 0, 0x7fffffff))
end

-- A kernel symbol or kconfig variable that the Spec declares.
function asm.ld_extern(dst, name)
  return refer(wide("ld_extern", dst, 0, 0), "extern", check_string("ld_extern", "name", name))
end

-- == jumps and calls

-- Where to: a label, or how many slots from the next one.
local function target(fn, i, where, far)
  if type(where) == "string" then
    i.jump = where
  elseif far then
    i.imm = check_integer(fn, "target", where, -0x80000000, 0x7fffffff)
  elseif math.type(where) then
    i.off = check_integer(fn, "target", where, -0x8000, 0x7fff)
  else
    fail("%s: target: label or distance expected, got %s", fn, describe(where))
  end
  return i
end

for name, op in pairs { jeq = 0x10, jgt = 0x20, jge = 0x30, jset = 0x40, jne = 0x50, jsgt = 0x60, jsge = 0x70, jlt = 0xa0,
  jle = 0xb0, jslt = 0xc0, jsle = 0xd0 } do
  define_both(name, function(fn, dst, value, where)
    local source, src, imm = operand(fn, dst, value)
    return target(fn, make(op | source | (dst.wide and JMP or JMP32), dst.number, src, 0, imm), where)
  end)
end

function asm.ja(where) return target("ja", make(JMP, 0, 0, 0, 0), where) end

function asm.gotol(where) return target("gotol", make(JMP32, 0, 0, 0, 0), where, true) end -- Linux 6.6

function asm.may_goto(where) return target("may_goto", make(0xe0 | JMP, 0, 0, 0, 0), where) end -- Linux 6.9

function asm.gotox(dst) return make(JMP | X, check_wide("gotox", "destination", dst), 0, 0, 0) end -- Linux 6.19

-- A helper of the kernel, by its name (with or without "bpf_") or number.
function asm.call(helper)
  if type(helper) ~= "string" then
    return make(0x85, 0, 0, 0, check_integer("call", "helper", helper, -0x80000000, 0x7fffffff))
  end
  local number = core.asm_helper(helper)
  if not number then
    fail("call: unknown helper '%s' (a function of the program is called by asm.call_func, a kfunc by asm.kfunc)", helper)
  end
  return make(0x85, 0, 0, 0, number)
end

-- A function of the Spec, or a label of this list.
function asm.call_func(name)
  return refer(make(0x85, 0, pseudo.call, 0, -1), "call", check_string("call_func", "name", name))
end

function asm.kfunc(name) return refer(make(0x85, 0, pseudo.kfunc, 0, -1), "extern", check_string("kfunc", "name", name)) end

function asm.exit() return make(0x95, 0, 0, 0, 0) end

function asm.nop() return asm.ja(0) end

-- Begins a function, declared as in C: asm.func "static int sum(int a, struct pair *p)". Its name is a label, for call_func and
-- ld_func. Without `static` it is a global function: verified by itself, by its types (Linux 5.6). At the head of a program it is
-- the declaration of the program itself.
function asm.func(prototype)
  check_string("func", "prototype", prototype)
  if not prototype:match "[%a_][%w_]*%s*%(.*%)%s*;?%s*$" then
    fail("func: '%s' is no prototype such as 'int sum(int a, int b)'", prototype)
  end
  return setmetatable({ func = (prototype:gsub("%s*;?%s*$", ""):gsub("%s+", " ")) }, instruction)
end

-- Names the next instruction.
function asm.label(name) return setmetatable({ label = check_string("label", "name", name) }, instruction) end

-- == texts and machine code

-- The instructions of a text: as the verifier's log or llvm-objdump writes them, with labels. nil, err, errno for a mistake in it.
function asm.parse(text) return core.asm_parse(check_string("parse", "text", text)) end

-- asm.decode(bytes [, byteorder]): the instructions of machine code, in the host's byte order unless it is given ("little", "big").
asm.decode = core.asm_decode

-- asm.encode(list or text [, byteorder]): machine code, with labels resolved. nil, err, errno for a mistake in it.
asm.encode = core.asm_encode

-- asm.block(list or text): the block that spec:add_program takes. nil, err, errno as before.
asm.block = core.asm_block

-- A list of instructions that prints itself, a line each.
function asm.list(instructions) return setmetatable(instructions, list) end

return asm
