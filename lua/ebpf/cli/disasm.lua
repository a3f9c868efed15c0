--- ebpf disasm FILE.o, and ebpf disasm prog ID: the instructions of an object, or of a program in the kernel.
local listing = require "ebpf.cli.listing"
local report = require "ebpf.cli.report"

local disasm = {}

function disasm.describe(parser)
  local command = parser:command("disasm", "List the instructions of an object, or of a loaded program.")
  command:argument("target", "A compiled BPF object; or the word prog, and then an id or the path of a pinned program."):args "1-2"
  command:option("--section", "Only this section of the object."):argname "NAME"
  command:option("--function", "Only this function."):argname "NAME"
  command:flag("--opcodes", "Show the bytes of each instruction too.")
  command:flag("--jited", "Of a loaded program: its machine code in hexadecimal too.")
  command:flag("--json", "Print one JSON document.")
end

local function_keys = { "name", "section", "kind", "type", "prototype", "instructions" }

-- "counter", or "counter+8"; a function's argument for listing.functions.
local function variables_of(spec)
  return function(reference)
    if reference.kind ~= "map_value" then return nil end
    local name, offset = spec:variable_at(reference.name, reference.addend)
    return name and (offset > 0 and ("%s+%d"):format(name, offset) or name)
  end
end

local function function_row(spec, part)
  local program = spec.programs[part.name]
  if program and program.section ~= part.section then program = nil end -- a static function may have a program's name
  local list, err = part:instructions()
  if not list then return nil, err end
  local pieces = listing.functions(list, { variable = variables_of(spec), core = part:relocations() })
  return report.object(function_keys, {
    name = part.name, section = part.section, kind = program and "program" or part.global and "global" or "static",
    type = program and program.type, prototype = part.prototype, instructions = report.list(pieces[1] and pieces[1].rows or {}),
  })
end

local function matches(part, arguments)
  local section, name = arguments.section, arguments["function"]
  return (not section or part.section == section:gsub("^%?", "")) and (not name or part.name == name)
end

local function print_object(document, arguments)
  local section
  print(("# %s: license %s, %s-endian"):format(arguments.target[1], document.license ~= "" and document.license or "none",
    document.byteorder))
  for _, row in ipairs(document.functions) do
    if row.section ~= section then
      section = row.section
      print(("\nDisassembly of section %s:"):format(section))
    end
    print(("\n%s:%s"):format(row.prototype or row.name, row.kind == "program" and (" # program, " .. row.type) or ""))
    listing.print(row.instructions, { opcodes = arguments.opcodes, byteorder = document.byteorder })
  end
end

local function file(arguments)
  local spec <close>, err = require "ebpf".spec(arguments.target[1])
  if not spec then return nil, err end
  local functions = report.list {}
  for _, part in pairs(spec.functions) do
    if matches(part, arguments) then
      local row, failure = function_row(spec, part)
      if not row then return nil, failure end
      functions[#functions + 1] = row
    end
  end
  if #functions == 0 and (arguments.section or arguments["function"]) then
    return nil, ("'%s' has no function%s%s"):format(arguments.target[1],
      arguments["function"] and (" '%s'"):format(arguments["function"]) or "",
      arguments.section and (" in a section '%s'"):format(arguments.section) or "")
  end
  local document = report.object({ "functions", "license", "byteorder" },
    { functions = functions, license = spec.license, byteorder = spec.byteorder })
  if not arguments.json then print_object(document, arguments) end
  return document
end

function disasm.run(arguments)
  local target = arguments.target
  if #target == 1 and target[1] ~= "prog" then return file(arguments) end
  if target[1] ~= "prog" or not target[2] then
    return nil, "a file, or the word prog and an id, expected; 'ebpf disasm --help' tells more"
  end
  return require "ebpf.cli.prog".dump(target[2], arguments)
end

return disasm
