-- The loop inside the loops of others: luv and cqueues, as Debian has them (lua-luv, lua-cqueues).
local ebpf = require "ebpf"
local need = require "spec.support.need"

local function foreign(name)
  local found, module = pcall(require, name)
  if not found then pending("needs the Lua module " .. name) end
  return module
end

local function with_records(fn)
  need { kernel = "5.8", "ringbuf" }
  local coll <close> = assert(ebpf.load "build/spec/bpf/lua_records.bpf.o")
  local loop <close> = ebpf.loop()
  fn(coll, loop, function(count)
    assert(coll.variables.wanted:set(count))
    coll.programs.fill:run { data = ("\0"):rep(14) }
  end)
end

describe("the loop in luv's", function()
  it("delivers records and timers when luv says that its descriptor is readable", function()
    local uv = foreign "luv"
    with_records(function(coll, loop, fill)
      local numbers, ticks, foreign_ticks = {}, 0, 0
      local poll, timer = uv.new_poll(loop:fd()), uv.new_timer()
      loop:on(coll.maps.events, function(e) numbers[#numbers + 1] = e.number end)
      loop:every(0.01, function() ticks = ticks + 1 end)
      poll:start("r", function(err)
        assert(not err, err)
        loop:step(0)
      end)
      timer:start(20, 20, function()
        foreign_ticks = foreign_ticks + 1
        if foreign_ticks <= 3 then return fill(2) end
        poll:stop()
        poll:close()
        timer:close()
      end)
      uv.run()
      assert.same({ 0, 1, 2, 3, 4, 5 }, numbers)
      assert.is_true(ticks >= 3, ticks)
      assert.equal(4, foreign_ticks)
    end)
  end)
end)

describe("the loop in cqueues's", function()
  it("is an object that a controller can poll", function()
    local cqueues = foreign "cqueues"
    with_records(function(coll, loop, fill)
      local numbers, ticks, done = {}, 0, false
      local controller = cqueues.new()
      loop:on(coll.maps.events, function(e) numbers[#numbers + 1] = e.number end)
      loop:every(0.01, function() ticks = ticks + 1 end)
      controller:wrap(function()
        while not done do
          cqueues.poll(loop) -- by its pollfd(), events() and timeout()
          loop:step(0)
        end
      end)
      controller:wrap(function()
        for _ = 1, 3 do
          cqueues.sleep(0.02)
          fill(2)
        end
        cqueues.sleep(0.05)
        done = true
      end)
      assert(controller:loop(10))
      assert.same({ 0, 1, 2, 3, 4, 5 }, numbers)
      assert.is_true(ticks >= 3, ticks)
    end)
  end)

  it("polls a reader too, and a controller is waited for by the loop", function()
    local cqueues = foreign "cqueues"
    with_records(function(coll, loop, fill)
      local ring <close> = assert(ebpf.ringbuf(coll.maps.events))
      local controller, numbers = cqueues.new(), {}
      controller:wrap(function()
        while #numbers < 4 do
          cqueues.poll(ring)
          ring:consume(function(e) numbers[#numbers + 1] = e.number end)
        end
      end)
      controller:step(0)
      local source = loop:fd(controller, "r", function() controller:step(0) end)
      loop:every(0.01, function()
        if #numbers >= 4 then return loop:stop() end
        fill(2)
      end)
      loop:run()
      source:close()
      assert.is_true(#numbers >= 4)
    end)
  end)
end)
