--- ebpf prog list|show|dump: the programs in the kernel.
local listing = require "ebpf.cli.listing"
local report = require "ebpf.cli.report"

local prog = {}

function prog.describe(parser)
  local command = parser:command("prog", "List the programs in the kernel, show one, or dump its code.")
  command:argument("action", "list, show or dump."):choices { "list", "show", "dump" }
  command:argument("program", "Its id, or the path where it is pinned."):args "?"
  command:flag("--opcodes", "dump: show the bytes of each instruction too.")
  command:flag("--jited", "dump: the machine code in hexadecimal too.")
  command:flag("--json", "Print one JSON document.")
end

local info_keys = { "id", "type", "name", "tag", "gpl", "load_time_ns", "uid", "xlated_size", "jited_size", "memlock",
  "map_ids", "btf_id", "function_count", "line_count", "verified_insns", "run_time_ns", "run_count", "recursion_misses",
  "ifindex", "attach_btf_obj_id", "attach_btf_id" }

local function open(name)
  local ebpf = require "ebpf"
  local id = math.tointeger(name)
  if id and id > 0 and id <= 0xffffffff then return ebpf.program { id = id } end
  return ebpf.program { pinned = name }
end

-- What the kernel says of a program, and its code.
local function info_row(program)
  local info, err = program:info()
  if not info then return nil, err end
  local code
  code, err = program:code()
  if not code then return nil, err end
  info.map_ids = report.list(code.map_ids)
  info.map_count = nil
  return report.object(info_keys, info), code
end

local function print_info(info)
  local parts = { ("%d: %s"):format(info.id, info.type) }
  if info.name ~= "" then parts[#parts + 1] = "name " .. info.name end
  parts[#parts + 1] = "tag " .. info.tag
  if info.gpl then parts[#parts + 1] = "gpl" end
  print(table.concat(parts, "  "))
  parts = { ("uid %d"):format(info.uid), ("xlated %dB"):format(info.xlated_size),
    info.jited_size > 0 and ("jited %dB"):format(info.jited_size) or "not jited", ("memlock %dB"):format(info.memlock) }
  if #info.map_ids > 0 then parts[#parts + 1] = "maps " .. table.concat(info.map_ids, ",") end
  if info.btf_id > 0 then parts[#parts + 1] = ("btf %d"):format(info.btf_id) end
  if info.line_count > 0 then parts[#parts + 1] = ("lines %d"):format(info.line_count) end
  if info.verified_insns > 0 then parts[#parts + 1] = ("verified %d insns"):format(info.verified_insns) end
  if info.ifindex > 0 then parts[#parts + 1] = ("device %d"):format(info.ifindex) end
  if info.run_count > 0 then parts[#parts + 1] = ("run %d times, %d ns"):format(info.run_count, info.run_time_ns) end
  if info.recursion_misses > 0 then parts[#parts + 1] = ("missed %d runs"):format(info.recursion_misses) end
  print("\t" .. table.concat(parts, "  "))
end

local function list(arguments)
  local ebpf = require "ebpf"
  local ids, err = ebpf.kernel():ids "program"
  if not ids then return nil, err end
  local rows = report.list {}
  for _, id in ipairs(ids) do
    local program <close>, failure = ebpf.program { id = id }
    if program then
      local row = info_row(program)
      if row then rows[#rows + 1] = row end
    elseif failure.code ~= "ENOENT" then -- one that has gone meanwhile is none
      return nil, failure
    end
  end
  if not arguments.json then
    for _, row in ipairs(rows) do print_info(row) end
  end
  return report.object({ "programs" }, { programs = rows })
end

local function show(name, arguments)
  local program <close>, err = open(name)
  if not program then return nil, err end
  local info, failure = info_row(program)
  if not info then return nil, failure end
  if not arguments.json then print_info(info) end
  return report.object({ "program" }, { program = info })
end

local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

local function print_jited(row)
  local where = row.address and (" at 0x%x"):format(row.address) or ""
  print(("# %s: %d bytes of machine code%s"):format(row.name, row.jited_size, where))
  for at = 1, #(row.jited or ""), 32 do
    print(("# %6x: %s"):format((at - 1) // 2, row.jited:sub(at, at + 31):gsub("%x%x", "%0 "):gsub(" $", "")))
  end
end

local function print_dump(document, arguments)
  print_info(document.program)
  for _, row in ipairs(document.functions) do
    print(("\n%s:"):format(row.prototype or row.name))
    listing.print(row.instructions, { opcodes = arguments.opcodes, byteorder = document.byteorder })
  end
  print()
  for _, row in ipairs(document.functions) do
    if row.jited_size > 0 and (arguments.jited or #document.functions > 1) then print_jited(row) end
  end
end

local function_keys = { "name", "prototype", "slot", "jited_size", "address", "jited", "instructions" }

--- The document of `prog dump` and `disasm prog`: the program, its functions with their instructions, machine code in hexadecimal
-- where the kernel shows it (and, as text, where it is asked for).
function prog.dump(name, arguments)
  local program <close>, err = open(name)
  if not program then return nil, err end
  local info, code = info_row(program)
  if not info then return nil, code end
  if not code.instructions then
    return nil, ("program '%s': the kernel does not show its instructions (needs CAP_BPF; hidden also by net.core.bpf_jit_harden)")
      :format(info.name)
  end
  local functions, pieces = report.list {}, listing.functions(code.instructions)
  for i, piece in ipairs(pieces) do
    local part = code.functions[i] or {}
    functions[i] = report.object(function_keys, {
      name = part.name or piece.head, prototype = part.prototype, slot = part.insn, jited_size = part.jited_size or 0,
      address = part.address, jited = part.jited and (arguments.json or arguments.jited) and hex(part.jited) or nil,
      instructions = report.list(piece.rows),
    })
  end
  local document = report.object({ "program", "functions", "byteorder" },
    { program = info, functions = functions, byteorder = ("=I2"):pack(1) == "\1\0" and "little" or "big" })
  if not arguments.json then print_dump(document, arguments) end
  return document
end

function prog.run(arguments)
  if arguments.action == "list" then return list(arguments) end
  if not arguments.program then return nil, ("prog %s: the id or the path of a program is missing"):format(arguments.action) end
  if arguments.action == "show" then return show(arguments.program, arguments) end
  return prog.dump(arguments.program, arguments)
end

return prog
