-- commands.lua ROUNDS NAME COMMAND NAME COMMAND -- two commands of the shell in turn, whole processes: of each the median and the
-- best, as wall-clock and as processor time in milliseconds, and the ratios of the medians.
local rounds = math.tointeger(tonumber(arg[1]))
local commands = { { arg[2], arg[3] }, { arg[4], arg[5] } }

-- time(1) of the shell says how long, and how much of the processors.
local function measure(command)
  local pipe = assert(io.popen("bash -c 'TIMEFORMAT=\"%3R %3U %3S\"; time " .. command .. " >/dev/null' 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  local real, user, system = text:match "^([%d.]+) ([%d.]+) ([%d.]+)%s*$"
  assert(real, text)
  return real * 1000, (user + system) * 1000
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local real, processor = { {}, {} }, { {}, {} }
for round = 0, rounds do -- the first warms up
  for i, command in ipairs(commands) do
    local elapsed, used = measure(command[2])
    if round > 0 then real[i][round], processor[i][round] = elapsed, used end
  end
end
print(("%-32s %8s %8s %12s %8s"):format("ms", "median", "best", "processor", "best"))
local medians = {}
for i, command in ipairs(commands) do
  medians[i] = { median(real[i]), median(processor[i]) } -- sorted now
  print(("%-32s %8.1f %8.1f %12.1f %8.1f"):format(command[1], medians[i][1], real[i][1], medians[i][2], processor[i][1]))
end
print(("%-32s %8.2f %8s %12.2f"):format("ratio", medians[1][1] / medians[2][1], "", medians[1][2] / medians[2][2]))
