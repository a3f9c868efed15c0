-- Lua runs out of memory at any allocation: whatever was being made then is given back.
local need = require "spec.support.need"
local process = require "spec.support.process"

describe("running out of memory", function()
  it("leaves nothing behind, wherever it happens #host", function()
    need { kernel = "5.9", "ringbuf", "iter" }
    -- every fifth allocation; in an emulated machine, where each run takes long, every fiftieth
    local step = os.getenv "EBPF_COMPLETE_KERNEL" == "1" and 50 or 5
    local output, status = process.run("build/spec/support/sweep spec/support/sweep.lua " .. step)
    assert.equal(0, status, output)
    assert.matches("^swept %d%d%d%d allocations\n$", output)
  end)
end)
