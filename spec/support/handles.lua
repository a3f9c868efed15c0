-- What a test must not leave behind.
local handles = {}

--- How many descriptors this process has open.
function handles.descriptors()
  collectgarbage()
  collectgarbage()
  local count = 0
  for fd = 0, 1023 do
    local file = io.open("/proc/self/fdinfo/" .. fd)
    if file then
      count = count + 1
      file:close()
    end
  end
  return count
end

--- Calls fn, twice (the first may fill caches), and returns how many more descriptors there are after the second call.
function handles.leaked(fn)
  coroutine.wrap(fn)() -- on a stack of its own, so that no stale slot of ours holds what it has made
  local before = handles.descriptors()
  coroutine.wrap(fn)()
  return handles.descriptors() - before
end

--- Runs fn with a collector that never rests, so that whatever is not held is gone at once.
function handles.without_rest(fn)
  local pause, step = collectgarbage("setpause", 0), collectgarbage("setstepmul", 1000)
  local ok, err = xpcall(fn, debug.traceback)
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", step)
  if not ok then error(err, 0) end
end

return handles
