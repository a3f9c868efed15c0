--- ebpf prog list|show|dump: the programs in the kernel.
local handles = require "ebpf.cli.handles"
local listing = require "ebpf.cli.listing"
local report = require "ebpf.cli.report"

local prog = {}

local info_keys = { "id", "type", "name", "tag", "gpl", "load_time_ns", "uid", "xlated_size", "jited_size", "memlock",
  "map_ids", "btf_id", "function_count", "line_count", "verified_insns", "run_time_ns", "run_count", "recursion_misses",
  "ifindex", "attach_btf_obj_id", "attach_btf_id" }

local kind = { command = "prog", noun = "program", plural = "programs" }

function prog.describe(parser)
  local command = handles.describe(kind, parser, "List the programs in the kernel, show one, or dump its code.",
    { "list", "show", "dump" })
  command:flag("--opcodes", "dump: show the bytes of each instruction too.")
  command:flag("--jited", "dump: the machine code in hexadecimal too.")
end

function kind.open(options) return require "ebpf".program(options) end

-- What the kernel says of a program, and its code.
function kind.row(program)
  local info, err = program:info()
  if not info then return nil, err end
  local code
  code, err = program:code()
  if not code then return nil, err end
  info.map_ids = report.list(code.map_ids)
  info.map_count = nil
  return report.object(info_keys, info), code
end

function kind.print(info)
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

local function print_jited(row)
  local where = row.address and (" at 0x%x"):format(row.address) or ""
  print(("# %s: %d bytes of machine code%s"):format(row.name, row.jited_size, where))
  for at = 1, #(row.jited or ""), 32 do
    print(("# %6x: %s"):format((at - 1) // 2, row.jited:sub(at, at + 31):gsub("%x%x", "%0 "):gsub(" $", "")))
  end
end

local function print_dump(document, arguments)
  kind.print(document.program)
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
  local program <close>, err = handles.open(kind, name, arguments)
  if not program then return nil, err end
  local info, code = kind.row(program)
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
      address = part.address, jited = part.jited and (arguments.json or arguments.jited) and handles.hex(part.jited) or nil,
      instructions = report.list(piece.rows),
    })
  end
  local document = report.object({ "program", "functions", "byteorder" },
    { program = info, functions = functions, byteorder = ("=I2"):pack(1) == "\1\0" and "little" or "big" })
  if not arguments.json then print_dump(document, arguments) end
  return document
end

function prog.run(arguments)
  if arguments.action == "dump" then return prog.dump(arguments.program, arguments) end
  return handles[arguments.action](kind, arguments)
end

return prog
