--- ebpf btf ACTION: types. Each action is a file with describe(command) and run(arguments), or a function here.
local report = require "ebpf.cli.report"

local btf = {}
local actions = { dump = require "ebpf.cli.btf_dump" }

local keys = { "id", "name", "size", "kernel" }

local function row(info)
  return report.object(keys, { id = info.id, name = info.name or report.null, size = info.size, kernel = info.kernel })
end

local function print_rows(rows)
  local lines = { { "ID", "NAME", "SIZE", "KERNEL" } }
  for _, each in ipairs(rows) do
    lines[#lines + 1] = { each.id, each.name == report.null and "-" or each.name, each.size, each.kernel and "yes" or "no" }
  end
  report.rows(lines)
end

actions.list = {
  describe = function(command)
    command:description "List the BTF objects in the kernel: its own types, its modules', and programs'."
  end,
  run = function(arguments)
    local list, err = require "ebpf".btf.list()
    if not list then return nil, err end
    local rows = report.list {}
    for i, info in ipairs(list) do rows[i] = row(info) end
    if not arguments.json then print_rows(rows) end
    return rows
  end,
}

actions.show = {
  describe = function(command)
    command:description "Show one of them."
    command:argument("id", "Its id."):convert(math.tointeger)
  end,
  run = function(arguments)
    local list, err = require "ebpf".btf.list()
    if not list then return nil, err end
    for _, info in ipairs(list) do
      if info.id == arguments.id then
        local document = row(info)
        if not arguments.json then print_rows { document } end
        return document
      end
    end
    return nil, ("there is no BTF object with the id %d"):format(arguments.id)
  end,
}

local function save(path, bytes)
  local file, err = io.open(path, "wb")
  if not file then return nil, err end
  local ok
  ok, err = file:write(bytes)
  if not file:close() or not ok then return nil, ("%s: %s"):format(path, err or "cannot be written") end
  return true
end

actions.min = {
  describe = function(command)
    command:description "Write the types of a target kernel that CO-RE relocations of these objects need, and no others."
    command:argument("target", "A file with the target's types, or 'vmlinux'.")
    command:argument("output", "The file that is written: raw BTF.")
    command:argument("files", "Compiled BPF objects."):args "+"
  end,
  run = function(arguments)
    local ebpf = require "ebpf"
    local target, err
    if arguments.target == "vmlinux" then target, err = ebpf.btf.vmlinux() else target, err = ebpf.btf.read(arguments.target) end
    if not target then return nil, err end
    local specs = {}
    for i, path in ipairs(arguments.files) do
      specs[i], err = ebpf.spec(path)
      if not specs[i] then return nil, err end
    end
    local small
    small, err = ebpf.btf.minimize(target, specs)
    if not small then return nil, err end
    local bytes = small:bytes()
    local ok
    ok, err = save(arguments.output, bytes)
    if not ok then return nil, err end
    if not arguments.json then print(("%s: %d types, %d bytes"):format(arguments.output, #small, #bytes)) end
    return report.object({ "file", "types", "size" }, { file = arguments.output, types = #small, size = #bytes })
  end,
}

local order = { "dump", "list", "show", "min" }

function btf.describe(parser)
  local command = parser:command("btf", "Types: printed, what the kernel has loaded of them, and what objects need.")
  command:command_target "action"
  for _, name in ipairs(order) do
    local action = command:command(name)
    actions[name].describe(action)
    action:flag("--json", "Print one JSON document.")
  end
end

function btf.run(arguments) return actions[arguments.action].run(arguments) end

return btf
