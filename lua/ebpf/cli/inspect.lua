--- ebpf inspect FILE.o: programs, maps and variables of an object, without the kernel.
local object = require "ebpf.cli.object"

local inspect = {}

function inspect.describe(parser)
  local command = parser:command("inspect", "Tell what is in an object: programs, maps, variables. Needs no privileges.")
  command:argument("file", "A compiled BPF object.")
  command:flag("--json", "Print one JSON document.")
end

function inspect.run(arguments)
  local spec <close>, err = require "ebpf".spec(arguments.file)
  if not spec then return nil, err end
  local document = object.document(spec)
  if not arguments.json then object.print(document, arguments.file) end
  return document
end

return inspect
