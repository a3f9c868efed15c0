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

-- Where the bytes of a path really go: behind symbolic links; nil for what is no plain file (a terminal, a pipe).
local function place(path)
  local word = file.quote(path:match "^%-" and "./" .. path or path)
  local answer = file.run(("sh -c 'if [ -e \"$1\" ] && ! [ -f \"$1\" ]; then echo; else readlink -f \"$1\"; fi' - %s"):format(word))
  if answer == "\n" then return nil end
  return answer ~= "" and answer:sub(1, -2) or path
end

local function write_whole(path, text)
  local handle, reason, errno = io.open(path, "wb")
  if not handle then return nil, reason, errno end
  local ok
  ok, reason, errno = handle:write(text)
  if not ok then
    handle:close()
    return nil, reason, errno
  end
  return handle:close()
end

--- Writes files in one step, { { path =, text = }, ... }: there are the old ones or the whole new ones, never half of them.
function file.write(outputs)
  local places = {}
  local halves <close> = setmetatable({}, { __close = function(self)
    for _, half in pairs(self) do os.remove(half) end
  end })
  for i, output in ipairs(outputs) do
    places[i] = place(output.path)
    local target = output.path
    if places[i] then
      target = places[i] .. ".new"
      halves[i] = target
    end
    local ok, reason, errno = write_whole(target, output.text)
    if not ok then return core.fail(errno, ("output '%s': %s"):format(output.path, (reason:gsub("^.*: ", "")))) end
  end
  for i, output in ipairs(outputs) do
    if places[i] then
      local ok, reason, errno = os.rename(halves[i], places[i])
      if not ok then return core.fail(errno, ("output '%s': %s"):format(output.path, (reason:gsub("^.*: ", "")))) end
      halves[i] = nil
    end
  end
  return true
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
