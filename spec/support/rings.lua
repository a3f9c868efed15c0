-- Records in a ring, and a loop that reads them: for specs of what waits for rings.
local assert = require "luassert"
local ebpf = require "ebpf"
local need = require "spec.support.need"

local rings = {}

--- A fresh collection of lua_records.bpf.o, a loop, and run(program [, count]) -> its result, which makes so many records.
function rings.open()
  need { kernel = "5.8", "ringbuf" }
  local coll = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
  return coll, assert(ebpf.loop()), function(program, count)
    if count then assert(coll.variables.wanted:set(count)) end
    return assert(coll.programs[program]:run { data = ("\0"):rep(14) }).retval
  end
end

--- Closes both, where a test got as far as having them.
function rings.close(coll, loop)
  if loop then loop:close() end
  if coll then coll:close() end
end

return rings
