--- Files, paths and processes, as far as the generator needs them and Lua alone can.
local core = require "ebpf.core"

local file = {}

--- A word of a shell's command line.
function file.quote(text)
  if text:match "^[%w%-%+=_./:,@]+$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a command: what it said (both streams), and its status.
function file.run(command)
  local pipe = assert(io.popen("LC_ALL=C " .. command .. " 2>&1"))
  local output = pipe:read "a"
  local _, how, status = pipe:close()
  return output, how == "exit" and status or 128 + status
end

--- The whole of a file; or nil, err, errno.
function file.read(path)
  local handle, reason, errno = io.open(path, "rb")
  if not handle then return core.fail(errno, ("file %s"):format(reason)) end
  local bytes
  bytes, reason, errno = handle:read "a"
  handle:close()
  if not bytes then return core.fail(errno, ("file '%s': %s"):format(path, reason)) end
  return bytes
end

--- A file that is gone when the variable goes out of scope.
function file.temporary()
  return setmetatable({ path = os.tmpname() }, { __close = function(self) os.remove(self.path) end })
end

--- Writes a file in one step: there is the old one or the whole new one, never half of it.
function file.write(path, text)
  local half = path .. ".new"
  local handle, reason, errno = io.open(half, "wb")
  if not handle then return core.fail(errno, ("output '%s': %s"):format(path, reason:gsub("^.*: ", ""))) end
  local ok
  ok, reason, errno = handle:write(text)
  if ok then
    ok, reason, errno = handle:close()
  else
    handle:close()
  end
  if ok then ok, reason, errno = os.rename(half, path) end
  if ok then return true end
  os.remove(half)
  return core.fail(errno, ("output '%s': %s"):format(path, reason:gsub("^.*: ", "")))
end

-- -- paths --

local here

--- The folder that the process is in.
function file.working_folder()
  if not here then
    local pipe <close> = assert(io.popen "pwd -P")
    here = pipe:read "l"
  end
  return here
end

local function normal(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

function file.absolute(path) return normal(path:match "^/" and path or file.working_folder() .. "/" .. path) end

function file.folder(path) return path:match "^(.*)/[^/]*$" or "." end

function file.base(path) return path:match "[^/]*$" end

--- Whether an absolute path is a folder or lies in it.
function file.is_below(path, folder) return path == folder or path:sub(1, #folder + 1) == folder:gsub("/$", "") .. "/" end

--- An absolute path as seen from an absolute folder.
function file.relative(path, folder)
  local up = ""
  while not file.is_below(path, folder) do
    folder, up = file.folder(folder), up .. "../"
    if folder == "" then folder = "/" end
  end
  local rest = path:sub(#folder:gsub("/$", "") + 2)
  return up == "" and (rest == "" and "." or rest) or up .. rest
end

return file
