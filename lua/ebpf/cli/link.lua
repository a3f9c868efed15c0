--- ebpf link list|show: the links in the kernel.
local report = require "ebpf.cli.report"

local link = {}

function link.describe(parser)
  local command = parser:command("link", "List the links in the kernel, or show one.")
  command:argument("action", "list or show."):choices { "list", "show" }
  command:argument("link", "Its id, or the path where it is pinned."):args "?"
  command:flag("--json", "Print one JSON document.")
end

local info_keys = { "id", "type", "program_id", "attach_type", "kind", "target" }

local function info_row(handle)
  local info, err = handle:info()
  if not info then return nil, err end
  info.kind, info.target = handle.kind, handle.target
  return report.object(info_keys, info)
end

local function print_info(info)
  local attach_type = info.attach_type and "  attach_type " .. info.attach_type or ""
  print(("%d: %s  prog %d%s\n\t%s"):format(info.id, info.type, info.program_id, attach_type, info.target))
end

local function list(arguments)
  local ok, iterator = pcall(require "ebpf".links)
  if not ok then return nil, iterator end
  local rows = report.list {}
  for _, handle in iterator do
    local row, err = info_row(handle)
    handle:close()
    if not row then return nil, err end
    rows[#rows + 1] = row
    if not arguments.json then print_info(row) end
  end
  return report.object({ "links" }, { links = rows })
end

function link.run(arguments)
  if arguments.action == "list" then return list(arguments) end
  if not arguments.link then return nil, "link show: the id of a link, or the path of its pin, is missing" end
  local id = math.tointeger(arguments.link)
  local which = id and id > 0 and id <= 0xffffffff and { id = id } or { pinned = arguments.link }
  local handle <close>, err = require "ebpf".link.open(which)
  if not handle then return nil, err end
  local info, failure = info_row(handle)
  if not info then return nil, failure end
  if not arguments.json then print_info(info) end
  return report.object({ "link" }, { link = info })
end

return link
