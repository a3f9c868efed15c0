--- Instructions as a listing: rows for JSON, and text that ebpf.asm.parse reads. Shared by `disasm` and `prog`.
local report = require "ebpf.cli.report"

local listing = {}

local row_keys = { "slot", "code", "dst", "src", "off", "imm", "text", "target", "helper", "reference", "core", "source" }
local reference_keys = { "kind", "name", "addend", "id", "variable" }
local source_keys = { "file", "line", "column", "text" }

local WIDE, CALL = 0x18, 0x85

-- The text without its label; where a jump goes stands behind it instead, as a slot.
local function row_text(item, slot)
  local label = rawget(item, "jump")
  item.jump = nil
  local text = tostring(item)
  item.jump = label
  local distance = (item.code & 7 == 5 or item.code & 7 == 6) and text:match "pc([+-]%d+)$"
  local target = distance and slot + 1 + math.tointeger(distance)
  return target and text .. (" <%d>"):format(target) or text, target
end

local function reference_row(reference, annotate)
  if not reference then return nil end
  return report.object(reference_keys, {
    kind = reference.kind, name = reference.name, addend = reference.addend, id = reference.id,
    variable = annotate.variable and annotate.variable(reference),
  })
end

local function source_row(source)
  if not source then return nil end
  return report.object(source_keys, { file = source.file, line = source.number, column = source.column, text = source.text })
end

local function instruction_row(item, slot, annotate)
  local text, target = row_text(item, slot)
  return report.object(row_keys, {
    slot = slot, code = item.code, dst = item.dst, src = item.src, off = item.off, imm = item.wide or item.imm,
    text = text, target = target, helper = item.code == CALL and item.src == 0 and text:match "^call bpf_([%w_]+)#" or nil,
    reference = reference_row(item.reference, annotate), core = annotate.core and annotate.core[slot],
    source = source_row(item.source),
  })
end

--- The functions of a list: { head = what the list has at their start, or nil, rows }. `annotate` may have variable(reference) ->
-- the name of what lies there, and core, a table by slot.
function listing.functions(list, annotate)
  local functions, slot, rows = {}, 0, nil
  for _, item in ipairs(list) do
    if item.code then
      if not rows then
        rows = {}
        functions[1] = { rows = rows }
      end
      rows[#rows + 1] = instruction_row(item, slot, annotate or {})
      slot = slot + (item.code == WIDE and 2 or 1)
    elseif item.func or not item.label:match "^L%d+$" then
      rows = {}
      functions[#functions + 1] = { head = item.func or item.label, rows = rows }
    end
  end
  return functions
end

-- The bytes of a row in the object's byte order, as the code stands in the listing: what is referred to by name is zero.
local function opcodes(row, byteorder)
  local order = byteorder == "big" and ">" or "<"
  local registers = byteorder == "big" and row.dst << 4 | row.src or row.src << 4 | row.dst
  local imm = row.code == WIDE and row.imm & 0xffffffff or row.imm
  local bytes = (order .. "BBi2I4"):pack(row.code, registers, row.off, imm & 0xffffffff)
  if row.code == WIDE then bytes = bytes .. (order .. "I4I4"):pack(0, row.imm >> 32) end
  return (bytes:gsub(".", function(c) return ("%02x "):format(c:byte()) end):gsub(" $", ""))
end

local function notes(row)
  local parts = {}
  local reference = row.reference
  if reference and reference.variable then parts[1] = reference.variable end
  if reference and reference.id and reference.name ~= "" then parts[#parts + 1] = reference.name end
  if row.core then parts[#parts + 1] = "CO-RE " .. row.core end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

local function print_source(source)
  local text = source.text:gsub("^%s+", ""):gsub("%s+$", ""):gsub("[\r\n]+", " ")
  if not source.line then return print("; " .. text) end
  local column = source.column and ":" .. source.column or ""
  print(("; %s @ %s:%d%s"):format(text, (source.file or "?"):match "[^/]*$", source.line, column))
end

--- Prints rows. `options`: opcodes = true, byteorder.
function listing.print(rows, options)
  for _, row in ipairs(rows) do
    if row.source then print_source(row.source) end
    local text = ("%4d: (%02x) %s"):format(row.slot, row.code, row.text)
    local note = notes(row)
    print(note and ("%-46s ; %s"):format(text, note) or text)
    if options.opcodes then print("       # " .. opcodes(row, options.byteorder)) end
  end
end

return listing
