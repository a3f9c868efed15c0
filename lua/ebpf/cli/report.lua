--- What the command says: a JSON document or text on stdout; errors on stderr, and in the document too.
local json = require "dkjson"

local report = { null = json.null }

--- A list that is written as [] when it is empty.
function report.list(items) return setmetatable(items, { __jsontype = "array" }) end

--- An object whose keys are written in this order.
function report.object(keys, items) return setmetatable(items, { __jsontype = "object", __jsonorder = keys }) end

function report.print(document) print(json.encode(document, { indent = true })) end

local function is_error(err) return type(err) == "table" and err.message ~= nil end

function report.error(err)
  local keys = { "code", "message", "log" }
  if not is_error(err) then return report.object(keys, { code = json.null, message = tostring(err), log = json.null }) end
  return report.object(keys, { code = err.code, message = tostring(err), log = err.log or json.null })
end

--- Rows of text, each column but the last as wide as it needs.
function report.rows(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, #tostring(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do cells[i] = i == #row and tostring(cell) or ("%-" .. widths[i] .. "s"):format(cell) end
    print((table.concat(cells, "  "):gsub(" +$", "")))
  end
end

local function is_root()
  local status = io.open "/proc/self/status"
  if not status then return true end
  local text = status:read "a"
  status:close()
  return text:match "\nUid:%s+%d+%s+(%d+)" == "0"
end

local function advice(err)
  if is_error(err) and (err.code == "EPERM" or err.code == "EACCES") and not is_root() then
    return "; run it as root, for example with sudo"
  end
  return ""
end

local shown_lines = 20

local function print_log(log)
  local lines = {}
  for line in log:gmatch "[^\n]+" do lines[#lines + 1] = line end
  local first = math.max(1, #lines - shown_lines + 1)
  if first > 1 then io.stderr:write(("  (%d lines of the verifier's log left out: --json has all)\n"):format(first - 1)) end
  for i = first, #lines do io.stderr:write("  ", lines[i], "\n") end
end

--- Ends a command: the exit status.
function report.finish(arguments, document, err, rest)
  if document then
    if arguments.json then report.print(document) end
    return 0
  end
  if arguments.json then
    document = rest or {}
    document.error = report.error(err)
    report.print(document)
  end
  io.stdout:flush()
  io.stderr:write("ebpf: ", tostring(err), advice(err), "\n")
  if is_error(err) and err.log and not arguments.json then print_log(err.log) end
  return 1
end

return report
