-- Every handle: closes on close, twice too, as a <close> variable and when collected; says so when it is used afterwards.
local ebpf = require "ebpf"
local asm = ebpf.asm
local need = require "spec.support.need"
local handles = require "spec.support.handles"
local process = require "spec.support.process"

local records = "build/spec/bpf/lua_records.bpf.o"

-- name -> maker of a handle, and a use of it that must raise once it is closed
local kinds = {
  map = { function() return ebpf.map { type = "array", value = "u32", max_entries = 1 } end, function(h) return h:info() end },
  program = { function()
    return ebpf.program { type = "socket_filter", license = "GPL", instructions = { asm.mov(asm.r0, 0), asm.exit() } }
  end, function(h) return h:info() end },
  spec = { function() return ebpf.spec(records) end, function(h) return h.maps end },
  collection = { function() return ebpf.load(records) end, function(h) return h.maps end },
  ring = { function()
    return ebpf.ringbuf(assert(ebpf.map { type = "ringbuf", max_entries = 4096 }))
  end, function(h) return h:available() end },
  loop = { function() return ebpf.loop() end, function(h) return h:step(0) end },
  btf = { function() return ebpf.btf(records) end, function(h) return #h end },
  btf_builder = { function() return require "ebpf.core".btf_builder() end, function(h) return h:read() end },
  btf_object = { function()
    local builder = ebpf.btf.new()
    builder:add_struct { name = "event", members = { { "pid", "u32" } } }
    return assert(builder:finish()):load()
  end, function(h) return h:info() end },
  kernel = { function() return ebpf.kernel() end, function(h) return h.version end },
  link = { function()
    local program = assert(ebpf.program { type = "tracepoint", license = "GPL", instructions = { asm.mov(asm.r0, 0), asm.exit() } })
    return ebpf.link.tracepoint(program, "syscalls:sys_enter_getpgid")
  end, function(h) return h.kind end },
}

for name, kind in pairs(kinds) do
  describe("a handle of a " .. name, function()
    local make, use = kind[1], kind[2]
    before_each(function() need { kernel = "5.8", "ringbuf" } end)

    it("closes, twice, and then refuses to be used", function()
      local handle = assert(make())
      assert.matches("^ebpf%." .. name .. ": ", tostring(handle))
      use(handle)
      handle:close()
      handle:close()
      assert.equal("ebpf." .. name .. " (closed)", tostring(handle))
      assert.error_matches(function() use(handle) end, name .. " is closed")
    end)

    it("closes as a <close> variable, also when an error passes", function()
      local kept
      pcall(function()
        local handle <close> = assert(make())
        kept = handle
        error "passes"
      end)
      assert.equal("ebpf." .. name .. " (closed)", tostring(kept))
    end)

    it("leaves no descriptor behind, closed or forgotten", function()
      assert.equal(0, handles.leaked(function()
        assert(make()):close()
        assert(make())
        local handle = assert(make())
        setmetatable({}, { __gc = function() handle:close() end })
      end))
    end)

    it("is not taken for another", function()
      local handle <close> = assert(make())
      local method = getmetatable(handle).__close
      assert.error_matches(function() method(io.stdout) end, "ebpf." .. name .. " expected, got FILE")
      assert.error_matches(function() method(5) end, "ebpf." .. name .. " expected, got number")
    end)
  end)
end

-- Everything that a handle's class offers: methods, properties, setters.
local function functions_of(handle)
  local index, newindex = getmetatable(handle).__index, getmetatable(handle).__newindex
  local all = {}
  for upvalue = 1, 2 do
    local _, functions = debug.getupvalue(index, upvalue)
    for name, fn in pairs(type(functions) == "table" and functions or {}) do all[name] = fn end
  end
  local _, setters = debug.getupvalue(newindex, 1)
  for name, fn in pairs(type(setters) == "table" and setters or {}) do all["set " .. name] = fn end
  return all
end

local waits = { run = true, step = true, poll = true } -- without a timeout these may wait for ever

describe("any method of any handle", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)

  local junk = {
    false, true, 0, -1, 1 << 40, math.mininteger, 0.5, 0 / 0, "", "x", ("y"):rep(5000), "a\0b", {}, { 1, "x", {} }, { x = {} },
    setmetatable({}, { __index = function() error "index" end, __tostring = function() error "text" end }), print, io.stdout,
    coroutine.create(print),
  }

  it("raises or answers, whatever it is given, open or closed #host", function()
    local made, calls = {}, 0
    for _, kind in pairs(kinds) do made[#made + 1] = assert(kind[1]()) end
    local coll = assert(ebpf.load(records))
    local parts = {
      coll.maps, coll.variables.wanted, coll.maps.events, coll.maps.events:view(), ebpf.loop():after(1000, print),
      ebpf.spec(records).maps.events, ebpf.spec(records).variables.wanted, ebpf.spec(records).programs.fill,
      ebpf.btf(records):find "int", ebpf.btf(records):find "struct nested",
    }
    for _, part in ipairs(parts) do made[#made + 1] = part end
    local arguments = table.move(made, 1, #made, #junk + 1, { table.unpack(junk) })
    for round = 1, 2 do
      for _, handle in ipairs(made) do
        for name, fn in pairs(functions_of(handle)) do
          if not waits[name] and (round == 2 or name ~= "close" and name ~= "remove") then
            pcall(fn)
            for i = 1, #arguments do
              pcall(fn, arguments[i])
              pcall(fn, handle, arguments[i])
              pcall(fn, handle, arguments[i], arguments[#arguments - i + 1])
              pcall(fn, handle, arguments[i], arguments[(i * 7) % #arguments + 1], arguments[(i * 3) % #arguments + 1])
              calls = calls + 4
            end
          end
        end
        for i = 1, #arguments do
          pcall(function() return handle[arguments[i]] end)
          pcall(function() handle[arguments[i]] = arguments[#arguments - i + 1] end)
          pcall(tostring, handle)
          pcall(function() for _ in pairs(handle) do break end end) -- luacheck: ignore 512
        end
      end
    end
    assert.is_true(calls > 10000)
    coll:close()
    for _, handle in ipairs(made) do pcall(function() handle:close() end) end
  end)

  it("of the module's functions too", function()
    local core = require "ebpf.core"
    local arguments = table.move({ assert(kinds.map[1]()), assert(kinds.program[1]()), assert(kinds.spec[1]()) }, 1, 3, #junk + 1,
      { table.unpack(junk) })
    for _, fn in pairs(core) do
      if type(fn) == "function" then
        pcall(fn)
        for i = 1, #arguments do
          pcall(fn, arguments[i])
          pcall(fn, arguments[i], arguments[#arguments - i + 1])
          pcall(fn, "xdp", arguments[i], arguments[#arguments - i + 1], arguments[(i * 7) % #arguments + 1])
        end
      end
    end
  end)
end)

describe("handles", function()
  before_each(function() need { kernel = "5.8", "ringbuf" } end)

  it("may be left open at the end of a state, in any order of finalizers", function()
    local name = os.tmpname()
    local file <close> = assert(io.open(name, "w"))
    file:write [[
      local ebpf = require "ebpf"
      local keep = {}
      for order = 1, 4 do
        local loop = ebpf.loop()
        local coll = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
        local ring = assert(ebpf.ringbuf(coll.maps.events, { view = true }))
        loop:on(ring, function(e) keep.view = e end)
        loop:on(coll.maps.plain, print)
        loop:every(1, function() return ring, coll, loop end)
        local snoop = assert(ebpf.load "build/examples/opensnoop.bpf.o")
        assert(snoop:attach())
        coll.programs.fill:run { data = ("\0"):rep(14) }
        loop:step(0)
        local iterate, state, key = pairs(coll.maps.written or snoop.maps.calls)
        iterate(state, key)
        keep[#keep + 1] = { loop, ring, coll, snoop, iterate, ebpf.spec "build/spec/bpf/lua_types.bpf.o".maps.table }
        setmetatable({}, { __gc = function() loop:close() ring:close() coll:close() end })
        if order % 2 == 0 then collectgarbage() end
      end
      print "end"
    ]]
    file:close()
    finally(function() os.remove(name) end)
    for _ = 1, 3 do assert.equal("end\n", (process.run("lua5.4 " .. name))) end
  end)

  it("of two states in one process know nothing of each other", function()
    -- a coroutine is another thread of the same state
    local m = assert(ebpf.map { type = "array", value = "u32", max_entries = 1 })
    coroutine.wrap(function() m[0] = 5 end)()
    assert.equal(5, m[0])
    coroutine.wrap(function() m:close() end)()
    assert.equal("ebpf.map (closed)", tostring(m))
  end)

  it("are opened and closed ten thousand times without growth", function()
    local function cycle()
      for _ = 1, 500 do
        local m <close> = assert(ebpf.map { type = "array", value = "u32", max_entries = 1 })
        m[0] = 1
        pcall(function() m[0] = {} end)
        local _ = m:info()
      end
      collectgarbage()
    end
    local function resident()
      local text = assert(io.open "/proc/self/status"):read "a"
      return tonumber(text:match "VmRSS:%s*(%d+)")
    end
    cycle()
    local before = resident()
    for _ = 1, 4 do cycle() end
    local limit = os.getenv "EBPF_BUILD" and 400000 or 2000 -- AddressSanitizer keeps what was freed for a while
    assert.is_true(resident() - before < limit, resident() - before)
  end)

  it("live when the collector never rests", function()
    handles.without_rest(function()
      for _ = 1, 3 do
        local coll = assert(ebpf.load(records, { variables = { wanted = 2 } }))
        local loop = ebpf.loop()
        local count = 0
        loop:on(coll.maps.events, function(e) count = count + (e.pid - e.pid + 1) end)
        coll.programs.fill:run { data = ("\0"):rep(14) }
        loop:step(1)
        assert.equal(2, count)
        for name, map in pairs(coll.maps) do assert.equal(name, map.name) end
        for _, variable in pairs(coll.variables) do variable:get() end
        loop:close()
        coll:close()
      end
    end)
  end)
end)
