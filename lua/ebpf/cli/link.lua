--- ebpf link list|show: the links in the kernel.
local handles = require "ebpf.cli.handles"
local report = require "ebpf.cli.report"

local link = {}

local info_keys = { "id", "type", "program_id", "attach_type", "kind", "target" }

local kind = { command = "link", noun = "link", plural = "links" }

function kind.open(options) return require "ebpf".link.open(options) end

function kind.row(handle)
  local info, err = handle:info()
  if not info then return nil, err end
  info.kind, info.target = handle.kind, handle.target
  return report.object(info_keys, info)
end

function kind.print(row)
  local attach_type = row.attach_type and "  attach_type " .. row.attach_type or ""
  print(("%d: %s  prog %d%s\n\t%s"):format(row.id, row.type, row.program_id, attach_type, row.target))
end

function link.describe(parser) handles.describe(kind, parser, "List the links in the kernel, or show one.", { "list", "show" }) end

function link.run(arguments) return handles[arguments.action](kind, arguments) end

return link
