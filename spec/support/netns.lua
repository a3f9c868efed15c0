-- A script in a network namespace of its own, which goes with its process.
local assert = require "luassert"
local process = require "spec.support.process"

local prelude = [[
local ebpf, links, process = require "ebpf", require "spec.support.links", require "spec.support.process"
local function sh(command) return (process.run(command)) end
sh "ip link set lo up"
]]

--- Runs it; in it, ebpf, links (spec.support.links), process and sh(command) -> output are known, and lo is up. What it printed.
return function(script)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(prelude, script, "\nprint 'done'"))
  file:close()
  local output = process.run(("unshare -n lua5.4 %s"):format(path))
  os.remove(path)
  local printed = output:match "^(.*)done\n$"
  assert.is_string(printed, output)
  return printed
end
