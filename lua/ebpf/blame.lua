--- Mistakes in a call are the caller's: blame(f) is f, but what it raises names the line outside of this library that called it,
-- however deep inside of it the mistake was noticed.
local here = debug.getinfo(1, "S").source:match "^(.-)blame%.lua$" or "=[C]"

-- The level, for error() in the function that calls this, of the first Lua function that is not the library's.
local function caller()
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.what == "C" or info.source:sub(1, #here) == here) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  return info and level - 1 or 0
end

local function finish(ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) ~= "string" then error(message, 0) end
  error(message:gsub("^[^\n]-%.lua:%d+: ", "", 1), caller())
end

return function(f)
  return function(...) return finish(pcall(f, ...)) end
end
