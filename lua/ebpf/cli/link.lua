--- ebpf link list|show: the links in the kernel.
local report = require "ebpf.cli.report"

local link = {}

function link.describe(parser)
  local command = parser:command("link", "List the links in the kernel, or show one.")
  command:argument("action", "list or show."):choices { "list", "show" }
  command:argument("link", "Its id."):args "?":convert(math.tointeger)
  command:flag("--json", "Print one JSON document.")
end

local function print_info(info)
  local attach_type = info.attach_type and "  attach_type " .. info.attach_type or ""
  print(("%d: %s  prog %d%s"):format(info.id, info.type, info.program_id, attach_type))
end

local function info_row(id)
  local info, err = require "ebpf".link.info(id)
  if not info then return nil, err end
  return report.object({ "id", "type", "program_id", "attach_type" }, info)
end

local function list(arguments)
  local ids, err = require "ebpf".kernel():ids "link"
  if not ids then return nil, err end
  local rows = report.list {}
  for _, id in ipairs(ids) do
    local row, failure = info_row(id)
    if not row and failure.code ~= "ENOENT" then return nil, failure end -- one that has gone meanwhile is none
    rows[#rows + 1] = row
    if row and not arguments.json then print_info(row) end
  end
  return report.object({ "links" }, { links = rows })
end

function link.run(arguments)
  if arguments.action == "list" then return list(arguments) end
  if not arguments.link then return nil, "link show: the id of a link is missing" end
  local info, err = info_row(arguments.link)
  if not info then return nil, err end
  if not arguments.json then print_info(info) end
  return report.object({ "link" }, { link = info })
end

return link
