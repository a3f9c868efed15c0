--- lua5.4 seeds.lua TARGET FOLDER OBJECT... : what a fuzz target begins with, made from compiled objects: a file each in FOLDER.
local target, folder = arg[1], arg[2]

-- The sections of a 64-bit ELF file: name -> { bytes =, executable = }, and the order of bytes.
local function sections(elf)
  local order = elf:byte(6) == 2 and ">" or "<"
  local table_at = string.unpack(order .. "I8", elf, 0x28 + 1)
  local size, count, names = string.unpack(order .. "I2I2I2", elf, 0x3a + 1)
  local function header(i)
    local name, kind, flags, _, offset, length = string.unpack(order .. "I4I4I8I8I8I8", elf, table_at + i * size + 1)
    return { name = name, executable = flags & 4 ~= 0, bytes = kind == 8 and "" or elf:sub(offset + 1, offset + length) }
  end
  local strings, found = header(names).bytes, {}
  for i = 1, count - 1 do
    local section = header(i)
    found[string.unpack("z", strings, section.name + 1)] = section
  end
  return found, order
end

-- Relocations of .BTF.ext as core_fuzz.c reads them, with the 16 instructions that they are about.
local function relocations(parts, order)
  local btf, ext = parts[".BTF"].bytes, parts[".BTF.ext"].bytes
  local header = string.unpack(order .. "I4", ext, 5)
  if header < 32 then return end
  local at, size = string.unpack(order .. "I4I4", ext, 25)
  if size == 0 then return end
  local btf_header, _, _, names = string.unpack(order .. "I4I4I4I4", btf, 5)
  local strings = btf_header + names
  local records, instructions, position = {}, {}, header + at + 4
  while position < header + at + size and #records < 16 do
    local name, count = string.unpack(order .. "I4I4", ext, position + 1)
    local section = parts[string.unpack("z", btf, strings + name + 1)]
    position = position + 8
    for _ = 1, count do
      local offset, type_id, access, kind = string.unpack(order .. "I4I4I4I4", ext, position + 1)
      position = position + 16
      if #records < 16 and type_id < 65536 and access < 65536 then
        instructions[#instructions + 1] = section.bytes:sub(offset + 1, offset + 8)
        records[#records + 1] = string.pack("<BBI2I2", #instructions - 1, kind, type_id, access)
      end
    end
  end
  while #instructions < 16 do instructions[#instructions + 1] = ("\0"):rep(8) end
  return string.char(#records) .. table.concat(records) .. table.concat(instructions) .. btf
end

local function disassembly(path)
  local pipe = assert(io.popen(("llvm-objdump -d --no-show-raw-insn '%s' 2>/dev/null"):format(path)))
  local lines = {}
  for line in pipe:lines() do
    if line:match "^%s+%d+:" then lines[#lines + 1] = line end
  end
  pipe:close()
  return table.concat(lines, "\n")
end

-- Each: bytes of the object, its sections, their byte order, its path -> inputs.
local makers = {
  spec = function(elf) return { elf } end,
  load = function(elf) return { elf .. "\0", elf .. "\1", elf .. "\3", elf .. "\16" } end,
  btf = function(_, parts) return { "\0" .. parts[".BTF"].bytes } end,
  ext = function(_, parts)
    local ext = parts[".BTF.ext"]
    return ext and #ext.bytes < 65536 and { string.pack("<I2", #ext.bytes) .. ext.bytes .. parts[".BTF"].bytes } or {}
  end,
  core = function(_, parts, order)
    local body = parts[".BTF.ext"] and relocations(parts, order)
    return body and { "\0" .. body, "\1" .. body, "\2" .. body } or {}
  end,
  asm = function(_, parts, _, path)
    local inputs = { disassembly(path) }
    for _, section in pairs(parts) do
      if section.executable and #section.bytes > 0 then inputs[#inputs + 1] = section.bytes end
    end
    return inputs
  end,
  sink = function(_, parts)
    local records = ("\39\0\0\1abc\255\200\0\0\0\0\0\240\63"):rep(20)
    return { string.pack("<s2", records) .. parts[".BTF"].bytes }
  end,
  host_decode = function(_, parts)
    local record = ("\2\0\0\1abc\255\200\0\0\0\0\0\240\63"):rep(40)
    return { string.pack("<Bs2", 0, record) .. parts[".BTF"].bytes, string.pack("<Bs2", 3, record:sub(1, 100))
      .. parts[".BTF"].bytes }
  end,
  host_match = function()
    local inputs = {}
    for pattern, text in pairs {
      ["^(%a+)%s-=%s*(.-)%s*$"] = "name = a value ", ["%f[%w]%w+%f[^%w]"] = "(THE) end", ["%b()()"] = "f(a(b)c)d",
      ["([^,]*),?%1"] = "ab,ab,c", ["[]%a-z][^]%%][a-]?"] = "]-za", ["(a*(.)%w(%s*))%2[%"] = "aab  b",
      ["(a?)(a*)(a-)a$"] = "aaaaaaaaaa", ["%z\0[\0-\31]+"] = "\0\0\1\2",
    } do inputs[#inputs + 1] = string.char(#pattern, 0) .. pattern .. text end
    return inputs
  end,
  ring = function()
    local function perf(kind, body) return string.pack("=I4I2I2", kind, 0, 8 + #body) .. body end
    local raw = string.pack("=I4", 20) .. ("r"):rep(20)
    local samples = perf(9, raw) .. perf(2, ("\3"):rep(16)) .. perf(3, "12345678renamed\0") .. perf(9, raw)
    -- of PERF_SAMPLE_IP, TID, TIME, CALLCHAIN
    local parts = ("p"):rep(24) .. string.pack("=I8I8I8", 2, 1, 2) .. raw .. ("rest"):rep(4)
    local rings = string.pack("=I4I4", 5, 0) .. "hello\0\0\0" .. string.pack("=I4I4", 1 << 30 | 8, 0) .. "discards"
      .. string.pack("=I4I4", 16, 1) .. ("x"):rep(16) .. string.pack("=I4I4", 1 << 31 | 8, 0)
    local inputs = {}
    for options = 0, 15 do
      local bytes = options & 1 == 0 and rings or samples
      inputs[#inputs + 1] = string.pack("<BI3I2B", options, 0x400, #bytes, 50) .. bytes
      inputs[#inputs + 1] = string.pack("<BI3I2B", options, 0x427, 8 + #parts, 0) .. perf(9, parts)
    end
    return inputs
  end,
  usdt = function()
    local inputs = {
      "\0-4@%eax 1@$65 8@-16(%rbp) 2@4(%rax,%rbx,8) 4@counter+4(%rip) 8f@%xmm0", "\4-4@w1 8@[sp, 12] 8@[x1, x2, lsl 3] 4@-7 8@xzr",
      "\8-4@%r2 8@160(%r15) 8@8(%r1,%r2) 4@-7", "\12-4@a0 8@-20(s0) 4@-7 8@(sp)",
    }
    local function note(order, word, address, semaphore)
      local text = string.pack(order .. word:rep(3), address, 0x401800, semaphore) .. "demo\0name\0-4@%eax 8@$1\0"
      return string.pack(order .. "I4I4I4", 8, #text, 3) .. "stapsdt\0" .. text .. ("\0"):rep(-#text % 4)
    end
    for kind = 0, 3 do
      local order, word = kind & 2 ~= 0 and ">" or "<", kind & 1 ~= 0 and "I8" or "I4"
      local both = note(order, word, 0x401010, 0) .. note(order, word, 0x401020, 0x602030)
      inputs[#inputs + 1] = string.char(0x20 + kind) .. both
      inputs[#inputs + 1] = string.char(0x30 + kind) .. both
    end
    return inputs
  end,
  kconfig = function()
    return {
      'CONFIG_A=y\nCONFIG_B=n\nCONFIG_C=-5\nCONFIG_D=0x7fffffff\nCONFIG_E=017\nCONFIG_F=18446744073709551615\nCONFIG_G=m\n'
        .. 'CONFIG_H="text"\n',
      '# CONFIG_A is not set\r\nCONFIG_B=m\r\nCONFIG_H="cut off here and there\\"\r\nCONFIG_I="x"\r\nCONFIG_D=99999999999999999999',
      "CONFIG_A=300\nCONFIG_B=2\nCONFIG_C=0x8000\nCONFIG_D=2147483648\nCONFIG_E=-1\nCONFIG_G=y\nCONFIG_H=y\n",
    }
  end,
}
-- what another target reads is most likely types
local make = makers[target] or function(_, parts) return { parts[".BTF"].bytes } end

local count = 0
for i = 3, #arg do
  local file = assert(io.open(arg[i], "rb"))
  local elf = file:read "a"
  file:close()
  local parts, order = sections(elf)
  if parts[".BTF"] then
    for _, input in ipairs(make(elf, parts, order, arg[i])) do
      count = count + 1
      local out = assert(io.open(("%s/seed-%d"):format(folder, count), "wb"))
      out:write(input)
      out:close()
    end
  end
end
