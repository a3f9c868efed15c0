#!/bin/sh
# spec/bench/features.sh : `ebpf features --json` beside `bpftool -j feature probe`, which finds out much the same: the best of several runs in
# turn, as wall-clock and as processor time. The goal is half.
command -v bpftool >/dev/null || { echo "features: bpftool is not installed"; exit 1; }
exec lua5.4 - <<'LUA'
local runs = 15
local commands = { { "ebpf features", "build/ebpf features --json" }, { "bpftool feature probe", "bpftool -j feature probe" } }

-- Both in milliseconds: time(1) of the shell says how long, and how much of the processors.
local function measure(command)
  local pipe = assert(io.popen("bash -c 'TIMEFORMAT=\"%3R %3U %3S\"; time " .. command .. " >/dev/null' 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  local real, user, system = text:match "([%d.]+) ([%d.]+) ([%d.]+)%s*$"
  assert(real, text)
  return real * 1000, (user + system) * 1000
end

local best = {}
for _ = 1, runs do
  for i, command in ipairs(commands) do
    local real, processor = measure(command[2])
    best[i] = best[i] or { real, processor }
    best[i][1], best[i][2] = math.min(best[i][1], real), math.min(best[i][2], processor)
  end
end
for i, command in ipairs(commands) do print(("%-24s %7.1f ms  processor %7.1f ms"):format(command[1], best[i][1], best[i][2])) end
print(("ratio                    %7.2f     processor %7.2f"):format(best[1][1] / best[2][1], best[1][2] / best[2][2]))
LUA
