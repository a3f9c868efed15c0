-- Lua runs out of memory at any allocation: whatever was being made then is given back.
local need = require "spec.support.need"
local process = require "spec.support.process"

describe("running out of memory", function()
  it("leaves nothing behind, wherever it happens", function()
    need { kernel = "5.8", "ringbuf" }
    need.command "cc"
    need.command "pkg-config"
    local program = "build/spec/support/sweep"
    local output, status = process.run("mkdir -p build/spec/support && cc -O2 -g -o " .. program .. " spec/support/sweep.c "
      .. "$(pkg-config --cflags --libs lua5.4) -Wl,-E")
    assert.equal(0, status, output)
    output, status = process.run(program .. " spec/support/sweep.lua 5")
    assert.equal(0, status, output)
    assert.matches("^swept %d%d%d%d allocations\n$", output)
  end)
end)
