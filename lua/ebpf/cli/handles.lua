--- What is in the kernel, all of it or one: shared by `map`, `prog` and `link`. Each of them is a kind of handle, a table with
-- command ("prog"), noun ("program"), plural (also of ebpf's iterator), open(options, arguments) -> handle,
-- row(handle) -> a row of the document, print(row).
local report = require "ebpf.cli.report"

local handles = {}

--- Adds the command; `actions` as in { "list", "show", "dump" }.
function handles.describe(kind, parser, about, actions)
  local command = parser:command(kind.command, about)
  local words = table.concat(actions, ", ", 1, #actions - 1) .. " or " .. actions[#actions]
  command:argument("action", words .. "."):choices(actions)
  command:argument(kind.noun, "Its id, or the path where it is pinned."):args "?"
  command:flag("--json", "Print one JSON document.")
  return command
end

--- The one that the command line names, by its id or by the path of its pin.
function handles.open(kind, name, arguments)
  if not name then
    return nil, ("%s %s: the id or the path of a %s is missing"):format(kind.command, arguments.action, kind.noun)
  end
  local id = math.tointeger(name)
  return kind.open(id and id > 0 and id <= 0xffffffff and { id = id } or { pinned = name }, arguments)
end

--- The document of `list`.
function handles.list(kind, arguments)
  local rows = report.list {}
  local ok, err = pcall(function()
    for _, object in require "ebpf"[kind.plural]() do
      local handle <close> = object
      rows[#rows + 1] = assert(kind.row(handle))
    end
  end)
  if not ok then return nil, err end
  if not arguments.json then
    for _, row in ipairs(rows) do kind.print(row) end
  end
  return report.object({ kind.plural }, { [kind.plural] = rows })
end

--- The document of `show`.
function handles.show(kind, arguments)
  local handle <close>, err = handles.open(kind, arguments[kind.noun], arguments)
  if not handle then return nil, err end
  local row, failure = kind.row(handle)
  if not row then return nil, failure end
  if not arguments.json then kind.print(row) end
  return report.object({ kind.noun }, { [kind.noun] = row })
end

--- Bytes in hexadecimal.
function handles.hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

return handles
