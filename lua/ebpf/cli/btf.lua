--- ebpf btf ACTION: types. Each action is a file with describe(command) and run(arguments), or a function here.
local btf = {}
local actions = { dump = require "ebpf.cli.btf_dump" }
local order = { "dump" }

function btf.describe(parser)
  local command = parser:command("btf", "Types: print them.")
  command:command_target "action"
  for _, name in ipairs(order) do
    local action = command:command(name)
    actions[name].describe(action)
    action:flag("--json", "Print one JSON document.")
  end
end

function btf.run(arguments) return actions[arguments.action].run(arguments) end

return btf
