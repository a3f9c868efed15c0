-- Child processes for specs.
local process = {}

-- In a sanitized run the sanitizer is for our own programs: others it would slow down, or find fault with.
local function own(command)
  for _, name in ipairs { "lua5.4", "build/ebpf", "support/sweep" } do
    if command:find(name, 1, true) then return true end
  end
end

--- Runs a shell command to its end: all that it printed (both streams), and its exit status.
function process.run(command)
  if os.getenv "LD_PRELOAD" and not own(command) then command = "unset LD_PRELOAD; " .. command end
  local pipe = assert(io.popen("( " .. command .. " ) 2>&1"))
  local output = pipe:read "a"
  local _, _, status = pipe:close()
  return output, status
end

--- Starts a program whose first line of output says that it is ready. `pid` is its number, `interrupt()` its
--- Ctrl-C; `wait()` gives all that it printed, and its exit status.
function process.start(command)
  local pipe = assert(io.popen("echo $$; exec " .. command .. " 2>&1"))
  local pid, first = pipe:read "n", pipe:read "L" and pipe:read "L" or ""
  return {
    pid = pid,
    interrupt = function() process.run("kill -INT " .. pid) end,
    wait = function()
      local rest = pipe:read "a"
      local _, _, status = pipe:close()
      return first .. rest, status
    end,
  }
end

--- Starts a program that prints its process, and answers each byte that it reads with a line: `step()` is one such turn.
function process.steps(command)
  local fifo = os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo " .. fifo))
  local input = assert(io.popen(("unset LD_PRELOAD; exec %s >%s"):format(command, fifo), "w"))
  local output = assert(io.open(fifo))
  os.remove(fifo)
  local pid = output:read "n"
  output:read "L"
  return {
    pid = pid,
    step = function()
      input:write "x"
      input:flush()
      return output:read "l"
    end,
    close = function()
      input:close()
      output:close()
    end,
  }
end

--- A directory of a fresh cgroup (version 2), and a function that removes it; nil where no cgroup2 is mounted.
function process.cgroup(name)
  for _, root in ipairs { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" } do
    local file = io.open(root .. "/cgroup.controllers")
    if file then
      file:close()
      local path = ("%s/%s-%d"):format(root, name, math.random(1 << 30))
      assert(os.execute("mkdir " .. path))
      return path, function() os.execute("rmdir " .. path) end
    end
  end
end

return process
