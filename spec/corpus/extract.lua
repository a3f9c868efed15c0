--- lua5.4 extract.lua FOLDER PROGRAM... : the BPF objects that programs carry inside (those of skeletons are in .rodata,
-- byte for byte), as FOLDER/PROGRAM.o, the second of a program as PROGRAM-2.o.
local BPF <const> = 247

-- The object that begins at `start`: its section headers come last, or before the bytes of a section.
local function object_at(bytes, start)
  if bytes:sub(start + 4, start + 5) ~= "\2\1" then return end -- 64 bits, little-endian
  local kind, machine = string.unpack("<I2I2", bytes, start + 16)
  if kind ~= 1 or machine ~= BPF then return end
  local headers, size, count = string.unpack("<I8", bytes, start + 40), string.unpack("<I2I2", bytes, start + 58)
  local last = headers + size * count
  for i = 0, count - 1 do
    local at = start + headers + i * size
    local section_kind, offset, length = string.unpack("<I4", bytes, at + 4), string.unpack("<I8I8", bytes, at + 24)
    if section_kind ~= 8 then last = math.max(last, offset + length) end
  end
  return bytes:sub(start, start + last - 1)
end

local folder = arg[1]
for i = 2, #arg do
  local file = assert(io.open(arg[i], "rb"))
  local bytes = file:read "a"
  file:close()
  local count, start = 0, bytes:find("\127ELF", 2, true)
  while start do
    local object = object_at(bytes, start)
    if object then
      count = count + 1
      local name = arg[i]:match "[^/]*$" .. (count > 1 and "-" .. count or "")
      local out = assert(io.open(folder .. "/" .. name .. ".o", "wb"))
      out:write(object)
      out:close()
    end
    start = bytes:find("\127ELF", start + 1, true)
  end
end
